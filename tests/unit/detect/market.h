/*
 * market: a shop with countries, devices and channels, rolled up into slices as the engine does it.
 *
 *   slice 0                   total
 *   slices of roll-up 1..3    one dimension each
 *   slices of roll-up 4       country and device
 */
#ifndef TESTS_DETECT_MARKET_H
#define TESTS_DETECT_MARKET_H

#include <stdio.h>

#include "support.h"

#define MARKET_DIMENSIONS 3
#define MARKET_VALUES 6
#define MARKET_SLICES (1 + 6 + 3 + 4 + 18)

static const char *const market_names[MARKET_DIMENSIONS] = {"country", "device", "channel"};
static const char *const market_values[MARKET_DIMENSIONS][MARKET_VALUES] = {
	{"DE", "FR", "GB", "IT", "ES", "NL"},
	{"mobile", "desktop", "tablet"},
	{"organic", "paid", "email", "direct"},
};
static const double market_parts[MARKET_DIMENSIONS][MARKET_VALUES] = {
	{0.32, 0.22, 0.18, 0.13, 0.09, 0.06},
	{0.58, 0.36, 0.06},
	{0.4, 0.3, 0.1, 0.2},
};
static const uint32_t market_sizes[MARKET_DIMENSIONS] = {6, 3, 4};

struct market {
	struct shop shop;
	double rate; /* of the total, events per interval */
	/* The incident: factor for series with this value; dimension below 0: all of them. */
	int dimension;
	uint32_t value;
	double factor; /* 1: none */
};

static inline uint32_t market_slice(uint32_t dimension, uint32_t value)
{
	static const uint32_t first[] = {1, 7, 10, 14};
	return first[dimension] + value;
}

static inline void market_label(struct shop *shop, uint32_t slice, uint32_t rollup, uint32_t count,
				const uint32_t *dimension, const uint32_t *value)
{
	int used = 0;
	for (uint32_t d = 0; d < count; d++) {
		shop->names[slice][d] = market_names[dimension[d]];
		shop->values[slice][d] = market_values[dimension[d]][value[d]];
		used += snprintf(shop->labels[slice] + used,
				 sizeof(shop->labels[slice]) - (size_t)used, "%s%s=%s",
				 d ? "," : "", shop->names[slice][d], shop->values[slice][d]);
	}
	shop->slices[slice] = (struct slice){.label = shop->labels[slice],
					     .rollup = rollup,
					     .dimensions = count,
					     .names = shop->names[slice],
					     .values = shop->values[slice]};
}

static inline void market_init(struct market *market, uint64_t seed, double rate,
			       int64_t interval_ms, enum aggregation aggregation)
{
	struct shop *shop = &market->shop;

	shop_init(shop, seed, MARKET_SLICES, interval_ms, aggregation);
	market->rate = rate;
	market->dimension = -1;
	market->factor = 1;
	for (uint32_t d = 0; d < MARKET_DIMENSIONS; d++) {
		for (uint32_t v = 0; v < market_sizes[d]; v++)
			market_label(shop, market_slice(d, v), 1 + d, 1, &d, &v);
	}
	for (uint32_t pair = 0; pair < 18; pair++) {
		uint32_t dimensions[2] = {0, 1}, values[2] = {pair / 3, pair % 3};
		market_label(shop, market_slice(3, pair), 4, 2, dimensions, values);
	}
}

/* One series' events into one slice's sums. */
static inline void market_add(struct shop *shop, uint32_t slice, double events, double sum,
			      double squares)
{
	shop->events[slice] += events;
	shop->value[slice] += sum;
	shop->squares[slice] += squares;
}

/* The next interval. */
static inline void market_step(struct market *market)
{
	struct shop *shop = &market->shop;
	enum aggregation aggregation = shop->observations.aggregation;

	shop->observations.interval++;
	double now = market->rate * shop_shape(shop_hours(shop));
	for (uint32_t i = 0; i < MARKET_SLICES; i++)
		shop->events[i] = shop->value[i] = shop->squares[i] = 0;
	for (uint32_t s = 0; s < 6 * 3 * 4; s++) {
		const uint32_t value[3] = {s / 12, s / 4 % 3, s % 4};
		double mean = now, sum = 0, squares = 0;
		for (uint32_t d = 0; d < MARKET_DIMENSIONS; d++)
			mean *= market_parts[d][value[d]];
		bool hit = market->dimension < 0 || value[market->dimension] == market->value;
		double events = chance_poisson(&shop->chance, mean * (hit ? market->factor : 1));
		for (double k = 0; aggregation != AGGREGATE_COUNT && k < events; k++) {
			double one = 40 * exp(0.7 * chance_normal(&shop->chance));
			sum += one;
			squares += one * one;
		}
		if (aggregation == AGGREGATE_COUNT)
			sum = squares = events;
		market_add(shop, 0, events, sum, squares);
		for (uint32_t d = 0; d < MARKET_DIMENSIONS; d++)
			market_add(shop, market_slice(d, value[d]), events, sum, squares);
		market_add(shop, market_slice(3, value[0] * 3 + value[1]), events, sum, squares);
	}
	for (uint32_t i = 0; aggregation == AGGREGATE_MEAN && i < MARKET_SLICES; i++)
		shop->value[i] = shop->events[i] > 0 ? shop->value[i] / shop->events[i]
						     : (double)NAN;
}

#endif
