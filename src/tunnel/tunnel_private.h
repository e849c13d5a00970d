/*
 * The inside of a tunnel: what tunnel.c, tunnel_slots.c and tunnel_state.c know of each other. Nobody else includes this.
 */
#ifndef ADIT_TUNNEL_TUNNEL_PRIVATE_H
#define ADIT_TUNNEL_TUNNEL_PRIVATE_H

#include "tunnel/tunnel.h"

/* One forward and what belongs to it. */
struct slot {
	struct tunnel *tunnel;
	struct config *snapshot; /* config stands in it */
	const struct config_forward *config;
	struct forward *forward; /* NULL: the listener could not be opened */
	struct err open_error;
	struct probe *probe;
	struct forward_counts past; /* of forwards that were here before */
	struct slot *heir;          /* while it is in going: what came after it; NULL: nothing */
	struct list node;           /* in going */
	struct timer drain;         /* while it is in going: the end of its patience */
};

struct tunnel {
	struct tunnel_env env;
	struct config *snapshot;
	const struct config_tunnel *config;
	char *name;
	struct log_context log;

	struct route *route;
	struct route *old_route; /* carries on until the new one is up; NULL: none */
	struct session *session; /* of one of them */
	struct slot **slots;
	size_t slot_count;
	struct list going;          /* forwards that accept nothing any more and drain */
	struct forward_counts past; /* of forwards that nothing came after */

	bool running; /* wanted: started, not stopped */
	const char *why_stopped;
	bool removed;
	enum tunnel_state said; /* what the log was told last */
	bool untold;            /* it has changed since; the log waits for the first try */
	enum tunnel_state seen; /* what it was at the last look, */
	uint64_t since_ms;      /* and since when */
	struct log_repeat repeat;

	struct timer idle, listen_retry;
	struct timer leave; /* the old route's host was removed: its end */
	uint64_t listen_wait_ms;
	struct task look; /* the state is looked at once a pass */
};

/* tunnel.c. The state is looked at once more in this pass; whether the link is idle, at once. */
void tunnel_changed(struct tunnel *tunnel);
void tunnel_watch_idle(struct tunnel *tunnel);

/* tunnel_slots.c */
void slots_init(struct tunnel *tunnel); /* of what is configured; none is open */
void slots_free(struct tunnel *tunnel);
void slots_open_closed(struct tunnel *tunnel); /* those that are not open, if the tunnel runs */
/* All stop to accept, and their streams get drain_ms; in their places are new ones, not open. */
void slots_retire(struct tunnel *tunnel, uint64_t drain_ms);
/* Those that drain already get no more than drain_ms from now on. */
void slots_limit_drain(struct tunnel *tunnel, uint64_t drain_ms);
/* From what is configured before to what is now: each listener that can serve it stays. */
void slots_set_config(struct tunnel *tunnel, uint64_t drain_ms);
/* tunnel->session has become s. */
void slots_session_up(struct tunnel *tunnel, struct session *s);
/* s goes; tunnel->session is NULL by now, or another one. */
void slots_session_down(struct tunnel *tunnel, struct session *s);
/* Adds what the forwards carried that were here before, and what they carry while they drain. */
void slots_add_past(
    const struct tunnel *tunnel, const struct slot *slot, struct forward_counts *counts);
/* Frees those that have drained. */
void slots_sweep(struct tunnel *tunnel);

#endif
