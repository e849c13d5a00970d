/*
 * When watched files say that they changed. That folders come and are replaced stands in tests/system/test_operation.py.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "command/watcher.h"
#include "config/errors.h"
#include "config/read.h"

static struct loop *loop;
static struct watcher *watcher;
static char folder[] = "/tmp/adit-[watcher]-XXXXXX"; /* which is no pattern */
static char *path;
static unsigned changes;

static void write_file(const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* As after a reload. */
static void follow(void)
{
	struct config_errors errors = {0};
	struct config *config = config_read(path, NULL, &errors);

	assert_non_null(config);
	watcher_follow(watcher, config);
	config_unref(config);
}

static void on_change(void *arg)
{
	(void)arg;
	changes++;
}

static void pass(uint64_t ms)
{
	loop_fake_advance(loop, 0); /* inotify's events first */
	loop_fake_advance(loop, ms);
}

static int setup(void **state)
{
	(void)state;
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	assert_non_null(mkdtemp(folder));
	path = str_format("%s/adit.conf", folder);
	clock_fake_start(1000000, 1700000000);
	loop = loop_new();
	watcher = watcher_new(loop, on_change, NULL);
	changes = 0;
	write_file("watch = true;\n");
	follow();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	watcher_free(watcher);
	loop_free(loop);
	clock_fake_stop();
	unlink(path);
	rmdir(folder);
	free(path);
	return 0;
}

static void test_a_change_is_told_once_it_is_quiet(void **state)
{
	(void)state;
	pass(1000);
	assert_int_equal(changes, 0);
	write_file("watch = true; #1\n");
	pass(150);
	write_file("watch = true; #2\n");
	pass(150);
	assert_int_equal(changes, 0);
	pass(50);
	assert_int_equal(changes, 1);
}

/* `generate >adit.conf` truncates it at once. */
static void test_a_file_that_is_being_written_is_not_read(void **state)
{
	int fd = open(path, O_WRONLY | O_TRUNC);
	char *other = str_format("%s/..data", folder);

	(void)state;
	pass(1000);
	close(open(other, O_WRONLY | O_CREAT, 0600)); /* another change meanwhile */
	unlink(other);
	pass(4900);
	assert_int_equal(changes, 0);
	assert_int_equal(write(fd, "watch = true;\n", 14), 14);
	pass(4900);
	assert_int_equal(changes, 0);
	close(fd);
	pass(200);
	assert_int_equal(changes, 1);
	/* Nor is it waited for without an end. */
	fd = open(path, O_WRONLY | O_TRUNC);
	pass(5000);
	assert_int_equal(changes, 2);
	close(fd);
	pass(200);
	assert_int_equal(changes, 3);
	free(other);
}

static void test_a_change_while_a_reload_reads_is_told_after_it(void **state)
{
	(void)state;
	write_file("watch = true; #1\n");
	follow();
	pass(200);
	assert_int_equal(changes, 1);
}

static void test_a_reload_does_not_take_a_change_away(void **state)
{
	(void)state;
	write_file("watch = true; #1\n");
	pass(100);
	follow();
	pass(200);
	assert_int_equal(changes, 1);
}

/* Kubernetes' "..data" counts beside the file, and nowhere above. */
static void test_two_dots_count_beside_the_file_alone(void **state)
{
	char *beside = str_format("%s/..data", folder),
	     *above = str_format("%s/../..data-%d", folder, (int)getpid());

	(void)state;
	close(open(above, O_WRONLY | O_CREAT, 0600));
	unlink(above);
	pass(1000);
	assert_int_equal(changes, 0);
	close(open(beside, O_WRONLY | O_CREAT, 0600));
	unlink(beside);
	pass(1000);
	assert_int_equal(changes, 1);
	free(beside);
	free(above);
}

/* Nothing happens then in the folder of the link. */
static void test_a_file_behind_a_link_is_watched_where_it_is(void **state)
{
	char *elsewhere = str_format("%s/elsewhere", folder),
	     *real = str_format("%s/x.conf", elsewhere);
	char *link_path = path;

	(void)state;
	assert_int_equal(mkdir(elsewhere, 0700), 0);
	assert_int_equal(rename(path, real), 0);
	assert_int_equal(symlink(real, path), 0);
	follow();
	pass(1000);
	changes = 0;
	path = real;
	write_file("watch = true; #1\n");
	path = link_path;
	pass(1000);
	assert_int_equal(changes, 1);
	unlink(real);
	rmdir(elsewhere);
	free(real);
	free(elsewhere);
}

static void test_who_does_not_watch_any_more_is_not_told(void **state)
{
	(void)state;
	write_file("watch = false;\n");
	follow();
	write_file("watch = true;\n");
	pass(1000);
	assert_int_equal(changes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		test_a_change_is_told_once_it_is_quiet, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_a_file_that_is_being_written_is_not_read, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_a_change_while_a_reload_reads_is_told_after_it, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_a_reload_does_not_take_a_change_away, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_two_dots_count_beside_the_file_alone, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_a_file_behind_a_link_is_watched_where_it_is, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_who_does_not_watch_any_more_is_not_told, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
