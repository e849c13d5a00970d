#include <stdlib.h>

#include <openssl/bn.h>
#include <openssl/evp.h>

#include "hex.h"

#include "base/mem.h"
#include "base/random.h"
#include "ssh/agreement.h"

/* ---- one agreement ---- */

struct one {
	const struct agreement_kind *kind;
	struct agreement *a;
	struct wr value, secret;
	struct err e;
};

static void open_with(struct one *o, const struct agreement_kind *kind, const void *parameters,
    struct span private_key)
{
	*o = (struct one){.kind = kind, .e = ERR_INIT};
	o->a = kind->new (parameters, private_key);
}

static void close_one(struct one *o)
{
	o->kind->free(o->a);
	wr_clear(&o->value);
	wr_clear(&o->secret);
}

/* That private key and that value of the peer's give that secret; on both sides. */
static void gives(const struct agreement_kind *kind, const void *parameters,
    struct span private_key, struct span peer_value, struct span secret)
{
	struct one o;

	open_with(&o, kind, parameters, private_key);
	assert_int_equal(kind->client_secret(o.a, peer_value, &o.secret, &o.e), 0);
	assert_bytes(wr_span(&o.secret), secret);
	close_one(&o);
}

/* On both sides, with nothing given out. */
static void refuses(
    const struct agreement_kind *kind, const void *parameters, struct span peer_value)
{
	struct one o;

	open_with(&o, kind, parameters, SPAN("", 0));
	assert_int_equal(kind->client_secret(o.a, peer_value, &o.secret, &o.e), ERR_PEER);
	assert_true(err_is_set(&o.e));
	assert_int_equal(o.secret.n, 0);
	close_one(&o);

	open_with(&o, kind, parameters, SPAN("", 0));
	assert_int_equal(kind->server_answer(o.a, peer_value, &o.value, &o.secret, &o.e), ERR_PEER);
	assert_int_equal(o.secret.n, 0);
	assert_int_equal(o.value.n, 0);
	close_one(&o);
}

static void agree(const struct agreement_kind *kind, const void *parameters)
{
	struct one client, server;

	open_with(&client, kind, parameters, SPAN("", 0));
	open_with(&server, kind, parameters, SPAN("", 0));
	kind->client_value(client.a, &client.value);
	assert_int_equal(kind->server_answer(server.a, wr_span(&client.value), &server.value,
			     &server.secret, &server.e),
	    0);
	assert_int_equal(
	    kind->client_secret(client.a, wr_span(&server.value), &client.secret, &client.e), 0);
	assert_true(client.secret.n >= 32);
	assert_bytes(wr_span(&client.secret), wr_span(&server.secret));
	close_one(&client);
	close_one(&server);
}

/* ---- X25519 ---- */

static void x25519_gives(const char *private_key, const char *peer_value, const char *secret)
{
	gives(&agreement_x25519, NULL, HEX(private_key), HEX(peer_value), HEX(secret));
}

/* RFC 7748 §5.2, §6.1 */
static void test_x25519_vectors(void **state)
{
	(void)state;
	x25519_gives("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
	    "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
	    "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
	x25519_gives("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
	    "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
	    "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957");
	x25519_gives("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
	    "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
	    "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
}

static void test_x25519_shows_its_public_key(void **state)
{
	(void)state;
	struct one o;

	open_with(&o, &agreement_x25519, NULL,
	    HEX("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"));
	o.kind->client_value(o.a, &o.value);
	assert_bytes(wr_span(&o.value),
	    HEX("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"));
	close_one(&o);
}

/* RFC 7748 §6.1, RFC 8731 §3: the points that make the secret zero whatever the key is. */
static void test_x25519_refuses_small_orders(void **state)
{
	(void)state;
	static const char *const points[] = {
	    "0000000000000000000000000000000000000000000000000000000000000000",
	    "0100000000000000000000000000000000000000000000000000000000000000",
	    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
	    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f11d7", /* the top bit is none */
	    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};

	for (size_t i = 0; i < ARRAY_LEN(points); i++)
		refuses(&agreement_x25519, NULL, HEX(points[i]));
}

/* RFC 7748 §5: the top bit is ignored, values of p and above are taken modulo p, points of the twist are as good as others;
 * and a secret may begin with a zero byte. Computed by that section's formulas, apart from any library. */
static void test_x25519_takes_odd_values(void **state)
{
	(void)state;
	static const struct {
		const char *value, *secret;
	} cases[] = {
	    {"0200000000000000000000000000000000000000000000000000000000000000",
		"71cacba0b65daf53ddf9c21fb434bc58ee5cfa3954d1b642fc5155048f03466f"},
	    {"0200000000000000000000000000000000000000000000000000000000000080",
		"71cacba0b65daf53ddf9c21fb434bc58ee5cfa3954d1b642fc5155048f03466f"},
	    {"efffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"71cacba0b65daf53ddf9c21fb434bc58ee5cfa3954d1b642fc5155048f03466f"},
	    {"ebffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"db1808f6abcb049329d5a22f3b14b9d0dfb8c065f6b4795bfda27254ee01c44e"},
	    {"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"76b00406ce7e87774c0038dd8d89b188047977f8828ca1dcb8f98bb5d5d0cf48"},
	    {"0900000000000000000000000000000000000000000000000000000000000080",
		"1c9fd88f45606d932a80c71824ae151d15d73e77de38e8e000852e614fae7019"},
	    {"06b2d82840e43ed8432b3f444de18b57dbe60637c99379c708aa8e66de83dbc1",
		"003947078b9f07a30161c1c71156d911c1687b74ad6d489b9b371fb21768cc6f"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		x25519_gives("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
		    cases[i].value, cases[i].secret);
}

static void test_x25519_refuses_other_lengths(void **state)
{
	(void)state;
	uint8_t bytes[33] = {9};

	refuses(&agreement_x25519, NULL, SPAN(bytes, 0));
	refuses(&agreement_x25519, NULL, SPAN(bytes, 31));
	refuses(&agreement_x25519, NULL, SPAN(bytes, 33));
}

/* ---- ECDH ---- */

#define P256_X "700c48f77f56584c5cc632ca65640db91b6bacce3a4df6b42ce7cc838833d287"
#define P256_Y "db71e509e3fd9b060ddb20ba5c51dcc5948d46fbf640dfe0441782cab85fa4ac"

/* NIST CAVS, "ECC CDH Primitive", the first of each curve. */
static void test_ecdh_vectors(void **state)
{
	(void)state;
	gives(&agreement_ecdh, &agreement_p256,
	    HEX("7d7dc5f71eb29ddaf80d6214632eeae03d9058af1fb6d22ed80badb62bc1a534"),
	    HEX("04" P256_X P256_Y),
	    HEX("46fc62106420ff012e54a434fbdd2d25ccc5852060561e68040dd7778997bd7b"));
	gives(&agreement_ecdh, &agreement_p384,
	    HEX("3cc3122a68f0d95027ad38c067916ba0eb8c38894d22e1b15618b6818a661774"
		"ad463b205da88cf699ab4d43c9cf98a1"),
	    HEX("04a7c76b970c3b5fe8b05d2838ae04ab47697b9eaf52e764592efda27fe7513272"
		"734466b400091adbf2d68c58e0c50066"
		"ac68f19f2e1cb879aed43a9969b91a0839c4c38a49749b661efedf243451915e"
		"d0905a32b060992b468c64766fc8437a"),
	    HEX("5f9d29dc5e31a163060356213669c8ce132e22f57c9a04f40ba7fcead493b457"
		"e5621e766c40a2e3d4d6a04b25e533f1"));
	gives(&agreement_ecdh, &agreement_p521,
	    HEX("017eecc07ab4b329068fba65e56a1f8890aa935e57134ae0ffcce802735151f4"
		"eac6564f6ee9974c5e6887a1fefee5743ae2241bfeb95d5ce31ddcb6f9edb4d6fc47"),
	    HEX("0400685a48e86c79f0f0875f7bc18d25eb5fc8c0b07e5da4f4370f3a9490340854"
		"334b1e1b87fa395464c60626124a4e70d0f785601d37c09870ebf176666877a2046d"
		"01ba52c56fc8776d9e8f5db4f0cc27636d0b741bbe05400697942e80b739884a"
		"83bde99e0f6716939e632bc8986fa18dccd443a348b6c3e522497955a4f3c302f676"),
	    HEX("005fc70477c3e63bc3954bd0df3ea0d1f41ee21746ed95fc5e1fdf90930d5e13"
		"6672d72cc770742d1711c3c3a4c334a0ad9759436a4d3c5bf6e74b9578fac148c831"));
}

#define P256_SCALAR "7d7dc5f71eb29ddaf80d6214632eeae03d9058af1fb6d22ed80badb62bc1a534"

/* Computed by the curve's equation, apart from any library. */
static void test_ecdh_takes_odd_points(void **state)
{
	(void)state;
	/* a secret that begins with two zero bytes: it keeps the field's length */
	gives(&agreement_ecdh, &agreement_p256, HEX(P256_SCALAR),
	    HEX("04b9aa0fee6c50809dd2f44e4fe59e5d2b31e6b25253ca7ce33b57ae4aa20b4d98"
		"a628104e2fef48ebcfaeb1e9f5fe0f375c52087058b9dcc49ed724a61c17c55f"),
	    HEX("00008e2d41dd00e10d563afe6e39a385e5cfad5fa0e47d857f42fbe7c0eaf313"));
	/* the point with x = 0 */
	gives(&agreement_ecdh, &agreement_p256, HEX(P256_SCALAR),
	    HEX("040000000000000000000000000000000000000000000000000000000000000000"
		"66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4"),
	    HEX("0de74ef396108923bf0490c97cbf4e45fdf00f6ad7aef20b7f7ceb4906acd810"));
}

static void test_ecdh_refuses_what_is_no_point(void **state)
{
	(void)state;
	uint8_t point[66];

	from_hex("04" P256_X P256_Y, point, sizeof(point));
	refuses(&agreement_ecdh, &agreement_p256, SPAN(point, 0));
	refuses(&agreement_ecdh, &agreement_p256, SPAN(point, 64));
	refuses(&agreement_ecdh, &agreement_p256, SPAN(point, 66));
	refuses(&agreement_ecdh, &agreement_p384, SPAN(point, 65));
	point[64] ^= 1; /* off the curve */
	refuses(&agreement_ecdh, &agreement_p256, SPAN(point, 65));
	point[64] ^= 1;
	point[0] = 0x02; /* compressed, in name */
	refuses(&agreement_ecdh, &agreement_p256, SPAN(point, 65));
	refuses(&agreement_ecdh, &agreement_p256, HEX("02" P256_X)); /* and in fact */
	refuses(&agreement_ecdh, &agreement_p256, HEX("00"));        /* infinity */
	memset(point, 0, sizeof(point));
	point[0] = 0x04;
	refuses(&agreement_ecdh, &agreement_p256, SPAN(point, 65));
	memset(point + 1, 0xff, 64);
	refuses(&agreement_ecdh, &agreement_p256, SPAN(point, 65));
	/* a point in all but that its x of 5 is written as p + 5 */
	refuses(&agreement_ecdh, &agreement_p256,
	    HEX("04ffffffff00000001000000000000000000000001000000000000000000000004"
		"459243b9aa581806fe913bce99817ade11ca503c64d9a3c533415c083248fbcc"));
}

/* ---- Diffie-Hellman ---- */

static const struct agreement_group *const groups[] = {
    &agreement_group14, &agreement_group16, &agreement_group18};

static BIGNUM *prime_of(const struct agreement_group *group)
{
	struct wr w = WR_INIT;
	struct rd r;

	agreement_group_write(group, &w);
	rd_init(&r, wr_span(&w));
	struct span prime = rd_mpint(&r);
	struct span generator = rd_mpint(&r);
	assert_int_equal(rd_end(&r), 0);
	assert_bytes(generator, HEX("02"));
	BIGNUM *p = BN_bin2bn(prime.p, (int)prime.n, NULL);
	wr_clear(&w);
	return p;
}

/* 2^(n-1) = 1 modulo n: what is not prime fails that but for very few numbers. A whole test of 8,192 bits takes a minute. */
static bool is_probably_prime(const BIGNUM *n)
{
	BN_CTX *ctx = BN_CTX_new();
	BIGNUM *two = BN_new(), *less = BN_dup(n), *result = BN_new();

	BN_set_word(two, 2);
	BN_sub_word(less, 1);
	assert_int_equal(BN_mod_exp(result, two, less, n, ctx), 1);
	bool prime = BN_is_one(result);
	BN_free(two);
	BN_free(less);
	BN_free(result);
	BN_CTX_free(ctx);
	return prime;
}

static void test_the_groups_have_safe_primes(void **state)
{
	(void)state;
	static const int bits[] = {2048, 4096, 8192};

	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		BIGNUM *p = prime_of(groups[i]);
		BIGNUM *half = BN_new();

		assert_int_equal(BN_num_bits(p), bits[i]);
		assert_true(is_probably_prime(p));
		BN_rshift1(half, p);
		assert_true(is_probably_prime(half));
		BN_free(half);
		BN_free(p);
	}
}

static void refuses_number(const struct agreement_group *group, const BIGNUM *n)
{
	uint8_t bytes[2048];
	int size = BN_bn2bin(n, bytes);

	refuses(&agreement_dh, group, SPAN(bytes, (size_t)size));
}

static void test_dh_refuses_what_is_out_of_range(void **state)
{
	(void)state;
	BIGNUM *p = prime_of(&agreement_group14);
	BIGNUM *n = BN_new();

	refuses(&agreement_dh, &agreement_group14, SPAN("", 0));
	refuses(&agreement_dh, &agreement_group14, HEX("00"));
	refuses(&agreement_dh, &agreement_group14, HEX("01"));
	BN_copy(n, p);
	BN_sub_word(n, 1);
	refuses_number(&agreement_group14, n); /* p - 1: order 2 */
	refuses_number(&agreement_group14, p);
	BN_copy(n, p);
	BN_add_word(n, 1);
	refuses_number(&agreement_group14, n);
	BN_lshift(n, p, 64);
	refuses_number(&agreement_group14, n);
	/* A real value, one byte too long though it is a zero at its end. */
	BN_set_word(n, 4);
	BN_lshift(n, n, 2048);
	refuses_number(&agreement_group14, n);
	BN_free(n);
	BN_free(p);
}

/* g^x and (g^y)^x, computed apart. */
static void test_dh_does_what_it_is_called(void **state)
{
	(void)state;
	BN_CTX *ctx = BN_CTX_new();
	BIGNUM *p = prime_of(&agreement_group14), *x = BN_new(), *theirs = BN_new(), *n = BN_new();
	uint8_t expected[256], peer[256];
	struct one o;

	BN_set_word(x, 123456789);
	BN_set_word(n, 2);
	BN_mod_exp(n, n, x, p, ctx);
	BN_bn2binpad(n, expected, sizeof(expected));
	open_with(&o, &agreement_dh, &agreement_group14, HEX("075bcd15"));
	o.kind->client_value(o.a, &o.value);
	assert_bytes(wr_span(&o.value), SPAN(expected, sizeof(expected)));
	close_one(&o);

	BN_set_word(theirs, 987654321);
	BN_bn2binpad(theirs, peer, sizeof(peer));
	BN_mod_exp(n, theirs, x, p, ctx);
	BN_bn2binpad(n, expected, sizeof(expected));
	gives(&agreement_dh, &agreement_group14, HEX("075bcd15"), SPAN(peer, sizeof(peer)),
	    SPAN(expected, sizeof(expected)));
	BN_free(p);
	BN_free(x);
	BN_free(theirs);
	BN_free(n);
	BN_CTX_free(ctx);
}

static int check_group(const BIGNUM *p, const BIGNUM *g)
{
	uint8_t prime[2048], generator[2048];
	int prime_size = BN_bn2bin(p, prime);
	int generator_size = BN_bn2bin(g, generator);

	return agreement_group_check(
	    SPAN(prime, (size_t)prime_size), SPAN(generator, (size_t)generator_size), NULL);
}

static void test_a_servers_group_is_checked(void **state)
{
	(void)state;
	BIGNUM *p = BN_new(), *g = BN_new();

	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		BIGNUM *good = prime_of(groups[i]);

		BN_set_word(g, 2);
		assert_int_equal(check_group(good, g), 0);
		BN_set_word(g, 0);
		assert_int_equal(check_group(good, g), ERR_PEER);
		BN_set_word(g, 1);
		assert_int_equal(check_group(good, g), ERR_PEER);
		BN_copy(g, good);
		assert_int_equal(check_group(good, g), ERR_PEER);
		BN_sub_word(g, 1);
		assert_int_equal(check_group(good, g), ERR_PEER);
		BN_sub_word(g, 1);
		assert_int_equal(check_group(good, g), 0);
		BN_set_word(g, 2);
		BN_sub_word(good, 1);
		assert_int_equal(check_group(good, g), ERR_PEER); /* even */
		BN_free(good);
	}
	BN_one(p);
	BN_lshift(p, p, 2046); /* 2,047 bits */
	BN_add_word(p, 1);
	assert_int_equal(check_group(p, g), ERR_PEER);
	BN_one(p);
	BN_lshift(p, p, 8192); /* 8,193 bits */
	BN_add_word(p, 1);
	assert_int_equal(check_group(p, g), ERR_PEER);
	assert_int_equal(agreement_group_check(SPAN("", 0), SPAN("", 0), NULL), ERR_PEER);
	BN_free(p);
	BN_free(g);
}

static void test_a_server_has_a_group_of_that_size(void **state)
{
	(void)state;
	assert_ptr_equal(agreement_group_for(2048, 2048, 8192), &agreement_group14);
	assert_ptr_equal(agreement_group_for(2048, 3072, 8192), &agreement_group16);
	assert_ptr_equal(agreement_group_for(2048, 8192, 8192), &agreement_group18);
	assert_ptr_equal(agreement_group_for(2048, 3072, 3072), &agreement_group14);
	assert_null(agreement_group_for(2049, 3000, 3072));
	assert_null(agreement_group_for(9000, 9000, 9000));
	assert_null(agreement_group_for(512, 1024, 1536));
}

/* ---- hybrids ---- */

/* A key encapsulation that anybody can compute: what is tested is how it is put together with the other half. */
#define TOY_PUBLIC "public"
#define TOY_CIPHERTEXT "ciphered"
#define TOY_SECRET "secretsecretsecretsecretsecret32"

static bool toy_is_available(void)
{
	return true;
}

static void *toy_new_key(uint8_t *public)
{
	memcpy(public, TOY_PUBLIC, strlen(TOY_PUBLIC));
	return mem_alloc(1);
}

static bool toy_encapsulate(const uint8_t *public, uint8_t *ciphertext, uint8_t *secret)
{
	memcpy(ciphertext, TOY_CIPHERTEXT, strlen(TOY_CIPHERTEXT));
	memcpy(secret, TOY_SECRET, strlen(TOY_SECRET));
	return memcmp(public, TOY_PUBLIC, strlen(TOY_PUBLIC)) == 0;
}

static bool toy_decapsulate(void *key, const uint8_t *ciphertext, uint8_t *secret)
{
	memcpy(secret, TOY_SECRET, strlen(TOY_SECRET));
	return key && memcmp(ciphertext, TOY_CIPHERTEXT, strlen(TOY_CIPHERTEXT)) == 0;
}

static const struct agreement_kem toy = {
    .name = "toy",
    .public_size = sizeof(TOY_PUBLIC) - 1,
    .ciphertext_size = sizeof(TOY_CIPHERTEXT) - 1,
    .secret_size = sizeof(TOY_SECRET) - 1,
    .is_available = toy_is_available,
    .new_key = toy_new_key,
    .free_key = free,
    .encapsulate = toy_encapsulate,
    .decapsulate = toy_decapsulate,
};
static const struct agreement_hybrid toy_x25519 = {
    .kem = &toy, .classical = &agreement_x25519, .classical_size = 32, .digest = "SHA256"};

#define BOB_PRIVATE "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"
#define BOB_PUBLIC "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
#define ALICE_PUBLIC "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
#define THEIR_SECRET "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"

/* The encapsulation first, in the values and under the digest. */
static void test_a_hybrid_has_the_encapsulation_first(void **state)
{
	(void)state;
	uint8_t both[64], digest[32], value[256];
	struct one o;

	memcpy(both, TOY_SECRET, 32);
	from_hex(THEIR_SECRET, both + 32, 32);
	assert_int_equal(EVP_Digest(both, sizeof(both), digest, NULL, EVP_sha256(), NULL), 1);

	/* client */
	open_with(&o, &agreement_hybrid, &toy_x25519, HEX(BOB_PRIVATE));
	o.kind->client_value(o.a, &o.value);
	memcpy(value, TOY_PUBLIC, 6);
	from_hex(BOB_PUBLIC, value + 6, 32);
	assert_bytes(wr_span(&o.value), SPAN(value, 6 + 32));
	memcpy(value, TOY_CIPHERTEXT, 8);
	from_hex(ALICE_PUBLIC, value + 8, 32);
	assert_int_equal(o.kind->client_secret(o.a, SPAN(value, 8 + 32), &o.secret, &o.e), 0);
	assert_bytes(wr_span(&o.secret), SPAN(digest, sizeof(digest)));
	close_one(&o);

	/* server */
	open_with(&o, &agreement_hybrid, &toy_x25519, HEX(BOB_PRIVATE));
	memcpy(value, TOY_PUBLIC, 6);
	from_hex(ALICE_PUBLIC, value + 6, 32);
	assert_int_equal(
	    o.kind->server_answer(o.a, SPAN(value, 6 + 32), &o.value, &o.secret, &o.e), 0);
	assert_bytes(wr_span(&o.secret), SPAN(digest, sizeof(digest)));
	memcpy(value, TOY_CIPHERTEXT, 8);
	from_hex(BOB_PUBLIC, value + 8, 32);
	assert_bytes(wr_span(&o.value), SPAN(value, 8 + 32));
	close_one(&o);
}

static int client_takes(const struct agreement_hybrid *hybrid, struct span server_value)
{
	struct one o;

	open_with(&o, &agreement_hybrid, hybrid, SPAN("", 0));
	o.kind->client_value(o.a, &o.value);
	int rc = o.kind->client_secret(o.a, server_value, &o.secret, &o.e);
	assert_int_equal(o.secret.n != 0, rc == 0);
	close_one(&o);
	return rc;
}

static int server_takes(const struct agreement_hybrid *hybrid, struct span client_value)
{
	struct one o;

	open_with(&o, &agreement_hybrid, hybrid, SPAN("", 0));
	int rc = o.kind->server_answer(o.a, client_value, &o.value, &o.secret, &o.e);
	assert_int_equal(o.secret.n != 0, rc == 0);
	assert_int_equal(o.value.n != 0, rc == 0);
	close_one(&o);
	return rc;
}

static void test_both_halves_of_a_hybrid_must_be_right(void **state)
{
	(void)state;
	uint8_t value[64] = {0};

	memcpy(value, TOY_CIPHERTEXT, 8);
	from_hex(ALICE_PUBLIC, value + 8, 32);
	assert_int_equal(client_takes(&toy_x25519, SPAN(value, 40)), 0);
	assert_int_equal(client_takes(&toy_x25519, SPAN(value, 39)), ERR_PEER);
	assert_int_equal(client_takes(&toy_x25519, SPAN(value, 41)), ERR_PEER);
	assert_int_equal(client_takes(&toy_x25519, SPAN(value, 0)), ERR_PEER);
	value[0] ^= 1;
	assert_int_equal(client_takes(&toy_x25519, SPAN(value, 40)), ERR_PEER);
	value[0] ^= 1;
	memset(value + 8, 0, 32);
	assert_int_equal(client_takes(&toy_x25519, SPAN(value, 40)), ERR_PEER);

	memcpy(value, TOY_PUBLIC, 6);
	from_hex(ALICE_PUBLIC, value + 6, 32);
	assert_int_equal(server_takes(&toy_x25519, SPAN(value, 38)), 0);
	assert_int_equal(server_takes(&toy_x25519, SPAN(value, 37)), ERR_PEER);
	assert_int_equal(server_takes(&toy_x25519, SPAN(value, 39)), ERR_PEER);
	value[0] ^= 1;
	assert_int_equal(server_takes(&toy_x25519, SPAN(value, 38)), ERR_PEER);
	value[0] ^= 1;
	memset(value + 6, 0, 32);
	assert_int_equal(server_takes(&toy_x25519, SPAN(value, 38)), ERR_PEER);
}

/* ---- the real encapsulations, where they are ---- */

static void kem_round_trip(const struct agreement_kem *kem)
{
	uint8_t *public = mem_alloc(kem->public_size);
	uint8_t *ciphertext = mem_alloc(kem->ciphertext_size);
	uint8_t ours[32], theirs[32];
	void *key = kem->new_key(public);

	assert_int_equal(kem->secret_size, 32);
	assert_true(kem->encapsulate(public, ciphertext, theirs));
	assert_true(kem->decapsulate(key, ciphertext, ours));
	assert_memory_equal(ours, theirs, 32);
	/* Implicit rejection: what was tampered with opens to something else. */
	ciphertext[100] ^= 1;
	if (kem->decapsulate(key, ciphertext, ours))
		assert_memory_not_equal(ours, theirs, 32);
	kem->free_key(key);
	free(public);
	free(ciphertext);
}

static void test_mlkem768(void **state)
{
	(void)state;
	uint8_t *value;
	static const struct agreement_hybrid hybrid = {.kem = &kem_mlkem768,
	    .classical = &agreement_x25519,
	    .classical_size = 32,
	    .digest = "SHA256"};

	if (!kem_mlkem768.is_available()) {
		print_message("OpenSSL has no ML-KEM here\n");
		skip();
	}
	assert_int_equal(kem_mlkem768.public_size, 1184);
	assert_int_equal(kem_mlkem768.ciphertext_size, 1088);
	for (size_t i = 0; i < 20; i++)
		kem_round_trip(&kem_mlkem768);
	agree(&agreement_hybrid, &hybrid);
	/* Coefficients of 4,095 are not below 3,329 (FIPS 203 §7.2). */
	value = mem_alloc(1184 + 32);
	memset(value, 0xff, 1184);
	from_hex(ALICE_PUBLIC, value + 1184, 32);
	assert_int_equal(server_takes(&hybrid, SPAN(value, 1184 + 32)), ERR_PEER);
	free(value);
}

/* ---- ML-KEM-768 as FIPS 203 has it ---- */

/* C2SP's vector with an unlucky sample: d and z of the key, m of the encapsulation, what comes of them. Of the long values the
 * ends. */
#define MLKEM_D "82c4a361586b9715c2375a45fb85c32d04be7fe6e26acd820ec5d4080093afe1"
#define MLKEM_Z "8476013560151d986dc7834dcb57c75f845f8d7ee71558d0955f3f4feb723cf2"
#define MLKEM_M "e48f74ad416e99631003ded1478aec62a02c245d88ed7f2fae92aedf13ca03b3"
#define MLKEM_K "4f7cc64c040fc4e335a539691f4638caf8b1bf5da6455754afe699e41813801b"
#define MLKEM_EK_BEGIN "ad568015b87690ebbe1fb438ee8a22b9ac4379a12422e34037c231341c316bc0"
#define MLKEM_EK_END "c6441a1b78f1bdd9b13626b9f21b7c6161"
#define MLKEM_C_BEGIN "696ef1699d5ac2aa9a012a64c60c6c214dcedec75ff87fb3a5850044202a790b"
#define MLKEM_C_END "3294ee0371019b134559be391c29d990f82f8a1dd4a715"

static void assert_ends(const uint8_t *value, size_t n, const char *begin, const char *end)
{
	struct span first = HEX(begin), last = HEX(end);

	assert_bytes(SPAN(value, first.n), first);
	assert_bytes(SPAN(value + n - last.n, last.n), last);
}

static EVP_PKEY *mlkem_key_of_seed(void)
{
	struct span seed = HEX(MLKEM_D MLKEM_Z);
	OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string("seed", (void *)seed.p, seed.n),
	    OSSL_PARAM_construct_end()};
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "ML-KEM-768", NULL);
	EVP_PKEY *key = NULL;

	assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
	assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params), 1);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

/* kem_mlkem768.encapsulate() draws m; here it is the vector's. */
static void mlkem_encapsulate_with_m(EVP_PKEY *key, uint8_t *ciphertext, uint8_t *secret)
{
	struct span m = HEX(MLKEM_M);
	OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string("ikme", (void *)m.p, m.n),
	    OSSL_PARAM_construct_end()};
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	size_t ciphertext_size = 1088, secret_size = 32;

	assert_int_equal(EVP_PKEY_encapsulate_init(ctx, params), 1);
	assert_int_equal(
	    EVP_PKEY_encapsulate(ctx, ciphertext, &ciphertext_size, secret, &secret_size), 1);
	EVP_PKEY_CTX_free(ctx);
}

/* FIPS 203 §6.3: J(z || c), which is SHAKE256. */
static void mlkem_reject(const uint8_t *ciphertext, uint8_t *secret)
{
	struct span z = HEX(MLKEM_Z);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	assert_int_equal(EVP_DigestInit_ex(ctx, EVP_shake256(), NULL), 1);
	assert_int_equal(EVP_DigestUpdate(ctx, z.p, z.n), 1);
	assert_int_equal(EVP_DigestUpdate(ctx, ciphertext, 1088), 1);
	assert_int_equal(EVP_DigestFinalXOF(ctx, secret, 32), 1);
	EVP_MD_CTX_free(ctx);
}

static void test_mlkem768_vector(void **state)
{
	(void)state;
	uint8_t public[1184], ciphertext[1088], secret[32], expected[32];
	size_t n;

	if (!kem_mlkem768.is_available())
		skip();
	EVP_PKEY *key = mlkem_key_of_seed();
	assert_int_equal(
	    EVP_PKEY_get_octet_string_param(key, "pub", public, sizeof(public), &n), 1);
	assert_ends(public, sizeof(public), MLKEM_EK_BEGIN, MLKEM_EK_END);
	mlkem_encapsulate_with_m(key, ciphertext, secret);
	assert_ends(ciphertext, sizeof(ciphertext), MLKEM_C_BEGIN, MLKEM_C_END);
	assert_bytes(SPAN(secret, 32), HEX(MLKEM_K));

	memset(secret, 0, sizeof(secret));
	assert_true(kem_mlkem768.decapsulate(key, ciphertext, secret));
	assert_bytes(SPAN(secret, 32), HEX(MLKEM_K));
	for (size_t at = 0; at < sizeof(ciphertext); at += sizeof(ciphertext) - 1) {
		ciphertext[at] ^= 0x80;
		mlkem_reject(ciphertext, expected);
		assert_true(kem_mlkem768.decapsulate(key, ciphertext, secret));
		assert_memory_equal(secret, expected, 32);
		ciphertext[at] ^= 0x80;
	}
	kem_mlkem768.free_key(key);
}

static void test_sntrup761(void **state)
{
	(void)state;
	static const struct agreement_hybrid hybrid = {.kem = &kem_sntrup761,
	    .classical = &agreement_x25519,
	    .classical_size = 32,
	    .digest = "SHA512"};

	if (!kem_sntrup761.is_available()) {
		print_message("built without libntruprime\n");
		skip();
	}
	assert_int_equal(kem_sntrup761.public_size, 1158);
	assert_int_equal(kem_sntrup761.ciphertext_size, 1039);
	for (size_t i = 0; i < 20; i++)
		kem_round_trip(&kem_sntrup761);
	agree(&agreement_hybrid, &hybrid);
}

static void test_both_sides_agree(void **state)
{
	(void)state;
	agree(&agreement_x25519, NULL);
	agree(&agreement_ecdh, &agreement_p256);
	agree(&agreement_ecdh, &agreement_p384);
	agree(&agreement_ecdh, &agreement_p521);
	agree(&agreement_hybrid, &toy_x25519);
	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		agree(&agreement_dh, groups[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_x25519_vectors),
	    cmocka_unit_test(test_x25519_shows_its_public_key),
	    cmocka_unit_test(test_x25519_refuses_small_orders),
	    cmocka_unit_test(test_x25519_takes_odd_values),
	    cmocka_unit_test(test_x25519_refuses_other_lengths),
	    cmocka_unit_test(test_ecdh_vectors),
	    cmocka_unit_test(test_ecdh_takes_odd_points),
	    cmocka_unit_test(test_ecdh_refuses_what_is_no_point),
	    cmocka_unit_test(test_the_groups_have_safe_primes),
	    cmocka_unit_test(test_dh_refuses_what_is_out_of_range),
	    cmocka_unit_test(test_dh_does_what_it_is_called),
	    cmocka_unit_test(test_a_servers_group_is_checked),
	    cmocka_unit_test(test_a_server_has_a_group_of_that_size),
	    cmocka_unit_test(test_a_hybrid_has_the_encapsulation_first),
	    cmocka_unit_test(test_both_halves_of_a_hybrid_must_be_right),
	    cmocka_unit_test(test_mlkem768),
	    cmocka_unit_test(test_mlkem768_vector),
	    cmocka_unit_test(test_sntrup761),
	    cmocka_unit_test(test_both_sides_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
