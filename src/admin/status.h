/*
 * What one can see of the manager: the documents of GET /v1/status and /v1/streams, and the table of `adit status`.
 */
#ifndef ADIT_ADMIN_STATUS_H
#define ADIT_ADMIN_STATUS_H

#include "base/str.h"
#include "tunnel/manager.h"

/* What the manager does not know. */
struct status_daemon {
	bool ready;
	bool stopping;
	const char *config_path;  /* "" for none */
	unsigned generation;      /* 1 after the first load, one more with each that was applied */
	uint64_t loaded_at_ms;    /* wall time of the last that was applied */
	uint64_t tried_at_ms;     /* wall time of the last try */
	const char *config_error; /* "" unless the last try failed: its errors, a line each */
};

/* Patterns as the shell's * and ?, on the tunnels' names; count 0 is all. */
struct status_filter {
	const char *const *names;
	size_t count;
};
bool status_filter_matches(const struct status_filter *filter, const char *name);
/* The first that means no tunnel; NULL when there is none. */
const char *status_filter_unknown(const struct status_filter *filter, const struct manager *m);
/* The same for a list of streams, in which a tunnel that was removed stands as long as it drains. */
const char *status_filter_unknown_streams(
    const struct status_filter *filter, const struct manager *m);

/* Each gives a text. */
char *status_json(const struct manager *m, const struct status_daemon *daemon,
    const struct status_filter *filter); /* the filter is for the tunnels; all hosts are there */
char *status_streams_json(const struct manager *m, const struct status_filter *filter);
/* For people: a line a tunnel, a line a forward; the reason where one is not up; and a configuration that was refused. At most width
 * columns, or 68 if that is more: names and targets are shortened, reasons are wrapped. 0: as wide as it gets. */
enum status_colour { STATUS_PLAIN, STATUS_COLOUR };
char *status_table(const struct manager *m, const struct status_daemon *daemon,
    const struct status_filter *filter, size_t width, enum status_colour colour);
char *status_streams_table(const struct manager *m, const struct status_filter *filter);
/* Why it is not ready, a line each ("tunnel orders-db: ..."); "" when it is. */
char *status_unready_reasons(const struct manager *m, const struct status_daemon *daemon);

#endif
