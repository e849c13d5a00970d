/*
 * Telling systemd (sd_notify(3)): READY, STATUS, RELOADING, STOPPING, WATCHDOG, the FD store; and what systemd hands us: sockets
 * by name (sd_listen_fds(3)). The protocols are small and documented, so no library is needed. Without systemd all of it
 * does nothing.
 */
#ifndef ADIT_ADMIN_NOTIFY_H
#define ADIT_ADMIN_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/loop.h"

struct notify;

/* Reads the environment ($NOTIFY_SOCKET, $WATCHDOG_USEC, $LISTEN_FDS and so on) and takes what it names out of it, so that no
 * child inherits it. */
struct notify *notify_new(struct loop *loop);
void notify_free(struct notify *n); /* closes inherited sockets that nobody took. NULL is legal */

void notify_ready(struct notify *n);                    /* repeated calls are said once, */
void notify_status(struct notify *n, const char *text); /* said when it changed */
bool notify_is_heard(const struct notify *n);           /* is there a systemd that listens? */
/* With MONOTONIC_USEC. Before the first notify_ready() nothing is said: to start is not to reload. */
void notify_reloading(struct notify *n);
void notify_reloaded(struct notify *n); /* ends it: ready again */
void notify_stopping(struct notify *n);
/* EXTEND_TIMEOUT_USEC: we need this long to end in order. */
void notify_extend_timeout(struct notify *n, uint64_t ms);

/* The inherited sockets of that name: fds[0..n) (gives; close-on-exec), 0 when there are none. Of a unit's they are copies, so that
 * one can ask again; what was stored is given once. */
size_t notify_take_fds(struct notify *n, const char *name, int fds[], size_t max);
/* Closes what was stored by the process before and nobody took, here and there: the configuration has it no more. */
void notify_drop_leftovers(struct notify *n);
/* FDSTORE: systemd keeps a copy under that name, so that a restart finds the listener open. And gives it up again. Any text is a
 * name, up to some 200 bytes. */
void notify_store_fds(struct notify *n, const char *name, const int fds[], size_t count);
void notify_drop_fds(struct notify *n, const char *name);

#endif
