#include "command/watcher.h"

#include <errno.h>
#include <fnmatch.h>
#include <glob.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

enum {
	QUIET_MS = 200,
	WRITING_MS = 5000, /* who writes has this long for the next bytes, or to close */
	WRITTEN_MAX = 32,
	RETRY_MS = 5000, /* when there was no descriptor to watch with */
	EVENTS = IN_MODIFY | IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
		 IN_ONLYDIR
};

/* Of the files themselves, or of the folders above them, of which there may be some that we cannot read. */
enum place { PLACE_OF_FILE, PLACE_ABOVE };

/* A name, or a pattern, in a folder. */
struct watched {
	int wd;
	char *name;
	enum place place;
};

/* One descriptor of inotify, and what it watches. */
struct watch {
	int fd; /* -1: none */
	struct event *readable;
	struct watched *v;
	size_t n;
};

struct watcher {
	struct loop *loop;
	void (*on_change)(void *arg);
	void *arg;
	struct config *config; /* NULL: nothing is watched */
	struct watch watch;
	struct timer quiet;
	/* Names of files that were changed, a truncation among that, and not closed yet: half of one must not be read. */
	char *written[WRITTEN_MAX];
	size_t written_count;
	struct log_repeat failures;
};

/* ---- what is watched ---- */

static void watch_in(struct watcher *w, const char *folder, const char *name, enum place place)
{
	struct watch *watch = &w->watch;
	int wd = inotify_add_watch(watch->fd, folder, EVENTS);

	if (wd < 0) {
		if (place == PLACE_OF_FILE || errno == ENOSPC)
			log_warning(
			    NULL, "watch-failed", "path=%s reason=%s", folder, strerror(errno));
		return;
	}
	watch->v = mem_grow(watch->v, watch->n + 1, sizeof(*watch->v));
	watch->v[watch->n++] = (struct watched){.wd = wd, .name = mem_strdup(name), .place = place};
}

/* pattern: as glob(3) has it. Its name in its folder, that folder's name in the one above, and so on: each may come, go and
 * be replaced. */
static void watch_pattern(struct watcher *w, const char *pattern, enum place place)
{
	char *for_folder = mem_strdup(pattern), *for_name = mem_strdup(pattern);
	const char *folder = dirname(for_folder), *name = basename(for_name);
	glob_t folders = {0};

	/* Folders can be patterns, too. */
	if (glob(folder, 0, NULL, &folders) == 0)
		for (size_t i = 0; i < folders.gl_pathc; i++)
			watch_in(w, folders.gl_pathv[i], name, place);
	globfree(&folders);
	if (strcmp(folder, "/") != 0 && strcmp(folder, ".") != 0)
		watch_pattern(w, folder, PLACE_ABOVE);
	free(for_folder);
	free(for_name);
}

static void watch_file(struct watcher *w, const char *path)
{
	struct strbuf pattern = {0};

	strbuf_add_no_pattern(&pattern, path);
	watch_pattern(w, strbuf_text(&pattern), PLACE_OF_FILE);
	strbuf_clear(&pattern);
}

static void watch_all(struct watcher *w)
{
	for (size_t i = 0; i < w->config->files.n; i++) {
		char *real = realpath(w->config->files.v[i], NULL);

		watch_file(w, w->config->files.v[i]);
		if (real && strcmp(real, w->config->files.v[i]) != 0)
			watch_file(w, real);
		free(real);
	}
	for (size_t i = 0; i < w->config->includes.n; i++)
		watch_pattern(w, w->config->includes.v[i], PLACE_OF_FILE);
}

/* Kubernetes swaps a link named "..data" in the folder of a file that is a link through it. */
static bool is_of_kubernetes(const struct watched *watched, const char *name)
{
	return watched->place == PLACE_OF_FILE && strncmp(name, "..", 2) == 0;
}

static bool is_ours(const struct watch *watch, const struct inotify_event *event)
{
	if (event->mask & IN_Q_OVERFLOW)
		return true;
	for (size_t i = 0; i < watch->n; i++) {
		const struct watched *watched = &watch->v[i];

		if (watched->wd == event->wd && event->len &&
		    (fnmatch(watched->name, event->name, 0) == 0 ||
			is_of_kubernetes(watched, event->name)))
			return true;
	}
	return false;
}

/* ---- events ---- */

static void forget_written(struct watcher *w)
{
	while (w->written_count)
		free(w->written[--w->written_count]);
}

static void note_writing(struct watcher *w, const struct inotify_event *event)
{
	size_t i = 0;

	if (event->len == 0)
		return;
	while (i < w->written_count && strcmp(w->written[i], event->name) != 0)
		i++;
	if ((event->mask & IN_MODIFY) && i == w->written_count && i < WRITTEN_MAX)
		w->written[w->written_count++] = mem_strdup(event->name);
	if (!(event->mask & (IN_MODIFY | IN_CREATE)) && i < w->written_count) {
		free(w->written[i]);
		w->written[i] = w->written[--w->written_count];
	}
}

static void wait_for_quiet(struct watcher *w)
{
	timer_start(&w->quiet, w->written_count ? WRITING_MS : QUIET_MS);
}

/* Reads all that has happened; true when some of it was about what is watched. */
static bool read_events(struct watcher *w, struct watch *watch)
{
	_Alignas(struct inotify_event) char bytes[4096];
	bool ours = false;
	ssize_t n;

	while ((n = read(watch->fd, bytes, sizeof(bytes))) > 0) {
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *event = (const void *)(bytes + at);

			if (is_ours(watch, event)) {
				ours = true;
				note_writing(w, event);
			}
			at += (ssize_t)(sizeof(*event) + event->len);
		}
	}
	return ours;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct watcher *w = arg;

	(void)fd;
	(void)what;
	if (read_events(w, &w->watch))
		wait_for_quiet(w);
}

static void watch_clear(struct watch *watch)
{
	if (watch->readable)
		event_free(watch->readable);
	if (watch->fd >= 0)
		close(watch->fd);
	for (size_t i = 0; i < watch->n; i++)
		free(watch->v[i].name);
	free(watch->v);
	*watch = (struct watch){.fd = -1};
}

static void start_watching(struct watcher *w)
{
	struct watch *watch = &w->watch;

	watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->fd < 0) {
		log_unless_repeated(&w->failures, LOG_LEVEL_ERROR, NULL, "watch-failed",
		    "reason=%s", strerror(errno));
		timer_start(&w->quiet, RETRY_MS);
		return;
	}
	log_repeat_end(&w->failures, NULL);
	watch->readable =
	    event_new(loop_base(w->loop), watch->fd, EV_READ | EV_PERSIST, on_readable, w);
	event_add(watch->readable, NULL);
	watch_all(w);
}

static void on_quiet(void *arg)
{
	struct watcher *w = arg;

	forget_written(w);
	/* A folder may be another one by now: look anew, then tell, so that nothing falls in between. */
	watch_clear(&w->watch);
	start_watching(w);
	if (w->watch.fd >= 0)
		w->on_change(w->arg);
}

/* ---- life ---- */

void watcher_follow(struct watcher *w, struct config *config)
{
	struct watch before = w->watch;
	bool changed = timer_is_running(&w->quiet);

	timer_stop(&w->quiet);
	w->watch = (struct watch){.fd = -1};
	config_unref(w->config);
	w->config = config->watch ? config_ref(config) : NULL;
	if (w->config)
		start_watching(w);
	/* What changed while this configuration was read is not in it. */
	changed = (before.fd >= 0 && read_events(w, &before)) || changed;
	if (w->config && changed)
		wait_for_quiet(w);
	watch_clear(&before);
}

struct watcher *watcher_new(struct loop *loop, void (*on_change)(void *arg), void *arg)
{
	struct watcher *w = NEW(struct watcher);

	w->loop = loop;
	w->on_change = on_change;
	w->arg = arg;
	w->watch.fd = -1;
	timer_init(&w->quiet, loop, on_quiet, w);
	return w;
}

void watcher_free(struct watcher *w)
{
	if (!w)
		return;
	timer_stop(&w->quiet);
	forget_written(w);
	watch_clear(&w->watch);
	config_unref(w->config);
	free(w);
}
