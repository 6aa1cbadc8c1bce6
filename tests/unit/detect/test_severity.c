/* The documented table of severities, and the alarm budget. */
#include <criterion/criterion.h>
#include <math.h>

#include "detect/severity.h"

#define WEEK_MS 604800000.0

Test(severity, of_a_return_period_is_the_documented_one_at_every_interval)
{
	const int64_t intervals[] = {1000, 10000, 60000, 300000, 3600000, 86400000};
	/* Weeks until chance does the same: a hundredth, one, a hundred, ten thousand. */
	const double table[][2] = {{0.01, 25}, {1, 50}, {100, 75}, {10000, 100}};
	for (unsigned i = 0; i < 6; i++) {
		double log10_intervals = severity_log10_intervals(intervals[i]);
		double per_week = WEEK_MS / (double)intervals[i];
		for (unsigned k = 0; k < 4; k++) {
			double p = 1 / (table[k][0] * per_week);
			cr_assert_float_eq(severity_raw(log10(p), log10_intervals), table[k][1],
					   1e-9);
		}
	}
}

Test(severity, and_tail_probability_turn_each_other_around)
{
	double log10_intervals = severity_log10_intervals(10000);
	for (double raw = 5; raw < 200; raw += 5)
		cr_assert_float_eq(severity_raw(severity_log10_p(raw, log10_intervals),
						log10_intervals),
				   raw, 1e-9);
	cr_assert_float_eq(severity_log10_p(-500, log10_intervals), log10(0.5), 1e-12);
}

Test(severity, leaves_clamped)
{
	cr_assert_eq(severity_clamp(-3), 0);
	cr_assert_eq(severity_clamp(44.5), 44.5);
	cr_assert_eq(severity_clamp(180), 100);
}

Test(severity, bands_begin_where_they_are_said_to)
{
	const struct {
		double severity;
		int band;
	} table[] = {{0, 0},   {2.9, 0},   {3, 3},   {24.9, 3}, {25, 25},
		     {50, 50}, {74.9, 50}, {75, 75}, {100, 75}};
	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		cr_assert_eq(severity_band(table[i].severity), table[i].band);
}

Test(severity, budget_adds_a_decade_for_ten_times_the_slices)
{
	cr_assert_eq(severity_budget(75, 0), 75);
	cr_assert_eq(severity_budget(75, 1), 75);
	cr_assert_float_eq(severity_budget(75, 10), 87.5, 1e-9);
	cr_assert_float_eq(severity_budget(75, 1000), 112.5, 1e-9);
}
