/*
 * console_data: a made-up data directory of a busy shop: years of history and thousands of
 * anomalies, as an engine leaves them, written by the engine's own code.
 */
#ifndef BENCH_CONSOLE_DATA_H
#define BENCH_CONSOLE_DATA_H

#include <stddef.h>
#include <stdint.h>

#include "deliver/store.h"

/* The first slices of each metric have a point in every minute, the others one in six hours: the
 * charts that are measured are of the former. */
#define CONSOLE_DATA_DENSE 2u
#define CONSOLE_DATA_SOURCE "live"

struct console_data_options {
	const char *directory; /* there, and empty */
	uint32_t days, series, anomalies;
};

/* Metrics with history, and a slice's name; the first slice is the total. */
extern const char *const console_data_metrics[];
uint32_t console_data_metrics_count(void);
void console_data_slice(char label[32], uint32_t slice);

/* Write it. 0 and the end of its time, or a negative errno with `why`. */
int console_data_make(const struct console_data_options *options, int64_t *ret_end_ms, char *why,
		      size_t why_bytes);
/* One more anomaly that fires, beside whoever reads; its id is new for each `number`. 0, or a
 * negative errno with `why`. */
int console_data_fire(const struct console_data_options *options, uint32_t number, int64_t end_ms,
		      uint64_t ret_id[2], char *why, size_t why_bytes);

#endif
