/*
 * Text: a buffer that grows, patterns, lists, near misses.
 */
#ifndef ADIT_BASE_STR_H
#define ADIT_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/wire.h"

/* {0} is an empty one. text is NUL-terminated once anything was added; strbuf_text() always gives a string. */
struct strbuf {
	char *text;
	size_t n;
	size_t capacity;
};

void strbuf_add(struct strbuf *b, const char *text);
void strbuf_add_n(struct strbuf *b, const void *p, size_t n);
void strbuf_addf(struct strbuf *b, const char *format, ...) PRINTF_LIKE(2, 3);
/* Adds text that somebody else chose so that it stays on one line and moves no cursor: control bytes, backslashes, quotes
 * and invalid UTF-8 as \xNN, \n and the like. */
void strbuf_add_escaped(struct strbuf *b, struct span text);
/* The same for a person's eyes: backslashes and quotes stay, so it cannot be read back. */
void strbuf_add_printable(struct strbuf *b, struct span text);
/* With the quotes; invalid UTF-8 becomes U+FFFD, and what would move a terminal is escaped: JSON is printed, too. */
void strbuf_add_json(struct strbuf *b, struct span text);
void strbuf_add_no_pattern(struct strbuf *b,
    const char *text); /* what glob(7) would take for a pattern stands for itself */
const char *strbuf_text(const struct strbuf *b);
char *strbuf_take(struct strbuf *b); /* gives, "" of an empty one; the buffer is empty then */
void strbuf_clear(struct strbuf *b);

char *str_format(const char *format, ...) PRINTF_LIKE(1, 2); /* gives */

/* '*' any run, '?' any one byte; no sets, as in known_hosts and ssh_config. The other compares without regard to case. */
bool str_glob(const char *pattern, const char *text);
bool str_glob_nocase(const char *pattern, const char *text);

/* The one of names[0..count) that a person who typed word most likely meant, or NULL when none is near. */
const char *str_nearest(const char *word, const char *const *names, size_t count);

/* Decimal digits only, whole text, within the limits. */
bool str_to_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value);

/* RFC 4648 §4. Encoding gives a string, with padding only if asked. Decoding takes padding or none, no white space;
 * false when it is not base64. */
enum base64_padding { BASE64_PADDED, BASE64_UNPADDED };
char *str_base64(struct span bytes, enum base64_padding padding);
bool str_base64_decode(struct span text, struct wr *out);
char *str_hex(struct span bytes);

#endif
