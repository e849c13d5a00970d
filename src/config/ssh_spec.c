/*
 * The grammar of ssh(1)'s forwards: fields between colons, some of which are paths.
 */
#include "config/ssh_spec.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "config/endpoint.h"
#include "config/keys.h"

#define FIELDS_MAX 4

struct field {
	char *text;
	bool is_path; /* it has a slash, and no brackets around it */
};

struct fields {
	struct field v[FIELDS_MAX];
	size_t n;
};

static void fields_clear(struct fields *fields)
{
	for (size_t i = 0; i < fields->n; i++)
		free(fields->v[i].text);
	fields->n = 0;
}

/* Takes one field off *text, up to a colon or the end; false when there is no end. */
static bool take_field(const char **text, struct field *field)
{
	struct strbuf out = {0};
	const char *p = *text;

	*field = (struct field){.is_path = false};
	if (*p == '[') {
		const char *close = strchr(p, ']');
		if (!close || (close[1] != ':' && close[1] != '\0'))
			return false;
		field->text = mem_strndup(p + 1, (size_t)(close - p - 1));
		*text = close + 1;
		return true;
	}
	for (; *p && *p != ':'; p++) {
		if (*p == '\\' && (p[1] == ':' || p[1] == '\\'))
			p++;
		field->is_path = field->is_path || *p == '/';
		strbuf_add_n(&out, p, 1);
	}
	field->text = strbuf_take(&out);
	*text = p;
	return true;
}

static bool split_at_colons(const char *text, struct fields *fields)
{
	for (;;) {
		if (fields->n == FIELDS_MAX || !take_field(&text, &fields->v[fields->n]))
			return false;
		fields->n++;
		if (*text == '\0')
			return true;
		text++;
	}
}

static bool is_digits(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text);
}

/* "[bind/]port/host/hostport". Whatever else has a slash has it in a path. */
static bool split_at_slashes(const char *text, struct fields *fields)
{
	const char *slash;

	for (; fields->n < FIELDS_MAX; text = slash + 1) {
		slash = strchr(text, '/');
		fields->v[fields->n++] = (struct field){
		    .text = mem_strndup(text, slash ? (size_t)(slash - text) : strlen(text))};
		if (!slash)
			break;
	}
	size_t n = fields->n;
	if (!strchr(text, '/') && n >= 3 && is_digits(fields->v[n - 3].text) &&
	    is_digits(fields->v[n - 1].text) && endpoint_host_is_valid(fields->v[n - 2].text) &&
	    (n == 3 || endpoint_host_is_valid(fields->v[0].text) ||
		strcmp(fields->v[0].text, "*") == 0))
		return true;
	fields_clear(fields);
	return false;
}

/* A number, or a name of /etc/services; gives the digits, or NULL. */
static char *port_digits(const char *text)
{
	struct servent *service;
	uint64_t port;

	if (str_to_u64(text, 0, 65535, &port))
		return mem_strdup(text);
	service = is_digits(text) || *text == '\0' ? NULL : getservbyname(text, "tcp");
	return service ? str_format("%u", ntohs((uint16_t)service->s_port)) : NULL;
}

/* What the fields mean: each NULL when there is none. */
struct meaning {
	const struct field *bind, *port, *host, *host_port;
	const struct field *listen_path, *to_path;
};

static bool interpret(
    const struct fields *fields, enum ssh_forward_option option, struct meaning *m)
{
	const struct field *f = fields->v;

	if (option != SSH_LOCAL_FORWARD && fields->n == 1) { /* [path or port] */
		*(f[0].is_path ? &m->listen_path : &m->port) = &f[0];
		return true;
	}
	if (option != SSH_LOCAL_FORWARD && fields->n == 2 && !f[0].is_path && !f[1].is_path) {
		m->bind = &f[0];
		m->port = &f[1];
		return true;
	}
	if (option == SSH_DYNAMIC_FORWARD)
		return false;
	size_t at = 0; /* the listener first, then the target with what is left */
	bool to_is_path = fields->n > 0 && f[fields->n - 1].is_path;
	size_t target = to_is_path ? 1 : 2;
	if (fields->n <= target)
		return false;
	if (fields->n - target == 1 && f[0].is_path) {
		m->listen_path = &f[at++];
	} else {
		if (fields->n - target == 2)
			m->bind = &f[at++];
		m->port = &f[at++];
	}
	if (to_is_path) {
		m->to_path = &f[at++];
	} else {
		m->host = &f[at++];
		m->host_port = &f[at++];
	}
	return at == fields->n && !(m->bind && m->bind->is_path) && !(m->port && m->port->is_path);
}

/* From the parts, not from one text: here "unix" and "systemd" are hosts like others. */
static int make_tcp(const char *host, const struct field *port, enum endpoint_role role,
    struct config_endpoint *ret_endpoint, struct err *e)
{
	char *digits = port_digits(port->text);

	if (!digits)
		return err_set(e, ERR_CONFIG, "`%s` is no port", port->text);
	char *text = str_format(strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, digits);
	int rc = endpoint_parse_tcp(text, host, digits, role, ret_endpoint, e);
	free(text);
	free(digits);
	return rc;
}

static int make_unix(const char *path, enum endpoint_role role, const struct ssh_spec_scope *scope,
    struct config_endpoint *ret_endpoint, struct err *e)
{
	char *expanded = scope->expand ? scope->expand(scope->arg, path) : mem_strdup(path);

	if (!expanded)
		return err_set(e, ERR_CONFIG, "`%s`: a token that is not known here", path);
	char *text = str_format("unix:%s", expanded);
	int rc = endpoint_parse(text, role, scope->dir, ret_endpoint, e);
	free(expanded);
	free(text);
	return rc;
}

static int make_listener(const struct meaning *m, enum endpoint_role role,
    const struct ssh_spec_scope *scope, struct config_endpoint *ret_endpoint, struct err *e)
{
	bool near = role == ENDPOINT_LISTEN_NEAR;
	const char *host = near && scope->bind == SSH_BIND_ALL ? "*" : "localhost";

	if (m->listen_path)
		return make_unix(m->listen_path->text, role, scope, ret_endpoint, e);
	if (m->bind)
		host = *m->bind->text ? m->bind->text : "*";
	if (!endpoint_can_listen_near(host)) /* a name of this machine, perhaps */
		role = ENDPOINT_LISTEN_FAR;
	return make_tcp(host, m->port, role, ret_endpoint, e);
}

static int make_target(const struct meaning *m, enum endpoint_role role,
    const struct ssh_spec_scope *scope, struct config_endpoint *ret_endpoint, struct err *e)
{
	if (m->to_path)
		return make_unix(m->to_path->text, role, scope, ret_endpoint, e);
	return make_tcp(m->host->text, m->host_port, role, ret_endpoint, e);
}

static int make_forward(const struct meaning *m, enum ssh_forward_option option,
    const struct ssh_spec_scope *scope, struct config_forward *forward, struct err *e)
{
	bool near = option != SSH_REMOTE_FORWARD;
	bool has_target = m->host || m->to_path;

	if (near)
		forward->kind = has_target ? CONFIG_FORWARD_LOCAL : CONFIG_FORWARD_SOCKS;
	else
		forward->kind = has_target ? CONFIG_FORWARD_REMOTE : CONFIG_FORWARD_REMOTE_SOCKS;
	if (make_listener(m, near ? ENDPOINT_LISTEN_NEAR : ENDPOINT_LISTEN_FAR, scope,
		&forward->listen, e) < 0)
		return ERR_CONFIG;
	if (!has_target)
		return ERR_OK;
	return make_target(m, near ? ENDPOINT_TO_FAR : ENDPOINT_TO_NEAR, scope, &forward->to, e);
}

int ssh_forward_parse(const char *text, enum ssh_forward_option option,
    const struct ssh_spec_scope *scope, struct config_forward *ret_forward, struct err *e)
{
	static const char *const forms[] = {[SSH_LOCAL_FORWARD] = "[bind:]port:host:hostport",
	    [SSH_REMOTE_FORWARD] = "[bind:]port:host:hostport or [bind:]port",
	    [SSH_DYNAMIC_FORWARD] = "[bind:]port"};
	struct config_forward forward = {0};
	struct fields fields = {0};
	struct meaning meaning = {0};
	int rc = ERR_OK;

	if (!span_is_text(span_of(text))) /* which no file of ours can have */
		return err_set(e, ERR_CONFIG, "a forward with control characters in it");
	if (!(strchr(text, '/') && split_at_slashes(text, &fields)) &&
	    !split_at_colons(text, &fields))
		rc = ERR_CONFIG;
	if (rc == ERR_OK && !interpret(&fields, option, &meaning))
		rc = ERR_CONFIG;
	if (rc < 0)
		err_set(e, ERR_CONFIG, "`%s` is not `%s`", text, forms[option]);
	defaults_of_forward(&forward);
	if (rc == ERR_OK)
		rc = make_forward(&meaning, option, scope, &forward, e);
	fields_clear(&fields);
	if (rc == ERR_OK)
		*ret_forward = forward;
	else
		keys_clear(&keys_forward, &forward);
	return rc;
}

/* ---- destinations ---- */

void ssh_destination_clear(struct ssh_destination *destination)
{
	free(destination->user);
	free(destination->host);
	*destination = (struct ssh_destination){0};
}

/* One that nobody takes for an option, or for something on a terminal. */
static bool is_user(const char *user)
{
	return *user && *user != '-' && span_is_text(span_of(user));
}

enum port_part { PORT_NEVER, PORT_MAY_BE };

/* "[user@]host[:port]" */
static int parse_address(const char *text, enum port_part port_part,
    struct ssh_destination *ret_destination, struct err *e)
{
	struct ssh_destination found = {0};
	const char *at = strrchr(text, '@');
	const char *host = at ? at + 1 : text;
	const char *colon = strrchr(host, ':');
	uint64_t port = 0;

	if (port_part == PORT_NEVER || (*host != '[' && colon && strchr(host, ':') != colon))
		colon = NULL; /* none, or a bare IPv6 address */
	if (*host == '[' && colon && colon[-1] != ']')
		colon = NULL;
	size_t n = colon ? (size_t)(colon - host) : strlen(host);
	if (n >= 2 && host[0] == '[' && host[n - 1] == ']')
		found.host = mem_strndup(host + 1, n - 2);
	else
		found.host = mem_strndup(host, n);
	if (at)
		found.user = mem_strndup(text, (size_t)(at - text));
	if (!endpoint_host_is_valid(found.host) || (found.user && !is_user(found.user)) ||
	    (colon && !str_to_u64(colon + 1, 1, 65535, &port))) {
		ssh_destination_clear(&found);
		return err_set(e, ERR_CONFIG, "`%s` is no `[user@]host%s`", text,
		    port_part == PORT_NEVER ? "" : "[:port]");
	}
	found.port = (uint16_t)port;
	*ret_destination = found;
	return ERR_OK;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* RFC 3986, 2.1, in place; and without the parameters behind a semicolon. False: not two digits, or a zero byte. */
static bool decode_user(char *user)
{
	char *to = user;

	user[strcspn(user, ";")] = '\0';
	for (const char *p = user; *p; p++) {
		if (*p != '%') {
			*to++ = *p;
			continue;
		}
		int high = hex_digit(p[1]), low = high < 0 ? -1 : hex_digit(p[2]);
		if (low < 0 || (high == 0 && low == 0))
			return false;
		*to++ = (char)(high * 16 + low);
		p += 2;
	}
	*to = '\0';
	return true;
}

static int parse_uri(const char *text, struct ssh_destination *ret_destination, struct err *e)
{
	size_t n = strlen(text);
	char *address = mem_strndup(text, n > 0 && text[n - 1] == '/' ? n - 1 : n);
	struct ssh_destination found = {0};
	int rc = parse_address(address, PORT_MAY_BE, &found, e);

	free(address);
	if (rc < 0)
		return rc;
	if (found.user && !(decode_user(found.user) && is_user(found.user))) {
		ssh_destination_clear(&found);
		return err_set(e, ERR_CONFIG, "`ssh://%s`: that user cannot be read", text);
	}
	*ret_destination = found;
	return ERR_OK;
}

int ssh_destination_parse(const char *text, struct ssh_destination *ret_destination, struct err *e)
{
	if (strncmp(text, "ssh://", 6) == 0)
		return parse_uri(text + 6, ret_destination, e);
	return parse_address(text, PORT_NEVER, ret_destination, e);
}

int ssh_jump_parse(const char *text, struct ssh_destination *ret_destination, struct err *e)
{
	if (strncmp(text, "ssh://", 6) == 0)
		return parse_uri(text + 6, ret_destination, e);
	return parse_address(text, PORT_MAY_BE, ret_destination, e);
}
