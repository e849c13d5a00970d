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

void notify_ready(
    struct notify *n); /* repeated calls are said once, until the next notify_reloading() */
void notify_status(struct notify *n, const char *text); /* said when it changed */
void notify_reloading(struct notify *n); /* with MONOTONIC_USEC; notify_ready() ends it */
void notify_stopping(struct notify *n);
/* EXTEND_TIMEOUT_USEC: we need this long to end in order. */
void notify_extend_timeout(struct notify *n, uint64_t ms);

/* The inherited sockets of that name: fds[0..n), taken (close-on-exec); 0 when there are none (any more). */
size_t notify_take_fds(struct notify *n, const char *name, int fds[], size_t max);
/* FDSTORE: systemd keeps a copy under that name, so that a restart finds the listener open. And gives it up again. */
void notify_store_fds(struct notify *n, const char *name, const int fds[], size_t count);
void notify_drop_fds(struct notify *n, const char *name);

#endif
