/* What transport.h promises, with a server that keeps the rules. The others are in protocol_*_test.c. */
#include "transport_rig.h"

#include "ssh/kexinit.h"
#include "test_keys.h"

/* Messages of the connection layer as text: their first byte is the type. */
#define DATA(text) "^" text /* 94 */

/* ---- handshake ---- */

static void test_our_identification_and_kexinit_go_out_at_once(void **state)
{
	(void)state;
	struct rig rig = {.script.ident = ""};

	rig_start(&rig);
	rig_settle(&rig);
	assert_int_equal(strncmp(server_client_ident(rig.server), "SSH-2.0-adit_", 13), 0);
	assert_string_equal(server_seen(rig.server), "20");
	assert_int_equal(rig.ready, 0);
	assert_false(transport_is_ready(rig.t));
	assert_string_equal(transport_peer_ident(rig.t), "");
	rig_stop(&rig);
}

/* The packet behind our identification: its length, its padding's, the payload. */
static void expect_host_keys_offered(struct evbuffer *sent, const char *first)
{
	struct evbuffer_ptr end = evbuffer_search(sent, "\r\n", 2, NULL);
	struct kexinit offer;
	struct err e = ERR_INIT;

	assert_true(end.pos > 0);
	evbuffer_drain(sent, (size_t)end.pos + 2);
	size_t n = evbuffer_get_length(sent);
	const uint8_t *packet = evbuffer_pullup(sent, -1);
	assert_true(n > 5 && n > 5u + packet[4]);
	if (kexinit_read(SPAN(packet + 5, n - 5 - packet[4]), &offer, &e) < 0)
		fail_msg("%s", e.text);
	struct span list = offer.lists[KEXINIT_HOST_KEY];
	assert_true(span_is(SPAN(list.p, strlen(first) < list.n ? strlen(first) : list.n), first));
}

static void expect_order_of_host_keys(const char *wanted, const char *first)
{
	static const struct transport_callbacks callbacks = {
	    rig_on_ready, rig_on_message, rig_on_can_send, rig_on_closed};
	const char *pins[] = {"ssh-rsa " TEST_RSA_BLOB};
	struct hostkey_options known = {
	    .name = "h", .port = 22, .address = "h", .pins = pins, .pin_count = 1};
	struct hostkey_policy *policy = hostkey_policy_new(&known, NULL);
	struct transport_options wants = {.hostkey = policy, .prefs.host_key = wanted};
	struct loop *loop = loop_new();
	struct bufferevent *pair[2];
	struct rig rig = {0};

	clock_fake_start(1000000, 1700000000);
	bev_pair_new(loop, pair);
	bufferevent_enable(pair[1], EV_READ);
	rig.t = transport_new(loop, pair[0], &wants, &callbacks, &rig);
	for (int i = 0; i < 20; i++)
		loop_fake_advance(loop, 0);
	expect_host_keys_offered(bufferevent_get_input(pair[1]), first);
	rig_free_transport(&rig);
	bev_free(pair[1]);
	hostkey_policy_free(policy);
	loop_pass(loop, LOOP_NO_WAIT);
	loop_free(loop);
	clock_fake_stop();
}

static void test_the_users_order_of_host_keys_is_kept(void **state)
{
	(void)state;
	expect_order_of_host_keys("ssh-ed25519,rsa-sha2-512", "ssh-ed25519,rsa-sha2-512");
}

static void test_without_one_what_is_known_of_the_host_comes_first(void **state)
{
	(void)state;
	expect_order_of_host_keys(NULL, "rsa-sha2-512,");
}

static void test_a_good_server_gets_a_handshake(void **state)
{
	(void)state;
	struct rig rig = {0};
	struct transport_info info;

	rig_handshake(&rig);
	assert_true(transport_is_ready(rig.t));
	assert_true(transport_can_send(rig.t));
	assert_int_equal(rig.can_send, 1);
	assert_int_equal(transport_session_id(rig.t).n, 32);
	assert_true(span_equal(transport_host_key(rig.t), key_blob(server_host_key())));
	assert_int_equal(
	    key_verify(server_host_key(), span_of("ssh-ed25519"), transport_session_id(rig.t),
		transport_host_key_signature(rig.t), NULL),
	    0);
	assert_string_equal(transport_peer_ident(rig.t), "SSH-2.0-OpenSSH_9.9 scripted");
	assert_true(transport_peer_quirks(rig.t) & QUIRK_OPENSSH);
	transport_get_info(rig.t, &info);
	assert_string_equal(info.kex, "curve25519-sha256");
	assert_string_equal(info.host_key_algorithm, "ssh-ed25519");
	assert_int_equal(info.rekeys, 0);
	assert_true(info.bytes_in > 0 && info.bytes_out > 0);
	rig_stop(&rig);
}

static void test_every_cipher_carries_messages_both_ways(void **state)
{
	(void)state;
	for (size_t i = 0; cipher_at(i); i++) {
		struct rig rig = {.options.prefs.ciphers = cipher_at(i)->name};
		struct transport_info info;

		rig_handshake(&rig);
		transport_get_info(rig.t, &info);
		assert_string_equal(info.cipher_out, cipher_at(i)->name);
		assert_string_equal(info.cipher_in, cipher_at(i)->name);
		assert_true((info.mac_in[0] == '\0') == (cipher_at(i)->tag_size > 0));
		server_forget_seen(rig.server);
		rig_client_sends(&rig, DATA("x"));
		rig_server_sends(&rig, DATA("hello"));
		rig_settle(&rig);
		assert_string_equal(strbuf_text(&rig.messages), "94:hello");
		assert_string_equal(server_seen(rig.server), "94");
		rig_stop(&rig);
	}
}

static void test_it_is_ready_when_the_ext_info_that_came_along_is_known(void **state)
{
	(void)state;
	struct rig rig = {.script.sig_algs = "ssh-ed25519,rsa-sha2-256"};

	rig_handshake(&rig);
	assert_true(rig.had_sig_algs);
	assert_string_equal(transport_server_sig_algs(rig.t), "ssh-ed25519,rsa-sha2-256");
	assert_true(transport_peer_has_extension(rig.t, "ping@openssh.com"));
	rig_stop(&rig);
}

static void test_a_server_without_ext_info_is_not_waited_for(void **state)
{
	(void)state;
	struct rig rig = {.script.ext_info = SERVER_NO_EXT_INFO};

	rig_handshake(&rig);
	assert_null(transport_server_sig_algs(rig.t));
	assert_false(transport_peer_has_extension(rig.t, "ping@openssh.com"));
	rig_stop(&rig);
}

static void test_our_ext_info_is_the_first_message_under_new_keys(void **state)
{
	(void)state;
	struct rig rig = {0};

	rig_handshake(&rig);
	rig_client_sends(&rig, "\x05...");
	rig_settle(&rig);
	assert_string_equal(server_seen(rig.server), "20 30 21 7 5");
	rig_stop(&rig);
}

static void test_a_handshake_of_single_bytes_is_one_too(void **state)
{
	(void)state;
	struct rig rig = {.script.fragment = 1};

	rig_handshake(&rig);
	rig_server_sends(&rig, DATA("byte by byte"));
	rig_settle(&rig);
	assert_string_equal(strbuf_text(&rig.messages), "94:byte by byte");
	rig_stop(&rig);
}

static void test_a_server_that_is_not_strict_is_served(void **state)
{
	(void)state;
	struct rig rig = {.script.strict = KEX_OFFERS_NOTHING};

	rig_handshake(&rig);
	rig_server_sends(&rig, DATA("hello"));
	transport_rekey(rig.t);
	rig_settle(&rig);
	rig_server_sends(&rig, DATA("again"));
	rig_settle(&rig);
	assert_string_equal(strbuf_text(&rig.messages), "94:hello 94:again");
	rig_stop(&rig);
}

static void test_a_host_key_that_is_not_the_right_one_ends_it(void **state)
{
	(void)state;
	struct rig rig = {0};
	const char *pins[] = {"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
	struct hostkey_options options = {
	    .name = "server.test", .port = 22, .address = "x", .pins = pins, .pin_count = 1};
	struct err e = ERR_INIT;

	rig_start(&rig);
	rig_free_transport(&rig);
	server_free(rig.server);
	hostkey_policy_free(rig.policy);
	rig.policy = hostkey_policy_new(&options, &e);
	assert_non_null(rig.policy);

	struct bufferevent *pair[2];
	struct transport_callbacks callbacks = {
	    rig_on_ready, rig_on_message, rig_on_can_send, rig_on_closed};
	bev_pair_new(rig.loop, pair);
	rig.options.hostkey = rig.policy;
	rig.server = server_new(rig.loop, pair[1], &rig.script);
	rig.t = transport_new(rig.loop, pair[0], &rig.options, &callbacks, &rig);
	rig_settle(&rig);
	rig_assert_closed(&rig, ERR_HOST_KEY, "SHA256:");
	assert_int_equal(rig.ready, 0);
	assert_int_equal(server_disconnect_code(rig.server), DISCONNECT_HOST_KEY_NOT_VERIFIABLE);
	rig_stop(&rig);
}

/* ---- messages ---- */

static void test_messages_are_handed_up_in_order(void **state)
{
	(void)state;
	struct rig rig = {0};

	rig_handshake(&rig);
	rig_server_sends(&rig, "\x06"
			       "a");
	rig_server_sends(&rig, "2b"); /* 50 */
	rig_server_sends(&rig, "\x7f"
			       "c"); /* 127 */
	rig_server_sends(&rig, "\xc1"
			       "d"); /* 193 */
	rig_settle(&rig);
	assert_string_equal(strbuf_text(&rig.messages), "6:a 50:b 127:c 193:d");
	rig_stop(&rig);
}

static void test_a_pass_takes_a_bounded_number_of_messages(void **state)
{
	(void)state;
	struct rig rig = {0};

	rig_handshake(&rig);
	for (int i = 0; i < 100; i++)
		rig_server_sends(&rig, DATA(""));
	for (size_t before = 0; rig.messages.n < 399; before = rig.messages.n) {
		loop_pass(rig.loop, LOOP_NO_WAIT);
		/* Read callback and task may both have their turn in one pass. */
		assert_true(rig.messages.n - before <= 2 * 16 * 4);
	}
	rig_stop(&rig);
}

static void test_a_pass_takes_as_many_bytes_as_it_may(void **state)
{
	(void)state;
	static char large[30000];
	struct rig rig = {0};

	memset(large, '^', sizeof(large) - 1);
	rig_handshake(&rig);
	transport_set_pass(rig.t, 64 * 1024);
	for (int i = 0; i < 8; i++)
		rig_server_sends(&rig, large);
	for (size_t before = 0; rig.messages.n < 8 * sizeof(large); before = rig.messages.n) {
		loop_pass(rig.loop, LOOP_NO_WAIT);
		/* Each turn ends with the message that is one too many. */
		assert_true(rig.messages.n - before <= 2 * 3 * (sizeof(large) + 8));
	}
	rig_stop(&rig);
}

static void test_a_message_that_nobody_knows_is_answered_with_its_number(void **state)
{
	(void)state;
	struct rig rig = {0};

	rig_handshake(&rig);
	server_forget_seen(rig.server);
	rig_server_sends(&rig, "\xf0what");
	rig_settle(&rig);
	assert_string_equal(server_seen(rig.server), "3");
	rig.answer = TRANSPORT_UNIMPLEMENTED;
	rig_server_sends(&rig, DATA("what"));
	rig_settle(&rig);
	assert_string_equal(server_seen(rig.server), "3 3");
	assert_int_equal(rig.closed, 0);
	rig_stop(&rig);
}

static void test_a_message_that_breaks_the_protocol_ends_it(void **state)
{
	(void)state;
	struct rig rig = {.answer = ERR_PEER};

	rig_handshake(&rig);
	rig_server_sends(&rig, DATA("bad"));
	rig_server_sends(&rig, DATA("not read any more"));
	rig_settle(&rig);
	rig_assert_closed(&rig, ERR_PEER, "the test does not like it");
	assert_string_equal(strbuf_text(&rig.messages), "94:bad");
	assert_int_equal(server_disconnect_code(rig.server), DISCONNECT_PROTOCOL_ERROR);
	assert_true(server_saw_end(rig.server));
	rig_stop(&rig);
}

static void test_ignore_debug_and_unimplemented_change_nothing(void **state)
{
	(void)state;
	struct rig rig = {0};

	rig_handshake(&rig);
	server_send_message(rig.server, SSH_MSG_IGNORE);
	server_send_now(rig.server, SPAN("\x03\0\0\0\x05", 5));
	server_send_now(rig.server, SPAN("\x04\x01\0\0\0\x02hi\0\0\0\0", 12));
	rig_settle(&rig);
	assert_int_equal(rig.closed, 0);
	assert_string_equal(strbuf_text(&rig.messages), "");
	rig_stop(&rig);
}

static void test_a_hint_about_a_listener_is_a_warning_and_other_debug_is_not(void **state)
{
	(void)state;
	struct rig rig = {0};
	struct wr w = WR_INIT;

	rig_handshake(&rig);
	wr_u8(&w, SSH_MSG_DEBUG);
	wr_bool(&w, true);
	wr_cstring(&w, "Forwarding listen address \"0.0.0.0\" overridden by server GatewayPorts\n");
	wr_cstring(&w, "");
	server_send_now(rig.server, wr_span(&w));
	wr_reset(&w);
	wr_u8(&w, SSH_MSG_DEBUG);
	wr_bool(&w, true);
	wr_cstring(&w, "chatter");
	wr_cstring(&w, "");
	server_send_now(rig.server, wr_span(&w));
	rig_settle(&rig);
	assert_non_null(strstr(strbuf_text(&rig.log), "warning server-hint"));
	assert_non_null(strstr(strbuf_text(&rig.log), "debug server-debug text=chatter"));
	wr_clear(&w);
	rig_stop(&rig);
}

static void send_ext_info(struct rig *rig, const char *sig_algs)
{
	struct wr w = WR_INIT;

	wr_u8(&w, SSH_MSG_EXT_INFO);
	wr_u32(&w, 1);
	wr_cstring(&w, "server-sig-algs");
	wr_cstring(&w, sig_algs);
	server_send_now(rig->server, wr_span(&w));
	wr_clear(&w);
}

static void test_an_ext_info_of_the_login_replaces_the_algorithms(void **state)
{
	(void)state;
	struct rig rig = {0};

	rig_handshake(&rig);
	send_ext_info(&rig, "ssh-ed25519");
	rig_settle(&rig);
	assert_string_equal(transport_server_sig_algs(rig.t), "ssh-ed25519");
	rig_stop(&rig);
}

static void test_an_ext_info_after_the_login_changes_nothing(void **state)
{
	(void)state;
	struct rig rig = {.script.sig_algs = "ssh-ed25519"};

	rig_handshake(&rig);
	transport_set_authenticated(rig.t);
	send_ext_info(&rig, "rsa-sha2-256");
	rig_settle(&rig);
	assert_string_equal(transport_server_sig_algs(rig.t), "ssh-ed25519");
	assert_int_equal(rig.closed, 0);
	rig_stop(&rig);
}

static void test_the_time_of_the_last_packet_is_known(void **state)
{
	(void)state;
	struct rig rig = {0};

	rig_handshake(&rig);
	loop_fake_advance(rig.loop, 5000);
	rig_server_sends(&rig, DATA("x"));
	rig_settle(&rig);
	assert_int_equal(transport_last_received_ms(rig.t), clock_now_ms());
	uint64_t then = clock_now_ms();
	loop_fake_advance(rig.loop, 7000);
	rig_client_sends(&rig, DATA("x"));
	rig_settle(&rig);
	assert_int_equal(transport_last_received_ms(rig.t), then);
	rig_stop(&rig);
}

/* ---- the gate ---- */

static void test_before_it_is_ready_nothing_can_be_sent(void **state)
{
	(void)state;
	struct rig rig = {.script.ident = ""};

	rig_start(&rig);
	rig_settle(&rig);
	assert_false(transport_can_send(rig.t));
	assert_int_equal(rig.can_send, 0);
	rig_stop(&rig);
}

static void test_a_full_output_shuts_the_gate_and_a_drained_one_opens_it(void **state)
{
	(void)state;
	static char much[30000];
	struct rig rig = {0};

	memset(much, '^', sizeof(much) - 1);
	rig_handshake(&rig);
	unsigned can_send = rig.can_send;
	int messages = 0;
	while (transport_can_send(rig.t) && messages < 100) {
		rig_client_sends(&rig, much);
		messages++;
	}
	assert_true(messages < 20);
	assert_int_equal(rig.can_send, can_send);
	rig_settle(&rig);
	assert_true(transport_can_send(rig.t));
	assert_int_equal(rig.can_send, can_send + 1);
	rig_stop(&rig);
}

static void test_messages_during_a_rekey_are_sent_after_it_in_order(void **state)
{
	(void)state;
	struct rig rig = {0};

	rig_handshake(&rig);
	server_forget_seen(rig.server);
	transport_rekey(rig.t);
	assert_false(transport_can_send(rig.t));
	rig_client_sends(&rig, "P1"); /* 80 */
	rig_client_sends(&rig, "Q2");
	rig_client_sends(&rig, "R3");
	rig_settle(&rig);
	assert_string_equal(server_seen(rig.server), "20 30 21 80 81 82");
	assert_string_equal(server_complaint(rig.server), "");
	assert_true(transport_can_send(rig.t));
	assert_int_equal(rig.can_send, 2);
	rig_stop(&rig);
}

static void test_too_many_messages_during_a_rekey_end_it_from_the_loop(void **state)
{
	(void)state;
	struct rig rig = {0};

	rig_handshake(&rig);
	server_fall_silent(rig.server);
	transport_rekey(rig.t);
	for (int i = 0; i < 1000; i++)
		rig_client_sends(&rig, "P");
	assert_int_equal(rig.closed, 0); /* a call from above never calls back */
	assert_false(transport_can_send(rig.t));
	rig_settle(&rig);
	rig_assert_closed(&rig, ERR_LOCAL, "too many messages");
	rig_stop(&rig);
}

/* ---- rekey ---- */

static unsigned rekeys(const struct rig *rig)
{
	struct transport_info info;

	transport_get_info(rig->t, &info);
	return info.rekeys;
}

static void test_either_side_and_both_at_once_may_rekey(void **state)
{
	(void)state;
	struct rig rig = {0};

	rig_handshake(&rig);
	struct wr id = WR_INIT;
	wr_span_bytes(&id, transport_session_id(rig.t));
	transport_rekey(rig.t);
	rig_settle(&rig);
	assert_int_equal(rekeys(&rig), 1);
	server_rekey(rig.server);
	rig_settle(&rig);
	assert_int_equal(rekeys(&rig), 2);
	server_rekey(rig.server);
	transport_rekey(rig.t);
	rig_settle(&rig);
	assert_int_equal(rekeys(&rig), 3);
	rig_client_sends(&rig, DATA("x"));
	rig_server_sends(&rig, DATA("still here"));
	rig_settle(&rig);
	assert_string_equal(strbuf_text(&rig.messages), "94:still here");
	assert_string_equal(server_complaint(rig.server), "");
	assert_true(span_equal(transport_session_id(rig.t), wr_span(&id)));
	assert_int_equal(rig.ready, 1);
	wr_clear(&id);
	rig_stop(&rig);
}

static void test_a_rekey_that_is_asked_for_twice_is_one(void **state)
{
	(void)state;
	struct rig rig = {0};

	rig_handshake(&rig);
	transport_rekey(rig.t);
	transport_rekey(rig.t);
	rig_settle(&rig);
	assert_int_equal(rekeys(&rig), 1);
	rig_stop(&rig);
}

static void test_before_the_first_exchange_there_is_no_rekey(void **state)
{
	(void)state;
	struct rig rig = {.script.ident = ""};

	rig_start(&rig);
	transport_rekey(rig.t);
	rig_settle(&rig);
	assert_string_equal(server_seen(rig.server), "20");
	rig_stop(&rig);
}

static void test_data_is_legal_until_the_servers_kexinit(void **state)
{
	(void)state;
	struct rig rig = {0};

	rig_handshake(&rig);
	server_fall_silent(rig.server);
	transport_rekey(rig.t);
	rig_settle(&rig);
	for (int i = 0; i < 50; i++)
		rig_server_sends(&rig, DATA("x"));
	rig_settle(&rig);
	assert_int_equal(rig.closed, 0);
	assert_int_equal(rig.messages.n, 50 * 5 - 1);
	rig_stop(&rig);
}

static void test_a_rekey_has_a_deadline_of_its_own(void **state)
{
	(void)state;
	struct rig rig = {.options.rekey_timeout_ms = 5000};

	rig_handshake(&rig);
	server_fall_silent(rig.server);
	loop_fake_advance(rig.loop, 100000);
	assert_int_equal(rig.closed, 0);
	transport_rekey(rig.t);
	loop_fake_advance(rig.loop, 4999);
	assert_int_equal(rig.closed, 0);
	/* That something comes does not put it off. */
	rig_server_sends(&rig, DATA("x"));
	loop_fake_advance(rig.loop, 2);
	rig_assert_closed(&rig, ERR_TIMEOUT, "within 5 s");
	rig_stop(&rig);
}

static void send_bytes(struct rig *rig, size_t bytes)
{
	static char text[1001];

	memset(text, '^', 1000);
	for (; bytes >= 1000; bytes -= 1000)
		rig_client_sends(rig, text);
	rig_settle(rig);
}

static void receive_bytes(struct rig *rig, size_t bytes)
{
	static char text[1001];

	memset(text, '^', 1000);
	for (; bytes >= 1000; bytes -= 1000)
		rig_server_sends(rig, text);
	rig_settle(rig);
}

static void test_a_slow_path_has_ten_times_as_long_for_a_rekey(void **state)
{
	(void)state;
	struct rig rig = {.options.rekey_timeout_ms = 5000};

	rig_handshake(&rig);
	server_fall_silent(rig.server);
	transport_rekey(rig.t);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(rig.closed, 0);
		receive_bytes(&rig, 20000);
		loop_fake_advance(rig.loop, 5000);
	}
	rig_assert_closed(&rig, ERR_TIMEOUT, "within 50 s");
	rig_stop(&rig);
}

static void test_what_goes_out_before_a_rekey_gives_it_time_too(void **state)
{
	(void)state;
	struct rig rig = {.options.rekey_timeout_ms = 5000};

	rig_handshake(&rig);
	server_pause(rig.server);
	send_bytes(&rig, 400000);
	transport_rekey(rig.t);
	loop_fake_advance(rig.loop, 4999);
	server_fall_silent(rig.server);
	server_go_on(rig.server);
	rig_settle(&rig);
	loop_fake_advance(rig.loop, 5000);
	assert_int_equal(rig.closed, 0);
	loop_fake_advance(rig.loop, 1);
	rig_assert_closed(&rig, ERR_TIMEOUT, "within 10 s");
	rig_stop(&rig);
}

static void test_a_rekey_that_is_done_has_no_deadline_any_more(void **state)
{
	(void)state;
	struct rig rig = {.options.rekey_timeout_ms = 5000};

	rig_handshake(&rig);
	transport_rekey(rig.t);
	rig_settle(&rig);
	loop_fake_advance(rig.loop, 100000);
	assert_int_equal(rig.closed, 0);
	rig_stop(&rig);
}

static void test_bytes_sent_or_received_bring_new_keys(void **state)
{
	(void)state;
	struct rig rig = {.options.rekey_bytes = 100000};

	rig_handshake(&rig);
	transport_set_authenticated(rig.t);
	send_bytes(&rig, 70000);
	assert_int_equal(rekeys(&rig), 0);
	send_bytes(&rig, 15000);
	assert_int_equal(rekeys(&rig), 1);
	receive_bytes(&rig, 90000);
	assert_int_equal(rekeys(&rig), 2);
	assert_string_equal(server_complaint(rig.server), "");
	rig_stop(&rig);
}

static void test_before_the_login_is_done_we_do_not_rekey_by_ourselves(void **state)
{
	(void)state;
	struct rig rig = {.options = {.rekey_bytes = 10000, .rekey_interval_ms = 1000}};

	rig_handshake(&rig);
	send_bytes(&rig, 20000);
	loop_fake_advance(rig.loop, 10000);
	assert_int_equal(rekeys(&rig), 0);
	transport_set_authenticated(rig.t);
	rig_settle(&rig);
	assert_int_equal(rekeys(&rig), 1);
	rig_stop(&rig);
}

static void test_an_idle_connection_rekeys_at_half_of_its_time_again_and_again(void **state)
{
	(void)state;
	struct rig rig = {.options.rekey_interval_ms = 3600000};

	rig_handshake(&rig);
	transport_set_authenticated(rig.t);
	loop_fake_advance(rig.loop, 1799000);
	assert_int_equal(rekeys(&rig), 0);
	loop_fake_advance(rig.loop, 2000);
	assert_int_equal(rekeys(&rig), 1);
	loop_fake_advance(rig.loop, 1801000);
	assert_int_equal(rekeys(&rig), 2);
	rig_stop(&rig);
}

static void test_what_is_owed_goes_out_before_our_kexinit(void **state)
{
	(void)state;
	struct rig rig = {.options.rekey_bytes = 10000};

	rig_handshake(&rig);
	transport_set_authenticated(rig.t);
	unsigned before = rig.can_send;
	for (int i = 0; i < 9; i++) {
		char text[1001];

		memset(text, '^', 1000);
		text[1000] = '\0';
		rig_client_sends(&rig, text);
	}
	loop_pass(rig.loop, LOOP_NO_WAIT);
	assert_true(rig.can_send > before);
	rig_settle(&rig);
	assert_int_equal(rekeys(&rig), 1);
	rig_stop(&rig);
}

/* ---- ends ---- */

static void test_disconnect_is_sent_and_calls_nobody(void **state)
{
	(void)state;
	struct rig rig = {0};

	rig_handshake(&rig);
	transport_disconnect(rig.t, DISCONNECT_BY_APPLICATION, "bye");
	rig_settle(&rig);
	assert_int_equal(rig.closed, 0);
	assert_false(transport_can_send(rig.t));
	assert_int_equal(server_disconnect_code(rig.server), DISCONNECT_BY_APPLICATION);
	assert_true(server_saw_end(rig.server));
	/* What is still called on it does nothing. */
	rig_client_sends(&rig, DATA("x"));
	transport_rekey(rig.t);
	transport_disconnect(rig.t, DISCONNECT_BY_APPLICATION, "bye");
	rig_settle(&rig);
	rig_stop(&rig);
}

static void test_the_servers_disconnect_is_the_reason(void **state)
{
	(void)state;
	struct rig rig = {0};
	struct wr w = WR_INIT;

	rig_handshake(&rig);
	wr_u8(&w, SSH_MSG_DISCONNECT);
	wr_u32(&w, DISCONNECT_TOO_MANY_CONNECTIONS);
	wr_cstring(&w, "come back\nlater");
	wr_cstring(&w, "");
	server_send_now(rig.server, wr_span(&w));
	rig_settle(&rig);
	rig_assert_closed(&rig, ERR_NETWORK, "come back\\nlater\" (code 12)");
	assert_true(transport_closed_by_peer(rig.t));
	wr_clear(&w);
	rig_stop(&rig);
}

static void test_an_end_after_the_login_is_a_network_error_after_all_that_came_before(void **state)
{
	(void)state;
	struct rig rig = {0};

	rig_handshake(&rig);
	transport_set_authenticated(rig.t);
	for (int i = 0; i < 40; i++)
		rig_server_sends(&rig, DATA(""));
	server_finish(rig.server);
	rig_settle(&rig);
	assert_int_equal(rig.messages.n, 40 * 4 - 1);
	rig_assert_closed(&rig, ERR_NETWORK, "the server closed the connection");
	assert_true(transport_closed_by_peer(rig.t));
	rig_stop(&rig);
}

static void test_an_end_during_the_login_says_so(void **state)
{
	(void)state;
	struct rig rig = {0};

	rig_handshake(&rig);
	server_finish(rig.server);
	rig_settle(&rig);
	rig_assert_closed(&rig, ERR_NETWORK, "during the login");
	rig_stop(&rig);
}

static void test_a_reset_is_named(void **state)
{
	(void)state;
	struct rig rig = {0};

	rig_handshake(&rig);
	server_reset(rig.server);
	rig_settle(&rig);
	rig_assert_closed(&rig, ERR_NETWORK, "the connection was lost: Connection reset by peer");
	assert_false(transport_closed_by_peer(rig.t));
	rig_stop(&rig);
}

static void test_it_may_be_freed_in_every_callback(void **state)
{
	(void)state;
	static const enum free_in places[] = {
	    FREE_IN_READY, FREE_IN_MESSAGE, FREE_IN_CAN_SEND, FREE_IN_CLOSED};

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		struct rig rig = {.free_in = places[i]};

		rig_start(&rig);
		rig_settle(&rig);
		if (rig.t) {
			rig_server_sends(&rig, DATA("x"));
			rig_server_sends(&rig, DATA("y"));
			server_finish(rig.server);
			rig_settle(&rig);
		}
		assert_null(rig.t);
		assert_int_equal(rig.closed, places[i] == FREE_IN_CLOSED);
		rig_stop(&rig);
	}
}

static void test_what_lies_in_the_input_already_is_read(void **state)
{
	(void)state;
	struct rig rig = {0};
	struct bufferevent *pair[2];
	struct transport_callbacks callbacks = {
	    rig_on_ready, rig_on_message, rig_on_can_send, rig_on_closed};

	rig_start(&rig);
	rig_free_transport(&rig);
	server_free(rig.server);
	bev_pair_new(rig.loop, pair);
	rig.server = server_new(rig.loop, pair[1], &rig.script);
	rig_settle(&rig); /* the server's greeting is told to nobody */
	rig.t = transport_new(rig.loop, pair[0], &rig.options, &callbacks, &rig);
	rig_settle(&rig);
	assert_int_equal(rig.ready, 1);
	rig_stop(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_our_identification_and_kexinit_go_out_at_once),
	    cmocka_unit_test(test_the_users_order_of_host_keys_is_kept),
	    cmocka_unit_test(test_without_one_what_is_known_of_the_host_comes_first),
	    cmocka_unit_test(test_a_good_server_gets_a_handshake),
	    cmocka_unit_test(test_every_cipher_carries_messages_both_ways),
	    cmocka_unit_test(test_it_is_ready_when_the_ext_info_that_came_along_is_known),
	    cmocka_unit_test(test_a_server_without_ext_info_is_not_waited_for),
	    cmocka_unit_test(test_our_ext_info_is_the_first_message_under_new_keys),
	    cmocka_unit_test(test_a_handshake_of_single_bytes_is_one_too),
	    cmocka_unit_test(test_a_server_that_is_not_strict_is_served),
	    cmocka_unit_test(test_a_host_key_that_is_not_the_right_one_ends_it),
	    cmocka_unit_test(test_messages_are_handed_up_in_order),
	    cmocka_unit_test(test_a_pass_takes_a_bounded_number_of_messages),
	    cmocka_unit_test(test_a_pass_takes_as_many_bytes_as_it_may),
	    cmocka_unit_test(test_a_message_that_nobody_knows_is_answered_with_its_number),
	    cmocka_unit_test(test_a_message_that_breaks_the_protocol_ends_it),
	    cmocka_unit_test(test_ignore_debug_and_unimplemented_change_nothing),
	    cmocka_unit_test(test_a_hint_about_a_listener_is_a_warning_and_other_debug_is_not),
	    cmocka_unit_test(test_an_ext_info_of_the_login_replaces_the_algorithms),
	    cmocka_unit_test(test_an_ext_info_after_the_login_changes_nothing),
	    cmocka_unit_test(test_the_time_of_the_last_packet_is_known),
	    cmocka_unit_test(test_before_it_is_ready_nothing_can_be_sent),
	    cmocka_unit_test(test_a_full_output_shuts_the_gate_and_a_drained_one_opens_it),
	    cmocka_unit_test(test_messages_during_a_rekey_are_sent_after_it_in_order),
	    cmocka_unit_test(test_too_many_messages_during_a_rekey_end_it_from_the_loop),
	    cmocka_unit_test(test_either_side_and_both_at_once_may_rekey),
	    cmocka_unit_test(test_a_rekey_that_is_asked_for_twice_is_one),
	    cmocka_unit_test(test_before_the_first_exchange_there_is_no_rekey),
	    cmocka_unit_test(test_data_is_legal_until_the_servers_kexinit),
	    cmocka_unit_test(test_a_rekey_has_a_deadline_of_its_own),
	    cmocka_unit_test(test_a_slow_path_has_ten_times_as_long_for_a_rekey),
	    cmocka_unit_test(test_what_goes_out_before_a_rekey_gives_it_time_too),
	    cmocka_unit_test(test_a_rekey_that_is_done_has_no_deadline_any_more),
	    cmocka_unit_test(test_bytes_sent_or_received_bring_new_keys),
	    cmocka_unit_test(test_before_the_login_is_done_we_do_not_rekey_by_ourselves),
	    cmocka_unit_test(test_an_idle_connection_rekeys_at_half_of_its_time_again_and_again),
	    cmocka_unit_test(test_what_is_owed_goes_out_before_our_kexinit),
	    cmocka_unit_test(test_disconnect_is_sent_and_calls_nobody),
	    cmocka_unit_test(test_the_servers_disconnect_is_the_reason),
	    cmocka_unit_test(
		test_an_end_after_the_login_is_a_network_error_after_all_that_came_before),
	    cmocka_unit_test(test_an_end_during_the_login_says_so),
	    cmocka_unit_test(test_a_reset_is_named),
	    cmocka_unit_test(test_it_may_be_freed_in_every_callback),
	    cmocka_unit_test(test_what_lies_in_the_input_already_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
