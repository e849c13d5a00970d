/*
 * Who wants a host: a list that can be told something while those who are told leave it, or join.
 */
#ifndef ADIT_TUNNEL_HOST_USERS_H
#define ADIT_TUNNEL_HOST_USERS_H

#include "tunnel/host.h"

struct host_users {
	struct list list;
	struct host_users_walk *walks; /* that are under way, the innermost first */
};

void host_users_init(struct host_users *users);
bool host_users_empty(const struct host_users *users);
/* user is kept until it is removed. Who joins during a walk is told by it, too. */
void host_users_add(struct host_users *users, struct host_user *user);
void host_users_remove(struct host_users *users, struct host_user *user);

/* Their callbacks, in the order in which they came. Each may take any of them out, itself too. */
void host_users_tell_change(struct host_users *users);
void host_users_tell_session_up(struct host_users *users, struct session *s);
void host_users_tell_session_down(struct host_users *users, struct session *s);
bool host_users_have_client_held(const struct host_users *users); /* any of them */

#endif
