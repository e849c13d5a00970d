/*
 * A relay joins two bufferevents until both directions have ended: chains are moved, not copied; a full output stops the
 * reading of the other side, and of that alone; EOF is passed on when the last byte has gone; a failure of one side resets the
 * other. A side that fails after its EOF said all it had to say: that still reaches the other in order, what the other says
 * is thrown away meanwhile, and then the relay ends as failed.
 */
#ifndef ADIT_NET_RELAY_H
#define ADIT_NET_RELAY_H

#include <stdint.h>

#include "base/loop.h"
#include "net/bev.h"

struct relay;

enum relay_end {
	RELAY_END_FINISHED, /* both sides sent EOF and got everything */
	RELAY_END_FAILED_A, /* a reset or an error of a, with bev_error() as error */
	RELAY_END_FAILED_B,
	/* idle_timeout_ms passed without a byte either way, those included that were moved before and leave slowly
	 * (bev_undelivered()); both sides were reset */
	RELAY_END_IDLE
};

struct relay_options {
	uint64_t idle_timeout_ms; /* 0: never. Looked at four times as often */
	/* The last thing the relay does; afterwards it is gone. error is an errno value or 0. */
	void (*on_end)(void *arg, enum relay_end end, int error);
	void *arg;
	/* Added to as bytes are taken from the source; keeps; may be NULL. */
	uint64_t *bytes_a_to_b, *bytes_b_to_a;
};

/* Takes both. What they have in their inputs already goes first; an EOF or an error that was reported before counts as if
 * it came now. Nothing is called from inside. Keeps arg; options are borrowed. */
struct relay *relay_new(struct loop *loop, struct bufferevent *a, struct bufferevent *b,
    const struct relay_options *options);
/* Resets both sides; on_end is not called. NULL is legal. */
void relay_free(struct relay *relay);
/* clock_now_ms() of the last byte either way; of one that leaves slowly, when that was seen. */
uint64_t relay_last_active_ms(const struct relay *relay);

#endif
