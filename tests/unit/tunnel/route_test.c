/*
 * Several hosts in order of preference: failing over, and coming back.
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

#define TWO \
	"hosts: { a: { port = ${A}; }; b: { port = ${B}; }; };" \
	"tunnels: { x: { " LOCAL("[\"a\", \"b\"]") " }; };"

static void test_the_first_that_works_is_used_and_no_other_is_bothered(void **state)
{
	(void)state;
	rig_apply(TWO);
	assert_tunnel("x", TUNNEL_UP);
	assert_string_equal(host_name(tunnel_host(rig_tunnel("x"))), "a");
	assert_int_equal(B->accepted, 0);
}

static void test_a_dead_first_choice_leads_to_the_second(void **state)
{
	(void)state;
	place_close(A);
	rig_apply(TWO);
	assert_tunnel("x", TUNNEL_UP);
	assert_string_equal(host_name(tunnel_host(rig_tunnel("x"))), "b");
	int client = rig_client(rig_ports[0]);
	assert_echo(client, "through b");
	assert_int_equal(B->accepted, 1);
	close(client);
}

static void test_a_first_choice_that_is_on_its_way_up_is_waited_for(void **state)
{
	(void)state;
	/* Even when it has to wait for its jump host. */
	rig_apply("hosts: { j: { port = ${C}; }; a: { port = ${A}; via = \"j\"; }; "
		  "b: { port = ${B}; }; }; tunnels: { x: { " LOCAL("[\"a\", \"b\"]") " }; };");
	assert_tunnel("x", TUNNEL_UP);
	assert_string_equal(host_name(tunnel_host(rig_tunnel("x"))), "a");
	assert_int_equal(B->accepted, 0);
}

static void test_a_jump_host_that_fails_fails_the_choice_above_it(void **state)
{
	(void)state;
	place_close(C);
	rig_apply("hosts: { j: { port = ${C}; }; a: { port = ${A}; via = \"j\"; }; "
		  "b: { port = ${B}; }; }; tunnels: { x: { " LOCAL("[\"a\", \"b\"]") " }; };");
	assert_tunnel("x", TUNNEL_UP);
	assert_string_equal(host_name(tunnel_host(rig_tunnel("x"))), "b");
}

static void test_when_the_first_is_back_for_a_while_new_streams_go_there_and_old_ones_finish(
    void **state)
{
	(void)state;
	place_close(A);
	rig_apply(TWO);
	int before = rig_client(rig_ports[0]);
	assert_echo(before, "through b");
	place_open(A);
	/* It is tried all the time. */
	for (int i = 0; i < 40 && place_live_count(A) == 0; i++)
		rig_advance(1000);
	assert_int_equal(place_live_count(A), 1);
	rig_advance(3000);
	assert_string_equal(host_name(tunnel_host(rig_tunnel("x"))), "b");
	rig_advance(3000);
	assert_string_equal(host_name(tunnel_host(rig_tunnel("x"))), "a");
	assert_tunnel("x", TUNNEL_UP);
	int after = rig_client(rig_ports[0]);
	assert_echo(after, "through a");
	/* Not cut: it has drain_timeout. */
	assert_echo(before, "still through b");
	assert_int_equal(place_live_count(B), 1);
	close(before);
	rig_advance(1000);
	assert_int_equal(place_live_count(B), 0);
	assert_int_equal(server_disconnect_code(place_last(B)), 11);
	assert_echo(after, "unmoved");
	close(after);
}

static void test_a_first_choice_that_flaps_is_not_returned_to(void **state)
{
	(void)state;
	place_close(A);
	rig_apply(TWO);
	for (int i = 0; i < 5; i++) {
		place_open(A);
		for (int k = 0; k < 40 && place_live_count(A) == 0; k++)
			rig_advance(1000);
		assert_int_equal(place_live_count(A), 1);
		rig_advance(2000);
		place_close(A);
		place_kill(A);
		assert_string_equal(host_name(tunnel_host(rig_tunnel("x"))), "b");
	}
	assert_int_equal(B->accepted, 1);
}

static bool comes_up(struct place *place)
{
	for (int i = 0; i < 40 && place_live_count(place) == 0; i++)
		rig_advance(1000);
	return place_live_count(place) == 1;
}

/* It was up once, and not needed any more: that was long ago. */
static void test_a_better_choice_settles_each_time_that_it_is_back(void **state)
{
	(void)state;
	place_close(A);
	rig_apply("hosts: { a: { port = ${A}; }; b: { port = ${B}; }; c: { port = ${C}; }; };"
		  "tunnels: { x: { " LOCAL("[\"a\", \"b\", \"c\"]") " }; };");
	assert_string_equal(host_name(tunnel_host(rig_tunnel("x"))), "b");
	place_open(A);
	assert_true(comes_up(A));
	rig_advance(10000);
	assert_string_equal(host_name(tunnel_host(rig_tunnel("x"))), "a");
	assert_int_equal(place_live_count(B), 0);
	place_close(B);
	place_close(A);
	place_kill(A);
	assert_true(comes_up(C));
	assert_string_equal(host_name(tunnel_host(rig_tunnel("x"))), "c");
	place_open(B);
	assert_true(comes_up(B));
	rig_advance(2000);
	assert_string_equal(host_name(tunnel_host(rig_tunnel("x"))), "c");
	rig_advance(4000);
	assert_string_equal(host_name(tunnel_host(rig_tunnel("x"))), "b");
}

static void test_losing_the_second_while_the_first_settles_uses_the_first_at_once(void **state)
{
	(void)state;
	place_close(A);
	rig_apply(TWO);
	place_open(A);
	for (int k = 0; k < 40 && place_live_count(A) == 0; k++)
		rig_advance(1000);
	place_kill(B);
	rig_settle();
	assert_string_equal(host_name(tunnel_host(rig_tunnel("x"))), "a");
	assert_tunnel("x", TUNNEL_UP);
	/* And b is not wanted any more, although it was lost that very moment. */
	rig_advance(60000);
	assert_int_equal(B->accepted, 1);
}

static void test_a_choice_that_jumps_through_the_first_lets_go_of_it_while_that_comes_up(
    void **state)
{
	(void)state;
	place_close(A);
	rig_apply("hosts: { a: { port = ${A}; }; b: { port = ${B}; via = \"a\"; }; };"
		  "tunnels: { x: { " LOCAL("[\"a\", \"b\"]") " }; };");
	place_open(A);
	for (int k = 0; k < 40 && place_live_count(A) == 0; k++)
		rig_advance(1000);
	assert_tunnel("x", TUNNEL_UP);
	rig_advance(10000);
	assert_int_equal(place_live_count(A), 1);
	assert_int_equal(place_live_count(B), 0);
}

static void test_a_client_that_is_held_hears_nothing_of_a_failover(void **state)
{
	(void)state;
	rig_apply(TWO);
	rig_advance(5000);
	place_close(A);
	place_kill(A);
	int client = rig_client(rig_ports[0]);
	assert_echo(client, "through b");
	close(client);
}

/* It is not announced again to who wants it late. */
static void test_a_second_choice_that_another_tunnel_keeps_up_is_used_when_the_first_fails(
    void **state)
{
	(void)state;
	rig_apply("hosts: { a: { port = ${A}; }; b: { port = ${B}; }; }; tunnels: { "
		  "x: { " LOCAL(
		      "[\"a\", \"b\"]") " }; "
					"y: { via = \"b\"; local = \"${Q}\"; to = \"db:1\"; }; };");
	assert_tunnel("x", TUNNEL_UP);
	assert_tunnel("y", TUNNEL_UP);
	place_close(A);
	place_kill(A);
	rig_advance(1000);
	assert_tunnel("x", TUNNEL_UP);
	assert_string_equal(host_name(tunnel_host(rig_tunnel("x"))), "b");
	tunnel_restart(rig_tunnel("x"), 0);
	rig_advance(1000);
	assert_tunnel("x", TUNNEL_UP);
	assert_int_equal(B->accepted, 1);
}

static void test_a_host_that_another_tunnel_keeps_up_is_used_at_once(void **state)
{
	(void)state;
	rig_apply("hosts: { a: { port = ${A}; }; b: { port = ${B}; }; }; tunnels: { x: { "
		  "via = \"a\"; socks = \"${Q}\"; }; };");
	rig_apply("hosts: { a: { port = ${A}; }; b: { port = ${B}; }; }; tunnels: { x: { "
		  "via = \"a\"; socks = \"${Q}\"; }; y: { " LOCAL("[\"a\", \"b\"]") " }; };");
	assert_tunnel("y", TUNNEL_UP);
	assert_int_equal(A->accepted, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_the_first_that_works_is_used_and_no_other_is_bothered),
	    TEST(test_a_dead_first_choice_leads_to_the_second),
	    TEST(test_a_first_choice_that_is_on_its_way_up_is_waited_for),
	    TEST(test_a_jump_host_that_fails_fails_the_choice_above_it),
	    TEST(test_when_the_first_is_back_for_a_while_new_streams_go_there_and_old_ones_finish),
	    TEST(test_a_first_choice_that_flaps_is_not_returned_to),
	    TEST(test_a_better_choice_settles_each_time_that_it_is_back),
	    TEST(test_losing_the_second_while_the_first_settles_uses_the_first_at_once),
	    TEST(test_a_choice_that_jumps_through_the_first_lets_go_of_it_while_that_comes_up),
	    TEST(test_a_client_that_is_held_hears_nothing_of_a_failover),
	    TEST(test_a_second_choice_that_another_tunnel_keeps_up_is_used_when_the_first_fails),
	    TEST(test_a_host_that_another_tunnel_keeps_up_is_used_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
