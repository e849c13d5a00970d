/*
 * A stream's life (stream.h has the phases). Whatever ends it goes through stream_free().
 */
#include "forward/stream.h"

#include <assert.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "forward/proxy_header.h"
#include "ssh/channel.h"

enum {
	/* What a client may send ahead before anybody reads it: enough for a SOCKS or HTTP request. */
	WAITING_INPUT = SOCKS_INPUT_MAX,
	UNREAD_INPUT = 1, /* what one reads of a client that is left unread: there is no less */
	/* What a stream may hold for a side that does not take it, beside the window that the peer was granted: there may be a
	 * thousand of them. (What was moved while it still took all may be more: net/relay.) */
	CARRIED_HIGH = 64 * 1024,
	CARRIED_LOW = 16 * 1024,
	ENDING_MS = 3000 /* for a refusal to reach its client */
};

static uint64_t last_id;

/* ---- making ---- */

static const char *text_of_target(struct stream *s, char text[ENDPOINT_TEXT_MAX])
{
	const struct endpoint to = {
	    .host = s->target_host, .port = s->target_port, .path = s->target_path};

	return endpoint_text(&to, text);
}

/* Where a stream counts while it is in its phase; NULL: nowhere. */
static uint64_t *counter_of(const struct stream *s)
{
	struct forward_counts *counts = &s->forward->counts;

	switch (s->phase) {
	case STREAM_HELD:
		return &counts->held;
	case STREAM_ENDING:
		return NULL;
	case STREAM_NEW:
	case STREAM_ASKING:
	case STREAM_CONNECTING:
	case STREAM_CARRYING:
		break;
	}
	return &counts->streams;
}

static void count(const struct stream *s)
{
	uint64_t *counter = counter_of(s);

	if (counter)
		++*counter;
}

static void uncount(const struct stream *s)
{
	uint64_t *counter = counter_of(s);

	if (counter)
		--*counter;
}

static void on_deadline(void *arg);

struct stream *stream_new(struct forward *f, char *client_text)
{
	struct stream *s = NEW(struct stream);

	s->forward = f;
	s->id = ++last_id;
	s->began_ms = clock_now_ms();
	s->client_text = client_text;
	hold_place_init(&s->place);
	timer_init(&s->deadline, f->env.loop, on_deadline, s);
	list_append(&f->streams, &s->node);
	f->stream_count++;
	count(s);
	forward_tell_streams(f);
	return s;
}

static void forget_target(struct stream *s)
{
	free(s->target_host);
	free(s->target_path);
	free(s->target_text);
	s->target_host = s->target_path = s->target_text = NULL;
}

void stream_set_target(struct stream *s, const char *host, uint16_t port)
{
	char text[ENDPOINT_TEXT_MAX];

	forget_target(s);
	s->target_host = mem_strdup(host);
	s->target_port = port;
	s->target_text = mem_strdup(text_of_target(s, text));
}

static void set_target_path(struct stream *s, const char *path)
{
	char text[ENDPOINT_TEXT_MAX];

	forget_target(s);
	s->target_path = mem_strdup(path);
	s->target_text = mem_strdup(text_of_target(s, text));
}

static void set_configured_target(struct stream *s)
{
	const struct config_endpoint *to = &s->forward->config->to;

	s->send_proxy = s->forward->config->send_proxy;
	if (to->kind == CONFIG_UNIX)
		set_target_path(s, to->path);
	else
		stream_set_target(s, to->host, to->port);
}

void stream_set_phase(struct stream *s, enum stream_phase phase)
{
	static const unsigned before[] = {
	    [STREAM_NEW] = 0,
	    [STREAM_ASKING] = 1 << STREAM_NEW,
	    [STREAM_HELD] =
		1 << STREAM_NEW | 1 << STREAM_ASKING | 1 << STREAM_HELD | 1 << STREAM_CONNECTING,
	    [STREAM_CONNECTING] = 1 << STREAM_NEW | 1 << STREAM_ASKING | 1 << STREAM_HELD,
	    [STREAM_CARRYING] = 1 << STREAM_CONNECTING,
	    [STREAM_ENDING] =
		1 << STREAM_NEW | 1 << STREAM_ASKING | 1 << STREAM_HELD | 1 << STREAM_CONNECTING,
	};

	assert(before[phase] & 1u << s->phase);
	uncount(s);
	s->phase = phase;
	count(s);
	forward_tell_streams(s->forward);
}

/* ---- ending ---- */

static void ignore_hang_up(struct stream *s)
{
	if (event_initialized(&s->hang_up))
		event_del(&s->hang_up);
}

static void release_client(struct stream *s)
{
	ignore_hang_up(s);
	if (s->pending) {
		channel_set_callbacks(s->pending, &(struct channel_callbacks){0}, NULL);
		channel_refuse(s->pending, OPEN_CONNECT_FAILED, "the forward has ended");
		s->pending = NULL;
	}
	if (s->phase == STREAM_ENDING)
		bev_free(s->client);
	else
		bev_reset(s->client);
	s->client = NULL;
}

static void release_target(struct stream *s)
{
	connector_cancel(s->connector);
	s->connector = NULL;
	if (s->opening) {
		channel_give_up(s->opening);
		s->opening = NULL;
	}
}

static void free_buried(void *object)
{
	struct stream *s = object;

	forget_target(s);
	free(s->client_text);
	free(s->socks);
	free(s);
}

void stream_free(struct stream *s)
{
	struct forward *f;

	if (!s)
		return;
	f = s->forward;
	hold_remove(&s->place);
	release_target(s);
	release_client(s);
	relay_free(s->relay);
	timer_stop(&s->deadline);
	list_remove(&s->node);
	f->stream_count--;
	uncount(s);
	f->counts.bytes_in += s->bytes_in;
	f->counts.bytes_out += s->bytes_out;
	forward_tell_streams(f);
	loop_bury(f->env.loop, free_buried, s);
}

static void on_deadline(void *arg)
{
	struct stream *s = arg;

	if (s->phase == STREAM_ASKING)
		stream_refuse(
		    s, SOCKS_FAILED, "the client did not say in time where it wants to go");
	else
		stream_free(s);
}

/* ---- the client while it waits ---- */

void stream_write(struct bufferevent *to, struct span bytes)
{
	if (bytes.n)
		bufferevent_write(to, bytes.p, bytes.n);
}

/* A Unix client that closed, or a TCP one that is reset; EOF alone may be a client that only has no more to say. */
static bool is_hung_up(struct bufferevent *client)
{
	struct pollfd fd = {.fd = bev_socket_fd(client)};

	return fd.fd >= 0 && poll(&fd, 1, 0) == 1 && (fd.revents & (POLLHUP | POLLERR));
}

/* A Unix socket that is closed resets its peer only if something was left to be read. So that a refusal is a reset, what the client
 * says stays there, and its end with it, until the target is connected. (A client that said nothing, or a single byte, gets an EOF
 * all the same.) What a SOCKS client says is needed, and it is refused in words. */
static bool is_left_unread(const struct stream *s)
{
	return s->client_addr.sa.sa_family == AF_UNIX && !forward_asks_target(s->forward);
}

bool stream_client_has_left(const struct stream *s)
{
	if (!s->client || !(bev_at_eof(s->client) || is_left_unread(s)))
		return false;
	if (bev_at_eof(s->client) && evbuffer_get_length(bufferevent_get_input(s->client)) == 0)
		return true;
	return is_hung_up(s->client);
}

static void client_left(struct stream *s)
{
	log_debug(&s->forward->log, "client-left", "id=%llu client=%s", (unsigned long long)s->id,
	    s->client_text);
	stream_free(s);
}

static bool has_left_the_queue(const struct stream *s)
{
	return s->phase == STREAM_HELD && stream_client_has_left(s);
}

static void on_client_event(struct bufferevent *client, short what, void *arg)
{
	struct stream *s = arg;

	(void)client;
	if ((what & BEV_EVENT_ERROR) || s->phase == STREAM_ASKING || has_left_the_queue(s))
		client_left(s);
}

static void on_hang_up(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;

	(void)fd;
	(void)what;
	if (has_left_the_queue(s))
		client_left(s);
}

/* Edge-triggered as the bufferevent's own event for that descriptor is. */
static void watch_hang_up(struct stream *s)
{
	event_assign(&s->hang_up, loop_base(s->forward->env.loop), bev_socket_fd(s->client),
	    EV_CLOSED | EV_ET | EV_PERSIST, on_hang_up, s);
	event_add(&s->hang_up, NULL);
}

void stream_set_client(struct stream *s, struct bufferevent *client)
{
	bool unread = is_left_unread(s);

	s->client = client;
	bufferevent_setwatermark(client, EV_READ, 0, unread ? UNREAD_INPUT : WAITING_INPUT);
	bufferevent_setcb(client, NULL, NULL, on_client_event, s);
	if (unread)
		watch_hang_up(s);
}

/* ---- refusing ---- */

static enum channel_open_failure open_failure_for(enum socks_reply reply)
{
	switch (reply) {
	case SOCKS_NOT_ALLOWED:
		return OPEN_ADMINISTRATIVELY_PROHIBITED;
	case SOCKS_FAILED:
		return OPEN_RESOURCE_SHORTAGE;
	case SOCKS_GRANTED:
	case SOCKS_NETWORK_UNREACHABLE:
	case SOCKS_HOST_UNREACHABLE:
	case SOCKS_CONNECTION_REFUSED:
	case SOCKS_COMMAND_UNSUPPORTED:
	case SOCKS_ADDRESS_UNSUPPORTED:
		break;
	}
	return OPEN_CONNECT_FAILED;
}

static void refuse_channel(struct stream *s, enum socks_reply reply, const char *reason)
{
	struct channel *pending = s->pending;

	s->pending = NULL;
	channel_set_callbacks(pending, &(struct channel_callbacks){0}, NULL);
	channel_refuse(pending, open_failure_for(reply), reason);
	stream_free(s);
}

static void refuse_in_socks(struct stream *s, enum socks_reply reply)
{
	struct wr answer = WR_INIT;

	s->answer_owed = false;
	socks_answer(s->socks, reply, &answer);
	stream_end_politely(s, wr_span(&answer));
	wr_clear(&answer);
}

static void tell_client(struct stream *s, enum socks_reply reply, const char *reason)
{
	release_target(s);
	if (s->pending)
		refuse_channel(s, reply, reason);
	else if (s->answer_owed)
		refuse_in_socks(s, reply);
	else
		stream_free(s);
}

/* Without the client: a hundred refused clients of one target are one line and a count. */
static void log_refusal(const struct stream *s, const char *event, const char *reason)
{
	struct forward *f = s->forward;

	if (s->target_text)
		log_unless_repeated(&f->refusals, LOG_LEVEL_INFO, &f->log, event, "to=%s reason=%s",
		    s->target_text, reason);
	else
		log_unless_repeated(
		    &f->refusals, LOG_LEVEL_INFO, &f->log, event, "reason=%s", reason);
	log_debug(&f->log, event, "id=%llu client=%s", (unsigned long long)s->id, s->client_text);
}

void stream_refuse(struct stream *s, enum socks_reply reply, const char *reason)
{
	log_refusal(s, "stream-refused", reason);
	s->forward->counts.refused++;
	tell_client(s, reply, reason);
}

void stream_fail(struct stream *s, enum socks_reply reply, const char *reason)
{
	log_refusal(s, "stream-failed", reason);
	s->forward->counts.failed++;
	tell_client(s, reply, reason);
}

/* ---- the answer to a refused SOCKS client ---- */

/*
 * Closing a socket with unread input sends a reset, and a reset takes the answer away from a client that has not read it yet. So
 * the answer and EOF go out, and what the client still says is read and dropped, until its EOF or a few seconds later.
 */
static void on_ending_read(struct bufferevent *client, void *arg)
{
	struct evbuffer *input = bufferevent_get_input(client);

	(void)arg;
	evbuffer_drain(input, evbuffer_get_length(input));
}

static void on_ending_event(struct bufferevent *client, short what, void *arg)
{
	struct stream *s = arg;

	if ((what & BEV_EVENT_ERROR) || evbuffer_get_length(bufferevent_get_output(client)) == 0)
		stream_free(s);
}

static void on_ending_written(struct bufferevent *client, void *arg)
{
	struct stream *s = arg;

	if (bev_at_eof(client) && evbuffer_get_length(bufferevent_get_output(client)) == 0)
		stream_free(s);
}

void stream_end_politely(struct stream *s, struct span answer)
{
	struct bufferevent *client = s->client;

	stream_set_phase(s, STREAM_ENDING);
	timer_start(&s->deadline, ENDING_MS);
	bufferevent_setwatermark(client, EV_WRITE, 0, BEV_HIGH_MARK);
	bufferevent_setcb(client, on_ending_read, on_ending_written, on_ending_event, s);
	stream_write(client, answer);
	bev_finish(client);
	on_ending_read(client, s);
}

/* ---- carrying ---- */

static const char *end_name(enum relay_end end)
{
	switch (end) {
	case RELAY_END_FINISHED:
		return "finished";
	case RELAY_END_FAILED_A:
		return "client-failed";
	case RELAY_END_FAILED_B:
		return "target-failed";
	case RELAY_END_IDLE:
		return "idle";
	}
	return "";
}

static void on_relay_end(void *arg, enum relay_end end, int error)
{
	struct stream *s = arg;

	s->relay = NULL;
	log_debug(&s->forward->log, "stream-closed",
	    "id=%llu end=%s error=%s in=%llu out=%llu age_ms=%llu", (unsigned long long)s->id,
	    end_name(end), error ? strerror(error) : "", (unsigned long long)s->bytes_in,
	    (unsigned long long)s->bytes_out, (unsigned long long)(clock_now_ms() - s->began_ms));
	stream_free(s);
}

static void send_proxy_header(struct stream *s, struct bufferevent *target)
{
	struct wr header = WR_INIT;

	proxy_header_write(&header, s->send_proxy, &s->client_addr, &s->at);
	stream_write(target, wr_span(&header));
	wr_clear(&header);
}

static void grant_in_socks(struct stream *s)
{
	struct wr answer = WR_INIT;

	s->answer_owed = false;
	socks_answer(s->socks, SOCKS_GRANTED, &answer);
	stream_write(s->client, wr_span(&answer));
	wr_clear(&answer);
}

void stream_carry(struct stream *s, struct bufferevent *target)
{
	struct forward *f = s->forward;
	const struct relay_options options = {
	    .idle_timeout_ms = f->config->idle_timeout_ms,
	    .on_end = on_relay_end,
	    .arg = s,
	    .bytes_a_to_b = &s->bytes_out,
	    .bytes_b_to_a = &s->bytes_in,
	};

	stream_set_phase(s, STREAM_CARRYING);
	f->counts.streams_total++;
	if (!forward_asks_target(f))
		log_repeat_mend(&f->refusals, &f->log, "stream-failed");
	log_debug(&f->log, "stream-opened", "id=%llu client=%s to=%s", (unsigned long long)s->id,
	    s->client_text, s->target_text);
	send_proxy_header(s, target);
	if (s->answer_owed)
		grant_in_socks(s);
	ignore_hang_up(s);
	bufferevent_setwatermark(s->client, EV_READ, 0, BEV_HIGH_MARK);
	if (is_left_unread(s))
		bev_socket_read_now(s->client);
	bufferevent_setwatermark(s->client, EV_WRITE, CARRIED_LOW, CARRIED_HIGH);
	bufferevent_setwatermark(target, EV_WRITE, CARRIED_LOW, CARRIED_HIGH);
	s->relay = relay_new(f->env.loop, s->client, target, &options);
	s->client = NULL;
}

void stream_start(struct stream *s)
{
	if (forward_asks_target(s->forward)) {
		stream_negotiate(s);
		return;
	}
	set_configured_target(s);
	s->forward->kind->connect(s);
}
