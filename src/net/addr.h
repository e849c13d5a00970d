/*
 * Addresses as values, and places to connect to or listen on.
 */
#ifndef ADIT_NET_ADDR_H
#define ADIT_NET_ADDR_H

#include <sys/socket.h>
#include <sys/un.h>

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* length 0 is "none". */
struct addr {
	union {
		struct sockaddr sa;
		struct sockaddr_storage storage;
		struct sockaddr_un un;
	};
	socklen_t length;
};

#define ADDR_TEXT_MAX 160
/* "192.0.2.1:22", "[2001:db8::1]:22", "unix:/run/x" (an unnamed peer: "unix:", an abstract name: "unix:@x") */
const char *addr_text(const struct addr *a, char text[ADDR_TEXT_MAX]);
/* Without port: "192.0.2.1", "2001:db8::1"; "" for a Unix address. */
const char *addr_host_text(const struct addr *a, char text[ADDR_TEXT_MAX]);
uint16_t addr_port(const struct addr *a);
bool addr_equal(const struct addr *a, const struct addr *b);
bool addr_is_loopback(const struct addr *a); /* a Unix address is */
/* A literal IPv4 or IPv6 address (with %zone); false when it is a name. */
bool addr_from_literal(const char *host, uint16_t port, struct addr *ret_addr);
int addr_from_path(
    const char *path, struct addr *ret_addr, struct err *e) MUST_CHECK; /* too long: ERR_CONFIG */
/* IPv4-mapped IPv6 addresses become IPv4, so that access lists mean what they say. */
void addr_unmap(struct addr *a);

/* A block "10.0.0.0/8", "2001:db8::/32", or a single address. Bits behind the prefix must be 0: who writes "10.1.2.3/8" means
 * something else than it says. A block of IPv4-mapped addresses is one of IPv4. */
struct cidr {
	int family;
	uint8_t bytes[16];
	unsigned bits;
};
bool cidr_from_text(const char *text, struct cidr *ret_cidr);
bool cidr_has(const struct cidr *c, const struct addr *a);

/* A place: a name (or literal) and port, or the path of a Unix socket. A value that borrows its strings. */
struct endpoint {
	const char *host; /* NULL when path is set. For listening: "*" or "" is every address */
	uint16_t port;
	const char *path; /* NULL for TCP */
};
#define ENDPOINT_TEXT_MAX 320
/* "db.internal:5432", "[::1]:22", "*:80", "unix:/run/x" */
const char *endpoint_text(const struct endpoint *e, char text[ENDPOINT_TEXT_MAX]);

#endif
