/*
 * Agent forwarding: a command on the server may use the agent here. It asks by the request
 * auth-agent-req@openssh.com before it starts; from then on the server opens auth-agent@openssh.com channels, and each becomes a
 * connection to the agent's socket. The agent is told to which host it is forwarded (session-bind@openssh.com), so that keys which
 * ssh-add -h keeps for some hosts can be used from there only as far as that allows.
 *
 * Off unless somebody starts it: while such a session lives, whoever is root on the server can use the agent's keys too.
 */
#ifndef ADIT_SSH_AGENT_FORWARD_H
#define ADIT_SSH_AGENT_FORWARD_H

#include "ssh/session.h"

/* Offers the agent at path (copied) to every command that session_exec() starts from now on. Ends with the session. Once a
 * session: a second call changes the path. */
void agent_forward_start(struct session *s, const char *path);
/* Asks for it on a session channel; nothing if it was not started. session_exec() does this. */
void agent_forward_request(struct channel *c);

#endif
