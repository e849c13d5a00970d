/*
 * What `ssh -G` prints as a snapshot: `adit import`. Running ssh is the caller's.
 */
#ifndef ADIT_CONFIG_SSH_CONFIG_H
#define ADIT_CONFIG_SSH_CONFIG_H

#include "config/check.h"
#include "config/config.h"

struct ssh_config_source {
	/* What `ssh -G` prints for that destination ("[user@]host[:port]" of a jump, or what the user named); gives, NULL when ssh
	 * failed, after adding to errors. */
	char *(*ask)(void *arg, const char *destination, struct config_errors *errors);
	void *arg;
	/* What `ssh -F none -G` prints for a host that no configuration knows: such lines are ssh's own defaults and are not carried
	 * over. NULL: all are. */
	const char *baseline;
	const struct config_algorithms *algorithms; /* may be NULL */
};

/*
 * text is what `ssh -G` printed for the destination, with its arguments; alias names the host and the tunnel. Gives a snapshot: the
 * jumps (asked for, theirs too), the destination and, where there are forwards, one tunnel. NULL and errors, notes: as in
 * ssh_command.h.
 */
struct config *config_from_ssh_config(const char *text, const char *alias,
    const struct ssh_config_source *source, struct config_errors *errors,
    struct config_errors *notes);

#endif
