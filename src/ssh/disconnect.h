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
/* What the peer's message means to us: the class by its code, since that decides when another try makes sense, and the
 * beginning of its words, escaped. A malformed one says enough. Returns the class. */
int disconnect_read(struct span message, struct err *e);

#endif
