#include "forward/proxy_header.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

enum { V2_LOCAL = 0x20, V2_PROXY = 0x21, V2_TCP4 = 0x11, V2_TCP6 = 0x21 };

/* Both ends in one family, as the header wants them: an IPv4 end next to an IPv6 one is written as a mapped address. */
struct ends {
	int family;
	uint8_t client[16], at[16];
	uint16_t client_port, at_port;
};

static bool is_ip(const struct addr *a)
{
	return a->length && (a->sa.sa_family == AF_INET || a->sa.sa_family == AF_INET6);
}

static void put_address(uint8_t to[16], int family, const struct addr *a)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&a->storage;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)&a->storage;
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (family == AF_INET) {
		memcpy(to, &v4->sin_addr, 4);
	} else if (a->sa.sa_family == AF_INET6) {
		memcpy(to, &v6->sin6_addr, 16);
	} else {
		memcpy(to, mapped, sizeof(mapped));
		memcpy(to + 12, &v4->sin_addr, 4);
	}
}

static bool ends_get(struct ends *ends, const struct addr *client, const struct addr *at)
{
	struct addr c = *client, a = *at;

	if (!is_ip(client) || !is_ip(at))
		return false;
	addr_unmap(&c);
	addr_unmap(&a);
	ends->family = c.sa.sa_family == AF_INET && a.sa.sa_family == AF_INET ? AF_INET : AF_INET6;
	put_address(ends->client, ends->family, &c);
	put_address(ends->at, ends->family, &a);
	ends->client_port = addr_port(&c);
	ends->at_port = addr_port(&a);
	return true;
}

static void write_v1(struct wr *w, const struct ends *ends)
{
	char client[INET6_ADDRSTRLEN], at[INET6_ADDRSTRLEN];
	char line[108]; /* the longest that the protocol knows has 107 bytes */

	if (!ends) {
		wr_span_bytes(w, SPAN_LITERAL("PROXY UNKNOWN\r\n"));
		return;
	}
	inet_ntop(ends->family, ends->client, client, sizeof(client));
	inet_ntop(ends->family, ends->at, at, sizeof(at));
	int n = snprintf(line, sizeof(line), "PROXY %s %s %s %u %u\r\n",
	    ends->family == AF_INET ? "TCP4" : "TCP6", client, at, ends->client_port,
	    ends->at_port);

	wr_bytes(w, line, (size_t)n);
}

static void wr_u16(struct wr *w, uint16_t v)
{
	wr_u8(w, (uint8_t)(v >> 8));
	wr_u8(w, (uint8_t)v);
}

static void write_v2(struct wr *w, const struct ends *ends)
{
	size_t n = ends && ends->family == AF_INET ? 4 : 16;

	wr_bytes(w, "\r\n\r\n\0\r\nQUIT\n", 12);
	if (!ends) {
		wr_u8(w, V2_LOCAL);
		wr_u8(w, 0); /* AF_UNSPEC */
		wr_u16(w, 0);
		return;
	}
	wr_u8(w, V2_PROXY);
	wr_u8(w, ends->family == AF_INET ? V2_TCP4 : V2_TCP6);
	wr_u16(w, (uint16_t)(2 * n + 4));
	wr_bytes(w, ends->client, n);
	wr_bytes(w, ends->at, n);
	wr_u16(w, ends->client_port);
	wr_u16(w, ends->at_port);
}

void proxy_header_write(
    struct wr *w, enum config_send_proxy version, const struct addr *client, const struct addr *at)
{
	struct ends both;
	const struct ends *ends = ends_get(&both, client, at) ? &both : NULL;

	switch (version) {
	case CONFIG_SEND_PROXY_NONE:
		return;
	case CONFIG_SEND_PROXY_V1:
		write_v1(w, ends);
		return;
	case CONFIG_SEND_PROXY_V2:
		write_v2(w, ends);
		return;
	}
}
