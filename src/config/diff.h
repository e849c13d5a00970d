/*
 * What a reload has to do: a pure comparison of two snapshots. The manager applies the plan, `adit reload --dry-run`
 * prints it, a test reads it.
 *
 * Identity: a host is its name, a tunnel its name, a forward its kind and its listener's text. Where a thing stands in the
 * files says nothing.
 */
#ifndef ADIT_CONFIG_DIFF_H
#define ADIT_CONFIG_DIFF_H

#include "config/config.h"

enum config_op_kind {
	CONFIG_TOP_CHANGED,

	CONFIG_HOST_ADDED,
	CONFIG_HOST_CHANGED,  /* in place: links that are up take the new values */
	CONFIG_HOST_RELINKED, /* needs a new link before the old one drains */

	CONFIG_TUNNEL_ADDED, /* with all its forwards: they have no operations of their own */
	CONFIG_TUNNEL_CHANGED, /* keys of the tunnel itself; `via` among them: it goes through another host */

	CONFIG_FORWARD_ADDED,
	CONFIG_FORWARD_CHANGED, /* in place, for new streams */
	CONFIG_FORWARD_REBOUND, /* the same listener, but it has to be opened anew: mode, owner, group */
	CONFIG_FORWARD_REMOVED,

	CONFIG_TUNNEL_REMOVED, /* with all its forwards */
	CONFIG_HOST_REMOVED
};

struct config_op {
	enum config_op_kind kind;
	/* Each NULL where there is none, or where the operation is not about one. They belong to the snapshots. */
	const struct config_host *old_host, *new_host;
	const struct config_tunnel *old_tunnel,
	    *new_tunnel; /* of a forward's operation: its tunnel */
	const struct config_forward *old_forward, *new_forward;
	/* The keys that differ, of CHANGED, RELINKED and REBOUND; static strings. None for a RELINKED host that is itself
	 * the same: then it is reached through one that is relinked. */
	const char **keys;
	size_t key_count;
};

/* In this order: the top level; hosts, those that are jumped through before those that jump; tunnels, in the order of the new
 * snapshot, in each what is added before what goes; what is removed, tunnels first. */
struct config_plan {
	struct config_op *v;
	size_t n;
	size_t unchanged; /* tunnels */
};

/* Gives a plan. Keeps both snapshots: they must outlive it. old may be NULL: all is added. */
struct config_plan *config_diff(const struct config *old, const struct config *new);
void config_plan_free(struct config_plan *plan); /* NULL is legal */

/*
 * The plan for people, a line each, sorted as the plan is; gives the words in lines, which the caller clears:
 *
 *     ~ log_level
 *     ~ host bastion: ciphers (new link)
 *     + tunnel x
 *     ~ tunnel z: to
 *     ~ tunnel z: hold_timeout, + local 127.0.0.1:81, local 127.0.0.1:80: to
 *     - tunnel y
 *     = 7 unchanged
 */
void config_plan_lines(const struct config_plan *plan, struct config_strings *lines);

/* The forward of that snapshot, of whatever tunnel, that listens exactly there on this machine, or NULL: its listener can be handed
 * over when a tunnel is renamed. */
const struct config_forward *config_find_listener(
    const struct config *config, const struct config_endpoint *at);

#endif
