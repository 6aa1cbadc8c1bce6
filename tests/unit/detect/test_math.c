/* math.h against libm and against tails summed term by term. */
#include <criterion/criterion.h>
#include <math.h>

#define LANES 1
#include "detect/lanes.h"

Test(math, exp_is_within_two_units_of_libm)
{
	for (int i = -70000; i <= 70000; i++) {
		double x = i * 0.01 + 0.0037;
		double error = fabs(math_exp(x) / exp(x) - 1);
		cr_assert(error < 4.5e-16, "exp(%g) is off by %g", x, error);
	}
	cr_assert_eq(math_exp(0), 1);
}

Test(math, exp_of_anything_is_finite)
{
	const double far[] = {1e9, -1e9, INFINITY, -INFINITY, 709, -745};
	for (unsigned i = 0; i < 6; i++)
		cr_assert(isfinite(math_exp(far[i])) && math_exp(far[i]) > 0);
}

Test(math, log_is_within_two_units_of_libm)
{
	for (int i = -7000; i <= 7000; i++) {
		double x = exp(i * 0.1 + 0.0013);
		double error = fabs(math_log(x) - log(x)) / fabs(log(x));
		cr_assert(error < 4.5e-16, "log(%g) is off by %g", x, error);
	}
	for (int i = 1; i < 20000; i++) {
		double x = 0.5 + i * 1e-4;
		cr_assert_float_eq(math_log(x), log(x), 2e-16);
	}
	cr_assert_eq(math_log(1), 0);
}

Test(math, log_of_zero_and_less_is_that_of_the_smallest_number)
{
	cr_assert_float_eq(math_log(0), log(0x1p-1022), 1e-12);
	cr_assert_eq(math_log(-5), math_log(0));
	cr_assert_eq(math_log(0x1p-1060), math_log(0));
}

Test(math, short_forms_are_as_good_as_they_say)
{
	for (int i = -7000; i <= 7000; i++) {
		double x = exp(i * 0.1 + 0.0013), y = i * 0.0428;
		cr_assert_float_eq(math_log_short(x), log(x), 1e-8 * fmax(fabs(log(x)), 1));
		cr_assert_float_eq(math_power10(y) / pow(10, y), 1, 2e-7);
	}
	for (double s = -0.999; s < LANES_DEVIANCE_REACH; s += 0.001) {
		double c = 7 * (1 + s) / (1 - s), gap = c - 7;
		double exact = fabs(s) < 1e-4 ? 1 : 14 * (c * log(c / 7) - gap) / (gap * gap);
		double limit = fabs(s) < 1e-3 ? 1e-3 : s < 0 ? 0.004 : 1e-4;
		cr_assert_float_eq(lanes_deviance(s, 1) / exact, 1, limit, "%g: %g, not %g", s,
				   lanes_deviance(s, 1), exact);
	}
}

Test(math, far_tail_is_the_tail_and_never_stops_growing)
{
	for (double z = 1.8; z < 40; z += 0.01)
		cr_assert_float_eq(lanes_far_tail(z), -math_log10_tail(z), 4e-4, "%g", z);
	double before = 0;
	for (double z = 1e-3; z < 1e12; z *= 1.01) {
		double tail = lanes_far_tail(z);
		cr_assert(tail > before);
		cr_assert(z < 40 || fabs(tail + math_log10_tail(z)) < 1e-3 * tail);
		before = tail;
	}
}

Test(math, tail_agrees_with_erfc_as_far_as_erfc_goes)
{
	for (int i = 0; i < 37000; i++) {
		double z = i * 0.001;
		double exact = log10(erfc(z * M_SQRT1_2));
		cr_assert_float_eq(math_log10_tail(z), exact, 1e-11, "z %g: %.15g, not %.15g", z,
				   math_log10_tail(z), exact);
		cr_assert_eq(math_log10_tail(z), math_log10_tail(-z));
	}
}

Test(math, tail_falls_for_ever_and_never_underflows)
{
	double before = 0.1;
	for (double z = 0; z < 1e5; z = z * 1.01 + 0.001) {
		double tail = math_log10_tail(z);
		cr_assert(isfinite(tail) && tail <= 0 && tail < before);
		before = tail;
	}
}

Test(math, quantile_turns_the_tail_around)
{
	for (double log10_p = -0.01; log10_p > -290; log10_p *= 1.1)
		cr_assert_float_eq(math_log10_tail(math_tail_quantile(log10_p)), log10_p,
				   1e-9 - log10_p * 1e-12);
}

/* log10 of twice P(X <= x) or P(X >= x), summed. */
static double poisson_tail(double mean, int x, bool below)
{
	double sum = 0;
	int from = below ? 0 : x, to = below ? x : x + 600;
	for (int k = from; k <= to; k++)
		sum += exp(k * log(mean) - mean - lgamma(k + 1));
	return log10(2 * sum);
}

Test(math, poisson_score_is_within_two_percent_of_the_exact_tail)
{
	const double means[] = {0.003, 0.02, 0.2, 0.7, 1.3, 3, 11, 40, 150, 700};
	for (unsigned i = 0; i < sizeof(means) / sizeof(means[0]); i++) {
		for (int x = 0; x < means[i] + 40 * sqrt(means[i]) + 12; x++) {
			bool below = x <= means[i];
			double exact = poisson_tail(means[i], x, below);
			if (exact > -0.5 || exact < -280)
				continue;
			double z = math_tail_quantile(exact) * (below ? -1 : 1);
			double score = math_poisson_score(x, means[i], 1, 1);
			cr_assert_lt(fabs(score - z), 0.02 * fabs(z), "%d of %g: %g, not %g", x,
				     means[i], score, z);
		}
	}
}

Test(math, poisson_score_never_points_to_the_wrong_side)
{
	for (double mean = 1e-6; mean < 1e7; mean *= 3.3) {
		for (double x = 0; x < 4 * mean + 30; x = x * 1.2 + 0.5) {
			for (double scale = 1; scale < 1e4; scale *= 7) {
				double z = math_poisson_score(x, mean, 1, scale);
				cr_assert(isfinite(z) && (x > mean ? z >= 0 : z <= 0));
			}
		}
	}
}

Test(math, poisson_score_does_not_depend_on_the_unit)
{
	for (double x = 0; x < 100; x += 7) {
		double euro = math_poisson_score(x, 40, 1, 1.5);
		double cent = math_poisson_score(100 * x, 4000, 100, 150);
		cr_assert_float_eq(euro, cent, 1e-9);
	}
}

Test(math, poisson_band_ends_where_the_score_does)
{
	for (double mean = 4; mean < 1e6; mean *= 2.1) {
		for (double z = -6; z <= 6; z += 1.5) {
			double x = math_poisson_quantile(z, mean, 1, 1);
			double steps = 1.5 / sqrt(math_max(mean, 1)) + 0.01 + 0.4 * (mean < 30);
			if (x > 0 && z != 0)
				cr_assert_float_eq(math_poisson_score(x, mean, 1, 1), z, steps,
						   "mean %g, z %g", mean, z);
			cr_assert(z < 0 ? x <= mean : x >= mean);
		}
	}
}

Test(math, student_score_is_close_to_tabled_quantiles)
{
	/* Two-sided 0.1 %: t of 5, 10, 30, 100 degrees of freedom; z is 3.2905. */
	const double table[][2] = {{5, 6.869}, {10, 4.587}, {30, 3.646}, {100, 3.390}};
	for (unsigned i = 0; i < 4; i++) {
		cr_assert_float_eq(math_student_score(table[i][1], table[i][0]), 3.2905, 0.03);
		cr_assert_float_eq(math_student_inverse(3.2905, table[i][0]), table[i][1],
				   0.03 * table[i][1]);
		cr_assert_eq(math_student_score(-table[i][1], table[i][0]),
			     -math_student_score(table[i][1], table[i][0]));
	}
}
