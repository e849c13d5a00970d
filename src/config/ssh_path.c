/*
 * Paths of ssh_config(5), with its tokens.
 */
#include "config/ssh_option.h"

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

/* ssh_config(5), TOKENS: those that can be known here. Gives, or NULL. */
static char *expand_tokens(const struct ssh_import *import, const char *text)
{
	struct strbuf out = {0};
	char *home;

	for (; *text; text++) {
		if (*text != '%') {
			strbuf_add_n(&out, text, 1);
			continue;
		}
		switch (*++text) {
		case '%':
			strbuf_add(&out, "%");
			break;
		case 'd':
			home = expand_home();
			strbuf_add(&out, home ? home : "");
			free(home);
			break;
		case 'h':
			if (!import->host.address && !import->alias)
				goto unknown;
			strbuf_add(
			    &out, import->host.address ? import->host.address : import->alias);
			break;
		case 'n':
			if (!import->alias)
				goto unknown;
			strbuf_add(&out, import->alias);
			break;
		case 'p':
			strbuf_addf(&out, "%u", import->host.port);
			break;
		case 'r':
			if (import->host.user)
				strbuf_add(&out, import->host.user);
			else
				add_user_name(&out);
			break;
		case 'u':
			add_user_name(&out);
			break;
		case 'i':
			strbuf_addf(&out, "%lu", (unsigned long)getuid());
			break;
		default:
			goto unknown;
		}
	}
	return strbuf_take(&out);
unknown:
	strbuf_clear(&out);
	return NULL;
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
	char *text = expand_tokens(import, value);

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

void ssh_option_add_paths(
    struct ssh_import *import, const char *keyword, struct config_strings *paths, const char *value)
{
	char *words = mem_strdup(value), *rest = words, *word;

	while ((word = strtok_r(rest, " \t", &rest)))
		ssh_option_add_path(import, keyword, paths, word);
	free(words);
}
