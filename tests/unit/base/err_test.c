#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/err.h"

static void test_the_first_error_wins(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_false(err_is_set(&e));
	assert_int_equal(err_set(&e, ERR_PEER, "length %d", 7), ERR_PEER);
	assert_int_equal(err_set(&e, ERR_LOCAL, "clean-up failed too"), ERR_LOCAL);
	assert_int_equal(err_set_errno(&e, ERR_LOCAL, EPERM, "and this"), ERR_LOCAL);
	assert_int_equal(e.class, ERR_PEER);
	assert_string_equal(e.text, "length 7");
}

static void test_a_cleared_error_takes_the_next(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	err_set(&e, ERR_PEER, "first");
	err_clear(&e);
	assert_false(err_is_set(&e));
	assert_string_equal(e.text, "");
	err_set(&e, ERR_LOGIN, "second");
	assert_string_equal(e.text, "second");
}

static void test_without_an_err_only_the_class_counts(void **state)
{
	(void)state;
	assert_int_equal(err_set(NULL, ERR_CONFIG, "nobody reads this"), ERR_CONFIG);
	assert_int_equal(err_set_errno(NULL, ERR_LOCAL, ENOENT, "nor this"), ERR_LOCAL);
	err_prefix(NULL, "nor this");
}

static void test_errno_comes_last_in_words(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	err_set_errno(&e, ERR_LOCAL, ENOENT, "cannot open %s", "/x");
	assert_string_equal(e.text, "cannot open /x: No such file or directory");
	assert_int_equal(e.errno_value, ENOENT);
	err_clear(&e);
	err_set(&e, ERR_LOCAL, "no such thing");
	assert_int_equal(e.errno_value, 0);
}

static void test_prefixes_stand_outermost_first(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	err_prefix(&e, "not set, not touched");
	assert_string_equal(e.text, "");
	err_set(&e, ERR_NETWORK, "refused");
	err_prefix(&e, "port %d", 22);
	err_prefix(&e, "jump host %s", "bastion");
	assert_string_equal(e.text, "jump host bastion: port 22: refused");
	assert_int_equal(e.class, ERR_NETWORK);
}

static void test_a_long_text_is_cut_and_ends(void **state)
{
	char text[2 * ERR_TEXT_MAX];
	struct err e = ERR_INIT;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	err_set(&e, ERR_PEER, "%s", text);
	assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
	err_prefix(&e, "%s", text);
	assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
	err_clear(&e);
	err_set_errno(&e, ERR_LOCAL, ENOENT, "%s", text);
	assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
}

static void test_every_class_has_its_name(void **state)
{
	static const char *const names[] = {"ok", "network", "timeout", "peer", "login", "host-key",
	    "config", "local", "cancelled"};

	(void)state;
	for (int i = 0; i <= 8; i++)
		assert_string_equal(err_class_name((enum error_class) - i), names[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_first_error_wins),
	    cmocka_unit_test(test_a_cleared_error_takes_the_next),
	    cmocka_unit_test(test_without_an_err_only_the_class_counts),
	    cmocka_unit_test(test_errno_comes_last_in_words),
	    cmocka_unit_test(test_prefixes_stand_outermost_first),
	    cmocka_unit_test(test_a_long_text_is_cut_and_ends),
	    cmocka_unit_test(test_every_class_has_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
