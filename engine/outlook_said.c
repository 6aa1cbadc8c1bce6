/*
 * outlook_said: what a detector says of a slice's points. See outlook.h.
 *
 * Idea:  a bank of one slice beside a total of which nothing is known: so the slice is born where
 *        it was live, and the bank is as old as it was there. Steps that are days of a place are
 *        numbered by its clock, as if that were UTC; so is the calendar then.
 *
 * Runs on: any thread.
 */
#include "outlook_private.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/civil.h"
#include "base/zone.h"
#include "detect/bank.h"
#include "detect/calendar.h"
#include "input_calendar.h"
#include "interval/sums.h"
#include "scorer.h"

#define DAY_MS INT64_C(86400000)
/* Steps of which nothing is known that are lived through as unknown; beyond, time jumps. */
#define UNKNOWN_MAX 60
/* A window of fewer points says nothing worth a band. */
#define WINDOW_MIN 4
/* What kind seasonal remembers of days and weeks at short steps; what is longer looks further. */
#define SEASONAL_LEAD_DAYS 42
#define ABSENCE_LEAD_DAYS 35

/* So many of the detector's periods, as points of the step. */
static uint32_t in_steps(uint32_t periods, int64_t period_ms, int64_t step_ms)
{
	int64_t steps = ((int64_t)periods * period_ms + step_ms - 1) / step_ms;

	return steps < UINT32_MAX ? (uint32_t)steps : UINT32_MAX;
}

/* How far back a rule or a window compares. */
static int64_t back_ms(const struct detector_spec *spec, int64_t step_ms)
{
	bool year = spec->baseline == BASELINE_LAST_YEAR || !isnan(spec->growth_drop);
	int64_t window_ms = spec->kind == DETECTOR_WINDOW ? 2 * spec->window * step_ms : 0;

	return (year ? 2 * 365 : 15) * DAY_MS + window_ms;
}

/* Make it watch points of the step. False: it has nothing to say of them. */
static bool fit(struct outlook_judge *judge, int64_t interval_ms, int64_t step_ms)
{
	struct detector_spec *spec = &judge->spec;
	int64_t own_ms = spec->frequency_ms ? spec->frequency_ms : interval_ms;

	memset(spec->resolutions_ms, 0, sizeof(spec->resolutions_ms));
	spec->apart = true;
	judge->own = own_ms == step_ms;
	judge->lead_ms = spec->kind == DETECTOR_SEASONAL
				 ? (step_ms < 3600000 ? SEASONAL_LEAD_DAYS * DAY_MS : INT64_MAX / 2)
			 : spec->kind == DETECTOR_ABSENCE ? ABSENCE_LEAD_DAYS * DAY_MS
							  : back_ms(spec, step_ms);
	if (judge->own) {
		spec->frequency_ms = 0;
		return true;
	}
	if (own_ms > step_ms || own_ms == DETECTOR_MONTH || step_ms > DAY_MS)
		return false;
	spec->for_intervals = in_steps(spec->for_intervals, own_ms, step_ms);
	spec->recover_intervals = in_steps(spec->recover_intervals, own_ms, step_ms);
	spec->cooldown_intervals = in_steps(spec->cooldown_intervals, own_ms, step_ms);
	spec->learn_intervals = in_steps(spec->learn_intervals, own_ms, step_ms);
	spec->absent_intervals = in_steps(spec->absent_intervals, own_ms, step_ms);
	switch (spec->kind) {
	case DETECTOR_SEASONAL:
	case DETECTOR_ABSENCE:
		return true;
	case DETECTOR_WINDOW:
		spec->window = (uint32_t)((int64_t)spec->window * own_ms / step_ms);
		return !spec->frequency_ms && spec->baseline == BASELINE_RECENT &&
		       spec->window >= WINDOW_MIN;
	case DETECTOR_RULE:
		/* Its numbers are those of its own period. */
		return false;
	}
	return false;
}

/* The less, the more it says of a chart: a band at every point before a limit here and there. */
static int rank_of(const struct detector_spec *spec)
{
	static const int ranks[] = {[DETECTOR_SEASONAL] = 0,
				    [DETECTOR_WINDOW] = 1,
				    [DETECTOR_RULE] = 2,
				    [DETECTOR_ABSENCE] = 3};
	return ranks[spec->kind];
}

static int refuse(const struct outlook_query *query, char *why, size_t why_bytes)
{
	int used = snprintf(why, why_bytes, "%s has no detector %s", query->metric,
			    query->detector);
	const char *join = "; it has ";

	for (unsigned i = 0; i < query->config->detectors_count; i++) {
		const struct config_detector *detector = &query->config->detectors[i];
		if (strcmp(detector->metric, query->metric) != 0 || used < 0 ||
		    (size_t)used >= why_bytes)
			continue;
		used += snprintf(why + used, why_bytes - (size_t)used, "%s%s", join,
				 detector->name);
		join = ", ";
	}
	return -ENOENT;
}

/* Look at one of the metric's detectors; take it if it says more than the one at hand. */
static void consider(struct outlook *outlook, const struct config_detector *detector,
		     struct outlook_judge *judge)
{
	struct outlook_judge other = *judge;

	scorer_detector_spec(detector, &other.spec);
	other.said = fit(&other, outlook->interval_ms, outlook->step_ms);
	bool more = !judge->spec.name[0] || (other.said && !judge->said) ||
		    (other.said == judge->said && rank_of(&other.spec) < rank_of(&judge->spec));
	if (!more)
		return;
	*judge = other;
	snprintf(outlook->detector, sizeof(outlook->detector), "%s", detector->name);
	snprintf(outlook->kind, sizeof(outlook->kind), "%s", detector->kind);
}

int outlook_choose(const struct outlook_query *query, struct outlook *outlook,
		   struct outlook_judge *ret_judge, char *why, size_t why_bytes)
{
	const struct config *config = query->config;
	struct outlook_judge *judge = ret_judge;

	memset(judge, 0, sizeof(*judge));
	if (query->values || !config)
		return 0;
	for (unsigned i = 0; i < config->metrics_count; i++)
		if (strcmp(config->metrics[i].name, query->metric) == 0)
			judge->missing = config->metrics[i].empty &&
					 strcmp(config->metrics[i].empty, "missing") == 0;
	for (unsigned i = 0; i < config->detectors_count; i++) {
		const struct config_detector *detector = &config->detectors[i];
		if (strcmp(detector->metric, query->metric) == 0 &&
		    (!query->detector || strcmp(detector->name, query->detector) == 0))
			consider(outlook, detector, judge);
	}
	if (query->detector && !judge->spec.name[0])
		return refuse(query, why, why_bytes);
	if (!judge->spec.name[0])
		snprintf(outlook->unsaid, sizeof(outlook->unsaid), "no detector watches %s",
			 query->metric);
	else if (!judge->said)
		snprintf(outlook->unsaid, sizeof(outlook->unsaid),
			 "%s, of kind %s, says nothing of points of %g s", outlook->detector,
			 outlook->kind, (double)outlook->step_ms / 1000);
	return 0;
}

/* What the bank is shown: the total, and the slice if it is another one and born. */
struct looked {
	struct observations observations;
	double value[2], events[2], squares[2], numerator[2], weight[2];
	struct slice slices[2];
	uint32_t at; /* of the slice that is asked for */
	bool born;
};

static double squares_of(const struct history_point *point)
{
	return sum_squares(&(struct rollup_stats){.count = (uint64_t)point->events,
						  .sum = point->sum,
						  .sum_squares = point->sum_squares});
}

static void show(struct looked *looked, const struct outlook_judge *judge,
		 const struct history_point *point)
{
	struct observations *observations = &looked->observations;
	uint32_t at = looked->at;
	bool summed = observations->aggregation == AGGREGATE_SUM ||
		      observations->aggregation == AGGREGATE_MEAN ||
		      observations->aggregation == AGGREGATE_RATIO;
	bool distinct = observations->aggregation == AGGREGATE_DISTINCT;
	double value = sum_clamp(point->value);

	looked->value[0] = NAN;
	looked->events[0] = looked->squares[0] = looked->numerator[0] = looked->weight[0] = 0;
	observations->count = 1 + (at && looked->born);
	looked->value[at] = distinct ? floor(value + 0.5) : value;
	looked->events[at] = point->events;
	looked->squares[at] = summed ? squares_of(point) : 0;
	looked->numerator[at] = point->numerator;
	looked->weight[at] = point->weight;
	if (judge->missing && !(point->events > 0))
		looked->value[at] = NAN;
}

/* Was it seen as a whole? Of a long point all but a twentieth is enough. */
static bool is_unknown(const struct history_point *point, int64_t intervals)
{
	int64_t whole = (int64_t)point->closed - (int64_t)point->incomplete;

	if (!point->closed)
		return !(point->events > 0);
	if (intervals <= 1)
		return point->incomplete > 0;
	return (intervals - whole) * 20 > intervals;
}

/* What the bank says of the point. `spoken`: kind seasonal has said something before, and has an
 * expectation from then on, also of what is missing. */
static void hear(const struct bank *bank, const struct looked *looked,
		 const struct outlook_judge *judge, bool unknown, bool *spoken,
		 struct outlook_point *ret_point)
{
	struct bank_slice slice;

	if (looked->at >= looked->observations.count)
		return;
	bank_slice(bank, looked->at, &slice);
	bool said = slice.score > 0;
	*spoken |= said;
	said |= *spoken && judge->spec.kind == DETECTOR_SEASONAL;
	if (!ret_point || !said)
		return;
	ret_point->expected = slice.expected;
	ret_point->lower = slice.lower;
	ret_point->upper = slice.upper;
	if (isnan(looked->value[looked->at]))
		return;
	ret_point->score = slice.score;
	ret_point->severity = unknown ? (double)NAN : slice.severity;
}

/* The clock of the place, as if it were UTC. */
static int calendar_local(struct calendar *calendar, const struct zone *zone)
{
	for (uint32_t i = 0; i < calendar->count; i++) {
		struct calendar_entry entry = calendar->entries[i];

		entry.zone = NULL;
		if (entry.when == CALENDAR_ONCE) {
			entry.from_ms += zone_offset_ms(zone, entry.from_ms);
			entry.until_ms += zone_offset_ms(zone, entry.until_ms);
		}
		int error = calendar_add(calendar, &entry);
		if (error < 0)
			return error;
	}
	return 0;
}

/* The bank, as it was before its first interval. */
static int prepare(const struct outlook_query *query, const struct outlook_judge *judge,
		   const struct outlook *outlook, struct calendar **ret_calendar,
		   struct bank **ret_bank)
{
	struct detector_spec spec = judge->spec;
	int error = 0;

	if (outlook->local)
		spec.zone = NULL;
	/* Of what went before nobody has told it: it is no learner. */
	if (!outlook->whole)
		spec.learn_intervals = 1;
	*ret_bank = bank_create(&spec);
	*ret_calendar = calendar_create();
	if (!*ret_bank || !*ret_calendar)
		return -ENOMEM;
	if (query->store_path)
		error = input_calendar_stored(query->store_path, *ret_calendar);
	if (error == -ENOENT)
		error = 0; /* an engine that never stored anything has none */
	if (!error && outlook->local)
		error = calendar_local(*ret_calendar, outlook_zone(query->config));
	bank_calendar(*ret_bank, *ret_calendar);
	return error;
}

static struct looked looked_of(const struct outlook *outlook)
{
	struct looked looked = {
		.observations =
			{
				.metric = outlook->metric,
				.source = outlook->source,
				.aggregation = outlook->aggregation,
				.interval_ms = outlook->step_ms,
				.quantile = outlook->quantile,
			},
		.slices = {{.label = ""}, {.label = outlook->slice}},
		.at = outlook->slice[0] ? 1 : 0,
	};
	return looked;
}

static int step(struct bank *bank, struct looked *looked, int64_t interval, bool unknown)
{
	looked->observations.interval = interval;
	looked->observations.flags = unknown ? OBSERVATION_INCOMPLETE : 0;
	return bank_step(bank, &looked->observations, bank_unheard, NULL);
}

/* All points, one by one; the first that is known begins it. */
static int live(const struct outlook_judge *judge, const struct history_answer *history,
		uint32_t first, const struct zone *zone, struct bank *bank, struct looked *looked,
		struct outlook *outlook)
{
	bool begun = false, spoken = false;
	uint32_t nothing = 0;
	int error = 0;

	for (uint32_t i = 0; i < history->count && !error; i++) {
		const struct history_point *point = &history->points[i];
		struct outlook_point *told = i >= first ? &outlook->points[i - first] : NULL;
		int64_t ms = point->time_ms;
		int64_t end_ms = i + 1 < history->count ? point[1].time_ms
							: ms + history->step_ms;
		bool unknown = is_unknown(point, (end_ms - ms) / history->interval_ms);

		nothing = !point->closed && !(point->events > 0) ? nothing + 1 : 0;
		if (nothing && (!begun || nothing > UNKNOWN_MAX))
			continue;
		if (!begun)
			outlook->learned = i < first ? first - i : 0;
		begun = true;
		looked->born |= point->events > 0;
		show(looked, judge, point);
		/* A day begins some hours before or behind UTC's. */
		if (zone)
			ms += zone_offset_ms(zone, ms) + history->step_ms / 2;
		int64_t number = civil_floor_div(ms, history->step_ms);
		error = step(bank, looked, number, unknown);
		if (!error)
			hear(bank, looked, judge, unknown, &spoken, told);
	}
	return error;
}

int outlook_live(const struct outlook_query *query, const struct outlook_judge *judge,
		 const struct history_answer *history, uint32_t first, struct outlook *outlook)
{
	const struct zone *zone = outlook->local ? outlook_zone(query->config) : NULL;
	struct looked looked = looked_of(outlook);
	struct calendar *calendar;
	struct bank *bank;
	int error = prepare(query, judge, outlook, &calendar, &bank);
	struct observations *observations = &looked.observations;
	bool ratio = outlook->aggregation == AGGREGATE_RATIO;

	observations->value = looked.value;
	observations->events = looked.events;
	observations->sum_squares = looked.squares;
	observations->numerator = ratio ? looked.numerator : NULL;
	observations->weight = ratio ? looked.weight : NULL;
	observations->slices = looked.slices;
	if (error && error != -ENOMEM) {
		snprintf(outlook->unsaid, sizeof(outlook->unsaid),
			 "the calendar cannot be read from %s: %s", query->store_path,
			 strerror(-error));
	} else if (!error) {
		error = live(judge, history, first, zone, bank, &looked, outlook);
	}
	bank_destroy(bank);
	calendar_destroy(calendar);
	return error == -ENOMEM ? error : 0;
}
