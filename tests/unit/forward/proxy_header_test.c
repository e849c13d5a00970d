#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "forward/proxy_header.h"

static struct addr address(const char *host, uint16_t port)
{
	struct addr a = {0};

	assert_true(addr_from_literal(host, port, &a));
	return a;
}

static void assert_header(enum config_send_proxy version, const struct addr *client,
    const struct addr *at, const void *wanted, size_t n)
{
	struct wr w = WR_INIT;

	proxy_header_write(&w, version, client, at);
	assert_int_equal(w.n, n);
	assert_memory_equal(w.p, wanted, n);
	wr_clear(&w);
}

#define ASSERT_V1(client, at, text) \
	assert_header(CONFIG_SEND_PROXY_V1, client, at, text, sizeof(text) - 1)
#define ASSERT_V2(client, at, bytes) \
	assert_header(CONFIG_SEND_PROXY_V2, client, at, bytes, sizeof(bytes) - 1)
#define SIGNATURE "\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a"

static void test_none_is_nothing(void **state)
{
	const struct addr client = address("192.0.2.1", 1), at = address("192.0.2.2", 2);
	struct wr w = WR_INIT;

	(void)state;
	proxy_header_write(&w, CONFIG_SEND_PROXY_NONE, &client, &at);
	assert_int_equal(w.n, 0);
}

static void test_version_1(void **state)
{
	struct addr client = address("203.0.113.5", 40312), at = address("192.0.2.7", 443);

	(void)state;
	ASSERT_V1(&client, &at, "PROXY TCP4 203.0.113.5 192.0.2.7 40312 443\r\n");
	client = address("2001:db8::5", 65535);
	at = address("::1", 1);
	ASSERT_V1(&client, &at, "PROXY TCP6 2001:db8::5 ::1 65535 1\r\n");
}

static void test_version_1_at_its_longest(void **state)
{
	const struct addr longest = address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535);

	(void)state;
	ASSERT_V1(&longest, &longest,
	    "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n");
}

static void test_version_2(void **state)
{
	struct addr client = address("203.0.113.5", 40312), at = address("192.0.2.7", 443);

	(void)state;
	ASSERT_V2(&client, &at,
	    SIGNATURE "\x21\x11\x00\x0c\xcb\x00\x71\x05\xc0\x00\x02\x07\x9d\x78\x01\xbb");
	client = address("2001:db8::5", 40312);
	at = address("2001:db8::7", 443);
	ASSERT_V2(&client, &at,
	    SIGNATURE "\x21\x21\x00\x24"
		      "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x05"
		      "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"
		      "\x9d\x78\x01\xbb");
}

static void test_a_mapped_address_is_an_ipv4_address(void **state)
{
	const struct addr client = address("::ffff:203.0.113.5", 1), at = address("192.0.2.7", 2);

	(void)state;
	ASSERT_V1(&client, &at, "PROXY TCP4 203.0.113.5 192.0.2.7 1 2\r\n");
}

static void test_ends_of_two_families_are_written_in_one(void **state)
{
	const struct addr client = address("203.0.113.5", 1), at = address("2001:db8::7", 2);

	(void)state;
	ASSERT_V1(&client, &at, "PROXY TCP6 ::ffff:203.0.113.5 2001:db8::7 1 2\r\n");
	ASSERT_V2(&client, &at,
	    SIGNATURE "\x21\x21\x00\x24"
		      "\0\0\0\0\0\0\0\0\0\0\xff\xff\xcb\x00\x71\x05"
		      "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"
		      "\x00\x01\x00\x02");
}

static void test_who_has_no_address_is_unknown(void **state)
{
	const struct addr at = address("192.0.2.7", 443), none = {0};
	struct addr path;

	(void)state;
	assert_int_equal(addr_from_path("/run/x", &path, NULL), 0);
	ASSERT_V1(&path, &at, "PROXY UNKNOWN\r\n");
	ASSERT_V1(&none, &at, "PROXY UNKNOWN\r\n");
	ASSERT_V1(&at, &none, "PROXY UNKNOWN\r\n");
	ASSERT_V2(&path, &at, SIGNATURE "\x20\x00\x00\x00");
	ASSERT_V2(&none, &none, SIGNATURE "\x20\x00\x00\x00");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_none_is_nothing),
	    cmocka_unit_test(test_version_1),
	    cmocka_unit_test(test_version_1_at_its_longest),
	    cmocka_unit_test(test_version_2),
	    cmocka_unit_test(test_a_mapped_address_is_an_ipv4_address),
	    cmocka_unit_test(test_ends_of_two_families_are_written_in_one),
	    cmocka_unit_test(test_who_has_no_address_is_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
