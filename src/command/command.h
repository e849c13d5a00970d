/*
 * The commands: a file each, found by its name; main.c picks one from the table.
 */
#ifndef ADIT_COMMAND_COMMAND_H
#define ADIT_COMMAND_COMMAND_H

#include <stddef.h>

#include "base/err.h"

/* sysexits.h, by the names that adit(1) uses */
enum exit_code {
	EXIT_DONE = 0,
	EXIT_OTHER = 1,
	EXIT_USAGE = 64,
	EXIT_UNAVAILABLE = 69, /* the daemon or the host cannot be reached */
	EXIT_TIMED_OUT = 75,
	EXIT_NOT_PERMITTED = 77,
	EXIT_CONFIG = 78
};

struct command {
	const char *name;
	const char *arguments; /* as the usage shows them: "[-c FILE]" */
	const char *summary;   /* one line for the list of commands */
	const char *help;      /* the options, a line each, each line ended by a newline */
	/* argv[0] is the command's name. Gives the exit code. */
	int (*run)(const struct command *command, int argc, char **argv);
};

extern const struct command command_run, command_check, command_open, command_status, command_wait,
    command_reload, command_start, command_stop, command_restart, command_streams, command_events,
    command_exec, command_import, command_host_key;

const struct command *command_at(size_t index); /* NULL after the last */
const struct command *command_find(const char *name);

/* "usage: adit NAME ARGUMENTS" to stderr; gives EXIT_USAGE. text (may be NULL) says what is wrong first. */
int command_usage_error(const struct command *command, const char *format, ...) PRINTF_LIKE(2, 3);
void command_print_help(const struct command *command); /* to stdout */
/* -c FILE and -h, for commands that have no other options; letters is "c:h", or "+c:h" to stop at the first argument. Gives
 * COMMAND_GOES_ON, with optind at the arguments and *ret_file set if -c was there, or the exit code: help or usage was printed. */
#define COMMAND_GOES_ON (-1)
int command_take_file(const struct command *command, int argc, char **argv, const char *letters,
    const char **ret_file);
/* Of a daemon: errors on stderr have the journal's level in front where $JOURNAL_STREAM is set, as the log's lines do. */
void command_log_errors(void);
const char *command_error_prefix(void); /* "<3>", or "" */
/* Prints "adit: TEXT" to stderr and gives the exit code for the error's class. */
int command_fail(const struct err *e);

#endif
