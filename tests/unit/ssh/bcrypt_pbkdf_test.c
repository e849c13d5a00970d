#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "ssh/bcrypt_pbkdf.h"

#define TEXT(s) \
	{ \
		(const uint8_t *)(s), sizeof(s) - 1 \
	}

/* The vectors that OpenBSD and its ports test with. */
static const struct {
	uint32_t rounds;
	struct span passphrase, salt;
	const char *key;
} vectors[] = {
    {4, TEXT("password"), TEXT("salt"),
	"5bbf0cc293587f1c3635555c27796598d47e579071bf427e9d8fbe842aba34d9"},
    {4, TEXT("password"), TEXT("\0"), "c12b566235eee04c212598970a579a67"},
    {4, TEXT("\0"), TEXT("salt"), "6051be18c2f4f82cbf0efee5471b4bb9"},
    {4, TEXT("password\0"), TEXT("salt\0"),
	"7410e44cf4fa07bfaac8a928b1727fac001375e7bf7384370f48efd121743050"},
    {4, TEXT("pass\0wor"), TEXT("sa\0l"), "c2bffd9db38f6569efef4372f4de83c0"},
    {4, TEXT("pass\0word"), TEXT("sa\0lt"), "4ba4ac3925c0e8d7f0cdb6bb1684a56f"},
    {8, TEXT("password"), TEXT("salt"),
	"e1367ec5151a33faac4cc1c144cd23fa15d5548493ecc99b9b5d9c0d3b27bec7"
	"6227ea66088b849b20ab7aa478010246e74bba51723fefa9f9474d6508845e8d"},
    {42, TEXT("password"), TEXT("salt"), "833cf0dcf56db65608e8f0dc0ce882bd"},
};

static void test_the_known_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		uint8_t key[64];
		size_t n = strlen(vectors[i].key) / 2;
		assert_true(bcrypt_pbkdf(
		    vectors[i].passphrase, vectors[i].salt, vectors[i].rounds, NULL, key, n));
		char *hex = str_hex(SPAN(key, n));
		assert_string_equal(hex, vectors[i].key);
		free(hex);
	}
}

static void test_it_can_be_stopped(void **state)
{
	struct span good = SPAN_LITERAL("x");
	atomic_bool stop = true;
	uint8_t key[32];

	(void)state;
	assert_false(bcrypt_pbkdf(good, good, BCRYPT_PBKDF_ROUNDS_MAX, &stop, key, sizeof(key)));
	stop = false;
	assert_true(bcrypt_pbkdf(good, good, 1, &stop, key, sizeof(key)));
}

static void test_what_is_out_of_bounds_is_refused(void **state)
{
	struct span good = SPAN_LITERAL("x"), empty = SPAN("", 0);
	uint8_t key[BCRYPT_PBKDF_OUTPUT_MAX + 1] = {0};

	(void)state;
	assert_false(bcrypt_pbkdf(empty, good, 1, NULL, key, 32));
	assert_false(bcrypt_pbkdf(good, empty, 1, NULL, key, 32));
	assert_false(bcrypt_pbkdf(good, SPAN(key, 65537), 1, NULL, key, 32));
	assert_false(bcrypt_pbkdf(good, good, 0, NULL, key, 32));
	assert_false(bcrypt_pbkdf(good, good, BCRYPT_PBKDF_ROUNDS_MAX + 1, NULL, key, 32));
	assert_false(bcrypt_pbkdf(good, good, UINT32_MAX, NULL, key, 32));
	assert_false(bcrypt_pbkdf(good, good, 1, NULL, key, 0));
	assert_false(bcrypt_pbkdf(good, good, 1, NULL, key, sizeof(key)));
	assert_int_equal(key[0], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_known_answers),
	    cmocka_unit_test(test_it_can_be_stopped),
	    cmocka_unit_test(test_what_is_out_of_bounds_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
