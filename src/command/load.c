#include "command/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "command/command.h"
#include "ssh/algorithms.h"
#include "ssh/hostkey.h"

/* ---- names of algorithms, and keys: config asks, ssh knows ---- */

static enum algorithm_kind kind_of_key(const char *key)
{
	if (strcmp(key, "kex") == 0)
		return ALGORITHM_KEX;
	if (strcmp(key, "ciphers") == 0)
		return ALGORITHM_CIPHER;
	if (strcmp(key, "macs") == 0)
		return ALGORITHM_MAC;
	return ALGORITHM_HOST_KEY;
}

static bool algorithm_known(const char *key, const char *name)
{
	return name_list_has(span_of(algorithms_known(kind_of_key(key))), name);
}

static const char *algorithm_defaults(const char *key)
{
	return algorithms_default(kind_of_key(key));
}

enum { NAMES_MAX = 64 };

static const char *algorithm_nearest(const char *key, const char *name)
{
	static char found[64];
	char *names[NAMES_MAX];
	struct span list = span_of(algorithms_known(kind_of_key(key))), one;
	size_t count = 0;

	while (count < NAMES_MAX && name_list_next(&list, &one))
		names[count++] = span_strdup(one);
	const char *nearest = str_nearest(name, (const char *const *)names, count);
	if (nearest)
		snprintf(found, sizeof(found), "%s", nearest);
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	return nearest ? found : NULL;
}

/* A policy of nothing but this pin: what a host makes of it when it is reached. */
static int check_pin(const char *pin, struct err *e)
{
	const struct hostkey_options options = {.name = "", .pins = &pin, .pin_count = 1};
	struct hostkey_policy *policy = hostkey_policy_new(&options, e);

	hostkey_policy_free(policy);
	return policy ? 0 : ERR_CONFIG;
}

const struct config_algorithms load_algorithms = {.known = algorithm_known,
    .nearest = algorithm_nearest,
    .check_pin = check_pin,
    .defaults = algorithm_defaults};

/* ---- files ---- */

void load_print_each(const struct config_errors *errors, const char *before, const char *after)
{
	for (size_t i = 0; i < errors->n; i++) {
		char *text = config_error_text(&errors->v[i]);

		fprintf(stderr, "%s%s%s\n", before, text, after);
		free(text);
	}
}

void load_print_errors(const struct config_errors *errors)
{
	load_print_each(errors, command_error_prefix(), "");
}

void load_print_warnings(const struct config *config)
{
	load_print_each(&config->warnings, "", " (a warning)");
}

struct config *load_config(const char *option, char **ret_path)
{
	struct config_errors errors = {0};
	char *path = config_default_path(option);
	struct config *config = config_read(path, &load_algorithms, &errors);

	load_print_errors(&errors);
	if (!config && !option && access(path, F_OK) != 0)
		fprintf(stderr, "%sWrite one, as adit.conf(5) shows, or name another with -c.\n",
		    command_error_prefix());
	config_errors_clear(&errors);
	if (ret_path)
		*ret_path = path;
	else
		free(path);
	return config;
}

int load_config_if_any(const char *option, struct config **ret_config)
{
	char *path = config_default_path(option);
	bool is_there = config_named_path(option) || access(path, F_OK) == 0;

	*ret_config = is_there ? load_config(option, NULL) : NULL;
	free(path);
	return is_there && !*ret_config ? ERR_CONFIG : 0;
}
