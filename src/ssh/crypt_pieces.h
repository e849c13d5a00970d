/*
 * A text that lies in pieces, run through a stream mode of EVP into one place.
 */
#ifndef ADIT_SSH_CRYPT_PIECES_H
#define ADIT_SSH_CRYPT_PIECES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <openssl/evp.h>

/* Returns how many bytes out got: as many as the pieces have together. */
size_t crypt_pieces(EVP_CIPHER_CTX *ctx, const struct iovec *pieces, size_t count, uint8_t *out);

#endif
