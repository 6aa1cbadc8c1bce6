/* season: smooth over the week, mean 1, about ten to one between evening and night. */
#include <criterion/criterion.h>
#include <math.h>

#include "season.h"

#define WEEK_MS UINT64_C(604800000)
#define MINUTE_MS UINT64_C(60000)
#define MONDAY_MS UINT64_C(1780272000000)

Test(shop_season, the_mean_of_a_week_is_one)
{
	struct season season;
	for (uint64_t seed = 0; seed < 20; seed++) {
		double sum = 0.0;
		season_init(&season, seed);
		for (uint64_t m = 0; m < SEASON_MINUTES; m++)
			sum += season_factor(&season, MONDAY_MS + m * MINUTE_MS);
		cr_expect_lt(fabs(sum / SEASON_MINUTES - 1.0), 1e-5);
	}
}

Test(shop_season, no_minute_jumps_not_at_midnight_nor_at_the_end_of_the_week)
{
	struct season season;
	for (uint64_t seed = 0; seed < 20; seed++) {
		season_init(&season, seed);
		for (uint64_t m = 0; m < 2 * SEASON_MINUTES; m++) {
			double a = season_factor(&season, MONDAY_MS + m * MINUTE_MS);
			double b = season_factor(&season, MONDAY_MS + (m + 1) * MINUTE_MS);
			double c = season_factor(&season, MONDAY_MS + (m + 2) * MINUTE_MS);
			/* The steepest evening falls by 0.02 a minute; a kink is a change of that.
			 */
			cr_assert_lt(fabs(a - b), 0.02);
			cr_assert_lt(fabs(a - 2.0 * b + c), 0.0005, "seed %llu minute %llu: %g",
				     (unsigned long long)seed, (unsigned long long)m,
				     fabs(a - 2.0 * b + c));
		}
	}
}

Test(shop_season, it_repeats_every_week_and_knows_monday)
{
	struct season season;
	season_init(&season, 3);
	cr_expect_eq(season_factor(&season, MONDAY_MS), (double)season.factor[0]);
	for (uint64_t m = 0; m < SEASON_MINUTES; m += 97)
		cr_expect_eq(season_factor(&season, MONDAY_MS + m * MINUTE_MS + 12345),
			     season_factor(&season,
					   MONDAY_MS + 5 * WEEK_MS + m * MINUTE_MS + 12345));
}

Test(shop_season, nights_are_about_a_tenth_of_evenings)
{
	struct season season;
	for (uint64_t seed = 0; seed < 20; seed++) {
		season_init(&season, seed);
		for (int day = 0; day < 7; day++) {
			double low = 1e9, high = 0.0;
			for (int m = 0; m < 24 * 60; m++) {
				double f = season.factor[day * 24 * 60 + m];
				low = fmin(low, f);
				high = fmax(high, f);
			}
			cr_expect(high / low > 5.0 && high / low < 20.0, "seed %llu day %d: %g",
				  (unsigned long long)seed, day, high / low);
		}
	}
}

Test(shop_season, the_time_before_the_first_monday_of_1970_has_a_factor_too)
{
	struct season season;
	season_init(&season, 3);
	cr_expect_eq(season_factor(&season, 0), season_factor(&season, WEEK_MS));
}

Test(shop_season, other_habits_are_a_season_too_and_differ_more)
{
	struct season season;
	double shallow = 1e9, deep = 0.0;

	for (uint64_t seed = 0; seed < 20; seed++) {
		double sum = 0.0, low = 1e9, high = 0.0;
		season_init_other(&season, seed);
		for (uint64_t m = 0; m < SEASON_MINUTES; m++) {
			double f = season_factor(&season, MONDAY_MS + m * MINUTE_MS);
			double next = season_factor(&season, MONDAY_MS + (m + 1) * MINUTE_MS);
			sum += f;
			low = fmin(low, f);
			high = fmax(high, f);
			cr_assert_lt(fabs(f - next), 0.04, "seed %llu minute %llu",
				     (unsigned long long)seed, (unsigned long long)m);
		}
		cr_expect_lt(fabs(sum / SEASON_MINUTES - 1.0), 1e-5);
		shallow = fmin(shallow, high / low);
		deep = fmax(deep, high / low);
	}
	cr_expect(shallow < 6.0 && deep > 20.0, "%g %g", shallow, deep);
}
