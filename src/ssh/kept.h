/*
 * Messages that wait for a key exchange to end (RFC 4253 §7.1), in order. Only for what is rare and small, and bounded: who has
 * much to send asks transport_can_send() and produces nothing meanwhile.
 */
#ifndef ADIT_SSH_KEPT_H
#define ADIT_SSH_KEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "base/list.h"
#include "base/wire.h"

enum { KEPT_MESSAGES_MAX = 64, KEPT_BYTES_MAX = 256 * 1024 };

struct kept {
	struct list messages;
	size_t count, bytes;
};

void kept_init(struct kept *k);
void kept_clear(struct kept *k);
bool kept_empty(const struct kept *k);
/* Copies the pieces as one message. False when that would be too many, or too much. */
bool kept_add(struct kept *k, const struct iovec *pieces, size_t count);
/* Hands every message to send, the oldest first, and forgets it. send adds none. */
void kept_send(struct kept *k, void (*send)(void *arg, struct span message), void *arg);

#endif
