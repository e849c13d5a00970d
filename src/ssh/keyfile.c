#include "ssh/keyfile.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/line.h"
#include "base/mem.h"
#include "base/str.h"
#include "ssh/cert.h"
#include "ssh/key_line.h"
#include "ssh/keyfile_format.h"

#define SECRET_BYTES_MAX ((size_t)4096)

void keyfile_needs_passphrase(struct err *e)
{
	err_set(e, ERR_CONFIG,
	    "is encrypted: name a file with its passphrase as \"passphrase\", or have an agent "
	    "hold the key (ssh-add)");
}

/* ---- what a text is that is no key ---- */

static const struct no_key {
	const char *begin;
	const char *words;
	enum { MAY_BE_SECRET, PUBLIC } kind;
} no_keys[] = {
    {"-----BEGIN DSA PRIVATE KEY", "DSA keys are too weak to be supported"},
    {"-----BEGIN PUBLIC KEY", "is a public key; the private key is needed", PUBLIC},
    {"-----BEGIN RSA PUBLIC KEY", "is a public key; the private key is needed", PUBLIC},
    {"---- BEGIN SSH2 PUBLIC KEY", "is a public key; the private key is needed", PUBLIC},
    {"-----BEGIN CERTIFICATE", "is an X.509 certificate; the private key is needed", PUBLIC},
    {"-----BEGIN SSH SIGNATURE", "is a signature, no key", PUBLIC},
    {"PuTTY-User-Key-File-",
	"is a PuTTY key; puttygen FILE -O private-openssh -o NEW makes an OpenSSH key of it"},
    {"SSH PRIVATE KEY FILE FORMAT 1", "is a key of SSH 1, which is not supported"},
    {"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY",
	"is a key in the format of ssh.com; ssh-keygen -i makes an OpenSSH key of it"},
};

static const struct no_key *find_no_key(struct span text)
{
	for (size_t i = 0; i < ARRAY_LEN(no_keys); i++)
		if (span_begins_with(text, no_keys[i].begin))
			return &no_keys[i];
	return NULL;
}

static void set_no_key(struct span text, struct err *e)
{
	const struct no_key *no_key = find_no_key(text);
	struct key_line line;

	if (no_key) {
		err_set(e, ERR_CONFIG, "%s", no_key->words);
	} else if (text.n == 0) {
		err_set(e, ERR_CONFIG, "is empty");
	} else if (key_line_parse_file(text, &line)) {
		err_set(e, ERR_CONFIG, "%s",
		    cert_blob_is_cert(wr_span(&line.blob))
			? "is a certificate: name it as \"certificate\", and here its private key"
			: "is a public key: name the file of its private key, or have an agent "
			  "hold that (ssh-add)");
		key_line_clear(&line);
	} else {
		err_set(e, ERR_CONFIG, "holds no private key");
	}
}

/* The text from its first line that begins a key on; people keep notes above. */
static struct span from_begin_line(struct span text)
{
	struct span rest = text, line;

	while (rest.n) {
		struct span here = rest;
		line_next(&rest, &line);
		if (span_begins_with(here, "-----BEGIN "))
			return here;
	}
	return text;
}

enum private_block { NO_PRIVATE_BLOCK, PRIVATE_BLOCK, DSA_BLOCK };

/* Not the label of the first block alone: parameters or a certificate may stand before the key. */
static enum private_block find_private_block(struct span text)
{
	struct span line;

	while (line_next(&text, &line)) {
		char *label = span_begins_with(line, "-----BEGIN ") ? span_strdup(line) : NULL;
		bool is_private = label && strstr(label, "PRIVATE KEY-----");
		bool is_dsa = label && strstr(label, "DSA ");
		free(label);
		if (is_private)
			return is_dsa ? DSA_BLOCK : PRIVATE_BLOCK;
	}
	return NO_PRIVATE_BLOCK;
}

static struct key *parse(struct span text, const char *name, const struct secret *passphrase,
    const atomic_bool *stop, char **ret_comment, struct err *e)
{
	struct span from = from_begin_line(text);
	struct err reason = ERR_INIT;
	char *comment = NULL;
	struct key *key = NULL;

	if (span_begins_with(from, KEYFILE_OPENSSH_BEGIN))
		key = keyfile_parse_openssh(from, passphrase, stop, &comment, &reason);
	else if (find_private_block(from) == PRIVATE_BLOCK)
		key = keyfile_parse_pem(from, passphrase, &reason);
	else
		set_no_key(from, &reason);
	if (!key) {
		err_set(e, ERR_CONFIG, "%s: %s", name, reason.text);
		return NULL;
	}
	if (ret_comment)
		*ret_comment = comment ? comment : mem_strdup("");
	else
		free(comment);
	return key;
}

struct key *keyfile_parse(struct span text, const char *name, const struct secret *passphrase,
    char **ret_comment, struct err *e)
{
	return parse(text, name, passphrase, NULL, ret_comment, e);
}

/* ---- files ---- */

/* As ssh has it: what is ours must be ours alone. What another owns (root, for a service) is as safe as that one keeps it. */
static int check_mode(const char *path, const struct stat *st, struct err *e)
{
	if (!S_ISREG(st->st_mode) || st->st_uid != getuid() || (st->st_mode & 077) == 0)
		return 0;
	return err_set(e, ERR_CONFIG,
	    "%s: permissions %04o are too open: others can %s it; chmod 600 %s", path,
	    st->st_mode & 07777, st->st_mode & 044 ? "read" : "change", path);
}

/* Others may read that, and keyfile_parse() says what it is. What has a private block anywhere is not. */
static bool is_public(struct span text)
{
	struct span from = from_begin_line(text);
	const struct no_key *no_key = find_no_key(from);
	struct key_line line;

	if (find_private_block(text) != NO_PRIVATE_BLOCK)
		return false;
	if (no_key)
		return no_key->kind == PUBLIC;
	if (!key_line_parse_file(from, &line))
		return false;
	key_line_clear(&line);
	return true;
}

static struct key *read_file(const char *path, const struct secret *passphrase,
    const atomic_bool *stop, char **ret_comment, struct err *e)
{
	struct wr text = WR_INIT_SECRET;
	struct stat st;
	struct key *key = NULL;
	int rc = file_read(path, KEYFILE_BYTES_MAX, &text, &st, e);

	if (rc == 0 && !is_public(wr_span(&text)))
		rc = check_mode(path, &st, e);
	if (rc == 0)
		key = parse(wr_span(&text), path, passphrase, stop, ret_comment, e);
	wr_clear(&text);
	return key;
}

struct key *keyfile_read(
    const char *path, const struct secret *passphrase, char **ret_comment, struct err *e)
{
	return read_file(path, passphrase, NULL, ret_comment, e);
}

struct key *keyfile_read_until(
    const char *path, const struct secret *passphrase, const atomic_bool *stop, struct err *e)
{
	return read_file(path, passphrase, stop, NULL, e);
}

static struct key *find_public(struct span text)
{
	struct span from = from_begin_line(text);
	struct key_line line;

	if (span_begins_with(from, KEYFILE_OPENSSH_BEGIN))
		return keyfile_parse_openssh_public(from);
	if (!key_line_parse_file(from, &line))
		return NULL;
	struct key *key = key_from_blob(wr_span(&line.blob), NULL);
	key_line_clear(&line);
	return key;
}

static struct key *read_public_file(const char *path)
{
	struct wr text = WR_INIT_SECRET;
	struct key *key = NULL;

	if (file_read(path, KEYFILE_BYTES_MAX, &text, NULL, NULL) == 0)
		key = find_public(wr_span(&text));
	wr_clear(&text);
	return key;
}

struct key *keyfile_read_public(const char *path)
{
	struct key *key = read_public_file(path);

	if (key)
		return key;
	char *public_path = str_format("%s.pub", path);
	key = read_public_file(public_path);
	free(public_path);
	return key;
}

int keyfile_read_secret(const char *path, struct secret *ret_secret, struct err *e)
{
	struct wr text = WR_INIT_SECRET;
	struct span rest, line = SPAN("", 0);
	struct stat st;
	int rc = file_read(path, SECRET_BYTES_MAX, &text, &st, e);

	if (rc == 0)
		rc = check_mode(path, &st, e);
	rest = wr_span(&text);
	if (rc == 0 && (!line_next(&rest, &line) || line.n == 0))
		rc = err_set(
		    e, ERR_CONFIG, "%s: its first line is empty, where a secret should be", path);
	if (rc == 0 && memchr(line.p, 0, line.n))
		rc = err_set(e, ERR_CONFIG, "%s: holds a NUL byte, which no secret can have", path);
	if (rc == 0)
		secret_set(ret_secret, line.p, line.n);
	wr_clear(&text);
	return rc;
}
