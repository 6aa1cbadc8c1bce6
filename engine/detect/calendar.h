/*
 * calendar: what is known to come: holidays, campaigns, Black Friday. When, where, and what a
 * detector makes of it.
 *
 * Idea:  an entry is a span of time, or a rule that gives one in each year; its effect is that the
 *        time is left out, that a multiple of the usual is expected, or what the last event of that
 *        name brought (occasion.h). Entries may overlap:
 *
 *          exclude     wins over everything
 *          expect      factors of different entries are multiplied
 *          last-year   takes the place of `expect` entries of the same name; where nothing is
 *                      remembered of an earlier event, the slice is excluded
 *
 *        A calendar is a scorer's; its banks borrow it. It changes between two closes only.
 *
 * Runs on: the thread of its scorer. calendar.c: entries and their checkpoint; calendar_rule.c: the
 *          moments that rules give, calendar_text.c: what people write (any thread).
 */
#ifndef DETECT_CALENDAR_H
#define DETECT_CALENDAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "detect/anomaly.h"

struct zone;

#define CALENDAR_ENTRIES_MAX 4096u
#define CALENDAR_NAME_BYTES 65
/* Per cent more or less than usual: 20 times less to 100 times more. */
#define CALENDAR_EXPECT_MIN (-95.0)
#define CALENDAR_EXPECT_MAX 9900.0
/* Of one occurrence, in days. */
#define CALENDAR_LENGTH_DAYS_MAX 366
#define CALENDAR_YEAR_MIN 1970
#define CALENDAR_YEAR_MAX 2109

enum calendar_when {
	CALENDAR_ONCE,     /* from .. until */
	CALENDAR_DATE,     /* each year on a date */
	CALENDAR_EASTER,   /* each year on Easter Sunday of the western churches */
	CALENDAR_ORTHODOX, /* of the eastern ones */
};

enum calendar_effect {
	CALENDAR_EXCLUDE,   /* neither judged nor learned from */
	CALENDAR_EXPECT,    /* so many per cent more (or less) than usual are expected */
	CALENDAR_LAST_YEAR, /* what the last event of this name brought is expected */
};

enum calendar_learn { CALENDAR_LEARN_DEFAULT, CALENDAR_LEARN_NO, CALENDAR_LEARN_YES };

/*
 * A rule's day: the date, if its weekday is one of `only`; from there the first `weekday`, on that
 * day or after it; then `days` more. The fourth Thursday of November is the first one from the 22nd
 * on, the last Monday of May the first one from the 25th on.
 */
struct calendar_entry {
	uint64_t number; /* of the input that added it; unique */
	char name[CALENDAR_NAME_BYTES];
	/* Of which slices: "" is any; source and metric may have `*`; `slice` names dimension
	 * values that a slice must all have: what names one is not for the total. */
	char source[32], metric[65], slice[ANOMALY_LABEL_BYTES];
	enum calendar_when when;
	int64_t from_ms, until_ms; /* ONCE */
	int32_t month, day;        /* DATE */
	uint32_t only;             /* 1 << weekday (0: Sunday) of the date; 0: whatever it is */
	int32_t weekday;           /* -1: the day itself */
	int32_t days;
	int32_t first_year, last_year; /* of the date; 0: always */
	int64_t at_ms;                 /* of that day by the zone's clock, when it begins */
	int64_t length_ms;             /* 0: `length_days` days of that clock */
	int32_t length_days;
	enum calendar_effect effect;
	double percent; /* EXPECT */
	enum calendar_learn learn;
	const struct zone *zone; /* whose days; NULL: the detector's; a calendar has a copy */
};

struct calendar {
	uint64_t version; /* another one after each change */
	uint32_t count, capacity;
	struct calendar_entry *entries; /* by number */
};

struct calendar *calendar_create(void); /* NULL: no memory */
void calendar_destroy(struct calendar *calendar);
void calendar_clear(struct calendar *calendar);
/* Its number is above all others', or this replaces the entry of its number. 0; -ENOSPC: there are
 * CALENDAR_ENTRIES_MAX; -ENOMEM. */
int calendar_add(struct calendar *calendar, const struct calendar_entry *entry);
/* false: there is none of that number. */
bool calendar_remove(struct calendar *calendar, uint64_t number);
/* NULL: all is well; else what is wrong with an entry, as a person would say it. */
const char *calendar_wrong(const struct calendar_entry *entry);
/* Can a name be shown as it is: has it no control characters? */
bool calendar_printable(const char *text);
/* Does it learn while it holds? Kind exclude never. By default expect does, and last-year does
 * not: what came of an event that was only guessed at would move the level. */
bool calendar_learns(const struct calendar_entry *entry);
/* Of a metric at all; and of one slice of it. */
bool calendar_concerns(const struct calendar_entry *entry, const char *source, const char *metric);
bool calendar_covers(const struct calendar_entry *entry, const char *label);
void calendar_save(const struct calendar *calendar, struct bytes *out);
int calendar_load(struct calendar *calendar, struct bytes_reader *in); /* 0, -EPROTO, -ENOMEM */

/* The first occurrence that ends behind a time: [*ret_from_ms, *ret_until_ms). false: there is
 * none any more. zone: of entries that have none of their own; NULL is UTC. */
bool calendar_next(const struct calendar_entry *entry, const struct zone *zone, int64_t after_ms,
		   int64_t *ret_from_ms, int64_t *ret_until_ms);
/* The day (since 1970-01-01) that a rule gives for a year; false: none. Not for ONCE. */
bool calendar_day(const struct calendar_entry *entry, int64_t year, int64_t *ret_day);

/* As people write them. 0 or -EINVAL; -ERANGE: per cents beyond what can be expected. */
#define CALENDAR_EFFECT_WORDS "exclude, expect:+40% (-95% to +9900%) or last-year"
#define CALENDAR_EFFECT_BYTES 32
int calendar_read_effect(const char *text, struct calendar_entry *entry);
void calendar_put_effect(const struct calendar_entry *entry, char text[CALENDAR_EFFECT_BYTES]);
int calendar_read_date(const char *text, struct calendar_entry *entry); /* "12-25" */
int calendar_read_time(const char *text, int64_t *ret_ms);              /* "18:00" */
int calendar_read_weekday(const char *text);                            /* "thu": 4; 0 is Sunday */
const char *calendar_weekday_name(int weekday);

#endif
