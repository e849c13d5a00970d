#include "base/secret.h"

#include <stdlib.h>

#include <openssl/crypto.h>

#include "base/mem.h"

void secret_set(struct secret *s, const void *p, size_t n)
{
	uint8_t *copy = (uint8_t *)mem_strndup(p ? p : "", p ? n : 0);

	secret_clear(s);
	s->p = copy;
	s->n = n;
}

void secret_clear(struct secret *s)
{
	if (s->p)
		OPENSSL_cleanse(s->p, s->n);
	free(s->p);
	s->p = NULL;
	s->n = 0;
}

void secret_wipe(void *p, size_t n)
{
	OPENSSL_cleanse(p, n);
}

bool secret_equal(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}
