/*
 * A configuration of any text is read or refused with errors; what is read, written and read again is the same.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "config/diff.h"
#include "config/read.h"
#include "config/writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool held)
{
	if (!held)
		abort();
}

static void check_round_trip(const struct config *config)
{
	struct config_errors errors = {0};
	struct strbuf text = {0};

	config_write_text(config, &text);
	struct config *again = config_read_text(strbuf_text(&text), "/fuzz/again.conf", &errors);
	must(again && errors.n == 0);
	struct config_plan *plan = config_diff(config, again);
	must(plan->n == 0);
	config_plan_free(plan);
	config_unref(again);
	strbuf_clear(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_strndup((const char *)data, size);
	struct config_errors errors = {0};

	/* an include would read whatever files the fuzzer thinks of */
	if (!strstr(text, "include")) {
		struct config *config = config_read_text(text, "/fuzz/adit.conf", &errors);
		must((config == NULL) == (errors.n > 0));
		if (config)
			check_round_trip(config);
		config_unref(config);
	}
	config_errors_clear(&errors);
	free(text);
	return 0;
}
