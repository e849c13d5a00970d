/*
 * Notices that the network under us changed: an address, a link or a route came or went (rtnetlink(7)), or the machine slept
 * (CLOCK_BOOTTIME ran ahead of CLOCK_MONOTONIC), or this process was stopped for a while. Connections that looked alive may be
 * dead then.
 */
#ifndef ADIT_NET_CHANGE_H
#define ADIT_NET_CHANGE_H

#include "base/loop.h"

enum net_change {
	NET_CHANGE_GONE, /* an address, a route or a link went: what went through it may be dead */
	NET_CHANGE_CAME, /* one came: what could not be reached may be reachable now */
	NET_CHANGE_RESUMED /* the machine slept, or the process was stopped */
};
const char *net_change_name(enum net_change change); /* "gone", "came", "resumed" */

struct net_watch;

/* The callback comes from the loop, a moment after the first of a burst of changes, with the most serious of them. Without
 * rtnetlink (a sandbox forbids it) only suspends are noticed, and the log says so once. */
struct net_watch *net_watch_new(
    struct loop *loop, void (*on_change)(void *arg, enum net_change change), void *arg);
void net_watch_free(struct net_watch *watch); /* NULL is legal */

#endif
