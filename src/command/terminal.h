/*
 * How wide what people read may be.
 */
#ifndef ADIT_COMMAND_TERMINAL_H
#define ADIT_COMMAND_TERMINAL_H

/* Columns, 40 or more: those of the terminal that fd is, else $COLUMNS; 0 when neither says it: a pipe or a file takes whole lines. */
unsigned terminal_width(int fd);

#endif
