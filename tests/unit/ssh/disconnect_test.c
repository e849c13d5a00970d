#include "ssh/disconnect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static enum error_class class_at(uint32_t code, enum disconnect_when when)
{
	struct wr w = WR_INIT;
	struct err e = ERR_INIT;

	disconnect_write(&w, code, "x");
	int class = disconnect_read(wr_span(&w), when, &e);
	assert_int_equal(class, e.class);
	wr_clear(&w);
	return e.class;
}

static enum error_class class_of(uint32_t code)
{
	return class_at(code, DISCONNECT_AFTER_LOGIN);
}

static void test_the_code_decides_when_another_try_makes_sense(void **state)
{
	(void)state;
	assert_int_equal(class_of(DISCONNECT_CONNECTION_LOST), ERR_NETWORK);
	assert_int_equal(class_of(DISCONNECT_BY_APPLICATION), ERR_NETWORK);
	assert_int_equal(class_of(DISCONNECT_TOO_MANY_CONNECTIONS), ERR_NETWORK);
	assert_int_equal(class_of(DISCONNECT_NO_MORE_AUTH_METHODS), ERR_LOGIN);
	assert_int_equal(class_of(DISCONNECT_ILLEGAL_USER_NAME), ERR_LOGIN);
	assert_int_equal(class_of(DISCONNECT_AUTH_CANCELLED_BY_USER), ERR_LOGIN);
	assert_int_equal(class_of(DISCONNECT_PROTOCOL_ERROR), ERR_PEER);
	assert_int_equal(class_of(DISCONNECT_KEY_EXCHANGE_FAILED), ERR_PEER);
	assert_int_equal(class_of(0xffffffff), ERR_PEER);
}

static void test_who_finds_fault_with_us_before_the_login_does_not_let_us_in(void **state)
{
	(void)state;
	static const uint32_t faults[] = {DISCONNECT_PROTOCOL_ERROR, DISCONNECT_KEY_EXCHANGE_FAILED,
	    DISCONNECT_HOST_KEY_NOT_VERIFIABLE};

	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		assert_int_equal(class_at(faults[i], DISCONNECT_BEFORE_LOGIN), ERR_LOGIN);
		assert_int_equal(class_at(faults[i], DISCONNECT_AFTER_LOGIN), ERR_PEER);
	}
	assert_int_equal(
	    class_at(DISCONNECT_TOO_MANY_CONNECTIONS, DISCONNECT_BEFORE_LOGIN), ERR_NETWORK);
}

static void test_the_words_are_escaped_and_the_code_is_told(void **state)
{
	(void)state;
	struct wr w = WR_INIT;
	struct err e = ERR_INIT;

	disconnect_write(&w, DISCONNECT_PROTOCOL_ERROR, "Too many\n\033[31mfailures");
	disconnect_read(wr_span(&w), DISCONNECT_AFTER_LOGIN, &e);
	assert_non_null(strstr(e.text, "Too many\\n"));
	assert_null(strchr(e.text, '\033'));
	assert_null(strchr(e.text, '\n'));
	assert_non_null(strstr(e.text, "(code 2)"));
	wr_clear(&w);
}

static void test_words_without_end_are_cut(void **state)
{
	(void)state;
	char *words = mem_alloc(100001);
	struct wr w = WR_INIT;
	struct err e = ERR_INIT;

	memset(words, 'a', 100000);
	disconnect_write(&w, DISCONNECT_PROTOCOL_ERROR, words);
	disconnect_read(wr_span(&w), DISCONNECT_AFTER_LOGIN, &e);
	assert_true(strlen(e.text) < ERR_TEXT_MAX);
	assert_non_null(strstr(e.text, "(code 2)"));
	wr_clear(&w);
	free(words);
}

static void test_one_that_is_cut_short_still_ends_the_connection(void **state)
{
	(void)state;
	struct wr w = WR_INIT;

	disconnect_write(&w, DISCONNECT_BY_APPLICATION, "bye");
	for (size_t n = 1; n < w.n; n++) {
		struct err e = ERR_INIT;

		assert_true(disconnect_read(SPAN(w.p, n), DISCONNECT_AFTER_LOGIN, &e) < 0);
		assert_true(err_is_set(&e));
	}
	wr_clear(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_code_decides_when_another_try_makes_sense),
	    cmocka_unit_test(test_who_finds_fault_with_us_before_the_login_does_not_let_us_in),
	    cmocka_unit_test(test_the_words_are_escaped_and_the_code_is_told),
	    cmocka_unit_test(test_words_without_end_are_cut),
	    cmocka_unit_test(test_one_that_is_cut_short_still_ends_the_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
