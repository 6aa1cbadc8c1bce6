/*
 * quality_shop_twins: the clean and the injected twin of a few series, of each kind of metric.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quality_shop.h"

#define SERIES_BYTES (SHOP_MINUTES * sizeof(float))
#define ARRAYS 4

static void make_series(struct shop_twins *twins, uint32_t index)
{
	struct counts_spec spec = twins->spec;
	float *clean = shop_row(twins->clean, index), *lambda = shop_row(twins->lambda, index);

	spec.series = twins->from + index;
	if (twins->kind == SHOP_CONVERSION)
		counts_make_conversion(&spec, lambda, clean, shop_row(twins->visits, index));
	else
		counts_make(&spec, lambda, clean);
	if (twins->kind == SHOP_REVENUE) {
		memcpy(shop_row(twins->orders, index), clean, SERIES_BYTES);
		counts_price(&spec, twins->prices, 0, SHOP_MINUTES, clean);
	}
	memcpy(shop_row(twins->injected, index), clean, SERIES_BYTES);
}

/* An unknown happening is an anomaly, and what comes soon after it may be told as one still. Who
 * has it in a calendar has no such excuse. */
static void set_aside(struct shop_twins *twins, uint32_t index)
{
	struct happening happenings[COUNTS_HAPPENINGS_MAX];
	struct counts_spec spec = twins->spec;
	const bool known = spec.tier->known;
	uint8_t *aside = twins->aside + (size_t)index * SHOP_MINUTES;

	spec.series = twins->from + index;
	uint32_t count = counts_happenings(&spec, happenings);
	for (uint32_t i = 0; i < count; i++) {
		const struct happening *happening = &happenings[i];
		uint32_t end = happening->start + happening->length;
		uint32_t until = known ? end : end + happening->after;
		for (uint32_t t = happening->start; t < until && t < SHOP_MINUTES; t++)
			aside[t] = known ? TWINS_UNCOUNTED | TWINS_EXCLUDED : TWINS_UNCOUNTED;
	}
}

int shop_twins_make(struct shop_twins *twins, enum shop_kind kind, const struct counts_spec *spec,
		    uint32_t from, uint32_t count)
{
	const size_t minutes = (size_t)count * SHOP_MINUTES;

	*twins = (struct shop_twins){
		.kind = kind, .spec = *spec, .from = from, .count = count, .worth = 1, .unit = 1};
	twins->lambda = malloc(ARRAYS * minutes * sizeof(float));
	twins->prices = malloc(sizeof(*twins->prices));
	twins->aside = calloc(minutes, sizeof(*twins->aside));
	if (!twins->lambda || !twins->prices || !twins->aside)
		return -ENOMEM;
	twins->clean = twins->lambda + minutes;
	twins->injected = twins->clean + minutes;
	twins->visits = kind == SHOP_CONVERSION ? twins->injected + minutes : NULL;
	twins->orders = kind == SHOP_REVENUE ? twins->injected + minutes : NULL;
	if (kind == SHOP_REVENUE) {
		/* A sum of orders whose values have mean m and mean square s has the mean and the
		 * variance of a Poisson count of events that are worth s / m each. */
		double square;
		market_prices_init(twins->prices);
		counts_price_moments(twins->prices, &twins->worth, &square);
		twins->unit = square / twins->worth;
	}
	for (uint32_t i = 0; i < count; i++) {
		make_series(twins, i);
		set_aside(twins, i);
	}
	return 0;
}

void shop_twins_free(struct shop_twins *twins)
{
	free(twins->lambda);
	free(twins->prices);
	free(twins->aside);
	memset(twins, 0, sizeof(*twins));
}

void shop_plant(struct shop_twins *twins, uint32_t index, const struct injection *injection)
{
	struct counts_spec spec = twins->spec;
	const float *lambda = shop_row(twins->lambda, index);
	float *injected = shop_row(twins->injected, index);
	uint32_t end = injection->onset + injection->length;

	spec.series = twins->from + index;
	if (twins->kind != SHOP_REVENUE) {
		counts_inject(&spec, injection, lambda, injected);
		return;
	}
	float *orders = shop_row(twins->orders, index);
	counts_inject(&spec, injection, lambda, orders);
	for (uint32_t t = injection->onset; t < end && t < SHOP_MINUTES; t++)
		injected[t] = orders[t];
	counts_price(&spec, twins->prices, injection->onset, end, injected);
}

double shop_value(const struct shop_twins *twins, uint32_t index, uint32_t minute, double value)
{
	if (shop_aside(twins, index, minute) & TWINS_EXCLUDED)
		return (double)NAN;
	return twins->visits ? value / shop_row(twins->visits, index)[minute] : value;
}
