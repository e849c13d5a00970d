#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tunnel/gate.h"

enum { TICKETS = 100 };

static struct loop *loop;
static struct gate *gate;
static struct gate_ticket tickets[TICKETS];
static int entered[TICKETS], entered_count;

static void enter(void *arg)
{
	entered[entered_count++] = (int)((struct gate_ticket *)arg - tickets);
}

static void settle(void)
{
	for (int i = 0; i < 3; i++)
		loop_pass(loop, LOOP_NO_WAIT);
}

static int setup(void **state)
{
	(void)state;
	loop = loop_new();
	gate = gate_new(loop);
	entered_count = 0;
	for (int i = 0; i < TICKETS; i++)
		gate_ticket_init(&tickets[i], gate, enter, &tickets[i]);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < TICKETS; i++)
		gate_leave(&tickets[i], GATE_DONE);
	gate_free(gate);
	loop_free(loop);
	return 0;
}

static void test_a_pass_comes_from_the_loop(void **state)
{
	(void)state;
	gate_ask(&tickets[0], "a:22");
	assert_int_equal(entered_count, 0);
	assert_true(gate_is_waiting(&tickets[0]));
	settle();
	assert_int_equal(entered_count, 1);
	assert_false(gate_is_waiting(&tickets[0]));
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
	assert_false(gate_is_waiting(&tickets[50]));
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
	assert_int_equal(entered_count, 64);
	gate_leave(&tickets[entered[0]], GATE_DONE);
	settle();
	assert_int_equal(entered_count, 65);
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
	assert_int_equal(entered_count - before, 2);
}

static void test_a_place_in_the_queue_can_be_given_up(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++)
		gate_ask(&tickets[i], "a:22");
	gate_leave(&tickets[0], GATE_DONE);
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
