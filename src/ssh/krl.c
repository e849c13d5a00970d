#include "ssh/krl.h"

#include <string.h>

#include <openssl/sha.h>

#define MAGIC "SSHKRL\n" /* with its NUL */
#define FORMAT_VERSION 1

enum section {
	SECTION_CERTIFICATES = 1,
	SECTION_EXPLICIT_KEY = 2,
	SECTION_FINGERPRINT_SHA1 = 3,
	SECTION_SIGNATURE = 4,
	SECTION_FINGERPRINT_SHA256 = 5,
	SECTION_EXTENSION = 255
};
enum cert_section {
	CERT_SERIAL_LIST = 0x20,
	CERT_SERIAL_RANGE = 0x21,
	CERT_SERIAL_BITMAP = 0x22,
	CERT_KEY_ID = 0x23,
	CERT_EXTENSION = 0x39
};

/* What is asked: a key, with its certificate if it has one. The key of NULL: nothing, the list is only checked. */
struct question {
	const struct span *key_blob;
	const struct cert *cert;
	bool revoked;
};

static void hit_if(struct question *q, bool hit)
{
	q->revoked = q->revoked || hit;
}

/* ---- certificates, by CA ---- */

/* Serial 0 is what a CA gives that does not count: it names nobody. */
static bool serial_is_asked(const struct question *q, uint64_t first, uint64_t last)
{
	if (!q->cert || cert_serial(q->cert) == 0)
		return false;
	return cert_serial(q->cert) >= first && cert_serial(q->cert) <= last;
}

static void read_serials(struct rd *r, struct question *q, bool ca_fits)
{
	while (rd_left(r)) {
		uint64_t serial = rd_u64(r);
		hit_if(q, ca_fits && rd_ok(r) && serial_is_asked(q, serial, serial));
	}
}

static void read_range(struct rd *r, struct question *q, bool ca_fits)
{
	uint64_t first = rd_u64(r), last = rd_u64(r);

	if (first > last)
		rd_fail(r);
	hit_if(q, ca_fits && rd_ok(r) && serial_is_asked(q, first, last));
}

/* Bit i of the number stands for the serial first + i. */
static void read_bitmap(struct rd *r, struct question *q, bool ca_fits)
{
	uint64_t first = rd_u64(r);
	struct span bits = rd_mpint(r);

	if (bits.n == 0)
		return;
	uint64_t last = first + (bits.n * 8 - 1);
	if (last < first) {
		rd_fail(r);
		return;
	}
	if (!ca_fits || !rd_ok(r) || !serial_is_asked(q, first, last))
		return;
	uint64_t bit = cert_serial(q->cert) - first;
	hit_if(q, bits.p[bits.n - 1 - bit / 8] >> bit % 8 & 1);
}

static void read_key_ids(struct rd *r, struct question *q, bool ca_fits)
{
	while (rd_left(r)) {
		struct span id = rd_string(r);
		hit_if(q, ca_fits && rd_ok(r) && q->cert && span_is(id, cert_key_id(q->cert)));
	}
}

static void read_extension(struct rd *r)
{
	rd_string(r);
	bool critical = rd_bool(r);
	rd_string(r);
	if (critical)
		rd_fail(r);
}

static void read_cert_section(struct rd *whole, struct question *q, bool ca_fits)
{
	uint8_t type = rd_u8(whole);
	struct rd r;

	rd_init(&r, rd_string(whole));
	switch (type) {
	case CERT_SERIAL_LIST:
		read_serials(&r, q, ca_fits);
		break;
	case CERT_SERIAL_RANGE:
		read_range(&r, q, ca_fits);
		break;
	case CERT_SERIAL_BITMAP:
		read_bitmap(&r, q, ca_fits);
		break;
	case CERT_KEY_ID:
		read_key_ids(&r, q, ca_fits);
		break;
	case CERT_EXTENSION:
		read_extension(&r);
		break;
	default:
		rd_fail(&r);
		break;
	}
	if (rd_end(&r) < 0)
		rd_fail(whole);
}

static void read_certificates(struct rd *r, struct question *q)
{
	struct span ca = rd_string(r); /* empty: of any CA */

	rd_string(r); /* reserved */
	bool ca_fits = q->cert && (ca.n == 0 || span_equal(ca, cert_ca(q->cert)));
	while (rd_left(r))
		read_cert_section(r, q, ca_fits);
}

/* ---- keys ---- */

static bool key_is_asked(const struct question *q, struct span blob)
{
	return q->key_blob &&
	       (span_equal(blob, *q->key_blob) || (q->cert && span_equal(blob, cert_ca(q->cert))));
}

static void read_keys(struct rd *r, struct question *q)
{
	while (rd_left(r)) {
		struct span blob = rd_string(r);
		hit_if(q, rd_ok(r) && key_is_asked(q, blob));
	}
}

typedef unsigned char *hash_function(const unsigned char *data, size_t n, unsigned char *out);

static bool hash_is(struct span blob, hash_function *hash, struct span expected)
{
	uint8_t bytes[SHA256_DIGEST_LENGTH];

	hash(blob.p, blob.n, bytes);
	return memcmp(bytes, expected.p, expected.n) == 0;
}

static void read_hashes(struct rd *r, struct question *q, hash_function *hash, size_t hash_bytes)
{
	while (rd_left(r)) {
		struct span expected = rd_string(r);
		if (expected.n != hash_bytes) {
			rd_fail(r);
			return;
		}
		hit_if(q, q->key_blob && hash_is(*q->key_blob, hash, expected));
		hit_if(q, q->cert && hash_is(cert_ca(q->cert), hash, expected));
	}
}

/* ---- the list ---- */

static void read_section(struct rd *whole, uint8_t type, struct question *q)
{
	struct rd r;

	rd_init(&r, rd_string(whole));
	switch (type) {
	case SECTION_CERTIFICATES:
		read_certificates(&r, q);
		break;
	case SECTION_EXPLICIT_KEY:
		read_keys(&r, q);
		break;
	case SECTION_FINGERPRINT_SHA1:
		read_hashes(&r, q, SHA1, SHA_DIGEST_LENGTH);
		break;
	case SECTION_FINGERPRINT_SHA256:
		read_hashes(&r, q, SHA256, SHA256_DIGEST_LENGTH);
		break;
	case SECTION_EXTENSION:
		read_extension(&r);
		break;
	default:
		rd_fail(&r);
		break;
	}
	if (rd_end(&r) < 0)
		rd_fail(whole);
}

static void read_header(struct rd *r)
{
	struct span magic = rd_bytes(r, sizeof(MAGIC));

	if (!span_equal(magic, SPAN(MAGIC, sizeof(MAGIC))) || rd_u32(r) != FORMAT_VERSION)
		rd_fail(r);
	rd_u64(r);    /* version of this list */
	rd_u64(r);    /* when it was made */
	rd_u64(r);    /* flags: none is defined */
	rd_string(r); /* reserved */
	rd_string(r); /* comment */
}

/* Over everything up to and with the key that made it. */
static bool signature_is_right(struct span krl, struct rd *r)
{
	struct span key_blob = rd_string(r);
	struct span signed_part = SPAN(krl.p, krl.n - rd_left(r));
	struct span signature = rd_string(r);
	struct key *key = rd_ok(r) ? key_from_blob(key_blob, NULL) : NULL;
	bool right =
	    key && key_verify(key, key_blob_type(signature), signed_part, signature, NULL) == 0;

	key_free(key);
	return right;
}

enum signatures { SIGNATURES_CHECKED, SIGNATURES_SKIPPED };

static int walk(struct span krl, struct question *q, enum signatures signatures, struct err *e)
{
	struct rd r;
	bool signature_seen = false;

	rd_init(&r, krl);
	read_header(&r);
	while (rd_left(&r)) {
		uint8_t type = rd_u8(&r);
		if (type != SECTION_SIGNATURE && signature_seen)
			return err_set(
			    e, ERR_CONFIG, "the revocation list goes on behind its signature");
		if (type != SECTION_SIGNATURE) {
			read_section(&r, type, q);
			continue;
		}
		signature_seen = true;
		if (signatures == SIGNATURES_SKIPPED)
			return 0;
		if (!signature_is_right(krl, &r))
			return err_set(e, ERR_CONFIG, "the revocation list's signature is wrong");
	}
	if (rd_end(&r) < 0)
		return err_set(e, ERR_CONFIG,
		    "the revocation list is damaged, or has a part that adit does not know");
	return 0;
}

bool krl_is_krl(struct span text)
{
	return text.n >= sizeof(MAGIC) && memcmp(text.p, MAGIC, sizeof(MAGIC)) == 0;
}

int krl_check(struct span krl, struct err *e)
{
	struct question nothing = {0};

	return walk(krl, &nothing, SIGNATURES_CHECKED, e);
}

bool krl_revokes(struct span krl, struct span key_blob, const struct cert *cert)
{
	struct question q = {.key_blob = &key_blob, .cert = cert};

	/* What cannot be read by now was changed in memory; it revokes everything. */
	return walk(krl, &q, SIGNATURES_SKIPPED, NULL) < 0 || q.revoked;
}
