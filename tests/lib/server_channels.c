/*
 * The scripted server's channels: each sends back what it gets, as the client's window allows, EOF and CLOSE too. Global
 * requests are granted.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "server_internal.h"

enum { WINDOW = 2 * 1024 * 1024, MAXIMUM_PACKET = 32 * 1024 };

/* Our id is the client's: one number a channel. */
struct channel_end {
	uint32_t id;
	uint32_t their_window, their_maximum_packet;
	uint32_t our_window;
	struct evbuffer *pending; /* to send back */
	bool eof_is_owed;
};

static void release(struct server *s, struct channel_end *c)
{
	map_remove_u32(s->channels, c->id);
	evbuffer_free(c->pending);
	free(c);
}

void server_channels_clear(struct server *s)
{
	struct channel_end *c;
	size_t cursor;

	while (cursor = 0, (c = map_next(s->channels, &cursor)))
		release(s, c);
}

static void send_u32(struct server *s, uint8_t type, uint32_t id)
{
	struct wr w = WR_INIT;

	wr_u8(&w, type);
	wr_u32(&w, id);
	server_send(s, wr_span(&w));
	wr_clear(&w);
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static void send_back(struct server *s, struct channel_end *c)
{
	size_t n;

	while ((n = evbuffer_get_length(c->pending)) > 0 && c->their_window > 0 &&
	       !kex_blocks_sending(s->kex)) {
		struct wr w = WR_INIT;

		n = smaller((uint32_t)n, smaller(c->their_window, c->their_maximum_packet));
		wr_u8(&w, SSH_MSG_CHANNEL_DATA);
		wr_u32(&w, c->id);
		wr_string(&w, SPAN(evbuffer_pullup(c->pending, (ev_ssize_t)n), n));
		evbuffer_drain(c->pending, n);
		c->their_window -= (uint32_t)n;
		server_send(s, wr_span(&w));
		wr_clear(&w);
	}
	if (n == 0 && c->eof_is_owed) {
		c->eof_is_owed = false;
		send_u32(s, SSH_MSG_CHANNEL_EOF, c->id);
	}
}

void server_channels_resume(struct server *s)
{
	struct channel_end *c;
	size_t cursor = 0;

	while ((c = map_next(s->channels, &cursor)))
		send_back(s, c);
}

static void confirm(struct server *s, struct rd *r)
{
	struct channel_end *c = NEW(struct channel_end);
	struct wr w = WR_INIT;

	rd_string(r); /* type */
	c->id = rd_u32(r);
	c->their_window = rd_u32(r);
	c->their_maximum_packet = rd_u32(r);
	c->our_window = s->script.window ? s->script.window : WINDOW;
	c->pending = evbuffer_new();
	if (map_put_u32(s->channels, c->id, c))
		server_complain(s, "channel %u was opened twice", c->id);
	wr_u8(&w, SSH_MSG_CHANNEL_OPEN_CONFIRMATION);
	wr_u32(&w, c->id);
	wr_u32(&w, c->id);
	wr_u32(&w, c->our_window);
	wr_u32(&w, s->script.maximum_packet ? s->script.maximum_packet : MAXIMUM_PACKET);
	server_send(s, wr_span(&w));
	wr_clear(&w);
}

static void take_data(struct server *s, struct channel_end *c, struct span data)
{
	struct wr w = WR_INIT;

	if (data.n > c->our_window)
		server_complain(s, "channel %u: more than its window", c->id);
	if (s->script.maximum_packet && data.n > s->script.maximum_packet)
		server_complain(s, "channel %u: more than its maximum packet", c->id);
	evbuffer_add(c->pending, data.p, data.n);
	/* The window stays as it is: each byte is credited at once. */
	wr_u8(&w, SSH_MSG_CHANNEL_WINDOW_ADJUST);
	wr_u32(&w, c->id);
	wr_u32(&w, (uint32_t)data.n);
	server_send(s, wr_span(&w));
	wr_clear(&w);
	send_back(s, c);
}

static void take_close(struct server *s, struct channel_end *c)
{
	send_u32(s, SSH_MSG_CHANNEL_CLOSE, c->id);
	release(s, c);
}

static void handle_channel(struct server *s, uint8_t type, struct rd *r)
{
	uint32_t id = rd_u32(r);
	struct channel_end *c = map_get_u32(s->channels, id);

	if (!c) {
		server_complain(s, "message %u for channel %u, which is not there", type, id);
		return;
	}
	switch (type) {
	case SSH_MSG_CHANNEL_DATA:
		take_data(s, c, rd_string(r));
		break;
	case SSH_MSG_CHANNEL_WINDOW_ADJUST:
		c->their_window += rd_u32(r);
		send_back(s, c);
		break;
	case SSH_MSG_CHANNEL_EOF:
		c->eof_is_owed = true;
		send_back(s, c);
		break;
	case SSH_MSG_CHANNEL_CLOSE:
		take_close(s, c);
		break;
	default:
		break;
	}
}

static void grant(struct server *s, struct rd *r)
{
	rd_string(r);
	if (rd_bool(r))
		server_send(s, SPAN("\x51", 1)); /* REQUEST_SUCCESS */
}

bool server_channel_input(struct server *s, struct span payload)
{
	struct rd r;

	rd_init(&r, payload);
	uint8_t type = rd_u8(&r);
	if (type < SSH_MSG_GLOBAL_REQUEST || type > SSH_MSG_CHANNEL_FAILURE)
		return false;
	if (type == SSH_MSG_CHANNEL_OPEN)
		confirm(s, &r);
	else if (type == SSH_MSG_GLOBAL_REQUEST)
		grant(s, &r);
	else if (type >= SSH_MSG_CHANNEL_WINDOW_ADJUST)
		handle_channel(s, type, &r);
	if (!rd_ok(&r))
		server_complain(s, "a malformed message %u", type);
	return true;
}
