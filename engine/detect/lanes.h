/*
 * lanes: four series side by side, or eight.
 *
 * Idea:  a detector whose step is long and without branches is written once, in GCC's vector types,
 *        and works on four series at a time (eight where the build has AVX-512); each lane is one
 *        series and never looks at another. The compiler turns it into whatever the machine has.
 *        The same source with LANES 1 is the scalar build: the same operations in the same order,
 *        so the same bits. Where an instruction is exactly what is written, and the compiler does
 *        not see it, the instruction is named.
 * Never: contracts, reassociates, calls libm (detect/math.h, a lane at a time).
 */
#ifndef DETECT_LANES_H
#define DETECT_LANES_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "detect/math.h"

#if !defined(LANES) && defined(__AVX512DQ__)
#define LANES 8
#endif
#ifndef LANES
#define LANES 4
#endif

/* Instructions that are named below. */
#if LANES == 8 && defined(__AVX512DQ__)
#define LANES_AVX512
#elif LANES == 4 && defined(__AVX2__)
#define LANES_AVX2
#endif
#if defined(LANES_AVX512) || defined(LANES_AVX2)
#include <immintrin.h>
#endif

#if LANES == 1
typedef double lanes;
typedef float lanes_short;
typedef int64_t lanes_mask;
#else
typedef double lanes __attribute__((vector_size(8 * LANES)));
typedef float lanes_short __attribute__((vector_size(4 * LANES)));  /* as kept in memory */
typedef int64_t lanes_mask __attribute__((vector_size(8 * LANES))); /* of comparisons: 0 or -1 */
#endif

/* One lane of a variable of any of these types: an lvalue. */
#if LANES == 1
#define LANE(vector, i) (*(&(vector) + (i)))
#else
#define LANE(vector, i) (vector)[i]
#endif

/* A short loop whose numbers are known to the compiler. */
#if defined(__clang__)
#define LANES_UNROLL _Pragma("clang loop unroll(full)")
#else
#define LANES_UNROLL _Pragma("GCC unroll 16")
#endif

/* A loop over lanes that stays one until the vectorizer comes: unrolled, it would be missed. */
#if defined(__clang__)
#define LANES_LOOP
#else
#define LANES_LOOP _Pragma("GCC unroll 1")
#endif

/* Whatever takes or gives vectors by value is inlined: there is no ABI to speak of, and
 * -Wno-psabi says so. */
#define LANES_INLINE static inline __attribute__((always_inline))

LANES_INLINE lanes lanes_all(double x)
{
	return (lanes){0} + x;
}

/* a where the mask is set, else b. */
LANES_INLINE lanes lanes_pick(lanes_mask mask, lanes a, lanes b)
{
#if LANES == 1
	return mask ? a : b;
#else
	return (lanes)(((lanes_mask)a & mask) | ((lanes_mask)b & ~mask));
#endif
}

LANES_INLINE lanes_mask lanes_not(lanes_mask mask)
{
#if LANES == 1
	return !mask;
#else
	return ~mask;
#endif
}

LANES_INLINE lanes_mask lanes_none(void)
{
	return (lanes_mask){0};
}

/* a where the mask is set, else 0. */
LANES_INLINE lanes lanes_where(lanes_mask mask, lanes a)
{
	return lanes_pick(mask, a, lanes_all(0));
}

LANES_INLINE bool lanes_any(lanes_mask mask)
{
#if defined(LANES_AVX512)
	return _mm512_movepi64_mask((__m512i)mask) != 0;
#elif defined(LANES_AVX2)
	return _mm256_movemask_pd((__m256d)mask) != 0;
#else
	int64_t any = 0;
	for (int i = 0; i < LANES; i++)
		any |= LANE(mask, i);
	return any != 0;
#endif
}

/* b where neither is less: of a NaN, of two zeros. */
LANES_INLINE lanes lanes_min(lanes a, lanes b)
{
#if defined(LANES_AVX512)
	return _mm512_min_pd(a, b);
#elif defined(LANES_AVX2)
	return _mm256_min_pd(a, b);
#else
	return lanes_pick(a < b, a, b);
#endif
}

LANES_INLINE lanes lanes_max(lanes a, lanes b)
{
#if defined(LANES_AVX512)
	return _mm512_max_pd(a, b);
#elif defined(LANES_AVX2)
	return _mm256_max_pd(a, b);
#else
	return lanes_pick(a > b, a, b);
#endif
}

LANES_INLINE lanes lanes_clamp(lanes x, lanes low, lanes high)
{
	return lanes_min(lanes_max(x, low), high);
}

LANES_INLINE lanes lanes_abs(lanes a)
{
#if LANES == 1
	return fabs(a);
#else
	return (lanes)((lanes_mask)a & INT64_MAX);
#endif
}

/* |a| with the sign of b. */
LANES_INLINE lanes lanes_signed(lanes a, lanes b)
{
#if LANES == 1
	return copysign(a, b);
#else
	return (lanes)(((lanes_mask)a & INT64_MAX) | ((lanes_mask)b & INT64_MIN));
#endif
}

LANES_INLINE lanes lanes_wide(lanes_short a)
{
#if defined(LANES_AVX512)
	return _mm512_cvtps_pd(a);
#elif defined(LANES_AVX2)
	return _mm256_cvtps_pd(a);
#else
	lanes ret = {0};
	for (int i = 0; i < LANES; i++)
		LANE(ret, i) = (double)LANE(a, i);
	return ret;
#endif
}

/* What is too large for a float becomes as large as one can be. */
LANES_INLINE lanes_short lanes_narrow(lanes a)
{
	a = lanes_clamp(a, lanes_all(-1e38), lanes_all(1e38));
#if defined(LANES_AVX512)
	lanes_short ret = _mm512_cvtpd_ps(a);
#elif defined(LANES_AVX2)
	lanes_short ret = _mm256_cvtpd_ps(a);
#else
	lanes_short ret = {0};
	for (int i = 0; i < LANES; i++)
		LANE(ret, i) = (float)LANE(a, i);
#endif
	/* GCC 12 takes what is narrowed and widened again for what it was, where it has vectors of
	 * both: the value must be seen to have been a float. */
#if defined(LANES_AVX512)
	__asm__("" : "+v"(ret));
#elif defined(__SSE2__)
	__asm__("" : "+x"(ret));
#else
	__asm__("" : "+m"(ret));
#endif
	return ret;
}

LANES_INLINE lanes lanes_sqrt(lanes a)
{
#if defined(LANES_AVX512)
	return _mm512_sqrt_pd(a);
#elif defined(LANES_AVX2)
	return _mm256_sqrt_pd(a);
#else
	lanes ret = {0};
	LANES_LOOP
	for (int i = 0; i < LANES; i++)
		LANE(ret, i) = sqrt(LANE(a, i));
	return ret;
#endif
}

#if defined(LANES_AVX2)
/* The first so many lanes. */
LANES_INLINE __m256i lanes_first(uint32_t count)
{
	return _mm256_cmpgt_epi64(_mm256_set1_epi64x(count), _mm256_set_epi64x(3, 2, 1, 0));
}
#endif

/* So many rows of a column, all of them at most, `other` behind them. */
LANES_INLINE lanes lanes_rows(const double *from, uint32_t count, double other)
{
#if defined(LANES_AVX512)
	return _mm512_mask_loadu_pd(lanes_all(other), (__mmask8)((1u << count) - 1), from);
#elif defined(LANES_AVX2)
	__m256i first = lanes_first(count);

	return lanes_pick((lanes_mask)first, _mm256_maskload_pd(from, first), lanes_all(other));
#else
	lanes ret = lanes_all(other);
	for (uint32_t i = 0; i < count; i++)
		LANE(ret, i) = from[i];
	return ret;
#endif
}

/* The first so many lanes into rows of a column. */
LANES_INLINE void lanes_put(double *to, uint32_t count, lanes a)
{
#if defined(LANES_AVX512)
	_mm512_mask_storeu_pd(to, (__mmask8)((1u << count) - 1), a);
#elif defined(LANES_AVX2)
	_mm256_maskstore_pd(to, lanes_first(count), a);
#else
	for (uint32_t i = 0; i < count; i++)
		to[i] = LANE(a, i);
#endif
}

/* Where a column of so many is not 0. */
LANES_INLINE lanes_mask lanes_set(const uint8_t *from, uint32_t count)
{
	lanes_mask ret = {0};

	for (uint32_t i = 0; i < count; i++)
		LANE(ret, i) = from[i] ? -1 : 0;
	return ret;
}

/* lanes_NAME(): `function` of each lane. */
#define LANES_EACH(name, function)                                                                 \
	LANES_INLINE lanes lanes_##name(lanes a)                                                   \
	{                                                                                          \
		lanes ret = {0};                                                                   \
		LANES_LOOP                                                                         \
		for (int i = 0; i < LANES; i++)                                                    \
			LANE(ret, i) = function(LANE(a, i));                                       \
		return ret;                                                                        \
	}

LANES_EACH(exp, math_exp)
LANES_EACH(log, math_log)
/* The same within 1e-8, for what is a probability: half the work. */
LANES_EACH(log_short, math_log_short)
/* 10^a for 0 <= a <= 300, within 2e-7. */
LANES_EACH(power10, math_power10)

/* -log10 of the two-sided normal tail beyond z, within 4e-4 from 1.8 to 40 and 1e-3 of it beyond:
 * log10 erfcx is nearly a rational function of z there. */
LANES_INLINE lanes lanes_far_tail(lanes z)
{
	lanes p = 0.006285714947776965 + z * (0.34532826116757315 + z * 0.012766772610677843);
	lanes q = 1 + z * (0.27996830742759854 + z * 0.004965863871011139);
	return (0.5 * MATH_LOG10_E) * z * z + p / q;
}

LANES_INLINE lanes lanes_poisson(lanes x, lanes mean, lanes step, lanes scale)
{
	lanes ret = {0};
	LANES_LOOP
	for (int i = 0; i < LANES; i++)
		LANE(ret, i) = math_poisson_score(LANE(x, i), LANE(mean, i), LANE(step, i),
						  LANE(scale, i));
	return ret;
}

/*
 * 2 D / (c - m)^2 x m / over, where D = c ln(c / m) - (c - m) is half a Poisson count's deviance:
 * what math_poisson_score() needs a logarithm for. With apart = s = (c - m) / (c + m)
 *
 *     (1 - s) (1 + (1 + s) s Q),   Q = (atanh(s) / s - 1) / s^2
 *
 * and Q a rational function of s^2: within 4e-5 for s up to REACH (c = 19 m), 0.2 % down to -1.
 */
#define LANES_DEVIANCE_REACH 0.9

LANES_INLINE lanes lanes_deviance(lanes apart, lanes over)
{
	lanes w = apart * apart;
	lanes p = 0.33334546163126905 + w * (w * 0.020687408341740564 - 0.29720431360616584);
	lanes q = 1 + w * (w * 0.52213939380573650 - 1.49048769366715580);
	return (1 - apart) * (q + (1 + apart) * apart * p) / (q * over);
}

#endif
