/*
 * From a host's configuration to a bufferevent that leads to its server: by TCP, or by a channel through the jump host. Each
 * within connect_timeout.
 */
#ifndef ADIT_TUNNEL_REACH_H
#define ADIT_TUNNEL_REACH_H

#include "base/loop.h"
#include "config/config.h"
#include "net/resolver.h"
#include "ssh/session.h"

struct reach;

struct reach_callbacks {
	/* The addresses are known, or there is nothing to look up: it connects now. */
	void (*on_connecting)(void *arg);
	/* Once, the last, from the loop. bev (gives) and the server's address as text (valid during the call); or NULL and why. */
	void (*on_done)(
	    void *arg, struct bufferevent *bev, const char *address, const struct err *e);
};

/* config is kept: its snapshot is counted by the caller until on_done or reach_cancel(). via: a session of the jump host,
 * NULL for TCP; on_done comes before it is freed. */
struct reach *reach_start(struct loop *loop, struct resolver *resolver,
    const struct config_host *config, struct session *via, const struct reach_callbacks *callbacks,
    void *arg);
/* No callback comes. NULL is legal. Not needed (and not legal) after on_done. */
void reach_cancel(struct reach *reach);
uint64_t reach_age_ms(const struct reach *reach);
/* Fits the socket's own time-out to keepalive_interval and keepalive_count. bev: what on_done gave; other kinds have none. */
void reach_set_keepalive(struct bufferevent *bev, const struct config_host *config);

#endif
