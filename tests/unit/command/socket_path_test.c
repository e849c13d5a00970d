/*
 * Which daemon a command means: never another one than its configuration's.
 */
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

#include "base/str.h"
#include "command/socket_path.h"

static char folder[] = "/tmp/adit-socket-path-XXXXXX";
static char *config_path, *default_path;

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static char *meant_by(const char *text, struct err *e)
{
	write_file(config_path, text);
	return socket_path_for_client(NULL, config_path, e);
}

static void assert_means(const char *text, const char *expected)
{
	struct err e = ERR_INIT;
	char *path = meant_by(text, &e);

	assert_false(err_is_set(&e));
	assert_string_equal(path, expected);
	free(path);
}

static void assert_means_nobody(const char *text, int class)
{
	struct err e = ERR_INIT;

	assert_null(meant_by(text, &e));
	assert_int_equal(e.class, class);
	assert_non_null(strstr(e.text, "-s PATH"));
}

static void test_a_file_names_its_socket_whatever_else_is_wrong(void **state)
{
	(void)state;
	assert_means("control_socket = \"/run/o.sock\";", "/run/o.sock");
	assert_means(
	    "control_socket = \"/run/o.sock\"; hosts: { a: { prot = 1; }; };", "/run/o.sock");
}

static void test_a_file_without_the_key_means_the_default_place(void **state)
{
	(void)state;
	assert_means("hosts: {};", default_path);
	assert_means("log_level = \"loud\"; hosts: { a: { prot = 1; }; };", default_path);
}

static void test_what_a_file_says_of_the_socket_is_known_or_an_error(void **state)
{
	(void)state;
	assert_means_nobody("control_socket = \"/run/o.sock\"; hosts: {", ERR_CONFIG);
	assert_means_nobody("control_socket = \"${ADIT_TEST_UNSET}/o.sock\";", ERR_CONFIG);
	assert_means_nobody("control_socket = 3;", ERR_CONFIG);
	assert_means_nobody("control_soket = \"/run/o.sock\";", ERR_CONFIG);
	assert_means_nobody("control_socket = \"\";", ERR_NETWORK);
}

static void test_a_named_file_that_is_not_there_means_nobody(void **state)
{
	struct err by_option = ERR_INIT, by_environment = ERR_INIT;

	(void)state;
	unlink(config_path);
	assert_null(socket_path_for_client(NULL, config_path, &by_option));
	assert_int_equal(by_option.class, ERR_CONFIG);
	setenv("ADIT_CONFIG", config_path, 1);
	assert_null(socket_path_for_client(NULL, NULL, &by_environment));
	assert_int_equal(by_environment.class, ERR_CONFIG);
	unsetenv("ADIT_CONFIG");
}

static void test_a_socket_that_is_named_needs_no_file(void **state)
{
	struct err e = ERR_INIT;
	char *path;

	(void)state;
	unlink(config_path);
	path = socket_path_for_client("/run/s.sock", config_path, &e);
	assert_string_equal(path, "/run/s.sock");
	free(path);
	setenv("ADIT_SOCKET", "/run/e.sock", 1);
	path = socket_path_for_client(NULL, config_path, &e);
	assert_string_equal(path, "/run/e.sock");
	free(path);
	unsetenv("ADIT_SOCKET");
}

/* Somebody's daemon at the default place. */
static int setup(void **state)
{
	(void)state;
	char *below;

	unsetenv("ADIT_SOCKET");
	unsetenv("ADIT_CONFIG");
	unsetenv("RUNTIME_DIRECTORY");
	unsetenv("ADIT_TEST_UNSET");
	assert_non_null(mkdtemp(folder));
	setenv("XDG_RUNTIME_DIR", folder, 1);
	below = str_format("%s/adit", folder);
	assert_int_equal(mkdir(below, 0700), 0);
	free(below);
	default_path = str_format("%s/adit/control.sock", folder);
	config_path = str_format("%s/adit.conf", folder);
	write_file(default_path, "");
	return 0;
}

static int teardown(void **state)
{
	char *below = str_format("%s/adit", folder);

	(void)state;
	unlink(default_path);
	unlink(config_path);
	rmdir(below);
	rmdir(folder);
	free(below);
	free(default_path);
	free(config_path);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_file_names_its_socket_whatever_else_is_wrong),
	    cmocka_unit_test(test_a_file_without_the_key_means_the_default_place),
	    cmocka_unit_test(test_what_a_file_says_of_the_socket_is_known_or_an_error),
	    cmocka_unit_test(test_a_named_file_that_is_not_there_means_nobody),
	    cmocka_unit_test(test_a_socket_that_is_named_needs_no_file),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
