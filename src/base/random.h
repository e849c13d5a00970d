/*
 * Random bytes, of two kinds: for keys, from OpenSSL each time; and for what is not secret (padding, jitter), from a pool
 * or a small generator, because RAND_bytes costs 660 ns a call and padding is needed for every packet.
 */
#ifndef ADIT_BASE_RANDOM_H
#define ADIT_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void random_key_bytes(void *p, size_t n);  /* ends the process when the system has no randomness */
void random_padding(uint8_t *p, size_t n); /* n <= 255 */
uint32_t random_below(uint32_t limit);     /* 0 <= r < limit, limit > 0; for jitter and shuffling */

/* For tests: random_padding, random_below and random_key_bytes repeat the same sequence from here on. 0 ends that. */
void random_seed_for_tests(uint64_t seed);

#endif
