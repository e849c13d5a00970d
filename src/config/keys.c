/*
 * The tables, and the defaults.
 */
#include "config/keys.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/expand.h"

#define DAY 86400.0
#define YEAR (366 * DAY)

static const char *const log_levels[] = {"error", "warning", "info", "debug", NULL};
static const char *const readies[] = {"up", "started", NULL};
static const char *const host_key_checks[] = {"strict", "accept-new", NULL};
static const char *const connects[] = {"always", "on-demand", NULL};
static const char *const probes[] = {"none", "tcp", NULL};
static const char *const send_proxies[] = {"none", "v1", "v2", NULL};

#define TOP(field) .offset = offsetof(struct config, field)
static const struct key top_keys[] = {
    {"hosts", .flags = KEY_STRUCTURE},
    {"tunnels", .flags = KEY_STRUCTURE},
    {"include", .flags = KEY_STRUCTURE},
    {"host_defaults", .flags = KEY_STRUCTURE},
    {"tunnel_defaults", .flags = KEY_STRUCTURE},
    {"log_level", &value_choice, TOP(log_level), .choices = log_levels, .flags = KEY_LIVE},
    {"control_socket", &value_control_socket, TOP(control_socket)},
    {"control_mode", &value_mode, TOP(control_mode)},
    {"ready", &value_choice, TOP(ready), .choices = readies, .flags = KEY_LIVE},
    {"http_listen", &value_http_listen, TOP(http_listen)},
    {"watch", &value_bool, TOP(watch), .flags = KEY_LIVE},
    {"drain_timeout", &value_seconds, TOP(drain_timeout_ms), 0, DAY, .flags = KEY_LIVE},
};

#define HOST(field) .offset = offsetof(struct config_host, field)
static const struct key host_keys[] = {
    {"address", &value_host, HOST(address)},
    {"port", &value_port, HOST(port)},
    {"via", &value_name, HOST(via)},
    {"user", &value_string, HOST(user)},
    {"identity", &value_identity, HOST(identity), .flags = KEY_EXISTS},
    {"certificate", &value_paths, HOST(certificate), .flags = KEY_EXISTS},
    {"passphrase", &value_secret, HOST(passphrase)},
    {"password", &value_secret, HOST(password)},
    {"agent", .type = &value_agent},
    {"known_hosts", &value_paths, HOST(known_hosts)},
    {"host_key", &value_pins, HOST(host_key)},
    {"host_key_check", &value_choice, HOST(host_key_check), .choices = host_key_checks},
    {"host_key_alias", &value_string, HOST(host_key_alias)},
    {"revoked_keys", &value_paths, HOST(revoked_keys), .flags = KEY_EXISTS},
    {"update_host_keys", &value_bool, HOST(update_host_keys)},
    {"forward_agent", &value_bool, HOST(forward_agent), .flags = KEY_LIVE},
    {"kex", &value_algorithms, HOST(kex)},
    {"ciphers", &value_algorithms, HOST(ciphers)},
    {"macs", &value_algorithms, HOST(macs)},
    {"host_key_algorithms", &value_algorithms, HOST(host_key_algorithms)},
    {"rekey_bytes", &value_bytes, HOST(rekey_bytes), 4096, 1LL << 40},
    {"rekey_interval", &value_seconds, HOST(rekey_interval_ms), 1, YEAR},
    {"connect_timeout", &value_seconds, HOST(connect_timeout_ms), 0.1, 3600, .flags = KEY_LIVE},
    {"keepalive_interval", &value_seconds, HOST(keepalive_interval_ms), 0, DAY, .flags = KEY_LIVE},
    {"keepalive_count", &value_count, HOST(keepalive_count), 1, 1000, .flags = KEY_LIVE},
    {"reconnect_min", &value_seconds, HOST(reconnect_min_ms), 0.01, DAY, .flags = KEY_LIVE},
    {"reconnect_max", &value_seconds, HOST(reconnect_max_ms), 0.01, DAY, .flags = KEY_LIVE},
    {"connections", &value_count, HOST(connections), 1, 64, .flags = KEY_LIVE},
    {"bind_address", &value_ip, HOST(bind_address)},
};

#define TUNNEL(field) .offset = offsetof(struct config_tunnel, field)
static const struct key tunnel_keys[] = {
    {"via", &value_names, TUNNEL(via)},
    {"forwards", .flags = KEY_STRUCTURE | KEY_IDENTITY},
    {"enabled", &value_bool, TUNNEL(enabled), .flags = KEY_LIVE},
    {"connect", &value_choice, TUNNEL(connect), .choices = connects, .flags = KEY_LIVE},
    {"link_idle_timeout", &value_seconds, TUNNEL(link_idle_timeout_ms), 0, YEAR, .flags = KEY_LIVE},
    {"hold_timeout", &value_seconds, TUNNEL(hold_timeout_ms), 0, DAY, .flags = KEY_LIVE},
    {"required", &value_bool, TUNNEL(required), .flags = KEY_LIVE},
    {"probe", &value_choice, TUNNEL(probe), .choices = probes, .flags = KEY_LIVE},
    {"probe_interval", &value_seconds, TUNNEL(probe_interval_ms), 0.1, DAY, .flags = KEY_LIVE},
};

#define OWN_SOCKET ON_UNIX_NEAR, "only a Unix socket that adit makes on this machine has one"
#define PEER_USERS \
	ON_UNIX_NEAR | ON_SYSTEMD, "only a Unix socket on this machine knows its clients' users"
#define PEER_ADDRESS \
	ON_TCP_NEAR | ON_TCP_FAR | ON_SYSTEMD, "clients of a Unix socket have no address: " \
					       "`allow_users` and `allow_groups` are for those"

#define FORWARD(field) .offset = offsetof(struct config_forward, field)
#define LISTEN(kind) .min = (kind), .flags = KEY_IDENTITY
static const struct key forward_keys[] = {
    {"local", &value_listen, LISTEN(CONFIG_FORWARD_LOCAL)},
    {"remote", &value_listen, LISTEN(CONFIG_FORWARD_REMOTE)},
    {"socks", &value_listen, LISTEN(CONFIG_FORWARD_SOCKS)},
    {"remote_socks", &value_listen, LISTEN(CONFIG_FORWARD_REMOTE_SOCKS)},
    {"to", &value_to, FORWARD(to), 0, 0, NULL, KEY_LIVE | KEY_TARGET | KEY_LATE},
    {"mode", &value_mode, FORWARD(mode), 0, 0, NULL, 0, OWN_SOCKET},
    {"owner", &value_user, FORWARD(owner), 0, 0, NULL, 0, OWN_SOCKET},
    {"group", &value_group, FORWARD(group), 0, 0, NULL, 0, OWN_SOCKET},
    {"allow", &value_cidrs, FORWARD(allow), 0, 0, NULL, KEY_LIVE, PEER_ADDRESS},
    {"allow_users", &value_users, FORWARD(allow_users), 0, 0, NULL, KEY_LIVE, PEER_USERS},
    {"allow_groups", &value_groups, FORWARD(allow_groups), 0, 0, NULL, KEY_LIVE, PEER_USERS},
    {"allow_to", &value_patterns, FORWARD(allow_to), .flags = KEY_LIVE | KEY_NO_TARGET},
    {"send_proxy", &value_choice, FORWARD(send_proxy), .choices = send_proxies,
	.flags = KEY_LIVE | KEY_TARGET},
    {"max_streams", &value_count, FORWARD(max_streams), 1, 1000000, .flags = KEY_LIVE},
    {"idle_timeout", &value_seconds, FORWARD(idle_timeout_ms), 0, YEAR, .flags = KEY_LIVE},
};

const struct key_table keys_top = {top_keys, ARRAY_LEN(top_keys)};
const struct key_table keys_host = {host_keys, ARRAY_LEN(host_keys)};
const struct key_table keys_tunnel = {tunnel_keys, ARRAY_LEN(tunnel_keys)};
const struct key_table keys_forward = {forward_keys, ARRAY_LEN(forward_keys)};

const struct key *key_find(const struct key_table *table, const char *name)
{
	for (size_t i = 0; i < table->count; i++)
		if (strcmp(table->keys[i].name, name) == 0)
			return &table->keys[i];
	return NULL;
}

bool forward_is_socks(const struct config_forward *forward)
{
	return forward->kind == CONFIG_FORWARD_SOCKS ||
	       forward->kind == CONFIG_FORWARD_REMOTE_SOCKS;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool forward_same_access(const struct config_forward *a, const struct config_forward *b)
{
	return a->mode == b->mode && same_text(a->owner, b->owner) && same_text(a->group, b->group);
}

bool forward_is_near(const struct config_forward *forward)
{
	return forward->kind == CONFIG_FORWARD_LOCAL || forward->kind == CONFIG_FORWARD_SOCKS;
}

enum listener_bit forward_listener(const struct config_forward *forward)
{
	switch (forward->listen.kind) {
	case CONFIG_TCP:
		return forward_is_near(forward) ? ON_TCP_NEAR : ON_TCP_FAR;
	case CONFIG_UNIX:
		return forward_is_near(forward) ? ON_UNIX_NEAR : ON_UNIX_FAR;
	case CONFIG_SYSTEMD:
		break;
	}
	return ON_SYSTEMD;
}

const char *key_misfit(const struct key *key, const struct config_forward *forward)
{
	if ((key->flags & KEY_TARGET) && forward_is_socks(forward))
		return "with SOCKS it is the client who says where to go";
	if ((key->flags & KEY_NO_TARGET) && !forward_is_socks(forward))
		return "it is for SOCKS, where the client says where to go; here `to` does";
	if (key->listeners && !(key->listeners & forward_listener(forward)))
		return key->otherwise;
	return NULL;
}

void defaults_of_config(struct config *config)
{
	config->log_level = LOG_LEVEL_INFO;
	config->control_mode = 0600;
	config->ready = CONFIG_READY_UP;
	config->drain_timeout_ms = 30 * 1000;
}

void defaults_of_host(struct config_host *host)
{
	host->port = 22;
	host->agent = CONFIG_AGENT_ENVIRONMENT;
	host->host_key_check = CONFIG_CHECK_STRICT;
	host->update_host_keys = true;
	host->rekey_bytes = 1 << 30; /* RFC 4253, 9 */
	host->rekey_interval_ms = 3600 * 1000;
	host->connect_timeout_ms = 10 * 1000;
	host->keepalive_interval_ms = 15 * 1000;
	host->keepalive_count = 3;
	host->reconnect_min_ms = 500;
	host->reconnect_max_ms = 30 * 1000;
	host->connections = 1;
}

void defaults_of_tunnel(struct config_tunnel *tunnel)
{
	tunnel->enabled = true;
	tunnel->connect = CONFIG_CONNECT_ALWAYS;
	tunnel->link_idle_timeout_ms = 300 * 1000;
	tunnel->hold_timeout_ms = 10 * 1000;
	tunnel->required = true;
	tunnel->probe = CONFIG_PROBE_NONE;
	tunnel->probe_interval_ms = 30 * 1000;
}

void defaults_of_forward(struct config_forward *forward)
{
	forward->mode = 0600;
	forward->send_proxy = CONFIG_SEND_PROXY_NONE;
	forward->max_streams = 4096;
}

static void add_in_home(struct config_strings *strings, const char *home, const char *name)
{
	char *path = str_format("%s/.ssh/%s", home, name);

	config_strings_add(strings, path);
	free(path);
}

void defaults_complete_host(struct config_host *host)
{
	struct passwd *pw = host->user ? NULL : getpwuid(geteuid());
	char *home = expand_home();

	if (!host->address)
		host->address = mem_strdup(host->name);
	if (pw)
		host->user = mem_strdup(pw->pw_name);
	host->identity_is_default = host->identity.n == 0;
	if (host->identity_is_default && home) {
		add_in_home(&host->identity, home, "id_ed25519");
		add_in_home(&host->identity, home, "id_ecdsa");
		add_in_home(&host->identity, home, "id_rsa");
	}
	if (host->known_hosts.n == 0) {
		if (home)
			add_in_home(&host->known_hosts, home, "known_hosts");
		config_strings_add(&host->known_hosts, "/etc/ssh/ssh_known_hosts");
	}
	free(home);
}

void keys_clear(const struct key_table *table, void *object)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->keys[i].type)
			table->keys[i].type->clear(&table->keys[i], object);
}

void keys_copy(const struct key_table *table, void *to, const void *from)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->keys[i].type)
			table->keys[i].type->copy(&table->keys[i], to, from);
}

void config_strings_add_at(struct config_strings *strings, const char *text, int line)
{
	strings->v = mem_grow(strings->v, strings->n + 1, sizeof(*strings->v));
	strings->lines = mem_grow(strings->lines, strings->n + 1, sizeof(*strings->lines));
	strings->lines[strings->n] = line;
	strings->v[strings->n++] = mem_strdup(text);
}

void config_strings_add(struct config_strings *strings, const char *text)
{
	config_strings_add_at(strings, text, 0);
}

void config_strings_clear(struct config_strings *strings)
{
	for (size_t i = 0; i < strings->n; i++)
		free(strings->v[i]);
	free(strings->v);
	free(strings->lines);
	*strings = (struct config_strings){0};
}

bool config_strings_has(const struct config_strings *strings, const char *text)
{
	for (size_t i = 0; i < strings->n; i++)
		if (strcmp(strings->v[i], text) == 0)
			return true;
	return false;
}
