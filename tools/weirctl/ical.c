/*
 * ical: see ical.h.
 *
 * Idea:  lines are unfolded into one buffer and taken apart as they come; a VEVENT is a handful of
 *        texts until its END, and then an entry. Nothing else of the file is looked at.
 */
#include "ical.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/civil.h"
#include "base/zone.h"
#include "detect/calendar.h"
#include "ical_private.h"

#define LINE_BYTES_MAX 65536u
#define DAY_MS INT64_C(86400000)

struct reading {
	const char *at, *end;
	uint64_t line, next_line; /* of the line in hand, of what comes behind it */
	char *text;               /* the line in hand, unfolded */
	size_t used;
	unsigned depth; /* of what is passed over within an event, or instead of one */
	struct ical_event event;
	bool within;
	ical_each *each;
	void *self;
	char *why;
	size_t why_bytes;
};

static int refuse(const struct reading *reading, uint64_t line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse(const struct reading *reading, uint64_t line, const char *format, ...)
{
	va_list arguments;
	int used = snprintf(reading->why, reading->why_bytes, "line %" PRIu64 ": ", line);

	if (used < 0 || (size_t)used >= reading->why_bytes)
		return -EBADMSG;
	va_start(arguments, format);
	vsnprintf(reading->why + used, reading->why_bytes - (size_t)used, format, arguments);
	va_end(arguments);
	return -EBADMSG;
}

/* The next line with what is folded behind it. 1, 0: no more, -EBADMSG. */
static int next_line(struct reading *reading)
{
	reading->used = 0;
	reading->line = reading->next_line;
	if (reading->at == reading->end)
		return 0;
	do {
		size_t left = (size_t)(reading->end - reading->at);
		const char *newline = memchr(reading->at, '\n', left);
		size_t bytes = newline ? (size_t)(newline - reading->at) : left;
		const char *from = reading->at;

		reading->at += bytes + (newline != NULL);
		reading->next_line++;
		if (bytes && from[bytes - 1] == '\r')
			bytes--;
		if (reading->used && bytes) { /* the blank that folds */
			from++;
			bytes--;
		}
		if (reading->used + bytes >= LINE_BYTES_MAX)
			return refuse(reading, reading->line, "a line of more than %u bytes",
				      LINE_BYTES_MAX);
		if (memchr(from, '\0', bytes))
			return refuse(reading, reading->line, "it is no text");
		memcpy(reading->text + reading->used, from, bytes);
		reading->used += bytes;
	} while (reading->at < reading->end && (*reading->at == ' ' || *reading->at == '\t'));
	reading->text[reading->used] = '\0';
	return 1;
}

/* "DTSTART;TZID=Europe/Berlin:2026..." : cuts the name off, and gives parameters and value. */
static char *split(char *text, char **ret_parameters)
{
	bool quoted = false;
	char *at = text;

	*ret_parameters = NULL;
	for (; *at && (quoted || *at != ':'); at++) {
		quoted ^= *at == '"';
		if (*at == ';' && !quoted && !*ret_parameters) {
			*at = '\0';
			*ret_parameters = at + 1;
		}
	}
	if (!*at)
		return NULL;
	*at = '\0';
	return at + 1;
}

/* The value of a parameter, quotes taken off, into `to`. false: it is too long. */
static bool parameter(const char *parameters, const char *name, char *to, size_t size)
{
	size_t length = strlen(name);

	to[0] = '\0';
	for (const char *at = parameters; at && *at; at += *at == ';') {
		const char *end = at + strcspn(at, ";");
		if (strncasecmp(at, name, length) == 0 && at[length] == '=') {
			const char *value = at + length + 1;
			size_t bytes = (size_t)(end - value);
			if (bytes >= 2 && *value == '"' && value[bytes - 1] == '"') {
				value++;
				bytes -= 2;
			}
			if (bytes >= size)
				return false;
			memcpy(to, value, bytes);
			to[bytes] = '\0';
			return true;
		}
		at = end;
	}
	return true;
}

static int take_moment(const struct reading *reading, const char *name, const char *parameters,
		       const char *value, struct ical_moment *ret_moment)
{
	char kind[32];

	memset(ret_moment, 0, sizeof(*ret_moment));
	if (!parameter(parameters, "TZID", ret_moment->zone, sizeof(ret_moment->zone)) ||
	    !parameter(parameters, "VALUE", kind, sizeof(kind)))
		return refuse(reading, reading->line, "%s: a parameter is too long", name);
	if (ical_moment(value, ret_moment) < 0)
		return refuse(reading, reading->line,
			      "%s \"%.40s\" is no date, and no time as 20261127T180000Z", name,
			      value);
	if (strcasecmp(kind, "DATE") == 0 && ret_moment->timed)
		return refuse(reading, reading->line, "%s says that it is a DATE, and is none",
			      name);
	ret_moment->given = true;
	return 0;
}

/* "A\, b\nc": commas, semicolons and line feeds are written so. As much as a name takes, no half
 * of a character. */
static void take_summary(struct ical_event *event, const char *value)
{
	size_t used = 0;

	for (; *value && used + 1 < sizeof(event->name); value++) {
		char c = *value;
		if (c == '\\' && value[1]) {
			value++;
			c = *value == 'n' || *value == 'N' ? ' ' : *value;
		}
		event->name[used++] = c;
	}
	if (*value)
		while (used && ((unsigned char)*value & 0xc0) == 0x80) {
			value--;
			used--;
		}
	event->name[used] = '\0';
}

static int take_property(struct reading *reading)
{
	static const char *const refused[] = {"RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID"};
	struct ical_event *event = &reading->event;
	char *parameters, *value = split(reading->text, &parameters);
	const char *name = reading->text;
	int result = 0;

	if (!value)
		return refuse(reading, reading->line, "no colon in it: this is no iCalendar");
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (strcasecmp(name, refused[i]) == 0)
			return refuse(reading, reading->line,
				      "%s is not taken: a calendar knows rules without exceptions; "
				      "write the dates as events of their own",
				      refused[i]);
	if (strcasecmp(name, "SUMMARY") == 0) {
		take_summary(event, value);
	} else if (strcasecmp(name, "DTSTART") == 0) {
		result = take_moment(reading, name, parameters, value, &event->start);
	} else if (strcasecmp(name, "DTEND") == 0) {
		result = take_moment(reading, name, parameters, value, &event->end);
	} else if (strcasecmp(name, "STATUS") == 0) {
		event->cancelled = strcasecmp(value, "CANCELLED") == 0;
	} else if (strcasecmp(name, "DURATION") == 0) {
		if (ical_duration(value, &event->duration_ms) < 0)
			result = refuse(reading, reading->line,
					"DURATION \"%.40s\" is none, as P1D or PT4H30M", value);
	} else if (strcasecmp(name, "RRULE") == 0) {
		if (event->rule.yearly)
			return refuse(reading, reading->line, "a second RRULE is not taken");
		char what[256];
		event->rule_line = reading->line;
		if (ical_rule(value, &event->rule, what, sizeof(what)) < 0)
			result = refuse(reading, reading->line, "RRULE: %s", what);
	}
	return result;
}

static int end_event(struct reading *reading)
{
	char what[256] = "";
	json_t *members = NULL;

	reading->within = false;
	if (reading->event.cancelled)
		return 0;
	int result = ical_members(&reading->event, &members, what, sizeof(what));
	if (result == -ENOMEM)
		return result;
	if (result < 0)
		return refuse(reading, reading->event.line, "the event that begins here: %s", what);
	return reading->each(reading->self, reading->event.line, members);
}

static int take_line(struct reading *reading)
{
	const char *text = reading->text;
	bool begin = strncasecmp(text, "BEGIN:", 6) == 0, end = strncasecmp(text, "END:", 4) == 0;

	if (!reading->used)
		return 0;
	if (reading->depth) {
		reading->depth += begin;
		reading->depth -= end;
		return 0;
	}
	if (begin && strcasecmp(text + 6, "VEVENT") == 0 && !reading->within) {
		reading->event = (struct ical_event){.line = reading->line};
		reading->within = true;
		return 0;
	}
	if (begin && strcasecmp(text + 6, "VCALENDAR") == 0 && !reading->within)
		return 0;
	if (begin) { /* an alarm, a time zone, a task */
		reading->depth = 1;
		return 0;
	}
	if (end && reading->within)
		return strcasecmp(text + 4, "VEVENT") == 0
			       ? end_event(reading)
			       : refuse(reading, reading->line, "\"%.40s\" ends what has not begun",
					text);
	return reading->within ? take_property(reading) : 0;
}

int ical_read(const char *text, size_t bytes, ical_each *each, void *self, char *why,
	      size_t why_bytes)
{
	struct reading *reading = calloc(1, sizeof(*reading));
	int result = -ENOMEM;

	if (reading)
		*reading = (struct reading){.at = text,
					    .end = text + bytes,
					    .next_line = 1,
					    .text = malloc(LINE_BYTES_MAX),
					    .each = each,
					    .self = self,
					    .why = why,
					    .why_bytes = why_bytes};
	if (reading && reading->text) {
		while ((result = next_line(reading)) > 0)
			if ((result = take_line(reading)) != 0)
				break;
		if (result == 0 && (reading->within || reading->depth) &&
		    reading->at == reading->end)
			result = refuse(reading, reading->next_line,
					"the file ends within an event");
		free(reading->text);
	} else {
		snprintf(why, why_bytes, "no memory to read it");
	}
	free(reading);
	return result;
}
