/*
 * The daemon: what `adit run` and `adit open` have in common. Owns the loop, the resolver and the manager; obeys signals; reads
 * the configuration again; ends in order.
 */
#ifndef ADIT_COMMAND_DAEMON_H
#define ADIT_COMMAND_DAEMON_H

#include "config/config.h"

struct daemon_options {
	struct config *config; /* the first snapshot; borrowed */
	const char *path;      /* where to read it again; NULL: nowhere (`adit open`) */
	const char *socket;    /* from -s; NULL: not given */
};

/* From now on SIGHUP and SIGUSR1 wait until daemon_run() hears them, and do not end a process that still reads its file. */
void daemon_hold_signals(void);
/* Runs until SIGTERM or SIGINT; gives the exit code. */
int daemon_run(const struct daemon_options *options);

#endif
