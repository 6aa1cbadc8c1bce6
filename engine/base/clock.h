/*
 * clock: time comes from outside, so that a test or a replay can be any time it likes.
 * Wall time is boot time plus an offset: it never goes backward and is slewed to the system's
 * wall clock at 0.5 ms per ms when that is stepped.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

struct clock {
	/* Both take `self`; set by clock_system() or by a test. */
	uint64_t (*monotonic_ns)(void *self); /* never backward; counts suspend (BOOTTIME) */
	uint64_t (*wall_ms)(void *self);      /* unix time as the system says, may step */
	void *self;
	/* Slewing state: private to clock.c. */
	uint64_t last_monotonic_ns;
	uint64_t last_wall_ms;
};

void clock_system(struct clock *clock);
uint64_t clock_monotonic_ns(struct clock *clock);
/* Unix time in ms, never backward within a process, slewed. One thread calls this. */
uint64_t clock_wall_ms(struct clock *clock);

#endif
