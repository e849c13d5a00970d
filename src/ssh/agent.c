#include "ssh/agent.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/bev.h"
#include "ssh/cert.h"
#include "ssh/key.h"

#define REPLY_BYTES_MAX ((size_t)256 * 1024)
#define IDENTITIES_MAX 2048 /* OpenSSH's limit as well */

/* RFC 9987 §6.1, and the numbers with which older agents refuse */
enum agent_message {
	AGENT_FAILURE = 5,
	AGENT_SUCCESS = 6,
	AGENTC_REQUEST_IDENTITIES = 11,
	AGENT_IDENTITIES_ANSWER = 12,
	AGENTC_SIGN_REQUEST = 13,
	AGENT_SIGN_RESPONSE = 14,
	AGENTC_EXTENSION = 27,
	AGENT_EXTENSION_FAILURE = 28,
	AGENT_FAILURE_OLD = 30
};
enum { SIGN_RSA_SHA2_256 = 2, SIGN_RSA_SHA2_512 = 4 };

enum request { REQUEST_NONE, REQUEST_LIST, REQUEST_SIGN, REQUEST_BIND };

struct agent {
	struct loop *loop;
	struct bufferevent *bev; /* NULL once the agent is lost */
	struct err lost;         /* why; says nothing while it is not */
	unsigned
	    unheeded; /* answers to come that nobody waits for; they come before the request's */

	enum request request;
	union {
		agent_identities_callback *identities;
		agent_signature_callback *signature;
		agent_bound_callback *bound;
	} done;
	void *arg;
	const char *algorithm; /* that the signature must have; static */
	struct timer deadline;
	uint64_t timeout_ms;
	struct task fail_task; /* tells of a failure that was known when the request was made */
};

/* ---- ends of a request: the callback is the last thing, the agent may be gone after it ---- */

static enum request end_request(struct agent *agent)
{
	enum request request = agent->request;

	agent->request = REQUEST_NONE;
	timer_stop(&agent->deadline);
	task_cancel(&agent->fail_task);
	return request;
}

static void fail_request(struct agent *agent, const struct err *reason)
{
	struct err e = *reason; /* the agent's own may go with it */

	switch (end_request(agent)) {
	case REQUEST_LIST:
		agent->done.identities(agent->arg, NULL, 0, &e);
		break;
	case REQUEST_SIGN:
		agent->done.signature(agent->arg, SPAN("", 0), &e);
		break;
	case REQUEST_BIND:
		agent->done.bound(agent->arg, &e);
		break;
	case REQUEST_NONE:
		break;
	}
}

static void refuse_request(struct agent *agent, const char *words)
{
	struct err e = ERR_INIT;

	err_set(&e, ERR_LOGIN, "the agent %s", words);
	fail_request(agent, &e);
}

/* Nothing that it says can be believed any more, or nothing will come. */
static void lose(struct agent *agent, const char *words)
{
	bev_free(agent->bev);
	agent->bev = NULL;
	err_set(&agent->lost, ERR_LOGIN, "the agent %s", words);
	fail_request(agent, &agent->lost);
}

static void on_deadline(void *arg)
{
	struct agent *agent = arg;
	char words[64];

	snprintf(
	    words, sizeof(words), "did not answer within %.0f s", (double)agent->timeout_ms / 1000);
	lose(agent, words);
}

static void on_fail_task(void *arg)
{
	struct agent *agent = arg;

	fail_request(agent, &agent->lost);
}

/* ---- answers ---- */

static void give_identities(struct agent *agent, struct rd *r)
{
	struct agent_identity *identities = NULL;
	uint32_t count = rd_u32(r), n = 0;

	/* Each has at least its two lengths, so a count that is a lie is found before it costs memory. */
	if (count <= IDENTITIES_MAX && count <= rd_left(r) / 8) {
		identities = mem_array(count ? count : 1, sizeof(*identities));
		for (; n < count; n++) {
			identities[n].blob = rd_string(r);
			identities[n].comment = rd_string(r);
		}
	}
	if (n != count || rd_end(r) < 0) {
		free(identities);
		lose(agent, "sent a malformed list of keys");
		return;
	}
	agent_identities_callback *done = agent->done.identities;
	end_request(agent);
	done(agent->arg, identities, count, NULL);
	free(identities);
}

static void give_signature(struct agent *agent, struct rd *r)
{
	struct span signature = rd_string(r);

	if (rd_end(r) < 0) {
		lose(agent, "sent a malformed signature");
		return;
	}
	/* Old agents do not know the flags and sign with SHA-1, which no server takes. */
	if (!span_is(key_blob_type(signature), agent->algorithm)) {
		struct err e = ERR_INIT;
		err_set(&e, ERR_LOGIN,
		    "the agent signed with another algorithm than %s: is it too old?",
		    agent->algorithm);
		fail_request(agent, &e);
		return;
	}
	agent_signature_callback *done = agent->done.signature;
	end_request(agent);
	done(agent->arg, signature, NULL);
}

static void tell_bound(struct agent *agent)
{
	agent_bound_callback *done = agent->done.bound;

	end_request(agent);
	done(agent->arg, NULL);
}

static void take_answer(struct agent *agent, struct span message)
{
	struct rd r;

	rd_init(&r, message);
	uint8_t type = rd_u8(&r);
	bool refused =
	    type == AGENT_FAILURE || type == AGENT_EXTENSION_FAILURE || type == AGENT_FAILURE_OLD;
	if (agent->request == REQUEST_LIST && refused)
		refuse_request(agent, "refuses to list its keys");
	else if (agent->request == REQUEST_SIGN && refused)
		refuse_request(agent, "refuses to sign with this key (locked, or not confirmed?)");
	else if (agent->request == REQUEST_BIND && (refused || type == AGENT_SUCCESS))
		tell_bound(agent);
	else if (agent->request == REQUEST_LIST && type == AGENT_IDENTITIES_ANSWER)
		give_identities(agent, &r);
	else if (agent->request == REQUEST_SIGN && type == AGENT_SIGN_RESPONSE)
		give_signature(agent, &r);
	else
		lose(agent, "sent what it was not asked for");
}

enum next { NEXT_NONE, NEXT_ANSWER, NEXT_BAD };

/* Takes one whole message out of the input. */
static enum next next_message(struct evbuffer *input, struct wr *ret_message)
{
	uint8_t head[4];

	if (evbuffer_copyout(input, head, sizeof(head)) < (ssize_t)sizeof(head))
		return NEXT_NONE;
	size_t n = get_u32(head);
	if (n == 0 || n > REPLY_BYTES_MAX)
		return NEXT_BAD;
	if (evbuffer_get_length(input) < sizeof(head) + n)
		return NEXT_NONE;
	evbuffer_drain(input, sizeof(head));
	wr_bytes(ret_message, evbuffer_pullup(input, (ssize_t)n), n);
	evbuffer_drain(input, n);
	return NEXT_ANSWER;
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct agent *agent = arg;
	struct wr message = WR_INIT;
	enum next next;

	while ((next = next_message(bufferevent_get_input(bev), &message)) == NEXT_ANSWER &&
	       agent->unheeded) {
		agent->unheeded--;
		wr_reset(&message);
	}
	if (next == NEXT_BAD)
		lose(agent, "sent a message of a length that cannot be");
	else if (next == NEXT_ANSWER)
		take_answer(agent, wr_span(&message));
	wr_clear(&message);
}

static void on_event(struct bufferevent *bev, short events, void *arg)
{
	(void)bev;
	if (events & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		lose(arg, "closed the connection");
}

/* ---- requests ---- */

static void send_message(struct agent *agent, const struct wr *body)
{
	struct evbuffer *output = bufferevent_get_output(agent->bev);
	uint8_t head[4];

	put_u32(head, (uint32_t)body->n);
	evbuffer_add(output, head, sizeof(head));
	evbuffer_add(output, body->p, body->n);
}

/* body is cleared. */
static void start_request(
    struct agent *agent, enum request request, uint64_t timeout_ms, void *arg, struct wr *body)
{
	assert(agent->request == REQUEST_NONE);
	agent->request = request;
	agent->arg = arg;
	agent->timeout_ms = timeout_ms;
	if (agent->bev) {
		send_message(agent, body);
		timer_start(&agent->deadline, timeout_ms);
	} else {
		task_schedule(&agent->fail_task);
	}
	wr_clear(body);
}

void agent_list(
    struct agent *agent, uint64_t timeout_ms, agent_identities_callback *done, void *arg)
{
	struct wr body = WR_INIT;

	wr_u8(&body, AGENTC_REQUEST_IDENTITIES);
	agent->done.identities = done;
	start_request(agent, REQUEST_LIST, timeout_ms, arg, &body);
}

/* The name as it will stand in the signature, static. NULL: no signature algorithm of ours ("ssh-rsa" is none). */
static const char *signature_name(struct span algorithm)
{
	const char *plain = cert_algorithm_plain(algorithm);

	if (plain)
		return plain;
	char *name = span_strdup(algorithm);
	const char *of_cert = cert_algorithm_for(name); /* every algorithm has one */
	free(name);
	return of_cert ? cert_algorithm_plain(span_of(of_cert)) : NULL;
}

static uint32_t sign_flags(const char *algorithm)
{
	if (strcmp(algorithm, "rsa-sha2-512") == 0)
		return SIGN_RSA_SHA2_512;
	return strcmp(algorithm, "rsa-sha2-256") == 0 ? SIGN_RSA_SHA2_256 : 0;
}

void agent_sign(struct agent *agent, struct span key_blob, struct span algorithm, struct span data,
    uint64_t timeout_ms, agent_signature_callback *done, void *arg)
{
	struct wr body = WR_INIT;

	agent->algorithm = signature_name(algorithm);
	assert(agent->algorithm);
	wr_u8(&body, AGENTC_SIGN_REQUEST);
	wr_string(&body, key_blob);
	wr_string(&body, data);
	wr_u32(&body, sign_flags(agent->algorithm));
	agent->done.signature = done;
	start_request(agent, REQUEST_SIGN, timeout_ms, arg, &body);
}

enum binding { BIND_LOGIN, BIND_FORWARDED };

static void write_bind(struct wr *w, struct span host_key, struct span session_id,
    struct span signature, enum binding binding)
{
	wr_u8(w, AGENTC_EXTENSION);
	wr_cstring(w, "session-bind@openssh.com");
	wr_string(w, host_key);
	wr_string(w, session_id);
	wr_string(w, signature);
	wr_bool(w, binding == BIND_FORWARDED); /* is_forwarding */
}

void agent_bind_login(
    struct agent *agent, struct span host_key, struct span session_id, struct span signature)
{
	struct wr body = WR_INIT;

	assert(agent->request == REQUEST_NONE);
	if (!agent->bev)
		return;
	write_bind(&body, host_key, session_id, signature, BIND_LOGIN);
	send_message(agent, &body);
	agent->unheeded++;
	wr_clear(&body);
}

void agent_bind_forwarded(struct agent *agent, struct span host_key, struct span session_id,
    struct span signature, uint64_t timeout_ms, agent_bound_callback *done, void *arg)
{
	struct wr body = WR_INIT;

	write_bind(&body, host_key, session_id, signature, BIND_FORWARDED);
	agent->done.bound = done;
	start_request(agent, REQUEST_BIND, timeout_ms, arg, &body);
}

/* ---- beginning and end ---- */

static int connect_to(const char *path, struct err *e)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t n = strlen(path);

	if (n == 0 || n >= sizeof(address.sun_path))
		return err_set(e, ERR_LOCAL, "no agent: \"%s\" cannot be a socket's path", path);
	memcpy(address.sun_path, path, n);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set_errno(e, ERR_LOCAL, errno, "no agent: socket");
	/* A Unix socket connects at once or not at all (EAGAIN: nobody accepts there). */
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int rc = err_set_errno(e, ERR_LOCAL, errno, "no agent at %s", path);
		close(fd);
		return rc;
	}
	return fd;
}

int agent_check(const char *path, struct err *e)
{
	int fd = connect_to(path, e);

	if (fd < 0)
		return ERR_LOCAL;
	close(fd);
	return 0;
}

struct agent *agent_new(struct loop *loop, const char *path, struct err *e)
{
	int fd = connect_to(path, e);

	return fd < 0 ? NULL : agent_new_on(loop, fd);
}

struct agent *agent_new_on(struct loop *loop, evutil_socket_t fd)
{
	struct agent *agent = NEW(struct agent);

	agent->loop = loop;
	agent->bev = bev_socket_new(loop, fd);
	timer_init(&agent->deadline, loop, on_deadline, agent);
	task_init(&agent->fail_task, loop, on_fail_task, agent);
	bufferevent_setcb(agent->bev, on_read, NULL, on_event, agent);
	/* Room for one whole answer. */
	bufferevent_setwatermark(agent->bev, EV_READ, 0, 4 + REPLY_BYTES_MAX);
	return agent;
}

void agent_free(struct agent *agent)
{
	if (!agent)
		return;
	end_request(agent);
	bev_free(agent->bev);
	free(agent);
}

struct bufferevent *agent_detach(struct agent *agent)
{
	struct bufferevent *bev = agent->bev;

	assert(bev && agent->request == REQUEST_NONE && agent->unheeded == 0);
	bufferevent_setcb(bev, NULL, NULL, NULL, NULL);
	bufferevent_setwatermark(bev, EV_READ, 0, BEV_HIGH_MARK);
	agent->bev = NULL;
	agent_free(agent);
	return bev;
}
