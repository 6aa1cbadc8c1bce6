/*
 * counts: a shop's events minute by minute as counts, with the truth behind them; see counts.h.
 */
#include "counts.h"

#include <math.h>

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
};

const struct counts_tier counts_tiers[COUNTS_TIERS] = {
	{0},
	{.slow_sd = 0.03,
	 .slow_minutes = 360,
	 .day_sd = 0.02,
	 .trend_low = -0.01,
	 .trend_high = 0.02,
	 .extra_sd = 0.03,
	 .missing = 0.001,
	 .gaps = 3,
	 .gap_min = 10,
	 .gap_max = 60},
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

static double day_effect(const struct counts_spec *spec, uint64_t key, int64_t day)
{
	struct random random = random_keyed(key, PART_DAY, (uint64_t)(day + 1));
	return spec->tier->day_sd * random_normal(&random);
}

/* The weight of the neighbouring day at a minute of the day: half at midnight, none from two hours
 * on; smooth. */
static double neighbour_weight(uint32_t minute)
{
	double distance = minute < COUNTS_DAY / 2 ? minute : COUNTS_DAY - minute;
	double part = (BLEND_HALF - distance) / (2.0 * BLEND_HALF);
	return part > 0.0 ? part * part * (3.0 - 2.0 * part) : 0.0;
}

static void make_lambda(const struct counts_spec *spec, uint64_t key, float *ret_lambda)
{
	const struct counts_tier *tier = spec->tier;
	struct random slow_stream = random_keyed(key, PART_SLOW, 0);
	struct random trend_stream = random_keyed(key, PART_TREND, 0);
	double trend = uniform(&trend_stream, tier->trend_low, tier->trend_high) / COUNTS_WEEK;
	double keep = tier->slow_sd > 0.0 ? exp(-1.0 / tier->slow_minutes) : 0.0;
	double kick = tier->slow_sd * sqrt(1.0 - keep * keep);
	double slow = tier->slow_sd > 0.0 ? tier->slow_sd * random_normal(&slow_stream) : 0.0;
	double before = 0.0, today = day_effect(spec, key, -1), after = day_effect(spec, key, 0);
	struct season season;

	season_init(&season, random_keyed(key, PART_SEASON, 0).state);
	for (uint32_t t = 0; t < spec->minutes; t++) {
		uint32_t minute = t % COUNTS_DAY;
		if (minute == 0) {
			before = today;
			today = after;
			after = day_effect(spec, key, t / COUNTS_DAY + 1);
		}
		double weight = neighbour_weight(minute);
		double day = (1.0 - weight) * today +
			     weight * (minute < COUNTS_DAY / 2 ? before : after);
		double level = spec->rate * season_factor(&season, COUNTS_START_MS + t * UINT64_C(60000));
		ret_lambda[t] = (float)(level * exp(trend * t + slow + day));
		if (kick > 0.0)
			slow = keep * slow + kick * random_normal(&slow_stream);
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

void counts_make(const struct counts_spec *spec, float *ret_lambda, float *ret_clean)
{
	const uint64_t key = series_key(spec);
	const double extra_sd = spec->tier->extra_sd;
	struct random random = random_keyed(key, PART_COUNT, 0);

	make_lambda(spec, key, ret_lambda);
	for (uint32_t t = 0; t < spec->minutes; t++) {
		double mean = ret_lambda[t];
		if (extra_sd > 0.0)
			mean *= random_gamma(&random, 1.0 / (extra_sd * extra_sd));
		ret_clean[t] = (float)random_poisson(&random, mean);
	}
	make_missing(spec, key, ret_clean);
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

void counts_plan(const struct counts_spec *spec, uint32_t series, uint32_t from, uint32_t spacing,
		 uint32_t blocks, struct injection *ret_injections)
{
	struct random random = random_keyed(spec->seed, (uint64_t)llround(spec->rate * 1000),
					    UINT64_MAX - PART_PLAN);

	plan_kinds(&random, series * blocks, ret_injections);
	for (uint32_t i = 0; i < series * blocks; i++) {
		struct injection *injection = &ret_injections[i];
		uint32_t room = spacing - injection->length - 2; /* its window ends in its block */
		injection->series = i / blocks;
		injection->onset = from + i % blocks * spacing + random_below(&random, room);
	}
}
