/*
 * adit open: forwards without a configuration file, by the arguments of ssh -N.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/command.h"
#include "command/daemon.h"
#include "command/load.h"
#include "config/ssh_command.h"

static int open_command(const struct command *command, int argc, char **argv)
{
	struct config_errors errors = {0}, notes = {0};

	if (argc < 2)
		return command_usage_error(command, NULL);
	if (strcmp(argv[1], "--help") == 0) {
		command_print_help(command);
		return EXIT_DONE;
	}
	struct config *config =
	    config_from_ssh_arguments(argc - 1, argv + 1, &load_algorithms, &errors, &notes);
	load_print_each(&notes, "adit open: ignored: ", "");
	load_print_each(&errors, "adit open: ", "");
	if (config && config->tunnel_count == 0) {
		fprintf(stderr, "adit open: nothing to forward: give -L, -R or -D\n");
		config_unref(config);
		config = NULL;
	}
	/* As many as one likes run beside the daemon and each other: the socket that is looked for by default is the daemon's. */
	const char *socket = getenv("ADIT_SOCKET");
	int code = EXIT_USAGE;
	if (config)
		code = daemon_run(
		    &(struct daemon_options){.config = config, .socket = socket ? socket : ""});
	config_unref(config);
	config_errors_clear(&errors);
	config_errors_clear(&notes);
	return code;
}

const struct command command_open = {
    .name = "open",
    .arguments = "[-L SPEC] [-R SPEC] [-D SPEC] [-J JUMPS] [-i KEY] [-l USER] [-p PORT] [-o "
		 "OPTION] [USER@]HOST",
    .summary = "Forwards without a configuration file, by the arguments of ssh -N",
    .help = "  -L, -R, -D, -J, -i, -l, -p, -o   as ssh(1) has them; the link is made again "
	    "whenever it is lost\n",
    .run = open_command,
};
