/*
 * show: which events are wanted, and how they are written. Shared by dump and tail.
 */
#ifndef WEIRCTL_SHOW_H
#define WEIRCTL_SHOW_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "events.h"

#define SHOW_WHERE_MAX 16

struct event_filter {
	const char *event;                 /* NULL: all */
	const char *source;                /* NULL: all */
	int64_t since_ms, until_ms;        /* from, and before */
	const char *where[SHOW_WHERE_MAX]; /* "country=DE": all of them hold */
	uint32_t where_count;
};

enum event_form { FORM_TEXT, FORM_JSON, FORM_CSV };

#define FILTER_ALL                                                                                 \
	{                                                                                          \
		.since_ms = INT64_MIN, .until_ms = INT64_MAX                                       \
	}

/* "country=DE"; the field is a filter. 0, or -EINVAL. An option's take. */
int filter_where(void *field, const char *text);

/* The options of a command that shows events: `type` is its struct, with a `filter` and a
 * `form`. */
#define ROWS_FILTER(type)                                                                          \
	{.name = "event",                                                                          \
	 .argument = "NAME",                                                                       \
	 .help = "only this event",                                                                \
	 .kind = OPTION_TEXT,                                                                      \
	 .at = offsetof(type, filter.event)},                                                      \
		{.name = "source",                                                                 \
		 .argument = "NAME",                                                               \
		 .help = "only this source",                                                       \
		 .kind = OPTION_TEXT,                                                              \
		 .at = offsetof(type, filter.source)},                                             \
	{                                                                                          \
		.name = "where", .argument = "NAME=VALUE",                                         \
		.help = "only this value of a dimension; may be repeated", .kind = OPTION_TAKE,    \
		.take = filter_where, .at = offsetof(type, filter)                                 \
	}
#define ROWS_FORM(type)                                                                            \
	{.name = "json",                                                                           \
	 .help = "one JSON object per line",                                                       \
	 .kind = OPTION_VALUE,                                                                     \
	 .min = FORM_JSON,                                                                         \
	 .at = offsetof(type, form)},                                                              \
	{                                                                                          \
		.name = "csv", .help = "comma-separated, with a header", .kind = OPTION_VALUE,     \
		.min = FORM_CSV, .at = offsetof(type, form)                                        \
	}

bool filter_takes(const struct event_filter *filter, const struct event_view *event);
/* The value of a dimension, "" if the event does not have it. */
const char *event_dimension(const struct event_view *event, const char *name);

/* The header line of a form: CSV has one. */
void show_header(enum event_form form, FILE *to);
/* One line. */
void show_event(const struct event_view *event, enum event_form form, FILE *to);

#endif
