/*
 * A tunnel: named forwards over one route; what a user starts, stops, waits for and reads about.
 */
#ifndef ADIT_TUNNEL_TUNNEL_H
#define ADIT_TUNNEL_TUNNEL_H

#include "config/config.h"
#include "forward/forward.h"
#include "tunnel/handover.h"
#include "tunnel/route.h"

enum tunnel_state {
	TUNNEL_STOPPED,  /* not enabled, or by `adit stop` */
	TUNNEL_DOWN,     /* no forward is up */
	TUNNEL_DEGRADED, /* some are */
	TUNNEL_UP        /* all are */
};
const char *tunnel_state_name(enum tunnel_state state);

struct tunnel;

struct tunnel_env {
	struct loop *loop; /* keeps, all of them */
	struct resolver *resolver;
	size_t (*inherit)(void *arg, const char *name, int fds[], size_t max); /* see forward_env */
	void *inherit_arg;
	struct handover *handover; /* keeps; asked before inherit */
	/* The state, a reason, a stream count: something that one can see. May come often. */
	void (*on_change)(void *arg, struct tunnel *tunnel);
	/* After tunnel_remove(): everything has ended; it may be freed. May come again if it is not. */
	void (*on_removed)(void *arg, struct tunnel *tunnel);
	void *arg;
};

/* snapshot is counted. hosts: one for each name in config->via, kept. Listeners open now if the tunnel is enabled; one that
 * cannot be opened is a failed forward (with its reason, tried again), not a failed tunnel. */
struct tunnel *tunnel_new(const struct tunnel_env *env, struct config *snapshot,
    const struct config_tunnel *config, struct host *const *hosts);
void tunnel_free(struct tunnel *tunnel); /* at once: streams are reset. NULL is legal */

void tunnel_start(struct tunnel *tunnel);
/* Accepts no more; open streams get drain_ms, then they are reset; also those of forwards that went before. */
void tunnel_stop(struct tunnel *tunnel, uint64_t drain_ms);
/* Open streams get drain_ms, the listeners stay (tunnel/handover.h says which cannot), and the link's next try is now. */
void tunnel_restart(struct tunnel *tunnel, uint64_t drain_ms);
/* The same as stop, for good: on_removed comes when the last stream has ended. why: for the log; kept, not copied. */
void tunnel_remove(struct tunnel *tunnel, uint64_t drain_ms, const char *why);
bool tunnel_has_ended(const struct tunnel *tunnel); /* so that on_removed came, or is about to */
/* Touches what changed: forwards keep their listener and streams when kind and listener stay. hosts as in tunnel_new();
 * a route that changed carries new streams until the new one is up. What goes gets the snapshot's drain_timeout. */
void tunnel_set_config(struct tunnel *tunnel, struct config *snapshot,
    const struct config_tunnel *config, struct host *const *hosts);
/* Offers the listeners of those of its forwards for which is_wanted() says yes to the env's handover. */
void tunnel_offer_listeners(struct tunnel *tunnel,
    bool (*is_wanted)(void *arg, const struct config_forward *forward), void *arg);
void tunnel_retry_now(struct tunnel *tunnel);
/* A host that is not in config any more carries new streams for its drain_timeout at most, even if nothing else is up by then. */
void tunnel_leave_removed(struct tunnel *tunnel, const struct config *config);

/* Up; or on demand, with nobody who demands it and nothing that failed. */
bool tunnel_is_ready(const struct tunnel *tunnel);
/* Not stopped, nor on demand with nobody who demands it: what is wanted and not up is worth an alarm. */
bool tunnel_is_wanted(const struct tunnel *tunnel);
/* Required, not stopped, and not ready: with `ready = "up"` adit is ready when this is so of none. */
bool tunnel_hinders_readiness(const struct tunnel *tunnel);

const char *tunnel_name(const struct tunnel *tunnel);
const struct config_tunnel *tunnel_config(const struct tunnel *tunnel);
enum tunnel_state tunnel_state(const struct tunnel *tunnel);
/* Why it is not up, in words; "" when it is. Until the next change. */
const char *tunnel_reason(const struct tunnel *tunnel);
uint64_t tunnel_since_ms(const struct tunnel *tunnel); /* wall time of the last change of state */
/* That carries it; or, while none does, the one that is tried first. */
const struct host *tunnel_host(const struct tunnel *tunnel);
/* Of all its forwards, those that drain included, and those that are gone: a total never falls. */
void tunnel_get_counts(const struct tunnel *tunnel, struct forward_counts *ret_counts);
/* What is open and held now, without a walk over the streams. */
void tunnel_get_load(const struct tunnel *tunnel, struct forward_load *ret_load);
void tunnel_each_stream(const struct tunnel *tunnel,
    void (*visit)(void *arg, const struct forward_stream_info *info), void *arg);

size_t tunnel_forward_count(const struct tunnel *tunnel);
/* As forward_get_status(), with the counts of the forwards that were in its place before; what waits for the link has the link's
 * reason. FORWARD_FAILED: the listener could not be opened, or the link's failure is one that only a person can mend. */
void tunnel_forward_status(
    const struct tunnel *tunnel, size_t index, struct forward_status *ret_status);
/* Until the listener, the link or the server's grant is tried for again, whichever it waits for; 0: it waits for no time. */
uint64_t tunnel_next_try_ms(const struct tunnel *tunnel, size_t index);
const struct forward *tunnel_forward(
    const struct tunnel *tunnel, size_t index); /* NULL: it could not be opened */
/* Somebody keeps copies of the listeners for the process that comes next: files of Unix sockets stay when they are closed. */
void tunnel_leave_sockets(struct tunnel *tunnel);

#endif
