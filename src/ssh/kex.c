/*
 * The state machine. An exchange begins with a KEXINIT of either side; when both are there the method follows, which is two
 * messages (or four, where the group is agreed on first); then each side says NEWKEYS and changes its keys, in its direction.
 */
#include "ssh/kex.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "ssh/kex_hash.h"
#include "ssh/kex_host_key.h"
#include "ssh/kex_method.h"
#include "ssh/kexinit.h"
#include "ssh/messages.h"

/* Messages 30 to 49 mean what the method says (RFC 4253 §8, RFC 5656 §4, RFC 4419 §5). */
enum {
	MSG_INIT = 30,
	MSG_REPLY = 31,
	MSG_GEX_GROUP = 31,
	MSG_GEX_INIT = 32,
	MSG_GEX_REPLY = 33,
	MSG_GEX_REQUEST = 34
};

/* What a client asks for (RFC 4419 §3): 3,072 bits are as strong as the AES-128 and Curve25519 that go before. */
#define GEX_BITS_WANTED 3072

enum kex_phase {
	PHASE_IDLE,         /* no exchange */
	PHASE_KEXINIT_SENT, /* ours is on its way */
	/* Both KEXINITs are there, and the next message of the method is the peer's: */
	PHASE_GEX_REQUEST, /* server */
	PHASE_GEX_GROUP,   /* client */
	PHASE_INIT,        /* server */
	PHASE_GEX_INIT,    /* server */
	PHASE_REPLY,       /* client */
	PHASE_GEX_REPLY,   /* client */
	PHASE_NEWKEYS,     /* our NEWKEYS is out, the peer's is awaited */
	PHASE_BROKEN       /* after an error */
};

struct todo {
	enum kex_action action;
	struct wr message; /* KEX_SEND */
};
/* The most that one input causes is four: KEXINIT, the reply, NEWKEYS, the keys. */
#define TODO_MAX 8

/* One direction's keys, from the end of an exchange until they were used. */
struct key_set {
	struct packet_keys keys;
	uint8_t key[CIPHER_KEY_SIZE_MAX];
	uint8_t iv[CIPHER_IV_SIZE_MAX];
	uint8_t mac_key[MAC_SIZE_MAX];
};

/* What lives as long as one exchange does. */
struct exchange {
	struct wr our_kexinit, peer_kexinit;
	struct kexinit ours, peers; /* views of those */
	struct kex_choice choice;
	bool skip_guess; /* the peer's next message is for a method that was not chosen */
	struct agreement *agreement;
	struct wr values; /* that the method hashes, in order */
};

struct kex {
	struct kex_options options;
	enum kex_phase phase;
	struct exchange x;

	bool is_strict; /* from the first exchange on */
	bool first_is_done;
	bool peer_has_ext_info;
	bool blocks_sending;
	bool blocks_receiving;

	struct wr session_id;
	struct wr host_key;
	struct wr first_signature;
	const struct kex_method *method; /* of the last exchange */
	char *host_key_algorithm;

	struct key_set send, receive;
	struct todo todo[TODO_MAX];
	size_t todo_next, todo_count;
};

static bool is_client(const struct kex *kex)
{
	return kex->options.role == KEX_CLIENT;
}

/* ---- what is to be done ---- */

static struct wr *add_todo(struct kex *kex, enum kex_action action)
{
	if (kex->todo_next == kex->todo_count)
		kex->todo_next = kex->todo_count = 0;
	assert(kex->todo_count < TODO_MAX);
	struct todo *t = &kex->todo[kex->todo_count++];
	t->action = action;
	t->message = WR_INIT;
	return &t->message;
}

static struct wr *add_message(struct kex *kex, uint8_t type)
{
	struct wr *message = add_todo(kex, KEX_SEND);

	wr_u8(message, type);
	return message;
}

/* What kex_next() returned last. */
static struct todo *current(const struct kex *kex)
{
	return kex->todo_next ? (struct todo *)&kex->todo[kex->todo_next - 1] : NULL;
}

static void finish_current(struct kex *kex)
{
	struct todo *t = current(kex);

	if (!t)
		return;
	wr_clear(&t->message);
	if (t->action == KEX_USE_SEND_KEYS)
		secret_wipe(&kex->send, sizeof(kex->send));
	if (t->action == KEX_USE_RECEIVE_KEYS)
		secret_wipe(&kex->receive, sizeof(kex->receive));
	t->action = KEX_WAIT;
}

enum kex_action kex_next(struct kex *kex)
{
	finish_current(kex);
	if (kex->todo_next == kex->todo_count)
		return KEX_WAIT;
	enum kex_action action = kex->todo[kex->todo_next++].action;
	if (action == KEX_USE_SEND_KEYS)
		kex->blocks_sending = false;
	if (action == KEX_USE_RECEIVE_KEYS)
		kex->blocks_receiving = false;
	return action;
}

struct span kex_message(const struct kex *kex)
{
	const struct todo *t = current(kex);

	return t ? wr_span(&t->message) : SPAN("", 0);
}

const struct packet_keys *kex_keys(const struct kex *kex)
{
	const struct todo *t = current(kex);

	assert(t && (t->action == KEX_USE_SEND_KEYS || t->action == KEX_USE_RECEIVE_KEYS));
	return t->action == KEX_USE_SEND_KEYS ? &kex->send.keys : &kex->receive.keys;
}

/* ---- an exchange's life ---- */

static void exchange_clear(struct exchange *x)
{
	if (x->agreement)
		x->choice.method->kind->free(x->agreement);
	wr_clear(&x->our_kexinit);
	wr_clear(&x->peer_kexinit);
	wr_clear(&x->values);
	*x = (struct exchange){0};
}

struct kex *kex_new(const struct kex_options *options)
{
	struct kex *kex = NEW(struct kex);

	kex->options = *options;
	return kex;
}

void kex_free(struct kex *kex)
{
	if (!kex)
		return;
	exchange_clear(&kex->x);
	wr_clear(&kex->session_id);
	wr_clear(&kex->host_key);
	wr_clear(&kex->first_signature);
	for (size_t i = 0; i < kex->todo_count; i++)
		wr_clear(&kex->todo[i].message);
	free(kex->host_key_algorithm);
	secret_wipe(kex, sizeof(*kex));
	free(kex);
}

void kex_set_peer_ident(struct kex *kex, const char *peer_ident)
{
	kex->options.peer_ident = peer_ident;
}

static const char *markers(const struct kex *kex)
{
	bool strict = kex->options.strict == KEX_OFFERS_STRICT;

	if (is_client(kex))
		return strict ? MARKER_EXT_INFO_CLIENT "," MARKER_STRICT_CLIENT
			      : MARKER_EXT_INFO_CLIENT;
	return strict ? MARKER_EXT_INFO_SERVER "," MARKER_STRICT_SERVER : MARKER_EXT_INFO_SERVER;
}

void kex_start(struct kex *kex)
{
	if (kex->phase != PHASE_IDLE)
		return;
	kexinit_write(&kex->x.our_kexinit, &kex->options.prefs, markers(kex));
	wr_span_bytes(add_todo(kex, KEX_SEND), wr_span(&kex->x.our_kexinit));
	kex->phase = PHASE_KEXINIT_SENT;
	kex->blocks_sending = true;
}

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
	bool client = is_client(kex);
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
	enum kex_direction sending = is_client(kex) ? KEX_TO_SERVER : KEX_TO_CLIENT;
	enum kex_direction receiving = is_client(kex) ? KEX_TO_CLIENT : KEX_TO_SERVER;

	if (kex->session_id.n == 0)
		wr_span_bytes(&kex->session_id, hash);
	derive_key_set(kex, sending, encoded_secret, hash, &kex->send);
	derive_key_set(kex, receiving, encoded_secret, hash, &kex->receive);
	kex->method = kex->x.choice.method;
	free(kex->host_key_algorithm);
	kex->host_key_algorithm = span_strdup(kex->x.choice.host_key);
	add_message(kex, SSH_MSG_NEWKEYS);
	add_todo(kex, KEX_USE_SEND_KEYS);
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
	write_value(kex, add_message(kex, type), wr_span(&value));
	write_value(kex, &kex->x.values, wr_span(&value));
	wr_clear(&value);
	kex->phase = type == MSG_INIT ? PHASE_REPLY : PHASE_GEX_REPLY;
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
		send_init(kex, MSG_INIT);
		return;
	}
	write_gex_request(add_message(kex, MSG_GEX_REQUEST));
	write_gex_request(&kex->x.values);
	kex->phase = PHASE_GEX_GROUP;
}

static int on_gex_group(struct kex *kex, struct rd *r, struct err *e)
{
	struct agreement_group group = {.prime = rd_mpint(r), .generator = rd_mpint(r)};

	if (rd_end(r) < 0)
		return err_set(e, ERR_PEER, "a malformed KEX_DH_GEX_GROUP");
	int rc = agreement_group_check(group.prime, group.generator, e);
	if (rc < 0)
		return rc;
	wr_mpint(&kex->x.values, group.prime);
	wr_mpint(&kex->x.values, group.generator);
	begin_agreement(kex, &group);
	send_init(kex, MSG_GEX_INIT);
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
	wr_reset(&kex->host_key);
	wr_span_bytes(&kex->host_key, host_key);
	if (kex->session_id.n == 0)
		wr_span_bytes(&kex->first_signature, signature);
	return 0;
}

static int on_reply(struct kex *kex, struct rd *r, struct err *e)
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

static int on_gex_request(struct kex *kex, struct rd *r, struct err *e)
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
	wr_span_bytes(add_message(kex, MSG_GEX_GROUP), wr_span(&numbers));
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
		struct wr *reply = add_message(kex, reply_type);

		wr_string(reply, wr_span(&host_key));
		write_value(kex, reply, value);
		wr_string(reply, wr_span(&signature));
		finish_method(kex, encoded_secret, SPAN(hash, n));
	}
	wr_clear(&host_key);
	wr_clear(&signature);
	return rc;
}

static int on_init(struct kex *kex, struct rd *r, struct err *e)
{
	uint8_t reply_type = kex->phase == PHASE_INIT ? MSG_REPLY : MSG_GEX_REPLY;
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

/* ---- both ---- */

/* What the markers say, in the first KEXINIT alone (protocol.md 4). */
static int read_markers(struct kex *kex, uint32_t sequence, struct err *e)
{
	struct span methods = kex->x.peers.lists[KEXINIT_KEX];

	kex->peer_has_ext_info = name_list_has(
	    methods, is_client(kex) ? MARKER_EXT_INFO_SERVER : MARKER_EXT_INFO_CLIENT);
	/* It takes two (protocol.md 4). */
	kex->is_strict =
	    kex->options.strict == KEX_OFFERS_STRICT &&
	    name_list_has(methods, is_client(kex) ? MARKER_STRICT_SERVER : MARKER_STRICT_CLIENT);
	if (kex->is_strict && sequence != 0)
		return err_set(e, ERR_PEER,
		    "strict key exchange: KEXINIT was packet %u, not the first", sequence);
	return 0;
}

static int on_kexinit(struct kex *kex, struct span payload, uint32_t sequence, struct err *e)
{
	struct exchange *x = &kex->x;
	const struct kexinit *client = is_client(kex) ? &x->ours : &x->peers;
	const struct kexinit *server = is_client(kex) ? &x->peers : &x->ours;

	kex_start(kex);
	kex->blocks_receiving = true;
	wr_span_bytes(&x->peer_kexinit, payload);
	int rc = kexinit_read(wr_span(&x->peer_kexinit), &x->peers, e);
	if (rc == 0)
		rc = kexinit_read(wr_span(&x->our_kexinit), &x->ours, e);
	if (rc == 0 && !kex->first_is_done)
		rc = read_markers(kex, sequence, e);
	if (rc == 0)
		rc = kexinit_choose(client, server,
		    is_client(kex) ? KEXINIT_PEER_IS_SERVER : KEXINIT_PEER_IS_CLIENT, &x->choice,
		    e);
	if (rc < 0)
		return rc;
	x->skip_guess =
	    x->peers.first_kex_packet_follows && !kexinit_guess_is_right(client, server);
	if (is_client(kex))
		begin_client(kex);
	else
		begin_server(kex);
	return 0;
}

static int on_newkeys(struct kex *kex, struct rd *r, struct err *e)
{
	if (rd_end(r) < 0)
		return err_set(e, ERR_PEER, "a malformed NEWKEYS");
	add_todo(kex, KEX_USE_RECEIVE_KEYS);
	add_todo(kex, KEX_DONE);
	exchange_clear(&kex->x);
	kex->phase = PHASE_IDLE;
	kex->first_is_done = true;
	return 0;
}

/* What may come, and when. Everything else is refused: a second KEXINIT before NEWKEYS too. */
typedef int handler(struct kex *kex, struct rd *r, struct err *e);
static const struct {
	enum kex_phase phase;
	uint8_t type;
	handler *handle;
} expected[] = {
    {PHASE_GEX_REQUEST, MSG_GEX_REQUEST, on_gex_request},
    {PHASE_GEX_GROUP, MSG_GEX_GROUP, on_gex_group},
    {PHASE_INIT, MSG_INIT, on_init},
    {PHASE_GEX_INIT, MSG_GEX_INIT, on_init},
    {PHASE_REPLY, MSG_REPLY, on_reply},
    {PHASE_GEX_REPLY, MSG_GEX_REPLY, on_reply},
    {PHASE_NEWKEYS, SSH_MSG_NEWKEYS, on_newkeys},
};

static int dispatch(struct kex *kex, uint32_t sequence, struct span payload, struct err *e)
{
	struct rd r;

	rd_init(&r, payload);
	uint8_t type = rd_u8(&r);
	if (type == SSH_MSG_KEXINIT &&
	    (kex->phase == PHASE_IDLE || kex->phase == PHASE_KEXINIT_SENT))
		return on_kexinit(kex, payload, sequence, e);
	if (kex->x.skip_guess && type >= SSH_MSG_KEX_FIRST && type <= SSH_MSG_KEX_LAST) {
		kex->x.skip_guess = false;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(expected); i++)
		if (expected[i].phase == kex->phase && expected[i].type == type)
			return expected[i].handle(kex, &r, e);
	return err_set(e, ERR_PEER, "message %u does not belong here in the key exchange", type);
}

int kex_input(struct kex *kex, uint32_t sequence, struct span payload, struct err *e)
{
	int rc = dispatch(kex, sequence, payload, e);

	if (rc < 0)
		kex->phase = PHASE_BROKEN;
	return rc;
}

/* ---- what it knows ---- */

bool kex_blocks_sending(const struct kex *kex)
{
	return kex->blocks_sending;
}

bool kex_blocks_receiving(const struct kex *kex)
{
	return kex->blocks_receiving;
}

bool kex_is_running(const struct kex *kex)
{
	return kex->phase != PHASE_IDLE;
}

bool kex_is_strict(const struct kex *kex)
{
	return kex->is_strict;
}

enum packet_sequence kex_sequence(const struct kex *kex)
{
	return kex->is_strict ? PACKET_SEQUENCE_RESTARTS : PACKET_SEQUENCE_GOES_ON;
}

bool kex_first_is_done(const struct kex *kex)
{
	return kex->first_is_done;
}

bool kex_peer_has_ext_info(const struct kex *kex)
{
	return kex->peer_has_ext_info;
}

struct span kex_session_id(const struct kex *kex)
{
	return wr_span(&kex->session_id);
}

struct span kex_host_key(const struct kex *kex)
{
	return wr_span(&kex->host_key);
}

struct span kex_first_signature(const struct kex *kex)
{
	return wr_span(&kex->first_signature);
}

const char *kex_name(const struct kex *kex)
{
	return kex->method ? kex->method->name : "";
}

const char *kex_host_key_algorithm(const struct kex *kex)
{
	return kex->host_key_algorithm ? kex->host_key_algorithm : "";
}

bool kex_is_post_quantum(const struct kex *kex)
{
	return kex->method && kex->method->is_post_quantum;
}
