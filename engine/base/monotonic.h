/*
 * monotonic: how long something takes, and until when one waits: CLOCK_MONOTONIC. For patience,
 * pauses and durations that people are told; what an engine holds for the time is clock.h's, which
 * a test makes up.
 */
#ifndef BASE_MONOTONIC_H
#define BASE_MONOTONIC_H

#include <stdint.h>
#include <time.h>

static inline uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static inline uint64_t monotonic_ms(void)
{
	return monotonic_ns() / 1000000;
}

static inline double monotonic_s(void)
{
	return (double)monotonic_ns() / 1e9;
}

/* So many milliseconds from now, for who waits until a moment of this clock. */
static inline struct timespec monotonic_in_ms(uint32_t ms)
{
	uint64_t then = monotonic_ns() + ms * UINT64_C(1000000);

	return (struct timespec){.tv_sec = (time_t)(then / 1000000000),
				 .tv_nsec = (long)(then % 1000000000)};
}

#endif
