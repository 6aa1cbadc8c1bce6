/*
 * calendar_show: entries of a calendar for people: what they say, and the days they give.
 */
#ifndef WEIRCTL_CALENDAR_SHOW_H
#define WEIRCTL_CALENDAR_SHOW_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* A line for each of the engine's entries, by number. */
void calendar_show_entries(const json_t *entries);
/* A line for each day or span that begins in this year, in order; entries without a zone by UTC. */
int calendar_show_year(const json_t *entries, int64_t year, bool json);

#endif
