#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "ssh/known_hosts.h"
#include "test_keys.h"

#define ED25519 "ssh-ed25519 " TEST_ED25519_BLOB
#define P256 "ecdsa-sha2-nistp256 " TEST_ECDSA_P256_BLOB
#define P384 "ecdsa-sha2-nistp384 " TEST_ECDSA_P384_BLOB
#define RSA "ssh-rsa " TEST_RSA_BLOB

static struct known_hosts *parse(const char *text)
{
	return known_hosts_parse(span_of(text), "the-file");
}

/* The numbers of the lines that match, "1 3 ". */
static char *matching(const char *text, const char *name, uint16_t port)
{
	struct known_hosts *k = parse(text);
	struct known_hosts_match match;
	struct strbuf b = {0};

	for (size_t cursor = 0; known_hosts_next(k, name, port, &cursor, &match);) {
		assert_string_equal(match.file, "the-file");
		strbuf_addf(&b, "%d ", match.line);
	}
	known_hosts_free(k);
	return b.text ? strbuf_take(&b) : mem_strdup("");
}

static void expect_lines(const char *text, const char *name, uint16_t port, const char *lines)
{
	char *found = matching(text, name, port);

	assert_string_equal(found, lines);
	free(found);
}

static void test_a_line_is_for_the_names_it_lists(void **state)
{
	static const char text[] = "alpha " ED25519 "\n"
				   "beta,192.0.2.7,gamma " ED25519 " a comment with words\n"
				   "alpha\t" RSA "\n";

	(void)state;
	expect_lines(text, "alpha", 22, "1 3 ");
	expect_lines(text, "ALPHA", 22, "1 3 ");
	expect_lines(text, "gamma", 22, "2 ");
	expect_lines(text, "192.0.2.7", 22, "2 ");
	expect_lines(text, "alph", 22, "");
	expect_lines(text, "alpha,beta", 22, "");
	expect_lines("Alpha " ED25519, "alpha", 22, "1 ");
}

static void test_other_ports_stand_in_the_name(void **state)
{
	static const char text[] =
	    "alpha " ED25519 "\n[alpha]:2222 " ED25519 "\n[::1]:2200 " ED25519 "\n";

	(void)state;
	expect_lines(text, "alpha", 22, "1 ");
	expect_lines(text, "alpha", 2222, "2 ");
	expect_lines(text, "alpha", 2223, "");
	expect_lines(text, "::1", 2200, "3 ");
}

static void test_patterns_match_and_negation_vetoes(void **state)
{
	static const char text[] = "*.example.com,!evil.example.com " ED25519 "\n"
				   "!evil.example.com,* " ED25519 "\n"
				   "[host?]:* " ED25519 "\n"
				   "!only " ED25519 "\n";

	(void)state;
	expect_lines(text, "a.example.com", 22, "1 2 ");
	expect_lines(text, "evil.example.com", 22, "");
	expect_lines(text, "EVIL.example.com", 22, "");
	expect_lines(text, "host1", 2222, "2 3 ");
	expect_lines(text, "other", 22, "2 ");
}

static void test_names_that_ssh_keygen_hashed_match(void **state)
{
	static const char text[] =
	    "|1|QXIUb8G/a65km3ORDsRQRHJVzC0=|TBHEHaqNDILA+TnGQl4OJX08DPk= " ED25519 "\n"
	    "|1|QdFxJuAaXMY0e02gLLrFXsKrLis=|j+8DC1qKXTqmrQX6tzP6ggWiUek= " ED25519 "\n";

	(void)state;
	expect_lines(text, "db.example.com", 22, "1 ");
	expect_lines(text, "DB.example.com", 22, "1 ");
	expect_lines(text, "other.example.com", 2222, "2 ");
	expect_lines(text, "other.example.com", 22, "");
}

static void test_markers_are_told(void **state)
{
	struct known_hosts *k = parse("@cert-authority *.internal " ED25519 "\n"
				      "@revoked * " RSA "\n"
				      "db.internal " P256 "\n");
	struct known_hosts_match m;
	size_t cursor = 0;

	(void)state;
	assert_true(known_hosts_next(k, "db.internal", 22, &cursor, &m));
	assert_int_equal(m.marker, KNOWN_HOSTS_CERT_AUTHORITY);
	assert_false(m.only_name);
	assert_true(known_hosts_next(k, "db.internal", 22, &cursor, &m));
	assert_int_equal(m.marker, KNOWN_HOSTS_REVOKED);
	assert_true(known_hosts_next(k, "db.internal", 22, &cursor, &m));
	assert_int_equal(m.marker, KNOWN_HOSTS_PLAIN);
	assert_true(m.only_name);
	assert_int_equal(m.line, 3);
	assert_false(known_hosts_next(k, "db.internal", 22, &cursor, &m));
	known_hosts_free(k);
}

static void test_only_a_line_with_one_plain_name_may_be_replaced(void **state)
{
	static const struct {
		const char *names;
		bool only;
	} rows[] = {
	    {"db", true},
	    {"db,192.0.2.7", false},
	    {"d*", false},
	    {"d?", false},
	    {"db,!x", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *text = str_format("%s " ED25519 "\n", rows[i].names);
		struct known_hosts *k = parse(text);
		struct known_hosts_match m;
		size_t cursor = 0;
		assert_true(known_hosts_next(k, "db", 22, &cursor, &m));
		assert_int_equal(m.only_name, rows[i].only);
		known_hosts_free(k);
		free(text);
	}
}

static void expect_bad(const char *text, size_t bad)
{
	struct known_hosts *k = parse(text);
	struct known_hosts_match m;
	size_t cursor = 0;

	if (known_hosts_bad_lines(k) != bad)
		fail_msg("%zu bad lines in: %s", known_hosts_bad_lines(k), text);
	assert_false(known_hosts_next(k, "alpha", 22, &cursor, &m));
	known_hosts_free(k);
}

static void test_comments_and_unknown_types_are_no_mistakes(void **state)
{
	(void)state;
	expect_bad("", 0);
	expect_bad("\n\r\n  \t\n", 0);
	expect_bad("# alpha " ED25519 "\n   # indented\n", 0);
	expect_bad("alpha ssh-future AAAACnNzaC1mdXR1cmU=\n", 0);
}

static void test_lines_that_cannot_be_understood_are_skipped_and_counted(void **state)
{
	(void)state;
	expect_bad("alpha\n", 1);
	expect_bad("alpha ssh-ed25519\n", 1);
	expect_bad("alpha ssh-ed25519 !!!!\n", 1);
	expect_bad("alpha ssh-rsa " TEST_ED25519_BLOB "\n", 1);
	expect_bad("@nonsense alpha " ED25519 "\n", 1);
	expect_bad("@revoked\n", 1);
	expect_bad("@revoked * ssh-ed25519-cert-v01@openssh.com "
		   "AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29t\n",
	    1);
	expect_bad("alpha 1024 35 1234567890\n", 1); /* SSH 1 */
	expect_bad("|1|QXIUb8G/a65km3ORDsRQRHJVzC0= " ED25519 "\n", 1);
	expect_bad("|1|QXIUb8G/a65km3ORDsRQRHI=|TBHEHaqNDILA+TnGQl4OJX08DPk= " ED25519 "\n", 1);
	expect_bad("|2|QXIUb8G/a65km3ORDsRQRHJVzC0=|TBHEHaqNDILA+TnGQl4OJX08DPk= " ED25519 "\n", 1);
	/* and those around them count */
	expect_lines("nonsense\nalpha " ED25519 "\nnonsense\nalpha " RSA "\n", "alpha", 22, "2 4 ");
}

/* The linker puts this in the place of evp_has_digest(). */
static bool policy_forbids_sha1;
bool __real_evp_has_digest(const char *name);
bool __wrap_evp_has_digest(const char *name);

bool __wrap_evp_has_digest(const char *name)
{
	return !policy_forbids_sha1 && __real_evp_has_digest(name);
}

/* The first test: once it was seen, SHA-1 is not asked for again. */
static void test_without_sha1_a_hashed_line_cannot_be_understood(void **state)
{
	static const char text[] =
	    "|1|QXIUb8G/a65km3ORDsRQRHJVzC0=|TBHEHaqNDILA+TnGQl4OJX08DPk= " ED25519 "\nalpha " RSA
	    "\n";
	struct known_hosts *k;

	(void)state;
	policy_forbids_sha1 = true;
	k = parse(text);
	assert_int_equal(known_hosts_bad_lines(k), 1);
	known_hosts_free(k);
	expect_lines(text, "alpha", 22, "2 ");
	policy_forbids_sha1 = false;
}

static void test_crlf_and_a_missing_last_newline_are_borne(void **state)
{
	(void)state;
	expect_lines(
	    "alpha " ED25519 "\r\nalpha " RSA " comment\r\nalpha " P256, "alpha", 22, "1 2 3 ");
}

static void test_a_key_of_other_names_is_found(void **state)
{
	struct known_hosts *k = parse("alpha " ED25519 "\nbeta " ED25519 "\nalpha " RSA "\n"
				      "@revoked gamma " RSA "\n");
	struct wr ed25519 = WR_INIT, rsa = WR_INIT;

	(void)state;
	str_base64_decode(span_of(TEST_ED25519_BLOB), &ed25519);
	str_base64_decode(span_of(TEST_RSA_BLOB), &rsa);
	assert_true(known_hosts_has_elsewhere(k, "alpha", 22, wr_span(&ed25519)));
	assert_false(known_hosts_has_elsewhere(k, "alpha", 22, wr_span(&rsa)));
	assert_true(known_hosts_has_elsewhere(k, "alpha", 2222, wr_span(&rsa)));
	wr_clear(&ed25519);
	wr_clear(&rsa);
	known_hosts_free(k);
}

static void test_a_line_is_written_as_ssh_writes_it(void **state)
{
	struct wr blob = WR_INIT;

	(void)state;
	str_base64_decode(span_of(TEST_ED25519_BLOB), &blob);
	char *line = known_hosts_line("DB.example.com", 22, wr_span(&blob));
	assert_string_equal(line, "db.example.com " ED25519);
	free(line);
	line = known_hosts_line("::1", 2222, wr_span(&blob));
	assert_string_equal(line, "[::1]:2222 " ED25519);
	free(line);
	wr_clear(&blob);
}

/* ---- files ---- */

static char top[] = "/tmp/adit-known-hosts-test.XXXXXX";
static char *folder, *path;
static struct wr ed25519, p256, p384, rsa;

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(top))
		return -1;
	folder = str_format("%s/ssh", top);
	path = str_format("%s/known_hosts", folder);
	str_base64_decode(span_of(TEST_ED25519_BLOB), &ed25519);
	str_base64_decode(span_of(TEST_ECDSA_P256_BLOB), &p256);
	str_base64_decode(span_of(TEST_ECDSA_P384_BLOB), &p384);
	str_base64_decode(span_of(TEST_RSA_BLOB), &rsa);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	rmdir(folder);
	free(path);
	free(folder);
	wr_clear(&ed25519);
	wr_clear(&p256);
	wr_clear(&p384);
	wr_clear(&rsa);
	return rmdir(top);
}

static void put(const char *text)
{
	mkdir(folder, 0700);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void expect_file(const char *text)
{
	struct wr w = WR_INIT;

	assert_int_equal(file_read(path, 1 << 20, &w, NULL, NULL), 0);
	wr_u8(&w, 0);
	assert_string_equal((char *)w.p, text);
	wr_clear(&w);
}

static void update(const char *name, const struct wr *add, const struct wr *remove)
{
	struct span added = add ? wr_span(add) : SPAN("", 0);
	struct span removed = remove ? wr_span(remove) : SPAN("", 0);
	struct known_hosts_change change = {
	    .path = path,
	    .name = name,
	    .port = 22,
	    .add = &added,
	    .add_count = add ? 1 : 0,
	    .remove = &removed,
	    .remove_count = remove ? 1 : 0,
	};
	struct err e = ERR_INIT;

	if (known_hosts_update(&change, &e) < 0)
		fail_msg("%s", e.text);
}

static void test_the_first_key_makes_folder_and_file(void **state)
{
	struct stat st;

	(void)state;
	update("alpha", &ed25519, NULL);
	expect_file("alpha " ED25519 "\n");
	assert_int_equal(stat(folder, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_all_else_stays_as_it_is(void **state)
{
	struct stat st;

	(void)state;
	put("# mine\r\n\nalpha " ED25519 "  odd   comment\nnonsense\nbeta " RSA);
	assert_int_equal(chmod(path, 0644), 0);
	update("alpha", &p256, &ed25519);
	expect_file("# mine\r\n\nnonsense\nbeta " RSA "\nalpha " P256 "\n");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
}

static void test_what_is_there_is_not_added_again(void **state)
{
	struct stat before, after;

	(void)state;
	put("x,alpha " ED25519 "\n");
	assert_int_equal(stat(path, &before), 0);
	update("alpha", &ed25519, NULL);
	expect_file("x,alpha " ED25519 "\n");
	assert_int_equal(stat(path, &after), 0);
	assert_true(before.st_ino == after.st_ino); /* not even rewritten */
}

static void test_lines_of_more_than_this_host_are_not_removed(void **state)
{
	static const char text[] = "alpha,beta " ED25519 "\n"
				   "al* " ED25519 "\n"
				   "beta " ED25519 "\n"
				   "@revoked alpha " ED25519 "\n"
				   "@cert-authority alpha " ED25519 "\n";

	(void)state;
	put(text);
	update("alpha", NULL, &ed25519);
	expect_file(text);
}

static void test_new_lines_are_hashed_where_the_host_is(void **state)
{
	struct wr w = WR_INIT;
	struct known_hosts_match m;
	size_t cursor = 0, count = 0;

	(void)state;
	put("beta " RSA "\n"
	    "|1|QXIUb8G/a65km3ORDsRQRHJVzC0=|TBHEHaqNDILA+TnGQl4OJX08DPk= " ED25519 "\n"
	    "gamma " RSA "\n");
	update("db.example.com", &p256, NULL);
	assert_int_equal(file_read(path, 1 << 20, &w, NULL, NULL), 0);
	wr_u8(&w, 0);
	assert_null(strstr((char *)w.p, "db.example.com"));
	struct known_hosts *k = known_hosts_parse(SPAN(w.p, w.n - 1), "x");
	while (known_hosts_next(k, "db.example.com", 22, &cursor, &m)) {
		assert_true(m.only_name);
		count++;
	}
	assert_int_equal(count, 2);
	known_hosts_free(k);
	wr_clear(&w);
	/* The hashed line may go too. */
	update("db.example.com", NULL, &ed25519);
	update("db.example.com", NULL, &p256);
	expect_file("beta " RSA "\ngamma " RSA "\n");
	/* A host of which nothing is known is written as the last line is. */
	update("delta", &ed25519, NULL);
	expect_file("beta " RSA "\ngamma " RSA "\ndelta " ED25519 "\n");
}

static void test_a_name_that_would_mean_more_is_not_written(void **state)
{
	static const char *const names[] = {
	    "", "a b", "a,b", "*", "a?", "!a", "a\nb", "@revoked", "#a"};
	struct span blob = wr_span(&ed25519);

	(void)state;
	put("");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct known_hosts_change change = {
		    .path = path, .name = names[i], .port = 22, .add = &blob, .add_count = 1};
		assert_int_equal(known_hosts_update(&change, NULL), ERR_CONFIG);
	}
	expect_file("");
}

static void test_a_lock_that_is_held_is_an_error_and_changes_nothing(void **state)
{
	struct span blob = wr_span(&ed25519);
	struct known_hosts_change change = {
	    .path = path, .name = "alpha", .port = 22, .add = &blob, .add_count = 1};
	struct err e = ERR_INIT;

	(void)state;
	put("");
	int fd = open(folder, O_RDONLY | O_DIRECTORY);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(known_hosts_update(&change, &e), ERR_LOCAL);
	assert_non_null(strstr(e.text, "locked"));
	close(fd);
	expect_file("");
	assert_int_equal(known_hosts_update(&change, NULL), 0);
}

static void test_several_files_are_read_and_a_missing_one_is_empty(void **state)
{
	const char *const paths[] = {path, "/nonexistent/known_hosts"};
	const char *const unreadable[] = {path, folder};
	struct known_hosts_match m;
	size_t cursor = 0;
	struct err e = ERR_INIT;

	(void)state;
	put("alpha " ED25519 "\n");
	struct known_hosts *k = known_hosts_read(paths, 2, &e);
	assert_non_null(k);
	assert_true(known_hosts_next(k, "alpha", 22, &cursor, &m));
	assert_string_equal(m.file, path);
	assert_int_equal(m.line, 1);
	known_hosts_free(k);
	assert_null(known_hosts_read(unreadable, 2, &e));
	assert_int_equal(e.class, ERR_CONFIG);
	assert_non_null(strstr(e.text, "is a directory"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_without_sha1_a_hashed_line_cannot_be_understood),
	    cmocka_unit_test(test_a_line_is_for_the_names_it_lists),
	    cmocka_unit_test(test_other_ports_stand_in_the_name),
	    cmocka_unit_test(test_patterns_match_and_negation_vetoes),
	    cmocka_unit_test(test_names_that_ssh_keygen_hashed_match),
	    cmocka_unit_test(test_markers_are_told),
	    cmocka_unit_test(test_only_a_line_with_one_plain_name_may_be_replaced),
	    cmocka_unit_test(test_comments_and_unknown_types_are_no_mistakes),
	    cmocka_unit_test(test_lines_that_cannot_be_understood_are_skipped_and_counted),
	    cmocka_unit_test(test_crlf_and_a_missing_last_newline_are_borne),
	    cmocka_unit_test(test_a_key_of_other_names_is_found),
	    cmocka_unit_test(test_a_line_is_written_as_ssh_writes_it),
	    cmocka_unit_test(test_the_first_key_makes_folder_and_file),
	    cmocka_unit_test(test_all_else_stays_as_it_is),
	    cmocka_unit_test(test_what_is_there_is_not_added_again),
	    cmocka_unit_test(test_lines_of_more_than_this_host_are_not_removed),
	    cmocka_unit_test(test_new_lines_are_hashed_where_the_host_is),
	    cmocka_unit_test(test_a_name_that_would_mean_more_is_not_written),
	    cmocka_unit_test(test_a_lock_that_is_held_is_an_error_and_changes_nothing),
	    cmocka_unit_test(test_several_files_are_read_and_a_missing_one_is_empty),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
