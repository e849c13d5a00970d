#include "tunnel/host.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tunnel/host_users.h"

enum { DRAIN_EXPIRING_MAX_MS = 600000 };

/* A link and its place in the host. It wants the jump host for itself, so that what runs below an old link
 * stays until that has ended. */
struct slot {
	struct list node; /* in old */
	struct host *host;
	struct link *link;
	struct host *via;
	struct host_user via_user;
	unsigned made_by;     /* host->replacements when it was made, */
	unsigned replaced_by; /* and when it became old */
	/* Replaced: it serves until its successor is up, then it drains, and is never tried again. */
	bool old;
};

struct host {
	struct link_env env;
	struct config *snapshot;
	const struct config_host *config;
	char *name;
	struct link_log log;
	struct slot **slots; /* the present ones */
	size_t slot_count;
	struct list old;
	struct host_users users, watchers;
	unsigned keepers;
	struct host *via;      /* of new links */
	uint64_t drain_ms;     /* for old links */
	unsigned replacements; /* reasons so far to replace links; one may be for several */
	const struct session *via_left; /* the jump that was left last; compared, not used */
	struct task sweep;              /* what has ended */
	struct host_counts past;        /* of links that are gone */
	void (*on_rest)(void *arg);
	void *rest_arg;
};

static bool is_wanted(const struct host *host)
{
	return !host_users_empty(&host->users);
}

/* ---- what links say ---- */

static bool all_present_tried(const struct host *host)
{
	for (size_t i = 0; i < host->slot_count; i++) {
		const struct link *link = host->slots[i]->link;

		if (!link_takes_streams(link) && !link_has_failed(link))
			return false;
	}
	return true;
}

/* Is one up that came for the reason that made this one old, or later? One that is older proves nothing: it may have the same
 * settings, or the same certificate. Where all are up none is missing. */
static bool is_succeeded(const struct slot *old)
{
	const struct host *host = old->host;
	bool any = false, all = true;

	for (size_t i = 0; i < host->slot_count; i++) {
		bool up = link_takes_streams(host->slots[i]->link);

		any = any || (up && host->slots[i]->made_by >= old->replaced_by);
		all = all && up;
	}
	return any || all;
}

/* Streams of a link that makes room for a newer certificate may stay as long as the old one is good. */
static uint64_t old_drain_ms(const struct slot *slot)
{
	uint64_t end = link_expires(slot->link), now = (uint64_t)clock_wall();
	uint64_t left_ms = end != UINT64_MAX && end > now ? (end - now) * 1000 : 0;

	return left_ms > slot->host->drain_ms && left_ms <= DRAIN_EXPIRING_MAX_MS
		   ? left_ms
		   : slot->host->drain_ms;
}

/* Make before break: not before each of the present links is up or has failed. Those that failed are not waited for: a server that
 * admits fewer of them may do so because of the old ones. */
static void drain_old(struct host *host)
{
	if (list_empty(&host->old) || !all_present_tried(host))
		return;
	LIST_FOREACH(node, &host->old)
	{
		struct slot *slot = CONTAINER_OF(node, struct slot, node);

		if (link_state(slot->link) == LINK_UP && is_succeeded(slot))
			link_drain(slot->link, old_drain_ms(slot), LINK_STOPPED);
	}
}

static void on_link_change(void *arg, struct link *link)
{
	struct slot *slot = arg;
	struct host *host = slot->host;
	enum link_state state = link_state(link);

	if (slot->old || state == LINK_IDLE)
		task_schedule(&host->sweep);
	else
		drain_old(host); /* this one may have been the last that was waited for */
	host_users_tell_change(&host->users);
	host_users_tell_change(&host->watchers);
}

static void on_session_up(void *arg, struct session *s)
{
	struct slot *slot = arg;
	struct host *host = slot->host;

	host_users_tell_session_up(&host->users, s);
	drain_old(host);
}

static void on_session_down(void *arg, struct session *s)
{
	struct slot *slot = arg;

	host_users_tell_session_down(&slot->host->users, s);
}

static struct session *pick_present_session(const struct host *host);
static int say_why_not_up(const struct host *host, struct err *reason);

/* Not an old one: what begins on that would have to move again. */
static struct session *via_session(void *arg, struct err *reason)
{
	struct slot *slot = arg;
	struct session *s = slot->via ? pick_present_session(slot->via) : NULL;

	if (!s && slot->via)
		say_why_not_up(slot->via, reason);
	else if (!s)
		err_set(reason, ERR_CONFIG, "it is not defined any more");
	return s;
}

static bool is_client_held(void *arg)
{
	struct slot *slot = arg;

	return host_users_have_client_held(&slot->host->users);
}

/* ---- links ---- */

static void replace(struct slot *slot);

static void replace_this(struct slot *slot)
{
	slot->host->replacements++;
	replace(slot);
}

static void on_expiring(void *arg, struct link *link)
{
	struct slot *slot = arg;

	(void)link;
	if (!slot->old)
		replace_this(slot);
}

static void on_via_up(void *arg, struct session *s)
{
	struct slot *slot = arg;

	(void)s;
	slot->host->via_left = NULL;
	if (!slot->old)
		link_via_up(slot->link);
}

/* One that is lost we notice by our channel. One that drains is left before it goes. */
static void on_via_down(void *arg, struct session *s)
{
	struct slot *slot = arg;

	if (slot->old || link_via(slot->link) != s || session_closed(s, NULL))
		return;
	/* One reason for all that go through it. */
	slot->host->replacements += slot->host->via_left != s;
	slot->host->via_left = s;
	replace(slot);
}

static void on_via_change(void *arg)
{
	struct slot *slot = arg;

	if (!slot->old)
		link_via_changed(slot->link);
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
	slot->link =
	    link_new(&host->env, host->snapshot, host->config, &host->log, &callbacks, slot);
	slot->via = host_keep(host->via);
	slot->made_by = host->replacements;
	slot->via_user = (struct host_user){.on_session_up = on_via_up,
	    .on_session_down = on_via_down,
	    .on_change = on_via_change,
	    .is_client_held = is_client_held,
	    .arg = slot};
	list_init(&slot->via_user.node);
	return slot;
}

static void add_counts(struct host_counts *sum, const struct slot *slot)
{
	struct link_bytes bytes = link_bytes(slot->link);

	sum->reconnects += link_reconnects(slot->link);
	sum->bytes.in += bytes.in;
	sum->bytes.out += bytes.out;
}

static void slot_free(struct slot *slot)
{
	add_counts(&slot->host->past, slot);
	link_free(slot->link);
	host_unwant(&slot->via_user, slot->host->drain_ms);
	host_release(slot->via);
	list_remove(&slot->node);
	free(slot);
}

static void slot_start(struct slot *slot)
{
	if (slot->via)
		host_want(slot->via, &slot->via_user);
	link_start(slot->link);
}

static void retire(struct slot *slot)
{
	struct host *host = slot->host;

	slot->old = true;
	slot->replaced_by = host->replacements;
	list_append(&host->old, &slot->node);
	if (link_state(slot->link) != LINK_UP || !is_wanted(host))
		link_drain(slot->link, host->drain_ms, LINK_STOPPED);
	task_schedule(&host->sweep);
}

/* A new link in the place of the present one, which serves until the new one is up. */
static void replace(struct slot *before)
{
	struct host *host = before->host;

	for (size_t i = 0; i < host->slot_count; i++) {
		if (host->slots[i] != before)
			continue;
		host->slots[i] = slot_new(host);
		retire(before);
		if (is_wanted(host))
			slot_start(host->slots[i]);
		return;
	}
}

static bool is_at_end(const struct slot *slot)
{
	enum link_state state = link_state(slot->link);

	return state == LINK_STOPPED || state == LINK_IDLE;
}

static void sweep(void *arg)
{
	struct host *host = arg;

	LIST_FOREACH(node, &host->old)
	{
		struct slot *slot = CONTAINER_OF(node, struct slot, node);

		/* One that was lost while its successor was not up yet: the successor is tried. */
		if (is_at_end(slot) || link_state(slot->link) == LINK_WAITING)
			slot_free(slot);
	}
	for (size_t i = 0; i < host->slot_count; i++)
		if (is_at_end(host->slots[i]))
			host_unwant(&host->slots[i]->via_user, host->drain_ms);
	if (host_is_at_rest(host))
		host->on_rest(host->rest_arg);
}

static void set_slot_count(struct host *host, size_t count)
{
	while (host->slot_count > count) {
		struct slot *surplus = host->slots[--host->slot_count];

		retire(surplus);
		surplus->replaced_by = 0; /* any of those that stay will do */
	}
	host->slots = mem_grow(host->slots, count, sizeof(*host->slots));
	while (host->slot_count < count) {
		host->slots[host->slot_count] = slot_new(host);
		host->slot_count++;
	}
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
	host->log.who = (struct log_context){.key = "host", .value = host->name};
	list_init(&host->old);
	host_users_init(&host->users);
	host_users_init(&host->watchers);
	host->via = host_keep(via);
	host->drain_ms = snapshot->drain_timeout_ms;
	host->on_rest = on_rest;
	host->rest_arg = arg;
	task_init(&host->sweep, env->loop, sweep, host);
	set_slot_count(host, config->connections);
	return host;
}

void host_stop(struct host *host)
{
	for (size_t i = 0; i < host->slot_count; i++)
		slot_free(host->slots[i]);
	host->slot_count = 0;
	LIST_FOREACH(node, &host->old)
	{
		slot_free(CONTAINER_OF(node, struct slot, node));
	}
	task_cancel(&host->sweep);
	host_release(host->via);
	host->via = NULL;
}

void host_free(struct host *host)
{
	if (!host)
		return;
	host_stop(host);
	task_cancel(&host->sweep);
	link_log_end(&host->log);
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

bool host_may_be_freed(const struct host *host)
{
	return host->keepers == 0 && host_is_at_rest(host);
}

struct host *host_keep(struct host *host)
{
	if (host)
		host->keepers++;
	return host;
}

void host_release(struct host *host)
{
	if (host && --host->keepers == 0)
		task_schedule(&host->sweep);
}

void host_want(struct host *host, struct host_user *user)
{
	if (user->host == host)
		return;
	user->host = host;
	host_users_add(&host->users, user);
	for (size_t i = 0; i < host->slot_count; i++)
		slot_start(host->slots[i]);
}

void host_unwant(struct host_user *user, uint64_t drain_ms)
{
	struct host *host = user->host;

	if (!host)
		return;
	user->host = NULL;
	host_users_remove(&host->users, user);
	if (is_wanted(host))
		return;
	link_log_end(&host->log);
	for (size_t i = 0; i < host->slot_count; i++)
		link_drain(host->slots[i]->link, drain_ms, LINK_IDLE);
	LIST_FOREACH(node, &host->old)
	{
		link_drain(CONTAINER_OF(node, struct slot, node)->link, drain_ms, LINK_STOPPED);
	}
	task_schedule(&host->sweep);
}

void host_limit_drain(struct host *host, uint64_t drain_ms)
{
	for (size_t i = 0; i < host->slot_count; i++)
		link_limit_drain(host->slots[i]->link, drain_ms);
	LIST_FOREACH(node, &host->old)
	{
		link_limit_drain(CONTAINER_OF(node, struct slot, node)->link, drain_ms);
	}
}

void host_watch(struct host *host, struct host_user *user)
{
	user->host = host;
	host_users_add(&host->watchers, user);
}

void host_unwatch(struct host_user *user)
{
	host_users_remove(&user->host->watchers, user);
	user->host = NULL;
}

void host_set_config(struct host *host, struct config *snapshot, const struct config_host *config,
    struct host *via, enum host_change change)
{
	struct config *before = host->snapshot;
	size_t count = host->slot_count;

	host->snapshot = config_ref(snapshot);
	host->config = config;
	host->drain_ms = snapshot->drain_timeout_ms;
	host_keep(via);
	host_release(host->via);
	host->via = via;
	host->replacements++;
	for (size_t i = 0; i < host->slot_count; i++) {
		if (change == HOST_CHANGE_RECONNECTS)
			replace(host->slots[i]);
		else
			link_set_config(host->slots[i]->link, snapshot, config);
	}
	set_slot_count(host, config->connections);
	for (size_t i = count; i < host->slot_count && is_wanted(host); i++)
		slot_start(host->slots[i]);
	drain_old(host);
	config_unref(before);
}

/* ---- what one can see ---- */

static struct session *usable_session(const struct slot *slot)
{
	return link_takes_streams(slot->link) ? link_session(slot->link) : NULL;
}

static struct session *pick_present_session(const struct host *host)
{
	struct session *best = NULL;

	for (size_t i = 0; i < host->slot_count; i++) {
		struct session *s = usable_session(host->slots[i]);

		if (s && (!best || session_channel_count(s) < session_channel_count(best)))
			best = s;
	}
	return best;
}

static int say_why_not_up(const struct host *host, struct err *reason)
{
	const struct link *link = host_link(host);
	const struct err *why = link_reason(link);

	if (err_is_set(why))
		return err_set(reason, why->class, "%s", why->text);
	return err_set(reason, ERR_NETWORK, "its link is %s", link_state_name(link_state(link)));
}

struct session *host_pick_session(const struct host *host, struct err *reason)
{
	struct session *s = pick_present_session(host);

	if (s)
		return s;
	LIST_FOREACH(node, &host->old)
	{
		s = usable_session(CONTAINER_OF(node, struct slot, node));
		if (s)
			return s;
	}
	say_why_not_up(host, reason);
	return NULL;
}

bool host_is_up(const struct host *host)
{
	return host_pick_session(host, NULL) != NULL;
}

uint64_t host_next_try_ms(const struct host *host)
{
	const struct link *link = host_link(host);

	return link_waits_for_via(link) && host->via ? host_next_try_ms(host->via)
						     : link_next_try_ms(link);
}

bool host_has_failed(const struct host *host)
{
	if (host_is_up(host))
		return false;
	for (size_t i = 0; i < host->slot_count; i++) {
		const struct link *link = host->slots[i]->link;

		if (link_has_failed(link) ||
		    (link_waits_for_via(link) && host_has_failed(host->via)))
			return true;
	}
	return false;
}

void host_retry_now(struct host *host)
{
	for (size_t i = 0; i < host->slot_count; i++)
		link_retry_now(host->slots[i]->link);
	if (host->via && is_wanted(host))
		host_retry_now(host->via);
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

const struct link *host_link_at(const struct host *host, size_t index)
{
	return host->slots[index]->link;
}

struct host_counts host_counts(const struct host *host)
{
	struct host_counts sum = host->past;

	for (size_t i = 0; i < host->slot_count; i++)
		add_counts(&sum, host->slots[i]);
	LIST_FOREACH(node, &host->old)
	{
		add_counts(&sum, CONTAINER_OF(node, struct slot, node));
	}
	return sum;
}
