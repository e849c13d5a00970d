#include <stdlib.h>

#include "hex.h"
#include "kex_pair.h"
#include "test_keys.h"

#include "base/mem.h"
#include "ssh/kexinit.h"

/* A client that gets that KEXINIT from its server refuses, for that reason, which only a person can change. */
static void client_refuses(const struct offer *offer, const char *words)
{
	struct kex_pair p;

	kex_pair_open_started(&p);
	assert_int_equal(kex_pair_input_offer(&p, SIDE_CLIENT, 0, offer), ERR_CONFIG);
	if (!strstr(p.e.text, words))
		fail_msg("\"%s\" does not say \"%s\"", p.e.text, words);
	/* And everything after it. */
	struct offer good = good_offer();
	assert_int_equal(kex_pair_input_offer(&p, SIDE_CLIENT, 0, &good), ERR_PEER);
	kex_pair_close(&p);
}

static void client_accepts(const struct offer *offer)
{
	struct kex_pair p;

	kex_pair_open_started(&p);
	if (kex_pair_input_offer(&p, SIDE_CLIENT, 0, offer) < 0)
		fail_msg("%s", p.e.text);
	assert_int_equal(p.queued[SIDE_CLIENT], 2); /* KEXINIT, INIT */
	kex_pair_close(&p);
}

static void test_what_is_not_in_common_is_named(void **state)
{
	(void)state;
	static const struct {
		enum kexinit_list list;
		const char *words;
	} rows[] = {
	    {KEXINIT_KEX, "no key exchange in common: the peer has \"strange\""},
	    {KEXINIT_HOST_KEY, "no host key algorithm in common: the peer has \"strange\""},
	    {KEXINIT_CIPHER_TO_SERVER, "no cipher to the server in common"},
	    {KEXINIT_CIPHER_TO_CLIENT, "no cipher to the client in common"},
	    {KEXINIT_MAC_TO_SERVER, "no MAC to the server in common"},
	    {KEXINIT_MAC_TO_CLIENT, "no MAC to the client in common"},
	    {KEXINIT_COMPRESSION_TO_SERVER, "no compression method to the server in common"},
	    {KEXINIT_COMPRESSION_TO_CLIENT, "no compression method to the client in common"},
	};
	struct offer offer = good_offer();

	client_accepts(&offer);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		offer = good_offer();
		offer.lists[rows[i].list] = "strange";
		client_refuses(&offer, rows[i].words);
		offer.lists[rows[i].list] = "";
		client_refuses(&offer, "in common");
	}
	offer = good_offer();
	offer.lists[KEXINIT_LANGUAGES_TO_CLIENT] = "de,en";
	client_accepts(&offer);
}

/* In each direction for itself. */
static void test_a_cipher_with_its_own_integrity_needs_no_mac(void **state)
{
	(void)state;
	struct offer offer = good_offer();

	offer.lists[KEXINIT_CIPHER_TO_SERVER] = "aes256-gcm@openssh.com";
	offer.lists[KEXINIT_MAC_TO_SERVER] = "";
	client_accepts(&offer);
	offer.lists[KEXINIT_MAC_TO_CLIENT] = "";
	client_refuses(&offer, "no MAC to the client");
	offer.lists[KEXINIT_CIPHER_TO_CLIENT] = "chacha20-poly1305@openssh.com";
	client_accepts(&offer);
}

static void test_the_two_directions_may_differ(void **state)
{
	(void)state;
	struct kexinit client, server;
	struct kex_choice choice;
	struct wr ours = WR_INIT, theirs = WR_INIT;
	struct offer offer = good_offer();

	write_offer(&ours, &offer);
	offer.lists[KEXINIT_CIPHER_TO_SERVER] = "aes256-ctr,aes128-ctr";
	offer.lists[KEXINIT_CIPHER_TO_CLIENT] = "aes128-ctr";
	write_offer(&theirs, &offer);
	wr_reset(&ours);
	offer = good_offer();
	offer.lists[KEXINIT_CIPHER_TO_SERVER] = "aes192-ctr,aes256-ctr,aes128-ctr";
	offer.lists[KEXINIT_CIPHER_TO_CLIENT] = "aes192-ctr,aes256-ctr,aes128-ctr";
	write_offer(&ours, &offer);
	assert_int_equal(kexinit_read(wr_span(&ours), &client, NULL), 0);
	assert_int_equal(kexinit_read(wr_span(&theirs), &server, NULL), 0);
	assert_int_equal(
	    kexinit_choose(&client, &server, KEXINIT_PEER_IS_SERVER, &choice, NULL), 0);
	assert_string_equal(choice.ciphers[KEX_TO_SERVER]->name, "aes256-ctr");
	assert_string_equal(choice.ciphers[KEX_TO_CLIENT]->name, "aes128-ctr");
	wr_clear(&ours);
	wr_clear(&theirs);
}

/* A peer that has nothing in common with us but the markers, which are no methods. */
static void test_a_marker_is_never_chosen(void **state)
{
	(void)state;
	struct offer offer = good_offer();

	offer.lists[KEXINIT_KEX] = "ext-info-c,kex-strict-c-v00@openssh.com";
	client_refuses(&offer, "no key exchange in common");
}

static void test_a_long_list_is_cut_and_escaped_in_the_message(void **state)
{
	(void)state;
	struct offer offer = good_offer();
	char names[3000];

	memset(names, '\n', sizeof(names));
	names[sizeof(names) - 1] = 0;
	offer.lists[KEXINIT_CIPHER_TO_CLIENT] = names;
	client_refuses(&offer, "\\n\\n");
}

static void test_a_kexinit_cut_short_is_refused(void **state)
{
	(void)state;
	struct offer offer = good_offer();
	struct wr w = WR_INIT;

	write_offer(&w, &offer);
	for (size_t n = 1; n <= w.n + 1; n++) {
		struct kex_pair p;

		if (n == w.n)
			continue;
		kex_pair_open_started(&p);
		struct wr cut = WR_INIT;
		wr_bytes(&cut, w.p, n < w.n ? n : w.n);
		if (n > w.n)
			wr_u8(&cut, 0); /* a byte too many */
		assert_int_equal(kex_pair_input(&p, SIDE_CLIENT, 0, wr_span(&cut)), ERR_PEER);
		assert_int_equal(p.queued[SIDE_CLIENT], 1); /* its own KEXINIT, nothing since */
		wr_clear(&cut);
		kex_pair_close(&p);
	}
	wr_clear(&w);
}

/* ---- our own offer ---- */

static struct kexinit our_offer(struct kex_pair *p, enum kex_side side)
{
	struct kexinit offer;

	assert_int_equal(p->queued[side], 1);
	assert_int_equal(kexinit_read(wr_span(&p->queue[side][0]), &offer, NULL), 0);
	return offer;
}

static void test_the_markers_are_there_whatever_was_configured(void **state)
{
	(void)state;
	struct algorithm_prefs prefs = {.kex = "ecdh-sha2-nistp256"};
	struct kex_pair p;

	kex_pair_open(&p, TEST_ED25519_FILE, &prefs, &prefs);
	kex_start(p.kex[SIDE_CLIENT]);
	kex_start(p.kex[SIDE_SERVER]);
	kex_pair_work(&p, SIDE_CLIENT);
	kex_pair_work(&p, SIDE_SERVER);
	assert_bytes(our_offer(&p, SIDE_CLIENT).lists[KEXINIT_KEX],
	    span_of("ecdh-sha2-nistp256,ext-info-c,kex-strict-c-v00@openssh.com"));
	assert_bytes(our_offer(&p, SIDE_SERVER).lists[KEXINIT_KEX],
	    span_of("ecdh-sha2-nistp256,ext-info-s,kex-strict-s-v00@openssh.com"));
	kex_pair_close(&p);
}

static void test_what_cannot_be_used_is_not_offered(void **state)
{
	(void)state;
	struct algorithm_prefs prefs = {.kex = "curve25519-sha256,strange",
	    .ciphers = "aes128-cbc,aes256-ctr",
	    .macs = "hmac-sha1,hmac-md5",
	    .host_key = "ssh-rsa,rsa-sha2-512"};
	struct kex_pair p;

	kex_pair_open(&p, TEST_ED25519_FILE, &prefs, NULL);
	kex_start(p.kex[SIDE_CLIENT]);
	kex_pair_work(&p, SIDE_CLIENT);
	struct kexinit offer = our_offer(&p, SIDE_CLIENT);
	assert_bytes(offer.lists[KEXINIT_KEX],
	    span_of("curve25519-sha256,ext-info-c,kex-strict-c-v00@openssh.com"));
	assert_bytes(offer.lists[KEXINIT_CIPHER_TO_SERVER], span_of("aes256-ctr"));
	assert_bytes(offer.lists[KEXINIT_MAC_TO_CLIENT], span_of("hmac-sha1"));
	assert_bytes(offer.lists[KEXINIT_HOST_KEY], span_of("rsa-sha2-512"));
	assert_bytes(offer.lists[KEXINIT_COMPRESSION_TO_CLIENT], span_of("none"));
	kex_pair_close(&p);
}

static void test_two_offers_have_different_cookies(void **state)
{
	(void)state;
	struct algorithm_prefs prefs = {0};
	struct wr a = WR_INIT, b = WR_INIT;

	kexinit_write(&a, &prefs, "");
	kexinit_write(&b, &prefs, "");
	assert_memory_not_equal(a.p + 1, b.p + 1, 16);
	wr_clear(&a);
	wr_clear(&b);
}

/* ---- strict key exchange ---- */

static const char strict_methods[] = "curve25519-sha256,ext-info-s,kex-strict-s-v00@openssh.com";

static void test_strict_if_both_say_so(void **state)
{
	(void)state;
	struct kex_pair p;

	kex_pair_open(&p, TEST_ED25519_FILE, NULL, NULL);
	assert_int_equal(kex_pair_exchange(&p), 0);
	for (size_t side = 0; side < 2; side++) {
		assert_true(kex_is_strict(p.kex[side]));
		assert_true(kex_peer_has_ext_info(p.kex[side]));
		assert_int_equal(p.send[side].sequence, PACKET_SEQUENCE_RESTARTS);
		assert_int_equal(p.receive[side].sequence, PACKET_SEQUENCE_RESTARTS);
	}
	/* For the whole connection. */
	assert_int_equal(kex_pair_exchange(&p), 0);
	assert_int_equal(p.send[SIDE_CLIENT].sequence, PACKET_SEQUENCE_RESTARTS);
	kex_pair_close(&p);
}

static void test_not_strict_if_the_peer_does_not_say_so(void **state)
{
	(void)state;
	struct offer offer = good_offer();
	struct kex_pair p;

	kex_pair_open_started(&p);
	/* Then other packets may have been before it, too. */
	assert_int_equal(kex_pair_input_offer(&p, SIDE_CLIENT, 3, &offer), 0);
	assert_false(kex_is_strict(p.kex[SIDE_CLIENT]));
	assert_false(kex_peer_has_ext_info(p.kex[SIDE_CLIENT]));
	assert_int_equal(kex_sequence(p.kex[SIDE_CLIENT]), PACKET_SEQUENCE_GOES_ON);
	kex_pair_close(&p);

	/* Nor by the marker of the wrong side. */
	offer.lists[KEXINIT_KEX] = "curve25519-sha256,kex-strict-c-v00@openssh.com,ext-info-c";
	kex_pair_open_started(&p);
	assert_int_equal(kex_pair_input_offer(&p, SIDE_CLIENT, 0, &offer), 0);
	assert_false(kex_is_strict(p.kex[SIDE_CLIENT]));
	assert_false(kex_peer_has_ext_info(p.kex[SIDE_CLIENT]));
	kex_pair_close(&p);
}

static void test_strict_wants_kexinit_first_of_all(void **state)
{
	(void)state;
	struct offer offer = good_offer();
	struct kex_pair p;

	offer.lists[KEXINIT_KEX] = strict_methods;
	kex_pair_open_started(&p);
	assert_int_equal(kex_pair_input_offer(&p, SIDE_CLIENT, 1, &offer), ERR_PEER);
	assert_non_null(strstr(p.e.text, "strict"));
	kex_pair_close(&p);

	kex_pair_open_started(&p);
	assert_int_equal(kex_pair_input_offer(&p, SIDE_CLIENT, 0, &offer), 0);
	assert_true(kex_is_strict(p.kex[SIDE_CLIENT]));
	kex_pair_close(&p);
}

/* The markers count in the first exchange alone, and a later KEXINIT is not packet 0. */
static void test_later_markers_mean_nothing(void **state)
{
	(void)state;
	struct offer offer = good_offer();
	struct kex_pair p;

	kex_pair_open(&p, TEST_ED25519_FILE, NULL, NULL);
	assert_int_equal(kex_pair_exchange(&p), 0);
	assert_int_equal(kex_pair_input_offer(&p, SIDE_CLIENT, 77, &offer), 0); /* without them */
	assert_true(kex_is_strict(p.kex[SIDE_CLIENT]));
	kex_pair_close(&p);
}

/* ---- guesses (RFC 4253 §7) ---- */

#define X25519_POINT "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"

static void write_init(struct wr *w)
{
	wr_u8(w, 30);
	wr_string(w, HEX(X25519_POINT));
}

/* A server gets that offer, then a message 30 that is a guess, then the real one. Which of them gets an answer? */
static void guesses(struct offer offer, struct span guess, bool guess_is_used)
{
	struct algorithm_prefs prefs = {.kex = "curve25519-sha256", .host_key = "ssh-ed25519"};
	struct wr init = WR_INIT;
	struct kex_pair p;

	write_init(&init);
	kex_pair_open(&p, TEST_ED25519_FILE, NULL, &prefs);
	offer.guess = true;
	assert_int_equal(kex_pair_input_offer(&p, SIDE_SERVER, 0, &offer), 0);
	assert_int_equal(p.queued[SIDE_SERVER], 1); /* KEXINIT */
	assert_int_equal(kex_pair_input(&p, SIDE_SERVER, 1, guess), 0);
	assert_int_equal(p.queued[SIDE_SERVER], guess_is_used ? 3 : 1);
	if (!guess_is_used) {
		assert_int_equal(kex_pair_input(&p, SIDE_SERVER, 2, wr_span(&init)), 0);
		assert_int_equal(p.queued[SIDE_SERVER], 3); /* and reply, NEWKEYS */
	}
	kex_pair_close(&p);
	wr_clear(&init);
}

static void test_a_right_guess_is_used(void **state)
{
	(void)state;
	struct wr init = WR_INIT;

	write_init(&init);
	guesses(good_offer(), wr_span(&init), true);
	wr_clear(&init);
}

static void test_a_wrong_guess_is_dropped_whatever_it_is(void **state)
{
	(void)state;
	struct offer offer = good_offer();

	offer.lists[KEXINIT_KEX] = "ecdh-sha2-nistp521,curve25519-sha256";
	guesses(offer, SPAN_LITERAL("\x1e garbage"), false);
	guesses(offer, SPAN_LITERAL("\x22"), false);
	offer = good_offer();
	offer.lists[KEXINIT_HOST_KEY] = "rsa-sha2-512,ssh-ed25519";
	guesses(offer, SPAN_LITERAL("\x1e"), false);
}

static void test_exactly_one_message_is_dropped(void **state)
{
	(void)state;
	struct offer offer = good_offer();
	struct kex_pair p;

	offer.lists[KEXINIT_KEX] = "strange,curve25519-sha256";
	offer.guess = true;
	kex_pair_open_started(&p);
	assert_int_equal(kex_pair_input_offer(&p, SIDE_CLIENT, 0, &offer), 0);
	assert_int_equal(kex_pair_input(&p, SIDE_CLIENT, 1, SPAN_LITERAL("\x1f?")), 0);
	assert_int_equal(kex_pair_input(&p, SIDE_CLIENT, 2, SPAN_LITERAL("\x1f?")), ERR_PEER);
	kex_pair_close(&p);

	/* Without a guess none is. */
	offer.guess = false;
	kex_pair_open_started(&p);
	assert_int_equal(kex_pair_input_offer(&p, SIDE_CLIENT, 0, &offer), 0);
	assert_int_equal(kex_pair_input(&p, SIDE_CLIENT, 1, SPAN_LITERAL("\x1f?")), ERR_PEER);
	kex_pair_close(&p);
}

/* A guess is no way around NEWKEYS. */
static void test_a_guess_does_not_excuse_other_messages(void **state)
{
	(void)state;
	struct offer offer = good_offer();
	struct kex_pair p;

	offer.lists[KEXINIT_KEX] = "strange,curve25519-sha256";
	offer.guess = true;
	kex_pair_open_started(&p);
	assert_int_equal(kex_pair_input_offer(&p, SIDE_CLIENT, 0, &offer), 0);
	assert_int_equal(kex_pair_input(&p, SIDE_CLIENT, 1, SPAN_LITERAL("\x15")), ERR_PEER);
	kex_pair_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_not_in_common_is_named),
	    cmocka_unit_test(test_a_cipher_with_its_own_integrity_needs_no_mac),
	    cmocka_unit_test(test_the_two_directions_may_differ),
	    cmocka_unit_test(test_a_marker_is_never_chosen),
	    cmocka_unit_test(test_a_long_list_is_cut_and_escaped_in_the_message),
	    cmocka_unit_test(test_a_kexinit_cut_short_is_refused),
	    cmocka_unit_test(test_the_markers_are_there_whatever_was_configured),
	    cmocka_unit_test(test_what_cannot_be_used_is_not_offered),
	    cmocka_unit_test(test_two_offers_have_different_cookies),
	    cmocka_unit_test(test_strict_if_both_say_so),
	    cmocka_unit_test(test_not_strict_if_the_peer_does_not_say_so),
	    cmocka_unit_test(test_strict_wants_kexinit_first_of_all),
	    cmocka_unit_test(test_later_markers_mean_nothing),
	    cmocka_unit_test(test_a_right_guess_is_used),
	    cmocka_unit_test(test_a_wrong_guess_is_dropped_whatever_it_is),
	    cmocka_unit_test(test_exactly_one_message_is_dropped),
	    cmocka_unit_test(test_a_guess_does_not_excuse_other_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
