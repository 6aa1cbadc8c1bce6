/*
 * cells: counts, sums and extremes of the open intervals, one cache line per series and interval.
 *
 * Idea:  each open interval has a table of cells indexed by series id, in address space that is
 *        reserved at the start and gets memory as series come. A bitmap says which cells are in
 *        use, so that a mark walks only those, in series order, and a table is emptied by
 *        clearing counts and bits. Tables are taken from a stack: the one closed last, still in
 *        cache, is the next to be opened, and only as many as were ever open at once have memory.
 *
 *        open[interval % 8]      table: cells            in use
 *          | |T|T| | | | | |      [0][1][2][3] ...       0110 1000 ...
 *           F+1 .. F+8             64 bytes each         one bit each
 *
 * Runs on: the lane that owns it; nobody else looks.
 * Never:   reads a clock, or decides anything by memory or time: the same events and marks in the
 *          same order give the same cells, bit for bit.
 */
/* One event after the other into cells that have nothing to do with each other: as the rest of the
 * engine is compiled, for loops over slices, minimum and maximum would leave the registers of
 * numbers, which costs an event a third more. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("trapping-math")
#endif

#include "interval/cells.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/check.h"
#include "interval/late.h"
#include "interval/pool.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1; the headers of Debian 12 do not have it yet */
#endif

#define TABLES (WEIR_OPEN_INTERVALS_MAX + 1)
#define HUGE_PAGE_BYTES (UINT64_C(2) << 20)
/* More series than this in one interval are more pages than the TLB holds without a walk. */
#define HUGE_PAGE_SERIES 8192u
/* Events between the prefetch of a cell and its use: about 200 ns of work, one miss to memory. */
#define PREFETCH_EVENTS 32u

/* In a cell's count, while its table is open: it has a sketch. */
#define SKETCHED (UINT64_C(1) << 63)

_Static_assert((UINT64_C(1) * WEIR_SKETCHES_MAX + WEIR_LATE_SKETCHES_MAX) * SKETCH_BYTES_MAX <
		       UINT32_MAX,
	       "offsets of saved sketches have 32 bits");
_Static_assert((WEIR_OPEN_INTERVALS_MAX & (WEIR_OPEN_INTERVALS_MAX - 1)) == 0,
	       "open intervals are found by masking");

struct table {
	struct cell *cells; /* [series_max + 1] */
	uint64_t *used;     /* bitmap over cells: count > 0 */
	uint32_t used_count;
	uint32_t used_words; /* words of `used` up to the last one that is not zero */
	int64_t interval;
	uint64_t first_lsn;     /* block of the interval's first event */
	int64_t first_frontier; /* frontier when that block was begun */
	struct sketch_list sketches;
};

struct cells {
	/* The interval that events are in just now: an event with time_ms - start_ms < width_ms
	 * (unsigned) belongs to `current`. Width 0 when there is none. */
	struct table *current;
	uint64_t start_ms, width_ms;

	int64_t frontier;
	int64_t interval_ms;
	uint64_t lsn;           /* block being filled */
	int64_t block_frontier; /* frontier when it was begun */
	uint32_t source, epoch, lane;
	struct cells_counters counters;
	const uint8_t *kinds; /* of sketches, by series; NULL: none */
	struct sketch_pool pool;
	struct late late;
	struct table *open[WEIR_OPEN_INTERVALS_MAX]; /* by interval; NULL: no event yet */
	struct table *spare[TABLES];                 /* a stack */
	uint32_t spares;
	struct table tables[TABLES];
	uint64_t table_bytes;
	bool huge; /* large pages were asked for */
	void *memory;
	uint64_t memory_bytes;
};

static uint64_t round_up(uint64_t bytes, uint64_t unit)
{
	return (bytes + unit - 1) / unit * unit;
}

/* Reserve all tables at once: cells first, each table at a large page's border when it is as big
 * as one, then the bitmaps. */
static int reserve_tables(struct cells *cells, uint32_t series_max)
{
	uint64_t table_bytes = ((uint64_t)series_max + 1) * sizeof(struct cell);
	uint64_t unit = table_bytes >= HUGE_PAGE_BYTES ? HUGE_PAGE_BYTES : 4096;
	uint64_t used_bytes = round_up(((uint64_t)series_max / 64 + 1) * 8, 4096);

	table_bytes = round_up(table_bytes, unit);
	cells->table_bytes = table_bytes;
	cells->memory_bytes = unit + TABLES * (table_bytes + used_bytes);
	cells->memory = mmap(NULL, cells->memory_bytes, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (cells->memory == MAP_FAILED)
		return -1;
	uint8_t *at = (uint8_t *)round_up((uintptr_t)cells->memory, unit);
	for (uint32_t i = 0; i < TABLES; i++) {
		cells->tables[i].cells = (struct cell *)(at + i * table_bytes);
		cells->tables[i].used = (uint64_t *)(at + TABLES * table_bytes + i * used_bytes);
	}
	return 0;
}

struct cells *cells_create(uint32_t series_max, int64_t interval_ms, uint32_t source,
			   uint32_t epoch, uint32_t lane, int64_t frontier)
{
	check(interval_ms > 0);
	check(series_max <= WEIR_SERIES_MAX);
	struct cells *cells = calloc(1, sizeof(*cells));
	if (!cells)
		return NULL;
	if (reserve_tables(cells, series_max) < 0) {
		free(cells);
		return NULL;
	}
	if (late_init(&cells->late) < 0) {
		munmap(cells->memory, cells->memory_bytes);
		free(cells);
		return NULL;
	}
	cells->interval_ms = interval_ms;
	cells->source = source;
	cells->epoch = epoch;
	cells->lane = lane;
	cells->frontier = frontier;
	cells->block_frontier = frontier;
	for (uint32_t i = 0; i < TABLES; i++)
		cells->spare[cells->spares++] = &cells->tables[TABLES - 1 - i];
	return cells;
}

void cells_destroy(struct cells *cells)
{
	if (!cells)
		return;
	for (uint32_t i = 0; i < TABLES; i++)
		sketch_list_fini(&cells->tables[i].sketches);
	late_fini(&cells->late);
	pool_fini(&cells->pool);
	munmap(cells->memory, cells->memory_bytes);
	free(cells);
}

void cells_sketches(struct cells *cells, const uint8_t *kinds)
{
	cells->kinds = kinds;
}

void partial_free(struct partial *partial)
{
	if (!partial)
		return;
	free(partial->late);
	free(partial->sketches);
	free(partial);
}

void partials_free(struct partial *partials)
{
	while (partials) {
		struct partial *next = partials->next;
		partial_free(partials);
		partials = next;
	}
}

void cells_block(struct cells *cells, uint64_t lsn)
{
	cells->lsn = lsn;
	cells->block_frontier = cells->frontier;
}

/* The table of an open interval, taken from the stack at its first event. */
static struct table *table_open(struct cells *cells, int64_t interval)
{
	struct table **place = &cells->open[interval & (WEIR_OPEN_INTERVALS_MAX - 1)];
	if (*place)
		return *place;
	check(cells->spares > 0);
	struct table *table = cells->spare[--cells->spares];
	table->interval = interval;
	table->first_lsn = cells->lsn;
	table->first_frontier = cells->block_frontier;
	*place = table;
	return table;
}

static enum sketch_kind kind_of(const struct cells *cells, uint32_t series)
{
	return cells->kinds ? (enum sketch_kind)cells->kinds[series] : SKETCH_NONE;
}

static __attribute__((noinline)) void add_late(struct cells *cells, int64_t interval,
					       const struct weir_event *event)
{
	uint32_t series = weir_event_series(event->word);
	cells->counters.late++;
	if (!cells->late.count) {
		cells->late.first_lsn = cells->lsn;
		cells->late.first_frontier = cells->block_frontier;
	}
	if (!late_add(&cells->late, &cells->pool, interval, series, weir_bits_value(event->value),
		      kind_of(cells, series), &cells->counters.unsketched))
		cells->counters.late_uncorrected++;
}

/* Make the interval of an event the current one. False: the event was late or in the future, and
 * is done with. */
static bool switch_interval(struct cells *cells, const struct weir_event *event)
{
	/* Times have 42 bits, so that intervals are never negative; the frontier may be. */
	int64_t interval = (int64_t)(weir_event_time_ms(event->word) /
				     (uint64_t)cells->interval_ms);
	if (interval <= cells->frontier) {
		add_late(cells, interval, event);
		return false;
	}
	if ((uint64_t)interval - (uint64_t)cells->frontier > WEIR_OPEN_INTERVALS_MAX) {
		cells->counters.future++;
		return false;
	}
	cells->current = table_open(cells, interval);
	cells->start_ms = (uint64_t)interval * (uint64_t)cells->interval_ms;
	cells->width_ms = (uint64_t)cells->interval_ms;
	return true;
}

/* Many series: ask for large pages, for all tables, most of which have no memory yet. What this one
 * has already is merged here, once; kernels before 6.1 do that later by themselves. It is advice:
 * no answer is an error. */
static void use_huge_pages(struct cells *cells, struct table *table)
{
	cells->huge = true;
	(void)madvise(cells->tables[0].cells, TABLES * cells->table_bytes, MADV_HUGEPAGE);
	uint64_t bytes = round_up((uint64_t)table->used_words * 64 * sizeof(struct cell),
				  HUGE_PAGE_BYTES);
	if (bytes <= cells->table_bytes)
		(void)madvise(table->cells, bytes, MADV_COLLAPSE);
}

static void cell_add(struct cell *cell, double value)
{
	cell->count++;
	cell->sum += value;
	cell->sum_squares += value * value;
	cell->min = value < cell->min ? value : cell->min;
	cell->max = value > cell->max ? value : cell->max;
}

/* The first event of a series in the interval, or any of a cell with a sketch. */
static __attribute__((noinline)) void cell_special(struct cells *cells, struct table *table,
						   uint32_t series, double value)
{
	struct cell *cell = &table->cells[series];
	if (cell->count) {
		cell_add(cell, value);
		set_add(&table->sketches, cell->sketch, value);
		return;
	}
	cell->count = 1;
	cell->sum = value;
	cell->sum_squares = value * value;
	cell->min = value;
	cell->max = value;
	cell->sketch = 0;
	enum sketch_kind kind = kind_of(cells, series);
	if (kind) {
		cell->sketch = pool_open(&cells->pool, &table->sketches, kind, WEIR_SKETCHES_MAX);
		if (cell->sketch) {
			set_add(&table->sketches, cell->sketch, value);
			cell->count |= SKETCHED;
		} else {
			cells->counters.unsketched++;
		}
	}
	table->used[series / 64] |= UINT64_C(1) << series % 64;
	if (table->used_words <= series / 64)
		table->used_words = series / 64 + 1;
	if (++table->used_count > HUGE_PAGE_SERIES && !cells->huge)
		use_huge_pages(cells, table);
}

/* Add events up to the first that is not of the current interval; returns that one. */
static const struct weir_event *add_run(struct cells *cells, const struct weir_event *event,
					const struct weir_event *end)
{
	struct table *table = cells->current;
	struct cell *table_cells = table->cells;
	const uint64_t start_ms = cells->start_ms, width_ms = cells->width_ms;
	const struct weir_event *last = end - 1;

	for (; event < end; event++) {
		const struct weir_event *ahead = end - event > PREFETCH_EVENTS
							 ? event + PREFETCH_EVENTS
							 : last;
		__builtin_prefetch(&table_cells[weir_event_series(ahead->word)], 1);
		uint64_t word = event->word;
		if (__builtin_expect(weir_event_time_ms(word) - start_ms >= width_ms, 0))
			break;
		double value = weir_bits_value(event->value);
		struct cell *cell = &table_cells[weir_event_series(word)];
		/* One branch for both, on the sign: 0 wraps around to it, SKETCHED is it. */
		if (__builtin_expect((int64_t)(cell->count - 1) < 0, 0))
			cell_special(cells, table, weir_event_series(word), value);
		else
			cell_add(cell, value);
	}
	return event;
}

void cells_add(struct cells *cells, const struct batch *batch)
{
	check(batch->source == cells->source);
	const struct weir_event *event = batch->events, *end = event + batch->count;

	if (cells->current) {
		const struct cell *table_cells = cells->current->cells;
		uint32_t warm = batch->count < PREFETCH_EVENTS ? batch->count : PREFETCH_EVENTS;
		for (uint32_t i = 0; i < warm; i++)
			__builtin_prefetch(&table_cells[weir_event_series(event[i].word)], 1);
	}
	while (event < end) {
		uint64_t time_ms = weir_event_time_ms(event->word);
		bool current = time_ms - cells->start_ms < cells->width_ms;
		if (current || switch_interval(cells, event))
			event = add_run(cells, event, end);
		else
			event++;
	}
}

/* Copy the cells in use, in series order, and leave the table empty: a count of 0 is all that an
 * unused cell says. cells NULL: only empty it. */
static void table_drain(struct table *table, struct sketch_pool *pool, struct partial_cell *cells,
			struct bytes *sketches)
{
	for (uint32_t word = 0; word < table->used_words; word++) {
		uint64_t bits = table->used[word];
		for (; bits; bits &= bits - 1) {
			uint32_t series = word * 64 + (uint32_t)__builtin_ctzll(bits);
			struct cell *cell = &table->cells[series];
			if (cells)
				*cells++ = (struct partial_cell){
					.series = series,
					.sketch = set_save(&table->sketches, cell->sketch,
							   sketches),
					.count = cell->count & ~SKETCHED,
					.sum = cell->sum,
					.sum_squares = cell->sum_squares,
					.min = cell->min,
					.max = cell->max,
				};
			cell->count = 0;
		}
		table->used[word] = 0;
	}
	pool_close(pool, &table->sketches);
	table->used_count = 0;
	table->used_words = 0;
}

/* What a partial takes of memory before it is filled. */
static uint64_t head_bytes(const struct table *table, const struct late *late)
{
	return sizeof(struct partial) +
	       (table ? (uint64_t)table->used_count * sizeof(struct partial_cell) : 0) +
	       (late ? (uint64_t)late->count * sizeof(struct late_cell) : 0);
}

/* Empty a table (NULL: none) and what came late (NULL: not with this one) into a partial, if it
 * fits in `budget_bytes`. NULL: it does not. */
static struct partial *fill_partial(struct cells *cells, struct table *table, struct late *late,
				    uint64_t budget_bytes)
{
	uint64_t bytes = head_bytes(table, late);
	struct bytes sketches = {0};
	struct partial *partial = NULL;
	if (bytes <= budget_bytes)
		partial = malloc(head_bytes(table, NULL));
	if (partial)
		*partial = (struct partial){
			.cell_count = table ? table->used_count : 0,
			.late_count = late ? late->count : 0,
		};
	if (partial && partial->late_count) {
		partial->late = malloc(partial->late_count * sizeof(*partial->late));
		if (!partial->late) {
			partial_free(partial);
			partial = NULL;
		}
	}
	if (table)
		table_drain(table, &cells->pool, partial ? partial->cells : NULL, &sketches);
	if (late)
		late_drain(late, &cells->pool, partial ? partial->late : NULL, &sketches);
	if (partial && (sketches.failed || bytes + sketches.used > budget_bytes)) {
		partial_free(partial);
		partial = NULL;
	}
	if (!partial) {
		bytes_fini(&sketches);
		return NULL;
	}
	partial->sketches = sketches.data;
	partial->sketch_bytes = (uint32_t)sketches.used;
	return partial;
}

/* Turn a table (NULL: none) and what came late (NULL: not with this one) into a partial, with its
 * cells if they fit in *budget_bytes. */
static struct partial *close_interval(struct cells *cells, int64_t interval, struct table *table,
				      struct late *late, uint64_t *budget_bytes)
{
	uint64_t first_lsn = table ? table->first_lsn : late->first_lsn;
	int64_t first_frontier = table ? table->first_frontier : late->first_frontier;
	if (late && late->first_lsn < first_lsn) {
		first_lsn = late->first_lsn;
		first_frontier = late->first_frontier;
	}
	struct partial *partial = fill_partial(cells, table, late, *budget_bytes);
	if (partial) {
		*budget_bytes -= partial_bytes(partial);
	} else {
		partial = calloc(1, sizeof(*partial));
		/* Without even this an interval would be missing from the results in silence. */
		check(partial);
		partial->dropped = true;
	}
	partial->source = cells->source;
	partial->epoch = cells->epoch;
	partial->lane = cells->lane;
	partial->interval = interval;
	partial->first_lsn = first_lsn;
	partial->first_frontier = first_frontier;
	return partial;
}

/* Partials of the open intervals through `interval`, and at `late_at` with what came late. */
static struct partial *close_through(struct cells *cells, int64_t interval, int64_t late_at,
				     uint64_t budget_bytes)
{
	struct partial *first = NULL, **link = &first;
	struct late *late = cells->late.count ? &cells->late : NULL;
	for (uint32_t i = 1; i <= WEIR_OPEN_INTERVALS_MAX; i++) {
		/* Unsigned, because a frontier may lie at either end of the range. */
		uint64_t next = (uint64_t)cells->frontier + i;
		struct table **place = &cells->open[next & (WEIR_OPEN_INTERVALS_MAX - 1)];
		struct table *table = *place;
		if (!table || table->interval > interval)
			continue;
		if (late && late_at < table->interval) {
			*link = close_interval(cells, late_at, NULL, late, &budget_bytes);
			link = &(*link)->next;
			late = NULL;
		}
		bool here = late_at == table->interval;
		*link = close_interval(cells, table->interval, table, here ? late : NULL,
				       &budget_bytes);
		link = &(*link)->next;
		late = here ? NULL : late;
		if (cells->current == table) {
			cells->current = NULL;
			cells->width_ms = 0;
		}
		cells->spare[cells->spares++] = table;
		*place = NULL;
	}
	if (late)
		*link = close_interval(cells, late_at, NULL, late, &budget_bytes);
	return first;
}

struct partial *cells_mark(struct cells *cells, int64_t interval, uint64_t budget_bytes)
{
	if (interval <= cells->frontier)
		return NULL;
	struct partial *partials = close_through(cells, interval, interval, budget_bytes);
	cells->frontier = interval;
	return partials;
}

struct partial *cells_end(struct cells *cells)
{
	/* No mark has ever had a greater frontier than times have. */
	return close_through(cells, INT64_MAX, cells->frontier + 1, UINT64_MAX);
}

int64_t cells_frontier(const struct cells *cells)
{
	return cells->frontier;
}

uint64_t cells_window_end_ms(const struct cells *cells)
{
	int64_t interval, end_ms;
	if (__builtin_add_overflow(cells->frontier, WEIR_OPEN_INTERVALS_MAX + 1, &interval))
		return UINT64_MAX;
	if (interval < 0)
		return 0;
	if (__builtin_mul_overflow(interval, cells->interval_ms, &end_ms))
		return UINT64_MAX;
	return (uint64_t)end_ms;
}

void cells_resume(const struct cells *cells, uint64_t *ret_lsn, int64_t *ret_frontier)
{
	*ret_lsn = cells->lsn;
	*ret_frontier = cells->block_frontier;
	if (cells->late.count) {
		*ret_lsn = cells->late.first_lsn;
		*ret_frontier = cells->late.first_frontier;
	}
	for (uint32_t i = 0; i < WEIR_OPEN_INTERVALS_MAX; i++) {
		const struct table *table = cells->open[i];
		/* Of two tables begun in one block both carry that block's frontier. */
		if (table && table->first_lsn < *ret_lsn) {
			*ret_lsn = table->first_lsn;
			*ret_frontier = table->first_frontier;
		}
	}
}

void cells_counters(const struct cells *cells, struct cells_counters *ret_counters)
{
	*ret_counters = cells->counters;
}
