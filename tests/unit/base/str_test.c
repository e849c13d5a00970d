#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

/* ---- the buffer ---- */

static void test_a_buffer_grows_and_is_always_a_string(void **state)
{
	struct strbuf b = {0};

	(void)state;
	assert_string_equal(strbuf_text(&b), "");
	for (int i = 0; i < 1000; i++)
		strbuf_addf(&b, "%d,", i % 10);
	strbuf_add(&b, "end");
	assert_int_equal(b.n, 2003);
	assert_int_equal(strlen(strbuf_text(&b)), 2003);
	assert_string_equal(strbuf_text(&b) + 1998, "9,end");
	strbuf_clear(&b);
	assert_string_equal(strbuf_text(&b), "");
}

static void test_taking_leaves_an_empty_buffer(void **state)
{
	struct strbuf b = {0};

	(void)state;
	char *nothing = strbuf_take(&b);
	assert_string_equal(nothing, "");
	free(nothing);
	strbuf_add_n(&b, "abc", 2);
	char *text = strbuf_take(&b);
	assert_string_equal(text, "ab");
	free(text);
	assert_int_equal(b.n, 0);
	assert_null(b.text);
	text = str_format("%s:%u", "host", 22u);
	assert_string_equal(text, "host:22");
	free(text);
}

/* ---- escaping ---- */

static void expect_escaped(struct span input, const char *escaped)
{
	struct strbuf b = {0};

	strbuf_add_escaped(&b, input);
	assert_string_equal(strbuf_text(&b), escaped);
	strbuf_clear(&b);
}

static void test_plain_text_is_left_alone(void **state)
{
	(void)state;
	expect_escaped(SPAN_LITERAL(""), "");
	expect_escaped(SPAN_LITERAL("a b~"), "a b~");
	expect_escaped(SPAN_LITERAL("gr\xc3\xbcn \xe6\x97\xa5 \xf0\x9f\x98\x80"),
	    "gr\xc3\xbcn \xe6\x97\xa5 \xf0\x9f\x98\x80");
}

static void test_what_moves_a_cursor_is_escaped(void **state)
{
	(void)state;
	expect_escaped(SPAN_LITERAL("a\nb\rc\td"), "a\\nb\\rc\\td");
	expect_escaped(SPAN_LITERAL("\0\x1b[2J\x7f"), "\\x00\\x1b[2J\\x7f");
	expect_escaped(SPAN_LITERAL("\"\\"), "\\\"\\\\");
	expect_escaped(SPAN_LITERAL("\xc2\x85"), "\\xc2\\x85"); /* NEL, a C1 control */
	expect_escaped(
	    SPAN_LITERAL("\xe2\x80\xae"), "\\xe2\\x80\\xae"); /* right-to-left override */
	expect_escaped(SPAN_LITERAL("\xe2\x81\xa6"), "\\xe2\\x81\\xa6"); /* an isolate */
	expect_escaped(
	    SPAN_LITERAL("\xe2\x80\x99"), "\xe2\x80\x99"); /* an apostrophe is none of these */
}

static void test_what_is_printable_keeps_its_quotes(void **state)
{
	struct strbuf b = {0};

	(void)state;
	strbuf_add_printable(&b, SPAN_LITERAL("\"a\\b\" \x1b[2J\xff\xc3\xa4\n"));
	assert_string_equal(strbuf_text(&b), "\"a\\b\" \\x1b[2J\\xff\xc3\xa4\\n");
	strbuf_clear(&b);
}

static void test_what_is_no_utf8_is_escaped(void **state)
{
	static const char *const bad[] = {
	    "\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf", /* alone, overlong */
	    "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5",
	    "\xff",                                          /* surrogate, beyond U+10FFFF */
	    "\xc3", "\xe6\x97", "\xf0\x9f\x98", "\xe6\x97x", /* cut short */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct strbuf b = {0};

		strbuf_add_escaped(&b, span_of(bad[i]));
		for (size_t j = 0; j < b.n; j++)
			assert_in_range((uint8_t)b.text[j], 0x20, 0x7e);
		strbuf_clear(&b);
	}
}

static void expect_json(struct span input, const char *json)
{
	struct strbuf b = {0};

	strbuf_add_json(&b, input);
	assert_string_equal(strbuf_text(&b), json);
	strbuf_clear(&b);
}

static void test_what_moves_a_cursor_is_escaped_in_json_and_lines_stay_one(void **state)
{
	struct strbuf b = {0};

	(void)state;
	expect_json(SPAN_LITERAL("\xe2\x80\xae\xc2\x9b"
				 "31m\xe2\x80\xa8\xe2\x81\xa6"),
	    "\"\\u202e\\u009b31m\\u2028\\u2066\"");
	expect_json(SPAN_LITERAL("\xc2\xa0\xe2\x80\xa7\xe2\x80\xaf"),
	    "\"\xc2\xa0\xe2\x80\xa7\xe2\x80\xaf\"");
	strbuf_add_escaped(&b, SPAN_LITERAL("a\xe2\x80\xa8"
					    "b\xe2\x80\xa9"));
	assert_string_equal(strbuf_text(&b), "a\\xe2\\x80\\xa8"
					     "b\\xe2\\x80\\xa9");
	strbuf_clear(&b);
}

static void test_json_strings_are_valid_whatever_is_in_them(void **state)
{
	(void)state;
	expect_json(SPAN_LITERAL(""), "\"\"");
	expect_json(SPAN_LITERAL("a\"b\\c"), "\"a\\\"b\\\\c\"");
	expect_json(SPAN_LITERAL("\0\n\x7f"), "\"\\u0000\\u000a\\u007f\"");
	expect_json(SPAN_LITERAL("\xc3\xa9\xff!"), "\"\xc3\xa9\xef\xbf\xbd!\"");
	expect_json(SPAN_LITERAL("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

/* ---- patterns ---- */

static void test_globs_match_whole_texts(void **state)
{
	(void)state;
	assert_true(str_glob("", ""));
	assert_false(str_glob("", "a"));
	assert_true(str_glob("*", ""));
	assert_true(str_glob("**", "anything"));
	assert_false(str_glob("?", ""));
	assert_true(str_glob("?", "a"));
	assert_false(str_glob("a", "ab"));
	assert_false(str_glob("ab", "a"));
	assert_true(str_glob("*.internal", "db.internal"));
	assert_false(str_glob("*.internal", "internal"));
	assert_true(str_glob("10.0.?.*", "10.0.7.42"));
	assert_true(str_glob("*a*b*c", "xxaxxbxbxc"));
	assert_false(str_glob("*a*b*c", "xxaxxcxxb"));
	assert_true(str_glob("[a]", "[a]")); /* no sets */
	assert_false(str_glob("[a]", "a"));
}

static void test_case_counts_only_where_it_is_asked_for(void **state)
{
	(void)state;
	assert_false(str_glob("Host*", "hostname"));
	assert_true(str_glob_nocase("Host*", "hOSTNAME"));
}

/* With backtracking into every star this would take longer than the universe. */
static void test_a_pattern_of_stars_is_not_exponential(void **state)
{
	char pattern[201], text[2001];

	(void)state;
	for (int i = 0; i < 200; i += 2)
		memcpy(pattern + i, "*a", 2);
	pattern[200] = '\0';
	memset(text, 'a', 1999);
	text[1999] = 'b';
	text[2000] = '\0';
	assert_false(str_glob(pattern, text));
}

/* ---- near misses ---- */

static const char *const keys[] = {"address", "port", "via", "user", "identity", "known_hosts",
    "keepalive_interval", "keepalive_count"};

static const char *nearest(const char *word)
{
	return str_nearest(word, keys, ARRAY_LEN(keys));
}

static void test_the_nearest_name_is_what_was_meant(void **state)
{
	(void)state;
	assert_string_equal(nearest("adress"), "address");
	assert_string_equal(nearest("prot"), "port");
	assert_string_equal(nearest("identiy"), "identity");
	assert_string_equal(nearest("knownhosts"), "known_hosts");
	assert_string_equal(nearest("keepalive_intervall"), "keepalive_interval");
}

static void test_a_word_that_was_begun_is_the_one_that_goes_on(void **state)
{
	static const char *const names[] = {"port", "certificate", "user", "macs", "password",
	    "passphrase", "keepalive_interval", "ciphers", "aes256-ctr", "aes256-gcm@openssh.com"};
	static const struct {
		const char *word, *nearest;
	} cases[] = {{"cert", "certificate"}, {"pass", "password"}, {"username", "user"},
	    {"keepalive", "keepalive_interval"}, {"cipher", "ciphers"}, {"prot", "port"},
	    {"aes256-gcm", "aes256-gcm@openssh.com"}, {"aes256-crt", "aes256-ctr"}, {"ce", NULL}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *found = str_nearest(cases[i].word, names, ARRAY_LEN(names));
		if (!found || !cases[i].nearest)
			assert_ptr_equal(found, cases[i].nearest);
		else
			assert_string_equal(found, cases[i].nearest);
	}
}

static void test_a_far_word_means_nothing_we_know(void **state)
{
	char long_word[500];

	(void)state;
	assert_null(nearest("compression"));
	assert_null(nearest(""));
	assert_null(nearest("zzz"));
	memset(long_word, 'a', sizeof(long_word) - 1);
	long_word[sizeof(long_word) - 1] = '\0';
	assert_null(nearest(long_word));
	assert_null(str_nearest("x", keys, 0));
}

/* ---- numbers ---- */

static void test_numbers_are_digits_within_limits(void **state)
{
	static const char *const bad[] = {"", " 1", "1 ", "+1", "-1", "0x1", "1.0", "65536",
	    "18446744073709551616", "99999999999999999999999"};
	uint64_t value = 77;

	(void)state;
	assert_true(str_to_u64("0", 0, 65535, &value));
	assert_int_equal(value, 0);
	assert_true(str_to_u64("065535", 0, 65535, &value));
	assert_int_equal(value, 65535);
	assert_true(str_to_u64("18446744073709551615", 0, UINT64_MAX, &value));
	assert_true(value == UINT64_MAX);
	value = 77;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(str_to_u64(bad[i], 0, 65535, &value));
	assert_false(str_to_u64("0", 1, 65535, &value));
	assert_false(str_to_u64("18446744073709551616", 0, UINT64_MAX, &value));
	assert_int_equal(value, 77);
}

/* ---- base64 and hex ---- */

static void expect_base64(struct span bytes, const char *padded, const char *plain)
{
	struct wr decoded = WR_INIT;
	char *text = str_base64(bytes, BASE64_PADDED);

	assert_string_equal(text, padded);
	free(text);
	text = str_base64(bytes, BASE64_UNPADDED);
	assert_string_equal(text, plain);
	free(text);
	assert_true(str_base64_decode(span_of(padded), &decoded));
	assert_true(span_equal(wr_span(&decoded), bytes));
	wr_reset(&decoded);
	assert_true(str_base64_decode(span_of(plain), &decoded));
	assert_true(span_equal(wr_span(&decoded), bytes));
	wr_clear(&decoded);
}

/* RFC 4648 §10 */
static void test_base64_is_that_of_the_rfc(void **state)
{
	(void)state;
	expect_base64(SPAN_LITERAL(""), "", "");
	expect_base64(SPAN_LITERAL("f"), "Zg==", "Zg");
	expect_base64(SPAN_LITERAL("fo"), "Zm8=", "Zm8");
	expect_base64(SPAN_LITERAL("foo"), "Zm9v", "Zm9v");
	expect_base64(SPAN_LITERAL("foob"), "Zm9vYg==", "Zm9vYg");
	expect_base64(SPAN_LITERAL("fooba"), "Zm9vYmE=", "Zm9vYmE");
	expect_base64(SPAN_LITERAL("foobar"), "Zm9vYmFy", "Zm9vYmFy");
	expect_base64(SPAN_LITERAL("\xfb\xff\0"), "+/8A", "+/8A");
}

static void test_each_byte_is_a_digit_of_base64_or_none(void **state)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	(void)state;
	for (int c = 0; c < 256; c++) {
		uint8_t text[4] = {'A', (uint8_t)c, 'A', 'A'};
		const char *at = c ? strchr(digits, c) : NULL;
		struct wr out = WR_INIT;
		bool good = str_base64_decode(SPAN(text, 4), &out);
		if (good != (at != NULL))
			fail_msg("byte %d", c);
		if (good) { /* six bits from the sixth on */
			assert_int_equal(out.n, 3);
			assert_int_equal((out.p[0] << 4 | out.p[1] >> 4) & 0x3f, at - digits);
		}
		wr_clear(&out);
	}
}

static void test_what_is_not_base64_is_refused(void **state)
{
	static const char *const bad[] = {"Z", "Zg=", "Zg===", "=",
	    "==", "====", "Z===", "Zm9v====", "Zm 9v", "Zm9v\n", "Zg==Zg==", "Zh", "Zm9", "-_8A",
	    "Zm9v."};
	struct wr out = WR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		wr_reset(&out);
		if (str_base64_decode(span_of(bad[i]), &out))
			fail_msg("\"%s\" was taken", bad[i]);
	}
	assert_false(str_base64_decode(SPAN_LITERAL("Zm\0v"), &out));
	wr_clear(&out);
}

static void test_hex_is_lower_case(void **state)
{
	char *text = str_hex(SPAN_LITERAL("\0\x0f\xff"));

	(void)state;
	assert_string_equal(text, "000fff");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_buffer_grows_and_is_always_a_string),
	    cmocka_unit_test(test_taking_leaves_an_empty_buffer),
	    cmocka_unit_test(test_plain_text_is_left_alone),
	    cmocka_unit_test(test_what_moves_a_cursor_is_escaped),
	    cmocka_unit_test(test_what_is_printable_keeps_its_quotes),
	    cmocka_unit_test(test_what_is_no_utf8_is_escaped),
	    cmocka_unit_test(test_what_moves_a_cursor_is_escaped_in_json_and_lines_stay_one),
	    cmocka_unit_test(test_json_strings_are_valid_whatever_is_in_them),
	    cmocka_unit_test(test_globs_match_whole_texts),
	    cmocka_unit_test(test_case_counts_only_where_it_is_asked_for),
	    cmocka_unit_test(test_a_pattern_of_stars_is_not_exponential),
	    cmocka_unit_test(test_the_nearest_name_is_what_was_meant),
	    cmocka_unit_test(test_a_word_that_was_begun_is_the_one_that_goes_on),
	    cmocka_unit_test(test_a_far_word_means_nothing_we_know),
	    cmocka_unit_test(test_numbers_are_digits_within_limits),
	    cmocka_unit_test(test_base64_is_that_of_the_rfc),
	    cmocka_unit_test(test_each_byte_is_a_digit_of_base64_or_none),
	    cmocka_unit_test(test_what_is_not_base64_is_refused),
	    cmocka_unit_test(test_hex_is_lower_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
