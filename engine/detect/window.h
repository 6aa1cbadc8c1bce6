/*
 * window: mean and k standard deviations of some values of the past: what is the same, whichever
 * values these are.
 *
 *   window.c        the last ones
 *   window_year.c   those around the same time a year before
 */
#ifndef DETECT_WINDOW_H
#define DETECT_WINDOW_H

#include <math.h>
#include <stdbool.h>

#include "detect/detector.h"
#include "detect/math.h"
#include "detect/values.h"

/* Deviations beyond which a value is learned as if it were there (k, if that is more). */
#define WINDOW_CLIP 5.0

struct window_fit {
	double n, mean, variance;
	double squares; /* per value: its events' values squared; of ratios their denominator */
	bool lumps;     /* count or sum: Poisson is the least variance */
	double step;
};

static inline struct window_fit window_fit(const struct observations *observations, double n,
					   double mean, double deviation, double squares)
{
	struct window_fit fit = {.n = n, .mean = mean, .step = 1};
	fit.variance = deviation / math_max(n - 1, 1);
	switch (observations->aggregation) {
	case AGGREGATE_COUNT:
	case AGGREGATE_DISTINCT:
		/* Half an event more than was seen: an empty window is not proof of a zero rate. */
		fit.lumps = true;
		fit.variance = math_max(fit.variance, mean + 0.5 / n);
		break;
	case AGGREGATE_SUM:
		fit.lumps = mean > 0;
		fit.variance = math_max(fit.variance, squares);
		fit.step = mean > 0 ? squares / mean : 0;
		break;
	default:
		/* Constant so far: a hundredth of the mean is no deviation. */
		fit.variance = math_max(fit.variance, 1e-4 * mean * mean);
		break;
	}
	fit.variance = math_max(fit.variance, 1e-300);
	return fit;
}

/* What is told and compared where the calendar expects `times` the usual: values are learned over
 * that. */
static inline void window_expect(struct window_fit *fit, double times)
{
	fit->mean *= times;
	/* Chance grows with the mean, what else scatters with its square. */
	fit->variance *= fit->lumps && times < 1 ? times : times * times;
}

static inline double window_squares(const struct observations *observations, uint32_t i)
{
	return observations->aggregation == AGGREGATE_RATIO ? value_weight(observations, i)
							    : observations->sum_squares[i];
}

/* A share of `weight` tosses is no surer than so many tosses are, and as lopsided as they: the
 * rarer outcome is a Poisson number of lumps. Half a hit more than was seen, and half a miss. */
static inline double window_toss_score(const struct window_fit *fit, double value, double weight)
{
	double tosses = fit->n * math_max(fit->squares, 1);
	double share = (fit->mean * tosses + 0.5) / (tosses + 1);
	bool mirror = share > 0.5;
	double p = mirror ? 1 - share : share, x = mirror ? 1 - value : value;
	double one = p * (1 - p);
	double total = math_max(fit->variance, one / weight) +
		       math_max(fit->variance / fit->n, one / tosses);
	double z = math_poisson_score(x * weight, p * weight, math_min(1, weight),
				      total * weight / p);
	return mirror ? -z : z;
}

static inline void window_score(const struct window_fit *fit, const struct detector_spec *spec,
				const struct observations *observations, double value, uint32_t i,
				struct verdicts *verdicts)
{
	double spread = spec->k * sqrt(fit->variance);
	/* The next value's variance includes that of the mean. */
	double variance = fit->variance * (1 + 1 / fit->n);
	double z = (value - fit->mean) / sqrt(variance);
	bool tosses = observations->aggregation == AGGREGATE_RATIO && fit->mean >= 0 &&
		      fit->mean <= 1 && value >= 0 && value <= 1 &&
		      value_weight(observations, i) > 0;
	if (fit->lumps && value >= 0) {
		double mean = fit->mean + 0.5 * fit->step / fit->n;
		double scale = math_max(variance / mean, fit->step);
		z = math_poisson_score(value, mean, fit->step, scale);
	}
	if (tosses)
		z = window_toss_score(fit, value, value_weight(observations, i));
	z = math_student_score(z, fit->n - 1);
	verdicts->expected[i] = fit->mean;
	verdicts->lower[i] = fit->lumps ? math_max(fit->mean - spread, 0) : fit->mean - spread;
	verdicts->upper[i] = fit->mean + spread;
	verdicts->log10_p[i] = math_clamp(math_log10_tail(z), -300.0, -1e-12);
	verdicts->direction[i] = value < fit->mean ? -1 : 1;
}

/* What a value far outside teaches: as much as the edge of a wide band. */
static inline double window_clipped(const struct window_fit *fit, const struct detector_spec *spec,
				    double value)
{
	double reach = math_max(spec->k, WINDOW_CLIP) * sqrt(fit->variance);
	return math_clamp(value, fit->mean - reach, fit->mean + reach);
}

#endif
