/*
 * A connection to one configured host for one purpose (`adit exec`, `adit host-key`): through its jumps, and each of them tried
 * once. What fails is said, not tried again.
 */
#ifndef ADIT_TUNNEL_VISIT_H
#define ADIT_TUNNEL_VISIT_H

#include "config/config.h"
#include "net/resolver.h"
#include "ssh/session.h"

struct visit;

struct visit_callbacks {
	void (*on_up)(void *arg, struct session *s);
	/* Once, and nothing after it: it could not be reached, or it was lost. The visit may be freed. */
	void (*on_failed)(void *arg, const struct err *e);
};

/* snapshot is counted; host is one of its hosts. Begins at once; the callbacks come from the loop. */
struct visit *visit_new(struct loop *loop, struct resolver *resolver, struct config *snapshot,
    const struct config_host *host, const struct visit_callbacks *callbacks, void *arg);
void visit_free(struct visit *visit); /* ends the connections. NULL is legal */

#endif
