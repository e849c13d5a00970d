/*
 * Logging in (RFC 4252, RFC 4256, RFC 8308; publickey-hostbound-v00@openssh.com; session-bind@openssh.com): walks through what is
 * configured, in order, as far as the server lets it.
 */
#ifndef ADIT_SSH_AUTH_H
#define ADIT_SSH_AUTH_H

#include "base/loop.h"
#include "base/secret.h"
#include "ssh/agent.h"
#include "ssh/cert.h"
#include "ssh/key.h"
#include "ssh/transport.h"

struct auth;

/* A key that proves who we are. With a certificate, that is offered first and the key by itself after it: a server that does
 * not know the CA may know the key. */
struct auth_identity {
	char *name; /* the file's path, for messages; owned */
	struct key
	    *key; /* owned; private, or public only: then it is offered if the agent has it */
	struct cert *
	    cert; /* owned; NULL: the plain key alone. One that is not valid now is named and not offered */
	bool from_agent; /* the agent signs, even if key is private */
};

void auth_identities_free(struct auth_identity *identities, size_t count);

struct auth_options {
	const struct log_context *log; /* keeps */
	struct log_repeat *banners;    /* keeps: said at other logins; NULL: none were */
	const char *user;              /* copied */
	struct auth_identity
	    *identities; /* takes the array and what it owns; in the order to try */
	size_t identity_count;
	const char *agent_path; /* NULL: no agent. Copied */
	/* Offer every key that the agent has; else only those whose public half is among identities. */
	enum { AUTH_AGENT_ALL, AUTH_AGENT_IDENTITIES_ONLY } agent_keys;
	uint64_t agent_timeout_ms;     /* a person may have to touch a key: 30 s */
	const struct secret *password; /* copied; NULL: neither password nor keyboard-interactive */
};

/* What the login was made with is gone by then: keys and password are wiped, the agent is left. e not set: logged in. Else
 * ERR_LOGIN with what was offered and what the server would take ("publickey: offered /etc/adit/id_ed25519 (ED25519
 * SHA256:...); the server takes: publickey, password"), or another class. The last call. */
typedef void auth_callback(void *arg, const struct err *e);

/* Begins when the transport is ready (or at once if it is). Sends SERVICE_REQUEST together with the first request where that is
 * safe, and signs the first publickey request instead of asking when there is one key and its algorithm is known to be
 * accepted (issue: fewest round trips). */
struct auth *auth_start(struct loop *loop, struct transport *t, const struct auth_options *options,
    auth_callback *done, void *arg);
/* SERVICE_ACCEPT (6), or a message from 50 to 79, from the transport's on_message, whose results it has. done may be called
 * inside. */
int auth_input(struct auth *auth, struct span payload, struct err *e) MUST_CHECK;
/* The key exchange is done: from the transport's on_ready. */
void auth_transport_ready(struct auth *auth);
/* The transport closed before done was called: adds to the reason e what had been offered by then, and makes it ERR_LOGIN when
 * it was the server that ended a login it had refused before, or that answered a request of it with DISCONNECT ("Too many
 * authentication failures"). done is not called. */
void auth_transport_closed(struct auth *auth, struct err *e);
void auth_free(struct auth *auth); /* no callback any more. NULL is legal; wipes */
/* How long the agent was waited for until now, and is, all together. A person may have to touch a key: each request to it has a
 * deadline of its own, and the login's should not run meanwhile. */
uint64_t auth_agent_ms(const struct auth *auth);
/* A step of the login went well ("partial success"), and the server wanted more. */
bool auth_went_halfway(const struct auth *auth);
/* Which method and identity let us in, for the log; "" before. */
const char *auth_method(const struct auth *auth);

#endif
