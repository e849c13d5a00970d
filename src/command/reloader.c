#include "command/reloader.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "command/load.h"
#include "config/diff.h"
#include "config/read.h"

/* Of errors: a file of something else has one in each line. */
enum { REMEMBERED_MAX = 20, LOGGED_MAX = 100 };

struct reloader {
	struct manager *manager;
	char *path;
	char *full_path; /* for who reads the status elsewhere */
	unsigned generation;
	uint64_t loaded_at_ms, tried_at_ms;
	char *error; /* of the last try; "" when it was good */
};

static char *make_full(const char *path)
{
	char *folder = *path == '/' ? NULL : getcwd(NULL, 0);
	char *full = folder ? str_format("%s/%s", folder, path) : mem_strdup(path);

	free(folder);
	return full;
}

struct reloader *reloader_new(struct manager *manager, const char *path)
{
	struct reloader *r = NEW(struct reloader);

	r->manager = manager;
	r->path = mem_strdup(path);
	r->full_path = make_full(path ? path : "/");
	r->error = mem_strdup("");
	return r;
}

void reloader_free(struct reloader *r)
{
	if (!r)
		return;
	free(r->path);
	free(r->full_path);
	free(r->error);
	free(r);
}

static void log_warnings(const struct config *config)
{
	for (size_t i = 0; i < config->warnings.n; i++) {
		char *text = config_error_text(&config->warnings.v[i]);

		log_warning(NULL, "config-warning", "warning=%s", text);
		free(text);
	}
}

static void apply(struct reloader *r, struct config *next, const struct config_plan *plan)
{
	log_set_level(next->log_level);
	log_warnings(next);
	manager_apply(r->manager, next, plan);
	r->generation++;
	r->loaded_at_ms = clock_wall_ms();
}

void reloader_start(struct reloader *r, struct config *first)
{
	struct config_plan *plan = config_diff(NULL, first);

	r->tried_at_ms = clock_wall_ms();
	apply(r, first, plan);
	config_plan_free(plan);
}

/* For whoever asks for the status; `adit reload` and `adit check` have them all. */
static void remember_errors(struct reloader *r, const struct config_errors *errors)
{
	struct strbuf all = {0};

	for (size_t i = 0; i < errors->n && i < REMEMBERED_MAX; i++) {
		char *text = config_error_text(&errors->v[i]);

		strbuf_addf(&all, "%s%s", i ? "\n" : "", text);
		free(text);
	}
	if (errors->n > REMEMBERED_MAX)
		strbuf_addf(
		    &all, "\nand %zu more: `adit check` prints all", errors->n - REMEMBERED_MAX);
	free(r->error);
	r->error = strbuf_take(&all);
}

static void log_outcome(const struct reloader *r, const struct config_strings *changes,
    const struct config_errors *errors)
{
	for (size_t i = 0; i < errors->n && i < LOGGED_MAX; i++) {
		char *text = config_error_text(&errors->v[i]);

		log_error(NULL, "config-error", "error=%s", text);
		free(text);
	}
	if (errors->n) {
		log_error(NULL, "reload-failed", "path=%s errors=%zu kept=%s", r->path, errors->n,
		    "the configuration before");
		return;
	}
	for (size_t i = 0; i < changes->n; i++)
		log_info(NULL, "config-change", "change=%s", changes->v[i]);
	log_info(NULL, "reloaded", "path=%s generation=%u", r->path, r->generation);
}

/* As a file is while it is written anew. */
static bool is_emptied(const struct config *before, const struct config *next)
{
	return next->host_count + next->tunnel_count == 0 &&
	       before->host_count + before->tunnel_count > 0;
}

void reloader_reload(struct reloader *r, enum control_reload how, struct config_strings *changes,
    struct config_errors *errors)
{
	if (!r->path) {
		config_errors_add(
		    errors, NULL, 0, "adit open has no configuration file to read again");
		return;
	}
	struct config *next = config_read_again(r->path, &load_algorithms, errors);
	if (next && how == CONTROL_RELOAD_SEEN && is_emptied(manager_config(r->manager), next)) {
		config_errors_add(errors, r->path, 0,
		    "all hosts and tunnels are gone from it: not taken over unless `adit reload` "
		    "asks for it");
		config_unref(next);
		next = NULL;
	}
	if (how != CONTROL_RELOAD_DRY_RUN) {
		r->tried_at_ms = clock_wall_ms();
		remember_errors(r, errors);
	}
	if (next) {
		/* The plan points into both; the manager lets the old one go. */
		struct config *before = config_ref(manager_config(r->manager));
		struct config_plan *plan = config_diff(before, next);

		config_plan_lines(plan, changes);
		if (how != CONTROL_RELOAD_DRY_RUN)
			apply(r, next, plan);
		config_plan_free(plan);
		config_unref(before);
		config_unref(next);
	}
	if (how != CONTROL_RELOAD_DRY_RUN)
		log_outcome(r, changes, errors);
}

void reloader_describe(const struct reloader *r, struct status_daemon *ret)
{
	ret->config_path = r->path ? r->full_path : "";
	ret->generation = r->generation;
	ret->loaded_at_ms = r->loaded_at_ms;
	ret->tried_at_ms = r->tried_at_ms;
	ret->config_error = r->error;
}
