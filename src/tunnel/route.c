#include "tunnel/route.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum { SETTLE_MS = 5000 /* a better host must have been back for this long */ };

struct choice {
	struct route *route;
	struct host *host;
	struct host_user user;
	bool up; /* and wanted */
	uint64_t up_since_ms;
};

struct route {
	struct choice *choices;
	size_t count;
	struct route_callbacks callbacks;
	void *arg;
	bool open;
	struct host_user watch;  /* of the first choice, for who waits for demand */
	struct choice *used;     /* NULL: none is up */
	struct session *session; /* what on_up() was told */
	struct timer settle;
	uint64_t drain_ms;
};

static void use(struct route *route, struct choice *choice, struct session *s)
{
	struct session *before = route->session;

	if (before == s)
		return;
	route->session = NULL;
	if (before)
		route->callbacks.on_down(route->arg, before);
	route->used = choice;
	route->session = s;
	if (s)
		route->callbacks.on_up(route->arg, s);
}

/* Those before the one in use, which are better, and that; while none is in use, the first that has not failed and all before it. */
static bool is_last_needed(const struct route *route, const struct choice *choice)
{
	if (route->used)
		return choice == route->used;
	return !host_has_failed(choice->host);
}

static void want_what_is_needed(struct route *route)
{
	bool needed = route->open;

	for (size_t i = 0; i < route->count; i++) {
		struct choice *choice = &route->choices[i];

		if (needed) {
			host_want(choice->host, &choice->user);
		} else {
			host_unwant(&choice->user, route->drain_ms);
			choice->up = false;
		}
		if (is_last_needed(route, choice))
			needed = false;
	}
}

/* A host that somebody else wanted before us is up already. */
static struct session *session_of(struct choice *choice, uint64_t now)
{
	struct session *s = choice->user.host ? host_pick_session(choice->host, NULL) : NULL;

	if (s && !choice->up) {
		choice->up = true;
		choice->up_since_ms = now;
	}
	return s;
}

/* The best that is wanted and up: at once if nothing else is, or after it has settled. */
static void choose(struct route *route)
{
	uint64_t now = clock_now_ms();

	timer_stop(&route->settle);
	for (size_t i = 0; i < route->count && route->open; i++) {
		struct choice *choice = &route->choices[i];
		struct session *s = session_of(choice, now);

		if (!s)
			continue;
		if (choice == route->used && route->session)
			break;
		if (route->session && now < choice->up_since_ms + SETTLE_MS) {
			timer_start(&route->settle, choice->up_since_ms + SETTLE_MS - now);
			continue;
		}
		use(route, choice, s);
		break;
	}
}

static void decide(struct route *route)
{
	choose(route);
	want_what_is_needed(route);
	if (!route->open || route->session)
		return;
	/* What was not wanted before may be up for another's sake. */
	choose(route);
	want_what_is_needed(route);
}

static void on_settle(void *arg)
{
	decide(arg);
}

static void on_session_up(void *arg, struct session *s)
{
	struct choice *choice = arg;

	(void)s;
	if (!choice->up)
		choice->up_since_ms = clock_now_ms();
	choice->up = true;
	decide(choice->route);
}

static void on_session_down(void *arg, struct session *s)
{
	struct choice *choice = arg;
	struct route *route = choice->route;

	if (!host_is_up(choice->host))
		choice->up = false;
	if (route->session != s)
		return;
	/* Another link of the same host, or another host, or none. */
	use(route, NULL, NULL);
	decide(route);
}

static void on_change(void *arg)
{
	struct choice *choice = arg;
	struct route *route = choice->route;

	/* A choice that failed leads to the next one. */
	if (route->open && !route->session)
		decide(route);
	else if (route->open)
		want_what_is_needed(route);
	route->callbacks.on_change(route->arg);
}

static void on_watched_change(void *arg)
{
	struct route *route = arg;

	if (!route->open)
		route->callbacks.on_change(route->arg);
}

static bool is_client_held(void *arg)
{
	struct choice *choice = arg;

	return choice->route->callbacks.is_client_held(choice->route->arg);
}

struct route *route_new(struct loop *loop, struct host *const *hosts, size_t count,
    uint64_t drain_ms, const struct route_callbacks *callbacks, void *arg)
{
	struct route *route = NEW(struct route);

	route->drain_ms = drain_ms;
	route->callbacks = *callbacks;
	route->arg = arg;
	route->count = count;
	route->choices = mem_array(count, sizeof(*route->choices));
	for (size_t i = 0; i < count; i++) {
		struct choice *choice = &route->choices[i];

		choice->route = route;
		choice->host = host_keep(hosts[i]);
		choice->user = (struct host_user){.on_session_up = on_session_up,
		    .on_session_down = on_session_down,
		    .on_change = on_change,
		    .is_client_held = is_client_held,
		    .arg = choice};
		list_init(&choice->user.node);
	}
	route->watch = (struct host_user){.on_change = on_watched_change, .arg = route};
	list_init(&route->watch.node);
	host_watch(hosts[0], &route->watch);
	timer_init(&route->settle, loop, on_settle, route);
	return route;
}

void route_free(struct route *route)
{
	if (!route)
		return;
	timer_stop(&route->settle);
	host_unwatch(&route->watch);
	for (size_t i = 0; i < route->count; i++) {
		host_unwant(&route->choices[i].user, route->drain_ms);
		host_release(route->choices[i].host);
	}
	free(route->choices);
	free(route);
}

void route_open(struct route *route)
{
	if (route->open)
		return;
	route->open = true;
	decide(route);
}

void route_close(struct route *route, uint64_t drain_ms)
{
	if (!route->open)
		return;
	route->open = false;
	route->drain_ms = drain_ms;
	timer_stop(&route->settle);
	use(route, NULL, NULL);
	want_what_is_needed(route);
}

bool route_is_open(const struct route *route)
{
	return route->open;
}

struct session *route_session(const struct route *route)
{
	return route->session;
}

void route_set_drain(struct route *route, uint64_t drain_ms)
{
	route->drain_ms = drain_ms;
}

struct session *route_pick_session(const struct route *route, struct err *reason)
{
	if (!route->open) {
		err_set(reason, ERR_NETWORK, "the link is not wanted at the moment");
		return NULL;
	}
	return host_pick_session(route_host(route), reason);
}

void route_hurry(struct route *route)
{
	for (size_t i = 0; i < route->count; i++)
		if (route->choices[i].user.host)
			host_hurry(route->choices[i].host);
}

void route_retry_now(struct route *route)
{
	for (size_t i = 0; i < route->count; i++)
		if (route->choices[i].user.host)
			host_retry_now(route->choices[i].host);
}

const struct host *route_host(const struct route *route)
{
	return route->used ? route->used->host : route->choices[0].host;
}
