/*
 * ical: the events of an iCalendar file (RFC 5545) as entries of a calendar.
 *
 * Taken are VEVENTs with
 *
 *   SUMMARY           the name, up to 64 bytes of it
 *   DTSTART           a DATE, or a DATE-TIME in UTC, with a TZID that the time zone database has,
 * or of no zone: then it is of the detector's clock DTEND, DURATION   its end; without one a DATE
 * lasts a day RRULE             FREQ=YEARLY, with COUNT or UNTIL, or BYMONTH with BYDAY=4TH or
 * -1MO, or with BYMONTHDAY, as DTSTART says too
 *
 * Cancelled events are passed over, and so is whatever is no VEVENT. What cannot be taken (other
 * rules, exceptions to them, moved occurrences) is refused with its line: an entry that was
 * silently another one would hide an anomaly.
 */
#ifndef WEIRCTL_ICAL_H
#define WEIRCTL_ICAL_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* An event: the members of an entry (engine/input_calendar.h) that is the callee's to release. 0 to
 * go on. */
typedef int ical_each(void *self, uint64_t line, json_t *members);
/* 0; what `each` has returned; -EBADMSG with why, and the line in it; -ENOMEM. */
int ical_read(const char *text, size_t bytes, ical_each *each, void *self, char *why,
	      size_t why_bytes);

#endif
