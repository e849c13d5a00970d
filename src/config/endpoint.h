/*
 * Where to listen and where to go, as text: "host:port", "port", "[::1]:port", "*:port",
 * "unix:PATH", "systemd:NAME"; "[unix]:port" for a host of such a name.
 */
#ifndef ADIT_CONFIG_ENDPOINT_H
#define ADIT_CONFIG_ENDPOINT_H

#include "config/config.h"

/* What the text is for decides what it may be. "Near" is this machine, "far" the SSH server's. */
enum endpoint_role {
	ENDPOINT_LISTEN_NEAR, /* any form */
	ENDPOINT_LISTEN_FAR,  /* not systemd's */
	ENDPOINT_TO_NEAR,     /* a host or a socket; a port that is not 0 */
	ENDPOINT_TO_FAR
};

/* A near path is expanded and may be relative to dir; a far one must be absolute. Fills ret, which
 * the caller clears, or returns ERR_CONFIG with e. */
int endpoint_parse(const char *text, enum endpoint_role role, const char *dir,
    struct config_endpoint *ret_endpoint, struct err *e) MUST_CHECK;
/* The same of a TCP endpoint whose parts are known: host without brackets, port as digits. text is what a message calls it. */
int endpoint_parse_tcp(const char *text, const char *host, const char *port,
    enum endpoint_role role, struct config_endpoint *ret_endpoint, struct err *e) MUST_CHECK;

/* Whether a socket can have that path. */
int endpoint_check_socket_path(const char *path, struct err *e) MUST_CHECK;

/* Of a host that is known to be good, and without brackets. */
struct config_endpoint endpoint_tcp(const char *host, uint16_t port);
struct config_endpoint endpoint_unix(const char *path);

void endpoint_clear(struct config_endpoint *endpoint);
struct config_endpoint endpoint_copy(const struct config_endpoint *endpoint);
bool endpoint_equal(const struct config_endpoint *a, const struct config_endpoint *b);

/* A name or an address without brackets, as it may stand before a port. */
bool endpoint_host_is_valid(const char *host);
/* What this machine listens on: an address, "localhost", "*". Names are not looked up. */
bool endpoint_can_listen_near(const char *host);
/* 127.0.0.0/8, ::1, "localhost" */
bool endpoint_is_loopback(const struct config_endpoint *endpoint);
/* A copy in the one spelling of all that mean the same: addresses as inet_ntop() has them, names in lower
 * case, paths without "//" and "."; ".." stays, since behind a link it leads elsewhere. */
struct config_endpoint endpoint_normal(const struct config_endpoint *endpoint);
/* The same of one on this machine, where links and ".." can be followed. */
struct config_endpoint endpoint_normal_here(const struct config_endpoint *endpoint);
/* "*", "0.0.0.0", "::", "localhost": addresses that stand for several, of a normal one; only those overlap with another. */
enum { ENDPOINT_WIDE_MAX = 4 };
bool endpoint_is_wide(const struct config_endpoint *endpoint);
/* Whether both, which are normal, cannot be listened on at once, by one machine. Port 0 never collides. */
bool endpoint_overlap(const struct config_endpoint *a, const struct config_endpoint *b);

#endif
