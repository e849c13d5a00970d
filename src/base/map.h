/*
 * A hash table from byte strings to pointers. Keys are copied, values borrowed. Not for keys that a stranger chooses by
 * the thousand: names of a configuration, channel numbers.
 */
#ifndef ADIT_BASE_MAP_H
#define ADIT_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/wire.h"

struct map;

struct map *map_new(void);
void map_free(struct map *m); /* not the values */
size_t map_count(const struct map *m);

/* Each returns the value that was there before, or NULL. value must not be NULL. */
void *map_put(struct map *m, const char *key, void *value);
void *map_remove(struct map *m, const char *key);
void *map_get(const struct map *m, const char *key);
void *map_get_span(const struct map *m, struct span key); /* of bytes that may be no text */

void *map_put_u32(struct map *m, uint32_t key, void *value);
void *map_remove_u32(struct map *m, uint32_t key);
void *map_get_u32(const struct map *m, uint32_t key);

/* Walks all values in no order: *cursor starts at 0; NULL at the end. The map must not change meanwhile. */
void *map_next(const struct map *m, size_t *cursor);

#endif
