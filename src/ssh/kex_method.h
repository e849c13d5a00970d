/*
 * The key exchange methods, a constant table: by name, what kind of agreement, which digest, how its numbers are written.
 */
#ifndef ADIT_SSH_KEX_METHOD_H
#define ADIT_SSH_KEX_METHOD_H

#include <stdbool.h>
#include <stddef.h>

#include "ssh/agreement.h"

/* The messages: a request and an answer, or, before them, which group it shall be (RFC 4419). */
enum kex_dialogue { KEX_TWO_MESSAGES, KEX_GROUP_EXCHANGE };

/* How values and the secret go into messages and hashes. Getting it wrong fails in one exchange of 256 (RFC 8731 §3.1). */
enum kex_encoding {
	KEX_MPINT,                   /* values and secret: Diffie-Hellman (RFC 4253 §8) */
	KEX_STRING_AND_MPINT_SECRET, /* curves (RFC 5656 §4, RFC 8731 §3.1) */
	KEX_STRING                   /* hybrids */
};

struct kex_method {
	const char *name;
	const struct agreement_kind *kind;
	const void *parameters; /* of the agreement; NULL for a group exchange, which makes them */
	const char *digest;     /* OpenSSL's name */
	enum kex_encoding encoding;
	enum kex_dialogue dialogue;
	bool is_post_quantum;
};

const struct kex_method *kex_method_at(size_t index); /* the best first; NULL after the last */
const struct kex_method *kex_method_find(struct span name); /* NULL: unknown or not available */
bool kex_method_is_available(const struct kex_method *method);

#endif
