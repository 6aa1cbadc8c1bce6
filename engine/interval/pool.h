/*
 * pool: sketches for cells, kept for the next interval.
 *
 * Idea:  a table of cells names its sketches by number, from 1 in order of their making. When the
 *        table is handed over they go back to the pool, empty, their memory kept unless one has
 *        grown unusually large. How many a set may have is decided by count alone, so that a
 *        replay agrees; memory that is not there at all ends the engine, as its cells would.
 *
 * Runs on: the lane that owns the cells. Private to cells.c and late.c.
 */
#ifndef INTERVAL_POOL_H
#define INTERVAL_POOL_H

#include "base/check.h"
#include "interval/sketch.h"

#define POOL_KINDS (SKETCH_QUANTILE + 1)

struct sketch_list {
	struct sketch **sketches; /* [capacity], owned */
	uint32_t count, capacity;
};

struct sketch_pool {
	struct sketch_list spare[POOL_KINDS];
};

void pool_fini(struct sketch_pool *pool);
/* The number of a new sketch in `set`; 0: it has `most` already. */
uint32_t pool_open(struct sketch_pool *pool, struct sketch_list *set, enum sketch_kind kind,
		   uint32_t most);
/* The whole set goes back. */
void pool_close(struct sketch_pool *pool, struct sketch_list *set);
/* Frees a list and its sketches. */
void sketch_list_fini(struct sketch_list *list);

static inline void set_add(const struct sketch_list *set, uint32_t number, double value)
{
	check(sketch_add(set->sketches[number - 1], value) == 0);
}

/* Saved behind what is there: 1 + where it begins, or 0 for 0. */
static inline uint32_t set_save(const struct sketch_list *set, uint32_t number, struct bytes *out)
{
	uint32_t offset = (uint32_t)out->used;

	if (!number)
		return 0;
	sketch_save(set->sketches[number - 1], out);
	return 1 + offset;
}

#endif
