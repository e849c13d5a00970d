#include "hex.h"

#include "base/mem.h"
#include "ssh/mac.h"

/* RFC 4231 (RFC 2202 for SHA-1). The vectors' keys are shorter than ours: HMAC fills keys up with zeros, so it is the same MAC.
 * The first four bytes of the text stand as the sequence number. */
static void check(const char *name, struct span key, struct span text, const char *expected)
{
	const struct mac_info *info = mac_find(span_of(name));
	uint8_t whole_key[MAC_SIZE_MAX] = {0};
	uint8_t out[MAC_SIZE_MAX];

	assert_non_null(info);
	memcpy(whole_key, key.p, key.n);
	struct mac *mac = mac_new(info, whole_key);

	/* Twice: a MAC is used again and again; the second time cut into pieces. */
	for (size_t cut = 0; cut < 2; cut++) {
		struct iovec pieces[] = {
		    {(uint8_t *)text.p + 4, cut}, {(uint8_t *)text.p + 4 + cut, text.n - 4 - cut}};

		memset(out, 0, sizeof(out));
		mac_compute(mac, get_u32(text.p), pieces, 2, out);
		assert_bytes(SPAN(out, info->size), HEX(expected));
	}
	mac_free(mac);
}

#define KEY_1 HEX("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b")

static void test_hmac_sha2_256(void **state)
{
	(void)state;
	check("hmac-sha2-256", KEY_1, span_of("Hi There"),
	    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	check("hmac-sha2-256-etm@openssh.com", span_of("Jefe"),
	    span_of("what do ya want for nothing?"),
	    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

static void test_hmac_sha2_512(void **state)
{
	(void)state;
	check("hmac-sha2-512", KEY_1, span_of("Hi There"),
	    "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
	    "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854");
	check("hmac-sha2-512-etm@openssh.com", span_of("Jefe"),
	    span_of("what do ya want for nothing?"),
	    "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
	    "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737");
}

static void test_hmac_sha1(void **state)
{
	(void)state;
	check("hmac-sha1", KEY_1, span_of("Hi There"), "b617318655057264e28bc0b6fb378c8ef146be00");
	check("hmac-sha1-etm@openssh.com", span_of("Jefe"), span_of("what do ya want for nothing?"),
	    "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
}

static void test_unknown_and_unsafe_macs_are_not_found(void **state)
{
	(void)state;
	assert_null(mac_find(span_of("hmac-md5")));
	assert_null(mac_find(span_of("hmac-sha1-96")));
	assert_null(mac_find(span_of("none")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_hmac_sha2_256),
	    cmocka_unit_test(test_hmac_sha2_512),
	    cmocka_unit_test(test_hmac_sha1),
	    cmocka_unit_test(test_unknown_and_unsafe_macs_are_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
