/*
 * bcrypt_pbkdf: the slow hash that makes a key of a passphrase for OpenSSH's key files. It is PBKDF2's frame around a
 * bcrypt over SHA-512; OpenSSL has neither. Blocks for as long as rounds say, some milliseconds each.
 */
#ifndef ADIT_SSH_BCRYPT_PBKDF_H
#define ADIT_SSH_BCRYPT_PBKDF_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/wire.h"

/* ssh-keygen takes 16 or 24 when it is not told; whoever asks for more wants a second, not an hour. */
#define BCRYPT_PBKDF_ROUNDS_MAX 1024
#define BCRYPT_PBKDF_OUTPUT_MAX 1024

/* Fills out. stop, which may be NULL, is looked at between two rounds, for who runs this in a thread: false when it is set by then.
 * False, and out untouched, when there is nothing to hash (no passphrase, no salt) or rounds, the salt (64 KB) or n are
 * out of bounds. */
bool bcrypt_pbkdf(struct span passphrase, struct span salt, uint32_t rounds,
    const atomic_bool *stop, uint8_t *out, size_t n) MUST_CHECK;

#endif
