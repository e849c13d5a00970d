/*
 * Certificates with the fields that a test wants, signed by a CA of its own.
 */
#ifndef ADIT_TESTS_UNIT_SSH_MADE_CERT_H
#define ADIT_TESTS_UNIT_SSH_MADE_CERT_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

#include "ssh/cert.h"

struct made_cert {
	const struct key *key; /* Ed25519 */
	const struct key *ca;  /* Ed25519, private */
	uint64_t serial;
	enum cert_type type;
	const char *key_id;
	const char *principal; /* NULL: none */
	uint64_t valid_before; /* 0: for ever */
};

static inline struct key *make_ed25519(uint8_t seed)
{
	uint8_t bytes[32] = {seed};

	return key_from_pkey(
	    EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, bytes, sizeof(bytes)), NULL);
}

/* The blob; gives. */
static inline struct wr make_cert_blob(const struct made_cert *m)
{
	struct wr w = WR_INIT, signature = WR_INIT;
	struct span key = key_blob(m->key);

	wr_cstring(&w, "ssh-ed25519-cert-v01@openssh.com");
	wr_cstring(&w, "nonce");
	wr_bytes(&w, key.p + 4 + 11, key.n - 4 - 11);
	wr_u64(&w, m->serial);
	wr_u32(&w, m->type);
	wr_cstring(&w, m->key_id ? m->key_id : "");
	size_t mark = wr_mark(&w);
	if (m->principal)
		wr_cstring(&w, m->principal);
	wr_end(&w, mark);
	wr_u64(&w, 0);
	wr_u64(&w, m->valid_before ? m->valid_before : UINT64_MAX);
	wr_cstring(&w, "");
	wr_cstring(&w, "");
	wr_cstring(&w, "");
	wr_string(&w, key_blob(m->ca));
	if (key_sign(m->ca, SPAN_LITERAL("ssh-ed25519"), wr_span(&w), &signature, NULL) == 0)
		wr_string(&w, wr_span(&signature));
	wr_clear(&signature);
	return w;
}

#endif
