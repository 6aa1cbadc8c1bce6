/*
 * outlook: see outlook.h. This file chooses the step, reads, and compares with before;
 * outlook_said.c asks the detector.
 */
#include "outlook_private.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "base/zone.h"

#define DAY_MS INT64_C(86400000)
/* Of a tier's points, read and lived through before the span, at most: what a call costs. */
#define LEAD_POINTS_MAX 60000

/* Steps that people think in. Beyond them whole weeks. */
static const int64_t natural_ms[] = {1000,   5000,   10000,   15000,    30000,  60000,
				     300000, 900000, 3600000, 21600000, DAY_MS, 7 * DAY_MS};
#define NATURAL (sizeof(natural_ms) / sizeof(natural_ms[0]))

/* What is to be read. */
struct plan {
	struct history_reach reach;
	int64_t from_ms, to_ms; /* the span, within what is known */
	int64_t step_ms;
	const struct zone *zone; /* whose days the steps are; NULL: UTC's */
};

void outlook_fini(struct outlook *outlook)
{
	free(outlook->points);
	outlook->points = NULL;
	outlook->count = 0;
}

static bool is_made_of(int64_t step_ms, int64_t tier_ms, const struct zone *zone)
{
	return step_ms % tier_ms == 0 && (!zone || zone_granule_ms(zone) % tier_ms == 0);
}

/* Where the points that steps can be made of begin; INT64_MAX: there are none. */
static int64_t oldest_ms(const struct history_reach *reach, int64_t step_ms,
			 const struct zone *zone)
{
	int64_t oldest = INT64_MAX;

	for (enum history_tier t = HISTORY_BASE; t < HISTORY_TIERS; t++) {
		int64_t tier_ms = history_tier_ms(t, reach->interval_ms);
		if (reach->first_ms[t] < oldest && is_made_of(step_ms, tier_ms, zone))
			oldest = reach->first_ms[t];
	}
	return oldest;
}

/* The span that is asked for, as far as anything can be known of it. */
static int bound_span(const struct outlook_query *query, struct plan *plan, char *why,
		      size_t why_bytes)
{
	const struct history_reach *reach = &plan->reach;
	int64_t begun_ms = reach->begun_ms < reach->known_ms ? reach->begun_ms : reach->known_ms;
	int64_t kept_ms = INT64_MAX;

	plan->to_ms = query->to_ms < reach->through_ms ? query->to_ms : reach->through_ms;
	plan->from_ms = query->from_ms;
	if (query->back_ms < 0 || query->step_ms < 0 || query->points_max > OUTLOOK_POINTS_MAX ||
	    (query->to_ms <= query->from_ms && !query->back_ms)) {
		snprintf(why, why_bytes,
			 "the span must end after it begins, its step be positive, and its points "
			 "%d at most",
			 OUTLOOK_POINTS_MAX);
		return -EINVAL;
	}
	if (query->back_ms &&
	    __builtin_sub_overflow(query->to_ms == HISTORY_NEWEST ? plan->to_ms : query->to_ms,
				   query->back_ms, &plan->from_ms))
		plan->from_ms = INT64_MIN;
	for (enum history_tier t = HISTORY_BASE; t < HISTORY_TIERS; t++)
		if (reach->first_ms[t] < kept_ms)
			kept_ms = reach->first_ms[t];
	if (begun_ms < kept_ms)
		begun_ms = kept_ms;
	if (plan->from_ms < begun_ms)
		plan->from_ms = begun_ms;
	return 0;
}

/* The n-th step that may be taken, from the interval on. */
static int64_t step_at(uint32_t n, int64_t interval_ms)
{
	if (n == 0)
		return interval_ms;
	for (size_t i = 0; i < NATURAL; i++)
		if (natural_ms[i] > interval_ms && natural_ms[i] % interval_ms == 0 && --n == 0)
			return natural_ms[i];
	/* Weeks, twice as many each time; of an interval that is no part of a day, intervals. */
	int64_t base_ms = DAY_MS % interval_ms == 0 ? 7 * DAY_MS : interval_ms;
	return base_ms << (n < 30 ? n : 30);
}

const struct zone *outlook_zone(const struct config *config)
{
	for (unsigned i = 0; config && i < config->zones_count; i++)
		if (strcmp(zone_name(config->zones[i]), config->timezone) == 0)
			return config->zones[i];
	return NULL;
}

static int choose_step(const struct outlook_query *query, struct plan *plan, char *why,
		       size_t why_bytes)
{
	const struct zone *zone = outlook_zone(query->config);
	int64_t interval_ms = plan->reach.interval_ms;
	int64_t points = query->points_max ? query->points_max : OUTLOOK_POINTS;
	int64_t span_ms = plan->to_ms - plan->from_ms;

	for (uint32_t n = 0; n < 40; n++) {
		int64_t step_ms = step_at(n, interval_ms);
		bool fine = (span_ms + step_ms - 1) / step_ms <= points;
		if (query->step_ms)
			fine = step_ms >= query->step_ms;
		plan->step_ms = step_ms;
		if (fine && oldest_ms(&plan->reach, step_ms, NULL) <= plan->from_ms)
			break;
	}
	if (span_ms / plan->step_ms > OUTLOOK_POINTS_MAX) {
		snprintf(why, why_bytes,
			 "%lld points are too many; ask for a longer step or a shorter span",
			 (long long)(span_ms / plan->step_ms));
		return -E2BIG;
	}
	if (zone && plan->step_ms % DAY_MS == 0 &&
	    oldest_ms(&plan->reach, plan->step_ms, zone) <= plan->from_ms)
		plan->zone = zone;
	return 0;
}

/* Where what is learned from begins: as far back as is useful, kept, and read in a moment. Coarse
 * tiers reach further for the same work. */
static int64_t lead_from(const struct plan *plan, const struct outlook_judge *judge)
{
	const struct history_reach *reach = &plan->reach;
	int64_t least_ms = plan->from_ms;

	for (enum history_tier t = HISTORY_BASE; t < HISTORY_TIERS && judge->said; t++) {
		int64_t tier_ms = history_tier_ms(t, reach->interval_ms);
		int64_t most_ms = LEAD_POINTS_MAX * tier_ms;
		int64_t lead_ms = judge->lead_ms < most_ms ? judge->lead_ms : most_ms;
		int64_t from_ms = plan->from_ms - lead_ms;
		if (reach->first_ms[t] == INT64_MAX ||
		    !is_made_of(plan->step_ms, tier_ms, plan->zone))
			continue;
		/* Intervals in which nothing came yet may lie before the first that is known. */
		if (from_ms < reach->first_ms[t])
			from_ms = reach->first_ms[t];
		if (from_ms < least_ms)
			least_ms = from_ms;
	}
	return least_ms;
}

static struct history_query history_query_of(const struct outlook_query *query,
					     const struct plan *plan, int64_t from_ms,
					     int64_t to_ms)
{
	return (struct history_query){
		.metric = query->metric,
		.source = plan->reach.source,
		.slice = query->slice,
		.from_ms = from_ms,
		.to_ms = to_ms,
		.step_ms = plan->step_ms,
		.zone = plan->zone,
	};
}

static int keep_points(const struct history_answer *history, uint32_t first,
		       struct outlook *outlook)
{
	uint32_t count = history->count - first;

	outlook->points = calloc(count + 1, sizeof(outlook->points[0]));
	if (!outlook->points)
		return -ENOMEM;
	outlook->count = count;
	for (uint32_t i = 0; i < count; i++) {
		const struct history_point *from = &history->points[first + i];
		int64_t end_ms = first + i + 1 < history->count
					 ? history->points[first + i + 1].time_ms
					 : from->time_ms + history->step_ms;
		outlook->points[i] = (struct outlook_point){
			.time_ms = from->time_ms,
			.value = from->value,
			.expected = NAN,
			.lower = NAN,
			.upper = NAN,
			.score = NAN,
			.severity = NAN,
			.events = from->events,
			.numerator = from->numerator,
			.weight = from->weight,
			.intervals = (uint32_t)((end_ms - from->time_ms) / history->interval_ms),
			.closed = from->closed,
			.incomplete = from->incomplete,
		};
		if (history->aggregation == AGGREGATE_DISTINCT)
			outlook->points[i].value = floor(from->value + 0.5);
	}
	return 0;
}

static void describe(const struct history_answer *history, struct outlook *outlook)
{
	memcpy(outlook->source, history->source, sizeof(outlook->source));
	memcpy(outlook->metric, history->metric, sizeof(outlook->metric));
	memcpy(outlook->slice, history->slice, sizeof(outlook->slice));
	outlook->quantile = history->quantile;
	outlook->tier = history->tier;
	outlook->step_ms = history->step_ms;
	outlook->local = history->local;
	outlook->damaged = history->damaged;
}

/* Read all of it, lead and span, and ask the detector. */
static int look(const struct outlook_query *query, struct history_reader *reader,
		const struct plan *plan, const struct outlook_judge *judge,
		struct outlook *outlook, char *why, size_t why_bytes)
{
	int64_t from_ms = lead_from(plan, judge);
	struct history_query wanted = history_query_of(query, plan, from_ms, plan->to_ms);
	struct history_answer *history = calloc(1, sizeof(*history));
	uint32_t first = 0;

	if (!history)
		return -ENOMEM;
	int error = history_read(reader, &wanted, history, why, why_bytes);
	if (error < 0) {
		free(history);
		return error;
	}
	/* The last that begins at or before the span. */
	while (first + 1 < history->count && history->points[first + 1].time_ms <= plan->from_ms)
		first++;
	describe(history, outlook);
	outlook->whole = judge->own && history->count && from_ms <= plan->reach.begun_ms &&
			 plan->reach.first_ms[history->tier] <= plan->reach.begun_ms;
	error = keep_points(history, first, outlook);
	if (!error && outlook->count) {
		const struct outlook_point *last = &outlook->points[outlook->count - 1];
		outlook->open = last->time_ms + last->intervals * history->interval_ms >
				plan->reach.through_ms;
	}
	if (!error && judge->said)
		error = outlook_live(query, judge, history, first, outlook);
	history_answer_fini(history);
	free(history);
	return error;
}

static int reach_of(const struct outlook_query *query, struct history_reader *reader,
		    struct history_reach *ret_reach, char *why, size_t why_bytes)
{
	const struct history_query wanted = {
		.metric = query->metric, .source = query->source, .slice = query->slice};

	return history_reach(reader, &wanted, ret_reach, why, why_bytes);
}

int outlook_read(const struct outlook_query *query, struct outlook *ret_outlook, char *why,
		 size_t why_bytes)
{
	struct outlook *outlook = ret_outlook;
	struct history_reader *reader;
	struct outlook_judge judge = {0};
	struct plan plan = {0};

	memset(outlook, 0, sizeof(*outlook));
	why[0] = '\0';
	int error = history_reader_open_or_say(query->history_path, &reader, why, why_bytes);
	if (error < 0)
		return error;
	error = reach_of(query, reader, &plan.reach, why, why_bytes);
	if (!error)
		error = bound_span(query, &plan, why, why_bytes);
	outlook->aggregation = plan.reach.aggregation;
	outlook->interval_ms = outlook->step_ms = plan.reach.interval_ms;
	outlook->known_ms = plan.reach.known_ms;
	outlook->through_ms = plan.reach.through_ms;
	snprintf(outlook->source, sizeof(outlook->source), "%s", plan.reach.source);
	snprintf(outlook->metric, sizeof(outlook->metric), "%s", query->metric);
	snprintf(outlook->slice, sizeof(outlook->slice), "%s", query->slice ? query->slice : "");
	if (!error && plan.to_ms > plan.from_ms)
		error = choose_step(query, &plan, why, why_bytes);
	if (!error && plan.to_ms > plan.from_ms) {
		outlook->step_ms = plan.step_ms;
		outlook->local = plan.zone != NULL;
		error = outlook_choose(query, outlook, &judge, why, why_bytes);
		if (!error)
			error = look(query, reader, &plan, &judge, outlook, why, why_bytes);
	}
	history_reader_close(reader);
	if (error < 0)
		outlook_fini(outlook);
	if (error < 0 && !why[0])
		snprintf(why, why_bytes, "cannot look at %s: %s", query->metric, strerror(-error));
	return error;
}

/* Does a value of a longer step tell that of a part of it? */
static double part_of(const struct outlook *outlook, double value, double part)
{
	switch (outlook->aggregation) {
	case AGGREGATE_COUNT:
	case AGGREGATE_SUM:
		return value * part;
	case AGGREGATE_DISTINCT:
		return part < 1 ? (double)NAN : value;
	default:
		return value;
	}
}

/* So much earlier than a point is the one that it is held against: the clock of the place may have
 * been put forward or back in between. */
static int64_t shift_ms(const struct outlook *outlook, const struct zone *zone, int64_t days)
{
	int64_t at_ms = outlook->points[0].time_ms;
	int64_t there_ms = at_ms - days * DAY_MS;
	int64_t turned_ms = zone_offset_ms(zone, at_ms) - zone_offset_ms(zone, there_ms);

	/* Local days are numbered; other steps have to lie on the grid. */
	if (outlook->local || turned_ms % outlook->step_ms != 0)
		turned_ms = 0;
	return days * DAY_MS - turned_ms;
}

/* The number of a local day, or of a step. */
static int64_t number_of(const struct outlook *outlook, const struct zone *zone, int64_t ms,
			 int64_t step_ms)
{
	int64_t local_ms = ms + (outlook->local ? zone_offset_ms(zone, ms) : 0);

	return civil_floor_div(local_ms, step_ms);
}

static void place_before(const struct outlook *outlook, const struct history_answer *history,
			 const struct zone *zone, int64_t back_ms, double *ret_values)
{
	int64_t step_ms = history->step_ms;
	double part = (double)outlook->step_ms / (double)step_ms;
	int64_t first = history->count
				? number_of(outlook, zone, history->points[0].time_ms, step_ms)
				: 0;

	for (uint32_t i = 0; i < outlook->count; i++) {
		int64_t at_ms = outlook->points[i].time_ms;
		int64_t at = number_of(outlook, zone, at_ms, step_ms) - back_ms / step_ms;
		if (!outlook->local)
			at = number_of(outlook, zone, at_ms - back_ms, step_ms);
		at -= first;
		if (at >= 0 && at < history->count)
			ret_values[i] = part_of(outlook, history->points[at].value, part);
	}
}

int outlook_before(const struct outlook_query *query, const struct outlook *outlook, int64_t days,
		   double *ret_values, int64_t *ret_step_ms, char *why, size_t why_bytes)
{
	struct history_reader *reader;
	struct plan plan = {0};

	*ret_step_ms = 0;
	for (uint32_t i = 0; i < outlook->count; i++)
		ret_values[i] = NAN;
	/* A week has no day before that is one. */
	if (!outlook->count || days * DAY_MS % outlook->step_ms != 0)
		return 0;
	int error = history_reader_open_or_say(query->history_path, &reader, why, why_bytes);
	if (error < 0)
		return error;
	const struct zone *zone = outlook_zone(query->config);
	int64_t back_ms = shift_ms(outlook, zone, days);
	struct history_answer *history = calloc(1, sizeof(*history));
	error = history ? reach_of(query, reader, &plan.reach, why, why_bytes) : -ENOMEM;
	plan.step_ms = outlook->step_ms;
	plan.zone = outlook->local ? zone : NULL;
	int64_t from_ms = outlook->points[0].time_ms - back_ms;
	int64_t to_ms = outlook->points[outlook->count - 1].time_ms + outlook->step_ms - back_ms;
	if (!error && to_ms > plan.reach.begun_ms) {
		struct history_query wanted = history_query_of(query, &plan, from_ms, to_ms);
		error = history_read(reader, &wanted, history, why, why_bytes);
		if (!error) {
			place_before(outlook, history, zone, back_ms, ret_values);
			*ret_step_ms = history->step_ms;
			history_answer_fini(history);
		}
	}
	free(history);
	history_reader_close(reader);
	return error;
}
