/*
 * delays: how long things took, as a histogram; see delays.h.
 *
 *      below 2 * STEPS: one bucket a nanosecond; above, the five bits behind the highest one say
 *      which of the doubling's 32 buckets it is.
 */
#include "delays.h"

static uint32_t bucket_of(uint64_t ns)
{
	uint32_t shift = 0;
	if (ns >= DELAYS_STEPS)
		shift = 58u - (uint32_t)__builtin_clzll(ns);
	uint64_t bucket = shift * DELAYS_STEPS + (ns >> shift);
	return bucket < DELAYS_BUCKETS ? (uint32_t)bucket : DELAYS_BUCKETS - 1;
}

static uint64_t bucket_end(uint32_t bucket)
{
	uint32_t shift = bucket < 2 * DELAYS_STEPS ? 0 : bucket / DELAYS_STEPS - 1;
	return ((uint64_t)(bucket - shift * DELAYS_STEPS) + 1) << shift;
}

void delays_add(struct delays *delays, uint64_t ns)
{
	delays->count++;
	delays->buckets[bucket_of(ns)]++;
}

void delays_merge(struct delays *delays, const struct delays *more)
{
	delays->count += more->count;
	for (uint32_t i = 0; i < DELAYS_BUCKETS; i++)
		delays->buckets[i] += more->buckets[i];
}

double delays_quantile_ns(const struct delays *delays, double part)
{
	uint64_t seen = 0;
	for (uint32_t i = 0; i < DELAYS_BUCKETS; i++) {
		seen += delays->buckets[i];
		if (seen > 0 && (double)seen >= part * (double)delays->count)
			return (double)bucket_end(i);
	}
	return 0;
}
