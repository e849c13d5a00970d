#include "ssh/mac.h"

#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "base/mem.h"
#include "ssh/evp.h"

static const struct mac_info table[] = {
    {"hmac-sha2-256-etm@openssh.com", "SHA256", MAC_OF_CIPHERTEXT, 32, 32},
    {"hmac-sha2-512-etm@openssh.com", "SHA512", MAC_OF_CIPHERTEXT, 64, 64},
    {"hmac-sha2-256", "SHA256", MAC_AND_ENCRYPT, 32, 32},
    {"hmac-sha2-512", "SHA512", MAC_AND_ENCRYPT, 64, 64},
    /* Only for who asks by name (algorithms.c): */
    {"hmac-sha1-etm@openssh.com", "SHA1", MAC_OF_CIPHERTEXT, 20, 20},
    {"hmac-sha1", "SHA1", MAC_AND_ENCRYPT, 20, 20},
};

struct mac {
	const struct mac_info *info;
	EVP_MAC_CTX *ctx;
};

static EVP_MAC *hmac(void)
{
	static EVP_MAC *fetched;

	if (!fetched)
		fetched = evp_must_have(EVP_MAC_fetch(NULL, "HMAC", NULL));
	return fetched;
}

static bool is_available(const struct mac_info *info)
{
	return evp_has_mac("HMAC") && evp_has_digest(info->digest);
}

const struct mac_info *mac_at(size_t index)
{
	return index < ARRAY_LEN(table) ? &table[index] : NULL;
}

const struct mac_info *mac_find(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (span_is(name, table[i].name))
			return is_available(&table[i]) ? &table[i] : NULL;
	return NULL;
}

struct mac *mac_new(const struct mac_info *info, const uint8_t *key)
{
	struct mac *mac = NEW(struct mac);
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)info->digest, 0),
	    OSSL_PARAM_construct_end()};

	mac->info = info;
	mac->ctx = evp_must_have(EVP_MAC_CTX_new(hmac()));
	evp_must(EVP_MAC_init(mac->ctx, key, info->key_size, params));
	return mac;
}

void mac_free(struct mac *mac)
{
	if (!mac)
		return;
	EVP_MAC_CTX_free(mac->ctx);
	free(mac);
}

void mac_compute(struct mac *mac, uint32_t sequence, const struct iovec *pieces, size_t count,
    uint8_t out[MAC_SIZE_MAX])
{
	uint8_t number[4];
	size_t n;

	put_u32(number, sequence);
	evp_must(EVP_MAC_init(mac->ctx, NULL, 0, NULL)); /* once more with the same key */
	evp_must(EVP_MAC_update(mac->ctx, number, sizeof(number)));
	for (size_t i = 0; i < count; i++)
		if (pieces[i].iov_len)
			evp_must(EVP_MAC_update(mac->ctx, pieces[i].iov_base, pieces[i].iov_len));
	evp_must(EVP_MAC_final(mac->ctx, out, &n, MAC_SIZE_MAX));
}
