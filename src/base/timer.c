#include "base/timer.h"

#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/mem.h"

enum { ROOM_MIN = 16 };

/* ---- the heap: the children of place n are at 2n and 2n + 1 ---- */

static bool is_before(const struct timer *a, const struct timer *b)
{
	return a->due_us != b->due_us ? a->due_us < b->due_us : a->order < b->order;
}

static struct timer *at(const struct timers *timers, size_t place)
{
	return timers->heap[place - 1];
}

static void put(struct timers *timers, size_t place, struct timer *timer)
{
	timers->heap[place - 1] = timer;
	timer->place = place;
}

static void rise(struct timers *timers, struct timer *timer, size_t place)
{
	for (; place > 1 && is_before(timer, at(timers, place / 2)); place /= 2)
		put(timers, place, at(timers, place / 2));
	put(timers, place, timer);
}

static void sink(struct timers *timers, struct timer *timer, size_t place)
{
	for (size_t child; (child = 2 * place) <= timers->count; place = child) {
		if (child < timers->count && is_before(at(timers, child + 1), at(timers, child)))
			child++;
		if (!is_before(at(timers, child), timer))
			break;
		put(timers, place, at(timers, child));
	}
	put(timers, place, timer);
}

static void add(struct timers *timers, struct timer *timer)
{
	if (timers->count == timers->room) {
		timers->room = timers->room ? 2 * timers->room : ROOM_MIN;
		timers->heap = mem_grow(timers->heap, timers->room, sizeof(struct timer *));
	}
	timers->count++;
	rise(timers, timer, timers->count);
}

static void take_out(struct timers *timers, struct timer *timer)
{
	size_t place = timer->place;
	struct timer *last = at(timers, timers->count--);

	timer->place = 0;
	if (last == timer)
		return;
	sink(timers, last, place);
	rise(timers, last, last->place);
}

/* ---- for everybody ---- */

void timer_init(struct timer *timer, struct loop *loop, void (*run)(void *arg), void *arg)
{
	*timer = (struct timer){.loop = loop, .run = run, .arg = arg};
}

void timer_start(struct timer *timer, uint64_t after_ms)
{
	struct timers *timers = loop_timers(timer->loop);

	timer_stop(timer);
	timer->order = timers->started++;
	timer->due_us = clock_now_us() + after_ms * 1000;
	add(timers, timer);
}

void timer_stop(struct timer *timer)
{
	if (timer->place)
		take_out(loop_timers(timer->loop), timer);
}

bool timer_is_running(const struct timer *timer)
{
	return timer->place > 0;
}

uint64_t timer_left_ms(const struct timer *timer)
{
	uint64_t now_us = clock_now_us();

	return timer_is_running(timer) && timer->due_us > now_us
		   ? (timer->due_us - now_us + 999) / 1000
		   : 0;
}

/* ---- for the loop ---- */

bool timers_init(struct timers *timers)
{
	*timers =
	    (struct timers){.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)};
	return timers->fd >= 0;
}

void timers_clear(struct timers *timers)
{
	close(timers->fd);
	free(timers->heap);
}

struct timer *timers_first(const struct timers *timers)
{
	return timers->count ? at(timers, 1) : NULL;
}

void timers_set(struct timers *timers)
{
	const struct timer *first = timers_first(timers);

	/* One that was stopped, or started anew, leaves it set too early: it is cheaper to wake up once for nothing. */
	if (!first || (timers->set_us && timers->set_us <= first->due_us))
		return;

	struct itimerspec at_due = {.it_value = {.tv_sec = (time_t)(first->due_us / 1000000),
					.tv_nsec = (long)(first->due_us % 1000000 * 1000)}};

	(void)timerfd_settime(
	    timers->fd, TFD_TIMER_ABSTIME, &at_due, NULL); /* the values are good */
	timers->set_us = first->due_us;
}

void timers_run(struct timers *timers)
{
	uint64_t now_us = clock_now_us(), already = timers->started;
	struct timer *timer;

	timers->set_us = 0;
	/* Those that these start with no time at all wait for the next pass. */
	while ((timer = timers_first(timers)) && timer->due_us <= now_us && timer->order < already)
		timers_fire(timer);
}

void timers_fire(struct timer *timer)
{
	timer_stop(timer);
	timer->run(timer->arg); /* which may free it */
}
