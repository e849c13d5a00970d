/*
 * How many handshakes run at once: sshd drops what is above its MaxStartups (10:30:100), and a thousand logins at the same
 * moment help nobody. A limit a server, which is halved when the server hangs up on us before it said who it is and grows again
 * with what succeeds, and one for all together.
 */
#ifndef ADIT_TUNNEL_GATE_H
#define ADIT_TUNNEL_GATE_H

#include "base/list.h"
#include "base/loop.h"

struct gate;

struct gate *gate_new(struct loop *loop);
void gate_free(struct gate *gate); /* tickets must be gone */

/* A place in the queue, then a pass; or a rest until the server is seen to be well. Embedded by who waits. */
struct gate_ticket {
	struct list node;
	struct gate *gate;
	struct gate_server *server; /* NULL: neither waits, nor runs, nor rests */
	enum { GATE_TICKET_WAITS, GATE_TICKET_RUNS, GATE_TICKET_RESTS } place;
	unsigned epoch; /* of the server's limit, when it began to run */
	void (*enter)(void *arg);
	void (*wake)(void *arg);
	void *arg;
};

void gate_ticket_init(struct gate_ticket *ticket, struct gate *gate, void (*enter)(void *arg),
    void (*wake)(void *arg), void *arg);
/* Asks to begin a handshake with that server (a name of the caller's); enter comes from the loop, in order. */
void gate_ask(struct gate_ticket *ticket, const char *server);
/* Waits for a next try by itself: wake comes, once and from the loop, when a handshake with the same server has succeeded, so that a
 * thousand links do not sleep on after their server is back. */
void gate_rest(struct gate_ticket *ticket, const char *server);
/* The handshake ended, or the place is given up. Legal at any time. */
enum gate_result {
	GATE_DONE,              /* it went well */
	GATE_FAILED,            /* or not, or it was given up */
	GATE_DROPPED_BY_SERVER, /* before it said who it is: too many at once */
};
void gate_leave(struct gate_ticket *ticket, enum gate_result result);

#endif
