/*
 * How many handshakes run at once: sshd drops what is above its MaxStartups (10:30:100), and a thousand logins at the same
 * moment help nobody. A limit a server, which shrinks when the server hangs up on us before it said who it is, and one for
 * all together.
 */
#ifndef ADIT_TUNNEL_GATE_H
#define ADIT_TUNNEL_GATE_H

#include "base/list.h"
#include "base/loop.h"

struct gate;

struct gate *gate_new(struct loop *loop);
void gate_free(struct gate *gate); /* tickets must be gone */

/* A place in the queue, then a pass. Embedded by who waits. */
struct gate_ticket {
	struct list node;
	struct gate *gate;
	struct gate_server *server; /* NULL: neither waits nor runs */
	bool runs;
	void (*enter)(void *arg);
	void *arg;
};

void gate_ticket_init(
    struct gate_ticket *ticket, struct gate *gate, void (*enter)(void *arg), void *arg);
/* Asks to begin a handshake with that server ("address:port"); enter comes from the loop, in order. */
void gate_ask(struct gate_ticket *ticket, const char *server);
/* The handshake ended, or the place in the queue is given up. Legal at any time. */
enum gate_result { GATE_DONE, GATE_DROPPED_BY_SERVER };
void gate_leave(struct gate_ticket *ticket, enum gate_result result);
bool gate_is_waiting(const struct gate_ticket *ticket);

#endif
