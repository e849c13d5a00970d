/*
 * Private keys that stay decrypted while their files stay as they are. A passphrase is hashed on purpose so that it takes tenths
 * of a second (bcrypt-pbkdf), or many seconds (ssh-keygen -a): once is enough, and in a thread, where nobody has to wait for it.
 * Everything in here is wiped when it goes.
 */
#ifndef ADIT_SSH_KEYRING_H
#define ADIT_SSH_KEYRING_H

#include "base/list.h"
#include "base/loop.h"
#include "ssh/keyfile.h"

struct keyring;

struct keyring *keyring_new(struct loop *loop); /* keeps */
/* NULL is legal. A thread of it ends within a round of its hash, some milliseconds. Nobody waits any more. */
void keyring_free(struct keyring *ring);

/* As keyfile_read(), and gives a key as that does; only that what was read with this very passphrase before is not read again, nor
 * is it found out again that it cannot be (ERR_CONFIG), as long as the file was not touched (device, inode, size, times of content
 * and of mode). ring may be NULL. What is read without a passphrase is not kept. */
struct key *keyring_read(
    struct keyring *ring, const char *path, const struct secret *passphrase, struct err *e);

/* Who waits for a key; embedded, by one who cancels it before he goes. */
struct keyring_wait {
	struct list node;
	void (*ready)(void *arg);
	void *arg;
};
void keyring_wait_init(struct keyring_wait *wait, void (*ready)(void *arg), void *arg);
void keyring_wait_cancel(struct keyring_wait *wait);

/* False: keyring_read() has its answer at once (ring or passphrase may be NULL). True: the file is being read and decrypted
 * in a thread; ready comes from the loop when it is, once, and then this may be asked again: the file may be another by then. */
bool keyring_open(struct keyring *ring, const char *path, const struct secret *passphrase,
    struct keyring_wait *wait) MUST_CHECK;

/* Forgets the keys of all files that is_wanted denies, those that are being decrypted among them unless somebody waits. */
void keyring_keep(struct keyring *ring, bool (*is_wanted)(void *arg, const char *path), void *arg);

#endif
