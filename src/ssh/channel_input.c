/*
 * What the peer says of a channel (RFC 4254 §5): which message may come in which state, and what it does.
 */
#include <assert.h>

#include "base/clock.h"
#include "ssh/connection.h"

/* RFC 4254 §5.1 */
static int on_confirmation(struct channel *c, struct rd *r, struct err *e)
{
	uint32_t remote_id = rd_u32(r);      /* sender channel */
	uint32_t window = rd_u32(r);         /* initial window size */
	uint32_t maximum_packet = rd_u32(r); /* maximum packet size */

	if (rd_end(r))
		return err_set(e, ERR_PEER, "a malformed CHANNEL_OPEN_CONFIRMATION");
	if (maximum_packet == 0)
		return err_set(
		    e, ERR_PEER, "a CHANNEL_OPEN_CONFIRMATION with a maximum packet of 0");
	c->remote_id = remote_id;
	c->remote_window = window;
	c->remote_window_full = window;
	c->remote_maximum_packet = maximum_packet;
	c->state = CHANNEL_OPEN;
	keepalive_measured(&c->session->keepalive, clock_now_us() - c->opened_us);
	pump_channel(c);
	/* Who hears of it after session_close() would take its end for the other side's: he hears of that alone. */
	if (c->callbacks.on_open && !c->abandoned && c->session->state == SESSION_OPEN)
		c->callbacks.on_open(c->arg, c);
	return 0;
}

static int on_open_failure(struct channel *c, struct rd *r, struct err *e)
{
	uint32_t code = rd_u32(r);       /* reason code */
	struct span text = rd_string(r); /* description */

	rd_string(r); /* language tag */
	if (rd_end(r))
		return err_set(e, ERR_PEER, "a malformed CHANNEL_OPEN_FAILURE");
	channel_open_failed(c, code, text);
	return 0;
}

/* RFC 4254 §5.2: the window must not exceed 2^32 - 1. */
static int on_window_adjust(struct channel *c, struct rd *r, struct err *e)
{
	uint32_t n = rd_u32(r); /* bytes to add */

	if (rd_end(r))
		return err_set(e, ERR_PEER, "a malformed CHANNEL_WINDOW_ADJUST");
	if (n > UINT32_MAX - c->remote_window)
		return err_set(e, ERR_PEER, "a window of more than 2^32 - 1 bytes");
	c->remote_window += n;
	sharing_adjusted(c, n);
	pump_channel(c);
	return 0;
}

static int receive(struct channel *c, struct span data, struct err *e)
{
	if (data.n > c->session->options.maximum_packet)
		return err_set(e, ERR_PEER, "%zu bytes of data in one message; %u are allowed",
		    data.n, c->session->options.maximum_packet);
	if (!channel_window_received(c, data.n))
		return err_set(
		    e, ERR_PEER, "%zu bytes of data with a window of %u", data.n, c->local_window);
	return 0;
}

/* After a callback, in which the channel may have ended, or its user left and all was credited. */
static void credit(struct channel *c, size_t taken)
{
	if (c->state != CHANNEL_GONE)
		channel_window_taken(c, taken < c->held ? taken : c->held);
}

static int on_data(struct channel *c, struct rd *r, struct err *e)
{
	struct span data = rd_string(r);
	size_t taken = data.n;

	if (rd_end(r))
		return err_set(e, ERR_PEER, "a malformed CHANNEL_DATA");
	if (receive(c, data, e))
		return ERR_PEER;
	if (data.n == 0)
		return 0;
	if (!c->abandoned && !c->close_sent) {
		if (!c->callbacks.on_data) {
			channel_bev_received(c->bev ? c->bev : channel_bev_make(c), data);
			return 0; /* its input says what was taken */
		}
		taken = c->callbacks.on_data(c->arg, c, data);
		assert(taken <= data.n);
	}
	credit(c, taken);
	return 0;
}

static int on_extended_data(struct channel *c, struct rd *r, struct err *e)
{
	uint32_t type = rd_u32(r); /* data_type_code */
	struct span data = rd_string(r);
	size_t taken = data.n;

	if (rd_end(r))
		return err_set(e, ERR_PEER, "a malformed CHANNEL_EXTENDED_DATA");
	if (receive(c, data, e))
		return ERR_PEER;
	if (data.n && c->callbacks.on_extended_data && !c->abandoned && !c->close_sent) {
		taken = c->callbacks.on_extended_data(c->arg, c, type, data);
		assert(taken <= data.n);
	}
	credit(c, taken);
	return 0;
}

static int on_eof(struct channel *c, struct rd *r, struct err *e)
{
	if (rd_end(r))
		return err_set(e, ERR_PEER, "a malformed CHANNEL_EOF");
	c->state = CHANNEL_EOF_RECEIVED;
	c->eof_received = true;
	if (c->bev)
		channel_bev_ended(c->bev);
	if (c->callbacks.on_eof && !c->abandoned)
		c->callbacks.on_eof(c->arg, c);
	return 0;
}

/*
 * The peer reads nothing any more, so what we have not sent is dropped, and our own CLOSE is owed at once. It need not have
 * sent EOF before (RFC 4254 §5.3; Go's servers never do), so what came until now counts as all there is.
 */
static int on_close(struct channel *c, struct rd *r, struct err *e)
{
	bool close_sent = c->close_sent;

	if (rd_end(r))
		return err_set(e, ERR_PEER, "a malformed CHANNEL_CLOSE");
	c->state = CHANNEL_CLOSE_RECEIVED;
	c->eof_received = true;
	if (c->bev) {
		channel_bev_ended(c->bev);
		channel_bev_write_closed(c->bev);
	}
	channel_drop_output(c);
	if (close_sent)
		channel_end(c, NULL);
	else
		pump_channel(c);
	return 0;
}

/* ---- dispatch ---- */

#define IN(state) (1u << (state))
#define CONFIRMED (IN(CHANNEL_OPEN) | IN(CHANNEL_EOF_RECEIVED))

/* {state, message} -> handler; what is not here breaks the protocol. */
static const struct channel_message {
	const char *name;
	unsigned states; /* in which it may come */
	int (*handle)(struct channel *c, struct rd *r, struct err *e);
} messages[] = {
    [SSH_MSG_CHANNEL_OPEN_CONFIRMATION -
	SSH_MSG_CHANNEL_OPEN_CONFIRMATION] = {"CHANNEL_OPEN_CONFIRMATION", IN(CHANNEL_OPEN_SENT),
	on_confirmation},
    [SSH_MSG_CHANNEL_OPEN_FAILURE - SSH_MSG_CHANNEL_OPEN_CONFIRMATION] = {"CHANNEL_OPEN_FAILURE",
	IN(CHANNEL_OPEN_SENT), on_open_failure},
    [SSH_MSG_CHANNEL_WINDOW_ADJUST -
	SSH_MSG_CHANNEL_OPEN_CONFIRMATION] = {"CHANNEL_WINDOW_ADJUST", CONFIRMED, on_window_adjust},
    [SSH_MSG_CHANNEL_DATA -
	SSH_MSG_CHANNEL_OPEN_CONFIRMATION] = {"CHANNEL_DATA", IN(CHANNEL_OPEN), on_data},
    [SSH_MSG_CHANNEL_EXTENDED_DATA - SSH_MSG_CHANNEL_OPEN_CONFIRMATION] = {"CHANNEL_EXTENDED_DATA",
	IN(CHANNEL_OPEN), on_extended_data},
    [SSH_MSG_CHANNEL_EOF -
	SSH_MSG_CHANNEL_OPEN_CONFIRMATION] = {"CHANNEL_EOF", IN(CHANNEL_OPEN), on_eof},
    [SSH_MSG_CHANNEL_CLOSE -
	SSH_MSG_CHANNEL_OPEN_CONFIRMATION] = {"CHANNEL_CLOSE", CONFIRMED, on_close},
    [SSH_MSG_CHANNEL_REQUEST -
	SSH_MSG_CHANNEL_OPEN_CONFIRMATION] = {"CHANNEL_REQUEST", CONFIRMED, channel_on_request},
    [SSH_MSG_CHANNEL_SUCCESS -
	SSH_MSG_CHANNEL_OPEN_CONFIRMATION] = {"CHANNEL_SUCCESS", CONFIRMED, channel_on_success},
    [SSH_MSG_CHANNEL_FAILURE -
	SSH_MSG_CHANNEL_OPEN_CONFIRMATION] = {"CHANNEL_FAILURE", CONFIRMED, channel_on_failure},
};

static const char *state_name(enum channel_state state)
{
	static const char *const names[] = {
	    [CHANNEL_OPEN_OWED] = "not offered yet",
	    [CHANNEL_OPEN_SENT] = "not confirmed yet",
	    [CHANNEL_PENDING] = "not confirmed yet",
	    [CHANNEL_ACCEPTED] = "not confirmed yet",
	    [CHANNEL_REFUSED] = "refused",
	    [CHANNEL_OPEN] = "open",
	    [CHANNEL_EOF_RECEIVED] = "at its end of file",
	    [CHANNEL_CLOSE_RECEIVED] = "closed",
	    [CHANNEL_GONE] = "gone",
	};

	return names[state];
}

/*
 * A message for a channel that is not there may be a late one: it is ignored. An answer to an OPEN that we did not send is not.
 */
static int on_stray(
    struct session *s, const struct channel_message *message, uint32_t id, struct err *e)
{
	if (message->states == IN(CHANNEL_OPEN_SENT))
		return err_set(
		    e, ERR_PEER, "a %s for channel %u, which does not exist", message->name, id);
	/* Without what the server can choose: it could fill the log. */
	log_unless_repeated(&s->strays, LOG_LEVEL_WARNING, s->options.log, "stray-message",
	    "reason=%s", "the server says something about a channel that does not exist");
	log_debug(s->options.log, "stray-message", "message=%s channel=%u", message->name, id);
	return 0;
}

int channel_input(struct session *s, uint8_t type, struct rd *r, struct err *e)
{
	const struct channel_message *message = &messages[type - SSH_MSG_CHANNEL_OPEN_CONFIRMATION];
	uint32_t id = rd_u32(r); /* recipient channel */

	if (!rd_ok(r))
		return err_set(e, ERR_PEER, "a %s that is cut short", message->name);

	struct channel *c = session_channel(s, id);

	if (!c)
		return on_stray(s, message, id, e);
	if (!(message->states & IN(c->state)))
		return err_set(e, ERR_PEER, "a %s for channel %u, which is %s", message->name, id,
		    state_name(c->state));
	return message->handle(c, r, e);
}
