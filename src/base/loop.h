/*
 * The event loop: libevent's, one pass at a time, with what libevent leaves open.
 *
 * A pass has three phases. First libevent runs what is ready, and the timers that are due fire (base/timer.h). Then the
 * tasks that were scheduled run, in order, each once: pumps and flushes that gather what a pass produced; what a task
 * schedules runs in the same phase, but no task twice: one that ran already runs again in the next pass. Last the graveyard is
 * emptied: objects that died in a callback of this pass are freed when nobody can be inside them any more.
 */
#ifndef ADIT_BASE_LOOP_H
#define ADIT_BASE_LOOP_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "base/timer.h"

struct loop;

struct loop *loop_new(void);       /* ends the process when the kernel gives no epoll descriptor */
void loop_free(struct loop *loop); /* buries everything first; events of others must be gone */
struct event_base *loop_base(struct loop *loop);

void loop_run(struct loop *loop);  /* until loop_stop() */
void loop_stop(struct loop *loop); /* at the end of the current pass */

enum loop_wait { LOOP_WAIT, LOOP_NO_WAIT };
/* One pass. With LOOP_WAIT it sleeps until something is ready. Returns false when there is nothing to wait for. */
bool loop_pass(struct loop *loop, enum loop_wait wait);
uint64_t loop_pass_count(const struct loop *loop); /* how often it turned: for tests */

/* ---- tasks: at the end of the pass ---- */

struct task {
	struct list node;
	struct loop *loop;
	uint64_t last_pass; /* in which it ran */
	void (*run)(void *arg);
	void *arg;
};

void task_init(struct task *task, struct loop *loop, void (*run)(void *arg), void *arg);
void task_schedule(struct task *task); /* nothing if it is scheduled already */
void task_cancel(struct task *task);
bool task_is_scheduled(const struct task *task);

/* ---- timers ---- */

struct timers *loop_timers(struct loop *loop);

/* For tests under clock_fake_start(): moves time and runs the timers that fall due, each at its own moment and in order,
 * with a pass of the loop (LOOP_NO_WAIT) after each. */
void loop_fake_advance(struct loop *loop, uint64_t ms);

/* ---- the graveyard ---- */

/* Calls free_object(object) at the end of the pass. The loop takes the object. */
void loop_bury(struct loop *loop, void (*free_object)(void *object), void *object);

#endif
