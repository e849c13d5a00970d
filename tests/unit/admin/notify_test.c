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
#include <sys/un.h>
#include <unistd.h>

#include "admin/notify.h"
#include "base/clock.h"

/* systemd's end of the socket, in the abstract namespace so that no file is left. */
static int manager_fd;
static struct loop *loop;

static int setup(void **state)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char name[64];

	(void)state;
	manager_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	int n = snprintf(name, sizeof(name), "@adit-notify-test-%d", (int)getpid());
	memcpy(at.sun_path, name, (size_t)n);
	at.sun_path[0] = '\0';
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n);
	assert_int_equal(bind(manager_fd, (struct sockaddr *)&at, length), 0);
	setenv("NOTIFY_SOCKET", name, 1);
	clock_fake_start(1000000, 1700000000);
	loop = loop_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	loop_free(loop);
	clock_fake_stop();
	close(manager_fd);
	return 0;
}

/* What systemd was told next, or "". ret_fd: a descriptor that came along, or -1. */
static const char *heard(int *ret_fd)
{
	static char text[512];
	char control[CMSG_SPACE(sizeof(int) * 4)];
	struct iovec iov = {.iov_base = text, .iov_len = sizeof(text) - 1};
	struct msghdr message = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(manager_fd, &message, 0);

	if (ret_fd)
		*ret_fd = -1;
	text[n > 0 ? n : 0] = '\0';
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
	if (c && c->cmsg_type == SCM_RIGHTS && ret_fd)
		memcpy(ret_fd, CMSG_DATA(c), sizeof(*ret_fd));
	return text;
}

static void test_ready_is_said_once(void **state)
{
	struct notify *n = notify_new(loop);

	(void)state;
	notify_ready(n);
	notify_ready(n);
	assert_string_equal(heard(NULL), "READY=1");
	assert_string_equal(heard(NULL), "");
	notify_free(n);
}

static void test_a_reload_says_when_it_began_and_ends_with_ready(void **state)
{
	struct notify *n = notify_new(loop);

	(void)state;
	notify_ready(n);
	heard(NULL);
	notify_reloading(n);
	assert_string_equal(heard(NULL), "RELOADING=1\nMONOTONIC_USEC=1000000000");
	notify_reloaded(n);
	assert_string_equal(heard(NULL), "READY=1");
	notify_reloaded(n);
	assert_string_equal(heard(NULL), "");
	notify_free(n);
}

static void test_a_reload_before_all_is_ready_says_nothing(void **state)
{
	struct notify *n = notify_new(loop);

	(void)state;
	notify_reloading(n);
	notify_reloaded(n);
	assert_string_equal(heard(NULL), "");
	notify_ready(n);
	assert_string_equal(heard(NULL), "READY=1");
	notify_free(n);
}

static void test_a_status_is_said_when_it_changed(void **state)
{
	struct notify *n = notify_new(loop);

	(void)state;
	notify_status(n, "1 of 2 tunnels up");
	notify_status(n, "1 of 2 tunnels up");
	notify_status(n, "2 of 2 tunnels up");
	assert_string_equal(heard(NULL), "STATUS=1 of 2 tunnels up");
	assert_string_equal(heard(NULL), "STATUS=2 of 2 tunnels up");
	assert_string_equal(heard(NULL), "");
	notify_free(n);
}

/* The kernel keeps some messages for it (net.unix.max_dgram_qlen), and then nothing more goes in. */
static void test_a_manager_that_does_not_read_stops_nothing_and_misses_nothing(void **state)
{
	struct notify *n = notify_new(loop);
	int pipe_ends[2], fd = -1;
	int other = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	struct sockaddr_un at;
	socklen_t length = sizeof(at);

	(void)state;
	assert_int_equal(getsockname(manager_fd, (struct sockaddr *)&at, &length), 0);
	while (sendto(other, "x", 1, 0, (struct sockaddr *)&at, length) == 1)
		;
	assert_int_equal(pipe(pipe_ends), 0);
	notify_status(n, "1 of 2 tunnels up");
	notify_store_fds(n, "x", pipe_ends, 1);
	close(pipe_ends[0]);
	notify_ready(n);
	loop_fake_advance(loop, 1000);
	while (*heard(NULL))
		;
	notify_status(n, "2 of 2 tunnels up"); /* behind the others */
	assert_string_equal(heard(NULL), "");
	loop_fake_advance(loop, 200);
	assert_string_equal(heard(NULL), "STATUS=1 of 2 tunnels up");
	assert_string_equal(heard(&fd), "FDSTORE=1\nFDPOLL=0\nFDNAME=listener-x");
	assert_true(fd >= 0);
	assert_string_equal(heard(NULL), "READY=1");
	assert_string_equal(heard(NULL), "STATUS=2 of 2 tunnels up");
	close(fd);
	close(pipe_ends[1]);
	close(other);
	notify_free(n);
}

static void test_stopping_and_more_time_are_said(void **state)
{
	struct notify *n = notify_new(loop);

	(void)state;
	notify_stopping(n);
	notify_extend_timeout(n, 30000);
	assert_string_equal(heard(NULL), "STOPPING=1");
	assert_string_equal(heard(NULL), "EXTEND_TIMEOUT_USEC=30000000");
	notify_free(n);
}

static void test_the_watchdog_is_fed_at_half_its_time(void **state)
{
	(void)state;
	setenv("WATCHDOG_USEC", "10000000", 1);
	struct notify *n = notify_new(loop);
	loop_fake_advance(loop, 4999);
	assert_string_equal(heard(NULL), "");
	loop_fake_advance(loop, 1);
	assert_string_equal(heard(NULL), "WATCHDOG=1");
	loop_fake_advance(loop, 5000);
	assert_string_equal(heard(NULL), "WATCHDOG=1");
	notify_free(n);
}

static void test_a_watchdog_for_another_process_is_not_ours(void **state)
{
	(void)state;
	setenv("WATCHDOG_USEC", "10000000", 1);
	setenv("WATCHDOG_PID", "1", 1);
	struct notify *n = notify_new(loop);
	loop_fake_advance(loop, 20000);
	assert_string_equal(heard(NULL), "");
	notify_free(n);
}

static void test_the_environment_is_not_inherited_further(void **state)
{
	struct notify *n = notify_new(loop);

	(void)state;
	assert_null(getenv("NOTIFY_SOCKET"));
	notify_free(n);
}

static void test_a_listener_goes_to_the_store_under_its_name(void **state)
{
	struct notify *n = notify_new(loop);
	int fds[1], copy;

	(void)state;
	fds[0] = socket(AF_UNIX, SOCK_STREAM, 0);
	/* systemd takes no colons and nothing but printable ASCII. */
	notify_store_fds(n, "[::1]:5432", fds, 1);
	assert_string_equal(heard(&copy), "FDSTORE=1\nFDPOLL=0\nFDNAME=listener-[%3A%3A1]%3A5432");
	assert_true(copy >= 0);
	close(copy);
	notify_drop_fds(n, "[::1]:5432");
	assert_string_equal(heard(NULL), "FDSTOREREMOVE=1\nFDNAME=listener-[%3A%3A1]%3A5432");
	notify_store_fds(n, "unix:/a b\n%\xc3\xa4", fds, 1);
	assert_string_equal(
	    heard(&copy), "FDSTORE=1\nFDPOLL=0\nFDNAME=listener-unix%3A/a%20b%0A%25%C3%A4");
	close(copy);
	close(fds[0]);
	notify_free(n);
}

static void test_a_name_that_is_too_long_is_not_stored(void **state)
{
	struct notify *n = notify_new(loop);
	char name[400];
	int fds[1] = {manager_fd};

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	notify_store_fds(n, name, fds, 1);
	notify_drop_fds(n, name);
	assert_string_equal(heard(NULL), "");
	assert_int_equal(notify_take_fds(n, name, fds, 1), 0);
	notify_free(n);
}

/* Puts a socket at descriptor 3, as systemd would; gives back what was there. */
static int occupy_first_fd(void)
{
	int saved = fcntl(3, F_DUPFD, 64);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd != 3) {
		dup2(fd, 3);
		close(fd);
	}
	return saved;
}

/* As if systemd had passed one socket of that name. Returns what inherit_end() wants. */
static int inherit_begin(const char *name)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_FDNAMES", name, 1);
	/* The loop's own descriptors may stand at 3. */
	loop_free(loop);
	int saved = occupy_first_fd();
	if (manager_fd == 3)
		manager_fd = saved;
	loop = loop_new();
	return saved;
}

static void inherit_end(int saved)
{
	close(3);
	if (saved < 0)
		return;
	dup2(saved, 3);
	if (manager_fd == saved)
		manager_fd = 3;
	close(saved);
}

static void test_a_unit_s_sockets_are_given_by_name_and_again(void **state)
{
	int fds[2], saved = inherit_begin("web");
	struct notify *n = notify_new(loop);

	(void)state;
	assert_int_equal(notify_take_fds(n, "db", fds, 2), 0);
	notify_drop_leftovers(n); /* a unit's socket is none */
	assert_int_equal(notify_take_fds(n, "web", fds, 2), 1);
	assert_true(fcntl(3, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
	close(fds[0]); /* its forward was stopped */
	assert_int_equal(notify_take_fds(n, "web", fds, 2), 1);
	close(fds[0]);
	notify_free(n);
	assert_int_equal(fcntl(3, F_GETFD), -1);
	inherit_end(saved);
}

static void test_what_was_stored_is_taken_by_the_listeners_text(void **state)
{
	int fds[2], saved = inherit_begin("listener-127.0.0.1%3A5432");
	struct notify *n = notify_new(loop);

	(void)state;
	assert_int_equal(notify_take_fds(n, "127.0.0.1:543", fds, 2), 0);
	assert_int_equal(notify_take_fds(n, "127.0.0.1:5432", fds, 2), 1);
	assert_int_equal(fds[0], 3);
	assert_int_equal(notify_take_fds(n, "127.0.0.1:5432", fds, 2), 0);
	notify_drop_leftovers(n);
	assert_string_equal(heard(NULL), "");
	notify_free(n);
	inherit_end(saved);
}

static void test_what_was_stored_and_nobody_takes_is_closed_here_and_there(void **state)
{
	int fds[2], saved = inherit_begin("listener-127.0.0.1%3A5432");
	struct notify *n = notify_new(loop);

	(void)state;
	notify_drop_leftovers(n);
	assert_string_equal(heard(NULL), "FDSTOREREMOVE=1\nFDNAME=listener-127.0.0.1%3A5432");
	assert_int_equal(fcntl(3, F_GETFD), -1);
	assert_int_equal(notify_take_fds(n, "127.0.0.1:5432", fds, 2), 0);
	notify_free(n);
	inherit_end(saved);
}

static void test_without_systemd_nothing_happens(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	struct notify *n = notify_new(loop);
	notify_ready(n);
	notify_status(n, "up");
	assert_string_equal(heard(NULL), "");
	notify_free(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_ready_is_said_once, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_a_reload_says_when_it_began_and_ends_with_ready, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_a_reload_before_all_is_ready_says_nothing, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_a_name_that_is_too_long_is_not_stored, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_what_was_stored_is_taken_by_the_listeners_text, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_what_was_stored_and_nobody_takes_is_closed_here_and_there, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_status_is_said_when_it_changed, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_a_manager_that_does_not_read_stops_nothing_and_misses_nothing, setup,
		teardown),
	    cmocka_unit_test_setup_teardown(test_stopping_and_more_time_are_said, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_the_watchdog_is_fed_at_half_its_time, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_a_watchdog_for_another_process_is_not_ours, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_the_environment_is_not_inherited_further, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_a_listener_goes_to_the_store_under_its_name, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_a_unit_s_sockets_are_given_by_name_and_again, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_without_systemd_nothing_happens, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
