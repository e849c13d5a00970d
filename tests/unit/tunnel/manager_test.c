/*
 * All of a configuration: plans, and the end.
 */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define A (&rig_places[0])
#define B (&rig_places[1])
#define C (&rig_places[2])
#define LOCAL(via) "via = " via "; local = \"${P}\"; to = \"db:5432\";"

#define HOSTS "hosts: { a: { port = ${A}; }; b: { port = ${B}; }; };"
#define X "x: { via = \"a\"; local = \"${P}\"; to = \"db:1\"; };"
#define Y "y: { via = \"b\"; local = \"${Q}\"; to = \"db:2\"; };"

static void test_an_unchanged_tunnel_keeps_its_listener_and_its_streams(void **state)
{
	(void)state;
	rig_apply(HOSTS "tunnels: { " X Y " };");
	int client = rig_client(rig_ports[0]);
	assert_echo(client, "x");
	const struct forward *forward = tunnel_forward(rig_tunnel("x"), 0);
	rig_apply(HOSTS "tunnels: { " X " z: { via = \"a\"; socks = \"${R}\"; }; };");
	assert_ptr_equal(tunnel_forward(rig_tunnel("x"), 0), forward);
	assert_echo(client, "unmoved");
	assert_int_equal(A->accepted, 1);
	/* y went, with its host's link. */
	rig_advance(1000);
	assert_null(manager_find_tunnel(rig_manager, "y"));
	assert_int_equal(place_live_count(B), 0);
	assert_tunnel("z", TUNNEL_UP);
	close(client);
}

static void count_stream(
    void *arg, const struct tunnel *tunnel, const struct forward_stream_info *info)
{
	(void)info;
	assert_string_equal(tunnel_name(tunnel), "y");
	++*(size_t *)arg;
}

static void test_a_removed_tunnel_drains(void **state)
{
	size_t shown = 0;

	(void)state;
	rig_apply("drain_timeout = 5; " HOSTS "tunnels: { " X Y " };");
	int client = rig_client(rig_ports[1]);
	assert_echo(client, "y");
	rig_apply("drain_timeout = 5; hosts: { a: { port = ${A}; }; }; tunnels: { " X " };");
	rig_advance(4000);
	assert_true(rig_log_has("removed from the configuration"));
	assert_echo(client, "has its time");
	manager_each_stream(rig_manager, count_stream, &shown);
	assert_int_equal(shown, 1);
	close(client);
	rig_advance(500);
	assert_int_equal(place_live_count(B), 0);
	assert_int_equal(server_disconnect_code(place_last(B)), 11);
}

static void test_a_removed_tunnel_s_streams_are_cut_when_their_time_is_over(void **state)
{
	(void)state;
	rig_apply("drain_timeout = 5; " HOSTS "tunnels: { " X Y " };");
	int client = rig_client(rig_ports[1]);
	assert_echo(client, "y");
	rig_apply("drain_timeout = 5; hosts: { a: { port = ${A}; }; }; tunnels: { " X " };");
	rig_advance(5100);
	assert_string_equal(rig_client_got(client), "reset");
	rig_advance(2000);
	assert_int_equal(place_live_count(B), 0);
	close(client);
}

static void test_a_renamed_tunnel_hands_its_listener_over(void **state)
{
	(void)state;
	rig_apply(HOSTS "tunnels: { " X " };");
	int client = rig_client(rig_ports[0]);
	assert_echo(client, "x");
	int fds_before[LISTENER_FDS_MAX], fds_after[LISTENER_FDS_MAX];
	size_t n = forward_listen_fds(tunnel_forward(rig_tunnel("x"), 0), fds_before);
	assert_true(n > 0);
	rig_apply(HOSTS "tunnels: { n: { via = \"a\"; local = \"${P}\"; to = \"db:1\"; }; };");
	assert_tunnel("n", TUNNEL_UP);
	assert_int_equal(forward_listen_fds(tunnel_forward(rig_tunnel("n"), 0), fds_after), n);
	assert_int_not_equal(fds_before[0], fds_after[0]); /* copies */
	int second = rig_client(rig_ports[0]);
	assert_echo(second, "n");
	assert_echo(client, "drains");
	close(client);
	close(second);
}

static void test_a_unix_listener_that_is_handed_over_keeps_its_file(void **state)
{
	char path[128];

	(void)state;
	rig_apply(
	    HOSTS "tunnels: { x: { via = \"a\"; local = \"unix:${DIR}/s\"; to = \"db:1\"; }; };");
	rig_apply(
	    HOSTS "tunnels: { n: { via = \"a\"; local = \"unix:${DIR}/s\"; to = \"db:1\"; }; };");
	assert_tunnel("n", TUNNEL_UP);
	rig_advance(1000);
	snprintf(path, sizeof(path), "%s/s", rig_folder());
	assert_int_equal(access(path, F_OK), 0);
	/* Nobody takes it. */
	rig_apply(HOSTS "tunnels: { o: { via = \"a\"; local = \"unix:${DIR}/s\"; to = \"db:1\"; "
			"enabled = false; }; };");
	assert_int_equal(access(path, F_OK), -1);
}

static void test_a_forward_that_moves_to_another_tunnel_hands_its_listener_over(void **state)
{
	(void)state;
	rig_apply(HOSTS "tunnels: { u: { via = \"a\"; socks = \"${R}\"; }; x: { via = \"a\"; "
			"forwards = ( { local = \"${P}\"; to = \"db:1\"; }, "
			"{ local = \"${Q}\"; to = \"db:1\"; } ); }; };");
	rig_apply(HOSTS "tunnels: { u: { via = \"a\"; forwards = ( { socks = \"${R}\"; }, "
			"{ local = \"${Q}\"; to = \"db:1\"; } ); }; " X " };");
	assert_tunnel("u", TUNNEL_UP);
	assert_tunnel("x", TUNNEL_UP);
	assert_false(rig_log_has("listen-failed"));
	int client = rig_client(rig_ports[1]);
	assert_echo(client, "moved");
	close(client);
}

static void test_a_changed_target_is_for_new_streams(void **state)
{
	(void)state;
	rig_apply(HOSTS "tunnels: { " X " };");
	int client = rig_client(rig_ports[0]);
	assert_echo(client, "x");
	rig_apply(HOSTS "tunnels: { x: { via = \"a\"; local = \"${P}\"; to = \"other:1\"; }; };");
	assert_echo(client, "as it was");
	assert_string_equal(rig_forward("x").to, "other:1");
	assert_int_equal(A->accepted, 1);
	close(client);
}

static void test_a_changed_listener_alone_is_rebound(void **state)
{
	(void)state;
	rig_apply(HOSTS "tunnels: { " X " };");
	int client = rig_client(rig_ports[0]);
	assert_echo(client, "x");
	rig_apply(HOSTS "tunnels: { x: { via = \"a\"; local = \"${R}\"; to = \"db:1\"; }; };");
	int second = rig_client(rig_ports[2]);
	assert_echo(second, "there");
	assert_echo(client, "drains");
	assert_int_equal(A->accepted, 1);
	close(client);
	close(second);
}

static void test_a_tunnel_that_is_disabled_stops_and_one_that_is_enabled_starts(void **state)
{
	(void)state;
	rig_apply(HOSTS "tunnels: { " X Y " };");
	rig_apply(HOSTS "tunnels: { " X "y: { via = \"b\"; local = \"${Q}\"; to = \"db:2\"; "
			"enabled = false; }; };");
	assert_tunnel("y", TUNNEL_STOPPED);
	rig_advance(1000);
	assert_int_equal(place_live_count(B), 0);
	rig_apply(HOSTS "tunnels: { " X Y " };");
	assert_tunnel("y", TUNNEL_UP);
}

static void test_a_host_that_was_removed_and_is_back_is_made_anew(void **state)
{
	(void)state;
	rig_apply(HOSTS "tunnels: { " X Y " };");
	int client = rig_client(rig_ports[1]);
	assert_echo(client, "y");
	rig_apply("hosts: { a: { port = ${A}; }; }; tunnels: { " X " };");
	rig_apply(HOSTS "tunnels: { " X Y " };");
	assert_tunnel("y", TUNNEL_UP);
	assert_int_equal(B->accepted, 2);
	assert_echo(client, "drains on the old one");
	close(client);
	rig_advance(1000);
	assert_int_equal(place_live_count(B), 1);
}

static void test_a_host_that_was_removed_serves_until_its_time_is_over(void **state)
{
	(void)state;
	place_close(B);
	rig_apply(HOSTS "tunnels: { " X " };");
	rig_apply(HOSTS "tunnels: { x: { via = \"b\"; local = \"${P}\"; to = \"db:1\"; }; };");
	rig_advance(60000);
	assert_tunnel("x", TUNNEL_UP);
	assert_string_equal(host_name(tunnel_host(rig_tunnel("x"))), "a");
	rig_apply("drain_timeout = 5; hosts: { b: { port = ${B}; }; }; "
		  "tunnels: { x: { via = \"b\"; local = \"${P}\"; to = \"db:1\"; }; };");
	rig_advance(4000);
	assert_tunnel("x", TUNNEL_UP);
	rig_advance(2000);
	assert_tunnel("x", TUNNEL_DOWN);
	assert_string_equal(host_name(tunnel_host(rig_tunnel("x"))), "b");
	assert_int_equal(place_live_count(A), 0);
}

/* The route that is left knows its second choice until the new one is up. */
static void test_a_choice_that_was_not_used_is_removed_with_the_others(void **state)
{
	(void)state;
	place_close(B);
	rig_apply("hosts: { a: { port = ${A}; }; b: { port = ${B}; via = \"d\"; }; "
		  "d: { port = ${C}; }; }; tunnels: { x: { via = [\"a\", \"b\"]; "
		  "local = \"${P}\"; to = \"db:1\"; }; };");
	assert_tunnel("x", TUNNEL_UP);
	rig_apply("hosts: { c: { port = ${B}; }; }; "
		  "tunnels: { x: { via = \"c\"; local = \"${P}\"; to = \"db:1\"; }; };");
	place_kill(A); /* and the old route looks at its choices */
	rig_settle();
	place_open(B);
	rig_advance(60000);
	assert_tunnel("x", TUNNEL_UP);
	assert_string_equal(host_name(tunnel_host(rig_tunnel("x"))), "c");
}

#define VIA(host) \
	"hosts: { a: { port = ${A}; }; b: { port = ${B}; }; c: { port = ${C}; }; }; tunnels: { " \
	"x: { " \
	"via = \"" host "\"; forwards = ( { local = \"${P}\"; to = \"db:1\"; }, " \
	"{ remote = \"8080\"; to = \"127.0.0.1:1\"; } ); }; };"

static void test_the_host_that_serves_stays_however_often_the_next_one_changes(void **state)
{
	(void)state;
	place_close(B);
	place_close(C);
	rig_apply(VIA("a"));
	int client = rig_client(rig_ports[0]);
	assert_echo(client, "x");
	rig_apply(VIA("b"));
	rig_apply(VIA("c"));
	rig_advance(60000);
	assert_tunnel("x", TUNNEL_UP);
	assert_string_equal(host_name(tunnel_host(rig_tunnel("x"))), "a");
	assert_echo(client, "not drained");
	int second = rig_client(rig_ports[0]);
	assert_echo(second, "not held");
	/* b is not wanted any more. */
	place_open(B);
	rig_advance(60000);
	assert_int_equal(B->accepted, 0);
	place_open(C);
	rig_advance(60000);
	assert_tunnel("x", TUNNEL_UP);
	assert_string_equal(host_name(tunnel_host(rig_tunnel("x"))), "c");
	assert_int_equal(place_live_count(A), 0);
	close(client);
	close(second);
}

static void test_a_change_of_the_host_that_is_taken_back_touches_nothing(void **state)
{
	(void)state;
	place_close(B);
	rig_apply(VIA("a"));
	int client = rig_client(rig_ports[0]);
	assert_echo(client, "x");
	rig_apply(VIA("b"));
	rig_apply(VIA("a"));
	assert_tunnel("x", TUNNEL_UP);
	assert_int_equal(rig_log_count("remote-listening"), 1);
	rig_advance(60000);
	assert_echo(client, "unmoved");
	assert_int_equal(A->accepted, 1);
	close(client);
}

/* ---- counts ---- */

static void test_readiness_counts_what_is_required(void **state)
{
	struct manager_counts counts;

	(void)state;
	place_close(B);
	rig_apply(HOSTS "tunnels: { " X Y " };");
	manager_get_counts(rig_manager, &counts);
	assert_int_equal(counts.up, 1);
	assert_int_equal(counts.down, 1);
	assert_int_equal(counts.required_not_up, 1);
	assert_int_equal(counts.wanted, 2);
	rig_apply(HOSTS "tunnels: { " X "y: { via = \"b\"; local = \"${Q}\"; to = \"db:2\"; "
			"required = false; }; };");
	manager_get_counts(rig_manager, &counts);
	assert_int_equal(counts.required_not_up, 0);
	rig_apply(HOSTS "tunnels: { " X "y: { via = \"b\"; local = \"${Q}\"; to = \"db:2\"; "
			"connect = \"on-demand\"; }; };");
	rig_advance(301000);
	manager_get_counts(rig_manager, &counts);
	assert_int_equal(counts.required_not_up, 0);
	assert_int_equal(counts.wanted, 1); /* nobody demands the other one */
}

/* ---- the network, and people ---- */

static void test_a_retry_that_a_person_asks_for_is_at_once_for_all(void **state)
{
	(void)state;
	A->script.ident = B->script.ident = "SSH-1.0-old";
	rig_apply("hosts: { a: { port = ${A}; }; b: { port = ${B}; via = \"a\"; }; }; "
		  "tunnels: { " X Y " };");
	rig_advance(60000);
	assert_tunnel("x", TUNNEL_DOWN);
	assert_tunnel("y", TUNNEL_DOWN);
	A->script.ident = B->script.ident = NULL;
	manager_retry_now(rig_manager);
	rig_settle();
	assert_tunnel("x", TUNNEL_UP);
	assert_tunnel("y", TUNNEL_UP);
}

static void test_a_retry_that_a_person_asks_for_is_for_listeners_too(void **state)
{
	struct listener *other = rig_occupy(rig_ports[0]);

	(void)state;
	rig_apply(HOSTS "tunnels: { " X " };");
	assert_tunnel("x", TUNNEL_DOWN);
	listener_free(other);
	manager_retry_now(rig_manager);
	rig_settle();
	assert_tunnel("x", TUNNEL_UP);
}

/* Removed, and only there for the streams that it still has. */
static void test_a_changed_network_finds_a_dead_link_that_drains(void **state)
{
	(void)state;
	rig_apply(HOSTS "tunnels: { " X Y " };");
	int client = rig_client(rig_ports[0]);
	assert_echo(client, "x");
	rig_apply("hosts: { b: { port = ${B}; }; }; tunnels: { " Y " };");
	place_fall_silent(A);
	rig_advance(1000);
	assert_string_equal(rig_client_got(client), "");
	manager_check_links(rig_manager);
	rig_advance(3100);
	assert_string_equal(rig_client_got(client), "reset");
	close(client);
}

static void test_a_changed_network_finds_all_dead_links(void **state)
{
	(void)state;
	rig_apply(HOSTS "tunnels: { " X Y " };");
	rig_advance(5000);
	place_fall_silent(A);
	manager_check_links(rig_manager);
	rig_advance(3100);
	assert_int_equal(A->accepted, 2);
	assert_int_equal(B->accepted, 1);
	assert_tunnel("x", TUNNEL_UP);
}

/* ---- the end ---- */

static void test_a_shutdown_without_streams_says_goodbye_and_is_quick(void **state)
{
	(void)state;
	rig_apply(HOSTS "tunnels: { " X Y " };");
	manager_shutdown(rig_manager, 30000);
	rig_settle();
	for (int i = 0; i < 5 && !rig_is_shut_down; i++)
		rig_advance(100);
	assert_true(rig_is_shut_down);
	assert_int_equal(server_disconnect_code(place_last(A)), 11);
	assert_int_equal(server_disconnect_code(place_last(B)), 11);
}

static void test_a_shutdown_lets_streams_finish_and_accepts_no_more(void **state)
{
	(void)state;
	rig_apply(HOSTS "tunnels: { " X " };");
	int client = rig_client(rig_ports[0]);
	assert_echo(client, "x");
	manager_shutdown(rig_manager, 30000);
	rig_advance(10000);
	assert_false(rig_is_shut_down);
	assert_echo(client, "has its time");
	server_forget_seen(place_last(A));
	close(client);
	for (int i = 0; i < 5 && !rig_is_shut_down; i++)
		rig_advance(100);
	assert_true(rig_is_shut_down);
	/* EOF, CLOSE, DISCONNECT. */
	assert_string_equal(server_seen(place_last(A)), "96 97 1");
	assert_int_equal(server_disconnect_code(place_last(A)), 11);
}

static void test_a_shutdown_ends_when_the_time_is_over(void **state)
{
	(void)state;
	rig_apply(HOSTS "tunnels: { " X " };");
	int client = rig_client(rig_ports[0]);
	assert_echo(client, "x");
	manager_shutdown(rig_manager, 5000);
	rig_advance(4900);
	assert_false(rig_is_shut_down);
	rig_advance(2000);
	assert_true(rig_is_shut_down);
	assert_string_equal(rig_client_got(client), "reset");
	close(client);
}

/* They began to drain when drain_timeout was an hour. */
static void test_a_shutdown_ends_in_time_for_those_who_drain_already(void **state)
{
	(void)state;
	rig_apply("drain_timeout = 3600; " HOSTS "tunnels: { " X Y " };");
	int stopped = rig_client(rig_ports[0]), removed = rig_client(rig_ports[1]);
	assert_echo(stopped, "x");
	assert_echo(removed, "y");
	tunnel_stop(rig_tunnel("x"), 3600000);
	rig_apply("drain_timeout = 3600; " HOSTS "tunnels: { " X " };");
	rig_advance(10000);
	assert_echo(stopped, "drains");
	assert_echo(removed, "drains, too");
	manager_shutdown(rig_manager, 5000);
	rig_advance(4900);
	assert_echo(stopped, "has its time");
	assert_echo(removed, "has it, too");
	assert_false(rig_is_shut_down);
	rig_advance(2000);
	assert_true(rig_is_shut_down);
	assert_string_equal(rig_client_got(stopped), "reset");
	assert_string_equal(rig_client_got(removed), "reset");
	close(stopped);
	close(removed);
}

/* Its streams are reset, and nobody confirms it. */
static void test_a_shutdown_ends_in_time_with_a_server_that_is_silent_and_drains_already(
    void **state)
{
	(void)state;
	rig_apply("drain_timeout = 3600; " HOSTS "tunnels: { " X " };");
	int client = rig_client(rig_ports[0]);
	assert_echo(client, "x");
	tunnel_stop(rig_tunnel("x"), 3600000);
	place_fall_silent(A);
	rig_advance(1000);
	manager_shutdown(rig_manager, 5000);
	rig_advance(4900);
	assert_false(rig_is_shut_down);
	rig_advance(2000);
	assert_true(rig_is_shut_down);
	close(client);
}

static void test_a_second_shutdown_is_at_once(void **state)
{
	(void)state;
	rig_apply(HOSTS "tunnels: { " X " };");
	int client = rig_client(rig_ports[0]);
	assert_echo(client, "x");
	manager_shutdown(rig_manager, 30000);
	rig_advance(100);
	assert_false(rig_is_shut_down);
	manager_shutdown(rig_manager, 0);
	assert_true(rig_is_shut_down);
	close(client);
}

static void test_a_shutdown_of_links_that_are_not_up_is_quick(void **state)
{
	(void)state;
	place_close(A);
	B->manners = PLACE_IS_MUTE;
	rig_apply(HOSTS "tunnels: { " X Y " };");
	manager_shutdown(rig_manager, 30000);
	rig_advance(100);
	assert_true(rig_is_shut_down);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_an_unchanged_tunnel_keeps_its_listener_and_its_streams),
	    TEST(test_a_removed_tunnel_drains),
	    TEST(test_a_removed_tunnel_s_streams_are_cut_when_their_time_is_over),
	    TEST(test_a_renamed_tunnel_hands_its_listener_over),
	    TEST(test_a_unix_listener_that_is_handed_over_keeps_its_file),
	    TEST(test_a_forward_that_moves_to_another_tunnel_hands_its_listener_over),
	    TEST(test_a_changed_target_is_for_new_streams),
	    TEST(test_a_changed_listener_alone_is_rebound),
	    TEST(test_a_tunnel_that_is_disabled_stops_and_one_that_is_enabled_starts),
	    TEST(test_a_host_that_was_removed_and_is_back_is_made_anew),
	    TEST(test_a_host_that_was_removed_serves_until_its_time_is_over),
	    TEST(test_a_choice_that_was_not_used_is_removed_with_the_others),
	    TEST(test_the_host_that_serves_stays_however_often_the_next_one_changes),
	    TEST(test_a_change_of_the_host_that_is_taken_back_touches_nothing),
	    TEST(test_readiness_counts_what_is_required),
	    TEST(test_a_retry_that_a_person_asks_for_is_at_once_for_all),
	    TEST(test_a_retry_that_a_person_asks_for_is_for_listeners_too),
	    TEST(test_a_changed_network_finds_all_dead_links),
	    TEST(test_a_changed_network_finds_a_dead_link_that_drains),
	    TEST(test_a_shutdown_without_streams_says_goodbye_and_is_quick),
	    TEST(test_a_shutdown_lets_streams_finish_and_accepts_no_more),
	    TEST(test_a_shutdown_ends_when_the_time_is_over),
	    TEST(test_a_shutdown_ends_in_time_for_those_who_drain_already),
	    TEST(test_a_shutdown_ends_in_time_with_a_server_that_is_silent_and_drains_already),
	    TEST(test_a_second_shutdown_is_at_once),
	    TEST(test_a_shutdown_of_links_that_are_not_up_is_quick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
