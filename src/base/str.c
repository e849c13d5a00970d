#include "base/str.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* ---- strbuf ---- */

static void make_room(struct strbuf *b, size_t n)
{
	size_t need = b->n + n + 1;

	if (need <= b->capacity)
		return;
	size_t capacity = b->capacity ? b->capacity : 64;
	while (capacity < need)
		capacity *= 2;
	b->text = mem_grow(b->text, capacity, 1);
	b->capacity = capacity;
}

void strbuf_add_n(struct strbuf *b, const void *p, size_t n)
{
	make_room(b, n);
	if (n)
		memcpy(b->text + b->n, p, n);
	b->n += n;
	b->text[b->n] = '\0';
}

void strbuf_add(struct strbuf *b, const char *text)
{
	strbuf_add_n(b, text, strlen(text));
}

static PRINTF_LIKE(2, 0) void add_vf(struct strbuf *b, const char *format, va_list args)
{
	va_list again;

	va_copy(again, args);
	int n = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (n < 0)
		return;
	make_room(b, (size_t)n);
	vsnprintf(b->text + b->n, (size_t)n + 1, format, args);
	b->n += (size_t)n;
}

void strbuf_addf(struct strbuf *b, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_vf(b, format, args);
	va_end(args);
}

char *str_format(const char *format, ...)
{
	struct strbuf b = {0};
	va_list args;

	va_start(args, format);
	add_vf(&b, format, args);
	va_end(args);
	return strbuf_take(&b);
}

const char *strbuf_text(const struct strbuf *b)
{
	return b->text ? b->text : "";
}

char *strbuf_take(struct strbuf *b)
{
	char *text = b->text ? b->text : mem_strdup("");

	*b = (struct strbuf){0};
	return text;
}

void strbuf_clear(struct strbuf *b)
{
	free(b->text);
	*b = (struct strbuf){0};
}

/* ---- escaping ---- */

/* The length of the well-formed UTF-8 sequence of two to four bytes at p, or 0 (RFC 3629 §4). */
static size_t utf8_length(const uint8_t *p, size_t n)
{
	uint8_t low = 0x80, high = 0xbf;
	size_t length;

	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		length = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		length = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		length = 4;
	else
		return 0;
	if (n < length)
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return length;
}

/* U+0080 to U+009F move a terminal as escape sequences do; U+2028 and U+2029 begin a line in some readers; U+202A.. and U+2066.. turn the
 * order of text. */
static bool utf8_moves_terminal(const uint8_t *p, size_t length)
{
	if (length == 2)
		return p[0] == 0xc2 && p[1] < 0xa0;
	if (length == 3 && p[0] == 0xe2)
		return (p[1] == 0x80 && p[2] >= 0xa8 && p[2] <= 0xae) ||
		       (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9);
	return false;
}

/* Of a sequence of two or three bytes. */
static unsigned code_point(const uint8_t *p, size_t length)
{
	if (length == 2)
		return (unsigned)(p[0] & 0x1f) << 6 | (p[1] & 0x3f);
	return (unsigned)(p[0] & 0x0f) << 12 | (unsigned)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
}

enum escape_quotes { ESCAPE_QUOTES, KEEP_QUOTES };

static void add_escaped(struct strbuf *b, struct span text, enum escape_quotes quotes)
{
	for (size_t i = 0; i < text.n;) {
		uint8_t c = text.p[i];
		size_t length = c < 0x80 ? 0 : utf8_length(text.p + i, text.n - i);

		if (length && !utf8_moves_terminal(text.p + i, length)) {
			strbuf_add_n(b, text.p + i, length);
			i += length;
			continue;
		}
		if (c == '\n')
			strbuf_add(b, "\\n");
		else if (c == '\r')
			strbuf_add(b, "\\r");
		else if (c == '\t')
			strbuf_add(b, "\\t");
		else if ((c == '"' || c == '\\') && quotes == ESCAPE_QUOTES)
			strbuf_addf(b, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			strbuf_addf(b, "\\x%02x", c);
		else
			strbuf_add_n(b, &text.p[i], 1);
		i++;
	}
}

void strbuf_add_escaped(struct strbuf *b, struct span text)
{
	add_escaped(b, text, ESCAPE_QUOTES);
}

void strbuf_add_printable(struct strbuf *b, struct span text)
{
	add_escaped(b, text, KEEP_QUOTES);
}

void strbuf_add_no_pattern(struct strbuf *b, const char *text)
{
	for (; *text; text++) {
		if (strchr("*?[\\", *text))
			strbuf_add(b, "\\");
		strbuf_add_n(b, text, 1);
	}
}

void strbuf_add_json(struct strbuf *b, struct span text)
{
	strbuf_add(b, "\"");
	for (size_t i = 0; i < text.n;) {
		uint8_t c = text.p[i];

		if (c >= 0x80) {
			size_t length = utf8_length(text.p + i, text.n - i);

			if (length && utf8_moves_terminal(text.p + i, length))
				strbuf_addf(b, "\\u%04x", code_point(text.p + i, length));
			else if (length)
				strbuf_add_n(b, text.p + i, length);
			else
				strbuf_add(b, "\xef\xbf\xbd");
			i += length ? length : 1;
			continue;
		}
		if (c == '"' || c == '\\')
			strbuf_addf(b, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			strbuf_addf(b, "\\u%04x", c);
		else
			strbuf_add_n(b, &text.p[i], 1);
		i++;
	}
	strbuf_add(b, "\"");
}

/* ---- patterns and near misses ---- */

static int fold(char c, bool nocase)
{
	return nocase ? tolower((unsigned char)c) : (unsigned char)c;
}

/* Remembers the last star only: enough, and never exponential. */
static bool glob(const char *pattern, const char *text, bool nocase)
{
	const char *star = NULL, *resume = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = ++pattern;
			resume = text;
		} else if (*pattern &&
			   (*pattern == '?' || fold(*pattern, nocase) == fold(*text, nocase))) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star;
			text = ++resume;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

bool str_glob(const char *pattern, const char *text)
{
	return glob(pattern, text, false);
}

bool str_glob_nocase(const char *pattern, const char *text)
{
	return glob(pattern, text, true);
}

enum { NEAREST_WORD_MAX = 63 };

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Levenshtein's distance with a transposition of neighbours counted as one (optimal string alignment). */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t rows[3][NEAREST_WORD_MAX + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b_len; j++)
		above[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t change = a[i - 1] == b[j - 1] ? 0 : 1;

			row[j] = smallest(above[j] + 1, row[j - 1] + 1, above[j - 1] + change);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
		size_t *spare = before;
		before = above;
		above = row;
		row = spare;
	}
	return above[b_len];
}

/* One of them is the other, and goes on: a word that was only begun, or that says more than is needed. */
static bool is_begun(const char *word, size_t word_len, const char *name, size_t name_len)
{
	size_t n = word_len < name_len ? word_len : name_len;

	return n >= 3 && memcmp(word, name, n) == 0;
}

const char *str_nearest(const char *word, const char *const *names, size_t count)
{
	size_t word_len = strlen(word);
	const char *best = NULL, *begun = NULL;
	size_t best_distance = word_len / 3 + 2; /* further away is a guess */
	size_t begun_distance = SIZE_MAX;

	if (word_len > NEAREST_WORD_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t name_len = strlen(names[i]);

		if (name_len > NEAREST_WORD_MAX)
			continue;
		size_t d = distance(word, word_len, names[i], name_len);
		if (is_begun(word, word_len, names[i], name_len) && d < begun_distance) {
			begun = names[i];
			begun_distance = d;
		}
		if (d < best_distance && d < name_len) {
			best = names[i];
			best_distance = d;
		}
	}
	return best && best_distance < 2 ? best : begun ? begun : best;
}

bool str_to_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		uint64_t digit = (uint64_t)(*text - '0');
		if (value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	if (value < min || value > max)
		return false;
	*ret_value = value;
	return true;
}

/* ---- base64, hex ---- */

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *str_base64(struct span bytes, enum base64_padding padding)
{
	struct strbuf b = {0};

	for (size_t i = 0; i < bytes.n; i += 3) {
		size_t n = bytes.n - i < 3 ? bytes.n - i : 3;
		uint32_t v = (uint32_t)bytes.p[i] << 16;

		if (n > 1)
			v |= (uint32_t)bytes.p[i + 1] << 8;
		if (n > 2)
			v |= bytes.p[i + 2];
		char out[4] = {base64_digits[v >> 18], base64_digits[v >> 12 & 63],
		    n > 1 ? base64_digits[v >> 6 & 63] : '=', n > 2 ? base64_digits[v & 63] : '='};
		strbuf_add_n(&b, out, padding == BASE64_PADDED ? 4 : n + 1);
	}
	return strbuf_take(&b);
}

/* One more than what a digit stands for; 0: it is none. Files of known hosts are long, and read at every connect. */
static const uint8_t base64_values[256] = {
    /* clang-format off */
    ['A'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
    ['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52,
    ['0'] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62,
    ['+'] = 63, ['/'] = 64
    /* clang-format on */
};

bool str_base64_decode(struct span text, struct wr *out)
{
	uint32_t bits = 0;
	unsigned bit_count = 0;

	if (text.n && text.n % 4 == 0 && text.p[text.n - 1] == '=')
		text.n -= text.p[text.n - 2] == '=' ? 2 : 1;
	if (text.n % 4 == 1)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		uint32_t value = base64_values[text.p[i]];

		if (value == 0)
			return false;
		bits = bits << 6 | (value - 1);
		bit_count += 6;
		if (bit_count >= 8) {
			bit_count -= 8;
			wr_u8(out, (uint8_t)(bits >> bit_count));
		}
	}
	return (bits & ((1u << bit_count) - 1)) == 0;
}

char *str_hex(struct span bytes)
{
	struct strbuf b = {0};

	for (size_t i = 0; i < bytes.n; i++)
		strbuf_addf(&b, "%02x", bytes.p[i]);
	return strbuf_take(&b);
}
