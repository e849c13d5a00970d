/*
 * Inside login*.c: a host's keys and their certificates.
 */
#ifndef ADIT_TUNNEL_LOGIN_IDENTITIES_H
#define ADIT_TUNNEL_LOGIN_IDENTITIES_H

#include "tunnel/login.h"

/* Fills auth's identities and what login says of them; login->agent_path is set by then. 0, ERR_CONFIG, or ERR_LOCAL for want of
 * descriptors or memory. */
int login_read_identities(const struct config_host *host, struct keyring *keyring,
    const struct log_context *log, struct log_repeat *said, struct login *login,
    struct auth_options *auth, struct err *e) MUST_CHECK;

#endif
