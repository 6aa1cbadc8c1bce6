/*
 * incident: what is planted, where, when and how deep; all from the seed.
 */
#include "incident.h"

#include <errno.h>
#include <math.h>

#include "random.h"

#define HOUR_MS UINT64_C(3600000)
#define FIRST_HOUR 9 /* an incident begins when somebody is there to see it */
#define LAST_HOUR 21

static const struct {
	const char *name;
	enum market_event from; /* and what comes after it in the funnel */
} kinds[] = {
	{"traffic", MARKET_PAGE_VIEW}, {"catalogue", MARKET_VIEW_ITEM},
	{"cart", MARKET_ADD_TO_CART},  {"checkout", MARKET_BEGIN_CHECKOUT},
	{"payment", MARKET_PURCHASE},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

int incident_hits(const struct incident *incident, enum market_event event)
{
	/* Where visitors stay away, so do their visits, bounces and searches. Refunds follow
	 * purchases of earlier days: they go on. */
	if (event > MARKET_REFUND)
		return incident->event == MARKET_PAGE_VIEW;
	return event >= incident->event && event != MARKET_REFUND;
}

int incident_touches(const struct incident *incident, uint32_t series)
{
	return incident_hits(incident, market_series_event(series)) &&
	       market_series_value(series, incident->dimension) == incident->value;
}

/* Expected events of the headline event in the slice, in one interval at the onset. */
static double expected_events(const struct incident *incident, const struct season *season,
			      double page_views_min, uint64_t interval_ms)
{
	double ratio = 0.0;
	for (uint32_t series = 0; series < MARKET_SERIES; series++)
		if (market_series_event(series) == incident->event &&
		    incident_touches(incident, series))
			ratio += market_series_ratio(series);
	return page_views_min * ratio * season_factor(season, incident->onset_ms) *
	       (double)interval_ms / 60000.0;
}

static int shows(const struct incident *incident)
{
	return incident->expected >= INCIDENT_EVENTS_MIN &&
	       -incident->size * sqrt(incident->expected) >= INCIDENT_DEPTH_MIN;
}

int incident_plan(const struct season *season, double page_views_min, uint64_t seed,
		  const struct incident_when *when, struct incident *ret_incident)
{
	struct random random = random_keyed(seed, 2, 0);
	struct incident chosen = {0}, largest = {0};
	uint64_t second = random_below(&random, (LAST_HOUR - FIRST_HOUR) * 3600);
	double size = -0.25 - 0.01 * random_below(&random, 16);
	uint32_t suitable = 0;

	for (size_t i = 0; i < KINDS; i++) {
		for (uint32_t d = 0; d < MARKET_DIMENSIONS; d++) {
			for (uint32_t v = 0; v < market_dimensions[d].count; v++) {
				struct incident one = {
					.kind = kinds[i].name,
					.event = kinds[i].from,
					.dimension = d,
					.value = v,
					.size = size,
					.onset_ms = when->now_ms
							    ? when->now_ms
							    : when->day_ms + FIRST_HOUR * HOUR_MS +
								      second * 1000,
				};
				one.end_ms = one.onset_ms + when->length_ms;
				one.expected = expected_events(&one, season, page_views_min,
							       when->interval_ms);
				if (one.expected > largest.expected)
					largest = one;
				/* Each suitable one is as likely as the others. */
				if (shows(&one) && random_below(&random, ++suitable) == 0)
					chosen = one;
			}
		}
	}
	*ret_incident = suitable ? chosen : largest;
	return suitable ? 0 : -ERANGE;
}
