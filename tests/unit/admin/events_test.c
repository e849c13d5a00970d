#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "admin/events.h"
#include "base/clock.h"
#include "scene.h"

static void assert_event(const char *line, const char *expected)
{
	char *json = events_json(LOG_LEVEL_INFO, 1700000000042, line);
	char *whole =
	    str_format("{\"time\":\"2023-11-14T22:13:20.042Z\",\"level\":\"info\",%s}", expected);

	assert_string_equal(json, whole);
	assert_true(json_is_valid(json));
	free(whole);
	free(json);
}

static void test_words_and_pairs_become_members(void **state)
{
	(void)state;
	assert_event("link-up host=bastion kex=curve25519-sha256",
	    "\"event\":\"link-up\",\"host\":\"bastion\",\"kex\":\"curve25519-sha256\"");
	assert_event("stopped", "\"event\":\"stopped\"");
	assert_event("started path=", "\"event\":\"started\",\"path\":\"\"");
}

static void test_quoted_values_are_what_was_said(void **state)
{
	(void)state;
	assert_event("link-down reason=\"no route: \\\"x\\\" \\\\ y\" n=1",
	    "\"event\":\"link-down\",\"reason\":\"no route: \\\"x\\\" \\\\ y\",\"n\":\"1\"");
	assert_event("banner text=\"a\\nb\\x1b[2J\\xc2\\xa0\"",
	    "\"event\":\"banner\",\"text\":\"a\\u000ab\\u001b[2J\xc2\xa0\"");
}

static void test_a_line_that_ends_too_early_is_still_json(void **state)
{
	static const char line[] = "e a=\"x\\\"y\\n\\x1b \" b=c";

	(void)state;
	for (size_t n = 0; n < sizeof(line); n++) {
		char *part = mem_strndup(line, n);
		char *json = events_json(LOG_LEVEL_ERROR, 0, part);

		assert_true(json_is_valid(json));
		free(json);
		free(part);
	}
}

struct heard {
	struct events_listener listener;
	struct strbuf text;
};

static void on_event(void *arg, const char *line)
{
	struct heard *heard = arg;

	strbuf_addf(&heard->text, "%s\n", line);
	/* What a listener says is no event: it would never end. */
	log_info(NULL, "heard", "n=%d", 1);
}

static void swallow(void *arg, enum log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

static void test_who_listens_hears_the_log_until_it_stops(void **state)
{
	struct events *events = events_new();
	struct heard a = {.listener = {.on_event = on_event, .arg = &a}};
	struct heard b = {.listener = {.on_event = on_event, .arg = &b}};

	(void)state;
	log_info(NULL, "before", "n=%d", 0);
	events_listen(events, &a.listener);
	events_listen(events, &b.listener);
	log_info(NULL, "one", "peer=%s", "a b");
	log_debug(NULL, "quiet", "n=%d", 1);
	events_stop(&a.listener);
	events_stop(&a.listener);
	log_error(NULL, "two", "n=%d", 2);
	assert_string_equal(strbuf_text(&a.text),
	    "{\"time\":\"2023-11-14T22:13:20.000Z\",\"level\":\"info\",\"event\":\"one\",\"peer\":"
	    "\"a b\"}\n");
	assert_null(strstr(strbuf_text(&b.text), "heard"));
	assert_non_null(strstr(strbuf_text(&b.text), "\"level\":\"error\",\"event\":\"two\""));
	events_stop(&b.listener);
	events_free(events);
	log_info(NULL, "after", "n=%d", 3);
	strbuf_clear(&a.text);
	strbuf_clear(&b.text);
}

static int setup(void **state)
{
	(void)state;
	clock_fake_start(1000, 1700000000);
	log_set_sink(swallow, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	clock_fake_stop();
	log_set_sink(NULL, NULL);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_words_and_pairs_become_members),
	    cmocka_unit_test(test_quoted_values_are_what_was_said),
	    cmocka_unit_test(test_a_line_that_ends_too_early_is_still_json),
	    cmocka_unit_test_setup_teardown(
		test_who_listens_hears_the_log_until_it_stops, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
