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

#define DAY_S INT64_C(86400)
#define HOUR_S 3600
/* RFC 8536: hours of a change from -167 to 167; of an offset POSIX says up to 24. */
#define CHANGE_HOURS_MAX 167
#define OFFSET_HOURS_MAX 24

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/* Days since 1970-01-01 of a date (proleptic Gregorian), after H. Hinnant, "chrono-compatible
 * low-level date algorithms": years from March on, in eras of 400. */
static int64_t days_of(int64_t year, int month, int day)
{
	int64_t shifted = year - (month <= 2);
	int64_t era = (shifted >= 0 ? shifted : shifted - 399) / 400;
	int64_t of_era = shifted - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int64_t floor_div(int64_t value, int64_t by)
{
	return value / by - (value % by < 0);
}

/* The year that holds a day, the same source. */
static int64_t year_of(int64_t days)
{
	int64_t shifted = days + 719468;
	int64_t era = floor_div(shifted, 146097);
	int64_t of_era = shifted - era * 146097;
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year + year / 4 - year / 100);

	return year + era * 400 + (of_year >= 306); /* January and February end the shifted year */
}

static bool is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Seconds since 1970 of that moment of a year, as if the wall's clock were UTC. */
static int64_t moment(const struct zone_day *day, int64_t year)
{
	int64_t days = days_of(year, 1, 1);

	if (day->kind == 'J') {
		days += day->day - 1 + (is_leap(year) && day->day >= 60);
	} else if (day->kind == 'D') {
		days += day->day;
	} else {
		int64_t next = day->month == 12 ? days_of(year + 1, 1, 1)
						: days_of(year, day->month + 1, 1);

		days = days_of(year, day->month, 1);
		/* 1970-01-01 was a Thursday. */
		int64_t weekday = ((days + 4) % 7 + 7) % 7;

		days += (day->day - weekday + 7) % 7 + (int64_t)(day->week - 1) * 7;
		if (days >= next) /* there is no fifth one: the last */
			days -= 7;
	}
	return days * DAY_S + day->seconds;
}

int32_t zone_rule_offset_s(const struct zone_rule *rule, int64_t unix_s, int64_t *ret_since_s,
			   int64_t *ret_until_s)
{
	int64_t year = year_of(floor_div(unix_s + rule->standard_s, DAY_S));
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
