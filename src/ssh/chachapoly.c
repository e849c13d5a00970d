#include "ssh/chachapoly.h"

#include <stdlib.h>

#include <openssl/evp.h>

#include "base/mem.h"
#include "base/secret.h"
#include "base/wire.h"
#include "ssh/crypt_pieces.h"
#include "ssh/evp.h"

#define KEY_SIZE 32
#define BLOCK_SIZE 64

struct chachapoly {
	EVP_CIPHER_CTX *
	    text; /* K_2, the first half of the key: block 0 keys Poly1305, the text begins with block 1 */
	EVP_CIPHER_CTX *length; /* K_1, the second half */
	EVP_MAC_CTX *poly1305;
};

static EVP_CIPHER *chacha20(void)
{
	static EVP_CIPHER *fetched;

	if (!fetched)
		fetched = EVP_CIPHER_fetch(NULL, "ChaCha20", NULL);
	return fetched;
}

static EVP_MAC *poly1305(void)
{
	static EVP_MAC *fetched;

	if (!fetched)
		fetched = EVP_MAC_fetch(NULL, "POLY1305", NULL);
	return fetched;
}

bool chachapoly_is_available(void)
{
	bool available = chacha20() && poly1305();

	evp_forget_errors();
	return available;
}

static EVP_CIPHER_CTX *keyed(const uint8_t key[KEY_SIZE])
{
	EVP_CIPHER_CTX *ctx = evp_must_have(EVP_CIPHER_CTX_new());

	evp_must(EVP_EncryptInit_ex2(ctx, chacha20(), key, NULL, NULL));
	return ctx;
}

struct chachapoly *chachapoly_new(const uint8_t key[CHACHAPOLY_KEY_SIZE])
{
	struct chachapoly *c = NEW(struct chachapoly);

	c->text = keyed(key);
	c->length = keyed(key + KEY_SIZE);
	c->poly1305 = evp_must_have(EVP_MAC_CTX_new(poly1305()));
	return c;
}

void chachapoly_free(struct chachapoly *c)
{
	if (!c)
		return;
	EVP_CIPHER_CTX_free(c->text);
	EVP_CIPHER_CTX_free(c->length);
	EVP_MAC_CTX_free(c->poly1305);
	free(c);
}

/* Begins a packet at block 0. OpenSSL's IV is the block counter, 8 bytes little-endian, and the nonce: the sequence number as a
 * big-endian uint64. */
static void start(EVP_CIPHER_CTX *ctx, uint32_t sequence)
{
	uint8_t iv[16] = {0};

	put_u64(iv + 8, sequence);
	evp_must(EVP_EncryptInit_ex2(ctx, NULL, NULL, iv, NULL));
}

/* The text's block 0 is Poly1305's key; what is crypted after it begins with block 1, so that no second IV is needed. */
static void start_text(struct chachapoly *c, uint32_t sequence)
{
	static const uint8_t zeros[BLOCK_SIZE];
	uint8_t block[BLOCK_SIZE];
	int n;

	start(c->text, sequence);
	evp_must(EVP_EncryptUpdate(c->text, block, &n, zeros, sizeof(zeros)));
	evp_must(EVP_MAC_init(c->poly1305, block, KEY_SIZE, NULL));
	secret_wipe(block, sizeof(block));
}

static void crypt_length(
    struct chachapoly *c, uint32_t sequence, const uint8_t in[4], uint8_t out[4])
{
	int n;

	start(c->length, sequence);
	evp_must(EVP_EncryptUpdate(c->length, out, &n, in, 4));
}

static void finish_tag(struct chachapoly *c, uint8_t tag[CHACHAPOLY_TAG_SIZE])
{
	size_t n;

	evp_must(EVP_MAC_final(c->poly1305, tag, &n, CHACHAPOLY_TAG_SIZE));
}

void chachapoly_seal(struct chachapoly *c, uint32_t sequence, const uint8_t length_field[4],
    uint8_t out_length[4], const struct iovec *pieces, size_t count, uint8_t *out,
    uint8_t tag[CHACHAPOLY_TAG_SIZE])
{
	crypt_length(c, sequence, length_field, out_length);
	start_text(c, sequence);
	size_t n = crypt_pieces(c->text, pieces, count, out);
	evp_must(EVP_MAC_update(c->poly1305, out_length, 4));
	evp_must(EVP_MAC_update(c->poly1305, out, n));
	finish_tag(c, tag);
}

uint32_t chachapoly_peek_length(
    struct chachapoly *c, uint32_t sequence, const uint8_t wire_length[4])
{
	uint8_t length_field[4];

	crypt_length(c, sequence, wire_length, length_field);
	return get_u32(length_field);
}

bool chachapoly_open(struct chachapoly *c, uint32_t sequence, const uint8_t wire_length[4],
    const struct iovec *pieces, size_t count, uint8_t *out, const uint8_t tag[CHACHAPOLY_TAG_SIZE])
{
	uint8_t expected[CHACHAPOLY_TAG_SIZE];

	start_text(c, sequence);
	evp_must(EVP_MAC_update(c->poly1305, wire_length, 4));
	for (size_t i = 0; i < count; i++)
		evp_must(EVP_MAC_update(c->poly1305, pieces[i].iov_base, pieces[i].iov_len));
	finish_tag(c, expected);
	if (!secret_equal(expected, tag, sizeof(expected)))
		return false;
	crypt_pieces(c->text, pieces, count, out);
	return true;
}
