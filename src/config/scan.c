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
#include <strings.h>

#include "base/map.h"
#include "base/mem.h"

#define UTF8_BOM "\xef\xbb\xbf" /* some editors begin a file with it, and nobody sees it */
#define DEPTH_MAX 32            /* a configuration needs five */

enum token {
	TOKEN_OTHER,
	TOKEN_NAME,
	TOKEN_ASSIGN,
	TOKEN_VALUE,
	TOKEN_END, /* of a setting: a bracket, a semicolon, a comma */
	TOKEN_NONE /* a comment, white space */
};

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
		size_t spare_comma; /* behind its last element, in the text of the part; 0: none */
		bool is_indented;   /* of a group: its first name is not at the left edge */
		bool has_name;
	} levels[1 + DEPTH_MAX];
	size_t depth;
	bool lost; /* what follows is anybody's guess */
	int edge_line; /* the first with a name at the left edge where the others are indented; 0: none */

	enum token last;                    /* but comments and white space */
	size_t last_name, last_name_length; /* in text */
	int last_name_line;
};

static char peek(const struct scanner *s, size_t ahead)
{
	return s->at + ahead < s->n ? s->text[s->at + ahead] : '\0';
}

static bool begins_comment(const struct scanner *s, size_t ahead)
{
	char c = peek(s, ahead), next = peek(s, ahead + 1);

	return c == '#' || (c == '/' && (next == '/' || next == '*'));
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

PRINTF_LIKE(3, 0)
static void tell_args(struct scanner *s, int line, const char *format, va_list args)
{
	char text[ERR_TEXT_MAX];

	vsnprintf(text, sizeof(text), format, args);
	config_errors_add(s->errors, s->file, line, "%s", text);
}

PRINTF_LIKE(3, 4)
static void tell(struct scanner *s, int line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell_args(s, line, format, args);
	va_end(args);
}

/* Nothing of this piece can be read; the others may be good. */
PRINTF_LIKE(3, 4)
static void refuse(struct scanner *s, int line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell_args(s, line, format, args);
	va_end(args);
	piece_of(s)->broken = true;
}

/* In place of a value that was told of. */
static void put_broken_value(struct scanner *s)
{
	struct scan_piece *piece = piece_of(s);

	add(s, "\"" SCAN_BROKEN "\"", strlen("\"" SCAN_BROKEN "\""));
	piece->has_broken_values = true;
	if (s->levels[s->depth].bracket == '[') /* which has values of one type */
		piece->broken = true;
}

static void skip_value(struct scanner *s, size_t count)
{
	s->at += count;
	put_broken_value(s);
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
	    .origin = s->at,
	    .outer = s->out->outer.count - 1,
	    .element = s->out->element_count,
	    .line = s->line};
}

static void end_piece(struct scanner *s)
{
	add(s, "", 1);
}

/* Where a setting has ended, or must have. A name behind a name is an error, but of the first one. */
static bool ends_piece(const struct scanner *s)
{
	return s->last == TOKEN_END || s->last == TOKEN_NAME || s->last == TOKEN_VALUE;
}

static void cut(struct scanner *s)
{
	if (s->depth == 0 || (s->depth == 1 && is_inside(s))) {
		end_piece(s);
		begin_piece(s);
	}
}

/* ---- elements ---- */

/* Before a token that may be the first of an element. */
static void note_element(struct scanner *s)
{
	struct level *level = &s->levels[s->depth];
	struct scan *out = s->out;

	if (isspace((unsigned char)peek(s, 0)) || begins_comment(s, 0))
		return;
	if (level->wants_element && !strchr(",])}", peek(s, 0))) {
		out->element_lines =
		    mem_grow(out->element_lines, out->element_count + 1, sizeof(int));
		out->element_lines[out->element_count++] = s->line;
		level->wants_element = false;
		level->spare_comma = 0;
	} else if (peek(s, 0) == ',' && level->bracket != '{' && s->depth > 0) {
		if (level->wants_element)
			refuse(s, s->line, "nothing stands before this comma");
		level->spare_comma = part_of(s)->text.n;
		level->wants_element = true;
	}
}

/* ---- comments and strings ---- */

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

/* A line's end in a string would be refused in any value; nearly always the quote was forgotten, and what follows is turned
 * inside out. */
static void skip_string(struct scanner *s)
{
	copy(s, 1);
	while (s->at < s->n && !strchr("\"\n", peek(s, 0))) {
		if (is_zero_escape(s))
			refuse(s, s->line, "a string cannot contain a zero byte");
		copy(s, peek(s, 0) == '\\' && s->at + 1 < s->n && peek(s, 1) != '\n' ? 2 : 1);
	}
	if (peek(s, 0) == '"') {
		copy(s, 1);
	} else {
		refuse(s, s->line, "this string does not end in its line: a \" is missing");
		give_up(s);
	}
}

/* ---- words ---- */

/* How many bytes from there on, up to white space or what ends a word without quotes. */
static size_t word_length(const struct scanner *s)
{
	size_t count = 0;

	while (s->at + count < s->n && !isspace((unsigned char)peek(s, count)) &&
	       !strchr("=;,{}[]()\"#", peek(s, count)) && !begins_comment(s, count))
		count++;
	return count;
}

static size_t name_length(const struct scanner *s)
{
	size_t count = 0;

	while (s->at + count < s->n &&
	       (isalnum((unsigned char)peek(s, count)) || strchr("_-*", peek(s, count))))
		count++;
	return count;
}

static bool is_word(const struct scanner *s, const char *word)
{
	size_t n = strlen(word);

	return word_length(s) == n && strncasecmp(s->text + s->at, word, n) == 0;
}

static bool wants_value(const struct scanner *s)
{
	return s->last == TOKEN_ASSIGN || (s->depth > 0 && s->levels[s->depth].bracket != '{');
}

/* The name that begins here is one of a setting: `=` or `:` stands behind it; but `host:22` is a word that needs quotes. */
static bool begins_setting(const struct scanner *s)
{
	size_t count = name_length(s);

	if (wants_value(s) && word_length(s) > count + 1 && peek(s, count) == ':')
		return false;
	while (s->at + count < s->n && strchr(" \t\r\n", peek(s, count)))
		count++;
	return s->at + count < s->n && strchr("=:", peek(s, count));
}

/* Whether what stands here may be a secret: it is not repeated. */
static bool is_secret(const struct scanner *s)
{
	return s->last_name_length >= 4 && strncasecmp(s->text + s->last_name, "pass", 4) == 0;
}

static void refuse_word(struct scanner *s, const char *why)
{
	size_t count = word_length(s);
	struct strbuf shown = {0};

	if (!is_secret(s))
		strbuf_add_printable(&shown,
		    (struct span){(const uint8_t *)s->text + s->at, count < 60 ? count : 60});
	tell(s, s->line, "%s%s%s%s", shown.n ? "`" : "",
	    shown.n ? strbuf_text(&shown) : "this text", shown.n ? "` " : " ", why);
	strbuf_clear(&shown);
	skip_value(s, count + (peek(s, count) == '"')); /* one of both may be there */
}

#define NEEDS_QUOTES "needs quotes, as all text does"

static void copy_value_word(struct scanner *s)
{
	if (is_word(s, "true") || is_word(s, "false"))
		copy(s, word_length(s));
	else if (is_word(s, "yes") || is_word(s, "on"))
		refuse_word(s, "is written `true`");
	else if (is_word(s, "no") || is_word(s, "off"))
		refuse_word(s, "is written `false`");
	else
		refuse_word(s, NEEDS_QUOTES);
}

/* Nobody indents by brackets that are not there: where one is missing shows at the left edge. */
static void note_edge(struct scanner *s)
{
	struct level *level = &s->levels[s->depth];
	bool at_edge = s->at == 0 || s->text[s->at - 1] == '\n';

	if (!level->has_name)
		level->is_indented = !at_edge;
	else if (at_edge && level->is_indented && s->depth > 0 && s->edge_line == 0)
		s->edge_line = s->line;
	level->has_name = true;
}

static void copy_name(struct scanner *s)
{
	note_edge(s);
	s->last_name = s->at;
	s->last_name_length = name_length(s);
	s->last_name_line = s->line;
	if (!piece_of(s)->name)
		piece_of(s)->name = mem_strndup(s->text + s->at, s->last_name_length);
	copy(s, s->last_name_length);
}

static enum token scan_word(struct scanner *s)
{
	bool is_name = begins_setting(s);

	if (!is_name && wants_value(s)) {
		copy_value_word(s);
		return TOKEN_VALUE;
	}
	if (is_name && s->last == TOKEN_ASSIGN) {
		tell(s, s->last_name_line, "`%.*s` has no value",
		    s->last_name_length < 60 ? (int)s->last_name_length : 60,
		    s->text + s->last_name);
		put_broken_value(s);
		add(s, " ", 1);
	}
	if (ends_piece(s) || (is_name && s->last == TOKEN_ASSIGN))
		cut(s);
	copy_name(s);
	return TOKEN_NAME;
}

/* ---- numbers ---- */

static size_t skip_digits(const struct scanner *s, size_t at)
{
	while (s->at + at < s->n && isdigit((unsigned char)peek(s, at)))
		at++;
	return at;
}

/* Of what stands behind the digits and makes it a real number. */
static size_t skip_fraction(const struct scanner *s, size_t at)
{
	if (peek(s, at) == '.')
		at = skip_digits(s, at + 1);
	if (peek(s, at) == 'e' || peek(s, at) == 'E') {
		size_t sign = peek(s, at + 1) == '-' || peek(s, at + 1) == '+';
		if (isdigit((unsigned char)peek(s, at + 1 + sign)))
			at = skip_digits(s, at + 1 + sign);
	}
	return at;
}

static bool begins_number(const struct scanner *s)
{
	size_t sign = peek(s, 0) == '-' || peek(s, 0) == '+';

	return isdigit((unsigned char)peek(s, sign + (peek(s, sign) == '.')));
}

/* Integers beyond 32 bits get their L, those beyond 64 an error. */
static void copy_integer(struct scanner *s, size_t count, int base)
{
	char number[32] = "";

	if (count < sizeof(number))
		memcpy(number, s->text + s->at, count);
	errno = 0;
	long long value = strtoll(number, NULL, base);
	if (count >= sizeof(number) || errno == ERANGE) {
		tell(s, s->line, "this number is too large");
		skip_value(s, count);
		return;
	}
	copy(s, count);
	bool is_long = peek(s, 0) == 'L';
	while (peek(s, 0) == 'L')
		copy(s, 1);
	if (!is_long && (value > INT32_MAX || value < INT32_MIN))
		add(s, "L", 1);
}

/* Without zeros before it, which make it octal for libconfig 1.7, and not for 1.5. */
static void copy_decimal(struct scanner *s, size_t sign, size_t count)
{
	size_t zeros = 0;

	while (sign + zeros + 1 < count && peek(s, sign + zeros) == '0')
		zeros++;
	if (zeros > 0) {
		add(s, s->text + s->at, sign);
		s->at += sign + zeros;
		count -= sign + zeros;
	}
	copy_integer(s, count, 10);
}

static enum token scan_number(struct scanner *s)
{
	size_t sign = peek(s, 0) == '-' || peek(s, 0) == '+', count, whole;
	bool hex = peek(s, sign) == '0' && (peek(s, sign + 1) == 'x' || peek(s, sign + 1) == 'X');

	if (hex)
		for (count = sign + 2; isxdigit((unsigned char)peek(s, count));)
			count++;
	else
		count = skip_digits(s, sign);
	whole = hex ? count : skip_fraction(s, count);
	size_t suffix =
	    whole == count && peek(s, count) == 'L' ? 1 + (peek(s, count + 1) == 'L') : 0;
	bool ends = word_length(s) <= whole + suffix;

	if (!ends && wants_value(s))
		refuse_word(s, "is no number, as units are not read; text needs quotes");
	else if (whole > count)
		copy(s, whole);
	else if (hex)
		copy_integer(s, count, 16);
	else
		copy_decimal(s, sign, count);
	return ends ? TOKEN_VALUE : TOKEN_OTHER;
}

/* ---- other quotes ---- */

/* Of the quotes that are none here: how many bytes one has, 0: it is none of them. */
static size_t foreign_quote(const struct scanner *s, size_t at)
{
	static const char *const quotes[] = {
	    "'", "`", "\u2018", "\u2019", "\u201c", "\u201d", "\u201e"};

	for (size_t i = 0; i < ARRAY_LEN(quotes); i++) {
		size_t n = strlen(quotes[i]);
		if (s->n - s->at >= at + n && memcmp(s->text + s->at + at, quotes[i], n) == 0)
			return n;
	}
	return 0;
}

/* Up to the next of them in the line: what is between is text. */
static enum token refuse_quote(struct scanner *s)
{
	size_t first = foreign_quote(s, 0), at = first;

	tell(s, s->line, "text stands in double quotes: \"...\"");
	while (s->at + at < s->n && peek(s, at) != '\n' && !foreign_quote(s, at))
		at++;
	size_t last = s->at + at < s->n ? foreign_quote(s, at) : 0;
	if (!last) {
		s->at += first;
		at = word_length(s);
	}
	skip_value(s, at + last);
	return TOKEN_VALUE;
}

/* ---- brackets ---- */

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
	if (last->spare_comma) /* which libconfig 1.7 takes, and 1.5 does not */
		part_of(s)->text.text[last->spare_comma] = ' ';
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

/* ---- tokens ---- */

static enum token scan_punctuation(struct scanner *s)
{
	char c = peek(s, 0);

	copy(s, 1);
	if (isspace((unsigned char)c))
		return TOKEN_NONE;
	if (strchr(";,", c))
		return TOKEN_END;
	if (!strchr("=:", c))
		return TOKEN_OTHER;
	if (s->last == TOKEN_NAME)
		define_name(s);
	return TOKEN_ASSIGN;
}

static enum token scan_token(struct scanner *s)
{
	char c = peek(s, 0), next = peek(s, 1);

	if (c == '#' || (c == '/' && next == '/')) {
		skip_line_comment(s);
		return TOKEN_NONE;
	}
	if (c == '/' && next == '*') {
		skip_block_comment(s);
		return TOKEN_NONE;
	}
	if (c == '"') {
		skip_string(s);
		return TOKEN_VALUE;
	}
	if (strchr("{[(", c)) {
		open_bracket(s);
		return TOKEN_OTHER;
	}
	if (strchr("}])", c)) {
		close_bracket(s);
		return TOKEN_END;
	}
	if (c == '@') {
		refuse_at(s);
		return TOKEN_OTHER;
	}
	if (isalpha((unsigned char)c) || c == '*')
		return scan_word(s);
	if (begins_number(s))
		return scan_number(s);
	if (wants_value(s) && strchr("/~.", c)) {
		refuse_word(s, NEEDS_QUOTES);
		return TOKEN_VALUE;
	}
	return foreign_quote(s, 0) ? refuse_quote(s) : scan_punctuation(s);
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
	char *where = s->edge_line ? str_format(", perhaps before line %d", s->edge_line) : NULL;

	for (size_t i = 1; i <= s->depth; i++)
		config_errors_add(s->errors, s->file, s->levels[i].line,
		    "this `%c` is not closed: a `%c` is missing%s", s->levels[i].bracket,
		    closing(s->levels[i].bracket), where ? where : "");
	free(where);
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
		note_element(&s);
		enum token token = scan_token(&s);
		if (token != TOKEN_NONE)
			s.last = token;
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
