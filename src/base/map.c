#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Chained buckets, doubled when there are more entries than buckets. */
struct entry {
	struct entry *next;
	void *value;
	uint32_t hash;
	uint32_t key_len;
	char key[];
};

struct map {
	struct entry **buckets;
	size_t bucket_count; /* a power of two */
	size_t count;
};

enum { FIRST_BUCKETS = 16 };

struct map *map_new(void)
{
	struct map *m = NEW(struct map);

	m->bucket_count = FIRST_BUCKETS;
	m->buckets = mem_array(m->bucket_count, sizeof(*m->buckets));
	return m;
}

void map_free(struct map *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->bucket_count; i++) {
		for (struct entry *e = m->buckets[i], *next; e; e = next) {
			next = e->next;
			free(e);
		}
	}
	free(m->buckets);
	free(m);
}

size_t map_count(const struct map *m)
{
	return m->count;
}

/* FNV-1a */
static uint32_t hash_of(const void *key, size_t n)
{
	const uint8_t *p = key;
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 16777619u;
	return h ^ (h >> 15);
}

/* The place where the entry for key hangs, or would hang. */
static struct entry **find(const struct map *m, const void *key, size_t n, uint32_t hash)
{
	struct entry **at = &m->buckets[hash & (m->bucket_count - 1)];

	while (
	    *at && !((*at)->hash == hash && (*at)->key_len == n && memcmp((*at)->key, key, n) == 0))
		at = &(*at)->next;
	return at;
}

static void grow(struct map *m)
{
	struct entry **old = m->buckets;
	size_t old_count = m->bucket_count;

	m->bucket_count *= 2;
	m->buckets = mem_array(m->bucket_count, sizeof(*m->buckets));
	for (size_t i = 0; i < old_count; i++) {
		for (struct entry *e = old[i], *next; e; e = next) {
			struct entry **at = &m->buckets[e->hash & (m->bucket_count - 1)];

			next = e->next;
			e->next = *at;
			*at = e;
		}
	}
	free(old);
}

static void *put(struct map *m, const void *key, size_t n, void *value)
{
	uint32_t hash = hash_of(key, n);
	struct entry **at = find(m, key, n, hash);

	if (*at) {
		void *old = (*at)->value;

		(*at)->value = value;
		return old;
	}
	struct entry *e = mem_alloc(sizeof(*e) + n);
	e->value = value;
	e->hash = hash;
	e->key_len = (uint32_t)n;
	memcpy(e->key, key, n);
	*at = e;
	if (++m->count > m->bucket_count)
		grow(m);
	return NULL;
}

static void *take(struct map *m, const void *key, size_t n)
{
	struct entry **at = find(m, key, n, hash_of(key, n));
	struct entry *e = *at;

	if (!e)
		return NULL;
	void *value = e->value;
	*at = e->next;
	free(e);
	m->count--;
	return value;
}

static void *get(const struct map *m, const void *key, size_t n)
{
	struct entry *e = *find(m, key, n, hash_of(key, n));

	return e ? e->value : NULL;
}

void *map_put(struct map *m, const char *key, void *value)
{
	return put(m, key, strlen(key), value);
}

void *map_remove(struct map *m, const char *key)
{
	return take(m, key, strlen(key));
}

void *map_get(const struct map *m, const char *key)
{
	return get(m, key, strlen(key));
}

void *map_get_span(const struct map *m, struct span key)
{
	return get(m, key.p, key.n);
}

void *map_put_u32(struct map *m, uint32_t key, void *value)
{
	return put(m, &key, sizeof(key), value);
}

void *map_remove_u32(struct map *m, uint32_t key)
{
	return take(m, &key, sizeof(key));
}

void *map_get_u32(const struct map *m, uint32_t key)
{
	return get(m, &key, sizeof(key));
}

/* The cursor is the bucket in its upper half and the depth in that bucket's chain in the lower. */
enum { CURSOR_HALF = sizeof(size_t) * 4 };

void *map_next(const struct map *m, size_t *cursor)
{
	size_t bucket = *cursor >> CURSOR_HALF, depth = *cursor & (((size_t)1 << CURSOR_HALF) - 1);

	for (; bucket < m->bucket_count; bucket++, depth = 0) {
		struct entry *e = m->buckets[bucket];

		for (size_t i = 0; e && i < depth; i++)
			e = e->next;
		if (e) {
			*cursor = bucket << CURSOR_HALF | (depth + 1);
			return e->value;
		}
	}
	*cursor = bucket << CURSOR_HALF;
	return NULL;
}
