/* Logging in, every way, at the scripted server; and servers and agents that lie. */
#include "auth_agent.h"
#include "test_certs.h"
#include "test_keys.h"
#include "transport_rig.h"

#include "ssh/auth.h"
#include "ssh/keyfile.h"

enum { IDENTITIES_MAX = 8 };

struct login {
	struct rig rig;
	struct fake_agent agent;
	struct auth *auth;
	struct auth_identity *identities;
	size_t identity_count;
	const char *password;
	enum { WITHOUT_AGENT, WITH_AGENT } uses_agent;
	bool identities_only;
	bool free_when_done;
	/* what came of it */
	unsigned done;
	struct err e;
	struct err closed;
	/* what the server saw: "publickey? publickey! password" */
	struct strbuf attempts;
	struct strbuf algorithms;
	unsigned hostbound;
	/* what it answers: one verdict an attempt, SERVER_ACCEPT after the last */
	const enum server_verdict *verdicts;
	size_t verdict_count;
	size_t next_verdict;
	/* and which methods it names then, one text an attempt; after the last, and if there is none, the script's */
	const char *const *methods;
	size_t method_count;
	size_t next_methods;
	const char *expected_password;
};

/* ---- the ends ---- */

static void on_done(void *arg, const struct err *e)
{
	struct login *l = arg;

	l->done++;
	l->e = *e;
	if (l->free_when_done) {
		auth_free(l->auth);
		l->auth = NULL;
		rig_free_transport(&l->rig);
	}
}

static void on_ready(void *arg)
{
	struct login *l = arg;

	if (l->auth)
		auth_transport_ready(l->auth);
}

static int on_message(void *arg, struct span payload, struct err *e)
{
	struct login *l = arg;

	return auth_input(l->auth, payload, e);
}

static void on_can_send(void *arg)
{
	(void)arg;
}

static void on_closed(void *arg, const struct err *e)
{
	struct login *l = arg;

	l->rig.closed++;
	l->closed = *e;
	if (l->auth)
		auth_transport_closed(l->auth, &l->closed);
}

static enum server_verdict on_login(void *arg, struct server *s, const struct server_login *login)
{
	struct login *l = arg;
	bool is_key = strncmp(login->method, "publickey", 9) == 0;

	strbuf_addf(&l->attempts, "%s%.9s%s", l->attempts.n ? " " : "", login->method,
	    !is_key                ? ""
	    : login->has_signature ? "!"
				   : "?");
	if (is_key) {
		strbuf_add(&l->algorithms, l->algorithms.n ? " " : "");
		strbuf_add_n(&l->algorithms, login->algorithm.p, login->algorithm.n);
	}
	l->hostbound += login->is_hostbound;
	if (l->expected_password && login->password.n)
		assert_true(span_is(login->password, l->expected_password));
	if (l->next_methods < l->method_count)
		server_set_methods(s, l->methods[l->next_methods++]);
	if (l->next_verdict < l->verdict_count)
		return l->verdicts[l->next_verdict++];
	return is_key && !login->has_signature ? SERVER_PK_OK : SERVER_ACCEPT;
}

/* ---- the fixture ---- */

static void add_identity(struct login *l, const char *name, struct key *key, struct cert *cert)
{
	if (!l->identities)
		l->identities = mem_array(IDENTITIES_MAX, sizeof(*l->identities));
	l->identities[l->identity_count++] =
	    (struct auth_identity){.name = mem_strdup(name), .key = key, .cert = cert};
}

static struct key *read_key(const char *text)
{
	struct err e = ERR_INIT;
	struct key *key = keyfile_parse(span_of(text), "test", NULL, NULL, &e);

	if (!key)
		fail_msg("%s", e.text);
	return key;
}

static struct cert *read_cert(const char *base64)
{
	struct wr blob = WR_INIT;
	struct err e = ERR_INIT;

	assert_true(str_base64_decode(span_of(base64), &blob));
	struct cert *cert = cert_from_blob(wr_span(&blob), &e);
	if (!cert)
		fail_msg("%s", e.text);
	wr_clear(&blob);
	return cert;
}

static void run(struct login *l)
{
	for (int i = 0; i < 200; i++) {
		loop_pass(l->rig.loop, LOOP_NO_WAIT);
		fake_agent_poll(&l->agent);
	}
}

static void start(struct login *l)
{
	static const struct transport_callbacks callbacks = {
	    .on_ready = on_ready,
	    .on_message = on_message,
	    .on_can_send = on_can_send,
	    .on_closed = on_closed,
	};
	struct secret password = {0};

	if (l->uses_agent == WITH_AGENT && !l->agent.path)
		fake_agent_start(&l->agent);
	l->rig.callbacks = &callbacks;
	l->rig.callbacks_arg = l;
	if (!l->rig.script.on_login) {
		l->rig.script.on_login = on_login;
		l->rig.script.arg = l;
	}
	rig_start(&l->rig);
	if (l->password)
		secret_set(&password, l->password, strlen(l->password));
	struct auth_options options = {
	    .user = "tunnel",
	    .identities = l->identities,
	    .identity_count = l->identity_count,
	    .agent_path = l->agent.path,
	    .agent_keys = l->identities_only ? AUTH_AGENT_IDENTITIES_ONLY : AUTH_AGENT_ALL,
	    .password = l->password ? &password : NULL,
	};
	l->auth = auth_start(l->rig.loop, l->rig.t, &options, on_done, l);
	secret_clear(&password);
	run(l);
}

static void stop(struct login *l)
{
	assert_string_equal(server_complaint(l->rig.server), "");
	if (l->password)
		assert_null(strstr(strbuf_text(&l->rig.log), l->password));
	auth_free(l->auth);
	rig_stop(&l->rig);
	fake_agent_stop(&l->agent);
	strbuf_clear(&l->attempts);
	strbuf_clear(&l->algorithms);
}

static void assert_in(struct login *l, const char *attempts)
{
	if (l->rig.closed)
		fail_msg("closed: %s", l->closed.text);
	assert_int_equal(l->done, 1);
	if (err_is_set(&l->e))
		fail_msg("%s", l->e.text);
	assert_string_equal(strbuf_text(&l->attempts), attempts);
}

static void assert_refused(struct login *l, const char *attempts)
{
	assert_int_equal(l->rig.closed, 0);
	assert_int_equal(l->done, 1);
	assert_int_equal(l->e.class, ERR_LOGIN);
	assert_string_equal(strbuf_text(&l->attempts), attempts);
}

static void assert_says(const char *text, const char *words)
{
	if (!strstr(text, words))
		fail_msg("\"%s\" is not in \"%s\"", words, text);
}

static void give_verdicts(struct login *l, const enum server_verdict *verdicts, size_t count)
{
	l->verdicts = verdicts;
	l->verdict_count = count;
}
#define VERDICTS(l, ...) \
	static const enum server_verdict verdicts[] = {__VA_ARGS__}; \
	give_verdicts(l, verdicts, ARRAY_LEN(verdicts))

static void give_methods(struct login *l, const char *const *methods, size_t count)
{
	l->methods = methods;
	l->method_count = count;
}
#define METHODS(l, ...) \
	static const char *const methods[] = {__VA_ARGS__}; \
	give_methods(l, methods, ARRAY_LEN(methods))

/* ---- keys of ours ---- */

static void test_one_key_takes_one_round_trip(void **state)
{
	(void)state;
	struct login l = {0};

	add_identity(&l, "id_ed25519", server_make_key(1), NULL);
	start(&l);
	assert_in(&l, "publickey!");
	/* SERVICE_REQUEST and the request go out together, behind our EXT_INFO. */
	assert_string_equal(server_seen(l.rig.server), "20 30 21 7 5 50");
	assert_true(strstr(auth_method(l.auth), "publickey id_ed25519 (ED25519 SHA256:"));
	stop(&l);
}

static void accept_service(struct login *l)
{
	server_send_now(l->rig.server, SPAN("\x06\0\0\0\x0cssh-userauth", 17));
	run(l);
}

static void test_a_server_without_ext_info_must_accept_the_service_first(void **state)
{
	(void)state;
	struct login l = {.rig.script.ext_info = SERVER_NO_EXT_INFO};

	l.rig.script.service = SERVER_HOLDS_SERVICE;
	add_identity(&l, "id_ed25519", server_make_key(1), NULL);
	start(&l);
	assert_string_equal(strbuf_text(&l.attempts), "");
	accept_service(&l);
	assert_in(&l, "publickey!");
	stop(&l);
}

static void test_with_ext_info_nobody_waits_for_the_service(void **state)
{
	(void)state;
	struct login l = {0};

	l.rig.script.service = SERVER_HOLDS_SERVICE;
	add_identity(&l, "id_ed25519", server_make_key(1), NULL);
	VERDICTS(&l, SERVER_SILENT);
	start(&l);
	assert_string_equal(strbuf_text(&l.attempts), "publickey!");
	assert_int_equal(l.done, 0);
	stop(&l);
}

static void test_a_request_is_bound_to_the_host_where_that_is_offered(void **state)
{
	(void)state;
	for (int bound = 0; bound < 2; bound++) {
		struct login l = {0};

		l.rig.script.hostbound = bound ? SERVER_HOSTBOUND : SERVER_NOT_HOSTBOUND;
		add_identity(&l, "id_ed25519", server_make_key(1), NULL);
		start(&l);
		assert_in(&l, "publickey!");
		assert_int_equal(l.hostbound, bound);
		stop(&l);
	}
}

static void test_keys_are_offered_in_their_order(void **state)
{
	(void)state;
	struct login l = {0};

	add_identity(&l, "first", server_make_key(1), NULL);
	add_identity(&l, "second", read_key(TEST_ECDSA_P256_FILE), NULL);
	add_identity(&l, "third", server_make_key(3), NULL);
	VERDICTS(&l, SERVER_REFUSE, SERVER_REFUSE);
	start(&l);
	assert_in(&l, "publickey! publickey! publickey!");
	assert_string_equal(
	    strbuf_text(&l.algorithms), "ssh-ed25519 ecdsa-sha2-nistp256 ssh-ed25519");
	assert_says(auth_method(l.auth), "third");
	stop(&l);
}

static void test_the_same_key_is_not_offered_twice(void **state)
{
	(void)state;
	struct login l = {0};

	add_identity(&l, "one", server_make_key(1), NULL);
	add_identity(&l, "again", server_make_key(1), NULL);
	VERDICTS(&l, SERVER_REFUSE, SERVER_REFUSE);
	start(&l);
	assert_refused(&l, "publickey!");
	stop(&l);
}

static void test_a_refusal_says_what_was_offered_and_what_the_server_takes(void **state)
{
	(void)state;
	struct login l = {.rig.script.methods = "publickey,hostbased"};

	add_identity(&l, "/etc/adit/id_ed25519", server_make_key(1), NULL);
	VERDICTS(&l, SERVER_REFUSE);
	start(&l);
	assert_refused(&l, "publickey!");
	assert_says(l.e.text, "tunnel");
	assert_says(l.e.text, "offered /etc/adit/id_ed25519 (ED25519 SHA256:");
	assert_says(l.e.text, "the server takes: publickey,hostbased");
	stop(&l);
}

static void test_a_server_that_takes_no_keys_is_not_shown_more_of_them(void **state)
{
	(void)state;
	struct login l = {.rig.script.methods = "hostbased"};

	add_identity(&l, "one", server_make_key(1), NULL);
	add_identity(&l, "two", server_make_key(2), NULL);
	VERDICTS(&l, SERVER_REFUSE, SERVER_REFUSE);
	start(&l);
	assert_refused(&l, "publickey!");
	stop(&l);
}

static void test_with_nothing_to_offer_the_server_is_asked_what_it_takes(void **state)
{
	(void)state;
	struct login l = {.rig.script.methods = "publickey"};

	VERDICTS(&l, SERVER_REFUSE);
	start(&l);
	assert_refused(&l, "none");
	assert_says(l.e.text, "offered nothing that it takes");
	assert_says(l.e.text, "the server takes: publickey");
	stop(&l);
}

static void test_a_server_that_wants_nothing_lets_us_in(void **state)
{
	(void)state;
	struct login l = {0};

	start(&l);
	assert_in(&l, "none");
	assert_string_equal(auth_method(l.auth), "none");
	stop(&l);
}

/* ---- RSA ---- */

static void try_rsa(
    const char *sig_algs, const char *ident, const char *attempts, const char *algorithms)
{
	struct login l = {.rig.script = {.sig_algs = sig_algs,
			      .ident = ident,
			      .ext_info = sig_algs ? SERVER_EXT_INFO : SERVER_NO_EXT_INFO}};

	add_identity(&l, "id_rsa", read_key(TEST_RSA_FILE), NULL);
	start(&l);
	assert_in(&l, attempts);
	assert_string_equal(strbuf_text(&l.algorithms), algorithms);
	stop(&l);
}

static void test_rsa_signs_with_the_best_that_the_server_takes(void **state)
{
	(void)state;
	try_rsa("ssh-rsa,rsa-sha2-256,rsa-sha2-512", NULL, "publickey!", "rsa-sha2-512");
	try_rsa("ssh-rsa,rsa-sha2-256", NULL, "publickey!", "rsa-sha2-256");
}

static void test_rsa_asks_first_when_the_server_did_not_say(void **state)
{
	(void)state;
	try_rsa(NULL, "SSH-2.0-other", "publickey? publickey!", "rsa-sha2-512 rsa-sha2-512");
}

static void test_openssh_7_4_takes_sha_2_and_does_not_say_so(void **state)
{
	(void)state;
	try_rsa(NULL, "SSH-2.0-OpenSSH_7.4", "publickey!", "rsa-sha2-512");
}

static void test_rsa_with_sha_256_is_asked_for_when_512_was_refused(void **state)
{
	(void)state;
	struct login l = {.rig.script = {.ext_info = SERVER_NO_EXT_INFO, .ident = "SSH-2.0-other"}};

	add_identity(&l, "id_rsa", read_key(TEST_RSA_FILE), NULL);
	VERDICTS(&l, SERVER_REFUSE);
	start(&l);
	assert_in(&l, "publickey? publickey? publickey!");
	assert_string_equal(strbuf_text(&l.algorithms), "rsa-sha2-512 rsa-sha2-256 rsa-sha2-256");
	stop(&l);
}

static void test_rsa_is_not_offered_where_only_sha_1_is_taken(void **state)
{
	(void)state;
	struct login l = {.rig.script.sig_algs = "ssh-rsa,ssh-ed25519"};

	add_identity(&l, "id_rsa", read_key(TEST_RSA_FILE), NULL);
	VERDICTS(&l, SERVER_REFUSE);
	start(&l);
	assert_refused(&l, "none");
	assert_says(l.e.text, "not offered: id_rsa");
	assert_says(l.e.text, "SHA-2");
	stop(&l);
}

/* ---- certificates ---- */

static void test_a_certificate_is_offered_before_its_key(void **state)
{
	(void)state;
	struct login l = {0};

	add_identity(
	    &l, "id_ed25519", read_key(TEST_ED25519_FILE), read_cert(TEST_USER_CERT_ED25519));
	VERDICTS(&l, SERVER_REFUSE);
	start(&l);
	assert_in(&l, "publickey! publickey!");
	assert_string_equal(
	    strbuf_text(&l.algorithms), "ssh-ed25519-cert-v01@openssh.com ssh-ed25519");
	stop(&l);
}

static void test_an_rsa_certificate_signs_with_sha_2(void **state)
{
	(void)state;
	struct login l = {0};

	add_identity(&l, "id_rsa", read_key(TEST_RSA_FILE), read_cert(TEST_USER_CERT_RSA));
	start(&l);
	assert_in(&l, "publickey!");
	assert_string_equal(strbuf_text(&l.algorithms), "rsa-sha2-512-cert-v01@openssh.com");
	assert_says(auth_method(l.auth), "RSA-CERT");
	stop(&l);
}

static void test_an_rsa_certificate_is_not_offered_to_who_wants_sha_1_of_it(void **state)
{
	(void)state;
	struct login l = {
	    .rig.script = {.ident = "SSH-2.0-OpenSSH_7.6", .sig_algs = "rsa-sha2-512"}};

	add_identity(&l, "id_rsa", read_key(TEST_RSA_FILE), read_cert(TEST_USER_CERT_RSA));
	start(&l);
	assert_in(&l, "publickey!");
	assert_string_equal(strbuf_text(&l.algorithms), "rsa-sha2-512");
	stop(&l);
}

static void test_a_certificate_that_is_not_valid_now_is_named_and_not_offered(void **state)
{
	(void)state;
	struct login l = {0};

	add_identity(&l, "id_ed25519", read_key(TEST_ED25519_FILE),
	    read_cert(TEST_HOST_CERT_ED25519)); /* not a user's at all */
	VERDICTS(&l, SERVER_REFUSE);
	start(&l);
	assert_refused(&l, "publickey!");
	assert_string_equal(strbuf_text(&l.algorithms), "ssh-ed25519");
	assert_says(l.e.text, "not offered: id_ed25519: it is not the certificate of a user");
	assert_says(strbuf_text(&l.rig.log), "warning certificate-left-out");
	stop(&l);
}

static void test_an_expired_certificate_is_named_with_its_dates(void **state)
{
	(void)state;
	struct login l = {.rig.wall = 1924992000 /* 2031 */};

	add_identity(&l, "id_rsa", read_key(TEST_RSA_FILE), read_cert(TEST_USER_CERT_RSA));
	VERDICTS(&l, SERVER_REFUSE);
	start(&l);
	assert_refused(&l, "publickey!");
	assert_string_equal(strbuf_text(&l.algorithms), "rsa-sha2-512");
	assert_says(l.e.text, "not offered: id_rsa: ");
	assert_says(l.e.text, "2030");
	stop(&l);
}

/* ---- password and prompts ---- */

static void test_a_password_is_sent_to_who_takes_one(void **state)
{
	(void)state;
	struct login l = {.password = "s3cret", .expected_password = "s3cret"};

	VERDICTS(&l, SERVER_REFUSE);
	start(&l);
	assert_in(&l, "none password");
	assert_string_equal(auth_method(l.auth), "password");
	stop(&l);
}

static void test_a_password_comes_after_the_keys(void **state)
{
	(void)state;
	struct login l = {.password = "s3cret"};

	add_identity(&l, "id_ed25519", server_make_key(1), NULL);
	VERDICTS(&l, SERVER_REFUSE);
	start(&l);
	assert_in(&l, "publickey! password");
	stop(&l);
}

static void test_a_password_that_is_refused_is_not_sent_again(void **state)
{
	(void)state;
	struct login l = {.password = "s3cret", .rig.script.methods = "password"};

	VERDICTS(&l, SERVER_REFUSE, SERVER_REFUSE, SERVER_REFUSE);
	start(&l);
	assert_refused(&l, "none password");
	assert_says(l.e.text, "offered password");
	assert_null(strstr(l.e.text, "s3cret"));
	stop(&l);
}

static void test_a_password_that_has_expired_is_said_to_have(void **state)
{
	(void)state;
	struct login l = {.password = "s3cret", .rig.script.methods = "password"};
	struct wr w = WR_INIT;

	VERDICTS(&l, SERVER_REFUSE, SERVER_SILENT);
	start(&l);
	wr_u8(&w, SSH_MSG_USERAUTH_PASSWD_CHANGEREQ);
	wr_cstring(&w, "Your password has expired");
	wr_cstring(&w, "");
	server_send_now(l.rig.server, wr_span(&w));
	run(&l);
	assert_refused(&l, "none password");
	assert_says(l.e.text, "expired");
	wr_clear(&w);
	stop(&l);
}

static const char *const password_prompt[] = {"Password: ", NULL};

static void test_prompts_are_answered_by_the_password(void **state)
{
	(void)state;
	struct login l = {.password = "s3cret",
	    .expected_password = "s3cret",
	    .rig.script = {.methods = "keyboard-interactive", .prompts = password_prompt}};

	VERDICTS(&l, SERVER_REFUSE, SERVER_PROMPT);
	start(&l);
	assert_in(&l, "none keyboard- info-resp");
	assert_string_equal(auth_method(l.auth), "keyboard-interactive");
	stop(&l);
}

static void test_no_prompts_are_answered_too(void **state)
{
	(void)state;
	static const char *const no_prompts[] = {NULL};
	struct login l = {.password = "s3cret",
	    .rig.script = {.methods = "keyboard-interactive", .prompts = no_prompts}};

	VERDICTS(&l, SERVER_REFUSE, SERVER_PROMPT, SERVER_PROMPT);
	start(&l);
	assert_in(&l, "none keyboard- info-resp info-resp");
	stop(&l);
}

static void test_a_prompt_for_something_else_is_named(void **state)
{
	(void)state;
	static const char *const code_prompt[] = {"Verification code: ", NULL};
	struct login l = {.password = "s3cret",
	    .rig.script = {.methods = "keyboard-interactive", .prompts = code_prompt}};

	VERDICTS(&l, SERVER_REFUSE, SERVER_PROMPT);
	start(&l);
	assert_refused(&l, "none keyboard-");
	assert_says(l.e.text, "nothing answers \"Verification code: \"");
	stop(&l);
}

/* ---- several steps ---- */

static void test_a_key_and_then_a_password_is_a_login_too(void **state)
{
	(void)state;
	struct login l = {.password = "s3cret"};

	add_identity(&l, "id_ed25519", server_make_key(1), NULL);
	VERDICTS(&l, SERVER_PARTIAL);
	start(&l);
	assert_in(&l, "publickey! password");
	stop(&l);
}

static void test_two_keys_may_be_wanted_and_the_first_is_not_shown_again(void **state)
{
	(void)state;
	struct login l = {.rig.script.methods = "publickey"};

	add_identity(&l, "one", server_make_key(1), NULL);
	add_identity(&l, "two", server_make_key(2), NULL);
	VERDICTS(&l, SERVER_PARTIAL);
	start(&l);
	assert_in(&l, "publickey! publickey!");
	stop(&l);
}

static void test_a_step_that_went_well_is_not_said_to_be_refused(void **state)
{
	(void)state;
	struct login l = {.rig.script.methods = "password"};

	add_identity(&l, "good-key", server_make_key(1), NULL);
	VERDICTS(&l, SERVER_PARTIAL);
	start(&l);
	assert_refused(&l, "publickey!");
	assert_says(l.e.text, "it accepted good-key");
	assert_says(l.e.text, "and still wants password; offered nothing that it takes");
	stop(&l);
}

static void test_a_password_may_be_wanted_before_a_key(void **state)
{
	(void)state;
	struct login l = {.password = "s3cret"};

	add_identity(&l, "one", server_make_key(1), NULL);
	add_identity(&l, "two", server_make_key(2), NULL);
	VERDICTS(&l, SERVER_REFUSE, SERVER_PARTIAL, SERVER_REFUSE);
	METHODS(&l, "password", "publickey");
	start(&l);
	assert_in(&l, "publickey! password publickey! publickey!");
	assert_says(auth_method(l.auth), "publickey two");
	stop(&l);
}

static void test_prompts_may_come_before_a_key(void **state)
{
	(void)state;
	struct login l = {.password = "s3cret", .rig.script.prompts = password_prompt};

	add_identity(&l, "id_ed25519", server_make_key(1), NULL);
	VERDICTS(&l, SERVER_REFUSE, SERVER_PROMPT, SERVER_PARTIAL);
	METHODS(&l, "keyboard-interactive", "", "publickey");
	start(&l);
	assert_in(&l, "publickey! keyboard- info-resp publickey!");
	stop(&l);
}

static void test_a_key_whose_turn_comes_later_has_all_its_algorithms_left(void **state)
{
	(void)state;
	struct login l = {.password = "s3cret",
	    .rig.script = {.ext_info = SERVER_NO_EXT_INFO, .ident = "SSH-2.0-other"}};

	add_identity(&l, "id_rsa", read_key(TEST_RSA_FILE), NULL);
	VERDICTS(&l, SERVER_REFUSE, SERVER_PARTIAL);
	METHODS(&l, "password", "publickey");
	start(&l);
	assert_in(&l, "publickey? password publickey? publickey!");
	assert_string_equal(strbuf_text(&l.algorithms), "rsa-sha2-512 rsa-sha2-512 rsa-sha2-512");
	stop(&l);
}

static void test_a_server_that_always_wants_something_else_first_is_left(void **state)
{
	(void)state;
	struct login l = {.password = "s3cret"};

	add_identity(&l, "id_ed25519", server_make_key(1), NULL);
	VERDICTS(&l, SERVER_REFUSE, SERVER_REFUSE, SERVER_REFUSE, SERVER_REFUSE, SERVER_REFUSE,
	    SERVER_REFUSE);
	METHODS(&l, "password", "publickey", "keyboard-interactive", "publickey", "password");
	start(&l);
	assert_refused(&l, "publickey! password publickey! keyboard- publickey!");
	assert_says(l.e.text, "offered password, keyboard-interactive; the server takes: password");
	stop(&l);
}

/* ---- banners ---- */

static void send_banner(struct login *l, const char *text)
{
	struct wr w = WR_INIT;

	wr_u8(&w, SSH_MSG_USERAUTH_BANNER);
	wr_cstring(&w, text);
	wr_cstring(&w, "");
	server_send_now(l->rig.server, wr_span(&w));
	wr_clear(&w);
}

static size_t count_words(const char *text, const char *words)
{
	size_t count = 0;

	for (; (text = strstr(text, words)); text++)
		count++;
	return count;
}

static void test_a_banner_is_logged_once_and_escaped(void **state)
{
	(void)state;
	struct login l = {0};

	add_identity(&l, "id_ed25519", server_make_key(1), NULL);
	VERDICTS(&l, SERVER_SILENT);
	start(&l);
	for (int i = 0; i < 3; i++)
		send_banner(&l, "Authorised\nuse only\033[2J");
	server_send_message(l.rig.server, SSH_MSG_USERAUTH_SUCCESS);
	run(&l);
	assert_in(&l, "publickey!");
	assert_int_equal(count_words(strbuf_text(&l.rig.log), "Authorised\\nuse only\\x1b"), 1);
	stop(&l);
}

static void test_a_banner_without_end_is_cut(void **state)
{
	(void)state;
	struct login l = {0};
	char text[20001];

	memset(text, '-', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	add_identity(&l, "id_ed25519", server_make_key(1), NULL);
	VERDICTS(&l, SERVER_SILENT);
	start(&l);
	send_banner(&l, text);
	server_send_message(l.rig.server, SSH_MSG_USERAUTH_SUCCESS);
	run(&l);
	assert_in(&l, "publickey!");
	text[2048] = '\0';
	assert_int_equal(count_words(strbuf_text(&l.rig.log), text), 1);
	stop(&l);
}

static void test_a_flood_of_banners_fills_no_log(void **state)
{
	(void)state;
	struct login l = {0};

	add_identity(&l, "id_ed25519", server_make_key(1), NULL);
	VERDICTS(&l, SERVER_SILENT);
	start(&l);
	for (int i = 0; i < 1000; i++) {
		char *text = str_format("banner %d", i);

		send_banner(&l, text);
		free(text);
	}
	server_send_message(l.rig.server, SSH_MSG_USERAUTH_SUCCESS);
	run(&l);
	assert_in(&l, "publickey!");
	assert_true(count_words(strbuf_text(&l.rig.log), "banner text=") <= 8);
	stop(&l);
}

/* ---- servers that lie ---- */

static void expect_end(struct login *l, struct span message, const char *words)
{
	server_send_now(l->rig.server, message);
	run(l);
	assert_int_equal(l->rig.closed, 1);
	assert_int_equal(l->closed.class, ERR_PEER);
	assert_says(l->closed.text, words);
	assert_int_equal(l->done, 0);
	stop(l);
}

static void start_silent(struct login *l)
{
	VERDICTS(l, SERVER_SILENT);
	add_identity(l, "id_rsa", read_key(TEST_RSA_FILE), NULL);
	l->rig.script.ext_info = SERVER_NO_EXT_INFO;
	l->rig.script.ident = "SSH-2.0-other";
	start(l);
	assert_string_equal(strbuf_text(&l->attempts), "publickey?");
}

static void write_pk_ok(struct wr *w, const char *algorithm, struct span blob)
{
	wr_u8(w, SSH_MSG_USERAUTH_PK_OK);
	wr_cstring(w, algorithm);
	wr_string(w, blob);
}

static void test_a_key_that_was_not_offered_cannot_be_accepted(void **state)
{
	(void)state;
	struct wr w = WR_INIT;
	struct key *other = server_make_key(9), *rsa = read_key(TEST_RSA_FILE);
	struct login by_blob = {0}, by_algorithm = {0};

	write_pk_ok(&w, "rsa-sha2-512", key_blob(other));
	start_silent(&by_blob);
	expect_end(&by_blob, wr_span(&w), "not offered");
	wr_reset(&w);
	write_pk_ok(&w, "ssh-rsa", key_blob(rsa));
	start_silent(&by_algorithm);
	expect_end(&by_algorithm, wr_span(&w), "not offered");
	key_free(other);
	key_free(rsa);
	wr_clear(&w);
}

static void test_answers_to_what_was_not_asked_end_it(void **state)
{
	(void)state;
	static const uint8_t types[] = {SSH_MSG_USERAUTH_FAILURE, SSH_MSG_USERAUTH_SUCCESS,
	    SSH_MSG_USERAUTH_PK_OK, SSH_MSG_USERAUTH_BANNER};

	/* The service is not accepted: nothing can have been answered yet. */
	for (size_t i = 0; i + 1 < ARRAY_LEN(types); i++) {
		struct login l = {.rig.script.ext_info = SERVER_NO_EXT_INFO};

		l.rig.script.service = SERVER_HOLDS_SERVICE;
		add_identity(&l, "id_ed25519", server_make_key(1), NULL);
		start(&l);
		expect_end(&l, SPAN(&types[i], 1), "answers nothing");
	}
}

static void test_a_service_that_was_not_asked_for_ends_it(void **state)
{
	(void)state;
	struct login l = {.rig.script.ext_info = SERVER_NO_EXT_INFO};

	l.rig.script.service = SERVER_HOLDS_SERVICE;
	start(&l);
	expect_end(&l, SPAN("\x06\0\0\0\x0essh-connection", 19), "service");
}

static void test_the_service_is_accepted_once(void **state)
{
	(void)state;
	struct login l = {0};

	start_silent(&l);
	expect_end(&l, SPAN("\x06\0\0\0\x0cssh-userauth", 17), "answers nothing");
}

static void test_messages_cut_short_end_it(void **state)
{
	(void)state;
	struct wr w = WR_INIT;
	struct key *rsa = read_key(TEST_RSA_FILE);

	write_pk_ok(&w, "rsa-sha2-512", key_blob(rsa));
	for (size_t n = 1; n < w.n; n += 41) {
		struct login l = {0};

		start_silent(&l);
		expect_end(&l, SPAN(w.p, n), "malformed");
	}
	wr_reset(&w);
	wr_u8(&w, SSH_MSG_USERAUTH_FAILURE);
	wr_cstring(&w, "password");
	wr_bool(&w, false);
	wr_u8(&w, 0); /* a byte too many */
	for (size_t n = 1; n <= w.n; n++) {
		struct login l = {0};

		if (n == w.n - 1)
			continue;
		start_silent(&l);
		expect_end(&l, SPAN(w.p, n), "malformed");
	}
	wr_reset(&w);
	wr_u8(&w, SSH_MSG_USERAUTH_BANNER);
	wr_cstring(&w, "hi");
	wr_cstring(&w, "");
	for (size_t n = 1; n < w.n; n++) {
		struct login l = {0};

		start_silent(&l);
		expect_end(&l, SPAN(w.p, n), "malformed");
	}
	key_free(rsa);
	wr_clear(&w);
}

static void test_method_names_that_move_the_cursor_end_it(void **state)
{
	(void)state;
	struct login l = {0};

	start_silent(&l);
	expect_end(&l, SPAN("3\0\0\0\x05pass\033\0", 11), "malformed");
}

static void test_a_number_that_is_no_message_is_answered_so(void **state)
{
	(void)state;
	struct login l = {0};

	start_silent(&l);
	server_forget_seen(l.rig.server);
	server_send_message(l.rig.server, 79);
	run(&l);
	assert_string_equal(server_seen(l.rig.server), "3");
	assert_int_equal(l.rig.closed, 0);
	stop(&l);
}

static void disconnect(struct login *l, uint32_t code, const char *text)
{
	struct wr w = WR_INIT;

	wr_u8(&w, SSH_MSG_DISCONNECT);
	wr_u32(&w, code);
	wr_cstring(&w, text);
	wr_cstring(&w, "");
	server_send_now(l->rig.server, wr_span(&w));
	run(l);
	wr_clear(&w);
}

static void test_too_many_failures_are_a_matter_of_the_login(void **state)
{
	(void)state;
	struct login l = {0};

	add_identity(&l, "one", server_make_key(1), NULL);
	add_identity(&l, "two", server_make_key(2), NULL);
	VERDICTS(&l, SERVER_REFUSE, SERVER_SILENT);
	start(&l);
	disconnect(&l, DISCONNECT_PROTOCOL_ERROR, "Too many authentication failures");
	assert_int_equal(l.rig.closed, 1);
	assert_int_equal(l.closed.class, ERR_LOGIN);
	assert_says(l.closed.text, "Too many authentication failures");
	assert_says(l.closed.text, "offered one");
	assert_says(l.closed.text, "two"); /* whose answer was the end */
	stop(&l);
}

static void test_an_end_after_a_refused_method_is_a_matter_of_the_login_too(void **state)
{
	(void)state;
	struct login l = {.password = "s3cret", .rig.script.methods = "password"};

	add_identity(&l, "one", server_make_key(1), NULL);
	VERDICTS(&l, SERVER_REFUSE, SERVER_SILENT);
	start(&l);
	assert_string_equal(strbuf_text(&l.attempts), "publickey! password");
	disconnect(&l, DISCONNECT_PROTOCOL_ERROR, "Too many authentication failures");
	assert_int_equal(l.closed.class, ERR_LOGIN);
	stop(&l);
}

static void test_a_disconnect_in_the_place_of_an_answer_is_a_refusal(void **state)
{
	(void)state;
	struct login l = {0};

	add_identity(&l, "one", server_make_key(1), NULL);
	VERDICTS(&l, SERVER_SILENT);
	start(&l);
	disconnect(&l, DISCONNECT_NOT_ALLOWED_TO_CONNECT, "Too many authentication failures");
	assert_int_equal(l.closed.class, ERR_LOGIN);
	assert_says(l.closed.text, "does not let");
	assert_says(l.closed.text, "Too many authentication failures");
	assert_says(l.closed.text, "offered one");
	stop(&l);
}

static void test_a_server_that_goes_away_during_the_login_refuses_nothing(void **state)
{
	(void)state;
	struct login l = {0};

	add_identity(&l, "one", server_make_key(1), NULL);
	VERDICTS(&l, SERVER_SILENT);
	start(&l);
	disconnect(&l, DISCONNECT_BY_APPLICATION, "shutting down");
	assert_int_equal(l.closed.class, ERR_NETWORK);
	stop(&l);
}

static void test_an_end_before_any_refusal_is_the_networks(void **state)
{
	(void)state;
	struct login l = {0};

	start_silent(&l);
	server_finish(l.rig.server);
	run(&l);
	assert_int_equal(l.closed.class, ERR_NETWORK);
	stop(&l);
}

/* ---- the agent ---- */

static void add_agent_keys(struct login *l, size_t count)
{
	l->uses_agent = WITH_AGENT;
	for (size_t i = 0; i < count; i++)
		l->agent.keys[l->agent.key_count++] = server_make_key((uint8_t)(100 + i));
}

static void test_the_only_key_of_an_agent_signs_at_once(void **state)
{
	(void)state;
	struct login l = {0};

	add_agent_keys(&l, 1);
	start(&l);
	assert_in(&l, "publickey!");
	assert_string_equal(strbuf_text(&l.agent.seen), "27 11 13");
	assert_says(auth_method(l.auth), "agent: key 0 (ED25519");
	stop(&l);
}

static void test_one_of_several_signs_when_the_server_wants_it(void **state)
{
	(void)state;
	struct login l = {0};

	add_agent_keys(&l, 3);
	VERDICTS(&l, SERVER_REFUSE);
	start(&l);
	assert_in(&l, "publickey? publickey? publickey!");
	assert_string_equal(strbuf_text(&l.agent.seen), "27 11 13");
	stop(&l);
}

static void test_the_agent_is_told_to_which_host_it_signs(void **state)
{
	(void)state;
	struct login l = {0};
	struct rd r;

	add_agent_keys(&l, 1);
	start(&l);
	rd_init(&r, wr_span(&l.agent.bound));
	assert_int_equal(rd_u8(&r), 27);
	assert_true(span_is(rd_string(&r), "session-bind@openssh.com"));
	assert_true(span_equal(rd_string(&r), key_blob(server_host_key())));
	assert_true(span_equal(rd_string(&r), transport_session_id(l.rig.t)));
	assert_true(span_equal(rd_string(&r), transport_host_key_signature(l.rig.t)));
	stop(&l);
}

static void test_keys_that_are_for_other_hosts_use_up_no_tries(void **state)
{
	(void)state;
	struct login l = {0};

	add_agent_keys(&l, 7);
	l.agent.elsewhere = 6;
	VERDICTS(&l, SERVER_ACCEPT);
	start(&l);
	assert_in(&l, "publickey!");
	assert_says(auth_method(l.auth), "agent: key 6");
	stop(&l);
}

static void test_an_rsa_key_of_an_agent_signs_with_sha_2(void **state)
{
	(void)state;
	struct login l = {0};

	l.uses_agent = WITH_AGENT;
	l.agent.keys[l.agent.key_count++] = read_key(TEST_RSA_FILE);
	start(&l);
	assert_in(&l, "publickey!");
	assert_string_equal(strbuf_text(&l.algorithms), "rsa-sha2-512");
	stop(&l);
}

static void test_a_certificate_of_an_agent_is_offered(void **state)
{
	(void)state;
	struct login l = {0};

	l.uses_agent = WITH_AGENT;
	l.agent.keys[l.agent.key_count++] = read_key(TEST_ED25519_FILE);
	assert_true(str_base64_decode(span_of(TEST_USER_CERT_ED25519), &l.agent.certs[0]));
	l.agent.cert_count = 1;
	start(&l);
	assert_in(&l, "publickey? publickey!");
	assert_says(strbuf_text(&l.algorithms), "ssh-ed25519-cert-v01@openssh.com");
	stop(&l);
}

static void test_only_configured_keys_of_the_agent_are_offered_if_so_wished(void **state)
{
	(void)state;
	struct login l = {.identities_only = true};

	add_agent_keys(&l, 3);
	add_identity(&l, "id_ed25519", key_from_blob(key_blob(l.agent.keys[1]), NULL), NULL);
	start(&l);
	assert_in(&l, "publickey!");
	assert_says(auth_method(l.auth), "id_ed25519");
	stop(&l);
}

static void test_a_public_key_without_an_agent_is_named(void **state)
{
	(void)state;
	struct login l = {0};
	struct key *key = server_make_key(1);

	/* As of two certificates of one key. */
	for (int i = 0; i < 2; i++)
		add_identity(&l, "id_ed25519", key_from_blob(key_blob(key), NULL), NULL);
	VERDICTS(&l, SERVER_REFUSE);
	start(&l);
	assert_refused(&l, "none");
	assert_says(l.e.text, "not offered: id_ed25519: no agent has its private key; the");
	key_free(key);
	stop(&l);
}

static void test_a_certificate_file_whose_key_is_in_the_agent_is_offered(void **state)
{
	(void)state;
	struct login l = {.identities_only = true};
	struct key *key = read_key(TEST_ED25519_FILE);

	l.uses_agent = WITH_AGENT;
	add_identity(&l, "id_ed25519", key_from_blob(key_blob(key), NULL),
	    read_cert(TEST_USER_CERT_ED25519));
	l.agent.keys[l.agent.key_count++] = key;
	start(&l);
	assert_in(&l, "publickey? publickey!");
	assert_says(strbuf_text(&l.algorithms), "ssh-ed25519-cert-v01@openssh.com");
	stop(&l);
}

static void test_an_agent_with_very_many_keys_does_not_use_up_all_tries(void **state)
{
	(void)state;
	struct login l = {.password = "s3cret"};

	add_agent_keys(&l, 20);
	VERDICTS(&l, SERVER_REFUSE, SERVER_REFUSE, SERVER_REFUSE, SERVER_REFUSE, SERVER_REFUSE);
	start(&l);
	assert_in(&l, "publickey? publickey? publickey? publickey? publickey? password");
	stop(&l);
}

static void test_an_agent_that_fails_is_an_error_of_this_key_alone(void **state)
{
	(void)state;
	for (int manner = AGENT_REFUSES; manner <= AGENT_DIES; manner++) {
		struct login l = {0};

		add_agent_keys(&l, 1);
		l.agent.manner = manner;
		add_identity(&l, "mine", key_from_blob(key_blob(l.agent.keys[0]), NULL), NULL);
		add_identity(&l, "other", server_make_key(1), NULL);
		start(&l);
		assert_in(&l, "publickey? publickey!");
		assert_says(auth_method(l.auth), "other");
		assert_says(strbuf_text(&l.rig.log), "warning identity-left-out");
		stop(&l);
	}
}

static void test_an_agent_that_nobody_touches_has_its_own_deadline(void **state)
{
	(void)state;
	struct login l = {0};

	add_agent_keys(&l, 1);
	l.agent.manner = AGENT_THINKS;
	VERDICTS(&l, SERVER_REFUSE);
	start(&l);
	loop_fake_advance(l.rig.loop, 29999);
	assert_int_equal(l.done, 0);
	assert_int_equal(auth_agent_ms(l.auth), 29999);
	loop_fake_advance(l.rig.loop, 2);
	run(&l);
	assert_refused(&l, "none");
	/* From then on it is not waited for. */
	loop_fake_advance(l.rig.loop, 1000);
	assert_int_equal(auth_agent_ms(l.auth), 30000);
	stop(&l);
}

static void test_a_socket_without_agent_is_no_obstacle(void **state)
{
	(void)state;
	struct login l = {.uses_agent = WITH_AGENT};

	fake_agent_start(&l.agent);
	unlink(l.agent.path);
	add_identity(&l, "id_ed25519", server_make_key(1), NULL);
	start(&l);
	assert_in(&l, "publickey!");
	stop(&l);
}

/* ---- life ---- */

static void test_who_is_in_or_refused_needs_no_agent_any_more(void **state)
{
	(void)state;
	for (int refused = 0; refused < 2; refused++) {
		struct login l = {0};
		VERDICTS(&l, SERVER_REFUSE);

		l.verdict_count = refused ? 1 : 0;
		add_agent_keys(&l, 1);
		start(&l);
		assert_int_equal(l.done, 1);
		assert_int_equal(err_is_set(&l.e), refused);
		assert_true(fake_agent_was_left(&l.agent));
		if (!refused)
			assert_says(auth_method(l.auth), "agent: key 0");
		stop(&l);
	}
}

static void test_everything_may_be_freed_when_it_is_done(void **state)
{
	(void)state;
	struct login in = {.free_when_done = true}, refused = {.free_when_done = true};

	add_identity(&in, "id_ed25519", server_make_key(1), NULL);
	start(&in);
	assert_in(&in, "publickey!");
	stop(&in);
	VERDICTS(&refused, SERVER_REFUSE);
	start(&refused);
	assert_int_equal(refused.done, 1);
	assert_int_equal(refused.e.class, ERR_LOGIN);
	stop(&refused);
}

static void test_a_login_goes_on_through_a_rekey(void **state)
{
	(void)state;
	struct login l = {0};

	start_silent(&l);
	server_rekey(l.rig.server);
	run(&l);
	struct wr w = WR_INIT;
	struct key *rsa = read_key(TEST_RSA_FILE);
	write_pk_ok(&w, "rsa-sha2-512", key_blob(rsa));
	server_send_now(l.rig.server, wr_span(&w));
	run(&l);
	assert_in(&l, "publickey? publickey!");
	key_free(rsa);
	wr_clear(&w);
	stop(&l);
}

static void test_a_login_of_single_bytes_is_one_too(void **state)
{
	(void)state;
	struct login l = {.rig.script.fragment = 1};

	add_identity(&l, "id_ed25519", server_make_key(1), NULL);
	start(&l);
	for (int i = 0; i < 50; i++)
		run(&l);
	assert_in(&l, "publickey!");
	stop(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_one_key_takes_one_round_trip),
	    cmocka_unit_test(test_a_server_without_ext_info_must_accept_the_service_first),
	    cmocka_unit_test(test_with_ext_info_nobody_waits_for_the_service),
	    cmocka_unit_test(test_a_request_is_bound_to_the_host_where_that_is_offered),
	    cmocka_unit_test(test_keys_are_offered_in_their_order),
	    cmocka_unit_test(test_the_same_key_is_not_offered_twice),
	    cmocka_unit_test(test_a_refusal_says_what_was_offered_and_what_the_server_takes),
	    cmocka_unit_test(test_a_server_that_takes_no_keys_is_not_shown_more_of_them),
	    cmocka_unit_test(test_with_nothing_to_offer_the_server_is_asked_what_it_takes),
	    cmocka_unit_test(test_a_server_that_wants_nothing_lets_us_in),
	    cmocka_unit_test(test_rsa_signs_with_the_best_that_the_server_takes),
	    cmocka_unit_test(test_rsa_asks_first_when_the_server_did_not_say),
	    cmocka_unit_test(test_openssh_7_4_takes_sha_2_and_does_not_say_so),
	    cmocka_unit_test(test_rsa_with_sha_256_is_asked_for_when_512_was_refused),
	    cmocka_unit_test(test_rsa_is_not_offered_where_only_sha_1_is_taken),
	    cmocka_unit_test(test_a_certificate_is_offered_before_its_key),
	    cmocka_unit_test(test_an_rsa_certificate_signs_with_sha_2),
	    cmocka_unit_test(test_an_rsa_certificate_is_not_offered_to_who_wants_sha_1_of_it),
	    cmocka_unit_test(test_a_certificate_that_is_not_valid_now_is_named_and_not_offered),
	    cmocka_unit_test(test_an_expired_certificate_is_named_with_its_dates),
	    cmocka_unit_test(test_a_password_is_sent_to_who_takes_one),
	    cmocka_unit_test(test_a_password_comes_after_the_keys),
	    cmocka_unit_test(test_a_password_that_is_refused_is_not_sent_again),
	    cmocka_unit_test(test_a_password_that_has_expired_is_said_to_have),
	    cmocka_unit_test(test_prompts_are_answered_by_the_password),
	    cmocka_unit_test(test_no_prompts_are_answered_too),
	    cmocka_unit_test(test_a_prompt_for_something_else_is_named),
	    cmocka_unit_test(test_a_key_and_then_a_password_is_a_login_too),
	    cmocka_unit_test(test_two_keys_may_be_wanted_and_the_first_is_not_shown_again),
	    cmocka_unit_test(test_a_step_that_went_well_is_not_said_to_be_refused),
	    cmocka_unit_test(test_a_password_may_be_wanted_before_a_key),
	    cmocka_unit_test(test_prompts_may_come_before_a_key),
	    cmocka_unit_test(test_a_key_whose_turn_comes_later_has_all_its_algorithms_left),
	    cmocka_unit_test(test_a_server_that_always_wants_something_else_first_is_left),
	    cmocka_unit_test(test_a_banner_is_logged_once_and_escaped),
	    cmocka_unit_test(test_a_banner_without_end_is_cut),
	    cmocka_unit_test(test_a_flood_of_banners_fills_no_log),
	    cmocka_unit_test(test_a_key_that_was_not_offered_cannot_be_accepted),
	    cmocka_unit_test(test_answers_to_what_was_not_asked_end_it),
	    cmocka_unit_test(test_a_service_that_was_not_asked_for_ends_it),
	    cmocka_unit_test(test_the_service_is_accepted_once),
	    cmocka_unit_test(test_messages_cut_short_end_it),
	    cmocka_unit_test(test_method_names_that_move_the_cursor_end_it),
	    cmocka_unit_test(test_a_number_that_is_no_message_is_answered_so),
	    cmocka_unit_test(test_too_many_failures_are_a_matter_of_the_login),
	    cmocka_unit_test(test_an_end_after_a_refused_method_is_a_matter_of_the_login_too),
	    cmocka_unit_test(test_a_disconnect_in_the_place_of_an_answer_is_a_refusal),
	    cmocka_unit_test(test_a_server_that_goes_away_during_the_login_refuses_nothing),
	    cmocka_unit_test(test_an_end_before_any_refusal_is_the_networks),
	    cmocka_unit_test(test_the_only_key_of_an_agent_signs_at_once),
	    cmocka_unit_test(test_one_of_several_signs_when_the_server_wants_it),
	    cmocka_unit_test(test_the_agent_is_told_to_which_host_it_signs),
	    cmocka_unit_test(test_keys_that_are_for_other_hosts_use_up_no_tries),
	    cmocka_unit_test(test_an_rsa_key_of_an_agent_signs_with_sha_2),
	    cmocka_unit_test(test_a_certificate_of_an_agent_is_offered),
	    cmocka_unit_test(test_only_configured_keys_of_the_agent_are_offered_if_so_wished),
	    cmocka_unit_test(test_a_public_key_without_an_agent_is_named),
	    cmocka_unit_test(test_a_certificate_file_whose_key_is_in_the_agent_is_offered),
	    cmocka_unit_test(test_an_agent_with_very_many_keys_does_not_use_up_all_tries),
	    cmocka_unit_test(test_an_agent_that_fails_is_an_error_of_this_key_alone),
	    cmocka_unit_test(test_an_agent_that_nobody_touches_has_its_own_deadline),
	    cmocka_unit_test(test_a_socket_without_agent_is_no_obstacle),
	    cmocka_unit_test(test_who_is_in_or_refused_needs_no_agent_any_more),
	    cmocka_unit_test(test_everything_may_be_freed_when_it_is_done),
	    cmocka_unit_test(test_a_login_goes_on_through_a_rekey),
	    cmocka_unit_test(test_a_login_of_single_bytes_is_one_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
