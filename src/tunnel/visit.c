#include "tunnel/visit.h"

#include <stdlib.h>

#include "base/mem.h"
#include "tunnel/gate.h"
#include "tunnel/host.h"

/* One host on the way. */
struct stop {
	struct visit *visit;
	struct config_host config; /* the snapshot's, but for the number of connections */
	struct host *host;
	struct host_user user;
};

struct visit {
	struct gate *gate;
	struct config *snapshot;
	struct stop
	    *stops; /* the first is reached directly, the last is the host that is visited */
	size_t count;
	struct visit_callbacks callbacks;
	void *arg;
	struct err reason;
	struct task fail;
};

static bool is_last(const struct stop *stop)
{
	return stop == &stop->visit->stops[stop->visit->count - 1];
}

/* ---- what hosts say ---- */

static void on_session_up(void *arg, struct session *s)
{
	struct stop *stop = arg;

	if (is_last(stop) && !err_is_set(&stop->visit->reason))
		stop->visit->callbacks.on_up(stop->visit->arg, s);
}

static void on_session_down(void *arg, struct session *s)
{
	(void)arg;
	(void)s;
}

static bool names_algorithms(const struct config_host *host)
{
	return host->kex.n || host->host_key_algorithms.n || host->ciphers.n || host->macs.n;
}

/* A server that was reached and has nothing in common with what nobody has configured: for who has to mend the configuration that is
 * no news. */
static void blame_server(const struct stop *stop, struct err *e)
{
	bool is_reached = *link_peer_address(host_link(stop->host)) != '\0';

	if (e->class == ERR_CONFIG && is_reached && !names_algorithms(&stop->config))
		e->class = ERR_PEER;
}

/* A link that waits for its next try has failed. Comes from inside the link: the end is a task. */
static void on_change(void *arg)
{
	struct stop *stop = arg;
	struct visit *visit = stop->visit;
	const struct link *link = host_link(stop->host);

	if (link_state(link) != LINK_WAITING || err_is_set(&visit->reason))
		return;
	visit->reason = *link_reason(link);
	blame_server(stop, &visit->reason);
	if (!is_last(stop))
		err_prefix(&visit->reason, "jump host %s", stop->config.name);
	task_schedule(&visit->fail);
}

static bool is_client_held(void *arg)
{
	(void)arg;
	return false;
}

static void fail(void *arg)
{
	struct visit *visit = arg;

	visit->callbacks.on_failed(visit->arg, &visit->reason);
}

static void on_rest(void *arg)
{
	(void)arg;
}

/* ---- life ---- */

static size_t count_stops(const struct config *snapshot, const struct config_host *host)
{
	size_t count = 1;

	for (; host->via; host = config_find_host(snapshot, host->via))
		count++;
	return count;
}

static void make_stop(struct visit *visit, size_t index, const struct link_env *env)
{
	struct stop *stop = &visit->stops[index];
	struct host *via = index ? visit->stops[index - 1].host : NULL;

	stop->visit = visit;
	stop->config.connections = 1;
	stop->host = host_new(env, visit->snapshot, &stop->config, via, on_rest, stop);
	stop->user = (struct host_user){.on_session_up = on_session_up,
	    .on_session_down = on_session_down,
	    .on_change = on_change,
	    .is_client_held = is_client_held,
	    .arg = stop};
	list_init(&stop->user.node);
}

struct visit *visit_new(struct loop *loop, struct resolver *resolver, struct config *snapshot,
    const struct config_host *host, const struct visit_callbacks *callbacks, void *arg)
{
	struct visit *visit = NEW(struct visit);

	visit->gate = gate_new(loop);
	visit->snapshot = config_ref(snapshot);
	visit->callbacks = *callbacks;
	visit->arg = arg;
	task_init(&visit->fail, loop, fail, visit);
	visit->count = count_stops(snapshot, host);
	visit->stops = mem_array(visit->count, sizeof(*visit->stops));
	for (size_t i = visit->count; i-- > 0;) {
		visit->stops[i].config = *host;
		host = host->via ? config_find_host(snapshot, host->via) : NULL;
	}
	struct link_env env = {
	    .loop = loop, .resolver = resolver, .gate = visit->gate, .use = LINK_FOR_COMMANDS};
	for (size_t i = 0; i < visit->count; i++)
		make_stop(visit, i, &env);
	for (size_t i = 0; i < visit->count; i++)
		host_want(visit->stops[i].host, &visit->stops[i].user);
	return visit;
}

void visit_free(struct visit *visit)
{
	if (!visit)
		return;
	task_cancel(&visit->fail);
	err_set(&visit->reason, ERR_CANCELLED, "not needed any more");
	for (size_t i = visit->count; i-- > 0;)
		host_unwant(&visit->stops[i].user, 0);
	for (size_t i = visit->count; i-- > 0;)
		host_stop(visit->stops[i].host);
	for (size_t i = visit->count; i-- > 0;)
		host_free(visit->stops[i].host);
	gate_free(visit->gate);
	config_unref(visit->snapshot);
	free(visit->stops);
	free(visit);
}
