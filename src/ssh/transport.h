/*
 * The transport layer of one connection (RFC 4253): identification, key exchange and rekey, packets. Runs over any bufferevent, a
 * socket or a channel of another connection. Hands on what is not its own: authentication (50 to 79) and connection
 * (80 to 127 and extensions) messages.
 *
 * Our identification and KEXINIT go out at once. Client only.
 */
#ifndef ADIT_SSH_TRANSPORT_H
#define ADIT_SSH_TRANSPORT_H

#include <event2/bufferevent.h>

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/wire.h"
#include "ssh/algorithms.h"
#include "ssh/hostkey.h"
#include "ssh/ident.h"
#include "ssh/messages.h"

struct transport;

struct transport_options {
	const struct log_context *log; /* keeps; may be NULL */
	/* Strings are copied, and offered as they are; for host_key, NULL is the default in hostkey_policy_order(). */
	struct algorithm_prefs prefs;
	struct hostkey_policy *hostkey; /* keeps */
	uint64_t rekey_bytes;           /* 0: the cipher's limit, at most 1 GiB */
	uint64_t rekey_interval_ms;     /* 0: never by time */
	/* 0: 60 s. How long a rekey may take while hardly anything moves; ten times that if a slow path is still carrying what
	 * stands before the messages of the exchange. The first exchange has the caller's deadline. */
	uint64_t rekey_timeout_ms;
};

struct transport_callbacks {
	/* The first key exchange is done: authentication may begin. Once. Comes after the packets that arrived together with the
	 * server's NEWKEYS were read, so that its EXT_INFO, which OpenSSH sends right behind, is known by then. */
	void (*on_ready)(void *arg);
	/* SERVICE_ACCEPT (6), or a message from 50 on; payload is valid during the call. Returns 0, TRANSPORT_UNIMPLEMENTED when
	 * nobody knows the message (the transport answers so), or a negative class with e filled when it breaks the protocol: the
	 * transport then disconnects (code 2) and calls on_closed. Before on_ready nothing comes. */
	int (*on_message)(void *arg, struct span payload, struct err *e);
	/* transport_can_send() is true again after it was false; or it is about to become false for a key exchange of ours, and
	 * what is owed may still go out. Comes from a task of the loop. */
	void (*on_can_send)(void *arg);
	/* It is over: e says why; when the peer said DISCONNECT, its code and (escaped) words. Once, the last call. */
	void (*on_closed)(void *arg, const struct err *e);
	/* The peer answers the packet that had this number, when it was sent, by UNIMPLEMENTED (RFC 4253 §11.4). Not before
	 * on_ready. May be NULL. */
	void (*on_unimplemented)(void *arg, uint32_t sequence);
};

#define TRANSPORT_UNIMPLEMENTED 1

/* Takes bev, whose peer is an SSH server. */
struct transport *transport_new(struct loop *loop, struct bufferevent *bev,
    const struct transport_options *options, const struct transport_callbacks *callbacks,
    void *arg);
/* Ends without a word (the bufferevent is freed). No callback. Legal inside a callback. NULL is legal. */
void transport_free(struct transport *t);
/* Sends DISCONNECT and closes; on_closed does not come. Then transport_free(). code: enum disconnect_code. */
void transport_disconnect(struct transport *t, uint32_t code, const char *text);

/* May another message be produced now? False while a key exchange forbids it, the output is above its high mark, or it is
 * over. Whoever has much to send asks before each message. */
bool transport_can_send(const struct transport *t);
/* A rekey is about to begin: what is owed may still go out, and data waits for the new keys. */
bool transport_rekey_is_due(const struct transport *t);
/* How long nothing at all may move, either way, while a rekey runs: no probe may be sent then (RFC 4253 §7.1). 0, as at first: for
 * ever. */
void transport_set_rekey_patience(struct transport *t, uint64_t ms);
/* clock_now_ms() while a rekey runs, which has a deadline of its own; else when the last key exchange ended, 0 before the first. */
uint64_t transport_exchanged_ms(const struct transport *t);
/* The same for key exchanges of the connections that this one runs over (bev_held_until_ms()): it hears nothing meanwhile. */
uint64_t transport_held_until_ms(const struct transport *t);
/* Sends one message, the pieces together. While a key exchange forbids it, it is kept and sent afterwards, in order: only
 * for what is rare and small. Bounded: beyond 64 kept messages the connection is ended (ERR_LOCAL). */
void transport_send(struct transport *t, const struct iovec *pieces, size_t count);
void transport_send_span(struct transport *t, struct span payload);
/* The number of the packet that was sent last: that of a message which was not kept, right after it was sent. */
uint32_t transport_sent_sequence(const struct transport *t);

/* Begins a rekey now, if none is running. */
void transport_rekey(struct transport *t);
/* The user authenticated (USERAUTH_SUCCESS came): from here on we rekey by ourselves, an EXT_INFO changes nothing any more, and
 * ACKs may be late again. */
void transport_set_authenticated(struct transport *t);

/* ---- what it knows ---- */
struct span transport_session_id(const struct transport *t);
struct span transport_host_key(const struct transport *t); /* of the first exchange */
/* The server's signature over the session id (kex_first_signature). */
struct span transport_host_key_signature(const struct transport *t);
const char *transport_peer_ident(const struct transport *t); /* "" before it came */
unsigned transport_peer_quirks(const struct transport *t);   /* enum ident_quirk */
bool transport_is_ready(const struct transport *t);
/* The host key algorithms that the server lists, from its KEXINIT until the exchange is done; else empty. */
struct span transport_peer_host_keys(const struct transport *t);
/* Bytes on the wire: all that were sent so far, and those of them that arrived, as far as one can tell (bev_undelivered()). */
uint64_t transport_bytes_sent(const struct transport *t);
uint64_t transport_bytes_delivered(const struct transport *t);
/* What it runs on, and keeps; NULL once it has ended. For options of its socket. */
struct bufferevent *transport_bev(const struct transport *t);
/* After on_closed: was it the server that ended it, by a DISCONNECT or an EOF? */
bool transport_closed_by_peer(const struct transport *t);
/* Signature algorithms the server takes (EXT_INFO server-sig-algs), comma-separated; NULL when it did not say. */
const char *transport_server_sig_algs(const struct transport *t);
bool transport_peer_has_extension(
    const struct transport *t, const char *name); /* "ping@openssh.com" */
/* For a server whose Nagle keeps a small packet back until what came before it is acknowledged: acknowledges it now, or after each
 * read, as during the login. The first returns false when nothing was left to acknowledge: what was sent since did. */
bool transport_acknowledge(struct transport *t);
enum transport_acks { TRANSPORT_ACKS_AS_USUAL, TRANSPORT_ACKS_AT_ONCE };
void transport_set_acks(struct transport *t, enum transport_acks acks);
/* About how many bytes of what came a pass of the loop may take, before others have their turn; at first
 * TRANSPORT_PASS. */
#define TRANSPORT_PASS ((size_t)256 * 1024)
void transport_set_pass(struct transport *t, size_t bytes);
/* n bytes went or came, and nothing beside them is urgent: if they are many, and go on, it is read in lumps (net/lumps). */
void transport_moved_bulk(struct transport *t, size_t n);
void transport_end_bulk(struct transport *t); /* now something is */
/* clock_now_ms() of the last packet received. */
uint64_t transport_last_received_ms(const struct transport *t);

struct transport_info {
	const char *kex, *host_key_algorithm, *cipher_out, *cipher_in, *mac_out,
	    *mac_in; /* "" where there is none */
	bool post_quantum;
	uint64_t bytes_in, bytes_out; /* on the wire */
	unsigned rekeys;
};
void transport_get_info(const struct transport *t, struct transport_info *ret_info);

#endif
