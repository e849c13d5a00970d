#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/mem.h"
#include "net/connector.h"
#include "tcp_pair.h"

struct fixture {
	struct loop *loop;
	struct resolver *resolver;
	char hosts[64];
	struct connector *connector;
	struct connector_options options;
	unsigned results, resolved;
	bool cancel_when_resolved;
	int fd;
	struct addr peer;
	struct err err;
};

static void on_done(void *arg, int fd, const struct addr *peer, const struct err *e)
{
	struct fixture *f = arg;

	f->results++;
	f->connector = NULL;
	f->fd = fd;
	f->err = *e;
	assert_true((fd < 0) == err_is_set(e));
	if (peer)
		f->peer = *peer;
}

static void on_resolved(void *arg)
{
	struct fixture *f = arg;

	f->resolved++;
	if (f->cancel_when_resolved)
		connector_cancel(f->connector);
}

static void begin(struct fixture *f, const char *hosts)
{
	int fd;

	*f = (struct fixture){.loop = loop_new(), .fd = -1};
	fd = mkstemp(strcpy(f->hosts, "/tmp/adit-connector-XXXXXX"));
	assert_true(fd >= 0);
	assert_int_equal(write(fd, hosts, strlen(hosts)), (ssize_t)strlen(hosts));
	close(fd);
	f->resolver = resolver_new(f->loop, "/nonexistent", f->hosts);
	f->options.resolver = f->resolver;
	f->options.on_resolved = on_resolved;
}

static void finish(struct fixture *f)
{
	if (f->fd >= 0)
		close(f->fd);
	connector_cancel(f->connector);
	resolver_free(f->resolver);
	for (int i = 0; i < 10; i++)
		loop_pass(f->loop, LOOP_NO_WAIT);
	loop_free(f->loop);
	unlink(f->hosts);
	clock_fake_stop();
}

static void start(struct fixture *f, const char *host, uint16_t port)
{
	struct endpoint to = {.host = host, .port = port};

	f->connector = connector_start(f->loop, &to, &f->options, on_done, f);
	assert_int_equal(f->results, 0);
}

static void wait_for_result(struct fixture *f)
{
	for (uint64_t end = clock_now_ms() + 10000; !f->results && clock_now_ms() < end;)
		loop_pass(f->loop, LOOP_NO_WAIT);
	assert_int_equal(f->results, 1);
}

/* Gives a listening socket and its port. */
static int listen_on(const char *host, uint16_t *port)
{
	struct addr a;
	int fd, on = 1;

	assert_true(addr_from_literal(host, *port, &a));
	fd = socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(fd, &a.sa, a.length), 0);
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(getsockname(fd, &a.sa, &a.length), 0);
	*port = addr_port(&a);
	return fd;
}

/* A port on which nobody listens, and which nobody gets while fd is open. */
static int refusing_port(const char *host, uint16_t *port)
{
	struct addr a;
	int fd = -1;

	assert_true(addr_from_literal(host, 0, &a));
	fd = socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, &a.sa, a.length), 0);
	assert_int_equal(getsockname(fd, &a.sa, &a.length), 0);
	*port = addr_port(&a);
	return fd;
}

static void test_it_connects_to_a_literal(void **state)
{
	struct fixture f;
	uint16_t port = 0;
	int listening = listen_on("127.0.0.1", &port), nodelay = 0;
	socklen_t n = sizeof(nodelay);

	(void)state;
	begin(&f, "");
	start(&f, "127.0.0.1", port);
	wait_for_result(&f);
	assert_true(f.fd >= 0);
	assert_int_equal(f.resolved, 1);
	assert_int_equal(addr_port(&f.peer), port);
	assert_true(fcntl(f.fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(f.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(getsockopt(f.fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, &n), 0);
	assert_int_equal(nodelay, 1);
	assert_does_not_pace(f.fd);
	close(listening);
	finish(&f);
}

static void test_a_refusing_address_is_followed_by_the_next_at_once(void **state)
{
	struct fixture f;
	uint16_t port = 0;
	int listening = listen_on("127.0.0.3", &port);

	(void)state;
	/* Time stands still: no timer can help. */
	clock_fake_start(1000, 1700000000);
	begin(&f, "127.0.0.1 name.test\n127.0.0.2 name.test\n127.0.0.3 name.test\n");
	start(&f, "name.test", port);
	for (int i = 0; i < 1000000 && !f.results; i++)
		loop_pass(f.loop, LOOP_NO_WAIT);
	clock_fake_stop();
	assert_int_equal(f.results, 1);
	assert_true(f.fd >= 0);
	close(listening);
	finish(&f);
}

static bool connects_from_where_it_goes_to;

/* Ours, in the place of the C library's. */
int connect(int fd, const struct sockaddr *to, socklen_t size)
{
	if (connects_from_where_it_goes_to)
		assert_int_equal(bind(fd, to, size), 0);
	return (int)syscall(SYS_connect, fd, to, size);
}

static void test_a_connection_to_itself_is_a_refusal(void **state)
{
	struct fixture f;
	uint16_t port;

	(void)state;
	close(refusing_port("127.0.0.1", &port));
	begin(&f, "");
	connects_from_where_it_goes_to = true;
	start(&f, "127.0.0.1", port);
	wait_for_result(&f);
	connects_from_where_it_goes_to = false;
	assert_int_equal(f.fd, -1);
	assert_non_null(strstr(f.err.text, "Connection refused"));
	finish(&f);
}

static void test_all_refusing_says_what_became_of_each(void **state)
{
	struct fixture f;
	uint16_t port;
	int held = refusing_port("127.0.0.1", &port);
	char expected[200];

	(void)state;
	begin(&f, "127.0.0.1 name.test\n127.0.0.2 name.test\n");
	start(&f, "name.test", port);
	wait_for_result(&f);
	assert_int_equal(f.fd, -1);
	assert_int_equal(f.err.class, ERR_NETWORK);
	snprintf(expected, sizeof(expected),
	    "127.0.0.1:%u: Connection refused; 127.0.0.2:%u: Connection refused", port, port);
	assert_string_equal(f.err.text, expected);
	close(held);
	finish(&f);
}

/* A listener whose queue is full drops what comes: an address that does not answer, without a network. */
static int silent_port(const char *host, uint16_t *port, int fillers[4])
{
	int fd = listen_on(host, port);
	struct addr a;

	assert_int_equal(listen(fd, 0), 0);
	assert_true(addr_from_literal(host, *port, &a));
	for (int i = 0; i < 4; i++) {
		fillers[i] = socket(a.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(fillers[i], &a.sa, a.length);
	}
	return fd;
}

static void close_silent(int fd, const int fillers[4])
{
	for (int i = 0; i < 4; i++)
		close(fillers[i]);
	close(fd);
}

static void settle(struct fixture *f)
{
	for (int i = 0; i < 20; i++)
		loop_pass(f->loop, LOOP_NO_WAIT);
}

static void test_a_silent_address_is_overtaken_after_250_ms(void **state)
{
	struct fixture f;
	uint16_t port = 0;
	int fillers[4], silent = silent_port("127.0.0.1", &port, fillers);
	int listening = listen_on("127.0.0.2", &port);

	(void)state;
	clock_fake_start(1000, 0);
	begin(&f, "127.0.0.1 name.test\n127.0.0.2 name.test\n");
	start(&f, "name.test", port);
	settle(&f);
	loop_fake_advance(f.loop, 249);
	assert_int_equal(f.results, 0);
	loop_fake_advance(f.loop, 1);
	clock_fake_stop();
	wait_for_result(&f);
	assert_true(f.fd >= 0);

	char text[ADDR_TEXT_MAX];

	assert_string_equal(addr_host_text(&f.peer, text), "127.0.0.2");
	close_silent(silent, fillers);
	close(listening);
	finish(&f);
}

static void test_the_deadline_covers_everything_and_names_who_is_silent(void **state)
{
	struct fixture f;
	uint16_t port = 0;
	int fillers[4], silent = silent_port("127.0.0.1", &port, fillers);
	char expected[200];

	(void)state;
	clock_fake_start(1000, 0);
	begin(&f, "");
	f.options.timeout_ms = 1500;
	start(&f, "127.0.0.1", port);
	loop_fake_advance(f.loop, 1499);
	assert_int_equal(f.results, 0);
	loop_fake_advance(f.loop, 1);
	assert_int_equal(f.results, 1);
	assert_int_equal(f.err.class, ERR_TIMEOUT);
	snprintf(expected, sizeof(expected), "not connected within 1.5 s: 127.0.0.1:%u: no answer",
	    port);
	assert_string_equal(f.err.text, expected);
	close_silent(silent, fillers);
	finish(&f);
}

static void test_the_deadline_is_for_the_look_up_too(void **state)
{
	struct fixture f;
	struct addr a;
	char path[] = "/tmp/adit-connector-XXXXXX", text[ADDR_TEXT_MAX];
	int file = mkstemp(path), mute = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct resolver *resolver;

	(void)state;
	assert_true(addr_from_literal("127.0.0.1", 0, &a));
	assert_int_equal(bind(mute, &a.sa, a.length), 0);
	assert_int_equal(getsockname(mute, &a.sa, &a.length), 0);
	assert_true(dprintf(file, "nameserver %s\n", addr_text(&a, text)) > 0);
	close(file);
	clock_fake_start(1000, 0);
	begin(&f, "");
	f.options.resolver = resolver = resolver_new(f.loop, path, f.hosts);
	f.options.timeout_ms = 1500;
	start(&f, "name.test", 22);
	settle(&f);
	loop_fake_advance(f.loop, 1499);
	assert_int_equal(f.results, 0);
	loop_fake_advance(f.loop, 1);
	assert_int_equal(f.results, 1);
	assert_int_equal(f.err.class, ERR_TIMEOUT);
	assert_string_equal(f.err.text, "looking up name.test took more than 1.5 s");
	assert_int_equal(f.resolved, 0);
	resolver_free(resolver);
	close(mute);
	unlink(path);
	finish(&f);
}

/* RFC 8305 §4: a broken family costs one attempt, not all of its addresses. An address of a link without the name of one is
 * never reached. */
static void test_the_families_take_turns(void **state)
{
	struct fixture f;
	uint16_t port;
	int held = refusing_port("127.0.0.1", &port);
	char expected[200];

	(void)state;
	begin(&f, "127.0.0.1 n.test\n127.0.0.2 n.test\nfe80::1 n.test\n");
	start(&f, "n.test", port);
	wait_for_result(&f);
	snprintf(expected, sizeof(expected),
	    "127.0.0.1:%u: Connection refused; [fe80::1]:%u: Invalid argument; "
	    "127.0.0.2:%u: Connection refused",
	    port, port, port);
	assert_string_equal(f.err.text, expected);
	close(held);
	finish(&f);
}

static void test_a_bad_name_is_the_resolvers_error(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "");
	start(&f, "", 22);
	wait_for_result(&f);
	assert_int_equal(f.err.class, ERR_NETWORK);
	assert_int_equal(f.resolved, 0);
	finish(&f);
}

static void test_a_name_without_a_resolver_is_an_error(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "");
	f.options.resolver = NULL;
	start(&f, "name.test", 22);
	wait_for_result(&f);
	assert_int_equal(f.err.class, ERR_LOCAL);
	finish(&f);
}

static void test_the_source_address_is_used(void **state)
{
	struct fixture f;
	uint16_t port = 0;
	int listening = listen_on("127.0.0.1", &port);
	struct addr own = {.length = sizeof(own.storage)};
	char text[ADDR_TEXT_MAX];

	(void)state;
	begin(&f, "");
	f.options.bind_address = "127.0.0.9";
	start(&f, "127.0.0.1", port);
	wait_for_result(&f);
	assert_int_equal(getsockname(f.fd, &own.sa, &own.length), 0);
	assert_string_equal(addr_host_text(&own, text), "127.0.0.9");
	close(listening);
	finish(&f);
}

static void test_a_source_address_that_is_not_ours_is_a_local_error(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "");
	f.options.bind_address = "192.0.2.1";
	start(&f, "127.0.0.1", 1);
	wait_for_result(&f);
	assert_int_equal(f.err.class, ERR_LOCAL);
	assert_non_null(
	    strstr(f.err.text, "127.0.0.1:1: from bind_address 192.0.2.1: Cannot assign"));
	finish(&f);
	begin(&f, "");
	f.options.bind_address = "::1";
	start(&f, "127.0.0.1", 1);
	wait_for_result(&f);
	assert_non_null(
	    strstr(f.err.text, "from bind_address ::1: an address of the other family"));
	finish(&f);
	begin(&f, "");
	f.options.bind_address = "a name";
	start(&f, "127.0.0.1", 1);
	wait_for_result(&f);
	assert_int_equal(f.err.class, ERR_LOCAL);
	finish(&f);
}

static void test_unix_paths(void **state)
{
	struct fixture f;
	char folder[] = "/tmp/adit-connector-XXXXXX", path[64], long_path[200];
	struct endpoint to = {.path = path};
	struct addr a;
	int listening;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/s", folder);

	begin(&f, ""); /* nobody there */
	f.connector = connector_start(f.loop, &to, &f.options, on_done, &f);
	wait_for_result(&f);
	assert_int_equal(f.err.class, ERR_NETWORK);
	assert_non_null(strstr(f.err.text, path));
	finish(&f);

	assert_int_equal(addr_from_path(path, &a, NULL), 0);
	listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listening, &a.sa, a.length), 0);
	assert_int_equal(listen(listening, 0), 0);
	begin(&f, "");
	f.connector = connector_start(f.loop, &to, NULL, on_done, &f);
	wait_for_result(&f);
	assert_true(f.fd >= 0);

	/* Now the queue is full: it waits until somebody is taken. */
	struct fixture g;

	begin(&g, "");
	g.connector = connector_start(g.loop, &to, &g.options, on_done, &g);
	settle(&g);
	assert_int_equal(g.results, 0);
	close(accept(listening, NULL, NULL));
	wait_for_result(&g);
	assert_true(g.fd >= 0);
	finish(&g);
	finish(&f);

	memset(long_path, 'x', sizeof(long_path));
	long_path[199] = '\0';
	to.path = long_path;
	begin(&f, "");
	f.connector = connector_start(f.loop, &to, NULL, on_done, &f);
	wait_for_result(&f);
	assert_int_equal(f.err.class, ERR_CONFIG);
	finish(&f);
	close(listening);
	unlink(path);
	rmdir(folder);
}

static void test_nothing_comes_after_cancel(void **state)
{
	struct fixture f;
	uint16_t port = 0;
	int listening = listen_on("127.0.0.1", &port);

	(void)state;
	for (int passes = 0; passes < 4; passes++) {
		begin(&f, "127.0.0.1 name.test\n");
		start(&f, "name.test", port);
		for (int i = 0; i < passes && !f.results; i++)
			loop_pass(f.loop, LOOP_NO_WAIT);
		if (!f.results) {
			connector_cancel(f.connector);
			f.connector = NULL;
			settle(&f);
			assert_int_equal(f.results, 0);
		}
		finish(&f);
	}
	connector_cancel(NULL);
	close(listening);
}

static void test_it_may_be_cancelled_when_resolved(void **state)
{
	struct fixture f;
	uint16_t port = 0;
	int listening = listen_on("127.0.0.1", &port);

	(void)state;
	begin(&f, "");
	f.cancel_when_resolved = true;
	start(&f, "127.0.0.1", port);
	settle(&f);
	assert_int_equal(f.resolved, 1);
	assert_int_equal(f.results, 0);
	f.connector = NULL;
	close(listening);
	finish(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_it_connects_to_a_literal),
	    cmocka_unit_test(test_a_refusing_address_is_followed_by_the_next_at_once),
	    cmocka_unit_test(test_a_connection_to_itself_is_a_refusal),
	    cmocka_unit_test(test_all_refusing_says_what_became_of_each),
	    cmocka_unit_test(test_a_silent_address_is_overtaken_after_250_ms),
	    cmocka_unit_test(test_the_deadline_covers_everything_and_names_who_is_silent),
	    cmocka_unit_test(test_the_deadline_is_for_the_look_up_too),
	    cmocka_unit_test(test_the_families_take_turns),
	    cmocka_unit_test(test_a_bad_name_is_the_resolvers_error),
	    cmocka_unit_test(test_a_name_without_a_resolver_is_an_error),
	    cmocka_unit_test(test_the_source_address_is_used),
	    cmocka_unit_test(test_a_source_address_that_is_not_ours_is_a_local_error),
	    cmocka_unit_test(test_unix_paths),
	    cmocka_unit_test(test_nothing_comes_after_cancel),
	    cmocka_unit_test(test_it_may_be_cancelled_when_resolved),
	};

	return cmocka_run_group_tests_name("net/connector", tests, NULL, NULL);
}
