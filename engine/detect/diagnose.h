/*
 * diagnose: which dimension values explain a metric's deviation.
 *
 * Idea:  every value of every dimension (the slices of one dimension each) has its own expectation,
 *        so it has its own deviation. Its share is its part of the deviations of its dimension in
 * the anomaly's direction; the shares of a dimension add up to 1. Shares alone do not point at the
 * cause: the only value of a dimension always has all of it, and a value with most of the traffic
 * has most of any deviation. So each value is also asked how much better the deviation is explained
 * if it alone deviates than if all of the metric does (a scan statistic, in nats). Values with such
 * evidence come first, by evidence; then the others, by share; ties by name. Deviations are summed
 * from a little before the anomalies' first interval on, so that one noisy interval does not
 * decide.
 *
 * Runs on: the shard that owns the metric. Never allocates.
 */
#ifndef DETECT_DIAGNOSE_H
#define DETECT_DIAGNOSE_H

#include <stdint.h>

#include "detect/anomaly.h"
#include "detect/detector.h"
#include "interval/observation.h"

/* Sums since the run began, one element per slice; means are weighed with their events. */
struct diagnosis {
	double *observed;
	double *expected;
	double *variance;
	double *weight;
};

/* Take in an interval. keep: how much of the past stays, 0..1. edge: standard deviations from the
 * expectation to the edge of the band; 0: the band knows nothing of chance. Slices without a
 * verdict add nothing. */
void diagnose_add(const struct diagnosis *diagnosis, const struct observations *observations,
		  const struct verdicts *verdicts, double keep, double edge);

/* Contributions to a deviation in `direction`, the first the likeliest cause; returns how many
 * (at most ANOMALY_CONTRIBUTIONS_MAX: with more values the least are left out). */
uint32_t diagnose(const struct diagnosis *diagnosis, const struct observations *observations,
		  const struct verdicts *verdicts, int direction,
		  struct contribution contribution[ANOMALY_CONTRIBUTIONS_MAX]);

#endif
