#include "admin/control.h"

#include <event2/http.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "admin/http.h"
#include "admin/http_server.h"
#include "admin/json.h"
#include "admin/metrics.h"
#include "admin/page.h"
#include "admin/traffic.h"
#include "admin/waiters.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/keys.h"

enum {
	UNIX_CONNECTIONS_MAX = 2 * WAITERS_MAX,
	TCP_CONNECTIONS_MAX = 64,
	CLOSING_MS = HTTP_SERVER_TIMEOUT_S * 1000
};

/* One of the two ways in. */
struct door {
	struct list node; /* of control's closing ones */
	struct control *control;
	struct http_server *server;
	enum { DOOR_ALL, DOOR_READ_ONLY } serves;
	char *at; /* where it was told to listen */
	mode_t mode;
	struct timer end; /* of a closing one */
};

#define WAIT_MAX_MS UINT64_C(1000000000000)

struct control {
	struct control_options options;
	struct door *unix_door, *tcp_door; /* NULL: closed */
	struct list
	    closing; /* doors that let nobody in any more: their last requests are answered */
	struct waiters *waiters;
	struct traffic *traffic;
};

/* A request on its way through the table of routes. */
struct call {
	struct control *control;
	struct evhttp_request *request;
	struct http_query query;
};

/* ---- GET ---- */

static void get_page(struct call *call)
{
	page_answer(call->request);
}

static struct status_daemon describe(const struct control *c)
{
	struct status_daemon daemon = {0};

	c->options.hooks.get_daemon(c->options.hooks.arg, &daemon);
	return daemon;
}

static void get_status(struct call *call)
{
	struct manager *m = call->control->options.manager;
	const char *width_text = http_query_get(&call->query, "width");
	struct status_daemon daemon = describe(call->control);
	const char *unknown = status_filter_unknown(&call->query.filter, m);
	uint64_t width = 0;

	if (unknown) {
		http_answer_unknown(call->request, unknown);
		return;
	}
	if (!http_query_is(&call->query, "format", "table")) {
		http_answer_taken(call->request, HTTP_OK, http_json,
		    status_json(m, &daemon, &call->query.filter));
		return;
	}
	if (width_text && !str_to_u64(width_text, 40, 1000, &width))
		width = 0;
	http_answer_taken(call->request, HTTP_OK, http_text,
	    status_table(m, &daemon, &call->query.filter, width,
		http_query_is(&call->query, "colour", "1") ? STATUS_COLOUR : STATUS_PLAIN));
}

static void get_streams(struct call *call)
{
	struct manager *m = call->control->options.manager;
	const struct status_filter *filter = &call->query.filter;
	const char *unknown = status_filter_unknown_streams(filter, m);

	if (unknown) {
		http_answer_unknown(call->request, unknown);
		return;
	}
	if (http_query_is(&call->query, "format", "table"))
		http_answer_taken(
		    call->request, HTTP_OK, http_text, status_streams_table(m, filter));
	else
		http_answer_taken(
		    call->request, HTTP_OK, http_json, status_streams_json(m, filter));
}

static void get_traffic(struct call *call)
{
	http_answer_taken(call->request, HTTP_OK, http_json, traffic_json(call->control->traffic));
}

static void get_metrics(struct call *call)
{
	struct status_daemon daemon = describe(call->control);

	http_answer_taken(call->request, HTTP_OK, "text/plain; version=0.0.4; charset=utf-8",
	    metrics_text(call->control->options.manager, &daemon));
}

static void get_livez(struct call *call)
{
	http_answer(call->request, HTTP_OK, http_text, "ok\n");
}

static void get_readyz(struct call *call)
{
	struct status_daemon daemon = describe(call->control);
	char *reasons = status_unready_reasons(call->control->options.manager, &daemon);

	if (*reasons)
		http_answer(call->request, HTTP_SERVUNAVAIL, http_text, reasons);
	else
		http_answer(call->request, HTTP_OK, http_text, "ok\n");
	free(reasons);
}

/* Whoever asks for the head only does not wait for what would follow it. */
static bool answer_head(struct call *call, const char *type)
{
	if (evhttp_request_get_command(call->request) != EVHTTP_REQ_HEAD)
		return false;
	http_answer(call->request, HTTP_OK, type, "");
	return true;
}

static void get_events(struct call *call)
{
	if (!answer_head(call, "application/jsonl"))
		waiters_listen(call->control->waiters, call->request);
}

static void get_wait(struct call *call)
{
	const char *text = http_query_get(&call->query, "timeout_ms");
	uint64_t timeout_ms = WAITERS_FOREVER;

	if (text && !str_to_u64(text, 0, WAIT_MAX_MS, &timeout_ms))
		http_answer_error(
		    call->request, HTTP_BADREQUEST, "timeout_ms is a number of milliseconds");
	else if (!answer_head(call, NULL))
		waiters_wait(
		    call->control->waiters, call->request, &call->query.filter, timeout_ms);
}

void control_changed(struct control *c)
{
	waiters_changed(c->waiters);
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

static void post_reload(struct call *call)
{
	const struct control_hooks *hooks = &call->control->options.hooks;
	struct config_strings changes = {0};
	struct config_errors errors = {0};
	const char *dry_run = http_query_get(&call->query, "dry_run");
	enum control_reload how =
	    dry_run && strcmp(dry_run, "0") != 0 ? CONTROL_RELOAD_DRY_RUN : CONTROL_RELOAD_APPLY;

	hooks->reload(hooks->arg, how, &changes, &errors);
	int code = errors.n ? HTTP_CONFLICT : HTTP_OK;
	if (http_query_is(&call->query, "format", "text"))
		http_answer_taken(call->request, code, http_text, reload_text(&changes, &errors));
	else
		http_answer_taken(call->request, code, http_json, reload_json(&changes, &errors));
	config_strings_clear(&changes);
	config_errors_clear(&errors);
}

static void start_tunnel(struct tunnel *tunnel, uint64_t drain_ms)
{
	(void)drain_ms;
	tunnel_start(tunnel);
}

typedef void tunnel_verb(struct tunnel *tunnel, uint64_t drain_ms);

static const struct {
	const char *name;
	tunnel_verb *act;
} verbs[] = {{"start", start_tunnel}, {"stop", tunnel_stop}, {"restart", tunnel_restart}};

/* "/v1/tunnels/NAME/VERB"; gives NAME, or NULL when the path is another one. */
static char *split_tunnel_path(const char *path, tunnel_verb **ret_act)
{
	static const char prefix[] = "/v1/tunnels/";
	const char *name = path + sizeof(prefix) - 1, *slash = strrchr(path, '/');

	if (strncmp(path, prefix, sizeof(prefix) - 1) != 0 || slash < name)
		return NULL;
	for (size_t v = 0; v < ARRAY_LEN(verbs); v++) {
		if (strcmp(verbs[v].name, slash + 1) != 0)
			continue;
		*ret_act = verbs[v].act;
		return mem_strndup(name, (size_t)(slash - name));
	}
	return NULL;
}

/* The name may be a pattern. */
static void post_tunnel(struct call *call, const char *pattern, tunnel_verb *act)
{
	const struct manager *m = call->control->options.manager;
	size_t done = 0;

	for (size_t i = 0; i < manager_tunnel_count(m); i++) {
		struct tunnel *tunnel = manager_tunnel(m, i);

		if (!str_glob(pattern, tunnel_name(tunnel)))
			continue;
		act(tunnel, manager_config(m)->drain_timeout_ms);
		done++;
	}
	if (done)
		http_answer(call->request, HTTP_NOCONTENT, NULL, "");
	else
		http_answer_unknown(call->request, pattern);
}

/* ---- requests ---- */

static const struct route {
	enum evhttp_cmd_type method;
	const char *path;
	void (*serve)(struct call *call);
} routes[] = {
    {EVHTTP_REQ_GET, "/", get_page},
    {EVHTTP_REQ_GET, "/v1/status", get_status},
    {EVHTTP_REQ_GET, "/v1/streams", get_streams},
    {EVHTTP_REQ_GET, "/v1/traffic", get_traffic},
    {EVHTTP_REQ_GET, "/v1/events", get_events},
    {EVHTTP_REQ_GET, "/v1/wait", get_wait},
    {EVHTTP_REQ_GET, "/metrics", get_metrics},
    {EVHTTP_REQ_GET, "/livez", get_livez},
    {EVHTTP_REQ_GET, "/readyz", get_readyz},
    {EVHTTP_REQ_POST, "/v1/reload", post_reload},
};

static const struct route *find_route(const char *path)
{
	for (size_t i = 0; i < ARRAY_LEN(routes); i++)
		if (strcmp(routes[i].path, path) == 0)
			return &routes[i];
	return NULL;
}

/* Is the request's method the one that its path takes? If not, it is answered. */
static bool check_method(
    const struct door *door, struct evhttp_request *request, enum evhttp_cmd_type wanted)
{
	enum evhttp_cmd_type method = evhttp_request_get_command(request);

	if (wanted == EVHTTP_REQ_POST && door->serves == DOOR_READ_ONLY) {
		http_add_header(request, "Allow", "");
		http_answer_error(request, HTTP_BADMETHOD, "only the control socket takes changes");
		return false;
	}
	if (method == wanted || (method == EVHTTP_REQ_HEAD && wanted == EVHTTP_REQ_GET))
		return true;
	http_add_header(request, "Allow", wanted == EVHTTP_REQ_GET ? "GET, HEAD" : "POST");
	http_answer_error(request, HTTP_BADMETHOD, "not with this method");
	return false;
}

static void serve(struct door *door, struct evhttp_request *request, const char *path)
{
	const struct route *route = find_route(path);
	struct call call = {.control = door->control, .request = request};
	enum evhttp_cmd_type method = route ? route->method : EVHTTP_REQ_POST;
	tunnel_verb *act = NULL;
	char *pattern = route ? NULL : split_tunnel_path(path, &act);

	if (!route && !pattern) {
		http_answer_error(request, HTTP_NOTFOUND, "there is nothing here");
	} else if (check_method(door, request, method)) {
		const char *fault = http_query_read(&call.query, request);

		if (fault)
			http_answer_error(request, HTTP_BADREQUEST, fault);
		else if (method == EVHTTP_REQ_POST &&
			 manager_is_shutting_down(door->control->options.manager))
			http_answer_ending(request);
		else if (route)
			route->serve(&call);
		else
			post_tunnel(&call, pattern, act);
		http_query_clear(&call.query);
	}
	free(pattern);
}

/* A browser that was lured here by a name of somebody else's DNS says that name: only addresses and localhost are us (DNS
 * rebinding). */
static bool host_is_ours(const char *host)
{
	struct addr literal;

	if (!host) /* HTTP/1.0, as health checks speak it: a browser says a name always */
		return true;
	if (strcasecmp(host, "localhost") == 0)
		return true;
	bool bracketed = *host == '[' && host[strlen(host) - 1] == ']';
	char *bare = bracketed ? mem_strndup(host + 1, strlen(host) - 2) : mem_strdup(host);
	bool ours = addr_from_literal(bare, 0, &literal);
	free(bare);
	return ours;
}

static void on_request(struct evhttp_request *request, void *arg)
{
	struct door *door = arg;
	const char *raw = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request));

	if (door->serves == DOOR_READ_ONLY && !host_is_ours(evhttp_request_get_host(request))) {
		http_answer_error(request, HTTP_MISDIRECTED, "this Host is not served here");
		return;
	}
	size_t length;
	char *path = raw ? evhttp_uridecode(raw, 0, &length) : NULL;
	if (path && strlen(path) == length)
		serve(door, request, path);
	else
		http_answer_error(request, HTTP_BADREQUEST, "this is no path");
	free(path);
}

/* ---- doors ---- */

static void door_free(struct door *door)
{
	if (!door)
		return;
	list_remove(&door->node);
	timer_stop(&door->end);
	if (door->server)
		waiters_cut_off(door->control->waiters, http_server_evhttp(door->server));
	http_server_free(door->server);
	free(door->at);
	free(door);
}

static void on_end(void *arg)
{
	door_free(arg);
}

/* Takes at. NULL and e when it cannot listen there. */
static struct door *door_new(
    struct control *c, const struct endpoint *where, mode_t mode, char *at, struct err *e)
{
	struct door *door = NEW(struct door);

	list_init(&door->node);
	timer_init(&door->end, c->options.loop, on_end, door);
	door->control = c;
	door->serves = where->path ? DOOR_ALL : DOOR_READ_ONLY;
	door->at = at;
	door->mode = mode;
	door->server = http_server_new(
	    &(struct http_server_options){.loop = c->options.loop,
		.at = where,
		.mode = mode,
		.connections_max = where->path ? UNIX_CONNECTIONS_MAX : TCP_CONNECTIONS_MAX,
		.on_request = on_request,
		.arg = door},
	    e);
	if (door->server)
		return door;
	door_free(door);
	return NULL;
}

/* The request that has it closed may have come through it: a reload that moves the control socket. NULL is legal. */
static void door_close(struct door *door)
{
	if (!door)
		return;
	http_server_close(door->server);
	waiters_end(door->control->waiters, http_server_evhttp(door->server));
	list_append(&door->control->closing, &door->node);
	timer_start(&door->end, CLOSING_MS);
}

static bool door_is_at(const struct door *door, const char *at)
{
	return door && at && strcmp(door->at, at) == 0;
}

/* The new one opens before the old one closes. One whose file somebody removed is not there any more. where NULL: none. */
static int move_door(
    struct control *c, struct door **door, const struct endpoint *where, mode_t mode, struct err *e)
{
	char at[ENDPOINT_TEXT_MAX];
	struct door *new = NULL;

	if (where && door_is_at(*door, endpoint_text(where, at)) &&
	    http_server_can_be_reached((*door)->server))
		return 0;
	if (where && !(new = door_new(c, where, mode, mem_strdup(endpoint_text(where, at)), e)))
		return e->class;
	door_close(*door);
	*door = new;
	return 0;
}

int control_listen_unix(struct control *c, const char *path, mode_t mode, struct err *e)
{
	struct endpoint where = {.path = path};
	int result = move_door(c, &c->unix_door, path ? &where : NULL, mode, e);

	if (result == 0 && c->unix_door && c->unix_door->mode != mode) {
		result = http_server_set_mode(c->unix_door->server, mode, e);
		c->unix_door->mode = result == 0 ? mode : c->unix_door->mode;
	}
	err_prefix(e, "control_socket");
	return result;
}

int control_listen_tcp(struct control *c, const struct endpoint *at, struct err *e)
{
	const struct door *before = c->tcp_door;
	int result = move_door(c, &c->tcp_door, at, 0, e);
	char text[ADDR_TEXT_MAX];

	/* With port 0 nobody could know where else. */
	if (result == 0 && c->tcp_door && c->tcp_door != before)
		log_info(NULL, "http-listening", "listen=%s",
		    addr_text(http_server_addr(c->tcp_door->server), text));
	err_prefix(e, "http_listen");
	return result;
}

struct control *control_new(const struct control_options *options)
{
	struct control *c = NEW(struct control);

	c->options = *options;
	list_init(&c->closing);
	c->waiters = waiters_new(options->loop, options->manager, options->events);
	c->traffic = traffic_new(options->loop, options->manager);
	return c;
}

void control_end(struct control *c)
{
	if (c->unix_door)
		waiters_end(c->waiters, http_server_evhttp(c->unix_door->server));
	if (c->tcp_door)
		waiters_end(c->waiters, http_server_evhttp(c->tcp_door->server));
}

void control_free(struct control *c)
{
	if (!c)
		return;
	door_free(c->unix_door);
	door_free(c->tcp_door);
	LIST_FOREACH(node, &c->closing)
	door_free(CONTAINER_OF(node, struct door, node));
	traffic_free(c->traffic);
	waiters_free(c->waiters);
	free(c);
}
