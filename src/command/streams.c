/*
 * adit streams: the connections that are carried now.
 */
#include <getopt.h>
#include <stdio.h>

#include "command/ask.h"

static int streams(const struct command *command, int argc, char **argv)
{
	static const struct option list[] = {ASK_OPTION_LIST, {"json", no_argument, NULL, 'j'},
	    {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	struct ask_options options = {0};
	struct ask_answer answer = {0};
	struct strbuf path = {0};
	struct err e = ERR_INIT;
	bool json = false;
	int option, code = EXIT_DONE;

	while ((option = getopt_long(argc, argv, "c:s:h", list, NULL)) != -1) {
		if (ask_takes_option(&options, option))
			continue;
		switch (option) {
		case 'j':
			json = true;
			break;
		case 'h':
			command_print_help(command);
			return EXIT_DONE;
		default:
			return command_usage_error(command, NULL);
		}
	}
	strbuf_add(&path, json ? "/v1/streams" : "/v1/streams?format=table");
	ask_add_names(&path, argc - optind, argv + optind);
	if (ask(&options, "GET", strbuf_text(&path), &answer, &e))
		code = command_fail(&e);
	else if (answer.code != 200)
		code = ask_refused(&answer);
	else
		fputs(strbuf_text(&answer.body), stdout);
	strbuf_clear(&answer.body);
	strbuf_clear(&path);
	return code;
}

const struct command command_streams = {
    .name = "streams",
    .arguments = "[--json] [-c FILE | -s SOCKET] [NAME...]",
    .summary = "Shows the connections that are carried now",
    .help = "      --json          as one JSON document\n" ASK_OPTION_HELP
	    "\nNAME may have the shell's * and ?.\n",
    .run = streams,
};
