/*
 * A link: one SSH connection to a host, kept up as long as it is wanted.
 *
 *   idle        not wanted (on demand), nothing runs
 *   resolving   it waits for its turn at the server, the name is being looked up, or the jump host below is not up yet
 *   connecting  TCP, or the channel through the jump host
 *   handshake   key exchange          login   authentication
 *   up          link_session() carries streams
 *   waiting     for the next try; link_next_try_ms()
 *   draining    no new streams; ends when the last one ended or the deadline passed
 *   stopped     it ended and will not be tried again
 */
#ifndef ADIT_TUNNEL_LINK_H
#define ADIT_TUNNEL_LINK_H

#include "base/log.h"
#include "base/loop.h"
#include "config/config.h"
#include "net/resolver.h"
#include "ssh/client.h"
#include "tunnel/gate.h"

enum link_state {
	LINK_IDLE,
	LINK_RESOLVING,
	LINK_CONNECTING,
	LINK_HANDSHAKE,
	LINK_LOGIN,
	LINK_UP,
	LINK_WAITING,
	LINK_DRAINING,
	LINK_STOPPED
};
const char *link_state_name(enum link_state state);

struct link;
/* What the connections are for: a server may refuse sessions on one that was promised to carry forwards alone. */
enum link_use { LINK_FOR_FORWARDS, LINK_FOR_COMMANDS };

struct link_env {
	struct loop *loop; /* keeps, all of them */
	struct resolver *resolver;
	struct gate *gate;
	struct keyring *keyring; /* may be NULL */
	enum link_use use;
};

struct link_callbacks {
	/* The state or its reason changed. From a task of the loop, once a pass. */
	void (*on_change)(void *arg, struct link *link);
	/* A session can carry new streams from now on; and, once for each, it can not any more: it still exists during the call,
	 * and goes on afterwards only while the link drains. From the loop, or from inside link_start() and link_drain(). What is
	 * called in there may start or drain this link. */
	void (*on_session_up)(void *arg, struct session *s);
	void (*on_session_down)(void *arg, struct session *s);
	/* For a host with via: the session of the jump host for a channel now; NULL when it is not up (reason is filled). */
	struct session *(*via_session)(void *arg, struct err *reason);
	/* A certificate in use ends soon, and there is a newer one: make another link, then drain this one. Once a connection. */
	void (*on_expiring)(void *arg, struct link *link);
	/* Is a client held that waits for this link? Asked when the next try is planned. */
	bool (*is_client_held)(void *arg);
};

/* How all links of a host speak, and what they said. {.who = ...} */
struct link_log {
	struct log_context who;
	struct log_repeat failures, banners, files;
};
/* The counts that are owed. */
void link_log_end(struct link_log *log);

/* snapshot is counted; config stands in it; log is kept. Begins idle. */
struct link *link_new(const struct link_env *env, struct config *snapshot,
    const struct config_host *config, struct link_log *log, const struct link_callbacks *callbacks,
    void *arg);
void link_free(struct link *link); /* at once; no callback. NULL is legal */

void link_start(struct link *link);     /* wants it; connects now if it is idle or stopped */
void link_retry_now(struct link *link); /* if it waits */
/* The jump host came up: goes on if it waited for that, or for its next try. */
void link_via_up(struct link *link);
void link_via_changed(struct link *link); /* its state or reason, which is part of ours */
/* A client is held now: shortens a wait that the network's failure caused. */
void link_hurry(struct link *link);
/* Unwanted: closed in order when its streams have ended, after drain_ms at the latest; then idle (or stopped). */
void link_drain(struct link *link, uint64_t drain_ms, enum link_state end);
/* If it drains already: no longer than that from now on. */
void link_limit_drain(struct link *link, uint64_t drain_ms);
/* Something about the network changed: is it still there? Reconnects if no answer comes in time. */
void link_check(struct link *link, uint64_t deadline_ms);
/* As link_new() takes them. Back-off and keepalive change now; for the rest, a connection or a try that is on its way goes on with
 * what it began with. */
void link_set_config(struct link *link, struct config *snapshot, const struct config_host *config);

enum link_state link_state(const struct link *link);
struct session *link_session(const struct link *link); /* NULL unless up or draining */
/* Between on_session_up and on_session_down. */
bool link_takes_streams(const struct link *link);
struct client *link_client(const struct link *link); /* NULL while there is no connection */
/* Was it tried, since it is wanted, without coming up? */
bool link_has_failed(const struct link *link);
bool link_waits_for_via(const struct link *link); /* the jump host has no session for it */
/* The jump host's session that it runs over; NULL: none. It may have ended since: to be compared. */
struct session *link_via(const struct link *link);
/* When the first certificate in use ends, seconds since 1970; UINT64_MAX: never. */
uint64_t link_expires(const struct link *link);
/* How the last try, or the connection, ended; not set when it is up, or nothing failed yet. */
const struct err *link_reason(const struct link *link);
/* Why it is not up, in words: that, or what it does now. */
const char *link_why(const struct link *link);
uint64_t link_next_try_ms(const struct link *link);     /* from now; 0 unless waiting */
uint64_t link_since_ms(const struct link *link);        /* wall time of the last change of state */
const char *link_peer_address(const struct link *link); /* "192.0.2.1:22"; "" before */
const char *link_host_key(const struct link *link);     /* fingerprint; "" before */
unsigned link_reconnects(const struct link *link); /* how often it was lost and came up again */
struct link_bytes {
	uint64_t in, out;
};
struct link_bytes link_bytes(const struct link *link); /* over all its connections */

#endif
