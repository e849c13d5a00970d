/*
 * The forward service of one session, after net-ssh's Service::Forward: who asked the server to listen, and whose connection a
 * forwarded-tcpip or forwarded-streamlocal channel is. It never connects anywhere; it hands the channel to its owner.
 */
#ifndef ADIT_FORWARD_SERVICE_H
#define ADIT_FORWARD_SERVICE_H

#include "ssh/session.h"

struct forward_service;

/* The session's service: made when first asked for, then the same one; gone with the session. */
struct forward_service *forward_service_of(struct session *s);

struct remote_listener;

struct remote_listener_callbacks {
	/* port: the allocated one for port 0, else the one asked for. */
	void (*on_granted)(void *arg, uint16_t port);
	/* The server refused, or the session ended first (e). The listener is gone. */
	void (*on_refused)(void *arg, const struct err *e);
	/* A connection: accept or refuse it, now or later. originator is text ("203.0.113.5", 0 port for Unix). */
	void (*on_channel)(
	    void *arg, struct channel *c, const char *originator_host, uint16_t originator_port);
	void *arg;
};

/* tcpip-forward (RFC 4254 §7.1), address exactly as it shall go over the wire; or streamlocal-forward@openssh.com. The
 * service owns it; it lives until remote_listener_cancel() or the session's end (then no callback but on_refused, if it had not
 * been answered). */
struct remote_listener *forward_service_listen_tcp(struct forward_service *fs, const char *address,
    uint16_t port, const struct remote_listener_callbacks *callbacks);
struct remote_listener *forward_service_listen_unix(struct forward_service *fs, const char *path,
    const struct remote_listener_callbacks *callbacks);
/* cancel-tcpip-forward with the same address and the allocated port; streams live on. No callback any more. Before the
 * session is freed. NULL is legal. */
void remote_listener_cancel(struct remote_listener *l);

/* The remote listeners that are granted; the strings are borrowed. */
struct remote_listener_info {
	const char *address; /* or the path */
	uint16_t port;       /* allocated; 0 for a path */
};
size_t forward_service_active(
    const struct forward_service *fs, struct remote_listener_info *infos, size_t max);

/* How "127.0.0.1:8080", "*:8080", "8080" go over the wire: "" all addresses, "localhost" loopback of all families, else as
 * written (RFC 4254 §7.1). */
const char *remote_listener_wire_address(const char *host);

#endif
