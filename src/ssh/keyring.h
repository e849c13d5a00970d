/*
 * Private keys that stay decrypted while their files stay as they are. A passphrase is hashed on purpose so that it takes tenths
 * of a second (bcrypt-pbkdf), and the loop stands still meanwhile: once is enough. Everything in here is wiped when it goes.
 */
#ifndef ADIT_SSH_KEYRING_H
#define ADIT_SSH_KEYRING_H

#include "ssh/keyfile.h"

struct keyring;

struct keyring *keyring_new(void);
void keyring_free(struct keyring *ring); /* NULL is legal */

/* As keyfile_read(), and gives a key as that does; only that a key that needed this very passphrase before is not decrypted
 * again, as long as the file was not touched (device, inode, size, times of content and of mode). ring may be NULL. A key without
 * a passphrase, and a failure, is not kept. */
struct key *keyring_read(
    struct keyring *ring, const char *path, const struct secret *passphrase, struct err *e);

/* Forgets the keys of all files that is_wanted denies. */
void keyring_keep(struct keyring *ring, bool (*is_wanted)(void *arg, const char *path), void *arg);

#endif
