/*
 * Ed25519 (RFC 8709): 32 bytes of key, 64 of signature.
 */
#include "base/secret.h"
#include "ssh/key_kind.h"

#define KEY_BYTES ((size_t)32)
#define SIGNATURE_BYTES ((size_t)64)

int key_ed25519_read_public(struct key *key, struct rd *r, struct err *e)
{
	struct span point = rd_string(r);

	(void)e;
	if (point.n != KEY_BYTES)
		return ERR_PEER;
	key->pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, point.p, point.n);
	return key->pkey ? 0 : ERR_PEER;
}

int key_ed25519_write_public(const struct key *key, struct wr *w)
{
	uint8_t point[KEY_BYTES];
	size_t n = sizeof(point);

	if (EVP_PKEY_get_raw_public_key(key->pkey, point, &n) != 1)
		return ERR_LOCAL;
	wr_string(w, SPAN(point, n));
	return 0;
}

/* The public point, then seed and public point again. */
static int read_private(struct key *key, struct rd *r, struct err *e)
{
	struct span point = rd_string(r), both = rd_string(r);
	uint8_t derived[KEY_BYTES];
	size_t n = sizeof(derived);

	if (point.n != KEY_BYTES || both.n != 2 * KEY_BYTES)
		return ERR_PEER;
	key->pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, both.p, KEY_BYTES);
	if (!key->pkey || EVP_PKEY_get_raw_public_key(key->pkey, derived, &n) != 1)
		return ERR_PEER;
	/* OpenSSL makes the point from the seed; a file that says another would be a key that never logs in. */
	if (!secret_equal(derived, point.p, KEY_BYTES) ||
	    !secret_equal(derived, both.p + KEY_BYTES, KEY_BYTES))
		return err_set(e, ERR_CONFIG,
		    "the key is damaged: its private half does not belong to its public half");
	return 0;
}

bool key_ed25519_verify_bytes(const struct key *key, struct span data, struct span signature)
{
	return signature.n == SIGNATURE_BYTES && key_pkey_verify(key->pkey, NULL, data, signature);
}

static int verify(const struct key *key, struct span algorithm, struct span data, struct rd *r)
{
	struct span signature = rd_string(r);

	(void)algorithm;
	if (rd_end(r) < 0 || !key_ed25519_verify_bytes(key, data, signature))
		return ERR_PEER;
	return 0;
}

static int sign(
    const struct key *key, struct span algorithm, struct span data, struct wr *signature)
{
	size_t mark = wr_mark(signature);

	(void)algorithm;
	if (!key_pkey_sign(key->pkey, NULL, data, signature))
		return ERR_LOCAL;
	wr_end(signature, mark);
	return 0;
}

const struct key_kind key_kind_ed25519 = {
    .type = KEY_ED25519,
    .name = "ssh-ed25519",
    .short_name = "ED25519",
    .algorithms = "ssh-ed25519",
    .read_public = key_ed25519_read_public,
    .read_private = read_private,
    .write_public = key_ed25519_write_public,
    .verify = verify,
    .sign = sign,
};
