/*
 * The seam: everything that carries bytes is a struct bufferevent of libevent, and whoever uses one
 * neither knows nor asks which kind it is: a socket (bev_socket_new), an SSH channel (ssh/channel),
 * a pair in a test (bev_pair_new).
 *
 * What libevent offers is used as it is: bufferevent_get_input(), bufferevent_get_output(),
 * bufferevent_setcb(), bufferevent_setwatermark(). The few things that it leaves to the kind stand
 * here. The rules, which one test holds for every kind (tests/unit/net/bev_rules.h):
 *
 *  1. The read callback may leave data in the input. Nobody calls again for it: take it when you
 * have room. A full input (its high mark, BEV_HIGH_MARK unless set otherwise) stops the producer;
 * draining it below starts it again. The bound is the high mark plus one unit: 64 KB, or the high
 * mark if that is less.
 *  2. Appending to an output never blocks and never fails. Ask bev_full() before producing one more
 * unit; the write callback comes each time the output falls from above its low mark to it or below.
 * The bound is the high mark plus one unit (for the relay, what a pass moves). Who waits for the very last byte sets the low mark to 0
 * and looks whether the output is empty already.
 *  3. Writing, flushing and closing never call back from inside the call: callbacks come from the
 * loop.
 *  4. Half-close is first class. BEV_EVENT_EOF | BEV_EVENT_READING arrives once, after the last
 * byte was put into the input (and not before the reader was told of it); bev_finish() sends it
 * once the output is drained.
 *  5. After BEV_EVENT_ERROR, bev_free() or bev_reset() nothing more is called. Freeing inside a
 * callback is legal: the object is silent at once and goes to the graveyard.
 *
 * Events are reported with bufferevent's event callback, one at a time: BEV_EVENT_EOF |
 * BEV_EVENT_READING; BEV_EVENT_ERROR with BEV_EVENT_READING or BEV_EVENT_WRITING, and then
 * bev_error() says why. An error ends both directions; what is in the input by then can still be
 * read. bufferevent_enable() and _disable() are not used: who does not want more leaves the input
 * full, and who changes a high mark upwards while the input is full has to drain it for reading to
 * go on.
 */
#ifndef ADIT_NET_BEV_H
#define ADIT_NET_BEV_H

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"

/* The high mark of an input and of an output, and the low mark of an output, until
 * bufferevent_setwatermark() says otherwise. (The low mark of an input is 0: every byte is
 * reported.) */
#define BEV_HIGH_MARK ((size_t)256 * 1024)
#define BEV_LOW_MARK ((size_t)64 * 1024)
/* A chain of an evbuffer that uses its power of two well: libevent rounds up *with* its header. */
#define BEV_CHAIN ((size_t)65536 - 64)

/* A bufferevent over a connected, non-blocking stream socket, TCP or Unix. Takes fd. Reading begins
 * at once. Fed by us, because libevent reads 4,096 bytes a call: libevent does not know the
 * descriptor, bufferevent_getfd() gives -1. */
struct bufferevent *bev_socket_new(struct loop *loop, evutil_socket_t fd);
/* The descriptor of a socket, -1 for other kinds; stays the bufferevent's. */
evutil_socket_t bev_socket_fd(struct bufferevent *bev);
/* TCP_QUICKACK again after each read, while it is on: for when the server's Nagle waits for our ACKs. */
enum bev_quickack { BEV_QUICKACK_OFF, BEV_QUICKACK_ON };
void bev_socket_set_quickack(struct bufferevent *bev, enum bev_quickack quickack);
/* The same once. Returns false, having done nothing, when something was written since the last read:
 * that said it. */
bool bev_socket_acknowledge(struct bufferevent *bev);
/* SO_RCVLOWAT: the kernel tells us when n bytes have come, or the end; 0: whenever something has.
 * What is there already is read at once.
 * Until it is 0 again the caller fetches what is less with bev_socket_read_now(), every so often.
 * Neither does anything to other kinds; the first returns false then. */
bool bev_socket_set_lowat(struct bufferevent *bev, size_t n);
void bev_socket_read_now(struct bufferevent *bev);

/* Two that are joined: what is written to one is read from the other. When one is reset, or written
 * to after the other was freed, the error is ECONNRESET or EPIPE as on a socket. For tests. */
void bev_pair_new(struct loop *loop, struct bufferevent *ret_pair[2]);

/* How many bytes the output takes until its high mark; SIZE_MAX when it has none. */
size_t bev_room(struct bufferevent *bev);
/* True when nothing more should be appended to the output now: there is no room. */
bool bev_full(struct bufferevent *bev);
/* No more output: EOF goes out once what is in the output has gone. Idempotent. Appending
 * afterwards is our bug. */
void bev_finish(struct bufferevent *bev);
/* Writes out what it can at once instead of at the end of the pass. Nothing after an error. */
void bev_flush(struct bufferevent *bev);
/* Ends it in order, without waiting: a socket is closed (what the kernel has is still delivered,
 * what is in the output is dropped), a channel sends CLOSE. To deliver the output first,
 * bev_finish() and wait until it is empty. NULL is legal. */
void bev_free(struct bufferevent *bev);
/* Ends it so that the other end sees a failure: RST on a TCP socket, CLOSE without EOF on a
 * channel. NULL is legal. */
void bev_reset(struct bufferevent *bev);
/* The errno value of the error that was reported, 0 before one. */
int bev_error(struct bufferevent *bev);
/* True once EOF was reported: for who takes over a bufferevent from somebody else. */
bool bev_at_eof(struct bufferevent *bev);
/* What carries the bytes may stand still for a reason and with a deadline of its own, as a channel
 * does while its connection exchanges keys. clock_now_ms() while it does; afterwards when it last
 * did; 0 if it never has. Silence before then says nothing about the other end. */
uint64_t bev_held_until_ms(struct bufferevent *bev);

/* How many bytes of what was appended to the output have not arrived, as far as one can tell: those in the output, and those in
 * what lies below it (the kernel, the connection that carries a channel). For a look now and then: it may be a system call. */
size_t bev_undelivered(struct bufferevent *bev);

/* ---- for those who make a kind ---- */

struct bev_kind {
	const char *name;
	void (*finish)(struct bufferevent *bev, void *owner);
	void (*flush)(struct bufferevent *bev, void *owner); /* may be NULL */
	void (*free)(struct bufferevent *bev, void *owner);  /* silences it, buries it */
	void (*reset)(struct bufferevent *bev, void *owner);
	int (*error)(struct bufferevent *bev, void *owner);
	bool (*at_eof)(struct bufferevent *bev, void *owner);
	uint64_t (*held_until_ms)(struct bufferevent *bev, void *owner); /* NULL: never */
	/* Bytes that left the output and have not arrived; it may count others' that have to arrive before. NULL: none */
	size_t (*in_transit)(struct bufferevent *bev, void *owner);
};

/* libevent has no place for a user's pointer in a bufferevent, so the kinds stand in a table by
 * address. Called once by whoever makes one, and bev_disown() before bufferevent_free(). */
void bev_adopt(struct bufferevent *bev, const struct bev_kind *kind, void *owner);
void bev_disown(struct bufferevent *bev);
/* NULL when nobody adopted it. */
const struct bev_kind *bev_kind(struct bufferevent *bev, void **ret_owner);

/* What every kind is made of: bufferevent_socket_new(base, -1, 0), libevent's own reading and
 * writing off, the marks set. Filling its input needs evbuffer_unfreeze(input, 0), draining its
 * output evbuffer_unfreeze(output, 1); freeze again. */
struct bufferevent *bev_bare_new(struct loop *loop);

/*
 * How a kind keeps rules 3, 4 and 5: it notes what is to be told, and a task tells it: read, write,
 * EOF, error, each by itself and in this order. Embedded by the kind's owner.
 */
struct bev_reports {
	struct task task;
	struct bufferevent *bev;
	unsigned due; /* a set of enum bev_report */
	short error_direction;
	int error;       /* errno of the error, due or told */
	bool eof_told;   /* what bev_at_eof() answers */
	bool error_told; /* from here on bev_error() answers error */
};

enum bev_report {
	BEV_REPORT_READ = 1,
	BEV_REPORT_WRITE = 2,
	BEV_REPORT_EOF = 4,
	BEV_REPORT_ERROR = 8
};

void bev_reports_init(struct bev_reports *r, struct loop *loop, struct bufferevent *bev);
/* READ, WRITE or EOF. EOF is told once, however often it is noted. Nothing is told after an error.
 */
void bev_reports_note(struct bev_reports *r, enum bev_report report);
/* direction: BEV_EVENT_READING or BEV_EVENT_WRITING. The first error counts. */
void bev_reports_note_error(struct bev_reports *r, short direction, int error);
/* Notes WRITE if the output, which held that much before, has now fallen to its low mark. */
void bev_reports_note_drained(struct bev_reports *r, size_t before);
/* Nothing more is told. Called first thing by a kind's free and reset. */
void bev_reports_stop(struct bev_reports *r);

/* How much more the input takes, as bev_room() says it of the output. */
size_t bev_input_room(struct bufferevent *bev);
/* True when the input is at its high mark or above. */
bool bev_input_full(struct bufferevent *bev);

#endif
