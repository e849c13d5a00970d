#include <stdlib.h>

#include "hex.h"

#include "base/mem.h"
#include "ssh/cipher.h"

/* The AEAD vectors were computed by a program of a few lines that shares nothing with OpenSSL, written from FIPS 197, SP 800-38D
 * and RFC 8439, and itself checked against the vectors of those. Their text is the 80 bytes from 0x30 on. */

#define TEXT_SIZE 80
static uint8_t text[TEXT_SIZE];
static uint8_t key[64];
static const uint8_t length_field[4] = {0, 0, 0, TEXT_SIZE};

static int fill(void **state)
{
	(void)state;
	for (size_t i = 0; i < TEXT_SIZE; i++)
		text[i] = (uint8_t)(0x30 + i);
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	return 0;
}

static const struct cipher_info *info_of(const char *name)
{
	const struct cipher_info *info = cipher_find(span_of(name));

	assert_non_null(info);
	return info;
}

struct sealed {
	uint8_t length[4];
	uint8_t text[TEXT_SIZE];
	uint8_t tag[CIPHER_TAG_SIZE_MAX];
};

static struct sealed seal(struct cipher *cipher, uint32_t sequence)
{
	struct sealed s;
	struct iovec piece = {text, TEXT_SIZE};

	cipher_seal_aead(cipher, sequence, length_field, s.length, &piece, 1, s.text, s.tag);
	return s;
}

static void assert_sealed(struct sealed s, const char *length, const char *body, const char *tag)
{
	assert_bytes(SPAN(s.length, 4), HEX(length));
	assert_bytes(SPAN(s.text, TEXT_SIZE), HEX(body));
	assert_bytes(SPAN(s.tag, 16), HEX(tag));
}

static const uint8_t gcm_iv[12] = {
    0xa0, 0xa1, 0xa2, 0xa3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe};

/* The counter wraps within its eight bytes and leaves the other four alone. */
static void test_gcm_counts_its_own_packets(void **state)
{
	(void)state;
	struct cipher *c = cipher_new(info_of("aes128-gcm@openssh.com"), CIPHER_SEAL, key, gcm_iv);

	assert_sealed(seal(c, 7), "00000050",
	    "d1ab249e1e9ab25294c7af01828a44bdcf856445d7b897afbd79889b036d6f6e"
	    "eee5e924970fe65806910c88ad3cbdc40e0e7204517634ba2a799bd64b3d7cb8"
	    "4875b3279bcb549fdec01385c07dbc0a",
	    "1b9adcb81d9d292b033b7ef7af69a279");
	assert_sealed(seal(c, 0), "00000050",
	    "e00240746af310f688b18e307661241a8b50b245b8be136cc9c060c156860e9b"
	    "3b22214073ecf5c22553575e64391bd8ad6836c07067b2153885af6d8ebf7e8f"
	    "0d9ee92f26a211073599726e670fbd3c",
	    "d3efd4f26ee397310bd5589e2f3a2d9d");
	assert_sealed(seal(c, 1), "00000050",
	    "ba6cfcae73ba02586bff10184df7459f2cc997b45725e53237f166e3b823cc20"
	    "e9a97594f5a082c7ca297e034a0ad7cd89a93972f4148463187f718227bcbc1e"
	    "a02515ea5c4af5b87afb7b351e2382e1",
	    "2b945b373782c25825af50d5084b219c");
	cipher_free(c);
}

static void test_aes256_gcm(void **state)
{
	(void)state;
	struct cipher *c = cipher_new(info_of("aes256-gcm@openssh.com"), CIPHER_SEAL, key, gcm_iv);

	assert_sealed(seal(c, 0), "00000050",
	    "d4213e20694da425e528c46a074448f710a1d0037c1d02fc1ba08633090a37c7"
	    "e5d04c92364cc0802ee34b2133a28661d718823b3eaa944f525bca2ad4cebf50"
	    "66cc760ae7c57c4bb963c854e4529c27",
	    "369fdae30f0dfeb3c8e79ccbf7f27d0b");
	cipher_free(c);
}

static void test_chachapoly_takes_the_sequence_number_as_nonce(void **state)
{
	(void)state;
	struct cipher *c =
	    cipher_new(info_of("chacha20-poly1305@openssh.com"), CIPHER_SEAL, key, NULL);

	assert_sealed(seal(c, 3), "fb1a92da",
	    "b0742e88067f9246b076c63187daa87c279d0e848498190043434c23edf8cf8d"
	    "298ce977573659b8d734aab18160f6b117612966ccd24bc03991b8b9da2adffa"
	    "450387659c359304d46581ff61723383",
	    "507e2305687cae99361e68de2a950b8d");
	assert_sealed(seal(c, 0xfffffffe), "69a61498",
	    "074b6eafea11ba0cdac47ed542240930d550da6e1514c916a00f7c29c54d35fb"
	    "b484870c250f1427748a993d83b8c5036afa2c967b6a76ecd82be5c9cc87e739"
	    "7e3695780a046ba5ef3cb6756fd76b79",
	    "62d4e21214fff2a2782ed9f7e3b69d1a");
	cipher_free(c);
}

/* SP 800-38A F.5, cut so that the counter must go on within a block. */
static void ctr_vector(const char *name, const char *key_hex, const char *expected)
{
	uint8_t plain[64], iv[16], out[64];
	uint8_t k[32];

	from_hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
		 "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
	    plain, sizeof(plain));
	from_hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", iv, sizeof(iv));
	from_hex(key_hex, k, sizeof(k));
	struct cipher *c = cipher_new(info_of(name), CIPHER_SEAL, k, iv);
	struct iovec first[] = {{plain, 5}, {plain + 5, 0}, {plain + 5, 20}};
	struct iovec second = {plain + 25, 39};

	cipher_ctr(c, first, 3, out);
	cipher_ctr(c, &second, 1, out + 25);
	assert_bytes(SPAN(out, 64), HEX(expected));
	cipher_free(c);
}

static void test_aes_ctr_goes_on_from_call_to_call(void **state)
{
	(void)state;
	ctr_vector("aes128-ctr", "2b7e151628aed2a6abf7158809cf4f3c",
	    "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"
	    "5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee");
	ctr_vector("aes192-ctr", "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
	    "1abc932417521ca24f2b0459fe7e6e0b090339ec0aa6faefd5ccc2c6f4ce8e94"
	    "1e36b26bd1ebc670d1bd1d665620abf74f78a7f6d29809585a97daec58c6b050");
	ctr_vector("aes256-ctr", "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
	    "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"
	    "2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6");
}

static void each_aead(void (*check)(const struct cipher_info *info))
{
	const struct cipher_info *info;

	for (size_t i = 0; (info = cipher_at(i)); i++)
		if (info->mode != CIPHER_CTR)
			check(info);
}

static int open_sealed(const struct cipher_info *info, const struct sealed *s, uint8_t *out)
{
	struct cipher *c = cipher_new(info, CIPHER_OPEN, key, gcm_iv);
	struct iovec piece = {(uint8_t *)s->text, TEXT_SIZE};
	int rc = cipher_open_aead(c, 9, s->length, &piece, 1, out, s->tag);

	cipher_free(c);
	return rc;
}

static struct sealed seal_fresh(const struct cipher_info *info)
{
	struct cipher *c = cipher_new(info, CIPHER_SEAL, key, gcm_iv);
	struct sealed s = seal(c, 9);

	cipher_free(c);
	return s;
}

static void check_each_bit(const struct cipher_info *info)
{
	struct sealed good = seal_fresh(info);
	uint8_t out[TEXT_SIZE];

	assert_int_equal(open_sealed(info, &good, out), 0);
	assert_memory_equal(out, text, TEXT_SIZE);
	for (size_t bit = 0; bit < 8 * sizeof(good); bit++) {
		struct sealed forged = good;

		((uint8_t *)&forged)[bit / 8] ^= (uint8_t)(1 << bit % 8);
		memset(out, 0, sizeof(out));
		assert_int_equal(open_sealed(info, &forged, out), ERR_PEER);
		for (size_t i = 0; i < sizeof(out); i++)
			assert_int_equal(out[i], 0);
	}
}

static void test_each_forged_bit_is_refused_and_nothing_given_out(void **state)
{
	(void)state;
	each_aead(check_each_bit);
}

static void check_other_sequence(const struct cipher_info *info)
{
	struct sealed s = seal_fresh(info);
	struct cipher *c = cipher_new(info, CIPHER_OPEN, key, gcm_iv);
	struct iovec piece = {s.text, TEXT_SIZE};
	uint8_t out[TEXT_SIZE];

	assert_int_equal(cipher_open_aead(c, 9, s.length, &piece, 1, out, s.tag), 0);
	/* The same packet again is another one. */
	assert_int_equal(cipher_open_aead(c, 10, s.length, &piece, 1, out, s.tag), ERR_PEER);
	cipher_free(c);
}

static void test_a_packet_played_again_is_refused(void **state)
{
	(void)state;
	each_aead(check_other_sequence);
}

static void check_pieces(const struct cipher_info *info)
{
	enum { SIZE = 4096 };
	uint8_t *plain = mem_alloc(SIZE), *whole = mem_alloc(SIZE), *cut = mem_alloc(SIZE);
	uint8_t length[4], whole_tag[16], cut_tag[16];
	static const size_t sizes[] = {1, 0, 17, 1023, 1024, 1500, 3, 500, 28};
	struct iovec pieces[ARRAY_LEN(sizes)];
	size_t at = 0;

	for (size_t i = 0; i < SIZE; i++)
		plain[i] = (uint8_t)(i * 7);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		pieces[i] = (struct iovec){plain + at, sizes[i]};
		at += sizes[i];
	}
	assert_int_equal(at, SIZE);
	struct iovec one = {plain, SIZE};
	struct cipher *a = cipher_new(info, CIPHER_SEAL, key, gcm_iv);
	struct cipher *b = cipher_new(info, CIPHER_SEAL, key, gcm_iv);

	cipher_seal_aead(a, 1, length_field, length, &one, 1, whole, whole_tag);
	cipher_seal_aead(b, 1, length_field, length, pieces, ARRAY_LEN(pieces), cut, cut_tag);
	assert_memory_equal(whole, cut, SIZE);
	assert_memory_equal(whole_tag, cut_tag, 16);
	cipher_free(a);
	cipher_free(b);
	free(plain);
	free(whole);
	free(cut);
}

static void test_how_a_text_is_cut_makes_no_difference(void **state)
{
	(void)state;
	each_aead(check_pieces);
}

static void test_the_length_is_known_before_the_rest(void **state)
{
	(void)state;
	const struct cipher_info *info;

	for (size_t i = 0; (info = cipher_at(i)); i++) {
		if (info->mode == CIPHER_CTR)
			continue;
		struct sealed s = seal_fresh(info);
		struct cipher *c = cipher_new(info, CIPHER_OPEN, key, gcm_iv);

		assert_int_equal(cipher_peek_length(c, 9, s.length), TEXT_SIZE);
		assert_int_equal(cipher_peek_length(c, 9, s.length), TEXT_SIZE);
		assert_int_equal(open_sealed(info, &s, (uint8_t[TEXT_SIZE]){0}), 0);
		cipher_free(c);
	}
}

static void test_unknown_and_unsafe_ciphers_are_not_found(void **state)
{
	(void)state;
	assert_null(cipher_find(span_of("aes128-cbc")));
	assert_null(cipher_find(span_of("3des-cbc")));
	assert_null(cipher_find(span_of("none")));
	assert_null(cipher_find(span_of("aes128-gcm")));
	assert_null(cipher_find(span_of("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_gcm_counts_its_own_packets),
	    cmocka_unit_test(test_aes256_gcm),
	    cmocka_unit_test(test_chachapoly_takes_the_sequence_number_as_nonce),
	    cmocka_unit_test(test_aes_ctr_goes_on_from_call_to_call),
	    cmocka_unit_test(test_each_forged_bit_is_refused_and_nothing_given_out),
	    cmocka_unit_test(test_a_packet_played_again_is_refused),
	    cmocka_unit_test(test_how_a_text_is_cut_makes_no_difference),
	    cmocka_unit_test(test_the_length_is_known_before_the_rest),
	    cmocka_unit_test(test_unknown_and_unsafe_ciphers_are_not_found),
	};

	return cmocka_run_group_tests(tests, fill, NULL);
}
