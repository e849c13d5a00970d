#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#include "base/mem.h"
#include "base/str.h"
#include "ssh/key.h"
#include "test_keys.h"

static struct wr from_base64(const char *text)
{
	struct wr w = WR_INIT;

	assert_true(str_base64_decode(span_of(text), &w));
	return w;
}

static struct wr from_hex(const char *text)
{
	struct wr w = WR_INIT;

	for (; *text; text += 2) {
		char byte[3] = {text[0], text[1], 0};
		wr_u8(&w, (uint8_t)strtoul(byte, NULL, 16));
	}
	return w;
}

/* A span of its own exact allocation, so that the sanitizer sees a read beyond it. */
static struct span exact(const uint8_t *p, size_t n)
{
	return SPAN(n ? mem_dup(p, n) : mem_alloc(1), n);
}

static void free_exact(struct span s)
{
	free((void *)(uintptr_t)s.p);
}

static const struct {
	const char *blob, *fingerprint, *name, *short_name;
	enum key_type type;
} made_by_ssh_keygen[] = {
    {TEST_ED25519_BLOB, TEST_ED25519_FINGERPRINT, "ssh-ed25519", "ED25519", KEY_ED25519},
    {TEST_ECDSA_P256_BLOB, TEST_ECDSA_P256_FINGERPRINT, "ecdsa-sha2-nistp256", "ECDSA",
	KEY_ECDSA_P256},
    {TEST_ECDSA_P384_BLOB, TEST_ECDSA_P384_FINGERPRINT, "ecdsa-sha2-nistp384", "ECDSA",
	KEY_ECDSA_P384},
    {TEST_ECDSA_P521_BLOB, TEST_ECDSA_P521_FINGERPRINT, "ecdsa-sha2-nistp521", "ECDSA",
	KEY_ECDSA_P521},
    {TEST_RSA_BLOB, TEST_RSA_FINGERPRINT, "ssh-rsa", "RSA", KEY_RSA},
};

static void test_blobs_of_ssh_keygen_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(made_by_ssh_keygen); i++) {
		struct wr blob = from_base64(made_by_ssh_keygen[i].blob);
		struct err e = ERR_INIT;
		struct key *key = key_from_blob(wr_span(&blob), &e);
		assert_non_null(key);
		assert_int_equal(key_type(key), made_by_ssh_keygen[i].type);
		assert_string_equal(key_type_name(key), made_by_ssh_keygen[i].name);
		assert_string_equal(key_short_name(key), made_by_ssh_keygen[i].short_name);
		assert_true(span_equal(key_blob(key), wr_span(&blob)));
		assert_true(span_is(key_blob_type(wr_span(&blob)), made_by_ssh_keygen[i].name));
		assert_true(key_type_is_known(key_blob_type(wr_span(&blob))));
		assert_false(key_is_private(key));
		char *fingerprint = key_fingerprint(key_blob(key));
		assert_string_equal(fingerprint, made_by_ssh_keygen[i].fingerprint);
		free(fingerprint);
		key_free(key);
		wr_clear(&blob);
	}
}

static void test_a_blob_cut_short_or_too_long_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(made_by_ssh_keygen); i++) {
		struct wr blob = from_base64(made_by_ssh_keygen[i].blob);
		for (size_t n = 0; n < blob.n; n++) {
			struct err e = ERR_INIT;
			struct span cut = exact(blob.p, n);
			assert_null(key_from_blob(cut, &e));
			assert_int_equal(e.class, ERR_PEER);
			assert_true(e.text[0] != 0);
			free_exact(cut);
		}
		wr_u8(&blob, 0);
		assert_null(key_from_blob(wr_span(&blob), NULL));
		wr_clear(&blob);
	}
}

static void expect_refused(struct wr *blob, const char *words)
{
	struct err e = ERR_INIT;

	assert_null(key_from_blob(wr_span(blob), &e));
	assert_int_equal(e.class, ERR_PEER);
	if (!strstr(e.text, words))
		fail_msg("\"%s\" does not say \"%s\"", e.text, words);
	wr_clear(blob);
}

static void test_unknown_types_are_named(void **state)
{
	struct wr w = WR_INIT;

	(void)state;
	wr_cstring(&w, "ssh-dss");
	expect_refused(&w, "DSA");
	wr_cstring(&w, "ssh-ed448");
	expect_refused(&w, "unknown key type ssh-ed448");
	wr_cstring(&w, "ssh\033[2J");
	expect_refused(&w, "malformed key");
	wr_cstring(&w, "ssh-ed25519-cert-v01@openssh.com");
	expect_refused(&w, "unknown key type");
	wr_u32(&w, 0xffffffff);
	expect_refused(&w, "malformed key");
}

static void test_an_off_curve_point_is_refused(void **state)
{
	struct wr blob = from_base64(TEST_ECDSA_P256_BLOB);

	(void)state;
	blob.p[blob.n - 1] ^= 1;
	expect_refused(&blob, "not on the curve");
	blob = from_base64(TEST_ECDSA_P521_BLOB);
	memset(blob.p + blob.n - 132, 0xff, 132); /* coordinates beyond the field */
	expect_refused(&blob, "not on the curve");
}

static void test_other_encodings_of_a_point_are_refused(void **state)
{
	struct wr good = from_base64(TEST_ECDSA_P256_BLOB), w = WR_INIT;
	const uint8_t *x = good.p + good.n - 64, *y = good.p + good.n - 32;
	uint8_t point[65];

	(void)state;
	wr_cstring(&w, "ecdsa-sha2-nistp256"); /* compressed */
	wr_cstring(&w, "nistp256");
	point[0] = 2 | (y[31] & 1);
	memcpy(point + 1, x, 32);
	wr_string(&w, SPAN(point, 33));
	expect_refused(&w, "malformed");

	wr_cstring(&w, "ecdsa-sha2-nistp256"); /* hybrid */
	wr_cstring(&w, "nistp256");
	point[0] = 6 | (y[31] & 1);
	memcpy(point + 1, x, 64);
	wr_string(&w, SPAN(point, 65));
	expect_refused(&w, "malformed");

	wr_cstring(&w, "ecdsa-sha2-nistp256"); /* infinity */
	wr_cstring(&w, "nistp256");
	wr_string(&w, SPAN("", 1));
	expect_refused(&w, "malformed");

	wr_cstring(&w, "ecdsa-sha2-nistp384"); /* another curve than the type says */
	wr_cstring(&w, "nistp256");
	wr_string(&w, SPAN(good.p + good.n - 65, 65));
	expect_refused(&w, "malformed");
	wr_clear(&good);
}

static void rsa_blob(struct wr *w, const char *exponent_hex, unsigned bits, uint8_t last)
{
	struct wr exponent = from_hex(exponent_hex), n = WR_INIT;

	for (size_t i = 0; i < (bits + 7) / 8; i++)
		wr_u8(&n, 0xff);
	n.p[0] = (uint8_t)(0xff >> ((8 - bits % 8) % 8));
	n.p[n.n - 1] = last;
	wr_cstring(w, "ssh-rsa");
	wr_mpint(w, wr_span(&exponent));
	wr_mpint(w, wr_span(&n));
	wr_clear(&exponent);
	wr_clear(&n);
}

static void test_rsa_sizes_are_bounded(void **state)
{
	static const struct {
		unsigned bits;
		const char *words;
	} refused[] = {
	    {8, "8 bits"},
	    {1024, "1024 bits"},
	    {2047, "2047 bits"},
	    {16385, "of 16385"},
	    {65536, "more than"},
	};
	struct wr w = WR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		rsa_blob(&w, "010001", refused[i].bits, 0xff);
		expect_refused(&w, refused[i].words);
	}
	static const unsigned accepted[] = {2048, 2049, 3071, 16384};
	for (size_t i = 0; i < ARRAY_LEN(accepted); i++) {
		rsa_blob(&w, "010001", accepted[i], 0xff);
		struct key *key = key_from_blob(wr_span(&w), NULL);
		assert_non_null(key);
		key_free(key);
		wr_clear(&w);
	}
}

static void test_rsa_numbers_that_cannot_be_are_refused(void **state)
{
	static const char *const exponents[] = {"01", "02", "010000", "010000000000000001"};
	struct wr w = WR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(exponents); i++) {
		rsa_blob(&w, exponents[i], 2048, 0xff);
		expect_refused(&w, "cannot be");
	}
	rsa_blob(&w, "010001", 2048, 0xfe);
	expect_refused(&w, "cannot be");
	rsa_blob(&w, "", 2048, 0xff);
	expect_refused(&w, "malformed");
}

/* ---- signing ---- */

static struct key *generate(enum key_type type)
{
	EVP_PKEY *pkey = NULL;

	switch (type) {
	case KEY_ED25519:
		pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
		break;
	case KEY_ECDSA_P256:
		pkey = EVP_EC_gen("P-256");
		break;
	case KEY_ECDSA_P384:
		pkey = EVP_EC_gen("P-384");
		break;
	case KEY_ECDSA_P521:
		pkey = EVP_EC_gen("P-521");
		break;
	case KEY_RSA:
		pkey = EVP_RSA_gen(2048);
		break;
	case KEY_SK_ED25519:
	case KEY_SK_ECDSA_P256:
		break;
	}
	struct err e = ERR_INIT;
	struct key *key = key_from_pkey(pkey, &e);
	if (!key)
		fail_msg("%s", e.text);
	return key;
}

static const struct {
	enum key_type type;
	const char *algorithm;
} pairs[] = {
    {KEY_ED25519, "ssh-ed25519"},
    {KEY_ECDSA_P256, "ecdsa-sha2-nistp256"},
    {KEY_ECDSA_P384, "ecdsa-sha2-nistp384"},
    {KEY_ECDSA_P521, "ecdsa-sha2-nistp521"},
    {KEY_RSA, "rsa-sha2-256"},
    {KEY_RSA, "rsa-sha2-512"},
};
static const struct span data = {(const uint8_t *)"to be signed", 12};

static void test_what_is_signed_verifies_and_nothing_else_does(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		struct span algorithm = span_of(pairs[i].algorithm);
		struct key *key = generate(pairs[i].type);
		struct wr w = WR_INIT;
		struct err e = ERR_INIT;
		wr_u8(&w, 7); /* what stands there stays */
		assert_int_equal(key_sign(key, algorithm, data, &w, &e), 0);
		assert_int_equal(w.p[0], 7);
		struct span signature = SPAN(w.p + 1, w.n - 1);

		struct key *public = key_from_blob(key_blob(key), NULL);
		assert_false(key_is_private(public));
		assert_int_equal(key_verify(public, algorithm, data, signature, &e), 0);
		assert_int_equal(
		    key_verify(public, algorithm, SPAN(data.p, data.n - 1), signature, &e),
		    ERR_PEER);
		err_clear(&e);
		assert_int_equal(key_sign(public, algorithm, data, &w, &e), ERR_CONFIG);

		struct key *other = generate(pairs[i].type);
		assert_int_equal(key_verify(other, algorithm, data, signature, NULL), ERR_PEER);
		for (size_t k = 0; k < ARRAY_LEN(pairs); k++)
			if (k != i)
				assert_int_equal(key_verify(key, span_of(pairs[k].algorithm), data,
						     signature, NULL),
				    ERR_PEER);
		/* a copy is whole, and needs nothing of what it was made of */
		struct key *copy = key_copy(key);
		assert_true(span_equal(key_blob(copy), key_blob(key)));
		key_free(key);
		wr_reset(&w);
		assert_int_equal(key_sign(copy, algorithm, data, &w, &e), 0);
		assert_int_equal(key_verify(public, algorithm, data, wr_span(&w), &e), 0);

		key_free(other);
		key_free(public);
		key_free(copy);
		wr_clear(&w);
	}
}

static void test_a_damaged_signature_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		struct span algorithm = span_of(pairs[i].algorithm);
		struct key *key = generate(pairs[i].type);
		struct wr w = WR_INIT;
		assert_int_equal(key_sign(key, algorithm, data, &w, NULL), 0);
		for (size_t n = 0; n < w.n; n++) {
			struct span cut = exact(w.p, n);
			assert_int_equal(key_verify(key, algorithm, data, cut, NULL), ERR_PEER);
			free_exact(cut);
		}
		for (size_t n = 0; n < w.n; n++) {
			w.p[n] ^= 0x40;
			assert_int_equal(
			    key_verify(key, algorithm, data, wr_span(&w), NULL), ERR_PEER);
			w.p[n] ^= 0x40;
		}
		assert_int_equal(key_verify(key, algorithm, data, wr_span(&w), NULL), 0);
		wr_u8(&w, 0);
		assert_int_equal(key_verify(key, algorithm, data, wr_span(&w), NULL), ERR_PEER);
		wr_clear(&w);
		key_free(key);
	}
}

static void test_sha1_is_neither_made_nor_taken(void **state)
{
	struct key *key = generate(KEY_RSA);
	struct wr w = WR_INIT;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(key_sign(key, SPAN_LITERAL("ssh-rsa"), data, &w, &e), ERR_CONFIG);
	assert_int_equal(w.n, 0);
	assert_int_equal(key_sign(key, SPAN_LITERAL("rsa-sha2-256"), data, &w, NULL), 0);
	/* The same signature under the name that means SHA-1, agreed or not. */
	struct wr renamed = WR_INIT;
	wr_cstring(&renamed, "ssh-rsa");
	wr_bytes(&renamed, w.p + 4 + 12, w.n - 4 - 12);
	err_clear(&e);
	assert_int_equal(
	    key_verify(key, SPAN_LITERAL("ssh-rsa"), data, wr_span(&renamed), &e), ERR_PEER);
	assert_non_null(strstr(e.text, "no signature algorithm"));
	err_clear(&e);
	assert_int_equal(
	    key_verify(key, SPAN_LITERAL("rsa-sha2-256"), data, wr_span(&renamed), &e), ERR_PEER);
	assert_non_null(strstr(e.text, "the signature is ssh-rsa where rsa-sha2-256 was agreed"));
	wr_clear(&renamed);
	wr_clear(&w);
	key_free(key);
}

static int verify_bytes(
    const char *blob, const char *algorithm, struct span message, const char *signature_hex)
{
	struct wr key_bytes = from_base64(blob), bytes = from_hex(signature_hex), w = WR_INIT;
	struct key *key = key_from_blob(wr_span(&key_bytes), NULL);

	assert_non_null(key);
	wr_cstring(&w, algorithm);
	wr_string(&w, wr_span(&bytes));
	int rc = key_verify(key, span_of(algorithm), message, wr_span(&w), NULL);
	wr_clear(&w);
	wr_clear(&bytes);
	wr_clear(&key_bytes);
	key_free(key);
	return rc;
}

/* Made with `openssl dgst -sign`. */
static const char rsa_sha256_signature[] =
    "010a273164c08c9072562ccdc0fa9fd063975061208240822ab1e32da6db120c507fcc044c1bd5b2"
    "bd4bf94a13d8b76265a9f8bf5df6419cb1a68c98ff8922991a7d0f6a3c09a16520b8d796673792bf"
    "374b7fbcdf26997b7723fab9354c2dbc0e9e3f03abe8f7f6a602c531e507b3a789c78b6ef8682b8c"
    "bbee9df0c0d4df9006d5555a3f52e3acc3f1991e8ae3fcbcff82cd74f39f75e6452e5d4e8f68ee5a"
    "11b8a453909c07abc0dd8c89217627f045e0e8a5239146bd8e082c378623e5235269535712740809"
    "e96856fb6f38f3f3718f3d0e1d27fece51f8010e7057654817309db7a8c16d1a2a02484cb6283655"
    "5a718b37d752dbd824d0695a9163bac9";
static const char rsa_sha512_signature[] =
    "2cbc87cd8662b1ad13610f3a8aba026b37d417d84af8013291a3ed111e350f7f526bb497f04c2c85"
    "b7e2024ec4949f946636b937199d03fd52b6e8b9213cffd2625e0597256e540f6c681dfe562f7491"
    "f760d566357776394f0510e6016b02166017cd455922313d1cf0bb5723bec71995fead5274620242"
    "26bf86a482b9cbb62608bc9fc2d41986ae172cf64f6b015aeb41b8e768430388cadbda9daa3db47c"
    "d8ed957a4219aa0faede6f596b4eb604e991dea3545f3928f77c0049cf292c05be6addcea0d0d994"
    "ef358df5186d6580b27722cc1fe4a712018b66dcf71e4e8bb985847f5f5d90da2057ffd5034f1e5d"
    "2a853ba19174b88fa84b1335b813e6c0";

static void test_rsa_signatures_of_openssl_verify(void **state)
{
	(void)state;
	assert_int_equal(
	    verify_bytes(TEST_RSA_BLOB, "rsa-sha2-256", data, rsa_sha256_signature), 0);
	assert_int_equal(
	    verify_bytes(TEST_RSA_BLOB, "rsa-sha2-512", data, rsa_sha512_signature), 0);
	assert_int_equal(
	    verify_bytes(TEST_RSA_BLOB, "rsa-sha2-512", data, rsa_sha256_signature), ERR_PEER);
}

/* RFC 8032 §7.1, TEST 3 */
static void test_the_ed25519_vector_of_rfc_8032_verifies(void **state)
{
	struct wr point =
	    from_hex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025");
	struct wr signature =
	    from_hex("6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
		     "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a");
	struct wr blob = WR_INIT, w = WR_INIT;

	(void)state;
	wr_cstring(&blob, "ssh-ed25519");
	wr_string(&blob, wr_span(&point));
	wr_cstring(&w, "ssh-ed25519");
	wr_string(&w, wr_span(&signature));
	struct key *key = key_from_blob(wr_span(&blob), NULL);
	assert_non_null(key);
	assert_int_equal(
	    key_verify(key, SPAN_LITERAL("ssh-ed25519"), SPAN("\xaf\x82", 2), wr_span(&w), NULL),
	    0);
	key_free(key);
	wr_clear(&point);
	wr_clear(&signature);
	wr_clear(&blob);
	wr_clear(&w);
}

/* RFC 6979 §A.2.5 to §A.2.7, message "sample": x, y, r and s of each curve with its hash */
static const struct {
	const char *curve, *x, *y, *r, *s;
} rfc_6979[] = {
    {"nistp256", "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6",
	"7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
	"efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
	"f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"},
    {"nistp384",
	"ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64"
	"def8f0ea9055866064a254515480bc13",
	"8015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c9db1"
	"288b231c3ae0d4fe7344fd2533264720",
	"94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c"
	"81a648152e44acf96e36dd1e80fabe46",
	"99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94f"
	"a329c145786e679e7b82c71a38628ac8"},
    {"nistp521",
	"01894550d0785932e00eaa23b694f213f8c3121f86dc97a04e5a7167db4e5bcd3711"
	"23d46e45db6b5d5370a7f20fb633155d38ffa16d2bd761dcac474b9a2f5023a4",
	"00493101c962cd4d2fddf782285e64584139c2f91b47f87ff82354d6630f746a28a0"
	"db25741b5b34a828008b22acc23f924faafbd4d33f81ea66956dfeaa2bfdfcf5",
	"00c328fafcbd79dd77850370c46325d987cb525569fb63c5d3bc53950e6d4c5f174e"
	"25a1ee9017b5d450606add152b534931d7d4e8455cc91f9b15bf05ec36e377fa",
	"00617cce7cf5064806c467f678d3b4080d6f1cc50af26ca209417308281b68af2826"
	"23eaa63e5b5c0723d8b8c37ff0777b1a20f8ccb1dccc43997f1ee0e44da4a67a"},
};

static void test_the_ecdsa_vectors_of_rfc_6979_verify(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rfc_6979); i++) {
		struct wr x = from_hex(rfc_6979[i].x), y = from_hex(rfc_6979[i].y);
		struct wr r = from_hex(rfc_6979[i].r), s = from_hex(rfc_6979[i].s);
		struct wr blob = WR_INIT, w = WR_INIT;
		char *name = str_format("ecdsa-sha2-%s", rfc_6979[i].curve);
		wr_cstring(&blob, name);
		wr_cstring(&blob, rfc_6979[i].curve);
		size_t mark = wr_mark(&blob);
		wr_u8(&blob, 4);
		wr_span_bytes(&blob, wr_span(&x));
		wr_span_bytes(&blob, wr_span(&y));
		wr_end(&blob, mark);
		wr_cstring(&w, name);
		mark = wr_mark(&w);
		wr_mpint(&w, wr_span(&r));
		wr_mpint(&w, wr_span(&s));
		wr_end(&w, mark);
		struct key *key = key_from_blob(wr_span(&blob), NULL);
		assert_non_null(key);
		assert_int_equal(
		    key_verify(key, span_of(name), SPAN_LITERAL("sample"), wr_span(&w), NULL), 0);
		assert_int_equal(
		    key_verify(key, span_of(name), SPAN_LITERAL("test"), wr_span(&w), NULL),
		    ERR_PEER);
		key_free(key);
		free(name);
		wr_clear(&x);
		wr_clear(&y);
		wr_clear(&r);
		wr_clear(&s);
		wr_clear(&blob);
		wr_clear(&w);
	}
}

static void test_an_rsa_signature_without_its_leading_zeros_is_taken(void **state)
{
	struct span algorithm = SPAN_LITERAL("rsa-sha2-256");
	struct key *key = generate(KEY_RSA);
	struct wr w = WR_INIT, shorter = WR_INIT;
	size_t head = 4 + 12 + 4;
	uint32_t i;

	(void)state;
	for (i = 0; i < 10000; i++) { /* one in 256 begins with a zero */
		wr_reset(&w);
		assert_int_equal(key_sign(key, algorithm, SPAN(&i, sizeof(i)), &w, NULL), 0);
		assert_int_equal(w.n, head + 256);
		if (w.p[head] == 0)
			break;
	}
	assert_int_equal(w.p[head], 0);
	wr_cstring(&shorter, "rsa-sha2-256");
	wr_string(&shorter, SPAN(w.p + head + 1, 255));
	assert_int_equal(
	    key_verify(key, algorithm, SPAN(&i, sizeof(i)), wr_span(&shorter), NULL), 0);
	/* A byte more than the modulus has is another matter. */
	wr_reset(&shorter);
	wr_cstring(&shorter, "rsa-sha2-256");
	size_t mark = wr_mark(&shorter);
	wr_u8(&shorter, 0);
	wr_bytes(&shorter, w.p + head, 256);
	wr_end(&shorter, mark);
	assert_int_equal(
	    key_verify(key, algorithm, SPAN(&i, sizeof(i)), wr_span(&shorter), NULL), ERR_PEER);
	wr_clear(&shorter);
	wr_clear(&w);
	key_free(key);
}

/* ---- keys in hardware ---- */

struct sk {
	struct key *plain; /* stands for the hardware */
	struct key *key;
	const char *algorithm;
};

static struct sk make_sk(enum key_type type, const char *application)
{
	bool ed25519 = type == KEY_SK_ED25519;
	struct sk sk = {
	    .plain = generate(ed25519 ? KEY_ED25519 : KEY_ECDSA_P256),
	    .algorithm =
		ed25519 ? "sk-ssh-ed25519@openssh.com" : "sk-ecdsa-sha2-nistp256@openssh.com",
	};
	struct wr blob = WR_INIT;
	struct span plain = key_blob(sk.plain);
	size_t name = 4 + strlen(key_type_name(sk.plain));

	wr_cstring(&blob, sk.algorithm);
	wr_bytes(&blob, plain.p + name, plain.n - name);
	wr_cstring(&blob, application);
	sk.key = key_from_blob(wr_span(&blob), NULL);
	assert_non_null(sk.key);
	assert_true(span_equal(key_blob(sk.key), wr_span(&blob)));
	wr_clear(&blob);
	return sk;
}

static void sk_sign(
    const struct sk *sk, const char *application, uint8_t flags, uint32_t counter, struct wr *w)
{
	uint8_t hash[SHA256_DIGEST_LENGTH];
	struct wr message = WR_INIT, signature = WR_INIT;
	struct rd r;

	SHA256((const uint8_t *)application, strlen(application), hash);
	wr_bytes(&message, hash, sizeof(hash));
	wr_u8(&message, flags);
	wr_u32(&message, counter);
	SHA256(data.p, data.n, hash);
	wr_bytes(&message, hash, sizeof(hash));
	assert_int_equal(key_sign(sk->plain, span_of(key_type_name(sk->plain)), wr_span(&message),
			     &signature, NULL),
	    0);
	rd_init(&r, wr_span(&signature));
	rd_string(&r);
	wr_cstring(w, sk->algorithm);
	wr_string(w, rd_string(&r));
	wr_u8(w, flags);
	wr_u32(w, counter);
	wr_clear(&message);
	wr_clear(&signature);
}

static void test_signatures_of_hardware_keys_verify(void **state)
{
	static const enum key_type types[] = {KEY_SK_ED25519, KEY_SK_ECDSA_P256};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct sk sk = make_sk(types[i], "ssh:");
		struct span algorithm = span_of(sk.algorithm);
		struct wr w = WR_INIT, other = WR_INIT;
		sk_sign(&sk, "ssh:", 1, 77, &w);
		assert_int_equal(key_type(sk.key), types[i]);
		assert_int_equal(key_verify(sk.key, algorithm, data, wr_span(&w), NULL), 0);
		/* Each byte of it counts: the flags and the counter are signed too. */
		for (size_t n = 0; n < w.n; n++) {
			w.p[n] ^= 1;
			assert_int_equal(
			    key_verify(sk.key, algorithm, data, wr_span(&w), NULL), ERR_PEER);
			w.p[n] ^= 1;
			assert_int_equal(
			    key_verify(sk.key, algorithm, data, SPAN(w.p, n), NULL), ERR_PEER);
		}
		wr_u8(&w, 0);
		assert_int_equal(key_verify(sk.key, algorithm, data, wr_span(&w), NULL), ERR_PEER);
		sk_sign(&sk, "https://example.com", 1, 77, &other);
		assert_int_equal(
		    key_verify(sk.key, algorithm, data, wr_span(&other), NULL), ERR_PEER);
		struct err e = ERR_INIT;
		assert_int_equal(key_sign(sk.key, algorithm, data, &other, &e), ERR_CONFIG);
		wr_clear(&w);
		wr_clear(&other);
		key_free(sk.plain);
		key_free(sk.key);
	}
}

/* ---- private keys ---- */

static void private_ed25519(struct wr *w, const struct key *public, const uint8_t seed[32])
{
	struct span blob = key_blob(public);
	const uint8_t *point = blob.p + blob.n - 32;

	wr_cstring(w, "ssh-ed25519");
	wr_string(w, SPAN(point, 32));
	size_t mark = wr_mark(w);
	wr_bytes(w, seed, 32);
	wr_bytes(w, point, 32);
	wr_end(w, mark);
}

static void test_a_private_key_must_fit_its_public_half(void **state)
{
	uint8_t seed[32] = {1, 2, 3}, other_seed[32] = {1, 2, 4};
	EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof(seed));
	struct key *public = key_from_pkey(pkey, NULL);
	struct wr w = WR_INIT;
	struct rd r;
	struct err e = ERR_INIT;

	(void)state;
	private_ed25519(&w, public, seed);
	rd_init(&r, wr_span(&w));
	struct key *key = key_read_private(&r, &e);
	assert_non_null(key);
	assert_int_equal(rd_end(&r), 0);
	assert_true(key_is_private(key));
	assert_true(span_equal(key_blob(key), key_blob(public)));
	key_free(key);

	wr_reset(&w);
	private_ed25519(&w, public, other_seed);
	rd_init(&r, wr_span(&w));
	assert_null(key_read_private(&r, &e));
	assert_int_equal(e.class, ERR_CONFIG);
	assert_non_null(strstr(e.text, "does not belong"));
	wr_clear(&w);
	key_free(public);
}

static void test_an_ecdsa_scalar_must_fit_its_point(void **state)
{
	struct wr blob = from_base64(TEST_ECDSA_P256_BLOB), w = WR_INIT;
	struct rd r;
	struct err e = ERR_INIT;

	(void)state;
	wr_span_bytes(&w, wr_span(&blob));
	wr_mpint(&w, SPAN_LITERAL("not the number of this point"));
	rd_init(&r, wr_span(&w));
	assert_null(key_read_private(&r, &e));
	assert_int_equal(e.class, ERR_CONFIG);
	wr_clear(&w);
	wr_clear(&blob);
}

static void test_a_hardware_key_has_no_private_half_in_a_file(void **state)
{
	struct wr w = WR_INIT;
	struct rd r;
	struct err e = ERR_INIT;

	(void)state;
	wr_cstring(&w, "sk-ssh-ed25519@openssh.com");
	rd_init(&r, wr_span(&w));
	assert_null(key_read_private(&r, &e));
	assert_int_equal(e.class, ERR_CONFIG);
	assert_non_null(strstr(e.text, "agent"));
	wr_clear(&w);
}

static void test_keys_that_ssh_does_not_have_are_refused(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_null(key_from_pkey(EVP_PKEY_Q_keygen(NULL, NULL, "X25519"), &e));
	assert_int_equal(e.class, ERR_CONFIG);
	assert_non_null(strstr(e.text, "X25519"));
	err_clear(&e);
	assert_null(key_from_pkey(EVP_EC_gen("secp256k1"), &e));
	assert_int_equal(e.class, ERR_CONFIG);
	err_clear(&e);
	assert_null(key_from_pkey(EVP_RSA_gen(1024), &e));
	assert_non_null(strstr(e.text, "1024 bits"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_blobs_of_ssh_keygen_are_read),
	    cmocka_unit_test(test_a_blob_cut_short_or_too_long_is_refused),
	    cmocka_unit_test(test_unknown_types_are_named),
	    cmocka_unit_test(test_an_off_curve_point_is_refused),
	    cmocka_unit_test(test_other_encodings_of_a_point_are_refused),
	    cmocka_unit_test(test_rsa_sizes_are_bounded),
	    cmocka_unit_test(test_rsa_numbers_that_cannot_be_are_refused),
	    cmocka_unit_test(test_what_is_signed_verifies_and_nothing_else_does),
	    cmocka_unit_test(test_a_damaged_signature_is_refused),
	    cmocka_unit_test(test_sha1_is_neither_made_nor_taken),
	    cmocka_unit_test(test_rsa_signatures_of_openssl_verify),
	    cmocka_unit_test(test_the_ed25519_vector_of_rfc_8032_verifies),
	    cmocka_unit_test(test_the_ecdsa_vectors_of_rfc_6979_verify),
	    cmocka_unit_test(test_an_rsa_signature_without_its_leading_zeros_is_taken),
	    cmocka_unit_test(test_signatures_of_hardware_keys_verify),
	    cmocka_unit_test(test_a_private_key_must_fit_its_public_half),
	    cmocka_unit_test(test_an_ecdsa_scalar_must_fit_its_point),
	    cmocka_unit_test(test_a_hardware_key_has_no_private_half_in_a_file),
	    cmocka_unit_test(test_keys_that_ssh_does_not_have_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
