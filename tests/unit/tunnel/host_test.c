/*
 * Links of one host: how many, through what, and how they are replaced.
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

#include "base/clock.h"
#include "tests/unit/ssh/made_identity.h"

#define A (&rig_places[0])
#define B (&rig_places[1])
#define C (&rig_places[2])
#define LOCAL(via) "via = " via "; local = \"${P}\"; to = \"db:5432\";"

#define ONE(keys) \
	"hosts: { a: { port = ${A}; " keys " }; }; tunnels: { x: { " LOCAL("\"a\"") " }; };"
#define CHAIN(a, b, c) \
	"hosts: { a: { port = ${A}; " a " }; b: { port = ${B}; via = \"a\"; " b " }; " \
	"c: { port = ${C}; via = \"b\"; " c " }; }; tunnels: { x: { " LOCAL("\"c\"") " }; };"

static void test_streams_are_spread_over_connections(void **state)
{
	int clients[6];

	(void)state;
	rig_apply(ONE("connections = 3;"));
	assert_int_equal(place_live_count(A), 3);
	for (int i = 0; i < 6; i++) {
		clients[i] = rig_client(rig_ports[0]);
		assert_echo(clients[i], "x");
	}
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(
		    session_channel_count(link_session(host_link_at(rig_host("a"), i))), 2);
	for (int i = 0; i < 6; i++)
		close(clients[i]);
}

/* More than shake hands at one server at once. */
static void test_many_connections_come_up_one_after_the_other(void **state)
{
	(void)state;
	rig_apply(ONE("connections = 25;"));
	rig_settle();
	assert_int_equal(place_live_count(A), 25);
	for (size_t i = 0; i < 25; i++)
		assert_int_equal(link_state(host_link_at(rig_host("a"), i)), LINK_UP);
}

static void test_one_of_several_links_that_is_lost_takes_its_streams_alone(void **state)
{
	int clients[2], alive = 0;

	(void)state;
	rig_apply(ONE("connections = 2;"));
	for (int i = 0; i < 2; i++) {
		clients[i] = rig_client(rig_ports[0]);
		assert_echo(clients[i], "x");
	}
	server_reset(A->servers[0]);
	rig_settle();
	for (int i = 0; i < 2; i++)
		alive += strcmp(rig_client_got(clients[i]), "") == 0;
	assert_int_equal(alive, 1);
	assert_tunnel("x", TUNNEL_UP);
	int client = rig_client(rig_ports[0]);
	assert_echo(client, "goes on");
	close(client);
	for (int i = 0; i < 2; i++)
		close(clients[i]);
}

static void test_counts_are_of_all_connections_also_of_those_that_are_gone(void **state)
{
	(void)state;
	rig_apply(ONE("connections = 2;"));
	for (int i = 0; i < 3; i++) {
		rig_advance(2000);
		server_reset(place_last(A));
		rig_settle();
		rig_advance(2000);
	}
	struct host_counts before = host_counts(rig_host("a"));
	assert_int_equal(before.reconnects, 3);
	/* Both are replaced. */
	rig_apply(ONE("connections = 2; rekey_interval = 1000;"));
	rig_advance(5000);
	assert_int_equal(place_live_count(A), 2);
	struct host_counts after = host_counts(rig_host("a"));
	assert_int_equal(after.reconnects, 3);
	assert_true(after.bytes.in > before.bytes.in && after.bytes.out > before.bytes.out);
	/* One goes. */
	before = after;
	rig_apply(ONE("connections = 1; rekey_interval = 1000;"));
	rig_advance(5000);
	assert_int_equal(place_live_count(A), 1);
	after = host_counts(rig_host("a"));
	assert_int_equal(after.reconnects, 3);
	assert_true(after.bytes.in >= before.bytes.in && after.bytes.out > before.bytes.out);
}

static void test_fewer_connections_drain_the_rest(void **state)
{
	(void)state;
	rig_apply(ONE("connections = 3;"));
	rig_apply(ONE("connections = 1;"));
	rig_advance(1000);
	assert_int_equal(place_live_count(A), 1);
	rig_apply(ONE("connections = 2;"));
	assert_int_equal(place_live_count(A), 2);
}

static void test_a_changed_host_gets_a_new_link_before_the_old_one_drains(void **state)
{
	(void)state;
	rig_apply(ONE(""));
	int before = rig_client(rig_ports[0]);
	assert_echo(before, "old");
	A->manners = PLACE_IS_MUTE;
	rig_apply(ONE("user = \"other\";"));
	/* The new one is not there yet: the old one serves. */
	assert_tunnel("x", TUNNEL_UP);
	int meanwhile = rig_client(rig_ports[0]);
	assert_echo(meanwhile, "old, too");
	A->manners = PLACE_SERVES;
	rig_advance(11000);
	rig_advance(2000);
	assert_int_equal(A->accepted, 3);
	assert_int_equal(place_live_count(A), 2);
	int after = rig_client(rig_ports[0]);
	assert_echo(after, "new");
	assert_echo(before, "drains");
	assert_int_equal(session_channel_count(link_session(host_link_at(rig_host("a"), 0))), 1);
	close(before);
	close(meanwhile);
	rig_advance(1000);
	assert_int_equal(place_live_count(A), 1);
	assert_echo(after, "stays");
	close(after);
}

static unsigned admitted, admitted_max;
static enum server_verdict verdict_on_the_rest;

static enum server_verdict admit_some(void *arg, struct server *s, const struct server_login *login)
{
	(void)arg;
	(void)s;
	(void)login;
	if (admitted == admitted_max)
		return verdict_on_the_rest;
	admitted++;
	return SERVER_ACCEPT;
}

static void admit(unsigned max, enum server_verdict rest)
{
	A->script.on_login = admit_some;
	admitted = 0;
	admitted_max = max;
	verdict_on_the_rest = rest;
}

static size_t ended_of_first_two(void)
{
	return (size_t)server_saw_end(A->servers[0]) + (size_t)server_saw_end(A->servers[1]);
}

static void test_all_connections_of_a_changed_host_are_there_before_the_old_ones_drain(void **state)
{
	(void)state;
	rig_apply(ONE("connections = 2;"));
	admit(1, SERVER_SILENT);
	rig_apply(ONE("connections = 2; user = \"other\";"));
	rig_advance(1000);
	assert_int_equal(admitted, 1);
	assert_int_equal(ended_of_first_two(), 0);
	server_send_message(place_last(A), SSH_MSG_USERAUTH_SUCCESS);
	rig_advance(1000);
	assert_int_equal(ended_of_first_two(), 2);
	assert_int_equal(place_live_count(A), 2);
}

/* It may admit no more because the old ones are there. */
static void test_a_server_that_admits_one_connection_fewer_is_rid_of_the_old_ones(void **state)
{
	(void)state;
	rig_apply(ONE("connections = 2;"));
	admit(1, SERVER_REFUSE);
	rig_apply(ONE("connections = 2; user = \"other\";"));
	rig_advance(1000);
	assert_int_equal(admitted, 1);
	assert_int_equal(ended_of_first_two(), 2);
	assert_tunnel("x", TUNNEL_UP);
	int client = rig_client(rig_ports[0]);
	assert_echo(client, "by the one");
	admitted_max = 2;
	rig_advance(120000);
	assert_int_equal(place_live_count(A), 2);
	assert_echo(client, "goes on");
	close(client);
}

static void test_one_too_many_goes_though_another_is_missing(void **state)
{
	(void)state;
	rig_apply(ONE("connections = 3;"));
	rig_advance(2000);
	assert_int_equal(place_live_count(A), 3);
	admit(0, SERVER_REFUSE);
	server_reset(A->servers[1]);
	rig_advance(2000);
	rig_apply(ONE("connections = 2;"));
	rig_advance(60000);
	assert_true(server_saw_end(A->servers[2]));
	assert_int_equal(place_live_count(A), 1);
}

static void test_a_server_that_admits_none_leaves_the_old_ones(void **state)
{
	(void)state;
	rig_apply(ONE("connections = 2;"));
	admit(0, SERVER_REFUSE);
	rig_apply(ONE("connections = 2; user = \"other\";"));
	rig_advance(120000);
	assert_int_equal(ended_of_first_two(), 0);
	int client = rig_client(rig_ports[0]);
	assert_echo(client, "as ever");
	close(client);
}

static void test_an_old_link_that_is_lost_leaves_it_to_its_successor(void **state)
{
	(void)state;
	rig_apply(ONE(""));
	place_close(B);
	rig_apply("hosts: { a: { port = ${B}; }; }; tunnels: { x: { " LOCAL("\"a\"") " }; };");
	assert_tunnel("x", TUNNEL_UP);
	place_kill(A);
	rig_advance(60000);
	assert_tunnel("x", TUNNEL_DOWN);
	assert_int_equal(A->accepted, 1);
	place_open(B);
	rig_advance(60000);
	assert_tunnel("x", TUNNEL_UP);
	assert_int_equal(A->accepted, 1);
	assert_int_equal(place_live_count(B), 1);
}

/* ---- certificates ---- */

#define WITH_IDENTITY ONE("identity = \"${DIR}/id\"; keepalive_interval = 3600;")

static char cert_path[128];

/* A link by a certificate that is good for so long; and a stream on it. */
static int begin_with_certificate(uint64_t seconds)
{
	char key_path[128];

	snprintf(key_path, sizeof(key_path), "%s/id", rig_folder());
	snprintf(cert_path, sizeof(cert_path), "%s/id-cert.pub", rig_folder());
	write_identity(key_path, 1);
	write_certificate(cert_path, 1, (uint64_t)clock_wall() + seconds);
	rig_apply(WITH_IDENTITY);
	assert_true(rig_log_has("link-up"));
	int client = rig_client(rig_ports[0]);
	assert_echo(client, "by the first certificate");
	return client;
}

static void test_a_link_whose_certificate_was_renewed_is_replaced_before_it_ends(void **state)
{
	(void)state;
	int before = begin_with_certificate(100);
	rig_advance(40000);
	write_certificate(cert_path, 1, (uint64_t)clock_wall() + 86400 * 30);
	rig_advance(15000);
	assert_int_equal(A->accepted, 2);
	int after = rig_client(rig_ports[0]);
	assert_echo(after, "by the second");
	assert_int_equal(session_channel_count(link_session(host_link_at(rig_host("a"), 0))), 1);
	/* Nobody noticed: the old stream lives, and the old link until that has ended. */
	assert_echo(before, "still here");
	assert_int_equal(place_live_count(A), 2);
	assert_int_equal(rig_log_count("tunnel-down"), 0);
	close(before);
	rig_advance(1000);
	assert_int_equal(place_live_count(A), 1);
	assert_echo(after, "stays");
	close(after);
}

/* Longer than drain_timeout: nobody is in a hurry. */
static void test_streams_may_stay_on_the_old_link_while_its_certificate_is_good(void **state)
{
	(void)state;
	int client = begin_with_certificate(100);
	rig_advance(40000);
	write_certificate(cert_path, 1, (uint64_t)clock_wall() + 86400 * 30);
	rig_advance(50000);
	assert_int_equal(A->accepted, 2);
	assert_echo(client, "still here");
	close(client);
}

static void test_who_jumps_through_a_link_that_is_replaced_moves_first(void **state)
{
	char key_path[128];

	(void)state;
	snprintf(key_path, sizeof(key_path), "%s/id", rig_folder());
	snprintf(cert_path, sizeof(cert_path), "%s/id-cert.pub", rig_folder());
	write_identity(key_path, 1);
	write_certificate(cert_path, 1, (uint64_t)clock_wall() + 100);
	rig_apply("hosts: { a: { port = ${A}; identity = \"${DIR}/id\"; }; "
		  "b: { port = ${B}; via = \"a\"; }; }; tunnels: { x: { " LOCAL("\"b\"") " }; };");
	int before = rig_client(rig_ports[0]);
	assert_echo(before, "old");
	rig_advance(40000);
	write_certificate(cert_path, 1, (uint64_t)clock_wall() + 86400 * 30);
	rig_advance(15000);
	assert_int_equal(A->accepted, 2);
	assert_int_equal(B->accepted, 2);
	assert_tunnel("x", TUNNEL_UP);
	assert_echo(before, "not cut");
	int after = rig_client(rig_ports[0]);
	assert_echo(after, "new");
	close(before);
	rig_advance(3000);
	assert_int_equal(place_live_count(A), 1);
	assert_int_equal(place_live_count(B), 1);
	assert_echo(after, "unmoved");
	close(after);
}

static void test_one_that_is_renewed_late_is_replaced_in_time(void **state)
{
	(void)state;
	int client = begin_with_certificate(100);
	rig_advance(80000);
	write_certificate(cert_path, 1, (uint64_t)clock_wall() + 86400 * 30);
	rig_advance(15000);
	assert_int_equal(A->accepted, 2);
	close(client);
}

static void test_one_that_was_not_renewed_is_kept(void **state)
{
	(void)state;
	int client = begin_with_certificate(60);
	rig_advance(90000);
	assert_int_equal(A->accepted, 1);
	assert_echo(client, "the server let us in, and never asked again");
	close(client);
}

static void test_the_old_link_serves_until_the_one_with_the_new_certificate_is_up(void **state)
{
	(void)state;
	int before = begin_with_certificate(60);
	A->manners = PLACE_IS_MUTE;
	write_certificate(cert_path, 1, 0);
	rig_advance(31000);
	assert_int_equal(A->accepted, 2);
	assert_tunnel("x", TUNNEL_UP);
	int meanwhile = rig_client(rig_ports[0]);
	assert_echo(meanwhile, "on the old one");
	A->manners = PLACE_SERVES;
	rig_advance(25000);
	assert_true(A->accepted >= 3);
	close(before);
	close(meanwhile);
	rig_advance(2000);
	assert_int_equal(place_live_count(A), 1);
	int after = rig_client(rig_ports[0]);
	assert_echo(after, "on the new one");
	close(after);
}

/* That the other connection is up says nothing of the renewed certificate. */
static void test_a_link_whose_renewed_certificate_is_refused_stays_beside_the_other(void **state)
{
	char key_path[128];

	(void)state;
	snprintf(key_path, sizeof(key_path), "%s/id", rig_folder());
	snprintf(cert_path, sizeof(cert_path), "%s/id-cert.pub", rig_folder());
	write_identity(key_path, 1);
	write_certificate(cert_path, 1, (uint64_t)clock_wall() + 100);
	rig_apply(ONE("connections = 2; identity = \"${DIR}/id\"; keepalive_interval = 3600;"));
	rig_advance(40000);
	write_certificate(cert_path, 1, (uint64_t)clock_wall() + 86400 * 30);
	server_reset(A->servers[1]);
	rig_advance(1000);
	assert_int_equal(A->accepted, 3);
	admit(0, SERVER_REFUSE);
	rig_advance(30000);
	assert_true(A->accepted > 3);
	assert_false(server_saw_end(A->servers[0]));
	assert_false(server_saw_end(A->servers[2]));
}

static void test_streams_of_a_replaced_link_are_cut_after_drain_timeout(void **state)
{
	(void)state;
	rig_apply("drain_timeout = 5; " ONE(""));
	int before = rig_client(rig_ports[0]);
	assert_echo(before, "old");
	rig_apply("drain_timeout = 5; " ONE("user = \"other\";"));
	rig_advance(4000);
	assert_echo(before, "still");
	rig_advance(3000);
	/* Not an end: what it was reading is not whole. */
	assert_string_equal(rig_client_got(before), "reset");
	assert_int_equal(place_live_count(A), 1);
	close(before);
}

static void test_what_changes_in_place_touches_no_link(void **state)
{
	(void)state;
	rig_apply(ONE(""));
	rig_apply(ONE("reconnect_max = 5;"));
	rig_advance(10000);
	assert_int_equal(A->accepted, 1);
}

static void test_a_replaced_link_whose_successor_never_comes_ends_with_its_tunnel(void **state)
{
	(void)state;
	rig_apply(ONE(""));
	A->manners = PLACE_HANGS_UP;
	rig_apply(ONE("user = \"other\";"));
	assert_int_equal(place_live_count(A), 1);
	rig_apply("hosts: { a: { port = ${A}; user = \"other\"; }; }; tunnels: { y: { "
		  "via = \"a\"; socks = \"${Q}\"; enabled = false; }; };");
	rig_advance(1000);
	assert_int_equal(place_live_count(A), 0);
}

/* ---- jumps ---- */

static void test_a_chain_of_three_comes_up_and_carries(void **state)
{
	(void)state;
	rig_apply(CHAIN("", "", ""));
	assert_tunnel("x", TUNNEL_UP);
	int client = rig_client(rig_ports[0]);
	assert_echo(client, "through all three");
	assert_int_equal(A->accepted, 1);
	assert_int_equal(B->accepted, 1);
	assert_int_equal(C->accepted, 1);
	close(client);
}

static void test_a_jump_host_that_is_not_there_is_named_with_its_reason(void **state)
{
	(void)state;
	place_close(A);
	rig_apply(CHAIN("", "", ""));
	const char *reason = tunnel_reason(rig_tunnel("x"));
	assert_non_null(strstr(reason, "jump host b: jump host a: "));
	assert_non_null(strstr(reason, "Connection refused"));
	place_open(A);
	rig_advance(2000);
	assert_tunnel("x", TUNNEL_UP);
}

static void test_a_target_that_the_jump_host_cannot_reach_is_named(void **state)
{
	(void)state;
	place_close(C);
	rig_apply(CHAIN("", "", ""));
	assert_non_null(
	    strstr(tunnel_reason(rig_tunnel("x")), "jump host b cannot connect to 127.0.0.1"));
}

/* Another try will not mend it, and is not hurried. */
static void test_a_target_that_the_jump_host_prohibits_is_asked_for_slowly(void **state)
{
	(void)state;
	C->manners = PLACE_IS_FORBIDDEN;
	rig_apply(CHAIN("", "", "reconnect_max = 100.0;"));
	int client = rig_client(rig_ports[0]);
	assert_int_equal(link_reason(host_link(rig_host("c")))->class, ERR_LOGIN);
	assert_in_range(link_next_try_ms(host_link(rig_host("c"))), 50000, 100000);
	close(client);
}

static void test_what_waits_above_a_jump_host_is_tried_when_that_is_back(void **state)
{
	(void)state;
	place_close(C);
	rig_apply(CHAIN("", "", "reconnect_min = 20.0;"));
	rig_advance(5000);
	assert_int_equal(link_state(host_link(rig_host("c"))), LINK_WAITING);
	place_open(C);
	place_kill(B);
	rig_advance(100);
	assert_tunnel("x", TUNNEL_UP);
}

static void test_a_jump_host_that_never_answers_is_given_up_after_connect_timeout(void **state)
{
	(void)state;
	C->manners = PLACE_IS_MUTE;
	rig_apply(CHAIN("", "", "connect_timeout = 3;"));
	rig_advance(2900);
	assert_int_equal(link_state(host_link(rig_host("c"))), LINK_CONNECTING);
	rig_advance(200);
	assert_non_null(
	    strstr(tunnel_reason(rig_tunnel("x")), "jump host b did not connect to 127.0.0.1"));
	C->manners = PLACE_SERVES;
	rig_advance(2000);
	assert_tunnel("x", TUNNEL_UP);
}

static void test_a_hop_that_dies_takes_down_what_is_above_it_and_is_named(void **state)
{
	(void)state;
	rig_apply(CHAIN("", "", ""));
	rig_advance(5000);
	place_close(B);
	place_kill(B);
	assert_tunnel("x", TUNNEL_DOWN);
	assert_non_null(strstr(tunnel_reason(rig_tunnel("x")), "jump host b: "));
	assert_true(rig_log_has("link-down host=c reason=\"jump host b"));
	/* What is below lives on. */
	assert_int_equal(place_live_count(A), 1);
	assert_int_equal(A->accepted, 1);
	place_open(B);
	rig_advance(2000);
	assert_tunnel("x", TUNNEL_UP);
	assert_int_equal(A->accepted, 1);
}

static void test_the_lowest_hop_that_dies_is_back_with_all_above_it_at_once(void **state)
{
	(void)state;
	rig_apply(CHAIN("", "", ""));
	rig_advance(5000);
	place_kill(A);
	rig_advance(0);
	rig_advance(600); /* the lower ones lived; nobody has to wait long */
	assert_tunnel("x", TUNNEL_UP);
	assert_int_equal(A->accepted, 2);
}

#define BRISK "keepalive_interval = 1; keepalive_count = 2;"

/* What the lowest server has to do for a key exchange, it does when it goes on. */
static void begin_slow_rekey(void)
{
	rig_apply(CHAIN("", BRISK, BRISK));
	rig_advance(5000);
	server_rekey(place_last(A));
	server_pause(place_last(A));
}

static void test_a_slow_rekey_below_costs_nothing_above(void **state)
{
	(void)state;
	begin_slow_rekey();
	int client = rig_client(rig_ports[0]);
	rig_client_send(client, "hello");
	rig_advance(30000);
	assert_string_equal(rig_client_got(client), "");
	server_go_on(place_last(A));
	rig_settle();
	assert_string_equal(rig_client_got(client), "hello");
	assert_int_equal(server_exchanges(place_last(A)), 2);
	rig_advance(5000);
	assert_int_equal(B->accepted + C->accepted, 2);
	/* Dead above is still dead. */
	place_fall_silent(C);
	rig_advance(3500);
	assert_true(rig_log_has("link-down host=c reason=\"no answer to keepalives"));
	close(client);
}

static void test_a_rekey_that_never_ends_is_the_lower_hop_s_end(void **state)
{
	(void)state;
	begin_slow_rekey();
	rig_advance(44000);
	assert_false(rig_log_has("link-down"));
	rig_advance(17000);
	assert_true(rig_log_has("link-down host=a reason="));
	assert_true(rig_log_has("link-down host=b reason=\"jump host a: "));
}

static void test_a_rekey_above_has_its_time_beside_that_of_one_below(void **state)
{
	(void)state;
	rig_apply(CHAIN("", "keepalive_interval = 20;", BRISK));
	server_rekey(place_last(B));
	server_pause(place_last(B));
	rig_advance(30000);
	server_rekey(place_last(A));
	server_pause(place_last(A));
	server_go_on(place_last(B));
	rig_advance(40000);
	assert_false(rig_log_has("link-down"));
	server_go_on(place_last(A));
	rig_settle();
	assert_int_equal(server_exchanges(place_last(B)), 2);
	rig_advance(5000);
	assert_false(rig_log_has("link-down"));
}

static void test_a_changed_jump_host_moves_those_above_before_it_drains(void **state)
{
	(void)state;
	rig_apply(CHAIN("", "", ""));
	int before = rig_client(rig_ports[0]);
	assert_echo(before, "old");
	rig_apply(CHAIN("user = \"other\";", "", ""));
	rig_advance(2000);
	assert_tunnel("x", TUNNEL_UP);
	assert_int_equal(A->accepted, 2);
	assert_int_equal(C->accepted, 2);
	assert_echo(before, "not cut");
	int after = rig_client(rig_ports[0]);
	assert_echo(after, "new");
	close(before);
	rig_advance(3000);
	assert_int_equal(place_live_count(A), 1);
	assert_int_equal(place_live_count(B), 1);
	assert_int_equal(place_live_count(C), 1);
	assert_echo(after, "unmoved");
	close(after);
}

static void test_a_host_that_changes_its_jump_host_keeps_the_old_way_until_the_new_one_works(
    void **state)
{
	(void)state;
	rig_apply("hosts: { a: { port = ${A}; }; b: { port = ${B}; }; c: { port = ${C}; via = "
		  "\"a\"; }; }; tunnels: { x: { " LOCAL("\"c\"") " }; };");
	int before = rig_client(rig_ports[0]);
	assert_echo(before, "by a");
	place_close(B);
	rig_apply("hosts: { a: { port = ${A}; }; b: { port = ${B}; }; c: { port = ${C}; via = "
		  "\"b\"; }; }; tunnels: { x: { " LOCAL("\"c\"") " }; };");
	rig_advance(60000);
	assert_tunnel("x", TUNNEL_UP);
	assert_echo(before, "still by a");
	place_open(B);
	rig_advance(31000);
	assert_int_equal(C->accepted, 2);
	close(before);
	rig_advance(2000);
	assert_int_equal(place_live_count(A), 0);
	assert_tunnel("x", TUNNEL_UP);
}

static void test_when_nobody_wants_the_upper_host_the_lower_goes_after_it(void **state)
{
	(void)state;
	rig_apply(CHAIN("", "", ""));
	tunnel_stop(rig_tunnel("x"), 1000);
	rig_advance(100);
	rig_advance(100);
	rig_advance(100);
	assert_int_equal(place_live_count(A) + place_live_count(B) + place_live_count(C), 0);
	assert_int_equal(server_disconnect_code(place_last(C)), 11);
	assert_int_equal(server_disconnect_code(place_last(B)), 11);
	assert_int_equal(server_disconnect_code(place_last(A)), 11);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_streams_are_spread_over_connections),
	    TEST(test_many_connections_come_up_one_after_the_other),
	    TEST(test_one_of_several_links_that_is_lost_takes_its_streams_alone),
	    TEST(test_counts_are_of_all_connections_also_of_those_that_are_gone),
	    TEST(test_fewer_connections_drain_the_rest),
	    TEST(test_a_changed_host_gets_a_new_link_before_the_old_one_drains),
	    TEST(test_all_connections_of_a_changed_host_are_there_before_the_old_ones_drain),
	    TEST(test_a_server_that_admits_one_connection_fewer_is_rid_of_the_old_ones),
	    TEST(test_one_too_many_goes_though_another_is_missing),
	    TEST(test_a_server_that_admits_none_leaves_the_old_ones),
	    TEST(test_an_old_link_that_is_lost_leaves_it_to_its_successor),
	    TEST(test_a_link_whose_certificate_was_renewed_is_replaced_before_it_ends),
	    TEST(test_streams_may_stay_on_the_old_link_while_its_certificate_is_good),
	    TEST(test_who_jumps_through_a_link_that_is_replaced_moves_first),
	    TEST(test_one_that_is_renewed_late_is_replaced_in_time),
	    TEST(test_one_that_was_not_renewed_is_kept),
	    TEST(test_the_old_link_serves_until_the_one_with_the_new_certificate_is_up),
	    TEST(test_a_link_whose_renewed_certificate_is_refused_stays_beside_the_other),
	    TEST(test_streams_of_a_replaced_link_are_cut_after_drain_timeout),
	    TEST(test_what_changes_in_place_touches_no_link),
	    TEST(test_a_replaced_link_whose_successor_never_comes_ends_with_its_tunnel),
	    TEST(test_a_chain_of_three_comes_up_and_carries),
	    TEST(test_a_jump_host_that_is_not_there_is_named_with_its_reason),
	    TEST(test_a_target_that_the_jump_host_cannot_reach_is_named),
	    TEST(test_a_target_that_the_jump_host_prohibits_is_asked_for_slowly),
	    TEST(test_what_waits_above_a_jump_host_is_tried_when_that_is_back),
	    TEST(test_a_jump_host_that_never_answers_is_given_up_after_connect_timeout),
	    TEST(test_a_hop_that_dies_takes_down_what_is_above_it_and_is_named),
	    TEST(test_the_lowest_hop_that_dies_is_back_with_all_above_it_at_once),
	    TEST(test_a_slow_rekey_below_costs_nothing_above),
	    TEST(test_a_rekey_that_never_ends_is_the_lower_hop_s_end),
	    TEST(test_a_rekey_above_has_its_time_beside_that_of_one_below),
	    TEST(test_a_changed_jump_host_moves_those_above_before_it_drains),
	    TEST(test_a_host_that_changes_its_jump_host_keeps_the_old_way_until_the_new_one_works),
	    TEST(test_when_nobody_wants_the_upper_host_the_lower_goes_after_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
