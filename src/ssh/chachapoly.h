/*
 * chacha20-poly1305@openssh.com (PROTOCOL.chacha20poly1305). Not RFC 8439's AEAD: the length has a key of its own, the nonce is
 * the sequence number, and Poly1305 is over the bytes of the wire with neither padding nor lengths.
 */
#ifndef ADIT_SSH_CHACHAPOLY_H
#define ADIT_SSH_CHACHAPOLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define CHACHAPOLY_KEY_SIZE 64
#define CHACHAPOLY_TAG_SIZE 16

bool chachapoly_is_available(void); /* OpenSSL can be built without */

struct chachapoly;
struct chachapoly *chachapoly_new(const uint8_t key[CHACHAPOLY_KEY_SIZE]);
void chachapoly_free(struct chachapoly *c); /* NULL is legal; wipes */

/* As cipher_seal_aead() and its neighbours. */
void chachapoly_seal(struct chachapoly *c, uint32_t sequence, const uint8_t length_field[4],
    uint8_t out_length[4], const struct iovec *pieces, size_t count, uint8_t *out,
    uint8_t tag[CHACHAPOLY_TAG_SIZE]);
uint32_t chachapoly_peek_length(
    struct chachapoly *c, uint32_t sequence, const uint8_t wire_length[4]);
/* False when the tag is not that of these bytes; then out is untouched. */
bool chachapoly_open(struct chachapoly *c, uint32_t sequence, const uint8_t wire_length[4],
    const struct iovec *pieces, size_t count, uint8_t *out, const uint8_t tag[CHACHAPOLY_TAG_SIZE]);

#endif
