/*
 * random: numbers that depend on a key only, so that any worker can draw any part of the traffic.
 */
#include "random.h"

#include <math.h>

uint32_t random_below(struct random *random, uint32_t bound)
{
	/* Multiply and shift; the bias, bound / 2^32, is far below anything a shop can show. */
	return (uint32_t)((random_next(random) >> 32) * bound >> 32);
}

/* Inversion by sequential search: one exp, and about `mean` steps. */
static uint64_t poisson_small(struct random *random, double mean)
{
	double u = random_unit(random);
	double p = exp(-mean);
	uint64_t k = 0;
	/* The bound is far out in the tail; rounding of the sum cannot make the loop endless. */
	while (u > p && k < 200) {
		u -= p;
		k++;
		p *= mean / (double)k;
	}
	return k;
}

/* Transformed rejection with squeeze, PTRS: W. Hoermann, "The transformed rejection method for
 * generating Poisson random variables", Insurance: Mathematics and Economics 12 (1993). */
static uint64_t poisson_large(struct random *random, double mean)
{
	const double b = 0.931 + 2.53 * sqrt(mean);
	const double a = -0.059 + 0.02483 * b;
	const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
	const double vr = 0.9277 - 3.6224 / (b - 2.0);
	const double log_mean = log(mean);

	for (;;) {
		double u = random_unit(random) - 0.5;
		double v = random_unit(random);
		double us = 0.5 - fabs(u);
		double k = floor((2.0 * a / us + b) * u + mean + 0.43);
		if (us >= 0.07 && v <= vr)
			return (uint64_t)k;
		if (k < 0.0 || (us < 0.013 && v > us))
			continue;
		int sign;
		if (log(v) + log(inverse_alpha) - log(a / (us * us) + b) <=
		    k * log_mean - mean - lgamma_r(k + 1.0, &sign))
			return (uint64_t)k;
	}
}

uint64_t random_poisson(struct random *random, double mean)
{
	if (!(mean > 0.0))
		return 0;
	return mean < 10.0 ? poisson_small(random, mean) : poisson_large(random, mean);
}

uint64_t random_binomial(struct random *random, uint64_t n, double p)
{
	uint64_t happened = 0;
	for (uint64_t i = 0; i < n; i++)
		happened += random_unit(random) < p;
	return happened;
}

/* The polar method (Marsaglia, Bray 1964); the second of each pair is not kept, so that a stream's
 * state is one number. */
double random_normal(struct random *random)
{
	for (;;) {
		double x = 2.0 * random_unit(random) - 1.0;
		double y = 2.0 * random_unit(random) - 1.0;
		double square = x * x + y * y;
		if (square < 1.0 && square > 0.0)
			return x * sqrt(-2.0 * log(square) / square);
	}
}

/* G. Marsaglia, W. W. Tsang, "A simple method for generating gamma variables", ACM TOMS 26 (2000).
 */
double random_gamma(struct random *random, double shape)
{
	const double d = shape - 1.0 / 3.0, c = 1.0 / sqrt(9.0 * d);

	for (;;) {
		double x = random_normal(random);
		double v = 1.0 + c * x;
		if (v <= 0.0)
			continue;
		v = v * v * v;
		if (log(random_unit(random)) < 0.5 * x * x + d - d * v + d * log(v))
			return d * v / shape;
	}
}

/* Bisection on erfc: slow, exact to the last bits, and used for tables only. */
double normal_quantile(double p)
{
	double low = -40.0, high = 40.0;
	for (int i = 0; i < 100; i++) {
		double middle = 0.5 * (low + high);
		if (0.5 * erfc(-middle * M_SQRT1_2) < p)
			low = middle;
		else
			high = middle;
	}
	return 0.5 * (low + high);
}
