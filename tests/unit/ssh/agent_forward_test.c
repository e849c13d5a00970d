#include "connection_rig.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ssh/agent_forward.h"
#include "ssh/exec.h"

/* An agent's socket in a folder of its own. */
struct agent {
	char folder[64], path[96];
	int listener;
};

static struct agent agent_make(void)
{
	struct agent a = {.folder = "/tmp/adit-agent-XXXXXX"};
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	assert_non_null(mkdtemp(a.folder));
	snprintf(a.path, sizeof(a.path), "%s/agent", a.folder);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", a.path);
	a.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(a.listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(a.listener, 100), 0);
	return a;
}

static void agent_remove(struct agent *a)
{
	if (a->listener >= 0)
		close(a->listener);
	unlink(a->path);
	rmdir(a->folder);
}

/* The next connection, by a loop that turns; -1: none. */
static int agent_accept(struct rig *rig, struct agent *a)
{
	rig_settle(rig);
	return accept(a->listener, NULL, NULL);
}

static void expect_bind(int fd)
{
	uint8_t head[4], body[200];
	struct rd r;

	assert_int_equal(recv(fd, head, 4, MSG_DONTWAIT), 4);
	size_t n = get_u32(head);
	assert_true(n <= sizeof(body));
	assert_int_equal(recv(fd, body, n, MSG_DONTWAIT), n);
	rd_init(&r, SPAN(body, n));
	assert_int_equal(rd_u8(&r), 27);
	assert_true(span_is(rd_string(&r), "session-bind@openssh.com"));
	assert_true(span_is(rd_string(&r), "host key"));
	assert_true(span_is(rd_string(&r), "session identifier"));
	assert_true(span_is(rd_string(&r), "signature"));
	assert_int_equal(rd_u8(&r), 1); /* forwarding */
	assert_int_equal(rd_end(&r), 0);
}

static void say(struct rig *rig, int fd, uint8_t answer)
{
	const uint8_t message[] = {0, 0, 0, 1, answer};

	assert_int_equal(write(fd, message, sizeof(message)), sizeof(message));
	rig_settle(rig);
}

static void free_exec(void *arg)
{
	exec_free(arg);
}

static void run_command(struct rig *rig)
{
	static const struct exec_callbacks none = {0};
	struct exec *exec = session_exec(rig->session, "true", &none, NULL, NULL);

	assert_non_null(exec);
	session_on_free(rig->session, free_exec, exec);
	(void)rig_sent(rig);
	rig_feed(rig, "buuuu", SSH_MSG_CHANNEL_OPEN_CONFIRMATION, 0, 7, RIG_WINDOW, RIG_PACKET);
}

static void expect_refusal(struct rig *rig, uint32_t id, uint32_t code)
{
	struct span m = rig_sent(rig);

	assert_true(m.n > 9 && m.p[0] == SSH_MSG_CHANNEL_OPEN_FAILURE);
	assert_int_equal(get_u32(m.p + 1), id);
	assert_int_equal(get_u32(m.p + 5), code);
}

static void test_it_is_off_unless_it_was_started(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	run_command(rig);
	rig_expect(rig, "busos", SSH_MSG_CHANNEL_REQUEST, 7, "exec", true, "true");
	rig_feed(rig, "bsuuu", SSH_MSG_CHANNEL_OPEN, "auth-agent@openssh.com", 9, 1000, 1000);
	expect_refusal(rig, 9, OPEN_UNKNOWN_CHANNEL_TYPE);
	rig_free(rig);
}

static void test_a_command_asks_for_it_before_it_runs(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	agent_forward_start(rig->session, "/nowhere");
	run_command(rig);
	rig_expect(rig, "buso", SSH_MSG_CHANNEL_REQUEST, 7, "auth-agent-req@openssh.com", false);
	rig_expect(rig, "busos", SSH_MSG_CHANNEL_REQUEST, 7, "exec", true, "true");
	rig_free(rig);
}

static void test_nobody_gets_it_before_a_command_asked(void **state)
{
	struct agent agent = agent_make();
	struct rig *rig = rig_new();

	(void)state;
	agent_forward_start(rig->session, agent.path);
	rig_feed(rig, "bsuuu", SSH_MSG_CHANNEL_OPEN, "auth-agent@openssh.com", 9, 1000, 1000);
	expect_refusal(rig, 9, OPEN_ADMINISTRATIVELY_PROHIBITED);
	assert_int_equal(accept(agent.listener, NULL, NULL), -1);
	rig_free(rig);
	agent_remove(&agent);
}

static struct rig *ask_for(struct agent *agent)
{
	struct rig *rig = rig_new();

	agent_forward_start(rig->session, agent->path);
	run_command(rig);
	(void)rig_sent(rig);
	(void)rig_sent(rig);
	rig_feed(rig, "bsuuu", SSH_MSG_CHANNEL_OPEN, "auth-agent@openssh.com", 9, 1000, 1000);
	return rig;
}

static void test_the_channel_is_joined_to_the_agent(void **state)
{
	struct agent agent = agent_make();
	struct rig *rig = ask_for(&agent);
	char answer[16] = "";
	int fd = agent_accept(rig, &agent);

	(void)state;
	expect_bind(fd);
	say(rig, fd, 6);
	rig_expect(rig, "buuuu", SSH_MSG_CHANNEL_OPEN_CONFIRMATION, 9, 1, RIG_WINDOW, RIG_PACKET);
	assert_int_equal(session_channel_count(rig->session), 2);
	/* The command counts, the agent's channel does not. */
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 0);
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 7);
	assert_false(session_busy(rig->session, SESSION_VISIBLE_ONLY));
	assert_true(session_busy(rig->session, SESSION_INVISIBLE_TOO));
	rig_feed(rig, "bus", SSH_MSG_CHANNEL_DATA, 1, "question");
	rig_settle(rig);
	assert_int_equal(read(fd, answer, sizeof(answer)), 8);
	assert_string_equal(answer, "question");
	assert_int_equal(write(fd, "answer", 6), 6);
	rig_expect(rig, "bus", SSH_MSG_CHANNEL_DATA, 9, "answer");
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_EOF, 1);
	rig_settle(rig);
	assert_int_equal(read(fd, answer, sizeof(answer)), 0);
	close(fd);
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_EOF, 9);
	rig_expect(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 9);
	rig_feed(rig, "bu", SSH_MSG_CHANNEL_CLOSE, 1);
	assert_int_equal(session_channel_count(rig->session), 0);
	rig_free(rig);
	agent_remove(&agent);
}

static void test_an_old_agent_need_not_know_what_a_session_is(void **state)
{
	struct agent agent = agent_make();
	struct rig *rig = ask_for(&agent);
	int fd = agent_accept(rig, &agent);

	(void)state;
	expect_bind(fd);
	rig_expect_nothing(rig);
	say(rig, fd, 5);
	assert_int_equal(rig_sent(rig).p[0], SSH_MSG_CHANNEL_OPEN_CONFIRMATION);
	close(fd);
	rig_free(rig);
	agent_remove(&agent);
}

static void test_an_agent_that_is_not_told_is_not_forwarded(void **state)
{
	(void)state;
	for (int manner = 0; manner < 3; manner++) {
		struct agent agent = agent_make();
		struct rig *rig = ask_for(&agent);
		int fd = agent_accept(rig, &agent);

		if (manner == 0)
			say(rig, fd, 12); /* answers something else */
		else if (manner == 1)
			shutdown(fd, SHUT_RDWR);
		else
			loop_fake_advance(rig->loop, 30000);
		expect_refusal(rig, 9, OPEN_CONNECT_FAILED);
		close(fd);
		rig_free(rig);
		agent_remove(&agent);
	}
}

static void test_an_agent_that_is_not_there_is_a_refusal(void **state)
{
	struct agent agent = agent_make();
	struct rig *rig = rig_new();

	(void)state;
	close(agent.listener);
	agent.listener = -1;
	agent_forward_start(rig->session, agent.path);
	run_command(rig);
	(void)rig_sent(rig);
	(void)rig_sent(rig);
	rig_feed(rig, "bsuuu", SSH_MSG_CHANNEL_OPEN, "auth-agent@openssh.com", 9, 1000, 1000);
	expect_refusal(rig, 9, OPEN_CONNECT_FAILED);
	assert_int_equal(session_channel_count(rig->session), 1);
	rig_free(rig);
	agent_remove(&agent);
}

static void test_there_is_a_limit(void **state)
{
	struct agent agent = agent_make();
	struct rig *rig = rig_new();
	int fds[64];

	(void)state;
	agent_forward_start(rig->session, agent.path);
	run_command(rig);
	(void)rig_sent(rig);
	(void)rig_sent(rig);
	for (uint32_t i = 0; i < 64; i++) {
		rig_feed(
		    rig, "bsuuu", SSH_MSG_CHANNEL_OPEN, "auth-agent@openssh.com", i, 1000, 1000);
		fds[i] = agent_accept(rig, &agent);
		if (i % 2) /* those that are not bound yet count as well */
			say(rig, fds[i], 6);
	}
	for (uint32_t i = 0; i < 32; i++)
		assert_int_equal(rig_sent(rig).p[0], SSH_MSG_CHANNEL_OPEN_CONFIRMATION);
	rig_feed(rig, "bsuuu", SSH_MSG_CHANNEL_OPEN, "auth-agent@openssh.com", 64, 1000, 1000);
	expect_refusal(rig, 64, OPEN_RESOURCE_SHORTAGE);
	rig_free(rig); /* with all of them open */
	for (uint32_t i = 0; i < 64; i++)
		close(fds[i]);
	agent_remove(&agent);
}

static void test_the_session_may_end_before_the_agent_is_there(void **state)
{
	(void)state;
	for (int bound = 0; bound < 2; bound++) {
		struct agent agent = agent_make();
		struct rig *rig = ask_for(&agent);
		struct err e = ERR_INIT;
		int fd = bound ? agent_accept(rig, &agent) : -1;

		err_set(&e, ERR_NETWORK, "lost");
		session_transport_closed(rig->session, &e);
		rig_settle(rig);
		assert_int_equal(session_channel_count(rig->session), 0);
		if (fd >= 0)
			close(fd);
		rig_free(rig);
		agent_remove(&agent);
	}
}

static void test_the_path_may_change(void **state)
{
	struct agent agent = agent_make();
	struct rig *rig = rig_new();

	(void)state;
	agent_forward_start(rig->session, "/nowhere");
	agent_forward_start(rig->session, agent.path);
	run_command(rig);
	rig_settle(rig);
	rig_feed(rig, "bsuuu", SSH_MSG_CHANNEL_OPEN, "auth-agent@openssh.com", 9, 1000, 1000);
	int fd = agent_accept(rig, &agent);
	assert_true(fd >= 0);
	close(fd);
	rig_free(rig);
	agent_remove(&agent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_it_is_off_unless_it_was_started),
	    cmocka_unit_test(test_a_command_asks_for_it_before_it_runs),
	    cmocka_unit_test(test_nobody_gets_it_before_a_command_asked),
	    cmocka_unit_test(test_the_channel_is_joined_to_the_agent),
	    cmocka_unit_test(test_an_old_agent_need_not_know_what_a_session_is),
	    cmocka_unit_test(test_an_agent_that_is_not_told_is_not_forwarded),
	    cmocka_unit_test(test_an_agent_that_is_not_there_is_a_refusal),
	    cmocka_unit_test(test_there_is_a_limit),
	    cmocka_unit_test(test_the_session_may_end_before_the_agent_is_there),
	    cmocka_unit_test(test_the_path_may_change),
	};

	return cmocka_run_group_tests_name("ssh/agent_forward", tests, NULL, NULL);
}
