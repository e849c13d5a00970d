#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/secret.h"

static void test_a_secret_owns_a_copy_with_a_nul_behind(void **state)
{
	char source[] = "pass\0word";
	struct secret s = {0};

	(void)state;
	secret_set(&s, source, 9);
	memset(source, 'x', sizeof(source));
	assert_int_equal(s.n, 9);
	assert_memory_equal(s.p, "pass\0word", 10);
	secret_clear(&s);
	assert_null(s.p);
	assert_int_equal(s.n, 0);
	secret_clear(&s);
}

static void test_a_secret_can_be_set_from_itself(void **state)
{
	struct secret s = {0};

	(void)state;
	secret_set(&s, "abcdef", 6);
	secret_set(&s, s.p + 2, 3);
	assert_int_equal(s.n, 3);
	assert_string_equal((char *)s.p, "cde");
	secret_set(&s, NULL, 0);
	assert_int_equal(s.n, 0);
	assert_string_equal((char *)s.p, "");
	secret_clear(&s);
}

static void test_wiping_leaves_zeros(void **state)
{
	uint8_t bytes[40], zeros[40] = {0};

	(void)state;
	memset(bytes, 0xa5, sizeof(bytes));
	secret_wipe(bytes, sizeof(bytes));
	assert_memory_equal(bytes, zeros, sizeof(zeros));
	secret_wipe(NULL, 0);
}

static void test_each_byte_counts_in_a_comparison(void **state)
{
	uint8_t a[32], b[32];

	(void)state;
	memset(a, 7, sizeof(a));
	memset(b, 7, sizeof(b));
	assert_true(secret_equal(a, b, sizeof(a)));
	for (size_t i = 0; i < sizeof(a); i++) {
		b[i] ^= 0x80;
		assert_false(secret_equal(a, b, sizeof(a)));
		b[i] ^= 0x80;
	}
	assert_true(secret_equal(a, b, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_secret_owns_a_copy_with_a_nul_behind),
	    cmocka_unit_test(test_a_secret_can_be_set_from_itself),
	    cmocka_unit_test(test_wiping_leaves_zeros),
	    cmocka_unit_test(test_each_byte_counts_in_a_comparison),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
