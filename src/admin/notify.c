#include "admin/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

enum {
	FIRST_FD = 3,          /* SD_LISTEN_FDS_START */
	INHERITED_MAX = 16384, /* the unit may store 4096, and its socket units add theirs */
	STORE_MAX = 8,         /* descriptors of one listener */
	UNSENT_MAX = 1024,
	RETRY_MS = 200,
	NAME_MAX_IN_STORE = 255
};

#define STORED_PREFIX "listener-"

struct inherited {
	int fd; /* -1: taken */
	char *name;
};

/* What systemd has no room for now. */
struct message {
	struct list node;
	char *text;
	int fds[STORE_MAX]; /* copies */
	size_t count;
};

struct notify {
	struct loop *loop;
	int fd;
	struct sockaddr_un to;
	socklen_t to_length;
	bool ready, reloading;
	char *status;
	struct list unsent; /* in their order */
	size_t unsent_count;
	struct timer retry;
	struct timer watchdog;
	uint64_t watchdog_ms; /* half of what systemd waits for */
	struct inherited *inherited;
	size_t inherited_count;
};

/* ---- sending ---- */

/* False: there is no room for it now. What fails for another reason would fail again. */
static bool send_now(const struct notify *n, const char *text, const int fds[], size_t count)
{
	char control[CMSG_SPACE(sizeof(int) * STORE_MAX)] = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};
	struct msghdr message = {.msg_name = (void *)(uintptr_t)&n->to,
	    .msg_namelen = n->to_length,
	    .msg_iov = &iov,
	    .msg_iovlen = 1};

	if (count) {
		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		struct cmsghdr *c = CMSG_FIRSTHDR(&message);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * count);
	}
	if (sendmsg(n->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
		return true;
	if (errno == EAGAIN || errno == ENOBUFS)
		return false;
	log_debug(NULL, "notify-failed", "reason=%s", strerror(errno));
	return true;
}

static void message_free(struct notify *n, struct message *message)
{
	list_remove(&message->node);
	n->unsent_count--;
	for (size_t i = 0; i < message->count; i++)
		close(message->fds[i]);
	free(message->text);
	free(message);
}

static void send_unsent(void *arg)
{
	struct notify *n = arg;

	LIST_FOREACH(node, &n->unsent)
	{
		struct message *message = CONTAINER_OF(node, struct message, node);

		if (!send_now(n, message->text, message->fds, message->count)) {
			timer_start(&n->retry, RETRY_MS);
			return;
		}
		message_free(n, message);
	}
}

static void keep(struct notify *n, const char *text, const int fds[], size_t count)
{
	if (n->unsent_count == UNSENT_MAX) {
		log_debug(NULL, "notify-failed", "reason=%s", "systemd does not read");
		return;
	}
	struct message *message = NEW(struct message);
	message->text = mem_strdup(text);
	for (size_t i = 0; i < count; i++) {
		message->fds[message->count] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
		message->count += message->fds[message->count] >= 0;
	}
	list_append(&n->unsent, &message->node);
	n->unsent_count++;
	if (!timer_is_running(&n->retry))
		timer_start(&n->retry, RETRY_MS);
}

/* A systemd that stands still does not stop the tunnels; when it goes on it hears all of it. */
static void send_text(struct notify *n, const char *text, const int fds[], size_t count)
{
	if (n->fd < 0)
		return;
	if (!list_empty(&n->unsent) || !send_now(n, text, fds, count))
		keep(n, text, fds, count);
}

/* A timer of the loop: fed exactly as long as the loop turns. */
static void on_watchdog(void *arg)
{
	struct notify *n = arg;

	if (list_empty(&n->unsent)) /* else it would come too late, behind the others */
		send_text(n, "WATCHDOG=1", NULL, 0);
	timer_start(&n->watchdog, n->watchdog_ms);
}

void notify_ready(struct notify *n)
{
	if (n->ready)
		return;
	n->ready = true;
	send_text(n, "READY=1", NULL, 0);
}

void notify_status(struct notify *n, const char *text)
{
	if (n->status && strcmp(n->status, text) == 0)
		return;
	free(n->status);
	n->status = mem_strdup(text);
	char *message = str_format("STATUS=%s", text);
	send_text(n, message, NULL, 0);
	free(message);
}

bool notify_is_heard(const struct notify *n)
{
	return n->fd >= 0;
}

void notify_reloading(struct notify *n)
{
	if (!n->ready)
		return;
	char *message =
	    str_format("RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)clock_now_us());
	send_text(n, message, NULL, 0);
	free(message);
	n->reloading = true;
}

void notify_reloaded(struct notify *n)
{
	if (n->reloading)
		send_text(n, "READY=1", NULL, 0);
	n->reloading = false;
}

void notify_stopping(struct notify *n)
{
	send_text(n, "STOPPING=1", NULL, 0);
}

void notify_extend_timeout(struct notify *n, uint64_t ms)
{
	char *message = str_format("EXTEND_TIMEOUT_USEC=%llu", (unsigned long long)ms * 1000);

	send_text(n, message, NULL, 0);
	free(message);
}

/* The name in the store: systemd takes printable ASCII without colons, at most 255. The prefix tells what we stored from what units
 * pass. NULL when it is too long. Gives. */
static char *stored_name(const char *name)
{
	struct strbuf out = {0};

	strbuf_add(&out, STORED_PREFIX);
	for (; *name; name++) {
		unsigned char c = (unsigned char)*name;

		if (c <= ' ' || c >= 0x7f || c == ':' || c == '%')
			strbuf_addf(&out, "%%%02X", c);
		else
			strbuf_add_n(&out, name, 1);
	}
	if (out.n <= NAME_MAX_IN_STORE)
		return strbuf_take(&out);
	strbuf_clear(&out);
	return NULL;
}

void notify_store_fds(struct notify *n, const char *name, const int fds[], size_t count)
{
	char *stored = stored_name(name);

	if (stored && count > 0 && count <= STORE_MAX) {
		char *message = str_format("FDSTORE=1\nFDPOLL=0\nFDNAME=%s", stored);

		send_text(n, message, fds, count);
		free(message);
	}
	free(stored);
}

static void drop_stored(struct notify *n, const char *stored)
{
	char *message = str_format("FDSTOREREMOVE=1\nFDNAME=%s", stored);

	send_text(n, message, NULL, 0);
	free(message);
}

void notify_drop_fds(struct notify *n, const char *name)
{
	char *stored = stored_name(name);

	if (stored)
		drop_stored(n, stored);
	free(stored);
}

/* ---- what systemd hands us ---- */

static bool is_for_us(const char *pid)
{
	uint64_t number;

	return pid && str_to_u64(pid, 1, INT32_MAX, &number) && (pid_t)number == getpid();
}

static void read_listen_fds(struct notify *n)
{
	const char *count_text = getenv("LISTEN_FDS");
	uint64_t count;

	if (!is_for_us(getenv("LISTEN_PID")) || !count_text ||
	    !str_to_u64(count_text, 1, INT32_MAX, &count))
		return;
	if (count > INHERITED_MAX) {
		log_warning(
		    NULL, "inherited-too-many", "passed=%s taken=%d", count_text, INHERITED_MAX);
		count = INHERITED_MAX;
	}
	const char *names = getenv("LISTEN_FDNAMES");
	n->inherited = mem_array(count, sizeof(*n->inherited));
	n->inherited_count = count;
	for (size_t i = 0; i < count; i++) {
		struct inherited *one = &n->inherited[i];
		size_t length = names ? strcspn(names, ":") : 0;

		one->fd = FIRST_FD + (int)i;
		one->name = mem_strndup(names ? names : "", length);
		if (names)
			names += length + (names[length] == ':');
		fcntl(one->fd, F_SETFD, FD_CLOEXEC);
	}
}

static bool is_stored(const char *name)
{
	return strncmp(name, STORED_PREFIX, sizeof(STORED_PREFIX) - 1) == 0;
}

/* A unit's socket is there as long as the unit is: a listener that is stopped and started gets it again. What was stored is for
 * who comes first. */
static int take_one(struct inherited *one)
{
	int fd = one->fd;

	if (!is_stored(one->name))
		return fcntl(fd, F_DUPFD_CLOEXEC, 0);
	one->fd = -1;
	return fd;
}

static size_t take_named(struct notify *n, const char *name, int fds[], size_t max)
{
	size_t count = 0;

	for (size_t i = 0; i < n->inherited_count && count < max; i++) {
		struct inherited *one = &n->inherited[i];

		if (one->fd < 0 || strcmp(one->name, name) != 0)
			continue;
		fds[count] = take_one(one);
		count += fds[count] >= 0;
	}
	return count;
}

size_t notify_take_fds(struct notify *n, const char *name, int fds[], size_t max)
{
	char *stored = stored_name(name);
	size_t count = take_named(n, name, fds, max);

	if (count == 0 && stored)
		count = take_named(n, stored, fds, max);
	free(stored);
	return count;
}

void notify_drop_leftovers(struct notify *n)
{
	for (size_t i = 0; i < n->inherited_count; i++) {
		struct inherited *one = &n->inherited[i];

		if (one->fd < 0 || !is_stored(one->name))
			continue;
		close(one->fd);
		one->fd = -1;
		drop_stored(n, one->name);
	}
}

/* ---- life ---- */

static void open_socket(struct notify *n)
{
	const char *path = getenv("NOTIFY_SOCKET");

	/* A path, or a name in the abstract namespace. */
	if (!path || (*path != '/' && *path != '@') || strlen(path) >= sizeof(n->to.sun_path))
		return;
	n->to.sun_family = AF_UNIX;
	memcpy(n->to.sun_path, path, strlen(path));
	if (*path == '@')
		n->to.sun_path[0] = '\0';
	n->to_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static void start_watchdog(struct notify *n)
{
	const char *usec_text = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	uint64_t usec;

	if (n->fd < 0 || !usec_text || !str_to_u64(usec_text, 1000, UINT64_MAX, &usec) ||
	    (pid && !is_for_us(pid)))
		return;
	n->watchdog_ms = usec / 2000;
	timer_start(&n->watchdog, n->watchdog_ms);
}

struct notify *notify_new(struct loop *loop)
{
	static const char *const variables[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
	    "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"};
	struct notify *n = NEW(struct notify);

	n->loop = loop;
	n->fd = -1;
	list_init(&n->unsent);
	timer_init(&n->retry, loop, send_unsent, n);
	timer_init(&n->watchdog, loop, on_watchdog, n);
	open_socket(n);
	start_watchdog(n);
	read_listen_fds(n);
	for (size_t i = 0; i < ARRAY_LEN(variables); i++)
		unsetenv(variables[i]);
	return n;
}

void notify_free(struct notify *n)
{
	if (!n)
		return;
	timer_stop(&n->watchdog);
	timer_stop(&n->retry);
	LIST_FOREACH(node, &n->unsent)
	message_free(n, CONTAINER_OF(node, struct message, node));
	for (size_t i = 0; i < n->inherited_count; i++) {
		if (n->inherited[i].fd >= 0)
			close(n->inherited[i].fd);
		free(n->inherited[i].name);
	}
	free(n->inherited);
	free(n->status);
	if (n->fd >= 0)
		close(n->fd);
	free(n);
}
