/*
 * Public keys and signatures as a peer sends them, and private ones as a file has them: three strings (blob, data, signature)
 * and then the numbers of a private key.
 */
#include <stdlib.h>

#include "ssh/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool held)
{
	if (!held)
		abort();
}

static void check_public(struct span blob, struct span data, struct span signature)
{
	struct err e = ERR_INIT;
	struct key *key = key_from_blob(blob, &e);

	must((key == NULL) == err_is_set(&e));
	if (!key)
		return;
	/* There is one way to write a key down. */
	must(span_equal(key_blob(key), blob));
	must(span_is(key_blob_type(blob), key_type_name(key)));
	struct span algorithms = span_of(key_signature_algorithms(key_type(key))), algorithm;
	while (name_list_next(&algorithms, &algorithm))
		(void)!key_verify(key, algorithm, data, signature, NULL);
	must(key_verify(key, SPAN_LITERAL("ssh-rsa"), data, signature, NULL) < 0);
	key_free(key);
}

static void check_private(struct rd *r)
{
	struct wr signature = WR_INIT;
	struct err e = ERR_INIT;
	struct key *key = key_read_private(r, &e);

	must((key == NULL) == err_is_set(&e));
	must(key || e.class == ERR_CONFIG);
	if (!key)
		return;
	/* Whatever is taken for a key can sign, and its public half is one. */
	struct span algorithms = span_of(key_signature_algorithms(key_type(key))), algorithm;
	must(name_list_next(&algorithms, &algorithm));
	must(key_sign(key, algorithm, SPAN_LITERAL("x"), &signature, NULL) == 0);
	struct key *public = key_from_blob(key_blob(key), NULL);
	must(key_verify(public, algorithm, SPAN_LITERAL("x"), wr_span(&signature), NULL) == 0);
	key_free(public);
	key_free(key);
	wr_clear(&signature);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r;

	rd_init(&r, SPAN(data, size));
	struct span blob = rd_string(&r), message = rd_string(&r), signature = rd_string(&r);
	if (!rd_ok(&r))
		return 0;
	check_public(blob, message, signature);
	if (rd_left(&r))
		check_private(&r);
	return 0;
}
