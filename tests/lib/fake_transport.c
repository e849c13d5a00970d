#include "tests/lib/fake_transport.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ssh/packet.h"

struct message {
	struct list node;
	struct wr bytes;
};

struct transport {
	unsigned acknowledged;
	bool needs_no_acknowledgement;
	enum transport_acks acks;
	size_t pass;
	uint64_t bulk;
	struct loop *loop;
	struct session *session;
	struct transport *peer;
	struct list sent;
	struct message *shown;
	struct task deliver;
	bool shut, rekeying, held, worn_out;
	uint64_t exchanged_ms, held_until_ms, rekey_patience_ms;
	size_t shut_after; /* 0: not by itself */
	uint64_t bytes_sent;
	uint32_t packets_sent;
	bool is_slow;
	uint64_t delivered;
	uint64_t last_received_ms;
	unsigned quirks;
	const char *extension;
	uint32_t disconnected;
};

static void message_free(struct message *m)
{
	if (m)
		wr_clear(&m->bytes);
	free(m);
}

static struct message *shift(struct transport *t)
{
	struct list *node = list_shift(&t->sent);

	return node ? CONTAINER_OF(node, struct message, node) : NULL;
}

/* ---- receiving ---- */

int fake_transport_feed(struct transport *t, struct span payload, struct err *e)
{
	struct err ours = ERR_INIT;
	int r;

	t->last_received_ms = clock_now_ms();
	r = session_input(t->session, payload, &ours);
	if (r < 0) {
		session_transport_closed(t->session, &ours);
		if (e)
			*e = ours;
	}
	return r;
}

void fake_transport_heard(struct transport *t)
{
	t->last_received_ms = clock_now_ms();
}

static void deliver(void *arg)
{
	struct transport *t = arg;
	struct message *m;

	while (t->peer && t->peer->session && (m = shift(t))) {
		/* Exactly as long as it is, so that a sanitizer sees a read past its end. */
		uint8_t *bytes = mem_dup(m->bytes.p, m->bytes.n);

		(void)fake_transport_feed(t->peer, SPAN(bytes, m->bytes.n), NULL);
		free(bytes);
		message_free(m);
	}
}

/* ---- what tests look at ---- */

struct transport *fake_transport_new(struct loop *loop)
{
	struct transport *t = NEW(struct transport);

	t->loop = loop;
	t->last_received_ms = clock_now_ms();
	list_init(&t->sent);
	task_init(&t->deliver, loop, deliver, t);
	return t;
}

void fake_transport_free(struct transport *t)
{
	struct message *m;

	task_cancel(&t->deliver);
	while ((m = shift(t)))
		message_free(m);
	message_free(t->shown);
	if (t->peer)
		t->peer->peer = NULL;
	free(t);
}

void fake_transport_set_session(struct transport *t, struct session *s)
{
	t->session = s;
}

bool fake_transport_next(struct transport *t, struct span *ret_message)
{
	message_free(t->shown);
	t->shown = shift(t);
	if (!t->shown)
		return false;
	*ret_message = wr_span(&t->shown->bytes);
	return true;
}

size_t fake_transport_sent_count(const struct transport *t)
{
	size_t n = 0;

	LIST_FOREACH(node, &t->sent)
	n++;
	return n;
}

uint64_t fake_transport_bytes_sent(const struct transport *t)
{
	return t->bytes_sent;
}

void fake_transport_shut(struct transport *t)
{
	t->shut = true;
}

void fake_transport_open(struct transport *t)
{
	if (t->rekeying)
		t->exchanged_ms = clock_now_ms();
	t->shut = t->rekeying = t->worn_out = false;
	t->shut_after = 0;
	session_can_send(t->session);
}

void fake_transport_begin_rekey(struct transport *t)
{
	t->shut = t->rekeying = true;
}

void fake_transport_hold(struct transport *t)
{
	t->held = true;
}

void fake_transport_release(struct transport *t)
{
	t->held = false;
	t->held_until_ms = clock_now_ms();
}

uint64_t transport_exchanged_ms(const struct transport *t)
{
	return t->rekeying ? clock_now_ms() : t->exchanged_ms;
}

void fake_transport_set_delivered(struct transport *t, uint64_t bytes)
{
	t->is_slow = true;
	t->delivered = bytes;
}

uint64_t transport_bytes_sent(const struct transport *t)
{
	return t->bytes_sent;
}

uint64_t transport_bytes_delivered(const struct transport *t)
{
	return t->is_slow ? t->delivered : t->bytes_sent;
}

uint64_t transport_held_until_ms(const struct transport *t)
{
	return t->held ? clock_now_ms() : t->held_until_ms;
}

void fake_transport_shut_after(struct transport *t, size_t messages)
{
	t->shut_after = messages;
}

void fake_transport_join(struct transport *a, struct transport *b)
{
	a->peer = b;
	b->peer = a;
}

void fake_transport_set_quirks(struct transport *t, unsigned quirks)
{
	t->quirks = quirks;
}

void fake_transport_set_extension(struct transport *t, const char *name)
{
	t->extension = name;
}

uint32_t fake_transport_disconnected(const struct transport *t)
{
	return t->disconnected;
}

/* ---- ssh/transport.h ---- */

void transport_send(struct transport *t, const struct iovec *pieces, size_t count)
{
	struct message *m = NEW(struct message);

	assert(count <= PACKET_PIECES_MAX);
	for (size_t i = 0; i < count; i++)
		wr_bytes(&m->bytes, pieces[i].iov_base, pieces[i].iov_len);
	t->bytes_sent += m->bytes.n;
	t->packets_sent++;
	list_append(&t->sent, &m->node);
	if (t->shut_after && --t->shut_after == 0)
		t->shut = true;
	if (t->peer)
		task_schedule(&t->deliver);
}

void transport_send_span(struct transport *t, struct span payload)
{
	struct iovec piece = {.iov_base = (void *)(uintptr_t)payload.p, .iov_len = payload.n};

	transport_send(t, &piece, 1);
}

bool transport_acknowledge(struct transport *t)
{
	if (t->needs_no_acknowledgement)
		return false;
	t->acknowledged++;
	return true;
}

void fake_transport_need_no_acknowledgement(struct transport *t, bool none)
{
	t->needs_no_acknowledgement = none;
}

void transport_set_acks(struct transport *t, enum transport_acks acks)
{
	t->acks = acks;
}

void transport_set_rekey_patience(struct transport *t, uint64_t ms)
{
	t->rekey_patience_ms = ms;
}

uint64_t fake_transport_rekey_patience(const struct transport *t)
{
	return t->rekey_patience_ms;
}

void transport_set_pass(struct transport *t, size_t bytes)
{
	t->pass = bytes;
}

size_t fake_transport_pass(const struct transport *t)
{
	return t->pass;
}

void transport_moved_bulk(struct transport *t, size_t n)
{
	t->bulk += n;
}

void transport_end_bulk(struct transport *t)
{
	t->bulk = 0;
}

uint64_t fake_transport_bulk(const struct transport *t)
{
	return t->bulk;
}

enum transport_acks fake_transport_acks(const struct transport *t)
{
	return t->acks;
}

unsigned fake_transport_acknowledged(const struct transport *t)
{
	return t->acknowledged;
}

void fake_transport_wear_out(struct transport *t)
{
	t->worn_out = true;
}

bool transport_rekey_is_due(const struct transport *t)
{
	return t->worn_out;
}

uint32_t transport_sent_sequence(const struct transport *t)
{
	return t->packets_sent - 1;
}

bool transport_can_send(const struct transport *t)
{
	return !t->shut && !t->disconnected;
}

void transport_disconnect(struct transport *t, uint32_t code, const char *text)
{
	(void)text;
	t->disconnected = code;
}

unsigned transport_peer_quirks(const struct transport *t)
{
	return t->quirks;
}

bool transport_peer_has_extension(const struct transport *t, const char *name)
{
	return t->extension && strcmp(t->extension, name) == 0;
}

uint64_t transport_last_received_ms(const struct transport *t)
{
	return t->last_received_ms;
}

struct span transport_session_id(const struct transport *t)
{
	(void)t;
	return SPAN_LITERAL("session identifier");
}

struct span transport_host_key(const struct transport *t)
{
	(void)t;
	return SPAN_LITERAL("host key");
}

struct span transport_host_key_signature(const struct transport *t)
{
	(void)t;
	return SPAN_LITERAL("signature");
}
