/*
 * Key exchange: a client and a server, and somebody between them. The first byte chooses the method, the second the MAC;
 * what follows says what happens, a byte each: the next message goes to the other side, as it is or changed; or one is made up.
 *
 * Whatever is done to it, a client that is content has the hash that the server signed.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/ssh/test_keys.h"
#include "base/mem.h"
#include "base/random.h"
#include "ssh/kex.h"
#include "ssh/kex_method.h"
#include "ssh/key.h"
#include "ssh/keyfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool held)
{
	if (!held)
		abort();
}

enum side { CLIENT, SERVER };

struct play {
	struct kex *kex[2];
	struct wr queue[2][16];
	size_t queued[2];
	uint32_t sequence[2];
	bool failed[2];
	struct wr signed_hash;
};

static struct key *host_key(void)
{
	static struct key *key;

	if (!key)
		key = keyfile_parse(span_of(TEST_ED25519_FILE), "test", NULL, NULL, NULL);
	must(key != NULL);
	return key;
}

static int verify(void *arg, struct span blob, struct span algorithm, struct err *e)
{
	(void)arg;
	(void)algorithm;
	(void)e;
	must(span_equal(blob, key_blob(host_key())));
	return 0;
}

static int give_host_key(void *arg, struct span algorithm, struct wr *blob, struct err *e)
{
	(void)arg;
	(void)algorithm;
	(void)e;
	wr_span_bytes(blob, key_blob(host_key()));
	return 0;
}

static int sign(
    void *arg, struct span algorithm, struct span hash, struct wr *signature, struct err *e)
{
	struct play *p = arg;

	wr_reset(&p->signed_hash);
	wr_span_bytes(&p->signed_hash, hash);
	return key_sign(host_key(), algorithm, hash, signature, e);
}

static void work(struct play *p, enum side side)
{
	enum kex_action action;

	while ((action = kex_next(p->kex[side])) != KEX_WAIT) {
		if (action == KEX_SEND && p->queued[side] < ARRAY_LEN(p->queue[side])) {
			struct wr *w = &p->queue[side][p->queued[side]++];

			*w = WR_INIT;
			wr_span_bytes(w, kex_message(p->kex[side]));
		}
		if (action == KEX_USE_SEND_KEYS || action == KEX_USE_RECEIVE_KEYS) {
			struct packet_opener *o = packet_opener_new();

			packet_opener_set_keys(
			    o, kex_keys(p->kex[side]), kex_sequence(p->kex[side]));
			packet_opener_free(o);
		}
	}
}

static void input(struct play *p, enum side to, struct span message)
{
	struct err e = ERR_INIT;
	bool had_id = kex_session_id(p->kex[CLIENT]).n > 0;
	uint8_t *exact = mem_dup(message.p, message.n);
	int rc = kex_input(p->kex[to], p->sequence[to]++, SPAN(exact, message.n), &e);

	free(exact);
	must((rc < 0) == err_is_set(&e));
	if (p->failed[to])
		must(rc < 0);
	p->failed[to] = rc < 0;
	work(p, to);
	/* The first exchange of a client, right after the reply: the server's last signature is this one's. */
	if (to == CLIENT && rc == 0 && !had_id && kex_session_id(p->kex[CLIENT]).n)
		must(span_equal(kex_session_id(p->kex[CLIENT]), wr_span(&p->signed_hash)));
}

static void deliver(struct play *p, enum side from, size_t at, uint8_t change)
{
	if (p->queued[from] == 0)
		return;
	struct wr w = p->queue[from][0];
	memmove(&p->queue[from][0], &p->queue[from][1], --p->queued[from] * sizeof(w));
	w.p[at % w.n] ^= change;
	input(p, from == CLIENT ? SERVER : CLIENT, wr_span(&w));
	wr_clear(&w);
}

static void act(struct play *p, struct rd *r)
{
	uint8_t what = rd_u8(r);
	enum side side = what & 1 ? SERVER : CLIENT;

	switch (what >> 1) {
	case 0:
		kex_start(p->kex[side]);
		work(p, side);
		break;
	case 1:
		deliver(p, side, 0, 0);
		break;
	case 2: {
		size_t at = (size_t)rd_u8(r) << 8;
		at |= rd_u8(r);
		uint8_t change = rd_u8(r);
		deliver(p, side, at, change);
		break;
	}
	default: {
		size_t n = (size_t)rd_u8(r) << 8;
		n |= rd_u8(r);
		input(p, side, rd_bytes(r, n < rd_left(r) ? n : rd_left(r)));
		break;
	}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct play p = {0};
	struct rd r;

	rd_init(&r, SPAN(data, size));
	/* Large groups take milliseconds and are the same code. */
	const struct kex_method *method = kex_method_at(rd_u8(&r));
	if (!method || !kex_method_is_available(method) || strstr(method->name, "group1") ||
	    size > 4096)
		return 0;
	const struct mac_info *mac = mac_at(rd_u8(&r));
	if (!mac)
		return 0;
	struct kex_options options = {
	    .prefs = {.kex = method->name, .host_key = "ssh-ed25519", .macs = mac->name},
	    .verify_host_key = verify,
	    .host_key = give_host_key,
	    .sign_exchange_hash = sign,
	    .arg = &p,
	};

	random_seed_for_tests(1);
	options.role = KEX_CLIENT;
	options.our_ident = "SSH-2.0-a";
	options.peer_ident = "SSH-2.0-b";
	p.kex[CLIENT] = kex_new(&options);
	options.role = KEX_SERVER;
	options.our_ident = "SSH-2.0-b";
	options.peer_ident = "SSH-2.0-a";
	p.kex[SERVER] = kex_new(&options);
	while (rd_left(&r))
		act(&p, &r);
	for (enum side side = CLIENT; side <= SERVER; side++) {
		for (size_t i = 0; i < p.queued[side]; i++)
			wr_clear(&p.queue[side][i]);
		kex_free(p.kex[side]);
	}
	wr_clear(&p.signed_hash);
	return 0;
}
