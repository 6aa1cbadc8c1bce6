/*
 * plan: which event comes as number n of a producer, known beforehand and checked afterwards.
 *
 * Idea:  a producer sends rounds. Each round holds every series exactly once, in an order that
 *        looks random and differs from round to round: a shuffled list, walked with a stride that
 *        has no factor in common with its length. So every series' count after n events is known
 *        in closed form. Values are 1 to 8 and depend on series, round and producer: sums are
 *        exact, and an event under another's series, lost, doubled or out of place, shows.
 */
#ifndef BENCH_PLAN_H
#define BENCH_PLAN_H

#include <stddef.h>
#include <stdint.h>

#define PLAN_VALUES 8u
#define PLAN_DIMENSIONS 4u

struct plan {
	uint32_t series; /* 2 .. PLAN_SERIES_MAX; they have indexes from 0 */
	uint32_t producer;
	uint32_t *order; /* the shuffled list */
};
#define PLAN_SERIES_MAX (1u << 21)

/* Where a producer stands. */
struct plan_cursor {
	const struct plan *plan;
	uint64_t next_round;
	uint32_t left; /* of this round */
	uint32_t at, stride;
	uint32_t base; /* of the round's values */
};

/* 0 or -ENOMEM. */
int plan_init(struct plan *plan, uint32_t series, uint32_t producer);
void plan_fini(struct plan *plan);
void plan_start(const struct plan *plan, struct plan_cursor *ret_cursor);
void plan_round(struct plan_cursor *cursor);

/* The next event: its series' index, and its value. */
static inline uint32_t plan_next(struct plan_cursor *cursor, uint32_t *ret_value)
{
	if (__builtin_expect(cursor->left == 0, 0))
		plan_round(cursor);
	uint32_t index = cursor->plan->order[cursor->at];
	cursor->left--;
	cursor->at += cursor->stride;
	if (cursor->at >= cursor->plan->series)
		cursor->at -= cursor->plan->series;
	*ret_value = ((index + cursor->base) & (PLAN_VALUES - 1)) + 1;
	return index;
}

/* Add what the producer's first `events` events are, by series, in closed form. */
void plan_expect(const struct plan *plan, uint64_t events, uint64_t *counts, uint64_t *sums);

/* A series as an application defines it. */
struct plan_series {
	const char *event;
	const char *names[PLAN_DIMENSIONS]; /* sorted */
	char values[PLAN_DIMENSIONS][16];
};
void plan_series(uint32_t index, struct plan_series *ret_series);
/* The index again, from texts that are not NUL-terminated; UINT32_MAX: none of ours. */
uint32_t plan_index(const char *event, size_t event_bytes, const char *const *values,
		    const uint32_t *value_bytes);

#endif
