/*
 * rollup: one metric of one source: from partials to observations.
 *
 * Idea:  each series that feeds the metric belongs to the total and to one slice of each roll-up.
 *        Partials of an interval are applied in key order (epoch, lane), cells in series order, so
 *        sums are the same bit for bit however the work was spread.
 * Bounds: at most slices_max slices; what is over it feeds the roll-up's `__overflow__` slice.
 */
#ifndef INTERVAL_ROLLUP_H
#define INTERVAL_ROLLUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "interval/cells.h"
#include "interval/observation.h"
#include "interval/sketch.h"
#include "weir/limits.h"
#include "weir/region.h"

#define ROLLUP_WHERE_MAX 16

/* The dimension has one of the values; negated: it has none of them. A series without the
 * dimension has the empty value. */
struct rollup_where {
	const char *dimension;
	const char *const *values;
	uint32_t values_count;
	bool negated;
};

/* What is aggregated: the values of one event and field, where all conditions hold. */
struct rollup_term {
	const char *event; /* event name */
	const char *field; /* "" matches the default field "value" or none */
	enum aggregation aggregation;
	uint32_t where_count;
	struct rollup_where where[ROLLUP_WHERE_MAX];
};

struct rollup_spec {
	const char *metric;
	uint32_t terms_count; /* 1; 2: the ratio of terms[0] and terms[1], both count or sum */
	struct rollup_term terms[2];
	double quantile;  /* AGGREGATE_PERCENTILE: 0..1 */
	bool empty_is_missing; /* a count, sum or number of distinct ones without an event: NaN */
	uint32_t rollups; /* dimension sets */
	struct {
		uint32_t dimensions;
		const char *names[WEIR_DIMENSIONS_MAX];
	} by[16];
	uint32_t slices_max; /* of both terms together: they share their slices */
};

/* Finds a definition by engine series id; NULL: unknown. (series_get, given from outside.) */
typedef const struct weir_definition *rollup_lookup(const void *self, uint32_t series);

struct rollup;

/* Copies the spec. NULL: no memory. */
struct rollup *rollup_create(const struct rollup_spec *spec, const char *source,
			     uint32_t source_number, int64_t interval_ms, rollup_lookup *lookup,
			     const void *lookup_self);
void rollup_destroy(struct rollup *rollup);
void rollup_apply(struct rollup *rollup, const struct partial *partial);
/* The interval is complete: its observations (valid until the next rollup_apply), accumulators
 * are reset. */
const struct observations *rollup_close(struct rollup *rollup, int64_t interval, uint32_t flags);
/* The statistics of one term. Without any value min and max are NaN; of values that came as
 * aggregates (FORMAT.md section 2) some may be there and others not. */
struct rollup_stats {
	uint64_t count;
	double sum, sum_squares, min, max;
};

/* One slice in one interval, for the history. */
struct rollup_row {
	uint32_t slice; /* observations->slices[slice] */
	bool late;      /* to be added to what the history has of this earlier interval */
	int64_t interval;
	struct rollup_stats terms[2]; /* of one term, terms[1] is that of nothing */
	/* AGGREGATE_DISTINCT, AGGREGATE_PERCENTILE; NULL: none, or it covers only some of the
	 * events. Valid during the call. */
	const struct sketch *sketch;
};
typedef void rollup_each(void *self, const struct rollup_row *row);
/* After rollup_close() and before the next rollup_apply(): a row for each slice that anything came
 * for in the closed interval, in slice order; then one for each earlier interval and slice that
 * late cells corrected, by interval, then slice. */
void rollup_rows(struct rollup *rollup, rollup_each *each, void *self);

/* For a state rebuilt from the history: the slice of this label, made in this interval if it is
 * new. Its index, or UINT32_MAX: the metric has no such slice. */
uint32_t rollup_slice(struct rollup *rollup, const char *label, int64_t interval);
/* And what it had in the interval to be closed next, in the place of partials. A sketch covers all
 * events or none. */
void rollup_put(struct rollup *rollup, uint32_t slice, int64_t interval,
		const struct rollup_stats terms[2], const struct sketch *sketch);

/* Events that went to overflow slices, once for each roll-up. */
uint64_t rollup_overflowed(const struct rollup *rollup);
/* Slices in order, for a checkpoint; load: 0 or -EPROTO. The accumulators are empty between
 * closes. */
void rollup_save(const struct rollup *rollup, struct bytes *out);
int rollup_load(struct rollup *rollup, struct bytes_reader *in);

#endif
