#include "ssh/keyring.h"

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

#include "base/file.h"
#include "base/str.h"
#include "made_cert.h"

/* ---- a reader of files that counts ---- */

static int times_read;
static const char *failure;

struct key *keyfile_read(
    const char *path, const struct secret *passphrase, char **ret_comment, struct err *e)
{
	(void)passphrase;
	assert_null(ret_comment);
	times_read++;
	if (failure) {
		err_set(e, ERR_CONFIG, "%s: %s", path, failure);
		return NULL;
	}
	return make_ed25519(1);
}

/* ---- files ---- */

static char folder[] = "/tmp/adit-keyring-test.XXXXXX";
static char *path, *other_path;
static struct keyring *ring;
static struct secret secret, other_secret;

static void put(const char *to, const char *text)
{
	struct err e = ERR_INIT;

	if (file_replace(to, span_of(text), 0600, &e) < 0)
		fail_msg("%s", e.text);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	path = str_format("%s/key", folder);
	other_path = str_format("%s/other", folder);
	secret_set(&secret, "words", 5);
	secret_set(&other_secret, "other", 5);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	unlink(other_path);
	free(path);
	free(other_path);
	secret_clear(&secret);
	secret_clear(&other_secret);
	return rmdir(folder);
}

static int begin(void **state)
{
	(void)state;
	put(path, "one");
	put(other_path, "two");
	ring = keyring_new();
	times_read = 0;
	failure = NULL;
	return 0;
}

static int end(void **state)
{
	(void)state;
	keyring_free(ring);
	return 0;
}

/* Reads, and looks how often the file itself was read by now. */
static void expect_read(const char *from, const struct secret *passphrase, int times)
{
	struct err e = ERR_INIT;
	struct key *key = keyring_read(ring, from, passphrase, &e);

	assert_non_null(key);
	assert_true(key_is_private(key));
	assert_int_equal(times_read, times);
	key_free(key);
}

static void test_a_key_is_decrypted_once_while_its_file_stays_as_it_is(void **state)
{
	(void)state;
	expect_read(path, &secret, 1);
	expect_read(path, &secret, 1);
	expect_read(other_path, &secret, 2);
	expect_read(path, &secret, 2);
	expect_read(other_path, &secret, 2);
}

static void test_a_key_outlives_the_ring(void **state)
{
	struct wr signature = WR_INIT;

	(void)state;
	struct key *first = keyring_read(ring, path, &secret, NULL);
	struct key *second = keyring_read(ring, path, &secret, NULL);
	keyring_free(ring);
	ring = NULL;
	key_free(first);
	assert_int_equal(
	    key_sign(second, SPAN_LITERAL("ssh-ed25519"), SPAN_LITERAL("data"), &signature, NULL),
	    0);
	wr_clear(&signature);
	key_free(second);
}

static void test_a_file_that_was_replaced_is_read_again(void **state)
{
	(void)state;
	expect_read(path, &secret, 1);
	put(path, "eno"); /* as long as before */
	expect_read(path, &secret, 2);
	expect_read(path, &secret, 2);
}

static void test_a_file_that_was_written_to_is_read_again(void **state)
{
	(void)state;
	expect_read(path, &secret, 1);
	FILE *file = fopen(path, "a");
	assert_non_null(file);
	fputs("more", file);
	fclose(file);
	expect_read(path, &secret, 2);
}

static void test_a_file_with_another_time_is_read_again(void **state)
{
	struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000, .tv_nsec = 1}};

	(void)state;
	expect_read(path, &secret, 1);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	expect_read(path, &secret, 2);
}

/* Others may read it now: that is for the reader to refuse. */
static void test_a_file_with_another_mode_is_read_again(void **state)
{
	(void)state;
	expect_read(path, &secret, 1);
	/* The kernel's clock for files ticks slowly; until it has ticked the change has no other time. */
	struct stat before, now;
	assert_int_equal(stat(path, &before), 0);
	do {
		assert_int_equal(chmod(path, 0640), 0);
		assert_int_equal(stat(path, &now), 0);
	} while (before.st_ctim.tv_nsec == now.st_ctim.tv_nsec);
	failure = "is open to others";
	assert_null(keyring_read(ring, path, &secret, NULL));
	assert_int_equal(times_read, 2);
}

static void test_another_passphrase_is_tried(void **state)
{
	struct secret longer = {0};

	(void)state;
	secret_set(&longer, "words!", 6);
	expect_read(path, &secret, 1);
	expect_read(path, &other_secret, 2);
	expect_read(path, &longer, 3);
	expect_read(path, &longer, 3);
	secret_clear(&longer);
}

static void test_without_a_passphrase_nothing_is_kept(void **state)
{
	(void)state;
	expect_read(path, NULL, 1);
	expect_read(path, NULL, 2);
}

static void test_a_failure_is_not_kept(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	failure = "the passphrase is wrong";
	assert_null(keyring_read(ring, path, &secret, &e));
	assert_non_null(strstr(e.text, "the passphrase is wrong"));
	failure = NULL;
	expect_read(path, &secret, 2);
	/* nor does what was kept hide one */
	unlink(path);
	failure = "No such file or directory";
	assert_null(keyring_read(ring, path, &secret, NULL));
}

static bool is_path(void *arg, const char *wanted)
{
	return strcmp(arg, wanted) == 0;
}

static void test_what_is_not_wanted_any_more_is_forgotten(void **state)
{
	(void)state;
	expect_read(path, &secret, 1);
	expect_read(other_path, &secret, 2);
	keyring_keep(ring, is_path, path);
	expect_read(path, &secret, 2);
	expect_read(other_path, &secret, 3);
}

static void test_without_a_ring_files_are_read(void **state)
{
	(void)state;
	keyring_free(ring);
	ring = NULL;
	expect_read(path, &secret, 1);
	expect_read(path, &secret, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_a_key_is_decrypted_once_while_its_file_stays_as_it_is),
	    TEST(test_a_key_outlives_the_ring),
	    TEST(test_a_file_that_was_replaced_is_read_again),
	    TEST(test_a_file_that_was_written_to_is_read_again),
	    TEST(test_a_file_with_another_time_is_read_again),
	    TEST(test_a_file_with_another_mode_is_read_again),
	    TEST(test_another_passphrase_is_tried),
	    TEST(test_without_a_passphrase_nothing_is_kept),
	    TEST(test_a_failure_is_not_kept),
	    TEST(test_what_is_not_wanted_any_more_is_forgotten),
	    TEST(test_without_a_ring_files_are_read),
	};

	return cmocka_run_group_tests_name("ssh/keyring", tests, set_up, tear_down);
}
