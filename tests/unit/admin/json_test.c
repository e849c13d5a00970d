#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "admin/json.h"
#include "scene.h"

static void assert_json(struct json *j, const char *expected)
{
	char *text = strbuf_take(&j->out);

	assert_string_equal(text, expected);
	assert_true(json_is_valid(text));
	free(text);
}

static void test_commas_stand_between_members_only(void **state)
{
	struct json j = {0};

	(void)state;
	json_open_object(&j, NULL);
	json_open_array(&j, "a");
	json_close_array(&j);
	json_open_array(&j, "b");
	json_u64(&j, NULL, 1);
	json_open_object(&j, NULL);
	json_close_object(&j);
	json_bool(&j, NULL, true);
	json_close_array(&j);
	json_bool(&j, "c", false);
	json_close_object(&j);
	assert_json(&j, "{\"a\":[],\"b\":[1,{},true],\"c\":false}");
}

static void test_numbers_are_whole_or_have_three_places(void **state)
{
	struct json j = {0};

	(void)state;
	json_open_array(&j, NULL);
	json_u64(&j, NULL, 0);
	json_u64(&j, NULL, UINT64_MAX);
	json_decimal(&j, NULL, 1.25);
	json_decimal(&j, NULL, 0);
	json_null(&j, NULL);
	json_close_array(&j);
	assert_json(&j, "[0,18446744073709551615,1.250,0.000,null]");
}

static void test_a_missing_string_is_null(void **state)
{
	struct json j = {0};

	(void)state;
	json_string(&j, NULL, NULL);
	assert_json(&j, "null");
}

static void test_quotes_backslashes_and_control_bytes_are_escaped(void **state)
{
	struct json j = {0};

	(void)state;
	json_open_object(&j, NULL);
	json_string(&j, "k\"\\\n", "\"\\\x1b[31m\n\x7f</script>");
	json_close_object(&j);
	assert_json(&j, "{\"k\\\"\\\\\\u000a\":\"\\\"\\\\\\u001b[31m\\u000a\\u007f</script>\"}");
}

static void test_nul_bytes_and_what_is_not_utf8_become_legal_text(void **state)
{
	struct json j = {0};

	(void)state;
	json_span(&j, NULL, SPAN_LITERAL("a\0b\xff\xc3\xa4\xed\xa0\x80"));
	assert_json(&j, "\"a\\u0000b\xef\xbf\xbd\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void test_time_is_utc_with_milliseconds(void **state)
{
	struct json j = {0};

	(void)state;
	json_time(&j, NULL, 1700000000042);
	assert_json(&j, "\"2023-11-14T22:13:20.042Z\"");
}

static void test_the_tests_own_parser_refuses_what_is_not_json(void **state)
{
	static const char *const bad[] = {"", "{", "{}x", "[1,]", "{\"a\"}", "{\"a\":1,}", "\"\n\"",
	    "\"\\x\"", "\"\\u12\"", "\"a", "01", "1.", "nul", "{a:1}", "[1 2]"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(json_is_valid(bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_commas_stand_between_members_only),
	    cmocka_unit_test(test_numbers_are_whole_or_have_three_places),
	    cmocka_unit_test(test_a_missing_string_is_null),
	    cmocka_unit_test(test_quotes_backslashes_and_control_bytes_are_escaped),
	    cmocka_unit_test(test_nul_bytes_and_what_is_not_utf8_become_legal_text),
	    cmocka_unit_test(test_time_is_utc_with_milliseconds),
	    cmocka_unit_test(test_the_tests_own_parser_refuses_what_is_not_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
