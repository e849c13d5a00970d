/*
 * The packet layer under each cipher and MAC. The first byte chooses them, the second whether the rest are bytes of a peer
 * without the keys, or a payload that is sealed, damaged in one byte and opened: then nothing but the undamaged packet may come out.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/random.h"
#include "ssh/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool held)
{
	if (!held)
		abort();
}

static const uint8_t key_bytes[CIPHER_KEY_SIZE_MAX] = {1, 2, 3};

/* Number 0 is none at all; false: the count of ways is smaller. */
static bool choose_keys(size_t number, struct packet_keys *keys, bool *ret_clear)
{
	*keys = (struct packet_keys){.key = key_bytes, .iv = key_bytes, .mac_key = key_bytes};
	*ret_clear = number == 0;
	for (size_t i = 0; number && (keys->cipher = cipher_at(i)); i++) {
		if (keys->cipher->tag_size) {
			keys->mac = NULL;
			if (--number == 0)
				return true;
			continue;
		}
		for (size_t j = 0; (keys->mac = mac_at(j)); j++)
			if (--number == 0)
				return true;
	}
	return number == 0;
}

/* As packets come: at most step bytes at a time, each time in a chain of their own. Returns how many packets were opened. */
static size_t open_in_steps(
    struct packet_opener *o, struct span bytes, size_t step, struct span *ret_last)
{
	struct evbuffer *in = evbuffer_new();
	struct evbuffer *some = evbuffer_new();
	size_t count = 0;
	int rc = 0;

	for (size_t at = 0; at < bytes.n && rc >= 0; at += step) {
		size_t n = bytes.n - at < step ? bytes.n - at : step;

		evbuffer_add(some, bytes.p + at, n);
		evbuffer_add_buffer(in, some);
		while ((rc = packet_open(o, in, ret_last, NULL)) == 1) {
			must(ret_last->n > 0 && ret_last->n < PACKET_LENGTH_MAX);
			count++;
		}
	}
	if (rc < 0)
		must(packet_open(o, in, ret_last, NULL) < 0);
	evbuffer_free(in);
	evbuffer_free(some);
	return count;
}

static void open_damaged(struct packet_sealer *s, struct packet_opener *o, struct span payload,
    size_t at, uint8_t change, size_t step, bool clear)
{
	struct evbuffer *sealed = evbuffer_new();
	struct iovec pieces[] = {{(uint8_t *)payload.p, payload.n / 3},
	    {(uint8_t *)payload.p + payload.n / 3, payload.n - payload.n / 3}};
	struct span got = SPAN("", 0);

	packet_seal(s, pieces, 2, sealed);
	size_t n = evbuffer_get_length(sealed);
	must(n == packet_sealed_size(s, payload.n));
	uint8_t *bytes = mem_alloc(n);
	evbuffer_remove(sealed, bytes, n);
	bytes[at % n] ^= change;
	size_t count = open_in_steps(o, SPAN(bytes, n), step, &got);
	if (change == 0)
		must(count == 1 && span_equal(got, payload));
	else if (!clear)
		must(count == 0);
	free(bytes);
	evbuffer_free(sealed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct packet_keys keys;
	bool clear;

	if (size < 6 || size > 8192 || !choose_keys(data[0], &keys, &clear))
		return 0;
	random_seed_for_tests(1);
	struct packet_sealer *s = packet_sealer_new();
	struct packet_opener *o = packet_opener_new();
	size_t step = 1 + data[2];
	struct span rest = SPAN(data + 5, size - 5);
	struct span last;

	if (!clear) {
		packet_sealer_set_keys(s, &keys, PACKET_SEQUENCE_GOES_ON);
		packet_opener_set_keys(o, &keys, PACKET_SEQUENCE_GOES_ON);
	}
	if (data[1] & 1) {
		size_t count = open_in_steps(o, rest, step, &last);

		must(clear || count == 0);
	} else {
		open_damaged(s, o, rest, data[3], data[4], step, clear);
	}
	packet_sealer_free(s);
	packet_opener_free(o);
	return 0;
}
