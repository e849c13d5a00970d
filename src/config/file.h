/*
 * The text of a file of the configuration.
 */
#ifndef ADIT_CONFIG_FILE_H
#define ADIT_CONFIG_FILE_H

#include <stddef.h>

#include "base/err.h"

/* The one that a person named may be a pipe; what a pattern found beside it must not be waited for. */
enum config_file_kind { CONFIG_FILE_MAIN, CONFIG_FILE_INCLUDED };

/* Gives the bytes, at most 16 MB, or NULL and e (ERR_CONFIG). Pipes and devices are read to their end. */
char *config_file_read(
    const char *path, enum config_file_kind kind, size_t *ret_size, struct err *e);

#endif
