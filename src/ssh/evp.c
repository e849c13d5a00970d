#include "ssh/evp.h"

#include <stdlib.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

void evp_must(int ok)
{
	static const char text[] = "adit: OpenSSL failed where it must not:\n";

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

/* OpenSSL keeps what was fetched once: to ask again is cheap. */
static bool is_there(const void *fetched)
{
	if (!fetched)
		evp_forget_errors();
	return fetched != NULL;
}

bool evp_has_key_exchange(const char *name)
{
	EVP_KEYEXCH *fetched = EVP_KEYEXCH_fetch(NULL, name, NULL);

	EVP_KEYEXCH_free(fetched);
	return is_there(fetched);
}

bool evp_has_signature(const char *name)
{
	EVP_SIGNATURE *fetched = EVP_SIGNATURE_fetch(NULL, name, NULL);

	EVP_SIGNATURE_free(fetched);
	return is_there(fetched);
}

bool evp_has_mac(const char *name)
{
	EVP_MAC *fetched = EVP_MAC_fetch(NULL, name, NULL);

	EVP_MAC_free(fetched);
	return is_there(fetched);
}

bool evp_has_digest(const char *name)
{
	EVP_MD *fetched = EVP_MD_fetch(NULL, name, NULL);

	EVP_MD_free(fetched);
	return is_there(fetched);
}

const char *evp_library_version(void)
{
	return OpenSSL_version(OPENSSL_VERSION);
}
