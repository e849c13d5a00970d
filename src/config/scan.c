/*
 * A lexer of libconfig's comments, strings, names, brackets and numbers, and of nothing else.
 */
#include "config/scan.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

#define UTF8_BOM "\xef\xbb\xbf" /* some editors begin a file with it, and nobody sees it */
#define DEPTH_MAX 32            /* a configuration needs five */

struct scanner {
	const char *text;
	size_t n, at;
	int line;
	const char *file;
	struct scan *out;
	struct config_errors *errors;

	/* The text as a whole, then what was opened and not closed. */
	struct level {
		char bracket; /* of the text: '{', which it is without */
		int line;
		struct map *names;  /* in a group: to the line where the name stands first */
		bool wants_element; /* of an array or a list: its next token begins one */
	} levels[1 + DEPTH_MAX];
	size_t depth;
	bool lost; /* what follows is anybody's guess */

	/* comments and white space are none */
	enum token { TOKEN_OTHER, TOKEN_NAME, TOKEN_ASSIGN, TOKEN_VALUE, TOKEN_END } last;
	size_t last_name, last_name_length; /* in text */
	int last_name_line;
};

static char peek(const struct scanner *s, size_t ahead)
{
	return s->at + ahead < s->n ? s->text[s->at + ahead] : '\0';
}

/* Is this in a group of the top level? */
static bool is_inside(const struct scanner *s)
{
	return s->depth > 0 && s->levels[1].bracket == '{';
}

static struct scan_part *part_of(const struct scanner *s)
{
	return is_inside(s) ? &s->out->inner : &s->out->outer;
}

static struct scan_piece *piece_of(const struct scanner *s)
{
	struct scan_part *part = part_of(s);

	return &part->pieces[part->count - 1];
}

static void add(struct scanner *s, const char *text, size_t count)
{
	strbuf_add_n(&part_of(s)->text, text, count);
}

static void copy(struct scanner *s, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (s->text[s->at + i] != '\n')
			continue;
		s->line++;
		if (is_inside(s))
			strbuf_add_n(&s->out->outer.text, "\n", 1);
	}
	add(s, s->text + s->at, count);
	s->at += count;
}

/* ---- errors ---- */

/* In this piece; the others may be good. */
PRINTF_LIKE(3, 4)
static void refuse(struct scanner *s, int line, const char *format, ...)
{
	char text[ERR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	config_errors_add(s->errors, s->file, line, "%s", text);
	piece_of(s)->broken = true;
}

/* All that follows would be told of, and wrongly. */
static void give_up(struct scanner *s)
{
	s->lost = true;
	s->at = s->n;
}

/* ---- groups ---- */

static void enter(struct scanner *s, char bracket, int line)
{
	s->levels[++s->depth] = (struct level){.bracket = bracket,
	    .line = line,
	    .names = bracket == '{' ? map_new() : NULL,
	    .wants_element = bracket != '{'};
}

static void leave(struct scanner *s)
{
	map_free(s->levels[s->depth--].names);
}

/* What stands before this `=` or `:` is the name of a setting. */
static void define_name(struct scanner *s)
{
	struct map *names = s->levels[s->depth].names;

	if (!names)
		return; /* in a list: a syntax error, of which libconfig tells */
	char *name = mem_strndup(s->text + s->last_name, s->last_name_length);
	void *first = map_get(names, name);
	if (first)
		refuse(s, s->last_name_line, "`%s` is defined twice: first at %s:%d", name, s->file,
		    (int)(intptr_t)first);
	else
		map_put(names, name, (void *)(intptr_t)s->last_name_line);
	free(name);
}

/* ---- pieces ---- */

static void begin_piece(struct scanner *s)
{
	struct scan_part *part = part_of(s);

	part->pieces = mem_grow(part->pieces, part->count + 1, sizeof(*part->pieces));
	part->pieces[part->count++] = (struct scan_piece){.at = part->text.n,
	    .outer = s->out->outer.count - 1,
	    .element = s->out->element_count,
	    .line = s->line};
}

static void end_piece(struct scanner *s)
{
	add(s, "", 1);
}

/* A name behind a name is an error, but of the first one. */
static bool ends_piece(const struct scanner *s)
{
	bool is_digit = s->at > 0 && isdigit((unsigned char)s->text[s->at - 1]);

	return s->last == TOKEN_END || s->last == TOKEN_NAME ||
	       (s->last == TOKEN_VALUE && !is_digit);
}

static void cut_before_name(struct scanner *s)
{
	if ((s->depth == 0 || (s->depth == 1 && is_inside(s))) && ends_piece(s)) {
		end_piece(s);
		begin_piece(s);
	}
}

/* ---- elements ---- */

static bool is_space_or_comment(const struct scanner *s)
{
	char c = peek(s, 0), next = peek(s, 1);

	return isspace((unsigned char)c) || c == '#' || (c == '/' && (next == '/' || next == '*'));
}

/* Before a token that may be the first of an element. */
static void note_element(struct scanner *s)
{
	struct level *level = &s->levels[s->depth];
	struct scan *out = s->out;

	if (is_space_or_comment(s))
		return;
	if (level->wants_element && !strchr(",])}", peek(s, 0))) {
		out->element_lines =
		    mem_grow(out->element_lines, out->element_count + 1, sizeof(int));
		out->element_lines[out->element_count++] = s->line;
		level->wants_element = false;
	} else if (peek(s, 0) == ',' && level->bracket != '{' && s->depth > 0) {
		level->wants_element = true;
	}
}

/* ---- tokens ---- */

static void skip_line_comment(struct scanner *s)
{
	const char *end = memchr(s->text + s->at, '\n', s->n - s->at);

	copy(s, end ? (size_t)(end - (s->text + s->at)) : s->n - s->at);
	if (!end)
		add(s, "\n", 1); /* libconfig 1.5 knows no comment that the text ends within */
}

static void skip_block_comment(struct scanner *s)
{
	int line = s->line;

	copy(s, 2);
	while (s->at < s->n && !(peek(s, 0) == '*' && peek(s, 1) == '/'))
		copy(s, 1);
	if (s->at < s->n) {
		copy(s, 2);
	} else {
		refuse(s, line, "this comment never ends: */ is missing");
		give_up(s);
	}
}

static bool is_zero_escape(const struct scanner *s)
{
	return peek(s, 0) == '\\' && peek(s, 1) == 'x' && peek(s, 2) == '0' && peek(s, 3) == '0';
}

static void skip_string(struct scanner *s)
{
	int line = s->line;

	copy(s, 1);
	while (s->at < s->n && peek(s, 0) != '"') {
		if (is_zero_escape(s))
			refuse(s, s->line, "a string cannot contain a zero byte");
		copy(s, peek(s, 0) == '\\' && s->at + 1 < s->n ? 2 : 1);
	}
	if (s->at < s->n) {
		copy(s, 1);
	} else {
		refuse(s, line, "this string never ends: a \" is missing");
		give_up(s);
	}
}

static void skip_name(struct scanner *s)
{
	size_t count = 0;

	cut_before_name(s);
	while (s->at + count < s->n &&
	       (isalnum((unsigned char)peek(s, count)) || strchr("_-*", peek(s, count))))
		count++;
	s->last_name = s->at;
	s->last_name_length = count;
	s->last_name_line = s->line;
	if (!piece_of(s)->name)
		piece_of(s)->name = mem_strndup(s->text + s->at, count);
	copy(s, count);
}

/* Integers beyond 32 bits get their L, those beyond 64 an error. */
static void copy_number(struct scanner *s)
{
	size_t sign = peek(s, 0) == '-' || peek(s, 0) == '+';
	bool hex = peek(s, sign) == '0' && (peek(s, sign + 1) == 'x' || peek(s, sign + 1) == 'X');
	size_t count = sign + (hex ? 2 : 0);
	char number[32] = "";

	while (s->at + count < s->n && (hex ? isxdigit((unsigned char)peek(s, count))
					    : isdigit((unsigned char)peek(s, count))))
		count++;
	/* what follows makes it a real number: libconfig reads those well */
	if (!hex && strchr(".eE", peek(s, count)) && peek(s, count)) {
		while (s->at + count < s->n &&
		       (isalnum((unsigned char)peek(s, count)) || strchr(".+-", peek(s, count))))
			count++;
		copy(s, count);
		return;
	}
	if (count < sizeof(number))
		memcpy(number, s->text + s->at, count);
	errno = 0;
	long long value = strtoll(number, NULL, hex ? 16 : 10);
	if (count >= sizeof(number) || errno == ERANGE) {
		refuse(s, s->line, "this number is too large");
		copy(s, count);
		return;
	}
	copy(s, count);
	bool is_long = peek(s, 0) == 'L';
	while (peek(s, 0) == 'L')
		copy(s, 1);
	if (!is_long && (value > INT32_MAX || value < INT32_MIN))
		add(s, "L", 1);
}

static char closing(char c)
{
	return c == '{' ? '}' : c == '[' ? ']' : ')';
}

static void open_bracket(struct scanner *s)
{
	char c = peek(s, 0);

	if (s->depth == DEPTH_MAX) {
		refuse(s, s->line, "brackets nested too deeply");
		give_up(s);
		return;
	}
	copy(s, 1);
	enter(s, c, s->line);
	if (s->depth == 1 && is_inside(s))
		begin_piece(s);
}

static void close_bracket(struct scanner *s)
{
	const struct level *last = &s->levels[s->depth];
	char c = peek(s, 0);

	if (s->depth == 0) {
		refuse(s, s->line, "this `%c` closes nothing", c);
		give_up(s);
		return;
	}
	if (closing(last->bracket) != c) {
		refuse(s, s->line, "`%c` stands where the `%c` of line %d needs its `%c`", c,
		    last->bracket, last->line, closing(last->bracket));
		give_up(s);
		return;
	}
	if (s->depth == 1 && is_inside(s))
		end_piece(s);
	leave(s);
	copy(s, 1);
}

static void refuse_at(struct scanner *s)
{
	bool is_include =
	    strncmp(s->text + s->at, "@include", s->n - s->at < 8 ? s->n - s->at : 8) == 0;

	if (is_include)
		refuse(
		    s, s->line, "@include is not read here: name the file with the key `include`");
	else
		refuse(s, s->line, "`@` has no meaning here");
	s->at++;
}

static void scan_token(struct scanner *s)
{
	char c = peek(s, 0), next = peek(s, 1);

	if (c == '#' || (c == '/' && next == '/')) {
		skip_line_comment(s);
	} else if (c == '/' && next == '*') {
		skip_block_comment(s);
	} else if (c == '"') {
		skip_string(s);
	} else if (strchr("{[(", c)) {
		open_bracket(s);
	} else if (strchr("}])", c)) {
		close_bracket(s);
	} else if (c == '@') {
		refuse_at(s);
	} else if (isalpha((unsigned char)c) || c == '*') {
		skip_name(s);
	} else if (isdigit((unsigned char)c) || (strchr("+-", c) && isdigit((unsigned char)next))) {
		copy_number(s);
	} else {
		copy(s, 1);
		if (c == '/') /* and no comment */
			s->last = TOKEN_OTHER;
	}
}

/* After the token that began with this byte. */
static void remember_token(struct scanner *s, char first)
{
	bool is_name = isalpha((unsigned char)first) || first == '*';

	if (first == '=' || first == ':') {
		if (s->last == TOKEN_NAME)
			define_name(s);
		s->last = TOKEN_ASSIGN;
	} else if (is_name && s->last != TOKEN_ASSIGN) {
		s->last = TOKEN_NAME;
	} else if (is_name || isdigit((unsigned char)first) || strchr("\"+-", first)) {
		s->last = TOKEN_VALUE;
	} else if (strchr(";,}])", first)) {
		s->last = TOKEN_END;
	} else if (!isspace((unsigned char)first) && first != '#' && first != '/') {
		s->last = TOKEN_OTHER;
	}
}

/* Wherever it stands, in a comment as well: libconfig's text would end there, and nobody hear of the rest. */
static bool has_zero_byte(const struct scanner *s)
{
	const char *zero = memchr(s->text, '\0', s->n);
	int line = 1;

	if (!zero)
		return false;
	for (const char *p = s->text; p < zero; p++)
		line += *p == '\n';
	config_errors_add(s->errors, s->file, line, "a zero byte: this is not a text file");
	return true;
}

static void report_open_brackets(struct scanner *s)
{
	for (size_t i = 1; i <= s->depth; i++)
		config_errors_add(s->errors, s->file, s->levels[i].line,
		    "this `%c` is not closed: a `%c` is missing", s->levels[i].bracket,
		    closing(s->levels[i].bracket));
	s->lost = true;
}

bool scan_text(const char *text, size_t n, const char *file, struct scan *ret_scan,
    struct config_errors *errors)
{
	struct scanner s = {
	    .text = text, .n = n, .line = 1, .file = file, .out = ret_scan, .errors = errors};

	*ret_scan = (struct scan){0};
	if (has_zero_byte(&s))
		return false;
	if (n >= strlen(UTF8_BOM) && memcmp(text, UTF8_BOM, strlen(UTF8_BOM)) == 0)
		s.at = strlen(UTF8_BOM);
	s.levels[0].names = map_new();
	begin_piece(&s);
	while (s.at < s.n) {
		char first = peek(&s, 0);

		note_element(&s);
		scan_token(&s);
		remember_token(&s, first);
	}
	if (s.depth > 0 && !s.lost)
		report_open_brackets(&s);
	while (s.depth > 0)
		leave(&s);
	end_piece(&s);
	map_free(s.levels[0].names);
	return !s.lost;
}

static void part_clear(struct scan_part *part)
{
	for (size_t i = 0; i < part->count; i++)
		free(part->pieces[i].name);
	free(part->pieces);
	strbuf_clear(&part->text);
}

void scan_clear(struct scan *scan)
{
	part_clear(&scan->outer);
	part_clear(&scan->inner);
	free(scan->element_lines);
	*scan = (struct scan){0};
}
