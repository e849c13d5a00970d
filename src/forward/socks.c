/*
 * Each message is parsed from its first byte whenever more has come: they are short, and so there is one straight line a
 * message and no state but which message is next. A reader that ran out of input only says "more".
 */
#include "forward/socks.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "forward/http_connect.h"
#include "ssh/channel.h"

enum {
	COMMAND_CONNECT = 1,
	METHOD_NONE = 0x00,
	METHOD_UNACCEPTABLE = 0xff,
	ADDRESS_IPV4 = 1,
	ADDRESS_NAME = 3,
	ADDRESS_IPV6 = 4,
	SOCKS4_GRANTED = 0x5a,
	SOCKS4_REJECTED = 0x5b
};

static enum socks_progress bad(struct socks *s, const char *why)
{
	s->why = why;
	return SOCKS_BAD;
}

/* Refuses a request that was understood. */
static enum socks_progress refuse(
    struct socks *s, enum socks_reply reply, const char *why, struct wr *answer)
{
	socks_answer(s, reply, answer);
	return bad(s, why);
}

static uint16_t rd_port(struct rd *r)
{
	uint16_t high = rd_u8(r);

	return (uint16_t)(high << 8 | rd_u8(r));
}

static void set_host_from_address(struct socks *s, int family, struct span bytes)
{
	static_assert(sizeof(s->host) >= INET6_ADDRSTRLEN, "an address fits");
	inet_ntop(family, bytes.p, s->host, sizeof(s->host));
}

bool socks_set_host(struct socks *s, struct span name)
{
	if (name.n == 0 || name.n > SOCKS_STRING_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] > '~')
			return false;
	memcpy(s->host, name.p, name.n);
	s->host[name.n] = '\0';
	return true;
}

static size_t used(struct span input, const struct rd *r)
{
	return input.n - rd_left(r);
}

/* ---- SOCKS 4 and 4a ---- */

/* A string that ends with a NUL. Longer than the limit: SOCKS_BAD. */
static enum socks_progress rd_terminated(struct rd *r, struct span *ret_text)
{
	size_t n = rd_left(r);
	const uint8_t *nul = n ? memchr(r->p, 0, n) : NULL;

	if ((nul ? (size_t)(nul - r->p) : n) > SOCKS_STRING_MAX)
		return SOCKS_BAD;
	if (!nul)
		return SOCKS_MORE;
	*ret_text = rd_bytes(r, (size_t)(nul - r->p));
	rd_u8(r);
	return SOCKS_ASKED;
}

/* "0.0.0.x, x not 0" announces a name (SOCKS 4a). */
static bool is_name_follows(struct span ip)
{
	return ip.p[0] == 0 && ip.p[1] == 0 && ip.p[2] == 0 && ip.p[3] != 0;
}

static enum socks_progress parse_socks4(
    struct socks *s, struct span input, size_t *ret_used, struct wr *answer)
{
	struct rd r;
	struct span user, name = {0};
	enum socks_progress progress;

	rd_init(&r, input);
	rd_u8(&r);
	uint8_t command = rd_u8(&r);
	uint16_t port = rd_port(&r);
	struct span ip = rd_bytes(&r, 4);

	if (!rd_ok(&r))
		return SOCKS_MORE;
	progress = rd_terminated(&r, &user);
	if (progress == SOCKS_ASKED && is_name_follows(ip))
		progress = rd_terminated(&r, &name);
	if (progress == SOCKS_MORE)
		return SOCKS_MORE;
	*ret_used = used(input, &r);
	if (progress == SOCKS_BAD)
		return refuse(s, SOCKS_FAILED, "a string of the SOCKS request is too long", answer);
	if (command != COMMAND_CONNECT)
		return refuse(s, SOCKS_COMMAND_UNSUPPORTED, "not a CONNECT request", answer);
	if (!is_name_follows(ip))
		set_host_from_address(s, AF_INET, ip);
	else if (!socks_set_host(s, name))
		return refuse(s, SOCKS_FAILED, "not a host name", answer);
	if (port == 0)
		return refuse(s, SOCKS_FAILED, "port 0", answer);
	s->port = port;
	return SOCKS_ASKED;
}

static void answer_socks4(enum socks_reply reply, struct wr *answer)
{
	wr_u8(answer, 0);
	wr_u8(answer, reply == SOCKS_GRANTED ? SOCKS4_GRANTED : SOCKS4_REJECTED);
	wr_bytes(answer, (const uint8_t[6]){0}, 6); /* port and address: of no use with CONNECT */
}

/* ---- SOCKS 5 ---- */

static enum socks_progress parse_greeting(
    struct socks *s, struct span input, size_t *ret_used, struct wr *answer)
{
	struct rd r;

	rd_init(&r, input);
	rd_u8(&r);
	struct span methods = rd_bytes(&r, rd_u8(&r));

	if (!rd_ok(&r))
		return SOCKS_MORE;
	*ret_used = used(input, &r);
	wr_u8(answer, 5);
	if (methods.n && memchr(methods.p, METHOD_NONE, methods.n)) {
		wr_u8(answer, METHOD_NONE);
		s->greeted = true;
		return SOCKS_MORE;
	}
	wr_u8(answer, METHOD_UNACCEPTABLE);
	return bad(s, "the SOCKS client insists on a login, and there is none");
}

/* The request's DST.ADDR (RFC 1928 §5). Views into the input; SOCKS_BAD for a type that does not exist. */
static enum socks_progress rd_destination(struct rd *r, uint8_t *ret_type, struct span *ret_bytes)
{
	*ret_type = rd_u8(r);
	if (!rd_ok(r))
		return SOCKS_MORE;
	if (*ret_type == ADDRESS_IPV4)
		*ret_bytes = rd_bytes(r, 4);
	else if (*ret_type == ADDRESS_IPV6)
		*ret_bytes = rd_bytes(r, 16);
	else if (*ret_type == ADDRESS_NAME)
		*ret_bytes = rd_bytes(r, rd_u8(r));
	else
		return SOCKS_BAD;
	return rd_ok(r) ? SOCKS_ASKED : SOCKS_MORE;
}

static enum socks_progress parse_socks5(
    struct socks *s, struct span input, size_t *ret_used, struct wr *answer)
{
	struct rd r;
	uint8_t type;
	struct span destination = {0};

	rd_init(&r, input);
	uint8_t version = rd_u8(&r);
	uint8_t command = rd_u8(&r);

	if (rd_ok(&r) && version != 5)
		return refuse(s, SOCKS_FAILED, "not a SOCKS 5 request", answer);
	rd_u8(&r); /* RSV */
	enum socks_progress progress = rd_destination(&r, &type, &destination);

	if (progress == SOCKS_BAD)
		return refuse(s, SOCKS_ADDRESS_UNSUPPORTED, "an unknown type of address", answer);
	uint16_t port = rd_port(&r);

	if (!rd_ok(&r))
		return SOCKS_MORE;
	*ret_used = used(input, &r);
	if (command != COMMAND_CONNECT)
		return refuse(s, SOCKS_COMMAND_UNSUPPORTED, "not a CONNECT request", answer);
	if (type != ADDRESS_NAME)
		set_host_from_address(s, type == ADDRESS_IPV4 ? AF_INET : AF_INET6, destination);
	else if (!socks_set_host(s, destination))
		return refuse(s, SOCKS_FAILED, "not a host name", answer);
	if (port == 0)
		return refuse(s, SOCKS_FAILED, "port 0", answer);
	s->port = port;
	return SOCKS_ASKED;
}

static void answer_socks5(enum socks_reply reply, struct wr *answer)
{
	wr_u8(answer, 5);
	wr_u8(answer, (uint8_t)reply);
	wr_u8(answer, 0);
	wr_u8(answer, ADDRESS_IPV4);
	wr_bytes(answer, (const uint8_t[6]){0}, 6); /* BND: 0.0.0.0:0, which SSH does not tell us */
}

/* ---- all of them ---- */

static enum socks_protocol protocol_of(uint8_t first)
{
	if (first == 4)
		return SOCKS_4;
	if (first == 5)
		return SOCKS_5;
	return first >= 'A' && first <= 'Z' ? SOCKS_HTTP : SOCKS_UNKNOWN;
}

/* One message. */
static enum socks_progress parse_next(
    struct socks *s, struct span input, size_t *ret_used, struct wr *answer)
{
	switch (s->protocol) {
	case SOCKS_4:
		return parse_socks4(s, input, ret_used, answer);
	case SOCKS_5:
		if (!s->greeted)
			return parse_greeting(s, input, ret_used, answer);
		return parse_socks5(s, input, ret_used, answer);
	case SOCKS_HTTP:
		return http_connect_parse(s, input, ret_used, answer);
	case SOCKS_UNKNOWN:
		break;
	}
	return bad(s, "neither SOCKS nor HTTP CONNECT");
}

enum socks_progress socks_parse(
    struct socks *s, struct span input, size_t *ret_used, struct wr *answer)
{
	enum socks_progress progress = SOCKS_MORE;
	size_t taken;

	*ret_used = 0;
	if (input.n == 0)
		return SOCKS_MORE;
	if (s->protocol == SOCKS_UNKNOWN)
		s->protocol = protocol_of(input.p[0]);
	/* A client need not wait for our choice of a method: the request may stand right behind its greeting. */
	do {
		taken = 0;
		progress = parse_next(s, input, &taken, answer);
		*ret_used += taken;
		input = SPAN(input.p + taken, input.n - taken);
	} while (progress == SOCKS_MORE && taken > 0 && input.n > 0);
	return progress;
}

void socks_answer(const struct socks *s, enum socks_reply reply, struct wr *answer)
{
	switch (s->protocol) {
	case SOCKS_4:
		answer_socks4(reply, answer);
		return;
	case SOCKS_5:
		answer_socks5(reply, answer);
		return;
	case SOCKS_HTTP:
		http_connect_answer(reply, answer);
		return;
	case SOCKS_UNKNOWN:
		return;
	}
}

/* ---- reasons ---- */

static bool has_word(struct span text, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= text.n; i++)
		if (strncasecmp((const char *)text.p + i, word, n) == 0)
			return true;
	return false;
}

/* Servers say in words why a connection failed, their system's words mostly. No words, or others: refused. */
static enum socks_reply reply_for_words(struct span text)
{
	static const char *const no_network[] = {
	    "network is unreachable", "network unreachable", "network is down"};
	static const char *const no_host[] = {"unreachable", "no route", "timed out", "timeout",
	    "not known", "no address", "resolv", "no such name", "no such host", "unknown host",
	    "name servers", "host is down"};

	for (size_t i = 0; i < ARRAY_LEN(no_network); i++)
		if (has_word(text, no_network[i]))
			return SOCKS_NETWORK_UNREACHABLE;
	for (size_t i = 0; i < ARRAY_LEN(no_host); i++)
		if (has_word(text, no_host[i]))
			return SOCKS_HOST_UNREACHABLE;
	return SOCKS_CONNECTION_REFUSED;
}

enum socks_reply socks_reply_for(uint32_t open_failure, struct span text)
{
	switch (open_failure) {
	case OPEN_ADMINISTRATIVELY_PROHIBITED:
		return SOCKS_NOT_ALLOWED;
	case OPEN_CONNECT_FAILED:
		return reply_for_words(text);
	case OPEN_UNKNOWN_CHANNEL_TYPE:
		return SOCKS_COMMAND_UNSUPPORTED;
	default:
		return SOCKS_FAILED;
	}
}
