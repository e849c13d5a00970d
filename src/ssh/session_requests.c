/*
 * Global requests, both ways (RFC 4254 §4). Their replies carry no id: what we sent first is answered first, and what we were
 * asked first we answer first, even when a later answer is known earlier.
 *
 * Beside the requests, the messages that session_send_message() is given, and answers for which there is no channel.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ssh/connection.h"
#include "ssh/ident.h"

/* What a peer that asks and does not listen can make us keep, of messages and tickets. */
enum { KEPT_FOR_PEER_MAX = 512 * 1024 };

struct request {
	struct list node;
	struct wr message; /* until it is sent */
	uint32_t sequence; /* of its packet, from then on */
	size_t kept_for_peer;
	void (*sent)(void *arg);
	session_reply_callback *callback; /* NULL: no reply is wanted */
	void *arg;
};

/* A request of the peer that wants a reply, until the reply is sent. */
struct session_request_ticket {
	struct session *session;
	struct list node;
	bool want_reply;
	bool answered;
	bool asking;     /* its handler is running */
	bool counted;    /* in kept_for_peer */
	struct wr reply; /* the whole message, once it is answered */
};

void requests_init(struct session *s)
{
	list_init(&s->requests_owed);
	list_init(&s->requests_waiting);
	list_init(&s->tickets);
}

static void request_free(struct request *request)
{
	wr_clear(&request->message);
	free(request);
}

static void ticket_free(struct session_request_ticket *ticket)
{
	if (ticket->counted)
		ticket->session->kept_for_peer -= sizeof(*ticket);
	list_remove(&ticket->node);
	wr_clear(&ticket->reply);
	free(ticket);
}

void requests_clear(struct session *s)
{
	while (!list_empty(&s->tickets))
		ticket_free(CONTAINER_OF(s->tickets.next, struct session_request_ticket, node));
}

void requests_lost(struct session *s)
{
	struct list *node;

	while (
	    (node = list_shift(&s->requests_waiting)) || (node = list_shift(&s->requests_owed))) {
		struct request *request = CONTAINER_OF(node, struct request, node);
		session_reply_callback *callback = request->callback;
		void *arg = request->arg;

		request_free(request);
		if (callback)
			callback(arg, SESSION_REPLY_LOST, SPAN(NULL, 0));
	}
}

/* ---- ours ---- */

static struct request *append(struct session *s, struct wr *message)
{
	struct request *request = NEW(struct request);

	request->message = *message;
	*message = WR_INIT;
	list_append(&s->requests_owed, &request->node);
	pump_session(s);
	return request;
}

void requests_append(struct session *s, struct wr *message, void (*sent)(void *arg),
    session_reply_callback *callback, void *arg)
{
	struct request *request = append(s, message);

	request->sent = sent;
	request->callback = callback;
	request->arg = arg;
}

static int keep_for_peer(struct session *s, size_t n, struct err *e)
{
	s->kept_for_peer += n;
	if (s->kept_for_peer <= KEPT_FOR_PEER_MAX)
		return 0;
	return err_set(e, ERR_PEER, "the server asks and asks, and does not take the answers");
}

int requests_append_answer(struct session *s, struct wr *message, struct err *e)
{
	size_t n = message->n + sizeof(struct request);
	struct request *request = append(s, message);

	request->kept_for_peer = n;
	return keep_for_peer(s, n, e);
}

void session_send_global_request(struct session *s, const char *type, struct span extra,
    session_reply_callback *callback, void *arg)
{
	struct wr message = WR_INIT;

	wr_u8(&message, SSH_MSG_GLOBAL_REQUEST);
	wr_cstring(&message, type);          /* request name */
	wr_bool(&message, callback != NULL); /* want reply */
	wr_span_bytes(&message, extra);
	requests_append(s, &message, NULL, callback, arg);
}

void session_send_message(struct session *s, struct span payload)
{
	struct wr message = WR_INIT;

	wr_span_bytes(&message, payload);
	requests_append(s, &message, NULL, NULL, NULL);
}

void session_no_more_sessions(struct session *s)
{
	if (s->no_more_sessions || !(transport_peer_quirks(s->transport) & QUIRK_OPENSSH))
		return;
	s->no_more_sessions = true;
	s->promise_owed = true;
	pump_session(s);
}

/* OpenSSH disconnects who breaks it, so it waits until the sessions that were opened before have been said. */
static bool promise_is_due(const struct session *s)
{
	if (!s->promise_owed)
		return false;
	LIST_FOREACH(node, &s->in_order)
	{
		const struct channel *c = CONTAINER_OF(node, struct channel, in_session);

		if (c->state == CHANNEL_OPEN_OWED && strcmp(c->type, "session") == 0)
			return false;
	}
	return true;
}

static void promise(struct session *s)
{
	s->promise_owed = false;
	session_send_global_request(s, "no-more-sessions@openssh.com", SPAN(NULL, 0), NULL, NULL);
}

static void send_request(struct session *s)
{
	struct request *request = CONTAINER_OF(list_shift(&s->requests_owed), struct request, node);

	transport_send_span(s->transport, wr_span(&request->message));
	request->sequence = transport_sent_sequence(s->transport);
	wr_clear(&request->message);
	s->kept_for_peer -= request->kept_for_peer;
	if (request->sent)
		request->sent(request->arg);
	if (request->callback)
		list_append(&s->requests_waiting, &request->node);
	else
		request_free(request);
}

/* It is out of its list. */
static void answered(struct request *request, enum session_reply reply, struct span data)
{
	session_reply_callback *callback = request->callback;
	void *arg = request->arg;

	request_free(request);
	callback(arg, reply, data);
}

static int on_reply(struct session *s, enum session_reply reply, struct span data)
{
	struct list *node = list_shift(&s->requests_waiting);

	if (node)
		answered(CONTAINER_OF(node, struct request, node), reply, data);
	else
		log_unless_repeated(&s->strays, LOG_LEVEL_WARNING, s->options.log, "stray-reply",
		    "reason=%s", "the server answers a request that nobody made");
	return 0;
}

int requests_on_success(struct session *s, struct rd *r, struct err *e)
{
	(void)e;
	return on_reply(s, SESSION_REPLY_SUCCESS, rd_rest(r));
}

int requests_on_failure(struct session *s, struct rd *r, struct err *e)
{
	if (rd_end(r))
		return err_set(e, ERR_PEER, "a REQUEST_FAILURE that says more than it can");
	return on_reply(s, SESSION_REPLY_FAILURE, SPAN(NULL, 0));
}

/* There will be no other reply, and those that come are the others'. Numbers may begin anew with new keys: the oldest is meant. */
bool requests_on_unimplemented(struct session *s, uint32_t sequence)
{
	LIST_FOREACH(node, &s->requests_waiting)
	{
		struct request *request = CONTAINER_OF(node, struct request, node);

		if (request->sequence != sequence)
			continue;
		list_remove(node);
		answered(request, SESSION_REPLY_FAILURE, SPAN(NULL, 0));
		return true;
	}
	return false;
}

/* ---- the peer's ---- */

struct session_request_registration session_on_global_request(
    struct session *s, const char *type, struct session_request_registration registration)
{
	struct session_request_registration previous = {0};
	struct session_request_registration *old;

	if (registration.handler)
		old = map_put(s->handlers, type, mem_dup(&registration, sizeof(registration)));
	else
		old = map_remove(s->handlers, type);
	if (old)
		previous = *old;
	free(old);
	return previous;
}

static void answer(
    struct session_request_ticket *ticket, enum session_answer how, struct span reply)
{
	struct session *s = ticket->session;

	assert(!ticket->answered && how != SESSION_ANSWER_SENT);
	ticket->answered = true;
	if (!ticket->want_reply) {
		if (!ticket->asking)
			ticket_free(ticket);
		return;
	}
	if (how == SESSION_ANSWER_SUCCESS) {
		wr_u8(&ticket->reply, SSH_MSG_REQUEST_SUCCESS);
		wr_span_bytes(&ticket->reply, reply);
	} else {
		wr_u8(&ticket->reply, SSH_MSG_REQUEST_FAILURE);
	}
	pump_session(s);
}

void session_answer_later(
    struct session_request_ticket *ticket, enum session_answer how, struct span reply)
{
	answer(ticket, how, reply);
}

/* RFC 4254 §4 */
int requests_on_global_request(struct session *s, struct rd *r, struct err *e)
{
	struct span type = rd_string(r); /* request name */
	bool want_reply = rd_bool(r);    /* want reply */
	struct span extra = rd_rest(r);

	if (!rd_ok(r))
		return err_set(e, ERR_PEER, "a GLOBAL_REQUEST that is cut short");

	struct session_request_registration *registration = map_get_span(s->handlers, type);

	if (!registration && !want_reply)
		return 0;

	struct session_request_ticket *ticket = NEW(struct session_request_ticket);
	enum session_answer how = SESSION_ANSWER_FAILURE;
	struct wr reply = WR_INIT;

	ticket->session = s;
	ticket->want_reply = want_reply;
	ticket->asking = true;
	list_append(&s->tickets, &ticket->node);
	if (registration)
		how =
		    registration->handler(registration->arg, s, extra, want_reply, &reply, ticket);
	if (how != SESSION_ANSWER_SENT)
		answer(ticket, how, wr_span(&reply));
	wr_clear(&reply);
	ticket->asking = false;
	if (!want_reply && ticket->answered) {
		ticket_free(ticket);
		return 0;
	}
	ticket->counted = true;
	return keep_for_peer(s, sizeof(*ticket), e);
}

/* ---- sending ---- */

static struct session_request_ticket *answered_ticket(const struct session *s)
{
	LIST_FOREACH(node, &s->tickets)
	{
		struct session_request_ticket *ticket =
		    CONTAINER_OF(node, struct session_request_ticket, node);

		if (ticket->want_reply)
			return ticket->answered ? ticket : NULL;
	}
	return NULL;
}

bool requests_owe(const struct session *s)
{
	return answered_ticket(s) || !list_empty(&s->requests_owed) || promise_is_due(s);
}

bool requests_send_one(struct session *s)
{
	struct session_request_ticket *ticket = answered_ticket(s);

	if (ticket) {
		transport_send_span(s->transport, wr_span(&ticket->reply));
		ticket_free(ticket);
		return true;
	}
	if (promise_is_due(s))
		promise(s);
	if (list_empty(&s->requests_owed))
		return false;
	send_request(s);
	return true;
}
