#include "hex.h"

#include "ssh/kex_hash.h"

/* Computed apart, with nothing but a digest and RFC 4253 §7.2 and §8. */

#define HASH "c0f2ccfff9ff492f9130cdf5763df9b7ec4ef18c828422abc075d62f1c4a01a1"

/* An mpint whose first bit would make it negative. */
#define SECRET \
	"00000021" \
	"0080000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e"

static void test_the_exchange_hash_covers_everything(void **state)
{
	(void)state;
	struct kex_hash_input input = {
	    .digest = "SHA256",
	    .client_ident = "SSH-2.0-client",
	    .server_ident = "SSH-2.0-server",
	    .client_kexinit = SPAN_LITERAL("\x14"
					   "client kexinit"),
	    .server_kexinit = SPAN_LITERAL("\x14"
					   "server kexinit"),
	    .host_key = SPAN_LITERAL("host key"),
	    .values = SPAN_LITERAL("\0\0\0\1C\0\0\0\1S"),
	    .secret = HEX(SECRET),
	};
	uint8_t hash[KEX_HASH_SIZE_MAX];
	size_t n = kex_exchange_hash(&input, hash);

	assert_bytes(SPAN(hash, n), HEX(HASH));
}

static void derives(const char *digest, char letter, struct span session_id, const char *expected)
{
	struct span wanted = HEX(expected);
	uint8_t key[64];

	kex_derive_key(digest, HEX(SECRET), HEX(HASH), letter, session_id, key, wanted.n);
	assert_bytes(SPAN(key, wanted.n), wanted);
}

static void test_keys_are_cut_and_extended(void **state)
{
	(void)state;
	derives("SHA256", 'A', HEX(HASH), "5df6bb26e5519344f26c5c75");
	derives("SHA256", 'C', SPAN_LITERAL("session"),
	    "c71b8ada35f056a298d4143dbfc0cf17900eca758041820fb0da799874e6ffff"
	    "0fdd548821d7417fd66819c7a1deab2a1480768535b08af53b26ab8057187f2e");
	derives("SHA512", 'F', HEX(HASH),
	    "a30b0ebf985cd4b6737806964dc047b84567e8e4ea6cc0b974f125f9cdac1d15"
	    "2360e3d124b25351c4861809ee470d581d692688e7dc667291298c3bfe83cb35");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_exchange_hash_covers_everything),
	    cmocka_unit_test(test_keys_are_cut_and_extended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
