/*
 * The login against a server that says anything. The first byte chooses what we have to offer and what the server can do; then
 * come messages, each with its length before it (a byte, or 255 and two more). The transport is a stand-in.
 *
 * What goes out must be well-formed and little; the login ends once; the password goes only where it was asked for.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "ssh/auth.h"
#include "ssh/keyfile.h"
#include "tests/unit/ssh/test_certs.h"
#include "tests/unit/ssh/test_keys.h"

enum {
	OFFER_ED25519 = 1 << 0,
	OFFER_RSA = 1 << 1,
	OFFER_CERTIFICATE = 1 << 2,
	OFFER_PASSWORD = 1 << 3,
	SERVER_SAYS_ALGORITHMS = 1 << 4,
	SERVER_IS_HOSTBOUND = 1 << 5
};
enum { SENT_MAX = 200 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool held)
{
	if (!held)
		abort();
}

/* ---- the stand-in ---- */

struct transport {
	uint8_t choice;
	unsigned sent;
	bool authenticated;
};

static void check_request(struct rd *r)
{
	must(span_is(rd_string(r), "tunnel"));
	must(span_is(rd_string(r), "ssh-connection"));
	struct span method = rd_string(r);
	if (span_is(method, "password")) {
		must(!rd_bool(r) && span_is(rd_string(r), "s3cret"));
	} else if (span_is(method, "keyboard-interactive")) {
		rd_string(r);
		rd_string(r);
	} else if (!span_is(method, "none")) {
		bool is_signed = rd_bool(r);

		rd_string(r); /* algorithm */
		rd_string(r); /* key */
		if (span_is(method, "publickey-hostbound-v00@openssh.com"))
			rd_string(r);
		else
			must(span_is(method, "publickey"));
		if (is_signed)
			must(rd_string(r).n > 64);
	}
}

void transport_send_span(struct transport *t, struct span payload)
{
	struct rd r;

	must(!t->authenticated && ++t->sent < SENT_MAX);
	rd_init(&r, payload);
	switch (rd_u8(&r)) {
	case SSH_MSG_SERVICE_REQUEST:
		must(span_is(rd_string(&r), "ssh-userauth"));
		break;
	case SSH_MSG_USERAUTH_REQUEST:
		check_request(&r);
		break;
	case SSH_MSG_USERAUTH_INFO_RESPONSE:
		for (uint32_t n = rd_u32(&r); n > 0 && rd_ok(&r); n--)
			rd_string(&r);
		break;
	default:
		abort();
	}
	must(rd_end(&r) == 0);
}

bool transport_is_ready(const struct transport *t)
{
	(void)t;
	return true;
}

void transport_set_authenticated(struct transport *t)
{
	t->authenticated = true;
}

bool transport_closed_by_peer(const struct transport *t)
{
	(void)t;
	return true;
}

struct span transport_session_id(const struct transport *t)
{
	(void)t;
	return SPAN_LITERAL("0123456789abcdef0123456789abcdef");
}

struct span transport_host_key(const struct transport *t)
{
	(void)t;
	return SPAN_LITERAL("host key");
}

struct span transport_host_key_signature(const struct transport *t)
{
	(void)t;
	return SPAN_LITERAL("signature");
}

unsigned transport_peer_quirks(const struct transport *t)
{
	(void)t;
	return 0;
}

const char *transport_server_sig_algs(const struct transport *t)
{
	return t->choice & SERVER_SAYS_ALGORITHMS ? "ssh-ed25519,rsa-sha2-256" : NULL;
}

bool transport_peer_has_extension(const struct transport *t, const char *name)
{
	return (t->choice & SERVER_IS_HOSTBOUND) &&
	       strcmp(name, "publickey-hostbound@openssh.com") == 0;
}

/* ---- one login ---- */

static void on_done(void *arg, const struct err *e)
{
	unsigned *done = arg;

	must(e->class == ERR_OK || e->class == ERR_LOGIN);
	++*done;
}

static void no_log(void *arg, enum log_level level, const char *line)
{
	(void)arg;
	(void)level;
	must(!strstr(line, "s3cret"));
}

static struct key *read_key(const char *text)
{
	struct key *key = keyfile_parse(span_of(text), "test", NULL, NULL, NULL);

	must(key != NULL);
	return key;
}

static struct cert *read_cert(void)
{
	struct wr blob = WR_INIT;

	must(str_base64_decode(span_of(TEST_USER_CERT_ED25519), &blob));
	struct cert *cert = cert_from_blob(wr_span(&blob), NULL);
	must(cert != NULL);
	wr_clear(&blob);
	return cert;
}

static void offer(struct auth_options *options, uint8_t choice)
{
	struct auth_identity *list = mem_array(2, sizeof(*list));
	size_t n = 0;

	if (choice & OFFER_ED25519) {
		list[n] = (struct auth_identity){
		    .name = mem_strdup("id_ed25519"), .key = read_key(TEST_ED25519_FILE)};
		list[n++].cert = choice & OFFER_CERTIFICATE ? read_cert() : NULL;
	}
	if (choice & OFFER_RSA)
		list[n++] = (struct auth_identity){
		    .name = mem_strdup("id_rsa"), .key = read_key(TEST_RSA_FILE)};
	options->identities = list;
	options->identity_count = n;
}

static bool next_message(struct rd *r, struct span *ret_message)
{
	size_t n = rd_u8(r);

	if (n == 255)
		n = (size_t)rd_u8(r) << 8 | rd_u8(r);
	*ret_message = rd_bytes(r, n < rd_left(r) ? n : rd_left(r));
	return rd_ok(r) && ret_message->n > 0;
}

static void play(struct loop *loop, struct auth *auth, struct rd *r, const unsigned *done)
{
	struct span message;

	while (*done == 0 && next_message(r, &message)) {
		struct err e = ERR_INIT;
		int result = auth_input(auth, message, &e);

		must((result < 0) == err_is_set(&e));
		must(result <= TRANSPORT_UNIMPLEMENTED);
		loop_pass(loop, LOOP_NO_WAIT);
		if (result < 0)
			return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct secret password = {0};
	unsigned done = 0;
	struct rd r;

	/* Of what the server says itself the log may speak. */
	if (size && memmem(data, size, "s3cret", 6))
		return 0;
	rd_init(&r, SPAN(data, size));
	struct transport t = {.choice = rd_u8(&r)};
	log_set_sink(no_log, NULL);
	log_set_level(LOG_LEVEL_DEBUG);
	clock_fake_start(1000000, 1700000000);
	struct loop *loop = loop_new();
	struct auth_options options = {.user = "tunnel"};
	offer(&options, t.choice);
	secret_set(&password, "s3cret", 6);
	options.password = t.choice & OFFER_PASSWORD ? &password : NULL;
	struct auth *auth = auth_start(loop, &t, &options, on_done, &done);
	play(loop, auth, &r, &done);
	must(done <= 1);
	if (done == 0) {
		struct err e = ERR_INIT;

		err_set(&e, ERR_NETWORK, "the end");
		auth_transport_closed(auth, &e);
		must(e.class == ERR_NETWORK || e.class == ERR_LOGIN);
	}
	auth_free(auth);
	loop_pass(loop, LOOP_NO_WAIT);
	loop_free(loop);
	secret_clear(&password);
	clock_fake_stop();
	return 0;
}
