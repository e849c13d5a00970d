/*
 * A forward in a test: its owner, and what the owner was told. One at a time.
 */
#ifndef ADIT_TESTS_UNIT_FORWARD_WORLD_H
#define ADIT_TESTS_UNIT_FORWARD_WORLD_H

#include "forward/forward.h"
#include "peer.h"

struct world {
	struct loop *loop;
	struct resolver *resolver;
	struct peer *peer; /* whose session new streams get; NULL: the link is down */
	struct forward *forward;
	struct config_forward config;
	unsigned held, changes, stream_changes; /* how often the owner was told */
};

/* Under the fake clock. */
int world_set_up(void **state);
int world_tear_down(void **state);

/* A configuration with the defaults; strings are borrowed. */
struct config_forward world_config(
    enum config_forward_kind kind, const char *listen, const char *to);
/* Fails the test when it cannot be made. */
void world_start(struct world *w, struct config_forward config);
/* The link comes up, the link is lost. */
void world_link_up(struct world *w);
void world_link_lost(struct world *w);

struct forward_status world_status(const struct world *w);
uint16_t world_port(const struct world *w); /* where it listens */
int world_connect(struct world *w);         /* a TCP client, accepted */

#endif
