/*
 * One request at a time is with the server; auth_advance() decides on the next one whenever something changed: the transport became
 * ready, the agent gave its list or a signature, the server accepted the service or refused a request.
 *
 * The agent is asked for its keys when it can be told to which server they go: those that are constrained to others it leaves
 * out then, and they do not use up the tries that a server allows.
 *
 * Round trips: a server that sent its EXT_INFO with its NEWKEYS (OpenSSH, dropbear) gets SERVICE_REQUEST and the first request,
 * signed, without its answer between; a key of ours is signed with at once, as a refused
 * signature costs no more than a refused question. Only an agent is not made to sign in vain when there are several keys: a
 * person may have to touch something.
 */
#include "ssh/auth_private.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

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

/* ---- the end ---- */

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

static const char *methods_in_words(const struct auth *auth)
{
	if (!auth->methods)
		return "did not say what it takes";
	return auth->methods[0] ? auth->methods : "nothing more";
}

/* "offered ...; not offered: ...; the server takes: ...", or "it accepted ..., and still wants ...; offered ...". */
static void describe(const struct auth *auth, struct strbuf *text)
{
	if (auth->accepted.n)
		strbuf_addf(text, "it accepted %s, and still wants %s; ",
		    strbuf_text(&auth->accepted), methods_in_words(auth));
	strbuf_addf(text, "offered %s",
	    auth->refused.n ? strbuf_text(&auth->refused) : "nothing that it takes");
	if (auth->keys.left_out.n)
		strbuf_addf(text, "; not offered: %s", strbuf_text(&auth->keys.left_out));
	if (auth->methods && !auth->accepted.n)
		strbuf_addf(text, "; the server takes: %s", methods_in_words(auth));
}

static void note(struct strbuf *list, const char *what)
{
	if (list->n)
		strbuf_add(list, ", ");
	strbuf_add(list, what);
}

void auth_identities_free(struct auth_identity *identities, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(identities[i].name);
		key_free(identities[i].key);
		cert_free(identities[i].cert);
	}
	free(identities);
}

/* What follows the login may last for months: no connection to the agent and no secret is kept for so long. */
static void release_means(struct auth *auth)
{
	agent_free(auth->agent);
	auth->agent = NULL;
	auth_keys_clear(&auth->keys);
	auth->current = NULL;
	auth_identities_free(auth->identities, auth->identity_count);
	auth->identities = NULL;
	auth->identity_count = 0;
	wr_clear(&auth->signed_data);
	secret_clear(&auth->password);
}

/* The last thing its callers do. */
static void finish(struct auth *auth, const struct err *e)
{
	auth->is_over = true;
	release_means(auth);
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

/* OpenSSH answers the last of the tries that it allows, which may be the first, with DISCONNECT in place of FAILURE. */
static bool is_refusal(const struct auth *auth, const struct err *e)
{
	if (!transport_closed_by_peer(auth->transport))
		return false;
	return auth->was_refused || (auth->request != REQUEST_NO && e->class != ERR_NETWORK);
}

void auth_transport_closed(struct auth *auth, struct err *e)
{
	struct err why = *e;
	struct strbuf text = {0};

	auth->is_over = true;
	if (!is_refusal(auth, e))
		return;
	if (auth->request != REQUEST_NO && auth->request != REQUEST_NONE)
		note(&auth->refused, request_name(auth));
	describe(auth, &text);
	err_clear(e);
	err_set(e, ERR_LOGIN, "the server does not let %s in: %s; %s", auth->user, why.text,
	    strbuf_text(&text));
	strbuf_clear(&text);
}

/* ---- requests ---- */

void auth_begin_request(const struct auth *auth, struct wr *w, const char *method)
{
	wr_u8(w, SSH_MSG_USERAUTH_REQUEST);
	wr_cstring(w, auth->user);
	wr_cstring(w, SERVICE_CONNECTION);
	wr_cstring(w, method);
}

void auth_send_request(struct auth *auth, enum auth_request request, struct wr *w)
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
	auth_begin_request(auth, &w, "none");
	auth_send_request(auth, REQUEST_NONE, &w);
}

static void send_password(struct auth *auth)
{
	struct wr w = WR_INIT_SECRET;

	auth->password_was_tried = true;
	auth_begin_request(auth, &w, "password");
	wr_bool(&w, false); /* not a change */
	wr_string(&w, SPAN(auth->password.p, auth->password.n));
	auth_send_request(auth, REQUEST_PASSWORD, &w);
}

static void send_interactive(struct auth *auth)
{
	struct wr w = WR_INIT;

	auth->interactive_was_tried = true;
	auth->prompts = (struct auth_prompts){.password = &auth->password};
	auth_begin_request(auth, &w, "keyboard-interactive");
	wr_cstring(&w, ""); /* language tag */
	wr_cstring(&w, ""); /* submethods */
	auth_send_request(auth, REQUEST_INTERACTIVE, &w);
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
	if (takes(auth, METHOD_PUBLICKEY) && auth_try_publickey(auth))
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

static bool agent_is_busy(const struct auth *auth)
{
	return auth->agent_state == AGENT_LISTING || auth->agent_state == AGENT_SIGNING;
}

void auth_set_agent_state(struct auth *auth, enum auth_agent_state state)
{
	auth->agent_ms = auth_agent_ms(auth);
	auth->agent_state = state;
	auth->agent_busy_since_ms = clock_now_ms();
}

/* Servers of the days before EXT_INFO may not like a request before they accepted the service. */
static bool may_request(const struct auth *auth)
{
	return auth->service == SERVICE_ACCEPTED || transport_server_sig_algs(auth->transport);
}

void auth_advance(struct auth *auth)
{
	if (auth->is_over)
		return;
	/* A key that fails to sign leaves no request behind: then the next one's turn is at once. */
	while (auth->request == REQUEST_NO && !agent_is_busy(auth) && may_request(auth)) {
		if (!try_next(auth)) {
			give_up(auth);
			return;
		}
	}
}

/* ---- messages ---- */

int auth_malformed(struct err *e, const char *name)
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
		return auth_malformed(e, "SERVICE_ACCEPT");
	if (!span_is(name, SERVICE_AUTH))
		return err_set(e, ERR_PEER, "the server accepted a service that was not asked for");
	auth->service = SERVICE_ACCEPTED;
	auth_advance(auth);
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
		return auth_malformed(e, "USERAUTH_BANNER");
	if (auth->banners++ >= BANNERS_MAX)
		return 0;
	if (message.n > BANNER_SIZE_MAX)
		message.n = BANNER_SIZE_MAX;
	char *text = span_strdup(message);
	log_unless_repeated(
	    auth->said_banners, LOG_LEVEL_INFO, auth->log, "banner", "text=%s", text);
	free(text);
	return 0;
}

static bool request_is_key(const struct auth *auth)
{
	return auth->request == REQUEST_ASK || auth->request == REQUEST_SIGNED;
}

enum outcome {
	OUTCOME_REFUSED,
	OUTCOME_STEP,   /* partial success: there is more to do */
	OUTCOME_NOT_NOW /* the method was refused: nothing is known of the key */
};

/* What was refused, or was a step, is not tried again with the same key. */
static void end_request(struct auth *auth, enum outcome outcome)
{
	bool is_guess = request_is_key(auth) && auth->certainty == AUTH_ALGORITHM_GUESS;
	bool is_through = outcome != OUTCOME_NOT_NOW;

	if (outcome == OUTCOME_REFUSED && is_guess && auth_key_guess_again(auth->current))
		is_through = false; /* there is another algorithm */
	if (outcome == OUTCOME_STEP) {
		note(&auth->accepted, request_name(auth));
	} else if (auth->request != REQUEST_NONE) {
		auth->was_refused = true;
		if (is_through)
			note(&auth->refused, request_name(auth));
	}
	if (request_is_key(auth) && is_through)
		auth->current->spent = true;
	auth->current = NULL;
	auth->request = REQUEST_NO;
}

/* The first key is sent before it is known what the server takes. One that wants a password before it says so by its list of
 * methods, and the key's turn comes again when it is in the list. That is bounded: between come other methods, each once. */
static enum outcome outcome_of_failure(const struct auth *auth, bool partial_success)
{
	if (partial_success)
		return OUTCOME_STEP;
	if (request_is_key(auth) && !takes(auth, METHOD_PUBLICKEY))
		return OUTCOME_NOT_NOW;
	return OUTCOME_REFUSED;
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
		return auth_malformed(e, "USERAUTH_FAILURE");
	log_debug(auth->log, partial_success ? "login-step" : "login-refused", "method=%s",
	    request_name(auth));
	free(auth->methods);
	auth->methods = span_strdup(methods);
	end_request(auth, outcome_of_failure(auth, partial_success));
	auth_advance(auth);
	return 0;
}

static int handle_success(struct auth *auth, struct span payload, struct err *e)
{
	struct err none = ERR_INIT;

	if (payload.n != 1)
		return auth_malformed(e, "USERAUTH_SUCCESS");
	auth->method =
	    str_format("%s%s", request_is_key(auth) ? "publickey " : "", request_name(auth));
	transport_set_authenticated(auth->transport);
	finish(auth, &none);
	return 0;
}

static int handle_password_change(struct auth *auth, struct span payload, struct err *e)
{
	(void)payload;
	(void)e;
	auth_keys_leave_out(&auth->keys, "password", "it has expired, the server wants a new one");
	end_request(auth, OUTCOME_REFUSED);
	/* The server waits for the new password; another request tells it that there is none. */
	auth_advance(auth);
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
		end_request(auth, OUTCOME_REFUSED);
		auth_advance(auth); /* another request abandons this one (RFC 4256 §3.1) */
	}
	strbuf_clear(&question);
	return r < 0 ? r : 0;
}

/* 60 is another message in each method. */
static int handle_60(struct auth *auth, struct span payload, struct err *e)
{
	switch (auth->request) {
	case REQUEST_ASK:
		return auth_handle_pk_ok(auth, payload, e);
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

	auth_set_agent_state(auth, AGENT_READY);
	if (auth->is_over)
		return;
	make_keys(auth, identities, count);
	if (e && err_is_set(e)) {
		log_warning(auth->log, "agent-failed", "reason=%s", e->text);
		auth_keys_leave_out(&auth->keys, "agent", e->text);
	}
	auth_advance(auth);
}

static void start_agent(struct auth *auth, const char *path)
{
	struct err e = ERR_INIT;

	auth->agent = path ? agent_new(auth->loop, path, &e) : NULL;
	if (auth->agent)
		return;
	make_keys(auth, NULL, 0);
	if (path) {
		log_info(auth->log, "no-agent", "reason=%s", e.text);
		auth_keys_leave_out(&auth->keys, "agent", e.text);
	}
}

/* Both in one go: the agent answers in order. */
static void list_agent(struct auth *auth)
{
	const struct transport *t = auth->transport;

	agent_bind_login(auth->agent, transport_host_key(t), transport_session_id(t),
	    transport_host_key_signature(t));
	auth_set_agent_state(auth, AGENT_LISTING);
	agent_list(auth->agent, auth->agent_timeout_ms, on_agent_list, auth);
}

void auth_transport_ready(struct auth *auth)
{
	send_service_request(auth);
	if (auth->agent)
		list_agent(auth);
	auth_advance(auth);
}

struct auth *auth_start(struct loop *loop, struct transport *t, const struct auth_options *options,
    auth_callback *done, void *arg)
{
	struct auth *auth = NEW(struct auth);

	auth->loop = loop;
	auth->transport = t;
	auth->log = options->log;
	auth->said_banners = options->banners ? options->banners : &auth->own_banners;
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
	if (transport_is_ready(t))
		auth_transport_ready(auth);
	return auth;
}

uint64_t auth_agent_ms(const struct auth *auth)
{
	uint64_t now_ms = agent_is_busy(auth) ? clock_now_ms() - auth->agent_busy_since_ms : 0;

	return auth->agent_ms + now_ms;
}

bool auth_went_halfway(const struct auth *auth)
{
	return auth->accepted.n > 0;
}

const char *auth_method(const struct auth *auth)
{
	return auth->method ? auth->method : "";
}

static void destroy(void *object)
{
	struct auth *auth = object;

	release_means(auth);
	strbuf_clear(&auth->refused);
	strbuf_clear(&auth->accepted);
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
