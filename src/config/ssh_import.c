/*
 * From what was read of ssh's options to hosts and a tunnel of a snapshot.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "config/endpoint.h"
#include "config/expand.h"
#include "config/keys.h"
#include "config/pattern.h"
#include "config/ssh_option.h"

void ssh_import_forward(struct ssh_import *import, enum ssh_forward_option option, const char *spec)
{
	import->forwards =
	    mem_grow(import->forwards, import->forward_count + 1, sizeof(*import->forwards));
	import->forwards[import->forward_count++] =
	    (struct ssh_import_forward){.option = option, .spec = mem_strdup(spec)};
}

/* "host:port" with "*" for all of either; ssh compares the rest letter by letter, where `allow_to` has patterns and blocks. */
static int check_open_target(const char *word, struct err *e)
{
	struct pattern_target target;

	if (pattern_parse_target(word, &target, e) < 0)
		return ERR_CONFIG;
	bool is_plain = strcmp(target.host, "*") == 0 || endpoint_host_is_valid(target.host);
	pattern_target_clear(&target);
	if (!is_plain || strchr(strrchr(word, ':'), '-'))
		return err_set(e, ERR_CONFIG, "`%s` is no `host:port`", word);
	return ERR_OK;
}

static int add_open_target(struct config_strings *targets, const char *word, struct err *e)
{
	if (strcasecmp(word, "none") == 0)
		return err_set(e, ERR_CONFIG,
		    "the clients of a remote SOCKS proxy may go nowhere: leave out that "
		    "RemoteForward");
	if (check_open_target(word, e) < 0)
		return ERR_CONFIG;
	if (!config_strings_has(targets, word))
		config_strings_add(targets, word);
	return ERR_OK;
}

/* What it forbids must never be allowed by an import: what cannot be said as `allow_to` ends it. */
static void restrict_proxy(struct ssh_import *import, struct config_forward *forward)
{
	char *words = mem_strdup(import->remote_open), *rest = words, *word;
	struct err e = ERR_INIT;

	while (!e.class && (word = strtok_r(rest, " \t", &rest)))
		(void)add_open_target(&forward->allow_to, word, &e);
	free(words);
	if (!e.class)
		return;
	ssh_option_fail(import, "permitremoteopen", import->remote_open, e.text);
	free(import->remote_open);
	import->remote_open = NULL; /* said once */
}

/* "localhost" and "*" are addresses of both families to us. */
static void fit_family(const struct ssh_import *import, struct config_endpoint *listen)
{
	static const char *const loopback[] = {[SSH_INET] = "127.0.0.1", [SSH_INET6] = "::1"};
	static const char *const all[] = {[SSH_INET] = "0.0.0.0", [SSH_INET6] = "::"};
	const char *host = NULL;

	if (import->family == SSH_ANY_FAMILY || listen->kind != CONFIG_TCP)
		return;
	if (strcasecmp(listen->host, "localhost") == 0)
		host = loopback[import->family];
	else if (strcmp(listen->host, "*") == 0)
		host = all[import->family];
	if (!host)
		return;
	uint16_t port = listen->port;
	endpoint_clear(listen);
	*listen = endpoint_tcp(host, port);
}

/* For endpoint_parse(): what ssh prints has no tokens and variables any more. */
static char *expand_socket_path(void *arg, const char *path)
{
	const struct ssh_import *import = arg;

	return import->source == SSH_PRINTED ? expand_quote(path) : ssh_option_tokens(import, path);
}

static void finish_forward(struct ssh_import *import, const struct ssh_import_forward *wanted)
{
	static const char *const keywords[] = {[SSH_LOCAL_FORWARD] = "localforward",
	    [SSH_REMOTE_FORWARD] = "remoteforward",
	    [SSH_DYNAMIC_FORWARD] = "dynamicforward"};
	const struct ssh_spec_scope scope = {
	    .bind = import->bind, .dir = import->dir, .expand = expand_socket_path, .arg = import};
	struct config_tunnel *tunnel = &import->tunnel;
	struct config_forward forward;
	struct err e = ERR_INIT;

	if (ssh_forward_parse(wanted->spec, wanted->option, &scope, &forward, &e) < 0) {
		if (import->source == SSH_PRINTED) /* ssh took it: the rest is worth having */
			ssh_option_note(import, keywords[wanted->option], wanted->spec, e.text);
		else
			config_errors_add(import->errors, NULL, 0, "%s", e.text);
		return;
	}
	forward.place = import->host.place;
	if (forward_is_near(&forward))
		fit_family(import, &forward.listen);
	if (forward_listener(&forward) == ON_UNIX_NEAR)
		forward.mode = import->bind_mode;
	if (forward.kind == CONFIG_FORWARD_REMOTE_SOCKS && import->remote_open)
		restrict_proxy(import, &forward);
	tunnel->forwards =
	    mem_grow(tunnel->forwards, tunnel->forward_count + 1, sizeof(*tunnel->forwards));
	tunnel->forwards[tunnel->forward_count++] = forward;
}

/* ssh has two lists of known hosts and replaces each by itself; ours is one, the user's files first. */
static void finish_known_hosts(struct ssh_import *import)
{
	bool user = ssh_option_seen(import, "userknownhostsfile");
	bool system = ssh_option_seen(import, "globalknownhostsfile");
	struct config_strings *user_files = &import->user_known_hosts;
	struct config_strings *system_files = &import->system_known_hosts;

	if (!user && !system)
		return;
	if (!user)
		ssh_option_add_path(import, "userknownhostsfile", user_files, "~/.ssh/known_hosts");
	if (!system)
		config_strings_add(system_files, "/etc/ssh/ssh_known_hosts");
	for (size_t i = 0; i < user_files->n; i++)
		config_strings_add(&import->host.known_hosts, user_files->v[i]);
	for (size_t i = 0; i < system_files->n; i++)
		if (!config_strings_has(&import->host.known_hosts, system_files->v[i]))
			config_strings_add(&import->host.known_hosts, system_files->v[i]);
}

static bool may_have_agent(const struct config_host *host)
{
	const char *socket = getenv("SSH_AUTH_SOCK");

	return host->agent == CONFIG_AGENT_PATH ||
	       (host->agent == CONFIG_AGENT_ENVIRONMENT && socket && *socket);
}

/* Which of the agent's keys are tried, `identity` says here: all without it, else those that it names. */
static void finish_identity(struct ssh_import *import)
{
	bool named = import->host.identity.n > 0;

	if (import->no_identity && !named)
		ssh_option_note(import, "identityfile", "none",
		    "where `identity` names no file, adit tries its default ones");
	if (!may_have_agent(&import->host))
		return;
	if (named && !import->identities_only)
		ssh_option_note(import, "identitiesonly", "no",
		    "of the agent's keys adit tries those alone that `identity` names");
	else if (!named && import->identities_only)
		ssh_option_note(import, "identitiesonly", "yes",
		    "where `identity` names no file, adit tries all keys of the agent");
}

void ssh_import_finish(struct ssh_import *import)
{
	ssh_import_read_waiting(import);
	if (import->clear_forwards && import->forward_count > 0)
		ssh_option_note(import, "clearallforwardings", "yes",
		    "so it is with all forwards, those of the command line too");
	for (size_t i = 0; i < import->forward_count && !import->clear_forwards; i++)
		if (import->forwards[i].spec)
			finish_forward(import, &import->forwards[i]);
	finish_known_hosts(import);
	finish_identity(import);
}

/* ---- the life of an import ---- */

void ssh_import_init(struct ssh_import *import, const struct config_algorithms *algorithms,
    struct config_errors *errors, struct config_errors *notes)
{
	*import = (struct ssh_import){.log_level = LOG_LEVEL_INFO,
	    .bind = SSH_BIND_LOOPBACK,
	    .bind_mode = 0600,
	    .dir = expand_folder_of("."),
	    .algorithms = algorithms,
	    .errors = errors,
	    .notes = notes};
	defaults_of_host(&import->host);
	defaults_of_tunnel(&import->tunnel);
	import->host.place.file = "command line";
}

void ssh_import_clear(struct ssh_import *import)
{
	keys_clear(&keys_host, &import->host);
	for (size_t i = 0; i < import->tunnel.forward_count; i++)
		keys_clear(&keys_forward, &import->tunnel.forwards[i]);
	free(import->tunnel.forwards);
	keys_clear(&keys_tunnel, &import->tunnel);
	for (size_t i = 0; i < import->forward_count; i++)
		free(import->forwards[i].spec);
	free(import->forwards);
	for (size_t i = 0; i < import->waiting_count; i++)
		free(import->waiting[i].text);
	free(import->waiting);
	config_strings_clear(&import->user_known_hosts);
	config_strings_clear(&import->system_known_hosts);
	free(import->remote_open);
	free(import->may_be_unknown);
	free(import->proxy_jump);
	free(import->alias);
	free(import->dir);
}

/* libconfig reads `true` and `false`, in whatever case, as values. */
static bool can_be_name(const char *text)
{
	return isalpha((unsigned char)*text) && strcasecmp(text, "true") != 0 &&
	       strcasecmp(text, "false") != 0;
}

/* A name that libconfig takes, and that no other host has; gives. */
static char *make_name(const struct config *config, const char *wanted)
{
	char *base = can_be_name(wanted) ? mem_strdup(wanted) : str_format("host-%s", wanted);
	char *name = mem_strdup(base);

	for (char *p = base; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("-_", *p))
			*p = '-';
	for (int i = 2;; i++) {
		free(name);
		name = i == 2 ? mem_strdup(base) : str_format("%s-%d", base, i - 1);
		if (!config_find_host(config, name))
			break;
	}
	free(base);
	return name;
}

const char *ssh_import_add_host(
    struct config *config, struct ssh_import *import, const char *wanted, const char *via)
{
	struct config_host *host;

	config->hosts = mem_grow(config->hosts, config->host_count + 1, sizeof(*config->hosts));
	host = &config->hosts[config->host_count];
	*host = import->host;
	host->name = make_name(config, wanted);
	config->host_count++;
	if (!host->address)
		host->address = mem_strdup(wanted);
	if (via) {
		host->via = mem_strdup(via);
		host->via_place = host->place;
	}
	defaults_complete_host(host);
	if (!host->user)
		config_errors_add(import->errors, NULL, 0,
		    "`%s` needs a user (`-l`, or `user@`): the user id that adit runs under has no "
		    "name",
		    host->address);
	import->host = (struct config_host){.place = host->place};
	return host->name;
}

void ssh_import_add_tunnel(struct config *config, struct ssh_import *import, const char *host)
{
	struct config_tunnel *tunnel;

	if (import->tunnel.forward_count == 0)
		return;
	config->tunnels = mem_array(1, sizeof(*config->tunnels));
	config->tunnel_count = 1;
	tunnel = &config->tunnels[0];
	*tunnel = import->tunnel;
	import->tunnel = (struct config_tunnel){0};
	tunnel->name = mem_strdup(host);
	tunnel->place = tunnel->forwards[0].place;
	tunnel->via_place = tunnel->place;
	config_strings_add(&tunnel->via, host);
}
