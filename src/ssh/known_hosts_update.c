/*
 * Changing a known_hosts file: the lines are copied as they are, but for those that go, and the new ones stand at the end.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/line.h"
#include "base/mem.h"
#include "base/str.h"
#include "ssh/key.h"
#include "ssh/known_hosts_line.h"

#define LOCK_TRIES 20
#define LOCK_WAIT_NS 5000000

/* ---- the lock: on the folder, so that nothing is left lying about ---- */

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return mem_strdup(".");
	return slash == path ? mem_strdup("/") : mem_strndup(path, (size_t)(slash - path));
}

/* The descriptor that holds the lock, or the error. Another adit holds it for a moment; whoever holds it longer is stuck, and we
 * must not be stuck with it. */
static int lock(const char *path, struct err *e)
{
	char *folder = folder_of(path);
	int fd = -1, rc = 0;

	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		rc = err_set_errno(e, ERR_LOCAL, errno, "%s: cannot be made", folder);
	if (rc == 0 && (fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		rc = err_set_errno(e, ERR_LOCAL, errno, "%s", folder);
	for (int i = 0; rc == 0 && flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
		if (errno != EWOULDBLOCK || i == LOCK_TRIES)
			rc = err_set_errno(e, ERR_LOCAL, errno, "%s: cannot be locked", folder);
		else
			nanosleep(&(struct timespec){.tv_nsec = LOCK_WAIT_NS}, NULL);
	}
	if (rc < 0 && fd >= 0)
		close(fd);
	free(folder);
	return rc < 0 ? rc : fd;
}

/* ---- the new text ---- */

struct rewrite {
	const struct known_hosts_change *change;
	char *full_name;
	struct wr text;
	bool *is_there; /* of each key to add: on a line already */
	bool changed;
	bool host_has_lines, last_is_hashed;
};

/* Looks at a line; false when it goes. */
static bool keep_line(struct rewrite *rewrite, struct span text)
{
	const struct known_hosts_change *change = rewrite->change;
	struct known_hosts_line line;
	bool keep = true;

	if (known_hosts_line_parse(text, &line) != KNOWN_HOSTS_LINE_KEY)
		return true;
	struct span blob = wr_span(&line.key_blob);
	bool ours =
	    line.marker == KNOWN_HOSTS_PLAIN && known_hosts_line_matches(&line, rewrite->full_name);
	/* The host's own lines show how it is to be written; without them the last line does. */
	if (ours || !rewrite->host_has_lines)
		rewrite->last_is_hashed = !line.patterns;
	rewrite->host_has_lines = rewrite->host_has_lines || ours;
	if (ours && known_hosts_line_has_one_name(&line) &&
	    span_is_among(blob, change->remove, change->remove_count))
		keep = false;
	for (size_t i = 0; ours && keep && i < change->add_count; i++)
		if (span_equal(blob, change->add[i]))
			rewrite->is_there[i] = true;
	known_hosts_line_clear(&line);
	return keep;
}

static void copy_lines(struct rewrite *rewrite, struct span text)
{
	while (text.n) {
		struct span rest = text, line;
		line_next(&rest, &line);
		if (keep_line(rewrite, line))
			wr_bytes(&rewrite->text, text.p, text.n - rest.n);
		else
			rewrite->changed = true;
		text = rest;
	}
	if (rewrite->text.n && rewrite->text.p[rewrite->text.n - 1] != '\n')
		wr_u8(&rewrite->text, '\n');
}

static void append_keys(struct rewrite *rewrite)
{
	for (size_t i = 0; i < rewrite->change->add_count; i++) {
		if (rewrite->is_there[i])
			continue;
		char *name = rewrite->last_is_hashed ? known_hosts_hash_name(rewrite->full_name)
						     : mem_strdup(rewrite->full_name);
		char *line = known_hosts_line_text(name, rewrite->change->add[i]);
		wr_bytes(&rewrite->text, line, strlen(line));
		wr_u8(&rewrite->text, '\n');
		rewrite->changed = true;
		free(line);
		free(name);
	}
}

static int update_locked(const struct known_hosts_change *change, struct err *e)
{
	struct rewrite rewrite = {
	    .change = change,
	    .full_name = known_hosts_name(change->name, change->port),
	    .is_there = mem_array(change->add_count ? change->add_count : 1, sizeof(bool)),
	};
	struct wr old = WR_INIT;
	struct err reason = ERR_INIT;
	int rc = file_read(change->path, KNOWN_HOSTS_BYTES_MAX, &old, NULL, &reason);

	if (rc < 0 && errno != ENOENT) {
		err_set(e, ERR_CONFIG, "%s", reason.text);
	} else {
		rc = 0;
		copy_lines(&rewrite, wr_span(&old));
		append_keys(&rewrite);
		if (rewrite.changed)
			rc = file_replace(change->path, wr_span(&rewrite.text), 0600, e);
	}
	wr_clear(&old);
	wr_clear(&rewrite.text);
	free(rewrite.full_name);
	free(rewrite.is_there);
	return rc;
}

/* A name goes into a line as it is: what would end the word, or mean something there, must not. */
static bool name_can_be_written(const char *name)
{
	return name[0] && span_is_text(span_of(name)) && !strpbrk(name, " ,*?!|#@[]");
}

int known_hosts_update(const struct known_hosts_change *change, struct err *e)
{
	if (!name_can_be_written(change->name))
		return err_set(
		    e, ERR_CONFIG, "%s: such a name cannot stand in known_hosts", change->name);
	int fd = lock(change->path, e);
	if (fd < 0)
		return fd;
	int rc = update_locked(change, e);
	close(fd); /* and with it the lock */
	return rc;
}
