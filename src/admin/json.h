/*
 * Writing JSON (RFC 8259): commas, nesting and escaping are right by construction; text that is not UTF-8 becomes U+FFFD.
 */
#ifndef ADIT_ADMIN_JSON_H
#define ADIT_ADMIN_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* {0} is an empty one; out is the caller's to take. */
struct json {
	struct strbuf out;
	bool needs_comma;
};

/* key is NULL inside an array and for the outermost value. */
void json_open_object(struct json *j, const char *key);
void json_close_object(struct json *j);
void json_open_array(struct json *j, const char *key);
void json_close_array(struct json *j);
void json_string(struct json *j, const char *key, const char *value); /* NULL is null */
void json_span(struct json *j, const char *key, struct span value);
void json_u64(struct json *j, const char *key, uint64_t value);
void json_decimal(struct json *j, const char *key, double value); /* three places */
void json_bool(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);
void json_time(struct json *j, const char *key, uint64_t wall_ms); /* "2026-11-22T19:30:01.123Z" */

#endif
