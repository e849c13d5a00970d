#include "hex.h"
#include "kex_pair.h"
#include "test_keys.h"

#include <stdlib.h>

#include "base/mem.h"
#include "ssh/cert.h"
#include "ssh/keyfile.h"
#include "ssh/messages.h"

/* ---- what the two are asked ---- */

static int verify_host_key(
    void *arg, struct span key_blob_seen, struct span algorithm, struct err *e)
{
	struct kex_pair *p = arg;

	p->asked++;
	assert_true(key_blob_seen.n > 0 && algorithm.n > 0);
	if (!err_is_set(&p->verdict))
		return 0;
	*e = p->verdict;
	return p->verdict.class;
}

static int host_key(void *arg, struct span algorithm, struct wr *blob, struct err *e)
{
	struct kex_pair *p = arg;

	(void)algorithm;
	(void)e;
	if (p->cert.n) {
		wr_span_bytes(blob, wr_span(&p->cert));
		return 0;
	}
	wr_span_bytes(blob, key_blob(p->claimed_host_key ? p->claimed_host_key : p->host_key));
	return 0;
}

static int sign_exchange_hash(
    void *arg, struct span algorithm, struct span hash, struct wr *signature, struct err *e)
{
	struct kex_pair *p = arg;
	const char *plain = cert_algorithm_plain(algorithm);
	int rc = key_sign(p->host_key, plain ? span_of(plain) : algorithm, hash, signature, e);

	if (rc == 0 && p->spoil_signature)
		signature->p[signature->n - 1] ^= 1;
	return rc;
}

/* ---- the pair ---- */

static struct key *read_key(const char *file)
{
	struct err e = ERR_INIT;
	struct key *key = keyfile_parse(span_of(file), "test", NULL, NULL, &e);

	assert_non_null(key);
	return key;
}

void kex_pair_open(struct kex_pair *p, const char *host_key_file,
    const struct algorithm_prefs *client, const struct algorithm_prefs *server)
{
	struct kex_options options = {
	    .verify_host_key = verify_host_key,
	    .host_key = host_key,
	    .sign_exchange_hash = sign_exchange_hash,
	    .arg = p,
	};

	*p = (struct kex_pair){.e = ERR_INIT, .verdict = ERR_INIT};
	p->host_key = read_key(host_key_file);
	options.role = KEX_CLIENT;
	options.our_ident = KEX_PAIR_CLIENT_IDENT;
	options.prefs = client ? *client : (struct algorithm_prefs){0};
	p->kex[SIDE_CLIENT] = kex_new(&options);
	kex_set_peer_ident(p->kex[SIDE_CLIENT], KEX_PAIR_SERVER_IDENT);
	options.role = KEX_SERVER;
	options.our_ident = KEX_PAIR_SERVER_IDENT;
	options.peer_ident = KEX_PAIR_CLIENT_IDENT;
	options.prefs = server ? *server : (struct algorithm_prefs){0};
	if (!options.prefs.host_key) /* a server offers what it has */
		options.prefs.host_key = key_signature_algorithms(key_type(p->host_key));
	p->kex[SIDE_SERVER] = kex_new(&options);
}

void kex_pair_close(struct kex_pair *p)
{
	for (size_t side = 0; side < 2; side++) {
		kex_free(p->kex[side]);
		for (size_t i = 0; i < p->queued[side]; i++)
			wr_clear(&p->queue[side][i]);
	}
	key_free(p->host_key);
	key_free(p->claimed_host_key);
	wr_clear(&p->cert);
}

static struct kex_pair_keys copy_keys(struct kex *kex)
{
	const struct packet_keys *keys = kex_keys(kex);
	struct kex_pair_keys copy = {
	    .cipher = keys->cipher, .mac = keys->mac, .sequence = kex_sequence(kex)};

	memcpy(copy.key, keys->key, keys->cipher->key_size);
	memcpy(copy.iv, keys->iv, keys->cipher->iv_size);
	if (keys->mac)
		memcpy(copy.mac_key, keys->mac_key, keys->mac->key_size);
	return copy;
}

static void queue_message(struct kex_pair *p, enum kex_side side, struct span message)
{
	assert_true(p->queued[side] < ARRAY_LEN(p->queue[side]));
	struct wr *w = &p->queue[side][p->queued[side]++];
	*w = WR_INIT;
	wr_span_bytes(w, message);
}

void kex_pair_work(struct kex_pair *p, enum kex_side side)
{
	struct kex *kex = p->kex[side];
	enum kex_action action;

	while ((action = kex_next(kex)) != KEX_WAIT)
		switch (action) {
		case KEX_SEND:
			queue_message(p, side, kex_message(kex));
			break;
		case KEX_USE_SEND_KEYS:
			p->send[side] = copy_keys(kex);
			break;
		case KEX_USE_RECEIVE_KEYS:
			p->receive[side] = copy_keys(kex);
			break;
		case KEX_DONE:
			p->done[side]++;
			break;
		case KEX_WAIT:
			break;
		}
}

int kex_pair_deliver(struct kex_pair *p, enum kex_side from)
{
	enum kex_side to = from == SIDE_CLIENT ? SIDE_SERVER : SIDE_CLIENT;
	struct wr message = p->queue[from][0];

	assert_true(p->queued[from] > 0);
	memmove(&p->queue[from][0], &p->queue[from][1], --p->queued[from] * sizeof(message));
	if (p->meddle)
		p->meddle(p, from, &message);
	/* A copy of exactly its size, so that a sanitizer sees a step beyond it. */
	uint8_t *exact = mem_dup(message.p, message.n);
	int rc = kex_input(p->kex[to], p->sequence[from]++, SPAN(exact, message.n), &p->e);

	free(exact);
	wr_clear(&message);
	kex_pair_work(p, to);
	return rc;
}

int kex_pair_run(struct kex_pair *p)
{
	int rc = 0;

	kex_pair_work(p, SIDE_CLIENT);
	kex_pair_work(p, SIDE_SERVER);
	while (rc == 0 && (p->queued[SIDE_CLIENT] || p->queued[SIDE_SERVER]))
		rc = kex_pair_deliver(p, p->queued[SIDE_CLIENT] ? SIDE_CLIENT : SIDE_SERVER);
	return rc;
}

int kex_pair_exchange(struct kex_pair *p)
{
	kex_start(p->kex[SIDE_CLIENT]);
	kex_start(p->kex[SIDE_SERVER]);
	return kex_pair_run(p);
}

static void assert_same_keys(const struct kex_pair_keys *a, const struct kex_pair_keys *b)
{
	assert_non_null(a->cipher);
	assert_memory_equal(a, b, sizeof(*a));
}

void kex_pair_assert_agreed(struct kex_pair *p)
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

/* ---- a peer made by hand: KEXINITs as a test wants them ---- */

struct offer good_offer(void)
{
	return (struct offer){.lists = {
				  [KEXINIT_KEX] = "curve25519-sha256",
				  [KEXINIT_HOST_KEY] = "ssh-ed25519",
				  [KEXINIT_CIPHER_TO_SERVER] = "aes128-ctr",
				  [KEXINIT_CIPHER_TO_CLIENT] = "aes128-ctr",
				  [KEXINIT_MAC_TO_SERVER] = "hmac-sha2-256",
				  [KEXINIT_MAC_TO_CLIENT] = "hmac-sha2-256",
				  [KEXINIT_COMPRESSION_TO_SERVER] = "none",
				  [KEXINIT_COMPRESSION_TO_CLIENT] = "none",
				  [KEXINIT_LANGUAGES_TO_SERVER] = "",
				  [KEXINIT_LANGUAGES_TO_CLIENT] = "",
			      }};
}

void write_offer(struct wr *w, const struct offer *offer)
{
	wr_u8(w, SSH_MSG_KEXINIT);
	wr_bytes(w, "0123456789abcdef", 16);
	for (size_t i = 0; i < KEXINIT_LISTS; i++)
		wr_cstring(w, offer->lists[i]);
	wr_bool(w, offer->guess);
	wr_u32(w, 0);
}

int kex_pair_input(struct kex_pair *p, enum kex_side to, uint32_t sequence, struct span message)
{
	uint8_t *exact = mem_dup(message.p, message.n);
	int rc = kex_input(p->kex[to], sequence, SPAN(exact, message.n), &p->e);

	free(exact);
	kex_pair_work(p, to);
	return rc;
}

int kex_pair_input_offer(
    struct kex_pair *p, enum kex_side to, uint32_t sequence, const struct offer *offer)
{
	struct wr w = WR_INIT;

	write_offer(&w, offer);
	int rc = kex_pair_input(p, to, sequence, wr_span(&w));
	wr_clear(&w);
	return rc;
}

void kex_pair_open_started(struct kex_pair *p)
{
	kex_pair_open(p, TEST_ED25519_FILE, NULL, NULL);
	kex_start(p->kex[SIDE_CLIENT]);
	kex_start(p->kex[SIDE_SERVER]);
	kex_pair_work(p, SIDE_CLIENT);
	kex_pair_work(p, SIDE_SERVER);
}
