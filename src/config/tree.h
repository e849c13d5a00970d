/*
 * The text of one file as a tree of settings: libconfig's syntax behind a type of our own, so that
 * its header is included in one place.
 */
#ifndef ADIT_CONFIG_TREE_H
#define ADIT_CONFIG_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/errors.h"

enum setting_type {
	SETTING_GROUP, /* { name = value; } */
	SETTING_ARRAY, /* [ "a", "b" ]: scalars of one type */
	SETTING_LIST,  /* ( "a", { } ): anything */
	SETTING_INT,
	SETTING_FLOAT,
	SETTING_STRING,
	SETTING_BOOL,
	SETTING_BROKEN /* an error has been told, nothing but the name is known */
};

struct setting {
	enum setting_type type;
	char *name; /* NULL for elements and for the whole; of a broken one perhaps "" */
	int line;
	int64_t integer;          /* INT, BOOL */
	double real;              /* FLOAT */
	char *string;             /* STRING */
	struct setting *children; /* of GROUP, ARRAY, LIST */
	size_t child_count;
};

/* Gives the group that the whole text is, or NULL with at least one error. What is broken in it has an error each. file names
 * the text in the errors. */
struct setting *tree_parse(
    const char *text, size_t n, const char *file, struct config_errors *errors);
void tree_free(struct setting *root); /* NULL is legal */

const struct setting *tree_find(const struct setting *group, const char *name);
/* "a group", "a string" and so on */
const char *setting_type_name(enum setting_type type);

#endif
