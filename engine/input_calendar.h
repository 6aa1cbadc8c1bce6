/*
 * input_calendar: an entry of the calendar as operators and files say it, and as an entry.
 *
 * Members of an entry, beside `name`, `effect`, `learn` (a bool), `set` (the name of the set that
 * it is of), and source, metric and slice:
 *
 *   from_ms, until_ms       once
 *   date "12-25"            each year; `only` ["sat", "sun"]: where it falls on these
 *   easter "western"        each year; or "orthodox"
 *   weekday "thu"           the first one on that day or after it
 *   shift -2                days from there
 *   at "18:00"              it begins at; default 00:00
 *   days 1, or length_ms    it lasts; default a day
 *   first_year, last_year   of the date
 *   zone "Europe/Berlin"    whose days; with zone_rules, a line of base/zone.h, in a record
 *
 * Runs on: any thread. No I/O but the zone database in input_calendar_complete().
 */
#ifndef ENGINE_INPUT_CALENDAR_H
#define ENGINE_INPUT_CALENDAR_H

#include <jansson.h>
#include <stddef.h>

#include "deliver/operator.h"
#include "detect/calendar.h"

/* The entry that a CALENDAR_ADD says; its zone is the caller's to free (calendar_add() copies it).
 * 0; -EINVAL with what is wrong; -ENOMEM. */
int input_calendar_entry(const struct operator_input *input, struct calendar_entry *ret_entry,
			 char *why, size_t why_bytes);
/* The same of a JSON object of these members: of a file, where zone_rules are not wanted (then
 * the entry's zone is NULL). */
int input_calendar_read(const json_t *members, struct calendar_entry *ret_entry, char *why,
			size_t why_bytes);
/* Of a record that is to be written: what nobody would heed is refused, and the rules of its zone
 * are put into one that names one: they travel with it. 0 or -EINVAL with why. */
int input_calendar_complete(json_t *record, char *why, size_t why_bytes);

/* All entries that a store has and that nothing has ended, into a calendar: 0 or negative. */
int input_calendar_stored(const char *store_path, struct calendar *calendar);

#endif
