#include "ssh/ident.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

const char *ident_ours(void)
{
	static char ident[] = "SSH-2.0-adit_" PACKAGE_VERSION;

	/* A minus sign would end the software version (RFC 4253 §4.2). */
	for (char *p = ident + strlen("SSH-2.0-"); *p; p++)
		if (*p == '-')
			*p = '_';
	return ident;
}

/* ---- reading ---- */

/* Quotes at most the first 80 bytes of what the peer said. */
static int refuse(struct err *e, const char *why, struct span said)
{
	struct strbuf text = {0};

	strbuf_add_escaped(&text, SPAN(said.p, said.n < 80 ? said.n : 80));
	int rc = err_set(e, ERR_PEER, "%s: it said \"%s\"", why, strbuf_text(&text));
	strbuf_clear(&text);
	return rc;
}

/* Says at once what needs no more bytes to be seen, since such peers then wait for us until the deadline: TLS records, and
 * binary protocols in general. */
static int check_start(struct span start, struct err *e)
{
	if (span_begins_with(start, "\x15\x03") || span_begins_with(start, "\x16\x03"))
		return refuse(e, "not an SSH server but one for TLS", start);
	if (start.n && memchr(start.p, 0, start.n))
		return refuse(e, "not an SSH server", start);
	return 0;
}

static int check_ident(struct span line, struct err *e)
{
	if (line.n > IDENT_SIZE_MAX - 2)
		return refuse(e, "the identification is too long", line);
	if (!span_is_text(line))
		return refuse(e, "the identification has control characters", line);
	/* 1.99: speaks 1 as well (RFC 4253 §5.1) */
	if (!span_begins_with(line, "SSH-2.0-") && !span_begins_with(line, "SSH-1.99-"))
		return refuse(e, "not protocol version 2.0", line);
	return 0;
}

/* A line before the identification: text for people, unless it shows what the peer is instead. */
static int other_line(struct ident_reader *r, struct span line, struct err *e)
{
	if (span_begins_with(line, "HTTP/"))
		return refuse(e, "not an SSH server but one for HTTP", line);
	if (++r->lines > IDENT_LINES_MAX)
		return refuse(e, "no identification in many lines", line);
	if (r->on_line)
		r->on_line(r->arg, line);
	return 0;
}

/* The next line in whole, without its end, copied to line. 1, 0 when it is not complete, or ERR_PEER. */
static int next_line(
    struct evbuffer *in, uint8_t line[IDENT_LINE_SIZE_MAX], struct span *ret_line, struct err *e)
{
	ev_ssize_t got = evbuffer_copyout(in, line, IDENT_LINE_SIZE_MAX);
	size_t n = got > 0 ? (size_t)got : 0;
	uint8_t *end = memchr(line, '\n', n);
	int rc = check_start(SPAN(line, end ? (size_t)(end - line) : n), e);

	if (rc < 0)
		return rc;
	if (!end)
		return n == IDENT_LINE_SIZE_MAX ? refuse(e, "not an SSH server", SPAN(line, n)) : 0;
	n = (size_t)(end - line);
	evbuffer_drain(in, n + 1);
	/* Old servers end it with LF alone; one CR belongs to the end of the line, not to what is hashed. */
	if (n && line[n - 1] == '\r')
		n--;
	*ret_line = SPAN(line, n);
	return 1;
}

int ident_read(struct ident_reader *r, struct evbuffer *in, char **ret_ident, struct err *e)
{
	uint8_t bytes[IDENT_LINE_SIZE_MAX];
	struct span line;
	int rc;

	while ((rc = next_line(in, bytes, &line, e)) == 1) {
		if (span_begins_with(line, "SSH-")) {
			rc = check_ident(line, e);
			if (rc < 0)
				return rc;
			*ret_ident = span_strdup(line);
			return 1;
		}
		rc = other_line(r, line, e);
		if (rc < 0)
			return rc;
	}
	return rc;
}

/* ---- quirks ---- */

/* "OpenSSH_7.4p1 Debian-10": 704. 0 when there is no such number. */
static unsigned openssh_version(const char *software)
{
	char *end;
	unsigned long major, minor;

	if (strncmp(software, "OpenSSH_", 8) != 0 || software[8] < '0' || software[8] > '9')
		return 0;
	major = strtoul(software + 8, &end, 10);
	minor = *end == '.' && end[1] >= '0' && end[1] <= '9' ? strtoul(end + 1, NULL, 10) : 0;
	return major < 1000 && minor < 100 ? (unsigned)(major * 100 + minor) : 0;
}

unsigned ident_quirks(const char *ident)
{
	const char *software = strncmp(ident, "SSH-1.99-", 9) == 0 ? ident + 9 : ident;
	unsigned quirks = QUIRK_OPENSSH;

	if (strncmp(ident, "SSH-2.0-", 8) == 0)
		software = ident + 8;
	if (strncmp(software, "OpenSSH", 7) != 0)
		return 0;
	unsigned version = openssh_version(software);
	if (version == 0)
		return quirks;
	if (version == 704)
		quirks |= QUIRK_RSA_SHA2_UNSAID;
	if (version < 708)
		quirks |= QUIRK_RSA_CERT_SHA1;
	if (version / 100 == 5)
		quirks |= QUIRK_DYNAMIC_PORT_ZERO;
	return quirks;
}
