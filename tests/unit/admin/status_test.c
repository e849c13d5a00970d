#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "admin/status.h"
#include "base/clock.h"
#include "base/log.h"
#include "scene.h"

/* Tunnels: one stopped, one on demand, one whose listener cannot be opened, one with long places, one with letters of two to four
 * bytes. */
static const char config_text[] =
    "hosts: { h: { address = \"127.0.0.1\"; }; bastion-of-eu-west-one: { address = \"127.0.0.1\"; "
    "}; };\n"
    "tunnels: {\n"
    "  asleep: { via = \"h\"; local = \"127.0.0.1:5432\"; to = \"db:5432\"; enabled = false; };\n"
    "  lazy: { via = \"h\"; local = \"unix:@/lazy\"; to = \"db:1\"; connect = \"on-demand\"; "
    "required = false; };\n"
    "  broken: { via = \"h\"; local = \"unix:@/no <b>\\\"such\\\"</b> folder/x\"; to = \"db:2\"; "
    "connect = \"on-demand\"; };\n"
    "  a-name-that-is-longer-than-any-terminal-has-room-for-it-or-anybody-would-like-to-read: {\n"
    "    via = \"bastion-of-eu-west-one\"; socks = "
    "\"unix:@/abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz\";\n"
    "    connect = \"on-demand\"; };\n"
    "  ports: { via = \"h\"; local = "
    "\"unix:@/"
    "verr\xc3\xbc\xc3\xa4\xc3\xb6\xe2\x82\xac\xe6\xb8\xaf\xf0\x9f\x9a\xa2\xc3\xbc\xc3\xa4\xc3\xb6"
    "\xc3\x9f/x\";\n"
    "    to = \"db:3\"; connect = \"on-demand\"; };\n"
    "  pair: { via = \"h\"; enabled = false; forwards = (\n"
    "    { local = \"127.0.0.1:5001\"; to = \"db:1\"; }, { socks = \"127.0.0.1:5002\"; }); };\n"
    "};\n";

static const struct status_filter all = {0};
static struct status_daemon daemon_facts = {.config_path = "/etc/adit/adit.conf",
    .generation = 3,
    .loaded_at_ms = 1700000000042,
    .tried_at_ms = 1700000001007,
    .config_error = ""};
static struct scene scene;

static void swallow(void *arg, enum log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

static int setup(void **state)
{
	(void)state;
	clock_fake_start(1000, 1700000000);
	log_set_sink(swallow, NULL);
	scene_init(&scene, config_text);
	loop_pass(scene.loop, LOOP_NO_WAIT);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scene_clear(&scene);
	log_set_sink(NULL, NULL);
	clock_fake_stop();
	return 0;
}

static void test_the_document_has_every_word_of_the_contract(void **state)
{
	static const char *const words[] = {"version", "pid", "ready", "config", "path",
	    "generation", "loaded_at", "error", "hosts", "name", "state", "reason", "address",
	    "since", "rtt_ms", "kex", "cipher", "host_key", "post_quantum", "reconnects",
	    "next_try_s", "bytes_in", "bytes_out", "tunnels", "via", "forwards", "kind", "listen",
	    "to", "streams", "streams_total", "held", "refused"};
	char *text = status_json(scene.manager, &daemon_facts, &all);

	(void)state;
	assert_true(json_is_valid(text));
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		char *key = str_format("\"%s\":", words[i]);

		if (!strstr(text, key))
			fail_msg("%s is missing", words[i]);
		free(key);
	}
	assert_non_null(
	    strstr(text, "\"config\":{\"path\":\"/etc/adit/adit.conf\",\"generation\":3,"
			 "\"loaded_at\":\"2023-11-14T22:13:20.042Z\","
			 "\"tried_at\":\"2023-11-14T22:13:21.007Z\",\"error\":\"\"}"));
	assert_non_null(strstr(text, "{\"name\":\"asleep\",\"state\":\"stopped\""));
	assert_non_null(strstr(text, "\"state\":\"idle\",\"reason\":\"the link is not wanted"));
	free(text);
}

static void test_quotes_in_a_reason_do_not_end_the_string(void **state)
{
	char *text = status_json(scene.manager, &daemon_facts, &all);

	(void)state;
	assert_true(json_is_valid(text));
	assert_non_null(strstr(text, "no <b>\\\"such\\\"</b> folder"));
	free(text);
}

static void test_streams_are_a_list_even_when_there_are_none(void **state)
{
	char *text = status_streams_json(scene.manager, &all);

	(void)state;
	assert_string_equal(text, "{\"streams\":[]}\n");
	free(text);
}

static size_t longest_line(const char *text)
{
	size_t longest = 0;

	for (; *text; text += strcspn(text, "\n"), text += *text == '\n') {
		size_t n = strcspn(text, "\n");

		longest = n > longest ? n : longest;
	}
	return longest;
}

static void test_the_table_fits_its_width(void **state)
{
	static const size_t widths[] = {72, 80, 132};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(widths); i++) {
		char *text =
		    status_table(scene.manager, &daemon_facts, &all, widths[i], STATUS_PLAIN);

		if (longest_line(text) > widths[i])
			fail_msg("wider than %zu:\n%s", widths[i], text);
		assert_non_null(strstr(text, "asleep"));
		assert_non_null(strstr(text, "broken"));
		assert_non_null(strstr(text, "directory"));
		free(text);
	}
}

static void test_a_narrow_table_is_no_wider_than_it_must_be(void **state)
{
	static const size_t widths[] = {40, 60, 68};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(widths); i++) {
		char *text =
		    status_table(scene.manager, &daemon_facts, &all, widths[i], STATUS_PLAIN);

		if (longest_line(text) > 68)
			fail_msg("wider than 68 for %zu:\n%s", widths[i], text);
		free(text);
	}
}

static void test_forwards_of_one_tunnel_have_their_own_counts(void **state)
{
	char *text = status_table(scene.manager, &daemon_facts, &all, 0, STATUS_PLAIN);

	(void)state;
	assert_non_null(
	    strstr(text, "\n  local 127.0.0.1:5001 -> db:1  waiting  0 streams  in 0  out 0\n"));
	assert_non_null(
	    strstr(text, "\n  socks 127.0.0.1:5002  waiting  0 streams  in 0  out 0\n"));
	assert_non_null(strstr(text, "\n  local 127.0.0.1:5432 -> db:5432  waiting\n"));
	free(text);
}

static void test_no_character_is_cut_in_two(void **state)
{
	(void)state;
	for (size_t width = 40; width < 200; width++) {
		char *text = status_table(scene.manager, &daemon_facts, &all, width, STATUS_PLAIN);
		struct strbuf json = {0};

		strbuf_add_json(&json, span_of(text));
		assert_null(strstr(strbuf_text(&json), "\xef\xbf\xbd"));
		strbuf_clear(&json);
		free(text);
	}
}

static void test_without_a_width_nothing_is_cut_or_broken(void **state)
{
	char *text = status_table(scene.manager, &daemon_facts, &all, 0, STATUS_PLAIN);
	char *socks =
	    str_format("\n  socks unix:%s/abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz  ",
		scene.folder);

	(void)state;
	assert_null(strstr(text, ".."));
	assert_non_null(strstr(text, "\na-name-that-is-longer-than-any-terminal-has-room-for-it-or-"
				     "anybody-would-like-to-read"
				     "  "));
	assert_non_null(strstr(text, "  bastion-of-eu-west-one  "));
	assert_non_null(strstr(text, socks));
	free(socks);
	free(text);
}

static void test_colours_are_only_given_when_asked_for(void **state)
{
	char *plain = status_table(scene.manager, &daemon_facts, &all, 80, STATUS_PLAIN);
	char *colour = status_table(scene.manager, &daemon_facts, &all, 80, STATUS_COLOUR);

	(void)state;
	assert_null(strchr(plain, '\x1b'));
	assert_non_null(strstr(colour, "\x1b["));
	free(plain);
	free(colour);
}

static void test_names_are_patterns(void **state)
{
	static const char *const names[] = {"la?y", "ASLEEP"};
	struct status_filter some = {names, 2};
	char *text = status_table(scene.manager, &daemon_facts, &some, 80, STATUS_PLAIN);

	(void)state;
	assert_non_null(strstr(text, "\nlazy "));
	assert_null(strstr(text, "asleep"));
	free(text);
	text = status_json(scene.manager, &daemon_facts, &some);
	assert_non_null(strstr(text, "\"name\":\"lazy\""));
	assert_null(strstr(text, "\"name\":\"asleep\""));
	free(text);
	assert_string_equal(status_filter_unknown(&some, scene.manager), "ASLEEP");
	some.count = 1;
	assert_null(status_filter_unknown(&some, scene.manager));
	assert_null(status_filter_unknown(&all, scene.manager));
}

static void test_a_refused_configuration_is_said_first(void **state)
{
	struct status_daemon refused = daemon_facts;

	(void)state;
	refused.config_error = "/etc/adit/adit.conf:3: unknown key \"prot\"\n/etc/adit/x:1: two";
	char *text = status_table(scene.manager, &refused, &all, 80, STATUS_PLAIN);
	assert_true(strncmp(text, "the configuration could not be read again", 40) == 0);
	assert_non_null(strstr(text, "\n  /etc/adit/x:1: two\n"));
	free(text);
	text = status_json(scene.manager, &refused, &all);
	assert_true(json_is_valid(text));
	assert_non_null(strstr(text, "unknown key \\\"prot\\\"\\u000a/etc"));
	free(text);
}

static void test_only_required_tunnels_are_reasons_not_to_be_ready(void **state)
{
	char *text = status_unready_reasons(scene.manager, &daemon_facts);

	(void)state;
	assert_non_null(strstr(text, "tunnel broken is down: "));
	assert_null(strstr(text, "asleep"));
	assert_null(strstr(text, "lazy"));
	free(text);
}

static void test_who_waits_for_demand_is_no_reason_not_to_be_ready(void **state)
{
	char *text = status_unready_reasons(scene.manager, &daemon_facts);

	(void)state;
	assert_non_null(strstr(text, "tunnel broken is down: "));
	assert_null(strstr(text, "a-name-that-is-longer"));
	free(text);
}

/* `ready = "started"` */
static void test_there_are_no_reasons_while_it_is_ready(void **state)
{
	struct status_daemon ready = daemon_facts;

	(void)state;
	ready.ready = true;
	char *text = status_unready_reasons(scene.manager, &ready);
	assert_string_equal(text, "");
	free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_the_document_has_every_word_of_the_contract),
	    TEST(test_quotes_in_a_reason_do_not_end_the_string),
	    TEST(test_streams_are_a_list_even_when_there_are_none),
	    TEST(test_the_table_fits_its_width),
	    TEST(test_a_narrow_table_is_no_wider_than_it_must_be),
	    TEST(test_forwards_of_one_tunnel_have_their_own_counts),
	    TEST(test_no_character_is_cut_in_two),
	    TEST(test_without_a_width_nothing_is_cut_or_broken),
	    TEST(test_colours_are_only_given_when_asked_for),
	    TEST(test_names_are_patterns),
	    TEST(test_a_refused_configuration_is_said_first),
	    TEST(test_only_required_tunnels_are_reasons_not_to_be_ready),
	    TEST(test_who_waits_for_demand_is_no_reason_not_to_be_ready),
	    TEST(test_there_are_no_reasons_while_it_is_ready),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
