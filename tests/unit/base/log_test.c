#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum { LINES_MAX = 16 };

static char *lines[LINES_MAX];
static enum log_level line_levels[LINES_MAX];
static size_t line_count;

static void keep(void *arg, enum log_level level, const char *line)
{
	(void)arg;
	assert_true(line_count < LINES_MAX);
	line_levels[line_count] = level;
	lines[line_count++] = mem_strdup(line);
}

static int setup(void **state)
{
	(void)state;
	log_set_sink(keep, NULL);
	log_set_level(LOG_LEVEL_INFO);
	return 0;
}

static void forget_lines(void)
{
	while (line_count)
		free(lines[--line_count]);
}

static int teardown(void **state)
{
	(void)state;
	forget_lines();
	log_set_sink(NULL, NULL);
	return 0;
}

static void assert_only_line(const char *text)
{
	assert_int_equal(line_count, 1);
	assert_string_equal(lines[0], text);
}

static void test_a_line_is_an_event_and_its_values(void **state)
{
	(void)state;
	log_info(NULL, "link-up", "address=%s port=%u rtt_ms=%.1f", "192.0.2.7", 22u, 1.25);
	assert_only_line("link-up address=192.0.2.7 port=22 rtt_ms=1.2");
}

static void test_an_event_without_values_ends_after_its_word(void **state)
{
	(void)state;
	log_info(NULL, "stopping", "%s", "");
	log_info(NULL, "stopped", " ");
	assert_string_equal(lines[0], "stopping \"\"");
	assert_string_equal(lines[1], "stopped  ");
}

static void test_the_context_stands_outermost_first(void **state)
{
	struct log_context host = {.key = "host", .value = "bastion"};
	struct log_context forward = {.parent = &host, .key = "forward", .value = "a b"};
	struct log_context unnamed = {.parent = &forward, .key = "stream"};

	(void)state;
	log_info(&unnamed, "opened", "n=%d", 1);
	assert_only_line("opened host=bastion forward=\"a b\" stream=\"\" n=1");
}

static void test_what_a_peer_sent_stays_on_its_line(void **state)
{
	(void)state;
	log_info(NULL, "banner", "text=%s", "hello\n<3>fake event=x\x1b[2J");
	assert_only_line("banner text=\"hello\\n<3>fake event=x\\x1b[2J\"");
}

static void test_values_are_quoted_where_a_reader_would_stumble(void **state)
{
	(void)state;
	log_info(
	    NULL, "e", "a=%s b=%s c=%s d=%s e=%s", "plain", "", "x=y", "say \"hi\"", "back\\slash");
	assert_only_line("e a=plain b=\"\" c=\"x=y\" d=\"say \\\"hi\\\"\" e=\"back\\\\slash\"");
}

static void test_a_missing_string_is_empty(void **state)
{
	const char *volatile none = NULL;

	(void)state;
	log_info(NULL, "e", "a=%s", none);
	assert_only_line("e a=\"\"");
}

static void test_every_conversion_is_printed_as_printf_would(void **state)
{
	(void)state;
	log_info(NULL, "e",
	    "a=%d b=%u c=%08x d=%zu e=%" PRIu64 " f=%ld g=%g h=%c i=%c j=100%% "
	    "k=%llu l=%s",
	    -1, 4000000000u, 0xabcu, (size_t)5, UINT64_MAX, -6L, 0.5, 'x', '\n', 1ULL << 40, "end");
	assert_only_line("e a=-1 b=4000000000 c=00000abc d=5 e=18446744073709551615 f=-6 g=0.5 h=x "
			 "i=\\n j=100% k=1099511627776 l=end");
}

static void test_a_level_below_the_wanted_one_is_not_said(void **state)
{
	(void)state;
	log_debug(NULL, "no", "a=%d", 1);
	assert_int_equal(line_count, 0);
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug(NULL, "yes", "a=%d", 1);
	log_set_level(LOG_LEVEL_ERROR);
	log_warning(NULL, "no", "a=%d", 1);
	log_error(NULL, "yes", "a=%d", 2);
	assert_int_equal(line_count, 2);
	assert_int_equal(line_levels[0], LOG_LEVEL_DEBUG);
	assert_int_equal(line_levels[1], LOG_LEVEL_ERROR);
}

static void test_levels_have_the_configuration_s_names(void **state)
{
	enum log_level level;

	(void)state;
	for (int i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++) {
		assert_true(log_level_from_name(log_level_name((enum log_level)i), &level));
		assert_int_equal(level, i);
	}
	level = LOG_LEVEL_WARNING;
	assert_false(log_level_from_name("loud", &level));
	assert_false(log_level_from_name("", &level));
	assert_int_equal(level, LOG_LEVEL_WARNING);
}

static void say(struct log_repeat *repeat, const char *event, const char *reason)
{
	struct log_context who = {.key = "host", .value = "a"};

	log_unless_repeated(repeat, LOG_LEVEL_WARNING, &who, event, "reason=%s", reason);
}

static void test_repeats_are_counted_and_not_repeated(void **state)
{
	struct log_repeat repeat = {0};

	(void)state;
	for (int i = 0; i < 5; i++)
		say(&repeat, "link-down", "refused");
	say(&repeat, "link-down", "no route");
	say(&repeat, "link-up", "-");
	assert_int_equal(line_count, 4);
	assert_string_equal(lines[0], "link-down host=a reason=refused");
	assert_string_equal(lines[1], "link-down host=a repeated=4");
	assert_int_equal(line_levels[1], LOG_LEVEL_WARNING);
	assert_string_equal(lines[2], "link-down host=a reason=\"no route\"");
	assert_string_equal(lines[3], "link-up host=a reason=-");
}

static void test_the_counted_event_is_named_not_the_next_one(void **state)
{
	struct log_repeat repeat = {0};

	(void)state;
	say(&repeat, "link-down", "refused");
	say(&repeat, "link-down", "refused");
	say(&repeat, "link-up", "-");
	assert_int_equal(line_count, 3);
	assert_string_equal(lines[1], "link-down host=a repeated=1");
}

static void test_after_a_change_of_state_the_same_is_new(void **state)
{
	struct log_repeat repeat = {0};

	(void)state;
	say(&repeat, "link-down", "refused");
	say(&repeat, "link-down", "refused");
	log_repeat_end(&repeat, NULL);
	log_repeat_end(&repeat, NULL);
	say(&repeat, "link-down", "refused");
	assert_int_equal(line_count, 3);
	assert_string_equal(lines[1], "link-down repeated=1");
	assert_string_equal(lines[2], lines[0]);
}

static void test_lines_that_take_turns_are_counted_too(void **state)
{
	struct log_repeat repeat = {0};

	(void)state;
	for (int i = 0; i < 10; i++) {
		say(&repeat, "link-failed", "refused");
		say(&repeat, "link-failed", "reset");
	}
	assert_int_equal(line_count, 2);
	say(&repeat, "link-failed", "no route");
	assert_int_equal(line_count, 5);
	assert_string_equal(lines[2], "link-failed host=a repeated=9");
	assert_string_equal(lines[3], lines[2]);
}

static void test_what_went_well_in_between_is_new(void **state)
{
	struct log_repeat repeat = {0};

	(void)state;
	clock_fake_start(5000, 0);
	say(&repeat, "stream-failed", "refused");
	say(&repeat, "stream-failed", "refused");
	say(&repeat, "stream-refused", "not allowed");
	log_repeat_mend(&repeat, NULL, "stream-failed");
	say(&repeat, "stream-failed", "refused"); /* by turns, and fast */
	forget_lines();
	clock_fake_advance(1000);
	log_repeat_mend(&repeat, NULL, "stream-failed");
	say(&repeat, "stream-failed", "refused");
	say(&repeat, "stream-refused", "not allowed");
	clock_fake_stop();
	assert_int_equal(line_count, 2);
	assert_string_equal(lines[0], "stream-failed repeated=1");
	assert_string_equal(lines[1], "stream-failed host=a reason=refused");
}

static void test_what_was_not_said_is_not_counted(void **state)
{
	struct log_repeat repeat = {0};

	(void)state;
	for (int i = 0; i < 3; i++)
		log_unless_repeated(&repeat, LOG_LEVEL_DEBUG, NULL, "detail", "n=%d", 1);
	log_repeat_end(&repeat, NULL);
	assert_int_equal(line_count, 0);
}

static void test_a_count_is_as_important_as_what_it_counts(void **state)
{
	struct log_repeat repeat = {0};

	(void)state;
	log_set_level(LOG_LEVEL_DEBUG);
	for (int i = 0; i < 3; i++)
		log_unless_repeated(&repeat, LOG_LEVEL_DEBUG, NULL, "detail", "n=%d", 1);
	log_repeat_end(&repeat, NULL);
	assert_int_equal(line_count, 2);
	assert_string_equal(lines[1], "detail repeated=2");
	assert_int_equal(line_levels[1], LOG_LEVEL_DEBUG);
}

/* What stands on stderr while work runs, with the clock held still. */
static void read_from_stderr(void (*work)(int write_end, int read_end), char *ret_text, size_t size)
{
	int ends[2], saved = dup(STDERR_FILENO);

	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	log_set_sink(NULL, NULL);
	clock_fake_start(0, 1795375801);
	clock_fake_advance(123);
	work(ends[1], ends[0]);
	clock_fake_stop();
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(ends[1]);
	ssize_t n = read(ends[0], ret_text, size - 1);
	close(ends[0]);
	assert_true(n > 0);
	ret_text[n] = '\0';
}

static void test_an_observer_hears_info_whatever_the_level(void **state)
{
	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	log_set_sink(NULL, NULL);
	log_set_observer(keep, NULL);
	log_info(NULL, "link-up", "port=%u", 22u);
	log_debug(NULL, "detail", "port=%u", 22u);
	log_set_observer(NULL, NULL);
	log_info(NULL, "link-down", "port=%u", 22u);
	assert_only_line("link-up port=22");
	assert_int_equal(line_levels[0], LOG_LEVEL_INFO);
}

static void say_one_line(int write_end, int read_end)
{
	(void)write_end;
	(void)read_end;
	log_warning(NULL, "low", "n=%d", 3);
}

/* The journal is known from the first line on: the tests that write to stderr are without it. */
static void test_stderr_gets_time_and_level(void **state)
{
	char text[200];

	(void)state;
	unsetenv("JOURNAL_STREAM");
	read_from_stderr(say_one_line, text, sizeof(text));
	assert_string_equal(text, "2026-11-22T19:30:01.123Z warning low n=3\n");
}

static void say_lines_while_nobody_reads(int write_end, int read_end)
{
	static char bytes[4096];

	fcntl(write_end, F_SETFL, O_NONBLOCK);
	while (write(write_end, bytes, sizeof(bytes)) > 0)
		;
	fcntl(write_end, F_SETFL, 0);
	log_warning(NULL, "low", "n=%d", 1);
	log_warning(NULL, "low", "n=%d", 2);
	fcntl(read_end, F_SETFL, O_NONBLOCK);
	while (read(read_end, bytes, sizeof(bytes)) > 0)
		;
	log_warning(NULL, "low", "n=%d", 3);
}

static void say_lines_on_a_full_disk(int write_end, int read_end)
{
	int full = open("/dev/full", O_WRONLY), before = dup(STDERR_FILENO);

	(void)write_end;
	(void)read_end;
	assert_true(full >= 0);
	dup2(full, STDERR_FILENO);
	log_warning(NULL, "low", "n=%d", 1);
	log_warning(NULL, "low", "n=%d", 2);
	dup2(before, STDERR_FILENO);
	log_warning(NULL, "low", "n=%d", 3);
	close(full);
	close(before);
}

static void test_lines_that_found_no_room_on_a_disk_are_counted(void **state)
{
	char text[200];

	(void)state;
	unsetenv("JOURNAL_STREAM");
	read_from_stderr(say_lines_on_a_full_disk, text, sizeof(text));
	assert_string_equal(text, "2026-11-22T19:30:01.123Z warning log-lost lines=2\n"
				  "2026-11-22T19:30:01.123Z warning low n=3\n");
}

static void test_who_does_not_read_stderr_stops_nothing_and_is_told(void **state)
{
	char text[200];

	(void)state;
	unsetenv("JOURNAL_STREAM");
	read_from_stderr(say_lines_while_nobody_reads, text, sizeof(text));
	assert_string_equal(text, "2026-11-22T19:30:01.123Z warning log-lost lines=2\n"
				  "2026-11-22T19:30:01.123Z warning low n=3\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		test_a_line_is_an_event_and_its_values, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_an_event_without_values_ends_after_its_word, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_the_context_stands_outermost_first, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_what_a_peer_sent_stays_on_its_line, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_values_are_quoted_where_a_reader_would_stumble, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_missing_string_is_empty, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_every_conversion_is_printed_as_printf_would, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_a_level_below_the_wanted_one_is_not_said, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_levels_have_the_configuration_s_names, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_repeats_are_counted_and_not_repeated, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_the_counted_event_is_named_not_the_next_one, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_after_a_change_of_state_the_same_is_new, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_lines_that_take_turns_are_counted_too, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_what_went_well_in_between_is_new, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_what_was_not_said_is_not_counted, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_a_count_is_as_important_as_what_it_counts, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_an_observer_hears_info_whatever_the_level, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_stderr_gets_time_and_level, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_who_does_not_read_stderr_stops_nothing_and_is_told, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_lines_that_found_no_room_on_a_disk_are_counted, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
