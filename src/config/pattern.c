#include "config/pattern.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

/* An address's family, and its bytes in the order of the network; 0 for what is none. */
static int read_address(const char *text, uint8_t bytes[16])
{
	if (inet_pton(AF_INET, text, bytes) == 1)
		return AF_INET;
	return inet_pton(AF_INET6, text, bytes) == 1 ? AF_INET6 : 0;
}

/* Clears what stands behind the prefix. Was there something? */
static bool mask(uint8_t bytes[16], unsigned prefix, unsigned width)
{
	bool changed = false;

	for (unsigned bit = prefix; bit < width; bit++) {
		uint8_t one = (uint8_t)(0x80 >> bit % 8);

		changed |= (bytes[bit / 8] & one) != 0;
		bytes[bit / 8] &= (uint8_t)~one;
	}
	return changed;
}

int pattern_check_block(const char *text, struct err *e)
{
	const char *slash = strchr(text, '/');
	char *address = mem_strndup(text, slash ? (size_t)(slash - text) : strlen(text));
	char whole[INET6_ADDRSTRLEN];
	uint8_t bytes[16];
	int family = read_address(address, bytes);
	unsigned width = family == AF_INET ? 32 : 128;
	uint64_t prefix = width;

	free(address);
	if (!family || (slash && !str_to_u64(slash + 1, 0, width, &prefix)))
		return err_set(
		    e, ERR_CONFIG, "`%s` is no CIDR block, as in `10.0.0.0/8` or `::1/128`", text);
	if (mask(bytes, (unsigned)prefix, width))
		return err_set(e, ERR_CONFIG,
		    "`%s` is no CIDR block: that of these %u bits is `%s/%u`", text,
		    (unsigned)prefix, inet_ntop(family, bytes, whole, sizeof(whole)),
		    (unsigned)prefix);
	return ERR_OK;
}

static bool read_ports(const char *text, struct pattern_target *ret)
{
	const char *dash = strchr(text, '-');
	uint64_t first = 0, last = 65535;
	bool valid = true;

	if (dash) {
		char *begin = mem_strndup(text, (size_t)(dash - text));

		valid = str_to_u64(begin, 1, 65535, &first) &&
			str_to_u64(dash + 1, first, 65535, &last);
		free(begin);
	} else if (strcmp(text, "*") != 0) {
		valid = str_to_u64(text, 1, 65535, &first);
		last = first;
	}
	ret->first_port = (uint16_t)first;
	ret->last_port = (uint16_t)last;
	return valid;
}

static int check_host(const char *host, const char *text, struct err *e)
{
	if (strpbrk(host, "/:"))
		return pattern_check_block(host, e);
	for (const char *p = host; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr(".-_*?", *p))
			return err_set(e, ERR_CONFIG,
			    "`%s`: `%s` is no name pattern, address or CIDR block", text, host);
	return *host ? ERR_OK : err_set(e, ERR_CONFIG, "`%s` names no host", text);
}

int pattern_parse_target(const char *text, struct pattern_target *ret, struct err *e)
{
	struct pattern_target target = {0};
	const char *colon = strrchr(text, ':');
	const char *begin = text;

	if (!colon || colon == text)
		return err_set(
		    e, ERR_CONFIG, "`%s`: `host:port` is wanted, as in `*.internal:5432`", text);
	size_t n = (size_t)(colon - text);
	if (*begin == '[' && begin[n - 1] == ']') {
		begin++;
		n -= 2;
	} else if (memchr(begin, ':', n)) {
		return err_set(e, ERR_CONFIG, "`%s`: an IPv6 address stands in brackets", text);
	}
	if (!read_ports(colon + 1, &target))
		return err_set(
		    e, ERR_CONFIG, "`%s`: `%s` is no port, range of ports or `*`", text, colon + 1);
	target.host = mem_strndup(begin, n);
	int result = check_host(target.host, text, e);
	if (result)
		pattern_target_clear(&target);
	else
		*ret = target;
	return result;
}

void pattern_target_clear(struct pattern_target *target)
{
	free(target->host);
	*target = (struct pattern_target){0};
}
