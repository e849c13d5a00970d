/*
 * Identification strings, in steps of as many bytes as the first byte says.
 */
#include <stdlib.h>
#include <string.h>

#include "ssh/ident.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool held)
{
	if (!held)
		abort();
}

static void on_line(void *arg, struct span line)
{
	unsigned *lines = arg;

	must(line.n < IDENT_LINE_SIZE_MAX &&
	     memchr(line.n ? (const void *)line.p : "", '\n', line.n) == NULL);
	must(++*lines <= IDENT_LINES_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned lines = 0;
	struct ident_reader r = {.on_line = on_line, .arg = &lines};
	struct err e = ERR_INIT;
	char *ident = NULL;
	int rc = 0;

	if (size < 1)
		return 0;
	struct evbuffer *in = evbuffer_new();
	size_t step = 1 + data[0];
	for (size_t at = 1; at < size && rc == 0; at += step) {
		evbuffer_add(in, data + at, size - at < step ? size - at : step);
		rc = ident_read(&r, in, &ident, &e);
	}
	if (rc == 1) {
		must(strlen(ident) <= IDENT_SIZE_MAX - 2 && strncmp(ident, "SSH-", 4) == 0);
		must(span_is_text(span_of(ident)));
		ident_quirks(ident);
	}
	must((rc < 0) == err_is_set(&e));
	must((rc == 1) == (ident != NULL));
	free(ident);
	evbuffer_free(in);
	return 0;
}
