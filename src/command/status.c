/*
 * adit status: what is up, and why the rest is not.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command/ask.h"
#include "command/terminal.h"

enum { WATCH_INTERVAL_S = 1 };

/* https://no-color.org: set, and not empty */
static bool wants_colour(void)
{
	const char *without = getenv("NO_COLOR");

	return terminal_takes_escapes(STDOUT_FILENO) && !(without && *without);
}

static char *make_path(bool json, int count, char *const *names)
{
	struct strbuf path = {0};

	strbuf_add(&path, "/v1/status");
	if (!json) {
		strbuf_addf(&path, "?format=table&width=%u", terminal_width(STDOUT_FILENO));
		if (wants_colour())
			strbuf_add(&path, "&colour=1");
	}
	ask_add_names(&path, count, names);
	return strbuf_take(&path);
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* In the place of what the terminal showed before: as much of it as fits above the cursor, from the top. */
static void print_picture(const char *text)
{
	enum { ROWS_MIN = 4 };
	size_t rows = terminal_height(STDOUT_FILENO), lines = count_lines(text);

	fputs("\x1b[H\x1b[2J", stdout);
	if (rows < ROWS_MIN || lines < rows) {
		fputs(text, stdout);
		return;
	}
	for (size_t shown = 0; shown < rows - 2; text++) {
		putchar(*text);
		shown += *text == '\n';
	}
	printf("(%zu more lines)\n", lines - (rows - 2));
}

enum picture { BELOW_THE_LAST, OVER_THE_LAST };

static int print_once(const struct ask_options *options, const char *path, enum picture where)
{
	struct ask_answer answer = {0};
	struct err e = ERR_INIT;
	int code = EXIT_DONE;

	if (ask(options, "GET", path, &answer, &e))
		code = command_fail(&e);
	else if (answer.code != 200)
		code = ask_refused(&answer);
	else if (where == OVER_THE_LAST)
		print_picture(strbuf_text(&answer.body));
	else
		fputs(strbuf_text(&answer.body), stdout);
	strbuf_clear(&answer.body);
	return code;
}

static int status(const struct command *command, int argc, char **argv)
{
	static const struct option list[] = {ASK_OPTION_LIST, {"json", no_argument, NULL, 'j'},
	    {"watch", no_argument, NULL, 'w'}, {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0}};
	struct ask_options options = {0};
	bool json = false, watch = false;
	int option;

	while ((option = getopt_long(argc, argv, "c:s:wh", list, NULL)) != -1) {
		if (ask_takes_option(&options, option))
			continue;
		switch (option) {
		case 'j':
			json = true;
			break;
		case 'w':
			watch = true;
			break;
		case 'h':
			command_print_help(command);
			return EXIT_DONE;
		default:
			return command_usage_error(command, NULL);
		}
	}
	enum picture where =
	    watch && terminal_takes_escapes(STDOUT_FILENO) ? OVER_THE_LAST : BELOW_THE_LAST;
	bool again;
	int code;
	do {
		/* anew: the terminal may have another width by now */
		char *path = make_path(json, argc - optind, argv + optind);

		code = print_once(&options, path, where);
		free(path);
		again = watch && code == EXIT_DONE && fflush(stdout) == 0;
		if (again)
			sleep(WATCH_INTERVAL_S);
	} while (again);
	return code;
}

const struct command command_status = {
    .name = "status",
    .arguments = "[--json] [--watch] [-c FILE | -s SOCKET] [NAME...]",
    .summary = "Shows tunnels and forwards, and why what is not up is not",
    .help = "      --json          everything, as one JSON document\n"
	    "  -w, --watch         again every second\n" ASK_OPTION_HELP
	    "\nNAME may have the shell's * and ?.\n",
    .run = status,
};
