/*
 * Inside key*.c and cert.c: what a family of keys can do, as a table of functions. Everybody else uses key.h.
 */
#ifndef ADIT_SSH_KEY_KIND_H
#define ADIT_SSH_KEY_KIND_H

#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "ssh/key.h"

struct key_kind;

struct key {
	const struct key_kind *kind;
	EVP_PKEY *pkey;
	bool is_private;
	struct wr blob;        /* the public one */
	struct wr application; /* of an sk- key: what its hardware signs for ("ssh:") */
};

struct key_kind {
	enum key_type type;
	const char *name;       /* in blobs */
	const char *short_name; /* for people */
	const char *algorithms; /* key_signature_algorithms() */
	const char
	    *curve; /* ECDSA's: RFC 5656's name, OpenSSL's, the hash, the bytes of a coordinate */
	const char *group;
	const char *digest;
	size_t coordinate_bytes;

	/* The fields of a public blob after the type's name, as they stand in certificates too. They set key->pkey. The
	 * reader's error is the caller's to look at: a function that finds it set returns ERR_PEER without words. */
	int (*read_public)(struct key *key, struct rd *r, struct err *e);
	/* The fields of a private key after the type's name; NULL where the private half is hardware's. */
	int (*read_private)(struct key *key, struct rd *r, struct err *e);
	/* Writes those fields of a public blob. */
	int (*write_public)(const struct key *key, struct wr *w);
	/* algorithm is one of algorithms. signature is what follows its name in the signature blob: its string, and
	 * whatever comes behind. */
	int (*verify)(
	    const struct key *key, struct span algorithm, struct span data, struct rd *signature);
	int (*sign)(
	    const struct key *key, struct span algorithm, struct span data, struct wr *signature);
};

extern const struct key_kind key_kind_ed25519;
extern const struct key_kind key_kind_ecdsa_p256;
extern const struct key_kind key_kind_ecdsa_p384;
extern const struct key_kind key_kind_ecdsa_p521;
extern const struct key_kind key_kind_rsa;
extern const struct key_kind key_kind_sk_ed25519;
extern const struct key_kind key_kind_sk_ecdsa_p256;

const struct key_kind *key_kind_find(struct span name); /* NULL: unknown */
/* A key without anything but its kind. */
struct key *key_new(const struct key_kind *kind);
/* Reads the public fields of a kind and writes the plain blob: what a key blob and a certificate share. NULL and ERR_PEER. */
struct key *key_read_public(const struct key_kind *kind, struct rd *r, struct err *e);

/* What families share. */

/* An EVP_PKEY of numbers; takes build (wiped: it may hold private ones). NULL: they make no key. */
EVP_PKEY *key_pkey_from_numbers(const char *algorithm, OSSL_PARAM_BLD *build, int selection);
/* digest is a name, or NULL for Ed25519. */
bool key_pkey_verify(EVP_PKEY *pkey, const char *digest, struct span data, struct span signature);
bool key_pkey_sign(EVP_PKEY *pkey, const char *digest, struct span data, struct wr *signature);

/* sk- keys are the plain ones with an application behind, and sign something else. */
int key_ed25519_read_public(struct key *key, struct rd *r, struct err *e);
int key_ed25519_write_public(const struct key *key, struct wr *w);
bool key_ed25519_verify_bytes(const struct key *key, struct span data, struct span signature);
int key_ecdsa_read_public(struct key *key, struct rd *r, struct err *e);
int key_ecdsa_write_public(const struct key *key, struct wr *w);
bool key_ecdsa_verify_numbers(const struct key *key, struct span data, struct span signature);

#endif
