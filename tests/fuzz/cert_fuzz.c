/*
 * Certificates as a server or a file has them.
 */
#include <stdlib.h>

#include "ssh/cert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool held)
{
	if (!held)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span blob = SPAN(data, size);
	struct err e = ERR_INIT;
	struct cert *cert = cert_from_blob(blob, &e);

	must((cert == NULL) == err_is_set(&e));
	if (!cert)
		return 0;
	must(cert_blob_is_cert(blob));
	must(span_equal(cert_blob(cert), blob));
	must(cert_type(cert) == CERT_USER || cert_type(cert) == CERT_HOST);
	/* The halves of the check agree. */
	err_clear(&e);
	int dates = cert_check_dates(cert, 1750000000, NULL);
	int host = cert_check_host(cert, "db.example.com", 1750000000, &e);
	must(host == 0 || err_is_set(&e));
	must(host < 0 || (dates == 0 && cert_type(cert) == CERT_HOST));
	cert_free(cert);
	return 0;
}
