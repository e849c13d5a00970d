/*
 * Does the server have the host key that it shows? (Whether it is the right one is hostkey.h's to say.)
 */
#ifndef ADIT_SSH_KEX_HOST_KEY_H
#define ADIT_SSH_KEX_HOST_KEY_H

#include "base/err.h"
#include "base/wire.h"

/* Checks signature over the exchange hash with the key, or the certificate's key, in blob, which must be of the algorithm that
 * was agreed on. 0 or ERR_PEER. */
int kex_check_host_key(struct span algorithm, struct span blob, struct span signature,
    struct span hash, struct err *e) MUST_CHECK;

#endif
