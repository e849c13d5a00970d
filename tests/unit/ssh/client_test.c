/* Transport, login and session together, at the scripted server; and what a lying server can do to all three. */
#include "auth_agent.h"
#include "transport_rig.h"

#include "ssh/client.h"

enum end { END_NOT, END_FREE_IN_LOGIN, END_FREE_IN_UP, END_FREE_IN_CLOSED, END_CLOSE_IN_UP };

struct fixture {
	struct loop *loop;
	struct server *server;
	struct hostkey_policy *policy;
	struct client *client;
	struct server_script script;
	struct client_options options;
	struct fake_agent agent;
	enum end end;
	struct strbuf states; /* "login up" */
	unsigned closed;
	struct err why;
	struct strbuf log;
	/* a channel */
	struct bufferevent *bev;
	struct wr received;
	bool got_eof;
	short event;
};

static void on_state(void *arg, enum client_state state)
{
	struct fixture *f = arg;

	strbuf_addf(&f->states, "%s%s", f->states.n ? " " : "",
	    state == CLIENT_LOGIN ? "login"
	    : state == CLIENT_UP  ? "up"
				  : "?");
	if ((f->end == END_FREE_IN_LOGIN && state == CLIENT_LOGIN) ||
	    (f->end == END_FREE_IN_UP && state == CLIENT_UP)) {
		client_free(f->client);
		f->client = NULL;
	}
	if (f->end == END_CLOSE_IN_UP && state == CLIENT_UP)
		client_close(f->client, 1000);
}

static void on_closed(void *arg, const struct err *e)
{
	struct fixture *f = arg;

	f->closed++;
	f->why = *e;
	if (f->end == END_FREE_IN_CLOSED) {
		client_free(f->client);
		f->client = NULL;
	}
}

static void on_log(void *arg, enum log_level level, const char *line)
{
	struct fixture *f = arg;

	strbuf_addf(&f->log, "%s %s\n", log_level_name(level), line);
}

static void add_key(struct fixture *f, struct key *key)
{
	f->options.auth.identities = mem_array(1, sizeof(struct auth_identity));
	f->options.auth.identities[0] =
	    (struct auth_identity){.name = mem_strdup("id_ed25519"), .key = key};
	f->options.auth.identity_count = 1;
}

static void settle(struct fixture *f)
{
	for (int i = 0; i < 30; i++) {
		loop_fake_advance(f->loop, 0);
		fake_agent_poll(&f->agent);
	}
}

static void start(struct fixture *f)
{
	static const struct client_callbacks callbacks = {on_state, on_closed};
	struct bufferevent *pair[2];

	clock_fake_start(1000000, 1700000000);
	log_set_sink(on_log, f);
	f->loop = loop_new();
	f->policy = server_policy();
	bev_pair_new(f->loop, pair);
	if (!f->script.prefs.kex)
		f->script.prefs.kex = "curve25519-sha256";
	f->server = server_new(f->loop, pair[1], &f->script);
	f->options.transport.hostkey = f->policy;
	f->options.auth.user = "tunnel";
	f->options.session.host = "server.test";
	if (!f->options.auth.identities && !f->options.auth.agent_path)
		add_key(f, server_make_key(1));
	f->client = client_new(f->loop, pair[0], &f->options, &callbacks, f);
	settle(f);
}

static void stop(struct fixture *f)
{
	bev_free(f->bev);
	client_free(f->client);
	server_free(f->server);
	hostkey_policy_free(f->policy);
	loop_pass(f->loop, LOOP_NO_WAIT);
	loop_free(f->loop);
	fake_agent_stop(&f->agent);
	strbuf_clear(&f->states);
	strbuf_clear(&f->log);
	wr_clear(&f->received);
	log_set_sink(NULL, NULL);
	clock_fake_stop();
}

static void assert_up(struct fixture *f)
{
	if (f->closed)
		fail_msg("closed: %s", f->why.text);
	assert_int_equal(client_state(f->client), CLIENT_UP);
	assert_string_equal(strbuf_text(&f->states), "login up");
	assert_non_null(client_session(f->client));
}

static void assert_closed(struct fixture *f, enum error_class class, const char *words)
{
	assert_int_equal(f->closed, 1);
	if (f->why.class != class || !strstr(f->why.text, words))
		fail_msg("closed with %s, \"%s\"", err_class_name(f->why.class), f->why.text);
}

static enum server_verdict refuse(void *arg, struct server *s, const struct server_login *login)
{
	(void)arg;
	(void)s;
	(void)login;
	return SERVER_REFUSE;
}

static enum server_verdict say_nothing(
    void *arg, struct server *s, const struct server_login *login)
{
	(void)arg;
	(void)s;
	(void)login;
	return SERVER_SILENT;
}

/* ---- coming up ---- */

static void test_it_comes_up_through_its_states(void **state)
{
	(void)state;
	struct fixture f = {0};

	start(&f);
	assert_up(&f);
	assert_string_equal(session_host(client_session(f.client)), "server.test");
	assert_non_null(strstr(client_auth_method(f.client), "publickey id_ed25519"));
	assert_true(transport_is_ready(client_transport(f.client)));
	stop(&f);
}

static void test_a_server_that_is_silent_ends_at_the_deadline(void **state)
{
	(void)state;
	struct fixture f = {.script.ident = "", .options.login_timeout_ms = 10000};

	start(&f);
	loop_fake_advance(f.loop, 9999);
	assert_int_equal(f.closed, 0);
	loop_fake_advance(f.loop, 2);
	assert_closed(&f, ERR_TIMEOUT, "the key exchange was not done within 10 s");
	assert_true(server_saw_end(f.server));
	stop(&f);
}

static void test_a_login_that_is_not_answered_ends_at_the_deadline(void **state)
{
	(void)state;
	struct fixture f = {.script.on_login = say_nothing, .options.login_timeout_ms = 10000};

	start(&f);
	loop_fake_advance(f.loop, 10001);
	assert_closed(&f, ERR_TIMEOUT, "the login was not done within 10 s");
	stop(&f);
}

static void test_the_deadline_is_over_when_it_is_up(void **state)
{
	(void)state;
	struct fixture f = {.options.login_timeout_ms = 10000};

	start(&f);
	loop_fake_advance(f.loop, 100000);
	assert_up(&f);
	stop(&f);
}

static void use_thinking_agent(struct fixture *f, uint8_t keys)
{
	fake_agent_start(&f->agent);
	f->agent.manner = AGENT_THINKS;
	for (uint8_t i = 0; i < keys; i++)
		f->agent.keys[f->agent.key_count++] = server_make_key((uint8_t)(7 + i));
	f->options.auth.agent_path = f->agent.path;
}

static void touch(struct fixture *f)
{
	fake_agent_touch(&f->agent);
	settle(f);
}

static void test_the_deadline_waits_while_a_person_must_touch_a_key(void **state)
{
	(void)state;
	struct fixture f = {.options.login_timeout_ms = 10000};

	use_thinking_agent(&f, 1);
	start(&f);
	loop_fake_advance(f.loop, 20000);
	assert_int_equal(f.closed, 0);
	/* Then the agent's own deadline is over, the login goes on without, and its deadline counts. */
	loop_fake_advance(f.loop, 15000);
	settle(&f);
	assert_int_equal(f.closed, 0);
	assert_up(&f); /* the server lets in who offers nothing */
	stop(&f);
}

static void test_after_the_touch_the_server_has_its_whole_time(void **state)
{
	(void)state;
	struct fixture f = {.script.on_login = say_nothing, .options.login_timeout_ms = 10000};

	use_thinking_agent(&f, 1);
	start(&f);
	loop_fake_advance(f.loop, 25500);
	touch(&f);
	loop_fake_advance(f.loop, 9999);
	assert_int_equal(f.closed, 0);
	loop_fake_advance(f.loop, 2);
	assert_closed(&f, ERR_TIMEOUT, "the login was not done within 10 s");
	stop(&f);
}

static void test_the_servers_time_is_its_time_before_and_after_the_touch(void **state)
{
	(void)state;
	struct fixture f = {.script.on_login = say_nothing, .options.login_timeout_ms = 10000};
	struct wr pk_ok = WR_INIT;

	use_thinking_agent(&f, 2);
	start(&f);
	loop_fake_advance(f.loop, 6000);
	wr_u8(&pk_ok, SSH_MSG_USERAUTH_PK_OK);
	wr_cstring(&pk_ok, "ssh-ed25519");
	wr_string(&pk_ok, key_blob(f.agent.keys[0]));
	server_send_now(f.server, wr_span(&pk_ok));
	settle(&f);
	loop_fake_advance(f.loop, 20000);
	touch(&f);
	loop_fake_advance(f.loop, 3999);
	assert_int_equal(f.closed, 0);
	loop_fake_advance(f.loop, 2);
	assert_closed(&f, ERR_TIMEOUT, "the login was not done within 10 s");
	wr_clear(&pk_ok);
	stop(&f);
}

static void test_a_refused_login_is_told_to_the_server(void **state)
{
	(void)state;
	struct fixture f = {.script.on_login = refuse};

	start(&f);
	assert_closed(&f, ERR_LOGIN, "offered id_ed25519");
	assert_int_equal(server_disconnect_code(f.server), DISCONNECT_NO_MORE_AUTH_METHODS);
	assert_null(client_session(f.client));
	stop(&f);
}

/* ---- ends ---- */

static void test_a_lost_connection_is_told_once(void **state)
{
	(void)state;
	struct fixture before = {.script.on_login = say_nothing}, after = {0};

	start(&before);
	server_finish(before.server);
	settle(&before);
	assert_closed(&before, ERR_NETWORK, "during the login");
	stop(&before);
	start(&after);
	server_reset(after.server);
	settle(&after);
	assert_closed(&after, ERR_NETWORK, "Connection reset");
	stop(&after);
}

static void test_close_says_goodbye_and_then_that_it_is_closed(void **state)
{
	(void)state;
	struct fixture f = {0};

	start(&f);
	client_close(f.client, 1000);
	assert_int_equal(f.closed, 0); /* not from inside the call */
	settle(&f);
	assert_closed(&f, ERR_CANCELLED, "");
	assert_int_equal(server_disconnect_code(f.server), DISCONNECT_BY_APPLICATION);
	stop(&f);
}

static void test_close_before_it_is_up_ends_it_as_well(void **state)
{
	(void)state;
	struct fixture f = {.script.on_login = say_nothing};

	start(&f);
	client_close(f.client, 1000);
	client_close(f.client, 1000);
	assert_int_equal(f.closed, 0);
	settle(&f);
	assert_closed(&f, ERR_CANCELLED, "login");
	client_close(f.client, 1000);
	settle(&f);
	assert_int_equal(f.closed, 1);
	stop(&f);
}

static void test_free_says_goodbye_and_nothing_to_us(void **state)
{
	(void)state;
	struct fixture f = {0};

	start(&f);
	client_free(f.client);
	f.client = NULL;
	settle(&f);
	assert_int_equal(f.closed, 0);
	assert_int_equal(server_disconnect_code(f.server), DISCONNECT_BY_APPLICATION);
	stop(&f);
}

static void test_it_may_be_freed_or_closed_in_every_callback(void **state)
{
	(void)state;
	for (int end = END_FREE_IN_LOGIN; end <= END_CLOSE_IN_UP; end++) {
		struct fixture f = {.end = (enum end)end};

		start(&f);
		if (end == END_FREE_IN_CLOSED) {
			server_finish(f.server);
			settle(&f);
		}
		assert_true((f.client == NULL) == (end != END_CLOSE_IN_UP));
		assert_int_equal(f.closed, end == END_FREE_IN_CLOSED || end == END_CLOSE_IN_UP);
		stop(&f);
	}
}

/* ---- messages at the wrong time ---- */

static void test_the_connection_layer_does_not_begin_before_the_login_is_done(void **state)
{
	(void)state;
	static const uint8_t types[] = {SSH_MSG_GLOBAL_REQUEST, SSH_MSG_CHANNEL_OPEN,
	    SSH_MSG_CHANNEL_DATA, SSH_MSG_CONNECTION_LAST, SSH_MSG_PING};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct fixture f = {.script.on_login = say_nothing};

		start(&f);
		server_send_message(f.server, types[i]);
		settle(&f);
		assert_closed(&f, ERR_PEER, "before the login was done");
		stop(&f);
	}
}

static bool know_no_requests(void *arg, struct server *s, struct span payload)
{
	(void)arg;
	if (payload.p[0] != SSH_MSG_GLOBAL_REQUEST)
		return false;
	server_send_unimplemented(s);
	return true;
}

static void count_failures(void *arg, enum session_reply reply, struct span data)
{
	unsigned *failures = arg;

	(void)data;
	*failures += reply == SESSION_REPLY_FAILURE;
}

/* Numbers begin anew with the keys, and go on with them, as strict key exchange has it or not. */
static void ask_one_who_knows_no_requests(enum kex_strictness strict)
{
	struct fixture f = {.script = {.on_message = know_no_requests, .strict = strict}};
	unsigned failures = 0;

	start(&f);
	assert_up(&f);
	for (unsigned i = 1; i <= 3; i++) {
		session_send_global_request(client_session(f.client), "tcpip-forward",
		    SPAN(NULL, 0), count_failures, &failures);
		settle(&f);
		assert_int_equal(failures, i);
		transport_rekey(client_transport(f.client));
		settle(&f);
	}
	assert_int_equal(f.closed, 0);
	stop(&f);
}

static void test_a_request_that_the_server_does_not_know_is_refused(void **state)
{
	(void)state;
	ask_one_who_knows_no_requests(KEX_OFFERS_STRICT);
	ask_one_who_knows_no_requests(KEX_OFFERS_NOTHING);
}

static void start_a_rekey_that_stands_still(struct fixture *f)
{
	start(f);
	assert_up(f);
	server_pause(f->server);
	transport_rekey(client_transport(f->client));
}

/* What a rekey waits for is noticed as any silence is: no probe may be sent in it. */
static void test_a_network_that_dies_in_a_rekey_is_noticed_by_keepalive(void **state)
{
	(void)state;
	struct fixture f = {
	    .options.session = {.keepalive_interval_ms = 1000, .keepalive_count = 3}};

	start_a_rekey_that_stands_still(&f);
	loop_fake_advance(f.loop, 2999);
	assert_int_equal(f.closed, 0);
	loop_fake_advance(f.loop, 800);
	assert_closed(&f, ERR_TIMEOUT, "nothing came or went for 3.0 s while new keys");
	stop(&f);
}

static void test_a_rekey_in_which_something_moves_is_not_cut(void **state)
{
	(void)state;
	struct fixture f = {
	    .options.session = {.keepalive_interval_ms = 1000, .keepalive_count = 3}};

	start_a_rekey_that_stands_still(&f);
	for (int i = 0; i < 5; i++) {
		loop_fake_advance(f.loop, 2500);
		assert_int_equal(f.closed, 0);
		server_send_message(f.server, SSH_MSG_IGNORE);
		loop_fake_advance(f.loop, 100);
	}
	server_go_on(f.server);
	settle(&f);
	assert_int_equal(f.closed, 0);
	stop(&f);
}

static void test_messages_of_the_login_are_unknown_when_it_is_done(void **state)
{
	(void)state;
	static const uint8_t types[] = {SSH_MSG_SERVICE_ACCEPT, SSH_MSG_USERAUTH_SUCCESS,
	    SSH_MSG_USERAUTH_BANNER, SSH_MSG_USERAUTH_LAST};
	struct fixture f = {0};

	start(&f);
	server_forget_seen(f.server);
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		server_send_message(f.server, types[i]);
	settle(&f);
	assert_up(&f);
	assert_string_equal(server_seen(f.server), "3 3 3 3");
	stop(&f);
}

/* ---- a channel, end to end ---- */

static void on_readable(struct bufferevent *bev, void *arg)
{
	struct fixture *f = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	size_t n = evbuffer_get_length(in);

	wr_bytes(&f->received, evbuffer_pullup(in, -1), n);
	evbuffer_drain(in, n);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct fixture *f = arg;

	(void)bev;
	f->event = what;
	f->got_eof |= (what & BEV_EVENT_EOF) != 0;
}

static void open_channel(struct fixture *f)
{
	static const struct channel_callbacks callbacks = {0};
	struct err e = ERR_INIT;
	struct channel *c = session_open_channel(
	    client_session(f->client), "direct-tcpip", SPAN("", 0), &callbacks, f, &e);

	assert_non_null(c);
	f->bev = channel_bev(c);
	bufferevent_setcb(f->bev, on_readable, NULL, on_event, f);
	settle(f);
}

/* All was written: ends our direction and waits for theirs. */
static void finish_echo(struct fixture *f, const uint8_t *data, size_t n)
{
	bev_finish(f->bev);
	for (int i = 0; i < 400 && !f->got_eof && f->closed == 0; i++)
		settle(f);
	if (f->closed)
		fail_msg("closed: %s", f->why.text);
	assert_true(span_equal(wr_span(&f->received), SPAN(data, n)));
	assert_true(f->got_eof);
	assert_string_equal(server_complaint(f->server), "");
}

static void expect_echo(struct fixture *f, const uint8_t *data, size_t n)
{
	bufferevent_write(f->bev, data, n);
	finish_echo(f, data, n);
}

static uint8_t *make_data(size_t n)
{
	uint8_t *data = mem_alloc(n);

	for (size_t i = 0; i < n; i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	return data;
}

static void test_what_goes_in_comes_back_and_so_does_the_end(void **state)
{
	(void)state;
	struct fixture f = {0};
	uint8_t *data = make_data(100000);

	start(&f);
	open_channel(&f);
	expect_echo(&f, data, 100000);
	free(data);
	stop(&f);
}

static void test_windows_of_one_byte_are_windows(void **state)
{
	(void)state;
	struct fixture f = {.script = {.window = 1, .maximum_packet = 1}};
	uint8_t *data = make_data(200);

	start(&f);
	open_channel(&f);
	expect_echo(&f, data, 200);
	free(data);
	stop(&f);
}

static void test_rekeys_by_both_in_the_middle_of_it_lose_nothing(void **state)
{
	(void)state;
	static const size_t fragments[] = {0, 1000, 333};

	for (size_t i = 0; i < ARRAY_LEN(fragments); i++) {
		struct fixture f = {
		    .script.fragment = fragments[i], .options.transport.rekey_bytes = 40000};
		enum { SIZE = 300000 };
		uint8_t *data = make_data(SIZE);
		struct transport_info info;

		start(&f);
		open_channel(&f);
		/* The gate shuts in the middle of it, at their wish and at ours. */
		bufferevent_write(f.bev, data, 20000);
		for (int pass = 0; pass < 3; pass++)
			loop_pass(f.loop, LOOP_NO_WAIT);
		server_rekey(f.server);
		bufferevent_write(f.bev, data + 20000, SIZE - 20000);
		finish_echo(&f, data, SIZE);
		transport_get_info(client_transport(f.client), &info);
		assert_true(info.rekeys >= 2);
		free(data);
		stop(&f);
	}
}

/* As a client leaves them that writes little and often, while the link takes nothing. */
static void test_many_small_chains_arrive_whole(void **state)
{
	struct fixture f = {0};
	enum { CHAINS = 200 };

	(void)state;
	start(&f);
	assert_up(&f);
	open_channel(&f);
	for (int i = 0; i < CHAINS; i++) {
		struct evbuffer *chain = evbuffer_new();

		evbuffer_add(chain, "x", 1);
		evbuffer_add_buffer(bufferevent_get_output(f.bev), chain);
		evbuffer_free(chain);
	}
	settle(&f);
	assert_int_equal(f.received.n, CHAINS);
	stop(&f);
}

/* Larger than what we may send is what we would answer with. */
static void test_a_ping_that_cannot_be_answered_ends_the_link(void **state)
{
	struct fixture f = {0};
	struct wr ping = WR_INIT;
	uint8_t *data = mem_alloc(PACKET_PAYLOAD_MAX);

	(void)state;
	start(&f);
	assert_up(&f);
	wr_u8(&ping, SSH_MSG_PING);
	wr_string(&ping, SPAN(data, PACKET_PAYLOAD_MAX - 4));
	server_send_now(f.server, wr_span(&ping));
	settle(&f);
	assert_closed(&f, ERR_LOCAL, "a message of 261889 bytes");
	free(data);
	wr_clear(&ping);
	stop(&f);
}

/* ---- servers that lie about channels ---- */

static void send_channel_message(struct fixture *f, uint8_t type, uint32_t id, const char *data)
{
	struct wr w = WR_INIT;

	wr_u8(&w, type);
	wr_u32(&w, id);
	if (data)
		wr_cstring(&w, data);
	server_send_now(f->server, wr_span(&w));
	wr_clear(&w);
	settle(f);
}

static void test_data_for_a_channel_that_is_not_there_hurts_nobody(void **state)
{
	(void)state;
	struct fixture f = {0};

	start(&f);
	open_channel(&f);
	send_channel_message(&f, SSH_MSG_CHANNEL_DATA, 4711, "hello");
	send_channel_message(&f, SSH_MSG_CHANNEL_EOF, 4711, NULL);
	send_channel_message(&f, SSH_MSG_CHANNEL_CLOSE, 4711, NULL);
	assert_up(&f);
	expect_echo(&f, (const uint8_t *)"x", 1);
	stop(&f);
}

static void test_a_confirmation_that_nobody_waits_for_ends_it(void **state)
{
	(void)state;
	struct fixture f = {0};

	start(&f);
	server_send_now(f.server, SPAN("\x5b\0\0\x12\x67\0\0\0\0\0\0\0\x01\0\0\0\x01", 17));
	settle(&f);
	assert_closed(&f, ERR_PEER, "");
	assert_int_equal(server_disconnect_code(f.server), DISCONNECT_PROTOCOL_ERROR);
	stop(&f);
}

static void test_more_than_the_window_ends_it_with_bounded_memory(void **state)
{
	(void)state;
	struct fixture f = {.options.session.window = 10000};
	char *much = mem_alloc(8001);
	int messages = 0;

	memset(much, 'x', 8000);
	start(&f);
	open_channel(&f);
	/* Nobody reads: the credit does not come back. */
	bufferevent_setcb(f.bev, NULL, NULL, on_event, &f);
	while (f.closed == 0 && messages < 100) {
		send_channel_message(&f, SSH_MSG_CHANNEL_DATA, 0, much);
		messages++;
	}
	assert_closed(&f, ERR_PEER, "window");
	assert_true(messages <= 3);
	free(much);
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_it_comes_up_through_its_states),
	    cmocka_unit_test(test_a_server_that_is_silent_ends_at_the_deadline),
	    cmocka_unit_test(test_a_login_that_is_not_answered_ends_at_the_deadline),
	    cmocka_unit_test(test_the_deadline_is_over_when_it_is_up),
	    cmocka_unit_test(test_the_deadline_waits_while_a_person_must_touch_a_key),
	    cmocka_unit_test(test_after_the_touch_the_server_has_its_whole_time),
	    cmocka_unit_test(test_the_servers_time_is_its_time_before_and_after_the_touch),
	    cmocka_unit_test(test_a_refused_login_is_told_to_the_server),
	    cmocka_unit_test(test_a_lost_connection_is_told_once),
	    cmocka_unit_test(test_close_says_goodbye_and_then_that_it_is_closed),
	    cmocka_unit_test(test_close_before_it_is_up_ends_it_as_well),
	    cmocka_unit_test(test_free_says_goodbye_and_nothing_to_us),
	    cmocka_unit_test(test_it_may_be_freed_or_closed_in_every_callback),
	    cmocka_unit_test(test_the_connection_layer_does_not_begin_before_the_login_is_done),
	    cmocka_unit_test(test_a_request_that_the_server_does_not_know_is_refused),
	    cmocka_unit_test(test_a_network_that_dies_in_a_rekey_is_noticed_by_keepalive),
	    cmocka_unit_test(test_a_rekey_in_which_something_moves_is_not_cut),
	    cmocka_unit_test(test_messages_of_the_login_are_unknown_when_it_is_done),
	    cmocka_unit_test(test_what_goes_in_comes_back_and_so_does_the_end),
	    cmocka_unit_test(test_windows_of_one_byte_are_windows),
	    cmocka_unit_test(test_rekeys_by_both_in_the_middle_of_it_lose_nothing),
	    cmocka_unit_test(test_many_small_chains_arrive_whole),
	    cmocka_unit_test(test_a_ping_that_cannot_be_answered_ends_the_link),
	    cmocka_unit_test(test_data_for_a_channel_that_is_not_there_hurts_nobody),
	    cmocka_unit_test(test_a_confirmation_that_nobody_waits_for_ends_it),
	    cmocka_unit_test(test_more_than_the_window_ends_it_with_bounded_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
