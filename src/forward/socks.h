/*
 * The server's side of a proxy's handshake, without sockets: SOCKS 4 and 4a, SOCKS 5 (RFC 1928) and HTTP CONNECT (RFC 9110
 * §9.3.6), told apart by the first byte. Bytes in, bytes out; what follows the request stays the caller's.
 *
 * CONNECT is the only command that is carried out, and a name is passed on as it was asked for: who connects resolves it.
 */
#ifndef ADIT_FORWARD_SOCKS_H
#define ADIT_FORWARD_SOCKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/wire.h"

enum socks_protocol { SOCKS_UNKNOWN, SOCKS_4, SOCKS_5, SOCKS_HTTP };

/* RFC 1928 §6. The other protocols say the same in their own words. */
enum socks_reply {
	SOCKS_GRANTED = 0,
	SOCKS_FAILED = 1, /* of this side: out of something */
	SOCKS_NOT_ALLOWED = 2,
	SOCKS_NETWORK_UNREACHABLE = 3,
	SOCKS_HOST_UNREACHABLE = 4,
	SOCKS_CONNECTION_REFUSED = 5,
	SOCKS_COMMAND_UNSUPPORTED = 7,
	SOCKS_ADDRESS_UNSUPPORTED = 8
};

/* A user id, a host; and the head of an HTTP request. */
#define SOCKS_STRING_MAX 1024
#define SOCKS_HTTP_HEAD_MAX 8192
/* No request needs more unread bytes than this. */
#define SOCKS_INPUT_MAX SOCKS_HTTP_HEAD_MAX

enum socks_progress {
	SOCKS_MORE,  /* not all of it has come */
	SOCKS_ASKED, /* host and port are set; socks_answer() is owed */
	SOCKS_BAD /* nothing that we carry out: send the answer (which may be empty) and end; `why` says it */
};

/* A value; {0} before the first byte. */
struct socks {
	enum socks_protocol protocol;
	bool greeted; /* SOCKS 5: a method was agreed upon */
	char host[SOCKS_STRING_MAX + 1];
	uint16_t port;
	const char *why;
};

/* input is everything that came and was not used yet. *ret_used bytes of it are done with, whatever is returned; with
 * SOCKS_ASKED what follows them is already the stream's. Adds to answer what is to be sent now. Not called again after
 * SOCKS_ASKED and SOCKS_BAD. */
enum socks_progress socks_parse(
    struct socks *s, struct span input, size_t *ret_used, struct wr *answer);
/* Adds the answer to the request that socks_parse() gave. */
void socks_answer(const struct socks *s, enum socks_reply reply, struct wr *answer);

/* For the protocols' parsers. False: not a host's name. What is no printable ASCII never is one (RFC 1928 and 9110 mean DNS
 * names and addresses), and there are servers that end the connection over it. */
bool socks_set_host(struct socks *s, struct span name);

/* What an OPEN_FAILURE (RFC 4254 §5.1), with the words of whoever tried to connect, means for the client. */
enum socks_reply socks_reply_for(uint32_t open_failure, struct span text);

#endif
