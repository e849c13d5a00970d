/*
 * How wide and how long what people read may be, and whether it may have colours.
 */
#ifndef ADIT_COMMAND_TERMINAL_H
#define ADIT_COMMAND_TERMINAL_H

#include <stdbool.h>

/* Columns, 40 or more: those of the terminal that fd is, else $COLUMNS; 0 when neither says it: a pipe or a file takes whole lines. */
unsigned terminal_width(int fd);
/* Lines; 0 when fd is no terminal, or it does not say. */
unsigned terminal_height(int fd);
/* Is it a terminal that $TERM says more of than "dumb"? */
bool terminal_takes_escapes(int fd);

#endif
