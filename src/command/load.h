/*
 * Reading the configuration for a command: the file that it means, and the errors printed as a person reads them.
 */
#ifndef ADIT_COMMAND_LOAD_H
#define ADIT_COMMAND_LOAD_H

#include "config/check.h"
#include "config/config.h"
#include "config/read.h"

/* option: from -c, or NULL. Gives a snapshot; NULL when there are errors, which have been printed to stderr, each as
 * "FILE:LINE: message". ret_path (may be NULL): the file that was meant; gives. */
struct config *load_config(const char *option, char **ret_path);
/* The same, but no file at the default place is no error: 0 and NULL then. Negative when there were errors. */
int load_config_if_any(const char *option, struct config **ret_config) MUST_CHECK;
/* The algorithms' names, and keys: config asks, ssh knows. */
extern const struct config_algorithms load_algorithms;

/* A line each, to stderr, with what stands before and after all of them. */
void load_print_each(const struct config_errors *errors, const char *before, const char *after);
/* "FILE:LINE: message", a line each, to stderr. */
void load_print_errors(const struct config_errors *errors);
/* The same of what is no error, " (a warning)" behind it; for commands: the daemon has it in its log. */
void load_print_warnings(const struct config *config);

#endif
