/*
 * The rules of net/bev.h as one test that every kind of bufferevent passes. A kind's test includes this file, writes a
 * factory that makes two joined ends, and puts BEV_RULES_TESTS(&factory) into its list of tests.
 */
#ifndef ADIT_TESTS_BEV_RULES_H
#define ADIT_TESTS_BEV_RULES_H

#include "bev_watch.h"

#include "base/clock.h"

static void test_bytes_go_both_ways(void **state)
{
	struct bev_rules_end *a, *b;
	struct bev_rules rules = bev_rules_begin(state, &a, &b);

	bev_rules_write(a, 0, 5);
	bev_rules_write(b, 0, 7);
	BEV_RULES_UNTIL(
	    rules.loop, evbuffer_get_length(b->got) == 5 && evbuffer_get_length(a->got) == 7);
	bev_rules_got_exactly(a, 7);
	bev_rules_got_exactly(b, 5);
	bev_rules_end(&rules, a, b);
}

static void test_flush_writes_at_once_and_calls_nobody(void **state)
{
	struct bev_rules_end *a, *b;
	struct bev_rules rules = bev_rules_begin(state, &a, &b);

	bev_rules_settle(rules.loop);
	bev_rules_write(a, 0, 5);
	BEV_RULES_CALL(bev_flush(a->bev));
	assert_int_equal(bev_rules_output_length(a), 0);
	assert_int_equal(b->reads, 0);
	BEV_RULES_UNTIL(rules.loop, evbuffer_get_length(b->got) == 5);
	bev_rules_end(&rules, a, b);
}

static void test_data_left_in_the_input_is_not_told_again(void **state)
{
	struct bev_rules_end *a, *b;
	struct bev_rules rules = bev_rules_begin(state, &a, &b);

	b->reading = BEV_RULES_LEAVE;
	bev_rules_write(a, 0, 100);
	BEV_RULES_UNTIL(rules.loop, b->reads);

	size_t reads = b->reads;

	bev_rules_settle(rules.loop);
	assert_int_equal(b->reads, reads);
	assert_int_equal(bev_rules_input_length(b), 100);
	bev_rules_end(&rules, a, b);
}

static void test_a_full_input_stops_the_producer_and_a_drained_one_starts_it(void **state)
{
	struct bev_rules_end *a, *b;
	struct bev_rules rules = bev_rules_begin(state, &a, &b);

	b->reading = BEV_RULES_LEAVE;

	size_t sent = bev_rules_write_until_full(&rules, a, 0);

	assert_true(bev_full(a->bev));
	assert_true(bev_rules_input_length(b) >= BEV_HIGH_MARK);
	assert_true(bev_rules_input_length(b) < BEV_HIGH_MARK + 65536);
	assert_true(sent < 2 * (BEV_HIGH_MARK + 65536) + rules.factory->path_bytes);

	b->reading = BEV_RULES_TAKE;
	bev_rules_take(b);
	BEV_RULES_UNTIL(rules.loop, evbuffer_get_length(b->got) == sent);
	bev_rules_got_exactly(b, sent);
	bev_rules_end(&rules, a, b);
}

static void test_an_input_drained_bit_by_bit_gets_everything(void **state)
{
	struct bev_rules_end *a, *b;
	struct bev_rules rules = bev_rules_begin(state, &a, &b);

	bufferevent_setwatermark(b->bev, EV_READ, 0, 1000);
	b->reading = BEV_RULES_LEAVE;
	bev_rules_write(a, 0, 100000);
	while (evbuffer_get_length(b->got) < 100000) {
		BEV_RULES_UNTIL(rules.loop, bev_rules_input_length(b));
		assert_true(bev_rules_input_length(b) < 2000);
		evbuffer_remove_buffer(bufferevent_get_input(b->bev), b->got, 700);
	}
	bev_rules_got_exactly(b, 100000);
	bev_rules_end(&rules, a, b);
}

static void test_appending_past_the_mark_works_and_full_says_so(void **state)
{
	struct bev_rules_end *a, *b;
	struct bev_rules rules = bev_rules_begin(state, &a, &b);

	bev_rules_settle(rules.loop);
	bev_rules_write(a, 0, BEV_HIGH_MARK - 1);
	assert_false(bev_full(a->bev));
	bev_rules_write(a, BEV_HIGH_MARK - 1, 1);
	assert_true(bev_full(a->bev));
	bev_rules_write(a, BEV_HIGH_MARK, 3 * BEV_HIGH_MARK);
	BEV_RULES_UNTIL(rules.loop, evbuffer_get_length(b->got) == 4 * BEV_HIGH_MARK);
	bev_rules_got_exactly(b, 4 * BEV_HIGH_MARK);
	assert_false(bev_full(a->bev));
	bev_rules_end(&rules, a, b);
}

static void test_the_write_callback_comes_at_the_low_mark(void **state)
{
	struct bev_rules_end *a, *b;
	struct bev_rules rules = bev_rules_begin(state, &a, &b);

	b->reading = BEV_RULES_LEAVE;
	bev_rules_write_until_full(&rules, a, 0);
	a->writes = 0;
	bev_rules_settle(rules.loop);
	assert_int_equal(a->writes, 0);
	b->reading = BEV_RULES_TAKE;
	bev_rules_take(b);
	BEV_RULES_UNTIL(rules.loop, a->writes);
	bev_rules_end(&rules, a, b);
}

static void test_with_a_low_mark_of_zero_the_last_byte_is_told(void **state)
{
	struct bev_rules_end *a, *b;
	struct bev_rules rules = bev_rules_begin(state, &a, &b);

	bufferevent_setwatermark(a->bev, EV_WRITE, 0, BEV_HIGH_MARK);
	bev_rules_write(a, 0, 10);
	BEV_RULES_UNTIL(rules.loop, a->writes);
	assert_int_equal(bev_rules_output_length(a), 0);
	bev_rules_end(&rules, a, b);
}

static void test_eof_arrives_once_after_the_last_byte(void **state)
{
	struct bev_rules_end *a, *b;
	struct bev_rules rules = bev_rules_begin(state, &a, &b);

	bev_rules_write(a, 0, 2000000);
	BEV_RULES_CALL(bev_finish(a->bev));
	BEV_RULES_CALL(bev_finish(a->bev));
	BEV_RULES_UNTIL(rules.loop, b->eofs);
	assert_int_equal(b->bytes_at_eof, 2000000);
	BEV_RULES_CALL(bev_finish(a->bev));
	bev_rules_settle(rules.loop);
	assert_int_equal(b->eofs, 1);
	assert_int_equal(b->errors + a->errors + a->eofs, 0);
	bev_rules_got_exactly(b, 2000000);
	bev_rules_end(&rules, a, b);
}

static void test_eof_waits_for_the_bytes_before_it(void **state)
{
	struct bev_rules_end *a, *b;
	struct bev_rules rules = bev_rules_begin(state, &a, &b);

	b->reading = BEV_RULES_LEAVE;
	bev_rules_write(a, 0, BEV_HIGH_MARK + 100000);
	BEV_RULES_CALL(bev_finish(a->bev));
	bev_rules_settle(rules.loop);
	assert_int_equal(b->eofs, 0);
	assert_false(bev_at_eof(b->bev));
	b->reading = BEV_RULES_TAKE;
	bev_rules_take(b);
	BEV_RULES_UNTIL(rules.loop, b->eofs);
	assert_int_equal(b->bytes_at_eof, BEV_HIGH_MARK + 100000);
	bev_rules_end(&rules, a, b);
}

static void test_eof_without_a_byte(void **state)
{
	struct bev_rules_end *a, *b;
	struct bev_rules rules = bev_rules_begin(state, &a, &b);

	BEV_RULES_CALL(bev_finish(a->bev));
	BEV_RULES_UNTIL(rules.loop, b->eofs);
	assert_int_equal(b->reads, 0);
	bev_rules_end(&rules, a, b);
}

static void test_a_half_closed_one_still_receives(void **state)
{
	struct bev_rules_end *a, *b;
	struct bev_rules rules = bev_rules_begin(state, &a, &b);

	BEV_RULES_CALL(bev_finish(a->bev));
	BEV_RULES_UNTIL(rules.loop, b->eofs);
	bev_rules_write(b, 0, 1000000);
	BEV_RULES_CALL(bev_finish(b->bev));
	BEV_RULES_UNTIL(rules.loop, a->eofs);
	bev_rules_got_exactly(a, 1000000);
	assert_int_equal(a->errors + b->errors, 0);
	bev_rules_end(&rules, a, b);
}

static void test_it_can_be_freed_in_the_read_callback(void **state)
{
	struct bev_rules_end *a, *b;
	struct bev_rules rules = bev_rules_begin(state, &a, &b);

	b->freeing = BEV_RULES_FREE_ON_READ;
	bev_rules_write(a, 0, 1000);
	BEV_RULES_CALL(
	    bev_finish(a->bev)); /* an EOF is right behind, and must not be told any more */
	BEV_RULES_UNTIL(rules.loop, !b->bev);
	bev_rules_settle(rules.loop);
	assert_int_equal(b->reads, 1);
	assert_int_equal(b->eofs, 0);
	bev_rules_end(&rules, a, b);
}

static void test_it_can_be_freed_in_the_write_callback(void **state)
{
	struct bev_rules_end *a, *b;
	struct bev_rules rules = bev_rules_begin(state, &a, &b);

	a->freeing = BEV_RULES_FREE_ON_WRITE;
	bufferevent_setwatermark(a->bev, EV_WRITE, 0, BEV_HIGH_MARK);
	bev_rules_write(a, 0, 1000);
	BEV_RULES_UNTIL(rules.loop, !a->bev);
	BEV_RULES_UNTIL(rules.loop, evbuffer_get_length(b->got) == 1000);
	assert_int_equal(a->writes, 1);
	bev_rules_end(&rules, a, b);
}

static void test_it_can_be_freed_in_the_event_callback(void **state)
{
	struct bev_rules_end *a, *b;
	struct bev_rules rules = bev_rules_begin(state, &a, &b);

	b->freeing = BEV_RULES_FREE_ON_EVENT;
	BEV_RULES_CALL(bev_finish(a->bev));
	BEV_RULES_UNTIL(rules.loop, !b->bev);
	BEV_RULES_UNTIL(rules.loop, a->eofs + a->errors);
	bev_rules_end(&rules, a, b);
}

static void test_nothing_is_told_of_a_freed_one(void **state)
{
	struct bev_rules_end *a, *b;
	struct bev_rules rules = bev_rules_begin(state, &a, &b);

	bev_rules_write(a, 0, 1000);
	bev_rules_write(b, 0, 1000);
	loop_pass(rules.loop, LOOP_NO_WAIT);

	size_t told = b->reads + b->writes;

	bev_rules_free_end(b);
	bev_rules_settle(rules.loop);
	assert_int_equal(b->reads + b->writes + b->eofs + b->errors, told);
	bev_rules_end(&rules, a, b);
}

static void test_freeing_is_an_end_for_the_other(void **state)
{
	struct bev_rules_end *a, *b;
	struct bev_rules rules = bev_rules_begin(state, &a, &b);

	bev_rules_free_end(b);
	BEV_RULES_UNTIL(rules.loop, a->eofs + a->errors);
	bev_rules_settle(rules.loop);
	assert_int_equal(a->eofs + a->errors, 1);
	bev_rules_end(&rules, a, b);
}

static void test_writing_to_one_that_is_gone_fails_once(void **state)
{
	struct bev_rules_end *a, *b;
	struct bev_rules rules = bev_rules_begin(state, &a, &b);

	bev_rules_free_end(b);
	BEV_RULES_UNTIL(rules.loop, a->eofs + a->errors);
	for (uint64_t end_ms = clock_now_ms() + 10000; !a->errors && clock_now_ms() < end_ms;) {
		bev_rules_write(a, 0, 1000);
		loop_pass(rules.loop, LOOP_NO_WAIT);
	}
	assert_int_equal(a->errors, 1);
	bev_rules_write(a, 0, 1000); /* still legal, and goes nowhere */
	BEV_RULES_CALL(bev_flush(a->bev));
	BEV_RULES_CALL(bev_finish(a->bev));
	bev_rules_settle(rules.loop);
	assert_int_equal(a->errors, 1);
	bev_rules_end(&rules, a, b);
}

static void bev_rules_reset_b(struct bev_rules_end *b)
{
	struct bufferevent *bev = b->bev;

	b->bev = NULL;
	BEV_RULES_CALL(bev_reset(bev));
}

static void test_a_reset_is_seen(void **state)
{
	struct bev_rules_end *a, *b;
	struct bev_rules rules = bev_rules_begin(state, &a, &b);

	bev_rules_settle(rules.loop);
	bev_rules_reset_b(b);
	BEV_RULES_UNTIL(rules.loop, a->eofs + a->errors);
	bev_rules_settle(rules.loop);
	if (rules.factory->reset == BEV_RULES_RESET_IS_AN_ERROR)
		assert_int_equal(a->errors, 1);
	bev_rules_end(&rules, a, b);
}

static void test_a_reset_is_seen_while_the_input_is_full(void **state)
{
	struct bev_rules_end *a, *b;
	struct bev_rules rules = bev_rules_begin(state, &a, &b);

	a->reading = BEV_RULES_LEAVE;
	bev_rules_write_until_full(&rules, b, 0);
	bev_rules_reset_b(b);
	if (rules.factory->reset == BEV_RULES_RESET_IS_AN_ERROR)
		BEV_RULES_UNTIL(rules.loop, a->errors);
	bev_rules_settle(rules.loop);
	assert_true(bev_rules_input_length(a) >= BEV_HIGH_MARK); /* and can be read */
	bev_rules_end(&rules, a, b);
}

static void test_an_idle_pair_leaves_the_loop_alone(void **state)
{
	struct bev_rules_end *a, *b;
	struct bev_rules rules = bev_rules_begin(state, &a, &b);

	a->reading = b->reading = BEV_RULES_LEAVE;
	bev_rules_write_until_full(&rules, a, 0);
	bev_rules_settle(rules.loop);
	/* Both are stuck. If anything were still ready or scheduled, each pass would have something
	 * to do. */
	assert_int_equal(
	    event_base_get_num_events(loop_base(rules.loop), EVENT_BASE_COUNT_ACTIVE), 0);
	bev_rules_end(&rules, a, b);
}

#define BEV_RULES_TEST(test, factory) cmocka_unit_test_prestate(test, factory)

#define BEV_RULES_TESTS(factory) \
	BEV_RULES_TEST(test_bytes_go_both_ways, factory), \
	    BEV_RULES_TEST(test_flush_writes_at_once_and_calls_nobody, factory), \
	    BEV_RULES_TEST(test_data_left_in_the_input_is_not_told_again, factory), \
	    BEV_RULES_TEST( \
		test_a_full_input_stops_the_producer_and_a_drained_one_starts_it, factory), \
	    BEV_RULES_TEST(test_an_input_drained_bit_by_bit_gets_everything, factory), \
	    BEV_RULES_TEST(test_appending_past_the_mark_works_and_full_says_so, factory), \
	    BEV_RULES_TEST(test_the_write_callback_comes_at_the_low_mark, factory), \
	    BEV_RULES_TEST(test_with_a_low_mark_of_zero_the_last_byte_is_told, factory), \
	    BEV_RULES_TEST(test_eof_arrives_once_after_the_last_byte, factory), \
	    BEV_RULES_TEST(test_eof_waits_for_the_bytes_before_it, factory), \
	    BEV_RULES_TEST(test_eof_without_a_byte, factory), \
	    BEV_RULES_TEST(test_a_half_closed_one_still_receives, factory), \
	    BEV_RULES_TEST(test_it_can_be_freed_in_the_read_callback, factory), \
	    BEV_RULES_TEST(test_it_can_be_freed_in_the_write_callback, factory), \
	    BEV_RULES_TEST(test_it_can_be_freed_in_the_event_callback, factory), \
	    BEV_RULES_TEST(test_nothing_is_told_of_a_freed_one, factory), \
	    BEV_RULES_TEST(test_freeing_is_an_end_for_the_other, factory), \
	    BEV_RULES_TEST(test_writing_to_one_that_is_gone_fails_once, factory), \
	    BEV_RULES_TEST(test_a_reset_is_seen, factory), \
	    BEV_RULES_TEST(test_a_reset_is_seen_while_the_input_is_full, factory), \
	    BEV_RULES_TEST(test_an_idle_pair_leaves_the_loop_alone, factory)

#endif
