/*
 * Values of one word: texts, numbers, choices. Lists are in value_list.c, what only one key has in
 * value_special.c.
 */
#include "config/value.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/account.h"
#include "base/mem.h"
#include "config/endpoint.h"
#include "config/expand.h"
#include "config/keys.h"
#include "config/value_field.h"

PRINTF_LIKE(4, 0)
static void add(struct config_errors *errors, const struct reading *r, const struct setting *at,
    const char *format, va_list args)
{
	char text[ERR_TEXT_MAX];

	vsnprintf(text, sizeof(text), format, args);
	config_errors_add(errors, r->file, at->line, "%s", text);
}

void reading_error(const struct reading *r, const struct setting *at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(r->errors, r, at, format, args);
	va_end(args);
}

void reading_warning(const struct reading *r, const struct setting *at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(r->warnings, r, at, format, args);
	va_end(args);
}

void value_write_string(struct strbuf *out, const char *text)
{
	strbuf_add(out, "\"");
	for (const char *p = text; *p; p++) {
		if (*p == '"' || *p == '\\')
			strbuf_addf(out, "\\%c", *p);
		else if ((unsigned char)*p < 0x20 || *p == 0x7f)
			strbuf_addf(out, "\\x%02x", (unsigned)*p);
		else
			strbuf_add_n(out, p, 1);
	}
	strbuf_add(out, "\"");
}

enum { VALUE_LENGTH_MAX = 4096 }; /* of a path, and enough for a public key */

const char *value_need_string(
    const struct reading *r, const struct setting *s, const struct key *key)
{
	if (s->type != SETTING_STRING) {
		reading_error(
		    r, s, "`%s` must be a string, not %s", key->name, setting_type_name(s->type));
		return NULL;
	}
	if (*s->string == '\0') {
		reading_error(r, s, "`%s` is empty", key->name);
		return NULL;
	}
	if (strlen(s->string) > VALUE_LENGTH_MAX) {
		reading_error(r, s, "`%s` is too long: %zu bytes", key->name, strlen(s->string));
		return NULL;
	}
	if (!span_is_text(span_of(s->string))) {
		reading_error(r, s, "`%s` contains a control character", key->name);
		return NULL;
	}
	return s->string;
}

/* ---- char * ---- */

static char **text_of(const struct key *key, const void *object)
{
	return FIELD(char *, key, object);
}

static void store_text(const struct key *key, void *object, char *text)
{
	free(*text_of(key, object));
	*text_of(key, object) = text;
}

static void clear_text(const struct key *key, void *object)
{
	store_text(key, object, NULL);
}

static void copy_text(const struct key *key, void *to, const void *from)
{
	*text_of(key, to) = mem_strdup(*text_of(key, from));
}

static bool equal_text(const struct key *key, const void *a, const void *b)
{
	const char *x = *text_of(key, a), *y = *text_of(key, b);

	return x && y ? strcmp(x, y) == 0 : x == y;
}

static void write_text(const struct key *key, struct strbuf *out, const void *object)
{
	if (*text_of(key, object))
		value_write_string(out, *text_of(key, object));
}

static void write_path(const struct key *key, struct strbuf *out, const void *object)
{
	const char *path = *text_of(key, object);

	if (!path)
		return;
	char *quoted = expand_quote(path);
	value_write_string(out, quoted);
	free(quoted);
}

static void read_string(
    const struct reading *r, const struct setting *s, const struct key *key, void *object)
{
	const char *text = value_need_string(r, s, key);

	if (text)
		store_text(key, object, mem_strdup(text));
}

static void read_host(
    const struct reading *r, const struct setting *s, const struct key *key, void *object)
{
	const char *text = value_need_string(r, s, key);
	const char *colon = text ? strchr(text, ':') : NULL;
	uint64_t port;

	if (!text)
		return;
	if (endpoint_host_is_valid(text))
		store_text(key, object, mem_strdup(text));
	else if (colon && str_to_u64(colon + 1, 1, 65535, &port))
		reading_error(r, s, "`%s` is the name or address alone: the port is `port = %s`",
		    key->name, colon + 1);
	else if (strchr(text, '@'))
		reading_error(r, s,
		    "`%s` is the name or address alone, not `%s`: the user is the key `user`",
		    key->name, text);
	else if (*text == '[')
		reading_error(r, s, "`%s`: an address alone needs no brackets", key->name);
	else
		reading_error(r, s, "`%s`: `%s` is neither a name nor an address", key->name, text);
}

static void read_ip(
    const struct reading *r, const struct setting *s, const struct key *key, void *object)
{
	const char *text = value_need_string(r, s, key);
	struct in6_addr address;

	if (!text)
		return;
	if (inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1)
		store_text(key, object, mem_strdup(text));
	else
		reading_error(r, s, "`%s`: `%s` is no IP address", key->name, text);
}

static void read_name(
    const struct reading *r, const struct setting *s, const struct key *key, void *object)
{
	struct config_host *host = object;

	if (s->type == SETTING_STRING && *s->string == '\0') {
		store_text(key, object, NULL); /* "" undoes a default */
		return;
	}
	const char *text = value_need_string(r, s, key);
	if (!text)
		return;
	store_text(key, object, mem_strdup(text));
	host->via_place = (struct config_place){.file = r->file, .line = s->line};
}

char *value_expand_path(
    const struct reading *r, const struct setting *s, const struct key *key, const char *text)
{
	struct err e = ERR_INIT;
	char *path = expand_path(text, r->dir, &e);

	if (!path)
		reading_error(r, s, "`%s`: %s", key->name, e.text);
	return path;
}

static void read_control_socket(
    const struct reading *r, const struct setting *s, const struct key *key, void *object)
{
	struct err e = ERR_INIT;

	if (s->type == SETTING_STRING && *s->string == '\0') {
		store_text(key, object, mem_strdup(""));
		return;
	}
	const char *text = value_need_string(r, s, key);
	char *path = text ? value_expand_path(r, s, key, text) : NULL;
	if (!path)
		return;
	if (endpoint_check_socket_path(path, &e) < 0)
		reading_error(r, s, "`%s`: %s", key->name, e.text);
	store_text(key, object, path);
}

bool value_is_user(const char *name)
{
	uid_t uid;

	return account_find_user(name, &uid);
}

bool value_is_group(const char *name)
{
	gid_t gid;

	return account_find_group(name, &gid);
}

static void read_user(
    const struct reading *r, const struct setting *s, const struct key *key, void *object)
{
	const char *text = value_need_string(r, s, key);

	if (text && !value_is_user(text))
		reading_error(r, s, "`%s`: this machine has no user `%s`", key->name, text);
	else if (text)
		store_text(key, object, mem_strdup(text));
}

static void read_group(
    const struct reading *r, const struct setting *s, const struct key *key, void *object)
{
	const char *text = value_need_string(r, s, key);

	if (text && !value_is_group(text))
		reading_error(r, s, "`%s`: this machine has no group `%s`", key->name, text);
	else if (text)
		store_text(key, object, mem_strdup(text));
}

#define TEXT_TYPE(reader, writer) \
	{ \
		.read = (reader), .clear = clear_text, .copy = copy_text, .equal = equal_text, \
		.write = (writer) \
	}
const struct value_type value_string = TEXT_TYPE(read_string, write_text);
const struct value_type value_host = TEXT_TYPE(read_host, write_text);
const struct value_type value_ip = TEXT_TYPE(read_ip, write_text);
const struct value_type value_name = TEXT_TYPE(read_name, write_text);
const struct value_type value_user = TEXT_TYPE(read_user, write_text);
const struct value_type value_group = TEXT_TYPE(read_group, write_text);
const struct value_type value_control_socket = TEXT_TYPE(read_control_socket, write_path);

/* ---- what needs no freeing: one triple of functions a C type ---- */

static void clear_plain(const struct key *key, void *object)
{
	(void)key;
	(void)object;
}

#define PLAIN(name, ctype) \
	static void copy_##name(const struct key *key, void *to, const void *from) \
	{ \
		*FIELD(ctype, key, to) = *FIELD(ctype, key, from); \
	} \
	static bool equal_##name(const struct key *key, const void *a, const void *b) \
	{ \
		return *FIELD(ctype, key, a) == *FIELD(ctype, key, b); \
	} \
	const struct value_type value_##name = { \
	    read_##name, clear_plain, copy_##name, equal_##name, write_##name}

static void read_bool(
    const struct reading *r, const struct setting *s, const struct key *key, void *object)
{
	if (s->type == SETTING_BOOL)
		*FIELD(bool, key, object) = s->integer != 0;
	else
		reading_error(r, s, "`%s` must be true or false%s, not %s", key->name,
		    s->type == SETTING_STRING ? " without quotes" : "", setting_type_name(s->type));
}

static void write_bool(const struct key *key, struct strbuf *out, const void *object)
{
	strbuf_add(out, *FIELD(bool, key, object) ? "true" : "false");
}

PLAIN(bool, bool);

static bool need_integer(const struct reading *r, const struct setting *s, const struct key *key,
    int64_t min, int64_t max)
{
	if (s->type != SETTING_INT) {
		reading_error(r, s, "`%s` must be a whole number%s, not %s", key->name,
		    s->type == SETTING_STRING ? " without quotes" : "",
		    s->type == SETTING_FLOAT ? "one with a fraction" : setting_type_name(s->type));
		return false;
	}
	if (s->integer < min || s->integer > max) {
		reading_error(r, s, "`%s` must be from %" PRId64 " to %" PRId64 ", not %" PRId64,
		    key->name, min, max, s->integer);
		return false;
	}
	return true;
}

static void read_count(
    const struct reading *r, const struct setting *s, const struct key *key, void *object)
{
	if (need_integer(r, s, key, (int64_t)key->min, (int64_t)key->max))
		*FIELD(unsigned, key, object) = (unsigned)s->integer;
}

static void write_count(const struct key *key, struct strbuf *out, const void *object)
{
	strbuf_addf(out, "%u", *FIELD(unsigned, key, object));
}

PLAIN(count, unsigned);

static void read_port(
    const struct reading *r, const struct setting *s, const struct key *key, void *object)
{
	if (need_integer(r, s, key, 1, 65535))
		*FIELD(uint16_t, key, object) = (uint16_t)s->integer;
}

static void write_port(const struct key *key, struct strbuf *out, const void *object)
{
	strbuf_addf(out, "%u", *FIELD(uint16_t, key, object));
}

PLAIN(port, uint16_t);

static void read_bytes(
    const struct reading *r, const struct setting *s, const struct key *key, void *object)
{
	if (need_integer(r, s, key, (int64_t)key->min, (int64_t)key->max))
		*FIELD(uint64_t, key, object) = (uint64_t)s->integer;
}

static void write_bytes(const struct key *key, struct strbuf *out, const void *object)
{
	uint64_t bytes = *FIELD(uint64_t, key, object);

	if (bytes)
		strbuf_addf(out, "%" PRIu64 "L", bytes);
}

PLAIN(bytes, uint64_t);

/* Where 0 is never, less than a millisecond is not. */
static uint64_t to_ms(double seconds)
{
	uint64_t ms = (uint64_t)(seconds * 1000 + 0.5);

	return seconds > 0 && ms == 0 ? 1 : ms;
}

static void read_seconds(
    const struct reading *r, const struct setting *s, const struct key *key, void *object)
{
	double seconds = s->type == SETTING_INT ? (double)s->integer : s->real;

	if (s->type != SETTING_INT && s->type != SETTING_FLOAT)
		reading_error(r, s, "`%s` must be a number of seconds%s, not %s", key->name,
		    s->type == SETTING_STRING ? " without quotes" : "", setting_type_name(s->type));
	else if (!isfinite(seconds) || seconds < key->min || seconds > key->max)
		reading_error(r, s, "`%s` must be from %g to %.0f seconds, not %.15g", key->name,
		    key->min, key->max, seconds);
	else
		*FIELD(uint64_t, key, object) = to_ms(seconds);
}

static void write_seconds(const struct key *key, struct strbuf *out, const void *object)
{
	uint64_t ms = *FIELD(uint64_t, key, object);

	strbuf_addf(out, "%" PRIu64, ms / 1000);
	if (ms % 1000)
		strbuf_addf(out, ".%03u", (unsigned)(ms % 1000));
}

PLAIN(seconds, uint64_t);

enum { MODE_WRITE = 0222 };

static void read_mode(
    const struct reading *r, const struct setting *s, const struct key *key, void *object)
{
	char *end;
	unsigned long mode;

	if (s->type == SETTING_INT) { /* libconfig knows no octal numbers: 0660 is 660 */
		reading_error(r, s, "`%s` must be a string of octal digits: `\"0660\"`", key->name);
		return;
	}
	if (!value_need_string(r, s, key))
		return;
	mode = strtoul(s->string, &end, 8);
	if (*end || strspn(s->string, "01234567") != strlen(s->string) || mode > 0777)
		reading_error(r, s, "`%s`: `%s` is no mode: three octal digits, as in `\"0660\"`",
		    key->name, s->string);
	else if ((mode & MODE_WRITE) == 0) /* unix(7) */
		reading_error(r, s,
		    "`%s`: with `%s` nobody could connect: that needs the right to write",
		    key->name, s->string);
	else
		*FIELD(mode_t, key, object) = (mode_t)mode;
}

static void write_mode(const struct key *key, struct strbuf *out, const void *object)
{
	strbuf_addf(out, "\"%04o\"", (unsigned)*FIELD(mode_t, key, object));
}

PLAIN(mode, mode_t);

/* All enums of config.h have the size of an int. */
static void read_choice(
    const struct reading *r, const struct setting *s, const struct key *key, void *object)
{
	struct strbuf all = {0};

	if (!value_need_string(r, s, key))
		return;
	for (int i = 0; key->choices[i]; i++) {
		if (strcmp(key->choices[i], s->string) == 0) {
			*FIELD(int, key, object) = i;
			strbuf_clear(&all);
			return;
		}
		strbuf_addf(&all, "%s`\"%s\"`",
		    i == 0                ? ""
		    : key->choices[i + 1] ? ", "
					  : " or ",
		    key->choices[i]);
	}
	reading_error(
	    r, s, "`%s` must be %s, not `\"%s\"`", key->name, strbuf_text(&all), s->string);
	strbuf_clear(&all);
}

static void write_choice(const struct key *key, struct strbuf *out, const void *object)
{
	value_write_string(out, key->choices[*FIELD(int, key, object)]);
}

PLAIN(choice, int);
