#include "admin/fdstore.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/map.h"
#include "base/mem.h"

enum { DELAY_MS = 200 /* a thousand listeners that open are stored in one look */ };

/* A listener that systemd has a copy of. */
struct stored {
	struct list node;
	char *name;
	ino_t inode; /* of its first socket: another one is another listener */
	unsigned round;
};

struct fdstore {
	struct notify *notify;
	struct manager *manager;
	struct timer soon;
	struct map *by_name;
	struct list all;
	unsigned round;
	bool left;
};

static ino_t inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static void store(struct fdstore *fs, const char *name, const int fds[], size_t count)
{
	struct stored *stored = map_get(fs->by_name, name);
	ino_t inode = inode_of(fds[0]);

	if (!stored) {
		stored = NEW(struct stored);
		stored->name = mem_strdup(name);
		list_init(&stored->node);
		list_append(&fs->all, &stored->node);
		map_put(fs->by_name, name, stored);
	} else if (stored->inode != inode) {
		notify_drop_fds(fs->notify, name);
	}
	if (stored->inode != inode)
		notify_store_fds(fs->notify, name, fds, count);
	stored->inode = inode;
	stored->round = fs->round;
}

static void forget(struct fdstore *fs, struct stored *stored)
{
	map_remove(fs->by_name, stored->name);
	list_remove(&stored->node);
	free(stored->name);
	free(stored);
}

/* systemd's own sockets it passes again by itself; a port that was not chosen is nobody's to come back to. */
static bool belongs_in_store(const struct config_endpoint *at)
{
	return at->kind == CONFIG_UNIX || (at->kind == CONFIG_TCP && at->port != 0);
}

typedef void visit_listener(struct fdstore *fs, const char *name, const int fds[], size_t count);

static void each_listener(struct fdstore *fs, const struct tunnel *tunnel, visit_listener *visit)
{
	for (size_t i = 0; i < tunnel_forward_count(tunnel); i++) {
		const struct forward *forward = tunnel_forward(tunnel, i);
		int fds[LISTENER_FDS_MAX];
		size_t count = forward ? forward_listen_fds(forward, fds) : 0;

		if (count && belongs_in_store(&forward_config(forward)->listen))
			visit(fs, forward_config(forward)->listen.text, fds, count);
	}
}

static void still_there(struct fdstore *fs, const char *name, const int fds[], size_t count)
{
	struct stored *stored = map_get(fs->by_name, name);

	(void)fds;
	(void)count;
	if (stored)
		stored->round = fs->round;
}

/* Then those that were not visited have gone. */
static void look_with(struct fdstore *fs, visit_listener *visit)
{
	fs->round++;
	for (size_t i = 0; i < manager_tunnel_count(fs->manager); i++)
		each_listener(fs, manager_tunnel(fs->manager, i), visit);
	LIST_FOREACH(node, &fs->all)
	{
		struct stored *stored = CONTAINER_OF(node, struct stored, node);

		if (stored->round == fs->round)
			continue;
		notify_drop_fds(fs->notify, stored->name);
		forget(fs, stored);
	}
}

static void look(void *arg)
{
	look_with(arg, store);
}

/* A copy that outlives its listener holds the port: clients come to nobody, and who listens there next cannot. */
void fdstore_changed(struct fdstore *fs)
{
	if (fs->left || !notify_is_heard(fs->notify))
		return;
	look_with(fs, still_there);
	if (!timer_is_running(&fs->soon))
		timer_start(&fs->soon, DELAY_MS);
}

void fdstore_leave(struct fdstore *fs)
{
	if (fs->left || !notify_is_heard(fs->notify))
		return;
	timer_stop(&fs->soon);
	look(fs);
	for (size_t i = 0; i < manager_tunnel_count(fs->manager); i++)
		tunnel_leave_sockets(manager_tunnel(fs->manager, i));
	fs->left = true;
}

struct fdstore *fdstore_new(struct loop *loop, struct notify *notify, struct manager *manager)
{
	struct fdstore *fs = NEW(struct fdstore);

	fs->notify = notify;
	fs->manager = manager;
	fs->by_name = map_new();
	list_init(&fs->all);
	timer_init(&fs->soon, loop, look, fs);
	return fs;
}

void fdstore_free(struct fdstore *fs)
{
	if (!fs)
		return;
	timer_stop(&fs->soon);
	LIST_FOREACH(node, &fs->all)
	{
		forget(fs, CONTAINER_OF(node, struct stored, node));
	}
	map_free(fs->by_name);
	free(fs);
}
