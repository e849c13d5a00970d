/*
 * The registry of one session: which listeners the server keeps for us, and whose a channel is that it opens.
 */
#include "forward/service.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/addr.h"

static const char property[] = "forward-service";

struct forward_service {
	struct session *session;
	struct list listeners; /* asked for and granted ones */
};

enum listener_kind { LISTENER_TCP, LISTENER_UNIX };

struct remote_listener {
	struct list node;
	struct forward_service *service;
	enum listener_kind kind;
	char *address; /* as it went over the wire; the path of a Unix socket */
	uint16_t asked_port;
	uint16_t port; /* the allocated one, once granted */
	bool granted;
	bool cancelled; /* before the answer came: it is cancelled when it comes */
	struct remote_listener_callbacks callbacks;
};

/* ---- whose channel is it? ---- */

static bool is_any(const char *address)
{
	return !address[0] || strcmp(address, "*") == 0 || strcmp(address, "0.0.0.0") == 0 ||
	       strcmp(address, "::") == 0;
}

static bool is_loopback(const char *address)
{
	struct addr literal;

	if (strcmp(address, "localhost") == 0)
		return true;
	return addr_from_literal(address, 0, &literal) && addr_is_loopback(&literal);
}

static bool is_same_literal(const char *a, const char *b)
{
	struct addr x, y;

	return addr_from_literal(a, 0, &x) && addr_from_literal(b, 0, &y) && addr_equal(&x, &y);
}

/*
 * May a server that was asked for one address name the other? Who was asked for all of them may name the one that the client
 * used (RFC 4254 §7.2 says so). Others answer 0.0.0.0, ::1 or localhost for one another, as their settings have it
 * (mscdex/ssh2 issue 377). An address of a real interface stands for itself alone.
 */
static bool is_compatible(const char *asked, const char *named)
{
	if (is_any(asked) || strcmp(asked, named) == 0 || is_same_literal(asked, named))
		return true;
	return is_loopback(asked) && (is_any(named) || is_loopback(named));
}

static bool is_exact(const struct remote_listener *l, const char *address, uint16_t port)
{
	return l->port == port && strcmp(l->address, address) == 0;
}

static bool is_near(const struct remote_listener *l, const char *address, uint16_t port)
{
	/* OpenSSH 5 says port 0 for a port that it allocated. */
	bool same_port = port ? l->port == port : l->asked_port == 0;

	return same_port && is_compatible(l->address, address);
}

/* The only one that matches, or NULL. */
static struct remote_listener *find_only(const struct forward_service *fs, const char *address,
    uint16_t port,
    bool (*matches)(const struct remote_listener *l, const char *address, uint16_t port))
{
	struct remote_listener *found = NULL;

	LIST_FOREACH(node, &fs->listeners)
	{
		struct remote_listener *l = CONTAINER_OF(node, struct remote_listener, node);

		if (l->kind != LISTENER_TCP || !l->granted || !matches(l, address, port))
			continue;
		if (found)
			return NULL;
		found = l;
	}
	return found;
}

static struct remote_listener *find_tcp(
    const struct forward_service *fs, const char *address, uint16_t port)
{
	struct remote_listener *l = find_only(fs, address, port, is_exact);

	return l ? l : find_only(fs, address, port, is_near);
}

static struct remote_listener *find_unix(const struct forward_service *fs, struct span path)
{
	LIST_FOREACH(node, &fs->listeners)
	{
		struct remote_listener *l = CONTAINER_OF(node, struct remote_listener, node);

		if (l->kind == LISTENER_UNIX && l->granted && span_is(path, l->address))
			return l;
	}
	return NULL;
}

/* ---- channels that the server opens ---- */

static void hand_over(struct remote_listener *l, struct channel *c, const char *host, uint16_t port)
{
	if (l)
		l->callbacks.on_channel(l->callbacks.arg, c, host, port);
	else
		channel_refuse(
		    c, OPEN_ADMINISTRATIVELY_PROHIBITED, "nothing was asked to listen there");
}

enum { HOST_MAX = 255 };

/* Gives; NULL when it is nothing that can be a host. */
static char *take_host(struct span host)
{
	return host.n <= HOST_MAX && span_is_text(host) ? span_strdup(host) : NULL;
}

/* RFC 4254 §7.2 */
static void on_forwarded_tcpip(
    void *arg, struct session *session, struct channel *c, struct span extra)
{
	const struct forward_service *fs = arg;
	struct rd r;

	(void)session;
	rd_init(&r, extra);
	char *address = take_host(rd_string(&r)); /* address that was connected */
	uint32_t port = rd_u32(&r);               /* port that was connected */
	char *originator = take_host(rd_string(&r));
	uint32_t originator_port = rd_u32(&r);

	if (rd_end(&r) < 0 || !address || !originator || port > UINT16_MAX ||
	    originator_port > UINT16_MAX)
		channel_refuse(
		    c, OPEN_CONNECT_FAILED, "a forwarded-tcpip channel that cannot be read");
	else
		hand_over(find_tcp(fs, address, (uint16_t)port), c, originator,
		    (uint16_t)originator_port);
	free(address);
	free(originator);
}

/* openssh-portable's PROTOCOL §2.4 */
static void on_forwarded_streamlocal(
    void *arg, struct session *session, struct channel *c, struct span extra)
{
	const struct forward_service *fs = arg;
	struct rd r;

	(void)session;
	rd_init(&r, extra);
	struct span path = rd_string(&r);

	rd_string(&r); /* reserved */
	if (rd_end(&r) < 0)
		channel_refuse(
		    c, OPEN_CONNECT_FAILED, "a forwarded-streamlocal channel that cannot be read");
	else
		hand_over(find_unix(fs, path), c, "", 0);
}

/* ---- the service ---- */

static void listener_destroy(struct remote_listener *l)
{
	list_remove(&l->node);
	free(l->address);
	free(l);
}

static void service_free(void *arg)
{
	struct forward_service *fs = arg;

	LIST_FOREACH(node, &fs->listeners)
	listener_destroy(CONTAINER_OF(node, struct remote_listener, node));
	free(fs);
}

struct forward_service *forward_service_of(struct session *s)
{
	struct forward_service *fs = session_property(s, property);

	if (fs)
		return fs;
	fs = NEW(struct forward_service);
	fs->session = s;
	list_init(&fs->listeners);
	session_set_property(s, property, fs);
	session_on_free(s, service_free, fs);
	session_on_open_channel(s, "forwarded-tcpip",
	    (struct session_open_registration){.handler = on_forwarded_tcpip, .arg = fs});
	session_on_open_channel(s, "forwarded-streamlocal@openssh.com",
	    (struct session_open_registration){.handler = on_forwarded_streamlocal, .arg = fs});
	return fs;
}

/* ---- asking the server to listen ---- */

static void wr_listener(struct wr *w, const struct remote_listener *l, uint16_t port)
{
	wr_cstring(w, l->address);
	if (l->kind == LISTENER_TCP)
		wr_u32(w, port);
}

/* OpenSSH wants no reply to a cancel, and there is nothing that we would do with one. */
static void send_cancel(struct remote_listener *l)
{
	struct wr extra = WR_INIT;

	wr_listener(&extra, l, l->port);
	session_send_global_request(l->service->session,
	    l->kind == LISTENER_TCP ? "cancel-tcpip-forward"
				    : "cancel-streamlocal-forward@openssh.com",
	    wr_span(&extra), NULL, NULL);
	wr_clear(&extra);
}

/* The allocated port comes only where none was asked for (RFC 4254 §7.1). What others add elsewhere means nothing. */
static bool read_port(struct remote_listener *l, struct span data)
{
	struct rd r;

	l->port = l->asked_port;
	if (l->kind == LISTENER_UNIX || l->asked_port != 0)
		return true;
	rd_init(&r, data);
	uint32_t port = rd_u32(&r);

	if (!rd_ok(&r) || port == 0 || port > UINT16_MAX)
		return false;
	l->port = (uint16_t)port;
	return true;
}

static void refused(struct remote_listener *l, const struct err *e)
{
	struct remote_listener_callbacks callbacks = l->callbacks;
	bool cancelled = l->cancelled;

	listener_destroy(l);
	if (!cancelled)
		callbacks.on_refused(callbacks.arg, e);
}

static void granted(struct remote_listener *l, struct span data)
{
	struct err e = ERR_INIT;

	if (!read_port(l, data)) {
		err_set(&e, ERR_PEER, "the server granted a port that cannot be");
		refused(l, &e);
		return;
	}
	if (l->cancelled) {
		send_cancel(l);
		listener_destroy(l);
		return;
	}
	l->granted = true;
	l->callbacks.on_granted(l->callbacks.arg, l->port);
}

static void describe(const struct remote_listener *l, struct strbuf *b)
{
	if (l->kind == LISTENER_UNIX)
		strbuf_addf(b, "the path %s", l->address);
	else if (l->asked_port)
		strbuf_addf(b, "port %u of %s", l->asked_port,
		    is_any(l->address) ? "all addresses" : l->address);
	else
		strbuf_addf(b, "any port of %s", is_any(l->address) ? "all addresses" : l->address);
}

/* RFC 4254 §7.1: a refusal has no words of its own. */
static const char *advice(const struct remote_listener *l)
{
	return l->kind == LISTENER_TCP
		   ? "ss -tlnp there shows who has it, AllowTcpForwarding and PermitListen in its "
		     "sshd_config what is permitted"
		   : "a socket that was left behind must go (StreamLocalBindUnlink in its "
		     "sshd_config does that), AllowStreamLocalForwarding must permit it";
}

static void on_reply(void *arg, enum session_reply reply, struct span data)
{
	struct remote_listener *l = arg;
	struct strbuf where = {0};
	struct err e = ERR_INIT;

	if (reply == SESSION_REPLY_SUCCESS) {
		granted(l, data);
		return;
	}
	describe(l, &where);
	if (reply == SESSION_REPLY_FAILURE)
		err_set(&e, ERR_PEER,
		    "the server refuses to listen on %s: in use there, or not permitted; %s",
		    strbuf_text(&where), advice(l));
	else
		err_set(&e, ERR_NETWORK, "the session ended before the server answered");
	strbuf_clear(&where);
	refused(l, &e);
}

static struct remote_listener *listen_on(struct forward_service *fs, enum listener_kind kind,
    const char *address, uint16_t port, const struct remote_listener_callbacks *callbacks)
{
	struct remote_listener *l = NEW(struct remote_listener);
	struct wr extra = WR_INIT;

	l->service = fs;
	l->kind = kind;
	l->address = mem_strdup(address);
	l->asked_port = port;
	l->callbacks = *callbacks;
	list_append(&fs->listeners, &l->node);
	wr_listener(&extra, l, port);
	session_send_global_request(fs->session,
	    kind == LISTENER_TCP ? "tcpip-forward" : "streamlocal-forward@openssh.com",
	    wr_span(&extra), on_reply, l);
	wr_clear(&extra);
	return l;
}

struct remote_listener *forward_service_listen_tcp(struct forward_service *fs, const char *address,
    uint16_t port, const struct remote_listener_callbacks *callbacks)
{
	return listen_on(fs, LISTENER_TCP, address, port, callbacks);
}

struct remote_listener *forward_service_listen_unix(
    struct forward_service *fs, const char *path, const struct remote_listener_callbacks *callbacks)
{
	return listen_on(fs, LISTENER_UNIX, path, 0, callbacks);
}

void remote_listener_cancel(struct remote_listener *l)
{
	if (!l)
		return;
	if (!l->granted) {
		l->cancelled = true;
		return;
	}
	if (!session_closed(l->service->session, NULL))
		send_cancel(l);
	listener_destroy(l);
}

size_t forward_service_active(
    const struct forward_service *fs, struct remote_listener_info *infos, size_t max)
{
	size_t n = 0;

	LIST_FOREACH(node, &fs->listeners)
	{
		const struct remote_listener *l = CONTAINER_OF(node, struct remote_listener, node);

		if (!l->granted)
			continue;
		if (n < max)
			infos[n] =
			    (struct remote_listener_info){.address = l->address, .port = l->port};
		n++;
	}
	return n;
}

const char *remote_listener_wire_address(const char *host)
{
	if (!host)
		return "localhost";
	return strcmp(host, "*") == 0 ? "" : host;
}
