#include "ssh/agreement.h"

#include <stdlib.h>

#include <openssl/evp.h>

#include "base/mem.h"
#include "base/random.h"
#include "base/secret.h"
#include "ssh/evp.h"

#define X25519_SIZE 32

struct agreement {
	EVP_PKEY *key;
};

static bool x25519_is_available(const void *parameters)
{
	(void)parameters;
	return evp_has_key_exchange("X25519");
}

static struct agreement *x25519_new(const void *parameters, struct span private_key)
{
	struct agreement *a = NEW(struct agreement);
	uint8_t scalar[X25519_SIZE];

	(void)parameters;
	if (private_key.n == 0) {
		random_key_bytes(scalar, sizeof(scalar));
		private_key = SPAN(scalar, sizeof(scalar));
	}
	a->key = evp_must_have(
	    EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, private_key.p, private_key.n));
	secret_wipe(scalar, sizeof(scalar));
	return a;
}

static void x25519_free(struct agreement *a)
{
	EVP_PKEY_free(a->key);
	free(a);
}

static void x25519_value(struct agreement *a, struct wr *value)
{
	uint8_t public[X25519_SIZE];
	size_t n = sizeof(public);

	evp_must(EVP_PKEY_get_raw_public_key(a->key, public, &n));
	wr_bytes(value, public, n);
}

/* False when the peer's value is of small order, so that the result is all zeros whatever our key is. OpenSSL says so too; it is
 * looked at here because RFC 8731 §3 wants it, not because OpenSSL happens to. */
static bool derive(EVP_PKEY *ours, EVP_PKEY *theirs, uint8_t secret[X25519_SIZE])
{
	static const uint8_t zeros[X25519_SIZE];
	EVP_PKEY_CTX *ctx = evp_must_have(EVP_PKEY_CTX_new_from_pkey(NULL, ours, NULL));
	size_t n = X25519_SIZE;

	evp_must(EVP_PKEY_derive_init(ctx));
	bool good = EVP_PKEY_derive_set_peer(ctx, theirs) == 1 &&
		    EVP_PKEY_derive(ctx, secret, &n) == 1 && n == X25519_SIZE &&
		    !secret_equal(secret, zeros, sizeof(zeros));
	EVP_PKEY_CTX_free(ctx);
	return good;
}

static int x25519_secret(
    struct agreement *a, struct span peer_value, struct wr *secret, struct err *e)
{
	uint8_t shared[X25519_SIZE];

	if (peer_value.n != X25519_SIZE)
		return err_set(e, ERR_PEER, "a Curve25519 key of %zu bytes", peer_value.n);
	EVP_PKEY *theirs = evp_must_have(
	    EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", NULL, peer_value.p, peer_value.n));
	bool good = derive(a->key, theirs, shared);
	EVP_PKEY_free(theirs);
	if (good)
		wr_bytes(secret, shared, sizeof(shared));
	secret_wipe(shared, sizeof(shared));
	if (good)
		return 0;
	evp_forget_errors();
	return err_set(e, ERR_PEER, "a Curve25519 key of small order");
}

static int x25519_answer(struct agreement *a, struct span client_value, struct wr *value,
    struct wr *secret, struct err *e)
{
	int rc = x25519_secret(a, client_value, secret, e);

	if (rc == 0)
		x25519_value(a, value);
	return rc;
}

const struct agreement_kind agreement_x25519 = {
    .new = x25519_new,
    .free = x25519_free,
    .client_value = x25519_value,
    .server_answer = x25519_answer,
    .client_secret = x25519_secret,
    .is_available = x25519_is_available,
};
