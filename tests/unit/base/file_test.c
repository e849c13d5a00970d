#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/str.h"

static char folder[] = "/tmp/adit-file-test.XXXXXX";
static char *path;

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	path = str_format("%s/it", folder);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	free(path);
	return rmdir(folder);
}

static void put(const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static void expect_text(const char *text)
{
	struct wr w = WR_INIT;
	struct err e = ERR_INIT;

	assert_int_equal(file_read(path, 100, &w, NULL, &e), 0);
	assert_true(span_is(wr_span(&w), text));
	wr_clear(&w);
}

static void test_a_file_is_read_up_to_its_bound(void **state)
{
	struct wr w = WR_INIT;
	struct stat st;
	struct err e = ERR_INIT;

	(void)state;
	put("12345", 0640);
	wr_u8(&w, '>');
	assert_int_equal(file_read(path, 5, &w, &st, &e), 0);
	assert_true(span_is(wr_span(&w), ">12345"));
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(file_read(path, 4, &w, NULL, &e), ERR_CONFIG);
	assert_int_equal(errno, 0);
	assert_non_null(strstr(e.text, "larger than 4 bytes"));
	wr_clear(&w);
}

static void test_what_is_no_file_says_what_it_is(void **state)
{
	struct wr w = WR_INIT;
	struct err e = ERR_INIT;

	(void)state;
	unlink(path);
	assert_int_equal(file_read(path, 5, &w, NULL, &e), ERR_CONFIG);
	assert_int_equal(errno, ENOENT);
	assert_non_null(strstr(e.text, path));
	err_clear(&e);
	assert_int_equal(file_read(folder, 5, &w, NULL, &e), ERR_CONFIG);
	assert_non_null(strstr(e.text, "directory"));
	err_clear(&e);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(file_read(path, 5, &w, NULL, &e), ERR_CONFIG);
	assert_non_null(strstr(e.text, "is not a file"));
	unlink(path);
	assert_int_equal(file_read("/dev/null", 5, &w, NULL, NULL), 0);
	assert_int_equal(w.n, 0);
}

static void test_a_replaced_file_keeps_its_mode(void **state)
{
	struct stat st;

	(void)state;
	put("old", 0644);
	assert_int_equal(file_replace(path, SPAN_LITERAL("new"), 0600, NULL), 0);
	expect_text("new");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	unlink(path);
	assert_int_equal(file_replace(path, SPAN_LITERAL("first"), 0600, NULL), 0);
	expect_text("first");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_a_symbolic_link_stays_one(void **state)
{
	char *link_path = str_format("%s/link", folder);
	struct stat st;

	(void)state;
	put("old", 0600);
	assert_int_equal(symlink(path, link_path), 0);
	assert_int_equal(file_replace(link_path, SPAN_LITERAL("new"), 0600, NULL), 0);
	expect_text("new");
	assert_int_equal(lstat(link_path, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	unlink(link_path);
	free(link_path);
}

/* /dev/null, say. */
static void test_what_is_no_file_is_not_replaced(void **state)
{
	struct err e = ERR_INIT;
	struct stat st;

	(void)state;
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(file_replace(path, SPAN_LITERAL("new"), 0600, &e), ERR_LOCAL);
	assert_non_null(strstr(e.text, "not a regular file"));
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	unlink(path);
}

static void test_a_file_that_cannot_be_written_says_so(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(
	    file_replace("/nonexistent/folder/x", SPAN_LITERAL("x"), 0600, &e), ERR_LOCAL);
	assert_non_null(strstr(e.text, "/nonexistent/folder/x"));
}

static void test_a_replaced_file_keeps_its_owner(void **state)
{
	struct stat st;

	(void)state;
	if (geteuid() != 0)
		skip();
	put("old", 0600);
	assert_int_equal(chown(path, 4711, 4712), 0);
	assert_int_equal(file_replace(path, SPAN_LITERAL("new"), 0600, NULL), 0);
	expect_text("new");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 4711);
	assert_int_equal(st.st_gid, 4712);
}

static size_t files_in_folder(void)
{
	DIR *d = opendir(folder);
	size_t count = 0;

	assert_non_null(d);
	for (const struct dirent *entry; (entry = readdir(d));)
		count += entry->d_name[0] != '.';
	closedir(d);
	return count;
}

/* As on a disk that is full. */
static void test_a_file_that_has_no_room_stays_as_it_was(void **state)
{
	struct err e = ERR_INIT;
	struct rlimit before, small;

	(void)state;
	put("old", 0600);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = (struct rlimit){.rlim_cur = 4, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	int rc = file_replace(path, SPAN_LITERAL("too long"), 0600, &e);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(rc, ERR_LOCAL);
	assert_non_null(strstr(e.text, "cannot be written: File too large"));
	expect_text("old");
	assert_int_equal(files_in_folder(), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_file_is_read_up_to_its_bound),
	    cmocka_unit_test(test_what_is_no_file_says_what_it_is),
	    cmocka_unit_test(test_a_replaced_file_keeps_its_mode),
	    cmocka_unit_test(test_a_replaced_file_keeps_its_owner),
	    cmocka_unit_test(test_a_symbolic_link_stays_one),
	    cmocka_unit_test(test_what_is_no_file_is_not_replaced),
	    cmocka_unit_test(test_a_file_that_cannot_be_written_says_so),
	    cmocka_unit_test(test_a_file_that_has_no_room_stays_as_it_was),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
