/*
 * libevent 2.1 neither bounds the connections of an evhttp nor tells of their ends. What it does let us have is the bufferevent of
 * each new one: so we know its descriptor, and that the connection lives as long as this descriptor is that socket.
 */
#include "admin/http_server.h"

#include <event2/bufferevent.h>
#include <event2/listener.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/minmax.h"
#include "net/listener.h"

enum {
	HEADERS_MAX = 16 * 1024,
	BODY_MAX = 4 * 1024, /* no request has one that we read */
	FULL_RETRY_MS = 500,
	ALL_METHODS = EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST | EVHTTP_REQ_PUT |
		      EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE |
		      EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH
};

/* A connection, by what only it has. */
struct seat {
	int fd;
	dev_t device;
	ino_t inode;
	uint64_t since_ms; /* it came, or its last request was answered */
	bool is_served;    /* a whole request is there, and the answer is not gone yet */
};

struct http_server {
	struct list node; /* in servers */
	struct evhttp *http;
	struct listener
	    *listener; /* owns the address; evhttp accepts on copies of its descriptors */
	struct evhttp_bound_socket *bound[LISTENER_FDS_MAX];
	size_t bound_count;

	/* At most connections_max of both together. */
	struct seat *seats;
	size_t seat_count, seats_max;
	struct bufferevent **arrivals; /* of this pass: they have no descriptor yet. References */
	size_t arrival_count;
	struct task seat_arrivals;
	bool paused;        /* it was full, or descriptors were short: evhttp does not accept */
	bool told;          /* in the log, since somebody was let in */
	struct timer retry; /* whether somebody has left */

	/* evhttp gives each byte HTTP_SERVER_TIMEOUT_S anew: who trickles would sit here for a day. */
	struct timer impatience;
	void (*on_request)(struct evhttp_request *request, void *arg);
	void *arg;
};

/* The listeners' argument is evhttp's own: this is how we find its server. */
static struct list servers = {&servers, &servers};

/* ---- how many are inside ---- */

static bool take_seat(struct seat *seat, int fd)
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return false;
	*seat = (struct seat){
	    .fd = fd, .device = st.st_dev, .inode = st.st_ino, .since_ms = clock_now_ms()};
	return true;
}

static bool is_taken(const struct seat *seat)
{
	struct seat now;

	return take_seat(&now, seat->fd) && now.device == seat->device && now.inode == seat->inode;
}

static void clear_seats(struct http_server *server)
{
	size_t kept = 0;

	for (size_t i = 0; i < server->seat_count; i++)
		if (is_taken(&server->seats[i]))
			server->seats[kept++] = server->seats[i];
	server->seat_count = kept;
}

/* ---- how long they take for a request ---- */

static void lose_patience(struct http_server *server)
{
	uint64_t first_ms = UINT64_MAX;

	for (size_t i = 0; i < server->seat_count; i++)
		if (!server->seats[i].is_served)
			first_ms = min(first_ms, server->seats[i].since_ms);
	if (first_ms == UINT64_MAX)
		return;
	uint64_t end_ms = first_ms + HTTP_SERVER_TIMEOUT_S * 1000, now = clock_now_ms();
	timer_start(&server->impatience, end_ms > now ? end_ms - now : 0);
}

/* To evhttp this is the client's end. */
static void on_impatience(void *arg)
{
	struct http_server *server = arg;
	uint64_t now = clock_now_ms();

	clear_seats(server);
	for (size_t i = 0; i < server->seat_count; i++) {
		struct seat *seat = &server->seats[i];

		if (seat->is_served || now - seat->since_ms < HTTP_SERVER_TIMEOUT_S * 1000)
			continue;
		(void)shutdown(seat->fd, SHUT_RDWR);
		seat->since_ms = now;
	}
	lose_patience(server);
}

static struct seat *seat_of(struct http_server *server, struct evhttp_request *request)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(request);
	int fd = connection ? bufferevent_getfd(evhttp_connection_get_bufferevent(connection)) : -1;

	for (size_t i = 0; i < server->seat_count && fd >= 0; i++)
		if (server->seats[i].fd == fd && is_taken(&server->seats[i]))
			return &server->seats[i];
	return NULL;
}

static void on_answered(struct evhttp_request *request, void *arg)
{
	struct http_server *server = arg;
	struct seat *seat = seat_of(server, request);

	if (!seat)
		return;
	seat->is_served = false;
	seat->since_ms = clock_now_ms();
	if (!timer_is_running(&server->impatience))
		lose_patience(server);
}

static void on_request(struct evhttp_request *request, void *arg)
{
	struct http_server *server = arg;
	struct seat *seat = seat_of(server, request);

	if (seat)
		seat->is_served = true;
	evhttp_request_set_on_complete_cb(request, on_answered, server);
	server->on_request(request, server->arg);
}

/* ---- letting in ---- */

static void pause_accepting(struct http_server *server)
{
	server->paused = true;
	for (size_t i = 0; i < server->bound_count; i++)
		evconnlistener_disable(evhttp_bound_socket_get_listener(server->bound[i]));
}

static void accept_again(struct http_server *server)
{
	server->paused = false;
	for (size_t i = 0; i < server->bound_count; i++)
		evconnlistener_enable(evhttp_bound_socket_get_listener(server->bound[i]));
}

static void tell_resumed(struct http_server *server)
{
	if (server->told)
		log_info(NULL, "control-resumed", "connections=%zu",
		    server->seat_count + server->arrival_count);
	server->told = false;
}

static void make_room(void *arg)
{
	struct http_server *server = arg;

	clear_seats(server);
	if (server->seat_count < server->seats_max) {
		accept_again(server);
		return;
	}
	if (!server->told)
		log_warning(NULL, "control-full", "connections=%zu", server->seat_count);
	server->told = true;
	timer_start(&server->retry, FULL_RETRY_MS);
}

/* There is no descriptor for who waits: the event would come again in each pass. */
static void on_accept_error(struct evconnlistener *listener, void *http)
{
	int error = errno;

	(void)listener;
	LIST_FOREACH(node, &servers)
	{
		struct http_server *server = CONTAINER_OF(node, struct http_server, node);

		if (server->http != http)
			continue;
		if (!server->told)
			log_warning(NULL, "control-paused", "reason=%s", strerror(error));
		server->told = true;
		pause_accepting(server);
		timer_start(&server->retry, FULL_RETRY_MS);
	}
}

static void seat_arrivals(void *arg)
{
	struct http_server *server = arg;

	for (size_t i = 0; i < server->arrival_count; i++) {
		struct bufferevent *bev = server->arrivals[i];

		if (take_seat(&server->seats[server->seat_count], bufferevent_getfd(bev)))
			server->seat_count++;
		bufferevent_decref(bev);
	}
	server->arrival_count = 0;
	if (!timer_is_running(&server->impatience))
		lose_patience(server);
	if (server->paused)
		make_room(server);
}

/* evhttp is about to have one more connection, and wants a bufferevent for it. */
static struct bufferevent *on_arrival(struct event_base *base, void *arg)
{
	struct http_server *server = arg;
	struct bufferevent *bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);

	if (!bev || server->seat_count + server->arrival_count == server->seats_max)
		return bev;
	bufferevent_incref(bev);
	server->arrivals[server->arrival_count++] = bev;
	task_schedule(&server->seat_arrivals);
	if (server->seat_count + server->arrival_count == server->seats_max)
		pause_accepting(server);
	else
		tell_resumed(server);
	return bev;
}

/* ---- life ---- */

static void on_stray(void *arg, int fd, const struct addr *peer)
{
	/* The listener is paused: evhttp accepts. */
	(void)arg;
	(void)peer;
	close(fd);
}

static int accept_on(struct http_server *server, struct err *e)
{
	int fds[LISTENER_FDS_MAX];
	size_t count = listener_fds(server->listener, fds);

	for (size_t i = 0; i < count; i++) {
		int copy = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
		struct evhttp_bound_socket *bound =
		    copy < 0 ? NULL : evhttp_accept_socket_with_handle(server->http, copy);

		if (bound) {
			evconnlistener_set_error_cb(
			    evhttp_bound_socket_get_listener(bound), on_accept_error);
			server->bound[server->bound_count++] = bound;
			continue;
		}
		if (copy >= 0)
			close(copy);
		return err_set(e, ERR_LOCAL, "no descriptor is left for the control interface");
	}
	return 0;
}

struct http_server *http_server_new(const struct http_server_options *options, struct err *e)
{
	struct listener_options how = {.mode = options->mode};
	struct listener *listener =
	    listener_new(options->loop, options->at, &how, on_stray, NULL, e);
	struct http_server *server;

	if (!listener)
		return NULL;
	listener_pause(listener);
	server = NEW(struct http_server);
	list_append(&servers, &server->node);
	server->listener = listener;
	server->seats_max = options->connections_max;
	server->seats = mem_array(server->seats_max, sizeof(*server->seats));
	server->arrivals = mem_array(server->seats_max, sizeof(struct bufferevent *));
	task_init(&server->seat_arrivals, options->loop, seat_arrivals, server);
	timer_init(&server->retry, options->loop, make_room, server);
	timer_init(&server->impatience, options->loop, on_impatience, server);
	server->on_request = options->on_request;
	server->arg = options->arg;
	server->http = evhttp_new(loop_base(options->loop));
	evhttp_set_max_headers_size(server->http, HEADERS_MAX);
	evhttp_set_max_body_size(server->http, BODY_MAX);
	evhttp_set_timeout(server->http, HTTP_SERVER_TIMEOUT_S);
	evhttp_set_allowed_methods(server->http, ALL_METHODS);
	evhttp_set_bevcb(server->http, on_arrival, server);
	evhttp_set_gencb(server->http, on_request, server);
	if (accept_on(server, e) == 0)
		return server;
	http_server_free(server);
	return NULL;
}

void http_server_close(struct http_server *server)
{
	for (size_t i = 0; i < server->bound_count; i++)
		evhttp_del_accept_socket(server->http, server->bound[i]);
	server->bound_count = 0;
	timer_stop(&server->retry);
	listener_free(server->listener);
	server->listener = NULL;
}

void http_server_free(struct http_server *server)
{
	if (!server)
		return;
	http_server_close(server);
	list_remove(&server->node);
	timer_stop(&server->impatience);
	task_cancel(&server->seat_arrivals);
	for (size_t i = 0; i < server->arrival_count; i++)
		bufferevent_decref(server->arrivals[i]);
	evhttp_free(server->http);
	free(server->seats);
	free(server->arrivals);
	free(server);
}

int http_server_set_mode(struct http_server *server, mode_t mode, struct err *e)
{
	return listener_set_mode(server->listener, mode, e);
}

const struct addr *http_server_addr(const struct http_server *server)
{
	return listener_addr(server->listener);
}

bool http_server_can_be_reached(const struct http_server *server)
{
	return listener_can_be_reached(server->listener);
}

struct evhttp *http_server_evhttp(struct http_server *server)
{
	return server->http;
}
