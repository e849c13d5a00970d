#include "tunnel/probe.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "ssh/direct.h"

struct probe {
	struct loop *loop;
	const struct config_endpoint *to;
	uint64_t interval_ms;
	void (*on_result)(void *arg, const char *error);
	void *arg;
	struct session *session;
	struct channel *channel; /* the try that runs */
	struct timer timer;
	bool answered;
	char *error; /* the last answer */
};

static void result(struct probe *probe, char *error)
{
	bool same = probe->answered &&
		    (error ? probe->error && strcmp(probe->error, error) == 0 : !probe->error);

	free(probe->error);
	probe->error = error;
	probe->answered = true;
	if (probe->session)
		timer_start(&probe->timer, probe->interval_ms);
	if (!same)
		probe->on_result(probe->arg, error);
}

/* From here on nobody hears of the channel that runs. */
static void let_go(struct probe *probe)
{
	struct channel *c = probe->channel;

	if (!c)
		return;
	probe->channel = NULL;
	channel_set_callbacks(c, &(struct channel_callbacks){0}, NULL);
	channel_close(c);
}

static void on_open(void *arg, struct channel *c)
{
	(void)c;
	let_go(arg);
	result(arg, NULL);
}

/* What to do about it, where the code tells that much. */
static const char *advice(uint32_t code)
{
	switch (code) {
	case OPEN_ADMINISTRATIVELY_PROHIBITED:
		return "; AllowTcpForwarding and PermitOpen in the server's sshd_config, and "
		       "restrictions of the key, say what is permitted";
	case OPEN_CONNECT_FAILED:
		return "; does the service run, and is `to` its address as the server sees it?";
	default:
		return "";
	}
}

static void on_open_failed(void *arg, struct channel *c, uint32_t code, struct span text)
{
	struct probe *probe = arg;
	struct strbuf words = {0};

	(void)c;
	probe->channel = NULL;
	strbuf_addf(&words, "the target %s does not accept: ", probe->to->text);
	strbuf_add_escaped(&words, text);
	strbuf_add(&words, advice(code));
	result(probe, strbuf_take(&words));
}

static void on_close(void *arg, struct channel *c, const struct err *e)
{
	struct probe *probe = arg;

	(void)c;
	(void)e;
	probe->channel = NULL;
}

static void open_channel(struct probe *probe)
{
	static const struct channel_callbacks callbacks = {
	    .on_open = on_open, .on_open_failed = on_open_failed, .on_close = on_close};
	bool is_unix = probe->to->kind == CONFIG_UNIX;
	struct direct_target target = {.path = is_unix ? probe->to->path : NULL,
	    .host = probe->to->host,
	    .port = probe->to->port};

	probe->channel = session_open_direct(probe->session, &target, &callbacks, probe, NULL);
	if (probe->channel)
		channel_set_visibility(probe->channel, CHANNEL_INVISIBLE);
	timer_start(&probe->timer, probe->interval_ms);
}

static void on_timer(void *arg)
{
	struct probe *probe = arg;
	char *error;

	if (probe->channel) {
		/* The last try has had a whole interval. */
		let_go(probe);
		error =
		    str_format("the target %s does not answer; is `to` right, and does a firewall "
			       "let the server through to it?",
			probe->to->text);
		result(probe, error);
		return;
	}
	open_channel(probe);
}

struct probe *probe_new(struct loop *loop, const struct config_endpoint *to, uint64_t interval_ms,
    void (*on_result)(void *arg, const char *error), void *arg)
{
	struct probe *probe = NEW(struct probe);

	probe->loop = loop;
	probe->to = to;
	probe->interval_ms = interval_ms;
	probe->on_result = on_result;
	probe->arg = arg;
	timer_init(&probe->timer, loop, on_timer, probe);
	return probe;
}

void probe_free(struct probe *probe)
{
	if (!probe)
		return;
	timer_stop(&probe->timer);
	let_go(probe);
	free(probe->error);
	free(probe);
}

static void start_anew(struct probe *probe)
{
	timer_stop(&probe->timer);
	let_go(probe);
	free(probe->error);
	probe->error = NULL;
	probe->answered = false;
	if (probe->session)
		timer_start(&probe->timer, 0);
}

void probe_session(struct probe *probe, struct session *s)
{
	if (probe->session == s)
		return;
	probe->session = s;
	start_anew(probe);
}

void probe_set_target(struct probe *probe, const struct config_endpoint *to, uint64_t interval_ms)
{
	bool same = strcmp(probe->to->text, to->text) == 0;

	probe->to = to;
	probe->interval_ms = interval_ms;
	if (!same)
		start_anew(probe);
	else if (timer_left_ms(&probe->timer) > interval_ms)
		timer_start(&probe->timer, interval_ms);
}

bool probe_has_answer(const struct probe *probe)
{
	return probe->answered;
}
