/*
 * The one file that knows libconfig: parses a text with it and copies what it found into our own
 * tree.
 *
 * config/read.h stays outside: libconfig uses some of the same names.
 */
#include "config/tree.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "config/scan.h"

/* errors.h gives its own function this name by a macro; libconfig's is a macro in 1.5 and a
 * function in 1.7 */
#undef config_error_text
#include <libconfig.h>

/* libconfig 1.5 loses the string before a syntax error: some bytes a faulty file, which no test can help. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADDRESS_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(ADDRESS_SANITIZER)
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so";
}
#endif

const char *setting_type_name(enum setting_type type)
{
	static const char *const names[] = {[SETTING_GROUP] = "a group",
	    [SETTING_ARRAY] = "an array",
	    [SETTING_LIST] = "a list",
	    [SETTING_INT] = "a number",
	    [SETTING_FLOAT] = "a number",
	    [SETTING_STRING] = "a string",
	    [SETTING_BOOL] = "true or false"};

	return names[type];
}

const struct setting *tree_find(const struct setting *group, const char *name)
{
	for (size_t i = 0; i < group->child_count; i++)
		if (group->children[i].name && strcmp(group->children[i].name, name) == 0)
			return &group->children[i];
	return NULL;
}

static void setting_clear(struct setting *s)
{
	for (size_t i = 0; i < s->child_count; i++)
		setting_clear(&s->children[i]);
	free(s->children);
	free(s->name);
	free(s->string);
}

void tree_free(struct setting *root)
{
	if (!root)
		return;
	setting_clear(root);
	free(root);
}

static enum setting_type type_of(const config_setting_t *from)
{
	switch (config_setting_type(from)) {
	case CONFIG_TYPE_GROUP:
		return SETTING_GROUP;
	case CONFIG_TYPE_ARRAY:
		return SETTING_ARRAY;
	case CONFIG_TYPE_LIST:
		return SETTING_LIST;
	case CONFIG_TYPE_FLOAT:
		return SETTING_FLOAT;
	case CONFIG_TYPE_STRING:
		return SETTING_STRING;
	case CONFIG_TYPE_BOOL:
		return SETTING_BOOL;
	default:
		return SETTING_INT;
	}
}

static void setting_copy(struct setting *to, const config_setting_t *from)
{
	*to = (struct setting){.type = type_of(from),
	    .name = mem_strdup(config_setting_name(from)),
	    .line = (int)config_setting_source_line(from)};
	switch (to->type) {
	case SETTING_INT:
		to->integer = config_setting_get_int64(from);
		break;
	case SETTING_BOOL:
		to->integer = config_setting_get_bool(from);
		break;
	case SETTING_FLOAT:
		to->real = config_setting_get_float(from);
		break;
	case SETTING_STRING:
		to->string = mem_strdup(config_setting_get_string(from));
		break;
	case SETTING_GROUP:
	case SETTING_ARRAY:
	case SETTING_LIST:
		to->child_count = (size_t)config_setting_length(from);
		to->children = mem_array(to->child_count, sizeof(*to->children));
		for (size_t i = 0; i < to->child_count; i++)
			setting_copy(&to->children[i], config_setting_get_elem(from, (unsigned)i));
		break;
	}
}

/* The text of a line, without the white space around it; gives. */
static char *line_text(const char *text, int line)
{
	while (--line > 0 && (text = strchr(text, '\n')))
		text++;
	if (!text)
		return mem_strdup("");
	text += strspn(text, " \t");
	size_t n = strcspn(text, "\r\n");
	while (n > 0 && isspace((unsigned char)text[n - 1]))
		n--;
	return mem_strndup(text, n < 60 ? n : 60);
}

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '_' || c == '*';
}

/*
 * What libconfig calls "duplicate setting name" it does not name. The group it was in is the last
 * of the tree so far, or the last of the last, and the name stands on the line; gives the first
 * setting of a name on that line, or NULL.
 */
static const config_setting_t *find_first_of_duplicate(const config_t *parsed, const char *line)
{
	for (const char *p = line; *p;) {
		size_t n = 0;
		while (is_name_char(p[n]))
			n++;
		if (n == 0) {
			p++;
			continue;
		}
		char *name = mem_strndup(p, n);
		const config_setting_t *found = NULL;
		config_setting_t *group = config_root_setting(parsed);
		while (group && config_setting_is_aggregate(group)) {
			config_setting_t *member = config_setting_is_group(group)
						       ? config_setting_get_member(group, name)
						       : NULL;
			int length = config_setting_length(group);
			config_setting_t *last =
			    length ? config_setting_get_elem(group, (unsigned)length - 1) : NULL;
			if (member)
				found = member;
			group = last;
		}
		free(name);
		if (found)
			return found;
		p += n;
	}
	return NULL;
}

/* A name with a dot is the syntax error that people make: host names look like names. */
static bool has_dotted_name(const char *line)
{
	size_t n = strcspn(line, " \t=:{");
	const char *after = line + n + strspn(line + n, " \t");

	return n > 0 && isalnum((unsigned char)line[0]) && memchr(line, '.', n) &&
	       (*after == '=' || *after == ':');
}

static void explain(
    const config_t *parsed, const char *text, const char *file, struct config_errors *errors)
{
	const char *what = config_error_text(parsed);
	int line = config_error_line(parsed);
	char *shown = line_text(text, line);
	struct strbuf quoted = {0};

	strbuf_add_escaped(&quoted, (struct span){(const uint8_t *)shown, strlen(shown)});
	if (what && strcmp(what, "duplicate setting name") == 0) {
		const config_setting_t *first = find_first_of_duplicate(parsed, shown);
		if (first)
			config_errors_add(errors, file, line,
			    "`%s` is defined twice: first at %s:%d", config_setting_name(first),
			    file, (int)config_setting_source_line(first));
		else
			config_errors_add(errors, file, line, "a name is defined twice here");
	} else if (has_dotted_name(shown)) {
		config_errors_add(errors, file, line,
		    "syntax error: a name has letters, digits, - and _ only, not a dot: %s",
		    strbuf_text(&quoted));
	} else if (*shown == '\0') {
		config_errors_add(errors, file, line, "%s just before this line", what);
	} else {
		config_errors_add(
		    errors, file, line, "%s at, or just before: %s", what, strbuf_text(&quoted));
	}
	strbuf_clear(&quoted);
	free(shown);
}

struct setting *tree_parse(
    const char *text, size_t n, const char *file, struct config_errors *errors)
{
	size_t errors_before = errors->n;
	struct strbuf prepared = {0};
	struct setting *root = NULL;
	config_t parsed;

	scan_text(text, n, file, &prepared, errors);
	if (errors->n > errors_before) {
		strbuf_clear(&prepared);
		return NULL;
	}
	config_init(&parsed);
	if (config_read_string(&parsed, strbuf_text(&prepared))) {
		root = NEW(struct setting);
		setting_copy(root, config_root_setting(&parsed));
	} else {
		explain(&parsed, strbuf_text(&prepared), file, errors);
	}
	config_destroy(&parsed);
	strbuf_clear(&prepared);
	return root;
}
