#include "net/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static const struct sockaddr_in *ipv4(const struct addr *a)
{
	return (const struct sockaddr_in *)(const void *)&a->storage;
}

static const struct sockaddr_in6 *ipv6(const struct addr *a)
{
	return (const struct sockaddr_in6 *)(const void *)&a->storage;
}

static int family_of(const struct addr *a)
{
	return a->length ? a->sa.sa_family : AF_UNSPEC;
}

/* ---- text ---- */

/* What getsockname() gives need not end with a NUL. */
static size_t unix_name_length(const struct addr *a)
{
	size_t n = a->length - offsetof(struct sockaddr_un, sun_path);

	if (a->length <= offsetof(struct sockaddr_un, sun_path))
		return 0;
	return a->un.sun_path[0] == '\0' ? n : strnlen(a->un.sun_path, n);
}

static const char *unix_text(const struct addr *a, char text[ADDR_TEXT_MAX])
{
	size_t n = unix_name_length(a);

	if (n && a->un.sun_path[0] == '\0')
		snprintf(text, ADDR_TEXT_MAX, "unix:@%.*s", (int)n - 1, a->un.sun_path + 1);
	else
		snprintf(text, ADDR_TEXT_MAX, "unix:%.*s", (int)n, a->un.sun_path);
	return text;
}

static void add_zone(uint32_t scope_id, char text[ADDR_TEXT_MAX])
{
	char name[IF_NAMESIZE];
	size_t n = strlen(text);

	if (if_indextoname(scope_id, name))
		snprintf(text + n, ADDR_TEXT_MAX - n, "%%%s", name);
	else
		snprintf(text + n, ADDR_TEXT_MAX - n, "%%%u", (unsigned)scope_id);
}

const char *addr_host_text(const struct addr *a, char text[ADDR_TEXT_MAX])
{
	text[0] = '\0';
	if (family_of(a) == AF_INET)
		inet_ntop(AF_INET, &ipv4(a)->sin_addr, text, ADDR_TEXT_MAX);
	if (family_of(a) == AF_INET6) {
		inet_ntop(AF_INET6, &ipv6(a)->sin6_addr, text, ADDR_TEXT_MAX);
		if (ipv6(a)->sin6_scope_id)
			add_zone(ipv6(a)->sin6_scope_id, text);
	}
	return text;
}

const char *addr_text(const struct addr *a, char text[ADDR_TEXT_MAX])
{
	char host[ADDR_TEXT_MAX];

	text[0] = '\0';
	if (family_of(a) == AF_UNIX)
		return unix_text(a, text);
	addr_host_text(a, host);
	if (family_of(a) == AF_INET)
		snprintf(text, ADDR_TEXT_MAX, "%.100s:%u", host, addr_port(a));
	if (family_of(a) == AF_INET6)
		snprintf(text, ADDR_TEXT_MAX, "[%.100s]:%u", host, addr_port(a));
	return text;
}

const char *endpoint_text(const struct endpoint *e, char text[ENDPOINT_TEXT_MAX])
{
	const char *host = e->host && *e->host ? e->host : "*";

	if (e->path)
		snprintf(text, ENDPOINT_TEXT_MAX, "unix:%s", e->path);
	else if (strchr(host, ':'))
		snprintf(text, ENDPOINT_TEXT_MAX, "[%s]:%u", host, e->port);
	else
		snprintf(text, ENDPOINT_TEXT_MAX, "%s:%u", host, e->port);
	return text;
}

/* ---- questions ---- */

uint16_t addr_port(const struct addr *a)
{
	if (family_of(a) == AF_INET)
		return ntohs(ipv4(a)->sin_port);
	if (family_of(a) == AF_INET6)
		return ntohs(ipv6(a)->sin6_port);
	return 0;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	if (family_of(a) != family_of(b) || addr_port(a) != addr_port(b))
		return false;
	switch (family_of(a)) {
	case AF_INET:
		return ipv4(a)->sin_addr.s_addr == ipv4(b)->sin_addr.s_addr;
	case AF_INET6:
		return IN6_ARE_ADDR_EQUAL(&ipv6(a)->sin6_addr, &ipv6(b)->sin6_addr) &&
		       ipv6(a)->sin6_scope_id == ipv6(b)->sin6_scope_id;
	case AF_UNIX:
		return unix_name_length(a) == unix_name_length(b) &&
		       memcmp(a->un.sun_path, b->un.sun_path, unix_name_length(a)) == 0;
	default:
		return true; /* both none */
	}
}

bool addr_is_loopback(const struct addr *a)
{
	struct addr plain = *a;

	addr_unmap(&plain);
	switch (family_of(&plain)) {
	case AF_INET:
		return ntohl(ipv4(&plain)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	case AF_INET6:
		return IN6_IS_ADDR_LOOPBACK(&ipv6(&plain)->sin6_addr);
	case AF_UNIX:
		return true;
	default:
		return false;
	}
}

void addr_unmap(struct addr *a)
{
	if (family_of(a) != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&ipv6(a)->sin6_addr))
		return;

	struct sockaddr_in plain = {.sin_family = AF_INET, .sin_port = ipv6(a)->sin6_port};

	memcpy(&plain.sin_addr, &ipv6(a)->sin6_addr.s6_addr[12], 4);
	*a = (struct addr){.length = sizeof(plain)};
	memcpy(&a->storage, &plain, sizeof(plain));
}

/* ---- from text ---- */

static bool zone_to_scope(const char *zone, uint32_t *ret_scope)
{
	uint64_t number;

	if (str_to_u64(zone, 1, UINT32_MAX, &number)) {
		*ret_scope = (uint32_t)number;
		return true;
	}
	*ret_scope = if_nametoindex(zone);
	return *ret_scope != 0;
}

static bool ipv6_from_literal(const char *host, uint16_t port, struct addr *ret_addr)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	const char *percent = strchr(host, '%');
	size_t n = percent ? (size_t)(percent - host) : strlen(host);
	char digits[INET6_ADDRSTRLEN];

	if (n >= sizeof(digits))
		return false;
	memcpy(digits, host, n);
	digits[n] = '\0';
	if (inet_pton(AF_INET6, digits, &in6.sin6_addr) != 1)
		return false;
	if (percent && !zone_to_scope(percent + 1, &in6.sin6_scope_id))
		return false;
	*ret_addr = (struct addr){.length = sizeof(in6)};
	memcpy(&ret_addr->storage, &in6, sizeof(in6));
	return true;
}

bool addr_from_literal(const char *host, uint16_t port, struct addr *ret_addr)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};

	if (inet_pton(AF_INET, host, &in.sin_addr) != 1)
		return ipv6_from_literal(host, port, ret_addr);
	*ret_addr = (struct addr){.length = sizeof(in)};
	memcpy(&ret_addr->storage, &in, sizeof(in));
	return true;
}

int addr_from_path(const char *path, struct addr *ret_addr, struct err *e)
{
	size_t n = strlen(path);

	if (n == 0)
		return err_set(e, ERR_CONFIG, "the path of a socket is empty");
	if (n >= sizeof(ret_addr->un.sun_path))
		return err_set(e, ERR_CONFIG,
		    "the path of a socket is too long (%zu bytes, at most %zu): %s", n,
		    sizeof(ret_addr->un.sun_path) - 1, path);
	*ret_addr =
	    (struct addr){.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1)};
	ret_addr->un.sun_family = AF_UNIX;
	memcpy(ret_addr->un.sun_path, path, n + 1);
	return 0;
}

/* ---- blocks ---- */

/* Gives the bytes of an IP address, 0 for others. */
static size_t host_bytes(const struct addr *a, uint8_t bytes[16])
{
	if (family_of(a) == AF_INET) {
		memcpy(bytes, &ipv4(a)->sin_addr, 4);
		return 4;
	}
	if (family_of(a) == AF_INET6) {
		memcpy(bytes, &ipv6(a)->sin6_addr, 16);
		return 16;
	}
	return 0;
}

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;
	uint8_t mask = (uint8_t)(0xff00 >> rest);

	return memcmp(a, b, whole) == 0 && (rest == 0 || ((a[whole] ^ b[whole]) & mask) == 0);
}

static bool has_bits_below(const struct cidr *c, size_t n)
{
	for (unsigned bit = c->bits; bit < n * 8; bit++) {
		if (c->bytes[bit / 8] & (0x80 >> (bit % 8)))
			return true;
	}
	return false;
}

bool cidr_from_text(const char *text, struct cidr *ret_cidr)
{
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	char host[INET6_ADDRSTRLEN];
	struct addr a;
	struct cidr c = {0};

	if (n >= sizeof(host))
		return false;
	memcpy(host, text, n);
	host[n] = '\0';
	/* A zone is not part of a block. */
	if (strchr(host, '%') || !addr_from_literal(host, 0, &a))
		return false;
	c.family = family_of(&a);

	size_t length = host_bytes(&a, c.bytes);
	uint64_t bits = length * 8;

	if (slash && !str_to_u64(slash + 1, 0, length * 8, &bits))
		return false;
	c.bits = (unsigned)bits;
	if (has_bits_below(&c, length))
		return false;
	if (c.family == AF_INET6 && c.bits >= 96 && IN6_IS_ADDR_V4MAPPED(&ipv6(&a)->sin6_addr)) {
		c.family = AF_INET;
		c.bits -= 96;
		memmove(c.bytes, c.bytes + 12, 4);
		memset(c.bytes + 4, 0, 12);
	}
	*ret_cidr = c;
	return true;
}

bool cidr_has(const struct cidr *c, const struct addr *a)
{
	struct addr plain = *a;
	uint8_t bytes[16];

	addr_unmap(&plain);
	return family_of(&plain) == c->family && host_bytes(&plain, bytes) &&
	       same_bits(bytes, c->bytes, c->bits);
}
