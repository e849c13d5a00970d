/*
 * OpenSSL under a policy that leaves things out, as FIPS does: what is not there is neither offered nor chosen. The strictest is
 * used, which leaves nothing. A program of its own, since lists and algorithms are kept once they were asked for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "base/mem.h"
#include "base/str.h"
#include "ssh/algorithms.h"
#include "ssh/cipher.h"
#include "ssh/kex_method.h"
#include "ssh/mac.h"

static const enum algorithm_kind kinds[] = {
    ALGORITHM_KEX, ALGORITHM_HOST_KEY, ALGORITHM_CIPHER, ALGORITHM_MAC};

static void test_nothing_is_offered(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		assert_string_equal(algorithms_default(kinds[i]), "");
		assert_string_equal(algorithms_known(kinds[i]), "");
	}
}

static void is_refused(enum algorithm_kind kind, const char *name)
{
	struct err e = ERR_INIT;
	char *words = str_format("%s is not available here", name);

	assert_int_equal(algorithms_check(kind, name, &e), ERR_CONFIG);
	assert_non_null(strstr(e.text, words));
	free(words);
}

static void test_who_names_it_is_told(void **state)
{
	(void)state;
	is_refused(ALGORITHM_KEX, "curve25519-sha256");
	is_refused(ALGORITHM_KEX, "ecdh-sha2-nistp256");
	is_refused(ALGORITHM_KEX, "diffie-hellman-group14-sha256");
	is_refused(ALGORITHM_HOST_KEY, "ssh-ed25519");
	is_refused(ALGORITHM_HOST_KEY, "rsa-sha2-512-cert-v01@openssh.com");
	is_refused(ALGORITHM_CIPHER, "aes128-ctr");
	is_refused(ALGORITHM_MAC, "hmac-sha1");
}

static void test_a_peer_cannot_choose_it(void **state)
{
	(void)state;
	for (size_t i = 0; kex_method_at(i); i++)
		assert_null(kex_method_find(span_of(kex_method_at(i)->name)));
	for (size_t i = 0; cipher_at(i); i++)
		assert_null(cipher_find(span_of(cipher_at(i)->name)));
	for (size_t i = 0; mac_at(i); i++)
		assert_null(mac_find(span_of(mac_at(i)->name)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nothing_is_offered),
	    cmocka_unit_test(test_who_names_it_is_told),
	    cmocka_unit_test(test_a_peer_cannot_choose_it),
	};

	if (EVP_set_default_properties(NULL, "fips=yes") != 1)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
