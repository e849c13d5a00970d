/*
 * Picks the command.
 */
#include <event2/event.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
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

/* A typing error gets a hint, not a page. */
static int unknown_command(const char *word)
{
	const char *names[32], *nearest;
	const struct command *command;
	size_t count = 0;

	while (count < ARRAY_LEN(names) && (command = command_at(count)))
		names[count++] = command->name;
	nearest = str_nearest(word, names, count);
	if (nearest)
		fprintf(stderr, "adit: there is no command \"%s\"; did you mean \"%s\"?\n", word,
		    nearest);
	else
		fprintf(stderr, "adit: there is no command \"%s\"; see adit --help\n", word);
	return EXIT_USAGE;
}

static void print_version(void)
{
	printf("adit %s\nlibevent %s\n%s\n", VERSION, event_get_version(), evp_library_version());
}

static int run(int argc, char **argv)
{
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
	if (!command)
		return unknown_command(argv[1]);
	/* What getopt says begins with it. */
	char name[32];
	snprintf(name, sizeof(name), "adit %s", command->name);
	argv[1] = name;
	return command->run(command, argc - 1, argv + 1);
}

/* What cannot be written is an error of the command, unless its reader has gone. */
static int end_output(int code)
{
	bool failed_before = ferror(stdout);

	errno = 0;
	/* stdio drops what it could not write, and the reason: one byte more has the same one */
	if (fflush(stdout) == 0 && failed_before) {
		putchar('\n');
		fflush(stdout);
	}
	if (!ferror(stdout) || errno == EPIPE)
		return code;
	fprintf(stderr, "adit: standard output: %s\n", strerror(errno ? errno : EIO));
	return code == EXIT_DONE ? EXIT_OTHER : code;
}

/* Who starts us without some of them (a service manager, `<&-`) would give their numbers to sockets of ours. */
static void open_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	open_standard_descriptors();
	/* A peer that goes, or a file that may not grow, is an error of a write, not the end of the process. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	return end_output(run(argc, argv));
}
