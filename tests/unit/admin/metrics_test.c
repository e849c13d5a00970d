#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "admin/metrics.h"
#include "scene.h"

static const char config_text[] =
    "hosts: { h: { address = \"127.0.0.1\"; }; };\n"
    "tunnels: {\n"
    "  asleep: { via = \"h\"; local = \"127.0.0.1:5432\"; to = \"db:5432\"; enabled = false; };\n"
    "  lazy: { via = \"h\"; local = \"unix:@/lazy\"; to = \"db:1\"; connect = \"on-demand\"; };\n"
    "  keen: { via = \"h\"; local = \"unix:@/keen\"; to = \"db:1\"; };\n"
    "};\n";

static char *text_for(const char *error)
{
	struct scene scene;
	struct status_daemon daemon = {.config_path = "",
	    .generation = 3,
	    .loaded_at_ms = 1700000000042,
	    .config_error = error};

	scene_init(&scene, config_text);
	char *text = metrics_text(scene.manager, &daemon);
	scene_clear(&scene);
	return text;
}

static void test_every_metric_of_the_contract_is_there(void **state)
{
	static const char *const samples[] = {"adit_tunnel_up{tunnel=\"asleep\"} 0",
	    "adit_tunnel_wanted{tunnel=\"asleep\"} 0", "adit_tunnel_wanted{tunnel=\"lazy\"} 0",
	    "adit_tunnel_wanted{tunnel=\"keen\"} 1", "adit_link_up{host=\"h\"} 0",
	    "adit_link_rtt_seconds{host=\"h\"} ", "adit_link_reconnects_total{host=\"h\"} 0",
	    "adit_streams{tunnel=\"lazy\"} 0", "adit_streams_total{tunnel=\"lazy\"} 0",
	    "adit_stream_failures_total{reason=\"refused\",tunnel=\"lazy\"} 0",
	    "adit_stream_failures_total{reason=\"target\",tunnel=\"lazy\"} 0",
	    "adit_bytes_total{direction=\"in\",tunnel=\"lazy\"} 0",
	    "adit_bytes_total{direction=\"out\",tunnel=\"lazy\"} 0",
	    "adit_held_streams{tunnel=\"lazy\"} 0", "adit_config_last_reload_successful 1",
	    "adit_config_last_reload_success_timestamp_seconds 1700000000.042",
	    "adit_config_generation 3", "adit_build_info{version=\"" VERSION "\"} 1"};
	char *text = text_for("");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		char *line = str_format("\n%s", samples[i]);

		if (!strstr(text, line))
			fail_msg("%s is missing in\n%s", samples[i], text);
		free(line);
	}
	free(text);
}

static void test_a_refused_configuration_is_a_zero(void **state)
{
	char *text = text_for("/etc/adit/adit.conf:1: no");

	(void)state;
	assert_non_null(strstr(text, "\nadit_config_last_reload_successful 0\n"));
	free(text);
}

/* The format: each family's HELP and TYPE once and before its samples, which stand together; counters end in _total. */
static void test_the_text_is_prometheus_format(void **state)
{
	char *text = text_for(""), *rest = text, *line;
	char family[64] = "", type[16] = "";
	struct strbuf seen = {0};

	(void)state;
	assert_int_equal(text[strlen(text) - 1], '\n');
	while ((line = strsep(&rest, "\n")) && rest) {
		if (sscanf(line, "# HELP %63s", family) == 1) {
			char *mark = str_format(" %s ", family);

			assert_null(strstr(strbuf_text(&seen), mark));
			strbuf_add(&seen, mark);
			free(mark);
			continue;
		}
		if (strncmp(line, "# TYPE", 6) == 0) {
			char name[64];

			assert_int_equal(sscanf(line, "# TYPE %63s %15s", name, type), 2);
			assert_string_equal(name, family);
			assert_int_equal(strcmp(type, "counter") == 0,
			    strcmp(name + strlen(name) - 6, "_total") == 0);
			continue;
		}
		size_t n = strcspn(line, "{ ");
		assert_int_equal(strncmp(line, family, n), 0);
		assert_int_equal(strlen(family), n);
		assert_true(isdigit((unsigned char)line[strlen(line) - 1]));
	}
	strbuf_clear(&seen);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_metric_of_the_contract_is_there),
	    cmocka_unit_test(test_a_refused_configuration_is_a_zero),
	    cmocka_unit_test(test_the_text_is_prometheus_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
