#include "ssh/crypt_pieces.h"

#include <string.h>

#include "ssh/evp.h"

/* A call of EVP costs more than copying this much does. */
#define WORTH_A_CALL 1024

static void crypt(EVP_CIPHER_CTX *ctx, const uint8_t *in, size_t n, uint8_t *out)
{
	int written;

	if (n)
		evp_must(EVP_CipherUpdate(ctx, out, &written, in, (int)n));
}

size_t crypt_pieces(EVP_CIPHER_CTX *ctx, const struct iovec *pieces, size_t count, uint8_t *out)
{
	size_t done = 0; /* of out: crypted */
	size_t gathered =
	    0; /* of out, behind that: small pieces, copied, to be crypted in place in one go */

	for (size_t i = 0; i < count; i++) {
		size_t n = pieces[i].iov_len;

		if (n == 0)
			continue;
		if (n < WORTH_A_CALL) {
			memcpy(out + done + gathered, pieces[i].iov_base, n);
			gathered += n;
			continue;
		}
		crypt(ctx, out + done, gathered, out + done);
		done += gathered;
		gathered = 0;
		crypt(ctx, pieces[i].iov_base, n, out + done);
		done += n;
	}
	crypt(ctx, out + done, gathered, out + done);
	return done + gathered;
}
