/*
 * scoring: the default detector over rows of numbers: what `weirctl score`, the quality benchmarks
 * and previews run, which is the bank that runs live.
 *
 * Several series of one kind and interval are scored side by side, as the slices of one metric.
 * Rows come in order of time; an interval that is not given is missing, as is a value of NaN.
 *
 * Runs on: any thread. Allocates in scoring_create() only.
 */
#ifndef DETECT_SCORING_H
#define DETECT_SCORING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/defaults.h"
#include "detect/detector.h"

/* The default detector: what a detector of a configuration is that does not say otherwise. */
#define SCORING_KIND DETECTOR_SEASONAL
#define SCORING_SEVERITY DEFAULT_SEVERITY
#define SCORING_MIN_VOLUME DEFAULT_MIN_VOLUME
#define SCORING_LEARN DEFAULT_LEARN

struct calendar;
struct zone;

struct scoring_spec {
	enum aggregation aggregation; /* COUNT, SUM, MEAN (gauge), RATIO */
	int64_t interval_ms;
	const struct zone *zone;         /* NULL: the detector's, or UTC; stays the caller's */
	const struct calendar *calendar; /* NULL: none; stays the caller's */
	uint32_t series;
	const struct detector_spec *detector; /* NULL: the one that scoring_defaults() gives */
};

/* One series in one interval. */
struct scored {
	double expected, lower, upper; /* the forecast made before the value was looked at */
	double score;    /* -log10 of the tail probability, two-sided, no cap; 0: nothing to say */
	double onset;    /* the score where an anomaly opens or clearly strengthens, else 0 */
	double severity; /* 0..100 (severity.h) */
	bool alarm;      /* the detector starts to fire */
};

struct scoring;

/* The detector as it ships: kind, thresholds and all, for one metric. */
void scoring_defaults(struct detector_spec *ret_spec);
/* NULL: no memory. */
struct scoring *scoring_create(const struct scoring_spec *spec);
void scoring_destroy(struct scoring *scoring);
/*
 * Interval number `interval` (unix start = interval * interval_ms), above the last one's.
 * value: [series], NaN: missing. weight: [series], the denominators of a ratio, else NULL (1 is
 * taken where it is NULL or NaN). ret_scored: [series].
 */
void scoring_step(struct scoring *scoring, int64_t interval, const double *value,
		  const double *weight, struct scored *ret_scored);
/* The same of sums whose events' squares are known, as the engine knows them: squares: [series],
 * the sum of the squares of what was added up; NaN: not known. */
void scoring_step_sums(struct scoring *scoring, int64_t interval, const double *value,
		       const double *squares, struct scored *ret_scored);

#endif
