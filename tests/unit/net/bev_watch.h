/*
 * Two joined ends of bufferevents under observation: what was told of each, and in which order. For the test of the rules
 * (bev_rules.h) and for tests of what sits on bufferevents.
 */
#ifndef ADIT_TESTS_BEV_WATCH_H
#define ADIT_TESTS_BEV_WATCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/loop.h"
#include "base/mem.h"
#include "net/bev.h"

enum bev_rules_reset {
	BEV_RULES_RESET_IS_AN_ERROR, /* the other end gets BEV_EVENT_ERROR */
	BEV_RULES_RESET_IS_AN_END /* all that it can see is that the end is gone: EOF or an error */
};

struct bev_rules_factory {
	/* Gives two ends; the tests free them. */
	void (*make)(
	    struct bev_rules_factory *factory, struct loop *loop, struct bufferevent *ret_ends[2]);
	/* After both were freed and the loop has settled; frees what make() made besides. May be
	 * NULL. */
	void (*clean)(struct bev_rules_factory *factory);
	enum bev_rules_reset reset;
	/* How much may be on its way between the two ends, in buffers that are not theirs. */
	size_t path_bytes;
	void *arg; /* make's own */
};

/* One end and what was told of it. */
struct bev_rules_end {
	struct bufferevent *bev; /* NULL when freed */
	struct evbuffer *got;
	enum { BEV_RULES_TAKE, BEV_RULES_LEAVE } reading;
	enum {
		BEV_RULES_KEEP,
		BEV_RULES_FREE_ON_READ,
		BEV_RULES_FREE_ON_WRITE,
		BEV_RULES_FREE_ON_EVENT
	} freeing;
	size_t reads, writes, eofs, errors;
	size_t bytes_at_eof; /* what was told as readable when EOF came */
	size_t bytes_told;
};

struct bev_rules {
	struct loop *loop;
	struct bev_rules_factory *factory;
	struct bev_rules_end a, b;
};

/* Not zero while a test is inside a call that must not call back (rule 3). */
static int bev_rules_inside;

#define BEV_RULES_CALL(call) \
	do { \
		bev_rules_inside++; \
		call; \
		bev_rules_inside--; \
	} while (0)

static inline size_t bev_rules_input_length(struct bev_rules_end *end)
{
	return evbuffer_get_length(bufferevent_get_input(end->bev));
}

static inline size_t bev_rules_output_length(struct bev_rules_end *end)
{
	return evbuffer_get_length(bufferevent_get_output(end->bev));
}

static inline void bev_rules_free_end(struct bev_rules_end *end)
{
	struct bufferevent *bev = end->bev;

	end->bev = NULL;
	BEV_RULES_CALL(bev_free(bev));
}

static inline void bev_rules_take(struct bev_rules_end *end)
{
	evbuffer_add_buffer(end->got, bufferevent_get_input(end->bev));
}

static inline void bev_rules_on_read(struct bufferevent *bev, void *arg)
{
	struct bev_rules_end *end = arg;

	assert_int_equal(bev_rules_inside, 0);
	assert_ptr_equal(bev, end->bev);
	assert_int_equal(end->eofs + end->errors, 0);
	end->reads++;
	end->bytes_told = evbuffer_get_length(end->got) + bev_rules_input_length(end);
	if (end->reading == BEV_RULES_TAKE)
		bev_rules_take(end);
	if (end->freeing == BEV_RULES_FREE_ON_READ)
		bev_rules_free_end(end);
}

static inline void bev_rules_on_write(struct bufferevent *bev, void *arg)
{
	struct bev_rules_end *end = arg;
	size_t low;

	assert_int_equal(bev_rules_inside, 0);
	assert_ptr_equal(bev, end->bev);
	assert_int_equal(end->errors, 0);
	bufferevent_getwatermark(bev, EV_WRITE, &low, NULL);
	assert_true(bev_rules_output_length(end) <= low);
	end->writes++;
	if (end->freeing == BEV_RULES_FREE_ON_WRITE)
		bev_rules_free_end(end);
}

static inline void bev_rules_on_event(struct bufferevent *bev, short what, void *arg)
{
	struct bev_rules_end *end = arg;

	assert_int_equal(bev_rules_inside, 0);
	assert_ptr_equal(bev, end->bev);
	assert_int_equal(end->errors, 0);
	if (what & BEV_EVENT_ERROR) {
		assert_true(what == (BEV_EVENT_ERROR | BEV_EVENT_READING) ||
			    what == (BEV_EVENT_ERROR | BEV_EVENT_WRITING));
		assert_int_not_equal(bev_error(bev), 0);
		end->errors++;
	} else {
		assert_int_equal(what, BEV_EVENT_EOF | BEV_EVENT_READING);
		assert_int_equal(bev_error(bev), 0);
		assert_true(bev_at_eof(bev));
		end->eofs++;
		end->bytes_at_eof = end->bytes_told;
	}
	if (end->freeing == BEV_RULES_FREE_ON_EVENT)
		bev_rules_free_end(end);
}

static inline void bev_rules_end_init(struct bev_rules_end *end, struct bufferevent *bev)
{
	end->bev = bev;
	end->got = evbuffer_new();
	bufferevent_setcb(bev, bev_rules_on_read, bev_rules_on_write, bev_rules_on_event, end);
}

static inline struct bev_rules bev_rules_begin(
    void **state, struct bev_rules_end **ret_a, struct bev_rules_end **ret_b)
{
	static struct bev_rules rules;
	struct bufferevent *ends[2];

	rules = (struct bev_rules){.loop = loop_new(), .factory = *state};
	rules.factory->make(rules.factory, rules.loop, ends);
	bev_rules_end_init(&rules.a, ends[0]);
	bev_rules_end_init(&rules.b, ends[1]);
	*ret_a = &rules.a;
	*ret_b = &rules.b;
	return rules;
}

/* Many passes: for what must not happen. */
static inline void bev_rules_settle(struct loop *loop)
{
	for (int i = 0; i < 100; i++)
		loop_pass(loop, LOOP_NO_WAIT);
}

/* For what must happen. The kernel's part of a connection takes its time, so this has ten seconds, of real time even under
 * a clock that is turned by hand. */
#define BEV_RULES_UNTIL(loop, condition) \
	do { \
		time_t bev_rules_end_s = time(NULL) + 11; \
		while (!(condition) && time(NULL) < bev_rules_end_s) \
			loop_pass((loop), LOOP_NO_WAIT); \
		assert_true(condition); \
	} while (0)

static inline void bev_rules_end(
    struct bev_rules *rules, struct bev_rules_end *a, struct bev_rules_end *b)
{
	bev_rules_free_end(a);
	bev_rules_free_end(b);
	bev_rules_settle(rules->loop);
	if (rules->factory->clean)
		rules->factory->clean(rules->factory);
	evbuffer_free(a->got);
	evbuffer_free(b->got);
	loop_free(rules->loop);
}

/* Byte i of everything that the tests send. */
static inline uint8_t bev_rules_byte(size_t i)
{
	return (uint8_t)(i * 31 + (i >> 8) * 7 + (i >> 16));
}

static inline void bev_rules_write(struct bev_rules_end *end, size_t from, size_t n)
{
	uint8_t *bytes = malloc(n + 1);

	assert_non_null(bytes);
	for (size_t i = 0; i < n; i++)
		bytes[i] = bev_rules_byte(from + i);
	BEV_RULES_CALL(
	    assert_int_equal(evbuffer_add(bufferevent_get_output(end->bev), bytes, n), 0));
	free(bytes);
}

static inline void bev_rules_got_exactly(struct bev_rules_end *end, size_t n)
{
	assert_int_equal(evbuffer_get_length(end->got), n);

	const uint8_t *bytes = evbuffer_pullup(end->got, -1);

	for (size_t i = 0; i < n; i++) {
		if (bytes[i] != bev_rules_byte(i))
			fail_msg("byte %zu is wrong", i);
	}
}

/* Writes units of 10,000 bytes as long as it may; gives how many bytes that were. */
static inline size_t bev_rules_write_until_full(
    struct bev_rules *rules, struct bev_rules_end *end, size_t from)
{
	size_t n = 0, idle = 0;

	while (idle < 100) {
		idle++;
		for (; !bev_full(end->bev); n += 10000, idle = 0)
			bev_rules_write(end, from + n, 10000);
		assert_true(bev_rules_output_length(end) < BEV_HIGH_MARK + 10000);
		loop_pass(rules->loop, LOOP_NO_WAIT);
	}
	return n;
}

#endif
