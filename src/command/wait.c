/*
 * adit wait: until the named tunnels are up.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "command/ask.h"
#include "command/terminal.h"

enum {
	STATUS_TIMEOUT_MS = 2000,
	PATIENCE_MS =
	    5000 /* the limit is for the tunnels: the daemon keeps it, and its answer takes a moment */
};

/* Seconds, whole or with a fraction. */
static bool read_seconds(const char *text, uint64_t *ret_ms)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= 0) || value > 1e9)
		return false;
	*ret_ms = (uint64_t)(value * 1000);
	return true;
}

/* What was waited for, and why it is not up. */
static void print_status(const struct ask_options *options, int count, char *const *names)
{
	struct ask_answer answer = {0};
	struct strbuf path = {0};
	struct err e = ERR_INIT;

	strbuf_addf(&path, "/v1/status?format=table&width=%u", terminal_width(STDERR_FILENO));
	ask_add_names(&path, count, names);
	if (ask_patiently(
		options, strbuf_text(&path), STATUS_TIMEOUT_MS, NULL, NULL, &answer, &e) == 0 &&
	    answer.code == 200)
		fputs(strbuf_text(&answer.body), stderr);
	strbuf_clear(&answer.body);
	strbuf_clear(&path);
}

static int wait_command(const struct command *command, int argc, char **argv)
{
	static const struct option list[] = {ASK_OPTION_LIST,
	    {"timeout", required_argument, NULL, 't'}, {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0}};
	struct ask_options options = {0};
	struct ask_answer answer = {0};
	struct strbuf path = {0};
	struct err e = ERR_INIT;
	uint64_t limit_ms = 0, patience_ms = 0;
	int option, code;

	while ((option = getopt_long(argc, argv, "c:s:t:h", list, NULL)) != -1) {
		if (ask_takes_option(&options, option))
			continue;
		switch (option) {
		case 't':
			if (!read_seconds(optarg, &limit_ms))
				return command_usage_error(
				    command, "\"%s\" is no number of seconds", optarg);
			patience_ms = limit_ms + PATIENCE_MS;
			break;
		case 'h':
			command_print_help(command);
			return EXIT_DONE;
		default:
			return command_usage_error(command, NULL);
		}
	}
	strbuf_add(&path, "/v1/wait");
	if (patience_ms)
		strbuf_addf(&path, "?timeout_ms=%" PRIu64, limit_ms);
	ask_add_names(&path, argc - optind, argv + optind);
	if (ask_patiently(&options, strbuf_text(&path), patience_ms, NULL, NULL, &answer, &e))
		code = command_fail(&e);
	else
		code = answer.code == 204 ? EXIT_DONE : ask_refused(&answer);
	if (code == EXIT_TIMED_OUT)
		print_status(&options, argc - optind, argv + optind);
	strbuf_clear(&answer.body);
	strbuf_clear(&path);
	return code;
}

const struct command command_wait = {
    .name = "wait",
    .arguments = "[-t SECONDS] [-c FILE | -s SOCKET] [NAME...]",
    .summary = "Returns as soon as the named tunnels (all, if none is named) are up",
    .help = "  -t, --timeout SECONDS   give up after that long, with exit code 75\n" ASK_OPTION_HELP
	    "\nNAME may have the shell's * and ?.\n",
    .run = wait_command,
};
