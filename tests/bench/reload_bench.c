/*
 * What a reload of a thousand tunnels costs the loop when one has changed: reading and checking the file, the plan, applying it.
 *
 * usage: reload_bench [TUNNELS]		prints a line for each step, milliseconds, the median of some rounds
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "config/read.h"
#include "net/resolver.h"
#include "tunnel/manager.h"

enum { ROUNDS = 15 };

static void swallow(void *arg, enum log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

/* Tunnels on demand: nothing connects. The target of the last one has the round in it. */
static char *make_text(size_t tunnels, const char *folder, int round)
{
	struct strbuf out = {0};

	strbuf_add(&out, "hosts: { h: { address = \"127.0.0.1\"; }; };\ntunnels: {\n");
	for (size_t i = 0; i < tunnels; i++)
		strbuf_addf(&out,
		    "  tunnel-%zu: { via = \"h\"; local = \"unix:%s/%zu\"; to = \"db:%d\"; "
		    "connect = \"on-demand\"; };\n",
		    i, folder, i, i + 1 == tunnels ? 1000 + round : 5432);
	strbuf_add(&out, "};\n");
	return strbuf_take(&out);
}

struct times {
	double read, plan, apply, all;
};

static double ms_since(uint64_t us)
{
	return (double)(clock_now_us() - us) / 1000;
}

static struct times reload(struct manager *m, struct loop *loop, const char *path, bool first)
{
	struct config_errors errors = {0};
	struct config *before = first ? NULL : config_ref(manager_config(m));
	struct times t;
	uint64_t begin = clock_now_us();
	struct config *next = config_read(path, NULL, &errors);

	if (!next) {
		fprintf(stderr, "reload_bench: %s\n", errors.v[0].text);
		exit(1);
	}
	t.read = ms_since(begin);
	uint64_t at = clock_now_us();
	struct config_plan *plan = config_diff(before, next);
	t.plan = ms_since(at);
	at = clock_now_us();
	manager_apply(m, next, plan);
	loop_pass(loop, LOOP_NO_WAIT);
	t.apply = ms_since(at);
	config_plan_free(plan);
	config_unref(before);
	config_unref(next);
	t.all = ms_since(begin);
	return t;
}

static void write_file(const char *path, char *text)
{
	FILE *file = fopen(path, "w");

	if (!file || fputs(text, file) < 0 || fclose(file)) {
		perror(path);
		exit(1);
	}
	free(text);
}

static int by_all(const void *a, const void *b)
{
	double x = ((const struct times *)a)->all, y = ((const struct times *)b)->all;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	size_t tunnels = argc > 1 ? (size_t)atol(argv[1]) : 1000;
	struct rlimit many = {.rlim_cur = tunnels + 64, .rlim_max = tunnels + 64};
	char folder[] = "/tmp/adit-bench-XXXXXX";
	struct times all[ROUNDS];

	setrlimit(RLIMIT_NOFILE, &many);
	log_set_sink(swallow, NULL);
	if (!mkdtemp(folder))
		return 1;
	char *path = str_format("%s/adit.conf", folder);
	struct loop *loop = loop_new();
	struct resolver *resolver = resolver_new(loop, NULL, NULL);
	struct manager *m =
	    manager_new(&(struct manager_options){.loop = loop, .resolver = resolver});
	write_file(path, make_text(tunnels, folder, 0));
	struct times start = reload(m, loop, path, true);
	for (int round = 0; round < ROUNDS; round++) {
		write_file(path, make_text(tunnels, folder, round + 1));
		all[round] = reload(m, loop, path, false);
	}
	qsort(all, ROUNDS, sizeof(all[0]), by_all);
	const struct times *t = &all[ROUNDS / 2];
	printf("%zu tunnels, one changed: %.1f ms (read and check %.1f, plan %.1f, apply %.1f); "
	       "worst %.1f "
	       "ms; first start %.1f ms\n",
	    tunnels, t->all, t->read, t->plan, t->apply, all[ROUNDS - 1].all, start.all);
	manager_free(m);
	resolver_free(resolver);
	loop_free(loop);
	unlink(path);
	rmdir(folder);
	free(path);
	return 0;
}
