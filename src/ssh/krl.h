/*
 * Key revocation lists (PROTOCOL.krl). A list is checked once and then asked as it is, by walking its bytes: it is asked once a
 * key exchange.
 */
#ifndef ADIT_SSH_KRL_H
#define ADIT_SSH_KRL_H

#include "ssh/cert.h"

bool krl_is_krl(struct span text); /* by its magic */

/* 0, or ERR_CONFIG: not understood whole. Sections of unknown kinds, critical extensions, wrong signatures and what cannot be
 * are errors: a list of which a part is not understood revokes who knows what. A signature must be right; who made it is
 * not asked, as OpenSSH does not. */
int krl_check(struct span krl, struct err *e) MUST_CHECK;

/* Does the list, which passed krl_check(), revoke the plain key, or the certificate (may be NULL) that was made of it, or the
 * certificate's CA? */
bool krl_revokes(struct span krl, struct span key_blob, const struct cert *cert);

#endif
