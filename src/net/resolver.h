/*
 * Names to addresses without blocking: /etc/hosts and DNS as in /etc/resolv.conf (libevent's evdns), both read again when
 * they changed. One resolver serves a whole process.
 */
#ifndef ADIT_NET_RESOLVER_H
#define ADIT_NET_RESOLVER_H

#include "base/loop.h"
#include "net/addr.h"

struct resolver;
struct resolver_request;

/* The files are parameters for tests; NULL is the usual place. */
struct resolver *resolver_new(struct loop *loop, const char *resolv_conf, const char *hosts);
/* Requests must be gone. NULL is legal. */
void resolver_free(struct resolver *resolver);

/* count > 0 and e not set, or count 0 and e set (ERR_NETWORK, "no such name", "no answer from the name servers 192.0.2.53").
 * The addresses are in RFC 6724's order as far as it can be told, and borrowed; at most RESOLVER_ADDRS_MAX. */
#define RESOLVER_ADDRS_MAX 32
typedef void resolver_callback(
    void *arg, const struct addr *addrs, size_t count, const struct err *e);

/* A literal, "localhost" and names below it ask nobody. The callback comes from the loop, never from inside the call,
 * literals included; once, unless cancelled. */
struct resolver_request *resolver_lookup(
    struct resolver *resolver, const char *host, uint16_t port, resolver_callback *done, void *arg);
void resolver_cancel(struct resolver_request *request); /* NULL is legal */

#endif
