/*
 * ical_private: an event of an iCalendar file in pieces, shared by ical.c and ical_event.c. Nobody
 * else includes this.
 */
#ifndef WEIRCTL_ICAL_PRIVATE_H
#define WEIRCTL_ICAL_PRIVATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "detect/calendar.h"

/* A date, or a time of some clock. */
struct ical_moment {
	bool given, timed, utc;
	char zone[65]; /* TZID; "": none */
	int year, month, day;
	int64_t day_ms; /* of the day */
};

/* FREQ=YEARLY and what goes with it. */
struct ical_rule {
	bool yearly;
	int64_t count;       /* 0: not said */
	int month, monthday; /* 0: not said */
	int nth, weekday;    /* BYDAY=4TH: 4 and 4; nth 0: not said */
	bool has_until;
	struct ical_moment until;
};

struct ical_event {
	uint64_t line, rule_line;
	bool cancelled;
	char name[CALENDAR_NAME_BYTES];
	struct ical_moment start, end;
	int64_t duration_ms; /* 0: not said */
	struct ical_rule rule;
};

/* 0 or -EINVAL; the moment's zone stays. */
int ical_moment(const char *text, struct ical_moment *ret_moment);
int ical_duration(const char *text, int64_t *ret_ms);
/* 0, or -EINVAL with what is not taken. */
int ical_rule(const char *text, struct ical_rule *ret_rule, char *why, size_t why_bytes);
/* 0 and the members of an entry; -EINVAL with why; -ENOMEM. */
int ical_members(const struct ical_event *event, json_t **ret_members, char *why, size_t why_bytes);

#endif
