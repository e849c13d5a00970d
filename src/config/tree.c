/*
 * The one file that knows libconfig: parses a text with it, piece by piece (scan.h), and copies what
 * it found into our own tree.
 *
 * config/read.h stays outside: libconfig uses some of the same names.
 */
#include "config/tree.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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
	    [SETTING_BOOL] = "true or false",
	    [SETTING_BROKEN] = "something that cannot be read"};

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

/* Where the settings of one text stand. */
struct lines {
	int first;           /* that where the text begins */
	const int *elements; /* of those that have no name, in their order */
	const int *end;
	bool has_broken_values;
};

/* An element's group and list come before what is in them. */
static int line_of(const config_setting_t *from, struct lines *lines)
{
	if (!config_setting_name(from) && lines->elements < lines->end)
		return *lines->elements++;
	return lines->first - 1 + (int)config_setting_source_line(from);
}

static void setting_add_children(
    struct setting *to, const config_setting_t *from, struct lines *lines);

static void setting_copy(struct setting *to, const config_setting_t *from, struct lines *lines)
{
	*to = (struct setting){.type = type_of(from),
	    .name = mem_strdup(config_setting_name(from)),
	    .line = line_of(from, lines)};
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
		if (lines->has_broken_values &&
		    strncmp(to->string, SCAN_BROKEN, strlen(SCAN_BROKEN)) == 0)
			to->type = SETTING_BROKEN;
		break;
	case SETTING_GROUP:
	case SETTING_ARRAY:
	case SETTING_LIST:
		setting_add_children(to, from, lines);
		break;
	case SETTING_BROKEN:
		break;
	}
}

static void setting_add_children(
    struct setting *to, const config_setting_t *from, struct lines *lines)
{
	size_t more = (size_t)config_setting_length(from);

	to->children = mem_grow(to->children, to->child_count + more, sizeof(*to->children));
	for (size_t i = 0; i < more; i++)
		setting_copy(&to->children[to->child_count++],
		    config_setting_get_elem(from, (unsigned)i), lines);
}

/* Where the line begins in which this is, unless that is far away. */
static const char *line_start(const char *text, const char *at)
{
	for (int i = 0; i < 200 && at > text && at[-1] != '\n'; i++)
		at--;
	return at;
}

/* The text of the line so many lines below the one that at is in, without the white space around it; gives. */
static char *line_text(const char *text, size_t n, const char *at, int below)
{
	const char *end = text + n, *stop;

	for (at = line_start(text, at); below > 0; below--) {
		at = memchr(at, '\n', (size_t)(end - at));
		if (!at++)
			return mem_strdup("");
	}
	stop = memchr(at, '\n', (size_t)(end - at));
	stop = stop ? stop : end;
	while (at < stop && isspace((unsigned char)*at))
		at++;
	while (at < stop && isspace((unsigned char)stop[-1]))
		stop--;
	n = (size_t)(stop - at);
	return mem_strndup(at, n < 60 ? n : 60);
}

/* A name with a dot is the syntax error that people make: host names look like names. */
static bool has_dotted_name(const char *line)
{
	size_t n = strcspn(line, " \t=:{");
	const char *after = line + n + strspn(line + n, " \t");

	return n > 0 && isalnum((unsigned char)line[0]) && memchr(line, '.', n) &&
	       (*after == '=' || *after == ':');
}

/* A password, or a passphrase, may stand there as nobody should write it. */
static bool may_be_secret(const char *line)
{
	for (; *line; line++)
		if (strncasecmp(line, "pass", 4) == 0)
			return true;
	return false;
}

/* One text for libconfig, and where it comes from. */
struct source {
	const char *text; /* the whole */
	size_t n;
	const struct scan *scan;
	const struct scan_part *part;
	const struct scan_piece *piece;
	const char *file;
	struct config_errors *errors;
};

/* Where the piece's text is not what libconfig expects; at its end that is the last line that has something. */
static int error_line(const config_t *parsed, const struct source *from)
{
	const char *text = from->part->text.text + from->piece->at;
	size_t n = strlen(text);
	int last = from->piece->line, line = from->piece->line - 1 + config_error_line(parsed);

	while (n > 0 && isspace((unsigned char)text[n - 1]))
		n--;
	while (n-- > 0)
		last += text[n] == '\n';
	return line < last ? line : last;
}

static void explain(const config_t *parsed, const struct source *from)
{
	const char *what = config_error_text(parsed);
	int line = error_line(parsed, from);
	char *shown = line_text(
	    from->text, from->n, from->text + from->piece->origin, line - from->piece->line);
	struct strbuf quoted = {0};

	strbuf_add_printable(&quoted, (struct span){(const uint8_t *)shown, strlen(shown)});
	if (has_dotted_name(shown)) {
		config_errors_add(from->errors, from->file, line,
		    "syntax error: a name has letters, digits, - and _ only, not a dot: %s",
		    strbuf_text(&quoted));
	} else if (*shown == '\0' || may_be_secret(shown)) {
		config_errors_add(
		    from->errors, from->file, line, "%s at, or just before, this line", what);
	} else {
		config_errors_add(from->errors, from->file, line, "%s at, or just before: %s", what,
		    strbuf_text(&quoted));
	}
	strbuf_clear(&quoted);
	free(shown);
}

static void add_broken(struct setting *group, const struct scan_piece *piece)
{
	group->children =
	    mem_grow(group->children, group->child_count + 1, sizeof(*group->children));
	group->children[group->child_count++] = (struct setting){.type = SETTING_BROKEN,
	    .name = mem_strdup(piece->name ? piece->name : ""),
	    .line = piece->line};
}

/* Adds the settings of the piece to the group; or a broken one, and the error if it is not told yet. */
static void parse_piece(const struct source *from, struct setting *group)
{
	config_t parsed;

	if (from->piece->broken) {
		add_broken(group, from->piece);
		return;
	}
	config_init(&parsed);
	if (config_read_string(&parsed, from->part->text.text + from->piece->at)) {
		struct lines lines = {from->piece->line,
		    from->scan->element_lines + from->piece->element,
		    from->scan->element_lines + from->scan->element_count,
		    from->piece->has_broken_values};
		setting_add_children(group, config_root_setting(&parsed), &lines);
	} else {
		explain(&parsed, from);
		add_broken(group, from->piece);
	}
	config_destroy(&parsed);
}

/* A piece has one group at most: a name behind it would begin the next. */
static struct setting *find_group(struct setting *root, size_t from)
{
	for (size_t i = from; i < root->child_count; i++)
		if (root->children[i].type == SETTING_GROUP)
			return &root->children[i];
	return NULL;
}

static void parse_pieces(struct source source, struct setting *root)
{
	const struct scan *scan = source.scan;
	size_t next = 0;

	for (size_t i = 0; i < scan->outer.count; i++) {
		struct setting nowhere = {0}; /* a group without a name has errors all the same */
		size_t before = root->child_count;

		source.part = &scan->outer;
		source.piece = &scan->outer.pieces[i];
		parse_piece(&source, root);
		struct setting *group = find_group(root, before);
		source.part = &scan->inner;
		for (; next < scan->inner.count && scan->inner.pieces[next].outer == i; next++) {
			source.piece = &scan->inner.pieces[next];
			parse_piece(&source, group ? group : &nowhere);
		}
		setting_clear(&nowhere);
	}
}

struct setting *tree_parse(
    const char *text, size_t n, const char *file, struct config_errors *errors)
{
	struct setting *root = NULL;
	struct scan scan;

	if (scan_text(text, n, file, &scan, errors)) {
		root = NEW(struct setting);
		root->type = SETTING_GROUP;
		parse_pieces(
		    (struct source){
			.text = text, .n = n, .scan = &scan, .file = file, .errors = errors},
		    root);
	}
	scan_clear(&scan);
	return root;
}
