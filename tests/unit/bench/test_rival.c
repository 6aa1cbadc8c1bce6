/*
 * The rivals: scores worked out by hand, and the sums of a window against the window itself.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "rival.h"

#define HOUR_MS 3600000
#define NEAR 1e-9

Test(rival, sliding_counts_deviations_from_the_mean_of_the_window)
{
	struct rival *rival = rival_create(RIVAL_SLIDING, HOUR_MS, 10);

	cr_assert_not_null(rival);
	for (int64_t i = 0; i < 10; i++)
		cr_assert(rival_step(rival, i, i % 2 ? 1 : 3) == 0, "too little is known");
	/* Mean 2, deviation 1. */
	double score = rival_step(rival, 10, 7);
	cr_assert_float_eq(score, 5, NEAR);
	/* The first 3 is gone, the 7 is in: mean 2.4, of the squares 1 x 5, 9 x 4, 49. */
	score = rival_step(rival, 12, 2.4 - sqrt(9.0 - 2.4 * 2.4));
	cr_assert_float_eq(score, 1, NEAR);
	rival_destroy(rival);
}

Test(rival, a_missing_value_is_none)
{
	struct rival *one = rival_create(RIVAL_SLIDING, HOUR_MS, 12);
	struct rival *two = rival_create(RIVAL_SLIDING, HOUR_MS, 12);

	for (int64_t i = 0; i < 60; i++) {
		double value = (double)(i * i % 17);
		cr_assert(rival_step(one, i, NAN) == 0);
		cr_assert(rival_step(one, i, value) == rival_step(two, i, value));
	}
	rival_destroy(one);
	rival_destroy(two);
}

Test(rival, a_change_of_what_never_moved_is_far_out)
{
	struct rival *rival = rival_create(RIVAL_SLIDING, HOUR_MS, 24);

	for (int64_t i = 0; i < 30; i++)
		cr_assert(rival_step(rival, i, 100) == 0);
	double score = rival_step(rival, 30, 101);
	cr_assert(isfinite(score) && score > 1000);
	rival_destroy(rival);
}

Test(rival, a_window_is_what_its_values_are_however_long_it_ran)
{
	enum { WINDOW = 50, STEPS = 3000 };
	struct rival *rival = rival_create(RIVAL_SLIDING, HOUR_MS, WINDOW);
	static double values[STEPS];

	srand(3);
	for (int64_t i = 0; i < STEPS; i++) {
		double mean = 0, squares = 0;
		values[i] = 1e9 + (double)(rand() % 1000) * (i % 700 < 300 ? 1 : 1e-3);
		double score = rival_step(rival, i, values[i]);
		if (i < WINDOW)
			continue;
		for (int64_t k = i - WINDOW; k < i; k++)
			mean += values[k] / WINDOW;
		for (int64_t k = i - WINDOW; k < i; k++)
			squares += (values[k] - mean) * (values[k] - mean) / WINDOW;
		double least = 1e-6 * mean, deviation = sqrt(squares);
		double want = fabs(values[i] - mean) / (deviation > least ? deviation : least);
		cr_assert_float_eq(score, want, 1e-6 * (1 + want), "%ld", (long)i);
	}
	rival_destroy(rival);
}

Test(rival, hours_of_the_week_are_known_apart)
{
	struct rival *rival = rival_create(RIVAL_HOUR_OF_WEEK, HOUR_MS, 0);
	int64_t hour = 0;

	/* By day 100, by night 10, give or take one; at noon on Mondays (4 January 1971 was one)
	 * 1000. */
	for (; hour < 5 * 168; hour++) {
		bool monday = (hour / 24) % 7 == 4;
		double base = monday && hour % 24 == 12 ? 1000 : hour % 24 >= 8 ? 100 : 10;
		double score = rival_step(rival, hour, base + (hour / 168 % 2 ? 1 : -1));
		cr_assert_lt(score, 3, "hour %ld: %g", (long)hour, score);
		cr_assert(hour >= 3 * 168 || score == 0, "too little is known");
	}
	/* Of the whole deviation, some hundred, one part in twenty is the least. */
	cr_assert(rival_step(rival, hour, 100) > 10, "as by day, but it is night");
	cr_assert(rival_step(rival, hour + 4 * 24 + 12, 1000) < 1, "Monday noon");
	cr_assert(rival_step(rival, hour + 5 * 24 + 12, 1000) > 10, "Tuesday noon");
	rival_destroy(rival);
}

Test(rival, gaussian_is_the_nearer_part_of_the_normal_distribution)
{
	struct rival *rival = rival_create(RIVAL_GAUSSIAN, HOUR_MS, 0);

	cr_assert(rival_step(rival, 0, 1) == 0, "nothing is known");
	rival_step(rival, 1, 3);
	/* Mean 2, deviation 1: Q(1.96) is 0.025, above as below. */
	double score = rival_step(rival, 2, 2 + 1.959964);
	cr_assert_float_eq(score, 0.975, 1e-6);
	rival_destroy(rival);
	rival = rival_create(RIVAL_GAUSSIAN, HOUR_MS, 0);
	for (int64_t i = 0; i < 6400; i++)
		rival_step(rival, i, i % 2 ? 1 : 3);
	/* The window is full: what comes now is known a hundred values later. */
	for (int64_t i = 0; i < 100; i++)
		cr_assert(rival_step(rival, 6400 + i, 10) > 1 - 1e-9);
	cr_assert(rival_step(rival, 6500, 10) < 1 - 1e-9);
	rival_destroy(rival);
}
