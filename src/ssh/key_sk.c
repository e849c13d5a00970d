/*
 * Keys in hardware (PROTOCOL.u2f): the plain key with the application it signs for. What is signed is the application's
 * hash, a byte of flags, a counter and the data's hash; flags and counter come with the signature.
 */
#include <openssl/sha.h>

#include "ssh/key_kind.h"

#define APPLICATION_MAX ((size_t)1024)

static int read_application(struct key *key, struct rd *r)
{
	struct span application = rd_string(r);

	if (application.n > APPLICATION_MAX || !span_is_text(application))
		return ERR_PEER;
	wr_span_bytes(&key->application, application);
	return 0;
}

static int ed25519_read(struct key *key, struct rd *r, struct err *e)
{
	int rc = key_ed25519_read_public(key, r, e);

	return rc < 0 ? rc : read_application(key, r);
}

static int ecdsa_read(struct key *key, struct rd *r, struct err *e)
{
	int rc = key_ecdsa_read_public(key, r, e);

	return rc < 0 ? rc : read_application(key, r);
}

static int ed25519_write(const struct key *key, struct wr *w)
{
	int rc = key_ed25519_write_public(key, w);

	wr_string(w, wr_span(&key->application));
	return rc;
}

static int ecdsa_write(const struct key *key, struct wr *w)
{
	int rc = key_ecdsa_write_public(key, w);

	wr_string(w, wr_span(&key->application));
	return rc;
}

typedef bool verify_function(const struct key *key, struct span data, struct span signature);

/* Whether somebody touched the key (bit 0 of flags) is for servers to demand of users: a host or a CA has nobody who does. */
static int verify(const struct key *key, struct span data, struct rd *r, verify_function *is_good)
{
	uint8_t hash[SHA256_DIGEST_LENGTH];
	struct wr message = WR_INIT;
	struct span signature = rd_string(r);
	uint8_t flags = rd_u8(r);
	uint32_t counter = rd_u32(r);

	if (rd_end(r) < 0)
		return ERR_PEER;
	struct span application = wr_span(&key->application);
	wr_bytes(&message, SHA256(application.p, application.n, hash), sizeof(hash));
	wr_u8(&message, flags);
	wr_u32(&message, counter);
	wr_bytes(&message, SHA256(data.p, data.n, hash), sizeof(hash));
	bool good = is_good(key, wr_span(&message), signature);
	wr_clear(&message);
	return good ? 0 : ERR_PEER;
}

static int ed25519_verify(
    const struct key *key, struct span algorithm, struct span data, struct rd *r)
{
	(void)algorithm;
	return verify(key, data, r, key_ed25519_verify_bytes);
}

static int ecdsa_verify(
    const struct key *key, struct span algorithm, struct span data, struct rd *r)
{
	(void)algorithm;
	return verify(key, data, r, key_ecdsa_verify_numbers);
}

const struct key_kind key_kind_sk_ed25519 = {
    .type = KEY_SK_ED25519,
    .name = "sk-ssh-ed25519@openssh.com",
    .short_name = "ED25519-SK",
    .algorithms = "sk-ssh-ed25519@openssh.com",
    .read_public = ed25519_read,
    .write_public = ed25519_write,
    .verify = ed25519_verify,
};

const struct key_kind key_kind_sk_ecdsa_p256 = {
    .type = KEY_SK_ECDSA_P256,
    .name = "sk-ecdsa-sha2-nistp256@openssh.com",
    .short_name = "ECDSA-SK",
    .algorithms = "sk-ecdsa-sha2-nistp256@openssh.com",
    .curve = "nistp256",
    .group = "prime256v1",
    .digest = "SHA256",
    .coordinate_bytes = 32,
    .read_public = ecdsa_read,
    .write_public = ecdsa_write,
    .verify = ecdsa_verify,
};
