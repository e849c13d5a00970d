/*
 * HTTP CONNECT (RFC 9110 §9.3.6) for socks.c: the head of one request, and the status lines.
 */
#ifndef ADIT_FORWARD_HTTP_CONNECT_H
#define ADIT_FORWARD_HTTP_CONNECT_H

#include "forward/socks.h"

/* As socks_parse(). */
enum socks_progress http_connect_parse(
    struct socks *s, struct span input, size_t *ret_used, struct wr *answer);
void http_connect_answer(enum socks_reply reply, struct wr *answer);

#endif
