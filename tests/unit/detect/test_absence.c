/* Absence: it must know a closed shop from a broken one. */
#include <criterion/criterion.h>
#include <math.h>

#include "detect/severity.h"
#include "support.h"

#define MINUTE 60000

struct run {
	struct shop shop;
	struct probe probe;
};

static struct run *run_new(uint64_t seed, int64_t interval_ms, uint32_t absent)
{
	struct detector_spec spec = {
		.kind = DETECTOR_ABSENCE, .severity = 75, .absent_intervals = absent};
	struct run *run = calloc(1, sizeof(*run));
	shop_init(&run->shop, seed, 1, interval_ms, AGGREGATE_COUNT);
	probe_init(&run->probe, &detector_absence, &spec, 1);
	return run;
}

static void run_free(struct run *run)
{
	probe_fini(&run->probe);
	free(run);
}

/* Returns the severity of the interval, below zero if nothing is said. */
static double run_step(struct run *run, double mean)
{
	run->shop.observations.interval++;
	shop_draw(&run->shop, 0, mean);
	probe_step(&run->probe, &run->shop);
	double log10_p = run->probe.log10_p[0];
	double per_week = severity_log10_intervals(run->shop.observations.interval_ms);
	return log10_p < 0 ? severity_raw(log10_p, per_week) : -1;
}

static double shape_now(const struct run *run)
{
	return shop_shape(shop_hours(&run->shop) +
			  (double)run->shop.observations.interval_ms / 3600000.0);
}

Test(absence, sees_an_outage_after_the_intervals_asked_for)
{
	for (uint32_t absent = 1; absent <= 5; absent += 2) {
		struct run *run = run_new(1, MINUTE, absent);
		for (int k = 0; k < 8 * 1440 + 720; k++)
			run_step(run, 60 * shape_now(run));
		for (uint32_t k = 1; k <= 5; k++) {
			double severity = run_step(run, 0);
			cr_assert_eq(severity >= 75, k >= absent, "%u of %u: %g", k, absent,
				     severity);
		}
		cr_assert_eq(run->probe.direction[0], -1);
		run_free(run);
	}
}

Test(absence, waits_as_long_as_the_rate_demands)
{
	/* 1 event in 10 minutes: silence for 3 intervals is nothing, for 6 hours it is. */
	struct run *run = run_new(2, MINUTE, 3);
	int first = 0;

	for (int k = 0; k < 14 * 1440; k++)
		cr_assert_lt(run_step(run, 0.1), 75, "fired in minute %d of normal traffic", k);
	for (int k = 1; k <= 1440 && !first; k++)
		first = run_step(run, 0) >= 75 ? k : 0;
	/* p of 1e-6 takes 14 events expected, at the least the hour may have. */
	cr_assert(first > 100 && first < 300, "fired after %d minutes", first);
	run_free(run);
}

Test(absence, day_and_night_do_not_fire, .timeout = 30)
{
	const double rates[] = {0.05, 0.5, 5, 50};
	for (unsigned r = 0; r < 4; r++) {
		struct run *run = run_new(3 + r, MINUTE, 2);
		uint32_t fired = 0;
		for (int k = 0; k < 5 * 10080; k++)
			fired += run_step(run, rates[r] * shape_now(run)) >= 75;
		cr_assert_eq(fired, 0, "rate %g: %u alarms in five weeks", rates[r], fired);
		run_free(run);
	}
}

Test(absence, a_shop_closed_every_night_and_sunday_is_known_after_a_week)
{
	struct run *run = run_new(8, 5 * MINUTE, 3);
	uint32_t nights = 0, late = 0;

	for (int k = 0; k < 6 * 2016; k++) {
		int hour = k / 12 % 24, day = k / 288 % 7;
		bool open = hour >= 8 && hour < 20 && day != 6;
		bool fired = run_step(run, open ? 30 : 0) >= 75;
		nights += fired && k >= 288 + 240 && k < 6 * 288;
		late += fired && k >= 2016;
	}
	cr_assert_eq(late, 0, "%u alarms after the first week", late);
	cr_assert_eq(nights, 0, "%u alarms from the second night on", nights);
	/* Open hours are still watched. */
	for (int k = 0; k < 288 + 144; k++)
		run_step(run, k / 12 % 24 >= 8 && k / 12 % 24 < 20 ? 30 : 0);
	run_step(run, 0);
	run_step(run, 0);
	cr_assert_geq(run_step(run, 0), 75);
	run_free(run);
}

Test(absence, incomplete_silence_neither_counts_nor_ends_it)
{
	struct run *run = run_new(9, MINUTE, 3);

	for (int k = 0; k < 3 * 1440; k++)
		run_step(run, 60);
	run_step(run, 0);
	run_step(run, 0);
	run->shop.observations.flags = OBSERVATION_INCOMPLETE;
	cr_assert_lt(run_step(run, 0), 75);
	run->shop.observations.flags = 0;
	cr_assert_geq(run_step(run, 0), 75);
	cr_assert_lt(run_step(run, 60), 75, "an event ends it");
	run_free(run);
}

Test(absence, works_for_metrics_that_are_not_counts)
{
	struct run *run = run_new(10, MINUTE, 2);

	run->shop.observations.aggregation = AGGREGATE_MEAN;
	for (int k = 0; k < 2 * 1440; k++)
		run_step(run, 20);
	run_step(run, 0);
	cr_assert_geq(run_step(run, 0), 75);
	cr_assert(run->probe.expected[0] > 35 && run->probe.expected[0] < 75, "%g",
		  run->probe.expected[0]);
	run_free(run);
}
