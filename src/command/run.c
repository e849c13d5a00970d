/*
 * adit run: the tunnels of the configuration, in the foreground.
 */
#include <getopt.h>
#include <stdlib.h>

#include "command/command.h"
#include "command/daemon.h"
#include "command/load.h"

static int run(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
	    {"socket", required_argument, NULL, 's'}, {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0}};
	struct daemon_options daemon = {0};
	const char *file = NULL;
	char *path;
	int option;

	while ((option = getopt_long(argc, argv, "c:s:h", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			file = optarg;
			break;
		case 's':
			daemon.socket = optarg;
			break;
		case 'h':
			command_print_help(command);
			return EXIT_DONE;
		default:
			return command_usage_error(command, NULL);
		}
	}
	if (optind < argc)
		return command_usage_error(command, "unexpected argument \"%s\"", argv[optind]);
	daemon_hold_signals();
	command_log_errors();
	daemon.config = load_config(file, &path);
	daemon.path = path;
	int code = daemon.config ? daemon_run(&daemon) : EXIT_CONFIG;
	config_unref(daemon.config);
	free(path);
	return code;
}

const struct command command_run = {
    .name = "run",
    .arguments = "[-c FILE] [-s SOCKET]",
    .summary = "Runs the tunnels of the configuration in the foreground",
    .help = "  -c, --config FILE   the configuration file\n"
	    "  -s, --socket PATH   the control socket\n"
	    "\n"
	    "SIGHUP reads the configuration again, SIGUSR1 tries at once what is down, SIGTERM and "
	    "SIGINT\n"
	    "stop: open streams get drain_timeout, a second signal ends them.\n",
    .run = run,
};
