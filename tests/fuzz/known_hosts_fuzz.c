/*
 * known_hosts files: text that ssh, scripts and people wrote.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "ssh/key.h"
#include "ssh/known_hosts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool held)
{
	if (!held)
		abort();
}

static void ask(const struct known_hosts *k, const char *name, uint16_t port)
{
	struct known_hosts_match match;
	int last_line = 0;

	for (size_t cursor = 0; known_hosts_next(k, name, port, &cursor, &match);) {
		must(match.line > last_line);
		must(key_type_is_known(key_blob_type(match.key_blob)));
		last_line = match.line;
		/* What is written of it is read back as a line of this one name. */
		char *line = known_hosts_line(name, port, match.key_blob);
		struct known_hosts *again = known_hosts_parse(span_of(line), "again");
		struct known_hosts_match same;
		size_t start = 0;
		must(known_hosts_next(again, name, port, &start, &same));
		must(same.only_name && same.marker == KNOWN_HOSTS_PLAIN);
		must(span_equal(same.key_blob, match.key_blob));
		known_hosts_free(again);
		free(line);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct known_hosts *k = known_hosts_parse(SPAN(data, size), "file");

	ask(k, "db.example.com", 22);
	ask(k, "db.example.com", 2222);
	ask(k, "::1", 22);
	(void)!known_hosts_has_elsewhere(k, "db.example.com", 22, SPAN_LITERAL("x"));
	known_hosts_free(k);
	return 0;
}
