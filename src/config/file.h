/*
 * The text of a file of the configuration.
 */
#ifndef ADIT_CONFIG_FILE_H
#define ADIT_CONFIG_FILE_H

#include <stddef.h>

#include "base/err.h"

/* What a command was just given may be a pipe, which is read to its end. What is read again beside living tunnels, or was
 * found by a pattern, must not be waited for. */
enum config_file_kind { CONFIG_FILE_ANY, CONFIG_FILE_NO_PIPE };

/* Gives the bytes, at most 16 MB, or NULL and e (ERR_CONFIG). */
char *config_file_read(
    const char *path, enum config_file_kind kind, size_t *ret_size, struct err *e);

#endif
