/*
 * What systemd is asked to keep, and when it is told to let go.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "admin/fdstore.h"
#include "base/clock.h"
#include "base/log.h"
#include "scene.h"

static const char config_text[] =
    "hosts: { h: { address = \"127.0.0.1\"; }; };\n"
    "tunnels: {\n"
    "  one: { via = \"h\"; local = \"unix:@/one\"; to = \"db:1\"; connect = \"on-demand\"; };\n"
    "  two: { via = \"h\"; local = \"unix:@/two\"; to = \"db:2\"; connect = \"on-demand\"; };\n"
    "};\n";

static struct scene scene;
static struct notify *notify;
static struct fdstore *fdstore;
static int systemd_fd;

static void swallow(void *arg, enum log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

static void on_change(void *arg)
{
	(void)arg;
	fdstore_changed(fdstore);
}

static int setup(void **state)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char name[64];
	int n = snprintf(name, sizeof(name), "@adit-fdstore-test-%d", (int)getpid());

	(void)state;
	systemd_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	memcpy(at.sun_path + 1, name + 1, (size_t)n - 1);
	assert_int_equal(bind(systemd_fd, (struct sockaddr *)&at,
			     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n)),
	    0);
	setenv("NOTIFY_SOCKET", name, 1);
	clock_fake_start(1000, 1700000000);
	log_set_sink(swallow, NULL);
	scene_init(&scene, config_text);
	notify = notify_new(scene.loop);
	fdstore = fdstore_new(scene.loop, notify, scene.manager);
	scene.on_change = on_change;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scene.on_change = NULL;
	fdstore_free(fdstore);
	notify_free(notify);
	scene_clear(&scene);
	log_set_sink(NULL, NULL);
	clock_fake_stop();
	close(systemd_fd);
	return 0;
}

/* What systemd was told next: its first line and the end of the name; "" for nothing. */
static const char *heard(void)
{
	static char text[512];
	ssize_t n = recv(systemd_fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void assert_heard(const char *verb, const char *end)
{
	const char *text = heard();

	assert_int_equal(strncmp(text, verb, strlen(verb)), 0);
	assert_true(strlen(text) > strlen(end));
	assert_string_equal(text + strlen(text) - strlen(end), end);
}

static void turn(void)
{
	for (int i = 0; i < 4; i++)
		loop_pass(scene.loop, LOOP_NO_WAIT);
}

static void test_listeners_that_came_are_stored_in_one_look(void **state)
{
	(void)state;
	fdstore_changed(fdstore);
	turn();
	assert_string_equal(heard(), "");
	loop_fake_advance(scene.loop, 200);
	assert_heard("FDSTORE=1\n", "one");
	assert_heard("FDSTORE=1\n", "two");
	assert_string_equal(heard(), "");
	fdstore_changed(fdstore);
	loop_fake_advance(scene.loop, 1000);
	assert_string_equal(heard(), "");
}

static void store_both(void)
{
	fdstore_changed(fdstore);
	loop_fake_advance(scene.loop, 200);
	assert_heard("FDSTORE=1\n", "one");
	assert_heard("FDSTORE=1\n", "two");
}

static void test_a_listener_that_went_is_let_go_at_once(void **state)
{
	struct tunnel *one = manager_find_tunnel(scene.manager, "one");

	(void)state;
	store_both();
	tunnel_stop(one, 0);
	turn();
	assert_heard("FDSTOREREMOVE=1\n", "one");
	assert_string_equal(heard(), "");
	tunnel_start(one);
	loop_fake_advance(scene.loop, 1000);
	assert_heard("FDSTORE=1\n", "one");
	assert_string_equal(heard(), "");
}

/* The copy of the old one must not stand beside that of the new one: clients would come to both. */
static void test_a_listener_that_was_replaced_in_a_moment_is_stored_alone(void **state)
{
	struct tunnel *one = manager_find_tunnel(scene.manager, "one");

	(void)state;
	store_both();
	tunnel_stop(one, 0);
	tunnel_start(one);
	loop_fake_advance(scene.loop, 1000);
	assert_heard("FDSTOREREMOVE=1\n", "one");
	assert_heard("FDSTORE=1\n", "one");
	assert_string_equal(heard(), "");
}

/* Nobody comes back to a port that was any. */
static void test_a_port_that_was_not_chosen_is_not_stored(void **state)
{
	(void)state;
	scene_reload(&scene,
	    "hosts: { h: { address = \"127.0.0.1\"; }; };\n"
	    "tunnels: { any: { via = \"h\"; local = \"127.0.0.1:0\"; to = \"db:1\"; "
	    "connect = \"on-demand\"; }; };\n");
	fdstore_changed(fdstore);
	loop_fake_advance(scene.loop, 200);
	assert_string_equal(heard(), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		test_listeners_that_came_are_stored_in_one_look, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_a_listener_that_went_is_let_go_at_once, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_a_listener_that_was_replaced_in_a_moment_is_stored_alone, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_a_port_that_was_not_chosen_is_not_stored, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
