#include "ssh/agreement.h"

#include <stdlib.h>

#include <openssl/evp.h>

#include "base/mem.h"
#include "base/secret.h"
#include "ssh/evp.h"

struct agreement {
	const struct agreement_hybrid *hybrid;
	void *kem_key; /* client, once its value was made */
	struct agreement *classical;
};

static bool hybrid_is_available(const void *parameters)
{
	const struct agreement_hybrid *hybrid = parameters;

	return hybrid->kem->is_available() &&
	       hybrid->classical->is_available(hybrid->classical_parameters);
}

static struct agreement *hybrid_new(const void *parameters, struct span private_key)
{
	struct agreement *a = NEW(struct agreement);

	a->hybrid = parameters;
	a->classical = a->hybrid->classical->new (a->hybrid->classical_parameters, private_key);
	return a;
}

static void hybrid_free(struct agreement *a)
{
	if (a->kem_key)
		a->hybrid->kem->free_key(a->kem_key);
	a->hybrid->classical->free(a->classical);
	free(a);
}

static void hybrid_value(struct agreement *a, struct wr *value)
{
	const struct agreement_kem *kem = a->hybrid->kem;
	uint8_t *public = mem_alloc(kem->public_size);

	a->kem_key = kem->new_key(public);
	wr_bytes(value, public, kem->public_size);
	free(public);
	a->hybrid->classical->client_value(a->classical, value);
}

/* The lengths are exact: what one half had too much the other would have too little. */
static int split(const struct agreement *a, struct span value, size_t kem_size,
    struct span *ret_kem, struct span *ret_classical, struct err *e)
{
	if (value.n != kem_size + a->hybrid->classical_size)
		return err_set(e, ERR_PEER, "a key exchange value of %zu bytes instead of %zu",
		    value.n, kem_size + a->hybrid->classical_size);
	*ret_kem = SPAN(value.p, kem_size);
	*ret_classical = SPAN(value.p + kem_size, a->hybrid->classical_size);
	return 0;
}

static void digest_secrets(const struct agreement *a, const struct wr *secrets, struct wr *secret)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	size_t n;

	evp_must(EVP_Q_digest(NULL, a->hybrid->digest, NULL, secrets->p, secrets->n, digest, &n));
	wr_bytes(secret, digest, n);
	secret_wipe(digest, sizeof(digest));
}

static int hybrid_answer(struct agreement *a, struct span client_value, struct wr *value,
    struct wr *secret, struct err *e)
{
	const struct agreement_kem *kem = a->hybrid->kem;
	struct span public = SPAN("", 0), classical = SPAN("", 0);
	int rc = split(a, client_value, kem->public_size, &public, &classical, e);

	if (rc < 0)
		return rc;
	struct wr answer = WR_INIT;
	struct wr secrets = WR_INIT_SECRET;
	uint8_t *ciphertext = mem_alloc(kem->ciphertext_size);
	uint8_t *shared = mem_alloc(kem->secret_size);

	if (!kem->encapsulate(public.p, ciphertext, shared)) {
		rc = err_set(e, ERR_PEER, "a public key that is none of %s", kem->name);
	} else {
		wr_bytes(&answer, ciphertext, kem->ciphertext_size);
		wr_bytes(&secrets, shared, kem->secret_size);
		rc = a->hybrid->classical->server_answer(
		    a->classical, classical, &answer, &secrets, e);
	}
	if (rc == 0) {
		wr_span_bytes(value, wr_span(&answer));
		digest_secrets(a, &secrets, secret);
	}
	wr_clear(&answer);
	wr_clear(&secrets);
	secret_wipe(shared, kem->secret_size);
	free(shared);
	free(ciphertext);
	return rc;
}

static int hybrid_secret(
    struct agreement *a, struct span server_value, struct wr *secret, struct err *e)
{
	const struct agreement_kem *kem = a->hybrid->kem;
	struct span ciphertext = SPAN("", 0), classical = SPAN("", 0);
	int rc = split(a, server_value, kem->ciphertext_size, &ciphertext, &classical, e);

	if (rc < 0)
		return rc;
	struct wr secrets = WR_INIT_SECRET;
	uint8_t *shared = mem_alloc(kem->secret_size);
	/* A ciphertext that fails goes all the way nevertheless, so that time does not tell which half it was. */
	bool good = kem->decapsulate(a->kem_key, ciphertext.p, shared);

	wr_bytes(&secrets, shared, kem->secret_size);
	rc = a->hybrid->classical->client_secret(a->classical, classical, &secrets, e);
	if (rc == 0 && !good)
		rc = err_set(e, ERR_PEER, "a ciphertext that %s cannot open", kem->name);
	if (rc == 0)
		digest_secrets(a, &secrets, secret);
	wr_clear(&secrets);
	secret_wipe(shared, kem->secret_size);
	free(shared);
	return rc;
}

const struct agreement_kind agreement_hybrid = {
    .new = hybrid_new,
    .free = hybrid_free,
    .client_value = hybrid_value,
    .server_answer = hybrid_answer,
    .client_secret = hybrid_secret,
    .is_available = hybrid_is_available,
};
