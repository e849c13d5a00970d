/*
 * Paths as a person writes them: "~/" and "${VAR}", relative to a file.
 */
#ifndef ADIT_CONFIG_EXPAND_H
#define ADIT_CONFIG_EXPAND_H

#include "base/err.h"

/* The home directory: $HOME, else what the system says; gives, NULL when there is none. */
char *expand_home(void);
/* Replaces "~/" at the beginning and "${VAR}" anywhere; "$${" stands for "${". Gives; NULL and e
 * (ERR_CONFIG) when a variable is not set, or there is no home directory. */
char *expand_text(const char *text, struct err *e);
/* The same, and then a path that is not absolute is one in dir. */
char *expand_path(const char *text, const char *dir, struct err *e);
/* The same for a pattern of glob(7): what dir, home and variables bring along stands for itself there, behind backslashes. */
char *expand_pattern(const char *text, const char *dir, struct err *e);
/* Gives what expand_text() turns into text again. */
char *expand_quote(const char *text);
/* The absolute folder of a file; gives. */
char *expand_folder_of(const char *file);

#endif
