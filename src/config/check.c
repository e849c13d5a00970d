/*
 * Checks across hosts and tunnels.
 */
#include "config/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "config/endpoint.h"
#include "config/keys.h"

struct checker {
	const struct config *config;
	struct map *hosts;            /* by name */
	const struct map *more_hosts; /* that must not be missed */
	struct config_errors *errors;
};

/* ---- names of hosts ---- */

static const char *nearest_host(const struct checker *c, const char *name)
{
	const char **names = mem_array(c->config->host_count, sizeof(*names));
	const char *nearest;

	for (size_t i = 0; i < c->config->host_count; i++)
		names[i] = c->config->hosts[i].name;
	nearest = str_nearest(name, names, c->config->host_count);
	free(names);
	return nearest;
}

static void check_name(const struct checker *c, const char *name, const struct config_place *at)
{
	if (map_get(c->hosts, name) || map_get(c->more_hosts, name))
		return;
	const char *nearest = config_errors_want_hints(c->errors) ? nearest_host(c, name) : NULL;
	config_errors_add(c->errors, at->file, at->line,
	    nearest ? "`via`: there is no host `%s`; did you mean `%s`?"
		    : "`via`: there is no host `%s`",
	    name, nearest);
}

static void check_names(const struct checker *c)
{
	for (size_t i = 0; i < c->config->host_count; i++) {
		const struct config_host *host = &c->config->hosts[i];
		if (host->via)
			check_name(c, host->via, &host->via_place);
	}
	for (size_t i = 0; i < c->config->tunnel_count; i++) {
		const struct config_tunnel *tunnel = &c->config->tunnels[i];
		for (size_t j = 0; j < tunnel->via.n; j++) {
			struct config_place at = config_strings_place(&tunnel->via, j);
			check_name(c, tunnel->via.v[j], &at);
		}
	}
}

/* ---- loops ---- */

enum mark { UNSEEN, ON_THIS_WALK, DONE };

static const struct config_host *jump_of(const struct checker *c, const struct config_host *host)
{
	return host->via ? map_get(c->hosts, host->via) : NULL;
}

static void report_loop(const struct checker *c, const struct config_host *first)
{
	const struct config_host *host = first;
	struct strbuf loop = {0};

	do {
		strbuf_addf(&loop, "%s via ", host->name);
		host = jump_of(c, host);
	} while (host != first);
	strbuf_add(&loop, first->name);
	bool is_default =
	    first->via_place.file != first->place.file || first->via_place.line < first->place.line;
	config_errors_add(c->errors, first->via_place.file, first->via_place.line,
	    "a loop of jumps: %s%s", strbuf_text(&loop),
	    is_default ? "; `via = \"\"` in a host undoes the default" : "");
	strbuf_clear(&loop);
}

/* Walks each host's jumps until one that another walk has seen; one of the same walk closes a loop.
 */
static void check_loops(const struct checker *c)
{
	const struct config_host *hosts = c->config->hosts;
	enum mark *marks = mem_array(c->config->host_count, sizeof(*marks));

	for (size_t i = 0; i < c->config->host_count; i++) {
		const struct config_host *host = &hosts[i];
		while (host && marks[host - hosts] == UNSEEN) {
			marks[host - hosts] = ON_THIS_WALK;
			host = jump_of(c, host);
		}
		if (host && marks[host - hosts] == ON_THIS_WALK)
			report_loop(c, host);
		for (host = &hosts[i]; host && marks[host - hosts] == ON_THIS_WALK;
		     host = jump_of(c, host))
			marks[host - hosts] = DONE;
	}
	free(marks);
}

/* ---- listeners ---- */

struct listener_use {
	const struct config_endpoint *at;
	struct config_endpoint normal; /* of it, to be compared */
	const struct config_place *place;
	const struct config_tunnel *tunnel; /* NULL: adit's own */
	const char *key;
	const char *server; /* where it is; NULL: on this machine */
	size_t order;       /* of the listener: it has a use on each of its servers */
};

/* What can collide stands together after this: one port, or one path, of one machine; and in it the uses of one address, in
 * their order. */
static int compare_places(const struct listener_use *x, const struct listener_use *y)
{
	int difference = strcmp(x->server ? x->server : "", y->server ? y->server : "");

	if (difference)
		return difference;
	if (x->at->kind != y->at->kind)
		return x->at->kind < y->at->kind ? -1 : 1;
	if (x->at->kind == CONFIG_TCP)
		return (x->at->port > y->at->port) - (x->at->port < y->at->port);
	return strcmp(x->normal.path, y->normal.path);
}

static int compare_hosts(const struct listener_use *x, const struct listener_use *y)
{
	return x->at->kind == CONFIG_TCP ? strcmp(x->normal.host, y->normal.host) : 0;
}

static int compare_uses(const void *a, const void *b)
{
	const struct listener_use *x = a, *y = b;
	int difference = compare_places(x, y);

	if (!difference)
		difference = compare_hosts(x, y);
	return difference ? difference : (x->order > y->order) - (x->order < y->order);
}

static void report_collision(const struct listener_use *later, const struct listener_use *earlier,
    struct config_errors *errors)
{
	if (!earlier->tunnel)
		config_errors_add(errors, later->place->file, later->place->line,
		    "`%s` listens on %s, which is taken by `%s`", later->key, later->at->text,
		    earlier->key);
	else if (earlier->place->line == 0)
		config_errors_add(errors, later->place->file, later->place->line,
		    "`%s` listens on %s, which is taken by `%s` of %s", later->key, later->at->text,
		    earlier->key, earlier->at->text);
	else
		config_errors_add(errors, later->place->file, later->place->line,
		    "`%s` listens on %s, which is taken by tunnel `%s` (%s at %s:%d)", later->key,
		    later->at->text, earlier->tunnel->name, earlier->at->text, earlier->place->file,
		    earlier->place->line);
}

struct uses {
	struct listener_use *v;
	size_t n;
	size_t listeners;
	bool *reported; /* by order */
};

static void add_use(struct uses *uses, struct listener_use use)
{
	use.order = uses->listeners;
	use.normal = use.server ? endpoint_normal(use.at) : endpoint_normal_here(use.at);
	uses->v = mem_grow(uses->v, uses->n + 1, sizeof(*uses->v));
	uses->v[uses->n++] = use;
}

static void add_forward_uses(
    struct uses *uses, const struct config_tunnel *tunnel, const struct config_forward *forward)
{
	struct listener_use use = {.at = &forward->listen,
	    .place = &forward->place,
	    .tunnel = tunnel,
	    .key = config_forward_kind_name(forward->kind)};

	if (forward_is_near(forward))
		add_use(uses, use);
	for (size_t i = 0; i < tunnel->via.n && !forward_is_near(forward); i++) {
		use.server = tunnel->via.v[i];
		add_use(uses, use);
	}
	uses->listeners++;
}

/* control is filled where there is a control socket, for the caller to clear. */
static void collect_uses(
    const struct config *config, struct uses *uses, struct config_endpoint *control)
{
	static const struct config_place nowhere;
	struct listener_use own = {.place = &nowhere};

	if (config->http_listen.text) {
		own.at = &config->http_listen;
		own.key = "http_listen";
		add_use(uses, own);
		uses->listeners++;
	}
	if (config->control_socket && *config->control_socket) {
		*control = endpoint_unix(config->control_socket);
		own.at = control;
		own.key = "control_socket";
		add_use(uses, own);
		uses->listeners++;
	}
	for (size_t i = 0; i < config->tunnel_count; i++) {
		const struct config_tunnel *tunnel = &config->tunnels[i];
		for (size_t j = 0; j < tunnel->forward_count; j++)
			if (tunnel->forwards[j].listen.text)
				add_forward_uses(uses, tunnel, &tunnel->forwards[j]);
	}
}

static void check_pair(struct uses *uses, const struct listener_use *a,
    const struct listener_use *b, struct config_errors *errors)
{
	const struct listener_use *later = a->order > b->order ? a : b;

	if (a == b || uses->reported[later->order] || !endpoint_overlap(&a->normal, &b->normal))
		return;
	report_collision(later, later == a ? b : a, errors);
	uses->reported[later->order] = true;
}

/* Uses of one place, sorted. Who listens on one address alone can collide with the same one, or with the few that stand for
 * several: not every pair is looked at. */
static void check_place(struct uses *uses, size_t begin, size_t end, struct config_errors *errors)
{
	const struct listener_use *v = uses->v, *wide[ENDPOINT_WIDE_MAX];
	size_t wide_count = 0;

	for (size_t i = begin; i < end; i++) {
		bool is_first = i == begin || compare_hosts(&v[i - 1], &v[i]) != 0;
		if (!is_first)
			check_pair(uses, &v[i - 1], &v[i], errors);
		else if (endpoint_is_wide(&v[i].normal))
			wide[wide_count++] = &v[i];
	}
	for (size_t i = begin; i < end; i++)
		for (size_t j = 0; j < wide_count; j++)
			check_pair(uses, &v[i], wide[j], errors);
}

static void check_listeners(const struct checker *c)
{
	struct config_endpoint control = {0};
	struct uses uses = {0};

	collect_uses(c->config, &uses, &control);
	uses.reported = mem_array(uses.listeners, sizeof(*uses.reported));
	if (uses.n > 0)
		qsort(uses.v, uses.n, sizeof(*uses.v), compare_uses);
	for (size_t begin = 0, end; begin < uses.n; begin = end) {
		for (end = begin + 1; end < uses.n; end++)
			if (compare_places(&uses.v[begin], &uses.v[end]) != 0)
				break;
		check_place(&uses, begin, end, c->errors);
	}
	for (size_t i = 0; i < uses.n; i++)
		endpoint_clear(&uses.v[i].normal);
	free(uses.v);
	free(uses.reported);
	endpoint_clear(&control);
}

static void warn_of_open_listeners(struct config *config)
{
	for (size_t i = 0; i < config->tunnel_count; i++) {
		const struct config_tunnel *tunnel = &config->tunnels[i];
		for (size_t j = 0; j < tunnel->forward_count; j++) {
			const struct config_forward *forward = &tunnel->forwards[j];
			if (forward->listen.text && forward->listen.kind == CONFIG_TCP &&
			    !endpoint_is_loopback(&forward->listen) && forward->allow.n == 0)
				config_errors_add(&config->warnings, forward->place.file,
				    forward->place.line,
				    "tunnel `%s` listens on %s, not on loopback, and has no "
				    "`allow`: "
				    "whoever reaches it may connect",
				    tunnel->name, forward->listen.text);
		}
	}
}

void check_config_in_part(
    struct config *config, const struct map *more_hosts, struct config_errors *errors)
{
	struct checker c = {
	    .config = config, .hosts = map_new(), .more_hosts = more_hosts, .errors = errors};

	for (size_t i = 0; i < config->host_count; i++)
		map_put(c.hosts, config->hosts[i].name, &config->hosts[i]);
	if (more_hosts)
		check_names(&c);
	check_loops(&c);
	check_listeners(&c);
	map_free(c.hosts);
	warn_of_open_listeners(config);
}

void check_config(struct config *config, struct config_errors *errors)
{
	struct map *none = map_new();

	check_config_in_part(config, none, errors);
	map_free(none);
}

static struct config_place place_of(
    const struct config_host *host, const struct config_strings *list, size_t i)
{
	return list->place.file ? config_strings_place(list, i) : host->place;
}

static void check_pins(const struct config_host *host, const struct config_algorithms *algorithms,
    struct config_errors *errors)
{
	for (size_t i = 0; i < host->host_key.n && algorithms->check_pin; i++) {
		struct config_place at = place_of(host, &host->host_key, i);
		struct err e = ERR_INIT;
		if (algorithms->check_pin(host->host_key.v[i], &e) < 0)
			config_errors_add(errors, at.file, at.line, "%s", e.text);
	}
}

static void check_algorithm_list(const struct config_host *host, const char *key,
    const struct config_strings *names, const struct config_algorithms *algorithms,
    struct config_errors *errors)
{
	for (size_t i = 0; i < names->n; i++) {
		struct config_place at = place_of(host, names, i);
		const char *name = names->v[i];
		if (algorithms->known(key, name))
			continue;
		const char *nearest = algorithms->nearest && config_errors_want_hints(errors)
					  ? algorithms->nearest(key, name)
					  : NULL;
		config_errors_add(errors, at.file, at.line,
		    nearest ? "`%s`: unknown algorithm `%s`; did you mean `%s`?"
			    : "`%s`: unknown algorithm `%s`",
		    key, name, nearest);
	}
}

void config_check_host_algorithms(const struct config_host *host,
    const struct config_algorithms *algorithms, struct config_errors *errors)
{
	check_algorithm_list(host, "kex", &host->kex, algorithms, errors);
	check_algorithm_list(host, "ciphers", &host->ciphers, algorithms, errors);
	check_algorithm_list(host, "macs", &host->macs, algorithms, errors);
	check_algorithm_list(
	    host, "host_key_algorithms", &host->host_key_algorithms, algorithms, errors);
	check_pins(host, algorithms, errors);
}

void config_check_algorithms(const struct config *config,
    const struct config_algorithms *algorithms, struct config_errors *errors)
{
	for (size_t i = 0; i < config->host_count; i++)
		config_check_host_algorithms(&config->hosts[i], algorithms, errors);
}
