/*
 * Who and what the lists of a forward mean: the blocks of `allow` and the targets of `allow_to`, as text.
 */
#ifndef ADIT_CONFIG_PATTERN_H
#define ADIT_CONFIG_PATTERN_H

#include <stdint.h>

#include "base/err.h"

/* "10.0.0.0/8", "2001:db8::/32", "192.0.2.1"; a bit behind the prefix is an error, as it may be meant for one address. */
int pattern_check_block(const char *text, struct err *e) MUST_CHECK;

/* "HOST:PORT" of allow_to: PORT a number, a range "8000-8099" or "*". */
struct pattern_target {
	char *
	    host; /* a name with * and ?, an address, or a block that pattern_check_block() takes */
	uint16_t first_port, last_port;
};
/* 0 and ret filled, to be cleared, or ERR_CONFIG and ret as it was. */
int pattern_parse_target(const char *text, struct pattern_target *ret, struct err *e) MUST_CHECK;
void pattern_target_clear(struct pattern_target *target);

#endif
