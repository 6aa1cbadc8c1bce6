/*
 * hours: the place of an interval in the hour and in the week.
 * The week begins on a Thursday at 00:00 UTC, as unix time does; only the period matters.
 */
#ifndef DETECT_HOURS_H
#define DETECT_HOURS_H

#include <stdint.h>

#define HOURS_OF_WEEK 168
#define HOUR_MS 3600000.0
/* No hour that an event has is further from 1970. */
#define HOURS_FAR 4800000

static inline int64_t hours_at(int64_t ms)
{
	return ms / 3600000 - (ms % 3600000 < 0);
}

/* The hour since 1970 that holds the middle of an interval. */
static inline int64_t hours_of(int64_t interval, int64_t interval_ms)
{
	return hours_at(interval * interval_ms + interval_ms / 2);
}

/* -0.5 .. 0.5: the middle of an interval from the middle of its hour, in hours. */
static inline double hours_offset(int64_t interval, int64_t interval_ms)
{
	int64_t start_ms = interval * interval_ms - hours_of(interval, interval_ms) * 3600000;
	return ((double)start_ms + 0.5 * (double)interval_ms) / HOUR_MS - 0.5;
}

static inline uint32_t hours_of_week(int64_t hour)
{
	int64_t rest = hour % HOURS_OF_WEEK;
	return (uint32_t)(rest < 0 ? rest + HOURS_OF_WEEK : rest);
}

#endif
