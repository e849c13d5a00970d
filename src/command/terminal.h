/*
 * How wide what people read may be, and whether it may have colours.
 */
#ifndef ADIT_COMMAND_TERMINAL_H
#define ADIT_COMMAND_TERMINAL_H

#include <stdbool.h>

/* Columns, 40 or more: those of the terminal that fd is, else $COLUMNS; 0 when neither says it: a pipe or a file takes whole lines. */
unsigned terminal_width(int fd);
/* Is it a terminal that $TERM says more of than "dumb"? */
bool terminal_takes_escapes(int fd);

#endif
