/*
 * Two key exchanges, a client and a server, that talk to each other; a test can look at what goes by, and change it.
 */
#ifndef ADIT_TESTS_UNIT_SSH_KEX_PAIR_H
#define ADIT_TESTS_UNIT_SSH_KEX_PAIR_H

#include "ssh/kex.h"
#include "ssh/kexinit.h"
#include "ssh/key.h"

enum kex_side { SIDE_CLIENT, SIDE_SERVER };

/* The keys of one direction, copied. */
struct kex_pair_keys {
	const struct cipher_info *cipher;
	const struct mac_info *mac;
	uint8_t key[CIPHER_KEY_SIZE_MAX], iv[CIPHER_IV_SIZE_MAX], mac_key[MAC_SIZE_MAX];
	enum packet_sequence sequence;
};

struct kex_pair {
	struct kex *kex[2];
	struct kex_pair_keys send[2], receive[2];
	unsigned done[2];      /* KEX_DONE */
	uint32_t sequence[2];  /* of the next message of that side */
	struct wr queue[2][8]; /* messages of that side that the other has not yet got */
	size_t queued[2];

	struct key *host_key;         /* the server's */
	struct key *claimed_host_key; /* what it says it is; NULL: the same */
	struct wr cert; /* what it shows instead, with a certificate's algorithm; empty: the key */
	struct err verdict; /* of verify_host_key; nothing set: it is right */
	unsigned asked;     /* how often */
	bool spoil_signature;

	/* May change the message before it arrives; NULL: nobody does. */
	void (*meddle)(struct kex_pair *p, enum kex_side from, struct wr *message);
	size_t at; /* for meddle */
	struct err e;
};

#define KEX_PAIR_CLIENT_IDENT "SSH-2.0-client"
#define KEX_PAIR_SERVER_IDENT "SSH-2.0-server"

/* host_key_file is of test_keys.h. */
void kex_pair_open(struct kex_pair *p, const char *host_key_file,
    const struct algorithm_prefs *client, const struct algorithm_prefs *server);
void kex_pair_close(struct kex_pair *p);
/* Does what kex_next() says, on one side, until it says KEX_WAIT: messages go to the queue. */
void kex_pair_work(struct kex_pair *p, enum kex_side side);
/* Takes the first message of from's queue to the other side, which then works. */
int kex_pair_deliver(struct kex_pair *p, enum kex_side from);
/* All of it, until both wait and nothing is under way; 0 or the first error. */
int kex_pair_run(struct kex_pair *p);
/* Starts on both sides and runs. */
int kex_pair_exchange(struct kex_pair *p);

/* Both have the same keys, each direction its own, and nothing is under way. */
void kex_pair_assert_agreed(struct kex_pair *p);

/* ---- a peer made by hand: KEXINITs as a test wants them ---- */

struct offer {
	const char *lists[KEXINIT_LISTS];
	bool guess; /* first_kex_packet_follows */
};
/* curve25519-sha256, ssh-ed25519, aes128-ctr, hmac-sha2-256 */
struct offer good_offer(void);
void write_offer(struct wr *w, const struct offer *offer);
/* Opens, starts both sides: each has its KEXINIT in its queue. */
void kex_pair_open_started(struct kex_pair *p);
/* That message comes to that side. */
int kex_pair_input(struct kex_pair *p, enum kex_side to, uint32_t sequence, struct span message);
int kex_pair_input_offer(
    struct kex_pair *p, enum kex_side to, uint32_t sequence, const struct offer *offer);

#endif
