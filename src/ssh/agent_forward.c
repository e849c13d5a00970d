#include "ssh/agent_forward.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"
#include "net/bev.h"
#include "net/connector.h"
#include "net/relay.h"
#include "ssh/agent.h"

enum {
	STREAMS_MAX = 64, /* at once: a server with an appetite must not use up our descriptors */
	CONNECT_TIMEOUT_MS = 10000,
	BIND_TIMEOUT_MS = 30000 /* it may be waiting for somebody to touch a key */
};

static const char property[] = "agent-forward";

struct agent_forward {
	struct session *session;
	char *path;
	bool asked_for; /* by a command of ours */
	struct list streams;
	size_t stream_count;
};

/* One connection to the agent: for a pending channel it is connected, then bound; then it is a relay. */
struct stream {
	struct agent_forward *owner;
	struct list node;
	struct channel *pending;
	struct connector *connector;
	struct agent *agent;
	struct relay *relay;
};

static void stream_free(struct stream *stream)
{
	list_remove(&stream->node);
	stream->owner->stream_count--;
	connector_cancel(stream->connector);
	agent_free(stream->agent);
	relay_free(stream->relay);
	free(stream);
}

static void on_relay_end(void *arg, enum relay_end end, int error)
{
	struct stream *stream = arg;

	(void)end;
	(void)error;
	stream->relay = NULL;
	stream_free(stream);
}

static void refuse(struct stream *stream)
{
	/* The server need not know more of us than that. */
	channel_refuse(stream->pending, OPEN_CONNECT_FAILED, "the agent does not answer");
	stream_free(stream);
}

static void on_bound(void *arg, const struct err *e)
{
	struct stream *stream = arg;
	struct relay_options options = {.on_end = on_relay_end, .arg = stream};

	if (e) {
		refuse(stream);
		return;
	}
	struct bufferevent *bev = agent_detach(stream->agent);

	stream->agent = NULL;
	channel_accept(stream->pending, NULL, NULL);
	stream->relay = relay_new(session_event_loop(stream->owner->session), bev,
	    channel_bev(stream->pending), &options);
	stream->pending = NULL;
}

/* Before anything of the server's reaches the agent it hears from where that comes, and holds it to what ssh-add -h allows there. */
static void on_connected(void *arg, int fd, const struct addr *peer, const struct err *e)
{
	struct stream *stream = arg;
	struct session *s = stream->owner->session;
	const struct transport *t = session_transport(s);

	(void)peer;
	(void)e;
	stream->connector = NULL;
	if (fd < 0) {
		refuse(stream);
		return;
	}
	stream->agent = agent_new_on(session_event_loop(s), fd);
	agent_bind_forwarded(stream->agent, transport_host_key(t), transport_session_id(t),
	    transport_host_key_signature(t), BIND_TIMEOUT_MS, on_bound, stream);
}

/* The session ended before the agent was there. */
static void on_pending_closed(void *arg, struct channel *c, const struct err *e)
{
	(void)c;
	(void)e;
	stream_free(arg);
}

/* auth-agent@openssh.com adds nothing to the message. */
static void on_channel(void *arg, struct session *s, struct channel *c, struct span extra)
{
	static const struct channel_callbacks callbacks = {.on_close = on_pending_closed};
	struct agent_forward *af = arg;
	struct endpoint agent = {.path = af->path};
	struct connector_options options = {.timeout_ms = CONNECT_TIMEOUT_MS};

	channel_set_visibility(c, CHANNEL_INVISIBLE);
	if (!af->asked_for || extra.n) {
		channel_refuse(c, OPEN_ADMINISTRATIVELY_PROHIBITED, "nobody asked for an agent");
		return;
	}
	if (af->stream_count >= STREAMS_MAX) {
		channel_refuse(c, OPEN_RESOURCE_SHORTAGE, "too many connections to the agent");
		return;
	}

	struct stream *stream = NEW(struct stream);

	stream->owner = af;
	stream->pending = c;
	list_append(&af->streams, &stream->node);
	af->stream_count++;
	(void)channel_set_callbacks(c, &callbacks, stream);
	stream->connector =
	    connector_start(session_event_loop(s), &agent, &options, on_connected, stream);
}

static void stop(void *arg)
{
	struct agent_forward *af = arg;

	(void)session_set_property(af->session, property, NULL);
	while (!list_empty(&af->streams))
		stream_free(CONTAINER_OF(af->streams.next, struct stream, node));
	free(af->path);
	free(af);
}

void agent_forward_start(struct session *s, const char *path)
{
	struct agent_forward *af = session_property(s, property);

	if (!af) {
		af = NEW(struct agent_forward);
		af->session = s;
		list_init(&af->streams);
		(void)session_set_property(s, property, af);
		session_on_free(s, stop, af);
		(void)session_on_open_channel(s, "auth-agent@openssh.com",
		    (struct session_open_registration){.handler = on_channel, .arg = af});
	}
	free(af->path);
	af->path = mem_strdup(path);
}

void agent_forward_request(struct channel *c)
{
	struct agent_forward *af = session_property(channel_session(c), property);

	if (!af)
		return;
	af->asked_for = true;
	channel_send_request(c, "auth-agent-req@openssh.com", SPAN(NULL, 0), NULL, NULL);
}
