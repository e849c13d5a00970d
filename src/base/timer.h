/*
 * Timers: once, after a time; by the fake clock when a test uses that.
 *
 * The loop never sleeps with a timeout of its own: the kernel would set a timer of the processor at each sleep, and take it
 * back. In a virtual machine that is a way out of it and cost 20 of the 130 us of a byte there and back. All timers of a loop
 * share one timerfd, which is set only when the earliest of them comes before what it is set to.
 */
#ifndef ADIT_BASE_TIMER_H
#define ADIT_BASE_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;

struct timer {
	struct loop *loop;
	size_t place;    /* in the heap, from 1; 0 = not running */
	uint64_t due_us; /* clock_now_us() scale */
	uint64_t order;  /* that were started before: of two due together the older fires first */
	void (*run)(void *arg);
	void *arg;
};

void timer_init(struct timer *timer, struct loop *loop, void (*run)(void *arg), void *arg);
void timer_start(struct timer *timer, uint64_t after_ms); /* restarts a running one */
void timer_stop(struct timer *timer);                     /* legal when it does not run */
bool timer_is_running(const struct timer *timer);
/* Rounded up; 0 when it does not run or is due. */
uint64_t timer_left_ms(const struct timer *timer);

/* ---- for the loop ---- */

/* The running timers of a loop: a heap whose first is the earliest. */
struct timers {
	struct timer **heap;
	size_t count, room;
	uint64_t started; /* how many, ever */
	int fd;
	uint64_t set_us; /* what the timerfd is set to; 0 = to nothing */
};

/* Opens the timerfd, which becomes readable when a timer may be due. Returns false when there is no descriptor. */
bool timers_init(struct timers *timers);
void timers_clear(struct timers *timers); /* running ones are forgotten */
void timers_set(struct timers *timers);   /* before a sleep */
void timers_run(struct timers *timers);   /* after the timerfd became readable: fires what is due */
struct timer *timers_first(const struct timers *timers); /* the earliest; NULL = none runs */
void timers_fire(struct timer *timer);

#endif
