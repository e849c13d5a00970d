/*
 * ssh(1)'s command line.
 */
#include "config/ssh_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "config/keys.h"
#include "config/ssh_option.h"

/* What an option letter of ssh(1) becomes. */
struct letter {
	char letter;
	enum { FLAG, ARGUMENT, LINE, FORWARD } takes;
	const char *
	    keyword; /* of FLAG with value, and of ARGUMENT; NULL with value NULL: means nothing here */
	const char *
	    value; /* of FLAG: the keyword's value; without a keyword: why it cannot be carried over */
};

static const struct letter letters[] = {
    {'L', FORWARD, NULL, NULL},
    {'R', FORWARD, NULL, NULL},
    {'D', FORWARD, NULL, NULL},
    {'o', LINE, NULL, NULL},
    {'J', ARGUMENT, "proxyjump", NULL},
    {'i', ARGUMENT, "identityfile", NULL},
    {'l', ARGUMENT, "user", NULL},
    {'p', ARGUMENT, "port", NULL},
    {'b', ARGUMENT, "bindaddress", NULL},
    {'c', ARGUMENT, "ciphers", NULL},
    {'m', ARGUMENT, "macs", NULL},
    {'B', ARGUMENT, "bindinterface", NULL},
    {'I', ARGUMENT, "pkcs11provider", NULL},
    {'A', FLAG, "forwardagent", "yes"},
    {'a', FLAG, "forwardagent", "no"},
    {'g', FLAG, "gatewayports", "yes"},
    {'v', FLAG, "loglevel", "debug"},
    {'q', FLAG, "loglevel", "error"},
    {'C', FLAG, "compression", "yes"},
    {'4', FLAG, "addressfamily", "inet"},
    {'6', FLAG, "addressfamily", "inet6"},
    {'X', FLAG, "forwardx11", "yes"},
    {'Y', FLAG, "forwardx11", "yes"},
    {'2', FLAG, NULL, NULL}, /* of the protocol: there is no other any more */
    {'N', FLAG, NULL, NULL},
    {'n', FLAG, NULL, NULL},
    {'T', FLAG, NULL, NULL},
    {'t', FLAG, NULL, NULL},
    {'x', FLAG, NULL, NULL},
    {'k', FLAG, NULL, NULL},
    {'y', FLAG, NULL, NULL},
    {'f', FLAG, NULL,
	"adit stays in the foreground; a service manager puts it into the background"},
    {'K', FLAG, NULL, "adit does not speak GSSAPI"},
    {'M', FLAG, NULL, "tunnels of one daemon share their link by themselves"},
    {'s', FLAG, NULL, "a tunnel runs no subsystem"},
    {'G', FLAG, NULL, "nothing is printed"},
    {'V', FLAG, NULL, "`adit --version` does that"},
    {'F', ARGUMENT, NULL, "ssh's own configuration is not read here; `adit import` takes it over"},
    {'E', ARGUMENT, NULL, "the log goes to stderr"},
    {'S', ARGUMENT, NULL, "tunnels of one daemon share their link by themselves"},
    {'O', ARGUMENT, NULL, "there is no ssh to control"},
    {'e', ARGUMENT, NULL, "a tunnel has no terminal"},
    {'P', ARGUMENT, NULL, "ssh's own configuration is not read here"},
    {'Q', ARGUMENT, NULL, "nothing is printed"},
    {'W', ARGUMENT, NULL, "stdin and stdout are not forwarded"},
    {'w', ARGUMENT, NULL, "adit makes no network devices"},
};

struct command_line {
	struct ssh_import import;
	struct ssh_destination destination;
	bool has_destination;
};

static const struct letter *find_letter(char c)
{
	for (size_t i = 0; i < ARRAY_LEN(letters); i++)
		if (letters[i].letter == c)
			return &letters[i];
	return NULL;
}

bool ssh_letter_takes_value(char letter)
{
	const struct letter *known = find_letter(letter);

	return known && known->takes != FLAG;
}

static bool is_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text);
}

int ssh_monitor_words(int count, char *const *words)
{
	if (count == 0 || strncmp(words[0], "-M", 2) != 0)
		return 0;
	if (is_number(words[0] + 2))
		return 1;
	return !words[0][2] && count > 1 && is_number(words[1]) ? 2 : 0;
}

const char *ssh_letter_loss(char letter)
{
	const struct letter *known = find_letter(letter);

	return known && !known->keyword ? known->value : NULL;
}

static enum ssh_forward_option forward_option(char c)
{
	return c == 'L' ? SSH_LOCAL_FORWARD : c == 'R' ? SSH_REMOTE_FORWARD : SSH_DYNAMIC_FORWARD;
}

static void apply(struct ssh_import *import, const struct letter *letter, const char *argument)
{
	const char *value = letter->takes == FLAG ? letter->value : argument;

	if (letter->takes == FORWARD)
		ssh_import_forward(import, forward_option(letter->letter), argument);
	else if (letter->takes == LINE)
		ssh_import_line(import, argument);
	else if (letter->keyword)
		ssh_import_option(import, letter->keyword, value);
	else if (letter->value)
		config_errors_add(import->notes, NULL, 0, "-%c: %s", letter->letter, letter->value);
}

/* One argument that begins with '-': letters, the last of which may want what follows. Returns how many arguments it was. */
static int read_letters(struct ssh_import *import, int count, char *const *arguments)
{
	for (const char *p = arguments[0] + 1; *p; p++) {
		const struct letter *letter = find_letter(*p);
		const char *argument = NULL;
		if (!letter) {
			config_errors_add(
			    import->errors, NULL, 0, "-%c: ssh has no such option", *p);
			return 1;
		}
		if (letter->takes != FLAG) {
			argument = p[1] ? p + 1 : count > 1 ? arguments[1] : NULL;
			if (!argument) {
				config_errors_add(
				    import->errors, NULL, 0, "-%c needs an argument", *p);
				return 1;
			}
		}
		apply(import, letter, argument);
		if (argument)
			return p[1] ? 1 : 2;
	}
	return 1;
}

static void read_destination(struct command_line *line, const char *text)
{
	struct ssh_import *import = &line->import;
	struct err e = ERR_INIT;
	char port[8];

	if (ssh_destination_parse(text, &line->destination, &e) < 0) {
		config_errors_add(import->errors, NULL, 0, "%s", e.text);
		return;
	}
	import->alias = mem_strdup(line->destination.host);
	if (line->destination.user)
		ssh_import_option(import, "user", line->destination.user);
	if (line->destination.port) {
		snprintf(port, sizeof(port), "%u", line->destination.port);
		ssh_import_option(import, "port", port);
	}
}

static void read_arguments(struct command_line *line, int count, char *const *arguments)
{
	struct ssh_import *import = &line->import;
	bool only_words = false;

	for (int i = 0; i < count;) {
		int monitor = only_words ? 0 : ssh_monitor_words(count - i, arguments + i);
		if (monitor) {
			config_errors_add(import->notes, NULL, 0, SSH_MONITOR_NOTE);
			i += monitor;
		} else if (!only_words && strcmp(arguments[i], "--") == 0) {
			only_words = true;
			i++;
		} else if (!only_words && arguments[i][0] == '-' && arguments[i][1]) {
			i += read_letters(import, count - i, arguments + i);
		} else if (!line->has_destination) {
			line->has_destination = true;
			read_destination(line, arguments[i++]);
		} else {
			config_errors_add(import->errors, NULL, 0,
			    "`%s`: a tunnel runs no command; `adit exec` does", arguments[i]);
			return;
		}
	}
	if (!line->has_destination)
		config_errors_add(import->errors, NULL, 0, "no destination: [user@]host");
	ssh_import_finish(import);
}

/* "a,b": a is reached directly, b through a. Returns the name of the last, NULL for none. */
static const char *add_jumps(struct config *config, struct command_line *line)
{
	struct span list = span_of(line->import.proxy_jump ? line->import.proxy_jump : ""), hop;
	const char *via = NULL;

	while (name_list_next(&list, &hop)) {
		struct ssh_destination destination;
		struct ssh_import import;
		struct err e = ERR_INIT;
		char *text = span_strdup(hop);
		int rc = ssh_jump_parse(text, &destination, &e);
		free(text);
		if (rc < 0) {
			config_errors_add(line->import.errors, NULL, 0, "jump host: %s", e.text);
			return NULL;
		}
		ssh_import_init(&import, NULL, line->import.errors, line->import.notes);
		import.host.address = destination.host;
		import.host.user = destination.user;
		if (destination.port)
			import.host.port = destination.port;
		char *name = mem_strdup(destination.host);
		via = ssh_import_add_host(config, &import, name, via);
		free(name);
		ssh_import_clear(&import);
	}
	return via;
}

struct config *config_from_ssh_arguments(int count, char *const *arguments,
    const struct config_algorithms *algorithms, struct config_errors *errors,
    struct config_errors *notes)
{
	struct command_line line = {0};
	struct config *config = NEW(struct config);
	size_t errors_before = errors->n;

	config->references = 1;
	defaults_of_config(config);
	ssh_import_init(&line.import, algorithms, errors, notes);
	read_arguments(&line, count, arguments);
	config->log_level = line.import.log_level;
	if (errors->n == errors_before) {
		const char *via = add_jumps(config, &line);
		const char *name =
		    ssh_import_add_host(config, &line.import, line.destination.host, via);
		ssh_import_add_tunnel(config, &line.import, name);
		check_config(config, errors);
	}
	ssh_import_clear(&line.import);
	ssh_destination_clear(&line.destination);
	if (errors->n == errors_before)
		return config;
	config_unref(config);
	return NULL;
}
