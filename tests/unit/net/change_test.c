#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/change.h"

static struct loop *loop;
static int calls;
static enum net_change last;

static void on_change(void *arg, enum net_change change)
{
	(void)arg;
	calls++;
	last = change;
}

static int setup(void **state)
{
	(void)state;
	calls = 0;
	clock_fake_start(1000000, 1700000000);
	loop = loop_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	loop_free(loop);
	clock_fake_stop();
	return 0;
}

static void test_a_suspend_is_noticed(void **state)
{
	struct net_watch *watch = net_watch_new(loop, on_change, NULL);

	(void)state;
	loop_fake_advance(loop, 10000);
	assert_int_equal(calls, 0);
	clock_fake_suspend(60000);
	loop_fake_advance(loop, 2000);
	assert_int_equal(calls, 1);
	assert_int_equal(last, NET_CHANGE_RESUMED);
	loop_fake_advance(loop, 60000);
	assert_int_equal(calls, 1);
	net_watch_free(watch);
}

static void test_a_process_that_was_stopped_hears_of_it_as_of_a_suspend(void **state)
{
	struct net_watch *watch = net_watch_new(loop, on_change, NULL);

	(void)state;
	loop_fake_advance(loop, 10000);
	clock_fake_advance(60000); /* and nobody looked */
	loop_fake_advance(loop, 2000);
	assert_int_equal(calls, 1);
	assert_int_equal(last, NET_CHANGE_RESUMED);
	loop_fake_advance(loop, 60000);
	assert_int_equal(calls, 1);
	net_watch_free(watch);
}

static void set_loopback(short flags)
{
	struct ifreq request = {.ifr_flags = flags};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	strcpy(request.ifr_name, "lo");
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
	close(fd);
}

static void wait_for(int wanted)
{
	for (int i = 0; i < 1000 && calls < wanted; i++)
		loop_fake_advance(loop, 50);
}

static void test_addresses_that_come_and_go_are_noticed_once_a_burst(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNET) < 0)
		skip(); /* needs the right to make a network namespace */
	struct net_watch *watch = net_watch_new(loop, on_change, NULL);
	set_loopback(IFF_UP | IFF_RUNNING);
	wait_for(1);
	assert_int_equal(calls, 1);
	assert_int_equal(last, NET_CHANGE_CAME);
	set_loopback(0);
	wait_for(2);
	assert_int_equal(calls, 2);
	assert_int_equal(last, NET_CHANGE_GONE);
	net_watch_free(watch);
}

static void test_changes_that_never_cease_are_told_all_the_same(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNET) < 0)
		skip();
	struct net_watch *watch = net_watch_new(loop, on_change, NULL);
	for (int i = 0; i < 20; i++) {
		set_loopback(i % 2 ? 0 : IFF_UP | IFF_RUNNING);
		loop_fake_advance(loop, 100);
	}
	assert_in_range(calls, 5, 10);
	net_watch_free(watch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_a_suspend_is_noticed, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_a_process_that_was_stopped_hears_of_it_as_of_a_suspend, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_changes_that_never_cease_are_told_all_the_same, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_addresses_that_come_and_go_are_noticed_once_a_burst, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
