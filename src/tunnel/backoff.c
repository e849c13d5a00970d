#include "tunnel/backoff.h"

#include "base/random.h"

void backoff_init(struct backoff *b, uint64_t min_ms, uint64_t max_ms)
{
	b->min_ms = min_ms;
	b->max_ms = max_ms > min_ms ? max_ms : min_ms;
	b->failures = b->brief_lives = 0;
}

bool backoff_is_network(enum error_class class)
{
	switch (class) {
	case ERR_NETWORK:
	case ERR_TIMEOUT:
	case ERR_LOCAL:
	case ERR_OK:
	case ERR_CANCELLED:
		return true;
	case ERR_PEER:
	case ERR_LOGIN:
	case ERR_HOST_KEY:
	case ERR_CONFIG:
		return false;
	}
	return false;
}

bool backoff_needs_person(enum error_class class)
{
	return !backoff_is_network(class) && class != ERR_PEER;
}

static uint64_t between(uint64_t low, uint64_t high)
{
	return low + (high > low ? random_below((uint32_t)(high - low + 1)) : 0);
}

uint64_t backoff_failed(struct backoff *b, enum error_class class, enum backoff_held held)
{
	uint64_t ceiling = b->min_ms;

	/* Starts at the maximum: OpenSSH's PerSourcePenalties lock out whoever hammers. */
	if (backoff_needs_person(class)) {
		b->failures++;
		return between(b->max_ms / 2, b->max_ms);
	}
	for (unsigned i = 0; i < b->failures && ceiling < b->max_ms; i++)
		ceiling *= 2;
	if (ceiling > b->max_ms)
		ceiling = b->max_ms;
	b->failures++;
	uint64_t wait = between(b->min_ms / 2, ceiling);
	if (held == BACKOFF_CLIENT_HELD && backoff_is_network(class) && wait > BACKOFF_HELD_MAX_MS)
		wait = BACKOFF_HELD_MAX_MS;
	return wait;
}

uint64_t backoff_lost(
    struct backoff *b, uint64_t lived_ms, enum error_class class, enum backoff_held held)
{
	if (backoff_needs_person(class) || (!backoff_is_network(class) && lived_ms < b->max_ms))
		return backoff_failed(b, class, held);
	if (lived_ms >= BACKOFF_LIVED_LONG_MS)
		b->failures = b->brief_lives = 0;
	else if (lived_ms >= BACKOFF_LIVED_MS && b->brief_lives++ < BACKOFF_BRIEF_LIVES)
		b->failures = 0;
	else if (lived_ms >= BACKOFF_LIVED_SHORTLY_MS && b->failures < BACKOFF_SHORT_LIVES)
		b->failures++;
	else
		return backoff_failed(b, class, held);
	return 0;
}
