#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/random.h"

static int teardown(void **state)
{
	(void)state;
	random_seed_for_tests(0);
	return 0;
}

static void test_a_seed_repeats_the_sequence(void **state)
{
	uint8_t a[64], b[64], c[64];

	(void)state;
	random_seed_for_tests(7);
	random_key_bytes(a, sizeof(a));
	uint32_t first = random_below(1000);
	random_padding(b, sizeof(b));
	random_seed_for_tests(7);
	random_key_bytes(c, sizeof(c));
	assert_memory_equal(a, c, sizeof(a));
	assert_int_equal(random_below(1000), first);
	random_padding(c, sizeof(c));
	assert_memory_equal(b, c, sizeof(b));
	random_seed_for_tests(8);
	random_key_bytes(c, sizeof(c));
	assert_memory_not_equal(a, c, sizeof(a));
}

static void test_without_a_seed_nothing_repeats(void **state)
{
	uint8_t a[32], b[32];

	(void)state;
	random_key_bytes(a, sizeof(a));
	random_key_bytes(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	random_key_bytes(NULL, 0);
}

/* Past the end of the pool, several times: each piece is new. */
static void test_padding_is_never_handed_out_twice(void **state)
{
	uint8_t pieces[64][255];

	(void)state;
	for (size_t i = 0; i < 64; i++) {
		random_padding(pieces[i], sizeof(pieces[i]));
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(pieces[i], pieces[j], sizeof(pieces[i]));
	}
	uint8_t untouched = 0x5a;
	random_padding(&untouched, 0);
	assert_int_equal(untouched, 0x5a);
}

static void test_a_number_is_below_its_limit(void **state)
{
	unsigned seen[10] = {0};

	(void)state;
	random_seed_for_tests(1);
	for (int i = 0; i < 1000; i++) {
		uint32_t r = random_below(10);

		assert_in_range(r, 0, 9);
		seen[r]++;
	}
	for (int i = 0; i < 10; i++)
		assert_in_range(seen[i], 50, 150);
	assert_int_equal(random_below(1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_a_seed_repeats_the_sequence, teardown),
	    cmocka_unit_test_teardown(test_without_a_seed_nothing_repeats, teardown),
	    cmocka_unit_test_teardown(test_padding_is_never_handed_out_twice, teardown),
	    cmocka_unit_test_teardown(test_a_number_is_below_its_limit, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
