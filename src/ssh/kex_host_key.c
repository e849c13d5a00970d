#include "ssh/kex_host_key.h"

#include "ssh/cert.h"
#include "ssh/key.h"

static bool blob_fits(struct span blob, struct span algorithm)
{
	const char *type = cert_type_for(algorithm);

	if (!type)
		type = key_type_for(algorithm);
	return type && span_is(key_blob_type(blob), type);
}

static int check_plain(
    struct span algorithm, struct span blob, struct span signature, struct span hash, struct err *e)
{
	struct key *key = key_from_blob(blob, e);

	if (!key)
		return ERR_PEER;
	int rc = key_verify(key, algorithm, hash, signature, e);
	key_free(key);
	return rc;
}

static int check_cert(const char *plain_algorithm, struct span blob, struct span signature,
    struct span hash, struct err *e)
{
	struct cert *cert = cert_from_blob(blob, e);

	if (!cert)
		return ERR_PEER;
	int rc = key_verify(cert_key(cert), span_of(plain_algorithm), hash, signature, e);
	cert_free(cert);
	return rc;
}

int kex_check_host_key(
    struct span algorithm, struct span blob, struct span signature, struct span hash, struct err *e)
{
	const char *plain_algorithm = cert_algorithm_plain(algorithm);
	struct err why = ERR_INIT;
	int rc;

	if (!blob_fits(blob, algorithm))
		return err_set(
		    e, ERR_PEER, "the server's host key is not of the type that was agreed on");
	if (plain_algorithm)
		rc = check_cert(plain_algorithm, blob, signature, hash, &why);
	else
		rc = check_plain(algorithm, blob, signature, hash, &why);
	if (rc < 0)
		return err_set(e, ERR_PEER, "the server's host key: %s", why.text);
	return 0;
}
