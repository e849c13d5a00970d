/*
 * In which order a name's addresses are tried: RFC 6724 §6, rules 1, 5, 6 and 10, which are those that matter between
 * an IPv4 and an IPv6 address, or a unique local and a global one.
 */
#ifndef ADIT_NET_ADDR_ORDER_H
#define ADIT_NET_ADDR_ORDER_H

#include <stddef.h>

#include "net/addr.h"

/* Sorts, stable. Asks the kernel's routing table what source address each would get; sends nothing. */
void addr_order(struct addr *addrs, size_t count);

#endif
