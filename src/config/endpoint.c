/*
 * Parsing and comparing what stands on both sides of a forward.
 */
#include "config/endpoint.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "base/mem.h"
#include "base/str.h"
#include "config/expand.h"

#define HOST_MAX 255 /* of a name, RFC 1035 */
#define PATH_LIMIT (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

static bool is_listener(enum endpoint_role role)
{
	return role == ENDPOINT_LISTEN_NEAR || role == ENDPOINT_LISTEN_FAR;
}

static bool is_near(enum endpoint_role role)
{
	return role == ENDPOINT_LISTEN_NEAR || role == ENDPOINT_TO_NEAR;
}

static bool is_ipv6(const char *text)
{
	struct in6_addr address;
	size_t n = strcspn(text, "%");
	char *bare = mem_strndup(text, n);
	bool valid = inet_pton(AF_INET6, bare, &address) == 1 && strcmp(text + n, "%") != 0;

	free(bare);
	return valid;
}

bool endpoint_host_is_valid(const char *host)
{
	size_t n = strlen(host);

	if (n == 0 || n > HOST_MAX)
		return false;
	if (strchr(host, ':'))
		return is_ipv6(host);
	if (*host == '-') /* never a name, and an option of whatever may get it */
		return false;
	for (const char *p = host; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr(".-_", *p))
			return false;
	return true;
}

/* In brackets it is a host, whatever it would be without. */
static bool wants_brackets(const char *host)
{
	return strchr(host, ':') || strcmp(host, "unix") == 0 || strcmp(host, "systemd") == 0;
}

struct config_endpoint endpoint_tcp(const char *host, uint16_t port)
{
	return (struct config_endpoint){.kind = CONFIG_TCP,
	    .host = mem_strdup(host),
	    .port = port,
	    .text = str_format(wants_brackets(host) ? "[%s]:%u" : "%s:%u", host, port)};
}

struct config_endpoint endpoint_unix(const char *path)
{
	return (struct config_endpoint){
	    .kind = CONFIG_UNIX, .path = mem_strdup(path), .text = str_format("unix:%s", path)};
}

void endpoint_clear(struct config_endpoint *endpoint)
{
	free(endpoint->host);
	free(endpoint->path);
	free(endpoint->text);
	*endpoint = (struct config_endpoint){0};
}

struct config_endpoint endpoint_copy(const struct config_endpoint *endpoint)
{
	return (struct config_endpoint){.kind = endpoint->kind,
	    .host = mem_strdup(endpoint->host),
	    .port = endpoint->port,
	    .path = mem_strdup(endpoint->path),
	    .text = mem_strdup(endpoint->text)};
}

bool endpoint_equal(const struct config_endpoint *a, const struct config_endpoint *b)
{
	if (!a->text || !b->text)
		return !a->text && !b->text;
	return strcmp(a->text, b->text) == 0; /* canonical: it says all */
}

int endpoint_check_socket_path(const char *path, struct err *e)
{
	if (strlen(path) > PATH_LIMIT)
		return err_set(e, ERR_CONFIG,
		    "`unix:%s`: longer than the %zu bytes of a socket's path", path, PATH_LIMIT);
	return ERR_OK;
}

static int parse_unix(const char *text, enum endpoint_role role, const char *dir,
    struct config_endpoint *ret_endpoint, struct err *e)
{
	char *path = is_near(role) ? expand_path(text, dir, e) : expand_text(text, e);

	if (!path)
		return ERR_CONFIG;
	if (*path != '/' ||
	    (!is_near(role) && *text == '~')) { /* the home here is not that there */
		free(path);
		return err_set(
		    e, ERR_CONFIG, "`unix:%s`: a path on the server must be absolute", text);
	}
	if (endpoint_check_socket_path(path, e) < 0) {
		free(path);
		return ERR_CONFIG;
	}
	*ret_endpoint = endpoint_unix(path);
	free(path);
	return ERR_OK;
}

/* systemd.socket(5), FileDescriptorName= */
static int parse_systemd(
    const char *name, enum endpoint_role role, struct config_endpoint *ret_endpoint, struct err *e)
{
	size_t n = strlen(name);

	if (role != ENDPOINT_LISTEN_NEAR)
		return err_set(e, ERR_CONFIG,
		    "`systemd:%s`: systemd passes sockets that listen on this machine, for `local` "
		    "and `socks`",
		    name);
	if (n == 0 || n > 255 || strchr(name, ':') || !span_is_text(span_of(name)))
		return err_set(e, ERR_CONFIG,
		    "`systemd:` needs a FileDescriptorName: 1 to 255 characters without a colon");
	*ret_endpoint = (struct config_endpoint){.kind = CONFIG_SYSTEMD,
	    .path = mem_strdup(name),
	    .text = str_format("systemd:%s", name)};
	return ERR_OK;
}

/* More than one colon: an IPv6 address without brackets, alone or with a port, or what ssh takes for -L. */
static int refuse_colons(const char *text, enum endpoint_role role, struct err *e)
{
	char *host = mem_strndup(text, (size_t)(strrchr(text, ':') - text));
	bool is_address = is_ipv6(text) || is_ipv6(host);

	free(host);
	if (is_address)
		return err_set(e, ERR_CONFIG,
		    "`%s`: an IPv6 address stands in brackets, as in `[::1]:80`", text);
	if (is_listener(role))
		return err_set(e, ERR_CONFIG,
		    "`%s`: one `host:port` is wanted; where the connections go is said by `to`",
		    text);
	return err_set(e, ERR_CONFIG, "`%s`: one `host:port` is wanted", text);
}

/* Splits "host:port", "[host]:port" and "port"; the host is given, "" for none. */
static int split(const char *text, enum endpoint_role role, char **ret_host, const char **ret_port,
    struct err *e)
{
	const char *colon = strrchr(text, ':');

	if (*text == '[') {
		const char *close = strchr(text, ']');
		if (!close || close[1] != ':')
			return err_set(e, ERR_CONFIG, "`%s`: `[address]:port` is wanted", text);
		*ret_host = mem_strndup(text + 1, (size_t)(close - text - 1));
		*ret_port = close + 2;
		if (endpoint_host_is_valid(*ret_host))
			return ERR_OK;
		err_set(
		    e, ERR_CONFIG, "`%s`: `%s` is no IPv6 address and no name", text, *ret_host);
		free(*ret_host);
		return ERR_CONFIG;
	}
	if (!colon) {
		*ret_host = mem_strdup("");
		*ret_port = text;
		return ERR_OK;
	}
	if (strchr(text, ':') != colon)
		return refuse_colons(text, role, e);
	*ret_host = mem_strndup(text, (size_t)(colon - text));
	*ret_port = colon + 1;
	return ERR_OK;
}

/* As net/listener.h has it: short forms such as "127.1" are none of inet_pton(3)'s. */
bool endpoint_can_listen_near(const char *host)
{
	struct in_addr v4;

	return strcmp(host, "*") == 0 || strcasecmp(host, "localhost") == 0 ||
	       inet_pton(AF_INET, host, &v4) == 1 || is_ipv6(host);
}

/* "::ffff:127.0.0.1": our sockets of IPv6 are of IPv6 alone. Fills ret with "127.0.0.1". */
static bool is_mapped(const char *host, char ret[INET_ADDRSTRLEN])
{
	struct in6_addr v6;

	return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_V4MAPPED(&v6) &&
	       inet_ntop(AF_INET, &v6.s6_addr[12], ret, INET_ADDRSTRLEN);
}

static int check_host(const char *text, const char *host, enum endpoint_role role, struct err *e)
{
	char v4[INET_ADDRSTRLEN];

	if (*host == '\0' && is_listener(role))
		return err_set(e, ERR_CONFIG,
		    "`%s`: the address is missing; `*%s` is all addresses, the port alone loopback",
		    text, text);
	if (*host == '\0')
		return err_set(e, ERR_CONFIG, "`%s`: the host is missing", text);
	if (strcmp(host, "*") == 0 && is_listener(role))
		return ERR_OK;
	if (!endpoint_host_is_valid(host))
		return err_set(
		    e, ERR_CONFIG, "`%s`: `%s` is neither a name nor an address", text, host);
	if (role == ENDPOINT_LISTEN_NEAR && is_mapped(host, v4))
		return err_set(e, ERR_CONFIG, "`%s`: `%s` is IPv4: write `%s`", text, host, v4);
	if (role == ENDPOINT_LISTEN_NEAR && !endpoint_can_listen_near(host))
		return err_set(e, ERR_CONFIG,
		    "`%s`: this machine listens on an IP address, `localhost` or `*`, not on `%s`",
		    text, host);
	return ERR_OK;
}

int endpoint_parse_tcp(const char *text, const char *host, const char *port_text,
    enum endpoint_role role, struct config_endpoint *ret_endpoint, struct err *e)
{
	uint64_t port;

	if (check_host(text, host, role, e) < 0)
		return ERR_CONFIG;
	if (*port_text == '\0')
		return err_set(e, ERR_CONFIG, "`%s`: the port is missing", text);
	if (!str_to_u64(port_text, is_listener(role) ? 0 : 1, 65535, &port))
		return err_set(e, ERR_CONFIG, "`%s`: `%s` is no port number", text, port_text);
	*ret_endpoint = endpoint_tcp(host, (uint16_t)port);
	return ERR_OK;
}

static int parse_tcp(
    const char *text, enum endpoint_role role, struct config_endpoint *ret_endpoint, struct err *e)
{
	const char *port_text = NULL;
	char *host = NULL;
	int rc;

	if (split(text, role, &host, &port_text, e) < 0)
		return ERR_CONFIG;
	if (port_text == text) { /* no colon */
		free(host);
		if (!is_listener(role))
			return err_set(
			    e, ERR_CONFIG, "`%s`: `host:port` or `unix:PATH` is wanted", text);
		if (endpoint_can_listen_near(text))
			return err_set(
			    e, ERR_CONFIG, "`%s`: the port is missing, as in `%s:80`", text, text);
		host = mem_strdup("localhost");
	}
	rc = endpoint_parse_tcp(text, host, port_text, role, ret_endpoint, e);
	free(host);
	return rc;
}

int endpoint_parse(const char *text, enum endpoint_role role, const char *dir,
    struct config_endpoint *ret_endpoint, struct err *e)
{
	if (strncmp(text, "unix:", 5) == 0)
		return parse_unix(text + 5, role, dir, ret_endpoint, e);
	if (strncmp(text, "systemd:", 8) == 0)
		return parse_systemd(text + 8, role, ret_endpoint, e);
	if (strchr(text, '/'))
		return err_set(e, ERR_CONFIG, "`%s`: a socket's path begins with `unix:`", text);
	return parse_tcp(text, role, ret_endpoint, e);
}

/* ---- one spelling ---- */

static char *normal_host(const char *host)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr v6;
	struct in_addr v4;

	if (inet_pton(AF_INET6, host, &v6) == 1)
		return mem_strdup(inet_ntop(AF_INET6, &v6, text, sizeof(text)));
	if (inet_aton(host, &v4)) /* "127.1" */
		return mem_strdup(inet_ntop(AF_INET, &v4, text, sizeof(text)));
	char *name = mem_strdup(host);
	for (char *p = name; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return name;
}

/* What is done so far never ends with a slash. */
static char *normal_path(const char *path)
{
	char *out = mem_strdup(path);
	size_t done = 0;

	if (*path != '/') /* nothing else is known of it */
		return out;

	while (*path) {
		size_t n = strcspn(path, "/");
		if (n > 0 && !(n == 1 && *path == '.')) {
			out[done++] = '/';
			memcpy(out + done, path, n);
			done += n;
		}
		path += n + (path[n] == '/');
	}
	out[done] = '\0';
	return out;
}

/* Of a socket that need not be there yet, but its folder may, behind links and "..". Takes path. */
static char *resolve_folder(char *path)
{
	char *slash = strrchr(path, '/');
	char *folder = slash ? mem_strndup(path, (size_t)(slash - path) + 1) : NULL;
	char *real = folder ? realpath(folder, NULL) : NULL;

	free(folder);
	if (!real)
		return path;
	char *whole = str_format("%s%s", strcmp(real, "/") == 0 ? "" : real, slash);
	free(real);
	free(path);
	return whole;
}

struct config_endpoint endpoint_normal(const struct config_endpoint *endpoint)
{
	struct config_endpoint normal = endpoint_copy(endpoint);

	if (endpoint->kind == CONFIG_TCP) {
		free(normal.host);
		normal.host = normal_host(endpoint->host);
	} else if (endpoint->kind == CONFIG_UNIX) {
		free(normal.path);
		normal.path = normal_path(endpoint->path);
	}
	return normal;
}

struct config_endpoint endpoint_normal_here(const struct config_endpoint *endpoint)
{
	struct config_endpoint normal = endpoint_normal(endpoint);

	if (normal.kind == CONFIG_UNIX)
		normal.path = resolve_folder(normal.path);
	return normal;
}

static bool host_is_loopback(const char *host)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	if (inet_pton(AF_INET6, host, &v6) == 1)
		return IN6_IS_ADDR_LOOPBACK(&v6) ||
		       (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
	return strcmp(host, "localhost") == 0;
}

bool endpoint_is_loopback(const struct config_endpoint *endpoint)
{
	if (endpoint->kind != CONFIG_TCP)
		return false;
	char *host = normal_host(endpoint->host);
	bool is = host_is_loopback(host);
	free(host);
	return is;
}

bool endpoint_is_wide(const struct config_endpoint *endpoint)
{
	static const char *const wide[ENDPOINT_WIDE_MAX] = {"*", "0.0.0.0", "::", "localhost"};

	for (size_t i = 0; i < ENDPOINT_WIDE_MAX && endpoint->kind == CONFIG_TCP; i++)
		if (strcmp(endpoint->host, wide[i]) == 0)
			return true;
	return false;
}

/* "*" is all addresses, "localhost" both loopback ones; "0.0.0.0" and "::" are all of one family alone: our listeners are
 * IPV6_V6ONLY, and so are those of OpenSSH's server. */
static bool host_covers(const char *wide, const char *host)
{
	bool is_ipv6_host = strchr(host, ':') != NULL;

	if (strcmp(wide, "*") == 0)
		return true;
	if (strcmp(wide, "0.0.0.0") == 0)
		return !is_ipv6_host;
	if (strcmp(wide, "::") == 0)
		return is_ipv6_host || strcmp(host, "localhost") == 0;
	if (strcmp(wide, "localhost") == 0)
		return strcmp(host, "localhost") == 0 || strcmp(host, "127.0.0.1") == 0 ||
		       strcmp(host, "::1") == 0;
	return strcmp(wide, host) == 0;
}

bool endpoint_overlap(const struct config_endpoint *a, const struct config_endpoint *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind != CONFIG_TCP)
		return strcmp(a->path, b->path) == 0;
	return a->port != 0 && a->port == b->port &&
	       (host_covers(a->host, b->host) || host_covers(b->host, a->host));
}
