/*
 * A loop under a clock that is turned by hand, and a trace of what happened.
 */
#ifndef ADIT_TESTS_UNIT_BASE_LOOP_RIG_H
#define ADIT_TESTS_UNIT_BASE_LOOP_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/clock.h"
#include "base/loop.h"

/* A letter for each thing that happened. */
static char trace[64];

static void note(char letter)
{
	size_t n = strlen(trace);

	assert_true(n + 1 < sizeof(trace));
	trace[n] = letter;
	trace[n + 1] = '\0';
}

#define LETTER(text) ((char[]){text})

/* For tasks and timers, with LETTER() as their argument. */
static void note_string(void *arg)
{
	note(*(const char *)arg);
}

static int setup(void **state)
{
	trace[0] = '\0';
	clock_fake_start(1000, 1700000000);
	*state = loop_new();
	return 0;
}

static int teardown(void **state)
{
	loop_free(*state);
	clock_fake_stop();
	return 0;
}

#endif
