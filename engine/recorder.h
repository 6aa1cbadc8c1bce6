/*
 * recorder: what a metric's roll-up has of a closed interval, as rows for the history.
 *
 * Runs on: the shard that owns the metric. Changes nothing that is scored.
 */
#ifndef ENGINE_RECORDER_H
#define ENGINE_RECORDER_H

#include <stdint.h>

#include "interval/history_rows.h"
#include "interval/rollup.h"

struct recorder {
	uint32_t number; /* of the metric, among those of all shards; never given again */
	uint32_t named;  /* slices that have been named under it */
	uint64_t spec;   /* hash of what the metric means, whatever it is rolled up by */
	uint32_t sums;   /* as in struct history_metric */
};

/* After rollup_close(). rows->*.failed without memory. */
void recorder_close(struct recorder *recorder, struct rollup *rollup,
		    const struct observations *observations, struct history_rows *rows);

/* The way back: a row of the history into a slice of a roll-up, for the interval to be closed next.
 * 0; -ENOENT: there is no such kind; -EPROTO: its sketch is none; -ENOMEM. */
int recorder_put(struct rollup *rollup, enum history_kind kind, uint32_t slice, int64_t interval,
		 const uint64_t *words, const uint8_t *sketch, size_t bytes);

#endif
