#include "connection_rig.h"

#define INTERVAL_MS 15000

static struct rig *rig_with_keepalive(const char *extension)
{
	struct rig *rig;
	struct session_options options = {.keepalive_interval_ms = INTERVAL_MS};

	clock_fake_start(1000000, 1700000000);
	rig = rig_new_with((struct session_options){0});
	session_free(rig->session);
	rig_settle(rig);
	fake_transport_set_extension(rig->transport, extension);
	options.on_closed = rig_on_closed;
	options.arg = rig;
	rig->session = session_new(rig->loop, rig->transport, &options);
	fake_transport_set_session(rig->transport, rig->session);
	return rig;
}

/* A server without PING, and the first round trip is measured. */
static struct rig *rig_with_requests(void)
{
	struct rig *rig = rig_with_keepalive(NULL);

	rig_expect(rig, "bso", SSH_MSG_GLOBAL_REQUEST, "keepalive@openssh.com", true);
	rig_feed(rig, "b", SSH_MSG_REQUEST_FAILURE);
	return rig;
}

static bool is_keepalive(struct rig *rig)
{
	return rig_sent_is(rig, "bso", SSH_MSG_GLOBAL_REQUEST, "keepalive@openssh.com", true);
}

static void test_a_probe_is_sent_on_silence(void **state)
{
	struct rig *rig = rig_with_requests();

	(void)state;
	loop_fake_advance(rig->loop, INTERVAL_MS - 1);
	rig_expect_nothing(rig);
	loop_fake_advance(rig->loop, 1);
	assert_true(is_keepalive(rig));
	rig_expect_nothing(rig);
	rig_free(rig);
}

static void test_a_server_that_does_not_know_requests_is_alive(void **state)
{
	struct rig *rig = rig_with_requests();

	(void)state;
	for (uint32_t i = 1; i < 40; i++) {
		loop_fake_advance(rig->loop, INTERVAL_MS);
		assert_true(is_keepalive(rig));
		fake_transport_heard(rig->transport);
		session_unimplemented(rig->session, i);
	}
	assert_int_equal(rig->closed, 0);
	rig_free(rig);
}

static void test_no_probe_without_an_interval(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	loop_fake_advance(rig->loop, 100 * INTERVAL_MS);
	rig_expect_nothing(rig);
	assert_int_equal(rig->closed, 0);
	rig_free(rig);
}

static void test_the_interval_counts_from_the_last_packet(void **state)
{
	struct rig *rig = rig_with_requests();

	(void)state;
	for (int i = 0; i < 5; i++) {
		loop_fake_advance(rig->loop, 10000);
		rig_feed(rig, "bso", SSH_MSG_GLOBAL_REQUEST, "whatever", false);
	}
	rig_expect_nothing(rig);
	loop_fake_advance(rig->loop, INTERVAL_MS - 1);
	rig_expect_nothing(rig);
	loop_fake_advance(rig->loop, 1);
	assert_true(is_keepalive(rig));
	rig_free(rig);
}

static void test_what_is_the_transports_own_is_life_too(void **state)
{
	struct rig *rig = rig_with_requests();

	(void)state;
	for (int i = 0; i < 100; i++) {
		loop_fake_advance(rig->loop, 10000);
		fake_transport_heard(rig->transport);
	}
	assert_true(is_keepalive(rig)); /* to measure */
	rig_expect_nothing(rig);
	assert_int_equal(rig->closed, 0);
	rig_free(rig);
}

static void test_our_own_traffic_is_no_life(void **state)
{
	struct rig *rig = rig_with_requests();
	struct watched w;
	int probes = 0;

	(void)state;
	rig_open(rig, &w);
	for (int i = 0; i < 60 && !rig->closed; i++) {
		struct span message;

		channel_send(w.channel, SPAN_LITERAL("a busy client"));
		loop_fake_advance(rig->loop, 1000);
		while (fake_transport_next(rig->transport, &message))
			probes += message.p[0] == SSH_MSG_GLOBAL_REQUEST;
		assert_int_equal(probes, (i + 1) / 15 < 4 ? (i + 1) / 15 : 3);
	}
	assert_int_equal(rig->closed, 1);
	rig_free(rig);
}

static void test_it_gives_up_after_the_count(void **state)
{
	struct rig *rig = rig_with_requests();
	struct watched w;

	(void)state;
	rig_open(rig, &w);
	for (int i = 0; i < 3; i++) {
		loop_fake_advance(rig->loop, INTERVAL_MS);
		assert_true(is_keepalive(rig));
		assert_int_equal(rig->closed, 0);
	}
	loop_fake_advance(rig->loop, INTERVAL_MS - 1);
	assert_int_equal(rig->closed, 0);
	loop_fake_advance(rig->loop, 1);
	assert_int_equal(rig->closed, 1);
	assert_int_equal(rig->reason.class, ERR_TIMEOUT);
	assert_int_equal(w.closed, 1);
	rig_free(rig);
}

static void test_any_reply_counts(void **state)
{
	struct rig *rig = rig_with_requests();

	(void)state;
	for (int i = 0; i < 20; i++) {
		loop_fake_advance(rig->loop, INTERVAL_MS);
		assert_true(is_keepalive(rig));
		rig_feed(rig, "b", i % 2 ? SSH_MSG_REQUEST_SUCCESS : SSH_MSG_REQUEST_FAILURE);
	}
	assert_int_equal(rig->closed, 0);
	rig_free(rig);
}

static void test_any_packet_resets_the_count(void **state)
{
	struct rig *rig = rig_with_requests();

	(void)state;
	for (int i = 0; i < 20; i++) {
		loop_fake_advance(rig->loop, 2 * INTERVAL_MS);
		fake_transport_heard(rig->transport);
	}
	assert_int_equal(rig->closed, 0);
	rig_free(rig);
}

/* It lives, and owes us every answer. */
static void test_a_server_that_never_replies_owes_few_answers(void **state)
{
	struct rig *rig = rig_with_keepalive(NULL);
	struct span message;
	int probes = 0;

	(void)state;
	for (int i = 0; i < 100; i++) {
		loop_fake_advance(rig->loop, INTERVAL_MS);
		fake_transport_heard(rig->transport);
	}
	while (fake_transport_next(rig->transport, &message))
		probes += message.p[0] == SSH_MSG_GLOBAL_REQUEST;
	assert_in_range(probes, 2, 16);
	assert_int_equal(rig->closed, 0);
	rig_free(rig);
}

static void test_replies_to_probes_and_to_others_keep_their_order(void **state)
{
	struct rig *rig = rig_with_requests();

	(void)state;
	loop_fake_advance(rig->loop, INTERVAL_MS);
	assert_true(is_keepalive(rig));
	loop_fake_advance(rig->loop, INTERVAL_MS);
	assert_true(is_keepalive(rig));
	rig_feed(rig, "b", SSH_MSG_REQUEST_FAILURE);
	rig_feed(rig, "b", SSH_MSG_REQUEST_FAILURE);
	assert_int_equal(session_rtt_us(rig->session), 15000000 / 8 * 7 / 8);
	rig_free(rig);
}

static void test_while_nothing_can_be_sent_no_second_probe_is_made(void **state)
{
	struct rig *rig = rig_with_requests();

	(void)state;
	fake_transport_shut(rig->transport);
	loop_fake_advance(rig->loop, 3 * INTERVAL_MS);
	assert_int_equal(rig->closed, 0);
	fake_transport_open(rig->transport);
	assert_true(is_keepalive(rig));
	rig_expect_nothing(rig);
	/* But the time counted. */
	loop_fake_advance(rig->loop, INTERVAL_MS);
	assert_int_equal(rig->closed, 1);
	rig_free(rig);
}

static void test_silence_in_a_key_exchange_is_the_transport_s_matter(void **state)
{
	struct rig *rig = rig_with_requests();

	(void)state;
	fake_transport_begin_rekey(rig->transport);
	loop_fake_advance(rig->loop, 20 * INTERVAL_MS);
	assert_int_equal(rig->closed, 0);
	fake_transport_open(rig->transport);
	rig_expect_nothing(rig); /* nothing had gathered */
	/* From then on it counts as ever. */
	fake_transport_heard(rig->transport);
	loop_fake_advance(rig->loop, INTERVAL_MS);
	assert_true(is_keepalive(rig));
	loop_fake_advance(rig->loop, 4 * INTERVAL_MS);
	assert_int_equal(rig->closed, 1);
	rig_free(rig);
}

static void test_the_transport_has_as_much_patience_as_the_probes(void **state)
{
	struct rig *rig = rig_with_requests();

	(void)state;
	assert_int_equal(fake_transport_rekey_patience(rig->transport), 3 * INTERVAL_MS);
	session_set_keepalive(rig->session, 7000, 5);
	assert_int_equal(fake_transport_rekey_patience(rig->transport), 35000);
	session_set_keepalive(rig->session, 0, 5);
	assert_int_equal(fake_transport_rekey_patience(rig->transport), 0);
	rig_free(rig);
}

static void test_probes_before_a_key_exchange_do_not_count_after_it(void **state)
{
	struct rig *rig = rig_with_requests();

	(void)state;
	loop_fake_advance(rig->loop, 3 * INTERVAL_MS);
	assert_int_equal(rig->closed, 0);
	fake_transport_begin_rekey(rig->transport);
	loop_fake_advance(rig->loop, 3 * INTERVAL_MS);
	fake_transport_heard(rig->transport); /* the exchange ends */
	fake_transport_open(rig->transport);
	loop_fake_advance(rig->loop, 3 * INTERVAL_MS);
	assert_int_equal(rig->closed, 0);
	rig_free(rig);
}

static void test_silence_while_a_connection_below_exchanges_keys_is_no_sign(void **state)
{
	struct rig *rig = rig_with_requests();

	(void)state;
	fake_transport_hold(rig->transport);
	loop_fake_advance(rig->loop, 20 * INTERVAL_MS);
	assert_int_equal(rig->closed, 0);
	fake_transport_release(rig->transport);
	/* From then on it counts as ever. */
	loop_fake_advance(rig->loop, INTERVAL_MS);
	assert_true(is_keepalive(rig));
	loop_fake_advance(rig->loop, 3 * INTERVAL_MS - 1);
	assert_int_equal(rig->closed, 0);
	loop_fake_advance(rig->loop, 1);
	assert_int_equal(rig->closed, 1);
	rig_free(rig);
}

static void test_a_key_exchange_below_that_nobody_looked_at_gives_the_whole_time_again(void **state)
{
	struct rig *rig = rig_with_requests();

	(void)state;
	/* The last interval, nearly all of which it takes. */
	loop_fake_advance(rig->loop, 3 * INTERVAL_MS + 1);
	fake_transport_hold(rig->transport);
	loop_fake_advance(rig->loop, INTERVAL_MS - 2);
	fake_transport_release(rig->transport);
	loop_fake_advance(rig->loop, 1);
	assert_int_equal(rig->closed, 0);
	loop_fake_advance(rig->loop, 4 * INTERVAL_MS - 2);
	assert_int_equal(rig->closed, 0);
	loop_fake_advance(rig->loop, 1);
	assert_int_equal(rig->closed, 1);
	rig_free(rig);
}

static void test_no_round_trip_is_measured_while_a_connection_below_exchanges_keys(void **state)
{
	struct rig *rig = rig_with_keepalive("ping@openssh.com");

	(void)state;
	(void)rig_sent(rig);
	rig_feed(rig, "buq", SSH_MSG_PONG, 8, (uint64_t)1);
	fake_transport_hold(rig->transport);
	loop_fake_advance(rig->loop, 3 * INTERVAL_MS);
	rig_expect_nothing(rig);
	rig_free(rig);
}

/* ---- PING ---- */

static void test_ping_is_used_where_the_server_offers_it(void **state)
{
	struct rig *rig = rig_with_keepalive("ping@openssh.com");

	(void)state;
	rig_expect(rig, "buq", SSH_MSG_PING, 8, (uint64_t)1);
	loop_fake_advance(rig->loop, 20);
	rig_feed(rig, "buq", SSH_MSG_PONG, 8, (uint64_t)1);
	assert_int_equal(session_rtt_us(rig->session), 20000);
	loop_fake_advance(rig->loop, INTERVAL_MS);
	rig_expect(rig, "buq", SSH_MSG_PING, 8, (uint64_t)2);
	rig_free(rig);
}

static void test_the_round_trip_time_is_smoothed(void **state)
{
	struct rig *rig = rig_with_keepalive("ping@openssh.com");

	(void)state;
	rig_settle(rig);
	loop_fake_advance(rig->loop, 80);
	rig_feed(rig, "buq", SSH_MSG_PONG, 8, (uint64_t)1);
	assert_int_equal(session_rtt_us(rig->session), 80000);
	loop_fake_advance(rig->loop, INTERVAL_MS);
	loop_fake_advance(rig->loop, 160);
	rig_feed(rig, "buq", SSH_MSG_PONG, 8, (uint64_t)2);
	assert_int_equal(session_rtt_us(rig->session), 90000);
	rig_free(rig);
}

static void test_on_a_busy_connection_the_time_is_still_measured(void **state)
{
	struct rig *rig = rig_with_keepalive("ping@openssh.com");

	(void)state;
	(void)rig_sent(rig);
	rig_feed(rig, "buq", SSH_MSG_PONG, 8, (uint64_t)1);
	for (int i = 0; i < 30; i++) {
		loop_fake_advance(rig->loop, 1000);
		fake_transport_heard(rig->transport);
	}
	rig_expect(rig, "buq", SSH_MSG_PING, 8, (uint64_t)2);
	rig_expect_nothing(rig);
	rig_free(rig);
}

static void test_it_is_measured_by_requests_where_there_is_no_ping(void **state)
{
	struct rig *rig = rig_with_keepalive(NULL);

	(void)state;
	assert_true(is_keepalive(rig));
	loop_fake_advance(rig->loop, 20);
	rig_feed(rig, "b", SSH_MSG_REQUEST_FAILURE);
	assert_int_equal(session_rtt_us(rig->session), 20000);
	/* Never silent, and measured again all the same, once in four intervals. */
	for (int i = 0; i < 80; i++) {
		loop_fake_advance(rig->loop, 1000);
		fake_transport_heard(rig->transport);
	}
	assert_true(is_keepalive(rig));
	rig_expect_nothing(rig);
	rig_free(rig);
}

static void test_pongs_that_are_not_ours_are_ignored(void **state)
{
	struct rig *rig = rig_with_keepalive("ping@openssh.com");

	(void)state;
	rig_settle(rig);
	rig_feed(rig, "bs", SSH_MSG_PONG, "");
	rig_feed(rig, "buq", SSH_MSG_PONG, 8, (uint64_t)4711);
	assert_int_equal(session_rtt_us(rig->session), 0);
	rig_feed(rig, "buq", SSH_MSG_PONG, 8, (uint64_t)1);
	rig_feed(rig, "buq", SSH_MSG_PONG, 8, (uint64_t)1);
	assert_int_equal(rig->closed, 0);
	rig_free(rig);
}

static void test_a_malformed_pong_is_an_error(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	rig_feed_bad(rig, "bub", SSH_MSG_PONG, 2, 0);
	rig_free(rig);
}

static void test_a_ping_is_answered_with_the_same_string(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	rig_feed(rig, "bs", SSH_MSG_PING, "one");
	rig_feed(rig, "bs", SSH_MSG_PING, "");
	rig_expect(rig, "bs", SSH_MSG_PONG, "one");
	rig_expect(rig, "bs", SSH_MSG_PONG, "");
	rig_feed_bad(rig, "bsb", SSH_MSG_PING, "one", 0);
	rig_free(rig);
}

static void test_pings_without_end_whose_answers_are_not_taken_are_an_error(void **state)
{
	struct rig *rig = rig_new();
	uint8_t *bytes = mem_alloc(100000);
	int r = 0, n = 0;

	(void)state;
	fake_transport_shut(rig->transport);
	while (r == 0 && n++ < 1000)
		r = rig_try(rig, "bS", SSH_MSG_PING, SPAN(bytes, 100000));
	assert_int_equal(r, ERR_PEER);
	assert_int_equal(n, 6);
	free(bytes);
	rig_free(rig);
}

/* ---- session_probe ---- */

static void test_a_probe_with_a_deadline_ends_a_dead_session(void **state)
{
	struct rig *rig = rig_with_requests();

	(void)state;
	session_probe(rig->session, 2000);
	assert_true(is_keepalive(rig));
	loop_fake_advance(rig->loop, 1999);
	assert_int_equal(rig->closed, 0);
	loop_fake_advance(rig->loop, 1);
	assert_int_equal(rig->closed, 1);
	assert_int_equal(rig->reason.class, ERR_TIMEOUT);
	rig_free(rig);
}

static void test_a_probe_that_is_answered_in_the_same_millisecond_is_answered(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	session_probe(rig->session, 2000);
	assert_true(is_keepalive(rig));
	rig_feed(rig, "b", SSH_MSG_REQUEST_FAILURE);
	loop_fake_advance(rig->loop, 10000);
	assert_int_equal(rig->closed, 0);
	rig_free(rig);
}

static void test_any_packet_answers_a_probe(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	session_probe(rig->session, 2000);
	loop_fake_advance(rig->loop, 1000);
	fake_transport_heard(rig->transport);
	loop_fake_advance(rig->loop, 10000);
	assert_int_equal(rig->closed, 0);
	rig_free(rig);
}

static void test_a_deadline_runs_anew_after_a_key_exchange_below(void **state)
{
	struct rig *rig = rig_with_requests();

	(void)state;
	session_probe(rig->session, 2000);
	loop_fake_advance(rig->loop, 500);
	fake_transport_hold(rig->transport);
	loop_fake_advance(rig->loop, 3000);
	fake_transport_release(rig->transport);
	loop_fake_advance(rig->loop, 2000);
	assert_int_equal(rig->closed, 0);
	/* It was looked at every 2 s. */
	loop_fake_advance(rig->loop, 2500);
	assert_int_equal(rig->closed, 1);
	rig_free(rig);
}

static void test_the_earlier_of_two_deadlines_counts(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	session_probe(rig->session, 2000);
	session_probe(rig->session, 5000);
	loop_fake_advance(rig->loop, 2000);
	assert_int_equal(rig->closed, 1);
	session_probe(rig->session, 2000);
	rig_free(rig);
}

static void test_a_shorter_interval_counts_the_silence_so_far(void **state)
{
	struct rig *rig = rig_with_requests();

	(void)state;
	loop_fake_advance(rig->loop, 2000);
	session_set_keepalive(rig->session, 5000, 2);
	loop_fake_advance(rig->loop, 2999);
	rig_expect_nothing(rig);
	loop_fake_advance(rig->loop, 1);
	assert_true(is_keepalive(rig));
	loop_fake_advance(rig->loop, 9999);
	assert_int_equal(rig->closed, 0);
	loop_fake_advance(rig->loop, 1);
	assert_int_equal(rig->closed, 1);
	rig_free(rig);
}

static void test_probes_before_a_change_do_not_count_after_it(void **state)
{
	struct rig *rig = rig_with_requests();

	(void)state;
	loop_fake_advance(rig->loop, 3 * INTERVAL_MS);
	session_set_keepalive(rig->session, 1000, 2);
	loop_fake_advance(rig->loop, 1999);
	assert_int_equal(rig->closed, 0);
	loop_fake_advance(rig->loop, 1);
	assert_int_equal(rig->closed, 1);
	rig_free(rig);
}

static void test_setting_what_is_set_already_gives_no_new_time(void **state)
{
	struct rig *rig = rig_with_requests();

	(void)state;
	for (int i = 0; i < 4; i++) {
		assert_int_equal(rig->closed, 0);
		loop_fake_advance(rig->loop, INTERVAL_MS);
		session_set_keepalive(rig->session, INTERVAL_MS, 3);
	}
	assert_int_equal(rig->closed, 1);
	rig_free(rig);
}

static void test_probes_can_be_ended_and_begun(void **state)
{
	struct rig *rig = rig_with_requests();

	(void)state;
	session_set_keepalive(rig->session, 0, 3);
	loop_fake_advance(rig->loop, 100 * INTERVAL_MS);
	rig_expect_nothing(rig);
	session_set_keepalive(rig->session, INTERVAL_MS, 3);
	loop_fake_advance(rig->loop, 0);
	assert_true(is_keepalive(rig));
	rig_free(rig);
}

static void test_a_session_that_has_ended_takes_new_values_in_silence(void **state)
{
	struct rig *rig = rig_with_requests();

	(void)state;
	loop_fake_advance(rig->loop, 4 * INTERVAL_MS);
	assert_int_equal(rig->closed, 1);
	session_set_keepalive(rig->session, 1000, 1);
	loop_fake_advance(rig->loop, 100000);
	assert_int_equal(rig->closed, 1);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_probe_is_sent_on_silence),
	    cmocka_unit_test(test_a_server_that_does_not_know_requests_is_alive),
	    cmocka_unit_test(test_no_probe_without_an_interval),
	    cmocka_unit_test(test_the_interval_counts_from_the_last_packet),
	    cmocka_unit_test(test_what_is_the_transports_own_is_life_too),
	    cmocka_unit_test(test_our_own_traffic_is_no_life),
	    cmocka_unit_test(test_silence_in_a_key_exchange_is_the_transport_s_matter),
	    cmocka_unit_test(test_the_transport_has_as_much_patience_as_the_probes),
	    cmocka_unit_test(test_probes_before_a_key_exchange_do_not_count_after_it),
	    cmocka_unit_test(test_silence_while_a_connection_below_exchanges_keys_is_no_sign),
	    cmocka_unit_test(
		test_a_key_exchange_below_that_nobody_looked_at_gives_the_whole_time_again),
	    cmocka_unit_test(
		test_no_round_trip_is_measured_while_a_connection_below_exchanges_keys),
	    cmocka_unit_test(test_it_gives_up_after_the_count),
	    cmocka_unit_test(test_any_reply_counts),
	    cmocka_unit_test(test_any_packet_resets_the_count),
	    cmocka_unit_test(test_a_server_that_never_replies_owes_few_answers),
	    cmocka_unit_test(test_replies_to_probes_and_to_others_keep_their_order),
	    cmocka_unit_test(test_while_nothing_can_be_sent_no_second_probe_is_made),
	    cmocka_unit_test(test_ping_is_used_where_the_server_offers_it),
	    cmocka_unit_test(test_the_round_trip_time_is_smoothed),
	    cmocka_unit_test(test_on_a_busy_connection_the_time_is_still_measured),
	    cmocka_unit_test(test_it_is_measured_by_requests_where_there_is_no_ping),
	    cmocka_unit_test(test_pongs_that_are_not_ours_are_ignored),
	    cmocka_unit_test(test_a_malformed_pong_is_an_error),
	    cmocka_unit_test(test_a_ping_is_answered_with_the_same_string),
	    cmocka_unit_test(test_pings_without_end_whose_answers_are_not_taken_are_an_error),
	    cmocka_unit_test(test_a_probe_with_a_deadline_ends_a_dead_session),
	    cmocka_unit_test(test_a_probe_that_is_answered_in_the_same_millisecond_is_answered),
	    cmocka_unit_test(test_any_packet_answers_a_probe),
	    cmocka_unit_test(test_a_deadline_runs_anew_after_a_key_exchange_below),
	    cmocka_unit_test(test_the_earlier_of_two_deadlines_counts),
	    cmocka_unit_test(test_a_shorter_interval_counts_the_silence_so_far),
	    cmocka_unit_test(test_probes_before_a_change_do_not_count_after_it),
	    cmocka_unit_test(test_setting_what_is_set_already_gives_no_new_time),
	    cmocka_unit_test(test_probes_can_be_ended_and_begun),
	    cmocka_unit_test(test_a_session_that_has_ended_takes_new_values_in_silence),
	};

	return cmocka_run_group_tests_name("ssh/session_keepalive", tests, NULL, NULL);
}
