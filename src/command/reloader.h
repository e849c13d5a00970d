/*
 * Which configuration is in force, and how it was reached: reads the file again, compares, has the manager apply the plan. A file
 * with any error changes nothing, and is remembered until a good one came.
 */
#ifndef ADIT_COMMAND_RELOADER_H
#define ADIT_COMMAND_RELOADER_H

#include "admin/control.h"
#include "tunnel/manager.h"

struct reloader;

/* path: NULL when there is no file (`adit open`). */
struct reloader *reloader_new(struct manager *manager, const char *path);
void reloader_free(struct reloader *r); /* NULL is legal */

/* The first configuration, which somebody else has read. */
void reloader_start(struct reloader *r, struct config *first);
/* Reads and, unless it is a dry run, applies, and says so in the log; changes gets the plan's lines, errors what is wrong: the
 * caller's to clear. */
void reloader_reload(struct reloader *r, enum control_reload how, struct config_strings *changes,
    struct config_errors *errors);
/* Fills what it knows: path, generation, times, error. */
void reloader_describe(const struct reloader *r, struct status_daemon *ret);

#endif
