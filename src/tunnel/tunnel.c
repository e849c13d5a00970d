#include "tunnel/tunnel.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "tunnel/probe.h"

enum { LISTEN_RETRY_MS = 5000 /* for a listener that could not be opened */ };

/* One forward and what belongs to it. */
struct slot {
	struct tunnel *tunnel;
	struct config *snapshot; /* config stands in it */
	const struct config_forward *config;
	struct forward *forward; /* NULL: the listener could not be opened */
	struct err open_error;
	struct probe *probe;
	struct list node;   /* in going */
	struct timer drain; /* while it is in going: the end of its patience */
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
	struct list going; /* forwards that accept nothing any more and drain */

	bool running; /* wanted: started, not stopped */
	bool removed;
	enum tunnel_state said; /* what the log was told last */
	time_t since;
	struct log_repeat repeat;

	struct timer idle, listen_retry;
	struct task look; /* the state is looked at once a pass */
};

const char *tunnel_state_name(enum tunnel_state state)
{
	static const char *const names[] = {
	    [TUNNEL_STOPPED] = "stopped",
	    [TUNNEL_DOWN] = "down",
	    [TUNNEL_DEGRADED] = "degraded",
	    [TUNNEL_UP] = "up",
	};

	return names[state];
}

/* ---- state: computed from what is so ---- */

static bool waits_for_demand(const struct tunnel *tunnel)
{
	return tunnel->config->connect == CONFIG_CONNECT_ON_DEMAND && !route_is_open(tunnel->route);
}

void tunnel_forward_status(
    const struct tunnel *tunnel, size_t index, struct forward_status *ret_status)
{
	const struct slot *slot = tunnel->slots[index];

	if (slot->forward) {
		forward_get_status(slot->forward, ret_status);
	} else {
		*ret_status = (struct forward_status){.kind = slot->config->kind,
		    .listen = slot->config->listen.text,
		    .to = slot->config->to.text ? slot->config->to.text : "",
		    .state = err_is_set(&slot->open_error) ? FORWARD_FAILED : FORWARD_WAITING,
		    .reason = err_is_set(&slot->open_error) ? slot->open_error.text : "stopped"};
		return;
	}
	if (ret_status->state == FORWARD_UP || tunnel->session)
		return;
	/* It waits for the link: the link's reason is the one that helps. */
	const struct err *why = link_reason(host_link(route_host(tunnel->route)));
	if (err_is_set(why))
		ret_status->reason = why->text;
	else if (waits_for_demand(tunnel))
		ret_status->reason =
		    "the link is made by the first client (connect = \"on-demand\")";
	else
		ret_status->reason =
		    link_state_reason(link_state(host_link(route_host(tunnel->route))));
}

enum tunnel_state tunnel_state(const struct tunnel *tunnel)
{
	size_t up = 0;

	if (!tunnel->running)
		return TUNNEL_STOPPED;
	for (size_t i = 0; i < tunnel->slot_count; i++) {
		struct forward_status status;

		tunnel_forward_status(tunnel, i, &status);
		up += status.state == FORWARD_UP;
	}
	if (up == tunnel->slot_count)
		return TUNNEL_UP;
	return up ? TUNNEL_DEGRADED : TUNNEL_DOWN;
}

bool tunnel_is_ready(const struct tunnel *tunnel)
{
	if (tunnel_state(tunnel) == TUNNEL_UP)
		return true;
	if (!tunnel->running || !waits_for_demand(tunnel))
		return false;
	for (size_t i = 0; i < tunnel->slot_count; i++)
		if (!tunnel->slots[i]->forward)
			return false;
	return true;
}

static const char *why_stopped(const struct tunnel *tunnel)
{
	if (tunnel->removed)
		return "removed from the configuration, or adit ends";
	return tunnel->config->enabled ? "stopped by adit stop"
				       : "not enabled in the configuration";
}

const char *tunnel_reason(const struct tunnel *tunnel)
{
	if (!tunnel->running)
		return why_stopped(tunnel);
	for (size_t i = 0; i < tunnel->slot_count; i++) {
		struct forward_status status;

		tunnel_forward_status(tunnel, i, &status);
		if (status.state != FORWARD_UP)
			return status.reason;
	}
	return "";
}

static void sweep(struct tunnel *tunnel);
static void watch_idle(struct tunnel *tunnel);
static void look_at_routes(struct tunnel *tunnel);

/* Says a change of state once, with the reason; a flapping link is counted, not repeated. */
static void look(void *arg)
{
	struct tunnel *tunnel = arg;

	look_at_routes(tunnel);
	enum tunnel_state state = tunnel_state(tunnel);

	if (state != tunnel->said) {
		tunnel->said = state;
		tunnel->since = clock_wall();
		if (state == TUNNEL_UP) {
			log_repeat_end(&tunnel->repeat, &tunnel->log, "tunnel-down");
			log_info(&tunnel->log, "tunnel-up", "host=%s",
			    host_name(route_host(tunnel->route)));
		} else if (state == TUNNEL_STOPPED) {
			log_info(
			    &tunnel->log, "tunnel-stopped", "reason=%s", tunnel_reason(tunnel));
		} else {
			log_unless_repeated(&tunnel->repeat, LOG_LEVEL_INFO, &tunnel->log,
			    state == TUNNEL_DOWN ? "tunnel-down" : "tunnel-degraded", "reason=%s",
			    tunnel_reason(tunnel));
		}
	}
	sweep(tunnel);
	watch_idle(tunnel);
	tunnel->env.on_change(tunnel->env.arg, tunnel);
	if (tunnel->removed && list_empty(&tunnel->going))
		tunnel->env.on_removed(tunnel->env.arg, tunnel);
}

static void changed(struct tunnel *tunnel)
{
	task_schedule(&tunnel->look);
}

/* ---- on demand ---- */

size_t tunnel_stream_count(const struct tunnel *tunnel)
{
	size_t count = 0;
	struct forward_status status;

	for (size_t i = 0; i < tunnel->slot_count; i++) {
		if (!tunnel->slots[i]->forward)
			continue;
		forward_get_status(tunnel->slots[i]->forward, &status);
		count += status.streams + status.held;
	}
	LIST_FOREACH(node, &tunnel->going)
	{
		forward_get_status(CONTAINER_OF(node, struct slot, node)->forward, &status);
		count += status.streams;
	}
	return count;
}

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

static void on_idle(void *arg)
{
	struct tunnel *tunnel = arg;

	if (tunnel_stream_count(tunnel) > 0 || needs_link_always(tunnel))
		return;
	route_close(tunnel->route, 0);
	changed(tunnel);
}

static void watch_idle(struct tunnel *tunnel)
{
	if (!tunnel->running || needs_link_always(tunnel))
		return;
	if (tunnel_stream_count(tunnel) > 0)
		timer_stop(&tunnel->idle);
	else if (route_is_open(tunnel->route) && !timer_is_running(&tunnel->idle))
		timer_start(&tunnel->idle, tunnel->config->link_idle_timeout_ms);
}

/* ---- what forwards say ---- */

static struct session *pick_session(void *arg)
{
	const struct tunnel *tunnel = ((struct slot *)arg)->tunnel;
	struct session *s = route_pick_session(tunnel->route, NULL);

	return s || !tunnel->old_route ? s : route_pick_session(tunnel->old_route, NULL);
}

static void on_held(void *arg)
{
	struct slot *slot = arg;
	struct tunnel *tunnel = slot->tunnel;

	if (tunnel->running)
		route_open(tunnel->route);
	route_hurry(tunnel->route);
}

static void on_forward_change(void *arg)
{
	struct slot *slot = arg;

	changed(slot->tunnel);
}

static void on_streams(void *arg)
{
	struct slot *slot = arg;

	watch_idle(slot->tunnel);
	changed(slot->tunnel);
}

static void on_probe_result(void *arg, const char *error)
{
	struct slot *slot = arg;

	if (slot->forward)
		forward_set_target_error(slot->forward, error);
	changed(slot->tunnel);
}

/* ---- slots ---- */

static void slot_free(struct slot *slot)
{
	timer_stop(&slot->drain);
	list_remove(&slot->node);
	probe_free(slot->probe);
	forward_free(slot->forward);
	config_unref(slot->snapshot);
	free(slot);
}

/* Nothing says up that was not so a moment ago. */
static void target_is_unknown(struct slot *slot)
{
	forward_set_target_error(slot->forward, "the target has not been tried yet");
}

static bool wants_probe(const struct slot *slot)
{
	return slot->forward && slot->tunnel->config->probe == CONFIG_PROBE_TCP &&
	       slot->config->kind == CONFIG_FORWARD_LOCAL;
}

static void set_probe(struct slot *slot)
{
	struct tunnel *tunnel = slot->tunnel;
	uint64_t interval_ms = tunnel->config->probe_interval_ms;

	if (!wants_probe(slot)) {
		probe_free(slot->probe);
		slot->probe = NULL;
		if (slot->forward)
			forward_set_target_error(slot->forward, NULL);
		return;
	}
	if (slot->probe) {
		probe_set_target(slot->probe, &slot->config->to, interval_ms);
		if (!probe_has_answer(slot->probe))
			target_is_unknown(slot);
		return;
	}
	slot->probe =
	    probe_new(tunnel->env.loop, &slot->config->to, interval_ms, on_probe_result, slot);
	target_is_unknown(slot);
	probe_session(slot->probe, tunnel->session);
}

static size_t inherit(void *arg, const char *name, int fds[], size_t max)
{
	const struct tunnel_env *env = &((struct tunnel *)arg)->env;
	size_t count = handover_take(env->handover, name, fds, max);

	return count || !env->inherit ? count : env->inherit(env->inherit_arg, name, fds, max);
}

static void slot_open(struct slot *slot)
{
	static const struct forward_callbacks callbacks = {.pick_session = pick_session,
	    .on_held = on_held,
	    .on_change = on_forward_change,
	    .on_streams = on_streams};
	struct tunnel *tunnel = slot->tunnel;
	struct forward_env env = {.loop = tunnel->env.loop,
	    .resolver = tunnel->env.resolver,
	    .log = &tunnel->log,
	    .inherit = inherit,
	    .inherit_arg = tunnel};
	struct err e = ERR_INIT;

	slot->forward =
	    forward_new(&env, slot->config, tunnel->config->hold_timeout_ms, &callbacks, slot, &e);
	if (!slot->forward) {
		if (strcmp(e.text, slot->open_error.text) != 0)
			log_error(&tunnel->log, "listen-failed", "listen=%s reason=%s",
			    slot->config->listen.text, e.text);
		slot->open_error = e;
		timer_start(&tunnel->listen_retry, LISTEN_RETRY_MS);
		changed(tunnel);
		return;
	}
	err_clear(&slot->open_error);
	set_probe(slot);
	if (tunnel->session)
		forward_session_up(slot->forward, tunnel->session);
	changed(tunnel);
}

/* Open streams get drain_ms; a forward without any goes at the next look. */
static void slot_retire(struct slot *slot, uint64_t drain_ms)
{
	struct tunnel *tunnel = slot->tunnel;

	probe_free(slot->probe);
	slot->probe = NULL;
	if (!slot->forward) {
		slot_free(slot);
		return;
	}
	forward_stop_accepting(slot->forward);
	list_append(&tunnel->going, &slot->node);
	timer_start(&slot->drain, drain_ms);
	changed(tunnel);
}

static void on_drain_end(void *arg)
{
	struct slot *slot = arg;
	struct tunnel *tunnel = slot->tunnel;

	slot_free(slot);
	changed(tunnel);
}

static void sweep(struct tunnel *tunnel)
{
	LIST_FOREACH(node, &tunnel->going)
	{
		struct slot *slot = CONTAINER_OF(node, struct slot, node);
		struct forward_status status;

		forward_get_status(slot->forward, &status);
		if (status.streams == 0)
			slot_free(slot);
	}
}

static struct slot *slot_new(struct tunnel *tunnel, const struct config_forward *config)
{
	struct slot *slot = NEW(struct slot);

	slot->tunnel = tunnel;
	slot->snapshot = config_ref(tunnel->snapshot);
	slot->config = config;
	list_init(&slot->node);
	timer_init(&slot->drain, tunnel->env.loop, on_drain_end, slot);
	return slot;
}

static void on_listen_retry(void *arg)
{
	struct tunnel *tunnel = arg;

	for (size_t i = 0; i < tunnel->slot_count && tunnel->running; i++)
		if (!tunnel->slots[i]->forward)
			slot_open(tunnel->slots[i]);
}

/* ---- what the route says ---- */

static void on_route_up(void *arg, struct session *s)
{
	struct tunnel *tunnel = arg;

	if (tunnel->session == s)
		return;
	tunnel->session = s;
	for (size_t i = 0; i < tunnel->slot_count; i++) {
		struct slot *slot = tunnel->slots[i];

		if (slot->forward)
			forward_session_up(slot->forward, s);
		if (slot->probe)
			probe_session(slot->probe, s);
	}
	changed(tunnel);
}

static void no_session(struct tunnel *tunnel)
{
	tunnel->session = NULL;
	for (size_t i = 0; i < tunnel->slot_count; i++) {
		struct slot *slot = tunnel->slots[i];

		if (!slot->probe)
			continue;
		probe_session(slot->probe, NULL);
		target_is_unknown(slot);
	}
}

static void on_route_down(void *arg, struct session *s)
{
	struct tunnel *tunnel = arg;

	if (tunnel->session == s)
		no_session(tunnel);
	for (size_t i = 0; i < tunnel->slot_count; i++)
		if (tunnel->slots[i]->forward)
			forward_session_down(tunnel->slots[i]->forward, s);
	LIST_FOREACH(node, &tunnel->going)
	{
		forward_session_down(CONTAINER_OF(node, struct slot, node)->forward, s);
	}
	changed(tunnel);
}

static void on_route_change(void *arg)
{
	changed(arg);
}

static bool is_client_held(void *arg)
{
	struct tunnel *tunnel = arg;
	struct forward_status status;

	for (size_t i = 0; i < tunnel->slot_count; i++) {
		if (!tunnel->slots[i]->forward)
			continue;
		forward_get_status(tunnel->slots[i]->forward, &status);
		if (status.held)
			return true;
	}
	return false;
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

/* ---- from outside ---- */

static void make_slots(struct tunnel *tunnel)
{
	const struct config_tunnel *config = tunnel->config;

	tunnel->slot_count = config->forward_count;
	tunnel->slots = mem_array(config->forward_count, sizeof(*tunnel->slots));
	for (size_t i = 0; i < config->forward_count; i++)
		tunnel->slots[i] = slot_new(tunnel, &config->forwards[i]);
}

struct tunnel *tunnel_new(const struct tunnel_env *env, struct config *snapshot,
    const struct config_tunnel *config, struct host *const *hosts)
{
	struct tunnel *tunnel = NEW(struct tunnel);

	tunnel->env = *env;
	tunnel->snapshot = config_ref(snapshot);
	tunnel->config = config;
	tunnel->name = mem_strdup(config->name);
	tunnel->log = (struct log_context){.key = "tunnel", .value = tunnel->name};
	tunnel->since = clock_wall();
	tunnel->said = TUNNEL_STOPPED;
	list_init(&tunnel->going);
	timer_init(&tunnel->idle, env->loop, on_idle, tunnel);
	timer_init(&tunnel->listen_retry, env->loop, on_listen_retry, tunnel);
	task_init(&tunnel->look, env->loop, look, tunnel);
	tunnel->route = make_route(tunnel, hosts);
	make_slots(tunnel);
	if (config->enabled)
		tunnel_start(tunnel);
	return tunnel;
}

void tunnel_free(struct tunnel *tunnel)
{
	if (!tunnel)
		return;
	timer_stop(&tunnel->idle);
	timer_stop(&tunnel->listen_retry);
	for (size_t i = 0; i < tunnel->slot_count; i++)
		slot_free(tunnel->slots[i]);
	LIST_FOREACH(node, &tunnel->going)
	{
		slot_free(CONTAINER_OF(node, struct slot, node));
	}
	route_free(tunnel->old_route);
	route_free(tunnel->route);
	task_cancel(&tunnel->look);
	free(tunnel->slots);
	free(tunnel->name);
	config_unref(tunnel->snapshot);
	free(tunnel);
}

void tunnel_start(struct tunnel *tunnel)
{
	if (tunnel->running || tunnel->removed)
		return;
	tunnel->running = true;
	for (size_t i = 0; i < tunnel->slot_count; i++)
		if (!tunnel->slots[i]->forward)
			slot_open(tunnel->slots[i]);
	if (needs_link_always(tunnel))
		route_open(tunnel->route);
	changed(tunnel);
}

void tunnel_stop(struct tunnel *tunnel, uint64_t drain_ms)
{
	if (!tunnel->running)
		return;
	tunnel->running = false;
	timer_stop(&tunnel->idle);
	timer_stop(&tunnel->listen_retry);
	for (size_t i = 0; i < tunnel->slot_count; i++)
		slot_retire(tunnel->slots[i], drain_ms);
	free(tunnel->slots);
	make_slots(tunnel);
	/* Other tunnels may share the link; if not, it drains along with the streams. */
	close_old_route(tunnel, drain_ms);
	route_close(tunnel->route, drain_ms);
	changed(tunnel);
}

static bool every_forward(void *arg, const struct config_forward *forward)
{
	(void)arg;
	(void)forward;
	return true;
}

void tunnel_restart(struct tunnel *tunnel, uint64_t drain_ms)
{
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

void tunnel_remove(struct tunnel *tunnel, uint64_t drain_ms)
{
	tunnel_stop(tunnel, drain_ms);
	tunnel->removed = true;
	changed(tunnel);
}

void tunnel_retry_now(struct tunnel *tunnel)
{
	route_retry_now(tunnel->route);
	on_listen_retry(tunnel);
}

/* ---- a new configuration ---- */

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_place(const struct config_forward *a, const struct config_forward *b)
{
	return strcmp(a->listen.text, b->listen.text) == 0;
}

/* The listener that is open serves the new configuration as it is. */
static bool same_listener(const struct config_forward *a, const struct config_forward *b)
{
	return a->kind == b->kind && same_place(a, b) && a->mode == b->mode &&
	       same_text(a->owner, b->owner) && same_text(a->group, b->group);
}

static struct slot *take_slot(
    struct slot **slots, size_t count, const struct config_forward *config)
{
	for (size_t i = 0; i < count; i++) {
		struct slot *slot = slots[i];

		if (slot && same_listener(slot->config, config)) {
			slots[i] = NULL;
			return slot;
		}
	}
	return NULL;
}

static void slot_set_config(struct slot *slot, const struct config_forward *config)
{
	struct tunnel *tunnel = slot->tunnel;
	struct config *before = slot->snapshot;

	slot->snapshot = config_ref(tunnel->snapshot);
	slot->config = config;
	if (slot->forward) {
		forward_set_config(slot->forward, config, tunnel->config->hold_timeout_ms);
		set_probe(slot);
	}
	config_unref(before);
}

static void set_slots(struct tunnel *tunnel, uint64_t drain_ms)
{
	const struct config_tunnel *config = tunnel->config;
	struct slot **before = tunnel->slots;
	size_t before_count = tunnel->slot_count;

	tunnel->slots = mem_array(config->forward_count, sizeof(*tunnel->slots));
	tunnel->slot_count = config->forward_count;
	for (size_t i = 0; i < config->forward_count; i++) {
		struct slot *slot = take_slot(before, before_count, &config->forwards[i]);

		tunnel->slots[i] = slot ? slot : slot_new(tunnel, &config->forwards[i]);
		if (slot)
			slot_set_config(slot, &config->forwards[i]);
	}
	/* Two cannot listen at one place: there the old one goes first. */
	for (size_t i = 0; i < before_count; i++) {
		for (size_t k = 0; before[i] && k < tunnel->slot_count; k++) {
			if (same_place(before[i]->config, tunnel->slots[k]->config)) {
				slot_retire(before[i], drain_ms);
				before[i] = NULL;
			}
		}
	}
	/* Elsewhere the new listeners come first: a client never sees neither. */
	for (size_t i = 0; i < tunnel->slot_count && tunnel->running; i++)
		if (!tunnel->slots[i]->forward)
			slot_open(tunnel->slots[i]);
	for (size_t i = 0; i < before_count; i++)
		if (before[i])
			slot_retire(before[i], drain_ms);
	free(before);
}

static bool same_hosts(const struct config_tunnel *a, const struct config_tunnel *b)
{
	if (a->via.n != b->via.n)
		return false;
	for (size_t i = 0; i < a->via.n; i++)
		if (strcmp(a->via.v[i], b->via.v[i]) != 0)
			return false;
	return true;
}

/* The hosts that both routes have keep their link: wanted by the new one before the old one lets go. */
static void set_route(struct tunnel *tunnel, struct host *const *hosts)
{
	bool was_open = route_is_open(tunnel->route);

	close_old_route(tunnel, tunnel->snapshot->drain_timeout_ms);
	tunnel->old_route = tunnel->route;
	tunnel->route = make_route(tunnel, hosts);
	if (was_open)
		route_open(tunnel->route);
	look_at_routes(tunnel);
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
	set_slots(tunnel, drain_ms);
	/* `adit stop` and `adit start` hold until the file itself says something else. */
	if (config->enabled && !was_enabled)
		tunnel_start(tunnel);
	else if (!config->enabled && was_enabled)
		tunnel_stop(tunnel, drain_ms);
	if (tunnel->running && needs_link_always(tunnel))
		route_open(tunnel->route);
	timer_stop(&tunnel->idle); /* its time may have changed */
	watch_idle(tunnel);
	config_unref(before);
	changed(tunnel);
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

time_t tunnel_since(const struct tunnel *tunnel)
{
	return tunnel->since;
}

const struct host *tunnel_host(const struct tunnel *tunnel)
{
	return route_host(tunnel->route);
}

size_t tunnel_forward_count(const struct tunnel *tunnel)
{
	return tunnel->slot_count;
}

void tunnel_leave_sockets(struct tunnel *tunnel)
{
	for (size_t i = 0; i < tunnel_forward_count(tunnel); i++) {
		struct forward *forward = tunnel->slots[i]->forward;
		int fds[LISTENER_FDS_MAX];
		size_t count = forward ? forward_hand_over(forward, fds) : 0;

		for (size_t k = 0; k < count; k++)
			close(fds[k]);
	}
}

const struct forward *tunnel_forward(const struct tunnel *tunnel, size_t index)
{
	return tunnel->slots[index]->forward;
}
