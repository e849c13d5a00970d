/*
 * adit start, adit stop, adit restart: tunnels, at run time.
 */
#include <getopt.h>

#include "command/ask.h"

static int act_on(
    const struct command *command, const struct ask_options *options, const char *name)
{
	struct ask_answer answer = {0};
	struct strbuf path = {0};
	struct err e = ERR_INIT;
	int code = EXIT_DONE;

	strbuf_add(&path, "/v1/tunnels/");
	ask_add_encoded(&path, name);
	strbuf_addf(&path, "/%s", command->name);
	if (ask(options, "POST", strbuf_text(&path), &answer, &e))
		code = command_fail(&e);
	else if (answer.code != 204)
		code = ask_refused(&answer);
	strbuf_clear(&answer.body);
	strbuf_clear(&path);
	return code;
}

static int act(const struct command *command, int argc, char **argv)
{
	static const struct option list[] = {
	    ASK_OPTION_LIST, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	struct ask_options options = {0};
	int option, code = EXIT_DONE;

	while ((option = getopt_long(argc, argv, "c:s:h", list, NULL)) != -1) {
		if (ask_takes_option(&options, option))
			continue;
		switch (option) {
		case 'h':
			command_print_help(command);
			return EXIT_DONE;
		default:
			return command_usage_error(command, NULL);
		}
	}
	if (optind == argc)
		return command_usage_error(command, "which tunnel?");
	for (int i = optind; i < argc; i++) {
		int result = act_on(command, &options, argv[i]);

		if (result != EXIT_DONE)
			code = result;
		/* As systemctl does it: one that is not there does not keep the others from it. */
		if (result == EXIT_UNAVAILABLE || result == EXIT_NOT_PERMITTED ||
		    result == EXIT_CONFIG)
			break;
	}
	return code;
}

#define TUNNEL_COMMAND(verb, what) \
	const struct command command_##verb = { \
	    .name = #verb, \
	    .arguments = "[-c FILE | -s SOCKET] NAME...", \
	    .summary = what, \
	    .help = ASK_OPTION_HELP "\nNAME may have the shell's * and ?.\n", \
	    .run = act, \
	}

TUNNEL_COMMAND(start, "Starts tunnels that are stopped");
TUNNEL_COMMAND(stop, "Stops tunnels; open streams get drain_timeout to finish");
TUNNEL_COMMAND(restart, "Stops and starts tunnels, and tries their links at once");
