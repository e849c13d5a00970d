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
#include "base/map.h"
#include "base/mem.h"

enum {
	BURST_MS = 200, /* changes come in bursts: the address, its routes, the default route */
	SLEEP_CHECK_MS = 2000,
	SLEPT_MS =
	    1500 /* more than the two clocks drift between two looks, or a busy loop is late */
};

/* Of an interface, as the kernel said last. Values of a map, so never NULL. */
static char is_running, is_not_running;

struct net_watch {
	struct loop *loop;
	void (*on_change)(void *arg, enum net_change change);
	void *arg;
	int fd;
	struct event *readable;
	struct timer burst, sleep_check;
	bool gone, came;
	struct map *interfaces;
	uint64_t slept_ms;  /* CLOCK_BOOTTIME minus CLOCK_MONOTONIC, last seen */
	uint64_t looked_ms; /* when that was */
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

/* A cable that is pulled is a link without a carrier, not a link that is gone. Wireless drivers tell of much else. */
static void note_link(struct net_watch *watch, const struct nlmsghdr *message)
{
	const struct ifinfomsg *link = NLMSG_DATA(message);

	if (message->nlmsg_len < NLMSG_LENGTH(sizeof(*link)))
		return;
	char *now = link->ifi_flags & IFF_RUNNING ? &is_running : &is_not_running;
	const char *before = map_put_u32(watch->interfaces, (uint32_t)link->ifi_index, now);

	if (before == now)
		return;
	if (now == &is_running)
		watch->came = true;
	else
		watch->gone = true;
}

/* What the kernel only remembers of a path is no change of one. */
static bool is_real_route(const struct nlmsghdr *message)
{
	const struct rtmsg *route = NLMSG_DATA(message);

	return message->nlmsg_len >= NLMSG_LENGTH(sizeof(*route)) &&
	       !(route->rtm_flags & RTM_F_CLONED);
}

static void note(struct net_watch *watch, const struct nlmsghdr *message)
{
	switch (message->nlmsg_type) {
	case RTM_DELADDR:
		watch->gone = true;
		break;
	case RTM_NEWADDR:
		watch->came = true;
		break;
	case RTM_DELROUTE:
		watch->gone |= is_real_route(message);
		break;
	case RTM_NEWROUTE:
		watch->came |= is_real_route(message);
		break;
	case RTM_NEWLINK:
		note_link(watch, message);
		break;
	case RTM_DELLINK: {
		const struct ifinfomsg *link = NLMSG_DATA(message);

		watch->gone = true;
		if (message->nlmsg_len >= NLMSG_LENGTH(sizeof(*link)))
			(void)map_remove_u32(watch->interfaces, (uint32_t)link->ifi_index);
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
	struct sockaddr_nl from = {0};
	socklen_t from_size = sizeof(from);
	ssize_t n;

	(void)what;
	while ((n = recvfrom(fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&from, &from_size)) >
	       0) {
		size_t left = (size_t)n;

		/* Another process may write here, too. */
		if (from.nl_pid != 0)
			continue;
		for (struct nlmsghdr *message = (struct nlmsghdr *)buffer; NLMSG_OK(message, left);
		     message = NLMSG_NEXT(message, left))
			note(watch, message);
	}
	/* More came than the kernel keeps for us: whatever it was, look at everything. */
	if (n < 0 && errno == ENOBUFS)
		watch->gone = true;
	/* From the first: where changes never cease, each burst has an end. */
	if ((watch->gone || watch->came) && !timer_is_running(&watch->burst))
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
	uint64_t now = clock_now_ms();
	bool resumed = slept > watch->slept_ms + SLEPT_MS;

	/* Only this process was stopped: for its connections it is the same. */
	if (now > watch->looked_ms + SLEEP_CHECK_MS + SLEPT_MS)
		resumed = true;
	watch->slept_ms = slept;
	watch->looked_ms = now;
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
	watch->looked_ms = clock_now_ms();
	watch->interfaces = map_new();
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
	map_free(watch->interfaces);
	free(watch);
}
