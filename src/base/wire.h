/*
 * Reading and writing what goes over the wire (RFC 4251 §5): byte, boolean, uint32, uint64, string, mpint, name-list.
 *
 * The reader's error is sticky: read every field in a straight line, then ask once with rd_end(), which also refuses what
 * is left over. After an error every read gives zero or an empty span. Spans are views into the input and live as long.
 */
#ifndef ADIT_BASE_WIRE_H
#define ADIT_BASE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* A view; owns nothing. */
struct span {
	const uint8_t *p;
	size_t n;
};

#define SPAN(ptr, len) ((struct span){(const uint8_t *)(ptr), (len)})
#define SPAN_LITERAL(text) ((struct span){(const uint8_t *)("" text), sizeof(text) - 1})
struct span span_of(const char *text);
bool span_equal(struct span a, struct span b);
bool span_is(struct span s, const char *text);
bool span_begins_with(struct span s, const char *prefix);
/* Where in list it is; count: nowhere. */
size_t span_find(struct span s, const struct span *list, size_t count);
bool span_is_among(struct span s, const struct span *list, size_t count);
char *span_strdup(
    struct span s); /* gives; stops at nothing: check span_is_text() first where a NUL matters */
bool span_is_text(struct span s); /* no NUL and no other control byte */

/* ---- reader ---- */

struct rd {
	const uint8_t *p;
	const uint8_t *end;
	bool bad;
};

void rd_init(struct rd *r, struct span input);
uint8_t rd_u8(struct rd *r);
bool rd_bool(struct rd *r);
uint32_t rd_u32(struct rd *r);
uint64_t rd_u64(struct rd *r);
struct span rd_bytes(struct rd *r, size_t n);
struct span rd_string(struct rd *r);
/* The magnitude of a positive mpint without leading zeros; negative ones and superfluous zeros are errors. */
struct span rd_mpint(struct rd *r);
struct span rd_rest(struct rd *r); /* everything that is left */
size_t rd_left(const struct rd *r);
void rd_fail(struct rd *r); /* for a caller that saw a value which cannot be */
bool rd_ok(const struct rd *r);
/* 0 when every read went well and nothing is left, else ERR_PEER. */
int rd_end(const struct rd *r) MUST_CHECK;
/* The same for a message that later versions may extend: what is left over is allowed. */
int rd_end_or_more(const struct rd *r) MUST_CHECK;

/* Takes the next name off a comma-separated list; false at its end. Names may be empty: the caller decides. */
bool name_list_next(struct span *list, struct span *ret_name);
bool name_list_has(struct span list, const char *name);

/* ---- writer: bytes that it owns and that grow ---- */

struct wr {
	uint8_t *p;
	size_t n;
	size_t capacity;
	bool secret; /* wiped when it grows and when it is cleared */
};

#define WR_INIT ((struct wr){0})
#define WR_INIT_SECRET ((struct wr){.secret = true})
void wr_clear(struct wr *w);             /* frees; the writer can be used again */
void wr_reset(struct wr *w);             /* empties, keeps the space */
struct span wr_span(const struct wr *w); /* until the next write */

void wr_u8(struct wr *w, uint8_t v);
void wr_bool(struct wr *w, bool v);
void wr_u32(struct wr *w, uint32_t v);
void wr_u64(struct wr *w, uint64_t v);
void wr_bytes(struct wr *w, const void *p, size_t n);
void wr_span_bytes(struct wr *w, struct span s);
void wr_string(struct wr *w, struct span s);
void wr_cstring(struct wr *w, const char *s);
/* magnitude: big-endian, unsigned, leading zeros allowed */
void wr_mpint(struct wr *w, struct span magnitude);
/* A string whose length is known only afterwards: mark, write its content, end. Nests. */
size_t wr_mark(struct wr *w);
void wr_end(struct wr *w, size_t mark);

uint32_t get_u32(const uint8_t p[4]);
uint64_t get_u64(const uint8_t p[8]);
void put_u32(uint8_t p[4], uint32_t v);
void put_u64(uint8_t p[8], uint64_t v);

#endif
