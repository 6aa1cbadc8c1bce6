/*
 * occasion: what a calendar means to one bank, interval by interval: which slices are left out,
 * what multiple of the usual the others are expected to bring, and what events brought before.
 *
 * Idea:  which entries hold changes seldom: what follows for the slices is worked out then and
 *        stands until the next moment at which something begins or ends. An interval is of an entry
 *        that covers a twentieth of it at least; a factor counts by the part that it covers. Per
 *        cents of an entry for all metrics are said of what adds up, not of shares and means.
 *
 *        Of an event that some entry compares with last year's, a bank remembers, by slice and by
 *        part of the event, what came over what would have come without it:
 *
 *          event     |<- part 0 ->|<- part 1 ->|<- part 2 ->| ...      at most 48, from an hour on
 *          memory       1.8 (240)    3.1 (410)    4.0 (388)            ratio (events expected)
 *
 *        at each occurrence, whatever its effect then; the newest one counts. Parts are counted
 *        from the event's beginning: its date and its weekday do not matter, those are in what
 *        would have come. The ratio is drawn toward 1 by what chance does to so few events.
 *
 * Memory: two arrays of a byte or a double a slice while entries hold; for each event that is
 *         compared with last year's (at most 16 a bank, those that were wanted first) 408
 *         bytes a slice. Nothing while the calendar is empty.
 *
 * Runs on: the shard that owns the metric. Allocates in occasion_prepare() only.
 */
#ifndef DETECT_OCCASION_H
#define DETECT_OCCASION_H

#include <stdbool.h>
#include <stdint.h>

#include "detect/calendar.h"
#include "interval/observation.h"

#define OCCASION_PARTS 48
#define OCCASION_EVENTS_MAX 16

struct bank;

/* What one slice brought in the parts of an event. */
struct occasion_past {
	uint64_t known; /* 1 << part */
	float ratio[OCCASION_PARTS];
	float evidence[OCCASION_PARTS]; /* events that were expected without it */
	/* Of the part that goes on. */
	float observed, expected, events;
	float spare;
};

/* An event: entries of one name and one slice pattern. */
struct occasion_event {
	char name[CALENDAR_NAME_BYTES];
	char slice[ANOMALY_LABEL_BYTES];
	int64_t noted; /* interval last noted of it, INT64_MIN: none: the oldest is forgotten */
	bool wanted;   /* the calendar has a last-year entry of it */
	bool open;     /* `part` goes on */
	uint32_t part;
	uint32_t covered_count;     /* slices looked at */
	uint8_t *covered;           /* [capacity] */
	struct occasion_past *past; /* [capacity] */
};

/* An entry that touches the time in hand. */
struct occasion_now {
	uint32_t entry; /* its index in the calendar */
	int32_t event;  /* -1: nothing is remembered of its name */
	int64_t from_ms, until_ms;
};

struct occasion {
	const struct calendar *calendar; /* a scorer's; NULL: none */
	uint64_t version;                /* of it, as prepared; with `slices` */
	bool prepared;
	uint32_t slices, capacity;
	/* What was worked out holds for time within. */
	int64_t since_ms, until_ms;
	uint32_t now_count, now_capacity;
	struct occasion_now *now;
	bool adds; /* the metric's values add up */
	bool expects, excludes, pauses;
	double *expect;             /* [capacity] */
	uint8_t *excluded, *paused; /* [capacity] */
	uint32_t events_count;
	struct occasion_event *events; /* [OCCASION_EVENTS_MAX]; NULL: no entry says last-year */
};

/* The event of an entry's name and slices; -1: nothing is remembered of it. */
int32_t occasion_find(const struct occasion *occasion, const struct calendar_entry *entry);
/* Room for what the calendar wants, before a step. 0 or -ENOMEM. */
int occasion_prepare(struct bank *bank);
/* The observations of [start_ms, end_ms), with what the calendar says of them: they themselves, or
 * the bank's scratch. */
const struct observations *occasion_mark(struct bank *bank, const struct observations *observations,
					 int64_t start_ms, int64_t end_ms);
/* Behind the detector's step: remember what came. */
void occasion_note(struct bank *bank, const struct observations *observations, int64_t start_ms,
		   int64_t end_ms);
/* All slices are gone. The calendar stays. */
void occasion_forget(struct occasion *occasion);
uint64_t occasion_bytes(const struct occasion *occasion);
void occasion_save(const struct bank *bank, struct bytes *out);
/* Into a bank that has its slices: 0, -EPROTO, -ENOMEM. */
int occasion_load(struct bank *bank, struct bytes_reader *in);

#endif
