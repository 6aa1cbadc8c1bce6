/*
 * The default detector against a seeded shop: how often it cries wolf, how soon it sees a drop, and
 * what it learns from. "Fires" is a raw severity of 75 for the series alone, without an alarm
 * budget.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

#include "run.h"

Test(seasonal, rarely_cries_wolf_at_minutes_whatever_the_rate, .timeout = 60)
{
	const double rates[] = {0.3, 3, 30, 300, 3000};
	struct run *run = run_new(1, 10, MINUTE, AGGREGATE_COUNT, rates, 5);
	uint32_t fifty, seventyfive;

	run_weeks(run, 3);
	run_count(run, 4, &fifty, &seventyfive);
	/* 40 series-weeks: by the meaning of severity 40 at 50 and 0.4 at 75. */
	cr_assert_leq(seventyfive, 2, "%u of 75 in 40 series-weeks", seventyfive);
	cr_assert(fifty >= 10 && fifty <= 90, "%u of 50 in 40 series-weeks", fifty);
	run_free(run);
}

/* Two events in a minute are no wonder where there are six in an hour. */
Test(seasonal, rarely_cries_wolf_where_events_are_rare, .timeout = 60)
{
	const double rates[] = {0.03, 0.1, 0.3};
	struct run *run = run_new(6, 6, MINUTE, AGGREGATE_COUNT, rates, 3);
	uint32_t fifty, seventyfive;

	run_weeks(run, 4);
	run_count(run, 2, &fifty, &seventyfive);
	cr_assert_leq(seventyfive, 1, "%u of 75 in 12 series-weeks", seventyfive);
	cr_assert_leq(fifty, 40, "%u of 50 in 12 series-weeks", fifty);
	run_free(run);

	/* After weeks without one, one is no wonder either. */
	const double daily[] = {0.1, 0.3};
	run = run_new(8, 240, DAY, AGGREGATE_COUNT, daily, 2);
	run_weeks(run, 15);
	run_count(run, 20, &fifty, &seventyfive);
	cr_assert_leq(seventyfive, 24, "%u of 75 in 4800 series-weeks", seventyfive);
	run_free(run);
}

Test(seasonal, rarely_cries_wolf_at_hours_and_days, .timeout = 60)
{
	const double hourly[] = {4, 60, 900, 20000}, daily[] = {40, 1000, 30000};
	uint32_t fifty, seventyfive;
	struct run *run = run_new(2, 200, HOUR, AGGREGATE_COUNT, hourly, 4);
	run_weeks(run, 3);
	run_count(run, 4, &fifty, &seventyfive);
	/* 800 series-weeks: 8 at 75 by their meaning. */
	cr_assert_leq(seventyfive, 80, "hours: %u of 75", seventyfive);
	cr_assert_leq(fifty, 2400, "hours: %u of 50", fifty);
	run_free(run);

	run = run_new(3, 240, DAY, AGGREGATE_COUNT, daily, 3);
	run_weeks(run, 15);
	run_count(run, 10, &fifty, &seventyfive);
	/* A week has seven: that these lie close together says little. */
	cr_assert_leq(seventyfive, 10, "days: %u of 75 in 2400 series-weeks", seventyfive);
	run_free(run);
}

/* Slice-days at this severity or above in eight weeks, the four before them not counted, of slices
 * that have this part of their rate in eight hours of the night, and the same rate at all other
 * times. */
static uint32_t loud_days(struct run *run, double severity, double night)
{
	const int64_t steps = DAY / run->shop.observations.interval_ms;
	int64_t told[SHOP_SLICES_MAX] = {0};
	uint32_t days = 0, slices = run->shop.observations.count;

	for (int64_t k = 0; k < 84 * steps; k++) {
		run->shop.observations.interval++;
		double part = fmod(shop_hours(&run->shop), 24) < 8 ? night : 1;
		for (uint32_t i = 0; i < slices; i++)
			shop_draw(&run->shop, i, run->rates[i] * part);
		probe_step(&run->probe, &run->shop);
		for (uint32_t i = 0; k >= 28 * steps && i < slices; i++) {
			if (severity_of(run, i) < severity || told[i] == k / steps)
				continue;
			told[i] = k / steps;
			days++;
		}
	}
	return days;
}

/* Windows of half a day, of which a fortnight has few: the level that they are measured by is known
 * no better than what it was made of. */
Test(seasonal, rarely_cries_wolf_over_what_long_windows_see, .timeout = 60)
{
	const double rates[] = {20};
	struct run *run = run_new(7, 240, 10 * MINUTE, AGGREGATE_COUNT, rates, 1);
	uint32_t days = loud_days(run, 81.25, 1);

	/* By the meaning of 81.25 they are 6, and of these clusters are one. */
	cr_assert_leq(days, 4, "%u in 1920 slice-weeks", days);
	run_free(run);
}

/* At night a level is known from few, and one that was lucky then may have all the say: what long
 * windows measure by it in the morning is not surer than it was. */
Test(seasonal, a_lucky_night_is_no_surplus_by_day, .timeout = 60)
{
	const double rates[] = {40};
	struct run *run = run_new(11, 240, 10 * MINUTE, AGGREGATE_COUNT, rates, 1);
	uint32_t days = loud_days(run, 81.25, 0.05);

	cr_assert_leq(days, 6, "%u in 1920 slice-weeks", days);
	run_free(run);
}

/* Noise that wanders lets fast levels have the say. At night, when a sixth comes, these are known
 * from so much less that this is much of what windows scatter by; by day, when they learn how much
 * that is, it is little. */
Test(seasonal, a_level_of_the_night_is_known_as_such, .timeout = 60)
{
	const double rate = 1000, wanders = 0.04, keep = exp(-1.0 / 360);
	struct run *run = run_new(13, 120, MINUTE, AGGREGATE_COUNT, &rate, 1);
	double noise[120] = {0};
	uint32_t loud = 0;

	for (int64_t k = 0; k < 6 * 10080; k++) {
		run->shop.observations.interval++;
		double hours = shop_hours(&run->shop), hour = fmod(hours, 24);
		bool night = hour > 1.5 && hour < 6.5 && k >= 2 * 10080;
		for (uint32_t i = 0; i < 120; i++) {
			double fresh = chance_normal(&run->shop.chance);
			noise[i] = keep * noise[i] + sqrt(1 - keep * keep) * wanders * fresh;
			shop_draw(&run->shop, i, rate * shop_shape(hours) * exp(noise[i]));
		}
		probe_step(&run->probe, &run->shop);
		for (uint32_t i = 0; night && i < 120; i++)
			loud += severity_of(run, i) >= 60;
	}
	/* By the meaning of 60 three episodes. */
	cr_assert_leq(loud, 40, "%u minutes in 100 slice-weeks of nights", loud);
	run_free(run);
}

/* Forty nights without an event do not say that there is none in ten thousand. */
Test(seasonal, what_has_not_come_may_come, .timeout = 60)
{
	const double rates[] = {0.6};
	struct run *run = run_new(12, 240, HOUR, AGGREGATE_COUNT, rates, 1);
	uint32_t sure = 0;

	for (uint32_t k = 0; k < 6 * 168; k++) {
		run->shop.observations.interval++;
		bool night = fmod(shop_hours(&run->shop), 24) < 8;
		for (uint32_t i = 0; i < 240; i++)
			shop_draw(&run->shop, i, night ? 0.04 : rates[0]);
		probe_step(&run->probe, &run->shop);
		for (uint32_t i = 0; k >= 4 * 168 && i < 240; i++)
			sure += run->probe.expected[i] < 0.004;
	}
	cr_assert_eq(sure, 0, "%u of %u slice-hours", sure, 2 * 168 * 240);
	run_free(run);
}

/* So that many slices keep the budget of one: what is rarer is as rare as it says. */
Test(seasonal, what_is_very_rare_is_as_rare_as_it_says, .timeout = 60)
{
	const double rates[] = {5, 20, 60};
	struct run *run = run_new(9, 96, MINUTE, AGGREGATE_COUNT, rates, 3);
	uint32_t days = loud_days(run, 75, 1);

	/* 7.7 by the meaning of 75. */
	cr_assert_leq(days, 10, "%u in 768 slice-weeks", days);
	run_free(run);
}

Test(seasonal, rarely_cries_wolf_over_money, .timeout = 60)
{
	const double rates[] = {2, 20, 60};
	struct run *run = run_new(4, 6, 5 * MINUTE, AGGREGATE_SUM, rates, 3);
	uint32_t fifty, seventyfive;

	run_weeks(run, 3);
	run_count(run, 6, &fifty, &seventyfive);
	cr_assert_leq(seventyfive, 8, "%u of 75 in 36 series-weeks", seventyfive);
	cr_assert_leq(fifty, 110, "%u of 50 in 36 series-weeks", fifty);
	run_free(run);
}

Test(seasonal, rarely_cries_wolf_over_mean_values, .timeout = 60)
{
	const double rates[] = {2, 20, 60};
	struct run *run = run_new(5, 6, 5 * MINUTE, AGGREGATE_MEAN, rates, 3);
	uint32_t fifty, seventyfive;

	run_weeks(run, 3);
	run_count(run, 6, &fifty, &seventyfive);
	cr_assert_leq(seventyfive, 12, "%u of 75 in 36 series-weeks", seventyfive);
	run_free(run);
}

/* Share of drops at a random hour with at least `least` events expected that fire within `within`
 * intervals. Each is the first one of its shop's: all begin with the same weeks. */
static double caught(struct run *run, double factor, double least, int within, int trials)
{
	size_t bytes = SUBJECT.bytes(&run_spec, run->probe.capacity);
	int64_t begin = run->shop.observations.interval;
	void *kept = malloc(bytes);
	uint32_t found = 0, tried = 0;

	memcpy(kept, run->probe.state, bytes);
	while (trials-- > 0) {
		int quiet = 200 + (int)(1000 * chance_uniform(&run->shop.chance));
		memcpy(run->probe.state, kept, bytes);
		run->shop.observations.interval = begin;
		for (int k = 0; k < quiet; k++)
			run_step(run, 1);
		uint8_t hit[SHOP_SLICES_MAX] = {0}, fit[SHOP_SLICES_MAX] = {0};
		for (int k = 0; k < within; k++) {
			run_step(run, factor);
			for (uint32_t i = 0; i < run->shop.observations.count; i++) {
				if (k == 0)
					fit[i] = run->probe.expected[i] >= least;
				if (severity_of(run, i) >= 75 &&
				    (run->probe.direction[i] < 0) == (factor < 1))
					hit[i] = 1;
			}
		}
		for (uint32_t i = 0; i < run->shop.observations.count; i++) {
			tried += fit[i];
			found += fit[i] && hit[i];
		}
	}
	free(kept);
	return tried > 0 ? (double)found / tried : -1;
}

Test(seasonal, sees_a_drop_of_35_percent_at_200_events_in_two_intervals, .timeout = 60)
{
	const double rate = 250;
	struct run *run = run_new(6, 8, MINUTE, AGGREGATE_COUNT, &rate, 1);

	run_weeks(run, 3);
	double one = caught(run, 0.65, 200, 1, 20), two = caught(run, 0.65, 200, 2, 20);
	cr_assert_geq(one, 0.75, "%.2f in one", one);
	cr_assert_geq(two, 0.99, "%.2f in two", two);
	run_free(run);
}

Test(seasonal, sees_a_rise_of_60_percent_at_60_events_in_three_intervals, .timeout = 60)
{
	const double rate = 80;
	struct run *run = run_new(7, 8, MINUTE, AGGREGATE_COUNT, &rate, 1);

	run_weeks(run, 3);
	double three = caught(run, 1.6, 60, 3, 20);
	cr_assert_geq(three, 0.95, "%.2f", three);
	run_free(run);
}

Test(seasonal, sees_an_outage_at_once)
{
	const double rate = 60;
	struct run *run = run_new(8, 4, 5 * MINUTE, AGGREGATE_COUNT, &rate, 1);

	run_weeks(run, 2);
	double one = caught(run, 0, 30, 1, 10);
	cr_assert_eq(one, 1, "%.2f", one);
	run_free(run);
}

Test(seasonal, is_of_use_on_the_first_day)
{
	const double rate = 400;
	struct run *run = run_new(10, 6, MINUTE, AGGREGATE_COUNT, &rate, 1);
	uint32_t fifty, seventyfive;

	run_count(run, 0.5 / 7, &fifty, &seventyfive);
	cr_assert_leq(seventyfive, 1, "%u in the first half day", seventyfive);
	for (int k = 0; k < 3; k++)
		run_step(run, 0.15);
	for (uint32_t i = 0; i < 6; i++)
		cr_assert(severity_of(run, i) >= 75, "an 85 %% drop has %g", severity_of(run, i));
	run_free(run);
}

Test(seasonal, expects_what_the_shop_does_within_every_hour)
{
	const double rate = 20000;
	struct run *run = run_new(12, 4, 5 * MINUTE, AGGREGATE_COUNT, &rate, 1);
	double worst = 0;

	run_weeks(run, 4);
	for (int k = 0; k < 2016; k++) {
		run_step(run, 1);
		double truth = rate * shop_shape(shop_hours(&run->shop)), sum = 0;
		for (int i = 0; i < 4; i++)
			sum += run->probe.expected[i] / 4;
		worst = fmax(worst, fabs(sum / truth - 1));
	}
	cr_assert_lt(worst, 0.02, "off by %.1f %% at worst", 100 * worst);
	run_free(run);
}

/* An evening that falls to half in each half hour is no step, and no stair. */
Test(seasonal, expects_what_falls_evenly)
{
	const double rate = 20000;
	struct run *run = run_new(14, 4, 5 * MINUTE, AGGREGATE_COUNT, &rate, 1);
	double worst = 0, at = 0;

	for (int64_t k = 0; k < 4 * 2016; k++) {
		run->shop.observations.interval++;
		double hour = fmod(shop_hours(&run->shop), 24), sum = 0;
		double truth = rate * exp2(-2 * fmax(0, fmin(hour - 20, 2.5)));
		for (uint32_t i = 0; i < 4; i++)
			shop_draw(&run->shop, i, truth);
		probe_step(&run->probe, &run->shop);
		for (uint32_t i = 0; i < 4; i++)
			sum += run->probe.expected[i] / 4;
		if (k < 3 * 2016 || hour < 20.5 || hour > 22)
			continue;
		if (fabs(sum / truth - 1) > worst)
			at = hour;
		worst = fmax(worst, fabs(sum / truth - 1));
	}
	cr_assert_lt(worst, 0.08, "off by %.1f %% at worst, at %.2f h", 100 * worst, at);
	run_free(run);
}

Test(seasonal, one_wild_interval_teaches_little)
{
	const double rate = 100;
	struct run *run = run_new(14, 1, MINUTE, AGGREGATE_COUNT, &rate, 1);

	run_weeks(run, 2);
	double before = run->probe.expected[0];
	run_step(run, 100);
	cr_assert_geq(severity_of(run, 0), 100);
	for (int k = 0; k < 10; k++)
		run_step(run, 1);
	double after = run->probe.expected[0];
	double shape = shop_shape(shop_hours(&run->shop)) * rate;
	cr_assert_float_eq(after, shape, 0.08 * shape, "%g before, %g after, truth %g", before,
			   after, shape);
	for (uint32_t i = 0; i < 5; i++)
		run_step(run, 0.3);
	cr_assert_geq(severity_of(run, 0), 75, "blind after an outlier: %g", severity_of(run, 0));
	run_free(run);
}

Test(seasonal, adapts_to_a_lasting_change_within_days)
{
	const double rate = 300;
	struct run *run = run_new(16, 4, 5 * MINUTE, AGGREGATE_COUNT, &rate, 1);

	run_weeks(run, 2);
	for (int k = 0; k < 4 * 288; k++)
		run_step(run, 0.6);
	uint32_t fired = 0;
	for (int k = 0; k < 3 * 288; k++) {
		run_step(run, 0.6);
		for (uint32_t i = 0; i < 4; i++)
			fired += severity_of(run, i) >= 75;
	}
	cr_assert_leq(fired, 2, "%u alarms in days 5 to 7 after a change", fired);
	run_free(run);
}

Test(seasonal, does_not_learn_incomplete_intervals)
{
	const double rate = 200;
	struct run *run = run_new(17, 1, 5 * MINUTE, AGGREGATE_COUNT, &rate, 1);

	run_weeks(run, 2);
	run->shop.observations.flags = OBSERVATION_INCOMPLETE;
	for (int k = 0; k < 288; k++)
		run_step(run, 0.3);
	run->shop.observations.flags = 0;
	run_step(run, 1);
	double shape = rate * shop_shape(shop_hours(&run->shop));
	cr_assert_float_eq(run->probe.expected[0], shape, 0.08 * shape);
	cr_assert_lt(severity_of(run, 0), 50, "the gap's sums are carried over");
	run_free(run);
}

Test(seasonal, no_value_is_no_news)
{
	const double rate = 30;
	struct run *run = run_new(18, 1, 5 * MINUTE, AGGREGATE_MEAN, &rate, 1);

	run_weeks(run, 1);
	run->shop.observations.interval++;
	run->shop.value[0] = NAN;
	run->shop.events[0] = run->shop.squares[0] = 0;
	probe_step(&run->probe, &run->shop);
	cr_assert_eq(run->probe.log10_p[0], 0);
	cr_assert(isfinite(run->probe.expected[0]));
	run_free(run);
}

Test(seasonal, a_sum_of_refunds_is_looked_at_in_the_mirror)
{
	const double rate = 100;
	struct run *up = run_new(19, 1, 5 * MINUTE, AGGREGATE_SUM, &rate, 1);
	struct run *down = run_new(19, 1, 5 * MINUTE, AGGREGATE_SUM, &rate, 1);

	for (int k = 0; k < 2016 + 3; k++) {
		run_step(up, k >= 2016 ? 0.3 : 1);
		down->shop.observations.interval++;
		down->shop.events[0] = up->shop.events[0];
		down->shop.value[0] = -up->shop.value[0];
		down->shop.squares[0] = up->shop.squares[0];
		probe_step(&down->probe, &down->shop);
		if (k < 10)
			continue; /* before the first value nobody knows the sign */
		cr_assert_float_eq(down->probe.expected[0], -up->probe.expected[0], 1e-6);
		cr_assert_float_eq(down->probe.lower[0], -up->probe.upper[0], 1e-6);
		cr_assert_float_eq(down->probe.log10_p[0], up->probe.log10_p[0], 1e-9);
	}
	cr_assert_geq(severity_of(down, 0), 75);
	cr_assert_eq(down->probe.direction[0], 1);
	run_free(up);
	run_free(down);
}

Test(seasonal, keeps_its_state_small)
{
	size_t bytes = SUBJECT.bytes(&run_spec, 1024) / 1024;
	cr_assert_leq(bytes, 4096, "%zu bytes per slice", bytes);
}
