/*
 * score_calendar: see score_calendar.h. Rows come from import_input.h, times from import_time.h.
 */
#include "score_calendar.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "detect/calendar.h"
#include "import_input.h"
#include "import_time.h"

#define SHOWN_BYTES 40

enum column { COLUMN_START, COLUMN_END, COLUMN_NAME, COLUMN_EFFECT, COLUMNS };

static const char *const column_names[COLUMNS] = {"start", "end", "name", "effect"};

struct reading {
	const char *path;
	struct import_input input;
	struct import_clock clock;
	int at[COLUMNS]; /* -1: there is none */
	struct calendar *calendar;
	char *why;
	size_t why_bytes;
};

__attribute__((format(printf, 3, 4))) static int refuse(const struct reading *reading,
							uint64_t line, const char *format, ...)
{
	va_list arguments;
	int used = snprintf(reading->why, reading->why_bytes, "%s: line %" PRIu64 ": ",
			    strcmp(reading->path, "-") ? reading->path : "standard input", line);

	if (used < 0 || (size_t)used >= reading->why_bytes)
		return -EBADMSG;
	va_start(arguments, format);
	vsnprintf(reading->why + used, reading->why_bytes - (size_t)used, format, arguments);
	va_end(arguments);
	return -EBADMSG;
}

/* What stands in a column, without blanks around it, as text; "" where there is nothing. false: it
 * is too long. */
static bool take_text(const struct reading *reading, const struct import_row *row,
		      enum column column, char *to, size_t size)
{
	int at = reading->at[column];
	const char *text = "";
	uint32_t bytes = 0;

	if (at >= 0 && (uint32_t)at < row->count) {
		text = row->fields[at].text;
		bytes = row->fields[at].bytes;
	}
	while (bytes && strchr(" \t", text[bytes - 1]))
		bytes--;
	for (; bytes && strchr(" \t", *text); bytes--)
		text++;
	if (bytes >= size || memchr(text, '\0', bytes))
		return false;
	memcpy(to, text, bytes);
	to[bytes] = '\0';
	return true;
}

static int take_time(struct reading *reading, const struct import_row *row, enum column column,
		     int64_t *ret_ms)
{
	const char *name = column_names[column];
	char text[64];

	if (!take_text(reading, row, column, text, sizeof(text)))
		return refuse(reading, row->line, "%s is no time", name);
	int result = text[0] ? import_time(&reading->clock, text, (uint32_t)strlen(text), ret_ms)
			     : -EINVAL;
	if (result == -ERANGE)
		return refuse(reading, row->line, "%s \"%s\" is before 1970 or after 2109", name,
			      text);
	if (result < 0)
		return refuse(reading, row->line,
			      "%s \"%s\" is neither unix seconds nor a time as 2011-01-04T10:00:00",
			      name, text);
	return 0;
}

static int take_row(struct reading *reading, const struct import_row *row)
{
	struct calendar_entry entry = {.number = reading->calendar->count + 1};
	char effect[SHOWN_BYTES];

	if (row->count > COLUMNS && reading->at[COLUMN_EFFECT] == COLUMN_EFFECT)
		return refuse(reading, row->line,
			      "more than start,end,name,effect: write a name with a comma in "
			      "quotes");
	int result = take_time(reading, row, COLUMN_START, &entry.from_ms);
	if (!result)
		result = take_time(reading, row, COLUMN_END, &entry.until_ms);
	if (result < 0)
		return result;
	if (!take_text(reading, row, COLUMN_NAME, entry.name, sizeof(entry.name)))
		return refuse(reading, row->line, "the name has more than %d bytes",
			      CALENDAR_NAME_BYTES - 1);
	if (!calendar_printable(entry.name))
		return refuse(reading, row->line, "the name has characters that cannot be shown");
	if (!take_text(reading, row, COLUMN_EFFECT, effect, sizeof(effect)))
		snprintf(effect, sizeof(effect), "...");
	if (effect[0] && calendar_read_effect(effect, &entry) < 0)
		return refuse(reading, row->line,
			      "effect \"%s\" is not one of %s", effect, CALENDAR_EFFECT_WORDS);
	if (calendar_wrong(&entry))
		return refuse(reading, row->line, "%s", calendar_wrong(&entry));
	result = calendar_add(reading->calendar, &entry);
	if (result == -ENOSPC)
		return refuse(reading, row->line, "more than %u spans", CALENDAR_ENTRIES_MAX);
	if (result < 0)
		snprintf(reading->why, reading->why_bytes, "no memory for the calendar");
	return result;
}

/* Which column is where, if the row says so. false: it is data. */
static bool take_header(struct reading *reading, const struct import_row *row)
{
	int at[COLUMNS];
	char text[SHOWN_BYTES];

	for (int column = 0; column < COLUMNS; column++) {
		at[column] = -1;
		for (uint32_t i = 0; i < row->count && at[column] < 0; i++) {
			reading->at[column] = (int)i;
			if (take_text(reading, row, (enum column)column, text, sizeof(text)) &&
			    strcmp(text, column_names[column]) == 0)
				at[column] = (int)i;
		}
	}
	bool header = at[COLUMN_START] >= 0;
	for (int column = 0; column < COLUMNS; column++)
		reading->at[column] = header ? at[column] : column;
	return header;
}

static int read_rows(struct reading *reading)
{
	struct import_row row;
	char said[192];
	bool first = true;
	int result;

	while ((result = import_next(&reading->input, &row, said, sizeof(said))) > 0) {
		bool header = first && take_header(reading, &row);
		for (int column = 0; header && column < COLUMN_EFFECT; column++)
			if (reading->at[column] < 0)
				return refuse(reading, row.line,
					      "there is no column %s; it wants "
					      "start,end,name[,effect]",
					      column_names[column]);
		int taken = header ? 0 : take_row(reading, &row);
		if (taken < 0)
			return taken;
		first = false;
	}
	if (result == -EBADMSG)
		return refuse(reading, row.line, "%s", said);
	if (result < 0)
		snprintf(reading->why, reading->why_bytes, "%s", said);
	return result;
}

static int read_open(struct reading *reading)
{
	char closing[256];
	int result = import_clock_init(&reading->clock, "auto", NULL);

	if (!result)
		result = read_rows(reading);
	int closed = import_close(&reading->input, closing, sizeof(closing));
	if (closed < 0) {
		snprintf(reading->why, reading->why_bytes, "%s", closing);
		return closed;
	}
	return result;
}

int score_calendar_read(const char *path, struct calendar **ret_calendar, char *why,
			size_t why_bytes)
{
	struct reading *reading = calloc(1, sizeof(*reading));
	int result = -ENOMEM;

	if (reading)
		*reading = (struct reading){.path = path,
					    .calendar = calendar_create(),
					    .why = why,
					    .why_bytes = why_bytes};
	if (!reading || !reading->calendar)
		snprintf(why, why_bytes, "no memory for the calendar");
	else
		result = import_open(&reading->input, path, IMPORT_CSV, ',', why, why_bytes);
	if (!result)
		result = read_open(reading);
	if (!result)
		*ret_calendar = reading->calendar;
	else if (reading)
		calendar_destroy(reading->calendar);
	free(reading);
	return result;
}

void score_calendar_shift(struct calendar *calendar, int64_t ms)
{
	for (uint32_t i = 0; i < calendar->count; i++) {
		calendar->entries[i].from_ms -= ms;
		calendar->entries[i].until_ms -= ms;
	}
	calendar->version++;
}
