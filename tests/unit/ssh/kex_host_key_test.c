#include <stdlib.h>

#include <openssl/evp.h>

#include "hex.h"
#include "kex_pair.h"
#include "test_certs.h"
#include "test_keys.h"

#include "base/mem.h"
#include "base/str.h"
#include "ssh/keyfile.h"

static void test_a_wrong_signature_is_refused_before_anybody_is_asked(void **state)
{
	(void)state;
	struct kex_pair p;

	kex_pair_open(&p, TEST_ED25519_FILE, NULL, NULL);
	p.spoil_signature = true;
	assert_int_equal(kex_pair_exchange(&p), ERR_PEER);
	assert_int_equal(p.asked, 0);
	assert_int_equal(kex_first_host_key(p.kex[SIDE_CLIENT]).n, 0);
	kex_pair_close(&p);
}

static struct key *public_key(const char *file)
{
	struct err e = ERR_INIT;
	struct key *key = keyfile_parse(span_of(file), "test", NULL, NULL, &e);

	assert_non_null(key);
	return key;
}

static void test_a_key_of_another_type_than_agreed_is_refused(void **state)
{
	(void)state;
	struct kex_pair p;

	kex_pair_open(&p, TEST_ED25519_FILE, NULL, NULL);
	p.claimed_host_key = public_key(TEST_ECDSA_P256_FILE);
	assert_int_equal(kex_pair_exchange(&p), ERR_PEER);
	assert_non_null(strstr(p.e.text, "not of the type"));
	assert_int_equal(p.asked, 0);
	kex_pair_close(&p);
}

static void test_a_refused_host_key_ends_the_exchange(void **state)
{
	(void)state;
	struct kex_pair p;

	kex_pair_open(&p, TEST_ED25519_FILE, NULL, NULL);
	err_set(&p.verdict, ERR_HOST_KEY, "not the one");
	assert_int_equal(kex_pair_exchange(&p), ERR_HOST_KEY);
	assert_string_equal(p.e.text, "not the one");
	assert_int_equal(p.asked, 1);
	assert_null(p.send[SIDE_CLIENT].cipher);
	assert_int_equal(kex_session_id(p.kex[SIDE_CLIENT]).n, 0);
	kex_pair_close(&p);
}

static void test_the_host_key_is_asked_about_in_later_exchanges_too(void **state)
{
	(void)state;
	struct kex_pair p;

	kex_pair_open(&p, TEST_ED25519_FILE, NULL, NULL);
	assert_int_equal(kex_pair_exchange(&p), 0);
	err_set(&p.verdict, ERR_HOST_KEY, "another one now");
	assert_int_equal(kex_pair_exchange(&p), ERR_HOST_KEY);
	assert_int_equal(p.done[SIDE_CLIENT], 1);
	kex_pair_close(&p);
}

static struct key *other_ed25519_key(void)
{
	struct err e = ERR_INIT;
	struct key *key = key_from_pkey(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), &e);

	assert_non_null(key);
	return key;
}

static void test_a_signature_by_another_key_is_refused(void **state)
{
	(void)state;
	struct kex_pair p;

	kex_pair_open(&p, TEST_ED25519_FILE, NULL, NULL);
	p.claimed_host_key = other_ed25519_key();
	assert_int_equal(kex_pair_exchange(&p), ERR_PEER);
	assert_int_equal(p.asked, 0);
	kex_pair_close(&p);
}

/* As an agent and a server bind it to the session, whatever key a later exchange comes with. */
static void test_the_first_host_key_is_kept(void **state)
{
	(void)state;
	struct kex_pair p;

	kex_pair_open(&p, TEST_ED25519_FILE, NULL, NULL);
	assert_int_equal(kex_pair_exchange(&p), 0);
	struct key *first = p.host_key;
	p.host_key = other_ed25519_key();
	assert_int_equal(kex_pair_exchange(&p), 0);
	assert_int_equal(p.done[SIDE_CLIENT], 2);
	assert_bytes(kex_first_host_key(p.kex[SIDE_CLIENT]), key_blob(first));
	key_free(first);
	kex_pair_close(&p);
}

/* ---- certificates of hosts: here only whether the certified key signed; what it says is cert.h's and hostkey.h's ---- */

static int exchange_with_cert(
    const char *key_file, const char *algorithm, const char *cert_base64, struct err *e)
{
	struct algorithm_prefs prefs = {.kex = "curve25519-sha256", .host_key = algorithm};
	struct kex_pair p;

	kex_pair_open(&p, key_file, &prefs, &prefs);
	assert_true(str_base64_decode(span_of(cert_base64), &p.cert));
	int rc = kex_pair_exchange(&p);
	*e = p.e;
	assert_int_equal(p.asked, rc == 0 ? 1 : 0);
	if (rc == 0) {
		kex_pair_assert_agreed(&p);
		assert_bytes(kex_first_host_key(p.kex[SIDE_CLIENT]), wr_span(&p.cert));
		assert_string_equal(kex_host_key_algorithm(p.kex[SIDE_CLIENT]), algorithm);
	}
	kex_pair_close(&p);
	return rc;
}

static void test_a_certified_key_signs(void **state)
{
	(void)state;
	static const struct {
		const char *file, *algorithm, *cert;
	} rows[] = {
	    {TEST_ED25519_FILE, "ssh-ed25519-cert-v01@openssh.com", TEST_HOST_CERT_ED25519},
	    {TEST_ECDSA_P256_FILE, "ecdsa-sha2-nistp256-cert-v01@openssh.com", TEST_HOST_CERT_P256},
	    {TEST_RSA_FILE, "rsa-sha2-512-cert-v01@openssh.com", TEST_HOST_CERT_RSA},
	    {TEST_RSA_FILE, "rsa-sha2-256-cert-v01@openssh.com", TEST_HOST_CERT_RSA},
	};
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (exchange_with_cert(rows[i].file, rows[i].algorithm, rows[i].cert, &e) < 0)
			fail_msg("%s: %s", rows[i].algorithm, e.text);
}

static void test_a_certificate_for_another_key_is_refused(void **state)
{
	(void)state;
	/* Of the right type, by the right authority, and not of the key that signs. */
	struct algorithm_prefs prefs = {
	    .kex = "curve25519-sha256", .host_key = "ssh-ed25519-cert-v01@openssh.com"};
	struct kex_pair p;
	struct err e;

	kex_pair_open(&p, TEST_ED25519_FILE, &prefs, &prefs);
	assert_true(str_base64_decode(span_of(TEST_HOST_CERT_ED25519), &p.cert));
	key_free(p.host_key);
	p.host_key = other_ed25519_key();
	assert_int_equal(kex_pair_exchange(&p), ERR_PEER);
	assert_int_equal(p.asked, 0);
	kex_pair_close(&p);

	/* Of another type than was agreed on; a plain key where a certificate was; a certificate where a plain key was. */
	assert_int_equal(exchange_with_cert(TEST_ED25519_FILE, "ssh-ed25519-cert-v01@openssh.com",
			     TEST_HOST_CERT_P256, &e),
	    ERR_PEER);
	assert_int_equal(exchange_with_cert(TEST_ED25519_FILE, "ssh-ed25519-cert-v01@openssh.com",
			     TEST_ED25519_BLOB, &e),
	    ERR_PEER);
	assert_int_equal(
	    exchange_with_cert(TEST_ED25519_FILE, "ssh-ed25519", TEST_HOST_CERT_ED25519, &e),
	    ERR_PEER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_wrong_signature_is_refused_before_anybody_is_asked),
	    cmocka_unit_test(test_a_key_of_another_type_than_agreed_is_refused),
	    cmocka_unit_test(test_a_refused_host_key_ends_the_exchange),
	    cmocka_unit_test(test_the_host_key_is_asked_about_in_later_exchanges_too),
	    cmocka_unit_test(test_a_signature_by_another_key_is_refused),
	    cmocka_unit_test(test_the_first_host_key_is_kept),
	    cmocka_unit_test(test_a_certified_key_signs),
	    cmocka_unit_test(test_a_certificate_for_another_key_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
