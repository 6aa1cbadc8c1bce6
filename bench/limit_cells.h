/*
 * limit_cells: the least that adding an event to its series' numbers can be: one line touched,
 * asked for some events before it is needed; no interval, no sketch, no list of what is in use.
 * What the engine's cells are judged by, and a part of the bare lane.
 */
#ifndef BENCH_LIMIT_CELLS_H
#define BENCH_LIMIT_CELLS_H

#include <stdint.h>

#include "weir/event.h"

struct limit_cell {
	uint64_t count;
	double sum, sum_squares, min, max;
	uint64_t spare[3];
};
_Static_assert(sizeof(struct limit_cell) == 64, "one line");

/* Cells 0 .. series, empty, on large pages where the machine has them; free() them. NULL: no
 * memory. */
struct limit_cell *limit_cells_create(uint32_t series);
void limit_cells_clear(struct limit_cell *cells, uint32_t series);
/* Their series are ids of `cells`. */
void limit_cells_add(struct limit_cell *cells, const struct weir_event *events, uint32_t count);

/* What this loop does on a machine of the class that weir's goals are set for, updates/s: known of
 * 100,000 and 1,000,000 series. 0: not known. */
double limit_cells_row(uint32_t series);

#endif
