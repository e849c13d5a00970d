/*
 * The text of a file of the configuration.
 */
#ifndef ADIT_CONFIG_FILE_H
#define ADIT_CONFIG_FILE_H

#include <stddef.h>

#include "base/err.h"

/* Gives the bytes, at most 16 MB, or NULL and e (ERR_CONFIG). Pipes and devices are read to their end. */
char *config_file_read(const char *path, size_t *ret_size, struct err *e);

#endif
