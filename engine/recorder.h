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

#endif
