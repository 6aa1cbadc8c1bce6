/* random: streams by key, Poisson counts, normal quantiles. */
#include <criterion/criterion.h>
#include <math.h>

#include "random.h"

/* Mean and variance of a Poisson count are its mean; its distribution function is checked at a few
 * points against the sum of its probabilities. */
static void check_poisson(double mean)
{
	enum { DRAWS = 60000, KMAX = 4096 };
	static unsigned seen[KMAX];
	struct random random = random_keyed(7, (uint64_t)(mean * 1000), 0);
	double sum = 0.0, squares = 0.0;
	for (int i = 0; i < KMAX; i++)
		seen[i] = 0;
	for (int i = 0; i < DRAWS; i++) {
		uint64_t k = random_poisson(&random, mean);
		cr_assert_lt(k, KMAX);
		seen[k]++;
		sum += (double)k;
		squares += (double)k * (double)k;
	}
	double average = sum / DRAWS, variance = squares / DRAWS - average * average;
	cr_expect_lt(fabs(average - mean), 5.0 * sqrt(mean / DRAWS), "mean %g: %g", mean, average);
	/* Variance of the sample variance: (mu4 - mean^2) / n with mu4 = mean + 3 mean^2. */
	cr_expect_lt(fabs(variance - mean), 5.0 * sqrt((mean + 2.0 * mean * mean) / DRAWS),
		     "variance of %g: %g", mean, variance);
	double worst = 0.0, cumulated = 0.0, empirical = 0.0;
	for (int k = 0; k < KMAX; k++) {
		cumulated += exp(k * log(mean) - mean - lgamma(k + 1.0));
		empirical += (double)seen[k] / DRAWS;
		worst = fmax(worst, fabs(cumulated - empirical));
	}
	/* Kolmogorov: P(D > 2 / sqrt n) < 0.001, also for discrete laws. */
	cr_expect_lt(worst, 2.0 / sqrt(DRAWS), "mean %g: distance %g", mean, worst);
}

Test(shop_random, poisson_counts_have_the_poisson_law)
{
	const double means[] = {0.01, 0.5, 3.0, 9.99, 10.0, 10.5, 30.0, 250.0, 2500.0};
	for (size_t i = 0; i < sizeof(means) / sizeof(means[0]); i++)
		check_poisson(means[i]);
}

Test(shop_random, poisson_of_nothing_is_nothing)
{
	struct random random = random_keyed(1, 2, 3);
	cr_expect_eq(random_poisson(&random, 0.0), 0);
}

Test(shop_random, a_key_gives_the_same_stream_again_and_other_keys_give_others)
{
	struct random a = random_keyed(1, 2, 3), b = random_keyed(1, 2, 3);
	struct random others[] = {random_keyed(2, 2, 3), random_keyed(1, 3, 3),
				  random_keyed(1, 2, 4), random_keyed(1, 3, 2)};
	uint64_t first = random_next(&a);
	cr_expect_eq(first, random_next(&b));
	for (int i = 0; i < 4; i++)
		cr_expect_neq(first, random_next(&others[i]));
}

Test(shop_random, streams_of_neighbouring_keys_are_uniform_together)
{
	double sum = 0.0;
	unsigned cells[64] = {0};
	for (int i = 0; i < 64000; i++) {
		struct random random = random_keyed(5, (uint64_t)i, (uint64_t)i % 7);
		double u = random_unit(&random);
		sum += u;
		cells[(int)(u * 64.0)]++;
	}
	double chi = 0.0;
	for (int i = 0; i < 64; i++)
		chi += (cells[i] - 1000.0) * (cells[i] - 1000.0) / 1000.0;
	cr_expect_lt(fabs(sum / 64000 - 0.5), 0.006);
	cr_expect_lt(chi, 63.0 + 5.0 * sqrt(126.0));
}

Test(shop_random, numbers_below_a_bound_reach_each_of_them)
{
	struct random random = random_keyed(9, 9, 9);
	unsigned seen[7] = {0};
	for (int i = 0; i < 7000; i++) {
		uint32_t k = random_below(&random, 7);
		cr_assert_lt(k, 7);
		seen[k]++;
	}
	for (int i = 0; i < 7; i++)
		cr_expect(seen[i] > 850 && seen[i] < 1150, "%d: %u", i, seen[i]);
	cr_expect_eq(random_below(&random, 1), 0);
}

Test(shop_random, normal_quantiles_are_those_of_the_tables)
{
	cr_expect_lt(fabs(normal_quantile(0.5)), 1e-12);
	cr_expect_lt(fabs(normal_quantile(0.975) - 1.959963984540054), 1e-9);
	cr_expect_lt(fabs(normal_quantile(0.001) + 3.090232306167813), 1e-9);
}

Test(shop_random, binomial_normal_and_gamma_numbers_have_their_moments)
{
	enum { DRAWS = 60000 };
	struct random random = random_keyed(3, 1, 4);
	double sums[3] = {0}, squares[3] = {0}, cubes = 0.0;
	const double means[3] = {0.3 * 50, 0.0, 1.0}, variances[3] = {0.21 * 50, 1.0, 0.25};

	for (int i = 0; i < DRAWS; i++) {
		double x[3] = {(double)random_binomial(&random, 50, 0.3), random_normal(&random),
			       random_gamma(&random, 4.0)};
		cr_assert(x[0] <= 50 && x[2] > 0);
		for (int k = 0; k < 3; k++) {
			sums[k] += x[k] / DRAWS;
			squares[k] += (x[k] - means[k]) * (x[k] - means[k]) / DRAWS;
		}
		cubes += pow(x[2] - 1.0, 3) / DRAWS;
	}
	for (int k = 0; k < 3; k++) {
		cr_expect_lt(fabs(sums[k] - means[k]), 5 * sqrt(variances[k] / DRAWS));
		cr_expect_lt(fabs(squares[k] / variances[k] - 1), 5 * sqrt(3.5 / DRAWS));
	}
	/* The third moment of a gamma number of mean 1 is 2 / shape^2. */
	cr_expect_lt(fabs(cubes - 0.125), 0.02);
	cr_expect_eq(random_binomial(&random, 0, 0.5), 0);
	cr_expect_eq(random_binomial(&random, 9, 0.0), 0);
	cr_expect_eq(random_binomial(&random, 9, 1.0), 9);
}
