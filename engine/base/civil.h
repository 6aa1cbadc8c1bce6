/*
 * civil: days since 1970-01-01 and dates of the proleptic Gregorian calendar.
 *
 * Idea:  H. Hinnant, "chrono-compatible low-level date algorithms": years from March on, so that
 *        the leap day is the last one, in eras of 400.
 *
 * Runs on: any thread.
 */
#ifndef BASE_CIVIL_H
#define BASE_CIVIL_H

#include <stdbool.h>
#include <stdint.h>

/* Of negative values too. */
static inline int64_t civil_floor_div(int64_t value, int64_t by)
{
	return value / by - (value % by < 0);
}

/* The day of a date; a day behind the end of its month is one of the next. */
static inline int64_t civil_day(int64_t year, int month, int day)
{
	int64_t shifted = year - (month <= 2);
	int64_t era = civil_floor_div(shifted, 400);
	int64_t of_era = shifted - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* The year that holds a day. */
static inline int64_t civil_year(int64_t days)
{
	int64_t shifted = days + 719468;
	int64_t era = civil_floor_div(shifted, 146097);
	int64_t of_era = shifted - era * 146097;
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year + year / 4 - year / 100);

	return year + era * 400 + (of_year >= 306); /* January and February end the shifted year */
}

static inline bool civil_is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* 0: Sunday. */
static inline int civil_weekday(int64_t day)
{
	return (int)(((day + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
}

static inline int civil_month_days(int64_t year, int month)
{
	return (int)((month == 12 ? civil_day(year + 1, 1, 1) : civil_day(year, month + 1, 1)) -
		     civil_day(year, month, 1));
}

#endif
