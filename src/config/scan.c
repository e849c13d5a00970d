/*
 * A lexer of libconfig's comments, strings, brackets and numbers, and of nothing else.
 */
#include "config/scan.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define DEPTH_MAX 32 /* a configuration needs five */

struct scanner {
	const char *text;
	size_t n, at;
	int line;
	const char *file;
	struct strbuf *out;
	struct config_errors *errors;

	struct bracket {
		char c;
		int line;
	} open[DEPTH_MAX];
	size_t depth;
};

static char peek(const struct scanner *s, size_t ahead)
{
	return s->at + ahead < s->n ? s->text[s->at + ahead] : '\0';
}

static void copy(struct scanner *s, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (s->text[s->at + i] == '\n')
			s->line++;
	strbuf_add_n(s->out, s->text + s->at, count);
	s->at += count;
}

static void skip_line_comment(struct scanner *s)
{
	const char *end = memchr(s->text + s->at, '\n', s->n - s->at);

	copy(s, end ? (size_t)(end - (s->text + s->at)) : s->n - s->at);
}

static void skip_block_comment(struct scanner *s)
{
	int line = s->line;

	copy(s, 2);
	while (s->at < s->n && !(peek(s, 0) == '*' && peek(s, 1) == '/'))
		copy(s, 1);
	if (s->at < s->n)
		copy(s, 2);
	else
		config_errors_add(
		    s->errors, s->file, line, "this comment never ends: */ is missing");
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
			config_errors_add(
			    s->errors, s->file, s->line, "a string cannot contain a zero byte");
		copy(s, peek(s, 0) == '\\' && s->at + 1 < s->n ? 2 : 1);
	}
	if (s->at < s->n)
		copy(s, 1);
	else
		config_errors_add(
		    s->errors, s->file, line, "this string never ends: a \" is missing");
}

static void skip_name(struct scanner *s)
{
	size_t count = 0;

	while (s->at + count < s->n &&
	       (isalnum((unsigned char)peek(s, count)) || strchr("_-*", peek(s, count))))
		count++;
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
		config_errors_add(s->errors, s->file, s->line, "this number is too large");
		copy(s, count);
		return;
	}
	copy(s, count);
	bool is_long = peek(s, 0) == 'L';
	while (peek(s, 0) == 'L')
		copy(s, 1);
	if (!is_long && (value > INT32_MAX || value < INT32_MIN))
		strbuf_add(s->out, "L");
}

static char closing(char c)
{
	return c == '{' ? '}' : c == '[' ? ']' : ')';
}

static void open_bracket(struct scanner *s)
{
	if (s->depth == DEPTH_MAX) {
		config_errors_add(s->errors, s->file, s->line, "brackets nested too deeply");
		s->at = s->n;
		return;
	}
	s->open[s->depth++] = (struct bracket){.c = peek(s, 0), .line = s->line};
	copy(s, 1);
}

static void close_bracket(struct scanner *s)
{
	char c = peek(s, 0);

	if (s->depth == 0) {
		config_errors_add(s->errors, s->file, s->line, "this `%c` closes nothing", c);
		s->at = s->n;
		return;
	}
	const struct bracket *last = &s->open[s->depth - 1];
	if (closing(last->c) != c) {
		config_errors_add(s->errors, s->file, s->line,
		    "`%c` stands where the `%c` of line %d needs its `%c`", c, last->c, last->line,
		    closing(last->c));
		s->at = s->n; /* all that follows would be reported, and wrongly */
		s->depth = 0;
		return;
	}
	s->depth--;
	copy(s, 1);
}

static void refuse_at(struct scanner *s)
{
	config_errors_add(s->errors, s->file, s->line,
	    strncmp(s->text + s->at, "@include", s->n - s->at < 8 ? s->n - s->at : 8) == 0
		? "@include is not read here: name the file with the key `include`"
		: "`@` has no meaning here");
	s->at++;
}

static void scan_token(struct scanner *s)
{
	char c = peek(s, 0), next = peek(s, 1);

	if (c == '\0') {
		config_errors_add(
		    s->errors, s->file, s->line, "a zero byte: this is not a text file");
		s->at = s->n;
	} else if (c == '#' || (c == '/' && next == '/')) {
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
	}
}

void scan_text(
    const char *text, size_t n, const char *file, struct strbuf *out, struct config_errors *errors)
{
	struct scanner s = {
	    .text = text, .n = n, .line = 1, .file = file, .out = out, .errors = errors};
	size_t errors_before = errors->n;

	while (s.at < s.n)
		scan_token(&s);
	if (errors->n > errors_before)
		return;
	for (size_t i = 0; i < s.depth; i++)
		config_errors_add(errors, file, s.open[i].line,
		    "this `%c` is not closed: a `%c` is missing", s.open[i].c,
		    closing(s.open[i].c));
}
