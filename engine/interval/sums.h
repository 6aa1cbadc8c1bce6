/*
 * sums: what came for one slice and term of a metric, and what it says.
 *
 * Runs on: the shard that owns the metric. For rollup.c; what a value is
 * is the same for who reads it back.
 */
#ifndef INTERVAL_SUMS_H
#define INTERVAL_SUMS_H

#include <float.h>
#include <stddef.h>
#include <stdint.h>

#include "interval/rollup.h"

/* What came for one slice and term; one cache line. */
struct sum {
	struct rollup_stats stats; /* min, max: NaN as long as there is none */
	uint64_t unsketched;       /* events that the slice's sketch does not cover */
	uint64_t touched;          /* anything came at all */
	uint64_t spare;
};
_Static_assert(sizeof(struct sum) == 64, "a sum is one cache line");

/* Of nothing. */
extern const struct sum sum_nothing;

/* Add what a term takes (enum feeds_take) of a cell. */
void sum_add(struct sum *sum, uint32_t take, const struct partial_cell *cell);
/* Read the sketch of a cell from what its partial saved: how many of its events it does not
 * cover. */
uint64_t sum_sketch(struct sketch *sketch, const struct partial_cell *cell, const uint8_t *saved,
		    size_t bytes);

/* What is too large for a double is the largest one: no detector sees an infinity. A sum that was
 * too large in both directions is NaN: no data. */
static inline double sum_clamp(double value)
{
	return value > DBL_MAX ? DBL_MAX : value < -DBL_MAX ? -DBL_MAX : value;
}
/* count, sum, mean, min, max. */
double sum_value(enum aggregation aggregation, const struct rollup_stats *stats);
/* NaN where some of the events are not in the sketch. NULL: there is none. */
double sum_quantile(const struct sum *sum, const struct sketch *sketch, double q);
double sum_distinct(const struct sum *sum, const struct sketch *sketch);
/* The squares of values that came as a sum alone are not known: at least this. */
static inline double sum_squares(const struct rollup_stats *stats)
{
	if (stats->sum_squares == 0 && stats->count && stats->sum != 0)
		return sum_clamp(stats->sum / (double)stats->count * stats->sum);
	return sum_clamp(stats->sum_squares);
}

#endif
