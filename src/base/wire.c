#include "base/wire.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/secret.h"

struct span span_of(const char *text)
{
	return SPAN(text, strlen(text));
}

bool span_equal(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool span_is(struct span s, const char *text)
{
	return span_equal(s, span_of(text));
}

bool span_begins_with(struct span s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.n >= n && span_is(SPAN(s.p, n), prefix);
}

char *span_strdup(struct span s)
{
	return s.n ? mem_strndup((const char *)s.p, s.n) : mem_strdup("");
}

size_t span_find(struct span s, const struct span *list, size_t count)
{
	size_t i = 0;

	while (i < count && !span_equal(s, list[i]))
		i++;
	return i;
}

bool span_is_among(struct span s, const struct span *list, size_t count)
{
	return span_find(s, list, count) < count;
}

bool span_is_text(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return true;
}

uint32_t get_u32(const uint8_t p[4])
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

uint64_t get_u64(const uint8_t p[8])
{
	return (uint64_t)get_u32(p) << 32 | get_u32(p + 4);
}

void put_u32(uint8_t p[4], uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

void put_u64(uint8_t p[8], uint64_t v)
{
	put_u32(p, (uint32_t)(v >> 32));
	put_u32(p + 4, (uint32_t)v);
}

/* ---- reader ---- */

void rd_init(struct rd *r, struct span input)
{
	r->p = input.p;
	r->end = input.n ? input.p + input.n : input.p;
	r->bad = false;
}

size_t rd_left(const struct rd *r)
{
	return r->bad ? 0 : (size_t)(r->end - r->p);
}

/* The next n bytes, or NULL and the sticky error. n == 0 gives NULL too, without the error. */
static const uint8_t *take(struct rd *r, size_t n)
{
	const uint8_t *p = r->p;

	if (r->bad || n > (size_t)(r->end - r->p)) {
		r->bad = true;
		return NULL;
	}
	if (n == 0)
		return NULL;
	r->p += n;
	return p;
}

uint8_t rd_u8(struct rd *r)
{
	const uint8_t *p = take(r, 1);

	return p ? *p : 0;
}

bool rd_bool(struct rd *r)
{
	return rd_u8(r) != 0; /* RFC 4251 §5: all values but 0 are true */
}

uint32_t rd_u32(struct rd *r)
{
	const uint8_t *p = take(r, 4);

	return p ? get_u32(p) : 0;
}

uint64_t rd_u64(struct rd *r)
{
	const uint8_t *p = take(r, 8);

	return p ? get_u64(p) : 0;
}

struct span rd_bytes(struct rd *r, size_t n)
{
	const uint8_t *p = take(r, n);

	return p ? SPAN(p, n) : SPAN("", 0);
}

struct span rd_string(struct rd *r)
{
	return rd_bytes(r, rd_u32(r));
}

struct span rd_mpint(struct rd *r)
{
	struct span s = rd_string(r);

	if (s.n == 0)
		return s;
	if (s.p[0] & 0x80) {
		rd_fail(r);
		return SPAN("", 0);
	}
	if (s.p[0] != 0)
		return s;
	if (s.n == 1 || !(s.p[1] & 0x80)) {
		rd_fail(r);
		return SPAN("", 0);
	}
	return SPAN(s.p + 1, s.n - 1);
}

struct span rd_rest(struct rd *r)
{
	return rd_bytes(r, rd_left(r));
}

void rd_fail(struct rd *r)
{
	r->bad = true;
}

bool rd_ok(const struct rd *r)
{
	return !r->bad;
}

int rd_end(const struct rd *r)
{
	return !r->bad && r->p == r->end ? 0 : ERR_PEER;
}

int rd_end_or_more(const struct rd *r)
{
	return r->bad ? ERR_PEER : 0;
}

bool name_list_next(struct span *list, struct span *ret_name)
{
	if (list->n == 0)
		return false;
	const uint8_t *comma = memchr(list->p, ',', list->n);
	size_t n = comma ? (size_t)(comma - list->p) : list->n;
	*ret_name = SPAN(list->p, n);
	size_t skip = comma ? n + 1 : n;
	*list = SPAN(list->p + skip, list->n - skip);
	return true;
}

bool name_list_has(struct span list, const char *name)
{
	struct span one;

	while (name_list_next(&list, &one))
		if (span_is(one, name))
			return true;
	return false;
}

/* ---- writer ---- */

void wr_clear(struct wr *w)
{
	if (w->secret && w->p)
		secret_wipe(w->p, w->capacity);
	free(w->p);
	w->p = NULL;
	w->n = w->capacity = 0;
}

void wr_reset(struct wr *w)
{
	if (w->secret && w->p)
		secret_wipe(w->p, w->n);
	w->n = 0;
}

struct span wr_span(const struct wr *w)
{
	return w->n ? SPAN(w->p, w->n) : SPAN("", 0);
}

static uint8_t *make_room(struct wr *w, size_t n)
{
	if (n > w->capacity - w->n) {
		size_t capacity = w->capacity ? w->capacity * 2 : 64;

		while (capacity < w->n + n)
			capacity *= 2;
		uint8_t *p = mem_alloc(capacity);
		if (w->n)
			memcpy(p, w->p, w->n);
		if (w->secret && w->p)
			secret_wipe(w->p, w->capacity);
		free(w->p);
		w->p = p;
		w->capacity = capacity;
	}
	w->n += n;
	return w->p + w->n - n;
}

void wr_bytes(struct wr *w, const void *p, size_t n)
{
	if (n)
		memcpy(make_room(w, n), p, n);
}

void wr_span_bytes(struct wr *w, struct span s)
{
	wr_bytes(w, s.p, s.n);
}

void wr_u8(struct wr *w, uint8_t v)
{
	*make_room(w, 1) = v;
}

void wr_bool(struct wr *w, bool v)
{
	wr_u8(w, v ? 1 : 0);
}

void wr_u32(struct wr *w, uint32_t v)
{
	put_u32(make_room(w, 4), v);
}

void wr_u64(struct wr *w, uint64_t v)
{
	put_u64(make_room(w, 8), v);
}

void wr_string(struct wr *w, struct span s)
{
	wr_u32(w, (uint32_t)s.n);
	wr_bytes(w, s.p, s.n);
}

void wr_cstring(struct wr *w, const char *s)
{
	wr_string(w, span_of(s));
}

void wr_mpint(struct wr *w, struct span magnitude)
{
	while (magnitude.n && magnitude.p[0] == 0)
		magnitude = SPAN(magnitude.p + 1, magnitude.n - 1);
	bool sign_byte = magnitude.n && magnitude.p[0] & 0x80;
	wr_u32(w, (uint32_t)(magnitude.n + sign_byte));
	if (sign_byte)
		wr_u8(w, 0);
	wr_bytes(w, magnitude.p, magnitude.n);
}

size_t wr_mark(struct wr *w)
{
	wr_u32(w, 0);
	return w->n;
}

void wr_end(struct wr *w, size_t mark)
{
	put_u32(w->p + mark - 4, (uint32_t)(w->n - mark));
}
