/*
 * Descriptors that live as long as the session, and turning the loop until something is so: what commands do, not the daemon.
 */
#include <event2/event.h>

#include <stdlib.h>

#include "ssh/connection.h"

struct watch {
	struct list node;
	struct event *event;
	evutil_socket_t fd;
	void (*cb)(void *arg, evutil_socket_t fd, short what);
	void *arg;
};

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct watch *watch = arg;

	watch->cb(watch->arg, fd, what);
}

static void watch_free(struct watch *watch)
{
	list_remove(&watch->node);
	event_free(watch->event);
	free(watch);
}

void session_listen_to(struct session *s, evutil_socket_t fd, short what,
    void (*cb)(void *arg, evutil_socket_t fd, short what), void *arg)
{
	session_stop_listening_to(s, fd);
	if (s->state == SESSION_CLOSED)
		return;

	struct watch *watch = NEW(struct watch);

	watch->fd = fd;
	watch->cb = cb;
	watch->arg = arg;
	watch->event =
	    event_new(loop_base(s->loop), fd, (short)(what | EV_PERSIST), on_ready, watch);
	list_append(&s->watches, &watch->node);
	event_add(watch->event, NULL);
}

void session_stop_listening_to(struct session *s, evutil_socket_t fd)
{
	LIST_FOREACH(node, &s->watches)
	{
		struct watch *watch = CONTAINER_OF(node, struct watch, node);

		if (watch->fd == fd)
			watch_free(watch);
	}
}

void watches_clear(struct session *s)
{
	while (!list_empty(&s->watches))
		watch_free(CONTAINER_OF(s->watches.next, struct watch, node));
}

/* ---- turning ---- */

static bool ask(struct session *s, bool (*goes_on)(void *arg), void *arg)
{
	if (s->state == SESSION_CLOSED)
		return false;
	return goes_on ? goes_on(arg) : session_busy(s, SESSION_VISIBLE_ONLY);
}

bool session_process(struct session *s, enum loop_wait wait, bool (*goes_on)(void *arg), void *arg)
{
	bool more;

	if (!ask(s, goes_on, arg))
		return false;
	session_turn_begin(s);
	more = loop_pass(s->loop, wait) || wait == LOOP_NO_WAIT;
	more = more && ask(s, goes_on, arg);
	session_turn_end(s);
	return more;
}

void session_loop(struct session *s, enum loop_wait wait, bool (*goes_on)(void *arg), void *arg)
{
	session_turn_begin(s);
	while (session_process(s, wait, goes_on, arg))
		;
	/* Before the last turn ended, something may have been enqueued: the pump sends it, the transport writes it. */
	if (s->state != SESSION_CLOSED) {
		pump_flush(s);
		loop_pass(s->loop, LOOP_NO_WAIT);
	}
	session_turn_end(s);
}
