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
	CIPHER_CTR,      /* encrypts all of the packet; integrity is the MAC's (RFC 4344) */
	CIPHER_GCM,      /* length in the clear and authenticated; 16-byte tag (RFC 5647, draft-miller-sshm-aes-gcm) */
	CIPHER_CHACHAPOLY /* length encrypted by a key of its own; 16-byte tag (PROTOCOL.chacha20poly1305) */
};

struct cipher_info {
	const char *name;
	enum cipher_mode mode;
	size_t block_size; /* of the padding rule: 16, chacha20-poly1305 8 */
	size_t key_size;
	size_t iv_size; /* 0 for chacha20-poly1305 */
	size_t tag_size; /* 0 for CTR: then there is a MAC */
	uint64_t max_bytes;   /* under one key (RFC 4344 §3.2, design.md) */
	uint64_t max_packets; /* under one key */
};

const struct cipher_info *cipher_find(struct span name); /* NULL: unknown, or OpenSSL does not have it */
const struct cipher_info *cipher_at(size_t index);       /* NULL after the last */

enum cipher_direction { CIPHER_SEAL, CIPHER_OPEN };
struct cipher;

/* key and iv are of the sizes that info says, borrowed. Never NULL: OpenSSL having fetched the cipher, only memory lacks. */
struct cipher *cipher_new(
    const struct cipher_info *info, enum cipher_direction direction, const uint8_t *key, const uint8_t *iv);
void cipher_free(struct cipher *cipher); /* NULL is legal; wipes */
const struct cipher_info *cipher_info(const struct cipher *cipher);

/* One packet: sequence number, then the pieces of the text after the length field, which are encrypted one after another to
 * out (contiguous, as long as all pieces together); out may not overlap them. For AEAD: length_field are the packet's first 4
 * bytes in the clear; out_length gets what goes over the wire for them; the tag goes behind out. */
void cipher_seal_aead(struct cipher *cipher, uint32_t sequence, const uint8_t length_field[4], uint8_t out_length[4],
    const struct iovec *pieces, size_t count, uint8_t *out, uint8_t *tag);
/* The packet length from its first 4 bytes on the wire (not authenticated yet: check its range). */
uint32_t cipher_peek_length(struct cipher *cipher, uint32_t sequence, const uint8_t wire_length[4]);
/* Checks the tag before anything is given out. 0, or ERR_PEER when the packet was forged or damaged. */
int cipher_open_aead(struct cipher *cipher, uint32_t sequence, const uint8_t wire_length[4],
    const struct iovec *pieces, size_t count, uint8_t *out, const uint8_t *tag) MUST_CHECK;
/* CTR: encrypting and decrypting are the same, the counter goes on from packet to packet. out may be in place. */
void cipher_ctr(struct cipher *cipher, const uint8_t *in, size_t n, uint8_t *out);

#endif
