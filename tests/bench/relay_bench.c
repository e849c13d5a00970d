/*
 * What a relay costs: CPU seconds a gigabyte of two sockets joined by net/relay, beside a bare loop of read() and write() over
 * the same sockets. A child feeds, another drinks; only the relaying process is measured.
 *
 *     tests/bench/relay_bench [GIGABYTES]
 */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/relay.h"
#include "net/sockopt.h"

enum { UNIT = 65536 };

static char unit[UNIT];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void unix_pair(int fds[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		die("socketpair");
}

static void tcp_pair(int fds[2])
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(at);
	int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listening, (struct sockaddr *)&at, sizeof(at)) || listen(listening, 1) ||
	    getsockname(listening, (struct sockaddr *)&at, &n) ||
	    connect(fds[0], (struct sockaddr *)&at, sizeof(at)))
		die("tcp");
	fds[1] = accept(listening, NULL, NULL);
	close(listening);
}

static void write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t done = write(fd, p, n);

		if (done < 0)
			die("write");
		p += done;
		n -= (size_t)done;
	}
}

static void feed(int fd, uint64_t bytes)
{
	for (uint64_t done = 0; done < bytes; done += UNIT)
		write_all(fd, unit, UNIT);
}

static void drink(int fd)
{
	while (read(fd, unit, UNIT) > 0)
		;
}

/* ---- the two ways; both take their descriptors ---- */

static void relay_bare(int from, int to)
{
	ssize_t n;

	while ((n = read(from, unit, UNIT)) > 0)
		write_all(to, unit, (size_t)n);
	shutdown(to, SHUT_WR);
	drink(to); /* nothing, until the drinker ends too */
	close(from);
	close(to);
}

static void on_end(void *arg, enum relay_end end, int error)
{
	if (end != RELAY_END_FINISHED)
		fprintf(stderr, "the relay ended as %d: %s\n", (int)end, strerror(error));
	loop_stop(arg);
}

static void relay_ours(int from, int to)
{
	struct loop *loop = loop_new();
	struct relay_options options = {.on_end = on_end, .arg = loop};

	sockopt_make_ours(from);
	sockopt_make_ours(to);
	relay_new(loop, bev_socket_new(loop, from), bev_socket_new(loop, to), &options);
	loop_run(loop);
	loop_pass(loop, LOOP_NO_WAIT);
	loop_free(loop);
}

/* ---- measuring ---- */

static double cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static pid_t start(void (*run)(int fd, uint64_t bytes), int fd, const int *others, uint64_t bytes)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid > 0)
		return pid;
	for (int i = 0; i < 3; i++)
		close(others[i]);
	run(fd, bytes);
	_exit(0);
}

static void run_feeder(int fd, uint64_t bytes)
{
	feed(fd, bytes);
	shutdown(fd, SHUT_WR);
	drink(fd);
}

static void run_drinker(int fd, uint64_t bytes)
{
	(void)bytes;
	drink(fd);
}

static void measure(const char *name, void (*make_pair)(int fds[2]),
    void (*relay)(int from, int to), double gigabytes)
{
	int left[2], right[2];
	uint64_t bytes = (uint64_t)(gigabytes * 1e9), begun;
	double cpu;

	make_pair(left);
	make_pair(right);

	pid_t feeder = start(run_feeder, left[0], (int[]){left[1], right[0], right[1]}, bytes);
	pid_t drinker = start(run_drinker, right[1], (int[]){left[0], left[1], right[0]}, bytes);

	close(left[0]);
	close(right[1]);
	begun = clock_now_ms();
	cpu = cpu_seconds();
	relay(left[1], right[0]);
	cpu = cpu_seconds() - cpu;
	printf("%-12s %.3f CPU s/GB  %.2f GB/s\n", name, cpu / gigabytes,
	    gigabytes * 1000 / (double)(clock_now_ms() - begun));
	fflush(stdout);
	waitpid(feeder, NULL, 0);
	waitpid(drinker, NULL, 0);
}

int main(int argc, char **argv)
{
	double gigabytes = argc > 1 ? strtod(argv[1], NULL) : 4;

	signal(SIGPIPE, SIG_IGN);
	mem_tune_allocator();
	measure("unix bare", unix_pair, relay_bare, gigabytes);
	measure("unix relay", unix_pair, relay_ours, gigabytes);
	measure("tcp bare", tcp_pair, relay_bare, gigabytes);
	measure("tcp relay", tcp_pair, relay_ours, gigabytes);
	return 0;
}
