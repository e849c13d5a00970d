#include "tunnel/host_users.h"

struct host_users_walk {
	struct host_users_walk *outer;
	struct list *next;
};

void host_users_init(struct host_users *users)
{
	list_init(&users->list);
	users->walks = NULL;
}

bool host_users_empty(const struct host_users *users)
{
	return list_empty(&users->list);
}

void host_users_add(struct host_users *users, struct host_user *user)
{
	list_append(&users->list, &user->node);
}

void host_users_remove(struct host_users *users, struct host_user *user)
{
	for (struct host_users_walk *walk = users->walks; walk; walk = walk->outer)
		if (walk->next == &user->node)
			walk->next = user->node.next;
	list_remove(&user->node);
}

static void walk_begin(struct host_users *users, struct host_users_walk *walk)
{
	walk->next = users->list.next;
	walk->outer = users->walks;
	users->walks = walk;
}

static struct host_user *walk_next(struct host_users *users, struct host_users_walk *walk)
{
	struct list *node = walk->next;

	if (node == &users->list)
		return NULL;
	walk->next = node->next;
	return CONTAINER_OF(node, struct host_user, node);
}

static void walk_end(struct host_users *users, struct host_users_walk *walk)
{
	users->walks = walk->outer;
}

void host_users_tell_change(struct host_users *users)
{
	struct host_users_walk walk;
	struct host_user *user;

	walk_begin(users, &walk);
	while ((user = walk_next(users, &walk)))
		user->on_change(user->arg);
	walk_end(users, &walk);
}

void host_users_tell_session_up(struct host_users *users, struct session *s)
{
	struct host_users_walk walk;
	struct host_user *user;

	walk_begin(users, &walk);
	while ((user = walk_next(users, &walk)))
		user->on_session_up(user->arg, s);
	walk_end(users, &walk);
}

void host_users_tell_session_down(struct host_users *users, struct session *s)
{
	struct host_users_walk walk;
	struct host_user *user;

	walk_begin(users, &walk);
	while ((user = walk_next(users, &walk)))
		user->on_session_down(user->arg, s);
	walk_end(users, &walk);
}

bool host_users_have_client_held(const struct host_users *users)
{
	LIST_FOREACH(node, &users->list)
	{
		struct host_user *user = CONTAINER_OF(node, struct host_user, node);

		if (user->is_client_held(user->arg))
			return true;
	}
	return false;
}
