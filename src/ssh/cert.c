#include "ssh/cert.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "ssh/key_kind.h"
#include "ssh/key_line.h"

#define CERT_BYTES_MAX ((size_t)64 * 1024)
#define PRINCIPALS_MAX 256 /* OpenSSH's limit as well */

struct cert {
	struct wr blob;
	struct key *key;
	enum cert_type type;
	char *key_id;
	uint64_t serial, valid_after, valid_before;
	char **principals;
	size_t principal_count;
	char *critical_option; /* the name of the first one, NULL when there is none */
	struct wr ca;
};

/* ---- names ---- */

static const struct {
	const char *plain_type; /* in the blob of the key */
	const char *cert_type;  /* in the blob of the certificate */
	unsigned key_fields;    /* strings and mpints, of the key itself */
} types[] = {
    {"ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com", 1},
    {"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256-cert-v01@openssh.com", 2},
    {"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384-cert-v01@openssh.com", 2},
    {"ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521-cert-v01@openssh.com", 2},
    {"ssh-rsa", "ssh-rsa-cert-v01@openssh.com", 2},
    {"sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519-cert-v01@openssh.com", 2},
    {"sk-ecdsa-sha2-nistp256@openssh.com", "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", 3},
};

/* Of signatures: all but RSA's are called as the type is; "ssh-rsa" as an algorithm is SHA-1 and not here. */
static const struct {
	const char *plain, *cert;
} rsa_algorithms[] = {
    {"rsa-sha2-512", "rsa-sha2-512-cert-v01@openssh.com"},
    {"rsa-sha2-256", "rsa-sha2-256-cert-v01@openssh.com"},
};

static bool is_rsa(size_t type)
{
	return strcmp(types[type].plain_type, "ssh-rsa") == 0;
}

const char *cert_algorithm_for(const char *plain_algorithm)
{
	for (size_t i = 0; i < ARRAY_LEN(rsa_algorithms); i++)
		if (strcmp(plain_algorithm, rsa_algorithms[i].plain) == 0)
			return rsa_algorithms[i].cert;
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (!is_rsa(i) && strcmp(plain_algorithm, types[i].plain_type) == 0)
			return types[i].cert_type;
	return NULL;
}

const char *cert_algorithm_plain(struct span cert_algorithm)
{
	for (size_t i = 0; i < ARRAY_LEN(rsa_algorithms); i++)
		if (span_is(cert_algorithm, rsa_algorithms[i].cert))
			return rsa_algorithms[i].plain;
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (!is_rsa(i) && span_is(cert_algorithm, types[i].cert_type))
			return types[i].plain_type;
	return NULL;
}

const char *cert_type_for(struct span cert_algorithm)
{
	const char *plain = cert_algorithm_plain(cert_algorithm);

	if (!plain)
		return NULL;
	const char *key_type = key_type_for(span_of(plain));
	for (size_t i = 0; key_type && i < ARRAY_LEN(types); i++)
		if (strcmp(key_type, types[i].plain_type) == 0)
			return types[i].cert_type;
	return NULL;
}

static bool find_type(struct span name, size_t *ret_type)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (span_is(name, types[i].cert_type)) {
			*ret_type = i;
			return true;
		}
	return false;
}

/* They are called TYPE-cert-vNN@DOMAIN. */
bool cert_blob_is_cert(struct span blob)
{
	struct span type = key_blob_type(blob);

	return type.n && memmem(type.p, type.n, "-cert-v", strlen("-cert-v"));
}

/* ---- reading ---- */

void cert_free(struct cert *cert)
{
	if (!cert)
		return;
	for (size_t i = 0; i < cert->principal_count; i++)
		free(cert->principals[i]);
	free(cert->principals);
	free(cert->key_id);
	free(cert->critical_option);
	key_free(cert->key);
	wr_clear(&cert->blob);
	wr_clear(&cert->ca);
	free(cert);
}

/* A NUL would make what is compared shorter than what was signed. */
static char *text_or_fail(struct rd *r, struct span s)
{
	if (s.n && memchr(s.p, 0, s.n))
		rd_fail(r);
	return rd_ok(r) ? span_strdup(s) : NULL;
}

static int read_principals(struct cert *cert, struct span list)
{
	struct rd r;

	rd_init(&r, list);
	while (rd_left(&r)) {
		struct span name = rd_string(&r);
		if (cert->principal_count == PRINCIPALS_MAX)
			return ERR_PEER;
		char *principal = text_or_fail(&r, name);
		if (!principal)
			return ERR_PEER;
		cert->principals =
		    mem_grow(cert->principals, cert->principal_count + 1, sizeof(char *));
		cert->principals[cert->principal_count++] = principal;
	}
	return rd_end(&r);
}

/* Pairs of a name and its data. ret_first may be NULL. */
static int read_options(struct span list, char **ret_first)
{
	struct rd r;

	rd_init(&r, list);
	while (rd_left(&r)) {
		struct span name = rd_string(&r);
		rd_string(&r);
		if (!rd_ok(&r))
			return ERR_PEER;
		if (ret_first && !*ret_first)
			*ret_first = span_strdup(name);
	}
	return rd_end(&r);
}

struct signed_part {
	struct span bytes, signature;
};

static int check_signature(const struct cert *cert, const struct signed_part *part, struct err *e)
{
	struct span ca_blob = wr_span(&cert->ca);
	struct err reason = ERR_INIT;

	if (cert_blob_is_cert(ca_blob))
		return err_set(e, ERR_PEER, "the certificate is signed by a certificate");
	struct key *ca = key_from_blob(ca_blob, &reason);
	int rc = ca ? key_verify(
			  ca, key_blob_type(part->signature), part->bytes, part->signature, &reason)
		    : ERR_PEER;
	key_free(ca);
	return rc == 0 ? 0 : err_set(e, ERR_PEER, "the certificate's CA: %s", reason.text);
}

static int malformed(struct err *e)
{
	return err_set(e, ERR_PEER, "malformed certificate");
}

static int unknown_type(struct span blob, struct err *e)
{
	return err_set(e, ERR_PEER,
	    cert_blob_is_cert(blob) ? "a certificate of a key type that adit does not have"
				    : "not a certificate");
}

/* Type, nonce, the key's own fields; the rest is the same for all types. */
static int read_fields(
    struct cert *cert, struct span blob, struct signed_part *ret_signed, struct err *e)
{
	struct rd r;
	size_t type;

	rd_init(&r, blob);
	if (!find_type(rd_string(&r), &type))
		return unknown_type(blob, e);
	rd_string(&r); /* nonce: only there to make the signed bytes unpredictable */
	cert->key = key_read_public(key_kind_find(span_of(types[type].plain_type)), &r, e);
	if (!cert->key)
		return ERR_PEER;
	cert->serial = rd_u64(&r);
	uint32_t role = rd_u32(&r);
	struct span key_id = rd_string(&r), principals = rd_string(&r);
	cert->valid_after = rd_u64(&r);
	cert->valid_before = rd_u64(&r);
	struct span critical = rd_string(&r), extensions = rd_string(&r);
	rd_string(&r); /* reserved */
	struct span ca = rd_string(&r);
	size_t signed_bytes = blob.n - rd_left(&r);
	struct span signature = rd_string(&r);
	cert->key_id = text_or_fail(&r, key_id);
	if (rd_end(&r) < 0 || read_principals(cert, principals) < 0 ||
	    read_options(critical, &cert->critical_option) < 0 ||
	    read_options(extensions, NULL) < 0)
		return malformed(e);
	if (role != CERT_USER && role != CERT_HOST)
		return err_set(e, ERR_PEER, "a certificate of unknown type %" PRIu32, role);
	cert->type = (enum cert_type)role;
	wr_span_bytes(&cert->ca, ca);
	*ret_signed =
	    (struct signed_part){.bytes = SPAN(blob.p, signed_bytes), .signature = signature};
	return 0;
}

static struct cert *read_cert(struct span blob, struct signed_part *ret_signed, struct err *e)
{
	if (blob.n > CERT_BYTES_MAX) {
		err_set(e, ERR_PEER, "a certificate of %zu bytes", blob.n);
		return NULL;
	}
	struct cert *cert = NEW(struct cert);
	wr_span_bytes(&cert->blob, blob);
	if (read_fields(cert, wr_span(&cert->blob), ret_signed, e) == 0)
		return cert;
	cert_free(cert);
	return NULL;
}

struct cert *cert_from_blob(struct span blob, struct err *e)
{
	struct signed_part part;
	struct cert *cert = read_cert(blob, &part, e);

	if (cert && check_signature(cert, &part, e) < 0) {
		cert_free(cert);
		cert = NULL;
	}
	return cert;
}

struct cert *cert_copy(const struct cert *cert)
{
	struct signed_part checked;

	return read_cert(wr_span(&cert->blob), &checked, NULL);
}

/* Not by way of the key: one that we would not take, since it is too weak, can be listed all the same. */
int cert_plain_blob(struct span blob, struct wr *out, struct err *e)
{
	struct wr plain = WR_INIT;
	struct rd r;
	size_t type;

	rd_init(&r, blob);
	if (!find_type(rd_string(&r), &type))
		return unknown_type(blob, e);
	rd_string(&r); /* nonce */
	wr_cstring(&plain, types[type].plain_type);
	for (unsigned i = 0; i < types[type].key_fields; i++)
		wr_string(&plain, rd_string(&r));
	if (rd_ok(&r))
		wr_span_bytes(out, wr_span(&plain));
	wr_clear(&plain);
	return rd_ok(&r) ? 0 : malformed(e);
}

int cert_plain_blob_of_line(struct span text, struct wr *ret_blob, struct err *e)
{
	struct key_line line;
	struct wr plain = WR_INIT;

	if (!key_line_parse(text, &line))
		return err_set(e, ERR_CONFIG, "no public key");
	if (!cert_blob_is_cert(wr_span(&line.blob))) {
		*ret_blob = line.blob;
		return 0;
	}
	int rc = cert_plain_blob(wr_span(&line.blob), &plain, e);
	key_line_clear(&line);
	if (rc == 0)
		*ret_blob = plain;
	return rc;
}

static struct cert *parse_file(struct span text, struct err *e)
{
	struct key_line line;

	if (!key_line_parse_file(text, &line)) {
		err_set(e, ERR_CONFIG, "holds no certificate");
		return NULL;
	}
	struct span blob = wr_span(&line.blob);
	struct cert *cert = NULL;
	if (cert_blob_is_cert(blob))
		cert = cert_from_blob(blob, e);
	else
		err_set(e, ERR_CONFIG, "is a plain public key, not a certificate");
	if (cert && cert->type != CERT_USER) {
		err_set(e, ERR_CONFIG, "is a host's certificate, not a user's");
		cert_free(cert);
		cert = NULL;
	}
	key_line_clear(&line);
	return cert;
}

struct cert *cert_read(const char *path, struct err *e)
{
	struct wr text = WR_INIT;
	struct err reason = ERR_INIT;
	struct cert *cert = NULL;

	if (file_read(path, 2 * CERT_BYTES_MAX, &text, NULL, e) == 0) {
		cert = parse_file(wr_span(&text), &reason);
		if (!cert)
			err_set(e, ERR_CONFIG, "%s: %s", path, reason.text);
	}
	wr_clear(&text);
	return cert;
}

/* ---- asking ---- */

const struct key *cert_key(const struct cert *cert)
{
	return cert->key;
}

struct span cert_blob(const struct cert *cert)
{
	return wr_span(&cert->blob);
}

struct span cert_ca(const struct cert *cert)
{
	return wr_span(&cert->ca);
}

enum cert_type cert_type(const struct cert *cert)
{
	return cert->type;
}

const char *cert_key_id(const struct cert *cert)
{
	return cert->key_id;
}

uint64_t cert_serial(const struct cert *cert)
{
	return cert->serial;
}

uint64_t cert_valid_before(const struct cert *cert)
{
	return cert->valid_before;
}

/* ---- checking ---- */

struct date_text {
	char text[40];
};

static struct date_text date_in_words(uint64_t seconds)
{
	struct date_text date;
	struct tm tm;
	time_t t = (time_t)seconds;

	/* Certificates can name years that no calendar has. */
	if (seconds > (uint64_t)INT64_MAX || !gmtime_r(&t, &tm) ||
	    strftime(date.text, sizeof(date.text), "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
		strcpy(date.text, "the end of time");
	return date;
}

int cert_check_dates(const struct cert *cert, time_t now, struct err *e)
{
	uint64_t moment = now < 0 ? 0 : (uint64_t)now;
	struct date_text after = date_in_words(cert->valid_after);
	struct date_text before = date_in_words(cert->valid_before);

	if (moment < cert->valid_after)
		return err_set(e, ERR_CONFIG, "the certificate is not yet valid: from %s to %s",
		    after.text, before.text);
	if (moment >= cert->valid_before)
		return err_set(e, ERR_CONFIG,
		    "the certificate has expired: it was valid from %s to %s", after.text,
		    before.text);
	return 0;
}

static bool names_host(const struct cert *cert, const char *name)
{
	for (size_t i = 0; i < cert->principal_count; i++)
		if (str_glob_nocase(cert->principals[i], name))
			return true;
	return false;
}

int cert_check_host(const struct cert *cert, const char *name, time_t now, struct err *e)
{
	struct err reason = ERR_INIT;

	if (cert->type != CERT_HOST)
		return err_set(e, ERR_HOST_KEY, "the server shows a user's certificate");
	if (cert_check_dates(cert, now, &reason) < 0)
		return err_set(e, ERR_HOST_KEY, "%s", reason.text);
	/* The format once said that none means any; OpenSSH has refused it since. */
	if (cert->principal_count == 0)
		return err_set(
		    e, ERR_HOST_KEY, "the certificate is for no host: it has no principals");
	if (!names_host(cert, name))
		return err_set(
		    e, ERR_HOST_KEY, "the certificate is for another host than %s", name);
	if (cert->critical_option)
		return err_set(e, ERR_HOST_KEY,
		    "the certificate has a critical option that adit does not know");
	return 0;
}
