#include "tunnel/login_identities.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "ssh/cert.h"
#include "ssh/keyfile.h"

enum { EXPIRY_WARNING_S = 24 * 3600 }; /* a certificate that ends sooner is a warning */

/* A certificate that is not valid now is named, and not offered. */
static struct cert *usable_cert(const char *path, const struct log_context *log)
{
	struct err e = ERR_INIT;
	struct cert *cert = cert_read(path, &e);
	time_t now = clock_wall();

	if (cert && cert_check_dates(cert, now, &e) == 0) {
		uint64_t end = cert_valid_before(cert);

		if (end != UINT64_MAX && end - (uint64_t)now < EXPIRY_WARNING_S)
			log_warning(log, "certificate-expires", "file=%s seconds=%lu", path,
			    (unsigned long)(end - (uint64_t)now));
		return cert;
	}
	log_warning(log, "certificate-unusable", "file=%s reason=%s", path, e.text);
	cert_free(cert);
	return NULL;
}

static bool cert_is_for(const struct cert *cert, const struct key *key)
{
	return span_equal(key_blob(cert_key(cert)), key_blob(key));
}

static struct cert *find_cert(const struct config_host *host, const char *path,
    const struct key *key, const struct log_context *log)
{
	if (host->certificate.n == 0) {
		char *beside = str_format("%s-cert.pub", path);
		struct cert *cert = access(beside, F_OK) == 0 ? usable_cert(beside, log) : NULL;

		free(beside);
		if (cert && !cert_is_for(cert, key)) {
			log_warning(log, "certificate-unusable", "file=%s-cert.pub reason=%s", path,
			    "it is for another key");
			cert_free(cert);
			cert = NULL;
		}
		return cert;
	}
	for (size_t i = 0; i < host->certificate.n; i++) {
		struct cert *cert = usable_cert(host->certificate.v[i], log);

		if (cert && cert_is_for(cert, key))
			return cert;
		cert_free(cert);
	}
	return NULL;
}

static void note_certificate(struct login *login, const struct cert *cert)
{
	login->certificates++;
	if (cert_valid_before(cert) < login->expires)
		login->expires = cert_valid_before(cert);
}

static int read_identity(const struct config_host *host, struct keyring *keyring, const char *path,
    const struct secret *passphrase, bool has_agent, const struct log_context *log,
    struct login *login, struct auth_options *auth, struct err *e)
{
	struct err why = ERR_INIT;
	struct key *key = keyring_read(keyring, path, passphrase, &why);
	bool from_agent = false;

	if (!key && has_agent) {
		/* Encrypted, or only its public half is here: the agent may hold the rest. */
		key = keyfile_read_public(path);
		from_agent = key != NULL;
	}
	if (!key) {
		if (host->identity_is_default) {
			if (access(path, F_OK) == 0)
				log_warning(
				    log, "identity-skipped", "file=%s reason=%s", path, why.text);
			return 0;
		}
		return err_set(e, why.class, "%s", why.text);
	}
	struct auth_identity identity = {.name = mem_strdup(path),
	    .key = key,
	    .cert = find_cert(host, path, key, log),
	    .from_agent = from_agent};
	auth->identities =
	    mem_grow(auth->identities, auth->identity_count + 1, sizeof(*auth->identities));
	if (identity.cert)
		note_certificate(login, identity.cert);
	auth->identities[auth->identity_count++] = identity;
	return 0;
}

int login_read_identities(const struct config_host *host, struct keyring *keyring,
    const struct log_context *log, struct login *login, struct auth_options *auth, struct err *e)
{
	struct secret passphrase = {0};
	int result = 0;

	if (host->passphrase.kind == CONFIG_SECRET_FILE)
		result = keyfile_read_secret(host->passphrase.path, &passphrase, e);
	for (size_t i = 0; i < host->identity.n && result == 0; i++)
		result = read_identity(host, keyring, host->identity.v[i],
		    passphrase.p ? &passphrase : NULL, login->agent_path != NULL, log, login, auth,
		    e);
	secret_clear(&passphrase);
	return result;
}
