/*
 * quality_shop: what the parts of `weir-bench quality shop` share.
 *
 *   counts (tools/shop)  ->  clean and injected twin of each series, minute by minute
 *        |
 *   quality_shop_run.c       weir's default detector and the rivals over both twins,
 *   quality_shop_oracle.c    and the oracle, who knows the mean of every minute and the size
 *        |                   -> struct shop_part: hourly maxima, scores from each onset on
 *   quality_shop_measure.c   thresholds at equal false alarms, detections, delays
 *        |
 *   quality_shop_table.c     a row for each figure, a column for each rate
 */
#ifndef BENCH_QUALITY_SHOP_H
#define BENCH_QUALITY_SHOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "counts.h"

#define SHOP_TRAIN_WEEKS 4
#define SHOP_TEST_WEEKS 4
#define SHOP_MINUTES ((SHOP_TRAIN_WEEKS + SHOP_TEST_WEEKS) * COUNTS_WEEK)
#define SHOP_TEST (SHOP_TRAIN_WEEKS * COUNTS_WEEK) /* first minute of the test */
#define SHOP_HOURS (SHOP_TEST_WEEKS * 7 * 24)      /* of the test */
#define SHOP_SPACING (2 * COUNTS_DAY)              /* one injection in each */
#define SHOP_EVENTS (SHOP_TEST_WEEKS * COUNTS_WEEK / SHOP_SPACING) /* of a series */
#define SHOP_AFTER 2                  /* minutes after an injection in which it may be found */
#define SHOP_REACH (60 + SHOP_AFTER)  /* of the longest */
#define SHOP_QUIET 60                 /* quiet minutes end an episode of alarms */
#define SHOP_RATES_MAX 16

enum shop_method {
	SHOP_WEIR,
	SHOP_HOUR, /* sliding windows */
	SHOP_DAY,
	SHOP_WEEK,
	SHOP_PROFILE, /* hour of the week */
	SHOP_METHODS,
};

/* What is asked of a table. */
struct shop_request {
	uint64_t seed;
	uint32_t tier, threads;
	uint32_t series; /* of a rate; of deviations 0: as many as its rate asks for */
	bool other; /* of other habits and noise (counts.h) */
	bool rivals, json;
	const double *rates; /* events a minute */
	uint32_t rates_count;
};

/* The series that it asks for, at one rate. */
static inline struct counts_spec shop_counts(const struct shop_request *request, double rate)
{
	return (struct counts_spec){.seed = request->seed,
				    .rate = rate,
				    .minutes = SHOP_MINUTES,
				    .tier = request->other ? &counts_tiers_other[request->tier]
							   : &counts_tiers[request->tier],
				    .other = request->other};
}

enum shop_kind {
	SHOP_COUNT,      /* events */
	SHOP_CONVERSION, /* orders of visits: a ratio */
	SHOP_REVENUE,    /* of orders: a sum */
	SHOP_KINDS,
};

/* What a method said. */
struct shop_scores {
	float *hour_max; /* of the clean twin: [series][SHOP_HOURS] */
	/* Of the injected one, from each onset on: [series * SHOP_EVENTS][SHOP_REACH]. */
	float *reach;
	/* Of the clean twin at the method's usual threshold (severity 50, 3 standard deviations),
	 * [series]. */
	uint32_t *loud_hours, *loud_episodes;
	uint32_t *loud_last; /* the last such minute; 0: none */
};

/* One rate in one tier. */
struct shop_part {
	enum shop_kind kind;
	struct counts_spec spec; /* spec.series is not looked at */
	uint32_t series;
	bool rivals;
	struct injection *events; /* [series * SHOP_EVENTS] */
	struct shop_scores methods[SHOP_METHODS];
	float *oracle_max[COUNTS_SIZES]; /* as hour_max, for each size that it looks for */
	float *oracle_reach;
	/* The detector as it ships: alarms on the clean twin, [series]; whether one fired while an
	 * injection could be found, [series * SHOP_EVENTS]. */
	uint32_t *fired;
	uint8_t *fired_at;
	/* Alarm-hours at severity 50 in training: of the first week, then of the others; and the
	 * last such hour: [3][series]. */
	uint32_t *early;
	double *error_squares; /* [series], of log(expected / lambda), and of how many minutes */
	uint32_t *errors;
	double *score_ns; /* [series], processor time of a series-minute */
};

/* Minutes that are not like the others. */
enum twins_aside {
	TWINS_UNCOUNTED = 1, /* what is said there counts for nothing: it may be true */
	TWINS_EXCLUDED = 2,  /* a calendar takes them out: who watches is not shown them */
};

/* The twins of some series, as long as they are scored. */
struct shop_twins {
	enum shop_kind kind;
	struct counts_spec spec;
	uint32_t from, count; /* which series of the part */
	/* [count][SHOP_MINUTES]: the mean of the events, given the visits where there are any; the
	 * events, or what they are worth; all visits; of revenue the orders. */
	float *lambda, *clean, *injected, *visits, *orders;
	/* [count][SHOP_MINUTES]: of enum twins_aside, where something happens or has just
	 * happened. */
	uint8_t *aside;
	struct market_prices *prices; /* of revenue */
	double worth; /* of an event, in the mean */
	double unit;  /* a sum scatters as a count of events that are worth so much each */
};

/* Where the minutes of series `index` of the twins lie, in one of the arrays. */
static inline float *shop_row(float *array, uint32_t index)
{
	return array + (size_t)index * SHOP_MINUTES;
}

static inline uint8_t shop_aside(const struct shop_twins *twins, uint32_t index, uint32_t minute)
{
	return twins->aside[(size_t)index * SHOP_MINUTES + minute];
}

/* 0; -ENOMEM. */
int shop_part_init(struct shop_part *part, enum shop_kind kind, const struct counts_spec *spec,
		   uint32_t series, bool rivals);
void shop_part_free(struct shop_part *part);
/* Score these series of the part, which nobody else does meanwhile. 0; -ENOMEM. */
int shop_part_score(struct shop_part *part, uint32_t from, uint32_t count);
/* Of series from .. from + count - 1, both the clean one so far. 0; -ENOMEM. */
int shop_twins_make(struct shop_twins *twins, enum shop_kind kind, const struct counts_spec *spec,
		    uint32_t from, uint32_t count);
void shop_twins_free(struct shop_twins *twins);
/* Plant it in the injected twin of series `index` of these. */
void shop_plant(struct shop_twins *twins, uint32_t index, const struct injection *injection);
/* What detectors are shown in a minute in which events, or their worth, are `value`: NaN where a
 * calendar excludes it. */
double shop_value(const struct shop_twins *twins, uint32_t index, uint32_t minute, double value);
/* The oracle's side of it. */
void shop_oracle(struct shop_part *part, const struct shop_twins *twins);
/* That of the rivals. 0; -ENOMEM. */
int shop_rivals(struct shop_part *part, const struct shop_twins *twins);
/* Write down what a method says about a series in a minute of the test, of both twins. loud: the
 * clean one is at the method's usual threshold. */
void shop_note(struct shop_part *part, enum shop_method method, uint32_t series, uint32_t minute,
	       double clean, double injected, bool loud);
/* The injection that may be found in a minute of the test, its number in the part; -1: none. */
int64_t shop_event_at(const struct shop_part *part, uint32_t series, uint32_t minute);
/* Which of counts_sizes this is. */
uint32_t shop_size(double size);

/* The figures of a tier, for each rate and for all of them together; NaN where there is none. */
enum shop_row {
	SHOP_ROW_ORACLE,  /* per cent of the injections that it finds */
	SHOP_ROW_WEIR,
	SHOP_ROW_RATIO,   /* of the oracle's; all: of all injections */
	SHOP_ROW_RATIO_LEAST, /* between these in nine of ten cases */
	SHOP_ROW_RATIO_MOST,
	SHOP_ROW_GLOBAL,  /* the same with one threshold for all rates */
	SHOP_ROW_RIVALS,  /* the ratios of SHOP_HOUR .. SHOP_PROFILE */
	SHOP_ROW_DELAY_50 = SHOP_ROW_RIVALS + SHOP_METHODS - 1, /* of the oracle's */
	SHOP_ROW_DELAY_20,
	SHOP_ROW_HOURS,   /* a series-week, at severity 50 */
	SHOP_ROW_EPISODES,
	SHOP_ROW_EARLY, /* the same hours of the first week of all, and of the next three */
	SHOP_ROW_GLOBAL_HOURS = SHOP_ROW_EARLY + 2, /* at the threshold for all rates */
	SHOP_ROW_SHIPPED,      /* per cent of the injections at which an alarm fires */
	SHOP_ROW_FIRED,        /* alarms on clean data, a series-year */
	SHOP_ROW_THRESHOLD,    /* for one alarm-hour a series-week; all: for all rates */
	SHOP_ROW_ERROR,        /* rms of log(expected / lambda), per cent */
	SHOP_ROW_LOUD,         /* alarm-hours of the rivals at 3 standard deviations */
	SHOP_ROW_COST = SHOP_ROW_LOUD + SHOP_METHODS - 1, /* ns of a series-minute */
	SHOP_ROWS,
};

struct shop_table {
	enum shop_kind kind;
	uint32_t tier, rates;
	bool rivals; /* they were asked */
	double rate[SHOP_RATES_MAX];
	uint32_t series[SHOP_RATES_MAX];
	double figures[SHOP_ROWS][SHOP_RATES_MAX + 1]; /* [rates]: all */
	/* Per cent found, of the longer two lengths: by size, both signs; weir's and the oracle's.
	 */
	double cells[COUNTS_SIZES / 2][2][SHOP_RATES_MAX];
};

/* Minutes in which the oracle finds each injection, at a threshold of its own for each size; 0: it
 * does not. Sorts what it needs the hours for. */
void shop_oracle_delays(struct shop_part *part, uint8_t *ret_delays);
/* parts: of one tier, by rate. 0; -ENOMEM. */
int shop_measure(struct shop_part *parts, uint32_t rates, struct shop_table *ret_table);
void shop_table_print(const struct shop_table *table, bool json);

#endif
