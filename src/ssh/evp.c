#include "ssh/evp.h"

#include <stdlib.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

void evp_must(int ok)
{
	static const char text[] = "adit: out of memory in OpenSSL\n";

	if (ok == 1)
		return;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		abort();
	ERR_print_errors_fp(stderr);
	abort();
}

void *evp_must_have(void *object)
{
	evp_must(object != NULL);
	return object;
}

void evp_forget_errors(void)
{
	ERR_clear_error();
}

const char *evp_library_version(void)
{
	return OpenSSL_version(OPENSSL_VERSION);
}
