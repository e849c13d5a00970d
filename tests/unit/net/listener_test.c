#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "net/descriptors.h"
#include "net/listener.h"
#include "tcp_pair.h"

/* Of the file at a path, when somebody began to listen: from then on a client can come. */
static struct {
	const char *path;
	mode_t mode;
	gid_t group;
} at_listen;

/* In the place of the C library's. */
int listen(int fd, int backlog)
{
	struct stat st;

	if (at_listen.path && stat(at_listen.path, &st) == 0) {
		at_listen.mode = st.st_mode & 0777;
		at_listen.group = st.st_gid;
		at_listen.path = NULL;
	}
	return (int)syscall(SYS_listen, fd, backlog);
}

struct fixture {
	struct loop *loop;
	struct listener *listener;
	struct err err;
	char folder[64], path[100];
	enum { KEEP, PAUSE_IN_CALLBACK, FREE_IN_CALLBACK } in_callback;
	int accepted[200];
	size_t count;
	struct addr last_peer;
	char log[1000];
	size_t log_lines;
};

static void on_accept(void *arg, int fd, const struct addr *peer)
{
	struct fixture *f = arg;

	assert_true(f->count < ARRAY_LEN(f->accepted));
	f->accepted[f->count++] = fd;
	f->last_peer = *peer;
	if (f->in_callback == PAUSE_IN_CALLBACK)
		listener_pause(f->listener);
	if (f->in_callback == FREE_IN_CALLBACK) {
		listener_free(f->listener);
		f->listener = NULL;
	}
}

static void on_log(void *arg, enum log_level level, const char *line)
{
	struct fixture *f = arg;

	(void)level;
	f->log_lines++;
	strncat(f->log, line, sizeof(f->log) - strlen(f->log) - 2);
	strcat(f->log, "\n");
}

static void begin(struct fixture *f)
{
	*f = (struct fixture){.loop = loop_new()};
	assert_non_null(mkdtemp(strcpy(f->folder, "/tmp/adit-listener-XXXXXX")));
	snprintf(f->path, sizeof(f->path), "%s/socket", f->folder);
	log_set_sink(on_log, f);
}

static void settle(struct fixture *f)
{
	for (int i = 0; i < 20; i++)
		loop_pass(f->loop, LOOP_NO_WAIT);
}

static void finish(struct fixture *f)
{
	for (size_t i = 0; i < f->count; i++)
		close(f->accepted[i]);
	listener_free(f->listener);
	settle(f);
	loop_free(f->loop);
	unlink(f->path);
	assert_int_equal(rmdir(f->folder), 0);
	log_set_sink(NULL, NULL);
	clock_fake_stop();
}

static void listen_at(struct fixture *f, const char *host, uint16_t port)
{
	struct endpoint at = {.host = host, .port = port};

	err_clear(&f->err);
	f->listener = listener_new(f->loop, &at, NULL, on_accept, f, &f->err);
	assert_true((f->listener == NULL) == err_is_set(&f->err));
}

static void listen_at_path(struct fixture *f, const struct listener_options *options)
{
	struct endpoint at = {.path = f->path};

	err_clear(&f->err);
	f->listener = listener_new(f->loop, &at, options, on_accept, f, &f->err);
	assert_true((f->listener == NULL) == err_is_set(&f->err));
}

/* Gives a connected descriptor, or -1 and errno. */
static int connect_to(const struct addr *a)
{
	int fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	if (connect(fd, &a->sa, a->length) == 0 || errno == EINPROGRESS)
		return fd;

	int error = errno;

	close(fd);
	errno = error;
	return -1;
}

static int connect_to_host(const char *host, uint16_t port)
{
	struct addr a;

	assert_true(addr_from_literal(host, port, &a));
	return connect_to(&a);
}

static int connect_to_path(const char *path)
{
	struct addr a;

	assert_int_equal(addr_from_path(path, &a, NULL), 0);
	return connect_to(&a);
}

static bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static bool have_ipv6(void)
{
	struct addr a;
	int fd = socket(AF_INET6, SOCK_STREAM, 0), r;

	assert_true(addr_from_literal("::1", 0, &a));
	r = fd < 0 ? -1 : bind(fd, &a.sa, a.length);
	if (fd >= 0)
		close(fd);
	return r == 0;
}

static void test_port_0_says_where_it_listens(void **state)
{
	struct fixture f;
	int client, nodelay = 0;
	socklen_t n = sizeof(nodelay);

	(void)state;
	begin(&f);
	listen_at(&f, "127.0.0.1", 0);
	assert_true(addr_port(listener_addr(f.listener)) != 0);
	client = connect_to(listener_addr(f.listener));
	assert_true(client >= 0);
	settle(&f);
	assert_int_equal(f.count, 1);
	assert_true(addr_is_loopback(&f.last_peer));
	assert_true(fcntl(f.accepted[0], F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(f.accepted[0], F_GETFD) & FD_CLOEXEC);
	assert_int_equal(getsockopt(f.accepted[0], IPPROTO_TCP, TCP_NODELAY, &nodelay, &n), 0);
	assert_int_equal(nodelay, 1);
	assert_does_not_pace(f.accepted[0]);
	close(client);
	finish(&f);
}

static void test_every_address_means_both_families_on_one_port(void **state)
{
	static const char *const names[] = {"*", "", "localhost", "LOCALHOST"};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		int fds[LISTENER_FDS_MAX], four, six = -1;
		uint16_t port;

		begin(&f);
		listen_at(&f, names[i], 0);
		port = addr_port(listener_addr(f.listener));
		assert_int_equal(listener_fds(f.listener, fds), have_ipv6() ? 2 : 1);
		four = connect_to_host("127.0.0.1", port);
		assert_true(four >= 0);
		if (have_ipv6()) {
			six = connect_to_host("::1", port);
			assert_true(six >= 0);
		}
		settle(&f);
		assert_int_equal(f.count, have_ipv6() ? 2 : 1);
		close(four);
		close(six);
		finish(&f);
	}
}

static void test_what_is_in_use_or_not_ours_is_refused(void **state)
{
	struct fixture f, g;

	(void)state;
	begin(&f);
	begin(&g);
	listen_at(&f, "127.0.0.1", 0);
	listen_at(&g, "127.0.0.1", addr_port(listener_addr(f.listener)));
	assert_null(g.listener);
	assert_int_equal(g.err.class, ERR_LOCAL);
	assert_non_null(strstr(g.err.text, "127.0.0.1:"));
	listen_at(&g, "*", addr_port(listener_addr(f.listener)));
	assert_null(g.listener);
	listen_at(&g, "192.0.2.1", 0);
	assert_int_equal(g.err.class, ERR_CONFIG);
	listen_at(&g, "a.name", 0);
	assert_int_equal(g.err.class, ERR_CONFIG);
	finish(&g);
	finish(&f);
}

static void test_a_unix_socket_has_its_mode_and_goes_with_the_listener(void **state)
{
	struct fixture f;
	struct listener_options options = {.mode = 0660};
	struct stat st;
	int client;

	(void)state;
	begin(&f);
	listen_at_path(&f, &options);
	assert_int_equal(stat(f.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	client = connect_to_path(f.path);
	assert_true(client >= 0);
	settle(&f);
	assert_int_equal(f.count, 1);
	assert_int_equal(f.last_peer.sa.sa_family, AF_UNIX);
	close(client);
	listener_free(f.listener);
	f.listener = NULL;
	assert_false(exists(f.path));
	listen_at_path(&f, NULL);
	assert_int_equal(stat(f.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	finish(&f);
}

static void test_owner_and_group_by_name_and_number(void **state)
{
	struct fixture f;
	char uid[20], gid[20];
	struct listener_options options = {.owner = uid, .group = gid};

	(void)state;
	snprintf(uid, sizeof(uid), "%u", (unsigned)getuid());
	snprintf(gid, sizeof(gid), "%u", (unsigned)getgid());
	begin(&f);
	listen_at_path(&f, &options);
	assert_non_null(f.listener);
	listener_free(f.listener);
	options.owner = "no-such-user-at-all";
	listen_at_path(&f, &options);
	assert_int_equal(f.err.class, ERR_CONFIG);
	assert_non_null(strstr(f.err.text, "no-such-user-at-all"));
	assert_false(exists(f.path));
	options.owner = NULL;
	options.group = "no-such-group-at-all";
	listen_at_path(&f, &options);
	assert_int_equal(f.err.class, ERR_CONFIG);
	assert_false(exists(f.path));
	finish(&f);
}

static void test_mode_and_owner_are_in_force_before_anybody_can_connect(void **state)
{
	struct fixture f;
	struct listener_options options = {.mode = 0640, .group = "4711"};

	(void)state;
	if (geteuid() != 0)
		options.group = NULL;
	begin(&f);
	at_listen.path = f.path;
	listen_at_path(&f, &options);
	assert_non_null(f.listener);
	assert_null(at_listen.path);
	assert_int_equal(at_listen.mode, 0640);
	assert_int_equal(at_listen.group, options.group ? 4711 : getegid());
	finish(&f);
}

static void test_a_stale_socket_is_replaced(void **state)
{
	struct fixture f;
	struct addr a;
	int dead = socket(AF_UNIX, SOCK_STREAM, 0), client;

	(void)state;
	begin(&f);
	assert_int_equal(addr_from_path(f.path, &a, NULL), 0);
	assert_int_equal(bind(dead, &a.sa, a.length), 0);
	close(dead);
	assert_true(exists(f.path));
	listen_at_path(&f, NULL);
	assert_non_null(f.listener);
	client = connect_to_path(f.path);
	assert_true(client >= 0);
	close(client);
	finish(&f);
}

static void test_a_living_socket_is_left_alone(void **state)
{
	struct fixture f, g;

	(void)state;
	begin(&f);
	begin(&g);
	listen_at_path(&f, NULL);
	strcpy(g.path, f.path);
	listen_at_path(&g, NULL);
	assert_null(g.listener);
	assert_int_equal(g.err.class, ERR_LOCAL);
	assert_non_null(strstr(g.err.text, f.path));
	assert_true(exists(f.path));
	g.path[0] = '\0';
	finish(&g);
	finish(&f);
}

/* Somebody who is too busy to accept is there all the same. */
static void test_a_living_socket_with_a_full_queue_is_left_alone(void **state)
{
	struct fixture f;
	struct addr a;
	int busy = socket(AF_UNIX, SOCK_STREAM, 0), first, second;

	(void)state;
	begin(&f);
	assert_int_equal(addr_from_path(f.path, &a, NULL), 0);
	assert_int_equal(bind(busy, &a.sa, a.length), 0);
	assert_int_equal(listen(busy, 0), 0);
	first = connect_to_path(f.path);
	assert_true(first >= 0);
	second = connect_to_path(f.path);
	assert_true(second < 0 && errno == EAGAIN);
	listen_at_path(&f, NULL);
	assert_null(f.listener);
	assert_non_null(strstr(f.err.text, "somebody listens there"));
	assert_true(exists(f.path));
	close(first);
	close(busy);
	finish(&f);
}

static void test_a_file_that_is_no_socket_is_left_alone(void **state)
{
	struct fixture f;
	int fd;

	(void)state;
	begin(&f);
	fd = open(f.path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	listen_at_path(&f, NULL);
	assert_null(f.listener);
	assert_int_equal(f.err.class, ERR_LOCAL);
	assert_non_null(strstr(f.err.text, f.path));
	assert_true(exists(f.path));
	finish(&f);
}

static void test_only_its_own_file_is_removed(void **state)
{
	struct fixture f;
	int fd;

	(void)state;
	begin(&f);
	listen_at_path(&f, NULL);
	assert_int_equal(unlink(f.path), 0);
	fd = open(f.path, O_CREAT | O_WRONLY, 0600); /* somebody else's, by now */
	close(fd);
	listener_free(f.listener);
	f.listener = NULL;
	assert_true(exists(f.path));
	finish(&f);
}

static void test_a_folder_that_is_not_there_is_an_error(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	strcpy(f.path, "/nonexistent/socket");
	listen_at_path(&f, NULL);
	assert_int_equal(f.err.class, ERR_LOCAL);
	assert_non_null(strstr(f.err.text, "/nonexistent/socket"));
	finish(&f);
}

static void test_paused_means_who_comes_waits(void **state)
{
	struct fixture f;
	int clients[3];

	(void)state;
	begin(&f);
	listen_at(&f, "127.0.0.1", 0);
	f.in_callback = PAUSE_IN_CALLBACK;
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		clients[i] = connect_to(listener_addr(f.listener));
	settle(&f);
	assert_int_equal(f.count, 1);
	f.in_callback = KEEP;
	listener_resume(f.listener);
	settle(&f);
	assert_int_equal(f.count, 3);
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		close(clients[i]);
	finish(&f);
}

static void test_it_can_be_freed_in_the_callback(void **state)
{
	struct fixture f;
	int first, second;

	(void)state;
	begin(&f);
	listen_at(&f, "127.0.0.1", 0);
	f.in_callback = FREE_IN_CALLBACK;
	first = connect_to(listener_addr(f.listener));
	second = connect_to(listener_addr(f.listener));
	settle(&f);
	assert_int_equal(f.count, 1);
	close(first);
	close(second);
	finish(&f);
}

/* What the kernel says. valgrind keeps the limit to itself: there accept4() takes the client, and then closes it. */
static bool limit_is_the_kernels(int limits_fd, rlim_t limit)
{
	char text[4000] = {0};
	const char *line;

	assert_true(pread(limits_fd, text, sizeof(text) - 1, 0) > 0);
	line = strstr(text, "Max open files");
	assert_non_null(line);
	return strtoull(line + strlen("Max open files"), NULL, 10) == limit;
}

static void test_without_descriptors_it_waits_says_so_once_and_goes_on(void **state)
{
	struct fixture f;
	struct rlimit old, few;
	int clients[2], highest, limits_fd;

	(void)state;
	begin(&f);
	clock_fake_start(1000, 0);
	listen_at(&f, "127.0.0.1", 0);
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		clients[i] = connect_to(listener_addr(f.listener));
	limits_fd = open("/proc/self/limits", O_RDONLY | O_CLOEXEC);
	assert_true(limits_fd >= 0);
	highest = dup(0);
	close(highest);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = old;
	few.rlim_cur = (rlim_t)highest; /* no free one is left below */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);

	bool limited = limit_is_the_kernels(limits_fd, few.rlim_cur);

	settle(&f);
	loop_fake_advance(f.loop, 1000);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	close(limits_fd);
	if (!limited) {
		close(clients[0]);
		close(clients[1]);
		finish(&f);
		skip();
	}
	assert_int_equal(f.count, 0);
	assert_int_equal(f.log_lines, 1);
	assert_non_null(strstr(f.log, "listener-paused"));
	loop_fake_advance(f.loop, 100);
	assert_int_equal(f.count, 2);
	loop_fake_advance(f.loop, 100);
	assert_int_equal(f.log_lines, 2);
	assert_non_null(strstr(f.log, "listener-resumed"));
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		close(clients[i]);
	finish(&f);
}

static void limit_descriptors(rlim_t count)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = count;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* What is left is for others: 32 descriptors, or a quarter of the limit. */
static void test_who_leaves_a_reserve_pauses_before_the_last_descriptor(void **state)
{
	static const struct listener_options leaving = {.leaves_reserve = true};
	const struct endpoint at = {.host = "127.0.0.1"};
	struct fixture f;
	struct rlimit old;
	int clients[8];

	(void)state;
	begin(&f);
	clock_fake_start(1000, 0);
	f.listener = listener_new(f.loop, &at, &leaving, on_accept, &f, NULL);
	assert_non_null(f.listener);
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		clients[i] = connect_to(listener_addr(f.listener));
	int next = dup(0);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	/* Three more than those below go before the quarter begins. */
	rlim_t limit = 4 * (rlim_t)(next + 3) / 3;
	limit_descriptors(limit);
	loop_fake_advance(f.loop, 0);
	rlim_t reserved = limit / 4;
	assert_true(reserved >= 3 && reserved <= DESCRIPTORS_RESERVED);
	size_t taken = (size_t)(limit - reserved) - (size_t)next + 1;
	assert_int_equal(f.count, taken);
	/* One that has taken none takes none now. */
	struct listener *other = listener_new(f.loop, &at, &leaving, on_accept, &f, NULL);
	int late = connect_to(listener_addr(other));
	loop_fake_advance(f.loop, 0);
	assert_int_equal(f.count, taken);
	/* Time alone does not bring them in. */
	loop_fake_advance(f.loop, 1000);
	assert_int_equal(f.count, taken);
	assert_true(descriptors_are_short());
	setrlimit(RLIMIT_NOFILE, &old);
	assert_false(descriptors_are_short());
	loop_fake_advance(f.loop, 100);
	assert_int_equal(f.count, ARRAY_LEN(clients) + 1);
	close(late);
	listener_free(other);
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		close(clients[i]);
	finish(&f);
}

/* Nobody can come while it is paused, so that nothing is to be tried. */
static void test_a_pause_in_a_shortage_is_waited_out(void **state)
{
	struct fixture f;
	struct rlimit old;
	int client, highest, limits_fd;

	(void)state;
	begin(&f);
	clock_fake_start(1000, 0);
	listen_at(&f, "127.0.0.1", 0);
	client = connect_to(listener_addr(f.listener));
	limits_fd = open("/proc/self/limits", O_RDONLY | O_CLOEXEC);
	highest = dup(0);
	close(highest);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	limit_descriptors((rlim_t)highest);
	bool limited = limit_is_the_kernels(limits_fd, (rlim_t)highest);
	settle(&f);
	setrlimit(RLIMIT_NOFILE, &old);
	if (limited) {
		assert_int_equal(f.log_lines, 1);
		listener_pause(f.listener);
		loop_fake_advance(f.loop, 100);
		assert_null(timers_first(loop_timers(f.loop)));
		assert_int_equal(f.count, 0);
		listener_resume(f.listener);
		settle(&f);
		assert_int_equal(f.count, 1);
		assert_int_equal(f.log_lines, 1);
		/* It is tried for as long as ever, pause or not. */
		listener_pause(f.listener);
		loop_fake_advance(f.loop, 99);
		listener_resume(f.listener);
		loop_fake_advance(f.loop, 1);
		assert_int_equal(f.log_lines, 2);
		assert_non_null(strstr(f.log, "listener-resumed"));
		assert_null(timers_first(loop_timers(f.loop)));
	}
	close(limits_fd);
	close(client);
	finish(&f);
}

/* One descriptor comes back at a time, and is gone again with the next client. */
static void test_a_shortage_that_goes_on_is_said_once(void **state)
{
	struct fixture f;
	struct rlimit old;
	int clients[4], highest, limits_fd;

	(void)state;
	begin(&f);
	clock_fake_start(1000, 0);
	listen_at(&f, "127.0.0.1", 0);
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		clients[i] = connect_to(listener_addr(f.listener));
	limits_fd = open("/proc/self/limits", O_RDONLY | O_CLOEXEC);
	highest = dup(0);
	close(highest);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	limit_descriptors((rlim_t)highest);
	if (limit_is_the_kernels(limits_fd, (rlim_t)highest)) {
		settle(&f);
		for (int taken = 1; taken <= 3; taken++) {
			limit_descriptors((rlim_t)(highest + taken));
			loop_fake_advance(f.loop, 100);
			assert_int_equal(f.count, taken);
			assert_int_equal(f.log_lines, 1);
		}
		setrlimit(RLIMIT_NOFILE, &old);
		loop_fake_advance(f.loop, 100);
		assert_int_equal(f.count, 4);
		assert_int_equal(f.log_lines, 1);
		loop_fake_advance(f.loop, 100);
		assert_int_equal(f.log_lines, 2);
		assert_non_null(strstr(f.log, "listener-resumed"));
	} else {
		setrlimit(RLIMIT_NOFILE, &old);
	}
	close(limits_fd);
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		close(clients[i]);
	finish(&f);
}

static void test_more_clients_than_one_pass_takes(void **state)
{
	struct fixture f;
	int clients[150];

	(void)state;
	begin(&f);
	listen_at(&f, "127.0.0.1", 0);
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		clients[i] = connect_to(listener_addr(f.listener));
	settle(&f);
	assert_int_equal(f.count, ARRAY_LEN(clients));
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		close(clients[i]);
	finish(&f);
}

static int listening_socket(struct addr *ret_addr)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(addr_from_literal("127.0.0.1", 0, ret_addr));
	assert_int_equal(bind(fd, &ret_addr->sa, ret_addr->length), 0);
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(getsockname(fd, &ret_addr->sa, &ret_addr->length), 0);
	return fd;
}

static void test_an_adopted_one_accepts(void **state)
{
	struct fixture f;
	struct addr a;
	int fd = listening_socket(&a), fds[LISTENER_FDS_MAX], client, nodelay = 0;
	socklen_t n = sizeof(nodelay);

	(void)state;
	begin(&f);
	/* As where it is the system's; a kernel without it has nothing to show. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "bbr", 3);
	f.listener = listener_adopt(f.loop, &fd, 1, NULL, on_accept, &f, &f.err);
	assert_non_null(f.listener);
	assert_true(addr_equal(listener_addr(f.listener), &a));
	assert_int_equal(listener_fds(f.listener, fds), 1);
	assert_int_equal(fds[0], fd);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	client = connect_to(&a);
	settle(&f);
	assert_int_equal(f.count, 1);
	assert_int_equal(getsockopt(f.accepted[0], IPPROTO_TCP, TCP_NODELAY, &nodelay, &n), 0);
	assert_int_equal(nodelay, 1);
	assert_does_not_pace(f.accepted[0]);
	close(client);
	finish(&f);
}

static void test_only_listening_stream_sockets_are_adopted(void **state)
{
	struct fixture f;
	struct addr a;
	int fds[2];

	(void)state;
	begin(&f);
	fds[0] = listening_socket(&a);
	fds[1] = socket(AF_INET, SOCK_DGRAM, 0);
	assert_null(listener_adopt(f.loop, fds, 2, NULL, on_accept, &f, &f.err));
	assert_int_equal(f.err.class, ERR_LOCAL);
	/* Taken, also on error. */
	assert_int_equal(fcntl(fds[0], F_GETFD), -1);
	assert_int_equal(fcntl(fds[1], F_GETFD), -1);
	fds[0] = socket(AF_INET, SOCK_STREAM, 0); /* not listening */
	assert_null(listener_adopt(f.loop, fds, 1, NULL, on_accept, &f, NULL));
	fds[0] = socket(AF_UNIX, SOCK_SEQPACKET, 0); /* listening, but to no stream */
	assert_int_equal(addr_from_path(f.path, &a, NULL), 0);
	assert_int_equal(bind(fds[0], &a.sa, a.length), 0);
	assert_int_equal(listen(fds[0], 5), 0);
	assert_null(listener_adopt(f.loop, fds, 1, NULL, on_accept, &f, NULL));
	fds[0] = open("/dev/null", O_RDONLY);
	assert_null(listener_adopt(f.loop, fds, 1, NULL, on_accept, &f, NULL));
	assert_null(listener_adopt(f.loop, fds, 0, NULL, on_accept, &f, NULL));
	listener_free(NULL);
	finish(&f);
}

static struct listener *adopt_path(struct fixture *f, const char *path)
{
	struct addr at;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_int_equal(addr_from_path(path, &at, &f->err), 0);
	assert_int_equal(bind(fd, &at.sa, at.length), 0);
	assert_int_equal(listen(fd, 5), 0);
	return listener_adopt(f->loop, &fd, 1, NULL, on_accept, f, &f->err);
}

static void test_an_adopted_path_is_somebody_elses_unless_it_is_claimed(void **state)
{
	const struct listener_options options = {.mode = 0640};
	struct fixture f;
	struct stat st;
	char path[] = "/tmp/adit-adopted-XXXXXX";

	(void)state;
	begin(&f);
	close(mkstemp(path));
	unlink(path);
	listener_free(adopt_path(&f, path));
	assert_int_equal(stat(path, &st), 0);
	unlink(path);

	f.listener = adopt_path(&f, path);
	assert_int_equal(listener_claim(f.listener, path, &options, &f.err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	listener_free(f.listener);
	assert_int_equal(stat(path, &st), -1);

	/* without its file nobody can come; and this is another one's */
	f.listener = adopt_path(&f, path);
	assert_int_equal(
	    listener_claim(f.listener, "/tmp/adit-another", &options, NULL), ERR_LOCAL);
	unlink(path);
	assert_int_equal(listener_claim(f.listener, path, &options, &f.err), ERR_LOCAL);
	finish(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_port_0_says_where_it_listens),
	    cmocka_unit_test(test_every_address_means_both_families_on_one_port),
	    cmocka_unit_test(test_what_is_in_use_or_not_ours_is_refused),
	    cmocka_unit_test(test_a_unix_socket_has_its_mode_and_goes_with_the_listener),
	    cmocka_unit_test(test_owner_and_group_by_name_and_number),
	    cmocka_unit_test(test_mode_and_owner_are_in_force_before_anybody_can_connect),
	    cmocka_unit_test(test_a_stale_socket_is_replaced),
	    cmocka_unit_test(test_a_living_socket_is_left_alone),
	    cmocka_unit_test(test_a_living_socket_with_a_full_queue_is_left_alone),
	    cmocka_unit_test(test_a_file_that_is_no_socket_is_left_alone),
	    cmocka_unit_test(test_only_its_own_file_is_removed),
	    cmocka_unit_test(test_a_folder_that_is_not_there_is_an_error),
	    cmocka_unit_test(test_paused_means_who_comes_waits),
	    cmocka_unit_test(test_it_can_be_freed_in_the_callback),
	    cmocka_unit_test(test_without_descriptors_it_waits_says_so_once_and_goes_on),
	    cmocka_unit_test(test_a_shortage_that_goes_on_is_said_once),
	    cmocka_unit_test(test_who_leaves_a_reserve_pauses_before_the_last_descriptor),
	    cmocka_unit_test(test_a_pause_in_a_shortage_is_waited_out),
	    cmocka_unit_test(test_more_clients_than_one_pass_takes),
	    cmocka_unit_test(test_an_adopted_one_accepts),
	    cmocka_unit_test(test_an_adopted_path_is_somebody_elses_unless_it_is_claimed),
	    cmocka_unit_test(test_only_listening_stream_sockets_are_adopted),
	};

	return cmocka_run_group_tests_name("net/listener", tests, NULL, NULL);
}
