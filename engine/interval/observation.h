/*
 * observation: the door from interval to detect. One metric, one interval, all its slices.
 *
 * A slice is a roll-up with one value for each of its dimensions; slice 0 is always the total.
 * Slices keep their index for ever (in order of first appearance, which the log decides).
 */
#ifndef INTERVAL_OBSERVATION_H
#define INTERVAL_OBSERVATION_H

#include <stdint.h>

enum aggregation {
	AGGREGATE_COUNT,
	AGGREGATE_SUM,
	AGGREGATE_MEAN,
	AGGREGATE_MIN,
	AGGREGATE_MAX,
	AGGREGATE_DISTINCT,   /* HyperLogLog over values of kind hash */
	AGGREGATE_PERCENTILE, /* of the values, by a log-bucketed sketch */
	AGGREGATE_RATIO,      /* of two counts or sums: value = numerator / weight */
};

enum observation_flag {
	OBSERVATION_INCOMPLETE = 1, /* drops or downtime: shown, not learned, not scored downward */
};

struct slice {
	const char *label; /* "" for the total, "country=DE", "country=DE,device=mobile" */
	uint32_t rollup;   /* 0: total, else 1 + index in the metric's `by` */
	uint32_t dimensions;
	const char *const *names; /* [dimensions], as configured */
	const char *const *values;
	int64_t born; /* interval of its first event */
};

/* Structure of arrays, `count` long, all valid during one call only. */
struct observations {
	const char *metric;
	const char *source;
	uint32_t source_number;
	enum aggregation aggregation;
	int64_t interval; /* number; unix start = interval * interval_ms */
	int64_t interval_ms;
	int64_t offset_ms;    /* local time minus UTC at the interval's start (base/zone.h): a bank
			       * whose detector has a zone fills it in, else 0 */
	uint32_t flags;       /* enum observation_flag */
	uint32_t count;       /* slices */
	const double *value;  /* NaN: no data (mean, min, max of nothing); counts and sums are 0 */
	const double *events; /* number of events behind the value */
	/* Of the events' values, for the variance of sums. NaN: not known, as where numbers come
	 * without their events (detect/scoring.h); `events` of such a sum or mean is 1. */
	const double *sum_squares;
	double quantile; /* AGGREGATE_PERCENTILE: 0..1 */
	/* What a calendar says of each slice; a bank fills them in, like offset_ms. */
	const double *expect;    /* [count] how many times the usual is expected; NULL: once */
	const uint8_t *excluded; /* [count] neither judged nor learned from; NULL: none */
	const uint8_t *paused;   /* [count] judged, but not learned from; NULL: none */
	/* AGGREGATE_RATIO, else NULL. `events` counts those of the denominator. */
	const double *numerator;
	const double *weight; /* the denominator; 0: the value is NaN */
	const struct slice *slices;
};

#endif
