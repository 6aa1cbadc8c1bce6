/*
 * calendar_text: how people write an entry's effect, date, weekday and time of day. See calendar.h.
 *
 * Runs on: any thread. By hand, so that no locale changes what is read.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "detect/calendar.h"

static const char *const weekdays[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

int calendar_read_weekday(const char *text)
{
	for (int i = 0; i < 7; i++)
		if (strcmp(text, weekdays[i]) == 0)
			return i;
	return -EINVAL;
}

const char *calendar_weekday_name(int weekday)
{
	return weekdays[weekday];
}

/* At most `most` digits. */
static bool take_digits(const char **at, int most, int64_t *ret_value)
{
	const char *from = *at;

	for (*ret_value = 0; **at >= '0' && **at <= '9' && *at - from < most; (*at)++)
		*ret_value = *ret_value * 10 + (**at - '0');
	return *at > from && !(**at >= '0' && **at <= '9');
}

/* "+40%", "-12.5%": thousandths at most, so that what is written is what is shown. */
static int read_percent(const char *text, double *ret_percent)
{
	int64_t whole, part = 0;
	double scale = 1;
	bool below = *text == '-';

	if (*text != '+' && *text != '-')
		return -EINVAL;
	text++;
	if (!take_digits(&text, 5, &whole))
		return -EINVAL;
	if (*text == '.') {
		const char *from = ++text;
		if (!take_digits(&text, 3, &part))
			return -EINVAL;
		for (; from < text; from++)
			scale *= 10;
	}
	if (strcmp(text, "%") != 0)
		return -EINVAL;
	*ret_percent = ((double)whole * scale + (double)part) / scale * (below ? -1 : 1);
	return *ret_percent >= CALENDAR_EXPECT_MIN && *ret_percent <= CALENDAR_EXPECT_MAX ? 0
											  : -ERANGE;
}

int calendar_read_effect(const char *text, struct calendar_entry *entry)
{
	entry->percent = 0;
	if (strcmp(text, "exclude") == 0)
		entry->effect = CALENDAR_EXCLUDE;
	else if (strcmp(text, "last-year") == 0)
		entry->effect = CALENDAR_LAST_YEAR;
	else if (strncmp(text, "expect:", 7) == 0)
		entry->effect = CALENDAR_EXPECT;
	else
		return -EINVAL;
	return entry->effect == CALENDAR_EXPECT ? read_percent(text + 7, &entry->percent) : 0;
}

void calendar_put_effect(const struct calendar_entry *entry, char text[CALENDAR_EFFECT_BYTES])
{
	if (entry->effect == CALENDAR_EXPECT)
		snprintf(text, CALENDAR_EFFECT_BYTES, "expect:%+.8g%%", entry->percent);
	else
		snprintf(text, CALENDAR_EFFECT_BYTES, "%s",
			 entry->effect == CALENDAR_EXCLUDE ? "exclude" : "last-year");
}

int calendar_read_date(const char *text, struct calendar_entry *entry)
{
	int64_t month, day;

	if (!take_digits(&text, 2, &month) || *text++ != '-' || !take_digits(&text, 2, &day) ||
	    *text)
		return -EINVAL;
	entry->month = (int32_t)month;
	entry->day = (int32_t)day;
	return 0;
}

int calendar_read_time(const char *text, int64_t *ret_ms)
{
	int64_t hours, minutes;

	if (!take_digits(&text, 2, &hours) || *text++ != ':' || !take_digits(&text, 2, &minutes) ||
	    *text || hours > 23 || minutes > 59)
		return -EINVAL;
	*ret_ms = (hours * 60 + minutes) * 60000;
	return 0;
}
