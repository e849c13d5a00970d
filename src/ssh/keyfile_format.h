/*
 * Inside keyfile*.c: the formats, each given the whole text of a file. Errors have no name in front: keyfile.c adds it.
 */
#ifndef ADIT_SSH_KEYFILE_FORMAT_H
#define ADIT_SSH_KEYFILE_FORMAT_H

#include <stdatomic.h>

#include "base/secret.h"
#include "ssh/key.h"

#define KEYFILE_OPENSSH_BEGIN "-----BEGIN OPENSSH PRIVATE KEY-----"

/* stop as bcrypt_pbkdf() has it. */
struct key *keyfile_parse_openssh(struct span text, const struct secret *passphrase,
    const atomic_bool *stop, char **ret_comment, struct err *e);
/* The public key that stands in the clear before the private one. */
struct key *keyfile_parse_openssh_public(struct span text);
/* "RSA PRIVATE KEY", "EC PRIVATE KEY" (RFC 7468's elders), PKCS#8 "PRIVATE KEY" and "ENCRYPTED PRIVATE KEY". */
struct key *keyfile_parse_pem(struct span text, const struct secret *passphrase, struct err *e);

/* Encrypted, and no passphrase was given. */
void keyfile_needs_passphrase(struct err *e);

#endif
