/*
 * calendar_set: the sets of holidays that are installed with weir, and other files like them.
 *
 *   {"set": "de", "title": "...", "zone": "Europe/Berlin", "entries": [{"name": ..., "date": ...}]}
 *
 * Entries are as engine/input_calendar.h says; the zone is of those that have none of their own.
 * They lie in $WEIR_CALENDARS, or where they were installed.
 */
#ifndef WEIRCTL_CALENDAR_SET_H
#define WEIRCTL_CALENDAR_SET_H

#include <jansson.h>
#include <stddef.h>

/* A list of entries (to be json_decref'd), each with the member `set`, all of them right. `name` is
 * that of a set, or of a file if there is a slash in it. NULL: why, and which sets there are. */
json_t *calendar_set_read(const char *name, char *why, size_t why_bytes);
/* A line for each set: its name and its title. Negative errno: there is no such folder. */
int calendar_sets_each(void (*each)(void *self, const char *name, const char *title), void *self);
/* Where they are. */
const char *calendar_sets_folder(void);

#endif
