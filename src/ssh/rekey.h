/*
 * When have the keys of a connection served long enough? At 80 % of a limit (bytes, packets, time) it is time for new ones;
 * from half of one on it is a good moment as soon as nothing went either way for a second, since then nobody waits.
 */
#ifndef ADIT_SSH_REKEY_H
#define ADIT_SSH_REKEY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "ssh/cipher.h"
#include "ssh/packet.h"

/* ---- arithmetic ---- */

enum rekey_wear { REKEY_FRESH, REKEY_WHEN_IDLE, REKEY_NOW };

/* One direction's marks, computed once a key. {0} is of a direction in the clear, which never wears. */
struct rekey_marks {
	struct packet_count when_idle;
	struct packet_count now;
};

#define REKEY_BYTES_DEFAULT ((uint64_t)1 << 30) /* RFC 4253 §9 */
/* The cipher's own limits, and bytes if that is less; 0 is the default. */
void rekey_marks_set(struct rekey_marks *marks, const struct cipher_info *cipher, uint64_t bytes);
enum rekey_wear rekey_wear(const struct rekey_marks *marks, struct packet_count used);
/* The same for a key's age; interval 0: it never wears. */
enum rekey_wear rekey_wear_by_age(uint64_t age_ms, uint64_t interval_ms);
/* How long until that changes; UINT64_MAX: never. */
uint64_t rekey_next_check_ms(uint64_t age_ms, uint64_t interval_ms);

/* ---- one connection's watch ---- */

struct rekey_watch {
	const struct packet_sealer *sealer;
	const struct packet_opener *opener;
	uint64_t bytes, interval_ms;
	struct rekey_marks out, in;
	uint64_t since_ms;     /* age of the keys */
	uint64_t idle_packets; /* what had gone both ways at the last look */
	bool armed;
	struct task due;
	struct timer look;
};

/* Keeps sealer and opener. on_due comes from a task of the loop, while the watch is armed. bytes and interval_ms: 0 for the
 * default and for never. */
void rekey_watch_init(struct rekey_watch *w, struct loop *loop, const struct packet_sealer *sealer,
    const struct packet_opener *opener, uint64_t bytes, uint64_t interval_ms,
    void (*on_due)(void *arg), void *arg);
/* A direction has new keys; both have: their age counts from now. */
void rekey_watch_sending(struct rekey_watch *w, const struct cipher_info *cipher);
void rekey_watch_receiving(struct rekey_watch *w, const struct cipher_info *cipher);
void rekey_watch_restart(struct rekey_watch *w);
/* From here on on_due may come, or no more (an exchange runs; the connection is over). */
void rekey_watch_arm(struct rekey_watch *w);
void rekey_watch_disarm(struct rekey_watch *w);
/* To be called after packets went either way. Cheap. */
void rekey_watch_used(struct rekey_watch *w);
/* Are new keys due, and nothing was begun about it yet? Then data waits for them. */
bool rekey_watch_is_due(const struct rekey_watch *w);

#endif
