/*
 * Ciphers: a constant table, and one context a direction that lives as long as its key. Fetched from OpenSSL once.
 */
#ifndef ADIT_SSH_CIPHER_H
#define ADIT_SSH_CIPHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"
#include "base/wire.h"

enum cipher_mode {
	CIPHER_CTR, /* encrypts all of the packet; integrity is the MAC's (RFC 4344) */
	CIPHER_GCM, /* length in the clear and authenticated (RFC 5647, draft-miller-sshm-aes-gcm) */
	CIPHER_CHACHAPOLY /* length encrypted by a key of its own (PROTOCOL.chacha20poly1305) */
};

struct cipher_info {
	const char *name;
	const char *openssl_name;
	enum cipher_mode mode;
	size_t block_size; /* of the padding rule: 16, chacha20-poly1305 8 */
	size_t key_size;
	size_t iv_size;  /* 0 for chacha20-poly1305 */
	size_t tag_size; /* 0 for CTR: then there is a MAC */
	/* What one key may be used for (RFC 4344 §3): sequence numbers must not come again, nor blocks. */
	uint64_t max_bytes;
	uint64_t max_packets;
};

#define CIPHER_KEY_SIZE_MAX 64
#define CIPHER_IV_SIZE_MAX 16
#define CIPHER_TAG_SIZE_MAX 16
#define CIPHER_PACKETS_MAX ((uint64_t)1 << 31)

const struct cipher_info *cipher_find(
    struct span name); /* NULL: unknown, or OpenSSL does not have it */
const struct cipher_info *cipher_at(
    size_t index); /* NULL after the last; OpenSSL may not have it */

/* Sealing and opening differ for GCM; for a stream cipher they are the same. */
enum cipher_direction { CIPHER_SEAL, CIPHER_OPEN };
struct cipher;

/* key and iv are of the sizes that info says, borrowed. info comes from cipher_find(). Never NULL. */
struct cipher *cipher_new(const struct cipher_info *info, enum cipher_direction direction,
    const uint8_t *key, const uint8_t *iv);
void cipher_free(struct cipher *cipher); /* NULL is legal; wipes */

/* ---- AEAD: one packet a call. The pieces are the text after the length field, one after another; out gets as many bytes as
 * all pieces have together, and overlaps none of them. ---- */

/* length_field are the packet's first 4 bytes in the clear; out_length gets what goes over the wire for them. */
void cipher_seal_aead(struct cipher *cipher, uint32_t sequence, const uint8_t length_field[4],
    uint8_t out_length[4], const struct iovec *pieces, size_t count, uint8_t *out, uint8_t *tag);
/* The packet length from its first 4 bytes on the wire. Not authenticated yet: check its range. */
uint32_t cipher_peek_length(struct cipher *cipher, uint32_t sequence, const uint8_t wire_length[4]);
/* 0; or ERR_PEER when the packet was forged or damaged, and then nothing of it is in out. */
int cipher_open_aead(struct cipher *cipher, uint32_t sequence, const uint8_t wire_length[4],
    const struct iovec *pieces, size_t count, uint8_t *out, const uint8_t *tag) MUST_CHECK;

/* ---- CTR: the counter goes on from call to call ---- */
void cipher_ctr(struct cipher *cipher, const struct iovec *pieces, size_t count, uint8_t *out);

#endif
