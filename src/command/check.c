/*
 * adit check: reads the configuration as run would, prints every error, connects to nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "command/command.h"
#include "command/load.h"

/* What is no error, but nobody can want. */
static void warn_of_nothing(const struct config *config, const char *path)
{
	if (config->host_count + config->tunnel_count == 0)
		fprintf(stderr,
		    "%s: nothing is configured: there are no `hosts` and no `tunnels` (a "
		    "warning)\n",
		    path);
}

static int check(const struct command *command, int argc, char **argv)
{
	const char *file = NULL;
	char *path;
	int code = command_take_file(command, argc, argv, "c:h", &file);

	if (code != COMMAND_GOES_ON)
		return code;
	if (optind < argc)
		return command_usage_error(command, "unexpected argument \"%s\"", argv[optind]);
	struct config *config = load_config(file, &path);
	if (config) {
		load_print_warnings(config);
		warn_of_nothing(config, path);
		printf("%s: good: %zu host%s, %zu tunnel%s\n", path, config->host_count,
		    config->host_count == 1 ? "" : "s", config->tunnel_count,
		    config->tunnel_count == 1 ? "" : "s");
	}
	free(path);
	if (!config)
		return EXIT_CONFIG;
	config_unref(config);
	return EXIT_DONE;
}

const struct command command_check = {
    .name = "check",
    .arguments = "[-c FILE]",
    .summary = "Reads the configuration and prints every error in it; connects to nothing",
    .help = "  -c, --config FILE   the configuration file\n",
    .run = check,
};
