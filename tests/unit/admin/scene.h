/*
 * A manager with a configuration and no network: tunnels that are stopped or on demand, listeners in a folder of their own. And
 * a JSON parser that takes what RFC 8259 allows and nothing else.
 */
#ifndef ADIT_TESTS_ADMIN_SCENE_H
#define ADIT_TESTS_ADMIN_SCENE_H

#include "base/str.h"
#include "tunnel/manager.h"

struct scene {
	struct loop *loop;
	struct resolver *resolver;
	struct manager *manager;
	char folder[64];
	void (*on_change)(void *arg);
	void *on_change_arg;
};

/* text may have @ where the folder's path is to stand. */
void scene_init(struct scene *s, const char *text);
void scene_reload(struct scene *s, const char *text);
void scene_clear(struct scene *s);

bool json_is_valid(const char *text);

#endif
