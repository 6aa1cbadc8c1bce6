/*
 * feedback: what people said of a detector's anomalies, and what follows for the next ones.
 *
 * Idea:  a list of what was said, from which everything is worked out when it is asked for: to take
 *        one thing back is to take it out of the list.
 *
 *   no      of the same slice and direction, at any time: the threshold is 3.75 (0.3 decades of
 *           chance) higher for each; of sibling slices (the same dimensions) a third of that; at
 *           most 18.75 (1.5 decades) in all; it fades with a half-life of 90 days
 *           at the same time of the week, two hours more or less, for half a year: what is no
 *           larger than 1.2 times what was dismissed (two times: 1.3, three and more: 1.4) is none
 *   yes     the threshold is 1.25 lower for each, at most 6.25; at the same time of the week
 *           nothing as large as what was confirmed is dismissed by what had been said before; and
 *           the incident, while it lasts, is not learned from
 *   unsure  nothing
 *
 * How large something is: the deviation from the expectation, averaged over 1, 8 and 64 intervals
 * of a run, the largest of each. A look-alike is no larger on any of these scales on which what was
 * dismissed was larger than chance; so is what it was in the other direction on its way, when what
 * had followed it came back. Compared with the severity this does not depend on how heavy a
 * series' tails are: twice the size is twice the size.
 *
 * Said twice of one anomaly: the later counts, until it is taken back.
 *
 * Runs on: the scorer that owns the metric. Allocates when something is said and nowhere else.
 */
#ifndef DETECT_FEEDBACK_H
#define DETECT_FEEDBACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "detect/said.h"

/* Of one detector at most; beyond, the oldest is forgotten. */
#ifndef FEEDBACK_MAX /* fuzz targets have fewer */
#define FEEDBACK_MAX 256u
#endif

/* Bounds of what follows, in raw severity. */
#define FEEDBACK_RAISE_MAX 18.75
#define FEEDBACK_LOWER_MAX 6.25

struct feedback_entry {
	uint64_t number; /* of the record */
	uint64_t id[2];  /* of the anomaly */
	char *slice;
	struct feedback_said said;
	bool in_force;         /* nothing later was said of the same anomaly */
	uint64_t suppressed;   /* anomalies that would have fired without it */
	int64_t suppressed_ms; /* when the last one would have, event time; 0: none */
};

struct feedback_list {
	uint32_t count;
	struct feedback_entry entry[FEEDBACK_MAX]; /* in the order in which they were said */
};

/* A run of deviations in one direction, measured as it goes on. */
struct feedback_run {
	double mean[FEEDBACK_SCALES - 1], weight[FEEDBACK_SCALES - 1]; /* of the longer scales */
	double most[FEEDBACK_SCALES];
};

/* What somebody might have spoken of: a slice in an interval (or period). */
struct feedback_case {
	const char *slice;
	int direction;
	int64_t from_ms, until_ms; /* the interval, unix */
	int64_t since_ms;          /* its run; from_ms where none goes on */
	double usual;              /* what was expected when its run began */
	double deviation;          /* standard, of one interval; 0: not known */
	bool adds;                 /* its values add up over time: counts and sums; not below 0 */
};

/* Intervals of said.h's scales. */
extern const double feedback_scales[FEEDBACK_SCALES];

/* Of a checkpoint: can it be one? */
bool feedback_run_possible(const struct feedback_run *run);
void feedback_measure(struct feedback_run *run, double deviation);
/* What comes is measured by itself; the largest sizes stay. */
void feedback_turn(struct feedback_run *run);

struct feedback_list *feedback_create(void);
void feedback_destroy(struct feedback_list *list);
/* 0 or -ENOMEM. */
int feedback_add(struct feedback_list *list, uint64_t number, const uint64_t id[2],
		 const char *slice, const struct feedback_said *said);
/* false: there is none of this number. */
bool feedback_undo(struct feedback_list *list, uint64_t number);
/* What holds of an anomaly; NULL: nothing. */
const struct feedback_entry *feedback_of(const struct feedback_list *list, const uint64_t id[2]);

/* By how much the threshold is higher, in raw severity; without the entry of that number (0: with
 * all). */
double feedback_raise(const struct feedback_list *list, const struct feedback_case *of,
		      uint64_t without);
/* Has what is no larger than this run been dismissed at this time of the week? */
bool feedback_alike(const struct feedback_list *list, const struct feedback_case *of,
		    const struct feedback_run *run);
/* One of these would have fired. */
void feedback_suppressed(struct feedback_list *list, const struct feedback_case *of);

/* Can somebody have said that? */
bool feedback_possible(const struct feedback_said *said);
void feedback_save(const struct feedback_list *list, struct bytes *out);
/* Into an empty list: 0, -EPROTO, -ENOMEM. */
int feedback_load(struct feedback_list *list, struct bytes_reader *in);

#endif
