/*
 * A command is a session channel with an exec request; what it prints comes as data and extended data, how it ended as requests
 * of the server, and CLOSE is the end. The output goes to whoever started it, and credit for it goes back when he took it.
 */
#include "ssh/exec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "ssh/agent_forward.h"

enum { EXTENDED_DATA_STDERR = 1 };

struct exec {
	struct loop *loop;
	struct channel *channel; /* NULL once it is gone */
	char *command;
	struct exec_callbacks callbacks;
	void *arg;
	struct exec_result result;
	bool refused; /* the exec request, or it was never answered */
};

static void free_buried(void *object)
{
	struct exec *x = object;

	free(x->command);
	free(x);
}

static void finish(struct exec *x, const struct err *e)
{
	x->channel = NULL;
	if (x->callbacks.on_exit)
		x->callbacks.on_exit(x->arg, &x->result, e);
}

/* ---- how it goes ---- */

static void on_exec_reply(void *arg, struct channel *c, bool success)
{
	struct exec *x = arg;
	struct err e = ERR_INIT;

	x->refused = !success;
	if (success || channel_remote_closed(c))
		return;
	/* Nothing more is to come, and not every server closes a channel on which nothing runs. */
	err_set(&e, ERR_PEER, "the server refused to run the command");
	channel_give_up(c);
	finish(x, &e);
}

static void on_open(void *arg, struct channel *c)
{
	struct exec *x = arg;
	struct wr command = WR_INIT;

	agent_forward_request(c);
	wr_cstring(&command, x->command);
	channel_send_request(c, "exec", wr_span(&command), on_exec_reply, x);
	wr_clear(&command);
}

static void on_open_failed(void *arg, struct channel *c, uint32_t code, struct span text)
{
	struct exec *x = arg;
	struct strbuf words = {0};
	struct err e = ERR_INIT;

	(void)c;
	strbuf_add_escaped(&words, text);
	err_set(&e, ERR_PEER, "the server opens no session channel: code %u, \"%s\"", code,
	    strbuf_text(&words));
	strbuf_clear(&words);
	finish(x, &e);
}

static size_t on_data(void *arg, struct channel *c, struct span data)
{
	struct exec *x = arg;

	(void)c;
	return x->callbacks.on_stdout ? x->callbacks.on_stdout(x->arg, data) : data.n;
}

static size_t on_extended_data(void *arg, struct channel *c, uint32_t type, struct span data)
{
	struct exec *x = arg;

	(void)c;
	if (type != EXTENDED_DATA_STDERR || !x->callbacks.on_stderr)
		return data.n;
	return x->callbacks.on_stderr(x->arg, data);
}

static void on_process(void *arg, struct channel *c)
{
	struct exec *x = arg;

	(void)c;
	if (x->callbacks.on_writable)
		x->callbacks.on_writable(x->arg);
}

/* ---- how it ends ---- */

static void copy_text(char *to, size_t size, struct span from)
{
	size_t n = from.n < size - 1 ? from.n : size - 1;

	memcpy(to, from.p, n);
	to[n] = '\0';
}

/* RFC 4254 §6.10 */
static bool take_exit_status(struct exec *x, struct span extra)
{
	struct rd r;
	uint32_t status;

	rd_init(&r, extra);
	status = rd_u32(&r); /* exit_status */
	if (rd_end(&r))
		return false;
	x->result.exited = true;
	x->result.status = status;
	return true;
}

/* RFC 4254 §6.10: string, boolean, string, string. */
static bool take_exit_signal(struct exec *x, struct span extra)
{
	struct rd r;
	struct span name, message;
	bool core_dumped;

	rd_init(&r, extra);
	name = rd_string(&r);      /* signal name without "SIG" */
	core_dumped = rd_bool(&r); /* core dumped */
	message = rd_string(&r);   /* error message */
	rd_string(&r);             /* language tag */
	if (rd_end(&r) || name.n == 0 || !span_is_text(name))
		return false;
	copy_text(x->result.signal, sizeof(x->result.signal), name);
	copy_text(x->result.message, sizeof(x->result.message), message);
	x->result.core_dumped = core_dumped;
	return true;
}

static bool on_request(
    void *arg, struct channel *c, struct span type, struct span extra, bool want_reply)
{
	(void)c;
	(void)want_reply;
	if (span_is(type, "exit-status"))
		return take_exit_status(arg, extra);
	if (span_is(type, "exit-signal"))
		return take_exit_signal(arg, extra);
	return false;
}

static void on_close(void *arg, struct channel *c, const struct err *lost)
{
	struct exec *x = arg;
	bool has_ended = x->result.exited || x->result.signal[0];
	struct err e = ERR_INIT;

	/* A server may say how the command ended while output of it is still on the way. */
	if (has_ended && (!lost || channel_eof_received(c))) {
		finish(x, NULL);
		return;
	}
	if (has_ended)
		err_set(&e, lost->class,
		    "%s; the command had ended, but some of its output may be missing", lost->text);
	else if (lost)
		e = *lost;
	else if (x->refused)
		err_set(&e, ERR_PEER, "the server refused to run the command");
	else
		err_set(&e, ERR_PEER,
		    "the server closed the channel and did not say how the command ended");
	finish(x, &e);
}

/* ---- from outside ---- */

struct exec *session_exec(struct session *s, const char *command,
    const struct exec_callbacks *callbacks, void *arg, struct err *e)
{
	static const struct channel_callbacks channel_callbacks = {
	    .on_open = on_open,
	    .on_open_failed = on_open_failed,
	    .on_data = on_data,
	    .on_extended_data = on_extended_data,
	    .on_process = on_process,
	    .on_request = on_request,
	    .on_close = on_close,
	};
	struct exec *x = NEW(struct exec);

	x->loop = session_event_loop(s);
	x->command = mem_strdup(command);
	x->callbacks = *callbacks;
	x->arg = arg;
	x->channel = session_open_channel(s, "session", SPAN(NULL, 0), &channel_callbacks, x, e);
	if (!x->channel) {
		free_buried(x);
		return NULL;
	}
	return x;
}

void exec_write(struct exec *x, struct span data)
{
	if (x->channel && !channel_is_closing(x->channel))
		channel_send(x->channel, data);
}

bool exec_full(const struct exec *x)
{
	return x->channel && channel_full(x->channel);
}

void exec_eof(struct exec *x)
{
	if (x->channel)
		channel_eof(x->channel);
}

void exec_consumed(struct exec *x, size_t bytes)
{
	if (x->channel)
		channel_consumed(x->channel, bytes);
}

void exec_free(struct exec *x)
{
	if (!x)
		return;
	x->callbacks = (struct exec_callbacks){0};
	if (x->channel)
		channel_give_up(x->channel);
	x->channel = NULL;
	loop_bury(x->loop, free_buried, x);
}

/* ---- the waiting form ---- */

struct waiting {
	size_t max;
	struct wr *out, *err;
	struct exec_result *result;
	struct err *e;
	bool done;
	bool too_much;
};

static size_t keep(struct waiting *w, struct wr *to, struct span data)
{
	if (data.n > w->max - to->n)
		w->too_much = true;
	else
		wr_span_bytes(to, data);
	return data.n;
}

static size_t keep_stdout(void *arg, struct span data)
{
	struct waiting *w = arg;

	return keep(w, w->out, data);
}

static size_t keep_stderr(void *arg, struct span data)
{
	struct waiting *w = arg;

	return keep(w, w->err, data);
}

static void keep_result(void *arg, const struct exec_result *result, const struct err *e)
{
	struct waiting *w = arg;

	w->done = true;
	*w->result = *result;
	if (e)
		err_set(w->e, e->class, "%s", e->text);
}

static bool goes_on(void *arg)
{
	const struct waiting *w = arg;

	return !w->done && !w->too_much;
}

int session_exec_wait(struct session *s, const char *command, size_t max, struct wr *ret_stdout,
    struct wr *ret_stderr, struct exec_result *ret_result, struct err *e)
{
	static const struct exec_callbacks callbacks = {
	    .on_stdout = keep_stdout, .on_stderr = keep_stderr, .on_exit = keep_result};
	struct err ours = ERR_INIT, why = ERR_INIT;
	struct exec_result result = {0};
	struct wr out = WR_INIT, err = WR_INIT;
	struct waiting w = {.max = max, .out = &out, .err = &err, .result = &result, .e = &ours};
	struct exec *x = session_exec(s, command, &callbacks, &w, &ours);

	if (x) {
		exec_eof(x);
		session_loop(s, LOOP_WAIT, goes_on, &w);
		exec_free(x);
	}
	if (w.too_much)
		err_set(&ours, ERR_LOCAL, "the command printed more than %zu bytes", max);
	else if (!w.done && session_closed(s, &why))
		err_set(&ours, why.class, "%s", why.text);
	else if (!w.done)
		err_set(&ours, ERR_LOCAL, "nothing is left to wait for");
	if (err_is_set(&ours)) {
		wr_clear(&out);
		wr_clear(&err);
		return err_set(e, ours.class, "%s", ours.text);
	}
	*ret_stdout = out;
	*ret_stderr = err;
	*ret_result = result;
	return 0;
}
