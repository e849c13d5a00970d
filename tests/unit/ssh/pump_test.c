/*
 * Whose turn it is: fairness, what goes first, and that nothing spins or is queued.
 */
#include "connection_rig.h"

#include "net/bev.h"
#include "ssh/connection.h"

static void send_bulk(struct watched *w, size_t n)
{
	uint8_t *bytes = mem_alloc(n);

	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(i * 7 + (i >> 8));
	channel_send(w->channel, SPAN(bytes, n));
	free(bytes);
}

/* The recipient of the next data packet; UINT32_MAX when there is none. */
static uint32_t next_recipient(struct rig *rig)
{
	struct span m = {0};

	if (!fake_transport_next(rig->transport, &m))
		return UINT32_MAX;
	assert_int_equal(m.p[0], SSH_MSG_CHANNEL_DATA);
	return get_u32(m.p + 1);
}

static void test_bulk_channels_take_turns(void **state)
{
	struct rig *rig = rig_new();
	struct watched w[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		rig_open(rig, &w[i]);
	for (int i = 0; i < 3; i++)
		send_bulk(&w[i], 5 * DATA_MAX);
	rig_settle(rig);
	for (int round = 0; round < 5; round++) {
		for (uint32_t i = 0; i < 3; i++)
			assert_int_equal(next_recipient(rig), 100 + i);
	}
	assert_int_equal(next_recipient(rig), UINT32_MAX);
	rig_free(rig);
}

static void test_a_bulk_channel_never_starves_a_small_one(void **state)
{
	struct rig *rig = rig_new();
	struct watched bulk, small;

	(void)state;
	rig_open(rig, &bulk);
	rig_open(rig, &small);
	send_bulk(&bulk, 2000000);
	loop_pass(rig->loop, LOOP_NO_WAIT);
	while (next_recipient(rig) != UINT32_MAX)
		;
	/* In the middle of it a query comes. It waits for one packet at most. */
	channel_send(small.channel, SPAN_LITERAL("select 1"));
	loop_pass(rig->loop, LOOP_NO_WAIT);
	if (next_recipient(rig) != 101)
		assert_int_equal(next_recipient(rig), 101);
	rig_free(rig);
}

static void test_a_channel_without_window_stops_nobody(void **state)
{
	struct rig *rig = rig_new();
	struct watched stuck, other;

	(void)state;
	rig_open_with(rig, &stuck, 10, 1000);
	rig_open(rig, &other);
	send_bulk(&stuck, 100000);
	send_bulk(&other, 3 * DATA_MAX);
	rig_settle(rig);
	assert_int_equal(next_recipient(rig), 100);
	for (int i = 0; i < 3; i++)
		assert_int_equal(next_recipient(rig), 101);
	assert_int_equal(next_recipient(rig), UINT32_MAX);
	rig_free(rig);
}

static void test_what_is_owed_goes_before_data(void **state)
{
	struct rig *rig = rig_new();
	struct watched bulk, other;

	(void)state;
	rig_open(rig, &bulk);
	rig_open(rig, &other);
	fake_transport_shut(rig->transport);
	send_bulk(&bulk, 100000);
	rig_feed(rig, "buso", SSH_MSG_CHANNEL_REQUEST, 1, "what", true);
	channel_eof(other.channel);
	session_send_global_request(rig->session, "g", SPAN(NULL, 0), NULL, NULL);
	fake_transport_open(rig->transport);
	rig_expect(rig, "bso", SSH_MSG_GLOBAL_REQUEST, "g", false);
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_FAILURE, 101);
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_EOF, 101);
	assert_int_equal(next_recipient(rig), 100);
	rig_free(rig);
}

static void test_debts_take_turns_too(void **state)
{
	struct rig *rig = rig_new();
	struct watched a, b;

	(void)state;
	rig_open(rig, &a);
	rig_open(rig, &b);
	fake_transport_shut(rig->transport);
	for (int i = 0; i < 2; i++) {
		rig_feed(rig, "buso", SSH_MSG_CHANNEL_REQUEST, 0, "what", true);
		rig_feed(rig, "buso", SSH_MSG_CHANNEL_REQUEST, 1, "what", true);
	}
	fake_transport_open(rig->transport);
	for (int i = 0; i < 2; i++) {
		rig_expect(rig, "bu", SSH_MSG_CHANNEL_FAILURE, 100);
		rig_expect(rig, "bu", SSH_MSG_CHANNEL_FAILURE, 101);
	}
	rig_free(rig);
}

static void test_a_shut_transport_gets_nothing_and_then_everything(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;
	size_t n = 0;

	(void)state;
	rig_open(rig, &w);
	send_bulk(&w, 10 * DATA_MAX);
	fake_transport_shut_after(rig->transport, 3);
	rig_settle(rig);
	assert_int_equal(fake_transport_sent_count(rig->transport), 3);
	rig_settle(rig);
	assert_int_equal(fake_transport_sent_count(rig->transport), 3);
	fake_transport_open(rig->transport);
	rig_settle(rig);
	while (next_recipient(rig) != UINT32_MAX)
		n++;
	assert_int_equal(n, 10);
	rig_free(rig);
}

static void test_data_waits_for_new_keys_that_are_due_and_debts_do_not(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	rig_open(rig, &w);
	fake_transport_wear_out(rig->transport);
	send_bulk(&w, 1000);
	rig_feed(rig, "buso", SSH_MSG_CHANNEL_REQUEST, 0, "what", true);
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_FAILURE, 100);
	rig_expect_nothing(rig);
	fake_transport_open(rig->transport); /* the exchange is done */
	assert_int_equal(next_recipient(rig), 100);
	rig_free(rig);
}

static void test_a_pass_has_a_budget_and_the_next_goes_on(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	rig_open(rig, &w);
	send_bulk(&w, 2000000);
	loop_pass(rig->loop, LOOP_NO_WAIT);
	loop_pass(rig->loop, LOOP_NO_WAIT);
	assert_in_range(fake_transport_sent_count(rig->transport), 7, 2 * 9);
	rig_settle(rig);
	assert_int_equal(fake_transport_sent_count(rig->transport), 62);
	rig_free(rig);
}

static void test_a_maximum_packet_of_one_byte_does_not_spin(void **state)
{
	struct rig *rig = rig_new();
	struct watched w, other;
	size_t n = 0;

	(void)state;
	rig_open_with(rig, &w, 1000000, 1);
	rig_open(rig, &other);
	send_bulk(&w, 1000);
	channel_send(other.channel, SPAN_LITERAL("x"));
	loop_pass(rig->loop, LOOP_NO_WAIT);
	loop_pass(rig->loop, LOOP_NO_WAIT);
	assert_true(fake_transport_sent_count(rig->transport) <= 2 * 64);
	rig_settle(rig);
	while (next_recipient(rig) != UINT32_MAX)
		n++;
	assert_int_equal(n, 1001);
	rig_free(rig);
}

static void test_a_window_that_opens_byte_by_byte_gets_byte_by_byte(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;
	size_t passes;

	(void)state;
	rig_open_with(rig, &w, 0, 1000);
	channel_send(w.channel, SPAN_LITERAL("abc"));
	channel_eof(w.channel);
	for (int i = 0; i < 3; i++) {
		char byte[2] = {(char)('a' + i)};

		rig_expect_nothing(rig);
		rig_feed(rig, "buu", SSH_MSG_CHANNEL_WINDOW_ADJUST, 0, 1);
		rig_expect(rig, "bus", SSH_MSG_CHANNEL_DATA, 100, byte);
	}
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_EOF, 100);
	/* And while there is no window nothing is scheduled. */
	rig_settle(rig);
	passes = event_base_get_num_events(loop_base(rig->loop), EVENT_BASE_COUNT_ACTIVE);
	assert_int_equal(passes, 0);
	assert_false(task_is_scheduled(&rig->session->pump.task));
	rig_free(rig);
}

static void test_an_output_of_many_small_chains_arrives_whole(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;
	struct bufferevent *bev;
	uint8_t bytes[500];
	struct span m;
	size_t n = 0;

	(void)state;
	rig_open(rig, &w);
	bev = channel_bev(w.channel);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] = (uint8_t)i;
		evbuffer_add_reference(bufferevent_get_output(bev), &bytes[i], 1, NULL, NULL);
	}
	rig_settle(rig);
	while (fake_transport_next(rig->transport, &m)) {
		assert_int_equal(m.p[0], SSH_MSG_CHANNEL_DATA);
		assert_int_equal(get_u32(m.p + 5), m.n - 9);
		for (size_t i = 9; i < m.n; i++)
			assert_int_equal(m.p[i], bytes[n++]);
	}
	assert_int_equal(n, sizeof(bytes));
	bev_free(bev);
	rig_free(rig);
}

static void test_an_idle_channel_is_small(void **state)
{
	(void)state;
	assert_true(sizeof(struct channel) < 600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bulk_channels_take_turns),
	    cmocka_unit_test(test_a_bulk_channel_never_starves_a_small_one),
	    cmocka_unit_test(test_a_channel_without_window_stops_nobody),
	    cmocka_unit_test(test_what_is_owed_goes_before_data),
	    cmocka_unit_test(test_debts_take_turns_too),
	    cmocka_unit_test(test_a_shut_transport_gets_nothing_and_then_everything),
	    cmocka_unit_test(test_data_waits_for_new_keys_that_are_due_and_debts_do_not),
	    cmocka_unit_test(test_a_pass_has_a_budget_and_the_next_goes_on),
	    cmocka_unit_test(test_a_maximum_packet_of_one_byte_does_not_spin),
	    cmocka_unit_test(test_a_window_that_opens_byte_by_byte_gets_byte_by_byte),
	    cmocka_unit_test(test_an_output_of_many_small_chains_arrives_whole),
	    cmocka_unit_test(test_an_idle_channel_is_small),
	};

	return cmocka_run_group_tests_name("ssh/pump", tests, NULL, NULL);
}
