/*
 * Who may connect to a listener (`allow`, `allow_users`, `allow_groups`), and where to (`allow_to`). The lists are read once,
 * names of users and groups included: nothing here asks the system for a name while the loop runs.
 */
#ifndef ADIT_FORWARD_ACCESS_H
#define ADIT_FORWARD_ACCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "config/config.h"
#include "net/addr.h"

struct access;

/* Who is at the other end of a Unix socket. */
struct credentials {
	bool known;
	pid_t pid;
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* supplementary ones; owned: credentials_clear() */
	size_t group_count;
};
void credentials_of(int fd, struct credentials *ret_credentials); /* SO_PEERCRED, SO_PEERGROUPS */
void credentials_clear(struct credentials *credentials);

/* Gives. NULL and ERR_CONFIG: an entry cannot be read, or names no user or group of this system. */
struct access *access_new(const struct config_forward *config, struct err *e);
void access_free(struct access *access); /* NULL is legal */

/* Is there a list for clients on TCP? */
bool access_has_client_list(const struct access *access);
/* An address that is none (length 0) is allowed only where there is no list. */
bool access_allows_address(const struct access *access, const struct addr *client);
bool access_allows_credentials(const struct access *access, const struct credentials *credentials);
/* host as it was asked for. A name is compared as a name, whatever it may resolve to. */
bool access_allows_target(const struct access *access, const char *host, uint16_t port);

#endif
