/*
 * Connecting to a place: a name's addresses are raced as in RFC 8305 (families interleaved, 250 ms between starts, at once
 * when one fails), the first that answers wins. A Unix socket whose queue is full is tried again. Nothing blocks.
 */
#ifndef ADIT_NET_CONNECTOR_H
#define ADIT_NET_CONNECTOR_H

#include "base/loop.h"
#include "net/addr.h"
#include "net/resolver.h"

struct connector;

struct connector_options {
	struct resolver *resolver; /* keeps; NULL will do for literals and paths */
	const char *bind_address;  /* source address, literal; NULL for any. Borrowed */
	uint64_t timeout_ms;       /* for all of it, resolving included; 0: the kernel's */
	/* Called from the loop when the addresses are known (at once for a literal) and connecting begins; NULL if nobody
	 * cares. It may cancel. */
	void (*on_resolved)(void *arg);
};

/* fd >= 0 (gives: connected, non-blocking, close-on-exec, TCP_NODELAY) and the peer, or -1 and the error: ERR_NETWORK,
 * ERR_TIMEOUT or ERR_LOCAL, which for several addresses says what became of each; ERR_CONFIG for a path that is too long for a
 * socket. Comes from the loop, once. */
typedef void connector_callback(void *arg, int fd, const struct addr *peer, const struct err *e);

/* Borrows to and options. */
struct connector *connector_start(struct loop *loop, const struct endpoint *to,
    const struct connector_options *options, connector_callback *done, void *arg);
/* Stops it; no callback comes. NULL is legal. Not needed (and not legal) after the callback. */
void connector_cancel(struct connector *connector);

#endif
