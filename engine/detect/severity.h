/*
 * severity: what a tail probability means to people, the same for every metric and interval.
 *
 *   return period  R = 1 / (p * intervals per week), in weeks
 *   severity         = 50 + 12.5 log10 R
 *
 *   severity      25             50             75                 100
 *   by chance     a hundred      once a week    once in two years  once in two     of one series
 *                 times a week                                     hundred years
 *
 * Inside detect a severity is not clamped ("raw"): with many slices the threshold may pass 100
 * and must stay within reach. What leaves in an anomaly is clamped to 0..100.
 */
#ifndef DETECT_SEVERITY_H
#define DETECT_SEVERITY_H

#include <stdint.h>

#include "detect/anomaly.h"

/* log10 of the intervals in a week; 10 s: 4.78. */
double severity_log10_intervals(int64_t interval_ms);

/* Raw severity of a tail probability; log10_intervals from severity_log10_intervals(). */
static inline double severity_raw(double log10_p, double log10_intervals)
{
	return 50.0 - 12.5 * (log10_p + log10_intervals);
}

double severity_clamp(double raw);

/* The tail probability at which a raw severity is reached; at most log10 of a half. */
double severity_log10_p(double raw, double log10_intervals);

/* The alarm budget: a threshold is a promise about one series, a detector watches `slices` of
 * them. A slice fires at threshold + 12.5 log10 slices (raw), so that the whole detector has as
 * many false alarms as one series alone would have. */
double severity_budget(double threshold, double slices);

/* The lowest severity of the band that a severity is in: SEVERITY_WARNING .. SEVERITY_CRITICAL,
 * 0 below all bands. */
int severity_band(double severity);

#endif
