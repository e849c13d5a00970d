/*
 * The connection layer (RFC 4254): channels and global requests over one transport.
 *
 * A session is made when the login succeeded and dies with its transport; whoever made both frees the session first.
 */
#ifndef ADIT_SSH_SESSION_H
#define ADIT_SSH_SESSION_H

#include <event2/util.h>

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/wire.h"
#include "ssh/channel.h"
#include "ssh/transport.h"

struct session;

/* Zero means the default. */
struct session_options {
	const struct log_context *log; /* keeps */
	const char *host;              /* the name that was connected to; copied; may be NULL */
	uint32_t maximum_packet;       /* what we accept in one message: 0x8000 */
	uint32_t window;               /* a channel's window at the start: 2 MiB */
	uint32_t window_max;           /* to which it may grow: 16 MiB */
	uint64_t window_budget; /* what all channels together get beyond one packet each: 64 MiB */
	uint32_t channels_max;  /* open at once: 65536 */
	uint64_t keepalive_interval_ms; /* 0: no probes */
	unsigned keepalive_count;       /* unanswered probes until the peer is dead: 3 */
	/* It is over, for the reason e; every channel's on_close has run. Once; not after session_abort() or session_free(). */
	void (*on_closed)(void *arg, const struct err *e);
	void *arg;
};

/* Keeps the transport; its owner hands messages from 80 on to session_input(), which answers what transport_callbacks.on_message
 * is to answer, and tells of on_can_send, on_unimplemented and on_closed. */
struct session *session_new(
    struct loop *loop, struct transport *t, const struct session_options *options);
void session_free(
    struct session *s); /* aborts first if it is not closed. Legal in a callback. NULL is legal */

/* ---- from the transport's owner ---- */
int session_input(struct session *s, struct span payload, struct err *e) MUST_CHECK;
void session_can_send(struct session *s);
/* The peer did not know the message of the packet with that number: a request is refused by it. */
void session_unimplemented(struct session *s, uint32_t sequence);
void session_transport_closed(struct session *s, const struct err *e);

/* ---- state ---- */
const char *session_host(const struct session *s);
struct transport *session_transport(const struct session *s);
struct loop *session_event_loop(const struct session *s);
bool session_closed(const struct session *s, struct err *ret_reason); /* ret_reason may be NULL */
/* A caller's own state, by name; borrowed values. set returns the previous one. */
void *session_property(const struct session *s, const char *name);
void *session_set_property(struct session *s, const char *name, void *value);
/* For what hangs on a session (a property's value): run(arg) is called once, inside session_free(), after every channel's and
 * request's last callback and while session_property() still answers. Several run in the reverse order of registration. */
void session_on_free(struct session *s, void (*run)(void *arg), void *arg);
/* Is any channel open? Invisible ones count only if asked for. Those are the channels that are there for the connection's own
 * sake: probes of a target, forwarded agents, the channel that holds a connection open (channel_set_visibility()). */
enum session_count { SESSION_VISIBLE_ONLY, SESSION_INVISIBLE_TOO };
bool session_busy(const struct session *s, enum session_count which);
size_t session_channel_count(const struct session *s);
/* The smoothed round-trip time by our probes, microseconds; 0 before the first. */
uint64_t session_rtt_us(const struct session *s);

/* ---- channels ---- */

/* Opens one: the CHANNEL_OPEN is owed at once and the channel is in the table; callbacks->on_open comes with the
 * confirmation, on_open_failed with the refusal. extra is what the type adds to the message (RFC 4254 §5.1), copied.
 * NULL with e when no channel can be opened (closed, channels_max reached). The session owns the channel until it gave
 * on_close or on_open_failed. */
struct channel *session_open_channel(struct session *s, const char *type, struct span extra,
    const struct channel_callbacks *callbacks, void *arg, struct err *e);

/* The peer opens one. The handler looks at the type's part of the message (extra) and either accepts now or later with
 * channel_accept(), or refuses with channel_refuse(). Until then the channel is pending and nothing is sent. Who answers later
 * sets an on_close with channel_set_callbacks() first: it says when the session was closed or ended meanwhile. */
typedef void session_open_handler(
    void *arg, struct session *s, struct channel *channel, struct span extra);
struct session_open_registration {
	session_open_handler
	    *handler; /* NULL: none; then the answer is OPEN_FAILURE 3 "unknown channel type X" */
	void *arg;
};
/* One handler a type; returns the previous one. */
struct session_open_registration session_on_open_channel(
    struct session *s, const char *type, struct session_open_registration registration);

/* Walks over all channels; the callback may open and close channels meanwhile (new ones are not visited). */
void session_each_channel(
    struct session *s, void (*visit)(void *arg, struct channel *channel), void *arg);
struct channel *session_channel(const struct session *s, uint32_t local_id); /* NULL: none */

/* ---- global requests (RFC 4254 §4) ---- */

enum session_reply {
	SESSION_REPLY_SUCCESS,
	SESSION_REPLY_FAILURE,
	SESSION_REPLY_LOST /* the session ended first */
};
/* data is what the reply carries (a port), valid during the call. */
typedef void session_reply_callback(void *arg, enum session_reply reply, struct span data);
/* want_reply exactly when there is a callback; replies are matched first in, first out. extra is copied. */
void session_send_global_request(struct session *s, const char *type, struct span extra,
    session_reply_callback *callback, void *arg);

enum session_answer {
	SESSION_ANSWER_SUCCESS,
	SESSION_ANSWER_FAILURE,
	/* The handler keeps the request's ticket and answers later: order is kept meanwhile. The ticket is the session's, and gone
	 * with session_free(). */
	SESSION_ANSWER_SENT
};
struct session_request_ticket;
/* reply: what to send with SUCCESS. want_reply: whether the peer waits. */
typedef enum session_answer session_request_handler(void *arg, struct session *s, struct span extra,
    bool want_reply, struct wr *reply, struct session_request_ticket *ticket);
struct session_request_registration {
	session_request_handler *handler;
	void *arg;
};
struct session_request_registration session_on_global_request(
    struct session *s, const char *type, struct session_request_registration registration);
void session_answer_later(
    struct session_request_ticket *ticket, enum session_answer answer, struct span reply);

/* ---- anything else ---- */

/* Promises that no session channel will be opened from now on (PROTOCOL §2.2): session_open_channel() refuses to. Said once, and to
 * OpenSSH alone: others take it for an attack. */
void session_no_more_sessions(struct session *s);
/* Any payload, for extensions; while a key exchange forbids it, it is sent afterwards, in order. */
void session_send_message(struct session *s, struct span payload);
/* A probe now, with a deadline of its own: after a change of the network. If nothing at all comes from the server until then the
 * session ends (ERR_TIMEOUT), as it does after keepalive_count unanswered probes. */
void session_probe(struct session *s, uint64_t deadline_ms);
/* Other values of the options of that name, from now on. Probes that are unanswered so far do not count against new values. */
void session_set_keepalive(struct session *s, uint64_t interval_ms, unsigned count);

/* ---- descriptors and turns ---- */

/* Watches a descriptor with the session's loop as long as the session lives. what: EV_READ, EV_WRITE. */
void session_listen_to(struct session *s, evutil_socket_t fd, short what,
    void (*cb)(void *arg, evutil_socket_t fd, short what), void *arg);
void session_stop_listening_to(struct session *s, evutil_socket_t fd);
/* Turns the loop while goes_on (asked before and after each turn; NULL: while the session is busy) says so and the session
 * is open; on leaving, what was enqueued is flushed. */
void session_loop(struct session *s, enum loop_wait wait, bool (*goes_on)(void *arg), void *arg);
/* One turn of that; returns goes_on's last word. */
bool session_process(struct session *s, enum loop_wait wait, bool (*goes_on)(void *arg), void *arg);

/* ---- ends ---- */

/* Closes every channel, then the transport with DISCONNECT 11; at the deadline at the latest. on_closed comes. The owner of a
 * bufferevent has not ended it yet: both he and the peer see a reset, not an end, since what it carries is not whole. */
void session_close(struct session *s, uint64_t deadline_ms);
/* At once; every channel's on_close runs exactly once, before it returns, and the table is empty afterwards. The transport is
 * its owner's to end. */
void session_abort(struct session *s, const struct err *reason);

#endif
