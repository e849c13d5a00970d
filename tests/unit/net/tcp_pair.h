/* Two ends of a TCP connection over loopback. */
#ifndef ADIT_TESTS_TCP_PAIR_H
#define ADIT_TESTS_TCP_PAIR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* buffer_bytes: of each of their four buffers in the kernel. They do not block. */
static inline void tcp_pair(int fds[2], int buffer_bytes)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(at);
	int listening = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(listening, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(listening, 1), 0);
	assert_int_equal(getsockname(listening, (struct sockaddr *)&at, &n), 0);
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fds[0], (struct sockaddr *)&at, sizeof(at)), 0);
	fds[1] = accept(listening, NULL, NULL);
	assert_true(fds[1] >= 0);
	close(listening);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
		    setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof(int)), 0);
		assert_int_equal(
		    setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof(int)), 0);
		assert_int_equal(fcntl(fds[i], F_SETFL, O_NONBLOCK), 0);
	}
}

/* What the system's may be, but not on a connection that stays on this machine. */
static inline void assert_does_not_pace(int fd)
{
	char name[16] = "";
	socklen_t n = sizeof(name);

	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &n), 0);
	assert_int_not_equal(strncmp(name, "bbr", 3), 0);
}

/* Sends n bytes to the other end and waits until they lie there, where nobody has read any. */
static inline void tcp_pair_deliver(int from, int to, size_t n)
{
	static const char bytes[256 * 1024];
	int there = 0;

	assert_true(n <= sizeof(bytes));
	assert_int_equal(send(from, bytes, n, 0), n);
	for (int ms = 0; (size_t)there < n && ms < 20000; ms++) {
		(void)poll(NULL, 0, 1);
		assert_int_equal(ioctl(to, FIONREAD, &there), 0);
	}
	assert_int_equal(there, n);
}

#endif
