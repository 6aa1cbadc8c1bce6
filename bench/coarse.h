/*
 * coarse: the coarse clock as cheaply as it can be had, for limits and peers: what weir is compared
 * with must not lose by a slower way to the time of day.
 */
#ifndef BENCH_COARSE_H
#define BENCH_COARSE_H

#include <stdint.h>
#include <time.h>

/* clock_gettime(), or the kernel's own behind it, once coarse_find() has found that. */
extern int (*coarse_clock)(clockid_t, struct timespec *);
/* Once, before the first coarse_ms(). */
void coarse_find(void);

static inline uint64_t coarse_ms(void)
{
	struct timespec now;
	coarse_clock(CLOCK_REALTIME_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint32_t)now.tv_nsec / 1000000u;
}

#endif
