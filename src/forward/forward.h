/*
 * One forward: a listener and where its connections go, of any of the four kinds (adit.conf(5)). It outlives the sessions that
 * carry its streams: while there is none, clients of a local listener are held.
 *
 * The owner (tunnel/tunnel) says when a session has come and when it goes; the forward asks it for the session of each new
 * stream, because there may be several.
 */
#ifndef ADIT_FORWARD_FORWARD_H
#define ADIT_FORWARD_FORWARD_H

#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"
#include "config/config.h"
#include "net/listener.h"
#include "net/resolver.h"
#include "ssh/session.h"

struct forward;

enum forward_state {
	FORWARD_WAITING, /* for a session, for the server's answer, or for the next try */
	FORWARD_UP,      /* a client that connects to the listener now reaches the target's side */
	FORWARD_FAILED /* only a person can help: the owner's word, for a listener or a link that cannot be */
};
const char *forward_state_name(enum forward_state state); /* "waiting", "up", "failed" */

struct forward_callbacks {
	/* The session for a stream that begins now; NULL: none is up, the client is held. */
	struct session *(*pick_session)(void *arg);
	/* A client is held: whoever makes links hurries. Once a pass of the loop, however many are. */
	void (*on_held)(void *arg);
	/* The state, its reason or where it listens has changed. From the loop. */
	void (*on_change)(void *arg);
	/* A stream began (stream_count rose) or ended; for idle links and events. May be NULL. */
	void (*on_streams)(void *arg);
};

struct forward_env {
	struct loop *loop;             /* keeps */
	struct resolver *resolver;     /* keeps; for targets of remote forwards */
	const struct log_context *log; /* keeps: the tunnel's */
	/* Listeners that were inherited: gives the descriptors of that name (fds[0..n)) or 0. The name is systemd's for
	 * "systemd:NAME"; else the listener as configured ("127.0.0.1:5432", "unix:/run/x"), for what the FD store kept. May be NULL. */
	size_t (*inherit)(void *arg, const char *name, int fds[], size_t max);
	void *inherit_arg;
};

/* Opens the listener of a local kind at once. config (and its snapshot, which the caller counts) is kept until
 * forward_free() or forward_set_config(). NULL and e (ERR_LOCAL, ERR_CONFIG) when the listener cannot be opened. */
struct forward *forward_new(const struct forward_env *env, const struct config_forward *config,
    uint64_t hold_timeout_ms, const struct forward_callbacks *callbacks, void *arg, struct err *e);
/* Streams are reset, held clients too, a remote forward is cancelled on a live session. NULL is legal. */
void forward_free(struct forward *f);

/* A session is up: held clients go on (in the order they came, from the loop). A remote forward is asked for, on one session: the
 * one that came first of those that are up. */
void forward_session_up(struct forward *f, struct session *s);
/* It is about to go (it may still be open: a remote forward is cancelled then, and asked for on the next session). Its streams go on
 * until it closes; who waits for the server's answer then is held again. To be called before session_free(). */
void forward_session_down(struct forward *f, struct session *s);

/* Same kind and listener, other targets, limits or lists: for new streams. */
void forward_set_config(
    struct forward *f, const struct config_forward *config, uint64_t hold_timeout_ms);
/* Accepts nothing any more (the listener is closed, a remote one cancelled, who is held is reset); open streams go on. Then
 * the owner waits until streams is 0 or its patience ends, and frees it. */
void forward_stop_accepting(struct forward *f);

/* The target side was tried and is dead (probe): shown as the reason, and the forward is not up. NULL: it lives. */
void forward_set_target_error(struct forward *f, const char *reason);

/* What the server refused is asked for at once, not when its time has come. */
void forward_retry_now(struct forward *f);

/* ---- what one can see ---- */
struct forward_counts {
	uint64_t streams, streams_total, held, refused, failed;
	uint64_t bytes_in, bytes_out; /* in: from the target to the client; out: the other way */
};
void forward_counts_add(struct forward_counts *sum, const struct forward_counts *counts);

struct forward_status {
	enum config_forward_kind kind;
	const char
	    *listen; /* where it really listens: the port that was given. Until the next change */
	const char *to; /* "" for SOCKS */
	enum forward_state state;
	const char *reason; /* "" when up */
	struct forward_counts counts;
};
/* Walks over the streams, for their bytes; what is looked at often has functions of its own. */
void forward_get_status(const struct forward *f, struct forward_status *ret_status);
enum forward_state forward_state(const struct forward *f, const char **ret_reason);
uint64_t forward_next_try_ms(const struct forward *f); /* 0: it waits for no time */
struct forward_load {
	size_t streams, held;
};
void forward_load_add(struct forward_load *sum, const struct forward *f);
const struct config_forward *forward_config(const struct forward *f);

struct forward_stream_info {
	uint64_t id;        /* unique in the process */
	const char *listen; /* as in the status */
	const char *client; /* "127.0.0.1:40312", "unix: uid=1000 pid=4711" */
	const char *to;
	uint64_t bytes_in, bytes_out;
	uint64_t age_ms, idle_ms;
};
void forward_each_stream(const struct forward *f,
    void (*visit)(void *arg, const struct forward_stream_info *info), void *arg);
/* Listening descriptors, for the FD store; still the forward's. */
size_t forward_listen_fds(const struct forward *f, int fds[LISTENER_FDS_MAX]);
/* What the forward that listens here next inherits; nothing for remote kinds. This one is about to stop. */
void forward_hand_over(struct forward *f, struct listener_legacy *ret_legacy);

#endif
