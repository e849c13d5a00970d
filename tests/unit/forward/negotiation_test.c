/*
 * Forwards whose clients say where they want to go: SOCKS and HTTP CONNECT, here and on the server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "world.h"

#include "base/mem.h"

#define GREETING "\x05\x01\x00"
#define REQUEST \
	"\x05\x01\x00\x03\x0b" \
	"db.internal\x15\x38" /* :5432 */
#define CHOICE SPAN_LITERAL("\x05\x00")
#define REPLY(code) SPAN_LITERAL("\x05" code "\x00\x01\x00\x00\x00\x00\x00\x00")

static void start(struct world *w)
{
	world_start(w, world_config(CONFIG_FORWARD_SOCKS, "127.0.0.1:0", NULL));
}

static void start_up(struct world *w)
{
	start(w);
	world_link_up(w);
}

static void say(struct world *w, int fd, struct span bytes)
{
	assert_int_equal(send(fd, bytes.p, bytes.n, MSG_NOSIGNAL), (ssize_t)bytes.n);
	settle(w->loop);
}

static int connect_and_say(struct world *w, struct span bytes)
{
	int fd = world_connect(w);

	say(w, fd, bytes);
	return fd;
}

/* ---- opened ---- */

static void test_socks5_is_answered_when_the_channel_is_open(void **state)
{
	struct world *w = *state;

	start_up(w);
	int fd = connect_and_say(w, SPAN_LITERAL(GREETING));

	assert_got_bytes(fd, CHOICE);
	say(w, fd, SPAN_LITERAL(REQUEST));
	uint32_t id = peer_expect_open_to(w->peer, "db.internal", 5432);

	assert_got_nothing(fd);
	peer_confirm(w->peer, id);
	assert_got_bytes(fd, REPLY("\x00"));
	put(fd, "hello");
	peer_expect_data(w->peer, peer_number(id), "hello");
	peer_send(w->peer, id, "world");
	assert_got(fd, "world");
	assert_int_equal(world_status(w).counts.bytes_in, 5);
	assert_int_equal(world_status(w).counts.bytes_out, 5);
	assert_string_equal(world_status(w).to, "");
	close(fd);
}

static void test_all_at_once_with_the_first_payload(void **state)
{
	struct world *w = *state;

	start_up(w);
	int fd = connect_and_say(w, SPAN_LITERAL(GREETING REQUEST "payload"));
	uint32_t id = peer_expect_open_to(w->peer, "db.internal", 5432);

	assert_got_bytes(fd, CHOICE);
	peer_confirm(w->peer, id);
	assert_got_bytes(fd, REPLY("\x00"));
	peer_expect_data(w->peer, peer_number(id), "payload");
	close(fd);
}

static void test_byte_by_byte(void **state)
{
	static const char bytes[] = GREETING REQUEST;
	struct world *w = *state;

	start_up(w);
	int fd = world_connect(w);

	for (size_t i = 0; i < sizeof(bytes) - 1; i++) {
		peer_expect_nothing(w->peer);
		say(w, fd, SPAN(bytes + i, 1));
	}
	peer_confirm(w->peer, peer_expect_open_to(w->peer, "db.internal", 5432));
	close(fd);
}

static void test_socks4a(void **state)
{
	struct world *w = *state;

	start_up(w);
	int fd =
	    connect_and_say(w, SPAN_LITERAL("\x04\x01\x15\x38\x00\x00\x00\x01me\0db.internal\0"));
	uint32_t id = peer_expect_open_to(w->peer, "db.internal", 5432);

	assert_got_nothing(fd);
	peer_confirm(w->peer, id);
	assert_got_bytes(fd, SPAN_LITERAL("\x00\x5a\0\0\0\0\0\0"));
	close(fd);
}

static void test_http_connect_on_the_same_listener(void **state)
{
	struct world *w = *state;

	start_up(w);
	int fd = connect_and_say(
	    w, SPAN_LITERAL("CONNECT db.internal:5432 HTTP/1.1\r\nHost: db.internal\r\n\r\nhello"));
	uint32_t id = peer_expect_open_to(w->peer, "db.internal", 5432);

	assert_got_nothing(fd);
	peer_confirm(w->peer, id);
	assert_got(fd, "HTTP/1.1 200 Connection established\r\n\r\n");
	peer_expect_data(w->peer, peer_number(id), "hello");
	close(fd);
}

/* ---- refused ---- */

static void assert_then_end(struct world *w, int fd)
{
	assert_got_eof(fd);
	close(fd);
	settle(w->loop);
	assert_int_equal(world_status(w).counts.streams, 0);
}

static void test_each_open_failure_has_its_reply(void **state)
{
	static const struct {
		uint32_t code;
		const char *text;
		uint8_t reply;
	} failures[] = {
	    {OPEN_ADMINISTRATIVELY_PROHIBITED, "open failed", 0x02},
	    {OPEN_CONNECT_FAILED, "Connection refused", 0x05},
	    {OPEN_CONNECT_FAILED, "Network is unreachable", 0x03},
	    {OPEN_CONNECT_FAILED, "No route to host", 0x04},
	    {OPEN_CONNECT_FAILED, "Name or service not known", 0x04},
	    {OPEN_UNKNOWN_CHANNEL_TYPE, "what?", 0x07},
	    {OPEN_RESOURCE_SHORTAGE, "full", 0x01},
	};
	struct world *w = *state;

	start_up(w);
	for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
		const uint8_t reply[] = {5, failures[i].reply, 0, 1, 0, 0, 0, 0, 0, 0};
		int fd = connect_and_say(w, SPAN_LITERAL(GREETING REQUEST));

		assert_got_bytes(fd, CHOICE);
		peer_refuse(w->peer, peer_expect_open_to(w->peer, "db.internal", 5432),
		    failures[i].code, failures[i].text);
		assert_got_bytes(fd, SPAN(reply, sizeof(reply)));
		assert_then_end(w, fd);
	}
	assert_int_equal(world_status(w).counts.failed, ARRAY_LEN(failures));
}

static void test_a_refusal_arrives_although_the_client_has_said_more(void **state)
{
	struct world *w = *state;

	start_up(w);
	int fd =
	    connect_and_say(w, SPAN_LITERAL(GREETING REQUEST "a request that nobody will read"));

	assert_got_bytes(fd, CHOICE);
	peer_refuse(w->peer, peer_expect_open_to(w->peer, "db.internal", 5432), OPEN_CONNECT_FAILED,
	    "Connection refused");
	put(fd, "and more of it");
	settle(w->loop);
	assert_got_bytes(fd, REPLY("\x05"));
	assert_then_end(w, fd);
}

static void test_a_refused_client_that_does_not_leave_is_left(void **state)
{
	struct world *w = *state;

	start_up(w);
	int fd = connect_and_say(w, SPAN_LITERAL("\x05\x01\x02"));

	assert_got_bytes(fd, SPAN_LITERAL("\x05\xff"));
	assert_got_eof(fd);
	put(fd, "hello?");
	loop_fake_advance(w->loop, 3000);
	assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), 1);
	assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(world_status(w).counts.refused, 1);
	close(fd);
}

static void test_bind_and_udp_are_refused_with_7(void **state)
{
	struct world *w = *state;

	start_up(w);
	for (int command = 2; command <= 3; command++) {
		char request[] = GREETING "\x05?\x00\x01\x0a\x00\x00\x01\x00\x50";

		request[4] = (char)command;
		int fd = connect_and_say(w, SPAN(request, sizeof(request) - 1));

		assert_got_bytes(
		    fd, SPAN_LITERAL("\x05\x00\x05\x07\x00\x01\x00\x00\x00\x00\x00\x00"));
		assert_then_end(w, fd);
	}
	peer_expect_nothing(w->peer);
}

static void test_allow_to_is_answered_with_2(void **state)
{
	struct world *w = *state;
	char *patterns[] = {(char[]){"*.internal:443"}};
	struct config_forward config = world_config(CONFIG_FORWARD_SOCKS, "127.0.0.1:0", NULL);

	config.allow_to = (struct config_strings){.v = patterns, .n = 1};
	world_start(w, config);
	world_link_up(w);
	int fd = connect_and_say(w, SPAN_LITERAL(GREETING REQUEST));

	assert_got_bytes(fd, SPAN_LITERAL("\x05\x00\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00"));
	assert_then_end(w, fd);
	fd = connect_and_say(w, SPAN_LITERAL("CONNECT db.internal:5432 HTTP/1.1\r\n\r\n"));
	char got[64];

	assert_true(recv(fd, got, sizeof(got), 0) > 13);
	assert_memory_equal(got, "HTTP/1.1 403 ", 13);
	close(fd);
	fd = connect_and_say(w, SPAN_LITERAL("CONNECT db.internal:443 HTTP/1.1\r\n\r\n"));
	peer_expect_open_to(w->peer, "db.internal", 443);
	close(fd);
}

static void test_another_protocol_is_closed(void **state)
{
	struct world *w = *state;

	start_up(w);
	int fd = connect_and_say(w, SPAN_LITERAL("\x16\x03\x01 a TLS client"));

	assert_then_end(w, fd);
	peer_expect_nothing(w->peer);
	assert_int_equal(world_status(w).counts.refused, 1);
}

static void test_a_client_that_says_nothing_does_not_stay_for_ever(void **state)
{
	struct world *w = *state;

	start_up(w);
	int fd = world_connect(w);

	loop_fake_advance(w->loop, 29000);
	assert_got_nothing(fd);
	loop_fake_advance(w->loop, 2000);
	assert_got_reset(fd);
	assert_int_equal(world_status(w).counts.streams, 0);
	close(fd);
}

static void test_a_client_that_leaves_in_the_middle(void **state)
{
	struct world *w = *state;

	start_up(w);
	int fd = connect_and_say(w, SPAN_LITERAL(GREETING "\x05\x01"));

	close(fd);
	settle(w->loop);
	assert_int_equal(world_status(w).counts.streams, 0);
}

/* ---- held ---- */

static void test_a_socks_client_is_held_after_its_request(void **state)
{
	struct world *w = *state;

	start(w);
	int fd = connect_and_say(w, SPAN_LITERAL(GREETING REQUEST "early"));

	assert_got_bytes(fd, CHOICE);
	assert_int_equal(world_status(w).counts.held, 1);
	world_link_up(w);
	uint32_t id = peer_expect_open_to(w->peer, "db.internal", 5432);

	peer_confirm(w->peer, id);
	assert_got_bytes(fd, REPLY("\x00"));
	peer_expect_data(w->peer, peer_number(id), "early");
	close(fd);
}

static void test_a_socks_client_is_told_that_the_link_is_down(void **state)
{
	struct world *w = *state;

	start(w);
	int fd = connect_and_say(w, SPAN_LITERAL(GREETING REQUEST));

	assert_got_bytes(fd, CHOICE);
	loop_fake_advance(w->loop, 10000);
	assert_got_bytes(fd, REPLY("\x03"));
	assert_then_end(w, fd);
}

static void test_a_forward_that_stops_accepting_asks_nobody(void **state)
{
	struct world *w = *state;

	start_up(w);
	int fd = connect_and_say(w, SPAN_LITERAL("\x05"));

	forward_stop_accepting(w->forward);
	settle(w->loop);
	assert_got_reset(fd);
	assert_int_equal(world_status(w).counts.streams, 0);
	close(fd);
}

/* ---- on the server ---- */

static void start_remote(struct world *w)
{
	world_start(w, world_config(CONFIG_FORWARD_REMOTE_SOCKS, "127.0.0.1:1080", NULL));
	world_link_up(w);
	peer_expect_request(w->peer, "tcpip-forward", true);
	peer_grant(w->peer);
}

static uint32_t remote_client(struct world *w, uint32_t number)
{
	peer_open_tcpip(w->peer, number, "127.0.0.1", 1080, "203.0.113.5", 40312);
	return peer_expect_confirmation(w->peer, number);
}

static void say_remotely(struct world *w, uint32_t id, struct span bytes)
{
	struct wr message = WR_INIT;

	wr_u8(&message, SSH_MSG_CHANNEL_DATA);
	wr_u32(&message, id);
	wr_string(&message, bytes);
	peer_say(w->peer, &message);
	wr_clear(&message);
}

static void test_remote_socks_connects_from_here(void **state)
{
	struct world *w = *state;
	uint8_t request[] = "\x05\x01\x00\x01\x7f\x00\x00\x01??";
	uint16_t port;
	int target = tcp_listen(&port);

	start_remote(w);
	uint32_t id = remote_client(w, 7);

	say_remotely(w, id, SPAN_LITERAL(GREETING));
	peer_expect_data_bytes(w->peer, 7, CHOICE);
	request[8] = (uint8_t)(port >> 8);
	request[9] = (uint8_t)port;
	say_remotely(w, id, SPAN(request, 10));
	peer_expect_data_bytes(w->peer, 7, REPLY("\x00"));
	int fd = accept_one(target);

	peer_send(w->peer, id, "hello");
	assert_got(fd, "hello");
	put(fd, "world");
	peer_expect_data(w->peer, 7, "world");
	assert_int_equal(world_status(w).counts.streams, 1);
	close(fd);
	close(target);
}

static void test_remote_socks_tells_that_a_target_refuses(void **state)
{
	struct world *w = *state;
	uint8_t request[] = GREETING "\x05\x01\x00\x01\x7f\x00\x00\x01??";
	uint16_t port;

	close(tcp_listen(&port));
	start_remote(w);
	uint32_t id = remote_client(w, 7);

	request[11] = (uint8_t)(port >> 8);
	request[12] = (uint8_t)port;
	say_remotely(w, id, SPAN(request, 13));
	peer_expect_data_bytes(
	    w->peer, 7, SPAN_LITERAL("\x05\x00\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00"));
	peer_expect_eof(w->peer, 7);
	peer_send_eof(w->peer, id);
	peer_expect_close(w->peer, 7);
	peer_send_close(w->peer, id);
	assert_int_equal(world_status(w).counts.failed, 1);
	assert_int_equal(world_status(w).counts.streams, 0);
	assert_int_equal(session_channel_count(peer_session(w->peer)), 0);
}

static void ask_remotely_for(struct world *w, uint32_t id, uint16_t port)
{
	uint8_t request[] = GREETING "\x05\x01\x00\x01\x7f\x00\x00\x01??";

	request[11] = (uint8_t)(port >> 8);
	request[12] = (uint8_t)port;
	say_remotely(w, id, SPAN(request, 13));
}

static void test_remote_socks_tells_that_a_target_is_silent(void **state)
{
	struct world *w = *state;
	uint16_t port;
	int target = tcp_listen(&port), filler;

	/* The kernel drops who comes to a full queue. */
	assert_int_equal(listen(target, 0), 0);
	filler = tcp_connect(port);
	start_remote(w);
	ask_remotely_for(w, remote_client(w, 7), port);
	peer_expect_data_bytes(w->peer, 7, CHOICE);
	loop_fake_advance(w->loop, 30000);
	peer_expect_data_bytes(w->peer, 7, REPLY("\x04"));
	close(filler);
	close(target);
}

static void test_remote_socks_tells_that_it_is_us_who_cannot(void **state)
{
	struct world *w = *state;
	struct rlimit before, none;
	uint16_t port;
	int target = tcp_listen(&port);

	start_remote(w);
	uint32_t id = remote_client(w, 7);

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){.rlim_cur = 3, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	ask_remotely_for(w, id, port);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	peer_expect_data_bytes(
	    w->peer, 7, SPAN_LITERAL("\x05\x00\x05\x01\x00\x01\x00\x00\x00\x00\x00\x00"));
	close(target);
}

static void test_remote_socks_keeps_to_allow_to(void **state)
{
	struct world *w = *state;
	char *patterns[] = {(char[]){"192.0.2.0/24:*"}};
	struct config_forward config =
	    world_config(CONFIG_FORWARD_REMOTE_SOCKS, "127.0.0.1:1080", NULL);

	config.allow_to = (struct config_strings){.v = patterns, .n = 1};
	world_start(w, config);
	world_link_up(w);
	peer_expect_request(w->peer, "tcpip-forward", true);
	peer_grant(w->peer);
	uint32_t id = remote_client(w, 7);

	say_remotely(w, id, SPAN_LITERAL(GREETING "\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50"));
	peer_expect_data_bytes(
	    w->peer, 7, SPAN_LITERAL("\x05\x00\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00"));
}

static void test_a_remote_socks_client_that_leaves_in_the_middle(void **state)
{
	struct world *w = *state;

	start_remote(w);
	uint32_t id = remote_client(w, 7);

	say_remotely(w, id, SPAN_LITERAL("\x05"));
	peer_send_eof(w->peer, id);
	settle(w->loop);
	assert_int_equal(world_status(w).counts.streams, 0);
	peer_expect_close(w->peer, 7);
}

static void test_a_lost_transport_ends_who_is_asking(void **state)
{
	struct world *w = *state;

	start_remote(w);
	say_remotely(w, remote_client(w, 7), SPAN_LITERAL("\x05"));
	assert_int_equal(world_status(w).counts.streams, 1);
	world_link_lost(w);
	assert_int_equal(world_status(w).counts.streams, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_socks5_is_answered_when_the_channel_is_open),
	    TEST(test_all_at_once_with_the_first_payload),
	    TEST(test_byte_by_byte),
	    TEST(test_socks4a),
	    TEST(test_http_connect_on_the_same_listener),
	    TEST(test_each_open_failure_has_its_reply),
	    TEST(test_a_refusal_arrives_although_the_client_has_said_more),
	    TEST(test_a_refused_client_that_does_not_leave_is_left),
	    TEST(test_bind_and_udp_are_refused_with_7),
	    TEST(test_allow_to_is_answered_with_2),
	    TEST(test_another_protocol_is_closed),
	    TEST(test_a_client_that_says_nothing_does_not_stay_for_ever),
	    TEST(test_a_client_that_leaves_in_the_middle),
	    TEST(test_a_socks_client_is_held_after_its_request),
	    TEST(test_a_socks_client_is_told_that_the_link_is_down),
	    TEST(test_a_forward_that_stops_accepting_asks_nobody),
	    TEST(test_remote_socks_connects_from_here),
	    TEST(test_remote_socks_tells_that_a_target_refuses),
	    TEST(test_remote_socks_tells_that_a_target_is_silent),
	    TEST(test_remote_socks_tells_that_it_is_us_who_cannot),
	    TEST(test_remote_socks_keeps_to_allow_to),
	    TEST(test_a_remote_socks_client_that_leaves_in_the_middle),
	    TEST(test_a_lost_transport_ends_who_is_asking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
