/*
 * calendar_show: see calendar_show.h.
 */
#include "calendar_show.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "base/zone.h"
#include "input_calendar.h"
#include "member.h"
#include "text.h"

#define DAY_MS INT64_C(86400000)

/* An entry's occurrence in the year that is asked for. */
struct occurrence {
	int64_t from_ms, until_ms, offset_ms; /* unix; local time minus UTC at its beginning */
	const json_t *members;
};

static void print_scope(const json_t *members)
{
	static const char *const about[] = {"source", "metric", "slice"};

	for (size_t i = 0; i < sizeof(about) / sizeof(about[0]); i++)
		if (text_of(members, about[i])[0])
			printf(" %s=%s", about[i], text_of(members, about[i]));
}

static void print_rule(const json_t *members)
{
	const char *weekday = text_of(members, "weekday");
	long long shift = whole_of(members, "shift"), length_ms = whole_of(members, "length_ms");
	long long days = whole_of(members, "days");
	const json_t *only = json_object_get(members, "only"), *value;
	size_t i;

	if (text_of(members, "date")[0])
		printf("each %s", text_of(members, "date"));
	else
		printf("%s easter", text_of(members, "easter"));
	json_array_foreach(only, i, value)
	{
		printf("%s%s", i ? "|" : " on a ", json_string_value(value));
	}
	if (weekday[0])
		printf(", %s from there", weekday);
	if (shift)
		printf(", %+lld day%s", shift, shift == 1 || shift == -1 ? "" : "s");
	if (text_of(members, "at")[0])
		printf(" at %s", text_of(members, "at"));
	if (length_ms)
		printf(" for %g h", (double)length_ms / 3600000);
	else if (days > 1)
		printf(" for %lld days", days);
	if (whole_of(members, "first_year") || whole_of(members, "last_year"))
		printf(" %.0lld-%.0lld", whole_of(members, "first_year"),
		       whole_of(members, "last_year"));
}

static void print_when(const json_t *members)
{
	char from[TEXT_TIME_BYTES], until[TEXT_TIME_BYTES];

	if (!json_object_get(members, "from_ms")) {
		print_rule(members);
	} else {
		text_time(from, whole_of(members, "from_ms"));
		text_time(until, whole_of(members, "until_ms"));
		printf("%.16sZ to %.16sZ", from, until);
	}
	if (text_of(members, "zone")[0])
		printf(" %s", text_of(members, "zone"));
}

static const char *effect_of(const json_t *members)
{
	const char *effect = text_of(members, "effect");

	return effect[0] ? effect : "exclude";
}

static void print_entry(const json_t *members)
{
	char time[TEXT_TIME_BYTES];
	const json_t *learn = json_object_get(members, "learn");

	printf("%4lld  %-24s %-13s ", whole_of(members, "number"), text_of(members, "name"),
	       effect_of(members));
	print_when(members);
	print_scope(members);
	if (learn)
		printf(" learn=%s", json_is_true(learn) ? "yes" : "no");
	if (text_of(members, "set")[0])
		printf(" (set %s)", text_of(members, "set"));
	text_time(time, whole_of(members, "time_ms"));
	printf("  %s %.16sZ", text_of(members, "author"), time);
	if (json_object_get(members, "ended"))
		printf(" (removed)");
	if (text_of(members, "text")[0])
		printf("  %s", text_of(members, "text"));
	putchar('\n');
}

void calendar_show_entries(const json_t *entries)
{
	/* The engine says the newest first. */
	for (size_t i = json_array_size(entries); i > 0; i--)
		print_entry(json_array_get(entries, i - 1));
}

/* The zone of an entry by this machine's database; NULL: none, or not known here. */
static struct zone *zone_of(const json_t *members)
{
	struct zone *zone = NULL;
	char why[512];

	if (text_of(members, "zone")[0])
		(void)zone_load(text_of(members, "zone"), &zone, why, sizeof(why));
	return zone;
}

/* Where the entry begins in the year, by its clock. false: it does not. */
static bool find(const json_t *members, int64_t year, struct occurrence *ret)
{
	int64_t begin_ms = civil_day(year, 1, 1) * DAY_MS;
	int64_t end_ms = civil_day(year + 1, 1, 1) * DAY_MS;
	struct zone *zone = zone_of(members);
	struct calendar_entry entry;
	char why[256];
	bool found = false;

	if (input_calendar_read(members, &entry, why, sizeof(why)) == 0) {
		int64_t after_ms = begin_ms - 2 * DAY_MS;
		while (!found &&
		       calendar_next(&entry, zone, after_ms, &ret->from_ms, &ret->until_ms)) {
			ret->offset_ms = zone_offset_ms(zone, ret->from_ms);
			if (ret->from_ms + ret->offset_ms >= end_ms)
				break;
			found = ret->from_ms + ret->offset_ms >= begin_ms;
			after_ms = ret->until_ms;
		}
		zone_free((struct zone *)(uintptr_t)entry.zone);
	}
	ret->members = members;
	zone_free(zone);
	return found;
}

static int in_order(const void *left, const void *right)
{
	const struct occurrence *a = left, *b = right;
	int64_t begin_a = a->from_ms + a->offset_ms, begin_b = b->from_ms + b->offset_ms;

	if (begin_a != begin_b)
		return begin_a < begin_b ? -1 : 1;
	return strcmp(text_of(a->members, "name"), text_of(b->members, "name"));
}

static void print_occurrence(const struct occurrence *occurrence, bool json)
{
	static const char *const weekdays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	int64_t local_ms = occurrence->from_ms + occurrence->offset_ms;
	char time[TEXT_TIME_BYTES];

	if (json) {
		json_t *object = json_pack("{sI sI}", "from_ms", (json_int_t)occurrence->from_ms,
					   "until_ms", (json_int_t)occurrence->until_ms);
		json_object_update_missing(object, (json_t *)(uintptr_t)occurrence->members);
		json_dumpf(object, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
		putchar('\n');
		json_decref(object);
		return;
	}
	text_time(time, local_ms);
	printf("%.10s %s %.5s  %5.4g h  %-28s %-13s", time,
	       weekdays[civil_weekday(civil_floor_div(local_ms, DAY_MS))], time + 11,
	       (double)(occurrence->until_ms - occurrence->from_ms) / 3600000,
	       text_of(occurrence->members, "name"), effect_of(occurrence->members));
	print_scope(occurrence->members);
	if (text_of(occurrence->members, "zone")[0])
		printf(" %s", text_of(occurrence->members, "zone"));
	putchar('\n');
}

int calendar_show_year(const json_t *entries, int64_t year, bool json)
{
	size_t count = json_array_size(entries), used = 0;
	struct occurrence *found = calloc(count + 1, sizeof(*found));

	if (!found)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		used += find(json_array_get(entries, i), year, &found[used]);
	qsort(found, used, sizeof(*found), in_order);
	for (size_t i = 0; i < used; i++)
		print_occurrence(&found[i], json);
	free(found);
	return 0;
}
