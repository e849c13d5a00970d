/*
 * A session's life, its table of channels, and the dispatch of messages. What it sends is the pump's; requests, keepalive and
 * the turning of the loop have files of their own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ssh/connection.h"

enum {
	DEFAULT_MAXIMUM_PACKET = 0x8000,
	DEFAULT_WINDOW = 2 * 1024 * 1024,
	DEFAULT_WINDOW_MAX = 16 * 1024 * 1024,
	DEFAULT_WINDOW_BUDGET = 64 * 1024 * 1024,
	DEFAULT_CHANNELS_MAX = 65536,
	DEFAULT_KEEPALIVE_COUNT = 3,
	TYPE_MAX = 256 /* of a name that the peer chose and we repeat */
};

/* ---- life ---- */

struct hook {
	struct list node;
	void (*run)(void *arg);
	void *arg;
};

static void set_defaults(struct session_options *o)
{
	if (!o->maximum_packet)
		o->maximum_packet = DEFAULT_MAXIMUM_PACKET;
	if (!o->window)
		o->window = DEFAULT_WINDOW;
	if (!o->window_max)
		o->window_max = DEFAULT_WINDOW_MAX;
	if (!o->window_budget)
		o->window_budget = DEFAULT_WINDOW_BUDGET;
	if (!o->channels_max)
		o->channels_max = DEFAULT_CHANNELS_MAX;
	if (!o->keepalive_count)
		o->keepalive_count = DEFAULT_KEEPALIVE_COUNT;
	if (o->window_max < o->window)
		o->window_max = o->window;
}

static void on_close_deadline(void *arg)
{
	struct session *s = arg;
	struct err e = ERR_INIT;

	err_set(&e, ERR_CANCELLED, "closed, with %zu channels that did not end in time",
	    session_channel_count(s));
	transport_disconnect(s->transport, DISCONNECT_BY_APPLICATION, "closed");
	session_end(s, &e, SESSION_TELL);
}

struct session *session_new(
    struct loop *loop, struct transport *t, const struct session_options *options)
{
	struct session *s = NEW(struct session);

	s->loop = loop;
	s->transport = t;
	s->options = *options;
	set_defaults(&s->options);
	s->host = mem_strdup(options->host ? options->host : "");
	s->options.host = s->host;
	s->channels = map_new();
	s->openers = map_new();
	s->handlers = map_new();
	s->properties = map_new();
	list_init(&s->in_order);
	list_init(&s->on_free);
	list_init(&s->watches);
	timer_init(&s->close, loop, on_close_deadline, s);
	requests_init(s);
	pump_init(s);
	keepalive_init(s);
	sharing_init(s);
	return s;
}

void session_end(struct session *s, const struct err *reason, enum session_tell tell)
{
	if (s->state != SESSION_CLOSED) {
		s->state = SESSION_CLOSED;
		s->reason = *reason;
		timer_stop(&s->close);
		keepalive_stop(s);
		sharing_stop(s);
		pump_stop(s);
		watches_clear(s);
	}
	if (tell == SESSION_DO_NOT_TELL)
		s->ending = true;
	/* A callback may get us here again, by session_free(): then the inner call does the rest. */
	while (!list_empty(&s->in_order))
		channel_end(CONTAINER_OF(s->in_order.next, struct channel, in_session), &s->reason);
	requests_lost(s);
	if (s->ending)
		return;
	s->ending = true;
	if (s->options.on_closed)
		s->options.on_closed(s->options.arg, &s->reason);
}

void session_abort(struct session *s, const struct err *reason)
{
	session_end(s, reason, SESSION_DO_NOT_TELL);
}

static void run_hooks(struct session *s)
{
	while (!list_empty(&s->on_free)) {
		struct hook *hook = CONTAINER_OF(s->on_free.prev, struct hook, node);

		list_remove(&hook->node);
		hook->run(hook->arg);
		free(hook);
	}
}

static void free_values(struct map *m)
{
	void *value;

	for (size_t cursor = 0; (value = map_next(m, &cursor));)
		free(value);
	map_free(m);
}

static void release(struct session *s)
{
	pump_stop(s);
	requests_clear(s);
	keepalive_clear(s);
	map_free(s->channels);
	free_values(s->openers);
	free_values(s->handlers);
	map_free(s->properties);
	wr_clear(&s->scratch);
	free(s->host);
	free(s);
}

static void free_buried(void *object)
{
	struct session *s = object;

	s->buried = true;
	if (!s->turning)
		release(s);
}

void session_turn_begin(struct session *s)
{
	s->turning++;
}

void session_turn_end(struct session *s)
{
	if (--s->turning == 0 && s->buried)
		release(s);
}

void session_free(struct session *s)
{
	struct err e = ERR_INIT;

	if (!s || s->freed)
		return;
	s->freed = true;
	err_set(&e, ERR_CANCELLED, "the session was given up");
	session_abort(s, &e);
	run_hooks(s);
	loop_bury(s->loop, free_buried, s);
}

void session_on_free(struct session *s, void (*run)(void *arg), void *arg)
{
	struct hook *hook = NEW(struct hook);

	hook->run = run;
	hook->arg = arg;
	list_append(&s->on_free, &hook->node);
}

void session_transport_closed(struct session *s, const struct err *e)
{
	session_end(s, e, SESSION_TELL);
}

static void close_channel(void *arg, struct channel *c)
{
	(void)arg;
	channel_cut(c);
}

void session_close(struct session *s, uint64_t deadline_ms)
{
	if (s->state != SESSION_OPEN)
		return;
	s->state = SESSION_CLOSING;
	session_each_channel(s, close_channel, NULL);
	timer_start(&s->close, deadline_ms);
	pump_session(s);
}

void session_end_if_done(struct session *s)
{
	struct err e = ERR_INIT;

	if (s->state != SESSION_CLOSING || !list_empty(&s->in_order) || requests_owe(s))
		return;
	err_set(&e, ERR_CANCELLED, "closed");
	transport_disconnect(s->transport, DISCONNECT_BY_APPLICATION, "closed");
	session_end(s, &e, SESSION_TELL);
}

/* ---- what it knows ---- */

const char *session_host(const struct session *s)
{
	return s->host;
}

struct transport *session_transport(const struct session *s)
{
	return s->transport;
}

struct loop *session_event_loop(const struct session *s)
{
	return s->loop;
}

bool session_closed(const struct session *s, struct err *ret_reason)
{
	if (s->state != SESSION_CLOSED)
		return false;
	if (ret_reason)
		*ret_reason = s->reason;
	return true;
}

void *session_property(const struct session *s, const char *name)
{
	return map_get(s->properties, name);
}

void *session_set_property(struct session *s, const char *name, void *value)
{
	return value ? map_put(s->properties, name, value) : map_remove(s->properties, name);
}

bool session_busy(const struct session *s, enum session_count which)
{
	return which == SESSION_INVISIBLE_TOO ? !list_empty(&s->in_order) : s->visible > 0;
}

size_t session_channel_count(const struct session *s)
{
	return map_count(s->channels);
}

struct channel *session_channel(const struct session *s, uint32_t local_id)
{
	return map_get_u32(s->channels, local_id);
}

void session_each_channel(
    struct session *s, void (*visit)(void *arg, struct channel *channel), void *arg)
{
	size_t count = map_count(s->channels), i = 0;
	uint32_t *ids = mem_array(count + 1, sizeof(*ids));

	LIST_FOREACH(node, &s->in_order)
	ids[i++] = CONTAINER_OF(node, struct channel, in_session)->local_id;
	for (i = 0; i < count; i++) {
		struct channel *c = session_channel(s, ids[i]);

		if (c) /* else a visit before has closed it */
			visit(arg, c);
	}
	free(ids);
}

/* ---- opening ---- */

/* An id that neither side knows. There is one: fewer than 2^32 channels are open. */
static uint32_t free_id(struct session *s)
{
	while (session_channel(s, s->next_id))
		s->next_id++;
	return s->next_id++;
}

static struct channel *channel_add(struct session *s, struct span type)
{
	struct channel *c = channel_new(s, type, free_id(s));

	map_put_u32(s->channels, c->local_id, c);
	list_append(&s->in_order, &c->in_session);
	s->visible++;
	return c;
}

struct channel *session_open_channel(struct session *s, const char *type, struct span extra,
    const struct channel_callbacks *callbacks, void *arg, struct err *e)
{
	if (s->state != SESSION_OPEN) {
		err_set(e, s->state == SESSION_CLOSED ? s->reason.class : ERR_CANCELLED,
		    "the connection to %s is closed", s->host);
		return NULL;
	}
	if (s->no_more_sessions && strcmp(type, "session") == 0) {
		err_set(e, ERR_LOCAL, "%s was promised that no session would be opened", s->host);
		return NULL;
	}
	if (session_channel_count(s) >= s->options.channels_max) {
		err_set(e, ERR_LOCAL, "%zu channels to %s are open, which is the limit",
		    session_channel_count(s), s->host);
		return NULL;
	}

	struct channel *c = channel_add(s, span_of(type));

	c->state = CHANNEL_OPEN_OWED;
	wr_span_bytes(&c->opening, extra);
	(void)channel_set_callbacks(c, callbacks, arg);
	pump_channel(c);
	return c;
}

struct session_open_registration session_on_open_channel(
    struct session *s, const char *type, struct session_open_registration registration)
{
	struct session_open_registration previous = {0};
	struct session_open_registration *old;

	if (registration.handler)
		old = map_put(s->openers, type, mem_dup(&registration, sizeof(registration)));
	else
		old = map_remove(s->openers, type);
	if (old)
		previous = *old;
	free(old);
	return previous;
}

/* Refuses without making a channel first. */
static int refuse(struct session *s, uint32_t remote_id, enum channel_open_failure code,
    struct span text, struct err *e)
{
	struct wr message = WR_INIT;

	wr_u8(&message, SSH_MSG_CHANNEL_OPEN_FAILURE);
	wr_u32(&message, remote_id); /* recipient channel */
	wr_u32(&message, code);      /* reason code */
	wr_string(&message, text);   /* description */
	wr_cstring(&message, "");    /* language tag */
	return requests_append_answer(s, &message, e);
}

static int refuse_unknown(struct session *s, uint32_t remote_id, struct span type, struct err *e)
{
	struct wr text = WR_INIT;

	if (type.n > TYPE_MAX)
		type.n = TYPE_MAX;
	wr_bytes(&text, "unknown channel type ", 21);
	wr_span_bytes(&text, type);

	int r = refuse(s, remote_id, OPEN_UNKNOWN_CHANNEL_TYPE, wr_span(&text), e);

	wr_clear(&text);
	return r;
}

/* RFC 4254 §5.1 */
static int on_channel_open(struct session *s, struct rd *r, struct err *e)
{
	struct span type = rd_string(r);
	uint32_t remote_id = rd_u32(r);      /* sender channel */
	uint32_t window = rd_u32(r);         /* initial window size */
	uint32_t maximum_packet = rd_u32(r); /* maximum packet size */
	struct span extra = rd_rest(r);

	if (!rd_ok(r))
		return err_set(e, ERR_PEER, "a CHANNEL_OPEN that is cut short");
	if (maximum_packet == 0)
		return err_set(e, ERR_PEER, "a CHANNEL_OPEN with a maximum packet of 0");

	struct session_open_registration *opener = map_get_span(s->openers, type);

	if (!opener)
		return refuse_unknown(s, remote_id, type, e);
	if (s->state != SESSION_OPEN)
		return refuse(s, remote_id, OPEN_ADMINISTRATIVELY_PROHIBITED,
		    SPAN_LITERAL("the connection is being closed"), e);
	if (session_channel_count(s) >= s->options.channels_max)
		return refuse(
		    s, remote_id, OPEN_RESOURCE_SHORTAGE, SPAN_LITERAL("too many channels"), e);

	struct channel *c = channel_add(s, type);

	c->state = CHANNEL_PENDING;
	c->remote_id = remote_id;
	c->remote_window = window;
	c->remote_window_full = window;
	c->remote_maximum_packet = maximum_packet;
	opener->handler(opener->arg, s, c, extra);
	return 0;
}

/* ---- dispatch ---- */

typedef int message_handler(struct session *s, struct rd *r, struct err *e);

/* Those that are about no channel. */
static message_handler *handler_of(uint8_t type)
{
	static message_handler *const handlers[256] = {
	    [SSH_MSG_GLOBAL_REQUEST] = requests_on_global_request,
	    [SSH_MSG_REQUEST_SUCCESS] = requests_on_success,
	    [SSH_MSG_REQUEST_FAILURE] = requests_on_failure,
	    [SSH_MSG_CHANNEL_OPEN] = on_channel_open,
	    [SSH_MSG_PING] = keepalive_on_ping,
	    [SSH_MSG_PONG] = keepalive_on_pong,
	};

	return handlers[type];
}

int session_input(struct session *s, struct span payload, struct err *e)
{
	struct rd r;

	if (s->state == SESSION_CLOSED)
		return 0;
	keepalive_heard(s);
	sharing_heard(s, payload.n);
	rd_init(&r, payload);

	uint8_t type = rd_u8(&r);
	message_handler *handler = handler_of(type);

	if (!rd_ok(&r))
		return err_set(e, ERR_PEER, "an empty message");
	if (handler)
		return handler(s, &r, e);
	if (type >= SSH_MSG_CHANNEL_OPEN_CONFIRMATION && type <= SSH_MSG_CHANNEL_FAILURE)
		return channel_input(s, type, &r, e);
	return TRANSPORT_UNIMPLEMENTED;
}

void session_unimplemented(struct session *s, uint32_t sequence)
{
	if (s->state == SESSION_CLOSED || requests_on_unimplemented(s, sequence))
		return;
	LIST_FOREACH(node, &s->in_order)
	if (channel_on_unimplemented(CONTAINER_OF(node, struct channel, in_session), sequence))
		return;
}

void session_can_send(struct session *s)
{
	pump_run(s);
}
