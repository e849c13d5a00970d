/*
 * Which file, and its text.
 */
#include "config/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "config/expand.h"
#include "config/read.h"

#define FILE_MAX ((size_t)16 << 20)

/* /dev/null among the included ones is a file that somebody masked. */
static bool may_block(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 || !(S_ISREG(st.st_mode) || S_ISCHR(st.st_mode));
}

static FILE *open_file(const char *path, enum config_file_kind kind, struct err *e)
{
	int flags = O_RDONLY | O_CLOEXEC | (kind == CONFIG_FILE_NO_PIPE ? O_NONBLOCK : 0);
	int fd = open(path, flags);

	if (fd < 0) {
		err_set_errno(e, ERR_CONFIG, errno, "cannot be opened");
		return NULL;
	}
	if (kind == CONFIG_FILE_NO_PIPE && may_block(fd)) {
		err_set(e, ERR_CONFIG, "not a regular file");
		close(fd);
		return NULL;
	}
	FILE *file = fdopen(fd, "r");
	if (!file) {
		err_set_errno(e, ERR_CONFIG, errno, "cannot be opened");
		close(fd);
	}
	return file;
}

char *config_file_read(
    const char *path, enum config_file_kind kind, size_t *ret_size, struct err *e)
{
	FILE *file = open_file(path, kind, e);
	size_t size = 0, capacity = 0;
	char *text = NULL;

	if (!file)
		return NULL;
	do {
		if (size == capacity)
			text = mem_grow(text, capacity = capacity ? 2 * capacity : 16384, 1);
		size += fread(text + size, 1, capacity - size, file);
	} while (!feof(file) && !ferror(file) && size <= FILE_MAX);
	if (ferror(file))
		err_set_errno(e, ERR_CONFIG, errno, "cannot be read");
	else if (size > FILE_MAX)
		err_set(e, ERR_CONFIG, "larger than 16 MB: this is no configuration");
	fclose(file);
	if (err_is_set(e)) {
		free(text);
		return NULL;
	}
	*ret_size = size;
	return text;
}

const char *config_named_path(const char *option)
{
	const char *environment = getenv("ADIT_CONFIG");

	if (option)
		return option;
	return environment && *environment ? environment : NULL;
}

char *config_default_path(const char *option)
{
	static const char system_wide[] = "/etc/adit/adit.conf";
	const char *named = config_named_path(option);
	const char *xdg = getenv("XDG_CONFIG_HOME");
	char *home, *path;

	if (named)
		return mem_strdup(named);
	home = expand_home();
	if (geteuid() == 0 || !home) {
		free(home);
		return mem_strdup(system_wide);
	}
	path = xdg && *xdg == '/' ? str_format("%s/adit/adit.conf", xdg)
				  : str_format("%s/.config/adit/adit.conf", home);
	free(home);
	if (access(path, F_OK) == 0 || access(system_wide, F_OK) != 0)
		return path;
	free(path);
	return mem_strdup(system_wide);
}
