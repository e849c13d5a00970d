/*
 * Paths of ssh_config(5), with its tokens.
 */
#include "config/ssh_option.h"

#include <ctype.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "config/expand.h"
#include "config/keys.h"

static void add_user_name(struct strbuf *out)
{
	struct passwd *pw = getpwuid(geteuid());

	strbuf_add(out, pw ? pw->pw_name : "");
}

/* As ssh has it: in lower case. */
static void add_address(struct strbuf *out, const struct ssh_import *import)
{
	const char *address = import->host.address ? import->host.address : import->alias;

	for (; *address; address++) {
		char c = (char)tolower((unsigned char)*address);
		strbuf_add_n(out, &c, 1);
	}
}

/* ssh_config(5), TOKENS. False: it cannot be known here. */
static bool add_token(struct strbuf *out, const struct ssh_import *import, char token)
{
	const struct config_host *host = &import->host;
	char name[HOST_NAME_MAX + 1] = "";
	char *home;

	switch (token) {
	case '%':
		strbuf_add(out, "%");
		return true;
	case 'd':
		home = expand_home();
		strbuf_add(out, home ? home : "");
		free(home);
		return true;
	case 'h':
		add_address(out, import);
		return true;
	case 'i':
		strbuf_addf(out, "%lu", (unsigned long)getuid());
		return true;
	case 'k':
		strbuf_add(out, host->host_key_alias ? host->host_key_alias : import->alias);
		return true;
	case 'L':
	case 'l':
		if (gethostname(name, sizeof(name) - 1) < 0)
			return false;
		strbuf_add_n(out, name, token == 'L' ? strcspn(name, ".") : strlen(name));
		return true;
	case 'n':
		strbuf_add(out, import->alias);
		return true;
	case 'p':
		strbuf_addf(out, "%u", host->port);
		return true;
	case 'r':
		if (host->user)
			strbuf_add(out, host->user);
		else
			add_user_name(out);
		return true;
	case 'u':
		add_user_name(out);
		return true;
	default:
		return false;
	}
}

char *ssh_option_tokens(const struct ssh_import *import, const char *text)
{
	struct strbuf out = {0};

	for (; *text; text++) {
		if (*text != '%') {
			strbuf_add_n(&out, text, 1);
		} else if (!import->alias || !add_token(&out, import, *++text)) {
			strbuf_clear(&out);
			return NULL;
		}
	}
	return strbuf_take(&out);
}

/* "~user/": ssh goes to that user's home directory, our files name it. Gives what expand_path() takes, or NULL. */
static char *expand_other_home(const char *text)
{
	size_t n = strcspn(text, "/");

	if (*text != '~' || n == 1)
		return mem_strdup(text);
	char *name = mem_strndup(text + 1, n - 1);
	struct passwd *pw = getpwnam(name);
	free(name);
	if (!pw || !pw->pw_dir || !*pw->pw_dir)
		return NULL;
	char *home = expand_quote(pw->pw_dir);
	char *path = str_format("%s%s", home, text + n);
	free(home);
	return path;
}

char *ssh_option_path(struct ssh_import *import, const char *keyword, const char *value)
{
	struct err e = ERR_INIT;
	char *text = ssh_option_tokens(import, value);

	if (!text) {
		ssh_option_note(import, keyword, value, "a token that is not known here");
		return NULL;
	}
	char *homed = expand_other_home(text);
	free(text);
	if (!homed) {
		ssh_option_note(import, keyword, value, "there is no such user here");
		return NULL;
	}
	char *path = expand_path(homed, import->dir, &e);
	if (!path)
		ssh_option_fail(import, keyword, value, e.text);
	free(homed);
	return path;
}

void ssh_option_add_path(
    struct ssh_import *import, const char *keyword, struct config_strings *paths, const char *value)
{
	char *path;

	if (strcasecmp(value, "none") == 0)
		return;
	path = ssh_option_path(import, keyword, value);
	if (path && !config_strings_has(paths, path))
		config_strings_add(paths, path);
	free(path);
}

/* Whether `ssh -G`, which prints no quotes, may have printed fewer paths than these words. */
static bool may_have_spaces(const char *words)
{
	for (size_t n; *words; words += n + strspn(words + n, " \t")) {
		n = strcspn(words, " \t");
		if (!strchr("/~$%", *words))
			return true;
	}
	return false;
}

/* The next word, with spaces where it has quotes around it; gives, NULL at the end. */
static char *next_word(const char **text)
{
	struct strbuf word = {0};
	const char *p = *text + strspn(*text, " \t");
	char quote = '\0';

	if (!*p)
		return NULL;
	for (; *p && (quote || !strchr(" \t", *p)); p++) {
		if (*p == quote)
			quote = '\0';
		else if (!quote && (*p == '"' || *p == '\''))
			quote = *p;
		else
			strbuf_add_n(&word, p, 1);
	}
	*text = p;
	return strbuf_take(&word);
}

void ssh_option_add_paths(
    struct ssh_import *import, const char *keyword, struct config_strings *paths, const char *value)
{
	char *word;

	if (import->source == SSH_PRINTED && strpbrk(value, " \t") && may_have_spaces(value)) {
		ssh_option_note(import, keyword, value,
		    "a path with a space: which words belong together cannot be seen");
		return;
	}
	while ((word = next_word(&value))) {
		ssh_option_add_path(import, keyword, paths, word);
		free(word);
	}
}
