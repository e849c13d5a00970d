/*
 * Keys: public ones from the wire, private ones to sign with, and the bytes of both kinds (RFC 4253 §6.6, RFC 5656 §3.1, RFC
 * 8709, RFC 8332, PROTOCOL.u2f). A key is immutable once made.
 */
#ifndef ADIT_SSH_KEY_H
#define ADIT_SSH_KEY_H

#include <stdbool.h>

#include "base/err.h"
#include "base/wire.h"

enum key_type {
	KEY_ED25519,
	KEY_ECDSA_P256,
	KEY_ECDSA_P384,
	KEY_ECDSA_P521,
	KEY_RSA,
	KEY_SK_ED25519,   /* sk-ssh-ed25519@openssh.com: verify, and sign through an agent */
	KEY_SK_ECDSA_P256 /* sk-ecdsa-sha2-nistp256@openssh.com */
};
#define KEY_RSA_BITS_MIN 2048
#define KEY_RSA_BITS_MAX 16384

struct key;

/* From a public key blob (not a certificate's: cert.h). NULL and ERR_PEER: unknown type, malformed,
 * an off-curve point, RSA below 2,048 bits. */
struct key *key_from_blob(struct span blob, struct err *e);
void key_free(struct key *key); /* NULL is legal; wipes */
enum key_type key_type(const struct key *key);
/* "ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa", ...: the name in the blob. Static. */
const char *key_type_name(const struct key *key);
/* "ED25519", "ECDSA", "RSA": as ssh prints it. Static. */
const char *key_short_name(const struct key *key);
struct span key_blob(const struct key *key); /* as long as the key */
bool key_is_private(const struct key *key);
struct key *key_copy(const struct key *key); /* with its private half, if it has one */

/* "SHA256:..." of a blob, base64 without padding; gives. */
char *key_fingerprint(struct span blob);
/* The type name that a blob begins with; an empty span when there is none. */
struct span key_blob_type(struct span blob);
/* Do we know the name as a key's type in a blob (certificates' not)? */
bool key_type_is_known(struct span name);

/* Does signature (its whole blob) come from key over data, made with exactly this algorithm
 * ("rsa-sha2-512", "ssh-ed25519", "ecdsa-sha2-nistp256", ...; no certificate's name)? 0 or ERR_PEER.
 * SHA-1 never verifies. */
int key_verify(const struct key *key, struct span algorithm, struct span data,
    struct span signature, struct err *e) MUST_CHECK;
/* Appends the signature blob. ERR_LOCAL when OpenSSL cannot; ERR_CONFIG when the algorithm is not the
 * key's, or the key has no private half here. */
int key_sign(const struct key *key, struct span algorithm, struct span data, struct wr *signature,
    struct err *e) MUST_CHECK;
/* The signature algorithms a key of that type can use, best first, comma-separated:
 * "rsa-sha2-512,rsa-sha2-256". Static. */
const char *key_signature_algorithms(enum key_type type);
/* The type of the key that makes signatures of that algorithm, as it stands in its blob: "ssh-rsa" for "rsa-sha2-512", of all
 * others the same (RFC 8332 §3). Static; NULL: there is none, or it is a certificate's (cert.h). */
const char *key_type_for(struct span algorithm);

/* A private key as OpenSSH writes one down (PROTOCOL.key; the same in PROTOCOL.agent): the type's name,
 * then its numbers. Reads on in r, which the caller ends. NULL and ERR_CONFIG. */
struct key *key_read_private(struct rd *r, struct err *e);
/* Takes an EVP_PKEY with its private half. NULL and ERR_CONFIG when it is no key that SSH has. */
struct evp_pkey_st;
struct key *key_from_pkey(struct evp_pkey_st *pkey, struct err *e);

#endif
