/*
 * What the bench makes go through a tunnel, and what stands at its end. One thread a connection, blocking calls: the load
 * must cost little and hide nothing.
 *
 * usage: load serve				prints its port; the first byte of a connection says what it wants
 *        load down PORT BYTES STREAMS [BYTES_PER_SECOND]
 *        load up PORT BYTES STREAMS [BYTES_PER_SECOND]
 *        load ping PORT COUNT			one byte there and back, COUNT times
 *        load answers PORT COUNT			one byte there, two back, of which the second comes a millisecond after the first
 *        load connects PORT COUNT PARALLEL	connect, one byte there and back, close
 *        load idle PORT COUNT			opens COUNT streams, a byte through each; holds them until stdin ends
 *        load stall PORT COUNT			opens COUNT downloads without end and reads one byte of each; holds them likewise
 *        load first PORT -- COMMAND...		runs COMMAND; the time from its exec to the first byte that came back
 *
 * Each prints one line of JSON; times are seconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER_BYTES = 256 << 10, PACE_SLICES_PER_SECOND = 500 };

/* What a client wants: one byte, then for 'D' the count and the rate, 8 bytes each in the machine's order. */
enum { WANT_DOWNLOAD = 'D', WANT_UPLOAD = 'U', WANT_ECHO = 'E', WANT_ANSWERS = 'A' };

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void sleep_until(double when)
{
	struct timespec ts = {
	    .tv_sec = (time_t)when, .tv_nsec = (long)((when - (double)(time_t)when) * 1e9)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

static bool send_all(int fd, const void *data, size_t n)
{
	const char *p = data;

	while (n) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return false;
		p += sent;
		n -= (size_t)sent;
	}
	return true;
}

static bool recv_all(int fd, void *data, size_t n)
{
	return n == 0 || recv(fd, data, n, MSG_WAITALL) == (ssize_t)n;
}

/* Sends bytes, rate > 0: so many a second, in even slices. */
static bool send_paced(int fd, uint64_t bytes, uint64_t rate)
{
	static char zeros[BUFFER_BYTES];
	size_t slice = rate ? (size_t)(rate / PACE_SLICES_PER_SECOND) : sizeof(zeros);
	double start = now();

	for (uint64_t sent = 0; sent < bytes;) {
		uint64_t left = bytes - sent;
		size_t n = left < slice ? (size_t)left : slice;

		if (n > sizeof(zeros))
			n = sizeof(zeros);
		if (rate)
			sleep_until(start + (double)sent / (double)rate);
		if (!send_all(fd, zeros, n))
			return false;
		sent += n;
	}
	return true;
}

static uint64_t recv_to_end(int fd)
{
	char *buffer = malloc(BUFFER_BYTES);
	uint64_t total = 0;
	ssize_t n;

	if (!buffer)
		die("malloc");
	while ((n = recv(fd, buffer, BUFFER_BYTES, 0)) > 0)
		total += (uint64_t)n;
	free(buffer);
	return total;
}

static void start_thread(void *(*run)(void *), void *arg)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 64 << 10);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attributes, run, arg) != 0)
		die("pthread_create");
	pthread_attr_destroy(&attributes);
}

static void set_no_delay(int fd)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* ---- the server ---- */

/* As a server does that writes a head and then a body. */
static void answer(int fd)
{
	char byte;

	while (recv(fd, &byte, 1, 0) == 1 && send_all(fd, &byte, 1)) {
		sleep_until(now() + 0.001);
		if (!send_all(fd, &byte, 1))
			return;
	}
}

static void *serve_one(void *arg)
{
	int fd = (int)(intptr_t)arg;
	uint64_t order[2];
	char byte;

	if (recv_all(fd, &byte, 1)) {
		if (byte == WANT_DOWNLOAD && recv_all(fd, order, sizeof(order))) {
			send_paced(fd, order[0], order[1]);
		} else if (byte == WANT_UPLOAD) {
			uint64_t total = recv_to_end(fd);

			send_all(fd, &total, sizeof(total));
		} else if (byte == WANT_ECHO) {
			while (recv(fd, &byte, 1, 0) == 1 && send_all(fd, &byte, 1))
				;
		} else if (byte == WANT_ANSWERS) {
			answer(fd);
		}
	}
	close(fd);
	return NULL;
}

static int serve(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t size = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (listener < 0 || bind(listener, (struct sockaddr *)&at, sizeof(at)) != 0 ||
	    listen(listener, 4096) != 0 ||
	    getsockname(listener, (struct sockaddr *)&at, &size) != 0)
		die("listen");
	printf("%u\n", ntohs(at.sin_port));
	fflush(stdout);
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0)
			die("accept");
		set_no_delay(fd);
		start_thread(serve_one, (void *)(intptr_t)fd);
	}
}

/* ---- clients ---- */

static int try_connect(uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		die("socket");
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		int why = errno;

		close(fd);
		errno = why;
		return -1;
	}
	set_no_delay(fd);
	return fd;
}

static int must_connect(uint16_t port)
{
	int fd = try_connect(port);

	if (fd < 0)
		die("connect");
	return fd;
}

static bool ping(int fd)
{
	char byte = 'x';

	return send_all(fd, &byte, 1) && recv_all(fd, &byte, 1);
}

static int open_echo(uint16_t port)
{
	char want = WANT_ECHO;
	int fd = must_connect(port);

	if (!send_all(fd, &want, 1) || !ping(fd))
		die("echo");
	return fd;
}

struct transfer {
	uint16_t port;
	uint64_t bytes, rate;
};

static void *download(void *arg)
{
	const struct transfer *t = arg;
	uint64_t order[2] = {t->bytes, t->rate};
	char want = WANT_DOWNLOAD;
	int fd = must_connect(t->port);

	if (!send_all(fd, &want, 1) || !send_all(fd, order, sizeof(order)))
		die("download");
	uint64_t got = recv_to_end(fd);
	if (got != t->bytes) {
		fprintf(stderr, "load: %llu bytes came of %llu\n", (unsigned long long)got,
		    (unsigned long long)t->bytes);
		exit(1);
	}
	close(fd);
	return NULL;
}

static void *upload(void *arg)
{
	const struct transfer *t = arg;
	uint64_t taken = 0;
	char want = WANT_UPLOAD;
	int fd = must_connect(t->port);

	if (!send_all(fd, &want, 1) || !send_paced(fd, t->bytes, t->rate))
		die("upload");
	shutdown(fd, SHUT_WR);
	if (!recv_all(fd, &taken, sizeof(taken)) || taken != t->bytes) {
		fprintf(stderr, "load: the far end took %llu bytes of %llu\n",
		    (unsigned long long)taken, (unsigned long long)t->bytes);
		exit(1);
	}
	close(fd);
	return NULL;
}

static int transfer(
    void *(*run)(void *), uint16_t port, uint64_t bytes, unsigned streams, uint64_t rate)
{
	struct transfer t = {.port = port, .bytes = bytes / streams, .rate = rate / streams};
	pthread_t *threads = calloc(streams, sizeof(*threads));
	double start = now();

	for (unsigned i = 0; i < streams; i++)
		if (pthread_create(&threads[i], NULL, run, &t) != 0)
			die("pthread_create");
	for (unsigned i = 0; i < streams; i++)
		pthread_join(threads[i], NULL);
	printf("{\"seconds\": %.6f, \"bytes\": %llu}\n", now() - start,
	    (unsigned long long)(t.bytes * streams));
	free(threads);
	return 0;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static bool ask(int fd)
{
	char bytes[2] = "?";

	return send_all(fd, bytes, 1) && recv_all(fd, bytes, 2);
}

static int time_each(int fd, bool (*once)(int fd), size_t count)
{
	double *times = calloc(count, sizeof(*times));

	for (size_t i = 0; i < count; i++) {
		double start = now();

		if (!once(fd))
			die("answer");
		times[i] = now() - start;
	}
	qsort(times, count, sizeof(*times), compare_doubles);
	printf("{\"median\": %.7f, \"p99\": %.7f, \"max\": %.7f}\n", times[count / 2],
	    times[count * 99 / 100], times[count - 1]);
	free(times);
	close(fd);
	return 0;
}

static int ping_pong(uint16_t port, size_t count)
{
	return time_each(open_echo(port), ping, count);
}

static int answers(uint16_t port, size_t count)
{
	char want = WANT_ANSWERS;
	int fd = must_connect(port);

	if (!send_all(fd, &want, 1))
		die("send");
	return time_each(fd, ask, count);
}

struct connects {
	uint16_t port;
	size_t count;
};

static void *connect_often(void *arg)
{
	const struct connects *c = arg;

	for (size_t i = 0; i < c->count; i++)
		close(open_echo(c->port));
	return NULL;
}

static int connects(uint16_t port, size_t count, unsigned parallel)
{
	struct connects c = {.port = port, .count = count / parallel};
	pthread_t *threads = calloc(parallel, sizeof(*threads));
	double start = now();

	for (unsigned i = 0; i < parallel; i++)
		if (pthread_create(&threads[i], NULL, connect_often, &c) != 0)
			die("pthread_create");
	for (unsigned i = 0; i < parallel; i++)
		pthread_join(threads[i], NULL);
	double seconds = now() - start;
	printf("{\"seconds\": %.6f, \"per_second\": %.1f}\n", seconds,
	    (double)(c.count * parallel) / seconds);
	free(threads);
	return 0;
}

/* A download that nobody reads, but for its first byte. */
static int open_stalled(uint16_t port)
{
	uint64_t order[2] = {UINT64_MAX, 0};
	char want = WANT_DOWNLOAD, byte;
	int fd = must_connect(port);

	if (!send_all(fd, &want, 1) || !send_all(fd, order, sizeof(order)) ||
	    recv(fd, &byte, 1, 0) != 1)
		die("stalled download");
	return fd;
}

/* Opens count of them, says so, and holds them until stdin ends. */
static int hold(int (*open_one)(uint16_t port), uint16_t port, size_t count)
{
	char byte;

	for (size_t i = 0; i < count; i++)
		open_one(port);
	printf("{\"open\": %zu}\n", count);
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0;
}

/* A listener that is there before the tunnel is up holds us; one that is not refuses us, and we come again. */
static int first_byte(uint16_t port, char **command)
{
	double start = now();
	struct timespec pause = {.tv_nsec = 500000};
	pid_t pid = fork();
	int fd;

	if (pid == 0) {
		/* However we end, it ends with us. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execvp(command[0], command);
		die(command[0]);
	}
	while ((fd = try_connect(port)) < 0) {
		if (now() - start > 30 || waitpid(pid, NULL, WNOHANG) == pid) {
			fprintf(stderr, "load: no tunnel on port %u\n", port);
			return 1;
		}
		nanosleep(&pause, NULL);
	}
	char want = WANT_ECHO;
	if (!send_all(fd, &want, 1) || !ping(fd))
		die("first byte");
	double seconds = now() - start;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	printf("{\"seconds\": %.6f}\n", seconds);
	return 0;
}

/* A thousand streams are more than the soft limit of most systems. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int usage(void)
{
	fprintf(stderr,
	    "usage: load serve | down|up PORT BYTES STREAMS [RATE] | ping|answers PORT COUNT | "
	    "connects PORT COUNT PARALLEL | idle PORT COUNT | stall PORT COUNT | first "
	    "PORT -- COMMAND...\n");
	return 64;
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc == 2 && strcmp(argv[1], "serve") == 0) {
		raise_descriptor_limit();
		return serve();
	}
	if (argc < 4)
		return usage();
	const char *what = argv[1];
	uint16_t port = (uint16_t)atoi(argv[2]);
	if (strcmp(what, "first") == 0 && argc > 4)
		return first_byte(port, argv + 4);
	raise_descriptor_limit(); /* not for the command of `first` */
	uint64_t count = strtoull(argv[3], NULL, 10);
	unsigned parallel = argc > 4 ? (unsigned)atoi(argv[4]) : 1;
	uint64_t rate = argc > 5 ? strtoull(argv[5], NULL, 10) : 0;
	if (count == 0 || parallel == 0)
		return usage();
	if (strcmp(what, "down") == 0)
		return transfer(download, port, count, parallel, rate);
	if (strcmp(what, "up") == 0)
		return transfer(upload, port, count, parallel, rate);
	if (strcmp(what, "ping") == 0)
		return ping_pong(port, count);
	if (strcmp(what, "answers") == 0)
		return answers(port, count);
	if (strcmp(what, "connects") == 0)
		return connects(port, count, parallel);
	if (strcmp(what, "idle") == 0)
		return hold(open_echo, port, count);
	if (strcmp(what, "stall") == 0)
		return hold(open_stalled, port, count);
	return usage();
}
