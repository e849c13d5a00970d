#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "forward/hold.h"

enum { TIMEOUT = 10000 };

static struct loop *loop;
static struct hold hold;
static struct hold_place places[3];
static int expired[3];
static int expired_count;

static void on_expired(void *arg, struct hold_place *place)
{
	assert_null(arg);
	assert_null(place->hold);
	expired[expired_count++] = (int)(place - places);
}

static int set_up(void **state)
{
	(void)state;
	clock_fake_start(1000, 0);
	loop = loop_new();
	hold_init(&hold, loop, TIMEOUT, on_expired, NULL);
	for (int i = 0; i < 3; i++)
		hold_place_init(&places[i]);
	expired_count = 0;
	return 0;
}

static int tear_down(void **state)
{
	struct hold_place *place;

	(void)state;
	while ((place = hold_first(&hold)))
		hold_remove(place);
	hold_clear(&hold);
	loop_free(loop);
	clock_fake_stop();
	return 0;
}

static void test_the_first_that_came_is_the_first(void **state)
{
	(void)state;
	assert_null(hold_first(&hold));
	for (int i = 0; i < 3; i++)
		hold_put(&hold, &places[i]);
	assert_int_equal(hold.count, 3);
	for (int i = 0; i < 3; i++) {
		assert_ptr_equal(hold_first(&hold), &places[i]);
		hold_remove(&places[i]);
	}
	assert_int_equal(hold.count, 0);
}

static void test_each_waits_its_own_time(void **state)
{
	(void)state;
	hold_put(&hold, &places[0]);
	loop_fake_advance(loop, 4000);
	hold_put(&hold, &places[1]);
	loop_fake_advance(loop, TIMEOUT - 4000 - 1);
	assert_int_equal(expired_count, 0);
	loop_fake_advance(loop, 1);
	assert_int_equal(expired_count, 1);
	assert_int_equal(expired[0], 0);
	loop_fake_advance(loop, 3999);
	assert_int_equal(expired_count, 1);
	loop_fake_advance(loop, 1);
	assert_int_equal(expired_count, 2);
	assert_int_equal(expired[1], 1);
}

static void test_those_of_one_moment_expire_together_and_in_order(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		hold_put(&hold, &places[i]);
	loop_fake_advance(loop, TIMEOUT);
	assert_int_equal(expired_count, 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(expired[i], i);
}

static void test_who_comes_back_has_its_old_place_and_time(void **state)
{
	(void)state;
	hold_put(&hold, &places[0]);
	loop_fake_advance(loop, 100);
	hold_put(&hold, &places[1]);
	loop_fake_advance(loop, 100);
	hold_remove(&places[0]);
	hold_put(&hold, &places[2]);
	hold_put(&hold, &places[0]);
	assert_ptr_equal(hold_first(&hold), &places[0]);
	loop_fake_advance(loop, TIMEOUT - 200);
	assert_int_equal(expired_count, 1);
	assert_int_equal(expired[0], 0);
	assert_true(hold_is_over(&hold, &places[0]));
	assert_false(hold_is_over(&hold, &places[1]));
}

static void test_a_new_timeout_applies_to_who_waits(void **state)
{
	(void)state;
	hold_put(&hold, &places[0]);
	hold_put(&hold, &places[1]);
	loop_fake_advance(loop, 3000);
	hold_set_timeout(&hold, 2000);
	loop_fake_advance(loop, 0);
	assert_int_equal(expired_count, 2);
}

static void test_with_no_timeout_nobody_waits(void **state)
{
	(void)state;
	assert_false(hold_is_over(&hold, &places[0]));
	hold_set_timeout(&hold, 0);
	assert_true(hold_is_over(&hold, &places[0]));
}

static void test_removing_twice_is_legal(void **state)
{
	(void)state;
	hold_put(&hold, &places[0]);
	hold_remove(&places[0]);
	hold_remove(&places[0]);
	assert_int_equal(hold.count, 0);
	loop_fake_advance(loop, TIMEOUT);
	assert_int_equal(expired_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		test_the_first_that_came_is_the_first, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_each_waits_its_own_time, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_those_of_one_moment_expire_together_and_in_order, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_who_comes_back_has_its_old_place_and_time, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_a_new_timeout_applies_to_who_waits, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_with_no_timeout_nobody_waits, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_removing_twice_is_legal, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
