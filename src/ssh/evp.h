/*
 * Small things that everyone needs who calls OpenSSL's EVP.
 */
#ifndef ADIT_SSH_EVP_H
#define ADIT_SSH_EVP_H

#include <stdbool.h>

/* For calls that cannot fail but for want of memory or by a mistake of ours (a key of the wrong size): ends the process when
 * ok is not 1. Never for what depends on bytes of a peer. */
void evp_must(int ok);
/* The same for what returns an object; gives it back. */
void *evp_must_have(void *object);

/* An OpenSSL call failed and the failure was dealt with: empties the thread's error queue, which would else grow. */
void evp_forget_errors(void);

/* Does this OpenSSL have it, as it was built and configured (a FIPS policy leaves things out)? To be asked before something is
 * offered to a peer: evp_must() is for what can be done. */
bool evp_has_key_exchange(const char *name); /* "X25519" */
bool evp_has_signature(const char *name);    /* "ED25519" */
bool evp_has_mac(const char *name);          /* "HMAC" */
bool evp_has_digest(const char *name);       /* "SHA1" */

/* "OpenSSL 3.0.15 3 Sep 2024": of the library that runs, not of the one that was compiled against. Static. */
const char *evp_library_version(void);

#endif
