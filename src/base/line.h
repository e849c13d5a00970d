/*
 * Files of lines and words, as views into their text.
 */
#ifndef ADIT_BASE_LINE_H
#define ADIT_BASE_LINE_H

#include <stdbool.h>

#include "base/wire.h"

/* Takes the next line off text, without its newline or CR LF; false at the end. */
bool line_next(struct span *text, struct span *ret_line);
/* Takes the next word off a line: blanks before it are skipped. Empty at the end of the line. */
struct span line_next_word(struct span *line);
bool line_is_nothing(struct span line); /* blanks alone, or a comment ("#") */

#endif
