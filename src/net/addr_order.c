#include "net/addr_order.h"

#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

/* RFC 6724 §2.1, the default policy table without ::/96, which has been deprecated for long. The longest match stands first. */
static const struct policy {
	const char *block; /* NULL: IPv4, ::ffff:0:0/96 in the table */
	unsigned precedence;
	unsigned label;
} policies[] = {
    {"::1/128", 50, 0},
    {"2001::/32", 5, 5},
    {"2002::/16", 30, 2},
    {"3ffe::/16", 1, 12},
    {"fec0::/10", 1, 11},
    {"fc00::/7", 3, 13},
    {"::/0", 40, 1},
};
static const struct policy ipv4_policy = {NULL, 35, 4};

struct ranked {
	struct addr addr;
	bool reachable;
	bool label_matches;
	unsigned precedence;
};

static const struct policy *policy_of(const struct addr *a)
{
	if (a->sa.sa_family != AF_INET6)
		return &ipv4_policy;
	for (size_t i = 0; i < ARRAY_LEN(policies) - 1; i++) {
		struct cidr block;

		if (cidr_from_text(policies[i].block, &block) && cidr_has(&block, a))
			return &policies[i];
	}
	return &policies[ARRAY_LEN(policies) - 1];
}

/* Connecting a datagram socket chooses the source address and sends nothing. */
static bool source_for(const struct addr *to, struct addr *ret_source)
{
	int fd = socket(to->sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct addr source = {.length = sizeof(source.storage)};
	struct addr target = *to;
	bool good;

	if (fd < 0)
		return false;
	/* Any port will do, but 0 means "none" to some kernels. */
	if (target.sa.sa_family == AF_INET6)
		((struct sockaddr_in6 *)(void *)&target.storage)->sin6_port = htons(9);
	else
		((struct sockaddr_in *)(void *)&target.storage)->sin_port = htons(9);
	good = connect(fd, &target.sa, target.length) == 0 &&
	       getsockname(fd, &source.sa, &source.length) == 0;
	close(fd);
	if (good)
		*ret_source = source;
	return good;
}

static struct ranked rank(const struct addr *a)
{
	struct ranked r = {.addr = *a, .precedence = policy_of(a)->precedence};
	struct addr source;

	r.reachable = source_for(a, &source);
	r.label_matches = r.reachable && policy_of(&source)->label == policy_of(a)->label;
	return r;
}

static bool goes_before(const struct ranked *a, const struct ranked *b)
{
	if (a->reachable != b->reachable)
		return a->reachable;
	if (a->label_matches != b->label_matches)
		return a->label_matches;
	return a->precedence > b->precedence;
}

void addr_order(struct addr *addrs, size_t count)
{
	struct ranked ranked[64];

	if (count > ARRAY_LEN(ranked))
		count = ARRAY_LEN(ranked);
	for (size_t i = 0; i < count; i++) {
		struct ranked r = rank(&addrs[i]);
		size_t at = i;

		for (; at > 0 && goes_before(&r, &ranked[at - 1]); at--)
			ranked[at] = ranked[at - 1];
		ranked[at] = r;
	}
	for (size_t i = 0; i < count; i++)
		addrs[i] = ranked[i].addr;
}
