/*
 * One request at a time is with the server; advance() decides on the next one whenever something changed: the transport became
 * ready, the agent gave its list or a signature, the server accepted the service or refused a request.
 *
 * Round trips: the agent is asked while the key exchange runs. A server that sent its EXT_INFO with its NEWKEYS (OpenSSH,
 * dropbear) gets SERVICE_REQUEST and the first request, signed, in one go; a key of ours is signed with at once, as a refused
 * signature costs no more than a refused question. Only an agent is not made to sign in vain when there are several keys: a
 * person may have to touch something.
 */
#include "ssh/auth.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "ssh/auth_keys.h"
#include "ssh/auth_prompts.h"
#include "ssh/messages.h"

enum {
	AGENT_TIMEOUT_DEFAULT_MS = 30000,
	/* OpenSSH's MaxAuthTries is 6, and the sixth failure ends the connection. */
	OFFERS_MAX = 6,
	REQUESTS_MAX = 64,
	BANNERS_MAX = 8,
	BANNER_SIZE_MAX = 2048,
	METHODS_SIZE_MAX = 1024
};

#define SERVICE_AUTH "ssh-userauth"
#define SERVICE_CONNECTION "ssh-connection"
#define METHOD_PUBLICKEY "publickey"
#define METHOD_HOSTBOUND "publickey-hostbound-v00@openssh.com"

/* What the server has of us and must answer. */
enum request {
	REQUEST_NO,     /* nothing: advance() may send the next one */
	REQUEST_NONE,   /* method "none": tells what the server takes */
	REQUEST_ASK,    /* publickey without signature */
	REQUEST_SIGNED, /* publickey */
	REQUEST_PASSWORD,
	REQUEST_INTERACTIVE
};

enum service { SERVICE_NOT_ASKED, SERVICE_ASKED, SERVICE_ACCEPTED };

enum agent_state {
	AGENT_NONE,
	AGENT_LISTING, /* its keys are not known: no request before they are */
	AGENT_READY,
	AGENT_SIGNING /* for the current key */
};

struct auth {
	struct loop *loop;
	struct transport *transport;
	const struct log_context *log;
	auth_callback *done;
	void *arg;
	bool is_over; /* done was called, or the owner does not want it to be */

	char *user;
	struct secret password;
	bool has_password;
	struct auth_identity *identities;
	size_t identity_count;
	bool every_agent_key;
	uint64_t agent_timeout_ms;
	struct agent *agent; /* NULL: none */
	enum agent_state agent_state;
	bool agent_is_bound;

	enum service service;
	enum request request;
	unsigned requests; /* that were sent, for the bound */
	struct auth_keys keys;
	struct auth_key *current;
	const char *algorithm;         /* of the current key's signature */
	enum auth_algorithm certainty; /* that the server takes it */
	struct wr signed_data; /* string session_id, then the request without its signature */
	struct auth_prompts prompts;
	bool none_was_tried, password_was_tried, interactive_was_tried;
	char *methods; /* that the server would take; NULL: it did not say yet */

	struct strbuf refused; /* what it refused, in words */
	char *method;          /* what let us in */
	unsigned banners;
	struct log_repeat banner_repeat;
};

static void advance(struct auth *auth);

/* ---- the end ---- */

static const char *methods_in_words(const struct auth *auth)
{
	if (!auth->methods)
		return "did not say what it takes";
	return auth->methods[0] ? auth->methods : "nothing more";
}

/* "offered ...; not offered: ...; the server takes: ..." */
static void describe(const struct auth *auth, struct strbuf *text)
{
	strbuf_addf(text, "%s%s", auth->refused.n ? "offered " : "offered nothing",
	    strbuf_text(&auth->refused));
	if (auth->keys.left_out.n)
		strbuf_addf(text, "; not offered: %s", strbuf_text(&auth->keys.left_out));
	if (auth->methods)
		strbuf_addf(text, "; the server takes: %s", methods_in_words(auth));
}

static void note_refused(struct auth *auth, const char *what)
{
	if (auth->refused.n)
		strbuf_add(&auth->refused, ", ");
	strbuf_add(&auth->refused, what);
}

/* The last thing its callers do. */
static void finish(struct auth *auth, const struct err *e)
{
	auth->is_over = true;
	auth->done(auth->arg, e);
}

static void give_up(struct auth *auth)
{
	struct err e = ERR_INIT;
	struct strbuf text = {0};

	describe(auth, &text);
	err_set(&e, ERR_LOGIN, "the server does not let %s in: %s", auth->user, strbuf_text(&text));
	strbuf_clear(&text);
	finish(auth, &e);
}

void auth_transport_closed(struct auth *auth, struct err *e)
{
	struct err why = *e;
	struct strbuf text = {0};

	auth->is_over = true;
	if (!auth->refused.n || !transport_closed_by_peer(auth->transport))
		return;
	describe(auth, &text);
	err_clear(e);
	err_set(e, ERR_LOGIN, "the server does not let %s in: %s; %s", auth->user, why.text,
	    strbuf_text(&text));
	strbuf_clear(&text);
}

/* ---- requests ---- */

static void begin_request(const struct auth *auth, struct wr *w, const char *method)
{
	wr_u8(w, SSH_MSG_USERAUTH_REQUEST);
	wr_cstring(w, auth->user);
	wr_cstring(w, SERVICE_CONNECTION);
	wr_cstring(w, method);
}

static void send_request(struct auth *auth, enum request request, struct wr *w)
{
	transport_send_span(auth->transport, wr_span(w));
	auth->request = request;
	auth->requests++;
	wr_clear(w);
}

static void send_service_request(struct auth *auth)
{
	struct wr w = WR_INIT;

	wr_u8(&w, SSH_MSG_SERVICE_REQUEST);
	wr_cstring(&w, SERVICE_AUTH);
	transport_send_span(auth->transport, wr_span(&w));
	wr_clear(&w);
	auth->service = SERVICE_ASKED;
}

static void send_none(struct auth *auth)
{
	struct wr w = WR_INIT;

	auth->none_was_tried = true;
	begin_request(auth, &w, "none");
	send_request(auth, REQUEST_NONE, &w);
}

static void send_password(struct auth *auth)
{
	struct wr w = WR_INIT_SECRET;

	auth->password_was_tried = true;
	begin_request(auth, &w, "password");
	wr_bool(&w, false); /* not a change */
	wr_string(&w, SPAN(auth->password.p, auth->password.n));
	send_request(auth, REQUEST_PASSWORD, &w);
}

static void send_interactive(struct auth *auth)
{
	struct wr w = WR_INIT;

	auth->interactive_was_tried = true;
	auth->prompts = (struct auth_prompts){.password = &auth->password};
	begin_request(auth, &w, "keyboard-interactive");
	wr_cstring(&w, ""); /* language tag */
	wr_cstring(&w, ""); /* submethods */
	send_request(auth, REQUEST_INTERACTIVE, &w);
}

/* ---- publickey (RFC 4252 §7; PROTOCOL §3.1) ---- */

static bool is_hostbound(const struct auth *auth)
{
	return transport_peer_has_extension(auth->transport, "publickey-hostbound@openssh.com");
}

static void write_publickey(const struct auth *auth, struct wr *w, bool has_signature)
{
	const char *algorithm = auth->current->kind == AUTH_KEY_CERTIFICATE
				    ? cert_algorithm_for(auth->algorithm)
				    : auth->algorithm;
	bool hostbound = is_hostbound(auth);

	begin_request(auth, w, hostbound ? METHOD_HOSTBOUND : METHOD_PUBLICKEY);
	wr_bool(w, has_signature);
	wr_cstring(w, algorithm);
	wr_string(w, auth->current->blob);
	if (hostbound)
		wr_string(w, transport_host_key(auth->transport));
}

static void ask_publickey(struct auth *auth)
{
	struct wr w = WR_INIT;

	write_publickey(auth, &w, false);
	send_request(auth, REQUEST_ASK, &w);
}

/* The request is sent as it was signed, whatever an EXT_INFO may have said since. */
static void send_signed(struct auth *auth, struct span signature)
{
	size_t prefix = 4 + transport_session_id(auth->transport).n;
	struct wr w = WR_INIT;

	wr_bytes(&w, auth->signed_data.p + prefix, auth->signed_data.n - prefix);
	wr_string(&w, signature);
	send_request(auth, REQUEST_SIGNED, &w);
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

	auth->agent_state = AGENT_READY;
	if (auth->is_over)
		return;
	if (e && err_is_set(e))
		drop_current(auth, e->text);
	else
		send_signed(auth, signature);
	advance(auth);
}

/* Once, before the first signature: the agent may have rules of where its keys are used. */
static void bind_agent(struct auth *auth)
{
	if (auth->agent_is_bound)
		return;
	auth->agent_is_bound = true;
	agent_bind_session(auth->agent, transport_host_key(auth->transport),
	    transport_session_id(auth->transport), transport_host_key_signature(auth->transport));
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
	bind_agent(auth);
	auth->agent_state = AGENT_SIGNING;
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

static bool try_publickey(struct auth *auth)
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

/* ---- what next ---- */

static bool takes(const struct auth *auth, const char *method)
{
	return !auth->methods || name_list_has(span_of(auth->methods), method);
}

/* False: there is nothing left to try. */
static bool try_next(struct auth *auth)
{
	if (auth->requests >= REQUESTS_MAX)
		return false;
	if (takes(auth, METHOD_PUBLICKEY) && try_publickey(auth))
		return true;
	if (!auth->methods && !auth->none_was_tried) {
		send_none(auth);
		return true;
	}
	if (!auth->has_password)
		return false;
	if (takes(auth, "password") && !auth->password_was_tried) {
		send_password(auth);
		return true;
	}
	if (takes(auth, "keyboard-interactive") && !auth->interactive_was_tried) {
		send_interactive(auth);
		return true;
	}
	return false;
}

/* Servers of the days before EXT_INFO may not like a request before they accepted the service. */
static bool may_request(const struct auth *auth)
{
	return auth->service == SERVICE_ACCEPTED || transport_server_sig_algs(auth->transport);
}

static void advance(struct auth *auth)
{
	if (auth->is_over || !transport_is_ready(auth->transport))
		return;
	if (auth->service == SERVICE_NOT_ASKED)
		send_service_request(auth);
	/* A key that fails to sign leaves no request behind: then the next one's turn is at once. */
	while (auth->request == REQUEST_NO && auth->agent_state != AGENT_LISTING &&
	       auth->agent_state != AGENT_SIGNING && may_request(auth)) {
		if (!try_next(auth)) {
			give_up(auth);
			return;
		}
	}
}

void auth_transport_ready(struct auth *auth)
{
	advance(auth);
}

/* ---- messages ---- */

static int malformed(struct err *e, const char *name)
{
	return err_set(e, ERR_PEER, "the server sent a malformed %s message", name);
}

static int handle_service_accept(struct auth *auth, struct span payload, struct err *e)
{
	struct rd r;

	rd_init(&r, payload);
	rd_u8(&r);
	struct span name = rd_string(&r);
	if (rd_end(&r) < 0)
		return malformed(e, "SERVICE_ACCEPT");
	if (!span_is(name, SERVICE_AUTH))
		return err_set(e, ERR_PEER, "the server accepted a service that was not asked for");
	auth->service = SERVICE_ACCEPTED;
	advance(auth);
	return 0;
}

/* Logged escaped; the same text once. What a server has to say in a ninth banner is not read. */
static int handle_banner(struct auth *auth, struct span payload, struct err *e)
{
	struct rd r;

	rd_init(&r, payload);
	rd_u8(&r);
	struct span message = rd_string(&r);
	rd_string(&r); /* language tag */
	if (rd_end(&r) < 0)
		return malformed(e, "USERAUTH_BANNER");
	if (auth->banners++ >= BANNERS_MAX)
		return 0;
	if (message.n > BANNER_SIZE_MAX)
		message.n = BANNER_SIZE_MAX;
	char *text = span_strdup(message);
	log_unless_repeated(
	    &auth->banner_repeat, LOG_LEVEL_INFO, auth->log, "banner", "text=%s", text);
	free(text);
	return 0;
}

static const char *request_name(const struct auth *auth)
{
	switch (auth->request) {
	case REQUEST_NONE:
		return "none";
	case REQUEST_ASK:
	case REQUEST_SIGNED:
		return auth->current->label;
	case REQUEST_PASSWORD:
		return "password";
	case REQUEST_INTERACTIVE:
		return "keyboard-interactive";
	case REQUEST_NO:
		break;
	}
	return "nothing";
}

/* The method went wrong, or only so far: either way it is not tried with the same key again. */
static void end_request(struct auth *auth, bool partial_success)
{
	bool is_key = auth->request == REQUEST_ASK || auth->request == REQUEST_SIGNED;
	bool is_guess = is_key && !partial_success && auth->certainty == AUTH_ALGORITHM_GUESS;

	if (is_guess && auth_key_guess_again(auth->current))
		is_key = false; /* this offer is not through yet */
	else if (!partial_success && auth->request != REQUEST_NONE)
		note_refused(auth, request_name(auth));
	if (is_key)
		auth->current->spent = true;
	auth->current = NULL;
	auth->request = REQUEST_NO;
}

/* RFC 4252 §5.1 */
static int handle_failure(struct auth *auth, struct span payload, struct err *e)
{
	struct rd r;

	rd_init(&r, payload);
	rd_u8(&r);
	struct span methods = rd_string(&r);
	bool partial_success = rd_bool(&r);
	if (rd_end(&r) < 0 || methods.n > METHODS_SIZE_MAX || !span_is_text(methods))
		return malformed(e, "USERAUTH_FAILURE");
	log_debug(auth->log, partial_success ? "login-step" : "login-refused", "method=%s",
	    request_name(auth));
	free(auth->methods);
	auth->methods = span_strdup(methods);
	end_request(auth, partial_success);
	advance(auth);
	return 0;
}

static int handle_success(struct auth *auth, struct span payload, struct err *e)
{
	struct err none = ERR_INIT;

	if (payload.n != 1)
		return malformed(e, "USERAUTH_SUCCESS");
	bool is_key = auth->request == REQUEST_ASK || auth->request == REQUEST_SIGNED;
	auth->method = str_format("%s%s", is_key ? "publickey " : "", request_name(auth));
	log_repeat_end(&auth->banner_repeat, auth->log, "banner");
	transport_set_authenticated(auth->transport);
	finish(auth, &none);
	return 0;
}

/* The server must have meant the key that we asked about: we are to sign with it (RFC 4252 §7). */
static int handle_pk_ok(struct auth *auth, struct span payload, struct err *e)
{
	struct wr expected = WR_INIT;
	struct rd r;

	rd_init(&r, payload);
	rd_u8(&r);
	struct span algorithm = rd_string(&r);
	struct span blob = rd_string(&r);
	if (rd_end(&r) < 0)
		return malformed(e, "USERAUTH_PK_OK");
	wr_cstring(&expected, auth->current->kind == AUTH_KEY_CERTIFICATE
				  ? cert_algorithm_for(auth->algorithm)
				  : auth->algorithm);
	bool same = span_equal(SPAN(expected.p + 4, expected.n - 4), algorithm) &&
		    span_equal(blob, auth->current->blob);
	wr_clear(&expected);
	if (!same)
		return err_set(e, ERR_PEER, "the server accepted a key that was not offered");
	auth->request = REQUEST_NO;
	sign(auth);
	advance(auth);
	return 0;
}

static int handle_password_change(struct auth *auth, struct span payload, struct err *e)
{
	(void)payload;
	(void)e;
	auth_keys_leave_out(&auth->keys, "password", "it has expired, the server wants a new one");
	end_request(auth, false);
	/* The server waits for the new password; another request tells it that there is none. */
	advance(auth);
	return 0;
}

static int handle_info_request(struct auth *auth, struct span payload, struct err *e)
{
	struct wr response = WR_INIT_SECRET;
	struct strbuf question = {0};
	int r = auth_prompts_answer(&auth->prompts, payload, &response, &question, e);

	if (r == 1)
		transport_send_span(auth->transport, wr_span(&response));
	wr_clear(&response);
	if (r == 0) {
		char *why = str_format("nothing answers \"%s\"", strbuf_text(&question));

		auth_keys_leave_out(&auth->keys, "keyboard-interactive", why);
		free(why);
		end_request(auth, false);
		advance(auth); /* another request abandons this one (RFC 4256 §3.1) */
	}
	strbuf_clear(&question);
	return r < 0 ? r : 0;
}

/* 60 is another message in each method. */
static int handle_60(struct auth *auth, struct span payload, struct err *e)
{
	switch (auth->request) {
	case REQUEST_ASK:
		return handle_pk_ok(auth, payload, e);
	case REQUEST_PASSWORD:
		return handle_password_change(auth, payload, e);
	case REQUEST_INTERACTIVE:
		return handle_info_request(auth, payload, e);
	case REQUEST_NO:
	case REQUEST_NONE:
	case REQUEST_SIGNED:
		break;
	}
	return err_set(e, ERR_PEER, "the server sent message 60, which answers nothing");
}

/* What the server may say: before it accepted the service; when it owes no answer; when it does. */
enum phase {
	PHASE_NOT_ASKED = 1 << 0,
	PHASE_SERVICE = 1 << 1,
	PHASE_IDLE = 1 << 2,
	PHASE_REQUEST = 1 << 3
};

static enum phase phase(const struct auth *auth)
{
	if (auth->service == SERVICE_NOT_ASKED)
		return PHASE_NOT_ASKED;
	if (auth->service == SERVICE_ASKED)
		return PHASE_SERVICE;
	return auth->request == REQUEST_NO ? PHASE_IDLE : PHASE_REQUEST;
}

static const struct rule {
	uint8_t type;
	unsigned phases;
	int (*handle)(struct auth *auth, struct span payload, struct err *e);
} rules[] = {
    {SSH_MSG_SERVICE_ACCEPT, PHASE_SERVICE, handle_service_accept},
    {SSH_MSG_USERAUTH_FAILURE, PHASE_REQUEST, handle_failure},
    {SSH_MSG_USERAUTH_SUCCESS, PHASE_REQUEST, handle_success},
    {SSH_MSG_USERAUTH_BANNER, PHASE_SERVICE | PHASE_IDLE | PHASE_REQUEST, handle_banner},
    {SSH_MSG_USERAUTH_PK_OK, PHASE_REQUEST, handle_60},
};

int auth_input(struct auth *auth, struct span payload, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		if (rules[i].type != payload.p[0])
			continue;
		if (auth->is_over || !(rules[i].phases & phase(auth)))
			return err_set(e, ERR_PEER,
			    "the server sent message %u of the login, which answers nothing",
			    payload.p[0]);
		return rules[i].handle(auth, payload, e);
	}
	return TRANSPORT_UNIMPLEMENTED;
}

/* ---- life ---- */

static void make_keys(struct auth *auth, const struct agent_identity *identities, size_t count)
{
	struct auth_keys_options options = {
	    .log = auth->log,
	    .identities = auth->identities,
	    .identity_count = auth->identity_count,
	    .agent = identities,
	    .agent_count = count,
	    .every_agent_key = auth->every_agent_key,
	    .agent_offers_max = auth->has_password ? OFFERS_MAX - 1 : OFFERS_MAX,
	    .now = clock_wall(),
	};

	auth_keys_make(&auth->keys, &options);
}

static void on_agent_list(
    void *arg, const struct agent_identity *identities, size_t count, const struct err *e)
{
	struct auth *auth = arg;

	auth->agent_state = AGENT_READY;
	if (auth->is_over)
		return;
	make_keys(auth, identities, count);
	if (e && err_is_set(e)) {
		log_warning(auth->log, "agent-failed", "reason=%s", e->text);
		auth_keys_leave_out(&auth->keys, "agent", e->text);
	}
	advance(auth);
}

static void start_agent(struct auth *auth, const char *path)
{
	struct err e = ERR_INIT;

	auth->agent = path ? agent_new(auth->loop, path, &e) : NULL;
	if (auth->agent) {
		auth->agent_state = AGENT_LISTING;
		agent_list(auth->agent, auth->agent_timeout_ms, on_agent_list, auth);
		return;
	}
	make_keys(auth, NULL, 0);
	if (path) {
		log_info(auth->log, "no-agent", "reason=%s", e.text);
		auth_keys_leave_out(&auth->keys, "agent", e.text);
	}
}

struct auth *auth_start(struct loop *loop, struct transport *t, const struct auth_options *options,
    auth_callback *done, void *arg)
{
	struct auth *auth = NEW(struct auth);

	auth->loop = loop;
	auth->transport = t;
	auth->log = options->log;
	auth->done = done;
	auth->arg = arg;
	auth->user = mem_strdup(options->user);
	auth->has_password = options->password != NULL;
	if (options->password)
		secret_set(&auth->password, options->password->p, options->password->n);
	auth->identities = options->identities;
	auth->identity_count = options->identity_count;
	auth->every_agent_key = options->agent_keys == AUTH_AGENT_ALL;
	auth->agent_timeout_ms =
	    options->agent_timeout_ms ? options->agent_timeout_ms : AGENT_TIMEOUT_DEFAULT_MS;
	start_agent(auth, options->agent_path);
	advance(auth);
	return auth;
}

bool auth_waits_for_agent(const struct auth *auth)
{
	return !auth->is_over &&
	       (auth->agent_state == AGENT_LISTING || auth->agent_state == AGENT_SIGNING);
}

const char *auth_method(const struct auth *auth)
{
	return auth->method ? auth->method : "";
}

static void destroy(void *object)
{
	struct auth *auth = object;

	auth_keys_clear(&auth->keys);
	for (size_t i = 0; i < auth->identity_count; i++) {
		free(auth->identities[i].name);
		key_free(auth->identities[i].key);
		cert_free(auth->identities[i].cert);
	}
	free(auth->identities);
	wr_clear(&auth->signed_data);
	secret_clear(&auth->password);
	strbuf_clear(&auth->refused);
	free(auth->methods);
	free(auth->method);
	free(auth->user);
	free(auth);
}

void auth_free(struct auth *auth)
{
	if (!auth)
		return;
	auth->is_over = true;
	agent_free(auth->agent);
	auth->agent = NULL;
	loop_bury(auth->loop, destroy, auth);
}
