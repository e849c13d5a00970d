/*
 * What happens, as it happens: each line of the log at info or above as one JSON object, to whoever listens. The words are the
 * log's.
 *
 *     {"time":"2026-11-22T19:30:01.123Z","level":"info","event":"link-up","host":"bastion","kex":"curve25519-sha256",...}
 */
#ifndef ADIT_ADMIN_EVENTS_H
#define ADIT_ADMIN_EVENTS_H

#include "base/list.h"
#include "base/log.h"

struct events;

struct events *events_new(void); /* observes the log; one at a time */
void events_free(struct events *events);

/* Embedded by who listens. line has no newline. */
struct events_listener {
	struct list node;
	void (*on_event)(void *arg, const char *line);
	void *arg;
};
void events_listen(struct events *events, struct events_listener *listener);
void events_stop(struct events_listener
	*listener); /* legal when it does not listen, once it was initialised by listen */

/* One line of the log as JSON; gives. Pure. */
char *events_json(enum log_level level, uint64_t wall_ms, const char *line);

#endif
