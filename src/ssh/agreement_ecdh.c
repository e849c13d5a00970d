#include "ssh/agreement.h"

#include <stdlib.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "base/mem.h"
#include "base/secret.h"
#include "ssh/evp.h"

#define FIELD_SIZE_MAX 66

const struct agreement_curve agreement_p256 = {"P-256", 32};
const struct agreement_curve agreement_p384 = {"P-384", 48};
const struct agreement_curve agreement_p521 = {"P-521", 66};

struct agreement {
	const struct agreement_curve *curve;
	EVP_PKEY *key;
};

static bool ecdh_is_available(const void *parameters)
{
	(void)parameters; /* who has ECDH has these curves */
	return evp_has_key_exchange("ECDH");
}

/* Of a test vector. There is no public half then. */
static EVP_PKEY *key_from_scalar(const struct agreement_curve *curve, struct span scalar)
{
	BIGNUM *number = evp_must_have(BN_bin2bn(scalar.p, (int)scalar.n, NULL));
	OSSL_PARAM_BLD *build = evp_must_have(OSSL_PARAM_BLD_new());
	EVP_PKEY_CTX *ctx = evp_must_have(EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL));
	EVP_PKEY *key = NULL;

	evp_must(OSSL_PARAM_BLD_push_utf8_string(
	    build, OSSL_PKEY_PARAM_GROUP_NAME, curve->openssl_name, 0));
	evp_must(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, number));
	OSSL_PARAM *params = evp_must_have(OSSL_PARAM_BLD_to_param(build));
	evp_must(EVP_PKEY_fromdata_init(ctx));
	evp_must(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params));
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(ctx);
	BN_clear_free(number);
	return key;
}

static struct agreement *ecdh_new(const void *parameters, struct span private_key)
{
	struct agreement *a = NEW(struct agreement);

	a->curve = parameters;
	if (private_key.n)
		a->key = key_from_scalar(a->curve, private_key);
	else
		a->key = evp_must_have(EVP_PKEY_Q_keygen(NULL, NULL, "EC", a->curve->openssl_name));
	return a;
}

static void ecdh_free(struct agreement *a)
{
	EVP_PKEY_free(a->key);
	free(a);
}

static void ecdh_value(struct agreement *a, struct wr *value)
{
	uint8_t *point = NULL;
	size_t n = EVP_PKEY_get1_encoded_public_key(a->key, &point);

	evp_must(n == 1 + 2 * a->curve->field_size);
	wr_bytes(value, point, n);
	OPENSSL_free(point);
}

/* NULL when it is not an uncompressed point (RFC 5656 §4 allows others, nobody sends them) or not on the curve. The curves have
 * cofactor 1, so that a point on the curve is all there is to check; infinity has no such encoding. */
static EVP_PKEY *point_on_curve(const struct agreement *a, struct span point)
{
	if (point.n != 1 + 2 * a->curve->field_size || point.p[0] != POINT_CONVERSION_UNCOMPRESSED)
		return NULL;
	EVP_PKEY *theirs = evp_must_have(EVP_PKEY_new());
	evp_must(EVP_PKEY_copy_parameters(theirs, a->key));
	if (EVP_PKEY_set1_encoded_public_key(theirs, point.p, point.n) == 1)
		return theirs;
	EVP_PKEY_free(theirs);
	return NULL;
}

static bool derive(EVP_PKEY *ours, EVP_PKEY *theirs, uint8_t *secret, size_t size)
{
	EVP_PKEY_CTX *ctx = evp_must_have(EVP_PKEY_CTX_new_from_pkey(NULL, ours, NULL));

	evp_must(EVP_PKEY_derive_init(ctx));
	size_t n = size;
	bool good = EVP_PKEY_derive_set_peer(ctx, theirs) == 1 &&
		    EVP_PKEY_derive(ctx, secret, &n) == 1 && n == size;
	EVP_PKEY_CTX_free(ctx);
	return good;
}

static int ecdh_secret(
    struct agreement *a, struct span peer_value, struct wr *secret, struct err *e)
{
	uint8_t x[FIELD_SIZE_MAX];
	EVP_PKEY *theirs = point_on_curve(a, peer_value);
	bool good = theirs && derive(a->key, theirs, x, a->curve->field_size);

	EVP_PKEY_free(theirs);
	if (good)
		wr_bytes(secret, x, a->curve->field_size);
	secret_wipe(x, sizeof(x));
	if (good)
		return 0;
	evp_forget_errors();
	return err_set(
	    e, ERR_PEER, "a key that is no point of the curve %s", a->curve->openssl_name);
}

static int ecdh_answer(struct agreement *a, struct span client_value, struct wr *value,
    struct wr *secret, struct err *e)
{
	int rc = ecdh_secret(a, client_value, secret, e);

	if (rc == 0)
		ecdh_value(a, value);
	return rc;
}

const struct agreement_kind agreement_ecdh = {
    .new = ecdh_new,
    .free = ecdh_free,
    .client_value = ecdh_value,
    .server_answer = ecdh_answer,
    .client_secret = ecdh_secret,
    .is_available = ecdh_is_available,
};
