#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "base/mem.h"
#include "base/str.h"
#include "ssh/cert.h"
#include "test_certs.h"
#include "test_keys.h"

#define NOW ((time_t)1750000000) /* 2025 */

static struct wr from_base64(const char *text)
{
	struct wr w = WR_INIT;

	assert_true(str_base64_decode(span_of(text), &w));
	return w;
}

static struct cert *parse(const char *base64)
{
	struct wr blob = from_base64(base64);
	struct err e = ERR_INIT;
	struct cert *cert = cert_from_blob(wr_span(&blob), &e);

	if (!cert)
		fail_msg("%s", e.text);
	wr_clear(&blob);
	return cert;
}

static void expect_blob(struct span blob, const char *base64)
{
	struct wr expected = from_base64(base64);

	assert_true(span_equal(blob, wr_span(&expected)));
	wr_clear(&expected);
}

static void expect_plain_blob(const char *type, const char *cert_type, unsigned fields)
{
	struct wr cert = WR_INIT, plain = WR_INIT, found = WR_INIT;

	wr_cstring(&cert, cert_type);
	wr_cstring(&cert, "nonce");
	wr_cstring(&plain, type);
	for (unsigned i = 0; i < fields; i++) {
		wr_cstring(&cert, "field");
		wr_cstring(&plain, "field");
	}
	assert_int_equal(cert_plain_blob(wr_span(&cert), &found, NULL), 0);
	assert_true(span_equal(wr_span(&found), wr_span(&plain)));
	cert.n--;
	assert_int_equal(cert_plain_blob(wr_span(&cert), &found, NULL), ERR_PEER);
	assert_true(span_equal(wr_span(&found), wr_span(&plain)));
	wr_clear(&cert);
	wr_clear(&plain);
	wr_clear(&found);
}

/* Whether we would take such a key or not: the fields are not looked into. */
static void test_the_plain_key_is_found_in_a_certificate(void **state)
{
	(void)state;
	expect_plain_blob("ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com", 1);
	expect_plain_blob("ssh-rsa", "ssh-rsa-cert-v01@openssh.com", 2);
	expect_plain_blob("ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521-cert-v01@openssh.com", 2);
	expect_plain_blob("sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519-cert-v01@openssh.com", 2);
	expect_plain_blob(
	    "sk-ecdsa-sha2-nistp256@openssh.com", "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", 3);
}

static void test_a_user_certificate_is_read(void **state)
{
	struct cert *cert = parse(TEST_USER_CERT_ED25519);

	(void)state;
	assert_int_equal(cert_type(cert), CERT_USER);
	assert_string_equal(cert_key_id(cert), "user id");
	assert_true(cert_serial(cert) == 7);
	assert_true(cert_valid_before(cert) == UINT64_MAX);
	expect_blob(key_blob(cert_key(cert)), TEST_ED25519_BLOB);
	expect_blob(cert_ca(cert), TEST_CA_ED25519);
	expect_blob(cert_blob(cert), TEST_USER_CERT_ED25519);
	assert_true(cert_blob_is_cert(cert_blob(cert)));
	assert_false(cert_blob_is_cert(cert_ca(cert)));
	assert_int_equal(cert_check_dates(cert, NOW, NULL), 0);
	cert_free(cert);
}

static void test_certificates_of_all_key_types_are_read(void **state)
{
	struct cert *cert = parse(TEST_USER_CERT_RSA);

	(void)state;
	expect_blob(key_blob(cert_key(cert)), TEST_RSA_BLOB);
	expect_blob(cert_ca(cert), TEST_CA_RSA);
	assert_true(cert_serial(cert) == UINT64_MAX);
	cert_free(cert);
	cert = parse(TEST_USER_CERT_P521); /* its critical options are for the server */
	expect_blob(key_blob(cert_key(cert)), TEST_ECDSA_P521_BLOB);
	expect_blob(cert_ca(cert), TEST_CA_ECDSA);
	cert_free(cert);
	cert = parse(TEST_HOST_CERT_P256);
	expect_blob(key_blob(cert_key(cert)), TEST_ECDSA_P256_BLOB);
	assert_int_equal(cert_check_host(cert, "db.example.com", NOW, NULL), 0);
	cert_free(cert);
	cert_free(parse(TEST_HOST_CERT_RSA));
	cert_free(parse(TEST_HOST_CERT_SHA2_CA));
}

static void expect_refused(struct span blob, const char *words)
{
	struct err e = ERR_INIT;

	assert_null(cert_from_blob(blob, &e));
	assert_int_equal(e.class, ERR_PEER);
	if (!strstr(e.text, words))
		fail_msg("\"%s\" does not say \"%s\"", e.text, words);
}

static void test_a_ca_signature_with_sha1_is_refused(void **state)
{
	struct wr blob = from_base64(TEST_HOST_CERT_SHA1_CA);

	(void)state;
	expect_refused(wr_span(&blob), "ssh-rsa is no signature algorithm");
	wr_clear(&blob);
}

static void test_a_certificate_cut_short_or_too_long_is_refused(void **state)
{
	static const char *const certs[] = {TEST_HOST_CERT_ED25519, TEST_USER_CERT_RSA};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(certs); i++) {
		struct wr blob = from_base64(certs[i]);
		for (size_t n = 0; n < blob.n; n++) {
			uint8_t *cut = n ? mem_dup(blob.p, n) : mem_alloc(1);
			assert_null(cert_from_blob(SPAN(cut, n), NULL));
			free(cut);
		}
		wr_u8(&blob, 0);
		assert_null(cert_from_blob(wr_span(&blob), NULL));
		wr_clear(&blob);
	}
}

static void test_every_byte_is_signed(void **state)
{
	struct wr blob = from_base64(TEST_HOST_CERT_ED25519);

	(void)state;
	for (size_t i = 0; i < blob.n; i++) {
		blob.p[i] ^= 1;
		assert_null(cert_from_blob(wr_span(&blob), NULL));
		blob.p[i] ^= 1;
	}
	wr_clear(&blob);
}

/* ---- certificates of our own making, rightly signed ---- */

struct made {
	uint32_t type;
	struct span key_id;
	struct span principals; /* the packed list */
	struct span critical, extensions;
	uint64_t after, before;
	struct span ca; /* empty: the one that signs */
};

static struct key *make_ca(void)
{
	return key_from_pkey(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), NULL);
}

static struct wr make_cert(const struct made *m)
{
	struct key *ca = make_ca();
	struct wr w = WR_INIT, signature = WR_INIT, key = from_base64(TEST_ED25519_BLOB);

	wr_cstring(&w, "ssh-ed25519-cert-v01@openssh.com");
	wr_cstring(&w, "nonce");
	wr_bytes(&w, key.p + 4 + 11, key.n - 4 - 11);
	wr_u64(&w, 1);
	wr_u32(&w, m->type);
	wr_string(&w, m->key_id);
	wr_string(&w, m->principals);
	wr_u64(&w, m->after);
	wr_u64(&w, m->before);
	wr_string(&w, m->critical);
	wr_string(&w, m->extensions);
	wr_cstring(&w, "");
	wr_string(&w, m->ca.n ? m->ca : key_blob(ca));
	assert_int_equal(
	    key_sign(ca, SPAN_LITERAL("ssh-ed25519"), wr_span(&w), &signature, NULL), 0);
	wr_string(&w, wr_span(&signature));
	wr_clear(&signature);
	wr_clear(&key);
	key_free(ca);
	return w;
}

static void expect_made_refused(const struct made *m, const char *words)
{
	struct wr w = make_cert(m);

	expect_refused(wr_span(&w), words);
	wr_clear(&w);
}

static void test_fields_that_cannot_be_are_refused(void **state)
{
	struct made good = {.type = CERT_HOST, .key_id = SPAN_LITERAL("x"), .before = UINT64_MAX};
	struct wr w = make_cert(&good);
	struct cert *cert = cert_from_blob(wr_span(&w), NULL);

	(void)state;
	assert_non_null(cert);
	cert_free(cert);
	wr_clear(&w);

	struct made m = good;
	m.type = 3;
	expect_made_refused(&m, "unknown type 3");
	m = good;
	m.key_id = SPAN_LITERAL("a\0b");
	expect_made_refused(&m, "malformed");
	m = good;
	m.principals = SPAN_LITERAL("\0\0\0\3a\0b");
	expect_made_refused(&m, "malformed");
	m.principals = SPAN_LITERAL("\0\0\0\2a");
	expect_made_refused(&m, "malformed");
	m = good;
	m.critical = SPAN_LITERAL("\0\0\0\1a"); /* a name without data */
	expect_made_refused(&m, "malformed");
	m = good;
	m.extensions = SPAN_LITERAL("\0\0\0\1a\0\0\0\0x");
	expect_made_refused(&m, "malformed");
}

static void test_a_certificate_signed_by_a_certificate_is_refused(void **state)
{
	struct wr other = from_base64(TEST_HOST_CERT_ED25519);
	struct made m = {.type = CERT_HOST, .before = UINT64_MAX, .ca = wr_span(&other)};

	(void)state;
	expect_made_refused(&m, "signed by a certificate");
	wr_clear(&other);
}

static void test_a_certificate_signed_by_another_key_is_refused(void **state)
{
	struct wr other = from_base64(TEST_CA_ED25519);
	struct made m = {.type = CERT_HOST, .before = UINT64_MAX, .ca = wr_span(&other)};

	(void)state;
	expect_made_refused(&m, "signature is wrong");
	wr_clear(&other);
}

static void test_principals_are_bounded(void **state)
{
	struct wr list = WR_INIT;
	struct made m = {.type = CERT_HOST, .before = UINT64_MAX};

	(void)state;
	for (int i = 0; i < 256; i++)
		wr_cstring(&list, "a");
	m.principals = wr_span(&list);
	struct wr w = make_cert(&m);
	struct cert *cert = cert_from_blob(wr_span(&w), NULL);
	assert_non_null(cert);
	cert_free(cert);
	wr_clear(&w);
	wr_cstring(&list, "a");
	m.principals = wr_span(&list);
	expect_made_refused(&m, "malformed");
	wr_clear(&list);
}

static void test_a_huge_certificate_is_refused(void **state)
{
	struct wr big = WR_INIT;

	(void)state;
	wr_cstring(&big, "ssh-ed25519-cert-v01@openssh.com");
	for (int i = 0; i < 65536; i++)
		wr_u8(&big, 0);
	expect_refused(wr_span(&big), "bytes");
	wr_clear(&big);
}

/* ---- hosts ---- */

static void expect_host_refused(const char *base64, const char *name, time_t now, const char *words)
{
	struct cert *cert = parse(base64);
	struct err e = ERR_INIT;

	assert_int_equal(cert_check_host(cert, name, now, &e), ERR_HOST_KEY);
	assert_int_equal(e.class, ERR_HOST_KEY);
	if (!strstr(e.text, words))
		fail_msg("\"%s\" does not say \"%s\"", e.text, words);
	cert_free(cert);
}

static void test_a_host_certificate_is_for_the_hosts_it_names(void **state)
{
	struct cert *cert = parse(TEST_HOST_CERT_ED25519);

	(void)state;
	assert_int_equal(cert_check_host(cert, "db.example.com", NOW, NULL), 0);
	assert_int_equal(cert_check_host(cert, "DB.Example.com", NOW, NULL), 0);
	assert_int_equal(cert_check_host(cert, "a.internal", NOW, NULL), 0);
	cert_free(cert);
	expect_host_refused(TEST_HOST_CERT_ED25519, "internal", NOW, "another host than internal");
	expect_host_refused(TEST_HOST_CERT_ED25519, "db.example.com.evil.net", NOW, "another host");
	expect_host_refused(TEST_HOST_CERT_ED25519, "", NOW, "another host");
}

static void test_a_host_certificate_without_principals_is_for_nobody(void **state)
{
	(void)state;
	expect_host_refused(
	    TEST_HOST_CERT_WITHOUT_PRINCIPALS, "db.example.com", NOW, "no principals");
}

static void test_a_users_certificate_is_no_hosts(void **state)
{
	(void)state;
	expect_host_refused(TEST_USER_CERT_ED25519, "tunnel", NOW, "user's certificate");
}

static void test_an_unknown_critical_option_refuses_a_host(void **state)
{
	(void)state;
	expect_host_refused(TEST_HOST_CERT_CRITICAL, "db.example.com", NOW, "critical option");
}

static void test_dates_hold_from_the_first_second_to_before_the_last(void **state)
{
	const time_t after = 1577836800, before = 1609459200;
	struct cert *cert = parse(TEST_HOST_CERT_DATED);
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(cert_check_dates(cert, after, NULL), 0);
	assert_int_equal(cert_check_dates(cert, before - 1, NULL), 0);
	assert_int_equal(cert_check_dates(cert, after - 1, &e), ERR_CONFIG);
	assert_string_equal(e.text,
	    "the certificate is not yet valid: from 2020-01-01 00:00:00 UTC to "
	    "2021-01-01 00:00:00 UTC");
	err_clear(&e);
	assert_int_equal(cert_check_dates(cert, before, &e), ERR_CONFIG);
	assert_non_null(strstr(e.text, "has expired"));
	assert_int_equal(cert_check_dates(cert, -1, NULL), ERR_CONFIG);
	assert_int_equal(cert_check_host(cert, "db.example.com", before - 1, NULL), 0);
	cert_free(cert);
	expect_host_refused(TEST_HOST_CERT_DATED, "db.example.com", before, "has expired");
	expect_host_refused(TEST_HOST_CERT_DATED, "db.example.com", after - 1, "not yet valid");
}

static void test_dates_beyond_every_calendar_are_borne(void **state)
{
	struct made m = {.type = CERT_HOST, .after = UINT64_MAX - 1, .before = UINT64_MAX};
	struct wr w = make_cert(&m);
	struct cert *cert = cert_from_blob(wr_span(&w), NULL);
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(cert_check_dates(cert, NOW, &e), ERR_CONFIG);
	assert_non_null(strstr(e.text, "the end of time"));
	cert_free(cert);
	wr_clear(&w);
}

/* ---- names, files ---- */

static void test_algorithms_are_translated(void **state)
{
	static const char *const pairs[][2] = {
	    {"ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com"},
	    {"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384-cert-v01@openssh.com"},
	    {"rsa-sha2-256", "rsa-sha2-256-cert-v01@openssh.com"},
	    {"rsa-sha2-512", "rsa-sha2-512-cert-v01@openssh.com"},
	    {"sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519-cert-v01@openssh.com"},
	    {"sk-ecdsa-sha2-nistp256@openssh.com", "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com"},
	};
	static const char *const types[][3] = {
	    {"rsa-sha2-512-cert-v01@openssh.com", "ssh-rsa-cert-v01@openssh.com", "ssh-rsa"},
	    {"rsa-sha2-256-cert-v01@openssh.com", "ssh-rsa-cert-v01@openssh.com", "ssh-rsa"},
	    {"ecdsa-sha2-nistp384-cert-v01@openssh.com", "ecdsa-sha2-nistp384-cert-v01@openssh.com",
		"ecdsa-sha2-nistp384"},
	    {"sk-ssh-ed25519-cert-v01@openssh.com", "sk-ssh-ed25519-cert-v01@openssh.com",
		"sk-ssh-ed25519@openssh.com"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		assert_string_equal(cert_algorithm_for(pairs[i][0]), pairs[i][1]);
		assert_string_equal(cert_algorithm_plain(span_of(pairs[i][1])), pairs[i][0]);
	}
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct span algorithm = span_of(types[i][0]);
		assert_string_equal(cert_type_for(algorithm), types[i][1]);
		assert_string_equal(
		    key_type_for(span_of(cert_algorithm_plain(algorithm))), types[i][2]);
		assert_null(key_type_for(algorithm));
	}
	assert_null(cert_type_for(SPAN_LITERAL("ssh-ed25519")));
	assert_null(cert_type_for(SPAN_LITERAL("ssh-rsa-cert-v01@openssh.com")));
	assert_null(key_type_for(SPAN_LITERAL("ssh-rsa"))); /* as an algorithm it is SHA-1 */
	assert_null(cert_algorithm_for("ssh-rsa"));
	assert_null(cert_algorithm_plain(SPAN_LITERAL("ssh-rsa-cert-v01@openssh.com")));
	assert_null(cert_algorithm_plain(SPAN_LITERAL("ssh-ed25519")));
}

static void expect_file(const char *text, const char *words)
{
	char path[] = "/tmp/adit-cert-test.XXXXXX";
	struct err e = ERR_INIT;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	struct cert *cert = cert_read(path, &e);
	unlink(path);
	if (!words) {
		if (!cert)
			fail_msg("%s", e.text);
		cert_free(cert);
		return;
	}
	assert_null(cert);
	assert_int_equal(e.class, ERR_CONFIG);
	assert_int_equal(strncmp(e.text, path, strlen(path)), 0);
	if (!strstr(e.text, words))
		fail_msg("\"%s\" does not say \"%s\"", e.text, words);
}

static void test_notes_above_a_certificate_are_skipped(void **state)
{
	(void)state;
	expect_file("# issued by the vault\n\n \t# until tomorrow\r\n"
		    "ssh-ed25519-cert-v01@openssh.com " TEST_USER_CERT_ED25519 " me\n",
	    NULL);
	expect_file("# nothing follows\n", "holds no certificate");
	expect_file("notes\nssh-ed25519-cert-v01@openssh.com " TEST_USER_CERT_ED25519 "\n",
	    "holds no certificate");
}

static void test_a_certificate_file_holds_a_users_certificate(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	expect_file("ssh-ed25519-cert-v01@openssh.com " TEST_USER_CERT_ED25519 " me\n", NULL);
	expect_file("ssh-rsa-cert-v01@openssh.com " TEST_USER_CERT_RSA, NULL);
	expect_file("ssh-ed25519-cert-v01@openssh.com " TEST_HOST_CERT_ED25519 " me\n", "host's");
	expect_file("ssh-ed25519 " TEST_ED25519_BLOB "\n", "plain public key");
	expect_file(
	    "ssh-rsa-cert-v01@openssh.com " TEST_USER_CERT_ED25519 "\n", "holds no certificate");
	expect_file("", "holds no certificate");
	assert_null(cert_read("/nonexistent", &e));
	assert_int_equal(e.class, ERR_CONFIG);
	assert_non_null(strstr(e.text, "/nonexistent: No such file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_plain_key_is_found_in_a_certificate),
	    cmocka_unit_test(test_a_user_certificate_is_read),
	    cmocka_unit_test(test_certificates_of_all_key_types_are_read),
	    cmocka_unit_test(test_a_ca_signature_with_sha1_is_refused),
	    cmocka_unit_test(test_a_certificate_cut_short_or_too_long_is_refused),
	    cmocka_unit_test(test_every_byte_is_signed),
	    cmocka_unit_test(test_fields_that_cannot_be_are_refused),
	    cmocka_unit_test(test_a_certificate_signed_by_a_certificate_is_refused),
	    cmocka_unit_test(test_a_certificate_signed_by_another_key_is_refused),
	    cmocka_unit_test(test_principals_are_bounded),
	    cmocka_unit_test(test_a_huge_certificate_is_refused),
	    cmocka_unit_test(test_a_host_certificate_is_for_the_hosts_it_names),
	    cmocka_unit_test(test_a_host_certificate_without_principals_is_for_nobody),
	    cmocka_unit_test(test_a_users_certificate_is_no_hosts),
	    cmocka_unit_test(test_an_unknown_critical_option_refuses_a_host),
	    cmocka_unit_test(test_dates_hold_from_the_first_second_to_before_the_last),
	    cmocka_unit_test(test_dates_beyond_every_calendar_are_borne),
	    cmocka_unit_test(test_algorithms_are_translated),
	    cmocka_unit_test(test_a_certificate_file_holds_a_users_certificate),
	    cmocka_unit_test(test_notes_above_a_certificate_are_skipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
