/*
 * What a client of a SOCKS listener sends: in one piece, and byte by byte; both must come to the same.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "forward/socks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
	struct socks socks;
	struct wr answer;
	enum socks_progress progress;
	size_t used;
};

static void must(bool held)
{
	if (!held)
		abort();
}

/* Hands over step more bytes at a time, as a socket would, until the parser has enough. */
static struct result run(const uint8_t *data, size_t size, size_t step)
{
	struct result r = {.progress = SOCKS_MORE};

	for (size_t n = step; r.progress == SOCKS_MORE; n += step) {
		size_t taken, end = n < size ? n : size;

		r.progress =
		    socks_parse(&r.socks, SPAN(data + r.used, end - r.used), &taken, &r.answer);
		must(taken <= end - r.used);
		r.used += taken;
		if (r.progress == SOCKS_MORE)
			must(end - r.used < SOCKS_INPUT_MAX);
		if (end == size)
			break;
	}
	return r;
}

static void check(const struct result *r)
{
	if (r->progress == SOCKS_ASKED) {
		must(r->socks.port != 0);
		must(r->socks.host[0] && strlen(r->socks.host) <= SOCKS_STRING_MAX);
		must(span_is_text(span_of(r->socks.host)));
	}
	if (r->progress == SOCKS_BAD)
		must(r->socks.why != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct result whole = run(data, size, size), bytes = run(data, size, 1);

	check(&whole);
	must(whole.progress == bytes.progress);
	must(whole.progress == SOCKS_BAD || whole.used == bytes.used);
	must(strcmp(whole.socks.host, bytes.socks.host) == 0 &&
	     whole.socks.port == bytes.socks.port);
	must(span_equal(wr_span(&whole.answer), wr_span(&bytes.answer)));
	wr_clear(&whole.answer);
	wr_clear(&bytes.answer);
	return 0;
}
