/* The smaller and the larger of two sizes, counts or times. */
#ifndef ADIT_BASE_MINMAX_H
#define ADIT_BASE_MINMAX_H

#include <stdint.h>

static inline uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

#endif
