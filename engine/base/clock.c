/*
 * clock: the two times of the engine.
 *
 * Idea:  wall time is what the monotonic clock adds to an offset. The offset follows the system's
 *        wall clock, but by at most half of the time that passes, so that an interval can neither
 *        be skipped nor opened again when somebody sets the clock:
 *
 *          system    ______|~~~~~~~~~~   stepped
 *          here      ______/~~~~~~~~~~   runs at 1.5, or at 0.5, until it has caught up
 *
 * Runs on: the monotonic half on any thread, the wall half on one.
 * Never: goes backward.
 */
#include "base/clock.h"

#include <time.h>

#include "base/check.h"

#define NS_PER_MS UINT64_C(1000000)

static uint64_t system_monotonic_ns(void *self)
{
	struct timespec ts;

	(void)self;
	check(clock_gettime(CLOCK_BOOTTIME, &ts) == 0);
	return (uint64_t)ts.tv_sec * 1000 * NS_PER_MS + (uint64_t)ts.tv_nsec;
}

static uint64_t system_wall_ms(void *self)
{
	struct timespec ts;

	(void)self;
	check(clock_gettime(CLOCK_REALTIME, &ts) == 0);
	/* A clock before 1970 is a machine without a battery: start from 0 and slew. */
	if (ts.tv_sec < 0)
		return 0;
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / NS_PER_MS;
}

void clock_system(struct clock *clock)
{
	*clock = (struct clock){
		.monotonic_ns = system_monotonic_ns,
		.wall_ms = system_wall_ms,
	};
}

uint64_t clock_monotonic_ns(struct clock *clock)
{
	return clock->monotonic_ns(clock->self);
}

uint64_t clock_wall_ms(struct clock *clock)
{
	uint64_t now_ns = clock->monotonic_ns(clock->self);

	if (clock->last_wall_ms == 0) {
		clock->last_monotonic_ns = now_ns;
		clock->last_wall_ms = clock->wall_ms(clock->self);
		return clock->last_wall_ms;
	}
	check(now_ns >= clock->last_monotonic_ns);
	uint64_t elapsed_ms = (now_ns - clock->last_monotonic_ns) / NS_PER_MS;

	/* Half of one millisecond is none: a caller that comes every millisecond would never
	 * slew. What is answered here is never more than the slowest clock says one later. */
	if (elapsed_ms < 2)
		return clock->last_wall_ms + elapsed_ms;

	int64_t slew_max = (int64_t)(elapsed_ms / 2);
	int64_t off = (int64_t)clock->wall_ms(clock->self) -
		      (int64_t)(clock->last_wall_ms + elapsed_ms);

	if (off > slew_max)
		off = slew_max;
	if (off < -slew_max)
		off = -slew_max;
	/* The rest below a millisecond stays in last_monotonic_ns, or it would be lost each time.
	 */
	clock->last_monotonic_ns += elapsed_ms * NS_PER_MS;
	clock->last_wall_ms += elapsed_ms + (uint64_t)off;
	return clock->last_wall_ms;
}
