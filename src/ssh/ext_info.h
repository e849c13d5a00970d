/*
 * SSH_MSG_EXT_INFO (RFC 8308 §2.3): what a server can do beyond what the key exchange agreed on, as one value that later
 * messages add to.
 */
#ifndef ADIT_SSH_EXT_INFO_H
#define ADIT_SSH_EXT_INFO_H

#include <stdbool.h>

#include "base/err.h"
#include "base/wire.h"

enum extension {
	EXTENSION_PING = 1 << 0,     /* ping@openssh.com, version 0 */
	EXTENSION_HOSTBOUND = 1 << 1 /* publickey-hostbound@openssh.com, version 0 */
};

/* {0}: nothing was said yet. */
struct ext_info {
	char *server_sig_algs; /* comma-separated; NULL: not said */
	unsigned extensions;   /* enum extension */
};

void ext_info_clear(struct ext_info *info);
/* A whole message. A name that says something again replaces what it said before; unknown names are nothing to us. 0, or
 * ERR_PEER and info as it was: the message is malformed, or the value of a known name is. */
int ext_info_read(struct ext_info *info, struct span message, struct err *e) MUST_CHECK;
/* Does the server have the extension of this name ("ping@openssh.com")? */
bool ext_info_has(const struct ext_info *info, const char *name);

/* Appends our message: that the server may send another EXT_INFO at any time of the login (ext-info-in-auth@openssh.com). */
void ext_info_write_ours(struct wr *message);

#endif
