#include "tunnel/gate.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

enum {
	ALL_MAX = 64,     /* handshakes at once, of all servers */
	SERVER_START = 8, /* below sshd's default of 10, where it begins to drop */
	SERVER_MAX = 10,
	SERVER_MIN = 2
};

struct gate_server {
	char *name;
	struct list queue;
	unsigned running, waiting;
	unsigned limit;
	unsigned successes; /* since the limit changed */
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
		ticket->runs = true;
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

static void pump(void *arg)
{
	struct gate *gate = arg;
	struct gate_server *server;

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

void gate_ticket_init(
    struct gate_ticket *ticket, struct gate *gate, void (*enter)(void *arg), void *arg)
{
	list_init(&ticket->node);
	ticket->gate = gate;
	ticket->server = NULL;
	ticket->runs = false;
	ticket->enter = enter;
	ticket->arg = arg;
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
	list_init(&server->queue);
	map_put(gate->servers, name, server);
	return server;
}

void gate_ask(struct gate_ticket *ticket, const char *name)
{
	gate_leave(ticket, GATE_DONE);
	ticket->server = server_of(ticket->gate, name);
	ticket->server->waiting++;
	list_append(&ticket->server->queue, &ticket->node);
	task_schedule(&ticket->gate->pump);
}

static void learn(struct gate_server *server, enum gate_result result)
{
	if (result == GATE_DROPPED_BY_SERVER) {
		server->limit = server->limit / 2 > SERVER_MIN ? server->limit / 2 : SERVER_MIN;
		server->successes = 0;
	} else if (++server->successes >= 4 * server->limit && server->limit < SERVER_MAX) {
		server->limit++;
		server->successes = 0;
	}
}

void gate_leave(struct gate_ticket *ticket, enum gate_result result)
{
	struct gate_server *server = ticket->server;

	if (!server)
		return;
	if (ticket->runs) {
		learn(server, result);
		server->running--;
		ticket->gate->running--;
	} else {
		list_remove(&ticket->node);
		server->waiting--;
	}
	ticket->server = NULL;
	ticket->runs = false;
	task_schedule(&ticket->gate->pump);
}

bool gate_is_waiting(const struct gate_ticket *ticket)
{
	return ticket->server && !ticket->runs;
}
