/*
 * PEM: what OpenSSL, older ssh-keygen and clouds write. OpenSSL reads it, told by the label what it is: its own guessing would
 * try every kind of key that it knows.
 */
#include <string.h>

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include "ssh/keyfile_format.h"

/* Of PBKDF2 and its like: two seconds. OpenSSL's own default is 2,048; others take up to a million. */
#define ITERATIONS_MAX 2000000
#define SCRYPT_WORK_MAX ((uint64_t)1 << 22) /* N * r * p; the usual is 2^17 */

struct pem_block {
	char *label, *header;
	unsigned char *data;
	long n;
};

static void clear_block(struct pem_block *block)
{
	OPENSSL_free(block->label);
	OPENSSL_free(block->header);
	OPENSSL_clear_free(block->data, block->data ? (size_t)block->n : 0);
	*block = (struct pem_block){0};
}

static EVP_PKEY *wrong_or_damaged(struct err *e)
{
	err_set(e, ERR_CONFIG, "the passphrase is wrong, or the key is damaged");
	return NULL;
}

/* ---- PKCS#8 ---- */

static EVP_PKEY *read_pkcs8(const struct pem_block *block)
{
	const unsigned char *p = block->data;
	PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, block->n);
	EVP_PKEY *pkey = info ? EVP_PKCS82PKEY(info) : NULL;

	PKCS8_PRIV_KEY_INFO_free(info);
	return pkey;
}

static bool iterations_are_few(const ASN1_INTEGER *iterations)
{
	int64_t n = 0;

	return iterations && ASN1_INTEGER_get_int64(&n, iterations) == 1 && n > 0 &&
	       n <= ITERATIONS_MAX;
}

static bool scrypt_is_cheap(const ASN1_TYPE *parameter)
{
	SCRYPT_PARAMS *scrypt = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(SCRYPT_PARAMS), parameter);
	uint64_t n = 0, r = 0, p = 0;
	bool cheap = scrypt && ASN1_INTEGER_get_uint64(&n, scrypt->costParameter) == 1 &&
		     ASN1_INTEGER_get_uint64(&r, scrypt->blockSize) == 1 &&
		     ASN1_INTEGER_get_uint64(&p, scrypt->parallelizationParameter) == 1 &&
		     n <= SCRYPT_WORK_MAX && r <= SCRYPT_WORK_MAX && p <= SCRYPT_WORK_MAX &&
		     n * r <= SCRYPT_WORK_MAX && n * r * p <= SCRYPT_WORK_MAX;

	ASN1_item_free((ASN1_VALUE *)scrypt, ASN1_ITEM_rptr(SCRYPT_PARAMS));
	return cheap;
}

static bool pbes2_is_cheap(const ASN1_TYPE *parameter)
{
	PBE2PARAM *pbes2 = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBE2PARAM), parameter);
	bool cheap = false;

	if (pbes2 && OBJ_obj2nid(pbes2->keyfunc->algorithm) == NID_id_pbkdf2) {
		PBKDF2PARAM *kdf = ASN1_TYPE_unpack_sequence(
		    ASN1_ITEM_rptr(PBKDF2PARAM), pbes2->keyfunc->parameter);
		cheap = kdf && iterations_are_few(kdf->iter);
		PBKDF2PARAM_free(kdf);
	} else if (pbes2 && OBJ_obj2nid(pbes2->keyfunc->algorithm) == NID_id_scrypt) {
		cheap = scrypt_is_cheap(pbes2->keyfunc->parameter);
	}
	PBE2PARAM_free(pbes2);
	return cheap;
}

/* Nothing that a file says about its own encryption may keep the loop for minutes. */
static bool is_cheap(const X509_SIG *sealed)
{
	const X509_ALGOR *algorithm;
	const ASN1_OBJECT *object;
	const void *value;
	int type;

	X509_SIG_get0(sealed, &algorithm, NULL);
	X509_ALGOR_get0(&object, &type, &value, algorithm);
	if (type != V_ASN1_SEQUENCE)
		return false;
	if (OBJ_obj2nid(object) == NID_pbes2)
		return pbes2_is_cheap(algorithm->parameter);
	PBEPARAM *old = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBEPARAM), algorithm->parameter);
	bool cheap = old && iterations_are_few(old->iter);
	PBEPARAM_free(old);
	return cheap;
}

static EVP_PKEY *decrypt_pkcs8(X509_SIG *sealed, const struct secret *passphrase, struct err *e)
{
	if (!is_cheap(sealed)) {
		err_set(e, ERR_CONFIG,
		    "its encryption is of an unknown kind, or hashes the passphrase too often; "
		    "openssl pkcs8 -topk8 rewrites it");
		return NULL;
	}
	PKCS8_PRIV_KEY_INFO *info =
	    PKCS8_decrypt(sealed, (const char *)passphrase->p, (int)passphrase->n);
	EVP_PKEY *pkey = info ? EVP_PKCS82PKEY(info) : NULL;
	PKCS8_PRIV_KEY_INFO_free(info);
	return pkey ? pkey : wrong_or_damaged(e);
}

static EVP_PKEY *read_encrypted_pkcs8(
    const struct pem_block *block, const struct secret *passphrase, struct err *e)
{
	const unsigned char *p = block->data;

	if (!passphrase) {
		keyfile_needs_passphrase(e);
		return NULL;
	}
	X509_SIG *sealed = d2i_X509_SIG(NULL, &p, block->n);
	if (!sealed)
		return NULL;
	EVP_PKEY *pkey = decrypt_pkcs8(sealed, passphrase, e);
	X509_SIG_free(sealed);
	return pkey;
}

/* ---- the old kind: "RSA PRIVATE KEY" with its encryption in a header ---- */

static int give_passphrase(char *buffer, int size, int writing, void *arg)
{
	const struct secret *passphrase = arg;

	(void)writing;
	if (passphrase->n > (size_t)size)
		return -1;
	memcpy(buffer, passphrase->p, passphrase->n);
	return (int)passphrase->n;
}

static EVP_PKEY *read_traditional(
    struct pem_block *block, int type, const struct secret *passphrase, struct err *e)
{
	EVP_CIPHER_INFO cipher;

	if (PEM_get_EVP_CIPHER_INFO(block->header, &cipher) != 1)
		return NULL;
	if (cipher.cipher && !passphrase) {
		keyfile_needs_passphrase(e);
		return NULL;
	}
	if (cipher.cipher && PEM_do_header(&cipher, block->data, &block->n, give_passphrase,
				 (void *)(uintptr_t)passphrase) != 1)
		return wrong_or_damaged(e);
	const unsigned char *p = block->data;
	EVP_PKEY *pkey = d2i_PrivateKey(type, NULL, &p, block->n);
	return pkey || !cipher.cipher ? pkey : wrong_or_damaged(e);
}

/* ---- a block ---- */

static EVP_PKEY *read_block(struct pem_block *block, const struct secret *passphrase, struct err *e)
{
	if (strcmp(block->label, PEM_STRING_PKCS8INF) == 0)
		return read_pkcs8(block);
	if (strcmp(block->label, PEM_STRING_PKCS8) == 0)
		return read_encrypted_pkcs8(block, passphrase, e);
	if (strcmp(block->label, PEM_STRING_RSA) == 0)
		return read_traditional(block, EVP_PKEY_RSA, passphrase, e);
	if (strcmp(block->label, PEM_STRING_ECPRIVATEKEY) == 0)
		return read_traditional(block, EVP_PKEY_EC, passphrase, e);
	return NULL;
}

static bool is_private_key(const char *label)
{
	return strstr(label, "PRIVATE KEY") != NULL;
}

struct key *keyfile_parse_pem(struct span text, const struct secret *passphrase, struct err *e)
{
	struct pem_block block = {0};
	EVP_PKEY *pkey = NULL;
	BIO *bio = BIO_new_mem_buf(text.p, (int)text.n);
	bool found = false;

	/* "EC PARAMETERS" and certificates may stand before the key. */
	while (
	    !found && PEM_read_bio(bio, &block.label, &block.header, &block.data, &block.n) == 1) {
		found = is_private_key(block.label);
		if (found)
			pkey = read_block(&block, passphrase, e);
		clear_block(&block);
	}
	BIO_free(bio);
	ERR_clear_error();
	if (pkey)
		return key_from_pkey(pkey, e);
	err_set(e, ERR_CONFIG,
	    found ? "the key is damaged, or of a kind that is not supported"
		  : "holds no private key");
	return NULL;
}
