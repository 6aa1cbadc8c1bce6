/*
 * backtest: what detectors would have found in the history, beside what the live ones have found.
 *
 * Idea:  a scorer of our own lives through the history (retrace.h): the same roll-ups, the same
 *        detectors, the same numbers as live. With a draft, they are those that it describes;
 *        without one, those that were in force, as they were changed, told and rebuilt then
 *        (lived.h), and what is found is what the store has, to the bit, where the history has the
 *        intervals from the beginning and nothing came late. A draft has the calendar of today from
 *        the beginning, as a rebase has, and hears what people said where they said it: a rebase
 *        behind it makes the state that was looked at.
 *
 *   history ──> scorer: the draft's detectors ──> found ──┐
 *                                                         ├──> backtest_compare()
 *   store  ───> what the live ones have found ────────────┘
 *
 * Where the intervals are not kept for so long, a coarser tier takes their place, and the answer
 * says so.
 *
 * Runs on: any thread; beside an engine or without one. Reads only.
 */
#ifndef ENGINE_BACKTEST_H
#define ENGINE_BACKTEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "detect/anomaly.h"
#include "detect/bank.h"
#include "detect/said.h"
#include "interval/history.h"
#include "log/io.h"
#include "weir/limits.h"

struct lived;

struct backtest_options {
	struct io *io; /* of the data directory: its control log and its checkpoints */
	const struct lived *lived; /* known already; NULL: read through the io */
	const char *history_path, *store_path; /* store NULL: nothing was found live */
	/* YAML: one detector or several; NULL: those that were in force. */
	const char *draft;
	size_t draft_bytes;
	const char *draft_name; /* for messages */
	const char *source;     /* NULL: all */
	int64_t from_ms;        /* what began before is not counted, unix; */
	int64_t back_ms;        /* not 0: that long before the end of each source */
	bank_each *each;        /* every revision, as they come; may be NULL */
	void *self;
};

/* An anomaly, as it was at its end. */
struct backtest_found {
	uint64_t id[2];
	char source[WEIR_SOURCE_NAME_BYTES], metric[65], detector[65], slice[ANOMALY_LABEL_BYTES];
	enum anomaly_state state; /* of the last revision */
	uint32_t revision;
	int direction;
	bool fired;
	double severity;               /* of its peak */
	int64_t start_ms, end_ms;      /* unix; INT64_MAX: it goes on */
	double observed, expected;     /* of its most severe revision */
	double strongest;              /* the severity of that */
	enum feedback_verdict verdict; /* of the last feedback that was not undone; 0: none */
	bool known;                    /* the other side has it too */
};

struct backtest_set {
	struct backtest_found *found; /* [count] by start, then as they came */
	uint32_t count, capacity;
};

/* How one source was looked at. */
struct backtest_source {
	char name[WEIR_SOURCE_NAME_BYTES];
	enum history_tier tier;
	int64_t step_ms;           /* of its points */
	int64_t from_ms;           /* what began there is counted */
	int64_t first_ms, last_ms; /* lived through: begin of the first, end of the last */
	bool whole;                /* nothing is known of before */
	uint64_t intervals, rows;  /* of these points, and of series in them */
	uint64_t hours, days;      /* taken as sums before the first */
	uint32_t damaged;          /* chunks of the history: holes */
};

struct backtest {
	bool as_lived;            /* no draft */
	int64_t from_ms, last_ms; /* of all sources: the first and the last */
	struct backtest_source sources[WEIR_SOURCES_MAX];
	uint32_t sources_count;
	/* The live detectors that the draft is held against, by name; none: all. */
	char (*against)[65];
	uint32_t against_count;
	struct backtest_set live, found; /* what has fired, begun before from_ms too */
};

/* 0, or a negative errno with what is wrong and what to do in `why`: -EINVAL: the draft; -ENOENT:
 * there is no log or no history. To be given to backtest_fini() in any case. */
int backtest_run(const struct backtest_options *options, struct backtest *ret_backtest, char *why,
		 size_t why_bytes);
void backtest_fini(struct backtest *backtest);

#define BACKTEST_BANDS 4 /* warning, minor, major, critical */

struct backtest_week {
	int64_t week_ms; /* Monday, 0:00 UTC */
	uint32_t live, found;
};

struct backtest_comparison {
	uint32_t live[BACKTEST_BANDS], found[BACKTEST_BANDS], live_all, found_all;
	struct backtest_week *weeks; /* [weeks_count], the first and the last, and all between */
	uint32_t weeks_count;
	uint32_t only_live, only_found;
	uint32_t confirmed, caught;  /* by feedback; of them, the draft finds */
	uint32_t dismissed, dropped; /* of them, the draft does not find */
};

/* Marks what both sides know: backtest_found.c says when. 0 or -ENOMEM; free `weeks`. */
int backtest_compare(struct backtest *backtest, struct backtest_comparison *ret_comparison);
/* Does it count: has it begun where it is looked at? */
bool backtest_counts(const struct backtest *backtest, const struct backtest_found *found);

/* backtest_found.c, for backtest.c: a revision joins a set; what the store has. */
int backtest_add(struct backtest_set *set, const struct anomaly *anomaly);
int backtest_read_store(const char *path, struct backtest *backtest);
void backtest_sort(struct backtest_set *set);

#endif
