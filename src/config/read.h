/*
 * From files to a snapshot: libconfig's syntax, adit.conf(5)'s meaning, all errors at once.
 */
#ifndef ADIT_CONFIG_READ_H
#define ADIT_CONFIG_READ_H

#include "config/check.h"
#include "config/config.h"
#include "config/errors.h"

/* libconfig exports a function of this name, too; the linker must never take the one for the other.
 */
#define config_read adit_config_read

/* Gives a snapshot (one reference), or NULL with at least one error more. Blocks: files are read. Without algorithms (NULL)
 * their names are taken as they are. */
struct config *config_read(
    const char *path, const struct config_algorithms *algorithms, struct config_errors *errors);
/* The same beside living tunnels, which a pipe that nobody writes to would stop: it is an error. */
struct config *config_read_again(
    const char *path, const struct config_algorithms *algorithms, struct config_errors *errors);
/* The same without algorithms for a text, as if it stood in a file of that name: tests, fuzzing, `adit import`.
 * Includes are relative to it. */
struct config *config_read_text(const char *text, const char *name, struct config_errors *errors);

/* What the file says of `control_socket`, however much else is wrong with it: a daemon that runs must
 * be found to hear that its file is broken. 0: *ret_path is the path (gives), "" for none, or NULL when the file does not
 * have the key; ERR_CONFIG: that cannot be known. The errors are those of the whole file. */
int config_read_control_socket(
    const char *path, char **ret_path, struct config_errors *errors) MUST_CHECK;

/* The file that is named, which must exist then: by option (from -c, or NULL) or $ADIT_CONFIG, which is not set when it is
 * empty. Borrowed; NULL: none is. */
const char *config_named_path(const char *option);
/* The file that a command reads: option (from -c, or NULL), $ADIT_CONFIG,
 * $XDG_CONFIG_HOME/adit/adit.conf,
 * ~/.config/adit/adit.conf, /etc/adit/adit.conf (the last one alone for root). Gives a path,
 * existing or not. */
char *config_default_path(const char *option);

#endif
