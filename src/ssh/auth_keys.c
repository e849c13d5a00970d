#include "ssh/auth_keys.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "ssh/ident.h"

enum { COMMENT_MAX = 200 };

void auth_keys_leave_out(struct auth_keys *keys, const char *name, const char *why)
{
	if (keys->left_out.n > 0)
		strbuf_add(&keys->left_out, "; ");
	strbuf_add_escaped(&keys->left_out, span_of(name));
	strbuf_addf(&keys->left_out, ": %s", why);
}

/* "id_ed25519 (ED25519 SHA256:...)", of a certificate "(ED25519-CERT SHA256:...)" with the fingerprint of its key. */
static char *make_label(const char *name, const struct key *key, bool is_cert)
{
	struct strbuf label = {0};
	char *fingerprint = key_fingerprint(key_blob(key));

	strbuf_add_escaped(&label, span_of(name));
	strbuf_addf(&label, " (%s%s %s)", key_short_name(key), is_cert ? "-CERT" : "", fingerprint);
	free(fingerprint);
	return strbuf_take(&label);
}

static bool has_blob(const struct auth_keys *keys, struct span blob)
{
	for (size_t i = 0; i < keys->count; i++)
		if (span_equal(keys->list[i].blob, blob))
			return true;
	return false;
}

/* Takes the label. */
static void add(struct auth_keys *keys, const struct auth_key *offer)
{
	keys->list = mem_grow(keys->list, keys->count + 1, sizeof(*keys->list));
	keys->list[keys->count++] = *offer;
}

static bool agent_has(const struct auth_keys_options *options, struct span blob)
{
	for (size_t i = 0; i < options->agent_count; i++)
		if (span_equal(options->agent[i].blob, blob))
			return true;
	return false;
}

/* ---- certificates ---- */

/* A certificate is of use to us when it is a user's, and valid now. */
static bool cert_is_usable(struct auth_keys *keys, const struct auth_keys_options *options,
    const struct cert *cert, const char *name)
{
	struct err e = ERR_INIT;

	if (cert_type(cert) != CERT_USER)
		err_set(&e, ERR_CONFIG, "it is not the certificate of a user");
	else if (cert_check_dates(cert, options->now, &e) == 0)
		return true;
	log_warning(options->log, "certificate-left-out", "name=%s reason=%s", name, e.text);
	auth_keys_leave_out(keys, name, e.text);
	return false;
}

/* ---- configured identities ---- */

/* Who signs for an identity: its own private half, or an agent that has the key or this very certificate. False: nobody. */
static bool find_signer(const struct auth_keys_options *options,
    const struct auth_identity *identity, struct auth_key *offer)
{
	struct span plain = key_blob(identity->key);

	if (key_is_private(identity->key) && !identity->from_agent) {
		offer->key = identity->key;
		return true;
	}
	offer->agent_blob = agent_has(options, offer->blob) ? offer->blob : plain;
	return agent_has(options, offer->agent_blob);
}

/* False: nobody here can sign with it. */
static bool add_identity(struct auth_keys *keys, const struct auth_keys_options *options,
    const struct auth_identity *identity, const struct cert *cert)
{
	struct auth_key offer = {
	    .blob = cert ? cert_blob(cert) : key_blob(identity->key),
	    .type = key_type(identity->key),
	    .kind = cert ? AUTH_KEY_CERTIFICATE : AUTH_KEY_PLAIN,
	};

	if (has_blob(keys, offer.blob))
		return true;
	if (!find_signer(options, identity, &offer))
		return false;
	offer.label = make_label(identity->name, identity->key, cert != NULL);
	add(keys, &offer);
	return true;
}

/* A key with several certificates is there once with each. */
static bool is_same_key_again(const struct auth_keys_options *options, size_t i)
{
	return i > 0 && strcmp(options->identities[i].name, options->identities[i - 1].name) == 0;
}

static void add_identities(struct auth_keys *keys, const struct auth_keys_options *options)
{
	for (size_t i = 0; i < options->identity_count; i++) {
		const struct auth_identity *identity = &options->identities[i];

		if (identity->cert && cert_is_usable(keys, options, identity->cert, identity->name))
			(void)add_identity(keys, options, identity, identity->cert);
		if (i + 1 < options->identity_count && is_same_key_again(options, i + 1))
			continue; /* its other certificates come before the plain key */
		if (!add_identity(keys, options, identity, NULL))
			auth_keys_leave_out(keys, identity->name, "no agent has its private key");
	}
}

/* ---- the agent's ---- */

/* The agent's list is gone after the call: the blob is copied. */
static struct span keep_blob(struct auth_keys *keys, struct span blob)
{
	struct wr copy = WR_INIT;

	wr_span_bytes(&copy, blob);
	keys->blobs = mem_grow(keys->blobs, keys->blob_count + 1, sizeof(*keys->blobs));
	keys->blobs[keys->blob_count++] = copy;
	return wr_span(&copy);
}

static void add_agent_offer(
    struct auth_keys *keys, const char *name, struct span blob, const struct key *key, bool is_cert)
{
	struct auth_key offer = {
	    .label = make_label(name, key, is_cert),
	    .blob = keep_blob(keys, blob),
	    .type = key_type(key),
	    .kind = is_cert ? AUTH_KEY_CERTIFICATE : AUTH_KEY_PLAIN,
	};

	offer.agent_blob = offer.blob;
	add(keys, &offer);
}

static void add_agent_cert(struct auth_keys *keys, const struct auth_keys_options *options,
    const char *name, struct span blob)
{
	struct err e = ERR_INIT;
	struct cert *cert = cert_from_blob(blob, &e);

	if (!cert)
		auth_keys_leave_out(keys, name, e.text);
	else if (cert_is_usable(keys, options, cert, name))
		add_agent_offer(keys, name, blob, cert_key(cert), true);
	cert_free(cert);
}

static void add_agent_key(struct auth_keys *keys, const char *name, struct span blob)
{
	struct err e = ERR_INIT;
	struct key *key = key_from_blob(blob, &e);

	if (!key)
		auth_keys_leave_out(keys, name, e.text);
	else
		add_agent_offer(keys, name, blob, key, false);
	key_free(key);
}

static void add_agent_identity(struct auth_keys *keys, const struct auth_keys_options *options,
    const struct agent_identity *identity)
{
	struct span comment = identity->comment;

	if (has_blob(keys, identity->blob))
		return;
	if (comment.n > COMMENT_MAX)
		comment.n = COMMENT_MAX;
	char *text = span_strdup(comment);
	char *name = str_format("agent: %s", text);
	if (keys->count >= options->agent_offers_max)
		auth_keys_leave_out(keys, name, "servers do not let one try so many");
	else if (cert_blob_is_cert(identity->blob))
		add_agent_cert(keys, options, name, identity->blob);
	else
		add_agent_key(keys, name, identity->blob);
	free(name);
	free(text);
}

void auth_keys_make(struct auth_keys *keys, const struct auth_keys_options *options)
{
	add_identities(keys, options);
	if (!options->every_agent_key)
		return;
	for (size_t i = 0; i < options->agent_count; i++)
		add_agent_identity(keys, options, &options->agent[i]);
}

void auth_keys_clear(struct auth_keys *keys)
{
	for (size_t i = 0; i < keys->count; i++)
		free(keys->list[i].label);
	for (size_t i = 0; i < keys->blob_count; i++)
		wr_clear(&keys->blobs[i]);
	free(keys->list);
	free(keys->blobs);
	strbuf_clear(&keys->left_out);
	*keys = (struct auth_keys){0};
}

/* ---- signature algorithms ---- */

/* Best first. SHA-1 is not among them. */
static const char *const rsa_algorithms[] = {"rsa-sha2-512", "rsa-sha2-256"};

enum auth_algorithm auth_key_algorithm(const struct auth_key *key, const char *server_sig_algs,
    unsigned quirks, const char **ret_algorithm)
{
	if (key->type != KEY_RSA) {
		/* There is one only, and lists were seen that leave it out. */
		*ret_algorithm = key_signature_algorithms(key->type);
		return AUTH_ALGORITHM_CERTAIN;
	}
	if (key->kind == AUTH_KEY_CERTIFICATE && (quirks & QUIRK_RSA_CERT_SHA1))
		return AUTH_ALGORITHM_NONE;
	for (size_t i = 0; server_sig_algs && i < ARRAY_LEN(rsa_algorithms); i++) {
		if (name_list_has(span_of(server_sig_algs), rsa_algorithms[i])) {
			*ret_algorithm = rsa_algorithms[i];
			return AUTH_ALGORITHM_CERTAIN;
		}
	}
	if (quirks & QUIRK_RSA_SHA2_UNSAID) {
		*ret_algorithm = rsa_algorithms[0];
		return AUTH_ALGORITHM_CERTAIN;
	}
	if (server_sig_algs || key->guesses >= ARRAY_LEN(rsa_algorithms))
		return AUTH_ALGORITHM_NONE;
	*ret_algorithm = rsa_algorithms[key->guesses];
	return AUTH_ALGORITHM_GUESS;
}

bool auth_key_guess_again(struct auth_key *key)
{
	return key->type == KEY_RSA && ++key->guesses < ARRAY_LEN(rsa_algorithms);
}
