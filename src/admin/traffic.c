#include "admin/traffic.h"

#include <stdlib.h>
#include <string.h>

#include "admin/json.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"

/* One line to draw. */
struct series {
	char *name;
	uint64_t total;
	uint32_t rates[TRAFFIC_SAMPLES]; /* bytes a second; a ring, with all others' position */
};

/* In the manager's order. */
struct table {
	struct series **v;
	size_t n;
};

struct traffic {
	const struct manager *manager;
	struct timer tick;
	uint64_t last_ms;
	size_t next; /* where the next sample goes: the oldest */
	struct table tunnels, hosts;
};

/* ---- what there is to count ---- */

static const char *name_of_tunnel(const struct manager *m, size_t i)
{
	return tunnel_name(manager_tunnel(m, i));
}

static uint64_t bytes_of_tunnel(const struct manager *m, size_t i)
{
	struct forward_counts counts;

	tunnel_get_counts(manager_tunnel(m, i), &counts);
	return counts.bytes_in + counts.bytes_out;
}

static const char *name_of_host(const struct manager *m, size_t i)
{
	return host_name(manager_host(m, i));
}

static uint64_t bytes_of_host(const struct manager *m, size_t i)
{
	struct link_bytes bytes = host_counts(manager_host(m, i)).bytes;

	return bytes.in + bytes.out;
}

static const struct kind {
	size_t (*count)(const struct manager *m);
	const char *(*name)(const struct manager *m, size_t i);
	uint64_t (*bytes)(const struct manager *m, size_t i);
} of_tunnels = {manager_tunnel_count, name_of_tunnel, bytes_of_tunnel},
  of_hosts = {manager_host_count, name_of_host, bytes_of_host};

/* ---- following the manager ---- */

static void series_free(struct series *series)
{
	free(series->name);
	free(series);
}

static void table_clear(struct table *table)
{
	for (size_t i = 0; i < table->n; i++)
		series_free(table->v[i]);
	free(table->v);
	*table = (struct table){0};
}

static bool is_as_before(
    const struct table *table, const struct manager *m, const struct kind *kind)
{
	size_t count = kind->count(m);

	if (table->n != count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (strcmp(table->v[i]->name, kind->name(m, i)) != 0)
			return false;
	return true;
}

/* After a reload: what is still there keeps its samples. */
static void follow(struct table *table, const struct manager *m, const struct kind *kind)
{
	struct table next = {.n = kind->count(m)};
	struct map *before = map_new();

	for (size_t i = 0; i < table->n; i++)
		map_put(before, table->v[i]->name, table->v[i]);
	next.v = mem_array(next.n, sizeof(struct series *));
	for (size_t i = 0; i < next.n; i++) {
		next.v[i] = map_remove(before, kind->name(m, i));
		if (next.v[i])
			continue;
		next.v[i] = NEW(struct series);
		next.v[i]->name = mem_strdup(kind->name(m, i));
	}
	size_t cursor = 0;
	struct series *gone;
	while ((gone = map_next(before, &cursor)))
		series_free(gone);
	map_free(before);
	free(table->v);
	*table = next;
}

/* ---- samples ---- */

/* A total that is smaller than before has begun anew. */
static uint32_t rate_of(uint64_t before, uint64_t total, uint64_t elapsed_ms)
{
	uint64_t grown = total >= before ? total - before : total;
	uint64_t rate = elapsed_ms ? grown * 1000 / elapsed_ms : 0;

	return rate < UINT32_MAX ? (uint32_t)rate : UINT32_MAX;
}

static void sample(
    struct traffic *traffic, struct table *table, const struct kind *kind, uint64_t elapsed_ms)
{
	if (!is_as_before(table, traffic->manager, kind))
		follow(table, traffic->manager, kind);
	for (size_t i = 0; i < table->n; i++) {
		struct series *series = table->v[i];
		uint64_t total = kind->bytes(traffic->manager, i);

		series->rates[traffic->next] = rate_of(series->total, total, elapsed_ms);
		series->total = total;
	}
}

static void on_tick(void *arg)
{
	struct traffic *traffic = arg;
	uint64_t now_ms = clock_now_ms();

	sample(traffic, &traffic->tunnels, &of_tunnels, now_ms - traffic->last_ms);
	sample(traffic, &traffic->hosts, &of_hosts, now_ms - traffic->last_ms);
	traffic->last_ms = now_ms;
	traffic->next = (traffic->next + 1) % TRAFFIC_SAMPLES;
	timer_start(&traffic->tick, TRAFFIC_INTERVAL_S * 1000);
}

static void add_table(
    struct json *j, const char *key, const struct traffic *traffic, const struct table *table)
{
	json_open_array(j, key);
	for (size_t i = 0; i < table->n; i++) {
		json_open_object(j, NULL);
		json_string(j, "name", table->v[i]->name);
		json_open_array(j, "bytes_per_s");
		for (size_t k = 0; k < TRAFFIC_SAMPLES; k++)
			json_u64(
			    j, NULL, table->v[i]->rates[(traffic->next + k) % TRAFFIC_SAMPLES]);
		json_close_array(j);
		json_close_object(j);
	}
	json_close_array(j);
}

char *traffic_json(const struct traffic *traffic)
{
	struct json j = {0};

	json_open_object(&j, NULL);
	json_u64(&j, "interval_s", TRAFFIC_INTERVAL_S);
	add_table(&j, "tunnels", traffic, &traffic->tunnels);
	add_table(&j, "hosts", traffic, &traffic->hosts);
	json_close_object(&j);
	strbuf_add(&j.out, "\n");
	return strbuf_take(&j.out);
}

/* ---- life ---- */

struct traffic *traffic_new(struct loop *loop, const struct manager *m)
{
	struct traffic *traffic = NEW(struct traffic);

	traffic->manager = m;
	traffic->last_ms = clock_now_ms();
	timer_init(&traffic->tick, loop, on_tick, traffic);
	timer_start(&traffic->tick, TRAFFIC_INTERVAL_S * 1000);
	return traffic;
}

void traffic_free(struct traffic *traffic)
{
	if (!traffic)
		return;
	timer_stop(&traffic->tick);
	table_clear(&traffic->tunnels);
	table_clear(&traffic->hosts);
	free(traffic);
}
