#include "admin/control.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/json.h"
#include "admin/metrics.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/listener.h"

enum {
	HEADERS_MAX = 16 * 1024,
	BODY_MAX = 4 * 1024, /* no request has one that we read */
	REQUEST_TIMEOUT_S = 10,
	STREAM_TIMEOUT_S =
	    365 * 24 * 3600,      /* of an events connection: it ends when one side closes */
	UNREAD_MAX = 1024 * 1024, /* what a slow reader may let pile up */
	WAITERS_MAX = 256,        /* that wait or listen at once */
	NAMES_MAX = 64,
	HTTP_CONFLICT = 409,
	HTTP_MISDIRECTED = 421
};

/* One of the two ways in. */
struct door {
	struct control *control;
	struct evhttp *http;
	struct listener
	    *listener; /* owns the address; evhttp accepts on a copy of its descriptor */
	bool read_only;
};

/* A request whose answer comes later, or never ends. */
struct waiter {
	struct list node;
	struct control *control;
	struct evhttp_request *request;
	struct events_listener listener; /* GET /v1/events */
	char *names[NAMES_MAX];          /* GET /v1/wait */
	size_t name_count;
};

struct control {
	struct control_options options;
	struct door unix_door, tcp_door;
	struct list waiting, listening;
	size_t waiter_count;
	struct task look;
};

/* ---- answers ---- */

static void answer(struct evhttp_request *request, int code, const char *type, const char *text)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	struct evbuffer *body = evbuffer_new();

	if (type)
		evhttp_add_header(headers, "Content-Type", type);
	evhttp_add_header(headers, "Cache-Control", "no-store");
	evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
	evbuffer_add(body, text, strlen(text));
	evhttp_send_reply(request, code, NULL, body);
	evbuffer_free(body);
}

static const char json_type[] = "application/json";
static const char text_type[] = "text/plain; charset=utf-8";

static void answer_taken(struct evhttp_request *request, int code, const char *type, char *text)
{
	answer(request, code, type, text);
	free(text);
}

static void answer_error(struct evhttp_request *request, int code, const char *why)
{
	struct json j = {0};

	json_open_object(&j, NULL);
	json_string(&j, "error", why);
	json_close_object(&j);
	strbuf_add(&j.out, "\n");
	answer_taken(request, code, json_type, strbuf_take(&j.out));
}

/* ---- the query ---- */

struct query {
	struct evkeyvalq values;
	const char *names[NAMES_MAX];
	struct status_filter filter; /* of all name=... */
};

static void query_read(struct query *q, struct evhttp_request *request)
{
	const char *text = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(request));

	q->filter = (struct status_filter){.names = q->names};
	/* Also initialises the list; a query that cannot be parsed is an empty one. */
	if (evhttp_parse_query_str(text ? text : "", &q->values) < 0)
		return;
	for (struct evkeyval *one = q->values.tqh_first; one; one = one->next.tqe_next)
		if (strcmp(one->key, "name") == 0 && q->filter.count < NAMES_MAX)
			q->names[q->filter.count++] = one->value;
}

static const char *query_get(struct query *q, const char *key)
{
	return evhttp_find_header(&q->values, key);
}

static void query_clear(struct query *q)
{
	evhttp_clear_headers(&q->values);
}

static bool wants_table(struct query *q)
{
	const char *format = query_get(q, "format");

	return format && strcmp(format, "table") == 0;
}

/* ---- GET ---- */

static void get_status(struct control *c, struct evhttp_request *request, struct query *q)
{
	struct manager *m = c->options.manager;
	struct status_daemon daemon = {0};
	const char *width_text = query_get(q, "width");
	uint64_t width = 80;

	if (wants_table(q)) {
		if (width_text && !str_to_u64(width_text, 40, 1000, &width))
			width = 80;
		answer_taken(request, HTTP_OK, text_type,
		    status_table(m, &q->filter, width,
			query_get(q, "colour") ? STATUS_COLOUR : STATUS_PLAIN));
		return;
	}
	c->options.hooks.get_daemon(c->options.hooks.arg, &daemon);
	answer_taken(request, HTTP_OK, json_type, status_json(m, &daemon));
}

static void get_streams(struct control *c, struct evhttp_request *request, struct query *q)
{
	struct manager *m = c->options.manager;

	if (wants_table(q))
		answer_taken(request, HTTP_OK, text_type, status_streams_table(m, &q->filter));
	else
		answer_taken(request, HTTP_OK, json_type, status_streams_json(m));
}

static void get_metrics(struct control *c, struct evhttp_request *request, struct query *q)
{
	struct status_daemon daemon = {0};

	(void)q;
	c->options.hooks.get_daemon(c->options.hooks.arg, &daemon);
	answer_taken(request, HTTP_OK, "text/plain; version=0.0.4; charset=utf-8",
	    metrics_text(c->options.manager, &daemon));
}

static void get_livez(struct control *c, struct evhttp_request *request, struct query *q)
{
	(void)c;
	(void)q;
	answer(request, HTTP_OK, text_type, "ok\n");
}

static void get_readyz(struct control *c, struct evhttp_request *request, struct query *q)
{
	char *reasons = status_unready_reasons(c->options.manager);

	(void)q;
	if (*reasons)
		answer(request, HTTP_SERVUNAVAIL, text_type, reasons);
	else
		answer(request, HTTP_OK, text_type, "ok\n");
	free(reasons);
}

/* ---- answers that come later ---- */

static void waiter_free(struct waiter *waiter)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(waiter->request);

	if (connection)
		evhttp_connection_set_closecb(connection, NULL, NULL);
	events_stop(&waiter->listener);
	list_remove(&waiter->node);
	waiter->control->waiter_count--;
	for (size_t i = 0; i < waiter->name_count; i++)
		free(waiter->names[i]);
	free(waiter);
}

static void on_waiter_gone(struct evhttp_connection *connection, void *arg)
{
	(void)connection;
	waiter_free(arg);
}

/* NULL, and the request is answered, when there are too many. */
static struct waiter *waiter_new(
    struct control *c, struct evhttp_request *request, struct list *list)
{
	if (c->waiter_count >= WAITERS_MAX) {
		answer_error(request, HTTP_SERVUNAVAIL, "too many clients wait already");
		return NULL;
	}
	struct waiter *waiter = NEW(struct waiter);
	waiter->control = c;
	waiter->request = request;
	list_init(&waiter->listener.node);
	list_init(&waiter->node);
	list_append(list, &waiter->node);
	c->waiter_count++;
	struct evhttp_connection *connection = evhttp_request_get_connection(request);
	evhttp_connection_set_timeout(connection, STREAM_TIMEOUT_S);
	evhttp_connection_set_closecb(connection, on_waiter_gone, waiter);
	return waiter;
}

static void on_event(void *arg, const char *line)
{
	struct waiter *waiter = arg;
	struct bufferevent *bev =
	    evhttp_connection_get_bufferevent(evhttp_request_get_connection(waiter->request));

	/* Who does not read loses events, not our memory; the end of the answer says so. */
	if (evbuffer_get_length(bufferevent_get_output(bev)) > UNREAD_MAX)
		return;
	struct evbuffer *chunk = evbuffer_new();
	evbuffer_add_printf(chunk, "%s\n", line);
	evhttp_send_reply_chunk(waiter->request, chunk);
	evbuffer_free(chunk);
}

static void get_events(struct control *c, struct evhttp_request *request, struct query *q)
{
	struct waiter *waiter = waiter_new(c, request, &c->listening);

	(void)q;
	if (!waiter)
		return;
	evhttp_add_header(
	    evhttp_request_get_output_headers(request), "Content-Type", "application/jsonl");
	evhttp_add_header(evhttp_request_get_output_headers(request), "Cache-Control", "no-store");
	evhttp_send_reply_start(request, HTTP_OK, NULL);
	waiter->listener.on_event = on_event;
	waiter->listener.arg = waiter;
	events_listen(c->options.events, &waiter->listener);
}

/* Are all tunnels that the names mean up? A name that means none is an error of the request. */
enum wait_state { WAIT_UP, WAIT_NOT_YET, WAIT_NO_SUCH_NAME };
static enum wait_state wait_state(const struct manager *m, const char *const *names, size_t count)
{
	for (size_t k = 0; k < count; k++) {
		struct status_filter one = {.names = &names[k], .count = 1};
		bool any = false;

		for (size_t i = 0; i < manager_tunnel_count(m) && !any; i++)
			any = status_filter_matches(&one, tunnel_name(manager_tunnel(m, i)));
		if (!any)
			return WAIT_NO_SUCH_NAME;
	}
	struct status_filter filter = {.names = names, .count = count};
	for (size_t i = 0; i < manager_tunnel_count(m); i++) {
		const struct tunnel *tunnel = manager_tunnel(m, i);
		enum tunnel_state state = tunnel_state(tunnel);

		/* Waiting for all leaves out what is stopped on purpose; waiting for one by name does not. */
		if (status_filter_matches(&filter, tunnel_name(tunnel)) && state != TUNNEL_UP &&
		    !(count == 0 && state == TUNNEL_STOPPED))
			return WAIT_NOT_YET;
	}
	return WAIT_UP;
}

static bool answer_wait(struct evhttp_request *request, enum wait_state state)
{
	switch (state) {
	case WAIT_UP:
		answer(request, HTTP_NOCONTENT, NULL, "");
		return true;
	case WAIT_NO_SUCH_NAME:
		answer_error(request, HTTP_NOTFOUND, "no tunnel has such a name");
		return true;
	case WAIT_NOT_YET:
		return false;
	}
	return false;
}

static void get_wait(struct control *c, struct evhttp_request *request, struct query *q)
{
	if (answer_wait(request, wait_state(c->options.manager, q->filter.names, q->filter.count)))
		return;
	struct waiter *waiter = waiter_new(c, request, &c->waiting);
	for (size_t i = 0; waiter && i < q->filter.count; i++)
		waiter->names[waiter->name_count++] = mem_strdup(q->filter.names[i]);
}

static void look_at_waiting(void *arg)
{
	struct control *c = arg;

	LIST_FOREACH(node, &c->waiting)
	{
		struct waiter *waiter = CONTAINER_OF(node, struct waiter, node);
		struct evhttp_request *request = waiter->request;
		enum wait_state state = wait_state(
		    c->options.manager, (const char *const *)waiter->names, waiter->name_count);

		if (state == WAIT_NOT_YET)
			continue;
		waiter_free(waiter);
		answer_wait(request, state);
	}
}

void control_changed(struct control *c)
{
	task_schedule(&c->look);
}

/* ---- POST ---- */

static char *reload_json(const struct config_strings *changes, const struct config_errors *errors)
{
	struct json j = {0};

	json_open_object(&j, NULL);
	json_open_array(&j, "changes");
	for (size_t i = 0; i < changes->n; i++)
		json_string(&j, NULL, changes->v[i]);
	json_close_array(&j);
	json_open_array(&j, "errors");
	for (size_t i = 0; i < errors->n; i++) {
		char *text = config_error_text(&errors->v[i]);

		json_string(&j, NULL, text);
		free(text);
	}
	json_close_array(&j);
	json_close_object(&j);
	strbuf_add(&j.out, "\n");
	return strbuf_take(&j.out);
}

static char *reload_text(const struct config_strings *changes, const struct config_errors *errors)
{
	struct strbuf out = {0};

	for (size_t i = 0; i < changes->n; i++)
		strbuf_addf(&out, "%s\n", changes->v[i]);
	for (size_t i = 0; i < errors->n; i++) {
		char *text = config_error_text(&errors->v[i]);

		strbuf_addf(&out, "%s\n", text);
		free(text);
	}
	return strbuf_take(&out);
}

static void post_reload(struct control *c, struct evhttp_request *request, struct query *q)
{
	struct config_strings changes = {0};
	struct config_errors errors = {0};
	const char *dry_run = query_get(q, "dry_run"), *format = query_get(q, "format");
	enum control_reload how =
	    dry_run && strcmp(dry_run, "0") != 0 ? CONTROL_RELOAD_DRY_RUN : CONTROL_RELOAD_APPLY;

	c->options.hooks.reload(c->options.hooks.arg, how, &changes, &errors);
	int code = errors.n ? HTTP_CONFLICT : HTTP_OK;
	if (format && strcmp(format, "text") == 0)
		answer_taken(request, code, text_type, reload_text(&changes, &errors));
	else
		answer_taken(request, code, json_type, reload_json(&changes, &errors));
	config_lines_clear(&changes);
	config_errors_clear(&errors);
}

static void start_tunnel(struct tunnel *tunnel, uint64_t drain_ms)
{
	(void)drain_ms;
	tunnel_start(tunnel);
}

static const struct {
	const char *name;
	void (*act)(struct tunnel *tunnel, uint64_t drain_ms);
} verbs[] = {{"start", start_tunnel}, {"stop", tunnel_stop}, {"restart", tunnel_restart}};

/* "/v1/tunnels/NAME/VERB"; the name may be a pattern. */
static bool post_tunnel(struct control *c, struct evhttp_request *request, const char *path)
{
	static const char prefix[] = "/v1/tunnels/";
	const struct manager *m = c->options.manager;
	const char *slash = strrchr(path, '/');
	size_t done = 0;

	if (strncmp(path, prefix, sizeof(prefix) - 1) != 0 || slash < path + sizeof(prefix))
		return false;
	char *name =
	    mem_strndup(path + sizeof(prefix) - 1, (size_t)(slash - path) - sizeof(prefix) + 1);
	for (size_t v = 0; v < ARRAY_LEN(verbs); v++) {
		if (strcmp(verbs[v].name, slash + 1) != 0)
			continue;
		for (size_t i = 0; i < manager_tunnel_count(m); i++) {
			if (!str_glob(name, tunnel_name(manager_tunnel(m, i))))
				continue;
			verbs[v].act(manager_tunnel(m, i), manager_config(m)->drain_timeout_ms);
			done++;
		}
		if (done)
			answer(request, HTTP_NOCONTENT, NULL, "");
		else
			answer_error(request, HTTP_NOTFOUND, "no tunnel has such a name");
		free(name);
		return true;
	}
	free(name);
	return false;
}

/* ---- requests ---- */

static const struct {
	enum evhttp_cmd_type method;
	const char *path;
	void (*serve)(struct control *c, struct evhttp_request *request, struct query *q);
} routes[] = {
    {EVHTTP_REQ_GET, "/v1/status", get_status},
    {EVHTTP_REQ_GET, "/v1/streams", get_streams},
    {EVHTTP_REQ_GET, "/v1/events", get_events},
    {EVHTTP_REQ_GET, "/v1/wait", get_wait},
    {EVHTTP_REQ_GET, "/metrics", get_metrics},
    {EVHTTP_REQ_GET, "/livez", get_livez},
    {EVHTTP_REQ_GET, "/readyz", get_readyz},
    {EVHTTP_REQ_POST, "/v1/reload", post_reload},
};

/* A browser that was lured here by a name of somebody else's DNS says that name: only addresses and localhost are us (DNS
 * rebinding). */
static bool host_is_ours(const char *host)
{
	struct addr literal;

	return host && (strcmp(host, "localhost") == 0 || addr_from_literal(host, 0, &literal));
}

static void serve(struct door *door, struct evhttp_request *request, const char *path)
{
	enum evhttp_cmd_type method = evhttp_request_get_command(request);
	bool path_known = false;

	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		struct query q;

		if (strcmp(routes[i].path, path) != 0)
			continue;
		path_known = true;
		if (routes[i].method != (method == EVHTTP_REQ_HEAD ? EVHTTP_REQ_GET : method))
			continue;
		query_read(&q, request);
		routes[i].serve(door->control, request, &q);
		query_clear(&q);
		return;
	}
	if (method == EVHTTP_REQ_POST && post_tunnel(door->control, request, path))
		return;
	if (path_known)
		answer_error(request, HTTP_BADMETHOD, "not with this method");
	else
		answer_error(request, HTTP_NOTFOUND, "there is nothing here");
}

static void on_request(struct evhttp_request *request, void *arg)
{
	struct door *door = arg;
	const char *raw = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request));

	if (door->read_only && !host_is_ours(evhttp_request_get_host(request))) {
		answer_error(request, HTTP_MISDIRECTED, "this Host is not served here");
		return;
	}
	if (door->read_only && evhttp_request_get_command(request) == EVHTTP_REQ_POST) {
		answer_error(request, HTTP_BADMETHOD, "only the control socket takes changes");
		return;
	}
	size_t length;
	char *path = raw ? evhttp_uridecode(raw, 0, &length) : NULL;
	if (path && strlen(path) == length)
		serve(door, request, path);
	else
		answer_error(request, HTTP_BADREQUEST, "this is no path");
	free(path);
}

/* ---- doors ---- */

static void on_stray(void *arg, int fd, const struct addr *peer)
{
	/* The listener is paused: evhttp accepts. */
	(void)arg;
	(void)peer;
	close(fd);
}

static void door_close(struct door *door)
{
	if (door->http)
		evhttp_free(door->http);
	listener_free(door->listener);
	door->http = NULL;
	door->listener = NULL;
}

static int door_open(struct door *door, const struct endpoint *at, mode_t mode, struct err *e)
{
	struct control *c = door->control;
	struct listener_options options = {.mode = mode};
	int fds[LISTENER_FDS_MAX];

	door->listener = listener_new(c->options.loop, at, &options, on_stray, door, e);
	if (!door->listener)
		return e->class;
	listener_pause(door->listener);
	door->http = evhttp_new(loop_base(c->options.loop));
	evhttp_set_max_headers_size(door->http, HEADERS_MAX);
	evhttp_set_max_body_size(door->http, BODY_MAX);
	evhttp_set_timeout(door->http, REQUEST_TIMEOUT_S);
	evhttp_set_allowed_methods(door->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST);
	evhttp_set_gencb(door->http, on_request, door);
	size_t count = listener_fds(door->listener, fds);
	for (size_t i = 0; i < count; i++) {
		int copy = dup(fds[i]);

		if (copy < 0 || evhttp_accept_socket(door->http, copy) < 0) {
			if (copy >= 0)
				close(copy);
			door_close(door);
			return err_set(
			    e, ERR_LOCAL, "no descriptor is left for the control interface");
		}
	}
	return 0;
}

int control_listen_unix(struct control *c, const char *path, mode_t mode, struct err *e)
{
	struct endpoint at = {.path = path};
	int result = door_open(&c->unix_door, &at, mode, e);

	err_prefix(e, "control socket");
	return result;
}

int control_listen_tcp(struct control *c, const struct endpoint *at, struct err *e)
{
	door_close(&c->tcp_door);
	if (!at)
		return 0;
	int result = door_open(&c->tcp_door, at, 0, e);
	err_prefix(e, "http_listen");
	return result;
}

struct control *control_new(const struct control_options *options)
{
	struct control *c = NEW(struct control);

	c->options = *options;
	c->unix_door.control = c;
	c->tcp_door.control = c;
	c->tcp_door.read_only = true;
	list_init(&c->waiting);
	list_init(&c->listening);
	task_init(&c->look, options->loop, look_at_waiting, c);
	return c;
}

void control_free(struct control *c)
{
	if (!c)
		return;
	task_cancel(&c->look);
	LIST_FOREACH(node, &c->waiting)
	{
		waiter_free(CONTAINER_OF(node, struct waiter, node));
	}
	LIST_FOREACH(node, &c->listening)
	{
		waiter_free(CONTAINER_OF(node, struct waiter, node));
	}
	door_close(&c->unix_door);
	door_close(&c->tcp_door);
	free(c);
}
