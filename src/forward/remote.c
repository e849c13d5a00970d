/*
 * Forwards that listen on the server (`remote`, `remote_socks`): the server is asked to listen, again and again until it does;
 * whom it accepts arrives as a channel (forward/service), and is connected from this side.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"
#include "forward/service.h"
#include "forward/stream.h"
#include "net/connector.h"
#include "net/descriptors.h"
#include "ssh/channel.h"

enum {
	/* The usual cause of a refusal is our previous session, to whose end the server has not come yet. */
	RETRY_FIRST_MS = 1000,
	RETRY_MAX_MS = 30000,
	CONNECT_MS = 30000
};

struct remote {
	struct session *session;          /* that was asked; NULL: none */
	struct remote_listener *listener; /* NULL: not asked now, or refused */
	bool granted;
	uint16_t port; /* that was granted */
	struct timer retry;
	unsigned refusals; /* in a row */
	char *reason;      /* of the last one */
	struct log_repeat log;
};

/* ---- whom the server accepted ---- */

/* Why it could not be connected from here. */
static enum socks_reply reply_for(const struct err *e)
{
	if (e->class == ERR_LOCAL)
		return SOCKS_FAILED;
	if (e->class == ERR_TIMEOUT)
		return SOCKS_HOST_UNREACHABLE;
	return socks_reply_for(OPEN_CONNECT_FAILED, span_of(e->text));
}

static void on_connected(void *arg, int fd, const struct addr *peer, const struct err *e)
{
	struct stream *s = arg;

	(void)peer;
	s->connector = NULL;
	if (fd < 0) {
		stream_fail(s, reply_for(e), e->text);
		return;
	}
	struct bufferevent *target = bev_socket_new(s->forward->env.loop, fd);
	struct channel *pending = s->pending;

	if (pending) {
		s->pending = NULL;
		channel_accept(pending, &(struct channel_callbacks){0}, NULL);
		stream_set_client(s, channel_bev(pending));
	}
	stream_carry(s, target);
}

static void connect_here(struct stream *s)
{
	const struct endpoint to = {
	    .host = s->target_host, .port = s->target_port, .path = s->target_path};
	const struct connector_options options = {
	    .resolver = s->forward->env.resolver, .timeout_ms = CONNECT_MS};

	if (descriptors_are_short()) {
		stream_fail(s, SOCKS_FAILED, strerror(EMFILE));
		return;
	}
	stream_set_phase(s, STREAM_CONNECTING);
	s->connector = connector_start(s->forward->env.loop, &to, &options, on_connected, s);
}

/* The session ended while the channel waited for our answer. */
static void on_pending_closed(void *arg, struct channel *c, const struct err *e)
{
	struct stream *s = arg;

	(void)c;
	(void)e;
	s->pending = NULL;
	stream_free(s);
}

static char *text_of_originator(const char *host, uint16_t port)
{
	char text[ENDPOINT_TEXT_MAX];

	if (!host[0])
		return mem_strdup("unix:");
	return mem_strdup(endpoint_text(&(struct endpoint){.host = host, .port = port}, text));
}

/* The client's address, if the server told one; and the one it connected to, if it is configured as an address. A name
 * ("localhost", all of them) stands for none in particular. */
static void set_addresses(struct stream *s, const char *host, uint16_t port)
{
	const struct config_endpoint *at = &s->forward->config->listen;
	uint16_t at_port = s->forward->remote->port;

	if (!addr_from_literal(host, port, &s->client_addr))
		return;
	if (!at->host || !addr_from_literal(at->host, at_port, &s->at))
		addr_from_literal("0.0.0.0", at_port, &s->at);
}

/* A SOCKS client has to be heard before its target is known: its channel is accepted at once. */
static void accept_to_ask(struct stream *s)
{
	struct channel *c = s->pending;

	s->pending = NULL;
	channel_accept(c, &(struct channel_callbacks){0}, NULL);
	stream_set_client(s, channel_bev(c));
}

static void refuse_stranger(struct stream *s, const char *host)
{
	char *reason = str_format(
	    "%s is not allowed to connect", host[0] ? host : "a client without an address");

	stream_refuse(s, SOCKS_NOT_ALLOWED, reason);
	free(reason);
}

static void on_channel(
    void *arg, struct channel *c, const char *originator_host, uint16_t originator_port)
{
	static const struct channel_callbacks pending = {.on_close = on_pending_closed};
	struct forward *f = arg;
	struct stream *s = stream_new(f, text_of_originator(originator_host, originator_port));

	s->pending = c;
	channel_set_callbacks(c, &pending, s);
	set_addresses(s, originator_host, originator_port);
	if (!access_allows_address(f->access, &s->client_addr)) {
		refuse_stranger(s, originator_host);
		return;
	}
	if (f->stream_count > f->config->max_streams) {
		stream_refuse(s, SOCKS_FAILED, "max_streams are open");
		return;
	}
	if (forward_asks_target(f))
		accept_to_ask(s);
	stream_start(s);
}

/* ---- asking ---- */

static void set_reason(struct remote *r, char *reason)
{
	free(r->reason);
	r->reason = reason;
}

static void on_granted(void *arg, uint16_t port)
{
	struct forward *f = arg;
	struct remote *r = f->remote;

	r->granted = true;
	r->port = port;
	set_reason(r, NULL);
	forward_set_listen(f, port);
	log_repeat_end(&r->log, &f->log);
	log_info(&f->log, "remote-listening", "tries=%u", r->refusals + 1);
	r->refusals = 0;
	forward_tell_change(f);
}

static uint64_t retry_delay_ms(unsigned refusals)
{
	uint64_t ms = RETRY_FIRST_MS;

	for (unsigned i = 1; i < refusals && ms < RETRY_MAX_MS; i++)
		ms *= 2;
	if (ms > RETRY_MAX_MS)
		ms = RETRY_MAX_MS;
	return ms / 2 + random_below((uint32_t)(ms / 2) + 1);
}

static void on_refused(void *arg, const struct err *e)
{
	struct forward *f = arg;
	struct remote *r = f->remote;

	r->listener = NULL;
	r->refusals++;
	set_reason(r, mem_strdup(e->text));
	if (r->session && !session_closed(r->session, NULL)) {
		log_unless_repeated(
		    &r->log, LOG_LEVEL_WARNING, &f->log, "remote-refused", "reason=%s", e->text);
		timer_start(&r->retry, retry_delay_ms(r->refusals));
	}
	forward_tell_change(f);
}

static void ask(struct forward *f)
{
	struct remote *r = f->remote;
	const struct config_endpoint *at = &f->config->listen;
	struct forward_service *service = forward_service_of(r->session);
	const struct remote_listener_callbacks callbacks = {
	    .on_granted = on_granted, .on_refused = on_refused, .on_channel = on_channel, .arg = f};

	if (at->kind == CONFIG_UNIX)
		r->listener = forward_service_listen_unix(service, at->path, &callbacks);
	else
		r->listener = forward_service_listen_tcp(
		    service, remote_listener_wire_address(at->host), at->port, &callbacks);
}

static void on_retry(void *arg)
{
	struct forward *f = arg;

	if (!session_closed(f->remote->session, NULL))
		ask(f);
}

static void begin(struct forward *f, struct session *s)
{
	f->remote->session = s;
	f->remote->refusals = 0;
	ask(f);
}

static void stop_asking(struct forward *f)
{
	struct remote *r = f->remote;

	timer_stop(&r->retry);
	log_repeat_end(&r->log, &f->log);
	remote_listener_cancel(r->listener);
	r->listener = NULL;
	r->session = NULL;
	r->granted = false;
	set_reason(r, NULL);
	forward_set_listen(f, 0);
}

/* ---- the kind ---- */

static int remote_start(struct forward *f, struct err *e)
{
	f->remote = NEW(struct remote);
	timer_init(&f->remote->retry, f->env.loop, on_retry, f);
	forward_set_listen(f, 0);
	if (f->config->listen.kind == CONFIG_SYSTEMD)
		return err_set(e, ERR_CONFIG, "%s: the server cannot listen on a socket of systemd",
		    f->config->listen.text);
	return 0;
}

static void remote_stop(struct forward *f)
{
	stop_asking(f);
}

static void remote_free(struct forward *f)
{
	free(f->remote);
}

static void remote_session_up(struct forward *f, struct session *s)
{
	if (!f->remote->session)
		begin(f, s);
}

static void remote_session_down(struct forward *f, struct session *s)
{
	if (f->remote->session != s)
		return;
	stop_asking(f);
	if (f->session_count)
		begin(f, f->sessions[0]);
}

static void remote_config_changed(struct forward *f)
{
	(void)f;
}

static size_t remote_listen_fds(const struct forward *f, int fds[LISTENER_FDS_MAX])
{
	(void)f;
	(void)fds;
	return 0;
}

static uint64_t remote_next_try_ms(const struct forward *f)
{
	return timer_left_ms(&f->remote->retry);
}

static void remote_retry_now(struct forward *f)
{
	if (timer_is_running(&f->remote->retry))
		timer_start(&f->remote->retry, 0);
}

static const char *remote_not_up(const struct forward *f)
{
	const struct remote *r = f->remote;

	if (!r->session)
		return "the link is down";
	if (r->reason)
		return r->reason;
	return r->granted ? NULL : "the server has not answered yet";
}

const struct forward_kind remote_kind = {
    .start = remote_start,
    .stop = remote_stop,
    .free = remote_free,
    .session_up = remote_session_up,
    .session_down = remote_session_down,
    .config_changed = remote_config_changed,
    .listen_fds = remote_listen_fds,
    .next_try_ms = remote_next_try_ms,
    .retry_now = remote_retry_now,
    .not_up = remote_not_up,
    .connect = connect_here,
};
