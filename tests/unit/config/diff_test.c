/*
 * Plans: what a reload does, read as data and as lines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "config/diff.h"
#include "config/keys.h"
#include "config/read.h"

#define HOSTS \
	"hosts: { a: { user = \"u\"; }; b: { user = \"u\"; via = \"a\"; }; c: { user = \"u\"; " \
	"via = \"b\"; }; };\n"
#define BASE \
	HOSTS "tunnels: { x: { via = \"a\"; local = \"1\"; to = \"h:1\"; };\n" \
	      "y: { via = \"b\"; forwards = ( { local = \"2\"; to = \"h:2\"; }, { socks = \"3\"; " \
	      "} ); }; };"

static struct config *read_text(const char *text)
{
	struct config_errors errors = {0};
	struct config *config = text ? config_read_text(text, "/x", &errors) : NULL;

	if (errors.n > 0)
		fail_msg("%d: %s", errors.v[0].line, errors.v[0].text);
	return config;
}

/* Compares the lines of the plan, joined by newlines. */
static void assert_plan(const char *old_text, const char *new_text, const char *wanted)
{
	struct config *old = read_text(old_text), *new = read_text(new_text);
	struct config_plan *plan = config_diff(old, new);
	struct config_strings lines = {0};
	struct strbuf all = {0};

	config_plan_lines(plan, &lines);
	for (size_t i = 0; i < lines.n; i++)
		strbuf_addf(&all, "%s\n", lines.v[i]);
	assert_string_equal(strbuf_text(&all), wanted);
	strbuf_clear(&all);
	config_strings_clear(&lines);
	config_plan_free(plan);
	config_unref(old);
	config_unref(new);
}

static void test_the_same_file_changes_nothing(void **state)
{
	(void)state;
	assert_plan(BASE, BASE, "= 2 unchanged\n");
	assert_plan(BASE, "\n\n# moved down\n" BASE, "= 2 unchanged\n");
}

static void test_at_the_first_start_all_is_added(void **state)
{
	(void)state;
	assert_plan(
	    NULL, BASE, "+ host a\n+ host b\n+ host c\n+ tunnel x\n+ tunnel y\n= 0 unchanged\n");
}

static void test_what_is_gone_goes_last_and_hosts_after_tunnels(void **state)
{
	(void)state;
	assert_plan(BASE,
	    "hosts: { n: { user = \"u\"; }; }; tunnels: { z: { via = \"n\"; socks = \"9\"; }; };",
	    "+ host n\n+ tunnel z\n- tunnel x\n- tunnel y\n- host a\n- host b\n- host c\n= 0 "
	    "unchanged\n");
}

static void test_a_changed_target_is_a_change_in_place(void **state)
{
	struct config *old = read_text(BASE);
	struct config *new = read_text(HOSTS
	    "tunnels: { x: { via = \"a\"; local = \"1\"; to = \"other:1\"; max_streams = 3; };\n"
	    "y: { via = \"b\"; forwards = ( { socks = \"3\"; }, { local = \"2\"; to = \"h:2\"; } "
	    "); }; };");
	struct config_plan *plan = config_diff(old, new);

	(void)state;
	assert_int_equal(plan->n, 1);
	assert_int_equal(plan->unchanged, 1);
	assert_int_equal(plan->v[0].kind, CONFIG_FORWARD_CHANGED);
	assert_ptr_equal(plan->v[0].old_forward, &old->tunnels[0].forwards[0]);
	assert_ptr_equal(plan->v[0].new_forward, &new->tunnels[0].forwards[0]);
	assert_int_equal(plan->v[0].key_count, 2);
	assert_string_equal(plan->v[0].keys[0], "to");
	assert_string_equal(plan->v[0].keys[1], "max_streams");
	config_plan_free(plan);
	config_unref(old);
	config_unref(new);
	assert_plan(BASE,
	    HOSTS "tunnels: { x: { via = \"a\"; local = \"1\"; to = \"other:1\"; };\n"
		  "y: { via = \"b\"; forwards = ( { local = \"2\"; to = \"h:2\"; }, { socks = "
		  "\"3\"; } ); }; };",
	    "~ tunnel x: to\n= 1 unchanged\n");
}

static void test_a_changed_listener_is_bound_before_the_old_one_goes(void **state)
{
	struct config *old = read_text(BASE);
	struct config *new =
	    read_text(HOSTS "tunnels: { x: { via = \"a\"; local = \"11\"; to = \"h:1\"; };\n"
			    "y: { via = \"b\"; forwards = ( { local = \"2\"; to = \"h:2\"; }, { "
			    "socks = \"3\"; } ); }; };");
	struct config_plan *plan = config_diff(old, new);

	(void)state;
	assert_int_equal(plan->n, 2);
	assert_int_equal(plan->v[0].kind, CONFIG_FORWARD_ADDED);
	assert_string_equal(plan->v[0].new_forward->listen.text, "localhost:11");
	assert_int_equal(plan->v[1].kind, CONFIG_FORWARD_REMOVED);
	assert_string_equal(plan->v[1].old_forward->listen.text, "localhost:1");
	config_plan_free(plan);
	config_unref(old);
	config_unref(new);
}

static void test_lines_name_what_changed_in_a_tunnel(void **state)
{
	(void)state;
	assert_plan(BASE,
	    HOSTS "tunnels: { x: { via = \"a\"; local = \"11\"; to = \"h:1\"; };\n"
		  "y: { via = \"b\"; hold_timeout = 1; forwards = ( { local = \"2\"; to = \"h:3\"; "
		  "}, { socks = \"4\"; } ); }; };",
	    "~ tunnel x: local\n"
	    "~ tunnel y: hold_timeout, local localhost:2: to, + socks localhost:4, - socks "
	    "localhost:3\n"
	    "= 0 unchanged\n");
	assert_plan(BASE,
	    HOSTS "tunnels: { x: { via = \"c\"; remote = \"1\"; to = \"h:1\"; };\n"
		  "y: { via = \"b\"; forwards = ( { local = \"2\"; to = \"h:2\"; }, { socks = "
		  "\"3\"; } ); }; };",
	    "~ tunnel x: via, + remote localhost:1, - local localhost:1\n= 1 unchanged\n");
}

static void test_a_default_that_is_written_out_changes_nothing(void **state)
{
	(void)state;
	assert_plan("hosts: { a: { user = \"u\"; }; };",
	    "hosts: { a: { user = \"u\"; rekey_bytes = 1073741824; }; };", "= 0 unchanged\n");
}

static void test_a_listener_that_moves_hides_no_other_key(void **state)
{
	(void)state;
	assert_plan(HOSTS
	    "tunnels: { x: { via = \"a\"; local = \"1\"; to = \"h:1\"; max_streams = 5; }; };",
	    HOSTS
	    "tunnels: { x: { via = \"a\"; local = \"2\"; to = \"h:2\"; max_streams = 6; }; };",
	    "~ tunnel x: local, to, max_streams\n= 0 unchanged\n");
}

static void test_another_mode_needs_the_listener_anew(void **state)
{
	struct config *old =
	    read_text(HOSTS "tunnels: { x: { via = \"a\"; socks = \"unix:/s\"; }; };");
	struct config *new = read_text(
	    HOSTS "tunnels: { x: { via = \"a\"; socks = \"unix:/s\"; mode = \"0666\"; }; };");
	struct config_plan *plan = config_diff(old, new);

	(void)state;
	assert_int_equal(plan->n, 1);
	assert_int_equal(plan->v[0].kind, CONFIG_FORWARD_REBOUND);
	config_plan_free(plan);
	config_unref(old);
	config_unref(new);
}

static void test_a_changed_host_is_relinked_and_all_that_jump_through_it(void **state)
{
	(void)state;
	assert_plan("hosts: { c: { user = \"u\"; via = \"b\"; }; b: { user = \"u\"; via = \"a\"; "
		    "}; a: { user = \"u\"; }; };",
	    "hosts: { c: { user = \"u\"; via = \"b\"; }; b: { user = \"u\"; via = \"a\"; }; a: { "
	    "user = \"v\"; }; };",
	    "~ host a: user (new link)\n~ host b: via a (new link)\n~ host c: via b (new link)\n= "
	    "0 unchanged\n");
}

/* The default list is what exists of it, and all keys of the agent; the same list spelled out is that list alone. */
static void test_the_default_identity_spelled_out_is_a_change(void **state)
{
	static const char spelled_out[] =
	    "hosts: { a: { user = \"u\"; identity = [\"~/.ssh/id_ed25519\", \"~/.ssh/id_ecdsa\", "
	    "\"~/.ssh/id_rsa\"]; }; };";

	(void)state;
	setenv("HOME", "/home/me", 1);
	assert_plan("hosts: { a: { user = \"u\"; }; };", spelled_out,
	    "~ host a: identity (new link)\n= 0 unchanged\n");
	assert_plan(spelled_out, spelled_out, "= 0 unchanged\n");
}

static void test_limits_of_a_host_change_in_place(void **state)
{
	(void)state;
	assert_plan("hosts: { a: { user = \"u\"; }; b: { user = \"u\"; via = \"a\"; }; };",
	    "hosts: { a: { user = \"u\"; keepalive_interval = 5; reconnect_max = 9; }; b: { user = "
	    "\"u\"; via = \"a\"; }; };",
	    "~ host a: keepalive_interval, reconnect_max\n= 0 unchanged\n");
}

static void test_the_top_level_is_named_by_key(void **state)
{
	(void)state;
	assert_plan(BASE, "log_level = \"debug\"; drain_timeout = 3;" BASE,
	    "~ log_level\n~ drain_timeout\n= 2 unchanged\n");
}

static void test_forwards_of_port_0_pair_up_in_their_order(void **state)
{
	static const char two[] =
	    HOSTS "tunnels: { x: { via = \"a\"; forwards = ( { local = \"0\"; to = \"h:1\"; }, { "
		  "local = \"0\"; to = \"h:2\"; } ); }; };";
	static const char one[] = HOSTS
	    "tunnels: { x: { via = \"a\"; forwards = ( { local = \"0\"; to = \"h:1\"; } ); }; };";

	(void)state;
	assert_plan(two, two, "= 1 unchanged\n");
	assert_plan(two, one, "~ tunnel x: - local localhost:0\n= 0 unchanged\n");
}

static void test_the_listener_of_a_renamed_tunnel_is_found(void **state)
{
	struct config *old = read_text(BASE);
	struct config *new =
	    read_text(HOSTS "tunnels: { renamed: { via = \"a\"; local = \"1\"; to = \"h:1\"; }; r: "
			    "{ via = \"a\"; remote = \"2\"; to = \"h:1\"; }; };");

	(void)state;
	assert_ptr_equal(config_find_listener(old, &new->tunnels[0].forwards[0].listen),
	    &old->tunnels[0].forwards[0]);
	assert_null(config_find_listener(new, &old->tunnels[1].forwards[0].listen));
	config_unref(old);
	config_unref(new);
}

static char *thousand_tunnels(const char *last_target)
{
	struct strbuf text = {0};

	strbuf_add(&text, HOSTS "tunnels: {\n");
	for (int i = 0; i < 1000; i++)
		strbuf_addf(&text, "t%d: { via = \"a\"; local = \"%d\"; to = \"%s:1\"; };\n", i,
		    10000 + i, i == 999 ? last_target : "h");
	strbuf_add(&text, "};\n");
	return strbuf_take(&text);
}

static void test_one_change_in_a_thousand_is_one_operation(void **state)
{
	char *old = thousand_tunnels("h"), *new = thousand_tunnels("other");

	(void)state;
	assert_plan(old, new, "~ tunnel t999: to\n= 999 unchanged\n");
	free(old);
	free(new);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_same_file_changes_nothing),
	    cmocka_unit_test(test_at_the_first_start_all_is_added),
	    cmocka_unit_test(test_what_is_gone_goes_last_and_hosts_after_tunnels),
	    cmocka_unit_test(test_a_changed_target_is_a_change_in_place),
	    cmocka_unit_test(test_a_changed_listener_is_bound_before_the_old_one_goes),
	    cmocka_unit_test(test_lines_name_what_changed_in_a_tunnel),
	    cmocka_unit_test(test_a_listener_that_moves_hides_no_other_key),
	    cmocka_unit_test(test_a_default_that_is_written_out_changes_nothing),
	    cmocka_unit_test(test_another_mode_needs_the_listener_anew),
	    cmocka_unit_test(test_a_changed_host_is_relinked_and_all_that_jump_through_it),
	    cmocka_unit_test(test_the_default_identity_spelled_out_is_a_change),
	    cmocka_unit_test(test_limits_of_a_host_change_in_place),
	    cmocka_unit_test(test_the_top_level_is_named_by_key),
	    cmocka_unit_test(test_forwards_of_port_0_pair_up_in_their_order),
	    cmocka_unit_test(test_the_listener_of_a_renamed_tunnel_is_found),
	    cmocka_unit_test(test_one_change_in_a_thousand_is_one_operation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
