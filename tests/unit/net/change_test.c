#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
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

/* ---- a kernel of the test's own, which says one thing at a time ---- */

static int kernel = -1; /* its end; -1: the real one is asked */
static bool kernel_overran;

/* In the places of the C library's. */
int socket(int domain, int type, int protocol)
{
	int pair[2];

	if (domain != AF_NETLINK || kernel != -2)
		return (int)syscall(SYS_socket, domain, type, protocol);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair), 0);
	kernel = pair[0];
	return pair[1];
}

int bind(int fd, const struct sockaddr *address, socklen_t size)
{
	if (address->sa_family == AF_NETLINK && kernel >= 0)
		return 0;
	return (int)syscall(SYS_bind, fd, address, size);
}

ssize_t recvfrom(
    int fd, void *buffer, size_t size, int flags, struct sockaddr *from, socklen_t *from_size)
{
	if (kernel_overran) {
		kernel_overran = false;
		errno = ENOBUFS;
		return -1;
	}
	return syscall(SYS_recvfrom, fd, buffer, size, flags, from, from_size);
}

static struct net_watch *watch_own_kernel(void)
{
	kernel = -2;
	return net_watch_new(loop, on_change, NULL);
}

static void leave_own_kernel(struct net_watch *watch)
{
	net_watch_free(watch);
	close(kernel);
	kernel = -1;
}

static void say(uint16_t type, const void *body, size_t size)
{
	_Alignas(struct nlmsghdr) char message[200] = {0};
	struct nlmsghdr *head = (struct nlmsghdr *)message;

	head->nlmsg_type = type;
	head->nlmsg_len = (uint32_t)NLMSG_LENGTH(size);
	memcpy(NLMSG_DATA(head), body, size);
	assert_int_equal(send(kernel, message, head->nlmsg_len, 0), head->nlmsg_len);
}

static void say_link(uint16_t type, int index, unsigned flags)
{
	say(type, &(struct ifinfomsg){.ifi_index = index, .ifi_flags = flags},
	    sizeof(struct ifinfomsg));
}

static void say_route(uint16_t type, unsigned flags)
{
	say(type, &(struct rtmsg){.rtm_flags = flags}, sizeof(struct rtmsg));
}

static void say_address(uint16_t type)
{
	say(type, &(struct ifaddrmsg){.ifa_family = AF_INET}, sizeof(struct ifaddrmsg));
}

/* What was said since the last time comes to one call, or none. */
static void assert_told(int wanted, enum net_change change)
{
	calls = 0;
	loop_fake_advance(loop, 0);
	loop_fake_advance(loop, 199);
	assert_int_equal(calls, 0);
	loop_fake_advance(loop, 1);
	assert_int_equal(calls, wanted);
	if (wanted)
		assert_string_equal(net_change_name(last), net_change_name(change));
}

static void test_each_change_is_told_by_itself(void **state)
{
	struct net_watch *watch = watch_own_kernel();

	(void)state;
	say_address(RTM_DELADDR);
	assert_told(1, NET_CHANGE_GONE);
	say_address(RTM_NEWADDR);
	assert_told(1, NET_CHANGE_CAME);
	say_route(RTM_DELROUTE, 0);
	assert_told(1, NET_CHANGE_GONE);
	say_route(RTM_NEWROUTE, 0);
	assert_told(1, NET_CHANGE_CAME);
	say_link(RTM_NEWLINK, 2, IFF_UP | IFF_RUNNING);
	assert_told(1, NET_CHANGE_CAME);
	say_link(RTM_NEWLINK, 2, IFF_UP); /* the cable was pulled */
	assert_told(1, NET_CHANGE_GONE);
	say_link(RTM_DELLINK, 2, 0);
	assert_told(1, NET_CHANGE_GONE);
	leave_own_kernel(watch);
}

static void test_what_goes_outweighs_what_comes(void **state)
{
	struct net_watch *watch = watch_own_kernel();

	(void)state;
	say_address(RTM_DELADDR);
	say_address(RTM_NEWADDR);
	assert_told(1, NET_CHANGE_GONE);
	leave_own_kernel(watch);
}

static void test_news_that_change_nothing_are_not_told(void **state)
{
	struct net_watch *watch = watch_own_kernel();

	(void)state;
	say_route(RTM_NEWROUTE, RTM_F_CLONED);
	say_route(RTM_DELROUTE, RTM_F_CLONED);
	say(RTM_NEWNEIGH, "", 0);
	say(RTM_DELROUTE, "", 0); /* cut short */
	say(RTM_NEWLINK, "", 0);
	assert_told(0, NET_CHANGE_GONE);
	say_link(RTM_NEWLINK, 2, IFF_UP | IFF_RUNNING);
	assert_told(1, NET_CHANGE_CAME);
	say_link(RTM_NEWLINK, 2, IFF_UP | IFF_RUNNING | IFF_PROMISC);
	assert_told(0, NET_CHANGE_GONE);
	leave_own_kernel(watch);
}

/* Its name stands where a netlink address has the number of the process. */
static void test_other_processes_are_not_believed(void **state)
{
	struct net_watch *watch = watch_own_kernel();
	const struct sockaddr_un other = {.sun_family = AF_UNIX, .sun_path = "\0not-the-kernel"};

	(void)state;
	assert_int_equal(bind(kernel, (const struct sockaddr *)&other, sizeof(other)), 0);
	say_address(RTM_DELADDR);
	assert_told(0, NET_CHANGE_GONE);
	leave_own_kernel(watch);
}

static void test_when_more_came_than_was_kept_everything_is_looked_at(void **state)
{
	struct net_watch *watch = watch_own_kernel();

	(void)state;
	kernel_overran = true;
	say(RTM_NEWNEIGH, "", 0);
	assert_told(1, NET_CHANGE_GONE);
	leave_own_kernel(watch);
}

/* ---- the real one ---- */

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
	    cmocka_unit_test_setup_teardown(test_each_change_is_told_by_itself, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_what_goes_outweighs_what_comes, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_news_that_change_nothing_are_not_told, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_other_processes_are_not_believed, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_when_more_came_than_was_kept_everything_is_looked_at, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_changes_that_never_cease_are_told_all_the_same, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_addresses_that_come_and_go_are_noticed_once_a_burst, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
