#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "made_cert.h"
#include "ssh/krl.h"
#include "ssh/revoked.h"
#include "test_certs.h"
#include "test_keys.h"
#include "test_krls.h"

static struct wr from_base64(const char *text)
{
	struct wr w = WR_INIT;

	assert_true(str_base64_decode(span_of(text), &w));
	return w;
}

/* ---- KRLs ---- */

static bool krl_revokes_key(const char *krl_base64, const char *key_base64)
{
	struct wr krl = from_base64(krl_base64), blob = from_base64(key_base64);
	struct err e = ERR_INIT;

	assert_true(krl_is_krl(wr_span(&krl)));
	if (krl_check(wr_span(&krl), &e) < 0)
		fail_msg("%s", e.text);
	bool revoked = krl_revokes(wr_span(&krl), wr_span(&blob), NULL);
	wr_clear(&krl);
	wr_clear(&blob);
	return revoked;
}

static void test_an_empty_list_revokes_nothing(void **state)
{
	(void)state;
	assert_false(krl_revokes_key(TEST_KRL_EMPTY, TEST_ED25519_BLOB));
}

static void test_keys_are_revoked_by_blob_and_by_hash(void **state)
{
	(void)state;
	assert_true(krl_revokes_key(TEST_KRL_KEYS, TEST_ED25519_BLOB));
	assert_false(krl_revokes_key(TEST_KRL_KEYS, TEST_RSA_BLOB));
	assert_true(krl_revokes_key(TEST_KRL_HASHES, TEST_ECDSA_P256_BLOB));
	assert_true(krl_revokes_key(TEST_KRL_HASHES, TEST_RSA_BLOB));
	assert_false(krl_revokes_key(TEST_KRL_HASHES, TEST_ED25519_BLOB));
	assert_true(krl_revokes_key(TEST_KRL_FINGERPRINT, TEST_ECDSA_P384_BLOB));
	assert_false(krl_revokes_key(TEST_KRL_FINGERPRINT, TEST_ECDSA_P256_BLOB));
}

/* The CA of test_certs.h did not give us its private half: what it signed is there, serial 42. */
static bool krl_revokes_cert(struct span krl, const char *cert_base64)
{
	struct wr blob = from_base64(cert_base64);
	struct cert *cert = cert_from_blob(wr_span(&blob), NULL);
	struct err e = ERR_INIT;

	assert_non_null(cert);
	if (krl_check(krl, &e) < 0)
		fail_msg("%s", e.text);
	bool revoked = krl_revokes(krl, key_blob(cert_key(cert)), cert);
	cert_free(cert);
	wr_clear(&blob);
	return revoked;
}

static bool list_revokes_cert(const char *krl_base64, const char *cert_base64)
{
	struct wr krl = from_base64(krl_base64);
	bool revoked = krl_revokes_cert(wr_span(&krl), cert_base64);

	wr_clear(&krl);
	return revoked;
}

static void test_the_key_of_a_certificate_is_revoked_with_it(void **state)
{
	(void)state;
	assert_true(list_revokes_cert(TEST_KRL_KEYS, TEST_HOST_CERT_ED25519));
	assert_true(list_revokes_cert(TEST_KRL_HASHES, TEST_HOST_CERT_RSA));
	assert_false(list_revokes_cert(TEST_KRL_EMPTY, TEST_HOST_CERT_ED25519));
}

static void test_serials_are_revoked_one_by_one_in_ranges_and_as_bits(void **state)
{
	static const struct {
		uint64_t serial;
		bool by_list, by_bitmap;
	} rows[] = {
	    {0, false, false},
	    {1, false, true},
	    {4, false, true},
	    {5, true, false},
	    {6, false, false},
	    {99, false, false},
	    {100, true, true},
	    {101, true, false},
	    {200, true, false},
	    {201, false, false},
	    {298, false, true},
	    {299, false, false},
	    {301, false, false},
	    {1000, true, false},
	    {UINT64_MAX, false, false},
	};
	struct wr list = from_base64(TEST_KRL_ANY_CA), bitmap = from_base64(TEST_KRL_BITMAP);
	struct key *key = make_ed25519(1), *ca = make_ed25519(2);

	(void)state;
	/* The bitmap is by a CA whose private half is gone: put ours in its place, they are as long. */
	struct wr old_ca = from_base64(TEST_CA_ED25519);
	uint8_t *place = memmem(bitmap.p, bitmap.n, old_ca.p, old_ca.n);
	assert_non_null(place);
	memcpy(place, key_blob(ca).p, old_ca.n);
	assert_int_equal(krl_check(wr_span(&bitmap), NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct wr blob = make_cert_blob(&(struct made_cert){
		    .key = key, .ca = ca, .serial = rows[i].serial, .type = CERT_HOST});
		struct cert *cert = cert_from_blob(wr_span(&blob), NULL);
		assert_non_null(cert);
		if (krl_revokes(wr_span(&list), key_blob(key), cert) != rows[i].by_list ||
		    krl_revokes(wr_span(&bitmap), key_blob(key), cert) != rows[i].by_bitmap)
			fail_msg("serial %llu", (unsigned long long)rows[i].serial);
		cert_free(cert);
		wr_clear(&blob);
	}
	key_free(key);
	key_free(ca);
	wr_clear(&old_ca);
	wr_clear(&list);
	wr_clear(&bitmap);
}

static void test_key_ids_are_revoked_for_their_ca_alone(void **state)
{
	struct wr any = from_base64(TEST_KRL_ANY_CA), other = from_base64(TEST_KRL_CA);
	struct key *key = make_ed25519(1), *ca = make_ed25519(2);
	struct wr blob = make_cert_blob(
	    &(struct made_cert){.key = key, .ca = ca, .type = CERT_HOST, .key_id = "bad id"});
	struct cert *cert = cert_from_blob(wr_span(&blob), NULL);

	(void)state;
	assert_non_null(cert);
	assert_int_equal(krl_check(wr_span(&other), NULL), 0);
	assert_true(krl_revokes(wr_span(&any), key_blob(key), cert));
	assert_false(krl_revokes(wr_span(&other), key_blob(key), cert));
	assert_false(krl_revokes(wr_span(&any), key_blob(key), NULL));
	cert_free(cert);
	wr_clear(&blob);
	wr_clear(&any);
	wr_clear(&other);
	key_free(key);
	key_free(ca);
}

static void test_a_list_cut_short_or_too_long_is_refused(void **state)
{
	static const char *const lists[] = {
	    TEST_KRL_CA, TEST_KRL_BITMAP, TEST_KRL_FINGERPRINT, TEST_KRL_KEYS};
	struct wr empty = from_base64(TEST_KRL_EMPTY);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		struct wr krl = from_base64(lists[i]);
		for (size_t n = 0; n < krl.n; n++) {
			uint8_t *cut = n ? mem_dup(krl.p, n) : mem_alloc(1);
			if (n == empty.n) /* the header by itself is a list */
				assert_int_equal(krl_check(SPAN(cut, n), NULL), 0);
			else
				assert_int_equal(krl_check(SPAN(cut, n), NULL), ERR_CONFIG);
			free(cut);
		}
		wr_u8(&krl, 0);
		assert_int_equal(krl_check(wr_span(&krl), NULL), ERR_CONFIG);
		wr_clear(&krl);
	}
	wr_clear(&empty);
}

/* A list of one section of our own making. */
static struct wr list_with(uint8_t type, struct span section)
{
	struct wr w = from_base64(TEST_KRL_EMPTY);

	wr_u8(&w, type);
	wr_string(&w, section);
	return w;
}

static void expect_section_refused(uint8_t type, const struct wr *section)
{
	struct wr w = list_with(type, wr_span(section));
	struct err e = ERR_INIT;

	assert_int_equal(krl_check(wr_span(&w), &e), ERR_CONFIG);
	assert_true(e.text[0] != 0);
	wr_clear(&w);
}

static struct wr cert_section(uint8_t type, struct span content)
{
	struct wr w = WR_INIT;

	wr_cstring(&w, "");
	wr_cstring(&w, "");
	wr_u8(&w, type);
	wr_string(&w, content);
	return w;
}

static void expect_cert_section_refused(uint8_t type, struct wr *content)
{
	struct wr section = cert_section(type, wr_span(content));

	expect_section_refused(1, &section);
	wr_clear(&section);
	wr_clear(content);
}

static void test_parts_that_cannot_be_are_refused(void **state)
{
	struct wr w = WR_INIT;

	(void)state;
	expect_section_refused(6, &w); /* a kind that does not exist */
	expect_section_refused(0, &w);
	wr_cstring(&w, "nineteen bytes, not");
	expect_section_refused(3, &w);
	expect_section_refused(5, &w);
	wr_reset(&w);
	expect_cert_section_refused(0x24, &w);
	wr_u64(&w, 9); /* a range the wrong way round */
	wr_u64(&w, 8);
	expect_cert_section_refused(0x21, &w);
	wr_u64(&w, UINT64_MAX - 6); /* bits beyond the last serial */
	wr_mpint(&w, SPAN("\x01", 1));
	expect_cert_section_refused(0x22, &w);
	wr_u32(&w, 7); /* half a serial */
	expect_cert_section_refused(0x20, &w);
}

static void test_extensions_are_skipped_unless_critical(void **state)
{
	struct wr content = WR_INIT;

	(void)state;
	wr_cstring(&content, "what@example.com");
	wr_bool(&content, false);
	wr_cstring(&content, "contents");
	struct wr in_certs = cert_section(0x39, wr_span(&content));
	struct wr w = list_with(255, wr_span(&content));
	assert_int_equal(krl_check(wr_span(&w), NULL), 0);
	wr_clear(&w);
	w = list_with(1, wr_span(&in_certs));
	assert_int_equal(krl_check(wr_span(&w), NULL), 0);
	wr_clear(&w);
	wr_clear(&in_certs);
	content.p[4 + 16] = 1;
	expect_section_refused(255, &content);
	expect_cert_section_refused(0x39, &content);
}

static void test_another_version_is_refused(void **state)
{
	struct wr w = from_base64(TEST_KRL_EMPTY);

	(void)state;
	w.p[11] = 2;
	assert_int_equal(krl_check(wr_span(&w), NULL), ERR_CONFIG);
	wr_clear(&w);
}

static struct wr signed_list(const struct key *key)
{
	struct wr w = from_base64(TEST_KRL_KEYS), signature = WR_INIT;

	wr_u8(&w, 4);
	wr_string(&w, key_blob(key));
	assert_int_equal(
	    key_sign(key, SPAN_LITERAL("ssh-ed25519"), wr_span(&w), &signature, NULL), 0);
	wr_string(&w, wr_span(&signature));
	wr_clear(&signature);
	return w;
}

static void test_a_signature_must_be_right_and_last(void **state)
{
	struct key *key = make_ed25519(3);
	struct wr w = signed_list(key), blob = from_base64(TEST_ED25519_BLOB);
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(krl_check(wr_span(&w), NULL), 0);
	assert_true(krl_revokes(wr_span(&w), wr_span(&blob), NULL));
	w.p[20] ^= 1; /* in the list's version */
	assert_int_equal(krl_check(wr_span(&w), &e), ERR_CONFIG);
	assert_non_null(strstr(e.text, "signature is wrong"));
	w.p[20] ^= 1;
	wr_u8(&w, 2);
	wr_cstring(&w, "");
	err_clear(&e);
	assert_int_equal(krl_check(wr_span(&w), &e), ERR_CONFIG);
	assert_non_null(strstr(e.text, "behind its signature"));
	wr_clear(&w);
	wr_clear(&blob);
	key_free(key);
}

/* ---- files ---- */

static char path[] = "/tmp/adit-revoked-test.XXXXXX";

static int set_up(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	close(fd);
	return fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(path);
}

static void put(struct span text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text.p, 1, text.n, f), text.n);
	fclose(f);
}

/* 0, or the error's words. */
static int check(const char *key_base64, const struct cert *cert, struct err *e)
{
	const char *const paths[] = {path};
	struct revoked *revoked = revoked_read(paths, 1);
	struct wr blob = from_base64(key_base64);
	int rc = revoked_check(revoked, wr_span(&blob), cert, e);

	revoked_free(revoked);
	wr_clear(&blob);
	return rc;
}

static void expect_refused(const char *key_base64, const struct cert *cert, const char *words)
{
	struct err e = ERR_INIT;

	assert_int_equal(check(key_base64, cert, &e), ERR_HOST_KEY);
	if (!strstr(e.text, words) || !strstr(e.text, path))
		fail_msg("\"%s\" does not say \"%s\" and the file", e.text, words);
}

static void test_a_plain_list_names_the_line(void **state)
{
	(void)state;
	put(SPAN_LITERAL("# stolen\n\nssh-rsa " TEST_RSA_BLOB " old laptop\r\n"
			 "ssh-ed25519 " TEST_ED25519_BLOB));
	expect_refused(TEST_RSA_BLOB, NULL, ":3");
	expect_refused(TEST_ED25519_BLOB, NULL, ":4");
	assert_int_equal(check(TEST_ECDSA_P256_BLOB, NULL, NULL), 0);
}

static void test_a_certificate_falls_with_its_ca(void **state)
{
	struct wr blob = from_base64(TEST_HOST_CERT_ED25519);
	struct cert *cert = cert_from_blob(wr_span(&blob), NULL);

	(void)state;
	put(SPAN_LITERAL("ssh-ed25519 " TEST_CA_ED25519 "\n"));
	expect_refused(TEST_ED25519_BLOB, cert, ":1");
	assert_int_equal(check(TEST_ED25519_BLOB, NULL, NULL), 0);
	cert_free(cert);
	wr_clear(&blob);
}

/* Whoever shows the key without the certificate has it all the same. */
static void test_a_certificate_on_a_line_revokes_its_key(void **state)
{
	struct wr blob = from_base64(TEST_HOST_CERT_ED25519);
	struct cert *cert = cert_from_blob(wr_span(&blob), NULL);

	(void)state;
	put(SPAN_LITERAL(
	    "# stolen\nssh-ed25519-cert-v01@openssh.com " TEST_HOST_CERT_ED25519 "\n"));
	expect_refused(TEST_ED25519_BLOB, NULL, ":2");
	expect_refused(TEST_ED25519_BLOB, cert, ":2");
	assert_int_equal(check(TEST_CA_ED25519, NULL, NULL), 0); /* the CA is not revoked by that */
	put(SPAN_LITERAL("ssh-ed25519-cert-v01@openssh.com " TEST_USER_CERT_ED25519 "\n"));
	expect_refused(TEST_ED25519_BLOB, cert, ":1");
	/* A key that is too weak for us harms nobody, with a certificate or without. */
	put(SPAN_LITERAL("ssh-rsa-cert-v01@openssh.com "
			 "AAAAHHNzaC1yc2EtY2VydC12MDFAb3BlbnNzaC5jb20AAAABTgAAAAMBAAEAAAACAQA=\n"));
	assert_int_equal(check(TEST_ED25519_BLOB, NULL, NULL), 0);
	/* A signature that we would not take is good enough here. */
	put(SPAN_LITERAL("ssh-ed25519-cert-v01@openssh.com " TEST_HOST_CERT_SHA1_CA "\n"));
	expect_refused(TEST_ED25519_BLOB, NULL, ":1");
	cert_free(cert);
	wr_clear(&blob);
}

static void test_a_ca_is_revoked_by_a_certificate_of_its_key(void **state)
{
	struct key *key = make_ed25519(1), *ca = make_ed25519(2), *above = make_ed25519(3);
	struct wr blob =
	    make_cert_blob(&(struct made_cert){.key = key, .ca = ca, .type = CERT_HOST});
	struct wr of_ca =
	    make_cert_blob(&(struct made_cert){.key = ca, .ca = above, .type = CERT_HOST});
	struct cert *cert = cert_from_blob(wr_span(&blob), NULL);
	char *base64 = str_base64(wr_span(&of_ca), BASE64_PADDED);
	char *line = str_format("ssh-ed25519-cert-v01@openssh.com %s\n", base64);

	(void)state;
	assert_non_null(cert);
	put(span_of(line));
	expect_refused(TEST_ED25519_BLOB, cert, ":1");
	assert_int_equal(check(TEST_ED25519_BLOB, NULL, NULL), 0);
	free(line);
	free(base64);
	cert_free(cert);
	wr_clear(&blob);
	wr_clear(&of_ca);
	key_free(key);
	key_free(ca);
	key_free(above);
}

static void test_a_krl_is_told_from_a_list(void **state)
{
	struct wr krl = from_base64(TEST_KRL_KEYS);

	(void)state;
	put(wr_span(&krl));
	expect_refused(TEST_ED25519_BLOB, NULL, "revoked by");
	assert_int_equal(check(TEST_RSA_BLOB, NULL, NULL), 0);
	wr_clear(&krl);
}

static void test_a_file_that_cannot_be_understood_refuses_every_key(void **state)
{
	struct wr krl = from_base64(TEST_KRL_KEYS);

	(void)state;
	put(SPAN_LITERAL("ssh-rsa " TEST_RSA_BLOB "\nnonsense\n"));
	expect_refused(TEST_ED25519_BLOB, NULL, "line 2: no public key");
	put(SPAN_LITERAL("\nssh-ed25519-cert-v01@openssh.com "
			 "AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29t\n"));
	expect_refused(TEST_RSA_BLOB, NULL, "line 2: malformed");
	put(SPAN_LITERAL(
	    "ssh-rsa-cert-v00@openssh.com AAAAHHNzaC1yc2EtY2VydC12MDBAb3BlbnNzaC5jb20=\n"));
	expect_refused(TEST_ED25519_BLOB, NULL, "line 1: a certificate of a key type");
	put(SPAN(krl.p, krl.n - 1));
	expect_refused(TEST_RSA_BLOB, NULL, "damaged");
	wr_clear(&krl);
}

static void test_a_missing_file_refuses_every_key(void **state)
{
	const char *const paths[] = {"/nonexistent/revoked"};
	struct revoked *revoked = revoked_read(paths, 1);
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(revoked_check(revoked, SPAN_LITERAL("x"), NULL, &e), ERR_HOST_KEY);
	assert_non_null(strstr(e.text, "/nonexistent/revoked: No such file"));
	revoked_free(revoked);
	revoked = revoked_read(NULL, 0); /* none was asked for */
	assert_int_equal(revoked_check(revoked, SPAN_LITERAL("x"), NULL, NULL), 0);
	revoked_free(revoked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_an_empty_list_revokes_nothing),
	    cmocka_unit_test(test_keys_are_revoked_by_blob_and_by_hash),
	    cmocka_unit_test(test_the_key_of_a_certificate_is_revoked_with_it),
	    cmocka_unit_test(test_serials_are_revoked_one_by_one_in_ranges_and_as_bits),
	    cmocka_unit_test(test_key_ids_are_revoked_for_their_ca_alone),
	    cmocka_unit_test(test_a_list_cut_short_or_too_long_is_refused),
	    cmocka_unit_test(test_parts_that_cannot_be_are_refused),
	    cmocka_unit_test(test_extensions_are_skipped_unless_critical),
	    cmocka_unit_test(test_another_version_is_refused),
	    cmocka_unit_test(test_a_signature_must_be_right_and_last),
	    cmocka_unit_test(test_a_plain_list_names_the_line),
	    cmocka_unit_test(test_a_certificate_falls_with_its_ca),
	    cmocka_unit_test(test_a_certificate_on_a_line_revokes_its_key),
	    cmocka_unit_test(test_a_ca_is_revoked_by_a_certificate_of_its_key),
	    cmocka_unit_test(test_a_krl_is_told_from_a_list),
	    cmocka_unit_test(test_a_file_that_cannot_be_understood_refuses_every_key),
	    cmocka_unit_test(test_a_missing_file_refuses_every_key),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
