/* market, incident and traffic: rates that add up, the same events whoever draws them, and an
 * incident that takes away what it says and nothing else. */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "incident.h"
#include "traffic.h"

#define MINUTE_MS UINT64_C(60000)
#define MONDAY_MS UINT64_C(1780272000000)
#define DAY_MS UINT64_C(86400000)

static struct traffic traffic;

static double sum_ratio(enum market_event event, uint32_t dimension, uint32_t value)
{
	double sum = 0.0;
	for (uint32_t i = 0; i < MARKET_SERIES; i++)
		if (market_series_event(i) == event &&
		    (dimension == MARKET_DIMENSIONS || market_series_value(i, dimension) == value))
			sum += market_series_ratio(i);
	return sum;
}

Test(shop_market, the_funnel_holds_for_the_shop_as_a_whole)
{
	for (int event = 0; event < MARKET_EVENTS; event++)
		cr_expect_lt(fabs(sum_ratio((enum market_event)event, MARKET_DIMENSIONS, 0) -
				  market_event_ratio((enum market_event)event)),
			     1e-12);
}

Test(shop_market, a_value_gets_its_share_of_page_views)
{
	for (uint32_t d = 0; d < MARKET_DIMENSIONS; d++)
		for (uint32_t v = 0; v < market_dimensions[d].count; v++)
			cr_expect_lt(fabs(sum_ratio(MARKET_PAGE_VIEW, d, v) -
					  market_dimensions[d].values[v].share),
				     1e-12);
}

Test(shop_market, a_channel_has_its_own_bounce_rate)
{
	const uint32_t cpc = 1, branded = 2; /* as in market.c */
	cr_assert_str_eq(market_dimensions[2].values[cpc].name, WEIR_CHANNEL_CPC);
	cr_assert_str_eq(market_dimensions[2].values[branded].name, WEIR_CHANNEL_ORGANIC_BRANDED);
	double rates[] = {
		sum_ratio(MARKET_BOUNCE, 2, cpc) / sum_ratio(MARKET_SESSION_START, 2, cpc),
		sum_ratio(MARKET_BOUNCE, 2, branded) / sum_ratio(MARKET_SESSION_START, 2, branded),
	};
	cr_expect(rates[0] > 0.4 && rates[0] < 0.6, "%g", rates[0]);
	cr_expect(rates[1] > 0.2 && rates[1] < 0.4, "%g", rates[1]);
	for (uint32_t i = 0; i < MARKET_CELLS; i++) /* fewer bounces than visits everywhere */
		cr_assert_lt(market_series_ratio(MARKET_BOUNCE * MARKET_CELLS + i),
			     market_series_ratio(MARKET_SESSION_START * MARKET_CELLS + i));
}

Test(shop_market, each_series_has_its_own_event_and_values)
{
	static bool seen[MARKET_EVENTS][6][3][7];
	for (uint32_t i = 0; i < MARKET_SERIES; i++) {
		bool *one = &seen[market_series_event(i)][market_series_value(i, 0)]
				 [market_series_value(i, 1)][market_series_value(i, 2)];
		cr_assert_not(*one);
		*one = true;
	}
}

Test(shop_market, prices_grow_with_the_quantile_and_refunds_are_negative)
{
	static struct market_prices prices;
	market_prices_init(&prices);
	const int32_t *purchase = prices.cents[MARKET_PURCHASE];
	for (int i = 1; i < MARKET_PRICES; i++)
		cr_assert_geq(purchase[i], purchase[i - 1]);
	cr_expect(abs(purchase[MARKET_PRICES / 2] - 5800) < 5);
	for (int i = 0; i < MARKET_PRICES; i++) {
		cr_assert_gt(purchase[i], 0);
		cr_assert_lt(prices.cents[MARKET_REFUND][i], 0);
		cr_assert_eq(prices.cents[MARKET_PAGE_VIEW][i], 100);
	}
}

Test(shop_incident, every_seed_gets_one_that_shows_between_nine_and_nine)
{
	struct incident_when when = {.day_ms = MONDAY_MS + 15 * DAY_MS,
				     .interval_ms = MINUTE_MS,
				     .length_ms = 20 * MINUTE_MS};
	bool dimensions[MARKET_DIMENSIONS] = {0};
	for (uint64_t seed = 0; seed < 300; seed++) {
		struct incident incident;
		season_init(&traffic.season, seed);
		cr_assert_eq(incident_plan(&traffic.season, 2400.0, seed, &when, &incident), 0);
		uint64_t second = (incident.onset_ms - when.day_ms) / 1000;
		cr_assert(second >= 9 * 3600 && second < 21 * 3600);
		cr_assert_eq(incident.end_ms - incident.onset_ms, when.length_ms);
		cr_assert(incident.size <= -0.25 && incident.size >= -0.40);
		cr_assert_geq(incident.expected, INCIDENT_EVENTS_MIN);
		cr_assert_geq(-incident.size * sqrt(incident.expected), INCIDENT_DEPTH_MIN);
		dimensions[incident.dimension] = true;
	}
	for (int d = 0; d < MARKET_DIMENSIONS; d++)
		cr_expect(dimensions[d], "no incident in %s", market_dimensions[d].name);
}

Test(shop_incident, a_shop_that_is_too_small_is_told_so)
{
	struct incident_when when = {
		.day_ms = MONDAY_MS, .interval_ms = MINUTE_MS, .length_ms = 20 * MINUTE_MS};
	struct incident incident;
	season_init(&traffic.season, 1);
	cr_expect_eq(incident_plan(&traffic.season, 10.0, 1, &when, &incident), -ERANGE);
	cr_expect(incident.expected > 0.0 && incident.expected < 300.0);
}

Test(shop_incident, it_touches_its_step_of_the_funnel_and_those_after_it_in_its_slice_only)
{
	struct incident incident = {.event = MARKET_ADD_TO_CART, .dimension = 1, .value = 2};
	for (uint32_t i = 0; i < MARKET_SERIES; i++) {
		enum market_event event = market_series_event(i);
		bool expected = market_series_value(i, 1) == 2 &&
				(event == MARKET_ADD_TO_CART || event == MARKET_BEGIN_CHECKOUT ||
				 event == MARKET_PURCHASE);
		cr_assert_eq(!!incident_touches(&incident, i), expected);
	}
}

Test(shop_incident, visitors_who_stay_away_neither_visit_nor_bounce_nor_search)
{
	struct incident traffic_falls = {.event = MARKET_PAGE_VIEW};
	struct incident cart_breaks = {.event = MARKET_ADD_TO_CART};
	const enum market_event visits[] = {MARKET_SESSION_START, MARKET_BOUNCE, MARKET_SEARCH};
	for (size_t i = 0; i < sizeof(visits) / sizeof(visits[0]); i++) {
		cr_expect(incident_hits(&traffic_falls, visits[i]));
		cr_expect_not(incident_hits(&cart_breaks, visits[i]));
	}
	cr_expect_not(incident_hits(&traffic_falls, MARKET_REFUND));
}

/* All events of some steps, drawn by `workers` in turn. */
static void draw(struct traffic_buffer *buffer, uint64_t from_ms, uint32_t steps, uint32_t workers)
{
	memset(buffer, 0, sizeof(*buffer));
	for (uint32_t worker = 0; worker < workers; worker++)
		for (uint32_t step = 0; step < steps; step++)
			for (uint32_t i = worker; i < MARKET_SERIES; i += workers)
				cr_assert_eq(traffic_step(&traffic,
							  from_ms / traffic.step_ms + step, i,
							  buffer),
					     0);
	traffic_sort(buffer);
}

static bool same_sample(const struct weir_sample *a, const struct weir_sample *b)
{
	return a->time_ms == b->time_ms && a->series == b->series && a->value == b->value;
}

Test(shop_traffic, the_events_are_the_same_whoever_draws_them)
{
	struct traffic_buffer one, seven;
	traffic_init(&traffic, 11, 2400.0, MINUTE_MS);
	draw(&one, MONDAY_MS + 12 * 60 * MINUTE_MS, 10, 1);
	draw(&seven, MONDAY_MS + 12 * 60 * MINUTE_MS, 10, 7);
	cr_assert_eq(one.used, seven.used);
	cr_assert_gt(one.used, 10000);
	for (size_t i = 0; i < one.used; i++)
		cr_assert(same_sample(&one.samples[i], &seven.samples[i]));
	free(one.samples);
	free(seven.samples);
}

Test(shop_traffic, times_lie_within_the_step_and_are_spread_evenly)
{
	struct traffic_buffer buffer;
	traffic_init(&traffic, 12, 60000.0, MINUTE_MS);
	draw(&buffer, MONDAY_MS + 15 * 60 * MINUTE_MS, 1, 1);
	unsigned tenths[10] = {0};
	for (size_t i = 0; i < buffer.used; i++) {
		uint64_t offset = buffer.samples[i].time_ms - MONDAY_MS - 15 * 60 * MINUTE_MS;
		cr_assert_lt(offset, MINUTE_MS);
		tenths[offset * 10 / MINUTE_MS]++;
	}
	for (int i = 0; i < 10; i++)
		cr_expect_lt(fabs(tenths[i] - buffer.used / 10.0), 5.0 * sqrt(buffer.used / 10.0));
	free(buffer.samples);
}

Test(shop_traffic, a_day_has_as_many_events_as_its_rates_say)
{
	struct traffic_buffer buffer = {0};
	double expected[MARKET_EVENTS] = {0}, counted[MARKET_EVENTS] = {0};
	traffic_init(&traffic, 13, 300.0, MINUTE_MS);
	for (uint64_t step = MONDAY_MS / MINUTE_MS; step < (MONDAY_MS + DAY_MS) / MINUTE_MS;
	     step++) {
		for (uint32_t i = 0; i < MARKET_SERIES; i++) {
			buffer.used = 0;
			cr_assert_eq(traffic_step(&traffic, step, i, &buffer), 0);
			counted[market_series_event(i)] += (double)buffer.used;
			expected[market_series_event(i)] += traffic.step_mean[i] *
							    traffic_factor(&traffic, step);
		}
	}
	for (int event = 0; event < MARKET_EVENTS; event++)
		cr_expect_lt(fabs(counted[event] - expected[event]), 5.0 * sqrt(expected[event]),
			     "%s: %g of %g", market_event_name((enum market_event)event),
			     counted[event], expected[event]);
	free(buffer.samples);
}

Test(shop_traffic, every_bounce_is_a_visit)
{
	const uint64_t from_ms = MONDAY_MS + 15 * 60 * MINUTE_MS;
	struct incident incident = {.event = MARKET_PAGE_VIEW,
				    .size = -0.4,
				    .onset_ms = from_ms + MINUTE_MS / 2,
				    .end_ms = from_ms + 5 * MINUTE_MS};
	struct traffic_buffer buffer;
	size_t visits = 0, bounces = 0;
	traffic_init(&traffic, 15, 24000.0, MINUTE_MS);
	traffic.incident = &incident;
	draw(&buffer, from_ms, 3, 1);
	for (size_t i = 0; i < buffer.used; i++) {
		const struct weir_sample *one = &buffer.samples[i];
		visits += market_series_event((uint32_t)one->series) == MARKET_SESSION_START;
		if (market_series_event((uint32_t)one->series) != MARKET_BOUNCE)
			continue;
		bounces++;
		bool found = false;
		for (size_t j = i; !found && buffer.samples[j].time_ms == one->time_ms; j--) {
			found = buffer.samples[j].series == one->series - MARKET_CELLS;
			if (j == 0)
				break;
		}
		cr_assert(found, "a bounce without a visit");
	}
	cr_expect(bounces > visits / 3 && bounces < visits / 2, "%zu of %zu", bounces, visits);
	free(buffer.samples);
}

Test(shop_traffic, the_incident_takes_its_share_there_and_leaves_everything_else_alone)
{
	const uint64_t from_ms = MONDAY_MS + 18 * 60 * MINUTE_MS;
	struct incident incident = {.event = MARKET_VIEW_ITEM,
				    .dimension = 0,
				    .value = 1,
				    .size = -0.3,
				    .onset_ms = from_ms + 5 * MINUTE_MS + 12345,
				    .end_ms = from_ms + 25 * MINUTE_MS + 12345};
	struct traffic_buffer clean, hit;
	traffic_init(&traffic, 14, 24000.0, MINUTE_MS);
	draw(&clean, from_ms, 30, 1);
	traffic.incident = &incident;
	draw(&hit, from_ms, 30, 1);
	size_t touched = 0, taken = 0, j = 0;
	for (size_t i = 0; i < clean.used; i++) {
		const struct weir_sample *sample = &clean.samples[i];
		bool within = incident_touches(&incident, (uint32_t)sample->series) &&
			      sample->time_ms >= incident.onset_ms &&
			      sample->time_ms < incident.end_ms;
		touched += within;
		if (j < hit.used && same_sample(sample, &hit.samples[j]))
			j++;
		else if (within)
			taken++;
		else
			cr_assert_fail("an event outside the incident is missing");
	}
	cr_assert_eq(j, hit.used);
	cr_assert_gt(touched, 20000);
	cr_expect_lt(fabs((double)taken - 0.3 * (double)touched),
		     5.0 * sqrt(0.21 * (double)touched));
	free(clean.samples);
	free(hit.samples);
}
