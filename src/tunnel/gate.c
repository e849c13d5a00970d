#include "tunnel/gate.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"

enum {
	ALL_MAX = 256, /* at once, of all servers: those that do not even answer are among them */
	SERVER_START = 8, /* below sshd's default of 10, where it begins to drop */
	SERVER_MAX = 10,
	SERVER_MIN = 1,
	FORGET_AFTER =
	    64, /* times the limit: so many successes until a higher one is tried again */
	FORGET_MS =
	    600000, /* or no drop for so long: it may have been others' logins that were too many */
};

struct gate_server {
	char *name;
	struct list queue, resting;
	unsigned running, waiting;
	unsigned limit;
	unsigned ceiling;    /* it dropped us above this */
	unsigned successes;  /* since the limit changed */
	unsigned epoch;      /* counts the changes of the limit */
	bool serves;         /* somebody got through since it dropped us last */
	uint64_t dropped_ms; /* when that was */
	bool is_well;        /* who rests is to be woken */
};

struct gate {
	struct loop *loop;
	struct map *servers;
	struct task pump;
	unsigned running;
};

static void pump_server(struct gate *gate, struct gate_server *server)
{
	struct list *node;

	while (gate->running < ALL_MAX && server->running < server->limit &&
	       (node = list_shift(&server->queue))) {
		struct gate_ticket *ticket = CONTAINER_OF(node, struct gate_ticket, node);

		server->waiting--;
		server->running++;
		gate->running++;
		ticket->place = GATE_TICKET_RUNS;
		ticket->epoch = server->epoch;
		ticket->enter(ticket->arg);
	}
}

/* One server that is ready, or NULL. Looked for anew after each, because enter() may change the map. */
static struct gate_server *next_ready(struct gate *gate)
{
	struct gate_server *server;
	size_t cursor = 0;

	while ((server = map_next(gate->servers, &cursor)))
		if (server->waiting && server->running < server->limit)
			return server;
	return NULL;
}

/* wake() asks at once, or rests again: that is a later turn's. */
static void wake_all(struct gate_server *server)
{
	struct list woken;
	struct list *node;

	list_init(&woken);
	list_splice(&woken, &server->resting);
	server->is_well = false;
	while ((node = list_shift(&woken))) {
		struct gate_ticket *ticket = CONTAINER_OF(node, struct gate_ticket, node);

		ticket->server = NULL;
		ticket->wake(ticket->arg);
	}
}

static struct gate_server *next_well(struct gate *gate)
{
	struct gate_server *server;
	size_t cursor = 0;

	while ((server = map_next(gate->servers, &cursor)))
		if (server->is_well)
			return server;
	return NULL;
}

static void pump(void *arg)
{
	struct gate *gate = arg;
	struct gate_server *server;

	while ((server = next_well(gate)))
		wake_all(server);
	while (gate->running < ALL_MAX && (server = next_ready(gate)))
		pump_server(gate, server);
}

struct gate *gate_new(struct loop *loop)
{
	struct gate *gate = NEW(struct gate);

	gate->loop = loop;
	gate->servers = map_new();
	task_init(&gate->pump, loop, pump, gate);
	return gate;
}

void gate_free(struct gate *gate)
{
	struct gate_server *server;
	size_t cursor = 0;

	if (!gate)
		return;
	task_cancel(&gate->pump);
	while ((server = map_next(gate->servers, &cursor))) {
		free(server->name);
		free(server);
	}
	map_free(gate->servers);
	free(gate);
}

void gate_ticket_init(struct gate_ticket *ticket, struct gate *gate, void (*enter)(void *arg),
    void (*wake)(void *arg), void *arg)
{
	*ticket = (struct gate_ticket){.gate = gate, .enter = enter, .wake = wake, .arg = arg};
	list_init(&ticket->node);
}

/* What was learnt about a server's limit stays for the life of the process: servers are as many as the configuration names. */
static struct gate_server *server_of(struct gate *gate, const char *name)
{
	struct gate_server *server = map_get(gate->servers, name);

	if (server)
		return server;
	server = NEW(struct gate_server);
	server->name = mem_strdup(name);
	server->limit = SERVER_START;
	server->ceiling = SERVER_MAX;
	server->serves = true;
	list_init(&server->queue);
	list_init(&server->resting);
	map_put(gate->servers, name, server);
	return server;
}

void gate_ask(struct gate_ticket *ticket, const char *name)
{
	gate_leave(ticket, GATE_FAILED);
	ticket->server = server_of(ticket->gate, name);
	ticket->place = GATE_TICKET_WAITS;
	ticket->server->waiting++;
	list_append(&ticket->server->queue, &ticket->node);
	task_schedule(&ticket->gate->pump);
}

void gate_rest(struct gate_ticket *ticket, const char *name)
{
	gate_leave(ticket, GATE_FAILED);
	ticket->server = server_of(ticket->gate, name);
	ticket->place = GATE_TICKET_RESTS;
	list_append(&ticket->server->resting, &ticket->node);
}

static void set_limit(struct gate_server *server, unsigned limit)
{
	server->limit = limit;
	server->successes = 0;
	server->epoch++;
}

/* Those that began together are dropped together: they are one sign, not many. A server that lets nobody in at all may have a
 * proxy in front of it, and be away: then fewer tries are enough, but nothing is known about how many are too many. */
static void learn_drop(struct gate_server *server, const struct gate_ticket *ticket)
{
	server->dropped_ms = clock_now_ms();
	if (ticket->epoch != server->epoch)
		return;
	if (server->serves)
		server->ceiling = server->limit > SERVER_MIN ? server->limit - 1 : SERVER_MIN;
	server->serves = false;
	set_limit(server, server->limit / 2 > SERVER_MIN ? server->limit / 2 : SERVER_MIN);
}

static void learn_success(struct gate_server *server)
{
	server->serves = true;
	server->successes++;
	if (server->ceiling < SERVER_MAX && clock_now_ms() - server->dropped_ms >= FORGET_MS)
		server->ceiling = SERVER_MAX;
	else if (server->ceiling < SERVER_MAX && server->successes >= FORGET_AFTER * server->limit)
		server->ceiling++;
	if (server->successes >= 4 * server->limit && server->limit < server->ceiling)
		set_limit(server, server->limit + 1);
}

static void stop_running(struct gate_ticket *ticket, enum gate_result result)
{
	struct gate_server *server = ticket->server;

	server->running--;
	ticket->gate->running--;
	switch (result) {
	case GATE_DONE:
		learn_success(server);
		server->is_well = !list_empty(&server->resting);
		break;
	case GATE_DROPPED_BY_SERVER:
		learn_drop(server, ticket);
		break;
	case GATE_FAILED:
		break;
	}
}

void gate_leave(struct gate_ticket *ticket, enum gate_result result)
{
	struct gate_server *server = ticket->server;

	if (!server)
		return;
	if (ticket->place == GATE_TICKET_RUNS)
		stop_running(ticket, result);
	else
		list_remove(&ticket->node);
	if (ticket->place == GATE_TICKET_WAITS)
		server->waiting--;
	ticket->server = NULL;
	task_schedule(&ticket->gate->pump);
}
