/*
 * Users and groups of this machine, by name or by number. A name goes first, as in chown(1): "1000" is the user of that name if
 * there is one. Blocks (NSS may ask a directory): for what is configured, when it is read.
 */
#ifndef ADIT_BASE_ACCOUNT_H
#define ADIT_BASE_ACCOUNT_H

#include <stdbool.h>
#include <sys/types.h>

/* False when there is none. A number need not belong to anybody, but (uid_t)-1 is no id. */
bool account_find_user(const char *name, uid_t *ret_uid);
bool account_find_group(const char *name, gid_t *ret_gid);

#endif
