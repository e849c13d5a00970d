#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"
#include "config/read.h"
#include "tests/lib/free_port.h"

enum { SETTLE_PASSES = 150, STEP_MS = 250 };

struct loop *rig_loop;
struct resolver *rig_resolver;
struct gate *rig_gate;
struct place rig_places[PLACES];
uint16_t rig_ports[3];
struct manager *rig_manager;
bool rig_is_shut_down;

static char folder[64];
static struct strbuf log_lines;

/* ---- time ---- */

/*
 * What is sent over loopback waits in a queue of the processor until the kernel finds time, and on a busy machine that may
 * be after a hundred passes. So all happens on one processor, and what goes through its queue last is waited for.
 */
static int queue[2] = {-1, -1}; /* two UDP sockets, the first sends to the second */

static void queue_open(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(to);
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET((size_t)sched_getcpu(), &here);
	assert_int_equal(sched_setaffinity(0, sizeof(here), &here), 0);
	for (size_t i = 0; i < 2; i++)
		assert_true((queue[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) >= 0);
	assert_int_equal(bind(queue[1], (struct sockaddr *)&to, n), 0);
	assert_int_equal(getsockname(queue[1], (struct sockaddr *)&to, &n), 0);
	assert_int_equal(connect(queue[0], (struct sockaddr *)&to, n), 0);
}

static void queue_close(void)
{
	close(queue[0]);
	close(queue[1]);
}

/* A datagram may be lost, where the kernel is short of memory: then another one goes. */
static void wait_for_the_queue(void)
{
	static unsigned last;
	struct pollfd arrival = {.fd = queue[1], .events = POLLIN};
	unsigned mark = ++last, got = 0;

	for (int tries = 0; got != mark; tries++) {
		assert_in_range(tries, 0, 100);
		assert_int_equal(send(queue[0], &mark, sizeof(mark), 0), sizeof(mark));
		while (got != mark && poll(&arrival, 1, 100) == 1)
			assert_int_equal(recv(queue[1], &got, sizeof(got), 0), sizeof(got));
	}
}

void rig_settle(void)
{
	for (int i = 0; i < SETTLE_PASSES; i++) {
		loop_pass(rig_loop, LOOP_NO_WAIT);
		wait_for_the_queue();
	}
}

void rig_advance(uint64_t ms)
{
	rig_settle();
	while (ms > STEP_MS) {
		loop_fake_advance(rig_loop, STEP_MS);
		rig_settle();
		ms -= STEP_MS;
	}
	loop_fake_advance(rig_loop, ms);
	rig_settle();
}

/* ---- jumps: a channel of one server leads to another ---- */

struct jump {
	struct list node; /* in the place's channels */
	struct server *server;
	uint32_t id;
	struct bufferevent *bev;
	bool we_closed, they_closed; /* the channel */
};

static void place_serve(struct place *place, struct bufferevent *bev);

static void send_words(struct server *s, uint8_t type, const uint32_t *words, size_t count)
{
	struct wr w = WR_INIT;

	wr_u8(&w, type);
	for (size_t i = 0; i < count; i++)
		wr_u32(&w, words[i]);
	if (type == SSH_MSG_CHANNEL_OPEN_FAILURE) {
		wr_cstring(&w, "Connection refused");
		wr_cstring(&w, "");
	}
	server_send(s, wr_span(&w));
	wr_clear(&w);
}

static void jump_free(struct jump *jump)
{
	list_remove(&jump->node);
	bev_reset(jump->bev);
	free(jump);
}

static void send_close(struct jump *jump)
{
	if (!jump->we_closed)
		send_words(jump->server, SSH_MSG_CHANNEL_CLOSE, &jump->id, 1);
	jump->we_closed = true;
}

static void close_channel(struct jump *jump)
{
	send_close(jump);
	if (jump->they_closed)
		jump_free(jump);
}

static void jump_readable(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct jump *jump = arg;
	size_t n;

	while ((n = evbuffer_get_length(in)) > 0) {
		struct wr w = WR_INIT;

		n = n < 16384 ? n : 16384;
		wr_u8(&w, SSH_MSG_CHANNEL_DATA);
		wr_u32(&w, jump->id);
		wr_string(&w, SPAN(evbuffer_pullup(in, (ev_ssize_t)n), n));
		evbuffer_drain(in, n);
		server_send(jump->server, wr_span(&w));
		wr_clear(&w);
	}
}

static void jump_ended(struct bufferevent *bev, short what, void *arg)
{
	struct jump *jump = arg;

	(void)bev;
	(void)what;
	close_channel(jump);
}

static struct place *place_at(uint32_t port)
{
	for (size_t i = 0; i < PLACES; i++)
		if (rig_places[i].port == port)
			return &rig_places[i];
	return NULL;
}

/* RFC 4254 §5.1, §7.2 */
static void jump_open(struct place *place, struct server *s, struct rd *r)
{
	struct bufferevent *pair[2];
	uint32_t id = rd_u32(r);

	rd_u32(r);
	rd_u32(r);
	rd_string(r);
	struct place *to = place_at(rd_u32(r));
	if (to && to->listener && to->manners == PLACE_IS_MUTE)
		return;
	if (!to || !to->listener || to->manners == PLACE_IS_FORBIDDEN) {
		send_words(s, SSH_MSG_CHANNEL_OPEN_FAILURE,
		    (uint32_t[]){id, to && to->listener ? 1 : 2}, 2);
		return;
	}
	struct jump *jump = NEW(struct jump);
	bev_pair_new(rig_loop, pair);
	jump->server = s;
	jump->id = id;
	jump->bev = pair[0];
	list_append(&place->channels, &jump->node);
	bufferevent_setcb(pair[0], jump_readable, NULL, jump_ended, jump);
	send_words(
	    s, SSH_MSG_CHANNEL_OPEN_CONFIRMATION, (uint32_t[]){id, id, UINT32_MAX / 2, 32768}, 4);
	place_serve(to, pair[1]);
}

static struct jump *jump_of(struct place *place, struct server *s, uint32_t id)
{
	LIST_FOREACH(node, &place->channels)
	{
		struct jump *jump = CONTAINER_OF(node, struct jump, node);

		if (jump->server == s && jump->id == id)
			return jump;
	}
	return NULL;
}

static void jump_input(struct jump *jump, uint8_t type, struct rd *r)
{
	if (type == SSH_MSG_CHANNEL_DATA) {
		struct span data = rd_string(r);

		bufferevent_write(jump->bev, data.p, data.n);
	} else if (type == SSH_MSG_CHANNEL_EOF) {
		bev_finish(jump->bev);
	} else if (type == SSH_MSG_CHANNEL_CLOSE) {
		bool over = jump->we_closed;

		send_close(jump);
		jump->they_closed = true;
		if (over)
			jump_free(jump);
		else
			bev_finish(jump->bev); /* the server above has to read what came first */
	}
}

/* PROTOCOL §1.8 */
static void answer_ping(struct server *s, struct rd *r)
{
	struct wr w = WR_INIT;

	wr_u8(&w, SSH_MSG_PONG);
	wr_string(&w, rd_string(r));
	server_send(s, wr_span(&w));
	wr_clear(&w);
}

/* Channels to a port of ours are jumps; to any other the server sends back what it gets. */
static bool on_message(void *arg, struct server *s, struct span payload)
{
	struct place *place = arg;
	struct rd r;

	rd_init(&r, payload);
	uint8_t type = rd_u8(&r);
	if (type == SSH_MSG_PING) {
		answer_ping(s, &r);
		return true;
	}
	if (type == SSH_MSG_CHANNEL_OPEN) {
		struct rd ahead = r;

		rd_string(&ahead);
		rd_u32(&ahead);
		rd_u32(&ahead);
		rd_u32(&ahead);
		rd_string(&ahead);
		if (!place_at(rd_u32(&ahead)))
			return false;
		rd_string(&r); /* channel type */
		jump_open(place, s, &r);
		return true;
	}
	if (type < SSH_MSG_CHANNEL_WINDOW_ADJUST || type > SSH_MSG_CHANNEL_CLOSE)
		return false;
	struct jump *jump = jump_of(place, s, rd_u32(&r));
	if (!jump)
		return false;
	jump_input(jump, type, &r);
	return true;
}

/* ---- places ---- */

static void end_jumps(struct place *place, const struct server *s)
{
	LIST_FOREACH(node, &place->channels)
	{
		struct jump *jump = CONTAINER_OF(node, struct jump, node);

		if (!s || jump->server == s)
			jump_free(jump);
	}
}

static void place_serve(struct place *place, struct bufferevent *bev)
{
	struct server_script script = place->script;

	assert_true(place->accepted < PLACE_SERVERS_MAX);
	if (place->manners == PLACE_HANGS_UP) {
		place->servers[place->accepted++] = NULL;
		bev_free(bev);
		return;
	}
	if (place->manners == PLACE_IS_MUTE)
		script.ident = "";
	if (!script.on_message) {
		script.on_message = on_message;
		script.arg = place;
	}
	struct server *s = server_new(rig_loop, bev, &script);
	if (place->manners == PLACE_IS_MUTE)
		server_fall_silent(s);
	place->servers[place->accepted++] = s;
}

static void on_accept(void *arg, int fd, const struct addr *peer)
{
	struct place *place = arg;

	place->client = *peer;
	place_serve(place, bev_socket_new(rig_loop, fd));
}

void place_open(struct place *place)
{
	struct err e = ERR_INIT;

	if (!place->port)
		place->port = free_port();

	struct endpoint at = {.host = "127.0.0.1", .port = place->port};

	place->listener = listener_new(rig_loop, &at, NULL, on_accept, place, &e);
	if (!place->listener)
		fail_msg("%s", e.text);
}

void place_close(struct place *place)
{
	listener_free(place->listener);
	place->listener = NULL;
}

void place_kill(struct place *place)
{
	for (size_t i = 0; i < place->accepted; i++)
		if (place->servers[i] && !server_saw_end(place->servers[i]))
			server_reset(place->servers[i]);
	end_jumps(place, NULL);
	rig_settle();
}

void place_fall_silent(struct place *place)
{
	for (size_t i = 0; i < place->accepted; i++)
		if (place->servers[i])
			server_fall_silent(place->servers[i]);
}

size_t place_live_count(const struct place *place)
{
	size_t n = 0;

	for (size_t i = 0; i < place->accepted; i++)
		n += place->servers[i] && !server_saw_end(place->servers[i]);
	return n;
}

struct server *place_last(const struct place *place)
{
	assert_true(place->accepted > 0);
	return place->servers[place->accepted - 1];
}

/* ---- configurations ---- */

const char *rig_folder(void)
{
	return folder;
}

static void write_file(const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

void rig_hosts(const char *text)
{
	write_file("hosts", text);
}

static void add_expanded(struct strbuf *b, const char *text)
{
	for (const char *p = text; *p; p++) {
		if (strncmp(p, "${DIR}", 6) == 0) {
			strbuf_add(b, folder);
			p += 5;
		} else if (p[0] == '$' && p[1] == '{' && p[2] >= 'A' && p[2] < 'A' + PLACES &&
			   p[3] == '}') {
			strbuf_addf(b, "%u", rig_places[p[2] - 'A'].port);
			p += 3;
		} else if (p[0] == '$' && p[1] == '{' && p[2] >= 'P' && p[2] <= 'R' &&
			   p[3] == '}') {
			strbuf_addf(b, "%u", rig_ports[p[2] - 'P']);
			p += 3;
		} else {
			strbuf_add_n(b, p, 1);
		}
	}
}

struct config *rig_config(const char *text)
{
	struct config_errors errors = {0};
	struct strbuf b = {0};
	char *pin = key_fingerprint(key_blob(server_host_key()));

	strbuf_addf(&b,
	    "host_defaults: { address = \"127.0.0.1\"; user = \"u\"; agent = false; host_key = "
	    "\"%s\"; password = \"file:%s/password\"; update_host_keys = false; };\n",
	    pin, folder);
	add_expanded(&b, text);
	struct config *config = config_read_text(strbuf_text(&b), "/rig.conf", &errors);
	if (!config)
		fail_msg("%d: %s", errors.v[0].line, errors.v[0].text);
	strbuf_clear(&b);
	free(pin);
	return config;
}

/* ---- a manager ---- */

static void on_shut_down(void *arg)
{
	(void)arg;
	rig_is_shut_down = true;
}

void rig_apply(const char *text)
{
	struct manager_options options = {
	    .loop = rig_loop, .resolver = rig_resolver, .on_shut_down = on_shut_down};
	struct config *next = rig_config(text);

	if (!rig_manager)
		rig_manager = manager_new(&options);
	/* The manager keeps what it needs of the old one, and no more. */
	struct config_plan *plan = config_diff(manager_config(rig_manager), next);
	manager_apply(rig_manager, next, plan);
	config_plan_free(plan);
	config_unref(next);
	rig_settle();
}

struct tunnel *rig_tunnel(const char *name)
{
	struct tunnel *tunnel = manager_find_tunnel(rig_manager, name);

	assert_non_null(tunnel);
	return tunnel;
}

const struct host *rig_host(const char *name)
{
	for (size_t i = 0; i < manager_host_count(rig_manager); i++)
		if (strcmp(host_name(manager_host(rig_manager, i)), name) == 0)
			return manager_host(rig_manager, i);
	fail_msg("no host %s", name);
	return NULL;
}

void assert_tunnel(const char *name, enum tunnel_state state)
{
	assert_string_equal(
	    tunnel_state_name(tunnel_state(rig_tunnel(name))), tunnel_state_name(state));
}

struct forward_status rig_forward(const char *tunnel)
{
	struct forward_status status;

	tunnel_forward_status(rig_tunnel(tunnel), 0, &status);
	return status;
}

/* ---- clients ---- */

static void hang_up(void *arg, int fd, const struct addr *peer)
{
	(void)arg;
	(void)peer;
	close(fd);
}

struct listener *rig_occupy(uint16_t port)
{
	struct endpoint at = {.host = "127.0.0.1", .port = port};
	struct listener *other = listener_new(rig_loop, &at, NULL, hang_up, NULL, NULL);

	assert_non_null(other);
	return other;
}

int rig_client(uint16_t port)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0)
		fail_msg("port %u: %s", port, strerror(errno));
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	rig_settle();
	return fd;
}

void rig_client_send(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	rig_settle();
}

const char *rig_client_got(int fd)
{
	static char got[4096];

	rig_settle();
	ssize_t n = recv(fd, got, sizeof(got) - 1, 0);
	if (n == 0)
		return "EOF";
	if (n < 0)
		return errno == EAGAIN ? "" : "reset";
	got[n] = '\0';
	return got;
}

void assert_echo(int fd, const char *text)
{
	rig_client_send(fd, text);
	assert_string_equal(rig_client_got(fd), text);
}

/* ---- the log ---- */

static void on_line(void *arg, enum log_level level, const char *line)
{
	(void)arg;
	(void)level;
	strbuf_addf(&log_lines, "%s\n", line);
}

size_t rig_log_count(const char *part)
{
	size_t n = 0;

	for (const char *at = strbuf_text(&log_lines); (at = strstr(at, part)); at++)
		n++;
	return n;
}

bool rig_log_has(const char *part)
{
	return rig_log_count(part) > 0;
}

const char *rig_log(void)
{
	return strbuf_text(&log_lines);
}

/* ---- setup ---- */

int rig_setup(void **state)
{
	char hosts[256];

	(void)state;
	random_seed_for_tests(7);
	clock_fake_start(1000000, 1700000000);
	log_set_level(LOG_LEVEL_DEBUG);
	log_set_sink(on_line, NULL);
	queue_open();
	rig_loop = loop_new();
	rig_gate = gate_new(rig_loop);
	snprintf(folder, sizeof(folder), "/tmp/adit-test-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(hosts, sizeof(hosts), "%s/hosts", folder);
	rig_resolver = resolver_new(rig_loop, "/nonexistent", hosts);
	assert_int_equal(setenv("HOME", folder, 1), 0);
	write_file("password", "secret\n");
	for (size_t i = 0; i < 3; i++)
		rig_ports[i] = free_port();
	rig_is_shut_down = false;
	for (size_t i = 0; i < PLACES; i++) {
		rig_places[i] = (struct place){0};
		list_init(&rig_places[i].channels);
		place_open(&rig_places[i]);
	}
	return 0;
}

static void remove_folder(void)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	char path[512];

	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		(void)unlink(path);
	}
	if (dir)
		closedir(dir);
	(void)rmdir(folder);
}

int rig_teardown(void **state)
{
	(void)state;
	manager_free(rig_manager);
	rig_manager = NULL;
	assert_false(rig_log_has("bug"));
	rig_settle();
	for (size_t i = 0; i < PLACES; i++) {
		struct place *place = &rig_places[i];

		place_close(place);
		end_jumps(place, NULL);
		for (size_t k = 0; k < place->accepted; k++) {
			if (place->servers[k])
				assert_string_equal(server_complaint(place->servers[k]), "");
			server_free(place->servers[k]);
		}
	}
	rig_settle();
	gate_free(rig_gate);
	resolver_free(rig_resolver);
	loop_free(rig_loop);
	queue_close();
	log_set_sink(NULL, NULL);
	strbuf_clear(&log_lines);
	remove_folder();
	random_seed_for_tests(0);
	clock_fake_stop();
	return 0;
}

struct link_env rig_link_env(void)
{
	return (struct link_env){.loop = rig_loop, .resolver = rig_resolver, .gate = rig_gate};
}
