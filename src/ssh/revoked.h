/*
 * Files of keys that are never accepted: lists of public keys, a line each, and KRLs. A line with a certificate stands for the
 * plain key that is certified.
 */
#ifndef ADIT_SSH_REVOKED_H
#define ADIT_SSH_REVOKED_H

#include "ssh/cert.h"

struct revoked;

/* Reads them all. A file that is missing, cannot be read or not be understood whole is remembered as such, and refuses every key:
 * what it would have said is not known. Blocks. */
struct revoked *revoked_read(const char *const *paths, size_t count);
void revoked_free(struct revoked *revoked); /* NULL is legal */
/* 0, or ERR_HOST_KEY with the file named: the plain key, its certificate (may be NULL) or the certificate's CA is revoked. */
int revoked_check(const struct revoked *revoked, struct span key_blob, const struct cert *cert,
    struct err *e) MUST_CHECK;

#endif
