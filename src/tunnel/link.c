/*
 * The life of a link as a small state machine: every change goes through set_state(), every failure through failed().
 */
#include "tunnel/link.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/bev.h"
#include "net/connector.h"
#include "tunnel/backoff.h"
#include "tunnel/login.h"

enum {
	DRAIN_POLL_MS = 100,
	EXPIRY_MARGIN_S = 300 /* a new link is made this long before a certificate ends */
};

struct link {
	struct link_env env;
	const struct config_host *config;
	const struct log_context *log;
	struct link_callbacks callbacks;
	void *arg;

	enum link_state state;
	time_t since;
	uint64_t up_since_ms; /* of the present or last time that it was up */
	struct err reason;
	struct log_repeat repeat;

	struct gate_ticket ticket;
	struct connector *connector;
	struct channel *via_channel; /* while it is being opened */
	struct client *client;
	bool announced; /* its session, with on_session_up() */
	struct login login;
	char peer_address[ADDR_TEXT_MAX];
	char host_key[64];

	struct backoff backoff;
	struct timer retry, drain, expiry;
	uint64_t drain_until_ms;
	enum link_state drain_end;
	unsigned times_up;
	struct link_bytes bytes; /* of the connections that ended */
};

static void try_now(struct link *link);

const char *link_state_name(enum link_state state)
{
	static const char *const names[] = {
	    [LINK_IDLE] = "idle",
	    [LINK_RESOLVING] = "resolving",
	    [LINK_CONNECTING] = "connecting",
	    [LINK_HANDSHAKE] = "handshake",
	    [LINK_LOGIN] = "login",
	    [LINK_UP] = "up",
	    [LINK_WAITING] = "waiting",
	    [LINK_DRAINING] = "draining",
	    [LINK_STOPPED] = "stopped",
	};

	return names[state];
}

/* ---- states ---- */

#define TO(state) (1u << (state))
#define TO_THE_END (TO(LINK_IDLE) | TO(LINK_STOPPED))

static const unsigned allowed[] = {
    [LINK_IDLE] = TO(LINK_RESOLVING) | TO(LINK_WAITING) | TO(LINK_STOPPED),
    [LINK_RESOLVING] = TO(LINK_CONNECTING) | TO(LINK_HANDSHAKE) | TO(LINK_WAITING) | TO_THE_END,
    [LINK_CONNECTING] = TO(LINK_HANDSHAKE) | TO(LINK_WAITING) | TO_THE_END,
    [LINK_HANDSHAKE] = TO(LINK_LOGIN) | TO(LINK_WAITING) | TO_THE_END,
    [LINK_LOGIN] = TO(LINK_UP) | TO(LINK_WAITING) | TO_THE_END,
    [LINK_UP] = TO(LINK_WAITING) | TO(LINK_RESOLVING) | TO(LINK_DRAINING) | TO_THE_END,
    [LINK_WAITING] = TO(LINK_RESOLVING) | TO_THE_END,
    [LINK_DRAINING] = TO(LINK_UP) | TO_THE_END,
    [LINK_STOPPED] = TO(LINK_RESOLVING) | TO(LINK_WAITING) | TO(LINK_IDLE),
};

static void set_state(struct link *link, enum link_state state)
{
	enum link_state before = link->state;

	if (before == state)
		return;
	if (!(allowed[before] & TO(state)))
		log_error(link->log, "bug", "from=%s to=%s", link_state_name(before),
		    link_state_name(state));
	link->state = state;
	link->since = clock_wall();
	log_debug(link->log, "link-state", "state=%s", link_state_name(state));
	link->callbacks.on_change(link->arg, link);
}

static void announce_up(struct link *link)
{
	link->announced = true;
	link->callbacks.on_session_up(link->arg, link_session(link));
}

static void announce_down(struct link *link)
{
	if (!link->announced)
		return;
	link->announced = false;
	link->callbacks.on_session_down(link->arg, link_session(link));
}

/* Everything of the present try, or of the link that was up, goes. */
static void drop_connection(struct link *link)
{
	announce_down(link);
	if (link->client) {
		link->bytes = link_bytes(link);
		client_free(link->client);
		link->client = NULL;
	}
	if (link->via_channel) {
		channel_set_callbacks(link->via_channel, &(struct channel_callbacks){0}, NULL);
		channel_close(link->via_channel);
		link->via_channel = NULL;
	}
	connector_cancel(link->connector);
	link->connector = NULL;
	login_clear(&link->login);
	timer_stop(&link->expiry);
}

static bool server_dropped_us(const struct link *link, const struct err *e)
{
	return link->state == LINK_HANDSHAKE && e->class == ERR_NETWORK && link->client &&
	       *transport_peer_ident(client_transport(link->client)) == '\0';
}

static enum backoff_held held(const struct link *link)
{
	return link->callbacks.is_client_held(link->arg) ? BACKOFF_CLIENT_HELD
							 : BACKOFF_NOBODY_HELD;
}

static void log_failure(struct link *link, uint64_t wait_ms)
{
	if (link->state == LINK_UP)
		log_info(link->log, "link-down", "reason=%s", link->reason.text);
	else
		log_unless_repeated(&link->repeat, LOG_LEVEL_WARNING, link->log, "link-failed",
		    "during=%s class=%s reason=%s", link_state_name(link->state),
		    err_class_name(link->reason.class), link->reason.text);
	log_debug(link->log, "link-retry", "after_ms=%lu", (unsigned long)wait_ms);
}

/* The present try, or the link that was up, ended for this reason. */
static void failed(struct link *link, const struct err *e)
{
	uint64_t wait_ms;

	gate_leave(&link->ticket, server_dropped_us(link, e) ? GATE_DROPPED_BY_SERVER : GATE_DONE);
	link->reason = *e;
	if (link->state == LINK_UP)
		wait_ms = backoff_lost(
		    &link->backoff, clock_now_ms() - link->up_since_ms, e->class, held(link));
	else
		wait_ms = backoff_failed(&link->backoff, e->class, held(link));
	log_failure(link, wait_ms);
	drop_connection(link);
	timer_start(&link->retry, wait_ms);
	set_state(link, LINK_WAITING);
}

/* ---- the client ---- */

static void ended(struct link *link)
{
	timer_stop(&link->drain);
	drop_connection(link);
	set_state(link, link->drain_end);
}

static void on_client_closed(void *arg, const struct err *e)
{
	struct link *link = arg;

	if (link->state == LINK_DRAINING) {
		log_info(link->log, "link-closed", "reason=%s",
		    e->class == ERR_CANCELLED ? "not needed any more" : e->text);
		ended(link);
		return;
	}
	struct err via_reason = ERR_INIT;
	if (link->config->via && !link->callbacks.via_session(link->arg, &via_reason)) {
		/* Not this host's fault: name the hop that broke. */
		err_prefix(&via_reason, "jump host %s", link->config->via);
		failed(link, &via_reason);
		return;
	}
	failed(link, e);
}

static void watch_expiry(struct link *link)
{
	uint64_t now = (uint64_t)clock_wall();

	if (link->login.expires == UINT64_MAX || link->login.expires <= now)
		return;
	uint64_t left = link->login.expires - now;
	timer_start(
	    &link->expiry, (left > 2 * EXPIRY_MARGIN_S ? left - EXPIRY_MARGIN_S : left / 2) * 1000);
}

static void on_expiry(void *arg)
{
	struct link *link = arg;

	if (link->state == LINK_UP)
		link->callbacks.on_expiring(link->arg, link);
}

static void came_up(struct link *link)
{
	struct transport_info info;

	gate_leave(&link->ticket, GATE_DONE);
	err_clear(&link->reason);
	log_repeat_end(&link->repeat, link->log, "link-failed");
	link->up_since_ms = clock_now_ms();
	link->times_up++;
	snprintf(link->host_key, sizeof(link->host_key), "%s",
	    hostkey_policy_fingerprint(link->login.hostkey));
	transport_get_info(client_transport(link->client), &info);
	log_info(link->log, "link-up", "address=%s kex=%s cipher=%s host_key=%s login=%s",
	    link->peer_address, info.kex, info.cipher_out, link->host_key,
	    client_auth_method(link->client));
	watch_expiry(link);
	set_state(link, LINK_UP);
	announce_up(link);
}

static void on_client_state(void *arg, enum client_state state)
{
	struct link *link = arg;

	if (state == CLIENT_LOGIN)
		set_state(link, LINK_LOGIN);
	else if (state == CLIENT_UP)
		came_up(link);
}

static void start_client(struct link *link, struct bufferevent *bev)
{
	static const struct client_callbacks callbacks = {
	    .on_state = on_client_state, .on_closed = on_client_closed};
	struct client_options options;
	struct err e = ERR_INIT;

	if (login_prepare(link->config, link->log, &link->login, &options, &e)) {
		bev_free(bev);
		failed(link, &e);
		return;
	}
	set_state(link, LINK_HANDSHAKE);
	link->client = client_new(link->env.loop, bev, &options, &callbacks, link);
}

/* ---- by TCP ---- */

/* The kernel gives up on unacknowledged data no later than our own probes do. */
static void set_socket_options(const struct link *link, int fd)
{
	uint64_t ms = link->config->keepalive_interval_ms * (link->config->keepalive_count + 1u);
	unsigned user_timeout = ms < UINT32_MAX ? (unsigned)ms : 0;
	int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if (user_timeout)
		setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout, sizeof(user_timeout));
}

static void on_connected(void *arg, int fd, const struct addr *peer, const struct err *e)
{
	struct link *link = arg;

	link->connector = NULL;
	if (fd < 0) {
		failed(link, e);
		return;
	}
	addr_text(peer, link->peer_address);
	set_socket_options(link, fd);
	start_client(link, bev_socket_new(link->env.loop, fd));
}

static void on_resolved(void *arg)
{
	set_state(arg, LINK_CONNECTING);
}

static void connect_tcp(struct link *link)
{
	struct endpoint to = {.host = link->config->address, .port = link->config->port};
	struct connector_options options = {.resolver = link->env.resolver,
	    .bind_address = link->config->bind_address,
	    .timeout_ms = link->config->connect_timeout_ms,
	    .on_resolved = on_resolved};

	link->connector = connector_start(link->env.loop, &to, &options, on_connected, link);
}

/* ---- through a jump host ---- */

static void on_via_open(void *arg, struct channel *c)
{
	struct link *link = arg;

	link->via_channel = NULL;
	channel_set_callbacks(c, &(struct channel_callbacks){0}, NULL);
	snprintf(link->peer_address, sizeof(link->peer_address), "%s:%u", link->config->address,
	    link->config->port);
	start_client(link, channel_bev(c));
}

static void on_via_failed(void *arg, struct channel *c, uint32_t code, struct span text)
{
	struct link *link = arg;
	struct err e = ERR_INIT;
	struct strbuf words = {0};

	(void)c;
	link->via_channel = NULL;
	strbuf_add_escaped(&words, text);
	err_set(&e, code == OPEN_ADMINISTRATIVELY_PROHIBITED ? ERR_LOGIN : ERR_NETWORK,
	    "jump host %s cannot connect to %s:%u: %s", link->config->via, link->config->address,
	    link->config->port, strbuf_text(&words));
	strbuf_clear(&words);
	failed(link, &e);
}

static void on_via_close(void *arg, struct channel *c, const struct err *why)
{
	struct link *link = arg;
	struct err e = ERR_INIT;

	(void)c;
	link->via_channel = NULL;
	err_set(&e, ERR_NETWORK, "jump host %s: %s", link->config->via,
	    why ? why->text : "the channel was closed");
	failed(link, &e);
}

static void connect_via(struct link *link, struct session *s)
{
	static const struct channel_callbacks callbacks = {
	    .on_open = on_via_open, .on_open_failed = on_via_failed, .on_close = on_via_close};
	struct wr extra = WR_INIT;
	struct err e = ERR_INIT;

	/* RFC 4254 §7.2: host, port, originator address, originator port */
	wr_cstring(&extra, link->config->address);
	wr_u32(&extra, link->config->port);
	wr_cstring(&extra, "127.0.0.1");
	wr_u32(&extra, 65535);
	link->via_channel =
	    session_open_channel(s, "direct-tcpip", wr_span(&extra), &callbacks, link, &e);
	wr_clear(&extra);
	if (!link->via_channel) {
		err_prefix(&e, "jump host %s", link->config->via);
		failed(link, &e);
		return;
	}
	set_state(link, LINK_CONNECTING);
}

/* ---- tries ---- */

static void on_gate(void *arg)
{
	struct link *link = arg;
	struct err reason = ERR_INIT;

	if (!link->config->via) {
		connect_tcp(link);
		return;
	}
	struct session *s = link->callbacks.via_session(link->arg, &reason);
	if (s) {
		connect_via(link, s);
		return;
	}
	/* Until link_via_up(). */
	gate_leave(&link->ticket, GATE_DONE);
	err_prefix(&reason, "jump host %s", link->config->via);
	link->reason = reason;
}

static void try_now(struct link *link)
{
	char server[320];
	struct err reason = ERR_INIT;

	timer_stop(&link->retry);
	set_state(link, LINK_RESOLVING);
	if (link->config->via && !link->callbacks.via_session(link->arg, &reason)) {
		err_prefix(&reason, "jump host %s", link->config->via);
		link->reason = reason;
		return; /* until link_via_up() */
	}
	snprintf(server, sizeof(server), "%s:%u", link->config->address, link->config->port);
	gate_ask(&link->ticket, server);
}

static void on_retry(void *arg)
{
	try_now(arg);
}

static void on_drain(void *arg)
{
	struct link *link = arg;
	struct session *s = client_session(link->client);
	uint64_t now = clock_now_ms();

	if (s && session_busy(s, SESSION_VISIBLE_ONLY) && now < link->drain_until_ms) {
		timer_start(&link->drain, DRAIN_POLL_MS);
		return;
	}
	client_close(link->client, DRAIN_POLL_MS);
}

/* ---- from outside ---- */

struct link *link_new(const struct link_env *env, const struct config_host *config,
    const struct log_context *log, const struct link_callbacks *callbacks, void *arg)
{
	struct link *link = NEW(struct link);

	link->env = *env;
	link->config = config;
	link->log = log;
	link->callbacks = *callbacks;
	link->arg = arg;
	link->state = LINK_IDLE;
	link->since = clock_wall();
	link->login.expires = UINT64_MAX;
	backoff_init(&link->backoff, config->reconnect_min_ms, config->reconnect_max_ms);
	gate_ticket_init(&link->ticket, env->gate, on_gate, link);
	timer_init(&link->retry, env->loop, on_retry, link);
	timer_init(&link->drain, env->loop, on_drain, link);
	timer_init(&link->expiry, env->loop, on_expiry, link);
	return link;
}

static void free_link(void *object)
{
	free(object);
}

void link_free(struct link *link)
{
	if (!link)
		return;
	gate_leave(&link->ticket, GATE_DONE);
	drop_connection(link);
	timer_stop(&link->retry);
	timer_stop(&link->drain);
	loop_bury(link->env.loop, free_link, link);
}

void link_start(struct link *link)
{
	switch (link->state) {
	case LINK_IDLE:
	case LINK_STOPPED:
		try_now(link);
		break;
	case LINK_DRAINING:
		/* Wanted again before it ended, and it still works. */
		if (client_state(link->client) == CLIENT_UP) {
			timer_stop(&link->drain);
			set_state(link, LINK_UP);
			announce_up(link);
		}
		break;
	case LINK_RESOLVING:
	case LINK_CONNECTING:
	case LINK_HANDSHAKE:
	case LINK_LOGIN:
	case LINK_UP:
	case LINK_WAITING:
		break;
	}
}

void link_retry_now(struct link *link)
{
	if (link->state == LINK_WAITING)
		try_now(link);
}

void link_via_up(struct link *link)
{
	if (link->state == LINK_WAITING || (link->state == LINK_RESOLVING && link->config->via &&
					       !link->ticket.server && !link->via_channel))
		try_now(link);
}

void link_hurry(struct link *link)
{
	if (link->state == LINK_WAITING && backoff_is_fast_class(link->reason.class) &&
	    timer_left_ms(&link->retry) > BACKOFF_HELD_MAX_MS)
		timer_start(&link->retry, BACKOFF_HELD_MAX_MS);
}

void link_drain(struct link *link, uint64_t drain_ms, enum link_state end)
{
	link->drain_end = end;
	if (link->state == LINK_DRAINING)
		return;
	gate_leave(&link->ticket, GATE_DONE);
	timer_stop(&link->retry);
	if (link->state != LINK_UP) {
		drop_connection(link);
		set_state(link, end);
		return;
	}
	link->drain_until_ms = clock_now_ms() + drain_ms;
	timer_start(&link->drain, 0);
	set_state(link, LINK_DRAINING);
	announce_down(link);
}

void link_check(struct link *link, uint64_t deadline_ms)
{
	if (link->state == LINK_UP)
		session_probe(link_session(link), deadline_ms);
	else if (link->state == LINK_WAITING && backoff_is_fast_class(link->reason.class))
		try_now(link);
}

void link_set_config(struct link *link, const struct config_host *config)
{
	link->config = config;
	link->backoff.min_ms = config->reconnect_min_ms;
	link->backoff.max_ms = config->reconnect_max_ms;
}

/* ---- what one can see ---- */

enum link_state link_state(const struct link *link)
{
	return link->state;
}

struct session *link_session(const struct link *link)
{
	return link->client ? client_session(link->client) : NULL;
}

bool link_takes_streams(const struct link *link)
{
	return link->announced;
}

struct client *link_client(const struct link *link)
{
	return link->client;
}

const struct err *link_reason(const struct link *link)
{
	return &link->reason;
}

uint64_t link_next_try_ms(const struct link *link)
{
	return link->state == LINK_WAITING ? timer_left_ms(&link->retry) : 0;
}

time_t link_since(const struct link *link)
{
	return link->since;
}

const char *link_peer_address(const struct link *link)
{
	return link->peer_address;
}

const char *link_host_key(const struct link *link)
{
	return link->host_key;
}

unsigned link_reconnects(const struct link *link)
{
	return link->times_up > 1 ? link->times_up - 1 : 0;
}

struct link_bytes link_bytes(const struct link *link)
{
	struct link_bytes sum = link->bytes;
	struct transport_info info;

	if (link->client) {
		transport_get_info(client_transport(link->client), &info);
		sum.in += info.bytes_in;
		sum.out += info.bytes_out;
	}
	return sum;
}
