#include "net/descriptors.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/minmax.h"

static bool were_short;

bool descriptors_is_reserved(int fd)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return false;
	were_short = (rlim_t)fd >= limit.rlim_cur - min(DESCRIPTORS_RESERVED, limit.rlim_cur / 4);
	return were_short;
}

bool descriptors_were_short(void)
{
	return were_short;
}

bool descriptors_are_short(void)
{
	int next = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);

	if (next < 0) {
		were_short = true;
		return true;
	}
	close(next);
	return descriptors_is_reserved(next);
}

void descriptors_raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}
