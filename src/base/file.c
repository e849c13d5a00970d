#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"

/* Devices are read: /dev/null is a common empty file. A FIFO might keep us waiting for ever. */
static int check_kind(const char *path, const struct stat *st, struct err *e)
{
	errno = 0;
	if (S_ISDIR(st->st_mode))
		return err_set(e, ERR_CONFIG, "%s: is a directory", path);
	if (!S_ISREG(st->st_mode) && !S_ISCHR(st->st_mode))
		return err_set(e, ERR_CONFIG, "%s: is not a file", path);
	return 0;
}

static int read_all(int fd, const char *path, size_t max, struct wr *out, struct err *e)
{
	uint8_t piece[16384];
	size_t before = out->n;
	int rc = 0;

	for (;;) {
		ssize_t n = read(fd, piece, sizeof(piece));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = err_set_errno(e, ERR_CONFIG, errno, "%s", path);
		if (n <= 0)
			break;
		if ((size_t)n > max - (out->n - before)) {
			rc = err_set(e, ERR_CONFIG, "%s: is larger than %zu bytes", path, max);
			errno = 0;
			break;
		}
		wr_bytes(out, piece, (size_t)n);
	}
	if (out->secret)
		secret_wipe(piece, sizeof(piece));
	return rc;
}

/* What is wrong with the file is for its owner to mend; want of descriptors or memory passes. */
static enum error_class class_of(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM ? ERR_LOCAL : ERR_CONFIG;
}

int file_read(const char *path, size_t max, struct wr *out, struct stat *ret_stat, struct err *e)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int rc;

	if (fd < 0)
		return err_set_errno(e, class_of(errno), errno, "%s", path);
	if (fstat(fd, &st) < 0)
		rc = err_set_errno(e, ERR_CONFIG, errno, "%s", path);
	else
		rc = check_kind(path, &st, e);
	if (rc == 0)
		rc = read_all(fd, path, max, out, e);
	int reason = errno;
	close(fd);
	errno = reason;
	if (rc == 0 && ret_stat)
		*ret_stat = st;
	return rc;
}

static int write_all(int fd, struct span text)
{
	while (text.n) {
		ssize_t n = write(fd, text.p, text.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		text = SPAN(text.p + n, text.n - (size_t)n);
	}
	return 0;
}

/* The new file's owner and mode before it has a byte, its bytes on the disk before it has its name. */
static int fill(int fd, const struct stat *old, struct span text, mode_t mode)
{
	if (old && (old->st_uid != geteuid() || old->st_gid != getegid()) &&
	    fchown(fd, old->st_uid, old->st_gid) < 0)
		return -1;
	if (fchmod(fd, old ? old->st_mode & 07777 : mode) < 0 || write_all(fd, text) < 0)
		return -1;
	return fsync(fd);
}

int file_replace(const char *path, struct span text, mode_t mode, struct err *e)
{
	struct stat st;
	char *real = realpath(path, NULL);
	const char *target = real ? real : path;
	bool exists = stat(target, &st) == 0;
	char *temporary = str_format("%s.XXXXXX", target);
	bool is_file = !exists || S_ISREG(st.st_mode);
	int rc = 0;
	int fd = is_file ? mkostemp(temporary, O_CLOEXEC) : -1;

	if (!is_file) {
		rc = err_set(e, ERR_LOCAL, "%s: cannot be replaced: not a regular file", path);
	} else if (fd < 0) {
		rc = err_set_errno(e, ERR_LOCAL, errno, "%s: cannot be written", path);
	} else {
		int failed = fill(fd, exists ? &st : NULL, text, mode);
		int reason = errno;
		if (close(fd) < 0 && failed == 0) {
			failed = -1;
			reason = errno;
		}
		if (failed == 0 && (failed = rename(temporary, target)) < 0)
			reason = errno;
		if (failed < 0) {
			unlink(temporary);
			rc = err_set_errno(e, ERR_LOCAL, reason, "%s: cannot be written", path);
		}
	}
	free(temporary);
	free(real);
	return rc;
}
