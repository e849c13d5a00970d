/*
 * One channel (RFC 4254 §5): windows, order of data, EOF and CLOSE, requests; and its bufferevent, through which the rest of
 * the program sees it.
 *
 * States: opening (our OPEN is owed or sent), pending (the peer's OPEN waits for our answer), open, closed (CLOSE was sent and
 * received, or the transport is gone: then on_close has run). Within open, each direction ends for itself.
 */
#ifndef ADIT_SSH_CHANNEL_H
#define ADIT_SSH_CHANNEL_H

#include <event2/bufferevent.h>

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/wire.h"

struct channel;
struct session;

/* RFC 4254 §5.1 */
enum channel_open_failure {
	OPEN_ADMINISTRATIVELY_PROHIBITED = 1,
	OPEN_CONNECT_FAILED = 2,
	OPEN_UNKNOWN_CHANNEL_TYPE = 3,
	OPEN_RESOURCE_SHORTAGE = 4
};

/* Any may be NULL. arg is the one that the channel was opened or accepted with. */
struct channel_callbacks {
	void (*on_open)(void *arg, struct channel *c);
	/* text is the peer's, escaped when it is logged. The channel is gone afterwards. */
	void (*on_open_failed)(void *arg, struct channel *c, uint32_t code, struct span text);
	/* Channels without a bufferevent user (exec): data as it comes. Return how many bytes the sink took now; the rest must be
	 * acknowledged with channel_consumed() later. With on_data NULL data goes to the bufferevent's input; extended data with
	 * on_extended_data NULL is dropped. */
	size_t (*on_data)(void *arg, struct channel *c, struct span data);
	size_t (*on_extended_data)(void *arg, struct channel *c, uint32_t type, struct span data);
	void (*on_eof)(void *arg, struct channel *c);
	/* A channel request. Answers are sent in order. true: SUCCESS; false: FAILURE; only if the peer wants one. */
	bool (*on_request)(
	    void *arg, struct channel *c, struct span type, struct span extra, bool want_reply);
	/* The output has fallen to its low mark (channels without a bufferevent): more may be sent. net-ssh's on_process. */
	void (*on_process)(void *arg, struct channel *c);
	/* Once, the last: CLOSE went both ways, or e says why the session ended. The channel is gone afterwards. */
	void (*on_close)(void *arg, struct channel *c, const struct err *e);
};

/* ---- the bufferevent ---- */

/*
 * The channel as a bufferevent under the rules of net/bev.h; the same one at each call. Writing before the confirmation is
 * legal (it waits). From this call on the bufferevent has an owner, who ends the channel with bev_finish(), bev_free() or
 * bev_reset(), and must call one of the latter two even after the channel has gone. They end the channel's callbacks too.
 *
 * What the owner sees of the other end:
 *   EOF       EOF | READING, after the last byte
 *   CLOSE     the same, if EOF had not come (RFC 4254 §5.3 makes it optional, and Go's servers never send it); whatever was not
 *             sent by then, or is written afterwards, ends in ERROR | WRITING with EPIPE, after the last byte has been read
 *   refusal   ERROR | READING: ECONNREFUSED, EACCES (prohibited), ENOBUFS (shortage) or EPROTONOSUPPORT (unknown type)
 *   the session's end, for whatever reason: ERROR | READING with ECONNABORTED
 * bev_free() sends EOF and CLOSE; CLOSE alone if output is dropped by it, as bev_reset() does.
 */
struct bufferevent *channel_bev(struct channel *c);

/* ---- state ---- */
uint32_t channel_local_id(const struct channel *c);
struct session *channel_session(const struct channel *c);
const char *channel_type(const struct channel *c);
bool channel_is_open(const struct channel *c);    /* "active": confirmed, and not closing */
bool channel_is_closing(const struct channel *c); /* CLOSE is owed, or was sent or received */
bool channel_local_closed(const struct channel *c);
bool channel_remote_closed(const struct channel *c);
bool channel_eof_sent(const struct channel *c);
/* By EOF or CLOSE: what came is all that there is. In on_close it still says so. */
bool channel_eof_received(const struct channel *c);
void *channel_property(const struct channel *c, const char *name);
void *channel_set_property(struct channel *c, const char *name, void *value); /* the previous one */
enum channel_visibility { CHANNEL_VISIBLE, CHANNEL_INVISIBLE };
void channel_set_visibility(struct channel *c, enum channel_visibility visibility);
/* Replaces the callbacks (NULL: by none) and arg, gives back the previous ones; channel_arg() is theirs until then. */
void *channel_arg(const struct channel *c);
struct channel_callbacks channel_set_callbacks(
    struct channel *c, const struct channel_callbacks *callbacks, void *arg);

struct channel_windows {
	uint32_t local_window, remote_window; /* what the peer, what we may still send */
	uint32_t local_maximum_packet, remote_maximum_packet;
	uint64_t bytes_in, bytes_out;
};
void channel_get_windows(const struct channel *c, struct channel_windows *ret);

/* ---- answering the peer's OPEN ---- */
void channel_accept(struct channel *c, const struct channel_callbacks *callbacks, void *arg);
/* No callback comes any more. */
void channel_refuse(struct channel *c, enum channel_open_failure code, const char *text);

/* ---- sending ---- */
void channel_send(
    struct channel *c, struct span data); /* appended to the output; ask channel_full() first */
void channel_send_extended(struct channel *c, uint32_t type, struct span data);
bool channel_full(const struct channel *c);
void channel_consumed(struct channel *c, size_t bytes); /* see on_data */
void channel_eof(struct channel *c);                    /* once the output is drained; idempotent */
void channel_close(
    struct channel *c); /* likewise, after EOF; idempotent. What is sent afterwards is dropped */
/* The user leaves: no callback comes any more, what was not sent is dropped, CLOSE is sent. */
void channel_give_up(struct channel *c);
/* Waits (turning the loop) until the channel is closed. For commands, never for the daemon. */
void channel_wait(struct channel *c);

/* A request; callback (may be NULL: no reply wanted) gets success or not, first in, first out; false when the channel closed
 * first. It does not wait for data that was sent before. env, pty-req, exec, subsystem and the like are for session channels
 * alone: an assertion. */
typedef void channel_reply_callback(void *arg, struct channel *c, bool success);
void channel_send_request(struct channel *c, const char *type, struct span extra,
    channel_reply_callback *callback, void *arg);

#endif
