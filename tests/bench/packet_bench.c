/*
 * What a packet costs: nanoseconds for one of 64 bytes, MB/s in large ones, sealed and opened, under each cipher. The best of
 * several rounds, since whatever else runs on the machine only ever makes it slower.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "ssh/packet.h"

#define SMALL_SIZE 64
#define SMALL_AT_A_TIME 256 /* reading the clock costs as much as a packet */
#define LARGE_AT_A_TIME 8
#define TURNS 8
#define ROUNDS 25

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

struct cost {
	double seal_ns, open_ns; /* a packet */
};

/* Packets go through one buffer, a few at a time, as they do in the transport. */
static struct cost measure_once(const struct packet_keys *keys, size_t size, size_t at_a_time)
{
	static uint8_t bytes[PACKET_PAYLOAD_GOOD];
	struct iovec piece = {bytes, size};
	struct packet_sealer *s = packet_sealer_new();
	struct packet_opener *o = packet_opener_new();
	struct evbuffer *b = evbuffer_new();
	uint64_t seal = 0, open = 0;
	struct span payload;

	packet_sealer_set_keys(s, keys, PACKET_SEQUENCE_GOES_ON);
	packet_opener_set_keys(o, keys, PACKET_SEQUENCE_GOES_ON);
	for (size_t i = 0; i < TURNS; i++) {
		uint64_t begin = cpu_ns();

		for (size_t j = 0; j < at_a_time; j++)
			packet_seal(s, &piece, 1, b);
		uint64_t middle = cpu_ns();
		for (size_t j = 0; j < at_a_time; j++)
			if (packet_open(o, b, &payload, NULL) != 1)
				abort();
		seal += middle - begin;
		open += cpu_ns() - middle;
	}
	packet_sealer_free(s);
	packet_opener_free(o);
	evbuffer_free(b);
	double packets = (double)(TURNS * at_a_time);
	return (struct cost){(double)seal / packets, (double)open / packets};
}

static struct cost measure(const struct packet_keys *keys, size_t size, size_t at_a_time)
{
	struct cost best = measure_once(keys, size, at_a_time);

	for (size_t i = 1; i < ROUNDS; i++) {
		struct cost again = measure_once(keys, size, at_a_time);

		if (again.seal_ns < best.seal_ns)
			best.seal_ns = again.seal_ns;
		if (again.open_ns < best.open_ns)
			best.open_ns = again.open_ns;
	}
	return best;
}

static void report(const struct packet_keys *keys)
{
	struct cost small = measure(keys, SMALL_SIZE, SMALL_AT_A_TIME);
	struct cost large = measure(keys, PACKET_PAYLOAD_GOOD, LARGE_AT_A_TIME);
	const double mb = (double)PACKET_PAYLOAD_GOOD * 1e3;

	printf("%-30s %-30s %6.0f %6.0f %8.0f %8.0f\n", keys->cipher->name,
	    keys->mac ? keys->mac->name : "", small.seal_ns, small.open_ns, mb / large.seal_ns,
	    mb / large.open_ns);
}

int main(void)
{
	static const uint8_t key[CIPHER_KEY_SIZE_MAX];
	struct packet_keys keys = {.key = key, .iv = key, .mac_key = key};

	mem_tune_allocator();
	printf("%-30s %-30s %6s %6s %8s %8s\n", "cipher", "MAC", "seal", "open", "seal", "open");
	printf("%-61s %6s %6s %8s %8s\n", "", "ns", "ns", "MB/s", "MB/s");
	for (size_t i = 0; (keys.cipher = cipher_at(i)); i++) {
		if (!cipher_find(span_of(keys.cipher->name)))
			continue;
		keys.mac = NULL;
		if (keys.cipher->tag_size) {
			report(&keys);
			continue;
		}
		for (size_t j = 0; (keys.mac = mac_at(j)); j++)
			report(&keys);
	}
	return 0;
}
