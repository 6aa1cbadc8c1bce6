/*
 * text: how weirctl writes and reads names, numbers and times. Knows nothing of weir.
 */
#include "text.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "import_time.h"

/* Whole hundredths below this are exact in a double: money, nearly always. */
#define CENTS_MAX 1e15

void text_json(FILE *to, const char *text)
{
	putc_unlocked('"', to);
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if (*c == '"' || *c == '\\') {
			putc_unlocked('\\', to);
			putc_unlocked(*c, to);
		} else if (*c < 0x20 || *c == 0x7f) {
			fprintf(to, "\\u%04x", *c);
		} else {
			putc_unlocked(*c, to);
		}
	}
	putc_unlocked('"', to);
}

void text_csv(FILE *to, const char *text)
{
	if (!text[strcspn(text, ",\"\r\n")]) {
		fputs(text, to);
		return;
	}
	putc_unlocked('"', to);
	for (; *text; text++) {
		if (*text == '"')
			putc_unlocked('"', to);
		putc_unlocked(*text, to);
	}
	putc_unlocked('"', to);
}

/* Money has its digits at hand. A quotient by 100 is rounded once, as the decimal would be, so
 * the text reads back to the same double. */
static bool double_as_cents(char text[TEXT_NUMBER_BYTES], double value)
{
	double cents = round(value * 100.0);
	if (!(fabs(cents) < CENTS_MAX) || cents / 100.0 != value ||
	    (value == 0.0 && signbit(value)))
		return false;
	uint64_t whole = (uint64_t)fabs(cents);
	int used = snprintf(text, TEXT_NUMBER_BYTES, "%s%llu.%02llu", value < 0.0 ? "-" : "",
			    (unsigned long long)(whole / 100), (unsigned long long)(whole % 100));
	while (text[used - 1] == '0')
		text[--used] = '\0';
	if (text[used - 1] == '.')
		text[--used] = '\0';
	return true;
}

void text_double(char text[TEXT_NUMBER_BYTES], double value)
{
	if (!isfinite(value)) {
		snprintf(text, TEXT_NUMBER_BYTES, "null");
		return;
	}
	if (double_as_cents(text, value))
		return;
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, TEXT_NUMBER_BYTES, "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			return;
	}
}

void text_brief(char text[TEXT_NUMBER_BYTES], double value)
{
	const double size = fabs(value);

	if (!isfinite(value))
		snprintf(text, TEXT_NUMBER_BYTES, "-");
	else if (size < CENTS_MAX && (size >= 1e5 || value == trunc(value)))
		snprintf(text, TEXT_NUMBER_BYTES, "%.0f", value);
	else
		snprintf(text, TEXT_NUMBER_BYTES, "%.6g", value);
}

void text_span(char text[TEXT_NUMBER_BYTES], int64_t ms)
{
	static const struct {
		int64_t ms;
		const char *name;
	} units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "min"}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (ms && ms % units[i].ms == 0) {
			snprintf(text, TEXT_NUMBER_BYTES, "%lld %s", (long long)(ms / units[i].ms),
				 units[i].name);
			return;
		}
	}
	snprintf(text, TEXT_NUMBER_BYTES, "%g s", (double)ms / 1000);
}

const char *text_s(uint64_t count)
{
	return count == 1 ? "" : "s";
}

void text_time(char text[TEXT_TIME_BYTES], int64_t unix_ms)
{
	int64_t ms = unix_ms % 1000;
	if (ms < 0)
		ms += 1000;
	time_t second = (time_t)((unix_ms - ms) / 1000);
	struct tm utc;
	char date[24] = "?";
	if (gmtime_r(&second, &utc))
		strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(text, TEXT_TIME_BYTES, "%s.%03dZ", date, (int)ms);
}

void text_week(char text[TEXT_WEEK_BYTES], int64_t start_ms, int64_t end_ms)
{
	static const char *const days[] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
	const int64_t minute = 60000, day = 1440, week = 7 * day;
	/* 1 January 1970 was a Thursday. */
	int64_t week_ms = week * minute;
	int64_t start = (start_ms % week_ms + week_ms) % week_ms / minute;
	int64_t length = (end_ms - start_ms) / minute, end = (start + length) % week;
	/* Midnight is the end of a day, too. */
	bool one = start % day + length <= day;
	int64_t until = one && end % day == 0 && length > 0 ? day : end % day;

	if (length >= week)
		snprintf(text, TEXT_WEEK_BYTES, "the whole week");
	else
		snprintf(text, TEXT_WEEK_BYTES, "%s %02d:%02d-%s%s%02d:%02d UTC", days[start / day],
			 (int)(start % day / 60), (int)(start % 60), one ? "" : days[end / day],
			 one ? "" : " ", (int)(until / 60), (int)(until % 60));
}

int text_parse_time(const char *text, int64_t *ret_unix_ms)
{
	bool number = text[strspn(text, "0123456789")] == '\0';
	struct import_clock utc;

	import_clock_init(&utc, number ? "s" : "iso", NULL);
	return import_time(&utc, text, (uint32_t)strlen(text), ret_unix_ms) < 0 ? -EINVAL : 0;
}

int text_take_time(void *field, const char *text)
{
	return text_parse_time(text, field);
}
