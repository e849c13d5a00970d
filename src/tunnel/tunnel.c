#include "tunnel/tunnel_private.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

static const char not_enabled[] = "not enabled in the configuration";

static void look_at_routes(struct tunnel *tunnel);
static void close_old_route(struct tunnel *tunnel, uint64_t drain_ms);

/* While the first try runs there is nothing to say yet: it will be up, or there will be a reason. */
static bool is_being_made(const struct tunnel *tunnel)
{
	const struct host *host = route_host(tunnel->route);

	if (tunnel->said == TUNNEL_UP || tunnel->said == TUNNEL_DEGRADED || tunnel->session ||
	    !route_is_open(tunnel->route) || host_has_failed(host))
		return false;
	for (size_t i = 0; i < tunnel->slot_count; i++)
		if (!tunnel->slots[i]->forward)
			return false;
	return link_waits_for_via(host_link(host)) || !err_is_set(link_reason(host_link(host)));
}

/* Says a change of state once, with the reason; a flapping link is counted, not repeated. */
static void say_state(struct tunnel *tunnel, enum tunnel_state state)
{
	const char *host = host_name(tunnel_host(tunnel));

	if (state == TUNNEL_DOWN && is_being_made(tunnel)) {
		tunnel->untold = true;
		return;
	}
	if (state == tunnel->said && !tunnel->untold)
		return;
	tunnel->untold = false;
	tunnel->said = state;
	switch (state) {
	case TUNNEL_UP:
		log_repeat_end(&tunnel->repeat, &tunnel->log);
		log_info(&tunnel->log, "tunnel-up", "host=%s", host);
		break;
	case TUNNEL_STOPPED:
		log_repeat_end(&tunnel->repeat, &tunnel->log);
		log_info(&tunnel->log, "tunnel-stopped", "reason=%s", tunnel_reason(tunnel));
		break;
	case TUNNEL_DOWN:
	case TUNNEL_DEGRADED:
		log_unless_repeated(&tunnel->repeat, LOG_LEVEL_INFO, &tunnel->log,
		    state == TUNNEL_DOWN ? "tunnel-down" : "tunnel-degraded", "host=%s reason=%s",
		    host, tunnel_reason(tunnel));
		break;
	}
}

static void look(void *arg)
{
	struct tunnel *tunnel = arg;

	look_at_routes(tunnel);
	enum tunnel_state state = tunnel_state(tunnel);

	if (state != tunnel->seen) {
		tunnel->seen = state;
		tunnel->since_ms = clock_wall_ms();
	}
	say_state(tunnel, state);
	slots_sweep(tunnel);
	tunnel_watch_idle(tunnel);
	tunnel->env.on_change(tunnel->env.arg, tunnel);
	if (tunnel_has_ended(tunnel))
		tunnel->env.on_removed(tunnel->env.arg, tunnel);
}

void tunnel_changed(struct tunnel *tunnel)
{
	task_schedule(&tunnel->look);
}

/* ---- on demand ---- */

/* A remote forward lives on its link. */
static bool needs_link_always(const struct tunnel *tunnel)
{
	if (tunnel->config->connect == CONFIG_CONNECT_ALWAYS)
		return true;
	for (size_t i = 0; i < tunnel->slot_count; i++) {
		enum config_forward_kind kind = tunnel->slots[i]->config->kind;

		if (kind == CONFIG_FORWARD_REMOTE || kind == CONFIG_FORWARD_REMOTE_SOCKS)
			return true;
	}
	return false;
}

static bool is_in_use(const struct tunnel *tunnel)
{
	struct forward_load load;

	tunnel_get_load(tunnel, &load);
	return load.streams + load.held > 0;
}

static void on_idle(void *arg)
{
	struct tunnel *tunnel = arg;

	if (is_in_use(tunnel) || needs_link_always(tunnel))
		return;
	close_old_route(tunnel, 0); /* it carries on nothing any more */
	route_close(tunnel->route, 0);
	tunnel_changed(tunnel);
}

void tunnel_watch_idle(struct tunnel *tunnel)
{
	if (!tunnel->running || needs_link_always(tunnel))
		return;
	if (is_in_use(tunnel))
		timer_stop(&tunnel->idle);
	else if (route_is_open(tunnel->route) && !timer_is_running(&tunnel->idle))
		timer_start(&tunnel->idle, tunnel->config->link_idle_timeout_ms);
}

/* ---- what the route says ---- */

static void on_route_up(void *arg, struct session *s)
{
	struct tunnel *tunnel = arg;

	if (tunnel->session == s)
		return;
	tunnel->session = s;
	slots_session_up(tunnel, s);
	tunnel_changed(tunnel);
}

static void on_route_down(void *arg, struct session *s)
{
	struct tunnel *tunnel = arg;

	if (tunnel->session == s)
		tunnel->session = NULL;
	slots_session_down(tunnel, s);
	tunnel_changed(tunnel);
}

static void on_route_change(void *arg)
{
	tunnel_changed(arg);
}

static bool is_client_held(void *arg)
{
	struct forward_load load;

	tunnel_get_load(arg, &load);
	return load.held > 0;
}

static struct route *make_route(struct tunnel *tunnel, struct host *const *hosts)
{
	static const struct route_callbacks callbacks = {.on_up = on_route_up,
	    .on_down = on_route_down,
	    .on_change = on_route_change,
	    .is_client_held = is_client_held};

	return route_new(tunnel->env.loop, hosts, tunnel->config->via.n,
	    tunnel->snapshot->drain_timeout_ms, &callbacks, tunnel);
}

/* The session that both routes run over goes on unnoticed. */
static void close_old_route(struct tunnel *tunnel, uint64_t drain_ms)
{
	struct route *old = tunnel->old_route;

	if (!old)
		return;
	timer_stop(&tunnel->leave);
	tunnel->old_route = NULL;
	if (route_session(old) && route_session(old) == route_session(tunnel->route))
		route_set_drain(old, drain_ms);
	else
		route_close(old, drain_ms);
	route_free(old);
}

/* The old route goes when the new one is up, or when there is nothing that it could carry on. */
static void look_at_routes(struct tunnel *tunnel)
{
	if (tunnel->old_route &&
	    (route_session(tunnel->route) || !route_session(tunnel->old_route)))
		close_old_route(tunnel, tunnel->snapshot->drain_timeout_ms);
}

static void on_leave(void *arg)
{
	struct tunnel *tunnel = arg;

	close_old_route(tunnel, 0);
	tunnel_changed(tunnel);
}

/* ---- from outside ---- */

struct tunnel *tunnel_new(const struct tunnel_env *env, struct config *snapshot,
    const struct config_tunnel *config, struct host *const *hosts)
{
	struct tunnel *tunnel = NEW(struct tunnel);

	tunnel->env = *env;
	tunnel->snapshot = config_ref(snapshot);
	tunnel->config = config;
	tunnel->name = mem_strdup(config->name);
	tunnel->log = (struct log_context){.key = "tunnel", .value = tunnel->name};
	tunnel->since_ms = clock_wall_ms();
	tunnel->seen = tunnel->said = TUNNEL_STOPPED;
	tunnel->why_stopped = not_enabled;
	timer_init(&tunnel->idle, env->loop, on_idle, tunnel);
	timer_init(&tunnel->leave, env->loop, on_leave, tunnel);
	slots_init(tunnel);
	task_init(&tunnel->look, env->loop, look, tunnel);
	tunnel->route = make_route(tunnel, hosts);
	if (config->enabled)
		tunnel_start(tunnel);
	return tunnel;
}

void tunnel_free(struct tunnel *tunnel)
{
	if (!tunnel)
		return;
	timer_stop(&tunnel->idle);
	timer_stop(&tunnel->leave);
	slots_free(tunnel);
	route_free(tunnel->old_route);
	route_free(tunnel->route);
	task_cancel(&tunnel->look);
	log_repeat_end(&tunnel->repeat, &tunnel->log);
	free(tunnel->name);
	config_unref(tunnel->snapshot);
	free(tunnel);
}

void tunnel_start(struct tunnel *tunnel)
{
	if (tunnel->running || tunnel->removed)
		return;
	tunnel->running = true;
	slots_open_closed(tunnel);
	if (needs_link_always(tunnel))
		route_open(tunnel->route);
	tunnel_changed(tunnel);
}

static void stop(struct tunnel *tunnel, uint64_t drain_ms, const char *why)
{
	slots_limit_drain(tunnel, drain_ms);
	if (!tunnel->running)
		return;
	tunnel->why_stopped = why;
	tunnel->running = false;
	timer_stop(&tunnel->idle);
	slots_retire(tunnel, drain_ms);
	/* Other tunnels may share the link; if not, it drains along with the streams. */
	close_old_route(tunnel, drain_ms);
	route_close(tunnel->route, drain_ms);
	tunnel_changed(tunnel);
}

void tunnel_stop(struct tunnel *tunnel, uint64_t drain_ms)
{
	stop(tunnel, drain_ms, "stopped by adit stop");
}

static bool every_forward(void *arg, const struct config_forward *forward)
{
	(void)arg;
	(void)forward;
	return true;
}

void tunnel_restart(struct tunnel *tunnel, uint64_t drain_ms)
{
	if (tunnel->running)
		log_info(&tunnel->log, "tunnel-restarted", "reason=%s", "adit restart");
	tunnel_offer_listeners(tunnel, every_forward, NULL);
	tunnel_stop(tunnel, drain_ms);
	tunnel_start(tunnel);
	handover_clear(tunnel->env.handover);
	tunnel_retry_now(tunnel);
}

void tunnel_offer_listeners(struct tunnel *tunnel,
    bool (*is_wanted)(void *arg, const struct config_forward *forward), void *arg)
{
	for (size_t i = 0; i < tunnel->slot_count; i++) {
		struct slot *slot = tunnel->slots[i];

		if (slot->forward && is_wanted(arg, slot->config))
			handover_offer(tunnel->env.handover, slot->forward);
	}
}

void tunnel_remove(struct tunnel *tunnel, uint64_t drain_ms, const char *why)
{
	stop(tunnel, drain_ms, why);
	tunnel->removed = true;
	tunnel_changed(tunnel);
}

bool tunnel_has_ended(const struct tunnel *tunnel)
{
	return tunnel->removed && list_empty(&tunnel->going);
}

void tunnel_retry_now(struct tunnel *tunnel)
{
	route_retry_now(tunnel->route);
	slots_open_closed(tunnel);
	for (size_t i = 0; i < tunnel->slot_count; i++)
		if (tunnel->slots[i]->forward)
			forward_retry_now(tunnel->slots[i]->forward);
}

/* ---- a new configuration ---- */

static bool same_hosts(const struct config_tunnel *a, const struct config_tunnel *b)
{
	if (a->via.n != b->via.n)
		return false;
	for (size_t i = 0; i < a->via.n; i++)
		if (strcmp(a->via.v[i], b->via.v[i]) != 0)
			return false;
	return true;
}

/* The hosts that both routes have keep their link: wanted by the new one before the old one lets go. One that has not come up yet is
 * no successor: then the old route stays the old one. */
static void set_route(struct tunnel *tunnel, struct host *const *hosts)
{
	struct route *before = tunnel->route;

	look_at_routes(tunnel);
	tunnel->route = make_route(tunnel, hosts);
	if (route_is_open(before))
		route_open(tunnel->route);
	if (tunnel->old_route)
		route_free(before);
	else
		tunnel->old_route = before;
	look_at_routes(tunnel);
}

void tunnel_leave_removed(struct tunnel *tunnel, const struct config *config)
{
	if (tunnel->old_route && !timer_is_running(&tunnel->leave) &&
	    !config_find_host(config, host_name(route_host(tunnel->old_route))))
		timer_start(&tunnel->leave, config->drain_timeout_ms);
}

void tunnel_set_config(struct tunnel *tunnel, struct config *snapshot,
    const struct config_tunnel *config, struct host *const *hosts)
{
	struct config *before = tunnel->snapshot;
	bool route_changed = !same_hosts(tunnel->config, config);
	bool was_enabled = tunnel->config->enabled;
	uint64_t drain_ms = snapshot->drain_timeout_ms;

	tunnel->snapshot = config_ref(snapshot);
	tunnel->config = config;
	route_set_drain(tunnel->route, drain_ms);
	if (route_changed)
		set_route(tunnel, hosts);
	slots_set_config(tunnel, drain_ms);
	/* `adit stop` and `adit start` hold until the file itself says something else. */
	if (config->enabled && !was_enabled)
		tunnel_start(tunnel);
	if (!config->enabled && was_enabled) {
		stop(tunnel, drain_ms, not_enabled);
		tunnel->why_stopped = not_enabled; /* also if it was stopped before */
	}
	if (tunnel->running && needs_link_always(tunnel))
		route_open(tunnel->route);
	timer_stop(&tunnel->idle); /* its time may have changed */
	tunnel_watch_idle(tunnel);
	config_unref(before);
	tunnel_changed(tunnel);
}

/* ---- what one can see ---- */

const char *tunnel_name(const struct tunnel *tunnel)
{
	return tunnel->name;
}

const struct config_tunnel *tunnel_config(const struct tunnel *tunnel)
{
	return tunnel->config;
}

uint64_t tunnel_since_ms(const struct tunnel *tunnel)
{
	return tunnel->since_ms;
}

const struct host *tunnel_host(const struct tunnel *tunnel)
{
	bool serves_old = tunnel->session && tunnel->session != route_session(tunnel->route);

	return route_host(serves_old && tunnel->old_route ? tunnel->old_route : tunnel->route);
}

size_t tunnel_forward_count(const struct tunnel *tunnel)
{
	return tunnel->slot_count;
}

void tunnel_leave_sockets(struct tunnel *tunnel)
{
	for (size_t i = 0; i < tunnel_forward_count(tunnel); i++) {
		struct forward *forward = tunnel->slots[i]->forward;
		struct listener_legacy legacy;

		if (!forward)
			continue;
		forward_hand_over(forward, &legacy);
		for (size_t k = 0; k < legacy.count; k++)
			close(legacy.fds[k]);
		listener_legacy_clear(&legacy);
	}
}

void tunnel_each_stream(const struct tunnel *tunnel,
    void (*visit)(void *arg, const struct forward_stream_info *info), void *arg)
{
	for (size_t i = 0; i < tunnel->slot_count; i++)
		if (tunnel->slots[i]->forward)
			forward_each_stream(tunnel->slots[i]->forward, visit, arg);
	LIST_FOREACH(node, &tunnel->going)
	forward_each_stream(CONTAINER_OF(node, struct slot, node)->forward, visit, arg);
}

const struct forward *tunnel_forward(const struct tunnel *tunnel, size_t index)
{
	return tunnel->slots[index]->forward;
}
