#include <stdlib.h>

#include <openssl/evp.h>

#include "hex.h"
#include "kex_pair.h"
#include "test_keys.h"

#include "base/mem.h"
#include "base/random.h"
#include "ssh/agreement.h"
#include "ssh/kex_method.h"
#include "ssh/kexinit.h"
#include "ssh/messages.h"

/* One exchange with that preference on both sides, and what came of it. */
static void agrees(const char *host_key_file, struct algorithm_prefs prefs)
{
	struct kex_pair p;

	kex_pair_open(&p, host_key_file, &prefs, &prefs);
	if (kex_pair_exchange(&p) < 0)
		fail_msg("%s", p.e.text);
	kex_pair_assert_agreed(&p);
	assert_int_equal(p.done[SIDE_CLIENT], 1);
	assert_int_equal(p.asked, 1);
	assert_bytes(kex_first_host_key(p.kex[SIDE_CLIENT]), key_blob(p.host_key));
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

/* ---- rekeying ---- */

static void test_later_exchanges_keep_the_session_id(void **state)
{
	(void)state;
	struct kex_pair p;
	struct kex_pair_keys first;
	uint8_t id[32];

	kex_pair_open(&p, TEST_ED25519_FILE, NULL, NULL);
	assert_int_equal(kex_session_id(p.kex[SIDE_CLIENT]).n, 0);
	assert_int_equal(kex_pair_exchange(&p), 0);
	kex_pair_assert_agreed(&p);
	first = p.send[SIDE_CLIENT];
	assert_int_equal(kex_session_id(p.kex[SIDE_CLIENT]).n, sizeof(id));
	memcpy(id, kex_session_id(p.kex[SIDE_CLIENT]).p, sizeof(id));

	kex_start(p.kex[SIDE_CLIENT]); /* by the client */
	assert_int_equal(kex_pair_run(&p), 0);
	kex_pair_assert_agreed(&p);
	kex_start(p.kex[SIDE_SERVER]); /* by the server */
	assert_int_equal(kex_pair_run(&p), 0);
	kex_pair_assert_agreed(&p);
	assert_int_equal(kex_pair_exchange(&p), 0); /* by both at once */
	kex_pair_assert_agreed(&p);
	assert_int_equal(p.done[SIDE_CLIENT], 4);
	assert_int_equal(p.asked, 4);
	assert_bytes(kex_session_id(p.kex[SIDE_CLIENT]), SPAN(id, sizeof(id)));
	assert_memory_not_equal(first.key, p.send[SIDE_CLIENT].key, first.cipher->key_size);
	kex_pair_close(&p);
}

static void test_the_first_signature_is_kept(void **state)
{
	(void)state;
	struct kex_pair p;
	struct wr signature = WR_INIT;
	struct err e = ERR_INIT;

	kex_pair_open(&p, TEST_ED25519_FILE, NULL, NULL);
	struct kex *client = p.kex[SIDE_CLIENT];
	assert_int_equal(kex_first_signature(client).n, 0);
	assert_int_equal(kex_pair_exchange(&p), 0);
	wr_span_bytes(&signature, kex_first_signature(client));
	assert_int_equal(key_verify(p.host_key, span_of("ssh-ed25519"), kex_session_id(client),
			     wr_span(&signature), &e),
	    0);
	assert_int_equal(kex_pair_exchange(&p), 0);
	assert_bytes(kex_first_signature(client), wr_span(&signature));
	wr_clear(&signature);
	kex_pair_close(&p);
}

static void test_starting_twice_is_starting_once(void **state)
{
	(void)state;
	struct kex_pair p;

	kex_pair_open(&p, TEST_ED25519_FILE, NULL, NULL);
	kex_start(p.kex[SIDE_CLIENT]);
	kex_start(p.kex[SIDE_CLIENT]);
	kex_pair_work(&p, SIDE_CLIENT);
	assert_int_equal(p.queued[SIDE_CLIENT], 1);
	kex_pair_close(&p);
}

/* RFC 4253 §7.1: from KEXINIT to NEWKEYS, each direction by itself. */
static void test_each_direction_is_shut_from_kexinit_to_newkeys(void **state)
{
	(void)state;
	struct kex_pair p;

	kex_pair_open(&p, TEST_ED25519_FILE, NULL, NULL);
	struct kex *client = p.kex[SIDE_CLIENT];
	assert_false(kex_blocks_sending(client) || kex_blocks_receiving(client));
	kex_start(client);
	kex_pair_work(&p, SIDE_CLIENT);
	assert_true(kex_is_running(client));
	assert_true(kex_blocks_sending(client));
	assert_false(kex_blocks_receiving(client)); /* until the peer's KEXINIT all is legal */

	assert_int_equal(kex_pair_deliver(&p, SIDE_CLIENT), 0);
	assert_int_equal(kex_pair_deliver(&p, SIDE_SERVER), 0); /* KEXINIT */
	assert_true(kex_blocks_sending(client) && kex_blocks_receiving(client));
	assert_int_equal(kex_pair_deliver(&p, SIDE_CLIENT), 0);
	assert_int_equal(kex_pair_deliver(&p, SIDE_SERVER), 0); /* reply: our NEWKEYS is out */
	assert_false(kex_blocks_sending(client));
	assert_true(kex_blocks_receiving(client) && kex_is_running(client));
	assert_int_equal(kex_pair_deliver(&p, SIDE_SERVER), 0); /* NEWKEYS */
	assert_false(kex_blocks_receiving(client) || kex_is_running(client));
	kex_pair_close(&p);
}

/* ---- out of order ---- */

#define X25519_POINT "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"

/* Runs until the client was given so many messages of the server's, then gives it that one. */
static void client_refuses_after(size_t messages, struct span message)
{
	struct kex_pair p;

	kex_pair_open_started(&p);
	for (size_t i = 0; i < messages; i++) {
		while (p.queued[SIDE_SERVER] == 0)
			assert_int_equal(kex_pair_deliver(&p, SIDE_CLIENT), 0);
		assert_int_equal(kex_pair_deliver(&p, SIDE_SERVER), 0);
	}
	unsigned done = p.done[SIDE_CLIENT];
	assert_int_equal(kex_pair_input(&p, SIDE_CLIENT, 9, message), ERR_PEER);
	assert_int_equal(p.done[SIDE_CLIENT], done);
	assert_true(err_is_set(&p.e));
	kex_pair_close(&p);
}

static void test_messages_out_of_order_are_refused(void **state)
{
	(void)state;
	struct offer offer = good_offer();
	struct wr kexinit = WR_INIT;
	struct wr reply = WR_INIT;

	write_offer(&kexinit, &offer);
	wr_u8(&reply, 31);
	wr_cstring(&reply, "key");
	wr_string(&reply, HEX(X25519_POINT));
	wr_cstring(&reply, "signature");

	/* 0: nothing but our KEXINIT; 1: the server's; 2: its reply; 3: its NEWKEYS */
	static const uint8_t types[] = {21, 22, 29, 30, 31, 32, 33, 34, 40, 49};
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		client_refuses_after(0, SPAN(&types[i], 1));
		client_refuses_after(1, SPAN(&types[i], 1));
		if (types[i] != SSH_MSG_NEWKEYS)
			client_refuses_after(2, SPAN(&types[i], 1));
		client_refuses_after(3, SPAN(&types[i], 1));
	}
	client_refuses_after(0, wr_span(&reply));
	client_refuses_after(1, wr_span(&kexinit)); /* a second one before NEWKEYS */
	client_refuses_after(2, wr_span(&kexinit));
	client_refuses_after(2, wr_span(&reply));
	client_refuses_after(2, SPAN_LITERAL("\x15\0")); /* NEWKEYS and a byte too many */
	client_refuses_after(0, SPAN("", 0));
	wr_clear(&kexinit);
	wr_clear(&reply);
}

/* ---- the reply ---- */

/* The server's messages 30 to 49 and nothing else. */
static bool is_method_message(const struct wr *message)
{
	return message->p[0] >= SSH_MSG_KEX_FIRST && message->p[0] <= SSH_MSG_KEX_LAST;
}

static void cut_method_message(struct kex_pair *p, enum kex_side from, struct wr *message)
{
	if (from != SIDE_SERVER || !is_method_message(message) || p->at >= message->n)
		return;
	message->n = p->at;
	p->at = SIZE_MAX; /* found */
}

static void extend_method_message(struct kex_pair *p, enum kex_side from, struct wr *message)
{
	(void)p;
	if (from == SIDE_SERVER && is_method_message(message))
		wr_u8(message, 0);
}

static void flip_method_message(struct kex_pair *p, enum kex_side from, struct wr *message)
{
	if (from != SIDE_SERVER || !is_method_message(message) || p->at >= message->n)
		return;
	message->p[p->at] ^= (uint8_t)(1 << p->at % 8);
	p->at = SIZE_MAX;
}

typedef void meddler(struct kex_pair *p, enum kex_side from, struct wr *message);

static int exchange_with(const char *method, meddler *meddle, size_t at, bool *ret_found)
{
	struct algorithm_prefs prefs = {.kex = method};
	struct kex_pair p;

	kex_pair_open(&p, TEST_ED25519_FILE, &prefs, NULL);
	p.meddle = meddle;
	p.at = at;
	int rc = kex_pair_exchange(&p);
	*ret_found = p.at == SIZE_MAX;
	assert_int_equal(p.done[SIDE_CLIENT], rc == 0 ? 1 : 0);
	if (rc < 0) {
		assert_int_equal(kex_session_id(p.kex[SIDE_CLIENT]).n, 0);
		assert_null(p.send[SIDE_CLIENT].cipher);
	}
	kex_pair_close(&p);
	return rc;
}

/* Diffie-Hellman has group and reply; the others the reply alone. at runs over each message's bytes, the longest's too. */
static void each_byte(const char *method, meddler *meddle, size_t step)
{
	bool found = true;
	size_t at = 1;

	for (; found; at += step) {
		int rc = exchange_with(method, meddle, at, &found);

		assert_int_equal(rc, found ? ERR_PEER : 0);
	}
	assert_true(at > 100);
}

static void test_a_reply_cut_short_is_refused(void **state)
{
	(void)state;
	each_byte("curve25519-sha256", cut_method_message, 1);
	each_byte("ecdh-sha2-nistp256", cut_method_message, 7);
	each_byte("diffie-hellman-group14-sha256", cut_method_message, 29);
}

static void test_a_changed_reply_is_refused(void **state)
{
	(void)state;
	each_byte("curve25519-sha256", flip_method_message, 1);
	each_byte("ecdh-sha2-nistp256", flip_method_message, 7);
	each_byte("diffie-hellman-group14-sha256", flip_method_message, 29);
}

static void test_a_reply_with_a_byte_too_many_is_refused(void **state)
{
	(void)state;
	bool found;

	assert_int_equal(
	    exchange_with("curve25519-sha256", extend_method_message, 0, &found), ERR_PEER);
	assert_int_equal(
	    exchange_with("diffie-hellman-group-exchange-sha256", extend_method_message, 0, &found),
	    ERR_PEER);
}

/* Another KEXINIT than was sent: who changed an offer on its way is found out by the signature. */
static void change_offer(struct kex_pair *p, enum kex_side from, struct wr *message)
{
	(void)p;
	if (from == SIDE_CLIENT && message->p[0] == SSH_MSG_KEXINIT)
		message->p[1] ^= 1; /* the cookie */
}

static void test_a_changed_offer_is_found_out(void **state)
{
	(void)state;
	bool found;

	assert_int_equal(exchange_with("curve25519-sha256", change_offer, 0, &found), ERR_PEER);
}

/* ---- group exchange ---- */

static int gives_group(struct span p_magnitude, struct span g_magnitude, struct err *e)
{
	struct offer offer = good_offer();
	struct wr group = WR_INIT;
	struct kex_pair p;

	offer.lists[KEXINIT_KEX] = "diffie-hellman-group-exchange-sha256";
	kex_pair_open_started(&p);
	assert_int_equal(kex_pair_input_offer(&p, SIDE_CLIENT, 0, &offer), 0);
	assert_bytes(wr_span(&p.queue[SIDE_CLIENT][1]), HEX("22 00000800 00000c00 00002000"));
	wr_u8(&group, 31);
	wr_mpint(&group, p_magnitude);
	wr_mpint(&group, g_magnitude);
	int rc = kex_pair_input(&p, SIDE_CLIENT, 1, wr_span(&group));
	*e = p.e;
	wr_clear(&group);
	kex_pair_close(&p);
	return rc;
}

static void test_a_small_or_large_group_is_refused(void **state)
{
	(void)state;
	uint8_t prime[2000];
	struct err e;

	memset(prime, 0xff, sizeof(prime));
	assert_int_equal(gives_group(SPAN(prime, 256), HEX("02"), &e), 0);
	assert_int_equal(gives_group(SPAN(prime, 1024), HEX("02"), &e), 0);
	assert_int_equal(gives_group(SPAN(prime, 128), HEX("02"), &e), ERR_PEER);
	assert_non_null(strstr(e.text, "1024 bits"));
	assert_int_equal(gives_group(SPAN(prime, 1025), HEX("02"), &e), ERR_PEER);
	assert_int_equal(gives_group(SPAN(prime, 2000), HEX("02"), &e), ERR_PEER);
	assert_int_equal(gives_group(SPAN(prime, 256), HEX("01"), &e), ERR_PEER);
	assert_int_equal(gives_group(SPAN("", 0), SPAN("", 0), &e), ERR_PEER);
}

/* ---- how K is written: what a peer does that shares no code with ours ---- */

static void write_mpint_by_hand(struct wr *w, const uint8_t k[32])
{
	size_t zeros = 0;

	while (zeros < 32 && k[zeros] == 0)
		zeros++;
	if (k[zeros] & 0x80) {
		wr_u32(w, (uint32_t)(33 - zeros));
		wr_u8(w, 0);
	} else {
		wr_u32(w, (uint32_t)(32 - zeros));
	}
	wr_bytes(w, k + zeros, 32 - zeros);
}

/* A client made by hand against our server: both must have the same hash. Returns K's first byte. */
static uint8_t check_hash(const uint8_t private_key[32])
{
	struct algorithm_prefs prefs = {.kex = "curve25519-sha256", .host_key = "ssh-ed25519"};
	const struct agreement_kind *x25519 = &agreement_x25519;
	struct agreement *a = x25519->new (NULL, SPAN(private_key, 32));
	struct offer offer = good_offer();
	struct wr kexinit = WR_INIT, init = WR_INIT, value = WR_INIT, secret = WR_INIT, h = WR_INIT;
	uint8_t digest[32];
	struct kex_pair p;
	struct rd r;

	kex_pair_open(&p, TEST_ED25519_FILE, NULL, &prefs);
	write_offer(&kexinit, &offer);
	x25519->client_value(a, &value);
	wr_u8(&init, 30);
	wr_string(&init, wr_span(&value));
	assert_int_equal(kex_pair_input(&p, SIDE_SERVER, 0, wr_span(&kexinit)), 0);
	assert_int_equal(kex_pair_input(&p, SIDE_SERVER, 1, wr_span(&init)), 0);

	rd_init(&r, wr_span(&p.queue[SIDE_SERVER][1]));
	assert_int_equal(rd_u8(&r), 31);
	struct span host_key = rd_string(&r);
	struct span server_value = rd_string(&r);
	rd_string(&r);
	assert_int_equal(rd_end(&r), 0);
	assert_int_equal(x25519->client_secret(a, server_value, &secret, NULL), 0);

	wr_cstring(&h, KEX_PAIR_CLIENT_IDENT);
	wr_cstring(&h, KEX_PAIR_SERVER_IDENT);
	wr_string(&h, wr_span(&kexinit));
	wr_string(&h, wr_span(&p.queue[SIDE_SERVER][0]));
	wr_string(&h, host_key);
	wr_string(&h, wr_span(&value));
	wr_string(&h, server_value);
	write_mpint_by_hand(&h, secret.p);
	assert_int_equal(EVP_Digest(h.p, h.n, digest, NULL, EVP_sha256(), NULL), 1);
	assert_bytes(kex_session_id(p.kex[SIDE_SERVER]), SPAN(digest, sizeof(digest)));
	uint8_t first = secret.p[0];

	x25519->free(a);
	wr_clear(&kexinit);
	wr_clear(&init);
	wr_clear(&value);
	wr_clear(&secret);
	wr_clear(&h);
	kex_pair_close(&p);
	return first;
}

/* Until all three cases were there: a leading zero byte, a leading one bit, neither. */
static void test_the_secret_of_a_curve_is_hashed_as_an_mpint(void **state)
{
	(void)state;
	unsigned zeros = 0, ones = 0, others = 0;

	random_seed_for_tests(7);
	for (size_t i = 0; i < 5000 && !(zeros && ones && others); i++) {
		uint8_t private_key[32];

		random_key_bytes(private_key, sizeof(private_key));
		uint8_t first = check_hash(private_key);
		zeros += first == 0;
		ones += first >= 0x80;
		others += first > 0 && first < 0x80;
	}
	random_seed_for_tests(0);
	assert_true(zeros && ones && others);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_method_agrees),
	    cmocka_unit_test(test_every_host_key_type_signs),
	    cmocka_unit_test(test_every_cipher_gets_its_keys),
	    cmocka_unit_test(test_later_exchanges_keep_the_session_id),
	    cmocka_unit_test(test_the_first_signature_is_kept),
	    cmocka_unit_test(test_starting_twice_is_starting_once),
	    cmocka_unit_test(test_each_direction_is_shut_from_kexinit_to_newkeys),
	    cmocka_unit_test(test_messages_out_of_order_are_refused),
	    cmocka_unit_test(test_a_reply_cut_short_is_refused),
	    cmocka_unit_test(test_a_changed_reply_is_refused),
	    cmocka_unit_test(test_a_reply_with_a_byte_too_many_is_refused),
	    cmocka_unit_test(test_a_changed_offer_is_found_out),
	    cmocka_unit_test(test_a_small_or_large_group_is_refused),
	    cmocka_unit_test(test_the_secret_of_a_curve_is_hashed_as_an_mpint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
