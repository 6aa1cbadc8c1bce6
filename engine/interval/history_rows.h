/*
 * history_rows: what one shard hands to the history for one close. Filled by the scorer, read by
 * the history agent; a plain run of memory, so that neither waits for the other.
 *
 * A metric of a scorer has a number here, and its slices keep theirs; both are named once, in
 * `names`, before the first row that uses them, and again after a restart.
 */
#ifndef INTERVAL_HISTORY_ROWS_H
#define INTERVAL_HISTORY_ROWS_H

#include <stdint.h>

#include "base/bytes.h"
#include "interval/history_chunk.h"
#include "interval/observation.h"
#include "interval/sketch.h"

/* Numbers of metrics: bounded by what the row has room for. */
#define HISTORY_METRICS_MAX ((1u << 30) - 1)

struct history_row {
	uint32_t metric : 30;
	uint32_t late : 1;   /* a correction: the interval was closed before */
	uint32_t sketch : 1; /* set by history_rows_add() */
	uint32_t slice;
	int64_t interval;
	/* As the kind has them; with a sketch [1] is its place in `sketches`, [2] its bytes. */
	uint64_t words[HISTORY_WORDS_MAX];
};
_Static_assert(sizeof(struct history_row) == 64, "a row is a cache line");

/* A closed interval, whether or not anything came in it. */
struct history_interval {
	int64_t interval;
	uint64_t incomplete;
};

/* What a metric is, wherever one of its slices is named. */
struct history_metric {
	const char *name;
	uint64_t spec; /* hash of its whole meaning: another one is another series */
	enum history_kind kind;
	enum aggregation aggregation;
	uint32_t sums; /* bit 0: a ratio's numerator is a sum (else a count); bit 1: denominator */
	double quantile;
};

struct history_rows {
	struct bytes intervals; /* struct history_interval[] */
	struct bytes rows;      /* struct history_row[] */
	struct bytes sketches;
	struct bytes names;
};

void history_rows_fini(struct history_rows *rows);
void history_rows_clear(struct history_rows *rows); /* memory is kept */
size_t history_rows_bytes(const struct history_rows *rows);
void history_rows_interval(struct history_rows *rows, int64_t interval, bool incomplete);
void history_rows_name(struct history_rows *rows, uint32_t number,
		       const struct history_metric *metric, uint32_t slice, const char *label);
/* `row` is copied, its sketch (NULL: it has none) saved beside it. */
void history_rows_add(struct history_rows *rows, const struct history_row *row,
		      const struct sketch *sketch);
bool history_rows_failed(const struct history_rows *rows); /* without memory */

#endif
