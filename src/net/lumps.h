/*
 * Bulk from a socket is read in lumps.
 *
 * What the peer sends comes in segments. The kernel wakes us at the first of them, and while it delivers the others it holds
 * the lock of the socket that we want to read from: of a link's CPU at 100 MB/s that was a tenth. So when bulk has been under
 * way for a while the kernel is told to wait until much has come (SO_RCVLOWAT), and what is less is fetched every now and then.
 *
 * That makes the rest of a lump late, at the end of bulk for one: by no more than an eighth of the time that bulk has taken.
 */
#ifndef ADIT_NET_LUMPS_H
#define ADIT_NET_LUMPS_H

#include <event2/bufferevent.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/timer.h"

struct lumps {
	struct bufferevent *bev; /* NULL: not a socket's */
	struct timer tick;       /* runs while there is bulk */
	uint64_t bytes;          /* of it, since that was started */
	bool on;
};

/* bev stays the caller's, and may be of any kind: where it is not a socket's, nothing comes of it. */
void lumps_init(struct lumps *l, struct loop *loop, struct bufferevent *bev);
void lumps_stop(struct lumps *l); /* before bev is freed */
/* n bytes went or came at once; they are bulk if they are many. */
void lumps_moved(struct lumps *l, size_t n);
/* Now each byte matters, until there has been as much bulk again. */
void lumps_end(struct lumps *l);

#endif
