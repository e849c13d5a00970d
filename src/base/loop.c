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
	struct list timers; /* the running ones */
	bool stop;
	uint64_t passes;
};

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
	if (!loop->base) {
		log_error(
		    NULL, "no-event-loop", "reason=%s", "the kernel gives no epoll descriptor");
		abort();
	}
	list_init(&loop->tasks);
	list_init(&loop->next_pass);
	list_init(&loop->graves);
	list_init(&loop->timers);
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

bool loop_pass(struct loop *loop, enum loop_wait wait)
{
	int flags = EVLOOP_ONCE;

	if (wait == LOOP_NO_WAIT || !list_empty(&loop->tasks) || !list_empty(&loop->graves))
		flags |= EVLOOP_NONBLOCK;
	loop->passes++;
	event_base_loop(loop->base, flags);
	run_tasks(loop);
	empty_graveyard(loop);
	/* Asked now: a task may have added the first event, a grave may have held the last. */
	return event_base_get_num_events(
		   loop->base, EVENT_BASE_COUNT_ADDED | EVENT_BASE_COUNT_ACTIVE) > 0 ||
	       !list_empty(&loop->tasks);
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

static void fire(struct timer *timer)
{
	timer_stop(timer);
	timer->run(timer->arg);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	fire(arg);
}

void timer_init(struct timer *timer, struct loop *loop, void (*run)(void *arg), void *arg)
{
	event_assign(&timer->event, loop->base, -1, 0, on_timer, timer);
	list_init(&timer->node);
	timer->loop = loop;
	timer->due_ms = 0;
	timer->run = run;
	timer->arg = arg;
}

void timer_start(struct timer *timer, uint64_t after_ms)
{
	struct timeval tv = {
	    .tv_sec = (time_t)(after_ms / 1000), .tv_usec = (suseconds_t)(after_ms % 1000 * 1000)};

	list_remove(&timer->node);
	list_append(&timer->loop->timers, &timer->node);
	timer->due_ms = clock_now_ms() + after_ms;
	if (!clock_is_fake())
		event_add(&timer->event, &tv);
}

void timer_stop(struct timer *timer)
{
	list_remove(&timer->node);
	timer->due_ms = 0;
	event_del(&timer->event);
}

bool timer_is_running(const struct timer *timer)
{
	return !list_empty(&timer->node);
}

uint64_t timer_left_ms(const struct timer *timer)
{
	uint64_t now = clock_now_ms();

	return timer_is_running(timer) && timer->due_ms > now ? timer->due_ms - now : 0;
}

static struct timer *earliest(struct loop *loop)
{
	struct timer *first = NULL;

	LIST_FOREACH(node, &loop->timers)
	{
		struct timer *timer = CONTAINER_OF(node, struct timer, node);

		if (!first || timer->due_ms < first->due_ms)
			first = timer;
	}
	return first;
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
	while ((timer = earliest(loop)) && timer->due_ms <= end) {
		uint64_t now = clock_now_ms();

		clock_fake_advance(timer->due_ms > now ? timer->due_ms - now : 0);
		fire(timer);
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
