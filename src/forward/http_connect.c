/*
 * HTTP CONNECT. Only the request line matters to a tunnel; the header fields are for proxies that do more.
 */
#include "forward/http_connect.h"

#include <string.h>

#include "base/str.h"

static const char method[] = "CONNECT ";

static void add_status(struct wr *answer, const char *status, const char *fields)
{
	struct strbuf b = {0};

	strbuf_addf(&b, "HTTP/1.1 %s\r\n%s\r\n", status, fields);
	wr_bytes(answer, b.text, b.n);
	strbuf_clear(&b);
}

static enum socks_progress refuse(
    struct socks *s, const char *status, const char *fields, const char *why, struct wr *answer)
{
	add_status(answer, status, fields);
	s->why = why;
	return SOCKS_BAD;
}

#define NO_BODY "Content-Length: 0\r\nConnection: close\r\n"

/* The length of the head with its empty line; 0 while that has not come. */
static size_t head_length(struct span input)
{
	const uint8_t *end = memmem(input.p, input.n, "\r\n\r\n", 4);

	return end ? (size_t)(end - input.p) + 4 : 0;
}

static struct span request_line(struct span head)
{
	const uint8_t *end = memmem(head.p, head.n, "\r\n", 2);

	return SPAN(head.p, (size_t)(end - head.p));
}

static bool begins_with(struct span s, const char *text)
{
	size_t n = strlen(text);

	return s.n >= n && memcmp(s.p, text, n) == 0;
}

static bool is_version(struct span s)
{
	return span_is(s, "HTTP/1.1") || span_is(s, "HTTP/1.0");
}

static bool set_port(struct socks *s, struct span digits)
{
	char text[8];
	uint64_t port;

	if (digits.n >= sizeof(text))
		return false;
	memcpy(text, digits.p, digits.n);
	text[digits.n] = '\0';
	if (!str_to_u64(text, 1, 65535, &port))
		return false;
	s->port = (uint16_t)port;
	return true;
}

/* "host:port" or "[address]:port" (RFC 9112 §3.2.3). */
static bool set_authority(struct socks *s, struct span authority)
{
	const uint8_t *colon = authority.n ? memrchr(authority.p, ':', authority.n) : NULL;

	if (!colon)
		return false;
	struct span host = SPAN(authority.p, (size_t)(colon - authority.p));
	struct span port = SPAN(colon + 1, (size_t)(authority.p + authority.n - colon - 1));

	if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = SPAN(host.p + 1, host.n - 2);
	else if (memchr(host.p, ':', host.n))
		return false;
	return socks_set_host(s, host) && set_port(s, port);
}

/* "CONNECT authority HTTP/1.1"; the method was seen. */
static bool set_request(struct socks *s, struct span line)
{
	struct span rest = SPAN(line.p + strlen(method), line.n - strlen(method));
	const uint8_t *space = rest.n ? memchr(rest.p, ' ', rest.n) : NULL;

	if (!space || !span_is_text(line))
		return false;
	struct span authority = SPAN(rest.p, (size_t)(space - rest.p));

	return is_version(SPAN(space + 1, rest.n - authority.n - 1)) && set_authority(s, authority);
}

enum socks_progress http_connect_parse(
    struct socks *s, struct span input, size_t *ret_used, struct wr *answer)
{
	size_t n = head_length(
	    SPAN(input.p, input.n < SOCKS_HTTP_HEAD_MAX ? input.n : (size_t)SOCKS_HTTP_HEAD_MAX));

	if (n == 0 && input.n < SOCKS_HTTP_HEAD_MAX)
		return SOCKS_MORE;
	if (n == 0)
		return refuse(s, "431 Request Header Fields Too Large", NO_BODY,
		    "the head of the HTTP request is too long", answer);
	*ret_used = n;
	struct span line = request_line(SPAN(input.p, n));

	if (!begins_with(line, method))
		return refuse(s, "405 Method Not Allowed", "Allow: CONNECT\r\n" NO_BODY,
		    "not a CONNECT request", answer);
	if (!set_request(s, line))
		return refuse(s, "400 Bad Request", NO_BODY, "not an HTTP CONNECT request", answer);
	return SOCKS_ASKED;
}

static const char *status_for(enum socks_reply reply)
{
	switch (reply) {
	case SOCKS_NOT_ALLOWED:
		return "403 Forbidden";
	case SOCKS_HOST_UNREACHABLE:
	case SOCKS_CONNECTION_REFUSED:
		return "502 Bad Gateway";
	case SOCKS_COMMAND_UNSUPPORTED:
	case SOCKS_ADDRESS_UNSUPPORTED:
		return "501 Not Implemented";
	case SOCKS_GRANTED:
	case SOCKS_FAILED:
	case SOCKS_NETWORK_UNREACHABLE:
		break;
	}
	return "503 Service Unavailable";
}

void http_connect_answer(enum socks_reply reply, struct wr *answer)
{
	/* RFC 9110 §9.3.6: a 2xx answer to CONNECT has no Content-Length. */
	if (reply == SOCKS_GRANTED)
		add_status(answer, "200 Connection established", "");
	else
		add_status(answer, status_for(reply), NO_BODY);
}
