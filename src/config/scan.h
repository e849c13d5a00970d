/*
 * A look at the text before libconfig reads it: what libconfig takes without a word, or refuses
 * with too few.
 *
 * libconfig 1.5 cuts integers to 32 bits and strings at "\x00" silently, reads any file that
 * "@include" names, and says "syntax error" at the end of the file when a bracket or a quote far
 * above is not closed.
 */
#ifndef ADIT_CONFIG_SCAN_H
#define ADIT_CONFIG_SCAN_H

#include <stddef.h>

#include "base/str.h"
#include "config/errors.h"

/* Adds to out the text that libconfig is to read: the same lines, with the L that 64-bit integers
 * need. Adds what is wrong to errors. */
void scan_text(
    const char *text, size_t n, const char *file, struct strbuf *out, struct config_errors *errors);

#endif
