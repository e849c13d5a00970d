/*
 * What is wrong with a configuration: a list of places and words, never the first error only.
 */
#ifndef ADIT_CONFIG_ERRORS_H
#define ADIT_CONFIG_ERRORS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* libconfig has a function of this name, too. */
#define config_error_text adit_config_error_text

struct config_error {
	char *file; /* or NULL: about no file in particular */
	int line;   /* 0: about the file as a whole */
	char *text;
};

/* {0} is an empty one. */
struct config_errors {
	struct config_error *v;
	size_t n;
};

void config_errors_add(struct config_errors *errors, const char *file, int line, const char *format,
    ...) PRINTF_LIKE(4, 5);
/* Whether the next one may say "did you mean": looking for the nearest of thousands of names takes its time, and nobody reads it
 * a hundred times. */
bool config_errors_want_hints(const struct config_errors *errors);
/* Brings what was added from index from on into the order of files[0..count) and of the lines in
 * each, and drops what is said twice of one line: a fault in a default shows at each host that has it. */
void config_errors_sort(
    struct config_errors *errors, size_t from, const char *const *files, size_t count);
void config_errors_clear(struct config_errors *errors);
/* "FILE:LINE: message", without a newline; gives */
char *config_error_text(const struct config_error *error);

#endif
