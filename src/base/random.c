#include "base/random.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/rand.h>

static uint64_t test_state;

/* splitmix64 */
static uint64_t test_next(void)
{
	uint64_t z = (test_state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

void random_seed_for_tests(uint64_t seed)
{
	test_state = seed;
}

void random_key_bytes(void *p, size_t n)
{
	uint8_t *out = p;

	if (test_state) {
		for (size_t i = 0; i < n; i++)
			out[i] = (uint8_t)test_next();
		return;
	}
	if (n && RAND_bytes(out, (int)n) != 1) {
		static const char text[] = "adit: the system gives no random bytes\n";

		if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
			abort();
		abort();
	}
}

/* The pool: filled by one RAND_bytes call, handed out in pieces, each byte once. */
void random_padding(uint8_t *p, size_t n)
{
	static uint8_t pool[4096];
	static size_t left;

	if (test_state) {
		random_key_bytes(p, n);
		return;
	}
	if (left < n) {
		random_key_bytes(pool, sizeof(pool));
		left = sizeof(pool);
	}
	memcpy(p, pool + left - n, n);
	left -= n;
}

uint32_t random_below(uint32_t limit)
{
	uint32_t r;

	/* The bias of the remainder is below 2^-20 for the limits we use and nobody's secret hangs on it. */
	random_key_bytes(&r, sizeof(r));
	return r % limit;
}
