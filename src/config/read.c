/*
 * From the trees of all files to one snapshot.
 */
#include "config/read.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "config/check.h"
#include "config/endpoint.h"
#include "config/expand.h"
#include "config/file.h"
#include "config/keys.h"
#include "config/tree.h"

#define FILES_MAX 4096
enum { NAME_LENGTH_MAX = 255 };

struct source {
	struct reading reading;
	struct setting *tree;
	char *dir;
};

struct reader {
	struct config *config;
	const struct config_algorithms *algorithms; /* or NULL */
	struct config_errors *errors;
	struct source *sources; /* the main file first */
	size_t source_count;
	struct map *unread_hosts; /* names of some that are there, with an error; a set */
	bool may_have_more;       /* hosts of whatever name, in what could not be read */

	/* built in, then host_defaults and tunnel_defaults */
	struct config_host host;
	struct config_tunnel tunnel;
	struct config_forward forward;
	/* names to places: what defines the second one is told of the first */
	struct map *host_places, *tunnel_places;
	struct map *real_paths; /* of the files so far; a set */
};

/* ---- groups and keys ---- */

/* One table and the object that its keys go to; a group may have the keys of several. */
struct section {
	const struct key_table *table;
	void *object;
};

static const struct key *find_key(
    const struct section *sections, size_t count, const char *name, void **ret_object)
{
	for (size_t i = 0; i < count; i++) {
		const struct key *key = key_find(sections[i].table, name);
		if (key) {
			*ret_object = sections[i].object;
			return key;
		}
	}
	return NULL;
}

static void report_unknown(const struct reading *r, const struct setting *s, const char *what,
    const struct section *sections, size_t count)
{
	const char *names[128];
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < sections[i].table->count && n < ARRAY_LEN(names); j++)
			names[n++] = sections[i].table->keys[j].name;
	const char *nearest =
	    config_errors_want_hints(r->errors) ? str_nearest(s->name, names, n) : NULL;
	if (nearest)
		reading_error(
		    r, s, "%s has no key `%s`; did you mean `%s`?", what, s->name, nearest);
	else
		reading_error(r, s, "%s has no key `%s`", what, s->name);
}

/* what: "a host" and the like, for the message about an unknown key. */
static void read_keys(const struct reading *r, const struct setting *group, const char *what,
    const struct section *sections, size_t count)
{
	for (unsigned late = 0; late <= KEY_LATE; late += KEY_LATE) {
		for (size_t i = 0; i < group->child_count; i++) {
			const struct setting *s = &group->children[i];
			void *object;
			if (s->type == SETTING_BROKEN)
				continue;
			const struct key *key = find_key(sections, count, s->name, &object);
			if (!key && !late)
				report_unknown(r, s, what, sections, count);
			if (key && key->type && (key->flags & KEY_LATE) == late)
				key->type->read(r, s, key, object);
		}
	}
}

static bool is_group(const struct reading *r, const struct setting *s, const char *example)
{
	if (s->type != SETTING_GROUP && s->type != SETTING_BROKEN)
		reading_error(r, s, "`%s` must be a group: %s", s->name, example);
	return s->type == SETTING_GROUP;
}

static bool name_is_new(const struct reading *r, struct map *places, const struct setting *s,
    struct config_place *place)
{
	struct config_place *first = map_get(places, s->name);

	if (!first) {
		map_put(places, s->name, place);
		return true;
	}
	reading_error(
	    r, s, "`%s` is defined twice: first at %s:%d", s->name, first->file, first->line);
	free(place);
	return false;
}

static struct config_place *new_place(const struct reading *r, const struct setting *s)
{
	struct config_place *place = NEW(struct config_place);

	*place = (struct config_place){.file = r->file, .line = s->line};
	return place;
}

/* ---- defaults ---- */

static void refuse_identity(const struct reading *r, const struct setting *group)
{
	for (size_t i = 0; i < group->child_count; i++) {
		const struct key *key = key_find(&keys_forward, group->children[i].name);
		key = key ? key : key_find(&keys_tunnel, group->children[i].name);
		if (key && (key->flags & KEY_IDENTITY))
			reading_error(r, &group->children[i],
			    "`%s` cannot be a default: each tunnel has its own", key->name);
	}
}

static void read_defaults(struct reader *reader)
{
	const struct reading *r = &reader->sources[0].reading;
	const struct setting *hosts = tree_find(reader->sources[0].tree, "host_defaults");
	const struct setting *tunnels = tree_find(reader->sources[0].tree, "tunnel_defaults");
	struct section of_host[] = {{&keys_host, &reader->host}};
	struct section of_tunnel[] = {
	    {&keys_tunnel, &reader->tunnel}, {&keys_forward, &reader->forward}};

	defaults_of_host(&reader->host);
	defaults_of_tunnel(&reader->tunnel);
	defaults_of_forward(&reader->forward);
	if (hosts && is_group(r, hosts, "host_defaults: { user = \"tunnel\"; }"))
		read_keys(r, hosts, "a host", of_host, ARRAY_LEN(of_host));
	if (tunnels && is_group(r, tunnels, "tunnel_defaults: { hold_timeout = 5; }")) {
		refuse_identity(r, tunnels);
		read_keys(r, tunnels, "a tunnel", of_tunnel, ARRAY_LEN(of_tunnel));
	}
	/* what refuse_identity() reported must not be taken for a listener of every tunnel */
	endpoint_clear(&reader->forward.listen);
	reader->forward.place = (struct config_place){0};
	reader->forward.kind = CONFIG_FORWARD_LOCAL;
}

/* ---- hosts ---- */

/* What is no number has been told of, and left the default as it was. */
static bool is_number_if_any(const struct setting *group, const char *name)
{
	const struct setting *s = group ? tree_find(group, name) : NULL;

	return !s || s->type == SETTING_INT || s->type == SETTING_FLOAT;
}

/* One of both is at least where it is said: in the host, else in host_defaults. */
static void report_reconnect(const struct reader *reader, const struct reading *r,
    const struct setting *group, const struct config_host *host)
{
	const struct setting *defaults = tree_find(reader->sources[0].tree, "host_defaults");

	if (!is_number_if_any(group, "reconnect_min") ||
	    !is_number_if_any(group, "reconnect_max") ||
	    !is_number_if_any(defaults, "reconnect_min") ||
	    !is_number_if_any(defaults, "reconnect_max"))
		return;
	if (!tree_find(group, "reconnect_min") && !tree_find(group, "reconnect_max")) {
		r = &reader->sources[0].reading;
		group = defaults;
	}
	const struct setting *min = tree_find(group, "reconnect_min");
	if (min)
		reading_error(r, min, "`reconnect_min` is more than `reconnect_max`, which is %g",
		    (double)host->reconnect_max_ms / 1000);
	else
		reading_error(r, tree_find(group, "reconnect_max"),
		    "`reconnect_max` is less than `reconnect_min`, which is %g",
		    (double)host->reconnect_min_ms / 1000);
}

static void read_host(struct reader *reader, const struct reading *r, const struct setting *s)
{
	struct config *config = reader->config;
	struct config_host *host;

	if (!is_group(r, s, "name: { address = \"ssh.example.com\"; }")) {
		map_put(reader->unread_hosts, s->name, reader);
		return;
	}
	if (!name_is_new(r, reader->host_places, s, new_place(r, s)))
		return;
	config->hosts = mem_grow(config->hosts, config->host_count + 1, sizeof(*config->hosts));
	host = &config->hosts[config->host_count++];
	*host = (struct config_host){.name = mem_strdup(s->name),
	    .place = {.file = r->file, .line = s->line},
	    .via_place = reader->host.via_place};
	keys_copy(&keys_host, host, &reader->host);

	struct section sections[] = {{&keys_host, host}};
	read_keys(r, s, "a host", sections, ARRAY_LEN(sections));
	defaults_complete_host(host);
	if (!host->user)
		reading_error(r, s,
		    "host `%s` needs a `user`: the user id that adit runs under has no name",
		    host->name);
	if (host->reconnect_min_ms > host->reconnect_max_ms)
		report_reconnect(reader, r, s, host);
	if (!endpoint_host_is_valid(host->address))
		reading_error(
		    r, s, "`%s` is no address: the host needs a key `address`", host->name);
}

/* ---- tunnels ---- */

static struct config_forward *add_forward(struct reader *reader, struct config_tunnel *tunnel)
{
	struct config_forward *forward;

	tunnel->forwards =
	    mem_grow(tunnel->forwards, tunnel->forward_count + 1, sizeof(*tunnel->forwards));
	forward = &tunnel->forwards[tunnel->forward_count++];
	*forward = (struct config_forward){0};
	keys_copy(&keys_forward, forward, &reader->forward);
	return forward;
}

/* A default that makes no sense here is none; a key of the forward's own that makes none is an
 * error. */
static void fit_keys(
    const struct reading *r, const struct setting *group, struct config_forward *forward)
{
	struct config_forward built_in = {0};

	defaults_of_forward(&built_in);
	for (size_t i = 0; i < keys_forward.count; i++) {
		const struct key *key = &keys_forward.keys[i];
		const struct setting *s = tree_find(group, key->name);
		const char *why = key_misfit(key, forward);
		if (why && s)
			reading_error(r, s, "`%s` goes not with %s: %s", key->name,
			    config_forward_kind_name(forward->kind), why);
		if (why) {
			key->type->clear(key, forward);
			key->type->copy(key, forward, &built_in);
		}
	}
}

/* Whether the group has the key, or tunnel_defaults: what is wrong with it has been told, and then it is not missing. */
static bool is_said(const struct reader *reader, const struct setting *group, const char *key)
{
	const struct setting *defaults = tree_find(reader->sources[0].tree, "tunnel_defaults");

	return tree_find(group, key) ||
	       (defaults && (defaults->type != SETTING_GROUP || tree_find(defaults, key) ||
				tree_find(defaults, "")));
}

/* It says where to listen, but not so that it could be read. */
static bool is_listener_told_of(const struct setting *group)
{
	for (size_t i = 0; i < group->child_count; i++) {
		const struct key *key = key_find(&keys_forward, group->children[i].name);
		if (group->children[i].type == SETTING_BROKEN && key && (key->flags & KEY_IDENTITY))
			return true;
	}
	return false;
}

/* After its keys were read. */
static void complete_forward(const struct reader *reader, const struct reading *r,
    const struct setting *group, struct config_forward *forward)
{
	if (!forward->place.file && !is_listener_told_of(group))
		reading_error(r, group,
		    "nothing says where to listen: `local`, `remote`, `socks` or `remote_socks`");
	if (!forward->place.file)
		return;
	if (!forward->listen.text)
		return; /* reported */
	fit_keys(r, group, forward);
	if (!forward_is_socks(forward) && !forward->to.text && !is_said(reader, group, "to"))
		config_errors_add(r->errors, forward->place.file, forward->place.line,
		    "`to` is missing: where do the connections of `%s` go?",
		    config_forward_kind_name(forward->kind));
}

static void read_forward_list(struct reader *reader, const struct reading *r,
    const struct setting *list, struct config_tunnel *tunnel)
{
	if (list->type == SETTING_BROKEN)
		return;
	if ((list->type != SETTING_LIST && list->type != SETTING_ARRAY) ||
	    (list->child_count > 0 && list->children[0].type != SETTING_GROUP &&
		list->children[0].type != SETTING_BROKEN)) {
		reading_error(r, list,
		    "`forwards` must be a list of groups: ( { local = ...; to = ...; }, { ... } )");
		return;
	}
	if (list->child_count == 0)
		reading_error(r, list, "`forwards` is an empty list");
	for (size_t i = 0; i < list->child_count; i++) {
		const struct setting *group = &list->children[i];
		if (group->type == SETTING_BROKEN)
			continue;
		if (group->type != SETTING_GROUP) {
			reading_error(
			    r, group, "a forward must be a group: { local = ...; to = ...; }");
			continue;
		}
		struct config_forward *forward = add_forward(reader, tunnel);
		struct section sections[] = {{&keys_forward, forward}};
		read_keys(r, group, "a forward", sections, ARRAY_LEN(sections));
		complete_forward(reader, r, group, forward);
	}
}

static void refuse_forward_keys(const struct reading *r, const struct setting *group)
{
	for (size_t i = 0; i < group->child_count; i++)
		if (key_find(&keys_forward, group->children[i].name))
			reading_error(r, &group->children[i],
			    "`%s` beside `forwards`: it belongs into the groups of that list",
			    group->children[i].name);
}

static bool has_target(const struct config_tunnel *tunnel)
{
	for (size_t i = 0; i < tunnel->forward_count; i++)
		if (!forward_is_socks(&tunnel->forwards[i]))
			return true;
	return false;
}

static void check_tunnel(const struct reader *reader, const struct reading *r,
    const struct setting *s, const struct config_tunnel *tunnel)
{
	const struct setting *probe = tree_find(s, "probe");

	if (tunnel->via.n == 0 && !is_said(reader, s, "via"))
		reading_error(
		    r, s, "tunnel `%s` has no `via`: through which host does it go?", tunnel->name);
	if (probe && tunnel->probe == CONFIG_PROBE_TCP && !has_target(tunnel))
		reading_error(
		    r, probe, "`probe` goes not with SOCKS alone: there is no target to try");
}

static void read_tunnel(struct reader *reader, const struct reading *r, const struct setting *s)
{
	struct config *config = reader->config;
	const struct setting *list;
	struct config_tunnel *tunnel;

	if (!is_group(r, s, "name: { via = ...; local = ...; to = ...; }") ||
	    !name_is_new(r, reader->tunnel_places, s, new_place(r, s)))
		return;
	config->tunnels =
	    mem_grow(config->tunnels, config->tunnel_count + 1, sizeof(*config->tunnels));
	tunnel = &config->tunnels[config->tunnel_count++];
	*tunnel = (struct config_tunnel){
	    .name = mem_strdup(s->name), .place = {.file = r->file, .line = s->line}};
	keys_copy(&keys_tunnel, tunnel, &reader->tunnel);

	/* in a tunnel with a list, a forward's keys are read into one that nobody sees */
	list = tree_find(s, "forwards");
	struct config_forward unseen = {0};
	struct section sections[] = {
	    {&keys_tunnel, tunnel}, {&keys_forward, list ? &unseen : add_forward(reader, tunnel)}};
	if (list)
		refuse_forward_keys(r, s);
	read_keys(r, s, "a tunnel", sections, ARRAY_LEN(sections));
	keys_clear(&keys_forward, &unseen);
	if (list)
		read_forward_list(reader, r, list, tunnel);
	else
		complete_forward(reader, r, s, &tunnel->forwards[0]);
	check_tunnel(reader, r, s, tunnel);
}

static bool name_is_good(const struct reading *r, const struct setting *s)
{
	if (strchr(s->name, '*')) { /* libconfig takes it for a letter, commands for a pattern */
		reading_error(r, s, "`%s`: a name has letters, digits, - and _ only", s->name);
		return false;
	}
	if (strlen(s->name) > NAME_LENGTH_MAX) {
		reading_error(
		    r, s, "`%.40s...`: a name has at most %d characters", s->name, NAME_LENGTH_MAX);
		return false;
	}
	return true;
}

static void read_members(struct reader *reader, const struct source *source, const char *name,
    const char *example,
    void (*read)(struct reader *reader, const struct reading *r, const struct setting *s))
{
	const struct setting *group = tree_find(source->tree, name);

	if (!group || !is_group(&source->reading, group, example))
		return;
	for (size_t i = 0; i < group->child_count; i++) {
		const struct setting *one = &group->children[i];

		if (name_is_good(&source->reading, one))
			read(reader, &source->reading, one);
		else
			map_put(reader->unread_hosts, one->name, reader);
	}
}

/* ---- files ---- */

/* Returns the source, or NULL when the text could not be parsed. */
static struct source *add_source(
    struct reader *reader, const char *name, const char *text, size_t size)
{
	struct config *config = reader->config;
	struct source *source;
	struct setting *tree = tree_parse(text, size, name, reader->errors);

	config_strings_add(&config->files, name);
	if (!tree) {
		reader->may_have_more = true;
		return NULL;
	}
	reader->sources =
	    mem_grow(reader->sources, reader->source_count + 1, sizeof(*reader->sources));
	source = &reader->sources[reader->source_count++];
	*source = (struct source){.tree = tree, .dir = expand_folder_of(name)};
	source->reading = (struct reading){.file = config->files.v[config->files.n - 1],
	    .dir = source->dir,
	    .errors = reader->errors,
	    .warnings = &config->warnings};
	return source;
}

/* Whether it is the first time that this file is met, whatever name it goes by. */
static bool is_new_file(struct reader *reader, const char *path)
{
	char *real = realpath(path, NULL);
	bool is_new = !real || !map_put(reader->real_paths, real, reader);

	free(real);
	return is_new;
}

static void refuse_top_keys(const struct source *source)
{
	const struct section sections[] = {{&keys_top, NULL}};

	for (size_t i = 0; i < source->tree->child_count; i++) {
		const struct setting *s = &source->tree->children[i];
		if (s->type == SETTING_BROKEN || strcmp(s->name, "hosts") == 0 ||
		    strcmp(s->name, "tunnels") == 0)
			continue;
		if (key_find(&keys_top, s->name))
			reading_error(&source->reading, s,
			    "`%s` in an included file: only `hosts` and `tunnels` may be there",
			    s->name);
		else
			report_unknown(&source->reading, s, "an included file", sections, 1);
	}
}

static void include_file(struct reader *reader, const struct setting *at, const char *path)
{
	struct err e = ERR_INIT;
	size_t size;

	if (!is_new_file(reader, path))
		return;
	if (reader->config->files.n == FILES_MAX) {
		reading_error(&reader->sources[0].reading, at, "`include`: too many files");
		reader->may_have_more = true;
		return;
	}
	char *text = config_file_read(path, CONFIG_FILE_NO_PIPE, &size, &e);
	if (!text) {
		reading_error(&reader->sources[0].reading, at, "`include`: %s: %s", path, e.text);
		reader->may_have_more = true;
		return;
	}
	const struct source *source = add_source(reader, path, text, size);
	if (source)
		refuse_top_keys(source);
	free(text);
}

/* The name that a pattern without wildcards stands for; gives, NULL: it has some. */
static char *plain_name(const char *pattern)
{
	struct strbuf name = {0};

	for (; *pattern; pattern++) {
		if (strchr("*?[", *pattern)) {
			strbuf_clear(&name);
			return NULL;
		}
		if (*pattern == '\\' && pattern[1])
			pattern++;
		strbuf_add_n(&name, pattern, 1);
	}
	return strbuf_take(&name);
}

/* glob() hands nothing through. */
static struct {
	char *path;
	int error;
} unreadable;

/* A folder that is not there has no files; of one that cannot be read nobody knows. */
static int on_glob_error(const char *path, int error)
{
	if (error == ENOENT || error == ENOTDIR)
		return 0;
	free(unreadable.path);
	unreadable.path = mem_strdup(path);
	unreadable.error = error;
	return 1;
}

static void report_glob(
    struct reader *reader, const struct setting *at, const char *pattern, int failure)
{
	bool known = failure == GLOB_ABORTED && unreadable.path;

	reading_error(&reader->sources[0].reading, at, "`include`: %s: cannot be read: %s",
	    known ? unreadable.path : pattern, strerror(known ? unreadable.error : ENOMEM));
	reader->may_have_more = true;
	free(unreadable.path);
	unreadable.path = NULL;
}

/* A pattern may match nothing, a plain name may not. */
static void include_pattern(struct reader *reader, const struct setting *at, const char *pattern)
{
	char *name = plain_name(pattern);
	glob_t found = {0};

	if (name) {
		include_file(reader, at, name);
		free(name);
		return;
	}
	int failure = glob(pattern, 0, on_glob_error, &found);
	if (failure && failure != GLOB_NOMATCH)
		report_glob(reader, at, pattern, failure);
	for (size_t i = 0; i < found.gl_pathc && !failure; i++)
		include_file(reader, at, found.gl_pathv[i]);
	globfree(&found);
}

static void read_includes(struct reader *reader)
{
	const struct setting *s = tree_find(reader->sources[0].tree, "include");
	struct config_strings *patterns = &reader->config->includes;
	const struct key key = {.name = "include", .type = &value_includes};
	size_t errors_before = reader->errors->n;

	if (!s || s->type == SETTING_BROKEN)
		return;
	key.type->read(&reader->sources[0].reading, s, &key, patterns);
	if (reader->errors->n > errors_before || patterns->n < s->child_count)
		reader->may_have_more = true;
	for (size_t i = 0; i < patterns->n; i++) {
		const struct setting word = {.line = patterns->lines[i]};
		include_pattern(reader, &word, patterns->v[i]);
	}
}

/* ---- the whole ---- */

/* Is there a group of hosts that has been reported for something else? */
static bool may_hide_hosts(const struct setting *s)
{
	bool has_hosts = strcmp(s->name, "hosts") == 0, includes = strcmp(s->name, "include") == 0;

	if (s->type == SETTING_BROKEN)
		return has_hosts || includes || !key_find(&keys_top, s->name);
	if (s->type == SETTING_GROUP)
		return !key_find(&keys_top, s->name);
	return has_hosts;
}

/* Whoever uses what could not be read would be blamed for it. */
static void find_hidden_hosts(struct reader *reader)
{
	for (size_t i = 0; i < reader->source_count; i++)
		for (size_t j = 0; j < reader->sources[i].tree->child_count; j++)
			if (may_hide_hosts(&reader->sources[i].tree->children[j]))
				reader->may_have_more = true;
	if (map_get(reader->unread_hosts, "")) /* one without a name */
		reader->may_have_more = true;
}

static void read_trees(struct reader *reader)
{
	struct section top[] = {{&keys_top, reader->config}};

	read_includes(reader);
	read_keys(
	    &reader->sources[0].reading, reader->sources[0].tree, "the configuration", top, 1);
	read_defaults(reader);
	for (size_t i = 0; i < reader->source_count; i++) {
		read_members(reader, &reader->sources[i], "hosts",
		    "hosts: { name: { address = ...; }; }", read_host);
		read_members(reader, &reader->sources[i], "tunnels",
		    "tunnels: { name: { via = ...; local = ...; to = ...; }; }", read_tunnel);
	}
	if (reader->algorithms) {
		config_check_host_algorithms(&reader->host, reader->algorithms, reader->errors);
		config_check_algorithms(reader->config, reader->algorithms, reader->errors);
	}
	find_hidden_hosts(reader);
	check_config_in_part(
	    reader->config, reader->may_have_more ? NULL : reader->unread_hosts, reader->errors);
}

static void free_places(struct map *places)
{
	size_t cursor = 0;
	void *place;

	while ((place = map_next(places, &cursor)))
		free(place);
	map_free(places);
}

static void reader_clear(struct reader *reader)
{
	for (size_t i = 0; i < reader->source_count; i++) {
		tree_free(reader->sources[i].tree);
		free(reader->sources[i].dir);
	}
	free(reader->sources);
	keys_clear(&keys_host, &reader->host);
	keys_clear(&keys_tunnel, &reader->tunnel);
	keys_clear(&keys_forward, &reader->forward);
	map_free(reader->unread_hosts);
	free_places(reader->host_places);
	free_places(reader->tunnel_places);
	map_free(reader->real_paths);
}

/* Never NULL; with new errors it holds what could be read all the same. */
static struct config *read_all(const char *name, const char *text, size_t size,
    const struct config_algorithms *algorithms, struct config_errors *errors)
{
	struct config *config = NEW(struct config);
	struct reader reader = {.config = config,
	    .algorithms = algorithms,
	    .errors = errors,
	    .unread_hosts = map_new(),
	    .host_places = map_new(),
	    .tunnel_places = map_new(),
	    .real_paths = map_new()};
	size_t errors_before = errors->n;

	config->references = 1;
	config->path = mem_strdup(name);
	defaults_of_config(config);
	(void)is_new_file(&reader, name);
	if (add_source(&reader, name, text, size))
		read_trees(&reader);
	reader_clear(&reader);

	const char *const *files = (const char *const *)config->files.v;
	config_errors_sort(errors, errors_before, files, config->files.n);
	config_errors_sort(&config->warnings, 0, files, config->files.n);
	return config;
}

static struct config *read_main(const char *name, const char *text, size_t size,
    const struct config_algorithms *algorithms, struct config_errors *errors)
{
	size_t errors_before = errors->n;
	struct config *config = read_all(name, text, size, algorithms, errors);

	if (errors->n == errors_before)
		return config;
	config_unref(config);
	return NULL;
}

static char *read_file(
    const char *path, enum config_file_kind kind, size_t *ret_size, struct config_errors *errors)
{
	struct err e = ERR_INIT;

	if (!*path) {
		config_errors_add(errors, NULL, 0, "the name of the configuration's file is empty");
		return NULL;
	}
	char *text = config_file_read(path, kind, ret_size, &e);
	if (!text)
		config_errors_add(errors, path, 0, "%s", e.text);
	return text;
}

static struct config *read_path(const char *path, enum config_file_kind kind,
    const struct config_algorithms *algorithms, struct config_errors *errors)
{
	size_t size = 0;
	char *text = read_file(path, kind, &size, errors);

	if (!text)
		return NULL;
	struct config *config = read_main(path, text, size, algorithms, errors);
	free(text);
	return config;
}

struct config *config_read(
    const char *path, const struct config_algorithms *algorithms, struct config_errors *errors)
{
	return read_path(path, CONFIG_FILE_ANY, algorithms, errors);
}

struct config *config_read_again(
    const char *path, const struct config_algorithms *algorithms, struct config_errors *errors)
{
	return read_path(path, CONFIG_FILE_NO_PIPE, algorithms, errors);
}

struct config *config_read_text(const char *text, const char *name, struct config_errors *errors)
{
	return read_main(name, text, strlen(text), NULL, errors);
}

/* It does not name a control socket, nor anything that could be that word misspelt. */
static bool names_no_socket(const char *path, const char *text, size_t size)
{
	struct config_errors unsaid = {0};
	struct setting *tree = tree_parse(text, size, path, &unsaid);
	bool none = tree != NULL;

	for (size_t i = 0; none && i < tree->child_count; i++) {
		const struct setting *s = &tree->children[i];

		none = s->type != SETTING_BROKEN && key_find(&keys_top, s->name) &&
		       strcmp(s->name, "control_socket") != 0;
	}
	tree_free(tree);
	config_errors_clear(&unsaid);
	return none;
}

int config_read_control_socket(const char *path, char **ret_path, struct config_errors *errors)
{
	size_t size = 0;
	char *text = read_file(path, CONFIG_FILE_ANY, &size, errors);

	if (!text)
		return ERR_CONFIG;
	struct config *config = read_all(path, text, size, NULL, errors);
	char *found = config->control_socket ? mem_strdup(config->control_socket) : NULL;
	bool known = found || names_no_socket(path, text, size);
	config_unref(config);
	free(text);
	if (!known)
		return ERR_CONFIG;
	*ret_path = found;
	return 0;
}
