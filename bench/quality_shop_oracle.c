/*
 * quality_shop_oracle: who knows the mean of every minute and the size of what is planted.
 *
 * Idea:  CUSUM (E. S. Page, "Continuous inspection schemes", Biometrika 41, 1954): the sum of the
 *        log-likelihood ratios between "changed by this size" and "not", never below 0. No other
 *        procedure with the same time between false alarms finds the change sooner in the worst
 *        case (G. Moustakides, "Optimal stopping times for detecting changes in distributions",
 *        Annals of Statistics 14, 1986). Nobody knows the mean that well: it is the limit.
 *
 *   Poisson             g = x ln(1+d) - lambda d
 *   negative binomial   g = x (ln(1+d) - q) - k q    q = ln((k + lambda (1+d)) / (k + lambda))
 *
 * with k = 1 / extra_sd^2. For each size a sum of its own runs over the clean twin; where something
 * of this size is planted it goes on from there over the injected one, so that what was planted
 * before costs it nothing.
 */
#include <math.h>
#include <string.h>

#include "quality_shop.h"

#define WARM_MINUTES COUNTS_DAY /* before the test; the sum forgets where it began */

struct ratio {
	double size, log_change;
	double shape; /* k; 0: Poisson */
};

static double ratio_step(const struct ratio *ratio, double sum, double x, double lambda)
{
	double gain;

	if (isnan(x))
		return sum;
	if (ratio->size <= -1.0 && x > 0.0)
		return 0.0; /* where all is gone nothing can come */
	if (ratio->shape > 0.0) {
		double q = log1p(lambda * ratio->size / (ratio->shape + lambda));
		gain = (x > 0.0 ? x * (ratio->log_change - q) : 0.0) - ratio->shape * q;
	} else {
		gain = (x > 0.0 ? x * ratio->log_change : 0.0) - lambda * ratio->size;
	}
	return fmax(0.0, sum + gain);
}

uint32_t shop_size(double size)
{
	uint32_t i = 0;

	while (i + 1 < COUNTS_SIZES && counts_sizes[i] != size)
		i++;
	return i;
}

static void follow(struct shop_part *part, const struct ratio *ratio, double sum, size_t event,
		   const float *lambda, const float *injected)
{
	const struct injection *injection = &part->events[event];

	for (uint32_t k = 0; k < injection->length + SHOP_AFTER; k++) {
		uint32_t t = injection->onset + k;
		sum = ratio_step(ratio, sum, injected[t], lambda[t]);
		part->oracle_reach[event * SHOP_REACH + k] = (float)sum;
	}
}

static void run_size(struct shop_part *part, const struct shop_twins *twins, uint32_t index,
		     uint32_t size)
{
	const double extra_sd = part->spec.tier->extra_sd;
	const struct ratio ratio = {.size = counts_sizes[size],
				    .log_change = log1p(counts_sizes[size]),
				    .shape = extra_sd > 0.0 ? 1.0 / (extra_sd * extra_sd) : 0.0};
	const uint32_t series = twins->from + index;
	const float *lambda = twins->lambda + (size_t)index * SHOP_MINUTES;
	const float *clean = twins->clean + (size_t)index * SHOP_MINUTES;
	const float *injected = twins->injected + (size_t)index * SHOP_MINUTES;
	float *hour_max = part->oracle_max[size] + (size_t)series * SHOP_HOURS;
	double sum = 0.0;

	for (uint32_t t = SHOP_TEST - WARM_MINUTES; t < SHOP_MINUTES; t++) {
		if (t >= SHOP_TEST) {
			size_t event = (size_t)series * SHOP_EVENTS + (t - SHOP_TEST) / SHOP_SPACING;
			if (part->events[event].onset == t &&
			    shop_size(part->events[event].size) == size)
				follow(part, &ratio, sum, event, lambda, injected);
		}
		sum = ratio_step(&ratio, sum, clean[t], lambda[t]);
		if (t >= SHOP_TEST && sum > hour_max[(t - SHOP_TEST) / 60])
			hour_max[(t - SHOP_TEST) / 60] = (float)sum;
	}
}

void shop_oracle(struct shop_part *part, const struct shop_twins *twins)
{
	for (uint32_t i = 0; i < twins->count; i++)
		for (uint32_t size = 0; size < COUNTS_SIZES; size++)
			run_size(part, twins, i, size);
}
