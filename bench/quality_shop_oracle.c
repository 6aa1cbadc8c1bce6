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
 *   binomial            g = x ln(1+d) + (n - x) ln((1 - p (1+d)) / (1 - p))       p = lambda / n
 *
 * with k = 1 / extra_sd^2. Sums are taken for counts of events that are worth the mean square of an
 * order's value by its mean, which have the same mean and variance: of sums it is a good watcher,
 * not the best. It knows holidays and campaigns too, whether others do or not. For each size a sum
 * of its own runs over the clean twin; where something of this size is planted it goes on from
 * there over the injected one, so that what was planted before costs it nothing.
 */
#include <math.h>
#include <string.h>

#include "quality_shop.h"

#define WARM_MINUTES COUNTS_DAY /* before the test; the sum forgets where it began */

struct watch {
	double size, log_change;
	double shape; /* k; 0: Poisson */
	double scale; /* of a sum, in units of the events that scatter like it */
	double worth; /* of the mean, in these units */
	const float *lambda, *visits;
};

static double watch_step(const struct watch *watch, double sum, uint32_t t, double value)
{
	double x = value * watch->scale, lambda = watch->lambda[t] * watch->worth;
	double change = x > 0.0 ? x * watch->log_change : 0.0;

	if (isnan(x))
		return sum;
	if (watch->size <= -1.0 && x > 0.0)
		return 0.0; /* where all is gone nothing can come */
	if (watch->visits) {
		double n = watch->visits[t], p = n > 0.0 ? lambda / n : 0.0;
		change += (n - x) * log1p(-p * watch->size / (1.0 - p));
	} else if (watch->shape > 0.0) {
		double q = log1p(lambda * watch->size / (watch->shape + lambda));
		change -= (x + watch->shape) * q;
	} else {
		change -= lambda * watch->size;
	}
	return fmax(0.0, sum + change);
}

uint32_t shop_size(double size)
{
	uint32_t i = 0;

	while (i + 1 < COUNTS_SIZES && counts_sizes[i] != size)
		i++;
	return i;
}

static void follow(struct shop_part *part, const struct watch *watch, double sum, size_t event,
		   const float *injected)
{
	const struct injection *injection = &part->events[event];

	for (uint32_t k = 0; k < injection->length + SHOP_AFTER; k++) {
		sum = watch_step(watch, sum, injection->onset + k, injected[injection->onset + k]);
		part->oracle_reach[event * SHOP_REACH + k] = (float)sum;
	}
}

static void run_size(struct shop_part *part, const struct shop_twins *twins, uint32_t index,
		     uint32_t size)
{
	const double extra_sd = part->spec.tier->extra_sd;
	const struct watch watch = {
		.size = counts_sizes[size],
		.log_change = log1p(counts_sizes[size]),
		.shape = extra_sd > 0.0 ? twins->unit / (extra_sd * extra_sd) : 0.0,
		.scale = 1.0 / twins->unit,
		.worth = twins->worth / twins->unit,
		.lambda = shop_row(twins->lambda, index),
		.visits = twins->visits ? shop_row(twins->visits, index) : NULL,
	};
	const uint32_t series = twins->from + index;
	const float *clean = shop_row(twins->clean, index);
	float *hour_max = part->oracle_max[size] + (size_t)series * SHOP_HOURS;
	double sum = 0.0;

	for (uint32_t t = SHOP_TEST - WARM_MINUTES; t < SHOP_MINUTES; t++) {
		if (t >= SHOP_TEST) {
			size_t event = (size_t)series * SHOP_EVENTS +
				       (t - SHOP_TEST) / SHOP_SPACING;
			if (part->events[event].onset == t &&
			    shop_size(part->events[event].size) == size)
				follow(part, &watch, sum, event, shop_row(twins->injected, index));
		}
		sum = watch_step(&watch, sum, t, clean[t]);
		if (t >= SHOP_TEST && !(shop_aside(twins, index, t) & TWINS_UNCOUNTED) &&
		    sum > hour_max[(t - SHOP_TEST) / 60])
			hour_max[(t - SHOP_TEST) / 60] = (float)sum;
	}
}

void shop_oracle(struct shop_part *part, const struct shop_twins *twins)
{
	for (uint32_t i = 0; i < twins->count; i++)
		for (uint32_t size = 0; size < COUNTS_SIZES; size++)
			run_size(part, twins, i, size);
}
