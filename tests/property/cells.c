/*
 * cells: against a model that keeps every open interval in a plain array and looks through all of
 * them for each event, and what came late in a list that it searches and sorts. Two
 * instances get the same events, one in whole batches, the other in pieces: both must say, bit for
 * bit, what the model says.
 */
#include "interval/cells.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "interval/sketch.h"
#include "support/random.h"

#define SERIES_MAX 300
#define EVENTS_MAX 400
#define LATE_MAX 20000

struct model_interval {
	bool used;
	int64_t interval;
	uint64_t lsn;
	int64_t frontier; /* at the start of block lsn */
	struct partial_cell cells[SERIES_MAX + 1];
	bool sketched[SERIES_MAX + 1];
	struct sketch *sketches[SERIES_MAX + 1];
};

struct model_late {
	struct late_cell cell;
	struct sketch *sketch;
};

struct model {
	int64_t interval_ms, frontier;
	uint64_t lsn;
	int64_t block_frontier;
	uint64_t late, future;
	struct model_interval open[WEIR_OPEN_INTERVALS_MAX];
	struct model_late late_cells[LATE_MAX];
	uint32_t late_count;
	uint64_t late_lsn;
	int64_t late_frontier;
	uint8_t kinds[SERIES_MAX + 1];
};

static struct model model;

static bool same(double a, double b)
{
	return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof(a)) == 0;
}

static struct model_interval *model_open(int64_t interval)
{
	struct model_interval *unused = NULL;
	for (int i = 0; i < WEIR_OPEN_INTERVALS_MAX; i++) {
		if (model.open[i].used && model.open[i].interval == interval)
			return &model.open[i];
		if (!model.open[i].used)
			unused = &model.open[i];
	}
	expect(unused);
	memset(unused, 0, sizeof(*unused));
	unused->used = true;
	unused->interval = interval;
	unused->lsn = model.lsn;
	unused->frontier = model.block_frontier;
	return unused;
}

static void cell_add(struct partial_cell *cell, double value)
{
	if (cell->count == 0 || value < cell->min)
		cell->min = value;
	if (cell->count == 0 || value > cell->max)
		cell->max = value;
	cell->count++;
	cell->sum = cell->count == 1 ? value : cell->sum + value;
	cell->sum_squares += value * value;
}

static struct sketch *model_sketch(uint32_t series)
{
	enum sketch_kind kind = (enum sketch_kind)model.kinds[series];
	struct sketch *sketch = kind ? sketch_create(kind) : NULL;
	expect(!kind || sketch);
	return sketch;
}

static void model_add_late(int64_t interval, uint32_t series, double value)
{
	uint32_t i = 0;
	if (model.late_count == 0) {
		model.late_lsn = model.lsn;
		model.late_frontier = model.block_frontier;
	}
	while (i < model.late_count && (model.late_cells[i].cell.interval != interval ||
					model.late_cells[i].cell.cell.series != series))
		i++;
	struct model_late *late = &model.late_cells[i];
	if (i == model.late_count) {
		expect(i < LATE_MAX);
		memset(late, 0, sizeof(*late));
		late->cell.interval = interval;
		late->cell.cell.series = series;
		late->sketch = model_sketch(series);
		model.late_count++;
	}
	cell_add(&late->cell.cell, value);
	if (late->sketch)
		expect(sketch_add(late->sketch, value) == 0);
}

static void model_add(const struct weir_event *event)
{
	uint32_t series = weir_event_series(event->word);
	uint64_t time_ms = weir_event_time_ms(event->word);
	int64_t interval = interval_of_ms((int64_t)time_ms, model.interval_ms);
	double value = weir_bits_value(event->value);
	if (interval <= model.frontier) {
		model.late++;
		model_add_late(interval, series, value);
		return;
	}
	if (interval > model.frontier + WEIR_OPEN_INTERVALS_MAX) {
		model.future++;
		return;
	}
	struct model_interval *open = model_open(interval);
	struct partial_cell *cell = &open->cells[series];
	if (cell->count == 0)
		open->sketches[series] = model_sketch(series);
	cell_add(cell, value);
	if (open->sketches[series])
		expect(sketch_add(open->sketches[series], value) == 0);
}

/* Is what a cell says of its sketch the model's, byte by byte? *at: where it should begin. */
static void compare_sketch(const struct partial *partial, uint32_t offset,
			   const struct sketch *sketch, uint32_t *at)
{
	struct bytes bytes = {0};
	if (!sketch) {
		expect(offset == 0);
		return;
	}
	sketch_save(sketch, &bytes);
	expect(!bytes.failed && offset == 1 + *at);
	expect(*at + bytes.used <= partial->sketch_bytes);
	expect(!memcmp(partial->sketches + *at, bytes.data, bytes.used));
	*at += (uint32_t)bytes.used;
	bytes_fini(&bytes);
}

static void compare_cell(const struct partial_cell *is, const struct partial_cell *should)
{
	expect(is->count == should->count);
	expect(same(is->sum, should->sum) && same(is->sum_squares, should->sum_squares));
	expect(same(is->min, should->min) && same(is->max, should->max));
}

static int by_key(const void *left, const void *right)
{
	const struct late_cell *a = &((const struct model_late *)left)->cell;
	const struct late_cell *b = &((const struct model_late *)right)->cell;
	if (a->interval != b->interval)
		return a->interval < b->interval ? -1 : 1;
	return (a->cell.series > b->cell.series) - (a->cell.series < b->cell.series);
}

static void compare_late(const struct partial *partial, uint32_t *at)
{
	qsort(model.late_cells, model.late_count, sizeof(model.late_cells[0]), by_key);
	expect(partial->late_count == model.late_count);
	for (uint32_t i = 0; i < model.late_count; i++) {
		const struct late_cell *is = &partial->late[i];
		const struct model_late *should = &model.late_cells[i];
		expect(is->interval == should->cell.interval);
		expect(is->cell.series == should->cell.cell.series);
		compare_cell(&is->cell, &should->cell.cell);
		compare_sketch(partial, is->cell.sketch, should->sketch, at);
	}
}

/* open NULL: only what came late. */
static void compare_partial(const struct partial *partial, const struct model_interval *open,
			    int64_t interval, bool late, bool dropped)
{
	uint64_t lsn = open ? open->lsn : model.late_lsn;
	int64_t frontier = open ? open->frontier : model.late_frontier;
	uint32_t at = 0, sketch_at = 0;
	if (late && model.late_lsn < lsn) {
		lsn = model.late_lsn;
		frontier = model.late_frontier;
	}
	expect(partial->interval == interval);
	expect(partial->first_lsn == lsn && partial->first_frontier == frontier);
	expect(partial->source == 5 && partial->epoch == 6 && partial->lane == 7);
	expect(partial->dropped == dropped);
	for (uint32_t series = 0; series <= SERIES_MAX && open && !dropped; series++) {
		const struct partial_cell *is = &partial->cells[at], *should = &open->cells[series];
		if (should->count == 0)
			continue;
		expect(at < partial->cell_count);
		expect(is->series == series);
		compare_cell(is, should);
		compare_sketch(partial, is->sketch, open->sketches[series], &sketch_at);
		at++;
	}
	expect(partial->cell_count == at);
	if (late && !dropped)
		compare_late(partial, &sketch_at);
	else
		expect(partial->late_count == 0);
	expect(partial->sketch_bytes == sketch_at);
}

static uint64_t saved_bytes(const struct sketch *sketch)
{
	struct bytes bytes = {0};
	if (sketch)
		sketch_save(sketch, &bytes);
	uint64_t used = bytes.used;
	bytes_fini(&bytes);
	return used;
}

static uint64_t model_bytes(const struct model_interval *open, bool late)
{
	uint64_t bytes = sizeof(struct partial);
	for (uint32_t series = 0; series <= SERIES_MAX && open; series++)
		if (open->cells[series].count)
			bytes += sizeof(struct partial_cell) + saved_bytes(open->sketches[series]);
	for (uint32_t i = 0; i < model.late_count && late; i++)
		bytes += sizeof(struct late_cell) + saved_bytes(model.late_cells[i].sketch);
	return bytes;
}

/* Compare a mark's partials with the model's intervals up to it, oldest first; what came late is
 * with that of `late_at`. */
static void compare_mark(struct partial *partial, int64_t interval, int64_t late_at,
			 uint64_t budget)
{
	int64_t last = model.frontier + WEIR_OPEN_INTERVALS_MAX;
	for (int64_t i = model.frontier + 1; i <= interval; i++) {
		const struct model_interval *open = NULL;
		bool late = i == late_at && model.late_count;
		for (int j = 0; j < WEIR_OPEN_INTERVALS_MAX; j++)
			if (model.open[j].used && model.open[j].interval == i)
				open = &model.open[j];
		if (i > last && i < late_at)
			i = late_at - 1;
		if (!open && !late)
			continue;
		uint64_t bytes = model_bytes(open, late);
		bool dropped = bytes > budget;
		expect(partial);
		compare_partial(partial, open, i, late, dropped);
		budget -= dropped ? 0 : bytes;
		struct partial *next = partial->next;
		partial_free(partial);
		partial = next;
	}
	expect(!partial);
}

static void model_close(struct model_interval *open)
{
	for (uint32_t series = 0; series <= SERIES_MAX && open->used; series++)
		sketch_destroy(open->sketches[series]);
	memset(open, 0, sizeof(*open));
}

static void model_clear_late(void)
{
	for (uint32_t i = 0; i < model.late_count; i++)
		sketch_destroy(model.late_cells[i].sketch);
	model.late_count = 0;
}

static void model_mark(int64_t interval)
{
	if (interval <= model.frontier)
		return;
	for (int i = 0; i < WEIR_OPEN_INTERVALS_MAX; i++)
		if (model.open[i].interval <= interval)
			model_close(&model.open[i]);
	model_clear_late();
	model.frontier = interval;
}

static void compare_state(const struct cells *cells)
{
	struct cells_counters counters;
	uint64_t lsn = model.lsn, is_lsn;
	int64_t frontier = model.block_frontier, is_frontier;
	if (model.late_count) {
		lsn = model.late_lsn;
		frontier = model.late_frontier;
	}
	for (int i = 0; i < WEIR_OPEN_INTERVALS_MAX; i++)
		if (model.open[i].used && model.open[i].lsn < lsn) {
			lsn = model.open[i].lsn;
			frontier = model.open[i].frontier;
		}
	cells_resume(cells, &is_lsn, &is_frontier);
	expect(is_lsn == lsn && is_frontier == frontier);
	cells_counters(cells, &counters);
	expect(counters.late == model.late && counters.future == model.future);
	expect(cells_frontier(cells) == model.frontier);
	int64_t end = (model.frontier + WEIR_OPEN_INTERVALS_MAX + 1) * model.interval_ms;
	expect(cells_window_end_ms(cells) == (end < 0 ? 0 : (uint64_t)end));
}

static uint64_t random_value(void)
{
	switch (random_below(5)) {
	case 0:
		return weir_value_bits((double)random_below(5) - 2);
	case 1:
		return random_next() & ~(UINT64_C(1) << 62); /* a hash */
	case 2:
		return weir_value_bits(random_one_in(2) ? -0.0 : 0.0);
	case 3:
		return weir_value_bits(random_one_in(2) ? 1.7e308 : -1.7e308);
	default:
		return weir_value_bits((double)random_next() / 1e15 - 9000);
	}
}

/* Mostly in one interval, as live events are; some anywhere around the window. */
static void random_events(struct weir_event *events, uint32_t count, uint32_t series_max)
{
	int64_t ahead = 1 + (int64_t)random_below(3);
	for (uint32_t i = 0; i < count; i++) {
		int64_t at = model.frontier + ahead;
		if (random_one_in(10))
			at = model.frontier - 2 +
			     (int64_t)random_below(WEIR_OPEN_INTERVALS_MAX + 5);
		int64_t time_ms = at * model.interval_ms +
				  (int64_t)random_below((uint64_t)model.interval_ms);
		if (time_ms < 0)
			time_ms = 0;
		uint32_t series = 1 + (uint32_t)random_below(series_max);
		events[i].word = weir_event_word((uint64_t)time_ms, series);
		events[i].value = random_value();
	}
}

static void add_pieces(struct cells *cells, const struct weir_event *events, uint32_t count)
{
	for (uint32_t at = 0; at < count;) {
		uint32_t piece = 1 + (uint32_t)random_below(count - at);
		struct batch batch = {.events = events + at, .count = piece, .source = 5};
		cells_add(cells, &batch);
		at += piece;
	}
}

static void step(struct cells *whole, struct cells *pieces, uint32_t series_max, bool sketches)
{
	struct weir_event events[EVENTS_MAX];
	switch (random_below(9)) {
	case 8: {
		if (!sketches)
			break;
		/* A definition is logged again: it holds for cells that are begun from now on. */
		uint32_t series = 1 + (uint32_t)random_below(series_max);
		model.kinds[series] = (uint8_t)random_below(3);
		break;
	}
	case 0:
		model.lsn += 1 + random_below(3);
		model.block_frontier = model.frontier;
		cells_block(whole, model.lsn);
		cells_block(pieces, model.lsn);
		break;
	case 1:
	case 2: {
		int64_t interval = model.frontier - 1 + (int64_t)random_below(4);
		uint64_t budget = random_one_in(3) ? random_below(8000) : UINT64_MAX;
		if (random_one_in(8))
			interval = model.frontier + (int64_t)random_below(40);
		compare_mark(cells_mark(whole, interval, budget), interval, interval, budget);
		compare_mark(cells_mark(pieces, interval, budget), interval, interval, budget);
		model_mark(interval);
		break;
	}
	default: {
		uint32_t count = (uint32_t)random_below(random_one_in(3) ? EVENTS_MAX : 20);
		random_events(events, count, series_max);
		struct batch batch = {.events = events, .count = count, .source = 5};
		cells_add(whole, &batch);
		add_pieces(pieces, events, count);
		for (uint32_t i = 0; i < count; i++)
			model_add(&events[i]);
	}
	}
}

static void round_of_cells(void)
{
	const int64_t widths[] = {1, 7, 1000, 10000, 86400000};
	const uint32_t maxima[] = {1, 5, 63, 64, 65, SERIES_MAX};
	uint32_t series_max = maxima[random_below(6)];
	bool sketches = random_one_in(2);

	/* Not the late cells: their count says which of them mean anything. */
	memset(&model, 0, offsetof(struct model, late_cells));
	model.late_count = 0;
	memset(model.kinds, 0, sizeof(model.kinds));
	model.interval_ms = widths[random_below(5)];
	int64_t last = ((int64_t)1 << 41) / model.interval_ms;
	model.frontier = (int64_t)random_below((uint64_t)last) - 1;
	if (random_one_in(4))
		model.frontier = (int64_t)random_below(10) - 5;
	model.lsn = 1;
	model.block_frontier = model.frontier;
	struct cells *whole = cells_create(series_max, model.interval_ms, 5, 6, 7, model.frontier);
	struct cells *pieces = cells_create(series_max, model.interval_ms, 5, 6, 7, model.frontier);
	expect(whole && pieces);
	cells_block(whole, 1);
	cells_block(pieces, 1);
	for (uint32_t i = 1; i <= series_max && sketches; i++)
		model.kinds[i] = random_one_in(3) ? (uint8_t)random_below(3) : 0;
	if (sketches) {
		cells_sketches(whole, model.kinds);
		cells_sketches(pieces, model.kinds);
	}
	for (int i = 0; i < 150; i++) {
		step(whole, pieces, series_max, sketches);
		compare_state(whole);
		compare_state(pieces);
	}
	int64_t end = model.frontier + WEIR_OPEN_INTERVALS_MAX;
	compare_mark(cells_end(whole), end, model.frontier + 1, UINT64_MAX);
	compare_mark(cells_end(pieces), end, model.frontier + 1, UINT64_MAX);
	model_mark(end);
	cells_destroy(whole);
	cells_destroy(pieces);
}

int main(int argc, char **argv)
{
	return random_main(argc, argv, "property-cells", 300, round_of_cells);
}
