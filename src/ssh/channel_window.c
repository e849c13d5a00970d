/*
 * What the peer may send (RFC 4254 §5.2), and how that grows.
 *
 * At any moment local_window + held + credit == window_size. Bytes are held until the sink has taken them; then they are credit,
 * which goes back to the peer in lumps. So a sink that does not keep up stops the peer, and nothing is kept beyond window_size.
 *
 * window_size doubles when the sink keeps up and the window is less than twice what the path holds; what it holds is the
 * delivery rate times the smallest round trip seen, measured over at least one round trip (sharing.c, which also says how
 * little a window may be while small messages go beside it). Below the starting size, which a
 * channel among very many does not get at once, it doubles just for being used up. It gives back what the path no longer
 * holds: OpenSSH's server pays for a window that is not in flight: what piles up there is moved as a whole at each read.
 */
#include <assert.h>

#include "ssh/connection.h"

enum {
	NOT_IN_FLIGHT_MAX = 6 * 1024 * 1024,
	LUMP_PACKETS = 3,
	LUMP_SHARE = 8 /* of the window */
};

/* ---- the budget: what channels have beyond one packet each ---- */

static uint64_t beyond_a_packet(const struct session *s, uint64_t window)
{
	return window > s->options.maximum_packet ? window - s->options.maximum_packet : 0;
}

static void set_size(struct channel *c, uint64_t size)
{
	struct session *s = c->session;

	s->windows -= beyond_a_packet(s, c->window_size);
	s->windows += beyond_a_packet(s, size);
	c->window_size = (uint32_t)size;
}

static uint64_t budget_left(const struct session *s, uint64_t budget)
{
	return budget > s->windows ? budget - s->windows : 0;
}

/* Half of the budget is for starting; each channel gets at most an eighth of what is left of that, the other half is for those
 * that turn out to need it. */
void channel_window_init(struct channel *c)
{
	struct session *s = c->session;
	const struct session_options *o = &s->options;
	uint64_t share = max(budget_left(s, o->window_budget / 2) / 8, o->maximum_packet);

	set_size(c, min(o->window, share));
	c->local_window = c->window_size;
}

void channel_window_release(struct channel *c)
{
	set_size(c, 0);
}

/* ---- what comes ---- */

bool channel_window_received(struct channel *c, size_t n)
{
	if (n > c->local_window)
		return false;
	c->local_window -= (uint32_t)n;
	c->held += (uint32_t)n;
	c->bytes_in += n;
	path_moved(&c->path_in, c->session, n);
	sharing_moved(c, n);
	return true;
}

/* ---- giving back ---- */

void channel_window_taken(struct channel *c, size_t n)
{
	assert(n <= c->held);
	c->held -= (uint32_t)n;
	c->credit += (uint32_t)n;
	pump_channel(c);
}

bool channel_window_adjust_due(const struct channel *c)
{
	uint64_t lump = max((uint64_t)LUMP_PACKETS * c->session->options.maximum_packet,
	    c->window_size / LUMP_SHARE);

	if (c->state != CHANNEL_OPEN || c->close_sent || c->credit == 0)
		return false;
	return c->credit >= min(c->window_size / 2, lump);
}

static bool sink_keeps_up(const struct channel *c)
{
	return c->held <= c->window_size / 4;
}

static bool deserves_more(const struct channel *c)
{
	return c->window_size < c->session->options.window ||
	       c->window_size < 2 * (uint64_t)c->path_in.holds;
}

static void shrink(struct channel *c, uint64_t less)
{
	less = min(less, c->credit);
	set_size(c, c->window_size - less);
	c->credit -= (uint32_t)less;
}

static void grow(struct channel *c, uint64_t more)
{
	more = min(more, budget_left(c->session, c->session->options.window_budget));
	set_size(c, c->window_size + more);
	c->credit += (uint32_t)more;
}

static void resize(struct channel *c)
{
	const struct session_options *o = &c->session->options;
	uint64_t limit =
	    min(o->window_max, max(o->window, (uint64_t)c->path_in.holds + NOT_IN_FLIGHT_MAX));
	uint64_t size = c->window_size;

	limit = min(limit, sharing_limit(c->session, &c->path_in));
	if (size > limit) {
		shrink(c, size - limit);
		return;
	}
	/* Once a window's worth of bytes: before, the last change cannot have shown what it does. */
	if (c->bytes_in - c->resized_at < size)
		return;
	c->resized_at = c->bytes_in;
	if (sink_keeps_up(c) && deserves_more(c))
		grow(c, min(2 * size, limit) - size);
}

uint32_t channel_window_grant(struct channel *c)
{
	uint32_t n;

	resize(c);
	n = c->credit;
	c->credit = 0;
	c->local_window += n;
	return n;
}
