/*
 * Values that one key has, or one kind of key: secrets, the agent, endpoints.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/endpoint.h"
#include "config/expand.h"
#include "config/value_field.h"

/* ---- passphrase, password ---- */

#define CREDENTIALS_UNSET "$CREDENTIALS_DIRECTORY/"

static struct config_secret *secret_of(const struct key *key, const void *object)
{
	return FIELD(struct config_secret, key, object);
}

static void clear_secret(const struct key *key, void *object)
{
	free(secret_of(key, object)->path);
	*secret_of(key, object) = (struct config_secret){0};
}

/* systemd.exec(5): the ID of a credential is a file name. */
static char *credential_path(
    const struct reading *r, const struct setting *s, const struct key *key, const char *name)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");

	if (*name == '\0' || strchr(name, '/') || *name == '.') {
		reading_error(r, s, "`%s`: `%s` is no name of a credential", key->name, name);
		return NULL;
	}
	if (dir && *dir)
		return str_format("%s/%s", dir, name);
	/* `adit check` runs outside the service. The path says it all to whoever tries to open it.
	 */
	reading_warning(r, s,
	    "`%s`: $CREDENTIALS_DIRECTORY is not set: only systemd's LoadCredential= sets it",
	    key->name);
	return str_format(CREDENTIALS_UNSET "%s", name);
}

static void read_secret(
    const struct reading *r, const struct setting *s, const struct key *key, void *object)
{
	const char *text = value_need_string(r, s, key);
	char *path;

	if (!text)
		return;
	if (strncmp(text, "file:", 5) == 0) {
		path = value_expand_path(r, s, key, text + 5);
	} else if (strncmp(text, "credential:", 11) == 0) {
		path = credential_path(r, s, key, text + 11);
	} else { /* the text itself stays out of the message: it may be the secret */
		reading_error(r, s,
		    "`%s` must be `\"file:PATH\"` or `\"credential:NAME\"`, never the secret "
		    "itself",
		    key->name);
		return;
	}
	if (!path)
		return;
	if (*path == '/' && access(path, F_OK) != 0)
		reading_warning(r, s, "`%s`: there is no file %s now", key->name, path);
	clear_secret(key, object);
	*secret_of(key, object) = (struct config_secret){.kind = CONFIG_SECRET_FILE, .path = path};
}

static void copy_secret(const struct key *key, void *to, const void *from)
{
	*secret_of(key, to) = *secret_of(key, from);
	secret_of(key, to)->path = mem_strdup(secret_of(key, from)->path);
}

static bool equal_secret(const struct key *key, const void *a, const void *b)
{
	const struct config_secret *x = secret_of(key, a), *y = secret_of(key, b);

	return x->kind == y->kind &&
	       (x->kind == CONFIG_SECRET_NONE || strcmp(x->path, y->path) == 0);
}

static void write_secret(const struct key *key, struct strbuf *out, const void *object)
{
	const struct config_secret *secret = secret_of(key, object);

	if (secret->kind == CONFIG_SECRET_NONE)
		return;
	size_t prefix = strlen(CREDENTIALS_UNSET);
	bool unset = strncmp(secret->path, CREDENTIALS_UNSET, prefix) == 0;
	char *quoted = unset ? mem_strdup(secret->path + prefix) : expand_quote(secret->path);
	char *text = str_format("%s:%s", unset ? "credential" : "file", quoted);
	value_write_string(out, text);
	free(text);
	free(quoted);
}

const struct value_type value_secret = {
    read_secret, clear_secret, copy_secret, equal_secret, write_secret};

/* ---- agent ---- */

static void clear_agent(const struct key *key, void *object)
{
	struct config_host *host = object;

	(void)key;
	free(host->agent_path);
	host->agent_path = NULL;
	host->agent = CONFIG_AGENT_NONE;
}

static void read_agent(
    const struct reading *r, const struct setting *s, const struct key *key, void *object)
{
	struct config_host *host = object;
	char *path = NULL;

	if (s->type == SETTING_BOOL) {
		clear_agent(key, object);
		host->agent = s->integer ? CONFIG_AGENT_ENVIRONMENT : CONFIG_AGENT_NONE;
		return;
	}
	if (s->type != SETTING_STRING) {
		reading_error(r, s, "`%s` must be true, false or a socket's path, not %s",
		    key->name, setting_type_name(s->type));
		return;
	}
	if (strcmp(s->string, "true") == 0 || strcmp(s->string, "false") == 0) {
		reading_error(r, s, "`%s` must be %s without quotes, or a socket's path", key->name,
		    s->string);
		return;
	}
	if (value_need_string(r, s, key))
		path = value_expand_path(r, s, key, s->string);
	if (!path)
		return;
	if (access(path, F_OK) != 0)
		reading_warning(r, s, "`%s`: there is no socket %s now", key->name, path);
	clear_agent(key, object);
	host->agent = CONFIG_AGENT_PATH;
	host->agent_path = path;
}

static void copy_agent(const struct key *key, void *to, const void *from)
{
	const struct config_host *source = from;
	struct config_host *host = to;

	(void)key;
	host->agent = source->agent;
	host->agent_path = mem_strdup(source->agent_path);
}

static bool equal_agent(const struct key *key, const void *a, const void *b)
{
	const struct config_host *x = a, *y = b;

	(void)key;
	return x->agent == y->agent &&
	       (x->agent != CONFIG_AGENT_PATH || strcmp(x->agent_path, y->agent_path) == 0);
}

static void write_agent(const struct key *key, struct strbuf *out, const void *object)
{
	const struct config_host *host = object;

	(void)key;
	if (host->agent != CONFIG_AGENT_PATH) {
		strbuf_add(out, host->agent == CONFIG_AGENT_NONE ? "false" : "true");
		return;
	}
	char *quoted = expand_quote(host->agent_path);
	value_write_string(out, quoted);
	free(quoted);
}

const struct value_type value_agent = {
    read_agent, clear_agent, copy_agent, equal_agent, write_agent};

/* ---- endpoints ---- */

static void write_endpoint_text(struct strbuf *out, const struct config_endpoint *endpoint)
{
	char *quoted = endpoint->kind == CONFIG_UNIX ? expand_quote(endpoint->text)
						     : mem_strdup(endpoint->text);

	value_write_string(out, quoted);
	free(quoted);
}

static bool read_endpoint(const struct reading *r, const struct setting *s, const struct key *key,
    enum endpoint_role role, struct config_endpoint *ret_endpoint)
{
	const char *text = value_need_string(r, s, key);
	struct err e = ERR_INIT;

	if (!text)
		return false;
	if (endpoint_parse(text, role, r->dir, ret_endpoint, &e) == ERR_OK)
		return true;
	reading_error(r, s, "`%s`: %s", key->name, e.text);
	return false;
}

static struct config_endpoint *endpoint_of(const struct key *key, const void *object)
{
	return FIELD(struct config_endpoint, key, object);
}

static void clear_endpoint(const struct key *key, void *object)
{
	endpoint_clear(endpoint_of(key, object));
}

static void copy_endpoint(const struct key *key, void *to, const void *from)
{
	*endpoint_of(key, to) = endpoint_copy(endpoint_of(key, from));
}

static bool equal_endpoint(const struct key *key, const void *a, const void *b)
{
	return endpoint_equal(endpoint_of(key, a), endpoint_of(key, b));
}

static void write_endpoint(const struct key *key, struct strbuf *out, const void *object)
{
	if (endpoint_of(key, object)->text)
		write_endpoint_text(out, endpoint_of(key, object));
}

static void read_http_listen(
    const struct reading *r, const struct setting *s, const struct key *key, void *object)
{
	struct config_endpoint endpoint;

	if (!read_endpoint(r, s, key, ENDPOINT_LISTEN_NEAR, &endpoint))
		return;
	if (endpoint.kind != CONFIG_TCP) {
		reading_error(
		    r, s, "`%s` is for TCP; `control_socket` is the Unix socket", key->name);
		endpoint_clear(&endpoint);
		return;
	}
	endpoint_clear(endpoint_of(key, object));
	*endpoint_of(key, object) = endpoint;
	if (!endpoint_is_loopback(&endpoint))
		reading_warning(r, s,
		    "`%s`: everybody who reaches %s can read the state of all tunnels", key->name,
		    endpoint.text);
}

const struct value_type value_http_listen = {
    read_http_listen, clear_endpoint, copy_endpoint, equal_endpoint, write_endpoint};

/* Read after the listener: its kind, even of a faulty one, says on which side the target is. As a
 * default it has no kind yet. */
static void read_to(
    const struct reading *r, const struct setting *s, const struct key *key, void *object)
{
	const struct config_forward *forward = object;
	struct config_endpoint endpoint;
	bool near = forward->place.file && forward->kind == CONFIG_FORWARD_REMOTE;

	if (!read_endpoint(r, s, key, near ? ENDPOINT_TO_NEAR : ENDPOINT_TO_FAR, &endpoint))
		return;
	endpoint_clear(endpoint_of(key, object));
	*endpoint_of(key, object) = endpoint;
}

const struct value_type value_to = {
    read_to, clear_endpoint, copy_endpoint, equal_endpoint, write_endpoint};

/* ---- local, remote, socks, remote_socks ---- */

static enum config_forward_kind kind_of(const struct key *key)
{
	return (enum config_forward_kind)(int)key->min;
}

static bool is_own(const struct key *key, const struct config_forward *forward)
{
	return forward->listen.text && forward->kind == kind_of(key);
}

static void read_listen(
    const struct reading *r, const struct setting *s, const struct key *key, void *object)
{
	struct config_forward *forward = object, wanted = {.kind = kind_of(key)};

	if (forward->place.file) {
		reading_error(r, s, "`%s` and `%s` at once: one forward listens in one way",
		    config_forward_kind_name(forward->kind), key->name);
		return;
	}
	forward->kind = wanted.kind;
	forward->place = (struct config_place){.file = r->file, .line = s->line};
	if (read_endpoint(r, s, key,
		forward_is_near(&wanted) ? ENDPOINT_LISTEN_NEAR : ENDPOINT_LISTEN_FAR,
		&wanted.listen))
		forward->listen = wanted.listen;
}

static void clear_listen(const struct key *key, void *object)
{
	struct config_forward *forward = object;

	if (is_own(key, forward))
		endpoint_clear(&forward->listen);
}

static void copy_listen(const struct key *key, void *to, const void *from)
{
	const struct config_forward *source = from;
	struct config_forward *forward = to;

	if (!is_own(key, source))
		return;
	forward->kind = source->kind;
	forward->place = source->place;
	forward->listen = endpoint_copy(&source->listen);
}

static bool equal_listen(const struct key *key, const void *a, const void *b)
{
	const struct config_forward *x = a, *y = b;

	return is_own(key, x) == is_own(key, y) &&
	       (!is_own(key, x) || endpoint_equal(&x->listen, &y->listen));
}

static void write_listen(const struct key *key, struct strbuf *out, const void *object)
{
	const struct config_forward *forward = object;

	if (is_own(key, forward))
		write_endpoint_text(out, &forward->listen);
}

const struct value_type value_listen = {
    read_listen, clear_listen, copy_listen, equal_listen, write_listen};
