/*
 * SSH_MSG_DISCONNECT (RFC 4253 §11.1).
 */
#ifndef ADIT_SSH_DISCONNECT_H
#define ADIT_SSH_DISCONNECT_H

#include "base/err.h"
#include "base/wire.h"
#include "ssh/messages.h"

/* Appends one. */
void disconnect_write(struct wr *message, enum disconnect_code code, const char *text);
enum disconnect_when { DISCONNECT_BEFORE_LOGIN, DISCONNECT_AFTER_LOGIN };

/* What the peer's message means to us: the class by its code, since that decides when another try makes sense, and the
 * beginning of its words, escaped. Until we are logged in, a server that finds fault with our protocol, our key exchange or
 * a host key does not let us in (ERR_LOGIN); OpenSSH's says PROTOCOL_ERROR of most things later on, a link that timed out too.
 * A malformed one says enough. Returns the class. */
int disconnect_read(struct span message, enum disconnect_when when, struct err *e);

#endif
