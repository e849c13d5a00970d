#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/lib/fake_transport.h"

enum { WINDOW = 1 << 20, MAXIMUM_PACKET = 32768, PASSES = 50 };

void settle(struct loop *loop)
{
	for (int i = 0; i < PASSES; i++)
		loop_pass(loop, LOOP_NO_WAIT);
}

struct peer {
	struct transport *transport;
	struct loop *loop;
	struct session *session;
};

/* ---- the server ---- */

struct peer *peer_new(struct loop *loop)
{
	struct peer *p = NEW(struct peer);

	p->loop = loop;
	p->transport = fake_transport_new(loop);
	p->session = session_new(loop, p->transport, &(struct session_options){.host = "server"});
	fake_transport_set_session(p->transport, p->session);
	return p;
}

struct session *peer_session(const struct peer *p)
{
	return p->session;
}

void peer_lose(struct peer *p)
{
	struct err e = ERR_INIT;

	err_set(&e, ERR_NETWORK, "the cable was cut");
	session_transport_closed(p->session, &e);
	settle(p->loop);
}

void peer_free(struct peer *p)
{
	if (!p)
		return;
	session_free(p->session);
	settle(p->loop);
	fake_transport_free(p->transport);
	free(p);
}

/* The oldest message that is no window adjust. */
static bool next_message(struct peer *p, struct span *ret_message)
{
	settle(p->loop);
	while (fake_transport_next(p->transport, ret_message))
		if (ret_message->p[0] != SSH_MSG_CHANNEL_WINDOW_ADJUST)
			return true;
	return false;
}

struct rd peer_expect(struct peer *p, enum ssh_message type)
{
	struct span message;
	struct rd r;

	if (!next_message(p, &message))
		fail_msg("message %d was not sent", type);
	if (message.p[0] != type)
		fail_msg("message %d was sent, not %d", message.p[0], type);
	rd_init(&r, message);
	rd_u8(&r);
	return r;
}

bool peer_skip(struct peer *p)
{
	struct span message;

	return next_message(p, &message);
}

void peer_expect_nothing(struct peer *p)
{
	struct span message;

	if (next_message(p, &message))
		fail_msg("message %d was sent", message.p[0]);
}

void peer_say(struct peer *p, const struct wr *message)
{
	struct err e = ERR_INIT;

	if (fake_transport_feed(p->transport, wr_span(message), &e) < 0)
		fail_msg("%s", e.text);
	settle(p->loop);
}

static void say_and_clear(struct peer *p, struct wr *message)
{
	peer_say(p, message);
	wr_clear(message);
}

static void assert_string(struct span s, const char *text)
{
	assert_int_equal(s.n, strlen(text));
	assert_memory_equal(s.p, text, s.n);
}

uint32_t peer_number(uint32_t id)
{
	return id + 1000;
}

struct peer_open peer_expect_open(struct peer *p, const char *type)
{
	struct rd r = peer_expect(p, SSH_MSG_CHANNEL_OPEN);
	struct peer_open open = {0};
	struct span name = rd_string(&r);

	assert_string(name, type);
	memcpy(open.type, name.p, name.n);
	open.id = rd_u32(&r);
	rd_u32(&r); /* initial window size */
	rd_u32(&r); /* maximum packet size */
	open.extra = rd_rest(&r);
	assert_true(rd_ok(&r));
	return open;
}

uint32_t peer_expect_open_to(struct peer *p, const char *host, uint16_t port)
{
	struct peer_open open = peer_expect_open(p, "direct-tcpip");
	struct rd r;

	rd_init(&r, open.extra);
	assert_string(rd_string(&r), host);
	assert_int_equal(rd_u32(&r), port);
	return open.id;
}

static void say_for(struct peer *p, enum ssh_message type, uint32_t id)
{
	struct wr w = WR_INIT;

	wr_u8(&w, (uint8_t)type);
	wr_u32(&w, id);
	say_and_clear(p, &w);
}

void peer_confirm(struct peer *p, uint32_t id)
{
	struct wr w = WR_INIT;

	wr_u8(&w, SSH_MSG_CHANNEL_OPEN_CONFIRMATION);
	wr_u32(&w, id);
	wr_u32(&w, peer_number(id));
	wr_u32(&w, WINDOW);
	wr_u32(&w, MAXIMUM_PACKET);
	say_and_clear(p, &w);
}

void peer_refuse(struct peer *p, uint32_t id, uint32_t code, const char *text)
{
	struct wr w = WR_INIT;

	wr_u8(&w, SSH_MSG_CHANNEL_OPEN_FAILURE);
	wr_u32(&w, id);
	wr_u32(&w, code);
	wr_cstring(&w, text);
	wr_cstring(&w, "");
	say_and_clear(p, &w);
}

void peer_send(struct peer *p, uint32_t id, const char *data)
{
	struct wr w = WR_INIT;

	wr_u8(&w, SSH_MSG_CHANNEL_DATA);
	wr_u32(&w, id);
	wr_cstring(&w, data);
	say_and_clear(p, &w);
}

void peer_send_eof(struct peer *p, uint32_t id)
{
	say_for(p, SSH_MSG_CHANNEL_EOF, id);
}

void peer_send_close(struct peer *p, uint32_t id)
{
	say_for(p, SSH_MSG_CHANNEL_CLOSE, id);
}

void peer_expect_data_bytes(struct peer *p, uint32_t id, struct span data)
{
	struct wr got = WR_INIT;

	while (got.n < data.n) {
		struct rd r = peer_expect(p, SSH_MSG_CHANNEL_DATA);

		assert_int_equal(rd_u32(&r), id);
		wr_span_bytes(&got, rd_string(&r));
		assert_int_equal(rd_end(&r), 0);
	}
	assert_int_equal(got.n, data.n);
	assert_memory_equal(got.p, data.p, data.n);
	wr_clear(&got);
}

void peer_expect_data(struct peer *p, uint32_t id, const char *data)
{
	peer_expect_data_bytes(p, id, span_of(data));
}

static void expect_for(struct peer *p, enum ssh_message type, uint32_t id)
{
	struct rd r = peer_expect(p, type);

	assert_int_equal(rd_u32(&r), id);
	assert_int_equal(rd_end(&r), 0);
}

void peer_expect_eof(struct peer *p, uint32_t id)
{
	expect_for(p, SSH_MSG_CHANNEL_EOF, id);
}

void peer_expect_close(struct peer *p, uint32_t id)
{
	expect_for(p, SSH_MSG_CHANNEL_CLOSE, id);
}

static void begin_open(struct wr *w, const char *type, uint32_t number)
{
	wr_u8(w, SSH_MSG_CHANNEL_OPEN);
	wr_cstring(w, type);
	wr_u32(w, number);
	wr_u32(w, WINDOW);
	wr_u32(w, MAXIMUM_PACKET);
}

void peer_open_tcpip(struct peer *p, uint32_t number, const char *address, uint16_t port,
    const char *originator, uint16_t originator_port)
{
	struct wr w = WR_INIT;

	begin_open(&w, "forwarded-tcpip", number);
	wr_cstring(&w, address);
	wr_u32(&w, port);
	wr_cstring(&w, originator);
	wr_u32(&w, originator_port);
	say_and_clear(p, &w);
}

void peer_open_streamlocal(struct peer *p, uint32_t number, const char *path)
{
	struct wr w = WR_INIT;

	begin_open(&w, "forwarded-streamlocal@openssh.com", number);
	wr_cstring(&w, path);
	wr_cstring(&w, "");
	say_and_clear(p, &w);
}

uint32_t peer_expect_confirmation(struct peer *p, uint32_t number)
{
	struct rd r = peer_expect(p, SSH_MSG_CHANNEL_OPEN_CONFIRMATION);

	assert_int_equal(rd_u32(&r), number);
	return rd_u32(&r);
}

void peer_expect_failure(struct peer *p, uint32_t number, uint32_t code, const char *text_part)
{
	struct rd r = peer_expect(p, SSH_MSG_CHANNEL_OPEN_FAILURE);

	assert_int_equal(rd_u32(&r), number);
	assert_int_equal(rd_u32(&r), code);
	char *text = span_strdup(rd_string(&r));

	if (!strstr(text, text_part))
		fail_msg("\"%s\" does not say \"%s\"", text, text_part);
	free(text);
}

struct rd peer_expect_request(struct peer *p, const char *name, bool want_reply)
{
	struct rd r = peer_expect(p, SSH_MSG_GLOBAL_REQUEST);

	assert_string(rd_string(&r), name);
	assert_int_equal(rd_bool(&r), want_reply);
	return r;
}

static void say_reply(struct peer *p, enum ssh_message type)
{
	struct wr w = WR_INIT;

	wr_u8(&w, (uint8_t)type);
	say_and_clear(p, &w);
}

void peer_grant(struct peer *p)
{
	say_reply(p, SSH_MSG_REQUEST_SUCCESS);
}

void peer_deny(struct peer *p)
{
	say_reply(p, SSH_MSG_REQUEST_FAILURE);
}

void peer_grant_port(struct peer *p, uint32_t port)
{
	struct wr w = WR_INIT;

	wr_u8(&w, SSH_MSG_REQUEST_SUCCESS);
	wr_u32(&w, port);
	say_and_clear(p, &w);
}

/* ---- clients and targets ---- */

static int never_blocking(int fd)
{
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
	return fd;
}

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static struct sockaddr_un at_path(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	assert_true(strlen(path) < sizeof(a.sun_path));
	memcpy(a.sun_path, path, strlen(path));
	return a;
}

int tcp_connect(uint16_t port)
{
	struct sockaddr_in to = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	/* Nagle's algorithm would keep the second byte back until somebody's delayed ACK, which takes real time. */
	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return never_blocking(fd);
}

int unix_connect(const char *path)
{
	struct sockaddr_un to = at_path(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return never_blocking(fd);
}

int tcp_listen(uint16_t *ret_port)
{
	struct sockaddr_in at = loopback(0);
	socklen_t n = sizeof(at);
	int fd = never_blocking(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 10), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	*ret_port = ntohs(at.sin_port);
	return fd;
}

int unix_listen(const char *path)
{
	struct sockaddr_un at = at_path(path);
	int fd = never_blocking(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 10), 0);
	return fd;
}

int accept_one(int listener)
{
	int fd = accept(listener, NULL, NULL);

	return fd < 0 ? -1 : never_blocking(fd);
}

void put(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

void assert_got_bytes(int fd, struct span wanted)
{
	char got[65536];
	ssize_t n = recv(fd, got, sizeof(got), 0);

	if (n < 0)
		fail_msg("recv: %s", strerror(errno));
	assert_int_equal(n, wanted.n);
	assert_memory_equal(got, wanted.p, wanted.n);
}

void assert_got(int fd, const char *text)
{
	assert_got_bytes(fd, span_of(text));
}

void assert_got_eof(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, 0), 0);
}

void assert_got_reset(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
}

void assert_got_nothing(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
}
