/*
 * Picks the command.
 */
#include <event2/event.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "command/command.h"
#include "ssh/evp.h"

static void print_usage(FILE *to)
{
	const struct command *command;

	fputs("usage: adit COMMAND [ARGUMENTS]\n       adit COMMAND --help\n       adit "
	      "--version\n\ncommands:\n",
	    to);
	for (size_t i = 0; (command = command_at(i)); i++)
		fprintf(to, "  %-9s %s\n", command->name, command->summary);
}

static void print_version(void)
{
	printf("adit %s\nlibevent %s\n%s\n", VERSION, event_get_version(), evp_library_version());
}

int main(int argc, char **argv)
{
	/* A peer that goes is an error of a write, not the end of the process. */
	signal(SIGPIPE, SIG_IGN);
	if (argc < 2) {
		print_usage(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		print_version();
		return EXIT_DONE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_usage(stdout);
		return EXIT_DONE;
	}
	const struct command *command = command_find(argv[1]);
	if (!command) {
		fprintf(stderr, "adit: there is no command \"%s\"\n", argv[1]);
		print_usage(stderr);
		return EXIT_USAGE;
	}
	return command->run(command, argc - 1, argv + 1);
}
