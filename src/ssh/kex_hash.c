#include "ssh/kex_hash.h"

#include <string.h>

#include <openssl/evp.h>

#include "base/secret.h"
#include "ssh/evp.h"

static size_t digest_of(const char *digest, const struct wr *input, uint8_t hash[KEX_HASH_SIZE_MAX])
{
	size_t n = 0;

	evp_must(EVP_Q_digest(NULL, digest, NULL, input->p, input->n, hash, &n));
	return n;
}

size_t kex_exchange_hash(const struct kex_hash_input *input, uint8_t hash[KEX_HASH_SIZE_MAX])
{
	struct wr w = WR_INIT_SECRET;

	wr_cstring(&w, input->client_ident);
	wr_cstring(&w, input->server_ident);
	wr_string(&w, input->client_kexinit);
	wr_string(&w, input->server_kexinit);
	wr_string(&w, input->host_key);
	wr_span_bytes(&w, input->values);
	wr_span_bytes(&w, input->secret);
	size_t n = digest_of(input->digest, &w, hash);
	wr_clear(&w);
	return n;
}

/* K1 = HASH(K || H || letter || session_id), K2 = HASH(K || H || K1), K3 = HASH(K || H || K1 || K2) ... */
void kex_derive_key(const char *digest, struct span secret, struct span hash, char letter,
    struct span session_id, uint8_t *key, size_t size)
{
	uint8_t block[KEX_HASH_SIZE_MAX];
	struct wr w = WR_INIT_SECRET;
	size_t done = 0;

	while (done < size) {
		wr_reset(&w);
		wr_span_bytes(&w, secret);
		wr_span_bytes(&w, hash);
		if (done) {
			wr_bytes(&w, key, done);
		} else {
			wr_u8(&w, (uint8_t)letter);
			wr_span_bytes(&w, session_id);
		}
		size_t n = digest_of(digest, &w, block);
		size_t take = n < size - done ? n : size - done;

		memcpy(key + done, block, take);
		done += take;
	}
	wr_clear(&w);
	secret_wipe(block, sizeof(block));
}
