/*
 * support: a seeded shop for the detectors' tests, and a bank or a detector to feed.
 *
 * Counts are Poisson with the shape of a day (10:1 between evening and night, smooth) and of a
 * week; random numbers are splitmix64, so a test sees the same data on every machine.
 */
#ifndef TESTS_DETECT_SUPPORT_H
#define TESTS_DETECT_SUPPORT_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "detect/bank.h"
#include "detect/detector.h"

struct chance {
	uint64_t state;
};

static inline double chance_uniform(struct chance *chance)
{
	uint64_t z = chance->state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	z ^= z >> 31;
	return ((double)(z >> 11) + 0.5) / 9007199254740992.0;
}

static inline double chance_normal(struct chance *chance)
{
	double radius = sqrt(-2 * log(chance_uniform(chance)));
	return radius * cos(6.283185307179586 * chance_uniform(chance));
}

/* Exact: by multiplication for small means, Hörmann's PTRS (1993) for others. */
static inline double chance_poisson(struct chance *chance, double mean)
{
	if (mean < 30) {
		double limit = exp(-mean), product = chance_uniform(chance);
		int count = 0;
		for (; product > limit; count++)
			product *= chance_uniform(chance);
		return count;
	}
	double b = 0.931 + 2.53 * sqrt(mean), a = -0.059 + 0.02483 * b;
	double inverse = 1.1239 + 1.1328 / (b - 3.4), accept = 0.9277 - 3.6224 / (b - 2);
	for (;;) {
		double u = chance_uniform(chance) - 0.5, v = chance_uniform(chance);
		double us = 0.5 - fabs(u), k = floor((2 * a / us + b) * u + mean + 0.43);
		if (us >= 0.07 && v <= accept)
			return k;
		if (k < 0 || (us < 0.013 && v > us))
			continue;
		if (log(v * inverse / (a / (us * us) + b)) <= k * log(mean) - mean - lgamma(k + 1))
			return k;
	}
}

/* Rate at a time, relative to its mean over the week. */
static inline double shop_shape(double hours)
{
	static const double days[7] = {1.04, 1.0, 1.03, 0.97, 0.93, 0.94, 1.09};
	double of_day = fmod(hours, 24), noon = of_day - 13.5;
	double evening = of_day < 8.7 ? of_day + 3.3 : of_day - 20.7;
	double day = 0.11 + exp(-noon * noon / 18) + 1.1 * exp(-evening * evening / 8);
	/* Days blend into each other between 22 and 2 o'clock. */
	double later = fmod(hours + 2, 168), part = fmod(later, 24) / 4;
	int today = (int)(later / 24);
	double blend = part < 1 ? days[(today + 6) % 7] * (1 - part) + days[today] * part
				: days[today];
	return day * blend / 0.6466;
}

/* Arrays of one observation; single-dimension labels are for diagnosis. */
#define SHOP_SLICES_MAX 256

struct shop {
	struct chance chance;
	double value[SHOP_SLICES_MAX], events[SHOP_SLICES_MAX], squares[SHOP_SLICES_MAX];
	struct slice slices[SHOP_SLICES_MAX];
	char labels[SHOP_SLICES_MAX][64];
	const char *names[SHOP_SLICES_MAX][2], *values[SHOP_SLICES_MAX][2];
	struct observations observations;
};

static inline void shop_init(struct shop *shop, uint64_t seed, uint32_t slices, int64_t interval_ms,
			     enum aggregation aggregation)
{
	memset(shop, 0, sizeof(*shop));
	shop->chance.state = seed;
	for (uint32_t i = 0; i < SHOP_SLICES_MAX; i++)
		shop->slices[i].label = shop->labels[i];
	shop->observations = (struct observations){
		.metric = "orders",
		.source = "live",
		.aggregation = aggregation,
		.interval = -1,
		.interval_ms = interval_ms,
		.count = slices,
		.value = shop->value,
		.events = shop->events,
		.sum_squares = shop->squares,
		.slices = shop->slices,
	};
}

/* Hours since the shop's beginning of the middle of the current interval, by the shop's clock. */
static inline double shop_hours(const struct shop *shop)
{
	const struct observations *now = &shop->observations;
	return ((double)now->interval + 0.5) * (double)now->interval_ms / 3600000.0 +
	       (double)now->offset_ms / 3600000.0;
}

/* Draw slice i's interval: a count of mean `mean`, or that many lognormal values. */
static inline void shop_draw(struct shop *shop, uint32_t i, double mean)
{
	double events = chance_poisson(&shop->chance, mean), sum = 0, squares = 0;

	shop->events[i] = events;
	if (shop->observations.aggregation == AGGREGATE_COUNT) {
		shop->value[i] = shop->squares[i] = events;
		return;
	}
	for (double k = 0; k < events; k++) {
		double value = 40 * exp(0.7 * chance_normal(&shop->chance));
		sum += value;
		squares += value * value;
	}
	bool total = shop->observations.aggregation == AGGREGATE_SUM;
	shop->value[i] = total ? sum : events > 0 ? sum / events : (double)NAN;
	shop->squares[i] = squares;
}

/* A detector alone, without a bank: all slices learn unless told otherwise. */
struct probe {
	const struct detector_ops *ops;
	struct detector_spec spec;
	void *state;
	uint32_t capacity;
	uint8_t learn[SHOP_SLICES_MAX];
	double expected[SHOP_SLICES_MAX], lower[SHOP_SLICES_MAX], upper[SHOP_SLICES_MAX];
	double log10_p[SHOP_SLICES_MAX], severity[SHOP_SLICES_MAX], onset[SHOP_SLICES_MAX];
	int8_t direction[SHOP_SLICES_MAX];
	struct verdicts verdicts;
};

static inline void probe_init(struct probe *probe, const struct detector_ops *ops,
			      const struct detector_spec *spec, uint32_t capacity)
{
	memset(probe, 0, sizeof(*probe));
	probe->ops = ops;
	probe->spec = *spec;
	probe->capacity = capacity;
	probe->state = aligned_alloc(64, (ops->bytes(spec, capacity) + 63) & ~(size_t)63);
	ops->init(probe->state, spec, capacity);
	memset(probe->learn, 1, sizeof(probe->learn));
	probe->verdicts = (struct verdicts){probe->expected, probe->lower,     probe->upper,
					    probe->log10_p,  probe->direction, probe->severity,
					    probe->onset};
}

static inline void probe_step(struct probe *probe, const struct shop *shop)
{
	probe->ops->step(probe->state, &probe->spec, probe->capacity, &shop->observations,
			 probe->learn, &probe->verdicts);
}

static inline void probe_fini(struct probe *probe)
{
	free(probe->state);
}

/* The revisions that a bank speaks. */
#define HEARD_MAX 512

struct heard {
	uint32_t count;
	struct anomaly anomaly[HEARD_MAX];
};

static inline void heard_each(void *self, const struct anomaly *anomaly)
{
	struct heard *heard = self;
	if (heard->count < HEARD_MAX)
		heard->anomaly[heard->count++] = *anomaly;
}

#endif
