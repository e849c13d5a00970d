#include <stdlib.h>

#include "hex.h"

#include "ssh/algorithms.h"
#include "ssh/cipher.h"
#include "ssh/kex_method.h"
#include "ssh/mac.h"

static bool default_has(enum algorithm_kind kind, const char *name)
{
	return name_list_has(span_of(algorithms_default(kind)), name);
}

static bool known_has(enum algorithm_kind kind, const char *name)
{
	return name_list_has(span_of(algorithms_known(kind)), name);
}

static void each_name(const char *list, void (*check)(struct span name))
{
	struct span rest = span_of(list), name;
	size_t count = 0;

	for (; name_list_next(&rest, &name); count++)
		check(name);
	assert_true(count > 0);
}

static void is_a_method(struct span name)
{
	assert_non_null(kex_method_find(name));
}

static void is_a_cipher(struct span name)
{
	assert_non_null(cipher_find(name));
}

static void is_a_mac(struct span name)
{
	assert_non_null(mac_find(name));
}

static void test_every_default_can_be_used(void **state)
{
	(void)state;
	each_name(algorithms_default(ALGORITHM_KEX), is_a_method);
	each_name(algorithms_default(ALGORITHM_CIPHER), is_a_cipher);
	each_name(algorithms_default(ALGORITHM_MAC), is_a_mac);
}

static void test_sha1_must_be_asked_for_by_name(void **state)
{
	(void)state;
	assert_false(default_has(ALGORITHM_MAC, "hmac-sha1"));
	assert_false(default_has(ALGORITHM_MAC, "hmac-sha1-etm@openssh.com"));
	assert_true(known_has(ALGORITHM_MAC, "hmac-sha1"));
	assert_int_equal(algorithms_check(ALGORITHM_MAC, "hmac-sha1", NULL), 0);
}

static void test_what_is_unsafe_is_not_known_at_all(void **state)
{
	(void)state;
	assert_false(known_has(ALGORITHM_HOST_KEY, "ssh-rsa"));
	assert_false(known_has(ALGORITHM_HOST_KEY, "ssh-rsa-cert-v01@openssh.com"));
	assert_false(known_has(ALGORITHM_HOST_KEY, "ssh-dss"));
	assert_false(known_has(ALGORITHM_CIPHER, "aes256-cbc"));
	assert_false(known_has(ALGORITHM_CIPHER, "none"));
	assert_false(known_has(ALGORITHM_MAC, "hmac-md5"));
	assert_false(known_has(ALGORITHM_KEX, "diffie-hellman-group1-sha1"));
	assert_false(known_has(ALGORITHM_KEX, "diffie-hellman-group14-sha1"));
	assert_false(known_has(ALGORITHM_KEX, "diffie-hellman-group-exchange-sha1"));
}

/* Whatever the processor: both orders have all of them, and AES by CTR, which needs a MAC, is last. */
static void test_ciphers_with_their_own_integrity_come_first(void **state)
{
	(void)state;
	struct span rest = span_of(algorithms_default(ALGORITHM_CIPHER)), name;
	bool seen_ctr = false;
	size_t count = 0;

	for (; name_list_next(&rest, &name); count++) {
		bool ctr = cipher_find(name)->mode == CIPHER_CTR;

		assert_false(seen_ctr && !ctr);
		seen_ctr = seen_ctr || ctr;
	}
	assert_int_equal(count, 6);
}

static void test_what_resists_quantum_computers_comes_first(void **state)
{
	(void)state;
	struct span rest = span_of(algorithms_default(ALGORITHM_KEX)), name;
	bool seen_classical = false;

	while (name_list_next(&rest, &name)) {
		bool resists = kex_method_find(name)->is_post_quantum;

		assert_false(seen_classical && resists);
		seen_classical = seen_classical || !resists;
	}
	assert_true(seen_classical);
}

static void test_a_wrong_name_is_told_with_the_nearest(void **state)
{
	(void)state;
	struct err e = ERR_INIT;

	assert_int_equal(
	    algorithms_check(ALGORITHM_CIPHER, "aes256-gmc@openssh.com", &e), ERR_CONFIG);
	assert_string_equal(e.text,
	    "unknown cipher \"aes256-gmc@openssh.com\"; did you mean aes256-gcm@openssh.com?");
	err_clear(&e);
	assert_int_equal(algorithms_check(ALGORITHM_KEX, "", &e), ERR_CONFIG);
	assert_int_equal(algorithms_check(ALGORITHM_HOST_KEY, "ssh-ed25519", NULL), 0);
}

static void test_what_is_not_here_is_told_apart(void **state)
{
	(void)state;
	const struct kex_method *method;
	struct err e = ERR_INIT;

	for (size_t i = 0; (method = kex_method_at(i)); i++) {
		int rc = algorithms_check(ALGORITHM_KEX, method->name, &e);

		assert_int_equal(rc == 0, kex_method_is_available(method));
		assert_int_equal(rc == 0, known_has(ALGORITHM_KEX, method->name));
		if (rc < 0)
			assert_non_null(strstr(e.text, "not available"));
		err_clear(&e);
	}
}

static void chooses(const char *client, const char *server, const char *expected)
{
	struct span name = SPAN("", 0);
	bool found = algorithms_choose(span_of(client), span_of(server), &name);

	assert_int_equal(found, expected != NULL);
	if (expected)
		assert_bytes(name, span_of(expected));
}

static void test_the_first_of_the_clients_that_the_server_has(void **state)
{
	(void)state;
	chooses("a,b,c", "c,b", "b");
	chooses("a,b,c", "c", "c");
	chooses("a", "a", "a");
	chooses("a,b", "ab", NULL);
	chooses("ab", "a,b", NULL);
	chooses("a", "", NULL);
	chooses("", "a", NULL);
	chooses("", "", NULL);
	chooses(",a", ",b", NULL); /* empty names are none */
	chooses(",,a", "b,,a", "a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_default_can_be_used),
	    cmocka_unit_test(test_sha1_must_be_asked_for_by_name),
	    cmocka_unit_test(test_what_is_unsafe_is_not_known_at_all),
	    cmocka_unit_test(test_ciphers_with_their_own_integrity_come_first),
	    cmocka_unit_test(test_what_resists_quantum_computers_comes_first),
	    cmocka_unit_test(test_a_wrong_name_is_told_with_the_nearest),
	    cmocka_unit_test(test_what_is_not_here_is_told_apart),
	    cmocka_unit_test(test_the_first_of_the_clients_that_the_server_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
