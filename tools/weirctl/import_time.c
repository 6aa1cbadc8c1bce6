/*
 * import_time: times and numbers by hand, because a million of them wait.
 *
 * Idea:  days since 1970 follow from year, month and day by arithmetic (Howard Hinnant, "chrono-
 *        compatible low-level date algorithms", 2013); a decimal of at most 15 digits is an exact
 *        integer times or through an exact power of ten, so one rounding, as strtod does (Clinger
 *        1990). Everything else goes to libc.
 */
#include "import_time.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "weir/event.h"

#define TEXT_BYTES_MAX 128
#define SECONDS_MAX 100000000000.0         /* auto: numbers below are seconds (the year 5138) */
#define MILLISECONDS_MAX 100000000000000.0 /* below: milliseconds; above: microseconds */

static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
				1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
				1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static int64_t days_of(int64_t year, uint32_t month, uint32_t day)
{
	year -= month <= 2;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	uint32_t of_era = (uint32_t)(year - era * 400);
	uint32_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	uint32_t day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
	return era * 146097 + (int64_t)day_of_era - 719468;
}

static bool date_valid(uint32_t year, uint32_t month, uint32_t day)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	return month >= 1 && month <= 12 && day >= 1 &&
	       day <= days[month - 1] + (uint32_t)(leap && month == 2);
}

/* `count` digits at *at. */
static bool digits(const char **at, const char *end, uint32_t count, uint32_t *ret_value)
{
	uint32_t value = 0;
	if (end - *at < (ptrdiff_t)count)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t digit = (uint32_t)((*at)[i] - '0');
		if (digit > 9)
			return false;
		value = value * 10 + digit;
	}
	*at += count;
	*ret_value = value;
	return true;
}

static bool takes(const char **at, const char *end, char c)
{
	if (*at == end || **at != c)
		return false;
	++*at;
	return true;
}

/* "Z", "+01:00", "+0100", "+01". False: none of them. */
static bool zone_at(const char **at, const char *end, int32_t *ret_offset_s)
{
	uint32_t hours;
	uint32_t minutes = 0;
	if (takes(at, end, 'Z')) {
		*ret_offset_s = 0;
		return true;
	}
	int32_t sign = **at == '-' ? -1 : 1;
	if (!takes(at, end, '+') && !takes(at, end, '-'))
		return false;
	if (!digits(at, end, 2, &hours))
		return false;
	bool colon = takes(at, end, ':');
	if (!digits(at, end, 2, &minutes) && colon)
		return false;
	*ret_offset_s = sign * (int32_t)(hours * 3600 + minutes * 60);
	return hours <= 18 && minutes <= 59;
}

/* How far the clock's zone is east of UTC when its own clocks show this. */
static int32_t offset_at(struct import_clock *clock, int64_t local_s)
{
	if (!clock->named_zone)
		return clock->offset_s;
	int64_t hour = local_s / 3600 - (local_s % 3600 < 0);
	if (clock->hour_known && clock->hour == hour)
		return clock->hour_offset_s;
	time_t as_utc = (time_t)local_s;
	struct tm tm;
	gmtime_r(&as_utc, &tm);
	tm.tm_isdst = -1;
	clock->hour_known = true;
	clock->hour = hour;
	clock->hour_offset_s = (int32_t)(local_s - (int64_t)mktime(&tm));
	return clock->hour_offset_s;
}

/* "2011-01-04", "2011-01-04T10:00", ":00", ".123", and a zone. */
static int parse_iso(struct import_clock *clock, const char *at, const char *end, int64_t *ret_ms)
{
	uint32_t year, month, day;
	uint32_t hour = 0, minute = 0, second = 0, ms = 0;
	int32_t offset_s;

	if (!digits(&at, end, 4, &year) || !takes(&at, end, '-') || !digits(&at, end, 2, &month) ||
	    !takes(&at, end, '-') || !digits(&at, end, 2, &day) || !date_valid(year, month, day))
		return -EINVAL;
	bool clocked = at < end && (*at == 'T' || *at == ' ' || *at == 't');
	if (clocked) {
		at++;
		if (!digits(&at, end, 2, &hour) || !takes(&at, end, ':') ||
		    !digits(&at, end, 2, &minute))
			return -EINVAL;
		if (takes(&at, end, ':') && !digits(&at, end, 2, &second))
			return -EINVAL;
		/* Thousandths; what is finer is cut off. */
		if (takes(&at, end, '.')) {
			uint32_t scale = 100;
			const char *from = at;
			for (; at < end && isdigit((unsigned char)*at); at++, scale /= 10)
				ms += (uint32_t)(*at - '0') * scale;
			if (at == from)
				return -EINVAL;
		}
	}
	/* A leap second is the second before it. */
	second -= second == 60;
	if (hour > 23 || minute > 59 || second > 59)
		return -EINVAL;
	int64_t local_s = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
	if (at == end)
		offset_s = offset_at(clock, local_s);
	else if (!clocked || !zone_at(&at, end, &offset_s) || at != end)
		return -EINVAL;
	*ret_ms = (local_s - offset_s) * 1000 + ms;
	return 0;
}

static int parse_pattern(struct import_clock *clock, const char *text, uint32_t bytes,
			 int64_t *ret_ms)
{
	char copy[TEXT_BYTES_MAX];
	struct tm tm = {.tm_mday = 1, .tm_gmtoff = INT32_MAX};

	if (bytes >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, bytes);
	copy[bytes] = '\0';
	const char *end = strptime(copy, clock->pattern, &tm);
	if (!end || *end || tm.tm_year < -1900 || tm.tm_year > 8099)
		return -EINVAL;
	uint32_t month = (uint32_t)tm.tm_mon + 1;
	/* 30 February would have become a day in March. */
	if (!date_valid((uint32_t)tm.tm_year + 1900, month, (uint32_t)tm.tm_mday))
		return -EINVAL;
	int second = tm.tm_sec - (tm.tm_sec == 60);
	int64_t local_s = days_of(tm.tm_year + 1900, month, (uint32_t)tm.tm_mday) * 86400 +
			  tm.tm_hour * 3600 + tm.tm_min * 60 + second;
	int64_t offset_s = tm.tm_gmtoff != INT32_MAX ? tm.tm_gmtoff : offset_at(clock, local_s);
	*ret_ms = (local_s - offset_s) * 1000;
	return 0;
}

/* A whole number is never rounded on its way, a fraction to the nearest millisecond. */
static int parse_count(enum import_time_kind kind, const char *text, uint32_t bytes,
		       int64_t *ret_ms)
{
	double value;
	if (import_number(text, bytes, &value) < 0)
		return -EINVAL;
	if (kind == IMPORT_TIME_AUTO)
		kind = value < SECONDS_MAX        ? IMPORT_TIME_S
		       : value < MILLISECONDS_MAX ? IMPORT_TIME_MS
						  : IMPORT_TIME_US;
	double ms = kind == IMPORT_TIME_S    ? value * 1000.0
		    : kind == IMPORT_TIME_MS ? value
		    : kind == IMPORT_TIME_US ? value / 1000.0
					     : value / 1e6;
	if (!(ms >= 0.0 && ms <= (double)WEIR_TIME_MS_MAX))
		return -ERANGE;
	*ret_ms = kind == IMPORT_TIME_S ? llround(ms) : (int64_t)ms;
	return 0;
}

int import_time(struct import_clock *clock, const char *text, uint32_t bytes, int64_t *ret_unix_ms)
{
	int ret;
	for (; bytes && text[bytes - 1] == ' '; bytes--)
		;
	for (; bytes && *text == ' '; bytes--)
		text++;
	if (clock->kind == IMPORT_TIME_PATTERN) {
		ret = parse_pattern(clock, text, bytes, ret_unix_ms);
	} else if (clock->kind == IMPORT_TIME_ISO ||
		   (clock->kind == IMPORT_TIME_AUTO && bytes > 4 && text[4] == '-')) {
		ret = parse_iso(clock, text, text + bytes, ret_unix_ms);
	} else {
		ret = parse_count(clock->kind, text, bytes, ret_unix_ms);
	}
	if (ret < 0)
		return ret;
	return *ret_unix_ms >= 0 && *ret_unix_ms <= (int64_t)WEIR_TIME_MS_MAX ? 0 : -ERANGE;
}

static int set_zone(struct import_clock *clock, const char *zone)
{
	char path[TEXT_BYTES_MAX + 32];
	const char *at = zone;
	const char *end = zone + strlen(zone);

	if (strcmp(zone, "UTC") == 0)
		return 0;
	if (zone[0] == '+' || zone[0] == '-')
		return zone_at(&at, end, &clock->offset_s) && at == end ? 0 : -ENOENT;
	snprintf(path, sizeof(path), "/usr/share/zoneinfo/%.127s", zone);
	if (!isalpha((unsigned char)zone[0]) || strstr(zone, "..") || access(path, R_OK) < 0)
		return -ENOENT;
	clock->named_zone = true;
	if (setenv("TZ", zone, 1) < 0)
		return -errno;
	tzset();
	return 0;
}

int import_clock_init(struct import_clock *clock, const char *format, const char *zone)
{
	static const char *const names[] = {"auto", "s", "ms", "us", "ns", "iso"};
	memset(clock, 0, sizeof(*clock));
	clock->kind = IMPORT_TIME_PATTERN;
	clock->pattern = format;
	for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(format, names[i]) == 0)
			clock->kind = (enum import_time_kind)i;
	if (clock->kind == IMPORT_TIME_PATTERN && !strchr(format, '%'))
		return -EINVAL;
	return zone ? set_zone(clock, zone) : 0;
}

/* What is not plain digits with a point, or too long to be exact. */
static int number_slow(const char *text, uint32_t bytes, double *ret_value)
{
	char copy[TEXT_BYTES_MAX];
	char *end;
	/* No "nan", "infinity" or hexadecimal. */
	if (bytes == 0 || bytes >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, bytes);
	copy[bytes] = '\0';
	if (copy[strspn(copy, "0123456789+-.eE")] != '\0')
		return -EINVAL;
	*ret_value = strtod(copy, &end);
	return *end == '\0' && isfinite(*ret_value) ? 0 : -EINVAL;
}

int import_number(const char *text, uint32_t bytes, double *ret_value)
{
	for (; bytes && text[bytes - 1] == ' '; bytes--)
		;
	for (; bytes && *text == ' '; bytes--)
		text++;
	const char *at = text;
	const char *end = text + bytes;
	uint64_t mantissa = 0;
	uint32_t count = 0, behind = 0;
	bool point = false;
	bool negative = at < end && *at == '-';
	at += negative;
	for (; at < end; at++) {
		uint32_t digit = (uint32_t)(*at - '0');
		if (digit <= 9) {
			mantissa = mantissa * 10 + digit;
			count++;
			behind += point;
		} else if (*at == '.' && !point) {
			point = true;
		} else {
			return number_slow(text, bytes, ret_value);
		}
		if (count > 15)
			return number_slow(text, bytes, ret_value);
	}
	if (count == 0)
		return -EINVAL;
	double value = (double)mantissa / powers[behind];
	*ret_value = negative ? -value : value;
	return 0;
}
