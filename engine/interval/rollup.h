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

#include <stdint.h>

#include "base/bytes.h"
#include "interval/cells.h"
#include "interval/observation.h"
#include "weir/limits.h"
#include "weir/region.h"

struct rollup_spec {
	const char *metric;
	const char *event; /* event name */
	const char *field; /* "" matches the default field "value" or none */
	enum aggregation aggregation;
	uint32_t rollups; /* dimension sets */
	struct {
		uint32_t dimensions;
		const char *names[WEIR_DIMENSIONS_MAX];
	} by[16];
	uint32_t slices_max;
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
/* Events that went to overflow slices, once for each roll-up. */
uint64_t rollup_overflowed(const struct rollup *rollup);
/* Slices in order, for a checkpoint; load: 0 or -EPROTO. The accumulators are empty between
 * closes. */
void rollup_save(const struct rollup *rollup, struct bytes *out);
int rollup_load(struct rollup *rollup, struct bytes_reader *in);

#endif
