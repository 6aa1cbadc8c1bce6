/*
 * incident: what is planted, where, when and how deep; all from the seed.
 *
 * An incident takes a share of some events away in one slice: a funnel step and what comes after
 * it, or everything. Only slices are taken in which one interval shows it: the headline event has
 * at least INCIDENT_EVENTS_MIN expected at the onset, and the drop is at least INCIDENT_DEPTH_MIN
 * standard deviations of such a count.
 */
#ifndef SHOP_INCIDENT_H
#define SHOP_INCIDENT_H

#include <stddef.h>
#include <stdint.h>

#include "market.h"
#include "season.h"

#define INCIDENT_EVENTS_MIN 300.0
#define INCIDENT_DEPTH_MIN 5.0

struct incident {
	const char *kind;        /* "traffic", "catalogue", "cart", "checkout", "payment" */
	enum market_event event; /* the first that drops; those after it in the funnel drop too */
	uint32_t dimension, value;
	double size; /* -0.25 .. -0.40 */
	uint64_t onset_ms, end_ms;
	double expected; /* of the headline event in the slice in the onset's interval */
};

struct incident_when {
	uint64_t day_ms; /* midnight (UTC) of the day of the incident */
	uint64_t now_ms; /* not 0: the onset is here, and day_ms is not looked at */
	uint64_t interval_ms, length_ms;
};

/* Choose one. 0; -ERANGE: no slice is large enough, *ret_incident says when the onset would be and
 * the largest `expected` there is. */
int incident_plan(const struct season *season, double page_views_min, uint64_t seed,
		  const struct incident_when *when, struct incident *ret_incident);

/* Does it thin this event, in its slice? */
int incident_hits(const struct incident *incident, enum market_event event);
/* Does the incident touch this series at all? */
int incident_touches(const struct incident *incident, uint32_t series);

#endif
