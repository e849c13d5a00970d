/*
 * Inside known_hosts*.c: one line of a known_hosts file.
 */
#ifndef ADIT_SSH_KNOWN_HOSTS_LINE_H
#define ADIT_SSH_KNOWN_HOSTS_LINE_H

#include "ssh/known_hosts.h"

#define KNOWN_HOSTS_BYTES_MAX ((size_t)32 * 1024 * 1024)
#define KNOWN_HOSTS_HASH_BYTES 20 /* SHA-1's, of salt and hash alike */

struct known_hosts_line {
	enum known_hosts_marker marker;
	char *patterns; /* owned; NULL: the name is hashed */
	uint8_t salt[KNOWN_HOSTS_HASH_BYTES], hash[KNOWN_HOSTS_HASH_BYTES];
	struct wr key_blob; /* owned; on a @revoked line with a certificate: of the key in that */
};

enum known_hosts_line_kind {
	KNOWN_HOSTS_LINE_KEY,
	KNOWN_HOSTS_LINE_NOTHING, /* empty, a comment, or a type of key that we do not have */
	KNOWN_HOSTS_LINE_BAD      /* or hashed, where this OpenSSL has no SHA-1 */
};
/* ret_line is filled, and needs clearing, for KNOWN_HOSTS_LINE_KEY alone. */
enum known_hosts_line_kind known_hosts_line_parse(
    struct span text, struct known_hosts_line *ret_line);
void known_hosts_line_clear(struct known_hosts_line *line);
/* full_name is known_hosts_name()'s. */
bool known_hosts_line_matches(const struct known_hosts_line *line, const char *full_name);
bool known_hosts_line_has_one_name(const struct known_hosts_line *line);
/* "name ssh-ed25519 AAAA...", the name as it is to stand there; gives. */
char *known_hosts_line_text(const char *full_name, struct span key_blob);
/* "|1|salt|hash" with a new salt; gives. */
char *known_hosts_hash_name(const char *full_name);

#endif
