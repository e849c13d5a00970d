/* A transport and the scripted server, joined by a pair, under a fake clock; and what the transport called. */
#ifndef ADIT_TESTS_UNIT_SSH_TRANSPORT_RIG_H
#define ADIT_TESTS_UNIT_SSH_TRANSPORT_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"
#include "lib/server.h"
#include "ssh/transport.h"

enum free_in { FREE_NOWHERE, FREE_IN_READY, FREE_IN_MESSAGE, FREE_IN_CAN_SEND, FREE_IN_CLOSED };

struct rig {
	struct loop *loop;
	struct server *server;
	struct transport *t;
	struct hostkey_policy *policy;
	const struct transport_callbacks *callbacks; /* NULL: those below, with the rig as arg */
	void *callbacks_arg;
	struct server_script script;
	struct transport_options options;
	enum free_in free_in;
	time_t wall; /* 0: 1700000000, in 2023 */

	unsigned ready, can_send, closed;
	bool had_sig_algs; /* when on_ready came */
	struct err why;
	struct strbuf messages; /* "94:hello 97:" */
	int answer;             /* of on_message */
	/* Sent from on_message, to be in the middle of things. */
	void (*in_message)(struct rig *rig, struct span payload);
	struct strbuf log;
};

static inline void rig_free_transport(struct rig *rig)
{
	transport_free(rig->t);
	rig->t = NULL;
}

static inline void rig_on_ready(void *arg)
{
	struct rig *rig = arg;

	rig->ready++;
	rig->had_sig_algs = transport_server_sig_algs(rig->t) != NULL;
	if (rig->free_in == FREE_IN_READY)
		rig_free_transport(rig);
}

static inline int rig_on_message(void *arg, struct span payload, struct err *e)
{
	struct rig *rig = arg;
	int answer = rig->answer;

	strbuf_addf(&rig->messages, "%s%u:", rig->messages.n ? " " : "", payload.p[0]);
	strbuf_add_escaped(&rig->messages, SPAN(payload.p + 1, payload.n - 1));
	if (answer < 0)
		err_set(e, answer, "the test does not like it");
	if (rig->in_message)
		rig->in_message(rig, payload);
	if (rig->free_in == FREE_IN_MESSAGE)
		rig_free_transport(rig);
	return answer;
}

static inline void rig_on_can_send(void *arg)
{
	struct rig *rig = arg;

	rig->can_send++;
	if (rig->free_in == FREE_IN_CAN_SEND)
		rig_free_transport(rig);
}

static inline void rig_on_closed(void *arg, const struct err *e)
{
	struct rig *rig = arg;

	rig->closed++;
	rig->why = *e;
	if (rig->free_in == FREE_IN_CLOSED)
		rig_free_transport(rig);
}

static inline void rig_on_log(void *arg, enum log_level level, const char *line)
{
	struct rig *rig = arg;

	strbuf_addf(&rig->log, "%s %s\n", log_level_name(level), line);
}

/* What the tests of the transport send is no connection protocol. */
static inline bool rig_sink(void *arg, struct server *s, struct span payload)
{
	(void)arg;
	(void)s;
	(void)payload;
	return true;
}

/* rig is {0}, with what a test wants of the script and the options. */
static inline void rig_start(struct rig *rig)
{
	static const struct transport_callbacks callbacks = {
	    .on_ready = rig_on_ready,
	    .on_message = rig_on_message,
	    .on_can_send = rig_on_can_send,
	    .on_closed = rig_on_closed,
	};
	struct bufferevent *pair[2];

	clock_fake_start(1000000, rig->wall ? rig->wall : 1700000000);
	log_set_sink(rig_on_log, rig);
	log_set_level(LOG_LEVEL_DEBUG);
	rig->loop = loop_new();
	bev_pair_new(rig->loop, pair);
	rig->policy = server_policy();
	rig->options.hostkey = rig->policy;
	if (!rig->script.prefs.kex)
		rig->script.prefs.kex = "curve25519-sha256";
	if (!rig->script.on_message && !rig->callbacks)
		rig->script.on_message = rig_sink;
	rig->server = server_new(rig->loop, pair[1], &rig->script);
	if (rig->callbacks)
		rig->t = transport_new(
		    rig->loop, pair[0], &rig->options, rig->callbacks, rig->callbacks_arg);
	else
		rig->t = transport_new(rig->loop, pair[0], &rig->options, &callbacks, rig);
}

/* Until nothing moves any more without time passing. */
static inline void rig_settle(struct rig *rig)
{
	for (int i = 0; i < 20; i++)
		loop_fake_advance(rig->loop, 0);
}

static inline void rig_stop(struct rig *rig)
{
	transport_free(rig->t);
	server_free(rig->server);
	hostkey_policy_free(rig->policy);
	loop_pass(rig->loop, LOOP_NO_WAIT);
	loop_free(rig->loop);
	strbuf_clear(&rig->messages);
	strbuf_clear(&rig->log);
	log_set_sink(NULL, NULL);
	log_set_level(LOG_LEVEL_INFO);
	clock_fake_stop();
}

/* To where authentication may begin, with nobody having complained. */
static inline void rig_handshake(struct rig *rig)
{
	rig_start(rig);
	rig_settle(rig);
	if (rig->closed)
		print_error("closed: %s\n", rig->why.text);
	assert_int_equal(rig->closed, 0);
	assert_int_equal(rig->ready, 1);
	assert_string_equal(server_complaint(rig->server), "");
}

/* The transport ended, once, with an error of that class whose text has these words. */
static inline void rig_assert_closed(
    const struct rig *rig, enum error_class class, const char *words)
{
	assert_int_equal(rig->closed, 1);
	if (rig->why.class != class || !strstr(rig->why.text, words))
		fail_msg("closed with %s, \"%s\"", err_class_name(rig->why.class), rig->why.text);
}

static inline void rig_client_sends(struct rig *rig, const char *message)
{
	transport_send_span(rig->t, span_of(message));
}

static inline void rig_server_sends(struct rig *rig, const char *message)
{
	server_send_now(rig->server, span_of(message));
}

#endif
