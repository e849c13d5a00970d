#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "ssh/keyfile.h"
#include "test_keyfiles.h"
#include "test_keys.h"

static struct secret passphrase_of(const char *text)
{
	struct secret s = {0};

	secret_set(&s, text, strlen(text));
	return s;
}

static struct key *parse(
    const char *text, const char *passphrase, char **ret_comment, struct err *e)
{
	struct secret s = passphrase_of(passphrase ? passphrase : "");
	struct key *key =
	    keyfile_parse(span_of(text), "the-file", passphrase ? &s : NULL, ret_comment, e);

	secret_clear(&s);
	return key;
}

static void expect_key(const char *text, const char *passphrase, const char *blob_base64)
{
	struct err e = ERR_INIT;
	struct key *key = parse(text, passphrase, NULL, &e);

	if (!key)
		fail_msg("%s", e.text);
	assert_true(key_is_private(key));
	char *base64 = str_base64(key_blob(key), BASE64_PADDED);
	assert_string_equal(base64, blob_base64);
	free(base64);
	key_free(key);
}

static void expect_refused(const char *text, const char *passphrase, const char *words)
{
	struct err e = ERR_INIT;

	assert_null(parse(text, passphrase, NULL, &e));
	assert_int_equal(e.class, ERR_CONFIG);
	assert_int_equal(strncmp(e.text, "the-file: ", 10), 0);
	if (!strstr(e.text, words))
		fail_msg("\"%s\" does not say \"%s\"", e.text, words);
}

static const struct {
	const char *file, *blob, *comment;
} of_openssh[] = {
    {TEST_ED25519_FILE, TEST_ED25519_BLOB, "ed25519@test"},
    {TEST_ECDSA_P256_FILE, TEST_ECDSA_P256_BLOB, "ecdsa256@test"},
    {TEST_ECDSA_P384_FILE, TEST_ECDSA_P384_BLOB, "ecdsa384@test"},
    {TEST_ECDSA_P521_FILE, TEST_ECDSA_P521_BLOB, "ecdsa521@test"},
    {TEST_RSA_FILE, TEST_RSA_BLOB, "rsa@test"},
};

static void test_keys_of_ssh_keygen_are_read_with_their_comment(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(of_openssh); i++) {
		char *comment = NULL;
		expect_key(of_openssh[i].file, NULL, of_openssh[i].blob);
		key_free(parse(of_openssh[i].file, NULL, &comment, NULL));
		assert_string_equal(comment, of_openssh[i].comment);
		free(comment);
	}
}

static void test_a_passphrase_that_is_not_needed_does_no_harm(void **state)
{
	(void)state;
	expect_key(TEST_ED25519_FILE, "whatever", TEST_ED25519_BLOB);
	expect_key(TEST_RSA_PEM, "whatever", TEST_RSA_BLOB);
}

static void test_pem_and_pkcs8_are_read(void **state)
{
	(void)state;
	expect_key(TEST_ECDSA_P256_PEM, NULL, TEST_ECDSA_P256_BLOB);
	expect_key(TEST_ECDSA_P256_PKCS8, NULL, TEST_ECDSA_P256_BLOB);
	expect_key(TEST_ECDSA_P521_PEM, NULL, TEST_ECDSA_P521_BLOB);
	expect_key(TEST_RSA_PEM, NULL, TEST_RSA_BLOB);
	expect_key(TEST_RSA_PKCS8, NULL, TEST_RSA_BLOB);
	/* The blob of SSH has the whole point, whatever the file has. */
	expect_key(TEST_ECDSA_P256_COMPRESSED, NULL, TEST_ECDSA_P256_BLOB);
	struct key *key = parse(TEST_ED25519_PKCS8, NULL, NULL, NULL);
	assert_non_null(key);
	assert_int_equal(key_type(key), KEY_ED25519);
	key_free(key);
	key = parse(TEST_ECDSA_WITH_PARAMETERS, NULL, NULL, NULL);
	assert_non_null(key);
	assert_int_equal(key_type(key), KEY_ECDSA_P256);
	key_free(key);
}

static void test_text_before_a_key_and_crlf_are_borne(void **state)
{
	struct strbuf b = {0};

	(void)state;
	strbuf_add(&b, "my key:\r\n\r\n");
	for (const char *p = TEST_ED25519_FILE; *p; p++) {
		if (*p == '\n')
			strbuf_add(&b, "\r");
		strbuf_add_n(&b, p, 1);
	}
	expect_key(strbuf_text(&b), NULL, TEST_ED25519_BLOB);
	strbuf_clear(&b);
}

static void test_each_cipher_of_ssh_keygen_opens(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(encrypted_by_ssh_keygen); i++) {
		const char *text = encrypted_by_ssh_keygen[i].text;
		expect_key(text, TEST_KEYFILE_PASSPHRASE, TEST_ED25519_BLOB);
		expect_refused(text, NULL, "is encrypted: name a file with its passphrase");
		expect_refused(text, "incorrect horse", "the passphrase is wrong");
		expect_refused(text, "", "the passphrase is wrong");
	}
}

static void test_each_encryption_of_openssl_opens(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(encrypted_by_openssl); i++) {
		const char *text = encrypted_by_openssl[i].text;
		expect_key(text, TEST_KEYFILE_PASSPHRASE, TEST_ECDSA_P256_BLOB);
		expect_refused(text, NULL, "is encrypted: name a file with its passphrase");
		expect_refused(text, "incorrect horse", "the passphrase is wrong");
		expect_refused(text, "", "the passphrase is wrong");
	}
}

static void test_hashing_without_end_is_refused(void **state)
{
	(void)state;
	expect_refused(TEST_PBKDF2_20_MILLION, TEST_KEYFILE_PASSPHRASE, "too often");
}

/* A key of our own making: every field can be wrong. */
struct made {
	const char *magic, *cipher, *kdf;
	struct span kdf_options;
	uint32_t count, check, check_again;
	const char *padding;
	const char *after;
	struct span public_blob;
};

static char *make_file(const struct made *m)
{
	struct wr file = WR_INIT, whole = WR_INIT;
	struct rd r;
	struct strbuf b = {0};
	const char *lines = strchr(TEST_ED25519_FILE, '\n') + 1;

	/* The private part of test_keys.h's key: behind its two check numbers, without padding. */
	for (const char *p = lines; *p != '-'; p++)
		if (*p != '\n')
			wr_u8(&file, (uint8_t)*p);
	assert_true(str_base64_decode(wr_span(&file), &whole));
	rd_init(&r, SPAN(whole.p + 15, whole.n - 15));
	rd_string(&r);
	rd_string(&r);
	rd_string(&r);
	rd_u32(&r);
	struct span public_blob = rd_string(&r), private_part = rd_string(&r);
	assert_int_equal(rd_end(&r), 0);

	wr_reset(&file);
	wr_bytes(&file, m->magic ? m->magic : "openssh-key-v1", 15);
	wr_cstring(&file, m->cipher ? m->cipher : "none");
	wr_cstring(&file, m->kdf ? m->kdf : "none");
	wr_string(&file, m->kdf_options);
	wr_u32(&file, m->count ? m->count : 1);
	wr_string(&file, m->public_blob.n ? m->public_blob : public_blob);
	size_t mark = wr_mark(&file);
	wr_u32(&file, m->check);
	wr_u32(&file, m->check_again);
	wr_bytes(&file, private_part.p + 8, private_part.n - 9);
	wr_bytes(&file, m->padding ? m->padding : "\1", m->padding ? strlen(m->padding) : 1);
	wr_end(&file, mark);
	wr_bytes(&file, m->after ? m->after : "", m->after ? strlen(m->after) : 0);
	char *base64 = str_base64(wr_span(&file), BASE64_PADDED);
	strbuf_addf(&b,
	    "-----BEGIN OPENSSH PRIVATE KEY-----\n%s\n-----END OPENSSH PRIVATE KEY-----\n", base64);
	free(base64);
	wr_clear(&file);
	wr_clear(&whole);
	return strbuf_take(&b);
}

static void expect_made_refused(const struct made *m, const char *words)
{
	char *text = make_file(m);

	expect_refused(text, "secret", words);
	free(text);
}

static void test_each_field_of_the_openssh_format_is_checked(void **state)
{
	struct made good = {.check = 7, .check_again = 7};
	char *text = make_file(&good);
	struct wr options = WR_INIT;

	(void)state;
	expect_key(text, NULL, TEST_ED25519_BLOB);
	free(text);
	expect_made_refused(&(struct made){.magic = "openssh-key-v2"}, "damaged");
	expect_made_refused(&(struct made){.cipher = "rot13"}, "cipher that adit does not have");
	expect_made_refused(&(struct made){.cipher = "aes256-ctr"}, "damaged");
	expect_made_refused(&(struct made){.kdf = "md5"}, "hashed in an unknown way");
	expect_made_refused(&(struct made){.kdf_options = SPAN_LITERAL("x")}, "damaged");
	expect_made_refused(&(struct made){.count = 2}, "2 keys in one file");
	expect_made_refused(&(struct made){.check = 1, .check_again = 2}, "damaged");
	expect_made_refused(&(struct made){.padding = "\2"}, "damaged");
	expect_made_refused(&(struct made){.padding = "\1\2\3\4\5\6\7\10\1"}, "damaged");
	expect_made_refused(&(struct made){.after = "x"}, "damaged");
	expect_made_refused(&(struct made){.public_blob = SPAN_LITERAL("x")}, "another key's");

	wr_cstring(&options, "0123456789abcdef");
	wr_u32(&options, 1025);
	expect_made_refused(
	    &(struct made){
		.cipher = "aes256-ctr", .kdf = "bcrypt", .kdf_options = wr_span(&options)},
	    "hashed 1025 times");
	put_u32(options.p + options.n - 4, 0);
	expect_made_refused(
	    &(struct made){
		.cipher = "aes256-ctr", .kdf = "bcrypt", .kdf_options = wr_span(&options)},
	    "damaged");
	expect_made_refused(
	    &(struct made){.kdf = "bcrypt", .kdf_options = wr_span(&options)}, "damaged");
	wr_clear(&options);
}

static void test_a_key_cut_short_is_refused(void **state)
{
	static const char *const files[] = {
	    TEST_ED25519_FILE, TEST_ECDSA_P256_PEM, TEST_ED25519_PKCS8};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		for (size_t n = 0; n + 2 < strlen(files[i]); n++) {
			struct err e = ERR_INIT;
			assert_null(keyfile_parse(SPAN(files[i], n), "x", NULL, NULL, &e));
			assert_int_equal(e.class, ERR_CONFIG);
		}
}

static void test_what_is_no_private_key_is_named(void **state)
{
	(void)state;
	expect_refused("", NULL, "is empty");
	expect_refused("hello\n", NULL, "holds no private key");
	expect_refused("ssh-ed25519 " TEST_ED25519_BLOB " me\n", NULL, "is a public key");
	expect_refused("# me\nssh-ed25519 " TEST_ED25519_BLOB "\n", NULL, "is a public key");
	expect_refused("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", NULL,
	    "is a public key");
	expect_refused("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", NULL,
	    "X.509 certificate");
	expect_refused("ssh-ed25519-cert-v01@openssh.com "
		       "AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29t me\n",
	    NULL, "is a certificate");
	expect_refused("PuTTY-User-Key-File-3: ssh-ed25519\n", NULL, "is a PuTTY key");
	expect_refused(TEST_DSA_FILE, NULL, "DSA");
	expect_refused(
	    "-----BEGIN DSA PRIVATE KEY-----\nAAAA\n-----END DSA PRIVATE KEY-----\n", NULL, "DSA");
	expect_refused("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n",
	    NULL, "damaged");
}

/* ---- files ---- */

static char folder[] = "/tmp/adit-keyfile-test.XXXXXX";
static char *path, *public_path;

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	path = str_format("%s/id", folder);
	public_path = str_format("%s.pub", path);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	unlink(public_path);
	free(path);
	free(public_path);
	return rmdir(folder);
}

static void put(const char *to, const char *text, mode_t mode)
{
	unlink(to);
	FILE *f = fopen(to, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(to, mode), 0);
}

static void expect_file_refused(const char *words)
{
	struct err e = ERR_INIT;

	assert_null(keyfile_read(path, NULL, NULL, &e));
	assert_int_equal(e.class, ERR_CONFIG);
	assert_int_equal(strncmp(e.text, path, strlen(path)), 0);
	if (!strstr(e.text, words))
		fail_msg("\"%s\" does not say \"%s\"", e.text, words);
}

static void test_a_key_file_must_be_ours_alone(void **state)
{
	static const mode_t too_open[] = {0644, 0640, 0660, 0602, 0610, 0604};
	char words[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(too_open); i++) {
		put(path, TEST_ED25519_FILE, too_open[i]);
		snprintf(words, sizeof(words), "permissions %04o are too open", too_open[i]);
		expect_file_refused(words);
		expect_file_refused("chmod 600 ");
	}
	static const mode_t closed[] = {0600, 0400, 0700};
	for (size_t i = 0; i < ARRAY_LEN(closed); i++) {
		put(path, TEST_ED25519_FILE, closed[i]);
		struct key *key = keyfile_read(path, NULL, NULL, NULL);
		assert_non_null(key);
		key_free(key);
	}
}

#define CERTIFICATE "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"

static void test_a_public_key_may_be_read_by_others_and_is_named(void **state)
{
	(void)state;
	put(path, "# mine\nssh-ed25519 " TEST_ED25519_BLOB " me\n", 0644);
	expect_file_refused("is a public key: ");
	expect_file_refused("agent");
	put(path, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", 0644);
	expect_file_refused("is a public key; ");
	put(path, "ssh-ed25519 " TEST_ED25519_BLOB " me\n" TEST_ED25519_FILE, 0644);
	expect_file_refused("too open"); /* it stands above the private one */
	put(path, CERTIFICATE TEST_RSA_PEM, 0644);
	expect_file_refused("too open");
	put(path, CERTIFICATE TEST_DSA_FILE, 0644);
	expect_file_refused("too open");
	put(path, CERTIFICATE, 0644);
	expect_file_refused("certificate");
}

static void test_what_is_no_file_is_named(void **state)
{
	(void)state;
	unlink(path);
	expect_file_refused("No such file");
	assert_int_equal(mkdir(path, 0700), 0);
	expect_file_refused("is a directory");
	rmdir(path);
	put(path, "", 0600);
	assert_int_equal(truncate(path, (off_t)KEYFILE_BYTES_MAX + 1), 0);
	expect_file_refused("larger than");
	unlink(path);
}

static void expect_public(const char *blob_base64)
{
	struct key *key = keyfile_read_public(path);

	assert_non_null(key);
	assert_false(key_is_private(key));
	char *base64 = str_base64(key_blob(key), BASE64_PADDED);
	assert_string_equal(base64, blob_base64);
	free(base64);
	key_free(key);
}

static void test_the_public_half_is_found_without_a_passphrase(void **state)
{
	(void)state;
	put(path, encrypted_by_ssh_keygen[0].text, 0600);
	unlink(public_path);
	expect_public(TEST_ED25519_BLOB);
	put(path, encrypted_by_openssl[0].text, 0600);
	assert_null(keyfile_read_public(path));
	put(public_path, "ecdsa-sha2-nistp256 " TEST_ECDSA_P256_BLOB " comment\n", 0644);
	expect_public(TEST_ECDSA_P256_BLOB);
	put(public_path, "# mine\n\necdsa-sha2-nistp256 " TEST_ECDSA_P256_BLOB "\n", 0644);
	expect_public(TEST_ECDSA_P256_BLOB);
	unlink(path); /* in an agent, and nowhere else */
	expect_public(TEST_ECDSA_P256_BLOB);
}

static void test_a_public_key_itself_is_found(void **state)
{
	(void)state;
	unlink(public_path);
	put(path, "ssh-ed25519 " TEST_ED25519_BLOB " me\n", 0644);
	expect_public(TEST_ED25519_BLOB);
	put(public_path, "ecdsa-sha2-nistp256 " TEST_ECDSA_P256_BLOB "\n", 0644);
	expect_public(TEST_ED25519_BLOB);
	put(path, "nonsense\n", 0644);
	expect_public(TEST_ECDSA_P256_BLOB);
}

static void test_a_secret_is_the_first_line_of_a_private_file(void **state)
{
	struct secret s = {0};
	struct err e = ERR_INIT;

	(void)state;
	put(path, "correct horse \r\nbattery\n", 0600);
	assert_int_equal(keyfile_read_secret(path, &s, &e), 0);
	assert_string_equal((char *)s.p, "correct horse ");
	put(path, "no newline", 0400);
	assert_int_equal(keyfile_read_secret(path, &s, &e), 0);
	assert_string_equal((char *)s.p, "no newline");

	put(path, "\nsecond\n", 0600);
	assert_int_equal(keyfile_read_secret(path, &s, &e), ERR_CONFIG);
	assert_non_null(strstr(e.text, "first line is empty"));
	err_clear(&e);
	put(path, "", 0600);
	assert_int_equal(keyfile_read_secret(path, &s, &e), ERR_CONFIG);
	err_clear(&e);
	put(path, "secret\n", 0644);
	assert_int_equal(keyfile_read_secret(path, &s, &e), ERR_CONFIG);
	assert_non_null(strstr(e.text, "too open"));
	assert_null(strstr(e.text, "secret\n"));
	assert_string_equal((char *)s.p, "no newline"); /* untouched by failures */
	secret_clear(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_keys_of_ssh_keygen_are_read_with_their_comment),
	    cmocka_unit_test(test_a_passphrase_that_is_not_needed_does_no_harm),
	    cmocka_unit_test(test_pem_and_pkcs8_are_read),
	    cmocka_unit_test(test_text_before_a_key_and_crlf_are_borne),
	    cmocka_unit_test(test_each_cipher_of_ssh_keygen_opens),
	    cmocka_unit_test(test_each_encryption_of_openssl_opens),
	    cmocka_unit_test(test_hashing_without_end_is_refused),
	    cmocka_unit_test(test_each_field_of_the_openssh_format_is_checked),
	    cmocka_unit_test(test_a_key_cut_short_is_refused),
	    cmocka_unit_test(test_what_is_no_private_key_is_named),
	    cmocka_unit_test(test_a_key_file_must_be_ours_alone),
	    cmocka_unit_test(test_a_public_key_may_be_read_by_others_and_is_named),
	    cmocka_unit_test(test_what_is_no_file_is_named),
	    cmocka_unit_test(test_the_public_half_is_found_without_a_passphrase),
	    cmocka_unit_test(test_a_public_key_itself_is_found),
	    cmocka_unit_test(test_a_secret_is_the_first_line_of_a_private_file),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
