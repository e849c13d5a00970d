/*
 * What can only be said about the whole: names that are not defined, loops, listeners that collide.
 */
#ifndef ADIT_CONFIG_CHECK_H
#define ADIT_CONFIG_CHECK_H

#include "base/map.h"
#include "config/config.h"

/* Adds to errors what is wrong, to the snapshot's warnings what is doubtful. */
void check_config(struct config *config, struct config_errors *errors);
/* The same of one that is not whole: more_hosts has the names of those that could not be read, NULL: there may be any. */
void check_config_in_part(
    struct config *config, const struct map *more_hosts, struct config_errors *errors);

/*
 * Which algorithms and keys exist is known to the SSH layer, which stands above this one: the caller brings
 * the answer. nearest may return NULL, and known is asked with the key's name: "kex", "ciphers",
 * "macs" or "host_key_algorithms". check_pin is asked whether one of `host_key` can be read, and what is wrong
 * with which. defaults gives what is used where the key is not set, with commas.
 * All but known may be NULL.
 */
struct config_algorithms {
	bool (*known)(const char *key, const char *name);
	const char *(*nearest)(const char *key, const char *name);
	int (*check_pin)(const char *pin, struct err *e);
	const char *(*defaults)(const char *key);
};
/* Adds what is wrong to errors: of one host, which has no name when it is the defaults; and of all. */
void config_check_host_algorithms(const struct config_host *host,
    const struct config_algorithms *algorithms, struct config_errors *errors);
void config_check_algorithms(const struct config *config,
    const struct config_algorithms *algorithms, struct config_errors *errors);

#endif
