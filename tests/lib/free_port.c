#include "free_port.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
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

uint16_t free_port(void)
{
	static int given;
	int first = FIRST + (int)(getpid() % SHARES) * SHARE;

	for (int i = 0; i < SHARE; i++) {
		uint16_t port = (uint16_t)(first + given++ % SHARE);

		if (is_free(port))
			return port;
	}
	fprintf(stderr, "no port is free from %d to %d\n", first, first + SHARE - 1);
	abort();
}
