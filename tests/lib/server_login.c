/*
 * The scripted server's side of the login (RFC 4252, RFC 4256).
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ssh/cert.h"
#include "server_internal.h"

static const char *methods_of(const struct server *s)
{
	return s->script.methods ? s->script.methods : "publickey,password,keyboard-interactive";
}

void server_set_methods(struct server *s, const char *methods)
{
	s->script.methods = methods;
}

static void send_failure(struct server *s, bool partial_success)
{
	struct wr w = WR_INIT;

	wr_u8(&w, SSH_MSG_USERAUTH_FAILURE);
	wr_cstring(&w, methods_of(s));
	wr_bool(&w, partial_success);
	server_send(s, wr_span(&w));
	wr_clear(&w);
}

static void send_pk_ok(struct server *s, const struct server_login *login)
{
	struct wr w = WR_INIT;

	wr_u8(&w, SSH_MSG_USERAUTH_PK_OK);
	wr_string(&w, login->algorithm);
	wr_string(&w, login->blob);
	server_send(s, wr_span(&w));
	wr_clear(&w);
}

static void send_prompts(struct server *s)
{
	struct wr w = WR_INIT;
	uint32_t count = 0;

	while (s->script.prompts && s->script.prompts[count])
		count++;
	wr_u8(&w, SSH_MSG_USERAUTH_INFO_REQUEST);
	wr_cstring(&w, "");
	wr_cstring(&w, "");
	wr_cstring(&w, "");
	wr_u32(&w, count);
	for (uint32_t i = 0; i < count; i++) {
		const char *prompt = s->script.prompts[i];
		bool echo = prompt[0] == '+';

		wr_cstring(&w, echo ? prompt + 1 : prompt);
		wr_bool(&w, echo);
	}
	server_send(s, wr_span(&w));
	wr_clear(&w);
}

/* Lets everybody in, but asks for the signature first. */
static enum server_verdict judge(struct server *s, const struct server_login *login)
{
	if (s->script.on_login)
		return s->script.on_login(s->script.arg, s, login);
	bool is_key = strncmp(login->method, "publickey", 9) == 0;
	return is_key && !login->has_signature ? SERVER_PK_OK : SERVER_ACCEPT;
}

static void answer(struct server *s, const struct server_login *login)
{
	switch (judge(s, login)) {
	case SERVER_ACCEPT:
		server_send(s, SPAN("\x34", 1)); /* USERAUTH_SUCCESS */
		s->logged_in = true;
		break;
	case SERVER_REFUSE:
		send_failure(s, false);
		break;
	case SERVER_PARTIAL:
		send_failure(s, true);
		break;
	case SERVER_PK_OK:
		send_pk_ok(s, login);
		break;
	case SERVER_PROMPT:
		send_prompts(s);
		break;
	case SERVER_SILENT:
		break;
	}
}

/* ---- publickey ---- */

/* The signature is over the session id and the request up to it. */
static bool signature_is_good(
    struct server *s, const struct server_login *login, struct span request, struct span signature)
{
	struct wr data = WR_INIT;
	struct err e = ERR_INIT;
	struct cert *cert = cert_blob_is_cert(login->blob) ? cert_from_blob(login->blob, &e) : NULL;
	struct key *key = cert ? NULL : key_from_blob(login->blob, &e);
	const char *plain = cert ? cert_algorithm_plain(login->algorithm) : NULL;
	struct span algorithm = plain ? span_of(plain) : login->algorithm;
	bool good = false;

	wr_string(&data, kex_session_id(s->kex));
	wr_span_bytes(&data, request);
	if (cert || key)
		good = key_verify(cert ? cert_key(cert) : key, algorithm, wr_span(&data), signature,
			   &e) == 0;
	key_free(key);
	cert_free(cert);
	wr_clear(&data);
	return good;
}

static void read_publickey(
    struct server *s, struct server_login *login, struct span payload, struct rd *r)
{
	login->has_signature = rd_bool(r);
	login->algorithm = rd_string(r);
	login->blob = rd_string(r);
	login->is_hostbound = strcmp(login->method, "publickey") != 0;
	if (login->is_hostbound)
		login->host_key_is_right = span_equal(rd_string(r), key_blob(server_host_key()));
	struct span signed_part = SPAN(payload.p, payload.n - rd_left(r));
	if (login->has_signature)
		login->signature_is_good = signature_is_good(s, login, signed_part, rd_string(r));
	if (login->has_signature && !login->signature_is_good)
		server_complain(s, "a signature is wrong");
	if (login->is_hostbound && !login->host_key_is_right)
		server_complain(s, "a request is bound to another host");
}

static void handle_request(struct server *s, struct span payload)
{
	struct server_login login = {0};
	struct rd r;

	rd_init(&r, payload);
	rd_u8(&r);
	char *user = span_strdup(rd_string(&r));
	struct span service = rd_string(&r);
	char *method = span_strdup(rd_string(&r));
	login.user = user;
	login.method = method;
	if (strncmp(method, "publickey", 9) == 0) {
		read_publickey(s, &login, payload, &r);
	} else if (strcmp(method, "password") == 0) {
		rd_bool(&r);
		login.password = rd_string(&r);
	} else if (strcmp(method, "keyboard-interactive") == 0) {
		rd_string(&r);
		rd_string(&r);
	}
	if (rd_end(&r) < 0 || !span_is(service, "ssh-connection"))
		server_complain(s, "a malformed request for %s", method);
	answer(s, &login);
	free(user);
	free(method);
}

/* Its first answer is the password. */
static void handle_info_response(struct server *s, struct span payload)
{
	struct server_login login = {.user = "", .method = "info-response"};
	struct rd r;

	rd_init(&r, payload);
	rd_u8(&r);
	uint32_t count = rd_u32(&r);
	for (uint32_t i = 0; i < count && rd_ok(&r); i++) {
		struct span one = rd_string(&r);

		if (i == 0)
			login.password = one;
	}
	if (rd_end(&r) < 0)
		server_complain(s, "a malformed INFO_RESPONSE");
	answer(s, &login);
}

bool server_login_input(struct server *s, struct span payload)
{
	struct wr w = WR_INIT;

	switch (payload.p[0]) {
	case SSH_MSG_SERVICE_REQUEST:
		if (s->script.service == SERVER_HOLDS_SERVICE)
			return true;
		wr_u8(&w, SSH_MSG_SERVICE_ACCEPT);
		wr_cstring(&w, "ssh-userauth");
		server_send(s, wr_span(&w));
		wr_clear(&w);
		return true;
	case SSH_MSG_USERAUTH_REQUEST:
		handle_request(s, payload);
		return true;
	case SSH_MSG_USERAUTH_INFO_RESPONSE:
		handle_info_response(s, payload);
		return true;
	default:
		return false;
	}
}
