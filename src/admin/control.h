/*
 * The control interface (adit(1)): HTTP/1.1 by libevent's evhttp, on a Unix socket for everything, and on TCP for what only
 * reads. Requests are small and bounded; whoever reads its answer too slowly is cut off.
 */
#ifndef ADIT_ADMIN_CONTROL_H
#define ADIT_ADMIN_CONTROL_H

#include "admin/events.h"
#include "admin/status.h"
#include "config/errors.h"
#include "net/addr.h"

struct control;

/* SEEN: nobody asked for it, a file changed. */
enum control_reload { CONTROL_RELOAD_APPLY, CONTROL_RELOAD_SEEN, CONTROL_RELOAD_DRY_RUN };
struct control_hooks {
	void (*get_daemon)(
	    void *arg, struct status_daemon *ret); /* strings live until the next call */
	/* Reads the configuration: the plan's lines, or the errors; both are the caller's to clear. */
	void (*reload)(void *arg, enum control_reload how, struct config_strings *changes,
	    struct config_errors *errors);
	void *arg;
};

struct control_options {
	struct loop *loop; /* keeps, all of them */
	struct manager *manager;
	struct events *events;
	struct control_hooks hooks;
};

struct control *control_new(const struct control_options *options);
/* Ends what goes on and on: who listens for events hears the last of them, and the end, as far as some passes of the loop bring it. */
void control_end(struct control *c);
void control_free(struct control *c); /* who waits for an answer is cut off. NULL is legal */

/* Opens the control socket, or the read-only part on TCP; one of each at a time. Once a new one is open the one before takes nobody
 * in any more, and has some seconds to end what it serves. The same place changes nothing but the mode; NULL closes only. With an
 * error all stays as it was. What a dead daemon left is replaced; a living one's is ERR_LOCAL: "somebody listens there already". */
int control_listen_unix(struct control *c, const char *path, mode_t mode, struct err *e) MUST_CHECK;
int control_listen_tcp(struct control *c, const struct endpoint *at, struct err *e) MUST_CHECK;
/* Something that one can see has changed: who waits is looked at. */
void control_changed(struct control *c);

#endif
