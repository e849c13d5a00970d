/*
 * OpenSSH's own format (PROTOCOL.key): base64 of a head, the public key, and the private one, encrypted or not.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/mem.h"
#include "base/str.h"
#include "ssh/bcrypt_pbkdf.h"
#include "ssh/keyfile_format.h"

#define MAGIC "openssh-key-v1" /* with its NUL */
#define END "-----END OPENSSH PRIVATE KEY-----"
#define TAG_BYTES 16
#define KEY_AND_IV_MAX 64

enum mode { MODE_PLAIN, MODE_STREAM, MODE_AEAD, MODE_CHACHAPOLY };

static const struct cipher_row {
	const char *name;
	enum mode mode;
	const char *openssl_name;
	size_t key_bytes, iv_bytes, block_bytes;
} ciphers[] = {
    {"none", MODE_PLAIN, NULL, 0, 0, 8},
    {"aes256-ctr", MODE_STREAM, "AES-256-CTR", 32, 16, 16}, /* what ssh-keygen takes */
    {"aes192-ctr", MODE_STREAM, "AES-192-CTR", 24, 16, 16},
    {"aes128-ctr", MODE_STREAM, "AES-128-CTR", 16, 16, 16},
    {"aes256-cbc", MODE_STREAM, "AES-256-CBC", 32, 16, 16}, /* what it took before 2018 */
    {"aes192-cbc", MODE_STREAM, "AES-192-CBC", 24, 16, 16},
    {"aes128-cbc", MODE_STREAM, "AES-128-CBC", 16, 16, 16},
    {"aes256-gcm@openssh.com", MODE_AEAD, "AES-256-GCM", 32, 12, 16},
    {"aes128-gcm@openssh.com", MODE_AEAD, "AES-128-GCM", 16, 12, 16},
    {"chacha20-poly1305@openssh.com", MODE_CHACHAPOLY, "ChaCha20", 64, 0, 8},
};

/* The fields before decryption; spans are views into the decoded bytes. */
struct envelope {
	const struct cipher_row *cipher;
	struct span salt; /* empty: no passphrase */
	uint32_t rounds;
	struct span public_blob;
	struct span sealed;
	struct span tag;
};

/* The bytes between the BEGIN and END lines, line breaks anywhere. */
static int decode(struct span text, struct wr *out, struct err *e)
{
	struct wr base64 = WR_INIT_SECRET;
	size_t begin = strlen(KEYFILE_OPENSSH_BEGIN), end = begin;
	int rc = 0;

	while (end < text.n && text.p[end] != '-')
		end++;
	if (text.n - end < strlen(END) || memcmp(text.p + end, END, strlen(END)) != 0)
		return err_set(e, ERR_CONFIG, "the key is cut short: its END line is missing");
	for (size_t i = begin; i < end; i++)
		if (!strchr(" \t\r\n", text.p[i]))
			wr_u8(&base64, text.p[i]);
	if (!str_base64_decode(wr_span(&base64), out))
		rc = err_set(e, ERR_CONFIG, "the key is damaged: it is not base64");
	wr_clear(&base64);
	return rc;
}

static const struct cipher_row *find_cipher(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(ciphers); i++)
		if (span_is(name, ciphers[i].name))
			return &ciphers[i];
	return NULL;
}

static int damaged(struct err *e)
{
	return err_set(e, ERR_CONFIG, "the key is damaged");
}

static int read_kdf(struct span name, struct span options, struct envelope *envelope, struct err *e)
{
	struct rd r;

	rd_init(&r, options);
	if (span_is(name, "none")) {
		envelope->salt = SPAN("", 0);
		if (envelope->cipher->mode != MODE_PLAIN)
			return damaged(e);
		return rd_end(&r) < 0 ? damaged(e) : 0;
	}
	if (!span_is(name, "bcrypt"))
		return err_set(e, ERR_CONFIG,
		    "its passphrase is hashed in an unknown way; ssh-keygen -p rewrites it");
	envelope->salt = rd_string(&r);
	envelope->rounds = rd_u32(&r);
	if (rd_end(&r) < 0 || envelope->salt.n == 0 || envelope->cipher->mode == MODE_PLAIN)
		return damaged(e);
	if (envelope->rounds > BCRYPT_PBKDF_ROUNDS_MAX)
		return err_set(e, ERR_CONFIG,
		    "its passphrase is hashed %u times (ssh-keygen -a), more than the %d that adit "
		    "does",
		    envelope->rounds, BCRYPT_PBKDF_ROUNDS_MAX);
	return 0;
}

static int read_envelope(struct span bytes, struct envelope *ret_envelope, struct err *e)
{
	struct envelope envelope = {0};
	struct rd r;

	rd_init(&r, bytes);
	struct span magic = rd_bytes(&r, sizeof(MAGIC));
	if (!span_equal(magic, SPAN(MAGIC, sizeof(MAGIC))))
		return damaged(e);
	struct span cipher = rd_string(&r), kdf = rd_string(&r), kdf_options = rd_string(&r);
	uint32_t count = rd_u32(&r);
	envelope.public_blob = rd_string(&r);
	if (!rd_ok(&r))
		return damaged(e);
	if (count != 1)
		return err_set(e, ERR_CONFIG, "%u keys in one file; adit takes one", count);
	envelope.cipher = find_cipher(cipher);
	if (!envelope.cipher)
		return err_set(e, ERR_CONFIG,
		    "it is encrypted with a cipher that adit does not have; ssh-keygen -p rewrites "
		    "it");
	int rc = read_kdf(kdf, kdf_options, &envelope, e);
	if (rc < 0)
		return rc;
	envelope.sealed = rd_string(&r);
	if (envelope.cipher->mode == MODE_AEAD || envelope.cipher->mode == MODE_CHACHAPOLY)
		envelope.tag = rd_bytes(&r, TAG_BYTES);
	if (rd_end(&r) < 0 || envelope.sealed.n < envelope.cipher->block_bytes ||
	    envelope.sealed.n % envelope.cipher->block_bytes != 0)
		return damaged(e);
	*ret_envelope = envelope;
	return 0;
}

/* ---- decryption: each appends to out; false when OpenSSL refuses or the tag is wrong ---- */

static bool decrypt_evp(const struct envelope *envelope, const uint8_t *key, struct wr *out)
{
	const struct cipher_row *row = envelope->cipher;
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, row->openssl_name, NULL);
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	uint8_t *bytes = mem_alloc(envelope->sealed.n + EVP_MAX_BLOCK_LENGTH);
	int n = 0, last = 0;
	bool good = cipher && context &&
		    EVP_DecryptInit_ex2(context, cipher, key, key + row->key_bytes, NULL) == 1 &&
		    EVP_CIPHER_CTX_set_padding(context, 0) == 1;

	if (good && row->mode == MODE_AEAD)
		good = EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES,
			   (void *)(uintptr_t)envelope->tag.p) == 1;
	good = good &&
	       EVP_DecryptUpdate(context, bytes, &n, envelope->sealed.p, (int)envelope->sealed.n) ==
		   1 &&
	       EVP_DecryptFinal_ex(context, bytes + n, &last) == 1;
	if (good)
		wr_bytes(out, bytes, (size_t)n + (size_t)last);
	secret_wipe(bytes, envelope->sealed.n);
	free(bytes);
	EVP_CIPHER_CTX_free(context);
	EVP_CIPHER_free(cipher);
	return good;
}

static bool poly1305(const uint8_t key[32], struct span data, uint8_t tag[TAG_BYTES])
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "POLY1305", NULL);
	EVP_MAC_CTX *context = mac ? EVP_MAC_CTX_new(mac) : NULL;
	size_t n = 0;
	bool good = context && EVP_MAC_init(context, key, 32, NULL) == 1 &&
		    EVP_MAC_update(context, data.p, data.n) == 1 &&
		    EVP_MAC_final(context, tag, &n, TAG_BYTES) == 1 && n == TAG_BYTES;

	EVP_MAC_CTX_free(context);
	EVP_MAC_free(mac);
	return good;
}

/* A packet's way (PROTOCOL.chacha20poly1305), as sequence number 0 and without a length: Poly1305's key is the first block
 * of the stream, the text begins with the second. */
static bool decrypt_chachapoly(const struct envelope *envelope, const uint8_t *key, struct wr *out)
{
	uint8_t iv[16] = {0}, zeros[64] = {0}, first_block[64], tag[TAG_BYTES];
	uint8_t *bytes = mem_alloc(envelope->sealed.n);
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int n = 0;
	bool good =
	    context && EVP_DecryptInit_ex2(context, EVP_chacha20(), key, iv, NULL) == 1 &&
	    EVP_DecryptUpdate(context, first_block, &n, zeros, sizeof(zeros)) == 1 &&
	    poly1305(first_block, envelope->sealed, tag) &&
	    secret_equal(tag, envelope->tag.p, TAG_BYTES) &&
	    EVP_DecryptUpdate(context, bytes, &n, envelope->sealed.p, (int)envelope->sealed.n) == 1;

	if (good)
		wr_bytes(out, bytes, (size_t)n);
	secret_wipe(first_block, sizeof(first_block));
	secret_wipe(bytes, envelope->sealed.n);
	free(bytes);
	EVP_CIPHER_CTX_free(context);
	return good;
}

static int wrong_passphrase(struct err *e)
{
	return err_set(e, ERR_CONFIG, "the passphrase is wrong");
}

static int decrypt(const struct envelope *envelope, const struct secret *passphrase,
    const atomic_bool *stop, struct wr *out, struct err *e)
{
	const struct cipher_row *row = envelope->cipher;
	uint8_t key[KEY_AND_IV_MAX];

	if (row->mode == MODE_PLAIN) {
		wr_span_bytes(out, envelope->sealed);
		return 0;
	}
	if (!passphrase) {
		keyfile_needs_passphrase(e);
		return ERR_CONFIG;
	}
	if (!bcrypt_pbkdf(SPAN(passphrase->p, passphrase->n), envelope->salt, envelope->rounds,
		stop, key, row->key_bytes + row->iv_bytes)) {
		secret_wipe(key, sizeof(key)); /* it was stopped with a part of it done */
		return passphrase->n == 0 ? wrong_passphrase(e) : damaged(e);
	}
	bool good = row->mode == MODE_CHACHAPOLY ? decrypt_chachapoly(envelope, key, out)
						 : decrypt_evp(envelope, key, out);
	secret_wipe(key, sizeof(key));
	if (good)
		return 0;
	ERR_clear_error();
	return wrong_passphrase(e);
}

/* ---- the private part ---- */

static bool padding_is_right(struct rd *r)
{
	struct span padding = rd_rest(r);

	for (size_t i = 0; i < padding.n; i++)
		if (padding.p[i] != (uint8_t)(i + 1))
			return false;
	return padding.n < 256;
}

static struct key *read_private_part(
    struct span plain, const struct envelope *envelope, char **ret_comment, struct err *e)
{
	struct rd r;

	rd_init(&r, plain);
	uint32_t check = rd_u32(&r), again = rd_u32(&r);
	if (!rd_ok(&r) || check != again) {
		if (envelope->cipher->mode == MODE_PLAIN)
			damaged(e);
		else
			wrong_passphrase(e);
		return NULL;
	}
	struct key *key = key_read_private(&r, e);
	if (!key)
		return NULL;
	struct span comment = rd_string(&r);
	if (!rd_ok(&r) || !padding_is_right(&r)) {
		damaged(e);
		key_free(key);
		return NULL;
	}
	if (!span_equal(key_blob(key), envelope->public_blob)) {
		err_set(e, ERR_CONFIG, "the key is damaged: its public half is another key's");
		key_free(key);
		return NULL;
	}
	if (ret_comment)
		*ret_comment = span_is_text(comment) ? span_strdup(comment) : mem_strdup("");
	return key;
}

struct key *keyfile_parse_openssh(struct span text, const struct secret *passphrase,
    const atomic_bool *stop, char **ret_comment, struct err *e)
{
	struct wr bytes = WR_INIT_SECRET, plain = WR_INIT_SECRET;
	struct envelope envelope;
	struct key *key = NULL;

	if (decode(text, &bytes, e) == 0 && read_envelope(wr_span(&bytes), &envelope, e) == 0 &&
	    decrypt(&envelope, passphrase, stop, &plain, e) == 0)
		key = read_private_part(wr_span(&plain), &envelope, ret_comment, e);
	wr_clear(&plain);
	wr_clear(&bytes);
	return key;
}

struct key *keyfile_parse_openssh_public(struct span text)
{
	struct wr bytes = WR_INIT_SECRET;
	struct envelope envelope;
	struct key *key = NULL;

	if (decode(text, &bytes, NULL) == 0 && read_envelope(wr_span(&bytes), &envelope, NULL) == 0)
		key = key_from_blob(envelope.public_blob, NULL);
	wr_clear(&bytes);
	return key;
}
