/*
 * Checks across hosts and tunnels.
 */
#include "config/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "config/endpoint.h"
#include "config/keys.h"

/* ---- names of hosts ---- */

static void report_undefined(const struct config *config, const char *name,
    const struct config_place *at, struct config_errors *errors)
{
	const char **names = mem_array(config->host_count, sizeof(*names));
	const char *nearest;

	for (size_t i = 0; i < config->host_count; i++)
		names[i] = config->hosts[i].name;
	nearest = str_nearest(name, names, config->host_count);
	free(names);
	if (nearest)
		config_errors_add(errors, at->file, at->line,
		    "`via`: there is no host `%s`; did you mean `%s`?", name, nearest);
	else
		config_errors_add(errors, at->file, at->line, "`via`: there is no host `%s`", name);
}

static void check_names(const struct config *config, struct config_errors *errors)
{
	for (size_t i = 0; i < config->host_count; i++) {
		const struct config_host *host = &config->hosts[i];
		if (host->via && !config_find_host(config, host->via))
			report_undefined(config, host->via, &host->via_place, errors);
	}
	for (size_t i = 0; i < config->tunnel_count; i++) {
		const struct config_tunnel *tunnel = &config->tunnels[i];
		for (size_t j = 0; j < tunnel->via.n; j++)
			if (!config_find_host(config, tunnel->via.v[j]))
				report_undefined(
				    config, tunnel->via.v[j], &tunnel->via_place, errors);
	}
}

/* ---- loops ---- */

enum mark { UNSEEN, ON_THIS_WALK, DONE };

static void report_loop(
    const struct config *config, const struct config_host *first, struct config_errors *errors)
{
	const struct config_host *host = first;
	struct strbuf loop = {0};

	do {
		strbuf_addf(&loop, "%s via ", host->name);
		host = config_find_host(config, host->via);
	} while (host != first);
	strbuf_add(&loop, first->name);
	config_errors_add(errors, first->via_place.file, first->via_place.line,
	    "a loop of jumps: %s", strbuf_text(&loop));
	strbuf_clear(&loop);
}

/* Walks each host's jumps until one that another walk has seen; one of the same walk closes a loop.
 */
static void check_loops(const struct config *config, struct config_errors *errors)
{
	enum mark *marks = mem_array(config->host_count, sizeof(*marks));

	for (size_t i = 0; i < config->host_count; i++) {
		const struct config_host *host = &config->hosts[i];
		while (host && marks[host - config->hosts] == UNSEEN) {
			marks[host - config->hosts] = ON_THIS_WALK;
			host = host->via ? config_find_host(config, host->via) : NULL;
		}
		if (host && marks[host - config->hosts] == ON_THIS_WALK)
			report_loop(config, host, errors);
		for (host = &config->hosts[i]; host && marks[host - config->hosts] == ON_THIS_WALK;
		     host = host->via ? config_find_host(config, host->via) : NULL)
			marks[host - config->hosts] = DONE;
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
	bool near;
	size_t order;
};

static bool vias_meet(const struct config_strings *a, const struct config_strings *b)
{
	for (size_t i = 0; i < a->n; i++)
		if (config_strings_has(b, a->v[i]))
			return true;
	return false;
}

/* Far listeners meet only on one server. */
static bool uses_collide(const struct listener_use *a, const struct listener_use *b)
{
	return a->near == b->near && endpoint_overlap(&a->normal, &b->normal) &&
	       (a->near || vias_meet(&a->tunnel->via, &b->tunnel->via));
}

static int compare_uses(const void *a, const void *b)
{
	const struct listener_use *x = a, *y = b;

	if (x->at->kind != y->at->kind)
		return x->at->kind < y->at->kind ? -1 : 1;
	if (x->at->kind == CONFIG_TCP && x->at->port != y->at->port)
		return x->at->port < y->at->port ? -1 : 1;
	if (x->at->kind != CONFIG_TCP && strcmp(x->normal.path, y->normal.path) != 0)
		return strcmp(x->normal.path, y->normal.path);
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Uses of one port, or of one path, stand together: only they can collide. */
static bool may_collide(const struct listener_use *a, const struct listener_use *b)
{
	if (a->at->kind != b->at->kind)
		return false;
	return a->at->kind == CONFIG_TCP ? a->at->port == b->at->port
					 : strcmp(a->normal.path, b->normal.path) == 0;
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

static void add_use(struct listener_use *uses, size_t *n, struct listener_use use)
{
	use.order = *n;
	use.normal = endpoint_normal(use.at);
	uses[(*n)++] = use;
}

/* uses has room for all; control is filled where there is a control socket, for the caller to
 * clear. */
static size_t collect_uses(
    const struct config *config, struct listener_use *uses, struct config_endpoint *control)
{
	static const struct config_place nowhere;
	struct listener_use own = {.place = &nowhere, .near = true};
	size_t n = 0;

	if (config->http_listen.text) {
		own.at = &config->http_listen;
		own.key = "http_listen";
		add_use(uses, &n, own);
	}
	if (config->control_socket && *config->control_socket) {
		*control = endpoint_unix(config->control_socket);
		own.at = control;
		own.key = "control_socket";
		add_use(uses, &n, own);
	}
	for (size_t i = 0; i < config->tunnel_count; i++) {
		const struct config_tunnel *tunnel = &config->tunnels[i];
		for (size_t j = 0; j < tunnel->forward_count; j++) {
			const struct config_forward *forward = &tunnel->forwards[j];
			struct listener_use use = {.at = &forward->listen,
			    .place = &forward->place,
			    .tunnel = tunnel,
			    .key = config_forward_kind_name(forward->kind),
			    .near = forward_is_near(forward)};
			if (forward->listen.text)
				add_use(uses, &n, use);
		}
	}
	return n;
}

static void check_listeners(const struct config *config, struct config_errors *errors)
{
	struct config_endpoint control = {0};
	size_t count = 2;

	for (size_t i = 0; i < config->tunnel_count; i++)
		count += config->tunnels[i].forward_count;
	struct listener_use *uses = mem_array(count, sizeof(*uses));
	count = collect_uses(config, uses, &control);
	qsort(uses, count, sizeof(*uses), compare_uses);
	for (size_t i = 1; i < count; i++) {
		for (size_t j = i; j-- > 0 && may_collide(&uses[i], &uses[j]);) {
			if (uses_collide(&uses[i], &uses[j])) {
				report_collision(&uses[i], &uses[j], errors);
				break;
			}
		}
	}
	for (size_t i = 0; i < count; i++)
		endpoint_clear(&uses[i].normal);
	free(uses);
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

void check_config(struct config *config, struct config_errors *errors)
{
	check_names(config, errors);
	check_loops(config, errors);
	check_listeners(config, errors);
	warn_of_open_listeners(config);
}

static void check_algorithm_list(const struct config_host *host, const char *key,
    const struct config_strings *names, const struct config_algorithms *algorithms,
    struct config_errors *errors)
{
	const struct config_place *at = names->place.file ? &names->place : &host->place;

	for (size_t i = 0; i < names->n; i++) {
		const char *name = names->v[i];
		if (algorithms->known(key, name))
			continue;
		const char *nearest = algorithms->nearest ? algorithms->nearest(key, name) : NULL;
		config_errors_add(errors, at->file, at->line,
		    nearest ? "host `%s`, `%s`: unknown algorithm `%s`; did you mean `%s`?"
			    : "host `%s`, `%s`: unknown algorithm `%s`",
		    host->name, key, name, nearest);
	}
}

void config_check_algorithms(const struct config *config,
    const struct config_algorithms *algorithms, struct config_errors *errors)
{
	for (size_t i = 0; i < config->host_count; i++) {
		const struct config_host *host = &config->hosts[i];
		check_algorithm_list(host, "kex", &host->kex, algorithms, errors);
		check_algorithm_list(host, "ciphers", &host->ciphers, algorithms, errors);
		check_algorithm_list(host, "macs", &host->macs, algorithms, errors);
		check_algorithm_list(
		    host, "host_key_algorithms", &host->host_key_algorithms, algorithms, errors);
	}
}
