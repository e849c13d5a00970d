/*
 * The lines of an input as the arguments of ssh, and the whole of it as what `ssh -G` prints.
 */
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/read.h"
#include "config/ssh_command.h"
#include "config/ssh_config.h"
#include "config/writer.h"

enum { ARGUMENTS_MAX = 32 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool held)
{
	if (!held)
		abort();
}

static char *answer(void *arg, const char *destination, struct config_errors *errors)
{
	(void)destination;
	(void)errors;
	return mem_strdup(arg);
}

/* Instead of libc's: an input must not ask the network what its bind addresses mean. */
int getaddrinfo(
    const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
	(void)host;
	(void)service;
	(void)hints;
	(void)ret;
	return EAI_NONAME;
}

/* What `adit import` prints must pass `adit check`. */
static void check_config_and_free(struct config *config, struct config_errors *errors)
{
	must((config == NULL) == (errors->n > 0));
	if (config) {
		struct strbuf text = {0};
		config_write_text(config, &text);
		struct config *again =
		    config_read_text(strbuf_text(&text), "/fuzz/adit.conf", errors);
		must(again != NULL);
		config_unref(again);
		strbuf_clear(&text);
	}
	config_unref(config);
	config_errors_clear(errors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_strndup((const char *)data, size);
	char *copy = mem_strdup(text), *rest = copy, *arguments[ARGUMENTS_MAX];
	struct config_errors errors = {0}, notes = {0};
	const struct ssh_config_source source = {.ask = answer, .arg = text};
	int count = 0;

	while (count < ARGUMENTS_MAX && (arguments[count] = strsep(&rest, "\n")))
		count++;
	check_config_and_free(
	    config_from_ssh_arguments(count, arguments, NULL, &errors, &notes), &errors);
	check_config_and_free(
	    config_from_ssh_config(text, "alias", &source, &errors, &notes), &errors);
	config_errors_clear(&notes);
	free(copy);
	free(text);
	return 0;
}
