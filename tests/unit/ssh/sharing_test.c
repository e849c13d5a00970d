/*
 * A link that bulk and small messages share: what may be under way, and when it may be more again.
 */
#include "connection_rig.h"

#define KB 1024u
#define MB (1024u * 1024u)
#define RTT_MS 10

static uint8_t packet[RIG_PACKET];

/* Two channels of one link with a round trip of RTT_MS: one for bulk and one for small messages. */
struct pair {
	struct rig *rig;
	struct watched bulk, small;
};

static void open_one(struct rig *rig, struct watched *w, uint32_t remote_id)
{
	*w = (struct watched){.take = SIZE_MAX};
	w->channel =
	    session_open_channel(rig->session, "test", SPAN(NULL, 0), &watched_callbacks, w, NULL);
	(void)rig_sent(rig);
	loop_fake_advance(rig->loop, RTT_MS);
	rig_feed(rig, "buuuu", SSH_MSG_CHANNEL_OPEN_CONFIRMATION, channel_local_id(w->channel),
	    remote_id, RIG_WINDOW, RIG_PACKET);
}

static struct pair *pair_new(void)
{
	struct pair *pair = NEW(struct pair);

	pair->rig = rig_new();
	open_one(pair->rig, &pair->bulk, 100);
	open_one(pair->rig, &pair->small, 200);
	return pair;
}

static void pair_free(struct pair *pair)
{
	watched_clear(&pair->bulk);
	watched_clear(&pair->small);
	rig_free(pair->rig);
	free(pair);
}

static void receive(struct pair *pair, struct watched *w, uint32_t n)
{
	while (n) {
		uint32_t piece = n < sizeof(packet) ? n : (uint32_t)sizeof(packet);

		rig_feed(pair->rig, "buS", SSH_MSG_CHANNEL_DATA, channel_local_id(w->channel),
		    SPAN(packet, piece));
		n -= piece;
	}
	wr_reset(&w->data);
}

static void forget_sent(struct pair *pair)
{
	struct span message;

	do
		rig_settle(pair->rig);
	while (fake_transport_next(pair->rig->transport, &message));
}

static uint32_t window_of(const struct watched *w)
{
	struct channel_windows windows;

	channel_get_windows(w->channel, &windows);
	return windows.local_window;
}

static uint32_t under_way(const struct watched *w)
{
	struct channel_windows windows;

	channel_get_windows(w->channel, &windows);
	return RIG_WINDOW - windows.remote_window;
}

/* For so long: n bytes of bulk come each round trip, and what we owe for them goes out. */
static void bulk_comes(struct pair *pair, uint32_t n, unsigned round_trips)
{
	while (round_trips--) {
		uint32_t window = window_of(&pair->bulk);

		receive(pair, &pair->bulk, n < window ? n : window);
		forget_sent(pair);
		loop_fake_advance(pair->rig->loop, RTT_MS);
	}
}

/* The same, and a small message with it. */
static void both_come(struct pair *pair, uint32_t n, unsigned round_trips)
{
	while (round_trips--) {
		receive(pair, &pair->small, 10);
		bulk_comes(pair, n, 1);
	}
}

/* ---- towards us ---- */

static void test_bulk_that_is_alone_has_all_of_its_window(void **state)
{
	struct pair *pair = pair_new();

	(void)state;
	bulk_comes(pair, 300 * KB, 200);
	assert_true(window_of(&pair->bulk) >= 2 * MB - 256 * KB);
	pair_free(pair);
}

static void test_beside_small_messages_it_has_twice_what_the_path_holds(void **state)
{
	struct pair *pair = pair_new();

	(void)state;
	both_come(pair, 300 * KB, 200);
	assert_in_range(window_of(&pair->bulk), 400 * KB, 600 * KB);
	pair_free(pair);
}

static void test_on_a_path_that_holds_little_it_keeps_enough_to_go_on(void **state)
{
	struct pair *pair = pair_new();

	(void)state;
	both_come(pair, 20 * KB, 400);
	assert_in_range(window_of(&pair->bulk), 32 * KB, 64 * KB);
	pair_free(pair);
}

static void test_large_messages_beside_it_take_nothing_from_it(void **state)
{
	struct pair *pair = pair_new();

	(void)state;
	for (int i = 0; i < 200; i++) {
		receive(pair, &pair->small, RIG_PACKET);
		bulk_comes(pair, 300 * KB, 1);
	}
	assert_true(window_of(&pair->bulk) >= 2 * MB - 256 * KB);
	pair_free(pair);
}

static void test_the_window_comes_back_when_bulk_is_alone_again(void **state)
{
	struct pair *pair = pair_new();

	(void)state;
	both_come(pair, 300 * KB, 200);
	bulk_comes(pair, 300 * KB, 200);
	assert_true(window_of(&pair->bulk) >= 2 * MB - 256 * KB);
	pair_free(pair);
}

static void test_small_messages_of_bulk_itself_take_nothing_from_it(void **state)
{
	struct pair *pair = pair_new();

	(void)state;
	for (int i = 0; i < 200; i++) {
		receive(pair, &pair->bulk, 10);
		bulk_comes(pair, 300 * KB, 1);
	}
	assert_true(window_of(&pair->bulk) >= 2 * MB - 256 * KB);
	pair_free(pair);
}

static void test_a_small_message_beside_bulk_of_long_ago_takes_nothing(void **state)
{
	struct pair *pair = pair_new();

	(void)state;
	receive(pair, &pair->small, RIG_PACKET); /* it was bulk once */
	loop_fake_advance(pair->rig->loop, 101);
	receive(pair, &pair->bulk, 10);
	assert_int_equal(fake_transport_acks(pair->rig->transport), TRANSPORT_ACKS_AS_USUAL);
	pair_free(pair);
}

/* ---- acknowledging ---- */

static void test_what_comes_is_acknowledged_soon(void **state)
{
	struct pair *pair = pair_new();
	unsigned before;

	(void)state;
	loop_fake_advance(pair->rig->loop, 2);
	before = fake_transport_acknowledged(pair->rig->transport);
	receive(pair, &pair->small, 10);
	receive(pair, &pair->small, 10);
	assert_int_equal(fake_transport_acknowledged(pair->rig->transport), before);
	loop_fake_advance(pair->rig->loop, 2);
	assert_int_equal(fake_transport_acknowledged(pair->rig->transport), before + 1);
	loop_fake_advance(pair->rig->loop, 100);
	assert_int_equal(fake_transport_acknowledged(pair->rig->transport), before + 1);
	pair_free(pair);
}

static void test_bulk_is_acknowledged_when_it_pauses(void **state)
{
	struct pair *pair = pair_new();
	struct transport *t = pair->rig->transport;
	unsigned before;

	(void)state;
	loop_fake_advance(pair->rig->loop, 2);
	before = fake_transport_acknowledged(t);
	for (int i = 0; i < 10; i++) {
		receive(pair, &pair->bulk, 2 * RIG_PACKET + 10);
		loop_fake_advance(pair->rig->loop, 2);
	}
	assert_int_equal(fake_transport_acknowledged(t), before);
	loop_fake_advance(pair->rig->loop, 32);
	assert_int_equal(fake_transport_acknowledged(t), before + 1);
	pair_free(pair);
}

static void chat_for(struct pair *pair, unsigned ms)
{
	for (unsigned i = 0; i < ms; i++) {
		receive(pair, &pair->small, 10);
		loop_fake_advance(pair->rig->loop, 1);
	}
}

static void test_where_answers_acknowledge_it_looks_less_often(void **state)
{
	struct pair *pair = pair_new();
	struct transport *t = pair->rig->transport;
	unsigned before;

	(void)state;
	fake_transport_need_no_acknowledgement(t, true);
	chat_for(pair, 200);
	loop_fake_advance(pair->rig->loop, 100);
	fake_transport_need_no_acknowledgement(t, false);
	before = fake_transport_acknowledged(t);
	receive(pair, &pair->small, 10);
	loop_fake_advance(pair->rig->loop, 15);
	assert_int_equal(fake_transport_acknowledged(t), before);
	loop_fake_advance(pair->rig->loop, 1);
	assert_int_equal(fake_transport_acknowledged(t), before + 1);
	/* It was needed: from now on soon again. */
	receive(pair, &pair->small, 10);
	loop_fake_advance(pair->rig->loop, 2);
	assert_int_equal(fake_transport_acknowledged(t), before + 2);
	pair_free(pair);
}

static void test_while_the_link_is_shared_all_is_acknowledged_at_once(void **state)
{
	struct pair *pair = pair_new();
	struct transport *t = pair->rig->transport;

	(void)state;
	bulk_comes(pair, 300 * KB, 1);
	assert_int_equal(fake_transport_acks(t), TRANSPORT_ACKS_AS_USUAL);
	receive(pair, &pair->small, 10);
	assert_int_equal(fake_transport_acks(t), TRANSPORT_ACKS_AT_ONCE);
	loop_fake_advance(pair->rig->loop, 999);
	assert_int_equal(fake_transport_acks(t), TRANSPORT_ACKS_AT_ONCE);
	loop_fake_advance(pair->rig->loop, 1);
	assert_int_equal(fake_transport_acks(t), TRANSPORT_ACKS_AS_USUAL);
	pair_free(pair);
}

static void test_full_packets_need_no_acknowledgement_of_ours(void **state)
{
	struct pair *pair = pair_new();
	unsigned before;

	(void)state;
	loop_fake_advance(pair->rig->loop, 2);
	before = fake_transport_acknowledged(pair->rig->transport);
	receive(pair, &pair->bulk, 10 * RIG_PACKET);
	loop_fake_advance(pair->rig->loop, 100);
	assert_int_equal(fake_transport_acknowledged(pair->rig->transport), before);
	pair_free(pair);
}

/* ---- what the transport may do with bulk ---- */

static void test_bulk_that_is_alone_may_be_read_in_lumps(void **state)
{
	struct pair *pair = pair_new();
	struct transport *t = pair->rig->transport;

	(void)state;
	receive(pair, &pair->bulk, 3 * RIG_PACKET);
	assert_int_equal(fake_transport_bulk(t), 3 * RIG_PACKET);
	receive(pair, &pair->small, 10);
	assert_int_equal(fake_transport_bulk(t), 0);
	receive(pair, &pair->bulk, 3 * RIG_PACKET);
	assert_int_equal(fake_transport_bulk(t), 0);
	loop_fake_advance(pair->rig->loop, 1000);
	receive(pair, &pair->bulk, 3 * RIG_PACKET);
	assert_int_equal(fake_transport_bulk(t), 3 * RIG_PACKET);
	pair_free(pair);
}

static void test_where_a_lump_would_fill_the_window_it_may_not(void **state)
{
	struct rig *rig = rig_new_with((struct session_options){.window = 512 * KB});
	struct pair pair = {.rig = rig};

	(void)state;
	open_one(rig, &pair.bulk, 100);
	receive(&pair, &pair.bulk, 3 * RIG_PACKET);
	assert_int_equal(fake_transport_bulk(rig->transport), 0);
	watched_clear(&pair.bulk);
	rig_free(rig);
}

static void test_a_pass_takes_less_while_the_link_is_shared(void **state)
{
	struct pair *pair = pair_new();
	struct transport *t = pair->rig->transport;

	(void)state;
	bulk_comes(pair, 300 * KB, 1);
	receive(pair, &pair->small, 10);
	assert_int_equal(fake_transport_pass(t), 32 * KB);
	loop_fake_advance(pair->rig->loop, 1000);
	assert_int_equal(fake_transport_pass(t), 256 * KB);
	pair_free(pair);
}

/* ---- towards the peer ---- */

static void send_bulk(struct pair *pair)
{
	uint8_t *bytes = mem_alloc(8 * MB);

	channel_send(pair->bulk.channel, SPAN(bytes, 8 * MB));
	free(bytes);
	forget_sent(pair);
}

/* Each round trip the peer takes n bytes, and credits them in lumps of so many. */
static void peer_takes(struct pair *pair, uint32_t n, uint32_t lump, unsigned round_trips)
{
	while (round_trips--) {
		for (uint32_t i = 0; i < n; i += lump)
			rig_feed(pair->rig, "buu", SSH_MSG_CHANNEL_WINDOW_ADJUST,
			    channel_local_id(pair->bulk.channel), lump);
		forget_sent(pair);
		loop_fake_advance(pair->rig->loop, RTT_MS);
	}
}

static void send_beside_small(struct pair *pair)
{
	send_bulk(pair);
	peer_takes(pair, 96 * KB, 32 * KB, 3);
	for (int i = 0; i < 20; i++) {
		receive(pair, &pair->small, 10);
		peer_takes(pair, 96 * KB, 32 * KB, 1);
	}
}

static void test_what_we_send_alone_fills_the_peers_window(void **state)
{
	struct pair *pair = pair_new();

	(void)state;
	send_bulk(pair);
	peer_takes(pair, 96 * KB, 32 * KB, 10);
	assert_int_equal(under_way(&pair->bulk), 2 * MB);
	pair_free(pair);
}

static void test_beside_small_messages_a_part_of_the_peers_window_stays_unused(void **state)
{
	struct pair *pair = pair_new();

	(void)state;
	send_beside_small(pair);
	assert_in_range(under_way(&pair->bulk), 150 * KB, 250 * KB);
	pair_free(pair);
}

static void test_a_peer_that_credits_in_large_lumps_is_not_waited_for(void **state)
{
	struct pair *pair = pair_new();

	(void)state;
	send_bulk(pair);
	peer_takes(pair, 1 * MB, 1 * MB, 1);
	for (int i = 0; i < 3; i++) {
		receive(pair, &pair->small, 10);
		peer_takes(pair, 1 * MB, 1 * MB, 1);
	}
	assert_true(under_way(&pair->bulk) > 1 * MB);
	pair_free(pair);
}

/* Of that peer's window a lump is used, and what the path holds while its credit comes, no second lump. */
static void test_a_peer_that_credits_seldom_has_one_lump_to_take(void **state)
{
	struct pair *pair = pair_new();
	enum { LUMP = 512 * KB, ROUND_TRIPS = 8 };

	(void)state;
	send_bulk(pair);
	for (int i = 0; i < 4; i++) {
		receive(pair, &pair->small, 10);
		peer_takes(pair, LUMP, LUMP, 1);
		loop_fake_advance(pair->rig->loop, (ROUND_TRIPS - 1) * RTT_MS);
	}
	assert_in_range(under_way(&pair->bulk), LUMP + 1, 2 * LUMP - 1);
	pair_free(pair);
}

/* While its window is full and its sink is slow, OpenSSH credits each little bit, and nothing any more once less than three
 * packets are under way. */
static void test_a_peer_with_a_slow_sink_is_not_starved(void **state)
{
	struct pair *pair = pair_new();

	(void)state;
	send_bulk(pair);
	for (unsigned i = 0; i < 2 * MB / (4 * KB); i++) {
		receive(pair, &pair->bulk, 8 * KB); /* what goes on even so */
		receive(pair, &pair->small, 10);
		peer_takes(pair, 4 * KB, 4 * KB, 1);
	}
	assert_true(under_way(&pair->bulk) > 3 * RIG_PACKET);
	pair_free(pair);
}

static void test_what_was_held_back_goes_out_when_bulk_is_alone_again(void **state)
{
	struct pair *pair = pair_new();

	(void)state;
	send_beside_small(pair);
	assert_true(under_way(&pair->bulk) < 1 * MB);
	loop_fake_advance(pair->rig->loop, 1000); /* and the peer says nothing */
	forget_sent(pair);
	assert_int_equal(under_way(&pair->bulk), 2 * MB);
	pair_free(pair);
}

static void test_whoever_may_soon_wait_for_credit_gets_it_at_once(void **state)
{
	struct pair *pair = pair_new();
	struct transport *t = pair->rig->transport;
	static const uint8_t bytes[MB];

	(void)state;
	channel_send(pair->bulk.channel, SPAN(bytes, sizeof(bytes)));
	forget_sent(pair);
	assert_true(fake_transport_bulk(t) > 0);
	channel_send(pair->bulk.channel, SPAN(bytes, RIG_PACKET));
	forget_sent(pair);
	assert_int_equal(fake_transport_bulk(t), 0);
	pair_free(pair);
}

/* How much of bulk goes out in one pass, when a million bytes wait. */
static uint64_t sent_in_a_pass(struct pair *pair)
{
	static const uint8_t bytes[MB];
	uint64_t before = fake_transport_bytes_sent(pair->rig->transport);

	channel_send(pair->bulk.channel, SPAN(bytes, sizeof(bytes)));
	loop_pass(pair->rig->loop, LOOP_NO_WAIT);
	return fake_transport_bytes_sent(pair->rig->transport) - before;
}

static void test_a_pass_sends_less_while_the_link_is_shared(void **state)
{
	struct pair *pair = pair_new();

	(void)state;
	assert_in_range(sent_in_a_pass(pair), 256 * KB, 300 * KB);
	forget_sent(pair);
	receive(pair, &pair->small, 10);
	assert_in_range(sent_in_a_pass(pair), 32 * KB, 68 * KB);
	pair_free(pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bulk_that_is_alone_has_all_of_its_window),
	    cmocka_unit_test(test_beside_small_messages_it_has_twice_what_the_path_holds),
	    cmocka_unit_test(test_on_a_path_that_holds_little_it_keeps_enough_to_go_on),
	    cmocka_unit_test(test_large_messages_beside_it_take_nothing_from_it),
	    cmocka_unit_test(test_the_window_comes_back_when_bulk_is_alone_again),
	    cmocka_unit_test(test_small_messages_of_bulk_itself_take_nothing_from_it),
	    cmocka_unit_test(test_a_small_message_beside_bulk_of_long_ago_takes_nothing),
	    cmocka_unit_test(test_what_comes_is_acknowledged_soon),
	    cmocka_unit_test(test_bulk_is_acknowledged_when_it_pauses),
	    cmocka_unit_test(test_where_answers_acknowledge_it_looks_less_often),
	    cmocka_unit_test(test_while_the_link_is_shared_all_is_acknowledged_at_once),
	    cmocka_unit_test(test_full_packets_need_no_acknowledgement_of_ours),
	    cmocka_unit_test(test_bulk_that_is_alone_may_be_read_in_lumps),
	    cmocka_unit_test(test_where_a_lump_would_fill_the_window_it_may_not),
	    cmocka_unit_test(test_a_pass_takes_less_while_the_link_is_shared),
	    cmocka_unit_test(test_what_we_send_alone_fills_the_peers_window),
	    cmocka_unit_test(test_whoever_may_soon_wait_for_credit_gets_it_at_once),
	    cmocka_unit_test(test_a_pass_sends_less_while_the_link_is_shared),
	    cmocka_unit_test(test_beside_small_messages_a_part_of_the_peers_window_stays_unused),
	    cmocka_unit_test(test_a_peer_that_credits_in_large_lumps_is_not_waited_for),
	    cmocka_unit_test(test_a_peer_that_credits_seldom_has_one_lump_to_take),
	    cmocka_unit_test(test_a_peer_with_a_slow_sink_is_not_starved),
	    cmocka_unit_test(test_what_was_held_back_goes_out_when_bulk_is_alone_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
