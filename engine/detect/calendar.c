/*
 * calendar: entries in order of their numbers. See calendar.h.
 *
 * Runs on: the thread of its scorer. Allocates when an entry is added.
 */
#include "detect/calendar.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "base/match.h"
#include "base/zone.h"

#define DAY_MS INT64_C(86400000)
#define CALENDAR_MAGIC UINT32_C(0x314c4143) /* "CAL1" */
/* Times have 42 bits, in milliseconds. */
#define TIME_MAX_MS (INT64_C(1) << 42)
/* A zone's line in a checkpoint. */
#define ZONE_BYTES_MAX 65536u

struct calendar *calendar_create(void)
{
	return calloc(1, sizeof(struct calendar));
}

static void forget(struct calendar_entry *entry)
{
	zone_free((struct zone *)(uintptr_t)entry->zone);
}

void calendar_clear(struct calendar *calendar)
{
	for (uint32_t i = 0; i < calendar->count; i++)
		forget(&calendar->entries[i]);
	calendar->count = 0;
	calendar->version++;
}

void calendar_destroy(struct calendar *calendar)
{
	if (!calendar)
		return;
	calendar_clear(calendar);
	free(calendar->entries);
	free(calendar);
}

static int make_room(struct calendar *calendar)
{
	uint32_t capacity = calendar->capacity ? 2 * calendar->capacity : 16;

	if (calendar->count < calendar->capacity)
		return 0;
	struct calendar_entry *entries = realloc(calendar->entries, capacity * sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	calendar->entries = entries;
	calendar->capacity = capacity;
	return 0;
}

/* Where the number is, or belongs. */
static uint32_t place_of(const struct calendar *calendar, uint64_t number)
{
	uint32_t at = calendar->count;

	while (at > 0 && calendar->entries[at - 1].number >= number)
		at--;
	return at;
}

int calendar_add(struct calendar *calendar, const struct calendar_entry *entry)
{
	uint32_t at = place_of(calendar, entry->number);
	struct zone *zone = zone_copy(entry->zone);

	if ((entry->zone && !zone) || make_room(calendar) < 0) {
		zone_free(zone);
		return -ENOMEM;
	}
	struct calendar_entry *to = &calendar->entries[at];
	if (at < calendar->count && to->number == entry->number) {
		forget(to);
	} else if (calendar->count == CALENDAR_ENTRIES_MAX) {
		zone_free(zone);
		return -ENOSPC;
	} else {
		memmove(to + 1, to, (calendar->count - at) * sizeof(*to));
		calendar->count++;
	}
	*to = *entry;
	to->zone = zone;
	calendar->version++;
	return 0;
}

bool calendar_remove(struct calendar *calendar, uint64_t number)
{
	uint32_t at = place_of(calendar, number);
	struct calendar_entry *entry = &calendar->entries[at];

	if (at == calendar->count || entry->number != number)
		return false;
	forget(entry);
	calendar->count--;
	memmove(entry, entry + 1, (calendar->count - at) * sizeof(*entry));
	calendar->version++;
	return true;
}

static const char *wrong_span(const struct calendar_entry *entry)
{
	if (entry->from_ms < -TIME_MAX_MS || entry->until_ms > TIME_MAX_MS)
		return "it is further away than times go (the year 2109)";
	if (entry->until_ms <= entry->from_ms)
		return "it ends before it begins";
	if (entry->until_ms - entry->from_ms > CALENDAR_LENGTH_DAYS_MAX * DAY_MS)
		return "it lasts longer than a year";
	return NULL;
}

static bool within(int64_t value, int64_t least, int64_t most)
{
	return value >= least && value <= most;
}

static const char *wrong_rule(const struct calendar_entry *entry)
{
	/* 2000 was a leap year. */
	if (entry->when == CALENDAR_DATE &&
	    (!within(entry->month, 1, 12) ||
	     !within(entry->day, 1, civil_month_days(2000, entry->month))))
		return "there is no such date";
	if (entry->only > 127 || !within(entry->weekday, -1, 6))
		return "there is no such weekday";
	if (!within(entry->days, -CALENDAR_LENGTH_DAYS_MAX, CALENDAR_LENGTH_DAYS_MAX))
		return "it is more than a year from its date";
	if ((entry->first_year &&
	     !within(entry->first_year, CALENDAR_YEAR_MIN, CALENDAR_YEAR_MAX)) ||
	    (entry->last_year && !within(entry->last_year, CALENDAR_YEAR_MIN, CALENDAR_YEAR_MAX)))
		return "years go from 1970 to 2109";
	if (!within(entry->at_ms, 0, DAY_MS - 1))
		return "it begins at a time of day: 00:00 to 23:59";
	if ((entry->length_ms == 0) == (entry->length_days == 0))
		return "it lasts so many days, or so long";
	if (!within(entry->length_days, 0, CALENDAR_LENGTH_DAYS_MAX) ||
	    !within(entry->length_ms, 0, CALENDAR_LENGTH_DAYS_MAX * DAY_MS))
		return "it lasts a year at most";
	return NULL;
}

const char *calendar_wrong(const struct calendar_entry *entry)
{
	if (!entry->name[0])
		return "it has no name";
	if ((unsigned)entry->when > CALENDAR_ORTHODOX ||
	    (unsigned)entry->effect > CALENDAR_LAST_YEAR ||
	    (unsigned)entry->learn > CALENDAR_LEARN_YES)
		return "it is of a kind that is not known";
	if (entry->effect == CALENDAR_EXPECT &&
	    !(entry->percent >= CALENDAR_EXPECT_MIN && entry->percent <= CALENDAR_EXPECT_MAX))
		return "what is expected is between 95 per cent less and 9900 per cent more";
	if (entry->effect == CALENDAR_EXCLUDE && entry->learn == CALENDAR_LEARN_YES)
		return "what is excluded is not learned from: expect or last-year may be";
	return entry->when == CALENDAR_ONCE ? wrong_span(entry) : wrong_rule(entry);
}

bool calendar_printable(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

bool calendar_learns(const struct calendar_entry *entry)
{
	if (entry->learn == CALENDAR_LEARN_DEFAULT)
		return entry->effect == CALENDAR_EXPECT;
	return entry->learn == CALENDAR_LEARN_YES && entry->effect != CALENDAR_EXCLUDE;
}

bool calendar_concerns(const struct calendar_entry *entry, const char *source, const char *metric)
{
	return (!entry->source[0] || match_glob(entry->source, source)) &&
	       (!entry->metric[0] || match_glob(entry->metric, metric));
}

bool calendar_covers(const struct calendar_entry *entry, const char *label)
{
	return match_slice(entry->slice, label);
}

static void put_entry(struct bytes *out, const struct calendar_entry *entry)
{
	const int64_t numbers[] = {
		entry->when,        entry->from_ms,   entry->until_ms, entry->month,
		entry->day,         entry->only,      entry->weekday,  entry->days,
		entry->first_year,  entry->last_year, entry->at_ms,    entry->length_ms,
		entry->length_days, entry->effect,    entry->learn,
	};
	struct bytes line = {0};

	bytes_put_u64(out, entry->number);
	bytes_put_text(out, entry->name);
	bytes_put_text(out, entry->source);
	bytes_put_text(out, entry->metric);
	bytes_put_text(out, entry->slice);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		bytes_put_u64(out, (uint64_t)numbers[i]);
	bytes_put_f64(out, entry->percent);
	if (entry->zone)
		zone_save(entry->zone, &line);
	bytes_put_u32(out, (uint32_t)line.used);
	bytes_put(out, line.data, line.used);
	out->failed |= line.failed;
	bytes_fini(&line);
}

/* A number that fits a field of 32 bits. */
static int32_t get_small(struct bytes_reader *in)
{
	int64_t value = (int64_t)bytes_get_u64(in);

	in->failed |= value < INT32_MIN || value > INT32_MAX;
	return (int32_t)value;
}

static void get_when(struct bytes_reader *in, struct calendar_entry *entry)
{
	entry->when = (enum calendar_when)get_small(in);
	entry->from_ms = (int64_t)bytes_get_u64(in);
	entry->until_ms = (int64_t)bytes_get_u64(in);
	entry->month = get_small(in);
	entry->day = get_small(in);
	entry->only = (uint32_t)get_small(in);
	entry->weekday = get_small(in);
	entry->days = get_small(in);
	entry->first_year = get_small(in);
	entry->last_year = get_small(in);
	entry->at_ms = (int64_t)bytes_get_u64(in);
	entry->length_ms = (int64_t)bytes_get_u64(in);
	entry->length_days = get_small(in);
	entry->effect = (enum calendar_effect)get_small(in);
	entry->learn = (enum calendar_learn)get_small(in);
}

/* Its zone is the caller's. */
static int get_entry(struct bytes_reader *in, struct calendar_entry *entry)
{
	struct zone *zone = NULL;

	memset(entry, 0, sizeof(*entry));
	entry->number = bytes_get_u64(in);
	bytes_get_text(in, entry->name, sizeof(entry->name));
	bytes_get_text(in, entry->source, sizeof(entry->source));
	bytes_get_text(in, entry->metric, sizeof(entry->metric));
	bytes_get_text(in, entry->slice, sizeof(entry->slice));
	get_when(in, entry);
	entry->percent = bytes_get_f64(in);
	uint32_t bytes = bytes_get_u32(in);
	const char *line = bytes <= ZONE_BYTES_MAX ? bytes_get(in, bytes) : NULL;
	if (!line || in->failed || calendar_wrong(entry))
		return -EPROTO;
	int error = bytes ? zone_read(line, bytes, &zone) : 0;
	entry->zone = zone;
	return error;
}

void calendar_save(const struct calendar *calendar, struct bytes *out)
{
	bytes_put_u32(out, CALENDAR_MAGIC);
	bytes_put_u32(out, calendar->count);
	for (uint32_t i = 0; i < calendar->count; i++)
		put_entry(out, &calendar->entries[i]);
}

int calendar_load(struct calendar *calendar, struct bytes_reader *in)
{
	uint32_t magic = bytes_get_u32(in), count = bytes_get_u32(in);
	uint64_t last = 0;
	int error = 0;

	calendar_clear(calendar);
	if (in->failed || magic != CALENDAR_MAGIC || count > CALENDAR_ENTRIES_MAX)
		return -EPROTO;
	for (uint32_t i = 0; i < count && !error; i++) {
		struct calendar_entry entry;
		error = get_entry(in, &entry);
		if (!error && entry.number <= last)
			error = -EPROTO;
		if (!error)
			error = calendar_add(calendar, &entry);
		last = entry.number;
		forget(&entry);
	}
	if (error)
		calendar_clear(calendar);
	return error;
}
