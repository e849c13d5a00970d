#include "ssh/keyring.h"

#include <fcntl.h>
#include <sched.h>
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
static enum error_class failure_class;

struct key *keyfile_read(
    const char *path, const struct secret *passphrase, char **ret_comment, struct err *e)
{
	(void)passphrase;
	assert_null(ret_comment);
	times_read++;
	if (failure) {
		err_set(e, failure_class, "%s: %s", path, failure);
		return NULL;
	}
	return make_ed25519(1);
}

/* In a thread: it reads when the test says so, or it is told to stop. */
static atomic_bool may_read;

struct key *keyfile_read_until(
    const char *path, const struct secret *passphrase, const atomic_bool *stop, struct err *e)
{
	while (!may_read && !*stop)
		sched_yield();
	return keyfile_read(path, passphrase, NULL, e);
}

/* ---- files ---- */

static char folder[] = "/tmp/adit-keyring-test.XXXXXX";
static char *path, *other_path;
static struct loop *loop;
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
	loop = loop_new();
	ring = keyring_new(loop);
	may_read = false;
	times_read = 0;
	failure = NULL;
	failure_class = ERR_CONFIG;
	return 0;
}

static int end(void **state)
{
	(void)state;
	keyring_free(ring);
	loop_free(loop);
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

static void test_a_passphrase_that_is_wrong_is_found_out_once(void **state)
{
	struct err e = ERR_INIT, again = ERR_INIT;

	(void)state;
	failure = "the passphrase is wrong";
	assert_null(keyring_read(ring, path, &secret, &e));
	assert_null(keyring_read(ring, path, &secret, &again));
	assert_int_equal(times_read, 1);
	assert_int_equal(again.class, ERR_CONFIG);
	assert_string_equal(again.text, e.text);
	assert_non_null(strstr(e.text, "the passphrase is wrong"));
	failure = NULL;
	expect_read(path, &other_secret, 2);
	failure = "the passphrase is wrong";
	assert_null(keyring_read(ring, path, &secret, NULL));
	failure = NULL;
	put(path, "new");
	expect_read(path, &secret, 4);
}

static void test_a_want_of_descriptors_is_not_remembered(void **state)
{
	(void)state;
	failure = "Too many open files";
	failure_class = ERR_LOCAL;
	assert_null(keyring_read(ring, path, &secret, NULL));
	failure = NULL;
	expect_read(path, &secret, 2);
}

static void test_a_file_that_went_is_not_hidden_by_what_is_kept(void **state)
{
	(void)state;
	expect_read(path, &secret, 1);
	unlink(path);
	failure = "No such file or directory";
	assert_null(keyring_read(ring, path, &secret, NULL));
}

/* ---- threads ---- */

static void count(void *arg)
{
	++*(int *)arg;
}

static void turn_until(const int *ready)
{
	bool goes_on = true;

	while (goes_on && !*ready)
		goes_on = loop_pass(loop, LOOP_WAIT);
	assert_true(*ready);
}

static void test_the_loop_turns_while_a_key_is_opened(void **state)
{
	struct keyring_wait wait;
	int ready = 0;

	(void)state;
	keyring_wait_init(&wait, count, &ready);
	assert_true(keyring_open(ring, path, &secret, &wait));
	for (int i = 0; i < 10; i++)
		loop_pass(loop, LOOP_NO_WAIT);
	assert_int_equal(ready, 0);
	may_read = true;
	turn_until(&ready);
	assert_int_equal(ready, 1);
	assert_false(keyring_open(ring, path, &secret, &wait));
	expect_read(path, &secret, 1);
}

static void test_a_wrong_passphrase_is_an_answer_too(void **state)
{
	struct keyring_wait wait;
	int ready = 0;

	(void)state;
	failure = "the passphrase is wrong";
	keyring_wait_init(&wait, count, &ready);
	assert_true(keyring_open(ring, path, &secret, &wait));
	may_read = true;
	turn_until(&ready);
	assert_false(keyring_open(ring, path, &secret, &wait));
	assert_null(keyring_read(ring, path, &secret, NULL));
	assert_int_equal(times_read, 1);
}

static void test_a_key_is_opened_once_for_all_who_wait(void **state)
{
	struct keyring_wait one, two, gone;
	int ready = 0, ready_too = 0, not_ready = 0;

	(void)state;
	keyring_wait_init(&one, count, &ready);
	keyring_wait_init(&two, count, &ready_too);
	keyring_wait_init(&gone, count, &not_ready);
	assert_true(keyring_open(ring, path, &secret, &gone));
	assert_true(keyring_open(ring, path, &secret, &one));
	assert_true(keyring_open(ring, path, &secret, &two));
	keyring_wait_cancel(&gone);
	may_read = true;
	turn_until(&ready);
	turn_until(&ready_too);
	assert_int_equal(not_ready, 0);
	assert_int_equal(times_read, 1);
}

static void test_what_changed_meanwhile_is_opened_again(void **state)
{
	struct keyring_wait wait;
	int ready = 0;

	(void)state;
	keyring_wait_init(&wait, count, &ready);
	assert_true(keyring_open(ring, path, &secret, &wait));
	put(path, "another");
	may_read = true;
	turn_until(&ready);
	assert_true(keyring_open(ring, path, &secret, &wait));
	ready = 0;
	turn_until(&ready);
	assert_false(keyring_open(ring, path, &secret, &wait));
}

static void test_the_end_waits_for_no_hash(void **state)
{
	struct keyring_wait wait;
	int ready = 0;

	(void)state;
	keyring_wait_init(&wait, count, &ready);
	assert_true(keyring_open(ring, path, &secret, &wait));
	keyring_free(ring);
	ring = NULL;
	keyring_wait_cancel(&wait);
	assert_int_equal(ready, 0);
}

static void test_without_a_passphrase_nothing_is_slow(void **state)
{
	struct keyring_wait wait;
	int ready = 0;

	(void)state;
	keyring_wait_init(&wait, count, &ready);
	assert_false(keyring_open(ring, path, NULL, &wait));
	assert_false(keyring_open(NULL, path, &secret, &wait));
	unlink(path);
	assert_false(keyring_open(ring, path, &secret, &wait));
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

static void test_what_is_not_wanted_any_more_is_not_decrypted_to_the_end(void **state)
{
	struct keyring_wait wait;
	int ready = 0;

	(void)state;
	keyring_wait_init(&wait, count, &ready);
	assert_true(keyring_open(ring, path, &secret, &wait));
	keyring_keep(ring, is_path, other_path); /* somebody waits */
	assert_int_equal(times_read, 0);
	keyring_wait_cancel(&wait);
	keyring_keep(ring, is_path, path);
	assert_int_equal(times_read, 0);
	keyring_keep(ring, is_path, other_path);
	assert_int_equal(times_read, 1); /* it heard that it should stop */
	assert_int_equal(ready, 0);
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
	    TEST(test_a_passphrase_that_is_wrong_is_found_out_once),
	    TEST(test_a_want_of_descriptors_is_not_remembered),
	    TEST(test_a_file_that_went_is_not_hidden_by_what_is_kept),
	    TEST(test_the_loop_turns_while_a_key_is_opened),
	    TEST(test_a_wrong_passphrase_is_an_answer_too),
	    TEST(test_a_key_is_opened_once_for_all_who_wait),
	    TEST(test_what_changed_meanwhile_is_opened_again),
	    TEST(test_the_end_waits_for_no_hash),
	    TEST(test_without_a_passphrase_nothing_is_slow),
	    TEST(test_what_is_not_wanted_any_more_is_forgotten),
	    TEST(test_what_is_not_wanted_any_more_is_not_decrypted_to_the_end),
	    TEST(test_without_a_ring_files_are_read),
	};

	return cmocka_run_group_tests_name("ssh/keyring", tests, set_up, tear_down);
}
