#include "loop_rig.h"

#include <sys/socket.h>
#include <unistd.h>

/* ---- tasks ---- */

static void test_tasks_run_in_order_once_each(void **state)
{
	struct loop *loop = *state;
	struct task a, b;

	task_init(&a, loop, note_string, LETTER("a"));
	task_init(&b, loop, note_string, LETTER("b"));
	task_schedule(&b);
	task_schedule(&a);
	task_schedule(&b);
	assert_true(task_is_scheduled(&b));
	loop_pass(loop, LOOP_NO_WAIT);
	assert_string_equal(trace, "ba");
	assert_false(task_is_scheduled(&b));
	loop_pass(loop, LOOP_NO_WAIT);
	assert_string_equal(trace, "ba");
}

static void test_a_cancelled_task_does_not_run(void **state)
{
	struct loop *loop = *state;
	struct task a;

	task_init(&a, loop, note_string, LETTER("a"));
	task_cancel(&a);
	task_schedule(&a);
	task_cancel(&a);
	assert_false(task_is_scheduled(&a));
	loop_pass(loop, LOOP_NO_WAIT);
	assert_string_equal(trace, "");
}

struct chain {
	struct task task;
	struct task *next;
	char letter;
};

static void run_chain(void *arg)
{
	struct chain *c = arg;

	note(c->letter);
	if (c->next)
		task_schedule(c->next);
}

static void test_what_a_task_schedules_runs_in_the_same_pass(void **state)
{
	struct loop *loop = *state;
	struct chain a = {.letter = 'a'}, b = {.letter = 'b'};

	task_init(&a.task, loop, run_chain, &a);
	task_init(&b.task, loop, run_chain, &b);
	a.next = &b.task;
	task_schedule(&a.task);
	loop_pass(loop, LOOP_NO_WAIT);
	assert_string_equal(trace, "ab");
}

static void test_a_task_that_schedules_itself_runs_once_a_pass(void **state)
{
	struct loop *loop = *state;
	struct chain a = {.letter = 'a'}, b = {.letter = 'b'};

	task_init(&a.task, loop, run_chain, &a);
	task_init(&b.task, loop, run_chain, &b);
	a.next = &b.task;
	b.next = &a.task;
	task_schedule(&a.task);
	assert_true(loop_pass(loop, LOOP_WAIT));
	assert_string_equal(trace, "ab");
	assert_true(loop_pass(loop, LOOP_WAIT));
	assert_string_equal(trace, "abab");
	task_cancel(&a.task);
	loop_pass(loop, LOOP_NO_WAIT);
	assert_string_equal(trace, "abab");
}

/* ---- the graveyard ---- */

static void note_burial(void *object)
{
	struct chain *c = object;

	note(c->letter);
}

struct dying {
	struct loop *loop;
	struct task task;
	struct chain ghost;
};

static void die(void *arg)
{
	struct dying *d = arg;

	loop_bury(d->loop, note_burial, &d->ghost);
	note('d');
}

static void test_the_dead_are_freed_after_the_tasks_of_the_pass(void **state)
{
	struct loop *loop = *state;
	struct dying d = {.loop = loop, .ghost = {.letter = 'g'}};
	struct task later;

	task_init(&d.task, loop, die, &d);
	task_init(&later, loop, note_string, LETTER("t"));
	task_schedule(&d.task);
	task_schedule(&later);
	loop_pass(loop, LOOP_NO_WAIT);
	assert_string_equal(trace, "dtg");
}

static void bury_again(void *object)
{
	struct dying *d = object;

	note('1');
	loop_bury(d->loop, note_burial, &d->ghost);
}

static void test_a_burial_may_bury(void **state)
{
	struct loop *loop = *state;
	struct dying d = {.loop = loop, .ghost = {.letter = '2'}};

	loop_bury(loop, bury_again, &d);
	loop_pass(loop, LOOP_NO_WAIT);
	assert_string_equal(trace, "12");
}

static void test_the_dead_are_freed_when_the_loop_goes(void **state)
{
	struct chain ghost = {.letter = 'g'};

	loop_bury(*state, note_burial, &ghost);
	loop_free(*state);
	*state = NULL;
	assert_string_equal(trace, "g");
}

static void test_a_grave_does_not_wait_for_an_event(void **state)
{
	struct loop *loop = *state;
	struct chain ghost = {.letter = 'g'};
	int ends[2];

	/* Something that never becomes ready: a pass that waited for it would not end. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	struct event *never = event_new(loop_base(loop), ends[0], EV_READ, NULL, NULL);
	event_add(never, NULL);
	loop_bury(loop, note_burial, &ghost);
	assert_true(loop_pass(loop, LOOP_WAIT));
	assert_string_equal(trace, "g");
	event_free(never);
	close(ends[0]);
	close(ends[1]);
}

/* ---- passes ---- */

static void test_a_loop_with_nothing_to_wait_for_says_so(void **state)
{
	assert_false(loop_pass(*state, LOOP_WAIT));
	assert_int_equal(loop_pass_count(*state), 1);
}

static struct event *first_event;

static void add_first_event(void *arg)
{
	struct timeval now = {0};

	(void)arg;
	event_add(first_event, &now);
}

static void on_first_event(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	note('e');
}

static void test_an_event_that_a_task_adds_is_waited_for(void **state)
{
	struct loop *loop = *state;
	struct task task;

	first_event = event_new(loop_base(loop), -1, 0, on_first_event, NULL);
	task_init(&task, loop, add_first_event, NULL);
	task_schedule(&task);
	assert_true(loop_pass(loop, LOOP_NO_WAIT));
	loop_run(loop);
	assert_string_equal(trace, "e");
	event_free(first_event);
}

static void stop_loop(void *arg)
{
	note('s');
	loop_stop(arg);
}

static void test_stop_ends_the_run_after_its_pass(void **state)
{
	struct loop *loop = *state;
	struct task stop, after;

	task_init(&stop, loop, stop_loop, loop);
	task_init(&after, loop, note_string, LETTER("a"));
	task_schedule(&stop);
	task_schedule(&after);
	loop_run(loop);
	assert_string_equal(trace, "sa");
	assert_int_equal(loop_pass_count(loop), 1);
}

/* ---- timers ---- */

static void test_tasks_of_a_timer_run_before_the_next_timer(void **state)
{
	struct loop *loop = *state;
	struct task task;
	struct timer a, b;
	struct chain c = {.letter = 'a', .next = &task};

	task_init(&task, loop, note_string, LETTER("t"));
	timer_init(&a, loop, run_chain, &c);
	timer_init(&b, loop, note_string, LETTER("b"));
	timer_start(&a, 10);
	timer_start(&b, 20);
	loop_fake_advance(loop, 20);
	assert_string_equal(trace, "atb");
}

/* ---- the clock ---- */

static void test_a_suspend_moves_all_but_the_monotonic_clock(void **state)
{
	(void)state;
	clock_fake_suspend(60000);
	assert_int_equal(clock_now_ms(), 1000);
	assert_int_equal(clock_now_us(), 1000000);
	assert_int_equal(clock_boot_ms(), 61000);
	assert_int_equal(clock_wall(), 1700000060);
	clock_fake_advance(5);
	assert_int_equal(clock_now_ms(), 1005);
	assert_int_equal(clock_boot_ms(), 61005);
}

static void test_the_real_clock_moves(void **state)
{
	(void)state;
	clock_fake_stop();
	assert_false(clock_is_fake());
	uint64_t us = clock_now_us();
	assert_true(clock_now_us() >= us);
	assert_true(clock_wall() > 1700000000);
	uint64_t ms = clock_now_ms();
	assert_true(clock_boot_ms() >= ms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(test_tasks_run_in_order_once_each),
	    TEST(test_a_cancelled_task_does_not_run),
	    TEST(test_what_a_task_schedules_runs_in_the_same_pass),
	    TEST(test_a_task_that_schedules_itself_runs_once_a_pass),
	    TEST(test_the_dead_are_freed_after_the_tasks_of_the_pass),
	    TEST(test_a_burial_may_bury),
	    TEST(test_the_dead_are_freed_when_the_loop_goes),
	    TEST(test_a_grave_does_not_wait_for_an_event),
	    TEST(test_a_loop_with_nothing_to_wait_for_says_so),
	    TEST(test_an_event_that_a_task_adds_is_waited_for),
	    TEST(test_stop_ends_the_run_after_its_pass),
	    TEST(test_tasks_of_a_timer_run_before_the_next_timer),
	    TEST(test_a_suspend_moves_all_but_the_monotonic_clock),
	    TEST(test_the_real_clock_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
