/*
 * What the tests of forwards play on: a session whose server is the test itself, message by message, and TCP and Unix clients and
 * targets on loopback.
 */
#ifndef ADIT_TESTS_UNIT_FORWARD_PEER_H
#define ADIT_TESTS_UNIT_FORWARD_PEER_H

#include "base/loop.h"
#include "base/wire.h"
#include "ssh/messages.h"
#include "ssh/session.h"

/* ---- the loop ---- */

/* Turns it until nothing happens any more (the kernel needs no time for loopback). */
void settle(struct loop *loop);

/* ---- the server ---- */

struct peer;

struct peer *peer_new(struct loop *loop);
struct session *peer_session(const struct peer *p);
/* The transport is lost. The session is closed, and lives until peer_free(). */
void peer_lose(struct peer *p);
void peer_free(struct peer *p); /* NULL is legal */

/* The next message that was sent (window adjusts aside) must be of that type; gives what follows the type, valid until the
 * next call. */
struct rd peer_expect(struct peer *p, enum ssh_message type);
void peer_expect_nothing(struct peer *p);
bool peer_skip(struct peer *p); /* false: nothing was sent */
/* Hands a message to the session. */
void peer_say(struct peer *p, const struct wr *message);

struct peer_open {
	char type[64];
	uint32_t id; /* the client's */
	struct span extra;
};
/* A CHANNEL_OPEN of direct-tcpip or direct-streamlocal@openssh.com. */
struct peer_open peer_expect_open(struct peer *p, const char *type);
/* The same, when only the id is of interest. */
uint32_t peer_expect_open_to(struct peer *p, const char *host, uint16_t port);
void peer_confirm(struct peer *p, uint32_t id);
void peer_refuse(struct peer *p, uint32_t id, uint32_t code, const char *text);
void peer_send(struct peer *p, uint32_t id, const char *data);
void peer_send_eof(struct peer *p, uint32_t id);
void peer_send_close(struct peer *p, uint32_t id);
/* CHANNEL_DATA with exactly this; CHANNEL_EOF; CHANNEL_CLOSE: for the channel with the server's number. */
void peer_expect_data(struct peer *p, uint32_t id, const char *data);
void peer_expect_data_bytes(struct peer *p, uint32_t id, struct span data);
void peer_expect_eof(struct peer *p, uint32_t id);
void peer_expect_close(struct peer *p, uint32_t id);

/* The server's number of the channel that the client calls id: peer_confirm() chose it. */
uint32_t peer_number(uint32_t id);

/* Opens a channel towards the client, as the server's number. */
void peer_open_tcpip(struct peer *p, uint32_t number, const char *address, uint16_t port,
    const char *originator, uint16_t originator_port);
void peer_open_streamlocal(struct peer *p, uint32_t number, const char *path);
/* The confirmation of that: gives the client's id. */
uint32_t peer_expect_confirmation(struct peer *p, uint32_t number);
void peer_expect_failure(struct peer *p, uint32_t number, uint32_t code, const char *text_part);

/* GLOBAL_REQUEST of that name, and whether it wants a reply; gives the rest. */
struct rd peer_expect_request(struct peer *p, const char *name, bool want_reply);
void peer_grant(struct peer *p);
void peer_grant_port(struct peer *p, uint32_t port);
void peer_deny(struct peer *p);

/* ---- clients and targets: plain descriptors that never block ---- */

int tcp_connect(uint16_t port);
int unix_connect(const char *path);
int tcp_listen(uint16_t *ret_port);
int unix_listen(const char *path);
int accept_one(int listener); /* -1: nobody is there */
void put(int fd, const char *text);
/* What has arrived so far is exactly this. */
void assert_got(int fd, const char *text);
void assert_got_bytes(int fd, struct span bytes);
void assert_got_eof(int fd);
void assert_got_reset(int fd);
void assert_got_nothing(int fd);

#endif
