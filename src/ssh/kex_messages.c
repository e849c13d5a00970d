/*
 * The messages of the methods, up to our NEWKEYS: numbers in the method's own encoding, the secret, the hash that the server's key
 * signs, and the keys.
 */
#include "ssh/kex_state.h"

#include <stdlib.h>

#include "ssh/kex_hash.h"
#include "ssh/kex_host_key.h"
#include "ssh/messages.h"

/* What a client asks for (RFC 4419 §3): 3,072 bits are as strong as the AES-128 and Curve25519 that go before. */
#define GEX_BITS_WANTED 3072

/* ---- numbers of the method ---- */

static void write_value(const struct kex *kex, struct wr *w, struct span value)
{
	if (kex->x.choice.method->encoding == KEX_MPINT)
		wr_mpint(w, value);
	else
		wr_string(w, value);
}

static struct span read_value(const struct kex *kex, struct rd *r)
{
	return kex->x.choice.method->encoding == KEX_MPINT ? rd_mpint(r) : rd_string(r);
}

static void write_secret(const struct kex *kex, struct wr *w, struct span secret)
{
	if (kex->x.choice.method->encoding == KEX_STRING)
		wr_string(w, secret);
	else
		wr_mpint(w, secret);
}

/* ---- the end: hash and keys ---- */

static size_t exchange_hash(struct kex *kex, struct span host_key, struct span encoded_secret,
    uint8_t hash[KEX_HASH_SIZE_MAX])
{
	bool client = kex_is_client(kex);
	struct span ours = wr_span(&kex->x.our_kexinit);
	struct span peers = wr_span(&kex->x.peer_kexinit);
	struct kex_hash_input input = {
	    .digest = kex->x.choice.method->digest,
	    .client_ident = client ? kex->options.our_ident : kex->options.peer_ident,
	    .server_ident = client ? kex->options.peer_ident : kex->options.our_ident,
	    .client_kexinit = client ? ours : peers,
	    .server_kexinit = client ? peers : ours,
	    .host_key = host_key,
	    .values = wr_span(&kex->x.values),
	    .secret = encoded_secret,
	};

	return kex_exchange_hash(&input, hash);
}

/* RFC 4253 §7.2: letters A, C and E are for what goes to the server, B, D and F for what comes from it. */
static void derive_key_set(const struct kex *kex, enum kex_direction d, struct span secret,
    struct span hash, struct key_set *set)
{
	const struct kex_choice *c = &kex->x.choice;
	const char *digest = c->method->digest;
	struct span id = wr_span(&kex->session_id);
	char offset = d == KEX_TO_SERVER ? 0 : 1;

	set->keys = (struct packet_keys){.cipher = c->ciphers[d],
	    .mac = c->macs[d],
	    .key = set->key,
	    .iv = set->iv,
	    .mac_key = set->mac_key};
	kex_derive_key(
	    digest, secret, hash, (char)('A' + offset), id, set->iv, c->ciphers[d]->iv_size);
	kex_derive_key(
	    digest, secret, hash, (char)('C' + offset), id, set->key, c->ciphers[d]->key_size);
	if (c->macs[d])
		kex_derive_key(digest, secret, hash, (char)('E' + offset), id, set->mac_key,
		    c->macs[d]->key_size);
}

/* The secret is agreed on and the server has proved itself: our NEWKEYS, and what both directions use from theirs on. */
static void finish_method(struct kex *kex, struct span encoded_secret, struct span hash)
{
	enum kex_direction sending = kex_is_client(kex) ? KEX_TO_SERVER : KEX_TO_CLIENT;
	enum kex_direction receiving = kex_is_client(kex) ? KEX_TO_CLIENT : KEX_TO_SERVER;

	if (kex->session_id.n == 0)
		wr_span_bytes(&kex->session_id, hash);
	derive_key_set(kex, sending, encoded_secret, hash, &kex->send);
	derive_key_set(kex, receiving, encoded_secret, hash, &kex->receive);
	kex->method = kex->x.choice.method;
	free(kex->host_key_algorithm);
	kex->host_key_algorithm = span_strdup(kex->x.choice.host_key);
	kex_add_message(kex, SSH_MSG_NEWKEYS);
	kex_add_todo(kex, KEX_USE_SEND_KEYS);
	kex->phase = PHASE_NEWKEYS;
}

/* ---- the method, client ---- */

static void begin_agreement(struct kex *kex, const void *parameters)
{
	kex->x.agreement = kex->x.choice.method->kind->new (parameters, SPAN("", 0));
}

static void send_init(struct kex *kex, uint8_t type)
{
	struct wr value = WR_INIT;

	kex->x.choice.method->kind->client_value(kex->x.agreement, &value);
	write_value(kex, kex_add_message(kex, type), wr_span(&value));
	write_value(kex, &kex->x.values, wr_span(&value));
	wr_clear(&value);
	kex->phase = type == KEX_MSG_INIT ? PHASE_REPLY : PHASE_GEX_REPLY;
}

/* The numbers of the request, in the message and in the hash (RFC 4419 §3). */
static void write_gex_request(struct wr *w)
{
	wr_u32(w, AGREEMENT_PRIME_BITS_MIN);
	wr_u32(w, GEX_BITS_WANTED);
	wr_u32(w, AGREEMENT_PRIME_BITS_MAX);
}

static void begin_client(struct kex *kex)
{
	const struct kex_method *method = kex->x.choice.method;

	if (method->dialogue == KEX_TWO_MESSAGES) {
		begin_agreement(kex, method->parameters);
		send_init(kex, KEX_MSG_INIT);
		return;
	}
	write_gex_request(kex_add_message(kex, KEX_MSG_GEX_REQUEST));
	write_gex_request(&kex->x.values);
	kex->phase = PHASE_GEX_GROUP;
}

int kex_on_gex_group(struct kex *kex, struct rd *r, struct err *e)
{
	struct span prime = rd_mpint(r);
	struct span generator = rd_mpint(r);
	struct agreement_group group = {.prime = prime, .generator = generator};

	if (rd_end(r) < 0)
		return err_set(e, ERR_PEER, "a malformed KEX_DH_GEX_GROUP");
	int rc = agreement_group_check(group.prime, group.generator, e);
	if (rc < 0)
		return rc;
	wr_mpint(&kex->x.values, group.prime);
	wr_mpint(&kex->x.values, group.generator);
	begin_agreement(kex, &group);
	send_init(kex, KEX_MSG_GEX_INIT);
	return 0;
}

/* The server's key has signed the hash, and it is the right one: in that order, since nobody's key must be called wrong (or be
 * shown to a person) who did not prove to have it. */
static int check_server(
    struct kex *kex, struct span host_key, struct span signature, struct span hash, struct err *e)
{
	struct span algorithm = kex->x.choice.host_key;
	int rc = kex_check_host_key(algorithm, host_key, signature, hash, e);

	if (rc == 0)
		rc = kex->options.verify_host_key(kex->options.arg, host_key, algorithm, e);
	if (rc < 0)
		return rc;
	if (kex->session_id.n == 0) {
		wr_span_bytes(&kex->first_host_key, host_key);
		wr_span_bytes(&kex->first_signature, signature);
	}
	return 0;
}

int kex_on_reply(struct kex *kex, struct rd *r, struct err *e)
{
	struct span host_key = rd_string(r);
	struct span value = read_value(kex, r);
	struct span signature = rd_string(r);
	uint8_t hash[KEX_HASH_SIZE_MAX];
	struct wr secret = WR_INIT_SECRET;
	struct wr encoded = WR_INIT_SECRET;

	if (rd_end(r) < 0)
		return err_set(e, ERR_PEER, "a malformed reply in the key exchange");
	int rc = kex->x.choice.method->kind->client_secret(kex->x.agreement, value, &secret, e);
	if (rc == 0) {
		write_value(kex, &kex->x.values, value);
		write_secret(kex, &encoded, wr_span(&secret));
		size_t n = exchange_hash(kex, host_key, wr_span(&encoded), hash);
		rc = check_server(kex, host_key, signature, SPAN(hash, n), e);
		if (rc == 0)
			finish_method(kex, wr_span(&encoded), SPAN(hash, n));
	}
	wr_clear(&secret);
	wr_clear(&encoded);
	return rc;
}

/* ---- the method, server ---- */

static void begin_server(struct kex *kex)
{
	const struct kex_method *method = kex->x.choice.method;

	if (method->dialogue == KEX_GROUP_EXCHANGE) {
		kex->phase = PHASE_GEX_REQUEST;
		return;
	}
	begin_agreement(kex, method->parameters);
	kex->phase = PHASE_INIT;
}

int kex_on_gex_request(struct kex *kex, struct rd *r, struct err *e)
{
	uint32_t min = rd_u32(r);
	uint32_t wanted = rd_u32(r);
	uint32_t max = rd_u32(r);
	const struct agreement_group *group;

	if (rd_end(r) < 0 || min > wanted || wanted > max)
		return err_set(e, ERR_PEER, "a malformed KEX_DH_GEX_REQUEST");
	group = agreement_group_for(min, wanted, max);
	if (!group)
		return err_set(e, ERR_PEER, "no group between %u and %u bits", min, max);
	wr_u32(&kex->x.values, min);
	wr_u32(&kex->x.values, wanted);
	wr_u32(&kex->x.values, max);

	struct wr numbers = WR_INIT;
	agreement_group_write(group, &numbers);
	wr_span_bytes(kex_add_message(kex, KEX_MSG_GEX_GROUP), wr_span(&numbers));
	wr_span_bytes(&kex->x.values, wr_span(&numbers));
	wr_clear(&numbers);
	begin_agreement(kex, group);
	kex->phase = PHASE_GEX_INIT;
	return 0;
}

/* Host key, value and signature of the reply, once the secret is agreed on. */
static int answer_init(struct kex *kex, uint8_t reply_type, struct span value,
    struct span encoded_secret, struct err *e)
{
	struct span algorithm = kex->x.choice.host_key;
	uint8_t hash[KEX_HASH_SIZE_MAX];
	struct wr host_key = WR_INIT;
	struct wr signature = WR_INIT;
	size_t n = 0;
	int rc = kex->options.host_key(kex->options.arg, algorithm, &host_key, e);

	if (rc == 0) {
		n = exchange_hash(kex, wr_span(&host_key), encoded_secret, hash);
		rc = kex->options.sign_exchange_hash(
		    kex->options.arg, algorithm, SPAN(hash, n), &signature, e);
	}
	if (rc == 0) {
		struct wr *reply = kex_add_message(kex, reply_type);

		wr_string(reply, wr_span(&host_key));
		write_value(kex, reply, value);
		wr_string(reply, wr_span(&signature));
		finish_method(kex, encoded_secret, SPAN(hash, n));
	}
	wr_clear(&host_key);
	wr_clear(&signature);
	return rc;
}

int kex_on_init(struct kex *kex, struct rd *r, struct err *e)
{
	uint8_t reply_type = kex->phase == PHASE_INIT ? KEX_MSG_REPLY : KEX_MSG_GEX_REPLY;
	struct span client_value = read_value(kex, r);
	struct wr value = WR_INIT;
	struct wr secret = WR_INIT_SECRET;
	struct wr encoded = WR_INIT_SECRET;

	if (rd_end(r) < 0)
		return err_set(e, ERR_PEER, "a malformed first message in the key exchange");
	int rc = kex->x.choice.method->kind->server_answer(
	    kex->x.agreement, client_value, &value, &secret, e);
	if (rc == 0) {
		write_value(kex, &kex->x.values, client_value);
		write_value(kex, &kex->x.values, wr_span(&value));
		write_secret(kex, &encoded, wr_span(&secret));
		rc = answer_init(kex, reply_type, wr_span(&value), wr_span(&encoded), e);
	}
	wr_clear(&value);
	wr_clear(&secret);
	wr_clear(&encoded);
	return rc;
}

void kex_begin_method(struct kex *kex)
{
	if (kex_is_client(kex))
		begin_client(kex);
	else
		begin_server(kex);
}
