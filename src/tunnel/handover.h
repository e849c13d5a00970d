/*
 * Listening sockets on their way from a forward that ends to the one that listens at the same place from now on (a tunnel was renamed,
 * a forward moved, a tunnel is restarted), so that no client meets a closed door.
 */
#ifndef ADIT_TUNNEL_HANDOVER_H
#define ADIT_TUNNEL_HANDOVER_H

#include "base/list.h"
#include "forward/forward.h"

/* A value that its owner embeds. */
struct handover {
	struct list listeners;
};

void handover_init(struct handover *h);
/* Keeps copies of the forward's descriptors under the name that forward_env.inherit will ask for. Remote forwards and ports that
 * were not chosen (port 0) have none to hand over. */
void handover_offer(struct handover *h, struct forward *forward);
/* Gives them; 0: there are none of that name. */
size_t handover_take(struct handover *h, const char *name, int fds[], size_t max);
void handover_clear(struct handover *h); /* drops what nobody took */

#endif
