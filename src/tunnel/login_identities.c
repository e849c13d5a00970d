#include "tunnel/login_identities.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "ssh/cert.h"
#include "ssh/keyfile.h"

enum { EXPIRY_WARNING_S = 24 * 3600 }; /* a certificate that ends sooner is a warning */

struct certificate {
	const char *path;
	struct cert *cert; /* NULL: there is none that is good now */
	bool is_used;
};

/* One that can be offered. */
struct found_key {
	const char *path; /* for messages */
	const struct key *key;
	bool from_agent;
};

struct reading {
	const struct config_host *host;
	struct keyring *keyring;
	const struct log_context *log;
	struct log_repeat *said;
	struct secret passphrase;         /* empty: none */
	struct certificate *certificates; /* those that are configured */
	struct strbuf left_to_agent, not_used;
	struct login *login;
	struct auth_options *auth;
	struct err want; /* of descriptors or memory: it passes */
};

static void add_note(struct strbuf *notes, const char *words)
{
	strbuf_addf(notes, "%s%s", notes->n ? "; " : "", words);
}

/* ---- certificates ---- */

/* e names the file. */
static void warn_unusable(struct reading *r, const char *path, const struct err *e)
{
	log_unless_repeated(r->said, LOG_LEVEL_WARNING, r->log, "certificate-unusable",
	    "file=%s reason=%s", path, e->text);
	add_note(&r->not_used, e->text);
}

static void warn_useless(struct reading *r, const char *path, const char *reason)
{
	struct err e = ERR_INIT;

	err_set(&e, ERR_CONFIG, "%s: %s", path, reason);
	warn_unusable(r, path, &e);
}

/* One that is not valid now is named, and not offered. One that cannot be read for want of something of ours is no reason to go on
 * without it. */
static struct cert *read_certificate(struct reading *r, const char *path)
{
	struct err e = ERR_INIT;
	struct cert *cert = cert_read(path, &e);
	time_t now = clock_wall();

	if (cert && cert_check_dates(cert, now, &e) != 0) {
		err_prefix(&e, "%s", path);
	} else if (cert) {
		uint64_t end = cert_valid_before(cert);

		if (end != UINT64_MAX && end - (uint64_t)now < EXPIRY_WARNING_S)
			log_warning(r->log, "certificate-expires", "file=%s seconds=%lu", path,
			    (unsigned long)(end - (uint64_t)now));
		return cert;
	}
	if (e.class == ERR_LOCAL)
		err_set(&r->want, e.class, "%s", e.text);
	else
		warn_unusable(r, path, &e);
	cert_free(cert);
	return NULL;
}

static void read_configured_certificates(struct reading *r)
{
	const struct config_strings *paths = &r->host->certificate;

	r->certificates = mem_array(paths->n ? paths->n : 1, sizeof(*r->certificates));
	for (size_t i = 0; i < paths->n; i++)
		r->certificates[i] = (struct certificate){
		    .path = paths->v[i], .cert = read_certificate(r, paths->v[i])};
}

static bool is_for(const struct certificate *certificate, const struct key *key)
{
	return span_equal(key_blob(cert_key(certificate->cert)), key_blob(key));
}

/* ---- what is offered ---- */

static void add_identity(struct reading *r, const struct found_key *found, const struct cert *cert)
{
	struct auth_options *auth = r->auth;

	auth->identities =
	    mem_grow(auth->identities, auth->identity_count + 1, sizeof(*auth->identities));
	auth->identities[auth->identity_count++] = (struct auth_identity){
	    .name = mem_strdup(found->path),
	    .key = key_copy(found->key),
	    .cert = cert ? cert_copy(cert) : NULL,
	    .from_agent = found->from_agent,
	};
}

static void add_certified(
    struct reading *r, const struct found_key *found, struct certificate *certificate)
{
	uint64_t end = cert_valid_before(certificate->cert);

	add_identity(r, found, certificate->cert);
	if (certificate->is_used)
		return;
	certificate->is_used = true;
	r->login->certificates++;
	if (end < r->login->expires)
		r->login->expires = end;
}

/* With each of the configured certificates that are for it. False: there is none. */
static bool add_with_configured(struct reading *r, const struct found_key *found)
{
	bool any = false;

	for (size_t i = 0; i < r->host->certificate.n; i++) {
		struct certificate *certificate = &r->certificates[i];
		if (!certificate->cert || !is_for(certificate, found->key))
			continue;
		add_certified(r, found, certificate);
		any = true;
	}
	return any;
}

static bool add_with_one_beside(struct reading *r, const struct found_key *found)
{
	char *path = str_format("%s-cert.pub", found->path);
	struct certificate beside = {.path = path};

	if (access(path, F_OK) == 0)
		beside.cert = read_certificate(r, path);
	if (beside.cert && is_for(&beside, found->key))
		add_certified(r, found, &beside);
	else if (beside.cert)
		warn_useless(r, path, "it is for another key");
	cert_free(beside.cert);
	free(path);
	return beside.is_used;
}

static void add_key(struct reading *r, const struct found_key *found)
{
	bool is_certified =
	    r->host->certificate.n ? add_with_configured(r, found) : add_with_one_beside(r, found);

	if (!is_certified)
		add_identity(r, found, NULL);
}

/* The keys of certificates that no identity has: they may be in the agent alone. */
static void add_unused_certificates(struct reading *r)
{
	for (size_t i = 0; i < r->host->certificate.n; i++) {
		struct certificate *certificate = &r->certificates[i];
		if (!certificate->cert || certificate->is_used)
			continue;
		if (!r->login->agent_path) {
			warn_useless(r, certificate->path,
			    "its key is none of the identities, and there is no agent");
			continue;
		}
		struct found_key found = {.path = certificate->path,
		    .key = cert_key(certificate->cert),
		    .from_agent = true};
		add_certified(r, &found, certificate);
	}
}

/* ---- files ---- */

/* Encrypted, or only its public half is here: the agent may hold the rest. If it does not, one wants to know why the file was of
 * no use, which why says. */
static struct key *leave_to_agent(struct reading *r, const char *path, const struct err *why)
{
	struct key *key = keyfile_read_public(path);

	if (key)
		add_note(&r->left_to_agent, why->text);
	return key;
}

/* As ssh does; one among several may be of no use as long as another serves. A default one need not be there. */
static void skip_identity(struct reading *r, const char *path, const struct err *why)
{
	if (r->host->identity_is_default && access(path, F_OK) != 0)
		return;
	log_unless_repeated(r->said, LOG_LEVEL_WARNING, r->log, "identity-skipped",
	    "file=%s reason=%s", path, why->text);
	add_note(&r->not_used, why->text);
}

static int read_identity(struct reading *r, const char *path, struct err *e)
{
	struct err why = ERR_INIT;
	struct key *key =
	    keyring_read(r->keyring, path, r->passphrase.p ? &r->passphrase : NULL, &why);
	struct found_key found = {.path = path};

	if (!key && r->login->agent_path) {
		key = leave_to_agent(r, path, &why);
		found.from_agent = key != NULL;
	}
	if (!key && why.class == ERR_LOCAL)
		return err_set(e, why.class, "%s", why.text);
	if (!key) {
		skip_identity(r, path, &why);
		return 0;
	}
	found.key = key;
	add_key(r, &found);
	key_free(key);
	return 0;
}

static int read_all(struct reading *r, struct err *e)
{
	int result = 0;

	if (r->host->passphrase.kind == CONFIG_SECRET_FILE)
		result = keyfile_read_secret(r->host->passphrase.path, &r->passphrase, e);
	for (size_t i = 0; i < r->host->identity.n && result == 0; i++)
		result = read_identity(r, r->host->identity.v[i], e);
	if (result == 0 && err_is_set(&r->want))
		result = err_set(e, r->want.class, "%s", r->want.text);
	if (result == 0 && !r->host->identity_is_default && r->host->identity.n > 0 &&
	    r->auth->identity_count == 0)
		result = err_set(e, ERR_CONFIG, "%s", strbuf_text(&r->not_used));
	return result;
}

bool login_opens_keys(
    const struct config_host *host, struct keyring *keyring, struct keyring_wait *wait)
{
	struct secret passphrase = {0};
	bool opens = false;

	if (!keyring || host->passphrase.kind != CONFIG_SECRET_FILE ||
	    keyfile_read_secret(host->passphrase.path, &passphrase, NULL))
		return false; /* login_prepare() says why */
	for (size_t i = 0; i < host->identity.n && !opens; i++)
		opens = keyring_open(keyring, host->identity.v[i], &passphrase, wait);
	secret_clear(&passphrase);
	return opens;
}

int login_read_identities(const struct config_host *host, struct keyring *keyring,
    const struct log_context *log, struct log_repeat *said, struct login *login,
    struct auth_options *auth, struct err *e)
{
	struct reading r = {.host = host,
	    .keyring = keyring,
	    .log = log,
	    .said = said,
	    .login = login,
	    .auth = auth};

	read_configured_certificates(&r);
	int result = read_all(&r, e);
	if (result == 0)
		add_unused_certificates(&r);
	for (size_t i = 0; i < host->certificate.n; i++)
		cert_free(r.certificates[i].cert);
	free(r.certificates);
	secret_clear(&r.passphrase);
	if (r.left_to_agent.n)
		login->left_to_agent = strbuf_take(&r.left_to_agent);
	if (r.not_used.n)
		login->not_used = strbuf_take(&r.not_used);
	return result;
}
