/*
 * What must hold for the default detector by its meaning, whatever its formulas are: units do not
 * matter, missing is not zero, the local clock is the shop's, what was wrong is not learned, and
 * what is promised of false alarms is so at every rate.
 */
#include <criterion/criterion.h>
#include <math.h>

#include "run.h"

static double truth(const struct run *run, uint32_t i)
{
	return run->rates[i] * shop_shape(shop_hours(&run->shop));
}

/* The same interval for two detectors, the second in other units: a x + b. */
static void step_in_units(struct run *ours, struct run *theirs, double factor, double offset,
			  double shake)
{
	struct shop *from = &ours->shop, *to = &theirs->shop;

	from->observations.interval++;
	to->observations.interval++;
	double shape = shop_shape(shop_hours(from));
	for (uint32_t i = 0; i < from->observations.count; i++) {
		if (from->observations.aggregation == AGGREGATE_SUM) {
			shop_draw(from, i, ours->rates[i] * shape * shake);
		} else {
			double noise = chance_normal(&from->chance);
			from->events[i] = 1;
			from->value[i] = 20 + 100 * shape * shake + ours->rates[i] * noise;
			from->squares[i] = from->value[i] * from->value[i];
		}
		double events = from->events[i], value = from->value[i];
		to->events[i] = events;
		to->value[i] = factor * value + offset;
		to->squares[i] = factor * factor * from->squares[i] + 2 * factor * offset * value +
				 events * offset * offset;
	}
	probe_step(&ours->probe, from);
	probe_step(&theirs->probe, to);
}

static void check_units(enum aggregation aggregation, double factor, double offset)
{
	const double rates[] = {0.5, 5, 30};
	struct run *ours = run_new(1, 3, 10 * MINUTE, aggregation, rates, 3);
	struct run *theirs = run_new(1, 3, 10 * MINUTE, aggregation, rates, 3);
	double highest = 0;

	for (int k = 0; k < 3 * 1008; k++) {
		step_in_units(ours, theirs, factor, offset, k % 500 > 490 ? 0.2 : 1);
		for (uint32_t i = 0; i < 3; i++) {
			double here = ours->probe.log10_p[i], there = theirs->probe.log10_p[i];
			double expected = factor * ours->probe.expected[i] + offset;
			double size = fabs(expected) + fabs(offset) + 1e-3;
			cr_assert_float_eq(here, there, 1e-5 * (1 - here),
					   "%g, and %g in other units at %d of %u", here, there, k,
					   i);
			cr_assert(k < 20 || fabs(theirs->probe.expected[i] - expected) <
						    1e-6 * (size + 1),
				  "%g expected, not %g, at %d of %u", theirs->probe.expected[i],
				  expected, k, i);
			cr_assert_eq(ours->probe.direction[i], theirs->probe.direction[i]);
			highest = fmin(highest, here);
		}
	}
	cr_assert_lt(highest, -5.5, "nothing happened: %g", highest);
	run_free(ours);
	run_free(theirs);
}

Test(seasonal, a_gauge_has_no_unit_and_no_zero)
{
	check_units(AGGREGATE_MEAN, 1.8, 32);
	check_units(AGGREGATE_MAX, 1000, -5000);
}

Test(seasonal, money_has_no_currency)
{
	check_units(AGGREGATE_SUM, 100, 0);
	check_units(AGGREGATE_SUM, 0.0078125, 0);
}

static void check_promise(int64_t interval_ms, double rate, uint32_t slices, double weeks)
{
	struct run *run = run_new(2, slices, interval_ms, AGGREGATE_COUNT, &rate, 1);
	uint32_t fifty, seventyfive;

	run_weeks(run, 3);
	run_count(run, weeks, &fifty, &seventyfive);
	double hours = fifty / (weeks * slices);
	cr_assert(hours > SUBJECT_ALARMS_LEAST && hours < SUBJECT_ALARMS_MOST,
		  "%.2f alarm hours a week at %g in %lld s", hours, rate,
		  (long long)interval_ms / 1000);
	run_free(run);
}

Test(seasonal, cries_wolf_about_once_a_week_at_every_rate, .timeout = 60)
{
	check_promise(MINUTE, 1, 12, 4);
	check_promise(MINUTE, 20, 12, 4);
	check_promise(MINUTE, 500, 12, 4);
}

Test(seasonal, cries_wolf_about_once_a_week_at_every_interval, .timeout = 60)
{
	check_promise(MINUTE / 6, 10, 12, 2);
	check_promise(5 * MINUTE, 50, 24, 6);
}

/* Half a day in which nothing is known, or nothing came. The highest severity of each slice. */
static void pause_for(struct run *run, int intervals, double value, double *ret_highest)
{
	for (uint32_t i = 0; i < run->shop.observations.count; i++)
		ret_highest[i] = -INFINITY;
	for (int k = 0; k < intervals; k++) {
		run->shop.observations.interval++;
		for (uint32_t i = 0; i < run->shop.observations.count; i++) {
			run->shop.value[i] = value;
			run->shop.events[i] = run->shop.squares[i] = 0;
		}
		probe_step(&run->probe, &run->shop);
		for (uint32_t i = 0; i < run->shop.observations.count; i++) {
			ret_highest[i] = fmax(ret_highest[i], severity_of(run, i));
			cr_assert(severity_of(run, i) < 75 || run->probe.direction[i] < 0);
		}
	}
}

static void check_missing(enum aggregation aggregation)
{
	const double rates[] = {20, 200};
	struct run *unknown = run_new(3, 4, 5 * MINUTE, aggregation, rates, 2);
	struct run *nothing = run_new(3, 4, 5 * MINUTE, aggregation, rates, 2);
	struct run *skipped = run_new(3, 4, 5 * MINUTE, aggregation, rates, 2);
	double highest[4], no_highest[4];

	run_weeks(unknown, 2.5);
	run_weeks(nothing, 2.5);
	run_weeks(skipped, 2.5);
	pause_for(unknown, 144, NAN, no_highest);
	pause_for(nothing, 144, 0, highest);
	skipped->shop.observations.interval += 144;
	for (uint32_t i = 0; i < 4; i++) {
		cr_assert_eq(no_highest[i], -INFINITY, "%g", no_highest[i]);
		cr_assert_geq(highest[i], 75, "%g", highest[i]);
	}
	for (int k = 0; k < 288; k++) {
		run_step(unknown, 1);
		run_step(skipped, 1);
		for (uint32_t i = 0; i < 4; i++) {
			double expected = unknown->probe.expected[i];
			double lump = aggregation == AGGREGATE_SUM ? 40 * exp(0.245) : 1;
			double known = lump * truth(unknown, i), size = 0.5 * sqrt(lump * known);
			cr_assert_lt(severity_of(unknown, i), 75, "%g at %d",
				     severity_of(unknown, i), k);
			cr_assert_float_eq(expected, known, 0.2 * known + size, "%g, not %g",
					   expected, known);
			cr_assert_float_eq(expected, skipped->probe.expected[i], 0.01 * expected);
		}
	}
	run_free(unknown), run_free(nothing), run_free(skipped);
}

Test(seasonal, what_is_missing_is_not_zero)
{
	check_missing(AGGREGATE_COUNT);
	check_missing(AGGREGATE_SUM);
}

Test(seasonal, learning_can_be_watched)
{
	static struct heard heard;
	const double rate = 400;
	struct bank *bank = bank_create(&run_spec);
	struct run *run = run_new(4, 1, 5 * MINUTE, AGGREGATE_COUNT, &rate, 1);
	struct bank_slice slice;
	uint64_t seen, wanted;

	for (uint64_t k = 0; k < 140; k++) {
		bank_learning(bank, &seen, &wanted);
		cr_assert_eq(seen, k);
		/* It learns for a fortnight, and is heard from `learn` on. */
		cr_assert_eq(wanted, k == 0 ? 100 : 14 * 288);
		run_step(run, k == 90 ? 4 : k == 130 ? 0 : 1);
		cr_assert_eq(bank_step(bank, &run->shop.observations, heard_each, &heard), 0);
		bank_slice(bank, 0, &slice);
		if (k < run_spec.learn_intervals)
			cr_assert_eq(slice.severity, 0, "spoke after %d intervals", (int)k);
		if (k < run_spec.learn_intervals)
			cr_assert_eq(heard.count, 0);
		if (k == 130)
			cr_assert_geq(slice.severity, 75, "%g", slice.severity);
	}
	cr_assert_gt(heard.count, 0);
	bank_destroy(bank);
	run_free(run);
}

/* The shop's clock changes; `told`: so does the offset that the detector knows of. */
static double error_after_change(int64_t before_ms, int64_t after_ms, bool told,
				 uint32_t *ret_fired)
{
	const double rates[] = {200, 2000};
	struct run *run = run_new(5, 4, 5 * MINUTE, AGGREGATE_COUNT, rates, 2);
	struct observations *observations = &run->shop.observations;
	double squares = 0;

	observations->offset_ms = before_ms;
	run_weeks(run, 3);
	*ret_fired = 0;
	for (int k = 0; k < 288; k++) {
		observations->interval++;
		observations->offset_ms = after_ms;
		double shape = shop_shape(shop_hours(&run->shop));
		for (uint32_t i = 0; i < 4; i++)
			shop_draw(&run->shop, i, run->rates[i] * shape);
		observations->offset_ms = told ? after_ms : before_ms;
		probe_step(&run->probe, &run->shop);
		for (uint32_t i = 0; i < 4; i++) {
			double off = run->probe.expected[i] / run->rates[i] / shape - 1;
			squares += off * off / 4 / 288;
			*ret_fired += severity_of(run, i) >= 75;
		}
	}
	run_free(run);
	return sqrt(squares);
}

Test(seasonal, the_local_clock_decides_the_phase)
{
	static const int64_t changes[][2] = {
		{0, HOUR}, {2 * HOUR, HOUR}, {-3 * HOUR, -4 * HOUR}, {19800000, 21600000}};

	for (size_t c = 0; c < sizeof(changes) / sizeof(changes[0]); c++) {
		uint32_t fired, fired_untold;
		double told = error_after_change(changes[c][0], changes[c][1], true, &fired);
		double untold = error_after_change(changes[c][0], changes[c][1], false,
						   &fired_untold);
		cr_assert_eq(fired, 0, "%u alarms on the day of the change", fired);
		cr_assert_lt(told, 0.06, "off by %g", told);
		cr_assert_gt(untold, 1.5 * told, "%g told, %g untold", told, untold);
	}
}

/* A bank over the shop of a run: what is in a firing anomaly is kept from the detector. */
static void step_bank(struct run *run, struct bank *bank, double factor)
{
	static struct heard heard;
	struct shop *shop = &run->shop;

	shop->observations.interval++;
	double shape = shop_shape(shop_hours(shop));
	for (uint32_t i = 0; i < shop->observations.count; i++)
		shop_draw(shop, i, run->rates[i] * shape * factor);
	cr_assert_eq(bank_step(bank, &shop->observations, heard_each, &heard), 0);
}

/* How far what is expected is off the truth, on average, over the intervals to come. */
static double bank_bias(struct run *run, struct bank *bank, int intervals)
{
	uint32_t count = run->shop.observations.count;
	struct bank_slice slice;
	double sum = 0;

	for (int k = 0; k < intervals; k++) {
		step_bank(run, bank, 1);
		for (uint32_t i = 0; i < count; i++) {
			bank_slice(bank, i, &slice);
			sum += slice.expected / truth(run, i) - 1;
		}
	}
	return sum / count / intervals;
}

static void check_not_taught(double factor)
{
	const double rate = 300;
	struct run *run = run_new(6, 12, 5 * MINUTE, AGGREGATE_COUNT, &rate, 1);
	struct detector_spec spec = run_spec;
	spec.for_intervals = spec.recover_intervals = 1;
	struct bank *bank = bank_create(&spec);

	for (int k = 0; k < 3 * 2016 + 160; k++)
		step_bank(run, bank, 1);
	for (int k = 0; k < 12; k++)
		step_bank(run, bank, factor);
	double after = bank_bias(run, bank, 12);
	bank_bias(run, bank, 288 - 24);
	double tomorrow = bank_bias(run, bank, 12);
	bank_bias(run, bank, 6 * 288 - 12);
	double next_week = bank_bias(run, bank, 12);
	cr_assert_float_eq(after, 0, 0.03, "%+.1f %% after x %g", 100 * after, factor);
	cr_assert_float_eq(tomorrow, 0, 0.03, "%+.1f %% a day after x %g", 100 * tomorrow, factor);
	cr_assert_float_eq(next_week, 0, 0.03, "%+.1f %% a week after x %g", 100 * next_week,
			   factor);
	bank_destroy(bank);
	run_free(run);
}

Test(seasonal, an_incident_teaches_nothing)
{
	check_not_taught(0);
	check_not_taught(0.4);
	check_not_taught(0.8);
	check_not_taught(1.5);
	check_not_taught(6);
}

Test(seasonal, what_is_over_is_no_longer_said)
{
	const double rate = 600;
	struct run *run = run_new(7, 8, MINUTE, AGGREGATE_COUNT, &rate, 1);

	run_weeks(run, 3.5);
	for (int k = 0; k < 60; k++)
		run_step(run, 0.5);
	for (uint32_t i = 0; i < 8; i++)
		cr_assert_geq(severity_of(run, i), 75, "%g", severity_of(run, i));
	for (int k = 0; k < 10; k++)
		run_step(run, 1);
	for (uint32_t i = 0; i < 8; i++)
		cr_assert_lt(severity_of(run, i), 50, "%g ten minutes after", severity_of(run, i));
	run_free(run);
}

/* Onsets of slice i, as severities, that would be told: 50 and more. */
static uint32_t onsets(const struct run *run, uint32_t i)
{
	double per_week = severity_log10_intervals(run->shop.observations.interval_ms);
	double onset = run->probe.onset[i];

	return onset > 0 && severity_raw(-onset, per_week) >= 50;
}

Test(seasonal, an_anomaly_opens_once)
{
	const double rate = 600;
	struct run *run = run_new(8, 8, MINUTE, AGGREGATE_COUNT, &rate, 1);

	run_weeks(run, 3.5);
	for (uint32_t incident = 0; incident < 2; incident++) {
		uint32_t opened[8] = {0}, early[8] = {0}, late = 0;
		for (int k = 0; k < 60; k++) {
			run_step(run, 0.5);
			for (uint32_t i = 0; i < 8; i++) {
				opened[i] += onsets(run, i);
				early[i] += k < 3 && onsets(run, i);
			}
		}
		for (int k = 0; k < 1440; k++) {
			run_step(run, 1);
			for (uint32_t i = 0; i < 8; i++)
				late += k < 120 && onsets(run, i);
		}
		for (uint32_t i = 0; i < 8; i++)
			cr_assert(early[i] >= 1 && opened[i] <= 6,
				  "opens %u times, %u of them early", opened[i], early[i]);
		cr_assert_leq(late, 1, "%u onsets in the two hours after", late);
	}
	run_free(run);
}

Test(seasonal, follows_a_trend)
{
	const double rate = 200;
	struct run *run = run_new(9, 8, 5 * MINUTE, AGGREGATE_COUNT, &rate, 1);
	double off = 0;
	uint32_t fired = 0;

	/* 2 % a week more, for twelve weeks. */
	for (int64_t k = 0; k < 12 * 2016; k++) {
		double growth = exp(0.02 * (double)k / 2016);
		run_step(run, growth);
		for (uint32_t i = 0; i < 8 && k >= 8 * 2016; i++) {
			off += run->probe.expected[i] / truth(run, i) / growth - 1;
			fired += severity_of(run, i) >= 75;
		}
	}
	off /= 4 * 2016 * 8;
	cr_assert_float_eq(off, 0, 0.01, "off by %+.2f %%", 100 * off);
	cr_assert_leq(fired, 3, "%u intervals at 75 in 32 series-weeks", fired);
	run_free(run);
}

/* The surprise of the next interval with these values for all slices, without living it. */
static void ask(struct run *run, double factor, double *ret_surprise)
{
	uint32_t count = run->shop.observations.count;
	size_t bytes = SUBJECT.bytes(&run_spec, run->probe.capacity);
	void *kept = malloc(bytes);

	memcpy(kept, run->probe.state, bytes);
	run->shop.observations.interval++;
	for (uint32_t i = 0; i < count; i++) {
		double value = floor(factor * truth(run, i) + 0.5);
		run->shop.value[i] = run->shop.events[i] = run->shop.squares[i] = value;
		if (run->shop.observations.aggregation == AGGREGATE_SUM) {
			run->shop.value[i] = 40 * exp(0.245) * value;
			run->shop.squares[i] = 1600 * exp(0.98) * value;
		}
	}
	probe_step(&run->probe, &run->shop);
	for (uint32_t i = 0; i < count; i++)
		ret_surprise[i] = -run->probe.log10_p[i];
	run->shop.observations.interval--;
	memcpy(run->probe.state, kept, bytes);
	free(kept);
}

static void check_order(enum aggregation aggregation)
{
	static const double down[] = {0.95, 0.9, 0.8, 0.6, 0.4, 0.2, 0};
	static const double up[] = {1.05, 1.1, 1.2, 1.5, 2, 3, 6, 20, 100, 1000};
	const double rates[] = {5, 100, 3000};
	struct run *run = run_new(10, 3, 5 * MINUTE, aggregation, rates,
				  aggregation == AGGREGATE_SUM ? 2 : 3);
	double now[3], before[3] = {0};

	run_weeks(run, 3.5); /* it is noon */
	for (size_t k = 0; k < sizeof(down) / sizeof(down[0]); k++) {
		ask(run, down[k], now);
		for (uint32_t i = 0; i < 3; i++) {
			cr_assert_geq(now[i], before[i] - 0.05, "x %g: %g after %g", down[k],
				      now[i], before[i]);
			before[i] = now[i];
		}
	}
	cr_assert(now[1] > 8 && now[1] > now[0], "an outage: %g %g %g", now[0], now[1], now[2]);
	memset(before, 0, sizeof(before));
	for (size_t k = 0; k < sizeof(up) / sizeof(up[0]); k++) {
		ask(run, up[k], now);
		for (uint32_t i = 0; i < 3; i++) {
			bool clear = up[k] >= 6;
			cr_assert(now[i] >= before[i] - 0.05 && (!clear || now[i] > before[i]),
				  "x %g: %g after %g", up[k], now[i], before[i]);
			before[i] = now[i];
		}
	}
	run_free(run);
}

Test(seasonal, the_worse_it_is_the_higher_it_scores_without_an_end)
{
	check_order(AGGREGATE_COUNT);
	check_order(AGGREGATE_SUM);
}

/* What comes once in two weeks is still expected after two years: no weekday's shape dwindles. */
Test(seasonal_laws, what_comes_seldom_stays_expected)
{
	const double rate = 0.06;
	struct run *run = run_new(77, 32, DAY, AGGREGATE_COUNT, &rate, 1);
	double expected = 0, usual = 0;

	run_weeks(run, 100);
	for (uint32_t day = 0; day < 28; day++) {
		run_step(run, 1);
		for (uint32_t i = 0; i < 32; i++)
			expected += run->probe.expected[i];
		usual += 32 * rate * shop_shape(shop_hours(&run->shop));
	}
	double bias = expected / usual;
	cr_assert(bias > 0.7 && bias < 1.4, "expects %g times the usual", bias);
	run_free(run);
}

#define WEDNESDAY 2

/* Days of 1000 events that scatter by 4 % beyond chance; Wednesdays have 12 % fewer. */
static void days_of_week(struct run *run)
{
	static const double usual[7] = {1.02, 1, 0.88, 1.01, 1.07, 1.06, 0.96};
	struct shop *shop = &run->shop;

	shop->observations.interval++;
	for (uint32_t i = 0; i < shop->observations.count; i++) {
		double noise = exp(0.04 * chance_normal(&shop->chance));
		shop_draw(shop, i, 1000 * usual[shop->observations.interval % 7] * noise);
	}
	probe_step(&run->probe, shop);
}

/* What a day of a third less than usual scores after so many. */
static double score_of_third_less(uint32_t days)
{
	struct run *run = run_new(79, SHOP_SLICES_MAX, DAY, AGGREGATE_COUNT, (double[]){1000}, 1);
	double score = 0;

	for (uint32_t day = 0; day < days; day++)
		days_of_week(run);
	run->shop.observations.interval++;
	for (uint32_t i = 0; i < SHOP_SLICES_MAX; i++)
		shop_draw(&run->shop, i, 1000 * 2.0 / 3);
	probe_step(&run->probe, &run->shop);
	for (uint32_t i = 0; i < SHOP_SLICES_MAX; i++)
		score -= run->probe.log10_p[i] / SHOP_SLICES_MAX;
	run_free(run);
	return score;
}

/* How far values scatter is known badly by few of them: what is unlikely by a normal's tail is
 * less so by Student's. */
Test(seasonal_laws, few_values_are_believed_less)
{
	double young = score_of_third_less(28), older = score_of_third_less(60);
	double grown = score_of_third_less(280);

	cr_assert(young > 2 && young < older - 0.4 && older < grown - 1,
		  "%g after 28 days, %g after 60, %g after 280", young, older, grown);
}

/* A weekday that has always been another one is neither expected otherwise nor news. */
Test(seasonal_laws, weekdays_are_known_where_intervals_are_days)
{
	struct run *run = run_new(78, SHOP_SLICES_MAX, DAY, AGGREGATE_COUNT, (double[]){1000}, 1);
	double expected = 0, weeks = 0, news = 0, days = 0;

	for (uint32_t day = 0; day < 60 * 7; day++) {
		days_of_week(run);
		for (uint32_t i = 0; i < SHOP_SLICES_MAX && day >= 10 * 7; i++) {
			days++;
			news += run->probe.log10_p[i] < -4;
			if (run->shop.observations.interval % 7 == WEDNESDAY) {
				expected += run->probe.expected[i];
				weeks++;
			}
		}
	}
	double bias = expected / weeks / 880;
	cr_assert(bias > 0.98 && bias < 1.04, "expects %g times what comes", bias);
	cr_assert_lt(news, 4 + 1e-4 * days, "%g of %g days are news", news, days);
	run_free(run);
}

/* The mean band of days of 1000 events that scatter by 4 % beyond chance, weeks 13 to 24, relative
 * to what is expected. */
static double width_of_days(const double usual[7])
{
	struct run *run = run_new(80, SHOP_SLICES_MAX, DAY, AGGREGATE_COUNT, (double[]){1000}, 1);
	struct shop *shop = &run->shop;
	double width = 0, days = 0;

	for (uint32_t day = 0; day < 24 * 7; day++) {
		shop->observations.interval++;
		for (uint32_t i = 0; i < SHOP_SLICES_MAX; i++) {
			double noise = exp(0.04 * chance_normal(&shop->chance));
			shop_draw(shop, i,
				  1000 * usual[shop->observations.interval % 7] * noise);
		}
		probe_step(&run->probe, shop);
		for (uint32_t i = 0; i < SHOP_SLICES_MAX && day >= 12 * 7; i++, days++)
			width += (run->probe.upper[i] - run->probe.lower[i]) /
				 run->probe.expected[i];
	}
	run_free(run);
	return width / days;
}

/* Of many events weekdays are most of what differs. What they were off by while they were new is
 * no scatter of days whose weekday is known. */
Test(seasonal_laws, weekdays_that_were_new_do_not_widen_the_band)
{
	double flat = width_of_days((double[]){1, 1, 1, 1, 1, 1, 1});
	double uneven = width_of_days((double[]){1.14, 0.9, 0.86, 1.02, 0.92, 1.1, 1.06});

	cr_assert(uneven < 1.25 * flat, "%g with weekdays, %g without", uneven, flat);
}

/* 1970-01-05. */
#define FIRST_MONDAY 4

/* A shop whose weekends are a quarter above its other days has opened on a Monday: the first
 * weekend, which levels have followed, is not expected to go on into the second Monday. */
Test(seasonal_laws, the_first_weekend_does_not_go_on)
{
	const int64_t interval_ms = 5 * MINUTE, day = DAY / interval_ms;
	struct run *run = run_new(79, SHOP_SLICES_MAX, interval_ms, AGGREGATE_COUNT,
				  (double[]){400}, 1);
	int64_t *interval = &run->shop.observations.interval;
	uint32_t news = 0;

	*interval = FIRST_MONDAY * day - 1;
	for (int64_t k = 0; k < 8 * day; k++) {
		bool weekend = k >= 5 * day && k < 7 * day;
		run_step(run, weekend ? 1.25 : 1);
		for (uint32_t i = 0; i < SHOP_SLICES_MAX && k >= 7 * day; i++)
			news += run->probe.log10_p[i] < -6;
	}
	cr_assert_leq(news, 2, "%u intervals of the second Monday are news", news);
	run_free(run);
}
