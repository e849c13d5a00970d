/*
 * Users and groups of a machine that has two of each: "web" is 33, and "1000" is 7.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <grp.h>
#include <pwd.h>
#include <string.h>

#include "base/account.h"

/* In place of libc's. */
struct passwd *getpwnam(const char *name)
{
	static struct passwd web = {.pw_uid = 33}, number = {.pw_uid = 7};

	if (strcmp(name, "web") == 0)
		return &web;
	return strcmp(name, "1000") == 0 ? &number : NULL;
}

struct group *getgrnam(const char *name)
{
	static struct group web = {.gr_gid = 33}, number = {.gr_gid = 7};

	if (strcmp(name, "web") == 0)
		return &web;
	return strcmp(name, "1000") == 0 ? &number : NULL;
}

static uid_t user(const char *name)
{
	uid_t uid;

	assert_true(account_find_user(name, &uid));
	return uid;
}

static gid_t group(const char *name)
{
	gid_t gid;

	assert_true(account_find_group(name, &gid));
	return gid;
}

static void test_by_name(void **state)
{
	(void)state;
	assert_int_equal(user("web"), 33);
	assert_int_equal(group("web"), 33);
}

static void test_by_a_number_that_is_nobody_s(void **state)
{
	(void)state;
	assert_int_equal(user("0"), 0);
	assert_int_equal(user("4294967294"), 4294967294);
	assert_int_equal(group("4711"), 4711);
}

static void test_a_name_that_looks_like_a_number_is_a_name(void **state)
{
	(void)state;
	assert_int_equal(user("1000"), 7);
	assert_int_equal(group("1000"), 7);
}

static void test_what_is_neither(void **state)
{
	static const char *const wrong[] = {"", "nobody-here", "-1", "4294967295", "33x", " 33"};
	uid_t uid;
	gid_t gid;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_false(account_find_user(wrong[i], &uid));
		assert_false(account_find_group(wrong[i], &gid));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_by_name),
	    cmocka_unit_test(test_by_a_number_that_is_nobody_s),
	    cmocka_unit_test(test_a_name_that_looks_like_a_number_is_a_name),
	    cmocka_unit_test(test_what_is_neither),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
