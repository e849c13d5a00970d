/*
 * All hosts and tunnels of one configuration. It applies snapshots; reading and checking them is the command layer's.
 */
#ifndef ADIT_TUNNEL_MANAGER_H
#define ADIT_TUNNEL_MANAGER_H

#include "config/diff.h"
#include "tunnel/tunnel.h"

struct manager;

struct manager_options {
	struct loop *loop;         /* keeps */
	struct resolver *resolver; /* keeps */
	size_t (*inherit)(
	    void *arg, const char *name, int fds[], size_t max); /* see forward_env; may be NULL */
	void *inherit_arg;
	/* Something that one can see has changed: at most once a pass of the loop. May be NULL. */
	void (*on_change)(void *arg);
	/* After manager_shutdown(): all streams have ended, or their time is over. */
	void (*on_shut_down)(void *arg);
	void *arg;
};

struct manager *manager_new(const struct manager_options *options);
void manager_free(struct manager *m); /* at once. NULL is legal */

/* Goes from the present configuration to the next one, which is counted, by the plan that config_diff() made of the two;
 * touches what the plan names and nothing else. */
void manager_apply(struct manager *m, struct config *next, const struct config_plan *plan);
struct config *manager_config(const struct manager *m); /* borrowed; NULL before the first */

void manager_retry_now(struct manager *m); /* SIGUSR1: what is down is tried now */
/* An address or a route changed, or the machine slept: are the links still there? */
void manager_check_links(struct manager *m);
/* Accepts nothing more; streams get drain_ms; then on_shut_down. Called again with 0: at once. All can still be looked at. */
void manager_shutdown(struct manager *m, uint64_t drain_ms);
bool manager_is_shutting_down(const struct manager *m);

struct tunnel *manager_find_tunnel(const struct manager *m, const char *name);
size_t manager_tunnel_count(const struct manager *m); /* in the order of the configuration */
struct tunnel *manager_tunnel(const struct manager *m, size_t index);
/* Of tunnels that were removed and drain, too. */
void manager_each_stream(const struct manager *m,
    void (*visit)(void *arg, const struct tunnel *tunnel, const struct forward_stream_info *info),
    void *arg);
size_t manager_host_count(const struct manager *m);
const struct host *manager_host(const struct manager *m, size_t index);

struct manager_counts {
	size_t up, degraded, down, stopped;
	size_t wanted;          /* see tunnel_is_wanted(); those that are up among them */
	size_t required_not_up; /* of the enabled ones: 0 means ready */
};
void manager_get_counts(const struct manager *m, struct manager_counts *ret);

#endif
