#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/wire.h"

/* One field of each kind, as RFC 4251 §5 writes them. */
static const uint8_t all_fields[] = {
    0x07,                                           /* byte */
    0x02,                                           /* boolean: all but 0 are true */
    0x29, 0xb7, 0xf4, 0xaa,                         /* uint32 */
    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, /* uint64 */
    0, 0, 0, 7, 't', 'e', 's', 't', 'i', 'n', 'g',  /* string */
    0, 0, 0, 2, 0x00, 0x80,                         /* mpint 0x80 */
};

static void read_all_fields(struct rd *r)
{
	rd_u8(r);
	rd_bool(r);
	rd_u32(r);
	rd_u64(r);
	rd_string(r);
	rd_mpint(r);
}

static void test_every_kind_of_field_is_read(void **state)
{
	struct rd r;

	(void)state;
	rd_init(&r, SPAN(all_fields, sizeof(all_fields)));
	assert_int_equal(rd_u8(&r), 7);
	assert_true(rd_bool(&r));
	assert_int_equal(rd_u32(&r), 0x29b7f4aa);
	assert_true(rd_u64(&r) == 0x0102030405060708u);
	assert_true(span_is(rd_string(&r), "testing"));
	assert_true(span_equal(rd_mpint(&r), SPAN_LITERAL("\x80")));
	assert_int_equal(rd_left(&r), 0);
	assert_int_equal(rd_end(&r), 0);
}

static void test_each_field_cut_short_is_an_error(void **state)
{
	struct rd r;

	(void)state;
	for (size_t n = 0; n < sizeof(all_fields); n++) {
		/* An allocation of just that size, for the address sanitizer. */
		uint8_t *cut = malloc(n ? n : 1);

		assert_non_null(cut);
		memcpy(cut, all_fields, n);
		rd_init(&r, SPAN(cut, n));
		read_all_fields(&r);
		assert_false(rd_ok(&r));
		assert_int_equal(rd_end(&r), ERR_PEER);
		assert_int_equal(rd_end_or_more(&r), ERR_PEER);
		free(cut);
	}
}

static void test_a_byte_too_many_is_an_error_at_the_end(void **state)
{
	uint8_t longer[sizeof(all_fields) + 1] = {0};
	struct rd r;

	(void)state;
	memcpy(longer, all_fields, sizeof(all_fields));
	rd_init(&r, SPAN(longer, sizeof(longer)));
	read_all_fields(&r);
	assert_true(rd_ok(&r));
	assert_int_equal(rd_end(&r), ERR_PEER);
	assert_int_equal(rd_end_or_more(&r), 0);
	assert_int_equal(rd_rest(&r).n, 1);
	assert_int_equal(rd_end(&r), 0);
}

static void test_an_error_sticks_and_gives_nothing(void **state)
{
	struct rd r;

	(void)state;
	rd_init(&r, SPAN_LITERAL("\0\0\0\5abcd\1"));
	assert_int_equal(rd_string(&r).n, 5);
	assert_int_equal(rd_end(&r), 0);
	rd_init(&r, SPAN_LITERAL("\0\0\0\6abcd\1"));
	assert_int_equal(rd_string(&r).n, 0);
	assert_int_equal(rd_left(&r), 0);
	assert_int_equal(rd_u8(&r), 0);
	assert_int_equal(rd_u32(&r), 0);
	assert_true(rd_u64(&r) == 0);
	assert_false(rd_bool(&r));
	assert_int_equal(rd_rest(&r).n, 0);
	assert_int_equal(rd_bytes(&r, 0).n, 0);
	assert_int_equal(rd_end(&r), ERR_PEER);
}

static void test_a_caller_can_refuse_a_value(void **state)
{
	struct rd r;

	(void)state;
	rd_init(&r, SPAN_LITERAL("x"));
	assert_int_equal(rd_u8(&r), 'x');
	rd_fail(&r);
	assert_int_equal(rd_end(&r), ERR_PEER);
}

static void test_a_length_of_4_gigabytes_is_only_a_number(void **state)
{
	struct rd r;

	(void)state;
	rd_init(&r, SPAN_LITERAL("\xff\xff\xff\xff rest"));
	assert_int_equal(rd_string(&r).n, 0);
	assert_false(rd_ok(&r));
}

static void test_an_empty_input_is_at_its_end(void **state)
{
	struct rd r;

	(void)state;
	rd_init(&r, (struct span){NULL, 0});
	assert_int_equal(rd_end(&r), 0);
	assert_int_equal(rd_rest(&r).n, 0);
	assert_int_equal(rd_end(&r), 0);
}

static void expect_mpint(struct span wire, struct span magnitude)
{
	struct rd r;

	rd_init(&r, wire);
	assert_true(span_equal(rd_mpint(&r), magnitude));
	assert_int_equal(rd_end(&r), 0);
	struct wr w = WR_INIT;
	wr_mpint(&w, magnitude);
	assert_true(span_equal(wr_span(&w), wire));
	wr_clear(&w);
}

/* The examples of RFC 4251 §5 that are not negative. */
static void test_mpints_are_those_of_the_rfc(void **state)
{
	(void)state;
	expect_mpint(SPAN_LITERAL("\0\0\0\0"), SPAN_LITERAL(""));
	expect_mpint(SPAN_LITERAL("\0\0\0\x08\x09\xa3\x78\xf9\xb2\xe3\x32\xa7"),
	    SPAN_LITERAL("\x09\xa3\x78\xf9\xb2\xe3\x32\xa7"));
	expect_mpint(SPAN_LITERAL("\0\0\0\2\0\x80"), SPAN_LITERAL("\x80"));
}

static void refuse_mpint(struct span wire)
{
	struct rd r;

	rd_init(&r, wire);
	assert_int_equal(rd_mpint(&r).n, 0);
	assert_false(rd_ok(&r));
}

static void test_an_mpint_has_one_form(void **state)
{
	(void)state;
	refuse_mpint(SPAN_LITERAL("\0\0\0\2\xed\xcc")); /* -1234 */
	refuse_mpint(SPAN_LITERAL("\0\0\0\1\0"));       /* zero has no byte */
	refuse_mpint(SPAN_LITERAL("\0\0\0\2\0\x7f"));   /* needs no sign byte */
	refuse_mpint(SPAN_LITERAL("\0\0\0\3\0\0\x80")); /* needs one */
}

static void test_leading_zeros_of_a_magnitude_are_not_written(void **state)
{
	struct wr w = WR_INIT;

	(void)state;
	wr_mpint(&w, SPAN_LITERAL("\0\0\x80\0"));
	wr_mpint(&w, SPAN_LITERAL("\0\0"));
	assert_true(span_equal(wr_span(&w), SPAN_LITERAL("\0\0\0\3\0\x80\0\0\0\0\0")));
	wr_clear(&w);
}

static void test_what_is_written_reads_back(void **state)
{
	struct wr w = WR_INIT;

	(void)state;
	wr_u8(&w, 7);
	wr_bool(&w, true);
	wr_u32(&w, 0x29b7f4aa);
	wr_u64(&w, 0x0102030405060708u);
	wr_cstring(&w, "testing");
	wr_mpint(&w, SPAN_LITERAL("\x80"));
	assert_int_equal(w.n, sizeof(all_fields));
	w.p[1] = 2; /* our true is 1 */
	assert_memory_equal(w.p, all_fields, sizeof(all_fields));
	wr_clear(&w);
	assert_null(w.p);
	assert_int_equal(wr_span(&w).n, 0);
}

static void test_marked_strings_nest(void **state)
{
	struct wr w = WR_INIT;
	struct rd outer, inner;

	(void)state;
	size_t a = wr_mark(&w);
	wr_u8(&w, 1);
	size_t b = wr_mark(&w);
	wr_bytes(&w, "xyz", 3);
	wr_end(&w, b);
	size_t c = wr_mark(&w);
	wr_end(&w, c);
	wr_end(&w, a);

	rd_init(&outer, wr_span(&w));
	rd_init(&inner, rd_string(&outer));
	assert_int_equal(rd_end(&outer), 0);
	assert_int_equal(rd_u8(&inner), 1);
	assert_true(span_is(rd_string(&inner), "xyz"));
	assert_int_equal(rd_string(&inner).n, 0);
	assert_int_equal(rd_end(&inner), 0);
	wr_clear(&w);
}

static void test_a_writer_grows_and_keeps_its_space(void **state)
{
	struct wr w = WR_INIT_SECRET;

	(void)state;
	for (unsigned i = 0; i < 10000; i++)
		wr_u32(&w, i);
	assert_int_equal(w.n, 40000);
	for (unsigned i = 0; i < 10000; i++)
		assert_int_equal(get_u32(w.p + i * 4), i);
	size_t capacity = w.capacity;
	wr_reset(&w);
	assert_int_equal(w.n, 0);
	assert_int_equal(w.capacity, capacity);
	/* What was secret is wiped at once. */
	for (size_t i = 0; i < 40000; i++)
		assert_int_equal(w.p[i], 0);
	wr_bytes(&w, NULL, 0);
	assert_int_equal(w.n, 0);
	wr_clear(&w);
}

static void expect_names(struct span list, const char *const *names)
{
	struct span name;

	for (; *names; names++) {
		assert_true(name_list_next(&list, &name));
		assert_true(span_is(name, *names));
	}
	assert_false(name_list_next(&list, &name));
}

static void test_names_come_off_a_list_one_by_one(void **state)
{
	(void)state;
	expect_names(SPAN_LITERAL(""), (const char *[]){NULL});
	expect_names(SPAN_LITERAL("zlib"), (const char *[]){"zlib", NULL});
	expect_names(SPAN_LITERAL("zlib,none"), (const char *[]){"zlib", "none", NULL});
	expect_names(SPAN_LITERAL(",a,,b"), (const char *[]){"", "a", "", "b", NULL});
}

static void test_a_name_is_found_whole_or_not_at_all(void **state)
{
	struct span list = SPAN_LITERAL("aes128-ctr,aes256-gcm@openssh.com");

	(void)state;
	assert_true(name_list_has(list, "aes128-ctr"));
	assert_true(name_list_has(list, "aes256-gcm@openssh.com"));
	assert_false(name_list_has(list, "aes128"));
	assert_false(name_list_has(list, "aes256-gcm"));
	assert_false(name_list_has(list, ""));
	assert_false(name_list_has(SPAN_LITERAL(""), "x"));
}

static void test_spans_compare_by_content(void **state)
{
	(void)state;
	assert_true(span_equal(SPAN_LITERAL("a\0b"), SPAN_LITERAL("a\0b")));
	assert_false(span_equal(SPAN_LITERAL("a\0b"), SPAN_LITERAL("a\0c")));
	assert_false(span_equal(SPAN_LITERAL("ab"), SPAN_LITERAL("a")));
	struct span list[] = {SPAN_LITERAL("a"), SPAN_LITERAL("ab"), SPAN_LITERAL("ab")};
	assert_int_equal(span_find(SPAN_LITERAL("ab"), list, 3), 1);
	assert_int_equal(span_find(SPAN_LITERAL("b"), list, 3), 3);
	assert_int_equal(span_find(SPAN_LITERAL("a"), list, 0), 0);
	assert_true(span_is_among(SPAN_LITERAL("ab"), list, 2));
	assert_false(span_is_among(SPAN_LITERAL("ab"), list, 1));
	assert_true(span_equal((struct span){NULL, 0}, SPAN_LITERAL("")));
	assert_false(span_is(SPAN_LITERAL("a\0"), "a"));
	assert_true(span_begins_with(SPAN_LITERAL("ab\0"), "ab"));
	assert_true(span_begins_with(SPAN(NULL, 0), ""));
	assert_false(span_begins_with(SPAN_LITERAL("a"), "ab"));
	assert_false(span_begins_with(SPAN_LITERAL("ba"), "a"));
	assert_true(span_is_text(SPAN_LITERAL("plain \xc3\xa9")));
	assert_false(span_is_text(SPAN_LITERAL("a\0")));
	assert_false(span_is_text(SPAN_LITERAL("a\n")));
	assert_false(span_is_text(SPAN_LITERAL("\x7f")));
	char *copy = span_strdup(SPAN(all_fields + 18, 7));
	assert_string_equal(copy, "testing");
	free(copy);
	copy = span_strdup((struct span){NULL, 0});
	assert_string_equal(copy, "");
	free(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_kind_of_field_is_read),
	    cmocka_unit_test(test_each_field_cut_short_is_an_error),
	    cmocka_unit_test(test_a_byte_too_many_is_an_error_at_the_end),
	    cmocka_unit_test(test_an_error_sticks_and_gives_nothing),
	    cmocka_unit_test(test_a_caller_can_refuse_a_value),
	    cmocka_unit_test(test_a_length_of_4_gigabytes_is_only_a_number),
	    cmocka_unit_test(test_an_empty_input_is_at_its_end),
	    cmocka_unit_test(test_mpints_are_those_of_the_rfc),
	    cmocka_unit_test(test_an_mpint_has_one_form),
	    cmocka_unit_test(test_leading_zeros_of_a_magnitude_are_not_written),
	    cmocka_unit_test(test_what_is_written_reads_back),
	    cmocka_unit_test(test_marked_strings_nest),
	    cmocka_unit_test(test_a_writer_grows_and_keeps_its_space),
	    cmocka_unit_test(test_names_come_off_a_list_one_by_one),
	    cmocka_unit_test(test_a_name_is_found_whole_or_not_at_all),
	    cmocka_unit_test(test_spans_compare_by_content),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
