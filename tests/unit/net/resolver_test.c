#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <event2/dns.h>
#include <event2/dns_struct.h>
#include <event2/util.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "net/resolver.h"

/* A name server on loopback with names of its own, and files that name it. */
struct fixture {
	struct loop *loop;
	struct evdns_server_port *server;
	char resolv_conf[64], hosts[64];
	uint16_t port;
	unsigned asked;
	struct resolver *resolver;
	/* the last answer */
	unsigned answers;
	size_t count;
	struct addr addrs[RESOLVER_ADDRS_MAX];
	struct err err;
};

static void answer_question(
    struct evdns_server_request *request, struct fixture *f, int i, int *error)
{
	const struct evdns_server_question *q = request->questions[i];
	static const uint8_t v4[] = {192, 0, 2, 1, 192, 0, 2, 2},
			     v6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
	static uint8_t many[100 * 4];

	f->asked++;
	if (strcasecmp(q->name, "both.test") == 0 ||
	    strcasecmp(q->name, "short.search.test") == 0) {
		if (q->type == EVDNS_TYPE_A)
			evdns_server_request_add_a_reply(request, q->name, 2, v4, 60);
		else
			evdns_server_request_add_aaaa_reply(request, q->name, 1, v6, 60);
	} else if (strcasecmp(q->name, "many.test") == 0) {
		for (int k = 0; k < 100; k++)
			memcpy(many + (ptrdiff_t)4 * k, (uint8_t[]){10, 0, 0, (uint8_t)k}, 4);
		if (q->type ==
		    EVDNS_TYPE_A) /* what fits into a datagram of 512 bytes without EDNS */
			evdns_server_request_add_a_reply(request, q->name, 28, many, 60);
	} else if (strncasecmp(q->name, "empty.test", 10) == 0) {
		; /* the name exists, and has neither */
	} else if (strcasecmp(q->name, "broken.test") == 0) {
		*error = DNS_ERR_SERVERFAILED;
	} else {
		*error = DNS_ERR_NOTEXIST;
	}
}

static void on_question(struct evdns_server_request *request, void *arg)
{
	int error = 0;

	for (int i = 0; i < request->nquestions; i++)
		answer_question(request, arg, i, &error);
	evdns_server_request_respond(request, error);
}

static void write_file(char path[64], const char *text)
{
	FILE *file;

	if (!*path) {
		int fd = mkstemp(strcpy(path, "/tmp/adit-resolver-XXXXXX"));

		assert_true(fd >= 0);
		close(fd);
	}
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void on_addrs(void *arg, const struct addr *addrs, size_t count, const struct err *e)
{
	struct fixture *f = arg;

	f->answers++;
	f->count = count;
	memcpy(f->addrs, addrs, count * sizeof(*addrs));
	f->err = *e;
	assert_true((count == 0) == err_is_set(e));
}

static void begin(struct fixture *f)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(at);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	char text[200];

	*f = (struct fixture){.loop = loop_new()};
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	f->port = ntohs(at.sin_port);
	f->server = evdns_add_server_port_with_base(loop_base(f->loop), fd, 0, on_question, f);
	snprintf(text, sizeof(text), "nameserver 127.0.0.1:%u\nsearch search.test\n", f->port);
	write_file(f->resolv_conf, text);
	write_file(
	    f->hosts, "# names\n192.0.2.77 known.test alias.test\n2001:db8::77 known.test\n");
	f->resolver = resolver_new(f->loop, f->resolv_conf, f->hosts);
}

static bool have_ipv6(void)
{
	struct addr a;
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(addr_from_literal("::1", 0, &a));
	bool have = fd >= 0 && bind(fd, &a.sa, a.length) == 0;
	if (fd >= 0)
		close(fd);
	return have;
}

static void settle(struct fixture *f)
{
	for (int i = 0; i < 20; i++)
		loop_pass(f->loop, LOOP_NO_WAIT);
}

static void finish(struct fixture *f)
{
	resolver_free(f->resolver);
	evdns_close_server_port(f->server);
	settle(f);
	loop_free(f->loop);
	unlink(f->resolv_conf);
	unlink(f->hosts);
}

static void wait_for_answer(struct fixture *f)
{
	unsigned before = f->answers;

	for (uint64_t end = clock_now_ms() + 10000; f->answers == before && clock_now_ms() < end;)
		loop_pass(f->loop, LOOP_NO_WAIT);
	assert_int_equal(f->answers, before + 1);
}

static void look_up(struct fixture *f, const char *host)
{
	unsigned before = f->answers;

	assert_non_null(resolver_lookup(f->resolver, host, 22, on_addrs, f));
	assert_int_equal(f->answers, before); /* never from inside the call */
	wait_for_answer(f);
}

static bool has(const struct fixture *f, const char *expected)
{
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < f->count; i++) {
		if (strcmp(addr_text(&f->addrs[i], text), expected) == 0)
			return true;
	}
	return false;
}

static void test_literals_ask_nobody(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	look_up(&f, "192.0.2.9");
	assert_int_equal(f.count, 1);
	assert_true(has(&f, "192.0.2.9:22"));
	look_up(&f, "2001:db8::9");
	assert_true(has(&f, "[2001:db8::9]:22"));
	assert_int_equal(f.asked, 0);
	finish(&f);
}

static void test_localhost_asks_nobody(void **state)
{
	static const char *const names[] = {"localhost", "LocalHost.", "db.localhost"};
	struct fixture f;

	(void)state;
	begin(&f);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		look_up(&f, names[i]);
		assert_int_equal(f.count, 2);
		assert_true(has(&f, "127.0.0.1:22"));
		assert_true(has(&f, "[::1]:22"));
	}
	assert_int_equal(f.asked, 0);
	look_up(&f, "notlocalhost");
	assert_true(f.asked > 0);
	finish(&f);
}

static void test_the_hosts_file_goes_before_dns(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	look_up(&f, "known.test");
	assert_int_equal(f.count, 2);
	assert_true(has(&f, "192.0.2.77:22"));
	assert_true(has(&f, "[2001:db8::77]:22"));
	look_up(&f, "ALIAS.test");
	assert_int_equal(f.count, 1);
	assert_int_equal(f.asked, 0);
	finish(&f);
}

static void test_both_families_are_asked_for(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	look_up(&f, "both.test");
	assert_int_equal(f.count, 3);
	assert_true(has(&f, "192.0.2.1:22"));
	assert_true(has(&f, "192.0.2.2:22"));
	assert_true(has(&f, "[2001:db8::1]:22"));
	finish(&f);
}

static void test_search_domains(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	look_up(&f, "short");
	assert_int_equal(f.count, 3);
	finish(&f);
}

static void test_many_addresses(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	look_up(&f, "many.test");
	assert_int_equal(f.count, 28);
	finish(&f);
}

static void test_errors_have_words(void **state)
{
	struct fixture f;
	char server[64], long_name[300];

	(void)state;
	begin(&f);
	look_up(&f, "nowhere.test");
	assert_int_equal(f.err.class, ERR_NETWORK);
	assert_string_equal(f.err.text, "no such name: nowhere.test");
	look_up(&f, "empty.test");
	assert_non_null(strstr(
	    f.err.text, "looking up empty.test: no address from the name servers 127.0.0.1"));
	look_up(&f, "broken.test");
	snprintf(server, sizeof(server), "127.0.0.1:%u", f.port);
	assert_non_null(strstr(f.err.text, server));
	assert_non_null(strstr(f.err.text, "looking up broken.test: no "));
	look_up(&f, "");
	assert_string_equal(f.err.text, "no such name: \"\"");
	look_up(&f, "a..b");
	assert_string_equal(f.err.text, "no such name: a..b");
	look_up(&f, ".");
	assert_string_equal(f.err.text, "no such name: .");
	memset(long_name, 'a', sizeof(long_name));
	long_name[254] = '\0';
	look_up(&f, long_name);
	assert_int_equal(f.err.class, ERR_NETWORK);
	long_name[64] = '\0'; /* a label of 64 */
	look_up(&f, long_name);
	assert_int_equal(f.err.class, ERR_NETWORK);
	finish(&f);
}

static void test_a_missing_resolv_conf_is_no_crash(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	resolver_free(f.resolver);
	f.resolver = resolver_new(f.loop, "/nonexistent/resolv.conf", f.hosts);
	look_up(&f, "known.test");
	assert_int_equal(f.count, 2);
	resolver_free(f.resolver);
	f.resolver = resolver_new(f.loop, "/nonexistent/resolv.conf", "/nonexistent/hosts");
	look_up(&f, "127.0.0.2");
	assert_int_equal(f.count, 1);
	finish(&f);
}

static void test_changed_files_are_read_again(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	look_up(&f, "new.test");
	assert_int_equal(f.count, 0);
	write_file(f.hosts, "192.0.2.99 new.test\n");
	look_up(&f, "new.test");
	assert_int_equal(f.count, 1);
	look_up(&f, "known.test");
	assert_int_equal(f.count, 0);
	finish(&f);
}

static void test_a_changed_resolv_conf_is_read_again(void **state)
{
	struct fixture f;
	char text[200];

	(void)state;
	begin(&f);
	snprintf(text, sizeof(text), "nameserver 127.0.0.1:%u\nsearch elsewhere.test\n", f.port);
	write_file(f.resolv_conf, text);
	look_up(&f, "short");
	assert_int_equal(f.count, 0);
	snprintf(text, sizeof(text), "nameserver 127.0.0.1:%u\nsearch search.test\n", f.port);
	write_file(f.resolv_conf, text);
	look_up(&f, "short");
	assert_int_equal(f.count, 3);
	finish(&f);
}

static void test_what_could_not_be_read_without_descriptors_is_read_later(void **state)
{
	struct fixture f;
	struct rlimit old, few;
	char text[200];

	(void)state;
	begin(&f);
	int highest = dup(0);

	close(highest);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = old;
	few.rlim_cur = (rlim_t)highest; /* no free one is left below */
	snprintf(
	    text, sizeof(text), "nameserver 127.0.0.1:%u\nsearch search.test other.test\n", f.port);
	write_file(f.resolv_conf, text);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	resolver_cancel(resolver_lookup(f.resolver, "short", 22, on_addrs, &f));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	look_up(&f, "short");
	assert_int_equal(f.count, 3);
	look_up(&f, "known.test");
	assert_int_equal(f.count, 2);
	finish(&f);
}

/* RFC 6724 §2.1: ::1 before 127.0.0.1, wherever they stand. */
static void test_addresses_come_in_the_order_of_preference(void **state)
{
	struct fixture f;
	char text[ADDR_TEXT_MAX];

	(void)state;
	begin(&f);
	write_file(f.hosts, "127.0.0.1 own.test\n::1 own.test\n");
	look_up(&f, "own.test");
	assert_int_equal(f.count, 2);
	if (have_ipv6())
		assert_string_equal(addr_host_text(&f.addrs[0], text), "::1");
	else
		assert_string_equal(addr_host_text(&f.addrs[0], text), "127.0.0.1");
	finish(&f);
}

static void test_a_request_under_way_survives_a_change(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	resolver_lookup(f.resolver, "both.test", 22, on_addrs, &f);
	write_file(f.hosts, "192.0.2.99 new.test\n");
	look_up(&f, "new.test"); /* answered first, at once */
	if (f.answers < 2)
		wait_for_answer(&f);
	assert_int_equal(f.count, 3);
	finish(&f);
}

static void test_nothing_comes_after_cancel(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	resolver_cancel(resolver_lookup(f.resolver, "both.test", 22, on_addrs, &f));
	resolver_cancel(resolver_lookup(f.resolver, "127.0.0.1", 22, on_addrs, &f));
	resolver_cancel(resolver_lookup(f.resolver, "known.test", 22, on_addrs, &f));
	resolver_cancel(NULL);

	struct resolver_request *request =
	    resolver_lookup(f.resolver, "both.test", 22, on_addrs, &f);

	loop_pass(f.loop, LOOP_NO_WAIT);
	resolver_cancel(request);
	settle(&f);
	assert_int_equal(f.answers, 0);
	finish(&f);
}

static void test_an_idle_resolver_does_not_keep_the_loop(void **state)
{
	struct loop *loop = loop_new();
	struct resolver *resolver = resolver_new(loop, "/nonexistent", "/nonexistent");

	(void)state;
	assert_false(loop_pass(loop, LOOP_NO_WAIT));
	resolver_free(resolver);
	resolver_free(NULL);
	loop_pass(loop, LOOP_NO_WAIT);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_literals_ask_nobody),
	    cmocka_unit_test(test_localhost_asks_nobody),
	    cmocka_unit_test(test_the_hosts_file_goes_before_dns),
	    cmocka_unit_test(test_both_families_are_asked_for),
	    cmocka_unit_test(test_search_domains),
	    cmocka_unit_test(test_many_addresses),
	    cmocka_unit_test(test_errors_have_words),
	    cmocka_unit_test(test_a_missing_resolv_conf_is_no_crash),
	    cmocka_unit_test(test_changed_files_are_read_again),
	    cmocka_unit_test(test_a_changed_resolv_conf_is_read_again),
	    cmocka_unit_test(test_what_could_not_be_read_without_descriptors_is_read_later),
	    cmocka_unit_test(test_addresses_come_in_the_order_of_preference),
	    cmocka_unit_test(test_a_request_under_way_survives_a_change),
	    cmocka_unit_test(test_nothing_comes_after_cancel),
	    cmocka_unit_test(test_an_idle_resolver_does_not_keep_the_loop),
	};

	return cmocka_run_group_tests_name("net/resolver", tests, NULL, NULL);
}
