/*
 * Does the target accept? Asked of a server that the test plays.
 */
#include "tests/unit/ssh/connection_rig.h"

#include "tunnel/probe.h"

enum { INTERVAL_MS = 30000 };

static struct rig *rig;
static struct probe *probe;
static char *answer; /* the last one that was told; NULL: it accepts */
static int answers;
static struct config_endpoint database = {
    .kind = CONFIG_TCP, .text = (char[]){"db:5432"}, .host = (char[]){"db"}, .port = 5432};
static struct config_endpoint other = {
    .kind = CONFIG_TCP, .text = (char[]){"db:5433"}, .host = (char[]){"db"}, .port = 5433};
static struct config_endpoint at_path = {
    .kind = CONFIG_UNIX, .text = (char[]){"unix:/run/db.sock"}, .path = (char[]){"/run/db.sock"}};

static void on_result(void *arg, const char *error)
{
	(void)arg;
	free(answer);
	answer = error ? mem_strdup(error) : NULL;
	answers++;
}

static int begin(const struct config_endpoint *to)
{
	rig = rig_new();
	answers = 0;
	answer = NULL;
	probe = probe_new(rig->loop, to, INTERVAL_MS, on_result, NULL);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	return begin(&database);
}

static int teardown(void **state)
{
	(void)state;
	probe_free(probe);
	rig_free(rig);
	free(answer);
	return 0;
}

/* What was asked, a CHANNEL_OPEN for this target; the channel's id. */
static uint32_t expect_open_of(const char *type, const char *host, uint32_t port)
{
	struct span message = rig_sent(rig);
	struct rd r;

	rd_init(&r, message);
	assert_int_equal(rd_u8(&r), SSH_MSG_CHANNEL_OPEN);
	assert_true(span_equal(rd_string(&r), span_of(type)));
	uint32_t id = rd_u32(&r);
	rd_u32(&r);
	rd_u32(&r);
	assert_true(span_equal(rd_string(&r), span_of(host)));
	if (strcmp(type, "direct-tcpip") == 0) {
		assert_int_equal(rd_u32(&r), port);
		assert_true(span_equal(rd_string(&r), span_of("127.0.0.1")));
		assert_int_equal(rd_u32(&r), 65535);
	} else {
		assert_int_equal(rd_string(&r).n, 0);
		assert_int_equal(rd_u32(&r), 0);
	}
	assert_int_equal(rd_end(&r), 0);
	return id;
}

static uint32_t expect_open(void)
{
	return expect_open_of("direct-tcpip", "db", 5432);
}

static void advance(uint64_t ms)
{
	loop_fake_advance(rig->loop, ms);
	rig_settle(rig);
}

static void start(void)
{
	probe_session(probe, rig->session);
	advance(0);
}

/* The target accepts; the probe closes the channel at once, and so does the server. */
static void accept_it(uint32_t id)
{
	rig_feed(rig, "buuuu", SSH_MSG_CHANNEL_OPEN_CONFIRMATION, id, 7u, 65536u, 32768u);
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_EOF, 7u);
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 7u);
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_CLOSE, id);
}

static void refuse_it(uint32_t id, const char *text)
{
	rig_feed(rig, "buuss", SSH_MSG_CHANNEL_OPEN_FAILURE, id, 2u, text, "");
}

static void test_it_asks_at_once_and_says_that_the_target_accepts(void **state)
{
	(void)state;
	start();
	assert_false(probe_has_answer(probe));
	accept_it(expect_open());
	assert_int_equal(answers, 1);
	assert_null(answer);
	assert_true(probe_has_answer(probe));
	assert_int_equal(session_channel_count(rig->session), 0);
}

static void test_nothing_is_asked_without_a_session(void **state)
{
	(void)state;
	advance(10 * INTERVAL_MS);
	rig_expect_nothing(rig);
	assert_int_equal(answers, 0);
}

static void test_a_target_that_refuses_is_named_with_the_server_s_words(void **state)
{
	(void)state;
	start();
	refuse_it(expect_open(), "Connection \x1b[31mrefused");
	assert_int_equal(answers, 1);
	assert_non_null(strstr(answer, "db:5432"));
	assert_non_null(strstr(answer, "refused"));
	assert_null(strchr(answer, 0x1b)); /* not the server's escapes */
}

static void test_the_same_answer_is_told_once(void **state)
{
	(void)state;
	start();
	accept_it(expect_open());
	for (int i = 0; i < 3; i++) {
		advance(INTERVAL_MS - 1);
		rig_expect_nothing(rig);
		advance(1);
		accept_it(expect_open());
	}
	assert_int_equal(answers, 1);
}

static void test_a_target_that_dies_and_comes_back_is_told_each_time(void **state)
{
	(void)state;
	start();
	accept_it(expect_open());
	advance(INTERVAL_MS);
	refuse_it(expect_open(), "Connection refused");
	assert_int_equal(answers, 2);
	assert_non_null(answer);
	advance(INTERVAL_MS);
	accept_it(expect_open());
	assert_int_equal(answers, 3);
	assert_null(answer);
}

static void test_a_target_that_says_nothing_for_an_interval_does_not_answer(void **state)
{
	(void)state;
	start();
	uint32_t id = expect_open();
	advance(INTERVAL_MS - 1);
	assert_int_equal(answers, 0);
	advance(1);
	assert_int_equal(answers, 1);
	assert_non_null(strstr(answer, "does not answer"));
	/* What comes after that is nobody's answer; the channel is closed. */
	accept_it(id);
	assert_int_equal(answers, 1);
	advance(INTERVAL_MS);
	accept_it(expect_open());
	assert_int_equal(answers, 2);
	assert_null(answer);
}

static void test_its_channels_do_not_make_the_session_busy(void **state)
{
	(void)state;
	start();
	expect_open();
	assert_false(session_busy(rig->session, SESSION_VISIBLE_ONLY));
}

static void test_without_a_session_what_was_known_is_forgotten(void **state)
{
	(void)state;
	start();
	accept_it(expect_open());
	probe_session(probe, NULL);
	assert_false(probe_has_answer(probe));
	advance(10 * INTERVAL_MS);
	rig_expect_nothing(rig);
	start();
	accept_it(expect_open());
	assert_int_equal(answers, 2); /* the same one, but known anew */
}

static void test_another_target_is_tried_at_once(void **state)
{
	(void)state;
	start();
	accept_it(expect_open());
	probe_set_target(probe, &other, INTERVAL_MS);
	assert_false(probe_has_answer(probe));
	advance(0);
	accept_it(expect_open_of("direct-tcpip", "db", 5433));
	assert_int_equal(answers, 2);
}

static void test_the_same_target_goes_on_with_its_new_interval(void **state)
{
	(void)state;
	start();
	accept_it(expect_open());
	probe_set_target(probe, &database, 1000);
	assert_true(probe_has_answer(probe));
	advance(999);
	rig_expect_nothing(rig);
	advance(1);
	accept_it(expect_open());
}

static void test_a_unix_socket_is_asked_for_by_its_path(void **state)
{
	(void)state;
	probe_free(probe);
	probe = probe_new(rig->loop, &at_path, INTERVAL_MS, on_result, NULL);
	start();
	accept_it(expect_open_of("direct-streamlocal@openssh.com", "/run/db.sock", 0));
	assert_int_equal(answers, 1);
}

static void test_a_probe_that_is_freed_while_it_asks_hears_nothing(void **state)
{
	(void)state;
	start();
	uint32_t id = expect_open();
	probe_free(probe);
	probe = NULL;
	accept_it(id);
	assert_int_equal(answers, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_it_asks_at_once_and_says_that_the_target_accepts),
	    TEST(test_nothing_is_asked_without_a_session),
	    TEST(test_a_target_that_refuses_is_named_with_the_server_s_words),
	    TEST(test_the_same_answer_is_told_once),
	    TEST(test_a_target_that_dies_and_comes_back_is_told_each_time),
	    TEST(test_a_target_that_says_nothing_for_an_interval_does_not_answer),
	    TEST(test_its_channels_do_not_make_the_session_busy),
	    TEST(test_without_a_session_what_was_known_is_forgotten),
	    TEST(test_another_target_is_tried_at_once),
	    TEST(test_the_same_target_goes_on_with_its_new_interval),
	    TEST(test_a_unix_socket_is_asked_for_by_its_path),
	    TEST(test_a_probe_that_is_freed_while_it_asks_hears_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
