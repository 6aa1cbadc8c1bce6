/*
 * gaps: how many empty intervals the jumps of a source's clock may cost.
 *
 * Idea:  a recorded stream may stand still for a fortnight, and that is scored, interval by
 *        interval: two weeks of minutes at once. What it jumps beyond is a break in the record, not
 *        an outage of the shop. An interval with events earns some of them again, so that a
 *        producer who jumps on and on makes little more work than one who sends events. The first
 *        few of each close are free: a live source closes no more at once.
 *
 * Runs on: the shards, each with the same numbers; part of their checkpoints.
 */
#ifndef ENGINE_GAPS_H
#define ENGINE_GAPS_H

#include <stdbool.h>
#include <stdint.h>

#ifndef GAPS_MAX /* fuzz targets have fewer */
#define GAPS_MAX 20160u
#endif
#define GAPS_EARNED 360u
#define GAPS_FREE 8u

struct gaps {
	uint32_t left; /* GAPS_MAX less what jumps have used and events have not earned */
};

/* An interval with events. */
static inline void gaps_earn(struct gaps *gaps)
{
	gaps->left = gaps->left + GAPS_EARNED < GAPS_MAX ? gaps->left + GAPS_EARNED : GAPS_MAX;
}

/* Is an empty interval scored, the `empty`th in a row of its close? */
static inline bool gaps_score(struct gaps *gaps, int64_t empty)
{
	if (empty <= GAPS_FREE)
		return true;
	if (gaps->left == 0)
		return false;
	gaps->left--;
	return true;
}

#endif
