/*
 * Requests that are answered later, or without an end: GET /v1/wait and GET /v1/events. Their number is bounded, and so is what
 * one of them lets pile up; a client that leaves is noticed while it waits.
 */
#ifndef ADIT_ADMIN_WAITERS_H
#define ADIT_ADMIN_WAITERS_H

#include "admin/events.h"
#include "admin/http.h"

enum { WAITERS_MAX = 256 };

struct waiters;

struct waiters *waiters_new(
    struct loop *loop, struct manager *manager, struct events *events); /* keeps all */
void waiters_free(struct waiters *w); /* nobody may wait any more. NULL is legal */
/* Who listens for events there hears no more of them, and the end. */
void waiters_end(struct waiters *w, const struct evhttp *server);
/* Before evhttp_free(): forgets who waits there. */
void waiters_cut_off(struct waiters *w, const struct evhttp *server);

/* Answers with 204 when all tunnels that the filter means are up, 404 when a name means none, 504 when that is not so after
 * timeout_ms (0: now). */
#define WAITERS_FOREVER UINT64_MAX
void waiters_wait(struct waiters *w, struct evhttp_request *request,
    const struct status_filter *filter, uint64_t timeout_ms);
/* Answers with what happens from now on, a JSON object a line. */
void waiters_listen(struct waiters *w, struct evhttp_request *request);
/* A tunnel's state may have changed: at the end of the pass those who wait are looked at. */
void waiters_changed(struct waiters *w);

#endif
