#include "tunnel/handover.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct offered {
	struct list node;
	char *name;
	struct listener_legacy legacy;
};

void handover_init(struct handover *h)
{
	list_init(&h->listeners);
}

static const char *name_of(const struct config_endpoint *at)
{
	if (at->kind == CONFIG_SYSTEMD)
		return at->path;
	return at->kind == CONFIG_TCP && at->port == 0 ? NULL : at->text;
}

void handover_offer(struct handover *h, struct forward *forward)
{
	const char *name = name_of(&forward_config(forward)->listen);

	if (!name)
		return;
	struct offered *offered = NEW(struct offered);
	forward_hand_over(forward, &offered->legacy);
	if (offered->legacy.count == 0) {
		free(offered);
		return;
	}
	offered->name = mem_strdup(name);
	list_append(&h->listeners, &offered->node);
}

static void destroy(struct offered *offered)
{
	list_remove(&offered->node);
	free(offered->name);
	free(offered);
}

size_t handover_take(struct handover *h, const char *name, int fds[], size_t max)
{
	LIST_FOREACH(node, &h->listeners)
	{
		struct offered *offered = CONTAINER_OF(node, struct offered, node);
		size_t count = offered->legacy.count;

		if (strcmp(offered->name, name) != 0 || count > max)
			continue;
		memcpy(fds, offered->legacy.fds, count * sizeof(*fds));
		listener_legacy_clear(&offered->legacy);
		destroy(offered);
		return count;
	}
	return 0;
}

void handover_clear(struct handover *h)
{
	LIST_FOREACH(node, &h->listeners)
	{
		struct offered *offered = CONTAINER_OF(node, struct offered, node);

		listener_legacy_drop(&offered->legacy);
		destroy(offered);
	}
}
