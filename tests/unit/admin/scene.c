#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/read.h"
#include "net/resolver.h"
#include "scene.h"

static struct config *read_config(const struct scene *s, const char *text)
{
	struct config_errors errors = {0};
	struct strbuf whole = {0};

	for (; *text; text++)
		if (*text == '@')
			strbuf_add(&whole, s->folder);
		else
			strbuf_add_n(&whole, text, 1);
	struct config *config = config_read_text(strbuf_text(&whole), "test.conf", &errors);
	if (!config)
		fail_msg("%s", errors.v[0].text);
	config_errors_clear(&errors);
	strbuf_clear(&whole);
	return config;
}

static void on_change(void *arg)
{
	struct scene *s = arg;

	if (s->on_change)
		s->on_change(s->on_change_arg);
}

void scene_reload(struct scene *s, const char *text)
{
	struct config *next = read_config(s, text),
		      *before = config_ref(manager_config(s->manager));
	struct config_plan *plan = config_diff(before, next);

	manager_apply(s->manager, next, plan);
	config_plan_free(plan);
	config_unref(before);
	config_unref(next);
}

void scene_init(struct scene *s, const char *text)
{
	*s = (struct scene){0};
	strcpy(s->folder, "/tmp/adit-admin-XXXXXX");
	assert_non_null(mkdtemp(s->folder));
	s->loop = loop_new();
	s->resolver = resolver_new(s->loop, NULL, NULL);
	s->manager = manager_new(&(struct manager_options){
	    .loop = s->loop, .resolver = s->resolver, .on_change = on_change, .arg = s});
	struct config *config = read_config(s, text);
	struct config_plan *plan = config_diff(NULL, config);
	manager_apply(s->manager, config, plan);
	config_plan_free(plan);
	config_unref(config);
}

/* Sockets that a daemon left; there are no folders in it. */
static void remove_folder(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;

	while ((entry = readdir(folder)))
		unlinkat(dirfd(folder), entry->d_name, 0);
	closedir(folder);
	rmdir(path);
}

void scene_clear(struct scene *s)
{
	manager_free(s->manager);
	resolver_free(s->resolver);
	loop_free(s->loop);
	remove_folder(s->folder);
}

/* ---- JSON: each reads one thing and returns what follows it, NULL when it is not there ---- */

static const char *skip_space(const char *p)
{
	return p + strspn(p, " \t\r\n");
}

static const char *read_text(const char *p)
{
	if (*p++ != '"')
		return NULL;
	for (; *p != '"'; p++) {
		if ((unsigned char)*p < 0x20)
			return NULL;
		if (*p != '\\')
			continue;
		p++;
		if (*p == 'u') {
			for (int i = 1; i <= 4; i++)
				if (!isxdigit((unsigned char)p[i]))
					return NULL;
			p += 4;
		} else if (!*p || !strchr("\"\\/bfnrt", *p)) {
			return NULL;
		}
	}
	return p + 1;
}

static const char *read_number(const char *p)
{
	p += *p == '-';
	if (*p == '0')
		p++;
	else if (isdigit((unsigned char)*p))
		p += strspn(p, "0123456789");
	else
		return NULL;
	if (*p == '.') {
		size_t n = strspn(p + 1, "0123456789");

		return n ? p + 1 + n : NULL;
	}
	return p;
}

static const char *read_json(const char *p);

static const char *read_list(const char *p, char end, bool has_keys)
{
	p = skip_space(p + 1);
	if (*p == end)
		return p + 1;
	for (;;) {
		if (has_keys) {
			p = read_text(skip_space(p));
			p = p ? skip_space(p) : NULL;
			if (!p || *p++ != ':')
				return NULL;
		}
		p = read_json(p);
		if (!p)
			return NULL;
		p = skip_space(p);
		if (*p == end)
			return p + 1;
		if (*p++ != ',')
			return NULL;
	}
}

static const char *read_json(const char *p)
{
	static const char *const words[] = {"true", "false", "null"};

	p = skip_space(p);
	if (*p == '{')
		return read_list(p, '}', true);
	if (*p == '[')
		return read_list(p, ']', false);
	if (*p == '"')
		return read_text(p);
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strncmp(p, words[i], strlen(words[i])) == 0)
			return p + strlen(words[i]);
	return read_number(p);
}

bool json_is_valid(const char *text)
{
	const char *end = read_json(text);

	return end && *skip_space(end) == '\0';
}
