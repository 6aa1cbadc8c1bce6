/*
 * ical_event: the values of an event's properties, and an entry of them. See ical.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/civil.h"
#include "base/zone.h"
#include "ical_private.h"

#define DAY_MS INT64_C(86400000)

/* Exactly so many digits. */
static bool digits(const char **at, int count, int *ret_value)
{
	*ret_value = 0;
	for (int i = 0; i < count; i++, (*at)++) {
		if (**at < '0' || **at > '9')
			return false;
		*ret_value = *ret_value * 10 + (**at - '0');
	}
	return true;
}

int ical_moment(const char *text, struct ical_moment *ret_moment)
{
	struct ical_moment *to = ret_moment;
	int hour = 0, minute = 0, second = 0;

	if (!digits(&text, 4, &to->year) || !digits(&text, 2, &to->month) ||
	    !digits(&text, 2, &to->day))
		return -EINVAL;
	to->timed = *text == 'T';
	if (to->timed) {
		text++;
		if (!digits(&text, 2, &hour) || !digits(&text, 2, &minute) ||
		    !digits(&text, 2, &second))
			return -EINVAL;
		to->utc = *text == 'Z';
		text += to->utc;
	}
	to->day_ms = ((hour * 60 + minute) * 60 + second) * INT64_C(1000);
	bool date = to->year >= CALENDAR_YEAR_MIN && to->year <= CALENDAR_YEAR_MAX &&
		    to->month >= 1 && to->month <= 12 && to->day >= 1 &&
		    to->day <= civil_month_days(to->year, to->month);
	return *text == '\0' && date && hour <= 23 && minute <= 59 && second <= 59 ? 0 : -EINVAL;
}

/* "P2W", "P1DT12H30M". */
int ical_duration(const char *text, int64_t *ret_ms)
{
	static const struct {
		char letter;
		bool timed;
		int64_t ms;
	} units[] = {{'W', false, 7 * DAY_MS},
		     {'D', false, DAY_MS},
		     {'H', true, 3600000},
		     {'M', true, 60000},
		     {'S', true, 1000}};
	bool timed = false;

	*ret_ms = 0;
	text += *text == '+';
	if (*text++ != 'P')
		return -EINVAL;
	while (*text) {
		int64_t value = 0;
		size_t unit = 0;
		int count = 0;
		if (*text == 'T' && !timed) {
			timed = true;
			text++;
		}
		for (; *text >= '0' && *text <= '9' && count < 6; text++, count++)
			value = value * 10 + (*text - '0');
		while (unit < 5 && (units[unit].letter != *text || units[unit].timed != timed))
			unit++;
		if (!count || unit == 5)
			return -EINVAL;
		text++;
		*ret_ms += value * units[unit].ms;
	}
	return *ret_ms > 0 ? 0 : -EINVAL;
}

/* "4TH", "-1MO", "TH": which one, and the weekday. */
static int take_day(const char *text, struct ical_rule *rule)
{
	static const char *const names[] = {"SU", "MO", "TU", "WE", "TH", "FR", "SA"};
	char *end;
	long nth = strtol(text, &end, 10);

	for (int i = 0; i < 7; i++)
		if (end != text && strcmp(end, names[i]) == 0 && nth >= -1 && nth <= 4 && nth) {
			rule->nth = (int)nth;
			rule->weekday = i;
			return 0;
		}
	return -EINVAL;
}

static int take_part(const char *key, const char *value, struct ical_rule *rule, char *why,
		     size_t why_bytes)
{
	char *end;
	long number = strtol(value, &end, 10);
	bool whole = end != value && *end == '\0' && number > 0 && number < 10000;

	if (strcmp(key, "FREQ") == 0)
		rule->yearly = strcmp(value, "YEARLY") == 0;
	else if (strcmp(key, "INTERVAL") == 0 && whole && number == 1)
		return 0;
	else if (strcmp(key, "WKST") == 0)
		return 0;
	else if (strcmp(key, "COUNT") == 0 && whole)
		rule->count = number;
	else if (strcmp(key, "BYMONTH") == 0 && whole && number <= 12)
		rule->month = (int)number;
	else if (strcmp(key, "BYMONTHDAY") == 0 && whole && number <= 31)
		rule->monthday = (int)number;
	else if (strcmp(key, "UNTIL") == 0 && ical_moment(value, &rule->until) == 0)
		rule->has_until = true;
	else if (strcmp(key, "BYDAY") != 0 || take_day(value, rule) < 0) {
		snprintf(why, why_bytes,
			 "%.20s=%.40s is not taken: FREQ=YEARLY on a date, or BYMONTH with "
			 "BYDAY=1MO to 4MO or -1MO",
			 key, value);
		return -EINVAL;
	}
	return 0;
}

int ical_rule(const char *text, struct ical_rule *ret_rule, char *why, size_t why_bytes)
{
	memset(ret_rule, 0, sizeof(*ret_rule));
	for (const char *at = text; *at; at += *at == ';') {
		char part[128], *value;
		size_t bytes = strcspn(at, ";");
		snprintf(part, sizeof(part), "%.*s", bytes < 127 ? (int)bytes : 127, at);
		value = strchr(part, '=');
		at += bytes;
		if (!value)
			continue;
		*value++ = '\0';
		if (take_part(part, value, ret_rule, why, why_bytes) < 0)
			return -EINVAL;
	}
	if (ret_rule->yearly)
		return 0;
	snprintf(why, why_bytes,
		 "only FREQ=YEARLY is taken: what comes each day, week or month is part of a "
		 "series' shape");
	return -EINVAL;
}

static int refuse(char *why, size_t why_bytes, const char *what)
{
	snprintf(why, why_bytes, "%s", what);
	return -EINVAL;
}

/* The time between two moments of one clock. */
static int64_t between_ms(const struct ical_moment *from, const struct ical_moment *to)
{
	int64_t days = civil_day(to->year, to->month, to->day) -
		       civil_day(from->year, from->month, from->day);

	return days * DAY_MS + to->day_ms - from->day_ms;
}

/* How long it lasts by its own clock. */
static int64_t length_ms(const struct ical_event *event)
{
	if (event->end.given)
		return between_ms(&event->start, &event->end);
	if (event->duration_ms)
		return event->duration_ms;
	return event->start.timed ? 0 : DAY_MS;
}

/* The year of the last occurrence that begins by UNTIL, or that COUNT gives; 0: there is none. */
static int64_t last_year(const struct ical_event *event)
{
	const struct ical_rule *rule = &event->rule;

	if (!rule->yearly)
		return event->start.year;
	if (rule->count)
		return event->start.year + rule->count - 1;
	if (!rule->has_until)
		return 0;
	struct ical_moment same_year = event->start;
	same_year.year = rule->until.year;
	if (!rule->until.timed)
		same_year.day_ms = 0;
	return rule->until.year - (between_ms(&same_year, &rule->until) < 0);
}

/* Which day of each year, where RRULE says it and DTSTART agrees. */
static int put_day(const struct ical_event *event, json_t *members, char *why, size_t why_bytes)
{
	const struct ical_rule *rule = &event->rule;
	const struct ical_moment *start = &event->start;
	int first = rule->nth > 0 ? 7 * (rule->nth - 1) + 1
				  : civil_month_days(2001, start->month) - 6;
	char date[16];

	if ((rule->month && rule->month != start->month) ||
	    (rule->monthday && rule->monthday != start->day) ||
	    (rule->monthday && !rule->month && rule->yearly))
		return refuse(why, why_bytes, "RRULE and DTSTART are not of the same date");
	if (rule->nth && !rule->month)
		return refuse(why, why_bytes, "RRULE with BYDAY wants BYMONTH");
	if (rule->nth && rule->nth < 0 && start->month == 2)
		return refuse(why, why_bytes, "the last weekday of February is not taken");
	snprintf(date, sizeof(date), "%02d-%02d", start->month, rule->nth ? first : start->day);
	json_object_set_new(members, "date", json_string(date));
	if (!rule->nth)
		return 0;
	int64_t day = civil_day(start->year, start->month, start->day);
	if (civil_weekday(day) != rule->weekday || start->day < first || start->day > first + 6)
		return refuse(why, why_bytes, "RRULE and DTSTART are not of the same date");
	json_object_set_new(members, "weekday", json_string(calendar_weekday_name(rule->weekday)));
	return 0;
}

/* By the days of a clock: its own, or the detector's. */
static int put_rule(const struct ical_event *event, json_t *members, char *why, size_t why_bytes)
{
	const struct ical_moment *start = &event->start;
	int64_t length = length_ms(event), last = last_year(event);
	char at[8];

	json_object_set_new(members, "first_year", json_integer(start->year));
	if (last > CALENDAR_YEAR_MAX)
		last = CALENDAR_YEAR_MAX;
	if (last)
		json_object_set_new(members, "last_year", json_integer(last));
	if (last && last < start->year)
		return refuse(why, why_bytes, "its RRULE is over before it begins");
	if (start->day_ms % 60000)
		return refuse(why, why_bytes, "it begins within a minute: minutes are taken");
	snprintf(at, sizeof(at), "%02d:%02d", (int)(start->day_ms / 3600000 % 24),
		 (int)(start->day_ms / 60000 % 60));
	if (start->day_ms)
		json_object_set_new(members, "at", json_string(at));
	if (start->timed)
		json_object_set_new(members, "length_ms", json_integer(length));
	else
		json_object_set_new(members, "days", json_integer(length / DAY_MS));
	if (start->utc || start->zone[0])
		json_object_set_new(members, "zone", json_string(start->utc ? "UTC" : start->zone));
	return put_day(event, members, why, why_bytes);
}

/* A moment of a zone's clock in UTC. */
static int64_t unix_ms(const struct ical_moment *moment, const struct zone *zone)
{
	int64_t local_ms = civil_day(moment->year, moment->month, moment->day) * DAY_MS +
			   moment->day_ms;
	int64_t near_ms = local_ms - zone_offset_ms(zone, local_ms);

	return local_ms - zone_offset_ms(zone, near_ms);
}

static int put_span(const struct ical_event *event, const struct zone *zone,
		    const struct zone *end_zone, json_t *members)
{
	int64_t from_ms = unix_ms(&event->start, zone);
	int64_t until_ms = event->end.given ? unix_ms(&event->end, end_zone)
					    : from_ms + event->duration_ms;

	json_object_set_new(members, "from_ms", json_integer(from_ms));
	json_object_set_new(members, "until_ms", json_integer(until_ms));
	return 0;
}

/* Once, by a clock that is known: a span. */
static int put_once(const struct ical_event *event, json_t *members, char *why, size_t why_bytes)
{
	struct zone *zone = NULL, *end_zone = NULL;
	int error = 0;

	if (!event->start.utc)
		error = zone_load(event->start.zone, &zone, why, why_bytes);
	if (!error && event->end.given && !event->end.utc)
		error = zone_load(event->end.zone, &end_zone, why, why_bytes);
	if (!error)
		error = put_span(event, zone, end_zone, members);
	zone_free(zone);
	zone_free(end_zone);
	return error == -ENOMEM ? error : error < 0 ? -EINVAL : 0;
}

/* Do begin and end have the same sort of clock? */
static bool alike(const struct ical_event *event)
{
	const struct ical_moment *start = &event->start, *end = &event->end;

	return !end->given || (start->timed == end->timed && start->utc == end->utc &&
			       strcmp(start->zone, end->zone) == 0);
}

static int put_members(const struct ical_event *event, json_t *members, char *why, size_t why_bytes)
{
	const struct ical_moment *start = &event->start, *end = &event->end;
	bool known = start->timed && (start->utc || start->zone[0]);
	bool end_known = !end->given || (end->timed && (end->utc || end->zone[0]));

	if (!event->name[0])
		return refuse(why, why_bytes, "it has no SUMMARY");
	if (!start->given)
		return refuse(why, why_bytes, "it has no DTSTART");
	if (start->timed && !end->given && !event->duration_ms)
		return refuse(why, why_bytes, "it lasts no time: DTEND or DURATION is missing");
	if (!start->timed && event->duration_ms % DAY_MS)
		return refuse(why, why_bytes, "a DATE lasts whole days");
	json_object_set_new(members, "name", json_string(event->name));
	if (!event->rule.yearly && known && end_known)
		return put_once(event, members, why, why_bytes);
	if (!alike(event))
		return refuse(why, why_bytes, "DTSTART and DTEND are of different clocks");
	if (length_ms(event) <= 0)
		return refuse(why, why_bytes, "it ends before it begins");
	return put_rule(event, members, why, why_bytes);
}

int ical_members(const struct ical_event *event, json_t **ret_members, char *why, size_t why_bytes)
{
	json_t *members = json_object();
	int error = members ? put_members(event, members, why, why_bytes) : -ENOMEM;

	/* What is no UTF-8 has made no text. */
	if (!error && !json_object_get(members, "name"))
		error = refuse(why, why_bytes, "its SUMMARY is not UTF-8");
	if (error)
		json_decref(members);
	else
		*ret_members = members;
	return error;
}
