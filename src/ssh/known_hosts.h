/*
 * known_hosts files (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"): reading, matching, adding, replacing.
 */
#ifndef ADIT_SSH_KNOWN_HOSTS_H
#define ADIT_SSH_KNOWN_HOSTS_H

#include "base/err.h"
#include "base/wire.h"

struct known_hosts;

/* Reads all of them; one that does not exist is empty, one that cannot be read is ERR_CONFIG. Lines that cannot be understood are
 * skipped and counted; those with a type of key that we do not have are skipped. Blocks. */
struct known_hosts *known_hosts_read(const char *const *paths, size_t count, struct err *e);
/* One file's text; for tests, fuzzing. */
struct known_hosts *known_hosts_parse(struct span text, const char *name);
void known_hosts_free(struct known_hosts *k); /* NULL is legal */
/* Lines that could not be understood. */
size_t known_hosts_bad_lines(const struct known_hosts *k);

enum known_hosts_marker { KNOWN_HOSTS_PLAIN, KNOWN_HOSTS_CERT_AUTHORITY, KNOWN_HOSTS_REVOKED };

/* One line that is about a host. A view into the known_hosts. */
struct known_hosts_match {
	const char *file;
	int line;
	enum known_hosts_marker marker;
	struct span key_blob;
	bool only_name; /* the line has this one name, plain or hashed: it may be replaced */
};
/* Walks the lines that match name and port ("name" for 22, else "[name]:port"); *cursor starts at 0. */
bool known_hosts_next(const struct known_hosts *k, const char *name, uint16_t port, size_t *cursor,
    struct known_hosts_match *ret_match);
/* Do other hosts have the key, on a line without a marker that is not about name and port? */
bool known_hosts_has_elsewhere(
    const struct known_hosts *k, const char *name, uint16_t port, struct span key_blob);

/* The name as it stands in a line: "name" or "[name]:port", lower case; gives. */
char *known_hosts_name(const char *name, uint16_t port);
/* "name ssh-ed25519 AAAA..." without a newline; gives. */
char *known_hosts_line(const char *name, uint16_t port, struct span key_blob);

/* Adds and removes keys of a host in one go: by temporary file and rename, under a lock, mode and everything else in the file
 * kept. Only lines that have the one name and no marker are removed; what is there already is not added again. New lines get a
 * hashed name where the host's other lines have (or the file's last line, when it has none). The file, and its folder (0700),
 * are made when they are missing. 0 or ERR_LOCAL or ERR_CONFIG. Blocks. */
struct known_hosts_change {
	const char *path;
	const char *name;
	uint16_t port;
	const struct span *add;
	size_t add_count;
	const struct span *remove;
	size_t remove_count;
};
int known_hosts_update(const struct known_hosts_change *change, struct err *e) MUST_CHECK;

#endif
