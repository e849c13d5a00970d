/*
 * What the files of the transport share: transport.c (life, sending, reading), transport_kex.c (exchanges and rekeys) and
 * transport_messages.c (what each message does).
 */
#ifndef ADIT_SSH_TRANSPORT_PRIVATE_H
#define ADIT_SSH_TRANSPORT_PRIVATE_H

#include "base/str.h"
#include "net/lumps.h"
#include "ssh/ext_info.h"
#include "ssh/kept.h"
#include "ssh/kex.h"
#include "ssh/packet.h"
#include "ssh/rekey.h"
#include "ssh/transport.h"

enum transport_state {
	STATE_IDENT,     /* the peer has not said who it is; our KEXINIT is out */
	STATE_FIRST_KEX, /* nothing but the key exchange is legal */
	STATE_OPEN,      /* both directions have keys; kex says whether new ones are being made */
	STATE_CLOSED     /* no bufferevent any more; on_closed has run, or the owner ended it */
};

/* How the input ended, once it did; what arrived before is read first. */
enum transport_input { INPUT_GOES_ON, INPUT_EOF, INPUT_ERROR };

struct transport {
	struct loop *loop;
	struct bufferevent *bev; /* NULL when closed */
	const struct log_context *log;
	struct transport_callbacks callbacks;
	struct lumps lumps;
	size_t pass_bytes; /* a pass of the loop reads that much, and the rest of a packet */
	void *arg;
	enum transport_state state;
	bool authenticated;
	bool closed_by_peer;
	bool ready_is_owed; /* the first exchange is done, on_ready has not run */

	struct ident_reader ident;
	char *peer_ident;       /* NULL before it came */
	struct strbuf greeting; /* the last line before it */
	enum transport_input input_end;
	int input_error; /* an errno value */
	uint64_t last_received_ms;
	struct task read_task;

	struct kex *kex;
	struct hostkey_policy *hostkey;
	char *prefs[4]; /* our copies; the kex keeps them */
	struct packet_sealer *sealer;
	struct packet_opener *opener;
	uint64_t bytes_out_before, bytes_in_before; /* under earlier keys */
	unsigned exchanges;                         /* that were done */
	uint64_t exchanged_ms;                      /* when the last one was */
	struct ext_info ext_info;

	struct kept kept;
	/* transport_can_send() was false: on_can_send is owed when it is not any more. */
	bool was_blocked;
	struct task can_send_task;
	unsigned unimplemented;

	struct rekey_watch rekey;
	uint64_t rekey_timeout_ms;
	struct timer rekey_deadline; /* of the exchange that runs */
	uint64_t rekey_began_ms;
	uint64_t rekey_moved; /* bytes either way, when the deadline was set */
	uint64_t rekey_patience_ms;
	struct timer rekey_look; /* has anything moved? */
	uint64_t rekey_seen;     /* bytes either way, at the last look, */
	uint64_t rekey_seen_ms;  /* and when they were first seen to be so many */

	struct err failure; /* found in a call from above; end_task reports it */
	struct task end_task;
	unsigned hints;
};

/* Appends one packet to the output, whatever the gate says. */
void transport_seal(struct transport *t, struct span payload);
void transport_send_kept(void *arg, struct span message); /* for kept_send() */
/* To be called after whatever may have changed transport_can_send(). */
void transport_watch_gate(struct transport *t);
/* It is over for the reason e: the last thing its callers do. */
enum transport_goodbye { GOODBYE, NO_GOODBYE };
void transport_end(struct transport *t, const struct err *e, enum transport_goodbye goodbye);

/* ---- transport_kex.c ---- */

int transport_verify_host_key(
    void *arg, struct span key_blob, struct span algorithm, struct err *e);
/* Does what the key exchange says until it waits for the peer. Calls nobody above. */
void transport_run_kex(struct transport *t);
void transport_on_rekey_due(void *arg);
void transport_on_rekey_deadline(void *arg);
void transport_on_rekey_look(void *arg);

/* ---- transport_messages.c ---- */

/* Handles one message. 0, or a negative class with e filled. It may be closed afterwards. */
int transport_dispatch(struct transport *t, struct span payload, struct err *e) MUST_CHECK;

#endif
