/*
 * The exchange hash, and the keys that are derived from it (RFC 4253 §7.2, §8).
 */
#ifndef ADIT_SSH_KEX_HASH_H
#define ADIT_SSH_KEX_HASH_H

#include "base/wire.h"

#define KEX_HASH_SIZE_MAX 64

struct kex_hash_input {
	const char *digest; /* OpenSSL's name */
	const char *client_ident, *server_ident;
	struct span client_kexinit, server_kexinit; /* payloads, with their message byte */
	struct span host_key;
	struct span values; /* of the method, as they are encoded */
	struct span secret; /* K, as it is encoded: mpint or string */
};
/* Returns its size. */
size_t kex_exchange_hash(const struct kex_hash_input *input, uint8_t hash[KEX_HASH_SIZE_MAX]);

/* size bytes of the key with that letter ('A' to 'F'). secret is encoded as above. */
void kex_derive_key(const char *digest, struct span secret, struct span hash, char letter,
    struct span session_id, uint8_t *key, size_t size);

#endif
