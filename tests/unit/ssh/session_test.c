/*
 * The rows of the session: its table, opens both ways, properties, ends, descriptors and turns. Requests and keepalive have
 * tests of their own.
 */
#include "connection_rig.h"

#include <event2/event.h>

#include <unistd.h>

#include "ssh/connection.h"
#include "ssh/ident.h"

/* ---- the constructor ---- */

static void test_defaults_of_the_constructor(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;
	struct channel_windows windows;

	(void)state;
	assert_string_equal(session_host(rig->session), "server.example");
	assert_ptr_equal(session_transport(rig->session), rig->transport);
	assert_ptr_equal(session_event_loop(rig->session), rig->loop);
	assert_false(session_closed(rig->session, NULL));
	assert_false(session_busy(rig->session, SESSION_INVISIBLE_TOO));
	assert_int_equal(session_channel_count(rig->session), 0);
	assert_int_equal(session_rtt_us(rig->session), 0);
	rig_open(rig, &w);
	channel_get_windows(w.channel, &windows);
	assert_int_equal(windows.local_window, 2 * 1024 * 1024);
	assert_int_equal(windows.local_maximum_packet, 0x8000);
	rig_expect_nothing(rig);
	rig_free(rig);
}

static void test_maximum_packet_and_window_are_options(void **state)
{
	struct rig *rig =
	    rig_new_with((struct session_options){.maximum_packet = 1000, .window = 5000});

	(void)state;
	session_open_channel(rig->session, "test", SPAN(NULL, 0), NULL, NULL, NULL);
	rig_expect(rig, "bsuuu", SSH_MSG_CHANNEL_OPEN, "test", 0, 5000, 1000);
	rig_free(rig);
}

static void test_channel_ids_count_up(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		struct channel *c =
		    session_open_channel(rig->session, "test", SPAN(NULL, 0), NULL, NULL, NULL);

		assert_int_equal(channel_local_id(c), i);
		assert_ptr_equal(session_channel(rig->session, i), c);
	}
	assert_null(session_channel(rig->session, 3));
	rig_free(rig);
}

static void test_ids_are_not_used_again_at_once(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	rig_open(rig, &w);
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 0);
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 100);
	assert_int_equal(w.closed, 1);
	rig_open(rig, &w);
	assert_int_equal(channel_local_id(w.channel), 1);
	rig_free(rig);
}

static void test_ids_wrap_and_those_that_are_known_are_passed_over(void **state)
{
	struct rig *rig = rig_new();
	struct channel *first =
	    session_open_channel(rig->session, "test", SPAN(NULL, 0), NULL, NULL, NULL);

	(void)state;
	rig->session->next_id = UINT32_MAX;
	assert_int_equal(channel_local_id(session_open_channel(
			     rig->session, "test", SPAN(NULL, 0), NULL, NULL, NULL)),
	    UINT32_MAX);
	assert_int_equal(channel_local_id(session_open_channel(
			     rig->session, "test", SPAN(NULL, 0), NULL, NULL, NULL)),
	    1);
	assert_ptr_equal(session_channel(rig->session, 0), first);
	rig_free(rig);
}

/* ---- properties ---- */

static void test_properties_are_kept_by_name(void **state)
{
	struct rig *rig = rig_new();
	int a, b;

	(void)state;
	assert_null(session_property(rig->session, "x"));
	assert_null(session_set_property(rig->session, "x", &a));
	assert_ptr_equal(session_property(rig->session, "x"), &a);
	assert_ptr_equal(session_set_property(rig->session, "x", &b), &a);
	assert_null(session_property(rig->session, "y"));
	assert_ptr_equal(session_set_property(rig->session, "x", NULL), &b);
	assert_null(session_property(rig->session, "x"));
	rig_free(rig);
}

static char hook_order[8];

static void hook(void *arg)
{
	const char *name = arg;

	hook_order[strlen(hook_order)] = *name;
}

static void test_hooks_run_at_the_end_the_last_one_first(void **state)
{
	struct rig *rig = rig_new();

	char names[] = "ab";

	(void)state;
	memset(hook_order, 0, sizeof(hook_order));
	session_on_free(rig->session, hook, &names[0]);
	session_on_free(rig->session, hook, &names[1]);
	rig_settle(rig);
	assert_string_equal(hook_order, "");
	rig_free(rig);
	assert_string_equal(hook_order, "ba");
}

/* ---- busy ---- */

static void test_busy_while_a_channel_is_open(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	rig_open(rig, &w);
	assert_true(session_busy(rig->session, SESSION_VISIBLE_ONLY));
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 0);
	rig_settle(rig);
	assert_false(session_busy(rig->session, SESSION_VISIBLE_ONLY));
	rig_free(rig);
}

static void test_invisible_channels_count_only_when_asked_for(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	rig_open(rig, &w);
	channel_set_visibility(w.channel, CHANNEL_INVISIBLE);
	channel_set_visibility(w.channel, CHANNEL_INVISIBLE);
	assert_false(session_busy(rig->session, SESSION_VISIBLE_ONLY));
	assert_true(session_busy(rig->session, SESSION_INVISIBLE_TOO));
	channel_set_visibility(w.channel, CHANNEL_VISIBLE);
	assert_true(session_busy(rig->session, SESSION_VISIBLE_ONLY));
	channel_set_visibility(w.channel, CHANNEL_INVISIBLE);
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 0);
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 100);
	assert_false(session_busy(rig->session, SESSION_INVISIBLE_TOO));
	rig_open(rig, &w);
	assert_true(session_busy(rig->session, SESSION_VISIBLE_ONLY));
	rig_free(rig);
}

/* ---- opening ---- */

static void test_open_with_its_extras(void **state)
{
	struct rig *rig = rig_new();
	struct wr extra = WR_INIT;
	struct watched w = {.take = SIZE_MAX};

	(void)state;
	wr_cstring(&extra, "db.internal");
	wr_u32(&extra, 5432);
	w.channel = session_open_channel(
	    rig->session, "direct-tcpip", wr_span(&extra), &watched_callbacks, &w, NULL);
	wr_clear(&extra);
	/* In the table at once, though nothing was sent. */
	assert_int_equal(session_channel_count(rig->session), 1);
	assert_int_equal(fake_transport_sent_count(rig->transport), 0);
	rig_expect(rig, "bsuuusu", SSH_MSG_CHANNEL_OPEN, "direct-tcpip", 0, RIG_WINDOW, RIG_PACKET,
	    "db.internal", 5432);
	assert_string_equal(channel_type(w.channel), "direct-tcpip");
	assert_int_equal(w.opened, 0);
	assert_false(channel_is_open(w.channel));
	rig_feed(rig, "buuuu", SSH_MSG_CHANNEL_OPEN_CONFIRMATION, 0, 9, 77, 88);
	assert_int_equal(w.opened, 1);
	assert_true(channel_is_open(w.channel));

	struct channel_windows windows;

	channel_get_windows(w.channel, &windows);
	assert_int_equal(windows.remote_window, 77);
	assert_int_equal(windows.remote_maximum_packet, 88);
	rig_free(rig);
}

static void test_a_failed_open_is_a_callback(void **state)
{
	struct rig *rig = rig_new();
	struct watched w = {.take = SIZE_MAX};

	(void)state;
	w.channel =
	    session_open_channel(rig->session, "test", SPAN(NULL, 0), &watched_callbacks, &w, NULL);
	(void)rig_sent(rig);
	rig_feed(rig, "buuss", SSH_MSG_CHANNEL_OPEN_FAILURE, 0, OPEN_CONNECT_FAILED, "refused", "");
	assert_int_equal(w.failed, 1);
	assert_int_equal(w.code, OPEN_CONNECT_FAILED);
	assert_string_equal(w.text, "refused");
	assert_int_equal(w.opened + w.closed, 0);
	assert_int_equal(session_channel_count(rig->session), 0);
	assert_int_equal(rig->closed, 0);
	rig_expect_nothing(rig);
	rig_free(rig);
}

static void test_no_more_channels_than_the_limit(void **state)
{
	struct rig *rig = rig_new_with((struct session_options){.channels_max = 2});
	struct err e = ERR_INIT;

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_non_null(
		    session_open_channel(rig->session, "test", SPAN(NULL, 0), NULL, NULL, &e));
	assert_null(session_open_channel(rig->session, "test", SPAN(NULL, 0), NULL, NULL, &e));
	assert_int_equal(e.class, ERR_LOCAL);
	rig_free(rig);
}

static void test_nothing_opens_on_a_closed_session(void **state)
{
	struct rig *rig = rig_new();
	struct err e = ERR_INIT, lost = ERR_INIT;

	(void)state;
	err_set(&lost, ERR_NETWORK, "lost");
	session_transport_closed(rig->session, &lost);
	assert_null(session_open_channel(rig->session, "test", SPAN(NULL, 0), NULL, NULL, &e));
	assert_int_equal(e.class, ERR_NETWORK);
	rig_free(rig);
}

/* ---- the peer opens ---- */

struct inbound {
	struct channel *channel;
	int calls;
	char extra[32];
	enum { INBOUND_WAIT, INBOUND_ACCEPT, INBOUND_REFUSE } answer;
	struct watched watched;
};

static void on_inbound(void *arg, struct session *s, struct channel *c, struct span extra)
{
	struct inbound *in = arg;

	(void)s;
	in->channel = in->watched.channel = c;
	in->watched.take = SIZE_MAX;
	in->calls++;
	snprintf(in->extra, sizeof(in->extra), "%.*s", (int)extra.n, (const char *)extra.p);
	if (in->answer == INBOUND_ACCEPT)
		channel_accept(c, &watched_callbacks, &in->watched);
	else if (in->answer == INBOUND_REFUSE)
		channel_refuse(c, OPEN_ADMINISTRATIVELY_PROHIBITED, "not here");
}

static struct rig *rig_with_inbound(struct inbound *in)
{
	struct rig *rig = rig_new();

	session_on_open_channel(rig->session, "inbound",
	    (struct session_open_registration){.handler = on_inbound, .arg = in});
	return rig;
}

static void test_inbound_open_with_no_handler(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	rig_feed(rig, "bsuuu", SSH_MSG_CHANNEL_OPEN, "x11", 5, 1000, 1000);
	rig_expect(rig, "buuss", SSH_MSG_CHANNEL_OPEN_FAILURE, 5, OPEN_UNKNOWN_CHANNEL_TYPE,
	    "unknown channel type x11", "");
	assert_int_equal(session_channel_count(rig->session), 0);
	rig_free(rig);
}

static void test_inbound_open_of_a_type_as_long_as_a_packet_is_answered_shortly(void **state)
{
	struct rig *rig = rig_new();
	uint8_t *type = mem_alloc(200000);

	(void)state;
	rig_feed(rig, "bSuuu", SSH_MSG_CHANNEL_OPEN, SPAN(type, 200000), 5, 1000, 1000);
	assert_true(rig_sent(rig).n < 400);
	free(type);
	rig_free(rig);
}

static void test_inbound_open_with_a_failing_handler(void **state)
{
	struct inbound in = {.answer = INBOUND_REFUSE};
	struct rig *rig = rig_with_inbound(&in);

	(void)state;
	rig_feed(rig, "bsuuu", SSH_MSG_CHANNEL_OPEN, "inbound", 5, 1000, 1000);
	rig_expect(rig, "buuss", SSH_MSG_CHANNEL_OPEN_FAILURE, 5, OPEN_ADMINISTRATIVELY_PROHIBITED,
	    "not here", "");
	rig_expect_nothing(rig);
	assert_int_equal(session_channel_count(rig->session), 0);
	rig_free(rig);
}

static void test_inbound_open_with_success_and_both_windows(void **state)
{
	struct inbound in = {.answer = INBOUND_ACCEPT};
	struct rig *rig = rig_with_inbound(&in);
	struct channel_windows windows;

	(void)state;
	rig_feed(rig, "bsuuux", SSH_MSG_CHANNEL_OPEN, "inbound", 5, 1234, 567,
	    SPAN_LITERAL("the extra"));
	assert_string_equal(in.extra, "the extra");
	rig_expect(rig, "buuuu", SSH_MSG_CHANNEL_OPEN_CONFIRMATION, 5, 0, RIG_WINDOW, RIG_PACKET);
	channel_get_windows(in.channel, &windows);
	assert_int_equal(windows.remote_window, 1234);
	assert_int_equal(windows.remote_maximum_packet, 567);
	assert_int_equal(windows.local_window, RIG_WINDOW);
	rig_feed(rig, "bus", SSH_MSG_CHANNEL_DATA, 0, "hello");
	assert_int_equal(in.watched.data.n, 5);
	channel_send(in.channel, SPAN_LITERAL("hi"));
	rig_expect(rig, "bus", SSH_MSG_CHANNEL_DATA, 5, "hi");
	watched_clear(&in.watched);
	rig_free(rig);
}

static void test_inbound_open_may_be_answered_later(void **state)
{
	struct inbound in = {.answer = INBOUND_WAIT};
	struct rig *rig = rig_with_inbound(&in);

	(void)state;
	rig_feed(rig, "bsuuu", SSH_MSG_CHANNEL_OPEN, "inbound", 5, 1000, 1000);
	rig_expect_nothing(rig);
	assert_int_equal(session_channel_count(rig->session), 1);
	channel_accept(in.channel, &watched_callbacks, &in.watched);
	channel_send(in.channel, SPAN_LITERAL("hi"));
	rig_expect(rig, "buuuu", SSH_MSG_CHANNEL_OPEN_CONFIRMATION, 5, 0, RIG_WINDOW, RIG_PACKET);
	rig_expect(rig, "bus", SSH_MSG_CHANNEL_DATA, 5, "hi");
	rig_free(rig);
}

static void test_a_pending_channel_hears_of_the_end(void **state)
{
	struct inbound in = {.answer = INBOUND_WAIT};
	struct rig *rig = rig_with_inbound(&in);
	struct err lost = ERR_INIT;

	(void)state;
	rig_feed(rig, "bsuuu", SSH_MSG_CHANNEL_OPEN, "inbound", 5, 1000, 1000);
	(void)channel_set_callbacks(in.channel, &watched_callbacks, &in.watched);
	err_set(&lost, ERR_NETWORK, "lost");
	session_transport_closed(rig->session, &lost);
	assert_int_equal(in.watched.closed, 1);
	rig_free(rig);
}

static void test_a_pending_channel_that_is_closed_is_refused(void **state)
{
	struct inbound in = {.answer = INBOUND_WAIT};
	struct rig *rig = rig_with_inbound(&in);

	(void)state;
	rig_feed(rig, "bsuuu", SSH_MSG_CHANNEL_OPEN, "inbound", 5, 1000, 1000);
	channel_close(in.channel);
	rig_expect(
	    rig, "buuss", SSH_MSG_CHANNEL_OPEN_FAILURE, 5, OPEN_CONNECT_FAILED, "closed", "");
	assert_int_equal(session_channel_count(rig->session), 0);
	rig_free(rig);
}

static void test_who_was_to_answer_hears_that_it_is_too_late(void **state)
{
	(void)state;
	for (int refuses = 0; refuses < 2; refuses++) {
		struct inbound in = {.answer = INBOUND_WAIT};
		struct rig *rig = rig_with_inbound(&in);

		rig_feed(rig, "bsuuu", SSH_MSG_CHANNEL_OPEN, "inbound", 5, 1000, 1000);
		(void)channel_set_callbacks(in.channel, &watched_callbacks, &in.watched);
		fake_transport_shut(rig->transport);
		session_close(rig->session, 5000);
		/* It may answer before it hears. */
		if (refuses)
			channel_refuse(in.channel, OPEN_CONNECT_FAILED, "too late");
		else
			channel_accept(in.channel, &watched_callbacks, &in.watched);
		assert_int_equal(in.watched.closed, 0);
		fake_transport_open(rig->transport);
		rig_expect(rig, "buuss", SSH_MSG_CHANNEL_OPEN_FAILURE, 5, OPEN_CONNECT_FAILED,
		    "closed", "");
		assert_int_equal(in.watched.closed, refuses ? 0 : 1);
		assert_int_equal(rig->closed, 1);
		rig_free(rig);
	}
}

static void test_inbound_opens_beyond_the_limit_are_refused(void **state)
{
	struct inbound in = {.answer = INBOUND_ACCEPT};
	struct rig *rig = rig_new_with((struct session_options){.channels_max = 1});

	(void)state;
	session_on_open_channel(rig->session, "inbound",
	    (struct session_open_registration){.handler = on_inbound, .arg = &in});
	rig_feed(rig, "bsuuu", SSH_MSG_CHANNEL_OPEN, "inbound", 5, 1000, 1000);
	assert_true(rig_sent(rig).n > 0);
	rig_feed(rig, "bsuuu", SSH_MSG_CHANNEL_OPEN, "inbound", 6, 1000, 1000);
	rig_expect(rig, "buuss", SSH_MSG_CHANNEL_OPEN_FAILURE, 6, OPEN_RESOURCE_SHORTAGE,
	    "too many channels", "");
	assert_int_equal(in.calls, 1);
	rig_free(rig);
}

static void test_opens_without_end_whose_refusals_are_not_taken_are_an_error(void **state)
{
	struct rig *rig = rig_new();
	int r = 0, n = 0;

	(void)state;
	fake_transport_shut(rig->transport);
	while (r == 0 && n++ < 100000)
		r = rig_try(rig, "bsuuu", SSH_MSG_CHANNEL_OPEN, "x11", 5, 1000, 1000);
	assert_int_equal(r, ERR_PEER);
	assert_true(n > 1000);
	rig_free(rig);
}

static void test_handlers_of_opens_and_their_old_values(void **state)
{
	struct rig *rig = rig_new();
	struct inbound a, b;
	struct session_open_registration first = {.handler = on_inbound, .arg = &a},
					 second = {.handler = on_inbound, .arg = &b}, none = {0};

	(void)state;
	assert_null(session_on_open_channel(rig->session, "t", first).handler);
	assert_null(session_on_open_channel(rig->session, "u", second).handler);
	assert_ptr_equal(session_on_open_channel(rig->session, "t", second).arg, &a);
	assert_ptr_equal(session_on_open_channel(rig->session, "t", none).arg, &b);
	assert_null(session_on_open_channel(rig->session, "t", none).handler);
	rig_feed(rig, "bsuuu", SSH_MSG_CHANNEL_OPEN, "t", 5, 1000, 1000);
	rig_expect(rig, "buuss", SSH_MSG_CHANNEL_OPEN_FAILURE, 5, OPEN_UNKNOWN_CHANNEL_TYPE,
	    "unknown channel type t", "");
	rig_free(rig);
}

static void test_inbound_open_with_a_maximum_packet_of_0(void **state)
{
	struct inbound in = {.answer = INBOUND_ACCEPT};
	struct rig *rig = rig_with_inbound(&in);

	(void)state;
	rig_feed_bad(rig, "bsuuu", SSH_MSG_CHANNEL_OPEN, "inbound", 5, 1000, 0);
	assert_int_equal(in.calls, 0);
	rig_free(rig);
}

static void test_inbound_open_that_is_cut_short(void **state)
{
	(void)state;
	for (size_t n = 1; n < 1 + 4 + 7 + 12; n++) {
		struct inbound in = {.answer = INBOUND_ACCEPT};
		struct rig *rig = rig_with_inbound(&in);
		struct wr w = WR_INIT;

		wr_u8(&w, SSH_MSG_CHANNEL_OPEN);
		wr_cstring(&w, "inbound");
		for (int i = 0; i < 3; i++)
			wr_u32(&w, 1000);
		assert_int_equal(rig_feed_bytes(rig, SPAN(w.p, n)), ERR_PEER);
		assert_int_equal(in.calls, 0);
		wr_clear(&w);
		rig_free(rig);
	}
}

/* ---- dispatch ---- */

static void test_messages_that_nobody_knows_are_said_so(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	for (int type = 80; type < 256; type++) {
		bool known = (type >= 80 && type <= 82) || (type >= 90 && type <= 100) ||
			     type == 192 || type == 193;

		if (!known)
			assert_int_equal(rig_try(rig, "bu", type, 0), TRANSPORT_UNIMPLEMENTED);
	}
	assert_int_equal(rig->closed, 0);
	rig_free(rig);
}

static void test_an_empty_message_is_an_error(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	assert_int_equal(rig_feed_bytes(rig, SPAN(NULL, 0)), ERR_PEER);
	rig_free(rig);
}

static void test_several_messages_in_one_pass(void **state)
{
	struct rig *rig = rig_new();
	struct watched a, b;

	(void)state;
	rig_open(rig, &a);
	rig_open(rig, &b);
	rig_feed(rig, "bus", SSH_MSG_CHANNEL_DATA, 0, "one");
	rig_feed(rig, "bus", SSH_MSG_CHANNEL_DATA, 1, "two");
	rig_feed(rig, "bus", SSH_MSG_CHANNEL_DATA, 0, "three");
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_EOF, 0);
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 0);
	rig_feed(rig, "bus", SSH_MSG_CHANNEL_DATA, 1, "four");
	assert_true(span_is(wr_span(&a.data), "onethree"));
	assert_true(span_is(wr_span(&b.data), "twofour"));
	assert_int_equal(a.eofs, 1);
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 100);
	rig_expect_nothing(rig);
	assert_int_equal(a.closed, 1);
	assert_int_equal(b.closed, 0);
	watched_clear(&a);
	watched_clear(&b);
	rig_free(rig);
}

static void test_after_the_end_messages_are_ignored(void **state)
{
	struct rig *rig = rig_new();
	struct err e = ERR_INIT;

	(void)state;
	err_set(&e, ERR_LOCAL, "enough");
	session_abort(rig->session, &e);
	assert_int_equal(rig_try(rig, "bu", SSH_MSG_CHANNEL_OPEN_CONFIRMATION, 0), 0);
	assert_int_equal(rig_try(rig, "b", 123), 0);
	rig_free(rig);
}

/* ---- each_channel ---- */

struct visits {
	struct rig *rig;
	uint32_t seen[8];
	size_t count;
};

static void visit_and_change(void *arg, struct channel *c)
{
	struct visits *v = arg;

	v->seen[v->count++] = channel_local_id(c);
	/* What the callback opens is not visited, what it closed is not either. */
	session_open_channel(v->rig->session, "test", SPAN(NULL, 0), NULL, NULL, NULL);
	if (channel_local_id(c) == 0) {
		rig_feed(v->rig, "buuss", SSH_MSG_CHANNEL_OPEN_FAILURE, 1, 1, "", "");
		rig_feed(v->rig, "buuss", SSH_MSG_CHANNEL_OPEN_FAILURE, 0, 1, "", "");
	}
}

static void test_each_channel_while_channels_come_and_go(void **state)
{
	struct rig *rig = rig_new();
	struct visits v = {.rig = rig};

	(void)state;
	for (int i = 0; i < 3; i++)
		session_open_channel(rig->session, "test", SPAN(NULL, 0), NULL, NULL, NULL);
	rig_settle(rig);
	session_each_channel(rig->session, visit_and_change, &v);
	assert_int_equal(v.count, 2);
	assert_int_equal(v.seen[0], 0);
	assert_int_equal(v.seen[1], 2);
	assert_int_equal(session_channel_count(rig->session), 3);
	rig_free(rig);
}

/* ---- ends ---- */

static void test_close_closes_every_channel_then_the_transport(void **state)
{
	struct rig *rig = rig_new();
	struct watched a, b;

	(void)state;
	rig_open(rig, &a);
	rig_open(rig, &b);
	channel_send(a.channel, SPAN_LITERAL("the rest"));
	session_close(rig->session, 5000);
	assert_null(session_open_channel(rig->session, "test", SPAN(NULL, 0), NULL, NULL, NULL));
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_EOF, 101);
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 101);
	rig_expect(rig, "bus", SSH_MSG_CHANNEL_DATA, 100, "the rest");
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_EOF, 100);
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 100);
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 0);
	rig_settle(rig);
	assert_int_equal(a.closed, 1);
	assert_int_equal(rig->closed, 0);
	assert_int_equal(fake_transport_disconnected(rig->transport), 0);
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 1);
	rig_settle(rig);
	assert_int_equal(b.closed, 1);
	assert_int_equal(b.lost, ERR_OK);
	assert_int_equal(fake_transport_disconnected(rig->transport), DISCONNECT_BY_APPLICATION);
	assert_int_equal(rig->closed, 1);
	assert_int_equal(rig->reason.class, ERR_CANCELLED);
	rig_free(rig);
}

static void test_close_of_an_idle_session_ends_in_the_loop_not_in_the_call(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	session_close(rig->session, 5000);
	assert_int_equal(rig->closed, 0);
	rig_settle(rig);
	assert_int_equal(rig->closed, 1);
	session_close(rig->session, 5000);
	rig_settle(rig);
	assert_int_equal(rig->closed, 1);
	rig_free(rig);
}

static void test_sending_on_a_channel_that_close_has_closed_is_legal(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	rig_open(rig, &w);
	session_close(rig->session, 5000);
	channel_send(w.channel, SPAN_LITERAL("too late"));
	channel_send_extended(w.channel, 1, SPAN_LITERAL("too late"));
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_EOF, 100);
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 100);
	rig_expect_nothing(rig);
	rig_free(rig);
}

static void test_close_sends_what_was_asked_for_before(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	session_send_global_request(
	    rig->session, "cancel-tcpip-forward", SPAN(NULL, 0), NULL, NULL);
	session_close(rig->session, 5000);
	rig_expect(rig, "bso", SSH_MSG_GLOBAL_REQUEST, "cancel-tcpip-forward", false);
	rig_settle(rig);
	assert_int_equal(rig->closed, 1);
	rig_free(rig);
}

/* The user may take another session then: nothing went over this one. */
static void test_a_channel_that_is_confirmed_after_close_never_opens(void **state)
{
	struct rig *rig = rig_new();
	struct watched w = {0};

	(void)state;
	w.channel =
	    session_open_channel(rig->session, "test", SPAN(NULL, 0), &watched_callbacks, &w, NULL);
	rig_settle(rig);
	session_close(rig->session, 5000);
	rig_feed(rig, "buuuu", SSH_MSG_CHANNEL_OPEN_CONFIRMATION, 0, 100, 1000, 1000);
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 0);
	rig_settle(rig);
	assert_int_equal(w.opened, 0);
	assert_int_equal(w.closed, 1);
	assert_int_equal(rig->closed, 1);
	rig_free(rig);
}

static void test_close_ends_at_the_deadline(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;

	(void)state;
	rig_open(rig, &w);
	session_close(rig->session, 5000);
	loop_fake_advance(rig->loop, 4999);
	assert_int_equal(rig->closed, 0);
	loop_fake_advance(rig->loop, 1);
	assert_int_equal(rig->closed, 1);
	assert_int_equal(w.closed, 1);
	assert_int_equal(fake_transport_disconnected(rig->transport), DISCONNECT_BY_APPLICATION);
	rig_free(rig);
}

static void test_while_closing_the_peer_opens_nothing(void **state)
{
	struct inbound in = {.answer = INBOUND_ACCEPT};
	struct rig *rig = rig_with_inbound(&in);
	struct watched w;

	(void)state;
	rig_open(rig, &w);
	session_close(rig->session, 5000);
	rig_feed(rig, "bsuuu", SSH_MSG_CHANNEL_OPEN, "inbound", 5, 1000, 1000);
	rig_expect(rig, "buuss", SSH_MSG_CHANNEL_OPEN_FAILURE, 5, OPEN_ADMINISTRATIVELY_PROHIBITED,
	    "the connection is being closed", "");
	assert_int_equal(in.calls, 0);
	rig_free(rig);
}

static void test_abort_calls_every_close_callback_once_and_empties_the_table(void **state)
{
	struct rig *rig = rig_new();
	struct watched a, b;
	struct err e = ERR_INIT, reason;

	(void)state;
	rig_open(rig, &a);
	rig_open(rig, &b);
	channel_close(a.channel);
	err_set(&e, ERR_LOCAL, "enough");
	session_abort(rig->session, &e);
	assert_int_equal(a.closed, 1);
	assert_int_equal(b.closed, 1);
	assert_int_equal(b.lost, ERR_LOCAL);
	assert_int_equal(session_channel_count(rig->session), 0);
	assert_false(session_busy(rig->session, SESSION_INVISIBLE_TOO));
	assert_true(session_closed(rig->session, &reason));
	assert_string_equal(reason.text, "enough");
	session_abort(rig->session, &e);
	rig_settle(rig);
	assert_int_equal(a.closed + b.closed, 2);
	assert_int_equal(rig->closed, 0);
	rig_expect_nothing(rig);
	rig_free(rig);
}

static void test_a_lost_transport_ends_the_session_with_its_reason(void **state)
{
	struct rig *rig = rig_new();
	struct watched w;
	struct err e = ERR_INIT, reason;

	(void)state;
	rig_open(rig, &w);
	err_set(&e, ERR_NETWORK, "connection reset");
	session_transport_closed(rig->session, &e);
	assert_int_equal(w.closed, 1);
	assert_int_equal(w.lost, ERR_NETWORK);
	assert_int_equal(rig->closed, 1);
	assert_true(session_closed(rig->session, &reason));
	assert_int_equal(reason.class, ERR_NETWORK);
	session_transport_closed(rig->session, &e);
	assert_int_equal(rig->closed, 1);
	rig_free(rig);
}

struct freer {
	struct rig *rig;
	int closed;
};

static void free_in_on_close(void *arg, struct channel *c, const struct err *e)
{
	struct freer *f = arg;

	(void)c;
	(void)e;
	f->closed++;
	session_free(f->rig->session);
}

static void test_a_session_can_be_freed_in_a_close_callback(void **state)
{
	static const struct channel_callbacks callbacks = {.on_close = free_in_on_close};
	struct rig *rig = rig_new();
	struct freer f = {.rig = rig};
	struct err e = ERR_INIT;

	(void)state;
	for (int i = 0; i < 3; i++)
		session_open_channel(rig->session, "test", SPAN(NULL, 0), &callbacks, &f, NULL);
	err_set(&e, ERR_NETWORK, "lost");
	session_transport_closed(rig->session, &e);
	assert_int_equal(f.closed, 3);
	/* Who frees it knows; on_closed does not come any more. */
	assert_int_equal(rig->closed, 0);
	rig_settle(rig);
	fake_transport_free(rig->transport);
	loop_free(rig->loop);
	clock_fake_stop();
	free(rig);
}

static void test_freeing_nothing_is_legal(void **state)
{
	(void)state;
	session_free(NULL);
}

/* ---- extensions ---- */

static void test_any_message_can_be_sent_in_order(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	fake_transport_shut(rig->transport);
	session_send_message(rig->session, SPAN_LITERAL("\xc8one"));
	session_send_global_request(rig->session, "between", SPAN(NULL, 0), NULL, NULL);
	session_send_message(rig->session, SPAN_LITERAL("\xc8two"));
	rig_expect_nothing(rig);
	fake_transport_open(rig->transport);
	rig_expect(rig, "x", SPAN_LITERAL("\xc8one"));
	rig_expect(rig, "bso", SSH_MSG_GLOBAL_REQUEST, "between", false);
	rig_expect(rig, "x", SPAN_LITERAL("\xc8two"));
	rig_free(rig);
}

static void test_no_more_sessions_goes_to_openssh_alone_and_once(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	session_no_more_sessions(rig->session);
	rig_expect_nothing(rig);
	fake_transport_set_quirks(rig->transport, QUIRK_OPENSSH);
	session_no_more_sessions(rig->session);
	session_no_more_sessions(rig->session);
	rig_expect(rig, "bso", SSH_MSG_GLOBAL_REQUEST, "no-more-sessions@openssh.com", false);
	rig_expect_nothing(rig);
	rig_free(rig);
}

static void test_no_more_sessions_does_not_overtake_a_session(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	fake_transport_set_quirks(rig->transport, QUIRK_OPENSSH);
	session_open_channel(rig->session, "session", SPAN(NULL, 0), NULL, NULL, NULL);
	session_no_more_sessions(rig->session);
	rig_expect(rig, "bsuuu", SSH_MSG_CHANNEL_OPEN, "session", 0, RIG_WINDOW, RIG_PACKET);
	rig_expect(rig, "bso", SSH_MSG_GLOBAL_REQUEST, "no-more-sessions@openssh.com", false);
	rig_free(rig);
}

static void test_no_more_sessions_is_kept(void **state)
{
	struct rig *rig = rig_new();
	struct err e = ERR_INIT;

	(void)state;
	fake_transport_set_quirks(rig->transport, QUIRK_OPENSSH);
	session_no_more_sessions(rig->session);
	assert_null(session_open_channel(rig->session, "session", SPAN(NULL, 0), NULL, NULL, &e));
	assert_int_equal(e.class, ERR_LOCAL);
	assert_non_null(session_open_channel(rig->session, "test", SPAN(NULL, 0), NULL, NULL, &e));
	rig_free(rig);
}

/* ---- descriptors and turns ---- */

struct listener {
	int calls;
	char read;
};

static void on_ready(void *arg, evutil_socket_t fd, short what)
{
	struct listener *l = arg;

	assert_int_equal(what, EV_READ);
	assert_int_equal(read(fd, &l->read, 1), 1);
	l->calls++;
}

static void test_listen_and_stop(void **state)
{
	struct rig *rig = rig_new();
	struct listener l = {0};
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	session_listen_to(rig->session, fds[0], EV_READ, on_ready, &l);
	rig_settle(rig);
	assert_int_equal(l.calls, 0);
	assert_int_equal(write(fds[1], "ab", 2), 2);
	rig_settle(rig);
	assert_int_equal(l.calls, 2);
	assert_int_equal(l.read, 'b');
	session_stop_listening_to(rig->session, fds[0]);
	session_stop_listening_to(rig->session, fds[0]);
	assert_int_equal(write(fds[1], "c", 1), 1);
	rig_settle(rig);
	assert_int_equal(l.calls, 2);
	close(fds[0]);
	close(fds[1]);
	rig_free(rig);
}

static void test_listening_ends_with_the_session(void **state)
{
	struct rig *rig = rig_new();
	struct listener l = {0};
	struct err e = ERR_INIT;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	session_listen_to(rig->session, fds[0], EV_READ, on_ready, &l);
	err_set(&e, ERR_NETWORK, "lost");
	session_transport_closed(rig->session, &e);
	session_listen_to(rig->session, fds[0], EV_READ, on_ready, &l);
	assert_int_equal(write(fds[1], "c", 1), 1);
	rig_settle(rig);
	assert_int_equal(l.calls, 0);
	close(fds[0]);
	close(fds[1]);
	rig_free(rig);
}

struct counter {
	struct rig *rig;
	int asked, stop_at;
};

static bool counting(void *arg)
{
	struct counter *c = arg;

	return ++c->asked < c->stop_at;
}

static void test_process_asks_before_and_after_a_turn(void **state)
{
	struct rig *rig = rig_new();
	struct counter c = {.rig = rig, .stop_at = 100};
	uint64_t passes = loop_pass_count(rig->loop);

	(void)state;
	assert_true(session_process(rig->session, LOOP_NO_WAIT, counting, &c));
	assert_int_equal(c.asked, 2);
	assert_int_equal(loop_pass_count(rig->loop), passes + 1);
	rig_free(rig);
}

static void test_process_that_is_told_no_at_once_does_not_turn(void **state)
{
	struct rig *rig = rig_new();
	struct counter c = {.rig = rig, .stop_at = 1};
	uint64_t passes = loop_pass_count(rig->loop);

	(void)state;
	assert_false(session_process(rig->session, LOOP_NO_WAIT, counting, &c));
	assert_int_equal(c.asked, 1);
	assert_int_equal(loop_pass_count(rig->loop), passes);
	rig_free(rig);
}

static void test_loop_turns_while_it_is_told_to_and_flushes_what_was_enqueued(void **state)
{
	struct rig *rig = rig_new();
	struct counter c = {.rig = rig, .stop_at = 6};

	(void)state;
	session_loop(rig->session, LOOP_NO_WAIT, counting, &c);
	assert_int_equal(c.asked, 6);

	c = (struct counter){.rig = rig, .stop_at = 1};
	session_send_global_request(rig->session, "late", SPAN(NULL, 0), NULL, NULL);
	session_loop(rig->session, LOOP_NO_WAIT, counting, &c);
	assert_int_equal(fake_transport_sent_count(rig->transport), 1);
	rig_free(rig);
}

static void test_loop_without_a_condition_ends_when_the_session_is_not_busy(void **state)
{
	struct rig *rig = rig_new();
	uint64_t passes = loop_pass_count(rig->loop);

	(void)state;
	session_loop(rig->session, LOOP_NO_WAIT, NULL, NULL);
	assert_true(loop_pass_count(rig->loop) <= passes + 1);
	rig_free(rig);
}

static bool free_while_asked(void *arg)
{
	struct counter *c = arg;

	if (++c->asked == 2)
		session_free(c->rig->session);
	return true;
}

static void test_a_session_can_be_freed_while_it_turns(void **state)
{
	struct rig *rig = rig_new();
	struct counter c = {.rig = rig};

	(void)state;
	session_loop(rig->session, LOOP_NO_WAIT, free_while_asked, &c);
	assert_int_equal(c.asked, 2);
	rig_settle(rig);
	fake_transport_free(rig->transport);
	loop_free(rig->loop);
	clock_fake_stop();
	free(rig);
}

static void test_several_sessions_share_one_loop(void **state)
{
	struct rig *rig = rig_new();
	struct transport *other_transport = fake_transport_new(rig->loop);
	struct session *other =
	    session_new(rig->loop, other_transport, &(struct session_options){0});
	struct counter c = {.rig = rig, .stop_at = 10};

	(void)state;
	fake_transport_set_session(other_transport, other);
	session_send_global_request(other, "hello", SPAN(NULL, 0), NULL, NULL);
	session_loop(rig->session, LOOP_NO_WAIT, counting, &c);
	assert_int_equal(fake_transport_sent_count(other_transport), 1);
	assert_int_equal(fake_transport_sent_count(rig->transport), 0);
	session_free(other);
	rig_settle(rig);
	fake_transport_free(other_transport);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults_of_the_constructor),
	    cmocka_unit_test(test_maximum_packet_and_window_are_options),
	    cmocka_unit_test(test_channel_ids_count_up),
	    cmocka_unit_test(test_ids_are_not_used_again_at_once),
	    cmocka_unit_test(test_ids_wrap_and_those_that_are_known_are_passed_over),
	    cmocka_unit_test(test_properties_are_kept_by_name),
	    cmocka_unit_test(test_hooks_run_at_the_end_the_last_one_first),
	    cmocka_unit_test(test_busy_while_a_channel_is_open),
	    cmocka_unit_test(test_invisible_channels_count_only_when_asked_for),
	    cmocka_unit_test(test_open_with_its_extras),
	    cmocka_unit_test(test_a_failed_open_is_a_callback),
	    cmocka_unit_test(test_no_more_channels_than_the_limit),
	    cmocka_unit_test(test_nothing_opens_on_a_closed_session),
	    cmocka_unit_test(test_inbound_open_with_no_handler),
	    cmocka_unit_test(test_inbound_open_of_a_type_as_long_as_a_packet_is_answered_shortly),
	    cmocka_unit_test(test_inbound_open_with_a_failing_handler),
	    cmocka_unit_test(test_inbound_open_with_success_and_both_windows),
	    cmocka_unit_test(test_inbound_open_may_be_answered_later),
	    cmocka_unit_test(test_a_pending_channel_hears_of_the_end),
	    cmocka_unit_test(test_a_pending_channel_that_is_closed_is_refused),
	    cmocka_unit_test(test_who_was_to_answer_hears_that_it_is_too_late),
	    cmocka_unit_test(test_inbound_opens_beyond_the_limit_are_refused),
	    cmocka_unit_test(test_opens_without_end_whose_refusals_are_not_taken_are_an_error),
	    cmocka_unit_test(test_handlers_of_opens_and_their_old_values),
	    cmocka_unit_test(test_inbound_open_with_a_maximum_packet_of_0),
	    cmocka_unit_test(test_inbound_open_that_is_cut_short),
	    cmocka_unit_test(test_messages_that_nobody_knows_are_said_so),
	    cmocka_unit_test(test_an_empty_message_is_an_error),
	    cmocka_unit_test(test_several_messages_in_one_pass),
	    cmocka_unit_test(test_after_the_end_messages_are_ignored),
	    cmocka_unit_test(test_each_channel_while_channels_come_and_go),
	    cmocka_unit_test(test_close_closes_every_channel_then_the_transport),
	    cmocka_unit_test(test_close_of_an_idle_session_ends_in_the_loop_not_in_the_call),
	    cmocka_unit_test(test_sending_on_a_channel_that_close_has_closed_is_legal),
	    cmocka_unit_test(test_close_sends_what_was_asked_for_before),
	    cmocka_unit_test(test_a_channel_that_is_confirmed_after_close_never_opens),
	    cmocka_unit_test(test_close_ends_at_the_deadline),
	    cmocka_unit_test(test_while_closing_the_peer_opens_nothing),
	    cmocka_unit_test(test_abort_calls_every_close_callback_once_and_empties_the_table),
	    cmocka_unit_test(test_a_lost_transport_ends_the_session_with_its_reason),
	    cmocka_unit_test(test_a_session_can_be_freed_in_a_close_callback),
	    cmocka_unit_test(test_freeing_nothing_is_legal),
	    cmocka_unit_test(test_any_message_can_be_sent_in_order),
	    cmocka_unit_test(test_no_more_sessions_goes_to_openssh_alone_and_once),
	    cmocka_unit_test(test_no_more_sessions_does_not_overtake_a_session),
	    cmocka_unit_test(test_no_more_sessions_is_kept),
	    cmocka_unit_test(test_listen_and_stop),
	    cmocka_unit_test(test_listening_ends_with_the_session),
	    cmocka_unit_test(test_process_asks_before_and_after_a_turn),
	    cmocka_unit_test(test_process_that_is_told_no_at_once_does_not_turn),
	    cmocka_unit_test(test_loop_turns_while_it_is_told_to_and_flushes_what_was_enqueued),
	    cmocka_unit_test(test_loop_without_a_condition_ends_when_the_session_is_not_busy),
	    cmocka_unit_test(test_a_session_can_be_freed_while_it_turns),
	    cmocka_unit_test(test_several_sessions_share_one_loop),
	};

	return cmocka_run_group_tests_name("ssh/session", tests, NULL, NULL);
}
