/*
 * The forwards of an import: from specs to a tunnel's, once all options are known.
 */
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

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

static int parse(struct ssh_import *import, const struct ssh_import_forward *wanted,
    struct config_forward *ret_forward, struct err *e)
{
	const struct ssh_spec_scope scope = {
	    .bind = import->bind, .dir = import->dir, .expand = expand_socket_path, .arg = import};

	return ssh_forward_parse(wanted->spec, wanted->option, &scope, ret_forward, e);
}

static void note(
    struct ssh_import *import, const struct ssh_import_forward *wanted, const char *why)
{
	static const char *const keywords[] = {[SSH_LOCAL_FORWARD] = "localforward",
	    [SSH_REMOTE_FORWARD] = "remoteforward",
	    [SSH_DYNAMIC_FORWARD] = "dynamicforward"};

	ssh_option_note(import, keywords[wanted->option], wanted->spec, why);
}

static void refuse(
    struct ssh_import *import, const struct ssh_import_forward *wanted, const struct err *e)
{
	if (import->source == SSH_PRINTED) /* ssh took it: the rest is worth having */
		note(import, wanted, e->text);
	else
		config_errors_add(import->errors, NULL, 0, "%s", e->text);
}

static bool overlap(const struct config_forward *a, const struct config_forward *b)
{
	bool near = forward_is_near(a);

	if (near != forward_is_near(b))
		return false;
	struct config_endpoint x =
	    near ? endpoint_normal_here(&a->listen) : endpoint_normal(&a->listen);
	struct config_endpoint y =
	    near ? endpoint_normal_here(&b->listen) : endpoint_normal(&b->listen);
	bool is = endpoint_overlap(&x, &y);
	endpoint_clear(&x);
	endpoint_clear(&y);
	return is;
}

static bool is_same(const struct config_forward *a, const struct config_forward *b)
{
	return a->kind == b->kind && endpoint_equal(&a->listen, &b->listen) &&
	       endpoint_equal(&a->to, &b->to);
}

/* ssh makes what is asked for twice once, and goes on when a listener is taken, unless it shall not. */
static bool is_one_too_many(struct ssh_import *import, const struct ssh_import_forward *wanted,
    const struct config_forward *forward)
{
	for (size_t i = 0; i < import->tunnel.forward_count; i++) {
		const struct config_forward *earlier = &import->tunnel.forwards[i];
		if (is_same(forward, earlier))
			return true;
		if (import->exit_on_failure || !overlap(forward, earlier))
			continue;
		char *why = str_format("`%s` of %s listens there",
		    config_forward_kind_name(earlier->kind), earlier->listen.text);
		note(import, wanted, why);
		free(why);
		return true;
	}
	return false;
}

/* Takes what it holds. */
static void add_forward(struct ssh_import *import, const struct ssh_import_forward *wanted,
    struct config_forward *forward)
{
	struct config_tunnel *tunnel = &import->tunnel;

	forward->place = import->host.place;
	if (forward_is_near(forward))
		fit_family(import, &forward->listen);
	if (is_one_too_many(import, wanted, forward)) {
		keys_clear(&keys_forward, forward);
		return;
	}
	if (forward_listener(forward) == ON_UNIX_NEAR)
		forward->mode = import->bind_mode;
	if (forward->kind == CONFIG_FORWARD_REMOTE_SOCKS && import->remote_open)
		restrict_proxy(import, forward);
	tunnel->forwards =
	    mem_grow(tunnel->forwards, tunnel->forward_count + 1, sizeof(*tunnel->forwards));
	tunnel->forwards[tunnel->forward_count++] = *forward;
}

static void add_at_address(struct ssh_import *import, const struct ssh_import_forward *wanted,
    const char *address, uint16_t port)
{
	struct config_forward forward;

	if (parse(import, wanted, &forward, NULL) < 0)
		return;
	endpoint_clear(&forward.listen);
	forward.listen = endpoint_tcp(address, port);
	add_forward(import, wanted, &forward);
}

/* The addresses of a name of this machine, as text. A file holds them for longer than the name does, perhaps. */
static int find_addresses(const struct ssh_import *import, const struct config_endpoint *listen,
    struct config_strings *addresses, struct err *e)
{
	static const int families[] = {
	    [SSH_ANY_FAMILY] = AF_UNSPEC, [SSH_INET] = AF_INET, [SSH_INET6] = AF_INET6};
	const struct addrinfo hints = {
	    .ai_family = families[import->family], .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	char text[NI_MAXHOST];
	int rc = getaddrinfo(listen->host, NULL, &hints, &found);

	if (rc)
		return err_set(e, ERR_CONFIG, "`%s`: `%s` is no address of this machine: %s",
		    listen->text, listen->host, gai_strerror(rc));
	for (const struct addrinfo *at = found; at; at = at->ai_next)
		if (getnameinfo(at->ai_addr, at->ai_addrlen, text, sizeof(text), NULL, 0,
			NI_NUMERICHOST) == 0 &&
		    !config_strings_has(addresses, text))
			config_strings_add(addresses, text);
	freeaddrinfo(found);
	return ERR_OK;
}

/* ssh listens on each address of the name. */
static void finish_at_name(struct ssh_import *import, const struct ssh_import_forward *wanted,
    const struct config_endpoint *listen)
{
	struct config_strings addresses = {0};
	struct err e = ERR_INIT;

	if (find_addresses(import, listen, &addresses, &e) < 0)
		refuse(import, wanted, &e);
	for (size_t i = 0; i < addresses.n; i++)
		add_at_address(import, wanted, addresses.v[i], listen->port);
	if (addresses.n > 0 && import->source == SSH_PRINTED)
		note(import, wanted,
		    "adit listens on addresses: those that the name has now, whatever it has "
		    "later");
	config_strings_clear(&addresses);
}

static bool is_at_name(const struct config_forward *forward)
{
	return forward_is_near(forward) && forward->listen.kind == CONFIG_TCP &&
	       !endpoint_can_listen_near(forward->listen.host);
}

static void finish_forward(struct ssh_import *import, const struct ssh_import_forward *wanted)
{
	struct config_forward forward;
	struct err e = ERR_INIT;

	if (parse(import, wanted, &forward, &e) < 0) {
		refuse(import, wanted, &e);
	} else if (is_at_name(&forward)) {
		finish_at_name(import, wanted, &forward.listen);
		keys_clear(&keys_forward, &forward);
	} else {
		add_forward(import, wanted, &forward);
	}
}

void ssh_import_finish_forwards(struct ssh_import *import)
{
	if (import->clear_forwards && import->forward_count > 0)
		ssh_option_note(import, "clearallforwardings", "yes",
		    "so it is with all forwards, those of the command line too");
	for (size_t i = 0; i < import->forward_count && !import->clear_forwards; i++)
		if (import->forwards[i].spec)
			finish_forward(import, &import->forwards[i]);
}
