/*
 * cells: one lane's statistics of the open intervals of one source, and of late events.
 *
 * Idea:  a cell is one cache line (an event touches one line, prefetched 32 events ahead). Tables
 *        are reserved address space indexed by series id and touched as series come. A mark turns
 *        the table of an interval into a partial: its cells, sparse, in series order. Nothing here
 *        reads a clock: what is late, open or future follows from the marks alone, so replay of
 *        the same log gives the same cells bit for bit.
 *
 *      frontier F (last mark)      F+1 ........ F+WEIR_OPEN_INTERVALS_MAX
 *   --- late ---|-------------------- open ----------------|--- future -----
 *   late:   summed by (interval, series), handed over with the next mark: for the history
 *   future: kept in the log and counted
 *
 * Sketches: a cell of a series that is to be sketched when its first event comes has a sketch of
 *        all its events; any other cell has none. There is nothing in between.
 */
#ifndef INTERVAL_CELLS_H
#define INTERVAL_CELLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "intake/batch.h"
#include "weir/limits.h"

struct cell {
	uint64_t count;
	double sum;
	double sum_squares;
	double min; /* of count > 0 */
	double max;
	uint32_t sketch; /* of its table; 0: none */
	uint32_t spare[5];
};
_Static_assert(sizeof(struct cell) == 64, "a cell is one cache line");

struct partial_cell {
	uint32_t series;
	uint32_t sketch; /* 1 + offset of its saved sketch in the partial's `sketches`; 0: none */
	uint64_t count;
	double sum, sum_squares, min, max;
};

/* What came for an interval after it was closed: a correction of the history, never scored. */
struct late_cell {
	int64_t interval;
	struct partial_cell cell;
};

/* The cells of one (source, epoch, lane, interval). Made by cells_mark(), freed by
 * partial_free(). */
struct partial {
	struct partial *next; /* of the same mark, by interval */
	uint32_t source, epoch, lane;
	uint32_t cell_count;
	int64_t interval;
	bool dropped;           /* memory was short: all of it must be rebuilt from the log */
	bool rebuilt;           /* they were: not on the lane's account */
	uint64_t first_lsn;     /* blocks from here to the mark hold all its events, late or not */
	int64_t first_frontier; /* at that block's start: a rebuild judges late and future so */
	/* Of the mark: late events since the lane's last one; by interval, then series. */
	struct late_cell *late; /* [late_count], owned */
	uint32_t late_count;
	uint32_t sketch_bytes;
	uint8_t *sketches; /* [sketch_bytes], owned: sketch_save() of cells that have one */
	struct partial_cell cells[];
};
void partial_free(struct partial *partial);
void partials_free(struct partial *partials); /* a list; NULL is fine */
/* Of memory that the lane handed over. */
static inline uint64_t partial_bytes(const struct partial *partial)
{
	if (partial->rebuilt)
		return sizeof(*partial);
	return sizeof(*partial) + partial->cell_count * sizeof(partial->cells[0]) +
	       partial->late_count * sizeof(partial->late[0]) + partial->sketch_bytes;
}

struct cells;

struct cells_counters {
	uint64_t late, future;     /* events that are in no cell of an open interval */
	uint64_t late_uncorrected; /* of those late: over WEIR_LATE_CELLS_MAX, in no cell at all */
	uint64_t unsketched;       /* cells over the bound of sketches */
};

/* frontier: the interval through which the source is closed. NULL: no memory. */
struct cells *cells_create(uint32_t series_max, int64_t interval_ms, uint32_t source,
			   uint32_t epoch, uint32_t lane, int64_t frontier);
void cells_destroy(struct cells *cells);
/* Which series have a sketch in the cells begun from now on: enum sketch_kind by series id. The
 * array stays the caller's, who changes it as the log says so (SERIES records), between batches.
 * Without this call none has. */
void cells_sketches(struct cells *cells, const uint8_t *kinds);

/* Must be called when a new block is begun, with its LSN, before its first cells_add(). */
void cells_block(struct cells *cells, uint64_t lsn);
/* Aggregate a batch. Series ids are below series_max + 1 (checked by drain or reader). */
void cells_add(struct cells *cells, const struct batch *batch);
/* Close through `interval` (> frontier; else nothing happens): partials of all touched intervals
 * up to it, oldest first, that of `interval` with what came late; NULL if there is none.
 * budget_bytes: at most that much memory, else `dropped`. */
struct partial *cells_mark(struct cells *cells, int64_t interval, uint64_t budget_bytes);
/* The epoch ends without a mark: partials of all that is open; what came late is with that of
 * frontier + 1. Only cells_destroy() may follow. */
struct partial *cells_end(struct cells *cells);
int64_t cells_frontier(const struct cells *cells);
/* Events at or beyond this unix time (ms) would be future. */
uint64_t cells_window_end_ms(const struct cells *cells);
/* Where a replay must start reading to rebuild what is open now: LSN of a block, and the frontier
 * at that block's start. */
void cells_resume(const struct cells *cells, uint64_t *ret_lsn, int64_t *ret_frontier);
void cells_counters(const struct cells *cells, struct cells_counters *ret_counters);

/* Floor division: the interval that holds a unix time. */
static inline int64_t interval_of_ms(int64_t time_ms, int64_t interval_ms)
{
	int64_t quotient = time_ms / interval_ms;
	return quotient - (time_ms % interval_ms < 0);
}

#endif
