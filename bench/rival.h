/*
 * rival: what the default detector is measured against: the rules that people run. One series,
 * interval by interval; the score is the distance in standard deviations, so a threshold is the k
 * of "mean and k sigma".
 *
 *	sliding        mean and deviation of the last `window` values
 *	hour of week   mean and deviation of all values so far in this hour of the week
 *	gaussian       probability under the mean and deviation of the last 6,400 values, renewed by
 *	               hundreds: NAB's windowedGaussian, one-sided as there
 *
 * A value is scored with what was known before it. Missing values are left out.
 */
#ifndef BENCH_RIVAL_H
#define BENCH_RIVAL_H

#include <stdint.h>

enum rival_kind { RIVAL_SLIDING, RIVAL_HOUR_OF_WEEK, RIVAL_GAUSSIAN };

struct rival;

/* window: in intervals, of the sliding one. NULL: no memory. */
struct rival *rival_create(enum rival_kind kind, int64_t interval_ms, uint32_t window);
void rival_destroy(struct rival *rival);
/* Interval number `interval`, its value or NaN. Returns the score; 0 while nothing can be said. */
double rival_step(struct rival *rival, int64_t interval, double value);

#endif
