#include "ssh/bcrypt_pbkdf.h"

#include <pthread.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/sha.h>

#include "base/mem.h"
#include "base/secret.h"

/* ---- Blowfish (Schneier 1993), as far as bcrypt needs it ---- */

#define ROUNDS 16
#define P_WORDS (ROUNDS + 2)
#define S_WORDS (4 * 256)

struct blowfish {
	uint32_t p[P_WORDS];
	uint32_t s[S_WORDS]; /* four boxes, one after another */
};

/* scale / n, minus the third of scale / n³, plus the fifth, ...: scale · arctan(1/n). Gives. */
static BIGNUM *arctan_of_inverse(const BIGNUM *scale, BN_ULONG n)
{
	BIGNUM *power = BN_dup(scale), *term = BN_new(), *sum = BN_new();
	bool good =
	    power && term && sum && BN_div_word(power, n) != (BN_ULONG)-1 && BN_copy(sum, power);

	for (BN_ULONG k = 3; good && !BN_is_zero(power); k += 2) {
		good = BN_div_word(power, n * n) != (BN_ULONG)-1 && BN_copy(term, power) &&
		       BN_div_word(term, k) != (BN_ULONG)-1 &&
		       ((k & 2) ? BN_sub(sum, sum, term) : BN_add(sum, sum, term));
	}
	BN_free(power);
	BN_free(term);
	if (good)
		return sum;
	BN_free(sum);
	return NULL;
}

/* Blowfish begins with the binary digits of pi after the point: 33,344 of them, which are sooner computed than carried. Machin:
 * pi = 16 arctan(1/5) - 4 arctan(1/239). A few dozen milliseconds, once in the life of a process that has an encrypted
 * key. False when memory is out. */
static bool compute_initial_state(struct blowfish *state)
{
	enum { DIGITS = 32 * (P_WORDS + S_WORDS), GUARD = 64 };
	uint8_t bytes[DIGITS / 8];
	BIGNUM *scale = BN_new(), *a = NULL, *b = NULL;
	bool good = false;

	if (scale && BN_set_bit(scale, DIGITS + GUARD)) {
		a = arctan_of_inverse(scale, 5);
		b = arctan_of_inverse(scale, 239);
	}
	if (a && b && BN_lshift(a, a, 4) && BN_lshift(b, b, 2) && BN_sub(a, a, b) &&
	    BN_rshift(a, a, GUARD) && BN_mask_bits(a, DIGITS) &&
	    BN_bn2binpad(a, bytes, sizeof(bytes)) == (int)sizeof(bytes)) {
		for (size_t i = 0; i < P_WORDS; i++)
			state->p[i] = get_u32(bytes + 4 * i);
		for (size_t i = 0; i < S_WORDS; i++)
			state->s[i] = get_u32(bytes + 4 * (P_WORDS + i));
		good = true;
	}
	BN_free(scale);
	BN_free(a);
	BN_free(b);
	return good;
}

static struct blowfish pi;
static bool pi_is_known;

static void compute_pi(void)
{
	pi_is_known = compute_initial_state(&pi);
}

/* Keys are opened in threads, too. */
static const struct blowfish *initial_state(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, compute_pi);
	return pi_is_known ? &pi : NULL;
}

static inline uint32_t mix(const struct blowfish *b, uint32_t x)
{
	uint32_t sum = b->s[x >> 24] + b->s[256 + (x >> 16 & 0xff)];

	return (sum ^ b->s[512 + (x >> 8 & 0xff)]) + b->s[768 + (x & 0xff)];
}

static void encrypt_block(const struct blowfish *b, uint32_t block[2])
{
	uint32_t left = block[0], right = block[1];

	for (size_t i = 0; i < ROUNDS; i += 2) {
		left ^= b->p[i];
		right ^= mix(b, left) ^ b->p[i + 1];
		left ^= mix(b, right);
	}
	block[0] = right ^ b->p[ROUNDS + 1];
	block[1] = left ^ b->p[ROUNDS];
}

/* ---- bcrypt's schedule; keys and salts are SHA-512 hashes here ---- */

#define HASH_WORDS (SHA512_DIGEST_LENGTH / 4)

struct hash {
	uint32_t words[HASH_WORDS];
};

static struct hash hash_bytes(struct span a, struct span b)
{
	uint8_t bytes[SHA512_DIGEST_LENGTH];
	struct hash hash;
	struct wr input = WR_INIT_SECRET;

	wr_span_bytes(&input, a);
	wr_span_bytes(&input, b);
	struct span all = wr_span(&input);
	SHA512(all.p, all.n, bytes);
	for (size_t i = 0; i < HASH_WORDS; i++)
		hash.words[i] = get_u32(bytes + 4 * i);
	wr_clear(&input);
	secret_wipe(bytes, sizeof(bytes));
	return hash;
}

static void mix_key(struct blowfish *b, const struct hash *key)
{
	for (size_t i = 0; i < P_WORDS; i++)
		b->p[i] ^= key->words[i % HASH_WORDS];
}

/* Replaces the tables by the cipher's own output; salt is mixed in block by block, or is NULL. */
static void replace_tables(struct blowfish *b, const struct hash *salt)
{
	uint32_t block[2] = {0, 0};
	size_t next = 0;

	for (size_t i = 0; i < P_WORDS + S_WORDS; i += 2) {
		if (salt) {
			block[0] ^= salt->words[next % HASH_WORDS];
			block[1] ^= salt->words[(next + 1) % HASH_WORDS];
			next += 2;
		}
		encrypt_block(b, block);
		uint32_t *to = i < P_WORDS ? b->p + i : b->s + (i - P_WORDS);
		to[0] = block[0];
		to[1] = block[1];
	}
}

#define OUTPUT_BYTES 32
#define OUTPUT_WORDS (OUTPUT_BYTES / 4)

static void bcrypt_hash(
    const struct hash *passphrase, const struct hash *salt, uint8_t out[OUTPUT_BYTES])
{
	static const char text[OUTPUT_BYTES + 1] = "OxychromaticBlowfishSwatDynamite";
	struct blowfish b = *initial_state();
	uint32_t words[OUTPUT_WORDS];

	mix_key(&b, passphrase);
	replace_tables(&b, salt);
	for (int i = 0; i < 64; i++) {
		mix_key(&b, salt);
		replace_tables(&b, NULL);
		mix_key(&b, passphrase);
		replace_tables(&b, NULL);
	}
	for (size_t i = 0; i < OUTPUT_WORDS; i++)
		words[i] = get_u32((const uint8_t *)text + 4 * i);
	for (size_t i = 0; i < OUTPUT_WORDS; i += 2)
		for (int k = 0; k < 64; k++)
			encrypt_block(&b, words + i);
	for (size_t i = 0; i < OUTPUT_BYTES; i++) /* little-endian, unlike all the rest */
		out[i] = (uint8_t)(words[i / 4] >> 8 * (i % 4));
	secret_wipe(&b, sizeof(b));
	secret_wipe(words, sizeof(words));
}

/* ---- PBKDF2's frame ---- */

static bool is_stopped(const atomic_bool *stop)
{
	return stop && atomic_load(stop);
}

/* One block of output: the XOR of a chain of hashes that begins with the salt and the block's number. False: stopped. */
static bool derive_block(const struct hash *passphrase, struct span salt, uint32_t number,
    uint32_t rounds, const atomic_bool *stop, uint8_t *out)
{
	uint8_t count[4], link[OUTPUT_BYTES];

	put_u32(count, number);
	struct hash hashed = hash_bytes(salt, SPAN(count, sizeof(count)));
	bcrypt_hash(passphrase, &hashed, link);
	memcpy(out, link, OUTPUT_BYTES);
	for (uint32_t i = 1; i < rounds && !is_stopped(stop); i++) {
		hashed = hash_bytes(SPAN(link, sizeof(link)), SPAN("", 0));
		bcrypt_hash(passphrase, &hashed, link);
		for (size_t k = 0; k < OUTPUT_BYTES; k++)
			out[k] ^= link[k];
	}
	secret_wipe(link, sizeof(link));
	secret_wipe(&hashed, sizeof(hashed));
	return !is_stopped(stop);
}

bool bcrypt_pbkdf(struct span passphrase, struct span salt, uint32_t rounds,
    const atomic_bool *stop, uint8_t *out, size_t n)
{
	uint8_t block[OUTPUT_BYTES];

	if (passphrase.n == 0 || salt.n == 0 || salt.n > 65536 || n == 0 ||
	    n > BCRYPT_PBKDF_OUTPUT_MAX || rounds == 0 || rounds > BCRYPT_PBKDF_ROUNDS_MAX ||
	    !initial_state())
		return false;
	struct hash hashed = hash_bytes(passphrase, SPAN("", 0));
	/* Unlike PBKDF2's, the bytes of the blocks are dealt out in turn, so that whoever wants only the first half must
	 * compute all. */
	size_t blocks = (n + OUTPUT_BYTES - 1) / OUTPUT_BYTES;
	bool done = true;
	for (size_t i = 0; i < blocks && done; i++) {
		done = derive_block(&hashed, salt, (uint32_t)i + 1, rounds, stop, block);
		for (size_t k = 0; i + k * blocks < n && k < OUTPUT_BYTES; k++)
			out[i + k * blocks] = block[k];
	}
	secret_wipe(&hashed, sizeof(hashed));
	secret_wipe(block, sizeof(block));
	return done;
}
