#include "forward/access.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/account.h"
#include "base/mem.h"
#include "base/str.h"
#include "config/pattern.h"

struct target {
	struct pattern_target pattern;
	bool is_block; /* or an address */
	struct cidr block;
};

struct access {
	struct cidr *blocks;
	size_t block_count;
	uid_t *users;
	size_t user_count;
	gid_t *groups;
	size_t group_count;
	struct target *targets;
	size_t target_count;
};

/* ---- reading the lists ---- */

static int read_blocks(struct access *a, const struct config_strings *list, struct err *e)
{
	a->blocks = mem_array(list->n, sizeof(*a->blocks));
	for (size_t i = 0; i < list->n; i++) {
		if (!cidr_from_text(list->v[i], &a->blocks[i]))
			return err_set(
			    e, ERR_CONFIG, "allow: \"%s\" is no address or block", list->v[i]);
		a->block_count++;
	}
	return 0;
}

static int read_users(struct access *a, const struct config_strings *list, struct err *e)
{
	a->users = mem_array(list->n, sizeof(*a->users));
	for (size_t i = 0; i < list->n; i++) {
		if (!account_find_user(list->v[i], &a->users[i]))
			return err_set(
			    e, ERR_CONFIG, "allow_users: there is no user \"%s\"", list->v[i]);
		a->user_count++;
	}
	return 0;
}

static int read_groups(struct access *a, const struct config_strings *list, struct err *e)
{
	a->groups = mem_array(list->n, sizeof(*a->groups));
	for (size_t i = 0; i < list->n; i++) {
		if (!account_find_group(list->v[i], &a->groups[i]))
			return err_set(
			    e, ERR_CONFIG, "allow_groups: there is no group \"%s\"", list->v[i]);
		a->group_count++;
	}
	return 0;
}

static int read_targets(struct access *a, const struct config_strings *list, struct err *e)
{
	a->targets = mem_array(list->n, sizeof(*a->targets));
	for (size_t i = 0; i < list->n; i++) {
		struct target *target = &a->targets[i];

		if (pattern_parse_target(list->v[i], &target->pattern, e) < 0) {
			err_prefix(e, "allow_to");
			return ERR_CONFIG;
		}
		a->target_count++;
		target->is_block = cidr_from_text(target->pattern.host, &target->block);
	}
	return 0;
}

struct access *access_new(const struct config_forward *config, struct err *e)
{
	struct access *a = NEW(struct access);

	if (read_blocks(a, &config->allow, e) < 0 || read_users(a, &config->allow_users, e) < 0 ||
	    read_groups(a, &config->allow_groups, e) < 0 ||
	    read_targets(a, &config->allow_to, e) < 0) {
		access_free(a);
		return NULL;
	}
	return a;
}

void access_free(struct access *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->target_count; i++)
		pattern_target_clear(&a->targets[i].pattern);
	free(a->targets);
	free(a->groups);
	free(a->users);
	free(a->blocks);
	free(a);
}

/* ---- asking ---- */

bool access_has_client_list(const struct access *a)
{
	return a->block_count > 0;
}

bool access_allows_address(const struct access *a, const struct addr *client)
{
	struct addr plain = *client;

	if (a->block_count == 0)
		return true;
	if (plain.length == 0)
		return false;
	addr_unmap(&plain);
	for (size_t i = 0; i < a->block_count; i++)
		if (cidr_has(&a->blocks[i], &plain))
			return true;
	return false;
}

static bool has_group(const struct access *a, gid_t group)
{
	for (size_t i = 0; i < a->group_count; i++)
		if (a->groups[i] == group)
			return true;
	return false;
}

bool access_allows_credentials(const struct access *a, const struct credentials *c)
{
	if (a->user_count == 0 && a->group_count == 0)
		return true;
	if (!c->known)
		return false;
	for (size_t i = 0; i < a->user_count; i++)
		if (a->users[i] == c->uid)
			return true;
	if (has_group(a, c->gid))
		return true;
	for (size_t i = 0; i < c->group_count; i++)
		if (has_group(a, c->groups[i]))
			return true;
	return false;
}

static bool matches(
    const struct target *target, const char *host, const struct addr *literal, uint16_t port)
{
	if (port < target->pattern.first_port || port > target->pattern.last_port)
		return false;
	if (target->is_block)
		return literal && cidr_has(&target->block, literal);
	return str_glob_nocase(target->pattern.host, host);
}

bool access_allows_target(const struct access *a, const char *host, uint16_t port)
{
	struct addr address;
	const struct addr *literal = NULL;

	if (a->target_count == 0)
		return true;
	if (addr_from_literal(host, port, &address)) {
		addr_unmap(&address);
		literal = &address;
	}
	for (size_t i = 0; i < a->target_count; i++)
		if (matches(&a->targets[i], host, literal, port))
			return true;
	return false;
}

/* ---- credentials ---- */

/* Linux 4.13; without it a process is known by its own group alone. */
static void read_peer_groups(int fd, struct credentials *c)
{
	socklen_t n = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &n) == 0 || n == 0)
		return;
	c->groups = mem_alloc(n); /* at most NGROUPS_MAX, 65536 */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, c->groups, &n) == 0)
		c->group_count = n / sizeof(gid_t);
}

void credentials_of(int fd, struct credentials *ret)
{
	struct ucred peer;
	socklen_t n = sizeof(peer);

	*ret = (struct credentials){0};
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) != 0)
		return;
	ret->known = true;
	ret->pid = peer.pid;
	ret->uid = peer.uid;
	ret->gid = peer.gid;
	read_peer_groups(fd, ret);
}

void credentials_clear(struct credentials *c)
{
	free(c->groups);
	*c = (struct credentials){0};
}
