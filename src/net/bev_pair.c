/*
 * Two bufferevents that are joined, as two ends of a socket are, but without a descriptor.
 * (libevent's own pair passes data from inside the call that writes, and on finishing puts it past
 * the high mark.)
 */
#include "net/bev.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/minmax.h"

struct end {
	struct bufferevent *bev;
	struct loop *loop;
	struct end *peer;  /* NULL once that was freed or reset */
	struct task carry; /* moves what is in our output to the peer's input */
	struct bev_reports reports;
	bool finish;
	bool finished; /* the peer was told */
};

static bool has_failed(const struct end *e)
{
	return e->reports.error != 0;
}

static void move(struct end *from, struct end *to)
{
	struct evbuffer *output = bufferevent_get_output(from->bev);
	struct evbuffer *input = bufferevent_get_input(to->bev);
	size_t before = evbuffer_get_length(output), n = min(before, bev_input_room(to->bev));

	if (n == 0)
		return;
	evbuffer_unfreeze(output, 1);
	evbuffer_unfreeze(input, 0);
	evbuffer_remove_buffer(output, input, n);
	evbuffer_freeze(input, 0);
	evbuffer_freeze(output, 1);
	bev_reports_note(&to->reports, BEV_REPORT_READ);
	bev_reports_note_drained(&from->reports, before);
}

static void carry(void *arg)
{
	struct end *e = arg;

	task_cancel(&e->carry);
	if (has_failed(e))
		return;
	if (e->peer)
		move(e, e->peer);

	size_t left = evbuffer_get_length(bufferevent_get_output(e->bev));

	if (!e->peer && left)
		bev_reports_note_error(&e->reports, BEV_EVENT_WRITING, EPIPE);
	if (e->finish && !e->finished && !left) {
		e->finished = true;
		if (e->peer)
			bev_reports_note(&e->peer->reports, BEV_REPORT_EOF);
	}
}

static void on_output_changed(
    struct evbuffer *output, const struct evbuffer_cb_info *change, void *arg)
{
	struct end *e = arg;

	(void)output;
	if (change->n_added)
		task_schedule(&e->carry);
}

static void on_input_changed(
    struct evbuffer *input, const struct evbuffer_cb_info *change, void *arg)
{
	struct end *e = arg;

	(void)input;
	if (change->n_deleted && e->peer)
		task_schedule(&e->peer->carry);
}

static void pair_finish(struct bufferevent *bev, void *owner)
{
	struct end *e = owner;

	(void)bev;
	e->finish = true;
	task_schedule(&e->carry);
}

static void pair_flush(struct bufferevent *bev, void *owner)
{
	(void)bev;
	carry(owner);
}

static void free_buried(void *object)
{
	struct end *e = object;

	bufferevent_free(e->bev);
	free(e);
}

static void leave(struct end *e)
{
	bev_reports_stop(&e->reports);
	task_cancel(&e->carry);
	evbuffer_remove_cb(bufferevent_get_output(e->bev), on_output_changed, e);
	evbuffer_remove_cb(bufferevent_get_input(e->bev), on_input_changed, e);
	if (e->peer)
		e->peer->peer = NULL;
	bev_disown(e->bev);
	loop_bury(e->loop, free_buried, e);
}

static void pair_free(struct bufferevent *bev, void *owner)
{
	struct end *e = owner, *peer = e->peer;

	(void)bev;
	leave(e);
	if (!peer)
		return;
	bev_reports_note(&peer->reports, BEV_REPORT_EOF);
	task_schedule(&peer->carry); /* finds out that nobody takes what it has */
}

static void pair_reset(struct bufferevent *bev, void *owner)
{
	struct end *e = owner, *peer = e->peer;

	(void)bev;
	leave(e);
	if (peer)
		bev_reports_note_error(&peer->reports, BEV_EVENT_READING, ECONNRESET);
}

static int pair_error(struct bufferevent *bev, void *owner)
{
	struct end *e = owner;

	(void)bev;
	return e->reports.error_told ? e->reports.error : 0;
}

static bool pair_at_eof(struct bufferevent *bev, void *owner)
{
	struct end *e = owner;

	(void)bev;
	return e->reports.eof_told;
}

static const struct bev_kind pair_kind = {
    .name = "pair",
    .finish = pair_finish,
    .flush = pair_flush,
    .free = pair_free,
    .reset = pair_reset,
    .error = pair_error,
    .at_eof = pair_at_eof,
};

static struct end *end_new(struct loop *loop)
{
	struct end *e = NEW(struct end);

	e->bev = bev_bare_new(loop);
	e->loop = loop;
	task_init(&e->carry, loop, carry, e);
	bev_reports_init(&e->reports, loop, e->bev);
	evbuffer_add_cb(bufferevent_get_output(e->bev), on_output_changed, e);
	evbuffer_add_cb(bufferevent_get_input(e->bev), on_input_changed, e);
	bev_adopt(e->bev, &pair_kind, e);
	return e;
}

void bev_pair_new(struct loop *loop, struct bufferevent *ret_pair[2])
{
	struct end *a = end_new(loop), *b = end_new(loop);

	a->peer = b;
	b->peer = a;
	ret_pair[0] = a->bev;
	ret_pair[1] = b->bev;
}
