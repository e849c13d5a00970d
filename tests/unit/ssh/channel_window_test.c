/*
 * Flow control towards us: what we grant, when, and how much it becomes.
 */
#include "connection_rig.h"

#define KB 1024u
#define MB (1024u * 1024u)

static uint8_t packet[RIG_PACKET];

/* Opens one over a path with this round trip. */
static void open_far_away(struct rig *rig, struct watched *w, uint64_t rtt_ms)
{
	*w = (struct watched){.take = SIZE_MAX};
	w->channel =
	    session_open_channel(rig->session, "test", SPAN(NULL, 0), &watched_callbacks, w, NULL);
	(void)rig_sent(rig);
	loop_fake_advance(rig->loop, rtt_ms);
	rig_feed(rig, "buuuu", SSH_MSG_CHANNEL_OPEN_CONFIRMATION, channel_local_id(w->channel), 100,
	    RIG_WINDOW, RIG_PACKET);
}

static uint32_t window_of(const struct watched *w)
{
	struct channel_windows windows;

	channel_get_windows(w->channel, &windows);
	return windows.local_window;
}

static void receive(struct rig *rig, struct watched *w, uint32_t n)
{
	while (n) {
		uint32_t piece = n < sizeof(packet) ? n : (uint32_t)sizeof(packet);

		rig_feed(rig, "buS", SSH_MSG_CHANNEL_DATA, channel_local_id(w->channel),
		    SPAN(packet, piece));
		n -= piece;
	}
	wr_reset(&w->data);
}

static void forget_sent(struct rig *rig)
{
	struct span message;

	rig_settle(rig);
	while (fake_transport_next(rig->transport, &message))
		;
}

/* The peer uses all of its window at once, and what we grant comes after a round trip. */
static void use_up(struct rig *rig, struct watched *w, uint64_t rtt_ms)
{
	receive(rig, w, window_of(w));
	forget_sent(rig);
	loop_fake_advance(rig->loop, rtt_ms);
}

/* ---- credit ---- */

static void test_credit_comes_when_the_sink_took_the_bytes_not_before(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	rig_open(rig, &w);
	w.take = 0;
	receive(rig, &w, 1 * MB);
	rig_expect_nothing(rig);
	assert_int_equal(window_of(&w), 1 * MB);
	channel_consumed(w.channel, 1 * MB);
	rig_expect(rig, "buu", SSH_MSG_CHANNEL_WINDOW_ADJUST, 100, 1 * MB);
	assert_int_equal(window_of(&w), 2 * MB);
	watched_clear(&w);
	rig_free(rig);
}

static void test_credit_comes_in_lumps_of_three_packets(void **state)
{
	struct rig *rig = rig_new_with((struct session_options){.window = 512 * KB});
	struct watched w;

	(void)state;
	rig_open(rig, &w);
	receive(rig, &w, 3 * RIG_PACKET - 1);
	rig_expect_nothing(rig);
	receive(rig, &w, 1);
	rig_expect(rig, "buu", SSH_MSG_CHANNEL_WINDOW_ADJUST, 100, 3 * RIG_PACKET);
	rig_expect_nothing(rig);
	watched_clear(&w);
	rig_free(rig);
}

static void test_credit_of_a_large_window_comes_in_eighths(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	rig_open(rig, &w);
	receive(rig, &w, 2 * MB / 8 - 1);
	rig_expect_nothing(rig);
	receive(rig, &w, 1);
	rig_expect(rig, "buu", SSH_MSG_CHANNEL_WINDOW_ADJUST, 100, 2 * MB / 8);
	watched_clear(&w);
	rig_free(rig);
}

static void test_credit_of_a_small_window_comes_at_its_half(void **state)
{
	struct rig *rig = rig_new_with((struct session_options){.window = 1000});
	struct watched w;

	(void)state;
	rig_open(rig, &w);
	receive(rig, &w, 499);
	rig_expect_nothing(rig);
	receive(rig, &w, 1);
	rig_expect(rig, "buu", SSH_MSG_CHANNEL_WINDOW_ADJUST, 100, 500);
	watched_clear(&w);
	rig_free(rig);
}

static void test_a_window_of_one_byte_works(void **state)
{
	struct rig *rig = rig_new_with((struct session_options){.window = 1, .window_max = 1});
	struct watched w;

	(void)state;
	rig_open(rig, &w);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(window_of(&w), 1);
		receive(rig, &w, 1);
		rig_expect(rig, "buu", SSH_MSG_CHANNEL_WINDOW_ADJUST, 100, 1);
	}
	watched_clear(&w);
	rig_free(rig);
}

static void test_what_is_owed_meanwhile_becomes_one_adjust(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	rig_open(rig, &w);
	fake_transport_shut(rig->transport);
	for (int i = 0; i < 20; i++) {
		receive(rig, &w, RIG_PACKET);
		rig_settle(rig);
	}
	fake_transport_open(rig->transport);
	rig_expect(rig, "buu", SSH_MSG_CHANNEL_WINDOW_ADJUST, 100, 20 * RIG_PACKET);
	rig_expect_nothing(rig);
	watched_clear(&w);
	rig_free(rig);
}

static void test_extended_data_that_nobody_wants_is_credited(void **state)
{
	struct rig *rig = rig_new_with((struct session_options){.window = 10});
	struct watched w;

	(void)state;
	rig_open(rig, &w);
	(void)channel_set_callbacks(w.channel, NULL, NULL);
	rig_feed(rig, "buus", SSH_MSG_CHANNEL_EXTENDED_DATA, 0, 1, "1234567890");
	rig_expect(rig, "buu", SSH_MSG_CHANNEL_WINDOW_ADJUST, 100, 10);
	rig_free(rig);
}

static void test_after_the_peers_eof_nothing_is_granted(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	rig_open(rig, &w);
	w.take = 0;
	receive(rig, &w, 1 * MB);
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_EOF, 0);
	channel_consumed(w.channel, 1 * MB);
	rig_expect_nothing(rig);
	watched_clear(&w);
	rig_free(rig);
}

/* ---- growth ---- */

static void test_it_grows_while_it_is_what_limits(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	open_far_away(rig, &w, 100);
	assert_int_equal(window_of(&w), 2 * MB);
	use_up(rig, &w, 100); /* nothing is known of the path yet */
	assert_int_equal(window_of(&w), 2 * MB);
	use_up(rig, &w, 100);
	assert_int_equal(window_of(&w), 4 * MB);
	use_up(rig, &w, 100);
	use_up(rig, &w, 100);
	assert_int_equal(window_of(&w), 8 * MB);
	for (int i = 0; i < 20; i++)
		use_up(rig, &w, 100);
	assert_int_equal(window_of(&w), 16 * MB);
	watched_clear(&w);
	rig_free(rig);
}

/* A sink that is always a bit behind is what limits, and not the window. */
static void test_it_does_not_grow_for_a_sink_that_lags_behind(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;
	uint32_t behind = 600 * KB;

	(void)state;
	open_far_away(rig, &w, 100);
	w.take = 0;
	receive(rig, &w, behind);
	for (int i = 0; i < 10; i++) {
		uint32_t n = window_of(&w);

		receive(rig, &w, n);
		channel_consumed(w.channel, n);
		forget_sent(rig);
		loop_fake_advance(rig->loop, 100);
		assert_int_equal(window_of(&w) + behind, 2 * MB);
	}
	watched_clear(&w);
	rig_free(rig);
}

static void test_no_more_than_6_mb_are_granted_beyond_what_the_path_holds(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	open_far_away(rig, &w, 100);
	/* A path of 3 MB and a bit: so much comes in each round trip, however large the window is. */
	for (int i = 0; i < 30; i++) {
		uint32_t n = window_of(&w) < 100 * RIG_PACKET ? window_of(&w) : 100 * RIG_PACKET;

		receive(rig, &w, n);
		forget_sent(rig);
		loop_fake_advance(rig->loop, 100);
	}
	/* Doubled while it was below twice 3.1 MB, and not beyond the path and 6 MB. */
	assert_int_equal(window_of(&w), 8 * MB);
	watched_clear(&w);
	rig_free(rig);
}

static void test_on_a_short_path_it_stays_as_it_is(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	open_far_away(rig, &w, 1);
	for (int i = 0; i < 30; i++) /* 2 MB each 100 ms: 20 KB a round trip */
		use_up(rig, &w, 100);
	assert_int_equal(window_of(&w), 2 * MB);
	watched_clear(&w);
	rig_free(rig);
}

static void accept_watched(void *arg, struct session *s, struct channel *c, struct span extra)
{
	struct watched *w = arg;

	(void)s;
	(void)extra;
	w->channel = c;
	channel_accept(c, &watched_callbacks, w);
}

static void test_without_a_round_trip_time_it_stays_as_it_is(void **state)
{
	struct rig *rig = rig_new();
	struct watched w = {.take = SIZE_MAX};

	(void)state;
	/* Opened by the peer, so that nothing was measured. */
	session_on_open_channel(rig->session, "t",
	    (struct session_open_registration){.handler = accept_watched, .arg = &w});
	rig_feed(rig, "bsuuu", SSH_MSG_CHANNEL_OPEN, "t", 5, 1000, 1000);
	forget_sent(rig);
	for (int i = 0; i < 30; i++)
		use_up(rig, &w, 100);
	assert_int_equal(window_of(&w), 2 * MB);
	watched_clear(&w);
	rig_free(rig);
}

static void test_a_sink_that_does_not_keep_up_gets_no_more(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	open_far_away(rig, &w, 100);
	w.take = 0;
	receive(rig, &w, 2 * MB);
	for (int i = 0; i < 60; i++) {
		/* Always more than a quarter of the window waits for the sink. */
		channel_consumed(w.channel, 1 * MB);
		forget_sent(rig);
		loop_fake_advance(rig->loop, 50);
		receive(rig, &w, window_of(&w));
	}
	channel_consumed(w.channel, 2 * MB);
	forget_sent(rig);
	assert_true(window_of(&w) <= 4 * MB);
	watched_clear(&w);
	rig_free(rig);
}

static void test_it_gives_back_what_the_path_no_longer_holds(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	open_far_away(rig, &w, 100);
	for (int i = 0; i < 20; i++)
		use_up(rig, &w, 100);
	assert_int_equal(window_of(&w), 16 * MB);
	/* Now 1 MB a second: a tenth of that in a round trip. */
	for (int i = 0; i < 60; i++) {
		receive(rig, &w, 1 * MB);
		forget_sent(rig);
		loop_fake_advance(rig->loop, 1000);
	}
	assert_true(window_of(&w) < 6 * MB + 256 * KB);
	watched_clear(&w);
	rig_free(rig);
}

/* ---- the budget ---- */

static void test_all_together_stay_below_the_budget(void **state)
{
	struct rig *rig = rig_new_with((struct session_options){.window_budget = 8 * MB});
	struct watched w[4];
	uint64_t sum = 0;

	(void)state;
	for (int i = 0; i < 4; i++)
		open_far_away(rig, &w[i], 100);
	for (int round = 0; round < 40; round++) {
		for (int i = 0; i < 4; i++)
			receive(rig, &w[i], window_of(&w[i]));
		forget_sent(rig);
		loop_fake_advance(rig->loop, 100);
	}
	for (int i = 0; i < 4; i++)
		sum += window_of(&w[i]);
	assert_true(sum <= 8 * MB + 4 * RIG_PACKET);
	assert_true(sum > 6 * MB);
	for (int i = 0; i < 4; i++)
		watched_clear(&w[i]);
	rig_free(rig);
}

static void test_what_a_channel_had_is_free_when_it_ends(void **state)
{
	struct rig *rig = rig_new_with((struct session_options){.window_budget = 8 * MB});
	uint32_t first = 0;

	(void)state;
	for (int i = 0; i < 100; i++) {
		struct watched w;

		rig_open(rig, &w);
		if (i == 0)
			first = window_of(&w);
		assert_int_equal(window_of(&w), first);
		rig_feed(rig, "bu", SSH_MSG_CHANNEL_CLOSE, channel_local_id(w.channel));
		forget_sent(rig);
	}
	rig_free(rig);
}

static void test_among_a_thousand_idle_ones_a_busy_one_still_grows(void **state)
{
	struct rig *rig = rig_new();
	struct watched *idle = mem_array(1000, sizeof(*idle)), busy;
	uint64_t sum = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		open_far_away(rig, &idle[i], 0);
		sum += window_of(&idle[i]);
	}
	assert_int_equal(window_of(&idle[0]), 2 * MB);
	assert_int_equal(window_of(&idle[999]), RIG_PACKET);
	assert_true(sum <= 32 * MB + 1000 * RIG_PACKET);
	open_far_away(rig, &busy, 0);
	assert_int_equal(window_of(&busy), RIG_PACKET);
	for (int i = 0; i < 20; i++)
		use_up(rig, &busy, 1);
	assert_int_equal(window_of(&busy), 2 * MB);
	watched_clear(&busy);
	rig_free(rig);
	free(idle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_credit_comes_when_the_sink_took_the_bytes_not_before),
	    cmocka_unit_test(test_credit_comes_in_lumps_of_three_packets),
	    cmocka_unit_test(test_credit_of_a_large_window_comes_in_eighths),
	    cmocka_unit_test(test_credit_of_a_small_window_comes_at_its_half),
	    cmocka_unit_test(test_a_window_of_one_byte_works),
	    cmocka_unit_test(test_what_is_owed_meanwhile_becomes_one_adjust),
	    cmocka_unit_test(test_extended_data_that_nobody_wants_is_credited),
	    cmocka_unit_test(test_after_the_peers_eof_nothing_is_granted),
	    cmocka_unit_test(test_it_grows_while_it_is_what_limits),
	    cmocka_unit_test(test_it_does_not_grow_for_a_sink_that_lags_behind),
	    cmocka_unit_test(test_no_more_than_6_mb_are_granted_beyond_what_the_path_holds),
	    cmocka_unit_test(test_on_a_short_path_it_stays_as_it_is),
	    cmocka_unit_test(test_without_a_round_trip_time_it_stays_as_it_is),
	    cmocka_unit_test(test_a_sink_that_does_not_keep_up_gets_no_more),
	    cmocka_unit_test(test_it_gives_back_what_the_path_no_longer_holds),
	    cmocka_unit_test(test_all_together_stay_below_the_budget),
	    cmocka_unit_test(test_what_a_channel_had_is_free_when_it_ends),
	    cmocka_unit_test(test_among_a_thousand_idle_ones_a_busy_one_still_grows),
	};

	return cmocka_run_group_tests_name("ssh/channel_window", tests, NULL, NULL);
}
