/* Test vectors stand as hexadecimal text. */
#ifndef ADIT_TESTS_UNIT_SSH_HEX_H
#define ADIT_TESTS_UNIT_SSH_HEX_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/wire.h"

/* Bytes of a vector; as long as the buffer that is given. White space is skipped. */
static inline struct span from_hex(const char *text, uint8_t *buffer, size_t size)
{
	size_t n = 0;
	unsigned byte;

	for (; *text; text += 2) {
		while (*text == ' ' || *text == '\n')
			text++;
		if (!*text)
			break;
		assert_true(n < size && sscanf(text, "%2x", &byte) == 1);
		buffer[n++] = (uint8_t)byte;
	}
	return SPAN(buffer, n);
}
#define HEX(text) from_hex(text, (uint8_t[4096]){0}, 4096)

static inline void assert_bytes(struct span got, struct span expected)
{
	assert_int_equal(got.n, expected.n);
	assert_memory_equal(got.p, expected.p, expected.n);
}

#endif
