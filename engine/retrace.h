/*
 * retrace: a scorer lives through the history of a source again, point by point.
 *
 * Idea:  the rows that the history has of an interval take the place of cells; what comes of them
 *        goes through the same roll-ups and detectors as live. A rebase does this to make a state,
 *        a backtest to see what a detector would have said.
 *
 *   days ──> hours ──> intervals ──> scorer_step()
 *   └ as sums, for detectors whose periods are made of them, where they reach back further
 *
 * An interval that nobody closed is unknown: not learned. A long stretch of them, between what was
 * imported and what was lived, or where the source's clock jumped, is jumped over.
 *
 * Runs on: one thread, with a connection of its own. Steps block on disk, a stretch of sixty points
 *          at a time.
 */
#ifndef ENGINE_RETRACE_H
#define ENGINE_RETRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "interval/history_scan.h"
#include "scorer.h"

#define RETRACE_EARLIEST (-(INT64_C(1) << 31)) /* no interval is before */

struct retrace {
	/* The caller's. */
	struct scorer *scorer; /* configured; its intervals are the tier's points */
	uint32_t source;       /* its number there */
	const char *source_name;
	const char *history_path;
	int64_t interval_ms;    /* of the history's base tier */
	enum history_tier tier; /* lived through point by point; HISTORY_BASE: the intervals */
	bool watched;           /* of metrics that no detector watches, nothing is read */
	bank_each *each;        /* revisions; NULL: forgotten */
	/* An interval comes next: another configuration, say; then retrace_again(). May be NULL. */
	int (*before)(void *self, int64_t interval);
	void *self;

	/* How far it is. */
	bool begun;           /* `first` and `next` are known */
	int64_t first, next;  /* interval */
	uint64_t intervals;   /* lived through */
	uint64_t hours, days; /* taken as sums before */
	uint64_t rows;        /* of series, put into them */

	/* Its own. */
	struct history_scan *scan;
	struct retrace_stage { /* coarse tiers before the first interval: points from..until */
		enum history_tier tier;
		int64_t from, until, step_ms;
	} stages[2];
	uint32_t stages_count, stage;
	int64_t step_ms; /* of a point of `tier` */
	bool again;      /* asked for: the stretch in hand is not what comes next */
};

/* Find what there is, and begin. 0; -ENOENT: the history knows nothing of the source. */
int retrace_open(struct retrace *retrace);
void retrace_close(struct retrace *retrace);
/* When the first point of a tier begins that anything is known of, unix; INT64_MAX: there is none,
 * or it is kept as intervals. */
int retrace_first_ms(const struct retrace *retrace, enum history_tier tier, int64_t *ret_ms);
/* Coarse tiers come next, not intervals. */
bool retrace_coarse(const struct retrace *retrace);
/* A stretch of them. 0 or negative errno. */
int retrace_absorb(struct retrace *retrace);
/* Some intervals, up to `through`, which ends a stretch, or what there is. 1; 0: there are no more;
 * negative errno. */
int retrace_some(struct retrace *retrace, int64_t through);
/* All of both, up to an interval. 0 or negative errno. */
int retrace_all(struct retrace *retrace, int64_t through);
/* Read what comes next anew: there may be more of it, or the scorer has been configured. */
void retrace_again(struct retrace *retrace);
uint32_t retrace_damaged(const struct retrace *retrace); /* chunks of the history */

#endif
