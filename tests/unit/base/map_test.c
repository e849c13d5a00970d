#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>

#include "base/map.h"

static int values[2000];

static void test_a_value_is_found_by_its_key(void **state)
{
	struct map *m = map_new();

	(void)state;
	assert_null(map_get(m, "a"));
	assert_null(map_put(m, "a", &values[1]));
	assert_null(map_put(m, "", &values[2]));
	assert_ptr_equal(map_get(m, "a"), &values[1]);
	assert_ptr_equal(map_get(m, ""), &values[2]);
	assert_null(map_get(m, "A"));
	assert_ptr_equal(map_get_span(m, SPAN("abc", 1)), &values[1]);
	assert_ptr_equal(map_get_span(m, SPAN("abc", 0)), &values[2]);
	assert_null(map_get_span(m, SPAN("a", 2)));
	assert_int_equal(map_count(m), 2);
	map_free(m);
}

static void test_put_and_remove_give_what_was_there(void **state)
{
	struct map *m = map_new();

	(void)state;
	map_put(m, "a", &values[1]);
	assert_ptr_equal(map_put(m, "a", &values[2]), &values[1]);
	assert_int_equal(map_count(m), 1);
	assert_ptr_equal(map_remove(m, "a"), &values[2]);
	assert_null(map_remove(m, "a"));
	assert_null(map_get(m, "a"));
	assert_int_equal(map_count(m), 0);
	map_free(m);
}

static void test_keys_are_copied(void **state)
{
	struct map *m = map_new();
	char key[] = "name";

	(void)state;
	map_put(m, key, &values[1]);
	key[0] = 'X';
	assert_ptr_equal(map_get(m, "name"), &values[1]);
	assert_null(map_get(m, key));
	map_free(m);
}

static void test_two_thousand_numbers_are_all_there(void **state)
{
	struct map *m = map_new();

	(void)state;
	for (uint32_t i = 0; i < 2000; i++)
		assert_null(map_put_u32(m, i * 65536u, &values[i]));
	assert_int_equal(map_count(m), 2000);
	for (uint32_t i = 0; i < 2000; i += 2)
		assert_ptr_equal(map_remove_u32(m, i * 65536u), &values[i]);
	for (uint32_t i = 0; i < 2000; i++)
		assert_ptr_equal(map_get_u32(m, i * 65536u), i % 2 ? &values[i] : NULL);
	assert_int_equal(map_count(m), 1000);
	map_free(m);
}

static void test_a_walk_meets_each_value_once(void **state)
{
	bool met[1000] = {false};
	struct map *m = map_new();
	size_t cursor = 0, count = 0;
	int *value;

	(void)state;
	assert_null(map_next(m, &cursor));
	for (int i = 0; i < 1000; i++) {
		char key[16];

		snprintf(key, sizeof(key), "key%d", i);
		map_put(m, key, &values[i]);
	}
	cursor = 0;
	while ((value = map_next(m, &cursor))) {
		assert_false(met[value - values]);
		met[value - values] = true;
		count++;
	}
	assert_int_equal(count, 1000);
	assert_null(map_next(m, &cursor));
	map_free(m);
	map_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_value_is_found_by_its_key),
	    cmocka_unit_test(test_put_and_remove_give_what_was_there),
	    cmocka_unit_test(test_keys_are_copied),
	    cmocka_unit_test(test_two_thousand_numbers_are_all_there),
	    cmocka_unit_test(test_a_walk_meets_each_value_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
