/*
 * Files that should hold a private key. The first byte says how the rest is meant: as text, or as the bytes within the armour
 * of OpenSSH's format (which a fuzzer would not learn to write), each with and without a passphrase.
 */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "ssh/keyfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(struct span text, const struct secret *passphrase)
{
	char *comment = NULL;
	struct err e = ERR_INIT;
	struct key *key = keyfile_parse(text, "file", passphrase, &comment, &e);

	if ((key == NULL) != err_is_set(&e) || (key == NULL) != (comment == NULL))
		abort();
	if (!key && e.class != ERR_CONFIG)
		abort();
	free(comment);
	key_free(key);
}

/* Rounds cost milliseconds each: the fuzzer has better things to do. */
static bool has_few_rounds(struct span bytes)
{
	struct rd r, options;

	rd_init(&r, bytes);
	rd_bytes(&r, 15);
	rd_string(&r);
	rd_string(&r);
	rd_init(&options, rd_string(&r));
	rd_string(&options);
	return rd_u32(&options) <= 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct secret passphrase = {0};

	if (size == 0 || size > 65536)
		return 0;
	struct span rest = SPAN(data + 1, size - 1);
	secret_set(&passphrase, "correct horse", 13);
	const struct secret *given = data[0] & 1 ? &passphrase : NULL;
	if (!(data[0] & 2)) {
		parse(rest, given);
	} else if (!given || has_few_rounds(rest)) {
		char *base64 = str_base64(rest, BASE64_PADDED);
		char *text = str_format("-----BEGIN OPENSSH PRIVATE KEY-----\n%s\n"
					"-----END OPENSSH PRIVATE KEY-----\n",
		    base64);
		parse(span_of(text), given);
		free(text);
		free(base64);
	}
	secret_clear(&passphrase);
	return 0;
}
