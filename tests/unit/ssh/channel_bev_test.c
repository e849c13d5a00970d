#include "connection_rig.h"

#include "tests/unit/net/bev_rules.h"
#include "net/bev.h"
#include "net/relay.h"

/* ---- two sessions in one process, joined by their transports ---- */

struct two {
	struct loop *loop;
	struct transport *transports[2];
	struct session *sessions[2];
	struct bufferevent *accepted;
};

static void on_inbound(void *arg, struct session *s, struct channel *c, struct span extra)
{
	struct two *two = arg;

	(void)s;
	(void)extra;
	two->accepted = channel_bev(c);
	channel_accept(c, NULL, NULL);
}

static struct two *two_new(struct loop *loop, const struct session_options *options)
{
	struct two *two = NEW(struct two);

	log_set_sink(rig_silence, NULL);
	two->loop = loop;
	for (int i = 0; i < 2; i++) {
		two->transports[i] = fake_transport_new(loop);
		two->sessions[i] = session_new(loop, two->transports[i], options);
		fake_transport_set_session(two->transports[i], two->sessions[i]);
	}
	fake_transport_join(two->transports[0], two->transports[1]);
	session_on_open_channel(two->sessions[1], "test",
	    (struct session_open_registration){.handler = on_inbound, .arg = two});
	return two;
}

/* Gives the two ends of a new channel. */
static void two_open(struct two *two, struct bufferevent *ret_ends[2])
{
	struct channel *c =
	    session_open_channel(two->sessions[0], "test", SPAN(NULL, 0), NULL, NULL, NULL);

	ret_ends[0] = channel_bev(c);
	two->accepted = NULL;
	BEV_RULES_UNTIL(two->loop, two->accepted);
	ret_ends[1] = two->accepted;
	bev_rules_settle(two->loop);
}

static void two_free(struct two *two)
{
	for (int i = 0; i < 2; i++) {
		assert_false(session_closed(two->sessions[i], NULL));
		assert_int_equal(session_channel_count(two->sessions[i]), 0);
		session_free(two->sessions[i]);
	}
	bev_rules_settle(two->loop);
	for (int i = 0; i < 2; i++)
		fake_transport_free(two->transports[i]);
	free(two);
}

static void make_channel(
    struct bev_rules_factory *factory, struct loop *loop, struct bufferevent *ret_ends[2])
{
	struct two *two =
	    two_new(loop, &(struct session_options){.window = (uint32_t)factory->path_bytes});

	factory->arg = two;
	two_open(two, ret_ends);
}

static void clean_channel(struct bev_rules_factory *factory)
{
	two_free(factory->arg);
}

/* ---- what the rules leave to the kind ---- */

static void test_refusal_is_an_error_that_says_why(void **state)
{
	static const struct {
		uint32_t code;
		int error;
	} cases[] = {
	    {OPEN_ADMINISTRATIVELY_PROHIBITED, EACCES},
	    {OPEN_CONNECT_FAILED, ECONNREFUSED},
	    {OPEN_UNKNOWN_CHANNEL_TYPE, EPROTONOSUPPORT},
	    {OPEN_RESOURCE_SHORTAGE, ENOBUFS},
	    {4711, EPROTONOSUPPORT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct rig *rig = rig_new();
		struct bev_rules_end end = {0};
		struct channel *c =
		    session_open_channel(rig->session, "test", SPAN(NULL, 0), NULL, NULL, NULL);

		bev_rules_end_init(&end, channel_bev(c));
		(void)rig_sent(rig);
		rig_feed(rig, "buuss", SSH_MSG_CHANNEL_OPEN_FAILURE, 0, cases[i].code, "no", "");
		rig_settle(rig);
		assert_int_equal(end.errors, 1);
		assert_int_equal(bev_error(end.bev), cases[i].error);
		assert_int_equal(session_channel_count(rig->session), 0);
		bev_rules_free_end(&end);
		evbuffer_free(end.got);
		rig_free(rig);
	}
}

static void test_what_was_written_before_the_confirmation_is_sent_after_it(void **state)
{
	struct rig *rig = rig_new();
	struct channel *c =
	    session_open_channel(rig->session, "test", SPAN(NULL, 0), NULL, NULL, NULL);
	struct bufferevent *bev = channel_bev(c);

	(void)state;
	evbuffer_add(bufferevent_get_output(bev), "early", 5);
	assert_ptr_equal(channel_bev(c), bev);
	rig_expect(rig, "bsuuu", SSH_MSG_CHANNEL_OPEN, "test", 0, RIG_WINDOW, RIG_PACKET);
	rig_expect_nothing(rig);
	rig_feed(rig, "buuuu", SSH_MSG_CHANNEL_OPEN_CONFIRMATION, 0, 7, 1000, 1000);
	rig_expect(rig, "bus", SSH_MSG_CHANNEL_DATA, 7, "early");
	bev_free(bev);
	rig_free(rig);
}

struct opened_bev {
	struct rig *rig;
	struct bev_rules_end end;
	struct watched watched;
};

/* Ours is 0, the peer's 100. */
static struct opened_bev *opened_bev_new(void)
{
	struct opened_bev *o = NEW(struct opened_bev);

	o->rig = rig_new();
	rig_open(o->rig, &o->watched);
	(void)channel_set_callbacks(o->watched.channel, NULL, NULL);
	bev_rules_end_init(&o->end, channel_bev(o->watched.channel));
	return o;
}

static void opened_bev_free(struct opened_bev *o)
{
	bev_rules_free_end(&o->end);
	evbuffer_free(o->end.got);
	rig_free(o->rig);
	free(o);
}

/* It is in its connection's output, or in the kernel. */
static void test_what_its_connection_has_not_delivered_is_undelivered(void **state)
{
	struct opened_bev *o = opened_bev_new();
	struct transport *t = o->rig->transport;
	struct watched other;

	(void)state;
	rig_open(o->rig, &other);
	fake_transport_set_delivered(t, fake_transport_bytes_sent(t));
	assert_int_equal(bev_undelivered(o->end.bev), 0);
	fake_transport_shut(t);
	evbuffer_add(bufferevent_get_output(o->end.bev), "0123456789", 10);
	rig_settle(o->rig);
	assert_int_equal(bev_undelivered(o->end.bev), 10);
	fake_transport_open(t);
	rig_settle(o->rig);
	assert_int_equal(bev_undelivered(o->end.bev), 10 + 9); /* a message on the wire */
	uint64_t all = fake_transport_bytes_sent(t);
	/* What others send afterwards is theirs. */
	channel_send(other.channel, SPAN_LITERAL("more"));
	rig_settle(o->rig);
	fake_transport_set_delivered(t, all - 5);
	assert_int_equal(bev_undelivered(o->end.bev), 5);
	fake_transport_set_delivered(t, all + 1);
	assert_int_equal(bev_undelivered(o->end.bev), 0);
	opened_bev_free(o);
}

static void test_it_is_held_while_its_connection_or_one_below_exchanges_keys(void **state)
{
	struct opened_bev *o = opened_bev_new();
	struct transport *t = o->rig->transport;

	(void)state;
	assert_int_equal(bev_held_until_ms(o->end.bev), 0);
	fake_transport_begin_rekey(t);
	loop_fake_advance(o->rig->loop, 100);
	assert_int_equal(bev_held_until_ms(o->end.bev), clock_now_ms());
	fake_transport_open(t);
	loop_fake_advance(o->rig->loop, 10);
	assert_int_equal(bev_held_until_ms(o->end.bev), clock_now_ms() - 10);
	fake_transport_hold(t);
	loop_fake_advance(o->rig->loop, 100);
	assert_int_equal(bev_held_until_ms(o->end.bev), clock_now_ms());
	session_free(o->rig->session);
	assert_int_equal(bev_held_until_ms(o->end.bev), 0);
	o->rig->session = NULL;
	opened_bev_free(o);
}

static void test_freeing_sends_eof_and_close(void **state)
{
	struct opened_bev *o = opened_bev_new();

	(void)state;
	bev_rules_free_end(&o->end);
	rig_expect(o->rig, "bu", SSH_MSG_CHANNEL_EOF, 100);
	rig_expect(o->rig, "bu", SSH_MSG_CHANNEL_CLOSE, 100);
	rig_feed(o->rig, "bu", SSH_MSG_CHANNEL_CLOSE, 0);
	assert_int_equal(session_channel_count(o->rig->session), 0);
	rig_expect_nothing(o->rig);
	opened_bev_free(o);
}

static void test_freeing_with_unsent_output_sends_no_eof(void **state)
{
	struct opened_bev *o = opened_bev_new();

	(void)state;
	evbuffer_add(bufferevent_get_output(o->end.bev), "lost", 4);
	bev_rules_free_end(&o->end);
	rig_expect(o->rig, "bu", SSH_MSG_CHANNEL_CLOSE, 100);
	rig_expect_nothing(o->rig);
	opened_bev_free(o);
}

static void test_reset_sends_close_without_eof(void **state)
{
	struct opened_bev *o = opened_bev_new();

	(void)state;
	bev_reset(o->end.bev);
	o->end.bev = NULL;
	rig_expect(o->rig, "bu", SSH_MSG_CHANNEL_CLOSE, 100);
	rig_expect_nothing(o->rig);
	opened_bev_free(o);
}

static void test_freeing_before_the_confirmation_closes_after_it(void **state)
{
	struct rig *rig = rig_new();
	struct channel *c =
	    session_open_channel(rig->session, "test", SPAN(NULL, 0), NULL, NULL, NULL);

	(void)state;
	(void)channel_bev(c);
	(void)rig_sent(rig);
	bev_free(channel_bev(c));
	rig_expect_nothing(rig);
	rig_feed(rig, "buuuu", SSH_MSG_CHANNEL_OPEN_CONFIRMATION, 0, 7, 1000, 1000);
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_EOF, 7);
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 7);
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 0);
	assert_int_equal(session_channel_count(rig->session), 0);
	rig_free(rig);
}

static void test_freeing_before_the_open_went_out_sends_nothing(void **state)
{
	struct rig *rig = rig_new();
	struct channel *c =
	    session_open_channel(rig->session, "test", SPAN(NULL, 0), NULL, NULL, NULL);

	(void)state;
	bev_free(channel_bev(c));
	rig_expect_nothing(rig);
	assert_int_equal(session_channel_count(rig->session), 0);
	rig_free(rig);
}

static void test_data_for_a_freed_one_is_dropped_and_credited_until_close(void **state)
{
	struct opened_bev *o = opened_bev_new();
	uint8_t *bytes = mem_alloc(RIG_PACKET);

	(void)state;
	/* The gate is shut, so our CLOSE is only owed. */
	fake_transport_shut(o->rig->transport);
	bev_rules_free_end(&o->end);
	for (int i = 0; i < 8; i++)
		rig_feed(o->rig, "buS", SSH_MSG_CHANNEL_DATA, 0, SPAN(bytes, RIG_PACKET));
	fake_transport_open(o->rig->transport);
	rig_expect(o->rig, "buu", SSH_MSG_CHANNEL_WINDOW_ADJUST, 100, 8 * RIG_PACKET);
	rig_expect(o->rig, "bu", SSH_MSG_CHANNEL_EOF, 100);
	rig_expect(o->rig, "bu", SSH_MSG_CHANNEL_CLOSE, 100);
	/* It may still come afterwards; but after CLOSE there are no adjusts. */
	for (int i = 0; i < 8; i++)
		rig_feed(o->rig, "buS", SSH_MSG_CHANNEL_DATA, 0, SPAN(bytes, RIG_PACKET));
	rig_expect_nothing(o->rig);
	free(bytes);
	opened_bev_free(o);
}

static void test_close_without_eof_is_the_end_of_the_data(void **state)
{
	struct opened_bev *o = opened_bev_new();

	(void)state;
	rig_feed(o->rig, "bus", SSH_MSG_CHANNEL_DATA, 0, "all");
	rig_feed(o->rig, "bu", SSH_MSG_CHANNEL_CLOSE, 0);
	rig_expect(o->rig, "bu", SSH_MSG_CHANNEL_CLOSE, 100);
	assert_int_equal(o->end.eofs, 1);
	assert_int_equal(o->end.bytes_at_eof, 3);
	assert_int_equal(o->end.errors, 0);
	assert_int_equal(session_channel_count(o->rig->session), 0);
	opened_bev_free(o);
}

static void test_writing_after_close_is_epipe(void **state)
{
	struct opened_bev *o = opened_bev_new();

	(void)state;
	rig_feed(o->rig, "bu", SSH_MSG_CHANNEL_CLOSE, 0);
	rig_expect(o->rig, "bu", SSH_MSG_CHANNEL_CLOSE, 100);
	assert_int_equal(o->end.errors, 0);
	bev_rules_write(&o->end, 0, 10);
	rig_settle(o->rig);
	assert_int_equal(o->end.errors, 1);
	assert_int_equal(bev_error(o->end.bev), EPIPE);
	assert_int_equal(bev_rules_output_length(&o->end), 0);
	rig_expect_nothing(o->rig);
	opened_bev_free(o);
}

static void test_output_that_close_made_vain_is_epipe_after_the_last_byte(void **state)
{
	struct opened_bev *o = opened_bev_new();
	uint8_t *bytes = mem_alloc(RIG_PACKET);

	(void)state;
	o->end.reading = BEV_RULES_LEAVE;
	fake_transport_shut(o->rig->transport);
	bev_rules_write(&o->end, 0, 1000);
	for (int i = 0; i < 9; i++) /* more than the high mark */
		rig_feed(o->rig, "buS", SSH_MSG_CHANNEL_DATA, 0, SPAN(bytes, RIG_PACKET));
	rig_feed(o->rig, "bu", SSH_MSG_CHANNEL_CLOSE, 0);
	fake_transport_open(o->rig->transport);
	rig_expect(o->rig, "bu", SSH_MSG_CHANNEL_CLOSE, 100);
	assert_int_equal(session_channel_count(o->rig->session), 0);
	assert_int_equal(o->end.eofs + o->end.errors, 0);
	bev_rules_take(&o->end);
	rig_settle(o->rig);
	bev_rules_take(&o->end);
	rig_settle(o->rig);
	assert_int_equal(evbuffer_get_length(o->end.got), 9 * RIG_PACKET);
	assert_int_equal(o->end.eofs, 1);
	assert_int_equal(o->end.errors, 1);
	assert_int_equal(bev_error(o->end.bev), EPIPE);
	free(bytes);
	opened_bev_free(o);
}

static void test_the_end_of_the_session_is_an_error_and_nothing_is_lost(void **state)
{
	struct opened_bev *o = opened_bev_new();
	uint8_t *bytes = mem_alloc(RIG_PACKET);
	struct err e = ERR_INIT;

	(void)state;
	o->end.reading = BEV_RULES_LEAVE;
	for (int i = 0; i < 9; i++)
		rig_feed(o->rig, "buS", SSH_MSG_CHANNEL_DATA, 0, SPAN(bytes, RIG_PACKET));
	err_set(&e, ERR_NETWORK, "lost");
	session_transport_closed(o->rig->session, &e);
	rig_settle(o->rig);
	assert_int_equal(o->end.errors, 1);
	assert_int_equal(bev_error(o->end.bev), ECONNABORTED);
	assert_int_equal(bev_rules_input_length(&o->end), 9 * RIG_PACKET);
	free(bytes);
	opened_bev_free(o);
}

/* A slow reader was still at it. */
static void test_what_had_come_to_its_end_before_the_session_was_lost_ends_so(void **state)
{
	struct opened_bev *o = opened_bev_new();
	uint8_t *bytes = mem_alloc(RIG_PACKET);
	struct err e = ERR_INIT;

	(void)state;
	o->end.reading = BEV_RULES_LEAVE;
	for (int i = 0; i < 9; i++)
		rig_feed(o->rig, "buS", SSH_MSG_CHANNEL_DATA, 0, SPAN(bytes, RIG_PACKET));
	rig_feed(o->rig, "bu", SSH_MSG_CHANNEL_EOF, 0);
	rig_settle(o->rig);
	assert_int_equal(o->end.eofs, 0);
	err_set(&e, ERR_NETWORK, "lost");
	session_transport_closed(o->rig->session, &e);
	rig_settle(o->rig);
	assert_int_equal(bev_rules_input_length(&o->end), 9 * RIG_PACKET);
	assert_int_equal(o->end.eofs, 1);
	assert_int_equal(o->end.errors, 1);
	free(bytes);
	opened_bev_free(o);
}

static struct channel *asked_for;

static void on_asked_for(void *arg, struct session *s, struct channel *c, struct span extra)
{
	(void)arg;
	(void)s;
	(void)extra;
	asked_for = c;
}

/* As where the target of a forwarded channel is connected a moment too late. */
static void test_what_is_accepted_after_session_close_fails(void **state)
{
	struct rig *rig = rig_new();
	struct bev_rules_end end = {0};

	(void)state;
	session_on_open_channel(
	    rig->session, "x", (struct session_open_registration){.handler = on_asked_for});
	rig_feed(rig, "bsuuu", SSH_MSG_CHANNEL_OPEN, "x", 7, 1000000, RIG_PACKET);
	rig_settle(rig);
	session_close(rig->session, 5000);
	channel_accept(asked_for, NULL, NULL);
	bev_rules_end_init(&end, channel_bev(asked_for));
	rig_settle(rig);
	assert_int_equal(end.errors, 1);
	bev_rules_free_end(&end);
	evbuffer_free(end.got);
	rig_free(rig);
}

static void test_a_bufferevent_outlives_its_session(void **state)
{
	struct opened_bev *o = opened_bev_new();

	(void)state;
	session_free(o->rig->session);
	rig_settle(o->rig);
	assert_int_equal(o->end.errors, 1);
	bev_rules_write(&o->end, 0, 10);
	BEV_RULES_CALL(bev_flush(o->end.bev));
	BEV_RULES_CALL(bev_finish(o->end.bev));
	bev_rules_free_end(&o->end);
	evbuffer_free(o->end.got);
	rig_settle(o->rig);
	fake_transport_free(o->rig->transport);
	loop_free(o->rig->loop);
	clock_fake_stop();
	free(o->rig);
	free(o);
}

static void test_after_freeing_no_callback_of_the_channel_comes(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	rig_open(rig, &w);
	bev_free(channel_bev(w.channel));
	rig_settle(rig);
	rig_feed(rig, "buso", SSH_MSG_CHANNEL_REQUEST, 0, "what", 1);
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_EOF, 0);
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 0);
	assert_int_equal(session_channel_count(rig->session), 0);
	assert_int_equal(w.closed + w.eofs + w.requests, 0);
	rig_free(rig);
}

static void test_data_that_came_before_anybody_asked_is_there(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;
	struct bev_rules_end end = {0};

	(void)state;
	rig_open(rig, &w);
	(void)channel_set_callbacks(w.channel, NULL, NULL);
	rig_feed(rig, "bus", SSH_MSG_CHANNEL_DATA, 0, "hello");
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_EOF, 0);
	bev_rules_end_init(&end, channel_bev(w.channel));
	rig_settle(rig);
	assert_int_equal(evbuffer_get_length(end.got), 5);
	assert_int_equal(end.eofs, 1);
	bev_rules_free_end(&end);
	evbuffer_free(end.got);
	rig_free(rig);
}

static void test_what_was_left_to_send_when_somebody_asked_is_sent(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	rig_open_with(rig, &w, 5, RIG_PACKET);
	channel_send(w.channel, span_of("first, second"));
	rig_expect(rig, "bus", SSH_MSG_CHANNEL_DATA, 100, "first");
	struct bufferevent *bev = channel_bev(w.channel);
	assert_int_equal(evbuffer_get_length(bufferevent_get_output(bev)), 8);
	rig_feed(rig, "buu", SSH_MSG_CHANNEL_WINDOW_ADJUST, 0, 100);
	rig_expect(rig, "bus", SSH_MSG_CHANNEL_DATA, 100, ", second");
	bev_free(bev);
	rig_free(rig);
}

static void test_a_transport_in_a_channel_gets_its_last_words_out(void **state)
{
	struct opened_bev *o = opened_bev_new();

	(void)state;
	/* What transport_disconnect() does on a jump host. */
	evbuffer_add(bufferevent_get_output(o->end.bev), "disconnect", 10);
	BEV_RULES_CALL(bev_flush(o->end.bev));
	bev_rules_free_end(&o->end);
	rig_expect(o->rig, "bus", SSH_MSG_CHANNEL_DATA, 100, "disconnect");
	rig_expect(o->rig, "bu", SSH_MSG_CHANNEL_EOF, 100);
	rig_expect(o->rig, "bu", SSH_MSG_CHANNEL_CLOSE, 100);
	opened_bev_free(o);
}

/* CLOSE goes without an EOF, and the session ends with the answer. */
static void assert_closes(struct opened_bev *o)
{
	fake_transport_open(o->rig->transport);
	rig_expect(o->rig, "bu", SSH_MSG_CHANNEL_CLOSE, 100);
	rig_feed(o->rig, "bu", SSH_MSG_CHANNEL_CLOSE, 0);
	rig_settle(o->rig);
	assert_int_equal(o->rig->closed, 1);
}

static void test_what_is_written_after_session_close_does_not_hold_it_up(void **state)
{
	struct opened_bev *o = opened_bev_new();

	(void)state;
	fake_transport_shut(o->rig->transport);
	session_close(o->rig->session, 5000);
	bev_rules_write(&o->end, 0, 10); /* by a user who does not know */
	assert_closes(o);
	assert_int_equal(o->end.errors, 1);
	opened_bev_free(o);
}

/* What came is delivered, but it is not the whole; nor is what was to go. */
static void test_session_close_is_a_reset_for_both_ends(void **state)
{
	struct opened_bev *o = opened_bev_new();

	(void)state;
	fake_transport_shut(o->rig->transport);
	bev_rules_write(&o->end, 0, 10);
	BEV_RULES_CALL(
	    bev_finish(o->end.bev)); /* after which an EOF would follow what is dropped */
	rig_feed(o->rig, "bus", SSH_MSG_CHANNEL_DATA, 0, "half");
	session_close(o->rig->session, 5000);
	assert_closes(o);
	assert_int_equal(evbuffer_get_length(o->end.got), 4);
	assert_int_equal(o->end.eofs, 0);
	assert_int_equal(o->end.errors, 1);
	assert_int_equal(bev_error(o->end.bev), ECONNABORTED);
	opened_bev_free(o);
}

/* Of what was dropped the peer hears no end, though the user, who has read to the end, finishes and leaves. */
static void test_no_eof_follows_what_session_close_dropped(void **state)
{
	struct opened_bev *o = opened_bev_new();

	(void)state;
	fake_transport_shut(o->rig->transport);
	bev_rules_write(&o->end, 0, 10);
	rig_feed(o->rig, "bu", SSH_MSG_CHANNEL_EOF, 0);
	rig_settle(o->rig);
	session_close(o->rig->session, 5000);
	bev_finish(o->end.bev);
	bev_rules_free_end(&o->end);
	assert_closes(o);
	opened_bev_free(o);
}

/* Not EPIPE, as where the peer had closed it. */
static void test_the_end_of_the_session_is_named_where_eof_had_come_and_output_waits(void **state)
{
	struct opened_bev *o = opened_bev_new();
	struct err e = ERR_INIT;

	(void)state;
	fake_transport_shut(o->rig->transport);
	bev_rules_write(&o->end, 0, 10);
	rig_feed(o->rig, "bu", SSH_MSG_CHANNEL_EOF, 0);
	err_set(&e, ERR_NETWORK, "lost");
	session_transport_closed(o->rig->session, &e);
	rig_settle(o->rig);
	assert_int_equal(o->end.eofs, 1);
	assert_int_equal(bev_error(o->end.bev), ECONNABORTED);
	opened_bev_free(o);
}

static void on_relay_end(void *arg, enum relay_end end, int error)
{
	enum relay_end *ended = arg;

	(void)error;
	*ended = end;
}

/* A server of Go's x/crypto/ssh: data and CLOSE in one go, no EOF. The client must get all of it. */
static void test_a_relay_delivers_what_came_before_a_close_without_eof(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;
	struct bufferevent *pair[2];
	enum relay_end ended = RELAY_END_IDLE;
	struct relay_options options = {.on_end = on_relay_end, .arg = &ended};
	struct bev_rules_end client = {0};

	(void)state;
	rig_open(rig, &w);
	(void)channel_set_callbacks(w.channel, NULL, NULL);
	bev_pair_new(rig->loop, pair);
	bev_rules_end_init(&client, pair[0]);
	relay_new(rig->loop, pair[1], channel_bev(w.channel), &options);
	rig_settle(rig);
	rig_feed(rig, "bus", SSH_MSG_CHANNEL_DATA, 0, "an answer");
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 0);
	rig_settle(rig);
	assert_int_equal(evbuffer_get_length(client.got), 9);
	assert_int_equal(client.eofs, 1);
	assert_int_equal(client.errors, 0);
	bev_finish(client.bev);
	rig_settle(rig);
	assert_int_equal(ended, RELAY_END_FINISHED);
	bev_rules_free_end(&client);
	evbuffer_free(client.got);
	rig_free(rig);
}

int main(void)
{
	/* The small window holds less than an input; through the large one comes more than fits. */
	static struct bev_rules_factory small = {.make = make_channel,
	    .clean = clean_channel,
	    .reset = BEV_RULES_RESET_IS_AN_END,
	    .path_bytes = 300000};
	static struct bev_rules_factory large = {.make = make_channel,
	    .clean = clean_channel,
	    .reset = BEV_RULES_RESET_IS_AN_END,
	    .path_bytes = 2 * 1024 * 1024};
	const struct CMUnitTest tests[] = {
	    BEV_RULES_TESTS(&small),
	    BEV_RULES_TESTS(&large),
	    cmocka_unit_test(test_refusal_is_an_error_that_says_why),
	    cmocka_unit_test(test_what_was_written_before_the_confirmation_is_sent_after_it),
	    cmocka_unit_test(test_what_its_connection_has_not_delivered_is_undelivered),
	    cmocka_unit_test(test_it_is_held_while_its_connection_or_one_below_exchanges_keys),
	    cmocka_unit_test(test_freeing_sends_eof_and_close),
	    cmocka_unit_test(test_freeing_with_unsent_output_sends_no_eof),
	    cmocka_unit_test(test_reset_sends_close_without_eof),
	    cmocka_unit_test(test_freeing_before_the_confirmation_closes_after_it),
	    cmocka_unit_test(test_freeing_before_the_open_went_out_sends_nothing),
	    cmocka_unit_test(test_data_for_a_freed_one_is_dropped_and_credited_until_close),
	    cmocka_unit_test(test_close_without_eof_is_the_end_of_the_data),
	    cmocka_unit_test(test_writing_after_close_is_epipe),
	    cmocka_unit_test(test_output_that_close_made_vain_is_epipe_after_the_last_byte),
	    cmocka_unit_test(test_the_end_of_the_session_is_an_error_and_nothing_is_lost),
	    cmocka_unit_test(test_what_had_come_to_its_end_before_the_session_was_lost_ends_so),
	    cmocka_unit_test(test_what_is_accepted_after_session_close_fails),
	    cmocka_unit_test(test_a_bufferevent_outlives_its_session),
	    cmocka_unit_test(test_after_freeing_no_callback_of_the_channel_comes),
	    cmocka_unit_test(test_data_that_came_before_anybody_asked_is_there),
	    cmocka_unit_test(test_what_was_left_to_send_when_somebody_asked_is_sent),
	    cmocka_unit_test(test_what_was_left_to_send_when_somebody_asked_is_sent),
	    cmocka_unit_test(test_a_transport_in_a_channel_gets_its_last_words_out),
	    cmocka_unit_test(test_what_is_written_after_session_close_does_not_hold_it_up),
	    cmocka_unit_test(test_session_close_is_a_reset_for_both_ends),
	    cmocka_unit_test(test_no_eof_follows_what_session_close_dropped),
	    cmocka_unit_test(
		test_the_end_of_the_session_is_named_where_eof_had_come_and_output_waits),
	    cmocka_unit_test(test_a_relay_delivers_what_came_before_a_close_without_eof),
	};

	return cmocka_run_group_tests_name("ssh/channel_bev", tests, NULL, NULL);
}
