/*
 * What kex.c and kex_messages.c share, and nobody else sees: the state, and how what is to be done is put down.
 */
#ifndef ADIT_SSH_KEX_STATE_H
#define ADIT_SSH_KEX_STATE_H

#include "ssh/kex.h"
#include "ssh/kex_method.h"
#include "ssh/kexinit.h"

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
	struct wr first_host_key;
	struct wr first_signature;
	const struct kex_method *method; /* of the last exchange */
	char *host_key_algorithm;

	struct key_set send, receive;
	struct todo todo[TODO_MAX];
	size_t todo_next, todo_count;
};

static inline bool kex_is_client(const struct kex *kex)
{
	return kex->options.role == KEX_CLIENT;
}

/* Puts down what kex_next() will say; for KEX_SEND the message is written to what is returned. */
struct wr *kex_add_todo(struct kex *kex, enum kex_action action);
struct wr *kex_add_message(struct kex *kex, uint8_t type);

/* ---- the method's messages (kex_messages.c) ---- */

/* They mean what the method says (RFC 4253 §8, RFC 5656 §4, RFC 4419 §5). */
enum {
	KEX_MSG_INIT = 30,
	KEX_MSG_REPLY = 31,
	KEX_MSG_GEX_GROUP = 31,
	KEX_MSG_GEX_INIT = 32,
	KEX_MSG_GEX_REPLY = 33,
	KEX_MSG_GEX_REQUEST = 34
};

/* Both KEXINITs are there and the choice is made: the client sends the method's first message, the server waits for it. */
void kex_begin_method(struct kex *kex);
/* Each reads the rest of its message. 0 or an error. After the last one of the method our NEWKEYS is put down. */
int kex_on_gex_request(struct kex *kex, struct rd *r, struct err *e) MUST_CHECK;
int kex_on_gex_group(struct kex *kex, struct rd *r, struct err *e) MUST_CHECK;
int kex_on_init(struct kex *kex, struct rd *r, struct err *e) MUST_CHECK;
int kex_on_reply(struct kex *kex, struct rd *r, struct err *e) MUST_CHECK;

#endif
