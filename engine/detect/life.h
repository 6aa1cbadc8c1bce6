/*
 * life: what a bank holds; shared by its files.
 *
 *   bank.c            a step: score, weigh, and what a bank is asked
 *   bank_live.c       what is judged of a slice, and what follows from it
 *   bank_speak.c      what is said of it, and what explains it
 *   bank_memory.c     create, grow, save, load, ids
 *   bank_feedback.c   what people said of its anomalies
 *   bank_calibrate.c  what its slices' scores are worth
 *   resolutions.h     the banks of longer periods, whose revisions and its own become one
 *
 *              anomalous                 `for` of them
 *     normal ------------> pending ------------------------> firing --+ band up, direction,
 *        ^                    | normal                          | ^   | top contribution:
 *        +--------------------+                                 | +---+ updated
 *        +------------------------------------------------------+
 *                        `recover` normal ones: resolved
 *
 * Each arrow is a revision. One that was only pending is resolved without having fired; what fires
 * at once (`for` is 1) was never pending. After one that fired, nothing begins for `cooldown`.
 */
#ifndef DETECT_LIFE_H
#define DETECT_LIFE_H

#include "detect/bank.h"
#include "detect/calibration.h"
#include "detect/diagnose.h"
#include "detect/explain.h"
#include "detect/feedback.h"
#include "detect/occasion.h"
#include "detect/period.h"

/* Hushed: anomalous, but for what was said of its like (feedback.h). Nobody is told. */
enum life_status { LIFE_NORMAL, LIFE_PENDING, LIFE_FIRING, LIFE_HUSHED };

/* The life of one slice's anomaly. Intervals are the detector's: numbers of its periods. */
struct life {
	uint8_t status; /* enum life_status */
	int8_t direction;
	uint8_t band;      /* the highest told, enum severity_band */
	uint8_t top_turns; /* intervals that another top contribution has stood */
	uint32_t count;    /* anomalous intervals while pending, normal ones while firing */
	uint32_t revision;
	uint32_t hushed; /* anomalous intervals while hushed */
	int64_t start;   /* first interval of the run */
	int64_t fired;
	int64_t quiet; /* nothing begins before this one: the last anomaly's cooldown */
	int64_t group; /* start of the metric's run when it fired */
	int64_t peak_interval;
	double peak;            /* raw severity */
	double tell_at;         /* raw severity from which it is told again; 0: never */
	uint64_t explained;     /* hash of the explanation told */
	uint64_t top, next_top; /* hashes of the top contribution told, and of the one since */
	double observed, expected, lower, upper, log10_p; /* of the last interval, for bank_end() */
	uint64_t confirmed;                               /* 1: by somebody, an incident */
	double usual;                                     /* what was expected when it began */
	struct feedback_run run[2]; /* how large it has been, downward and upward */
};

/* What is high lately, slice by slice: its peak (0: nothing is), its first step, how many it has
 * been faint for, the peak that was counted (0: it was not); rows of the bank's. Of the step in
 * hand: its number, the score with which what fires goes on, episodes that turned out to have
 * reached a level. */
struct bank_episodes {
	double *peak, *start, *faint, *counted;
	double step, goes_on;
	uint32_t reached[CALIBRATION_LEVELS];
};

struct resolutions;

struct bank {
	struct detector_spec spec;
	struct zone *zone; /* our own, which the spec points to; NULL: UTC */
	/* Its offset, and the time for which it was asked and that before which it holds. */
	int64_t offset_ms, offset_from_ms, offset_until_ms;
	const struct detector_ops *ops;
	uint32_t slices, capacity;
	uint32_t told; /* slices of which the last step said something: none after a load */

	/* Of the observations, as last seen: for bank_end() and ids. */
	char source[32];
	char metric[65];
	int64_t interval_ms;
	bool periodic;          /* the detector's periods are longer than the interval */
	struct period period;   /* if so: the one we are in */
	int64_t step_ms;        /* of a period or interval: between two steps of the detector */
	double log10_intervals; /* of these in a week */
	double edge;            /* standard deviations from expectation to the band's edge */
	double handicap; /* on its threshold: its part of an alarm budget that others share */
	/* Of a rebuild: it has had sums of what is up to here. Not saved. */
	bool absorbed;
	int64_t absorbed_through;
	bool inherits; /* and of the year that longer periods had sums of, once it is stepped */

	uint64_t seen;
	bool running; /* a slice is pending or fires */
	int64_t run;  /* first interval of that */

	void *state;
	struct verdicts verdicts;
	struct diagnosis diagnosis;
	double *volume; /* events per interval, lately */
	double *raw;    /* severity, not clamped */
	struct calibration calibration;
	struct bank_episodes episodes;
	uint8_t *learn;
	uint8_t *paused; /* for observations of a step, where an incident is confirmed */
	struct life *lives;
	char **labels;
	struct resolutions *resolutions; /* NULL: it has none */
	/* Of one of them: what it is one of, and its rank there; else NULL and 0. */
	const struct resolutions *whole;
	uint32_t rank;
	uint32_t speaking; /* slice of the revision in hand */

	struct occasion occasion; /* what the calendar says of our slices */

	struct feedback_list *feedback; /* the scorer's; NULL: nothing was said */
	uint32_t confirmed;             /* lives that are */

	struct observations
		placed; /* scratch of a step: with the zone's offset, and the calendar */
	/* The same: contributions by direction, made when first asked for. */
	uint32_t contributions[2];
	bool diagnosed[2];
	struct contribution contribution[2][ANOMALY_CONTRIBUTIONS_MAX];
	/* The same of explanations; those of longer periods use it one after the other. */
	struct explain_scan *scan;
	struct anomaly anomaly;
};

/* Severity by which an anomaly that fires may fall below the threshold and still go on. */
#define BANK_HYSTERESIS 25.0

/* A step in hand. */
struct bank_turn {
	struct bank *bank;
	const struct observations *observations;
	double threshold; /* raw severity to fire: with the alarm budget */
	bool incomplete;
	bank_each *each;
	void *self;
};

static inline bool bank_excluded(const struct observations *observations, uint32_t i)
{
	return observations->excluded && observations->excluded[i];
}

/* A slice has been weighed: its life goes on (bank_live.c). */
void bank_live(struct bank_turn *step, uint32_t i);
/* The next revision of its anomaly (bank_speak.c). */
void bank_speak(const struct bank_turn *step, uint32_t i, enum anomaly_state state);
/* Hash of the top contribution to a deviation in this direction; 0: there is none. */
uint64_t bank_top(const struct bank_turn *step, int direction);
/* Is another explanation to be told? It is looked for ever more seldom. */
bool bank_explained_anew(const struct bank_turn *step, uint32_t i);
/* Of which explanations are made; NULL: slices stand apart and explain nothing. */
struct explain_scan *bank_scan(const struct bank *bank);
/* Intervals at the ends of a step of the detector. */
int64_t bank_first_of(const struct bank *bank, int64_t step);
int64_t bank_last_of(const struct bank *bank, int64_t step);
/* Of the slice in this interval, for what was said of it (bank_feedback.c). */
void bank_case(const struct bank *bank, const struct observations *observations, uint32_t i,
	       struct feedback_case *ret_case);
/* A slice that is not normal has another interval: how far it is off. */
void bank_measure(struct bank *bank, const struct observations *observations, uint32_t i);
/* Are its slices' scores worth what was measured of them? Then a step begins, each slice that can
 * speak says its score, and it ends (bank_calibrate.c). goes_on: log10 of weeks. */
bool bank_calibrates(const struct bank *bank);
void bank_calibrate_begin(struct bank *bank, int64_t step, double goes_on);
void bank_episode(struct bank *bank, uint32_t i, double score);
void bank_calibrate_end(struct bank *bank, const struct observations *observations,
			uint32_t watched, uint32_t busy, double fires);
bool bank_episode_possible(const struct bank *bank, uint32_t i);
/* Is the slice's anomaly an incident, by what was said of the name that it goes under now? */
void bank_confirm(struct bank *bank, uint32_t i);
/* What is confirmed is not learned from: observations that say so. */
const struct observations *bank_hold(struct bank *bank, const struct observations *observations);
/* Can an event have this interval? What a checkpoint says is not believed to be one. */
bool bank_is_interval(const struct bank *bank, int64_t interval);
/* Room for `slices` slices; 0 or -ENOMEM. New ones have no label yet. */
int bank_grow(struct bank *bank, uint32_t slices);
/* Sums of so many intervals, `observations` being as of the last of them, into this bank alone;
 * bank_step() is that of one interval and all resolutions. */
int bank_step_sums(struct bank *bank, const struct observations *observations, int64_t intervals,
		   int64_t incomplete, bank_each *each, void *self);
void bank_end_own(struct bank *bank, int64_t interval, bank_each *each, void *self);
/* 0 or -ENOMEM. */
int bank_label(struct bank *bank, uint32_t slice, const char *label);
/* What follows from the interval's length. */
void bank_interval(struct bank *bank, int64_t interval_ms);
/* Intervals that the detector wants before it speaks; kind seasonal, which speaks before it knows
 * all, before it has seen each day of the week twice. */
uint64_t bank_wanted(const struct detector_spec *spec, int64_t step_ms);
void group_id(const char *source, const char *metric, int64_t start, uint64_t ret_id[2]);
/* What slices an anomaly says it is explained by; 0: none. */
uint64_t explanation_hash(const struct explanation *explanation, uint32_t count);
uint64_t contribution_hash(const struct contribution *contribution);

#endif
