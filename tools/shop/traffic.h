/*
 * traffic: the shop's events, any series in any step on its own.
 *
 * Idea:  a step (a minute, or the interval if that is shorter) of a series holds a Poisson number
 *        of events at uniform times, drawn from a random stream keyed by (seed, step, series). So
 *        the traffic does not depend on who draws it, or in which order. The incident thins the
 *        events it touches with a stream of its own: everything else is the same without it.
 *        Bounces are visits, drawn once more and thinned: there are never more of them.
 * Never: looks at a clock, or knows weir's series ids.
 */
#ifndef SHOP_TRAFFIC_H
#define SHOP_TRAFFIC_H

#include <stddef.h>
#include <stdint.h>

#include "incident.h"
#include "market.h"
#include "season.h"
#include "weir/weir.h"

struct traffic {
	uint64_t seed;
	uint64_t step_ms;
	const struct incident *incident; /* NULL: none */
	struct season season;
	struct market_prices prices;
	double step_mean[MARKET_SERIES]; /* events per step at season factor 1 */
	double step_mean_sum;
};

struct traffic_buffer {
	struct weir_sample *samples; /* .series is the market's number */
	size_t used, capacity;
};

/* page_views_min: mean over a week. step_ms divides a minute. */
void traffic_init(struct traffic *traffic, uint64_t seed, double page_views_min, uint64_t step_ms);
/* Append the events of a series in the step that begins at step * step_ms, in no order.
 * 0; -ENOMEM. */
int traffic_step(const struct traffic *traffic, uint64_t step, uint32_t series,
		 struct traffic_buffer *buffer);
/* Order by time; ties by series and then value, so that the order is one. */
void traffic_sort(struct traffic_buffer *buffer);
/* The season's factor in the middle of a step. */
double traffic_factor(const struct traffic *traffic, uint64_t step);

#endif
