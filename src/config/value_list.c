/*
 * Values of several words: struct config_strings, each word checked by the type.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/endpoint.h"
#include "config/pattern.h"
#include "config/expand.h"
#include "config/value_field.h"

/* Gives the word as it is to be kept, or NULL and an error. */
typedef char *word_check(
    const struct reading *r, const struct setting *s, const struct key *key, const char *word);

static struct config_strings *strings_of(const struct key *key, const void *object)
{
	return FIELD(struct config_strings, key, object);
}

static void read_word(const struct reading *r, const struct setting *s, const struct key *key,
    struct config_strings *words, word_check *check)
{
	const char *text = s->type == SETTING_BROKEN ? NULL : value_need_string(r, s, key);
	char *word = text ? check(r, s, key, text) : NULL;

	if (!word)
		return;
	if (config_strings_has(words, word))
		reading_error(r, s, "`%s` has `%s` twice", key->name, text);
	else
		config_strings_add_at(words, word, s->line);
	free(word);
}

static void read_words(const struct reading *r, const struct setting *s, const struct key *key,
    void *object, word_check *check)
{
	struct config_strings words = {.place = {.file = r->file, .line = s->line}};

	if (s->type == SETTING_STRING) {
		read_word(r, s, key, &words, check);
	} else if (s->type != SETTING_ARRAY && s->type != SETTING_LIST) {
		reading_error(r, s, "`%s` must be a string or an array of strings, not %s",
		    key->name, setting_type_name(s->type));
	} else if (s->child_count == 0) {
		reading_error(r, s, "`%s` is an empty list", key->name);
	} else {
		for (size_t i = 0; i < s->child_count; i++)
			read_word(r, &s->children[i], key, &words, check);
	}
	config_strings_clear(strings_of(key, object));
	*strings_of(key, object) = words;
}

static void clear_words(const struct key *key, void *object)
{
	config_strings_clear(strings_of(key, object));
}

static void copy_words(const struct key *key, void *to, const void *from)
{
	const struct config_strings *words = strings_of(key, from);

	*strings_of(key, to) = (struct config_strings){.place = words->place};
	for (size_t i = 0; i < words->n; i++)
		config_strings_add_at(strings_of(key, to), words->v[i], words->lines[i]);
}

static bool equal_words(const struct key *key, const void *a, const void *b)
{
	const struct config_strings *x = strings_of(key, a), *y = strings_of(key, b);

	if (x->n != y->n)
		return false;
	for (size_t i = 0; i < x->n; i++)
		if (strcmp(x->v[i], y->v[i]) != 0)
			return false;
	return true;
}

static void write_words_with(
    const struct key *key, struct strbuf *out, const void *object, char *(*quote)(const char *word))
{
	const struct config_strings *words = strings_of(key, object);

	for (size_t i = 0; i < words->n; i++) {
		char *word = quote(words->v[i]);
		strbuf_add(out, i > 0 ? ", " : words->n > 1 ? "[" : "");
		value_write_string(out, word);
		free(word);
	}
	if (words->n > 1)
		strbuf_add(out, "]");
}

static void write_words(const struct key *key, struct strbuf *out, const void *object)
{
	write_words_with(key, out, object, mem_strdup);
}

static void write_paths(const struct key *key, struct strbuf *out, const void *object)
{
	write_words_with(key, out, object, expand_quote);
}

static char *check_name(
    const struct reading *r, const struct setting *s, const struct key *key, const char *word)
{
	(void)r;
	(void)s;
	(void)key;
	return mem_strdup(word);
}

bool value_has_key_file(const char *path)
{
	char *public = str_format("%s.pub", path);
	bool has = access(path, F_OK) == 0 || access(public, F_OK) == 0;

	free(public);
	return has;
}

static bool is_there(const struct key *key, const char *path)
{
	return key->type == &value_identity ? value_has_key_file(path) : access(path, F_OK) == 0;
}

static char *check_path(
    const struct reading *r, const struct setting *s, const struct key *key, const char *word)
{
	char *path = value_expand_path(r, s, key, word);

	if (path && (key->flags & KEY_EXISTS) && !is_there(key, path))
		reading_warning(r, s, "`%s`: there is no file %s now", key->name, path);
	return path;
}

static char *check_include(
    const struct reading *r, const struct setting *s, const struct key *key, const char *word)
{
	struct err e = ERR_INIT;
	char *pattern = expand_pattern(word, r->dir, &e);

	if (!pattern)
		reading_error(r, s, "`%s`: %s", key->name, e.text);
	return pattern;
}

bool value_is_algorithm_name(const char *name)
{
	size_t n = strlen(name);

	if (strchr("+-^", *name)) /* which would be a change of a list */
		return false;
	for (size_t i = 0; i < n; i++)
		if (name[i] <= ' ' || name[i] >= 0x7f || name[i] == ',')
			return false;
	return n > 0 && n <= 64;
}

/* Whether it exists is for whoever knows. */
static char *check_algorithm(
    const struct reading *r, const struct setting *s, const struct key *key, const char *word)
{
	if (strchr(word, ',')) {
		reading_error(r, s,
		    "`%s`: a list is written `[\"first\", \"second\"]`, without commas in a string",
		    key->name);
		return NULL;
	}
	if (strchr("+-^", *word)) {
		reading_error(r, s,
		    "`%s`: `%s`: the whole list is wanted; `+`, `-` and `^` are not read",
		    key->name, word);
		return NULL;
	}
	if (!value_is_algorithm_name(word)) {
		reading_error(r, s, "`%s`: `%s` is no name of an algorithm", key->name, word);
		return NULL;
	}
	return mem_strdup(word);
}

static bool is_base64(const char *text, size_t n)
{
	struct wr out = WR_INIT;
	bool valid = str_base64_decode((struct span){(const uint8_t *)text, n}, &out);

	wr_clear(&out);
	return valid;
}

/* "SHA256:" and 43 characters of unpadded base64, as ssh-keygen -l prints; or a public key's type
 * and its base64. */
static char *check_pin(
    const struct reading *r, const struct setting *s, const struct key *key, const char *word)
{
	const char *space = strchr(word, ' ');

	if (strncmp(word, "SHA256:", 7) == 0) {
		size_t n = strcspn(word + 7, "=");
		if (n == 43 && strspn(word + 7 + n, "=") == strlen(word + 7 + n) &&
		    is_base64(word + 7, n))
			return mem_strndup(word, 7 + n);
		reading_error(
		    r, s, "`%s`: a fingerprint is SHA256: and 43 characters of base64", key->name);
		return NULL;
	}
	if (strncmp(word, "MD5:", 4) == 0) {
		reading_error(r, s,
		    "`%s`: MD5 fingerprints prove nothing any more: `ssh-keygen -lf` prints SHA256",
		    key->name);
		return NULL;
	}
	if (space) {
		const char *blob = space + strspn(space, " ");
		size_t n = strcspn(blob, " ");
		if (n > 0 && strncmp(blob, "AAAA", 4) == 0 && is_base64(blob, n))
			return str_format("%.*s %.*s", (int)(space - word), word, (int)n, blob);
	}
	reading_error(r, s,
	    "`%s`: neither `SHA256:...` nor a public key, as in `ssh-ed25519 AAAA...`", key->name);
	return NULL;
}

static char *check_block(
    const struct reading *r, const struct setting *s, const struct key *key, const char *word)
{
	struct err e = ERR_INIT;

	if (pattern_check_block(word, &e) == ERR_OK)
		return mem_strdup(word);
	reading_error(r, s, "`%s`: %s", key->name, e.text);
	return NULL;
}

static char *check_target(
    const struct reading *r, const struct setting *s, const struct key *key, const char *word)
{
	struct err e = ERR_INIT;

	struct pattern_target target = {0};

	if (pattern_parse_target(word, &target, &e) < 0) {
		reading_error(r, s, "`%s`: %s", key->name, e.text);
		return NULL;
	}
	pattern_target_clear(&target);
	return mem_strdup(word);
}

static char *check_user(
    const struct reading *r, const struct setting *s, const struct key *key, const char *word)
{
	if (value_is_user(word))
		return mem_strdup(word);
	reading_error(r, s, "`%s`: this machine has no user `%s`", key->name, word);
	return NULL;
}

static char *check_group(
    const struct reading *r, const struct setting *s, const struct key *key, const char *word)
{
	if (value_is_group(word))
		return mem_strdup(word);
	reading_error(r, s, "`%s`: this machine has no group `%s`", key->name, word);
	return NULL;
}

#define WORDS(type, check, writer) \
	static void read_##type( \
	    const struct reading *r, const struct setting *s, const struct key *key, void *object) \
	{ \
		read_words(r, s, key, object, check); \
	} \
	const struct value_type value_##type = { \
	    read_##type, clear_words, copy_words, equal_words, writer}

WORDS(names, check_name, write_words);
WORDS(paths, check_path, write_paths);
WORDS(includes, check_include, write_words);
WORDS(algorithms, check_algorithm, write_words);
WORDS(pins, check_pin, write_words);
WORDS(cidrs, check_block, write_words);
WORDS(patterns, check_target, write_words);
WORDS(users, check_user, write_words);
WORDS(groups, check_group, write_words);

/* The default files, spelled out, are not the default: they must exist then, and the agent's other keys are not tried. */
static bool equal_identity(const struct key *key, const void *a, const void *b)
{
	const struct config_host *x = a, *y = b;

	return x->identity_is_default == y->identity_is_default && equal_words(key, a, b);
}
const struct value_type value_identity = {
    read_paths, clear_words, copy_words, equal_identity, write_paths};
