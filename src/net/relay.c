#include "net/relay.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/minmax.h"

enum { BUDGET = 256 * 1024, CHAIN_MAX = 64 * 1024, PEEK_VECTORS = 64, IDLE_LOOKS = 4 };

struct side {
	struct relay *relay;
	struct side *other;
	struct bufferevent *bev;
	struct task pump;      /* carries on what a callback had no budget for */
	uint64_t *bytes_from;  /* or NULL */
	enum relay_end failed; /* how a failure of this side is called */
	bool eof;              /* it will say nothing more */
	bool finished;         /* it was told that nothing more will come */
	bool deaf;             /* it failed after its EOF: what the other says is dropped */
	int error;
};

struct relay {
	struct loop *loop;
	struct side a, b;
	struct task look; /* at what there is in the beginning */
	struct timer idle;
	uint64_t idle_timeout_ms;
	uint64_t last_active_ms;
	size_t undelivered; /* when idle was looked at last */
	void (*on_end)(void *arg, enum relay_end end, int error);
	void *arg;
};

static struct evbuffer *input_of(const struct side *side)
{
	return bufferevent_get_input(side->bev);
}

static struct evbuffer *output_of(const struct side *side)
{
	return bufferevent_get_output(side->bev);
}

/* ---- ends ---- */

static void be_silent(struct relay *relay)
{
	task_cancel(&relay->look);
	task_cancel(&relay->a.pump);
	task_cancel(&relay->b.pump);
	timer_stop(&relay->idle);
}

/* The last thing that a callback does: afterwards the relay waits for its burial. */
static void end(
    struct relay *relay, enum relay_end how, int error, void (*dispose)(struct bufferevent *bev))
{
	be_silent(relay);
	dispose(relay->a.bev);
	dispose(relay->b.bev);
	loop_bury(relay->loop, free, relay);
	if (relay->on_end)
		relay->on_end(relay->arg, how, error);
}

/* True when all that this side said has reached the other, its EOF included. */
static bool is_delivered(const struct side *side)
{
	return side->other->finished && evbuffer_get_length(output_of(side->other)) == 0;
}

/* Returns true when that was the end. */
static bool end_if_done(struct relay *relay)
{
	struct side *sides[] = {&relay->a, &relay->b};

	for (size_t i = 0; i < ARRAY_LEN(sides); i++) {
		if (sides[i]->deaf && is_delivered(sides[i])) {
			end(relay, sides[i]->failed, sides[i]->error, bev_free);
			return true;
		}
	}
	if (!is_delivered(&relay->a) || !is_delivered(&relay->b))
		return false;
	end(relay, RELAY_END_FINISHED, 0, bev_free);
	return true;
}

/* ---- moving ---- */

/* How much to move: until the other's output is at its high mark, and on to the end of a chain, so that none is split and
 * copied. (A chain of what our kinds receive is 64 KB at most; a larger one is split nevertheless.) An output that is empty
 * takes all that a pass may move: its sink keeps up, and what goes at once goes with fewer system calls. */
static size_t bytes_to_move(const struct side *from)
{
	struct evbuffer_iovec vectors[PEEK_VECTORS];
	size_t room = BUDGET, n = 0;

	if (evbuffer_get_length(output_of(from->other)))
		room = min(room, bev_room(from->other->bev));
	if (room == 0)
		return 0;

	int count = evbuffer_peek(input_of(from), (ev_ssize_t)room, NULL, vectors, PEEK_VECTORS);

	for (int i = 0; i < count && i < PEEK_VECTORS; i++)
		n += vectors[i].iov_len;
	return n <= room + CHAIN_MAX ? n : room;
}

static void drop_input(struct side *from)
{
	evbuffer_drain(input_of(from), evbuffer_get_length(input_of(from)));
}

static void move(struct side *from)
{
	struct evbuffer *input = input_of(from);
	size_t n = bytes_to_move(from);

	if (n == 0)
		return;
	if (n == evbuffer_get_length(input))
		evbuffer_add_buffer(output_of(from->other), input);
	else
		evbuffer_remove_buffer(input, output_of(from->other), n);
	from->relay->last_active_ms = clock_now_ms();
	if (from->bytes_from)
		*from->bytes_from += n;
}

static void pass_eof_on(struct side *from)
{
	size_t high;

	from->other->finished = true;
	/* The last byte ends the relay. */
	bufferevent_getwatermark(from->other->bev, EV_WRITE, NULL, &high);
	bufferevent_setwatermark(from->other->bev, EV_WRITE, 0, high);
	bev_finish(from->other->bev);
}

/* May end the relay. */
static void pump(void *arg)
{
	struct side *from = arg;

	if (from->other->deaf)
		drop_input(from);
	else if (!from->other->finished)
		move(from);
	if (evbuffer_get_length(input_of(from)) == 0) {
		if (from->eof && !from->other->finished)
			pass_eof_on(from);
	} else if (!bev_full(from->other->bev)) {
		task_schedule(&from->pump);
	}
	(void)end_if_done(from->relay);
}

/* ---- what the sides tell ---- */

static void side_failed(struct side *side, int error)
{
	if (!side->eof) {
		end(side->relay, side->failed, error, bev_reset);
		return;
	}
	side->deaf = true;
	side->error = error;
	if (!end_if_done(side->relay))
		task_schedule(&side->other->pump);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	(void)bev;
	pump(arg);
}

static void on_write(struct bufferevent *bev, void *arg)
{
	struct side *to = arg;

	(void)bev;
	pump(to->other);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct side *side = arg;

	if (what & BEV_EVENT_ERROR) {
		side_failed(side, bev_error(bev));
		return;
	}
	side->eof = true;
	pump(side);
}

static void look_later(struct relay *relay, uint64_t left_ms)
{
	timer_start(&relay->idle, min(left_ms, relay->idle_timeout_ms / IDLE_LOOKS + 1));
}

/* What was moved at once may take its time to leave: as long as it gets less, bytes move. */
static void note_deliveries(struct relay *relay, uint64_t now_ms)
{
	size_t undelivered = bev_undelivered(relay->a.bev) + bev_undelivered(relay->b.bev);

	if (undelivered < relay->undelivered)
		relay->last_active_ms = now_ms;
	relay->undelivered = undelivered;
}

static void on_idle(void *arg)
{
	struct relay *relay = arg;
	uint64_t now_ms = clock_now_ms();

	note_deliveries(relay, now_ms);

	uint64_t due_ms = relay->last_active_ms + relay->idle_timeout_ms;

	if (due_ms > now_ms)
		look_later(relay, due_ms - now_ms);
	else
		end(relay, RELAY_END_IDLE, 0, bev_reset);
}

/* ---- from outside ---- */

static void look(void *arg)
{
	struct relay *relay = arg;
	struct side *sides[] = {&relay->a, &relay->b};

	for (size_t i = 0; i < ARRAY_LEN(sides); i++) {
		sides[i]->eof = sides[i]->eof || bev_at_eof(sides[i]->bev);
		task_schedule(&sides[i]->pump);
	}
	for (size_t i = 0; i < ARRAY_LEN(sides); i++) {
		int error = bev_error(sides[i]->bev);

		if (error) {
			side_failed(sides[i], error);
			return;
		}
	}
}

static void side_init(struct side *side, struct relay *relay, struct bufferevent *bev)
{
	side->relay = relay;
	side->bev = bev;
	task_init(&side->pump, relay->loop, pump, side);
	bufferevent_setcb(bev, on_read, on_write, on_event, side);
}

struct relay *relay_new(struct loop *loop, struct bufferevent *a, struct bufferevent *b,
    const struct relay_options *options)
{
	struct relay *relay = NEW(struct relay);

	relay->loop = loop;
	relay->a.other = &relay->b;
	relay->b.other = &relay->a;
	relay->a.bytes_from = options->bytes_a_to_b;
	relay->b.bytes_from = options->bytes_b_to_a;
	relay->a.failed = RELAY_END_FAILED_A;
	relay->b.failed = RELAY_END_FAILED_B;
	relay->on_end = options->on_end;
	relay->arg = options->arg;
	relay->last_active_ms = clock_now_ms();
	side_init(&relay->a, relay, a);
	side_init(&relay->b, relay, b);
	task_init(&relay->look, loop, look, relay);
	task_schedule(&relay->look);
	timer_init(&relay->idle, loop, on_idle, relay);
	relay->idle_timeout_ms = options->idle_timeout_ms;
	if (relay->idle_timeout_ms)
		look_later(relay, relay->idle_timeout_ms);
	return relay;
}

void relay_free(struct relay *relay)
{
	if (!relay)
		return;
	be_silent(relay);
	bev_reset(relay->a.bev);
	bev_reset(relay->b.bev);
	loop_bury(relay->loop, free, relay);
}

uint64_t relay_last_active_ms(const struct relay *relay)
{
	return relay->last_active_ms;
}
