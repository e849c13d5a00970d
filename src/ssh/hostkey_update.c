/*
 * hostkeys-00@openssh.com: a server that we know announces its keys, so that it can change them one day. What may follow from
 * that is decided on the files as they are at that moment.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "ssh/hostkey_policy.h"

#define VANISHED_MAX 64

struct announced {
	struct span message;
	struct span keys[HOSTKEY_ANNOUNCED_MAX];
	size_t count;
};

/* What is to be done. The vanished keys are views into known. */
struct plan {
	struct known_hosts *known;
	bool is_known[HOSTKEY_ANNOUNCED_MAX]; /* of each announced key: on a line of the host */
	struct span new_keys[HOSTKEY_ANNOUNCED_MAX];
	size_t new_count;
	struct span vanished[VANISHED_MAX];
	size_t vanished_count;
};

/* Types that we do not have, certificates and keys that we would not take (RSA of 1,024 bits) are left out, and so never added.
 * The same key twice is an error, as OpenSSH has it. */
static int read_announced(struct span message, struct announced *ret_announced)
{
	struct announced announced = {.message = message};
	struct rd r;

	rd_init(&r, message);
	while (rd_left(&r)) {
		struct span blob = rd_string(&r);
		if (!rd_ok(&r))
			break;
		struct key *key = key_from_blob(blob, NULL);
		key_free(key);
		if (!key)
			continue;
		if (announced.count == HOSTKEY_ANNOUNCED_MAX ||
		    span_is_among(blob, announced.keys, announced.count))
			return ERR_PEER;
		announced.keys[announced.count++] = blob;
	}
	*ret_announced = announced;
	return rd_end(&r);
}

/* A line with it is not ours to use, but other programs read the file too, and the server has the key. */
static bool is_left_out(const struct announced *announced, struct span blob)
{
	struct rd r;

	rd_init(&r, announced->message);
	while (rd_left(&r))
		if (span_equal(rd_string(&r), blob))
			return true;
	return false;
}

/* Looks at the host's lines of the first file. False when one is there that must not be touched. Once for all keys: a file may have
 * thousands of lines with hashed names, and each has to be hashed to know whose it is. */
static bool plan_removals(
    const struct hostkey_policy *policy, const struct announced *announced, struct plan *plan)
{
	struct known_hosts_match match;
	bool verified_is_there = false;

	for (size_t cursor = 0;
	     known_hosts_next(plan->known, policy->name, policy->port, &cursor, &match);) {
		if (match.marker != KNOWN_HOSTS_PLAIN || !match.only_name)
			return false;
		if (span_equal(match.key_blob, wr_span(&policy->seen)))
			verified_is_there = true;
		size_t i = span_find(match.key_blob, announced->keys, announced->count);
		if (i < announced->count) {
			plan->is_known[i] = true;
			continue;
		}
		if (is_left_out(announced, match.key_blob))
			continue;
		if (plan->vanished_count == VANISHED_MAX)
			return false;
		plan->vanished[plan->vanished_count++] = match.key_blob;
	}
	return verified_is_there;
}

static bool plan_additions(
    const struct hostkey_policy *policy, const struct announced *announced, struct plan *plan)
{
	for (size_t i = 0; i < announced->count; i++) {
		struct span blob = announced->keys[i];
		if (known_hosts_has_elsewhere(plan->known, policy->name, policy->port, blob))
			return false;
		if (!plan->is_known[i])
			plan->new_keys[plan->new_count++] = blob;
	}
	return true;
}

static bool make_plan(
    const struct hostkey_policy *policy, const struct announced *announced, struct plan *plan)
{
	if (!policy->by_own_line ||
	    !span_is_among(wr_span(&policy->seen), announced->keys, announced->count))
		return false;
	plan->known = known_hosts_read((const char *const *)policy->known_hosts_paths, 1, NULL);
	return plan->known && plan_removals(policy, announced, plan) &&
	       plan_additions(policy, announced, plan);
}

int hostkey_policy_announced(
    struct hostkey_policy *policy, struct span message, struct span *ret_new)
{
	struct announced announced;
	struct plan plan = {0};
	int rc = read_announced(message, &announced);

	if (rc < 0)
		return rc;
	if (make_plan(policy, &announced, &plan)) {
		for (size_t i = 0; i < plan.new_count; i++)
			ret_new[i] = plan.new_keys[i];
		rc = (int)plan.new_count;
	}
	known_hosts_free(plan.known);
	return rc;
}

static int carry_out(const struct hostkey_policy *policy, const struct plan *plan, struct err *e)
{
	struct known_hosts_change change = {
	    .path = policy->known_hosts_paths[0],
	    .name = policy->name,
	    .port = policy->port,
	    .add = plan->new_keys,
	    .add_count = plan->new_count,
	    .remove = plan->vanished,
	    .remove_count = plan->vanished_count,
	};
	int rc = known_hosts_update(&change, e);

	if (rc == 0)
		log_info(policy->log, "host-keys-updated", "file=%s added=%zu removed=%zu",
		    change.path, change.add_count, change.remove_count);
	return rc;
}

int hostkey_policy_update(struct hostkey_policy *policy, struct span message,
    const struct span *proven, size_t proven_count, struct err *e)
{
	struct announced announced;
	struct plan plan = {0};
	int rc = 0;

	if (read_announced(message, &announced) < 0)
		return err_set(e, ERR_PEER, "malformed announcement of host keys");
	bool may = make_plan(policy, &announced, &plan);
	/* A line that was there at the announcement, and so needed no proof, may be gone now. */
	for (size_t i = 0; may && i < plan.new_count && rc == 0; i++)
		if (!span_is_among(plan.new_keys[i], proven, proven_count))
			rc = err_set(e, ERR_LOCAL,
			    "%s changed while the server proved its keys; the next connection "
			    "looks again",
			    policy->known_hosts_paths[0]);
	if (rc == 0 && may && plan.new_count + plan.vanished_count)
		rc = carry_out(policy, &plan, e);
	known_hosts_free(plan.known);
	return rc;
}
