/*
 * Whole files: read within a bound, and replaced in one step. They block: for (re)loading and for what is small.
 */
#ifndef ADIT_BASE_FILE_H
#define ADIT_BASE_FILE_H

#include <sys/stat.h>

#include "base/err.h"
#include "base/wire.h"

/* Appends what is in the file. 0, or ERR_CONFIG: "PATH: No such file or directory", "PATH: is a directory", a FIFO, more than
 * max bytes; ERR_LOCAL when there was no descriptor or memory for it. ret_stat may be NULL. errno says why where the system
 * said no, and is 0 otherwise. */
int file_read(
    const char *path, size_t max, struct wr *out, struct stat *ret_stat, struct err *e) MUST_CHECK;

/* Puts text in the place of the file by a temporary one beside it and rename, so that a reader sees the old or the new one
 * and a full disk leaves the old one. A file that was there keeps its mode and owner, a new one gets mode; of a symbolic link
 * what it points to is replaced; a device, as /dev/null, is left alone. 0 or ERR_LOCAL. */
int file_replace(const char *path, struct span text, mode_t mode, struct err *e) MUST_CHECK;

#endif
