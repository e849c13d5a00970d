#include "tunnel/host.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* A link and the snapshot that its configuration stands in. */
struct slot {
	struct list node; /* in old */
	struct host *host;
	struct link *link;
	struct config *snapshot;
	bool
	    old; /* replaced: it serves until its successor is up, then it drains, and is never tried again */
};

struct host {
	struct link_env env;
	struct config *snapshot;
	const struct config_host *config;
	char *name;
	struct log_context log;
	struct slot **slots; /* the present ones */
	size_t slot_count;
	struct list old;
	struct list users;
	struct host *via;
	struct host_user via_user;
	uint64_t drain_ms; /* for old links */
	struct task sweep; /* frees old links that have stopped */
	void (*on_rest)(void *arg);
	void *rest_arg;
};

static void slot_free(struct slot *slot)
{
	link_free(slot->link);
	list_remove(&slot->node);
	config_unref(slot->snapshot);
	free(slot);
}

/* ---- what links say ---- */

static void tell_change(struct host *host)
{
	LIST_FOREACH(node, &host->users)
	{
		struct host_user *user = CONTAINER_OF(node, struct host_user, node);

		user->on_change(user->arg);
	}
}

static void on_link_change(void *arg, struct link *link)
{
	struct slot *slot = arg;
	struct host *host = slot->host;

	if (slot->old && (link_state(link) == LINK_WAITING || link_state(link) == LINK_STOPPED))
		task_schedule(&host->sweep);
	tell_change(host);
	if (link_state(link) == LINK_IDLE && host_is_at_rest(host))
		host->on_rest(host->rest_arg);
}

static bool all_present_up(const struct host *host)
{
	for (size_t i = 0; i < host->slot_count; i++)
		if (link_state(host->slots[i]->link) != LINK_UP)
			return false;
	return true;
}

static void on_session_up(void *arg, struct session *s)
{
	struct slot *slot = arg;
	struct host *host = slot->host;

	LIST_FOREACH(node, &host->users)
	{
		struct host_user *user = CONTAINER_OF(node, struct host_user, node);

		user->on_session_up(user->arg, s);
	}
	if (!all_present_up(host))
		return;
	LIST_FOREACH(node, &host->old)
	{
		link_drain(
		    CONTAINER_OF(node, struct slot, node)->link, host->drain_ms, LINK_STOPPED);
	}
}

static void on_session_down(void *arg, struct session *s)
{
	struct slot *slot = arg;

	LIST_FOREACH(node, &slot->host->users)
	{
		struct host_user *user = CONTAINER_OF(node, struct host_user, node);

		user->on_session_down(user->arg, s);
	}
}

static struct session *via_session(void *arg, struct err *reason)
{
	struct slot *slot = arg;
	struct host *via = slot->host->via;

	if (!via) {
		err_set(reason, ERR_CONFIG, "it is not defined any more");
		return NULL;
	}
	return host_pick_session(via, reason);
}

static bool is_client_held(void *arg)
{
	struct slot *slot = arg;

	LIST_FOREACH(node, &slot->host->users)
	{
		struct host_user *user = CONTAINER_OF(node, struct host_user, node);

		if (user->is_client_held(user->arg))
			return true;
	}
	return false;
}

/* ---- links ---- */

static void replace(struct host *host, size_t index);

static void on_expiring(void *arg, struct link *link)
{
	struct slot *slot = arg;
	struct host *host = slot->host;

	(void)link;
	for (size_t i = 0; i < host->slot_count; i++)
		if (host->slots[i] == slot)
			replace(host, i);
}

static struct slot *slot_new(struct host *host)
{
	static const struct link_callbacks callbacks = {.on_change = on_link_change,
	    .on_session_up = on_session_up,
	    .on_session_down = on_session_down,
	    .via_session = via_session,
	    .on_expiring = on_expiring,
	    .is_client_held = is_client_held};
	struct slot *slot = NEW(struct slot);

	list_init(&slot->node);
	slot->host = host;
	slot->snapshot = config_ref(host->snapshot);
	slot->link = link_new(&host->env, host->config, &host->log, &callbacks, slot);
	return slot;
}

static bool is_wanted(const struct host *host)
{
	return !list_empty(&host->users);
}

static void retire(struct host *host, struct slot *slot)
{
	slot->old = true;
	list_append(&host->old, &slot->node);
	if (link_state(slot->link) != LINK_UP)
		link_drain(slot->link, 0, LINK_STOPPED);
	task_schedule(&host->sweep);
}

/* A new link in the place of the present one, which serves until the new one is up. */
static void replace(struct host *host, size_t index)
{
	struct slot *before = host->slots[index];

	host->slots[index] = slot_new(host);
	retire(host, before);
	if (is_wanted(host))
		link_start(host->slots[index]->link);
}

static void sweep(void *arg)
{
	struct host *host = arg;

	LIST_FOREACH(node, &host->old)
	{
		struct slot *slot = CONTAINER_OF(node, struct slot, node);
		enum link_state state = link_state(slot->link);

		/* Lost while its successor was not up yet: the successor is tried, not this one. */
		if (state == LINK_STOPPED || state == LINK_IDLE || state == LINK_WAITING)
			slot_free(slot);
	}
	if (host_is_at_rest(host))
		host->on_rest(host->rest_arg);
}

static void set_slot_count(struct host *host, size_t count)
{
	while (host->slot_count > count)
		retire(host, host->slots[--host->slot_count]);
	host->slots = mem_grow(host->slots, count, sizeof(*host->slots));
	while (host->slot_count < count) {
		host->slots[host->slot_count] = slot_new(host);
		host->slot_count++;
	}
}

/* ---- the jump host below is a host that we want ---- */

static void on_via_up(void *arg, struct session *s)
{
	struct host *host = arg;

	(void)s;
	for (size_t i = 0; i < host->slot_count; i++)
		link_via_up(host->slots[i]->link);
}

static void on_via_down(void *arg, struct session *s)
{
	/* Our links notice by themselves: their channel ends with the session. */
	(void)arg;
	(void)s;
}

static void on_via_change(void *arg)
{
	tell_change(arg); /* our reason names the state below */
}

static bool is_client_held_above(void *arg)
{
	struct host *host = arg;

	return host->slot_count && is_client_held(host->slots[0]);
}

/* ---- from outside ---- */

struct host *host_new(const struct link_env *env, struct config *snapshot,
    const struct config_host *config, struct host *via, void (*on_rest)(void *arg), void *arg)
{
	struct host *host = NEW(struct host);

	host->env = *env;
	host->snapshot = config_ref(snapshot);
	host->config = config;
	host->name = mem_strdup(config->name);
	host->log = (struct log_context){.key = "host", .value = host->name};
	list_init(&host->old);
	list_init(&host->users);
	host->via = via;
	host->on_rest = on_rest;
	host->rest_arg = arg;
	host->via_user = (struct host_user){.on_session_up = on_via_up,
	    .on_session_down = on_via_down,
	    .on_change = on_via_change,
	    .is_client_held = is_client_held_above,
	    .arg = host};
	list_init(&host->via_user.node);
	task_init(&host->sweep, env->loop, sweep, host);
	set_slot_count(host, config->connections);
	return host;
}

void host_stop(struct host *host)
{
	task_cancel(&host->sweep);
	for (size_t i = 0; i < host->slot_count; i++)
		slot_free(host->slots[i]);
	host->slot_count = 0;
	LIST_FOREACH(node, &host->old)
	{
		slot_free(CONTAINER_OF(node, struct slot, node));
	}
	host_unwant(&host->via_user, 0);
}

void host_free(struct host *host)
{
	if (!host)
		return;
	host_stop(host);
	free(host->slots);
	free(host->name);
	config_unref(host->snapshot);
	free(host);
}

bool host_is_at_rest(const struct host *host)
{
	if (is_wanted(host) || !list_empty(&host->old))
		return false;
	for (size_t i = 0; i < host->slot_count; i++)
		if (link_state(host->slots[i]->link) != LINK_IDLE)
			return false;
	return true;
}

void host_want(struct host *host, struct host_user *user)
{
	if (user->host == host)
		return;
	user->host = host;
	list_append(&host->users, &user->node);
	if (host->via)
		host_want(host->via, &host->via_user);
	for (size_t i = 0; i < host->slot_count; i++)
		link_start(host->slots[i]->link);
}

void host_unwant(struct host_user *user, uint64_t drain_ms)
{
	struct host *host = user->host;

	if (!host)
		return;
	user->host = NULL;
	list_remove(&user->node);
	if (is_wanted(host))
		return;
	for (size_t i = 0; i < host->slot_count; i++)
		link_drain(host->slots[i]->link, drain_ms, LINK_IDLE);
	host_unwant(&host->via_user, drain_ms);
}

void host_set_config(struct host *host, struct config *snapshot, const struct config_host *config,
    struct host *via, enum host_change change, uint64_t drain_ms)
{
	struct config *before = host->snapshot;

	host->snapshot = config_ref(snapshot);
	host->config = config;
	host->drain_ms = drain_ms;
	if (host->via != via) {
		/* Old links keep their channel; new ones go through the new jump host. */
		host_unwant(&host->via_user, drain_ms);
		host->via = via;
		if (via && is_wanted(host))
			host_want(via, &host->via_user);
	}
	for (size_t i = 0; i < host->slot_count; i++) {
		struct slot *slot = host->slots[i];

		if (change == HOST_CHANGE_RECONNECTS) {
			replace(host, i);
			continue;
		}
		link_set_config(slot->link, config);
		config_unref(slot->snapshot);
		slot->snapshot = config_ref(snapshot);
	}
	size_t count = host->slot_count;
	set_slot_count(host, config->connections);
	for (size_t i = count; i < host->slot_count && is_wanted(host); i++)
		link_start(host->slots[i]->link);
	config_unref(before);
}

/* ---- what one can see ---- */

static struct session *usable_session(const struct slot *slot)
{
	return link_takes_streams(slot->link) ? link_session(slot->link) : NULL;
}

struct session *host_pick_session(const struct host *host, struct err *reason)
{
	struct session *best = NULL;

	for (size_t i = 0; i < host->slot_count; i++) {
		struct session *s = usable_session(host->slots[i]);

		if (s && (!best || session_channel_count(s) < session_channel_count(best)))
			best = s;
	}
	if (best)
		return best;
	LIST_FOREACH(node, &host->old)
	{
		best = usable_session(CONTAINER_OF(node, struct slot, node));
		if (best)
			return best;
	}
	const struct err *why = link_reason(host_link(host));
	if (err_is_set(why))
		err_set(reason, why->class, "%s: %s", host->name, why->text);
	else
		err_set(reason, ERR_NETWORK, "%s is %s", host->name,
		    link_state_name(link_state(host_link(host))));
	return NULL;
}

bool host_is_up(const struct host *host)
{
	return host_pick_session(host, NULL) != NULL;
}

bool host_has_failed(const struct host *host)
{
	return !host_is_up(host) && err_is_set(link_reason(host_link(host)));
}

void host_retry_now(struct host *host)
{
	for (size_t i = 0; i < host->slot_count; i++)
		link_retry_now(host->slots[i]->link);
}

void host_hurry(struct host *host)
{
	for (size_t i = 0; i < host->slot_count; i++)
		link_hurry(host->slots[i]->link);
	if (host->via && !host_is_up(host->via))
		host_hurry(host->via);
}

void host_check(struct host *host, uint64_t deadline_ms)
{
	for (size_t i = 0; i < host->slot_count; i++)
		link_check(host->slots[i]->link, deadline_ms);
	LIST_FOREACH(node, &host->old)
	{
		link_check(CONTAINER_OF(node, struct slot, node)->link, deadline_ms);
	}
}

const char *host_name(const struct host *host)
{
	return host->name;
}

const struct config_host *host_config(const struct host *host)
{
	return host->config;
}

/* How much each state says about the host as a whole. */
static unsigned rank(enum link_state state)
{
	switch (state) {
	case LINK_UP:
		return 8;
	case LINK_LOGIN:
		return 7;
	case LINK_HANDSHAKE:
		return 6;
	case LINK_CONNECTING:
		return 5;
	case LINK_RESOLVING:
		return 4;
	case LINK_WAITING:
		return 3;
	case LINK_DRAINING:
		return 2;
	case LINK_IDLE:
		return 1;
	case LINK_STOPPED:
		return 0;
	}
	return 0;
}

const struct link *host_link(const struct host *host)
{
	const struct link *best = host->slots[0]->link;

	for (size_t i = 1; i < host->slot_count; i++)
		if (rank(link_state(host->slots[i]->link)) > rank(link_state(best)))
			best = host->slots[i]->link;
	return best;
}

size_t host_link_count(const struct host *host)
{
	return host->slot_count;
}

const struct link *host_link_at(const struct host *host, size_t index)
{
	return host->slots[index]->link;
}
