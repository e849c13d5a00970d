/*
 * The publickey method (RFC 4252 §7), bound to the server's host key where that is offered (PROTOCOL §3.1): asking, signing here or
 * by the agent.
 */
#include "ssh/auth_private.h"

#define METHOD_HOSTBOUND "publickey-hostbound-v00@openssh.com"

static bool is_hostbound(const struct auth *auth)
{
	return transport_peer_has_extension(auth->transport, "publickey-hostbound@openssh.com");
}

/* As the server is shown it. */
static const char *current_algorithm(const struct auth *auth)
{
	return auth->current->kind == AUTH_KEY_CERTIFICATE ? cert_algorithm_for(auth->algorithm)
							   : auth->algorithm;
}

static void write_publickey(const struct auth *auth, struct wr *w, bool has_signature)
{
	bool hostbound = is_hostbound(auth);

	auth_begin_request(auth, w, hostbound ? METHOD_HOSTBOUND : METHOD_PUBLICKEY);
	wr_bool(w, has_signature);
	wr_cstring(w, current_algorithm(auth));
	wr_string(w, auth->current->blob);
	if (hostbound)
		wr_string(w, transport_host_key(auth->transport));
}

static void ask_publickey(struct auth *auth)
{
	struct wr w = WR_INIT;

	write_publickey(auth, &w, false);
	auth_send_request(auth, REQUEST_ASK, &w);
}

/* The request is sent as it was signed, whatever an EXT_INFO may have said since. */
static void send_signed(struct auth *auth, struct span signature)
{
	size_t prefix = 4 + transport_session_id(auth->transport).n;
	struct wr w = WR_INIT;

	wr_bytes(&w, auth->signed_data.p + prefix, auth->signed_data.n - prefix);
	wr_string(&w, signature);
	auth_send_request(auth, REQUEST_SIGNED, &w);
}

/* The current key cannot be used after all. */
static void drop_current(struct auth *auth, const char *why)
{
	log_warning(auth->log, "identity-left-out", "name=%s reason=%s", auth->current->label, why);
	auth_keys_leave_out(&auth->keys, auth->current->label, why);
	auth->current->spent = true;
	auth->current = NULL;
}

static void on_agent_signature(void *arg, struct span signature, const struct err *e)
{
	struct auth *auth = arg;

	auth_set_agent_state(auth, AGENT_READY);
	if (auth->is_over)
		return;
	if (e && err_is_set(e))
		drop_current(auth, e->text);
	else
		send_signed(auth, signature);
	auth_advance(auth);
}

static void sign_here(struct auth *auth)
{
	struct wr signature = WR_INIT;
	struct err e = ERR_INIT;

	if (key_sign(auth->current->key, span_of(auth->algorithm), wr_span(&auth->signed_data),
		&signature, &e) < 0)
		drop_current(auth, e.text);
	else
		send_signed(auth, wr_span(&signature));
	wr_clear(&signature);
}

static void sign_by_agent(struct auth *auth)
{
	auth_set_agent_state(auth, AGENT_SIGNING);
	agent_sign(auth->agent, auth->current->agent_blob, span_of(auth->algorithm),
	    wr_span(&auth->signed_data), auth->agent_timeout_ms, on_agent_signature, auth);
}

static void sign(struct auth *auth)
{
	wr_reset(&auth->signed_data);
	wr_string(&auth->signed_data, transport_session_id(auth->transport));
	write_publickey(auth, &auth->signed_data, true);
	if (auth->current->key)
		sign_here(auth);
	else
		sign_by_agent(auth);
}

/* The next key that is worth offering becomes the current one. */
static bool next_key(struct auth *auth)
{
	unsigned quirks = transport_peer_quirks(auth->transport);
	const char *sig_algs = transport_server_sig_algs(auth->transport);

	for (size_t i = 0; i < auth->keys.count; i++) {
		struct auth_key *key = &auth->keys.list[i];

		if (key->spent)
			continue;
		auth->current = key;
		auth->certainty = auth_key_algorithm(key, sig_algs, quirks, &auth->algorithm);
		if (auth->certainty != AUTH_ALGORITHM_NONE)
			return true;
		drop_current(auth, "the server takes no signature of RSA with SHA-2");
	}
	return false;
}

bool auth_try_publickey(struct auth *auth)
{
	if (!next_key(auth))
		return false;
	bool only_one = auth->keys.count == 1;
	if (auth->certainty == AUTH_ALGORITHM_CERTAIN && (auth->current->key || only_one))
		sign(auth);
	else
		ask_publickey(auth);
	return true;
}

/* The server must have meant the key that we asked about: we are to sign with it (RFC 4252 §7). */
int auth_handle_pk_ok(struct auth *auth, struct span payload, struct err *e)
{
	struct rd r;

	rd_init(&r, payload);
	rd_u8(&r);
	struct span algorithm = rd_string(&r);
	struct span blob = rd_string(&r);
	if (rd_end(&r) < 0)
		return auth_malformed(e, "USERAUTH_PK_OK");
	if (!span_is(algorithm, current_algorithm(auth)) || !span_equal(blob, auth->current->blob))
		return err_set(e, ERR_PEER, "the server accepted a key that was not offered");
	auth->request = REQUEST_NO;
	sign(auth);
	auth_advance(auth);
	return 0;
}
