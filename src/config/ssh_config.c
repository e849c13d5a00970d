/*
 * Reads the lines of `ssh -G`: "keyword value", keywords in lower case, all defaults filled in.
 */
#include "config/ssh_config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "config/keys.h"
#include "config/ssh_option.h"
#include "config/value.h"

#define JUMPS_MAX 16 /* of jumps that have jumps of their own */

struct importer {
	struct config *config;
	const struct ssh_config_source *source;
	struct config_errors *errors, *notes;
	int depth;
};

/* The next line at or after *p that has the keyword of this one, and moves *p behind it; n is 0 when there is none. */
static struct span next_of_keyword(const char **p, const char *line)
{
	size_t keyword = strcspn(line, " \n");

	while (**p) {
		const char *begin = *p;
		size_t n = strcspn(begin, "\n");
		*p += n + (begin[n] == '\n');
		if (n > keyword && memcmp(begin, line, keyword) == 0 && begin[keyword] == ' ')
			return (struct span){(const uint8_t *)begin, n};
	}
	return (struct span){0};
}

/* Whether the text says of the line's keyword what the baseline says, no more and no less: of keywords that may come many
 * times, such as IdentityFile, one alone means something else than it does among ssh's own. */
static bool is_default(const char *text, const char *baseline, const char *line)
{
	struct span a, b;

	do {
		a = next_of_keyword(&text, line);
		b = next_of_keyword(&baseline, line);
		if (!span_equal(a, b))
			return false;
	} while (a.n > 0);
	return true;
}

static bool line_is(const char *line, const char *keyword)
{
	size_t n = strlen(keyword);

	return strncmp(line, keyword, n) == 0 && line[n] == ' ';
}

/* Where to, and as whom: this is never left to a default. That of `user` is who imports here, and who runs adit there. */
static bool is_always_carried(const char *line)
{
	return line_is(line, "hostname") || line_is(line, "port") || line_is(line, "user");
}

static bool is_algorithms(const char *line)
{
	static const char *const keywords[] = {"ciphers", "macs", "kexalgorithms",
	    "hostkeyalgorithms", "pubkeyacceptedalgorithms", "casignaturealgorithms"};

	for (size_t i = 0; i < ARRAY_LEN(keywords); i++)
		if (line_is(line, keywords[i]))
			return true;
	return false;
}

/* "ciphers a,b,c" where ssh has "ciphers a,b" by default is "ciphers +c": a change of our list, too, and of what was not asked
 * for nothing is said. (Fewer than the default are what is allowed, and nothing else.) Takes the line; gives. */
static char *as_change(char *line, const char *baseline)
{
	struct span usual = next_of_keyword(&baseline, line);
	size_t keyword = strcspn(line, " ");

	if (usual.n == 0 || strncmp(line, (const char *)usual.p, usual.n) != 0 ||
	    line[usual.n] != ',')
		return line;
	char *change = str_format("%.*s +%s", (int)keyword, line, line + usual.n + 1);
	free(line);
	return change;
}

static void read_lines(struct importer *importer, struct ssh_import *import, const char *text)
{
	const char *baseline = importer->source->baseline;

	for (const char *p = text; *p;) {
		size_t n = strcspn(p, "\n");
		char *line = mem_strndup(p, n > 0 && p[n - 1] == '\r' ? n - 1 : n);
		if (baseline && is_algorithms(line))
			line = as_change(line, baseline);
		if (strchr(line, ' ') &&
		    (!baseline || is_always_carried(line) || !is_default(text, baseline, p)))
			ssh_import_line(import, line);
		free(line);
		p += n + (p[n] == '\n');
	}
}

/* From that listener to a Unix socket: `ssh -G` prints hosts in brackets. */
static bool goes_to_path(const struct ssh_import_forward *forward, const char *listen)
{
	size_t n = strlen(listen);

	return forward->option == SSH_LOCAL_FORWARD && strncmp(forward->spec, listen, n) == 0 &&
	       forward->spec[n] == ':' && forward->spec[n + 1] != '[';
}

static void drop_false_dynamic(struct ssh_import *import, const struct ssh_import_forward *local)
{
	for (size_t i = 0; i < import->forward_count; i++) {
		struct ssh_import_forward *at = &import->forwards[i];
		if (at->option == SSH_DYNAMIC_FORWARD && at->spec &&
		    goes_to_path(local, at->spec)) {
			free(at->spec);
			at->spec = NULL;
			return;
		}
	}
}

/* A LocalForward to a Unix socket has no host, and `ssh -G` (OpenSSH 9.2) takes it for a DynamicForward, too: each adds
 * one with its listener. One more than these was asked for. */
static void drop_false_dynamics(struct ssh_import *import)
{
	for (size_t i = 0; i < import->forward_count; i++)
		drop_false_dynamic(import, &import->forwards[i]);
}

static bool has_any_key(const struct config_strings *paths)
{
	for (size_t i = 0; i < paths->n; i++)
		if (value_has_key_file(paths->v[i]))
			return true;
	return false;
}

/* ssh passes over files that are not there, adit fails: those that are left out are named, unless none would be left. */
static void drop_missing_identities(struct ssh_import *import)
{
	struct config_strings *all = &import->host.identity, kept = {.place = all->place};

	if (!has_any_key(all))
		return;
	for (size_t i = 0; i < all->n; i++) {
		if (value_has_key_file(all->v[i]))
			config_strings_add(&kept, all->v[i]);
		else
			ssh_option_note(import, "identityfile", all->v[i], "there is no such file");
	}
	config_strings_clear(all);
	*all = kept;
}

/* A hop as ssh knows it: by an alias, perhaps, and with jumps of its own if it is the first. */
static const char *add_destination(struct importer *importer, struct ssh_import *import,
    const char *alias, const char *text, const char *via);

static const char *add_jump(struct importer *importer, const char *hop, const char *via)
{
	struct ssh_destination destination;
	struct ssh_import import;
	struct err e = ERR_INIT;
	const char *name = NULL;

	if (ssh_jump_parse(hop, &destination, &e) < 0) {
		config_errors_add(importer->errors, NULL, 0, "jump host: %s", e.text);
		return NULL;
	}
	char *text = importer->source->ask(importer->source->arg, hop, importer->errors);
	if (text) {
		ssh_import_init(
		    &import, importer->source->algorithms, importer->errors, importer->notes);
		import.is_jump = true;
		name = add_destination(importer, &import, destination.host, text, via);
		ssh_import_clear(&import);
	}
	free(text);
	ssh_destination_clear(&destination);
	return name;
}

static const char *add_jumps(struct importer *importer, const char *jumps)
{
	struct span list = span_of(jumps), hop;
	const char *via = NULL;

	if (++importer->depth > JUMPS_MAX) {
		config_errors_add(
		    importer->errors, NULL, 0, "ProxyJump %s: a loop of jumps", jumps);
		return NULL;
	}
	while (name_list_next(&list, &hop)) {
		char *text = span_strdup(hop);
		via = add_jump(importer, text, via);
		free(text);
		if (!via)
			break;
	}
	importer->depth--;
	return via;
}

/* With via, ssh reaches the hop through the one before, whatever its own ProxyJump or ProxyCommand says. */
static const char *add_destination(struct importer *importer, struct ssh_import *import,
    const char *alias, const char *text, const char *via)
{
	size_t errors_before = importer->errors->n;

	import->alias = mem_strdup(alias);
	import->source = SSH_PRINTED;
	if (via) { /* the first value counts */
		ssh_import_option(import, "proxyjump", "none");
		ssh_import_option(import, "proxycommand", "none");
	}
	read_lines(importer, import, text);
	drop_false_dynamics(import);
	ssh_import_finish(import);
	drop_missing_identities(import);
	if (!via && import->proxy_jump)
		via = add_jumps(importer, import->proxy_jump);
	if (importer->errors->n > errors_before)
		return NULL;
	return ssh_import_add_host(importer->config, import, alias, via);
}

struct config *config_from_ssh_config(const char *text, const char *alias,
    const struct ssh_config_source *source, struct config_errors *errors,
    struct config_errors *notes)
{
	struct importer importer = {
	    .config = NEW(struct config), .source = source, .errors = errors, .notes = notes};
	struct ssh_import import;
	size_t errors_before = errors->n;

	importer.config->references = 1;
	defaults_of_config(importer.config);
	ssh_import_init(&import, source->algorithms, errors, notes);
	const char *name = add_destination(&importer, &import, alias, text, NULL);
	if (name) {
		importer.config->log_level = import.log_level;
		ssh_import_add_tunnel(importer.config, &import, name);
		check_config(importer.config, errors);
	}
	ssh_import_clear(&import);
	if (errors->n == errors_before)
		return importer.config;
	config_unref(importer.config);
	return NULL;
}
