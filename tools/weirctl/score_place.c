/*
 * score_place: see score_place.h.
 *
 * Runs on: any thread; the caller's struct is all the state.
 */
#include "score_place.h"

bool score_place(struct score_place *place, int64_t time_ms, int64_t *ret_interval)
{
	int64_t interval_ms = place->interval_ms;

	if (place->begun && time_ms <= place->last_ms)
		return false;
	if (!place->begun) {
		place->begun = true;
		place->first_ms = time_ms;
		place->first_interval = time_ms / interval_ms;
		place->last_interval = place->first_interval - 1;
	}
	int64_t since = (time_ms - place->first_ms + interval_ms / 2) / interval_ms;
	int64_t interval = place->first_interval + since;
	if (interval == place->last_interval && time_ms - place->scored_ms >= interval_ms / 2)
		interval++;
	place->last_ms = time_ms;
	if (interval <= place->last_interval)
		return false;
	place->last_interval = interval;
	place->scored_ms = time_ms;
	*ret_interval = interval;
	return true;
}
