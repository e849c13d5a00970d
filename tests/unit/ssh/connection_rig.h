/*
 * A session over a fake transport, and a short way to write messages. A format has one letter a field: b byte, o boolean,
 * u uint32, q uint64, s string (const char *), S string (struct span), x bytes without a length (struct span).
 */
#ifndef ADIT_TESTS_CONNECTION_RIG_H
#define ADIT_TESTS_CONNECTION_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "ssh/session.h"
#include "tests/lib/fake_transport.h"

struct rig {
	struct loop *loop;
	struct transport *transport;
	struct session *session;
	int closed; /* how often on_closed came */
	struct err reason;
};

static inline void rig_on_closed(void *arg, const struct err *e)
{
	struct rig *rig = arg;

	rig->closed++;
	rig->reason = *e;
}

static inline void rig_silence(void *arg, enum log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

static inline struct rig *rig_new_with(struct session_options options)
{
	struct rig *rig = NEW(struct rig);

	if (!clock_is_fake())
		clock_fake_start(1000000, 1700000000);
	log_set_sink(rig_silence, NULL);
	rig->loop = loop_new();
	rig->transport = fake_transport_new(rig->loop);
	options.host = "server.example";
	options.on_closed = rig_on_closed;
	options.arg = rig;
	rig->session = session_new(rig->loop, rig->transport, &options);
	fake_transport_set_session(rig->transport, rig->session);
	return rig;
}

static inline struct rig *rig_new(void)
{
	return rig_new_with((struct session_options){0});
}

static inline void rig_settle(struct rig *rig)
{
	for (int i = 0; i < 50; i++)
		loop_pass(rig->loop, LOOP_NO_WAIT);
}

static inline void rig_free(struct rig *rig)
{
	session_free(rig->session);
	rig_settle(rig);
	fake_transport_free(rig->transport);
	loop_free(rig->loop);
	clock_fake_stop();
	free(rig);
}

static inline struct wr rig_write(const char *format, va_list args)
{
	struct wr w = WR_INIT;

	for (; *format; format++) {
		switch (*format) {
		case 'b':
			wr_u8(&w, (uint8_t)va_arg(args, int));
			break;
		case 'o':
			wr_bool(&w, va_arg(args, int));
			break;
		case 'u':
			wr_u32(&w, va_arg(args, uint32_t));
			break;
		case 'q':
			wr_u64(&w, va_arg(args, uint64_t));
			break;
		case 's':
			wr_cstring(&w, va_arg(args, const char *));
			break;
		case 'S':
			wr_string(&w, va_arg(args, struct span));
			break;
		case 'x':
			wr_span_bytes(&w, va_arg(args, struct span));
			break;
		default:
			fail_msg("no such field: %c", *format);
		}
	}
	return w;
}

/* The message in memory that ends where it ends. */
static inline int rig_feed_bytes(struct rig *rig, struct span message)
{
	uint8_t *bytes = message.n ? mem_dup(message.p, message.n) : NULL;
	int r = fake_transport_feed(rig->transport, SPAN(bytes, message.n), NULL);

	free(bytes);
	return r;
}

/* From the peer: what session_input() says. */
static inline int rig_try(struct rig *rig, const char *format, ...)
{
	va_list args;
	struct wr w;
	int r;

	va_start(args, format);
	w = rig_write(format, args);
	va_end(args);
	r = rig_feed_bytes(rig, wr_span(&w));
	wr_clear(&w);
	return r;
}

#define rig_feed(rig, ...) assert_int_equal(rig_try(rig, __VA_ARGS__), 0)
/* Breaks the protocol: that is the end of the session. */
#define rig_feed_bad(rig, ...) \
	do { \
		assert_int_equal(rig_try(rig, __VA_ARGS__), ERR_PEER); \
		assert_int_equal((rig)->closed, 1); \
		assert_int_equal((rig)->reason.class, ERR_PEER); \
		assert_true((rig)->reason.text[0] != '\0'); \
	} while (0)

/* The next message that we sent, after a turn of the loop. */
static inline struct span rig_sent(struct rig *rig)
{
	struct span message = {0};

	if (!fake_transport_sent_count(rig->transport))
		rig_settle(rig);
	fake_transport_next(rig->transport, &message);
	return message;
}

static inline bool rig_sent_is(struct rig *rig, const char *format, ...)
{
	struct span message = rig_sent(rig);
	va_list args;
	struct wr w;
	bool equal;

	va_start(args, format);
	w = rig_write(format, args);
	va_end(args);
	equal = span_equal(message, wr_span(&w));
	if (!equal) {
		char *is = str_hex(message), *should = str_hex(wr_span(&w));

		print_error("sent:   %.200s\nwanted: %.200s\n", is, should);
		free(is);
		free(should);
	}
	wr_clear(&w);
	return equal;
}

#define rig_expect(rig, ...) assert_true(rig_sent_is(rig, __VA_ARGS__))
#define rig_expect_nothing(rig) assert_int_equal(rig_sent(rig).n, 0)

/* ---- a channel and what it was told ---- */

struct watched {
	struct channel *channel; /* NULL when it is gone */
	int opened, failed, closed, eofs, processed;
	uint32_t code;
	char text[64];
	struct wr data, extended;
	uint32_t extended_type;
	size_t take; /* how much of each piece of data on_data says it took; SIZE_MAX: all */
	char request[64];
	bool request_answer;
	int requests;
	enum error_class lost; /* of on_close's error */
};

static inline void watched_on_open(void *arg, struct channel *c)
{
	struct watched *w = arg;

	assert_ptr_equal(c, w->channel);
	w->opened++;
}

static inline void watched_on_open_failed(
    void *arg, struct channel *c, uint32_t code, struct span text)
{
	struct watched *w = arg;

	assert_ptr_equal(c, w->channel);
	w->channel = NULL;
	w->failed++;
	w->code = code;
	snprintf(w->text, sizeof(w->text), "%.*s", (int)text.n, (const char *)text.p);
}

static inline size_t watched_on_data(void *arg, struct channel *c, struct span data)
{
	struct watched *w = arg;

	assert_ptr_equal(c, w->channel);
	wr_span_bytes(&w->data, data);
	return w->take < data.n ? w->take : data.n;
}

static inline size_t watched_on_extended_data(
    void *arg, struct channel *c, uint32_t type, struct span data)
{
	struct watched *w = arg;

	assert_ptr_equal(c, w->channel);
	wr_span_bytes(&w->extended, data);
	w->extended_type = type;
	return w->take < data.n ? w->take : data.n;
}

static inline void watched_on_eof(void *arg, struct channel *c)
{
	struct watched *w = arg;

	assert_ptr_equal(c, w->channel);
	w->eofs++;
}

static inline bool watched_on_request(
    void *arg, struct channel *c, struct span type, struct span extra, bool want_reply)
{
	struct watched *w = arg;

	(void)extra;
	(void)want_reply;
	assert_ptr_equal(c, w->channel);
	w->requests++;
	snprintf(w->request, sizeof(w->request), "%.*s", (int)type.n, (const char *)type.p);
	return w->request_answer;
}

static inline void watched_on_process(void *arg, struct channel *c)
{
	struct watched *w = arg;

	assert_ptr_equal(c, w->channel);
	w->processed++;
}

static inline void watched_on_close(void *arg, struct channel *c, const struct err *e)
{
	struct watched *w = arg;

	assert_ptr_equal(c, w->channel);
	w->channel = NULL;
	w->closed++;
	w->lost = e ? e->class : ERR_OK;
}

static const struct channel_callbacks watched_callbacks = {
    .on_open = watched_on_open,
    .on_open_failed = watched_on_open_failed,
    .on_data = watched_on_data,
    .on_extended_data = watched_on_extended_data,
    .on_eof = watched_on_eof,
    .on_request = watched_on_request,
    .on_process = watched_on_process,
    .on_close = watched_on_close,
};

static inline void watched_clear(struct watched *w)
{
	wr_clear(&w->data);
	wr_clear(&w->extended);
}

#define RIG_WINDOW (2u * 1024 * 1024)
#define RIG_PACKET 0x8000u

/* One that we open, and the peer's number for it is 100 more than ours. */
static inline void rig_open_with(
    struct rig *rig, struct watched *w, uint32_t window, uint32_t maximum_packet)
{
	struct err e = ERR_INIT;
	struct span sent;

	*w = (struct watched){.take = SIZE_MAX};
	w->channel =
	    session_open_channel(rig->session, "test", SPAN(NULL, 0), &watched_callbacks, w, &e);
	assert_non_null(w->channel);
	sent = rig_sent(rig);
	assert_true(sent.n > 0 && sent.p[0] == SSH_MSG_CHANNEL_OPEN);
	rig_feed(rig, "buuuu", SSH_MSG_CHANNEL_OPEN_CONFIRMATION, channel_local_id(w->channel),
	    channel_local_id(w->channel) + 100, window, maximum_packet);
	assert_int_equal(w->opened, 1);
}

static inline void rig_open(struct rig *rig, struct watched *w)
{
	rig_open_with(rig, w, RIG_WINDOW, RIG_PACKET);
}

#endif
