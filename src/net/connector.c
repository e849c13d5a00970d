/*
 * resolve → race → deliver. Whatever comes first settles it: an attempt that connects, the last attempt that fails, the
 * deadline. Results are delivered by a task, so that nothing calls back from inside a call.
 */
#include "net/connector.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/sockopt.h"

enum {
	STAGGER_MS = 250,         /* RFC 8305 §5, Connection Attempt Delay */
	QUEUE_FULL_RETRY_MS = 50, /* Unix only: connect() says EAGAIN instead of waiting */
	QUEUE_FULL_RETRIES = 200
};

/* A socket on its way to one address. */
struct attempt {
	struct connector *connector;
	const struct addr *to;
	int fd; /* -1: not begun, or failed */
	struct event event;
};

struct connector {
	struct loop *loop;
	struct resolver *resolver;
	struct resolver_request *lookup;
	char *host; /* NULL for a path */
	uint16_t port;
	struct addr source; /* length 0: any */
	void (*on_resolved)(void *arg);
	connector_callback *done;
	void *arg;

	struct task begin;
	struct task deliver;
	struct timer stagger;  /* the next attempt */
	struct timer deadline; /* the end of all */
	uint64_t timeout_ms;

	struct addr addrs[RESOLVER_ADDRS_MAX];
	struct attempt attempts[RESOLVER_ADDRS_MAX];
	size_t count, begun;
	unsigned queue_full_retries;

	/* What is delivered. */
	int fd;
	struct addr peer;
	struct err err;
	struct strbuf failures; /* "192.0.2.1:22: Connection refused; ..." */
	bool any_network, any_timeout;
};

/* ---- ends ---- */

static void attempt_stop(struct attempt *attempt)
{
	if (attempt->fd < 0)
		return;
	event_del(&attempt->event);
	close(attempt->fd);
	attempt->fd = -1;
}

static void stop_all(struct connector *c)
{
	resolver_cancel(c->lookup);
	c->lookup = NULL;
	task_cancel(&c->begin);
	timer_stop(&c->stagger);
	timer_stop(&c->deadline);
	for (size_t i = 0; i < c->begun; i++)
		attempt_stop(&c->attempts[i]);
}

static void free_buried(void *object)
{
	struct connector *c = object;

	strbuf_clear(&c->failures);
	free(c->host);
	free(c);
}

static void bury(struct connector *c)
{
	stop_all(c);
	task_cancel(&c->deliver);
	loop_bury(c->loop, free_buried, c);
}

static void deliver(void *arg)
{
	struct connector *c = arg;

	bury(c);
	c->done(c->arg, c->fd, c->fd >= 0 ? &c->peer : NULL, &c->err);
}

static void settle(struct connector *c)
{
	stop_all(c);
	task_schedule(&c->deliver);
}

static void won(struct attempt *attempt)
{
	struct connector *c = attempt->connector;

	c->fd = attempt->fd;
	c->peer = *attempt->to;
	event_del(&attempt->event);
	attempt->fd = -1;
	settle(c);
}

/* ---- failing ---- */

static void add_failure(struct connector *c, const struct addr *to, const char *what)
{
	char text[ADDR_TEXT_MAX];

	strbuf_addf(&c->failures, "%s%s: %s", c->failures.n ? "; " : "", addr_text(to, text), what);
}

static bool is_local(int error)
{
	switch (error) {
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
	case EACCES:
	case EPERM:
	case EADDRINUSE:
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
		return true;
	default:
		return false;
	}
}

static void note_failure(struct connector *c, const struct addr *to, int error, const char *words)
{
	c->any_timeout = c->any_timeout || error == ETIMEDOUT;
	c->any_network = c->any_network || (error != ETIMEDOUT && !is_local(error));
	add_failure(c, to, words);
}

static enum error_class class_of_failures(const struct connector *c)
{
	if (c->any_network)
		return ERR_NETWORK;
	return c->any_timeout ? ERR_TIMEOUT : ERR_LOCAL;
}

static void fail_if_none_is_left(struct connector *c)
{
	if (c->begun < c->count || timer_is_running(&c->stagger))
		return;
	for (size_t i = 0; i < c->begun; i++) {
		if (c->attempts[i].fd >= 0)
			return;
	}
	err_set(&c->err, class_of_failures(c), "%s", strbuf_text(&c->failures));
	settle(c);
}

static void on_deadline(void *arg)
{
	struct connector *c = arg;
	double seconds = (double)c->timeout_ms / 1000;

	for (size_t i = 0; i < c->begun; i++) {
		if (c->attempts[i].fd >= 0)
			add_failure(c, c->attempts[i].to, "no answer");
	}
	if (c->lookup)
		err_set(
		    &c->err, ERR_TIMEOUT, "looking up %s took more than %g s", c->host, seconds);
	else
		err_set(&c->err, ERR_TIMEOUT, "not connected within %g s: %s", seconds,
		    strbuf_text(&c->failures));
	settle(c);
}

/* ---- attempts ---- */

/* A connection to a free port among the ephemeral ones can be given that very port as its own, and then connects to itself
 * (TCP's simultaneous open). */
static bool is_connected_to_itself(int fd, const struct addr *peer)
{
	struct addr own = {.length = sizeof(own.storage)};

	if (peer->sa.sa_family == AF_UNIX || getsockname(fd, &own.sa, &own.length))
		return false;
	return addr_equal(&own, peer);
}

static int connect_error(int fd)
{
	int error = 0;
	socklen_t n = sizeof(error);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) ? errno : error;
}

static void begin_next(void *arg);

/* The next one need not wait for its turn (RFC 8305 §5). */
static void attempt_failed(struct attempt *attempt, int error)
{
	struct connector *c = attempt->connector;

	attempt_stop(attempt);
	note_failure(c, attempt->to, error, strerror(error));
	if (c->begun < c->count)
		begin_next(c);
	else
		fail_if_none_is_left(c);
}

static void on_connected(evutil_socket_t fd, short what, void *arg)
{
	struct attempt *attempt = arg;
	int error = connect_error(fd);

	(void)what;
	if (!error && is_connected_to_itself(fd, attempt->to))
		error = ECONNREFUSED;
	if (error)
		attempt_failed(attempt, error);
	else
		won(attempt);
}

/* The errno; and when it is not 0, the words for it, as it is no fault of where we want to go. */
static int bind_source(
    const struct connector *c, int fd, const struct addr *to, struct strbuf *words)
{
	char source[ADDR_TEXT_MAX];
	int error = 0;

	if (c->source.length == 0 || to->sa.sa_family == AF_UNIX)
		return 0;
	if (c->source.sa.sa_family != to->sa.sa_family)
		error = EAFNOSUPPORT;
	else if (bind(fd, &c->source.sa, c->source.length))
		error = errno;
	if (error)
		strbuf_addf(words, "from bind_address %s: %s", addr_host_text(&c->source, source),
		    error == EAFNOSUPPORT ? "an address of the other family" : strerror(error));
	return error;
}

/* Returns 0 when it is under way or done, or the errno; words are for one that does not speak for itself. */
static int attempt_begin(struct attempt *attempt, struct strbuf *words)
{
	const struct addr *to = attempt->to;
	int fd = sockopt_stream_socket(to->sa.sa_family), error;

	if (fd < 0)
		return errno;
	if (addr_is_loopback(to))
		sockopt_do_not_pace(fd);
	error = bind_source(attempt->connector, fd, to, words);
	if (!error && connect(fd, &to->sa, to->length))
		error = errno;
	if (error && error != EINPROGRESS) {
		close(fd);
		return error;
	}
	attempt->fd = fd;
	event_assign(&attempt->event, loop_base(attempt->connector->loop), fd, EV_WRITE,
	    on_connected, attempt);
	event_add(&attempt->event, NULL); /* also if it is connected already: writable at once */
	return 0;
}

/* Begins attempts until one is under way. */
static void begin_next(void *arg)
{
	struct connector *c = arg;

	timer_stop(&c->stagger);
	while (c->begun < c->count) {
		struct attempt *attempt = &c->attempts[c->begun];
		struct strbuf words = {0};
		int error;

		attempt->connector = c;
		attempt->to = &c->addrs[c->begun];
		attempt->fd = -1;
		error = attempt_begin(attempt, &words);
		if (error == EAGAIN && c->queue_full_retries++ < QUEUE_FULL_RETRIES) {
			timer_start(&c->stagger, QUEUE_FULL_RETRY_MS);
			return;
		}
		c->begun++;
		if (!error) {
			if (c->begun < c->count)
				timer_start(&c->stagger, STAGGER_MS);
			return;
		}
		note_failure(
		    c, attempt->to, error, words.n ? strbuf_text(&words) : strerror(error));
		strbuf_clear(&words);
	}
	fail_if_none_is_left(c);
}

/* ---- addresses ---- */

/* RFC 8305 §4: the families take turns, beginning with that of the first. */
static void take_addrs(struct connector *c, const struct addr *addrs, size_t count)
{
	size_t next[2] = {0, 0}; /* among those of the first family, and among the others */
	int first = count ? addrs[0].sa.sa_family : AF_UNSPEC;

	for (unsigned turn = 0; c->count < count && c->count < RESOLVER_ADDRS_MAX; turn ^= 1) {
		size_t *at = &next[turn];

		while (*at < count && (addrs[*at].sa.sa_family == first) == (turn == 1))
			(*at)++;
		if (*at < count)
			c->addrs[c->count++] = addrs[(*at)++];
	}
}

/* Last: the callback may cancel us. */
static void race(struct connector *c)
{
	begin_next(c);
	if (c->on_resolved)
		c->on_resolved(c->arg);
}

static void on_addrs(void *arg, const struct addr *addrs, size_t count, const struct err *e)
{
	struct connector *c = arg;

	c->lookup = NULL;
	if (count == 0) {
		c->err = *e;
		settle(c);
		return;
	}
	take_addrs(c, addrs, count);
	race(c);
}

/* From the loop, where callbacks may be called. */
static void begin(void *arg)
{
	struct connector *c = arg;

	if (err_is_set(&c->err))
		settle(c);
	else if (c->count)
		race(c);
	else if (c->resolver)
		c->lookup = resolver_lookup(c->resolver, c->host, c->port, on_addrs, c);
	else {
		err_set(
		    &c->err, ERR_LOCAL, "%s is not an address, and there is no resolver", c->host);
		settle(c);
	}
}

static void set_target(struct connector *c, const struct endpoint *to)
{
	struct addr a;

	if (to->path) {
		if (addr_from_path(to->path, &a, &c->err) == 0)
			take_addrs(c, &a, 1);
		return;
	}
	c->host = mem_strdup(to->host);
	c->port = to->port;
	if (addr_from_literal(to->host, to->port, &a))
		take_addrs(c, &a, 1);
}

static void set_options(struct connector *c, const struct connector_options *options)
{
	if (!options)
		return;
	c->resolver = options->resolver;
	c->on_resolved = options->on_resolved;
	c->timeout_ms = options->timeout_ms;
	if (options->bind_address && !addr_from_literal(options->bind_address, 0, &c->source))
		err_set(&c->err, ERR_LOCAL, "the source address is not an address: %s",
		    options->bind_address);
}

struct connector *connector_start(struct loop *loop, const struct endpoint *to,
    const struct connector_options *options, connector_callback *done, void *arg)
{
	struct connector *c = NEW(struct connector);

	c->loop = loop;
	c->fd = -1;
	c->done = done;
	c->arg = arg;
	task_init(&c->begin, loop, begin, c);
	task_init(&c->deliver, loop, deliver, c);
	timer_init(&c->stagger, loop, begin_next, c);
	timer_init(&c->deadline, loop, on_deadline, c);
	set_options(c, options);
	set_target(c, to);
	if (c->timeout_ms)
		timer_start(&c->deadline, c->timeout_ms);
	task_schedule(&c->begin);
	return c;
}

void connector_cancel(struct connector *c)
{
	if (!c)
		return;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	bury(c);
}
