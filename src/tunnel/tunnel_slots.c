/*
 * The forwards of a tunnel, a slot each: opened, opened again, probed, changed by a reload, and drained when they go.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/minmax.h"
#include "config/endpoint.h"
#include "config/keys.h"
#include "tunnel/probe.h"
#include "tunnel/tunnel_private.h"

/* Between the tries to open a listener: the place may be taken by our own old one, which is about to go (another tunnel's, or one
 * that systemd still keeps for us), or by somebody who stays. */
enum { LISTEN_RETRY_MIN_MS = 100, LISTEN_RETRY_MAX_MS = 5000 };

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

	tunnel_changed(slot->tunnel);
}

static void on_streams(void *arg)
{
	struct slot *slot = arg;

	tunnel_watch_idle(slot->tunnel);
	tunnel_changed(slot->tunnel);
}

static void on_probe_result(void *arg, const char *error)
{
	struct slot *slot = arg;

	if (slot->forward)
		forward_set_target_error(slot->forward, error);
	tunnel_changed(slot->tunnel);
}

/* ---- one ---- */

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
		timer_start(&tunnel->listen_retry, tunnel->listen_wait_ms);
		tunnel_changed(tunnel);
		return;
	}
	err_clear(&slot->open_error);
	set_probe(slot);
	if (tunnel->session)
		forward_session_up(slot->forward, tunnel->session);
	tunnel_changed(tunnel);
}

/* ---- what they carried ---- */

static bool same_place(const struct config_forward *a, const struct config_forward *b)
{
	return strcmp(a->listen.text, b->listen.text) == 0;
}

static bool overlap(const struct config_endpoint *a, const struct config_endpoint *b)
{
	struct config_endpoint normal_a = endpoint_normal(a), normal_b = endpoint_normal(b);
	bool is = endpoint_overlap(&normal_a, &normal_b);

	endpoint_clear(&normal_a);
	endpoint_clear(&normal_b);
	return is;
}

static bool in_the_way(const struct config_forward *old, const struct config_forward *new)
{
	if (forward_is_near(old) != forward_is_near(new))
		return false;
	return same_place(old, new) ||
	       (forward_is_near(old) && overlap(&old->listen, &new->listen));
}

static bool comes_after(const struct slot *slot, const struct slot *before)
{
	return slot->config->kind == before->config->kind &&
	       same_place(slot->config, before->config);
}

/* Of this one alone. */
static void count(const struct slot *slot, struct forward_counts *sum)
{
	struct forward_status status;

	forward_counts_add(sum, &slot->past);
	if (!slot->forward)
		return;
	forward_get_status(slot->forward, &status);
	forward_counts_add(sum, &status.counts);
}

void slots_add_past(
    const struct tunnel *tunnel, const struct slot *slot, struct forward_counts *counts)
{
	forward_counts_add(counts, &slot->past);
	LIST_FOREACH(node, &tunnel->going)
	{
		const struct slot *before = CONTAINER_OF(node, struct slot, node);

		if (before->heir == slot)
			count(before, counts);
	}
}

void tunnel_get_counts(const struct tunnel *tunnel, struct forward_counts *ret_counts)
{
	*ret_counts = tunnel->past;
	for (size_t i = 0; i < tunnel->slot_count; i++)
		count(tunnel->slots[i], ret_counts);
	LIST_FOREACH(node, &tunnel->going)
	count(CONTAINER_OF(node, struct slot, node), ret_counts);
}

void tunnel_get_load(const struct tunnel *tunnel, struct forward_load *ret_load)
{
	*ret_load = (struct forward_load){0};
	for (size_t i = 0; i < tunnel->slot_count; i++)
		if (tunnel->slots[i]->forward)
			forward_load_add(ret_load, tunnel->slots[i]->forward);
	LIST_FOREACH(node, &tunnel->going)
	forward_load_add(ret_load, CONTAINER_OF(node, struct slot, node)->forward);
}

/* Its totals stay. */
static void bequeath(const struct slot *slot)
{
	struct forward_counts counts = {0};

	count(slot, &counts);
	counts.streams = counts.held = 0;
	forward_counts_add(slot->heir ? &slot->heir->past : &slot->tunnel->past, &counts);
}

/* What left its totals to slot leaves them to slot's heir. */
static void pass_on(const struct slot *slot)
{
	LIST_FOREACH(node, &slot->tunnel->going)
	{
		struct slot *before = CONTAINER_OF(node, struct slot, node);

		if (before->heir == slot)
			before->heir = slot->heir;
	}
}

/* ---- going ---- */

static void slot_end(struct slot *slot)
{
	bequeath(slot);
	slot_free(slot);
}

/* It is not in tunnel->slots any more. Open streams get drain_ms; a forward without any goes at the next look. heir: what comes
 * after it; NULL: nothing. */
static void slot_retire(struct slot *slot, struct slot *heir, uint64_t drain_ms)
{
	struct tunnel *tunnel = slot->tunnel;

	slot->heir = heir;
	pass_on(slot);
	probe_free(slot->probe);
	slot->probe = NULL;
	if (!slot->forward) {
		slot_end(slot);
		return;
	}
	forward_stop_accepting(slot->forward);
	list_append(&tunnel->going, &slot->node);
	timer_start(&slot->drain, drain_ms);
	tunnel_changed(tunnel);
}

static void on_drain_end(void *arg)
{
	struct slot *slot = arg;
	struct tunnel *tunnel = slot->tunnel;

	slot_end(slot);
	tunnel_changed(tunnel);
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

/* ---- all of a tunnel ---- */

static void open_closed(struct tunnel *tunnel)
{
	for (size_t i = 0; i < tunnel->slot_count && tunnel->running; i++)
		if (!tunnel->slots[i]->forward)
			slot_open(tunnel->slots[i]);
}

void slots_open_closed(struct tunnel *tunnel)
{
	tunnel->listen_wait_ms = LISTEN_RETRY_MIN_MS;
	open_closed(tunnel);
}

static void on_listen_retry(void *arg)
{
	struct tunnel *tunnel = arg;

	tunnel->listen_wait_ms = min(2 * tunnel->listen_wait_ms, LISTEN_RETRY_MAX_MS);
	open_closed(tunnel);
}

static void make_slots(struct tunnel *tunnel)
{
	const struct config_tunnel *config = tunnel->config;

	tunnel->slot_count = config->forward_count;
	tunnel->slots = mem_array(config->forward_count, sizeof(*tunnel->slots));
	for (size_t i = 0; i < config->forward_count; i++)
		tunnel->slots[i] = slot_new(tunnel, &config->forwards[i]);
}

void slots_init(struct tunnel *tunnel)
{
	list_init(&tunnel->going);
	timer_init(&tunnel->listen_retry, tunnel->env.loop, on_listen_retry, tunnel);
	make_slots(tunnel);
}

void slots_free(struct tunnel *tunnel)
{
	timer_stop(&tunnel->listen_retry);
	for (size_t i = 0; i < tunnel->slot_count; i++)
		slot_free(tunnel->slots[i]);
	LIST_FOREACH(node, &tunnel->going)
	{
		slot_free(CONTAINER_OF(node, struct slot, node));
	}
	free(tunnel->slots);
}

void slots_retire(struct tunnel *tunnel, uint64_t drain_ms)
{
	struct slot **before = tunnel->slots;
	size_t count = tunnel->slot_count;

	timer_stop(&tunnel->listen_retry);
	make_slots(tunnel);
	for (size_t i = 0; i < count; i++)
		slot_retire(before[i], tunnel->slots[i], drain_ms);
	free(before);
}

void slots_limit_drain(struct tunnel *tunnel, uint64_t drain_ms)
{
	LIST_FOREACH(node, &tunnel->going)
	{
		struct slot *slot = CONTAINER_OF(node, struct slot, node);

		if (timer_left_ms(&slot->drain) > drain_ms)
			timer_start(&slot->drain, drain_ms);
	}
}

void slots_sweep(struct tunnel *tunnel)
{
	LIST_FOREACH(node, &tunnel->going)
	{
		struct slot *slot = CONTAINER_OF(node, struct slot, node);
		struct forward_load load = {0};

		forward_load_add(&load, slot->forward);
		if (load.streams == 0)
			slot_end(slot);
	}
}

/* ---- the link ---- */

void slots_session_up(struct tunnel *tunnel, struct session *s)
{
	for (size_t i = 0; i < tunnel->slot_count; i++) {
		struct slot *slot = tunnel->slots[i];

		if (slot->forward)
			forward_session_up(slot->forward, s);
		if (slot->probe)
			probe_session(slot->probe, s);
	}
}

static void probes_without_session(struct tunnel *tunnel)
{
	for (size_t i = 0; i < tunnel->slot_count; i++) {
		struct slot *slot = tunnel->slots[i];

		if (!slot->probe)
			continue;
		probe_session(slot->probe, NULL);
		target_is_unknown(slot);
	}
}

void slots_session_down(struct tunnel *tunnel, struct session *s)
{
	if (!tunnel->session)
		probes_without_session(tunnel);
	for (size_t i = 0; i < tunnel->slot_count; i++)
		if (tunnel->slots[i]->forward)
			forward_session_down(tunnel->slots[i]->forward, s);
	LIST_FOREACH(node, &tunnel->going)
	{
		forward_session_down(CONTAINER_OF(node, struct slot, node)->forward, s);
	}
}

/* ---- a new configuration ---- */

/* The listener that is open serves the new configuration as it is. */
static bool same_listener(const struct config_forward *a, const struct config_forward *b)
{
	return a->kind == b->kind && same_place(a, b) && forward_same_access(a, b);
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

void slots_set_config(struct tunnel *tunnel, uint64_t drain_ms)
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
	/* Two cannot listen at one place, nor at one and at all: there the old one goes first. */
	for (size_t i = 0; i < before_count; i++) {
		for (size_t k = 0; before[i] && k < tunnel->slot_count; k++) {
			struct slot *new = tunnel->slots[k];

			if (!in_the_way(before[i]->config, new->config))
				continue;
			slot_retire(before[i], comes_after(new, before[i]) ? new : NULL, drain_ms);
			before[i] = NULL;
		}
	}
	/* Elsewhere the new listeners come first: a client never sees neither. */
	slots_open_closed(tunnel);
	for (size_t i = 0; i < before_count; i++)
		if (before[i])
			slot_retire(before[i], NULL, drain_ms);
	free(before);
}
