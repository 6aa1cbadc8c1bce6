/*
 * plan: which event comes as number n of a producer, known beforehand and checked afterwards.
 *
 * Idea:  a producer sends rounds. Each round holds every series exactly once, in an order that
 *        looks random: a shuffled list of its own, walked from another place each time. So every
 *        series' count after n events is known in closed form. Values are 1 to 8 and depend on
 *        series, round and producer: sums are exact, and an event under another's series, lost,
 *        doubled or out of place, shows.
 *
 *        The list is read in order, which the processor foresees: an event costs 1 ns, and what is
 *        measured is the way of the event, not the making of it.
 *
 *            order  | 7 2 9 ... 4 | 0 5 ... 8 |       a round: from `at` to the end, then `rest`
 *                                   ^ at      ^ end
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
	const uint32_t *at, *end; /* of the stretch that is walked */
	uint32_t rest;            /* of this round, from the list's beginning */
	uint32_t base;            /* of the round's values */
};

/* 0 or -ENOMEM. */
int plan_init(struct plan *plan, uint32_t series, uint32_t producer);
void plan_fini(struct plan *plan);
void plan_start(const struct plan *plan, struct plan_cursor *ret_cursor);
/* The next stretch: the rest of this round, or the beginning of a new one. */
void plan_turn(struct plan_cursor *cursor);

/* What a series is worth in the cursor's round. */
static inline uint32_t plan_value(const struct plan_cursor *cursor, uint32_t index)
{
	return ((index + cursor->base) & (PLAN_VALUES - 1)) + 1;
}

/* The next events, as many as lie side by side, at most `most` > 0: their series' indexes in
 * *ret_indexes, for plan_value(). How many. */
static inline uint32_t plan_take(struct plan_cursor *cursor, uint32_t most,
				 const uint32_t **ret_indexes)
{
	if (cursor->at == cursor->end)
		plan_turn(cursor);
	size_t left = (size_t)(cursor->end - cursor->at);
	*ret_indexes = cursor->at;
	most = left < most ? (uint32_t)left : most;
	cursor->at += most;
	return most;
}

/* The next event: its series' index, and its value. */
static inline uint32_t plan_next(struct plan_cursor *cursor, uint32_t *ret_value)
{
	const uint32_t *index;
	plan_take(cursor, 1, &index);
	*ret_value = plan_value(cursor, *index);
	return *index;
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
