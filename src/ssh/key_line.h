/*
 * Public keys and certificates as text, the way they stand in "id_ed25519.pub", in known_hosts behind the names, and as pins:
 * "ssh-ed25519 AAAA... comment".
 */
#ifndef ADIT_SSH_KEY_LINE_H
#define ADIT_SSH_KEY_LINE_H

#include <stdbool.h>

#include "base/wire.h"

struct key_line {
	struct span type; /* views into the text */
	struct span comment;
	struct wr blob; /* owned: key_line_clear() */
};

/* False when there is no type, no base64, or a blob of another type than the text says. The type may be one that we do not
 * know. Spaces, tabs and a final CR are skipped. ret_line needs no clearing then. */
bool key_line_parse(struct span text, struct key_line *ret_line);
void key_line_clear(struct key_line *line);
/* The same for a file that holds one key: its first line that says something. */
bool key_line_parse_file(struct span text, struct key_line *ret_line);

#endif
