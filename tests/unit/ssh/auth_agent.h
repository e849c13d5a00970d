/* An ssh-agent for the tests of the login, which answers when it is polled. */
#ifndef ADIT_TESTS_UNIT_SSH_AUTH_AGENT_H
#define ADIT_TESTS_UNIT_SSH_AUTH_AGENT_H

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "ssh/key.h"

enum { AGENT_KEYS_MAX = 32 };

struct fake_agent {
	char *folder, *path;
	int listener, peer;               /* peer: -1 before somebody connected */
	struct key *keys[AGENT_KEYS_MAX]; /* owned */
	size_t key_count;
	size_t
	    elsewhere; /* the first so many are for another host: who is bound does not see them */
	struct wr certs[2]; /* of keys[0]; listed as identities of their own */
	size_t cert_count;
	enum { AGENT_SIGNS, AGENT_REFUSES, AGENT_LIES, AGENT_DIES, AGENT_THINKS } manner;
	struct wr in;
	struct strbuf seen; /* types of the requests */
	struct wr bound;    /* the session-bind request */
	struct wr thinks;   /* the sign request, until fake_agent_touch() */
};

static inline void fake_agent_start(struct fake_agent *a)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char folder[] = "/tmp/adit-auth-test.XXXXXX";

	a->folder = mem_strdup(mkdtemp(folder));
	a->path = str_format("%s/agent", a->folder);
	a->peer = -1;
	a->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	memcpy(address.sun_path, a->path, strlen(a->path));
	if (bind(a->listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    listen(a->listener, 4) != 0)
		abort();
}

static inline void fake_agent_stop(struct fake_agent *a)
{
	for (size_t i = 0; i < a->key_count; i++)
		key_free(a->keys[i]);
	for (size_t i = 0; i < a->cert_count; i++)
		wr_clear(&a->certs[i]);
	if (a->path) {
		close(a->listener);
		unlink(a->path);
		rmdir(a->folder);
	}
	if (a->path && a->peer >= 0)
		close(a->peer);
	free(a->path);
	free(a->folder);
	wr_clear(&a->in);
	wr_clear(&a->bound);
	wr_clear(&a->thinks);
	strbuf_clear(&a->seen);
}

static inline void fake_agent_write(struct fake_agent *a, const struct wr *body)
{
	uint8_t length[4];

	put_u32(length, (uint32_t)body->n);
	if (send(a->peer, length, 4, MSG_NOSIGNAL) != 4 ||
	    send(a->peer, body->p, body->n, MSG_NOSIGNAL) != (ssize_t)body->n)
		return; /* whoever asked is gone */
}

static inline void fake_agent_list(struct fake_agent *a)
{
	struct wr w = WR_INIT;
	size_t first = a->bound.n ? a->elsewhere : 0;

	wr_u8(&w, 12);
	wr_u32(&w, (uint32_t)(a->key_count - first + a->cert_count));
	for (size_t i = 0; i < a->cert_count; i++) {
		wr_string(&w, wr_span(&a->certs[i]));
		wr_cstring(&w, "certified");
	}
	for (size_t i = first; i < a->key_count; i++) {
		char *comment = str_format("key %zu", i);

		wr_string(&w, key_blob(a->keys[i]));
		wr_cstring(&w, comment);
		free(comment);
	}
	fake_agent_write(a, &w);
	wr_clear(&w);
}

static inline const struct key *fake_agent_find(const struct fake_agent *a, struct span blob)
{
	for (size_t i = 0; i < a->cert_count; i++)
		if (span_equal(wr_span(&a->certs[i]), blob))
			return a->keys[0];
	for (size_t i = 0; i < a->key_count; i++)
		if (span_equal(key_blob(a->keys[i]), blob))
			return a->keys[i];
	return NULL;
}

static inline void fake_agent_sign(struct fake_agent *a, struct rd *r)
{
	const struct key *key = fake_agent_find(a, rd_string(r));
	struct span data = rd_string(r);
	uint32_t flags = rd_u32(r);
	struct wr w = WR_INIT, signature = WR_INIT;
	const char *algorithm = key ? key_signature_algorithms(key_type(key)) : "";

	if (key && key_type(key) == KEY_RSA)
		algorithm = flags & 4 ? "rsa-sha2-512" : flags & 2 ? "rsa-sha2-256" : "ssh-rsa";
	if (a->manner == AGENT_LIES)
		algorithm = "ssh-rsa";
	if (a->manner == AGENT_REFUSES || !key) {
		wr_u8(&w, 5);
	} else if (a->manner == AGENT_LIES) {
		wr_u8(&w, 14);
		wr_cstring(&signature, algorithm);
		wr_cstring(&signature, "as old agents do");
		wr_string(&w, wr_span(&signature));
	} else {
		if (key_sign(key, span_of(algorithm), data, &signature, NULL) < 0)
			abort();
		wr_u8(&w, 14);
		wr_string(&w, wr_span(&signature));
	}
	fake_agent_write(a, &w);
	wr_clear(&w);
	wr_clear(&signature);
}

/* One that thinks has the person's consent. */
static inline void fake_agent_touch(struct fake_agent *a)
{
	struct rd r;

	rd_init(&r, wr_span(&a->thinks));
	rd_u8(&r);
	fake_agent_sign(a, &r);
}

static inline void fake_agent_handle(struct fake_agent *a, struct span message)
{
	struct wr failure = WR_INIT;
	struct rd r;

	rd_init(&r, message);
	uint8_t type = rd_u8(&r);
	strbuf_addf(&a->seen, "%s%u", a->seen.n ? " " : "", type);
	if (type == 11) {
		fake_agent_list(a);
	} else if (type == 13 && a->manner == AGENT_DIES) {
		close(a->peer);
		a->peer = -1;
	} else if (type == 13 && a->manner == AGENT_THINKS) {
		wr_reset(&a->thinks);
		wr_span_bytes(&a->thinks, message);
	} else if (type == 13) {
		fake_agent_sign(a, &r);
	} else if (type == 27) {
		wr_reset(&a->bound);
		wr_span_bytes(&a->bound, message);
		wr_u8(&failure, 28);
		fake_agent_write(a, &failure);
	}
	wr_clear(&failure);
}

/* Whoever was connected has closed the connection. */
static inline bool fake_agent_was_left(const struct fake_agent *a)
{
	uint8_t byte;

	return a->peer >= 0 && recv(a->peer, &byte, 1, 0) == 0;
}

static inline void fake_agent_poll(struct fake_agent *a)
{
	uint8_t bytes[4096];
	ssize_t n;

	if (!a->path)
		return;
	if (a->peer < 0)
		a->peer = accept4(a->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (a->peer < 0)
		return;
	while ((n = recv(a->peer, bytes, sizeof(bytes), 0)) > 0)
		wr_bytes(&a->in, bytes, (size_t)n);
	while (a->in.n >= 4 && a->in.n - 4 >= get_u32(a->in.p) && a->peer >= 0) {
		uint32_t length = get_u32(a->in.p);

		fake_agent_handle(a, SPAN(a->in.p + 4, length));
		memmove(a->in.p, a->in.p + 4 + length, a->in.n - 4 - length);
		a->in.n -= 4 + length;
	}
}

#endif
