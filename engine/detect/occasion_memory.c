/*
 * occasion_memory: room for what a calendar means to a bank, and what of it outlives a process. See
 * occasion.h.
 *
 * Runs on: the shard that owns the metric. Allocates in occasion_prepare() and load only.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/match.h"
#include "detect/life.h"
#include "detect/occasion.h"

static bool is_event(const struct occasion_event *event, const struct calendar_entry *entry)
{
	return strcmp(event->name, entry->name) == 0 && strcmp(event->slice, entry->slice) == 0;
}

int32_t occasion_find(const struct occasion *occasion, const struct calendar_entry *entry)
{
	for (uint32_t i = 0; i < occasion->events_count; i++)
		if (is_event(&occasion->events[i], entry))
			return (int32_t)i;
	return -1;
}

static void free_event(struct occasion_event *event)
{
	free(event->covered);
	free(event->past);
}

void occasion_forget(struct occasion *occasion)
{
	const struct calendar *calendar = occasion->calendar;

	for (uint32_t i = 0; i < occasion->events_count; i++)
		free_event(&occasion->events[i]);
	free(occasion->events);
	free(occasion->now);
	free(occasion->expect);
	free(occasion->excluded);
	free(occasion->paused);
	*occasion = (struct occasion){.calendar = calendar};
}

/* Zeroed, with what there was. NULL: no memory, and nothing has changed. */
static void *grown(void *from, size_t count, size_t capacity, size_t bytes)
{
	void *to = calloc(capacity, bytes);

	if (!to)
		return NULL;
	if (count)
		memcpy(to, from, count * bytes);
	free(from);
	return to;
}

static int grow_event(struct occasion_event *event, uint32_t slices, uint32_t capacity)
{
	void *covered = grown(event->covered, slices, capacity, 1);

	if (!covered)
		return -ENOMEM;
	event->covered = covered;
	void *past = grown(event->past, slices, capacity, sizeof(struct occasion_past));
	if (!past)
		return -ENOMEM;
	event->past = past;
	return 0;
}

static int grow(struct occasion *occasion, uint32_t capacity)
{
	for (uint32_t i = 0; i < occasion->events_count; i++)
		if (grow_event(&occasion->events[i], occasion->capacity, capacity) < 0)
			return -ENOMEM;
	/* These say nothing from one interval to the next. */
	double *expect = calloc(capacity, sizeof(double));
	uint8_t *excluded = calloc(capacity, 1), *paused = calloc(capacity, 1);
	if (!expect || !excluded || !paused) {
		free(expect), free(excluded), free(paused);
		return -ENOMEM;
	}
	free(occasion->expect), free(occasion->excluded), free(occasion->paused);
	occasion->expect = expect;
	occasion->excluded = excluded;
	occasion->paused = paused;
	occasion->capacity = capacity;
	return 0;
}

/* Room for another event: of those that the calendar does not want any more the one that was
 * longest ago. OCCASION_EVENTS_MAX: all are wanted. None of these gives way: which ones are
 * remembered would depend on how often the calendar is looked at, and a start does that again. */
static uint32_t oldest(const struct occasion *occasion)
{
	uint32_t at = OCCASION_EVENTS_MAX;

	for (uint32_t i = 0; i < OCCASION_EVENTS_MAX; i++)
		if (!occasion->events[i].wanted &&
		    (at == OCCASION_EVENTS_MAX ||
		     occasion->events[i].noted < occasion->events[at].noted))
			at = i;
	return at;
}

static int add_event(struct occasion *occasion, const struct calendar_entry *entry)
{
	struct occasion_event event = {.noted = INT64_MIN, .wanted = true};
	uint32_t at = occasion->events_count;

	if (at == OCCASION_EVENTS_MAX)
		at = oldest(occasion);
	if (at == OCCASION_EVENTS_MAX)
		return 0;
	if (!occasion->events)
		occasion->events = calloc(OCCASION_EVENTS_MAX, sizeof(*occasion->events));
	if (!occasion->events || grow_event(&event, 0, occasion->capacity) < 0) {
		free_event(&event);
		return -ENOMEM;
	}
	memcpy(event.name, entry->name, sizeof(event.name));
	memcpy(event.slice, entry->slice, sizeof(event.slice));
	if (at < occasion->events_count)
		free_event(&occasion->events[at]);
	else
		occasion->events_count++;
	occasion->events[at] = event;
	return 0;
}

/* Which events are compared with last year's. */
static int want_events(struct bank *bank)
{
	struct occasion *occasion = &bank->occasion;
	const struct calendar *calendar = occasion->calendar;

	for (uint32_t i = 0; i < occasion->events_count; i++)
		occasion->events[i].wanted = false;
	/* First those that are there, so that none of them gives way to a new one. */
	for (uint32_t pass = 0; pass < 2; pass++)
		for (uint32_t i = 0; i < calendar->count; i++) {
			const struct calendar_entry *entry = &calendar->entries[i];
			if (entry->effect != CALENDAR_LAST_YEAR ||
			    !calendar_concerns(entry, bank->source, bank->metric))
				continue;
			int32_t event = occasion_find(occasion, entry);
			if (event >= 0)
				occasion->events[event].wanted = true;
			else if (pass == 1 && add_event(occasion, entry) < 0)
				return -ENOMEM;
		}
	return 0;
}

static void cover(struct bank *bank)
{
	for (uint32_t i = 0; i < bank->occasion.events_count; i++) {
		struct occasion_event *event = &bank->occasion.events[i];
		for (; event->covered_count < bank->slices; event->covered_count++)
			event->covered[event->covered_count] =
				match_slice(event->slice, bank->labels[event->covered_count]);
	}
}

int occasion_prepare(struct bank *bank)
{
	struct occasion *occasion = &bank->occasion;
	const struct calendar *calendar = occasion->calendar;

	if (!calendar || (calendar->count == 0 && !occasion->prepared && !occasion->events_count))
		return 0;
	if (occasion->prepared && occasion->version == calendar->version &&
	    occasion->slices == bank->slices)
		return 0;
	if (occasion->capacity < bank->capacity && grow(occasion, bank->capacity) < 0)
		return -ENOMEM;
	if (occasion->now_capacity < calendar->count) {
		free(occasion->now);
		occasion->now = calloc(calendar->count, sizeof(*occasion->now));
		occasion->now_capacity = occasion->now ? calendar->count : 0;
		if (!occasion->now)
			return -ENOMEM;
	}
	if ((!occasion->prepared || occasion->version != calendar->version) &&
	    want_events(bank) < 0)
		return -ENOMEM;
	cover(bank);
	occasion->prepared = true;
	occasion->version = calendar->version;
	occasion->slices = bank->slices;
	occasion->since_ms = occasion->until_ms = 0; /* what was worked out holds no longer */
	return 0;
}

uint64_t occasion_bytes(const struct occasion *occasion)
{
	uint64_t slice = sizeof(double) + 2 +
			 occasion->events_count * (1 + sizeof(struct occasion_past));

	return occasion->capacity * slice + occasion->now_capacity * sizeof(*occasion->now) +
	       (occasion->events ? OCCASION_EVENTS_MAX * sizeof(*occasion->events) : 0);
}

static void put_past(struct bytes *out, const struct occasion_past *past)
{
	bytes_put_u64(out, past->known);
	for (uint32_t part = 0; part < OCCASION_PARTS; part++) {
		if (!(past->known >> part & 1))
			continue;
		bytes_put_f64(out, past->ratio[part]);
		bytes_put_f64(out, past->evidence[part]);
	}
	bytes_put_f64(out, past->observed);
	bytes_put_f64(out, past->expected);
	bytes_put_f64(out, past->events);
}

static bool empty(const struct occasion_past *past)
{
	return past->known == 0 && !(past->expected > 0);
}

static void put_event(const struct bank *bank, const struct occasion_event *event,
		      struct bytes *out)
{
	uint32_t count = 0;

	bytes_put_text(out, event->name);
	bytes_put_text(out, event->slice);
	bytes_put_u64(out, (uint64_t)event->noted);
	bytes_put_u32(out, event->open);
	bytes_put_u32(out, event->part);
	for (uint32_t i = 0; i < event->covered_count; i++)
		count += !empty(&event->past[i]);
	bytes_put_u32(out, count);
	for (uint32_t i = 0; i < bank->slices && i < event->covered_count; i++) {
		if (empty(&event->past[i]))
			continue;
		bytes_put_u32(out, i);
		put_past(out, &event->past[i]);
	}
}

void occasion_save(const struct bank *bank, struct bytes *out)
{
	bytes_put_u32(out, bank->occasion.events_count);
	for (uint32_t i = 0; i < bank->occasion.events_count; i++)
		put_event(bank, &bank->occasion.events[i], out);
}

/* What may be added up and divided: from 0 on. */
static float get_amount(struct bytes_reader *in)
{
	float amount = (float)bytes_get_f64(in);

	in->failed |= !(isfinite(amount) && amount >= 0);
	return amount;
}

static void get_past(struct bytes_reader *in, struct occasion_past *past)
{
	memset(past, 0, sizeof(*past));
	past->known = bytes_get_u64(in);
	in->failed |= past->known >> OCCASION_PARTS != 0;
	for (uint32_t part = 0; part < OCCASION_PARTS && !in->failed; part++) {
		if (!(past->known >> part & 1))
			continue;
		past->ratio[part] = get_amount(in);
		past->evidence[part] = get_amount(in);
	}
	/* Of a part of an interval: less than the rest would have had. */
	past->observed = (float)bytes_get_f64(in);
	in->failed |= !isfinite(past->observed);
	past->expected = get_amount(in);
	past->events = get_amount(in);
}

static int get_event(struct bank *bank, struct bytes_reader *in)
{
	struct occasion *occasion = &bank->occasion;
	struct calendar_entry entry = {0};

	bytes_get_text(in, entry.name, sizeof(entry.name));
	bytes_get_text(in, entry.slice, sizeof(entry.slice));
	if (in->failed || !entry.name[0] || occasion_find(occasion, &entry) >= 0)
		return -EPROTO;
	if (add_event(occasion, &entry) < 0)
		return -ENOMEM;
	struct occasion_event *event = &occasion->events[occasion->events_count - 1];
	event->noted = (int64_t)bytes_get_u64(in);
	event->open = bytes_get_u32(in) != 0;
	event->part = bytes_get_u32(in);
	uint32_t count = bytes_get_u32(in);
	int64_t last = -1;
	if (in->failed || event->part >= OCCASION_PARTS || count > bank->slices)
		return -EPROTO;
	cover(bank);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t slice = bytes_get_u32(in);
		if (in->failed || slice >= bank->slices || slice <= last || !event->covered[slice])
			return -EPROTO;
		get_past(in, &event->past[slice]);
		last = slice;
	}
	return in->failed ? -EPROTO : 0;
}

int occasion_load(struct bank *bank, struct bytes_reader *in)
{
	struct occasion *occasion = &bank->occasion;
	uint32_t count = bytes_get_u32(in);
	int error = 0;

	occasion_forget(occasion);
	if (in->failed || count > OCCASION_EVENTS_MAX)
		return -EPROTO;
	if (count && grow(occasion, bank->capacity) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < count && !error; i++)
		error = get_event(bank, in);
	if (error)
		occasion_forget(occasion);
	return error;
}
