/*
 * seasonal_build: see seasonal_build.h.
 *
 * Runs on: any thread.
 */
#include "detect/seasonal_build.h"

#include <stddef.h>

/* Fuzz targets have the one that they watch. */
#if defined(__x86_64__) && !defined(SEASONAL_PLAIN)
extern const struct detector_ops avx2_seasonal, avx512_seasonal;

static const struct detector_ops *wide(uint32_t n)
{
	__builtin_cpu_init();
	if (n == 2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
		return &avx512_seasonal;
	return n == 1 && __builtin_cpu_supports("avx2") ? &avx2_seasonal : NULL;
}
#else
static const struct detector_ops *wide(uint32_t n)
{
	(void)n;
	return NULL;
}
#endif

const struct detector_ops *seasonal_build(uint32_t n)
{
	return n == 0 ? &detector_seasonal : wide(n);
}

const struct detector_ops *seasonal_here(void)
{
	const struct detector_ops *best = NULL;

	for (uint32_t n = SEASONAL_BUILDS; n > 0 && !best; n--)
		best = seasonal_build(n - 1);
	return best;
}
