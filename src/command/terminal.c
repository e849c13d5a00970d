#include "command/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/minmax.h"
#include "base/str.h"

enum { WIDTH_MIN = 40, WIDTH_MAX = 1000, WIDTH_UNKNOWN = 80 };

unsigned terminal_width(int fd)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	uint64_t width;

	if (ioctl(fd, TIOCGWINSZ, &size) == 0)
		return size.ws_col ? (unsigned)max(size.ws_col, WIDTH_MIN) : WIDTH_UNKNOWN;
	return columns && str_to_u64(columns, WIDTH_MIN, WIDTH_MAX, &width) ? (unsigned)width : 0;
}

unsigned terminal_height(int fd)
{
	struct winsize size;

	return ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_row : 0;
}

bool terminal_takes_escapes(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) && term && *term && strcmp(term, "dumb") != 0;
}
