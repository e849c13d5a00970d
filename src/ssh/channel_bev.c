/*
 * The channel as a bufferevent under the rules of net/bev.h. It may outlive the channel: its user still reads what came, and
 * frees it when he has seen the end.
 *
 * The peer is stopped by the channel's window, not by the input's high mark, so there is a second buffer for what came and does
 * not fit below that mark; it is empty as long as the user keeps up.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/bev.h"
#include "ssh/connection.h"

enum {
	/* From this size on data goes into chains that use their power of two well; smaller pieces would waste most of one. */
	LARGE = 8192,
	/* And from this one on it is not copied, but kept where it was opened (packet_keep()). */
	KEPT_MIN = 24576
};

struct channel_bev {
	struct bufferevent *bev;
	struct loop *loop;
	struct channel *channel; /* NULL once it is gone */
	struct bev_reports reports;
	struct task carry_on;
	struct evbuffer *arrived; /* what the input had no room for; or NULL */
	bool has_user;            /* channel_bev() was called: he frees it */
	bool ended;               /* nothing more will arrive */
	bool write_closed;        /* nobody reads what is written */
	bool written_in_vain;     /* and something was */
};

/* ---- receiving ---- */

static void kept_unreferenced(const void *data, size_t n, void *page)
{
	(void)data;
	(void)n;
	packet_release(page);
}

static bool add_kept(struct evbuffer *to, struct span data)
{
	struct packet_page *page = data.n < KEPT_MIN ? NULL : packet_keep(data);

	if (!page)
		return false;
	if (evbuffer_add_reference(to, data.p, data.n, kept_unreferenced, page))
		abort(); /* out of memory */
	return true;
}

static void add(struct evbuffer *to, struct span data)
{
	struct evbuffer_iovec space[2];
	int count;

	if (add_kept(to, data))
		return;
	if (data.n < LARGE) {
		evbuffer_add(to, data.p, data.n);
		return;
	}
	count = evbuffer_reserve_space(to, (ev_ssize_t)BEV_CHAIN, space, 2);
	if (count < 1)
		abort(); /* out of memory */
	for (int i = 0; i < count; i++) {
		size_t n = min(data.n, space[i].iov_len);

		memcpy(space[i].iov_base, data.p, n);
		space[i].iov_len = n;
		data = SPAN(data.p + n, data.n - n);
	}
	evbuffer_commit_space(to, space, count);
}

static size_t arrived_length(const struct channel_bev *b)
{
	return b->arrived ? evbuffer_get_length(b->arrived) : 0;
}

static void note_end(struct channel_bev *b)
{
	if (!b->ended || arrived_length(b))
		return;
	bev_reports_note(&b->reports, BEV_REPORT_EOF);
	/* Who writes to one that is gone hears of it, as on a socket; who only reads does not. */
	if (b->written_in_vain)
		bev_reports_note_error(&b->reports, BEV_EVENT_WRITING, EPIPE);
}

static void fill_input(struct channel_bev *b, size_t n)
{
	struct evbuffer *input = bufferevent_get_input(b->bev);

	if (n > arrived_length(b))
		n = arrived_length(b);
	if (n == 0)
		return;
	evbuffer_unfreeze(input, 0);
	evbuffer_remove_buffer(b->arrived, input, n);
	evbuffer_freeze(input, 0);
	bev_reports_note(&b->reports, BEV_REPORT_READ);
	if (arrived_length(b) == 0) {
		evbuffer_free(b->arrived);
		b->arrived = NULL;
	}
}

void channel_bev_received(struct channel_bev *b, struct span data)
{
	struct evbuffer *input = bufferevent_get_input(b->bev);

	if (arrived_length(b) == 0 && bev_input_room(b->bev) >= data.n) {
		evbuffer_unfreeze(input, 0);
		add(input, data);
		evbuffer_freeze(input, 0);
		bev_reports_note(&b->reports, BEV_REPORT_READ);
		return;
	}
	if (!b->arrived)
		b->arrived = evbuffer_new();
	add(b->arrived, data);
	fill_input(b, bev_input_room(b->bev));
}

void channel_bev_ended(struct channel_bev *b)
{
	b->ended = true;
	note_end(b);
}

void channel_bev_drop_output(struct channel_bev *b)
{
	struct evbuffer *output = bufferevent_get_output(b->bev);

	evbuffer_unfreeze(output, 1);
	evbuffer_drain(output, evbuffer_get_length(output));
	evbuffer_freeze(output, 1);
}

static void drop_what_is_in_vain(struct channel_bev *b)
{
	if (!b->write_closed || evbuffer_get_length(bufferevent_get_output(b->bev)) == 0)
		return;
	b->written_in_vain = true;
	channel_bev_drop_output(b);
}

void channel_bev_write_closed(struct channel_bev *b)
{
	b->write_closed = true;
	drop_what_is_in_vain(b);
	note_end(b);
}

void channel_bev_drained(struct channel_bev *b, size_t before)
{
	bev_reports_note_drained(&b->reports, before);
}

void channel_bev_failed(struct channel_bev *b, int error)
{
	b->write_closed = true;
	drop_what_is_in_vain(b);
	fill_input(b, SIZE_MAX);
	if (b->ended) /* all of it had come before */
		bev_reports_note(&b->reports, BEV_REPORT_EOF);
	bev_reports_note_error(&b->reports, BEV_EVENT_READING, error);
}

/* The user has taken or written something, and we are not inside his call any more. */
static void carry_on(void *arg)
{
	struct channel_bev *b = arg;

	fill_input(b, bev_input_room(b->bev));
	drop_what_is_in_vain(b);
	note_end(b);
}

static void on_input_changed(
    struct evbuffer *input, const struct evbuffer_cb_info *change, void *arg)
{
	struct channel_bev *b = arg;

	(void)input;
	if (!change->n_deleted)
		return;
	if (b->arrived)
		task_schedule(&b->carry_on);
	if (b->channel)
		channel_window_taken(b->channel, change->n_deleted);
}

static void on_output_changed(
    struct evbuffer *output, const struct evbuffer_cb_info *change, void *arg)
{
	struct channel_bev *b = arg;

	(void)output;
	if (!change->n_added)
		return;
	if (b->write_closed)
		task_schedule(&b->carry_on);
	else if (b->channel)
		pump_channel(b->channel);
}

/* ---- the kind ---- */

static void free_buried(void *object)
{
	struct channel_bev *b = object;

	if (b->arrived)
		evbuffer_free(b->arrived);
	bufferevent_free(b->bev);
	free(b);
}

static void bury(struct channel_bev *b)
{
	bev_reports_stop(&b->reports);
	task_cancel(&b->carry_on);
	evbuffer_remove_cb(bufferevent_get_input(b->bev), on_input_changed, b);
	evbuffer_remove_cb(bufferevent_get_output(b->bev), on_output_changed, b);
	bev_disown(b->bev);
	loop_bury(b->loop, free_buried, b);
}

static void leave(struct channel_bev *b, enum channel_leaving how)
{
	struct channel *c = b->channel;

	if (c) {
		channel_abandon(c, how);
		c->bev = NULL;
		b->channel = NULL;
	}
	bury(b);
}

static void kind_finish(struct bufferevent *bev, void *owner)
{
	struct channel_bev *b = owner;

	(void)bev;
	if (b->channel)
		channel_eof(b->channel);
}

static void kind_flush(struct bufferevent *bev, void *owner)
{
	struct channel_bev *b = owner;

	(void)bev;
	if (b->channel)
		pump_flush(b->channel->session);
}

static void kind_free(struct bufferevent *bev, void *owner)
{
	(void)bev;
	leave(owner, CHANNEL_LEAVING_IN_ORDER);
}

static void kind_reset(struct bufferevent *bev, void *owner)
{
	(void)bev;
	leave(owner, CHANNEL_LEAVING_BY_RESET);
}

static int kind_error(struct bufferevent *bev, void *owner)
{
	struct channel_bev *b = owner;

	(void)bev;
	return b->reports.error_told ? b->reports.error : 0;
}

static bool kind_at_eof(struct bufferevent *bev, void *owner)
{
	struct channel_bev *b = owner;

	(void)bev;
	return b->reports.eof_told;
}

/* A connection below that one may hold it too. */
static uint64_t kind_held_until_ms(struct bufferevent *bev, void *owner)
{
	struct channel_bev *b = owner;

	(void)bev;
	if (!b->channel)
		return 0;

	const struct transport *t = b->channel->session->transport;

	return max(transport_exchanged_ms(t), transport_held_until_ms(t));
}

/* The rest of the way, from the server to the target, we do not see. */
static size_t kind_in_transit(struct bufferevent *bev, void *owner)
{
	struct channel_bev *b = owner;

	(void)bev;
	if (!b->channel)
		return 0;

	uint64_t delivered = transport_bytes_delivered(b->channel->session->transport);
	uint64_t last = b->channel->last_data;

	return last > delivered ? (size_t)(last - delivered) : 0;
}

static const struct bev_kind channel_kind = {
    .name = "channel",
    .finish = kind_finish,
    .flush = kind_flush,
    .free = kind_free,
    .reset = kind_reset,
    .error = kind_error,
    .at_eof = kind_at_eof,
    .held_until_ms = kind_held_until_ms,
    .in_transit = kind_in_transit,
};

struct bufferevent *channel_bev_bufferevent(const struct channel_bev *b)
{
	return b->bev;
}

struct channel_bev *channel_bev_make(struct channel *c)
{
	struct channel_bev *b = NEW(struct channel_bev);

	b->loop = c->session->loop;
	b->channel = c;
	b->bev = bev_bare_new(b->loop);
	bev_reports_init(&b->reports, b->loop, b->bev);
	task_init(&b->carry_on, b->loop, carry_on, b);
	if (c->output) {
		if (evbuffer_add_buffer(bufferevent_get_output(b->bev), c->output) < 0)
			abort(); /* out of memory */
		evbuffer_free(c->output);
		c->output = NULL;
	}
	evbuffer_add_cb(bufferevent_get_input(b->bev), on_input_changed, b);
	evbuffer_add_cb(bufferevent_get_output(b->bev), on_output_changed, b);
	bev_adopt(b->bev, &channel_kind, b);
	c->bev = b;
	return b;
}

struct bufferevent *channel_bev(struct channel *c)
{
	if (!c->bev) {
		channel_bev_make(c);
		if (c->state == CHANNEL_EOF_RECEIVED || c->state == CHANNEL_CLOSE_RECEIVED)
			channel_bev_ended(c->bev);
		if (c->state == CHANNEL_CLOSE_RECEIVED)
			channel_bev_write_closed(c->bev);
	}
	c->bev->has_user = true;
	return c->bev->bev;
}

void channel_bev_orphan(struct channel_bev *b)
{
	b->channel->bev = NULL;
	b->channel = NULL;
	if (!b->has_user)
		bury(b);
}
