/*
 * score_place: of which interval a row is.
 *
 * The first row's time says where intervals begin (21:42:53, then every five minutes); rows between
 * are taken for the nearest one. Where that one is taken already, and half an interval has passed
 * since its row, it is the next one's: clocks jitter. A row that is not newer than those before it
 * (a doubled hour when the clocks are set back, disorder) and a second one of an interval are of no
 * interval: nothing can be said of them and nothing is learned from them.
 */
#ifndef WEIRCTL_SCORE_PLACE_H
#define WEIRCTL_SCORE_PLACE_H

#include <stdbool.h>
#include <stdint.h>

/* Begins all zero but for interval_ms. */
struct score_place {
	int64_t interval_ms;
	bool begun;
	int64_t first_ms, first_interval;
	int64_t last_interval, scored_ms; /* the last one that has a row, and when that was */
	int64_t last_ms;                  /* the newest row */
};

/* False: of none. Intervals are numbered as detectors want them: from 1970, ever greater. */
bool score_place(struct score_place *place, int64_t time_ms, int64_t *ret_interval);

#endif
