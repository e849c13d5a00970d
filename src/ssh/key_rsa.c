/*
 * RSA (RFC 4253 §6.6) with the signatures of RFC 8332, PKCS #1 v1.5 over SHA-256 or SHA-512. "ssh-rsa" is the name of the
 * key alone: as a signature it would mean SHA-1, which is neither made nor taken.
 */
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>

#include "base/mem.h"
#include "ssh/key_kind.h"

#define MODULUS_MAX ((size_t)KEY_RSA_BITS_MAX / 8)

/* A name of OSSL_PKEY_PARAM_RSA_... and its number. */
struct number {
	const char *name;
	BIGNUM *value;
};

/* Takes nothing; the numbers are the caller's still. */
static EVP_PKEY *make_pkey(const struct number *numbers, size_t count, int selection)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();

	for (size_t i = 0; i < count && build; i++)
		if (!numbers[i].value ||
		    !OSSL_PARAM_BLD_push_BN(build, numbers[i].name, numbers[i].value)) {
			OSSL_PARAM_BLD_free(build);
			build = NULL;
		}
	return build ? key_pkey_from_numbers("RSA", build, selection) : NULL;
}

static BIGNUM *to_number(struct span magnitude)
{
	return BN_bin2bn(magnitude.p, (int)magnitude.n, NULL);
}

/* Sizes first: what follows costs time that grows with their third power. */
static int check_sizes(struct span n, struct span e_bytes, struct err *e)
{
	if (n.n == 0 || e_bytes.n == 0)
		return ERR_PEER;
	unsigned first = n.p[0],
		 bits = (unsigned)(n.n > 2 * MODULUS_MAX ? 2 * MODULUS_MAX : n.n) * 8;
	while (!(first & 0x80)) {
		first <<= 1;
		bits--;
	}
	if (bits < KEY_RSA_BITS_MIN || bits > KEY_RSA_BITS_MAX)
		return err_set(e, ERR_PEER, "an RSA key of %s%u bits; %d to %d are accepted",
		    n.n > 2 * MODULUS_MAX ? "more than " : "", bits, KEY_RSA_BITS_MIN,
		    KEY_RSA_BITS_MAX);
	bool exponent_is_one = e_bytes.n == 1 && e_bytes.p[0] == 1;
	if (e_bytes.n > 8 || exponent_is_one || !(e_bytes.p[e_bytes.n - 1] & 1) ||
	    !(n.p[n.n - 1] & 1))
		return err_set(e, ERR_PEER, "an RSA key whose modulus or exponent cannot be");
	return 0;
}

static int read_public(struct key *key, struct rd *r, struct err *e)
{
	struct span e_bytes = rd_mpint(r), n_bytes = rd_mpint(r);

	if (!rd_ok(r) || check_sizes(n_bytes, e_bytes, e) < 0)
		return ERR_PEER;
	struct number numbers[] = {
	    {OSSL_PKEY_PARAM_RSA_N, to_number(n_bytes)},
	    {OSSL_PKEY_PARAM_RSA_E, to_number(e_bytes)},
	};
	key->pkey = make_pkey(numbers, ARRAY_LEN(numbers), EVP_PKEY_PUBLIC_KEY);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		BN_free(numbers[i].value);
	return key->pkey ? 0 : ERR_PEER;
}

/* d mod (prime - 1), which OpenSSL wants and OpenSSH does not write down. Gives. */
static BIGNUM *reduced_exponent(const BIGNUM *d, const BIGNUM *prime, BN_CTX *context)
{
	BIGNUM *less_one = BN_dup(prime), *result = BN_new(), *d_secret = BN_dup(d);

	if (d_secret)
		BN_set_flags(d_secret, BN_FLG_CONSTTIME);
	if (!less_one || !result || !d_secret || !BN_sub_word(less_one, 1) ||
	    !BN_mod(result, d_secret, less_one, context)) {
		BN_clear_free(result);
		result = NULL;
	}
	BN_clear_free(less_one);
	BN_clear_free(d_secret);
	return result;
}

/* n, e, d, iqmp (1/q mod p), p, q */
static int read_private(struct key *key, struct rd *r, struct err *e)
{
	struct span n = rd_mpint(r), e_bytes = rd_mpint(r), d = rd_mpint(r);
	struct span iqmp = rd_mpint(r), p = rd_mpint(r), q = rd_mpint(r);

	if (!rd_ok(r))
		return ERR_PEER;
	if (check_sizes(n, e_bytes, e) < 0)
		return ERR_PEER;
	if (d.n == 0 || d.n > n.n || p.n < 2 || p.n > n.n || q.n < 2 || q.n > n.n || iqmp.n > p.n)
		return ERR_PEER;
	BN_CTX *context = BN_CTX_new();
	struct number numbers[] = {
	    {OSSL_PKEY_PARAM_RSA_N, to_number(n)},
	    {OSSL_PKEY_PARAM_RSA_E, to_number(e_bytes)},
	    {OSSL_PKEY_PARAM_RSA_D, to_number(d)},
	    {OSSL_PKEY_PARAM_RSA_FACTOR1, to_number(p)},
	    {OSSL_PKEY_PARAM_RSA_FACTOR2, to_number(q)},
	    {OSSL_PKEY_PARAM_RSA_COEFFICIENT1, to_number(iqmp)},
	    {OSSL_PKEY_PARAM_RSA_EXPONENT1, NULL},
	    {OSSL_PKEY_PARAM_RSA_EXPONENT2, NULL},
	};
	if (context && numbers[2].value && numbers[3].value && numbers[4].value) {
		numbers[6].value = reduced_exponent(numbers[2].value, numbers[3].value, context);
		numbers[7].value = reduced_exponent(numbers[2].value, numbers[4].value, context);
	}
	key->pkey = make_pkey(numbers, ARRAY_LEN(numbers), EVP_PKEY_KEYPAIR);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		BN_clear_free(numbers[i].value);
	BN_CTX_free(context);
	return key->pkey ? 0 : ERR_PEER;
}

static int write_public(const struct key *key, struct wr *w)
{
	static const char *const names[] = {OSSL_PKEY_PARAM_RSA_E, OSSL_PKEY_PARAM_RSA_N};
	uint8_t bytes[MODULUS_MAX];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		BIGNUM *number = NULL;
		bool good = EVP_PKEY_get_bn_param(key->pkey, names[i], &number) == 1 &&
			    (size_t)BN_num_bytes(number) <= sizeof(bytes);
		if (good)
			wr_mpint(w, SPAN(bytes, (size_t)BN_bn2bin(number, bytes)));
		BN_free(number);
		if (!good)
			return ERR_LOCAL;
	}
	return 0;
}

static const char *digest_of(struct span algorithm)
{
	return span_is(algorithm, "rsa-sha2-512") ? "SHA512" : "SHA256";
}

static int verify(const struct key *key, struct span algorithm, struct span data, struct rd *r)
{
	struct span signature = rd_string(r);
	size_t size = (size_t)EVP_PKEY_get_size(key->pkey);
	uint8_t padded[MODULUS_MAX] = {0};

	if (rd_end(r) < 0 || signature.n == 0 || signature.n > size || size > sizeof(padded))
		return ERR_PEER;
	/* RFC 8332 §3 wants the modulus' length; old implementations (PuTTY, and others) leave leading zeros out. */
	memcpy(padded + size - signature.n, signature.p, signature.n);
	return key_pkey_verify(key->pkey, digest_of(algorithm), data, SPAN(padded, size))
		   ? 0
		   : ERR_PEER;
}

static int sign(const struct key *key, struct span algorithm, struct span data, struct wr *w)
{
	size_t mark = wr_mark(w);

	if (!key_pkey_sign(key->pkey, digest_of(algorithm), data, w))
		return ERR_LOCAL;
	wr_end(w, mark);
	return 0;
}

const struct key_kind key_kind_rsa = {
    .type = KEY_RSA,
    .name = "ssh-rsa",
    .short_name = "RSA",
    .algorithms = "rsa-sha2-512,rsa-sha2-256",
    .read_public = read_public,
    .read_private = read_private,
    .write_public = write_public,
    .verify = verify,
    .sign = sign,
};
