/*
 * Forwards that listen here (`local`, `socks`): a client is accepted, checked, held while there is no session, and connected by a
 * channel that the server is asked to open (RFC 4254 §7.2, and direct-streamlocal@openssh.com).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/str.h"
#include "forward/stream.h"
#include "net/listener.h"
#include "ssh/direct.h"

struct local {
	struct listener *listener; /* NULL: stopped */
	struct hold hold;
	struct task release; /* held clients go on: a session came, or another one may be there */
};

enum { INHERITED_MAX = LISTENER_FDS_MAX, LOST_OPENINGS_MAX = 3 };

static bool connect_there(struct stream *s);

/* ---- accepting ---- */

static char *text_of_client(const struct addr *peer, const struct credentials *who)
{
	char text[ADDR_TEXT_MAX];

	if (peer->sa.sa_family != AF_UNIX)
		return mem_strdup(addr_text(peer, text));
	if (!who->known)
		return mem_strdup("unix:");
	return str_format("unix: uid=%u pid=%d", (unsigned)who->uid, (int)who->pid);
}

static bool is_allowed(
    const struct access *access, const struct addr *peer, const struct credentials *who)
{
	if (peer->sa.sa_family == AF_UNIX)
		return access_allows_credentials(access, who);
	return access_allows_address(access, peer);
}

static void set_addresses(struct stream *s, int fd, const struct addr *peer)
{
	s->client_addr = *peer;
	s->at.length = sizeof(s->at.storage);
	if (getsockname(fd, &s->at.sa, &s->at.length) != 0)
		s->at.length = 0;
}

/* Names the machine or the user, not the connection: another try of the same one is a repetition. */
static void refuse_stranger(struct stream *s, const struct credentials *who)
{
	char host[ADDR_TEXT_MAX], reason[ADDR_TEXT_MAX + 64];

	if (s->client_addr.sa.sa_family != AF_UNIX)
		snprintf(reason, sizeof(reason), "%s is not allowed to connect",
		    addr_host_text(&s->client_addr, host));
	else if (who->known)
		snprintf(reason, sizeof(reason), "user %u is not allowed to connect",
		    (unsigned)who->uid);
	else
		snprintf(
		    reason, sizeof(reason), "a user who is not known is not allowed to connect");
	stream_refuse(s, SOCKS_NOT_ALLOWED, reason);
}

static void on_accept(void *arg, int fd, const struct addr *from)
{
	struct forward *f = arg;
	struct addr peer = *from;
	struct credentials who = {0};

	addr_unmap(&peer);
	if (peer.sa.sa_family == AF_UNIX)
		credentials_of(fd, &who);
	struct stream *s = stream_new(f, text_of_client(&peer, &who));

	set_addresses(s, fd, &peer);
	stream_set_client(s, bev_socket_new(f->env.loop, fd));
	if (!is_allowed(f->access, &peer, &who))
		refuse_stranger(s, &who);
	else if (f->stream_count > f->config->max_streams)
		stream_refuse(s, SOCKS_FAILED, "max_streams are open");
	else
		stream_start(s);
	credentials_clear(&who);
}

/* ---- holding ---- */

static void put_in_queue(struct stream *s)
{
	struct forward *f = s->forward;

	stream_set_phase(s, STREAM_HELD);
	hold_put(&f->local->hold, &s->place);
	forward_tell_held(f);
	if (stream_client_has_left(s))
		stream_free(s);
}

/* A forward that has stopped hears of no session any more. */
static void hold(struct stream *s)
{
	if (s->forward->stopped)
		stream_refuse(s, SOCKS_NETWORK_UNREACHABLE, "the forward ends");
	else if (hold_is_over(&s->forward->local->hold, &s->place))
		stream_refuse(s, SOCKS_NETWORK_UNREACHABLE, "the link is down");
	else
		put_in_queue(s);
}

static struct stream *stream_of(struct hold_place *place)
{
	return CONTAINER_OF(place, struct stream, place);
}

static void on_hold_expired(void *arg, struct hold_place *place)
{
	(void)arg;
	stream_refuse(
	    stream_of(place), SOCKS_NETWORK_UNREACHABLE, "the link was down for hold_timeout");
}

static void release_held(void *arg)
{
	struct forward *f = arg;
	struct hold_place *first;

	while ((first = hold_first(&f->local->hold))) {
		hold_remove(first);
		if (!connect_there(stream_of(first)))
			return;
	}
}

/* ---- connecting ---- */

static void on_open(void *arg, struct channel *c)
{
	struct stream *s = arg;

	s->opening = NULL;
	/* From here on the bufferevent says all there is to say. */
	channel_set_callbacks(c, &(struct channel_callbacks){0}, NULL);
	stream_carry(s, channel_bev(c));
}

static void on_open_failed(void *arg, struct channel *c, uint32_t code, struct span text)
{
	static const char *const meanings[] = {
	    [OPEN_ADMINISTRATIVELY_PROHIBITED] = "the server prohibits it",
	    [OPEN_CONNECT_FAILED] = "the server could not connect",
	    [OPEN_UNKNOWN_CHANNEL_TYPE] = "the server cannot forward that",
	    [OPEN_RESOURCE_SHORTAGE] = "the server is short of resources",
	};
	const char *meaning = code < ARRAY_LEN(meanings) ? meanings[code] : NULL;
	struct stream *s = arg;
	struct strbuf reason = {0};

	(void)c;
	s->opening = NULL;
	strbuf_add(&reason, meaning ? meaning : "the server refused");
	if (text.n) {
		strbuf_add(&reason, ": ");
		strbuf_add_n(&reason, text.p, text.n < 256 ? text.n : 256);
	}
	stream_fail(s, socks_reply_for(code, text), strbuf_text(&reason));
	strbuf_clear(&reason);
}

/* The session ended before the server answered. Nothing of the client was sent yet: another session will do, and may be up
 * already, so that none will be announced; it is asked for even if the client may not wait any more. But it may be this very
 * request that the server does not survive, and it must not cost all others their link again and again. */
static void on_close(void *arg, struct channel *c, const struct err *e)
{
	struct stream *s = arg;
	struct forward *f = s->forward;

	(void)c;
	(void)e;
	s->opening = NULL;
	if (++s->lost_openings == LOST_OPENINGS_MAX) {
		stream_fail(s, SOCKS_FAILED, "each link ended when the server was asked for it");
		return;
	}
	put_in_queue(s); /* which may free it */
	task_schedule(&f->local->release);
}

static const struct channel_callbacks opening = {
    .on_open = on_open,
    .on_open_failed = on_open_failed,
    .on_close = on_close,
};

static struct channel *open_channel(struct stream *s, struct session *session, struct err *e)
{
	struct direct_target target = {
	    .path = s->target_path, .host = s->target_host, .port = s->target_port};
	char host[ADDR_TEXT_MAX];

	if (s->client_addr.sa.sa_family != AF_UNIX) {
		target.originator = addr_host_text(&s->client_addr, host);
		target.originator_port = addr_port(&s->client_addr);
	}
	return session_open_direct(session, &target, &opening, s, e);
}

/* False: there is no session that would do, and the client is held (or was held long enough). */
static bool connect_there(struct stream *s)
{
	struct forward *f = s->forward;
	struct session *session = f->callbacks.pick_session(f->arg);
	struct err e = ERR_INIT;

	s->opening = session ? open_channel(s, session, &e) : NULL;
	if (s->opening) {
		stream_set_phase(s, STREAM_CONNECTING);
		return true;
	}
	if (session && !session_closed(session, NULL) && e.class == ERR_LOCAL) {
		stream_refuse(s, SOCKS_FAILED, e.text);
		return true;
	}
	hold(s);
	return false;
}

/* A client goes at once, unless others wait: then it waits behind them. */
static void connect_in_turn(struct stream *s)
{
	if (hold_first(&s->forward->local->hold))
		hold(s);
	else
		(void)connect_there(s);
}

/* ---- the kind ---- */

static struct listener *adopt_listener(
    struct forward *f, const struct listener_options *options, struct err *e)
{
	const struct config_endpoint *at = &f->config->listen;
	int fds[INHERITED_MAX];
	size_t n = 0;

	if (f->env.inherit)
		n = f->env.inherit(f->env.inherit_arg,
		    at->kind == CONFIG_SYSTEMD ? at->path : at->text, fds, INHERITED_MAX);
	if (n == 0 && at->kind == CONFIG_SYSTEMD)
		err_set(e, ERR_CONFIG, "systemd passed no socket named \"%s\"", at->path);
	if (n == 0)
		return NULL;
	struct listener *listener = listener_adopt(f->env.loop, fds, n, options, on_accept, f, e);
	if (!listener)
		err_prefix(
		    e, "what was passed as %s", at->kind == CONFIG_SYSTEMD ? at->path : at->text);
	return listener;
}

/* The socket of a path is worth nothing without its file; the file goes when the listener does. */
static struct listener *adopt_own(
    struct forward *f, const struct listener_options *options, struct err *e)
{
	struct listener *listener = adopt_listener(f, options, e);
	struct err lost = ERR_INIT;

	if (!listener || f->config->listen.kind != CONFIG_UNIX ||
	    listener_claim(listener, f->config->listen.path, options, &lost) == 0)
		return listener;
	log_info(&f->log, "inherited-socket-lost", "reason=%s", lost.text);
	listener_free(listener);
	return NULL;
}

static struct listener *open_listener(struct forward *f, struct err *e)
{
	const struct config_forward *config = f->config;
	const struct listener_options options = {.log = &f->log,
	    .mode = config->mode,
	    .owner = config->owner,
	    .group = config->group,
	    .leaves_reserve = true};
	const struct endpoint at = {
	    .host = config->listen.kind == CONFIG_TCP ? config->listen.host : NULL,
	    .port = config->listen.port,
	    .path = config->listen.kind == CONFIG_UNIX ? config->listen.path : NULL};
	struct listener *inherited = adopt_own(f, &options, e);

	if (inherited || err_is_set(e))
		return inherited;
	return listener_new(f->env.loop, &at, &options, on_accept, f, e);
}

/* Everybody on the network may use a listener that is not on loopback: that is seldom meant. */
static void warn_if_open_to_all(const struct forward *f)
{
	const struct addr *at = listener_addr(f->local->listener);

	if (!addr_is_loopback(at) && !access_has_client_list(f->access))
		log_warning(&f->log, "open-to-all", "listen=%s reason=%s", f->listen,
		    "not on loopback, and no allow: whoever reaches this machine may connect");
}

/* Port 0 is any: which one it is, nothing but this line says to a user without a control socket. */
static void tell_port(const struct forward *f)
{
	const struct config_endpoint *at = &f->config->listen;

	if (at->kind == CONFIG_TCP && at->port == 0)
		log_info(
		    &f->log, "listening", "port=%u", addr_port(listener_addr(f->local->listener)));
}

static int local_start(struct forward *f, struct err *e)
{
	struct local *local = NEW(struct local);

	f->local = local;
	hold_init(&local->hold, f->env.loop, f->hold_timeout_ms, on_hold_expired, f);
	task_init(&local->release, f->env.loop, release_held, f);
	local->listener = open_listener(f, e);
	if (!local->listener)
		return e->class;
	forward_set_listen(f, addr_port(listener_addr(local->listener)));
	tell_port(f);
	warn_if_open_to_all(f);
	return 0;
}

static void refuse_held(struct forward *f, const char *reason)
{
	struct hold_place *first;

	while ((first = hold_first(&f->local->hold))) {
		hold_remove(first);
		stream_refuse(stream_of(first), SOCKS_NETWORK_UNREACHABLE, reason);
	}
}

static void local_stop(struct forward *f)
{
	listener_free(f->local->listener);
	f->local->listener = NULL;
	refuse_held(f, "the forward ends");
}

static size_t local_listen_fds(const struct forward *f, int fds[LISTENER_FDS_MAX])
{
	return f->local->listener ? listener_fds(f->local->listener, fds) : 0;
}

static void local_hand_over(struct forward *f, struct listener_legacy *ret_legacy)
{
	if (f->local->listener)
		listener_hand_over(f->local->listener, ret_legacy);
}

static void local_free(struct forward *f)
{
	task_cancel(&f->local->release);
	hold_clear(&f->local->hold);
	free(f->local);
}

static void local_session_up(struct forward *f, struct session *s)
{
	(void)s;
	task_schedule(&f->local->release);
}

static void local_session_down(struct forward *f, struct session *s)
{
	(void)f;
	(void)s;
}

static void local_config_changed(struct forward *f)
{
	hold_set_timeout(&f->local->hold, f->hold_timeout_ms);
}

static const char *local_not_up(const struct forward *f)
{
	return f->session_count ? NULL : "the link is down";
}

const struct forward_kind local_kind = {
    .start = local_start,
    .stop = local_stop,
    .free = local_free,
    .session_up = local_session_up,
    .session_down = local_session_down,
    .config_changed = local_config_changed,
    .listen_fds = local_listen_fds,
    .hand_over = local_hand_over,
    .not_up = local_not_up,
    .connect = connect_in_turn,
};
