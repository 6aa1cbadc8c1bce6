/*
 * limit_cells: see limit_cells.h.
 */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("trapping-math") /* minimum and maximum stay in the registers of numbers */
#endif

#include "limit_cells.h"

#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>

#define HUGE_PAGE_BYTES ((size_t)2 << 20)
#define AHEAD 32u /* events between asking for a line and its use */

void limit_cells_clear(struct limit_cell *cells, uint32_t series)
{
	for (uint32_t i = 0; i <= series; i++)
		cells[i] = (struct limit_cell){.min = INFINITY, .max = -INFINITY};
}

struct limit_cell *limit_cells_create(uint32_t series)
{
	size_t bytes = (series + (size_t)1) * sizeof(struct limit_cell);
	bytes = (bytes + HUGE_PAGE_BYTES - 1) & ~(HUGE_PAGE_BYTES - 1);
	struct limit_cell *cells = aligned_alloc(HUGE_PAGE_BYTES, bytes);

	if (!cells)
		return NULL;
	/* Advice: no answer is an error. */
	(void)madvise(cells, bytes, MADV_HUGEPAGE);
	limit_cells_clear(cells, series);
	return cells;
}

void limit_cells_add(struct limit_cell *cells, const struct weir_event *events, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint32_t ahead = i + AHEAD < count ? i + AHEAD : count - 1;
		__builtin_prefetch(&cells[weir_event_series(events[ahead].word)], 1);
		struct limit_cell *cell = &cells[weir_event_series(events[i].word)];
		double value = weir_bits_value(events[i].value);
		cell->count++;
		cell->sum += value;
		cell->sum_squares += value * value;
		cell->min = value < cell->min ? value : cell->min;
		cell->max = value > cell->max ? value : cell->max;
	}
}

double limit_cells_row(uint32_t series)
{
	return series == 100000 ? 214e6 : series == 1000000 ? 160e6 : 0;
}
