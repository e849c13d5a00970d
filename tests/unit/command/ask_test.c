/*
 * Asking a daemon that is there, that hangs, or that dies; and what it says, as a person reads it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "command/ask.h"

enum { START_MS = 1000 };

/* ---- a daemon, as far as its client sees it ---- */

static struct {
	char folder[32], path[64];
	int listener;
	const char *answer; /* it says this and ends; NULL: it hangs */
	struct timeval connect_limit;
} adit;

static int setup(void **state)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	(void)state;
	clock_fake_start(START_MS, 1700000000);
	strcpy(adit.folder, "/tmp/adit-ask-XXXXXX");
	assert_non_null(mkdtemp(adit.folder));
	snprintf(adit.path, sizeof(adit.path), "%s/control.sock", adit.folder);
	strcpy(at.sun_path, adit.path);
	adit.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(adit.listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(adit.listener, 0), 0);
	adit.answer = NULL;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(adit.listener);
	unlink(adit.path);
	rmdir(adit.folder);
	clock_fake_stop();
	return 0;
}

static void say_and_end(const char *answer)
{
	char request[512];
	int fd = accept(adit.listener, NULL, NULL);

	assert_true(read(fd, request, sizeof(request)) > 0);
	assert_int_equal(send(fd, answer, strlen(answer), 0), strlen(answer));
	close(fd);
}

/* In the place of libc's: whoever waits for one that hangs finds the time gone by. */
int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	if (adit.answer) {
		if (*adit.answer)
			say_and_end(adit.answer);
		adit.answer = "";
		return ppoll(fds, count, NULL, NULL);
	}
	assert_true(timeout_ms > 0);
	clock_fake_advance((uint64_t)timeout_ms);
	return 0;
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
	static const struct timeval moment = {.tv_usec = 1000};

	if (level == SOL_SOCKET && name == SO_SNDTIMEO) {
		memcpy(&adit.connect_limit, value, sizeof(adit.connect_limit));
		value = &moment;
	}
	return (int)syscall(SYS_setsockopt, fd, level, name, value, length);
}

static int ask_it(struct ask_answer *ret_answer, struct err *e)
{
	const struct ask_options options = {.socket = adit.path};

	return ask(&options, "GET", "/v1/status", ret_answer, e);
}

static void test_one_that_hangs_gets_thirty_seconds(void **state)
{
	struct ask_answer answer = {0};
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(ask_it(&answer, &e), ERR_NETWORK);
	assert_string_equal(e.text, "adit is there, but has not answered for 30 s");
	assert_int_equal(clock_now_ms(), START_MS + 30000);
	strbuf_clear(&answer.body);
}

static void test_one_that_accepts_nobody_gets_thirty_seconds_too(void **state)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct ask_answer answer = {0};
	struct err e = ERR_INIT;

	(void)state;
	strcpy(at.sun_path, adit.path);
	assert_int_equal(
	    connect(fd, (struct sockaddr *)&at, sizeof(at)), 0); /* its queue is full */
	assert_int_equal(ask_it(&answer, &e), ERR_NETWORK);
	assert_string_equal(e.text, "adit is there, but has not answered for 30 s");
	assert_int_equal(adit.connect_limit.tv_sec, 30);
	assert_int_equal(adit.connect_limit.tv_usec, 0);
	close(fd);
}

static void test_patience_has_the_limit_that_was_asked_for(void **state)
{
	const struct ask_options options = {.socket = adit.path};
	struct ask_answer answer = {0};
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(
	    ask_patiently(&options, "/v1/wait", 7000, NULL, NULL, &answer, &e), ERR_TIMEOUT);
	assert_int_equal(clock_now_ms(), START_MS + 7000);
	strbuf_clear(&answer.body);
}

static void test_a_whole_answer_is_taken(void **state)
{
	struct ask_answer answer = {0};
	struct err e = ERR_INIT;

	(void)state;
	adit.answer = "HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\n{}\n\n";
	assert_int_equal(ask_it(&answer, &e), 0);
	assert_int_equal(answer.code, 200);
	assert_string_equal(strbuf_text(&answer.body), "{}\n\n");
	strbuf_clear(&answer.body);
}

static void test_half_an_answer_is_none(void **state)
{
	struct ask_answer answer = {0};
	struct err e = ERR_INIT;

	(void)state;
	adit.answer = "HTTP/1.0 200 OK\r\nContent-Length: 40\r\n\r\n{\"version\":\"0.1.0\"";
	assert_int_equal(ask_it(&answer, &e), ERR_NETWORK);
	assert_string_equal(e.text, "adit ended before all of its answer had come");
	strbuf_clear(&answer.body);
}

/* ---- its words ---- */

static void assert_says(const char *body, const char *expected)
{
	char *text = ask_error_text(body);

	assert_non_null(text);
	assert_string_equal(text, expected);
	free(text);
}

static void test_words_are_those_that_were_meant(void **state)
{
	(void)state;
	assert_says("{\"error\":\"no such name: a\\\"b\\\\c\"}\n", "no such name: a\"b\\c");
	assert_says("{\"error\":\"\\u00e9\\u20ac\\u0041\"}\n", "\xc3\xa9\xe2\x82\xac"
							       "A");
	assert_says("{\"error\":\"\"}", "");
}

static void test_words_move_no_terminal(void **state)
{
	(void)state;
	assert_says("{\"error\":\"x\\u001b[1m\\u000a\\ny\"}", "x\\x1b[1m\\n\\ny");
	assert_says("{\"error\":\"\\u009b\\u202e\"}", "\\xc2\\x9b\\xe2\\x80\\xae");
	assert_says("{\"error\":\"\\ud800\"}", "\\xed\\xa0\\x80");
}

static void test_what_is_not_adits_is_not_shown(void **state)
{
	struct ask_answer answer = {.code = 400};
	char text[256] = "";
	int before = dup(STDERR_FILENO);
	FILE *kept = tmpfile();

	(void)state;
	assert_non_null(kept);
	strbuf_add(&answer.body, "<html>\x1b[31m</html>\n");
	dup2(fileno(kept), STDERR_FILENO);
	int code = ask_refused(&answer);
	dup2(before, STDERR_FILENO);
	close(before);
	rewind(kept);
	assert_true(fread(text, 1, sizeof(text) - 1, kept) > 0);
	assert_string_equal(text, "adit: the daemon answered 400\n");
	assert_int_equal(code, EXIT_OTHER);
	fclose(kept);
	strbuf_clear(&answer.body);
}

static void test_a_body_cut_anywhere_is_read_to_its_end(void **state)
{
	static const char body[] = "{\"error\":\"a\\u00e9\\n\\\"b\"}";

	(void)state;
	for (size_t n = 0; n < sizeof(body); n++) {
		char *cut = calloc(1, n + 1);

		memcpy(cut, body, n);
		free(ask_error_text(cut));
		free(cut);
	}
	assert_null(ask_error_text("<html>"));
	assert_says("{\"error\":\"a\\", "a");
	assert_says("{\"error\":\"a\\u00", "au00");
}

static void test_names_beyond_what_a_request_holds_are_refused_before(void **state)
{
	const struct ask_options options = {.socket = "/nowhere/adit.sock"};
	static char name[] = "some-name";
	char *const names[] = {name};
	struct ask_answer answer = {0};
	struct strbuf path = {0};
	struct err e = ERR_INIT;

	(void)state;
	strbuf_add(&path, "/v1/status");
	for (int i = 0; i < 2000; i++)
		ask_add_names(&path, 1, names);
	assert_int_equal(ask(&options, "GET", strbuf_text(&path), &answer, &e), ERR_LOCAL);
	assert_non_null(strstr(e.text, "too long"));
	strbuf_clear(&path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_one_that_hangs_gets_thirty_seconds),
	    TEST(test_one_that_accepts_nobody_gets_thirty_seconds_too),
	    TEST(test_patience_has_the_limit_that_was_asked_for),
	    TEST(test_a_whole_answer_is_taken),
	    TEST(test_half_an_answer_is_none),
	    cmocka_unit_test(test_words_are_those_that_were_meant),
	    cmocka_unit_test(test_words_move_no_terminal),
	    cmocka_unit_test(test_what_is_not_adits_is_not_shown),
	    cmocka_unit_test(test_a_body_cut_anywhere_is_read_to_its_end),
	    cmocka_unit_test(test_names_beyond_what_a_request_holds_are_refused_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
