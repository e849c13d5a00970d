/* Servers that break the protocol before there are keys: each ends the connection with a reason. */
#include "transport_rig.h"

#include "ssh/kexinit.h"

#define IDENT "SSH-2.0-OpenSSH_9.9\r\n"

/* A server that says nothing by itself. */
static void start_mute(struct rig *rig)
{
	rig->script.ident = "";
	rig_start(rig);
	server_fall_silent(rig->server);
	rig_settle(rig);
}

static void say(struct rig *rig, struct span bytes)
{
	server_send_raw(rig->server, bytes);
	rig_settle(rig);
}

static void say_text(struct rig *rig, const char *text)
{
	say(rig, span_of(text));
}

/* In the clear, as packets are before the first keys. */
static void say_packet(struct rig *rig, struct span payload)
{
	server_send_now(rig->server, payload);
	rig_settle(rig);
}

static void expect_closed(struct rig *rig, enum error_class class, const char *words)
{
	rig_assert_closed(rig, class, words);
	assert_int_equal(rig->ready, 0);
	assert_string_equal(strbuf_text(&rig->messages), "");
	rig_stop(rig);
}

/* ---- before the identification ---- */

static void test_a_server_that_says_nothing_keeps_nothing_but_us_waiting(void **state)
{
	(void)state;
	struct rig rig = {0};

	start_mute(&rig);
	loop_fake_advance(rig.loop, 3600000);
	assert_int_equal(rig.closed, 0);
	assert_int_equal(rig.ready, 0);
	rig_stop(&rig);
}

static void test_a_web_server_is_named(void **state)
{
	(void)state;
	struct rig rig = {0};

	start_mute(&rig);
	say_text(&rig, "HTTP/1.1 400 Bad Request\r\n");
	expect_closed(&rig, ERR_PEER, "HTTP");
}

static void test_protocol_version_1_is_refused(void **state)
{
	(void)state;
	struct rig rig = {0};

	start_mute(&rig);
	say_text(&rig, "SSH-1.5-old\r\n");
	expect_closed(&rig, ERR_PEER, "2.0");
}

static void test_garbage_is_no_server(void **state)
{
	(void)state;
	struct rig rig = {0};

	start_mute(&rig);
	say(&rig, SPAN("\x00\x01\x02\xff\xfe", 5));
	expect_closed(&rig, ERR_PEER, "not an SSH server");
}

static void test_a_line_without_end_is_not_waited_for(void **state)
{
	(void)state;
	static char endless[1000000];
	struct rig rig = {0};

	memset(endless, 'x', sizeof(endless));
	start_mute(&rig);
	say(&rig, SPAN(endless, sizeof(endless)));
	expect_closed(&rig, ERR_PEER, "not an SSH server");
}

static void test_lines_without_end_are_not_read(void **state)
{
	(void)state;
	struct rig rig = {0};

	start_mute(&rig);
	for (int i = 0; i < 10000 && rig.closed == 0; i++)
		server_send_raw(rig.server, span_of("welcome\r\n"));
	rig_settle(&rig);
	expect_closed(&rig, ERR_PEER, "no identification");
}

static void test_an_end_before_the_identification_says_what_it_may_mean(void **state)
{
	(void)state;
	struct rig rig = {0};

	start_mute(&rig);
	server_finish(rig.server);
	rig_settle(&rig);
	expect_closed(&rig, ERR_NETWORK, "before saying who it is (MaxStartups");
}

static void test_an_end_after_a_greeting_quotes_it_escaped(void **state)
{
	(void)state;
	struct rig rig = {0};

	start_mute(&rig);
	say_text(&rig, "Exceeded MaxStartups\033[2J\r\n");
	server_finish(rig.server);
	rig_settle(&rig);
	expect_closed(&rig, ERR_NETWORK, "it said \"Exceeded MaxStartups\\x1b[2J\"");
}

static void test_a_penalised_source_is_a_login_failure(void **state)
{
	(void)state;
	struct rig rig = {0};

	start_mute(&rig);
	say_text(&rig, "Not allowed at this time\r\n");
	server_finish(rig.server);
	rig_settle(&rig);
	expect_closed(&rig, ERR_LOGIN, "PerSourcePenalties");
}

/* As the kernel ends it when our identification lies there unread. */
static void test_a_penalised_source_is_one_after_a_reset_too(void **state)
{
	(void)state;
	struct rig rig = {0};

	start_mute(&rig);
	say_text(&rig, "Not allowed at this time\r\n");
	rig_settle(&rig);
	server_reset(rig.server);
	rig_settle(&rig);
	expect_closed(&rig, ERR_LOGIN, "PerSourcePenalties");
}

static void test_an_end_during_the_key_exchange_says_so(void **state)
{
	(void)state;
	struct rig rig = {0};

	start_mute(&rig);
	say_text(&rig, IDENT);
	server_finish(rig.server);
	rig_settle(&rig);
	expect_closed(&rig, ERR_NETWORK, "during the key exchange");
}

static void test_a_reset_before_the_identification_is_the_networks(void **state)
{
	(void)state;
	struct rig rig = {0};

	start_mute(&rig);
	server_reset(rig.server);
	rig_settle(&rig);
	expect_closed(&rig, ERR_NETWORK, "Connection reset");
}

/* ---- packets in the clear ---- */

static void test_lengths_that_cannot_be_are_refused_at_once(void **state)
{
	(void)state;
	static const uint32_t lengths[] = {
	    0, 1, 4, 5, 35001, PACKET_LENGTH_MAX + 4, 0x7fffffff, 0x80000000, 0xffffffff};

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct rig rig = {0};
		uint8_t head[4];

		start_mute(&rig);
		say_text(&rig, IDENT);
		put_u32(head, lengths[i]);
		say(&rig, SPAN(head, 4));
		expect_closed(&rig, ERR_PEER, "length");
	}
}

static void test_more_padding_than_packet_is_refused(void **state)
{
	(void)state;
	struct rig rig = {0};

	start_mute(&rig);
	say_text(&rig, IDENT);
	say(&rig, SPAN("\0\0\0\x0c\xff\x14zzzzzzzzzz", 16));
	expect_closed(&rig, ERR_PEER, "padding");
}

static void test_packets_without_end_before_the_keys_are_not_read(void **state)
{
	(void)state;
	struct rig rig = {0};

	start_mute(&rig);
	say_text(&rig, IDENT);
	for (int i = 0; i < 100000 && rig.closed == 0; i++) {
		server_send_message(rig.server, SSH_MSG_IGNORE);
		if (i % 1000 == 0)
			rig_settle(&rig);
	}
	expect_closed(&rig, ERR_PEER, "before the first keys");
}

/* ---- KEXINIT ---- */

static void write_kexinit(struct wr *w, const char *markers)
{
	struct algorithm_prefs prefs = {.host_key = "ssh-ed25519"};

	kexinit_write(w, &prefs, markers);
}

static void test_a_kexinit_cut_short_anywhere_is_refused(void **state)
{
	(void)state;
	struct wr w = WR_INIT;

	write_kexinit(&w, "kex-strict-s-v00@openssh.com");
	for (size_t n = 1; n < w.n; n += n < 40 ? 1 : 17) {
		struct rig rig = {0};

		start_mute(&rig);
		say_text(&rig, IDENT);
		say_packet(&rig, SPAN(w.p, n));
		expect_closed(&rig, ERR_PEER, "KEXINIT");
	}
	wr_clear(&w);
}

static void test_a_kexinit_with_a_byte_too_many_is_refused(void **state)
{
	(void)state;
	struct rig rig = {0};
	struct wr w = WR_INIT;

	write_kexinit(&w, "kex-strict-s-v00@openssh.com");
	wr_u8(&w, 0);
	start_mute(&rig);
	say_text(&rig, IDENT);
	say_packet(&rig, wr_span(&w));
	expect_closed(&rig, ERR_PEER, "KEXINIT");
	wr_clear(&w);
}

static void test_nothing_in_common_is_said_by_its_name(void **state)
{
	(void)state;
	struct rig rig = {.script.prefs.ciphers = "aes256-gcm@openssh.com",
	    .options.prefs.ciphers = "aes128-ctr"};

	rig_start(&rig);
	rig_settle(&rig);
	assert_int_equal(server_disconnect_code(rig.server), DISCONNECT_KEY_EXCHANGE_FAILED);
	expect_closed(&rig, ERR_CONFIG, "aes256-gcm@openssh.com");
}

static void test_the_server_is_told_that_the_exchange_failed(void **state)
{
	(void)state;
	struct rig rig = {.script.host_key = SERVER_SIGNS_BADLY};

	rig_start(&rig);
	rig_settle(&rig);
	assert_int_equal(server_disconnect_code(rig.server), DISCONNECT_KEY_EXCHANGE_FAILED);
	expect_closed(&rig, ERR_PEER, "signature");
}

/* ---- messages out of order ---- */

static void test_what_does_not_belong_into_the_first_exchange_is_refused(void **state)
{
	(void)state;
	static const uint8_t types[] = {SSH_MSG_SERVICE_ACCEPT, SSH_MSG_EXT_INFO, SSH_MSG_NEWKEYS,
	    SSH_MSG_KEX_FIRST, SSH_MSG_KEX_FIRST + 1, SSH_MSG_KEX_LAST, SSH_MSG_USERAUTH_SUCCESS,
	    SSH_MSG_USERAUTH_BANNER, SSH_MSG_GLOBAL_REQUEST, SSH_MSG_CHANNEL_DATA, SSH_MSG_PING};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct rig rig = {0};

		start_mute(&rig);
		say_text(&rig, IDENT);
		say_packet(&rig, SPAN(&types[i], 1));
		expect_closed(&rig, ERR_PEER, "");
	}
}

/* From a KEXINIT of ours on, which the client answers with its first message of the method. */
static void start_exchange(struct rig *rig, const char *markers)
{
	struct wr w = WR_INIT;

	start_mute(rig);
	say_text(rig, IDENT);
	write_kexinit(&w, markers);
	say_packet(rig, wr_span(&w));
	assert_int_equal(rig->closed, 0);
	wr_clear(&w);
}

static void test_a_second_kexinit_is_refused(void **state)
{
	(void)state;
	struct rig rig = {0};
	struct wr w = WR_INIT;

	start_exchange(&rig, "");
	write_kexinit(&w, "");
	say_packet(&rig, wr_span(&w));
	expect_closed(&rig, ERR_PEER, "20");
	wr_clear(&w);
}

static void test_newkeys_before_the_method_is_refused(void **state)
{
	(void)state;
	struct rig rig = {0};

	start_exchange(&rig, "");
	say_packet(&rig, SPAN("\x15", 1));
	expect_closed(&rig, ERR_PEER, "21");
}

static void test_a_reply_that_is_malformed_is_refused(void **state)
{
	(void)state;
	struct rig rig = {0};

	start_exchange(&rig, "");
	say_packet(&rig, SPAN("\x1f\0\0\0\x01x", 6));
	expect_closed(&rig, ERR_PEER, "malformed");
}

/* ---- strict key exchange ---- */

#define STRICT "kex-strict-s-v00@openssh.com"

static void test_without_strict_ignore_debug_and_unimplemented_may_come_between(void **state)
{
	(void)state;
	struct rig rig = {.script.strict = KEX_OFFERS_NOTHING};

	rig_start(&rig);
	server_send_message(rig.server, SSH_MSG_IGNORE);
	server_send_now(rig.server, SPAN("\x04\0\0\0\0\0\0\0\0\0", 10));
	server_send_now(rig.server, SPAN("\x03\0\0\0\0", 5));
	rig_settle(&rig);
	assert_int_equal(rig.closed, 0);
	assert_int_equal(rig.ready, 1);
	rig_stop(&rig);
}

static void test_under_strict_nothing_else_may_come_between(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t n;
	} messages[] = {{"\x02\0\0\0\0", 5}, {"\x03\0\0\0\0", 5}, {"\x04\0\0\0\0\0\0\0\0\0", 10},
	    {"\x07\0\0\0\0", 5}, {"\xf0", 1}, {"\x05", 1}};

	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		struct rig rig = {0};

		start_exchange(&rig, STRICT);
		say_packet(&rig, SPAN(messages[i].bytes, messages[i].n));
		expect_closed(&rig, ERR_PEER, "strict");
	}
}

static void test_under_strict_nothing_may_come_before_kexinit(void **state)
{
	(void)state;
	struct rig rig = {0};
	struct wr w = WR_INIT;

	start_mute(&rig);
	say_text(&rig, IDENT);
	say_packet(&rig, SPAN("\x02\0\0\0\0", 5));
	assert_int_equal(rig.closed, 0); /* nobody said strict yet */
	write_kexinit(&w, STRICT);
	say_packet(&rig, wr_span(&w));
	expect_closed(&rig, ERR_PEER, "strict");
	wr_clear(&w);
}

static void test_under_strict_a_disconnect_is_still_understood(void **state)
{
	(void)state;
	struct rig rig = {0};

	start_exchange(&rig, STRICT);
	say_packet(&rig, SPAN("\x01\0\0\0\x02\0\0\0\x02no\0\0\0\0", 15));
	expect_closed(&rig, ERR_LOGIN, "\"no\" (code 2)");
}

/* ---- fragments ---- */

static void test_a_handshake_split_anywhere_is_the_same(void **state)
{
	(void)state;
	for (size_t fragment = 1; fragment < 1200; fragment += fragment < 32 ? 1 : 13) {
		struct rig rig = {.script.fragment = fragment};

		rig_handshake(&rig);
		assert_true(transport_server_sig_algs(rig.t) != NULL);
		rig_server_sends(&rig, "^whole");
		rig_settle(&rig);
		assert_string_equal(strbuf_text(&rig.messages), "94:whole");
		rig_stop(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_server_that_says_nothing_keeps_nothing_but_us_waiting),
	    cmocka_unit_test(test_a_web_server_is_named),
	    cmocka_unit_test(test_protocol_version_1_is_refused),
	    cmocka_unit_test(test_garbage_is_no_server),
	    cmocka_unit_test(test_a_line_without_end_is_not_waited_for),
	    cmocka_unit_test(test_lines_without_end_are_not_read),
	    cmocka_unit_test(test_an_end_before_the_identification_says_what_it_may_mean),
	    cmocka_unit_test(test_an_end_after_a_greeting_quotes_it_escaped),
	    cmocka_unit_test(test_a_penalised_source_is_a_login_failure),
	    cmocka_unit_test(test_a_penalised_source_is_one_after_a_reset_too),
	    cmocka_unit_test(test_an_end_during_the_key_exchange_says_so),
	    cmocka_unit_test(test_a_reset_before_the_identification_is_the_networks),
	    cmocka_unit_test(test_lengths_that_cannot_be_are_refused_at_once),
	    cmocka_unit_test(test_more_padding_than_packet_is_refused),
	    cmocka_unit_test(test_packets_without_end_before_the_keys_are_not_read),
	    cmocka_unit_test(test_a_kexinit_cut_short_anywhere_is_refused),
	    cmocka_unit_test(test_a_kexinit_with_a_byte_too_many_is_refused),
	    cmocka_unit_test(test_nothing_in_common_is_said_by_its_name),
	    cmocka_unit_test(test_the_server_is_told_that_the_exchange_failed),
	    cmocka_unit_test(test_what_does_not_belong_into_the_first_exchange_is_refused),
	    cmocka_unit_test(test_a_second_kexinit_is_refused),
	    cmocka_unit_test(test_newkeys_before_the_method_is_refused),
	    cmocka_unit_test(test_a_reply_that_is_malformed_is_refused),
	    cmocka_unit_test(test_without_strict_ignore_debug_and_unimplemented_may_come_between),
	    cmocka_unit_test(test_under_strict_nothing_else_may_come_between),
	    cmocka_unit_test(test_under_strict_nothing_may_come_before_kexinit),
	    cmocka_unit_test(test_under_strict_a_disconnect_is_still_understood),
	    cmocka_unit_test(test_a_handshake_split_anywhere_is_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
