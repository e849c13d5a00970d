#include <stdlib.h>

#include "hex.h"
#include "kex_pair.h"
#include "test_keys.h"

#include "base/mem.h"
#include "ssh/kex_method.h"
#include "ssh/kexinit.h"
#include "ssh/messages.h"

static void assert_same_keys(const struct kex_pair_keys *a, const struct kex_pair_keys *b)
{
	assert_non_null(a->cipher);
	assert_memory_equal(a, b, sizeof(*a));
}

static void assert_agreed(struct kex_pair *p)
{
	struct kex *client = p->kex[SIDE_CLIENT];
	struct kex *server = p->kex[SIDE_SERVER];

	assert_same_keys(&p->send[SIDE_CLIENT], &p->receive[SIDE_SERVER]);
	assert_same_keys(&p->send[SIDE_SERVER], &p->receive[SIDE_CLIENT]);
	assert_memory_not_equal(p->send[SIDE_CLIENT].key, p->send[SIDE_SERVER].key,
	    p->send[SIDE_CLIENT].cipher->key_size);
	assert_bytes(kex_session_id(client), kex_session_id(server));
	assert_int_equal(p->done[SIDE_CLIENT], p->done[SIDE_SERVER]);
	assert_false(kex_is_running(client) || kex_is_running(server));
	assert_false(kex_blocks_sending(client) || kex_blocks_receiving(client));
	assert_string_equal(kex_name(client), kex_name(server));
}

/* One exchange with that preference on both sides, and what came of it. */
static void agrees(const char *host_key_file, struct algorithm_prefs prefs)
{
	struct kex_pair p;

	kex_pair_open(&p, host_key_file, &prefs, &prefs);
	if (kex_pair_exchange(&p) < 0)
		fail_msg("%s", p.e.text);
	assert_agreed(&p);
	assert_int_equal(p.done[SIDE_CLIENT], 1);
	assert_int_equal(p.asked, 1);
	assert_bytes(kex_host_key(p.kex[SIDE_CLIENT]), key_blob(p.host_key));
	assert_true(kex_first_signature(p.kex[SIDE_CLIENT]).n > 0);
	if (prefs.kex)
		assert_string_equal(kex_name(p.kex[SIDE_CLIENT]), prefs.kex);
	if (prefs.host_key)
		assert_string_equal(kex_host_key_algorithm(p.kex[SIDE_CLIENT]), prefs.host_key);
	kex_pair_close(&p);
}

static void test_every_method_agrees(void **state)
{
	(void)state;
	const struct kex_method *method;

	for (size_t i = 0; (method = kex_method_at(i)); i++) {
		struct algorithm_prefs prefs = {.kex = method->name};

		if (kex_method_is_available(method))
			agrees(TEST_ED25519_FILE, prefs);
		else
			print_message("not available here: %s\n", method->name);
	}
}

static void test_every_host_key_type_signs(void **state)
{
	(void)state;
	static const struct {
		const char *file, *algorithm;
	} rows[] = {
	    {TEST_ED25519_FILE, "ssh-ed25519"},
	    {TEST_ECDSA_P256_FILE, "ecdsa-sha2-nistp256"},
	    {TEST_ECDSA_P384_FILE, "ecdsa-sha2-nistp384"},
	    {TEST_ECDSA_P521_FILE, "ecdsa-sha2-nistp521"},
	    {TEST_RSA_FILE, "rsa-sha2-512"},
	    {TEST_RSA_FILE, "rsa-sha2-256"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		agrees(rows[i].file, (struct algorithm_prefs){.kex = "curve25519-sha256",
					 .host_key = rows[i].algorithm});
}

static void test_every_cipher_gets_its_keys(void **state)
{
	(void)state;
	const struct cipher_info *cipher;
	const struct mac_info *mac;

	for (size_t i = 0; (cipher = cipher_at(i)); i++)
		for (size_t j = 0; (mac = mac_at(j)); j++)
			agrees(
			    TEST_ED25519_FILE, (struct algorithm_prefs){.kex = "curve25519-sha256",
						   .host_key = "ssh-ed25519",
						   .ciphers = cipher->name,
						   .macs = mac->name});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_method_agrees),
	    cmocka_unit_test(test_every_host_key_type_signs),
	    cmocka_unit_test(test_every_cipher_gets_its_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
