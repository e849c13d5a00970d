/*
 * ECDSA on the NIST curves (RFC 5656 §3): a curve's name and an uncompressed point; signatures are two mpints.
 */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>

#include "ssh/key_kind.h"

#define POINT_MAX (1 + 2 * 66)

/* Takes d, the private number, or NULL for a public key. OpenSSL checks that the point is on the curve. */
static EVP_PKEY *make_pkey(const struct key_kind *kind, struct span point, BIGNUM *d)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY *pkey = NULL;

	if (!build ||
	    !OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, kind->group, 0) ||
	    !OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point.p, point.n) ||
	    (d && !OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, d)))
		OSSL_PARAM_BLD_free(build);
	else
		pkey =
		    key_pkey_from_numbers("EC", build, d ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY);
	BN_clear_free(d);
	return pkey;
}

/* The curve's name must be the one that the type's name says. No compressed points (RFC 5656 §3.1 allows them, OpenSSH has
 * none), and so no point at infinity, which is written in one byte. */
static bool read_point(const struct key_kind *kind, struct rd *r, struct span *ret_point)
{
	struct span curve = rd_string(r);

	*ret_point = rd_string(r);
	return span_is(curve, kind->curve) && ret_point->n == 1 + 2 * kind->coordinate_bytes &&
	       ret_point->p[0] == 4;
}

int key_ecdsa_read_public(struct key *key, struct rd *r, struct err *e)
{
	struct span point;

	if (!read_point(key->kind, r, &point))
		return ERR_PEER;
	key->pkey = make_pkey(key->kind, point, NULL);
	if (!key->pkey)
		return err_set(e, ERR_PEER, "malformed %s key: the point is not on the curve",
		    key->kind->name);
	return 0;
}

static int read_private(struct key *key, struct rd *r, struct err *e)
{
	struct span point;
	bool good = read_point(key->kind, r, &point);
	struct span d = rd_mpint(r);

	(void)e;
	if (!good || d.n == 0 || d.n > key->kind->coordinate_bytes)
		return ERR_PEER;
	key->pkey = make_pkey(key->kind, point, BN_bin2bn(d.p, (int)d.n, NULL));
	return key->pkey ? 0 : ERR_PEER;
}

/* From the coordinates: OpenSSL's own encoding of the point may be the compressed one that a PEM file had. */
int key_ecdsa_write_public(const struct key *key, struct wr *w)
{
	size_t n = key->kind->coordinate_bytes;
	uint8_t point[POINT_MAX] = {4};
	BIGNUM *x = NULL, *y = NULL;
	int rc = ERR_LOCAL;

	if (EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_EC_PUB_X, &x) == 1 &&
	    EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_EC_PUB_Y, &y) == 1 &&
	    BN_bn2binpad(x, point + 1, (int)n) == (int)n &&
	    BN_bn2binpad(y, point + 1 + n, (int)n) == (int)n) {
		wr_cstring(w, key->kind->curve);
		wr_string(w, SPAN(point, 1 + 2 * n));
		rc = 0;
	}
	BN_free(x);
	BN_free(y);
	return rc;
}

/* RFC 5656 §3.1.2's two mpints as the DER that OpenSSL wants. Gives; NULL when they are not. */
static uint8_t *numbers_to_der(struct span numbers, size_t max, int *ret_n)
{
	struct rd r;
	uint8_t *der = NULL;

	rd_init(&r, numbers);
	struct span r_bytes = rd_mpint(&r), s_bytes = rd_mpint(&r);
	if (rd_end(&r) < 0 || r_bytes.n > max || s_bytes.n > max)
		return NULL;
	ECDSA_SIG *signature = ECDSA_SIG_new();
	BIGNUM *r_number = BN_bin2bn(r_bytes.p, (int)r_bytes.n, NULL);
	BIGNUM *s_number = BN_bin2bn(s_bytes.p, (int)s_bytes.n, NULL);
	if (signature && ECDSA_SIG_set0(signature, r_number, s_number) == 1) {
		*ret_n = i2d_ECDSA_SIG(signature, &der);
	} else {
		BN_free(r_number);
		BN_free(s_number);
	}
	ECDSA_SIG_free(signature);
	return der;
}

bool key_ecdsa_verify_numbers(const struct key *key, struct span data, struct span signature)
{
	int n = 0;
	uint8_t *der = numbers_to_der(signature, key->kind->coordinate_bytes, &n);
	bool good = der && n > 0 &&
		    key_pkey_verify(key->pkey, key->kind->digest, data, SPAN(der, (size_t)n));

	OPENSSL_free(der);
	return good;
}

static int verify(const struct key *key, struct span algorithm, struct span data, struct rd *r)
{
	struct span signature = rd_string(r);

	(void)algorithm;
	if (rd_end(r) < 0 || !key_ecdsa_verify_numbers(key, data, signature))
		return ERR_PEER;
	return 0;
}

static void write_number(struct wr *w, const BIGNUM *number)
{
	uint8_t bytes[POINT_MAX];

	wr_mpint(w, SPAN(bytes, (size_t)BN_bn2bin(number, bytes)));
}

static int sign(const struct key *key, struct span algorithm, struct span data, struct wr *w)
{
	struct wr der = WR_INIT;
	ECDSA_SIG *signature = NULL;

	(void)algorithm;
	if (key_pkey_sign(key->pkey, key->kind->digest, data, &der)) {
		const unsigned char *p = der.p;
		signature = d2i_ECDSA_SIG(NULL, &p, (long)der.n);
	}
	wr_clear(&der);
	if (!signature)
		return ERR_LOCAL;
	size_t mark = wr_mark(w);
	write_number(w, ECDSA_SIG_get0_r(signature));
	write_number(w, ECDSA_SIG_get0_s(signature));
	wr_end(w, mark);
	ECDSA_SIG_free(signature);
	return 0;
}

#define ECDSA_KIND(id, bit_count, openssl_name, hash) \
	{ \
		.type = id, .name = "ecdsa-sha2-nistp" #bit_count, .short_name = "ECDSA", \
		.algorithms = "ecdsa-sha2-nistp" #bit_count, .curve = "nistp" #bit_count, \
		.group = (openssl_name), .digest = (hash), \
		.coordinate_bytes = ((bit_count) + 7) / 8, .read_public = key_ecdsa_read_public, \
		.read_private = read_private, .write_public = key_ecdsa_write_public, \
		.verify = verify, .sign = sign, \
	}

const struct key_kind key_kind_ecdsa_p256 = ECDSA_KIND(KEY_ECDSA_P256, 256, "prime256v1", "SHA256");
const struct key_kind key_kind_ecdsa_p384 = ECDSA_KIND(KEY_ECDSA_P384, 384, "secp384r1", "SHA384");
const struct key_kind key_kind_ecdsa_p521 = ECDSA_KIND(KEY_ECDSA_P521, 521, "secp521r1", "SHA512");
