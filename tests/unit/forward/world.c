#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "world.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"

enum { HOLD_TIMEOUT = 10000 };

static struct session *pick_session(void *arg)
{
	const struct world *w = arg;

	return w->peer ? peer_session(w->peer) : NULL;
}

static void on_held(void *arg)
{
	((struct world *)arg)->held++;
}

static void on_change(void *arg)
{
	((struct world *)arg)->changes++;
}

static void on_streams(void *arg)
{
	((struct world *)arg)->stream_changes++;
}

static void silence(void *arg, enum log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

int world_set_up(void **state)
{
	struct world *w = NEW(struct world);

	clock_fake_start(1000000, 1700000000);
	random_seed_for_tests(1);
	log_set_sink(silence, NULL);
	w->loop = loop_new();
	w->resolver = resolver_new(w->loop, "/dev/null", "/etc/hosts");
	*state = w;
	return 0;
}

static void endpoint_clear(struct config_endpoint *e)
{
	free(e->host);
	free(e->path);
	free(e->text);
}

int world_tear_down(void **state)
{
	struct world *w = *state;

	forward_free(w->forward);
	settle(w->loop);
	peer_free(w->peer);
	resolver_free(w->resolver);
	settle(w->loop);
	loop_free(w->loop);
	endpoint_clear(&w->config.listen);
	endpoint_clear(&w->config.to);
	free(w);
	log_set_sink(NULL, NULL);
	random_seed_for_tests(0);
	clock_fake_stop();
	return 0;
}

static struct config_endpoint endpoint(const char *text)
{
	struct config_endpoint e = {.text = mem_strdup(text)};
	const char *colon;

	if (!text)
		return e;
	if (strncmp(text, "unix:", 5) == 0) {
		e.kind = CONFIG_UNIX;
		e.path = mem_strdup(text + 5);
		return e;
	}
	if (strncmp(text, "systemd:", 8) == 0) {
		e.kind = CONFIG_SYSTEMD;
		e.path = mem_strdup(text + 8);
		return e;
	}
	colon = strrchr(text, ':');
	assert_non_null(colon);
	e.host = text[0] == '[' ? mem_strndup(text + 1, (size_t)(colon - text) - 2)
				: mem_strndup(text, (size_t)(colon - text));
	e.port = (uint16_t)atoi(colon + 1);
	return e;
}

struct config_forward world_config(
    enum config_forward_kind kind, const char *listen, const char *to)
{
	return (struct config_forward){.kind = kind,
	    .listen = endpoint(listen),
	    .to = endpoint(to),
	    .mode = 0600,
	    .max_streams = 4096};
}

void world_start(struct world *w, struct config_forward config)
{
	const struct forward_env env = {.loop = w->loop, .resolver = w->resolver};
	static const struct forward_callbacks callbacks = {.pick_session = pick_session,
	    .on_held = on_held,
	    .on_change = on_change,
	    .on_streams = on_streams};
	struct err e = ERR_INIT;

	w->config = config;
	w->forward = forward_new(&env, &w->config, HOLD_TIMEOUT, &callbacks, w, &e);
	if (!w->forward)
		fail_msg("%s", e.text);
	settle(w->loop);
}

void world_link_up(struct world *w)
{
	w->peer = peer_new(w->loop);
	forward_session_up(w->forward, peer_session(w->peer));
	settle(w->loop);
}

void world_link_lost(struct world *w)
{
	struct peer *gone = w->peer;

	w->peer = NULL;
	peer_lose(gone);
	forward_session_down(w->forward, peer_session(gone));
	settle(w->loop);
	peer_free(gone);
}

struct forward_status world_status(const struct world *w)
{
	struct forward_status status;

	forward_get_status(w->forward, &status);
	return status;
}

uint16_t world_port(const struct world *w)
{
	const char *colon = strrchr(world_status(w).listen, ':');

	assert_non_null(colon);
	return (uint16_t)atoi(colon + 1);
}

int world_connect(struct world *w)
{
	int fd = tcp_connect(world_port(w));

	settle(w->loop);
	return fd;
}
