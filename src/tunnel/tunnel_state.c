/*
 * How a tunnel is, from what is so: its forwards, and the link that they wait for.
 */
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

/* Without what was in its place before. */
static void describe(
    const struct tunnel *tunnel, const struct slot *slot, struct forward_status *ret_status)
{
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

void tunnel_forward_status(
    const struct tunnel *tunnel, size_t index, struct forward_status *ret_status)
{
	describe(tunnel, tunnel->slots[index], ret_status);
	slots_add_past(tunnel, tunnel->slots[index], &ret_status->counts);
}

enum tunnel_state tunnel_state(const struct tunnel *tunnel)
{
	size_t up = 0;

	if (!tunnel->running)
		return TUNNEL_STOPPED;
	for (size_t i = 0; i < tunnel->slot_count; i++) {
		struct forward_status status;

		describe(tunnel, tunnel->slots[i], &status);
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
		struct forward_status status;

		describe(tunnel, tunnel->slots[i], &status);
		if (status.state != FORWARD_UP)
			return status.reason;
	}
	return "";
}

size_t tunnel_stream_count(const struct tunnel *tunnel)
{
	struct forward_counts counts;

	tunnel_get_counts(tunnel, &counts);
	return counts.streams + counts.held;
}
