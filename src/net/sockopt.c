#include "net/sockopt.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

int sockopt_stream_socket(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0 && family != AF_UNIX)
		sockopt_set_nodelay(fd);
	return fd;
}

void sockopt_set_nodelay(int fd)
{
	int on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

void sockopt_do_not_pace(int fd)
{
	static const char reno[] = "reno"; /* in every kernel, and for every user */
	char name[16] = "";                /* TCP_CA_NAME_MAX */
	socklen_t n = sizeof(name);

	if (getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &n) == 0 &&
	    strncmp(name, "bbr", 3) == 0)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, reno, strlen(reno));
}

int sockopt_make_ours(int fd)
{
	int status = fcntl(fd, F_GETFL), flags = fcntl(fd, F_GETFD);

	if (status < 0 || flags < 0 || fcntl(fd, F_SETFL, status | O_NONBLOCK) < 0)
		return -1;
	return fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
}
