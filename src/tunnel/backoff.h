/*
 * When to try again: full-jitter exponential between two bounds, for ever; by the class of the error. Pure: no clock, no timer.
 */
#ifndef ADIT_TUNNEL_BACKOFF_H
#define ADIT_TUNNEL_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct backoff {
	uint64_t min_ms, max_ms;
	unsigned failures;    /* in a row */
	unsigned brief_lives; /* in a row, that were good enough for a try at once */
};

/* While a client is held and the network was at fault, nobody waits longer than this. */
#define BACKOFF_HELD_MAX_MS 1000
/* A link that lived this long was good: when the network takes it, the next try is at once. One that did not counts as a
 * failure, so that a server which logs us in and throws us out is not hammered; but a few short lives in a row may be bad luck,
 * and so may some more that were merely brief. What ends because a peer broke the protocol must have lived for the maximum. */
#define BACKOFF_LIVED_LONG_MS 10000
#define BACKOFF_LIVED_MS 1000
#define BACKOFF_BRIEF_LIVES 8
#define BACKOFF_LIVED_SHORTLY_MS 250
#define BACKOFF_SHORT_LIVES 4

void backoff_init(struct backoff *b, uint64_t min_ms, uint64_t max_ms);
enum backoff_held { BACKOFF_NOBODY_HELD, BACKOFF_CLIENT_HELD };
/* Counts one more failure and says how long to wait. */
uint64_t backoff_failed(struct backoff *b, enum error_class class, enum backoff_held held);
/* The link was up for that long and is lost: 0 ms if it lived, else as backoff_failed(). */
uint64_t backoff_lost(
    struct backoff *b, uint64_t lived_ms, enum error_class class, enum backoff_held held);
/* Was it the network, or something else that passes by itself? Not when the server does not take our login, is not who it should be or
 * does not speak as it should. */
bool backoff_is_network(enum error_class class);
/* Can only a person mend it? A peer that broke the protocol may be a proxy in front of a server that is away. */
bool backoff_needs_person(enum error_class class);

#endif
