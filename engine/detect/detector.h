/*
 * detector: the contract. State and interval in, score and new state out; no clock, no I/O, no
 * allocation in step(). State lies in structure-of-arrays banks over the slices of one metric, so
 * that closing an interval is a vector loop. Scoring is bit-identical on every build: no
 * contraction, reductions in a fixed order, exp and log from detect/math.h.
 */
#ifndef DETECT_DETECTOR_H
#define DETECT_DETECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "interval/observation.h"

struct zone;

enum detector_kind {
	DETECTOR_WINDOW,  /* mean and k standard deviations of the last `window` intervals */
	DETECTOR_ABSENCE, /* nothing came although something was expected */
	DETECTOR_SEASONAL, /* level, trend, day and week; the default */
	DETECTOR_RULE,    /* a static threshold, against a period before or absolute */
};

/* What a period is compared with. */
enum detector_baseline {
	BASELINE_RECENT,    /* window: the periods before; rule: the period before */
	BASELINE_LAST_WEEK, /* the same period 7 days before (rule) */
	BASELINE_LAST_YEAR, /* the same period 364 days before, so that weekdays agree; of months
			     * the same month */
};

/*
 * Periods longer than an interval: a multiple of intervals that divides a day, 1 d, 7 d (from
 * Monday), or a calendar month; days are those of the detector's zone, what is shorter is UTC's. To
 * a detector that has them a period is what an interval is to the others: the bank adds intervals
 * up and steps the detector when a period has ended, with the period's number as interval; `for`,
 * `recover`, `cooldown` and `window` count periods.
 */
#define DETECTOR_MONTH (-1)
/* Longer periods that one detector of kind seasonal watches beside its interval, at most. */
#define DETECTOR_RESOLUTIONS_MAX 4

enum detector_direction { DIRECTION_BOTH, DIRECTION_UP, DIRECTION_DOWN };

/* Plain data, checked by configuration, copied by bank_create(). */
struct detector_spec {
	char name[65];
	char metric[65];
	enum detector_kind kind;
	enum detector_direction direction;
	double severity;   /* fires at this severity or above (plus the alarm budget), 0..100 */
	bool apart;        /* slices are series of their own: no alarm budget and no diagnosis over
			    * them */
	const struct zone *zone; /* whose clock decides the hour and the day; NULL: UTC */
	double min_volume; /* fewer events (expected and observed) than this say nothing */
	uint32_t for_intervals;      /* consecutive anomalous intervals before firing, >= 1 */
	uint32_t recover_intervals;  /* consecutive normal ones before it is resolved, >= 1 */
	double min_delta;            /* |observed - expected| below this is never anomalous */
	uint32_t cooldown_intervals; /* after `resolved` nothing fires for this many intervals */
	/* window, rule */
	int64_t frequency_ms; /* of a period; 0: the interval; DETECTOR_MONTH */
	enum detector_baseline baseline;
	/* window */
	uint32_t window; /* intervals */
	double k;        /* standard deviations that count as the edge of the band */
	/* seasonal */
	uint32_t learn_intervals; /* nothing fires before it has seen this many */
	/* Longer periods, up to a day, that it watches too, the shortest first; 0: no more. Those
	 * that the interval is not shorter than, or no part of, are left out. */
	int64_t resolutions_ms[DETECTOR_RESOLUTIONS_MAX];
	/* rule: those that are set, NaN where not; changes in per cent of the baseline */
	double up_percent, down_percent;
	double above, below; /* absolute */
	double growth_drop;  /* points: the fall of year-on-year growth, period on period */
	/* absence */
	uint32_t absent_intervals; /* this many intervals without an event where some were expected
				    */
	/* Filled in by the bank, which knows the interval: periods back to the baseline, and to the
	 * same period a year before. */
	uint32_t back_periods, year_periods;
};

/* One step's answers, arrays of `count` slices owned by the bank; filled by the detector. */
struct verdicts {
	double *expected;
	double *lower; /* of the band in which the value is not anomalous */
	double *upper;
	double *log10_p;   /* of the two-sided tail probability, <= 0; 0: nothing can be said */
	int8_t *direction; /* sign of the deviation */
	double *severity;  /* raw, by detectors whose answer is no probability (kind rule); the
			    * others  leave it alone */
	double *onset;     /* -log10_p where an anomaly opens or clearly strengthens, else 0; by
			    * kind seasonal, the others leave it 0 */
};

/* A stretch of the last intervals of one slice, and what was expected of it before it began: sums;
 * of means and extremes of deviations, weighed with `weight`; of shares of the numerators. */
struct recent {
	double observed, expected;
	double variance; /* of observed, by chance */
	double weight;
};
#define DETECTOR_RECENT 20

struct detector_ops {
	const char *kind;
	/* Bytes of state for `slices` slices. */
	size_t (*bytes)(const struct detector_spec *spec, uint32_t slices);
	/* Lay out and zero the state of slices from..to in a block of bytes(to); grown blocks keep
	 * their old arrays' content (the caller copies array by array through move()). */
	void (*init)(void *state, const struct detector_spec *spec, uint32_t capacity);
	void (*move)(void *to, uint32_t to_capacity, const void *from, uint32_t from_capacity,
		     const struct detector_spec *spec);
	/* Score the interval (or period: bank.h) with what is known before it, then learn it
	 * (unless incomplete, or learn[i] is 0: the slice is in a firing anomaly; kind seasonal has
	 * its own way with anomalies and does not look at learn). */
	void (*step)(void *state, const struct detector_spec *spec, uint32_t capacity,
		     const struct observations *observations, const uint8_t *learn,
		     struct verdicts *verdicts);
	void (*save)(const void *state, const struct detector_spec *spec, uint32_t capacity,
		     uint32_t slices, struct bytes *out);
	int (*load)(void *state, const struct detector_spec *spec, uint32_t capacity,
		    uint32_t slices, struct bytes_reader *in);
	/* May be NULL: it remembers no stretches. After a step, all stretches that end with it:
	 * their lengths, the shortest first; and what a slice had there. */
	uint32_t (*recent_lengths)(const void *state, uint32_t lengths[DETECTOR_RECENT]);
	void (*recent)(const void *state, uint32_t slice, struct recent ret[DETECTOR_RECENT]);
	/* May be NULL. What the state of longer periods of the same slices knows of the last year,
	 * which this one has not seen. false: it has not been stepped yet, and cannot. */
	bool (*inherit)(void *state, const void *longer, uint32_t slices);
};

extern const struct detector_ops detector_window, detector_window_year, detector_absence,
	detector_rule, detector_seasonal;

#endif
