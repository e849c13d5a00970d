#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/line.h"

static void expect_line(struct span *text, const char *expected)
{
	struct span line;

	assert_true(line_next(text, &line));
	assert_true(span_is(line, expected));
}

static void test_lines_are_without_their_ends(void **state)
{
	struct span text = SPAN_LITERAL("one\ntwo\r\n\r\n\nlast\r"),
		    line = SPAN_LITERAL("as it was");

	(void)state;
	expect_line(&text, "one");
	expect_line(&text, "two");
	expect_line(&text, "");
	expect_line(&text, "");
	expect_line(&text, "last");
	assert_false(line_next(&text, &line));
	assert_true(span_is(line, "as it was"));
}

static void test_a_text_without_a_line_has_none(void **state)
{
	struct span text = SPAN(NULL, 0), line;

	(void)state;
	assert_false(line_next(&text, &line));
}

static void test_words_have_blanks_between_them(void **state)
{
	struct span line = SPAN_LITERAL(" \tone two\t\tthree ");

	(void)state;
	assert_true(span_is(line_next_word(&line), "one"));
	assert_true(span_is(line, " two\t\tthree "));
	assert_true(span_is(line_next_word(&line), "two"));
	assert_true(span_is(line_next_word(&line), "three"));
	assert_int_equal(line_next_word(&line).n, 0);
	assert_int_equal(line_next_word(&line).n, 0);
}

static void test_blanks_and_comments_say_nothing(void **state)
{
	(void)state;
	assert_true(line_is_nothing(SPAN(NULL, 0)));
	assert_true(line_is_nothing(SPAN_LITERAL(" \t")));
	assert_true(line_is_nothing(SPAN_LITERAL("\t# a comment")));
	assert_false(line_is_nothing(SPAN_LITERAL("a # word")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines_are_without_their_ends),
	    cmocka_unit_test(test_a_text_without_a_line_has_none),
	    cmocka_unit_test(test_words_have_blanks_between_them),
	    cmocka_unit_test(test_blanks_and_comments_say_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
