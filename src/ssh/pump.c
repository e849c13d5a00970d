/*
 * The pump makes packets out of what the session and its channels have to send, while the transport takes them: first what is
 * owed (answers, opens, adjusts, EOFs, closes), then data, one packet a turn, round robin over the channels that have data and
 * window. It runs at the end of a pass of the loop, for so many packets, and goes on in the next pass.
 */
#include <assert.h>
#include <sys/uio.h>

#include "base/clock.h"
#include "ssh/connection.h"

enum { PASS_PACKETS = 64, DATA_PIECES = PACKET_PIECES_MAX - 1 /* the head is one more */ };

/* ---- who has something ---- */

void pump_session(struct session *s)
{
	if (!s->freed)
		task_schedule(&s->pump.task);
}

void pump_channel(struct channel *c)
{
	struct pump *p = &c->session->pump;

	if (list_empty(&c->owing) && channel_owes(c) != OWES_NOTHING)
		list_append(&p->owing, &c->owing);
	if (list_empty(&c->ready) && channel_may_send_data(c))
		list_append(&p->ready, &c->ready);
	if (!list_empty(&c->owing) || !list_empty(&c->ready))
		pump_session(c->session);
}

void pump_tell(struct channel *c)
{
	if (list_empty(&c->told))
		list_append(&c->session->pump.told, &c->told);
	pump_session(c->session);
}

void pump_forget(struct channel *c)
{
	list_remove(&c->owing);
	list_remove(&c->ready);
	list_remove(&c->told);
}

/* ---- what is owed ---- */

static struct wr *message(struct session *s, enum ssh_message type)
{
	wr_reset(&s->scratch);
	wr_u8(&s->scratch, (uint8_t)type);
	return &s->scratch;
}

static void transmit(struct session *s)
{
	transport_send_span(s->transport, wr_span(&s->scratch));
}

/* RFC 4254 §5.1 */
static void send_open(struct channel *c)
{
	struct wr *w = message(c->session, SSH_MSG_CHANNEL_OPEN);

	wr_cstring(w, c->type);                        /* channel type */
	wr_u32(w, c->local_id);                        /* sender channel */
	wr_u32(w, c->local_window);                    /* initial window size */
	wr_u32(w, c->session->options.maximum_packet); /* maximum packet size */
	wr_span_bytes(w, wr_span(&c->opening));
	wr_clear(&c->opening);
	c->state = CHANNEL_OPEN_SENT;
	c->opened_us = clock_now_us();
	transmit(c->session);
}

static void send_confirmation(struct channel *c)
{
	struct wr *w = message(c->session, SSH_MSG_CHANNEL_OPEN_CONFIRMATION);

	wr_u32(w, c->remote_id);                       /* recipient channel */
	wr_u32(w, c->local_id);                        /* sender channel */
	wr_u32(w, c->local_window);                    /* initial window size */
	wr_u32(w, c->session->options.maximum_packet); /* maximum packet size */
	c->state = CHANNEL_OPEN;
	transmit(c->session);
}

static void send_refusal(struct channel *c)
{
	struct wr *w = message(c->session, SSH_MSG_CHANNEL_OPEN_FAILURE);

	wr_u32(w, c->remote_id); /* recipient channel */
	wr_span_bytes(w, wr_span(&c->opening));
	c->close_sent = true; /* there will be no other */
	transmit(c->session);
	pump_tell(c);
}

static void send_reply(struct channel *c)
{
	bool success = c->replies & 1;

	c->replies >>= 1;
	c->reply_count--;
	wr_u32(message(c->session, success ? SSH_MSG_CHANNEL_SUCCESS : SSH_MSG_CHANNEL_FAILURE),
	    c->remote_id); /* recipient channel */
	transmit(c->session);
}

static void send_adjust(struct channel *c)
{
	uint32_t n = channel_window_grant(c);

	if (n == 0)
		return;

	struct wr *w = message(c->session, SSH_MSG_CHANNEL_WINDOW_ADJUST);

	wr_u32(w, c->remote_id); /* recipient channel */
	wr_u32(w, n);            /* bytes to add */
	transmit(c->session);
}

static void send_eof(struct channel *c)
{
	c->eof_sent = true;
	wr_u32(message(c->session, SSH_MSG_CHANNEL_EOF), c->remote_id);
	transmit(c->session);
}

static void send_close(struct channel *c)
{
	c->close_sent = true;
	wr_u32(message(c->session, SSH_MSG_CHANNEL_CLOSE), c->remote_id);
	transmit(c->session);
	if (c->state == CHANNEL_CLOSE_RECEIVED)
		pump_tell(c);
}

static void send_debt(struct channel *c)
{
	switch (channel_owes(c)) {
	case OWES_NOTHING:
		return;
	case OWES_END:
		c->close_sent = true;
		pump_tell(c);
		return;
	case OWES_OPEN:
		send_open(c);
		return;
	case OWES_CONFIRMATION:
		send_confirmation(c);
		return;
	case OWES_REFUSAL:
		send_refusal(c);
		return;
	case OWES_REPLY:
		send_reply(c);
		return;
	case OWES_REQUEST:
		channel_request_send(c);
		return;
	case OWES_ADJUST:
		send_adjust(c);
		return;
	case OWES_EOF:
		send_eof(c);
		return;
	case OWES_CLOSE:
		send_close(c);
		return;
	}
}

/* ---- data ---- */

/* Takes up to limit bytes of output as pieces, without copying; gives how many bytes those are. */
static size_t peek(struct evbuffer *output, size_t limit, struct iovec *pieces, size_t *ret_count)
{
	int found = evbuffer_peek(output, (ev_ssize_t)limit, NULL, pieces, DATA_PIECES);
	size_t n = 0, i;

	for (i = 0; i < (size_t)found && i < DATA_PIECES && n < limit; i++) {
		pieces[i].iov_len = min(pieces[i].iov_len, limit - n);
		n += pieces[i].iov_len;
	}
	*ret_count = i;
	return n;
}

static void drain(const struct channel *c, struct evbuffer *output, size_t n)
{
	bool is_frozen =
	    c->bev && !c->extended; /* a bufferevent's, so that nobody else drains it */

	if (is_frozen)
		evbuffer_unfreeze(output, 1);
	evbuffer_drain(output, n);
	if (is_frozen)
		evbuffer_freeze(output, 1);
}

/* CHANNEL_DATA or CHANNEL_EXTENDED_DATA (RFC 4254 §5.2), straight from the chains of the output. */
static size_t send_data(struct channel *c)
{
	struct extended_output *extended = c->extended;
	struct evbuffer *output = extended ? extended->data : channel_output(c);
	uint8_t head[DATA_HEAD_MAX];
	size_t head_length = extended ? DATA_HEAD_MAX : 9, count, before = channel_output_length(c);
	struct iovec pieces[1 + DATA_PIECES];
	size_t limit = min(DATA_MAX, min(sharing_allowance(c), c->remote_maximum_packet));
	size_t n = peek(output, limit, pieces + 1, &count);

	assert(n > 0);
	head[0] = extended ? SSH_MSG_CHANNEL_EXTENDED_DATA : SSH_MSG_CHANNEL_DATA;
	put_u32(head + 1, c->remote_id); /* recipient channel */
	if (extended)
		put_u32(head + 5, extended->type);    /* data_type_code */
	put_u32(head + head_length - 4, (uint32_t)n); /* data */
	pieces[0] = (struct iovec){.iov_base = head, .iov_len = head_length};
	transport_send(c->session->transport, pieces, count + 1);
	drain(c, output, n);
	c->remote_window -= (uint32_t)n;
	c->bytes_out += n;
	c->last_data = transport_bytes_sent(c->session->transport);
	sharing_moved(c, n);
	channel_output_drained(c, before);
	return n;
}

/* ---- turns ---- */

/* Sends one message; gives about how many bytes that was, 0 when there is nothing to send. */
static size_t send_one(struct session *s)
{
	struct pump *p = &s->pump;
	struct list *node;

	if (requests_send_one(s))
		return 64;
	if ((node = list_shift(&p->owing))) {
		struct channel *c = CONTAINER_OF(node, struct channel, owing);

		send_debt(c);
		pump_channel(c); /* to the end of the queue, if it owes more */
		return 64;
	}
	/* A pass of data would be more than what a small rekey_bytes allows. */
	if (transport_rekey_is_due(s->transport))
		return 0;
	while ((node = list_shift(&p->ready))) {
		struct channel *c = CONTAINER_OF(node, struct channel, ready);

		if (!channel_may_send_data(c)) /* any more */
			continue;

		size_t n = send_data(c);

		pump_channel(c);
		return n + 64;
	}
	return 0;
}

static bool has_work(const struct session *s)
{
	return requests_owe(s) || !list_empty(&s->pump.owing) || !list_empty(&s->pump.ready);
}

static void send_some(struct session *s)
{
	size_t packets = 0, bytes = 0;

	if (s->state == SESSION_CLOSED)
		return;
	while (
	    packets < PASS_PACKETS && bytes < sharing_pass(s) && transport_can_send(s->transport)) {
		size_t n = send_one(s);

		if (n == 0)
			return;
		packets++;
		bytes += n;
	}
	if (has_work(s) && transport_can_send(s->transport))
		task_schedule(&s->pump.task);
}

static void call_back(struct session *s)
{
	struct list now, *node;

	/* Who is told may produce more and be due again: in the next pass. */
	list_init(&now);
	list_splice(&now, &s->pump.told);
	while ((node = list_shift(&now)))
		channel_tell(CONTAINER_OF(node, struct channel, told));
	session_end_if_done(s);
}

void pump_run(struct session *s)
{
	if (s->state == SESSION_CLOSED) { /* somebody asked for something afterwards */
		requests_lost(s);
		return;
	}
	send_some(s);
	call_back(s);
}

void pump_flush(struct session *s)
{
	send_some(s);
	if (!list_empty(&s->pump.told))
		pump_session(s);
}

/* ---- life ---- */

static void on_task(void *arg)
{
	pump_run(arg);
}

void pump_init(struct session *s)
{
	struct pump *p = &s->pump;

	list_init(&p->owing);
	list_init(&p->ready);
	list_init(&p->told);
	task_init(&p->task, s->loop, on_task, s);
}

void pump_stop(struct session *s)
{
	task_cancel(&s->pump.task);
}
