/*
 * Key files and certificates for them, in the folder of a test.
 */
#ifndef ADIT_TESTS_UNIT_SSH_MADE_IDENTITY_H
#define ADIT_TESTS_UNIT_SSH_MADE_IDENTITY_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/str.h"
#include "made_cert.h"

/* By rename, as whoever renews a certificate should. */
static inline void write_file(const char *path, struct span bytes)
{
	char *beside = str_format("%s.new", path);
	FILE *f = fopen(beside, "w");

	assert_non_null(f);
	assert_int_equal(fchmod(fileno(f), 0600), 0);
	assert_int_equal(fwrite(bytes.p, 1, bytes.n, f), bytes.n);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(rename(beside, path), 0);
	free(beside);
}

/* The private key that make_ed25519() makes of this seed. */
static inline void write_identity(const char *path, uint8_t seed)
{
	uint8_t bytes[32] = {seed};
	EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, bytes, sizeof(bytes));
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;

	assert_int_equal(PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL), 1);
	long n = BIO_get_mem_data(bio, &text);
	write_file(path, SPAN(text, (size_t)n));
	BIO_free(bio);
	EVP_PKEY_free(pkey);
}

/* Its public half, as ssh-keygen writes that. */
static inline void write_public(const char *path, uint8_t seed)
{
	struct key *key = make_ed25519(seed);
	char *base64 = str_base64(key_blob(key), BASE64_PADDED);
	char *line = str_format("ssh-ed25519 %s\n", base64);

	write_file(path, span_of(line));
	assert_int_equal(chmod(path, 0644), 0);
	free(line);
	free(base64);
	key_free(key);
}

/* A user's certificate for that key, good until then; 0: for ever. */
static inline void write_certificate(const char *path, uint8_t seed, uint64_t valid_before)
{
	struct key *key = make_ed25519(seed), *ca = make_ed25519(0xca);
	struct wr blob = make_cert_blob(&(struct made_cert){.key = key,
	    .ca = ca,
	    .type = CERT_USER,
	    .principal = "u",
	    .valid_before = valid_before});
	unsigned char base64[2048];
	int n = EVP_EncodeBlock(base64, blob.p, (int)blob.n);
	char *line = str_format("ssh-ed25519-cert-v01@openssh.com %.*s\n", n, (const char *)base64);

	write_file(path, span_of(line));
	free(line);
	wr_clear(&blob);
	key_free(ca);
	key_free(key);
}

#endif
