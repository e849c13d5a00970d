/*
 * What small messages need, and what bulk leaves to those beside it.
 *
 * A message of less than a full packet is acknowledged soon after it came, unless something that we sent did so: sshd leaves
 * Nagle on, so that the second of two small packets, the rest of an answer or another stream's, waits until the first one is
 * acknowledged, and TCP would delay that by 40 ms. Beside bulk all is acknowledged at once, since there the server often has
 * less than a segment to send.
 *
 * Whatever is under way on a link, in either direction, is a queue that every other byte of it waits behind, and with
 * OpenSSH's usual window of 2 MB that is milliseconds even on the fastest path. A transfer that has the link to itself may
 * keep it as full as its window allows. But while small messages go beside it, no channel keeps more under way than twice what
 * the path holds, or, to a peer that credits in lumps, one of these and what the path holds: towards us its window is not
 * filled up again (channel_window.c), towards the peer it leaves a part of the peer's window unused (pump.c). A pass of the
 * loop takes less at once then, too, and bulk is not read in lumps (net/lumps).
 */
#include "base/clock.h"
#include "ssh/connection.h"

enum {
	SMALL = 4096, /* bytes of a query, an answer, a keystroke; bulk comes in larger messages */
	PACE_MIN_MS = 2,  /* from a message to its acknowledgement, */
	PACE_MAX_MS = 16, /* and where that was needless for some time; TCP's own delay is 40 */
	BULK_RATE =
	    16384,     /* so many bytes a millisecond are bulk, which TCP acknowledges by itself */
	BULK_MS = 100, /* so long after a large message bulk is under way */
	REMEMBERED_MS = 1000, /* so long after a small message the link is shared */
	UNDER_WAY_MIN = 64 * 1024,
	PATHS = 2,                /* how many times what the path holds */
	PACKET_USUAL = 32 * 1024, /* as a maximum packet; some announce gigabytes */
	UNCREDITED_PACKETS = 3,   /* so many OpenSSH and Go may take without a credit */
	SHARED_PASS = 32 * 1024,
	LUMPS_WINDOW_MIN = 1024 * 1024, /* several lumps: the peer goes on while one fills */
	ROUND_MIN_US = 1000 /* shorter ones say more about scheduling than about the path */
};

/* ---- what a path holds ---- */

void path_moved(struct path *p, const struct session *s, size_t n)
{
	uint64_t rtt_us = s->keepalive.rtt_min_us;

	if (!rtt_us)
		return;

	uint64_t now_us = clock_now_us(), elapsed_us = now_us - p->round_us;

	if (elapsed_us >= max(rtt_us, ROUND_MIN_US)) {
		/* A pause of the sender says little about the path, so it is forgotten slowly. */
		p->holds = (uint32_t)max(
		    min(p->round_bytes * rtt_us / elapsed_us, UINT32_MAX), p->holds - p->holds / 8);
		p->round_us = now_us;
		p->round_bytes = 0;
	}
	p->round_bytes += (uint32_t)n;
}

/* ---- small messages ---- */

static void on_acknowledge(void *arg)
{
	struct session *s = arg;
	struct sharing *sharing = &s->sharing;
	bool bulk = sharing->heard > (size_t)BULK_RATE * sharing->pace_ms;

	sharing->heard = 0;
	if (!bulk && transport_acknowledge(s->transport)) {
		sharing->pace_ms = PACE_MIN_MS;
		return;
	}
	sharing->pace_ms = min(2 * sharing->pace_ms, PACE_MAX_MS);
	if (bulk)
		/* Told to, TCP would acknowledge every segment from now on. What ends bulk may be small. */
		timer_start(&sharing->acknowledge, sharing->pace_ms);
}

static void on_alone(void *arg)
{
	struct session *s = arg;
	uint64_t since_ms = clock_now_ms() - s->sharing.small_ms;

	if (since_ms < REMEMBERED_MS) {
		timer_start(&s->sharing.alone, REMEMBERED_MS - since_ms);
		return;
	}
	transport_set_acks(s->transport, TRANSPORT_ACKS_AS_USUAL);
	transport_set_pass(s->transport, sharing_pass(s));
	LIST_FOREACH(node, &s->in_order)
	pump_channel(CONTAINER_OF(node, struct channel, in_session)); /* it may send more again */
}

void sharing_init(struct session *s)
{
	s->sharing.pace_ms = PACE_MIN_MS;
	timer_init(&s->sharing.acknowledge, s->loop, on_acknowledge, s);
	timer_init(&s->sharing.alone, s->loop, on_alone, s);
}

void sharing_stop(struct session *s)
{
	timer_stop(&s->sharing.acknowledge);
	timer_stop(&s->sharing.alone);
}

void sharing_heard(struct session *s, size_t n)
{
	s->sharing.heard += n;
	if (n < PACKET_PAYLOAD_GOOD && !timer_is_running(&s->sharing.acknowledge))
		timer_start(&s->sharing.acknowledge, s->sharing.pace_ms);
}

/* Bulk that has the link to itself: the link may be read in lumps, unless somebody may soon wait for what a lump keeps back:
 * the peer for our credit, or the channel for the peer's. */
static void bulk_moved(struct channel *c, size_t n)
{
	if (c->window_size < LUMPS_WINDOW_MIN || c->remote_window < c->remote_window_full / 2)
		transport_end_bulk(c->session->transport);
	else
		transport_moved_bulk(c->session->transport, n);
}

void sharing_moved(struct channel *c, size_t n)
{
	struct sharing *sharing = &c->session->sharing;
	uint64_t now_ms = clock_now_ms();

	if (n > SMALL) {
		sharing->bulk_id = c->local_id;
		sharing->bulk_ms = now_ms;
		if (!timer_is_running(&sharing->alone))
			bulk_moved(c, n);
		return;
	}
	/* Bulk that begins or ends says something small itself. */
	if (sharing->bulk_id == c->local_id || now_ms - sharing->bulk_ms > BULK_MS)
		return;
	sharing->small_ms = now_ms;
	if (timer_is_running(&sharing->alone))
		return;
	timer_start(&sharing->alone, REMEMBERED_MS);
	transport_set_acks(c->session->transport, TRANSPORT_ACKS_AT_ONCE);
	transport_set_pass(c->session->transport, sharing_pass(c->session));
	transport_end_bulk(c->session->transport);
}

uint64_t sharing_limit(const struct session *s, const struct path *p)
{
	if (!timer_is_running(&s->sharing.alone) || !p->holds)
		return UINT64_MAX;
	return max(UNDER_WAY_MIN, PATHS * (uint64_t)p->holds);
}

size_t sharing_pass(const struct session *s)
{
	return timer_is_running(&s->sharing.alone) ? SHARED_PASS : TRANSPORT_PASS;
}

/* ---- towards the peer ---- */

void sharing_adjusted(struct channel *c, uint32_t n)
{
	c->remote_lump = (uint32_t)max(n, c->remote_lump - c->remote_lump / 8);
	c->remote_window_full = (uint32_t)max(c->remote_window_full, c->remote_window);
	path_moved(&c->path_out, c->session, n);
}

uint32_t sharing_allowance(const struct channel *c)
{
	uint64_t under_way = c->remote_window_full - c->remote_window;
	/* A peer credits in lumps. While the credit for one comes, it takes what the path holds, or a packet. Where its sink is
	 * slow, OpenSSH's credits are small as long as more than three packets are under way, and from there on there is none. */
	uint64_t lump = max(c->remote_lump,
	    (uint64_t)UNCREDITED_PACKETS * min(c->remote_maximum_packet, PACKET_USUAL));
	uint64_t meanwhile = max((uint64_t)c->path_out.holds, DATA_MAX);
	uint64_t limit = max(sharing_limit(c->session, &c->path_out), lump + meanwhile);

	return under_way < limit ? (uint32_t)min(limit - under_way, c->remote_window) : 0;
}
