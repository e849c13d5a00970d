/*
 * Streamlined NTRU Prime 761 from libntruprime, where configure found it.
 */
#include "ssh/agreement.h"

#ifdef HAVE_NTRUPRIME

#include <stdlib.h>

#include <ntruprime.h>

#include "base/mem.h"
#include "base/secret.h"

static bool sntrup_is_available(void)
{
	return true;
}

static void *sntrup_new_key(uint8_t *public)
{
	uint8_t *key = mem_alloc(sntrup761_SECRETKEYBYTES);

	sntrup761_keypair(public, key);
	return key;
}

static void sntrup_free_key(void *key)
{
	secret_wipe(key, sntrup761_SECRETKEYBYTES);
	free(key);
}

static bool sntrup_encapsulate(const uint8_t *public, uint8_t *ciphertext, uint8_t *secret)
{
	sntrup761_enc(ciphertext, secret, public);
	return true; /* every string of that length is a public key */
}

/* A ciphertext that was tampered with gives another secret and no error: then the signature will not fit. */
static bool sntrup_decapsulate(void *key, const uint8_t *ciphertext, uint8_t *secret)
{
	sntrup761_dec(secret, ciphertext, key);
	return true;
}

const struct agreement_kem kem_sntrup761 = {
    .name = "sntrup761",
    .public_size = sntrup761_PUBLICKEYBYTES,
    .ciphertext_size = sntrup761_CIPHERTEXTBYTES,
    .secret_size = sntrup761_BYTES,
    .is_available = sntrup_is_available,
    .new_key = sntrup_new_key,
    .free_key = sntrup_free_key,
    .encapsulate = sntrup_encapsulate,
    .decapsulate = sntrup_decapsulate,
};

#else

static bool sntrup_is_available(void)
{
	return false;
}

const struct agreement_kem kem_sntrup761 = {
    .name = "sntrup761",
    .is_available = sntrup_is_available,
};

#endif
