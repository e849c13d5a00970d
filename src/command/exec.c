/*
 * adit exec: a command on a configured host, over a connection of its own. stdin, stdout, stderr and the exit status are the
 * command's.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "command/command.h"
#include "command/load.h"
#include "ssh/agent.h"
#include "ssh/agent_forward.h"
#include "ssh/exec.h"
#include "tunnel/login.h"
#include "tunnel/visit.h"

enum {
	READ_BYTES = 32 * 1024,
	WRITE_BYTES = 4096, /* PIPE_BUF: what a pipe that is writable takes without blocking */
	UNKNOWN_SIGNAL = 127
};

struct run;

/* stdout or stderr. The descriptor stays blocking: others share it. */
struct sink {
	struct run *run;
	int fd;
	struct evbuffer
	    *kept; /* bounded by the channel's window: credit goes back when it was written */
	struct event *writable; /* NULL: a file, which always is */
};

struct run {
	struct loop *loop;
	const struct config_host *host;
	const char *command;
	struct visit *visit;
	struct exec *exec;
	struct sink out, err;
	struct event *readable; /* stdin; NULL: a file */
	struct task read_file;
	bool stdin_ended;
	bool ended; /* what is kept is still to be written */
	int code;
};

/* ---- descriptors ---- */

/* Files and some devices cannot be waited for: they never block. */
static bool can_be_waited_for(int fd)
{
	struct epoll_event event = {.events = EPOLLIN};
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	bool can = epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;

	close(epoll);
	return can;
}

static void maybe_stop(struct run *run)
{
	if (run->ended && evbuffer_get_length(run->out.kept) == 0 &&
	    evbuffer_get_length(run->err.kept) == 0)
		loop_stop(run->loop);
}

/* Where nobody reads any more it is as the shell would say it. */
static void output_failed(struct sink *sink, int error)
{
	struct run *run = sink->run;

	run->code = 128 + SIGPIPE;
	if (error != EPIPE) {
		run->code = EXIT_OTHER;
		fprintf(stderr, "adit: standard %s: %s\n", sink == &run->out ? "output" : "error",
		    strerror(error));
	}
	run->ended = true;
	evbuffer_drain(run->out.kept, evbuffer_get_length(run->out.kept));
	evbuffer_drain(run->err.kept, evbuffer_get_length(run->err.kept));
	loop_stop(run->loop);
}

/* ---- stdout and stderr ---- */

static void on_sink_writable(evutil_socket_t fd, short what, void *arg)
{
	struct sink *sink = arg;
	int n = evbuffer_write_atmost(sink->kept, fd, WRITE_BYTES);

	(void)what;
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		output_failed(sink, errno);
		return;
	}
	if (n > 0 && sink->run->exec)
		exec_consumed(sink->run->exec, (size_t)n);
	if (evbuffer_get_length(sink->kept) > 0)
		event_add(sink->writable, NULL);
	maybe_stop(sink->run);
}

/* To a file: all of it, now. */
static void write_through(struct sink *sink)
{
	while (evbuffer_get_length(sink->kept) > 0) {
		if (evbuffer_write(sink->kept, sink->fd) >= 0 || errno == EINTR)
			continue;
		output_failed(sink, errno);
		return;
	}
}

static size_t take(struct sink *sink, struct span data)
{
	evbuffer_add(sink->kept, data.p, data.n);
	if (sink->writable) {
		event_add(sink->writable, NULL);
		return 0;
	}
	write_through(sink);
	return data.n;
}

static size_t on_stdout(void *arg, struct span data)
{
	struct run *run = arg;

	return take(&run->out, data);
}

static size_t on_stderr(void *arg, struct span data)
{
	struct run *run = arg;

	return take(&run->err, data);
}

/* ---- stdin ---- */

static void want_stdin(struct run *run)
{
	if (run->stdin_ended || !run->exec || exec_full(run->exec))
		return;
	if (run->readable)
		event_add(run->readable, NULL);
	else
		task_schedule(&run->read_file);
}

/* Without EOF, which would say that the command had all of it. What the command printed is still written. */
static void input_failed(struct run *run, int error)
{
	fprintf(stderr, "adit: standard input: %s\n", strerror(error));
	run->code = EXIT_OTHER;
	run->ended = true;
	exec_free(run->exec);
	run->exec = NULL;
	maybe_stop(run);
}

static void read_stdin(struct run *run)
{
	uint8_t bytes[READ_BYTES];

	if (!run->exec || run->stdin_ended)
		return;
	ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		want_stdin(run);
	} else if (n < 0 && errno != EBADF) {
		input_failed(run, errno);
	} else if (
	    n <= 0) { /* EBADF: it is for writing alone, as nohup(1) leaves it: there is no input */
		run->stdin_ended = true;
		exec_eof(run->exec);
	} else {
		exec_write(run->exec, SPAN(bytes, (size_t)n));
		want_stdin(run);
	}
}

static void on_stdin_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	read_stdin(arg);
}

static void on_file_turn(void *arg)
{
	read_stdin(arg);
}

static void on_writable(void *arg)
{
	want_stdin(arg);
}

/* ---- how it ends ---- */

/* RFC 4254 §6.10 has these names; the numbers are this system's. */
static int signal_number(const char *name)
{
	static const struct {
		const char *name;
		int number;
	} signals[] = {{"ABRT", SIGABRT}, {"ALRM", SIGALRM}, {"FPE", SIGFPE}, {"HUP", SIGHUP},
	    {"ILL", SIGILL}, {"INT", SIGINT}, {"KILL", SIGKILL}, {"PIPE", SIGPIPE},
	    {"QUIT", SIGQUIT}, {"SEGV", SIGSEGV}, {"TERM", SIGTERM}, {"USR1", SIGUSR1},
	    {"USR2", SIGUSR2}};

	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		if (strcmp(signals[i].name, name) == 0)
			return signals[i].number;
	return UNKNOWN_SIGNAL;
}

static int code_of(const struct exec_result *result)
{
	if (!result->exited)
		return 128 + signal_number(result->signal);
	return result->status <= 255 ? (int)result->status : 255;
}

static void on_exit_of_command(void *arg, const struct exec_result *result, const struct err *e)
{
	struct run *run = arg;

	/* Unless its output had nowhere to go: that is how it ended then. */
	if (!run->ended)
		run->code = e && err_is_set(e) ? command_fail(e) : code_of(result);
	run->ended = true;
	exec_free(run->exec);
	run->exec = NULL;
	maybe_stop(run);
}

/* ---- the connection ---- */

static void on_up(void *arg, struct session *s)
{
	static const struct exec_callbacks callbacks = {.on_stdout = on_stdout,
	    .on_stderr = on_stderr,
	    .on_writable = on_writable,
	    .on_exit = on_exit_of_command};
	struct run *run = arg;
	struct err e = ERR_INIT;
	const char *agent = login_agent_path(run->host);

	/* One that is not there is not promised to the command, as with ssh. */
	if (run->host->forward_agent && agent && agent_check(agent, NULL) == 0)
		agent_forward_start(s, agent);
	run->exec = session_exec(s, run->command, &callbacks, run, &e);
	if (!run->exec) {
		run->code = command_fail(&e);
		run->ended = true;
		loop_stop(run->loop);
		return;
	}
	want_stdin(run);
}

static void on_failed(void *arg, const struct err *e)
{
	struct run *run = arg;

	/* The command heard of it already. */
	if (run->ended)
		return;
	run->code = command_fail(e);
	run->ended = true;
	loop_stop(run->loop);
}

static void sink_init(struct sink *sink, struct run *run, int fd)
{
	*sink = (struct sink){.run = run, .fd = fd, .kept = evbuffer_new()};
	if (can_be_waited_for(fd))
		sink->writable =
		    event_new(loop_base(run->loop), fd, EV_WRITE, on_sink_writable, sink);
}

static void sink_clear(struct sink *sink)
{
	if (sink->writable)
		event_free(sink->writable);
	evbuffer_free(sink->kept);
}

static int run_command(struct config *config, const struct config_host *host, const char *command)
{
	static const struct visit_callbacks callbacks = {.on_up = on_up, .on_failed = on_failed};
	struct run run = {.loop = loop_new(), .host = host, .command = command};
	struct resolver *resolver = resolver_new(run.loop, NULL, NULL);

	sink_init(&run.out, &run, STDOUT_FILENO);
	sink_init(&run.err, &run, STDERR_FILENO);
	task_init(&run.read_file, run.loop, on_file_turn, &run);
	if (can_be_waited_for(STDIN_FILENO))
		run.readable =
		    event_new(loop_base(run.loop), STDIN_FILENO, EV_READ, on_stdin_readable, &run);
	run.visit = visit_new(run.loop, resolver, config, host, &callbacks, &run);
	loop_run(run.loop);
	exec_free(run.exec);
	visit_free(run.visit);
	task_cancel(&run.read_file);
	if (run.readable)
		event_free(run.readable);
	sink_clear(&run.out);
	sink_clear(&run.err);
	resolver_free(resolver);
	loop_free(run.loop);
	return run.code;
}

/* ---- the command line ---- */

/* As ssh does: the words with a space between. */
static char *join(int count, char *const *words)
{
	struct strbuf out = {0};

	for (int i = 0; i < count; i++) {
		strbuf_add(&out, i ? " " : "");
		strbuf_add(&out, words[i]);
	}
	return strbuf_take(&out);
}

static int exec_command(const struct command *command, int argc, char **argv)
{
	const char *file = NULL;
	int code = command_take_file(command, argc, argv, "+c:h", &file);

	if (code != COMMAND_GOES_ON)
		return code;
	int first = optind + 1;
	if (first < argc && strcmp(argv[first], "--") == 0)
		first++;
	if (first >= argc)
		return command_usage_error(
		    command, optind < argc ? "which command?" : "on which host?");
	struct config *config = load_config(file, NULL);
	if (!config)
		return EXIT_CONFIG;
	const struct config_host *host = config_find_host(config, argv[optind]);
	if (host) {
		char *line = join(argc - first, argv + first);

		log_set_level(LOG_LEVEL_ERROR);
		code = run_command(config, host, line);
		free(line);
	} else {
		struct err e = ERR_INIT;

		err_set(&e, ERR_CONFIG, "%s: there is no host \"%s\"", config->path, argv[optind]);
		code = command_fail(&e);
	}
	config_unref(config);
	return code;
}

const struct command command_exec = {
    .name = "exec",
    .arguments = "[-c FILE] NAME -- COMMAND...",
    .summary = "Runs a command on a configured host, over a connection of its own",
    .help = "  -c, --config FILE   the configuration file\n"
	    "\n"
	    "stdin, stdout and stderr are the command's, and so is the exit status; 128 + n when "
	    "signal n\n"
	    "ended it. No daemon is needed.\n",
    .run = exec_command,
};
