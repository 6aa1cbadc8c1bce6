/*
 * calendar_rule: the moments that an entry's rule gives. See calendar.h.
 *
 * Idea:  an occurrence begins within a year of its date's year and lasts a year at most, so those
 *        of a few years around a time are all that can matter; each is computed, none is kept.
 *        Easter after J. Meeus, "Astronomical Algorithms", chapter 8.
 *
 * Runs on: any thread. Never allocates.
 */
#include "base/civil.h"
#include "base/zone.h"
#include "detect/calendar.h"

#define DAY_MS INT64_C(86400000)
/* A date may be skipped for some years: 29 February for eight, a weekday on a date for twelve. */
#define YEARS_AHEAD 40
/* Shift and length are a year each. */
#define YEARS_BACK 3

static int64_t easter(int64_t year)
{
	int64_t a = year % 19, b = year / 100, c = year % 100;
	int64_t d = b / 4, e = b % 4, f = (b + 8) / 25, g = (b - f + 1) / 3;
	int64_t h = (19 * a + b - d - g + 15) % 30;
	int64_t i = c / 4, k = c % 4;
	int64_t l = (32 + 2 * e + 2 * i - h - k) % 7;
	int64_t m = (a + 11 * h + 22 * l) / 451;
	int64_t of_march = h + l - 7 * m + 114;

	return civil_day(year, (int)(of_march / 31), (int)(of_march % 31) + 1);
}

/* By the Julian calendar, which is behind by so many days of its own. */
static int64_t orthodox_easter(int64_t year)
{
	int64_t a = year % 4, b = year % 7, c = year % 19;
	int64_t d = (19 * c + 15) % 30;
	int64_t e = (2 * a + 4 * b - d + 34) % 7;
	int64_t of_march = d + e + 114;

	return civil_day(year, (int)(of_march / 31), (int)(of_march % 31) + 1) + year / 100 -
	       year / 400 - 2;
}

static bool date_day(const struct calendar_entry *entry, int64_t year, int64_t *ret_day)
{
	if (entry->when == CALENDAR_EASTER)
		*ret_day = easter(year);
	else if (entry->when == CALENDAR_ORTHODOX)
		*ret_day = orthodox_easter(year);
	else if (entry->day > civil_month_days(year, entry->month))
		return false; /* 29 February */
	else
		*ret_day = civil_day(year, entry->month, entry->day);
	return true;
}

bool calendar_day(const struct calendar_entry *entry, int64_t year, int64_t *ret_day)
{
	if (year < CALENDAR_YEAR_MIN || year > CALENDAR_YEAR_MAX ||
	    (entry->first_year && year < entry->first_year) ||
	    (entry->last_year && year > entry->last_year) || !date_day(entry, year, ret_day))
		return false;
	if (entry->only && !(entry->only & 1u << civil_weekday(*ret_day)))
		return false;
	if (entry->weekday >= 0)
		*ret_day += (entry->weekday - civil_weekday(*ret_day) + 7) % 7;
	*ret_day += entry->days;
	return true;
}

static bool of_year(const struct calendar_entry *entry, const struct zone *zone, int64_t year,
		    int64_t *ret_from_ms, int64_t *ret_until_ms)
{
	int64_t day;

	if (!calendar_day(entry, year, &day))
		return false;
	*ret_from_ms = zone_utc_ms(zone, day * DAY_MS + entry->at_ms);
	*ret_until_ms = entry->length_ms
				? *ret_from_ms + entry->length_ms
				: zone_utc_ms(zone, (day + entry->length_days) * DAY_MS +
							    entry->at_ms);
	return true;
}

bool calendar_next(const struct calendar_entry *entry, const struct zone *zone, int64_t after_ms,
		   int64_t *ret_from_ms, int64_t *ret_until_ms)
{
	if (entry->when == CALENDAR_ONCE) {
		*ret_from_ms = entry->from_ms;
		*ret_until_ms = entry->until_ms;
		return entry->until_ms > after_ms;
	}
	int64_t year = civil_year(civil_floor_div(after_ms, DAY_MS));

	if (entry->zone)
		zone = entry->zone;
	/* Rules give the days of neighbouring years in order. */
	for (int64_t i = year - YEARS_BACK; i <= year + YEARS_AHEAD; i++)
		if (of_year(entry, zone, i, ret_from_ms, ret_until_ms) && *ret_until_ms > after_ms)
			return true;
	return false;
}
