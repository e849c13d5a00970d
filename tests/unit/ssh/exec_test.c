#include "connection_rig.h"

#include "ssh/exec.h"

struct run {
	struct exec *exec;
	struct wr out, err;
	size_t take;
	int exits, writable;
	struct exec_result result;
	struct err e;
};

static size_t on_stdout(void *arg, struct span data)
{
	struct run *run = arg;

	wr_span_bytes(&run->out, data);
	return run->take < data.n ? run->take : data.n;
}

static size_t on_stderr(void *arg, struct span data)
{
	struct run *run = arg;

	wr_span_bytes(&run->err, data);
	return data.n;
}

static void on_writable(void *arg)
{
	struct run *run = arg;

	run->writable++;
}

static void on_exit_(void *arg, const struct exec_result *result, const struct err *e)
{
	struct run *run = arg;

	run->exits++;
	run->result = *result;
	if (e)
		run->e = *e;
}

static const struct exec_callbacks callbacks = {.on_stdout = on_stdout,
    .on_stderr = on_stderr,
    .on_writable = on_writable,
    .on_exit = on_exit_};

static void start(struct rig *rig, struct run *run)
{
	*run = (struct run){.take = SIZE_MAX};
	run->exec = session_exec(rig->session, "uptime", &callbacks, run, NULL);
	assert_non_null(run->exec);
	rig_expect(rig, "bsuuu", SSH_MSG_CHANNEL_OPEN, "session", 0, RIG_WINDOW, RIG_PACKET);
	rig_feed(rig, "buuuu", SSH_MSG_CHANNEL_OPEN_CONFIRMATION, 0, 7, RIG_WINDOW, RIG_PACKET);
	rig_expect(rig, "busos", SSH_MSG_CHANNEL_REQUEST, 7, "exec", true, "uptime");
}

static void finish(struct rig *rig, struct run *run)
{
	exec_free(run->exec);
	wr_clear(&run->out);
	wr_clear(&run->err);
	rig_free(rig);
}

static void test_stdout_and_stderr_apart_and_the_status(void **state)
{
	struct rig *rig = rig_new();
	struct run run;

	(void)state;
	start(rig, &run);
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_SUCCESS, 0);
	rig_feed(rig, "bus", SSH_MSG_CHANNEL_DATA, 0, "out");
	rig_feed(rig, "buus", SSH_MSG_CHANNEL_EXTENDED_DATA, 0, 1, "err");
	rig_feed(rig, "buus", SSH_MSG_CHANNEL_EXTENDED_DATA, 0, 2, "neither");
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_EOF, 0);
	rig_feed(rig, "busou", SSH_MSG_CHANNEL_REQUEST, 0, "exit-status", false, 3);
	assert_int_equal(run.exits, 0);
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 0);
	rig_settle(rig);
	assert_true(span_is(wr_span(&run.out), "out"));
	assert_true(span_is(wr_span(&run.err), "err"));
	assert_int_equal(run.exits, 1);
	assert_false(err_is_set(&run.e));
	assert_true(run.result.exited);
	assert_int_equal(run.result.status, 3);
	assert_string_equal(run.result.signal, "");
	finish(rig, &run);
	assert_int_equal(run.exits, 1);
}

static void test_exit_signal_is_string_boolean_string_string(void **state)
{
	struct rig *rig = rig_new();
	struct run run;

	(void)state;
	start(rig, &run);
	rig_feed(rig, "busososs", SSH_MSG_CHANNEL_REQUEST, 0, "exit-signal", true, "TERM", true,
	    "the words", "en");
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_SUCCESS, 7);
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 0);
	rig_settle(rig);
	assert_int_equal(run.exits, 1);
	assert_false(err_is_set(&run.e));
	assert_false(run.result.exited);
	assert_string_equal(run.result.signal, "TERM");
	assert_string_equal(run.result.message, "the words");
	assert_true(run.result.core_dumped);
	finish(rig, &run);
}

static void test_malformed_ends_are_refused_and_do_not_count(void **state)
{
	struct rig *rig = rig_new();
	struct run run;

	(void)state;
	start(rig, &run);
	rig_feed(rig,
	    "bus"
	    "ob",
	    SSH_MSG_CHANNEL_REQUEST, 0, "exit-status", true, 3);
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_FAILURE, 7);
	rig_feed(rig,
	    "bus"
	    "oub",
	    SSH_MSG_CHANNEL_REQUEST, 0, "exit-status", true, 3, 0);
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_FAILURE, 7);
	/* What net-ssh expects. */
	rig_feed(rig,
	    "bus"
	    "ou",
	    SSH_MSG_CHANNEL_REQUEST, 0, "exit-signal", true, 15);
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_FAILURE, 7);
	rig_feed(rig, "busosos", SSH_MSG_CHANNEL_REQUEST, 0, "exit-signal", true, "TERM", true, "");
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_FAILURE, 7);
	rig_feed(
	    rig, "busososs", SSH_MSG_CHANNEL_REQUEST, 0, "exit-signal", true, "", true, "", "");
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_FAILURE, 7);
	rig_feed(
	    rig, "busososs", SSH_MSG_CHANNEL_REQUEST, 0, "exit-signal", true, "A\nB", true, "", "");
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_FAILURE, 7);
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 0);
	rig_settle(rig);
	assert_int_equal(run.e.class, ERR_PEER);
	finish(rig, &run);
}

static void test_long_words_of_a_signal_are_cut(void **state)
{
	struct rig *rig = rig_new();
	struct run run;
	char words[1000];

	(void)state;
	memset(words, 'A', sizeof(words) - 1);
	words[sizeof(words) - 1] = '\0';
	start(rig, &run);
	rig_feed(rig, "busososs", SSH_MSG_CHANNEL_REQUEST, 0, "exit-signal", false, words, true,
	    words, "en");
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 0);
	rig_settle(rig);
	assert_int_equal(strlen(run.result.signal), sizeof(run.result.signal) - 1);
	assert_int_equal(strlen(run.result.message), sizeof(run.result.message) - 1);
	finish(rig, &run);
}

static void test_a_refused_command_is_an_error(void **state)
{
	struct rig *rig = rig_new();
	struct run run;

	(void)state;
	start(rig, &run);
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_FAILURE, 0);
	/* The server's CLOSE is not waited for. */
	assert_int_equal(run.exits, 1);
	assert_int_equal(run.e.class, ERR_PEER);
	assert_non_null(strstr(run.e.text, "refused"));
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_EOF, 7);
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 7);
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 0);
	assert_int_equal(run.exits, 1);
	finish(rig, &run);
}

static void test_a_refused_channel_is_an_error_with_the_servers_words(void **state)
{
	struct rig *rig = rig_new();
	struct run run = {0};

	(void)state;
	run.exec = session_exec(rig->session, "uptime", &callbacks, &run, NULL);
	(void)rig_sent(rig);
	rig_feed(rig, "buuss", SSH_MSG_CHANNEL_OPEN_FAILURE, 0, 1, "open\nfailed", "");
	assert_int_equal(run.exits, 1);
	assert_int_equal(run.e.class, ERR_PEER);
	assert_non_null(strstr(run.e.text, "open\\nfailed"));
	finish(rig, &run);
}

static void test_no_status_at_all_is_an_error(void **state)
{
	struct rig *rig = rig_new();
	struct run run;

	(void)state;
	start(rig, &run);
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_SUCCESS, 0);
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 0);
	rig_settle(rig);
	assert_int_equal(run.exits, 1);
	assert_int_equal(run.e.class, ERR_PEER);
	finish(rig, &run);
}

static void lose_connection(struct rig *rig)
{
	struct err e = ERR_INIT;

	err_set(&e, ERR_NETWORK, "connection reset");
	session_transport_closed(rig->session, &e);
}

static void test_a_lost_connection_is_an_error(void **state)
{
	struct rig *rig = rig_new();
	struct run run;

	(void)state;
	start(rig, &run);
	lose_connection(rig);
	assert_int_equal(run.exits, 1);
	assert_int_equal(run.e.class, ERR_NETWORK);
	exec_write(run.exec, SPAN_LITERAL("late"));
	exec_eof(run.exec);
	exec_consumed(run.exec, 0);
	assert_false(exec_full(run.exec));
	finish(rig, &run);
}

static void test_a_status_does_not_hide_that_output_was_lost(void **state)
{
	struct rig *rig = rig_new();
	struct run run;

	(void)state;
	start(rig, &run);
	rig_feed(rig, "bus", SSH_MSG_CHANNEL_DATA, 0, "the beginning");
	rig_feed(rig, "busou", SSH_MSG_CHANNEL_REQUEST, 0, "exit-status", false, 0);
	lose_connection(rig);
	assert_int_equal(run.exits, 1);
	assert_int_equal(run.e.class, ERR_NETWORK);
	assert_non_null(strstr(run.e.text, "connection reset"));
	assert_non_null(strstr(run.e.text, "output may be missing"));
	finish(rig, &run);
}

static void test_a_status_after_the_end_of_the_output_stands(void **state)
{
	static const uint8_t ends[] = {SSH_MSG_CHANNEL_EOF, SSH_MSG_CHANNEL_CLOSE};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct rig *rig = rig_new();
		struct run run;

		start(rig, &run);
		rig_feed(rig, "busou", SSH_MSG_CHANNEL_REQUEST, 0, "exit-status", false, 3);
		rig_feed(rig, "bu", ends[i], 0);
		lose_connection(rig);
		assert_int_equal(run.exits, 1);
		assert_false(err_is_set(&run.e));
		assert_int_equal(run.result.status, 3);
		finish(rig, &run);
	}
}

static void test_stdin_goes_out_and_its_end(void **state)
{
	struct rig *rig = rig_new();
	struct run run;

	(void)state;
	start(rig, &run);
	exec_write(run.exec, SPAN_LITERAL("input"));
	exec_eof(run.exec);
	rig_expect(rig, "bus", SSH_MSG_CHANNEL_DATA, 7, "input");
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_EOF, 7);
	assert_true(run.writable > 0);
	finish(rig, &run);
}

static void test_output_that_nobody_takes_stops_the_server(void **state)
{
	struct rig *rig = rig_new_with((struct session_options){.window = 10});
	struct run run = {0};

	(void)state;
	run.exec = session_exec(rig->session, "uptime", &callbacks, &run, NULL);
	(void)rig_sent(rig);
	rig_feed(rig, "buuuu", SSH_MSG_CHANNEL_OPEN_CONFIRMATION, 0, 7, 1000, 1000);
	(void)rig_sent(rig);
	rig_feed(rig, "bus", SSH_MSG_CHANNEL_DATA, 0, "1234567890");
	rig_expect_nothing(rig);
	exec_consumed(run.exec, 10);
	rig_expect(rig, "buu", SSH_MSG_CHANNEL_WINDOW_ADJUST, 7, 10);
	finish(rig, &run);
}

static void test_freeing_it_closes_the_channel_and_calls_nobody(void **state)
{
	struct rig *rig = rig_new();
	struct run run;

	(void)state;
	start(rig, &run);
	exec_free(run.exec);
	run.exec = NULL;
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_EOF, 7);
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 7);
	rig_feed(rig, "bus", SSH_MSG_CHANNEL_DATA, 0, "late");
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_FAILURE, 0);
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 0);
	assert_int_equal(run.exits + (int)run.out.n, 0);
	finish(rig, &run);
}

static void test_on_a_closed_session_there_is_none(void **state)
{
	struct rig *rig = rig_new();
	struct err e = ERR_INIT, lost = ERR_INIT;

	(void)state;
	err_set(&lost, ERR_NETWORK, "lost");
	session_transport_closed(rig->session, &lost);
	assert_null(session_exec(rig->session, "uptime", &callbacks, NULL, &e));
	assert_int_equal(e.class, ERR_NETWORK);
	rig_free(rig);
}

/* ---- the waiting form ---- */

/* A server in the other half of the process. */
struct server {
	struct rig *rig;
	struct task task;
	size_t step;
	size_t bytes; /* how much it prints */
	bool dies;
};

static void serve(void *arg)
{
	struct server *server = arg;
	struct rig *rig = server->rig;
	struct span m;
	struct err e = ERR_INIT;

	while (fake_transport_next(rig->transport, &m)) {
		if (m.p[0] == SSH_MSG_CHANNEL_OPEN) {
			rig_feed(rig, "buuuu", SSH_MSG_CHANNEL_OPEN_CONFIRMATION, 0, 7, 1000, 1000);
		} else if (m.p[0] == SSH_MSG_CHANNEL_EOF && server->dies) {
			err_set(&e, ERR_NETWORK, "connection reset");
			session_transport_closed(rig->session, &e);
			return;
		} else if (m.p[0] == SSH_MSG_CHANNEL_EOF) {
			rig_feed(rig, "bu", SSH_MSG_CHANNEL_SUCCESS, 0);
			for (size_t i = 0; i < server->bytes; i++)
				rig_feed(rig, "bus", SSH_MSG_CHANNEL_DATA, 0, "x");
			rig_feed(rig, "buus", SSH_MSG_CHANNEL_EXTENDED_DATA, 0, 1, "err");
			rig_feed(rig, "busou", SSH_MSG_CHANNEL_REQUEST, 0, "exit-status", false, 2);
			rig_feed(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 0);
			return;
		}
	}
	task_schedule(&server->task);
}

static int wait_for(struct server *server, size_t max, struct wr *out, struct wr *err,
    struct exec_result *result, struct err *e)
{
	int r;

	server->rig = rig_new();
	task_init(&server->task, server->rig->loop, serve, server);
	task_schedule(&server->task);
	r = session_exec_wait(server->rig->session, "uptime", max, out, err, result, e);
	task_cancel(&server->task);
	rig_free(server->rig);
	return r;
}

static void test_the_waiting_form_returns_all_output_and_the_status(void **state)
{
	struct server server = {.bytes = 10};
	struct wr out = WR_INIT, err = WR_INIT;
	struct exec_result result;

	(void)state;
	assert_int_equal(wait_for(&server, 10, &out, &err, &result, NULL), 0);
	assert_true(span_is(wr_span(&out), "xxxxxxxxxx"));
	assert_true(span_is(wr_span(&err), "err"));
	assert_true(result.exited);
	assert_int_equal(result.status, 2);
	wr_clear(&out);
	wr_clear(&err);
}

static void test_the_waiting_form_has_a_limit(void **state)
{
	struct server server = {.bytes = 11};
	struct wr out = WR_INIT, err = WR_INIT;
	struct exec_result result;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(wait_for(&server, 10, &out, &err, &result, &e), ERR_LOCAL);
	assert_int_equal(e.class, ERR_LOCAL);
	assert_int_equal(out.n + err.n, 0);
}

static void test_the_waiting_form_says_why_the_connection_was_lost(void **state)
{
	struct server server = {.dies = true};
	struct wr out = WR_INIT, err = WR_INIT;
	struct exec_result result;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(wait_for(&server, 10, &out, &err, &result, &e), ERR_NETWORK);
	assert_string_equal(e.text, "connection reset");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_stdout_and_stderr_apart_and_the_status),
	    cmocka_unit_test(test_exit_signal_is_string_boolean_string_string),
	    cmocka_unit_test(test_malformed_ends_are_refused_and_do_not_count),
	    cmocka_unit_test(test_long_words_of_a_signal_are_cut),
	    cmocka_unit_test(test_a_refused_command_is_an_error),
	    cmocka_unit_test(test_a_refused_channel_is_an_error_with_the_servers_words),
	    cmocka_unit_test(test_no_status_at_all_is_an_error),
	    cmocka_unit_test(test_a_lost_connection_is_an_error),
	    cmocka_unit_test(test_a_status_does_not_hide_that_output_was_lost),
	    cmocka_unit_test(test_a_status_after_the_end_of_the_output_stands),
	    cmocka_unit_test(test_stdin_goes_out_and_its_end),
	    cmocka_unit_test(test_output_that_nobody_takes_stops_the_server),
	    cmocka_unit_test(test_freeing_it_closes_the_channel_and_calls_nobody),
	    cmocka_unit_test(test_on_a_closed_session_there_is_none),
	    cmocka_unit_test(test_the_waiting_form_returns_all_output_and_the_status),
	    cmocka_unit_test(test_the_waiting_form_has_a_limit),
	    cmocka_unit_test(test_the_waiting_form_says_why_the_connection_was_lost),
	};

	return cmocka_run_group_tests_name("ssh/exec", tests, NULL, NULL);
}
