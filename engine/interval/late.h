/*
 * late: cells of intervals that are closed already, until the next mark hands them over.
 *
 * Idea:  few intervals or many, few series or many: a hash table over (interval, series) that
 *        names places in an array in order of coming. Both lie in address space reserved at the
 *        start, so that what fits depends on nothing but the count.
 *
 *        index: | 0 | 3 | 0 | 1 | 2 | ..     cells: | #1 | #2 | #3 | free
 *
 * Runs on: the lane that owns the cells. Private to cells.c.
 */
#ifndef INTERVAL_LATE_H
#define INTERVAL_LATE_H

#include "interval/cells.h"
#include "interval/pool.h"

struct late {
	struct late_cell *cells; /* [WEIR_LATE_CELLS_MAX]; `sketch` is a number of `sketches` */
	uint32_t count;
	uint32_t *index; /* [index_mask + 1] used: 1 + place in cells; 0: free */
	uint32_t index_mask;
	struct sketch_list sketches;
	uint64_t first_lsn;     /* block of the first event since the last mark */
	int64_t first_frontier; /* when that block was begun */
};

/* 0 or -ENOMEM. */
int late_init(struct late *late);
void late_fini(struct late *late);
/* An event of a closed interval. `kind`: of its series, should its cell be new. false: over the
 * bound. */
bool late_add(struct late *late, struct sketch_pool *pool, int64_t interval, uint32_t series,
	      double value, enum sketch_kind kind, uint64_t *unsketched);
/* By interval, then series, into `cells` [count], sketches saved into `sketches`; then it is empty.
 * NULL: only empty it. */
void late_drain(struct late *late, struct sketch_pool *pool, struct late_cell *cells,
		struct bytes *sketches);

#endif
