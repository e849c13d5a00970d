/*
 * The names: what each direction and the key exchange can use, in order of preference, and what two peers agree on
 * (RFC 4253 §7.1). Names are OpenSSH's and the RFCs'.
 */
#ifndef ADIT_SSH_ALGORITHMS_H
#define ADIT_SSH_ALGORITHMS_H

#include "base/err.h"
#include "base/wire.h"

enum algorithm_kind { ALGORITHM_KEX, ALGORITHM_HOST_KEY, ALGORITHM_CIPHER, ALGORITHM_MAC };

/* The default order as a comma-separated list, the best first, of what this machine can do (ML-KEM where OpenSSL has it,
 * AES-GCM first where the processor has AES instructions). Static. */
const char *algorithms_default(enum algorithm_kind kind);
/* All that can be configured here: the defaults and what must be asked for by name (hmac-sha1). Static. */
const char *algorithms_known(enum algorithm_kind kind);
/* 0, or ERR_CONFIG: "unknown cipher "aes256-gmc@openssh.com"; did you mean ...?", or that this machine does not have it. */
int algorithms_check(enum algorithm_kind kind, const char *name, struct err *e) MUST_CHECK;
/* "key exchange", "host key algorithm", "cipher", "MAC": for messages. Static. */
const char *algorithms_kind_name(enum algorithm_kind kind);

/* What to offer: comma-separated lists, kept; NULL for the default. */
struct algorithm_prefs {
	const char *kex;
	const char *host_key;
	const char *ciphers;
	const char *macs;
};

/* The first of client's names that server has too; false when there is none (RFC 4253 §7.1). */
bool algorithms_choose(struct span client, struct span server, struct span *ret_name);

#endif
