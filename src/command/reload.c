/*
 * adit reload: has the daemon read its configuration again.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "command/ask.h"

/* The daemon answers with lines when asked for text: the plan's, or the errors'. */
static int reload(const struct command *command, int argc, char **argv)
{
	static const struct option list[] = {ASK_OPTION_LIST, {"dry-run", no_argument, NULL, 'n'},
	    {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	struct ask_options options = {0};
	struct ask_answer answer = {0};
	struct err e = ERR_INIT;
	const char *path = "/v1/reload?format=text";
	int option, code = EXIT_DONE;

	while ((option = getopt_long(argc, argv, "c:s:nh", list, NULL)) != -1) {
		if (ask_takes_option(&options, option))
			continue;
		switch (option) {
		case 'n':
			path = "/v1/reload?format=text&dry_run=1";
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
	if (ask(&options, "POST", path, &answer, &e)) {
		code = command_fail(&e);
	} else if (answer.code == 409) {
		fputs(strbuf_text(&answer.body), stderr);
		code = EXIT_CONFIG;
	} else if (answer.code != 200) {
		code = ask_refused(&answer);
	} else {
		fputs(strbuf_text(&answer.body), stdout);
	}
	strbuf_clear(&answer.body);
	return code;
}

const struct command command_reload = {
    .name = "reload",
    .arguments = "[--dry-run] [-c FILE | -s SOCKET]",
    .summary = "Has the daemon read its configuration again and prints what changes",
    .help = "  -n, --dry-run       only print what would change\n" ASK_OPTION_HELP,
    .run = reload,
};
