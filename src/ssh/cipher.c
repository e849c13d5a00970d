#include "ssh/cipher.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "base/mem.h"
#include "base/secret.h"
#include "ssh/chachapoly.h"
#include "ssh/crypt_pieces.h"
#include "ssh/evp.h"

#define GIB ((uint64_t)1 << 30)

/* max_bytes: 2^32 blocks of AES, 2^(L/4) with L = 128 bits (RFC 4344 §3.2). ChaCha20 has no such limit in itself; 1 GiB is what
 * OpenSSH keeps to for it. */
#define AES(name, openssl_name, mode, key_size, iv_size, tag_size) \
	{ \
		name, openssl_name, mode, 16, key_size, iv_size, tag_size, 64 * GIB, \
		    CIPHER_PACKETS_MAX \
	}

static const struct cipher_info table[] = {
    AES("aes128-gcm@openssh.com", "AES-128-GCM", CIPHER_GCM, 16, 12, 16),
    AES("aes256-gcm@openssh.com", "AES-256-GCM", CIPHER_GCM, 32, 12, 16),
    {"chacha20-poly1305@openssh.com", "ChaCha20", CIPHER_CHACHAPOLY, 8, CHACHAPOLY_KEY_SIZE, 0,
	CHACHAPOLY_TAG_SIZE, GIB, CIPHER_PACKETS_MAX},
    AES("aes128-ctr", "AES-128-CTR", CIPHER_CTR, 16, 16, 0),
    AES("aes192-ctr", "AES-192-CTR", CIPHER_CTR, 24, 16, 0),
    AES("aes256-ctr", "AES-256-CTR", CIPHER_CTR, 32, 16, 0),
};

struct cipher {
	const struct cipher_info *info;
	struct chachapoly *chachapoly; /* CIPHER_CHACHAPOLY */
	EVP_CIPHER_CTX *ctx;           /* the others */
	uint8_t iv[12]; /* GCM's, of the next packet: 4 bytes that stay, an 8-byte counter */
};

static EVP_CIPHER *fetch(const struct cipher_info *info)
{
	static EVP_CIPHER *fetched[ARRAY_LEN(table)];
	EVP_CIPHER **slot = &fetched[info - table];

	if (!*slot)
		*slot = EVP_CIPHER_fetch(NULL, info->openssl_name, NULL);
	if (!*slot)
		evp_forget_errors();
	return *slot;
}

static bool is_available(const struct cipher_info *info)
{
	return info->mode == CIPHER_CHACHAPOLY ? chachapoly_is_available() : fetch(info) != NULL;
}

const struct cipher_info *cipher_at(size_t index)
{
	return index < ARRAY_LEN(table) ? &table[index] : NULL;
}

const struct cipher_info *cipher_find(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (span_is(name, table[i].name))
			return is_available(&table[i]) ? &table[i] : NULL;
	return NULL;
}

struct cipher *cipher_new(const struct cipher_info *info, enum cipher_direction direction,
    const uint8_t *key, const uint8_t *iv)
{
	struct cipher *cipher = NEW(struct cipher);

	cipher->info = info;
	if (info->mode == CIPHER_CHACHAPOLY) {
		cipher->chachapoly = chachapoly_new(key);
		return cipher;
	}
	if (info->mode == CIPHER_GCM)
		memcpy(cipher->iv, iv, sizeof(cipher->iv));
	cipher->ctx = evp_must_have(EVP_CIPHER_CTX_new());
	evp_must(EVP_CipherInit_ex2(
	    cipher->ctx, fetch(info), key, iv, direction == CIPHER_SEAL ? 1 : 0, NULL));
	return cipher;
}

void cipher_free(struct cipher *cipher)
{
	if (!cipher)
		return;
	chachapoly_free(cipher->chachapoly);
	EVP_CIPHER_CTX_free(cipher->ctx);
	secret_wipe(cipher, sizeof(*cipher));
	free(cipher);
}

void cipher_ctr(struct cipher *cipher, const struct iovec *pieces, size_t count, uint8_t *out)
{
	assert(cipher->info->mode == CIPHER_CTR);
	crypt_pieces(cipher->ctx, pieces, count, out);
}

/* ---- GCM ---- */

/* The invocation counter counts packets of this key, whatever the sequence number does (RFC 5647 §7.1). */
static void gcm_next_iv(struct cipher *cipher)
{
	put_u64(cipher->iv + 4, get_u64(cipher->iv + 4) + 1);
}

static void gcm_start(struct cipher *cipher, const uint8_t length_field[4])
{
	int n;

	evp_must(EVP_CipherInit_ex2(cipher->ctx, NULL, NULL, cipher->iv, -1, NULL));
	evp_must(EVP_CipherUpdate(cipher->ctx, NULL, &n, length_field, 4));
	gcm_next_iv(cipher);
}

/* Straight to the parameter: EVP_CIPHER_CTX_ctrl() would look it up once more, a seventh of a small packet's time. */
static void gcm_get_tag(struct cipher *cipher, uint8_t *tag)
{
	OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(
				   OSSL_CIPHER_PARAM_AEAD_TAG, tag, cipher->info->tag_size),
	    OSSL_PARAM_construct_end()};

	evp_must(EVP_CIPHER_CTX_get_params(cipher->ctx, params));
}

static void gcm_set_tag(struct cipher *cipher, const uint8_t *tag)
{
	OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG,
				   (uint8_t *)tag, cipher->info->tag_size),
	    OSSL_PARAM_construct_end()};

	evp_must(EVP_CIPHER_CTX_set_params(cipher->ctx, params));
}

static void gcm_seal(struct cipher *cipher, const uint8_t length_field[4], uint8_t out_length[4],
    const struct iovec *pieces, size_t count, uint8_t *out, uint8_t *tag)
{
	int rest;

	gcm_start(cipher, length_field);
	memcpy(out_length, length_field, 4);
	crypt_pieces(cipher->ctx, pieces, count, out);
	evp_must(EVP_CipherFinal_ex(cipher->ctx, tag, &rest));
	gcm_get_tag(cipher, tag);
}

static bool gcm_open(struct cipher *cipher, const uint8_t wire_length[4],
    const struct iovec *pieces, size_t count, uint8_t *out, const uint8_t *tag)
{
	uint8_t nothing[16];
	int rest;

	gcm_start(cipher, wire_length);
	gcm_set_tag(cipher, tag);
	size_t n = crypt_pieces(cipher->ctx, pieces, count, out);
	if (EVP_CipherFinal_ex(cipher->ctx, nothing, &rest) == 1)
		return true;
	evp_forget_errors();
	secret_wipe(out, n);
	return false;
}

/* ---- AEAD ---- */

void cipher_seal_aead(struct cipher *cipher, uint32_t sequence, const uint8_t length_field[4],
    uint8_t out_length[4], const struct iovec *pieces, size_t count, uint8_t *out, uint8_t *tag)
{
	assert(cipher->info->mode != CIPHER_CTR);
	if (cipher->info->mode == CIPHER_GCM)
		gcm_seal(cipher, length_field, out_length, pieces, count, out, tag);
	else
		chachapoly_seal(cipher->chachapoly, sequence, length_field, out_length, pieces,
		    count, out, tag);
}

uint32_t cipher_peek_length(struct cipher *cipher, uint32_t sequence, const uint8_t wire_length[4])
{
	assert(cipher->info->mode != CIPHER_CTR);
	if (cipher->info->mode == CIPHER_GCM)
		return get_u32(wire_length);
	return chachapoly_peek_length(cipher->chachapoly, sequence, wire_length);
}

int cipher_open_aead(struct cipher *cipher, uint32_t sequence, const uint8_t wire_length[4],
    const struct iovec *pieces, size_t count, uint8_t *out, const uint8_t *tag)
{
	bool genuine;

	assert(cipher->info->mode != CIPHER_CTR);
	if (cipher->info->mode == CIPHER_GCM)
		genuine = gcm_open(cipher, wire_length, pieces, count, out, tag);
	else
		genuine = chachapoly_open(
		    cipher->chachapoly, sequence, wire_length, pieces, count, out, tag);
	return genuine ? 0 : ERR_PEER;
}
