/*
 * Bytes nobody else may see: wiped before they are freed, compared in constant time, never logged.
 */
#ifndef ADIT_BASE_SECRET_H
#define ADIT_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Owns its bytes. {0} is an empty one. The bytes are followed by a NUL that n does not count. */
struct secret {
	uint8_t *p;
	size_t n;
};

void secret_set(struct secret *s, const void *p, size_t n); /* copies; wipes what was there */
void secret_clear(struct secret *s);                        /* wipes and frees */
void secret_wipe(void *p, size_t n);                        /* not optimised away */
bool secret_equal(const void *a, const void *b, size_t n);  /* constant time */

#endif
