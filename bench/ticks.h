/*
 * ticks: single calls timed by the processor's own counter, and what a distribution says.
 *
 * Idea:  two readings around a call, each behind what came before it (lfence on x86). A pair around
 *        nothing costs something too: its median is taken off every sample. Elsewhere than on x86
 *        the monotonic clock stands in.
 */
#ifndef BENCH_TICKS_H
#define BENCH_TICKS_H

#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__) || defined(__i386__)
#include <x86intrin.h>

static inline uint64_t ticks_begin(void)
{
	_mm_lfence();
	uint64_t ticks = __rdtsc();
	_mm_lfence();
	return ticks;
}

static inline uint64_t ticks_end(void)
{
	_mm_lfence();
	return __rdtsc();
}
#else
uint64_t ticks_begin(void);
uint64_t ticks_end(void);
#endif

/* Nanoseconds of a tick, measured for some milliseconds. */
double ticks_ns(void);
/* The median of `count` pairs around nothing; uses `samples` for it. */
uint32_t ticks_floor(uint32_t *samples, size_t count);

struct ticks_spread {
	double p50, p99, p999, max;
};
/* In nanoseconds, without the pair's floor. Sorts `samples`. */
struct ticks_spread ticks_spread(uint32_t *samples, size_t count, uint32_t floor, double ns);

#endif
