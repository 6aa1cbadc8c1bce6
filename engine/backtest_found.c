/*
 * backtest_found: what is found on either side of a backtest, and how the two compare.
 *
 * Without a draft the two sides are to be the same: same id, as many revisions, same severity. A
 * draft's anomalies have other ids, since it sees an incident begin an interval sooner or later:
 * one of the live ones and one of the draft's are the same incident where source, metric, slice
 * and direction are the same and their times overlap. Each is the same as one other at most, so
 * that one alarm that goes on for weeks does not stand for all that happened in them: a live one
 * has the free one that shares most of the time of both, of a detector of its own name if it can.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backtest.h"
#include "deliver/payload.h"
#include "deliver/store.h"

#define WEEK_MS INT64_C(604800000)
#define MONDAY_MS INT64_C(345600000) /* the first one, 1970-01-05 */

static struct backtest_found *grow(struct backtest_set *set)
{
	if (set->count == set->capacity) {
		uint32_t capacity = set->capacity ? 2 * set->capacity : 64;
		void *found = realloc(set->found, capacity * sizeof(set->found[0]));
		if (!found)
			return NULL;
		set->found = found;
		set->capacity = capacity;
	}
	return &set->found[set->count++];
}

/* Whichever was added last is nearest to the end. */
static struct backtest_found *find(const struct backtest_set *set, const uint64_t id[2])
{
	for (uint32_t i = set->count; i > 0; i--)
		if (memcmp(set->found[i - 1].id, id, sizeof(set->found[0].id)) == 0)
			return &set->found[i - 1];
	return NULL;
}

static void describe(struct backtest_found *found, const struct anomaly *anomaly)
{
	memcpy(found->id, anomaly->id, sizeof(found->id));
	snprintf(found->source, sizeof(found->source), "%s", anomaly->source);
	snprintf(found->metric, sizeof(found->metric), "%s", anomaly->metric);
	snprintf(found->detector, sizeof(found->detector), "%s", anomaly->detector);
	snprintf(found->slice, sizeof(found->slice), "%s", anomaly->slice);
	found->strongest = -1;
}

int backtest_add(struct backtest_set *set, const struct anomaly *anomaly)
{
	struct backtest_found *found = anomaly->revision > 1 ? find(set, anomaly->id) : NULL;

	if (!found) {
		found = grow(set);
		if (!found)
			return -ENOMEM;
		*found = (struct backtest_found){0};
		describe(found, anomaly);
	}
	found->state = anomaly->state;
	found->revision = anomaly->revision;
	found->direction = anomaly->direction;
	found->fired |= anomaly->fired;
	found->severity = anomaly->severity_peak;
	found->start_ms = anomaly_time_ms(anomaly, anomaly->start, false);
	found->end_ms = anomaly->state == ANOMALY_RESOLVED
				? anomaly_time_ms(anomaly, anomaly->interval, true)
				: INT64_MAX;
	if (anomaly->severity > found->strongest) {
		found->strongest = anomaly->severity;
		found->observed = anomaly->observed;
		found->expected = anomaly->expected;
	}
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct backtest_found *x = a, *y = b;

	if (x->start_ms != y->start_ms)
		return x->start_ms < y->start_ms ? -1 : 1;
	return memcmp(x->id, y->id, sizeof(x->id));
}

void backtest_sort(struct backtest_set *set)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < set->count; i++)
		if (set->found[i].fired)
			set->found[kept++] = set->found[i];
	set->count = kept;
	if (kept)
		qsort(set->found, kept, sizeof(set->found[0]), by_start);
}

struct reading {
	struct backtest *backtest;
	struct store_reader *reader;
	int error;
};

static bool is_against(const struct backtest *backtest, const struct anomaly *anomaly)
{
	bool looked = false, against = backtest->as_lived;

	for (uint32_t i = 0; i < backtest->sources_count; i++)
		looked |= strcmp(backtest->sources[i].name, anomaly->source) == 0;
	for (uint32_t i = 0; i < backtest->against_count && !against; i++)
		against = strcmp(backtest->against[i], anomaly->detector) == 0;
	return looked && against;
}

static int each_stored(void *self, const struct anomaly *anomaly)
{
	struct reading *reading = self;
	struct backtest_set *set = &reading->backtest->live;

	if (!is_against(reading->backtest, anomaly) ||
	    anomaly_time_ms(anomaly, anomaly->start, false) >= reading->backtest->last_ms)
		return 0;
	reading->error = backtest_add(set, anomaly);
	return reading->error;
}

/* The store keeps a record's own members as they stood there. */
static enum feedback_verdict verdict_of(const struct operator_input *input)
{
	json_t *own = json_loads(input->detail, 0, NULL);
	const char *said = json_string_value(json_object_get(own, "verdict"));
	enum feedback_verdict verdict = 0;

	for (int i = FEEDBACK_NO; said && i < FEEDBACK_VERDICTS; i++)
		if (strcmp(said, feedback_verdict_name((enum feedback_verdict)i)) == 0)
			verdict = (enum feedback_verdict)i;
	json_decref(own);
	return verdict;
}

/* The newest feedback comes first, and is the one that holds. */
static int each_feedback(void *self, const struct operator_input *input, uint64_t ended)
{
	struct reading *reading = self;
	struct backtest_found *found = ended ? NULL : find(&reading->backtest->live, input->id);

	if (found && !found->verdict)
		found->verdict = verdict_of(input);
	return 0;
}

/* What each was at its most severe. */
static int find_strongest(struct reading *reading)
{
	struct anomaly *anomaly = malloc(sizeof(*anomaly));
	int error = anomaly ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < reading->backtest->live.count && !error; i++) {
		struct backtest_found *found = &reading->backtest->live.found[i];
		int there = store_find_strongest(reading->reader, found->id, anomaly);
		if (there > 0) {
			found->strongest = anomaly->severity;
			found->observed = anomaly->observed;
			found->expected = anomaly->expected;
		}
		error = there < 0 ? there : 0;
	}
	free(anomaly);
	return error;
}

int backtest_read_store(const char *path, struct backtest *backtest)
{
	struct reading reading = {.backtest = backtest};
	struct store_query query = {.since_ms = backtest->from_ms > 0 ? backtest->from_ms : 0};
	int error = store_reader_open(path, &reading.reader);

	if (error < 0)
		return error;
	error = store_anomalies(reading.reader, &query, each_stored, &reading);
	if (!error)
		error = reading.error;
	if (!error)
		error = find_strongest(&reading);
	if (!error)
		error = store_inputs(reading.reader, OPERATOR_FEEDBACK, NULL, 0, each_feedback,
				     &reading);
	store_reader_close(reading.reader);
	backtest_sort(&backtest->live);
	return error;
}

static const struct backtest_source *source_of(const struct backtest *backtest,
					       const struct backtest_found *found)
{
	for (uint32_t i = 0; i < backtest->sources_count; i++)
		if (strcmp(backtest->sources[i].name, found->source) == 0)
			return &backtest->sources[i];
	return NULL;
}

bool backtest_counts(const struct backtest *backtest, const struct backtest_found *found)
{
	const struct backtest_source *source = source_of(backtest, found);

	return source && found->start_ms >= source->from_ms && found->start_ms < source->last_ms;
}

/* Severities come through the store as they were, bit for bit. */
static bool same_anomaly(const struct backtest_found *a, const struct backtest_found *b)
{
	return memcmp(a->id, b->id, sizeof(a->id)) == 0 && a->revision == b->revision &&
	       memcmp(&a->severity, &b->severity, sizeof(a->severity)) == 0;
}

static double min_of(double a, double b)
{
	return a < b ? a : b;
}

/* What they share of the time of both, to one; 0: they are not the same incident. What goes on is
 * as long as it was looked at. */
static double alike(const struct backtest *backtest, const struct backtest_found *a,
		    const struct backtest_found *b)
{
	const struct backtest_source *source = source_of(backtest, a);
	double last_ms = source ? (double)source->last_ms : 0;
	double end_a_ms = min_of((double)a->end_ms, last_ms);
	double end_b_ms = min_of((double)b->end_ms, last_ms);
	double shared_ms = min_of(end_a_ms, end_b_ms) +
			   min_of(-(double)a->start_ms, -(double)b->start_ms);
	double both_ms = -min_of(-end_a_ms, -end_b_ms) -
			 min_of((double)a->start_ms, (double)b->start_ms);

	if (shared_ms <= 0 || a->direction != b->direction || strcmp(a->slice, b->slice) != 0 ||
	    strcmp(a->metric, b->metric) != 0 || strcmp(a->source, b->source) != 0)
		return 0;
	return shared_ms / both_ms;
}

/* Its other side among those that are free; NULL: there is none. */
static struct backtest_found *other_side(const struct backtest *backtest,
					 const struct backtest_found *live, bool same_name)
{
	const struct backtest_set *found = &backtest->found;
	struct backtest_found *best = NULL;
	double most = 0;

	/* They are in the order of their beginnings. */
	for (uint32_t f = 0; f < found->count && found->found[f].start_ms < live->end_ms; f++) {
		struct backtest_found *at = &found->found[f];
		if (at->known || (same_name && strcmp(at->detector, live->detector) != 0))
			continue;
		double share = backtest->as_lived ? (double)same_anomaly(at, live)
						  : alike(backtest, at, live);
		if (share > most) {
			most = share;
			best = at;
		}
	}
	return best;
}

static void mark_known(struct backtest *backtest)
{
	/* First within detectors of the same name, then whoever is left. */
	for (int pass = 0; pass < 2; pass++) {
		for (uint32_t l = 0; l < backtest->live.count; l++) {
			struct backtest_found *live = &backtest->live.found[l];
			struct backtest_found *other =
				live->known ? NULL : other_side(backtest, live, pass == 0);
			if (other)
				live->known = other->known = true;
		}
	}
}

static uint32_t band_of(double severity)
{
	return severity >= SEVERITY_CRITICAL ? 3
	       : severity >= SEVERITY_MAJOR  ? 2
	       : severity >= SEVERITY_MINOR  ? 1
					     : 0;
}

static int64_t week_of(int64_t time_ms)
{
	int64_t since_ms = time_ms - MONDAY_MS;
	int64_t week = since_ms / WEEK_MS - (since_ms % WEEK_MS < 0);

	return week * WEEK_MS + MONDAY_MS;
}

static int make_weeks(const struct backtest *backtest, struct backtest_comparison *comparison)
{
	int64_t first_ms = INT64_MAX;

	for (uint32_t i = 0; i < backtest->sources_count; i++)
		if (backtest->sources[i].first_ms < first_ms)
			first_ms = backtest->sources[i].first_ms;
	if (backtest->from_ms > first_ms)
		first_ms = backtest->from_ms;
	if (first_ms >= backtest->last_ms)
		return 0;
	int64_t count = (week_of(backtest->last_ms - 1) - week_of(first_ms)) / WEEK_MS + 1;
	comparison->weeks = calloc((size_t)count, sizeof(comparison->weeks[0]));
	if (!comparison->weeks)
		return -ENOMEM;
	comparison->weeks_count = (uint32_t)count;
	for (uint32_t i = 0; i < comparison->weeks_count; i++)
		comparison->weeks[i].week_ms = week_of(first_ms) + i * WEEK_MS;
	return 0;
}

/* NULL: before the first one. */
static struct backtest_week *week_at(const struct backtest_comparison *comparison, int64_t time_ms)
{
	for (uint32_t i = 0; i < comparison->weeks_count; i++)
		if (comparison->weeks[i].week_ms == week_of(time_ms))
			return &comparison->weeks[i];
	return NULL;
}

static void count(const struct backtest_found *found, bool live,
		  struct backtest_comparison *comparison)
{
	struct backtest_week *week = week_at(comparison, found->start_ms);
	uint32_t band = band_of(found->severity);

	comparison->live[band] += live;
	comparison->live_all += live;
	comparison->found[band] += !live;
	comparison->found_all += !live;
	comparison->only_live += live && !found->known;
	comparison->only_found += !live && !found->known;
	if (week) {
		week->live += live;
		week->found += !live;
	}
}

static void count_verdict(const struct backtest_found *found,
			  struct backtest_comparison *comparison)
{
	if (found->verdict == FEEDBACK_YES) {
		comparison->confirmed++;
		comparison->caught += found->known;
	} else if (found->verdict == FEEDBACK_NO) {
		comparison->dismissed++;
		comparison->dropped += !found->known;
	}
}

int backtest_compare(struct backtest *backtest, struct backtest_comparison *comparison)
{
	*comparison = (struct backtest_comparison){0};
	int error = make_weeks(backtest, comparison);
	if (error < 0)
		return error;
	mark_known(backtest);
	for (uint32_t i = 0; i < backtest->live.count; i++) {
		const struct backtest_found *found = &backtest->live.found[i];
		if (!backtest_counts(backtest, found))
			continue;
		count(found, true, comparison);
		count_verdict(found, comparison);
	}
	for (uint32_t i = 0; i < backtest->found.count; i++)
		if (backtest_counts(backtest, &backtest->found.found[i]))
			count(&backtest->found.found[i], false, comparison);
	return 0;
}
