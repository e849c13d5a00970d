/*
 * Memory. Small allocations never return NULL: when memory is out the process ends with a line that says so. Sizes that
 * come from outside are limited by the caller before they get here.
 */
#ifndef ADIT_BASE_MEM_H
#define ADIT_BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t size);               /* zeroed; gives */
void *mem_alloc_uncleared(size_t size);     /* for what is written before it is read; gives */
void *mem_array(size_t count, size_t size); /* zeroed, overflow-checked; gives */
void *mem_grow(void *p, size_t count, size_t size); /* like reallocarray; new space is not zeroed */
char *mem_strdup(const char *s);                    /* NULL gives NULL */
char *mem_strndup(const char *s, size_t n);
void *mem_dup(const void *p, size_t n);

#define NEW(type) ((type *)mem_alloc(sizeof(type)))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Tells glibc to keep and reuse what it has, in place of returning each chain to the kernel and faulting it in again; once, at
 * the start of the daemon. */
void mem_tune_allocator(void);

#endif
