#include "base/clock.h"

static struct {
	bool on;
	uint64_t mono_ms;
	uint64_t boot_ms;
	uint64_t wall_ms;
} fake;

static uint64_t read_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

uint64_t clock_now_ms(void)
{
	return fake.on ? fake.mono_ms : read_us(CLOCK_MONOTONIC) / 1000u;
}

uint64_t clock_now_us(void)
{
	return fake.on ? fake.mono_ms * 1000u : read_us(CLOCK_MONOTONIC);
}

uint64_t clock_boot_ms(void)
{
	return fake.on ? fake.boot_ms : read_us(CLOCK_BOOTTIME) / 1000u;
}

uint64_t clock_wall_ms(void)
{
	return fake.on ? fake.wall_ms : read_us(CLOCK_REALTIME) / 1000u;
}

time_t clock_wall(void)
{
	return (time_t)(clock_wall_ms() / 1000u);
}

void clock_fake_start(uint64_t now_ms, time_t wall)
{
	fake.on = true;
	fake.mono_ms = now_ms;
	fake.boot_ms = now_ms;
	fake.wall_ms = (uint64_t)wall * 1000u;
}

void clock_fake_advance(uint64_t ms)
{
	fake.mono_ms += ms;
	clock_fake_suspend(ms);
}

void clock_fake_suspend(uint64_t ms)
{
	fake.boot_ms += ms;
	fake.wall_ms += ms;
}

void clock_fake_stop(void)
{
	fake.on = false;
}

bool clock_is_fake(void)
{
	return fake.on;
}
