#include "command/daemon.h"

#include <errno.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/control.h"
#include "admin/events.h"
#include "admin/fdstore.h"
#include "admin/notify.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "command/command.h"
#include "command/reloader.h"
#include "command/socket_path.h"
#include "command/watcher.h"
#include "config/keys.h"
#include "net/change.h"
#include "net/descriptors.h"
#include "net/resolver.h"
#include "tunnel/manager.h"

enum {
	EXTRA_STOP_MS = 5000, /* for DISCONNECT to go out, after the streams */
	SAID_TWICE_MS = 50,   /* timeout(1) signals its child, then the group that it is in */
	HTTP_RETRY_MS = 2000,
	LAST_PASSES = 64 /* of evhttp's 16 KB: what a slow reader of events may let pile up */
};

struct daemon {
	const char *socket; /* from -s, or NULL */
	bool has_file;      /* `adit open` has none */
	struct loop *loop;
	struct resolver *resolver;
	struct manager *manager;
	struct reloader *reloader;
	struct notify *notify;
	struct fdstore *fdstore;
	struct watcher *watcher;
	struct net_watch *net_watch;
	struct events *events;
	struct control *control;
	struct timer http_retry; /* its address is taken, or not there yet */
	struct timer stop;       /* what else says so until then says the same */
	bool stopping;
	struct event *signals[4];
};

/* ---- reload ---- */

/* The directory may not be there yet. Whom the socket lets in has to get to it. */
static void make_directory_of(const char *path, mode_t socket_mode)
{
	char *copy = mem_strdup(path);
	const char *folder = dirname(copy);
	mode_t mode = 0700 | (socket_mode & 0022) >> 1;

	if (mkdir(folder, 0700) == 0)
		(void)chmod(folder, mode); /* whatever the umask is */
	else if (errno != EEXIST)
		log_debug(NULL, "mkdir-failed", "path=%s reason=%s", path, strerror(errno));
	free(copy);
}

static int open_control(struct daemon *d, const struct config *config, struct err *e)
{
	char *path = socket_path_for_daemon(d->socket, config);

	if (path)
		make_directory_of(path, config->control_mode);
	int result = control_listen_unix(d->control, path, config->control_mode, e);
	free(path);
	return result;
}

/* What could not be done although the configuration is in force: a line for who asked, and in the log. */
static void warn_of(struct config_strings *lines, const struct err *e)
{
	struct strbuf line = {0};

	log_warning(NULL, "listen-failed", "reason=%s", e->text);
	strbuf_addf(&line, "! %s", e->text);
	config_strings_add(lines, strbuf_text(&line));
	strbuf_clear(&line);
}

static int open_http(struct daemon *d, struct err *e)
{
	const struct config_endpoint *at = &manager_config(d->manager)->http_listen;
	struct endpoint endpoint = {.host = at->host, .port = at->port, .path = at->path};
	int result = control_listen_tcp(d->control, at->text ? &endpoint : NULL, e);

	if (result)
		timer_start(&d->http_retry, HTTP_RETRY_MS);
	else
		timer_stop(&d->http_retry);
	return result;
}

/* That it could not has been said; that it can will be. */
static void on_http_retry(void *arg)
{
	struct err e = ERR_INIT;

	(void)open_http(arg, &e);
}

static void follow_config(struct daemon *d, struct config_strings *warnings)
{
	struct config *config = manager_config(d->manager);
	struct err unix_error = ERR_INIT, tcp_error = ERR_INIT;

	if (open_control(d, config, &unix_error))
		warn_of(warnings, &unix_error);
	if (open_http(d, &tcp_error))
		warn_of(warnings, &tcp_error);
	watcher_follow(d->watcher, config);
}

static void on_change(void *arg);

/* Whoever asks for it: the control interface, SIGHUP, a file that changed. */
static void reload(void *arg, enum control_reload how, struct config_strings *changes,
    struct config_errors *errors)
{
	struct daemon *d = arg;

	if (d->stopping) {
		config_errors_add(errors, NULL, 0, "adit is stopping");
		return;
	}
	if (how != CONTROL_RELOAD_DRY_RUN)
		notify_reloading(d->notify);
	reloader_reload(d->reloader, how, changes, errors);
	if (how == CONTROL_RELOAD_DRY_RUN)
		return;
	if (errors->n == 0)
		follow_config(d, changes);
	/* A reload ends when the new configuration is in force; whether all is up by then is another question. */
	notify_reloaded(d->notify);
	on_change(d);
}

/* The log says what came of it. */
static void reload_alone(struct daemon *d, enum control_reload how)
{
	struct config_strings changes = {0};
	struct config_errors errors = {0};

	reload(d, how, &changes, &errors);
	config_strings_clear(&changes);
	config_errors_clear(&errors);
}

static void on_file_change(void *arg)
{
	reload_alone(arg, CONTROL_RELOAD_SEEN);
}

/* ---- signals ---- */

static void stop(void *arg)
{
	struct daemon *d = arg;
	uint64_t drain_ms = d->stopping ? 0 : manager_config(d->manager)->drain_timeout_ms;

	log_info(NULL, "stopping", "drain_ms=%lu", (unsigned long)drain_ms);
	d->stopping = true;
	notify_stopping(d->notify);
	notify_status(d->notify, "stopping");
	notify_extend_timeout(d->notify, drain_ms + EXTRA_STOP_MS);
	fdstore_leave(d->fdstore);
	manager_shutdown(d->manager, drain_ms);
}

static void stop_soon(struct daemon *d)
{
	if (d->stopping)
		stop(d);
	else if (!timer_is_running(&d->stop))
		timer_start(&d->stop, SAID_TWICE_MS);
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
	struct daemon *d = arg;

	(void)what;
	switch (number) {
	case SIGHUP:
		if (d->has_file)
			reload_alone(d, CONTROL_RELOAD_APPLY);
		else
			stop_soon(d); /* the terminal was closed */
		break;
	case SIGUSR1:
		manager_retry_now(d->manager);
		break;
	default:
		stop_soon(d);
		break;
	}
}

/* nohup(1) */
static bool is_ignored(int number)
{
	struct sigaction now;

	return sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

void daemon_hold_signals(void)
{
	sigset_t held;

	sigemptyset(&held);
	sigaddset(&held, SIGHUP);
	sigaddset(&held, SIGUSR1);
	sigprocmask(SIG_BLOCK, &held, NULL);
}

static void watch_signals(struct daemon *d)
{
	static const int numbers[] = {SIGHUP, SIGUSR1, SIGTERM, SIGINT};
	sigset_t watched;

	sigemptyset(&watched);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		if (numbers[i] == SIGHUP && !d->has_file && is_ignored(SIGHUP))
			continue;
		d->signals[i] = evsignal_new(loop_base(d->loop), numbers[i], on_signal, d);
		event_add(d->signals[i], NULL);
		sigaddset(&watched, numbers[i]);
	}
	/* Whoever started us may have them blocked; and what came early is heard now. */
	sigprocmask(SIG_UNBLOCK, &watched, NULL);
}

/* ---- what systemd, clients and the network say and hear ---- */

static bool is_ready(const struct daemon *d, const struct manager_counts *counts)
{
	if (d->stopping)
		return false;
	return counts->required_not_up == 0 ||
	       manager_config(d->manager)->ready == CONFIG_READY_STARTED;
}

static void on_change(void *arg)
{
	struct daemon *d = arg;
	struct manager_counts counts;

	control_changed(d->control);
	if (d->stopping)
		return;
	fdstore_changed(d->fdstore);
	manager_get_counts(d->manager, &counts);
	char *status = str_format("%zu of %zu tunnels up", counts.up, counts.wanted);
	notify_status(d->notify, status);
	free(status);
	if (is_ready(d, &counts))
		notify_ready(d->notify);
}

static void on_net_change(void *arg, enum net_change change)
{
	struct daemon *d = arg;

	log_debug(NULL, "network-changed", "change=%s", net_change_name(change));
	manager_check_links(d->manager);
}

static size_t inherit(void *arg, const char *name, int fds[], size_t max)
{
	struct daemon *d = arg;

	return notify_take_fds(d->notify, name, fds, max);
}

static void describe(void *arg, struct status_daemon *ret)
{
	struct daemon *d = arg;
	struct manager_counts counts;

	manager_get_counts(d->manager, &counts);
	reloader_describe(d->reloader, ret);
	ret->ready = is_ready(d, &counts);
	ret->stopping = d->stopping;
}

/* ---- life ---- */

static void on_shut_down(void *arg)
{
	struct daemon *d = arg;

	loop_stop(d->loop);
}

static void daemon_init(struct daemon *d, const struct daemon_options *options)
{
	d->socket = options->socket;
	d->has_file = options->path != NULL;
	d->loop = loop_new();
	d->resolver = resolver_new(d->loop, NULL, NULL);
	d->notify = notify_new(d->loop);
	d->events = events_new();
	d->manager = manager_new(&(struct manager_options){.loop = d->loop,
	    .resolver = d->resolver,
	    .inherit = inherit,
	    .inherit_arg = d,
	    .on_change = on_change,
	    .on_shut_down = on_shut_down,
	    .arg = d});
	d->fdstore = fdstore_new(d->loop, d->notify, d->manager);
	d->watcher = watcher_new(d->loop, on_file_change, d);
	d->reloader = reloader_new(d->manager, options->path);
	d->control = control_new(&(struct control_options){.loop = d->loop,
	    .manager = d->manager,
	    .events = d->events,
	    .hooks = {.get_daemon = describe, .reload = reload, .arg = d}});
	timer_init(&d->http_retry, d->loop, on_http_retry, d);
	timer_init(&d->stop, d->loop, stop, d);
	d->net_watch = net_watch_new(d->loop, on_net_change, d);
	watch_signals(d);
}

/* libevent gives their old meaning back to signals that it watches no more: one that comes now would be an end by a signal. */
static void block_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
}

static void daemon_clear(struct daemon *d)
{
	block_signals();
	for (size_t i = 0; i < ARRAY_LEN(d->signals); i++)
		if (d->signals[i])
			event_free(d->signals[i]);
	timer_stop(&d->http_retry);
	timer_stop(&d->stop);
	net_watch_free(d->net_watch);
	watcher_free(d->watcher);
	fdstore_free(d->fdstore);
	control_free(d->control);
	manager_free(d->manager);
	reloader_free(d->reloader);
	events_free(d->events);
	notify_free(d->notify);
	resolver_free(d->resolver);
	loop_free(d->loop);
}

/* Clients hear how it ended, those that read. */
static void say_goodbye(struct daemon *d)
{
	control_end(d->control);
	for (int i = 0; i < LAST_PASSES; i++)
		loop_pass(d->loop, LOOP_NO_WAIT);
}

int daemon_run(const struct daemon_options *options)
{
	struct daemon d = {0};
	struct config_strings warnings = {0};
	struct err e = ERR_INIT;
	int code = EXIT_DONE;

	log_set_level(options->config->log_level);
	mem_tune_allocator();
	descriptors_raise_limit();
	daemon_init(&d, options);
	/* A daemon that two would control is no daemon: another one on the same socket ends this one. */
	if (open_control(&d, options->config, &e)) {
		code = command_fail(&e);
	} else {
		log_info(NULL, "started", "version=%s pid=%d path=%s", VERSION, (int)getpid(),
		    options->path ? options->path : "");
		reloader_start(d.reloader, options->config);
		follow_config(&d, &warnings);
		config_strings_clear(&warnings);
		notify_drop_leftovers(d.notify);
		loop_run(d.loop);
		log_info(NULL, "stopped", "pid=%d", (int)getpid());
		say_goodbye(&d);
	}
	daemon_clear(&d);
	return code;
}
