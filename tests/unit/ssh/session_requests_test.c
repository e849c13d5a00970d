#include "connection_rig.h"

/* ---- ours ---- */

struct replies {
	int count;
	enum session_reply reply[8];
	int id[8];
	struct rig *rig;
};

struct waiter {
	struct replies *replies;
	int id;
	uint32_t port;
};

static void on_reply(void *arg, enum session_reply reply, struct span data)
{
	struct waiter *w = arg;
	struct replies *r = w->replies;
	struct rd rd;

	rd_init(&rd, data);
	w->port = rd_u32(&rd);
	r->reply[r->count] = reply;
	r->id[r->count++] = w->id;
}

static void test_want_reply_only_when_there_is_a_callback(void **state)
{
	struct rig *rig = rig_new();
	struct replies r = {0};
	struct waiter w = {&r, 1, 0};

	(void)state;
	session_send_global_request(rig->session, "a", SPAN(NULL, 0), NULL, NULL);
	session_send_global_request(rig->session, "b", SPAN_LITERAL("extra"), on_reply, &w);
	rig_expect(rig, "bso", SSH_MSG_GLOBAL_REQUEST, "a", false);
	rig_expect(rig, "bsox", SSH_MSG_GLOBAL_REQUEST, "b", true, SPAN_LITERAL("extra"));
	rig_feed(rig, "bu", SSH_MSG_REQUEST_SUCCESS, 4711);
	assert_int_equal(r.count, 1);
	assert_int_equal(w.port, 4711);
	rig_free(rig);
}

/* The second wants no reply. */
static void ask_four(struct rig *rig, struct waiter *a, struct waiter *b, struct waiter *c)
{
	session_send_global_request(rig->session, "a", SPAN(NULL, 0), on_reply, a);
	session_send_global_request(rig->session, "none", SPAN(NULL, 0), NULL, NULL);
	session_send_global_request(rig->session, "b", SPAN(NULL, 0), on_reply, b);
	session_send_global_request(rig->session, "c", SPAN(NULL, 0), on_reply, c);
	rig_settle(rig);
}

static void test_replies_match_first_in_first_out(void **state)
{
	struct rig *rig = rig_new();
	struct replies r = {0};
	struct waiter a = {&r, 1, 0}, b = {&r, 2, 0}, c = {&r, 3, 0};

	(void)state;
	ask_four(rig, &a, &b, &c);
	rig_feed(rig, "b", SSH_MSG_REQUEST_FAILURE);
	rig_feed(rig, "b", SSH_MSG_REQUEST_SUCCESS);
	rig_feed(rig, "b", SSH_MSG_REQUEST_FAILURE);
	assert_int_equal(r.count, 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(r.id[i], i + 1);
	assert_int_equal(r.reply[0], SESSION_REPLY_FAILURE);
	assert_int_equal(r.reply[1], SESSION_REPLY_SUCCESS);
	assert_int_equal(r.reply[2], SESSION_REPLY_FAILURE);
	rig_free(rig);
}

static int warnings;

static void count_warnings(void *arg, enum log_level level, const char *line)
{
	(void)arg;
	(void)line;
	warnings += level == LOG_LEVEL_WARNING;
}

static void test_a_reply_that_nobody_waits_for_is_logged_once(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	warnings = 0;
	log_set_sink(count_warnings, NULL);
	rig_feed(rig, "b", SSH_MSG_REQUEST_SUCCESS);
	rig_feed(rig, "b", SSH_MSG_REQUEST_FAILURE);
	rig_feed(rig, "b", SSH_MSG_REQUEST_FAILURE);
	assert_int_equal(warnings, 1);
	assert_int_equal(rig->closed, 0);
	rig_free(rig);
}

static void test_messages_for_channels_that_are_not_there_do_not_fill_the_log(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	warnings = 0;
	log_set_sink(count_warnings, NULL);
	for (uint32_t id = 4242; id < 4252; id++) {
		rig_feed(rig, "bus", SSH_MSG_CHANNEL_DATA, id, "stray");
		rig_feed(rig, "buu", SSH_MSG_CHANNEL_WINDOW_ADJUST, id, 1);
		rig_feed(rig, "bu", SSH_MSG_CHANNEL_EOF, id);
		rig_feed(rig, "bu", SSH_MSG_CHANNEL_SUCCESS, id);
		rig_feed(rig, "bu", SSH_MSG_CHANNEL_FAILURE, id);
	}
	assert_int_equal(warnings, 1);
	assert_int_equal(rig->closed, 0);
	rig_free(rig);
}

static void test_a_reply_before_the_request_was_sent_is_nobodys(void **state)
{
	struct rig *rig = rig_new();
	struct replies r = {0};
	struct waiter w = {&r, 1, 0};

	(void)state;
	fake_transport_shut(rig->transport);
	session_send_global_request(rig->session, "a", SPAN(NULL, 0), on_reply, &w);
	rig_feed(rig, "b", SSH_MSG_REQUEST_SUCCESS);
	assert_int_equal(r.count, 0);
	rig_free(rig);
	assert_int_equal(r.count, 1);
}

static void test_a_failure_that_says_more_is_an_error(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	rig_feed_bad(rig, "bb", SSH_MSG_REQUEST_FAILURE, 0);
	rig_free(rig);
}

static void test_a_request_that_the_peer_does_not_know_is_refused(void **state)
{
	struct rig *rig = rig_new();
	struct replies r = {0};
	struct waiter a = {&r, 1, 0}, b = {&r, 2, 0}, c = {&r, 3, 0};

	(void)state;
	ask_four(rig, &a, &b, &c);
	/* Of packets that want no reply, and of none, it changes nothing. */
	session_unimplemented(rig->session, 1);
	session_unimplemented(rig->session, 4);
	assert_int_equal(r.count, 0);
	session_unimplemented(rig->session, 2);
	assert_int_equal(r.count, 1);
	assert_int_equal(r.id[0], 2);
	assert_int_equal(r.reply[0], SESSION_REPLY_FAILURE);
	/* And the replies that come are the others'. */
	rig_feed(rig, "b", SSH_MSG_REQUEST_SUCCESS);
	rig_feed(rig, "b", SSH_MSG_REQUEST_SUCCESS);
	assert_int_equal(r.count, 3);
	assert_int_equal(r.id[1], 1);
	assert_int_equal(r.id[2], 3);
	rig_free(rig);
}

static void test_requests_hear_that_the_session_ended(void **state)
{
	struct rig *rig = rig_new();
	struct replies r = {0};
	struct waiter a = {&r, 1, 0}, b = {&r, 2, 0}, c = {&r, 3, 0};
	struct err e = ERR_INIT;

	(void)state;
	session_send_global_request(rig->session, "a", SPAN(NULL, 0), on_reply, &a);
	rig_settle(rig);
	fake_transport_shut(rig->transport);
	session_send_global_request(rig->session, "b", SPAN(NULL, 0), on_reply, &b);
	err_set(&e, ERR_NETWORK, "lost");
	session_transport_closed(rig->session, &e);
	assert_int_equal(r.count, 2);
	assert_int_equal(r.reply[0], SESSION_REPLY_LOST);
	assert_int_equal(r.reply[1], SESSION_REPLY_LOST);
	/* And afterwards: from the loop. */
	session_send_global_request(rig->session, "c", SPAN(NULL, 0), on_reply, &c);
	assert_int_equal(r.count, 2);
	rig_settle(rig);
	assert_int_equal(r.count, 3);
	rig_free(rig);
}

static void free_in_reply(void *arg, enum session_reply reply, struct span data)
{
	struct replies *r = arg;

	(void)reply;
	(void)data;
	r->count++;
	session_free(r->rig->session);
}

static void test_a_session_can_be_freed_in_a_reply(void **state)
{
	struct rig *rig = rig_new();
	struct replies r = {.rig = rig};

	(void)state;
	session_send_global_request(rig->session, "a", SPAN(NULL, 0), free_in_reply, &r);
	session_send_global_request(rig->session, "b", SPAN(NULL, 0), free_in_reply, &r);
	rig_settle(rig);
	rig_feed(rig, "b", SSH_MSG_REQUEST_SUCCESS);
	assert_int_equal(r.count, 2);
	rig_settle(rig);
	fake_transport_free(rig->transport);
	loop_free(rig->loop);
	clock_fake_stop();
	free(rig);
}

/* ---- the peer's ---- */

struct handler {
	enum session_answer answer;
	const char *reply;
	int calls;
	bool want_reply;
	char extra[16];
	struct session_request_ticket *tickets[8];
};

static enum session_answer on_request(void *arg, struct session *s, struct span extra,
    bool want_reply, struct wr *reply, struct session_request_ticket *ticket)
{
	struct handler *h = arg;

	(void)s;
	h->tickets[h->calls % 8] = ticket;
	h->calls++;
	h->want_reply = want_reply;
	snprintf(h->extra, sizeof(h->extra), "%.*s", (int)extra.n, (const char *)extra.p);
	if (h->reply)
		wr_cstring(reply, h->reply);
	return h->answer;
}

static struct session_request_registration registration(struct handler *h)
{
	return (struct session_request_registration){.handler = on_request, .arg = h};
}

static void test_an_unknown_request_gets_failure_if_a_reply_is_wanted(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	rig_feed(rig, "bso", SSH_MSG_GLOBAL_REQUEST, "what", false);
	rig_expect_nothing(rig);
	rig_feed(rig, "bso", SSH_MSG_GLOBAL_REQUEST, "what", true);
	rig_expect(rig, "b", SSH_MSG_REQUEST_FAILURE);
	rig_free(rig);
}

static void test_a_name_that_is_no_text_is_unknown(void **state)
{
	struct rig *rig = rig_new();
	struct handler h = {.answer = SESSION_ANSWER_SUCCESS};

	(void)state;
	session_on_global_request(rig->session, "what", registration(&h));
	rig_feed(rig, "bSo", SSH_MSG_GLOBAL_REQUEST, SPAN("what\0", 5), true);
	rig_expect(rig, "b", SSH_MSG_REQUEST_FAILURE);
	rig_feed(rig, "bSo", SSH_MSG_GLOBAL_REQUEST, SPAN(NULL, 0), true);
	rig_expect(rig, "b", SSH_MSG_REQUEST_FAILURE);
	assert_int_equal(h.calls, 0);
	rig_free(rig);
}

static void test_a_handler_says_success_with_data(void **state)
{
	struct rig *rig = rig_new();
	struct handler h = {.answer = SESSION_ANSWER_SUCCESS, .reply = "data"};

	(void)state;
	session_on_global_request(rig->session, "what", registration(&h));
	rig_feed(rig, "bsox", SSH_MSG_GLOBAL_REQUEST, "what", true, SPAN_LITERAL("extra"));
	rig_expect(rig, "bs", SSH_MSG_REQUEST_SUCCESS, "data");
	assert_true(h.want_reply);
	assert_string_equal(h.extra, "extra");
	rig_free(rig);
}

static void test_a_handler_says_failure(void **state)
{
	struct rig *rig = rig_new();
	struct handler h = {.answer = SESSION_ANSWER_FAILURE, .reply = "data"};

	(void)state;
	session_on_global_request(rig->session, "what", registration(&h));
	rig_feed(rig, "bso", SSH_MSG_GLOBAL_REQUEST, "what", true);
	rig_expect(rig, "b", SSH_MSG_REQUEST_FAILURE);
	rig_free(rig);
}

static void test_without_want_reply_nothing_is_answered(void **state)
{
	static const enum session_answer answers[] = {
	    SESSION_ANSWER_SUCCESS, SESSION_ANSWER_FAILURE, SESSION_ANSWER_SENT};
	struct rig *rig = rig_new();
	struct handler h = {.reply = "data"};

	(void)state;
	session_on_global_request(rig->session, "what", registration(&h));
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		h.answer = answers[i];
		rig_feed(rig, "bso", SSH_MSG_GLOBAL_REQUEST, "what", false);
		assert_false(h.want_reply);
	}
	session_answer_later(h.tickets[2], SESSION_ANSWER_SUCCESS, SPAN(NULL, 0));
	rig_expect_nothing(rig);
	rig_free(rig);
}

static void test_a_slow_handler_keeps_the_order(void **state)
{
	struct rig *rig = rig_new();
	struct handler slow = {.answer = SESSION_ANSWER_SENT};
	struct handler fast = {.answer = SESSION_ANSWER_SUCCESS, .reply = "fast"};

	(void)state;
	session_on_global_request(rig->session, "slow", registration(&slow));
	session_on_global_request(rig->session, "fast", registration(&fast));
	rig_feed(rig, "bso", SSH_MSG_GLOBAL_REQUEST, "slow", true);
	rig_feed(rig, "bso", SSH_MSG_GLOBAL_REQUEST, "slow", true);
	rig_feed(rig, "bso", SSH_MSG_GLOBAL_REQUEST, "fast", true);
	rig_feed(rig, "bso", SSH_MSG_GLOBAL_REQUEST, "unknown", true);
	rig_expect_nothing(rig);
	session_answer_later(slow.tickets[1], SESSION_ANSWER_FAILURE, SPAN(NULL, 0));
	rig_expect_nothing(rig);
	session_answer_later(slow.tickets[0], SESSION_ANSWER_SUCCESS, SPAN_LITERAL("slow"));
	rig_expect(rig, "bx", SSH_MSG_REQUEST_SUCCESS, SPAN_LITERAL("slow"));
	rig_expect(rig, "b", SSH_MSG_REQUEST_FAILURE);
	rig_expect(rig, "bs", SSH_MSG_REQUEST_SUCCESS, "fast");
	rig_expect(rig, "b", SSH_MSG_REQUEST_FAILURE);
	rig_expect_nothing(rig);
	rig_free(rig);
}

static void test_tickets_that_are_never_answered_go_with_the_session(void **state)
{
	struct rig *rig = rig_new();
	struct handler slow = {.answer = SESSION_ANSWER_SENT};

	(void)state;
	session_on_global_request(rig->session, "slow", registration(&slow));
	rig_feed(rig, "bso", SSH_MSG_GLOBAL_REQUEST, "slow", true);
	rig_feed(rig, "bso", SSH_MSG_GLOBAL_REQUEST, "slow", false);
	rig_free(rig);
}

static void test_handlers_of_requests_and_their_old_values(void **state)
{
	struct rig *rig = rig_new();
	struct handler a = {0}, b = {0};
	struct session_request_registration none = {0};

	(void)state;
	assert_null(session_on_global_request(rig->session, "r", registration(&a)).handler);
	assert_ptr_equal(session_on_global_request(rig->session, "r", registration(&b)).arg, &a);
	assert_ptr_equal(session_on_global_request(rig->session, "r", none).arg, &b);
	assert_null(session_on_global_request(rig->session, "r", none).handler);
	rig_free(rig);
}

static void test_requests_without_end_whose_answers_are_not_taken_are_an_error(void **state)
{
	struct rig *rig = rig_new();
	int r = 0, n = 0;

	(void)state;
	fake_transport_shut(rig->transport);
	while (r == 0 && n++ < 100000)
		r = rig_try(rig, "bso", SSH_MSG_GLOBAL_REQUEST, "keepalive@openssh.com", true);
	assert_int_equal(r, ERR_PEER);
	assert_true(n > 1000);
	rig_free(rig);
}

static void test_answers_that_are_taken_count_no_more(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	for (int i = 0; i < 10000; i++) {
		rig_feed(rig, "bso", SSH_MSG_GLOBAL_REQUEST, "keepalive@openssh.com", true);
		loop_pass(rig->loop, LOOP_NO_WAIT);
	}
	rig_settle(rig);
	assert_int_equal(fake_transport_sent_count(rig->transport), 10000);
	rig_free(rig);
}

static void test_a_request_that_is_cut_short(void **state)
{
	(void)state;
	for (size_t n = 1; n < 1 + 4 + 4 + 1; n++) {
		struct rig *rig = rig_new();
		struct wr w = WR_INIT;

		wr_u8(&w, SSH_MSG_GLOBAL_REQUEST);
		wr_cstring(&w, "what");
		wr_bool(&w, true);
		assert_int_equal(rig_feed_bytes(rig, SPAN(w.p, n)), ERR_PEER);
		wr_clear(&w);
		rig_free(rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_want_reply_only_when_there_is_a_callback),
	    cmocka_unit_test(test_replies_match_first_in_first_out),
	    cmocka_unit_test(test_a_reply_that_nobody_waits_for_is_logged_once),
	    cmocka_unit_test(test_messages_for_channels_that_are_not_there_do_not_fill_the_log),
	    cmocka_unit_test(test_a_reply_before_the_request_was_sent_is_nobodys),
	    cmocka_unit_test(test_a_failure_that_says_more_is_an_error),
	    cmocka_unit_test(test_a_request_that_the_peer_does_not_know_is_refused),
	    cmocka_unit_test(test_requests_hear_that_the_session_ended),
	    cmocka_unit_test(test_a_session_can_be_freed_in_a_reply),
	    cmocka_unit_test(test_an_unknown_request_gets_failure_if_a_reply_is_wanted),
	    cmocka_unit_test(test_a_name_that_is_no_text_is_unknown),
	    cmocka_unit_test(test_a_handler_says_success_with_data),
	    cmocka_unit_test(test_a_handler_says_failure),
	    cmocka_unit_test(test_without_want_reply_nothing_is_answered),
	    cmocka_unit_test(test_a_slow_handler_keeps_the_order),
	    cmocka_unit_test(test_tickets_that_are_never_answered_go_with_the_session),
	    cmocka_unit_test(test_handlers_of_requests_and_their_old_values),
	    cmocka_unit_test(test_requests_without_end_whose_answers_are_not_taken_are_an_error),
	    cmocka_unit_test(test_answers_that_are_taken_count_no_more),
	    cmocka_unit_test(test_a_request_that_is_cut_short),
	};

	return cmocka_run_group_tests_name("ssh/session_requests", tests, NULL, NULL);
}
