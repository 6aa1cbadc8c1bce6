/*
 * occasion: see occasion.h.
 *
 * Runs on: the shard that owns the metric. Never allocates.
 */
#include "detect/occasion.h"

#include <math.h>
#include <string.h>

#include "detect/life.h"
#include "detect/math.h"
#include "detect/values.h"

#define HOUR_MS INT64_C(3600000)
/* So many events, as expected, have the same say as the event's own. */
#define SHRINK_EVENTS 5.0
/* Factors of several entries, and of a memory, end there. */
#define FACTOR_MIN 0.01
#define FACTOR_MAX 100.0
/* An entry that covers less of an interval or a period is nothing to it: a month in which an hour
 * is left out is still a month. */
#define SHARE_MIN 0.05

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* The part of an occurrence that the middle of its share of a stretch lies in; and its end. */
static uint32_t part_of(const struct occasion_now *now, int64_t start_ms, int64_t end_ms,
			int64_t *ret_end_ms)
{
	int64_t length_ms = now->until_ms - now->from_ms;
	int64_t part_ms = most(HOUR_MS, (length_ms + OCCASION_PARTS - 1) / OCCASION_PARTS);
	int64_t from = most(start_ms, now->from_ms), until = least(end_ms, now->until_ms);
	int64_t part = (from + (until - from) / 2 - now->from_ms) / part_ms;

	*ret_end_ms = now->from_ms + (part + 1) * part_ms;
	return (uint32_t)least(part, OCCASION_PARTS - 1);
}

/* Which share of the stretch the entry covers. */
static double share_of(const struct occasion_now *now, int64_t start_ms, int64_t end_ms)
{
	int64_t from = most(start_ms, now->from_ms), until = least(end_ms, now->until_ms);

	return (double)(until - from) / (double)(end_ms - start_ms);
}

/* Which entries the stretch is of, and until when it is of no other ones. */
static void look(struct bank *bank, int64_t start_ms, int64_t end_ms)
{
	struct occasion *occasion = &bank->occasion;
	const struct calendar *calendar = occasion->calendar;

	occasion->now_count = 0;
	occasion->since_ms = start_ms;
	occasion->until_ms = INT64_MAX;
	for (uint32_t i = 0; i < calendar->count; i++) {
		const struct calendar_entry *entry = &calendar->entries[i];
		struct occasion_now now = {.entry = i};
		int64_t changes_ms;
		if (!calendar_concerns(entry, bank->source, bank->metric) ||
		    !calendar_next(entry, bank->zone, start_ms, &now.from_ms, &now.until_ms))
			continue;
		now.event = occasion_find(occasion, entry);
		if (now.from_ms >= end_ms) {
			changes_ms = now.from_ms;
		} else if (share_of(&now, start_ms, end_ms) < SHARE_MIN) {
			changes_ms = end_ms;
		} else {
			changes_ms = now.until_ms;
			if (now.event >= 0)
				part_of(&now, start_ms, end_ms, &changes_ms);
			changes_ms = least(changes_ms, now.until_ms);
			/* Only in part: this stretch is like no other. */
			if (now.from_ms > start_ms || changes_ms < end_ms)
				changes_ms = end_ms;
			occasion->now[occasion->now_count++] = now;
		}
		occasion->until_ms = least(occasion->until_ms, changes_ms);
	}
}

/* What the memory of an event says of a slice. false: there is none. */
static bool recall(const struct occasion_past *past, uint32_t part, double *ret_factor)
{
	double evidence = past->evidence[part];

	if (!(past->known >> part & 1))
		return false;
	*ret_factor = (evidence * past->ratio[part] + SHRINK_EVENTS) / (evidence + SHRINK_EVENTS);
	return true;
}

/* An entry of the same name that says last-year takes the place of one that says how much, and of
 * one that says the same and was added before. */
static bool replaced(const struct occasion *occasion, const struct calendar_entry *entry,
		     const char *label)
{
	bool same = entry->effect == CALENDAR_LAST_YEAR;

	for (uint32_t i = 0; i < occasion->now_count; i++) {
		const struct calendar_entry *other =
			&occasion->calendar->entries[occasion->now[i].entry];
		if (other->effect == CALENDAR_LAST_YEAR && strcmp(other->name, entry->name) == 0 &&
		    (!same || other->number > entry->number) && calendar_covers(other, label))
			return true;
	}
	return false;
}

/* An entry that covers the slice. */
static void weigh_entry(struct occasion *occasion, const struct occasion_now *now, uint32_t slice,
			const char *label, int64_t start_ms, int64_t end_ms)
{
	const struct calendar_entry *entry = &occasion->calendar->entries[now->entry];
	double factor = 1, share = share_of(now, start_ms, end_ms);
	int64_t end;

	if (entry->effect == CALENDAR_EXCLUDE) {
		occasion->excluded[slice] = 1;
	} else if (replaced(occasion, entry, label)) {
		return;
	} else if (entry->effect == CALENDAR_LAST_YEAR) {
		/* One that found no room among the events has no memory either. */
		if (now->event < 0 || !recall(&occasion->events[now->event].past[slice],
					      part_of(now, start_ms, end_ms, &end), &factor))
			occasion->excluded[slice] = 1;
		factor = 1 + (factor - 1) * share;
	} else if (occasion->adds || entry->metric[0]) {
		factor = 1 + entry->percent / 100 * share;
	}
	factor = math_max(math_min(occasion->expect[slice] * factor, FACTOR_MAX), FACTOR_MIN);
	occasion->expect[slice] = factor;
	if (!calendar_learns(entry))
		occasion->paused[slice] = 1;
}

/* What follows for each slice. */
static void weigh(struct bank *bank, int64_t start_ms, int64_t end_ms)
{
	struct occasion *occasion = &bank->occasion;

	occasion->expects = occasion->excludes = occasion->pauses = false;
	for (uint32_t i = 0; i < bank->slices && occasion->now_count; i++) {
		occasion->expect[i] = 1;
		occasion->excluded[i] = occasion->paused[i] = 0;
		for (uint32_t n = 0; n < occasion->now_count; n++) {
			const struct occasion_now *now = &occasion->now[n];
			if (calendar_covers(&occasion->calendar->entries[now->entry],
					    bank->labels[i]))
				weigh_entry(occasion, now, i, bank->labels[i], start_ms, end_ms);
		}
		occasion->expects |= occasion->expect[i] < 1 || occasion->expect[i] > 1;
		occasion->excludes |= occasion->excluded[i];
		occasion->pauses |= occasion->paused[i];
	}
}

const struct observations *occasion_mark(struct bank *bank, const struct observations *observations,
					 int64_t start_ms, int64_t end_ms)
{
	struct occasion *occasion = &bank->occasion;

	if (!occasion->prepared)
		return observations;
	occasion->adds = value_adds(observations->aggregation);
	if (start_ms < occasion->since_ms || end_ms > occasion->until_ms) {
		look(bank, start_ms, end_ms);
		weigh(bank, start_ms, end_ms);
	}
	if (occasion->now_count == 0)
		return observations;
	if (observations != &bank->placed)
		bank->placed = *observations;
	bank->placed.expect = occasion->expects ? occasion->expect : NULL;
	bank->placed.excluded = occasion->excludes ? occasion->excluded : NULL;
	bank->placed.paused = occasion->pauses ? occasion->paused : NULL;
	return &bank->placed;
}

/* The part is over: what came of it is remembered in the place of what was. */
static void conclude(struct occasion_event *event)
{
	for (uint32_t i = 0; i < event->covered_count; i++) {
		struct occasion_past *past = &event->past[i];
		float observed = past->observed > 0 ? past->observed : 0;
		float ratio = past->expected > 0 ? observed / past->expected : (float)NAN;
		if (isfinite(ratio) && isfinite(past->events)) {
			past->known |= UINT64_C(1) << event->part;
			past->ratio[event->part] = ratio;
			past->evidence[event->part] = past->events;
		}
		past->observed = past->expected = past->events = 0;
	}
	event->open = false;
}

/* A value and what would have been without the event, which covers so much of its interval: the
 * rest is taken to have been as usual. */
static void note_slice(struct occasion_past *past, double value, double usual, double events,
		       double share)
{
	/* Of what may be below zero there is no multiple. */
	if (!(value >= 0) || !isfinite(value) || !(usual > 0) || !isfinite(usual))
		return;
	past->observed += (float)(value - usual * (1 - share));
	past->expected += (float)(usual * share);
	past->events += (float)(events * share);
}

static void note_event(struct bank *bank, struct occasion_event *event,
		       const struct observations *observations, double share)
{
	bool count = observations->aggregation == AGGREGATE_COUNT ||
		     observations->aggregation == AGGREGATE_DISTINCT;

	for (uint32_t i = 0; i < bank->slices; i++) {
		double factor = observations->expect ? observations->expect[i] : 1;
		double usual = bank->verdicts.expected[i] / factor;
		if (event->covered[i])
			note_slice(&event->past[i], observations->value[i], usual,
				   count ? usual : observations->events[i], share);
	}
}

void occasion_note(struct bank *bank, const struct observations *observations, int64_t start_ms,
		   int64_t end_ms)
{
	struct occasion *occasion = &bank->occasion;
	bool incomplete = observations->flags & OBSERVATION_INCOMPLETE;

	if (!occasion->prepared)
		return;
	for (uint32_t e = 0; e < occasion->events_count; e++) {
		struct occasion_event *event = &occasion->events[e];
		const struct occasion_now *now = occasion->now;
		const struct occasion_now *last = now + occasion->now_count;
		int64_t end;
		/* Of several at once the one that was added first says which part it is. */
		while (now < last && now->event != (int32_t)e)
			now++;
		uint32_t part = now < last ? part_of(now, start_ms, end_ms, &end) : 0;
		if (event->open && (now == last || part != event->part))
			conclude(event);
		if (now == last)
			continue;
		event->open = true;
		event->part = part;
		event->noted = observations->interval;
		if (!incomplete)
			note_event(bank, event, observations, share_of(now, start_ms, end_ms));
	}
}
