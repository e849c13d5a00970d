#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/addr.h"

static struct addr literal(const char *host, uint16_t port)
{
	struct addr a;

	assert_true(addr_from_literal(host, port, &a));
	return a;
}

static void expect_text(const char *host, uint16_t port, const char *expected)
{
	char text[ADDR_TEXT_MAX];
	struct addr a = literal(host, port);

	assert_string_equal(addr_text(&a, text), expected);
	assert_int_equal(addr_port(&a), port);
}

static void test_literals_become_text_again(void **state)
{
	(void)state;
	expect_text("192.0.2.1", 22, "192.0.2.1:22");
	expect_text("2001:DB8:0::1", 65535, "[2001:db8::1]:65535");
	expect_text("::", 0, "[::]:0");
	expect_text("fe80::1%lo", 22, "[fe80::1%lo]:22");
	expect_text("fe80::1%4000000000", 22, "[fe80::1%4000000000]:22");
}

static void test_names_are_not_literals(void **state)
{
	static const char *const names[] = {"", "localhost", "1.2.3", "1.2.3.4.5", "01.2.3.256",
	    "[::1]", "::1%", "::1%nosuchinterface", "fe80::1%0", "1.2.3.4%lo", ":::", "1.2.3.4 ",
	    "1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111"};
	struct addr a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_false(addr_from_literal(names[i], 1, &a));
}

static void test_host_text_has_no_port(void **state)
{
	char text[ADDR_TEXT_MAX];
	struct addr a = literal("2001:db8::1", 22), unix_addr;

	(void)state;
	assert_string_equal(addr_host_text(&a, text), "2001:db8::1");
	assert_int_equal(addr_from_path("/run/x", &unix_addr, NULL), 0);
	assert_string_equal(addr_host_text(&unix_addr, text), "");
}

static void test_unix_addresses_as_text(void **state)
{
	char text[ADDR_TEXT_MAX];
	struct addr a;
	struct addr unnamed = {.un.sun_family = AF_UNIX, .length = sizeof(sa_family_t)};
	struct addr abstract = {.un = {AF_UNIX, "\0abc"}, .length = sizeof(sa_family_t) + 4};
	struct addr full = {.un.sun_family = AF_UNIX, .length = sizeof(struct sockaddr_un)};
	struct addr none = {0};

	(void)state;
	assert_int_equal(addr_from_path("/run/x", &a, NULL), 0);
	assert_string_equal(addr_text(&a, text), "unix:/run/x");
	assert_int_equal(addr_port(&a), 0);
	assert_string_equal(addr_text(&unnamed, text), "unix:");
	assert_string_equal(addr_text(&abstract, text), "unix:@abc");
	memset(full.un.sun_path, 'p',
	    sizeof(full.un.sun_path)); /* no NUL, as the kernel may give it */
	assert_int_equal(strlen(addr_text(&full, text)), 5 + 108);
	assert_string_equal(addr_text(&none, text), "");
}

static void test_a_path_that_is_too_long_is_refused_with_its_length(void **state)
{
	char path[109];
	struct addr a;
	struct err e = ERR_INIT;

	(void)state;
	memset(path, 'p', 108);
	path[107] = '\0';
	assert_int_equal(addr_from_path(path, &a, &e), 0);
	path[107] = 'p';
	path[108] = '\0';
	assert_int_equal(addr_from_path(path, &a, &e), ERR_CONFIG);
	assert_non_null(strstr(e.text, "108"));
	assert_int_equal(addr_from_path("", &a, NULL), ERR_CONFIG);
}

static void test_equal_means_host_port_and_zone(void **state)
{
	struct addr a = literal("10.0.0.1", 1), b = literal("10.0.0.1", 2),
		    c = literal("10.0.0.2", 1);
	struct addr near = literal("fe80::1%1", 1), far = literal("fe80::1%2", 1);
	struct addr x, y, none = {0};

	(void)state;
	assert_true(addr_equal(&a, &a));
	assert_false(addr_equal(&a, &b));
	assert_false(addr_equal(&a, &c));
	assert_false(addr_equal(&a, &near));
	assert_false(addr_equal(&near, &far));
	assert_int_equal(addr_from_path("/x", &x, NULL), 0);
	assert_int_equal(addr_from_path("/xy", &y, NULL), 0);
	assert_true(addr_equal(&x, &x));
	assert_false(addr_equal(&x, &y));
	assert_false(addr_equal(&x, &none));
	assert_true(addr_equal(&none, &none));
}

static void test_what_is_loopback(void **state)
{
	static const char *const yes[] = {"127.0.0.1", "127.255.1.2", "::1", "::ffff:127.0.0.1"};
	static const char *const no[] = {"128.0.0.1", "0.0.0.0", "::", "::2", "::ffff:10.0.0.1"};
	struct addr a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		a = literal(yes[i], 1);
		assert_true(addr_is_loopback(&a));
	}
	for (size_t i = 0; i < ARRAY_LEN(no); i++) {
		a = literal(no[i], 1);
		assert_false(addr_is_loopback(&a));
	}
	assert_int_equal(addr_from_path("/x", &a, NULL), 0);
	assert_true(addr_is_loopback(&a));
}

static void test_mapped_addresses_become_ipv4(void **state)
{
	struct addr mapped = literal("::ffff:192.0.2.1", 22), plain = literal("192.0.2.1", 22);
	struct addr other = literal("2001:db8::1", 22), same = other;

	(void)state;
	addr_unmap(&mapped);
	assert_true(addr_equal(&mapped, &plain));
	assert_int_equal(mapped.length, plain.length);
	addr_unmap(&other);
	assert_true(addr_equal(&other, &same));
}

static void expect_block(const char *block, const char *in, const char *out)
{
	struct cidr c;
	struct addr a;

	assert_true(cidr_from_text(block, &c));
	a = literal(in, 9);
	assert_true(cidr_has(&c, &a));
	a = literal(out, 9);
	assert_false(cidr_has(&c, &a));
}

static void test_blocks_have_what_is_in_them(void **state)
{
	struct cidr c;
	struct addr a;

	(void)state;
	expect_block("10.0.0.0/8", "10.255.0.1", "11.0.0.0");
	expect_block("10.0.0.0/9", "10.127.255.255", "10.128.0.0");
	expect_block("192.0.2.1", "192.0.2.1", "192.0.2.2");
	expect_block("192.0.2.1/32", "192.0.2.1", "192.0.2.0");
	expect_block("0.0.0.0/0", "255.1.2.3", "::1");
	expect_block("2001:db8::/33", "2001:db8:7fff::", "2001:db8:8000::");
	expect_block("::/0", "::1", "10.0.0.1");
	expect_block("10.0.0.0/8", "::ffff:10.0.0.1", "::10.0.0.1");
	expect_block("::ffff:10.0.0.0/104", "10.1.1.1", "11.1.1.1");
	assert_true(cidr_from_text("0.0.0.0/0", &c));
	assert_int_equal(addr_from_path("/x", &a, NULL), 0);
	assert_false(cidr_has(&c, &a));
}

static void test_what_is_no_block(void **state)
{
	static const char *const bad[] = {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1",
	    "10.0.0.0/8x", "10.1.0.0/8", "::/129", "2001:db8::1/64", "name/8", "10.0.0.0/8/8",
	    "fe80::%lo/64", "1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111/64"};
	struct cidr c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(cidr_from_text(bad[i], &c));
}

static void test_places_as_text(void **state)
{
	char text[ENDPOINT_TEXT_MAX];

	(void)state;
	assert_string_equal(
	    endpoint_text(&(struct endpoint){.host = "db", .port = 5432}, text), "db:5432");
	assert_string_equal(
	    endpoint_text(&(struct endpoint){.host = "::1", .port = 1}, text), "[::1]:1");
	assert_string_equal(endpoint_text(&(struct endpoint){.host = "", .port = 1}, text), "*:1");
	assert_string_equal(endpoint_text(&(struct endpoint){.host = "*", .port = 1}, text), "*:1");
	assert_string_equal(
	    endpoint_text(&(struct endpoint){.path = "/run/x"}, text), "unix:/run/x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_literals_become_text_again),
	    cmocka_unit_test(test_names_are_not_literals),
	    cmocka_unit_test(test_host_text_has_no_port),
	    cmocka_unit_test(test_unix_addresses_as_text),
	    cmocka_unit_test(test_a_path_that_is_too_long_is_refused_with_its_length),
	    cmocka_unit_test(test_equal_means_host_port_and_zone),
	    cmocka_unit_test(test_what_is_loopback),
	    cmocka_unit_test(test_mapped_addresses_become_ipv4),
	    cmocka_unit_test(test_blocks_have_what_is_in_them),
	    cmocka_unit_test(test_what_is_no_block),
	    cmocka_unit_test(test_places_as_text),
	};

	return cmocka_run_group_tests_name("net/addr", tests, NULL, NULL);
}
