#include "ssh/agreement.h"

#include <stdlib.h>

#include <openssl/bn.h>

#include "base/mem.h"
#include "base/random.h"
#include "base/secret.h"
#include "ssh/evp.h"

const struct agreement_group agreement_group14 = {.bits = 2048};
const struct agreement_group agreement_group16 = {.bits = 4096};
const struct agreement_group agreement_group18 = {.bits = 8192};

/* Of our exponent: twice the strength of the strongest group here, and a fraction of its cost (RFC 3526 §8). */
#define EXPONENT_SIZE 64

struct agreement {
	BIGNUM *prime;
	BIGNUM *generator;
	BIGNUM *exponent; /* ours */
	BIGNUM *value;    /* ours: generator ^ exponent */
	BN_CTX *ctx;
};

static BIGNUM *number(struct span magnitude)
{
	return evp_must_have(BN_bin2bn(magnitude.p, (int)magnitude.n, NULL));
}

static BIGNUM *group_prime(const struct agreement_group *group)
{
	switch (group->bits) {
	case 2048:
		return evp_must_have(BN_get_rfc3526_prime_2048(NULL));
	case 4096:
		return evp_must_have(BN_get_rfc3526_prime_4096(NULL));
	case 8192:
		return evp_must_have(BN_get_rfc3526_prime_8192(NULL));
	default:
		return number(group->prime);
	}
}

static BIGNUM *group_generator(const struct agreement_group *group)
{
	static const uint8_t two[] = {2};

	return number(group->bits ? SPAN(two, 1) : group->generator);
}

static BIGNUM *power(struct agreement *a, const BIGNUM *base)
{
	BIGNUM *result = evp_must_have(BN_new());

	evp_must(BN_mod_exp_mont_consttime(result, base, a->exponent, a->prime, a->ctx, NULL));
	return result;
}

static struct agreement *dh_new(const void *parameters, struct span private_key)
{
	struct agreement *a = NEW(struct agreement);
	uint8_t exponent[EXPONENT_SIZE];

	a->ctx = evp_must_have(BN_CTX_new());
	a->prime = group_prime(parameters);
	a->generator = group_generator(parameters);
	if (private_key.n) {
		a->exponent = number(private_key);
	} else {
		random_key_bytes(exponent, sizeof(exponent));
		a->exponent = number(SPAN(exponent, sizeof(exponent)));
		secret_wipe(exponent, sizeof(exponent));
	}
	BN_set_flags(a->exponent, BN_FLG_CONSTTIME);
	a->value = power(a, a->generator);
	return a;
}

static void dh_free(struct agreement *a)
{
	BN_free(a->prime);
	BN_free(a->generator);
	BN_clear_free(a->exponent);
	BN_clear_free(a->value);
	BN_CTX_free(a->ctx);
	free(a);
}

/* Appends it in as many bytes as the prime has, so that how many it has itself is nowhere to be seen. */
static void write_number(const struct agreement *a, const BIGNUM *n, struct wr *w)
{
	size_t size = (size_t)BN_num_bytes(a->prime);
	uint8_t *bytes = mem_alloc(size);

	evp_must(BN_bn2binpad(n, bytes, (int)size) == (int)size);
	wr_bytes(w, bytes, size);
	secret_wipe(bytes, size);
	free(bytes);
}

static void dh_value(struct agreement *a, struct wr *value)
{
	write_number(a, a->value, value);
}

/* 1 < n < prime - 1: what is outside has order 1 or 2, or is no member at all (RFC 4253 §8, RFC 8268 §4). */
static bool is_in_range(const struct agreement *a, const BIGNUM *n)
{
	BIGNUM *most = evp_must_have(BN_dup(a->prime));

	evp_must(BN_sub_word(most, 1));
	bool in_range = BN_cmp(n, BN_value_one()) > 0 && BN_cmp(n, most) < 0;
	BN_free(most);
	return in_range;
}

static int dh_secret(struct agreement *a, struct span peer_value, struct wr *secret, struct err *e)
{
	BIGNUM *theirs = NULL;
	BIGNUM *shared = NULL;
	bool good = peer_value.n <= (size_t)BN_num_bytes(a->prime);

	if (good) {
		theirs = number(peer_value);
		good = is_in_range(a, theirs);
	}
	if (good) {
		shared = power(a, theirs);
		good = is_in_range(a, shared);
	}
	if (good)
		write_number(a, shared, secret);
	BN_free(theirs);
	BN_clear_free(shared);
	return good ? 0 : err_set(e, ERR_PEER, "a Diffie-Hellman value out of range");
}

static int dh_answer(struct agreement *a, struct span client_value, struct wr *value,
    struct wr *secret, struct err *e)
{
	int rc = dh_secret(a, client_value, secret, e);

	if (rc == 0)
		dh_value(a, value);
	return rc;
}

const struct agreement_kind agreement_dh = {
    .new = dh_new,
    .free = dh_free,
    .client_value = dh_value,
    .server_answer = dh_answer,
    .client_secret = dh_secret,
};

const struct agreement_group *agreement_group_for(unsigned min, unsigned wanted, unsigned max)
{
	const struct agreement_group *groups[] = {
	    &agreement_group14, &agreement_group16, &agreement_group18};

	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		bool is_last = i + 1 == ARRAY_LEN(groups) || groups[i + 1]->bits > max;

		if (groups[i]->bits >= min && groups[i]->bits <= max &&
		    (groups[i]->bits >= wanted || is_last))
			return groups[i];
	}
	return NULL;
}

static void write_mpint(BIGNUM *n, struct wr *w)
{
	size_t size = (size_t)BN_num_bytes(n);
	uint8_t *bytes = mem_alloc(size);

	BN_bn2bin(n, bytes);
	wr_mpint(w, SPAN(bytes, size));
	free(bytes);
	BN_free(n);
}

void agreement_group_write(const struct agreement_group *group, struct wr *w)
{
	write_mpint(group_prime(group), w);
	write_mpint(group_generator(group), w);
}

/* Whether the prime is one and safe is not asked: that takes seconds at these sizes, and a server that signs for a bad group
 * could as well give the secret away. Who is not the server cannot change the group, as it is in the exchange hash. */
int agreement_group_check(struct span prime, struct span generator, struct err *e)
{
	if (prime.n > AGREEMENT_PRIME_BITS_MAX / 8 || generator.n > prime.n)
		return err_set(e, ERR_PEER, "a Diffie-Hellman group that is too large");
	BIGNUM *p = number(prime);
	BIGNUM *g = number(generator);
	BIGNUM *most = evp_must_have(BN_dup(p));
	int bits = BN_num_bits(p);
	int rc = 0;

	if (bits < AGREEMENT_PRIME_BITS_MIN)
		rc = err_set(e, ERR_PEER,
		    "a Diffie-Hellman group of %d bits: at least %d are needed", bits,
		    AGREEMENT_PRIME_BITS_MIN);
	else if (!BN_is_odd(p))
		rc = err_set(e, ERR_PEER, "a Diffie-Hellman group whose prime is even");
	else if (BN_sub_word(most, 1) != 1 || BN_cmp(g, BN_value_one()) <= 0 ||
		 BN_cmp(g, most) >= 0)
		rc = err_set(e, ERR_PEER, "a Diffie-Hellman group whose generator is out of range");
	BN_free(p);
	BN_free(g);
	BN_free(most);
	return rc;
}
