/* Static thresholds: when they fire, how bad it is, and what they are held against. */
#include <criterion/criterion.h>
#include <math.h>

#include "support.h"

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

static struct shop shop;
static struct heard heard;

static struct detector_spec rule_spec(void)
{
	return (struct detector_spec){
		.name = "rule",
		.metric = "orders",
		.kind = DETECTOR_RULE,
		.severity = 50,
		.for_intervals = 1,
		.recover_intervals = 1,
		.up_percent = NAN,
		.down_percent = NAN,
		.above = NAN,
		.below = NAN,
		.growth_drop = NAN,
	};
}

static struct bank *begin(const struct detector_spec *spec, int64_t interval_ms)
{
	shop_init(&shop, 1, 1, interval_ms, AGGREGATE_COUNT);
	heard.count = 0;
	return bank_create(spec);
}

/* One interval; returns the revisions it made. */
static uint32_t step(struct bank *bank, double value)
{
	uint32_t before = heard.count;
	shop.observations.interval++;
	shop.value[0] = shop.events[0] = shop.squares[0] = value;
	cr_assert_eq(bank_step(bank, &shop.observations, heard_each, &heard), 0);
	return heard.count - before;
}

static const struct anomaly *last(void)
{
	return &heard.anomaly[heard.count - 1];
}

Test(rule, fires_at_its_threshold_and_not_below)
{
	struct detector_spec spec = rule_spec();
	spec.down_percent = 33;
	struct bank *bank = begin(&spec, DAY);

	cr_assert_eq(step(bank, 300), 0, "nothing to compare with");
	cr_assert_eq(step(bank, 202), 0, "-32.7 %%");
	cr_assert_eq(step(bank, 300), 0);
	cr_assert_eq(step(bank, 201), 1, "-33 %% exactly");
	const struct anomaly *a = last();
	cr_assert_eq(a->state, ANOMALY_FIRING);
	cr_assert_str_eq(a->kind, "rule");
	cr_assert_eq(a->direction, -1);
	cr_assert_eq(a->severity, 50);
	cr_assert_eq(a->observed, 201);
	cr_assert_eq(a->expected, 300);
	cr_assert_float_eq(a->lower, 201, 1e-9);
	cr_assert_eq(a->log10_p, 0, "no probability");
	/* Yesterday was yesterday: 201 against 201 is no change. */
	cr_assert_eq(step(bank, 201), 1);
	cr_assert_eq(last()->state, ANOMALY_RESOLVED);
	bank_destroy(bank);
}

Test(rule, severity_rises_with_the_excess_to_100_at_twice_the_threshold)
{
	const double values[] = {125, 130, 137.5, 150, 500}, severities[] = {50, 60, 75, 100, 100};
	for (uint32_t k = 0; k < 5; k++) {
		struct detector_spec spec = rule_spec();
		spec.up_percent = 25;
		struct bank *bank = begin(&spec, DAY);
		step(bank, 100);
		cr_assert_eq(step(bank, values[k]), 1);
		cr_assert_float_eq(last()->severity, severities[k], 1e-9);
		cr_assert_eq(last()->direction, 1);
		bank_destroy(bank);
	}
}

Test(rule, a_higher_severity_asks_for_more_excess)
{
	struct detector_spec spec = rule_spec();
	spec.up_percent = 20;
	spec.severity = 75;
	struct bank *bank = begin(&spec, DAY);
	step(bank, 100);
	cr_assert_eq(step(bank, 129), 0);
	step(bank, 100);
	cr_assert_eq(step(bank, 131), 1);
	bank_destroy(bank);
}

Test(rule, absolute_limits_hold_from_the_first_interval)
{
	struct detector_spec spec = rule_spec();
	spec.above = 1000;
	spec.below = 10;
	struct bank *bank = begin(&spec, DAY);
	cr_assert_eq(step(bank, 9), 1);
	cr_assert_eq(last()->direction, -1);
	cr_assert_float_eq(last()->severity, 55, 1e-9);
	cr_assert_eq(step(bank, 10.5), 1);
	cr_assert_eq(last()->state, ANOMALY_RESOLVED);
	cr_assert_eq(step(bank, 999), 0);
	cr_assert_eq(step(bank, 1000), 1);
	cr_assert_eq(last()->direction, 1);
	cr_assert_eq(step(bank, 0), 1, "from one side to the other");
	cr_assert_eq(last()->direction, -1);
	cr_assert_eq(last()->severity, 100);
	bank_destroy(bank);
	spec = rule_spec();
	spec.above = 0;
	bank = begin(&spec, DAY);
	cr_assert_eq(step(bank, 0), 1);
	cr_assert_eq(last()->severity, 50);
	bank_destroy(bank);
}

Test(rule, last_week_is_the_same_weekday)
{
	struct detector_spec spec = rule_spec();
	spec.frequency_ms = DAY;
	spec.baseline = BASELINE_LAST_WEEK;
	spec.down_percent = 25;
	struct bank *bank = begin(&spec, HOUR);
	/* Weekends have a tenth of the traffic; three weeks of that say nothing. */
	for (int hour = 0; hour < 21 * 24; hour++) {
		bool weekend = (hour / 24 + 3) % 7 >= 5;
		cr_assert_eq(step(bank, weekend ? 10 : 100), 0);
	}
	for (int hour = 0; hour < 24; hour++)
		cr_assert_eq(step(bank, 74), hour == 23, "at the end of the day");
	const struct anomaly *a = last();
	cr_assert(a->observed == 24 * 74 && a->expected == 2400);
	cr_assert(a->start == 21 * 24 && a->interval == 22 * 24 - 1, "from %ld to %ld",
		  (long)a->start, (long)a->interval);
	cr_assert(a->interval_ms == HOUR && a->frequency_ms == DAY);
	bank_destroy(bank);
}

Test(rule, last_year_is_364_days_before_and_of_months_the_same_month)
{
	struct detector_spec spec = rule_spec();
	spec.frequency_ms = DAY;
	spec.baseline = BASELINE_LAST_YEAR;
	spec.up_percent = 50;
	struct bank *bank = begin(&spec, DAY);
	for (int day = 0; day < 400; day++)
		cr_assert_eq(step(bank, 100 + day % 7), 0);
	/* Day 400 is held against day 36, which had 101. */
	cr_assert_eq(step(bank, 151), 0);
	cr_assert_eq(step(bank, 153), 1);
	cr_assert_eq(last()->expected, 102);
	bank_destroy(bank);

	spec.frequency_ms = DETECTOR_MONTH;
	bank = begin(&spec, DAY);
	for (int day = 0; day < 365; day++)
		cr_assert_eq(step(bank, 1), 0);
	for (int day = 0; day < 31; day++)
		cr_assert_eq(step(bank, 1.5), day == 30);
	cr_assert(last()->expected == 31 && last()->observed == 46.5);
	cr_assert(last()->start == 365 && last()->interval == 365 + 30);
	bank_destroy(bank);
}

Test(rule, growth_that_falls_by_so_many_points)
{
	struct detector_spec spec = rule_spec();
	spec.frequency_ms = DETECTOR_MONTH;
	spec.growth_drop = 15;
	struct bank *bank = begin(&spec, DAY);
	int day = 0;
	/* A flat year; then a year that grows 20 %, a month at 6, one at 20, one at 5. */
	for (; day < 365; day++)
		cr_assert_eq(step(bank, 100), 0);
	const double growth[] = {1.2, 1.2, 1.06, 1.2, 1.05, 1.05};
	const int days[] = {31, 28, 31, 30, 31, 30};
	for (int month = 0; month < 6; month++) {
		for (int k = 1; k <= days[month]; k++) {
			uint32_t revisions = step(bank, 100 * growth[month]);
			bool changes = k == days[month] && month >= 4;
			cr_assert_eq(revisions, changes, "day %d of month %d", k, month);
		}
		if (month == 4) {
			cr_assert_eq(last()->state, ANOMALY_FIRING);
			cr_assert_float_eq(last()->severity, 50, 1e-6);
			cr_assert_float_eq(last()->expected, 31 * 120, 1e-6);
			cr_assert_eq(last()->direction, -1);
		}
	}
	cr_assert_eq(last()->state, ANOMALY_RESOLVED, "growth no longer falls");
	bank_destroy(bank);
}

Test(rule, has_no_alarm_budget_and_no_hysteresis)
{
	struct detector_spec spec = rule_spec();
	spec.down_percent = 50;
	struct bank *bank = bank_create(&spec);
	shop_init(&shop, 1, 200, DAY, AGGREGATE_COUNT);
	heard.count = 0;
	for (int k = 0; k < 4; k++) {
		shop.observations.interval++;
		for (uint32_t i = 0; i < 200; i++)
			shop.value[i] = shop.events[i] = i == 7 && k == 3 ? 50 : 100;
		cr_assert_eq(bank_step(bank, &shop.observations, heard_each, &heard), 0);
	}
	cr_assert_eq(heard.count, 1, "one of 200 slices, at its threshold");
	shop.observations.interval++;
	shop.value[7] = shop.events[7] = 26;
	cr_assert_eq(bank_step(bank, &shop.observations, heard_each, &heard), 0);
	cr_assert_eq(heard.count, 2, "48 of 50 %% is no longer anomalous");
	cr_assert_eq(last()->state, ANOMALY_RESOLVED);
	bank_destroy(bank);
}

Test(rule, a_missing_baseline_says_nothing)
{
	struct detector_spec spec = rule_spec();
	spec.up_percent = 10;
	struct bank *bank = begin(&spec, DAY);
	step(bank, 100);
	shop.observations.flags = OBSERVATION_INCOMPLETE;
	cr_assert_eq(step(bank, 20), 0, "less than all is no drop");
	shop.observations.flags = 0;
	cr_assert_eq(step(bank, 100), 0, "and no baseline");
	shop.observations.interval += 5;
	cr_assert_eq(step(bank, 500), 0, "nor is what was jumped over");
	cr_assert_eq(step(bank, 600), 1);
	step(bank, 0);
	cr_assert_eq(step(bank, 100), 0, "of nothing there is no percentage");
	bank_destroy(bank);
}

Test(rule, min_delta_and_min_volume_keep_small_things_quiet)
{
	struct detector_spec spec = rule_spec();
	spec.up_percent = 50;
	spec.min_delta = 10;
	struct bank *bank = begin(&spec, DAY);
	step(bank, 10);
	cr_assert_eq(step(bank, 19), 0, "nine more");
	step(bank, 10);
	cr_assert_eq(step(bank, 20), 1, "ten more");
	bank_destroy(bank);
	spec.min_delta = 0;
	spec.min_volume = 50;
	bank = begin(&spec, DAY);
	step(bank, 10);
	cr_assert_eq(step(bank, 49), 0);
	step(bank, 10);
	cr_assert_eq(step(bank, 50), 1);
	bank_destroy(bank);
}

Test(rule, saved_and_loaded_goes_on_like_one_that_was_not)
{
	struct detector_spec spec = rule_spec();
	spec.frequency_ms = DAY;
	spec.baseline = BASELINE_LAST_WEEK;
	spec.down_percent = 10;
	spec.growth_drop = 20;
	struct bank *bank = begin(&spec, HOUR);
	struct bytes first = {0}, second = {0};
	for (int k = 0; k < 24 * 10 + 7; k++)
		step(bank, 100);
	bank_save(bank, &first);
	struct bank *loaded = bank_create(&spec);
	struct bytes_reader in = {.data = first.data, .left = first.used};
	cr_assert_eq(bank_load(loaded, &in), 0);
	cr_assert_eq(in.left, 0);
	int64_t at = shop.observations.interval;
	for (int k = 0; k < 24 * 3; k++)
		step(bank, 50 + k);
	uint32_t count = heard.count;
	struct anomaly spoken = *last();
	shop.observations.interval = at;
	heard.count = 0;
	for (int k = 0; k < 24 * 3; k++)
		step(loaded, 50 + k);
	cr_assert(count > 0 && heard.count == count);
	cr_assert_eq(memcmp(&spoken, last(), sizeof(spoken)), 0);
	bytes_fini(&first);
	bank_save(bank, &first);
	bank_save(loaded, &second);
	cr_assert(first.used == second.used && memcmp(first.data, second.data, first.used) == 0);
	bytes_fini(&first), bytes_fini(&second);
	bank_destroy(bank), bank_destroy(loaded);
}
