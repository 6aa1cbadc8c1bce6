/*
 * zone_rule: see zone_rule.h.
 *
 * Idea:  the changes of the year before, of this year and of the next are six moments; the latest
 *        that is not in the future says what holds. Nothing is searched and no year is special.
 *
 * Runs on: any thread.
 * Never: allocates, looks at anything but its arguments.
 */
#include "base/zone_rule.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/civil.h"

#define DAY_S INT64_C(86400)
#define HOUR_S 3600
/* RFC 8536: hours of a change from -167 to 167; of an offset POSIX says up to 24. */
#define CHANGE_HOURS_MAX 167
#define OFFSET_HOURS_MAX 24

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/* Seconds since 1970 of that moment of a year, as if the wall's clock were UTC. */
static int64_t moment(const struct zone_day *day, int64_t year)
{
	int64_t days = civil_day(year, 1, 1);

	if (day->kind == 'J') {
		days += day->day - 1 + (civil_is_leap(year) && day->day >= 60);
	} else if (day->kind == 'D') {
		days += day->day;
	} else {
		int64_t next = day->month == 12 ? civil_day(year + 1, 1, 1)
						: civil_day(year, day->month + 1, 1);

		days = civil_day(year, day->month, 1);
		int64_t weekday = civil_weekday(days);

		days += (day->day - weekday + 7) % 7 + (int64_t)(day->week - 1) * 7;
		if (days >= next) /* there is no fifth one: the last */
			days -= 7;
	}
	return days * DAY_S + day->seconds;
}

int32_t zone_rule_offset_s(const struct zone_rule *rule, int64_t unix_s, int64_t *ret_since_s,
			   int64_t *ret_until_s)
{
	int64_t year = civil_year(civil_floor_div(unix_s + rule->standard_s, DAY_S));
	int64_t since = INT64_MIN, until = INT64_MAX;
	bool summer = false;

	for (int64_t y = year - 1; rule->has_summer && y <= year + 1; y++) {
		int64_t start = moment(&rule->start, y) - rule->standard_s;
		int64_t end = moment(&rule->end, y) - rule->summer_s;

		if (end > unix_s && end < until)
			until = end;
		if (start > unix_s && start < until)
			until = start;
		if (end <= unix_s && end > since) {
			since = end;
			summer = false;
		}
		/* Of two at once the start holds: that is how "all year" is written. */
		if (start <= unix_s && start >= since) {
			since = start;
			summer = true;
		}
	}
	*ret_since_s = since;
	*ret_until_s = until;
	return summer ? rule->summer_s : rule->standard_s;
}

/* Digits at *at, at most `max`; -1: none, or too large. */
static int take_number(const char **at, int max)
{
	size_t digits = strspn(*at, "0123456789");
	int value = 0;

	if (digits == 0 || digits > 3)
		return -1;
	while (digits--)
		value = value * 10 + (*(*at)++ - '0');
	return value <= max ? value : -1;
}

/* [+-]hh[:mm[:ss]] */
static bool take_time(const char **at, int hours_max, int32_t *ret_s)
{
	int sign = **at == '-' ? -1 : 1;

	if (**at == '-' || **at == '+')
		(*at)++;
	int hours = take_number(at, hours_max), minutes = 0, seconds = 0;

	if (**at == ':') {
		(*at)++;
		minutes = take_number(at, 59);
		if (**at == ':') {
			(*at)++;
			seconds = take_number(at, 59);
		}
	}
	*ret_s = sign * (hours * HOUR_S + minutes * 60 + seconds);
	return hours >= 0 && minutes >= 0 && seconds >= 0;
}

/* The abbreviation: three letters or more, or anything between < and >. */
static bool take_name(const char **at)
{
	size_t length = strspn(*at, letters);

	if (**at == '<') {
		length = strcspn(*at, ">");
		*at += length + ((*at)[length] == '>');
		return length > 3 && (*at)[-1] == '>';
	}
	*at += length;
	return length >= 3;
}

static bool take_day(const char **at, struct zone_day *day)
{
	int least = 0;

	*day = (struct zone_day){.kind = 'D', .seconds = 2 * HOUR_S};
	if (**at == 'M' || **at == 'J')
		day->kind = *(*at)++;
	if (day->kind == 'M') {
		day->month = take_number(at, 12);
		if (*(*at)++ != '.')
			return false;
		day->week = take_number(at, 5);
		if (*(*at)++ != '.')
			return false;
		day->day = take_number(at, 6);
		if (day->month < 1 || day->week < 1)
			return false;
	} else {
		least = day->kind == 'J';
		day->day = take_number(at, 365);
	}
	if (day->day < least)
		return false;
	if (**at != '/')
		return true;
	(*at)++;
	return take_time(at, CHANGE_HOURS_MAX, &day->seconds);
}

int zone_rule_parse(const char *text, struct zone_rule *ret_rule)
{
	struct zone_rule rule = {0};
	const char *at = text;
	int32_t west;

	if (!take_name(&at) || !take_time(&at, OFFSET_HOURS_MAX, &west))
		return -EPROTO;
	rule.standard_s = rule.summer_s = -west;
	if (*at) {
		rule.has_summer = true;
		if (!take_name(&at))
			return -EPROTO;
		rule.summer_s = rule.standard_s + HOUR_S;
		if (*at != ',') {
			if (!take_time(&at, OFFSET_HOURS_MAX, &west))
				return -EPROTO;
			rule.summer_s = -west;
		}
		/* When summer is must be said: what POSIX leaves open has no place in a database.
		 */
		if (*at++ != ',' || !take_day(&at, &rule.start))
			return -EPROTO;
		if (*at++ != ',' || !take_day(&at, &rule.end))
			return -EPROTO;
	}
	if (*at)
		return -EPROTO;
	*ret_rule = rule;
	return 0;
}
