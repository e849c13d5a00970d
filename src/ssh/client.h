/*
 * A logged-in connection in one object: transport, then auth, then session, over a bufferevent that leads to a server. What a
 * link, `adit exec` and a jump all do.
 */
#ifndef ADIT_SSH_CLIENT_H
#define ADIT_SSH_CLIENT_H

#include "ssh/auth.h"
#include "ssh/session.h"
#include "ssh/transport.h"

struct client;

enum client_state { CLIENT_HANDSHAKE, CLIENT_LOGIN, CLIENT_UP, CLIENT_CLOSED };

struct client_options {
	struct transport_options transport;
	struct auth_options auth;       /* takes what auth_start() takes */
	struct session_options session; /* on_closed and arg are the client's own */
	/* Proven new host keys are written to the first known_hosts file of transport.hostkey, which must outlive the client. */
	bool update_host_keys;
	uint64_t login_timeout_ms; /* for key exchange and login together; 0: none */
};

struct client_callbacks {
	void (*on_state)(
	    void *arg, enum client_state state); /* CLIENT_LOGIN, CLIENT_UP; may be NULL */
	/* Once, the last: why it failed or ended. */
	void (*on_closed)(void *arg, const struct err *e);
};

/* Takes bev. */
struct client *client_new(struct loop *loop, struct bufferevent *bev,
    const struct client_options *options, const struct client_callbacks *callbacks, void *arg);
void client_free(struct client *
	c); /* at once, DISCONNECT 11 if it is up; no callback. Legal in a callback. NULL is legal */
enum client_state client_state(const struct client *c);
struct session *client_session(const struct client *c); /* NULL before CLIENT_UP */
struct transport *client_transport(const struct client *c);
const char *client_auth_method(const struct client *c);
bool client_login_went_halfway(const struct client *c); /* auth_went_halfway() */
/* In order: session_close() with the deadline, then on_closed with ERR_CANCELLED. */
void client_close(struct client *c, uint64_t deadline_ms);

#endif
