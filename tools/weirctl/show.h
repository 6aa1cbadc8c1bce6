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

/* Take one option of a filter: its argument is checked. 0, or -EINVAL. */
int filter_since(struct event_filter *filter, const char *text);
int filter_until(struct event_filter *filter, const char *text);
int filter_where(struct event_filter *filter, const char *text);

bool filter_takes(const struct event_filter *filter, const struct event_view *event);
/* The value of a dimension, "" if the event does not have it. */
const char *event_dimension(const struct event_view *event, const char *name);

/* The header line of a form: CSV has one. */
void show_header(enum event_form form, FILE *to);
/* One line. */
void show_event(const struct event_view *event, enum event_form form, FILE *to);

#endif
