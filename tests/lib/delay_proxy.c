/*
 * A long way in one process: forwards TCP connections to a loopback port, each byte (and each EOF) later by half the round
 * trip, at full bandwidth. The handshake costs what it would cost on such a path: the client's first bytes leave one round
 * trip after the accept, and the server sees the connection half a round trip after that.
 *
 * usage: delay_proxy TARGET_PORT ROUND_TRIP_MS
 *
 * Prints the port it listens on; runs until its stdin ends or it is killed. Check program of the tests: it keeps things
 * simple (blocking connects to loopback, one queue a direction) and ends when something is wrong with its arguments.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/list.h"
#include "base/mem.h"

enum { CHUNK_BYTES = 256 << 10, QUEUE_MAX_BYTES = 128 << 20 };

struct chunk {
	struct list node;
	uint64_t due_us;
	size_t from, n; /* n == from: EOF */
	char data[];
};

/* One direction: read from one socket, wait, write to the other. */
struct pipe {
	struct connection *connection;
	int from, to;
	struct event *readable, *writable, *due;
	struct list chunks;
	size_t queued;
	bool finished;
};

struct connection {
	int client, server;
	bool connected;
	struct event *begin, *arrive; /* of the handshake */
	struct pipe up, down;
};

static struct event_base *base;
static uint16_t target_port;
static uint64_t round_trip_us;

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

static struct timeval in_us(uint64_t us)
{
	return (struct timeval){
	    .tv_sec = (time_t)(us / 1000000u), .tv_usec = (suseconds_t)(us % 1000000u)};
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void pipe_clear(struct pipe *p)
{
	struct list *node;

	while ((node = list_shift(&p->chunks)))
		free(CONTAINER_OF(node, struct chunk, node));
	event_free(p->readable);
	event_free(p->writable);
	event_free(p->due);
}

static void connection_free(struct connection *c)
{
	/* A reset on one side is a reset on the other: whatever is still queued would not arrive either. */
	struct linger hard = {.l_onoff = 1};
	bool reset = !c->up.finished || !c->down.finished;

	pipe_clear(&c->up);
	pipe_clear(&c->down);
	event_free(c->begin);
	event_free(c->arrive);
	if (reset) {
		setsockopt(c->client, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		setsockopt(c->server, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	}
	close(c->client);
	close(c->server);
	free(c);
}

static void schedule(struct pipe *p)
{
	if (list_empty(&p->chunks) || !p->connection->connected)
		return;
	uint64_t due = CONTAINER_OF(p->chunks.next, struct chunk, node)->due_us, now = now_us();
	struct timeval tv = in_us(due > now ? due - now : 0);
	event_add(p->due, &tv);
}

/* 1: the chunk is out; 0: the socket is full; -1: the connection is gone. */
static int write_chunk(struct pipe *p, struct chunk *chunk)
{
	if (chunk->n == chunk->from) {
		shutdown(p->to, SHUT_WR);
		p->finished = true;
		return 1;
	}
	while (chunk->from < chunk->n) {
		ssize_t n =
		    send(p->to, chunk->data + chunk->from, chunk->n - chunk->from, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		chunk->from += (size_t)n;
		p->queued -= (size_t)n;
	}
	return 1;
}

static void deliver(evutil_socket_t fd, short what, void *arg)
{
	struct pipe *p = arg;

	(void)fd;
	(void)what;
	while (!list_empty(&p->chunks)) {
		struct chunk *chunk = CONTAINER_OF(p->chunks.next, struct chunk, node);

		if (chunk->due_us > now_us())
			break;
		int result = write_chunk(p, chunk);
		if (result < 0) {
			connection_free(p->connection);
			return;
		}
		if (result == 0) {
			event_add(p->writable, NULL);
			return;
		}
		list_remove(&chunk->node);
		free(chunk);
	}
	if (!p->finished && p->queued < QUEUE_MAX_BYTES)
		event_add(p->readable, NULL);
	if (p->connection->up.finished && p->connection->down.finished)
		connection_free(p->connection);
	else
		schedule(p);
}

static void take(evutil_socket_t fd, short what, void *arg)
{
	struct pipe *p = arg;
	struct chunk *chunk = malloc(sizeof(*chunk) + CHUNK_BYTES);

	(void)what;
	if (!chunk)
		die("malloc");
	ssize_t n = recv(fd, chunk->data, CHUNK_BYTES, 0);
	if (n < 0) {
		bool again = errno == EAGAIN || errno == EINTR;

		free(chunk);
		if (!again)
			connection_free(p->connection);
		return;
	}
	chunk = mem_grow(chunk, 1, sizeof(*chunk) + (size_t)n);
	chunk->due_us = now_us() + round_trip_us / 2;
	chunk->from = 0;
	chunk->n = (size_t)n;
	p->queued += (size_t)n;
	if (n == 0 || p->queued >= QUEUE_MAX_BYTES)
		event_del(p->readable);
	bool first = list_empty(&p->chunks);
	list_append(&p->chunks, &chunk->node);
	if (first)
		schedule(p);
}

static void pipe_init(struct pipe *p, struct connection *c, int from, int to)
{
	p->connection = c;
	p->from = from;
	p->to = to;
	list_init(&p->chunks);
	p->readable = event_new(base, from, EV_READ | EV_PERSIST, take, p);
	p->writable = event_new(base, to, EV_WRITE, deliver, p);
	p->due = event_new(base, -1, 0, deliver, p);
}

static void set_socket(int fd)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	evutil_make_socket_nonblocking(fd);
}

/* One and a half round trips after the accept, the client's last packet of the handshake reaches the server. */
static void connect_to_target(evutil_socket_t fd, short what, void *arg)
{
	struct connection *c = arg;
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(target_port)};

	(void)fd;
	(void)what;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(c->server, (struct sockaddr *)&to, sizeof(to)) != 0) {
		connection_free(c);
		return;
	}
	set_socket(c->server);
	c->connected = true;
	event_add(c->down.readable, NULL);
	schedule(&c->up);
}

/* One round trip after the accept, the client's first bytes leave; until then they waited in the kernel. */
static void read_from_client(evutil_socket_t fd, short what, void *arg)
{
	struct connection *c = arg;
	struct timeval tv = in_us(round_trip_us / 2);

	(void)fd;
	(void)what;
	event_add(c->up.readable, NULL);
	event_add(c->arrive, &tv);
}

static void accept_client(evutil_socket_t fd, short what, void *arg)
{
	struct timeval tv = in_us(round_trip_us);

	(void)what;
	(void)arg;
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	if (client < 0)
		return;
	struct connection *c = NEW(struct connection);
	set_socket(client);
	c->client = client;
	c->server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->server < 0)
		die("socket");
	pipe_init(&c->up, c, c->client, c->server);
	pipe_init(&c->down, c, c->server, c->client);
	c->begin = event_new(base, -1, 0, read_from_client, c);
	c->arrive = event_new(base, -1, 0, connect_to_target, c);
	event_add(c->begin, &tv);
}

static void stdin_ended(evutil_socket_t fd, short what, void *arg)
{
	char byte;

	(void)what;
	(void)arg;
	if (read(fd, &byte, 1) <= 0)
		event_base_loopbreak(base);
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t size = sizeof(at);
	int on = 1;

	if (argc != 3) {
		fprintf(stderr, "usage: delay_proxy TARGET_PORT ROUND_TRIP_MS\n");
		return 64;
	}
	target_port = (uint16_t)atoi(argv[1]);
	round_trip_us = (uint64_t)(atof(argv[2]) * 1000);
	signal(SIGPIPE, SIG_IGN);

	struct event_config *config = event_config_new();
	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
	base = event_base_new_with_config(config);
	event_config_free(config);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (listener < 0 || bind(listener, (struct sockaddr *)&at, sizeof(at)) != 0 ||
	    listen(listener, 512) != 0)
		die("listen");
	if (getsockname(listener, (struct sockaddr *)&at, &size) != 0)
		die("getsockname");
	printf("%u\n", ntohs(at.sin_port));
	fflush(stdout);

	struct event *accepting =
	    event_new(base, listener, EV_READ | EV_PERSIST, accept_client, NULL);
	event_add(accepting, NULL);
	event_base_once(base, STDIN_FILENO, EV_READ, stdin_ended, NULL, NULL);
	event_base_dispatch(base);
	event_free(accepting);
	close(listener);
	event_base_free(base);
	return 0;
}
