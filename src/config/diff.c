/*
 * Two walks over the tables of keys, by name.
 */
#include "config/diff.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "config/endpoint.h"
#include "config/keys.h"

/* ---- operations ---- */

static struct config_op *add_op(struct config_plan *plan, enum config_op_kind kind)
{
	plan->v = mem_grow(plan->v, plan->n + 1, sizeof(*plan->v));
	plan->v[plan->n] = (struct config_op){.kind = kind};
	return &plan->v[plan->n++];
}

struct changes {
	const char **keys;
	size_t count;
	bool live; /* all of them */
};

static struct changes compare(const struct key_table *table, const void *old, const void *new)
{
	struct changes changes = {.live = true};

	for (size_t i = 0; i < table->count; i++) {
		const struct key *key = &table->keys[i];
		if (!key->type || key->type->equal(key, old, new))
			continue;
		changes.keys = mem_grow(changes.keys, changes.count + 1, sizeof(*changes.keys));
		changes.keys[changes.count++] = key->name;
		if (!(key->flags & KEY_LIVE))
			changes.live = false;
	}
	return changes;
}

static void give_keys(struct config_op *op, const struct changes *changes)
{
	op->keys = changes->keys;
	op->key_count = changes->count;
}

/* ---- hosts ---- */

enum verdict { VERDICT_NONE, VERDICT_SAME, VERDICT_RELINKED };

struct host_walk {
	struct config_plan *plan;
	const struct config *new;
	struct map *old_hosts, *new_hosts; /* by name */
	enum verdict *verdicts;
};

/* A link sits on its jump's link: where that one is made anew, so is this. Jumps come first; there are no loops. */
static enum verdict diff_host(struct host_walk *walk, const struct config_host *host)
{
	enum verdict *verdict = &walk->verdicts[host - walk->new->hosts];
	const struct config_host *jump, *old;
	struct config_op *op = NULL;

	if (*verdict != VERDICT_NONE)
		return *verdict;
	jump = host->via ? map_get(walk->new_hosts, host->via) : NULL;
	bool moved = jump && diff_host(walk, jump) == VERDICT_RELINKED;
	old = map_get(walk->old_hosts, host->name);
	*verdict = VERDICT_SAME;
	if (!old) {
		op = add_op(walk->plan, CONFIG_HOST_ADDED);
		op->new_host = host;
		return *verdict;
	}
	struct changes changes = compare(&keys_host, old, host);
	if (moved || !changes.live)
		*verdict = VERDICT_RELINKED;
	if (*verdict == VERDICT_RELINKED)
		op = add_op(walk->plan, CONFIG_HOST_RELINKED);
	else if (changes.count > 0)
		op = add_op(walk->plan, CONFIG_HOST_CHANGED);
	if (!op)
		return *verdict;
	op->old_host = old;
	op->new_host = host;
	give_keys(op, &changes);
	return *verdict;
}

static void diff_hosts(struct config_plan *plan, struct map *old, const struct config *new)
{
	struct host_walk walk = {.plan = plan,
	    .new = new,
	    .old_hosts = old,
	    .new_hosts = map_new(),
	    .verdicts = mem_array(new->host_count, sizeof(*walk.verdicts))};

	for (size_t i = 0; i < new->host_count; i++)
		map_put(walk.new_hosts, new->hosts[i].name, (void *)&new->hosts[i]);
	for (size_t i = 0; i < new->host_count; i++)
		diff_host(&walk, &new->hosts[i]);
	map_free(walk.new_hosts);
	free(walk.verdicts);
}

/* ---- tunnels ---- */

/* Of what is in both snapshots: of its keys, or of one of its forwards. */
static struct config_op *add_tunnel_op(struct config_plan *plan, enum config_op_kind kind,
    const struct config_tunnel *old, const struct config_tunnel *new)
{
	struct config_op *op = add_op(plan, kind);

	op->old_tunnel = old;
	op->new_tunnel = new;
	return op;
}

/* Marks the forward that it finds. Two of port 0 look the same: they pair up in their order. */
static const struct config_forward *find_forward(
    const struct config_tunnel *tunnel, const struct config_forward *wanted, bool *taken)
{
	for (size_t i = 0; i < tunnel->forward_count; i++) {
		const struct config_forward *forward = &tunnel->forwards[i];
		if (!taken[i] && forward->kind == wanted->kind &&
		    endpoint_equal(&forward->listen, &wanted->listen)) {
			taken[i] = true;
			return forward;
		}
	}
	return NULL;
}

/* To a person a tunnel of one forward has a listener that moves. */
static bool is_one_moved(const struct config_tunnel *old, const struct config_tunnel *new)
{
	return old->forward_count == 1 && new->forward_count == 1 &&
	       old->forwards[0].kind == new->forwards[0].kind;
}

/* Whatever else it has is new too, and may be another than before. */
static void name_moved_keys(struct config_op *op, const struct config_forward *before)
{
	struct changes changes = compare(&keys_forward, before, op->new_forward);

	give_keys(op, &changes);
}

static void diff_forwards(
    struct config_plan *plan, const struct config_tunnel *old, const struct config_tunnel *new)
{
	bool *taken = mem_array(old->forward_count, sizeof(*taken));

	for (size_t i = 0; i < new->forward_count; i++) {
		const struct config_forward *forward = &new->forwards[i];
		const struct config_forward *before = find_forward(old, forward, taken);
		struct config_op *op;
		if (!before) {
			op = add_tunnel_op(plan, CONFIG_FORWARD_ADDED, old, new);
			op->new_forward = forward;
			if (is_one_moved(old, new))
				name_moved_keys(op, &old->forwards[0]);
			continue;
		}
		struct changes changes = compare(&keys_forward, before, forward);
		if (changes.count == 0)
			continue;
		op = add_tunnel_op(
		    plan, changes.live ? CONFIG_FORWARD_CHANGED : CONFIG_FORWARD_REBOUND, old, new);
		op->old_forward = before;
		op->new_forward = forward;
		give_keys(op, &changes);
	}
	for (size_t i = 0; i < old->forward_count; i++)
		if (!taken[i])
			add_tunnel_op(plan, CONFIG_FORWARD_REMOVED, old, new)->old_forward =
			    &old->forwards[i];
	free(taken);
}

static void diff_tunnel(
    struct config_plan *plan, const struct config_tunnel *old, const struct config_tunnel *new)
{
	size_t ops_before = plan->n;

	if (!old) {
		add_op(plan, CONFIG_TUNNEL_ADDED)->new_tunnel = new;
		return;
	}
	struct changes changes = compare(&keys_tunnel, old, new);
	if (changes.count > 0)
		give_keys(add_tunnel_op(plan, CONFIG_TUNNEL_CHANGED, old, new), &changes);
	diff_forwards(plan, old, new);
	if (plan->n == ops_before)
		plan->unchanged++;
}

/* ---- the whole ---- */

static void diff_top(struct config_plan *plan, const struct config *old, const struct config *new)
{
	struct changes changes = compare(&keys_top, old, new);

	if (changes.count > 0)
		give_keys(add_op(plan, CONFIG_TOP_CHANGED), &changes);
}

static void add_removed(
    struct config_plan *plan, const struct config *old, const struct config *new)
{
	struct map *hosts = map_new(), *tunnels = map_new();

	for (size_t i = 0; i < new->host_count; i++)
		map_put(hosts, new->hosts[i].name, &new->hosts[i]);
	for (size_t i = 0; i < new->tunnel_count; i++)
		map_put(tunnels, new->tunnels[i].name, &new->tunnels[i]);
	for (size_t i = 0; i < old->tunnel_count; i++)
		if (!map_get(tunnels, old->tunnels[i].name))
			add_op(plan, CONFIG_TUNNEL_REMOVED)->old_tunnel = &old->tunnels[i];
	for (size_t i = 0; i < old->host_count; i++)
		if (!map_get(hosts, old->hosts[i].name))
			add_op(plan, CONFIG_HOST_REMOVED)->old_host = &old->hosts[i];
	map_free(hosts);
	map_free(tunnels);
}

struct config_plan *config_diff(const struct config *old, const struct config *new)
{
	struct config_plan *plan = NEW(struct config_plan);
	struct map *hosts = map_new(), *tunnels = map_new();

	for (size_t i = 0; old && i < old->host_count; i++)
		map_put(hosts, old->hosts[i].name, &old->hosts[i]);
	for (size_t i = 0; old && i < old->tunnel_count; i++)
		map_put(tunnels, old->tunnels[i].name, &old->tunnels[i]);
	if (old)
		diff_top(plan, old, new);
	diff_hosts(plan, hosts, new);
	for (size_t i = 0; i < new->tunnel_count; i++)
		diff_tunnel(plan, map_get(tunnels, new->tunnels[i].name), &new->tunnels[i]);
	if (old)
		add_removed(plan, old, new);
	map_free(hosts);
	map_free(tunnels);
	return plan;
}

void config_plan_free(struct config_plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < plan->n; i++)
		free(plan->v[i].keys);
	free(plan->v);
	free(plan);
}

const struct config_forward *config_find_listener(
    const struct config *config, const struct config_endpoint *at)
{
	for (size_t i = 0; i < config->tunnel_count; i++) {
		const struct config_tunnel *tunnel = &config->tunnels[i];
		for (size_t j = 0; j < tunnel->forward_count; j++)
			if (forward_is_near(&tunnel->forwards[j]) &&
			    endpoint_equal(&tunnel->forwards[j].listen, at))
				return &tunnel->forwards[j];
	}
	return NULL;
}
