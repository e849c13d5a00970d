/*
 * From what was read of ssh's options to hosts and a tunnel of a snapshot.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "config/expand.h"
#include "config/keys.h"
#include "config/ssh_option.h"

/* ssh has two lists of known hosts and replaces each by itself; ours is one, the user's files first. */
static void finish_known_hosts(struct ssh_import *import)
{
	bool user = ssh_option_seen(import, "userknownhostsfile");
	bool system = ssh_option_seen(import, "globalknownhostsfile");
	struct config_strings *user_files = &import->user_known_hosts;
	struct config_strings *system_files = &import->system_known_hosts;

	if (!user && !system)
		return;
	/* As ssh_config(5) has it; what ssh prints says so. */
	if (user && import->source == SSH_SAID && !ssh_option_seen(import, "updatehostkeys"))
		import->host.update_host_keys = false;
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
	ssh_import_finish_forwards(import);
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
	tunnel->via.place = tunnel->place;
	config_strings_add(&tunnel->via, host);
}
