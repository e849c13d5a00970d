#include "ssh/hostkey.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "ssh/hostkey_policy.h"
#include "ssh/key_line.h"

/* ---- making ---- */

#define FINGERPRINT_PREFIX "SHA256:"
#define SHA256_BYTES 32

/* "SHA256:" and 32 bytes of base64, with or without its padding; as key_fingerprint() writes it. Gives; NULL: it is none. */
static char *parse_fingerprint(const char *text)
{
	struct wr hash = WR_INIT;
	char *fingerprint = NULL;
	size_t prefix = strlen(FINGERPRINT_PREFIX);

	if (strncmp(text, FINGERPRINT_PREFIX, prefix) == 0 &&
	    str_base64_decode(span_of(text + prefix), &hash) && hash.n == SHA256_BYTES) {
		char *base64 = str_base64(wr_span(&hash), BASE64_UNPADDED);
		fingerprint = str_format(FINGERPRINT_PREFIX "%s", base64);
		free(base64);
	}
	wr_clear(&hash);
	return fingerprint;
}

static int parse_pin(const char *text, struct hostkey_pin *pin, struct err *e)
{
	struct key_line line;
	struct err reason = ERR_INIT;

	pin->fingerprint = parse_fingerprint(text);
	if (pin->fingerprint)
		return 0;
	if (!key_line_parse(span_of(text), &line))
		return err_set(e, ERR_CONFIG,
		    "host_key \"%s\" is neither a fingerprint (SHA256:...) nor a public key "
		    "(ssh-ed25519 AAAA...)",
		    text);
	struct key *key = key_from_blob(wr_span(&line.blob), &reason);
	if (key) {
		pin->fingerprint = key_fingerprint(key_blob(key));
		pin->type = mem_strdup(key_type_name(key));
	}
	key_free(key);
	key_line_clear(&line);
	return pin->fingerprint ? 0 : err_set(e, ERR_CONFIG, "host_key: %s", reason.text);
}

static int read_pins(
    struct hostkey_policy *policy, const struct hostkey_options *options, struct err *e)
{
	policy->pins =
	    mem_array(options->pin_count ? options->pin_count : 1, sizeof(*policy->pins));
	for (size_t i = 0; i < options->pin_count; i++) {
		int rc = parse_pin(options->pins[i], &policy->pins[i], e);
		if (rc < 0)
			return rc;
		policy->pin_count++;
	}
	return 0;
}

struct hostkey_policy *hostkey_policy_new(const struct hostkey_options *options, struct err *e)
{
	struct hostkey_policy *policy = NEW(struct hostkey_policy);

	policy->log = options->log;
	policy->name = mem_strdup(options->name);
	policy->port = options->port;
	policy->address = mem_strdup(options->address);
	policy->ask = mem_strdup(options->ask);
	policy->check = options->check;
	policy->fingerprint = mem_strdup("");
	if (read_pins(policy, options, e) < 0) {
		hostkey_policy_free(policy);
		return NULL;
	}
	size_t count = policy->pin_count ? 0 : options->known_hosts_count;
	policy->known_hosts_paths = mem_array(count ? count : 1, sizeof(char *));
	for (size_t i = 0; i < count; i++)
		policy->known_hosts_paths[policy->known_hosts_count++] =
		    mem_strdup(options->known_hosts[i]);
	policy->revoked = revoked_read(options->revoked_keys, options->revoked_keys_count);
	policy->known = known_hosts_read((const char *const *)policy->known_hosts_paths, count, e);
	if (!policy->known) {
		hostkey_policy_free(policy);
		return NULL;
	}
	return policy;
}

void hostkey_policy_free(struct hostkey_policy *policy)
{
	if (!policy)
		return;
	for (size_t i = 0; i < policy->pin_count; i++) {
		free(policy->pins[i].fingerprint);
		free(policy->pins[i].type);
	}
	for (size_t i = 0; i < policy->known_hosts_count; i++)
		free(policy->known_hosts_paths[i]);
	free(policy->pins);
	free(policy->known_hosts_paths);
	free(policy->own.v);
	free(policy->of_port_22.v);
	known_hosts_free(policy->known);
	revoked_free(policy->revoked);
	wr_clear(&policy->seen);
	wr_clear(&policy->verified);
	free(policy->fingerprint);
	free(policy->name);
	free(policy->address);
	free(policy->ask);
	free(policy);
}

const char *hostkey_policy_fingerprint(const struct hostkey_policy *policy)
{
	return policy->fingerprint;
}

struct span hostkey_policy_seen(const struct hostkey_policy *policy)
{
	return wr_span(&policy->seen);
}

/* ---- what the files say of a key ---- */

const struct hostkey_lines *hostkey_policy_lines(struct hostkey_policy *policy, uint16_t port)
{
	struct hostkey_lines *lines = port == policy->port ? &policy->own : &policy->of_port_22;
	struct known_hosts_match match;
	size_t cursor = 0;

	while (!lines->looked_up &&
	       known_hosts_next(policy->known, policy->name, port, &cursor, &match)) {
		lines->v = mem_grow(lines->v, lines->n + 1, sizeof(*lines->v));
		lines->v[lines->n++] = match;
	}
	lines->looked_up = true;
	return lines;
}

struct finding {
	bool is;
	struct known_hosts_match match;
};

/* The first line of each kind. */
struct findings {
	struct finding revoked;
	struct finding same;      /* the key itself */
	struct finding other_key; /* of its type */
	struct finding other_type;
	struct finding ca;  /* any CA */
	bool ca_is_trusted; /* the certificate's */
};

static void find(struct finding *finding, const struct known_hosts_match *match)
{
	if (finding->is)
		return;
	finding->is = true;
	finding->match = *match;
}

static void look_at(struct findings *f, const struct known_hosts_match *match, struct span blob,
    const struct cert *cert)
{
	bool is_ca = cert && span_equal(match->key_blob, cert_ca(cert));
	bool is_key = span_equal(match->key_blob, blob);

	switch (match->marker) {
	case KNOWN_HOSTS_REVOKED:
		if (is_key || is_ca)
			find(&f->revoked, match);
		break;
	case KNOWN_HOSTS_CERT_AUTHORITY:
		find(&f->ca, match);
		f->ca_is_trusted = f->ca_is_trusted || is_ca;
		break;
	case KNOWN_HOSTS_PLAIN:
		if (is_key)
			find(&f->same, match);
		else if (span_equal(key_blob_type(match->key_blob), key_blob_type(blob)))
			find(&f->other_key, match);
		else
			find(&f->other_type, match);
		break;
	}
}

static struct findings look_up(
    struct hostkey_policy *policy, uint16_t port, struct span blob, const struct cert *cert)
{
	const struct hostkey_lines *lines = hostkey_policy_lines(policy, port);
	struct findings findings = {0};

	for (size_t i = 0; i < lines->n; i++)
		look_at(&findings, &lines->v[i], blob, cert);
	return findings;
}

/* ---- refusals: what was seen, what is known and where, what to do ---- */

/* What `adit host-key` must be given to ask this server. */
static char *host_key_argument(const struct hostkey_policy *policy)
{
	if (policy->ask || policy->port == 22)
		return mem_strdup(policy->ask ? policy->ask : policy->address);
	return str_format(strchr(policy->address, ':') ? "[%s]:%u" : "%s:%u", policy->address,
	    (unsigned)policy->port);
}

static int refuse_revoked(const struct known_hosts_match *match, struct err *e)
{
	return err_set(
	    e, ERR_HOST_KEY, "the host key is revoked by %s:%d", match->file, match->line);
}

static int refuse_changed(
    const struct hostkey_policy *policy, const struct known_hosts_match *match, struct err *e)
{
	char *known = key_fingerprint(match->key_blob);
	char *name = known_hosts_name(policy->name, policy->port);
	char *argument = host_key_argument(policy);

	err_set(e, ERR_HOST_KEY,
	    "the host key has changed: the known one is %s (%s:%d); somebody may be in between. If "
	    "the server has a new key "
	    "indeed: ssh-keygen -R '%s' -f %s, then have the new one checked with adit host-key %s",
	    known, match->file, match->line, name, match->file, argument);
	free(argument);
	free(name);
	free(known);
	return ERR_HOST_KEY;
}

static int refuse_other_type(
    const struct hostkey_policy *policy, const struct known_hosts_match *match, struct err *e)
{
	char *known = key_fingerprint(match->key_blob);
	struct span type = key_blob_type(match->key_blob);
	char *argument = host_key_argument(policy);

	err_set(e, ERR_HOST_KEY,
	    "the host is known by a key of another type: %.*s %s (%s:%d), which it does not show; "
	    "if both are the server's, "
	    "adit host-key %s prints the line to add",
	    (int)type.n, (const char *)type.p, known, match->file, match->line, argument);
	free(argument);
	free(known);
	return ERR_HOST_KEY;
}

static int refuse_unknown(const struct hostkey_policy *policy, struct err *e)
{
	size_t bad = known_hosts_bad_lines(policy->known);
	char skipped[80] = "", *argument = host_key_argument(policy);

	if (bad)
		snprintf(skipped, sizeof(skipped),
		    " (%zu lines of known_hosts cannot be understood)", bad);
	err_set(e, ERR_HOST_KEY,
	    "the host key is not known%s: compare it with the server's own (ssh-keygen -l on the "
	    "server), then add the line "
	    "that adit host-key %s prints to %s, or pin it with host_key",
	    skipped, argument,
	    policy->known_hosts_count ? policy->known_hosts_paths[0] : "known_hosts");
	free(argument);
	return ERR_HOST_KEY;
}

/* ---- the decision ---- */

static int accept_new(struct hostkey_policy *policy, struct span blob, struct err *e)
{
	struct err reason = ERR_INIT;

	if (policy->known_hosts_count == 0)
		return err_set(e, ERR_HOST_KEY,
		    "the host key is new, and there is no known_hosts file to remember it");
	struct known_hosts_change change = {
	    .path = policy->known_hosts_paths[0],
	    .name = policy->name,
	    .port = policy->port,
	    .add = &blob,
	    .add_count = 1,
	};
	/* Not remembered would mean that the next connection accepts anybody. */
	if (known_hosts_update(&change, &reason) < 0)
		return err_set(e, ERR_HOST_KEY, "the host key is new and cannot be remembered: %s",
		    reason.text);
	log_warning(policy->log, "host-key-added", "file=%s name=%s key=%s", change.path,
	    policy->name, policy->fingerprint);
	policy->by_own_line = true;
	return 0;
}

/* Nothing stands under "[name]:port". */
static int decide_unknown(
    struct hostkey_policy *policy, struct span blob, const struct cert *cert, struct err *e)
{
	if (policy->port != 22) {
		struct findings f = look_up(policy, 22, blob, cert);
		if (f.revoked.is)
			return refuse_revoked(&f.revoked.match, e);
		if (f.same.is || (f.ca_is_trusted &&
				     cert_check_host(cert, policy->name, clock_wall(), NULL) == 0))
			return 0;
	}
	if (policy->check == HOSTKEY_ACCEPT_NEW)
		return accept_new(policy, blob, e);
	return refuse_unknown(policy, e);
}

static int decide_known(
    struct hostkey_policy *policy, struct span blob, const struct cert *cert, struct err *e)
{
	struct findings f = look_up(policy, policy->port, blob, cert);
	struct err cert_reason = ERR_INIT;

	if (f.revoked.is)
		return refuse_revoked(&f.revoked.match, e);
	if (f.ca_is_trusted && cert_check_host(cert, policy->name, clock_wall(), &cert_reason) == 0)
		return 0;
	if (f.same.is) {
		policy->by_own_line = true;
		return 0;
	}
	if (err_is_set(&cert_reason))
		return err_set(e, ERR_HOST_KEY, "%s (its CA is known by %s:%d)", cert_reason.text,
		    f.ca.match.file, f.ca.match.line);
	if (f.other_key.is)
		return refuse_changed(policy, &f.other_key.match, e);
	if (f.other_type.is)
		return refuse_other_type(policy, &f.other_type.match, e);
	if (f.ca.is)
		return err_set(e, ERR_HOST_KEY,
		    "the host shows no certificate of the CA that is known for it (%s:%d)",
		    f.ca.match.file, f.ca.match.line);
	return decide_unknown(policy, blob, cert, e);
}

static int decide_pinned(const struct hostkey_policy *policy, struct err *e)
{
	for (size_t i = 0; i < policy->pin_count; i++)
		if (strcmp(policy->fingerprint, policy->pins[i].fingerprint) == 0)
			return 0;
	return err_set(e, ERR_HOST_KEY,
	    "the host key is not the pinned one, %s%s; if the server shows a key of another type "
	    "than that, pin this one too, or "
	    "set host_key_algorithms",
	    policy->pins[0].fingerprint, policy->pin_count > 1 ? " or another of host_key" : "");
}

static int decide(
    struct hostkey_policy *policy, struct span blob, const struct cert *cert, struct err *e)
{
	int rc = revoked_check(policy->revoked, blob, cert, e);

	if (rc < 0)
		return rc;
	if (policy->check == HOSTKEY_FETCH)
		return err_set(e, ERR_HOST_KEY, "the host key was only asked for");
	if (policy->pin_count)
		return decide_pinned(policy, e);
	return decide_known(policy, blob, cert, e);
}

static void remember_seen(struct hostkey_policy *policy, struct span blob)
{
	wr_reset(&policy->seen);
	wr_span_bytes(&policy->seen, blob);
	free(policy->fingerprint);
	policy->fingerprint = key_fingerprint(blob);
}

/* The first exchange. */
static int verify_first(
    struct hostkey_policy *policy, const struct key *key, const struct cert *cert, struct err *e)
{
	struct err reason = ERR_INIT;

	if (decide(policy, key_blob(key), cert, &reason) == 0)
		return 0;
	return err_set(e, ERR_HOST_KEY, "%s shows the %s%s key %s: %s", policy->address,
	    key_short_name(key), cert ? " certificate's" : "", policy->fingerprint, reason.text);
}

int hostkey_policy_verify(
    struct hostkey_policy *policy, struct span blob, struct span algorithm, struct err *e)
{
	bool is_cert = cert_algorithm_plain(algorithm) != NULL;

	if (policy->verified.n) {
		if (span_equal(blob, wr_span(&policy->verified)))
			return 0;
		return err_set(e, ERR_HOST_KEY,
		    "%s shows another host key in a later key exchange than the first time (%s)",
		    policy->address, policy->fingerprint);
	}
	struct cert *cert = is_cert ? cert_from_blob(blob, e) : NULL;
	struct key *key = is_cert ? NULL : key_from_blob(blob, e);
	if (!cert && !key)
		return ERR_PEER;
	const struct key *plain = cert ? cert_key(cert) : key;
	remember_seen(policy, key_blob(plain));
	int rc = verify_first(policy, plain, cert, e);
	if (rc == 0)
		wr_span_bytes(&policy->verified, blob);
	cert_free(cert);
	key_free(key);
	return rc;
}
