/*
 * What all kinds of forwards have in common: the list of streams and of sessions, the state, what is told and shown.
 */
#include "forward/forward.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "forward/kind.h"
#include "forward/stream.h"

static const struct forward_kind *kind_of(enum config_forward_kind kind)
{
	switch (kind) {
	case CONFIG_FORWARD_LOCAL:
	case CONFIG_FORWARD_SOCKS:
		return &local_kind;
	case CONFIG_FORWARD_REMOTE:
	case CONFIG_FORWARD_REMOTE_SOCKS:
		break;
	}
	return &remote_kind;
}

bool forward_asks_target(const struct forward *f)
{
	return f->config->kind == CONFIG_FORWARD_SOCKS ||
	       f->config->kind == CONFIG_FORWARD_REMOTE_SOCKS;
}

const char *forward_state_name(enum forward_state state)
{
	switch (state) {
	case FORWARD_WAITING:
		return "waiting";
	case FORWARD_UP:
		return "up";
	case FORWARD_FAILED:
		break;
	}
	return "failed";
}

/* ---- telling the owner ---- */

/* The owner may free the forward in any of its callbacks; the memory stays until the end of the pass. */
static void tell(void *arg)
{
	struct forward *f = arg;
	bool held = f->tell_held, change = f->tell_change, streams = f->tell_streams;

	f->tell_held = f->tell_change = f->tell_streams = false;
	if (held && !f->freed)
		f->callbacks.on_held(f->arg);
	if (streams && !f->freed && f->callbacks.on_streams)
		f->callbacks.on_streams(f->arg);
	if (change && !f->freed)
		f->callbacks.on_change(f->arg);
}

void forward_tell_held(struct forward *f)
{
	f->tell_held = true;
	task_schedule(&f->tell);
}

void forward_tell_change(struct forward *f)
{
	f->tell_change = true;
	task_schedule(&f->tell);
}

void forward_tell_streams(struct forward *f)
{
	f->tell_streams = true;
	task_schedule(&f->tell);
}

void forward_set_listen(struct forward *f, uint16_t port)
{
	const struct config_endpoint *at = &f->config->listen;
	char text[ENDPOINT_TEXT_MAX];

	free(f->listen);
	if (at->kind == CONFIG_TCP && at->port == 0 && port != 0)
		f->listen = mem_strdup(
		    endpoint_text(&(struct endpoint){.host = at->host, .port = port}, text));
	else
		f->listen = mem_strdup(at->text);
	f->log.value = f->listen;
}

/* ---- making and ending ---- */

static void free_buried(void *object)
{
	struct forward *f = object;

	access_free(f->access);
	free(f->sessions);
	free(f->target_error);
	free(f->listen);
	free(f);
}

struct forward *forward_new(const struct forward_env *env, const struct config_forward *config,
    uint64_t hold_timeout_ms, const struct forward_callbacks *callbacks, void *arg, struct err *e)
{
	struct err own = ERR_INIT;
	struct forward *f = NEW(struct forward);

	f->kind = kind_of(config->kind);
	f->env = *env;
	f->log = (struct log_context){.parent = env->log,
	    .key = config_forward_kind_name(config->kind),
	    .value = config->listen.text};
	f->config = config;
	f->hold_timeout_ms = hold_timeout_ms;
	f->callbacks = *callbacks;
	f->arg = arg;
	list_init(&f->streams);
	task_init(&f->tell, env->loop, tell, f);
	f->access = access_new(config, &own);
	if (f->access && f->kind->start(f, &own) == 0)
		return f;
	if (f->access)
		f->kind->free(f);
	task_cancel(&f->tell);
	free_buried(f);
	err_set(e, own.class, "%s", own.text);
	return NULL;
}

static void free_streams(struct forward *f)
{
	LIST_FOREACH(node, &f->streams)
	stream_free(CONTAINER_OF(node, struct stream, node));
}

void forward_free(struct forward *f)
{
	if (!f)
		return;
	f->freed = true;
	forward_stop_accepting(f);
	free_streams(f);
	f->kind->free(f);
	task_cancel(&f->tell);
	loop_bury(f->env.loop, free_buried, f);
}

/* Who has not said yet where it wants to go is no open stream. */
static void free_asking_streams(struct forward *f)
{
	LIST_FOREACH(node, &f->streams)
	{
		struct stream *s = CONTAINER_OF(node, struct stream, node);

		if (s->phase == STREAM_ASKING)
			stream_free(s);
	}
}

void forward_stop_accepting(struct forward *f)
{
	f->stopped = true;
	f->kind->stop(f);
	free_asking_streams(f);
	log_repeat_end(&f->refusals, &f->log);
	forward_tell_change(f);
}

/* ---- sessions ---- */

void forward_session_up(struct forward *f, struct session *s)
{
	for (size_t i = 0; i < f->session_count; i++)
		if (f->sessions[i] == s)
			return;
	f->sessions = mem_grow(f->sessions, f->session_count + 1, sizeof(struct session *));
	f->sessions[f->session_count++] = s;
	log_repeat_end(&f->refusals, &f->log);
	if (!f->stopped)
		f->kind->session_up(f, s);
	forward_tell_change(f);
}

static bool remove_session(struct forward *f, const struct session *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->session_count; i++)
		if (f->sessions[i] != s)
			f->sessions[kept++] = f->sessions[i];
	bool found = kept < f->session_count;

	f->session_count = kept;
	return found;
}

void forward_session_down(struct forward *f, struct session *s)
{
	if (!remove_session(f, s))
		return;
	if (!f->stopped)
		f->kind->session_down(f, s);
	forward_tell_change(f);
}

/* ---- changes ---- */

void forward_set_config(
    struct forward *f, const struct config_forward *config, uint64_t hold_timeout_ms)
{
	struct err e = ERR_INIT;
	struct access *access = access_new(config, &e);

	if (access) {
		access_free(f->access);
		f->access = access;
	} else {
		log_error(&f->log, "access-lists-kept", "reason=%s", e.text);
	}
	f->config = config;
	f->hold_timeout_ms = hold_timeout_ms;
	f->kind->config_changed(f);
	forward_tell_change(f);
}

void forward_set_target_error(struct forward *f, const char *reason)
{
	if (reason == f->target_error ||
	    (reason && f->target_error && strcmp(reason, f->target_error) == 0))
		return;
	free(f->target_error);
	f->target_error = mem_strdup(reason);
	forward_tell_change(f);
}

void forward_retry_now(struct forward *f)
{
	if (f->kind->retry_now)
		f->kind->retry_now(f);
}

/* ---- what one can see ---- */

static const char *reason_of(const struct forward *f)
{
	if (f->stopped)
		return "it accepts nothing any more";
	const char *reason = f->kind->not_up(f);

	return reason ? reason : f->target_error;
}

void forward_counts_add(struct forward_counts *sum, const struct forward_counts *counts)
{
	sum->streams += counts->streams;
	sum->streams_total += counts->streams_total;
	sum->held += counts->held;
	sum->refused += counts->refused;
	sum->failed += counts->failed;
	sum->bytes_in += counts->bytes_in;
	sum->bytes_out += counts->bytes_out;
}

enum forward_state forward_state(const struct forward *f, const char **ret_reason)
{
	const char *reason = reason_of(f);

	*ret_reason = reason ? reason : "";
	return reason ? FORWARD_WAITING : FORWARD_UP;
}

uint64_t forward_next_try_ms(const struct forward *f)
{
	return f->kind->next_try_ms ? f->kind->next_try_ms(f) : 0;
}

void forward_load_add(struct forward_load *sum, const struct forward *f)
{
	sum->streams += f->counts.streams;
	sum->held += f->counts.held;
}

void forward_get_status(const struct forward *f, struct forward_status *ret)
{
	*ret = (struct forward_status){
	    .kind = f->config->kind,
	    .listen = f->listen,
	    .to = f->config->to.text ? f->config->to.text : "",
	    .counts = f->counts,
	};
	ret->state = forward_state(f, &ret->reason);
	LIST_FOREACH(node, &f->streams)
	{
		const struct stream *s = CONTAINER_OF(node, struct stream, node);

		ret->counts.bytes_in += s->bytes_in;
		ret->counts.bytes_out += s->bytes_out;
	}
}

const struct config_forward *forward_config(const struct forward *f)
{
	return f->config;
}

static void visit_stream(const struct stream *s,
    void (*visit)(void *arg, const struct forward_stream_info *info), void *arg)
{
	uint64_t now = clock_now_ms();
	uint64_t active = s->relay ? relay_last_active_ms(s->relay) : s->began_ms;
	const struct forward_stream_info info = {
	    .id = s->id,
	    .listen = s->forward->listen,
	    .client = s->client_text,
	    .to = s->target_text ? s->target_text : "",
	    .bytes_in = s->bytes_in,
	    .bytes_out = s->bytes_out,
	    .age_ms = now - s->began_ms,
	    .idle_ms = now - active,
	};

	visit(arg, &info);
}

void forward_each_stream(const struct forward *f,
    void (*visit)(void *arg, const struct forward_stream_info *info), void *arg)
{
	LIST_FOREACH(node, &f->streams)
	{
		const struct stream *s = CONTAINER_OF(node, struct stream, node);

		if (s->phase != STREAM_HELD && s->phase != STREAM_ENDING)
			visit_stream(s, visit, arg);
	}
}

size_t forward_listen_fds(const struct forward *f, int fds[LISTENER_FDS_MAX])
{
	return f->kind->listen_fds(f, fds);
}

void forward_hand_over(struct forward *f, struct listener_legacy *ret_legacy)
{
	*ret_legacy = (struct listener_legacy){0};
	if (f->kind->hand_over)
		f->kind->hand_over(f, ret_legacy);
}
