/*
 * What the files of this folder share: a forward from inside, and what a kind of forward has to do. A kind is where the
 * listener is (here: local.c; on the server: remote.c) and how a client's target is known (configured, or asked for in
 * SOCKS: negotiation.c).
 */
#ifndef ADIT_FORWARD_KIND_H
#define ADIT_FORWARD_KIND_H

#include "forward/access.h"
#include "forward/forward.h"

struct stream;

struct forward_kind {
	int (*start)(
	    struct forward *f, struct err *e); /* opens the listener, or gets ready to ask for it */
	void (*stop)(struct forward *f); /* accepts nothing any more; more than once is legal */
	void (*free)(struct forward *f); /* after stop, when the streams are gone */
	void (*session_up)(struct forward *f, struct session *s);
	void (*session_down)(
	    struct forward *f, struct session *s); /* it is out of the list already */
	void (*config_changed)(struct forward *f);
	size_t (*listen_fds)(const struct forward *f, int fds[LISTENER_FDS_MAX]);
	/* NULL: nothing listens here */
	void (*hand_over)(struct forward *f, struct listener_legacy *ret_legacy);
	/* Until it does again what failed; 0: it waits for nothing. And: does it now. NULL: nothing is ever waited for. */
	uint64_t (*next_try_ms)(const struct forward *f);
	void (*retry_now)(struct forward *f);
	/* NULL: a client that comes now reaches the target's side; else why not. */
	const char *(*not_up)(const struct forward *f);
	/* A stream has its target and wants to be connected; client (a bufferevent, or a channel that is pending) is there. */
	void (*connect)(struct stream *stream);
};

extern const struct forward_kind local_kind;
extern const struct forward_kind remote_kind;

/* Do clients say in SOCKS where they want to go? */
bool forward_asks_target(const struct forward *f);

struct forward {
	const struct forward_kind *kind;
	struct forward_env env;
	struct log_context log;
	const struct config_forward *config;
	struct access *access;
	uint64_t hold_timeout_ms;
	struct forward_callbacks callbacks;
	void *arg;

	struct session **sessions; /* that are up, in the order they came */
	size_t session_count;
	struct list streams; /* every struct stream, the oldest first */
	size_t stream_count;
	bool stopped; /* forward_stop_accepting() */
	bool freed;
	char *target_error;
	/* What is shown. */
	char *listen;
	struct forward_counts counts; /* bytes: of streams that are over */
	struct log_repeat refusals;   /* the place in the log where refusals stand */

	struct task tell; /* what the owner is told comes from the loop */
	bool tell_held, tell_change, tell_streams;

	union {
		struct local *local;
		struct remote *remote;
	};
};

/* The owner shall be told, soon. */
void forward_tell_held(struct forward *f);
void forward_tell_change(struct forward *f);
void forward_tell_streams(struct forward *f);
/* The place where it listens is shown as it was configured; but for port 0 with the port that was given, if that is known (not 0). */
void forward_set_listen(struct forward *f, uint16_t port);

#endif
