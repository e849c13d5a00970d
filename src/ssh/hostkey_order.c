/*
 * Which host key algorithms to ask for first: a server has keys of several types, and the one that it shows should be one that we
 * know.
 */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "ssh/hostkey_policy.h"

enum rank { RANK_CERT_OF_KNOWN_CA, RANK_KNOWN_TYPE, RANK_OTHER, RANK_OTHER_CERT, RANKS };

static bool type_is_pinned(const struct hostkey_policy *policy, struct span type)
{
	for (size_t i = 0; i < policy->pin_count; i++)
		if (policy->pins[i].type && span_is(type, policy->pins[i].type))
			return true;
	return false;
}

#define TYPES_MAX 16

/* What the files say of the host. */
struct known_types {
	bool any, ca;
	struct span types[TYPES_MAX]; /* of plain keys */
	size_t count;
};

static bool has_type(const struct known_types *known, struct span type)
{
	return span_is_among(type, known->types, known->count);
}

static struct known_types look_up(struct hostkey_policy *policy, uint16_t port)
{
	const struct hostkey_lines *lines = hostkey_policy_lines(policy, port);
	struct known_types known = {0};

	for (size_t i = 0; i < lines->n; i++) {
		const struct known_hosts_match *match = &lines->v[i];
		struct span type = key_blob_type(match->key_blob);
		known.any = known.any || match->marker != KNOWN_HOSTS_REVOKED;
		known.ca = known.ca || match->marker == KNOWN_HOSTS_CERT_AUTHORITY;
		if (match->marker == KNOWN_HOSTS_PLAIN && known.count < TYPES_MAX &&
		    !has_type(&known, type))
			known.types[known.count++] = type;
	}
	return known;
}

static enum rank rank_of(
    const struct hostkey_policy *policy, const struct known_types *known, struct span algorithm)
{
	if (cert_algorithm_plain(algorithm))
		return known->ca ? RANK_CERT_OF_KNOWN_CA : RANK_OTHER_CERT;
	const char *name = key_type_for(algorithm);
	struct span type = name ? span_of(name) : algorithm;
	return has_type(known, type) || type_is_pinned(policy, type) ? RANK_KNOWN_TYPE : RANK_OTHER;
}

char *hostkey_policy_order(struct hostkey_policy *policy, const char *list)
{
	struct strbuf ordered = {0};
	struct known_types known = look_up(policy, policy->port);

	if (!known.any && policy->port != 22)
		known = look_up(policy, 22);
	for (unsigned rank = 0; rank < RANKS; rank++) {
		struct span rest = span_of(list), algorithm;
		while (name_list_next(&rest, &algorithm)) {
			if (rank_of(policy, &known, algorithm) != rank)
				continue;
			if (ordered.n)
				strbuf_add(&ordered, ",");
			strbuf_add_n(&ordered, algorithm.p, algorithm.n);
		}
	}
	return strbuf_take(&ordered);
}
