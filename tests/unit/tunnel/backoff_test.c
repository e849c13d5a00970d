#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "tunnel/backoff.h"

static struct backoff fresh(void)
{
	struct backoff b;

	random_seed_for_tests(42);
	backoff_init(&b, 500, 30000);
	return b;
}

static void test_waits_double_up_to_the_maximum(void **state)
{
	struct backoff b = fresh();
	uint64_t ceiling = 500;

	(void)state;
	for (int i = 0; i < 20; i++) {
		uint64_t wait = backoff_failed(&b, ERR_NETWORK, BACKOFF_NOBODY_HELD);

		assert_in_range(wait, 250, ceiling);
		ceiling = ceiling * 2 > 30000 ? 30000 : ceiling * 2;
	}
}

static void test_jitter_spreads_the_waits(void **state)
{
	struct backoff b = fresh();
	uint64_t low = UINT64_MAX, high = 0;

	(void)state;
	b.failures = 20;
	for (int i = 0; i < 200; i++) {
		uint64_t wait = backoff_failed(&b, ERR_NETWORK, BACKOFF_NOBODY_HELD);

		low = wait < low ? wait : low;
		high = wait > high ? wait : high;
	}
	assert_true(low < 3000);
	assert_true(high > 27000);
}

static void test_a_held_client_shortens_a_networks_failure(void **state)
{
	struct backoff b = fresh();

	(void)state;
	b.failures = 20;
	for (int i = 0; i < 50; i++)
		assert_true(
		    backoff_failed(&b, ERR_NETWORK, BACKOFF_CLIENT_HELD) <= BACKOFF_HELD_MAX_MS);
}

static void test_what_a_person_must_mend_starts_at_the_maximum(void **state)
{
	static const enum error_class classes[] = {ERR_LOGIN, ERR_HOST_KEY, ERR_CONFIG};

	(void)state;
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		struct backoff b = fresh();

		assert_in_range(backoff_failed(&b, classes[i], BACKOFF_CLIENT_HELD), 15000, 30000);
	}
}

static void test_a_link_that_lived_is_tried_again_at_once(void **state)
{
	struct backoff b = fresh();

	(void)state;
	b.failures = 5;
	assert_int_equal(backoff_lost(&b, BACKOFF_LIVED_MS, ERR_NETWORK, BACKOFF_NOBODY_HELD), 0);
	assert_int_equal(b.failures, 0);
}

static void test_short_lives_are_followed_by_an_immediate_try_a_few_times(void **state)
{
	struct backoff b = fresh();

	(void)state;
	for (int i = 0; i < BACKOFF_SHORT_LIVES; i++)
		assert_int_equal(
		    backoff_lost(&b, BACKOFF_LIVED_SHORTLY_MS, ERR_NETWORK, BACKOFF_NOBODY_HELD),
		    0);
	assert_true(
	    backoff_lost(&b, BACKOFF_LIVED_SHORTLY_MS, ERR_NETWORK, BACKOFF_NOBODY_HELD) > 0);
}

static void test_a_link_that_is_always_lost_after_a_moment_is_backed_off_from(void **state)
{
	struct backoff b;

	(void)state;
	backoff_init(&b, 500, 30000);
	for (int i = 0; i < BACKOFF_BRIEF_LIVES; i++)
		assert_int_equal(
		    backoff_lost(&b, BACKOFF_LIVED_MS, ERR_NETWORK, BACKOFF_NOBODY_HELD), 0);
	/* Four more, since it is not worse than short lives. */
	uint64_t longest = 0;
	for (int i = 0; i < 20; i++) {
		uint64_t ms = backoff_lost(&b, BACKOFF_LIVED_MS, ERR_NETWORK, BACKOFF_NOBODY_HELD);

		longest = ms > longest ? ms : longest;
	}
	assert_true(longest > 10000);
	assert_true(backoff_lost(&b, BACKOFF_LIVED_MS, ERR_NETWORK, BACKOFF_CLIENT_HELD) <= 1000);
	assert_int_equal(
	    backoff_lost(&b, BACKOFF_LIVED_LONG_MS, ERR_NETWORK, BACKOFF_NOBODY_HELD), 0);
	assert_int_equal(backoff_lost(&b, BACKOFF_LIVED_MS, ERR_NETWORK, BACKOFF_NOBODY_HELD), 0);
}

static void test_who_is_thrown_out_at_once_waits(void **state)
{
	struct backoff b = fresh();

	(void)state;
	assert_true(
	    backoff_lost(&b, BACKOFF_LIVED_SHORTLY_MS - 1, ERR_NETWORK, BACKOFF_NOBODY_HELD) > 0);
}

static void test_a_link_that_did_not_live_counts_as_a_failure(void **state)
{
	struct backoff b = fresh();

	(void)state;
	b.failures = 5;
	assert_true(backoff_lost(&b, BACKOFF_LIVED_MS - 1, ERR_NETWORK, BACKOFF_NOBODY_HELD) > 0);
	assert_int_equal(b.failures, 6);
}

static void test_a_peer_that_breaks_the_protocol_backs_off_like_a_network_but_is_not_hurried(
    void **state)
{
	struct backoff b = fresh();
	bool waited = false;

	(void)state;
	assert_in_range(backoff_failed(&b, ERR_PEER, BACKOFF_CLIENT_HELD), 250, 500);
	b.failures = 20;
	for (int i = 0; i < 50; i++)
		waited |= backoff_failed(&b, ERR_PEER, BACKOFF_CLIENT_HELD) > BACKOFF_HELD_MAX_MS;
	assert_true(waited);
}

static void test_a_peer_that_breaks_the_protocol_is_tried_at_once_after_a_long_life_only(
    void **state)
{
	struct backoff b = fresh();

	(void)state;
	assert_true(backoff_lost(&b, BACKOFF_LIVED_MS, ERR_PEER, BACKOFF_NOBODY_HELD) > 0);
	assert_int_equal(backoff_lost(&b, 30000, ERR_PEER, BACKOFF_NOBODY_HELD), 0);
}

static void test_a_host_key_that_changed_under_a_link_is_no_reason_to_hurry(void **state)
{
	struct backoff b = fresh();

	(void)state;
	assert_in_range(backoff_lost(&b, 3600000, ERR_HOST_KEY, BACKOFF_CLIENT_HELD), 15000, 30000);
}

static void test_equal_bounds_give_a_steady_wait(void **state)
{
	struct backoff b;

	(void)state;
	backoff_init(&b, 1000, 10); /* a maximum below the minimum is the minimum */
	for (int i = 0; i < 10; i++)
		assert_in_range(backoff_failed(&b, ERR_TIMEOUT, BACKOFF_NOBODY_HELD), 500, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_waits_double_up_to_the_maximum),
	    cmocka_unit_test(test_jitter_spreads_the_waits),
	    cmocka_unit_test(test_a_held_client_shortens_a_networks_failure),
	    cmocka_unit_test(test_what_a_person_must_mend_starts_at_the_maximum),
	    cmocka_unit_test(test_a_link_that_lived_is_tried_again_at_once),
	    cmocka_unit_test(test_short_lives_are_followed_by_an_immediate_try_a_few_times),
	    cmocka_unit_test(test_a_link_that_is_always_lost_after_a_moment_is_backed_off_from),
	    cmocka_unit_test(test_who_is_thrown_out_at_once_waits),
	    cmocka_unit_test(test_a_link_that_did_not_live_counts_as_a_failure),
	    cmocka_unit_test(
		test_a_peer_that_breaks_the_protocol_backs_off_like_a_network_but_is_not_hurried),
	    cmocka_unit_test(
		test_a_peer_that_breaks_the_protocol_is_tried_at_once_after_a_long_life_only),
	    cmocka_unit_test(test_a_host_key_that_changed_under_a_link_is_no_reason_to_hurry),
	    cmocka_unit_test(test_equal_bounds_give_a_steady_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
