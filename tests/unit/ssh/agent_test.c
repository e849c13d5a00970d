#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/bev.h"
#include "ssh/agent.h"

/* An agent that does what the test says: a socket of which the test reads requests and writes answers. */
struct fixture {
	struct loop *loop;
	char *folder, *path;
	int listener, peer;
	struct agent *agent;
	/* what the callbacks got */
	unsigned calls;
	size_t count;
	struct strbuf comments; /* "a,b," */
	struct wr signature;
	struct err e;
	bool free_in_callback, again_in_callback, detach_in_callback;
	struct bufferevent *detached;
};

static void listen_there(struct fixture *f)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	assert_true(strlen(f->path) < sizeof(address.sun_path));
	memcpy(address.sun_path, f->path, strlen(f->path));
	f->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(f->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(f->listener, 4), 0);
}

static int set_up(void **state)
{
	struct fixture *f = NEW(struct fixture);
	char folder[] = "/tmp/adit-agent-test.XXXXXX";

	clock_fake_start(1000, 1750000000);
	f->loop = loop_new();
	f->folder = mem_strdup(mkdtemp(folder));
	f->path = str_format("%s/agent", f->folder);
	listen_there(f);
	f->agent = agent_new(f->loop, f->path, &f->e);
	assert_non_null(f->agent);
	f->peer = accept(f->listener, NULL, NULL);
	assert_true(f->peer >= 0);
	assert_int_equal(fcntl(f->peer, F_SETFL, O_NONBLOCK), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	agent_free(f->agent);
	loop_pass(f->loop, LOOP_NO_WAIT);
	loop_free(f->loop);
	if (f->peer >= 0)
		close(f->peer);
	close(f->listener);
	unlink(f->path);
	rmdir(f->folder);
	free(f->path);
	free(f->folder);
	strbuf_clear(&f->comments);
	wr_clear(&f->signature);
	free(f);
	clock_fake_stop();
	return 0;
}

static void run(struct fixture *f)
{
	for (int i = 0; i < 20; i++)
		loop_pass(f->loop, LOOP_NO_WAIT);
}

static void on_identities(
    void *arg, const struct agent_identity *identities, size_t count, const struct err *e)
{
	struct fixture *f = arg;

	f->calls++;
	f->count = count;
	if (e)
		f->e = *e;
	for (size_t i = 0; i < count; i++) {
		strbuf_add_n(&f->comments, identities[i].comment.p, identities[i].comment.n);
		strbuf_add(&f->comments, ",");
	}
	if (f->free_in_callback) {
		agent_free(f->agent);
		f->agent = NULL;
	} else if (f->again_in_callback) {
		f->again_in_callback = false;
		agent_list(f->agent, 1000, on_identities, f);
	}
}

static void on_signature(void *arg, struct span signature, const struct err *e)
{
	struct fixture *f = arg;

	f->calls++;
	if (e)
		f->e = *e;
	wr_span_bytes(&f->signature, signature);
	if (f->free_in_callback) {
		agent_free(f->agent);
		f->agent = NULL;
	}
}

static void ask_for_list(struct fixture *f)
{
	agent_list(f->agent, 1000, on_identities, f);
	run(f);
}

static void ask_for_signature(struct fixture *f, const char *algorithm)
{
	agent_sign(f->agent, SPAN_LITERAL("the key"), span_of(algorithm), SPAN_LITERAL("the data"),
	    30000, on_signature, f);
	run(f);
}

/* The next request as the agent reads it; empty when there is none. */
static struct wr read_request(struct fixture *f)
{
	uint8_t head[4], body[1000];
	struct wr w = WR_INIT;

	if (read(f->peer, head, 4) != 4)
		return w;
	size_t n = get_u32(head);
	assert_true(n <= sizeof(body));
	assert_int_equal(read(f->peer, body, n), n);
	wr_bytes(&w, body, n);
	return w;
}

static void forget_request(struct fixture *f)
{
	struct wr w = read_request(f);

	assert_true(w.n > 0);
	wr_clear(&w);
}

static void answer_bytes(struct fixture *f, struct span bytes)
{
	assert_int_equal(write(f->peer, bytes.p, bytes.n), bytes.n);
	run(f);
}

static void answer(struct fixture *f, struct span body)
{
	struct wr w = WR_INIT;

	wr_string(&w, body);
	answer_bytes(f, wr_span(&w));
	wr_clear(&w);
}

static struct wr two_identities(void)
{
	struct wr w = WR_INIT;

	wr_u8(&w, 12);
	wr_u32(&w, 2);
	wr_cstring(&w, "blob a");
	wr_cstring(&w, "a");
	wr_cstring(&w, "blob b");
	wr_cstring(&w, "b");
	return w;
}

static struct wr signature_answer(const char *algorithm)
{
	struct wr w = WR_INIT;

	wr_u8(&w, 14);
	size_t mark = wr_mark(&w);
	wr_cstring(&w, algorithm);
	wr_cstring(&w, "signature");
	wr_end(&w, mark);
	return w;
}

static void expect_error(struct fixture *f, const char *words)
{
	assert_int_equal(f->calls, 1);
	assert_int_equal(f->e.class, ERR_LOGIN);
	assert_int_equal(strncmp(f->e.text, "the agent ", 10), 0);
	if (!strstr(f->e.text, words))
		fail_msg("\"%s\" does not say \"%s\"", f->e.text, words);
	assert_int_equal(f->count, 0);
	assert_int_equal(f->signature.n, 0);
	f->calls = 0;
	err_clear(&f->e);
}

static void expect_lost(struct fixture *f, const char *words)
{
	expect_error(f, words);
	/* From now on at once, and by the loop, not from inside the call. */
	agent_list(f->agent, 1000, on_identities, f);
	assert_int_equal(f->calls, 0);
	loop_pass(f->loop, LOOP_NO_WAIT);
	expect_error(f, words);
	ask_for_signature(f, "ssh-ed25519");
	expect_error(f, words);
	agent_bind_login(f->agent, SPAN("", 0), SPAN("", 0), SPAN("", 0));
}

static void test_identities_are_listed(void **state)
{
	struct fixture *f = *state;
	struct wr w = two_identities();

	ask_for_list(f);
	struct wr request = read_request(f);
	assert_true(span_equal(wr_span(&request), SPAN("\x0b", 1)));
	answer(f, wr_span(&w));
	assert_int_equal(f->calls, 1);
	assert_int_equal(f->count, 2);
	assert_string_equal(strbuf_text(&f->comments), "a,b,");
	wr_clear(&request);
	wr_clear(&w);
}

static void test_an_agent_may_have_no_keys(void **state)
{
	struct fixture *f = *state;

	ask_for_list(f);
	answer(f, SPAN("\x0c\0\0\0\0", 5));
	assert_int_equal(f->calls, 1);
	assert_int_equal(f->count, 0);
	assert_false(err_is_set(&f->e));
}

static void test_an_answer_may_come_byte_by_byte(void **state)
{
	struct fixture *f = *state;
	struct wr body = two_identities(), w = WR_INIT;

	wr_string(&w, wr_span(&body));
	ask_for_list(f);
	for (size_t i = 0; i < w.n; i++) {
		assert_int_equal(f->calls, 0);
		answer_bytes(f, SPAN(w.p + i, 1));
	}
	assert_int_equal(f->calls, 1);
	assert_int_equal(f->count, 2);
	wr_clear(&body);
	wr_clear(&w);
}

static void test_a_list_cut_short_or_too_long_loses_the_agent(void **state)
{
	struct wr w = two_identities();

	for (size_t n = 1; n <= w.n + 1; n++) {
		struct wr cut = WR_INIT;
		assert_int_equal(tear_down(state), 0);
		assert_int_equal(set_up(state), 0);
		struct fixture *f = *state;
		wr_bytes(&cut, w.p, n < w.n ? n : w.n);
		if (n > w.n)
			wr_u8(&cut, 0);
		ask_for_list(f);
		if (n == w.n) {
			answer(f, wr_span(&cut));
			assert_int_equal(f->count, 2);
		} else {
			answer(f, wr_span(&cut));
			expect_lost(f, "malformed list");
		}
		wr_clear(&cut);
	}
	wr_clear(&w);
}

static void test_a_count_that_lies_costs_nothing(void **state)
{
	struct fixture *f = *state;

	ask_for_list(f);
	answer(f, SPAN("\x0c\xff\xff\xff\xff", 5));
	expect_lost(f, "malformed list");
}

static void test_a_refusal_fails_this_request_alone(void **state)
{
	struct fixture *f = *state;
	struct wr w = two_identities();

	for (size_t i = 0; i < 3; i++) {
		static const uint8_t refusals[] = {5, 28, 30};
		ask_for_list(f);
		answer(f, SPAN(&refusals[i], 1));
		expect_error(f, "refuses to list");
		ask_for_signature(f, "ssh-ed25519");
		answer(f, SPAN(&refusals[i], 1));
		expect_error(f, "refuses to sign");
	}
	ask_for_list(f);
	answer(f, wr_span(&w));
	assert_int_equal(f->count, 2);
	wr_clear(&w);
}

static void test_signatures_are_asked_for_with_the_right_flags(void **state)
{
	static const struct {
		const char *algorithm, *in_signature;
		uint32_t flags;
	} rows[] = {
	    {"ssh-ed25519", "ssh-ed25519", 0},
	    {"rsa-sha2-256", "rsa-sha2-256", 2},
	    {"rsa-sha2-512", "rsa-sha2-512", 4},
	    {"rsa-sha2-512-cert-v01@openssh.com", "rsa-sha2-512", 4},
	    {"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", 0},
	    {"sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519@openssh.com", 0},
	    {"sk-ssh-ed25519-cert-v01@openssh.com", "sk-ssh-ed25519@openssh.com", 0},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		ask_for_signature(f, rows[i].algorithm);
		struct wr request = read_request(f);
		struct rd r;
		rd_init(&r, wr_span(&request));
		assert_int_equal(rd_u8(&r), 13);
		assert_true(span_is(rd_string(&r), "the key"));
		assert_true(span_is(rd_string(&r), "the data"));
		assert_int_equal(rd_u32(&r), rows[i].flags);
		assert_int_equal(rd_end(&r), 0);
		wr_clear(&request);
		struct wr w = signature_answer(rows[i].in_signature);
		answer(f, wr_span(&w));
		assert_int_equal(f->calls, 1);
		assert_true(span_equal(wr_span(&f->signature), SPAN(w.p + 5, w.n - 5)));
		wr_reset(&f->signature);
		wr_clear(&w);
		f->calls = 0;
	}
}

static void test_a_signature_of_another_algorithm_is_a_lie(void **state)
{
	static const char *const lies[] = {"ssh-rsa", "rsa-sha2-512", "ssh-ed25519", ""};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		struct wr w = signature_answer(lies[i]);
		ask_for_signature(f, "rsa-sha2-256");
		answer(f, wr_span(&w));
		expect_error(f, "another algorithm than rsa-sha2-256");
		wr_clear(&w);
	}
	/* It is this login's failure, the agent is still there. */
	struct wr w = signature_answer("rsa-sha2-256");
	ask_for_signature(f, "rsa-sha2-256");
	answer(f, wr_span(&w));
	assert_false(err_is_set(&f->e));
	assert_true(f->signature.n > 0);
	wr_clear(&w);
}

static void test_a_malformed_signature_loses_the_agent(void **state)
{
	struct fixture *f = *state;

	ask_for_signature(f, "ssh-ed25519");
	answer(f, SPAN("\x0e\0\0\0\x0a", 5));
	expect_lost(f, "malformed signature");
}

static void test_an_answer_of_another_kind_loses_the_agent(void **state)
{
	struct fixture *f = *state;
	struct wr w = signature_answer("ssh-ed25519");

	ask_for_list(f);
	answer(f, wr_span(&w));
	expect_lost(f, "not asked for");
	wr_clear(&w);
}

static void test_lengths_that_cannot_be_lose_the_agent(void **state)
{
	static const uint32_t lengths[] = {0, 256 * 1024 + 1, 0xffffffff};

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		uint8_t head[4];
		assert_int_equal(tear_down(state), 0);
		assert_int_equal(set_up(state), 0);
		struct fixture *f = *state;
		put_u32(head, lengths[i]);
		ask_for_list(f);
		answer_bytes(f, SPAN(head, 4));
		expect_lost(f, "length that cannot be");
	}
}

static void test_the_longest_answer_arrives(void **state)
{
	struct fixture *f = *state;
	struct wr w = WR_INIT;
	size_t n = 256 * 1024, sent = 0;

	wr_u32(&w, (uint32_t)n);
	wr_u8(&w, 12);
	wr_u32(&w, 1);
	wr_u32(&w, (uint32_t)(n - 1 - 4 - 4 - 4 - 1));
	while (w.n < 4 + n - 5)
		wr_u8(&w, 'x');
	wr_cstring(&w, "c");
	assert_int_equal(w.n, 4 + n);
	ask_for_list(f);
	while (sent < w.n) {
		ssize_t written = write(f->peer, w.p + sent, w.n - sent);
		assert_true(written > 0 || errno == EAGAIN);
		if (written > 0)
			sent += (size_t)written;
		run(f);
	}
	assert_int_equal(f->count, 1);
	assert_string_equal(strbuf_text(&f->comments), "c,");
	wr_clear(&w);
}

static void test_an_agent_that_dies_is_lost(void **state)
{
	struct fixture *f = *state;

	ask_for_signature(f, "ssh-ed25519");
	close(f->peer);
	f->peer = -1;
	run(f);
	expect_lost(f, "closed the connection");
}

static void test_an_agent_that_dies_idle_fails_the_next_request(void **state)
{
	struct fixture *f = *state;

	close(f->peer);
	f->peer = -1;
	run(f);
	assert_int_equal(f->calls, 0);
	ask_for_list(f);
	expect_error(f, "closed the connection");
}

static void test_an_agent_that_is_silent_is_lost_in_time(void **state)
{
	struct fixture *f = *state;

	ask_for_signature(f, "ssh-ed25519");
	loop_fake_advance(f->loop, 29999);
	assert_int_equal(f->calls, 0);
	loop_fake_advance(f->loop, 1);
	expect_lost(f, "did not answer within 30 s");
}

static void expect_bind(struct fixture *f, uint8_t is_forwarding)
{
	struct wr request = read_request(f);
	struct rd r;

	rd_init(&r, wr_span(&request));
	assert_int_equal(rd_u8(&r), 27);
	assert_true(span_is(rd_string(&r), "session-bind@openssh.com"));
	assert_true(span_is(rd_string(&r), "host key"));
	assert_true(span_is(rd_string(&r), "session"));
	assert_true(span_is(rd_string(&r), "signature"));
	assert_int_equal(rd_u8(&r), is_forwarding);
	assert_int_equal(rd_end(&r), 0);
	wr_clear(&request);
}

static void test_a_session_is_bound_and_its_answer_not_waited_for(void **state)
{
	struct fixture *f = *state;
	struct wr w = signature_answer("ssh-ed25519");

	agent_bind_login(
	    f->agent, SPAN_LITERAL("host key"), SPAN_LITERAL("session"), SPAN_LITERAL("signature"));
	ask_for_signature(f, "ssh-ed25519");
	expect_bind(f, 0);
	forget_request(f);
	answer(f, SPAN("\x05", 1)); /* an old agent */
	assert_int_equal(f->calls, 0);
	answer(f, wr_span(&w));
	assert_int_equal(f->calls, 1);
	assert_false(err_is_set(&f->e));
	wr_clear(&w);
}

static void on_bound(void *arg, const struct err *e)
{
	struct fixture *f = arg;

	f->calls++;
	if (e)
		f->e = *e;
	else if (f->detach_in_callback)
		f->detached = agent_detach(f->agent);
	if (f->free_in_callback)
		agent_free(f->agent);
	if (f->detached || f->free_in_callback)
		f->agent = NULL;
}

static void bind_forwarded(struct fixture *f)
{
	agent_bind_forwarded(f->agent, SPAN_LITERAL("host key"), SPAN_LITERAL("session"),
	    SPAN_LITERAL("signature"), 30000, on_bound, f);
	run(f);
}

static void test_a_connection_is_bound_before_it_is_forwarded(void **state)
{
	static const uint8_t answers[] = {6, 5, 28, 30}; /* done; an old agent's refusals */
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		f->calls = 0;
		bind_forwarded(f);
		expect_bind(f, 1);
		assert_int_equal(f->calls, 0);
		answer(f, SPAN(&answers[i], 1));
		assert_int_equal(f->calls, 1);
		assert_false(err_is_set(&f->e));
	}
}

static void test_an_agent_that_cannot_be_bound_is_lost(void **state)
{
	struct fixture *f = *state;
	struct wr w = two_identities();

	bind_forwarded(f);
	answer(f, wr_span(&w));
	expect_lost(f, "not asked for");
	wr_clear(&w);

	assert_int_equal(tear_down(state), 0);
	assert_int_equal(set_up(state), 0);
	f = *state;
	bind_forwarded(f);
	loop_fake_advance(f->loop, 30000);
	expect_lost(f, "did not answer within 30 s");

	assert_int_equal(tear_down(state), 0);
	assert_int_equal(set_up(state), 0);
	f = *state;
	bind_forwarded(f);
	close(f->peer);
	f->peer = -1;
	run(f);
	expect_lost(f, "closed the connection");
}

static void test_a_detached_connection_is_another_ones(void **state)
{
	struct fixture *f = *state;
	char bytes[8] = "";

	f->detach_in_callback = true;
	bind_forwarded(f);
	forget_request(f);
	answer(f, SPAN("\x06", 1));
	assert_non_null(f->detached);
	answer_bytes(f, SPAN_LITERAL("more"));
	assert_int_equal(evbuffer_remove(bufferevent_get_input(f->detached), bytes, 8), 4);
	assert_string_equal(bytes, "more");
	assert_int_equal(f->calls, 1);
	bev_free(f->detached);
}

static void test_the_agent_may_be_freed_in_each_callback(void **state)
{
	struct fixture *f = *state;
	struct wr w = two_identities();

	f->free_in_callback = true;
	ask_for_list(f);
	answer(f, wr_span(&w));
	assert_null(f->agent);
	assert_int_equal(f->calls, 1);
	wr_clear(&w);

	assert_int_equal(tear_down(state), 0);
	assert_int_equal(set_up(state), 0);
	f = *state;
	f->free_in_callback = true;
	ask_for_signature(f, "ssh-ed25519");
	close(f->peer);
	f->peer = -1;
	run(f);
	assert_null(f->agent);
	assert_int_equal(f->calls, 1);

	assert_int_equal(tear_down(state), 0);
	assert_int_equal(set_up(state), 0);
	f = *state;
	f->free_in_callback = true;
	bind_forwarded(f);
	answer(f, SPAN("\x06", 1));
	assert_null(f->agent);
	assert_int_equal(f->calls, 1);
}

static void test_a_callback_may_ask_again(void **state)
{
	struct fixture *f = *state;
	struct wr w = two_identities();

	f->again_in_callback = true;
	ask_for_list(f);
	answer(f, wr_span(&w));
	assert_int_equal(f->calls, 1);
	answer(f, wr_span(&w));
	assert_int_equal(f->calls, 2);
	wr_clear(&w);
}

static void test_a_freed_agent_calls_nobody(void **state)
{
	struct fixture *f = *state;
	struct wr w = two_identities();

	ask_for_list(f);
	agent_free(f->agent);
	f->agent = NULL;
	loop_fake_advance(f->loop, 5000);
	run(f);
	assert_int_equal(f->calls, 0);
	wr_clear(&w);
}

static void test_no_agent_is_an_error_at_once(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_INIT;
	char *missing = str_format("%s/nobody", f->folder);
	char too_long[200];

	assert_null(agent_new(f->loop, missing, &e));
	assert_int_equal(e.class, ERR_LOCAL);
	assert_non_null(strstr(e.text, missing));
	err_clear(&e);
	memset(too_long, 'x', sizeof(too_long));
	too_long[sizeof(too_long) - 1] = 0;
	assert_null(agent_new(f->loop, too_long, &e));
	assert_int_equal(e.class, ERR_LOCAL);
	assert_null(agent_new(f->loop, "", NULL));
	free(missing);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_identities_are_listed),
	    TEST(test_an_agent_may_have_no_keys),
	    TEST(test_an_answer_may_come_byte_by_byte),
	    TEST(test_a_list_cut_short_or_too_long_loses_the_agent),
	    TEST(test_a_count_that_lies_costs_nothing),
	    TEST(test_a_refusal_fails_this_request_alone),
	    TEST(test_signatures_are_asked_for_with_the_right_flags),
	    TEST(test_a_signature_of_another_algorithm_is_a_lie),
	    TEST(test_a_malformed_signature_loses_the_agent),
	    TEST(test_an_answer_of_another_kind_loses_the_agent),
	    TEST(test_lengths_that_cannot_be_lose_the_agent),
	    TEST(test_the_longest_answer_arrives),
	    TEST(test_an_agent_that_dies_is_lost),
	    TEST(test_an_agent_that_dies_idle_fails_the_next_request),
	    TEST(test_an_agent_that_is_silent_is_lost_in_time),
	    TEST(test_a_session_is_bound_and_its_answer_not_waited_for),
	    TEST(test_a_connection_is_bound_before_it_is_forwarded),
	    TEST(test_an_agent_that_cannot_be_bound_is_lost),
	    TEST(test_a_detached_connection_is_another_ones),
	    TEST(test_the_agent_may_be_freed_in_each_callback),
	    TEST(test_a_callback_may_ask_again),
	    TEST(test_a_freed_agent_calls_nobody),
	    TEST(test_no_agent_is_an_error_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
