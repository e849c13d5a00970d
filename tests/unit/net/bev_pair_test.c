#include "bev_rules.h"

static void make_pair(
    struct bev_rules_factory *factory, struct loop *loop, struct bufferevent *ret_ends[2])
{
	(void)factory;
	bev_pair_new(loop, ret_ends);
}

static void test_it_has_no_descriptor(void **state)
{
	struct loop *loop = loop_new();
	struct bufferevent *ends[2];

	(void)state;
	bev_pair_new(loop, ends);
	assert_int_equal(bev_socket_fd(ends[0]), -1);
	bev_socket_set_quickack(ends[0], BEV_QUICKACK_ON); /* does nothing */
	bev_free(ends[0]);
	bev_free(ends[1]);
	bev_rules_settle(loop);
	loop_free(loop);
}

static void test_hundreds_are_told_apart(void **state)
{
	struct loop *loop = loop_new();
	struct bufferevent *ends[300][2];
	void *owner, *other;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		bev_pair_new(loop, ends[i]);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		assert_string_equal(bev_kind(ends[i][0], &owner)->name, "pair");
		assert_non_null(bev_kind(ends[i][1], &other));
		assert_ptr_not_equal(owner, other);
	}
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		bev_free(ends[i][0]);
		assert_null(bev_kind(ends[i][0], &owner));
		bev_free(ends[i][1]);
	}
	bev_rules_settle(loop);
	loop_free(loop);
}

static void test_free_and_reset_of_nothing_are_legal(void **state)
{
	(void)state;
	bev_free(NULL);
	bev_reset(NULL);
}

int main(void)
{
	static struct bev_rules_factory pair = {
	    .make = make_pair, .reset = BEV_RULES_RESET_IS_AN_ERROR};
	const struct CMUnitTest tests[] = {
	    BEV_RULES_TESTS(&pair),
	    cmocka_unit_test(test_it_has_no_descriptor),
	    cmocka_unit_test(test_hundreds_are_told_apart),
	    cmocka_unit_test(test_free_and_reset_of_nothing_are_legal),
	};

	return cmocka_run_group_tests_name("net/bev_pair", tests, NULL, NULL);
}
