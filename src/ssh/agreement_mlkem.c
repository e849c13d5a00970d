/*
 * ML-KEM-768 (FIPS 203) from OpenSSL, which has it since 3.5: asked for at run time, so that what was built against an older
 * one uses it when a newer one is there.
 */
#include "ssh/agreement.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "ssh/evp.h"

#define NAME "ML-KEM-768"
#define PUBLIC_SIZE 1184
#define CIPHERTEXT_SIZE 1088
#define SECRET_SIZE 32

static bool mlkem_is_available(void)
{
	static enum { UNKNOWN, NO, YES } known;

	if (known == UNKNOWN) {
		EVP_KEM *kem = EVP_KEM_fetch(NULL, NAME, NULL);

		known = kem ? YES : NO;
		EVP_KEM_free(kem);
		evp_forget_errors();
	}
	return known == YES;
}

static void *mlkem_new_key(uint8_t *public)
{
	EVP_PKEY_CTX *ctx = evp_must_have(EVP_PKEY_CTX_new_from_name(NULL, NAME, NULL));
	EVP_PKEY *key = NULL;
	size_t n;

	evp_must(EVP_PKEY_keygen_init(ctx));
	evp_must(EVP_PKEY_generate(ctx, &key));
	EVP_PKEY_CTX_free(ctx);
	evp_must(
	    EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, public, PUBLIC_SIZE, &n));
	evp_must(n == PUBLIC_SIZE);
	return key;
}

static void mlkem_free_key(void *key)
{
	EVP_PKEY_free(key);
}

/* NULL when its coefficients are not reduced (FIPS 203 §7.2). */
static EVP_PKEY *public_key(const uint8_t *public)
{
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)public, PUBLIC_SIZE),
	    OSSL_PARAM_construct_end()};
	EVP_PKEY_CTX *ctx = evp_must_have(EVP_PKEY_CTX_new_from_name(NULL, NAME, NULL));
	EVP_PKEY *key = NULL;

	evp_must(EVP_PKEY_fromdata_init(ctx));
	if (EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		evp_forget_errors();
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static bool mlkem_encapsulate(const uint8_t *public, uint8_t *ciphertext, uint8_t *secret)
{
	EVP_PKEY *key = public_key(public);
	size_t ciphertext_size = CIPHERTEXT_SIZE;
	size_t secret_size = SECRET_SIZE;

	if (!key)
		return false;
	EVP_PKEY_CTX *ctx = evp_must_have(EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL));
	evp_must(EVP_PKEY_encapsulate_init(ctx, NULL));
	evp_must(EVP_PKEY_encapsulate(ctx, ciphertext, &ciphertext_size, secret, &secret_size));
	evp_must(ciphertext_size == CIPHERTEXT_SIZE && secret_size == SECRET_SIZE);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(key);
	return true;
}

/* A ciphertext that was tampered with gives another secret and no error (FIPS 203 §6.3): then the signature will not fit. */
static bool mlkem_decapsulate(void *key, const uint8_t *ciphertext, uint8_t *secret)
{
	EVP_PKEY_CTX *ctx = evp_must_have(EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL));
	size_t n = SECRET_SIZE;

	evp_must(EVP_PKEY_decapsulate_init(ctx, NULL));
	bool good = EVP_PKEY_decapsulate(ctx, secret, &n, ciphertext, CIPHERTEXT_SIZE) == 1 &&
		    n == SECRET_SIZE;
	EVP_PKEY_CTX_free(ctx);
	if (!good)
		evp_forget_errors();
	return good;
}

const struct agreement_kem kem_mlkem768 = {
    .name = NAME,
    .public_size = PUBLIC_SIZE,
    .ciphertext_size = CIPHERTEXT_SIZE,
    .secret_size = SECRET_SIZE,
    .is_available = mlkem_is_available,
    .new_key = mlkem_new_key,
    .free_key = mlkem_free_key,
    .encapsulate = mlkem_encapsulate,
    .decapsulate = mlkem_decapsulate,
};
