/*
 * Listening: TCP on one address or on all, a Unix socket with its mode and owner in force before the first client, or a
 * socket that somebody else opened (systemd). Accepts until EAGAIN; out of descriptors it pauses, says so once, and goes on by
 * itself.
 */
#ifndef ADIT_NET_LISTENER_H
#define ADIT_NET_LISTENER_H

#include "base/log.h"
#include "base/loop.h"
#include "net/addr.h"

struct listener;

struct listener_options {
	const struct log_context *log; /* keeps; may be NULL */
	mode_t mode;                   /* Unix; 0: 0600 */
	const char *owner, *group;     /* Unix: names or numbers; NULL: ours. Borrowed */
	bool
	    leaves_reserve; /* takes no more when only the last descriptors are left (net/descriptors.h) */
};

/* Takes fd (non-blocking, close-on-exec, TCP_NODELAY). Peer is borrowed. May pause and free the listener. */
typedef void listener_callback(void *arg, int fd, const struct addr *peer);

/* Binds and listens. TCP names are literals, "localhost", "*" and "": both families as one listener where the system has
 * both. A stale Unix socket (nobody answers) is removed; a living one, or a file of another kind, is an error that names it.
 * NULL and e: ERR_LOCAL (in use, not permitted), ERR_CONFIG (no such user or group, path too long, not a local address). */
struct listener *listener_new(struct loop *loop, const struct endpoint *at,
    const struct listener_options *options, listener_callback *on_accept, void *arg, struct err *e);
#define LISTENER_FDS_MAX 8
/* Adopts descriptors that listen already, at most LISTENER_FDS_MAX. Takes fds, also on error. ERR_LOCAL when one is no
 * listening stream socket. A Unix socket's file stays when it is closed: it belongs to who made it, unless it is
 * claimed. */
struct listener *listener_adopt(struct loop *loop, const int *fds, size_t count,
    const struct listener_options *options, listener_callback *on_accept, void *arg, struct err *e);
/* Of an adopted one: the file at path is the socket's, and its own from now on, with the mode and owner of the options. ERR_LOCAL when
 * there is no such file any more, so that nobody can come: then it is worth nothing. ERR_CONFIG (path too long, no such user or
 * group). */
int listener_claim(struct listener *listener, const char *path,
    const struct listener_options *options, struct err *e) MUST_CHECK;
/* Closes; our own Unix socket file is removed if it is still ours. NULL is legal. */
void listener_free(struct listener *listener);

void listener_pause(struct listener *listener); /* the kernel's queue holds who comes */
void listener_resume(struct listener *listener);
/* Where it really listens: the port that was given for port 0. Of two addresses the IPv4 one. */
const struct addr *listener_addr(const struct listener *listener);
/* False when the file of our own Unix socket has gone, or is another one's: nobody can come. */
bool listener_can_be_reached(const struct listener *listener);
/* Its descriptors, still its own, for the FD store; returns how many. */
size_t listener_fds(const struct listener *listener, int ret_fds[LISTENER_FDS_MAX]);

/* chmod of our own Unix socket, for who connects from now on; 0: 0600. ERR_LOCAL. Nothing for other kinds. */
int listener_set_mode(struct listener *listener, mode_t mode, struct err *e) MUST_CHECK;

/* What a listener leaves to who listens here next: copies of its descriptors (close-on-exec), and the file of a Unix socket, which
 * is not removed any more when the listener is freed. {0} is none. */
struct listener_legacy {
	int fds[LISTENER_FDS_MAX];
	size_t count; /* 0: there were no descriptors left for them */
	char *path;   /* NULL: it has no file */
	dev_t device;
	ino_t inode;
};
void listener_hand_over(struct listener *listener, struct listener_legacy *ret_legacy);
/* Nobody wants it: closes, and removes the file, if it is still that socket's. */
void listener_legacy_drop(struct listener_legacy *legacy);
/* Somebody took the descriptors, or has copies of them: the file stays. */
void listener_legacy_clear(struct listener_legacy *legacy);

#endif
