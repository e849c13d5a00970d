/*
 * One connection that is carried: from the moment its client is there until both its ends are gone. A client is a bufferevent
 * (a socket that local.c accepted, or the channel of a remote SOCKS client) or, until a remote forward's target is connected, a
 * channel that waits for our answer. Whoever refuses a stream says it once, and the client hears it in its own language: a reset, an
 * OPEN_FAILURE, a SOCKS answer.
 */
#ifndef ADIT_FORWARD_STREAM_H
#define ADIT_FORWARD_STREAM_H

#include "base/list.h"
#include "base/loop.h"
#include "forward/hold.h"
#include "forward/kind.h"
#include "forward/socks.h"
#include "net/bev.h"
#include "net/connector.h"
#include "net/relay.h"

/*
 *  NEW          made; its target may be known
 *  ASKING       the client says in SOCKS where it wants to go; `deadline` runs
 *  HELD         in the local forward's hold
 *  CONNECTING   `opening` is a channel that the server was asked for, or `connector` works on the target
 *  CARRYING     the relay owns both bufferevents
 *  ENDING       refused, and the answer is on its way to a SOCKS client; `deadline` runs
 */
enum stream_phase {
	STREAM_NEW,
	STREAM_ASKING,
	STREAM_HELD,
	STREAM_CONNECTING,
	STREAM_CARRYING,
	STREAM_ENDING
};

struct stream {
	struct list node;
	struct forward *forward;
	uint64_t id;
	uint64_t began_ms;
	enum stream_phase phase;

	struct addr client_addr,
	    at; /* who, and to which address it connected; length 0: not known */
	char *client_text;
	char *target_host; /* NULL: target_path */
	uint16_t target_port;
	char *target_path;
	char *target_text;
	enum config_send_proxy send_proxy; /* as it was configured with the target */

	struct bufferevent *client; /* until the relay takes it */
	struct event hang_up;       /* of a client that is not read meanwhile */
	struct channel *pending;    /* the client of a remote forward, not answered yet */
	struct channel *opening;    /* to the target, not confirmed yet */
	unsigned lost_openings;     /* sessions that ended before they answered */
	struct connector *connector;
	struct socks *socks; /* the client's request */
	bool answer_owed;    /* to that */
	struct hold_place place;
	struct timer deadline;
	struct relay *relay;
	uint64_t bytes_in, bytes_out;
};

/* Takes client_text; the stream is the forward's, with no client yet. */
struct stream *stream_new(struct forward *f, char *client_text);
/* At once: the client is reset or refused, the target too. NULL is legal. */
void stream_free(struct stream *s);
/* Gives it the client, whose end is noticed from here on. Takes client. */
void stream_set_client(struct stream *s, struct bufferevent *client);
/* All of it is checked and copied. */
void stream_set_target(struct stream *s, const char *host, uint16_t port);

/* The only place where the phase changes. */
void stream_set_phase(struct stream *s, enum stream_phase phase);
/* Has the client gone, or said EOF before it said anything? */
bool stream_client_has_left(const struct stream *s);

/* Both are there: it begins. Takes target. */
void stream_carry(struct stream *s, struct bufferevent *target);
/* We do not carry it: `refused` counts. */
void stream_refuse(struct stream *s, enum socks_reply reply, const char *reason);
/* The target cannot be reached: `failed` counts. */
void stream_fail(struct stream *s, enum socks_reply reply, const char *reason);

/* Begins: the client's SOCKS request first where it has to ask, else the configured target; then the kind connects. */
void stream_start(struct stream *s);
/* negotiation.c: reads the request from the client, then has the kind connect. */
void stream_negotiate(struct stream *s);
/* Appends; no bytes are legal. */
void stream_write(struct bufferevent *to, struct span bytes);
/* Sends a SOCKS client what it still has to get, and ends when that has arrived. */
void stream_end_politely(struct stream *s, struct span answer);

#endif
