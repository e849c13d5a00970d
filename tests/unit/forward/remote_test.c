/*
 * Forwards that listen on the server, which the test plays.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "world.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/minmax.h"
#include "base/random.h"
#include "base/str.h"
#include "forward/service.h"

static int target;
static uint16_t target_port;

static int set_up(void **state)
{
	target = tcp_listen(&target_port);
	return world_set_up(state);
}

static int tear_down(void **state)
{
	close(target);
	return world_tear_down(state);
}

static struct config_forward config_for(const char *listen)
{
	char to[32];

	snprintf(to, sizeof(to), "127.0.0.1:%u", target_port);
	return world_config(CONFIG_FORWARD_REMOTE, listen, to);
}

static void assert_request(struct rd r, const char *address, uint32_t port)
{
	assert_true(span_is(rd_string(&r), address));
	assert_int_equal(rd_u32(&r), port);
	assert_int_equal(rd_end(&r), 0);
}

/* Up, listening on 127.0.0.1:8080 of the server. */
static void start_up(struct world *w)
{
	world_start(w, config_for("127.0.0.1:8080"));
	world_link_up(w);
	assert_request(peer_expect_request(w->peer, "tcpip-forward", true), "127.0.0.1", 8080);
	peer_grant(w->peer);
}

/* ---- asking ---- */

static void test_up_is_when_the_server_has_granted_it(void **state)
{
	struct world *w = *state;

	world_start(w, config_for("127.0.0.1:8080"));
	assert_int_equal(world_status(w).state, FORWARD_WAITING);
	assert_string_equal(world_status(w).reason, "the link is down");
	world_link_up(w);
	assert_request(peer_expect_request(w->peer, "tcpip-forward", true), "127.0.0.1", 8080);
	assert_int_equal(world_status(w).state, FORWARD_WAITING);
	peer_grant(w->peer);
	assert_int_equal(world_status(w).state, FORWARD_UP);
	assert_string_equal(world_status(w).reason, "");
	assert_string_equal(world_status(w).listen, "127.0.0.1:8080");
	assert_true(w->changes >= 2);
	world_link_lost(w);
	assert_int_equal(world_status(w).state, FORWARD_WAITING);
}

static void test_the_port_that_was_given_is_shown_and_cancelled(void **state)
{
	struct world *w = *state;

	world_start(w, config_for("localhost:0"));
	world_link_up(w);
	assert_request(peer_expect_request(w->peer, "tcpip-forward", true), "localhost", 0);
	assert_string_equal(world_status(w).listen, "localhost:0");
	peer_grant_port(w->peer, 40123);
	assert_int_equal(world_status(w).state, FORWARD_UP);
	assert_string_equal(world_status(w).listen, "localhost:40123");
	forward_stop_accepting(w->forward);
	settle(w->loop);
	assert_request(
	    peer_expect_request(w->peer, "cancel-tcpip-forward", false), "localhost", 40123);
}

static void test_a_port_that_cannot_be_is_a_refusal(void **state)
{
	static const uint32_t ports[] = {0, 65536, UINT32_MAX};
	struct world *w = *state;

	world_start(w, config_for("localhost:0"));
	world_link_up(w);
	for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
		peer_expect_request(w->peer, "tcpip-forward", true);
		peer_grant_port(w->peer, ports[i]);
		assert_int_equal(world_status(w).state, FORWARD_WAITING);
		loop_fake_advance(w->loop, 30000);
	}
	peer_expect_request(w->peer, "tcpip-forward", true);
	peer_grant(w->peer); /* without any port */
	assert_int_equal(world_status(w).state, FORWARD_WAITING);
}

static void test_addresses_go_over_the_wire_as_the_rfc_has_them(void **state)
{
	(void)state;
	assert_string_equal(remote_listener_wire_address("*"), "");
	assert_string_equal(remote_listener_wire_address(""), "");
	assert_string_equal(remote_listener_wire_address(NULL), "localhost");
	assert_string_equal(remote_listener_wire_address("localhost"), "localhost");
	assert_string_equal(remote_listener_wire_address("0.0.0.0"), "0.0.0.0");
	assert_string_equal(remote_listener_wire_address("::1"), "::1");
}

static void test_a_refused_forward_is_asked_for_again_on_the_same_link(void **state)
{
	struct world *w = *state;

	world_start(w, config_for("127.0.0.1:8080"));
	world_link_up(w);
	for (int i = 0; i < 8; i++) {
		peer_expect_request(w->peer, "tcpip-forward", true);
		peer_deny(w->peer);
		assert_int_equal(world_status(w).state, FORWARD_WAITING);
		assert_non_null(
		    strstr(world_status(w).reason, "refuses to listen on port 8080 of 127.0.0.1"));
		peer_expect_nothing(w->peer);
		/* At most 30 s, and not before half of its time: 1 s, 2 s, 4 s ... */
		loop_fake_advance(w->loop, i < 5 ? 499u << i : 14999);
		peer_expect_nothing(w->peer);
		loop_fake_advance(w->loop, i < 5 ? 502u << i : 15001);
	}
	peer_expect_request(w->peer, "tcpip-forward", true);
	peer_grant(w->peer);
	assert_int_equal(world_status(w).state, FORWARD_UP);
	loop_fake_advance(w->loop, 60000);
	peer_expect_nothing(w->peer);
}

static void test_a_retry_that_a_person_asks_for_is_at_once(void **state)
{
	struct world *w = *state;

	world_start(w, config_for("127.0.0.1:8080"));
	world_link_up(w);
	peer_expect_request(w->peer, "tcpip-forward", true);
	forward_retry_now(w->forward); /* it asks already */
	peer_expect_nothing(w->peer);
	assert_int_equal(forward_next_try_ms(w->forward), 0);
	peer_deny(w->peer);
	assert_in_range(forward_next_try_ms(w->forward), 500, 1000);
	forward_retry_now(w->forward);
	loop_fake_advance(w->loop, 0);
	peer_expect_request(w->peer, "tcpip-forward", true);
	peer_grant(w->peer);
	assert_int_equal(forward_next_try_ms(w->forward), 0);
}

static void test_a_new_link_is_asked_at_once(void **state)
{
	struct world *w = *state;

	world_start(w, config_for("127.0.0.1:8080"));
	world_link_up(w);
	peer_expect_request(w->peer, "tcpip-forward", true);
	peer_deny(w->peer);
	world_link_lost(w);
	assert_string_equal(world_status(w).reason, "the link is down");
	world_link_up(w);
	assert_request(peer_expect_request(w->peer, "tcpip-forward", true), "127.0.0.1", 8080);
	peer_grant(w->peer);
	assert_int_equal(world_status(w).state, FORWARD_UP);
}

static void test_with_a_new_link_the_waits_begin_anew(void **state)
{
	struct world *w = *state;

	world_start(w, config_for("127.0.0.1:8080"));
	world_link_up(w);
	for (int i = 0; i < 6; i++) {
		peer_expect_request(w->peer, "tcpip-forward", true);
		peer_deny(w->peer);
		loop_fake_advance(w->loop, 30000);
	}
	world_link_lost(w);
	world_link_up(w);
	peer_expect_request(w->peer, "tcpip-forward", true);
	peer_deny(w->peer);
	loop_fake_advance(w->loop, 1000);
	peer_expect_request(w->peer, "tcpip-forward", true);
}

/* Many that were refused at the same moment, by a server that has just come back, do not ask again at the same moment. */
static void test_the_wait_is_drawn_by_lot(void **state)
{
	struct world *w = *state;
	uint64_t shortest = UINT64_MAX, longest = 0;

	world_start(w, config_for("127.0.0.1:8080"));
	for (uint64_t seed = 1; seed <= 8; seed++) {
		uint64_t ms = 0;

		random_seed_for_tests(seed);
		world_link_up(w);
		peer_expect_request(w->peer, "tcpip-forward", true);
		peer_deny(w->peer);
		for (; ms < 2000 && !peer_skip(w->peer); ms += 10)
			loop_fake_advance(w->loop, 10);
		shortest = min(ms, shortest);
		longest = max(ms, longest);
		world_link_lost(w);
	}
	random_seed_for_tests(0);
	assert_in_range(shortest, 500, 750);
	assert_in_range(longest, 750, 1010);
}

static void test_the_next_session_is_asked_when_the_first_goes(void **state)
{
	struct world *w = *state;
	struct peer *second;

	start_up(w);
	second = peer_new(w->loop);
	forward_session_up(w->forward, peer_session(second));
	peer_expect_nothing(second);
	forward_session_down(w->forward, peer_session(w->peer));
	assert_request(
	    peer_expect_request(w->peer, "cancel-tcpip-forward", false), "127.0.0.1", 8080);
	assert_request(peer_expect_request(second, "tcpip-forward", true), "127.0.0.1", 8080);
	assert_int_equal(world_status(w).state, FORWARD_WAITING);
	peer_grant(second);
	assert_int_equal(world_status(w).state, FORWARD_UP);
	forward_session_down(w->forward, peer_session(second));
	peer_free(second);
}

static void test_what_is_cancelled_before_the_answer_is_cancelled_after_it(void **state)
{
	struct world *w = *state;

	world_start(w, config_for("127.0.0.1:0"));
	world_link_up(w);
	peer_expect_request(w->peer, "tcpip-forward", true);
	forward_free(w->forward);
	w->forward = NULL;
	peer_expect_nothing(w->peer);
	peer_grant_port(w->peer, 4711);
	assert_request(
	    peer_expect_request(w->peer, "cancel-tcpip-forward", false), "127.0.0.1", 4711);
}

static void no_refusal(void *arg, enum log_level level, const char *line)
{
	(void)arg;
	(void)level;
	assert_null(strstr(line, "remote-refused"));
}

static void test_a_session_that_ends_before_the_answer(void **state)
{
	struct world *w = *state;

	world_start(w, config_for("127.0.0.1:8080"));
	world_link_up(w);
	log_set_sink(no_refusal, NULL);
	world_link_lost(w);
	assert_string_equal(world_status(w).reason, "the link is down");
	loop_fake_advance(w->loop, 60000);
	assert_int_equal(world_status(w).state, FORWARD_WAITING);
}

static void test_what_was_refused_is_not_asked_for_where_there_is_no_link(void **state)
{
	struct world *w = *state;

	world_start(w, config_for("127.0.0.1:8080"));
	world_link_up(w);
	peer_expect_request(w->peer, "tcpip-forward", true);
	peer_deny(w->peer);
	world_link_lost(w);
	loop_fake_advance(w->loop, 60000);
	assert_string_equal(world_status(w).reason, "the link is down");
	world_link_up(w);
	peer_expect_request(w->peer, "tcpip-forward", true);
}

/* ---- connections ---- */

static void test_a_connection_is_accepted_when_its_target_is_connected(void **state)
{
	struct world *w = *state;

	start_up(w);
	peer_open_tcpip(w->peer, 7, "127.0.0.1", 8080, "203.0.113.5", 40312);
	uint32_t id = peer_expect_confirmation(w->peer, 7);
	int fd = accept_one(target);

	peer_send(w->peer, id, "question");
	assert_got(fd, "question");
	put(fd, "answer");
	peer_expect_data(w->peer, 7, "answer");

	struct forward_status status = world_status(w);

	assert_int_equal(status.counts.streams, 1);
	assert_int_equal(status.counts.bytes_out, 8);
	assert_int_equal(status.counts.bytes_in, 6);
	shutdown(fd, SHUT_WR);
	peer_expect_eof(w->peer, 7);
	peer_send(w->peer, id, "more");
	peer_send_eof(w->peer, id);
	assert_got(fd, "more");
	assert_got_eof(fd);
	peer_expect_close(w->peer, 7);
	close(fd);
}

static void test_a_refused_target_is_open_failure_2_with_the_reason(void **state)
{
	struct world *w = *state;

	start_up(w);
	close(target);
	peer_open_tcpip(w->peer, 7, "127.0.0.1", 8080, "203.0.113.5", 40312);
	peer_expect_failure(w->peer, 7, OPEN_CONNECT_FAILED, "refused");
	assert_int_equal(world_status(w).counts.failed, 1);
	assert_int_equal(world_status(w).counts.streams, 0);

	/* And then a good one. */
	struct config_forward other = config_for("127.0.0.1:8080");
	uint16_t port;

	target = tcp_listen(&port);
	other.to.port = port;
	forward_set_config(w->forward, &other, 0);
	peer_open_tcpip(w->peer, 8, "127.0.0.1", 8080, "203.0.113.5", 40313);
	peer_expect_confirmation(w->peer, 8);
	int fd = accept_one(target);

	assert_true(fd >= 0);
	close(fd);
	forward_free(w->forward);
	w->forward = NULL;
	settle(w->loop);
	free(other.listen.host);
	free(other.listen.text);
	free(other.to.host);
	free(other.to.text);
}

static void test_a_silent_target_is_open_failure_2_after_half_a_minute(void **state)
{
	struct world *w = *state;
	int filler; /* the kernel drops who comes to a full queue */

	start_up(w);
	assert_int_equal(listen(target, 0), 0);
	filler = tcp_connect(target_port);
	peer_open_tcpip(w->peer, 7, "127.0.0.1", 8080, "203.0.113.5", 40312);
	loop_fake_advance(w->loop, 29999);
	peer_expect_nothing(w->peer);
	loop_fake_advance(w->loop, 1);
	peer_expect_failure(w->peer, 7, OPEN_CONNECT_FAILED, "not connected within 30 s");
	assert_int_equal(world_status(w).counts.failed, 1);
	close(filler);
}

static void test_who_waits_for_a_target_when_the_forward_goes_is_refused(void **state)
{
	struct world *w = *state;

	start_up(w);
	assert_int_equal(listen(target, 0), 0);
	int filler = tcp_connect(target_port);
	peer_open_tcpip(w->peer, 7, "127.0.0.1", 8080, "203.0.113.5", 40312);
	peer_expect_nothing(w->peer);
	forward_free(w->forward);
	w->forward = NULL;
	settle(w->loop);
	assert_request(
	    peer_expect_request(w->peer, "cancel-tcpip-forward", false), "127.0.0.1", 8080);
	peer_expect_failure(w->peer, 7, OPEN_CONNECT_FAILED, "the forward has ended");
	close(filler);
}

static void test_a_lost_transport_closes_the_targets(void **state)
{
	struct world *w = *state;

	start_up(w);
	peer_open_tcpip(w->peer, 7, "127.0.0.1", 8080, "203.0.113.5", 40312);
	peer_expect_confirmation(w->peer, 7);
	int fd = accept_one(target);

	world_link_lost(w);
	assert_got_reset(fd);
	assert_int_equal(world_status(w).counts.streams, 0);
	close(fd);
}

static void test_streams_outlive_the_cancelled_forward(void **state)
{
	struct world *w = *state;

	start_up(w);
	peer_open_tcpip(w->peer, 7, "127.0.0.1", 8080, "203.0.113.5", 40312);
	uint32_t id = peer_expect_confirmation(w->peer, 7);
	int fd = accept_one(target);

	forward_stop_accepting(w->forward);
	peer_expect_request(w->peer, "cancel-tcpip-forward", false);
	peer_send(w->peer, id, "still here");
	assert_got(fd, "still here");
	/* One that was on its way. */
	peer_open_tcpip(w->peer, 8, "127.0.0.1", 8080, "203.0.113.5", 40313);
	peer_expect_failure(w->peer, 8, OPEN_ADMINISTRATIVELY_PROHIBITED, "");
	close(fd);
}

static void test_more_than_max_streams_is_open_failure_4(void **state)
{
	struct world *w = *state;
	struct config_forward config = config_for("127.0.0.1:8080");

	config.max_streams = 1;
	world_start(w, config);
	world_link_up(w);
	peer_expect_request(w->peer, "tcpip-forward", true);
	peer_grant(w->peer);
	peer_open_tcpip(w->peer, 7, "127.0.0.1", 8080, "203.0.113.5", 1);
	peer_expect_confirmation(w->peer, 7);
	peer_open_tcpip(w->peer, 8, "127.0.0.1", 8080, "203.0.113.5", 2);
	peer_expect_failure(w->peer, 8, OPEN_RESOURCE_SHORTAGE, "max_streams");
	assert_int_equal(world_status(w).counts.refused, 1);
}

static void test_allow_is_about_the_originator(void **state)
{
	struct world *w = *state;
	char *nets[] = {(char[]){"203.0.113.0/24"}};
	struct config_forward config = config_for("127.0.0.1:8080");

	config.allow = (struct config_strings){.v = nets, .n = 1};
	world_start(w, config);
	world_link_up(w);
	peer_expect_request(w->peer, "tcpip-forward", true);
	peer_grant(w->peer);
	peer_open_tcpip(w->peer, 7, "127.0.0.1", 8080, "198.51.100.1", 1);
	peer_expect_failure(w->peer, 7, OPEN_ADMINISTRATIVELY_PROHIBITED, "198.51.100.1");
	peer_open_tcpip(w->peer, 8, "127.0.0.1", 8080, "a-name", 1);
	peer_expect_failure(w->peer, 8, OPEN_ADMINISTRATIVELY_PROHIBITED, "a-name");
	peer_open_tcpip(w->peer, 9, "127.0.0.1", 8080, "203.0.113.5", 1);
	peer_expect_confirmation(w->peer, 9);
}

static void test_the_target_is_told_the_originator(void **state)
{
	struct world *w = *state;
	struct config_forward config = config_for("127.0.0.1:8080");

	config.send_proxy = CONFIG_SEND_PROXY_V1;
	world_start(w, config);
	world_link_up(w);
	peer_expect_request(w->peer, "tcpip-forward", true);
	peer_grant(w->peer);
	peer_open_tcpip(w->peer, 7, "127.0.0.1", 8080, "203.0.113.5", 40312);
	peer_expect_confirmation(w->peer, 7);
	int fd = accept_one(target);

	assert_got(fd, "PROXY TCP4 203.0.113.5 127.0.0.1 40312 8080\r\n");
	close(fd);
}

/* ---- whose channel is it ---- */

/* Listens for address, says that the client connected to named:port, and whether that is taken for ours. */
static bool is_ours(
    struct world *w, const char *listen, uint32_t granted, const char *named, uint16_t port)
{
	bool ours;

	world_start(w, config_for(listen));
	world_link_up(w);
	peer_expect_request(w->peer, "tcpip-forward", true);
	if (granted)
		peer_grant_port(w->peer, granted);
	else
		peer_grant(w->peer);
	assert_int_equal(world_status(w).state, FORWARD_UP);
	peer_open_tcpip(w->peer, 7, named, port, "203.0.113.5", 40312);
	int fd = accept_one(target);

	ours = fd >= 0;
	if (ours) {
		peer_expect_confirmation(w->peer, 7);
		close(fd);
	} else {
		peer_expect_failure(w->peer, 7, OPEN_ADMINISTRATIVELY_PROHIBITED, "");
	}
	forward_free(w->forward);
	w->forward = NULL;
	peer_free(w->peer);
	w->peer = NULL;
	free(w->config.listen.host);
	free(w->config.listen.text);
	free(w->config.to.host);
	free(w->config.to.text);
	memset(&w->config, 0, sizeof(w->config));
	return ours;
}

static void test_a_channel_that_was_named_as_it_was_asked_for(void **state)
{
	struct world *w = *state;

	assert_true(is_ours(w, "127.0.0.1:8080", 0, "127.0.0.1", 8080));
	assert_true(is_ours(w, "*:8080", 0, "", 8080));
	assert_true(is_ours(w, "name.example:8080", 0, "name.example", 8080));
	assert_true(is_ours(w, "localhost:0", 40123, "localhost", 40123));
}

static void test_a_channel_that_was_named_otherwise(void **state)
{
	struct world *w = *state;

	assert_true(is_ours(w, "127.0.0.1:8080", 0, "0.0.0.0", 8080));
	assert_true(is_ours(w, "localhost:8080", 0, "::1", 8080));
	assert_true(is_ours(w, "localhost:8080", 0, "127.0.0.1", 8080));
	assert_true(is_ours(w, "*:8080", 0, "0.0.0.0", 8080));
	assert_true(is_ours(w, "*:8080", 0, "192.0.2.7", 8080));
	assert_true(is_ours(w, "[2001:db8::1]:8080", 0, "2001:db8:0:0::1", 8080));
	/* OpenSSH 5 */
	assert_true(is_ours(w, "localhost:0", 40123, "localhost", 0));
}

static void test_a_channel_that_is_not_ours(void **state)
{
	struct world *w = *state;

	assert_false(is_ours(w, "127.0.0.1:8080", 0, "127.0.0.1", 8081));
	assert_false(is_ours(w, "127.0.0.1:8080", 0, "192.0.2.7", 8080));
	assert_false(is_ours(w, "192.0.2.7:8080", 0, "0.0.0.0", 8080));
	assert_false(is_ours(w, "192.0.2.7:8080", 0, "127.0.0.1", 8080));
	assert_false(is_ours(w, "127.0.0.1:8080", 0, "127.0.0.1", 0));
	assert_false(is_ours(w, "localhost:0", 40123, "localhost", 40124));
}

static void test_a_channel_for_what_was_not_granted_is_not_ours(void **state)
{
	struct world *w = *state;

	world_start(w, config_for("127.0.0.1:8080"));
	world_link_up(w);
	peer_expect_request(w->peer, "tcpip-forward", true);
	peer_open_tcpip(w->peer, 7, "127.0.0.1", 8080, "203.0.113.5", 40312);
	peer_expect_failure(w->peer, 7, OPEN_ADMINISTRATIVELY_PROHIBITED, "nothing was asked");
	peer_deny(w->peer);
	peer_open_tcpip(w->peer, 8, "127.0.0.1", 8080, "203.0.113.5", 40312);
	peer_expect_failure(w->peer, 8, OPEN_ADMINISTRATIVELY_PROHIBITED, "nothing was asked");
}

struct seen {
	unsigned channels;
	bool granted;
};

static void note_granted(void *arg, uint16_t port)
{
	(void)port;
	((struct seen *)arg)->granted = true;
}

static void note_refused(void *arg, const struct err *e)
{
	(void)arg;
	fail_msg("%s", e->text);
}

static void note_channel(void *arg, struct channel *c, const char *host, uint16_t port)
{
	assert_string_equal(host, "203.0.113.5");
	assert_int_equal(port, 40312);
	((struct seen *)arg)->channels++;
	channel_refuse(c, OPEN_CONNECT_FAILED, "seen");
}

static void test_a_near_match_counts_only_if_it_is_the_only_one(void **state)
{
	struct world *w = *state;
	struct seen a = {0}, b = {0};
	struct remote_listener_callbacks callbacks = {
	    .on_granted = note_granted, .on_refused = note_refused, .on_channel = note_channel};
	struct remote_listener_info infos[1];

	w->peer = peer_new(w->loop);
	struct forward_service *service = forward_service_of(peer_session(w->peer));

	assert_ptr_equal(forward_service_of(peer_session(w->peer)), service);
	callbacks.arg = &a;
	forward_service_listen_tcp(service, "127.0.0.1", 8080, &callbacks);
	callbacks.arg = &b;
	forward_service_listen_tcp(service, "::1", 8080, &callbacks);
	peer_expect_request(w->peer, "tcpip-forward", true);
	peer_expect_request(w->peer, "tcpip-forward", true);
	peer_grant(w->peer);
	assert_int_equal(forward_service_active(service, infos, 1), 1);
	assert_string_equal(infos[0].address, "127.0.0.1");
	/* The second is not granted yet, so the first is the only one. */
	peer_open_tcpip(w->peer, 1, "0.0.0.0", 8080, "203.0.113.5", 40312);
	assert_int_equal(a.channels, 1);
	peer_expect_failure(w->peer, 1, OPEN_CONNECT_FAILED, "seen");
	peer_grant(w->peer);
	assert_true(a.granted && b.granted);
	assert_int_equal(forward_service_active(service, infos, 1), 2);
	peer_open_tcpip(w->peer, 2, "0.0.0.0", 8080, "203.0.113.5", 40312);
	peer_expect_failure(w->peer, 2, OPEN_ADMINISTRATIVELY_PROHIBITED, "");
	peer_open_tcpip(w->peer, 3, "::1", 8080, "203.0.113.5", 40312);
	assert_int_equal(a.channels, 1);
	assert_int_equal(b.channels, 1);
}

static void test_answers_come_in_the_order_of_the_questions(void **state)
{
	struct world *w = *state;
	struct remote_listener_info infos[1];
	struct seen a = {0};
	struct remote_listener_callbacks callbacks = {.on_granted = note_granted,
	    .on_refused = note_refused,
	    .on_channel = note_channel,
	    .arg = &a};

	w->peer = peer_new(w->loop);
	struct forward_service *service = forward_service_of(peer_session(w->peer));
	struct remote_listener *l = forward_service_listen_tcp(service, "127.0.0.1", 0, &callbacks);

	settle(w->loop);
	peer_grant_port(w->peer, 4711);
	assert_int_equal(forward_service_active(service, infos, 1), 1);
	assert_int_equal(infos[0].port, 4711);
	remote_listener_cancel(l);
	assert_int_equal(forward_service_active(service, NULL, 0), 0);
}

static void say_open(struct world *w, const void *extra, size_t n)
{
	struct wr message = WR_INIT;

	wr_u8(&message, SSH_MSG_CHANNEL_OPEN);
	wr_cstring(&message, "forwarded-tcpip");
	wr_u32(&message, 9);
	wr_u32(&message, 1 << 20);
	wr_u32(&message, 32768);
	wr_bytes(&message, extra, n);
	peer_say(w->peer, &message);
	wr_clear(&message);
}

static void test_a_channel_that_cannot_be_read_is_refused(void **state)
{
	struct world *w = *state;
	struct wr good = WR_INIT, bad = WR_INIT;

	start_up(w);
	wr_cstring(&good, "127.0.0.1");
	wr_u32(&good, 8080);
	wr_cstring(&good, "203.0.113.5");
	wr_u32(&good, 40312);
	for (size_t n = 0; n < good.n; n++) {
		say_open(w, good.p, n);
		peer_expect_failure(w->peer, 9, OPEN_CONNECT_FAILED, "");
	}
	wr_u8(&good, 0);
	say_open(w, good.p, good.n);
	peer_expect_failure(w->peer, 9, OPEN_CONNECT_FAILED, "");
	/* A port that is none, a NUL in the address, an address of 256 bytes. */
	wr_cstring(&bad, "127.0.0.1");
	wr_u32(&bad, 65536 + 8080);
	wr_cstring(&bad, "203.0.113.5");
	wr_u32(&bad, 40312);
	say_open(w, bad.p, bad.n);
	peer_expect_failure(w->peer, 9, OPEN_CONNECT_FAILED, "");
	wr_reset(&bad);
	wr_string(&bad, SPAN("127.0.0.1\0", 10));
	wr_u32(&bad, 8080);
	wr_cstring(&bad, "203.0.113.5");
	wr_u32(&bad, 40312);
	say_open(w, bad.p, bad.n);
	peer_expect_failure(w->peer, 9, OPEN_CONNECT_FAILED, "");
	char *long_text = mem_alloc(257);

	memset(long_text, 'a', 256);
	wr_reset(&bad);
	wr_cstring(&bad, "127.0.0.1");
	wr_u32(&bad, 8080);
	wr_cstring(&bad, long_text);
	wr_u32(&bad, 40312);
	say_open(w, bad.p, bad.n);
	peer_expect_failure(w->peer, 9, OPEN_CONNECT_FAILED, "");
	free(long_text);
	wr_clear(&good);
	wr_clear(&bad);
}

/* ---- Unix sockets ---- */

static void test_a_unix_socket_of_the_server(void **state)
{
	struct world *w = *state;
	struct rd r;

	world_start(w, config_for("unix:/run/remote.sock"));
	world_link_up(w);
	r = peer_expect_request(w->peer, "streamlocal-forward@openssh.com", true);
	assert_true(span_is(rd_string(&r), "/run/remote.sock"));
	assert_int_equal(rd_end(&r), 0);
	peer_open_streamlocal(w->peer, 5, "/run/remote.sock"); /* and was not granted yet */
	peer_expect_failure(w->peer, 5, OPEN_ADMINISTRATIVELY_PROHIBITED, "");
	peer_grant(w->peer);
	assert_int_equal(world_status(w).state, FORWARD_UP);

	peer_open_streamlocal(w->peer, 6, "/run/other.sock");
	peer_expect_failure(w->peer, 6, OPEN_ADMINISTRATIVELY_PROHIBITED, "");
	peer_open_tcpip(w->peer, 6, "/run/remote.sock", 0, "203.0.113.5", 1);
	peer_expect_failure(w->peer, 6, OPEN_ADMINISTRATIVELY_PROHIBITED, "");

	peer_open_streamlocal(w->peer, 7, "/run/remote.sock");
	uint32_t id = peer_expect_confirmation(w->peer, 7);
	int fd = accept_one(target);

	peer_send(w->peer, id, "from a Unix client");
	assert_got(fd, "from a Unix client");
	close(fd);
	peer_expect_eof(w->peer, 7);
	forward_stop_accepting(w->forward);
	r = peer_expect_request(w->peer, "cancel-streamlocal-forward@openssh.com", false);
	assert_true(span_is(rd_string(&r), "/run/remote.sock"));
	assert_int_equal(rd_end(&r), 0);
}

static void test_a_unix_target(void **state)
{
	struct world *w = *state;
	char folder[] = "/tmp/adit-remote-test-XXXXXX";

	assert_non_null(mkdtemp(folder));
	char *path = str_format("%s/target", folder), *to = str_format("unix:%s", path);
	int listener = unix_listen(path);

	world_start(w, world_config(CONFIG_FORWARD_REMOTE, "127.0.0.1:8080", to));
	world_link_up(w);
	peer_expect_request(w->peer, "tcpip-forward", true);
	peer_grant(w->peer);
	peer_open_tcpip(w->peer, 7, "127.0.0.1", 8080, "203.0.113.5", 40312);
	uint32_t id = peer_expect_confirmation(w->peer, 7);
	int fd = accept_one(listener);

	peer_send(w->peer, id, "hello");
	assert_got(fd, "hello");
	close(fd);
	close(listener);
	unlink(path);
	peer_open_tcpip(w->peer, 8, "127.0.0.1", 8080, "203.0.113.5", 40313);
	peer_expect_eof(w->peer, 7);
	peer_expect_failure(w->peer, 8, OPEN_CONNECT_FAILED, "No such file");
	assert_int_equal(rmdir(folder), 0);
	free(path);
	free(to);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_up_is_when_the_server_has_granted_it),
	    TEST(test_the_port_that_was_given_is_shown_and_cancelled),
	    TEST(test_a_port_that_cannot_be_is_a_refusal),
	    TEST(test_addresses_go_over_the_wire_as_the_rfc_has_them),
	    TEST(test_a_refused_forward_is_asked_for_again_on_the_same_link),
	    TEST(test_the_wait_is_drawn_by_lot),
	    TEST(test_a_retry_that_a_person_asks_for_is_at_once),
	    TEST(test_a_new_link_is_asked_at_once),
	    TEST(test_with_a_new_link_the_waits_begin_anew),
	    TEST(test_the_next_session_is_asked_when_the_first_goes),
	    TEST(test_what_is_cancelled_before_the_answer_is_cancelled_after_it),
	    TEST(test_a_session_that_ends_before_the_answer),
	    TEST(test_what_was_refused_is_not_asked_for_where_there_is_no_link),
	    TEST(test_a_connection_is_accepted_when_its_target_is_connected),
	    TEST(test_a_refused_target_is_open_failure_2_with_the_reason),
	    TEST(test_a_silent_target_is_open_failure_2_after_half_a_minute),
	    TEST(test_who_waits_for_a_target_when_the_forward_goes_is_refused),
	    TEST(test_a_lost_transport_closes_the_targets),
	    TEST(test_streams_outlive_the_cancelled_forward),
	    TEST(test_more_than_max_streams_is_open_failure_4),
	    TEST(test_allow_is_about_the_originator),
	    TEST(test_the_target_is_told_the_originator),
	    TEST(test_a_channel_that_was_named_as_it_was_asked_for),
	    TEST(test_a_channel_that_was_named_otherwise),
	    TEST(test_a_channel_that_is_not_ours),
	    TEST(test_a_channel_for_what_was_not_granted_is_not_ours),
	    TEST(test_a_near_match_counts_only_if_it_is_the_only_one),
	    TEST(test_answers_come_in_the_order_of_the_questions),
	    TEST(test_a_channel_that_cannot_be_read_is_refused),
	    TEST(test_a_unix_socket_of_the_server),
	    TEST(test_a_unix_target),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
