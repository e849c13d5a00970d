/*
 * Is the server alive, and how far away? A probe is a PING of ping@openssh.com where the server offers it, else the global
 * request keepalive@openssh.com, which every server answers, if only with FAILURE.
 *
 * Any packet from the server is life; what our own side does is not. Once nothing came for an interval a probe goes out, then
 * one more each interval, and when as many as keepalive_count had an interval each to be answered, the server is dead. While a
 * probe could not even be sent (a full output) no second one is made, but the time counts. In a key exchange it does not: the
 * server may say nothing else then, nor may we. The transport, which sees what moves, has as much patience with it as the probes would
 * have, and a deadline for its end. The same goes for a key exchange of a connection below ours: neither the probe nor its answer gets
 * through then.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "ssh/connection.h"

enum { PROBES_MAX = 16, PING_BYTES = 8 };

struct probe {
	struct list node;
	struct session *session;
	uint64_t serial;
	uint64_t sent_us; /* 0: not yet */
};

static bool can_ping(const struct session *s)
{
	return transport_peer_has_extension(s->transport, "ping@openssh.com");
}

void keepalive_measured(struct keepalive *k, uint64_t rtt_us)
{
	if (rtt_us == 0)
		rtt_us = 1;
	if (!k->rtt_min_us || rtt_us < k->rtt_min_us)
		k->rtt_min_us = rtt_us;
}

static void probe_answered(struct keepalive *k, struct probe *probe)
{
	uint64_t rtt_us = clock_now_us() - probe->sent_us;

	keepalive_measured(k, rtt_us);
	/* RFC 6298 §2's smoothing */
	k->rtt_us = k->rtt_us ? (7 * k->rtt_us + rtt_us) / 8 : rtt_us;
	if (k->rtt_us == 0)
		k->rtt_us = 1;
	k->measured_ms = clock_now_ms();
}

static void probe_free(struct probe *probe)
{
	list_remove(&probe->node);
	free(probe);
}

/* ---- sending ---- */

static void on_probe_sent(void *arg)
{
	struct probe *probe = arg;

	probe->sent_us = clock_now_us();
}

/* The reply to keepalive@openssh.com; whether it says yes or no is all the same. */
static void on_keepalive_reply(void *arg, enum session_reply reply, struct span data)
{
	struct probe *probe = arg;

	(void)data;
	if (reply != SESSION_REPLY_LOST)
		probe_answered(&probe->session->keepalive, probe);
	probe_free(probe);
}

static void send_keepalive(struct session *s, struct probe *probe)
{
	struct wr message = WR_INIT;

	wr_u8(&message, SSH_MSG_GLOBAL_REQUEST);
	wr_cstring(&message, "keepalive@openssh.com"); /* request name */
	wr_bool(&message, true);                       /* want reply */
	requests_append(s, &message, on_probe_sent, on_keepalive_reply, probe);
}

/* PROTOCOL §1.8. The peer sends the string back; ours is the probe's number. */
static void send_ping(struct session *s, struct probe *probe)
{
	struct wr message = WR_INIT;
	uint8_t serial[PING_BYTES];

	put_u64(serial, probe->serial);
	wr_u8(&message, SSH_MSG_PING);
	wr_string(&message, SPAN(serial, sizeof(serial)));
	requests_append(s, &message, on_probe_sent, NULL, probe);
}

static size_t probe_count(const struct keepalive *k)
{
	size_t n = 0;

	LIST_FOREACH(node, &k->probes)
	n++;
	return n;
}

static bool a_probe_is_unsent(const struct keepalive *k)
{
	return !list_empty(&k->probes) &&
	       CONTAINER_OF(k->probes.prev, struct probe, node)->sent_us == 0;
}

static void send_probe(struct session *s)
{
	struct keepalive *k = &s->keepalive;

	if (a_probe_is_unsent(k) || probe_count(k) >= PROBES_MAX)
		return;

	struct probe *probe = NEW(struct probe);

	probe->session = s;
	probe->serial = ++k->serial;
	list_append(&k->probes, &probe->node);
	if (can_ping(s))
		send_ping(s, probe);
	else
		send_keepalive(s, probe);
}

/* ---- waiting ---- */

static void server_is_dead(struct session *s, const char *what, uint64_t silent_ms)
{
	struct err e = ERR_INIT;

	err_set(&e, ERR_TIMEOUT, "%s: nothing came from the server for %.1f s", what,
	    (double)silent_ms / 1000);
	transport_disconnect(s->transport, DISCONNECT_CONNECTION_LOST, "no answer to keepalives");
	session_end(s, &e, SESSION_TELL);
}

/* The round-trip time gets old on a connection that is never silent. A PING costs nothing; a request keeps a place in the queue
 * of those that want a reply. */
static void measure_if_old(struct session *s)
{
	struct keepalive *k = &s->keepalive;
	uint64_t old_ms = s->options.keepalive_interval_ms * (can_ping(s) ? 1 : 4);

	if (list_empty(&k->probes) && clock_now_ms() - k->measured_ms >= old_ms)
		send_probe(s);
}

static void on_silence(void *arg)
{
	struct session *s = arg;
	struct keepalive *k = &s->keepalive;
	uint64_t interval_ms = s->options.keepalive_interval_ms, now_ms = clock_now_ms();
	uint64_t held_ms =
	    max(transport_exchanged_ms(s->transport), transport_held_until_ms(s->transport));
	uint64_t since_ms = max(transport_last_received_ms(s->transport), held_ms);
	uint64_t silent_ms = now_ms > since_ms ? now_ms - since_ms : 0;

	if (since_ms != k->silent_since_ms) {
		k->silent_since_ms = since_ms;
		k->unanswered = 0;
	}
	if (silent_ms < interval_ms) {
		if (held_ms < now_ms)
			measure_if_old(s);
		timer_start(&k->silence, interval_ms - silent_ms);
		return;
	}
	if (k->unanswered >= s->options.keepalive_count) {
		server_is_dead(s, "no answer to keepalives", silent_ms);
		return;
	}
	k->unanswered++;
	send_probe(s);
	timer_start(&k->silence, interval_ms);
}

static void start_deadline(struct session *s)
{
	struct keepalive *k = &s->keepalive;

	k->probed_ms = clock_now_ms();
	timer_start(&k->deadline, k->deadline_ms);
}

static void on_deadline(void *arg)
{
	struct session *s = arg;
	struct keepalive *k = &s->keepalive;
	uint64_t heard_ms = transport_last_received_ms(s->transport);

	if (heard_ms > k->probed_heard_ms)
		return; /* life, if only of the transport */
	if (transport_held_until_ms(s->transport) > k->probed_ms) {
		start_deadline(s);
		return;
	}
	server_is_dead(s, "no answer to a probe", clock_now_ms() - heard_ms);
}

void keepalive_heard(struct session *s)
{
	struct keepalive *k = &s->keepalive;

	k->unanswered = 0;
	if (timer_is_running(&k->deadline))
		timer_stop(&k->deadline);
}

void session_probe(struct session *s, uint64_t deadline_ms)
{
	struct keepalive *k = &s->keepalive;

	if (s->state == SESSION_CLOSED)
		return;
	if (timer_is_running(&k->deadline) && timer_left_ms(&k->deadline) <= deadline_ms)
		return;
	k->probed_heard_ms = transport_last_received_ms(s->transport);
	k->deadline_ms = deadline_ms;
	send_probe(s);
	start_deadline(s);
}

uint64_t session_rtt_us(const struct session *s)
{
	return s->keepalive.rtt_us;
}

/* ---- PING and PONG ---- */

int keepalive_on_ping(struct session *s, struct rd *r, struct err *e)
{
	struct span data = rd_string(r);
	struct wr message = WR_INIT;

	if (rd_end(r))
		return err_set(e, ERR_PEER, "a malformed PING");
	wr_u8(&message, SSH_MSG_PONG);
	wr_string(&message, data);
	return requests_append_answer(s, &message, e);
}

static struct probe *probe_with(const struct keepalive *k, uint64_t serial)
{
	LIST_FOREACH(node, &k->probes)
	{
		struct probe *probe = CONTAINER_OF(node, struct probe, node);

		if (probe->serial == serial && probe->sent_us)
			return probe;
	}
	return NULL;
}

int keepalive_on_pong(struct session *s, struct rd *r, struct err *e)
{
	struct keepalive *k = &s->keepalive;
	struct span data = rd_string(r);

	if (rd_end(r))
		return err_set(e, ERR_PEER, "a malformed PONG");

	struct probe *probe = data.n == PING_BYTES ? probe_with(k, get_u64(data.p)) : NULL;

	if (!probe)
		return 0; /* not ours, or given up */
	probe_answered(k, probe);
	probe_free(probe);
	return 0;
}

/* ---- life ---- */

static void set_patience(struct session *s)
{
	transport_set_rekey_patience(
	    s->transport, s->options.keepalive_interval_ms * s->options.keepalive_count);
}

void keepalive_init(struct session *s)
{
	struct keepalive *k = &s->keepalive;

	list_init(&k->probes);
	timer_init(&k->silence, s->loop, on_silence, s);
	timer_init(&k->deadline, s->loop, on_deadline, s);
	k->silent_since_ms = transport_last_received_ms(s->transport);
	set_patience(s);
	if (s->options.keepalive_interval_ms) {
		timer_start(&k->silence, s->options.keepalive_interval_ms);
		send_probe(s); /* the first round-trip time */
	}
}

void session_set_keepalive(struct session *s, uint64_t interval_ms, unsigned count)
{
	struct keepalive *k = &s->keepalive;
	struct session_options *o = &s->options;

	if (interval_ms == o->keepalive_interval_ms && count == o->keepalive_count)
		return;
	o->keepalive_interval_ms = interval_ms;
	o->keepalive_count = count;
	k->unanswered = 0;
	timer_stop(&k->silence);
	set_patience(s);
	if (interval_ms && s->state != SESSION_CLOSED)
		timer_start(&k->silence, 0);
}

void keepalive_stop(struct session *s)
{
	struct keepalive *k = &s->keepalive;

	timer_stop(&k->silence);
	timer_stop(&k->deadline);
}

void keepalive_clear(struct session *s)
{
	while (!list_empty(&s->keepalive.probes))
		probe_free(CONTAINER_OF(s->keepalive.probes.next, struct probe, node));
}
