#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "forward/access.h"

/* A list of a configuration, which never changes what it owns. */
#define STRINGS(...) \
	{ \
		(char **)(const char *[]){__VA_ARGS__}, \
		    sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *) \
	}

static struct access *make(const struct config_forward *config)
{
	struct err e = ERR_INIT;
	struct access *access = access_new(config, &e);

	if (!access)
		fail_msg("%s", e.text);
	return access;
}

static void assert_refused(const struct config_forward *config, const char *text)
{
	struct err e = ERR_INIT;

	assert_null(access_new(config, &e));
	assert_int_equal(e.class, ERR_CONFIG);
	assert_non_null(strstr(e.text, text));
}

static bool allows(const struct access *access, const char *host)
{
	struct addr a;

	assert_true(addr_from_literal(host, 4711, &a));
	return access_allows_address(access, &a);
}

static void test_without_lists_everything_is_allowed(void **state)
{
	const struct config_forward config = {0};
	struct access *access = make(&config);
	const struct addr none = {0};
	const struct credentials nobody = {0};

	(void)state;
	assert_false(access_has_client_list(access));
	assert_true(allows(access, "192.0.2.1"));
	assert_true(access_allows_address(access, &none));
	assert_true(access_allows_credentials(access, &nobody));
	assert_true(access_allows_target(access, "anything", 1));
	access_free(access);
}

static void test_clients_by_block(void **state)
{
	const struct config_forward config = {
	    .allow = STRINGS("10.0.0.0/8", "2001:db8::/32", "192.0.2.1")};
	struct access *access = make(&config);
	const struct addr none = {0};
	struct addr path;

	(void)state;
	assert_true(access_has_client_list(access));
	assert_true(allows(access, "10.255.0.1"));
	assert_true(allows(access, "::ffff:10.0.0.1"));
	assert_true(allows(access, "2001:db8:ffff::1"));
	assert_true(allows(access, "192.0.2.1"));
	assert_false(allows(access, "11.0.0.1"));
	assert_false(allows(access, "192.0.2.2"));
	assert_false(allows(access, "2001:db9::1"));
	assert_false(access_allows_address(access, &none));
	assert_int_equal(addr_from_path("/run/x", &path, NULL), 0);
	assert_false(access_allows_address(access, &path));
	access_free(access);
}

static void test_users_and_groups(void **state)
{
	const struct config_forward config = {
	    .allow_users = STRINGS("root", "4711"), .allow_groups = STRINGS("815")};
	struct access *access = make(&config);
	gid_t groups[] = {1, 815};
	struct credentials who = {.known = true, .uid = 0, .gid = 1};

	(void)state;
	assert_true(access_allows_credentials(access, &who));
	who.uid = 4711;
	assert_true(access_allows_credentials(access, &who));
	who.uid = 1;
	assert_false(access_allows_credentials(access, &who));
	who.gid = 815;
	assert_true(access_allows_credentials(access, &who));
	who.gid = 1;
	who.groups = groups;
	who.group_count = 2;
	assert_true(access_allows_credentials(access, &who));
	who.group_count = 1;
	assert_false(access_allows_credentials(access, &who));
	/* uid 0, but nobody said so. */
	assert_false(access_allows_credentials(access, &(struct credentials){0}));
	access_free(access);
}

static void test_who_is_not_there_is_an_error(void **state)
{
	(void)state;
	assert_refused(
	    &(struct config_forward){.allow_users = STRINGS("no-such-user")}, "no-such-user");
	assert_refused(
	    &(struct config_forward){.allow_groups = STRINGS("no-such-group")}, "no-such-group");
	assert_refused(
	    &(struct config_forward){.allow_users = STRINGS("4294967295")}, "4294967295");
	assert_refused(&(struct config_forward){.allow = STRINGS("10.0.0.0/8", "ten")}, "ten");
}

static void test_targets_by_name(void **state)
{
	const struct config_forward config = {
	    .allow_to = STRINGS("*.internal:5432", "web?:*", "Exact.Name:80")};
	struct access *access = make(&config);

	(void)state;
	assert_true(access_allows_target(access, "db.internal", 5432));
	assert_true(access_allows_target(access, "DB.Internal", 5432));
	assert_true(access_allows_target(access, "a.b.internal", 5432));
	assert_false(access_allows_target(access, "db.internal", 5433));
	assert_false(access_allows_target(access, "internal", 5432));
	assert_false(access_allows_target(access, "db.internal.", 5432));
	assert_false(access_allows_target(access, "db.internal.evil.example", 5432));
	assert_true(access_allows_target(access, "web1", 1));
	assert_false(access_allows_target(access, "web10", 1));
	assert_true(access_allows_target(access, "exact.name", 80));
	access_free(access);
}

static void test_targets_by_block(void **state)
{
	const struct config_forward config = {
	    .allow_to = STRINGS("10.0.0.0/8:*", "192.0.2.1:80", "[2001:db8::/32]:443", "[::1]:1")};
	struct access *access = make(&config);

	(void)state;
	assert_true(access_allows_target(access, "10.1.2.3", 9));
	assert_true(access_allows_target(access, "::ffff:10.1.2.3", 9));
	assert_true(access_allows_target(access, "192.0.2.1", 80));
	assert_false(access_allows_target(access, "192.0.2.1", 81));
	assert_true(access_allows_target(access, "2001:db8::9", 443));
	assert_true(access_allows_target(access, "0:0:0:0:0:0:0:1", 1));
	/* Other spellings of an address are names here, and no name is in a block. */
	assert_false(access_allows_target(access, "10.1", 9));
	assert_false(access_allows_target(access, "0x0a010203", 9));
	assert_false(access_allows_target(access, "10.0.0.1.example", 9));
	access_free(access);
}

static void test_targets_by_a_range_of_ports(void **state)
{
	const struct config_forward config = {
	    .allow_to = STRINGS("[2001:db8::/32]:8000-8099", "*.internal:7-7")};
	struct access *access = make(&config);

	(void)state;
	assert_true(access_allows_target(access, "2001:db8::1", 8000));
	assert_true(access_allows_target(access, "2001:db8::1", 8099));
	assert_false(access_allows_target(access, "2001:db8::1", 7999));
	assert_false(access_allows_target(access, "2001:db8::1", 8100));
	assert_true(access_allows_target(access, "db.internal", 7));
	assert_false(access_allows_target(access, "db.internal", 8));
	access_free(access);
}

static void test_everything_by_a_star(void **state)
{
	const struct config_forward config = {.allow_to = STRINGS("*:443")};
	struct access *access = make(&config);

	(void)state;
	assert_true(access_allows_target(access, "example.com", 443));
	assert_true(access_allows_target(access, "192.0.2.1", 443));
	assert_true(access_allows_target(access, "2001:db8::1", 443));
	assert_false(access_allows_target(access, "example.com", 80));
	access_free(access);
}

static void test_patterns_that_are_none(void **state)
{
	static const char *const wrong[] = {"", ":", "host", "host:", ":80", "host:0", "host:65536",
	    "host:x", "host:9-8", "[]:1", "10.0.0.0/33:*", "10.1.2.3/8:*", "2001:db8::1", "a/b:80",
	    "host:80:"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		const struct config_forward config = {.allow_to = STRINGS(wrong[i])};
		struct err e = ERR_INIT;

		if (access_new(&config, &e))
			fail_msg("\"%s\" was taken", wrong[i]);
		assert_int_equal(e.class, ERR_CONFIG);
	}
}

static void test_the_credentials_of_a_socket(void **state)
{
	struct credentials who;
	gid_t mine[256];
	int fds[2], count = getgroups(256, mine);

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	credentials_of(fds[0], &who);
	assert_true(who.known);
	assert_int_equal(who.uid, geteuid());
	assert_int_equal(who.gid, getegid());
	assert_int_equal(who.pid, getpid());
	assert_int_equal(who.group_count, count);
	for (int i = 0; i < count; i++) {
		bool found = false;

		for (size_t j = 0; j < who.group_count; j++)
			found = found || who.groups[j] == mine[i];
		assert_true(found);
	}
	credentials_clear(&who);
	close(fds[0]);
	close(fds[1]);

	int pipe_fds[2];

	assert_int_equal(pipe(pipe_fds), 0);
	credentials_of(pipe_fds[0], &who);
	assert_false(who.known);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_without_lists_everything_is_allowed),
	    cmocka_unit_test(test_clients_by_block),
	    cmocka_unit_test(test_users_and_groups),
	    cmocka_unit_test(test_who_is_not_there_is_an_error),
	    cmocka_unit_test(test_targets_by_name),
	    cmocka_unit_test(test_targets_by_block),
	    cmocka_unit_test(test_targets_by_a_range_of_ports),
	    cmocka_unit_test(test_everything_by_a_star),
	    cmocka_unit_test(test_patterns_that_are_none),
	    cmocka_unit_test(test_the_credentials_of_a_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
