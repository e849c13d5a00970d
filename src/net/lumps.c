#include "net/lumps.h"

#include "net/bev.h"

enum {
	PIECE_MIN = 16 * 1024, /* bulk comes in larger ones */
	PROOF_MS = 32,
	PROOF_RATE = 48 * 1024, /* bytes a millisecond, on average over PROOF_MS */
	FETCH_MS = 4,
	LOWAT = PROOF_RATE * FETCH_MS,
	FETCH_MIN = LOWAT / 3 /* in FETCH_MS; less is not bulk any more */
};

static void set(struct lumps *l, bool on)
{
	l->bytes = 0;
	timer_start(&l->tick, on ? FETCH_MS : PROOF_MS);
	if (l->on != on)
		l->on = bev_socket_set_lowat(l->bev, on ? LOWAT : 0) && on;
}

static void on_tick(void *arg)
{
	struct lumps *l = arg;
	bool on = l->bytes >= (uint64_t)(l->on ? FETCH_MIN : PROOF_RATE * PROOF_MS);

	if (!l->bytes && !l->on)
		return;
	if (l->on && on)
		bev_socket_read_now(l->bev);
	set(l, on); /* where it ends them, what is there is read */
}

void lumps_init(struct lumps *l, struct loop *loop, struct bufferevent *bev)
{
	*l = (struct lumps){.bev = bev_socket_fd(bev) < 0 ? NULL : bev};
	timer_init(&l->tick, loop, on_tick, l);
}

void lumps_stop(struct lumps *l)
{
	timer_stop(&l->tick);
}

void lumps_moved(struct lumps *l, size_t n)
{
	if (!l->bev || n < PIECE_MIN)
		return;
	if (!timer_is_running(&l->tick))
		set(l, false);
	l->bytes += n;
}

void lumps_end(struct lumps *l)
{
	if (timer_is_running(&l->tick))
		set(l, false);
}
