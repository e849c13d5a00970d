/*
 * A host: its links (as many as `connections` says, and old ones that drain after a change), shared by all who want it: the
 * routes of tunnels, and hosts that are reached through it.
 */
#ifndef ADIT_TUNNEL_HOST_H
#define ADIT_TUNNEL_HOST_H

#include "config/config.h"
#include "tunnel/link.h"

struct host;

/* Who wants a host; embedded. The callbacks come as link_callbacks' do; they may want and unwant hosts, this one too. */
struct host_user {
	struct list node;
	struct host *host; /* NULL: wants none now */
	void (*on_session_up)(void *arg, struct session *s);
	void (*on_session_down)(void *arg, struct session *s);
	void (*on_change)(void *arg);
	bool (*is_client_held)(void *arg);
	void *arg;
};

/* snapshot is counted by the host; config is in it. via, which is kept, may be NULL. on_rest comes when host_is_at_rest() or
 * host_may_be_freed() may have become true. */
struct host *host_new(const struct link_env *env, struct config *snapshot,
    const struct config_host *config, struct host *via, void (*on_rest)(void *arg), void *arg);
/* At once, and lets go of the host below: before host_free() of a whole chain in any order. */
void host_stop(struct host *host);
void host_free(struct host *host); /* nobody may want it any more. NULL is legal */
/* Nobody wants it and all its links have ended. */
bool host_is_at_rest(const struct host *host);
/* It is, and nobody keeps it who may want it later. */
bool host_may_be_freed(const struct host *host);
/* Counted: whoever remembers a host keeps it, wanted or not. NULL is legal. */
struct host *host_keep(struct host *host);
void host_release(struct host *host);

/* While somebody wants it the host's links are kept up. */
void host_want(struct host *host, struct host_user *user);
/* The last one who leaves lets the links drain: streams that are open get drain_ms. */
void host_unwant(struct host_user *user, uint64_t drain_ms);

/* Links that drain already get no more than that from now on. */
void host_limit_drain(struct host *host, uint64_t drain_ms);

/* Only to hear on_change, whoever wants the host. */
void host_watch(struct host *host, struct host_user *user);
void host_unwatch(struct host_user *user);

/* Make before break: where the change needs new connections, they come up before the old ones drain, for the snapshot's
 * drain_timeout. Once one of them is up, those that failed are not waited for. */
enum host_change { HOST_CHANGE_LIVE, HOST_CHANGE_RECONNECTS };
void host_set_config(struct host *host, struct config *snapshot, const struct config_host *config,
    struct host *via, enum host_change change);

/* The session with the fewest channels that takes new streams; NULL when none is up, and then reason is filled. */
struct session *host_pick_session(const struct host *host, struct err *reason);
bool host_is_up(const struct host *host);
/* Was it (or the host that it is reached through) tried since it is wanted, without success so far? Then a route may look at its
 * next choice. */
bool host_has_failed(const struct host *host);
void host_retry_now(struct host *host);
void host_hurry(struct host *host);                       /* a client is held */
void host_check(struct host *host, uint64_t deadline_ms); /* the network changed */

const char *host_name(const struct host *host);
/* The link that speaks for the host: the best of the present ones. For the status. */
const struct link *host_link(const struct host *host);
/* Until that is tried again, or the host that it waits for is; 0: it waits for no time. */
uint64_t host_next_try_ms(const struct host *host);
const struct link *host_link_at(const struct host *host, size_t index); /* of `connections` */
/* Over all its links, also those that were replaced: they only rise. */
struct host_counts {
	uint64_t reconnects; /* how often a connection was lost and came up again */
	struct link_bytes bytes;
};
struct host_counts host_counts(const struct host *host);

#endif
