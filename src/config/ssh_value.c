/*
 * Values as ssh_config(5) writes them.
 */
#include "config/ssh_value.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"

bool ssh_value_is_true(const char *text)
{
	return strcasecmp(text, "yes") == 0 || strcasecmp(text, "true") == 0;
}

bool ssh_value_is_false(const char *text)
{
	return strcasecmp(text, "no") == 0 || strcasecmp(text, "false") == 0;
}

bool ssh_value_time(const char *text, uint64_t *ret_seconds)
{
	static const struct {
		char unit;
		uint64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
	uint64_t sum = 0;

	if (!*text)
		return false;
	while (*text) {
		size_t n = strspn(text, "0123456789");
		uint64_t factor = text[n] ? 0 : 1, number;
		char *digits = mem_strndup(text, n);
		bool valid = str_to_u64(digits, 0, UINT32_MAX, &number);
		free(digits);
		for (size_t i = 0; i < ARRAY_LEN(units); i++)
			if (text[n] && tolower((unsigned char)text[n]) == units[i].unit)
				factor = units[i].seconds;
		if (!valid || factor == 0)
			return false;
		sum += number * factor;
		text += n + (text[n] != '\0');
	}
	*ret_seconds = sum;
	return sum <= UINT32_MAX;
}

bool ssh_value_bytes(const char *text, uint64_t *ret_bytes)
{
	static const char units[] = "KMG";
	size_t digits = strspn(text, "0123456789");
	const char *unit =
	    text[digits] ? strchr(units, toupper((unsigned char)text[digits])) : NULL;
	char *number = mem_strndup(text, digits);
	uint64_t bytes = 0;
	int shift = unit ? 10 * (int)(unit - units + 1) : 0;
	bool valid = str_to_u64(number, 1, UINT64_MAX >> shift, &bytes) &&
		     text[digits + (unit != NULL)] == '\0';

	free(number);
	if (valid)
		*ret_bytes = bytes << shift;
	return valid;
}

/* ---- ProxyCommand ---- */

struct jump_command {
	char *destination, *user, *port; /* views of the words; NULL: not given */
	bool forwards;                   /* -W %h:%p */
	enum { NO_PROGRAM, PROGRAM, PROGRAM_HOST, PROGRAM_PORT } program; /* nc, then %h, then %p */
};

static bool is_program(const char *word, const char *name)
{
	const char *slash = strrchr(word, '/');

	return strcmp(slash ? slash + 1 : word, name) == 0;
}

/* Quotes around a whole word: no part of what is looked for has a space. */
static char *next_word(char **rest)
{
	char *word = strtok_r(*rest, " \t", rest);
	size_t n = word ? strlen(word) : 0;

	if (n < 2 || !strchr("\"'", *word) || word[n - 1] != *word)
		return word;
	word[n - 1] = '\0';
	return word + 1;
}

/* What changes nothing for a jump host is passed over. False: it is something else. */
static bool take_letters(struct jump_command *command, char *letters, char **rest)
{
	letters += strspn(letters, "qxaATnvk");
	if (*letters == '\0')
		return true;
	char *value = letters[1] ? letters + 1 : next_word(rest);
	if (!value)
		return false;
	switch (*letters) {
	case 'W':
		command->forwards = strcmp(value, "%h:%p") == 0 || strcmp(value, "[%h]:%p") == 0;
		return command->forwards;
	case 'l':
		command->user = value;
		return true;
	case 'p':
		command->port = value;
		return true;
	default:
		return false;
	}
}

static bool take_program(struct jump_command *command, const char *word)
{
	switch (command->program) {
	case NO_PROGRAM:
		command->program = PROGRAM;
		return is_program(word, "nc") || is_program(word, "netcat") ||
		       is_program(word, "ncat");
	case PROGRAM:
		command->program = PROGRAM_HOST;
		return strcmp(word, "%h") == 0;
	case PROGRAM_HOST:
		command->program = PROGRAM_PORT;
		return strcmp(word, "%p") == 0;
	case PROGRAM_PORT:
		break;
	}
	return false;
}

static bool read_jump_command(struct jump_command *command, char *words)
{
	char *word = next_word(&words);

	if (word && strcmp(word, "exec") == 0)
		word = next_word(&words);
	if (!word || !is_program(word, "ssh"))
		return false;
	while ((word = next_word(&words))) {
		bool is_known = true;
		if (*word == '-' && command->program == NO_PROGRAM)
			is_known = take_letters(command, word + 1, &words);
		else if (!command->destination)
			command->destination = word;
		else
			is_known = take_program(command, word);
		if (!is_known)
			return false;
	}
	return command->destination &&
	       command->program == (command->forwards ? NO_PROGRAM : PROGRAM_PORT);
}

/* Gives; NULL where it says one thing twice. */
static char *make_jump(const struct jump_command *command)
{
	const char *at = strrchr(command->destination, '@');
	const char *host = at ? at + 1 : command->destination;
	bool is_uri = strncmp(command->destination, "ssh://", 6) == 0;
	struct strbuf jump = {0};

	if ((command->user && (at || is_uri)) || (command->port && is_uri))
		return NULL;
	if (is_uri)
		return mem_strdup(command->destination);
	if (command->user)
		strbuf_addf(&jump, "%s@", command->user);
	strbuf_add_n(&jump, command->destination, (size_t)(host - command->destination));
	strbuf_addf(&jump, strchr(host, ':') ? "[%s]" : "%s", host);
	if (command->port)
		strbuf_addf(&jump, ":%s", command->port);
	return strbuf_take(&jump);
}

char *ssh_value_jump(const char *proxy_command)
{
	char *words = mem_strdup(proxy_command);
	struct jump_command command = {0};
	char *jump = read_jump_command(&command, words) ? make_jump(&command) : NULL;

	free(words);
	return jump;
}
