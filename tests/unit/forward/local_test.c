/*
 * Forwards that listen here, against a server that the test plays.
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
#include <sys/stat.h>
#include <unistd.h>

#include "world.h"

#include "base/mem.h"
#include "base/str.h"

static void start(struct world *w)
{
	world_start(w, world_config(CONFIG_FORWARD_LOCAL, "127.0.0.1:0", "db.internal:5432"));
}

static void start_up(struct world *w)
{
	start(w);
	world_link_up(w);
}

/* A client whose channel is open; gives the client's id of it. */
static uint32_t connect_through(struct world *w, int *ret_fd)
{
	*ret_fd = world_connect(w);
	uint32_t id = peer_expect_open_to(w->peer, "db.internal", 5432);

	peer_confirm(w->peer, id);
	return id;
}

static uint16_t own_port(int fd)
{
	struct sockaddr_storage a;
	socklen_t n = sizeof(a);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	const uint8_t *port = (const uint8_t *)&a + 2;

	return (uint16_t)(port[0] << 8 | port[1]);
}

/* ---- the log ---- */

static void keep_line(void *arg, enum log_level level, const char *line)
{
	strbuf_addf(arg, "%s %s\n", log_level_name(level), line);
}

static void test_the_port_that_was_given_is_in_the_log(void **state)
{
	struct world *w = *state;
	struct strbuf log = {0};

	log_set_sink(keep_line, &log);
	start(w);
	log_set_sink(NULL, NULL);
	char *wanted = str_format("info listening local=127.0.0.1:%u", world_port(w));
	if (!strstr(strbuf_text(&log), wanted))
		fail_msg("no `%s` in: %s", wanted, strbuf_text(&log));
	free(wanted);
	strbuf_clear(&log);
}

/* ---- opening ---- */

static void test_the_originator_is_the_true_client(void **state)
{
	struct world *w = *state;
	struct rd r;

	start_up(w);
	int fd = world_connect(w);
	struct peer_open open = peer_expect_open(w->peer, "direct-tcpip");

	rd_init(&r, open.extra);
	assert_true(span_is(rd_string(&r), "db.internal"));
	assert_int_equal(rd_u32(&r), 5432);
	assert_true(span_is(rd_string(&r), "127.0.0.1"));
	assert_int_equal(rd_u32(&r), own_port(fd));
	assert_int_equal(rd_end(&r), 0);
	close(fd);
}

static void test_bytes_go_both_ways(void **state)
{
	struct world *w = *state;
	int fd;

	start_up(w);
	uint32_t id = connect_through(w, &fd);

	put(fd, "question");
	peer_expect_data(w->peer, peer_number(id), "question");
	peer_send(w->peer, id, "the answer");
	assert_got(fd, "the answer");

	struct forward_status status = world_status(w);

	assert_int_equal(status.state, FORWARD_UP);
	assert_int_equal(status.counts.streams, 1);
	assert_int_equal(status.counts.streams_total, 1);
	assert_int_equal(status.counts.bytes_out, 8);
	assert_int_equal(status.counts.bytes_in, 10);
	close(fd);
}

static void test_what_the_client_said_before_the_confirmation_goes_with_it(void **state)
{
	struct world *w = *state;

	start_up(w);
	int fd = world_connect(w);
	uint32_t id = peer_expect_open_to(w->peer, "db.internal", 5432);

	put(fd, "early");
	peer_expect_nothing(w->peer);
	peer_confirm(w->peer, id);
	peer_expect_data(w->peer, peer_number(id), "early");
	close(fd);
}

static void test_a_client_that_only_sends_is_heard_to_its_end(void **state)
{
	struct world *w = *state;

	start_up(w);
	int fd = world_connect(w);
	uint32_t id = peer_expect_open_to(w->peer, "db.internal", 5432);

	put(fd, "all I have to say");
	shutdown(fd, SHUT_WR);
	settle(w->loop);
	peer_confirm(w->peer, id);
	peer_expect_data(w->peer, peer_number(id), "all I have to say");
	peer_expect_eof(w->peer, peer_number(id));
	peer_send(w->peer, id, "heard");
	assert_got(fd, "heard");
	close(fd);
}

/* ---- ends ---- */

static void test_half_close_by_the_client(void **state)
{
	struct world *w = *state;
	int fd;

	start_up(w);
	uint32_t id = connect_through(w, &fd);

	put(fd, "last");
	shutdown(fd, SHUT_WR);
	peer_expect_data(w->peer, peer_number(id), "last");
	peer_expect_eof(w->peer, peer_number(id));
	peer_expect_nothing(w->peer);
	peer_send(w->peer, id, "still here");
	assert_got(fd, "still here");
	peer_send_eof(w->peer, id);
	assert_got_eof(fd);
	peer_expect_close(w->peer, peer_number(id));
	peer_send_close(w->peer, id);
	assert_int_equal(world_status(w).counts.streams, 0);
	close(fd);
}

static void test_half_close_by_the_server(void **state)
{
	struct world *w = *state;
	int fd;

	start_up(w);
	uint32_t id = connect_through(w, &fd);

	peer_send(w->peer, id, "last");
	peer_send_eof(w->peer, id);
	assert_got(fd, "last");
	assert_got_eof(fd);
	put(fd, "still here");
	peer_expect_data(w->peer, peer_number(id), "still here");
	shutdown(fd, SHUT_WR);
	peer_expect_eof(w->peer, peer_number(id));
	peer_expect_close(w->peer, peer_number(id));
	close(fd);
}

static void test_a_reset_by_the_client_closes_the_channel(void **state)
{
	struct world *w = *state;
	const struct linger at_once = {.l_onoff = 1};
	int fd;

	start_up(w);
	uint32_t id = connect_through(w, &fd);

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
	peer_expect_close(w->peer, peer_number(id));
	assert_int_equal(world_status(w).counts.streams, 0);
	assert_int_equal(world_status(w).counts.streams_total, 1);
}

static void test_a_lost_transport_resets_the_clients(void **state)
{
	struct world *w = *state;
	int fds[2];

	start_up(w);
	for (int i = 0; i < 2; i++)
		connect_through(w, &fds[i]);
	world_link_lost(w);
	for (int i = 0; i < 2; i++) {
		assert_got_reset(fds[i]);
		close(fds[i]);
	}
	assert_int_equal(world_status(w).counts.streams, 0);
	assert_int_equal(world_status(w).state, FORWARD_WAITING);
	assert_string_equal(world_status(w).reason, "the link is down");
}

static void test_an_idle_stream_is_closed_after_idle_timeout(void **state)
{
	struct world *w = *state;
	struct config_forward config =
	    world_config(CONFIG_FORWARD_LOCAL, "127.0.0.1:0", "db.internal:5432");
	int fd;

	config.idle_timeout_ms = 60000;
	world_start(w, config);
	world_link_up(w);
	uint32_t id = connect_through(w, &fd);

	loop_fake_advance(w->loop, 59000);
	put(fd, "x");
	peer_expect_data(w->peer, peer_number(id), "x");
	loop_fake_advance(w->loop, 59000);
	assert_int_equal(world_status(w).counts.streams, 1);
	loop_fake_advance(w->loop, 2000);
	assert_int_equal(world_status(w).counts.streams, 0);
	peer_expect_close(w->peer, peer_number(id));
	assert_got_reset(fd);
	close(fd);
}

/* ---- refusals ---- */

static void test_a_refused_target_resets_its_client_and_no_other(void **state)
{
	static const uint32_t codes[] = {OPEN_ADMINISTRATIVELY_PROHIBITED, OPEN_CONNECT_FAILED,
	    OPEN_UNKNOWN_CHANNEL_TYPE, OPEN_RESOURCE_SHORTAGE, 4711};
	struct world *w = *state;
	int good;

	start_up(w);
	uint32_t good_id = connect_through(w, &good);

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		int fd = world_connect(w);

		peer_refuse(w->peer, peer_expect_open_to(w->peer, "db.internal", 5432), codes[i],
		    "no\nluck");
		assert_got_reset(fd);
		close(fd);
		assert_int_equal(world_status(w).counts.failed, i + 1);
	}
	assert_int_equal(world_status(w).counts.streams, 1);
	assert_int_equal(world_status(w).counts.refused, 0);
	put(good, "still");
	peer_expect_data(w->peer, peer_number(good_id), "still");

	int fd;
	uint32_t id = connect_through(w, &fd);

	peer_send(w->peer, id, "and again");
	assert_got(fd, "and again");
	close(fd);
	close(good);
}

static unsigned failures_said;

static void count_failures(void *arg, enum log_level level, const char *line)
{
	(void)arg;
	(void)level;
	failures_said += strncmp(line, "stream-failed", 13) == 0;
}

static void refuse_one(struct world *w)
{
	int fd = world_connect(w);

	peer_refuse(w->peer, peer_expect_open_to(w->peer, "db.internal", 5432), OPEN_CONNECT_FAILED,
	    "Connection refused");
	close(fd);
}

static void test_a_target_that_refuses_again_is_a_line_again(void **state)
{
	struct world *w = *state;
	int fd;

	start_up(w);
	failures_said = 0;
	log_set_sink(count_failures, NULL);
	refuse_one(w);
	refuse_one(w);
	assert_int_equal(failures_said, 1);
	loop_fake_advance(w->loop, 1000);
	connect_through(w, &fd);
	assert_int_equal(failures_said, 2); /* repeated=1 */
	refuse_one(w);
	refuse_one(w);
	assert_int_equal(failures_said, 3);
	forward_stop_accepting(w->forward);
	assert_int_equal(failures_said, 4); /* repeated=1 */
	close(fd);
}

static void test_a_client_that_leaves_while_the_channel_opens(void **state)
{
	struct world *w = *state;
	const struct linger at_once = {.l_onoff = 1};

	start_up(w);
	int fd = world_connect(w);
	uint32_t id = peer_expect_open_to(w->peer, "db.internal", 5432);

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
	settle(w->loop);
	assert_int_equal(world_status(w).counts.streams, 0);
	peer_confirm(w->peer, id);
	struct rd r = peer_expect(w->peer, SSH_MSG_CHANNEL_EOF);

	(void)r;
	peer_expect_close(w->peer, peer_number(id));
	peer_send_close(w->peer, id);
	assert_int_equal(session_channel_count(peer_session(w->peer)), 0);
}

static void test_more_than_max_streams_are_refused(void **state)
{
	struct world *w = *state;
	struct config_forward config =
	    world_config(CONFIG_FORWARD_LOCAL, "127.0.0.1:0", "db.internal:5432");
	int first, second;

	config.max_streams = 1;
	world_start(w, config);
	world_link_up(w);
	uint32_t id = connect_through(w, &first);

	second = world_connect(w);
	assert_got_reset(second);
	peer_expect_nothing(w->peer);
	assert_int_equal(world_status(w).counts.refused, 1);
	close(second);

	close(first);
	peer_expect_eof(w->peer, peer_number(id));
	peer_send_eof(w->peer, id);
	peer_expect_close(w->peer, peer_number(id));
	connect_through(w, &second);
	close(second);
}

static void test_a_client_that_is_not_allowed_is_reset(void **state)
{
	struct world *w = *state;
	char *nets[] = {(char[]){"192.0.2.0/24"}};
	struct config_forward config =
	    world_config(CONFIG_FORWARD_LOCAL, "127.0.0.1:0", "db.internal:5432");

	config.allow = (struct config_strings){.v = nets, .n = 1};
	world_start(w, config);
	world_link_up(w);
	int fd = world_connect(w);

	assert_got_reset(fd);
	peer_expect_nothing(w->peer);
	assert_int_equal(world_status(w).counts.refused, 1);
	close(fd);
}

/* ---- held ---- */

static void test_clients_are_held_and_go_on_in_order(void **state)
{
	struct world *w = *state;
	int fds[3];

	start(w);
	for (int i = 0; i < 3; i++) {
		char text[2] = {(char)('a' + i)};

		fds[i] = world_connect(w);
		put(fds[i], text);
		loop_fake_advance(w->loop, 10);
	}
	assert_int_equal(world_status(w).counts.held, 3);
	assert_int_equal(world_status(w).counts.streams, 0);
	assert_int_equal(world_status(w).state, FORWARD_WAITING);
	assert_true(w->held >= 1);
	world_link_up(w);
	assert_int_equal(world_status(w).counts.held, 0);

	uint32_t ids[3];

	for (int i = 0; i < 3; i++)
		ids[i] = peer_expect_open_to(w->peer, "db.internal", 5432);
	for (int i = 0; i < 3; i++) {
		char text[2] = {(char)('a' + i)};

		peer_confirm(w->peer, ids[i]);
		peer_expect_data(w->peer, peer_number(ids[i]), text);
	}
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

static void no_stream(void *arg, const struct forward_stream_info *info)
{
	(void)arg;
	(void)info;
	fail();
}

static void test_who_is_held_is_no_stream(void **state)
{
	struct world *w = *state;

	start(w);
	int fd = world_connect(w);
	assert_int_equal(world_status(w).counts.held, 1);
	forward_each_stream(w->forward, no_stream, NULL);
	close(fd);
}

/* The link is up, but who waited is not connected yet when another comes. */
static void test_a_newcomer_waits_behind_those_who_are_held(void **state)
{
	struct world *w = *state;

	start(w);
	int held = world_connect(w);

	put(held, "first");
	w->peer = peer_new(w->loop);
	int newcomer = tcp_connect(world_port(w));

	put(newcomer, "second");
	settle(w->loop);
	peer_expect_nothing(w->peer);
	forward_session_up(w->forward, peer_session(w->peer));
	settle(w->loop);
	uint32_t ids[2];

	for (int i = 0; i < 2; i++)
		ids[i] = peer_expect_open_to(w->peer, "db.internal", 5432);
	for (int i = 0; i < 2; i++) {
		peer_confirm(w->peer, ids[i]);
		peer_expect_data(w->peer, peer_number(ids[i]), i ? "second" : "first");
	}
	close(held);
	close(newcomer);
}

static void test_a_client_is_held_for_hold_timeout(void **state)
{
	struct world *w = *state;

	start(w);
	int fd = world_connect(w);

	loop_fake_advance(w->loop, 9999);
	assert_got_nothing(fd);
	loop_fake_advance(w->loop, 1);
	assert_got_reset(fd);
	assert_int_equal(world_status(w).counts.held, 0);
	assert_int_equal(world_status(w).counts.refused, 1);
	close(fd);
}

static void test_without_hold_timeout_a_client_is_refused_at_once(void **state)
{
	struct world *w = *state;

	start(w);
	forward_set_config(w->forward, &w->config, 0);
	int fd = world_connect(w);

	assert_got_reset(fd);
	assert_int_equal(w->held, 0);
	close(fd);
}

static void test_a_held_client_that_leaves_is_noticed(void **state)
{
	struct world *w = *state;
	const struct linger at_once = {.l_onoff = 1};

	start(w);
	int closes = world_connect(w), resets = world_connect(w), stays = world_connect(w);

	put(resets, "said something");
	put(stays, "said something");
	settle(w->loop);
	shutdown(stays, SHUT_WR);
	close(closes);
	setsockopt(resets, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(resets);
	settle(w->loop);
	assert_int_equal(world_status(w).counts.held, 1);
	world_link_up(w);
	uint32_t id = peer_expect_open_to(w->peer, "db.internal", 5432);

	peer_confirm(w->peer, id);
	peer_expect_data(w->peer, peer_number(id), "said something");
	peer_expect_eof(w->peer, peer_number(id));
	peer_expect_nothing(w->peer);
	close(stays);
}

static void test_a_client_whose_session_dies_before_the_answer_is_held_again(void **state)
{
	struct world *w = *state;

	start_up(w);
	int fd = world_connect(w);

	peer_expect_open_to(w->peer, "db.internal", 5432);
	put(fd, "patience");
	settle(w->loop);
	world_link_lost(w);
	assert_int_equal(world_status(w).counts.held, 1);
	assert_got_nothing(fd);
	world_link_up(w);
	uint32_t id = peer_expect_open_to(w->peer, "db.internal", 5432);

	peer_confirm(w->peer, id);
	peer_expect_data(w->peer, peer_number(id), "patience");
	close(fd);
}

/* A host may have several connections: one that is up already is not announced again. */
static void goes_on_over_another(struct world *w)
{
	struct peer *lost = w->peer;
	int fd = world_connect(w);

	peer_expect_open_to(lost, "db.internal", 5432);
	put(fd, "patience");
	settle(w->loop);
	w->peer = peer_new(w->loop);
	peer_lose(lost);
	settle(w->loop);
	uint32_t id = peer_expect_open_to(w->peer, "db.internal", 5432);

	peer_confirm(w->peer, id);
	peer_expect_data(w->peer, peer_number(id), "patience");
	forward_session_down(w->forward, peer_session(lost));
	peer_free(lost);
	close(fd);
}

static void test_a_client_that_no_session_survives_is_given_up(void **state)
{
	struct world *w = *state;

	start_up(w);
	int fd = world_connect(w);

	for (int i = 0; i < 3; i++) {
		assert_got_nothing(fd);
		peer_expect_open_to(w->peer, "db.internal", 5432);
		world_link_lost(w);
		world_link_up(w);
	}
	assert_got_reset(fd);
	peer_expect_nothing(w->peer);
	assert_int_equal(world_status(w).counts.failed, 1);
	close(fd);
}

static void test_a_client_whose_session_dies_before_the_answer_goes_on_over_another(void **state)
{
	struct world *w = *state;

	start_up(w);
	goes_on_over_another(w);
}

static void test_so_it_does_if_it_must_not_wait(void **state)
{
	struct world *w = *state;

	start_up(w);
	forward_set_config(w->forward, &w->config, 0);
	goes_on_over_another(w);
}

static void test_if_it_must_not_wait_and_there_is_no_other_it_is_refused(void **state)
{
	struct world *w = *state;

	start_up(w);
	forward_set_config(w->forward, &w->config, 0);
	int fd = world_connect(w);

	peer_expect_open_to(w->peer, "db.internal", 5432);
	world_link_lost(w);
	assert_got_reset(fd);
	assert_int_equal(world_status(w).counts.refused, 1);
	close(fd);
}

/* ---- the owner's wishes ---- */

static void test_a_forward_that_stops_accepting_lets_its_streams_go_on(void **state)
{
	struct world *w = *state;
	int fd;

	start_up(w);
	uint32_t id = connect_through(w, &fd);
	uint16_t port = world_port(w);

	forward_stop_accepting(w->forward);
	settle(w->loop);
	put(fd, "on and on");
	peer_expect_data(w->peer, peer_number(id), "on and on");
	assert_int_equal(world_status(w).state, FORWARD_WAITING);

	/* The port is free for somebody else. */
	struct sockaddr_storage a;
	socklen_t n = sizeof(a);
	uint16_t other_port;
	int other = tcp_listen(&other_port);

	assert_int_equal(getsockname(other, (struct sockaddr *)&a, &n), 0);
	assert_int_not_equal(port, other_port);
	close(other);

	shutdown(fd, SHUT_WR);
	peer_expect_eof(w->peer, peer_number(id));
	peer_send_eof(w->peer, id);
	settle(w->loop);
	assert_int_equal(world_status(w).counts.streams, 0);
	close(fd);
}

static void test_a_stream_that_loses_its_session_is_not_held_by_a_forward_that_stopped(void **state)
{
	struct world *w = *state;

	start(w);
	world_link_up(w);
	int fd = world_connect(w);

	peer_expect_open_to(w->peer, "db.internal", 5432);
	forward_stop_accepting(w->forward);
	settle(w->loop);
	assert_got_nothing(fd);
	world_link_lost(w);
	assert_got_reset(fd);
	assert_int_equal(world_status(w).counts.held, 0);
	close(fd);
}

static void clear_config(struct config_forward *config)
{
	free(config->listen.host);
	free(config->listen.text);
	free(config->to.host);
	free(config->to.text);
}

static void test_a_new_target_is_for_new_streams(void **state)
{
	struct world *w = *state;
	struct config_forward other =
	    world_config(CONFIG_FORWARD_LOCAL, "127.0.0.1:0", "db2.internal:5433");
	int old_fd;

	start_up(w);
	uint32_t old_id = connect_through(w, &old_fd);

	forward_set_config(w->forward, &other, 10000);
	int fd = world_connect(w);

	peer_expect_open_to(w->peer, "db2.internal", 5433);
	put(old_fd, "as before");
	peer_expect_data(w->peer, peer_number(old_id), "as before");
	close(fd);
	close(old_fd);
	settle(w->loop);
	forward_free(w->forward);
	w->forward = NULL;
	settle(w->loop);
	clear_config(&other);
}

static void test_a_dead_target_is_not_up(void **state)
{
	struct world *w = *state;

	start_up(w);
	unsigned changes = w->changes;

	forward_set_target_error(w->forward, "the target refuses");
	settle(w->loop);
	assert_int_equal(world_status(w).state, FORWARD_WAITING);
	assert_string_equal(world_status(w).reason, "the target refuses");
	assert_int_equal(w->changes, changes + 1);
	forward_set_target_error(w->forward, "the target refuses");
	settle(w->loop);
	assert_int_equal(w->changes, changes + 1);
	forward_set_target_error(w->forward, NULL);
	assert_int_equal(world_status(w).state, FORWARD_UP);
}

static void count_stream(void *arg, const struct forward_stream_info *info)
{
	unsigned *count = arg;

	(*count)++;
	assert_true(info->id > 0);
	assert_memory_equal(info->client, "127.0.0.1:", 10);
	assert_string_equal(info->to, "db.internal:5432");
	assert_int_equal(info->bytes_out, 5);
	assert_int_equal(info->age_ms, 3000);
	assert_int_equal(info->idle_ms, 1000);
}

static void test_streams_can_be_seen(void **state)
{
	struct world *w = *state;
	unsigned count = 0;
	int fd;

	start_up(w);
	uint32_t id = connect_through(w, &fd);

	loop_fake_advance(w->loop, 2000);
	put(fd, "hello");
	peer_expect_data(w->peer, peer_number(id), "hello");
	loop_fake_advance(w->loop, 1000);
	forward_each_stream(w->forward, count_stream, &count);
	assert_int_equal(count, 1);
	close(fd);
}

static void test_two_forwards_on_one_port(void **state)
{
	struct world *w = *state;
	const struct forward_env env = {.loop = w->loop};
	struct err e = ERR_INIT;
	char text[32];

	start(w);
	snprintf(text, sizeof(text), "127.0.0.1:%u", world_port(w));
	struct config_forward second = world_config(CONFIG_FORWARD_LOCAL, text, "a:1");

	assert_null(forward_new(&env, &second, 0, &(struct forward_callbacks){0}, NULL, &e));
	assert_int_equal(e.class, ERR_LOCAL);
	settle(w->loop);
	free(second.listen.host);
	free(second.listen.text);
	free(second.to.host);
	free(second.to.text);
}

/* ---- PROXY ---- */

static void test_the_target_is_told_who_the_client_is(void **state)
{
	struct world *w = *state;
	struct config_forward config =
	    world_config(CONFIG_FORWARD_LOCAL, "127.0.0.1:0", "db.internal:5432");
	char header[128];
	int fd;

	config.send_proxy = CONFIG_SEND_PROXY_V1;
	world_start(w, config);
	world_link_up(w);
	uint32_t id = connect_through(w, &fd);

	put(fd, "GET /");
	snprintf(header, sizeof(header), "PROXY TCP4 127.0.0.1 127.0.0.1 %u %u\r\nGET /",
	    own_port(fd), world_port(w));
	peer_expect_data(w->peer, peer_number(id), header);
	close(fd);
}

/* A reload while it waited: the header belongs to the target, and to that it still goes. */
static void test_a_target_is_told_as_it_was_configured_with_it(void **state)
{
	struct world *w = *state;
	struct config_forward other =
	    world_config(CONFIG_FORWARD_LOCAL, "127.0.0.1:0", "db2.internal:5433");

	start(w);
	int fd = world_connect(w);

	put(fd, "GET /");
	settle(w->loop);
	assert_int_equal(world_status(w).counts.held, 1);
	other.send_proxy = CONFIG_SEND_PROXY_V1;
	forward_set_config(w->forward, &other, 10000);
	world_link_up(w);
	uint32_t id = peer_expect_open_to(w->peer, "db.internal", 5432);

	peer_confirm(w->peer, id);
	peer_expect_data(w->peer, peer_number(id), "GET /");
	close(fd);
	forward_free(w->forward);
	w->forward = NULL;
	settle(w->loop);
	clear_config(&other);
}

/* ---- Unix sockets ---- */

static char folder[] = "/tmp/adit-local-test-XXXXXX";

static char *path_of(const char *name, const char *prefix)
{
	return str_format("%s%s/%s", prefix, folder, name);
}

static void test_unix_to_tcp(void **state)
{
	struct world *w = *state;
	char *path = path_of("a", ""), *listen_text = path_of("a", "unix:");
	struct stat st;
	struct rd r;

	world_start(w, world_config(CONFIG_FORWARD_LOCAL, listen_text, "db.internal:5432"));
	world_link_up(w);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	int fd = unix_connect(path);

	settle(w->loop);
	struct peer_open open = peer_expect_open(w->peer, "direct-tcpip");

	rd_init(&r, open.extra);
	rd_string(&r);
	rd_u32(&r);
	assert_true(span_is(rd_string(&r), "127.0.0.1"));
	assert_int_equal(rd_u32(&r), 65535);
	assert_int_equal(rd_end(&r), 0);
	peer_confirm(w->peer, open.id);
	put(fd, "hello");
	peer_expect_data(w->peer, peer_number(open.id), "hello");
	close(fd);
	forward_free(w->forward);
	w->forward = NULL;
	settle(w->loop);
	assert_int_equal(stat(path, &st), -1);
	free(path);
	free(listen_text);
}

static void test_unix_to_unix(void **state)
{
	struct world *w = *state;
	char *path = path_of("b", ""), *listen_text = path_of("b", "unix:");
	struct rd r;

	world_start(w, world_config(CONFIG_FORWARD_LOCAL, listen_text, "unix:/run/db.sock"));
	world_link_up(w);
	int fd = unix_connect(path);

	settle(w->loop);
	struct peer_open open = peer_expect_open(w->peer, "direct-streamlocal@openssh.com");

	rd_init(&r, open.extra);
	assert_true(span_is(rd_string(&r), "/run/db.sock"));
	assert_true(span_is(rd_string(&r), ""));
	assert_int_equal(rd_u32(&r), 0);
	assert_int_equal(rd_end(&r), 0);
	peer_confirm(w->peer, open.id);
	peer_send(w->peer, open.id, "from afar");
	assert_got(fd, "from afar");
	peer_send_eof(w->peer, open.id);
	assert_got_eof(fd);
	close(fd);
	free(path);
	free(listen_text);
}

static void test_tcp_to_unix(void **state)
{
	struct world *w = *state;
	struct rd r;

	world_start(w, world_config(CONFIG_FORWARD_LOCAL, "127.0.0.1:0", "unix:/run/db.sock"));
	world_link_up(w);
	int fd = world_connect(w);
	struct peer_open open = peer_expect_open(w->peer, "direct-streamlocal@openssh.com");

	rd_init(&r, open.extra);
	assert_true(span_is(rd_string(&r), "/run/db.sock"));
	close(fd);
}

static void test_a_held_unix_client_that_leaves_is_noticed(void **state)
{
	struct world *w = *state;
	char *path = path_of("c", ""), *listen_text = path_of("c", "unix:");

	world_start(w, world_config(CONFIG_FORWARD_LOCAL, listen_text, "db.internal:5432"));
	int fd = unix_connect(path);

	put(fd, "hello");
	settle(w->loop);
	assert_int_equal(world_status(w).counts.held, 1);
	close(fd);
	settle(w->loop);
	assert_int_equal(world_status(w).counts.held, 0);
	free(path);
	free(listen_text);
}

/* All of it comes at once: more than a forward lets other clients send ahead. */
static void test_what_a_unix_client_said_before_the_confirmation_goes_with_it(void **state)
{
	struct world *w = *state;
	char *path = path_of("e", ""), *listen_text = path_of("e", "unix:");
	char *much = mem_alloc(20001);

	memset(much, 'x', 20000);
	world_start(w, world_config(CONFIG_FORWARD_LOCAL, listen_text, "db.internal:5432"));
	world_link_up(w);
	int fd = unix_connect(path);

	put(fd, much);
	shutdown(fd, SHUT_WR);
	settle(w->loop);
	uint32_t id = peer_expect_open_to(w->peer, "db.internal", 5432);

	peer_confirm(w->peer, id);
	peer_expect_data(w->peer, peer_number(id), much);
	peer_expect_eof(w->peer, peer_number(id));
	close(fd);
	free(much);
	free(path);
	free(listen_text);
}

static void test_a_unix_client_that_has_spoken_is_reset_when_its_target_refuses(void **state)
{
	struct world *w = *state;
	char *path = path_of("f", ""), *listen_text = path_of("f", "unix:");

	world_start(w, world_config(CONFIG_FORWARD_LOCAL, listen_text, "db.internal:5432"));
	world_link_up(w);
	int fd = unix_connect(path);

	put(fd, "hello");
	settle(w->loop);
	peer_refuse(w->peer, peer_expect_open_to(w->peer, "db.internal", 5432), OPEN_CONNECT_FAILED,
	    "Connection refused");
	assert_got_reset(fd);
	close(fd);
	free(path);
	free(listen_text);
}

static void test_a_unix_client_that_has_spoken_is_reset_when_it_was_held_for_hold_timeout(
    void **state)
{
	struct world *w = *state;
	char *path = path_of("g", ""), *listen_text = path_of("g", "unix:");

	world_start(w, world_config(CONFIG_FORWARD_LOCAL, listen_text, "db.internal:5432"));
	int fd = unix_connect(path);

	put(fd, "hello");
	shutdown(fd, SHUT_WR);
	settle(w->loop);
	assert_int_equal(world_status(w).counts.held, 1);
	loop_fake_advance(w->loop, 10000);
	assert_int_equal(world_status(w).counts.refused, 1);
	assert_got_reset(fd);
	close(fd);
	free(path);
	free(listen_text);
}

static void test_a_unix_client_that_leaves_while_the_channel_opens_is_not_held_again(void **state)
{
	struct world *w = *state;
	char *path = path_of("h", ""), *listen_text = path_of("h", "unix:");

	world_start(w, world_config(CONFIG_FORWARD_LOCAL, listen_text, "db.internal:5432"));
	world_link_up(w);
	int fd = unix_connect(path);

	put(fd, "hello");
	settle(w->loop);
	peer_expect_open_to(w->peer, "db.internal", 5432);
	close(fd);
	settle(w->loop);
	world_link_lost(w);
	assert_int_equal(world_status(w).counts.held, 0);
	free(path);
	free(listen_text);
}

static void test_a_socks_client_of_a_unix_socket_is_refused_in_words(void **state)
{
	static const uint8_t said[] = "\5\1\0\5\1\0\3\2db\0\x50 and more";
	static const uint8_t answer[] = "\5\0\5\5\0\1\0\0\0\0\0\0";
	struct world *w = *state;
	char *path = path_of("i", ""), *listen_text = path_of("i", "unix:");

	world_start(w, world_config(CONFIG_FORWARD_SOCKS, listen_text, NULL));
	world_link_up(w);
	int fd = unix_connect(path);

	assert_int_equal(send(fd, said, sizeof(said) - 1, 0), sizeof(said) - 1);
	settle(w->loop);
	peer_refuse(w->peer, peer_expect_open_to(w->peer, "db", 80), OPEN_CONNECT_FAILED,
	    "Connection refused");
	assert_got_bytes(fd, SPAN(answer, sizeof(answer) - 1));
	assert_got_eof(fd);
	close(fd);
	free(path);
	free(listen_text);
}

static void test_a_unix_client_of_another_user_is_refused(void **state)
{
	struct world *w = *state;
	char *path = path_of("d", ""), *listen_text = path_of("d", "unix:");
	char *users[] = {str_format("%u", (unsigned)geteuid() + 1)};
	struct config_forward config =
	    world_config(CONFIG_FORWARD_LOCAL, listen_text, "db.internal:5432");

	config.allow_users = (struct config_strings){.v = users, .n = 1};
	world_start(w, config);
	world_link_up(w);
	int fd = unix_connect(path);

	settle(w->loop);
	assert_got_eof(fd);
	peer_expect_nothing(w->peer);
	assert_int_equal(world_status(w).counts.refused, 1);
	close(fd);
	free(users[0]);
	free(path);
	free(listen_text);
}

/* ---- inherited listeners ---- */

static int inherited_fd;
static const char *inherited_name;

static size_t inherit(void *arg, const char *name, int fds[], size_t max)
{
	(void)arg;
	assert_true(max >= 1);
	if (strcmp(name, inherited_name) != 0)
		return 0;
	fds[0] = inherited_fd;
	return 1;
}

static void test_a_socket_of_systemd(void **state)
{
	struct world *w = *state;
	struct forward_env env = {.loop = w->loop, .inherit = inherit};
	struct config_forward config =
	    world_config(CONFIG_FORWARD_LOCAL, "systemd:db", "db.internal:5432");
	static const struct forward_callbacks callbacks = {0};
	struct err e = ERR_INIT;
	uint16_t port;
	int fds[LISTENER_FDS_MAX];

	inherited_fd = tcp_listen(&port);
	inherited_name = "other";
	assert_null(forward_new(&env, &config, 0, &callbacks, NULL, &e));
	assert_int_equal(e.class, ERR_CONFIG);
	assert_non_null(strstr(e.text, "db"));

	inherited_name = "db";
	struct forward *f = forward_new(&env, &config, 0, &callbacks, NULL, &e);

	assert_non_null(f);
	assert_int_equal(forward_listen_fds(f, fds), 1);
	assert_int_equal(fds[0], inherited_fd);
	forward_free(f);
	settle(w->loop);
	free(config.listen.path);
	free(config.listen.text);
	free(config.to.host);
	free(config.to.text);
}

static int set_up_group(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int tear_down_group(void **state)
{
	(void)state;
	return rmdir(folder);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_the_port_that_was_given_is_in_the_log),
	    TEST(test_the_originator_is_the_true_client),
	    TEST(test_bytes_go_both_ways),
	    TEST(test_what_the_client_said_before_the_confirmation_goes_with_it),
	    TEST(test_a_client_that_only_sends_is_heard_to_its_end),
	    TEST(test_half_close_by_the_client),
	    TEST(test_half_close_by_the_server),
	    TEST(test_a_reset_by_the_client_closes_the_channel),
	    TEST(test_a_lost_transport_resets_the_clients),
	    TEST(test_an_idle_stream_is_closed_after_idle_timeout),
	    TEST(test_a_refused_target_resets_its_client_and_no_other),
	    TEST(test_a_target_that_refuses_again_is_a_line_again),
	    TEST(test_a_client_that_leaves_while_the_channel_opens),
	    TEST(test_more_than_max_streams_are_refused),
	    TEST(test_a_client_that_is_not_allowed_is_reset),
	    TEST(test_clients_are_held_and_go_on_in_order),
	    TEST(test_who_is_held_is_no_stream),
	    TEST(test_a_newcomer_waits_behind_those_who_are_held),
	    TEST(test_a_client_is_held_for_hold_timeout),
	    TEST(test_without_hold_timeout_a_client_is_refused_at_once),
	    TEST(test_a_held_client_that_leaves_is_noticed),
	    TEST(test_a_client_whose_session_dies_before_the_answer_is_held_again),
	    TEST(test_a_client_that_no_session_survives_is_given_up),
	    TEST(test_a_client_whose_session_dies_before_the_answer_goes_on_over_another),
	    TEST(test_so_it_does_if_it_must_not_wait),
	    TEST(test_if_it_must_not_wait_and_there_is_no_other_it_is_refused),
	    TEST(test_a_forward_that_stops_accepting_lets_its_streams_go_on),
	    TEST(test_a_stream_that_loses_its_session_is_not_held_by_a_forward_that_stopped),
	    TEST(test_a_new_target_is_for_new_streams),
	    TEST(test_a_dead_target_is_not_up),
	    TEST(test_streams_can_be_seen),
	    TEST(test_two_forwards_on_one_port),
	    TEST(test_the_target_is_told_who_the_client_is),
	    TEST(test_a_target_is_told_as_it_was_configured_with_it),
	    TEST(test_unix_to_tcp),
	    TEST(test_unix_to_unix),
	    TEST(test_tcp_to_unix),
	    TEST(test_a_held_unix_client_that_leaves_is_noticed),
	    TEST(test_what_a_unix_client_said_before_the_confirmation_goes_with_it),
	    TEST(test_a_unix_client_that_has_spoken_is_reset_when_its_target_refuses),
	    TEST(test_a_unix_client_that_has_spoken_is_reset_when_it_was_held_for_hold_timeout),
	    TEST(test_a_unix_client_that_leaves_while_the_channel_opens_is_not_held_again),
	    TEST(test_a_socks_client_of_a_unix_socket_is_refused_in_words),
	    TEST(test_a_unix_client_of_another_user_is_refused),
	    TEST(test_a_socket_of_systemd),
	};

	return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
