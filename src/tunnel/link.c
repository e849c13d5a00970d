/*
 * The life of a link as a small state machine: every change goes through set_state(), every failure through failed().
 */
#include "tunnel/link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/bev.h"
#include "tunnel/backoff.h"
#include "tunnel/login.h"
#include "tunnel/reach.h"

enum {
	DRAIN_POLL_MS = 100,
	CLOSE_MS = 1000,       /* for the server to answer our CLOSEs */
	EXPIRY_MARGIN_S = 300, /* a new link is made this long before a certificate ends */
	EXPIRY_LOOK_S = 1,     /* has the file been renewed? Asked no more often than this */
	REACH_STALE_MS =
	    1000, /* a connect that began before a change of the network, and is not done by then, is begun anew */
	SHORT_LIFE_MAX_MS = 600000 /* regular ends after more than this mean nothing */
};

struct link {
	struct link_env env;
	struct config *snapshot;
	const struct config_host *config;
	/* What the present connection began with: its parts point into it, whatever is configured meanwhile. NULL: none. */
	struct config *used_snapshot;
	const struct config_host *used;
	struct link_log *log;
	struct link_callbacks callbacks;
	void *arg;

	enum link_state state;
	uint64_t since_ms;
	struct task tell; /* on_change, once a pass */
	struct err reason;
	bool failed;        /* tried since it is wanted, and not up since */
	bool waits_for_via; /* RESOLVING, and the jump host has no session for us */
	bool closing;       /* DRAINING, and the end has been asked for */
	bool wanted_again;  /* while it was closing */

	struct keyring_wait
	    keys; /* RESOLVING, or UP and about to expire: a key is being decrypted */
	struct gate_ticket ticket;
	struct reach *reach;
	/* Of the jump host: what the present connection runs over. Used from has_way() to start_reach() alone, then compared. */
	struct session *via;
	struct client *client;
	bool announced; /* its session, with on_session_up() */
	struct login login;
	struct client_options options; /* made with login, until the client takes them */
	char peer_address[ENDPOINT_TEXT_MAX];
	char host_key[64];

	struct backoff backoff;
	struct timer retry, drain, expiry;
	uint64_t drain_until_ms;
	enum link_state drain_end;
	uint64_t up_since_ms;  /* of the present or last time that it was up */
	uint64_t last_life_ms; /* when the server ended it; else 0 */
	bool was_lost;         /* while it was up, and not up again since */
	unsigned reconnects;
	struct link_bytes bytes; /* of the connections that ended */
};

static void try_now(struct link *link);

static const struct log_context *who(const struct link *link)
{
	return &link->log->who;
}

void link_log_end(struct link_log *log)
{
	log_repeat_end(&log->failures, &log->who);
	log_repeat_end(&log->banners, &log->who);
	log_repeat_end(&log->files, &log->who);
}

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

static const char *reason_for(enum link_state state)
{
	static const char *const reasons[] = {
	    [LINK_IDLE] = "the link is not wanted at the moment",
	    [LINK_RESOLVING] = "the link is being made (resolving)",
	    [LINK_CONNECTING] = "the link is being made (connecting)",
	    [LINK_HANDSHAKE] = "the link is being made (key exchange)",
	    [LINK_LOGIN] = "the link is being made (login)",
	    [LINK_UP] = "the link is up, and its session comes",
	    [LINK_WAITING] = "the link waits for its next try",
	    [LINK_DRAINING] = "the link ends",
	    [LINK_STOPPED] = "the link has ended",
	};

	return reasons[state];
}

/* ---- states ---- */

#define TO(state) (1u << (state))
#define TO_THE_END (TO(LINK_IDLE) | TO(LINK_STOPPED))

static const unsigned allowed[] = {
    [LINK_IDLE] = TO(LINK_RESOLVING) | TO(LINK_STOPPED),
    [LINK_RESOLVING] = TO(LINK_CONNECTING) | TO(LINK_HANDSHAKE) | TO(LINK_WAITING) | TO_THE_END,
    [LINK_CONNECTING] = TO(LINK_RESOLVING) | TO(LINK_HANDSHAKE) | TO(LINK_WAITING) | TO_THE_END,
    [LINK_HANDSHAKE] = TO(LINK_LOGIN) | TO(LINK_WAITING) | TO_THE_END,
    [LINK_LOGIN] = TO(LINK_UP) | TO(LINK_WAITING) | TO_THE_END,
    [LINK_UP] = TO(LINK_WAITING) | TO(LINK_DRAINING),
    [LINK_WAITING] = TO(LINK_RESOLVING) | TO_THE_END,
    [LINK_DRAINING] = TO(LINK_UP) | TO_THE_END,
    [LINK_STOPPED] = TO(LINK_RESOLVING) | TO(LINK_IDLE),
};

static void on_tell(void *arg)
{
	struct link *link = arg;

	link->callbacks.on_change(link->arg, link);
}

static void changed(struct link *link)
{
	task_schedule(&link->tell);
}

static void set_state(struct link *link, enum link_state state)
{
	enum link_state before = link->state;

	if (before == state)
		return;
	if (!(allowed[before] & TO(state)))
		log_error(who(link), "bug", "from=%s to=%s", link_state_name(before),
		    link_state_name(state));
	link->state = state;
	link->since_ms = clock_wall_ms();
	log_debug(who(link), "link-state", "state=%s", link_state_name(state));
	changed(link);
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

static void use_config(struct link *link)
{
	link->used_snapshot = config_ref(link->snapshot);
	link->used = link->config;
}

static void release_used_config(struct link *link)
{
	config_unref(link->used_snapshot);
	link->used_snapshot = NULL;
	link->used = NULL;
}

/* Everything of the present try, or of the link that was up, goes. The callback in here may start or drain this very link: the state is
 * the new one already. */
static void drop_connection(struct link *link)
{
	announce_down(link);
	if (link->client) {
		link->bytes = link_bytes(link);
		client_free(link->client);
		link->client = NULL;
	}
	keyring_wait_cancel(&link->keys);
	reach_cancel(link->reach);
	link->reach = NULL;
	link->via = NULL;
	login_discard_options(&link->options);
	login_clear(&link->login);
	release_used_config(link);
	timer_stop(&link->expiry);
}

/* It is not wanted any more, or it is freed. */
static void give_up(struct link *link)
{
	gate_leave(&link->ticket, GATE_FAILED);
	timer_stop(&link->retry);
	timer_stop(&link->drain);
	link->waits_for_via = link->closing = link->wanted_again = false;
	link->failed = link->was_lost = false;
	drop_connection(link);
}

static void go_to_rest(struct link *link)
{
	give_up(link);
	err_clear(&link->reason);
	set_state(link, link->drain_end);
}

/* ---- failures ---- */

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

/* Servers behind different jump hosts may have the same address. */
static void server_name(const struct link *link, char name[ENDPOINT_TEXT_MAX])
{
	const struct config_host *config = link->config;

	snprintf(name, ENDPOINT_TEXT_MAX, "%s:%u%s%s", config->address, config->port,
	    config->via ? " via " : "", config->via ? config->via : "");
}

static void log_failure(struct link *link, enum link_state during, uint64_t wait_ms)
{
	if (during == LINK_UP)
		log_info(who(link), "link-down", "reason=%s", link->reason.text);
	else
		log_unless_repeated(&link->log->failures, LOG_LEVEL_WARNING, who(link),
		    "link-failed", "during=%s class=%s reason=%s", link_state_name(during),
		    err_class_name(link->reason.class), link->reason.text);
	log_debug(who(link), "link-retry", "after_ms=%lu", (unsigned long)wait_ms);
}

/* OpenSSH's UnusedConnectionTimeout closes a link without open channels, and a remote forward is none. It says
 * nothing; but it is regular. */
static void explain_regular_ends(struct link *link, uint64_t life_ms)
{
	uint64_t before_ms = link->last_life_ms;
	uint64_t difference = before_ms > life_ms ? before_ms - life_ms : life_ms - before_ms;
	struct err e = ERR_INIT;

	link->last_life_ms = 0;
	if (link->reason.class != ERR_NETWORK || life_ms > SHORT_LIFE_MAX_MS ||
	    life_ms < BACKOFF_LIVED_MS || !transport_closed_by_peer(client_transport(link->client)))
		return;
	link->last_life_ms = life_ms;
	if (before_ms == 0 || difference > 500 + life_ms / 20)
		return;
	err_set(&e, link->reason.class,
	    "%s, as before after %.3g s: does the server have an UnusedConnectionTimeout? It ends "
	    "connections without open streams",
	    link->reason.text, (double)life_ms / 1000);
	link->reason = e;
}

static uint64_t next_wait_ms(struct link *link, enum link_state during)
{
	enum error_class class = link->reason.class;
	uint64_t life_ms = clock_now_ms() - link->up_since_ms;

	if (during != LINK_UP)
		return backoff_failed(&link->backoff, class, held(link));
	explain_regular_ends(link, life_ms);
	return backoff_lost(&link->backoff, life_ms, class, held(link));
}

/* What a person can do about it, where the reason itself does not say. */
static const char *advice(const struct link *link, const struct err *e)
{
	if (link->state == LINK_RESOLVING && e->class == ERR_NETWORK && !link->config->via)
		return "; is the host's `address` right, and does its DNS server answer?";
	if (link->state != LINK_LOGIN || e->class != ERR_LOGIN)
		return "";
	if (client_login_went_halfway(link->client))
		return "; `password`, or another key of `identity`, has to give it the rest";
	return "; the public key has to stand in that user's authorized_keys there, or "
	       "`user`, `identity` or `password` be another";
}

static void add_words(struct err *e, const char *words)
{
	size_t n = strlen(e->text);

	snprintf(e->text + n, sizeof(e->text) - n, "%s", words);
}

static void add_files(struct err *e, const char *how, const char *files)
{
	if (!files)
		return;
	add_words(e, "; ");
	add_words(e, how);
	add_words(e, ": ");
	add_words(e, files);
}

static void add_advice(const struct link *link, struct err *e)
{
	/* A mistake with a file may be all that is wrong, though another, or the agent, was asked in its stead. */
	if (link->state == LINK_LOGIN && e->class == ERR_LOGIN) {
		add_files(e, "left to the agent", link->login.left_to_agent);
		add_files(e, "not used", link->login.not_used);
	}
	add_words(e, advice(link, e));
}

/* The present try, or the link that was up, ended for this reason. */
static void failed(struct link *link, const struct err *e)
{
	enum link_state during = link->state;
	char server[ENDPOINT_TEXT_MAX];

	gate_leave(
	    &link->ticket, server_dropped_us(link, e) ? GATE_DROPPED_BY_SERVER : GATE_FAILED);
	link->reason = *e;
	add_advice(link, &link->reason);
	link->failed = true;
	link->was_lost |= during == LINK_UP;
	uint64_t wait_ms = next_wait_ms(link, during);
	log_failure(link, during, wait_ms);
	timer_start(&link->retry, wait_ms);
	set_state(link, LINK_WAITING);
	if (backoff_is_network(e->class)) {
		server_name(link, server);
		gate_rest(&link->ticket, server);
	}
	drop_connection(link);
}

/* ---- the client ---- */

static void ended(struct link *link)
{
	bool again = link->wanted_again;

	go_to_rest(link);
	if (again)
		try_now(link);
}

/* What broke below us is the reason, not what we saw of it. */
static void blame_jump_host(const struct link *link, struct err *e)
{
	struct err below = ERR_INIT;

	if (link->callbacks.via_session(link->arg, &below) == link->via)
		return;
	if (!err_is_set(&below))
		err_set(&below, ERR_NETWORK, "its link was lost"); /* and is back already */
	err_prefix(&below, "jump host %s", link->config->via);
	below.class = e->class == ERR_TIMEOUT ? ERR_TIMEOUT : ERR_NETWORK;
	*e = below;
}

static void on_client_closed(void *arg, const struct err *e)
{
	struct link *link = arg;
	struct err why = *e;

	if (link->state == LINK_DRAINING) {
		log_info(who(link), "link-closed", "reason=%s",
		    e->class == ERR_CANCELLED ? "not needed any more" : e->text);
		ended(link);
		return;
	}
	if (link->via && backoff_is_network(why.class))
		blame_jump_host(link, &why);
	failed(link, &why);
}

static void watch_expiry(struct link *link)
{
	uint64_t now = (uint64_t)clock_wall(), end = link->login.expires;

	if (end == UINT64_MAX || end <= now)
		return;
	uint64_t left = end - now;
	/* Later on it looks more and more often whether somebody has renewed the certificate. */
	uint64_t wait = left > 2 * EXPIRY_MARGIN_S ? left - EXPIRY_MARGIN_S : left / 2;
	timer_start(&link->expiry, (wait > EXPIRY_LOOK_S ? wait : EXPIRY_LOOK_S) * 1000);
}

/* Would a new connection have certificates that last longer? One that has ended and is missing now does not last longer. */
static bool is_renewed(struct link *link)
{
	struct client_options options;
	struct login login;

	if (login_prepare(link->config, link->env.keyring, who(link), &link->log->files, &login,
		&options, NULL))
		return false;
	bool longer =
	    login.expires > link->login.expires && login.certificates >= link->login.certificates;
	login_discard_options(&options);
	login_clear(&login);
	return longer;
}

static void on_expiry(void *arg)
{
	struct link *link = arg;

	if (link->state != LINK_UP ||
	    login_opens_keys(link->config, link->env.keyring, &link->keys))
		return;
	if (is_renewed(link))
		link->callbacks.on_expiring(link->arg, link);
	else
		watch_expiry(link);
}

static void set_keepalive(struct link *link)
{
	const struct config_host *config = link->config;
	struct session *s = link_session(link);
	struct bufferevent *bev;

	if (!s)
		return;
	session_set_keepalive(s, config->keepalive_interval_ms, config->keepalive_count);
	bev = transport_bev(client_transport(link->client));
	if (bev)
		reach_set_keepalive(bev, config);
}

static void came_up(struct link *link)
{
	struct transport_info info;

	gate_leave(&link->ticket, GATE_DONE);
	err_clear(&link->reason);
	link->failed = false;
	log_repeat_end(&link->log->failures, who(link));
	link->up_since_ms = clock_now_ms();
	link->reconnects += link->was_lost;
	link->was_lost = false;
	snprintf(link->host_key, sizeof(link->host_key), "%s",
	    hostkey_policy_fingerprint(link->login.hostkey));
	transport_get_info(client_transport(link->client), &info);
	log_info(who(link), "link-up", "address=%s kex=%s cipher=%s host_key=%s login=%s",
	    link->peer_address, info.kex, info.cipher_out, link->host_key,
	    client_auth_method(link->client));
	watch_expiry(link);
	set_keepalive(link); /* it may have changed since login_prepare() */
	if (link->env.use == LINK_FOR_FORWARDS)
		session_no_more_sessions(link_session(link));
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

static void on_reached(void *arg, struct bufferevent *bev, const char *address, const struct err *e)
{
	static const struct client_callbacks callbacks = {
	    .on_state = on_client_state, .on_closed = on_client_closed};
	struct link *link = arg;

	link->reach = NULL;
	if (!bev) {
		failed(link, e);
		return;
	}
	snprintf(link->peer_address, sizeof(link->peer_address), "%s", address);
	set_state(link, LINK_HANDSHAKE);
	link->client = client_new(link->env.loop, bev, &link->options, &callbacks, link);
	link->options = (struct client_options){0};
	/* The client has a copy, and wipes it when the login is done. */
	secret_clear(&link->login.password);
}

/* ---- tries ---- */

static void on_connecting(void *arg)
{
	set_state(arg, LINK_CONNECTING);
}

static void start_reach(struct link *link)
{
	static const struct reach_callbacks callbacks = {
	    .on_connecting = on_connecting, .on_done = on_reached};

	link->reach = reach_start(
	    link->env.loop, link->env.resolver, link->used, link->via, &callbacks, link);
}

/* True when there is nothing below us, or it is up; else it waits, until link_via_changed(). */
static bool has_way(struct link *link)
{
	struct err reason = ERR_INIT;
	bool has_jump = link->config->via != NULL;

	link->via = has_jump ? link->callbacks.via_session(link->arg, &reason) : NULL;
	if (!has_jump || link->via) {
		if (link->waits_for_via)
			err_clear(&link->reason); /* it was the jump host's */
		link->waits_for_via = false;
		return true;
	}
	link->waits_for_via = true;
	err_prefix(&reason, "jump host %s", link->config->via);
	if (strcmp(reason.text, link->reason.text) != 0)
		changed(link);
	link->reason = reason;
	return false;
}

static void on_gate(void *arg)
{
	struct link *link = arg;
	struct err e = ERR_INIT;

	if (!has_way(link)) {
		gate_leave(&link->ticket, GATE_FAILED);
		return;
	}
	if (login_opens_keys(link->config, link->env.keyring, &link->keys)) {
		gate_leave(&link->ticket, GATE_FAILED); /* a file was changed in this moment */
		return;
	}
	use_config(link);
	/* Before the server is bothered: it would count a connection without a login against us. */
	if (login_prepare(link->used, link->env.keyring, who(link), &link->log->files, &link->login,
		&link->options, &e)) {
		failed(link, &e);
		return;
	}
	if (!link->login.not_used)
		log_repeat_end(&link->log->files, who(link));
	link->options.auth.banners = &link->log->banners;
	start_reach(link);
}

static void ask_gate(struct link *link)
{
	char server[ENDPOINT_TEXT_MAX];

	if (!has_way(link) || login_opens_keys(link->config, link->env.keyring, &link->keys))
		return;
	server_name(link, server);
	gate_ask(&link->ticket, server);
}

static void try_now(struct link *link)
{
	timer_stop(&link->retry);
	keyring_wait_cancel(&link->keys);
	gate_leave(&link->ticket, GATE_FAILED);
	set_state(link, LINK_RESOLVING);
	ask_gate(link);
}

static void on_keys(void *arg)
{
	struct link *link = arg;

	if (link->state == LINK_RESOLVING)
		ask_gate(link);
	else
		on_expiry(link);
}

static void on_retry(void *arg)
{
	try_now(arg);
}

/* Another link to the same server got through. */
static void on_wake(void *arg)
{
	link_retry_now(arg);
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
	link->closing = true;
	client_close(link->client, CLOSE_MS);
}

/* ---- from outside ---- */

struct link *link_new(const struct link_env *env, struct config *snapshot,
    const struct config_host *config, struct link_log *log, const struct link_callbacks *callbacks,
    void *arg)
{
	struct link *link = NEW(struct link);

	link->env = *env;
	link->snapshot = config_ref(snapshot);
	link->config = config;
	link->log = log;
	link->callbacks = *callbacks;
	link->arg = arg;
	link->state = LINK_IDLE;
	link->since_ms = clock_wall_ms();
	link->login.expires = UINT64_MAX;
	backoff_init(&link->backoff, config->reconnect_min_ms, config->reconnect_max_ms);
	task_init(&link->tell, env->loop, on_tell, link);
	keyring_wait_init(&link->keys, on_keys, link);
	gate_ticket_init(&link->ticket, env->gate, on_gate, on_wake, link);
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
	link->announced = false;
	give_up(link);
	task_cancel(&link->tell);
	config_unref(link->snapshot);
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
		if (link->closing || client_state(link->client) != CLIENT_UP) {
			link->wanted_again = true;
			break;
		}
		/* Wanted again before it ended, and it still works. */
		timer_stop(&link->drain);
		set_state(link, LINK_UP);
		watch_expiry(link); /* it may have come meanwhile */
		announce_up(link);
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
	if (link->waits_for_via ||
	    (link->state == LINK_WAITING && backoff_is_network(link->reason.class)))
		try_now(link);
}

void link_via_changed(struct link *link)
{
	if (link->waits_for_via)
		try_now(link); /* it may only learn why not yet */
}

void link_hurry(struct link *link)
{
	if (link->state == LINK_WAITING && backoff_is_network(link->reason.class) &&
	    timer_left_ms(&link->retry) > BACKOFF_HELD_MAX_MS)
		timer_start(&link->retry, BACKOFF_HELD_MAX_MS);
}

static void start_draining(struct link *link, uint64_t until_ms)
{
	link->drain_until_ms = until_ms;
	link->closing = false;
	timer_start(&link->drain, 0);
	set_state(link, LINK_DRAINING);
	announce_down(link);
}

void link_drain(struct link *link, uint64_t drain_ms, enum link_state end)
{
	link->drain_end = end;
	if (link->state == LINK_UP) {
		start_draining(link, clock_now_ms() + drain_ms);
		return;
	}
	if (link->state != LINK_DRAINING) {
		go_to_rest(link);
		return;
	}
	link->wanted_again = false;
	link_limit_drain(link, drain_ms);
}

void link_limit_drain(struct link *link, uint64_t drain_ms)
{
	uint64_t until_ms = clock_now_ms() + drain_ms;

	if (link->state == LINK_DRAINING && until_ms < link->drain_until_ms)
		link->drain_until_ms = until_ms;
}

void link_check(struct link *link, uint64_t deadline_ms)
{
	switch (link->state) {
	case LINK_UP:
	case LINK_DRAINING:
		session_probe(link_session(link), deadline_ms);
		break;
	case LINK_WAITING:
		if (backoff_is_network(link->reason.class))
			try_now(link);
		break;
	case LINK_RESOLVING:
	case LINK_CONNECTING:
		/* The kernel would send its next SYN in seconds; the way may be another by now. */
		if (!link->reach || reach_age_ms(link->reach) < REACH_STALE_MS)
			break;
		reach_cancel(link->reach);
		set_state(link, LINK_RESOLVING);
		start_reach(link);
		break;
	case LINK_IDLE:
	case LINK_HANDSHAKE:
	case LINK_LOGIN:
	case LINK_STOPPED:
		break;
	}
}

void link_set_config(struct link *link, struct config *snapshot, const struct config_host *config)
{
	struct config *before = link->snapshot;

	link->snapshot = config_ref(snapshot);
	link->config = config;
	link->backoff.min_ms = config->reconnect_min_ms;
	link->backoff.max_ms = config->reconnect_max_ms;
	set_keepalive(link);
	config_unref(before);
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

bool link_has_failed(const struct link *link)
{
	return link->failed;
}

bool link_waits_for_via(const struct link *link)
{
	return link->waits_for_via;
}

struct session *link_via(const struct link *link)
{
	return link->via;
}

uint64_t link_expires(const struct link *link)
{
	return link->login.expires;
}

struct client *link_client(const struct link *link)
{
	return link->client;
}

const struct err *link_reason(const struct link *link)
{
	return &link->reason;
}

const char *link_why(const struct link *link)
{
	return err_is_set(&link->reason) ? link->reason.text : reason_for(link->state);
}

uint64_t link_next_try_ms(const struct link *link)
{
	return link->state == LINK_WAITING ? timer_left_ms(&link->retry) : 0;
}

uint64_t link_since_ms(const struct link *link)
{
	return link->since_ms;
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
	return link->reconnects;
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
