#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "tunnel/gate.h"

enum { TICKETS = 300 };

static struct loop *loop;
static struct gate *gate;
static struct gate_ticket tickets[TICKETS];
static int entered[TICKETS], entered_count;

static void enter(void *arg)
{
	entered[entered_count++] = (int)((struct gate_ticket *)arg - tickets);
}

static int woken[TICKETS], woken_count;

static void wake(void *arg)
{
	woken[woken_count++] = (int)((struct gate_ticket *)arg - tickets);
}

static void settle(void)
{
	for (int i = 0; i < 3; i++)
		loop_pass(loop, LOOP_NO_WAIT);
}

static int setup(void **state)
{
	(void)state;
	clock_fake_start(1000000, 1700000000);
	random_seed_for_tests(1);
	loop = loop_new();
	gate = gate_new(loop);
	entered_count = woken_count = 0;
	for (int i = 0; i < TICKETS; i++)
		gate_ticket_init(&tickets[i], gate, enter, wake, &tickets[i]);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < TICKETS; i++)
		gate_leave(&tickets[i], GATE_DONE);
	gate_free(gate);
	loop_free(loop);
	clock_fake_stop();
	return 0;
}

static void test_a_pass_comes_from_the_loop(void **state)
{
	(void)state;
	gate_ask(&tickets[0], "a:22");
	assert_int_equal(entered_count, 0);
	settle();
	assert_int_equal(entered_count, 1);
}

static void test_a_server_gets_fewer_than_its_max_startups(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++)
		gate_ask(&tickets[i], "a:22");
	settle();
	assert_in_range(entered_count, 2, 9);
}

static void test_who_leaves_lets_the_next_in_order(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++)
		gate_ask(&tickets[i], "a:22");
	settle();
	for (int i = 0; i < 50; i++) {
		assert_true(entered_count > i);
		assert_int_equal(entered[i], i);
		gate_leave(&tickets[i], GATE_DONE);
		settle();
	}
	assert_int_equal(entered_count, 50);
}

static void test_another_server_does_not_wait(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++)
		gate_ask(&tickets[i], "a:22");
	gate_ask(&tickets[50], "b:22");
	settle();
	assert_int_equal(entered[entered_count - 1], 50);
}

static void test_all_together_have_a_limit(void **state)
{
	char server[16];

	(void)state;
	for (int i = 0; i < TICKETS; i++) {
		snprintf(server, sizeof(server), "s%d:22", i);
		gate_ask(&tickets[i], server);
	}
	settle();
	assert_int_equal(entered_count, 256);
	gate_leave(&tickets[entered[0]], GATE_FAILED);
	settle();
	assert_int_equal(entered_count, 257);
}

static void test_a_server_that_drops_us_gets_fewer(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++)
		gate_ask(&tickets[i], "a:22");
	settle();
	int before = entered_count;
	for (int i = 0; i < before; i++)
		gate_leave(&tickets[entered[i]], GATE_DROPPED_BY_SERVER);
	settle();
	assert_int_equal(entered_count - before, 4);
}

static void test_a_place_in_the_queue_can_be_given_up(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++)
		gate_ask(&tickets[i], "a:22");
	gate_leave(&tickets[0], GATE_FAILED);
	settle();
	assert_int_equal(entered[0], 1);
}

static void test_asking_twice_is_asking_anew(void **state)
{
	(void)state;
	gate_ask(&tickets[0], "a:22");
	settle();
	gate_ask(&tickets[0], "a:22");
	settle();
	assert_int_equal(entered_count, 2);
	for (int i = 1; i < 50; i++)
		gate_ask(&tickets[i], "a:22");
	settle();
	assert_in_range(entered_count, 3, 10); /* the first pass was given back */
}

/* ---- what is learnt ---- */

/* One after another, as often as that. */
static void succeed(int times)
{
	for (int i = 0; i < times; i++) {
		entered_count = 0;
		gate_ask(&tickets[0], "a:22");
		settle();
		gate_leave(&tickets[0], GATE_DONE);
	}
}

/* How many are let in at once? */
static int width(void)
{
	entered_count = 0;
	for (int i = 0; i < 50; i++)
		gate_ask(&tickets[i], "a:22");
	settle();
	int n = entered_count;
	for (int i = 0; i < 50; i++)
		gate_leave(&tickets[i], GATE_FAILED);
	settle();
	return n;
}

static void drop_all_at_once(void)
{
	entered_count = 0;
	for (int i = 0; i < 50; i++)
		gate_ask(&tickets[i], "a:22");
	settle();
	int n = entered_count;
	for (int i = 0; i < n; i++)
		gate_leave(&tickets[entered[i]], GATE_DROPPED_BY_SERVER);
	for (int i = 0; i < 50; i++)
		gate_leave(&tickets[i], GATE_FAILED);
	settle();
}

static void test_those_who_are_dropped_together_are_one_sign(void **state)
{
	(void)state;
	assert_int_equal(width(), 8);
	drop_all_at_once();
	assert_int_equal(width(), 4);
	drop_all_at_once();
	assert_int_equal(width(), 2);
	drop_all_at_once();
	drop_all_at_once();
	assert_int_equal(width(), 1); /* never fewer */
}

static void test_failures_that_say_nothing_about_the_number_change_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++)
		assert_int_equal(width(), 8);
}

static void test_successes_widen_it_but_not_to_where_it_was_dropped(void **state)
{
	(void)state;
	succeed(100);
	assert_int_equal(width(), 10);
	drop_all_at_once();
	assert_int_equal(width(), 5);
	succeed(1);
	drop_all_at_once();
	assert_int_equal(width(), 2);
	succeed(50);
	assert_int_equal(width(), 4); /* 5 at once were too many */
}

static void test_a_server_that_lets_nobody_in_says_nothing_about_how_many(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++)
		drop_all_at_once(); /* a proxy, whose server is away */
	assert_int_equal(width(), 1);
	succeed(4 * (1 + 2 + 3 + 4 + 5 + 6));
	assert_int_equal(width(), 7); /* 8 were too many while it still served */
}

static void test_what_was_learnt_many_logins_ago_is_doubted(void **state)
{
	(void)state;
	drop_all_at_once();
	succeed(1);
	drop_all_at_once();
	assert_int_equal(width(), 2);
	succeed(5000);
	assert_int_equal(width(), 10);
}

static void test_what_was_learnt_ten_minutes_ago_is_doubted(void **state)
{
	(void)state;
	drop_all_at_once();
	succeed(1);
	drop_all_at_once();
	succeed(4 * (2 + 3));
	assert_int_equal(width(), 3);
	loop_fake_advance(loop, 599999);
	succeed(1);
	assert_int_equal(width(), 3);
	loop_fake_advance(loop, 1);
	succeed(4 * (3 + 4 + 5 + 6 + 7 + 8 + 9));
	assert_int_equal(width(), 10);
}

/* ---- a server with MaxStartups ---- */

/* Lets all in that were admitted; counts whom the server dropped, by sshd's rule: how many have begun and are not in yet. */
static int come_back(int count, unsigned start, unsigned rate, unsigned full)
{
	int drops = 0, left = count;

	for (int i = 0; i < count; i++)
		gate_ask(&tickets[i], "a:22");
	while (left > 0) {
		int begun[TICKETS], begun_count;
		unsigned pending = 0;

		entered_count = 0;
		settle();
		begun_count = entered_count;
		assert_true(begun_count > 0);
		memcpy(begun, entered, sizeof(begun));
		for (int i = 0; i < begun_count; i++) {
			struct gate_ticket *ticket = &tickets[begun[i]];
			bool dropped =
			    pending >= full ||
			    (pending >= start && random_below(100) < rate + (100 - rate) *
										(pending - start) /
										(full - start));

			if (!dropped) {
				pending++;
				continue;
			}
			drops++;
			gate_leave(ticket, GATE_DROPPED_BY_SERVER);
			gate_ask(ticket, "a:22");
			begun[i] = -1;
		}
		for (int i = 0; i < begun_count; i++) {
			if (begun[i] < 0)
				continue;
			gate_leave(&tickets[begun[i]], GATE_DONE);
			left--;
		}
	}
	return drops;
}

static void test_the_default_max_startups_drops_nobody(void **state)
{
	(void)state;
	assert_int_equal(come_back(TICKETS, 10, 30, 100), 0);
	assert_int_equal(width(), 10);
}

static void test_a_server_that_drops_from_three_on_gets_its_three(void **state)
{
	(void)state;
	int drops = come_back(TICKETS, 3, 30, 10);
	assert_in_range(drops, 3, 20); /* of 300 */
	assert_in_range(width(), 2, 4);
}

static void test_a_server_that_takes_one_at_a_time_gets_one(void **state)
{
	(void)state;
	assert_in_range(come_back(TICKETS, 1, 100, 2), 3, 30);
	assert_in_range(width(), 1, 2);
}

static void test_who_rests_is_woken_when_another_gets_through(void **state)
{
	(void)state;
	gate_rest(&tickets[1], "a:22");
	gate_rest(&tickets[2], "a:22");
	gate_rest(&tickets[3], "b:22");
	gate_ask(&tickets[0], "a:22");
	settle();
	assert_int_equal(woken_count, 0);
	gate_leave(&tickets[0], GATE_DONE);
	assert_int_equal(woken_count, 0); /* from the loop */
	settle();
	assert_int_equal(woken_count, 2);
	assert_int_equal(woken[0], 1);
	assert_int_equal(woken[1], 2);
	succeed(1);
	settle();
	assert_int_equal(woken_count, 2); /* once */
}

static void test_a_failure_wakes_nobody(void **state)
{
	(void)state;
	gate_rest(&tickets[1], "a:22");
	gate_ask(&tickets[0], "a:22");
	settle();
	gate_leave(&tickets[0], GATE_FAILED);
	settle();
	assert_int_equal(woken_count, 0);
}

static void test_who_stopped_resting_is_not_woken(void **state)
{
	(void)state;
	gate_rest(&tickets[1], "a:22");
	gate_rest(&tickets[2], "a:22");
	succeed(1);
	gate_leave(&tickets[1], GATE_FAILED);
	settle();
	assert_int_equal(woken_count, 1);
	assert_int_equal(woken[0], 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_a_pass_comes_from_the_loop, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_a_server_gets_fewer_than_its_max_startups, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_who_leaves_lets_the_next_in_order, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_another_server_does_not_wait, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_all_together_have_a_limit, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_a_server_that_drops_us_gets_fewer, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_a_place_in_the_queue_can_be_given_up, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_asking_twice_is_asking_anew, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_those_who_are_dropped_together_are_one_sign, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_failures_that_say_nothing_about_the_number_change_nothing, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_successes_widen_it_but_not_to_where_it_was_dropped, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_a_server_that_lets_nobody_in_says_nothing_about_how_many, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_what_was_learnt_many_logins_ago_is_doubted, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_what_was_learnt_ten_minutes_ago_is_doubted, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_the_default_max_startups_drops_nobody, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_a_server_that_drops_from_three_on_gets_its_three, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_a_server_that_takes_one_at_a_time_gets_one, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_who_rests_is_woken_when_another_gets_through, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_failure_wakes_nobody, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_who_stopped_resting_is_not_woken, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
