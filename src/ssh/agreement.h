/*
 * Agreeing on a secret, without a word of SSH about it: Diffie-Hellman in a group or on a curve, a key encapsulation, both
 * together. The client's side makes a value, the server's side answers with one, and then both have the secret. Each is used once.
 */
#ifndef ADIT_SSH_AGREEMENT_H
#define ADIT_SSH_AGREEMENT_H

#include <stdbool.h>

#include "base/err.h"
#include "base/wire.h"

struct agreement;

/* One kind; parameters are what tells its variants apart. */
struct agreement_kind {
	/* private_key is empty, but for tests of known answers, which give one. */
	struct agreement *(*new)(const void *parameters, struct span private_key);
	void (*free)(struct agreement *a); /* wipes */
	/* Appends the client's value. */
	void (*client_value)(struct agreement *a, struct wr *value);
	/* Server: appends its value and the secret. ERR_PEER when client_value cannot be right; then nothing is appended. */
	int (*server_answer)(struct agreement *a, struct span client_value, struct wr *value,
	    struct wr *secret, struct err *e);
	/* Client: appends the secret. ERR_PEER as above. */
	int (*client_secret)(
	    struct agreement *a, struct span server_value, struct wr *secret, struct err *e);
	/* NULL: always. */
	bool (*is_available)(const void *parameters);
};

/* X25519 (RFC 7748, RFC 8731): no parameters. Values and secrets have 32 bytes; the secret is not yet an mpint. */
extern const struct agreement_kind agreement_x25519;

/* ECDH (RFC 5656 §4): values are uncompressed points, the secret is x, as long as the curve's field. */
struct agreement_curve {
	const char *openssl_name;
	size_t field_size; /* bytes */
};
extern const struct agreement_kind agreement_ecdh;
extern const struct agreement_curve agreement_p256, agreement_p384, agreement_p521;

/* Diffie-Hellman modulo a prime (RFC 4253 §8): values and the secret are magnitudes. */
struct agreement_group {
	unsigned
	    bits; /* 2048, 4096, 8192: the groups 14, 16, 18 of RFC 3526; 0: those that follow */
	struct span prime; /* borrowed */
	struct span generator;
};
extern const struct agreement_kind agreement_dh;
extern const struct agreement_group agreement_group14, agreement_group16, agreement_group18;
/* For a server: the least of the three that has as many bits as wanted, within the limits; NULL when there is none. */
const struct agreement_group *agreement_group_for(unsigned min, unsigned wanted, unsigned max);
void agreement_group_write(
    const struct agreement_group *group, struct wr *w); /* mpint p, mpint g */
/* Bits of a prime that are accepted. */
#define AGREEMENT_PRIME_BITS_MIN 2048
#define AGREEMENT_PRIME_BITS_MAX 8192
/* Is that a group one can use? 0 or ERR_PEER. */
int agreement_group_check(struct span prime, struct span generator, struct err *e) MUST_CHECK;

/* A key encapsulation and a classical agreement, so that both must be broken: values stand one behind the other, the
 * encapsulation first; the secret is the digest over both secrets (draft-ietf-sshm-mlkem-hybrid-kex, RFC 9941). */
struct agreement_kem {
	const char *name;
	size_t public_size, ciphertext_size, secret_size;
	bool (*is_available)(void);
	/* A key pair. */
	void *(*new_key)(uint8_t *public);
	void (*free_key)(void *key);
	/* False when public is not a public key. */
	bool (*encapsulate)(const uint8_t *public, uint8_t *ciphertext, uint8_t *secret);
	bool (*decapsulate)(void *key, const uint8_t *ciphertext, uint8_t *secret);
};
extern const struct agreement_kem kem_mlkem768, kem_sntrup761;

struct agreement_hybrid {
	const struct agreement_kem *kem;
	const struct agreement_kind *classical;
	const void *classical_parameters;
	size_t classical_size; /* of a value */
	const char *digest;
};
extern const struct agreement_kind agreement_hybrid;

#endif
