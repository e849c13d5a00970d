/*
 * The samples behind the page's graphs: one for each tunnel and host that there is, whatever a reload does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "admin/traffic.h"
#include "base/clock.h"
#include "scene.h"

#define HOST(name) "hosts: { " name ": { address = \"127.0.0.1\"; }; };\n"
#define TUNNEL(name, via) \
	name ": { via = \"" via "\"; local = \"unix:@/" name \
	     "\"; to = \"db:1\"; enabled = false; };\n"

static struct scene scene;
static struct traffic *traffic;

static int setup(void **state)
{
	(void)state;
	clock_fake_start(1000, 1700000000);
	scene_init(&scene, HOST("h") "tunnels: {" TUNNEL("a", "h") TUNNEL("b", "h") "};");
	traffic = traffic_new(scene.loop, scene.manager);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	traffic_free(traffic);
	scene_clear(&scene);
	clock_fake_stop();
	return 0;
}

/* The names in the order of the document, "a b / h"; and each has all its samples. Gives. */
static char *names(void)
{
	char *text = traffic_json(traffic);
	struct strbuf out = {0};
	size_t zeros = 0, series = 0;

	assert_true(json_is_valid(text));
	assert_int_equal(strncmp(text, "{\"interval_s\":5,\"tunnels\":[", 27), 0);
	for (const char *p = text; (p = strpbrk(p, "\"0")); p++) {
		if (strncmp(p, "\"name\":\"", 8) == 0) {
			strbuf_addf(&out, "%.*s ", (int)strcspn(p + 8, "\""), p + 8);
			series++;
		} else if (strncmp(p, "\"hosts\"", 7) == 0) {
			strbuf_add(&out, "/ ");
		} else if (*p == '0') {
			zeros++;
		}
	}
	assert_int_equal(zeros, series * TRAFFIC_SAMPLES);
	free(text);
	return strbuf_take(&out);
}

static void expect(const char *expected)
{
	char *found = names();

	assert_string_equal(found, expected);
	free(found);
}

static void test_the_first_sample_comes_after_an_interval(void **state)
{
	(void)state;
	expect("/ ");
	loop_fake_advance(scene.loop, TRAFFIC_INTERVAL_S * 1000);
	expect("a b / h ");
}

static void test_a_reload_is_followed_in_its_order(void **state)
{
	(void)state;
	loop_fake_advance(scene.loop, TRAFFIC_INTERVAL_S * 1000);
	scene_reload(&scene, HOST("i") "tunnels: {" TUNNEL("c", "i") TUNNEL("b", "i") "};");
	expect("a b / h ");
	loop_fake_advance(scene.loop, TRAFFIC_INTERVAL_S * 1000);
	expect("c b / i ");
	scene_reload(&scene, HOST("i") "tunnels: {" TUNNEL("b", "i") "};");
	loop_fake_advance(scene.loop, TRAFFIC_INTERVAL_S * 1000);
	expect("b / i ");
}

static void test_the_ring_goes_round(void **state)
{
	(void)state;
	for (int i = 0; i < 2 * TRAFFIC_SAMPLES + 1; i++)
		loop_fake_advance(scene.loop, TRAFFIC_INTERVAL_S * 1000);
	expect("a b / h ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_the_first_sample_comes_after_an_interval),
	    TEST(test_a_reload_is_followed_in_its_order),
	    TEST(test_the_ring_goes_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
