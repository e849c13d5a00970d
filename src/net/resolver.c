/*
 * Names to addresses: libevent's evdns behind a door of our own, because it reads its files once, may call back from inside
 * the call, and has no words for what went wrong.
 */
#include "net/resolver.h"

#include <event2/dns.h>
#include <event2/util.h>

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/addr_order.h"

enum {
	NAME_MAX_BYTES = 253, /* RFC 1035 §2.3.4, as text */
	NO_NAME_SERVERS = 6   /* of evdns_base_resolv_conf_parse(): none in the file */
};

/* What tells that a file is not the one that was read. */
struct stamp {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified;
};

/* One reading of the files. Old ones live until their last request is answered. */
struct config {
	struct loop *loop;
	struct evdns_base *dns;
	unsigned users; /* the resolver and the requests under way */
	struct stamp resolv_conf, hosts;
	bool
	    incomplete; /* a file that is there could not be read, or there was no socket to ask by */
};

struct resolver {
	struct loop *loop;
	char *resolv_conf, *hosts;
	struct config *config;
};

struct resolver_request {
	struct resolver *resolver;
	struct config *config; /* while evdns works on it */
	struct evdns_getaddrinfo_request *dns;
	struct task deliver;
	resolver_callback *done;
	void *arg;
	char *host;
	bool cancelled; /* evdns has still to say so */
	struct addr addrs[RESOLVER_ADDRS_MAX];
	size_t count;
	struct err err;
};

/* ---- the files ---- */

static struct stamp stamp_of(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return (struct stamp){0};
	return (struct stamp){
	    .device = st.st_dev, .inode = st.st_ino, .size = st.st_size, .modified = st.st_mtim};
}

static bool same_stamp(const struct stamp *a, const struct stamp *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->modified.tv_sec == b->modified.tv_sec &&
	       a->modified.tv_nsec == b->modified.tv_nsec;
}

static void log_from_evdns(int is_warning, const char *text)
{
	(void)is_warning; /* what matters comes as a request's error */
	log_debug(NULL, "resolver", "text=%s", text);
}

static struct config *config_read(const struct resolver *r)
{
	struct config *c = NEW(struct config);

	c->loop = r->loop;
	c->users = 1;
	/* Before reading: a change meanwhile is seen by the next lookup. */
	c->resolv_conf = stamp_of(r->resolv_conf);
	c->hosts = stamp_of(r->hosts);
	c->dns = evdns_base_new(loop_base(r->loop), EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (!c->dns)
		abort(); /* out of memory */
	/* Without the file, or a name server in it, that is 127.0.0.1, as resolv.conf(5) says. */
	int failed = evdns_base_resolv_conf_parse(
	    c->dns, DNS_OPTION_SEARCH | DNS_OPTION_NAMESERVERS | DNS_OPTION_MISC, r->resolv_conf);
	c->incomplete = failed && failed != NO_NAME_SERVERS && c->resolv_conf.inode;
	c->incomplete |= evdns_base_load_hosts(c->dns, r->hosts) && c->hosts.inode;
	c->incomplete |= evdns_base_count_nameservers(c->dns) == 0;
	return c;
}

static void free_config(void *object)
{
	struct config *c = object;

	evdns_base_free(c->dns, 0);
	free(c);
}

/* We may be inside a callback of its evdns. */
static void config_release(struct config *c)
{
	if (--c->users == 0)
		loop_bury(c->loop, free_config, c);
}

static void read_again_if_changed(struct resolver *r)
{
	struct stamp resolv_conf = stamp_of(r->resolv_conf), hosts = stamp_of(r->hosts);

	/* Without descriptors nothing is read, and a request that has no name server waits for ever. */
	if (!r->config->incomplete && same_stamp(&resolv_conf, &r->config->resolv_conf) &&
	    same_stamp(&hosts, &r->config->hosts))
		return;
	config_release(r->config);
	r->config = config_read(r);
	log_debug(NULL, "resolver-read-again", "file=%s", r->resolv_conf);
}

struct resolver *resolver_new(struct loop *loop, const char *resolv_conf, const char *hosts)
{
	struct resolver *r = NEW(struct resolver);

	evdns_set_log_fn(log_from_evdns);
	r->loop = loop;
	r->resolv_conf = mem_strdup(resolv_conf ? resolv_conf : "/etc/resolv.conf");
	r->hosts = mem_strdup(hosts ? hosts : "/etc/hosts");
	r->config = config_read(r);
	return r;
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	config_release(r->config);
	free(r->resolv_conf);
	free(r->hosts);
	free(r);
}

/* ---- what went wrong, in words ---- */

static void add_name_servers(const struct config *c, struct strbuf *b)
{
	for (int i = 0; i < evdns_base_count_nameservers(c->dns); i++) {
		struct addr server = {0};
		char text[ADDR_TEXT_MAX];
		int n =
		    evdns_base_get_nameserver_addr(c->dns, i, &server.sa, sizeof(server.storage));

		if (n <= 0)
			continue;
		server.length = (socklen_t)n;
		strbuf_addf(b, " %s",
		    addr_port(&server) == 53 ? addr_host_text(&server, text)
					     : addr_text(&server, text));
	}
}

static void set_error(struct resolver_request *request, const struct config *c, int result)
{
	struct strbuf servers = {0};

	if (result == EVUTIL_EAI_NONAME) {
		err_set(&request->err, ERR_NETWORK, "no such name: %s", request->host);
		return;
	}
	add_name_servers(c, &servers);
	/* Of a refusal, a failed server and a name without addresses evdns makes one. */
	if (result == EVUTIL_EAI_AGAIN)
		err_set(&request->err, ERR_NETWORK,
		    "looking up %s: no answer from the name servers%s", request->host,
		    strbuf_text(&servers));
	else
		err_set(&request->err, ERR_NETWORK,
		    "looking up %s: no address from the name servers%s", request->host,
		    strbuf_text(&servers));
	strbuf_clear(&servers);
}

/* ---- requests ---- */

static void request_free(struct resolver_request *request)
{
	free(request->host);
	free(request);
}

static void deliver(void *arg)
{
	struct resolver_request *request = arg;

	request->done(request->arg, request->addrs, request->count, &request->err);
	request_free(request);
}

static void add_addr(struct resolver_request *request, const struct addr *a)
{
	for (size_t i = 0; i < request->count; i++) {
		if (addr_equal(&request->addrs[i], a))
			return;
	}
	if (request->count < RESOLVER_ADDRS_MAX)
		request->addrs[request->count++] = *a;
}

static void take_answer(struct resolver_request *request, const struct evutil_addrinfo *list)
{
	for (; list; list = list->ai_next) {
		struct addr a = {.length = list->ai_addrlen};

		if ((list->ai_family != AF_INET && list->ai_family != AF_INET6) ||
		    list->ai_addrlen > sizeof(a.storage))
			continue;
		memcpy(&a.storage, list->ai_addr, list->ai_addrlen);
		add_addr(request, &a);
	}
	addr_order(request->addrs, request->count);
}

/* Comes from the loop, or from inside evdns_getaddrinfo(). */
static void on_answer(int result, struct evutil_addrinfo *list, void *arg)
{
	struct resolver_request *request = arg;
	struct config *config = request->config;

	request->config = NULL;
	request->dns = NULL;
	if (request->cancelled) {
		request_free(request);
	} else {
		if (result == 0)
			take_answer(request, list);
		if (request->count == 0)
			set_error(request, config, result ? result : EVUTIL_EAI_NODATA);
		task_schedule(&request->deliver);
	}
	if (list)
		evutil_freeaddrinfo(list);
	config_release(config);
}

static void ask(struct resolver_request *request, uint16_t port)
{
	struct evutil_addrinfo hints = {
	    .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
	char service[6];

	read_again_if_changed(request->resolver);
	request->config = request->resolver->config;
	request->config->users++;
	evutil_snprintf(service, sizeof(service), "%u", port);

	struct evdns_getaddrinfo_request *dns = evdns_getaddrinfo(
	    request->config->dns, request->host, service, &hints, on_answer, request);

	if (request->config) /* else it is answered */
		request->dns = dns;
}

/* RFC 6761 §6.3 */
static bool is_localhost(const char *host)
{
	static const char name[] = "localhost";
	size_t n = strlen(host), tail = sizeof(name) - 1;

	if (n && host[n - 1] == '.')
		n--;
	if (n < tail || strncasecmp(host + n - tail, name, tail) != 0)
		return false;
	return n == tail || host[n - tail - 1] == '.';
}

static void add_localhost(struct resolver_request *request, uint16_t port)
{
	struct addr a;

	if (addr_from_literal("::1", port, &a))
		add_addr(request, &a);
	if (addr_from_literal("127.0.0.1", port, &a))
		add_addr(request, &a);
	addr_order(request->addrs, request->count);
}

/* libevent sends no query for a name with an empty label, and says nothing either. A dot at the end is the root's. */
static bool is_no_name(const char *host)
{
	return *host == '\0' || *host == '.' || strstr(host, "..") || strlen(host) > NAME_MAX_BYTES;
}

struct resolver_request *resolver_lookup(
    struct resolver *resolver, const char *host, uint16_t port, resolver_callback *done, void *arg)
{
	struct resolver_request *request = NEW(struct resolver_request);
	struct addr a;

	request->resolver = resolver;
	request->done = done;
	request->arg = arg;
	request->host = mem_strdup(host);
	task_init(&request->deliver, resolver->loop, deliver, request);
	if (addr_from_literal(host, port, &a)) {
		add_addr(request, &a);
	} else if (is_localhost(host)) {
		add_localhost(request, port);
	} else if (is_no_name(host)) {
		err_set(&request->err, ERR_NETWORK, "no such name: %.300s", *host ? host : "\"\"");
	} else {
		ask(request, port);
		return request;
	}
	task_schedule(&request->deliver);
	return request;
}

void resolver_cancel(struct resolver_request *request)
{
	if (!request)
		return;
	if (!request->config) {
		task_cancel(&request->deliver);
		request_free(request);
		return;
	}
	/* on_answer() comes later, from the loop. */
	request->cancelled = true;
	evdns_getaddrinfo_cancel(request->dns);
}
