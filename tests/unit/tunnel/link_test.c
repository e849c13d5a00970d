/*
 * One link against a scripted server: its states, its tries, its ends.
 */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/unit/ssh/made_identity.h"

static struct config *config;
static struct link *link_;
static struct link_log log_host = {.who = {.key = "host", .value = "a"}};
static struct session *up; /* between on_session_up and on_session_down */
static int ups, downs, expirings;
static enum link_state seen[64];
static size_t seen_count;
static bool client_is_held;
static void (*in_session_down)(void);

static void on_change(void *arg, struct link *l)
{
	(void)arg;
	if (seen_count < 64 && (!seen_count || seen[seen_count - 1] != link_state(l)))
		seen[seen_count++] = link_state(l);
}

static void on_session_up(void *arg, struct session *s)
{
	(void)arg;
	assert_null(up);
	up = s;
	ups++;
}

static void on_session_down(void *arg, struct session *s)
{
	(void)arg;
	assert_ptr_equal(up, s);
	up = NULL;
	downs++;
	if (in_session_down)
		in_session_down();
}

static struct session *via_session(void *arg, struct err *reason)
{
	(void)arg;
	err_set(reason, ERR_NETWORK, "not there");
	return NULL;
}

static void on_expiring(void *arg, struct link *l)
{
	(void)arg;
	(void)l;
	expirings++;
}

static bool is_client_held(void *arg)
{
	(void)arg;
	return client_is_held;
}

static struct config *config_with(const char *keys)
{
	char text[1024];

	snprintf(text, sizeof(text),
	    "hosts: { a: { port = ${A}; %s }; }; tunnels: { x: { via = \"a\"; socks = \"1\"; }; "
	    "};",
	    keys);
	return rig_config(text);
}

/* As a reload does it. */
static void set_config(const char *keys)
{
	struct config *before = config;

	config = config_with(keys);
	link_set_config(link_, config, &config->hosts[0]);
	config_unref(before);
}

static void make(const char *keys)
{
	static const struct link_callbacks callbacks = {.on_change = on_change,
	    .on_session_up = on_session_up,
	    .on_session_down = on_session_down,
	    .via_session = via_session,
	    .on_expiring = on_expiring,
	    .is_client_held = is_client_held};
	struct link_env env = rig_link_env();

	config = config_with(keys);
	link_ = link_new(&env, config, &config->hosts[0], &log_host, &callbacks, NULL);
}

static void make_up(const char *keys)
{
	make(keys);
	link_start(link_);
	rig_settle();
	assert_int_equal(link_state(link_), LINK_UP);
}

static int setup(void **state)
{
	up = NULL;
	ups = downs = expirings = 0;
	seen_count = 0;
	client_is_held = false;
	in_session_down = NULL;
	return rig_setup(state);
}

static int teardown(void **state)
{
	link_free(link_);
	config_unref(config);
	link_ = NULL;
	return rig_teardown(state);
}

#define a_place (&rig_places[0])

static void assert_state(enum link_state wanted)
{
	assert_string_equal(link_state_name(link_state(link_)), link_state_name(wanted));
}

/* ---- coming up ---- */

static void test_nothing_happens_until_it_is_wanted(void **state)
{
	(void)state;
	make("");
	rig_advance(60000);
	assert_state(LINK_IDLE);
	assert_int_equal(a_place->accepted, 0);
}

static void test_it_walks_through_its_states_and_comes_up(void **state)
{
	(void)state;
	make_up("");
	assert_non_null(up);
	assert_ptr_equal(link_session(link_), up);
	assert_true(link_takes_streams(link_));
	assert_int_equal(seen[seen_count - 1], LINK_UP);
	assert_false(err_is_set(link_reason(link_)));
	assert_int_equal(strncmp(link_host_key(link_), "SHA256:", 7), 0);
	assert_int_equal(strncmp(link_peer_address(link_), "127.0.0.1:", 10), 0);
	assert_int_equal(rig_log_count("link-up"), 1);
	for (enum link_state s = LINK_RESOLVING; s < LINK_UP; s++) {
		char line[64];

		snprintf(line, sizeof(line), "link-state host=a state=%s", link_state_name(s));
		assert_int_equal(rig_log_count(line), 1);
	}
	assert_false(rig_log_has("bug"));
}

static void test_a_key_file_that_is_not_there_is_said_before_the_server_is_bothered(void **state)
{
	(void)state;
	make("identity = \"${DIR}/none\";");
	link_start(link_);
	rig_settle();
	assert_state(LINK_WAITING);
	assert_int_equal(link_reason(link_)->class, ERR_CONFIG);
	assert_non_null(strstr(link_reason(link_)->text, "/none"));
	assert_int_equal(a_place->accepted, 0);
	assert_true(link_next_try_ms(link_) >= 15000);
}

/* ---- failing ---- */

static void test_a_refused_connection_is_tried_again_with_back_off_for_ever(void **state)
{
	uint64_t ceiling = 500;

	(void)state;
	make("");
	place_close(a_place);
	link_start(link_);
	for (int i = 0; i < 12; i++) {
		rig_settle();
		assert_state(LINK_WAITING);
		assert_int_equal(link_reason(link_)->class, ERR_NETWORK);
		assert_in_range(link_next_try_ms(link_), 250, ceiling);
		ceiling = ceiling * 2 < 30000 ? ceiling * 2 : 30000;
		rig_advance(link_next_try_ms(link_));
	}
	/* Said once, however often it comes. */
	assert_int_equal(rig_log_count("link-failed"), 1);
	place_open(a_place);
	rig_advance(30000);
	assert_state(LINK_UP);
	assert_int_equal(link_reconnects(link_), 0);
}

static void test_a_held_client_waits_no_more_than_a_second_for_the_next_try(void **state)
{
	(void)state;
	make("");
	client_is_held = true;
	place_close(a_place);
	link_start(link_);
	for (int i = 0; i < 12; i++) {
		rig_settle();
		assert_state(LINK_WAITING);
		assert_true(link_next_try_ms(link_) <= 1000);
		rig_advance(link_next_try_ms(link_));
	}
}

static void test_a_client_that_is_held_while_it_waits_shortens_the_wait(void **state)
{
	(void)state;
	make("reconnect_min = 20.0;");
	place_close(a_place);
	link_start(link_);
	rig_settle();
	assert_true(link_next_try_ms(link_) > 1000);
	link_hurry(link_);
	assert_int_equal(link_next_try_ms(link_), 1000);
	link_hurry(link_);
	assert_int_equal(link_next_try_ms(link_), 1000);
}

static enum server_verdict refuse(void *arg, struct server *s, const struct server_login *login)
{
	(void)arg;
	(void)s;
	(void)login;
	return SERVER_REFUSE;
}

static void test_a_refused_login_starts_slow_and_nobody_hurries_it(void **state)
{
	(void)state;
	make("");
	client_is_held = true;
	a_place->script.on_login = refuse;
	link_start(link_);
	rig_settle();
	assert_state(LINK_WAITING);
	assert_int_equal(link_reason(link_)->class, ERR_LOGIN);
	assert_in_range(link_next_try_ms(link_), 15000, 30000);
	link_hurry(link_);
	assert_in_range(link_next_try_ms(link_), 15000, 30000);
	/* Nor does a change of the network; a person does. */
	link_check(link_, 1000);
	assert_state(LINK_WAITING);
	a_place->script.on_login = NULL;
	link_retry_now(link_);
	rig_settle();
	assert_state(LINK_UP);
}

/* The agent that was asked in its stead is not all there is to say. */
static void test_why_a_key_file_was_of_no_use_is_in_the_reason(void **state)
{
	char *path = str_format("%s/id", rig_folder()), *public = str_format("%s.pub", path);

	(void)state;
	write_identity(path, 1);
	write_public(public, 1);
	assert_int_equal(chmod(path, 0644), 0);
	make("identity = \"${DIR}/id\"; agent = \"${DIR}/agent\";");
	a_place->script.on_login = refuse;
	link_start(link_);
	rig_settle();
	assert_int_equal(link_reason(link_)->class, ERR_LOGIN);
	char *words = str_format("; left to the agent: %s: permissions 0644 are too open", path);
	assert_non_null(strstr(link_reason(link_)->text, words));
	assert_int_equal(rig_log_count(words), 1);
	free(words);
	free(public);
	free(path);
}

static void test_a_file_that_was_skipped_is_in_the_reason(void **state)
{
	char *path = str_format("%s/id", rig_folder()), *cert = str_format("%s-cert.pub", path);
	char *gone = str_format("%s/gone", rig_folder());
	char *words = str_format("; not used: %s: No such file or directory; %s: the "
				 "certificate has expired",
	    gone, cert);

	(void)state;
	write_identity(path, 1);
	write_certificate(cert, 1, (uint64_t)clock_wall() - 1);
	make("identity = [\"${DIR}/gone\", \"${DIR}/id\"];");
	a_place->script.on_login = refuse;
	link_start(link_);
	rig_settle();
	assert_int_equal(link_reason(link_)->class, ERR_LOGIN);
	assert_non_null(strstr(link_reason(link_)->text, words));
	/* Once, however often it is tried; and again after it was mended. */
	link_retry_now(link_);
	rig_settle();
	assert_int_equal(rig_log_count("identity-skipped"), 1);
	assert_int_equal(rig_log_count("certificate-unusable"), 1);
	write_identity(gone, 2);
	assert_int_equal(unlink(cert), 0);
	link_retry_now(link_);
	rig_settle();
	assert_int_equal(unlink(gone), 0);
	link_retry_now(link_);
	rig_settle();
	assert_int_equal(rig_log_count("identity-skipped host=a file"), 2);
	free(words);
	free(gone);
	free(cert);
	free(path);
}

static enum server_verdict want_more(void *arg, struct server *s, const struct server_login *login)
{
	(void)arg;
	if (!login->signature_is_good)
		return SERVER_REFUSE;
	server_set_methods(s, "hostbased");
	return SERVER_PARTIAL;
}

static void test_a_key_that_was_accepted_stands_in_authorized_keys_already(void **state)
{
	char *path = str_format("%s/id", rig_folder());
	const char *text;

	(void)state;
	write_identity(path, 1);
	make("identity = \"${DIR}/id\";");
	a_place->script.on_login = want_more;
	link_start(link_);
	rig_settle();
	assert_int_equal(link_reason(link_)->class, ERR_LOGIN);
	text = link_reason(link_)->text;
	assert_non_null(strstr(text, ", and still wants hostbased; "));
	assert_non_null(strstr(text, "; `password`, or another key of `identity`, has to give"));
	assert_null(strstr(text, "authorized_keys"));
	free(path);
}

static void test_a_wrong_host_key_starts_slow(void **state)
{
	(void)state;
	make("host_key = \"SHA256:uNiVztksCsDhcc0u9e8BrUQXVUpKZIDTMczCvj3tD2s\";");
	link_start(link_);
	rig_settle();
	assert_state(LINK_WAITING);
	assert_int_equal(link_reason(link_)->class, ERR_HOST_KEY);
	assert_in_range(link_next_try_ms(link_), 15000, 30000);
}

static void test_a_server_that_says_nothing_is_given_up_after_connect_timeout(void **state)
{
	(void)state;
	make("connect_timeout = 4.0;");
	a_place->manners = PLACE_IS_MUTE;
	link_start(link_);
	rig_advance(3900);
	assert_state(LINK_HANDSHAKE);
	rig_advance(200);
	assert_state(LINK_WAITING);
	assert_int_equal(link_reason(link_)->class, ERR_TIMEOUT);
}

/* Nobody answers at all: a port whose queue is full, where the kernel drops who comes. */
static int fall_mute(int *ret_filler)
{
	struct addr at;
	int on = 1, listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	place_close(a_place);
	rig_settle();
	assert_true(addr_from_literal("127.0.0.1", a_place->port, &at));
	assert_int_equal(setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(listening, &at.sa, at.length), 0);
	assert_int_equal(listen(listening, 0), 0);
	*ret_filler = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(*ret_filler, &at.sa, at.length), 0);
	return listening;
}

static void test_an_address_that_never_answers_is_given_up_after_connect_timeout(void **state)
{
	int filler;

	(void)state;
	make("connect_timeout = 4.0;");
	int mute = fall_mute(&filler);
	link_start(link_);
	rig_advance(3900);
	assert_state(LINK_CONNECTING);
	rig_advance(200);
	assert_state(LINK_WAITING);
	assert_int_equal(link_reason(link_)->class, ERR_TIMEOUT);
	close(filler);
	close(mute);
}

/* Its next SYN is seconds away, and the network is another one. */
static void test_a_connect_of_before_the_network_changed_is_begun_anew(void **state)
{
	int filler;

	(void)state;
	make("");
	int mute = fall_mute(&filler);
	link_start(link_);
	rig_advance(900);
	assert_state(LINK_CONNECTING);
	close(filler);
	close(mute);
	place_open(a_place);
	link_check(link_, 3000); /* one so young may be of after the change */
	rig_settle();
	assert_state(LINK_CONNECTING);
	clock_fake_advance(200);
	link_check(link_, 3000);
	rig_settle();
	assert_state(LINK_UP);
}

/* A reload comes while it connects, and nobody else counts the snapshot of before. */
static void test_a_try_goes_on_with_the_snapshot_that_it_began_with(void **state)
{
	int filler;

	(void)state;
	make("connect_timeout = 4.0;");
	struct config *first = config_ref(config);
	int mute = fall_mute(&filler);
	link_start(link_);
	rig_advance(1000);
	assert_state(LINK_CONNECTING);
	set_config("connect_timeout = 8.0;");
	assert_int_equal(first->references, 2);
	rig_advance(3100);
	assert_non_null(strstr(link_reason(link_)->text, "within 4 s"));
	assert_int_equal(first->references, 1);
	close(filler);
	close(mute);
	place_open(a_place);
	rig_advance(10000);
	assert_state(LINK_UP);
	config_unref(first);
}

static void test_a_name_is_resolved_again_at_every_try(void **state)
{
	(void)state;
	rig_hosts("127.0.0.3 moving.test\n");
	make("address = \"moving.test\";");
	link_start(link_);
	rig_settle();
	assert_state(LINK_WAITING);
	assert_non_null(strstr(link_reason(link_)->text, "127.0.0.3:"));
	rig_hosts("127.0.0.1 moving.test\n");
	rig_advance(1000);
	assert_state(LINK_UP);
}

static bool note_no_more_sessions(void *arg, struct server *s, struct span payload)
{
	struct rd r;

	(void)s;
	rd_init(&r, payload);
	if (rd_u8(&r) == SSH_MSG_GLOBAL_REQUEST &&
	    span_is(rd_string(&r), "no-more-sessions@openssh.com"))
		*(bool *)arg = true;
	return false;
}

static void test_a_link_for_forwards_gives_up_the_right_to_commands(void **state)
{
	bool given_up = false;

	(void)state;
	a_place->script.ident = "SSH-2.0-OpenSSH_9.2";
	a_place->script.ext_info = SERVER_NO_EXT_INFO;
	a_place->script.on_message = note_no_more_sessions;
	a_place->script.arg = &given_up;
	make_up("");
	assert_true(given_up);
}

static void test_it_comes_from_its_bind_address(void **state)
{
	char text[ADDR_TEXT_MAX];

	(void)state;
	make_up("bind_address = \"127.0.0.9\";");
	assert_string_equal(addr_host_text(&a_place->client, text), "127.0.0.9");
}

static enum server_verdict say_nothing(
    void *arg, struct server *s, const struct server_login *login)
{
	(void)arg;
	(void)s;
	(void)login;
	return SERVER_SILENT;
}

static void test_a_login_that_is_never_answered_is_given_up_after_connect_timeout(void **state)
{
	(void)state;
	make("connect_timeout = 4.0;");
	a_place->script.on_login = say_nothing;
	link_start(link_);
	rig_advance(3900);
	assert_state(LINK_LOGIN);
	rig_advance(200);
	assert_state(LINK_WAITING);
	assert_int_equal(link_reason(link_)->class, ERR_TIMEOUT);
}

/* ---- losing ---- */

static void test_the_first_try_after_a_link_that_lived_is_at_once(void **state)
{
	(void)state;
	make_up("");
	rig_advance(2000);
	place_kill(a_place);
	assert_int_equal(downs, 1);
	rig_advance(0); /* a timer of 0 ms */
	assert_state(LINK_UP);
	assert_int_equal(ups, 2);
	assert_int_equal(link_reconnects(link_), 1);
	assert_int_equal(rig_log_count("link-down"), 1);
	assert_false(rig_log_has("bug"));
}

static void test_a_server_that_throws_us_out_at_once_is_not_hammered(void **state)
{
	(void)state;
	make_up("");
	place_kill(a_place);
	rig_advance(0);
	assert_state(LINK_WAITING);
	assert_true(link_next_try_ms(link_) >= 200);
}

static void test_silence_of_the_server_ends_the_link_in_time(void **state)
{
	(void)state;
	make_up("keepalive_interval = 5; keepalive_count = 3;");
	rig_advance(30000);
	assert_state(LINK_UP); /* it answers */
	place_fall_silent(a_place);
	a_place->manners = PLACE_IS_MUTE;
	rig_advance(14000);
	assert_state(LINK_UP);
	/* interval × (count + 1), from the last word */
	rig_advance(6100);
	assert_int_equal(downs, 1);
	assert_true(rig_log_has("no answer to keepalives"));
	assert_int_equal(a_place->accepted, 2);
}

static unsigned user_timeout_ms(void)
{
	unsigned ms = 0;
	socklen_t length = sizeof(ms);
	int fd = bev_socket_fd(transport_bev(client_transport(link_client(link_))));

	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, &length), 0);
	return ms;
}

static void test_a_living_link_takes_another_keepalive(void **state)
{
	(void)state;
	make_up("keepalive_interval = 60;");
	assert_int_equal(user_timeout_ms(), 240000);
	set_config("keepalive_interval = 5; keepalive_count = 2;");
	assert_int_equal(user_timeout_ms(), 15000);
	place_fall_silent(a_place);
	rig_advance(14000);
	assert_state(LINK_UP);
	rig_advance(1100);
	assert_int_equal(downs, 1);
	assert_true(rig_log_has("no answer to keepalives"));
}

static void test_keepalive_that_changes_before_the_link_is_up_counts(void **state)
{
	(void)state;
	make("keepalive_interval = 60;");
	a_place->script.on_login = say_nothing;
	link_start(link_);
	rig_settle();
	assert_state(LINK_LOGIN);
	set_config("keepalive_interval = 0;");
	server_send_message(place_last(a_place), SSH_MSG_USERAUTH_SUCCESS);
	rig_settle();
	assert_state(LINK_UP);
	assert_int_equal(user_timeout_ms(), 0);
	place_fall_silent(a_place);
	rig_advance(600000);
	assert_int_equal(downs, 0);
}

static void test_a_changed_network_finds_a_dead_link_by_its_own_deadline(void **state)
{
	(void)state;
	make_up("");
	rig_advance(5000);
	place_fall_silent(a_place);
	link_check(link_, 3000);
	rig_advance(2900);
	assert_int_equal(downs, 0);
	rig_advance(200);
	assert_int_equal(downs, 1);
	rig_advance(0);
	assert_state(LINK_UP);
}

static void test_a_changed_network_leaves_a_living_link_alone(void **state)
{
	(void)state;
	make_up("");
	rig_advance(5000);
	link_check(link_, 3000);
	rig_advance(20000);
	assert_int_equal(downs, 0);
	assert_int_equal(a_place->accepted, 1);
}

static void test_a_changed_network_is_reason_to_try_now(void **state)
{
	(void)state;
	make("reconnect_min = 20.0;");
	place_close(a_place);
	link_start(link_);
	rig_settle();
	place_open(a_place);
	link_check(link_, 3000);
	rig_settle();
	assert_state(LINK_UP);
}

static void test_regular_ends_are_named(void **state)
{
	(void)state;
	make_up("");
	rig_advance(8000);
	server_finish(place_last(a_place));
	rig_advance(0);
	assert_state(LINK_UP);
	assert_false(rig_log_has("UnusedConnectionTimeout"));
	rig_advance(8200);
	server_finish(place_last(a_place));
	rig_advance(0);
	assert_int_equal(rig_log_count("UnusedConnectionTimeout"), 1);
}

static void test_irregular_ends_are_not(void **state)
{
	(void)state;
	make_up("");
	for (int i = 0; i < 5; i++) {
		rig_advance((uint64_t)(8000 + 7000 * i));
		server_finish(place_last(a_place));
		rig_advance(0);
		assert_state(LINK_UP);
	}
	assert_false(rig_log_has("UnusedConnectionTimeout"));
}

static void wake_nothing(void *arg)
{
	(void)arg;
}

static void count_entry(void *arg)
{
	(*(int *)arg)++;
}

static void test_a_server_that_drops_us_before_its_name_narrows_the_gate(void **state)
{
	struct gate_ticket others[8];
	int entered = 0;
	char name[64];

	(void)state;
	make("");
	a_place->manners = PLACE_HANGS_UP;
	link_start(link_);
	rig_settle();
	assert_state(LINK_WAITING);
	assert_int_equal(link_reason(link_)->class, ERR_NETWORK);
	assert_non_null(strstr(link_reason(link_)->text, "MaxStartups"));
	snprintf(name, sizeof(name), "127.0.0.1:%u", a_place->port);
	for (int i = 0; i < 8; i++) {
		gate_ticket_init(&others[i], rig_gate, count_entry, wake_nothing, &entered);
		gate_ask(&others[i], name);
	}
	rig_settle();
	assert_int_equal(entered, 4); /* half of what it was */
	for (int i = 0; i < 8; i++)
		gate_leave(&others[i], GATE_FAILED);
}

/* ---- who gets through wakes the others ---- */

static void test_a_link_that_waits_is_woken_by_another_that_got_through(void **state)
{
	struct gate_ticket other;
	char name[64];

	(void)state;
	make("reconnect_min = 20.0;");
	place_close(a_place);
	link_start(link_);
	rig_settle();
	assert_state(LINK_WAITING);
	place_open(a_place);
	gate_ticket_init(&other, rig_gate, wake_nothing, wake_nothing, NULL);
	snprintf(name, sizeof(name), "127.0.0.1:%u", a_place->port);
	gate_ask(&other, name);
	rig_settle();
	gate_leave(&other, GATE_DONE);
	rig_settle();
	assert_state(LINK_UP);
}

/* ---- ending ---- */

static void test_an_unwanted_link_says_goodbye_and_is_idle(void **state)
{
	(void)state;
	make_up("");
	link_drain(link_, 5000, LINK_IDLE);
	assert_null(up);
	rig_advance(0);
	assert_state(LINK_IDLE);
	assert_int_equal(server_disconnect_code(place_last(a_place)), 11);
	assert_true(server_saw_end(place_last(a_place)));
	rig_advance(60000);
	assert_int_equal(a_place->accepted, 1);
}

static struct channel *open_channel(void)
{
	static const struct channel_callbacks none = {0};
	struct wr extra = WR_INIT;

	wr_cstring(&extra, "somewhere");
	wr_u32(&extra, 80);
	wr_cstring(&extra, "127.0.0.1");
	wr_u32(&extra, 1);
	struct channel *c = session_open_channel(
	    link_session(link_), "direct-tcpip", wr_span(&extra), &none, NULL, NULL);
	wr_clear(&extra);
	rig_settle();
	return c;
}

static void test_streams_get_their_time_before_the_end(void **state)
{
	(void)state;
	make_up("");
	struct channel *c = open_channel();
	link_drain(link_, 5000, LINK_STOPPED);
	rig_advance(3000);
	assert_state(LINK_DRAINING);
	assert_false(link_takes_streams(link_));
	channel_close(c);
	rig_advance(200);
	assert_state(LINK_STOPPED);
	assert_true(rig_log_has("not needed any more"));
}

static void test_streams_that_never_end_are_closed_before_the_disconnect(void **state)
{
	(void)state;
	make_up("");
	(void)open_channel();
	server_forget_seen(place_last(a_place));
	link_drain(link_, 5000, LINK_IDLE);
	rig_advance(5200);
	assert_state(LINK_IDLE);
	assert_string_equal(server_seen(place_last(a_place)), "96 97 1");
	assert_int_equal(server_disconnect_code(place_last(a_place)), 11);
}

static void test_draining_is_not_prolonged(void **state)
{
	(void)state;
	make_up("");
	(void)open_channel();
	link_drain(link_, 5000, LINK_IDLE);
	link_drain(link_, 60000, LINK_IDLE);
	rig_advance(5200);
	assert_state(LINK_IDLE);
}

static void test_one_that_is_wanted_again_still_notices_a_new_certificate(void **state)
{
	char key_path[128], cert_path[128];

	(void)state;
	snprintf(key_path, sizeof(key_path), "%s/id", rig_folder());
	snprintf(cert_path, sizeof(cert_path), "%s/id-cert.pub", rig_folder());
	write_identity(key_path, 1);
	write_certificate(cert_path, 1, (uint64_t)clock_wall() + 100);
	make_up("identity = \"${DIR}/id\"; keepalive_interval = 3600;");
	(void)open_channel();
	link_drain(link_, 90000, LINK_IDLE);
	rig_advance(60000); /* meanwhile it would have looked for one */
	link_start(link_);
	assert_state(LINK_UP);
	write_certificate(cert_path, 1, (uint64_t)clock_wall() + 86400 * 30);
	rig_advance(30000);
	assert_int_equal(expirings, 1);
}

static void test_draining_can_be_shortened(void **state)
{
	(void)state;
	make_up("");
	(void)open_channel();
	link_drain(link_, 5000, LINK_IDLE);
	link_drain(link_, 60000, LINK_IDLE);
	rig_advance(1000);
	assert_state(LINK_DRAINING);
	link_drain(link_, 0, LINK_IDLE);
	rig_advance(200);
	assert_state(LINK_IDLE);
}

static void test_a_draining_link_that_is_wanted_again_goes_on(void **state)
{
	(void)state;
	make_up("");
	(void)open_channel();
	link_drain(link_, 5000, LINK_IDLE);
	rig_advance(1000);
	link_start(link_);
	assert_state(LINK_UP);
	assert_non_null(up);
	rig_advance(20000);
	assert_state(LINK_UP);
	assert_int_equal(a_place->accepted, 1);
}

static void test_a_link_that_is_wanted_again_while_it_closes_is_made_anew(void **state)
{
	(void)state;
	make_up("");
	(void)open_channel();
	place_fall_silent(a_place); /* it answers no CLOSE */
	link_drain(link_, 0, LINK_IDLE);
	rig_advance(50);
	assert_state(LINK_DRAINING);
	link_start(link_);
	assert_state(LINK_DRAINING);
	rig_advance(2000);
	assert_state(LINK_UP);
	assert_int_equal(a_place->accepted, 2);
}

static void drain_in_callback(void)
{
	link_drain(link_, 0, LINK_IDLE);
}

static void test_who_hears_of_the_loss_may_give_the_link_up(void **state)
{
	(void)state;
	make_up("");
	rig_advance(2000);
	in_session_down = drain_in_callback;
	place_kill(a_place);
	rig_advance(60000);
	assert_state(LINK_IDLE);
	assert_int_equal(a_place->accepted, 1);
	assert_false(rig_log_has("bug"));
}

static void test_a_try_can_be_given_up_at_any_moment(void **state)
{
	(void)state;
	make("");
	for (int passes = 0; passes < 40; passes++) {
		link_start(link_);
		for (int i = 0; i < passes; i++)
			loop_pass(rig_loop, LOOP_NO_WAIT);
		link_drain(link_, 0, LINK_IDLE);
		rig_advance(200);
		assert_state(LINK_IDLE);
	}
	assert_false(rig_log_has("bug"));
	assert_int_equal(ups, downs);
}

static void test_freeing_calls_nobody(void **state)
{
	(void)state;
	make_up("");
	link_free(link_);
	link_ = NULL;
	rig_settle();
	assert_int_equal(downs, 0);
	assert_true(server_saw_end(place_last(a_place)));
}

static void test_bytes_are_counted_over_all_connections(void **state)
{
	(void)state;
	make_up("");
	struct link_bytes first = link_bytes(link_);
	rig_advance(2000);
	place_kill(a_place);
	rig_advance(0);
	assert_true(first.in > 500 && first.out > 500);
	assert_true(link_bytes(link_).in > first.in + 500);
	assert_true(link_bytes(link_).out > first.out + 500);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_nothing_happens_until_it_is_wanted),
	    TEST(test_it_walks_through_its_states_and_comes_up),
	    TEST(test_a_key_file_that_is_not_there_is_said_before_the_server_is_bothered),
	    TEST(test_a_refused_connection_is_tried_again_with_back_off_for_ever),
	    TEST(test_a_held_client_waits_no_more_than_a_second_for_the_next_try),
	    TEST(test_a_client_that_is_held_while_it_waits_shortens_the_wait),
	    TEST(test_a_refused_login_starts_slow_and_nobody_hurries_it),
	    TEST(test_why_a_key_file_was_of_no_use_is_in_the_reason),
	    TEST(test_a_file_that_was_skipped_is_in_the_reason),
	    TEST(test_a_key_that_was_accepted_stands_in_authorized_keys_already),
	    TEST(test_a_wrong_host_key_starts_slow),
	    TEST(test_a_server_that_says_nothing_is_given_up_after_connect_timeout),
	    TEST(test_a_login_that_is_never_answered_is_given_up_after_connect_timeout),
	    TEST(test_an_address_that_never_answers_is_given_up_after_connect_timeout),
	    TEST(test_a_connect_of_before_the_network_changed_is_begun_anew),
	    TEST(test_a_try_goes_on_with_the_snapshot_that_it_began_with),
	    TEST(test_a_name_is_resolved_again_at_every_try),
	    TEST(test_a_link_for_forwards_gives_up_the_right_to_commands),
	    TEST(test_it_comes_from_its_bind_address),
	    TEST(test_the_first_try_after_a_link_that_lived_is_at_once),
	    TEST(test_a_server_that_throws_us_out_at_once_is_not_hammered),
	    TEST(test_silence_of_the_server_ends_the_link_in_time),
	    TEST(test_a_living_link_takes_another_keepalive),
	    TEST(test_keepalive_that_changes_before_the_link_is_up_counts),
	    TEST(test_a_changed_network_finds_a_dead_link_by_its_own_deadline),
	    TEST(test_a_changed_network_leaves_a_living_link_alone),
	    TEST(test_a_changed_network_is_reason_to_try_now),
	    TEST(test_regular_ends_are_named),
	    TEST(test_irregular_ends_are_not),
	    TEST(test_a_server_that_drops_us_before_its_name_narrows_the_gate),
	    TEST(test_a_link_that_waits_is_woken_by_another_that_got_through),
	    TEST(test_an_unwanted_link_says_goodbye_and_is_idle),
	    TEST(test_streams_get_their_time_before_the_end),
	    TEST(test_streams_that_never_end_are_closed_before_the_disconnect),
	    TEST(test_one_that_is_wanted_again_still_notices_a_new_certificate),
	    TEST(test_draining_can_be_shortened),
	    TEST(test_draining_is_not_prolonged),
	    TEST(test_a_draining_link_that_is_wanted_again_goes_on),
	    TEST(test_a_link_that_is_wanted_again_while_it_closes_is_made_anew),
	    TEST(test_who_hears_of_the_loss_may_give_the_link_up),
	    TEST(test_a_try_can_be_given_up_at_any_moment),
	    TEST(test_freeing_calls_nobody),
	    TEST(test_bytes_are_counted_over_all_connections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
