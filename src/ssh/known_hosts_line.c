#include "ssh/known_hosts_line.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/line.h"
#include "base/random.h"
#include "base/secret.h"
#include "base/str.h"
#include "ssh/cert.h"
#include "ssh/evp.h"
#include "ssh/key_line.h"

#define HASH_MAGIC "|1|"

/* A policy may have taken SHA-1 away. Once there, it stays. */
static bool can_hash(void)
{
	static bool can;

	can = can || (evp_has_mac("HMAC") && evp_has_digest("SHA1"));
	return can;
}

/* Made once and kept: a file may have thousands of lines, and HMAC() finds and makes everything anew each time. */
static EVP_MAC_CTX *hmac_sha1(void)
{
	static EVP_MAC_CTX *made;
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA1"}, 0),
	    OSSL_PARAM_construct_end(),
	};

	if (made)
		return made;
	EVP_MAC *hmac = evp_must_have(EVP_MAC_fetch(NULL, "HMAC", NULL));
	made = evp_must_have(EVP_MAC_CTX_new(hmac));
	evp_must(EVP_MAC_CTX_set_params(made, params));
	EVP_MAC_free(hmac);
	return made;
}

static void hash_name(const uint8_t salt[KNOWN_HOSTS_HASH_BYTES], const char *full_name,
    uint8_t ret_hash[KNOWN_HOSTS_HASH_BYTES])
{
	EVP_MAC_CTX *ctx = hmac_sha1();
	size_t n;

	evp_must(EVP_MAC_init(ctx, salt, KNOWN_HOSTS_HASH_BYTES, NULL));
	evp_must(EVP_MAC_update(ctx, (const uint8_t *)full_name, strlen(full_name)));
	evp_must(EVP_MAC_final(ctx, ret_hash, &n, KNOWN_HOSTS_HASH_BYTES));
}

char *known_hosts_hash_name(const char *full_name)
{
	uint8_t salt[KNOWN_HOSTS_HASH_BYTES], hash[KNOWN_HOSTS_HASH_BYTES];

	random_key_bytes(salt, sizeof(salt));
	hash_name(salt, full_name, hash);
	char *salt_text = str_base64(SPAN(salt, sizeof(salt)), BASE64_PADDED);
	char *hash_text = str_base64(SPAN(hash, sizeof(hash)), BASE64_PADDED);
	char *text = str_format(HASH_MAGIC "%s|%s", salt_text, hash_text);
	free(salt_text);
	free(hash_text);
	return text;
}

/* ---- parsing ---- */

static bool decode_20_bytes(struct span base64, uint8_t ret_bytes[KNOWN_HOSTS_HASH_BYTES])
{
	struct wr w = WR_INIT;
	bool good = str_base64_decode(base64, &w) && w.n == KNOWN_HOSTS_HASH_BYTES;

	if (good)
		memcpy(ret_bytes, w.p, w.n);
	wr_clear(&w);
	return good;
}

/* "|1|base64 of the salt|base64 of the hash", one name a line. */
static bool parse_hashed_name(struct span names, struct known_hosts_line *line)
{
	size_t magic = strlen(HASH_MAGIC);

	if (!span_begins_with(names, HASH_MAGIC) || !can_hash())
		return false;
	struct span rest = SPAN(names.p + magic, names.n - magic);
	const uint8_t *bar = rest.n ? memchr(rest.p, '|', rest.n) : NULL;
	if (!bar)
		return false;
	size_t salt_chars = (size_t)(bar - rest.p);
	return decode_20_bytes(SPAN(rest.p, salt_chars), line->salt) &&
	       decode_20_bytes(SPAN(bar + 1, rest.n - salt_chars - 1), line->hash);
}

static bool parse_names(struct span names, struct known_hosts_line *line)
{
	if (names.n == 0 || !span_is_text(names))
		return false;
	if (names.p[0] == '|')
		return parse_hashed_name(names, line);
	line->patterns = span_strdup(names);
	return true;
}

static bool parse_marker(struct span word, enum known_hosts_marker *ret_marker)
{
	if (span_is(word, "@cert-authority"))
		*ret_marker = KNOWN_HOSTS_CERT_AUTHORITY;
	else if (span_is(word, "@revoked"))
		*ret_marker = KNOWN_HOSTS_REVOKED;
	else
		return false;
	return true;
}

/* As ssh has it: a certificate that is revoked stands for its key. */
static bool parse_key(struct span text, enum known_hosts_marker marker, struct wr *ret_blob)
{
	struct key_line key;

	if (marker == KNOWN_HOSTS_REVOKED)
		return cert_plain_blob_of_line(text, ret_blob, NULL) == 0;
	if (!key_line_parse(text, &key))
		return false;
	*ret_blob = key.blob;
	return true;
}

char *known_hosts_line_text(const char *full_name, struct span key_blob)
{
	char *base64 = str_base64(key_blob, BASE64_PADDED);
	struct span type = key_blob_type(key_blob);
	char *line = str_format("%s %.*s %s", full_name, (int)type.n, (const char *)type.p, base64);

	free(base64);
	return line;
}

enum known_hosts_line_kind known_hosts_line_parse(
    struct span text, struct known_hosts_line *ret_line)
{
	struct known_hosts_line line = {.marker = KNOWN_HOSTS_PLAIN};

	if (line_is_nothing(text))
		return KNOWN_HOSTS_LINE_NOTHING;
	struct span word = line_next_word(&text);
	if (word.p[0] == '@') {
		if (!parse_marker(word, &line.marker))
			return KNOWN_HOSTS_LINE_BAD;
		word = line_next_word(&text);
	}
	if (!parse_names(word, &line) || !parse_key(text, line.marker, &line.key_blob)) {
		free(line.patterns);
		return KNOWN_HOSTS_LINE_BAD;
	}
	if (!key_type_is_known(key_blob_type(wr_span(&line.key_blob)))) {
		known_hosts_line_clear(&line);
		return KNOWN_HOSTS_LINE_NOTHING;
	}
	*ret_line = line;
	return KNOWN_HOSTS_LINE_KEY;
}

void known_hosts_line_clear(struct known_hosts_line *line)
{
	free(line->patterns);
	wr_clear(&line->key_blob);
}

/* ---- matching ---- */

static bool patterns_match(const char *patterns, const char *full_name)
{
	struct span list = span_of(patterns), one;
	bool match = false;

	while (name_list_next(&list, &one)) {
		bool negated = one.n && one.p[0] == '!';
		char *pattern = span_strdup(negated ? SPAN(one.p + 1, one.n - 1) : one);
		bool hit = str_glob_nocase(pattern, full_name);
		free(pattern);
		if (hit && negated)
			return false; /* vetoes the line, wherever it stands */
		match = match || hit;
	}
	return match;
}

bool known_hosts_line_matches(const struct known_hosts_line *line, const char *full_name)
{
	uint8_t hash[KNOWN_HOSTS_HASH_BYTES];

	if (line->patterns)
		return patterns_match(line->patterns, full_name);
	hash_name(line->salt, full_name, hash);
	return secret_equal(hash, line->hash, sizeof(hash));
}

bool known_hosts_line_has_one_name(const struct known_hosts_line *line)
{
	return !line->patterns || !strpbrk(line->patterns, ",*?!");
}
