/*
 * A route: the hosts that a tunnel may go through, in order of preference. The first that works is used; while it is not the
 * first of all, the better ones are tried, and when one has been back for a while the route moves there (make before break).
 */
#ifndef ADIT_TUNNEL_ROUTE_H
#define ADIT_TUNNEL_ROUTE_H

#include "tunnel/host.h"

struct route;

struct route_callbacks {
	/* The session for remote forwards and held clients came; at most one is up at a time. */
	void (*on_up)(void *arg, struct session *s);
	/* It goes. It still exists during the call. on_up may follow at once with another. */
	void (*on_down)(void *arg, struct session *s);
	/* Something that one can see has changed. */
	void (*on_change)(void *arg);
	bool (*is_client_held)(void *arg);
};

/* hosts: kept (host_keep()), at least one; the array is copied. drain_ms: what streams get on a host that is left for a better one. */
struct route *route_new(struct loop *loop, struct host *const *hosts, size_t count,
    uint64_t drain_ms, const struct route_callbacks *callbacks, void *arg);
void route_free(struct route *route); /* unwants; no callback. NULL is legal */

void route_open(struct route *route);
void route_close(
    struct route *route, uint64_t drain_ms); /* on_down comes, from inside the call, if it was up */
bool route_is_open(const struct route *route);

/* What on_up() was told last, NULL after on_down(). */
struct session *route_session(const struct route *route);
void route_set_drain(struct route *route, uint64_t drain_ms);
/* The session for a stream that begins now; NULL and the reason. */
struct session *route_pick_session(const struct route *route, struct err *reason);
void route_hurry(struct route *route);
void route_retry_now(struct route *route);
/* The host that is used, or the first one while none is up. */
const struct host *route_host(const struct route *route);

#endif
