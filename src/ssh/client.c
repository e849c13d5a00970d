#include "ssh/client.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/minmax.h"
#include "ssh/messages.h"
#include "ssh/session_hostkeys.h"

enum { DEADLINE_LOOK_MS = 100 };

struct client {
	struct loop *loop;
	struct client_callbacks callbacks;
	void *arg;
	enum client_state state;
	struct transport *transport;
	struct auth *auth; /* as long as the state is before CLIENT_UP; kept for auth_method() */
	struct session *session; /* from CLIENT_UP on */
	struct session_options session_options;
	char *host;
	struct hostkey_policy
	    *learns_from; /* NULL: the server's announcement of keys is not heard */
	uint64_t login_timeout_ms;
	uint64_t started_ms;
	struct timer login_deadline;
	struct task cancel; /* client_close() before CLIENT_UP */
};

/* ---- the end ---- */

static const char *state_in_words(const struct client *c)
{
	return c->state == CLIENT_HANDSHAKE ? "key exchange" : "login";
}

/* The last thing its callers do. The owner frees us in it, or later. */
static void closed(struct client *c, const struct err *e)
{
	struct err why = *e;

	if (c->state == CLIENT_CLOSED)
		return;
	c->state = CLIENT_CLOSED;
	timer_stop(&c->login_deadline);
	task_cancel(&c->cancel);
	c->callbacks.on_closed(c->arg, &why);
}

static enum disconnect_code code_for(const struct err *e)
{
	return e->class == ERR_LOGIN ? DISCONNECT_NO_MORE_AUTH_METHODS : DISCONNECT_BY_APPLICATION;
}

/* It ends because we want it to. */
static void leave(struct client *c, const struct err *e)
{
	transport_disconnect(c->transport, code_for(e),
	    e->class == ERR_LOGIN ? "no more authentication methods" : "closing");
	closed(c, e);
}

/* The time is the server's: what a person needs to touch a key does not count, for which the agent has its own deadline. */
static void on_login_deadline(void *arg)
{
	struct client *c = arg;
	struct err e = ERR_INIT;
	uint64_t passed_ms = clock_now_ms() - c->started_ms;
	uint64_t allowed_ms = c->login_timeout_ms + auth_agent_ms(c->auth);

	/* While the agent is busy the rest stays what it is, which may be next to nothing. */
	if (passed_ms < allowed_ms) {
		timer_start(&c->login_deadline, max(allowed_ms - passed_ms, DEADLINE_LOOK_MS));
		return;
	}
	err_set(&e, ERR_TIMEOUT, "the %s was not done within %.3g s", state_in_words(c),
	    (double)c->login_timeout_ms / 1000);
	leave(c, &e);
}

static void on_cancel(void *arg)
{
	struct client *c = arg;
	struct err e = ERR_INIT;

	err_set(&e, ERR_CANCELLED, "closed during the %s", state_in_words(c));
	leave(c, &e);
}

/* ---- what the layers report ---- */

static void set_state(struct client *c, enum client_state state)
{
	c->state = state;
	if (c->callbacks.on_state)
		c->callbacks.on_state(c->arg, state);
}

/* The session ended by itself, or because we told it of the transport's end. */
static void on_session_closed(void *arg, const struct err *e)
{
	leave(arg, e);
}

static void on_login_done(void *arg, const struct err *e)
{
	struct client *c = arg;

	if (err_is_set(e)) {
		leave(c, e);
		return;
	}
	timer_stop(&c->login_deadline);
	c->session = session_new(c->loop, c->transport, &c->session_options);
	if (c->learns_from)
		session_hostkeys_start(c->session, c->learns_from, c->session_options.log);
	set_state(c, CLIENT_UP);
}

static void on_ready(void *arg)
{
	struct client *c = arg;

	set_state(c, CLIENT_LOGIN);
	if (c->state == CLIENT_LOGIN) /* not closed in the callback */
		auth_transport_ready(c->auth);
}

static bool is_of_login(uint8_t type)
{
	return type == SSH_MSG_SERVICE_ACCEPT ||
	       (type >= SSH_MSG_USERAUTH_REQUEST && type <= SSH_MSG_USERAUTH_LAST);
}

static int on_message(void *arg, struct span payload, struct err *e)
{
	struct client *c = arg;

	if (c->state == CLIENT_UP)
		return is_of_login(payload.p[0]) ? TRANSPORT_UNIMPLEMENTED
						 : session_input(c->session, payload, e);
	if (is_of_login(payload.p[0]))
		return auth_input(c->auth, payload, e);
	return err_set(
	    e, ERR_PEER, "the server sent message %u before the login was done", payload.p[0]);
}

static void on_can_send(void *arg)
{
	struct client *c = arg;

	if (c->state == CLIENT_UP)
		session_can_send(c->session);
}

static void on_unimplemented(void *arg, uint32_t sequence)
{
	struct client *c = arg;

	if (c->state == CLIENT_UP)
		session_unimplemented(c->session, sequence);
}

static void on_transport_closed(void *arg, const struct err *e)
{
	struct client *c = arg;
	struct err why = *e;

	if (c->state == CLIENT_UP) {
		/* It tells the channels, then us. */
		session_transport_closed(c->session, e);
		return;
	}
	auth_transport_closed(c->auth, &why);
	closed(c, &why);
}

/* ---- life ---- */

struct client *client_new(struct loop *loop, struct bufferevent *bev,
    const struct client_options *options, const struct client_callbacks *callbacks, void *arg)
{
	static const struct transport_callbacks transport_callbacks = {
	    .on_ready = on_ready,
	    .on_message = on_message,
	    .on_can_send = on_can_send,
	    .on_unimplemented = on_unimplemented,
	    .on_closed = on_transport_closed,
	};
	struct client *c = NEW(struct client);

	c->loop = loop;
	c->callbacks = *callbacks;
	c->arg = arg;
	c->state = CLIENT_HANDSHAKE;
	c->host = mem_strdup(options->session.host);
	c->session_options = options->session;
	c->session_options.host = c->host;
	c->session_options.on_closed = on_session_closed;
	c->session_options.arg = c;
	c->login_timeout_ms = options->login_timeout_ms;
	if (options->update_host_keys)
		c->learns_from = options->transport.hostkey;
	c->started_ms = clock_now_ms();
	timer_init(&c->login_deadline, loop, on_login_deadline, c);
	task_init(&c->cancel, loop, on_cancel, c);
	if (c->login_timeout_ms)
		timer_start(&c->login_deadline, c->login_timeout_ms);
	c->transport = transport_new(loop, bev, &options->transport, &transport_callbacks, c);
	c->auth = auth_start(loop, c->transport, &options->auth, on_login_done, c);
	return c;
}

static void destroy(void *object)
{
	struct client *c = object;

	free(c->host);
	free(c);
}

void client_free(struct client *c)
{
	if (!c)
		return;
	if (c->state == CLIENT_UP)
		transport_disconnect(c->transport, DISCONNECT_BY_APPLICATION, "closing");
	c->state = CLIENT_CLOSED;
	timer_stop(&c->login_deadline);
	task_cancel(&c->cancel);
	session_free(c->session);
	auth_free(c->auth);
	transport_free(c->transport);
	loop_bury(c->loop, destroy, c);
}

enum client_state client_state(const struct client *c)
{
	return c->state;
}

struct session *client_session(const struct client *c)
{
	return c->session;
}

struct transport *client_transport(const struct client *c)
{
	return c->transport;
}

const char *client_auth_method(const struct client *c)
{
	return auth_method(c->auth);
}

bool client_login_went_halfway(const struct client *c)
{
	return auth_went_halfway(c->auth);
}

void client_close(struct client *c, uint64_t deadline_ms)
{
	if (c->state == CLIENT_UP)
		session_close(c->session, deadline_ms);
	else if (c->state != CLIENT_CLOSED)
		task_schedule(&c->cancel);
}
