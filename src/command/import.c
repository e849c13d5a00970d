/*
 * adit import: the configuration that does what an ssh command line, or an alias of ~/.ssh/config, does. What an alias means is
 * asked of ssh itself (ssh -G), so that Host, Match, Include and ProxyJump mean here what they mean there.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "command/command.h"
#include "command/load.h"
#include "config/ssh_command.h"
#include "config/ssh_config.h"
#include "config/ssh_spec.h"
#include "config/writer.h"

extern char **environ;

enum { OUTPUT_MAX = 1024 * 1024 };

/* ---- running ssh ---- */

static int read_all(int fd, struct strbuf *out)
{
	char bytes[4096];
	ssize_t n;

	while ((n = read(fd, bytes, sizeof(bytes))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || out->n + (size_t)n > OUTPUT_MAX)
			return -1;
		strbuf_add_n(out, bytes, (size_t)n);
	}
	return 0;
}

enum words { WORDS_SHOWN, WORDS_HIDDEN }; /* ssh's own, on stderr */

static int start_ssh(char *const *argv, enum words words, pid_t *ret_pid, int *ret_fd)
{
	posix_spawn_file_actions_t actions;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return errno;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	if (words == WORDS_HIDDEN)
		posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	int error = posix_spawnp(ret_pid, "ssh", &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	if (error)
		close(ends[0]);
	*ret_fd = ends[0];
	return error;
}

struct arguments {
	char **ssh; /* ssh -G ARGUMENTS..., ended by NULL */
	size_t count;
	size_t options;   /* how many of them come before the destination and its "--" */
	const char *file; /* of -F: jumps are looked up there, too */
	const char *destination;
	const char *command; /* the first word behind the destination */
	bool no_ssh;         /* there is none that could be asked */
	bool are_wrong;      /* whatever the configuration says */
	bool is_autossh;     /* there was a -M of its own */
	char unseen[8];      /* letters that ssh -G says nothing of */
};

/* What `ssh` with these arguments prints; NULL and an error more when it fails. Gives. */
static char *run_ssh(struct arguments *a, enum words words, struct config_errors *errors)
{
	struct strbuf out = {0};
	pid_t pid;
	int fd = -1, status = 0;
	int error = start_ssh(a->ssh, words, &pid, &fd);

	a->no_ssh = error != 0;
	if (error == ENOENT) {
		config_errors_add(errors, NULL, 0,
		    "there is no ssh here, and adit import asks it what the arguments mean: "
		    "install "
		    "OpenSSH's client (Debian: openssh-client)");
		return NULL;
	}
	if (error) {
		config_errors_add(errors, NULL, 0, "running ssh: %s", strerror(error));
		return NULL;
	}
	int result = read_all(fd, &out);
	close(fd);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (result == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		strbuf_add(&out, "");
		return strbuf_take(&out);
	}
	config_errors_add(errors, NULL, 0, "ssh -G failed");
	strbuf_clear(&out);
	return NULL;
}

/* ---- the arguments ---- */

static void add_argument(struct arguments *a, const char *text)
{
	a->ssh = mem_grow(a->ssh, a->count + 2, sizeof(*a->ssh));
	a->ssh[a->count++] = mem_strdup(text);
	a->ssh[a->count] = NULL;
}

static void note_letter(struct arguments *a, char letter)
{
	size_t n = strlen(a->unseen);

	if (strchr("EOW", letter) && !strchr(a->unseen, letter))
		a->unseen[n] = letter;
}

/* One or more letters in one word, and the value that the last of them takes. Returns how many words that were. */
static int read_letters(struct arguments *a, int count, char *const *words)
{
	for (const char *p = words[0] + 1; *p; p++) {
		note_letter(a, *p);
		if (!ssh_letter_takes_value(*p))
			continue;
		const char *value = p[1] ? p + 1 : (count > 1 ? words[1] : NULL);
		if (*p == 'F')
			a->file = value;
		return p[1] || count == 1 ? 1 : 2;
	}
	return 1;
}

static void read_arguments(struct arguments *a, int count, char *const *words)
{
	bool only_words = false;

	add_argument(a, "ssh");
	add_argument(a, "-TG"); /* or it would talk of a missing terminal */
	a->options = a->count;
	for (int i = 0; i < count;) {
		int n = 1, monitor = only_words ? 0 : ssh_monitor_words(count - i, words + i);

		if (monitor) {
			a->is_autossh = true;
			i += monitor;
			continue;
		}
		if (!only_words && strcmp(words[i], "--") == 0)
			only_words = true;
		else if (!only_words && words[i][0] == '-' && words[i][1])
			n = read_letters(a, count - i, words + i);
		else if (!a->destination)
			a->destination = words[i];
		else
			a->command = a->command ? a->command : words[i];
		for (; n > 0 && !a->command; n--)
			add_argument(a, words[i++]);
		if (!a->destination && !only_words)
			a->options = a->count;
		if (a->command)
			break;
	}
}

static void arguments_clear(struct arguments *a)
{
	for (size_t i = 0; i < a->count; i++)
		free(a->ssh[i]);
	free(a->ssh);
}

/* Which fail without any configuration, too. */
static bool arguments_are_wrong(const struct arguments *a)
{
	struct config_errors unsaid = {0};
	struct arguments alone = {0};

	for (size_t i = 0; i < a->count; i++) {
		if (i == a->options) { /* the last -F counts */
			add_argument(&alone, "-F");
			add_argument(&alone, "none");
		}
		add_argument(&alone, a->ssh[i]);
	}
	char *text = run_ssh(&alone, WORDS_HIDDEN, &unsaid);
	bool wrong = !text && !alone.no_ssh;
	free(text);
	arguments_clear(&alone);
	config_errors_clear(&unsaid);
	return wrong;
}

/* A hop, by ssh -G. "[user@]host[:port]" is a URI to ssh when it has a port. */
static char *ask_hop(void *arg, const char *hop, struct config_errors *errors)
{
	const struct arguments *a = arg;
	struct ssh_destination destination;
	struct arguments ask = {0};
	struct err e = ERR_INIT;
	char port[8];

	if (ssh_jump_parse(hop, &destination, &e) < 0) {
		config_errors_add(errors, NULL, 0, "jump host: %s", e.text);
		return NULL;
	}
	add_argument(&ask, "ssh");
	add_argument(&ask, "-TG");
	if (a->file) {
		add_argument(&ask, "-F");
		add_argument(&ask, a->file);
	}
	if (destination.user) {
		add_argument(&ask, "-l");
		add_argument(&ask, destination.user);
	}
	if (destination.port) {
		snprintf(port, sizeof(port), "%u", destination.port);
		add_argument(&ask, "-p");
		add_argument(&ask, port);
	}
	add_argument(&ask, "--");
	add_argument(&ask, destination.host);
	char *text = run_ssh(&ask, WORDS_SHOWN, errors);
	arguments_clear(&ask);
	ssh_destination_clear(&destination);
	return text;
}

/* What ssh does where no configuration says anything. */
static char *ask_defaults(struct config_errors *errors)
{
	static const char *const words[] = {"ssh", "-F", "none", "-TG", "host.invalid"};
	struct arguments ask = {0};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		add_argument(&ask, words[i]);
	char *text = run_ssh(&ask, WORDS_SHOWN, errors);
	arguments_clear(&ask);
	return text;
}

/* ---- the command ---- */

static struct config *convert(
    struct arguments *a, struct config_errors *errors, struct config_errors *notes)
{
	struct ssh_destination destination;
	struct config *config = NULL;
	struct err e = ERR_INIT;

	if (ssh_destination_parse(a->destination, &destination, &e) < 0) {
		config_errors_add(errors, NULL, 0, "%s", e.text);
		a->are_wrong = true;
		return NULL;
	}
	char *text = run_ssh(a, WORDS_SHOWN, errors);
	if (!text && !a->no_ssh)
		a->are_wrong = arguments_are_wrong(a);
	if (text && !strstr(text, "\nhostname ")) { /* -V, -Q */
		config_errors_add(errors, NULL, 0, "with these arguments ssh connects to nothing");
		a->are_wrong = true;
		free(text);
		text = NULL;
	}
	char *baseline = text ? ask_defaults(errors) : NULL;
	if (text && baseline) {
		struct ssh_config_source source = {
		    .ask = ask_hop, .arg = a, .baseline = baseline, .algorithms = &load_algorithms};

		config = config_from_ssh_config(text, destination.host, &source, errors, notes);
	}
	free(text);
	free(baseline);
	ssh_destination_clear(&destination);
	return config;
}

/* --host ALIAS: options of ssh may follow, no destination. */
static int read_alias(const struct command *command, struct arguments *a, const char *alias,
    int count, char *const *words)
{
	read_arguments(a, count, words);
	if (a->destination)
		return command_usage_error(command, "--host and \"%s\"?", a->destination);
	add_argument(a, "--");
	add_argument(a, alias);
	a->destination = alias;
	return EXIT_DONE;
}

static int read_command_line(
    const struct command *command, struct arguments *a, int argc, char **argv)
{
	if (argc > 1 && strncmp(argv[1], "--host=", 7) == 0)
		return read_alias(command, a, argv[1] + 7, argc - 2, argv + 2);
	if (argc > 1 && strcmp(argv[1], "--host") == 0 && argc == 2)
		return command_usage_error(command, "--host needs an alias");
	if (argc > 1 && strcmp(argv[1], "--host") == 0)
		return read_alias(command, a, argv[2], argc - 3, argv + 3);
	if (argc > 1 && strncmp(argv[1], "--", 2) == 0 && argv[1][2])
		return command_usage_error(command, "there is no option %s", argv[1]);
	read_arguments(a, argc - 1, argv + 1);
	return a->destination ? EXIT_DONE : command_usage_error(command, "no destination");
}

static int exit_code(const struct arguments *a, const struct config *config)
{
	if (config)
		return EXIT_DONE;
	return a->no_ssh ? EXIT_OTHER : a->are_wrong ? EXIT_USAGE : EXIT_CONFIG;
}

static int import(const struct command *command, int argc, char **argv)
{
	struct config_errors errors = {0}, notes = {0};
	struct arguments a = {0};

	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		command_print_help(command);
		return EXIT_DONE;
	}
	int code = read_command_line(command, &a, argc, argv);
	if (code != EXIT_DONE) {
		arguments_clear(&a);
		return code;
	}
	struct config *config = convert(&a, &errors, &notes);
	if (a.is_autossh)
		config_errors_add(&notes, NULL, 0, SSH_MONITOR_NOTE);
	for (const char *p = a.unseen; *p; p++)
		config_errors_add(&notes, NULL, 0, "-%c: %s", *p, ssh_letter_loss(*p));
	if (a.command)
		config_errors_add(
		    &notes, NULL, 0, "the command \"%s\": `adit exec` runs commands", a.command);
	if (config && config->tunnel_count == 0)
		fprintf(
		    stderr, "adit import: there are no forwards: this is a host, and no tunnel\n");
	load_print_each(&notes, "adit import: not carried over: ", "");
	load_print_each(&errors, "adit import: ", "");
	if (config) {
		struct strbuf text = {0};

		config_write_text(config, &text);
		fputs(strbuf_text(&text), stdout);
		strbuf_clear(&text);
	}
	code = exit_code(&a, config);
	config_unref(config);
	config_errors_clear(&errors);
	config_errors_clear(&notes);
	arguments_clear(&a);
	return code;
}

const struct command command_import = {
    .name = "import",
    .arguments = "[--host ALIAS] [SSH-ARGUMENTS...]",
    .summary = "Prints the configuration that does what this ssh command line or alias does",
    .help =
	"      --host ALIAS     the same as the alias as destination\n"
	"\n"
	"Asks `ssh -G` what the arguments mean. What cannot be carried over is named on stderr.\n",
    .run = import,
};
