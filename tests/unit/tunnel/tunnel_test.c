/*
 * One tunnel: its states, on demand, probes, its listeners.
 */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

#define A (&rig_places[0])
#define B (&rig_places[1])
#define C (&rig_places[2])
#define LOCAL(via) "via = " via "; local = \"${P}\"; to = \"db:5432\";"

#define ONE(keys) \
	"hosts: { a: { port = ${A}; }; b: { port = ${B}; }; }; tunnels: { x: { " LOCAL("\"a\"") \
	    keys " }; };"

static void test_it_is_down_with_the_reason_until_the_link_is_up(void **state)
{
	(void)state;
	place_close(A);
	rig_apply(ONE(""));
	assert_tunnel("x", TUNNEL_DOWN);
	assert_non_null(strstr(tunnel_reason(rig_tunnel("x")), "Connection refused"));
	place_open(A);
	rig_advance(1000);
	assert_tunnel("x", TUNNEL_UP);
	assert_string_equal(tunnel_reason(rig_tunnel("x")), "");
	assert_int_equal(rig_log_count("tunnel-up tunnel=x"), 1);
}

static void test_a_first_try_is_said_when_it_is_over(void **state)
{
	(void)state;
	rig_apply("hosts: { a: { port = ${A}; }; b: { port = ${B}; via = \"a\"; }; }; "
		  "tunnels: { x: { " LOCAL("\"b\"") " }; };");
	assert_tunnel("x", TUNNEL_UP);
	assert_false(rig_log_has("tunnel-down"));
	rig_apply("hosts: {}; tunnels: {};");
	place_close(A);
	rig_apply(ONE(""));
	assert_true(rig_log_has("tunnel-down tunnel=x host=a reason="));
	assert_int_equal(rig_log_count("tunnel-down"), 1);
	assert_true(rig_log_has("Connection refused"));
	rig_apply(ONE("enabled = false;"));
	assert_int_equal(rig_log_count("tunnel-stopped tunnel=x"), 2);
}

static enum server_verdict refuse_login(
    void *arg, struct server *s, const struct server_login *login)
{
	(void)arg;
	(void)s;
	(void)login;
	return SERVER_REFUSE;
}

static void test_what_only_a_person_can_mend_is_failed(void **state)
{
	(void)state;
	place_close(A);
	rig_apply("hosts: { a: { port = ${A}; }; b: { port = ${B}; via = \"a\"; }; }; "
		  "tunnels: { x: { " LOCAL("\"b\"") " }; };");
	assert_int_equal(rig_forward("x").state, FORWARD_WAITING);
	assert_in_range(tunnel_next_try_ms(rig_tunnel("x"), 0), 1, 1000);
	A->script.on_login = refuse_login;
	place_open(A);
	rig_advance(1000);
	assert_int_equal(rig_forward("x").state, FORWARD_FAILED);
	assert_tunnel("x", TUNNEL_DOWN);
	/* The jump host's next try is the one that it waits for. */
	assert_in_range(tunnel_next_try_ms(rig_tunnel("x"), 0), 14000, 30000);
	A->script.on_login = NULL;
	tunnel_retry_now(rig_tunnel("x"));
	rig_advance(1000);
	assert_int_equal(rig_forward("x").state, FORWARD_UP);
	assert_int_equal(tunnel_next_try_ms(rig_tunnel("x"), 0), 0);
}

static void test_who_comes_while_the_link_is_down_is_held_and_then_connected_in_order(void **state)
{
	int clients[5];

	(void)state;
	place_close(A);
	rig_apply(ONE(""));
	for (int i = 0; i < 5; i++) {
		clients[i] = rig_client(rig_ports[0]);
		rig_client_send(clients[i], "early");
	}
	assert_int_equal(rig_forward("x").counts.held, 5);
	rig_advance(5000);
	for (int i = 0; i < 5; i++)
		assert_string_equal(rig_client_got(clients[i]), "");
	place_open(A);
	rig_advance(1000); /* no more than that, since somebody waits */
	for (int i = 0; i < 5; i++) {
		assert_string_equal(rig_client_got(clients[i]), "early");
		close(clients[i]);
	}
}

/* The first wait is cut short, and those that follow are not longer. */
static void test_while_somebody_is_held_every_try_is_within_a_second(void **state)
{
	(void)state;
	A->manners = PLACE_HANGS_UP;
	rig_apply("hosts: { a: { port = ${A}; reconnect_min = 20; }; }; tunnels: { x: { " LOCAL(
	    "\"a\"") " hold_timeout = 30; }; };");
	assert_int_equal(A->accepted, 1);
	int client = rig_client(rig_ports[0]);
	for (size_t tries = 2; tries < 8; tries++) {
		rig_advance(1000);
		assert_in_range(A->accepted, tries, 50);
	}
	A->manners = PLACE_SERVES;
	rig_advance(1000);
	assert_echo(client, "served");
	close(client);
}

static void test_so_is_every_try_of_the_jump_host_below(void **state)
{
	(void)state;
	A->manners = PLACE_HANGS_UP;
	rig_apply("hosts: { a: { port = ${A}; reconnect_min = 20; }; b: { port = ${B}; via = "
		  "\"a\"; }; }; "
		  "tunnels: { x: { " LOCAL("\"b\"") " hold_timeout = 30; }; };");
	assert_int_equal(A->accepted, 1);
	int client = rig_client(rig_ports[0]);
	rig_advance(1000);
	assert_in_range(A->accepted, 2, 50);
	A->manners = PLACE_SERVES;
	rig_advance(1000);
	assert_echo(client, "served");
	close(client);
}

static void test_who_waits_longer_than_hold_timeout_is_reset(void **state)
{
	(void)state;
	place_close(A);
	rig_apply(ONE("hold_timeout = 3;"));
	int client = rig_client(rig_ports[0]);
	rig_advance(2900);
	assert_string_equal(rig_client_got(client), "");
	rig_advance(200);
	assert_string_equal(rig_client_got(client), "reset");
	close(client);
}

static void test_a_lost_link_resets_its_streams_and_keeps_the_listener(void **state)
{
	(void)state;
	rig_apply(ONE(""));
	int client = rig_client(rig_ports[0]);
	assert_echo(client, "x");
	rig_advance(2000);
	place_kill(A);
	assert_string_equal(rig_client_got(client), "reset");
	close(client);
	client = rig_client(rig_ports[0]);
	rig_advance(0);
	assert_echo(client, "again");
	close(client);
}

/* ---- on demand ---- */

static void test_on_demand_the_first_client_makes_the_link_and_idleness_ends_it(void **state)
{
	(void)state;
	rig_apply(ONE("connect = \"on-demand\"; link_idle_timeout = 10;"));
	rig_advance(30000);
	assert_int_equal(A->accepted, 0);
	assert_true(tunnel_is_ready(rig_tunnel("x")));
	assert_non_null(strstr(tunnel_reason(rig_tunnel("x")), "on-demand"));
	int client = rig_client(rig_ports[0]);
	assert_echo(client, "made for me");
	rig_advance(60000);
	assert_int_equal(place_live_count(A), 1); /* as long as there is a stream */
	close(client);
	rig_advance(9000);
	assert_int_equal(place_live_count(A), 1);
	rig_advance(2000);
	assert_int_equal(place_live_count(A), 0);
	assert_int_equal(server_disconnect_code(place_last(A)), 11);
	client = rig_client(rig_ports[0]);
	assert_echo(client, "and again");
	close(client);
	/* Only one that was lost comes up again. */
	assert_int_equal(host_counts(rig_host("a")).reconnects, 0);
	place_kill(A);
	rig_advance(1000);
	assert_int_equal(host_counts(rig_host("a")).reconnects, 1);
}

static void test_on_demand_it_is_up_while_another_tunnel_keeps_the_link(void **state)
{
	(void)state;
	rig_apply(
	    "hosts: { a: { port = ${A}; }; }; tunnels: { "
	    "x: { " LOCAL("\"a\"") " connect = \"on-demand\"; }; "
				   "y: { via = \"a\"; local = \"${Q}\"; to = \"db:1\"; }; };");
	assert_tunnel("x", TUNNEL_UP);
	assert_true(rig_log_has("tunnel-up tunnel=x"));
	assert_string_equal(tunnel_reason(rig_tunnel("x")), "");
	int client = rig_client(rig_ports[0]);
	assert_echo(client, "shared");
	assert_int_equal(A->accepted, 1);
	close(client);
	rig_advance(1000);
	tunnel_stop(rig_tunnel("y"), 0);
	rig_advance(600000);
	assert_int_equal(place_live_count(A), 0);
	assert_tunnel("x", TUNNEL_DOWN);
	tunnel_start(rig_tunnel("y"));
	rig_advance(0);
	assert_tunnel("x", TUNNEL_UP);
	assert_int_equal(rig_log_count("tunnel-up tunnel=x"), 2);
}

static void test_on_demand_a_new_client_within_the_idle_time_starts_it_anew(void **state)
{
	(void)state;
	rig_apply(ONE("connect = \"on-demand\"; link_idle_timeout = 10;"));
	for (int i = 0; i < 5; i++) {
		int client = rig_client(rig_ports[0]);
		assert_echo(client, "x");
		close(client);
		rig_advance(8000);
	}
	assert_int_equal(A->accepted, 1);
}

static void test_on_demand_a_route_that_was_replaced_goes_when_it_is_idle(void **state)
{
#define LEADS_BY(host) \
	"hosts: { a: { port = ${A}; }; b: { port = ${B}; }; }; tunnels: { x: { " LOCAL( \
	    "\"" host "\"") " connect = \"on-demand\"; link_idle_timeout = 5; }; };"

	(void)state;
	place_close(B);
	rig_apply(LEADS_BY("a"));
	int client = rig_client(rig_ports[0]);
	assert_echo(client, "by a");
	rig_apply(LEADS_BY("b"));
	assert_echo(client, "still by a");
	close(client);
	rig_advance(60000);
	assert_int_equal(place_live_count(A), 0);
	client = rig_client(rig_ports[0]);
	rig_advance(1000);
	assert_int_equal(place_live_count(A), 0);
	place_open(B);
	rig_advance(1000);
	assert_echo(client, "by b");
	close(client);
}

static void test_a_remote_forward_keeps_its_link_even_on_demand(void **state)
{
	(void)state;
#define ON_DEMAND(keys) \
	"hosts: { a: { port = ${A}; }; }; tunnels: { x: { via = \"a\"; connect = \"on-demand\"; " \
	"link_idle_timeout = 5; " keys " }; };"
	rig_apply(ON_DEMAND("remote = \"8080\"; to = \"127.0.0.1:1\";"));
	assert_tunnel("x", TUNNEL_UP);
	rig_advance(60000);
	assert_int_equal(A->accepted, 1);
	assert_int_equal(place_live_count(A), 1);
}

static void test_socks_on_the_server_keeps_its_link_even_on_demand(void **state)
{
	(void)state;
	rig_apply(ON_DEMAND("remote_socks = \"8080\";"));
	assert_tunnel("x", TUNNEL_UP);
	rig_advance(60000);
	assert_int_equal(place_live_count(A), 1);
}

/* ---- probes ---- */

static bool target_is_dead;

static bool refuse_channels(void *arg, struct server *s, struct span payload)
{
	struct rd r;

	(void)arg;
	rd_init(&r, payload);
	if (!target_is_dead || rd_u8(&r) != SSH_MSG_CHANNEL_OPEN)
		return false;
	struct wr w = WR_INIT;

	rd_string(&r);
	wr_u8(&w, SSH_MSG_CHANNEL_OPEN_FAILURE);
	wr_u32(&w, rd_u32(&r));
	wr_u32(&w, 2);
	wr_cstring(&w, "no one is home");
	wr_cstring(&w, "");
	server_send(s, wr_span(&w));
	wr_clear(&w);
	return true;
}

static bool ignore_channels(void *arg, struct server *s, struct span payload)
{
	(void)arg;
	(void)s;
	return payload.p[0] == SSH_MSG_CHANNEL_OPEN;
}

#define PROBED "probe = \"tcp\"; probe_interval = 10;"

static void test_a_probed_tunnel_is_up_once_the_target_accepts(void **state)
{
	(void)state;
	target_is_dead = false;
	A->script.on_message = refuse_channels;
	A->script.ext_info = SERVER_NO_EXT_INFO;
	rig_apply(ONE(PROBED));
	rig_advance(0);
	assert_tunnel("x", TUNNEL_UP);
	assert_int_equal(session_channel_count(link_session(host_link(rig_host("a")))), 0);
}

/* Another's link says nothing of the target. */
static void test_on_demand_a_probed_tunnel_is_not_up_by_another_s_link(void **state)
{
	(void)state;
	rig_apply(
	    "hosts: { a: { port = ${A}; }; }; tunnels: { "
	    "x: { " LOCAL("\"a\"") " connect = \"on-demand\"; " PROBED " }; "
				   "y: { via = \"a\"; local = \"${Q}\"; to = \"db:1\"; }; };");
	assert_tunnel("y", TUNNEL_UP);
	assert_tunnel("x", TUNNEL_DOWN);
	int client = rig_client(rig_ports[0]);
	assert_echo(client, "wanted");
	rig_advance(0);
	assert_tunnel("x", TUNNEL_UP);
	close(client);
}

static void test_a_dead_target_is_the_reason_and_the_listener_stays(void **state)
{
	(void)state;
	target_is_dead = true;
	A->script.on_message = refuse_channels;
	A->script.ext_info = SERVER_NO_EXT_INFO;
	rig_apply(ONE(PROBED));
	rig_advance(0);
	assert_tunnel("x", TUNNEL_DOWN);
	assert_non_null(strstr(tunnel_reason(rig_tunnel("x")), "db:5432"));
	assert_non_null(strstr(tunnel_reason(rig_tunnel("x")), "no one is home"));
	int client = rig_client(rig_ports[0]);
	assert_string_equal(rig_client_got(client), "reset");
	close(client);
	target_is_dead = false;
	rig_advance(10000);
	assert_tunnel("x", TUNNEL_UP);
	target_is_dead = true;
	rig_advance(10000);
	assert_tunnel("x", TUNNEL_DOWN);
	assert_int_equal(A->accepted, 1);
}

static void test_a_target_that_never_answers_is_dead_after_an_interval(void **state)
{
	(void)state;
	A->script.on_message = ignore_channels;
	A->script.ext_info = SERVER_NO_EXT_INFO;
	rig_apply(ONE(PROBED));
	rig_advance(9900);
	assert_non_null(strstr(tunnel_reason(rig_tunnel("x")), "not been tried"));
	rig_advance(200);
	assert_non_null(strstr(tunnel_reason(rig_tunnel("x")), "does not answer"));
}

static void test_a_tunnel_with_one_dead_target_of_two_is_degraded(void **state)
{
	(void)state;
	target_is_dead = true;
	A->script.on_message = refuse_channels;
	A->script.ext_info = SERVER_NO_EXT_INFO;
	rig_apply(
	    "hosts: { a: { port = ${A}; }; }; tunnels: { x: { via = \"a\"; " PROBED
	    "forwards = ( { local = \"${P}\"; to = \"db:1\"; }, { socks = \"${Q}\"; } ); }; };");
	rig_advance(0);
	assert_tunnel("x", TUNNEL_DEGRADED);
	assert_true(rig_log_has("tunnel-degraded tunnel=x"));
}

static void test_a_reload_that_does_not_touch_the_probe_keeps_its_answer(void **state)
{
	(void)state;
	target_is_dead = false;
	A->script.on_message = refuse_channels;
	A->script.ext_info = SERVER_NO_EXT_INFO;
	rig_apply(ONE(PROBED));
	rig_advance(0);
	size_t before = rig_log_count("tunnel-up");
	rig_apply(ONE(PROBED "hold_timeout = 5;"));
	assert_tunnel("x", TUNNEL_UP);
	rig_advance(100);
	assert_int_equal(rig_log_count("tunnel-up"), before);
}

static void test_nothing_is_known_of_a_target_after_the_link_was_lost(void **state)
{
	(void)state;
	target_is_dead = false;
	A->script.on_message = refuse_channels;
	A->script.ext_info = SERVER_NO_EXT_INFO;
	rig_apply(ONE(PROBED));
	rig_advance(2000);
	assert_tunnel("x", TUNNEL_UP);
	target_is_dead = true;
	place_kill(A);
	rig_advance(0);
	rig_advance(0);
	assert_tunnel("x", TUNNEL_DOWN);
	assert_non_null(strstr(tunnel_reason(rig_tunnel("x")), "no one is home"));
}

static void test_a_link_that_is_back_is_not_enough_while_the_target_has_not_answered(void **state)
{
	(void)state;
	target_is_dead = false;
	A->script.on_message = refuse_channels;
	A->script.ext_info = SERVER_NO_EXT_INFO;
	rig_apply(ONE(PROBED));
	rig_advance(2000);
	assert_tunnel("x", TUNNEL_UP);
	A->script.on_message = ignore_channels;
	place_kill(A);
	rig_advance(0);
	rig_advance(0);
	assert_int_equal(place_live_count(A), 1);
	assert_tunnel("x", TUNNEL_DOWN);
	assert_non_null(strstr(tunnel_reason(rig_tunnel("x")), "has not been tried yet"));
}

/* ---- listeners ---- */

static void test_a_port_in_use_is_said_and_tried_again(void **state)
{
	struct listener *other = rig_occupy(rig_ports[0]);

	(void)state;
	rig_apply(ONE(""));
	assert_tunnel("x", TUNNEL_DOWN);
	assert_int_equal(rig_forward("x").state, FORWARD_FAILED);
	assert_non_null(strstr(tunnel_reason(rig_tunnel("x")), "in use"));
	rig_advance(20000);
	assert_int_equal(rig_log_count("listen-failed"), 1);
	listener_free(other);
	rig_advance(5000);
	assert_tunnel("x", TUNNEL_UP);
	int client = rig_client(rig_ports[0]);
	assert_echo(client, "mine now");
	close(client);
}

static void test_a_port_that_is_free_again_in_a_moment_is_taken_soon(void **state)
{
	struct listener *other = rig_occupy(rig_ports[0]);

	(void)state;
	rig_apply(ONE(""));
	listener_free(other);
	rig_advance(100);
	assert_tunnel("x", TUNNEL_UP);
}

static void test_a_listener_that_is_widened_or_narrowed_is_not_missed(void **state)
{
	static const char *const places[] = {
	    "*:${P}", "localhost:${P}", "127.0.0.1:${P}", "[::]:${P}"};

	(void)state;
	rig_apply(ONE(""));
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		char *text =
		    str_format("hosts: { a: { port = ${A}; }; }; tunnels: { x: { via = \"a\"; "
			       "local = \"%s\"; to = \"db:5432\"; }; };",
			places[i]);

		rig_apply(text);
		assert_tunnel("x", TUNNEL_UP);
		free(text);
	}
	assert_false(rig_log_has("listen-failed"));
}

static void test_stopped_it_refuses_and_started_it_accepts(void **state)
{
	(void)state;
	rig_apply(ONE(""));
	int client = rig_client(rig_ports[0]);
	assert_echo(client, "x");
	tunnel_stop(rig_tunnel("x"), 10000);
	rig_settle();
	assert_tunnel("x", TUNNEL_STOPPED);
	assert_string_equal(tunnel_reason(rig_tunnel("x")), "stopped by adit stop");
	assert_echo(client, "drains");
	tunnel_start(rig_tunnel("x"));
	rig_settle();
	assert_tunnel("x", TUNNEL_UP);
	int second = rig_client(rig_ports[0]);
	assert_echo(second, "y");
	assert_echo(client, "on the same link");
	assert_int_equal(A->accepted, 1);
	close(client);
	close(second);
}

static void count_stream(void *arg, const struct forward_stream_info *info)
{
	assert_string_equal(info->listen, rig_forward("x").listen);
	++*(size_t *)arg;
}

static void assert_counts(uint64_t streams, uint64_t total, uint64_t bytes_in)
{
	struct forward_counts counts;
	size_t shown = 0;

	rig_settle();
	tunnel_get_counts(rig_tunnel("x"), &counts);
	assert_int_equal(counts.streams, streams);
	assert_int_equal(counts.streams_total, total);
	assert_int_equal(counts.bytes_in, bytes_in);
	tunnel_each_stream(rig_tunnel("x"), count_stream, &shown);
	assert_int_equal(shown, streams);
}

static void test_what_drains_is_shown_and_what_was_carried_stays_counted(void **state)
{
	(void)state;
	rig_apply(ONE(""));
	int client = rig_client(rig_ports[0]);
	assert_echo(client, "1");
	tunnel_restart(rig_tunnel("x"), 10000);
	assert_counts(1, 1, 1);
	assert_echo(client, "2");
	int second = rig_client(rig_ports[0]);
	assert_echo(second, "345");
	assert_counts(2, 2, 5);
	close(client);
	assert_counts(1, 2, 5);
	assert_int_equal(rig_forward("x").counts.streams_total, 2);
	tunnel_stop(rig_tunnel("x"), 1000);
	assert_counts(1, 2, 5);
	rig_advance(1001);
	assert_counts(0, 2, 5);
	assert_int_equal(rig_forward("x").counts.bytes_in, 5);
	close(second);
}

static void test_two_on_any_port_keep_their_counts_apart(void **state)
{
	struct forward_status first, second;

	(void)state;
	rig_apply("hosts: { a: { port = ${A}; }; }; tunnels: { x: { via = \"a\"; forwards = ("
		  "{ local = \"127.0.0.1:0\"; to = \"db:1\"; }, { local = \"127.0.0.1:0\"; to = "
		  "\"db:2\"; }); }; };");
	int client = rig_client((uint16_t)atoi(strchr(rig_forward("x").listen, ':') + 1));
	assert_echo(client, "1");
	for (int i = 0; i < 2; i++) {
		tunnel_restart(rig_tunnel("x"), 10000);
		rig_settle();
	}
	tunnel_forward_status(rig_tunnel("x"), 0, &first);
	tunnel_forward_status(rig_tunnel("x"), 1, &second);
	assert_int_equal(first.counts.streams, 1);
	assert_int_equal(second.counts.streams, 0);
	close(client);
	rig_settle();
	tunnel_forward_status(rig_tunnel("x"), 0, &first);
	tunnel_forward_status(rig_tunnel("x"), 1, &second);
	assert_int_equal(first.counts.streams_total, 1);
	assert_int_equal(first.counts.bytes_in, 1);
	assert_int_equal(second.counts.streams_total, 0);
}

static void test_a_listener_that_moved_begins_anew_and_its_tunnel_does_not(void **state)
{
	(void)state;
	rig_apply(ONE(""));
	int client = rig_client(rig_ports[0]);
	assert_echo(client, "1");
	rig_apply("hosts: { a: { port = ${A}; }; }; tunnels: { x: { via = \"a\"; socks = \"${Q}\"; "
		  "}; };");
	close(client);
	assert_counts(0, 1, 1);
	assert_int_equal(rig_forward("x").counts.streams_total, 0);
}

static void test_streams_of_a_stopped_tunnel_are_reset_after_their_time(void **state)
{
	(void)state;
	rig_apply(ONE(""));
	int client = rig_client(rig_ports[0]);
	assert_echo(client, "x");
	tunnel_stop(rig_tunnel("x"), 3000);
	rig_advance(2900);
	assert_echo(client, "still");
	rig_advance(200);
	assert_string_equal(rig_client_got(client), "reset");
	rig_advance(2000);
	assert_int_equal(place_live_count(A), 0);
	close(client);
}

static void test_a_restart_never_closes_the_door(void **state)
{
	(void)state;
	rig_apply(ONE(""));
	/* In the kernel's queue, accepted by nobody yet. */
	int queued = rig_client(rig_ports[0]);
	rig_settle();
	int early = rig_client(rig_ports[0]);
	tunnel_restart(rig_tunnel("x"), 1000);
	int late = rig_client(rig_ports[0]);
	rig_settle();
	assert_echo(late, "late");
	assert_echo(early, "early");
	assert_echo(queued, "queued");
	assert_tunnel("x", TUNNEL_UP);
	assert_int_equal(rig_log_count("tunnel-restarted"), 1);
	close(queued);
	close(early);
	close(late);
}

static void test_a_tunnel_that_is_not_enabled_can_be_started_and_says_who_stopped_it(void **state)
{
	(void)state;
	rig_apply(ONE("enabled = false;"));
	assert_string_equal(tunnel_reason(rig_tunnel("x")), "not enabled in the configuration");
	tunnel_start(rig_tunnel("x"));
	rig_settle();
	assert_tunnel("x", TUNNEL_UP);
	tunnel_stop(rig_tunnel("x"), 0);
	rig_settle();
	assert_string_equal(tunnel_reason(rig_tunnel("x")), "stopped by adit stop");
	/* The file's own word counts again when it changes. */
	rig_apply(ONE(""));
	assert_tunnel("x", TUNNEL_UP);
	rig_apply(ONE("enabled = false;"));
	assert_string_equal(tunnel_reason(rig_tunnel("x")), "not enabled in the configuration");
}

static void test_a_restart_tries_at_once(void **state)
{
	(void)state;
	A->script.ident = "SSH-1.0-old";
	rig_apply("hosts: { a: { port = ${A}; reconnect_min = 20; }; }; tunnels: { x: { " LOCAL(
	    "\"a\"") " }; };");
	assert_tunnel("x", TUNNEL_DOWN);
	A->script.ident = NULL;
	tunnel_restart(rig_tunnel("x"), 1000);
	rig_settle();
	assert_tunnel("x", TUNNEL_UP);
}

/* Its link is not its own, and so does not end with it. */
static void test_a_restart_tries_at_once_for_all_who_share_the_link(void **state)
{
	(void)state;
	A->script.ident = "SSH-1.0-old";
	rig_apply("hosts: { a: { port = ${A}; reconnect_min = 20; }; }; tunnels: { x: { " LOCAL(
	    "\"a\"") " }; y: { via = \"a\"; socks = \"${Q}\"; }; };");
	A->script.ident = NULL;
	tunnel_restart(rig_tunnel("x"), 1000);
	rig_settle();
	assert_tunnel("x", TUNNEL_UP);
	assert_tunnel("y", TUNNEL_UP);
}

static void test_a_changed_route_serves_until_the_new_one_is_up(void **state)
{
	(void)state;
	rig_apply(ONE(""));
	int before = rig_client(rig_ports[0]);
	assert_echo(before, "by a");
	place_close(B);
	rig_apply("hosts: { a: { port = ${A}; }; b: { port = ${B}; }; }; tunnels: { x: { " LOCAL(
	    "\"b\"") " }; };");
	rig_advance(5000);
	int meanwhile = rig_client(rig_ports[0]);
	assert_echo(meanwhile, "still by a");
	place_open(B);
	/* Until b's next try and no longer: then the streams by a have drain_timeout. */
	for (int i = 0; i < 31 && place_live_count(B) == 0; i++)
		rig_advance(1000);
	assert_int_equal(place_live_count(B), 1);
	int after = rig_client(rig_ports[0]);
	assert_echo(after, "by b");
	assert_echo(before, "not cut");
	close(before);
	close(meanwhile);
	rig_advance(1000);
	assert_int_equal(place_live_count(A), 0);
	assert_echo(after, "unmoved");
	close(after);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_it_is_down_with_the_reason_until_the_link_is_up),
	    TEST(test_a_first_try_is_said_when_it_is_over),
	    TEST(test_what_only_a_person_can_mend_is_failed),
	    TEST(test_who_comes_while_the_link_is_down_is_held_and_then_connected_in_order),
	    TEST(test_while_somebody_is_held_every_try_is_within_a_second),
	    TEST(test_so_is_every_try_of_the_jump_host_below),
	    TEST(test_who_waits_longer_than_hold_timeout_is_reset),
	    TEST(test_a_lost_link_resets_its_streams_and_keeps_the_listener),
	    TEST(test_on_demand_the_first_client_makes_the_link_and_idleness_ends_it),
	    TEST(test_on_demand_it_is_up_while_another_tunnel_keeps_the_link),
	    TEST(test_on_demand_a_new_client_within_the_idle_time_starts_it_anew),
	    TEST(test_on_demand_a_route_that_was_replaced_goes_when_it_is_idle),
	    TEST(test_a_remote_forward_keeps_its_link_even_on_demand),
	    TEST(test_socks_on_the_server_keeps_its_link_even_on_demand),
	    TEST(test_a_probed_tunnel_is_up_once_the_target_accepts),
	    TEST(test_on_demand_a_probed_tunnel_is_not_up_by_another_s_link),
	    TEST(test_a_dead_target_is_the_reason_and_the_listener_stays),
	    TEST(test_a_target_that_never_answers_is_dead_after_an_interval),
	    TEST(test_a_tunnel_with_one_dead_target_of_two_is_degraded),
	    TEST(test_a_reload_that_does_not_touch_the_probe_keeps_its_answer),
	    TEST(test_nothing_is_known_of_a_target_after_the_link_was_lost),
	    TEST(test_a_link_that_is_back_is_not_enough_while_the_target_has_not_answered),
	    TEST(test_a_port_in_use_is_said_and_tried_again),
	    TEST(test_a_port_that_is_free_again_in_a_moment_is_taken_soon),
	    TEST(test_a_listener_that_is_widened_or_narrowed_is_not_missed),
	    TEST(test_stopped_it_refuses_and_started_it_accepts),
	    TEST(test_what_drains_is_shown_and_what_was_carried_stays_counted),
	    TEST(test_two_on_any_port_keep_their_counts_apart),
	    TEST(test_a_listener_that_moved_begins_anew_and_its_tunnel_does_not),
	    TEST(test_streams_of_a_stopped_tunnel_are_reset_after_their_time),
	    TEST(test_a_restart_never_closes_the_door),
	    TEST(test_a_tunnel_that_is_not_enabled_can_be_started_and_says_who_stopped_it),
	    TEST(test_a_restart_tries_at_once),
	    TEST(test_a_restart_tries_at_once_for_all_who_share_the_link),
	    TEST(test_a_changed_route_serves_until_the_new_one_is_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
