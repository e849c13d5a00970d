/*
 * Watching the files of the configuration (`watch = true`) with inotify: the folders, since editors and orchestrators replace
 * files and links instead of writing into them.
 */
#ifndef ADIT_COMMAND_WATCHER_H
#define ADIT_COMMAND_WATCHER_H

#include "base/loop.h"
#include "config/config.h"

struct watcher;

/* on_change comes once the files have been quiet for a moment. */
struct watcher *watcher_new(struct loop *loop, void (*on_change)(void *arg), void *arg);
void watcher_free(struct watcher *w); /* NULL is legal */

/* From now on it is this one's files, and what its include patterns may come to match; none when it says watch = false. Counts the
 * snapshot. */
void watcher_follow(struct watcher *w, struct config *config);

#endif
