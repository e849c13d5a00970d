/*
 * Does the target behind a local forward accept a connection? Asked through the link, by a channel that carries nothing.
 */
#ifndef ADIT_TUNNEL_PROBE_H
#define ADIT_TUNNEL_PROBE_H

#include "base/loop.h"
#include "config/config.h"
#include "ssh/session.h"

struct probe;

/* to is kept. Every interval, from probe_session() on; the result comes when it has changed: error NULL means it accepts. */
struct probe *probe_new(struct loop *loop, const struct config_endpoint *to, uint64_t interval_ms,
    void (*on_result)(void *arg, const char *error), void *arg);
/* Another target is tried at once, and nothing is known of it; the same one goes on as it was. */
void probe_set_target(struct probe *probe, const struct config_endpoint *to, uint64_t interval_ms);
void probe_free(struct probe *probe); /* NULL is legal */
/* Through which session; NULL: none, probing pauses and nothing is known any more. */
void probe_session(struct probe *probe, struct session *s);
bool probe_has_answer(const struct probe *probe);

#endif
