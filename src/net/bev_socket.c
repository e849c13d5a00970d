/*
 * The bufferevent of a socket. libevent does not know the descriptor: we read into the input and
 * write from the output.
 *
 * One edge-triggered event for EV_READ and EV_CLOSED stays for the socket's whole life, and the
 * flag `readable` remembers an edge that was not used up yet. So pausing and going on are no system
 * calls, and a reset is noticed while reading is paused: the kernel's EPOLLERR arrives as EV_READ,
 * never as EV_CLOSED, and with a level-triggered EV_CLOSED alone libevent would turn round and
 * round without calling anybody. The price is that we read until EAGAIN.
 *
 * EV_WRITE, edge-triggered too, is watched only after the kernel took less than it was given.
 */
#include "net/bev.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/minmax.h"

enum {
	BLOCK_SIZE = 65536,
	READ_BLOCKS = 4,
	READ_MAX = READ_BLOCKS * BLOCK_SIZE, /* at once and a pass, for each socket */
	COPY_BELOW =
	    16384, /* a smaller read is copied, a larger one is handed over with its block */
	WRITE_BUDGET = 256 * 1024, /* a pass */
	WRITE_VECTORS = 64,
	SPARE_BLOCKS_MAX = 32
};

struct socket_bev {
	struct bufferevent *bev;
	struct loop *loop;
	evutil_socket_t fd;
	struct event
	    read_event; /* EV_READ | EV_CLOSED | EV_ET, always on until EOF and an error are over */
	struct event write_event; /* EV_WRITE | EV_ET, pending while the kernel takes no more */
	struct task read_task;    /* reads on: a pass was full, or the input has room again */
	struct task write_task;   /* writes what the pass produced */
	struct bev_reports reports;
	bool readable; /* there may be something to read */
	bool eof;      /* read */
	bool failed;
	bool finish; /* shut down once the output is empty */
	bool shut_down;
	int write_error; /* writing failed, and what the peer sent before that is still to be read; what
			    is in the output goes nowhere */
	enum bev_quickack quickack;
	bool unacknowledged; /* for all we know: read, and nothing written since */
};

/* ---- blocks ---- */

/*
 * What is read lands in blocks of 64 KB. A block of which it fills a good part goes into the input
 * as it is, without a copy, and comes back here when its last byte has gone; if not, it is copied,
 * so that a few bytes which nobody takes never hold 64 KB. Blocks are for all sockets of the
 * process.
 */
struct block {
	struct list node;
	uint8_t bytes[BLOCK_SIZE];
};

static struct list spare_blocks = {&spare_blocks, &spare_blocks};
static unsigned spare_block_count;

static struct block *block_take(void)
{
	struct list *node = list_shift(&spare_blocks);

	if (node) {
		spare_block_count--;
		return CONTAINER_OF(node, struct block, node);
	}

	struct block *block = mem_alloc_uncleared(sizeof(*block));

	list_init(&block->node);
	return block;
}

static void block_give_back(struct block *block)
{
	if (spare_block_count == SPARE_BLOCKS_MAX) {
		free(block);
		return;
	}
	spare_block_count++;
	/* The one that is warm in the cache is used first. */
	list_append(spare_blocks.next, &block->node);
}

static void block_unreferenced(const void *data, size_t n, void *arg)
{
	(void)data;
	(void)n;
	block_give_back(arg);
}

static void input_add(struct evbuffer *input, struct block *block, size_t n)
{
	if (n < COPY_BELOW) {
		if (evbuffer_add(input, block->bytes, n))
			abort();
		block_give_back(block);
	} else if (evbuffer_add_reference(input, block->bytes, n, block_unreferenced, block)) {
		abort();
	}
}

/* The first n bytes of the blocks; what is left of them goes back. */
static void input_add_blocks(struct socket_bev *s, struct block **blocks, size_t count, size_t n)
{
	struct evbuffer *input = bufferevent_get_input(s->bev);
	size_t used = 0;

	evbuffer_unfreeze(input, 0);
	while (n) {
		size_t m = min(n, BLOCK_SIZE);

		input_add(input, blocks[used++], m);
		n -= m;
	}
	evbuffer_freeze(input, 0);
	/* In the order in which they will be taken again. */
	while (count > used)
		block_give_back(blocks[--count]);
}

/* ---- failing ---- */

static void go_quiet(struct socket_bev *s)
{
	event_del(&s->read_event);
	event_del(&s->write_event);
	task_cancel(&s->read_task);
	task_cancel(&s->write_task);
}

static void fail(struct socket_bev *s, short direction, int error)
{
	s->failed = true;
	go_quiet(s);
	bev_reports_note_error(&s->reports, direction, error);
}

/*
 * The kernel says EPIPE, not ECONNRESET, when the peer had ended its side in order before it
 * stopped to listen. Then what it sent is whole, and is read to its end before the error is told.
 * (Of a reset the kernel tells once, and a read after that gives 0: it must not be taken for an
 * orderly end.) Until then the output is dropped: whoever is to take what the peer sent may first
 * have to get rid of what it says itself.
 */
static void write_failed(struct socket_bev *s, int error)
{
	if (error != EPIPE || s->eof) {
		fail(s, BEV_EVENT_WRITING, error);
		return;
	}
	s->write_error = error;
	s->readable = true;
	task_schedule(&s->read_task);
	task_schedule(&s->write_task);
}

/* For when we do not read: paused, or after EOF. */
static void look_for_error(struct socket_bev *s)
{
	int error = 0;
	socklen_t n = sizeof(error);

	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 && error && !s->write_error)
		write_failed(s, error);
}

/* ---- reading ---- */

/* As much as the input has room for, but no less than a block (or the high mark, if that is less):
 * small reads are no use. */
static size_t read_size(struct socket_bev *s)
{
	size_t high, room = bev_input_room(s->bev);

	bufferevent_getwatermark(s->bev, EV_READ, NULL, &high);
	return min(READ_MAX, max(min(high, BLOCK_SIZE), room));
}

static void reading_ended(struct socket_bev *s)
{
	s->readable = false;
	s->eof = true;
	bev_reports_note(&s->reports, BEV_REPORT_EOF);
	if (s->write_error)
		fail(s, BEV_EVENT_WRITING, s->write_error);
}

static void reading_failed(struct socket_bev *s, int error)
{
	if (error == EINTR)
		return;
	if (error != EAGAIN) {
		fail(s, BEV_EVENT_READING, error);
		return;
	}
	s->readable = false;
	if (s->write_error) /* there will not be an EOF: the peer shut its reading side only */
		fail(s, BEV_EVENT_WRITING, s->write_error);
}

static void acknowledge(struct socket_bev *s)
{
	int on = 1;

	s->unacknowledged = false;
	(void)setsockopt(s->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

static void keep_acknowledging(struct socket_bev *s)
{
	if (s->quickack == BEV_QUICKACK_ON)
		acknowledge(s);
}

/* Returns how many bytes came. */
static size_t read_once(struct socket_bev *s)
{
	struct block *blocks[READ_BLOCKS];
	struct iovec vectors[READ_BLOCKS];
	size_t count = 0;

	for (size_t left = read_size(s); left; left -= vectors[count++].iov_len) {
		blocks[count] = block_take();
		vectors[count] = (struct iovec){blocks[count]->bytes, min(left, BLOCK_SIZE)};
	}

	ssize_t n = readv(s->fd, vectors, (int)count);
	int error = errno;

	input_add_blocks(s, blocks, count, n > 0 ? (size_t)n : 0);
	if (n < 0) {
		reading_failed(s, error);
		return 0;
	}
	if (n == 0) {
		reading_ended(s);
		return 0;
	}
	s->unacknowledged = true;
	keep_acknowledging(s);
	bev_reports_note(&s->reports, BEV_REPORT_READ);
	return (size_t)n;
}

static void read_some(void *arg)
{
	struct socket_bev *s = arg;
	size_t got = 0;

	while (s->readable && !s->failed && got < READ_MAX) {
		if (bev_input_full(s->bev))
			return; /* on_input_changed() goes on */
		got += read_once(s);
	}
	if (s->readable && !s->failed)
		task_schedule(&s->read_task);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct socket_bev *s = arg;

	(void)fd;
	(void)what;
	if (s->eof) {
		look_for_error(s);
		return;
	}
	s->readable = true;
	if (bev_input_full(s->bev))
		look_for_error(s);
	else
		read_some(s);
}

static void on_input_changed(
    struct evbuffer *input, const struct evbuffer_cb_info *change, void *arg)
{
	struct socket_bev *s = arg;

	(void)input;
	if (change->n_deleted && s->readable && !s->failed && !bev_input_full(s->bev))
		task_schedule(&s->read_task);
}

/* ---- writing ---- */

static void drain_output(struct socket_bev *s, size_t n)
{
	struct evbuffer *output = bufferevent_get_output(s->bev);

	evbuffer_unfreeze(output, 1);
	evbuffer_drain(output, n);
	evbuffer_freeze(output, 1);
}

/* Returns how many bytes the kernel took; less than were offered when it takes no more; -1 on
 * failure. */
static ssize_t write_once(struct socket_bev *s, struct evbuffer *output, size_t *ret_offered)
{
	struct evbuffer_iovec vectors[WRITE_VECTORS];
	int count = evbuffer_peek(output, WRITE_BUDGET, NULL, vectors, WRITE_VECTORS);
	struct msghdr message = {.msg_iov = vectors,
	    .msg_iovlen = (size_t)(count < WRITE_VECTORS ? count : WRITE_VECTORS)};
	ssize_t n;

	*ret_offered = 0;
	for (size_t i = 0; i < message.msg_iovlen; i++)
		*ret_offered += vectors[i].iov_len;
	do
		n = sendmsg(s->fd, &message, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		n = 0;
	if (n > 0) {
		s->unacknowledged = false; /* what is written says it, too */
		drain_output(s, (size_t)n);
	}
	return n;
}

static void shut_down_if_finished(struct socket_bev *s)
{
	if (!s->finish || s->shut_down)
		return;
	s->shut_down = true;
	(void)shutdown(
	    s->fd, SHUT_WR); /* fails only when the connection is gone, which reading tells */
}

static bool may_write(const struct socket_bev *s)
{
	return !s->failed && !s->write_error && !event_pending(&s->write_event, EV_WRITE, NULL);
}

static bool drops_output(const struct socket_bev *s)
{
	return s->write_error && !s->failed;
}

static void drop_output(struct socket_bev *s, size_t n)
{
	drain_output(s, n);
	bev_reports_note_drained(&s->reports, n);
}

static void write_some(void *arg)
{
	struct socket_bev *s = arg;
	struct evbuffer *output = bufferevent_get_output(s->bev);
	size_t before = evbuffer_get_length(output), offered = 0;
	ssize_t n = 0;

	task_cancel(&s->write_task);
	if (drops_output(s))
		drop_output(s, before);
	if (!may_write(s))
		return;
	if (before && (n = write_once(s, output, &offered)) < 0) {
		write_failed(s, errno);
		return;
	}
	if ((size_t)n < offered)
		event_add(&s->write_event, NULL);
	else if (evbuffer_get_length(output))
		task_schedule(&s->write_task);
	else
		shut_down_if_finished(s);
	bev_reports_note_drained(&s->reports, before);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	write_some(arg);
}

static void on_output_changed(
    struct evbuffer *output, const struct evbuffer_cb_info *change, void *arg)
{
	struct socket_bev *s = arg;

	(void)output;
	if (change->n_added && (drops_output(s) || may_write(s)))
		task_schedule(&s->write_task);
}

/* ---- the kind ---- */

static void socket_finish(struct bufferevent *bev, void *owner)
{
	struct socket_bev *s = owner;

	(void)bev;
	s->finish = true;
	if (may_write(s))
		task_schedule(&s->write_task);
}

static void socket_flush(struct bufferevent *bev, void *owner)
{
	(void)bev;
	write_some(owner);
}

static void free_buried(void *object)
{
	struct socket_bev *s = object;

	bufferevent_free(s->bev);
	free(s);
}

static void socket_free(struct bufferevent *bev, void *owner)
{
	struct socket_bev *s = owner;

	bev_reports_stop(&s->reports);
	go_quiet(s);
	evbuffer_remove_cb(bufferevent_get_input(bev), on_input_changed, s);
	evbuffer_remove_cb(bufferevent_get_output(bev), on_output_changed, s);
	bev_disown(bev);
	close(s->fd);
	loop_bury(s->loop, free_buried, s);
}

static void socket_reset(struct bufferevent *bev, void *owner)
{
	struct socket_bev *s = owner;
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	(void)setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	socket_free(bev, s);
}

static int socket_error(struct bufferevent *bev, void *owner)
{
	struct socket_bev *s = owner;

	(void)bev;
	return s->reports.error_told ? s->reports.error : 0;
}

static bool socket_at_eof(struct bufferevent *bev, void *owner)
{
	struct socket_bev *s = owner;

	(void)bev;
	return s->reports.eof_told;
}

/* What the kernel has and the other end has not acknowledged. */
static size_t socket_in_transit(struct bufferevent *bev, void *owner)
{
	const struct socket_bev *s = owner;
	int n = 0;

	(void)bev;
	return ioctl(s->fd, SIOCOUTQ, &n) == 0 && n > 0 ? (size_t)n : 0;
}

static const struct bev_kind socket_kind = {
    .name = "socket",
    .finish = socket_finish,
    .flush = socket_flush,
    .free = socket_free,
    .reset = socket_reset,
    .error = socket_error,
    .at_eof = socket_at_eof,
    .in_transit = socket_in_transit,
};

struct bufferevent *bev_socket_new(struct loop *loop, evutil_socket_t fd)
{
	struct socket_bev *s = NEW(struct socket_bev);
	struct event_base *base = loop_base(loop);

	s->bev = bev_bare_new(loop);
	s->loop = loop;
	s->fd = fd;
	bev_reports_init(&s->reports, loop, s->bev);
	task_init(&s->read_task, loop, read_some, s);
	task_init(&s->write_task, loop, write_some, s);
	event_assign(
	    &s->read_event, base, fd, EV_READ | EV_CLOSED | EV_ET | EV_PERSIST, on_readable, s);
	event_assign(&s->write_event, base, fd, EV_WRITE | EV_ET, on_writable, s);
	evbuffer_add_cb(bufferevent_get_input(s->bev), on_input_changed, s);
	evbuffer_add_cb(bufferevent_get_output(s->bev), on_output_changed, s);
	bev_adopt(s->bev, &socket_kind, s);
	event_add(&s->read_event, NULL);
	return s->bev;
}

static struct socket_bev *socket_of(struct bufferevent *bev)
{
	void *owner;

	return bev_kind(bev, &owner) == &socket_kind ? owner : NULL;
}

evutil_socket_t bev_socket_fd(struct bufferevent *bev)
{
	struct socket_bev *s = socket_of(bev);

	return s ? s->fd : -1;
}

void bev_socket_set_quickack(struct bufferevent *bev, enum bev_quickack quickack)
{
	struct socket_bev *s = socket_of(bev);

	if (!s)
		return;
	s->quickack = quickack;
	keep_acknowledging(s);
}

bool bev_socket_acknowledge(struct bufferevent *bev)
{
	struct socket_bev *s = socket_of(bev);

	if (!s || !s->unacknowledged)
		return false;
	acknowledge(s);
	return true;
}

bool bev_socket_set_lowat(struct bufferevent *bev, size_t n)
{
	struct socket_bev *s = socket_of(bev);
	int bytes = n ? (int)n : 1;

	if (!s || setsockopt(s->fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes)))
		return false;
	bev_socket_read_now(bev);
	return true;
}

void bev_socket_read_now(struct bufferevent *bev)
{
	struct socket_bev *s = socket_of(bev);

	if (!s || s->eof || s->failed)
		return;
	s->readable = true;
	if (!bev_input_full(bev))
		read_some(s);
}
