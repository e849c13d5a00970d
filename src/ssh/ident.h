/*
 * The identification strings (RFC 4253 §4.2), and what the peer's tells of its quirks.
 */
#ifndef ADIT_SSH_IDENT_H
#define ADIT_SSH_IDENT_H

#include <event2/buffer.h>

#include "base/err.h"
#include "base/wire.h"

/* "SSH-2.0-adit_VERSION", without CR LF: as it is hashed. Static. */
const char *ident_ours(void);

/* Bounds of what a peer may say, CR LF included. */
#define IDENT_SIZE_MAX 255
#define IDENT_LINE_SIZE_MAX 1024 /* of a line before it */
#define IDENT_LINES_MAX 128

/* {0} to begin with; then the caller sets on_line, which may be NULL. */
struct ident_reader {
	unsigned lines;
	void (*on_line)(void *arg, struct span line);
	void *arg;
};
/* Takes lines off in until the one that begins with "SSH-": 1 and *ret_ident (gives, without CR LF); 0: more bytes are needed;
 * ERR_PEER: too many or too long lines, another protocol version, no SSH server (what it said instead is in the text). The lines
 * before it are handed to on_line as they came: whoever shows them escapes them. */
int ident_read(
    struct ident_reader *r, struct evbuffer *in, char **ret_ident, struct err *e) MUST_CHECK;

/* What servers of this name do otherwise than the others. */
enum ident_quirk {
	QUIRK_OPENSSH = 1 << 0,         /* takes eow@openssh.com and no-more-sessions@openssh.com */
	QUIRK_RSA_SHA2_UNSAID = 1 << 1, /* signs with rsa-sha2 but does not say so (OpenSSH 7.4) */
	QUIRK_RSA_CERT_SHA1 =
	    1 << 2, /* wants ssh-rsa in signatures of RSA certificates (OpenSSH before 7.8) */
	QUIRK_DYNAMIC_PORT_ZERO = 1 << 3 /* says port 0 in forwarded-tcpip (OpenSSH 5) */
};
unsigned ident_quirks(const char *ident);

#endif
