/*
 * adit host-key: fetches the keys that a server proves it has, and prints them. A server shows one key in a key exchange, so each
 * algorithm gets a connection of its own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "command/command.h"
#include "command/load.h"
#include "config/read.h"
#include "config/ssh_spec.h"
#include "net/bev.h"
#include "net/connector.h"
#include "ssh/direct.h"
#include "ssh/hostkey.h"
#include "ssh/known_hosts.h"
#include "ssh/transport.h"
#include "tunnel/login.h"
#include "tunnel/visit.h"

/* One for each type of key: both names of RSA's signatures stand for the same key. */
static const char *const algorithms[] = {"ssh-ed25519", "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com", "rsa-sha2-512,rsa-sha2-256"};

struct fetch {
	struct loop *loop;
	struct resolver *resolver;
	struct config *config; /* may be NULL */

	/* Where to */
	char *address;
	uint16_t port;
	const char *name; /* to stand in known_hosts */
	uint16_t name_port;
	const char *bind_address;
	uint64_t timeout_ms;
	const struct config_host *via;

	struct visit *visit; /* of the jump host */
	struct session *jump;

	size_t index; /* of the algorithm */
	struct connector *connector;
	struct channel *channel; /* through the jump host, while it opens */
	struct hostkey_policy *policy;
	struct transport *transport;
	struct timer deadline;
	struct task next;

	char *listed; /* what the server says it has, by its first KEXINIT; NULL: it has not said */
	size_t found;
	struct err problem; /* the first that was not the lack of such a key */
	bool ended;         /* it would be met again with the next algorithm */
};

/* ---- one algorithm ---- */

static void drop(struct fetch *f)
{
	timer_stop(&f->deadline);
	connector_cancel(f->connector);
	f->connector = NULL;
	if (f->channel) {
		channel_set_callbacks(f->channel, &(struct channel_callbacks){0}, NULL);
		channel_close(f->channel);
		f->channel = NULL;
	}
	transport_free(f->transport);
	f->transport = NULL;
	hostkey_policy_free(f->policy);
	f->policy = NULL;
}

static void print_key(struct fetch *f)
{
	char *line = known_hosts_line(f->name, f->name_port, hostkey_policy_seen(f->policy));

	printf("# %s\n%s\n", hostkey_policy_fingerprint(f->policy), line);
	free(line);
	f->found++;
}

static void note_list(struct fetch *f)
{
	struct span list = f->transport ? transport_peer_host_keys(f->transport) : SPAN("", 0);

	if (!f->listed && list.n)
		f->listed = span_strdup(list);
}

/* A server that has not said what it has may have it. */
static bool is_listed(const struct fetch *f, size_t index)
{
	struct span names = span_of(algorithms[index]), name;

	if (!f->listed)
		return true;
	while (name_list_next(&names, &name)) {
		char *text = span_strdup(name);
		bool is = name_list_has(span_of(f->listed), text);
		free(text);
		if (is)
			return true;
	}
	return false;
}

/* A server may list what it has no key for, and break off when that is asked for: its other keys are as good. */
static void take_problem(struct fetch *f, const struct err *e)
{
	bool broke_off = f->listed && e->class == ERR_NETWORK;
	/* Nothing in common: here nobody has configured what we take. */
	enum error_class class = e->class == ERR_CONFIG ? ERR_PEER : e->class;

	if (broke_off)
		err_set(&f->problem, class, "%s: %s", algorithms[f->index], e->text);
	else
		err_set(&f->problem, class, "%s", e->text);
	f->ended = !broke_off;
}

/* This algorithm is done with; the next one begins from the loop. */
static void finish(struct fetch *f, const struct err *e)
{
	bool seen = f->policy && hostkey_policy_seen(f->policy).n > 0;

	note_list(f);
	if (seen)
		print_key(f);
	else if (is_listed(f, f->index))
		take_problem(f, e);
	timer_stop(&f->deadline);
	f->index++;
	task_schedule(&f->next);
}

static void on_transport_closed(void *arg, const struct err *e)
{
	finish(arg, e);
}

/* HOSTKEY_FETCH accepts nothing. */
static void on_ready(void *arg)
{
	(void)arg;
}

static int on_message(void *arg, struct span payload, struct err *e)
{
	(void)arg;
	(void)payload;
	return err_set(e, ERR_PEER, "a message before the key exchange");
}

static void on_can_send(void *arg)
{
	(void)arg;
}

static void on_deadline(void *arg)
{
	struct fetch *f = arg;
	struct err e = ERR_INIT;

	if (f->channel)
		err_set(&e, ERR_TIMEOUT, "jump host %s did not connect to %s:%u in time",
		    f->via->name, f->address, f->port);
	else
		err_set(&e, ERR_TIMEOUT, "the server did not finish a key exchange in time");
	finish(f, &e);
}

static void exchange(struct fetch *f, struct bufferevent *bev)
{
	static const struct transport_callbacks callbacks = {.on_ready = on_ready,
	    .on_message = on_message,
	    .on_can_send = on_can_send,
	    .on_closed = on_transport_closed};
	struct hostkey_options options = {
	    .name = f->name, .port = f->name_port, .address = f->address, .check = HOSTKEY_FETCH};
	struct err e = ERR_INIT;

	f->policy = hostkey_policy_new(&options, &e);
	if (!f->policy) {
		bev_free(bev);
		finish(f, &e);
		return;
	}
	timer_start(&f->deadline, f->timeout_ms);
	f->transport = transport_new(f->loop, bev,
	    &(struct transport_options){
		.prefs = {.host_key = algorithms[f->index]}, .hostkey = f->policy},
	    &callbacks, f);
}

/* ---- connecting ---- */

static void on_connected(void *arg, int fd, const struct addr *peer, const struct err *e)
{
	struct fetch *f = arg;

	(void)peer;
	f->connector = NULL;
	if (fd < 0)
		finish(f, e);
	else
		exchange(f, bev_socket_new(f->loop, fd));
}

static void on_channel_open(void *arg, struct channel *c)
{
	struct fetch *f = arg;

	f->channel = NULL;
	channel_set_callbacks(c, &(struct channel_callbacks){0}, NULL);
	exchange(f, channel_bev(c));
}

static void on_channel_refused(void *arg, struct channel *c, uint32_t code, struct span text)
{
	struct fetch *f = arg;
	struct strbuf words = {0};
	struct err e = ERR_INIT;

	(void)c;
	(void)code;
	f->channel = NULL;
	strbuf_add_printable(&words, text);
	err_set(&e, ERR_NETWORK, "jump host %s cannot connect to %s:%u: %s", f->via->name,
	    f->address, f->port, strbuf_text(&words));
	strbuf_clear(&words);
	finish(f, &e);
}

static void on_channel_closed(void *arg, struct channel *c, const struct err *why)
{
	struct fetch *f = arg;
	struct err e = ERR_INIT;

	(void)c;
	f->channel = NULL;
	err_set(&e, ERR_NETWORK, "jump host %s: %s", f->via->name,
	    why ? why->text : "the channel was closed");
	finish(f, &e);
}

static void connect_through_jump(struct fetch *f)
{
	static const struct channel_callbacks callbacks = {.on_open = on_channel_open,
	    .on_open_failed = on_channel_refused,
	    .on_close = on_channel_closed};
	struct direct_target target = {.host = f->address, .port = f->port};
	struct err e = ERR_INIT;

	f->channel = session_open_direct(f->jump, &target, &callbacks, f, &e);
	if (f->channel)
		timer_start(&f->deadline, f->timeout_ms);
	else
		finish(f, &e);
}

static void connect_directly(struct fetch *f)
{
	struct endpoint to = {.host = f->address, .port = f->port};

	f->connector = connector_start(f->loop, &to,
	    &(struct connector_options){.resolver = f->resolver,
		.bind_address = f->bind_address,
		.timeout_ms = f->timeout_ms},
	    on_connected, f);
}

static void next(void *arg)
{
	struct fetch *f = arg;

	drop(f);
	while (f->index < ARRAY_LEN(algorithms) && !is_listed(f, f->index))
		f->index++;
	if (f->index == ARRAY_LEN(algorithms) || f->ended)
		loop_stop(f->loop);
	else if (f->via)
		connect_through_jump(f);
	else
		connect_directly(f);
}

static void on_jump_up(void *arg, struct session *s)
{
	struct fetch *f = arg;

	f->jump = s;
	task_schedule(&f->next);
}

static void on_jump_failed(void *arg, const struct err *e)
{
	struct fetch *f = arg;

	err_set(&f->problem, e->class, "jump host %s: %s", f->via->name, e->text);
	loop_stop(f->loop);
}

static int fetch_all(struct fetch *f)
{
	static const struct visit_callbacks callbacks = {
	    .on_up = on_jump_up, .on_failed = on_jump_failed};

	f->loop = loop_new();
	f->resolver = resolver_new(f->loop, NULL, NULL);
	timer_init(&f->deadline, f->loop, on_deadline, f);
	task_init(&f->next, f->loop, next, f);
	if (f->via)
		f->visit = visit_new(f->loop, f->resolver, f->config, f->via, &callbacks, f);
	else
		task_schedule(&f->next);
	loop_run(f->loop);
	drop(f);
	task_cancel(&f->next);
	visit_free(f->visit);
	resolver_free(f->resolver);
	loop_free(f->loop);
	if (f->found == 0)
		err_set(&f->problem, ERR_PEER, "%s:%u has no host key of a type that adit knows",
		    f->address, f->port);
	int code = err_is_set(&f->problem) ? command_fail(&f->problem) : EXIT_DONE;
	return f->found ? EXIT_DONE : code;
}

/* ---- the command line ---- */

/* A hop of ssh's, but nobody logs in. */
static bool aim_at_address(struct fetch *f, const char *target)
{
	struct ssh_destination to = {0};
	struct err e = ERR_INIT;

	if (ssh_jump_parse(target, &to, &e) < 0)
		return false;
	if (to.user) {
		ssh_destination_clear(&to);
		return false;
	}
	f->address = to.host;
	f->port = to.port ? to.port : 22;
	f->name = f->address;
	f->name_port = f->port;
	f->timeout_ms = 10000;
	return true;
}

/* A host of the configuration by its name, with its jumps; else an address. */
static bool aim(struct fetch *f, const char *target)
{
	const struct config_host *host = f->config ? config_find_host(f->config, target) : NULL;

	if (!host)
		return aim_at_address(f, target);
	f->address = mem_strdup(host->address);
	f->port = host->port;
	f->name = login_host_key_name(host);
	f->name_port = login_host_key_port(host);
	f->bind_address = host->bind_address;
	f->timeout_ms = host->connect_timeout_ms;
	f->via = host->via ? config_find_host(f->config, host->via) : NULL;
	return true;
}

static int host_key(const struct command *command, int argc, char **argv)
{
	struct fetch f = {.problem = ERR_INIT};
	const char *file = NULL;
	int code = command_take_file(command, argc, argv, "c:h", &file);

	if (code != COMMAND_GOES_ON)
		return code;
	if (optind + 1 != argc)
		return command_usage_error(command, optind < argc ? "one host" : "which host?");
	if (load_config_if_any(file, &f.config) < 0)
		return EXIT_CONFIG;
	if (f.config)
		load_print_warnings(f.config);
	log_set_level(LOG_LEVEL_ERROR);
	if (aim(&f, argv[optind]))
		code = fetch_all(&f);
	else
		code = command_usage_error(command, "\"%s\" is no HOST[:PORT]", argv[optind]);
	free(f.listed);
	free(f.address);
	config_unref(f.config);
	return code;
}

const struct command command_host_key = {
    .name = "host-key",
    .arguments = "[-c FILE] HOST[:PORT]",
    .summary = "Fetches a server's host keys and prints them; trusts nothing by itself",
    .help =
	"  -c, --config FILE   the configuration file: HOST may be a name of its hosts\n"
	"\n"
	"Prints lines for known_hosts, each under its SHA256 fingerprint. Compare those with what "
	"the\n"
	"server's administrator says before you trust them.\n",
    .run = host_key,
};
