/*
 * Channels to a place that the server connects to: direct-tcpip (RFC 4254 §7.2), and direct-streamlocal@openssh.com for Unix sockets
 * (PROTOCOL §2.4).
 */
#ifndef ADIT_SSH_DIRECT_H
#define ADIT_SSH_DIRECT_H

#include "ssh/session.h"

struct direct_target {
	const char *path; /* of a Unix socket there; NULL: host and port */
	const char *host; /* as the server resolves it */
	uint16_t port;
	/* Who connects. NULL: nobody with an address; some servers look at it, so they are told what OpenSSH's client says for its Unix
	 * clients. Not said of a Unix socket. */
	const char *originator;
	uint16_t originator_port;
};

/* As session_open_channel(). Borrows target. */
struct channel *session_open_direct(struct session *s, const struct direct_target *target,
    const struct channel_callbacks *callbacks, void *arg, struct err *e);

#endif
