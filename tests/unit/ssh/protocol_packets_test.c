/* Servers that break the protocol once there are keys, and rekeys at every point of a conversation. */
#include "transport_rig.h"

/* ---- packets ---- */

static const char *const macs[] = {"hmac-sha2-256", "hmac-sha2-512",
    "hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com"};

static void test_a_damaged_packet_is_refused_under_every_cipher(void **state)
{
	(void)state;
	for (size_t i = 0; cipher_at(i); i++) {
		struct rig rig = {.options.prefs.ciphers = cipher_at(i)->name};

		rig_handshake(&rig);
		server_send_damaged(rig.server, span_of("^damaged"));
		rig_settle(&rig);
		rig_assert_closed(&rig, ERR_PEER, "integrity");
		assert_string_equal(strbuf_text(&rig.messages), "");
		assert_int_equal(server_disconnect_code(rig.server), DISCONNECT_PROTOCOL_ERROR);
		rig_stop(&rig);
	}
}

static void test_a_wrong_mac_is_refused_with_every_mac(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(macs); i++) {
		struct rig rig = {.options.prefs = {.ciphers = "aes256-ctr", .macs = macs[i]}};

		rig_handshake(&rig);
		rig_server_sends(&rig, "^good");
		server_send_damaged(rig.server, span_of("^damaged"));
		rig_settle(&rig);
		rig_assert_closed(&rig, ERR_PEER, "integrity");
		assert_string_equal(strbuf_text(&rig.messages), "94:good");
		rig_stop(&rig);
	}
}

static void test_noise_instead_of_packets_ends_it_under_every_cipher(void **state)
{
	(void)state;
	for (size_t i = 0; cipher_at(i); i++) {
		struct rig rig = {.options.prefs.ciphers = cipher_at(i)->name};
		uint8_t noise[2000];

		rig_handshake(&rig);
		random_seed_for_tests(42 + i);
		/* A length that happens to be legal must be followed by enough for the check of the rest. */
		for (int n = 0; n < 200 && rig.closed == 0; n++) {
			random_key_bytes(noise, sizeof(noise));
			server_send_raw(rig.server, SPAN(noise, sizeof(noise)));
			rig_settle(&rig);
		}
		random_seed_for_tests(0);
		rig_assert_closed(&rig, ERR_PEER, "");
		assert_string_equal(strbuf_text(&rig.messages), "");
		rig_stop(&rig);
	}
}

static void test_an_end_in_the_middle_of_a_packet_says_so(void **state)
{
	(void)state;
	struct rig rig = {.options.prefs.ciphers = "aes256-gcm@openssh.com"};

	rig_handshake(&rig);
	transport_set_authenticated(rig.t);
	server_send_raw(rig.server, SPAN("\0\0\0\x20half", 8));
	server_finish(rig.server);
	rig_settle(&rig);
	rig_assert_closed(&rig, ERR_NETWORK, "in the middle of a message");
	rig_stop(&rig);
}

static void test_the_largest_packet_fits_into_the_input(void **state)
{
	(void)state;
	struct rig rig = {0};
	size_t n = PACKET_LENGTH_MAX - 64;
	char *large = mem_alloc(n + 1);

	memset(large, '^', n);
	rig_handshake(&rig);
	rig_server_sends(&rig, large);
	rig_server_sends(&rig, "_after");
	rig_settle(&rig);
	assert_int_equal(rig.closed, 0);
	assert_int_equal(rig.messages.n, 3 + (n - 1) + 1 + 3 + 5);
	free(large);
	rig_stop(&rig);
}

/* ---- messages of the transport ---- */

static void expect_malformed(struct span message)
{
	for (size_t n = 1; n <= message.n; n++) {
		struct rig rig = {0};

		if (n == message.n - 1)
			continue; /* the whole message; the last byte is one too many */
		rig_handshake(&rig);
		server_send_now(rig.server, SPAN(message.p, n));
		rig_settle(&rig);
		rig_assert_closed(&rig, ERR_PEER, "malformed");
		rig_stop(&rig);
	}
}

static void test_malformed_messages_of_the_transport_are_refused(void **state)
{
	(void)state;
	expect_malformed(SPAN("\x03\0\0\0\x01+", 6));
	expect_malformed(SPAN("\x04\x01\0\0\0\x02hi\0\0\0\0+", 13));
	expect_malformed(SPAN("\x07\0\0\0\x01\0\0\0\x01x\0\0\0\x01y+", 16));
}

static void test_a_flood_of_unknown_messages_ends_it(void **state)
{
	(void)state;
	struct rig rig = {0};

	rig_handshake(&rig);
	/* It does not read our answers: what we owe would grow for ever. */
	server_stop_reading(rig.server);
	for (int i = 0; i < 5000; i++)
		server_send_message(rig.server, 0xf0);
	rig_settle(&rig);
	rig_assert_closed(&rig, ERR_PEER, "too many messages that are unknown");
	rig_stop(&rig);
}

static void test_as_many_of_them_over_time_are_answered(void **state)
{
	(void)state;
	struct rig rig = {0};

	rig_handshake(&rig);
	for (int i = 0; i < 300; i++) {
		for (int j = 0; j < 10; j++)
			server_send_message(rig.server, 0xf0);
		rig_settle(&rig);
	}
	assert_int_equal(rig.closed, 0);
	rig_stop(&rig);
}

static void test_service_request_is_not_for_a_server_to_send(void **state)
{
	(void)state;
	struct rig rig = {0};

	rig_handshake(&rig);
	server_forget_seen(rig.server);
	server_send_now(rig.server, SPAN("\x05\0\0\0\0", 5));
	rig_settle(&rig);
	assert_string_equal(server_seen(rig.server), "3");
	rig_stop(&rig);
}

/* ---- rekey ---- */

static void test_service_and_login_messages_in_a_rekey_are_refused(void **state)
{
	(void)state;
	static const char *const messages[] = {"\x06x", "2", "4", "O"};

	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		struct rig rig = {0};

		rig_handshake(&rig);
		server_rekey(rig.server);
		rig_server_sends(&rig, messages[i]);
		rig_settle(&rig);
		rig_assert_closed(&rig, ERR_PEER, "during a key re-exchange");
		assert_string_equal(strbuf_text(&rig.messages), "");
		rig_stop(&rig);
	}
}

static void test_connection_messages_between_the_servers_kexinit_and_its_newkeys_are_taken(
    void **state)
{
	(void)state;
	static const char *const messages[][2] = {
	    {"P", "80:"}, {"^", "94:"}, {"d", "100:"}, {"\xc1", "193:"}};

	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		struct rig rig = {0};

		rig_handshake(&rig);
		server_rekey(rig.server);
		rig_server_sends(&rig, messages[i][0]);
		rig_settle(&rig);
		assert_int_equal(rig.closed, 0);
		assert_string_equal(strbuf_text(&rig.messages), messages[i][1]);
		rig_stop(&rig);
	}
}

static void test_a_kexinit_in_a_running_rekey_is_refused(void **state)
{
	(void)state;
	struct rig rig = {0};

	rig_handshake(&rig);
	server_rekey(rig.server);
	server_send_message(rig.server, SSH_MSG_KEXINIT);
	rig_settle(&rig);
	rig_assert_closed(&rig, ERR_PEER, "20");
	rig_stop(&rig);
}

static void test_newkeys_out_of_the_blue_is_refused(void **state)
{
	(void)state;
	struct rig rig = {0};

	rig_handshake(&rig);
	server_send_message(rig.server, SSH_MSG_NEWKEYS);
	rig_settle(&rig);
	rig_assert_closed(&rig, ERR_PEER, "21");
	rig_stop(&rig);
}

static void test_a_rekey_whose_signature_is_bad_ends_it(void **state)
{
	(void)state;
	struct rig rig = {0};

	rig_handshake(&rig);
	server_sign_badly(rig.server);
	transport_rekey(rig.t);
	rig_settle(&rig);
	rig_assert_closed(&rig, ERR_PEER, "signature");
	assert_int_equal(server_disconnect_code(rig.server), DISCONNECT_KEY_EXCHANGE_FAILED);
	rig_stop(&rig);
}

/* ---- a conversation with rekeys at every point ---- */

enum who { CLIENT_REKEYS, SERVER_REKEYS, BOTH_REKEY };

struct conversation {
	struct rig rig;
	struct strbuf expected_by_server;
	struct strbuf seen_by_server;
};

static bool note_message(void *arg, struct server *s, struct span payload)
{
	struct conversation *c = arg;

	(void)s;
	strbuf_addf(&c->seen_by_server, "%u:", payload.p[0]);
	strbuf_add_n(&c->seen_by_server, payload.p + 1, payload.n - 1);
	strbuf_add(&c->seen_by_server, " ");
	return true;
}

static void say_something(struct conversation *c, int i, struct strbuf *expected_by_client)
{
	char *ours = str_format("^c%d", i), *theirs = str_format("^s%d", i);

	rig_client_sends(&c->rig, ours);
	strbuf_addf(&c->expected_by_server, "94:%s ", ours + 1);
	server_send(c->rig.server, span_of(theirs));
	strbuf_addf(expected_by_client, "%s94:%s", expected_by_client->n ? " " : "", theirs + 1);
	free(ours);
	free(theirs);
}

/* 40 messages each way, one a pass, with a rekey begun at passes first and second. */
static void converse(int first, int second, enum who who, size_t fragment,
    enum kex_strictness strict, const char *cipher)
{
	struct conversation c = {.rig.script = {.fragment = fragment, .strict = strict}};
	struct strbuf expected_by_client = {0};

	c.rig.script.on_message = note_message;
	c.rig.script.arg = &c;
	c.rig.options.prefs.ciphers = cipher;
	rig_handshake(&c.rig);
	for (int i = 0; i < 40; i++) {
		say_something(&c, i, &expected_by_client);
		if ((i == first || i == second) && who != SERVER_REKEYS)
			transport_rekey(c.rig.t);
		if ((i == first || i == second) && who != CLIENT_REKEYS)
			server_rekey(c.rig.server);
		loop_pass(c.rig.loop, LOOP_NO_WAIT);
	}
	rig_settle(&c.rig);
	if (c.rig.closed)
		print_error("%d %d %d: %s\n", first, second, who, c.rig.why.text);
	assert_int_equal(c.rig.closed, 0);
	assert_string_equal(server_complaint(c.rig.server), "");
	assert_true(server_exchanges(c.rig.server) >= 2);
	assert_string_equal(strbuf_text(&c.rig.messages), strbuf_text(&expected_by_client));
	assert_string_equal(strbuf_text(&c.seen_by_server), strbuf_text(&c.expected_by_server));
	strbuf_clear(&expected_by_client);
	strbuf_clear(&c.expected_by_server);
	strbuf_clear(&c.seen_by_server);
	rig_stop(&c.rig);
}

static void test_a_rekey_at_every_point_loses_nothing(void **state)
{
	(void)state;
	for (int who = CLIENT_REKEYS; who <= BOTH_REKEY; who++)
		for (int second = 1; second < 30; second++)
			converse(0, second, (enum who)who, 0, KEX_OFFERS_STRICT,
			    "aes256-gcm@openssh.com");
}

static void test_nor_does_it_in_small_pieces(void **state)
{
	(void)state;
	static const size_t fragments[] = {1, 7, 100, 300};

	for (int who = CLIENT_REKEYS; who <= BOTH_REKEY; who++)
		for (size_t i = 0; i < ARRAY_LEN(fragments); i++)
			converse(3, 20, (enum who)who, fragments[i], KEX_OFFERS_STRICT,
			    "chacha20-poly1305@openssh.com");
}

static void test_nor_does_it_when_sequence_numbers_go_on(void **state)
{
	(void)state;
	for (size_t i = 0; cipher_at(i); i++)
		converse(3, 20, BOTH_REKEY, 0, KEX_OFFERS_NOTHING, cipher_at(i)->name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_damaged_packet_is_refused_under_every_cipher),
	    cmocka_unit_test(test_a_wrong_mac_is_refused_with_every_mac),
	    cmocka_unit_test(test_noise_instead_of_packets_ends_it_under_every_cipher),
	    cmocka_unit_test(test_an_end_in_the_middle_of_a_packet_says_so),
	    cmocka_unit_test(test_the_largest_packet_fits_into_the_input),
	    cmocka_unit_test(test_malformed_messages_of_the_transport_are_refused),
	    cmocka_unit_test(test_a_flood_of_unknown_messages_ends_it),
	    cmocka_unit_test(test_as_many_of_them_over_time_are_answered),
	    cmocka_unit_test(test_service_request_is_not_for_a_server_to_send),
	    cmocka_unit_test(test_service_and_login_messages_in_a_rekey_are_refused),
	    cmocka_unit_test(
		test_connection_messages_between_the_servers_kexinit_and_its_newkeys_are_taken),
	    cmocka_unit_test(test_a_kexinit_in_a_running_rekey_is_refused),
	    cmocka_unit_test(test_newkeys_out_of_the_blue_is_refused),
	    cmocka_unit_test(test_a_rekey_whose_signature_is_bad_ends_it),
	    cmocka_unit_test(test_a_rekey_at_every_point_loses_nothing),
	    cmocka_unit_test(test_nor_does_it_in_small_pieces),
	    cmocka_unit_test(test_nor_does_it_when_sequence_numbers_go_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
