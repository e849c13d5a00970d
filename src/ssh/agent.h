/*
 * The client of an ssh-agent (PROTOCOL.agent, RFC 9987): identities and signatures, non-blocking, each request with a deadline.
 */
#ifndef ADIT_SSH_AGENT_H
#define ADIT_SSH_AGENT_H

#include <event2/bufferevent.h>

#include "base/err.h"
#include "base/loop.h"
#include "base/wire.h"

struct agent;

/* Connects to the socket at path. Requests may be made at once. NULL and ERR_LOCAL when there is no agent. */
struct agent *agent_new(struct loop *loop, const char *path, struct err *e);
/* Does one answer there? 0, or ERR_LOCAL as agent_new() has it. */
int agent_check(const char *path, struct err *e) MUST_CHECK;
/* The same on a socket that is connected to one; takes fd. */
struct agent *agent_new_on(struct loop *loop, evutil_socket_t fd);
void agent_free(struct agent *agent); /* requests that wait get no callback. NULL is legal */
/* As agent_free(), but gives the connection, with nothing on its way: for an agent that is not lost, between requests or in a
 * callback. */
struct bufferevent *agent_detach(struct agent *agent);

struct agent_identity {
	struct span blob; /* a key or a certificate, of whatever type */
	struct span comment;
};

/* One request at a time; callbacks come from the loop, and may make the next request or free the agent. e is set on failure
 * (ERR_LOGIN: "the agent ..."), else NULL; what else is given lives for the call. An agent that refuses, or signs with another
 * algorithm than it was asked for, has failed this request. One that does not answer in time, breaks the protocol or closes the
 * connection is lost: later requests fail the same way. */
typedef void agent_identities_callback(
    void *arg, const struct agent_identity *identities, size_t count, const struct err *e);
void agent_list(
    struct agent *agent, uint64_t timeout_ms, agent_identities_callback *done, void *arg);

/* algorithm is the plain one or the certificate's. signature is the whole signature blob; its algorithm was checked against the
 * one that was asked for. */
typedef void agent_signature_callback(void *arg, struct span signature, const struct err *e);
void agent_sign(struct agent *agent, struct span key_blob, struct span algorithm, struct span data,
    uint64_t timeout_ms, agent_signature_callback *done, void *arg);

/* session-bind@openssh.com: tells the agent of the connection to a host: its key, the session's id and the signature of the one
 * over the other. An old agent refuses, which changes nothing. Between requests.
 *
 * For a login of ours: what it signs goes there. Before it is asked for its keys, since it names only those that may go there;
 * its answer is not waited for. */
void agent_bind_login(
    struct agent *agent, struct span host_key, struct span session_id, struct span signature);
/* For somebody on that host, to whom this connection to the agent is forwarded. Only when done was called without e may it be:
 * requests that come before that would have all rights here. */
typedef void agent_bound_callback(void *arg, const struct err *e);
void agent_bind_forwarded(struct agent *agent, struct span host_key, struct span session_id,
    struct span signature, uint64_t timeout_ms, agent_bound_callback *done, void *arg);

#endif
