/*
 * seasonal: what its files share: the state of four series and what one step knows.
 *
 *   seasonal.c           a step, its answers; saving and loading
 *   seasonal_shape.c     the shape of day and week: once for each bin of the week
 *   seasonal_level.c     level, scale, and what an interval teaches
 *   seasonal_window.c    sums over the last intervals against the level before them
 *   seasonal_tail.c      from deviations to one calibrated probability
 *   seasonal_recent.c    what the last intervals had against what was expected, for diagnosis
 *   seasonal_burst.c     holidays and campaigns that nobody announced
 *   seasonal_habit.c     what happens often is not rare; onsets
 *   seasonal_year.c      what stood out a year before
 *
 *        header | step | group 0: series 0..3 | group 1: series 4..7 | ...
 *
 * A group is everything that is known of four series, lane by lane (detect/lanes.h): a step walks
 * through memory once. Bytes of a series: SEASONAL_BYTES.
 */
#ifndef DETECT_SEASONAL_H
#define DETECT_SEASONAL_H

#include <stddef.h>
#include <stdint.h>

#include "detect/detector.h"
#include "detect/lanes.h"

/* Bins of a day, at most: half hours. */
#define SEASONAL_DAY_BINS 48
#define SEASONAL_BINS (7 * SEASONAL_DAY_BINS)
/* Of a day of fewer bins there is no shape to smooth. */
#define SEASONAL_SMOOTHED_BINS 12
/* Levels of different memory, from one and a half intervals to three days. */
#define SEASONAL_LEVELS 6
/* Sums over 1, 2, 3, 4, 6, 8, 12 intervals; 16..96 in blocks of eight; 128..768 in blocks of 64;
 * then 1 and 12 intervals against the slowest level. */
#define SEASONAL_FINE 7
#define SEASONAL_BLOCKS 6
#define SEASONAL_SPANS (SEASONAL_FINE + 2 * SEASONAL_BLOCKS)
#define SEASONAL_WINDOWS (SEASONAL_SPANS + 2)
/* The one of the last twelve intervals against the slowest level. */
#define SEASONAL_SLOW_TWELVE 8
#define SEASONAL_RING 16
/* Days that are remembered. */
#define SEASONAL_YEAR 400
/* Windows that are calibrated together: three of single intervals, two of blocks of eight, one of
 * blocks of 64; novelty; the slowest level. */
#define SEASONAL_CLASSES 8
#define SEASONAL_NOVELTY 6
#define SEASONAL_SLOW 7
/* Levels of score that episodes are counted in. */
#define SEASONAL_HABITS 14
/* Weight of the absence of scatter beyond chance, before anything is known of it. */
#define SEASONAL_SQUARE_PRIOR 100.0
/* Days over which counts of episodes fade; that the level behind shapes remembers. */
#define SEASONAL_HABIT_DAYS 28.0
#define SEASONAL_LONG_DAYS 14.0
/* Before so many intervals nothing can be said. */
#define SEASONAL_SILENT 20

/* A ring of sums, with the level as it was before each. */
struct seasonal_ring {
	lanes_short value[SEASONAL_RING], base[SEASONAL_RING];
	lanes_short level[SEASONAL_RING]; /* blocks of counts: in its last bits how well known */
};

/* Kept exactly. */
struct seasonal_exact {
	lanes seen;              /* intervals with a value */
	lanes first, first_seen; /* mean value while this hour of the day is unknown */
	lanes shape[5];          /* of the current bin: polynomial in its width */
	lanes known;             /* 1: it is one that was seen before */
	lanes pooled_visits;     /* of the bin's time of day, over all weekdays */
	lanes doubt;             /* variance of the shape, relative to level (gauges: to unit) */
	lanes plain;             /* the bin's shape before trust, for learning trust */
	lanes day_mean;          /* of the pooled day */
	lanes trust_product, trust_square; /* regression of what came on what was said */
	lanes level_value[SEASONAL_LEVELS], level_base[SEASONAL_LEVELS];
	lanes merit[SEASONAL_LEVELS], share[SEASONAL_LEVELS];
	lanes level;
	lanes long_value, long_base; /* the level of a fortnight, which shapes are relative to */
	lanes moment11, moment12, moment22, moment1, moment2; /* regression of squares on means */
	lanes unit;        /* variance over mean (gauges: variance) of one interval */
	lanes unit_square; /* and what grows with the mean's square */
	lanes lump;        /* sums: size of what they are made of; shares: 1/heft; else 1 */
	lanes lump_value, lump_square;
	lanes bin_value, bin_base, bin_count; /* of the current bin */
	lanes bin_held; /* intervals of the current bin that it was not taught */
	lanes again;    /* 1: nor was it a week ago */
	lanes day_variance, day_seen;         /* of a bin between days, beyond its unit variance */
	lanes part_value[2], part_base[2];    /* of the current blocks of 8 and 64 */
	lanes usual, spread; /* of the values themselves, robust: mean and variance of a week */
	lanes heft;          /* quotients: their usual denominator; else 1 */
	lanes stress;        /* the last strongest deviation */
	lanes patience;      /* intervals that the shape may still wait for an anomaly to end */
	lanes wild;      /* 0..1: how far there is more to it than chance */
	lanes burst; /* its intervals so far; -1: it is over, -2: it is the new level; 0: none */
	lanes burst_value, burst_base; /* lately: what came, what the slowest level expected */
	lanes burst_over;              /* evidence that it is over, nats */
	lanes burst_level;             /* the level before it, fading to the slowest */
	lanes episode, episode_kind, episode_age; /* peak; kind; since when it is faint */
	lanes habit_time;                         /* intervals over which episodes were counted */
	lanes far_rate, far_time, far_crowd;      /* how often single intervals are far off */
	lanes calm;                               /* intervals since there was anything */
	lanes peak; /* highest score lately, fading: what an onset must pass */
	/* Of today: what came, what its shape alone said, intervals; the level before it. */
	lanes year_value, year_base, year_count, year_before;
	lanes year_times, year_doubt; /* how many times the usual by last year; its doubt */
	lanes year_anchor;            /* logarithm of what a byte of 0 stands for, in steps */
	lanes year_level;             /* the last day's ratio; 0: there is no anchor yet */
	lanes year_scatter, year_seen; /* of days around their fortnight; days it was learned of */
	lanes year_season; /* logarithm: where last year's seasons have moved, fading */
	lanes year_uu, year_uv; /* regression of how this year's fortnights moved on last year's */
	/* Regression of what came on what last year said, by weekday and by date. */
	lanes year_ww, year_wd, year_dd, year_wt, year_dt, year_off;
};

/* Kept as floats. */
struct seasonal_rough {
	struct seasonal_ring ring[3]; /* of intervals, of blocks of 8, of blocks of 64 */
	lanes_short drift[SEASONAL_WINDOWS], drift_weight[SEASONAL_WINDOWS];
	lanes_short held[SEASONAL_CLASSES][2]; /* deviations of windows not looked at each time */
	lanes_short threshold[SEASONAL_CLASSES][2]; /* one over it, in standard deviations */
	lanes_short excess[SEASONAL_CLASSES][2], square[SEASONAL_CLASSES][2],
		crowd[SEASONAL_CLASSES][2];
	lanes_short habit[4][SEASONAL_HABITS]; /* earlier episodes, by kind and level */
	lanes_short bin[SEASONAL_BINS];
};

struct seasonal_group {
	struct seasonal_exact exact;
	struct seasonal_rough rough;
	uint8_t visits[SEASONAL_BINS / 2][LANES]; /* of two bins, four bits each */
	uint8_t held[SEASONAL_BINS / 8][LANES];   /* of eight bins: not taught the last time */
	int8_t year[SEASONAL_YEAR][LANES];        /* of days, by their number */
};

#define SEASONAL_BYTES (sizeof(struct seasonal_group) / LANES)

/* Head of the state. */
struct seasonal_header {
	int64_t interval; /* the last one, plus 1; 0: none yet */
	int64_t bin;      /* of the week, plus 1 */
	uint64_t pushed;  /* intervals put into the rings */
	double edge;      /* standard deviations to the band's edge; 0: not worked out yet */
	uint64_t slices;  /* as of the last step: lanes behind them begin anew when they are born */
	int64_t day;      /* since 1970 at the place, plus 1; 0: none yet */
};

/* What is the same of a window for all series. */
struct seasonal_span {
	double length, part;  /* intervals; one over that */
	double young, slope;  /* variances: of a young series, of an unknown hour */
	double keep;          /* of what was learned, over a turn */
	bool learns;         /* in this interval */
};

/* What is the same for all series. It stays in the state from step to step, behind the header,
 * since most of it depends on nothing but the interval's length; it is not saved. */
struct seasonal_step {
	int64_t interval_ms; /* that it was worked out for; 0: for none yet */
	const struct observations *observations;
	bool lumps;     /* counts and sums: multiplicative; else a gauge or a quotient, additive */
	bool shares;    /* a ratio: so many of `weight`, each a lump of one over the weight */
	bool weighted;  /* a mean: `base` is the number of events behind it */
	double per_day; /* intervals */
	uint32_t day_bins;
	double per_bin;   /* intervals */
	uint32_t longest; /* window, in intervals */
	bool whole;       /* counts: a lump is one */
	double keep[SEASONAL_LEVELS];
	double keep_unit, keep_far, keep_merit, keep_long, keep_habit; /* of decayed sums */
	double week;                                                   /* one over its intervals */
	double edge; /* standard deviations to the band's edge */
	double odd;  /* score from which an interval is no chance: once a week */
	double fade, fade_calm, fade_sure; /* of `peak`, for an interval; when it is calm */
	double calm_after;                 /* intervals */
	double powers[5];      /* of the position in the bin, averaged over the interval */
	uint32_t bin, old_bin; /* of the week */
	bool bin_begins, bin_ends;
	int64_t day, old_day; /* since 1970 at the place; INT64_MIN: there was none */
	bool day_begins;
	bool gap; /* intervals were left out before this one */
	uint64_t pushed;
	bool incomplete;
	uint32_t windows, longest_window; /* so many are looked at in this interval, at most */
	uint32_t windows_due;             /* would be, were all of them within reach */
	struct seasonal_span span[SEASONAL_WINDOWS];
};

/* What one interval brings to four series. */
struct seasonal_now {
	/* There is a value; a whole one; and it may be learned. */
	lanes_mask there, whole, teach;
	lanes_mask year; /* and no calendar has a say in it */
	lanes_mask calm; /* and it belongs to no burst: scatter and tails learn from it */
	lanes x;                 /* the value, in the mirror if need be */
	lanes times;             /* how many times the usual is expected: calendar, last year */
	lanes hint_doubt;        /* of what last year says, relative */
	lanes plain;             /* the value over that */
	lanes sign;              /* -1: a sum of what is below zero, looked at in the mirror */
	lanes squares;           /* sums: of the events; NaN: not known */
	lanes weight;            /* a quotient's denominator, else 1 */
	lanes shape;
	lanes value, base; /* what is added up: the forecast of value is level * base */
	lanes levels[SEASONAL_LEVELS];
	lanes mean; /* the forecast of x */
	lanes doubt;
	lanes rare;                             /* 1 / (heft * (intervals seen + 1)) */
	lanes gain;                             /* how much drifts may learn */
	lanes class_score[SEASONAL_CLASSES][2]; /* deviations: downward, upward */
	lanes score, onset, side;
	lanes gauge; /* how far a count is like a gauge: 0..1 */
	lanes kind;  /* of the strongest: 0 down, 1 up by short windows; 2, 3 by long ones */
};

/* Bins of the week. */
void seasonal_shape_close(struct seasonal_group *group, const struct seasonal_step *step);
void seasonal_shape_open(struct seasonal_group *group, const struct seasonal_step *step);
/* Forecast. */
void seasonal_level_forecast(struct seasonal_group *group, const struct seasonal_step *step,
			     struct seasonal_now *now);
/* Between two bins. */
void seasonal_level_fold(struct seasonal_group *group, const struct seasonal_step *step);
void seasonal_level_learn(struct seasonal_group *group, const struct seasonal_step *step,
			  const struct seasonal_now *now);
void seasonal_window_pace(struct seasonal_step *step);
void seasonal_window_prepare(struct seasonal_step *step);
void seasonal_window_score(struct seasonal_group *group, const struct seasonal_step *step,
			   struct seasonal_now *now);
void seasonal_window_push(struct seasonal_group *group, const struct seasonal_step *step,
			  const struct seasonal_now *now);
/* Vectors by address: how one is passed depends on what a file is compiled for. */
void seasonal_window_forget(struct seasonal_group *group, const struct seasonal_step *step,
			    const lanes_mask *which);
/* The shape is so many times what it was, and levels are relative to it. */
void seasonal_window_fold(struct seasonal_group *group, const lanes *times);
/* Before a step: what may be learned from it; a burst that is over is forgotten. */
void seasonal_burst_begin(struct seasonal_group *group, const struct seasonal_step *step,
			  struct seasonal_now *now);
/* After its score: does a burst begin, or end? */
void seasonal_burst_follow(struct seasonal_group *group, const struct seasonal_step *step,
			   const struct seasonal_now *now);
void seasonal_habit_fade(struct seasonal_group *group, const struct seasonal_step *step);
void seasonal_habit_score(struct seasonal_group *group, const struct seasonal_step *step,
			  struct seasonal_now *now);
/* A day has begun. */
void seasonal_year_day(struct seasonal_group *group, const struct seasonal_step *step);
/* Days before `today` as another state knows them, whose last is `last`. */
void seasonal_year_inherit(struct seasonal_group *group, uint32_t lane,
			   const struct seasonal_group *from, int64_t today, int64_t last);
bool seasonal_year_possible(const struct seasonal_exact *exact, uint32_t lane);
void seasonal_tail_init(struct seasonal_group *group);
void seasonal_tail_score(struct seasonal_group *group, const struct seasonal_step *step,
			 struct seasonal_now *now);

/* A byte's step of the year, as a logarithm. */
#define SEASONAL_YEAR_STEP 0.025

/* What detector_ops' recent_lengths() and recent() answer. */
uint32_t seasonal_recent_lengths(const void *state, const struct seasonal_step *step,
				 uint32_t lengths[DETECTOR_RECENT]);
void seasonal_recent(const struct seasonal_group *group, const struct seasonal_step *step,
		     uint64_t pushed, uint32_t lane, struct recent ret[DETECTOR_RECENT]);

/* Of what is tamer than this it can be told when a burst is over. */
#define SEASONAL_STEADY 0.02

LANES_INLINE lanes_mask seasonal_steady(const struct seasonal_exact *exact)
{
	return exact->wild < SEASONAL_STEADY;
}

/* Intervals that the shape may wait for an anomaly to end, at most. */
LANES_INLINE lanes seasonal_patience(const struct seasonal_step *step,
				     const struct seasonal_exact *exact)
{
	lanes days = lanes_pick(seasonal_steady(exact), lanes_all(1.25), lanes_all(1));
	return days * step->per_day;
}

/* The least mean of a bin that was seen: where nothing came a part of a lump may have, half of a
 * smoothed estimate's standard error if it were one. Not of young series, whose hours would add up
 * to more than came. */
#define SEASONAL_LEAST 0.27
#define SEASONAL_LEAST_PART 0.25

LANES_INLINE lanes seasonal_least(const struct seasonal_exact *exact,
				  const struct seasonal_step *step)
{
	lanes seen = lanes_max(exact->pooled_visits * step->per_bin, lanes_all(1));
	lanes least = lanes_min(SEASONAL_LEAST * exact->lump / seen,
				SEASONAL_LEAST_PART * exact->first);

	return lanes_max(least, 1e-3 * exact->first);
}

/* Days that the level behind shapes stands at 1 with. */
#define SEASONAL_LONG_PRIOR_DAYS 7.0

/* The level of a fortnight, as the levels are: relative to the shape (gauges: beside it). */
LANES_INLINE lanes seasonal_long_level(const struct seasonal_exact *exact,
				       const struct seasonal_step *step)
{
	lanes prior = lanes_all(SEASONAL_LONG_PRIOR_DAYS * step->per_day);

	if (!step->lumps)
		return exact->long_value / (exact->long_base + prior);
	prior *= exact->first;
	return (exact->long_value + prior) / lanes_max(exact->long_base + prior, lanes_all(1e-12));
}

/* Variance of one usual interval's value (counts: over its mean). */
LANES_INLINE lanes seasonal_unit(const struct seasonal_exact *exact)
{
	return exact->unit / exact->heft;
}

LANES_INLINE lanes seasonal_visits(const struct seasonal_group *group, uint32_t bin)
{
	lanes ret = {0};
	for (int i = 0; i < LANES; i++)
		LANE(ret, i) = (double)((group->visits[bin / 2][i] >> (bin % 2 * 4)) & 15);
	return ret;
}

#endif
