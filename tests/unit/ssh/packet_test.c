#include <stdlib.h>

#include "hex.h"

#include "base/mem.h"
#include "base/random.h"
#include "net/bev.h"
#include "ssh/packet.h"

static uint8_t key[CIPHER_KEY_SIZE_MAX], iv[CIPHER_IV_SIZE_MAX], mac_key[MAC_SIZE_MAX];
static uint8_t bytes[PACKET_LENGTH_MAX];

static int fill(void **state)
{
	(void)state;
	random_seed_for_tests(1);
	random_key_bytes(key, sizeof(key));
	random_key_bytes(iv, sizeof(iv));
	random_key_bytes(mac_key, sizeof(mac_key));
	random_key_bytes(bytes, sizeof(bytes));
	return 0;
}

/* ---- a sealer, an opener and what is between them ---- */

struct wire {
	struct packet_keys keys;
	struct packet_sealer *sealer;
	struct packet_opener *opener;
	struct evbuffer *sealed; /* from the sealer */
	struct evbuffer *in;     /* to the opener */
	struct err e;
};

static void wire_open(struct wire *w, const struct packet_keys *keys)
{
	*w = (struct wire){.e = ERR_INIT};
	w->sealer = packet_sealer_new();
	w->opener = packet_opener_new();
	w->sealed = evbuffer_new();
	w->in = evbuffer_new();
	if (!keys)
		return;
	w->keys = *keys;
	packet_sealer_set_keys(w->sealer, keys, PACKET_SEQUENCE_GOES_ON);
	packet_opener_set_keys(w->opener, keys, PACKET_SEQUENCE_GOES_ON);
}

static void wire_close(struct wire *w)
{
	packet_sealer_free(w->sealer);
	packet_opener_free(w->opener);
	evbuffer_free(w->sealed);
	evbuffer_free(w->in);
}

static void seal(struct wire *w, size_t n)
{
	struct iovec piece = {bytes, n};

	packet_seal(w->sealer, &piece, 1, w->sealed);
}

/* Seals one packet and takes its bytes; gives. */
static uint8_t *sealed_bytes(struct wire *w, size_t payload, size_t *ret_n)
{
	seal(w, payload);
	*ret_n = evbuffer_get_length(w->sealed);
	uint8_t *p = mem_alloc(*ret_n);
	evbuffer_remove(w->sealed, p, *ret_n);
	return p;
}

static int feed(struct wire *w, const void *p, size_t n, struct span *ret_payload)
{
	evbuffer_add(w->in, p, n);
	return packet_open(w->opener, w->in, ret_payload, &w->e);
}

/* Every way to protect a packet, and none at all. */
static void each_protection(void (*check)(const struct packet_keys *keys))
{
	struct packet_keys keys = {.key = key, .iv = iv, .mac_key = mac_key};

	for (size_t i = 0; (keys.cipher = cipher_at(i)); i++) {
		keys.mac = NULL;
		if (keys.cipher->tag_size) {
			check(&keys);
			continue;
		}
		for (size_t j = 0; (keys.mac = mac_at(j)); j++)
			check(&keys);
	}
}

static void each_protection_and_none(void (*check)(const struct packet_keys *keys))
{
	check(NULL);
	each_protection(check);
}

/* ---- round trips ---- */

static void check_round_trip(const struct packet_keys *keys)
{
	static const size_t sizes[] = {1, 2, 7, 8, 9, 15, 16, 17, 64, 1000, 32768, 65536, 200000};
	struct wire w;
	struct span payload;

	wire_open(&w, keys);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		size_t expected = packet_sealed_size(w.sealer, sizes[i]);

		seal(&w, sizes[i]);
		assert_int_equal(evbuffer_get_length(w.sealed), expected);
		evbuffer_add_buffer(w.in, w.sealed);
		assert_int_equal(packet_open(w.opener, w.in, &payload, &w.e), 1);
		assert_bytes(payload, SPAN(bytes, sizes[i]));
		assert_int_equal(evbuffer_get_length(w.in), 0);
		assert_int_equal(packet_opener_sequence(w.opener), i);
		assert_int_equal(packet_sealer_sequence(w.sealer), i + 1);
	}
	wire_close(&w);
}

static void test_what_is_sealed_can_be_opened(void **state)
{
	(void)state;
	each_protection_and_none(check_round_trip);
}

/* ---- keeping what was opened ---- */

static struct span open_one(struct wire *w, size_t offset, size_t n)
{
	struct iovec piece = {bytes + offset, n};
	struct span payload;

	packet_seal(w->sealer, &piece, 1, w->in);
	assert_int_equal(packet_open(w->opener, w->in, &payload, &w->e), 1);
	assert_bytes(payload, SPAN(bytes + offset, n));
	return payload;
}

static void check_what_is_kept_stays(const struct packet_keys *keys)
{
	enum { KEPT = 7, SIZE = 30000, HEAD = 9, STEP = 1000 };
	struct span parts[KEPT];
	struct packet_page *pages[KEPT];
	struct wire w;

	wire_open(&w, keys);
	for (size_t i = 0; i < KEPT; i++) {
		struct span payload = open_one(&w, i * STEP, SIZE);

		parts[i] = SPAN(payload.p + HEAD, payload.n - HEAD);
		pages[i] = packet_keep(parts[i]);
		assert_non_null(pages[i]);
		(void)open_one(&w, 0, 100); /* which nobody keeps */
	}
	for (size_t i = 0; i < KEPT; i++) {
		assert_bytes(parts[i], SPAN(bytes + i * STEP + HEAD, SIZE - HEAD));
		packet_release(pages[i]);
	}
	wire_close(&w);
}

static void test_what_is_kept_stays_until_it_is_released(void **state)
{
	(void)state;
	each_protection_and_none(check_what_is_kept_stays);
}

static void test_what_nobody_keeps_is_overwritten(void **state)
{
	struct wire w;
	struct span first, second;
	struct packet_page *page;

	(void)state;
	wire_open(&w, NULL);
	first = open_one(&w, 0, 30000);
	page = packet_keep(first);
	assert_non_null(page);
	packet_release(page);
	first = open_one(&w, 100, 30000);
	second = open_one(&w, 200, 30000);
	assert_ptr_equal(first.p, second.p);
	wire_close(&w);
}

static void test_only_what_was_opened_last_can_be_kept(void **state)
{
	struct wire w;
	struct packet_page *page;
	struct span first;

	(void)state;
	wire_open(&w, NULL);
	first = open_one(&w, 0, 20000);
	page = packet_keep(first);
	assert_non_null(page);
	assert_null(packet_keep(first)); /* twice */
	(void)open_one(&w, 0, 20000);
	assert_null(packet_keep(first));
	assert_null(packet_keep(SPAN(bytes, 20000)));
	assert_null(packet_keep(open_one(&w, 0, 60000))); /* a very large one */
	packet_release(page);
	wire_close(&w);
}

/* ---- in pieces ---- */

static void check_split(const struct packet_keys *keys)
{
	struct wire w;
	struct span payload;
	size_t n;

	wire_open(&w, keys);
	for (size_t round = 0; round < 3; round++) {
		uint8_t *p = sealed_bytes(&w, 50 + round, &n);

		for (size_t i = 0; i < n; i++) {
			/* Each byte in a chain of its own. */
			struct evbuffer *one = evbuffer_new();
			int last = i + 1 == n;

			evbuffer_add(one, p + i, 1);
			evbuffer_add_buffer(w.in, one);
			evbuffer_free(one);
			assert_int_equal(packet_open(w.opener, w.in, &payload, &w.e), last);
		}
		assert_bytes(payload, SPAN(bytes, 50 + round));
		free(p);
	}
	wire_close(&w);
}

static void test_packets_come_split_at_every_byte(void **state)
{
	(void)state;
	each_protection_and_none(check_split);
}

/* Two chains that meet at each place in turn: within the length, the text, the tag. */
static void check_seams(const struct packet_keys *keys)
{
	struct wire w;
	struct span payload;
	size_t n = 2;

	wire_open(&w, keys);
	for (size_t seam = 1; seam < n; seam++) {
		uint8_t *p = sealed_bytes(&w, 40, &n);

		evbuffer_add_reference(w.in, p, seam, NULL, NULL);
		evbuffer_add_reference(w.in, p + seam, n - seam, NULL, NULL);
		assert_int_equal(packet_open(w.opener, w.in, &payload, &w.e), 1);
		assert_bytes(payload, SPAN(bytes, 40));
		free(p);
	}
	wire_close(&w);
}

static void test_a_packet_may_lie_in_two_chains(void **state)
{
	(void)state;
	each_protection_and_none(check_seams);
}

static void check_pieces(const struct packet_keys *keys)
{
	struct wire w;
	struct span payload;
	struct iovec pieces[PACKET_PIECES_MAX];
	size_t at = 0;

	for (size_t i = 0; i < PACKET_PIECES_MAX; i++) {
		size_t n = i % 5 == 4 ? 2000 : i % 3;

		pieces[i] = (struct iovec){bytes + at, n};
		at += n;
	}
	wire_open(&w, keys);
	packet_seal(w.sealer, pieces, PACKET_PIECES_MAX, w.in);
	assert_int_equal(packet_open(w.opener, w.in, &payload, &w.e), 1);
	assert_bytes(payload, SPAN(bytes, at));
	wire_close(&w);
}

static void test_a_payload_comes_in_pieces(void **state)
{
	(void)state;
	each_protection_and_none(check_pieces);
}

static void test_several_packets_are_opened_one_by_one(void **state)
{
	(void)state;
	struct wire w;
	struct span payload;

	wire_open(&w, NULL);
	for (size_t n = 1; n <= 3; n++)
		seal(&w, n);
	evbuffer_add_buffer(w.in, w.sealed);
	for (size_t n = 1; n <= 3; n++) {
		assert_int_equal(packet_open(w.opener, w.in, &payload, &w.e), 1);
		assert_bytes(payload, SPAN(bytes, n));
	}
	assert_int_equal(packet_open(w.opener, w.in, &payload, &w.e), 0);
	wire_close(&w);
}

/* RFC 4253 §6, from outside: with stream ciphers the length can be read where it is not encrypted. */
static void test_padding_fills_up_blocks(void **state)
{
	(void)state;
	struct packet_keys gcm = {
	    .cipher = cipher_find(span_of("aes128-gcm@openssh.com")), .key = key, .iv = iv};
	size_t n;

	for (size_t size = 1; size < 40; size++) {
		struct wire w;

		wire_open(&w, NULL);
		uint8_t *p = sealed_bytes(&w, size, &n);
		assert_int_equal(n % 8, 0);
		assert_int_equal(get_u32(p), n - 4);
		assert_in_range(p[4], 4, 11);
		assert_int_equal(n, 5 + size + p[4]);
		free(p);
		wire_close(&w);

		wire_open(&w, &gcm);
		p = sealed_bytes(&w, size, &n);
		assert_int_equal(get_u32(p), n - 4 - 16);
		assert_int_equal(get_u32(p) % 16, 0);
		free(p);
		wire_close(&w);
	}
}

/* ---- what must be refused ---- */

/* Opens it whole; if the opener waits for more, with a lot of that. */
static int open_all(const struct packet_keys *keys, const uint8_t *p, size_t n)
{
	struct wire w;
	struct span payload = SPAN("", 0);

	wire_open(&w, keys);
	int rc = feed(&w, p, n, &payload);
	if (rc == 0)
		rc = feed(&w, bytes, sizeof(bytes), &payload);
	if (rc < 0) {
		assert_int_equal(payload.n, 0);
		assert_true(err_is_set(&w.e));
	}
	wire_close(&w);
	return rc;
}

static void check_forged(const struct packet_keys *keys)
{
	struct wire w;
	size_t n;

	wire_open(&w, keys);
	uint8_t *p = sealed_bytes(&w, 20, &n);
	assert_int_equal(open_all(keys, p, n), 1);
	for (size_t bit = 0; bit < 8 * n; bit++) {
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(open_all(keys, p, n), ERR_PEER);
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	free(p);
	wire_close(&w);
}

static void test_each_forged_bit_is_refused(void **state)
{
	(void)state;
	each_protection(check_forged);
}

/* All these protections are stream ciphers or leave the length in the clear, so a forger can make it what he likes. */
static void check_lengths(const struct packet_keys *keys)
{
	static const uint32_t lengths[] = {
	    0, 1, 4, 5, 11, 13, 35001, PACKET_LENGTH_MAX + 1, PACKET_LENGTH_MAX + 16, 0xffffffff};
	struct wire w;
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct span payload;
		uint8_t wanted[4];
		uint8_t was[4];

		wire_open(&w, keys);
		uint8_t *p = sealed_bytes(&w, 20, &n);
		put_u32(was, (uint32_t)(n - 4 -
					(keys && keys->mac ? keys->mac->size
					    : keys         ? keys->cipher->tag_size
							   : 0)));
		put_u32(wanted, lengths[i]);
		for (size_t j = 0; j < 4; j++)
			p[j] ^= was[j] ^ wanted[j];
		/* At once: no waiting for what is not legal. */
		assert_int_equal(feed(&w, p, 16, &payload), ERR_PEER);
		assert_non_null(strstr(w.e.text, "length"));
		free(p);
		wire_close(&w);
	}
}

static void test_an_illegal_length_is_refused_at_once(void **state)
{
	(void)state;
	each_protection_and_none(check_lengths);
}

static void test_the_longest_packet_is_accepted(void **state)
{
	(void)state;
	struct wire w;
	struct span payload;
	const size_t size = PACKET_LENGTH_MAX - 4 - 1 - 7;

	wire_open(&w, NULL);
	seal(&w, size);
	evbuffer_add_buffer(w.in, w.sealed);
	assert_int_equal(packet_open(w.opener, w.in, &payload, &w.e), 1);
	assert_bytes(payload, SPAN(bytes, size));
	wire_close(&w);
}

/* length, padding_length, then zeros */
static int open_clear(uint32_t packet_length, uint8_t padding_length)
{
	uint8_t p[64] = {0};

	put_u32(p, packet_length);
	p[4] = padding_length;
	return open_all(NULL, p, 4 + packet_length);
}

static void test_wrong_padding_is_refused(void **state)
{
	(void)state;
	assert_int_equal(open_clear(12, 0), ERR_PEER);
	assert_int_equal(open_clear(12, 3), ERR_PEER);
	assert_int_equal(open_clear(12, 4), 1);
	assert_int_equal(open_clear(12, 10), 1);
	assert_int_equal(open_clear(12, 11), ERR_PEER); /* no payload */
	assert_int_equal(open_clear(12, 12), ERR_PEER);
	assert_int_equal(open_clear(12, 255), ERR_PEER);
	assert_int_equal(open_clear(28, 26), 1); /* more than needed is legal */
}

static void test_after_an_error_nothing_is_opened(void **state)
{
	(void)state;
	struct wire w;
	struct span payload;

	wire_open(&w, NULL);
	assert_int_equal(feed(&w, "\377\377\377\377", 4, &payload), ERR_PEER);
	evbuffer_drain(w.in, 4);
	seal(&w, 5);
	evbuffer_add_buffer(w.in, w.sealed);
	assert_int_equal(packet_open(w.opener, w.in, &payload, &w.e), ERR_PEER);
	wire_close(&w);
}

static void check_other_key(const struct packet_keys *keys)
{
	struct packet_keys other = *keys;
	uint8_t other_key[CIPHER_KEY_SIZE_MAX];
	uint8_t other_mac_key[MAC_SIZE_MAX];
	struct wire w;
	size_t n;

	memcpy(other_key, key, sizeof(key));
	memcpy(other_mac_key, mac_key, sizeof(mac_key));
	other_key[0] ^= 1;
	other_mac_key[0] ^= 1;
	other.key = other_key;
	other.mac_key = other_mac_key;
	wire_open(&w, keys);
	uint8_t *p = sealed_bytes(&w, 20, &n);
	assert_int_equal(open_all(&other, p, n), ERR_PEER);
	free(p);
	wire_close(&w);
}

static void test_another_key_opens_nothing(void **state)
{
	(void)state;
	each_protection(check_other_key);
}

static void check_replay(const struct packet_keys *keys)
{
	struct wire w;
	struct span payload;
	size_t n;

	wire_open(&w, keys);
	uint8_t *p = sealed_bytes(&w, 20, &n);
	assert_int_equal(feed(&w, p, n, &payload), 1);
	int rc = feed(&w, p, n, &payload);
	if (rc == 0) /* its length reads as another one now */
		rc = feed(&w, bytes, sizeof(bytes), &payload);
	assert_int_equal(rc, ERR_PEER);
	free(p);
	wire_close(&w);
}

static void test_a_packet_played_again_is_refused(void **state)
{
	(void)state;
	each_protection(check_replay);
}

static void test_packets_in_the_clear_are_few(void **state)
{
	(void)state;
	struct wire w;
	struct span payload;

	wire_open(&w, NULL);
	for (size_t i = 0; i < PACKET_CLEAR_MAX; i++) {
		seal(&w, 1);
		evbuffer_add_buffer(w.in, w.sealed);
		assert_int_equal(packet_open(w.opener, w.in, &payload, &w.e), 1);
	}
	seal(&w, 1);
	evbuffer_add_buffer(w.in, w.sealed);
	assert_int_equal(packet_open(w.opener, w.in, &payload, &w.e), ERR_PEER);
	wire_close(&w);
}

/* ---- new keys ---- */

static void check_rekey(const struct packet_keys *keys)
{
	enum packet_sequence sequences[] = {PACKET_SEQUENCE_GOES_ON, PACKET_SEQUENCE_RESTARTS};

	for (size_t i = 0; i < 2; i++) {
		struct wire w;
		struct span payload;

		wire_open(&w, NULL);
		seal(&w, 10);
		seal(&w, 10);
		packet_sealer_set_keys(w.sealer, keys, sequences[i]);
		assert_int_equal(packet_sealer_count(w.sealer).packets, 0);
		seal(&w, 11);
		assert_int_equal(packet_sealer_sequence(w.sealer), i ? 1 : 3);
		evbuffer_add_buffer(w.in, w.sealed);
		assert_int_equal(packet_open(w.opener, w.in, &payload, &w.e), 1);
		assert_int_equal(packet_open(w.opener, w.in, &payload, &w.e), 1);
		packet_opener_set_keys(w.opener, keys, sequences[i]);
		assert_int_equal(packet_open(w.opener, w.in, &payload, &w.e), 1);
		assert_bytes(payload, SPAN(bytes, 11));
		assert_int_equal(packet_opener_sequence(w.opener), i ? 0 : 2);
		assert_ptr_equal(packet_opener_names(w.opener)->cipher, keys->cipher);
		assert_ptr_equal(packet_sealer_names(w.sealer)->mac, keys->mac);
		wire_close(&w);
	}
}

static void test_keys_change_between_two_packets(void **state)
{
	(void)state;
	each_protection(check_rekey);
}

static void test_what_a_key_was_used_for_is_counted(void **state)
{
	(void)state;
	struct packet_keys keys = {
	    .cipher = cipher_find(span_of("aes256-gcm@openssh.com")), .key = key, .iv = iv};
	struct wire w;
	struct span payload;

	wire_open(&w, &keys);
	seal(&w, 100);
	seal(&w, 200);
	size_t n = evbuffer_get_length(w.sealed);
	assert_int_equal(packet_sealer_count(w.sealer).packets, 2);
	assert_int_equal(packet_sealer_count(w.sealer).bytes, n);
	evbuffer_add_buffer(w.in, w.sealed);
	assert_int_equal(packet_open(w.opener, w.in, &payload, &w.e), 1);
	assert_int_equal(packet_open(w.opener, w.in, &payload, &w.e), 1);
	assert_int_equal(packet_opener_count(w.opener).packets, 2);
	assert_int_equal(packet_opener_count(w.opener).bytes, n);
	wire_close(&w);
}

/* ---- the output's chains ---- */

static int chains(struct evbuffer *b)
{
	return evbuffer_peek(b, -1, NULL, NULL, 0);
}

static void check_chains(const struct packet_keys *keys)
{
	struct wire w;

	wire_open(&w, keys);
	for (size_t i = 0; i < 8; i++)
		seal(&w, PACKET_PAYLOAD_GOOD);
	assert_int_equal(chains(w.sealed), 4);
	wire_close(&w);

	wire_open(&w, keys);
	for (size_t i = 0; i < 1000; i++)
		seal(&w, 100);
	size_t least = evbuffer_get_length(w.sealed) / BEV_CHAIN + 1;
	assert_in_range(chains(w.sealed), least, least + 1);
	wire_close(&w);
}

static void test_packets_fill_whole_chains(void **state)
{
	(void)state;
	each_protection_and_none(check_chains);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_sealed_can_be_opened),
	    cmocka_unit_test(test_what_is_kept_stays_until_it_is_released),
	    cmocka_unit_test(test_what_nobody_keeps_is_overwritten),
	    cmocka_unit_test(test_only_what_was_opened_last_can_be_kept),
	    cmocka_unit_test(test_packets_come_split_at_every_byte),
	    cmocka_unit_test(test_a_packet_may_lie_in_two_chains),
	    cmocka_unit_test(test_a_payload_comes_in_pieces),
	    cmocka_unit_test(test_several_packets_are_opened_one_by_one),
	    cmocka_unit_test(test_padding_fills_up_blocks),
	    cmocka_unit_test(test_each_forged_bit_is_refused),
	    cmocka_unit_test(test_an_illegal_length_is_refused_at_once),
	    cmocka_unit_test(test_the_longest_packet_is_accepted),
	    cmocka_unit_test(test_wrong_padding_is_refused),
	    cmocka_unit_test(test_after_an_error_nothing_is_opened),
	    cmocka_unit_test(test_another_key_opens_nothing),
	    cmocka_unit_test(test_a_packet_played_again_is_refused),
	    cmocka_unit_test(test_packets_in_the_clear_are_few),
	    cmocka_unit_test(test_keys_change_between_two_packets),
	    cmocka_unit_test(test_what_a_key_was_used_for_is_counted),
	    cmocka_unit_test(test_packets_fill_whole_chains),
	};

	return cmocka_run_group_tests(tests, fill, NULL);
}
