/*
 * Host keys that the server announces (hostkeys-00@openssh.com, OpenSSH's PROTOCOL §2.5): so known_hosts learns of a new key
 * before the old one goes. The policy says whether this host's lines may be changed at all; then each new key must be proven by
 * a signature over the session identifier (hostkeys-prove-00@openssh.com), and only if all are is the file written.
 */
#ifndef ADIT_SSH_SESSION_HOSTKEYS_H
#define ADIT_SSH_SESSION_HOSTKEYS_H

#include "ssh/hostkey.h"
#include "ssh/session.h"

/* Listens for the announcement, which comes right after the login and counts once. Keeps policy and log; ends with the
 * session. What goes wrong is logged and changes nothing. */
void session_hostkeys_start(
    struct session *s, struct hostkey_policy *policy, const struct log_context *log);

#endif
