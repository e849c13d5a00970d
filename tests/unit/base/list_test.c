#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/list.h"

struct item {
	int number;
	struct list node;
};

static int sum_in_order(struct list *head)
{
	int digits = 0;

	LIST_FOREACH(node, head)
	{
		digits = digits * 10 + CONTAINER_OF(node, struct item, node)->number;
	}
	return digits;
}

static void make(struct list *head, struct item *items, int count, int from)
{
	list_init(head);
	for (int i = 0; i < count; i++) {
		items[i].number = from + i;
		list_append(head, &items[i].node);
	}
}

static void test_nodes_stay_in_order(void **state)
{
	struct item items[3];
	struct list head;

	(void)state;
	make(&head, items, 0, 1);
	assert_true(list_empty(&head));
	assert_null(list_shift(&head));
	make(&head, items, 3, 1);
	assert_false(list_empty(&head));
	assert_int_equal(sum_in_order(&head), 123);
	assert_ptr_equal(list_shift(&head), &items[0].node);
	assert_int_equal(sum_in_order(&head), 23);
}

static void test_removing_twice_is_legal(void **state)
{
	struct item items[3];
	struct list head;

	(void)state;
	make(&head, items, 3, 1);
	list_remove(&items[1].node);
	list_remove(&items[1].node);
	assert_int_equal(sum_in_order(&head), 13);
	list_append(&head, &items[1].node);
	assert_int_equal(sum_in_order(&head), 132);
}

static void test_the_current_node_may_go_while_walking(void **state)
{
	struct item items[4];
	struct list head;

	(void)state;
	make(&head, items, 4, 1);
	LIST_FOREACH(node, &head)
	{
		if (CONTAINER_OF(node, struct item, node)->number % 2)
			list_remove(node);
	}
	assert_int_equal(sum_in_order(&head), 24);
}

static void test_splice_moves_everything_to_the_end(void **state)
{
	struct item first[2], second[2];
	struct list a, b;

	(void)state;
	make(&a, first, 2, 1);
	make(&b, second, 2, 3);
	list_splice(&a, &b);
	assert_int_equal(sum_in_order(&a), 1234);
	assert_true(list_empty(&b));
	list_splice(&a, &b);
	assert_int_equal(sum_in_order(&a), 1234);
	list_splice(&b, &a);
	assert_int_equal(sum_in_order(&b), 1234);
	assert_true(list_empty(&a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nodes_stay_in_order),
	    cmocka_unit_test(test_removing_twice_is_legal),
	    cmocka_unit_test(test_the_current_node_may_go_while_walking),
	    cmocka_unit_test(test_splice_moves_everything_to_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
