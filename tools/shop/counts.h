/*
 * counts: a shop's events minute by minute as counts, with the truth behind them: what
 * `weir-bench quality shop` gives to detectors.
 *
 *   lambda(t) = rate * season(t) * exp(trend * week + slow(t) + day(d)) * happening(t)
 *   clean     : Poisson(lambda * extra(t)), NaN where the minute is missing
 *   injected  : the clean one, but in the minutes of an injection each event is kept with
 *               probability 1 + size (drops), or Poisson(lambda * size) come on top (rises)
 *
 * `slow` is an Ornstein-Uhlenbeck process, `day` a normal number per day, blended over midnight as
 * the season's days are; `extra` is gamma with mean 1, which makes the counts negative binomial.
 * Tier 0 has none of the noise, tier 1 all of it (counts_tiers). From tier 2 on things happen:
 * holidays and campaigns multiply lambda from one minute to the next, in training and test alike;
 * in tier 3 who watches is told when. Of the conversion they multiply the visits.
 *
 * Conversion: the counts are orders, which come from visits; these are COUNTS_VISITS times as many
 * in the mean and carry all of the above, the share of them that orders has a day of its own and,
 * where the tier has noise, half of the slow noise and of the days' differences. What is planted
 * changes the share. Revenue: each order is worth what a purchase of the shop is (market.h).
 *
 * Each part has a random stream of its own, keyed by seed, rate and series: clean and injected are
 * equal outside of injections, and a series does not depend on how many there are.
 */
#ifndef SHOP_COUNTS_H
#define SHOP_COUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "market.h"

#define COUNTS_DAY 1440
#define COUNTS_WEEK (7 * COUNTS_DAY)
#define COUNTS_START_MS UINT64_C(1780272000000) /* Monday, 1 June 2026, 00:00 UTC */
#define COUNTS_VISITS 40
#define COUNTS_TIERS 4
#define COUNTS_TIERS_CALM 2 /* the first ones, in which nothing happens */
#define COUNTS_HAPPENINGS_MAX 64
#define COUNTS_SIZES 10
#define COUNTS_LENGTHS 4

struct counts_tier {
	double slow_sd, slow_minutes;  /* of the logarithm; time in which it forgets */
	double day_sd;                 /* of the logarithm */
	double trend_low, trend_high;  /* per week, of the logarithm; uniform */
	double extra_sd;               /* relative */
	double missing;                /* share of single minutes */
	uint32_t gaps, gap_min, gap_max; /* longer ones in a series, minutes */
	/* One campaign in each so many weeks, at any time; 0: none. */
	uint32_t campaign_weeks, campaign_min, campaign_max; /* weeks; minutes */
	double campaign_low, campaign_high;                  /* times the usual; uniform */
	uint32_t holiday_weeks; /* one day in each so many weeks; 0: none */
	double holiday;         /* times the usual */
	bool known;             /* who watches has a calendar of all this */
};

extern const struct counts_tier counts_tiers[COUNTS_TIERS];
/* The same with noise of another size and speed. */
extern const struct counts_tier counts_tiers_other[COUNTS_TIERS];
extern const double counts_sizes[COUNTS_SIZES];
extern const uint32_t counts_lengths[COUNTS_LENGTHS]; /* minutes */

struct counts_spec {
	uint64_t seed;
	double rate; /* events a minute, mean of a week; of conversion and revenue: orders */
	uint32_t series;
	uint32_t minutes;
	const struct counts_tier *tier;
	bool other; /* a season of other habits (season.h) */
};

/* A campaign or a holiday. */
struct happening {
	uint32_t start, length; /* minutes since the start */
	uint32_t after;         /* minutes until everything can be expected to be as before */
	double factor;
};

struct injection {
	uint32_t series;
	uint32_t onset, length; /* minutes since the start */
	double size;            /* relative; -1 .. */
};

/* What happens to a series, campaigns first; how many. */
uint32_t counts_happenings(const struct counts_spec *spec,
			   struct happening ret_happenings[COUNTS_HAPPENINGS_MAX]);
/* ret_lambda, ret_clean: [spec->minutes]. */
void counts_make(const struct counts_spec *spec, float *ret_lambda, float *ret_clean);
/* The same of orders among visits: lambda is that of the orders, given the minute's visits. */
void counts_make_conversion(const struct counts_spec *spec, float *ret_lambda, float *ret_clean,
			    float *ret_visits);
/* The same of parts of a shop, whose rates are shares of spec->rate: half of the slow noise and of
 * the days' differences is common to all, the other half is each one's own, as is what scatters;
 * missing minutes are missing for all. ret_lambda, ret_clean: [count][spec->minutes]. */
void counts_make_parts(const struct counts_spec *spec, const double *shares, uint32_t count,
		       float *ret_lambda, float *ret_clean);
/* Counts of orders, of the minutes from .. to - 1, into their revenue. */
void counts_price(const struct counts_spec *spec, const struct market_prices *prices,
		  uint32_t from, uint32_t to, float *values);
/* Mean of an order's value, and of its square. */
void counts_price_moments(const struct market_prices *prices, double *ret_mean,
			  double *ret_square);
/* Change `values`, a copy of the clean ones, where the injection is. */
void counts_inject(const struct counts_spec *spec, const struct injection *injection,
		   const float *lambda, float *values);
/*
 * For series 0 .. series - 1: one injection per `spacing` minutes from `from` on, `blocks` of them,
 * at a uniform time within its block, but not while something happens nor shortly after. All
 * combinations of sizes and lengths come equally often, in random order. ret_injections:
 * [series * blocks], series after series. Uses all of spec but spec->series.
 */
void counts_plan(const struct counts_spec *spec, uint32_t series, uint32_t from, uint32_t spacing,
		 uint32_t blocks, struct injection *ret_injections);

#endif
