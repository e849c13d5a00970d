#include "ssh/evp.h"

#include <stdlib.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

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

/* OpenSSL keeps what was fetched once: that is cheap. */
#define EVP_HAS(type, name) \
	do { \
		type *fetched = type##_fetch(NULL, name, NULL); \
		type##_free(fetched); \
		if (!fetched) \
			evp_forget_errors(); \
		return fetched != NULL; \
	} while (0)

bool evp_has_key_exchange(const char *name)
{
	EVP_HAS(EVP_KEYEXCH, name);
}

bool evp_has_signature(const char *name)
{
	EVP_HAS(EVP_SIGNATURE, name);
}

bool evp_has_mac(const char *name)
{
	EVP_HAS(EVP_MAC, name);
}

bool evp_has_digest(const char *name)
{
	EVP_HAS(EVP_MD, name);
}

const char *evp_library_version(void)
{
	return OpenSSL_version(OPENSSL_VERSION);
}
