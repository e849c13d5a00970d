/*
 * The inside of the connection layer: what session*.c, channel*.c and pump.c know of each other. Nobody else includes this.
 *
 * There is no queue of outgoing packets. What is to be sent is state (of the session: requests; of a channel: an answer, an
 * adjust, EOF, CLOSE, bytes of output), and the pump makes a packet of it in the moment when the transport takes one. So whoever
 * changes such state calls pump_session() or pump_channel(), and nobody else sends.
 */
#ifndef ADIT_SSH_CONNECTION_H
#define ADIT_SSH_CONNECTION_H

#include <event2/buffer.h>

#include "base/list.h"
#include "base/map.h"
#include "base/minmax.h"
#include "ssh/channel.h"
#include "ssh/messages.h"
#include "ssh/packet.h"
#include "ssh/session.h"

/* Of a data message's bytes we send at most so many: below what everybody must take (RFC 4253 §6.1), and such that two messages
 * share a chain of the transport's output, CHANNEL_EXTENDED_DATA's longer head included. */
#define DATA_HEAD_MAX ((size_t)13)
#define DATA_MAX (PACKET_PAYLOAD_GOOD - DATA_HEAD_MAX)

/* ---- the session ---- */

enum session_state {
	SESSION_OPEN,
	SESSION_CLOSING, /* session_close(): no new channels; ends when the last one has gone */
	SESSION_CLOSED   /* nothing is sent or received any more; reason is set */
};

/* pump.c. Each list holds channels, in the order of their turns. */
struct pump {
	struct task task;
	struct list owing; /* those that owe a message */
	struct list ready; /* those that have data and window */
	struct list told;  /* those to call back once the pump has run: drained, or gone */
};

/* session_keepalive.c */
struct keepalive {
	struct timer silence;     /* until the server has been silent for an interval */
	struct timer deadline;    /* of session_probe() */
	struct list probes;       /* struct probe: not answered yet, the oldest first */
	uint64_t silent_since_ms; /* when we looked last: heard then, or not to be heard before */
	uint64_t deadline_ms;     /* how long the deadline is, */
	uint64_t probed_ms;       /* and since when it runs */
	uint64_t probed_heard_ms; /* transport_last_received_ms() when session_probe() was called */
	uint64_t measured_ms;     /* when the last round-trip time was taken */
	uint64_t serial;          /* of the last probe */
	unsigned unanswered;
	uint64_t rtt_us;     /* smoothed; 0: none yet */
	uint64_t rtt_min_us; /* the smallest seen, of probes and of opens; 0: none yet */
};

/* sharing.c */
struct sharing {
	struct timer acknowledge; /* a small message has come */
	unsigned pace_ms;         /* how long that runs */
	struct timer alone; /* runs while small messages go beside bulk; at its end bulk is alone */
	size_t heard;       /* bytes since acknowledge ran last */
	uint64_t small_ms;  /* when the last of those came or went */
	uint64_t bulk_ms;   /* when the last large one did, */
	uint32_t bulk_id;   /* and whose it was */
};

struct session {
	struct loop *loop;
	struct transport *transport;
	struct session_options options;
	char *host;
	enum session_state state;
	struct err reason;
	bool ending;        /* on_closed was called, or must not be any more */
	bool freed;         /* session_free() was called; the memory goes when nobody is inside: */
	bool buried;        /* the pass in which that was is over */
	unsigned turning;   /* how many of session_loop() and session_process() are on the stack */
	struct timer close; /* the deadline of session_close() */

	struct map *channels; /* local id -> struct channel */
	struct list in_order; /* the same, oldest first */
	uint32_t next_id;
	size_t visible;       /* channels that are not CHANNEL_INVISIBLE */
	uint64_t windows;     /* the sum of what channels were granted beyond one packet each */
	struct map *openers;  /* type -> struct session_open_registration */
	struct map *handlers; /* type -> struct session_request_registration */
	struct map *properties;
	struct list on_free; /* struct hook */
	struct list watches; /* struct watch */

	struct list requests_owed;    /* struct request: to be sent */
	struct list requests_waiting; /* those of them that were sent and wait for their reply */
	struct list tickets;          /* struct session_request_ticket: the peer waits for them */
	size_t kept_for_peer;  /* bytes that only the peer's messages make us keep; bounded */
	bool no_more_sessions; /* was promised */
	bool promise_owed;     /* but not said yet: an OPEN of a session may have to go first */

	struct pump pump;
	struct keepalive keepalive;
	struct sharing sharing;
	struct log_repeat strays; /* messages for nobody */
	struct wr scratch;        /* the message that is being made */
};

/* Ends it: channels and requests get their last callbacks, then on_closed comes if tell says so. */
enum session_tell { SESSION_TELL, SESSION_DO_NOT_TELL };
void session_end(struct session *s, const struct err *reason, enum session_tell tell);
/* After session_close(): ends it if nothing is left to do. */
void session_end_if_done(struct session *s);

/* Between these the session is not freed by a pass of the loop. */
void session_turn_begin(struct session *s);
void session_turn_end(struct session *s);

/* session_requests.c */
void requests_init(struct session *s);
void requests_clear(struct session *s);
void requests_lost(struct session *s); /* the callbacks of all that wait hear SESSION_REPLY_LOST */
bool requests_owe(const struct session *s);
/* Sends one of what is owed; false when nothing is. */
bool requests_send_one(struct session *s);
/* Takes message; sent(arg) is called when it goes out. */
void requests_append(struct session *s, struct wr *message, void (*sent)(void *arg),
    session_reply_callback *callback, void *arg);
/* The same for an answer that the peer makes us give: ERR_PEER when it asks for too many and does not take them. */
int requests_append_answer(struct session *s, struct wr *message, struct err *e) MUST_CHECK;
int requests_on_global_request(struct session *s, struct rd *r, struct err *e) MUST_CHECK;
int requests_on_success(struct session *s, struct rd *r, struct err *e) MUST_CHECK;
int requests_on_failure(struct session *s, struct rd *r, struct err *e) MUST_CHECK;
/* False: no request that waits for its reply was that packet. */
bool requests_on_unimplemented(struct session *s, uint32_t sequence);

/* session_keepalive.c */
void keepalive_init(struct session *s);
void keepalive_stop(struct session *s);
void keepalive_clear(struct session *s); /* after requests_lost() */
void keepalive_heard(struct session *s); /* a message came */
void keepalive_measured(
    struct keepalive *k, uint64_t rtt_us); /* a round trip that was not a probe's */
int keepalive_on_ping(struct session *s, struct rd *r, struct err *e) MUST_CHECK;
int keepalive_on_pong(struct session *s, struct rd *r, struct err *e) MUST_CHECK;

/* session_loop.c */
void watches_clear(struct session *s);

/* ---- a channel ---- */

enum channel_state {
	CHANNEL_OPEN_OWED,      /* our OPEN is not sent yet: the peer does not know the id */
	CHANNEL_OPEN_SENT,      /* it is, and waits for CONFIRMATION or FAILURE */
	CHANNEL_PENDING,        /* the peer's OPEN waits for channel_accept() or channel_refuse() */
	CHANNEL_ACCEPTED,       /* CONFIRMATION is owed */
	CHANNEL_REFUSED,        /* FAILURE is owed; then it is gone */
	CHANNEL_OPEN,           /* confirmed */
	CHANNEL_EOF_RECEIVED,   /* the same, and the peer sends no more data */
	CHANNEL_CLOSE_RECEIVED, /* the peer sends nothing any more; CLOSE is owed */
	CHANNEL_GONE            /* out of the table */
};

/* Extended data to be sent: a list of one a type, for the rare channel that sends any. */
struct extended_output {
	struct extended_output *next;
	struct evbuffer *data;
	uint32_t type;
};

/* What the path holds, in one direction: the rate of a channel's bytes times the smallest round trip. */
struct path {
	uint64_t round_us;    /* the measurement that is running began then */
	uint32_t round_bytes; /* and has seen so many */
	uint32_t holds;       /* bytes; 0: not known yet */
};

/* Small, since a link may carry thousands that are idle. What only some need is allocated when they need it. */
struct channel {
	struct session *session;
	struct list in_session;
	struct list owing, ready, told; /* in the pump's lists */
	struct list requests_owed, requests_waiting;
	struct channel_callbacks callbacks;
	void *arg;
	struct channel_bev *bev; /* or NULL */
	struct evbuffer *output; /* of a channel without one; or NULL */
	struct extended_output *extended;
	struct map *properties;
	struct wr opening; /* what our OPEN, or our OPEN_FAILURE, says beyond the usual */
	uint64_t bytes_in, bytes_out;
	uint64_t last_data; /* transport_bytes_sent() after the last data that was sent */
	uint64_t opened_us; /* when our OPEN was sent */
	uint32_t local_id, remote_id;
	enum channel_state state;

	/* what we send */
	uint32_t remote_window, remote_maximum_packet;
	uint32_t remote_window_full; /* the most it ever was: the rest of it is under way */
	uint32_t remote_lump;        /* about the largest adjust of late */
	struct path path_out;
	bool eof_wanted, eof_sent, close_wanted, close_sent;
	bool cut;            /* what is in the output is not sent any more */
	uint8_t reply_count; /* answers to the peer's requests that are owed: */
	uint64_t replies;    /* the lowest bit is the first one, 1 is SUCCESS */

	/* what we receive: local_window + held + credit == window_size (channel_window.c) */
	uint32_t local_window; /* the peer may still send that much */
	uint32_t window_size;
	uint32_t held;   /* received, and not taken by the sink */
	uint32_t credit; /* taken, and not granted again */
	struct path path_in;
	uint64_t resized_at; /* bytes_in then */
	bool eof_received;   /* by EOF or CLOSE: what came is all */

	bool abandoned; /* its user has left: nobody is called, data is dropped */
	enum channel_visibility visibility;
	char type[];
};

/* channel.c */
struct channel *channel_new(struct session *s, struct span type, uint32_t local_id);
/* Takes it out of the table and calls on_close; e is NULL after an orderly end. */
void channel_end(struct channel *c, const struct err *e);
/* The same for one that the peer refused. */
void channel_open_failed(struct channel *c, uint32_t code, struct span text);
/* The pump made its callbacks due. Returns with the channel possibly gone. */
void channel_tell(struct channel *c);
/* The user of the bufferevent has left. What it wrote and was not sent is dropped. */
enum channel_leaving { CHANNEL_LEAVING_IN_ORDER, CHANNEL_LEAVING_BY_RESET };
void channel_abandon(struct channel *c, enum channel_leaving how);
/* session_close() ends it before its user has: an error for who has its bufferevent, and for the peer CLOSE, without EOF
 * unless that was due. */
void channel_cut(struct channel *c);
/* The output that data is sent from, NULL when there is none yet; and how much of all kinds there is. */
struct evbuffer *channel_output(const struct channel *c);
size_t channel_output_length(const struct channel *c);
void channel_drop_output(struct channel *c);
void channel_output_drained(struct channel *c, size_t before);
bool channel_may_send_data(const struct channel *c);
/* channel_input.c: messages 91 to 100 */
int channel_input(struct session *s, uint8_t type, struct rd *r, struct err *e) MUST_CHECK;

/* What a channel owes next. */
enum channel_debt {
	OWES_NOTHING,
	OWES_END, /* it was closed before its OPEN was sent: nothing but the callback */
	OWES_OPEN,
	OWES_CONFIRMATION,
	OWES_REFUSAL,
	OWES_REPLY,
	OWES_REQUEST,
	OWES_ADJUST,
	OWES_EOF,
	OWES_CLOSE
};
enum channel_debt channel_owes(const struct channel *c);

/* channel_requests.c */
void channel_requests_lost(struct channel *c);
void channel_requests_drop(struct channel *c); /* without a callback */
void channel_request_send(struct channel *c);
int channel_on_request(struct channel *c, struct rd *r, struct err *e) MUST_CHECK;
int channel_on_success(struct channel *c, struct rd *r, struct err *e) MUST_CHECK;
int channel_on_failure(struct channel *c, struct rd *r, struct err *e) MUST_CHECK;
/* False: none of its requests that wait for a reply was that packet. */
bool channel_on_unimplemented(struct channel *c, uint32_t sequence);

/* channel_window.c */
void channel_window_init(struct channel *c);
void channel_window_release(struct channel *c);
/* n bytes came; false when the peer had no window for them. */
bool channel_window_received(struct channel *c, size_t n) MUST_CHECK;
void channel_window_taken(struct channel *c, size_t n); /* by the sink */
bool channel_window_adjust_due(const struct channel *c);
uint32_t channel_window_grant(struct channel *c); /* how much the ADJUST says; 0: none after all */

/* sharing.c: what small messages need, and what bulk leaves to those beside it */
void sharing_init(struct session *s);
void sharing_stop(struct session *s);
/* A message of n bytes has come. */
void sharing_heard(struct session *s, size_t n);
/* n bytes of data of c went or came. */
void sharing_moved(struct channel *c, size_t n);
/* What a channel may have under way on this path; UINT64_MAX while no small message waits behind it. */
uint64_t sharing_limit(const struct session *s, const struct path *p);
/* How many bytes a pass of the loop takes of what came, and sends, before others have their turn. */
size_t sharing_pass(const struct session *s);
/* The peer took n bytes of what c sent. */
void sharing_adjusted(struct channel *c, uint32_t n);
/* How much c may send now: all of the peer's window, or a part of it. */
uint32_t sharing_allowance(const struct channel *c);
/* n bytes have come over it, or were taken at its other end. */
void path_moved(struct path *p, const struct session *s, size_t n);

/* channel_bev.c */
struct channel_bev *channel_bev_make(struct channel *c);
struct bufferevent *channel_bev_bufferevent(const struct channel_bev *b);
void channel_bev_received(struct channel_bev *b, struct span data);
void channel_bev_ended(struct channel_bev *b); /* the peer's EOF */
void channel_bev_write_closed(
    struct channel_bev *b); /* the peer's CLOSE: nobody reads what we write */
void channel_bev_failed(struct channel_bev *b, int error);
void channel_bev_drained(
    struct channel_bev *b, size_t before); /* the pump took from the output, which held that much */
void channel_bev_drop_output(struct channel_bev *b);
/* The channel is gone; b lives on if it has a user. */
void channel_bev_orphan(struct channel_bev *b);

/* ---- the pump ---- */

void pump_init(struct session *s);
void pump_stop(struct session *s);
/* The session owes something, or may send again. */
void pump_session(struct session *s);
/* The channel's state has changed: it gets its turns if it owes something or has data. */
void pump_channel(struct channel *c);
void pump_forget(struct channel *c);
/* Calls c back at the end of the pass. */
void pump_tell(struct channel *c);
/* Sends what it can now, without calling anybody back. */
void pump_flush(struct session *s);
/* The same with the callbacks: from the loop only. */
void pump_run(struct session *s);

#endif
