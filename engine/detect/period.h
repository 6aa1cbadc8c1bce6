/*
 * period: stretches of time longer than an interval: so many minutes or hours that divide a day, a
 * day, a week from Monday, a calendar month. Days and what is made of them are those of a zone's
 * clock, shorter ones UTC's.
 *
 * Idea:  periods of one length are numbered through from 1970, so "seven days before" is a
 *        subtraction. A local day may have 23 hours or 25; an interval is of the one that holds its
 *        middle. What an interval brings is added up by slice; when the last interval of a
 *        period has come, the sums are observations like those of one interval.
 *
 *   intervals   | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | ...
 *   periods     |       0       |       1       |     ...        number of the period that holds it
 *
 * Runs on: the shard that owns the metric. Allocates when slices are added and nowhere else.
 */
#ifndef DETECT_PERIOD_H
#define DETECT_PERIOD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "detect/detector.h"

/* Number of the period that holds an interval; its first and its last interval; its length, of a
 * month the average one. frequency_ms: of struct detector_spec; 0: each interval is a period. zone:
 * NULL is UTC. */
int64_t period_of(int64_t interval, int64_t interval_ms, int64_t frequency_ms,
		  const struct zone *zone);
int64_t period_first(int64_t period, int64_t interval_ms, int64_t frequency_ms,
		     const struct zone *zone);
int64_t period_last(int64_t period, int64_t interval_ms, int64_t frequency_ms,
		    const struct zone *zone);
int64_t period_ms(int64_t interval_ms, int64_t frequency_ms);
/* Periods from one to the one that a baseline compares it with. */
int64_t period_back(int64_t interval_ms, int64_t frequency_ms, enum detector_baseline baseline);

/* Sums of the period we are in, one element per slice. */
struct period {
	int64_t frequency_ms;    /* never 0 */
	const struct zone *zone; /* the bank's; NULL: UTC */
	int64_t number;          /* of the period, if `intervals` is not 0 */
	int64_t intervals;       /* seen of it */
	int64_t incomplete;      /* of these */
	int64_t ended;           /* intervals of the one that ended with what was added last; 0:
				  * none did. Not saved */
	bool even; /* of days that are not as long as others nothing is said: clocks changed */
	uint32_t slices, capacity;
	double *block; /* all rows, in the order below */
	double *top, *weight, *events, *squares;
	double *value;                    /* of the period that has ended */
	struct observations observations; /* of it */
};

/* The zone stays the caller's. */
void period_init(struct period *period, int64_t frequency_ms, const struct zone *zone);
void period_fini(struct period *period);
/* Take in an interval. NULL: its period goes on; else the period's observations, valid until the
 * next call: `interval` is the number of the period, `interval_ms` its length. They are incomplete
 * if more than a twentieth of the period was, or was not seen at all. Room must have been made. */
const struct observations *period_add(struct period *period,
				      const struct observations *observations);
/* The same with sums of several intervals at once, all of one period, `observations` being as of
 * the last of them: so many, and of these so many not seen in full. */
const struct observations *period_add_many(struct period *period,
					   const struct observations *observations,
					   int64_t intervals, int64_t incomplete);
/* Room for slices, the new ones empty: 0 or -ENOMEM. */
int period_grow(struct period *period, uint32_t slices);
uint64_t period_bytes(const struct period *period);
void period_save(const struct period *period, struct bytes *out);
/* 0 or -EPROTO; `slices` as they were saved, room has been made. */
int period_load(struct period *period, uint32_t slices, struct bytes_reader *in);

#endif
