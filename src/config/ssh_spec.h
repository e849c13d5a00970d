/*
 * What ssh(1) takes after -L, -R, -D, as a destination and after -J.
 */
#ifndef ADIT_CONFIG_SSH_SPEC_H
#define ADIT_CONFIG_SSH_SPEC_H

#include "config/config.h"

enum ssh_forward_option { SSH_LOCAL_FORWARD, SSH_REMOTE_FORWARD, SSH_DYNAMIC_FORWARD };
enum ssh_bind { SSH_BIND_LOOPBACK, SSH_BIND_ALL }; /* where no address is given: GatewayPorts */

/* What a spec means hangs on these. */
struct ssh_spec_scope {
	enum ssh_bind bind;
	const char *dir; /* of relative paths of this machine */
	/* Replaces the tokens of a Unix path; gives, or NULL when there is one that is not known. NULL: paths have none. */
	char *(*expand)(void *arg, const char *path);
	void *arg;
};

/* "[bind:]port:host:hostport", a Unix path in place of either side, "[bind:]port" for -D and -R; addresses in brackets; "*" and
 * an empty bind for all; a backslash before a colon that separates nothing; the older form with "/" for ":". Fills a forward
 * with the defaults, which the caller clears, or returns ERR_CONFIG with e. Where to listen on this machine may be a name
 * of it, too: endpoint_can_listen_near() says. */
int ssh_forward_parse(const char *text, enum ssh_forward_option option,
    const struct ssh_spec_scope *scope, struct config_forward *ret_forward,
    struct err *e) MUST_CHECK;

struct ssh_destination {
	char *user; /* or NULL */
	char *host;
	uint16_t port; /* 0: not given */
};

/* "[user@]host" and "ssh://[user@]host[:port]", where the user may have %XX */
int ssh_destination_parse(
    const char *text, struct ssh_destination *ret_destination, struct err *e) MUST_CHECK;
/* One hop of -J: "[user@]host[:port]" or a URI */
int ssh_jump_parse(
    const char *text, struct ssh_destination *ret_destination, struct err *e) MUST_CHECK;
void ssh_destination_clear(struct ssh_destination *destination);

#endif
