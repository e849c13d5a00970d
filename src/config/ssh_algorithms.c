/*
 * Lists of algorithms as ssh_config(5) has them: whole ones, and changes of a default.
 */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "config/keys.h"
#include "config/ssh_option.h"
#include "config/value.h"

struct algorithm_list {
	struct ssh_import *import;
	const char *keyword;  /* of ssh */
	const char *key;      /* of ours */
	const char *defaults; /* or NULL: they are not known */
	struct config_strings *names;
};

static const char *find_defaults(const struct ssh_import *import, const char *key)
{
	const struct config_algorithms *algorithms = import->algorithms;

	return algorithms && algorithms->defaults ? algorithms->defaults(key) : NULL;
}

static void add_name(struct algorithm_list *r, const char *name)
{
	if (!config_strings_has(r->names, name))
		config_strings_add(r->names, name);
}

/* A name may be a pattern in OpenSSH; we have none. */
static void add_named(struct algorithm_list *r, const char *names)
{
	const struct config_algorithms *algorithms = r->import->algorithms;
	struct span list = span_of(names), one;

	while (name_list_next(&list, &one)) {
		char *name = span_strdup(one);
		if (!value_is_algorithm_name(name) || strpbrk(name, "*?"))
			ssh_option_note(
			    r->import, r->keyword, name, "not the name of an algorithm");
		else if (algorithms && !algorithms->known(r->key, name))
			ssh_option_note(r->import, r->keyword, name, "adit does not have it");
		else
			add_name(r, name);
		free(name);
	}
}

static bool is_any_of(const char *name, const char *patterns)
{
	struct span list = span_of(patterns), one;
	bool is = false;

	while (!is && name_list_next(&list, &one)) {
		char *pattern = span_strdup(one);
		is = str_glob(pattern, name);
		free(pattern);
	}
	return is;
}

/* Of our own list all but what the patterns mean. */
static void add_defaults(struct algorithm_list *r, const char *patterns)
{
	struct span list = span_of(r->defaults), one;

	while (name_list_next(&list, &one)) {
		char *name = span_strdup(one);
		if (!is_any_of(name, patterns))
			add_name(r, name);
		free(name);
	}
}

static bool are_defaults(const struct algorithm_list *r)
{
	struct span list = span_of(r->defaults), one;
	size_t i = 0;

	while (name_list_next(&list, &one))
		if (i == r->names->n || !span_is(one, r->names->v[i++]))
			return false;
	return i == r->names->n;
}

/* "+a,b", "^a,b" and "-a,b": more at the end or in front, or fewer. */
static void change_defaults(struct algorithm_list *r, const char *change)
{
	if (*change == '^')
		add_named(r, change + 1);
	add_defaults(r, *change == '-' ? change + 1 : "");
	if (*change == '+')
		add_named(r, change + 1);
}

void ssh_option_algorithms(struct ssh_import *import, const char *keyword, const char *key,
    struct config_strings *names, const char *value)
{
	struct algorithm_list r = {.import = import,
	    .keyword = keyword,
	    .key = key,
	    .defaults = find_defaults(import, key),
	    .names = names};
	bool is_change = strchr("+-^", *value) != NULL;

	if (is_change && !r.defaults) {
		ssh_option_note(
		    import, keyword, value, "a change of a list that is not known here");
		return;
	}
	config_strings_clear(names);
	if (is_change)
		change_defaults(&r, value);
	else
		add_named(&r, value);
	if (names->n == 0) /* our own list would allow what this one does not */
		ssh_option_fail(import, keyword, value, "adit has none of them");
	else if (is_change && are_defaults(&r)) /* of which a later adit may have a better one */
		config_strings_clear(names);
}
