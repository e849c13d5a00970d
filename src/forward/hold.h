/*
 * The clients that wait for the link: first come, first gone, and none longer than hold_timeout.
 */
#ifndef ADIT_FORWARD_HOLD_H
#define ADIT_FORWARD_HOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/loop.h"

/* A place in the queue, embedded in what waits. */
struct hold_place {
	struct list node;
	struct hold *hold; /* NULL: not held now */
	bool was_held;
	uint64_t since_ms; /* of the first time it was held */
};

/* A value that its owner embeds. */
struct hold {
	struct list queue; /* by since_ms, the longest waiting first */
	size_t count;
	uint64_t timeout_ms;
	struct timer timer;
	void (*expired)(void *arg, struct hold_place *place); /* taken out already */
	void *arg;
};

void hold_init(struct hold *h, struct loop *loop, uint64_t timeout_ms,
    void (*expired)(void *arg, struct hold_place *place), void *arg);
void hold_clear(struct hold *h); /* the queue must be empty */
/* Applies to who waits already, too. */
void hold_set_timeout(struct hold *h, uint64_t timeout_ms);

void hold_place_init(struct hold_place *place);
/* Has it waited as long as it may? Before that: hold_put(). */
bool hold_is_over(const struct hold *h, const struct hold_place *place);
/* At the end; who was held before comes back to its old place, and its time runs on. */
void hold_put(struct hold *h, struct hold_place *place);
void hold_remove(struct hold_place *place);          /* legal when it is not held */
struct hold_place *hold_first(const struct hold *h); /* NULL: nobody waits */

#endif
