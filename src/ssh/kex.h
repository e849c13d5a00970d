/*
 * Key exchange as a pure state machine: messages in, messages and keys out; it neither reads nor writes nor waits. One object
 * a connection, which serves the first exchange and every later one (RFC 4253 §7 to §9, RFC 8308 markers, strict key exchange).
 * Both roles, so that tests can have a server.
 *
 * The caller asks kex_next() again and again until it says KEX_WAIT, and does what it says, in that order.
 */
#ifndef ADIT_SSH_KEX_H
#define ADIT_SSH_KEX_H

#include "base/err.h"
#include "base/secret.h"
#include "base/wire.h"
#include "ssh/algorithms.h"
#include "ssh/cipher.h"
#include "ssh/mac.h"
#include "ssh/packet.h"

enum kex_role { KEX_CLIENT, KEX_SERVER };
/* The second is a peer of before 2023: for tests. */
enum kex_strictness { KEX_OFFERS_STRICT, KEX_OFFERS_NOTHING };

struct kex;

struct kex_options {
	enum kex_role role;
	enum kex_strictness strict;
	struct algorithm_prefs prefs; /* strings are kept */
	const char *our_ident;        /* kept */
	const char *peer_ident;       /* kept; can be set later with kex_set_peer_ident() */
	/* Client: is this server host key (blob), which has just proved itself with the given algorithm, the right one? Asked
	 * in every exchange after the signature was checked. 0 or an error (ERR_HOST_KEY) with e filled. */
	int (*verify_host_key)(
	    void *arg, struct span key_blob, struct span algorithm, struct err *e);
	/* Server (tests): appends the host key's blob for that algorithm; then the signature over the exchange hash. */
	int (*host_key)(void *arg, struct span algorithm, struct wr *key_blob, struct err *e);
	int (*sign_exchange_hash)(void *arg, struct span algorithm, struct span hash,
	    struct wr *signature, struct err *e);
	void *arg;
};

struct kex *kex_new(const struct kex_options *options);
void kex_free(struct kex *kex); /* NULL is legal; wipes */
/* Keeps it. Before the first kex_input(). */
void kex_set_peer_ident(struct kex *kex, const char *peer_ident);

/* Begins an exchange from our side; nothing if one is running. */
void kex_start(struct kex *kex);
/* A message 20 to 21 or 30 to 49 from the peer, with its sequence number; borrowed. A KEXINIT from the peer begins an exchange
 * too. What the peer sent on a wrong guess (first_kex_packet_follows) is dropped. 0; ERR_PEER; ERR_CONFIG: no algorithm in
 * common; or what verify_host_key() said.
 * After an error the object refuses everything. */
int kex_input(struct kex *kex, uint32_t sequence, struct span payload, struct err *e) MUST_CHECK;

enum kex_action {
	KEX_WAIT,          /* nothing to do until the next kex_input() or kex_start() */
	KEX_SEND,          /* send kex_message() */
	KEX_USE_SEND_KEYS, /* our NEWKEYS was sent: kex_keys() are for the sealer from the next packet on */
	KEX_USE_RECEIVE_KEYS, /* the peer's NEWKEYS came: kex_keys() are for the opener */
	KEX_DONE              /* both directions have their keys; said once an exchange */
};
/* A number of actions that is small and known can be waiting: take them all after each kex_input() and kex_start(). */
enum kex_action kex_next(struct kex *kex);
struct span kex_message(const struct kex *kex);            /* until the next call */
const struct packet_keys *kex_keys(const struct kex *kex); /* until the next call */

/* Between sending KEXINIT and our NEWKEYS only messages 1 to 49 except 5 and 6 may be sent (RFC 4253 §7.1). */
bool kex_blocks_sending(const struct kex *kex);
/* From the peer's KEXINIT to its NEWKEYS the same holds for what the peer sends. */
bool kex_blocks_receiving(const struct kex *kex);
bool kex_is_running(const struct kex *kex);
/* Until the first exchange is done under strict key exchange nothing but its own messages is legal. */
bool kex_is_strict(const struct kex *kex);
enum packet_sequence kex_sequence(const struct kex *kex); /* for packet_*_set_keys() */
bool kex_peer_has_ext_info(const struct kex *kex); /* the peer's list had ext-info-c (or -s) */

struct span kex_session_id(const struct kex *kex); /* of the first exchange; empty before */
/* The server's host key and its signature over the session id, as they came in the first exchange: an agent that is told to which
 * host it signs checks them (session-bind@openssh.com), and a server that a login is bound to (PROTOCOL §3.1). Later exchanges may
 * come with another key. Empty before. */
struct span kex_first_host_key(const struct kex *kex);
struct span kex_first_signature(const struct kex *kex);
/* The host key algorithms of the peer's KEXINIT, while its exchange runs and after it failed; empty before and afterwards. */
struct span kex_peer_host_keys(const struct kex *kex);
/* What was agreed on last, for the status; "" before. Static or the kex's. */
const char *kex_name(const struct kex *kex);
const char *kex_host_key_algorithm(const struct kex *kex);
bool kex_is_post_quantum(const struct kex *kex);

#endif
