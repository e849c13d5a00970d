/*
 * The listeners in systemd's FD store (sd_notify(3), FDSTORE): systemd keeps a copy of each, so that clients that connect during a
 * restart wait in the kernel's queue and are served afterwards. The names are the listeners' texts: forward_env.inherit() asks for
 * them by these.
 */
#ifndef ADIT_ADMIN_FDSTORE_H
#define ADIT_ADMIN_FDSTORE_H

#include "admin/notify.h"
#include "tunnel/manager.h"

struct fdstore;

struct fdstore *fdstore_new(
    struct loop *loop, struct notify *notify, struct manager *manager); /* keeps all */
void fdstore_free(struct fdstore *fs);                                  /* NULL is legal */

/* Listeners may have come or gone: those that went are taken out at once, those that came are stored soon. */
void fdstore_changed(struct fdstore *fs);
/* Before manager_shutdown(): what is stored now is what the next process gets, and the files of Unix sockets stay. */
void fdstore_leave(struct fdstore *fs);

#endif
