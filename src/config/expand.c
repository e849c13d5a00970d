/*
 * "~/" and "${VAR}".
 */
#include "config/expand.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

char *expand_home(void)
{
	const char *home = getenv("HOME");
	struct passwd *pw;

	if (home && *home)
		return mem_strdup(home);
	pw = getpwuid(geteuid());
	return pw && pw->pw_dir && *pw->pw_dir ? mem_strdup(pw->pw_dir) : NULL;
}

/* What becomes of the text: what is not of its own must be no wildcard in a pattern. */
enum purpose { FOR_ITSELF, FOR_GLOB };

static void add_value(struct strbuf *out, const char *value, enum purpose purpose)
{
	if (purpose == FOR_GLOB)
		strbuf_add_no_pattern(out, value);
	else
		strbuf_add(out, value);
}

/* Adds the value of the variable whose "${" stands at *p, and moves *p behind its "}". */
static int add_variable(struct strbuf *out, const char **p, enum purpose purpose, struct err *e)
{
	const char *begin = *p + 2;
	const char *end = strchr(begin, '}');

	if (!end || end == begin)
		return err_set(
		    e, ERR_CONFIG, "`${` needs a name and a `}` (write `$${` for the text itself)");
	char *name = mem_strndup(begin, (size_t)(end - begin));
	const char *value = getenv(name);
	int rc = ERR_OK;
	if (value)
		add_value(out, value, purpose);
	else
		rc = err_set(e, ERR_CONFIG, "the environment variable `%s` is not set", name);
	free(name);
	*p = end + 1;
	return rc;
}

static char *expand(const char *text, enum purpose purpose, struct err *e)
{
	struct strbuf out = {0};
	const char *p = text;
	int rc = ERR_OK;

	if (strcmp(p, "~") == 0 || strncmp(p, "~/", 2) == 0) {
		char *home = expand_home();
		if (!home) {
			err_set(e, ERR_CONFIG, "`~` has no meaning: there is no home directory");
			return NULL;
		}
		add_value(&out, home, purpose);
		free(home);
		p++;
	} else if (*p == '~') {
		err_set(e, ERR_CONFIG, "only `~/` is expanded, not another user's home");
		return NULL;
	}
	while (*p && rc == ERR_OK) {
		if (strncmp(p, "$${", 3) == 0) {
			strbuf_add(&out, "${");
			p += 3;
		} else if (strncmp(p, "${", 2) == 0) {
			rc = add_variable(&out, &p, purpose, e);
		} else {
			strbuf_add_n(&out, p++, 1);
		}
	}
	if (rc == ERR_OK)
		return strbuf_take(&out);
	strbuf_clear(&out);
	return NULL;
}

char *expand_text(const char *text, struct err *e)
{
	return expand(text, FOR_ITSELF, e);
}

static char *expand_in(const char *text, const char *dir, enum purpose purpose, struct err *e)
{
	char *path = expand(text, purpose, e);
	struct strbuf absolute = {0};

	if (!path || *path == '/')
		return path;
	if (*path == '\0') {
		err_set(e, ERR_CONFIG, "the path is empty");
		free(path);
		return NULL;
	}
	add_value(&absolute, strcmp(dir, "/") == 0 ? "" : dir, purpose);
	strbuf_addf(&absolute, "/%s", path);
	free(path);
	return strbuf_take(&absolute);
}

char *expand_path(const char *text, const char *dir, struct err *e)
{
	return expand_in(text, dir, FOR_ITSELF, e);
}

char *expand_pattern(const char *text, const char *dir, struct err *e)
{
	return expand_in(text, dir, FOR_GLOB, e);
}

char *expand_quote(const char *text)
{
	struct strbuf out = {0};

	for (; *text; text++) {
		if (strncmp(text, "${", 2) == 0)
			strbuf_add(&out, "$");
		strbuf_add_n(&out, text, 1);
	}
	return strbuf_take(&out);
}

char *expand_folder_of(const char *file)
{
	const char *slash = strrchr(file, '/');
	char here[4096];

	if (slash && *file == '/')
		return slash == file ? mem_strdup("/") : mem_strndup(file, (size_t)(slash - file));
	if (!getcwd(here, sizeof(here)))
		strcpy(here, "/");
	if (!slash)
		return mem_strdup(here);
	return str_format("%s/%.*s", strcmp(here, "/") == 0 ? "" : here, (int)(slash - file), file);
}
