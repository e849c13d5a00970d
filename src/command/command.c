#include "command/command.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const struct command *const commands[] = {
    &command_run,
    &command_check,
    &command_open,
    &command_status,
    &command_wait,
    &command_reload,
    &command_start,
    &command_stop,
    &command_restart,
    &command_streams,
    &command_events,
    &command_exec,
    &command_import,
    &command_host_key,
};

const struct command *command_at(size_t index)
{
	return index < ARRAY_LEN(commands) ? commands[index] : NULL;
}

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

int command_usage_error(const struct command *command, const char *format, ...)
{
	va_list args;

	if (format) {
		va_start(args, format);
		fprintf(stderr, "adit %s: ", command->name);
		vfprintf(stderr, format, args);
		fputc('\n', stderr);
		va_end(args);
	}
	fprintf(stderr, "usage: adit %s %s\n", command->name, command->arguments);
	return EXIT_USAGE;
}

void command_print_help(const struct command *command)
{
	printf("usage: adit %s %s\n\n%s.\n", command->name, command->arguments, command->summary);
	if (*command->help)
		printf("\n%s", command->help);
}

int command_take_file(const struct command *command, int argc, char **argv, const char *letters,
    const char **ret_file)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
	    {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	int option;

	while ((option = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		if (option == 'h') {
			command_print_help(command);
			return EXIT_DONE;
		}
		if (option != 'c')
			return command_usage_error(command, NULL);
		*ret_file = optarg;
	}
	return COMMAND_GOES_ON;
}

static const char *error_prefix = "";

void command_log_errors(void)
{
	if (getenv("JOURNAL_STREAM"))
		error_prefix = "<3>";
}

const char *command_error_prefix(void)
{
	return error_prefix;
}

int command_fail(const struct err *e)
{
	fprintf(stderr, "%sadit: %s\n", error_prefix, e->text);
	switch (e->class) {
	case ERR_CONFIG:
		return EXIT_CONFIG;
	case ERR_NETWORK:
	case ERR_PEER:
		return EXIT_UNAVAILABLE;
	case ERR_TIMEOUT:
		return EXIT_TIMED_OUT;
	case ERR_LOGIN:
	case ERR_HOST_KEY:
		return EXIT_NOT_PERMITTED;
	case ERR_LOCAL:
		return e->errno_value == EACCES || e->errno_value == EPERM ? EXIT_NOT_PERMITTED
									   : EXIT_OTHER;
	case ERR_OK:
	case ERR_CANCELLED:
		return EXIT_OTHER;
	}
	return EXIT_OTHER;
}
