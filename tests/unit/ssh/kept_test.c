#include "ssh/kept.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"

static bool add_text(struct kept *k, const char *text)
{
	struct iovec piece = {(void *)(uintptr_t)text, strlen(text)};

	return kept_add(k, &piece, 1);
}

static void append(void *arg, struct span message)
{
	strbuf_add_n(arg, message.p, message.n);
	strbuf_add(arg, ".");
}

static void test_messages_come_out_in_the_order_they_went_in(void **state)
{
	(void)state;
	struct strbuf out = {0};
	struct kept k;

	kept_init(&k);
	assert_true(kept_empty(&k));
	assert_true(add_text(&k, "one"));
	assert_true(add_text(&k, "two"));
	assert_true(add_text(&k, "three"));
	assert_false(kept_empty(&k));
	kept_send(&k, append, &out);
	assert_string_equal(strbuf_text(&out), "one.two.three.");
	assert_true(kept_empty(&k));
	strbuf_clear(&out);
}

static void test_the_pieces_of_a_message_are_joined(void **state)
{
	(void)state;
	char he[] = "he", llo[] = "llo";
	struct iovec pieces[] = {{he, 2}, {NULL, 0}, {llo, 3}};
	struct strbuf out = {0};
	struct kept k;

	kept_init(&k);
	assert_true(kept_add(&k, pieces, ARRAY_LEN(pieces)));
	kept_send(&k, append, &out);
	assert_string_equal(strbuf_text(&out), "hello.");
	strbuf_clear(&out);
}

static void test_there_are_never_more_than_so_many(void **state)
{
	(void)state;
	struct kept k;

	kept_init(&k);
	for (int i = 0; i < KEPT_MESSAGES_MAX; i++)
		assert_true(add_text(&k, "x"));
	assert_false(add_text(&k, "x"));
	kept_clear(&k);
	assert_true(kept_empty(&k));
	assert_true(add_text(&k, "x"));
	kept_clear(&k);
}

static void test_they_never_hold_more_than_so_much(void **state)
{
	(void)state;
	static uint8_t much[KEPT_BYTES_MAX];
	struct iovec all_but_one = {much, KEPT_BYTES_MAX - 1}, two = {much, 2}, one = {much, 1};
	struct kept k;

	kept_init(&k);
	assert_true(kept_add(&k, &all_but_one, 1));
	assert_false(kept_add(&k, &two, 1));
	assert_true(kept_add(&k, &one, 1));
	assert_false(kept_add(&k, &one, 1));
	kept_clear(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_messages_come_out_in_the_order_they_went_in),
	    cmocka_unit_test(test_the_pieces_of_a_message_are_joined),
	    cmocka_unit_test(test_there_are_never_more_than_so_many),
	    cmocka_unit_test(test_they_never_hold_more_than_so_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
