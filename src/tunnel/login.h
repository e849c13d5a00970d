/*
 * From a host's configuration to what a connection needs: identities, certificates, the agent, the secrets, the policy for the
 * server's key. Read anew at every connect, so that what changed on disk counts.
 */
#ifndef ADIT_TUNNEL_LOGIN_H
#define ADIT_TUNNEL_LOGIN_H

#include "base/log.h"
#include "config/config.h"
#include "ssh/client.h"
#include "ssh/hostkey.h"
#include "ssh/keyring.h"

/* What client_options point into: must live as long as the client. */
struct login {
	struct hostkey_policy *hostkey;
	char *kex, *host_key_algorithms, *ciphers, *macs;
	struct secret password;
	char *agent_path;
	/* "FILE: why; FILE: why" of the identities that only an agent can sign for; NULL: none */
	char *left_to_agent;
	/* "FILE: why; FILE: why" of key files and certificates that are of no use now; NULL: none */
	char *not_used;
	unsigned certificates; /* that are good now, and offered */
	/* seconds since 1970: when the first certificate in use ends; UINT64_MAX: never */
	uint64_t expires;
};

/* True: a key of the host's is being decrypted in a thread, and wait's callback comes when it is; then ask again, since there may be
 * another. False: login_prepare() has nothing slow to do. */
bool login_opens_keys(
    const struct config_host *host, struct keyring *keyring, struct keyring_wait *wait) MUST_CHECK;
/* Fills both; a key file that is unusable is skipped, but an error if keys were configured and none is left. 0; ERR_CONFIG,
 * also when there is nothing at all to log in with; ERR_LOCAL for want of descriptors or memory. Blocks: reads files, an
 * encrypted key once only as long as keyring (which may be NULL) has it. said: what was said of files before, and is not said again;
 * may be NULL. */
int login_prepare(const struct config_host *host, struct keyring *keyring,
    const struct log_context *log, struct log_repeat *said, struct login *ret_login,
    struct client_options *ret_options, struct err *e) MUST_CHECK;
void login_clear(struct login *login);
/* For options that were prepared and not handed to client_new(). */
void login_discard_options(struct client_options *options);

/* The socket of the agent that the host's login may use, by now; NULL: none. Borrowed, until the environment changes. */
const char *login_agent_path(const struct config_host *host);
/* What the host's key is known by: its alias, as it is, or its address and port. Borrowed. */
const char *login_host_key_name(const struct config_host *host);
uint16_t login_host_key_port(const struct config_host *host);

#endif
