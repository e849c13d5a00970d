/*
 * Requests of a channel, both ways (RFC 4254 §5.4). As with global ones the replies carry no id and come in order, here for each
 * channel by itself. Inbound ones are answered by the handler's result; until the transport takes the answers they are bits.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ssh/connection.h"

enum { REPLIES_MAX = 64 }; /* bits of channel.replies */

struct channel_request {
	struct list node;
	struct wr message; /* from the request type on, until it is sent */
	uint32_t sequence; /* of its packet, from then on */
	channel_reply_callback *callback;
	void *arg;
};

static void request_free(struct channel_request *request)
{
	wr_clear(&request->message);
	free(request);
}

static struct channel_request *shift(struct list *list)
{
	struct list *node = list_shift(list);

	return node ? CONTAINER_OF(node, struct channel_request, node) : NULL;
}

static void answered(struct channel *c, struct channel_request *request, bool success)
{
	channel_reply_callback *callback = request->callback;
	void *arg = request->arg;

	request_free(request);
	if (callback)
		callback(arg, c, success);
}

void channel_requests_lost(struct channel *c)
{
	struct channel_request *request;

	while ((request = shift(&c->requests_waiting)) || (request = shift(&c->requests_owed)))
		answered(c, request, false);
}

/* Those that were sent keep their places: replies are still counted off against them. */
void channel_requests_drop(struct channel *c)
{
	struct channel_request *request;

	while ((request = shift(&c->requests_owed)))
		request_free(request);
	LIST_FOREACH(node, &c->requests_waiting)
	CONTAINER_OF(node, struct channel_request, node)->callback = NULL;
}

/* ---- ours ---- */

/* RFC 4254 §6 and OpenSSH's: what only a session channel understands. Others take it for an attack, or break. */
static bool is_for_sessions(const char *type)
{
	static const char *const types[] = {"env", "pty-req", "x11-req", "shell", "exec",
	    "subsystem", "window-change", "xon-xoff", "signal", "exit-status", "exit-signal",
	    "auth-agent-req@openssh.com", "eow@openssh.com"};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (strcmp(type, types[i]) == 0)
			return true;
	}
	return false;
}

void channel_send_request(struct channel *c, const char *type, struct span extra,
    channel_reply_callback *callback, void *arg)
{
	struct channel_request *request = NEW(struct channel_request);

	assert(strcmp(c->type, "session") == 0 || !is_for_sessions(type));
	wr_cstring(&request->message, type);          /* request type */
	wr_bool(&request->message, callback != NULL); /* want reply */
	wr_span_bytes(&request->message, extra);
	request->callback = callback;
	request->arg = arg;
	list_append(&c->requests_owed, &request->node);
	pump_channel(c);
}

void channel_request_send(struct channel *c)
{
	struct channel_request *request = shift(&c->requests_owed);
	uint8_t head[5] = {SSH_MSG_CHANNEL_REQUEST};
	struct iovec pieces[] = {
	    {.iov_base = head, .iov_len = sizeof(head)},
	    {.iov_base = request->message.p, .iov_len = request->message.n},
	};

	put_u32(head + 1, c->remote_id); /* recipient channel */
	transport_send(c->session->transport, pieces, ARRAY_LEN(pieces));
	request->sequence = transport_sent_sequence(c->session->transport);
	wr_clear(&request->message);
	if (request->callback)
		list_append(&c->requests_waiting, &request->node);
	else
		request_free(request);
}

static int on_reply(struct channel *c, struct rd *r, bool success, struct err *e)
{
	struct channel_request *request;

	if (rd_end(r))
		return err_set(e, ERR_PEER, "a malformed reply to a channel request");
	request = shift(&c->requests_waiting);
	if (request)
		answered(c, request, success);
	else
		log_unless_repeated(&c->session->strays, LOG_LEVEL_WARNING, c->session->options.log,
		    "stray-reply", "reason=%s",
		    "the server answers a channel request that nobody made");
	return 0;
}

int channel_on_success(struct channel *c, struct rd *r, struct err *e)
{
	return on_reply(c, r, true, e);
}

int channel_on_failure(struct channel *c, struct rd *r, struct err *e)
{
	return on_reply(c, r, false, e);
}

bool channel_on_unimplemented(struct channel *c, uint32_t sequence)
{
	LIST_FOREACH(node, &c->requests_waiting)
	{
		struct channel_request *request = CONTAINER_OF(node, struct channel_request, node);

		if (request->sequence != sequence)
			continue;
		list_remove(node);
		answered(c, request, false);
		return true;
	}
	return false;
}

/* ---- the peer's ---- */

static int owe_reply(struct channel *c, bool success, struct err *e)
{
	if (c->reply_count == REPLIES_MAX)
		return err_set(e, ERR_PEER, "more than %d unanswered requests on channel %u",
		    REPLIES_MAX, c->local_id);
	c->replies |= (uint64_t)success << c->reply_count;
	c->reply_count++;
	pump_channel(c);
	return 0;
}

/* RFC 4254 §5.4 */
int channel_on_request(struct channel *c, struct rd *r, struct err *e)
{
	struct span type = rd_string(r); /* request type */
	bool want_reply = rd_bool(r);    /* want reply */
	struct span extra = rd_rest(r);
	bool success = false;

	if (!rd_ok(r))
		return err_set(e, ERR_PEER, "a CHANNEL_REQUEST that is cut short");
	if (c->callbacks.on_request && !c->abandoned)
		success = c->callbacks.on_request(c->arg, c, type, extra, want_reply);
	if (!want_reply || c->state == CHANNEL_GONE || c->close_sent)
		return 0;
	return owe_reply(c, success, e);
}
