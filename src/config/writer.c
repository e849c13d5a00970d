/*
 * Writing by the tables of keys: each key whose value is not what holds anyway.
 */
#include "config/writer.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/keys.h"

static void write_keys(const struct key_table *table, const void *object, const void *built_in,
    const char *indent, struct strbuf *out)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct key *key = &table->keys[i];
		struct strbuf value = {0};
		if (!key->type || key->type->equal(key, object, built_in))
			continue;
		key->type->write(key, &value, object);
		if (value.n > 0)
			strbuf_addf(out, "%s%s = %s;\n", indent, key->name, strbuf_text(&value));
		strbuf_clear(&value);
	}
}

static void write_host(const struct config_host *host, struct strbuf *out)
{
	struct config_host built_in = {.name = host->name};

	defaults_of_host(&built_in);
	defaults_complete_host(&built_in);
	/* Who writes this may be another than who runs it: the user is named, whoever it is. */
	free(built_in.user);
	built_in.user = NULL;
	strbuf_addf(out, "\t%s: {\n", host->name);
	write_keys(&keys_host, host, &built_in, "\t\t", out);
	strbuf_add(out, "\t};\n");
	keys_clear(&keys_host, &built_in);
}

static void write_forward(
    const struct config_forward *forward, const char *indent, struct strbuf *out)
{
	struct config_forward built_in = {0};

	defaults_of_forward(&built_in);
	write_keys(&keys_forward, forward, &built_in, indent, out);
}

static void write_tunnel(const struct config_tunnel *tunnel, struct strbuf *out)
{
	struct config_tunnel built_in = {0};

	defaults_of_tunnel(&built_in);
	strbuf_addf(out, "\t%s: {\n", tunnel->name);
	write_keys(&keys_tunnel, tunnel, &built_in, "\t\t", out);
	if (tunnel->forward_count == 1) {
		write_forward(&tunnel->forwards[0], "\t\t", out);
	} else {
		strbuf_add(out, "\t\tforwards = (\n");
		for (size_t i = 0; i < tunnel->forward_count; i++) {
			strbuf_add(out, "\t\t\t{\n");
			write_forward(&tunnel->forwards[i], "\t\t\t\t", out);
			strbuf_add(out, i + 1 < tunnel->forward_count ? "\t\t\t},\n" : "\t\t\t}\n");
		}
		strbuf_add(out, "\t\t);\n");
	}
	strbuf_add(out, "\t};\n");
}

void config_write_text(const struct config *config, struct strbuf *out)
{
	struct config built_in = {0};

	defaults_of_config(&built_in);
	write_keys(&keys_top, config, &built_in, "", out);
	strbuf_add(out, "hosts: {\n");
	for (size_t i = 0; i < config->host_count; i++)
		write_host(&config->hosts[i], out);
	strbuf_add(out, "};\n");
	if (config->tunnel_count == 0)
		return;
	strbuf_add(out, "\ntunnels: {\n");
	for (size_t i = 0; i < config->tunnel_count; i++)
		write_tunnel(&config->tunnels[i], out);
	strbuf_add(out, "};\n");
}
