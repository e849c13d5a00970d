/*
 * A client of a SOCKS forward says where it wants to go: bytes between its bufferevent and the parser in socks.c.
 */
#include "base/mem.h"
#include "forward/stream.h"

enum { REQUEST_MS = 30000 };

static void refuse_request(struct stream *s, struct span answer)
{
	struct forward *f = s->forward;

	log_unless_repeated(
	    &f->refusals, LOG_LEVEL_INFO, &f->log, "stream-refused", "reason=%s", s->socks->why);
	f->counts.refused++;
	stream_end_politely(s, answer);
}

static void take_request(struct stream *s)
{
	s->answer_owed = true;
	timer_stop(&s->deadline);
	stream_set_target(s, s->socks->host, s->socks->port);
	if (!access_allows_target(s->forward->access, s->socks->host, s->socks->port))
		stream_refuse(s, SOCKS_NOT_ALLOWED, "allow_to does not allow it");
	else
		s->forward->kind->connect(s);
}

static enum socks_progress parse(struct stream *s, struct wr *answer)
{
	struct evbuffer *input = bufferevent_get_input(s->client);
	size_t n = evbuffer_get_length(input), used;

	if (n > SOCKS_INPUT_MAX)
		n = SOCKS_INPUT_MAX;
	const struct span bytes = SPAN(evbuffer_pullup(input, (ev_ssize_t)n), n);
	enum socks_progress progress = socks_parse(s->socks, bytes, &used, answer);

	evbuffer_drain(input, used);
	return progress;
}

static void on_read(struct bufferevent *client, void *arg)
{
	struct stream *s = arg;
	struct wr answer = WR_INIT;

	switch (parse(s, &answer)) {
	case SOCKS_MORE:
		stream_write(client, wr_span(&answer));
		break;
	case SOCKS_ASKED:
		stream_write(client, wr_span(&answer));
		stream_set_client(s, client); /* what follows the request waits */
		take_request(s);
		break;
	case SOCKS_BAD:
		refuse_request(s, wr_span(&answer));
		break;
	}
	wr_clear(&answer);
}

void stream_negotiate(struct stream *s)
{
	s->socks = NEW(struct socks);
	stream_set_phase(s, STREAM_ASKING);
	timer_start(&s->deadline, REQUEST_MS);
	bufferevent_event_cb on_event;
	void *arg;

	bufferevent_getcb(s->client, NULL, NULL, &on_event, &arg);
	bufferevent_setcb(s->client, on_read, NULL, on_event, arg);
}
