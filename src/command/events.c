/*
 * adit events: what happens, as it happens.
 */
#include <getopt.h>
#include <stdio.h>

#include "command/ask.h"

/* Who cannot be written to any more (a full disk) gets no more; main() says why. */
static bool print_line(void *arg, struct span line)
{
	bool *can_print = arg;

	printf("%.*s\n", (int)line.n, (const char *)line.p);
	*can_print = fflush(stdout) == 0;
	return *can_print;
}

/* Who reads them must be able to tell that from its own end. */
static int ended(struct err *e)
{
	err_set(e, ERR_NETWORK, "adit has ended");
	return command_fail(e);
}

static int events(const struct command *command, int argc, char **argv)
{
	static const struct option list[] = {
	    ASK_OPTION_LIST, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	struct ask_options options = {0};
	struct ask_answer answer = {0};
	struct err e = ERR_INIT;
	bool can_print = true;
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
	if (optind < argc)
		return command_usage_error(command, "unexpected argument \"%s\"", argv[optind]);
	if (ask_patiently(&options, "/v1/events", 0, print_line, &can_print, &answer, &e))
		code = command_fail(&e);
	else if (answer.code != 200)
		code = ask_refused(&answer);
	else if (can_print)
		code = ended(&e);
	strbuf_clear(&answer.body);
	return code;
}

const struct command command_events = {
    .name = "events",
    .arguments = "[-c FILE | -s SOCKET]",
    .summary = "Prints what happens, one JSON object a line, until interrupted",
    .help = ASK_OPTION_HELP,
    .run = events,
};
