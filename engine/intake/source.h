/*
 * source: a stream of events with one clock. The table of all sources, shared by intake and lanes.
 *
 * `clock_ms` of a wall source is the engine's own time; of an event source the greatest event
 * time any lane has taken from a ring, or the end mark. It only grows.
 */
#ifndef INTAKE_SOURCE_H
#define INTAKE_SOURCE_H

#include <stdint.h>

#include "weir/limits.h"
#include "weir/order.h"
#include "weir/region.h"

struct source {
	char name[WEIR_SOURCE_NAME_BYTES];
	uint32_t clock;          /* enum weir_clock_kind */
	int64_t lateness_ms;     /* an interval is closed this long after its end */
	_Alignas(64) uint64_t clock_ms; /* raised by lanes or the intake agent; see weir_max_64 */
	/* Event sources: 1 when every producer said it is over and all rings are drained: what is
	 * open is closed. Stored by the intake agent; back to 0 when a producer comes. */
	uint32_t ended;
};

struct source_table {
	struct source sources[WEIR_SOURCES_MAX];
	uint32_t count; /* release-stored by the intake agent after the entry */
};

#endif
