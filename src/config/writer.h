/*
 * A snapshot as the text of a file that reads back to the same snapshot: `adit import`.
 */
#ifndef ADIT_CONFIG_WRITER_H
#define ADIT_CONFIG_WRITER_H

#include "base/str.h"
#include "config/config.h"

/* Adds hosts, tunnels and whatever is not the default. */
void config_write_text(const struct config *config, struct strbuf *out);

#endif
