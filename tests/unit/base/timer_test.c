#include "loop_rig.h"

#include "base/mem.h"

static void test_timers_fire_at_their_moment_and_in_order(void **state)
{
	struct loop *loop = *state;
	struct timer a, b;

	timer_init(&a, loop, note_string, LETTER("a"));
	timer_init(&b, loop, note_string, LETTER("b"));
	timer_start(&a, 300);
	timer_start(&b, 200);
	assert_int_equal(timer_left_ms(&a), 300);
	loop_fake_advance(loop, 199);
	assert_string_equal(trace, "");
	assert_int_equal(timer_left_ms(&b), 1);
	loop_fake_advance(loop, 1);
	assert_string_equal(trace, "b");
	assert_false(timer_is_running(&b));
	assert_int_equal(timer_left_ms(&b), 0);
	loop_fake_advance(loop, 1000);
	assert_string_equal(trace, "ba");
	assert_int_equal(clock_now_ms(), 2200);
	timer_start(&a, 100);
	timer_stop(&a);
	assert_int_equal(timer_left_ms(&a), 0);
}

static void test_a_restarted_timer_counts_anew(void **state)
{
	struct loop *loop = *state;
	struct timer a;

	timer_init(&a, loop, note_string, LETTER("a"));
	timer_start(&a, 100);
	loop_fake_advance(loop, 60);
	timer_start(&a, 100);
	loop_fake_advance(loop, 60);
	assert_string_equal(trace, "");
	loop_fake_advance(loop, 40);
	assert_string_equal(trace, "a");
}

static void test_a_stopped_timer_stays_quiet(void **state)
{
	struct loop *loop = *state;
	struct timer a;

	timer_init(&a, loop, note_string, LETTER("a"));
	timer_stop(&a);
	timer_start(&a, 100);
	assert_true(timer_is_running(&a));
	timer_stop(&a);
	timer_stop(&a);
	loop_fake_advance(loop, 1000);
	assert_string_equal(trace, "");
}

struct ticking {
	struct timer timer;
	uint64_t fired_at[8];
	size_t count;
};

static void tick(void *arg)
{
	struct ticking *t = arg;

	t->fired_at[t->count++] = clock_now_ms();
	if (t->count < 3)
		timer_start(&t->timer, 10);
}

static void test_a_timer_that_restarts_itself_fires_at_each_moment(void **state)
{
	struct loop *loop = *state;
	struct ticking t = {.count = 0};

	timer_init(&t.timer, loop, tick, &t);
	timer_start(&t.timer, 10);
	loop_fake_advance(loop, 1000);
	assert_int_equal(t.count, 3);
	assert_int_equal(t.fired_at[0], 1010);
	assert_int_equal(t.fired_at[1], 1020);
	assert_int_equal(t.fired_at[2], 1030);
}

static void test_a_timer_of_zero_fires_in_a_later_pass(void **state)
{
	struct loop *loop = *state;
	struct timer a;

	timer_init(&a, loop, note_string, LETTER("a"));
	timer_start(&a, 0);
	assert_true(timer_is_running(&a));
	assert_string_equal(trace, "");
	loop_fake_advance(loop, 0);
	assert_string_equal(trace, "a");
}

static void test_the_real_clock_drives_timers_too(void **state)
{
	struct loop *loop = *state;
	struct timer a;

	clock_fake_stop();
	timer_init(&a, loop, note_string, LETTER("a"));
	timer_start(&a, 1);
	loop_run(loop);
	assert_string_equal(trace, "a");
	assert_false(timer_is_running(&a));
}

/* ---- many ---- */

enum { MANY = 1000 };

struct many {
	struct timer timers[MANY];
	uint64_t last_ms;
	unsigned fired;
};

static struct many many;

static void note_one_of_many(void *arg)
{
	struct timer *timer = arg;

	assert_false(timer_is_running(timer));
	assert_true(clock_now_ms() >= many.last_ms);
	many.last_ms = clock_now_ms();
	many.fired++;
}

/* In scrambled order, several due together. */
static uint64_t scrambled_ms(size_t i)
{
	return i * 7919 % MANY / 3;
}

static void test_many_fire_in_order_whichever_were_stopped(void **state)
{
	struct loop *loop = *state;
	unsigned stopped = 0;

	memset(&many, 0, sizeof(many));
	for (size_t i = 0; i < MANY; i++) {
		timer_init(&many.timers[i], loop, note_one_of_many, &many.timers[i]);
		timer_start(&many.timers[i], scrambled_ms(i));
	}
	for (size_t i = 0; i < MANY; i += 3, stopped++)
		timer_stop(&many.timers[i]);
	for (size_t i = 1; i < MANY; i += 3)
		timer_start(&many.timers[i], scrambled_ms(i) + 100);
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(timer_is_running(&many.timers[i]), i % 3 != 0);
	loop_fake_advance(loop, MANY);
	assert_int_equal(many.fired, MANY - stopped);
}

static void test_of_two_that_are_due_together_the_first_started_fires_first(void **state)
{
	char letters[][2] = {"a", "b", "c", "d", "e"};
	struct timer timers[ARRAY_LEN(letters)];

	for (size_t i = 0; i < ARRAY_LEN(timers); i++) {
		timer_init(&timers[i], *state, note_string, letters[i]);
		timer_start(&timers[i], 10);
	}
	timer_start(&timers[1], 10);
	loop_fake_advance(*state, 10);
	assert_string_equal(trace, "acdeb");
}

/* ---- the timerfd ---- */

static void test_a_timer_that_moves_away_costs_nothing_until_then(void **state)
{
	struct loop *loop = *state;
	const struct timers *timers = loop_timers(loop);
	struct timer a;
	uint64_t set_us;

	clock_fake_stop();
	timer_init(&a, loop, note_string, LETTER("a"));
	timer_start(&a, 100000);
	loop_pass(loop, LOOP_NO_WAIT);
	set_us = timers->set_us;
	assert_int_equal(set_us, a.due_us);
	timer_start(&a, 200000);
	loop_pass(loop, LOOP_NO_WAIT);
	assert_int_equal(timers->set_us, set_us);
	timer_start(&a, 50000);
	loop_pass(loop, LOOP_NO_WAIT);
	assert_int_equal(timers->set_us, a.due_us);
	timer_stop(&a);
}

static void test_after_waking_up_for_a_stopped_one_it_waits_for_the_next(void **state)
{
	struct loop *loop = *state;
	struct timer a, b;

	clock_fake_stop();
	timer_init(&a, loop, note_string, LETTER("a"));
	timer_init(&b, loop, note_string, LETTER("b"));
	timer_start(&a, 1);
	timers_set(loop_timers(loop)); /* not a pass: it may be due by now */
	timer_stop(&a);
	timer_start(&b, 20);
	loop_run(loop);
	assert_string_equal(trace, "b");
}

struct endless {
	struct timer timer;
	unsigned fired;
};

static void start_again_at_once(void *arg)
{
	struct endless *e = arg;

	e->fired++;
	timer_start(&e->timer, 0);
}

static void test_one_that_is_due_again_at_once_lets_others_run(void **state)
{
	struct loop *loop = *state;
	struct endless e = {.fired = 0};

	clock_fake_stop();
	timer_init(&e.timer, loop, start_again_at_once, &e);
	timer_start(&e.timer, 0);
	for (unsigned i = 1; i <= 10; i++) {
		assert_true(loop_pass(loop, LOOP_WAIT));
		assert_int_equal(e.fired, i);
	}
	timer_stop(&e.timer);
	assert_false(loop_pass(loop, LOOP_WAIT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(test_timers_fire_at_their_moment_and_in_order),
	    TEST(test_a_restarted_timer_counts_anew),
	    TEST(test_a_stopped_timer_stays_quiet),
	    TEST(test_a_timer_that_restarts_itself_fires_at_each_moment),
	    TEST(test_a_timer_of_zero_fires_in_a_later_pass),
	    TEST(test_the_real_clock_drives_timers_too),
	    TEST(test_many_fire_in_order_whichever_were_stopped),
	    TEST(test_of_two_that_are_due_together_the_first_started_fires_first),
	    TEST(test_a_timer_that_moves_away_costs_nothing_until_then),
	    TEST(test_after_waking_up_for_a_stopped_one_it_waits_for_the_next),
	    TEST(test_one_that_is_due_again_at_once_lets_others_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
