#include "ssh/key.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/sha.h>

#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "ssh/key_kind.h"

static const struct key_kind *const kinds[] = {
    &key_kind_ed25519,
    &key_kind_ecdsa_p256,
    &key_kind_ecdsa_p384,
    &key_kind_ecdsa_p521,
    &key_kind_rsa,
    &key_kind_sk_ed25519,
    &key_kind_sk_ecdsa_p256,
};

const struct key_kind *key_kind_find(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (span_is(name, kinds[i]->name))
			return kinds[i];
	return NULL;
}

bool key_type_is_known(struct span name)
{
	return key_kind_find(name) != NULL;
}

const char *key_signature_algorithms(enum key_type type)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (kinds[i]->type == type)
			return kinds[i]->algorithms;
	return "";
}

static bool makes(const struct key_kind *kind, struct span algorithm)
{
	struct span list = span_of(kind->algorithms), one;

	while (name_list_next(&list, &one))
		if (span_equal(one, algorithm))
			return true;
	return false;
}

const char *key_type_for(struct span algorithm)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (makes(kinds[i], algorithm))
			return kinds[i]->name;
	return NULL;
}

/* ---- making ---- */

struct key *key_new(const struct key_kind *kind)
{
	struct key *key = NEW(struct key);

	key->kind = kind;
	return key;
}

void key_free(struct key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->pkey); /* wipes its private half */
	wr_clear(&key->blob);
	wr_clear(&key->application);
	free(key);
}

static int write_blob(struct key *key)
{
	wr_reset(&key->blob);
	wr_cstring(&key->blob, key->kind->name);
	return key->kind->write_public(key, &key->blob);
}

static int unknown_type(struct err *e, enum error_class class, struct span name)
{
	if (span_is(name, "ssh-dss"))
		return err_set(e, class, "DSA keys are too weak to be supported");
	if (name.n == 0 || name.n > 64 || !span_is_text(name))
		return err_set(e, class, "malformed key: it does not begin with a type's name");
	return err_set(e, class, "unknown key type %.*s", (int)name.n, (const char *)name.p);
}

struct key *key_read_public(const struct key_kind *kind, struct rd *r, struct err *e)
{
	struct key *key = key_new(kind);

	if (kind->read_public(key, r, e) == 0 && write_blob(key) == 0)
		return key;
	err_set(e, ERR_PEER, "malformed %s key", kind->name);
	ERR_clear_error();
	key_free(key);
	return NULL;
}

struct key *key_from_blob(struct span blob, struct err *e)
{
	struct rd r;

	rd_init(&r, blob);
	struct span name = rd_string(&r);
	const struct key_kind *kind = key_kind_find(name);
	if (!kind) {
		unknown_type(e, ERR_PEER, name);
		return NULL;
	}
	struct key *key = key_read_public(kind, &r, e);
	if (!key)
		return NULL;
	/* There is one way to write a key down, and keys are compared by their blobs. */
	if (rd_end(&r) < 0 || !span_equal(wr_span(&key->blob), blob)) {
		err_set(e, ERR_PEER, "malformed %s key", kind->name);
		key_free(key);
		return NULL;
	}
	return key;
}

/* The private half signs what the public half verifies: a file may hold halves of two keys, or a damaged one, and a
 * signature by such a key can give the private half away. */
static bool halves_match(const struct key *key)
{
	struct span data = SPAN_LITERAL("do the halves of this key belong together?");
	struct span algorithms = span_of(key->kind->algorithms), algorithm;
	struct wr signature = WR_INIT;
	bool match = name_list_next(&algorithms, &algorithm) &&
		     key_sign(key, algorithm, data, &signature, NULL) == 0 &&
		     key_verify(key, algorithm, data, wr_span(&signature), NULL) == 0;

	wr_clear(&signature);
	return match;
}

/* Takes key. */
static struct key *private_if_sound(struct key *key, struct err *e)
{
	key->is_private = true;
	if (write_blob(key) == 0 && halves_match(key))
		return key;
	err_set(e, ERR_CONFIG,
	    "the key is damaged: its private half does not belong to its public half");
	ERR_clear_error();
	key_free(key);
	return NULL;
}

struct key *key_read_private(struct rd *r, struct err *e)
{
	struct span name = rd_string(r);
	const struct key_kind *kind = key_kind_find(name);

	if (!kind) {
		unknown_type(e, ERR_CONFIG, name);
		return NULL;
	}
	if (!kind->read_private) {
		err_set(e, ERR_CONFIG,
		    "the private half of an %s key is in its hardware: adit uses it through an "
		    "agent (ssh-add)",
		    kind->name);
		return NULL;
	}
	struct key *key = key_new(kind);
	if (kind->read_private(key, r, e) < 0 || !rd_ok(r)) {
		err_set(e, ERR_CONFIG, "malformed private %s key", kind->name);
		if (e)
			e->class =
			    ERR_CONFIG; /* what it shares with keys of peers calls it ERR_PEER */
		ERR_clear_error();
		key_free(key);
		return NULL;
	}
	return private_if_sound(key, e);
}

/* The kind of a key that OpenSSL read from a file; NULL when SSH has none for it. */
static const struct key_kind *kind_of_pkey(EVP_PKEY *pkey)
{
	char group[32];

	if (EVP_PKEY_is_a(pkey, "ED25519"))
		return &key_kind_ed25519;
	if (EVP_PKEY_is_a(pkey, "RSA"))
		return &key_kind_rsa;
	if (!EVP_PKEY_is_a(pkey, "EC") ||
	    EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) != 1)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (kinds[i]->read_private && kinds[i]->group &&
		    strcmp(group, kinds[i]->group) == 0)
			return kinds[i];
	return NULL;
}

struct key *key_from_pkey(EVP_PKEY *pkey, struct err *e)
{
	const struct key_kind *kind = kind_of_pkey(pkey);
	unsigned bits = (unsigned)EVP_PKEY_get_bits(pkey);

	if (!kind) {
		const char *name = EVP_PKEY_get0_type_name(pkey);
		err_set(e, ERR_CONFIG,
		    "%s keys of this kind are not supported (Ed25519, ECDSA of nistp256, 384 or "
		    "521, RSA)",
		    name ? name : "such");
		ERR_clear_error();
		EVP_PKEY_free(pkey);
		return NULL;
	}
	if (kind->type == KEY_RSA && (bits < KEY_RSA_BITS_MIN || bits > KEY_RSA_BITS_MAX)) {
		err_set(e, ERR_CONFIG, "an RSA key of %u bits; %d to %d are accepted", bits,
		    KEY_RSA_BITS_MIN, KEY_RSA_BITS_MAX);
		EVP_PKEY_free(pkey);
		return NULL;
	}
	struct key *key = key_new(kind);
	key->pkey = pkey;
	return private_if_sound(key, e);
}

struct key *key_copy(const struct key *key)
{
	struct key *copy = key_new(key->kind);

	/* What OpenSSL has is counted, and never changed. */
	EVP_PKEY_up_ref(key->pkey);
	copy->pkey = key->pkey;
	copy->is_private = key->is_private;
	wr_span_bytes(&copy->blob, wr_span(&key->blob));
	wr_span_bytes(&copy->application, wr_span(&key->application));
	return copy;
}

/* ---- asking ---- */

enum key_type key_type(const struct key *key)
{
	return key->kind->type;
}

const char *key_type_name(const struct key *key)
{
	return key->kind->name;
}

const char *key_short_name(const struct key *key)
{
	return key->kind->short_name;
}

struct span key_blob(const struct key *key)
{
	return wr_span(&key->blob);
}

bool key_is_private(const struct key *key)
{
	return key->is_private;
}

char *key_fingerprint(struct span blob)
{
	uint8_t hash[SHA256_DIGEST_LENGTH];

	SHA256(blob.p, blob.n, hash);
	char *text = str_base64(SPAN(hash, sizeof(hash)), BASE64_UNPADDED);
	char *fingerprint = str_format("SHA256:%s", text);
	free(text);
	return fingerprint;
}

struct span key_blob_type(struct span blob)
{
	struct rd r;

	rd_init(&r, blob);
	return rd_string(&r);
}

/* ---- signatures ---- */

int key_verify(const struct key *key, struct span algorithm, struct span data,
    struct span signature, struct err *e)
{
	struct rd r;

	rd_init(&r, signature);
	struct span made_with = rd_string(&r);
	if (!rd_ok(&r) || made_with.n > 64 || !span_is_text(made_with))
		return err_set(e, ERR_PEER, "malformed signature");
	if (!makes(key->kind, algorithm))
		return err_set(e, ERR_PEER, "%.*s is no signature algorithm for an %s key",
		    (int)algorithm.n, (const char *)algorithm.p, key->kind->name);
	/* RFC 8332 §3: whoever negotiated SHA-512 does not accept SHA-256, let alone ssh-rsa's SHA-1. */
	if (!span_equal(made_with, algorithm))
		return err_set(e, ERR_PEER, "the signature is %.*s where %.*s was agreed",
		    (int)made_with.n, (const char *)made_with.p, (int)algorithm.n,
		    (const char *)algorithm.p);
	if (key->kind->verify(key, algorithm, data, &r) == 0)
		return 0;
	ERR_clear_error();
	return err_set(e, ERR_PEER, "the %s signature is wrong", key->kind->name);
}

int key_sign(const struct key *key, struct span algorithm, struct span data, struct wr *signature,
    struct err *e)
{
	if (!key->is_private || !key->kind->sign)
		return err_set(
		    e, ERR_CONFIG, "the %s key has no private half here", key->kind->name);
	if (!makes(key->kind, algorithm))
		return err_set(e, ERR_CONFIG, "%.*s is no signature algorithm for an %s key",
		    (int)algorithm.n, (const char *)algorithm.p, key->kind->name);
	size_t before = signature->n;
	wr_string(signature, algorithm);
	if (key->kind->sign(key, algorithm, data, signature) == 0)
		return 0;
	ERR_clear_error();
	signature->n = before;
	return err_set(e, ERR_LOCAL, "OpenSSL cannot sign with the %s key", key->kind->name);
}

/* ---- what the families share ---- */

static void free_params(OSSL_PARAM *params)
{
	/* OSSL_PARAM_free() does not wipe numbers that were not in the secure heap. */
	for (OSSL_PARAM *p = params; p && p->key; p++)
		secret_wipe(p->data, p->data_size);
	OSSL_PARAM_free(params);
}

EVP_PKEY *key_pkey_from_numbers(const char *algorithm, OSSL_PARAM_BLD *build, int selection)
{
	EVP_PKEY *pkey = NULL;
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, algorithm, NULL);

	if (params && context && EVP_PKEY_fromdata_init(context) == 1 &&
	    EVP_PKEY_fromdata(context, &pkey, selection, params) != 1)
		pkey = NULL;
	EVP_PKEY_CTX_free(context);
	free_params(params);
	OSSL_PARAM_BLD_free(build);
	return pkey;
}

bool key_pkey_verify(EVP_PKEY *pkey, const char *digest, struct span data, struct span signature)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good = context &&
		    EVP_DigestVerifyInit_ex(context, NULL, digest, NULL, NULL, pkey, NULL) == 1 &&
		    EVP_DigestVerify(context, signature.p, signature.n, data.p, data.n) == 1;

	EVP_MD_CTX_free(context);
	return good;
}

bool key_pkey_sign(EVP_PKEY *pkey, const char *digest, struct span data, struct wr *signature)
{
	uint8_t bytes[KEY_RSA_BITS_MAX / 8];
	size_t n = sizeof(bytes);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good = context &&
		    EVP_DigestSignInit_ex(context, NULL, digest, NULL, NULL, pkey, NULL) == 1 &&
		    EVP_DigestSign(context, bytes, &n, data.p, data.n) == 1;

	EVP_MD_CTX_free(context);
	if (good)
		wr_bytes(signature, bytes, n);
	return good;
}
