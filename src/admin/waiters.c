#include "admin/waiters.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include <inttypes.h>
#include <stdlib.h>

#include "admin/json.h"
#include "base/clock.h"
#include "base/mem.h"

enum {
	STREAM_TIMEOUT_S = 365 * 24 * 3600, /* it ends when one side closes */
	UNREAD_MAX = 1024 * 1024,           /* what a slow reader of events may let pile up */
	TALK_MAX = 4096                     /* read from who has nothing more to say */
};

struct waiter {
	struct list node;
	struct waiters *all;
	struct evhttp_request *request;
	struct events_listener listener; /* GET /v1/events */
	uint64_t lost;                   /* events that it was too slow for, and was not told of */
	char **names;                    /* GET /v1/wait */
	size_t name_count;
	struct timer end; /* of its patience */
};

struct waiters {
	struct loop *loop;
	struct manager *manager;
	struct events *events;
	struct list waiting, listening;
	size_t count;
	struct task look;
};

/* ---- coming and going ---- */

static void waiter_free(struct waiter *waiter)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(waiter->request);

	if (connection)
		evhttp_connection_set_closecb(connection, NULL, NULL);
	events_stop(&waiter->listener);
	timer_stop(&waiter->end);
	list_remove(&waiter->node);
	waiter->all->count--;
	for (size_t i = 0; i < waiter->name_count; i++)
		free(waiter->names[i]);
	free(waiter->names);
	free(waiter);
}

/* The client has gone. evhttp lets go of a request that was not answered yet: it is ours then. */
static void on_gone(struct evhttp_connection *connection, void *arg)
{
	struct waiter *waiter = arg;
	struct evhttp_request *request = waiter->request;

	(void)connection;
	waiter_free(waiter);
	if (!evhttp_request_get_connection(request))
		evhttp_request_free(request);
}

/* It said more, which nobody will read: reading would pause at TALK_MAX, and then its end would go unnoticed. To evhttp this is
 * the end. */
static void on_talk(struct bufferevent *bev, void *arg)
{
	bufferevent_event_cb on_event;

	bufferevent_getcb(bev, NULL, NULL, &on_event, NULL);
	on_event(bev, BEV_EVENT_READING | BEV_EVENT_EOF, arg);
}

/* evhttp does not read while a request waits for its answer, so it would not see the client leave; and when it reads, for that
 * reason, it keeps what comes without a bound. */
static void watch_for_end(struct waiter *waiter)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(waiter->request);
	struct bufferevent *bev = evhttp_connection_get_bufferevent(connection);
	bufferevent_data_cb on_write;
	bufferevent_event_cb on_event;
	void *arg;

	bufferevent_getcb(bev, NULL, &on_write, &on_event, &arg);
	bufferevent_setcb(bev, on_talk, on_write, on_event, arg);
	bufferevent_setwatermark(bev, EV_READ, 0, TALK_MAX);
	bufferevent_enable(bev, EV_READ);
}

/* It has the limits of one that waits. To a client of HTTP/1.0 that asked for more evhttp would say "keep-alive" besides, and a
 * length of 0. */
static void close_afterwards(struct evhttp_request *request)
{
	evhttp_remove_header(evhttp_request_get_input_headers(request), "Connection");
	http_add_header(request, "Connection", "close");
}

static void answer_too_late(struct evhttp_request *request)
{
	close_afterwards(request);
	http_answer_error(request, HTTP_TIMED_OUT, "timed out");
}

static void on_patience_end(void *arg)
{
	struct waiter *waiter = arg;
	struct evhttp_request *request = waiter->request;

	waiter_free(waiter);
	answer_too_late(request);
}

/* NULL, and the request is answered, when there are too many. */
static struct waiter *waiter_new(
    struct waiters *w, struct evhttp_request *request, struct list *list)
{
	if (w->count >= WAITERS_MAX) {
		http_answer_error(request, HTTP_SERVUNAVAIL, "too many clients wait already");
		return NULL;
	}
	struct waiter *waiter = NEW(struct waiter);
	waiter->all = w;
	timer_init(&waiter->end, w->loop, on_patience_end, waiter);
	waiter->request = request;
	list_init(&waiter->listener.node);
	list_init(&waiter->node);
	list_append(list, &waiter->node);
	w->count++;
	struct evhttp_connection *connection = evhttp_request_get_connection(request);
	evhttp_connection_set_timeout(connection, STREAM_TIMEOUT_S);
	evhttp_connection_set_closecb(connection, on_gone, waiter);
	return waiter;
}

/* ---- events ---- */

static void send_line(struct waiter *waiter, const char *line)
{
	struct evbuffer *chunk = evbuffer_new();

	evbuffer_add_printf(chunk, "%s\n", line);
	evhttp_send_reply_chunk(waiter->request, chunk);
	evbuffer_free(chunk);
	watch_for_end(waiter);
}

static void send_lost(struct waiter *waiter)
{
	char *line = str_format("events-lost count=%" PRIu64, waiter->lost);
	char *json = events_json(LOG_LEVEL_WARNING, clock_wall_ms(), line);

	waiter->lost = 0;
	send_line(waiter, json);
	free(json);
	free(line);
}

static void on_event(void *arg, const char *line)
{
	struct waiter *waiter = arg;
	struct bufferevent *bev =
	    evhttp_connection_get_bufferevent(evhttp_request_get_connection(waiter->request));

	/* Who does not read loses events, not our memory; and is told how many. */
	if (evbuffer_get_length(bufferevent_get_output(bev)) > UNREAD_MAX) {
		waiter->lost++;
		return;
	}
	if (waiter->lost)
		send_lost(waiter);
	send_line(waiter, line);
}

void waiters_listen(struct waiters *w, struct evhttp_request *request)
{
	struct waiter *waiter = waiter_new(w, request, &w->listening);

	if (!waiter)
		return;
	http_add_header(request, "Content-Type", "application/jsonl");
	http_add_header(request, "Cache-Control", "no-store");
	http_add_header(request, "X-Content-Type-Options", "nosniff");
	close_afterwards(request);
	evhttp_send_reply_start(request, HTTP_OK, NULL);
	watch_for_end(waiter);
	waiter->listener.on_event = on_event;
	waiter->listener.arg = waiter;
	events_listen(w->events, &waiter->listener);
}

/* ---- waiting ---- */

static bool is_up(const struct manager *m, const struct status_filter *filter)
{
	for (size_t i = 0; i < manager_tunnel_count(m); i++) {
		const struct tunnel *tunnel = manager_tunnel(m, i);
		enum tunnel_state state = tunnel_state(tunnel);

		/* Waiting for all leaves out what is stopped on purpose, or idle until somebody wants it; waiting for one by
		 * name does not. */
		if (filter->count == 0 ? state == TUNNEL_STOPPED || tunnel_is_ready(tunnel)
				       : state == TUNNEL_UP)
			continue;
		if (status_filter_matches(filter, tunnel_name(tunnel)))
			return false;
	}
	return true;
}

static bool has_answer(const struct manager *m, const struct status_filter *filter)
{
	return manager_is_shutting_down(m) || status_filter_unknown(filter, m) || is_up(m, filter);
}

static void answer_wait(
    struct evhttp_request *request, const struct manager *m, const char *unknown)
{
	close_afterwards(request);
	if (manager_is_shutting_down(m))
		http_answer_ending(request);
	else if (unknown)
		http_answer_unknown(request, unknown);
	else
		http_answer(request, HTTP_NOCONTENT, NULL, "");
}

void waiters_wait(struct waiters *w, struct evhttp_request *request,
    const struct status_filter *filter, uint64_t timeout_ms)
{
	if (has_answer(w->manager, filter)) {
		answer_wait(request, w->manager, status_filter_unknown(filter, w->manager));
		return;
	}
	if (timeout_ms == 0) {
		answer_too_late(request);
		return;
	}
	struct waiter *waiter = waiter_new(w, request, &w->waiting);
	if (!waiter)
		return;
	if (timeout_ms != WAITERS_FOREVER)
		timer_start(&waiter->end, timeout_ms);
	waiter->names = mem_array(filter->count + 1, sizeof(*waiter->names));
	for (size_t i = 0; i < filter->count; i++)
		waiter->names[waiter->name_count++] = mem_strdup(filter->names[i]);
	watch_for_end(waiter);
}

static void look_at_waiting(void *arg)
{
	struct waiters *w = arg;

	LIST_FOREACH(node, &w->waiting)
	{
		struct waiter *waiter = CONTAINER_OF(node, struct waiter, node);
		struct evhttp_request *request = waiter->request;
		struct status_filter filter = {
		    .names = (const char *const *)waiter->names, .count = waiter->name_count};

		if (!has_answer(w->manager, &filter))
			continue;
		char *unknown = mem_strdup(status_filter_unknown(&filter, w->manager));
		waiter_free(waiter);
		answer_wait(request, w->manager, unknown);
		free(unknown);
	}
}

void waiters_changed(struct waiters *w)
{
	task_schedule(&w->look);
}

/* ---- life ---- */

struct waiters *waiters_new(struct loop *loop, struct manager *manager, struct events *events)
{
	struct waiters *w = NEW(struct waiters);

	w->loop = loop;
	w->manager = manager;
	w->events = events;
	list_init(&w->waiting);
	list_init(&w->listening);
	task_init(&w->look, loop, look_at_waiting, w);
	return w;
}

static bool came_through(const struct waiter *waiter, const struct evhttp *server)
{
	return evhttp_connection_get_server(evhttp_request_get_connection(waiter->request)) ==
	       server;
}

void waiters_end(struct waiters *w, const struct evhttp *server)
{
	LIST_FOREACH(node, &w->listening)
	{
		struct waiter *waiter = CONTAINER_OF(node, struct waiter, node);
		struct evhttp_request *request = waiter->request;

		if (!came_through(waiter, server))
			continue;
		waiter_free(waiter);
		evhttp_send_reply_end(request);
	}
}

static void cut_off(struct list *list, const struct evhttp *server)
{
	LIST_FOREACH(node, list)
	{
		struct waiter *waiter = CONTAINER_OF(node, struct waiter, node);

		if (came_through(waiter, server))
			waiter_free(waiter);
	}
}

void waiters_cut_off(struct waiters *w, const struct evhttp *server)
{
	cut_off(&w->waiting, server);
	cut_off(&w->listening, server);
}

void waiters_free(struct waiters *w)
{
	if (!w)
		return;
	task_cancel(&w->look);
	free(w);
}
