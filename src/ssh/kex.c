/*
 * The state machine. An exchange begins with a KEXINIT of either side; when both are there the method follows, which is two
 * messages (or four, where the group is agreed on first); then each side says NEWKEYS and changes its keys, in its direction.
 */
#include "ssh/kex_state.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "ssh/messages.h"

/* ---- what is to be done ---- */

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

struct wr *kex_add_todo(struct kex *kex, enum kex_action action)
{
	if (kex->todo_next == kex->todo_count) {
		finish_current(kex);
		kex->todo_next = kex->todo_count = 0;
	}
	assert(kex->todo_count < TODO_MAX);
	struct todo *t = &kex->todo[kex->todo_count++];
	t->action = action;
	t->message = WR_INIT;
	return &t->message;
}

struct wr *kex_add_message(struct kex *kex, uint8_t type)
{
	struct wr *message = kex_add_todo(kex, KEX_SEND);

	wr_u8(message, type);
	return message;
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
	wr_clear(&kex->first_host_key);
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

	if (kex_is_client(kex))
		return strict ? MARKER_EXT_INFO_CLIENT "," MARKER_STRICT_CLIENT
			      : MARKER_EXT_INFO_CLIENT;
	return strict ? MARKER_EXT_INFO_SERVER "," MARKER_STRICT_SERVER : MARKER_EXT_INFO_SERVER;
}

void kex_start(struct kex *kex)
{
	if (kex->phase != PHASE_IDLE)
		return;
	kexinit_write(&kex->x.our_kexinit, &kex->options.prefs, markers(kex));
	wr_span_bytes(kex_add_todo(kex, KEX_SEND), wr_span(&kex->x.our_kexinit));
	kex->phase = PHASE_KEXINIT_SENT;
	kex->blocks_sending = true;
}

/* ---- both ---- */

/* What the markers say, in the first KEXINIT alone. */
static int read_markers(struct kex *kex, uint32_t sequence, struct err *e)
{
	struct span methods = kex->x.peers.lists[KEXINIT_KEX];

	kex->peer_has_ext_info = name_list_has(
	    methods, kex_is_client(kex) ? MARKER_EXT_INFO_SERVER : MARKER_EXT_INFO_CLIENT);
	/* It takes two. */
	kex->is_strict = kex->options.strict == KEX_OFFERS_STRICT &&
			 name_list_has(methods,
			     kex_is_client(kex) ? MARKER_STRICT_SERVER : MARKER_STRICT_CLIENT);
	if (kex->is_strict && sequence != 0)
		return err_set(e, ERR_PEER,
		    "strict key exchange: KEXINIT was packet %u, not the first", sequence);
	return 0;
}

static int on_kexinit(struct kex *kex, struct span payload, uint32_t sequence, struct err *e)
{
	struct exchange *x = &kex->x;
	const struct kexinit *client = kex_is_client(kex) ? &x->ours : &x->peers;
	const struct kexinit *server = kex_is_client(kex) ? &x->peers : &x->ours;

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
		    kex_is_client(kex) ? KEXINIT_PEER_IS_SERVER : KEXINIT_PEER_IS_CLIENT,
		    &x->choice, e);
	if (rc < 0)
		return rc;
	x->skip_guess =
	    x->peers.first_kex_packet_follows && !kexinit_guess_is_right(client, server);
	kex_begin_method(kex);
	return 0;
}

static int on_newkeys(struct kex *kex, struct rd *r, struct err *e)
{
	if (rd_end(r) < 0)
		return err_set(e, ERR_PEER, "a malformed NEWKEYS");
	kex_add_todo(kex, KEX_USE_RECEIVE_KEYS);
	kex_add_todo(kex, KEX_DONE);
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
    {PHASE_GEX_REQUEST, KEX_MSG_GEX_REQUEST, kex_on_gex_request},
    {PHASE_GEX_GROUP, KEX_MSG_GEX_GROUP, kex_on_gex_group},
    {PHASE_INIT, KEX_MSG_INIT, kex_on_init},
    {PHASE_GEX_INIT, KEX_MSG_GEX_INIT, kex_on_init},
    {PHASE_REPLY, KEX_MSG_REPLY, kex_on_reply},
    {PHASE_GEX_REPLY, KEX_MSG_GEX_REPLY, kex_on_reply},
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

bool kex_peer_has_ext_info(const struct kex *kex)
{
	return kex->peer_has_ext_info;
}

struct span kex_session_id(const struct kex *kex)
{
	return wr_span(&kex->session_id);
}

struct span kex_first_host_key(const struct kex *kex)
{
	return wr_span(&kex->first_host_key);
}

struct span kex_first_signature(const struct kex *kex)
{
	return wr_span(&kex->first_signature);
}

const char *kex_name(const struct kex *kex)
{
	return kex->method ? kex->method->name : "";
}

struct span kex_peer_host_keys(const struct kex *kex)
{
	return kex->x.peers.lists[KEXINIT_HOST_KEY];
}

const char *kex_host_key_algorithm(const struct kex *kex)
{
	return kex->host_key_algorithm ? kex->host_key_algorithm : "";
}

bool kex_is_post_quantum(const struct kex *kex)
{
	return kex->method && kex->method->is_post_quantum;
}
