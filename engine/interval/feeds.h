/*
 * feeds: what each series gives to one metric.
 *
 * Idea:  found out once, when the series' first cell comes, and kept by series id: what each term
 *        of the metric takes of its cells, and the slice of each roll-up that it belongs to.
 * Companions: values that came already aggregated. The field `F:count` carries how many events
 *        there were, `F:sum`, `F:sum_squares`, `F:min` and `F:max` what they amount to; they give
 *        a term of the field F the one statistic that they are (FORMAT.md section 2). Sketches
 *        cannot be made of them.
 *
 * Runs on: the shard that owns the metric. For rollup.c alone.
 */
#ifndef INTERVAL_FEEDS_H
#define INTERVAL_FEEDS_H

#include <stdbool.h>
#include <stdint.h>

#include "interval/rollup.h"
#include "interval/slices.h"

/* What a term takes of a cell. */
enum feeds_take {
	TAKE_COUNT = 1,    /* its events */
	TAKE_VALUES = 2,   /* sum, squares, least and greatest */
	TAKE_SKETCH = 4,   /* its sketch */
	TAKE_AS_COUNT = 8, /* the sum of its values as: a number of events */
	TAKE_AS_SUM = 16,  /* ... a sum */
	TAKE_AS_SQUARES = 32,
	TAKE_AS_MIN = 64, /* its least value as the least */
	TAKE_AS_MAX = 128,
};

struct feeds {
	struct rollup_term terms[2]; /* texts are owned; field: "" for the default one */
	uint32_t terms_count;
	rollup_lookup *lookup;
	const void *lookup_self;
	uint32_t *by_series; /* 0: not met yet; 1: nothing; 2 + i: members[i] */
	uint32_t by_series_count;
	uint32_t *members;
	uint32_t members_count, members_capacity; /* words */
};

/* 0 or -ENOMEM (then feeds_fini() is still due). */
int feeds_init(struct feeds *feeds, const struct rollup_spec *spec, rollup_lookup *lookup,
	       const void *lookup_self);
void feeds_fini(struct feeds *feeds);
/* Forget what was found out: the slices are others now. */
void feeds_reset(struct feeds *feeds);

/* Words: what terms[0] takes, what terms[1] takes, then the slice of each roll-up, made if it is
 * new. NULL: the series feeds nothing. Valid until the next call. */
const uint32_t *feeds_learn(struct feeds *feeds, struct slices *slices, uint32_t series,
			    int64_t interval);

static inline const uint32_t *feeds_find(struct feeds *feeds, struct slices *slices,
					 uint32_t series, int64_t interval)
{
	uint32_t at = series < feeds->by_series_count ? feeds->by_series[series] : 0;
	if (__builtin_expect(at == 0, 0))
		return feeds_learn(feeds, slices, series, interval);
	return at == 1 ? NULL : &feeds->members[at - 2];
}

#endif
