/*
 * The life of a snapshot.
 */
#include "config/config.h"

#include <stdlib.h>
#include <string.h>

#include "config/keys.h"

const char *config_forward_kind_name(enum config_forward_kind kind)
{
	static const char *const names[] = {[CONFIG_FORWARD_LOCAL] = "local",
	    [CONFIG_FORWARD_REMOTE] = "remote",
	    [CONFIG_FORWARD_SOCKS] = "socks",
	    [CONFIG_FORWARD_REMOTE_SOCKS] = "remote_socks"};

	return names[kind];
}

struct config *config_ref(struct config *config)
{
	config->references++;
	return config;
}

static void tunnel_clear(struct config_tunnel *tunnel)
{
	for (size_t i = 0; i < tunnel->forward_count; i++)
		keys_clear(&keys_forward, &tunnel->forwards[i]);
	free(tunnel->forwards);
	keys_clear(&keys_tunnel, tunnel);
	free(tunnel->name);
}

void config_unref(struct config *config)
{
	if (!config || --config->references > 0)
		return;
	for (size_t i = 0; i < config->host_count; i++) {
		keys_clear(&keys_host, &config->hosts[i]);
		free(config->hosts[i].name);
	}
	for (size_t i = 0; i < config->tunnel_count; i++)
		tunnel_clear(&config->tunnels[i]);
	free(config->hosts);
	free(config->tunnels);
	keys_clear(&keys_top, config);
	config_strings_clear(&config->files);
	config_strings_clear(&config->includes);
	config_errors_clear(&config->warnings);
	free(config->path);
	free(config);
}

struct config_place config_strings_place(const struct config_strings *strings, size_t i)
{
	struct config_place place = strings->place;

	if (strings->lines[i])
		place.line = strings->lines[i];
	return place;
}

const struct config_host *config_find_host(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->host_count; i++)
		if (strcmp(config->hosts[i].name, name) == 0)
			return &config->hosts[i];
	return NULL;
}
