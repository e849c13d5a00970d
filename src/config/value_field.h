/*
 * What the files of value types share; for them alone.
 */
#ifndef ADIT_CONFIG_VALUE_FIELD_H
#define ADIT_CONFIG_VALUE_FIELD_H

#include "config/keys.h"
#include "config/value.h"

#define FIELD(ctype, key, object) ((ctype *)(void *)((char *)(uintptr_t)(object) + (key)->offset))

/* The text of a string setting that is neither empty nor has control characters; else NULL and an
 * error. */
const char *value_need_string(
    const struct reading *r, const struct setting *s, const struct key *key);
/* Gives, or NULL and an error. */
char *value_expand_path(
    const struct reading *r, const struct setting *s, const struct key *key, const char *text);
/* Whether this machine has it; numbers always. */
bool value_is_user(const char *name);
bool value_is_group(const char *name);

#endif
