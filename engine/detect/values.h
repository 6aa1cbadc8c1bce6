/*
 * values: what detectors take for a value. A sum of doubles from outside can be anything a double
 * can; squares of squares of it must stay finite, or a checkpoint would hold infinities.
 */
#ifndef DETECT_VALUES_H
#define DETECT_VALUES_H

#include <math.h>
#include <stdbool.h>

#include "interval/observation.h"

/* No shop's figures reach this; beyond it there is no value, as if nothing had come. */
#define VALUE_MAX 1e60

/* Squares that nobody knows (NaN) are no reason to doubt the value. */
static inline bool value_sane(double value, double sum_squares)
{
	return (value >= -VALUE_MAX) & (value <= VALUE_MAX) &
	       !(sum_squares > VALUE_MAX * VALUE_MAX);
}

/* What a calendar excludes is missing to a detector. */
static inline double value_of(const struct observations *observations, uint32_t i)
{
	bool excluded = observations->excluded && observations->excluded[i];
	double value = observations->value[i];
	bool sane = !excluded && value_sane(value, observations->sum_squares[i]);

	return sane ? value : (double)NAN;
}

/* How many times the usual the calendar expects. */
static inline double value_times(const struct observations *observations, uint32_t i)
{
	return observations->expect ? observations->expect[i] : 1;
}

static inline bool value_paused(const struct observations *observations, uint32_t i)
{
	return (observations->paused && observations->paused[i]) ||
	       (observations->excluded && observations->excluded[i]);
}

/* How many events stand behind a quotient: its variance is that of one event over them. */
static inline double value_weight(const struct observations *observations, uint32_t i)
{
	switch (observations->aggregation) {
	case AGGREGATE_MEAN:
	case AGGREGATE_PERCENTILE:
		return observations->events[i];
	case AGGREGATE_RATIO:
		return observations->weight[i] <= VALUE_MAX ? observations->weight[i] : 0;
	default:
		return 1;
	}
}

/* Do values of slices add up to the total's? (Distinct visitors nearly do.) */
static inline bool value_adds(enum aggregation aggregation)
{
	return aggregation == AGGREGATE_COUNT || aggregation == AGGREGATE_SUM ||
	       aggregation == AGGREGATE_DISTINCT;
}

#endif
