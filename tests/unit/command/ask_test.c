/*
 * What the daemon says, as a person reads it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "command/ask.h"

static void assert_says(const char *body, const char *expected)
{
	char *text = ask_error_text(body);

	assert_non_null(text);
	assert_string_equal(text, expected);
	free(text);
}

static void test_words_are_those_that_were_meant(void **state)
{
	(void)state;
	assert_says("{\"error\":\"no such name: a\\\"b\\\\c\"}\n", "no such name: a\"b\\c");
	assert_says("{\"error\":\"\\u00e9\\u20ac\\u0041\"}\n", "\xc3\xa9\xe2\x82\xac"
							       "A");
	assert_says("{\"error\":\"\"}", "");
}

static void test_words_move_no_terminal(void **state)
{
	(void)state;
	assert_says("{\"error\":\"x\\u001b[1m\\u000a\\ny\"}", "x\\x1b[1m\\n\\ny");
	assert_says("{\"error\":\"\\u009b\\u202e\"}", "\\xc2\\x9b\\xe2\\x80\\xae");
	assert_says("{\"error\":\"\\ud800\"}", "\\xed\\xa0\\x80");
}

static void test_a_body_cut_anywhere_is_read_to_its_end(void **state)
{
	static const char body[] = "{\"error\":\"a\\u00e9\\n\\\"b\"}";

	(void)state;
	for (size_t n = 0; n < sizeof(body); n++) {
		char *cut = calloc(1, n + 1);

		memcpy(cut, body, n);
		free(ask_error_text(cut));
		free(cut);
	}
	assert_null(ask_error_text("<html>"));
	assert_says("{\"error\":\"a\\", "a");
	assert_says("{\"error\":\"a\\u00", "au00");
}

static void test_names_beyond_what_a_request_holds_are_refused_before(void **state)
{
	const struct ask_options options = {.socket = "/nowhere/adit.sock"};
	static char name[] = "some-name";
	char *const names[] = {name};
	struct ask_answer answer = {0};
	struct strbuf path = {0};
	struct err e = ERR_INIT;

	(void)state;
	strbuf_add(&path, "/v1/status");
	for (int i = 0; i < 2000; i++)
		ask_add_names(&path, 1, names);
	assert_int_equal(ask(&options, "GET", strbuf_text(&path), &answer, &e), ERR_LOCAL);
	assert_non_null(strstr(e.text, "too long"));
	strbuf_clear(&path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_words_are_those_that_were_meant),
	    cmocka_unit_test(test_words_move_no_terminal),
	    cmocka_unit_test(test_a_body_cut_anywhere_is_read_to_its_end),
	    cmocka_unit_test(test_names_beyond_what_a_request_holds_are_refused_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
