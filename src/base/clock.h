/*
 * Time. Everything that waits or measures asks here, so that a test can turn the clock by hand.
 */
#ifndef ADIT_BASE_CLOCK_H
#define ADIT_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

uint64_t clock_now_ms(void); /* CLOCK_MONOTONIC */
uint64_t clock_now_us(void); /* CLOCK_MONOTONIC; for round-trip times */
/* CLOCK_BOOTTIME: runs on while the machine sleeps, so the difference to clock_now_ms() grows by a suspend. */
uint64_t clock_boot_ms(void);
time_t clock_wall(void); /* CLOCK_REALTIME, seconds: dates of certificates */
uint64_t clock_wall_ms(void);

/* For tests: from here on time stands still at the given values until clock_fake_advance(). Wall time moves along. */
void clock_fake_start(uint64_t now_ms, time_t wall);
void clock_fake_advance(uint64_t ms); /* timers: use loop_fake_advance(), which calls this */
void clock_fake_suspend(
    uint64_t ms); /* only boot time and wall time move, as in a suspended machine */
void clock_fake_stop(void);
bool clock_is_fake(void);

#endif
