/*
 * profile: what its three files share: the rows of the state and what one step knows.
 *
 *   profile.c          forecast and score: each interval
 *   profile_learn.c    what the interval teaches
 *   profile_season.c   the hours of the week: each hour
 */
#ifndef DETECT_PROFILE_H
#define DETECT_PROFILE_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "detect/detector.h"
#include "detect/hours.h"
#include "detect/math.h"
#include "detect/rows.h"

/* An interval is scored alone and together with those before it: 2, 3 and 4 in all. */
#define PROFILE_SPANS 4

enum profile_row {
	PROFILE_SEEN,        /* intervals learned */
	PROFILE_LOCAL,       /* value lately, for hours never seen */
	PROFILE_LEVEL_SEEN,  /* decayed sum of values, and of what the shape alone said: */
	PROFILE_LEVEL_SHAPE, /* the level is the quotient (gauges: mean of differences) */
	PROFILE_LEVEL_USUAL, /* what the shape says on average over a day */
	PROFILE_SQUARES,     /* decayed sums of squares and of values (not in the mirror): the */
	PROFILE_VALUES,      /* size of a lump */
	PROFILE_FOURTHS, /* decayed squared deviations of the sums of squares: the skew of lumps */
	PROFILE_RARITY,  /* quotients: one over the events behind one, on average; else 1 */
	PROFILE_UNIT,    /* gauges: variance of one value (of one event, for means) */
	PROFILE_PHI,     /* dispersion: actual over forecast variance, for 1..SPANS intervals */
	PROFILE_PHI_END = PROFILE_PHI + PROFILE_SPANS - 1,
	PROFILE_TAIL_RATE, /* how often scores passed TAIL_FROM, down and up */
	PROFILE_TAIL_EXCESS = PROFILE_TAIL_RATE + 2, /* and by how much on average */
	PROFILE_TAIL_COUNT = PROFILE_TAIL_EXCESS + 2,
	PROFILE_TAIL_LAST = PROFILE_TAIL_COUNT + 2, /* side of the last interval's, or 0 */
	PROFILE_HOUR_PHI,    /* the same for whole hours against the same hour before */
	PROFILE_HOUR_SQUARE, /* as a quotient of these */
	PROFILE_HOUR_VARIANCE,
	PROFILE_KNOWN, /* 1: this hour of the week has a shape */
	PROFILE_TRUST, /* how far it stands for itself, not for any day: 0..1 */
	PROFILE_TRUST_MOST,
	PROFILE_BASE, /* the hour's mean; the shape within it is base + bends of order 1..4 */
	PROFILE_BEND,
	PROFILE_BEND_END = PROFILE_BEND + 3,
	PROFILE_DOUBT,    /* variance of the base: how little was seen of it */
	PROFILE_PSEUDO,   /* half a lump over the intervals seen: what zero may hide */
	PROFILE_HOUR_SUM, /* of the current hour: values, shape, forecasts, intervals */
	PROFILE_HOUR_SHAPE,
	PROFILE_HOUR_FORECAST,
	PROFILE_HOUR_COUNT,
	PROFILE_PAST_VALUE, /* sums over the last 1, 2, 3 intervals: values */
	PROFILE_PAST_FORECAST = PROFILE_PAST_VALUE + PROFILE_SPANS - 1,
	PROFILE_PAST_VARIANCE = PROFILE_PAST_FORECAST + PROFILE_SPANS - 1,
	PROFILE_SHAPE_NOW = PROFILE_PAST_VARIANCE + PROFILE_SPANS - 1, /* scratch of a step */
	PROFILE_FORECAST,
	PROFILE_MEAN,     /* forecast, and what zero may hide */
	PROFILE_VARIANCE, /* of one value if the forecast were exact and phi 1 */
	PROFILE_ERROR,    /* variance of the forecast itself */
	PROFILE_LUMP,
	PROFILE_SKEW,  /* lumps that make large sums are so many times as large, 1 for counts */
	PROFILE_SIGN,  /* -1: a sum of negative values, looked at in the mirror */
	PROFILE_X,     /* the value, in the mirror if need be; 0 where there is none */
	PROFILE_THERE, /* 1: there is a value */
	PROFILE_SCORE,
	PROFILE_SURPRISE, /* -log10 of the tail probability, before the tails are corrected */
	PROFILE_DOUBLES,
};

/* Where the tails of the scores are measured: this -log10 p. */
#define PROFILE_TAIL_FROM 2.0

/* The level begins neutral, worth a quarter of its memory. */
#define PROFILE_LEVEL_PRIOR 0.25

/* Float rows: the mean value in each hour of the week, then how many hours of it were seen. */
#define PROFILE_HOUR_MEAN 0
#define PROFILE_HOUR_WEIGHT HOURS_OF_WEEK
#define PROFILE_FLOATS (2 * HOURS_OF_WEEK)

/* Head of the state. */
struct profile_header {
	int64_t hour;     /* the hour we are in, plus 1; 0: none yet */
	int64_t interval; /* the last one, plus 1 */
	double edge;      /* standard deviations at which the threshold lies */
};

struct profile_step {
	void *state;
	uint32_t capacity, slices;
	const struct observations *observations;
	bool lumps; /* counts and sums: Poisson lumps; else a gauge */
	double interval_hours;
	double per_hour; /* intervals of an hour, at least 1 */
	double offset;   /* of the interval's middle from its hour's, in hours */
	double level_gain, day_gain, local_gain, phi_gain, tail_gain;
	double phi_memory; /* intervals */
	double learn_wanted;
};

extern const struct rows_shape profile_shape;

static inline double *profile_row(const struct profile_step *step, uint32_t row)
{
	return rows_double(step->state, step->capacity, row);
}

static inline float *profile_hour(const struct profile_step *step, uint32_t row)
{
	return rows_float(step->state, &profile_shape, step->capacity, row);
}

/* Variance of one interval's value around `mean`, if it scatters no more than it must. */
static inline double profile_variance(const struct profile_step *step, uint32_t i, double mean,
				      double lump)
{
	if (step->lumps)
		return mean * lump;
	return profile_row(step, PROFILE_UNIT)[i] * profile_row(step, PROFILE_RARITY)[i];
}

/* Size of one lump: 1 for counts, for sums the mean of squares over the mean. */
static inline double profile_lump(const struct profile_step *step, uint32_t i)
{
	double values = profile_row(step, PROFILE_VALUES)[i];
	double squares = profile_row(step, PROFILE_SQUARES)[i];
	if (step->observations->aggregation != AGGREGATE_SUM || values == 0 || !(squares > 0))
		return 1;
	return squares / (values < 0 ? -values : values);
}

/* For sums: size of the lumps that decide the upper tail, over that of profile_lump(): the
 * square root of fourth over second moment of the events' values, over second over first. */
static inline double profile_skew(const struct profile_step *step, uint32_t i)
{
	double squares = profile_row(step, PROFILE_SQUARES)[i];
	double fourths = profile_row(step, PROFILE_FOURTHS)[i];
	if (step->observations->aggregation != AGGREGATE_SUM || !(squares > 0))
		return 1;
	return math_clamp(sqrt(fourths / squares) / profile_lump(step, i), 1, 8);
}

/* Learn slice i's value of this interval. */
void profile_learn(const struct profile_step *step, uint32_t i);
/* Hour `week` of the week is over: put its mean into its place. */
void profile_season_close(const struct profile_step *step, uint32_t week);
/* Hour `week` of the week begins: its shape, from itself, its neighbours and the other days. */
void profile_season_open(const struct profile_step *step, uint32_t week);

#endif
