#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/account.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/descriptors.h"
#include "net/sockopt.h"

enum { ACCEPTS_A_PASS = 64, EXHAUSTED_PAUSE_MS = 100, SAME_PORT_TRIES = 16, DEFAULT_MODE = 0600 };

struct watch {
	struct listener *listener;
	int fd;
	struct event event;
};

struct listener {
	struct loop *loop;
	const struct log_context *log;
	listener_callback *on_accept;
	void *arg;
	struct watch watches[LISTENER_FDS_MAX];
	size_t count;
	struct addr addr;
	struct timer retry; /* runs while descriptors are short, unless it ran out in a pause */
	/* Said so, and not yet that it is over; nothing is watched while it waits. */
	enum { SHORTAGE_NONE, SHORTAGE_WAITING, SHORTAGE_TRYING } shortage;
	bool leaves_reserve;
	bool paused;
	bool freed;
	/* The file of our own Unix socket; path NULL: there is none. */
	char *path;
	dev_t device;
	ino_t inode;
};

/* ---- accepting ---- */

static void watch_all(struct listener *l)
{
	for (size_t i = 0; i < l->count; i++)
		event_add(&l->watches[i].event, NULL);
}

static void unwatch_all(struct listener *l)
{
	for (size_t i = 0; i < l->count; i++)
		event_del(&l->watches[i].event);
}

static const char *listener_text(const struct listener *l, char text[ADDR_TEXT_MAX])
{
	return addr_text(&l->addr, text);
}

/* Nobody is refused: who comes waits in the kernel's queue. */
static void wait_for_descriptors(struct listener *l, int error)
{
	char text[ADDR_TEXT_MAX];

	if (l->shortage == SHORTAGE_NONE)
		log_warning(l->log, "listener-paused", "listen=%s reason=%s",
		    listener_text(l, text), strerror(error));
	l->shortage = SHORTAGE_WAITING;
	unwatch_all(l);
	timer_start(&l->retry, EXHAUSTED_PAUSE_MS);
}

static void shortage_is_over(struct listener *l)
{
	char text[ADDR_TEXT_MAX];

	l->shortage = SHORTAGE_NONE;
	log_info(l->log, "listener-resumed", "listen=%s", listener_text(l, text));
}

static void try_again(struct listener *l)
{
	l->shortage = SHORTAGE_TRYING;
	watch_all(l);
	timer_start(&l->retry, EXHAUSTED_PAUSE_MS);
}

/* While descriptors are short each one that comes back is taken at once, and the next is missed: the shortage is over, and said
 * to be, when accepting went well for as long as it was stopped before. */
static void on_retry(void *arg)
{
	struct listener *l = arg;

	if (l->paused)
		return; /* nothing can be tried; listener_resume() does */
	if (l->shortage == SHORTAGE_TRYING)
		shortage_is_over(l);
	else if (l->leaves_reserve && descriptors_are_short())
		timer_start(&l->retry, EXHAUSTED_PAUSE_MS);
	else
		try_again(l);
}

/* Errors of one connection that was gone before we took it (accept(2) lists them), as opposed to ours. */
static bool is_of_the_client(int error)
{
	switch (error) {
	case EINTR:
	case ECONNABORTED:
	case EPROTO:
	case EPERM: /* a firewall rule */
	case ENETDOWN:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case ENONET:
	case EHOSTUNREACH:
	case EOPNOTSUPP:
	case ENETUNREACH:
	case ETIMEDOUT:
		return true;
	default:
		return false;
	}
}

/* Returns false when there is nothing more to take now. */
static bool accept_one(struct watch *watch)
{
	struct listener *l = watch->listener;
	struct addr peer = {.length = sizeof(peer.storage)};
	int fd = accept4(watch->fd, &peer.sa, &peer.length, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0) {
		int error = errno;

		if (is_of_the_client(error))
			return true;
		if (error != EAGAIN)
			wait_for_descriptors(l, error);
		return false;
	}
	bool is_last = l->leaves_reserve && descriptors_is_reserved(fd);
	l->on_accept(l->arg, fd, &peer);
	if (l->freed || l->paused)
		return false;
	if (is_last)
		wait_for_descriptors(l, EMFILE);
	return !is_last;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = ((struct watch *)arg)->listener;

	(void)fd;
	(void)what;
	/* Others may have come as far as the reserve: then not even one is taken here. */
	if (l->leaves_reserve && descriptors_were_short() && descriptors_are_short()) {
		wait_for_descriptors(l, EMFILE);
		return;
	}
	/* The event is level-triggered: what the budget leaves is told again. */
	for (int i = 0; i < ACCEPTS_A_PASS && accept_one(arg); i++)
		;
}

/* ---- TCP ---- */

static int set_on(int fd, int level, int option)
{
	int on = 1;

	return setsockopt(fd, level, option, &on, sizeof(on));
}

/* Gives the descriptor, or -1 and errno. Not listening yet. */
static int bind_tcp(const struct addr *at)
{
	int fd = sockopt_stream_socket(at->sa.sa_family), error;

	if (fd < 0)
		return -1;
	if (addr_is_loopback(at))
		sockopt_do_not_pace(fd); /* for those that it accepts, too */
	if (set_on(fd, SOL_SOCKET, SO_REUSEADDR) == 0 &&
	    (at->sa.sa_family != AF_INET6 || set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY) == 0) &&
	    bind(fd, &at->sa, at->length) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static int bind_error(struct err *e, int error, const struct addr *at)
{
	char text[ADDR_TEXT_MAX];

	addr_text(at, text);
	if (error == EADDRNOTAVAIL)
		return err_set(e, ERR_CONFIG, "%s is not an address of this machine", text);
	return err_set_errno(e, ERR_LOCAL, error, "listening on %s", text);
}

static void add_fd(struct listener *l, int fd)
{
	struct watch *watch = &l->watches[l->count++];

	watch->listener = l;
	watch->fd = fd;
	event_assign(
	    &watch->event, loop_base(l->loop), fd, EV_READ | EV_PERSIST, on_readable, watch);
}

static uint16_t bound_port(int fd)
{
	struct addr own = {.length = sizeof(own.storage)};

	return getsockname(fd, &own.sa, &own.length) ? 0 : addr_port(&own);
}

static bool family_is_missing(int error)
{
	return error == EAFNOSUPPORT || error == EADDRNOTAVAIL;
}

/* One family may be missing on this machine, but not both. */
static int bind_both(
    struct listener *l, const char *ipv4, const char *ipv6, uint16_t port, struct err *e)
{
	struct addr at4, at6;
	int fd4, fd6, error = 0;

	for (int i = 0; i < SAME_PORT_TRIES; i++) {
		if (!addr_from_literal(ipv4, port, &at4))
			return err_set(e, ERR_LOCAL, "not an address: %s", ipv4);
		fd4 = bind_tcp(&at4);
		if (fd4 < 0 && !family_is_missing(errno))
			return bind_error(e, errno, &at4);
		/* For port 0: the same one in both. */
		if (!addr_from_literal(ipv6, fd4 < 0 ? port : bound_port(fd4), &at6))
			return err_set(e, ERR_LOCAL, "not an address: %s", ipv6);
		fd6 = bind_tcp(&at6);
		error = errno;
		if (fd6 >= 0 || (fd4 >= 0 && family_is_missing(error))) {
			if (fd4 >= 0)
				add_fd(l, fd4);
			if (fd6 >= 0)
				add_fd(l, fd6);
			return 0;
		}
		if (fd4 >= 0)
			close(fd4);
		if (port || error != EADDRINUSE)
			break;
	}
	return bind_error(e, error, &at6);
}

static int bind_host(struct listener *l, const struct endpoint *at, struct err *e)
{
	const char *host = at->host ? at->host : "";
	struct addr a;
	int fd;

	if (*host == '\0' || strcmp(host, "*") == 0)
		return bind_both(l, "0.0.0.0", "::", at->port, e);
	if (strcasecmp(host, "localhost") == 0)
		return bind_both(l, "127.0.0.1", "::1", at->port, e);
	if (!addr_from_literal(host, at->port, &a))
		return err_set(e, ERR_CONFIG, "not an address to listen on: %s", host);
	fd = bind_tcp(&a);
	if (fd < 0)
		return bind_error(e, errno, &a);
	add_fd(l, fd);
	return 0;
}

/* ---- Unix ---- */

/* Whether somebody answers there: 0 yes, else an errno. */
static int try_to_connect(const struct addr *at)
{
	int fd = sockopt_stream_socket(AF_UNIX), error;

	if (fd < 0)
		return errno;
	error = connect(fd, &at->sa, at->length) ? errno : 0;
	close(fd);
	/* A full queue is somebody's. */
	return error == EAGAIN || error == EINPROGRESS ? 0 : error;
}

static int remove_if_stale(const char *path, const struct addr *at, struct err *e)
{
	struct stat st;

	if (lstat(path, &st)) {
		if (errno == ENOENT)
			return 0;
		return err_set_errno(e, ERR_LOCAL, errno, "listening on %s", path);
	}
	if (!S_ISSOCK(st.st_mode))
		return err_set(
		    e, ERR_LOCAL, "listening on %s: there is a file that is not a socket", path);

	int error = try_to_connect(at);

	switch (error) {
	case 0:
		return err_set(
		    e, ERR_LOCAL, "listening on %s: somebody listens there already", path);
	case ENOENT:
		return 0;
	case ECONNREFUSED:
		if (unlink(path) && errno != ENOENT)
			return err_set_errno(
			    e, ERR_LOCAL, errno, "removing the old socket %s", path);
		return 0;
	default:
		return err_set_errno(e, ERR_LOCAL, error, "trying who listens on %s", path);
	}
}

/* Who may connect. Nobody can before listen(). */
static int set_access(const char *path, const struct listener_options *options, struct err *e)
{
	uid_t uid = (uid_t)-1;
	gid_t gid = (gid_t)-1;

	if (options->owner && !account_find_user(options->owner, &uid))
		return err_set(e, ERR_CONFIG, "no such user: %s", options->owner);
	if (options->group && !account_find_group(options->group, &gid))
		return err_set(e, ERR_CONFIG, "no such group: %s", options->group);
	if ((options->owner || options->group) && lchown(path, uid, gid))
		return err_set_errno(e, ERR_LOCAL, errno, "giving %s to its owner", path);
	if (chmod(path, options->mode ? options->mode : DEFAULT_MODE))
		return err_set_errno(e, ERR_LOCAL, errno, "setting the mode of %s", path);
	return 0;
}

static int own_file(
    struct listener *l, const char *path, const struct listener_options *options, struct err *e)
{
	struct stat st;

	if (lstat(path, &st))
		return err_set_errno(e, ERR_LOCAL, errno, "listening on %s", path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(
		    e, ERR_LOCAL, "listening on %s: there is a file that is not a socket", path);
	l->path = mem_strdup(path);
	l->device = st.st_dev;
	l->inode = st.st_ino;
	return set_access(path, options, e);
}

static int bind_path(
    struct listener *l, const char *path, const struct listener_options *options, struct err *e)
{
	struct addr at;
	int r = addr_from_path(path, &at, e), fd;

	if (r < 0 || (r = remove_if_stale(path, &at, e)) < 0)
		return r;
	fd = sockopt_stream_socket(AF_UNIX);
	if (fd < 0)
		return err_set_errno(e, ERR_LOCAL, errno, "listening on %s", path);
	add_fd(l, fd);
	if (bind(fd, &at.sa, at.length))
		return err_set_errno(e, ERR_LOCAL, errno, "listening on %s", path);
	return own_file(l, path, options, e);
}

int listener_claim(
    struct listener *l, const char *path, const struct listener_options *options, struct err *e)
{
	struct addr at;

	if (addr_from_path(path, &at, e) < 0)
		return e->class;
	if (!addr_equal(&l->addr, &at))
		return err_set(e, ERR_LOCAL, "the socket is not that of %s", path);
	return own_file(l, path, options, e);
}

/* Somebody else may have put his own in its place. */
static bool is_file(const char *path, dev_t device, ino_t inode)
{
	struct stat st;

	return path && lstat(path, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

static bool has_own_file(const struct listener *l)
{
	return is_file(l->path, l->device, l->inode);
}

bool listener_can_be_reached(const struct listener *l)
{
	return !l->path || has_own_file(l);
}

static void remove_own_file(struct listener *l)
{
	if (has_own_file(l))
		(void)unlink(l->path);
}

int listener_set_mode(struct listener *l, mode_t mode, struct err *e)
{
	if (!has_own_file(l) || chmod(l->path, mode ? mode : DEFAULT_MODE) == 0)
		return 0;
	return err_set_errno(e, ERR_LOCAL, errno, "setting the mode of %s", l->path);
}

/* ---- from outside ---- */

static const struct listener_options no_options;

static struct listener *listener_bare(struct loop *loop, const struct listener_options *options,
    listener_callback *on_accept, void *arg)
{
	struct listener *l = NEW(struct listener);

	l->loop = loop;
	l->log = options->log;
	l->leaves_reserve = options->leaves_reserve;
	l->on_accept = on_accept;
	l->arg = arg;
	timer_init(&l->retry, loop, on_retry, l);
	return l;
}

static int listen_all(struct listener *l, struct err *e)
{
	for (size_t i = 0; i < l->count; i++) {
		char text[ADDR_TEXT_MAX];

		l->addr.length = sizeof(l->addr.storage);
		if (getsockname(l->watches[i].fd, &l->addr.sa, &l->addr.length) == 0 &&
		    listen(l->watches[i].fd, SOMAXCONN) == 0)
			continue;

		int error = errno;

		return err_set_errno(
		    e, ERR_LOCAL, error, "listening on %s", listener_text(l, text));
	}
	l->addr.length = sizeof(l->addr.storage);
	(void)getsockname(l->watches[0].fd, &l->addr.sa, &l->addr.length);
	return 0;
}

struct listener *listener_new(struct loop *loop, const struct endpoint *at,
    const struct listener_options *options, listener_callback *on_accept, void *arg, struct err *e)
{
	const struct listener_options *o = options ? options : &no_options;
	struct listener *l = listener_bare(loop, o, on_accept, arg);
	int r = at->path ? bind_path(l, at->path, o, e) : bind_host(l, at, e);

	if (r == 0)
		r = listen_all(l, e);
	if (r < 0) {
		listener_free(l);
		return NULL;
	}
	watch_all(l);
	return l;
}

static int option_of(int fd, int option)
{
	int value = 0;
	socklen_t n = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &n) ? -1 : value;
}

/* What bind_tcp() sets on those of our own. */
static void tune_adopted(int fd)
{
	struct addr at = {.length = sizeof(at.storage)};

	sockopt_set_nodelay(fd);
	if (getsockname(fd, &at.sa, &at.length) == 0 && addr_is_loopback(&at))
		sockopt_do_not_pace(fd);
}

static int check_adopted(int fd, struct err *e)
{
	int family = option_of(fd, SO_DOMAIN);

	if (option_of(fd, SO_TYPE) != SOCK_STREAM || option_of(fd, SO_ACCEPTCONN) != 1)
		return err_set(e, ERR_LOCAL, "not a listening stream socket");
	if (family != AF_INET && family != AF_INET6 && family != AF_UNIX)
		return err_set(e, ERR_LOCAL, "neither a TCP nor a Unix socket");
	if (sockopt_make_ours(fd))
		return err_set_errno(e, ERR_LOCAL, errno, "fcntl");
	if (family != AF_UNIX)
		tune_adopted(fd);
	return 0;
}

struct listener *listener_adopt(struct loop *loop, const int *fds, size_t count,
    const struct listener_options *options, listener_callback *on_accept, void *arg, struct err *e)
{
	struct listener *l = listener_bare(loop, options ? options : &no_options, on_accept, arg);
	int r = 0;

	if (count == 0 || count > LISTENER_FDS_MAX)
		r = err_set(e, ERR_LOCAL, "%zu descriptors for one listener, not 1 to %d", count,
		    LISTENER_FDS_MAX);
	for (size_t i = 0; i < count; i++) {
		if (r == 0)
			r = check_adopted(fds[i], e);
		if (r == 0)
			add_fd(l, fds[i]);
		else
			close(fds[i]);
	}
	if (r < 0) {
		listener_free(l);
		return NULL;
	}
	l->addr.length = sizeof(l->addr.storage);
	(void)getsockname(fds[0], &l->addr.sa, &l->addr.length);
	watch_all(l);
	return l;
}

void listener_free(struct listener *l)
{
	if (!l)
		return;
	l->freed = true;
	timer_stop(&l->retry);
	unwatch_all(l);
	remove_own_file(l);
	for (size_t i = 0; i < l->count; i++)
		close(l->watches[i].fd);
	l->count = 0;
	free(l->path);
	l->path = NULL;
	loop_bury(l->loop, free, l);
}

void listener_pause(struct listener *l)
{
	l->paused = true;
	unwatch_all(l);
}

void listener_resume(struct listener *l)
{
	l->paused = false;
	if (l->shortage != SHORTAGE_NONE && !timer_is_running(&l->retry))
		try_again(l);
	else if (l->shortage != SHORTAGE_WAITING)
		watch_all(l);
}

const struct addr *listener_addr(const struct listener *l)
{
	return &l->addr;
}

size_t listener_fds(const struct listener *l, int ret_fds[LISTENER_FDS_MAX])
{
	for (size_t i = 0; i < l->count; i++)
		ret_fds[i] = l->watches[i].fd;
	return l->count;
}

void listener_hand_over(struct listener *l, struct listener_legacy *ret)
{
	*ret = (struct listener_legacy){0};
	for (size_t i = 0; i < l->count; i++) {
		ret->fds[i] = fcntl(l->watches[i].fd, F_DUPFD_CLOEXEC, 3);
		if (ret->fds[i] < 0) {
			listener_legacy_drop(ret);
			return;
		}
		ret->count++;
	}
	ret->path = l->path;
	ret->device = l->device;
	ret->inode = l->inode;
	l->path = NULL;
}

void listener_legacy_drop(struct listener_legacy *legacy)
{
	for (size_t i = 0; i < legacy->count; i++)
		close(legacy->fds[i]);
	if (is_file(legacy->path, legacy->device, legacy->inode))
		(void)unlink(legacy->path);
	listener_legacy_clear(legacy);
}

void listener_legacy_clear(struct listener_legacy *legacy)
{
	free(legacy->path);
	*legacy = (struct listener_legacy){0};
}
