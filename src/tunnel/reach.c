#include "tunnel/reach.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/bev.h"
#include "net/connector.h"
#include "ssh/direct.h"

struct reach {
	struct loop *loop;
	const struct config_host *config;
	struct reach_callbacks callbacks;
	void *arg;
	uint64_t began_ms;

	struct connector *connector; /* by TCP */
	struct channel *channel;     /* through the jump host: while it is being opened */
	struct timer deadline;
	struct task begin;
	struct err error; /* that it could not even begin */
};

static void release(struct reach *reach)
{
	timer_stop(&reach->deadline);
	task_cancel(&reach->begin);
	free(reach);
}

/* The last thing that its callers do. */
static void done(
    struct reach *reach, struct bufferevent *bev, const char *address, const struct err *e)
{
	struct reach_callbacks callbacks = reach->callbacks;
	void *arg = reach->arg;

	release(reach);
	callbacks.on_done(arg, bev, address, e);
}

static void fail(struct reach *reach, const struct err *e)
{
	done(reach, NULL, "", e);
}

/* ---- by TCP ---- */

/* The kernel gives up on unacknowledged data no later than our own probes do. */
void reach_set_keepalive(struct bufferevent *bev, const struct config_host *config)
{
	uint64_t ms = config->keepalive_interval_ms * (config->keepalive_count + 1u);
	unsigned user_timeout = ms < INT32_MAX ? (unsigned)ms : 0;
	int fd = bev_socket_fd(bev);

	if (fd >= 0)
		(void)setsockopt(
		    fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout, sizeof(user_timeout));
}

static void on_connected(void *arg, int fd, const struct addr *peer, const struct err *e)
{
	struct reach *reach = arg;
	struct bufferevent *bev;
	char address[ADDR_TEXT_MAX];
	int on = 1;

	reach->connector = NULL;
	if (fd < 0) {
		fail(reach, e);
		return;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	bev = bev_socket_new(reach->loop, fd);
	reach_set_keepalive(bev, reach->config);
	done(reach, bev, addr_text(peer, address), NULL);
}

static void on_resolved(void *arg)
{
	struct reach *reach = arg;

	reach->callbacks.on_connecting(reach->arg);
}

static void begin_tcp(struct reach *reach, struct resolver *resolver)
{
	const struct config_host *config = reach->config;
	struct endpoint to = {.host = config->address, .port = config->port};
	struct connector_options options = {.resolver = resolver,
	    .bind_address = config->bind_address,
	    .timeout_ms = config->connect_timeout_ms,
	    .on_resolved = on_resolved};

	reach->connector = connector_start(reach->loop, &to, &options, on_connected, reach);
}

/* ---- through the jump host ---- */

static void let_go_of_channel(struct reach *reach)
{
	struct channel *c = reach->channel;

	if (!c)
		return;
	reach->channel = NULL;
	channel_set_callbacks(c, &(struct channel_callbacks){0}, NULL);
	channel_close(c);
}

static void on_channel_open(void *arg, struct channel *c)
{
	struct reach *reach = arg;
	char address[ENDPOINT_TEXT_MAX];

	reach->channel = NULL;
	/* From here on the bufferevent says all there is to say. */
	channel_set_callbacks(c, &(struct channel_callbacks){0}, NULL);
	endpoint_text(
	    &(struct endpoint){.host = reach->config->address, .port = reach->config->port},
	    address);
	done(reach, channel_bev(c), address, NULL);
}

static void on_channel_failed(void *arg, struct channel *c, uint32_t code, struct span text)
{
	struct reach *reach = arg;
	const struct config_host *config = reach->config;
	struct err e = ERR_INIT;
	struct strbuf words = {0};

	(void)c;
	reach->channel = NULL;
	strbuf_add_escaped(&words, text);
	/* What the jump host does not permit now it will not permit in a second. */
	err_set(&e, code == OPEN_ADMINISTRATIVELY_PROHIBITED ? ERR_LOGIN : ERR_NETWORK,
	    "jump host %s cannot connect to %s:%u: %s", config->via, config->address, config->port,
	    strbuf_text(&words));
	strbuf_clear(&words);
	fail(reach, &e);
}

static void on_channel_closed(void *arg, struct channel *c, const struct err *why)
{
	struct reach *reach = arg;
	struct err e = ERR_INIT;

	(void)c;
	reach->channel = NULL;
	err_set(&e, ERR_NETWORK, "jump host %s: %s", reach->config->via,
	    why ? why->text : "the channel was closed");
	fail(reach, &e);
}

static void on_deadline(void *arg)
{
	struct reach *reach = arg;
	const struct config_host *config = reach->config;
	struct err e = ERR_INIT;

	let_go_of_channel(reach);
	err_set(&e, ERR_TIMEOUT, "jump host %s did not connect to %s:%u within %.3g s", config->via,
	    config->address, config->port, (double)config->connect_timeout_ms / 1000);
	fail(reach, &e);
}

static void begin_via(struct reach *reach, struct session *via)
{
	static const struct channel_callbacks callbacks = {.on_open = on_channel_open,
	    .on_open_failed = on_channel_failed,
	    .on_close = on_channel_closed};
	struct direct_target target = {.host = reach->config->address, .port = reach->config->port};

	reach->channel = session_open_direct(via, &target, &callbacks, reach, &reach->error);
}

/* What there is to say about a channel that was asked for, said from the loop. */
static void on_begun(void *arg)
{
	struct reach *reach = arg;

	if (reach->channel) {
		reach->callbacks.on_connecting(reach->arg);
		return;
	}
	struct err e = reach->error;
	err_prefix(&e, "jump host %s", reach->config->via);
	fail(reach, &e);
}

/* ---- both ---- */

struct reach *reach_start(struct loop *loop, struct resolver *resolver,
    const struct config_host *config, struct session *via, const struct reach_callbacks *callbacks,
    void *arg)
{
	struct reach *reach = NEW(struct reach);

	reach->loop = loop;
	reach->config = config;
	reach->callbacks = *callbacks;
	reach->arg = arg;
	reach->began_ms = clock_now_ms();
	timer_init(&reach->deadline, loop, on_deadline, reach);
	task_init(&reach->begin, loop, on_begun, reach);
	if (!via) {
		begin_tcp(reach, resolver);
		return reach;
	}
	begin_via(reach, via);
	timer_start(&reach->deadline, config->connect_timeout_ms);
	task_schedule(&reach->begin);
	return reach;
}

void reach_cancel(struct reach *reach)
{
	if (!reach)
		return;
	connector_cancel(reach->connector);
	let_go_of_channel(reach);
	release(reach);
}

uint64_t reach_age_ms(const struct reach *reach)
{
	return clock_now_ms() - reach->began_ms;
}
