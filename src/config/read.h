/*
 * From files to a snapshot: libconfig's syntax, adit.conf(5)'s meaning, all errors at once.
 */
#ifndef ADIT_CONFIG_READ_H
#define ADIT_CONFIG_READ_H

#include "config/config.h"

/* All that is wrong, in the order of the files, and what is only doubtful. {0} is an empty one. */
struct config_errors {
	struct config_error {
		char *file; /* or NULL: about no file in particular */
		int line;   /* 0: about the file as a whole */
		char *text;
	} *v;
	size_t n;
};

void config_errors_add(struct config_errors *errors, const char *file, int line, const char *format, ...)
    PRINTF_LIKE(4, 5);
void config_errors_clear(struct config_errors *errors);
/* "FILE:LINE: message", without a newline; gives */
char *config_error_text(const struct config_error *error);

/* Gives a snapshot (one reference), or NULL with at least one error. Blocks: files are read. */
struct config *config_read(const char *path, struct config_errors *errors);
/* The same for a text, as if it stood in a file of that name: tests, fuzzing, `adit import`. Includes are relative to it. */
struct config *config_read_text(const char *text, const char *name, struct config_errors *errors);

/* The file that a command reads: option (from -c, or NULL), $ADIT_CONFIG, $XDG_CONFIG_HOME/adit/adit.conf,
 * ~/.config/adit/adit.conf, /etc/adit/adit.conf (the last one alone for root). Gives a path, existing or not. */
char *config_default_path(const char *option);

#endif
