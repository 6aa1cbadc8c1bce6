/*
 * counts: a shop's events minute by minute as counts, with the truth behind them; see counts.h.
 */
#include "counts.h"

#include <math.h>
#include <stddef.h>

#include "random.h"
#include "season.h"

#define BLEND_HALF 120.0 /* minutes on each side of midnight in which two days are blended */

/* What has a random stream of its own. */
enum part {
	PART_SEASON,
	PART_TREND,
	PART_SLOW,
	PART_DAY,
	PART_COUNT,
	PART_MISSING,
	PART_INJECTION,
	PART_PLAN,
	PART_SHARE,
	PART_PRICE,
	PART_CAMPAIGN,
	PART_HOLIDAY,
	PART_PARTS,
};

#define SHARE_SWING 0.1 /* of the conversion over a day; of the logarithm */
#define PLAN_TRIES 1000    /* for a quiet time; a block is longer than what can happen in it */
#define CAMPAIGN_AFTER 60  /* minutes */
#define HOLIDAY_AFTER 120

/* Slow noise, odd days, a trend, more scatter, missing minutes. */
#define NOISE                                                                                      \
	.slow_sd = 0.03, .slow_minutes = 360, .day_sd = 0.02, .trend_low = -0.01,                  \
	.trend_high = 0.02, .extra_sd = 0.03, .missing = 0.001, .gaps = 3, .gap_min = 10,          \
	.gap_max = 60
#define NOISE_OTHER                                                                                \
	.slow_sd = 0.025, .slow_minutes = 150, .day_sd = 0.03, .trend_low = -0.03,                 \
	.trend_high = 0.03, .extra_sd = 0.04, .missing = 0.003, .gaps = 5, .gap_min = 5,           \
	.gap_max = 180
/* Campaigns, and a day of many buyers. */
#define HAPPENINGS                                                                                 \
	.campaign_weeks = 2, .campaign_min = 120, .campaign_max = 360, .campaign_low = 1.3,        \
	.campaign_high = 2.0, .holiday_weeks = 4, .holiday = 2.2
#define HAPPENINGS_OTHER                                                                           \
	.campaign_weeks = 2, .campaign_min = 60, .campaign_max = 480, .campaign_low = 1.2,         \
	.campaign_high = 2.5, .holiday_weeks = 4, .holiday = 1.7

const struct counts_tier counts_tiers[COUNTS_TIERS] = {
	{0},
	{NOISE},
	{NOISE, HAPPENINGS},
	{NOISE, HAPPENINGS, .known = true},
};

const struct counts_tier counts_tiers_other[COUNTS_TIERS] = {
	{0},
	{NOISE_OTHER},
	{NOISE_OTHER, HAPPENINGS_OTHER},
	{NOISE_OTHER, HAPPENINGS_OTHER, .known = true},
};

const double counts_sizes[COUNTS_SIZES] = {-0.05, -0.1, -0.2, -0.5, -1.0, 0.05, 0.1, 0.2, 0.5, 1.0};
const uint32_t counts_lengths[COUNTS_LENGTHS] = {5, 15, 30, 60};

/* The key of a series: everything about it is drawn under this. */
static uint64_t series_key(const struct counts_spec *spec)
{
	return random_keyed(spec->seed, (uint64_t)llround(spec->rate * 1000), spec->series).state;
}

static double uniform(struct random *random, double low, double high)
{
	return low + (high - low) * random_unit(random);
}

static uint32_t uniform_between(struct random *random, uint32_t low, uint32_t high)
{
	return low + random_below(random, high - low + 1);
}

/* Slow noise, days that differ and a trend: what multiplies the season, minute after minute. */
struct drift {
	uint64_t key;
	double scale; /* of the noise */
	const struct counts_tier *tier;
	struct random stream;
	double trend, keep, kick, slow;
	double before, today, after; /* effects of the days */
};

static double day_effect(const struct drift *drift, int64_t day)
{
	struct random random = random_keyed(drift->key, PART_DAY, (uint64_t)(day + 1));
	return drift->scale * drift->tier->day_sd * random_normal(&random);
}

static struct drift drift_begin(const struct counts_tier *tier, uint64_t key, double scale)
{
	struct drift drift = {.key = key, .scale = scale, .tier = tier};
	struct random trend = random_keyed(key, PART_TREND, 0);

	drift.stream = random_keyed(key, PART_SLOW, 0);
	drift.trend = scale * uniform(&trend, tier->trend_low, tier->trend_high) / COUNTS_WEEK;
	if (tier->slow_sd > 0.0) {
		drift.keep = exp(-1.0 / tier->slow_minutes);
		drift.kick = scale * tier->slow_sd * sqrt(1.0 - drift.keep * drift.keep);
		drift.slow = scale * tier->slow_sd * random_normal(&drift.stream);
	}
	drift.today = day_effect(&drift, -1);
	drift.after = day_effect(&drift, 0);
	return drift;
}

/* The weight of the neighbouring day at a minute of the day: half at midnight, none from two hours
 * on; smooth. */
static double neighbour_weight(uint32_t minute)
{
	double distance = minute < COUNTS_DAY / 2 ? minute : COUNTS_DAY - minute;
	double part = (BLEND_HALF - distance) / (2.0 * BLEND_HALF);
	return part > 0.0 ? part * part * (3.0 - 2.0 * part) : 0.0;
}

/* The factor of minute t; each in turn, from 0. */
static double drift_step(struct drift *drift, uint32_t t)
{
	uint32_t minute = t % COUNTS_DAY;
	if (minute == 0) {
		drift->before = drift->today;
		drift->today = drift->after;
		drift->after = day_effect(drift, t / COUNTS_DAY + 1);
	}
	double weight = neighbour_weight(minute);
	double neighbour = minute < COUNTS_DAY / 2 ? drift->before : drift->after;
	double day = (1.0 - weight) * drift->today + weight * neighbour;
	double factor = exp(drift->trend * t + drift->slow + day);
	if (drift->kick > 0.0)
		drift->slow = drift->keep * drift->slow +
			      drift->kick * random_normal(&drift->stream);
	return factor;
}

/* One in each so many weeks of the series' time, as far as they are whole. */
static uint32_t plan_happenings(const struct counts_spec *spec, uint32_t weeks, bool holiday,
				struct happening *ret_happenings, uint32_t most)
{
	const struct counts_tier *tier = spec->tier;
	uint32_t blocks = weeks > 0 ? spec->minutes / (weeks * COUNTS_WEEK) : 0;

	blocks = blocks < most ? blocks : most;
	for (uint32_t i = 0; i < blocks; i++) {
		struct happening *happening = &ret_happenings[i];
		struct random random = random_keyed(series_key(spec),
						    holiday ? PART_HOLIDAY : PART_CAMPAIGN, i);
		uint32_t from = i * weeks * COUNTS_WEEK;
		if (holiday) {
			*happening = (struct happening){.length = COUNTS_DAY,
							.after = HOLIDAY_AFTER,
							.factor = tier->holiday};
			happening->start = from + random_below(&random, 7 * weeks) * COUNTS_DAY;
			continue;
		}
		happening->length = uniform_between(&random, tier->campaign_min,
						    tier->campaign_max);
		happening->after = CAMPAIGN_AFTER;
		happening->factor = uniform(&random, tier->campaign_low, tier->campaign_high);
		happening->start = from + random_below(&random, weeks * COUNTS_WEEK -
									happening->length);
	}
	return blocks;
}

uint32_t counts_happenings(const struct counts_spec *spec,
			   struct happening ret_happenings[COUNTS_HAPPENINGS_MAX])
{
	uint32_t count = plan_happenings(spec, spec->tier->campaign_weeks, false, ret_happenings,
					 COUNTS_HAPPENINGS_MAX / 2);

	return count + plan_happenings(spec, spec->tier->holiday_weeks, true,
				       ret_happenings + count, COUNTS_HAPPENINGS_MAX / 2);
}

/* noise: how much of it there is. */
static void make_lambda(const struct counts_spec *spec, uint64_t key, double rate, double noise,
			float *ret_lambda)
{
	struct drift drift = drift_begin(spec->tier, key, noise);
	struct happening happenings[COUNTS_HAPPENINGS_MAX];
	uint32_t count = counts_happenings(spec, happenings);
	struct season season;

	uint64_t season_key = random_keyed(key, PART_SEASON, 0).state;
	if (spec->other)
		season_init_other(&season, season_key);
	else
		season_init(&season, season_key);
	for (uint32_t t = 0; t < spec->minutes; t++) {
		double level = season_factor(&season, COUNTS_START_MS + t * UINT64_C(60000));
		ret_lambda[t] = (float)(rate * level * drift_step(&drift, t));
	}
	for (uint32_t i = 0; i < count; i++) {
		uint32_t end = happenings[i].start + happenings[i].length;
		for (uint32_t t = happenings[i].start; t < end; t++)
			ret_lambda[t] *= (float)happenings[i].factor;
	}
}

static void make_missing(const struct counts_spec *spec, uint64_t key, float *values)
{
	const struct counts_tier *tier = spec->tier;
	struct random random = random_keyed(key, PART_MISSING, 0);

	for (uint32_t t = 0; tier->missing > 0.0 && t < spec->minutes; t++)
		if (random_unit(&random) < tier->missing)
			values[t] = NAN;
	for (uint32_t gap = 0; gap < tier->gaps; gap++) {
		uint32_t from = random_below(&random, spec->minutes);
		uint32_t length = uniform_between(&random, tier->gap_min, tier->gap_max);
		for (uint32_t t = from; t < from + length && t < spec->minutes; t++)
			values[t] = NAN;
	}
}

/* What makes counts scatter more than Poisson's do. */
static double extra(const struct counts_tier *tier, struct random *random)
{
	const double sd = tier->extra_sd;
	return sd > 0.0 ? random_gamma(random, 1.0 / (sd * sd)) : 1.0;
}

void counts_make(const struct counts_spec *spec, float *ret_lambda, float *ret_clean)
{
	const uint64_t key = series_key(spec);
	struct random random = random_keyed(key, PART_COUNT, 0);

	make_lambda(spec, key, spec->rate, 1.0, ret_lambda);
	for (uint32_t t = 0; t < spec->minutes; t++) {
		double mean = ret_lambda[t] * extra(spec->tier, &random);
		ret_clean[t] = (float)random_poisson(&random, mean);
	}
	make_missing(spec, key, ret_clean);
}

void counts_make_conversion(const struct counts_spec *spec, float *ret_lambda, float *ret_clean,
			    float *ret_visits)
{
	const uint64_t key = series_key(spec);
	struct random random = random_keyed(key, PART_COUNT, 0);
	struct random share_stream = random_keyed(key, PART_SHARE, 0);
	struct drift drift = drift_begin(spec->tier, share_stream.state, 0.5);
	double phase = random_unit(&share_stream) * 2.0 * M_PI;

	make_lambda(spec, key, spec->rate * COUNTS_VISITS, 1.0, ret_lambda);
	for (uint32_t t = 0; t < spec->minutes; t++) {
		double mean = ret_lambda[t] * extra(spec->tier, &random);
		double swing = SHARE_SWING * sin(2.0 * M_PI * t / COUNTS_DAY + phase);
		double share = exp(swing) * drift_step(&drift, t) / COUNTS_VISITS;
		/* Visits that order and visits that do not: binomial, given their sum. */
		uint64_t orders = random_poisson(&random, mean * share);
		uint64_t visits = orders + random_poisson(&random, mean * (1.0 - share));
		ret_clean[t] = (float)orders;
		ret_visits[t] = (float)visits;
		ret_lambda[t] = (float)((double)visits * share);
	}
	make_missing(spec, key, ret_clean);
}

void counts_make_parts(const struct counts_spec *spec, const double *shares, uint32_t count,
		       float *ret_lambda, float *ret_clean)
{
	const uint64_t key = series_key(spec);

	/* The last one's place keeps what is common until its turn comes. */
	float *common = ret_lambda + (size_t)(count - 1) * spec->minutes;
	make_lambda(spec, key, spec->rate, M_SQRT1_2, common);
	for (uint32_t part = 0; part < count; part++) {
		const uint64_t own = random_keyed(key, PART_PARTS, part).state;
		struct random random = random_keyed(own, PART_COUNT, 0);
		struct drift drift = drift_begin(spec->tier, own, M_SQRT1_2);
		float *lambda = ret_lambda + (size_t)part * spec->minutes;
		float *clean = ret_clean + (size_t)part * spec->minutes;
		for (uint32_t t = 0; t < spec->minutes; t++) {
			double mean = shares[part] * (double)common[t] * drift_step(&drift, t);
			lambda[t] = (float)mean;
			mean *= extra(spec->tier, &random);
			clean[t] = (float)random_poisson(&random, mean);
		}
		make_missing(spec, key, clean);
	}
}

void counts_price(const struct counts_spec *spec, const struct market_prices *prices,
		  uint32_t from, uint32_t to, float *values)
{
	const uint64_t key = series_key(spec);
	const int32_t *cents = prices->cents[MARKET_PURCHASE];

	for (uint32_t t = from; t < to && t < spec->minutes; t++) {
		struct random random = random_keyed(key, PART_PRICE, t);
		int64_t sum = 0;
		if (isnan(values[t]))
			continue;
		for (uint64_t i = 0; i < (uint64_t)values[t]; i++)
			sum += cents[random_next(&random) % MARKET_PRICES];
		values[t] = (float)((double)sum / 100.0);
	}
}

void counts_price_moments(const struct market_prices *prices, double *ret_mean, double *ret_square)
{
	*ret_mean = *ret_square = 0.0;
	for (uint32_t i = 0; i < MARKET_PRICES; i++) {
		double price = prices->cents[MARKET_PURCHASE][i] / 100.0;
		*ret_mean += price / MARKET_PRICES;
		*ret_square += price * price / MARKET_PRICES;
	}
}

void counts_inject(const struct counts_spec *spec, const struct injection *injection,
		   const float *lambda, float *values)
{
	struct random random = random_keyed(series_key(spec), PART_INJECTION, injection->onset);
	uint32_t end = injection->onset + injection->length;

	for (uint32_t t = injection->onset; t < end && t < spec->minutes; t++) {
		if (isnan(values[t]))
			continue;
		if (injection->size < 0.0)
			values[t] = (float)random_binomial(&random, (uint64_t)values[t],
							   1.0 + injection->size);
		else
			values[t] += (float)random_poisson(&random, lambda[t] * injection->size);
	}
}

/* Every combination of size and length in turn, then shuffled. */
static void plan_kinds(struct random *random, uint32_t count, struct injection *ret_injections)
{
	for (uint32_t i = 0; i < count; i++) {
		ret_injections[i].size = counts_sizes[i % COUNTS_SIZES];
		ret_injections[i].length = counts_lengths[i / COUNTS_SIZES % COUNTS_LENGTHS];
	}
	for (uint32_t i = count; i > 1; i--) {
		uint32_t other = random_below(random, i);
		struct injection swap = ret_injections[i - 1];
		ret_injections[i - 1] = ret_injections[other];
		ret_injections[other] = swap;
	}
}

/* May it be found while something happens, or shortly after? */
static bool disturbed(const struct injection *injection, const struct happening *happenings,
		      uint32_t count)
{
	uint32_t end = injection->onset + injection->length + 2;

	for (uint32_t i = 0; i < count; i++) {
		const struct happening *happening = &happenings[i];
		if (injection->onset < happening->start + happening->length + happening->after &&
		    end > happening->start)
			return true;
	}
	return false;
}

void counts_plan(const struct counts_spec *spec, uint32_t series, uint32_t from, uint32_t spacing,
		 uint32_t blocks, struct injection *ret_injections)
{
	struct random random = random_keyed(spec->seed, (uint64_t)llround(spec->rate * 1000),
					    UINT64_MAX - PART_PLAN);
	struct happening happenings[COUNTS_HAPPENINGS_MAX];
	struct counts_spec one = *spec;

	plan_kinds(&random, series * blocks, ret_injections);
	for (uint32_t i = 0; i < series * blocks; i++) {
		struct injection *injection = &ret_injections[i];
		uint32_t room = spacing - injection->length - 2; /* its window ends in its block */
		injection->series = one.series = i / blocks;
		uint32_t count = counts_happenings(&one, happenings);
		uint32_t tries = 0;
		do {
			injection->onset = from + i % blocks * spacing +
					   random_below(&random, room);
		} while (disturbed(injection, happenings, count) && ++tries < PLAN_TRIES);
	}
}
