#include "free_port.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { FIRST = 10240, SHARES = 640, SHARE = 32 }; /* up to 30720 */

static bool is_free(uint16_t port)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	bool is = bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(fd, 1) == 0;
	close(fd);
	return is;
}

/* An abstract Unix socket says that the share is ours, for as long as we live, in the network namespace that its ports are in. */
static bool take_share(int share)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int n = snprintf(at.sun_path + 1, sizeof(at.sun_path) - 1, "adit-tests/ports/%d", share);

	if (bind(fd, (struct sockaddr *)&at,
		(socklen_t)offsetof(struct sockaddr_un, sun_path) + 1 + (socklen_t)n) == 0)
		return true;
	close(fd);
	return false;
}

static int find_share(void)
{
	for (int i = 0; i < SHARES; i++) {
		int share = (int)((getpid() + i) % SHARES);

		if (take_share(share))
			return share;
	}
	fprintf(stderr, "all ports are taken by other tests\n");
	abort();
}

uint16_t free_port(void)
{
	static int given, share = -1;

	if (share < 0)
		share = find_share();
	int first = FIRST + share * SHARE;

	for (int i = 0; i < SHARE; i++) {
		uint16_t port = (uint16_t)(first + given++ % SHARE);

		if (is_free(port))
			return port;
	}
	fprintf(stderr, "no port is free from %d to %d\n", first, first + SHARE - 1);
	abort();
}
