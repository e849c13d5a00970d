/*
 * OpenSSH certificates (PROTOCOL.certkeys), of users and of hosts.
 */
#ifndef ADIT_SSH_CERT_H
#define ADIT_SSH_CERT_H

#include <time.h>

#include "ssh/key.h"

enum cert_type { CERT_USER = 1, CERT_HOST = 2 };

struct cert;

/* Parses and checks the signature, nothing else. NULL and ERR_PEER. */
struct cert *cert_from_blob(struct span blob, struct err *e);
struct cert *cert_copy(const struct cert *cert);
void cert_free(struct cert *cert); /* NULL is legal */
/* By its type name, also of a type that we do not have. */
bool cert_blob_is_cert(struct span blob);
/* Appends the blob of the key that a certificate's blob is about, whoever signed it and how: for lists of what is not trusted.
 * 0 or ERR_PEER. */
int cert_plain_blob(struct span blob, struct wr *out, struct err *e) MUST_CHECK;
/* For such a list, the plain blob of a line's key: who names a certificate means its key, which might be shown without it. 0 and
 * ret_blob (gives), or e: ERR_CONFIG when the line has no public key, ERR_PEER. */
int cert_plain_blob_of_line(struct span line, struct wr *ret_blob, struct err *e) MUST_CHECK;

const struct key *cert_key(const struct cert *cert); /* what is certified */
struct span cert_blob(const struct cert *cert);
struct span cert_ca(const struct cert *cert); /* the blob of the key that signed */
enum cert_type cert_type(const struct cert *cert);
const char *cert_key_id(const struct cert *cert); /* escaped where it is printed, not here */
uint64_t cert_serial(const struct cert *cert);
uint64_t cert_valid_before(const struct cert *cert); /* UINT64_MAX: for ever */

/* Is it valid at that moment? 0, or ERR_CONFIG with the dates in words. */
int cert_check_dates(const struct cert *cert, time_t now, struct err *e) MUST_CHECK;
/* Everything a host certificate must be, except that its CA is trusted: type host, dates, a principal that matches name
 * (patterns), no critical option (there is none for hosts that we know), at least one principal. 0 or ERR_HOST_KEY. */
int cert_check_host(
    const struct cert *cert, const char *name, time_t now, struct err *e) MUST_CHECK;

/* "id_ed25519-cert.pub": a line "type base64 comment", empty lines and "#" comments before it. NULL and ERR_CONFIG, the path
 * named: no file, no certificate, not a user's, damaged. The dates are for the caller. Blocks. */
struct cert *cert_read(const char *path, struct err *e);
/* The signature algorithm's certificate name and back: "rsa-sha2-512" and "rsa-sha2-512-cert-v01@openssh.com". Static; NULL:
 * there is none. */
const char *cert_algorithm_for(const char *plain_algorithm);
const char *cert_algorithm_plain(struct span cert_algorithm);
/* The type in the blob of such a certificate: "ssh-rsa-cert-v01@openssh.com" for the above. Static; NULL: it is no
 * certificate's. */
const char *cert_type_for(struct span cert_algorithm);

#endif
