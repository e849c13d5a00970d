/*
 * What a key of the configuration can hold: one type of value is one set of functions, so that
 * reading, copying, comparing and writing every key is a walk over a table (keys.h).
 */
#ifndef ADIT_CONFIG_VALUE_H
#define ADIT_CONFIG_VALUE_H

#include "base/str.h"
#include "config/config.h"
#include "config/tree.h"

struct key;

/* Where a setting stands and whom to tell what is wrong with it. */
struct reading {
	const char *file; /* of the snapshot */
	const char *dir;  /* what its relative paths are relative to */
	struct config_errors *errors;
	struct config_errors *warnings;
};

void reading_error(const struct reading *r, const struct setting *at, const char *format, ...)
    PRINTF_LIKE(3, 4);
void reading_warning(const struct reading *r, const struct setting *at, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* object is the host, tunnel, forward or snapshot that the key is of. */
struct value_type {
	/* Checks the setting and stores it in place of what was there, or adds an error. */
	void (*read)(
	    const struct reading *r, const struct setting *s, const struct key *key, void *object);
	void (*clear)(const struct key *key, void *object);
	/* to holds nothing that must be freed */
	void (*copy)(const struct key *key, void *to, const void *from);
	bool (*equal)(const struct key *key, const void *a, const void *b);
	/* Adds the value as libconfig has it, or nothing when there is none to write. */
	void (*write)(const struct key *key, struct strbuf *out, const void *object);
};

extern const struct value_type value_string; /* char *, any text */
extern const struct value_type value_host;   /* char *, a name or an address */
extern const struct value_type value_ip;     /* char *, an address */
extern const struct value_type
    value_name; /* char *, the name of a host of the configuration; "" is none */
extern const struct value_type value_user;    /* char *, a user of this machine, or a number */
extern const struct value_type value_group;   /* char * */
extern const struct value_type value_bool;    /* bool */
extern const struct value_type value_count;   /* unsigned, from min to max */
extern const struct value_type value_port;    /* uint16_t */
extern const struct value_type value_bytes;   /* uint64_t, from min to max */
extern const struct value_type value_seconds; /* uint64_t milliseconds, min to max seconds */
extern const struct value_type value_mode;    /* mode_t, "0660" */
extern const struct value_type value_choice;  /* an enum, one of choices */

/* struct config_strings: one string, or an array or a list of them, none of them empty or twice */
extern const struct value_type value_names;
extern const struct value_type value_paths;
/* Of an identity: its file, or at least that of its public half (the other is in an agent). */
bool value_has_key_file(const char *path);
extern const struct value_type value_identity; /* paths, and identity_is_default of a host */
extern const struct value_type value_includes; /* patterns of glob(7) */
extern const struct value_type value_algorithms;
extern const struct value_type value_pins; /* host_key */
extern const struct value_type value_cidrs;
extern const struct value_type value_patterns; /* allow_to */
extern const struct value_type value_users;
extern const struct value_type value_groups;

extern const struct value_type value_secret;         /* struct config_secret */
extern const struct value_type value_agent;          /* agent and agent_path of a host */
extern const struct value_type value_control_socket; /* char *, a path or "" */
extern const struct value_type value_http_listen;    /* struct config_endpoint */
extern const struct value_type value_listen; /* kind (it is min), listen and place of a forward */
extern const struct value_type value_to;     /* struct config_endpoint; read after the listener */

/* RFC 4251 §6: printable US-ASCII, no comma, at most 64 characters. */
bool value_is_algorithm_name(const char *name);

/* For values of one's own: text in quotes, as libconfig reads it. */
void value_write_string(struct strbuf *out, const char *text);

#endif
