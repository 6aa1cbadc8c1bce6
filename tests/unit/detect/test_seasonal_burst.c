/*
 * Bursts that nobody announced, and what a calendar says: what is learned of them is bounded, and
 * they leave no echo.
 */
#include "run.h"

#define RATE 300.0

static struct run *run_trained(uint64_t seed, enum aggregation aggregation, double rate)
{
	struct run *run = run_new(seed, 4, 5 * MINUTE, aggregation, &rate, 1);
	run_weeks(run, 3);
	return run;
}

/* So many hours with a factor; hours of slices in which one was at or above a severity of 75. */
static uint32_t run_hours(struct run *run, double hours, double factor)
{
	int64_t told[SHOP_SLICES_MAX] = {0};
	uint32_t loud = 0;

	for (int k = 0; k < (int)(hours * 12); k++) {
		run_step(run, factor);
		for (uint32_t i = 0; i < run->shop.observations.count; i++)
			loud += severity_of(run, i) >= 75 && run_new_hour(run, &told[i]);
	}
	return loud;
}

/* The mean of expected over usual in so many more hours. */
static double run_bias(struct run *run, double hours)
{
	uint32_t count = run->shop.observations.count;
	double expected = 0, usual = 0;

	for (int k = 0; k < (int)(hours * 12); k++) {
		run_step(run, 1);
		double shape = shop_shape(shop_hours(&run->shop));
		for (uint32_t i = 0; i < count; i++) {
			expected += run->probe.expected[i];
			usual += run->rates[i] * shape;
		}
	}
	return expected / usual;
}

/* More than double for a day: seen, over at once, forgotten. */
static void check_day(double factor)
{
	struct run *run = run_trained(31, AGGREGATE_COUNT, RATE);

	cr_assert_geq(run_hours(run, 24, factor), 4, "a day of %g times is seen", factor);
	run_hours(run, 1, 1);
	uint32_t after = run_hours(run, 23, 1);
	cr_assert_leq(after, 1, "%u hours of alarms on the day after %g times", after, factor);
	run_weeks(run, 5.0 / 7);
	double bias = run_bias(run, 24);
	cr_assert(bias > 0.97 && bias < 1.03, "a week after %g times: expects %g times", factor,
		  bias);
	run_free(run);
}

Test(seasonal_burst, an_unknown_day_leaves_no_echo)
{
	check_day(2.2);
	check_day(0.4);
}

/* None is a reason to miss a fall right after it. */
Test(seasonal_burst, what_comes_after_a_campaign_is_seen)
{
	struct run *run = run_trained(32, AGGREGATE_COUNT, RATE);

	for (uint32_t k = 0; k < 2; k++) {
		run_hours(run, 3, 1.7);
		run_hours(run, 2, 1);
		uint32_t seen = 0;
		for (uint32_t j = 0; j < 6; j++) {
			run_step(run, 0.5);
			for (uint32_t i = 0; i < 4; i++)
				seen |= severity_of(run, i) >= 75 && run->probe.direction[i] < 0
						? 1u << i
						: 0;
		}
		cr_assert_eq(seen, 15, "a fall by half after campaign %u: slices %x", k, seen);
		run_hours(run, 42.5, 1);
	}
	run_free(run);
}

/* A level that is a bit higher for some hours, and then a bit lower. */
static double wave(uint32_t minute)
{
	return 1 + 0.05 * fmax(-1, fmin(2 * sin(2 * M_PI * minute / 1020), 1));
}

/* A burst that is over leaves the level where it was of late, not where it is in the long run. */
Test(seasonal_burst, what_is_over_brings_back_what_was_before)
{
	const double rate = 20 * RATE;
	const uint32_t day = 24 * 1020 + 400;
	struct run *run = run_new(36, 4, MINUTE, AGGREGATE_COUNT, &rate, 1);
	double sum = 0;

	for (uint32_t k = 0; k < day + 20; k++) {
		run_step(run, wave(k) * (k >= day && k < day + 3 ? 1.4 : 1));
		double usual = rate * wave(k) * shop_shape(shop_hours(&run->shop));
		for (uint32_t i = 0; k >= day + 10 && i < 4; i++)
			sum += run->probe.expected[i] / usual / 40;
	}
	cr_assert(sum > 0.985 && sum < 1.015, "expects %g of what there has been for hours", sum);
	run_free(run);
}

/* Swings that a level has had for weeks; one that goes further, and slowly comes back halfway. */
static double swings(uint32_t minute, uint32_t last)
{
	double usual = 1 + 0.05 * sin(2 * M_PI * minute / 700);

	if (minute < last)
		return usual;
	uint32_t since = minute - last;
	return since < 360 ? 1.25 : fmax(1.25 - 0.0015 * (since - 360), 1.1);
}

/* What swings as far as it often does is no burst, and not at once where it was before: it is
 * expected where it is. */
Test(seasonal_burst, what_swings_comes_back_halfway)
{
	const double rate = 1000;
	const uint32_t last = 24 * 1440 + 720;
	struct run *run = run_new(37, 8, MINUTE, AGGREGATE_COUNT, &rate, 1);
	double sum = 0, most = 0;

	for (uint32_t k = 0; k < last + 600; k++) {
		run_step(run, swings(k, last));
		if (k < last + 440)
			continue;
		double usual = rate * swings(k, last) * shop_shape(shop_hours(&run->shop));
		for (uint32_t i = 0; i < 8; i++) {
			sum += run->probe.expected[i] / usual / 1280;
			most = fmax(most, severity_of(run, i));
		}
	}
	cr_assert(sum > 0.985 && sum < 1.015, "expects %g of what there is", sum);
	cr_assert_lt(most, 70, "halfway back has a severity of %g", most);
	run_free(run);
}

/* What lasts longer than a burst may is what there is now. */
Test(seasonal_burst, what_lasts_is_the_new_level)
{
	struct run *run = run_trained(33, AGGREGATE_COUNT, RATE);

	run_hours(run, 36, 1.8);
	uint32_t later = run_hours(run, 48, 1.8);
	cr_assert_leq(later, 2, "%u hours of alarms on days 3 and 4", later);
	run_free(run);
}

/* One in the first week is not taken for the weekday's own for long. */
Test(seasonal_burst, one_in_the_first_week_is_unlearned)
{
	const double rate = RATE;
	struct run *run = run_new(35, 4, 5 * MINUTE, AGGREGATE_COUNT, &rate, 1);
	uint32_t loud = 0;

	run_hours(run, 128, 1);
	run_hours(run, 5, 1.8);
	run_hours(run, 35, 1);
	for (uint32_t week = 0; week < 4; week++)
		loud = run_hours(run, 168, 1);
	cr_assert_leq(loud, 2, "%u hours of alarms in the fifth week", loud);
	run_free(run);
}

/* Of intervals that a calendar leaves out nothing is said, and nothing is learned. */
static void check_excluded(enum aggregation aggregation)
{
	static uint8_t excluded[SHOP_SLICES_MAX];
	struct run *run = run_trained(36, aggregation, 60);
	double squares = 0, usual = 0;

	memset(excluded, 1, sizeof(excluded));
	run->shop.observations.excluded = excluded;
	for (int k = 0; k < 288; k++) {
		run_step(run, 5);
		for (uint32_t i = 0; i < 4; i++)
			cr_assert(run->probe.log10_p[i] == 0 && run->probe.expected[i] > 0);
	}
	run->shop.observations.excluded = NULL;
	uint32_t after = run_hours(run, 24, 1);
	cr_assert_leq(after, 1, "%u hours of alarms after a day left out", after);
	run_weeks(run, 5.0 / 7);
	for (int k = 0; k < 288; k++) {
		run_step(run, 1);
		double mean = aggregation == AGGREGATE_MEAN
				      ? 51.1
				      : 60 * shop_shape(shop_hours(&run->shop)) *
						(aggregation == AGGREGATE_SUM ? 51.1 : 1);
		squares += pow(run->probe.expected[0] - mean, 2);
		usual += mean * mean;
	}
	cr_assert_lt(sqrt(squares / usual), 0.06, "off by %g a week later", sqrt(squares / usual));
	run_free(run);
}

Test(seasonal_burst, what_is_left_out_is_neither_judged_nor_learned)
{
	check_excluded(AGGREGATE_COUNT);
	check_excluded(AGGREGATE_SUM);
	check_excluded(AGGREGATE_MEAN);
}

/* Twice the usual is expected, and comes: no news, then or a week later. And the usual is news. */
static void check_expected(enum aggregation aggregation)
{
	static double expect[SHOP_SLICES_MAX];
	struct run *run = run_trained(37, aggregation, 60);
	bool mean = aggregation == AGGREGATE_MEAN;

	for (uint32_t i = 0; i < SHOP_SLICES_MAX; i++)
		expect[i] = 2;
	run->shop.observations.expect = expect;
	uint32_t loud = 0, quiet = 0;
	for (int k = 0; k < 288; k++) {
		run->shop.observations.interval++;
		double shape = shop_shape(shop_hours(&run->shop));
		for (uint32_t i = 0; i < 4; i++) {
			bool comes = i != 3;
			shop_draw(&run->shop, i, 60 * shape * (comes && !mean ? 2 : 1));
			if (mean && comes)
				run->shop.value[i] *= 2;
		}
		probe_step(&run->probe, &run->shop);
		for (uint32_t i = 0; i < 3; i++)
			loud += severity_of(run, i) >= 75;
		quiet += severity_of(run, 3) >= 50 && run->probe.direction[3] < 0;
	}
	cr_assert_leq(loud, 1, "%u alarms although it was expected", loud);
	cr_assert_gt(quiet, 10, "%u alarms of what did not come (%d)", quiet,
		     (int)aggregation);
	run->shop.observations.expect = NULL;
	run->shop.observations.count = 3;
	uint32_t after = run_hours(run, 24, 1);
	cr_assert_leq(after, 1, "%u hours of alarms on the day after", after);
	run_free(run);
}

Test(seasonal_burst, what_is_expected_is_no_news)
{
	check_expected(AGGREGATE_COUNT);
	check_expected(AGGREGATE_SUM);
	check_expected(AGGREGATE_MEAN);
}
