#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "admin/control.h"
#include "admin/waiters.h"
#include "base/clock.h"
#include "base/log.h"
#include "scene.h"
#include "tests/lib/free_port.h"

/* Its listener cannot be opened. */
#define BROKEN \
	"  broken: { via = \"h\"; local = \"unix:@/no such folder/x\"; to = \"db:2\"; " \
	"connect = \"on-demand\"; };\n"

static const char config_text[] =
    "hosts: { h: { address = \"127.0.0.1\"; }; };\n"
    "tunnels: {\n"
    "  asleep: { via = \"h\"; local = \"unix:@/asleep\"; to = \"db:5432\"; enabled = false; };\n"
    "  lazy: { via = \"h\"; local = \"unix:@/lazy\"; to = \"db:1\"; connect = \"on-demand\"; "
    "};\n" BROKEN "};\n";
/* The same without the second. */
static const char shorter_text[] = "hosts: { h: { address = \"127.0.0.1\"; }; };\n"
				   "tunnels: {\n"
				   "  asleep: { via = \"h\"; local = \"unix:@/asleep\"; to = "
				   "\"db:5432\"; enabled = false; };\n" BROKEN "};\n";

enum { PASSES = 400, ANSWER_MAX = 256 * 1024 };

static struct scene scene;
static struct events *events;
static struct control *control;
static char socket_path[128];
static char answer_text[ANSWER_MAX];
static int reload_calls, dry_runs;
static bool reload_is_bad;

/* ---- the daemon's side ---- */

static void get_daemon(void *arg, struct status_daemon *ret)
{
	(void)arg;
	*ret = (struct status_daemon){.config_path = "/x", .generation = 1, .config_error = ""};
}

static void reload(void *arg, enum control_reload how, struct config_strings *changes,
    struct config_errors *errors)
{
	(void)arg;
	reload_calls++;
	dry_runs += how == CONTROL_RELOAD_DRY_RUN;
	if (reload_is_bad) {
		config_errors_add(errors, "/x", 3, "unknown key \"prot\"");
		return;
	}
	changes->v = mem_array(1, sizeof(*changes->v));
	changes->v[changes->n++] = mem_strdup("+ tunnel \"x\"");
}

static void on_change(void *arg)
{
	(void)arg;
	control_changed(control);
}

static void swallow(void *arg, enum log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

static struct control *make_control(void)
{
	return control_new(&(struct control_options){.loop = scene.loop,
	    .manager = scene.manager,
	    .events = events,
	    .hooks = {.get_daemon = get_daemon, .reload = reload}});
}

static int setup(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	log_set_sink(swallow, NULL);
	reload_calls = dry_runs = 0;
	reload_is_bad = false;
	scene_init(&scene, config_text);
	events = events_new();
	control = make_control();
	scene.on_change = on_change;
	snprintf(socket_path, sizeof(socket_path), "%s/control.sock", scene.folder);
	assert_int_equal(control_listen_unix(control, socket_path, 0600, &e), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	control_free(control);
	scene.on_change = NULL;
	events_free(events);
	scene_clear(&scene);
	log_set_sink(NULL, NULL);
	return 0;
}

/* ---- a client in the same process ---- */

static void turn(int passes)
{
	while (passes-- > 0)
		loop_pass(scene.loop, LOOP_NO_WAIT);
}

static int dial(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	strcpy(at.sun_path, socket_path);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* What comes until the other side closes or PASSES passes brought no more. */
static const char *hear(int fd)
{
	size_t n = 0;

	for (int i = 0; i < PASSES; i++) {
		turn(1);
		ssize_t got = read(fd, answer_text + n, sizeof(answer_text) - 1 - n);

		if (got == 0 || (got < 0 && errno != EAGAIN))
			break;
		n += got > 0 ? (size_t)got : 0;
	}
	answer_text[n] = '\0';
	return answer_text;
}

static const char *exchange(const char *request)
{
	int fd = dial();

	say(fd, request);
	const char *answer = hear(fd);
	close(fd);
	turn(4);
	return answer;
}

static const char *ask_for(const char *method, const char *path)
{
	char *request = str_format("%s %s HTTP/1.0\r\nContent-Length: 0\r\n\r\n", method, path);
	const char *answer = exchange(request);

	free(request);
	return answer;
}

static int code_of(const char *answer)
{
	int code = 0;

	sscanf(answer, "HTTP/1.%*d %d", &code);
	return code;
}

static const char *body_of(const char *answer)
{
	const char *end = strstr(answer, "\r\n\r\n");

	return end ? end + 4 : "";
}

#define assert_code(method, path, code) assert_int_equal(code_of(ask_for(method, path)), code)

/* ---- the routes ---- */

static void test_each_document_has_its_type(void **state)
{
	static const struct {
		const char *path, *type;
		int code;
	} documents[] = {{"/", "text/html; charset=utf-8", 200},
	    {"/v1/status", "application/json", 200},
	    {"/v1/status?format=table&width=60&colour=1", "text/plain; charset=utf-8", 200},
	    {"/v1/streams", "application/json", 200}, {"/v1/traffic", "application/json", 200},
	    {"/v1/streams?format=table&name=la%3fy", "text/plain; charset=utf-8", 200},
	    {"/metrics", "text/plain; version=0.0.4; charset=utf-8", 200},
	    {"/livez", "text/plain; charset=utf-8", 200},
	    {"/readyz", "text/plain; charset=utf-8", 503}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
		const char *answer = ask_for("GET", documents[i].path);
		char *type = str_format("\r\nContent-Type: %s\r\n", documents[i].type);

		assert_int_equal(code_of(answer), documents[i].code);
		assert_non_null(strstr(answer, type));
		assert_non_null(strstr(answer, "\r\nX-Content-Type-Options: nosniff\r\n"));
		assert_true(strlen(body_of(answer)) > 0 || strstr(documents[i].path, "streams"));
		if (strcmp(documents[i].type, "application/json") == 0)
			assert_true(json_is_valid(body_of(answer)));
		free(type);
	}
}

static void test_readiness_has_its_reasons(void **state)
{
	(void)state;
	const char *answer = ask_for("GET", "/readyz");

	assert_non_null(strstr(answer, "tunnel broken is down: "));
	assert_null(strstr(answer, "lazy"));
	assert_code("POST", "/v1/tunnels/broken/stop", 204);
	assert_string_equal(body_of(ask_for("GET", "/readyz")), "ok\n");
}

static void test_a_head_has_the_length_and_no_body(void **state)
{
	const char *answer = ask_for("HEAD", "/livez");

	(void)state;
	assert_int_equal(code_of(answer), 200);
	assert_non_null(strstr(answer, "\r\nContent-Length: 3\r\n"));
	assert_string_equal(body_of(answer), "");
	/* Nor does it wait. */
	answer = ask_for("HEAD", "/v1/events");
	assert_int_equal(code_of(answer), 200);
	assert_string_equal(body_of(answer), "");
	assert_code("HEAD", "/v1/wait?name=lazy", 200);
}

/* So that a client of HTTP/1.0, where the end of the connection is the answer's, sees one that was cut off. */
static void test_every_body_has_its_length(void **state)
{
	static const char *const paths[] = {
	    "/", "/v1/status", "/v1/status?format=table", "/metrics", "/livez", "/nothing"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		const char *answer = ask_for("GET", paths[i]);
		const char *length = strstr(answer, "\r\nContent-Length: ");

		assert_non_null(length);
		assert_int_equal(atoi(length + 18), strlen(body_of(answer)));
	}
	assert_null(strstr(ask_for("POST", "/v1/tunnels/asleep/stop"), "Content-Length"));
}

/* Who takes it for a proxy, with CONNECT, must not wait for more. */
static void test_methods_that_nothing_here_takes_are_answered_whole(void **state)
{
	static const struct {
		const char *request;
		int code;
	} cases[] = {
	    {"CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n", 404},
	    {"TRACE /livez HTTP/1.1\r\nHost: x\r\n\r\n", 405},
	    {"DELETE /livez HTTP/1.1\r\nHost: x\r\n\r\n", 405},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *answer = exchange(cases[i].request);
		const char *length = strstr(answer, "\r\nContent-Length: ");

		assert_int_equal(code_of(answer), cases[i].code);
		assert_memory_equal(body_of(answer), "{\"error\":", 9);
		assert_non_null(length);
		assert_int_equal(atoi(length + 18), strlen(body_of(answer)));
	}
}

static void test_what_is_not_there_is_404(void **state)
{
	static const char *const paths[] = {"/x", "/v1", "/v1/status/", "//", "/v1/tunnels/start",
	    "/v1/tunnels/lazy/explode", "/v1/tunnels/lazy", "/v1/status%2f"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		assert_code("GET", paths[i], 404);
		assert_code("POST", paths[i], 404);
		assert_true(json_is_valid(body_of(answer_text)));
	}
	assert_code("POST", "/v1/tunnels/nobody/start", 404);
	assert_code("POST", "/v1/tunnels/LAZY/stop", 404);
	assert_code("GET", "/v1/status?name=lazy&name=nobody", 404);
	assert_code("GET", "/v1/streams?name=lazy&name=nobody", 404);
}

static void test_an_empty_name_is_no_tunnel_s(void **state)
{
	(void)state;
	assert_code("POST", "/v1/tunnels//stop", 404);
	assert_string_equal(body_of(answer_text), "{\"error\":\"no tunnel has an empty name\"}\n");
}

static void test_what_a_query_has_besides_is_nothing_to_us(void **state)
{
	(void)state;
	assert_code("GET", "/livez?1699999999", 200);
	assert_code("GET", "/livez?verbose", 200);
	assert_code("GET", "/livez?&verbose&&x=1&", 200);
	assert_code("GET", "/v1/status?format=table&verbose&name=la%7Ay", 200);
	assert_non_null(strstr(body_of(answer_text), "\nlazy "));
	assert_null(strstr(body_of(answer_text), "\nbroken "));
	assert_code("GET", "/livez?x=%00", 400);
}

static void test_the_wrong_method_is_405_and_says_the_right_one(void **state)
{
	static const char *const get_only[] = {"POST", "PUT", "DELETE", "OPTIONS", "PATCH"};
	static const char *const post_only[] = {"GET", "HEAD", "PUT", "DELETE"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(get_only); i++) {
		assert_code(get_only[i], "/v1/status", 405);
		assert_non_null(strstr(answer_text, "\r\nAllow: GET, HEAD\r\n"));
	}
	for (size_t i = 0; i < ARRAY_LEN(post_only); i++) {
		assert_code(post_only[i], "/v1/reload", 405);
		assert_code(post_only[i], "/v1/tunnels/lazy/stop", 405);
		assert_non_null(strstr(answer_text, "\r\nAllow: POST\r\n"));
	}
	assert_int_equal(reload_calls, 0);
}

static void test_a_path_with_nul_or_broken_escapes_is_refused(void **state)
{
	(void)state;
	assert_code("GET", "/livez%00x", 400);
	assert_int_not_equal(code_of(ask_for("GET", "/livez%zz")), 200);
}

static void test_too_many_names_are_an_error_and_not_left_out(void **state)
{
	struct strbuf path = {0};

	(void)state;
	strbuf_add(&path, "/v1/wait?x=1");
	for (int i = 0; i < 300; i++)
		strbuf_add(&path, "&name=*");
	assert_code("GET", strbuf_text(&path), 400);
	strbuf_clear(&path);
}

/* ---- reload ---- */

static void test_a_reload_gives_changes_or_409_and_errors(void **state)
{
	(void)state;
	assert_code("POST", "/v1/reload", 200);
	assert_string_equal(
	    body_of(answer_text), "{\"changes\":[\"+ tunnel \\\"x\\\"\"],\"errors\":[]}\n");
	assert_code("POST", "/v1/reload?format=text&dry_run=0", 200);
	assert_string_equal(body_of(answer_text), "+ tunnel \"x\"\n");
	assert_int_equal(dry_runs, 0);
	assert_code("POST", "/v1/reload?dry_run=1", 200);
	assert_int_equal(dry_runs, 1);
	assert_code("POST", "/v1/reload?dry_run", 200); /* never a reload that was not meant */
	assert_int_equal(dry_runs, 2);
	reload_is_bad = true;
	assert_code("POST", "/v1/reload", 409);
	assert_string_equal(body_of(answer_text),
	    "{\"changes\":[],\"errors\":[\"/x:3: unknown key \\\"prot\\\"\"]}\n");
	assert_int_equal(reload_calls, 5);
}

/* ---- tunnels ---- */

static enum tunnel_state state_of(const char *name)
{
	return tunnel_state(manager_find_tunnel(scene.manager, name));
}

static void test_tunnels_are_stopped_and_started_by_name_and_pattern(void **state)
{
	(void)state;
	assert_code("POST", "/v1/tunnels/lazy/stop", 204);
	assert_int_equal(state_of("lazy"), TUNNEL_STOPPED);
	assert_code("POST", "/v1/tunnels/%6Caz%79/start", 204);
	assert_int_not_equal(state_of("lazy"), TUNNEL_STOPPED);
	assert_int_equal(state_of("asleep"), TUNNEL_STOPPED);
	assert_code("POST", "/v1/tunnels/%2A/stop", 204);
	assert_int_equal(state_of("lazy"), TUNNEL_STOPPED);
	assert_code("POST", "/v1/tunnels/la?y/start", 404); /* a query begins there */
	assert_code("POST", "/v1/tunnels/la%3Fy/restart", 204);
}

/* ---- waiting ---- */

static void test_waiting_ends_when_the_tunnels_are_up(void **state)
{
	int fd = dial();

	(void)state;
	say(fd, "GET /v1/wait HTTP/1.0\r\n\r\n");
	turn(10);
	assert_int_equal(recv(fd, answer_text, 1, 0), -1);
	/* Waiting for all leaves out what is stopped, or idle on demand, and that is all there is then. */
	tunnel_stop(manager_find_tunnel(scene.manager, "broken"), 0);
	assert_int_equal(code_of(hear(fd)), 204);
	close(fd);
}

static void test_waiting_for_a_name_that_goes_away_is_404(void **state)
{
	int fd = dial();

	(void)state;
	assert_code("GET", "/v1/wait?name=nobody", 404);
	assert_code("GET", "/v1/wait?name=lazy&name=nobody", 404);
	say(fd, "GET /v1/wait?name=laz* HTTP/1.0\r\n\r\n");
	turn(10);
	assert_int_equal(recv(fd, answer_text, 1, 0), -1);
	scene_reload(&scene, shorter_text);
	assert_int_equal(code_of(hear(fd)), 404);
	close(fd);
}

static void test_waiting_for_a_stopped_tunnel_by_name_goes_on(void **state)
{
	int fd = dial();

	(void)state;
	say(fd, "GET /v1/wait?name=asleep HTTP/1.0\r\n\r\n");
	control_changed(control);
	turn(20);
	assert_int_equal(recv(fd, answer_text, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
	close(fd);
	turn(4);
}

static void test_a_limit_of_no_time_asks_whether_they_are_up_now(void **state)
{
	(void)state;
	assert_code("GET", "/v1/wait?timeout_ms=0", 504);
	assert_string_equal(body_of(answer_text), "{\"error\":\"timed out\"}\n");
	tunnel_stop(manager_find_tunnel(scene.manager, "broken"), 0);
	assert_code("GET", "/v1/wait?timeout_ms=0", 204);
	assert_code("GET", "/v1/wait?timeout_ms=0&name=nobody", 404);
	assert_code("GET", "/v1/wait?timeout_ms=soon", 400);
	assert_code("GET", "/v1/wait?timeout_ms=-1", 400);
}

static void test_waiting_has_the_limit_that_was_asked_for(void **state)
{
	int fd = dial();

	(void)state;
	clock_fake_start(1000, 1700000000);
	say(fd, "GET /v1/wait?name=asleep&timeout_ms=5000 HTTP/1.0\r\n\r\n");
	turn(10);
	loop_fake_advance(scene.loop, 4999);
	turn(10);
	assert_int_equal(recv(fd, answer_text, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
	loop_fake_advance(scene.loop, 1);
	assert_int_equal(code_of(hear(fd)), 504);
	close(fd);
	clock_fake_stop();
}

static void test_too_many_who_wait_are_503_and_leaving_makes_room(void **state)
{
	static int fds[WAITERS_MAX];

	(void)state;
	for (int i = 0; i < WAITERS_MAX; i++) {
		fds[i] = dial();
		say(fds[i], i % 2 ? "GET /v1/wait?name=lazy HTTP/1.1\r\nHost: x\r\n\r\n"
				  : "GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n");
		turn(2);
	}
	turn(10);
	assert_code("GET", "/v1/events", 503);
	assert_code("GET", "/v1/wait?name=lazy", 503);
	/* Those who leave are noticed although nothing is sent to them. */
	close(fds[0]);
	close(fds[1]);
	turn(10);
	fds[0] = dial();
	say(fds[0], "GET /v1/wait?name=lazy HTTP/1.0\r\n\r\n");
	fds[1] = dial();
	say(fds[1], "GET /v1/wait?name=lazy HTTP/1.0\r\n\r\n");
	turn(10);
	assert_int_equal(recv(fds[0], answer_text, 1, 0), -1);
	assert_int_equal(recv(fds[1], answer_text, 1, 0), -1);
	assert_code("GET", "/v1/wait?name=lazy", 503);
	/* And the rest of the interface serves meanwhile. */
	assert_code("GET", "/livez", 200);
	for (int i = 0; i < WAITERS_MAX; i++)
		close(fds[i]);
	turn(10);
	assert_int_equal(code_of(ask_for("GET", "/v1/wait?name=nobody")), 404);
}

static void test_who_trickles_a_request_is_cut_off(void **state)
{
	int trickling = dial(), waiting = dial(), keeping = dial();
	static const char livez[] = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";

	(void)state;
	clock_fake_start(1000, 1700000000);
	turn(4);
	say(trickling, "GET /livez HTTP/1.1\r\nHost: ");
	say(waiting, "GET /v1/wait?name=asleep HTTP/1.1\r\nHost: x\r\n\r\n");
	for (int i = 0; i < 3; i++) {
		say(trickling, "x");
		say(keeping, livez);
		assert_int_equal(code_of(hear(keeping)), 200);
		assert_int_equal(read(trickling, answer_text, 1), -1);
		loop_fake_advance(scene.loop, 4000);
		turn(4);
	}
	assert_int_equal(read(trickling, answer_text, 1), 0);
	say(keeping, livez);
	assert_int_equal(code_of(hear(keeping)), 200);
	loop_fake_advance(scene.loop, 60000);
	turn(4);
	assert_int_equal(read(keeping, answer_text, 1), 0);
	assert_int_equal(read(waiting, answer_text, 1), -1);
	assert_int_equal(errno, EAGAIN);
	close(trickling);
	close(waiting);
	close(keeping);
	turn(4);
	clock_fake_stop();
}

static void test_who_waits_and_goes_on_talking_is_cut_off(void **state)
{
	static const char *const requests[] = {"GET /v1/wait?name=lazy HTTP/1.1\r\nHost: x\r\n\r\n",
	    "GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		int fd = dial();

		say(fd, requests[i]);
		turn(10);
		say(fd, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
		hear(fd);
		assert_int_equal(recv(fd, answer_text, 1, 0), 0);
		close(fd);
	}
}

static void test_the_end_of_the_daemon_ends_those_who_wait(void **state)
{
	int waits = dial(), listens = dial();

	(void)state;
	say(waits, "GET /v1/wait?name=lazy HTTP/1.1\r\nHost: x\r\n\r\n");
	say(listens, "GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n");
	turn(10);
	control_free(control);
	hear(waits);
	assert_int_equal(recv(waits, answer_text, 1, 0), 0);
	hear(listens);
	assert_int_equal(recv(listens, answer_text, 1, 0), 0);
	close(waits);
	close(listens);
	control = make_control();
}

static bool ends_with(const char *text, const char *end)
{
	return strlen(text) >= strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

static void test_who_listens_hears_the_last_of_it_and_the_end(void **state)
{
	int listens = dial();

	(void)state;
	say(listens, "GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n");
	turn(10);
	log_info(NULL, "stopped", "pid=%d", 1);
	control_end(control);
	const char *text = hear(listens);
	assert_non_null(strstr(text, "Connection: close\r\n"));
	assert_true(ends_with(text, "\"event\":\"stopped\",\"pid\":\"1\"}\n\r\n0\r\n\r\n"));
	assert_int_equal(recv(listens, answer_text, 1, 0), 0);
	close(listens);
}

/* ---- events ---- */

static void test_events_come_as_lines_while_they_happen(void **state)
{
	int fd = dial();

	(void)state;
	say(fd, "GET /v1/events HTTP/1.0\r\n\r\n");
	turn(10);
	log_info(NULL, "one", "peer=%s", "\x1b[2J\n\"");
	log_info(NULL, "two", "n=%d", 2);
	const char *body = body_of(hear(fd));
	assert_non_null(strstr(answer_text, "application/jsonl"));
	assert_non_null(strstr(body, "\"event\":\"one\",\"peer\":\"\\u001b[2J\\u000a\\\"\"}\n"));
	assert_non_null(strstr(body, "\"event\":\"two\""));
	close(fd);
	turn(4);
	log_info(NULL, "three", "n=%d", 3);
}

static void test_who_would_keep_the_connection_hears_events_too(void **state)
{
	int fd = dial();

	(void)state;
	say(fd, "GET /v1/events HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	turn(10);
	log_info(NULL, "one", "n=%d", 1);
	const char *answer = hear(fd);
	assert_non_null(strstr(answer, "\r\nConnection: close\r\n"));
	assert_null(strstr(answer, "keep-alive"));
	assert_null(strstr(answer, "Content-Length"));
	assert_non_null(strstr(body_of(answer), "\"event\":\"one\""));
	close(fd);
	turn(4);
}

static void test_a_slow_reader_of_events_is_told_how_many_it_lost(void **state)
{
	char *long_text = mem_alloc(8001);
	int fd = dial();
	size_t n = 0;

	(void)state;
	memset(long_text, 'x', 8000);
	say(fd, "GET /v1/events HTTP/1.0\r\n\r\n");
	turn(10);
	for (int i = 0; i < 1000; i++) {
		log_info(NULL, "much", "text=%s", long_text);
		turn(1);
	}
	/* It reads again: what was kept is bounded, then it hears of the gap. */
	for (int i = 0; i < PASSES; i++) {
		ssize_t got = read(fd, answer_text, sizeof(answer_text));

		n += got > 0 ? (size_t)got : 0;
		turn(1);
	}
	assert_true(n > 1024 * 1024 && n < 3 * 1024 * 1024);
	log_info(NULL, "last", "n=%d", 1);
	const char *text = hear(fd);
	const char *lost = strstr(text, "\"event\":\"events-lost\",\"count\":\"");
	assert_non_null(lost);
	assert_non_null(strstr(lost, "\"event\":\"last\""));
	free(long_text);
	close(fd);
}

/* ---- hostile clients ---- */

static void test_headers_beyond_the_limit_are_refused(void **state)
{
	struct strbuf request = {0};
	int fd = dial();

	(void)state;
	strbuf_add(&request, "GET /livez HTTP/1.1\r\nHost: x\r\n");
	for (int i = 0; i < 2000; i++)
		strbuf_add(&request, "X-Filler: 0123456789\r\n");
	strbuf_add(&request, "\r\n");
	send(fd, request.text, request.n, MSG_NOSIGNAL);
	hear(fd);
	assert_int_not_equal(code_of(answer_text), 200);
	strbuf_clear(&request);
	close(fd);
	assert_code("GET", "/livez", 200);
}

static void test_a_body_beyond_the_limit_is_refused(void **state)
{
	(void)state;
	exchange("POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n");
	assert_int_not_equal(code_of(answer_text), 200);
	assert_int_equal(reload_calls, 0);
	assert_code("GET", "/livez", 200);
}

static void test_a_client_that_dribbles_stops_nobody_else(void **state)
{
	static const char request[] = "GET /livez HTTP/1.0\r\n\r\n";
	int fd = dial();

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(request); i++) {
		assert_int_equal(send(fd, &request[i], 1, MSG_NOSIGNAL), 1);
		turn(2);
		if (i % 8 == 0)
			assert_code("GET", "/readyz", 503);
	}
	assert_string_equal(body_of(hear(fd)), "ok\n");
	close(fd);
}

static void test_noise_is_no_request(void **state)
{
	static const char *const noise[] = {"\r\n\r\n", "GET\r\n\r\n", "SSH-2.0-x\r\n",
	    "GET /livez HTTP/9.9\r\n\r\n", "\x16\x03\x01\x02", "POST /v1/reload\r\n\r\n",
	    "GET http://x:99999999/ HTTP/1.1\r\n\r\n", "FOO / HTTP/1.1\r\n\r\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(noise); i++)
		exchange(noise[i]);
	assert_int_equal(reload_calls, 0);
	assert_code("GET", "/livez", 200);
}

/* ---- the socket ---- */

static void test_the_socket_has_its_mode(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(stat(socket_path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void test_a_living_daemons_socket_is_an_error_that_names_it(void **state)
{
	struct control *second = make_control();
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(control_listen_unix(second, socket_path, 0600, &e), ERR_LOCAL);
	assert_non_null(strstr(e.text, socket_path));
	assert_non_null(strstr(e.text, "somebody listens there already"));
	control_free(second);
	assert_code("GET", "/livez", 200);
}

static void test_a_dead_daemons_socket_is_replaced(void **state)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct err e = ERR_INIT;

	(void)state;
	control_free(control);
	control = make_control();
	strcpy(at.sun_path, socket_path);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	close(fd);
	assert_int_equal(access(socket_path, F_OK), 0);
	assert_int_equal(control_listen_unix(control, socket_path, 0600, &e), 0);
	assert_code("GET", "/livez", 200);
}

static void test_the_socket_goes_with_the_daemon(void **state)
{
	(void)state;
	control_free(control);
	assert_int_equal(access(socket_path, F_OK), -1);
	control = make_control();
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static void test_the_socket_takes_another_mode_where_it_is(void **state)
{
	struct err e = ERR_INIT;
	int before = dial();

	(void)state;
	assert_int_equal(control_listen_unix(control, socket_path, 0660, &e), 0);
	assert_int_equal(mode_of(socket_path), 0660);
	assert_code("GET", "/livez", 200);
	say(before, "GET /livez HTTP/1.0\r\n\r\n");
	assert_int_equal(code_of(hear(before)), 200);
	close(before);
}

static void test_a_socket_whose_file_was_removed_comes_back(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(unlink(socket_path), 0);
	assert_int_equal(control_listen_unix(control, socket_path, 0600, &e), 0);
	assert_code("GET", "/livez", 200);
	assert_int_equal(control_listen_unix(control, NULL, 0600, &e), 0);
	assert_int_equal(access(socket_path, F_OK), -1);
}

static void test_the_socket_moves_and_who_is_inside_is_answered(void **state)
{
	struct err e = ERR_INIT;
	int before = dial(), idle = dial(), listens = dial();
	char *old = mem_strdup(socket_path);

	(void)state;
	say(listens, "GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n");
	turn(10);
	strcat(socket_path, "2");
	assert_int_equal(control_listen_unix(control, socket_path, 0600, &e), 0);
	assert_int_equal(access(old, F_OK), -1);
	assert_true(ends_with(hear(listens), "\r\n0\r\n\r\n"));
	close(listens);
	assert_code("GET", "/livez", 200);
	say(before, "GET /livez HTTP/1.0\r\n\r\n");
	assert_int_equal(code_of(hear(before)), 200);
	close(before);
	loop_fake_advance(scene.loop, 11 * 1000);
	turn(4);
	assert_int_equal(read(idle, answer_text, 1), 0);
	close(idle);
	free(old);
}

static void test_a_socket_that_cannot_move_stays(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(
	    control_listen_unix(control, "/nowhere/control.sock", 0600, &e), ERR_LOCAL);
	assert_int_equal(strncmp(e.text, "control_socket: ", 16), 0);
	assert_code("GET", "/livez", 200);
	err_clear(&e);
	assert_int_equal(control_listen_unix(control, NULL, 0600, &e), 0);
	assert_int_equal(access(socket_path, F_OK), -1);
}

/* ---- over TCP ---- */

/* 0 when nobody listens there. */
static int code_over_tcp(uint16_t port, const char *request)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	    .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int code = 0;

	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0) {
		evutil_make_socket_nonblocking(fd);
		say(fd, request);
		code = code_of(hear(fd));
	}
	close(fd);
	turn(4);
	return code;
}

static void test_tcp_answers_gets_for_hosts_that_are_ours_only(void **state)
{
	struct endpoint at = {.host = "127.0.0.1", .port = free_port()};
	struct err e = ERR_INIT;
	static const struct {
		const char *request;
		int code;
	} cases[] = {
	    {"GET /livez HTTP/1.1\r\nHost: 127.0.0.1:9822\r\nConnection: close\r\n\r\n", 200},
	    {"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 200},
	    {"GET /livez HTTP/1.1\r\nHost: LOCALHOST:80\r\nConnection: close\r\n\r\n", 200},
	    {"GET /livez HTTP/1.1\r\nHost: [::1]:9822\r\nConnection: close\r\n\r\n", 200},
	    {"GET /livez HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 421},
	    {"GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1.evil.example\r\nConnection: "
	     "close\r\n\r\n",
		421},
	    {"GET /livez HTTP/1.0\r\n\r\n", 200},
	    {"GET /livez HTTP/1.0\r\nHost: \r\n\r\n", 421},
	    {"POST /v1/reload HTTP/1.0\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", 405},
	    {"POST /v1/tunnels/lazy/stop HTTP/1.0\r\nHost: localhost\r\nContent-Length: "
	     "0\r\n\r\n",
		405},
	};

	(void)state;
	assert_int_equal(control_listen_tcp(control, &at, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(code_over_tcp(at.port, cases[i].request), cases[i].code);
	assert_int_equal(reload_calls, 0);
	assert_int_not_equal(state_of("lazy"), TUNNEL_STOPPED);
}

static char listening_line[128];

static void keep_listening(void *arg, enum log_level level, const char *line)
{
	(void)arg;
	if (level == LOG_LEVEL_INFO && strncmp(line, "http-listening ", 15) == 0)
		snprintf(listening_line, sizeof(listening_line), "%s", line);
}

static void test_a_port_that_was_given_stands_in_the_log(void **state)
{
	struct endpoint any = {.host = "127.0.0.1"};
	struct err e = ERR_INIT;
	unsigned port = 0;

	(void)state;
	log_set_sink(keep_listening, NULL);
	assert_int_equal(control_listen_tcp(control, &any, &e), 0);
	assert_int_equal(sscanf(listening_line, "http-listening listen=127.0.0.1:%u", &port), 1);
	assert_int_equal(code_over_tcp((uint16_t)port, "GET /livez HTTP/1.0\r\n\r\n"), 200);
	*listening_line = '\0';
	assert_int_equal(control_listen_tcp(control, &any, &e), 0); /* as it was */
	assert_string_equal(listening_line, "");
}

static void test_tcp_moves_by_opening_the_new_place_first(void **state)
{
	static const char livez[] = "GET /livez HTTP/1.0\r\nHost: localhost\r\n\r\n";
	struct endpoint first = {.host = "127.0.0.1", .port = free_port()};
	struct endpoint second = {.host = "127.0.0.1", .port = free_port()};
	struct endpoint bad = {.host = "192.0.2.1", .port = 9};
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(control_listen_tcp(control, &first, &e), 0);
	assert_int_equal(control_listen_tcp(control, &first, &e), 0);
	assert_int_not_equal(control_listen_tcp(control, &bad, &e), 0);
	assert_int_equal(strncmp(e.text, "http_listen: ", 13), 0);
	assert_int_equal(code_over_tcp(first.port, livez), 200);
	err_clear(&e);
	assert_int_equal(control_listen_tcp(control, &second, &e), 0);
	assert_int_equal(code_over_tcp(first.port, livez), 0);
	assert_int_equal(code_over_tcp(second.port, livez), 200);
	assert_int_equal(control_listen_tcp(control, NULL, &e), 0);
	assert_int_equal(code_over_tcp(second.port, livez), 0);
}

static int connect_tcp(uint16_t port)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	    .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	evutil_make_socket_nonblocking(fd);
	return fd;
}

static int count_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void test_who_comes_when_it_is_full_waits_until_somebody_leaves(void **state)
{
	enum { INSIDE = 64, MORE = 20 };
	struct endpoint at = {.host = "127.0.0.1", .port = free_port()};
	struct err e = ERR_INIT;
	int fds[INSIDE + MORE];

	(void)state;
	assert_int_equal(control_listen_tcp(control, &at, &e), 0);
	turn(2);
	int before = count_descriptors();
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = connect_tcp(at.port);
		turn(1);
	}
	turn(8);
	/* each client's descriptor is in this process, too */
	assert_int_equal(count_descriptors() - before, ARRAY_LEN(fds) + INSIDE);
	int last = fds[INSIDE];
	say(last, "GET /livez HTTP/1.0\r\nHost: localhost\r\n\r\n");
	assert_string_equal(hear(last), "");
	assert_code("GET", "/livez", 200); /* the control socket has room of its own */

	close(fds[3]);
	turn(4);
	loop_fake_advance(scene.loop, 600);
	assert_int_equal(code_of(hear(last)), 200);
	turn(8);
	loop_fake_advance(scene.loop, 600);
	turn(8);
	/* one left, one was answered; two of those who waited are inside now, one of them was the last */
	assert_int_equal(count_descriptors() - before, ARRAY_LEN(fds) - 1 + INSIDE);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		if (i != 3)
			close(fds[i]);
	turn(8);
	loop_fake_advance(scene.loop, 600);
	turn(8);
	assert_int_equal(
	    code_over_tcp(at.port, "GET /livez HTTP/1.0\r\nHost: localhost\r\n\r\n"), 200);
	assert_int_equal(count_descriptors(), before);
}

/* ---- the page ---- */

static void test_the_page_has_a_nonce_of_its_own_in_each_answer(void **state)
{
	char nonces[2][64], mark[256];

	(void)state;
	for (int i = 0; i < 2; i++) {
		const char *answer = ask_for("GET", "/");
		const char *policy =
		    strstr(answer, "\r\nContent-Security-Policy: default-src 'none'; "
				   "script-src 'nonce-");

		assert_non_null(policy);
		assert_int_equal(
		    sscanf(strstr(policy, "'nonce-"), "'nonce-%63[A-Za-z0-9+/]'", nonces[i]), 1);
		assert_true(strlen(nonces[i]) >= 22);
		snprintf(mark, sizeof(mark), "<script nonce=\"%s\">", nonces[i]);
		assert_non_null(strstr(answer, mark));
		snprintf(mark, sizeof(mark), "<style nonce=\"%s\">", nonces[i]);
		assert_non_null(strstr(answer, mark));
		assert_null(strstr(policy + 2, "unsafe"));
		assert_null(strstr(answer, "@NONCE@"));
	}
	assert_string_not_equal(nonces[0], nonces[1]);
}

static void test_the_page_fetches_nothing_from_elsewhere_and_writes_no_markup(void **state)
{
	static const char *const never[] = {"innerHTML", "outerHTML", "insertAdjacentHTML",
	    "document.write", "eval(", "new Function", "https://", "src=", "style=\"", "onclick"};
	const char *body = body_of(ask_for("GET", "/"));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(never); i++)
		if (strstr(body, never[i]))
			fail_msg("the page has %s", never[i]);
	assert_non_null(strstr(body, "</html>"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_each_document_has_its_type),
	    TEST(test_readiness_has_its_reasons),
	    TEST(test_a_head_has_the_length_and_no_body),
	    TEST(test_every_body_has_its_length),
	    TEST(test_methods_that_nothing_here_takes_are_answered_whole),
	    TEST(test_what_is_not_there_is_404),
	    TEST(test_an_empty_name_is_no_tunnel_s),
	    TEST(test_what_a_query_has_besides_is_nothing_to_us),
	    TEST(test_the_wrong_method_is_405_and_says_the_right_one),
	    TEST(test_a_path_with_nul_or_broken_escapes_is_refused),
	    TEST(test_too_many_names_are_an_error_and_not_left_out),
	    TEST(test_a_reload_gives_changes_or_409_and_errors),
	    TEST(test_tunnels_are_stopped_and_started_by_name_and_pattern),
	    TEST(test_waiting_ends_when_the_tunnels_are_up),
	    TEST(test_waiting_for_a_name_that_goes_away_is_404),
	    TEST(test_waiting_for_a_stopped_tunnel_by_name_goes_on),
	    TEST(test_a_limit_of_no_time_asks_whether_they_are_up_now),
	    TEST(test_waiting_has_the_limit_that_was_asked_for),
	    TEST(test_too_many_who_wait_are_503_and_leaving_makes_room),
	    TEST(test_who_trickles_a_request_is_cut_off),
	    TEST(test_who_waits_and_goes_on_talking_is_cut_off),
	    TEST(test_the_end_of_the_daemon_ends_those_who_wait),
	    TEST(test_who_listens_hears_the_last_of_it_and_the_end),
	    TEST(test_events_come_as_lines_while_they_happen),
	    TEST(test_who_would_keep_the_connection_hears_events_too),
	    TEST(test_a_slow_reader_of_events_is_told_how_many_it_lost),
	    TEST(test_headers_beyond_the_limit_are_refused),
	    TEST(test_a_body_beyond_the_limit_is_refused),
	    TEST(test_a_client_that_dribbles_stops_nobody_else),
	    TEST(test_noise_is_no_request),
	    TEST(test_the_socket_has_its_mode),
	    TEST(test_a_living_daemons_socket_is_an_error_that_names_it),
	    TEST(test_a_dead_daemons_socket_is_replaced),
	    TEST(test_the_socket_goes_with_the_daemon),
	    TEST(test_the_socket_takes_another_mode_where_it_is),
	    TEST(test_a_socket_whose_file_was_removed_comes_back),
	    TEST(test_the_socket_moves_and_who_is_inside_is_answered),
	    TEST(test_a_socket_that_cannot_move_stays),
	    TEST(test_tcp_answers_gets_for_hosts_that_are_ours_only),
	    TEST(test_a_port_that_was_given_stands_in_the_log),
	    TEST(test_tcp_moves_by_opening_the_new_place_first),
	    TEST(test_who_comes_when_it_is_full_waits_until_somebody_leaves),
	    TEST(test_the_page_has_a_nonce_of_its_own_in_each_answer),
	    TEST(test_the_page_fetches_nothing_from_elsewhere_and_writes_no_markup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
