/*
 * A server that sends whatever it likes into a session: messages 80 to 100, PING and PONG, for channels in every state. The input
 * is a list of messages, each behind a byte of its length; a length of 255 is followed by a command instead: let the loop turn,
 * shut or open the transport, let time pass, open a channel.
 */
#include <event2/bufferevent.h>

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/bev.h"
#include "ssh/agent_forward.h"
#include "ssh/exec.h"
#include "ssh/session.h"
#include "tests/lib/fake_transport.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COMMAND = 255, CHANNELS_MAX = 40, BEVS = 2 };

static void must(bool held)
{
	if (!held)
		abort();
}

struct rig {
	struct loop *loop;
	struct transport *transport;
	struct session *session;
	struct bufferevent *bevs[BEVS];
	struct exec *exec;
	bool over;
};

static void drop_log(void *arg, enum log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

static void on_closed(void *arg, const struct err *e)
{
	struct rig *rig = arg;

	must(err_is_set(e));
	must(!rig->over);
	must(session_channel_count(rig->session) == 0);
	rig->over = true;
}

/* ---- a user of channels ---- */

static size_t take_half(void *arg, struct channel *c, struct span data)
{
	(void)arg;
	(void)c;
	return data.n - data.n / 2;
}

static size_t take_half_extended(void *arg, struct channel *c, uint32_t type, struct span data)
{
	(void)type;
	return take_half(arg, c, data);
}

static bool say_yes(
    void *arg, struct channel *c, struct span type, struct span extra, bool want_reply)
{
	(void)arg;
	(void)c;
	(void)type;
	(void)extra;
	return want_reply;
}

static void close_on_eof(void *arg, struct channel *c)
{
	(void)arg;
	channel_close(c);
}

static const struct channel_callbacks callbacks = {.on_data = take_half,
    .on_extended_data = take_half_extended,
    .on_request = say_yes,
    .on_eof = close_on_eof};

static struct channel *open_channel(struct rig *rig, const struct channel_callbacks *cb)
{
	return session_open_channel(rig->session, "fuzz", SPAN(NULL, 0), cb, rig, NULL);
}

static void on_inbound(void *arg, struct session *s, struct channel *c, struct span extra)
{
	(void)arg;
	(void)s;
	if (extra.n % 3 == 0)
		channel_accept(c, &callbacks, arg);
	else if (extra.n % 3 == 1)
		channel_refuse(c, OPEN_CONNECT_FAILED, "no");
}

static enum session_answer on_request(void *arg, struct session *s, struct span extra,
    bool want_reply, struct wr *reply, struct session_request_ticket *ticket)
{
	(void)arg;
	(void)s;
	(void)want_reply;
	(void)ticket;
	wr_span_bytes(reply, extra);
	return extra.n % 2 ? SESSION_ANSWER_SUCCESS : SESSION_ANSWER_SENT;
}

static void on_reply(void *arg, enum session_reply reply, struct span data)
{
	(void)arg;
	(void)reply;
	(void)data;
}

static size_t take_output(void *arg, struct span data)
{
	(void)arg;
	return data.n;
}

static void on_channel_reply(void *arg, struct channel *c, bool success)
{
	(void)arg;
	(void)c;
	(void)success;
}

/* ---- the stage ---- */

static void confirm(struct rig *rig, uint32_t id)
{
	struct wr w = WR_INIT;

	wr_u8(&w, SSH_MSG_CHANNEL_OPEN_CONFIRMATION);
	wr_u32(&w, id);
	wr_u32(&w, id + 100);
	wr_u32(&w, 20);
	wr_u32(&w, 10);
	must(fake_transport_feed(rig->transport, wr_span(&w), NULL) == 0);
	wr_clear(&w);
}

static void set_up(struct rig *rig)
{
	struct session_options options = {.window = 64,
	    .maximum_packet = 32,
	    .channels_max = CHANNELS_MAX,
	    .keepalive_interval_ms = 1000,
	    .on_closed = on_closed,
	    .arg = rig};
	static const struct exec_callbacks exec_callbacks = {
	    .on_stdout = take_output, .on_stderr = take_output};
	struct channel *c;

	log_set_sink(drop_log, NULL);
	clock_fake_start(1000000, 1700000000);
	rig->loop = loop_new();
	rig->transport = fake_transport_new(rig->loop);
	fake_transport_set_extension(rig->transport, "ping@openssh.com");
	rig->session = session_new(rig->loop, rig->transport, &options);
	fake_transport_set_session(rig->transport, rig->session);
	agent_forward_start(rig->session, "/nonexistent/agent");
	(void)session_on_open_channel(rig->session, "in",
	    (struct session_open_registration){.handler = on_inbound, .arg = rig});
	(void)session_on_global_request(rig->session, "ask",
	    (struct session_request_registration){.handler = on_request, .arg = rig});
	session_send_global_request(rig->session, "tcpip-forward", SPAN(NULL, 0), on_reply, rig);

	/* 0 and 1 have bufferevents, 2 has callbacks and much to send, 3 has asked something, 4 runs a command; 5 is closing and 6 is
	 * not confirmed yet. */
	for (size_t i = 0; i < BEVS; i++)
		rig->bevs[i] = channel_bev(open_channel(rig, NULL));
	c = open_channel(rig, &callbacks);
	channel_send(c, SPAN_LITERAL("more than the window, which is of twenty bytes"));
	c = open_channel(rig, &callbacks);
	channel_send_request(c, "question", SPAN(NULL, 0), on_channel_reply, rig);
	rig->exec = session_exec(rig->session, "true", &exec_callbacks, rig, NULL);
	c = open_channel(rig, &callbacks);
	channel_send(c, SPAN_LITERAL("the last words"));
	channel_close(c);
	(void)open_channel(rig, &callbacks);
	loop_pass(rig->loop, LOOP_NO_WAIT);
	loop_pass(rig->loop, LOOP_NO_WAIT);
	for (uint32_t id = 0; id < 6; id++)
		confirm(rig, id);
	evbuffer_add(bufferevent_get_output(rig->bevs[0]), "written", 7);
	bev_finish(rig->bevs[0]);
}

static void tear_down(struct rig *rig)
{
	for (size_t i = 0; i < BEVS; i++)
		bev_free(rig->bevs[i]);
	exec_free(rig->exec);
	session_free(rig->session);
	for (int i = 0; i < 5; i++)
		loop_pass(rig->loop, LOOP_NO_WAIT);
	fake_transport_free(rig->transport);
	loop_free(rig->loop);
	clock_fake_stop();
}

static void drain_inputs(struct rig *rig)
{
	for (size_t i = 0; i < BEVS; i++) {
		struct evbuffer *input = rig->bevs[i] ? bufferevent_get_input(rig->bevs[i]) : NULL;

		if (input)
			evbuffer_drain(input, evbuffer_get_length(input));
	}
}

static void command(struct rig *rig, uint8_t what)
{
	struct span m;

	switch (what % 8) {
	case 0:
		fake_transport_shut(rig->transport);
		break;
	case 1:
		fake_transport_open(rig->transport);
		break;
	case 2:
		loop_fake_advance(rig->loop, 700);
		break;
	case 3:
		drain_inputs(rig);
		break;
	case 4:
		(void)open_channel(rig, &callbacks);
		break;
	case 5:
		bev_free(rig->bevs[1]);
		rig->bevs[1] = NULL;
		break;
	case 6:
		session_close(rig->session, 500);
		break;
	default:
		loop_pass(rig->loop, LOOP_NO_WAIT);
		while (fake_transport_next(rig->transport, &m))
			must(m.n > 0);
	}
}

/* Exactly as long as it is, so that a read past its end is seen. */
static void feed(struct rig *rig, const uint8_t *p, size_t n)
{
	uint8_t *copy = n ? mem_dup(p, n) : NULL;
	struct err e = ERR_INIT;
	int r = fake_transport_feed(rig->transport, SPAN(copy, n), &e);

	must(r == 0 || r == TRANSPORT_UNIMPLEMENTED || (r == ERR_PEER && err_is_set(&e)));
	must(r >= 0 || rig->over);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rig rig = {0};
	const uint8_t *end = data + size;

	set_up(&rig);
	while (data < end && !rig.over) {
		size_t n = *data++;

		if (n == COMMAND) {
			if (data < end)
				command(&rig, *data++);
			continue;
		}
		if (n > (size_t)(end - data))
			n = (size_t)(end - data);
		feed(&rig, data, n);
		data += n;
		must(session_channel_count(rig.session) <= CHANNELS_MAX);
	}
	loop_pass(rig.loop, LOOP_NO_WAIT);
	tear_down(&rig);
	return 0;
}
