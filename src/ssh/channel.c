/*
 * A channel: its life, what is to be sent (noted here and sent by the pump), and what one can ask of it. The peer's messages,
 * windows, requests and the bufferevent have files of their own.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/bev.h"
#include "ssh/connection.h"

/* ---- life ---- */

struct channel *channel_new(struct session *s, struct span type, uint32_t local_id)
{
	struct channel *c = mem_alloc(sizeof(*c) + type.n + 1);

	memcpy(c->type, type.p, type.n);
	c->session = s;
	c->local_id = local_id;
	list_init(&c->in_session);
	list_init(&c->owing);
	list_init(&c->ready);
	list_init(&c->told);
	list_init(&c->requests_owed);
	list_init(&c->requests_waiting);
	channel_window_init(c);
	return c;
}

static void free_outputs(struct channel *c)
{
	if (c->output)
		evbuffer_free(c->output);
	c->output = NULL;
	while (c->extended) {
		struct extended_output *next = c->extended->next;

		evbuffer_free(c->extended->data);
		free(c->extended);
		c->extended = next;
	}
}

static void free_buried(void *object)
{
	struct channel *c = object;

	free_outputs(c);
	map_free(c->properties);
	wr_clear(&c->opening);
	free(c);
}

/* Out of the table: from here on the id may be used again. The memory stays until the end of the pass. */
static void forget(struct channel *c)
{
	struct session *s = c->session;

	c->state = CHANNEL_GONE;
	map_remove_u32(s->channels, c->local_id);
	list_remove(&c->in_session);
	pump_forget(c);
	channel_window_release(c);
	if (c->visibility == CHANNEL_VISIBLE)
		s->visible--;
	pump_session(s); /* which may have waited for the last one */
	loop_bury(s->loop, free_buried, c);
}

void channel_end(struct channel *c, const struct err *e)
{
	struct channel_callbacks callbacks = c->callbacks;

	if (c->state == CHANNEL_GONE)
		return;

	/* session_close() may have refused one that was accepted after that. */
	bool in_order = !e && c->state == CHANNEL_CLOSE_RECEIVED;

	forget(c);
	if (c->bev) {
		if (!in_order)
			channel_bev_failed(c->bev, ECONNABORTED);
		channel_bev_orphan(c->bev);
	}
	channel_requests_lost(c);
	if (callbacks.on_close && !c->abandoned)
		callbacks.on_close(c->arg, c, e);
}

static int errno_of(uint32_t code)
{
	switch (code) {
	case OPEN_ADMINISTRATIVELY_PROHIBITED:
		return EACCES;
	case OPEN_CONNECT_FAILED:
		return ECONNREFUSED;
	case OPEN_RESOURCE_SHORTAGE:
		return ENOBUFS;
	default:
		return EPROTONOSUPPORT;
	}
}

void channel_open_failed(struct channel *c, uint32_t code, struct span text)
{
	struct channel_callbacks callbacks = c->callbacks;

	forget(c);
	if (c->bev) {
		channel_bev_failed(c->bev, errno_of(code));
		channel_bev_orphan(c->bev);
	}
	channel_requests_lost(c);
	if (callbacks.on_open_failed && !c->abandoned)
		callbacks.on_open_failed(c->arg, c, code, text);
}

void channel_tell(struct channel *c)
{
	/* CLOSE went both ways; or OPEN_FAILURE went out; or our OPEN never did. */
	if (c->close_sent && c->state != CHANNEL_OPEN && c->state != CHANNEL_EOF_RECEIVED) {
		channel_end(c, NULL);
		return;
	}
	if (c->callbacks.on_process && channel_is_open(c) && !channel_full(c))
		c->callbacks.on_process(c->arg, c);
}

/* ---- output ---- */

struct evbuffer *channel_output(const struct channel *c)
{
	return c->bev ? bufferevent_get_output(channel_bev_bufferevent(c->bev)) : c->output;
}

size_t channel_output_length(const struct channel *c)
{
	struct evbuffer *output = channel_output(c);
	size_t n = output ? evbuffer_get_length(output) : 0;

	for (struct extended_output *x = c->extended; x; x = x->next)
		n += evbuffer_get_length(x->data);
	return n;
}

void channel_drop_output(struct channel *c)
{
	if (c->bev)
		channel_bev_drop_output(c->bev);
	free_outputs(c);
}

static bool is_confirmed(const struct channel *c)
{
	return c->state == CHANNEL_OPEN || c->state == CHANNEL_EOF_RECEIVED;
}

bool channel_may_send_data(const struct channel *c)
{
	return is_confirmed(c) && !c->eof_sent && !c->close_sent && !c->cut &&
	       sharing_allowance(c) > 0 && channel_output_length(c) > 0;
}

/* Before its OPEN was sent, and without anything to say: then the peer need not know of it. */
static bool was_closed_unused(const struct channel *c)
{
	return c->close_wanted && channel_output_length(c) == 0 && list_empty(&c->requests_owed);
}

enum channel_debt channel_owes(const struct channel *c)
{
	switch (c->state) {
	case CHANNEL_OPEN_OWED:
		if (!was_closed_unused(c))
			return OWES_OPEN;
		return c->close_sent ? OWES_NOTHING : OWES_END;
	case CHANNEL_ACCEPTED:
		return OWES_CONFIRMATION;
	case CHANNEL_REFUSED:
		return c->close_sent ? OWES_NOTHING : OWES_REFUSAL;
	case CHANNEL_CLOSE_RECEIVED:
		return c->close_sent ? OWES_NOTHING : OWES_CLOSE;
	case CHANNEL_OPEN:
	case CHANNEL_EOF_RECEIVED:
		break;
	case CHANNEL_OPEN_SENT:
	case CHANNEL_PENDING:
	case CHANNEL_GONE:
		return OWES_NOTHING;
	}
	if (c->close_sent)
		return OWES_NOTHING;
	if (c->reply_count)
		return OWES_REPLY;
	if (!list_empty(&c->requests_owed))
		return OWES_REQUEST;
	if (channel_window_adjust_due(c))
		return OWES_ADJUST;
	if (channel_output_length(c) && !c->eof_sent && !c->cut)
		return OWES_NOTHING; /* EOF and CLOSE come after the data */
	if (c->eof_wanted && !c->eof_sent)
		return OWES_EOF;
	return c->close_wanted ? OWES_CLOSE : OWES_NOTHING;
}

static struct extended_output *extended_output(struct channel *c, uint32_t type)
{
	struct extended_output **at = &c->extended;

	while (*at && (*at)->type != type)
		at = &(*at)->next;
	if (!*at) {
		*at = NEW(struct extended_output);
		(*at)->type = type;
		(*at)->data = evbuffer_new();
	}
	return *at;
}

void channel_output_drained(struct channel *c, size_t before)
{
	while (c->extended && evbuffer_get_length(c->extended->data) == 0) {
		struct extended_output *empty = c->extended;

		c->extended = empty->next;
		evbuffer_free(empty->data);
		free(empty);
	}
	if (c->bev)
		channel_bev_drained(c->bev, before);
	else if (channel_output_length(c) <= BEV_LOW_MARK)
		pump_tell(c);
}

void channel_send(struct channel *c, struct span data)
{
	if (channel_is_closing(
		c)) /* perhaps by session_close(), which the caller need not know of */
		return;
	assert(!c->eof_wanted);
	if (!channel_output(c))
		c->output = evbuffer_new();
	evbuffer_add(channel_output(c), data.p, data.n);
	pump_channel(c);
}

void channel_send_extended(struct channel *c, uint32_t type, struct span data)
{
	if (channel_is_closing(c))
		return;
	assert(!c->eof_wanted);
	if (data.n)
		evbuffer_add(extended_output(c, type)->data, data.p, data.n);
	pump_channel(c);
}

bool channel_full(const struct channel *c)
{
	return channel_output_length(c) >= BEV_HIGH_MARK;
}

void channel_consumed(struct channel *c, size_t bytes)
{
	assert(bytes <= c->held);
	channel_window_taken(c, bytes);
}

void channel_eof(struct channel *c)
{
	if (c->cut)
		return;
	c->eof_wanted = true;
	pump_channel(c);
}

static void owe_refusal(struct channel *c, enum channel_open_failure code, const char *text)
{
	assert(c->state == CHANNEL_PENDING);
	wr_u32(&c->opening, code);     /* reason code */
	wr_cstring(&c->opening, text); /* description */
	wr_cstring(&c->opening, "");   /* language tag */
	c->state = CHANNEL_REFUSED;
	pump_channel(c);
}

void channel_close(struct channel *c)
{
	if (c->state == CHANNEL_PENDING) { /* whoever was to answer hears it by on_close */
		owe_refusal(c, OPEN_CONNECT_FAILED, "closed");
		return;
	}
	c->eof_wanted = true;
	c->close_wanted = true;
	pump_channel(c);
}

void channel_cut(struct channel *c)
{
	if (c->abandoned) /* CLOSE is on its way, perhaps without an EOF */
		return;
	if (!c->bev || c->state == CHANNEL_PENDING || channel_remote_closed(c)) {
		channel_close(c);
		return;
	}
	/* What was not sent will be dropped, and then an EOF would say that there was no more. */
	if (channel_output_length(c))
		c->eof_wanted = false;
	c->close_wanted = true;
	c->cut = true;
	channel_bev_failed(c->bev, ECONNABORTED);
	pump_channel(c);
}

void channel_abandon(struct channel *c, enum channel_leaving how)
{
	bool complete = channel_output_length(c) == 0;

	if (c->state == CHANNEL_PENDING)
		owe_refusal(c, OPEN_CONNECT_FAILED, "closed");
	c->abandoned = true;
	channel_requests_drop(c);
	channel_drop_output(c);
	/* The other end may take what it has for the whole only if it is; channel_cut() has said whether. */
	if (!c->cut)
		c->eof_wanted = how == CHANNEL_LEAVING_IN_ORDER && complete;
	c->close_wanted = true;
	if (c->held)
		channel_window_taken(c, c->held);
	pump_channel(c);
}

void channel_give_up(struct channel *c)
{
	channel_abandon(c, CHANNEL_LEAVING_IN_ORDER);
}

struct awaited {
	struct session *session;
	struct channel *channel;
	uint32_t id; /* not given to another channel before the counter has wrapped */
};

static bool still_there(void *arg)
{
	const struct awaited *a = arg;

	return session_channel(a->session, a->id) == a->channel;
}

void channel_wait(struct channel *c)
{
	struct awaited a = {c->session, c, c->local_id};

	session_loop(c->session, LOOP_WAIT, still_there, &a);
}

/* ---- answering the peer's OPEN ---- */

void channel_accept(struct channel *c, const struct channel_callbacks *callbacks, void *arg)
{
	(void)channel_set_callbacks(c, callbacks, arg);
	/* By session_close(): on_close, or the bufferevent's error, is on its way. */
	if (c->state == CHANNEL_REFUSED)
		return;
	assert(c->state == CHANNEL_PENDING);
	c->state = CHANNEL_ACCEPTED;
	pump_channel(c);
}

void channel_refuse(struct channel *c, enum channel_open_failure code, const char *text)
{
	(void)channel_set_callbacks(c, NULL, NULL); /* it is gone for whoever refuses it */
	if (c->state == CHANNEL_REFUSED)
		return;
	owe_refusal(c, code, text);
}

/* ---- what it knows ---- */

uint32_t channel_local_id(const struct channel *c)
{
	return c->local_id;
}

struct session *channel_session(const struct channel *c)
{
	return c->session;
}

const char *channel_type(const struct channel *c)
{
	return c->type;
}

void *channel_arg(const struct channel *c)
{
	return c->arg;
}

bool channel_is_open(const struct channel *c)
{
	return is_confirmed(c) && !channel_is_closing(c);
}

bool channel_is_closing(const struct channel *c)
{
	return c->close_wanted || c->close_sent || channel_remote_closed(c);
}

bool channel_local_closed(const struct channel *c)
{
	return c->close_sent;
}

bool channel_remote_closed(const struct channel *c)
{
	return c->state == CHANNEL_CLOSE_RECEIVED || c->state == CHANNEL_GONE;
}

bool channel_eof_sent(const struct channel *c)
{
	return c->eof_sent;
}

bool channel_eof_received(const struct channel *c)
{
	return c->eof_received;
}

void *channel_property(const struct channel *c, const char *name)
{
	return c->properties ? map_get(c->properties, name) : NULL;
}

void *channel_set_property(struct channel *c, const char *name, void *value)
{
	if (!c->properties)
		c->properties = map_new();
	return value ? map_put(c->properties, name, value) : map_remove(c->properties, name);
}

void channel_set_visibility(struct channel *c, enum channel_visibility visibility)
{
	if (visibility == c->visibility)
		return;
	c->visibility = visibility;
	if (visibility == CHANNEL_VISIBLE)
		c->session->visible++;
	else
		c->session->visible--;
}

struct channel_callbacks channel_set_callbacks(
    struct channel *c, const struct channel_callbacks *callbacks, void *arg)
{
	struct channel_callbacks previous = c->callbacks;

	c->callbacks = callbacks ? *callbacks : (struct channel_callbacks){0};
	c->arg = arg;
	return previous;
}

void channel_get_windows(const struct channel *c, struct channel_windows *ret)
{
	*ret = (struct channel_windows){
	    .local_window = c->local_window,
	    .remote_window = c->remote_window,
	    .local_maximum_packet = c->session->options.maximum_packet,
	    .remote_maximum_packet = c->remote_maximum_packet,
	    .bytes_in = c->bytes_in,
	    .bytes_out = c->bytes_out,
	};
}
