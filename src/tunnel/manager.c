#include "tunnel/manager.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "config/keys.h"
#include "ssh/keyring.h"
#include "tunnel/gate.h"
#include "tunnel/host.h"

enum {
	CHECK_DEADLINE_MS =
	    3000 /* after a change of the network: an answer by then, or the link is made anew */
};

struct manager {
	struct manager_options options;
	struct link_env link_env;
	struct config *config;

	struct host **hosts; /* in the order of the configuration */
	size_t host_count;
	struct map *hosts_by_name;
	struct host **old_hosts; /* removed from it, still draining */
	size_t old_host_count;

	struct tunnel **tunnels;
	size_t tunnel_count;
	struct map *tunnels_by_name;
	struct tunnel **going; /* removed, still draining */
	size_t going_count;

	struct handover handover;
	bool shutting_down;
	bool has_shut_down; /* and said so */
	struct task tell, sweep;
};

static void remove_tunnel_at(struct tunnel **list, size_t *count, size_t index)
{
	memmove(&list[index], &list[index + 1], (*count - index - 1) * sizeof(*list));
	(*count)--;
}

/* ---- what tunnels say ---- */

static void on_tell(void *arg)
{
	struct manager *m = arg;

	if (m->options.on_change)
		m->options.on_change(m->options.arg);
}

static void on_tunnel_change(void *arg, struct tunnel *tunnel)
{
	struct manager *m = arg;

	(void)tunnel;
	task_schedule(&m->tell);
	if (m->shutting_down)
		task_schedule(&m->sweep);
}

static void on_tunnel_removed(void *arg, struct tunnel *tunnel)
{
	struct manager *m = arg;

	for (size_t i = 0; i < m->going_count; i++) {
		if (m->going[i] == tunnel) {
			remove_tunnel_at(m->going, &m->going_count, i);
			tunnel_free(tunnel);
			break;
		}
	}
	task_schedule(&m->tell);
	task_schedule(&m->sweep);
}

/* ---- hosts ---- */

/* Hosts that no tunnel's route names any more, once their links have ended. */
static void sweep_hosts(struct manager *m)
{
	for (size_t i = 0; i < m->old_host_count;) {
		if (!host_may_be_freed(m->old_hosts[i])) {
			i++;
			continue;
		}
		host_free(m->old_hosts[i]);
		m->old_hosts[i] = m->old_hosts[--m->old_host_count];
	}
}

static size_t live_links(const struct manager *m)
{
	size_t count = 0;

	for (size_t i = 0; i < m->host_count; i++)
		count += !host_is_at_rest(m->hosts[i]);
	for (size_t i = 0; i < m->old_host_count; i++)
		count += !host_is_at_rest(m->old_hosts[i]);
	return count;
}

static bool has_drained(const struct manager *m)
{
	for (size_t i = 0; i < m->tunnel_count; i++)
		if (!tunnel_has_ended(m->tunnels[i]))
			return false;
	return m->going_count == 0;
}

static void shut_down(struct manager *m)
{
	if (m->has_shut_down)
		return;
	m->has_shut_down = true;
	m->options.on_shut_down(m->options.arg);
}

static void on_sweep(void *arg)
{
	struct manager *m = arg;

	sweep_hosts(m);
	if (m->shutting_down && has_drained(m) && !live_links(m))
		shut_down(m);
}

static void on_host_rest(void *arg)
{
	struct manager *m = arg;

	task_schedule(&m->sweep);
}

static struct host *find_host(const struct manager *m, const char *name)
{
	return name ? map_get(m->hosts_by_name, name) : NULL;
}

static void add_host(struct manager *m, const struct config_op *op)
{
	const struct config_host *config = op->new_host;
	struct host *host =
	    host_new(&m->link_env, m->config, config, find_host(m, config->via), on_host_rest, m);

	map_put(m->hosts_by_name, config->name, host);
}

static void change_host(struct manager *m, const struct config_op *op)
{
	const struct config_host *config = op->new_host;
	enum host_change change =
	    op->kind == CONFIG_HOST_RELINKED ? HOST_CHANGE_RECONNECTS : HOST_CHANGE_LIVE;

	host_set_config(
	    find_host(m, config->name), m->config, config, find_host(m, config->via), change);
}

/* It goes when its links have ended: streams of removed tunnels may still drain through it. */
static void remove_host(struct manager *m, const struct config_op *op)
{
	m->old_hosts = mem_grow(m->old_hosts, m->old_host_count + 1, sizeof(*m->old_hosts));
	m->old_hosts[m->old_host_count++] = map_remove(m->hosts_by_name, op->old_host->name);
}

/* ---- tunnels ---- */

/* One for each of its `via`; gives. */
static struct host **hosts_of(const struct manager *m, const struct config_tunnel *config)
{
	struct host **hosts = mem_array(config->via.n, sizeof(struct host *));

	for (size_t i = 0; i < config->via.n; i++)
		hosts[i] = find_host(m, config->via.v[i]);
	return hosts;
}

static void add_tunnel(struct manager *m, const struct config_op *op)
{
	struct tunnel_env env = {.loop = m->options.loop,
	    .resolver = m->options.resolver,
	    .inherit = m->options.inherit,
	    .inherit_arg = m->options.inherit_arg,
	    .handover = &m->handover,
	    .on_change = on_tunnel_change,
	    .on_removed = on_tunnel_removed,
	    .arg = m};
	struct host **hosts = hosts_of(m, op->new_tunnel);

	map_put(m->tunnels_by_name, op->new_tunnel->name,
	    tunnel_new(&env, m->config, op->new_tunnel, hosts));
	free(hosts);
}

static void change_tunnel(struct manager *m, const struct config_op *op)
{
	struct tunnel *tunnel = manager_find_tunnel(m, op->new_tunnel->name);

	/* One call does all that the plan has for this tunnel; its further operations find it done. */
	if (tunnel_config(tunnel) == op->new_tunnel)
		return;
	struct host **hosts = hosts_of(m, op->new_tunnel);
	tunnel_set_config(tunnel, m->config, op->new_tunnel, hosts);
	free(hosts);
}

static void let_go(struct manager *m, struct tunnel *tunnel, uint64_t drain_ms)
{
	map_remove(m->tunnels_by_name, tunnel_name(tunnel));
	m->going = mem_grow(m->going, m->going_count + 1, sizeof(*m->going));
	m->going[m->going_count++] = tunnel;
	tunnel_remove(tunnel, drain_ms, "removed from the configuration");
}

/* ---- plans ---- */

struct inheritance {
	const struct config *next;
	const struct config_op *op;
};

/* Does it go, and does somebody listen in the next configuration exactly as it does now? */
static bool has_heir(void *arg, const struct config_forward *forward)
{
	const struct inheritance *i = arg;
	const struct config_forward *gone = i->op->old_forward;
	const struct config_forward *heir = config_find_listener(i->next, &forward->listen);

	if (gone &&
	    (gone->kind != forward->kind || strcmp(gone->listen.text, forward->listen.text) != 0))
		return false;
	return heir && forward_same_access(heir, forward);
}

/* First of all, so that a listener can move from one tunnel to another. */
static void offer_listeners(
    struct manager *m, const struct config *next, const struct config_op *op)
{
	struct inheritance i = {.next = next, .op = op};

	if (op->kind == CONFIG_TUNNEL_REMOVED || op->kind == CONFIG_FORWARD_REMOVED)
		tunnel_offer_listeners(manager_find_tunnel(m, op->old_tunnel->name), has_heir, &i);
}

static void apply_op(struct manager *m, const struct config_op *op)
{
	switch (op->kind) {
	case CONFIG_TOP_CHANGED:    /* the supervisor's */
	case CONFIG_TUNNEL_REMOVED: /* done before all else */
		break;
	case CONFIG_HOST_ADDED:
		add_host(m, op);
		break;
	case CONFIG_HOST_CHANGED:
	case CONFIG_HOST_RELINKED:
		change_host(m, op);
		break;
	case CONFIG_HOST_REMOVED:
		remove_host(m, op);
		break;
	case CONFIG_TUNNEL_ADDED:
		add_tunnel(m, op);
		break;
	case CONFIG_TUNNEL_CHANGED:
	case CONFIG_FORWARD_ADDED:
	case CONFIG_FORWARD_CHANGED:
	case CONFIG_FORWARD_REBOUND:
	case CONFIG_FORWARD_REMOVED:
		change_tunnel(m, op);
		break;
	}
}

/* The lists in the order of the configuration, from the tables by name. */
static void put_in_order(struct manager *m)
{
	const struct config *config = m->config;

	m->hosts = mem_grow(m->hosts, config->host_count, sizeof(*m->hosts));
	m->host_count = config->host_count;
	for (size_t i = 0; i < config->host_count; i++)
		m->hosts[i] = find_host(m, config->hosts[i].name);
	m->tunnels = mem_grow(m->tunnels, config->tunnel_count, sizeof(*m->tunnels));
	m->tunnel_count = config->tunnel_count;
	for (size_t i = 0; i < config->tunnel_count; i++)
		m->tunnels[i] = manager_find_tunnel(m, config->tunnels[i].name);
}

static bool is_identity(void *arg, const char *path)
{
	const struct config *config = arg;

	for (size_t i = 0; i < config->host_count; i++) {
		const struct config_host *host = &config->hosts[i];

		for (size_t j = 0; j < host->identity.n; j++)
			if (strcmp(host->identity.v[j], path) == 0)
				return true;
	}
	return false;
}

void manager_apply(struct manager *m, struct config *next, const struct config_plan *plan)
{
	struct config *before = m->config;

	for (size_t i = 0; i < plan->n; i++)
		offer_listeners(m, next, &plan->v[i]);
	m->config = config_ref(next);
	for (size_t i = 0; i < plan->n; i++)
		if (plan->v[i].kind == CONFIG_TUNNEL_REMOVED)
			let_go(m, manager_find_tunnel(m, plan->v[i].old_tunnel->name),
			    next->drain_timeout_ms);
	for (size_t i = 0; i < plan->n; i++)
		apply_op(m, &plan->v[i]);
	put_in_order(m);
	for (size_t i = 0; i < m->tunnel_count; i++)
		tunnel_leave_removed(m->tunnels[i], next);
	handover_clear(&m->handover);
	keyring_keep(m->link_env.keyring, is_identity, next);
	config_unref(before);
	task_schedule(&m->tell);
	task_schedule(&m->sweep);
}

/* ---- from outside ---- */

struct manager *manager_new(const struct manager_options *options)
{
	struct manager *m = NEW(struct manager);

	m->options = *options;
	m->link_env = (struct link_env){.loop = options->loop,
	    .resolver = options->resolver,
	    .gate = gate_new(options->loop),
	    .keyring = keyring_new(options->loop)};
	m->hosts_by_name = map_new();
	m->tunnels_by_name = map_new();
	handover_init(&m->handover);
	task_init(&m->tell, options->loop, on_tell, m);
	task_init(&m->sweep, options->loop, on_sweep, m);
	return m;
}

void manager_free(struct manager *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->tunnel_count; i++)
		tunnel_free(m->tunnels[i]);
	for (size_t i = 0; i < m->going_count; i++)
		tunnel_free(m->going[i]);
	/* The upper ones of a chain let go of the lower ones first. */
	for (size_t i = 0; i < m->host_count; i++)
		host_stop(m->hosts[i]);
	for (size_t i = 0; i < m->old_host_count; i++)
		host_stop(m->old_hosts[i]);
	for (size_t i = 0; i < m->host_count; i++)
		host_free(m->hosts[i]);
	for (size_t i = 0; i < m->old_host_count; i++)
		host_free(m->old_hosts[i]);
	task_cancel(&m->tell);
	task_cancel(&m->sweep);
	gate_free(m->link_env.gate);
	keyring_free(m->link_env.keyring);
	map_free(m->hosts_by_name);
	map_free(m->tunnels_by_name);
	free(m->hosts);
	free(m->old_hosts);
	free(m->tunnels);
	free(m->going);
	config_unref(m->config);
	free(m);
}

struct config *manager_config(const struct manager *m)
{
	return m->config;
}

void manager_retry_now(struct manager *m)
{
	for (size_t i = 0; i < m->host_count; i++)
		host_retry_now(m->hosts[i]);
	for (size_t i = 0; i < m->tunnel_count; i++)
		tunnel_retry_now(m->tunnels[i]);
}

void manager_check_links(struct manager *m)
{
	for (size_t i = 0; i < m->host_count; i++)
		host_check(m->hosts[i], CHECK_DEADLINE_MS);
	for (size_t i = 0; i < m->old_host_count; i++)
		host_check(m->old_hosts[i], CHECK_DEADLINE_MS);
}

void manager_shutdown(struct manager *m, uint64_t drain_ms)
{
	if (drain_ms == 0 && m->shutting_down) {
		shut_down(m);
		return;
	}
	m->shutting_down = true;
	for (size_t i = 0; i < m->tunnel_count; i++)
		tunnel_remove(m->tunnels[i], drain_ms, "adit ends");
	for (size_t i = 0; i < m->going_count; i++)
		tunnel_remove(m->going[i], drain_ms, "adit ends");
	for (size_t i = 0; i < m->host_count; i++)
		host_limit_drain(m->hosts[i], drain_ms);
	for (size_t i = 0; i < m->old_host_count; i++)
		host_limit_drain(m->old_hosts[i], drain_ms);
	task_schedule(&m->sweep);
}

bool manager_is_shutting_down(const struct manager *m)
{
	return m->shutting_down;
}

/* ---- what one can see ---- */

struct tunnel *manager_find_tunnel(const struct manager *m, const char *name)
{
	return map_get(m->tunnels_by_name, name);
}

size_t manager_tunnel_count(const struct manager *m)
{
	return m->tunnel_count;
}

struct tunnel *manager_tunnel(const struct manager *m, size_t index)
{
	return m->tunnels[index];
}

struct visit {
	const struct tunnel *tunnel;
	void (*visit)(
	    void *arg, const struct tunnel *tunnel, const struct forward_stream_info *info);
	void *arg;
};

static void visit_stream(void *arg, const struct forward_stream_info *info)
{
	const struct visit *visit = arg;

	visit->visit(visit->arg, visit->tunnel, info);
}

void manager_each_stream(const struct manager *m,
    void (*visit)(void *arg, const struct tunnel *tunnel, const struct forward_stream_info *info),
    void *arg)
{
	for (size_t i = 0; i < m->tunnel_count + m->going_count; i++) {
		const struct tunnel *tunnel =
		    i < m->tunnel_count ? m->tunnels[i] : m->going[i - m->tunnel_count];
		struct visit all = {tunnel, visit, arg};

		tunnel_each_stream(tunnel, visit_stream, &all);
	}
}

size_t manager_host_count(const struct manager *m)
{
	return m->host_count;
}

const struct host *manager_host(const struct manager *m, size_t index)
{
	return m->hosts[index];
}

void manager_get_counts(const struct manager *m, struct manager_counts *ret)
{
	*ret = (struct manager_counts){0};
	for (size_t i = 0; i < m->tunnel_count; i++) {
		enum tunnel_state state = tunnel_state(m->tunnels[i]);

		ret->up += state == TUNNEL_UP;
		ret->degraded += state == TUNNEL_DEGRADED;
		ret->down += state == TUNNEL_DOWN;
		ret->stopped += state == TUNNEL_STOPPED;
		ret->wanted += state == TUNNEL_UP || tunnel_is_wanted(m->tunnels[i]);
		ret->required_not_up +=
		    state != TUNNEL_UP && tunnel_hinders_readiness(m->tunnels[i]);
	}
}
