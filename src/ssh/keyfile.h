/*
 * Private keys from files: OpenSSH's format (PROTOCOL.key; encrypted with bcrypt-pbkdf), PEM and PKCS#8, encrypted or not.
 */
#ifndef ADIT_SSH_KEYFILE_H
#define ADIT_SSH_KEYFILE_H

#include <stdatomic.h>

#include "base/secret.h"
#include "ssh/key.h"

#define KEYFILE_BYTES_MAX ((size_t)256 * 1024)

/* Reads a private key. passphrase may be NULL. NULL and ERR_CONFIG, the path named: missing, not readable, ours and open to
 * others (mode, as ssh has it), not a file, too large, no private key (a public one is named as such, whatever its mode),
 * encrypted and no passphrase, wrong passphrase. ret_comment (gives, may be NULL) is the key's comment or "". Blocks; for an
 * encrypted key some tenths of a second, which keyring.h spares whoever reads one again. */
struct key *keyfile_read(
    const char *path, const struct secret *passphrase, char **ret_comment, struct err *e);
/* The same for a thread: touches nothing that is shared, and gives up, with an error that means nothing, soon after stop is set. */
struct key *keyfile_read_until(
    const char *path, const struct secret *passphrase, const atomic_bool *stop, struct err *e);
/* The same for bytes; name is for the messages. */
struct key *keyfile_parse(struct span text, const char *name, const struct secret *passphrase,
    char **ret_comment, struct err *e);
/* The public half of an encrypted OpenSSH-format key, a public key that is what PATH holds, or PATH.pub does; NULL: none. */
struct key *keyfile_read_public(const char *path);
/* Reads a file that holds a secret (password, passphrase): its first line without the newline. The same checks. */
int keyfile_read_secret(const char *path, struct secret *ret_secret, struct err *e) MUST_CHECK;

#endif
