/*
 * The rows of a channel: what it sends and in which order, what it is told, and what breaks the protocol.
 */
#include "connection_rig.h"
#include "ssh/connection.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- sending ---- */

static void test_nothing_is_sent_before_the_confirmation(void **state)
{
	struct rig *rig = rig_new();
	struct watched w = {.take = SIZE_MAX};

	(void)state;
	w.channel = session_open_channel(
	    rig->session, "session", SPAN(NULL, 0), &watched_callbacks, &w, NULL);
	channel_send(w.channel, SPAN_LITERAL("data"));
	channel_send_request(w.channel, "shell", SPAN(NULL, 0), NULL, NULL);
	channel_close(w.channel);
	rig_expect(rig, "bsuuu", SSH_MSG_CHANNEL_OPEN, "session", 0, RIG_WINDOW, RIG_PACKET);
	rig_expect_nothing(rig);
	rig_feed(rig, "buuuu", SSH_MSG_CHANNEL_OPEN_CONFIRMATION, 0, 7, 1000, 1000);
	rig_expect(rig, "buso", SSH_MSG_CHANNEL_REQUEST, 7, "shell", false);
	rig_expect(rig, "bus", SSH_MSG_CHANNEL_DATA, 7, "data");
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_EOF, 7);
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 7);
	rig_free(rig);
}

static void test_closed_before_its_open_was_sent_it_is_never_sent(void **state)
{
	struct rig *rig = rig_new();
	struct watched w = {.take = SIZE_MAX};

	(void)state;
	w.channel =
	    session_open_channel(rig->session, "test", SPAN(NULL, 0), &watched_callbacks, &w, NULL);
	channel_close(w.channel);
	assert_int_equal(w.closed, 0);
	rig_expect_nothing(rig);
	assert_int_equal(w.closed, 1);
	assert_int_equal(session_channel_count(rig->session), 0);
	rig_free(rig);
}

static void test_output_is_cut_by_its_length(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	rig_open(rig, &w);
	channel_send(w.channel, SPAN_LITERAL("hello, "));
	channel_send(w.channel, SPAN_LITERAL("world"));
	rig_expect(rig, "bus", SSH_MSG_CHANNEL_DATA, 100, "hello, world");
	rig_expect_nothing(rig);
	rig_free(rig);
}

static void test_output_is_cut_by_the_packet(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	rig_open_with(rig, &w, 1000, 5);
	channel_send(w.channel, SPAN_LITERAL("hello, world"));
	rig_expect(rig, "bus", SSH_MSG_CHANNEL_DATA, 100, "hello");
	rig_expect(rig, "bus", SSH_MSG_CHANNEL_DATA, 100, ", wor");
	rig_expect(rig, "bus", SSH_MSG_CHANNEL_DATA, 100, "ld");
	rig_expect_nothing(rig);
	rig_free(rig);
}

static void test_output_is_cut_by_the_window(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;
	struct channel_windows windows;

	(void)state;
	rig_open_with(rig, &w, 5, 1000);
	channel_send(w.channel, SPAN_LITERAL("hello, world"));
	rig_expect(rig, "bus", SSH_MSG_CHANNEL_DATA, 100, "hello");
	rig_expect_nothing(rig);
	channel_get_windows(w.channel, &windows);
	assert_int_equal(windows.remote_window, 0);
	rig_feed(rig, "buu", SSH_MSG_CHANNEL_WINDOW_ADJUST, 0, 1);
	rig_expect(rig, "bus", SSH_MSG_CHANNEL_DATA, 100, ",");
	rig_expect_nothing(rig);
	rig_feed(rig, "buu", SSH_MSG_CHANNEL_WINDOW_ADJUST, 0, 1000);
	rig_expect(rig, "bus", SSH_MSG_CHANNEL_DATA, 100, " world");
	channel_get_windows(w.channel, &windows);
	assert_int_equal(windows.bytes_out, 12);
	rig_free(rig);
}

static void test_a_huge_maximum_packet_is_not_used_up(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;
	uint8_t *bytes = mem_alloc(100000);

	(void)state;
	rig_open_with(rig, &w, UINT32_MAX, UINT32_MAX);
	channel_send(w.channel, SPAN(bytes, 100000));
	for (int i = 0; i < 3; i++)
		rig_expect(rig, "buS", SSH_MSG_CHANNEL_DATA, 100, SPAN(bytes, DATA_MAX));
	rig_expect(rig, "buS", SSH_MSG_CHANNEL_DATA, 100, SPAN(bytes, 100000 - 3 * DATA_MAX));
	free(bytes);
	rig_free(rig);
}

static void test_data_then_eof_then_close(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	rig_open_with(rig, &w, 3, 1000);
	channel_send(w.channel, SPAN_LITERAL("hello"));
	channel_close(w.channel);
	assert_true(channel_is_closing(w.channel));
	assert_false(channel_is_open(w.channel));
	assert_false(channel_local_closed(w.channel));
	rig_expect(rig, "bus", SSH_MSG_CHANNEL_DATA, 100, "hel");
	rig_expect_nothing(rig);
	rig_feed(rig, "buu", SSH_MSG_CHANNEL_WINDOW_ADJUST, 0, 2);
	rig_expect(rig, "bus", SSH_MSG_CHANNEL_DATA, 100, "lo");
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_EOF, 100);
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 100);
	assert_true(channel_local_closed(w.channel));
	assert_false(channel_remote_closed(w.channel));
	rig_free(rig);
}

static void test_eof_needs_no_window(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	rig_open_with(rig, &w, 0, 1000);
	channel_eof(w.channel);
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_EOF, 100);
	rig_free(rig);
}

static void test_eof_twice_and_close_twice_are_once(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	rig_open(rig, &w);
	channel_eof(w.channel);
	channel_eof(w.channel);
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_EOF, 100);
	assert_true(channel_eof_sent(w.channel));
	channel_eof(w.channel);
	channel_close(w.channel);
	channel_close(w.channel);
	channel_eof(w.channel);
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 100);
	channel_close(w.channel);
	rig_expect_nothing(rig);
	rig_free(rig);
}

static void test_after_our_eof_data_still_comes_in(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	rig_open(rig, &w);
	channel_eof(w.channel);
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_EOF, 100);
	rig_feed(rig, "bus", SSH_MSG_CHANNEL_DATA, 0, "more");
	assert_true(span_is(wr_span(&w.data), "more"));
	assert_true(channel_is_open(w.channel));
	watched_clear(&w);
	rig_free(rig);
}

static void test_after_the_peers_eof_data_still_goes_out(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	rig_open(rig, &w);
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_EOF, 0);
	assert_int_equal(w.eofs, 1);
	assert_true(channel_eof_received(w.channel));
	assert_true(channel_is_open(w.channel));
	channel_send(w.channel, SPAN_LITERAL("more"));
	rig_expect(rig, "bus", SSH_MSG_CHANNEL_DATA, 100, "more");
	rig_feed(rig, "buu", SSH_MSG_CHANNEL_WINDOW_ADJUST, 0, 1);
	rig_expect_nothing(rig);
	rig_free(rig);
}

static void test_extended_data_goes_out_by_type(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	rig_open_with(rig, &w, 8, 1000);
	channel_send_extended(w.channel, 1, SPAN_LITERAL("err"));
	channel_send_extended(w.channel, 2, SPAN_LITERAL("other"));
	channel_send_extended(w.channel, 1, SPAN_LITERAL("or"));
	channel_send_extended(w.channel, 1, SPAN(NULL, 0));
	channel_eof(w.channel);
	rig_expect(rig, "buus", SSH_MSG_CHANNEL_EXTENDED_DATA, 100, 1, "error");
	rig_expect(rig, "buus", SSH_MSG_CHANNEL_EXTENDED_DATA, 100, 2, "oth");
	rig_expect_nothing(rig);
	rig_feed(rig, "buu", SSH_MSG_CHANNEL_WINDOW_ADJUST, 0, 2);
	rig_expect(rig, "buus", SSH_MSG_CHANNEL_EXTENDED_DATA, 100, 2, "er");
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_EOF, 100);
	rig_free(rig);
}

static void test_full_says_when_to_stop_and_process_when_to_go_on(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;
	uint8_t *bytes = mem_alloc(300000);

	(void)state;
	rig_open_with(rig, &w, 0, 32768);
	assert_false(channel_full(w.channel));
	channel_send(w.channel, SPAN(bytes, 300000));
	assert_true(channel_full(w.channel));
	rig_settle(rig);
	assert_int_equal(w.processed, 0);
	rig_feed(rig, "buu", SSH_MSG_CHANNEL_WINDOW_ADJUST, 0, 300000);
	rig_settle(rig);
	assert_false(channel_full(w.channel));
	assert_true(w.processed > 0);
	free(bytes);
	rig_free(rig);
}

/* ---- the end ---- */

static void test_it_leaves_the_table_only_when_both_sides_closed(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	rig_open(rig, &w);
	channel_close(w.channel);
	rig_settle(rig);
	assert_int_equal(session_channel_count(rig->session), 1);
	assert_int_equal(w.closed, 0);
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 0);
	assert_int_equal(session_channel_count(rig->session), 0);
	assert_int_equal(w.closed, 1);
	assert_int_equal(w.lost, ERR_OK);
	rig_free(rig);
}

static void test_close_is_answered_at_once_and_unsent_output_is_dropped(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	rig_open_with(rig, &w, 0, 1000);
	channel_send(w.channel, SPAN_LITERAL("never"));
	channel_send_extended(w.channel, 1, SPAN_LITERAL("ever"));
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 0);
	assert_true(channel_remote_closed(w.channel));
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 100);
	rig_expect_nothing(rig);
	assert_int_equal(w.closed, 1);
	assert_int_equal(session_channel_count(rig->session), 0);
	rig_free(rig);
}

static void test_close_is_owed_while_nothing_can_be_sent(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	rig_open(rig, &w);
	fake_transport_shut(rig->transport);
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 0);
	rig_settle(rig);
	assert_int_equal(w.closed, 0);
	fake_transport_open(rig->transport);
	assert_int_equal(w.closed, 1);
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 100);
	rig_free(rig);
}

static void test_after_our_close_what_still_comes_is_dropped(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	rig_open(rig, &w);
	channel_close(w.channel);
	rig_settle(rig);
	while (rig_sent(rig).n)
		;
	rig_feed(rig, "bus", SSH_MSG_CHANNEL_DATA, 0, "late");
	rig_feed(rig, "buus", SSH_MSG_CHANNEL_EXTENDED_DATA, 0, 1, "late");
	rig_feed(rig, "buu", SSH_MSG_CHANNEL_WINDOW_ADJUST, 0, 1);
	rig_feed(rig, "buso", SSH_MSG_CHANNEL_REQUEST, 0, "exit-status", true);
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_EOF, 0);
	rig_expect_nothing(rig);
	assert_int_equal(w.data.n + w.extended.n, 0);
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 0);
	assert_int_equal(w.closed, 1);
	rig_free(rig);
}

static void test_giving_up_drops_the_output_and_tells_nothing(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	rig_open_with(rig, &w, 0, 1000);
	channel_send(w.channel, SPAN_LITERAL("never"));
	channel_give_up(w.channel);
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 100);
	rig_feed(rig, "bus", SSH_MSG_CHANNEL_DATA, 0, "late");
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 0);
	assert_int_equal(w.closed + (int)w.data.n, 0);
	assert_int_equal(session_channel_count(rig->session), 0);
	rig_free(rig);
}

static size_t give_up_on_data(void *arg, struct channel *c, struct span data)
{
	(void)arg;
	channel_give_up(c);
	return data.n;
}

static void test_it_can_be_given_up_in_its_data_callback(void **state)
{
	static const struct channel_callbacks callbacks = {.on_data = give_up_on_data};
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	rig_open(rig, &w);
	(void)channel_set_callbacks(w.channel, &callbacks, NULL);
	rig_feed(rig, "bus", SSH_MSG_CHANNEL_DATA, 0, "data");
	rig_feed(rig, "bus", SSH_MSG_CHANNEL_DATA, 0, "data");
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_EOF, 100);
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 100);
	rig_free(rig);
}

static size_t free_on_data(void *arg, struct channel *c, struct span data)
{
	struct rig *rig = arg;

	(void)c;
	(void)data;
	session_free(rig->session);
	return 1;
}

static void test_the_session_can_be_freed_in_a_data_callback(void **state)
{
	static const struct channel_callbacks callbacks = {.on_data = free_on_data};
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	rig_open(rig, &w);
	(void)channel_set_callbacks(w.channel, &callbacks, rig);
	rig_feed(rig, "bus", SSH_MSG_CHANNEL_DATA, 0, "data");
	rig_settle(rig);
	fake_transport_free(rig->transport);
	loop_free(rig->loop);
	clock_fake_stop();
	free(rig);
}

static void feed_close(void *arg)
{
	struct rig *rig = arg;

	rig_feed(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 0);
}

static void test_wait_returns_when_it_is_closed(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;
	struct task task;

	(void)state;
	rig_open(rig, &w);
	channel_close(w.channel);
	task_init(&task, rig->loop, feed_close, rig);
	task_schedule(&task);
	channel_wait(w.channel);
	assert_int_equal(w.closed, 1);
	rig_free(rig);
}

/* ---- what comes ---- */

static void test_data_and_extended_data_come_apart(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;
	struct channel_windows windows;

	(void)state;
	rig_open(rig, &w);
	rig_feed(rig, "bus", SSH_MSG_CHANNEL_DATA, 0, "out");
	rig_feed(rig, "bus", SSH_MSG_CHANNEL_DATA, 0, "");
	rig_feed(rig, "buus", SSH_MSG_CHANNEL_EXTENDED_DATA, 0, 1, "error");
	rig_feed(rig, "buus", SSH_MSG_CHANNEL_EXTENDED_DATA, 0, 1, "");
	assert_true(span_is(wr_span(&w.data), "out"));
	assert_true(span_is(wr_span(&w.extended), "error"));
	assert_int_equal(w.extended_type, 1);
	/* Both count against the window. */
	channel_get_windows(w.channel, &windows);
	assert_int_equal(windows.local_window, RIG_WINDOW - 8);
	assert_int_equal(windows.bytes_in, 8);
	watched_clear(&w);
	rig_free(rig);
}

static void test_setters_return_the_previous_one(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;
	int a;

	(void)state;
	rig_open(rig, &w);
	assert_ptr_equal(channel_arg(w.channel), &w);
	assert_ptr_equal(
	    channel_set_callbacks(w.channel, NULL, &a).on_open, watched_callbacks.on_open);
	assert_null(channel_set_callbacks(w.channel, &watched_callbacks, &w).on_open);
	assert_null(channel_property(w.channel, "x"));
	assert_null(channel_set_property(w.channel, "x", &a));
	assert_ptr_equal(channel_property(w.channel, "x"), &a);
	assert_ptr_equal(channel_set_property(w.channel, "x", NULL), &a);
	assert_null(channel_property(w.channel, "x"));
	assert_ptr_equal(channel_session(w.channel), rig->session);
	rig_free(rig);
}

/* ---- requests ---- */

struct answers {
	int count;
	bool success[8];
	int id[8];
};

struct asker {
	struct answers *answers;
	int id;
};

static void on_answer(void *arg, struct channel *c, bool success)
{
	struct asker *asker = arg;
	struct answers *a = asker->answers;

	(void)c;
	a->success[a->count] = success;
	a->id[a->count++] = asker->id;
}

static void test_requests_are_answered_first_in_first_out_per_channel(void **state)
{
	struct rig *rig = rig_new();
	struct watched w, other;
	struct answers a = {0};
	struct asker one = {&a, 1}, two = {&a, 2}, three = {&a, 3};

	(void)state;
	rig_open(rig, &w);
	rig_open(rig, &other);
	channel_send_request(w.channel, "one", SPAN_LITERAL("extra"), on_answer, &one);
	channel_send_request(w.channel, "none", SPAN(NULL, 0), NULL, NULL);
	channel_send_request(w.channel, "two", SPAN(NULL, 0), on_answer, &two);
	channel_send_request(other.channel, "three", SPAN(NULL, 0), on_answer, &three);
	rig_expect(rig, "busox", SSH_MSG_CHANNEL_REQUEST, 100, "one", true, SPAN_LITERAL("extra"));
	rig_expect(rig, "buso", SSH_MSG_CHANNEL_REQUEST, 101, "three", true);
	rig_expect(rig, "buso", SSH_MSG_CHANNEL_REQUEST, 100, "none", false);
	rig_expect(rig, "buso", SSH_MSG_CHANNEL_REQUEST, 100, "two", true);
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_SUCCESS, 1);
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_FAILURE, 0);
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_SUCCESS, 0);
	assert_int_equal(a.count, 3);
	assert_int_equal(a.id[0], 3);
	assert_int_equal(a.id[1], 1);
	assert_int_equal(a.id[2], 2);
	assert_true(a.success[0]);
	assert_false(a.success[1]);
	assert_true(a.success[2]);
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_SUCCESS, 0); /* nobody's: logged */
	assert_int_equal(a.count, 3);
	rig_free(rig);
}

static void test_a_request_that_the_peer_does_not_know_has_failed(void **state)
{
	struct rig *rig = rig_new();
	struct watched w, other;
	struct answers a = {0};
	struct asker one = {&a, 1}, two = {&a, 2}, three = {&a, 3};

	(void)state;
	rig_open(rig, &w);
	rig_open(rig, &other);
	channel_send_request(w.channel, "one", SPAN(NULL, 0), on_answer, &one);
	channel_send_request(w.channel, "two", SPAN(NULL, 0), on_answer, &two);
	channel_send_request(other.channel, "three", SPAN(NULL, 0), on_answer, &three);
	rig_settle(rig);
	session_unimplemented(rig->session, 3); /* after two OPENs and the first of one */
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_SUCCESS, 0);
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_SUCCESS, 0);
	assert_int_equal(a.count, 3);
	assert_int_equal(a.id[0], 3);
	assert_false(a.success[0]);
	assert_int_equal(a.id[1], 1);
	assert_true(a.success[1]);
	assert_int_equal(a.id[2], 2);
	assert_true(a.success[2]);
	rig_free(rig);
}

static void test_requests_of_a_channel_that_closed_first_have_failed(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;
	struct answers a = {0};
	struct asker one = {&a, 1}, two = {&a, 2};

	(void)state;
	rig_open(rig, &w);
	channel_send_request(w.channel, "one", SPAN(NULL, 0), on_answer, &one);
	rig_settle(rig);
	fake_transport_shut(rig->transport);
	channel_send_request(w.channel, "two", SPAN(NULL, 0), on_answer, &two);
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 0);
	fake_transport_open(rig->transport);
	assert_int_equal(a.count, 2);
	assert_false(a.success[0] || a.success[1]);
	assert_int_equal(w.closed, 1);
	rig_free(rig);
}

static void test_an_unknown_request_gets_failure_if_a_reply_is_wanted(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	rig_open(rig, &w);
	rig_feed(rig, "buso", SSH_MSG_CHANNEL_REQUEST, 0, "what", false);
	rig_expect_nothing(rig);
	rig_feed(rig, "buso", SSH_MSG_CHANNEL_REQUEST, 0, "what", true);
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_FAILURE, 100);
	assert_int_equal(w.requests, 2);
	assert_string_equal(w.request, "what");
	(void)channel_set_callbacks(w.channel, NULL, NULL);
	rig_feed(rig, "buso", SSH_MSG_CHANNEL_REQUEST, 0, "what", true);
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_FAILURE, 100);
	rig_free(rig);
}

static void test_answers_to_requests_keep_their_order(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	rig_open(rig, &w);
	fake_transport_shut(rig->transport);
	for (int i = 0; i < 64; i++) {
		w.request_answer = i % 3 == 0;
		rig_feed(rig, "buso", SSH_MSG_CHANNEL_REQUEST, 0, "what", true);
	}
	fake_transport_open(rig->transport);
	for (int i = 0; i < 64; i++)
		rig_expect(
		    rig, "bu", i % 3 == 0 ? SSH_MSG_CHANNEL_SUCCESS : SSH_MSG_CHANNEL_FAILURE, 100);
	rig_expect_nothing(rig);
	rig_free(rig);
}

static void test_requests_without_end_whose_answers_are_not_taken_are_an_error(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	rig_open(rig, &w);
	fake_transport_shut(rig->transport);
	for (int i = 0; i < 64; i++)
		rig_feed(rig, "buso", SSH_MSG_CHANNEL_REQUEST, 0, "what", true);
	rig_feed_bad(rig, "buso", SSH_MSG_CHANNEL_REQUEST, 0, "what", true);
	rig_free(rig);
}

static bool request_is_an_assertion(struct channel *c, const char *type)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		(void)!freopen("/dev/null", "w", stderr);
		channel_send_request(c, type, SPAN(NULL, 0), NULL, NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void test_requests_of_sessions_belong_to_session_channels_alone(void **state)
{
	static const char *const types[] = {
	    "env", "pty-req", "exec", "subsystem", "auth-agent-req@openssh.com"};
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	rig_open(rig, &w);
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		assert_true(request_is_an_assertion(w.channel, types[i]));
	assert_false(request_is_an_assertion(w.channel, "something-else@example.com"));
	rig_free(rig);
}

/* ---- what breaks the protocol ---- */

static void test_a_message_for_an_unknown_channel_is_tolerated(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	rig_feed(rig, "buu", SSH_MSG_CHANNEL_WINDOW_ADJUST, 77, 1);
	rig_feed(rig, "bus", SSH_MSG_CHANNEL_DATA, 77, "x");
	rig_feed(rig, "buus", SSH_MSG_CHANNEL_EXTENDED_DATA, 77, 1, "x");
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_EOF, 77);
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 77);
	rig_feed(rig, "buso", SSH_MSG_CHANNEL_REQUEST, 77, "x", true);
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_SUCCESS, 77);
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_FAILURE, 77);
	rig_expect_nothing(rig);
	assert_int_equal(rig->closed, 0);
	rig_free(rig);
}

static void test_an_answer_to_an_open_that_we_did_not_send_is_an_error(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	rig_feed_bad(rig, "buuuu", SSH_MSG_CHANNEL_OPEN_CONFIRMATION, 77, 1, 1, 1);
	rig_free(rig);
	rig = rig_new();
	rig_feed_bad(rig, "buuss", SSH_MSG_CHANNEL_OPEN_FAILURE, 77, 1, "", "");
	rig_free(rig);
	/* It exists, and the peer cannot know. */
	rig = rig_new();
	session_open_channel(rig->session, "test", SPAN(NULL, 0), NULL, NULL, NULL);
	rig_feed_bad(rig, "buuuu", SSH_MSG_CHANNEL_OPEN_CONFIRMATION, 0, 1, 1, 1);
	rig_free(rig);
}

/* In which state the channel is when the bad message comes. */
enum stage { STAGE_OPENING, STAGE_OPEN, STAGE_EOF, STAGE_CLOSED, STAGE_PENDING };

static void leave_pending(void *arg, struct session *s, struct channel *c, struct span extra)
{
	(void)arg;
	(void)s;
	(void)c;
	(void)extra;
}

static struct rig *rig_at(enum stage stage, struct watched *w)
{
	struct rig *rig = rig_new();

	if (stage == STAGE_OPENING) {
		session_open_channel(rig->session, "test", SPAN(NULL, 0), NULL, NULL, NULL);
		rig_settle(rig);
		return rig;
	}
	if (stage == STAGE_PENDING) {
		session_on_open_channel(rig->session, "t",
		    (struct session_open_registration){.handler = leave_pending});
		rig_feed(rig, "bsuuu", SSH_MSG_CHANNEL_OPEN, "t", 5, 1000, 1000);
		return rig;
	}
	rig_open(rig, w);
	if (stage == STAGE_EOF)
		rig_feed(rig, "bu", SSH_MSG_CHANNEL_EOF, 0);
	if (stage == STAGE_CLOSED) {
		fake_transport_shut(rig->transport);
		rig_feed(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 0);
	}
	return rig;
}

struct bad_message {
	const char *what;
	enum stage stage;
	size_t n;
	uint8_t bytes[24];
};

#define BAD(what, stage, ...) \
	{ \
		what, stage, sizeof((uint8_t[]){__VA_ARGS__}), \
		{ \
			__VA_ARGS__ \
		} \
	}
#define ID 0, 0, 0, 0
#define U32(n) 0, 0, 0, n

static const struct bad_message bad_messages[] = {
    BAD("a second confirmation", STAGE_OPEN, 91, ID, U32(1), U32(1), U32(1)),
    BAD("a failure after the confirmation", STAGE_OPEN, 92, ID, U32(1), U32(0), U32(0)),
    BAD("a confirmation with a maximum packet of 0", STAGE_OPENING, 91, ID, U32(1), U32(1), U32(0)),
    BAD("a confirmation of what we have not confirmed", STAGE_PENDING, 91, ID, U32(1), U32(1),
	U32(1)),
    BAD("an adjust before the confirmation", STAGE_OPENING, 93, ID, U32(1)),
    BAD("data before the confirmation", STAGE_OPENING, 94, ID, U32(1), 'x'),
    BAD("data for what we have not confirmed", STAGE_PENDING, 94, ID, U32(1), 'x'),
    BAD("extended data before the confirmation", STAGE_OPENING, 95, ID, U32(1), U32(1), 'x'),
    BAD("EOF before the confirmation", STAGE_OPENING, 96, ID),
    BAD("CLOSE before the confirmation", STAGE_OPENING, 97, ID),
    BAD("CLOSE of what we have not confirmed", STAGE_PENDING, 97, ID),
    BAD("a request before the confirmation", STAGE_OPENING, 98, ID, U32(1), 'x', 0),
    BAD("success before the confirmation", STAGE_OPENING, 99, ID),
    BAD("failure before the confirmation", STAGE_OPENING, 100, ID),
    BAD("data after EOF", STAGE_EOF, 94, ID, U32(1), 'x'),
    BAD("extended data after EOF", STAGE_EOF, 95, ID, U32(1), U32(1), 'x'),
    BAD("EOF after EOF", STAGE_EOF, 96, ID),
    BAD("a confirmation after EOF", STAGE_EOF, 91, ID, U32(1), U32(1), U32(1)),
    BAD("an adjust after CLOSE", STAGE_CLOSED, 93, ID, U32(1)),
    BAD("data after CLOSE", STAGE_CLOSED, 94, ID, U32(1), 'x'),
    BAD("EOF after CLOSE", STAGE_CLOSED, 96, ID),
    BAD("CLOSE after CLOSE", STAGE_CLOSED, 97, ID),
    BAD("a request after CLOSE", STAGE_CLOSED, 98, ID, U32(1), 'x', 0),
    BAD("a confirmation with a byte too many", STAGE_OPENING, 91, ID, U32(1), U32(1), U32(1), 0),
    BAD("a failure with a byte too many", STAGE_OPENING, 92, ID, U32(1), U32(0), U32(0), 0),
    BAD("an adjust with a byte too many", STAGE_OPEN, 93, ID, U32(1), 0),
    BAD("data with a byte too many", STAGE_OPEN, 94, ID, U32(1), 'x', 0),
    BAD("extended data with a byte too many", STAGE_OPEN, 95, ID, U32(1), U32(1), 'x', 0),
    BAD("EOF with a byte too many", STAGE_OPEN, 96, ID, 0),
    BAD("CLOSE with a byte too many", STAGE_OPEN, 97, ID, 0),
    BAD("success with a byte too many", STAGE_OPEN, 99, ID, 0),
    BAD("failure with a byte too many", STAGE_OPEN, 100, ID, 0),
};

static void test_what_the_state_does_not_allow_is_an_error(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_messages); i++) {
		const struct bad_message *m = &bad_messages[i];
		struct watched w = {0};
		struct rig *rig = rig_at(m->stage, &w);

		if (rig_feed_bytes(rig, SPAN(m->bytes, m->n)) != ERR_PEER)
			fail_msg("%s is accepted", m->what);
		assert_int_equal(rig->closed, 1);
		assert_int_equal(w.data.n + w.extended.n, 0);
		watched_clear(&w);
		rig_free(rig);
	}
}

static const struct bad_message good_messages[] = {
    BAD("confirmation", STAGE_OPENING, 91, ID, U32(1), U32(1), U32(1)),
    BAD("failure", STAGE_OPENING, 92, ID, U32(1), U32(1), 'x', U32(1), 'y'),
    BAD("adjust", STAGE_OPEN, 93, ID, U32(1)),
    BAD("data", STAGE_OPEN, 94, ID, U32(2), 'x', 'y'),
    BAD("extended data", STAGE_OPEN, 95, ID, U32(1), U32(2), 'x', 'y'),
    BAD("EOF", STAGE_OPEN, 96, ID),
    BAD("CLOSE", STAGE_OPEN, 97, ID),
    BAD("request", STAGE_OPEN, 98, ID, U32(2), 'x', 'y', 0),
    BAD("success", STAGE_OPEN, 99, ID),
    BAD("failure of a request", STAGE_OPEN, 100, ID),
};

static void test_each_message_cut_short_is_an_error(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good_messages); i++) {
		const struct bad_message *m = &good_messages[i];

		for (size_t n = 1; n <= m->n; n++) {
			struct watched w = {0};
			struct rig *rig = rig_at(m->stage, &w);
			int r = rig_feed_bytes(rig, SPAN(m->bytes, n));

			if (r != (n == m->n ? 0 : ERR_PEER))
				fail_msg("%s with %zu of %zu bytes: %d", m->what, n, m->n, r);
			watched_clear(&w);
			rig_free(rig);
		}
	}
}

static void test_a_window_of_more_than_2_to_the_32_is_an_error(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	rig_open_with(rig, &w, UINT32_MAX - 10, 1000);
	rig_feed(rig, "buu", SSH_MSG_CHANNEL_WINDOW_ADJUST, 0, 10);
	rig_feed_bad(rig, "buu", SSH_MSG_CHANNEL_WINDOW_ADJUST, 0, 1);
	rig_free(rig);
}

static void test_data_beyond_the_window_is_an_error(void **state)
{
	struct rig *rig =
	    rig_new_with((struct session_options){.window = 10, .maximum_packet = 100});
	struct watched w;

	(void)state;
	rig_open(rig, &w);
	w.take = 0;
	rig_feed(rig, "bus", SSH_MSG_CHANNEL_DATA, 0, "12345");
	rig_feed(rig, "buus", SSH_MSG_CHANNEL_EXTENDED_DATA, 0, 1, "12345");
	rig_feed_bad(rig, "bus", SSH_MSG_CHANNEL_DATA, 0, "1");
	watched_clear(&w);
	rig_free(rig);
}

static void test_data_beyond_the_maximum_packet_is_an_error(void **state)
{
	struct rig *rig = rig_new_with((struct session_options){.maximum_packet = 5});
	struct watched w;

	(void)state;
	rig_open(rig, &w);
	rig_feed(rig, "bus", SSH_MSG_CHANNEL_DATA, 0, "12345");
	rig_feed_bad(rig, "bus", SSH_MSG_CHANNEL_DATA, 0, "123456");
	watched_clear(&w);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nothing_is_sent_before_the_confirmation),
	    cmocka_unit_test(test_closed_before_its_open_was_sent_it_is_never_sent),
	    cmocka_unit_test(test_output_is_cut_by_its_length),
	    cmocka_unit_test(test_output_is_cut_by_the_packet),
	    cmocka_unit_test(test_output_is_cut_by_the_window),
	    cmocka_unit_test(test_a_huge_maximum_packet_is_not_used_up),
	    cmocka_unit_test(test_data_then_eof_then_close),
	    cmocka_unit_test(test_eof_needs_no_window),
	    cmocka_unit_test(test_eof_twice_and_close_twice_are_once),
	    cmocka_unit_test(test_after_our_eof_data_still_comes_in),
	    cmocka_unit_test(test_after_the_peers_eof_data_still_goes_out),
	    cmocka_unit_test(test_extended_data_goes_out_by_type),
	    cmocka_unit_test(test_full_says_when_to_stop_and_process_when_to_go_on),
	    cmocka_unit_test(test_it_leaves_the_table_only_when_both_sides_closed),
	    cmocka_unit_test(test_close_is_answered_at_once_and_unsent_output_is_dropped),
	    cmocka_unit_test(test_close_is_owed_while_nothing_can_be_sent),
	    cmocka_unit_test(test_after_our_close_what_still_comes_is_dropped),
	    cmocka_unit_test(test_giving_up_drops_the_output_and_tells_nothing),
	    cmocka_unit_test(test_it_can_be_given_up_in_its_data_callback),
	    cmocka_unit_test(test_the_session_can_be_freed_in_a_data_callback),
	    cmocka_unit_test(test_wait_returns_when_it_is_closed),
	    cmocka_unit_test(test_data_and_extended_data_come_apart),
	    cmocka_unit_test(test_setters_return_the_previous_one),
	    cmocka_unit_test(test_requests_are_answered_first_in_first_out_per_channel),
	    cmocka_unit_test(test_a_request_that_the_peer_does_not_know_has_failed),
	    cmocka_unit_test(test_requests_of_a_channel_that_closed_first_have_failed),
	    cmocka_unit_test(test_an_unknown_request_gets_failure_if_a_reply_is_wanted),
	    cmocka_unit_test(test_answers_to_requests_keep_their_order),
	    cmocka_unit_test(test_requests_without_end_whose_answers_are_not_taken_are_an_error),
	    cmocka_unit_test(test_requests_of_sessions_belong_to_session_channels_alone),
	    cmocka_unit_test(test_a_message_for_an_unknown_channel_is_tolerated),
	    cmocka_unit_test(test_an_answer_to_an_open_that_we_did_not_send_is_an_error),
	    cmocka_unit_test(test_what_the_state_does_not_allow_is_an_error),
	    cmocka_unit_test(test_each_message_cut_short_is_an_error),
	    cmocka_unit_test(test_a_window_of_more_than_2_to_the_32_is_an_error),
	    cmocka_unit_test(test_data_beyond_the_window_is_an_error),
	    cmocka_unit_test(test_data_beyond_the_maximum_packet_is_an_error),
	};

	return cmocka_run_group_tests_name("ssh/channel", tests, NULL, NULL);
}
