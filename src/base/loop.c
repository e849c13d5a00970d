#include "base/loop.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

struct grave {
	struct list node;
	void (*free_object)(void *object);
	void *object;
};

struct loop {
	struct event_base *base;
	struct list tasks;
	struct list next_pass; /* tasks that ran in this pass and were scheduled again */
	struct list graves;
	struct timers timers;
	struct event timers_event;
	bool timers_due;
	bool stop;
	uint64_t passes;
};

static void on_timers_due(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;

	(void)fd;
	(void)what;
	loop->timers_due = true;
}

static void log_from_libevent(int severity, const char *text)
{
	if (severity == EVENT_LOG_ERR)
		log_error(NULL, "libevent", "text=%s", text);
	else if (severity == EVENT_LOG_WARN)
		log_warning(NULL, "libevent", "text=%s", text);
	else
		log_debug(NULL, "libevent", "text=%s", text);
}

struct loop *loop_new(void)
{
	struct loop *loop = NEW(struct loop);
	struct event_config *config = event_config_new();

	event_set_log_callback(log_from_libevent);
	/* Nobody adds events from another thread. */
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	/* net/bev_socket needs edges and hang-ups, so epoll, whatever $EVENT_NOEPOLL says. */
	event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV);
	event_config_require_features(config, EV_FEATURE_ET | EV_FEATURE_EARLY_CLOSE);
	loop->base = event_base_new_with_config(config);
	event_config_free(config);
	if (!loop->base || !timers_init(&loop->timers)) {
		log_error(NULL, "no-event-loop", "reason=%s",
		    "the kernel gives no descriptor for epoll and timers");
		abort();
	}
	/* Edge-triggered: setting it anew also takes back what nobody read. */
	event_assign(&loop->timers_event, loop->base, loop->timers.fd, EV_READ | EV_ET | EV_PERSIST,
	    on_timers_due, loop);
	event_add(&loop->timers_event, NULL);
	list_init(&loop->tasks);
	list_init(&loop->next_pass);
	list_init(&loop->graves);
	return loop;
}

static void empty_graveyard(struct loop *loop)
{
	struct list *node;

	while ((node = list_shift(&loop->graves))) {
		struct grave *grave = CONTAINER_OF(node, struct grave, node);

		grave->free_object(grave->object);
		free(grave);
	}
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	empty_graveyard(loop);
	event_del(&loop->timers_event);
	timers_clear(&loop->timers);
	event_base_free(loop->base);
	free(loop);
}

struct event_base *loop_base(struct loop *loop)
{
	return loop->base;
}

static void run_tasks(struct loop *loop)
{
	struct list *node;

	while ((node = list_shift(&loop->tasks))) {
		struct task *task = CONTAINER_OF(node, struct task, node);

		task->last_pass = loop->passes;
		task->run(task->arg); /* which may free it */
	}
	list_splice(&loop->tasks, &loop->next_pass);
}

static bool waits_for_something(const struct loop *loop)
{
	/* Not counting the event of the timers, which is always there. */
	return event_base_get_num_events(
		   loop->base, EVENT_BASE_COUNT_ADDED | EVENT_BASE_COUNT_ACTIVE) > 1 ||
	       (timers_first(&loop->timers) && !clock_is_fake()) || !list_empty(&loop->tasks);
}

bool loop_pass(struct loop *loop, enum loop_wait wait)
{
	int flags = EVLOOP_ONCE;

	if (wait == LOOP_NO_WAIT || !list_empty(&loop->tasks) || !list_empty(&loop->graves) ||
	    !waits_for_something(loop))
		flags |= EVLOOP_NONBLOCK;
	loop->passes++;
	if (!clock_is_fake())
		timers_set(&loop->timers);
	event_base_loop(loop->base, flags);
	if (loop->timers_due) {
		loop->timers_due = false;
		timers_run(&loop->timers);
	}
	run_tasks(loop);
	empty_graveyard(loop);
	/* Asked now: a task may have added the first event, a grave may have held the last. */
	return waits_for_something(loop);
}

void loop_run(struct loop *loop)
{
	loop->stop = false;
	while (!loop->stop && loop_pass(loop, LOOP_WAIT))
		;
}

void loop_stop(struct loop *loop)
{
	loop->stop = true;
}

uint64_t loop_pass_count(const struct loop *loop)
{
	return loop->passes;
}

void task_init(struct task *task, struct loop *loop, void (*run)(void *arg), void *arg)
{
	list_init(&task->node);
	task->loop = loop;
	task->last_pass = UINT64_MAX;
	task->run = run;
	task->arg = arg;
}

void task_schedule(struct task *task)
{
	struct loop *loop = task->loop;

	if (list_empty(&task->node))
		list_append(
		    task->last_pass == loop->passes ? &loop->next_pass : &loop->tasks, &task->node);
}

void task_cancel(struct task *task)
{
	list_remove(&task->node);
}

bool task_is_scheduled(const struct task *task)
{
	return !list_empty(&task->node);
}

struct timers *loop_timers(struct loop *loop)
{
	return &loop->timers;
}

static void settle(struct loop *loop)
{
	/* A bound, so that a test with a bug ends. */
	for (int i = 0; i < 1000; i++) {
		loop_pass(loop, LOOP_NO_WAIT);
		if (list_empty(&loop->tasks) &&
		    event_base_get_num_events(loop->base, EVENT_BASE_COUNT_ACTIVE) == 0)
			return;
	}
}

void loop_fake_advance(struct loop *loop, uint64_t ms)
{
	uint64_t end = clock_now_ms() + ms;
	struct timer *timer;

	settle(loop);
	while ((timer = timers_first(&loop->timers)) && timer->due_us <= end * 1000) {
		clock_fake_advance(timer_left_ms(timer));
		timers_fire(timer);
		settle(loop);
	}
	if (end > clock_now_ms())
		clock_fake_advance(end - clock_now_ms());
	settle(loop);
}

void loop_bury(struct loop *loop, void (*free_object)(void *object), void *object)
{
	struct grave *grave = NEW(struct grave);

	grave->free_object = free_object;
	grave->object = object;
	list_append(&loop->graves, &grave->node);
}
