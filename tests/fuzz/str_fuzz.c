/*
 * Text that strangers choose: escaping for the log, JSON, base64, patterns, numbers, near misses.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool held)
{
	if (!held)
		abort();
}

static void check_escaped(struct span input)
{
	struct strbuf b = {0};

	strbuf_add_escaped(&b, input);
	/* One line, no cursor moves, no quote that ends a value: all bytes below 0x20 and 0x7f are
	 * gone. */
	for (size_t i = 0; i < b.n; i++) {
		must((uint8_t)b.text[i] >= 0x20 && b.text[i] != 0x7f);
		if (b.text[i] == '\\')
			must(++i < b.n);
		else
			must(b.text[i] != '"');
	}
	strbuf_clear(&b);
}

static void check_json(struct span input)
{
	struct strbuf b = {0};

	strbuf_add_json(&b, input);
	must(b.n >= 2 && b.text[0] == '"' && b.text[b.n - 1] == '"');
	for (size_t i = 1; i + 1 < b.n; i++) {
		must((uint8_t)b.text[i] >= 0x20);
		if (b.text[i] == '\\')
			must(++i + 1 < b.n);
		else
			must(b.text[i] != '"');
	}
	strbuf_clear(&b);
}

static void check_base64(struct span input)
{
	struct wr decoded = WR_INIT;

	for (int padded = 0; padded < 2; padded++) {
		char *text = str_base64(input, padded ? BASE64_PADDED : BASE64_UNPADDED);

		wr_reset(&decoded);
		must(str_base64_decode(span_of(text), &decoded));
		must(span_equal(wr_span(&decoded), input));
		free(text);
	}
	/* And the input itself as base64: what is taken is what would be written, so there is one
	 * text for one value. */
	wr_reset(&decoded);
	if (str_base64_decode(input, &decoded)) {
		char *plain = str_base64(wr_span(&decoded), BASE64_UNPADDED);

		must(strlen(plain) <= input.n && memcmp(plain, input.p, strlen(plain)) == 0);
		free(plain);
	}
	wr_clear(&decoded);
}

static void check_patterns(struct span input)
{
	char *text = span_strdup(input);
	size_t half = strlen(text) / 2;
	char *pattern = mem_strndup(text, half);
	static const char *const names[] = {"address", "identity", "keepalive_interval", "via"};
	uint64_t value;

	must(str_glob("*", text));
	if (str_glob(pattern, text + half))
		must(str_glob_nocase(pattern, text + half));
	str_nearest(text, names, ARRAY_LEN(names));
	if (str_to_u64(text, 10, 1000, &value))
		must(value >= 10 && value <= 1000);
	free(pattern);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = SPAN(data, size);

	check_escaped(input);
	check_json(input);
	check_base64(input);
	check_patterns(input);
	return 0;
}
