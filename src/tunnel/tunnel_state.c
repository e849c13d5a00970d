/*
 * How a tunnel is, from what is so: its forwards, and the link that they wait for.
 */
#include "tunnel/backoff.h"
#include "tunnel/tunnel_private.h"

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

static enum forward_state closed_state(const struct slot *slot, const char **ret_reason)
{
	const struct tunnel *tunnel = slot->tunnel;

	if (err_is_set(&slot->open_error)) {
		*ret_reason = slot->open_error.text;
		return FORWARD_FAILED;
	}
	*ret_reason = tunnel->running ? "its listener is not open yet" : tunnel->why_stopped;
	return FORWARD_WAITING;
}

/* The first client would be carried at once, over the link that another tunnel keeps. */
static bool is_up_for_others(const struct slot *slot)
{
	return waits_for_demand(slot->tunnel) && !slot->probe &&
	       host_is_up(route_host(slot->tunnel->route));
}

static enum forward_state slot_state(const struct slot *slot, const char **ret_reason)
{
	const struct tunnel *tunnel = slot->tunnel;
	const struct link *link = host_link(route_host(tunnel->route));

	if (!slot->forward)
		return closed_state(slot, ret_reason);
	enum forward_state state = forward_state(slot->forward, ret_reason);
	if (state == FORWARD_UP || tunnel->session)
		return state;
	if (is_up_for_others(slot)) {
		*ret_reason = "";
		return FORWARD_UP;
	}
	/* It waits for the link: the link's reason is the one that helps. */
	*ret_reason = waits_for_demand(tunnel) && !err_is_set(link_reason(link))
			  ? "the link is made by the first client (connect = \"on-demand\")"
			  : link_why(link);
	return backoff_needs_person(link_reason(link)->class) ? FORWARD_FAILED : state;
}

void tunnel_forward_status(
    const struct tunnel *tunnel, size_t index, struct forward_status *ret_status)
{
	const struct slot *slot = tunnel->slots[index];

	*ret_status = (struct forward_status){.kind = slot->config->kind,
	    .listen = slot->config->listen.text,
	    .to = slot->config->to.text ? slot->config->to.text : ""};
	if (slot->forward)
		forward_get_status(slot->forward, ret_status);
	ret_status->state = slot_state(slot, &ret_status->reason);
	slots_add_past(tunnel, slot, &ret_status->counts);
}

uint64_t tunnel_next_try_ms(const struct tunnel *tunnel, size_t index)
{
	const struct slot *slot = tunnel->slots[index];

	if (!slot->forward)
		return timer_left_ms(&tunnel->listen_retry);
	return tunnel->session ? forward_next_try_ms(slot->forward)
			       : host_next_try_ms(route_host(tunnel->route));
}

enum tunnel_state tunnel_state(const struct tunnel *tunnel)
{
	size_t up = 0;

	if (!tunnel->running)
		return TUNNEL_STOPPED;
	for (size_t i = 0; i < tunnel->slot_count; i++) {
		const char *reason;

		up += slot_state(tunnel->slots[i], &reason) == FORWARD_UP;
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

bool tunnel_is_wanted(const struct tunnel *tunnel)
{
	enum tunnel_state state = tunnel_state(tunnel);

	return state == TUNNEL_UP || (state != TUNNEL_STOPPED && !tunnel_is_ready(tunnel));
}

bool tunnel_hinders_readiness(const struct tunnel *tunnel)
{
	return tunnel->config->required && tunnel_state(tunnel) != TUNNEL_STOPPED &&
	       !tunnel_is_ready(tunnel);
}

const char *tunnel_reason(const struct tunnel *tunnel)
{
	if (!tunnel->running)
		return tunnel->why_stopped;
	for (size_t i = 0; i < tunnel->slot_count; i++) {
		const char *reason;

		if (slot_state(tunnel->slots[i], &reason) != FORWARD_UP)
			return reason;
	}
	return "";
}
