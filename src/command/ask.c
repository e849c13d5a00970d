#include "command/ask.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/minmax.h"
#include "command/socket_path.h"
#include "net/addr.h"

enum {
	HEAD_MAX = 16 * 1024,
	PATH_MAX_BYTES = 12 * 1024, /* the daemon takes 16 KB of request line and headers */
	PROMPTLY_MS = 30000
};

bool ask_takes_option(struct ask_options *options, int option)
{
	if (option == 'c')
		options->config = optarg;
	else if (option == 's')
		options->socket = optarg;
	else
		return false;
	return true;
}

/* ---- the connection ---- */

static int no_answer(struct err *e)
{
	return err_set(
	    e, ERR_NETWORK, "adit is there, but has not answered for %d s", PROMPTLY_MS / 1000);
}

static int connect_to(const char *path, struct err *e)
{
	struct addr at;
	int result = addr_from_path(path, &at, e);

	if (result)
		return result;
	/* A daemon that is stopped accepts nobody, and then its queue is full. */
	const struct timeval promptly = {.tv_sec = PROMPTLY_MS / 1000};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &promptly, sizeof(promptly));
	if (fd >= 0 && connect(fd, &at.sa, at.length) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	if (errno == EAGAIN)
		return no_answer(e);
	if (errno == EACCES || errno == EPERM)
		return err_set_errno(e, ERR_LOCAL, errno, "the control socket %s", path);
	if (errno == ENOENT)
		return err_set(
		    e, ERR_NETWORK, "no adit is running here: there is no control socket %s", path);
	return err_set_errno(
	    e, ERR_NETWORK, errno, "no adit answers on the control socket %s", path);
}

/* As poll() says it. deadline_ms: clock_now_ms() scale, 0 for none. */
static int wait_until_readable(int fd, uint64_t deadline_ms)
{
	struct pollfd watched = {.fd = fd, .events = POLLIN};
	int ready;

	do {
		uint64_t now = clock_now_ms();
		uint64_t left = deadline_ms > now ? deadline_ms - now : 0;

		ready = poll(&watched, 1, deadline_ms ? (int)min(left, (uint64_t)INT_MAX) : -1);
	} while (ready == 0 && clock_now_ms() < deadline_ms);
	return ready;
}

/* More bytes into buffer; 0 at the end. */
static int read_more(int fd, struct strbuf *buffer, uint64_t deadline_ms, struct err *e)
{
	char bytes[4096];
	int ready = wait_until_readable(fd, deadline_ms);

	if (ready == 0)
		return err_set(e, ERR_TIMEOUT, "timed out");
	ssize_t n = ready < 0 ? -1 : read(fd, bytes, sizeof(bytes));
	if (n < 0)
		return err_set_errno(e, ERR_NETWORK, errno, "reading from the control socket");
	strbuf_add_n(buffer, bytes, (size_t)n);
	return n > 0;
}

static int send_request(int fd, const char *method, const char *path, struct err *e)
{
	/* HTTP/1.0: the answer ends with the connection, and is not chunked. */
	char *text =
	    str_format("%s %s HTTP/1.0\r\nHost: adit\r\nContent-Length: 0\r\n\r\n", method, path);
	size_t length = strlen(text), sent = 0;

	while (sent < length) {
		ssize_t n = send(fd, text + sent, length - sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		sent += (size_t)n;
	}
	free(text);
	return sent == length
		   ? 0
		   : err_set_errno(e, ERR_NETWORK, errno, "writing to the control socket");
}

/* ---- the answer ---- */

struct head {
	int code;
	uint64_t body_bytes; /* 0: it does not say; the answer ends with the connection */
};

static uint64_t length_in(const char *text, size_t n)
{
	static const char field[] = "\r\nContent-Length: ";
	char *lines = mem_strndup(text, n);
	const char *found = strstr(lines, field);
	uint64_t length = found ? strtoull(found + sizeof(field) - 1, NULL, 10) : 0;

	free(lines);
	return length;
}

/* Reads up to the empty line; what follows it stays in buffer. */
static int read_head(
    int fd, struct strbuf *buffer, uint64_t deadline_ms, struct head *ret_head, struct err *e)
{
	const char *end;

	while (!(end = strstr(strbuf_text(buffer), "\r\n\r\n"))) {
		int got = read_more(fd, buffer, deadline_ms, e);

		if (got < 0)
			return got;
		if (got == 0 && buffer->n == 0)
			return err_set(e, ERR_NETWORK, "adit ended before it answered");
		if (got == 0 || buffer->n > HEAD_MAX)
			return err_set(
			    e, ERR_PEER, "what answers on the control socket is not adit");
	}
	if (sscanf(strbuf_text(buffer), "HTTP/1.%*d %d", &ret_head->code) != 1)
		return err_set(e, ERR_PEER, "what answers on the control socket is not adit");
	ret_head->body_bytes = length_in(buffer->text, (size_t)(end - buffer->text));
	char *rest = mem_strdup(end + 4);
	strbuf_clear(buffer);
	strbuf_add(buffer, rest);
	free(rest);
	return 0;
}

/* False: on_line wants no more. */
static bool give_lines(struct strbuf *buffer, ask_line *on_line, void *arg)
{
	const char *start = strbuf_text(buffer), *newline;
	bool more = true;

	while (more && (newline = strchr(start, '\n'))) {
		more = on_line(arg, SPAN(start, (size_t)(newline - start)));
		start = newline + 1;
	}
	char *rest = mem_strdup(start);
	strbuf_clear(buffer);
	strbuf_add(buffer, rest);
	free(rest);
	return more;
}

struct question {
	const struct ask_options *options;
	const char *method, *path;
	uint64_t timeout_ms; /* 0: none */
	ask_line *on_line;   /* or NULL */
	void *arg;
};

static int put(const struct question *q, struct ask_answer *ret_answer, struct err *e)
{
	if (strlen(q->path) > PATH_MAX_BYTES)
		return err_set(
		    e, ERR_LOCAL, "the names are too long; a name may be a pattern with * and ?");
	char *socket_path = socket_path_for_client(q->options->socket, q->options->config, e);
	uint64_t deadline_ms = q->timeout_ms ? clock_now_ms() + q->timeout_ms : 0;
	struct strbuf buffer = {0};
	struct head head = {0};
	int fd = socket_path ? connect_to(socket_path, e) : e->class;
	int result = fd < 0 ? fd : send_request(fd, q->method, q->path, e);

	free(socket_path);
	if (result == 0)
		result = read_head(fd, &buffer, deadline_ms, &head, e);
	if (result == 0) {
		do {
			if (q->on_line && head.code == 200 &&
			    !give_lines(&buffer, q->on_line, q->arg))
				break;
			result = read_more(fd, &buffer, deadline_ms, e);
		} while (result > 0);
		if (result == 0 && buffer.n < head.body_bytes)
			result =
			    err_set(e, ERR_NETWORK, "adit ended before all of its answer had come");
	}
	if (fd >= 0)
		close(fd);
	ret_answer->code = head.code;
	ret_answer->body = buffer;
	return result < 0 ? result : 0;
}

int ask(const struct ask_options *options, const char *method, const char *path,
    struct ask_answer *ret_answer, struct err *e)
{
	const struct question q = {
	    .options = options, .method = method, .path = path, .timeout_ms = PROMPTLY_MS};
	int result = put(&q, ret_answer, e);

	if (result != ERR_TIMEOUT)
		return result;
	err_clear(e);
	return no_answer(e);
}

int ask_patiently(const struct ask_options *options, const char *path, uint64_t timeout_ms,
    ask_line *on_line, void *arg, struct ask_answer *ret_answer, struct err *e)
{
	const struct question q = {.options = options,
	    .method = "GET",
	    .path = path,
	    .timeout_ms = timeout_ms,
	    .on_line = on_line,
	    .arg = arg};

	return put(&q, ret_answer, e);
}

/* What stands for a character behind a backslash; returns how many bytes it took. */
static size_t add_unescaped(struct strbuf *out, const char *text)
{
	static const char letters[] = "bfnrt", meant[] = "\b\f\n\r\t";
	const char *letter = *text ? strchr(letters, *text) : NULL;
	unsigned code;

	if (*text == 'u' && sscanf(text + 1, "%4x", &code) == 1 && strlen(text) > 4) {
		const char utf8[] = {(char)(0xe0 | code >> 12), (char)(0x80 | (code >> 6 & 0x3f)),
		    (char)(0x80 | (code & 0x3f))};
		const char two[] = {(char)(0xc0 | code >> 6), utf8[2]};
		const char one = (char)code;

		if (code < 0x80)
			strbuf_add_n(out, &one, 1);
		else if (code < 0x800)
			strbuf_add_n(out, two, 2);
		else
			strbuf_add_n(out, utf8, 3);
		return 5;
	}
	strbuf_add_n(out, letter ? &meant[letter - letters] : text, 1);
	return *text ? 1 : 0;
}

char *ask_error_text(const char *body)
{
	static const char key[] = "{\"error\":\"";
	struct strbuf words = {0}, printable = {0};

	if (strncmp(body, key, sizeof(key) - 1) != 0)
		return NULL;
	for (body += sizeof(key) - 1; *body && *body != '"';) {
		if (*body == '\\')
			body += 1 + add_unescaped(&words, body + 1);
		else
			strbuf_add_n(&words, body++, 1);
	}
	strbuf_add_printable(&printable, span_of(strbuf_text(&words)));
	strbuf_clear(&words);
	return strbuf_take(&printable);
}

int ask_refused(const struct ask_answer *answer)
{
	char *words = ask_error_text(strbuf_text(&answer->body));

	if (words)
		fprintf(stderr, "adit: %s\n", words);
	else
		fprintf(stderr, "adit: the daemon answered %d\n", answer->code);
	free(words);
	if (answer->code == 504)
		return EXIT_TIMED_OUT;
	return answer->code == 503 ? EXIT_UNAVAILABLE : EXIT_OTHER;
}

/* ---- paths ---- */

void ask_add_encoded(struct strbuf *path, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (isalnum(c) || strchr("-._~", c))
			strbuf_add_n(path, text, 1);
		else
			strbuf_addf(path, "%%%02X", c);
	}
}

void ask_add_names(struct strbuf *path, int count, char *const *names)
{
	for (int i = 0; i < count; i++) {
		strbuf_add(path, strchr(strbuf_text(path), '?') ? "&" : "?");
		strbuf_add(path, "name=");
		ask_add_encoded(path, names[i]);
	}
}
