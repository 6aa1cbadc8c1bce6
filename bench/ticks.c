/*
 * ticks: single calls timed by the processor's own counter; see ticks.h.
 */
#include "ticks.h"

#include <stdlib.h>

#include "producer.h"

#define CALIBRATE_NS 20000000u

#if !defined(__x86_64__) && !defined(__i386__)
uint64_t ticks_begin(void)
{
	return monotonic_ns();
}

uint64_t ticks_end(void)
{
	return monotonic_ns();
}
#endif

double ticks_ns(void)
{
	uint64_t from_ns = monotonic_ns(), from = ticks_begin(), now_ns;
	do {
		now_ns = monotonic_ns();
	} while (now_ns - from_ns < CALIBRATE_NS);
	return (double)(now_ns - from_ns) / (double)(ticks_end() - from);
}

static int compare(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
	return (left > right) - (left < right);
}

uint32_t ticks_floor(uint32_t *samples, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t from = ticks_begin();
		samples[i] = (uint32_t)(ticks_end() - from);
	}
	qsort(samples, count, sizeof(*samples), compare);
	return samples[count / 2];
}

static double at(const uint32_t *samples, size_t index, uint32_t floor, double ns)
{
	return samples[index] > floor ? (samples[index] - floor) * ns : 0;
}

struct ticks_spread ticks_spread(uint32_t *samples, size_t count, uint32_t floor, double ns)
{
	qsort(samples, count, sizeof(*samples), compare);
	return (struct ticks_spread){
		.p50 = at(samples, count / 2, floor, ns),
		.p99 = at(samples, count - 1 - count / 100, floor, ns),
		.p999 = at(samples, count - 1 - count / 1000, floor, ns),
		.max = at(samples, count - 1, floor, ns),
	};
}
