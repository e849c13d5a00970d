#include "net/change.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum {
	BURST_MS = 200, /* changes come in bursts: the address, its routes, the default route */
	SLEEP_CHECK_MS = 2000,
	SLEPT_MS = 1500 /* more than the two clocks drift between two looks */
};

struct net_watch {
	struct loop *loop;
	void (*on_change)(void *arg, enum net_change change);
	void *arg;
	int fd;
	struct event *readable;
	struct timer burst, sleep_check;
	bool gone, came;
	uint64_t slept_ms; /* CLOCK_BOOTTIME minus CLOCK_MONOTONIC, last seen */
};

const char *net_change_name(enum net_change change)
{
	switch (change) {
	case NET_CHANGE_GONE:
		return "gone";
	case NET_CHANGE_CAME:
		return "came";
	case NET_CHANGE_RESUMED:
		return "resumed";
	}
	return "";
}

static void note(struct net_watch *watch, const struct nlmsghdr *message)
{
	switch (message->nlmsg_type) {
	case RTM_DELADDR:
	case RTM_DELROUTE:
	case RTM_DELLINK:
		watch->gone = true;
		break;
	case RTM_NEWADDR:
	case RTM_NEWROUTE:
		watch->came = true;
		break;
	case RTM_NEWLINK: {
		const struct ifinfomsg *link = NLMSG_DATA(message);

		/* A cable that is pulled is a link without a carrier, not a link that is gone. */
		if (message->nlmsg_len >= NLMSG_LENGTH(sizeof(*link))) {
			if (link->ifi_flags & IFF_RUNNING)
				watch->came = true;
			else
				watch->gone = true;
		}
		break;
	}
	default:
		break;
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct net_watch *watch = arg;
	_Alignas(struct nlmsghdr) char buffer[16384];
	ssize_t n;

	(void)what;
	while ((n = recv(fd, buffer, sizeof(buffer), 0)) > 0) {
		size_t left = (size_t)n;

		for (struct nlmsghdr *message = (struct nlmsghdr *)buffer; NLMSG_OK(message, left);
		     message = NLMSG_NEXT(message, left))
			note(watch, message);
	}
	/* More came than the kernel keeps for us: whatever it was, look at everything. */
	if (n < 0 && errno == ENOBUFS)
		watch->gone = true;
	if (watch->gone || watch->came)
		timer_start(&watch->burst, BURST_MS);
}

static void on_burst_end(void *arg)
{
	struct net_watch *watch = arg;
	enum net_change change = watch->gone ? NET_CHANGE_GONE : NET_CHANGE_CAME;

	watch->gone = watch->came = false;
	watch->on_change(watch->arg, change);
}

static uint64_t slept_so_far_ms(void)
{
	uint64_t boot = clock_boot_ms(), mono = clock_now_ms();

	return boot > mono ? boot - mono : 0;
}

static void on_sleep_check(void *arg)
{
	struct net_watch *watch = arg;
	uint64_t slept = slept_so_far_ms();
	bool resumed = slept > watch->slept_ms + SLEPT_MS;

	watch->slept_ms = slept;
	timer_start(&watch->sleep_check, SLEEP_CHECK_MS);
	if (resumed)
		watch->on_change(watch->arg, NET_CHANGE_RESUMED);
}

static int open_netlink(void)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK,
	    .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE |
			 RTMGRP_IPV6_ROUTE};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

struct net_watch *net_watch_new(
    struct loop *loop, void (*on_change)(void *arg, enum net_change change), void *arg)
{
	struct net_watch *watch = NEW(struct net_watch);

	watch->loop = loop;
	watch->on_change = on_change;
	watch->arg = arg;
	watch->slept_ms = slept_so_far_ms();
	timer_init(&watch->burst, loop, on_burst_end, watch);
	timer_init(&watch->sleep_check, loop, on_sleep_check, watch);
	timer_start(&watch->sleep_check, SLEEP_CHECK_MS);
	watch->fd = open_netlink();
	if (watch->fd < 0) {
		log_warning(NULL, "no-network-watch", "reason=%s", strerror(errno));
		return watch;
	}
	watch->readable =
	    event_new(loop_base(loop), watch->fd, EV_READ | EV_PERSIST, on_readable, watch);
	event_add(watch->readable, NULL);
	return watch;
}

void net_watch_free(struct net_watch *watch)
{
	if (!watch)
		return;
	timer_stop(&watch->burst);
	timer_stop(&watch->sleep_check);
	if (watch->readable)
		event_free(watch->readable);
	if (watch->fd >= 0)
		close(watch->fd);
	free(watch);
}
