/*
 * What all kinds of bufferevents share: the table that knows the kind of each, the calls that go
 * through it, and the reports, which call back from the loop and in order.
 */
#include "net/bev.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"

/* ---- the table ---- */

struct entry {
	struct bufferevent *bev;
	const struct bev_kind *kind;
	void *owner;
	struct entry *next;
};

/* One for the process: addresses are unique in it. Empty, it holds no memory. */
static struct {
	struct entry **buckets;
	size_t bucket_count; /* a power of two */
	size_t count;
} table;

static struct entry **bucket_of(
    struct entry **buckets, size_t bucket_count, struct bufferevent *bev)
{
	/* Fibonacci hashing: the low bits of an address say little. */
	uint64_t hash = (uint64_t)(uintptr_t)bev * UINT64_C(0x9e3779b97f4a7c15);

	return &buckets[(hash >> 32) & (bucket_count - 1)];
}

static void table_grow(void)
{
	size_t bucket_count = table.bucket_count ? table.bucket_count * 2 : 64;
	struct entry **buckets = mem_array(bucket_count, sizeof(*buckets));

	for (size_t i = 0; i < table.bucket_count; i++) {
		struct entry *entry, *next;

		for (entry = table.buckets[i]; entry; entry = next) {
			struct entry **bucket = bucket_of(buckets, bucket_count, entry->bev);

			next = entry->next;
			entry->next = *bucket;
			*bucket = entry;
		}
	}
	free(table.buckets);
	table.buckets = buckets;
	table.bucket_count = bucket_count;
}

/* Where the pointer to bev's entry stands, or the NULL at the end of its bucket. */
static struct entry **table_find(struct bufferevent *bev)
{
	struct entry **at = bucket_of(table.buckets, table.bucket_count, bev);

	while (*at && (*at)->bev != bev)
		at = &(*at)->next;
	return at;
}

void bev_adopt(struct bufferevent *bev, const struct bev_kind *kind, void *owner)
{
	struct entry *entry = NEW(struct entry);

	if (table.count >= table.bucket_count)
		table_grow();
	entry->bev = bev;
	entry->kind = kind;
	entry->owner = owner;

	struct entry **at = table_find(bev);

	assert(!*at);
	*at = entry;
	table.count++;
}

void bev_disown(struct bufferevent *bev)
{
	assert(table.count);

	struct entry **at = table_find(bev);
	struct entry *entry = *at;

	assert(entry);
	*at = entry->next;
	free(entry);
	if (--table.count)
		return;
	free(table.buckets);
	table.buckets = NULL;
	table.bucket_count = 0;
}

const struct bev_kind *bev_kind(struct bufferevent *bev, void **ret_owner)
{
	if (!table.count)
		return NULL;

	struct entry *entry = *table_find(bev);

	if (!entry)
		return NULL;
	*ret_owner = entry->owner;
	return entry->kind;
}

/* ---- what goes through the kind ---- */

static const struct bev_kind *kind_of(struct bufferevent *bev, void **ret_owner)
{
	const struct bev_kind *kind = bev_kind(bev, ret_owner);

	assert(kind); /* not one of ours, or freed */
	return kind;
}

void bev_finish(struct bufferevent *bev)
{
	void *owner;

	kind_of(bev, &owner)->finish(bev, owner);
}

void bev_flush(struct bufferevent *bev)
{
	void *owner;
	const struct bev_kind *kind = kind_of(bev, &owner);

	if (kind->flush)
		kind->flush(bev, owner);
}

void bev_free(struct bufferevent *bev)
{
	void *owner;

	if (bev)
		kind_of(bev, &owner)->free(bev, owner);
}

void bev_reset(struct bufferevent *bev)
{
	void *owner;

	if (bev)
		kind_of(bev, &owner)->reset(bev, owner);
}

int bev_error(struct bufferevent *bev)
{
	void *owner;

	return kind_of(bev, &owner)->error(bev, owner);
}

bool bev_at_eof(struct bufferevent *bev)
{
	void *owner;

	return kind_of(bev, &owner)->at_eof(bev, owner);
}

uint64_t bev_held_until_ms(struct bufferevent *bev)
{
	void *owner;
	const struct bev_kind *kind = kind_of(bev, &owner);

	return kind->held_until_ms ? kind->held_until_ms(bev, owner) : 0;
}

size_t bev_undelivered(struct bufferevent *bev)
{
	void *owner;
	const struct bev_kind *kind = kind_of(bev, &owner);
	size_t waiting = evbuffer_get_length(bufferevent_get_output(bev));

	return waiting + (kind->in_transit ? kind->in_transit(bev, owner) : 0);
}

/* ---- what does not ---- */

static size_t room(struct bufferevent *bev, short direction, struct evbuffer *buffer)
{
	size_t high, filled = evbuffer_get_length(buffer);

	bufferevent_getwatermark(bev, direction, NULL, &high);
	if (high == 0) /* no limit, as everywhere in libevent */
		return SIZE_MAX;
	return high > filled ? high - filled : 0;
}

size_t bev_room(struct bufferevent *bev)
{
	return room(bev, EV_WRITE, bufferevent_get_output(bev));
}

bool bev_full(struct bufferevent *bev)
{
	return bev_room(bev) == 0;
}

size_t bev_input_room(struct bufferevent *bev)
{
	return room(bev, EV_READ, bufferevent_get_input(bev));
}

bool bev_input_full(struct bufferevent *bev)
{
	return bev_input_room(bev) == 0;
}

struct bufferevent *bev_bare_new(struct loop *loop)
{
	struct bufferevent *bev = bufferevent_socket_new(loop_base(loop), -1, 0);

	if (!bev)
		abort(); /* out of memory */
	/* Enabled, libevent would add its own events for the descriptor that is not there, and the
	 * loop never be idle. */
	bufferevent_disable(bev, EV_READ | EV_WRITE);
	bufferevent_setwatermark(bev, EV_READ, 0, BEV_HIGH_MARK);
	bufferevent_setwatermark(bev, EV_WRITE, BEV_LOW_MARK, BEV_HIGH_MARK);
	return bev;
}

/* ---- reports ---- */

/* Between two callbacks the user may have freed the bufferevent (and us with it, but not before the
 * pass ends), and then nothing is due any more. */
static bool take_due(struct bev_reports *r, enum bev_report report)
{
	bool due = r->due & report;

	r->due &= ~(unsigned)report;
	return due;
}

static void tell(void *arg)
{
	struct bev_reports *r = arg;

	if (take_due(r, BEV_REPORT_READ))
		bufferevent_trigger(r->bev, EV_READ, 0);
	if (take_due(r, BEV_REPORT_WRITE))
		bufferevent_trigger(r->bev, EV_WRITE, 0);
	if (take_due(r, BEV_REPORT_EOF)) {
		r->eof_told = true;
		bufferevent_trigger_event(r->bev, BEV_EVENT_EOF | BEV_EVENT_READING, 0);
	}
	if (take_due(r, BEV_REPORT_ERROR)) {
		r->error_told = true;
		bufferevent_trigger_event(r->bev, (short)(BEV_EVENT_ERROR | r->error_direction), 0);
	}
}

void bev_reports_init(struct bev_reports *r, struct loop *loop, struct bufferevent *bev)
{
	*r = (struct bev_reports){.bev = bev};
	task_init(&r->task, loop, tell, r);
}

static void note(struct bev_reports *r, enum bev_report report)
{
	r->due |= report;
	task_schedule(&r->task);
}

void bev_reports_note(struct bev_reports *r, enum bev_report report)
{
	if (r->error || (report == BEV_REPORT_EOF && r->eof_told))
		return;
	note(r, report);
}

void bev_reports_note_error(struct bev_reports *r, short direction, int error)
{
	if (r->error)
		return;
	r->error = error;
	r->error_direction = direction;
	note(r, BEV_REPORT_ERROR);
}

void bev_reports_note_drained(struct bev_reports *r, size_t before)
{
	size_t low, now = evbuffer_get_length(bufferevent_get_output(r->bev));

	bufferevent_getwatermark(r->bev, EV_WRITE, &low, NULL);
	if (before > low && now <= low)
		bev_reports_note(r, BEV_REPORT_WRITE);
}

void bev_reports_stop(struct bev_reports *r)
{
	r->due = 0;
	task_cancel(&r->task);
	bufferevent_setcb(r->bev, NULL, NULL, NULL, NULL);
}
