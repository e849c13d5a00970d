/*
 * All keys, as tables: the one place that says which there are, what they hold and what a reload
 * may do with them.
 */
#ifndef ADIT_CONFIG_KEYS_H
#define ADIT_CONFIG_KEYS_H

#include "config/value.h"

/* Of a forward's keys: which listeners they go with. */
enum listener_bit {
	ON_TCP_NEAR = 1 << 0,
	ON_TCP_FAR = 1 << 1,
	ON_UNIX_NEAR = 1 << 2,
	ON_UNIX_FAR = 1 << 3,
	ON_SYSTEMD = 1 << 4,
	ON_ANY = (1 << 5) - 1
};

enum key_flag {
	KEY_LIVE = 1 << 0,      /* a change takes effect on what runs */
	KEY_NO_TARGET = 1 << 1, /* for the SOCKS kinds alone */
	KEY_TARGET = 1 << 2,    /* for all but the SOCKS kinds */
	KEY_LATE = 1 << 3,      /* read after the others of its group */
	KEY_IDENTITY = 1 << 4,  /* names one thing: not for defaults */
	KEY_EXISTS = 1 << 5,    /* a file that is not there is worth a warning */
	KEY_STRUCTURE = 1 << 6  /* a group or a list that read.c walks itself; has no type */
};

struct key {
	const char *name;
	const struct value_type *type;
	size_t offset;
	double min, max;
	const char *const *choices; /* ends with NULL; the index is the value */
	unsigned flags;
	unsigned listeners;    /* of forwards: enum listener_bit; 0 is ON_ANY */
	const char *otherwise; /* why not, when the listener is another */
};

struct key_table {
	const struct key *keys;
	size_t count;
};

extern const struct key_table keys_top, keys_host, keys_tunnel, keys_forward;

const struct key *key_find(const struct key_table *table, const char *name);

/* On what a forward listens, as a bit. */
enum listener_bit forward_listener(const struct config_forward *forward);
bool forward_is_socks(const struct config_forward *forward);
/* Who may use the file of a Unix socket. */
bool forward_same_access(const struct config_forward *a, const struct config_forward *b);
bool forward_is_near(const struct config_forward *forward); /* listens on this machine */
/* Why the key makes no sense for this forward, or NULL. */
const char *key_misfit(const struct key *key, const struct config_forward *forward);

/* What holds when nothing is said, in an object that holds nothing yet. */
void defaults_of_config(struct config *config);
void defaults_of_host(struct config_host *host);
void defaults_of_tunnel(struct config_tunnel *tunnel);
void defaults_of_forward(struct config_forward *forward);
/* Fills what depends on other keys: the address, the user, the files in the home directory. */
void defaults_complete_host(struct config_host *host);

void keys_clear(const struct key_table *table, void *object);
void keys_copy(const struct key_table *table, void *to, const void *from);

void config_strings_add(struct config_strings *strings, const char *text);
/* The same of a word that stands in that line of the list's file; 0: it does not. */
void config_strings_add_at(struct config_strings *strings, const char *text, int line);
void config_strings_clear(struct config_strings *strings);
bool config_strings_has(const struct config_strings *strings, const char *text);

#endif
